/* SPDX-License-Identifier: Apache-2.0 */
/* pattern.c - filter patterns: which kind one is, terms, and fields between blanks. */
#include "svc/logs/pattern.h"
#include <errno.h>

struct term {
	struct str text;
	enum { TERM_MUST, TERM_MAY, TERM_NOT } kind;
};
struct field {
	struct str name;           /* absent: "...", any number of fields */
	struct pattern_node *test; /* NULL: any */
};
struct logs_pattern {
	enum { PATTERN_ALL, PATTERN_TERMS, PATTERN_REGEX, PATTERN_JSON, PATTERN_FIELDS } kind;
	struct term *terms;
	size_t n_terms;
	bool has_must, has_not, has_regex; /* terms that must be, terms that must not be: optional ones don't count then */
	struct pattern_regex *regex;
	struct pattern_node *node;
	struct field *fields;
	size_t n_fields;
	ptrdiff_t ellipsis; /* its place among the fields, -1: there is none */
};

/* --- terms --- */
static bool term_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || (unsigned char)c >= 0x80;
}

static int read_term(struct pattern_in *in, struct term *t)
{
	char c = in->text.p[in->at];
	size_t from;

	t->kind = c == '?' ? TERM_MAY : c == '-' ? TERM_NOT : TERM_MUST;
	in->at += t->kind != TERM_MUST;
	if (in->at < in->text.n && in->text.p[in->at] == '"')
		return pattern_quoted(in, &t->text);
	from = in->at;
	while (in->at < in->text.n && term_char(in->text.p[in->at]))
		in->at++;
	t->text = str_of(in->text.p + from, in->at - from);
	if (!t->text.n || (in->at < in->text.n && !pattern_is(in->text.p[in->at], " \t\r\n")))
		return pattern_fail(in, "Invalid character(s) in a term: enclose what is not alphanumeric in double quotation marks.");
	return 0;
}

static int read_terms(struct pattern_in *in, struct logs_pattern *p)
{
	size_t cap = 0;

	p->kind = PATTERN_TERMS;
	for (pattern_blanks(in); in->at < in->text.n; pattern_blanks(in)) {
		struct term t = { 0 };

		if (read_term(in, &t) < 0)
			return -EINVAL;
		if (!str_trim(t.text).n) { /* " " is found in everything */
			if (t.kind == TERM_NOT)
				return pattern_fail(in, "A term is empty.");
			t.text = S("");
		}
		p->has_must |= t.kind == TERM_MUST;
		p->has_not |= t.kind == TERM_NOT;
		vec_push(in->a, p->terms, p->n_terms, cap) = t;
	}
	if (!p->n_terms)
		p->kind = PATTERN_ALL;
	return 0;
}

static bool terms_match(const struct logs_pattern *p, struct str message)
{
	bool optional = !p->has_must && !p->has_not;

	for (size_t i = 0; i < p->n_terms; i++) {
		const struct term *t = &p->terms[i];
		bool found;

		if (t->kind == TERM_MAY && !optional)
			continue;
		found = str_find(message, t->text) >= 0;
		if (t->kind == TERM_MAY && found)
			return true;
		if ((t->kind == TERM_MUST && !found) || (t->kind == TERM_NOT && found))
			return false;
	}
	return !optional;
}

/* --- fields --- */
static int read_field(struct pattern_in *in, struct field *f)
{
	size_t from, end;

	pattern_blanks(in);
	from = end = in->at;
	while (end < in->text.n && (term_char(in->text.p[end]) || in->text.p[end] == '-'))
		end++;
	f->name = str_of(in->text.p + from, end - from);
	if (!f->name.n)
		return pattern_fail(in, "A field has no name.");
	in->field = f->name;
	in->at = end;
	pattern_blanks(in);
	if (in->at < in->text.n && pattern_is(in->text.p[in->at], ",]"))
		return 0;
	in->at = from; /* the condition names the field again */
	return pattern_expression(in, &f->test);
}

