/* SPDX-License-Identifier: Apache-2.0 */
/* sections.c - the sections of a template: which members each may have, of what type, how many. */
#include "cfn/sections.h"
#include <errno.h>

static const char *const resource_keys[] = {
	"Type",           "Properties",   "DependsOn",   "Condition", "Metadata", "DeletionPolicy", "UpdateReplacePolicy",
	"CreationPolicy", "UpdatePolicy", "Description", NULL
};
static const char *const parameter_keys[] = {
	"Type",      "Default",  "Description", "NoEcho", "AllowedValues", "AllowedPattern", "ConstraintDescription", "MinLength",
	"MaxLength", "MinValue", "MaxValue",    NULL
};
static const char *const output_keys[] = { "Description", "Value", "Export", "Condition", NULL };
static const char *const rule_keys[] = { "RuleCondition", "Assertions", NULL };
static const char *const assertion_keys[] = { "Assert", "AssertDescription", NULL };
static const char *const section_keys[] = { "AWSTemplateFormatVersion",
					    "Description",
					    "Metadata",
					    "Parameters",
					    "Rules",
					    "Mappings",
					    "Conditions",
					    "Transform",
					    "Resources",
					    "Outputs",
					    "Hooks",
					    NULL };

static bool known(struct str key, const char *const *keys)
{
	for (; *keys; keys++)
		if (str_is(key, *keys))
			return true;
	return false;
}

/* first_unknown returns the first member's key that isn't in keys, or an absent str. */
static struct str first_unknown(const struct json *j, const char *const *keys)
{
	for (size_t i = 0; i < j->n; i++)
		if (!known(j->members[i].key, keys))
			return j->members[i].key;
	return STR_NONE;
}

/* text_member takes an optional member that must be a scalar. */
static int text_member(struct template *t, const struct json *j, const char *key, struct str *ret, struct str *err)
{
	const struct json *v = json_getz(j, key);

	if (v && !template_scalar(v, ret))
		return complain(t->arena, err, "Template format error: Every %s member must be a string.", key);
	return 0;
}

static int description(struct template *t, const struct json *j, struct str *ret, struct str *err)
{
	int r = text_member(t, j, "Description", ret, err);

	if (r == 0 && ret->n > TEMPLATE_DESCRIPTION_BYTES_MAX)
		return complain(t->arena, err, "Template format error: 'Description' length is greater than %d",
				TEMPLATE_DESCRIPTION_BYTES_MAX);
	return r;
}

static int too_many(struct template *t, const char *what, size_t n, size_t max, struct str *err)
{
	if (n <= max)
		return 0;
	return complain(t->arena, err, "Template format error: Number of %s, %zu, is greater than maximum allowed, %zu", what, n, max);
}

/* section returns a section as an object; *ret NULL when it is not there. */
static int section(struct template *t, const char *name, const struct json **ret, struct str *err)
{
	*ret = json_getz(t->root, name);
	if (*ret && (*ret)->type != JSON_OBJECT)
		return complain(t->arena, err, "Template format error: %s must be an object.", name);
	return 0;
}

/* --- head --- */

static int take_transform(struct template *t, const struct json *j, struct str *err)
{
	struct str name = json_str(j);
	size_t cap = t->transforms.n;

	if (json_is(j, JSON_OBJECT))
		name = json_get_str(j, "Name");
	if (!name.p)
		return complain(t->arena, err, "Template format error: Transform must be a string or a list of strings.");
	if (!str_is(name, "AWS::LanguageExtensions"))
		return complain(t->arena, err, "No transform named %.*s found.", STR(name));
	t->language_extensions = true;
	vec_push(t->arena, t->transforms.v, t->transforms.n, cap) = name;
	return 0;
}

