/* SPDX-License-Identifier: Apache-2.0 */
/* refs.c - functions seen without evaluating them: are they well formed, do the names they use exist, and what does a
 * tree refer to. Depth is bounded by template_read. */
#include "cfn/template_int.h"
#include <errno.h>

#define SUB_NAME_BYTES_MAX 1024
#define SUB_MAP_MAX 1000 /* each variable is looked for in the map */

#define SUPPORTED                                                                                                                          \
	"[Fn::Base64, Fn::GetAtt, Fn::GetAZs, Fn::ImportValue, Fn::Join, Fn::Split, Fn::FindInMap, Fn::Select, Ref, Fn::Equals, Fn::If, "  \
	"Fn::Not, Condition, Fn::And, Fn::Or, Fn::Contains, Fn::EachMemberEquals, Fn::EachMemberIn, Fn::ValueOf, Fn::ValueOfAll, "         \
	"Fn::RefAll, Fn::Sub, Fn::Cidr]"

struct str fn_of(const struct json *j, const struct json **ret_arg)
{
	if (!json_is(j, JSON_OBJECT) || j->n != 1)
		return STR_NONE;
	if (!str_is(j->members[0].key, "Ref") && !str_starts(j->members[0].key, S("Fn::")))
		return STR_NONE;
	*ret_arg = &j->members[0].value;
	return j->members[0].key;
}

struct sub_piece sub_next(struct str *rest)
{
	struct sub_piece p = { SUB_TEXT, *rest };
	ptrdiff_t open, close;

	if (!rest->n)
		return (struct sub_piece){ SUB_END, STR_NONE };
	open = str_find(*rest, S("${"));
	if (open != 0) {
		p.s.n = open < 0 ? rest->n : (size_t)open;
		*rest = str_skip(*rest, p.s.n);
		return p;
	}
	/* A name has a bounded length, so looking for its end costs little even where there is none. */
	close = str_find_char(str_of(rest->p, rest->n < SUB_NAME_BYTES_MAX ? rest->n : SUB_NAME_BYTES_MAX), '}');
	if (close < 0 || rest->p[2] == '!') { /* ${!x}: "${" now, "x}" next */
		p.s.n = 2;
		*rest = str_skip(*rest, close < 0 ? 2 : 3);
		return p;
	}
	*rest = str_skip(*rest, close + 1);
	return (struct sub_piece){ SUB_VAR, str_of(p.s.p + 2, close - 2) };
}

bool getatt_split(const struct json *arg, struct str *ret_res, struct str *ret_attr, const struct json **ret_expr)
{
	*ret_attr = STR_NONE;
	*ret_expr = NULL;
	if (json_is(arg, JSON_STRING))
		return str_cut(arg->s, '.', ret_res, ret_attr) && ret_res->n && ret_attr->n;
	if (!json_is(arg, JSON_ARRAY) || arg->n != 2 || arg->items[0].type != JSON_STRING || !arg->items[0].s.n)
		return false;
	*ret_res = arg->items[0].s;
	if (arg->items[1].type == JSON_STRING) {
		*ret_attr = arg->items[1].s;
		return ret_attr->n > 0;
	}
	*ret_expr = &arg->items[1];
	return arg->items[1].type == JSON_OBJECT;
}

static bool is_pseudo(struct str s)
{
	static const char *const names[] = { "AWS::AccountId", "AWS::Region",           "AWS::Partition", "AWS::StackId",
					     "AWS::StackName", "AWS::NotificationARNs", "AWS::NoValue",   "AWS::URLSuffix" };

	for (size_t i = 0; i < ELEMENTS(names); i++)
		if (str_is(s, names[i]))
			return true;
	return false;
}

/* --- what a tree refers to --- */

static void walk_name(const struct refs *r, struct str name, struct str attr)
{
	size_t i;
	enum template_kind k = template_find(r->tpl, name, &i);

	if (k == TEMPLATE_RESOURCE || (k == TEMPLATE_PARAMETER && !attr.p))
		r->see(r->user, k, i, attr);
}