/* A field whose conditions stand in parentheses: its name is the first word in them. */
static int read_grouped(struct pattern_in *in, struct field *f)
{
	size_t at = in->at, end;

	while (at < in->text.n && pattern_is(in->text.p[at], "( \t"))
		at++;
	end = at;
	while (end < in->text.n && (term_char(in->text.p[end]) || in->text.p[end] == '-'))
		end++;
	f->name = str_of(in->text.p + at, end - at);
	if (!f->name.n)
		return pattern_fail(in, "A field has no name.");
	in->field = f->name;
	return pattern_expression(in, &f->test);
}

static int read_fields(struct pattern_in *in, struct logs_pattern *p)
{
	size_t cap = 0;

	p->kind = PATTERN_FIELDS;
	p->ellipsis = -1;
	do {
		struct field f = { 0 };

		if (p->n_fields == PATTERN_FIELDS_MAX)
			return pattern_fail(in, "There are too many fields.");
		if (pattern_take(in, "...")) {
			if (p->ellipsis >= 0)
				return pattern_fail(in, "There is more than one ellipsis.");
			p->ellipsis = (ptrdiff_t)p->n_fields;
			f.name = STR_NONE;
		} else if (pattern_blanks(in), in->at < in->text.n && in->text.p[in->at] == '(') {
			if (read_grouped(in, &f) < 0)
				return -EINVAL;
		} else if (read_field(in, &f) < 0)
			return -EINVAL;
		vec_push(in->a, p->fields, p->n_fields, cap) = f;
	} while (pattern_take(in, ","));
	return pattern_take(in, "]") ? 0 : pattern_fail(in, "The bracket is not closed.");
}

/* The next field of a message: what stands in brackets or quotation marks is one. */
static bool next_token(struct str *rest, struct str *ret)
{
	char close;
	ptrdiff_t end;

	*rest = str_trim(*rest);
	if (!rest->n)
		return false;
	close = *rest->p == '[' ? ']' : *rest->p == '"' ? '"' : 0;
	end = close ? str_find_char(str_skip(*rest, 1), close) : -1;
	if (end >= 0) {
		*ret = str_of(rest->p + 1, (size_t)end);
		*rest = str_skip(*rest, (size_t)end + 2);
		return true;
	}
	for (end = 0; (size_t)end < rest->n && !pattern_is(rest->p[end], " \t\r\n"); end++)
		continue;
	*ret = str_of(rest->p, (size_t)end);
	*rest = str_skip(*rest, (size_t)end);
	return true;
}

/* Gives every field of the pattern its text. Without an ellipsis the last one takes all that is left. */
static bool assign(const struct logs_pattern *p, struct str message, struct arena *a, struct str *out)
{
	size_t want = p->n_fields, before = p->ellipsis < 0 ? want : (size_t)p->ellipsis, after = p->ellipsis < 0 ? 0 : want - before - 1;
	struct str *ring = arena_array(a, struct str, after + 1), token;
	size_t seen = 0;

	for (size_t i = 0; i < before; i++) {
		struct str left = str_trim(message);

		if (!next_token(&message, &out[i]))
			return false;
		if (p->ellipsis < 0 && i == want - 1 && str_trim(message).n)
			out[i] = left;
	}
	if (p->ellipsis < 0)
		return true;
	out[before] = STR_NONE;
	while (after && next_token(&message, &token))
		ring[seen++ % after] = token;
	if (seen < after)
		return false;
	for (size_t i = 0; i < after; i++)
		out[before + 1 + i] = ring[(seen + i) % after];
	return true;
}

static bool fields_match(const struct logs_pattern *p, struct str message, struct arena *a, struct str *values)
{
	if (!assign(p, message, a, values))
		return false;
	for (size_t i = 0; i < p->n_fields; i++)
		if (p->fields[i].test && !pattern_field_holds(p->fields[i].test, values[i]))
			return false;
	return true;
}

