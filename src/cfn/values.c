/* SPDX-License-Identifier: Apache-2.0 */
/* values.c - what each parameter of a template is worth in one operation, and whether it may be. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "cfn/template_int.h"
#include <errno.h>
#include <pcre2.h>

#define PATTERN_BYTES_MAX 4096

int template_fail(struct template_ctx *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	c->err = str_vprintf(c->arena, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

struct str_list value_split(struct arena *a, struct str s)
{
	struct str_list l = { 0 };
	struct str rest = s, part;
	size_t cap = 0;

	while (str_next(&rest, ',', &part))
		vec_push(a, l.v, l.n, cap) = str_trim(part);
	return l;
}

/* --- constraints --- */

static int refuse(struct template_ctx *c, const struct template_parameter *p, const char *fmt, ...) _printf_(3, 4);
static int refuse(struct template_ctx *c, const struct template_parameter *p, const char *fmt, ...)
{
	va_list ap;
	struct str what;

	if (p->constraint_description.p)
		return template_fail(c, "Parameter %.*s failed to satisfy constraint: %.*s", STR(p->name), STR(p->constraint_description));
	va_start(ap, fmt);
	what = str_vprintf(c->arena, fmt, ap);
	va_end(ap);
	return template_fail(c, "Parameter '%.*s' must %.*s", STR(p->name), STR(what));
}

/* pattern_match: the whole of s, as Java's matches() does. 1, 0, or -EINVAL for a pattern that isn't one. Steps are
 * limited: what takes longer doesn't match. */
static int pattern_match(struct str pattern, struct str s)
{
	int code, r;
	PCRE2_SIZE at;
	pcre2_code *re;
	pcre2_match_data *md;
	pcre2_match_context *mc;

	if (pattern.n > PATTERN_BYTES_MAX)
		return -EINVAL;
	re = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n, PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C,
			   &code, &at, NULL);
	if (!re)
		return -EINVAL;
	md = pcre2_match_data_create_from_pattern(re, NULL);
	mc = pcre2_match_context_create(NULL);
	r = md && mc ? 0 : -ENOMEM;
	if (r == 0) {
		pcre2_set_match_limit(mc, TEMPLATE_PATTERN_STEPS_MAX);
		pcre2_set_heap_limit(mc, 4096); /* KiB */
		r = pcre2_match(re, (PCRE2_SPTR)s.p, s.n, 0, 0, md, mc) >= 0;
	}
	pcre2_match_context_free(mc);
	pcre2_match_data_free(md);
	pcre2_code_free(re);
	return r;
}

static bool allowed(const struct template_parameter *p, struct str v)
{
	struct str s;

	if (!p->allowed)
		return true;
	for (size_t i = 0; i < p->allowed->n; i++)
		if (template_scalar(&p->allowed->items[i], &s) && str_eq(s, v))
			return true;
	return false;
}

static int check_number(struct template_ctx *c, const struct template_parameter *p, struct str v)
{
	double d, bound;

	if (str_to_double(str_trim(v), &d) < 0)
		return refuse(c, p, "be a number");
	if (p->min_value.p && str_to_double(p->min_value, &bound) == 0 && d < bound)
		return refuse(c, p, "be a number not less than %.*s", STR(p->min_value));
	if (p->max_value.p && str_to_double(p->max_value, &bound) == 0 && d > bound)
		return refuse(c, p, "be a number not greater than %.*s", STR(p->max_value));
	return 0;
}

static bool unknown(const struct template_ctx *c, struct str v)
{
	return c->unknown.p && str_find(v, c->unknown) >= 0;
}

/* check_one judges one value: the parameter's, or one of its list. */
static int check_one(struct template_ctx *c, const struct template_parameter *p, struct str v)
{
	int r;

	if (unknown(c, v))
		return 0;

	if (!allowed(p, v))
		return refuse(c, p, "be one of AllowedValues");
	if (str_is(p->item, "Number"))
		return check_number(c, p, v);
	if (p->min_length.has && v.n < (size_t)p->min_length.v)
		return refuse(c, p, "contain at least %lld characters", (long long)p->min_length.v);
	if (p->max_length.has && v.n > (size_t)p->max_length.v)
		return refuse(c, p, "contain at most %lld characters", (long long)p->max_length.v);
	if (p->pattern.p) {
		r = pattern_match(p->pattern, v);
		if (r == -EINVAL)
			return template_fail(c, "Parameter '%.*s' AllowedPattern must be a valid regular expression.", STR(p->name));
		if (r <= 0)
			return r < 0 ? r : refuse(c, p, "match pattern %.*s", STR(p->pattern));
	}
	if (c->calls->exists && str_starts(p->item, S("AWS::"))) {
		r = c->calls->exists(c->user, p->item, v);
		if (r == -ENOENT)
			return template_fail(c, "Parameter validation failed: parameter value %.*s for parameter name %.*s does not exist",
					     STR(v), STR(p->name));
		return r;
	}
	return 0;
}