static void walk_sub(const struct refs *r, const struct json *arg)
{
	const struct json *map = json_is(arg, JSON_ARRAY) && arg->n == 2 ? &arg->items[1] : NULL;
	struct str rest = json_is(arg, JSON_ARRAY) && arg->n ? json_str(&arg->items[0]) : json_str(arg), left, right;
	struct sub_piece p;

	while ((p = sub_next(&rest)).kind != SUB_END) {
		if (p.kind != SUB_VAR || json_get(map, p.s))
			continue;
		if (str_cut(p.s, '.', &left, &right))
			walk_name(r, left, right);
		else
			walk_name(r, p.s, STR_NONE);
	}
	if (map)
		refs_walk(r, map);
}

static void walk_if(const struct refs *r, const struct json *arg)
{
	int i;

	if (!json_is(arg, JSON_ARRAY) || arg->n != 3)
		return;
	i = condition_find(r->tpl, json_str(&arg->items[0]));
	if (i < 0)
		return;
	r->see(r->user, TEMPLATE_CONDITION, i, STR_NONE);
	if (r->conditions) {
		refs_walk(r, &arg->items[r->conditions[i] == 1 ? 1 : 2]);
	} else if (r->both) {
		refs_walk(r, &arg->items[1]);
		refs_walk(r, &arg->items[2]);
	}
}

void refs_walk(const struct refs *r, const struct json *j)
{
	const struct json *arg, *expr;
	struct str name, res, attr;
	int i;

	if (!j || (j->type != JSON_ARRAY && j->type != JSON_OBJECT))
		return;
	name = fn_of(j, &arg);
	if (str_is(name, "Ref")) {
		walk_name(r, json_str(arg), STR_NONE);
	} else if (str_is(name, "Fn::GetAtt")) {
		if (getatt_split(arg, &res, &attr, &expr)) {
			walk_name(r, res, attr.p ? attr : S(""));
			refs_walk(r, expr);
		}
	} else if (str_is(name, "Fn::Sub")) {
		walk_sub(r, arg);
	} else if (str_is(name, "Fn::If")) {
		walk_if(r, arg);
	} else if (j->type == JSON_OBJECT && j->n == 1 && str_is(j->members[0].key, "Condition") &&
		   j->members[0].value.type == JSON_STRING) {
		i = condition_find(r->tpl, j->members[0].value.s);
		if (i >= 0)
			r->see(r->user, TEMPLATE_CONDITION, i, STR_NONE);
	} else {
		for (size_t k = 0; k < j->n; k++)
			refs_walk(r, j->type == JSON_OBJECT ? &j->members[k].value : &j->items[k]);
	}
}

/* --- checks --- */

struct check {
	struct template *t;
	struct str *err;
	enum place where;
	bool in_import;
	struct str *missing; /* names that mean nothing here, each once, in order */
	size_t n_missing, cap;
};

static int check_value(struct check *c, const struct json *j);

static int missing(struct check *c, struct str name)
{
	for (size_t i = 0; i < c->n_missing; i++)
		if (str_eq(c->missing[i], name))
			return 0;
	if (c->n_missing < TEMPLATE_RESOURCES_MAX)
		vec_push(c->t->arena, c->missing, c->n_missing, c->cap) = name;
	return 0;
}

static int check_name(struct check *c, struct str name)
{
	size_t i;
	enum template_kind k = template_find(c->t, name, &i);

	if (k == TEMPLATE_PARAMETER || is_pseudo(name))
		return 0;
	if (k == TEMPLATE_RESOURCE && c->in_import)
		return complain(c->t->arena, c->err,
				"Template error: the attribute in Fn::ImportValue must not depend on any resources, imported values, or "
				"Fn::GetAZs");
	return k == TEMPLATE_RESOURCE && (c->where == IN_RESOURCES || c->where == IN_OUTPUTS) ? 0 : missing(c, name);
}

static int check_ref(struct check *c, const struct json *arg)
{
	if (arg->type != JSON_STRING)
		return complain(c->t->arena, c->err, "Template error: every Ref object must have a single String value.");
	return check_name(c, arg->s);
}

static int check_getatt(struct check *c, const struct json *arg)
{
	const struct json *expr;
	struct str res, attr;
	size_t i;

	if (!getatt_split(arg, &res, &attr, &expr))
		return complain(c->t->arena, c->err,
				"Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the "
				"resource attribute");
	if (template_find(c->t, res, &i) != TEMPLATE_RESOURCE)
		return complain(c->t->arena, c->err, "Template error: instance of Fn::GetAtt references undefined resource %.*s", STR(res));
	if (c->in_import || (c->where != IN_RESOURCES && c->where != IN_OUTPUTS))
		return check_name(c, res);
	return expr ? check_value(c, expr) : 0;
}

