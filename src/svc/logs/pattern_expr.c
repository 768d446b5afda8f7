/* SPDX-License-Identifier: Apache-2.0 */
/* pattern_expr.c - conditions of filter patterns: read, and asked of JSON events and of fields. () before && before ||. */
#include "svc/logs/pattern.h"
#include <errno.h>

int pattern_fail(struct pattern_in *in, const char *error)
{
	if (!in->error)
		in->error = error;
	return -EINVAL;
}

void pattern_blanks(struct pattern_in *in)
{
	while (in->at < in->text.n && pattern_is(in->text.p[in->at], " \t\r\n"))
		in->at++;
}

static struct str rest(const struct pattern_in *in)
{
	return str_skip(in->text, in->at);
}

bool pattern_take(struct pattern_in *in, const char *word)
{
	pattern_blanks(in);
	if (!str_starts(rest(in), str_c(word)))
		return false;
	in->at += strlen(word);
	return true;
}

static bool name_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c == '-';
}

static struct str take_name(struct pattern_in *in)
{
	size_t from = in->at;

	while (in->at < in->text.n && (name_char(in->text.p[in->at]) || (unsigned char)in->text.p[in->at] >= 0x80))
		in->at++;
	return str_of(in->text.p + from, in->at - from);
}

/* --- property selectors --- */
struct steps {
	struct pattern_step *v;
	size_t n, cap;
	unsigned wildcards;
};

static int wildcard(struct pattern_in *in, struct steps *s, struct pattern_step *st, bool index)
{
	in->at++;
	st->kind = index ? STEP_ANY_INDEX : STEP_ANY_NAME;
	if (++s->wildcards > 1)
		return pattern_fail(in, "A property selector has at most one wildcard.");
	if (++in->wildcards > PATTERN_WILDCARDS_MAX)
		return pattern_fail(in, "A filter pattern has at most three wildcards.");
	return 0;
}

/* "[3]", "[*]", "['name']" behind its bracket */
static int bracket(struct pattern_in *in, struct steps *s)
{
	struct pattern_step st = { 0 };
	size_t from;

	pattern_blanks(in);
	if (in->at >= in->text.n)
		return pattern_fail(in, "A bracket is not closed.");
	from = in->at;
	if (in->text.p[from] == '*') {
		if (wildcard(in, s, &st, true) < 0)
			return -EINVAL;
	} else if (in->text.p[from] == '\'' || in->text.p[from] == '"') {
		ptrdiff_t end = str_find_char(str_skip(in->text, from + 1), in->text.p[from]);

		if (end < 0)
			return pattern_fail(in, "A quotation mark is not closed.");
		st.name = str_of(in->text.p + from + 1, (size_t)end);
		in->at = from + 2 + (size_t)end;
	} else {
		st.kind = STEP_INDEX;
		while (in->at < in->text.n && in->text.p[in->at] >= '0' && in->text.p[in->at] <= '9')
			in->at++;
		if (str_to_i64(str_of(in->text.p + from, in->at - from), &st.index) < 0)
			return pattern_fail(in, "An array index is a number.");
	}
	if (!pattern_take(in, "]"))
		return pattern_fail(in, "A bracket is not closed.");
	vec_push(in->a, s->v, s->n, s->cap) = st;
	return 0;
}

static int selector(struct pattern_in *in, struct pattern_node *n)
{
	struct steps s = { 0 };
	size_t from;

	pattern_blanks(in);
	from = in->at;
	if (!pattern_take(in, "$"))
		return pattern_fail(in, "A property selector begins with \"$.\".");
	while (in->at < in->text.n && (in->text.p[in->at] == '.' || in->text.p[in->at] == '[')) {
		struct pattern_step st = { .kind = STEP_NAME };
		bool dot = in->text.p[in->at++] == '.';

		if (!dot || (in->at < in->text.n && in->text.p[in->at] == '[')) {
			in->at += dot;
			if (bracket(in, &s) < 0)
				return -EINVAL;
			continue;
		}
		if (in->at < in->text.n && in->text.p[in->at] == '*') {
			if (wildcard(in, &s, &st, false) < 0)
				return -EINVAL;
		} else {
			st.name = take_name(in);
			if (!st.name.n)
				return pattern_fail(in, "A property has no name.");
		}
		vec_push(in->a, s.v, s.n, s.cap) = st;
	}
	if (!s.n)
		return pattern_fail(in, "A property selector begins with \"$.\".");
	n->steps = s.v;
	n->n_steps = s.n;
	n->selector = str_of(in->text.p + from, in->at - from);
	return 0;
}

/* --- values --- */
int pattern_quoted(struct pattern_in *in, struct str *ret)
{
	char *out = arena_alloc(in->a, in->text.n - in->at + 1);
	size_t n = 0;

	for (in->at++; in->at < in->text.n && in->text.p[in->at] != '"'; in->at++) {
		if (in->text.p[in->at] == '\\' && in->at + 1 < in->text.n && pattern_is(in->text.p[in->at + 1], "\"\\"))
			in->at++;
		out[n++] = in->text.p[in->at];
	}
	if (in->at >= in->text.n)
		return pattern_fail(in, "A quotation mark is not closed.");
	in->at++;
	*ret = str_of(out, n);
	return 0;
}