int sections_head(struct template *t, struct str *err)
{
	const struct json *j = json_getz(t->root, "Transform");
	struct str version = STR_NONE, key;
	int r = 0;

	if (json_is(j, JSON_ARRAY)) {
		/* Only one name is accepted, so one entry is all that can be taken. */
		for (size_t i = 0; i < j->n && r == 0; i++)
			r = i ? complain(t->arena, err, "Template format error: Transform must not name a transform twice.")
			      : take_transform(t, &j->items[i], err);
	} else if (j) {
		r = take_transform(t, j, err);
	}
	if (r < 0)
		return r;
	key = first_unknown(t->root, section_keys);
	if (key.p)
		return complain(t->arena, err, "Invalid template property or properties [%.*s]", STR(key));
	if (json_getz(t->root, "Hooks"))
		return complain(t->arena, err, "Template format error: Hooks are not supported.");
	r = text_member(t, t->root, "AWSTemplateFormatVersion", &version, err);
	if (r == 0 && version.p && !str_is(version, "2010-09-09"))
		r = complain(t->arena, err, "Template format error: unsupported value for AWSTemplateFormatVersion.");
	return r < 0 ? r : description(t, t->root, &t->description, err);
}

/* --- parameters --- */

/* base_type: String, Number or a type of AWS that a parameter may have. */
static bool base_type(struct str s)
{
	static const char *const types[] = { "String",
					     "Number",
					     "AWS::EC2::AvailabilityZone::Name",
					     "AWS::EC2::Image::Id",
					     "AWS::EC2::Instance::Id",
					     "AWS::EC2::KeyPair::KeyName",
					     "AWS::EC2::SecurityGroup::GroupName",
					     "AWS::EC2::SecurityGroup::Id",
					     "AWS::EC2::Subnet::Id",
					     "AWS::EC2::VPC::Id",
					     "AWS::EC2::Volume::Id",
					     "AWS::Route53::HostedZone::Id",
					     "AWS::SSM::Parameter::Name",
					     NULL };

	return known(s, types);
}

static bool unwrap(struct str *s, struct str prefix)
{
	if (!str_starts(*s, prefix) || !str_ends(*s, S(">")))
		return false;
	*s = str_of(s->p + prefix.n, s->n - prefix.n - 1);
	return true;
}

static bool take_type(struct template_parameter *p)
{
	struct str s = p->type;

	p->ssm = unwrap(&s, S("AWS::SSM::Parameter::Value<"));
	p->list = unwrap(&s, S("List<"));
	if (str_is(s, "CommaDelimitedList") && !p->list) {
		p->list = true;
		s = S("String");
	}
	p->item = s;
	return base_type(s);
}

static int take_length(struct template *t, const struct json *j, const char *key, struct opt_int *ret, struct str *err)
{
	const struct json *v = json_getz(j, key);

	if (!v)
		return 0;
	if (json_to_i64(v, &ret->v) < 0 || ret->v < 0)
		return complain(t->arena, err, "Template format error: Every %s member must be a number.", key);
	ret->has = true;
	return 0;
}

static int take_bound(struct template *t, const struct json *j, const char *key, struct str *ret, struct str *err)
{
	double d;
	int r = text_member(t, j, key, ret, err);

	if (r == 0 && ret->p && str_to_double(*ret, &d) < 0)
		return complain(t->arena, err, "Template format error: Every %s member must be a number.", key);
	return r;
}

static int check_applies(struct template *t, const struct template_parameter *p, struct str *err)
{
	bool number = str_is(p->item, "Number");
	const char *wrong = NULL, *of = "String";

	if (number && p->min_length.has)
		wrong = "MinLength";
	else if (number && p->max_length.has)
		wrong = "MaxLength";
	else if (number && p->pattern.p)
		wrong = "AllowedPattern";
	else if (!number && p->min_value.p)
		wrong = "MinValue", of = "Number";
	else if (!number && p->max_value.p)
		wrong = "MaxValue", of = "Number";
	if (wrong)
		return complain(t->arena, err, "Template error: Parameter '%.*s' %s must be on a parameter of type %s", STR(p->name), wrong,
				of);
	return 0;
}

