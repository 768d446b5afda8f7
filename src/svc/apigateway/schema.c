/* SPDX-License-Identifier: Apache-2.0 */
/* schema.c - checks a JSON value against a draft 4 schema. Sources: "JSON Schema: core definitions and terminology", "JSON Schema:
 * interactive and non interactive validation" (draft 4); "Data models for REST APIs" (API Gateway Developer Guide). */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "svc/apigateway/schema.h"
#include <errno.h>
#include <math.h>
#include <pcre2.h>

#define PATTERN_MATCH_LIMIT 100000
#define PATTERN_DEPTH_LIMIT 5000
#define PATTERN_HEAP_KIB 4096
#define PATTERN_WORK 100

struct check {
	struct arena *a;
	const struct schema_models *models;
	const struct json *root; /* of the schema at hand, for "#/..." */
	int depth;
	int64_t work;
	struct str why;
};

static int check(struct check *k, const struct json *s, const struct json *v, struct str at);

static int charge(struct check *k, int64_t n)
{
	k->work += n;
	return k->work > SCHEMA_WORK_MAX ? -E2BIG : 0;
}

static int no(struct check *k, struct str at, const char *what)
{
	k->why = str_printf(k->a, "%.*s: %s", STR(at), what);
	return -EINVAL;
}

/* --- regular expressions --- */
static int matches(struct check *k, struct str pattern, struct str s) /* 1 yes, 0 no */
{
	int code, r = charge(k, PATTERN_WORK + (int64_t)((pattern.n + s.n) >> 4));
	PCRE2_SIZE at;
	pcre2_code *re;
	pcre2_match_data *data;
	pcre2_match_context *ctx;

	if (r < 0)
		return r;
	re = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n, PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C, &code, &at, NULL);
	if (!re)
		return -ENOENT;
	data = pcre2_match_data_create_from_pattern(re, NULL);
	ctx = pcre2_match_context_create(NULL);
	if (!data || !ctx)
		abort();
	pcre2_set_match_limit(ctx, PATTERN_MATCH_LIMIT);
	pcre2_set_depth_limit(ctx, PATTERN_DEPTH_LIMIT);
	pcre2_set_heap_limit(ctx, PATTERN_HEAP_KIB);
	r = pcre2_match(re, (PCRE2_SPTR)s.p, s.n, 0, 0, data, ctx);
	pcre2_match_context_free(ctx);
	pcre2_match_data_free(data);
	pcre2_code_free(re);
	return r >= 0 ? 1 : r == PCRE2_ERROR_NOMATCH ? 0 : -E2BIG;
}

/* --- references --- */
static const struct json *pointer(struct check *k, const struct json *root, struct str p)
{
	struct str rest, part;

	if (p.n == 0)
		return root;
	if (p.p[0] != '/')
		return NULL;
	rest = str_skip(p, 1);
	while (root && str_next(&rest, '/', &part)) {
		int64_t i;

		part = str_replace(k->a, str_replace(k->a, part, S("~1"), S("/")), S("~0"), S("~"));
		if (root->type == JSON_ARRAY)
			root = str_to_i64(part, &i) == 0 && i >= 0 && (size_t)i < root->n ? &root->items[i] : NULL;
		else
			root = json_get(root, part);
	}
	return root;
}

static int follow(struct check *k, struct str ref, const struct json *v, struct str at)
{
	struct str name, place;
	const struct json *outer = k->root, *s;
	ptrdiff_t slash;
	int r;

	if (!str_cut(ref, '#', &name, &place))
		place = S("");
	if (name.n) {
		if (!str_starts(name, S("https://apigateway.amazonaws.com/restapis/")) || (slash = str_rfind_char(name, '/')) < 0 ||
		    !str_ends(str_of(name.p, (size_t)slash), S("/models")))
			return -ENOENT;
		s = k->models ? k->models->find(k->models->arg, str_skip(name, (size_t)slash + 1)) : NULL;
		if (!s)
			return -ENOENT;
		k->root = s;
	}
	s = pointer(k, k->root, place);
	r = s ? check(k, s, v, at) : -ENOENT;
	k->root = outer;
	return r;
}

/* --- by type --- */
static int64_t weight(const struct json *v) /* what comparing it costs */
{
	int64_t n = 1 + (int64_t)(v->s.n >> 6);

	for (size_t i = 0; v->type >= JSON_ARRAY && i < v->n; i++)
		n += weight(v->type == JSON_ARRAY ? &v->items[i] : &v->members[i].value);
	return v->type == JSON_OBJECT ? n + (int64_t)(v->n * v->n / 16) : n;
}

static bool is_integer(const struct json *v)
{
	double d;

	return v->type == JSON_NUMBER && str_to_double(v->s, &d) == 0 && d == floor(d);
}

