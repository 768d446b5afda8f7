/* SPDX-License-Identifier: Apache-2.0 */
/* evalfn.c - the intrinsic functions, one by one, and dynamic references. Arguments have the form refs.c checked. */
#include "base/util.h"
#include "cfn/template_int.h"
#include <errno.h>

#define SPLIT_SENTENCE                                                                                                                     \
	"Template error: every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split or a "        \
	"function "                                                                                                                        \
	"that returns a string to be split."
#define JOIN_SENTENCE                                                                                                                      \
	"Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be joined or " \
	"a "                                                                                                                               \
	"function that returns a list of strings (such as Fn::GetAZs) to be joined."
#define MAP_SENTENCE                                                                                                                       \
	"Template error: every Fn::FindInMap object requires three parameters, the map name, map key and the attribute for return value"
#define SELECT_SENTENCE "Template error: Fn::Select requires a list argument with two elements: an integer index and a list"

/* --- Ref and Fn::GetAtt --- */

static int ref_pseudo(struct template_ctx *c, struct str name, struct json *ret)
{
	const struct {
		const char *name;
		struct str value;
	} v[] = {
		{ "AWS::AccountId", c->env.account }, { "AWS::Region", c->env.region },        { "AWS::Partition", c->env.partition },
		{ "AWS::StackId", c->env.stack_id },  { "AWS::StackName", c->env.stack_name }, { "AWS::URLSuffix", c->env.url_suffix },
	};

	if (str_is(name, "AWS::NoValue"))
		return EV_NOVALUE;
	if (str_is(name, "AWS::NotificationARNs"))
		return eval_list_str(c, c->env.notification_arns.v, c->env.notification_arns.n, ret);
	for (size_t i = 0; i < ELEMENTS(v); i++)
		if (str_is(name, v[i].name) && v[i].value.p)
			return eval_str(c, v[i].value, ret);
	return -ENOENT;
}

static int unresolved(struct template_ctx *c, struct str name)
{
	return template_fail(c, "Template format error: Unresolved resource dependencies [%.*s] in the Resources block of the template",
			     STR(name));
}

static int ref(struct template_ctx *c, struct str name, struct json *ret)
{
	struct str s = STR_NONE;
	size_t i;
	int r = ref_pseudo(c, name, ret);

	if (r != -ENOENT)
		return r;
	switch (template_find(c->tpl, name, &i)) {
	case TEMPLATE_PARAMETER:
		if (!c->values)
			return template_fail(c, "Parameters: [%.*s] must have values", STR(name));
		*ret = *c->values[i].json;
		/* The list itself is shared, its bytes were counted when the values were; the texts are copied by no one. */
		return eval_charge(c, sizeof *ret);
	case TEMPLATE_RESOURCE:
		if (!template_active(c, i) || !c->calls->ref)
			return unresolved(c, name);
		r = c->calls->ref(c->user, i, &s);
		if (r == 0)
			return eval_str(c, s, ret);
		return r == -ENOENT ? unresolved(c, name) : r;
	default:
		return unresolved(c, name);
	}
}

static int getatt(struct template_ctx *c, struct str res, struct str attr, struct json *ret)
{
	struct json *j = NULL;
	size_t i;
	int r;

	if (template_find(c->tpl, res, &i) != TEMPLATE_RESOURCE)
		return template_fail(c, "Template error: instance of Fn::GetAtt references undefined resource %.*s", STR(res));
	if (!template_active(c, i) || !c->calls->getatt)
		return unresolved(c, res);
	r = c->calls->getatt(c->user, i, attr, &j);
	if (r == -ENOENT)
		return template_fail(c, "Template error: resource %.*s does not support attribute type %.*s in Fn::GetAtt", STR(res),
				     STR(attr));
	if (r < 0)
		return r;
	*ret = *j;
	return eval_charge(c, sizeof *ret + (j->s.p ? j->s.n : 0));
}

static int fn_getatt(struct template_ctx *c, const struct json *arg, struct json *ret)
{
	const struct json *expr;
	struct str res, attr;
	int r;

	if (!getatt_split(arg, &res, &attr, &expr))
		return template_fail(
			c, "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource "
			   "attribute");
	if (expr) {
		r = eval_text(c, expr, &attr,
			      "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the "
			      "resource attribute");
		if (r < 0)
			return r;
	}
	return getatt(c, res, attr, ret);
}

/* --- texts --- */