static bool sub_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != '_' && s.p[i] != '.' && s.p[i] != ':' && !is_alnum_name(str_of(s.p + i, 1)))
			return false;
	return s.n > 0;
}

static int check_sub(struct check *c, const struct json *arg)
{
	const struct json *map = arg->type == JSON_ARRAY && arg->n == 2 ? &arg->items[1] : NULL;
	const struct json *text = map ? &arg->items[0] : arg;
	struct str rest, left, right;
	struct sub_piece p;
	size_t i;
	int r = 0;

	if (text->type != JSON_STRING || (map && (map->type != JSON_OBJECT || map->n > SUB_MAP_MAX)))
		return complain(c->t->arena, c->err,
				"Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a "
				"string as first "
				"argument, and an optional second argument to specify a mapping of values to replace in the string");
	rest = text->s;
	while (r == 0 && (p = sub_next(&rest)).kind != SUB_END) {
		if (p.kind != SUB_VAR || json_get(map, p.s))
			continue;
		if (!sub_name(p.s))
			return complain(c->t->arena, c->err,
					"Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, "
					"underscores, periods, "
					"and colons");
		if (!str_cut(p.s, '.', &left, &right))
			r = check_name(c, p.s);
		else if (template_find(c->t, left, &i) != TEMPLATE_RESOURCE || !right.n)
			return complain(c->t->arena, c->err,
					"Template error: instance of Fn::Sub references invalid resource attribute %.*s", STR(p.s));
		else
			r = check_name(c, left);
	}
	return r < 0 || !map ? r : check_value(c, map);
}

static int check_if(struct check *c, const struct json *arg)
{
	int r;

	if (arg->type != JSON_ARRAY || arg->n != 3)
		return complain(c->t->arena, c->err, "Template error: Fn::If requires a list argument with three elements");
	if (arg->items[0].type != JSON_STRING)
		return complain(c->t->arena, c->err,
				"Template error: Fn::If requires a list argument with the first element being a condition");
	if (condition_find(c->t, arg->items[0].s) < 0)
		return complain(c->t->arena, c->err, "Template error: unresolved condition dependency %.*s in Fn::If",
				STR(arg->items[0].s));
	r = check_value(c, &arg->items[1]);
	return r < 0 ? r : check_value(c, &arg->items[2]);
}

static int check_find_in_map(struct check *c, const struct json *arg)
{
	bool with_default = arg->type == JSON_ARRAY && arg->n == 4 && c->t->language_extensions &&
			    json_getz(&arg->items[3], "DefaultValue");

	if (arg->type != JSON_ARRAY || (arg->n != 3 && !with_default))
		return complain(c->t->arena, c->err,
				"Template error: every Fn::FindInMap object requires three parameters, the map name, map key and the "
				"attribute for return "
				"value");
	if (arg->items[0].type == JSON_STRING && !json_get(c->t->mappings, arg->items[0].s) && !with_default)
		return complain(c->t->arena, c->err,
				"Template error: Mapping named '%.*s' is not present in the 'Mappings' section of template.",
				STR(arg->items[0].s));
	return check_value(c, arg);
}

static int check_import(struct check *c, const struct json *arg)
{
	int r;

	if (c->in_import)
		return complain(c->t->arena, c->err,
				"Template error: the attribute in Fn::ImportValue must not depend on any resources, imported values, or "
				"Fn::GetAZs");
	if (c->where == IN_CONDITIONS || c->where == IN_RULES)
		return complain(c->t->arena, c->err, "Template error: Fn::ImportValue cannot be used in the %s block of the template",
				c->where == IN_RULES ? "Rules" : "Conditions");
	c->in_import = true;
	r = check_value(c, arg);
	c->in_import = false;
	return r;
}

static int check_booleans(struct check *c, const char *fn, const struct json *arg, size_t min, size_t max);