static bool type_is(const struct json *v, struct str t)
{
	static const char *const names[] = { "null", "boolean", "number", "string", "array", "object" };

	return str_is(t, names[v->type]) || (str_is(t, "integer") && is_integer(v));
}

static int check_type(struct check *k, const struct json *s, const struct json *v, struct str at)
{
	const struct json *t = json_getz(s, "type"), *e = json_getz(s, "enum");
	int64_t cost;
	bool ok = !t;
	int r = 0;

	if (json_is(t, JSON_STRING))
		ok = type_is(v, t->s);
	for (size_t i = 0; json_is(t, JSON_ARRAY) && i < t->n && !ok; i++)
		ok = type_is(v, json_str(&t->items[i]));
	if (!ok)
		return no(k, at, "wrong type");
	if (!json_is(e, JSON_ARRAY))
		return 0;
	cost = weight(v);
	for (size_t i = 0; i < e->n; i++) {
		r = charge(k, cost);
		if (r < 0)
			return r;
		if (json_equal(&e->items[i], v))
			return 0;
	}
	return no(k, at, "not one of the enumerated values");
}

static bool number(const struct json *s, const char *key, double *ret)
{
	const struct json *j = json_getz(s, key);

	return json_is(j, JSON_NUMBER) && str_to_double(j->s, ret) == 0;
}

static int check_number(struct check *k, const struct json *s, const struct json *v, struct str at)
{
	double x, limit;

	if (v->type != JSON_NUMBER || str_to_double(v->s, &x) < 0)
		return 0;
	if (number(s, "minimum", &limit) && (json_to_bool(json_getz(s, "exclusiveMinimum"), false) ? x <= limit : x < limit))
		return no(k, at, "below the minimum");
	if (number(s, "maximum", &limit) && (json_to_bool(json_getz(s, "exclusiveMaximum"), false) ? x >= limit : x > limit))
		return no(k, at, "above the maximum");
	if (number(s, "multipleOf", &limit) && limit > 0) {
		double q = x / limit;

		if (fabs(q - nearbyint(q)) > 1e-9 * fmax(1, fabs(q)))
			return no(k, at, "not a multiple");
	}
	return 0;
}

static double characters(struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xC0) != 0x80;
	return (double)n;
}

static int check_string(struct check *k, const struct json *s, const struct json *v, struct str at)
{
	const struct json *pattern = json_getz(s, "pattern");
	double limit;
	int r;

	if (v->type != JSON_STRING)
		return 0;
	if (number(s, "minLength", &limit) && characters(v->s) < limit)
		return no(k, at, "too short");
	if (number(s, "maxLength", &limit) && characters(v->s) > limit)
		return no(k, at, "too long");
	if (!json_is(pattern, JSON_STRING))
		return 0;
	r = matches(k, pattern->s, v->s);
	return r < 0 ? r : r ? 0 : no(k, at, "does not match the pattern");
}

static int unique(struct check *k, const struct json *v, struct str at)
{
	for (size_t i = 0; i < v->n; i++) {
		int64_t cost = weight(&v->items[i]);

		for (size_t j = 0; j < i; j++) {
			int r = charge(k, cost);

			if (r < 0)
				return r;
			if (json_equal(&v->items[i], &v->items[j]))
				return no(k, at, "items are not unique");
		}
	}
	return 0;
}

static int check_array(struct check *k, const struct json *s, const struct json *v, struct str at)
{
	const struct json *items = json_getz(s, "items"), *more = json_getz(s, "additionalItems");
	double limit;
	int r = 0;

	if (v->type != JSON_ARRAY)
		return 0;
	if (number(s, "minItems", &limit) && (double)v->n < limit)
		return no(k, at, "too few items");
	if (number(s, "maxItems", &limit) && (double)v->n > limit)
		return no(k, at, "too many items");
	if (json_to_bool(json_getz(s, "uniqueItems"), false))
		r = unique(k, v, at);
	for (size_t i = 0; i < v->n && r == 0; i++) {
		const struct json *sub = items;

		if (json_is(items, JSON_ARRAY))
			sub = i < items->n ? &items->items[i] : more;
		if (json_is(items, JSON_ARRAY) && i >= items->n && json_is(more, JSON_BOOL) && !more->b)
			return no(k, at, "additional items");
		r = charge(k, 1);
		if (r == 0 && json_is(sub, JSON_OBJECT))
			r = check(k, sub, &v->items[i], str_printf(k->a, "%.*s/%zu", STR(at), i));
	}
	return r;
}