static int sub_value(struct template_ctx *c, struct str name, const struct json *map, struct str *ret)
{
	const struct json *m = json_get(map, name);
	struct str left, right;
	struct json v;
	int r;

	if (m)
		r = eval_into(c, m, &v);
	else if (str_cut(name, '.', &left, &right))
		r = getatt(c, left, right, &v);
	else
		r = ref(c, name, &v);
	if (r < 0)
		return r;
	if (r == EV_NOVALUE || !template_scalar(&v, ret))
		return template_fail(c, "Template error: variable %.*s in Fn::Sub expression does not resolve to a string", STR(name));
	return 0;
}

/* pieces collects texts and joins them once, so that long results cost what they are long. */
struct pieces {
	struct str *v;
	size_t n, cap, bytes;
};

static int fn_sub(struct template_ctx *c, const struct json *arg, struct json *ret)
{
	const struct json *map = arg->type == JSON_ARRAY ? &arg->items[1] : NULL;
	struct str rest = map ? json_str(&arg->items[0]) : json_str(arg);
	struct pieces out = { 0 };
	struct sub_piece p;
	int r = 0;

	while (r == 0 && (p = sub_next(&rest)).kind != SUB_END) {
		if (p.kind == SUB_VAR)
			r = sub_value(c, p.s, map, &p.s);
		if (r == 0)
			r = eval_charge(c, p.s.n + sizeof p.s);
		if (r == 0)
			vec_push(c->arena, out.v, out.n, out.cap) = p.s;
	}
	if (r < 0)
		return r;
	*ret = (struct json){ .type = JSON_STRING, .s = out.n ? str_join(c->arena, out.v, out.n, S("")) : S("") };
	return 0;
}

static int fn_join(struct template_ctx *c, const struct json *arg, struct json *ret)
{
	struct str sep = json_scalar(&arg->items[0]);
	struct json list;
	struct str *v;
	int r = eval_list(c, &arg->items[1], &list, JOIN_SENTENCE);

	if (r < 0)
		return r;
	v = arena_array(c->arena, struct str, list.n + 1);
	for (size_t i = 0; i < list.n; i++) {
		if (!template_scalar(&list.items[i], &v[i]))
			return template_fail(c, JOIN_SENTENCE);
		r = eval_charge(c, v[i].n + sep.n + sizeof *v);
		if (r < 0)
			return r;
	}
	*ret = (struct json){ .type = JSON_STRING, .s = list.n ? str_join(c->arena, v, list.n, sep) : S("") };
	return 0;
}

static int fn_split(struct template_ctx *c, const struct json *arg, struct json *ret)
{
	struct str sep = json_str(&arg->items[0]), s;
	struct json item;
	ptrdiff_t at;
	int r = eval_text(c, &arg->items[1], &s, SPLIT_SENTENCE);

	if (r == 0 && !sep.n)
		r = template_fail(c, SPLIT_SENTENCE);
	*ret = (struct json){ .type = JSON_ARRAY };
	while (r == 0) {
		at = str_find(s, sep);
		r = eval_str(c, at < 0 ? s : str_of(s.p, at), &item);
		if (r < 0)
			return r;
		json_push(c->arena, ret, &item);
		if (at < 0)
			break;
		s = str_skip(s, at + sep.n);
	}
	return r;
}

static int fn_base64(struct template_ctx *c, const struct json *arg, struct json *ret)
{
	struct str s;
	int r = eval_text(c, arg, &s, "Template error: every Fn::Base64 object must have a String-typed value.");

	return r < 0 ? r : eval_str(c, base64_encode(c->arena, s), ret);
}

/* --- choices --- */

static int fn_if(struct template_ctx *c, const struct json *arg, struct json *ret)
{
	int i = condition_find(c->tpl, json_str(&arg->items[0]));

	if (i < 0 || !c->conditions || c->conditions[i] < 0)
		return template_fail(c, "Template error: unresolved condition dependency %.*s in Fn::If", STR(json_str(&arg->items[0])));
	return eval_into(c, &arg->items[c->conditions[i] == 1 ? 1 : 2], ret);
}