/* check_bool: j must be something that is true or false. */
static int check_bool(struct check *c, const struct json *j)
{
	const struct json *arg = NULL, *name = json_getz(j, "Condition");
	struct str fn = fn_of(j, &arg);

	if (str_is(fn, "Fn::And"))
		return check_booleans(c, "And", arg, 2, 10);
	if (str_is(fn, "Fn::Or"))
		return check_booleans(c, "Or", arg, 2, 10);
	if (str_is(fn, "Fn::Not"))
		return check_booleans(c, "Not", arg, 1, 1);
	if (str_is(fn, "Fn::Equals")) {
		if (arg->type != JSON_ARRAY || arg->n != 2)
			return complain(c->t->arena, c->err,
					"Template error: every Fn::Equals object requires a list of 2 string parameters.");
		return check_value(c, arg);
	}
	if (c->where == IN_RULES && (str_is(fn, "Fn::Contains") || str_is(fn, "Fn::EachMemberEquals") || str_is(fn, "Fn::EachMemberIn"))) {
		if (arg->type != JSON_ARRAY || arg->n != 2)
			return complain(c->t->arena, c->err, "Template error: every %.*s object requires a list of 2 parameters.", STR(fn));
		return check_value(c, arg);
	}
	if (name && j->n == 1) {
		if (name->type != JSON_STRING)
			return complain(c->t->arena, c->err, "Template error: every Condition object must have a single String value.");
		if (condition_find(c->t, name->s) < 0)
			return complain(c->t->arena, c->err, "Template error: unresolved condition dependency %.*s in Condition",
					STR(name->s));
		return 0;
	}
	return complain(c->t->arena, c->err, "Template format error: %s can only be boolean operations on parameters and other conditions",
			c->where == IN_RULES ? "Rules" : "Conditions");
}

static int check_booleans(struct check *c, const char *fn, const struct json *arg, size_t min, size_t max)
{
	int r = 0;

	if (arg->type != JSON_ARRAY || arg->n < min || arg->n > max)
		return complain(
			c->t->arena, c->err,
			max == 1 ? "Template error: every Fn::%s object requires a list with exactly 1 boolean parameter."
				 : "Template error: every Fn::%s object requires a list of at least 2 and at most 10 boolean parameters.",
			fn);
	for (size_t i = 0; i < arg->n && r == 0; i++)
		r = check_bool(c, &arg->items[i]);
	return r;
}

static bool is_list_or_fn(const struct json *j)
{
	return j->type == JSON_ARRAY || j->type == JSON_OBJECT;
}

static bool is_text_or_fn(const struct json *j)
{
	return j->type != JSON_ARRAY && j->type != JSON_NULL;
}

/* check_shape: functions whose argument has a fixed form, each with its sentence. */
static int check_shape(struct check *c, struct str fn, const struct json *arg)
{
	bool pair = arg->type == JSON_ARRAY && arg->n == 2;
	const struct json *v = arg->items;
	const char *bad = NULL;

	if (str_is(fn, "Fn::Join") && !(pair && v[0].type != JSON_ARRAY && v[0].type != JSON_OBJECT && is_list_or_fn(&v[1])))
		bad = "Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to "
		      "be joined or "
		      "a function that returns a list of strings (such as Fn::GetAZs) to be joined.";
	else if (str_is(fn, "Fn::Split") && !(pair && v[0].type == JSON_STRING && is_text_or_fn(&v[1])))
		bad = "Template error: every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split "
		      "or a "
		      "function that returns a string to be split.";
	else if (str_is(fn, "Fn::Select") && !(pair && is_text_or_fn(&v[0]) && is_list_or_fn(&v[1])))
		bad = "Template error: Fn::Select requires a list argument with two elements: an integer index and a list";
	else if (str_is(fn, "Fn::Cidr") && !(arg->type == JSON_ARRAY && arg->n == 3))
		bad = "Template error: every Fn::Cidr object requires three parameters, the ipBlock, the count and the cidrBits.";
	else if (str_is(fn, "Fn::Base64") && !is_text_or_fn(arg))
		bad = "Template error: every Fn::Base64 object must have a String-typed value.";
	else if (str_is(fn, "Fn::GetAZs") && !is_text_or_fn(arg))
		bad = "Template error: every Fn::GetAZs object must have a String-typed value.";
	if (bad)
		return complain(c->t->arena, c->err, "%s", bad);
	if (str_is(fn, "Fn::GetAZs") && c->in_import)
		return complain(c->t->arena, c->err,
				"Template error: the attribute in Fn::ImportValue must not depend on any resources, imported values, or "
				"Fn::GetAZs");
	return check_value(c, arg);
}

static bool one_of(struct str s, const char *const *names)
{
	for (; *names; names++)
		if (str_is(s, *names))
			return true;
	return false;
}

