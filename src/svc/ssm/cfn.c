/* SPDX-License-Identifier: Apache-2.0 */
/* cfn.c - AWS::SSM::Parameter. SecureString cannot be made by a template, as on AWS. */
#include "cfn/type.h"
#include "svc/ssm/ssm_int.h"

static struct json *params(struct cfn_resource *r, struct str name)
{
	static const char *const same[] = { "Type", "Value", "Description", "AllowedPattern", "Tier", "Policies", "DataType" };
	struct json *p = json_new(r->arena, JSON_OBJECT);

	json_set_str(r->arena, p, "Name", name);
	for (size_t i = 0; i < ELEMENTS(same); i++)
		if (json_getz(r->props, same[i]))
			json_set_str(r->arena, p, same[i], json_get_str(r->props, same[i]));
	return p;
}

/* Tags of a parameter are a map in templates. */
static struct json *tag_list(struct cfn_resource *r, const struct json *map)
{
	struct json *out = json_new(r->arena, JSON_ARRAY);

	for (size_t i = 0; json_is(map, JSON_OBJECT) && i < map->n; i++) {
		struct json *t = json_new(r->arena, JSON_OBJECT);

		json_set_str(r->arena, t, "Key", map->members[i].key);
		json_set_str(r->arena, t, "Value", json_scalar(&map->members[i].value));
		json_push(r->arena, out, t);
	}
	return out;
}

static void attributes(struct cfn_resource *r)
{
	r->ret_attrs = json_new(r->arena, JSON_OBJECT);
	json_set_str(r->arena, r->ret_attrs, "Type", json_get_str(r->props, "Type"));
	json_set_str(r->arena, r->ret_attrs, "Value", json_get_str(r->props, "Value"));
}

static int create(struct cfn_resource *r)
{
	struct str name = json_get_str(r->props, "Name"), code = STR_NONE;
	struct json *p, *tags = tag_list(r, json_getz(r->props, "Tags"));
	bool again = r->physical_id.p;
	int e;

	if (str_is(json_get_str(r->props, "Type"), "SecureString"))
		return cfn_fail(r, "Resource handler returned message: \"Model validation failed (#/Type: #: SecureString is not a "
				   "supported parameter type in a template)\"");
	if (!name.p)
		name = str_printf(r->arena, "CFN-%.*s", STR(cfn_name(r, 200, false)));
	e = cfn_note_physical(r, name);
	if (e < 0)
		return e;
	p = params(r, name);
	if (tags->n)
		json_set(r->arena, p, S("Tags"), tags);
	e = cfn_call(r, "ssm", "PutParameter", p, NULL, &code);
	if (e < 0 && !(again && str_is(code, "ParameterAlreadyExists")))
		return e;
	r->ret_physical_id = name;
	attributes(r);
	return 0;
}

static int retag(struct cfn_resource *r)
{
	const struct json *old = json_getz(r->old_props, "Tags"), *now = json_getz(r->props, "Tags");
	struct json *gone = json_new(r->arena, JSON_ARRAY), *p = json_new(r->arena, JSON_OBJECT);
	int e = 0;

	if (json_equal(old, now))
		return 0;
	json_set_str(r->arena, p, "ResourceType", S("Parameter"));
	json_set_str(r->arena, p, "ResourceId", r->physical_id);
	for (size_t i = 0; json_is(old, JSON_OBJECT) && i < old->n; i++)
		if (!json_get(now, old->members[i].key))
			json_push(r->arena, gone, json_new_str(r->arena, old->members[i].key));
	if (gone->n) {
		json_set(r->arena, p, S("TagKeys"), gone);
		e = cfn_call(r, "ssm", "RemoveTagsFromResource", p, NULL, NULL);
		json_remove(p, S("TagKeys"));
	}
	if (e == 0 && json_is(now, JSON_OBJECT) && now->n) {
		json_set(r->arena, p, S("Tags"), tag_list(r, now));
		e = cfn_call(r, "ssm", "AddTagsToResource", p, NULL, NULL);
	}
	return e;
}

static int update(struct cfn_resource *r)
{
	struct json *p = params(r, r->physical_id);
	int e;

	json_set_bool(r->arena, p, "Overwrite", true);
	e = cfn_call(r, "ssm", "PutParameter", p, NULL, NULL);
	if (e == 0)
		e = retag(r);
	attributes(r);
	return e;
}

static int delete (struct cfn_resource *r)
{
	struct json *p = json_new(r->arena, JSON_OBJECT);
	struct str code = STR_NONE;
	int e;

	json_set_str(r->arena, p, "Name", r->physical_id);
	e = cfn_call(r, "ssm", "DeleteParameter", p, NULL, &code);
	return str_is(code, "ParameterNotFound") ? 0 : e;
}

static int find(struct cfn_resource *r)
{
	struct json *p = json_new(r->arena, JSON_OBJECT), *out = NULL, *it;
	int e;

	json_set_str(r->arena, p, "Name", r->physical_id);
	e = cfn_call(r, "ssm", "GetParameter", p, &out, NULL);
	it = json_getz(out, "Parameter");
	r->ret_attrs = json_new(r->arena, JSON_OBJECT);
	json_set_str(r->arena, r->ret_attrs, "Type", json_get_str(it, "Type"));
	json_set_str(r->arena, r->ret_attrs, "Value", json_get_str(it, "Value"));
	return e;
}

static const struct cfn_property properties[] = {
	{ "AllowedPattern", CFN_UPDATE, false }, { "DataType", CFN_UPDATE, false },
	{ "Description", CFN_UPDATE, false },    { "Name", CFN_REPLACE, false },
	{ "Policies", CFN_UPDATE, false },       { "Tags", CFN_UPDATE, false },
	{ "Tier", CFN_UPDATE, false },           { "Type", CFN_UPDATE, true },
	{ "Value", CFN_UPDATE, true },           { NULL, 0, false },
};
static const char *const names[] = { "Type", "Value", NULL };
static const struct cfn_type parameter_type = {
	.name = "AWS::SSM::Parameter",
	.properties = properties,
	.attributes = names,
	.name_property = "Name",
	.create = create,
	.update = update,
	.delete = delete,
	.find = find,
	.reader = &ssm_parameter_reader,
};
const struct cfn_type *const ssm_cfn[] = { &parameter_type, NULL };
