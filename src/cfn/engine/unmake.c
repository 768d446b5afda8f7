/* SPDX-License-Identifier: Apache-2.0 */
/* unmake.c - a resource goes, or becomes again what it was before an update. */
#include "cfn/engine/step.h"
#include <errno.h>
#include <string.h>

/* --- delete --- */
/* Another resource has its logical id now: it has no row among the stack's resources. */
static bool superseded(const struct step *s)
{
	return strcmp(s->node->table, "cfn.res") != 0;
}

static void drop_superseded(struct step *s, struct batch *b)
{
	const char *table = s->node->table;

	batch_row_del(b, table, s->row.logical, strcmp(table, "cfn.old") == 0 ? s->row.physical : STR_NONE);
}

static void gone(struct step *s, const char *status)
{
	struct run *u = s->run;
	struct batch *b = batch_new(u);

	batch_event(b, s->node, s->row.type, s->row.physical, status, STR_NONE);
	if (superseded(s))
		drop_superseded(s, b);
	else {
		s->row.status = str_c(status);
		s->row.reason = STR_NONE;
		s->row.props = s->row.attrs = STR_NONE;
		s->row.updated = OPT_TIME(clock_now_ms());
		batch_row(b, "cfn.res", &s->row);
	}
	step_forget(s, b);
	batch_submit(b);
	step_over(s, NODE_DONE, STR_NONE);
}

/* What the rollback of a creation deletes follows other rules than what a user deletes. */
static bool retained(struct step *s)
{
	struct run *u = s->run;
	int64_t policy = s->row.deletion.v;

	if (s->row.imported.v && (str_eq(s->row.created_by, u->op_id) || str_is(u->op.kind, "CREATE")))
		return true; /* it was there before */
	if (strcmp(s->node->table, "cfn.old") == 0)
		return s->row.retain.v;
	if (str_list_has(&u->op.retain, s->row.logical))
		return true;
	if (policy == TEMPLATE_RETAIN)
		return !u->op.retain_except.v || !str_is(u->op.kind, "CREATE");
	return policy == TEMPLATE_RETAIN_EXCEPT_ON_CREATE && !str_is(u->op.kind, "CREATE");
}

static void delete_failed(struct step *s, struct str reason)
{
	struct run *u = s->run;
	struct batch *b;

	if (!superseded(s)) {
		step_fail(s, "DELETE_FAILED", reason);
		return;
	}
	b = batch_new(u);
	batch_event(b, s->node, s->row.type, s->row.physical, "DELETE_FAILED", reason);
	if (str_is(u->op.phase, "cleanup")) /* an update is complete even when something old stays behind */
		drop_superseded(s, b);
	step_forget(s, b);
	batch_submit(b);
	step_over(s, NODE_FAILED, reason);
}

void step_delete(struct step *s)
{
	struct json *old = NULL, *attrs = NULL;
	struct batch *b;
	int r;

	if (!s->row.physical.p) { /* it never came to be */
		gone(s, "DELETE_COMPLETE");
		return;
	}
	if (retained(s)) {
		gone(s, "DELETE_SKIPPED");
		return;
	}
	s->row.status = S("DELETE_IN_PROGRESS");
	s->row.reason = STR_NONE;
	if (!step_announced(s, "DELETE_IN_PROGRESS")) {
		b = batch_new(s->run);
		s->row.updated = OPT_TIME(clock_now_ms());
		if (!superseded(s))
			batch_row(b, "cfn.res", &s->row);
		batch_event(b, s->node, s->row.type, s->row.physical, "DELETE_IN_PROGRESS", STR_NONE);
		batch_submit(b);
	}
	r = state_open_json(s->run->cloud, s->arena, s->row.props, &old);
	if (r == 0)
		r = state_open_json(s->run->cloud, s->arena, s->row.attrs, &attrs);
	if (r == 0 && !s->node->type) {
		s->res.error = str_printf(s->arena, "Resource type %.*s is not known to this program.", STR(s->row.type));
		r = -ENOSYS;
	}
	s->res.old_props = old;
	s->res.attrs = attrs;
	s->res.physical_id = s->row.physical;
	if (r == 0)
		r = s->node->type->delete (&s->res);
	if (r == CFN_WAIT)
		step_park(s);
	else if (r == 0)
		gone(s, "DELETE_COMPLETE");
	else if (step_interrupted(s->run))
		return;
	else if (s->run->op.force.v) /* it stays behind, the stack goes */
		gone(s, "DELETE_SKIPPED");
	else
		delete_failed(s, step_sentence(s, r));
}

/* --- back to what was before an update --- */
static void restored(struct step *s, const struct cfn_rec_resource *now)
{
	struct run *u = s->run;
	struct node *n = s->node;
	struct cfn_rec_resource row = n->prev;
	struct batch *b = batch_new(u);

	row.status = S("UPDATE_COMPLETE");
	row.reason = STR_NONE;
	row.op = u->op_id;
	row.updated = OPT_TIME(clock_now_ms());
	if (now->physical.p && !str_eq(now->physical, n->prev.physical)) {
		struct cfn_rec_resource other = *now;

		other.retain = OPT_BOOL(false);
		batch_row(b, "cfn.old", &other);
	}
	batch_row(b, "cfn.res", &row);
	batch_row_del(b, "cfn.prev", n->logical, STR_NONE);
	batch_event(b, n, row.type, row.physical, "UPDATE_COMPLETE", STR_NONE);
	step_forget(s, b);
	batch_submit(b);
	step_over(s, NODE_DONE, STR_NONE);
}

/* Only the engine's own notes about the resource had changed. */
static void unkept(struct step *s)
{
	struct node *n = s->node;
	struct batch *b = batch_new(s->run);

	batch_row(b, "cfn.res", &n->prev);
	batch_row_del(b, "cfn.prev", n->logical, STR_NONE);
	batch_submit(b);
	step_over(s, NODE_DONE, STR_NONE);
}

void step_restore(struct step *s)
{
	struct node *n = s->node;
	struct json *props = NULL, *old = NULL, *attrs = NULL;
	struct batch *b;
	int r;

	if (n->has_row && str_eq(n->row.props, n->prev.props) && str_eq(n->row.status, n->prev.status)) {
		unkept(s);
		return;
	}
	if (str_list_has(&s->run->op.skip, n->logical) || !n->has_row || !str_eq(n->row.physical, n->prev.physical)) {
		restored(s, &n->row);
		return;
	}
	s->row.physical = n->prev.physical;
	s->row.status = S("UPDATE_IN_PROGRESS");
	if (!step_announced(s, "UPDATE_IN_PROGRESS")) {
		b = batch_new(s->run);
		batch_row(b, "cfn.res", &s->row);
		batch_event(b, n, s->row.type, s->row.physical, "UPDATE_IN_PROGRESS", STR_NONE);
		batch_submit(b);
	}
	r = state_open_json(s->run->cloud, s->arena, n->prev.props, &props);
	if (r == 0)
		r = state_open_json(s->run->cloud, s->arena, n->row.props, &old);
	if (r == 0)
		r = state_open_json(s->run->cloud, s->arena, n->prev.attrs, &attrs);
	if (r == 0 && !n->type)
		r = -ENOSYS;
	if (r == 0 && n->type->update && (n->type->always || !json_equal(props, old)))
		r = step_update_in_place(s, props, old, attrs);
	if (r == CFN_WAIT)
		step_park(s);
	else if (r == 0)
		restored(s, &n->row);
	else if (!step_interrupted(s->run))
		step_fail(s, "UPDATE_FAILED", step_sentence(s, r));
}
