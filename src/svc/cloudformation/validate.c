/* SPDX-License-Identifier: Apache-2.0 */
/* validate.c - what is found out about a change set's resources before it is complete: properties that are missing, names that are
 * taken, and what exists already and is to be imported. Questions to other services are asked as whoever the stack will act
 * for; what may not be asked is not known, and then the operation itself will tell. */
#include "cfn/actor.h"
#include "svc/cloudformation/validate.h"
#include <errno.h>

#define FAILED_BY                                                                                                                          \
	"The following hook(s)/validation failed: [%.*s]. To troubleshoot Early Validation errors, use the DescribeEvents API for "        \
	"detailed failure information."

struct check {
	struct call *call;
	struct input *in;
	struct cfn_rec_change_set *cs;
	size_t cap_faults;
	bool exist, property; /* which validation has failed */
};

/* --- questions --- */
/* 1: it exists; 0: it doesn't, or nobody may know. *ret_id: its physical id. */
static int exists(struct check *x, const struct cfn_type *t, struct cfn_resource *r, struct str *ret_id)
{
	struct call *c = x->call;
	struct cfn_actor actor = { .cloud = c->cloud, .region = c->region, .who = &x->in->who, .facts = c->facts, .call = c };
	int e;

	r->engine = &actor;
	r->ret_physical_id = STR_NONE;
	e = t->find(r);
	*ret_id = r->ret_physical_id.p ? r->ret_physical_id : r->physical_id;
	return e == 0;
}

static struct cfn_resource about(struct check *x, size_t resource, const struct json *props)
{
	struct call *c = x->call;

	return (struct cfn_resource){ .arena = c->arena,
				      .logical_id = x->in->tpl->resources[resource].id,
				      .type = x->in->tpl->resources[resource].type,
				      .stack_name = x->in->ctx.env.stack_name,
				      .stack_id = x->in->arn,
				      .region = call_region(c),
				      .account = c->account,
				      .partition = region_partition(call_region(c)),
				      .props = props };
}

static void fault(struct check *x, size_t resource, const char *name, struct str property, struct str physical, struct str reason)
{
	const struct template_resource *res = &x->in->tpl->resources[resource];
	struct cfn_rec_fault f = { .id = random_uuid(x->call->arena),
				   .logical = res->id,
				   .type = res->type,
				   .name = str_c(name),
				   .physical = physical,
				   .reason = reason };

	f.path = str_printf(x->call->arena, "/Resources/%.*s/Properties%s%.*s", STR(res->id), property.p ? "/" : "",
			    STR(property.p ? property : S("")));
	vec_push(x->call->arena, x->cs->faults.v, x->cs->faults.n, x->cap_faults) = f;
}

/* --- properties --- */
static void check_properties(struct check *x, size_t resource, const struct cfn_type *t, const struct json *props)
{
	struct arena *a = x->call->arena;
	size_t before = x->cs->faults.n;

	for (const struct cfn_property *p = t->properties; p && p->name; p++)
		if (p->required && !json_getz(props, p->name))
			fault(x, resource, "PROPERTY_VALIDATION", STR_NONE, STR_NONE,
			      str_printf(a, "Required property [%s] not found", p->name));
	for (size_t i = 0; !t->open && props && i < props->n; i++)
		if (!type_property(t, props->members[i].key))
			fault(x, resource, "PROPERTY_VALIDATION", props->members[i].key, STR_NONE,
			      str_printf(a, "Unsupported property [%.*s]. This cloud does not implement it.", STR(props->members[i].key)));
	x->property |= x->cs->faults.n > before;
}

/* --- names --- */
/* A name that is known already; absent when it is generated, or comes from a resource that isn't made yet. */
static struct str known_name(const struct cfn_type *t, const struct json *props)
{
	struct str name = t->name_property ? json_get_str(props, t->name_property) : STR_NONE;

	return name.n && str_find(name, S(LATER)) < 0 && str_find(name, S("{{resolve:")) < 0 ? name : STR_NONE;
}

static void import(struct check *x, struct str logical, struct str physical)
{
	struct str_map *m = &x->cs->imports;
	struct str_pair *v = arena_array(x->call->arena, struct str_pair, m->n + 1);

	if (m->n)
		memcpy(v, m->v, m->n * sizeof *v);
	v[m->n] = (struct str_pair){ logical, physical };
	*m = (struct str_map){ v, m->n + 1 };
}

/* A resource that is added under a name that is taken: imported when that was asked for, else a fault. */
static int check_name(struct check *x, size_t resource, const struct cfn_type *t, const struct json *props, struct json *change)
{
	struct call *c = x->call;
	struct cfn_resource r = about(x, resource, props);
	struct cfn_rec_stack owner;
	struct str id;
	int e;

	r.physical_id = known_name(t, props);
	if (!t->find || !r.physical_id.p || !exists(x, t, &r, &id))
		return 0;
	if (x->cs->import_existing.v) {
		e = cfn_find_physical(c, id, &owner);
		if (e == -ENOENT) {
			import(x, r.logical_id, id);
			json_set_str(c->arena, change, "Action", S("Import"));
			json_set_str(c->arena, change, "PhysicalResourceId", id);
			return 0;
		}
		if (e < 0)
			return e;
	}
	fault(x, resource, "NAME_CONFLICT_VALIDATION", str_c(t->name_property), id,
	      str_printf(c->arena, "Resource of type '%.*s' with identifier '%.*s' already exists.", STR(r.type), STR(r.physical_id)));
	x->exist = true;
	return 0;
}