static int check_fn(struct check *c, struct str fn, const struct json *arg)
{
	static const char *const shaped[] = { "Fn::Join", "Fn::Split", "Fn::Select", "Fn::Cidr", "Fn::Base64", "Fn::GetAZs", NULL };
	static const char *const booleans[] = { "Fn::And", "Fn::Or", "Fn::Not", "Fn::Equals", NULL };
	static const char *const rules[] = { "Fn::RefAll", "Fn::ValueOf", "Fn::ValueOfAll", NULL };
	static const char *const extensions[] = { "Fn::Length", "Fn::ToJsonString", NULL };

	if (str_is(fn, "Ref"))
		return check_ref(c, arg);
	if (str_is(fn, "Fn::GetAtt"))
		return check_getatt(c, arg);
	if (str_is(fn, "Fn::Sub"))
		return check_sub(c, arg);
	if (str_is(fn, "Fn::If"))
		return check_if(c, arg);
	if (str_is(fn, "Fn::FindInMap"))
		return check_find_in_map(c, arg);
	if (str_is(fn, "Fn::ImportValue"))
		return check_import(c, arg);
	if (one_of(fn, shaped))
		return check_shape(c, fn, arg);
	if (one_of(fn, booleans))
		return complain(c->t->arena, c->err, "Template error: %.*s cannot be partially collapsed", STR(fn));
	if (c->where == IN_RULES && one_of(fn, rules))
		return check_value(c, arg);
	if (c->t->language_extensions && one_of(fn, extensions))
		return check_value(c, arg);
	if (str_is(fn, "Fn::Transform"))
		return complain(c->t->arena, c->err, "No transform named %.*s found.",
				STR(json_get_str(arg, "Name").p ? json_get_str(arg, "Name") : S("")));
	return complain(c->t->arena, c->err, "Template error: Encountered unsupported function: %.*s Supported functions are: " SUPPORTED,
			STR(fn));
}

static int check_value(struct check *c, const struct json *j)
{
	const struct json *arg;
	struct str fn;
	int r = 0;

	if (!j || (j->type != JSON_ARRAY && j->type != JSON_OBJECT))
		return 0;
	fn = fn_of(j, &arg);
	if (fn.p)
		return check_fn(c, fn, arg);
	for (size_t i = 0; i < j->n && r == 0; i++)
		r = check_value(c, j->type == JSON_OBJECT ? &j->members[i].value : &j->items[i]);
	return r;
}

static int report_missing(struct check *c)
{
	struct str names = names_text(c->t->arena, c->missing, c->n_missing);

	if (!c->n_missing)
		return 0;
	if (c->where == IN_CONDITIONS || c->where == IN_RULES)
		return complain(
			c->t->arena, c->err,
			"Template format error: Unresolved dependencies [%.*s]. Cannot reference resources in the %s block of the template",
			STR(names), c->where == IN_RULES ? "Rules" : "Conditions");
	return complain(c->t->arena, c->err,
			"Template format error: Unresolved resource dependencies [%.*s] in the %s block of the template", STR(names),
			c->where == IN_OUTPUTS ? "Outputs" : "Resources");
}

static int check_resources(struct template *t, struct str *err)
{
	static const char *const attributes[] = { "Properties",   "Metadata",       "CreationPolicy",
						  "UpdatePolicy", "DeletionPolicy", "UpdateReplacePolicy" };
	struct check c = { .t = t, .err = err, .where = IN_RESOURCES };
	int r = 0;

	for (size_t i = 0; i < t->n_resources && r == 0; i++)
		for (size_t k = 0; k < ELEMENTS(attributes) && r == 0; k++)
			r = check_value(&c, json_getz(t->resources[i].decl, attributes[k]));
	return r < 0 ? r : report_missing(&c);
}

static int check_outputs(struct template *t, struct str *err)
{
	struct check c = { .t = t, .err = err, .where = IN_OUTPUTS };
	int r = 0;

	for (size_t i = 0; i < t->n_outputs && r == 0; i++) {
		r = check_value(&c, t->outputs[i].value);
		if (r == 0)
			r = check_value(&c, t->outputs[i].export_name);
	}
	return r < 0 ? r : report_missing(&c);
}

