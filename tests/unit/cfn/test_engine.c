/* SPDX-License-Identifier: Apache-2.0 */
/* test_engine.c - the state machine of a stack's operation: what a phase begins with after a crash, and what follows it. Phases are begun
 * and ended over a store that holds just what the test says; nothing runs in between. */
#include "cfn/engine/run.h"
#include "store/store_test.h"
#include "test.h"

#define ACCOUNT S("123456789012")
#define STACK S("s-1")
#define OP S("op-1")
#define TYPE S("AWS::CDK::Metadata")
static const char two[] =
	"{\"Resources\":{\"A\":{\"Type\":\"AWS::CDK::Metadata\"},\"B\":{\"Type\":\"AWS::CDK::Metadata\",\"DependsOn\":\"A\"},"
	"\"C\":{\"Type\":\"AWS::CDK::Metadata\"}}}";

struct world_state { /* one stack and its operation */
	struct region region;
	struct run run;
	struct arena arena;
	struct cfn_rec_settings now;
	struct cfn_rec_stack stack;
	struct cfn_rec_op op;
	struct cfn_rec_resource res[8], prev[8], old[8];
	size_t n_res, n_prev, n_old;
};

static int fill(struct store_txn *t, void *arg)
{
	struct world_state *w = arg;
	struct keybuf k;
	int r = stack_add(t, &w->stack);

	op_key(&k, STACK, OP);
	r |= record_put(t, &cfn_records, CFN_REC_OP, &k, &w->op);
	r |= stack_put_template(t, &w->stack, S("t"), str_c(two));
	for (size_t i = 0; i < w->n_res; i++)
		r |= resource_put(t, ACCOUNT, "cfn.res", STACK, &w->res[i]);
	for (size_t i = 0; i < w->n_prev; i++)
		r |= resource_put(t, ACCOUNT, "cfn.prev", STACK, &w->prev[i]);
	for (size_t i = 0; i < w->n_old; i++)
		r |= resource_put(t, ACCOUNT, "cfn.old", STACK, &w->old[i]);
	return r;
}

static struct world_state *begin(const char *kind, const char *phase, const char *on_failure, const char *status)
{
	struct world_state *w = calloc(1, sizeof *w);
	struct principal who = { .p = { .type = PRINCIPAL_ROOT, .account = ACCOUNT } };

	assert_non_null(w);
	test_dir_make();
	w->region.store = test_open(test_dir);
	w->region.name = S("us-east-1");
	w->run.region = &w->region;
	w->run.stack_id = STACK;
	w->run.op_id = OP;
	pthread_mutex_init(&w->run.lock, NULL);
	pthread_cond_init(&w->run.cond, NULL);
	w->now.template = S("t");
	w->stack = (struct cfn_rec_stack){ .id = STACK,
					   .name = S("name"),
					   .arn = S("arn:aws:cloudformation:us-east-1:123456789012:stack/name/s-1"),
					   .account = ACCOUNT,
					   .status = str_c(status),
					   .created = OPT_TIME(1),
					   .now = &w->now,
					   .op = OP };
	w->op = (struct cfn_rec_op){ .id = OP,
				     .kind = str_c(kind),
				     .phase = str_c(phase),
				     .stack = STACK,
				     .account = ACCOUNT,
				     .principal = principal_text(&w->arena, &who),
				     .on_failure = str_c(on_failure) };
	return w;
}

static int start(struct world_state *w)
{
	assert_int_equal(store_write(w->region.store, fill, w), 0);
	return phase_begin(&w->run);
}

static void finish(struct world_state *w)
{
	store_close(w->region.store);
	test_dir_remove();
	arena_done(&w->run.arena);
	arena_done(&w->arena);
	pthread_mutex_destroy(&w->run.lock);
	pthread_cond_destroy(&w->run.cond);
	free(w);
}

static struct cfn_rec_resource row(const char *logical, const char *physical, const char *status)
{
	return (struct cfn_rec_resource){ .logical = str_c(logical),
					  .type = TYPE,
					  .physical = physical ? str_c(physical) : STR_NONE,
					  .status = str_c(status),
					  .op = OP };
}

static struct node *node_of(struct world_state *w, const char *logical)
{
	for (size_t i = 0; i < w->run.n_nodes; i++)
		if (str_is(w->run.nodes[i].logical, logical))
			return &w->run.nodes[i];
	return NULL;
}