static int take_constraints(struct template *t, const struct json *j, struct template_parameter *p, struct str *err)
{
	struct str s;
	int r = text_member(t, j, "AllowedPattern", &p->pattern, err);

	if (r == 0)
		r = text_member(t, j, "ConstraintDescription", &p->constraint_description, err);
	if (r == 0)
		r = take_length(t, j, "MinLength", &p->min_length, err);
	if (r == 0)
		r = take_length(t, j, "MaxLength", &p->max_length, err);
	if (r == 0)
		r = take_bound(t, j, "MinValue", &p->min_value, err);
	if (r == 0)
		r = take_bound(t, j, "MaxValue", &p->max_value, err);
	if (r < 0)
		return r;
	p->allowed = json_getz(j, "AllowedValues");
	if (p->allowed && p->allowed->type != JSON_ARRAY)
		return complain(t->arena, err, "Template format error: Every AllowedValues member must be a list.");
	for (size_t i = 0; p->allowed && i < p->allowed->n; i++)
		if (!template_scalar(&p->allowed->items[i], &s))
			return complain(t->arena, err, "Template format error: Every AllowedValues value must be a string.");
	return check_applies(t, p, err);
}

static int take_parameter(struct template *t, struct str name, const struct json *j, struct template_parameter *p, struct str *err)
{
	struct str key;
	int r;

	p->name = name;
	if (!is_alnum_name(name))
		return complain(t->arena, err, "Template format error: Parameter name %.*s is non alphanumeric.", STR(name));
	if (j->type != JSON_OBJECT)
		return complain(t->arena, err, "Template format error: Any Parameters member must be an object.");
	key = first_unknown(j, parameter_keys);
	if (key.p)
		return complain(t->arena, err, "Invalid template parameter property '%.*s'", STR(key));
	p->type = json_str(json_getz(j, "Type"));
	if (!p->type.p)
		return complain(t->arena, err, "Template format error: Every Parameters object must contain a Type member.");
	if (!take_type(p))
		return complain(t->arena, err, "Template format error: Unrecognized parameter type: %.*s", STR(p->type));
	p->no_echo = json_to_bool(json_getz(j, "NoEcho"), false);
	r = text_member(t, j, "Default", &p->dflt, err);
	if (r == 0)
		r = description(t, j, &p->description, err);
	return r < 0 ? r : take_constraints(t, j, p, err);
}

static int take_parameters(struct template *t, struct str *err)
{
	const struct json *s;
	int r = section(t, "Parameters", &s, err);

	if (r < 0 || !s)
		return r;
	r = too_many(t, "parameters", s->n, TEMPLATE_PARAMETERS_MAX, err);
	t->parameters = arena_array(t->arena, struct template_parameter, s->n + 1);
	for (size_t i = 0; i < s->n && r == 0; i++)
		r = take_parameter(t, s->members[i].key, &s->members[i].value, &t->parameters[t->n_parameters++], err);
	return r;
}

/* --- mappings, conditions --- */

static bool mapping_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != '-' && s.p[i] != '.' && s.p[i] != '_' && !is_alnum_name(str_of(s.p + i, 1)))
			return false;
	return s.n > 0 && s.n <= TEMPLATE_NAME_MAX;
}