int validate_changes(struct call *c, struct input *in, struct cfn_rec_change_set *cs, struct json *changes)
{
	struct check x = { .call = c, .in = in, .cs = cs };
	int r = 0;

	for (size_t i = 0; i < changes->n && r == 0; i++) {
		struct json *change = json_getz(&changes->items[i], "ResourceChange"), *props = NULL;
		const struct cfn_type *t = type_find(c->cloud, json_get_str(change, "ResourceType"));
		size_t resource;

		if (!t || str_is(json_get_str(change, "Action"), "Remove") ||
		    template_find(in->tpl, json_get_str(change, "LogicalResourceId"), &resource) != TEMPLATE_RESOURCE ||
		    template_eval_resource(&in->ctx, resource, &props) < 0)
			continue;
		check_properties(&x, resource, t, props);
		if (str_is(json_get_str(change, "Action"), "Add"))
			r = check_name(&x, resource, t, props, change);
	}
	if (r < 0 || !cs->faults.n)
		return r;
	cs->status = S("FAILED");
	cs->execution = S("UNAVAILABLE");
	cs->imports = (struct str_map){ 0 };
	cs->reason = str_printf(c->arena, FAILED_BY,
				STR(x.exist && x.property
					    ? S("AWS::EarlyValidation::PropertyValidation, AWS::EarlyValidation::ResourceExistenceCheck")
				    : x.exist ? S("AWS::EarlyValidation::ResourceExistenceCheck")
					      : S("AWS::EarlyValidation::PropertyValidation")));
	return 0;
}

/* --- change sets of type IMPORT --- */
static int import_one(struct check *x, const struct cloudformation_resource_to_import *want)
{
	struct call *c = x->call;
	struct json *props = NULL;
	const struct cfn_type *t;
	struct cfn_rec_stack owner;
	struct cfn_resource r;
	struct str id;
	size_t i;
	int e;

	if (template_find(x->in->tpl, want->logical_resource_id, &i) != TEMPLATE_RESOURCE ||
	    !str_eq(x->in->tpl->resources[i].type, want->resource_type))
		return cfn_invalid(c, "Resources [%.*s] to import are not in the template", STR(want->logical_resource_id));
	if (!json_getz(x->in->tpl->resources[i].decl, "DeletionPolicy"))
		return cfn_invalid(c,
				   "The following resources to import [%.*s] must have DeletionPolicy attribute specified in the template.",
				   STR(want->logical_resource_id));
	t = type_find(c->cloud, want->resource_type);
	if (!t || !t->find)
		return cfn_invalid(c, "Importing resources of type %.*s is not implemented by this cloud.", STR(want->resource_type));
	if (want->resource_identifier.n != 1)
		return cfn_invalid(c, "Resource %.*s: one identifier must be given.", STR(want->logical_resource_id));
	e = template_eval_resource(&x->in->ctx, i, &props);
	if (e < 0)
		return e == -EINVAL ? cfn_invalid(c, "%.*s", STR(x->in->ctx.err)) : e;
	r = about(x, i, props);
	r.physical_id = want->resource_identifier.v[0].value;
	if (!exists(x, t, &r, &id))
		return cfn_invalid(c, "Resource of type '%.*s' with identifier '%.*s' was not found.", STR(want->resource_type),
				   STR(r.physical_id));
	e = cfn_find_physical(c, id, &owner);
	if (e == 0)
		return cfn_invalid(c, "Resource %.*s is already managed by stack %.*s", STR(id), STR(owner.arn));
	if (e == -ENOENT)
		import(x, want->logical_resource_id, id);
	return e == -ENOENT ? 0 : e;
}

int validate_import(struct call *c, struct input *in, struct cfn_rec_change_set *cs,
		    const struct cloudformation_resource_to_import_list *want, struct json *changes)
{
	struct check x = { .call = c, .in = in, .cs = cs };
	int r = 0;

	for (size_t i = 0; i < want->n && r == 0; i++)
		r = import_one(&x, &want->v[i]);
	for (size_t i = 0; i < changes->n && r == 0; i++) {
		struct json *change = json_getz(&changes->items[i], "ResourceChange");
		struct str logical = json_get_str(change, "LogicalResourceId"), id = str_map_get(&cs->imports, logical);

		if (!id.p || !str_is(json_get_str(change, "Action"), "Add"))
			return cfn_invalid(
				c,
				"There was an error creating this change set. As part of the import operation, you cannot modify "
				"or add [%.*s]",
				STR(logical));
		json_set_str(c->arena, change, "Action", S("Import"));
		json_set_str(c->arena, change, "PhysicalResourceId", id);
	}
	if (r == 0 && cs->imports.n > changes->n)
		return cfn_invalid(c, "Resources to import are already in the stack");
	return r;
}
