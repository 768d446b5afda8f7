/* SPDX-License-Identifier: Apache-2.0 */
/* vtl_path.c - JSONPath, as Jayway's library (which API Gateway uses) reads it. The text is interpreted as it stands; every node
 * that is looked at counts as work. */
#include "svc/apigateway/vtl.h"
#include <ctype.h>
#include <errno.h>

#define PATH_WORK_MAX 500000
#define PATH_DEPTH_MAX 32
#define PATH_BYTES_MAX 4096

struct nodes {
	const struct json **v;
	size_t n, cap;
	bool definite;
};
struct ctx {
	struct arena *a;
	const struct json *root;
	int64_t work;
	int depth;
};
struct cursor {
	const char *p, *end;
};

static int eval_path(struct ctx *x, struct cursor *c, const struct json *from, struct nodes *ret);
static int filter_or(struct ctx *x, struct cursor *c, const struct json *item, bool *ret);

static int charge(struct ctx *x, int64_t n)
{
	x->work += n;
	return x->work > PATH_WORK_MAX ? -E2BIG : 0;
}

static void add(struct ctx *x, struct nodes *l, const struct json *j)
{
	vec_push(x->a, l->v, l->n, l->cap) = j;
}

static void blanks(struct cursor *c)
{
	while (c->p < c->end && isspace((unsigned char)*c->p))
		c->p++;
}

static bool take(struct cursor *c, const char *lit)
{
	size_t n = strlen(lit);

	if ((size_t)(c->end - c->p) < n || memcmp(c->p, lit, n) != 0)
		return false;
	c->p += n;
	return true;
}

static struct str bare_name(struct cursor *c)
{
	const char *from = c->p;

	while (c->p < c->end && !strchr(".[]()=!<>&|, \t\r\n'\"", *c->p))
		c->p++;
	return str_of(from, (size_t)(c->p - from));
}

static int quoted(struct ctx *x, struct cursor *c, struct str *ret)
{
	char q = *c->p++;
	char *out = arena_alloc(x->a, (size_t)(c->end - c->p) + 1);
	size_t n = 0;

	while (c->p < c->end && *c->p != q) {
		if (*c->p == '\\' && c->p + 1 < c->end)
			c->p++;
		out[n++] = *c->p++;
	}
	out[n] = 0;
	*ret = str_of(out, n);
	return c->p < c->end ? (c->p++, 0) : -EINVAL;
}

static int integer(struct cursor *c, int64_t *ret) /* 1 there was one */
{
	const char *from = c->p;

	if (c->p < c->end && *c->p == '-')
		c->p++;
	while (c->p < c->end && isdigit((unsigned char)*c->p))
		c->p++;
	if (c->p == from)
		return 0;
	return str_to_i64(str_of(from, (size_t)(c->p - from)), ret) < 0 ? -EINVAL : 1;
}

static int children(struct ctx *x, const struct json *j, struct nodes *out)
{
	for (size_t i = 0; i < j->n; i++) {
		if (j->type == JSON_ARRAY)
			add(x, out, &j->items[i]);
		else if (j->type == JSON_OBJECT)
			add(x, out, &j->members[i].value);
	}
	return charge(x, 1 + (int64_t)(j->type >= JSON_ARRAY ? j->n : 0));
}

static int descend(struct ctx *x, const struct json *j, struct nodes *out, int depth)
{
	int r = charge(x, 1);

	if (r < 0 || depth > JSON_DEPTH_MAX)
		return r < 0 ? r : -E2BIG;
	add(x, out, j);
	for (size_t i = 0; r == 0 && j->type >= JSON_ARRAY && i < j->n; i++)
		r = descend(x, j->type == JSON_ARRAY ? &j->items[i] : &j->members[i].value, out, depth + 1);
	return r;
}

static int member(struct ctx *x, const struct nodes *in, struct str name, struct nodes *out)
{
	for (size_t i = 0; i < in->n; i++) {
		const struct json *v = in->v[i]->type == JSON_OBJECT ? json_get(in->v[i], name) : NULL;
		int r = charge(x, 1 + (int64_t)(in->v[i]->type == JSON_OBJECT ? in->v[i]->n / 16 : 0));

		if (r < 0)
			return r;
		if (v)
			add(x, out, v);
	}
	return 0;
}

