/* SPDX-License-Identifier: Apache-2.0 */
/* phase.c - the phases of an operation: which nodes each has, and what follows it. A phase begins from the store alone,
 * so that a restart after a crash is nothing special; it ends in one transaction that also begins the next. */
#include "cfn/engine/run.h"
#include "cfn/stackpolicy.h"
#include "store/jobs.h"
#include <errno.h>

/* --- beginning --- */
static struct node *add_node(struct run *u, struct str logical, enum node_action action, struct str type)
{
	struct node *n = &u->nodes[u->n_nodes++];

	*n = (struct node){ .logical = logical, .action = action, .res = -1, .type = type_find(u->cloud, type), .type_name = type };
	return n;
}

static const struct cfn_rec_resource *find_row(const struct resource_rows *rows, struct str logical)
{
	size_t lo = 0, hi = rows->n;

	while (lo < hi) { /* in the order of their keys */
		size_t mid = lo + (hi - lo) / 2;
		int r = str_cmp(rows->v[mid].logical, logical);

		if (r == 0)
			return &rows->v[mid];
		if (r < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

static ptrdiff_t find_node(const struct run *u, struct str logical)
{
	for (size_t i = 0; i < u->n_nodes; i++)
		if (str_eq(u->nodes[i].logical, logical))
			return (ptrdiff_t)i;
	return -1;
}

/* Node i waits no longer for nodes that are still to come. */
static void free_node(struct run *u, const size_t *wait, size_t i)
{
	for (size_t p = 0; p < u->n_nodes; p++) {
		struct node *n = &u->nodes[p];
		size_t k = 0;

		for (size_t d = 0; wait[p] && d < n->n_dependents; d++)
			if (n->dependents[d] != i)
				n->dependents[k++] = n->dependents[d];
		if (!wait[p])
			continue;
		u->nodes[i].wait -= n->n_dependents - k;
		n->n_dependents = k;
	}
}

/* What is left of several updates may depend on each other in a circle: one of it goes first. */
static void break_circles(struct run *u)
{
	size_t *wait = arena_array(&u->arena, size_t, u->n_nodes + 1), *queue = arena_array(&u->arena, size_t, u->n_nodes + 1);
	size_t head = 0, n = 0;

	for (size_t i = 0; i < u->n_nodes; i++) {
		wait[i] = u->nodes[i].wait;
		if (!wait[i])
			queue[n++] = i;
	}
	for (;;) {
		for (; head < n; head++)
			for (size_t d = 0; d < u->nodes[queue[head]].n_dependents; d++) {
				size_t to = u->nodes[queue[head]].dependents[d];

				if (wait[to] && --wait[to] == 0)
					queue[n++] = to;
			}
		for (size_t i = 0; i < u->n_nodes && head == n; i++)
			if (wait[i]) {
				free_node(u, wait, i);
				wait[i] = 0;
				queue[n++] = i;
			}
		if (head == n)
			return;
	}
}

/* link counts what each node waits for; forward: its deps, else what depends on it. */
static void link_nodes(struct run *u, bool forward)
{
	size_t *cap = arena_array(&u->arena, size_t, u->n_nodes + 1);

	for (size_t i = 0; i < u->n_nodes; i++)
		for (size_t d = 0; d < u->nodes[i].deps.n; d++)
			for (size_t to = 0; to < u->n_nodes; to++) {
				struct node *first, *then;

				if (to == i || !str_eq(u->nodes[to].logical, u->nodes[i].deps.v[d]))
					continue;
				first = forward ? &u->nodes[to] : &u->nodes[i];
				then = forward ? &u->nodes[i] : &u->nodes[to];
				vec_push(&u->arena, first->dependents, first->n_dependents,
					 cap[first - u->nodes]) = (size_t)(then - u->nodes);
				then->wait++;
			}
	break_circles(u);
}

static int load_template(struct run *u, struct store_txn *t)
{
	struct str text, err = STR_NONE;
	int r = parameters_open(u->cloud, &u->arena, &u->settings->parameters, &u->texts, &u->resolved);

	for (size_t i = 0; i < u->settings->parameters.n && r == 0; i++)
		if (u->settings->parameters.v[i].no_echo.v)
			secret_note(u, u->texts.v[i].value);
	if (r == 0)
		r = stack_template(t, &u->arena, &u->stack, u->settings->template, &text);
	if (r == 0)
		r = template_parse(&u->arena, text, &u->texts, &u->tpl, &err);
	if (r < 0)
		return r;
	u->ctx = (struct template_ctx){
		.tpl = u->tpl,
		.env = { .account = u->stack.account,
			 .region = u->region->name,
			 .partition = region_partition(u->region->name),
			 .url_suffix = str_starts(u->region->name, S("cn-")) ? S("amazonaws.com.cn") : S("amazonaws.com"),
			 .stack_id = u->stack.arn,
			 .stack_name = u->stack.name,
			 .notification_arns = u->settings->notifications },
	};
	return 0;
}

/* The values of the parameters are those of the record. */
static int begin_template(struct run *u)
{
	struct template_supplied *given = arena_array(&u->arena, struct template_supplied, u->texts.n + 1);
	struct world w;
	int r;

	for (size_t i = 0; i < u->texts.n; i++)
		given[i] = (struct template_supplied){ u->texts.v[i].key, u->texts.v[i].value, false };
	world_init(&w, u, &u->arena);
	r = template_values(&w.ctx, given, u->texts.n, NULL);
	if (r == 0)
		r = template_begin(&w.ctx);
	if (r == 0)
		r = template_graph(&w.ctx, &u->graph);
	if (r < 0) {
		u->reason = w.ctx.err;
		return r;
	}
	u->ctx.values = w.ctx.values;
	u->ctx.conditions = w.ctx.conditions;
	return 0;
}

/* The policy of the stack as it is, or the one for this update only. What is removed is asked for here: that comes last. */
static int check_policy(struct run *u, const struct resource_rows *rows)
{
	struct str text = u->settings->temporary_policy.p ? u->settings->temporary_policy : u->stack.now->policy;
	struct json *policy;

	if (!str_is(u->op.kind, "UPDATE") || !text.p)
		return 0;
	if (stack_policy_parse(&u->arena, text, &policy) < 0) {
		u->reason = S("Error validating stack policy: Invalid stack policy");
		return -EINVAL;
	}
	u->policy = policy;
	for (size_t i = 0; i < rows->n; i++)
		if (find_node(u, rows->v[i].logical) < 0 &&
		    !stack_policy_allows(&u->arena, policy, "Update:Delete", rows->v[i].logical, rows->v[i].type, &u->reason))
			return -EINVAL;
	return 0;
}

static int begin_make(struct run *u, struct store_txn *t)
{
	struct resource_rows rows, prev;
	int r = load_template(u, t);

	if (r == 0)
		r = begin_template(u);
	if (r == 0)
		r = resources_load(t, &u->arena, u->stack.account, "cfn.res", u->stack_id, &rows);
	if (r == 0)
		r = resources_load(t, &u->arena, u->stack.account, "cfn.prev", u->stack_id, &prev);
	if (r < 0)
		return r;
	u->nodes = arena_array(&u->arena, struct node, u->graph.n_order + 1);
	u->by_resource = arena_array(&u->arena, int, u->tpl->n_resources + 1);
	for (size_t i = 0; i < u->tpl->n_resources; i++)
		u->by_resource[i] = -1;
	for (size_t i = 0; i < u->graph.n_order; i++) {
		const struct template_resource *res = &u->tpl->resources[u->graph.order[i]];
		const struct cfn_rec_resource *row = find_row(&rows, res->id), *old = find_row(&prev, res->id);
		struct node *n = add_node(u, res->id, NODE_MAKE, res->type);

		n->res = (int)u->graph.order[i];
		u->by_resource[n->res] = (int)i;
		n->has_row = row != NULL;
		n->has_prev = old != NULL;
		if (row)
			n->row = *row;
		if (old)
			n->prev = *old;
		if (!n->type) { /* was known when the template was accepted */
			u->reason = str_printf(
				&u->arena,
				"Template format error: Unrecognized resource types: [%.*s]. This cloud does not implement them.",
				STR(res->type));
			return -EINVAL;
		}
		if (row && str_eq(row->op, u->op_id) && str_ends(row->status, S("_COMPLETE"))) {
			n->state = NODE_DONE;
			n->physical = row->physical;
			n->no_echo = row->no_echo.v;
			r = state_open_json(u->cloud, &u->arena, row->attrs, &n->attrs);
		} else if (row && str_eq(row->op, u->op_id) && str_ends(row->status, S("_FAILED"))) {
			n->state = NODE_FAILED;
			n->was_update = str_is(row->status, "UPDATE_FAILED");
			n->error = row->reason;
			u->halt = true;
		}
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < u->n_nodes; i++) {
		const struct template_node *g = &u->graph.nodes[u->nodes[i].res];

		u->nodes[i].dependents = arena_array(&u->arena, size_t, g->n_dependents + 1);
		for (size_t d = 0; d < g->n_dependents; d++)
			if (u->by_resource[g->dependents[d]] >= 0)
				u->nodes[i].dependents[u->nodes[i].n_dependents++] = (size_t)u->by_resource[g->dependents[d]];
		u->nodes[i].wait = g->n_deps;
	}
	return check_policy(u, &rows);
}

static void add_delete(struct run *u, const char *table, const struct cfn_rec_resource *row)
{
	struct node *n;

	if (str_is(row->status, "DELETE_COMPLETE") || str_is(row->status, "DELETE_SKIPPED"))
		return;
	n = add_node(u, row->logical, NODE_DELETE, row->type);
	n->row = *row;
	n->has_row = true;
	n->table = table;
	n->deps = row->deps;
}

/* unmake: everything there is, also what a failed update has replaced; cleanup: what is old. The youngest first. */
static int begin_delete(struct run *u, struct store_txn *t, bool all)
{
	struct resource_rows rows = { 0 }, prev = { 0 }, old;
	int r = resources_load(t, &u->arena, u->stack.account, "cfn.old", u->stack_id, &old);

	if (r == 0 && all)
		r = resources_load(t, &u->arena, u->stack.account, "cfn.res", u->stack_id, &rows);
	if (r == 0 && all)
		r = resources_load(t, &u->arena, u->stack.account, "cfn.prev", u->stack_id, &prev);
	if (r < 0)
		return r;
	u->nodes = arena_array(&u->arena, struct node, rows.n + prev.n + old.n + 1);
	for (size_t i = 0; i < rows.n; i++)
		add_delete(u, "cfn.res", &rows.v[i]);
	for (size_t i = 0; i < prev.n; i++) {
		const struct cfn_rec_resource *row = find_row(&rows, prev.v[i].logical);

		if (!prev.v[i].absent.v && prev.v[i].physical.p && !(row && str_eq(row->physical, prev.v[i].physical)))
			add_delete(u, "cfn.prev", &prev.v[i]);
	}
	for (size_t i = 0; i < old.n; i++)
		add_delete(u, "cfn.old", &old.v[i]);
	link_nodes(u, false);
	return 0;
}

static int begin_restore(struct run *u, struct store_txn *t)
{
	struct resource_rows rows, prev;
	int r = resources_load(t, &u->arena, u->stack.account, "cfn.res", u->stack_id, &rows);

	if (r == 0)
		r = resources_load(t, &u->arena, u->stack.account, "cfn.prev", u->stack_id, &prev);
	if (r < 0)
		return r;
	u->nodes = arena_array(&u->arena, struct node, prev.n + 1);
	for (size_t i = 0; i < prev.n; i++) {
		const struct cfn_rec_resource *row = find_row(&rows, prev.v[i].logical);
		struct node *n;

		if (prev.v[i].absent.v)
			continue; /* made by the update: deleted afterwards */
		n = add_node(u, prev.v[i].logical, NODE_RESTORE, prev.v[i].type);
		n->prev = prev.v[i];
		n->has_prev = true;
		n->has_row = row != NULL;
		if (row)
			n->row = *row;
		n->deps = prev.v[i].deps;
	}
	link_nodes(u, true);
	return 0;
}

struct call_facts engine_facts(void)
{
	return (struct call_facts){ .invoked_by = S("cloudformation.amazonaws.com"),
				    .user_agent = S("cloudformation.amazonaws.com"),
				    .source_ip = S("cloudformation.amazonaws.com"),
				    .host = S("cloudformation.amazonaws.com"),
				    .secure_transport = true,
				    .signature_version = S("AWS4-HMAC-SHA256"),
				    .auth_type = S("REST-HEADER") };
}

static int load(struct run *u, struct store_txn *t)
{
	struct keybuf k;
	int r;

	op_key(&k, u->stack_id, u->op_id);
	r = record_get(t, &cfn_records, CFN_REC_OP, &u->arena, &k, &u->op);
	if (r == 0)
		r = stack_load(t, &u->arena, u->op.account, u->stack_id, &u->stack);
	if (r == 0)
		r = principal_parse(&u->arena, u->op.principal, &u->who);
	if (r < 0)
		return r;
	u->settings = u->op.next ? u->op.next : u->stack.now;
	u->facts = engine_facts();
	u->tags = json_new(&u->arena, JSON_ARRAY);
	for (size_t i = 0; i < u->settings->tags.n; i++) {
		struct json *tag = json_new(&u->arena, JSON_OBJECT);

		json_set_str(&u->arena, tag, "Key", u->settings->tags.v[i].key);
		json_set_str(&u->arena, tag, "Value", u->settings->tags.v[i].value);
		json_push(&u->arena, u->tags, tag);
	}
	return 0;
}

static void forget_phase(struct run *u)
{
	arena_reset(&u->arena);
	u->nodes = NULL;
	u->by_resource = NULL;
	u->ready = u->again = NULL;
	u->tpl = NULL;
	u->policy = NULL;
	u->n_nodes = u->n_ready = u->n_begun = u->head_ready = u->n_again = u->head_again = u->cap_again = u->parked = u->cap_imports =
		u->cap_secrets = 0;
	u->zones = u->imports = u->secrets = (struct str_list){ 0 };
	u->outputs = (struct cfn_rec_output_list){ 0 };
	u->reason = STR_NONE;
	u->halt = u->ending = false;
}

/* Was at work when the process ended: what it has made may be known to its journal only. */
static bool begun(const struct run *u, const struct node *n)
{
	return n->action == NODE_MAKE && n->has_row && str_eq(n->row.op, u->op_id) && str_ends(n->row.status, S("_IN_PROGRESS"));
}

int phase_begin(struct run *u)
{
	struct store_txn *t;
	int r;

	forget_phase(u);
	r = store_begin_read(u->region->store, &t);
	if (r < 0)
		return r;
	r = load(u, t);
	if (r == -ENOENT || (r == 0 && u->op.done.v)) {
		store_end(t);
		return r == 0 ? 0 : r;
	}
	if (r == 0 && str_is(u->op.phase, "make"))
		r = begin_make(u, t);
	else if (r == 0 && str_is(u->op.phase, "restore"))
		r = begin_restore(u, t);
	else if (r == 0)
		r = begin_delete(u, t, !str_is(u->op.phase, "cleanup"));
	store_end(t);
	if (r == -EINVAL && u->reason.p) {
		u->halt = true; /* the template can't be begun: the operation fails as a whole */
		u->n_nodes = 0;
		r = 0;
	}
	if (r < 0)
		return r;
	if (u->op.cancel.p && str_is(u->op.phase, "make")) {
		u->reason = u->op.cancel;
		u->halt = true;
	}
	u->ready = arena_array(&u->arena, size_t, u->n_nodes + 1);
	for (size_t i = 0; i < u->n_nodes; i++) /* what is done already frees what waits for it */
		if (u->nodes[i].state == NODE_DONE)
			for (size_t d = 0; d < u->nodes[i].n_dependents; d++)
				u->nodes[u->nodes[i].dependents[d]].wait--;
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < u->n_nodes; i++)
			if (u->nodes[i].state == NODE_WAIT && u->nodes[i].wait == 0 && begun(u, &u->nodes[i]) == (pass == 0))
				u->ready[u->n_ready++] = i;
		if (pass == 0)
			u->n_begun = u->n_ready;
	}
	return 1;
}

/* --- ending --- */
struct ending {
	struct run *run;
	struct arena arena;
	struct cfn_rec_op op; /* as it is, and will be stored */
	struct str parent;    /* id of the stack that this one is nested in */
	int next;             /* 1: another phase follows */
};

static struct str failed_names(struct run *u, struct arena *a, bool updates)
{
	struct str *v = arena_array(a, struct str, u->n_nodes + 1);
	size_t n = 0;

	for (size_t i = 0; i < u->n_nodes; i++)
		if (u->nodes[i].state == NODE_FAILED && u->nodes[i].was_update == updates)
			v[n++] = u->nodes[i].logical;
	return n ? str_join(a, v, n, S(", ")) : STR_NONE;
}

static struct str failed_sentence(struct run *u, struct arena *a)
{
	struct str made = failed_names(u, a, false), updated = failed_names(u, a, true), s = S("");
	const char *verb = str_is(u->op.phase, "unmake") ? "delete" : "create";

	if (u->reason.p)
		return str_printf(a, "%.*s%s", STR(u->reason), str_ends(u->reason, S(".")) ? " " : ". ");
	if (made.p)
		s = str_printf(a, "The following resource(s) failed to %s: [%.*s]. ", verb, STR(made));
	if (updated.p)
		s = str_printf(a, "%.*sThe following resource(s) failed to update: [%.*s]. ", STR(s), STR(updated));
	return s;
}

/* The change set that was executed says how that ended. */
static int close_change_set(struct ending *x, struct store_txn *t, const struct cfn_rec_stack *s)
{
	struct cfn_rec_change_set cs;
	struct keybuf k;
	int r;

	if (!x->op.change_set.p || s->deleted.has)
		return 0;
	stack_key2(&k, s->account, "cfn.cs", s->id, x->op.change_set);
	r = record_get(t, &cfn_records, CFN_REC_CHANGE_SET, &x->arena, &k, &cs);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	cs.execution = str_is(s->status, "CREATE_COMPLETE") || str_is(s->status, "UPDATE_COMPLETE") || str_is(s->status, "IMPORT_COMPLETE")
			       ? S("EXECUTE_COMPLETE")
			       : S("EXECUTE_FAILED");
	return record_put(t, &cfn_records, CFN_REC_CHANGE_SET, &k, &cs);
}

/* What its change set had planned for stacks in it and was not begun, is not to be any more. */
static int close_plans(struct ending *x, struct store_txn *t, const struct cfn_rec_stack *s)
{
	struct cfn_rec_change_set cs;
	struct keybuf k;
	int r;

	if (!x->op.change_set.p)
		return 0;
	stack_key2(&k, s->account, "cfn.cs", s->id, x->op.change_set);
	r = record_get(t, &cfn_records, CFN_REC_CHANGE_SET, &x->arena, &k, &cs);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return plans_mark(t, &x->arena, s->account, &cs.children, "EXECUTE_IN_PROGRESS", "EXECUTE_FAILED", clock_now_ms());
}

/* over: the operation is finished; its record stays while there is a journal in the global store. */
static int over(struct ending *x, struct store_txn *t, const struct cfn_rec_stack *s)
{
	struct run *u = x->run;
	struct keybuf k;
	int r;

	r = job_del(t, S("cloudformation/timeout"), u->op_id);
	if (r == 0 || r == -ENOENT)
		r = close_change_set(x, t, s);
	if (r == 0)
		r = close_plans(x, t, s);
	if (r == 0)
		r = stack_sweep(t, &x->arena, s);
	if (r < 0)
		return r;
	key_begin(&k, S(""), "cfn.journal");
	key_str(&k, u->op_id);
	r = rows_delete(t, &k);
	if (r < 0)
		return r;
	op_key(&k, u->stack_id, u->op_id);
	if (!u->global_journal) {
		r = store_del(t, key_view(&k));
		return r == -ENOENT ? 0 : r;
	}
	x->op.done = OPT_BOOL(true);
	return record_put(t, &cfn_records, CFN_REC_OP, &k, &x->op);
}

static int next_phase(struct ending *x, struct store_txn *t, const char *phase)
{
	struct run *u = x->run;
	struct keybuf k;

	x->next = 1;
	x->op.phase = str_c(phase);
	op_key(&k, u->stack_id, u->op_id);
	return record_put(t, &cfn_records, CFN_REC_OP, &k, &x->op);
}

static int set_imports(struct run *u, struct store_txn *t, const struct cfn_rec_stack *s, const struct str_list *keep)
{
	int r = 0;

	for (size_t i = 0; i < s->imports.n && r == 0; i++)
		if (!keep || !str_list_has(keep, s->imports.v[i]))
			r = import_set(t, s->account, s->imports.v[i], s, false);
	for (size_t i = 0; i < u->imports.n && r == 0; i++)
		if (!keep || !str_list_has(keep, u->imports.v[i]))
			r = import_set(t, s->account, u->imports.v[i], s, false);
	return r;
}

static int status(struct ending *x, struct store_txn *t, struct cfn_rec_stack *s, const char *value, struct str reason)
{
	static const char *const imports[][2] = {
		{ "CREATE_COMPLETE", "IMPORT_COMPLETE" },
		{ "UPDATE_COMPLETE", "IMPORT_COMPLETE" },
		{ "CREATE_FAILED", "IMPORT_ROLLBACK_FAILED" },
		{ "UPDATE_FAILED", "IMPORT_ROLLBACK_FAILED" },
		{ "ROLLBACK_IN_PROGRESS", "IMPORT_ROLLBACK_IN_PROGRESS" },
		{ "ROLLBACK_COMPLETE", "IMPORT_ROLLBACK_COMPLETE" },
		{ "ROLLBACK_FAILED", "IMPORT_ROLLBACK_FAILED" },
		{ "UPDATE_ROLLBACK_IN_PROGRESS", "IMPORT_ROLLBACK_IN_PROGRESS" },
		{ "UPDATE_ROLLBACK_COMPLETE", "IMPORT_ROLLBACK_COMPLETE" },
		{ "UPDATE_ROLLBACK_FAILED", "IMPORT_ROLLBACK_FAILED" },
	};

	if (x->op.import.v && str_find(str_c(value), S("CLEANUP")) >= 0)
		return 0; /* importing knows no such state */
	for (size_t i = 0; x->op.import.v && i < ELEMENTS(imports); i++)
		if (strcmp(value, imports[i][0]) == 0) {
			value = imports[i][1];
			break;
		}
	return stack_status(t, &x->arena, s, value, reason, x->run->op.token, clock_now_ms());
}

/* --- after make --- */
/* What an update replaced or left out is to be deleted. Returns how many. */
static int retire(struct ending *x, struct store_txn *t)
{
	struct run *u = x->run;
	struct resource_rows rows, prev;
	struct keybuf k;
	size_t i;
	int n = 0, r = resources_load(t, &x->arena, u->stack.account, "cfn.res", u->stack_id, &rows);

	if (r == 0)
		r = resources_load(t, &x->arena, u->stack.account, "cfn.prev", u->stack_id, &prev);
	for (i = 0; i < prev.n && r == 0; i++) {
		const struct cfn_rec_resource *row = find_row(&rows, prev.v[i].logical);
		struct cfn_rec_resource *old = &prev.v[i];

		if (!old->absent.v && old->physical.p && row && !str_eq(row->physical, old->physical)) {
			old->retain = OPT_BOOL(old->replace.v == TEMPLATE_RETAIN || old->replace.v == TEMPLATE_SNAPSHOT);
			r = resource_put(t, u->stack.account, "cfn.old", u->stack_id, old);
			n++;
		}
	}
	stack_key(&k, u->stack.account, "cfn.prev", u->stack_id);
	if (r == 0)
		r = rows_delete(t, &k);
	for (i = 0; i < rows.n && r == 0; i++) {
		struct cfn_rec_resource *row = &rows.v[i];

		if (find_node(u, row->logical) >= 0)
			continue;
		row->retain = OPT_BOOL(row->deletion.v == TEMPLATE_RETAIN || row->deletion.v == TEMPLATE_SNAPSHOT ||
				       row->deletion.v == TEMPLATE_RETAIN_EXCEPT_ON_CREATE);
		if (row->physical.p && !str_starts(row->status, S("DELETE_"))) {
			r = resource_put(t, u->stack.account, "cfn.old", u->stack_id, row);
			n++;
		}
		stack_key2(&k, u->stack.account, "cfn.res", u->stack_id, row->logical);
		if (r == 0)
			r = store_del(t, key_view(&k));
	}
	return r < 0 ? r : n;
}

static int made(struct ending *x, struct store_txn *t, struct cfn_rec_stack *s)
{
	struct run *u = x->run;
	bool create = str_is(x->op.kind, "CREATE");
	struct str err;
	int r = exports_check(t, &x->arena, s, &u->outputs, &err), n = 0;

	if (r == -EEXIST) {
		u->reason = str_dup(&u->arena, err);
		return r;
	}
	if (r == 0)
		r = exports_set(t, s, &u->outputs);
	if (r == 0)
		r = set_imports(u, t, s, &u->imports);
	if (r == 0 && !create)
		r = n = retire(x, t);
	if (r < 0)
		return r;
	s->outputs = u->outputs;
	s->imports = u->imports;
	s->unsettled = (struct opt_bool){ 0 };
	if (x->op.next)
		s->now = x->op.next;
	s->now->temporary_policy = STR_NONE;
	if (create)
		r = status(x, t, s, "CREATE_COMPLETE", STR_NONE);
	else
		r = status(x, t, s, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", STR_NONE);
	if (r == 0 && n > 0)
		return next_phase(x, t, "cleanup");
	if (r == 0 && !create)
		r = status(x, t, s, "UPDATE_COMPLETE", STR_NONE);
	return r < 0 ? r : over(x, t, s);
}

static int make_failed(struct ending *x, struct store_txn *t, struct cfn_rec_stack *s)
{
	struct run *u = x->run;
	struct str why = failed_sentence(u, &x->arena);
	bool cancel = x->op.cancel.p && str_is(x->op.cancel, "User Initiated");
	int r = close_plans(x, t, s);

	if (r < 0)
		return r;
	s->failed = why;
	if (str_is(x->op.kind, "UPDATE")) {
		r = set_imports(u, t, s, &s->imports);
		if (r < 0)
			return r;
		if (str_is(x->op.on_failure, "DO_NOTHING") && (!cancel || s->unsettled.v)) {
			r = status(x, t, s, "UPDATE_FAILED", why);
			return r < 0 ? r : over(x, t, s);
		}
		r = status(x, t, s, "UPDATE_ROLLBACK_IN_PROGRESS", cancel ? x->op.cancel : why);
		x->op.failed = why;
		return r < 0 ? r : next_phase(x, t, "restore");
	}
	if (str_is(x->op.on_failure, "DO_NOTHING")) {
		s->unsettled = OPT_BOOL(true);
		r = status(x, t, s, "CREATE_FAILED", why);
		return r < 0 ? r : over(x, t, s);
	}
	if (str_is(x->op.on_failure, "DELETE")) {
		x->op.kind = S("DELETE");
		r = str_is(s->status, "DELETE_IN_PROGRESS")
			    ? 0
			    : status(x, t, s, "DELETE_IN_PROGRESS", str_printf(&x->arena, "%.*sDelete requested by user.", STR(why)));
	} else
		r = status(x, t, s, "ROLLBACK_IN_PROGRESS", str_printf(&x->arena, "%.*sRollback requested by user.", STR(why)));
	return r < 0 ? r : next_phase(x, t, "unmake");
}

/* --- after restore --- */
static int restored_all(struct ending *x, struct store_txn *t, struct cfn_rec_stack *s)
{
	struct resource_rows rows, prev, old;
	struct keybuf k;
	int r = resources_load(t, &x->arena, s->account, "cfn.res", s->id, &rows);

	if (r == 0)
		r = resources_load(t, &x->arena, s->account, "cfn.prev", s->id, &prev);
	for (size_t i = 0; r == 0 && i < prev.n; i++) {
		const struct cfn_rec_resource *row = find_row(&rows, prev.v[i].logical);

		if (!prev.v[i].absent.v || !row)
			continue;
		if (row->physical.p) {
			struct cfn_rec_resource made = *row;

			made.retain = OPT_BOOL(made.imported.v || (made.deletion.v == TEMPLATE_RETAIN && !x->op.retain_except.v));
			r = resource_put(t, s->account, "cfn.old", s->id, &made);
		}
		stack_key2(&k, s->account, "cfn.res", s->id, row->logical);
		if (r == 0)
			r = store_del(t, key_view(&k));
	}
	stack_key(&k, s->account, "cfn.prev", s->id);
	if (r == 0)
		r = rows_delete(t, &k);
	if (r == 0)
		r = resources_load(t, &x->arena, s->account, "cfn.old", s->id, &old);
	if (r == 0)
		r = status(x, t, s, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", STR_NONE);
	if (r < 0)
		return r;
	if (old.n)
		return next_phase(x, t, "cleanup");
	r = status(x, t, s, "UPDATE_ROLLBACK_COMPLETE", STR_NONE);
	return r < 0 ? r : over(x, t, s);
}

/* --- after unmake --- */
static int unmade(struct ending *x, struct store_txn *t, struct cfn_rec_stack *s)
{
	struct run *u = x->run;
	struct cfn_rec_output_list none = { 0 };
	struct keybuf k;
	int r;

	u->imports = (struct str_list){ 0 };
	r = exports_set(t, s, &none);
	if (r == 0)
		r = set_imports(u, t, s, NULL);
	s->outputs = none;
	s->imports = (struct str_list){ 0 };
	if (r < 0)
		return r;
	if (!str_is(x->op.kind, "DELETE")) {
		r = status(x, t, s, "ROLLBACK_COMPLETE", STR_NONE);
		return r < 0 ? r : over(x, t, s);
	}
	stack_key(&k, s->account, "cfn.prev", s->id); /* only what there was not before an update is in it still */
	r = rows_delete(t, &k);
	if (r < 0)
		return r;
	s->deleted = OPT_TIME(clock_now_ms());
	r = status(x, t, s, "DELETE_COMPLETE", STR_NONE);
	if (r == 0)
		r = stack_unlist(t, s);
	if (r == 0)
		r = change_sets_drop(t, &x->arena, s, STR_NONE);
	if (r == 0)
		r = job_put(t, s->deleted.ms + STACK_KEEP_MS, S("cloudformation/forget"), s->id, s->account);
	return r < 0 ? r : over(x, t, s);
}

static int end_txn(struct store_txn *t, void *arg)
{
	struct ending *x = arg;
	struct run *u = x->run;
	struct cfn_rec_stack s;
	bool failed = u->halt;
	const char *rollback;
	struct keybuf k;
	int r = stack_load(t, &x->arena, u->op.account, u->stack_id, &s);

	x->next = 0;
	op_key(&k, u->stack_id, u->op_id);
	if (r == 0) /* it may have been cancelled meanwhile */
		r = record_get(t, &cfn_records, CFN_REC_OP, &x->arena, &k, &x->op);
	if (r < 0)
		return r;
	x->parent = s.parent.p ? str_skip(s.parent, (size_t)str_rfind_char(s.parent, '/') + 1) : STR_NONE;
	rollback = str_is(x->op.kind, "CREATE") ? "ROLLBACK_FAILED" : "DELETE_FAILED";
	if (str_is(x->op.phase, "make") && x->op.cancel.p) {
		failed = true;
		if (!u->reason.p)
			u->reason = str_dup(&u->arena, x->op.cancel);
	}
	for (size_t i = 0; i < u->n_nodes; i++)
		failed |= u->nodes[i].state != NODE_DONE;
	if (str_is(u->op.phase, "make"))
		return failed ? make_failed(x, t, &s) : made(x, t, &s);
	if (str_is(u->op.phase, "unmake")) {
		if (!failed)
			return unmade(x, t, &s);
		r = status(x, t, &s, rollback, failed_sentence(u, &x->arena));
		return r < 0 ? r : over(x, t, &s);
	}
	if (str_is(u->op.phase, "restore")) {
		if (!failed)
			return restored_all(x, t, &s);
		r = status(x, t, &s, "UPDATE_ROLLBACK_FAILED", failed_sentence(u, &x->arena));
		return r < 0 ? r : over(x, t, &s);
	}
	r = status(x, t, &s, str_find(s.status, S("ROLLBACK")) >= 0 ? "UPDATE_ROLLBACK_COMPLETE" : "UPDATE_COMPLETE",
		   failed ? S("One or more resources could not be deleted.") : STR_NONE);
	return r < 0 ? r : over(x, t, &s);
}

/* Outputs are evaluated when everything is made. A failure here is the operation's. */
static void evaluate_outputs(struct run *u)
{
	const struct template *t = u->tpl;
	struct world w;
	int r;

	u->outputs.v = arena_array(&u->arena, struct cfn_rec_output, t->n_outputs + 1);
	for (size_t i = 0; i < t->n_outputs; i++) {
		struct cfn_rec_output *o = &u->outputs.v[u->outputs.n];

		world_init(&w, u, &u->arena);
		w.shown = true;
		if (!template_output_active(&w.ctx, i))
			continue;
		*o = (struct cfn_rec_output){ .key = t->outputs[i].name, .description = t->outputs[i].description };
		r = template_eval_output(&w.ctx, i, &o->value, &o->export);
		if (r < 0) {
			u->reason = w.ctx.err.p ? w.ctx.err : str_c(strerror(-r));
			u->halt = true;
			return;
		}
		u->outputs.n++;
	}
}

int phase_end(struct run *u)
{
	struct ending x = { .run = u };
	bool failed = u->halt;
	int r;

	for (size_t i = 0; i < u->n_nodes; i++)
		failed |= u->nodes[i].state != NODE_DONE;
	if (str_is(u->op.phase, "make") && !failed)
		evaluate_outputs(u);
	r = store_write(u->region->store, end_txn, &x);
	if (r == -EEXIST && u->reason.p) { /* an export is in the way */
		u->halt = true;
		arena_done(&x.arena);
		r = store_write(u->region->store, end_txn, &x);
	}
	if (r == 0 && !x.next && x.parent.p)
		engine_wake_stack(x.parent);
	arena_done(&x.arena);
	return r < 0 ? r : x.next;
}