static int take_mapping(struct template *t, const struct json_member *m, struct str *err)
{
	struct str s;
	int r;

	if (!is_alnum_name(m->key))
		return complain(t->arena, err, "Template format error: Mapping name %.*s is non alphanumeric.", STR(m->key));
	if (m->value.type != JSON_OBJECT)
		return complain(t->arena, err, "Template format error: Every Mappings member %.*s must be a map", STR(m->key));
	r = too_many(t, "mapping keys", m->value.n, TEMPLATE_MAPPING_ATTRIBUTES_MAX, err);
	for (size_t i = 0; i < m->value.n && r == 0; i++) {
		const struct json_member *row = &m->value.members[i];

		if (row->value.type != JSON_OBJECT)
			return complain(t->arena, err,
					"Template format error: [/Mappings/%.*s/%.*s] Every Mappings attribute must be a map", STR(m->key),
					STR(row->key));
		r = too_many(t, "mapping attributes", row->value.n, TEMPLATE_MAPPING_ATTRIBUTES_MAX, err);
		for (size_t k = 0; k < row->value.n && r == 0; k++) {
			const struct json_member *cell = &row->value.members[k];

			if (!mapping_name(cell->key) || !mapping_name(row->key))
				return complain(
					t->arena, err,
					"Template format error: Mappings attribute name '%.*s' must contain only alphanumeric characters.",
					STR(mapping_name(row->key) ? cell->key : row->key));
			if (cell->value.type != JSON_ARRAY && !template_scalar(&cell->value, &s))
				return complain(t->arena, err,
						"Template format error: Every Mappings attribute must be a String or a List.");
		}
	}
	return r;
}

static int take_mappings(struct template *t, struct str *err)
{
	int r = section(t, "Mappings", &t->mappings, err);

	if (r < 0 || !t->mappings)
		return r;
	r = too_many(t, "mappings", t->mappings->n, TEMPLATE_MAPPINGS_MAX, err);
	for (size_t i = 0; i < t->mappings->n && r == 0; i++)
		r = take_mapping(t, &t->mappings->members[i], err);
	return r;
}

static int take_conditions(struct template *t, struct str *err)
{
	const struct json *s;
	int r = section(t, "Conditions", &s, err);

	if (r < 0 || !s)
		return r;
	t->conditions = arena_array(t->arena, struct template_condition, s->n + 1);
	for (size_t i = 0; i < s->n; i++) {
		if (s->members[i].value.type != JSON_OBJECT || s->members[i].value.n != 1)
			return complain(
				t->arena, err,
				"Template format error: Conditions can only be boolean operations on parameters and other conditions");
		t->conditions[t->n_conditions++] = (struct template_condition){ s->members[i].key, &s->members[i].value };
	}
	return 0;
}

/* --- resources --- */

static int check_policy(struct template *t, const struct template_resource *res, const char *key, struct str *err)
{
	static const char *const deletion[] = { "Delete", "Retain", "RetainExceptOnCreate", "Snapshot", NULL };
	const struct json *j = json_getz(res->decl, key);
	bool replace = strcmp(key, "UpdateReplacePolicy") == 0;

	if (!j || (t->language_extensions && j->type == JSON_OBJECT))
		return 0;
	if (j->type != JSON_STRING)
		return complain(t->arena, err, "Template format error: Every %s member must be a string.", key);
	if (!known(j->s, deletion) || (replace && str_is(j->s, "RetainExceptOnCreate")))
		return complain(t->arena, err, "Template format error: Unrecognized %s %.*s for resource %.*s", key, STR(j->s),
				STR(res->id));
	return 0;
}

static int take_resource(struct template *t, struct str id, const struct json *j, struct template_resource *res, struct str *err)
{
	static const char *const objects[] = { "Properties", "Metadata", "CreationPolicy", "UpdatePolicy" };
	struct str key;
	int r;

	if (!is_alnum_name(id))
		return complain(t->arena, err, "Template format error: Resource name %.*s is non alphanumeric.", STR(id));
	if (j->type != JSON_OBJECT)
		return complain(t->arena, err, "Template format error: Any Resources member must be an object.");
	*res = (struct template_resource){ .id = id, .decl = j, .condition = -1, .type = json_str(json_getz(j, "Type")) };
	if (!res->type.p)
		return complain(t->arena, err,
				"Template format error: [/Resources/%.*s] Every Resources object must contain a Type member.", STR(id));
	key = first_unknown(j, resource_keys);
	if (key.p)
		return complain(t->arena, err, "Invalid template resource property '%.*s'", STR(key));
	for (size_t i = 0; i < ELEMENTS(objects); i++) {
		const struct json *v = json_getz(j, objects[i]);

		if (v && v->type != JSON_OBJECT)
			return complain(t->arena, err, "Template format error: [/Resources/%.*s/%s] Every %s member must be an object.",
					STR(id), objects[i], objects[i]);
	}
	res->properties = json_getz(j, "Properties");
	r = check_policy(t, res, "DeletionPolicy", err);
	return r < 0 ? r : check_policy(t, res, "UpdateReplacePolicy", err);
}