/* --- beginning --- */
static void what_was_begun_ends_though_the_operation_failed(void **state)
{
	struct world_state *w = begin("CREATE", "make", "ROLLBACK", "CREATE_IN_PROGRESS");

	w->res[w->n_res++] = row("A", NULL, "CREATE_IN_PROGRESS"); /* perhaps made: only its journal knows */
	w->res[w->n_res++] = row("C", NULL, "CREATE_FAILED");
	assert_int_equal(start(w), 1);
	assert_true(w->run.halt);
	assert_int_equal(w->run.n_begun, 1);
	assert_ptr_equal(&w->run.nodes[w->run.ready[0]], node_of(w, "A"));
	assert_int_equal(node_of(w, "C")->state, NODE_FAILED);
	finish(w);
}

static void what_was_begun_ends_though_the_operation_was_cancelled(void **state)
{
	struct world_state *w = begin("UPDATE", "make", "ROLLBACK", "UPDATE_IN_PROGRESS");

	w->op.cancel = S("User Initiated");
	w->res[w->n_res++] = row("A", "a", "CREATE_COMPLETE");
	w->res[w->n_res++] = row("B", NULL, "CREATE_IN_PROGRESS");
	assert_int_equal(start(w), 1);
	assert_true(w->run.halt);
	assert_str(w->run.reason, "User Initiated");
	assert_int_equal(w->run.n_begun, 1);
	assert_ptr_equal(&w->run.nodes[w->run.ready[0]], node_of(w, "B"));
	finish(w);
}

static void what_is_done_is_not_done_again(void **state)
{
	struct world_state *w = begin("CREATE", "make", "ROLLBACK", "CREATE_IN_PROGRESS");

	w->res[w->n_res++] = row("A", "a", "CREATE_COMPLETE");
	assert_int_equal(start(w), 1);
	assert_int_equal(node_of(w, "A")->state, NODE_DONE);
	assert_str(node_of(w, "A")->physical, "a");
	assert_int_equal(w->run.n_begun, 0);
	assert_int_equal(w->run.n_ready, 2); /* B, which waited for A, and C */
	assert_false(w->run.halt);
	finish(w);
}

static void a_deletion_takes_what_failed_updates_left(void **state)
{
	struct world_state *w = begin("DELETE", "unmake", "", "DELETE_IN_PROGRESS");
	int by_table[3] = { 0 };

	w->res[w->n_res++] = row("A", "a2", "UPDATE_COMPLETE");
	w->res[w->n_res++] = row("B", "b", "UPDATE_FAILED");
	w->res[w->n_res++] = row("C", "c", "DELETE_COMPLETE");
	w->prev[w->n_prev++] = row("A", "a0", "CREATE_COMPLETE");
	w->prev[w->n_prev++] = row("B", "b", "CREATE_COMPLETE"); /* the same one */
	w->prev[w->n_prev] = row("N", NULL, "");
	w->prev[w->n_prev++].absent = OPT_BOOL(true);
	w->old[w->n_old++] = row("A", "a1", "CREATE_COMPLETE");
	assert_int_equal(start(w), 1);
	assert_int_equal(w->run.n_nodes, 4);
	for (size_t i = 0; i < w->run.n_nodes; i++) {
		const char *t = w->run.nodes[i].table;

		by_table[strcmp(t, "cfn.res") == 0 ? 0 : strcmp(t, "cfn.prev") == 0 ? 1 : 2]++;
	}
	assert_int_equal(by_table[0], 2);
	assert_int_equal(by_table[1], 1);
	assert_int_equal(by_table[2], 1);
	finish(w);
}

/* Rows of several updates may depend on each other in a circle: every one has its turn all the same. */
static void circles_are_broken(void **state)
{
	struct world_state *w = begin("DELETE", "unmake", "", "DELETE_IN_PROGRESS");
	struct str a = S("A"), b = S("B"), c = S("C");
	size_t done = 0;

	w->res[w->n_res] = row("A", "a", "CREATE_COMPLETE");
	w->res[w->n_res++].deps = (struct str_list){ &b, 1 };
	w->res[w->n_res] = row("B", "b", "CREATE_COMPLETE");
	w->res[w->n_res++].deps = (struct str_list){ &a, 1 };
	w->res[w->n_res] = row("C", "c", "CREATE_COMPLETE");
	w->res[w->n_res++].deps = (struct str_list){ &a, 1 };
	w->res[w->n_res] = row("D", "d", "CREATE_COMPLETE");
	w->res[w->n_res++].deps = (struct str_list){ &c, 1 };
	assert_int_equal(start(w), 1);
	for (; done < w->run.n_ready; done++) { /* as finish_node does */
		const struct node *n = &w->run.nodes[w->run.ready[done]];

		for (size_t i = 0; i < n->n_dependents; i++) {
			struct node *d = &w->run.nodes[n->dependents[i]];

			assert_true(d->wait > 0);
			if (--d->wait == 0)
				w->run.ready[w->run.n_ready++] = n->dependents[i];
		}
	}
	assert_int_equal(done, 4);
	assert_str(w->run.nodes[w->run.ready[0]].logical, "D");
	assert_str(w->run.nodes[w->run.ready[1]].logical, "C");
	finish(w);
}