static int fn_select(struct template_ctx *c, const struct json *arg, struct json *ret)
{
	struct json list;
	struct str s;
	int64_t i;
	int r = eval_text(c, &arg->items[0], &s, SELECT_SENTENCE);

	if (r < 0)
		return r;
	if (str_to_i64(s, &i) < 0)
		return template_fail(c,
				     "Template error: Fn::Select requires a list argument with a valid index value as its first element");
	r = eval_list(c, &arg->items[1], &list, SELECT_SENTENCE);
	if (r < 0)
		return r;
	if (i < 0 || (uint64_t)i >= list.n)
		return template_fail(c, "Template error: Fn::Select cannot select nonexistent value at index %lld", (long long)i);
	*ret = list.items[i];
	return 0;
}

static int fn_find_in_map(struct template_ctx *c, const struct json *arg, struct json *ret)
{
	const struct json *dflt = arg->n == 4 ? json_getz(&arg->items[3], "DefaultValue") : NULL, *map, *v;
	struct str k[3];
	int r = 0;

	for (size_t i = 0; i < 3 && r == 0; i++)
		r = eval_text(c, &arg->items[i], &k[i], MAP_SENTENCE);
	if (r < 0)
		return r;
	map = json_get(c->tpl->mappings, k[0]);
	v = json_get(json_get(map, k[1]), k[2]);
	if (v)
		return eval_into(c, v, ret);
	if (dflt)
		return eval_into(c, dflt, ret);
	if (!map)
		return template_fail(c, "Template error: Mapping named '%.*s' is not present in the 'Mappings' section of template.",
				     STR(k[0]));
	return template_fail(c, "Template error: Unable to get mapping for %.*s::%.*s::%.*s", STR(k[0]), STR(k[1]), STR(k[2]));
}

/* --- the world --- */

static int fn_get_azs(struct template_ctx *c, const struct json *arg, struct json *ret)
{
	struct str_list zones = { 0 };
	struct str region;
	int r = eval_text(c, arg, &region, "Template error: every Fn::GetAZs object must have a String-typed value.");

	if (r < 0)
		return r;
	if (!region.n)
		region = c->env.region;
	r = c->calls->zones ? c->calls->zones(c->user, region, &zones) : -ENOENT;
	if (r == -ENOENT)
		return template_fail(c, "Template error: Unable to get availability zones of region %.*s in Fn::GetAZs", STR(region));
	return r < 0 ? r : eval_list_str(c, zones.v, zones.n, ret);
}

static int fn_import(struct template_ctx *c, const struct json *arg, struct json *ret)
{
	struct str name, s = STR_NONE;
	int r = eval_text(c, arg, &name, "Template error: every Fn::ImportValue object must have a String-typed value.");

	if (r < 0)
		return r;
	r = c->calls->import ? c->calls->import(c->user, name, &s) : -ENOENT;
	if (r == -ENOENT)
		return template_fail(c, "No export named %.*s found.", STR(name));
	return r < 0 ? r : eval_str(c, s, ret);
}

/* --- AWS::LanguageExtensions --- */

static int fn_length(struct template_ctx *c, const struct json *arg, struct json *ret)
{
	struct json list;
	int r = eval_list(c, arg, &list, "Transform AWS::LanguageExtensions failed with: Fn::Length requires a list");

	if (r == 0)
		*ret = (struct json){ .type = JSON_NUMBER, .s = str_printf(c->arena, "%zu", list.n) };
	return r;
}

static int fn_to_json(struct template_ctx *c, const struct json *arg, struct json *ret)
{
	struct json v;
	int r = eval_into(c, arg, &v);

	if (r < 0)
		return r;
	if (r == EV_NOVALUE || (v.type != JSON_ARRAY && v.type != JSON_OBJECT))
		return template_fail(c, "Transform AWS::LanguageExtensions failed with: Fn::ToJsonString requires a map or a list");
	return eval_str(c, json_text(c->arena, &v), ret);
}

/* --- Rules --- */

static const struct template_parameter *parameter_at(struct template_ctx *c, struct str name, size_t *ret_i)
{
	return template_find(c->tpl, name, ret_i) == TEMPLATE_PARAMETER && c->values ? &c->tpl->parameters[*ret_i] : NULL;
}

/* values_of appends attribute (absent: the value itself) of each value of parameter i to *ret. */
static int values_of(struct template_ctx *c, size_t i, struct str attribute, struct json *ret)
{
	const struct json *j = c->values[i].json;
	size_t n = j->type == JSON_ARRAY ? j->n : 1;
	struct json item;
	int r = 0;

	for (size_t k = 0; k < n && r == 0; k++) {
		struct str s = j->type == JSON_ARRAY ? j->items[k].s : j->s;

		if (attribute.p) {
			r = c->calls->value_of ? c->calls->value_of(c->user, c->tpl->parameters[i].item, s, attribute, &s) : -ENOENT;
			if (r == -ENOENT)
				return template_fail(c, "Template error: attribute %.*s of %.*s is not available to rule functions",
						     STR(attribute), STR(c->tpl->parameters[i].type));
		}
		if (r == 0)
			r = eval_str(c, s, &item);
		if (r == 0)
			json_push(c->arena, ret, &item);
	}
	return r;
}

