/* SPDX-License-Identifier: Apache-2.0 */
/* types.c - the resource types of this cloud: those of its services, and the few that are CloudFormation's own. */
#include "cfn/engine/state.h"
#include <errno.h>

/* --- types that make nothing --- */
static int nothing_create(struct cfn_resource *r)
{
	r->ret_physical_id = cfn_name(r, 255, false);
	r->ret_attrs = json_new(r->arena, JSON_OBJECT);
	return 0;
}

static int nothing(struct cfn_resource *r)
{
	return 0;
}

static const struct cfn_property metadata_properties[] = { { "Analytics", CFN_UPDATE, false }, { NULL, 0, false } };
static const char *const no_attributes[] = { NULL };
static const struct cfn_type cdk_metadata = {
	.name = "AWS::CDK::Metadata",
	.properties = metadata_properties,
	.attributes = no_attributes,
	.create = nothing_create,
	.update = nothing,
	.delete = nothing,
};
static const struct cfn_type *const own_types[] = { &cdk_metadata, &type_wait_handle, &type_wait, &type_custom, &type_stack };

struct lookup {
	struct str name;
	const struct cfn_type *found;
};

static void look(const struct service *s, void *arg)
{
	struct lookup *l = arg;

	for (size_t i = 0; s->cfn && s->cfn[i]; i++)
		if (str_is(l->name, s->cfn[i]->name))
			l->found = s->cfn[i];
}

const struct cfn_type *type_find(struct cloud *cl, struct str name)
{
	struct lookup l = { name, NULL };

	if (str_starts(name, S("Custom::")))
		return &type_custom;
	for (size_t i = 0; i < ELEMENTS(own_types); i++)
		if (str_is(name, own_types[i]->name))
			return own_types[i];
	cloud_each_service(cl, look, &l);
	return l.found;
}

const struct cfn_property *type_property(const struct cfn_type *t, struct str name)
{
	for (const struct cfn_property *p = t->properties; p && p->name; p++)
		if (str_is(name, p->name))
			return p;
	return NULL;
}

int type_check(struct arena *a, const struct cfn_type *t, const struct json *props, struct str *ret_err)
{
	for (size_t i = 0; props && !t->open && i < props->n; i++)
		if (!type_property(t, props->members[i].key)) {
			*ret_err = str_printf(a, "Encountered unsupported property %.*s. This cloud does not implement it.",
					      STR(props->members[i].key));
			return -EINVAL;
		}
	for (const struct cfn_property *p = t->properties; p && p->name; p++)
		if (p->required && !json_getz(props, p->name)) {
			*ret_err = str_printf(a, "Property %s cannot be empty.", p->name);
			return -EINVAL;
		}
	return 0;
}

bool type_replaces(const struct cfn_type *t, struct cfn_resource *r, struct str property)
{
	const struct cfn_property *p = type_property(t, property);

	if (!t->update)
		return true;
	if (!p)
		return false;
	return p->on_change == CFN_REPLACE || (p->on_change == CFN_CONDITIONAL && t->replaces && t->replaces(r, property));
}

static struct json *tag_list(struct arena *a, const struct json *own, const struct str_map *tags)
{
	struct json *out = json_is(own, JSON_ARRAY) ? json_copy(a, own) : json_new(a, JSON_ARRAY);

	for (size_t i = 0; i < tags->n; i++) {
		struct json *t = json_new(a, JSON_OBJECT);
		bool has = false;

		for (size_t j = 0; j < out->n; j++)
			has |= str_eq(json_get_str(&out->items[j], "Key"), tags->v[i].key);
		if (has)
			continue; /* the resource's own tag wins */
		json_set_str(a, t, "Key", tags->v[i].key);
		json_set_str(a, t, "Value", tags->v[i].value);
		json_push(a, out, t);
	}
	return out;
}

void type_tag(struct arena *a, const struct cfn_type *t, struct json *props, const struct str_map *tags)
{
	struct json *own = json_getz(props, "Tags");

	if (!tags->n || !type_property(t, S("Tags")))
		return;
	if (str_is(str_c(t->name), "AWS::SSM::Parameter") || json_is(own, JSON_OBJECT)) { /* a map */
		own = own ? json_copy(a, own) : json_new(a, JSON_OBJECT);
		for (size_t i = 0; i < tags->n; i++)
			if (!json_get(own, tags->v[i].key))
				json_set(a, own, tags->v[i].key, json_new_str(a, tags->v[i].value));
		json_set(a, props, S("Tags"), own);
		return;
	}
	json_set(a, props, S("Tags"), tag_list(a, own, tags));
}