/* --- ending --- */
static void what_follows_a_phase(void **state)
{
	static const struct {
		const char *kind, *phase, *on_failure, *status, *cancel;
		enum node_state node;
		bool unsettled, import;
		int want;
		const char *want_status, *want_phase;
	} t[] = {
		{ "CREATE", "make", "ROLLBACK", "CREATE_IN_PROGRESS", NULL, NODE_DONE, false, false, 0, "CREATE_COMPLETE", NULL },
		{ "CREATE", "make", "ROLLBACK", "CREATE_IN_PROGRESS", NULL, NODE_DONE, false, true, 0, "IMPORT_COMPLETE", NULL },
		{ "CREATE", "make", "ROLLBACK", "CREATE_IN_PROGRESS", NULL, NODE_FAILED, false, false, 1, "ROLLBACK_IN_PROGRESS",
		  "unmake" },
		{ "CREATE", "make", "DELETE", "CREATE_IN_PROGRESS", NULL, NODE_FAILED, false, false, 1, "DELETE_IN_PROGRESS", "unmake" },
		{ "CREATE", "make", "DO_NOTHING", "CREATE_IN_PROGRESS", NULL, NODE_FAILED, false, false, 0, "CREATE_FAILED", NULL },
		{ "CREATE", "make", "ROLLBACK", "CREATE_IN_PROGRESS", "time", NODE_DONE, false, false, 1, "ROLLBACK_IN_PROGRESS",
		  "unmake" },
		{ "UPDATE", "make", "ROLLBACK", "UPDATE_IN_PROGRESS", NULL, NODE_DONE, false, false, 0, "UPDATE_COMPLETE", NULL },
		{ "UPDATE", "make", "ROLLBACK", "UPDATE_IN_PROGRESS", NULL, NODE_FAILED, false, false, 1, "UPDATE_ROLLBACK_IN_PROGRESS",
		  "restore" },
		{ "UPDATE", "make", "DO_NOTHING", "UPDATE_IN_PROGRESS", NULL, NODE_FAILED, false, false, 0, "UPDATE_FAILED", NULL },
		{ "UPDATE", "make", "DO_NOTHING", "UPDATE_IN_PROGRESS", "User Initiated", NODE_DONE, false, false, 1,
		  "UPDATE_ROLLBACK_IN_PROGRESS", "restore" },
		{ "UPDATE", "make", "DO_NOTHING", "UPDATE_IN_PROGRESS", "User Initiated", NODE_DONE, true, false, 0, "UPDATE_FAILED",
		  NULL },
		{ "UPDATE", "restore", "ROLLBACK", "UPDATE_ROLLBACK_IN_PROGRESS", NULL, NODE_DONE, false, false, 0,
		  "UPDATE_ROLLBACK_COMPLETE", NULL },
		{ "UPDATE", "restore", "ROLLBACK", "UPDATE_ROLLBACK_IN_PROGRESS", NULL, NODE_FAILED, false, false, 0,
		  "UPDATE_ROLLBACK_FAILED", NULL },
		{ "UPDATE", "cleanup", "ROLLBACK", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", NULL, NODE_FAILED, false, false, 0,
		  "UPDATE_COMPLETE", NULL },
		{ "CREATE", "unmake", "ROLLBACK", "ROLLBACK_IN_PROGRESS", NULL, NODE_DONE, false, false, 0, "ROLLBACK_COMPLETE", NULL },
		{ "CREATE", "unmake", "ROLLBACK", "ROLLBACK_IN_PROGRESS", NULL, NODE_FAILED, false, false, 0, "ROLLBACK_FAILED", NULL },
		{ "DELETE", "unmake", "", "DELETE_IN_PROGRESS", NULL, NODE_DONE, false, false, 0, "DELETE_COMPLETE", NULL },
		{ "DELETE", "unmake", "", "DELETE_IN_PROGRESS", NULL, NODE_FAILED, false, false, 0, "DELETE_FAILED", NULL },
		{ "DELETE", "unmake", "", "DELETE_IN_PROGRESS", NULL, NODE_WAIT, false, false, 0, "DELETE_FAILED",
		  NULL }, /* never had its turn */
	};

	for (size_t i = 0; i < ELEMENTS(t); i++) {
		struct world_state *w = begin(t[i].kind, t[i].phase, t[i].on_failure, t[i].status);
		struct cfn_rec_stack s;
		struct cfn_rec_op op;
		struct store_txn *txn;
		struct keybuf k;

		w->stack.unsettled = OPT_BOOL(t[i].unsettled);
		w->op.import = OPT_BOOL(t[i].import);
		w->res[w->n_res] = row("A", "a", "CREATE_COMPLETE");
		w->res[w->n_res++].op = S("op-0");
		w->prev[0] = w->res[0];
		w->n_prev = strcmp(t[i].phase, "restore") == 0;
		w->old[0] = w->res[0];
		w->n_old = strcmp(t[i].phase, "cleanup") == 0;
		assert_int_equal(start(w), 1);
		for (size_t n = 0; n < w->run.n_nodes; n++)
			w->run.nodes[n].state = n == 0 ? t[i].node : NODE_DONE;
		if (t[i].cancel) { /* after the last step, before the end */
			struct cfn_rec_op now = w->op;

			now.cancel = str_c(t[i].cancel);
			w->op = now;
			w->n_res = w->n_prev = w->n_old = 0;
			assert_int_equal(store_write(w->region.store, fill, w), 0);
		}
		assert_int_equal(phase_end(&w->run), t[i].want);
		assert_int_equal(store_begin_read(w->region.store, &txn), 0);
		assert_int_equal(stack_load(txn, &w->arena, ACCOUNT, STACK, &s), 0);
		assert_str(s.status, t[i].want_status);
		assert_int_equal(s.unsettled.v, t[i].unsettled || str_is(s.status, "CREATE_FAILED"));
		op_key(&k, STACK, OP);
		assert_int_equal(record_get(txn, &cfn_records, CFN_REC_OP, &w->arena, &k, &op), t[i].want ? 0 : -ENOENT);
		if (t[i].want)
			assert_str(op.phase, t[i].want_phase);
		store_end(txn);
		finish(w);
	}
}