static int fn_value_of(struct template_ctx *c, const struct json *arg, struct json *ret)
{
	const struct template_parameter *p;
	size_t i;
	int r;

	if (arg->type != JSON_ARRAY || arg->n != 2 || arg->items[1].type != JSON_STRING)
		return template_fail(
			c,
			"Template error: every Fn::ValueOf object requires two parameters, the parameter's logical id and the attribute");
	p = parameter_at(c, json_str(&arg->items[0]), &i);
	if (!p)
		return template_fail(c, "Template error: Fn::ValueOf references undefined parameter %.*s",
				     STR(json_scalar(&arg->items[0])));
	*ret = (struct json){ .type = JSON_ARRAY };
	r = values_of(c, i, arg->items[1].s, ret);
	if (r == 0 && !p->list && ret->n == 1)
		*ret = ret->items[0];
	return r;
}

static int fn_all_of(struct template_ctx *c, struct str type, struct str attribute, struct json *ret)
{
	int r = 0;

	*ret = (struct json){ .type = JSON_ARRAY };
	for (size_t i = 0; i < c->tpl->n_parameters && c->values && r == 0; i++)
		if (str_eq(c->tpl->parameters[i].item, type) || str_eq(c->tpl->parameters[i].type, type))
			r = values_of(c, i, attribute, ret);
	return r;
}

int eval_fn(struct template_ctx *c, struct str name, const struct json *arg, struct json *ret)
{
	static const struct {
		const char *name;
		int (*run)(struct template_ctx *c, const struct json *arg, struct json *ret);
	} fns[] = {
		{ "Fn::GetAtt", fn_getatt },
		{ "Fn::Sub", fn_sub },
		{ "Fn::Join", fn_join },
		{ "Fn::Split", fn_split },
		{ "Fn::Select", fn_select },
		{ "Fn::If", fn_if },
		{ "Fn::FindInMap", fn_find_in_map },
		{ "Fn::Base64", fn_base64 },
		{ "Fn::Cidr", eval_cidr },
		{ "Fn::GetAZs", fn_get_azs },
		{ "Fn::ImportValue", fn_import },
		{ "Fn::Length", fn_length },
		{ "Fn::ToJsonString", fn_to_json },
		{ "Fn::ValueOf", fn_value_of },
	};

	if (str_is(name, "Ref"))
		return ref(c, json_str(arg), ret);
	for (size_t i = 0; i < ELEMENTS(fns); i++)
		if (str_is(name, fns[i].name))
			return fns[i].run(c, arg, ret);
	if (str_is(name, "Fn::RefAll"))
		return fn_all_of(c, json_scalar(arg), STR_NONE, ret);
	if (str_is(name, "Fn::ValueOfAll") && arg->type == JSON_ARRAY && arg->n == 2 && json_str(&arg->items[1]).p)
		return fn_all_of(c, json_scalar(&arg->items[0]), arg->items[1].s, ret);
	return template_fail(c, "Template error: %.*s cannot be used here", STR(name));
}

/* --- dynamic references --- */

static int malformed(struct template_ctx *c, const char *service, struct str text)
{
	return template_fail(c, "Incorrect format is used in the following %s reference: [%.*s]", service, STR(text));
}

static int parse_ssm(struct template_ctx *c, struct str body, struct template_dynamic *d)
{
	struct str more;

	str_cut(body, ':', &d->name, &d->version);
	if (!d->name.n || (d->version.p && (!str_digits(d->version) || str_cut(d->version, ':', &more, &more))))
		return malformed(c, "SSM", d->text);
	return 0;
}

