/* SPDX-License-Identifier: Apache-2.0 */
/* changes.c - what a change set says: which resources are added, changed, replaced, removed, and why. Whether something
 * is replaced decides what else changes, so the comparison is repeated until that is settled. Values of NoEcho parameters
 * never show. */
#include "svc/cloudformation/cfn_int.h"
#include "svc/cloudformation/changes.h"
#include <errno.h>

#define ROUNDS_MAX 16

static const char *const scope_names[][2] = {
	[0] = { "Properties", NULL },   [1] = { "Metadata", NULL },       [2] = { "CreationPolicy", NULL },
	[3] = { "UpdatePolicy", NULL }, [4] = { "DeletionPolicy", NULL }, [5] = { "UpdateReplacePolicy", NULL },
	[6] = { "Tags", NULL },
};

static const char *scope_name(enum template_scope s)
{
	for (size_t i = 0; i < ELEMENTS(scope_names); i++)
		if (s == 1u << i)
			return scope_names[i][0];
	return "Properties";
}

/* --- evaluated with secrets hidden --- */
static struct template_ctx masked(struct call *c, const struct input *in)
{
	struct template_ctx x = in->ctx;
	struct template_value *v = arena_array(c->arena, struct template_value, in->tpl->n_parameters + 1);

	for (size_t i = 0; i < in->tpl->n_parameters; i++) {
		v[i] = in->ctx.values[i];
		if (in->tpl->parameters[i].no_echo) {
			v[i].text = v[i].resolved = S("****");
			v[i].json = json_new_str(c->arena, S("****"));
		}
	}
	x.values = v;
	return x;
}

static struct json *props_of(struct template_ctx *x, int resource)
{
	struct json *j = NULL;

	if (resource < 0 || template_eval_resource(x, (size_t)resource, &j) < 0)
		return NULL;
	return j;
}

static struct str context_text(struct call *c, struct json *props)
{
	struct json *j = json_new(c->arena, JSON_OBJECT);

	json_set(c->arena, j, S("Properties"), props ? props : json_new(c->arena, JSON_OBJECT));
	return json_text(c->arena, j);
}

/* --- replacement --- */
struct comparison {
	struct call *call;
	struct input *in, *old;
	struct template_change *v;
	size_t n;
	bool *replaced; /* by row */
	struct template_ctx new_shown, old_shown;
};

static const struct cfn_rec_resource *row_find(const struct input *in, struct str logical, size_t *ret_i)
{
	for (size_t i = 0; i < in->rows.n; i++)
		if (str_eq(in->rows.v[i].logical, logical)) {
			*ret_i = i;
			return &in->rows.v[i];
		}
	return NULL;
}

static bool detail_replaces(struct comparison *x, const struct template_change *ch, const struct template_detail *d)
{
	const struct cfn_type *t = type_find(x->call->cloud, ch->type);
	struct cfn_resource r = { .arena = x->call->arena, .logical_id = ch->id, .type = ch->type };

	if (!t || (d->scope != TEMPLATE_SCOPE_PROPERTIES && d->scope != TEMPLATE_SCOPE_TAGS))
		return false;
	r.props = props_of(&x->in->ctx, ch->after);
	r.old_props = props_of(&x->old->ctx, ch->before);
	return type_replaces(t, &r, d->property);
}

static bool change_replaces(struct comparison *x, const struct template_change *ch)
{
	if (ch->action != TEMPLATE_MODIFY)
		return false;
	for (size_t i = 0; i < ch->n_details; i++)
		if (detail_replaces(x, ch, &ch->details[i]))
			return true;
	return ch->type_changed;
}

static int compare(struct comparison *x)
{
	bool again = true;
	size_t row;
	int r = 0;

	x->replaced = arena_array(x->call->arena, bool, x->in->rows.n + 1);
	x->in->replaced = x->replaced;
	for (int round = 0; again && round < ROUNDS_MAX; round++) {
		again = false;
		r = template_changes(x->old ? &x->old->ctx : NULL, &x->in->ctx, &x->v, &x->n);
		if (r < 0)
			break;
		for (size_t i = 0; i < x->n; i++)
			if (change_replaces(x, &x->v[i]) && row_find(x->in, x->v[i].id, &row) && !x->replaced[row])
				x->replaced[row] = again = true;
	}
	return r == -EINVAL ? cfn_invalid(x->call, "%.*s", STR(x->in->ctx.err)) : r;
}