static int regex(struct pattern_in *in, struct pattern_value *v)
{
	ptrdiff_t end = str_find_char(str_skip(in->text, in->at + 1), '%');

	if (end < 0)
		return pattern_fail(in, "A regular expression is not closed.");
	if (++in->regexes > PATTERN_REGEX_MAX)
		return pattern_fail(in, "A filter pattern has at most two regular expressions.");
	if (pattern_regex_compile(in->a, str_of(in->text.p + in->at + 1, (size_t)end), &v->regex) < 0)
		return pattern_fail(in, "The regular expression is not supported.");
	in->at += (size_t)end + 2;
	return 0;
}

static int value(struct pattern_in *in, struct pattern_value *v)
{
	size_t from;

	pattern_blanks(in);
	if (in->at >= in->text.n)
		return pattern_fail(in, "A value is missing.");
	if (in->text.p[in->at] == '%')
		return regex(in, v);
	if (in->text.p[in->at] == '"') {
		v->quoted = true;
		return pattern_quoted(in, &v->text);
	}
	from = in->at;
	while (in->at < in->text.n && !pattern_is(in->text.p[in->at], " \t\r\n,()[]{}\"%<>=!&|"))
		in->at++;
	v->text = str_of(in->text.p + from, in->at - from);
	if (!v->text.n)
		return pattern_fail(in, "A value is missing.");
	v->is_number = str_to_double(v->text, &v->number) == 0;
	return 0;
}

static bool keyword(struct pattern_in *in, const char *word)
{
	size_t n = strlen(word);

	pattern_blanks(in);
	if (in->text.n - in->at < n || !str_eq_ci(str_of(in->text.p + in->at, n), str_c(word)) ||
	    (in->at + n < in->text.n && name_char(in->text.p[in->at + n])))
		return false;
	in->at += n;
	return true;
}

static int comparison(struct pattern_in *in, struct pattern_node *n)
{
	static const struct {
		const char *word;
		enum pattern_op op;
	} ops[] = { { "!=", OP_NE }, { ">=", OP_GE }, { "<=", OP_LE }, { "=", OP_EQ }, { ">", OP_GT }, { "<", OP_LT } };

	for (size_t i = 0; i < ELEMENTS(ops); i++)
		if (pattern_take(in, ops[i].word)) {
			n->op = ops[i].op;
			if (value(in, &n->value) < 0)
				return -EINVAL;
			if (n->op != OP_EQ && n->op != OP_NE && !n->value.is_number)
				return pattern_fail(in, "What is not a number is only equal or not equal.");
			return 0;
		}
	if (!in->field.p && keyword(in, "IS")) {
		n->op = keyword(in, "NULL") ? OP_NULL : keyword(in, "TRUE") ? OP_TRUE : keyword(in, "FALSE") ? OP_FALSE : OP_EQ;
		return n->op == OP_EQ ? pattern_fail(in, "IS stands before NULL, TRUE or FALSE.") : 0;
	}
	if (!in->field.p && keyword(in, "NOT") && keyword(in, "EXISTS")) {
		n->op = OP_ABSENT;
		return 0;
	}
	return pattern_fail(in, "A condition has no operator.");
}

static int condition(struct pattern_in *in, struct pattern_node **ret)
{
	struct pattern_node *n = arena_new(in->a, struct pattern_node);

	n->kind = NODE_TEST;
	if (in->field.p) {
		pattern_blanks(in);
		if (!str_eq(take_name(in), in->field))
			return pattern_fail(in, "A condition of a field names that field.");
	} else if (selector(in, n) < 0)
		return -EINVAL;
	*ret = n;
	return comparison(in, n);
}

static int primary(struct pattern_in *in, struct pattern_node **ret)
{
	if (!pattern_take(in, "("))
		return condition(in, ret);
	if (++in->depth > PATTERN_DEPTH_MAX)
		return pattern_fail(in, "Parentheses are nested too deeply.");
	if (pattern_expression(in, ret) < 0)
		return -EINVAL;
	in->depth--;
	return pattern_take(in, ")") ? 0 : pattern_fail(in, "A parenthesis is not closed.");
}

static struct pattern_node *join(struct pattern_in *in, int kind, struct pattern_node *left, struct pattern_node *right)
{
	struct pattern_node *n = arena_new(in->a, struct pattern_node);

	*n = (struct pattern_node){ .kind = kind, .left = left, .right = right };
	return n;
}

static int conjunction(struct pattern_in *in, struct pattern_node **ret)
{
	struct pattern_node *right;
	int r = primary(in, ret);

	while (r == 0 && pattern_take(in, "&&")) {
		r = primary(in, &right);
		if (r == 0)
			*ret = join(in, NODE_AND, *ret, right);
	}
	return r;
}

int pattern_expression(struct pattern_in *in, struct pattern_node **ret)
{
	struct pattern_node *right;
	int r = conjunction(in, ret);

	while (r == 0 && pattern_take(in, "||")) {
		r = conjunction(in, &right);
		if (r == 0)
			*ret = join(in, NODE_OR, *ret, right);
	}
	return r;
}