static int parse_secret(struct template_ctx *c, struct str body, struct template_dynamic *d)
{
	struct str rest = body, part[5] = { 0 };
	size_t n = 0, colons = 0, i = 0;

	if (str_starts(body, S("arn:"))) { /* the ARN holds six colons of its own */
		while (i < body.n && (body.p[i] != ':' || ++colons < 7))
			i++;
		part[n++] = str_of(body.p, i);
		rest = i < body.n ? str_skip(body, i + 1) : STR_NONE;
	}
	while (n < ELEMENTS(part) && str_next(&rest, ':', &part[n]))
		n++;
	if (rest.p || !part[0].n || (part[1].n && !str_is(part[1], "SecretString")))
		return malformed(c, "SecretsManager", d->text);
	d->name = part[0];
	d->json_key = part[2].n ? part[2] : STR_NONE;
	d->stage = part[3].n ? part[3] : STR_NONE;
	d->version = part[4].n ? part[4] : STR_NONE;
	if (d->stage.p && d->version.p)
		return malformed(c, "SecretsManager", d->text);
	return 0;
}

/* dynamic_value answers for one reference; 1 when it names no service known here and stays as text. */
static int dynamic_value(struct template_ctx *c, struct str text, struct str *ret)
{
	struct template_dynamic d = { .text = text };
	struct str body = str_of(text.p + 10, text.n - 12), service, rest;
	int r;

	if (!str_cut(body, ':', &service, &rest))
		return 1;
	if (str_is(service, "ssm") || str_is(service, "ssm-secure")) {
		d.kind = str_is(service, "ssm") ? TEMPLATE_SSM : TEMPLATE_SSM_SECURE;
		r = parse_ssm(c, rest, &d);
	} else if (str_is(service, "secretsmanager")) {
		d.kind = TEMPLATE_SECRETSMANAGER;
		r = parse_secret(c, rest, &d);
	} else {
		return 1;
	}
	if (r < 0)
		return r;
	r = c->calls->dynamic ? c->calls->dynamic(c->user, &d, ret) : -ENOENT;
	if (r == -ENOENT && d.kind == TEMPLATE_SECRETSMANAGER)
		return template_fail(c, "Could not find a value associated with %.*s in SecretsManager.", STR(d.text));
	if (r == -ENOENT)
		return template_fail(c, "Parameters: [%.*s] cannot be found.", STR(d.text));
	return r < 0 ? r : 0;
}

static int resolve_str(struct template_ctx *c, struct str s, struct str *ret)
{
	struct pieces out = { 0 };
	int r;

	*ret = s;
	if (str_find(s, S("{{resolve:")) < 0)
		return 0;
	while (s.n) {
		ptrdiff_t open = str_find(s, S("{{resolve:")), close = open < 0 ? -1 : str_find(str_skip(s, open), S("}}"));
		struct str text, v = STR_NONE;

		if (close < 0)
			break;
		text = str_of(s.p + open, close + 2);
		r = dynamic_value(c, text, &v);
		if (r >= 0)
			r = eval_charge(c, open + 2 * sizeof v + (r ? text.n : v.n)) < 0 ? -EINVAL : r;
		if (r < 0)
			return r;
		vec_push(c->arena, out.v, out.n, out.cap) = str_of(s.p, open);
		vec_push(c->arena, out.v, out.n, out.cap) = r ? text : v;
		s = str_skip(s, open + close + 2);
	}
	vec_push(c->arena, out.v, out.n, out.cap) = s;
	*ret = str_join(c->arena, out.v, out.n, S(""));
	return 0;
}

static int resolve_into(struct template_ctx *c, const struct json *j, struct json *ret)
{
	int r = eval_charge(c, sizeof *ret);

	*ret = *j;
	if (r < 0)
		return r;
	if (j->type == JSON_STRING)
		return resolve_str(c, j->s, &ret->s);
	if (j->type != JSON_ARRAY && j->type != JSON_OBJECT)
		return 0;
	ret->cap = ret->n;
	if (j->type == JSON_ARRAY)
		ret->items = arena_array(c->arena, struct json, j->n);
	else
		ret->members = arena_array(c->arena, struct json_member, j->n);
	for (size_t i = 0; i < j->n && r == 0; i++) {
		if (j->type == JSON_OBJECT)
			ret->members[i].key = j->members[i].key;
		r = j->type == JSON_ARRAY ? resolve_into(c, &j->items[i], &ret->items[i])
					  : resolve_into(c, &j->members[i].value, &ret->members[i].value);
	}
	return r;
}

int template_resolve_dynamic(struct template_ctx *c, const struct json *j, struct json **ret)
{
	struct json v;
	int r = resolve_into(c, j, &v);

	if (r == 0)
		*ret = arena_dup(c->arena, &v, sizeof v);
	return r;
}