/* --- as JSON, in the shape of the API --- */
static struct json *detail_out(struct comparison *x, const struct template_change *ch, const struct template_detail *d,
			       const struct json *before, const struct json *after)
{
	static const char *const sources[] = { [TEMPLATE_DIRECT] = "DirectModification",
					       [TEMPLATE_BY_PARAMETER] = "ParameterReference",
					       [TEMPLATE_BY_RESOURCE] = "ResourceReference",
					       [TEMPLATE_BY_ATTRIBUTE] = "ResourceAttribute" };
	struct arena *a = x->call->arena;
	struct json *j = json_new(a, JSON_OBJECT), *t = json_new(a, JSON_OBJECT);
	const struct json *b = d->property.p ? json_get(before, d->property) : d->before,
			  *now = d->property.p ? json_get(after, d->property) : d->after;
	bool replace = detail_replaces(x, ch, d);

	json_set_str(a, t, "Attribute", str_c(scope_name(d->scope)));
	json_set_str(a, t, "Name", d->property);
	json_set_str(a, t, "RequiresRecreation", replace ? S("Always") : S("Never"));
	json_set_str(a, t, "Path",
		     d->property.p ? str_printf(a, "/Properties/%.*s", STR(d->property)) : str_printf(a, "/%s", scope_name(d->scope)));
	if (b)
		json_set_str(a, t, "BeforeValue", json_is(b, JSON_OBJECT) || json_is(b, JSON_ARRAY) ? json_text(a, b) : json_scalar(b));
	if (now)
		json_set_str(a, t, "AfterValue",
			     json_is(now, JSON_OBJECT) || json_is(now, JSON_ARRAY) ? json_text(a, now) : json_scalar(now));
	json_set_str(a, t, "AttributeChangeType", !b ? S("Add") : !now ? S("Remove") : S("Modify"));
	json_set(a, j, S("Target"), t);
	json_set_str(a, j, "Evaluation", d->source == TEMPLATE_DIRECT || d->source == TEMPLATE_BY_PARAMETER ? S("Static") : S("Dynamic"));
	json_set_str(a, j, "ChangeSource", str_c(sources[d->source]));
	json_set_str(a, j, "CausingEntity", d->cause);
	return j;
}

static struct str policy_action(struct comparison *x, const struct template_change *ch, bool replace)
{
	enum template_policy del = TEMPLATE_DELETE, rep = TEMPLATE_DELETE;

	if (ch->action == TEMPLATE_REMOVE) {
		(void)template_policies(&x->old->ctx, (size_t)ch->before, &del, &rep);
		return del == TEMPLATE_DELETE ? S("Delete") : del == TEMPLATE_SNAPSHOT ? S("Snapshot") : S("Retain");
	}
	if (!replace)
		return STR_NONE;
	(void)template_policies(&x->in->ctx, (size_t)ch->after, &del, &rep);
	return rep == TEMPLATE_RETAIN ? S("ReplaceAndRetain") : rep == TEMPLATE_SNAPSHOT ? S("ReplaceAndSnapshot") : S("ReplaceAndDelete");
}

static struct json *change_out(struct comparison *x, const struct template_change *ch)
{
	static const char *const actions[] = { [TEMPLATE_ADD] = "Add", [TEMPLATE_MODIFY] = "Modify", [TEMPLATE_REMOVE] = "Remove" };
	struct arena *a = x->call->arena;
	struct json *j = json_new(a, JSON_OBJECT), *rc = json_new(a, JSON_OBJECT), *scope = json_new(a, JSON_ARRAY),
		    *details = json_new(a, JSON_ARRAY);
	struct json *before = ch->before >= 0 && x->old ? props_of(&x->old_shown, ch->before) : NULL,
		    *after = props_of(&x->new_shown, ch->after);
	bool replace = change_replaces(x, ch);
	const struct cfn_rec_resource *row;
	size_t i;

