/* SPDX-License-Identifier: Apache-2.0 */
/* make.c - a resource becomes what the template says: it is made, taken over, left alone, changed in place or replaced. */
#include "cfn/engine/step.h"
#include "cfn/stackpolicy.h"
#include <errno.h>

/* --- create --- */
static void create(struct step *s, const char *in_progress, const char *done, const char *failed)
{
	int r;

	s->status = in_progress;
	r = step_reveal(s, s->res.props, &s->res.props);
	if (r == 0)
		r = step_noted_before(s, &s->res.physical_id);
	if (r == 0)
		r = s->node->type->create(&s->res);
	if (r == CFN_WAIT) {
		step_park(s);
		return;
	}
	if (r < 0) {
		if (!step_interrupted(s->run))
			step_fail(s, failed, step_sentence(s, r));
		return;
	}
	step_exists(s, s->res.ret_physical_id);
	step_succeed(s, done);
}

/* What exists already becomes the stack's, as it is. */
static void adopt(struct step *s, struct json *props, struct str physical)
{
	int r = -ENOSYS;

	s->row.physical = physical;
	s->row.attrs = STR_NONE;
	s->row.props = state_seal_json(s->run->cloud, s->arena, props);
	s->row.created_by = s->run->op_id;
	s->row.imported = OPT_BOOL(true);
	step_announce(s, "IMPORT_IN_PROGRESS", S("Resource import started."));
	s->res.physical_id = physical;
	s->res.props = props;
	s->noted = true;
	if (s->node->type->find)
		r = s->node->type->find(&s->res);
	if (r == 0) {
		s->row.physical = s->res.ret_physical_id.p ? s->res.ret_physical_id : physical;
		step_succeed(s, "IMPORT_COMPLETE");
	} else if (!step_interrupted(s->run))
		step_fail(s, "IMPORT_FAILED", step_sentence(s, r));
}

static void make_new(struct step *s, struct json *props)
{
	struct str existing = str_map_get(&s->run->op.imports, s->node->logical);

	if (existing.p) {
		adopt(s, props, existing);
		return;
	}
	s->row.physical = STR_NONE;
	s->row.attrs = STR_NONE;
	s->row.props = state_seal_json(s->run->cloud, s->arena, props);
	s->row.created_by = s->run->op_id;
	step_announce(s, "CREATE_IN_PROGRESS", STR_NONE);
	s->res.props = props;
	create(s, "CREATE_IN_PROGRESS", "CREATE_COMPLETE", "CREATE_FAILED");
}

/* --- update --- */
static bool must_replace(struct step *s, const struct str *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (type_replaces(s->node->type, &s->res, names[i]))
			return true;
	return false;
}

/* A replacement with the same explicit name would collide with the resource it replaces. */
static bool same_name(struct step *s, const struct json *props, const struct json *old)
{
	const char *name = s->node->type->name_property;

	return name && json_getz(props, name) && json_equal(json_getz(props, name), json_getz(old, name));
}

/* The resource that a row names: made by an earlier update of those that have failed since the stack was as in cfn.prev? */
static bool made_by_other(const struct step *s, const struct cfn_rec_resource *row)
{
	const struct node *n = s->node;

	return row->physical.p && !str_eq(row->created_by, s->run->op_id) && (n->prev.absent.v || !str_eq(row->physical, n->prev.physical));
}

static void retire_base(struct step *s, const struct cfn_rec_resource *base)
{
	struct cfn_rec_resource old = *base;
	struct batch *b = batch_new(s->run);

	old.retain = OPT_BOOL(old.replace.v == TEMPLATE_RETAIN);
	batch_row(b, "cfn.old", &old);
	batch_submit(b);
}

static void replace(struct step *s, const struct cfn_rec_resource *base, struct json *props, const struct json *old)
{
	s->row.props = state_seal_json(s->run->cloud, s->arena, props);
	step_announce(s, "UPDATE_IN_PROGRESS", S("Requested update requires the creation of a new physical resource; hence creating one."));
	if (s->node->has_prev && made_by_other(s, base)) /* it is neither what was before nor what comes */
		retire_base(s, base);
	if (same_name(s, props, old)) {
		step_fail(
			s, "UPDATE_FAILED",
			str_printf(s->arena,
				   "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename %.*s and "
				   "update the stack again.",
				   STR(base->physical)));
		return;
	}
	s->row.physical = STR_NONE;
	s->row.attrs = STR_NONE;
	s->row.created_by = s->run->op_id;
	s->res.props = props;
	create(s, "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE", "UPDATE_FAILED");
}

int step_update_in_place(struct step *s, const struct json *props, const struct json *old, const struct json *attrs)
{
	int r = step_reveal(s, props, &s->res.props);

	if (r == 0)
		r = step_reveal(s, old, &s->res.old_props);
	s->res.attrs = attrs;
	s->res.ret_attrs = NULL;
	s->res.physical_id = s->row.physical;
	if (r == 0)
		r = s->node->type->update(&s->res);
	if (r == 0 && s->node->type->read)
		r = s->node->type->read(&s->res);
	if (r != 0)
		return r;
	if (s->res.ret_physical_id.p)
		s->row.physical = s->res.ret_physical_id;
	if (!s->res.ret_attrs) {
		s->res.ret_attrs = attrs ? json_copy(s->arena, attrs) : NULL;
		s->res.ret_no_echo = s->row.no_echo.v;
	}
	return 0;
}