static int take_resources(struct template *t, struct str *err)
{
	const struct json *s;
	int r = section(t, "Resources", &s, err);

	if (r < 0)
		return r;
	if (!s || !s->n)
		return complain(t->arena, err, "Template format error: At least one Resources member must be defined.");
	r = too_many(t, "resources", s->n, TEMPLATE_RESOURCES_MAX, err);
	if (r < 0)
		return r;
	t->resources = arena_array(t->arena, struct template_resource, s->n);
	for (size_t i = 0; i < s->n && r == 0; i++)
		r = take_resource(t, s->members[i].key, &s->members[i].value, &t->resources[t->n_resources++], err);
	return r;
}

/* --- outputs, rules --- */

static int take_output(struct template *t, struct str name, const struct json *j, struct template_output *o, struct str *err)
{
	const struct json *e;
	struct str key;

	*o = (struct template_output){ .name = name, .condition = -1 };
	if (!is_alnum_name(name))
		return complain(t->arena, err, "Template format error: Output name %.*s is non alphanumeric.", STR(name));
	if (j->type != JSON_OBJECT)
		return complain(t->arena, err, "Template format error: Any Outputs member must be an object.");
	key = first_unknown(j, output_keys);
	if (key.p)
		return complain(t->arena, err, "Invalid template output property '%.*s'", STR(key));
	o->value = json_getz(j, "Value");
	if (!o->value)
		return complain(t->arena, err, "Template format error: Every Outputs member must contain a Value object");
	e = json_getz(j, "Export");
	if (e && (e->type != JSON_OBJECT || e->n != 1 || !json_getz(e, "Name")))
		return complain(t->arena, err,
				"Template format error: Output %.*s is malformed. The Name field of every Export member must be specified "
				"and be non-empty.",
				STR(name));
	o->export_name = json_getz(e, "Name");
	return description(t, j, &o->description, err);
}

static int take_outputs(struct template *t, struct str *err)
{
	const struct json *s;
	int r = section(t, "Outputs", &s, err);

	if (r < 0 || !s)
		return r;
	r = too_many(t, "outputs", s->n, TEMPLATE_OUTPUTS_MAX, err);
	t->outputs = arena_array(t->arena, struct template_output, s->n + 1);
	for (size_t i = 0; i < s->n && r == 0; i++)
		r = take_output(t, s->members[i].key, &s->members[i].value, &t->outputs[t->n_outputs++], err);
	return r;
}

static int take_rule(struct template *t, struct str name, const struct json *j, struct template_rule *rule, struct str *err)
{
	struct str key = STR_NONE, s;

	*rule = (struct template_rule){ .name = name,
					.condition = json_getz(j, "RuleCondition"),
					.assertions = json_getz(j, "Assertions") };
	if (j->type != JSON_OBJECT)
		return complain(t->arena, err, "Template format error: Any Rules member must be an object.");
	key = first_unknown(j, rule_keys);
	if (key.p)
		return complain(t->arena, err, "Invalid template rule property '%.*s'", STR(key));
	if (!json_is(rule->assertions, JSON_ARRAY) || !rule->assertions->n)
		return complain(t->arena, err, "Template format error: Rule %.*s must contain a list of Assertions.", STR(name));
	for (size_t i = 0; i < rule->assertions->n; i++) {
		const struct json *a = &rule->assertions->items[i], *text = json_getz(a, "AssertDescription");

		if (a->type != JSON_OBJECT || !json_getz(a, "Assert"))
			return complain(t->arena, err,
					"Template format error: Every Assertions member of rule %.*s must contain an Assert member.",
					STR(name));
		key = first_unknown(a, assertion_keys);
		if (key.p)
			return complain(t->arena, err, "Invalid template rule assertion property '%.*s'", STR(key));
		if (text && !template_scalar(text, &s))
			return complain(t->arena, err, "Template format error: Every AssertDescription member must be a string.");
	}
	return 0;
}