	json_set_str(a, rc, "Action", str_c(actions[ch->action]));
	json_set_str(a, rc, "LogicalResourceId", ch->id);
	row = row_find(x->in, ch->id, &i);
	if (row)
		json_set_str(a, rc, "PhysicalResourceId", row->physical);
	json_set_str(a, rc, "ResourceType", ch->type);
	json_set_str(a, rc, "PolicyAction", policy_action(x, ch, replace));
	if (ch->action == TEMPLATE_MODIFY)
		json_set_str(a, rc, "Replacement", replace ? S("True") : S("False"));
	for (i = 0; i < ELEMENTS(scope_names); i++)
		if (ch->scopes & 1u << i)
			json_push(a, scope, json_new_str(a, str_c(scope_names[i][0])));
	for (i = 0; i < ch->n_details; i++)
		json_push(a, details, detail_out(x, ch, &ch->details[i], before, after));
	json_set(a, rc, S("Scope"), scope);
	json_set(a, rc, S("Details"), details);
	if (ch->before >= 0)
		json_set_str(a, rc, "BeforeContext", context_text(x->call, before));
	if (ch->after >= 0)
		json_set_str(a, rc, "AfterContext", context_text(x->call, after));
	json_set_str(a, j, "Type", S("Resource"));
	json_set(a, j, S("ResourceChange"), rc);
	return j;
}

struct json *changes_automatic(struct call *c, struct input *in, size_t resource)
{
	const struct template_resource *res = &in->tpl->resources[resource];
	struct arena *a = c->arena;
	struct json *j = json_new(a, JSON_OBJECT), *rc = json_new(a, JSON_OBJECT), *d = json_new(a, JSON_OBJECT),
		    *t = json_new(a, JSON_OBJECT), *scope = json_new(a, JSON_ARRAY), *details = json_new(a, JSON_ARRAY);
	const struct cfn_rec_resource *row;
	size_t i;

	json_set_str(a, rc, "Action", S("Modify"));
	json_set_str(a, rc, "LogicalResourceId", res->id);
	row = row_find(in, res->id, &i);
	if (row)
		json_set_str(a, rc, "PhysicalResourceId", row->physical);
	json_set_str(a, rc, "ResourceType", res->type);
	json_set_str(a, rc, "Replacement", S("False"));
	json_push(a, scope, json_new_str(a, S("Properties")));
	json_set(a, rc, S("Scope"), scope);
	json_set_str(a, t, "Attribute", S("Properties"));
	json_set_str(a, t, "RequiresRecreation", S("Never"));
	json_set(a, d, S("Target"), t);
	json_set_str(a, d, "Evaluation", S("Dynamic"));
	json_set_str(a, d, "ChangeSource", S("Automatic"));
	json_push(a, details, d);
	json_set(a, rc, S("Details"), details);
	json_set_str(a, j, "Type", S("Resource"));
	json_set(a, j, S("ResourceChange"), rc);
	return j;
}

/* Stacks in the stack that are as before: their templates may not be. */
static void add_automatic(struct comparison *x, struct json *out)
{
	for (size_t i = 0; i < x->in->tpl->n_resources; i++) {
		const struct template_resource *res = &x->in->tpl->resources[i];
		bool listed = !str_is(res->type, STACK_TYPE) || !template_active(&x->in->ctx, i);

		for (size_t k = 0; k < x->n && !listed; k++)
			listed = str_eq(x->v[k].id, res->id);
		if (!listed)
			json_push(x->call->arena, out, changes_automatic(x->call, x->in, i));
	}
}

int changes_describe(struct call *c, struct input *in, struct input *old, bool automatic, struct json **ret)
{
	struct comparison x = { .call = c, .in = in, .old = old };
	int r = compare(&x);

	if (r < 0)
		return r;
	*ret = json_new(c->arena, JSON_ARRAY);
	x.new_shown = masked(c, in);
	if (old)
		x.old_shown = masked(c, old);
	for (size_t i = 0; i < x.n; i++)
		json_push(c->arena, *ret, change_out(&x, &x.v[i]));
	if (old && automatic)
		add_automatic(&x, *ret);
	return 0;
}