static void element(struct ctx *x, const struct json *j, int64_t i, struct nodes *out)
{
	if (i < 0)
		i += (int64_t)j->n;
	if (j->type == JSON_ARRAY && i >= 0 && (size_t)i < j->n)
		add(x, out, &j->items[i]);
}

static int slice(struct ctx *x, const struct json *j, int64_t from, int64_t to, int64_t by, struct nodes *out)
{
	int64_t n = (int64_t)j->n;

	if (j->type != JSON_ARRAY || by <= 0)
		return by <= 0 ? -EINVAL : 0;
	from = from < 0 ? (from + n < 0 ? 0 : from + n) : from;
	to = to < 0 ? to + n : to > n ? n : to;
	for (; from<to; from = by> n ? to : from + by)
		add(x, out, &j->items[from]);
	return charge(x, n);
}

/* numbers: [1], [-1], [0,2], [1:3], [:2], [::2] */
static int numbers(struct ctx *x, struct cursor *c, const struct nodes *in, struct nodes *out)
{
	int64_t a = 0, b = INT64_MAX, by = 1, i;
	int r = integer(c, &a);

	if (r < 0)
		return r;
	blanks(c);
	if (take(c, ":")) {
		out->definite = false;
		if (integer(c, &b) < 0 || (take(c, ":") && integer(c, &by) < 0))
			return -EINVAL;
		for (size_t k = 0; k < in->n; k++) {
			r = slice(x, in->v[k], a, b, by, out);
			if (r < 0)
				return r;
		}
		return 0;
	}
	if (r == 0)
		return -EINVAL;
	for (i = a;;) {
		for (size_t k = 0; k < in->n; k++)
			element(x, in->v[k], i, out);
		r = charge(x, (int64_t)in->n);
		blanks(c);
		if (r < 0 || !take(c, ","))
			return r;
		out->definite = false;
		blanks(c);
		if (integer(c, &i) <= 0)
			return -EINVAL;
	}
}

static int names(struct ctx *x, struct cursor *c, const struct nodes *in, struct nodes *out)
{
	struct str name;
	int r;

	for (;;) {
		blanks(c);
		if (c->p >= c->end || (*c->p != '\'' && *c->p != '"') || quoted(x, c, &name) < 0)
			return -EINVAL;
		r = member(x, in, name, out);
		blanks(c);
		if (r < 0 || !take(c, ","))
			return r;
		out->definite = false;
	}
}

static int filter(struct ctx *x, struct cursor *c, const struct nodes *in, struct nodes *out)
{
	struct cursor start = *c;
	struct nodes items = { 0 };
	bool yes;
	int r = 0;

	out->definite = false;
	for (size_t i = 0; i < in->n && r == 0; i++) {
		if (in->v[i]->type == JSON_ARRAY)
			r = children(x, in->v[i], &items);
		else if (in->v[i]->type == JSON_OBJECT)
			add(x, &items, in->v[i]);
	}
	if (r == 0 && items.n == 0) { /* the expression must be read past all the same */
		struct json null = { .type = JSON_NULL };

		r = filter_or(x, c, &null, &yes);
	}
	for (size_t i = 0; i < items.n && r == 0; i++) {
		*c = start;
		r = filter_or(x, c, items.v[i], &yes);
		if (r == 0 && yes)
			add(x, out, items.v[i]);
	}
	return r;
}

static int bracket(struct ctx *x, struct cursor *c, const struct nodes *in, struct nodes *out)
{
	int r = 0;

	blanks(c);
	if (take(c, "*")) {
		out->definite = false;
		for (size_t i = 0; i < in->n && r == 0; i++)
			r = children(x, in->v[i], out);
	} else if (take(c, "?")) {
		blanks(c);
		if (!take(c, "("))
			return -EINVAL;
		r = filter(x, c, in, out);
		blanks(c);
		if (r == 0 && !take(c, ")"))
			return -EINVAL;
	} else if (c->p < c->end && (*c->p == '\'' || *c->p == '"')) {
		r = names(x, c, in, out);
	} else {
		r = numbers(x, c, in, out);
	}
	blanks(c);
	return r < 0 ? r : take(c, "]") ? 0 : -EINVAL;
}