/* --- values --- */

static const struct template_supplied *given_find(const struct template_supplied *given, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(given[i].key, name))
			return &given[i];
	return NULL;
}

/* check_given refuses what makes no sense, before any value is decided. */
static int check_given(struct template_ctx *c, const struct template_supplied *given, size_t n, const struct str_map *previous)
{
	struct str *unknown = NULL;
	size_t n_unknown = 0, cap = 0, k;

	for (size_t i = 0; i < n; i++) {
		const struct template_supplied *g = &given[i];

		for (k = 0; k < i; k++)
			if (str_eq(given[k].key, g->key))
				return template_fail(c, "Duplicate parameter key: %.*s", STR(g->key));
		if (template_find(c->tpl, g->key, &k) != TEMPLATE_PARAMETER) {
			vec_push(c->arena, unknown, n_unknown, cap) = g->key;
			continue;
		}
		if (g->use_previous && g->value.p)
			return template_fail(
				c,
				"Invalid input for parameter key %.*s. Cannot specify usePreviousValue as true and non empty value for a "
				"parameter",
				STR(g->key));
		if (!g->use_previous && !g->value.p)
			return template_fail(
				c,
				"Invalid input for parameter key %.*s. Need to specify either usePreviousValue as true or a value for the "
				"parameter",
				STR(g->key));
		if (g->use_previous && !(previous && str_map_get(previous, g->key).p))
			return template_fail(
				c,
				"Invalid input for parameter key %.*s. Cannot specify usePreviousValue as true for a parameter key not in "
				"the previous template",
				STR(g->key));
		if (g->value.n > TEMPLATE_PARAMETER_BYTES_MAX)
			return template_fail(c, "Parameter '%.*s' must contain at most %d characters", STR(g->key),
					     TEMPLATE_PARAMETER_BYTES_MAX);
	}
	if (n_unknown)
		return template_fail(c, "Parameters: [%.*s] do not exist in the template", STR(names_text(c->arena, unknown, n_unknown)));
	return 0;
}

/* fetch resolves SSM types; all that fail are named together. */
static int fetch(struct template_ctx *c, struct template_value *v)
{
	const struct template *t = c->tpl;
	struct str *lost = NULL;
	size_t n = 0, cap = 0;
	int r;

	for (size_t i = 0; i < t->n_parameters; i++) {
		v[i].resolved = v[i].text;
		if (!t->parameters[i].ssm || unknown(c, v[i].text))
			continue;
		r = c->calls->ssm ? c->calls->ssm(c->user, v[i].text, &v[i].resolved) : -ENOENT;
		if (r == -ENOENT)
			vec_push(c->arena, lost, n, cap) = v[i].text;
		else if (r < 0)
			return r;
	}
	if (n)
		return template_fail(c, "Unable to fetch parameters [%.*s] from parameter store for this account.",
				     STR(names_text(c->arena, lost, n)));
	return 0;
}

static int judge(struct template_ctx *c, const struct template_parameter *p, struct template_value *v)
{
	struct str_list l;
	struct json *j;
	int r = 0;

	if (!p->list) {
		v->json = json_new_str(c->arena, v->resolved);
		return check_one(c, p, v->resolved);
	}
	l = value_split(c->arena, v->resolved);
	j = json_new(c->arena, JSON_ARRAY);
	for (size_t i = 0; i < l.n && r == 0; i++) {
		json_push(c->arena, j, json_new_str(c->arena, l.v[i]));
		r = check_one(c, p, l.v[i]);
	}
	v->json = j;
	return r;
}

int template_values(struct template_ctx *c, const struct template_supplied *given, size_t n_given, const struct str_map *previous)
{
	const struct template *t = c->tpl;
	struct template_value *v = arena_array(c->arena, struct template_value, t->n_parameters + 1);
	struct str *none = arena_array(c->arena, struct str, t->n_parameters + 1);
	size_t n_none = 0;
	int r = check_given(c, given, n_given, previous);

	if (r < 0)
		return r;
	for (size_t i = 0; i < t->n_parameters; i++) {
		const struct template_supplied *g = given_find(given, n_given, t->parameters[i].name);

		v[i].text = !g ? t->parameters[i].dflt : g->use_previous ? str_map_get(previous, g->key) : g->value;
		if (!v[i].text.p)
			none[n_none++] = t->parameters[i].name;
	}
	if (n_none)
		return template_fail(c, "Parameters: [%.*s] must have values", STR(names_text(c->arena, none, n_none)));
	r = fetch(c, v);
	for (size_t i = 0; i < t->n_parameters && r == 0; i++)
		r = judge(c, &t->parameters[i], &v[i]);
	if (r == 0)
		c->values = v;
	return r;
}