/* --- asking --- */
/* '*' stands for any characters, nothing else is special. */
static bool wild_match(struct str pattern, struct str s)
{
	struct str piece, right;
	ptrdiff_t at;

	if (!str_cut(pattern, '*', &piece, &right))
		return str_eq(pattern, s);
	if (!str_starts(s, piece))
		return false;
	s = str_skip(s, piece.n);
	while (str_find_char(right, '*') >= 0) {
		(void)str_cut(right, '*', &piece, &right);
		at = str_find(s, piece);
		if (at < 0)
			return false;
		s = str_skip(s, (size_t)at + piece.n);
	}
	return str_ends(s, right);
}

bool pattern_test(const struct pattern_node *t, struct str s, bool is_number)
{
	const struct pattern_value *v = &t->value;
	double d;
	bool number = is_number && str_to_double(s, &d) == 0, equal;

	if (t->op == OP_EQ || t->op == OP_NE) {
		equal = v->regex ? pattern_regex_matches(v->regex, s)
				 : (number && v->is_number && d == v->number) || wild_match(v->text, s);
		return equal == (t->op == OP_EQ);
	}
	if (!number)
		return false;
	switch (t->op) {
	case OP_GT:
		return d > v->number;
	case OP_GE:
		return d >= v->number;
	case OP_LT:
		return d < v->number;
	case OP_LE:
		return d <= v->number;
	default:
		return false;
	}
}

bool pattern_field_holds(const struct pattern_node *n, struct str field)
{
	if (n->kind == NODE_AND)
		return pattern_field_holds(n->left, field) && pattern_field_holds(n->right, field);
	if (n->kind == NODE_OR)
		return pattern_field_holds(n->left, field) || pattern_field_holds(n->right, field);
	return pattern_test(n, field, true);
}

static bool value_holds(const struct pattern_node *n, const struct json *j)
{
	switch (n->op) {
	case OP_NULL:
		return json_is(j, JSON_NULL);
	case OP_TRUE:
	case OP_FALSE:
		return json_is(j, JSON_BOOL) && j->b == (n->op == OP_TRUE);
	case OP_ABSENT:
		return false;
	default:
		return json_scalar(j).p && pattern_test(n, json_scalar(j), json_is(j, JSON_NUMBER));
	}
}

/* The values that a selector stands for, one after the other, until fn returns true. At most one step has many. */
static bool each(const struct pattern_node *n, size_t from, const struct json *j, bool (*fn)(const struct json *j, void *arg), void *arg)
{
	for (size_t i = from; i < n->n_steps; i++) {
		const struct pattern_step *st = &n->steps[i];

		if (st->kind == STEP_NAME)
			j = json_is(j, JSON_OBJECT) ? json_get(j, st->name) : NULL;
		else if (st->kind == STEP_INDEX)
			j = json_is(j, JSON_ARRAY) && (uint64_t)st->index < j->n ? &j->items[st->index] : NULL;
		else if (!json_is(j, st->kind == STEP_ANY_NAME ? JSON_OBJECT : JSON_ARRAY))
			j = NULL;
		else {
			for (size_t k = 0; k < j->n; k++)
				if (each(n, i + 1, st->kind == STEP_ANY_NAME ? &j->members[k].value : &j->items[k], fn, arg))
					return true;
			return false;
		}
		if (!j)
			return false;
	}
	return fn(j, arg);
}

static bool holds_here(const struct json *j, void *arg)
{
	return value_holds(arg, j);
}

static bool is_here(const struct json *j, void *arg)
{
	*(const struct json **)arg = j;
	return true;
}

bool pattern_json_holds(const struct pattern_node *n, const struct json *j)
{
	const struct json *found = NULL;

	if (n->kind == NODE_AND)
		return pattern_json_holds(n->left, j) && pattern_json_holds(n->right, j);
	if (n->kind == NODE_OR)
		return pattern_json_holds(n->left, j) || pattern_json_holds(n->right, j);
	if (n->op == OP_ABSENT)
		return !each(n, 0, j, is_here, &found);
	return each(n, 0, j, holds_here, (void *)(uintptr_t)n);
}

static void collect(const struct pattern_node *n, const struct json *j, struct arena *a, struct str_map *ret, size_t *cap)
{
	const struct json *found = NULL;
	struct str text;

	if (n->kind != NODE_TEST) {
		collect(n->left, j, a, ret, cap);
		collect(n->right, j, a, ret, cap);
		return;
	}
	if (!each(n, 0, j, is_here, &found) || str_map_get(ret, n->selector).p)
		return;
	text = json_is(found, JSON_NULL) ? S("null") : json_scalar(found);
	if (text.p)
		vec_push(a, ret->v, ret->n, *cap) = (struct str_pair){ n->selector, str_dup(a, text) };
}

void pattern_json_extract(const struct pattern_node *n, const struct json *j, struct arena *a, struct str_map *ret)
{
	size_t cap = ret->n;

	collect(n, j, a, ret, &cap);
}