/* --- functions at the end of a path --- */
static const struct json *number_of(struct ctx *x, double d)
{
	struct json *j = json_new(x->a, JSON_NUMBER);

	j->s = d == (double)(int64_t)d ? str_printf(x->a, "%lld", (long long)d) : str_printf(x->a, "%.17g", d);
	return j;
}

static int function(struct ctx *x, struct str name, const struct nodes *in, struct nodes *out)
{
	const struct json *j = in->n ? in->v[0] : NULL;
	double best = 0, sum = 0, d;
	size_t n = 0;

	if (!j)
		return 0;
	if (str_is(name, "length") || str_is(name, "size")) {
		add(x, out, json_new_int(x->a, (int64_t)(j->type == JSON_STRING ? j->s.n : j->type >= JSON_ARRAY ? j->n : 0)));
		return 0;
	}
	for (size_t i = 0; j->type == JSON_ARRAY && i < j->n; i++) {
		if (j->items[i].type != JSON_NUMBER || str_to_double(j->items[i].s, &d) < 0)
			continue;
		if (n++ == 0 || (str_is(name, "min") ? d < best : d > best))
			best = d;
		sum += d;
	}
	if (!str_is(name, "min") && !str_is(name, "max") && !str_is(name, "sum") && !str_is(name, "avg"))
		return -EINVAL;
	if (n && sum == sum && sum < 9e18 && sum > -9e18 && best < 9e18 && best > -9e18)
		add(x, out, number_of(x, str_is(name, "sum") ? sum : str_is(name, "avg") ? sum / (double)n : best));
	return charge(x, (int64_t)j->n);
}

static int segment(struct ctx *x, struct cursor *c, const struct nodes *in, struct nodes *out)
{
	struct str name;
	int r = 0;

	if (take(c, "[")) {
		return bracket(x, c, in, out);
	}
	if (take(c, "..")) {
		struct nodes all = { .definite = false };

		for (size_t i = 0; i < in->n && r == 0; i++)
			r = descend(x, in->v[i], &all, 0);
		out->definite = false;
		if (r < 0)
			return r;
		if (take(c, "["))
			return bracket(x, c, &all, out);
		if (take(c, "*")) {
			for (size_t i = 0; i < all.n && r == 0; i++)
				r = children(x, all.v[i], out);
			return r;
		}
		name = bare_name(c);
		return name.n ? member(x, &all, name, out) : -EINVAL;
	}
	if (!take(c, "."))
		return -EINVAL;
	if (take(c, "*")) {
		out->definite = false;
		for (size_t i = 0; i < in->n && r == 0; i++)
			r = children(x, in->v[i], out);
		return r;
	}
	name = bare_name(c);
	if (take(c, "()"))
		return function(x, name, in, out);
	return name.n ? member(x, in, name, out) : -EINVAL;
}

static int eval_path(struct ctx *x, struct cursor *c, const struct json *from, struct nodes *ret)
{
	int r = 0;

	*ret = (struct nodes){ .definite = true };
	add(x, ret, from);
	while (r == 0 && c->p < c->end && (*c->p == '.' || *c->p == '[')) {
		struct nodes next = { .definite = ret->definite };

		r = segment(x, c, ret, &next);
		*ret = next;
	}
	return r;
}

/* --- filters --- */
static int operand(struct ctx *x, struct cursor *c, const struct json *item, const struct json **ret)
{
	struct json *lit;
	int r;

	blanks(c);
	*ret = NULL;
	if (c->p >= c->end)
		return -EINVAL;
	if (*c->p == '@' || *c->p == '$') {
		struct nodes l;
		bool here = *c->p++ == '@';

		r = eval_path(x, c, here ? item : x->root, &l);
		if (r == 0 && l.n)
			*ret = l.v[0];
		return r;
	}
	lit = json_new(x->a, JSON_STRING);
	*ret = lit;
	if (*c->p == '\'' || *c->p == '"')
		return quoted(x, c, &lit->s);
	struct str word = bare_name(c);
	if (take(c, ".")) /* a decimal number */
		word = str_of(word.p, word.n + 1 + bare_name(c).n);
	double d;
	if (str_is(word, "true") || str_is(word, "false")) {
		*lit = (struct json){ .type = JSON_BOOL, .b = str_is(word, "true") };
		return 0;
	}
	lit->type = str_is(word, "null") ? JSON_NULL : JSON_NUMBER;
	lit->s = word;
	return lit->type == JSON_NULL || str_to_double(word, &d) == 0 ? 0 : -EINVAL;
}