/* --- whole patterns --- */
static int compile(struct pattern_in *in, struct logs_pattern *p)
{
	int r;

	pattern_blanks(in);
	if (in->at >= in->text.n) {
		p->kind = PATTERN_ALL;
		return 0;
	}
	switch (in->text.p[in->at]) {
	case '{':
		in->at++;
		p->kind = PATTERN_JSON;
		r = pattern_expression(in, &p->node);
		if (r == 0 && !pattern_take(in, "}"))
			r = pattern_fail(in, "The brace is not closed.");
		break;
	case '[':
		in->at++;
		r = read_fields(in, p);
		break;
	case '%': {
		struct str all = str_trim(in->text);

		p->kind = PATTERN_REGEX;
		in->regexes = 1;
		in->at = in->text.n;
		if (all.n < 3 || all.p[all.n - 1] != '%' || str_find_char(str_of(all.p + 1, all.n - 2), '%') >= 0 ||
		    pattern_regex_compile(in->a, str_of(all.p + 1, all.n - 2), &p->regex) < 0)
			return pattern_fail(in, "The regular expression is not supported.");
		return 0;
	}
	default:
		return read_terms(in, p);
	}
	pattern_blanks(in);
	if (r == 0 && in->at < in->text.n)
		return pattern_fail(in, "Something follows the end of the pattern.");
	return r;
}

int logs_pattern_compile(struct arena *a, struct str text, struct logs_pattern **ret, struct str *ret_error)
{
	struct pattern_in in = { .a = a, .text = str_dup(a, text) };
	struct logs_pattern *p = arena_new(a, struct logs_pattern);
	int r = text.n > PATTERN_BYTES_MAX * 4 ? pattern_fail(&in, "The pattern is too long.") : compile(&in, p);

	if (r < 0) {
		*ret_error = str_c(in.error ? in.error : "The pattern cannot be read.");
		return r;
	}
	p->has_regex = in.regexes > 0;
	*ret = p;
	return 0;
}

bool logs_pattern_has_regex(const struct logs_pattern *p)
{
	return p->has_regex;
}

static struct json *event_json(struct str message, struct arena *a)
{
	struct json *j;
	struct str s = str_trim(message);

	if (!s.n || (*s.p != '{' && *s.p != '[') || json_parse(a, s, &j, NULL) < 0)
		return NULL;
	return j;
}

bool logs_pattern_matches(const struct logs_pattern *p, struct str message, struct arena *scratch)
{
	const struct json *j;

	switch (p->kind) {
	case PATTERN_ALL:
		return true;
	case PATTERN_TERMS:
		return terms_match(p, message);
	case PATTERN_REGEX:
		return pattern_regex_matches(p->regex, message);
	case PATTERN_FIELDS:
		arena_reset(scratch);
		return fields_match(p, message, scratch, arena_array(scratch, struct str, p->n_fields));
	case PATTERN_JSON:
		arena_reset(scratch);
		j = event_json(message, scratch);
		return j && pattern_json_holds(p->node, j);
	}
	return false;
}

void logs_pattern_extract(const struct logs_pattern *p, struct str message, struct arena *a, struct str_map *ret)
{
	struct str *values;
	size_t cap = 0;

	*ret = (struct str_map){ arena_alloc(a, 1), 0 };
	if (p->kind == PATTERN_JSON) {
		ret->v = NULL;
		pattern_json_extract(p->node, event_json(message, a), a, ret);
		if (!ret->v)
			ret->v = arena_alloc(a, 1);
		return;
	}
	if (p->kind != PATTERN_FIELDS)
		return;
	values = arena_array(a, struct str, p->n_fields);
	if (!fields_match(p, message, a, values))
		return;
	ret->v = NULL;
	for (size_t i = 0; i < p->n_fields; i++)
		if (p->fields[i].name.p)
			vec_push(a, ret->v, ret->n, cap) = (struct str_pair){ str_printf(a, "$%.*s", STR(p->fields[i].name)),
									      str_dup(a, values[i]) };
}