static bool same_list(const struct str_list *a, const struct str_list *b)
{
	bool same = a->n == b->n;

	for (size_t i = 0; same && i < a->n; i++)
		same = str_eq(a->v[i], b->v[i]);
	return same;
}

/* Nothing the type looks at has changed: policies may have. */
static void keep(struct step *s, const struct json *attrs)
{
	const struct cfn_rec_resource *now = &s->node->row;
	struct batch *b;

	s->row.status = now->status;
	s->row.reason = now->reason;
	b = batch_new(s->run);
	if (!s->node->has_prev &&
	    (s->row.deletion.v != now->deletion.v || s->row.replace.v != now->replace.v || !same_list(&s->row.deps, &now->deps)))
		batch_row(b, "cfn.prev", now);
	batch_row(b, "cfn.res", &s->row);
	batch_submit(b);
	s->res.ret_attrs = attrs ? json_copy(s->arena, attrs) : NULL;
	step_publish(s);
}

/* The stack's policy has the say before anything is done. */
static bool permitted(struct step *s, const struct cfn_rec_resource *base, const char *action)
{
	struct str why = STR_NONE;

	if (stack_policy_allows(s->arena, s->run->policy, action, s->node->logical, base->type, &why))
		return true;
	step_announce(s, "UPDATE_IN_PROGRESS", STR_NONE);
	step_fail(s, "UPDATE_FAILED", why);
	return false;
}

/* A failed update may have done anything between nothing and all of it: what it had asked for counts as old where that differs
 * from what is wanted now, else what was before. */
static int old_or_failed(struct step *s, const struct cfn_rec_resource *base, const struct json *props, struct json **old)
{
	struct json *before = NULL, *failed = *old;
	int r = 0;

	if (!s->node->has_prev || s->node->prev.absent.v || !str_eq(s->node->prev.physical, base->physical))
		return 0;
	r = state_open_json(s->run->cloud, s->arena, s->node->prev.props, &before);
	if (r < 0 || !before)
		return r;
	for (size_t i = 0; failed && i < failed->n; i++)
		if (!json_equal(&failed->members[i].value, json_get(props, failed->members[i].key)))
			json_set(s->arena, before, failed->members[i].key, &failed->members[i].value);
	*old = before;
	return 0;
}

static void make_changed(struct step *s, const struct cfn_rec_resource *base, struct json *props)
{
	struct json *old = NULL, *attrs = NULL;
	struct str *names;
	size_t n;
	int r = state_open_json(s->run->cloud, s->arena, base->props, &old);

	if (r == 0)
		r = state_open_json(s->run->cloud, s->arena, base->attrs, &attrs);
	if (r == 0 && str_is(base->status, "UPDATE_FAILED"))
		r = old_or_failed(s, base, props, &old);
	if (r < 0) {
		step_fail(s, "UPDATE_FAILED", S("The stored state of the resource is damaged."));
		return;
	}
	s->node->was_update = true;
	s->row.physical = base->physical;
	s->row.attrs = base->attrs;
	s->row.props = base->props;
	s->row.created_by = base->created_by;
	s->row.no_echo = base->no_echo;
	s->res.props = props;
	s->res.old_props = old;
	s->res.attrs = attrs;
	s->res.physical_id = base->physical;
	if (!str_eq(base->type, s->res.type)) {
		s->row.type = base->type;
		step_announce(s, "UPDATE_IN_PROGRESS", STR_NONE);
		step_fail(s, "UPDATE_FAILED", S("Update of resource type is not permitted"));
		return;
	}
	n = template_property_changes(s->arena, old, props, &names);
	if (!base->physical.p) { /* an earlier operation has failed to make it */
		s->node->was_update = false;
		make_new(s, props);
		return;
	}
	if (str_is(base->status, "CREATE_FAILED") || must_replace(s, names, n)) {
		if (permitted(s, base, "Update:Replace"))
			replace(s, base, props, old);
		return;
	}
	if (n == 0 && !str_is(base->status, "UPDATE_FAILED") && !s->node->type->always) {
		keep(s, attrs);
		return;
	}
	if (n && !permitted(s, base, "Update:Modify"))
		return;
	s->row.props = state_seal_json(s->run->cloud, s->arena, props);
	step_announce(s, "UPDATE_IN_PROGRESS", STR_NONE);
	r = step_update_in_place(s, props, old, attrs);
	if (r == CFN_WAIT)
		step_park(s);
	else if (r == 0)
		step_succeed(s, "UPDATE_COMPLETE");
	else if (!step_interrupted(s->run))
		step_fail(s, "UPDATE_FAILED", step_sentence(s, r));
}

void step_make(struct step *s)
{
	struct node *n = s->node;
	const struct cfn_rec_resource *base = n->has_row ? &n->row : NULL;
	struct json *props = NULL;
	int r = step_evaluate(s, &props);

	/* Begun before a crash: what was before the update is what counts, or what an earlier update that failed has made. */
	if (base && str_is(s->run->op.kind, "CREATE"))
		base = NULL;
	else if (base && str_eq(n->row.op, s->run->op_id) && n->has_prev && !made_by_other(s, base))
		base = n->prev.absent.v ? NULL : &n->prev;
	if (r < 0) {
		if (step_interrupted(s->run))
			return;
		n->was_update = base != NULL;
		step_announce(s, base ? "UPDATE_IN_PROGRESS" : "CREATE_IN_PROGRESS", STR_NONE);
		step_fail(s, base ? "UPDATE_FAILED" : "CREATE_FAILED", s->res.error);
		return;
	}
	if (base)
		make_changed(s, base, props);
	else
		make_new(s, props);
}