static bool compare(const struct json *a, const char *op, const struct json *b)
{
	double x, y;
	int c;

	if (!a || !b)
		return strcmp(op, "!=") == 0 && a != b;
	if (a->type == JSON_NUMBER && b->type == JSON_NUMBER && str_to_double(a->s, &x) == 0 && str_to_double(b->s, &y) == 0)
		c = (x > y) - (x < y);
	else if (a->type == JSON_STRING && b->type == JSON_STRING)
		c = str_cmp(a->s, b->s);
	else if (op[0] == '=' || op[0] == '!')
		return json_equal(a, b) == (op[0] == '=');
	else
		return false;
	return op[0] == '=' ? c == 0 : op[0] == '!' ? c != 0 : op[0] == '<' ? (op[1] ? c <= 0 : c < 0) : (op[1] ? c >= 0 : c > 0);
}

static int filter_term(struct ctx *x, struct cursor *c, const struct json *item, bool *ret)
{
	static const char *const ops[] = { "==", "!=", "<=", ">=", "<", ">" };
	const struct json *a, *b;
	int r;

	blanks(c);
	if (take(c, "!")) {
		if (++x->depth > PATH_DEPTH_MAX)
			return -E2BIG;
		r = filter_term(x, c, item, ret);
		x->depth--;
		*ret = !*ret;
		return r;
	}
	if (take(c, "(")) {
		r = filter_or(x, c, item, ret);
		blanks(c);
		return r < 0 ? r : take(c, ")") ? 0 : -EINVAL;
	}
	r = operand(x, c, item, &a);
	blanks(c);
	*ret = a != NULL;
	for (size_t i = 0; r == 0 && i < ELEMENTS(ops); i++)
		if (take(c, ops[i])) {
			r = operand(x, c, item, &b);
			*ret = r == 0 && compare(a, ops[i], b);
			break;
		}
	return r;
}

static int filter_and(struct ctx *x, struct cursor *c, const struct json *item, bool *ret)
{
	int r = filter_term(x, c, item, ret);

	for (blanks(c); r == 0 && take(c, "&&"); blanks(c)) {
		bool more = false;

		r = filter_term(x, c, item, &more);
		*ret = *ret && more;
	}
	return r;
}

static int filter_or(struct ctx *x, struct cursor *c, const struct json *item, bool *ret)
{
	int r = charge(x, 1);

	*ret = false;
	if (++x->depth > PATH_DEPTH_MAX)
		return -E2BIG;
	if (r == 0)
		r = filter_and(x, c, item, ret);
	for (blanks(c); r == 0 && take(c, "||"); blanks(c)) {
		bool more = false;

		r = filter_and(x, c, item, &more);
		*ret = *ret || more;
	}
	x->depth--;
	return r;
}

int json_path(struct arena *a, const struct json *root, struct str path, struct json **ret)
{
	struct ctx x = { .a = a, .root = root };
	struct cursor c;
	struct nodes l;
	int r;

	path = str_trim(path);
	if (path.n > PATH_BYTES_MAX)
		return -E2BIG;
	if (!path.n || (path.p[0] != '$' && path.p[0] != '@'))
		path = str_printf(a, "$%s%.*s", path.n && path.p[0] != '[' ? "." : "", STR(path));
	c = (struct cursor){ path.p + 1, path.p + path.n };
	*ret = NULL;
	r = eval_path(&x, &c, root, &l);
	if (r < 0)
		return r;
	if (c.p != c.end)
		return -EINVAL;
	if (l.definite) {
		*ret = l.n ? json_copy(a, l.v[0]) : NULL;
		return 0;
	}
	*ret = json_new(a, JSON_ARRAY);
	for (size_t i = 0; i < l.n; i++)
		json_push(a, *ret, l.v[i]);
	return 0;
}