/* member: properties, patternProperties, additionalProperties of one. */
static int check_member(struct check *k, const struct json *s, const struct json_member *m, struct str at)
{
	const struct json *sub = json_get(json_getz(s, "properties"), m->key), *patterns = json_getz(s, "patternProperties");
	const struct json *more = json_getz(s, "additionalProperties");
	struct str place = str_printf(k->a, "%.*s/%.*s", STR(at), STR(m->key));
	bool known = sub != NULL;
	int r = charge(k, 1);

	if (r == 0 && sub)
		r = check(k, sub, &m->value, place);
	for (size_t i = 0; r == 0 && json_is(patterns, JSON_OBJECT) && i < patterns->n; i++) {
		r = matches(k, patterns->members[i].key, m->key);
		if (r == 1) {
			known = true;
			r = check(k, &patterns->members[i].value, &m->value, place);
		}
	}
	if (r < 0 || known || !more)
		return r;
	if (json_is(more, JSON_BOOL))
		return more->b ? 0 : no(k, place, "not allowed");
	return check(k, more, &m->value, place);
}

static int check_required(struct check *k, const struct json *list, const struct json *v, struct str at)
{
	for (size_t i = 0; json_is(list, JSON_ARRAY) && i < list->n; i++) {
		struct str name = json_str(&list->items[i]);
		int r = charge(k, 1 + (int64_t)(v->n / 16));

		if (r < 0)
			return r;
		if (name.p && !json_get(v, name))
			return no(k, at, str_z(k->a, str_printf(k->a, "missing %.*s", STR(name))));
	}
	return 0;
}

static int check_object(struct check *k, const struct json *s, const struct json *v, struct str at)
{
	const struct json *deps = json_getz(s, "dependencies");
	double limit;
	int r;

	if (v->type != JSON_OBJECT)
		return 0;
	if (number(s, "minProperties", &limit) && (double)v->n < limit)
		return no(k, at, "too few members");
	if (number(s, "maxProperties", &limit) && (double)v->n > limit)
		return no(k, at, "too many members");
	r = check_required(k, json_getz(s, "required"), v, at);
	for (size_t i = 0; i < v->n && r == 0; i++)
		r = check_member(k, s, &v->members[i], at);
	for (size_t i = 0; r == 0 && json_is(deps, JSON_OBJECT) && i < deps->n; i++) {
		if (!json_get(v, deps->members[i].key))
			continue;
		if (json_is(&deps->members[i].value, JSON_ARRAY))
			r = check_required(k, &deps->members[i].value, v, at);
		else
			r = check(k, &deps->members[i].value, v, at);
	}
	return r;
}

/* --- combinations --- */
static int count(struct check *k, const struct json *list, const struct json *v, struct str at, size_t *ret)
{
	*ret = 0;
	for (size_t i = 0; i < list->n; i++) {
		int r = check(k, &list->items[i], v, at);

		if (r == 0)
			++*ret;
		else if (r != -EINVAL)
			return r;
	}
	return 0;
}

static int check_combined(struct check *k, const struct json *s, const struct json *v, struct str at)
{
	const struct json *all = json_getz(s, "allOf"), *any = json_getz(s, "anyOf"), *one = json_getz(s, "oneOf"),
			  *not = json_getz(s, "not");
	size_t n;
	int r = 0;

	for (size_t i = 0; json_is(all, JSON_ARRAY) && i < all->n && r == 0; i++)
		r = check(k, &all->items[i], v, at);
	if (r == 0 && json_is(any, JSON_ARRAY)) {
		r = count(k, any, v, at, &n);
		if (r == 0 && n == 0)
			return no(k, at, "matches none of anyOf");
	}
	if (r == 0 && json_is(one, JSON_ARRAY)) {
		r = count(k, one, v, at, &n);
		if (r == 0 && n != 1)
			return no(k, at, "does not match exactly one of oneOf");
	}
	if (r == 0 && json_is(not, JSON_OBJECT)) {
		r = check(k, not, v, at);
		if (r == 0)
			return no(k, at, "matches what it must not");
		r = r == -EINVAL ? 0 : r;
	}
	return r;
}

static int check(struct check *k, const struct json *s, const struct json *v, struct str at)
{
	static int (*const parts[])(struct check *, const struct json *, const struct json *,
				    struct str) = { check_type, check_number, check_string, check_array, check_object, check_combined };
	struct str ref;
	int r = charge(k, 1);

	if (r < 0 || !json_is(s, JSON_OBJECT))
		return r;
	if (++k->depth > SCHEMA_DEPTH_MAX)
		return -E2BIG;
	ref = json_str(json_getz(s, "$ref"));
	if (ref.p)
		r = follow(k, ref, v, at);
	for (size_t i = 0; i < ELEMENTS(parts) && r == 0 && !ref.p; i++)
		r = parts[i](k, s, v, at);
	k->depth--;
	return r;
}

int schema_check(struct arena *a, const struct json *schema, const struct json *value, const struct schema_models *models,
		 struct str *ret_why)
{
	struct check k = { .a = a, .models = models, .root = schema };
	int r = check(&k, schema, value, S(""));

	if (r < 0)
		*ret_why = k.why.p        ? k.why
			   : r == -ENOENT ? S("the model refers to what isn't there")
					  : S("the model is too deep or takes too much work");
	return r;
}