static int check_rules(struct template *t, struct str *err)
{
	struct check c = { .t = t, .err = err, .where = IN_RULES };
	int r = 0;

	for (size_t i = 0; i < t->n_rules && r == 0; i++) {
		if (t->rules[i].condition)
			r = check_bool(&c, t->rules[i].condition);
		for (size_t k = 0; k < t->rules[i].assertions->n && r == 0; k++)
			r = check_bool(&c, json_getz(&t->rules[i].assertions->items[k], "Assert"));
	}
	return r < 0 ? r : report_missing(&c);
}

/* --- conditions in order --- */

struct edges {
	struct arena *a;
	struct template_node *node;
	size_t cap;
};

static void see_condition(void *user, enum template_kind kind, size_t i, struct str attr)
{
	struct edges *e = user;

	if (kind == TEMPLATE_CONDITION)
		vec_push(e->a, e->node->deps, e->node->n_deps, e->cap) = i;
}

static int order_conditions(struct template *t, struct str *err)
{
	struct template_node *nodes = arena_array(t->arena, struct template_node, t->n_conditions + 1);
	bool *circle = arena_array(t->arena, bool, t->n_conditions + 1);
	struct str *names;
	size_t n = 0;

	for (size_t i = 0; i < t->n_conditions; i++) {
		struct edges e = { t->arena, &nodes[i], 0 };
		struct refs r = { .tpl = t, .both = true, .see = see_condition, .user = &e };

		refs_walk(&r, t->conditions[i].body);
	}
	nodes_link(t->arena, nodes, t->n_conditions);
	t->condition_order = arena_array(t->arena, size_t, t->n_conditions + 1);
	if (order_of(t->arena, nodes, NULL, t->n_conditions, t->condition_order, circle) == t->n_conditions)
		return 0;
	names = arena_array(t->arena, struct str, t->n_conditions);
	for (size_t i = 0; i < t->n_conditions; i++)
		if (circle[i])
			names[n++] = t->conditions[i].name;
	return complain(t->arena, err, "Template error: Found circular condition dependency: [%.*s]", STR(names_text(t->arena, names, n)));
}

static int check_conditions(struct template *t, struct str *err)
{
	struct check c = { .t = t, .err = err, .where = IN_CONDITIONS };
	int r = 0;

	for (size_t i = 0; i < t->n_conditions && r == 0; i++)
		r = check_bool(&c, t->conditions[i].body);
	if (r == 0)
		r = report_missing(&c);
	return r < 0 ? r : order_conditions(t, err);
}

/* --- circles that no condition can open --- */

struct static_edges {
	struct edges e;
	const struct template *t;
};

static void see_resource(void *user, enum template_kind kind, size_t i, struct str attr)
{
	struct static_edges *s = user;

	if (kind == TEMPLATE_RESOURCE && s->t->resources[i].condition < 0)
		vec_push(s->e.a, s->e.node->deps, s->e.node->n_deps, s->e.cap) = i;
}

static int check_circles(struct template *t, struct str *err)
{
	struct template_node *nodes = arena_array(t->arena, struct template_node, t->n_resources);
	size_t *order = arena_array(t->arena, size_t, t->n_resources);
	bool *circle = arena_array(t->arena, bool, t->n_resources);

	for (size_t i = 0; i < t->n_resources; i++) {
		const struct template_resource *res = &t->resources[i];
		struct static_edges s = { { t->arena, &nodes[i], 0 }, t };
		struct refs r = { .tpl = t, .see = see_resource, .user = &s };

		if (res->condition >= 0)
			continue;
		refs_walk(&r, res->properties);
		refs_walk(&r, json_getz(res->decl, "Metadata"));
		for (size_t k = 0; k < res->n_depends_on; k++)
			see_resource(&s, TEMPLATE_RESOURCE, res->depends_on[k], STR_NONE);
	}
	nodes_link(t->arena, nodes, t->n_resources);
	if (order_of(t->arena, nodes, NULL, t->n_resources, order, circle) == t->n_resources)
		return 0;
	return complain_circle(t, circle, t->arena, err);
}

int refs_check(struct template *t, struct str *ret_err)
{
	int r = check_conditions(t, ret_err);

	if (r == 0)
		r = check_resources(t, ret_err);
	if (r == 0)
		r = check_outputs(t, ret_err);
	if (r == 0)
		r = check_rules(t, ret_err);
	return r < 0 ? r : check_circles(t, ret_err);
}