static int take_rules(struct template *t, struct str *err)
{
	const struct json *s;
	int r = section(t, "Rules", &s, err);

	if (r < 0 || !s)
		return r;
	t->rules = arena_array(t->arena, struct template_rule, s->n + 1);
	for (size_t i = 0; i < s->n && r == 0; i++)
		r = take_rule(t, s->members[i].key, &s->members[i].value, &t->rules[t->n_rules++], err);
	return r;
}

int sections_take(struct template *t, struct str *err)
{
	int r = section(t, "Metadata", &t->metadata, err);

	if (r == 0)
		r = take_parameters(t, err);
	if (r == 0)
		r = take_mappings(t, err);
	if (r == 0)
		r = take_conditions(t, err);
	if (r == 0)
		r = take_resources(t, err);
	if (r == 0)
		r = take_outputs(t, err);
	return r < 0 ? r : take_rules(t, err);
}

/* --- links --- */

static int link_condition(struct template *t, const struct json *decl, const char *block, int *ret, struct str *err)
{
	const struct json *j = json_getz(decl, "Condition");

	if (!j)
		return 0;
	if (j->type != JSON_STRING)
		return complain(t->arena, err, "Template format error: Every Condition member must be a string.");
	*ret = condition_find(t, j->s);
	if (*ret < 0)
		return complain(t->arena, err,
				"Template format error: Unresolved condition dependency %.*s in the %s block of the template", STR(j->s),
				block);
	return 0;
}

static int link_one(struct template *t, struct template_resource *res, const struct json *j, struct str *err)
{
	size_t i;

	if (j->type != JSON_STRING)
		return complain(t->arena, err, "Template format error: Every DependsOn value must be a string.");
	if (template_find(t, j->s, &i) != TEMPLATE_RESOURCE)
		return complain(t->arena, err,
				"Template format error: Unresolved resource dependencies [%.*s] in the Resources block of the template",
				STR(j->s));
	for (size_t k = 0; k < res->n_depends_on; k++)
		if (res->depends_on[k] == i)
			return 0; /* named twice */
	res->depends_on[res->n_depends_on++] = i;
	return 0;
}

static int link_depends(struct template *t, struct template_resource *res, struct str *err)
{
	const struct json *j = json_getz(res->decl, "DependsOn");
	int r = 0;

	if (!j)
		return 0;
	if (j->type != JSON_STRING && j->type != JSON_ARRAY)
		return complain(t->arena, err, "Template format error: DependsOn must be a string or list of strings.");
	res->depends_on = arena_array(t->arena, size_t, t->n_resources);
	if (j->type == JSON_STRING)
		return link_one(t, res, j, err);
	for (size_t i = 0; i < j->n && r == 0; i++)
		r = link_one(t, res, &j->items[i], err);
	return r;
}

int sections_link(struct template *t, struct str *err)
{
	int r = 0;

	for (size_t i = 0; i < t->n_resources && r == 0; i++) {
		r = link_condition(t, t->resources[i].decl, "Resources", &t->resources[i].condition, err);
		if (r == 0)
			r = link_depends(t, &t->resources[i], err);
	}
	for (size_t i = 0; i < t->n_outputs && r == 0; i++)
		r = link_condition(t, json_get(json_getz(t->root, "Outputs"), t->outputs[i].name), "Outputs", &t->outputs[i].condition,
				   err);
	return r;
}
