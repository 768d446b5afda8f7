/* SPDX-License-Identifier: Apache-2.0 */
/* plans.c - change sets of nested stacks. They are made and go with the change set of the stack around them (its children, by logical id),
 * which alone can be run. A nested stack that is not there yet is only planned: it is in review until the engine makes it. */
#include "cfn/engine/engine.h"
#include "store/jobs.h"
#include <errno.h>

static void set_key(struct keybuf *k, const struct cfn_rec_stack *s, struct str name)
{
	stack_key2(k, s->account, "cfn.cs", s->id, name);
}

int plan_load(struct store_txn *t, struct arena *a, struct str account, struct str arn, struct cfn_rec_stack *ret_stack,
	      struct cfn_rec_change_set *ret)
{
	struct str rest, name, id = STR_NONE, stack;
	ptrdiff_t at = str_find(arn, S(":changeSet/"));
	struct keybuf k;
	int r;

	if (at < 0)
		return -ENOENT;
	rest = str_skip(arn, (size_t)at + 11);
	if (!str_cut(rest, '/', &name, &id))
		return -ENOENT;
	stack_key(&k, account, "cfn.csid", id);
	r = store_get(t, key_view(&k), &stack);
	if (r == 0)
		r = stack_load(t, a, account, str_dup(a, stack), ret_stack);
	if (r < 0)
		return r;
	set_key(&k, ret_stack, name);
	r = record_get(t, &cfn_records, CFN_REC_CHANGE_SET, a, &k, ret);
	if (r == 0 && !ret->next)
		ret->next = arena_new(a, struct cfn_rec_settings);
	return r == 0 && !str_eq(ret->id, id) ? -ENOENT : r;
}

int plan_of(struct store_txn *t, struct arena *a, const struct cfn_rec_stack *s, struct cfn_rec_change_set *ret)
{
	struct store_range range = { 0 };
	struct str key, value;
	struct keybuf k;
	bool found = false;
	int r;

	stack_key(&k, s->account, "cfn.cs", s->id);
	r = store_range_open(&range, t, key_view(&k), STR_NONE, false);
	while (r >= 0 && !found && (r = store_range_next(&range, &key, &value)) > 0) {
		r = record_decode(&cfn_records, CFN_REC_CHANGE_SET, a, value, ret);
		found = r == 0 && ret->parent.p && str_is(ret->execution, "EXECUTE_IN_PROGRESS") && ret->next;
	}
	store_range_close(&range);
	return r < 0 ? r : found ? 0 : -ENOENT;
}

/* A stack that was only planned is gone without ever having been. */
static int unplan(struct store_txn *t, struct arena *a, struct cfn_rec_stack *s, int64_t now_ms)
{
	int r;

	if (!str_is(s->status, "REVIEW_IN_PROGRESS"))
		return 0;
	s->deleted = OPT_TIME(now_ms);
	r = stack_status(t, a, s, "DELETE_COMPLETE", STR_NONE, STR_NONE, now_ms);
	if (r == 0)
		r = stack_unlist(t, s);
	return r < 0 ? r : job_put(t, now_ms + STACK_KEEP_MS, S("cloudformation/forget"), s->id, s->account);
}

/* From *i on, the next that is there: 1, 0 when there are no more, or negative. */
static int next_plan(struct store_txn *t, struct arena *a, struct str account, const struct str_map *children, size_t *i,
		     struct cfn_rec_stack *ret_stack, struct cfn_rec_change_set *ret)
{
	for (; *i < children->n; ++*i) {
		int r = plan_load(t, a, account, children->v[*i].value, ret_stack, ret);

		if (r != -ENOENT)
			return r < 0 ? r : 1;
	}
	return 0;
}

int plans_drop(struct store_txn *t, struct arena *a, struct str account, const struct str_map *children, int64_t now_ms)
{
	struct cfn_rec_change_set cs;
	struct cfn_rec_stack s;
	struct keybuf k;
	int r;

	for (size_t i = 0; (r = next_plan(t, a, account, children, &i, &s, &cs)) > 0; i++) {
		r = plans_drop(t, a, account, &cs.children, now_ms);
		if (r < 0)
			return r;
		set_key(&k, &s, cs.name);
		r = store_del(t, key_view(&k));
		stack_key(&k, account, "cfn.csid", cs.id);
		if (r == 0)
			r = store_del(t, key_view(&k));
		stack_key2(&k, account, "cfn.tpl", s.id, cs.id);
		if (r == 0 && !str_eq(cs.id, s.now->template))
			r = store_del(t, key_view(&k));
		if (r == 0 || r == -ENOENT)
			r = unplan(t, a, &s, now_ms);
		if (r < 0)
			return r;
	}
	return r;
}

int plans_mark(struct store_txn *t, struct arena *a, struct str account, const struct str_map *children, const char *from, const char *to,
	       int64_t now_ms)
{
	struct cfn_rec_change_set cs;
	struct cfn_rec_stack s;
	struct keybuf k;
	int r;

	for (size_t i = 0; (r = next_plan(t, a, account, children, &i, &s, &cs)) > 0; i++) {
		r = plans_mark(t, a, account, &cs.children, from, to, now_ms);
		if (r < 0)
			return r;
		if (!str_is(cs.execution, from))
			continue;
		cs.execution = str_c(to);
		set_key(&k, &s, cs.name);
		r = record_put(t, &cfn_records, CFN_REC_CHANGE_SET, &k, &cs);
		if (r == 0 && strcmp(to, "EXECUTE_FAILED") == 0)
			r = unplan(t, a, &s, now_ms);
		if (r < 0)
			return r;
	}
	return r;
}