/* What is made by an update that is rolled back: deleted afterwards, kept when it is to be kept or was there before. */
static void rollback_of_an_update_sorts_what_it_made(void **state)
{
	struct world_state *w = begin("UPDATE", "restore", "ROLLBACK", "UPDATE_ROLLBACK_IN_PROGRESS");
	static const bool want[] = { false, true, true };
	struct resource_rows old;
	struct store_txn *txn;

	w->res[0] = row("M", "m", "CREATE_COMPLETE");
	w->res[1] = row("R", "r", "CREATE_COMPLETE");
	w->res[1].deletion = OPT_INT(TEMPLATE_RETAIN);
	w->res[2] = row("Z", "z", "IMPORT_COMPLETE");
	w->res[2].imported = OPT_BOOL(true);
	w->n_res = w->n_prev = 3;
	for (size_t i = 0; i < 3; i++) {
		w->prev[i] = row("", NULL, "");
		w->prev[i].logical = w->res[i].logical;
		w->prev[i].absent = OPT_BOOL(true);
	}
	assert_int_equal(start(w), 1);
	assert_int_equal(w->run.n_nodes, 0);
	assert_int_equal(phase_end(&w->run), 1);
	assert_int_equal(store_begin_read(w->region.store, &txn), 0);
	assert_int_equal(resources_load(txn, &w->arena, ACCOUNT, "cfn.old", STACK, &old), 0);
	assert_int_equal(old.n, 3);
	for (size_t i = 0; i < old.n; i++)
		assert_int_equal(old.v[i].retain.v, want[i]);
	store_end(txn);
	finish(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_begun_ends_though_the_operation_failed),
		cmocka_unit_test(what_was_begun_ends_though_the_operation_was_cancelled),
		cmocka_unit_test(what_is_done_is_not_done_again),
		cmocka_unit_test(a_deletion_takes_what_failed_updates_left),
		cmocka_unit_test(circles_are_broken),
		cmocka_unit_test(what_follows_a_phase),
		cmocka_unit_test(rollback_of_an_update_sorts_what_it_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
