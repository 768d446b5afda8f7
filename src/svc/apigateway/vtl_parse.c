/* SPDX-License-Identifier: Apache-2.0 */
/* vtl_parse.c - reads mapping templates. Blanks go where Velocity 1.7 lets them go: those before #set, and those with the line's
 * end behind a directive. */
#include "svc/apigateway/vtl_int.h"
#include <ctype.h>
#include <errno.h>

struct parser {
	struct arena *a;
	const char *p, *end, *start;
	struct vtl_template *t;
	struct str error;
	int depth;
};
#define MACROS_MAX 100
enum stop { STOP_EOF, STOP_END, STOP_ELSE, STOP_ELSEIF };

static int parse_block(struct parser *p, struct vtl_node **ret, enum stop *ret_stop);
static int parse_expr(struct parser *p, struct vtl_expr **ret);

static int fail(struct parser *p, const char *what)
{
	size_t line = 1;
	const char *q;

	if (!p->error.p) {
		for (q = p->start; q < p->p; q++)
			line += *q == '\n';
		p->error = str_printf(p->a, "line %zu: %s", line, what);
	}
	return -EINVAL;
}

static bool at(const struct parser *p, const char *lit)
{
	size_t n = strlen(lit);

	return (size_t)(p->end - p->p) >= n && memcmp(p->p, lit, n) == 0;
}

static bool take(struct parser *p, const char *lit)
{
	if (!at(p, lit))
		return false;
	p->p += strlen(lit);
	return true;
}

static void blanks(struct parser *p)
{
	while (p->p < p->end && isspace((unsigned char)*p->p))
		p->p++;
}

/* line_end skips blanks up to and with the end of the line; or nothing, when more is on the line. */
static void line_end(struct parser *p)
{
	const char *q = p->p;

	while (q < p->end && (*q == ' ' || *q == '\t'))
		q++;
	if (q < p->end && *q == '\r')
		q++;
	if (q < p->end && *q == '\n')
		p->p = q + 1;
}

static bool ident_start(char c)
{
	return isalpha((unsigned char)c) || c == '_';
}

static struct str ident(struct parser *p) /* absent: none */
{
	const char *q = p->p;

	if (q >= p->end || !ident_start(*q))
		return STR_NONE;
	while (q < p->end && (isalnum((unsigned char)*q) || *q == '_' || *q == '-'))
		q++;
	struct str s = str_of(p->p, (size_t)(q - p->p));
	p->p = q;
	return s;
}

static struct vtl_expr *expr_new(struct parser *p, enum vtl_expr_kind k)
{
	struct vtl_expr *e = arena_new(p->a, struct vtl_expr);

	e->kind = k;
	return e;
}

/* items reads "a, b, c)" up to the closing character. colon: pairs "k: v". */
static int parse_items(struct parser *p, char closing, bool pairs, struct vtl_expr ***ret, size_t *ret_n)
{
	struct vtl_expr **v = NULL;
	size_t n = 0, cap = 0;
	int r;

	for (blanks(p); p->p < p->end && *p->p != closing;) {
		struct vtl_expr *e;

		r = parse_expr(p, &e);
		if (r < 0)
			return r;
		vec_push(p->a, v, n, cap) = e;
		blanks(p);
		if (pairs && n % 2 == 1) {
			if (!take(p, ":"))
				return fail(p, "':' expected");
			blanks(p);
			continue;
		}
		if (!take(p, ","))
			break;
		blanks(p);
	}
	if (p->p >= p->end || *p->p != closing || (pairs && n % 2))
		return fail(p, "list is not closed");
	p->p++;
	*ret = v;
	*ret_n = n;
	return 0;
}

/* steps reads ".name", ".name(args)" and "[index]" as far as they go. */
static int parse_steps(struct parser *p, struct vtl_step **ret)
{
	struct vtl_step **tail = ret;
	int r;

	for (;;) {
		struct vtl_step *s;

		if (p->end - p->p >= 2 && *p->p == '.' && ident_start(p->p[1])) {
			s = arena_new(p->a, struct vtl_step);
			p->p++;
			s->name = ident(p);
			if (p->p < p->end && *p->p == '(') {
				p->p++;
				s->kind = STEP_CALL;
				r = parse_items(p, ')', false, &s->args, &s->n);
				if (r < 0)
					return r;
			}
		} else if (p->p < p->end && *p->p == '[') {
			const char *back = p->p;
			struct str error = p->error;
			struct vtl_expr *index;
			int depth = p->depth;

			p->p++;
			p->error = S("tried"); /* nobody asks why: don't look for the line */
			r = parse_expr(p, &index);
			p->error = error;
			p->depth = depth;
			if (r < 0 || (blanks(p), !take(p, "]"))) { /* text that happens to follow */
				p->p = back;
				return 0;
			}
			s = arena_new(p->a, struct vtl_step);
			s->kind = STEP_INDEX;
			s->args = arena_dup(p->a, &index, sizeof(struct vtl_expr *));
			s->n = 1;
		} else {
			return 0;
		}
		*tail = s;
		tail = &s->next;
	}
}

/* ref reads a reference at '$'. 1 read; 0 there is none (nothing consumed). */
static int parse_ref(struct parser *p, struct vtl_ref *ret)
{
	const char *back = p->p;
	bool formal;
	int r;

	*ret = (struct vtl_ref){ 0 };
	p->p++;
	(void)take(p, "!");
	formal = take(p, "{");
	ret->name = ident(p);
	if (!ret->name.p) {
		p->p = back;
		return 0;
	}
	if (++p->depth > VTL_DEPTH_MAX)
		return fail(p, "nested too deeply");
	r = parse_steps(p, &ret->steps);
	p->depth--;
	if (r < 0)
		return r;
	if (formal && !take(p, "}")) {
		p->p = back;
		return 0;
	}
	return 1;
}

static int parse_number(struct parser *p, struct vtl_expr **ret)
{
	const char *q = p->p;
	struct vtl_expr *e = expr_new(p, EXPR_LITERAL);
	bool real = false;

	if (*q == '-')
		q++;
	while (q < p->end && isdigit((unsigned char)*q))
		q++;
	if (p->end - q >= 2 && *q == '.' && isdigit((unsigned char)q[1])) {
		real = true;
		for (q++; q < p->end && isdigit((unsigned char)*q);)
			q++;
	}
	struct str s = str_of(p->p, (size_t)(q - p->p));
	if (!real && str_to_i64(s, &e->literal.i) == 0)
		e->literal.type = VTL_INT;
	else if (str_to_double(s, &e->literal.d) == 0)
		e->literal.type = VTL_DOUBLE;
	else
		return fail(p, "not a number");
	p->p = q;
	*ret = e;
	return 0;
}

/* string reads a literal. A quote in it is written twice; backslashes mean nothing. In double quotes it is a template. */
static int parse_string(struct parser *p, struct vtl_expr **ret)
{
	char quote = *p->p++;
	const char *from = p->p;
	bool doubled = false;
	struct vtl_expr *e = expr_new(p, EXPR_LITERAL);
	struct str s;

	for (; p->p < p->end; p->p++) {
		if (*p->p != quote)
			continue;
		if (p->p + 1 >= p->end || p->p[1] != quote)
			break;
		doubled = true;
		p->p++;
	}
	if (p->p >= p->end)
		return fail(p, "string is not closed");
	s = str_of(from, (size_t)(p->p - from));
	p->p++;
	if (doubled)
		s = str_replace(p->a, s, quote == '"' ? S("\"\"") : S("''"), quote == '"' ? S("\"") : S("'"));
	*ret = e;
	e->literal = vtl_str(s);
	if (quote == '"' && (str_find_char(s, '$') >= 0 || str_find_char(s, '#') >= 0)) {
		struct parser in = { .a = p->a, .p = s.p, .end = s.p + s.n, .start = s.p, .t = p->t, .depth = p->depth + 1 };
		enum stop stop;

		if (in.depth > VTL_DEPTH_MAX)
			return fail(p, "nested too deeply");
		if (parse_block(&in, &e->text, &stop) < 0 || stop != STOP_EOF)
			return fail(p, "string holds a broken template");
		e->kind = EXPR_INTERPOLATED;
	}
	return 0;
}

static int parse_list(struct parser *p, struct vtl_expr **ret)
{
	struct vtl_expr *e = expr_new(p, EXPR_LIST), *first;
	const char *back;
	int r;

	p->p++;
	blanks(p);
	back = p->p;
	*ret = e;
	if (p->p < p->end && *p->p != ']') {
		r = parse_expr(p, &first);
		if (r < 0)
			return r;
		blanks(p);
		if (take(p, "..")) {
			e->kind = EXPR_RANGE;
			e->l = first;
			r = parse_expr(p, &e->r);
			if (r < 0)
				return r;
			blanks(p);
			return take(p, "]") ? 0 : fail(p, "range is not closed");
		}
		p->p = back;
	}
	return parse_items(p, ']', false, &e->items, &e->n);
}

static bool keyword(struct parser *p, const char *word)
{
	size_t n = strlen(word);

	if (!at(p, word) || (p->p + n < p->end && (isalnum((unsigned char)p->p[n]) || p->p[n] == '_')))
		return false;
	p->p += n;
	return true;
}

static int parse_primary(struct parser *p, struct vtl_expr **ret)
{
	struct vtl_expr *e;
	int r;

	blanks(p);
	if (p->p >= p->end)
		return fail(p, "expression expected");
	switch (*p->p) {
	case '$':
		e = expr_new(p, EXPR_REF);
		r = parse_ref(p, &e->ref);
		if (r <= 0)
			return r < 0 ? r : fail(p, "reference expected");
		*ret = e;
		return 0;
	case '"':
	case '\'':
		return parse_string(p, ret);
	case '[':
		return parse_list(p, ret);
	case '{':
		p->p++;
		e = *ret = expr_new(p, EXPR_MAP);
		return parse_items(p, '}', true, &e->items, &e->n);
	case '(':
		p->p++;
		r = parse_expr(p, ret);
		if (r < 0)
			return r;
		blanks(p);
		return take(p, ")") ? 0 : fail(p, "')' expected");
	default:
		break;
	}
	if (isdigit((unsigned char)*p->p) || (*p->p == '-' && p->p + 1 < p->end && isdigit((unsigned char)p->p[1])))
		return parse_number(p, ret);
	e = *ret = expr_new(p, EXPR_LITERAL);
	if (keyword(p, "true"))
		e->literal = vtl_bool(true);
	else if (keyword(p, "false"))
		e->literal = vtl_bool(false);
	else if (!keyword(p, "null"))
		return fail(p, "expression expected");
	return 0;
}

static int parse_unary(struct parser *p, struct vtl_expr **ret)
{
	enum vtl_expr_kind k;
	struct vtl_expr *e;
	int r;

	blanks(p);
	if ((p->p < p->end && *p->p == '!' && !at(p, "!=") && take(p, "!")) || keyword(p, "not"))
		k = EXPR_NOT;
	else if (p->end - p->p >= 2 && *p->p == '-' && (p->p[1] == '$' || p->p[1] == '(') && take(p, "-"))
		k = EXPR_NEGATE;
	else
		return parse_primary(p, ret);
	if (++p->depth > VTL_DEPTH_MAX)
		return fail(p, "nested too deeply");
	e = expr_new(p, k);
	r = parse_unary(p, &e->l);
	p->depth--;
	*ret = e;
	return r;
}

struct op {
	const char *sign, *word;
	enum vtl_expr_kind kind;
};
#define LEVELS 6
static const struct op ops[LEVELS][7] = {
	{ { "||", "or", EXPR_OR } },
	{ { "&&", "and", EXPR_AND } },
	{ { "==", "eq", EXPR_EQ }, { "!=", "ne", EXPR_NE } },
	{ { "<=", "le", EXPR_LE }, { ">=", "ge", EXPR_GE }, { "<", "lt", EXPR_LT }, { ">", "gt", EXPR_GT } },
	{ { "+", NULL, EXPR_ADD }, { "-", NULL, EXPR_SUB } },
	{ { "*", NULL, EXPR_MUL }, { "/", NULL, EXPR_DIV }, { "%", NULL, EXPR_MOD } },
};

static int parse_level(struct parser *p, int level, struct vtl_expr **ret)
{
	struct vtl_expr *l, *e;
	const struct op *o;
	int r;

	if (level == LEVELS)
		return parse_unary(p, ret);
	r = parse_level(p, level + 1, &l);
	for (int chain = 0; r == 0; chain++) {
		blanks(p);
		for (o = ops[level]; o->sign; o++)
			if (take(p, o->sign) || (o->word && keyword(p, o->word)))
				break;
		if (!o->sign) {
			*ret = l;
			return 0;
		}
		if (chain >= VTL_DEPTH_MAX) /* evaluation goes down the left side */
			return fail(p, "expression is too long");
		e = expr_new(p, o->kind);
		e->l = l;
		r = parse_level(p, level + 1, &e->r);
		l = e;
	}
	return r;
}

static int parse_expr(struct parser *p, struct vtl_expr **ret)
{
	int r;

	if (++p->depth > VTL_DEPTH_MAX)
		return fail(p, "nested too deeply");
	r = parse_level(p, 0, ret);
	p->depth--;
	return r;
}

/* --- directives --- */
struct out { /* nodes of the block under construction */
	struct vtl_node *first, **tail;
};

static struct vtl_node *push(struct parser *p, struct out *o, enum vtl_node_kind k)
{
	struct vtl_node *n = arena_new(p->a, struct vtl_node);

	n->kind = k;
	*o->tail = n;
	o->tail = &n->next;
	return n;
}

static void push_text(struct parser *p, struct out *o, const char *from, const char *to)
{
	if (to > from)
		push(p, o, NODE_TEXT)->text = str_of(from, (size_t)(to - from));
}

static int open_paren(struct parser *p)
{
	blanks(p);
	return take(p, "(") ? 0 : fail(p, "'(' expected");
}

static int close_paren(struct parser *p)
{
	blanks(p);
	if (!take(p, ")"))
		return fail(p, "')' expected");
	line_end(p);
	return 0;
}

static int parse_set(struct parser *p, struct out *o)
{
	struct vtl_node *n = push(p, o, NODE_SET);
	int r = open_paren(p);

	if (r < 0)
		return r;
	blanks(p);
	if (p->p >= p->end || *p->p != '$' || (r = parse_ref(p, &n->ref)) <= 0)
		return r < 0 ? r : fail(p, "#set needs a reference");
	blanks(p);
	if (!take(p, "="))
		return fail(p, "'=' expected");
	r = parse_expr(p, &n->expr);
	return r < 0 ? r : close_paren(p);
}

static int parse_inner(struct parser *p, struct vtl_node **ret) /* a block up to #end */
{
	enum stop stop;
	int r = parse_block(p, ret, &stop);

	if (r == 0 && stop != STOP_END)
		return fail(p, "#end expected");
	return r;
}

static int parse_if(struct parser *p, struct out *o)
{
	struct vtl_node *n = push(p, o, NODE_IF);
	enum stop stop = STOP_ELSEIF;
	int r;

	for (;;) {
		if (stop == STOP_ELSEIF) {
			r = open_paren(p);
			if (r == 0)
				r = parse_expr(p, &n->expr);
			if (r == 0)
				r = close_paren(p);
			if (r < 0)
				return r;
		}
		bool last = stop == STOP_ELSE;
		r = parse_block(p, &n->body, &stop);
		if (r < 0)
			return r;
		if (stop == STOP_END)
			return 0;
		if (stop == STOP_EOF || last)
			return fail(p, "#end expected");
		n->other = arena_new(p->a, struct vtl_node);
		n = n->other;
		n->kind = NODE_IF;
	}
}

static int parse_foreach(struct parser *p, struct out *o)
{
	struct vtl_node *n = push(p, o, NODE_FOREACH);
	struct vtl_ref v;
	int r = open_paren(p);

	if (r < 0)
		return r;
	blanks(p);
	if (p->p >= p->end || *p->p != '$' || (r = parse_ref(p, &v)) <= 0 || v.steps)
		return r < 0 ? r : fail(p, "#foreach needs a variable");
	n->text = v.name;
	blanks(p);
	if (!keyword(p, "in"))
		return fail(p, "'in' expected");
	r = parse_expr(p, &n->expr);
	if (r == 0)
		r = close_paren(p);
	return r < 0 ? r : parse_inner(p, &n->body);
}

static int parse_define(struct parser *p, struct out *o)
{
	struct vtl_node *n = push(p, o, NODE_DEFINE);
	struct vtl_ref v;
	int r = open_paren(p);

	if (r < 0)
		return r;
	blanks(p);
	if (p->p >= p->end || *p->p != '$' || (r = parse_ref(p, &v)) <= 0 || v.steps)
		return r < 0 ? r : fail(p, "#define needs a variable");
	n->text = v.name;
	r = close_paren(p);
	return r < 0 ? r : parse_inner(p, &n->body);
}

static struct vtl_macro *macro_find(const struct vtl_template *t, struct str name)
{
	for (struct vtl_macro *m = t->macros; m; m = m->next)
		if (str_eq(m->name, name))
			return m;
	return NULL;
}

static int parse_macro(struct parser *p)
{
	struct str *params = NULL;
	size_t n = 0, cap = 0;
	struct vtl_macro *m;
	int r = open_paren(p);

	if (r < 0)
		return r;
	blanks(p);
	m = macro_find(p->t, ident(p));
	if (!m)
		return fail(p, "#macro needs a name");
	for (;;) {
		struct vtl_ref v;

		blanks(p);
		(void)take(p, ",");
		blanks(p);
		if (p->p >= p->end || *p->p != '$')
			break;
		r = parse_ref(p, &v);
		if (r <= 0)
			return r < 0 ? r : fail(p, "parameter expected");
		vec_push(p->a, params, n, cap) = v.name;
	}
	m->params = params;
	m->n_params = n;
	r = close_paren(p);
	return r < 0 ? r : parse_inner(p, &m->body);
}

static int parse_call(struct parser *p, struct str name, struct out *o)
{
	struct vtl_node *n = push(p, o, NODE_CALL);
	struct vtl_expr **v = NULL;
	size_t cap = 0;
	int r = open_paren(p);

	n->text = name;
	if (r < 0)
		return r;
	for (;;) { /* arguments are separated by blanks, by commas too */
		struct vtl_expr *e;

		blanks(p);
		(void)take(p, ",");
		blanks(p);
		if (take(p, ")"))
			break;
		r = parse_primary(p, &e);
		if (r < 0)
			return r;
		vec_push(p->a, v, n->n_args, cap) = e;
	}
	n->args = v;
	return 0;
}

/* skip_comment skips "## ..." with its line's end, "#* ... *#"; 1 when there was one. */
static int skip_comment(struct parser *p)
{
	if (take(p, "##")) {
		while (p->p < p->end && *p->p != '\n')
			p->p++;
		if (p->p < p->end)
			p->p++;
		return 1;
	}
	if (!take(p, "#*"))
		return 0;
	while (p->p < p->end && !at(p, "*#"))
		p->p++;
	return take(p, "*#") ? 1 : fail(p, "comment is not closed");
}

static struct str directive_name(struct parser *p) /* at '#'; absent and nothing consumed: none */
{
	const char *back = p->p;
	struct str name;
	bool formal;

	p->p++;
	formal = take(p, "{");
	name = ident(p);
	if (name.p && formal && !take(p, "}"))
		name = STR_NONE;
	if (!name.p)
		p->p = back;
	return name;
}

/* directive reads what begins with '#'. 1 done; 0 it is text; 2 the block ends with *ret_stop. */
static int parse_directive(struct parser *p, struct out *o, enum stop *ret_stop)
{
	const char *back = p->p;
	struct str name;
	int r = skip_comment(p);

	if (r != 0)
		return r;
	if (take(p, "#[[")) {
		const char *from = p->p;

		while (p->p < p->end && !at(p, "]]#"))
			p->p++;
		push_text(p, o, from, p->p);
		return take(p, "]]#") ? 1 : fail(p, "unparsed text is not closed");
	}
	name = directive_name(p);
	if (str_is(name, "set"))
		r = parse_set(p, o);
	else if (str_is(name, "if"))
		r = parse_if(p, o);
	else if (str_is(name, "foreach"))
		r = parse_foreach(p, o);
	else if (str_is(name, "define"))
		r = parse_define(p, o);
	else if (str_is(name, "macro"))
		r = parse_macro(p);
	else if (str_is(name, "break") || str_is(name, "stop"))
		push(p, o, str_is(name, "stop") ? NODE_STOP : NODE_BREAK);
	else if (str_is(name, "end") || str_is(name, "else") || str_is(name, "elseif")) {
		*ret_stop = str_is(name, "end") ? STOP_END : str_is(name, "else") ? STOP_ELSE : STOP_ELSEIF;
		if (*ret_stop != STOP_ELSEIF)
			line_end(p);
		return 2;
	} else if (str_is(name, "include") || str_is(name, "parse") || str_is(name, "evaluate"))
		return fail(p, "this directive is not available");
	else if (name.p && macro_find(p->t, name))
		r = parse_call(p, name, o);
	else {
		p->p = back;
		return 0;
	}
	return r < 0 ? r : 1;
}

static const char *trim_before_set(const char *from, const char *to, const char *end)
{
	const char *q = to;

	if ((end - to >= 4 && memcmp(to, "#set", 4) == 0) || (end - to >= 6 && memcmp(to, "#{set}", 6) == 0))
		while (q > from && (q[-1] == ' ' || q[-1] == '\t'))
			q--;
	return q;
}

/* escaped handles backslashes before '$' or '#': two are one, an odd one makes text of what follows. */
static bool parse_escape(struct parser *p, struct out *o, const char **from)
{
	const char *q = p->p;
	size_t n;

	while (q < p->end && *q == '\\')
		q++;
	n = (size_t)(q - p->p);
	if (q + 1 >= p->end || (*q != '$' && *q != '#') || (!ident_start(q[1]) && q[1] != '{' && q[1] != '!')) {
		p->p = q;
		return false;
	}
	push_text(p, o, *from, p->p + n / 2);
	*from = q;
	p->p = n % 2 ? q + 1 : q;
	return n % 2;
}

static int block_items(struct parser *p, struct out *o, enum stop *ret_stop)
{
	const char *from = p->p;
	int r;

	while (p->p < p->end) {
		const char *here = p->p;

		if (*here == '\\') {
			(void)parse_escape(p, o, &from);
			continue;
		}
		if (*here == '$') {
			struct vtl_ref ref;

			r = parse_ref(p, &ref);
			if (r < 0)
				return r;
			if (r == 0) {
				p->p++;
				continue;
			}
			push_text(p, o, from, here);
			push(p, o, NODE_REF)->ref = ref;
		} else if (*here == '#') {
			struct out inner = { NULL, &inner.first };

			r = parse_directive(p, &inner, ret_stop);
			if (r < 0)
				return r;
			if (r == 0) {
				p->p = here + 1;
				continue;
			}
			push_text(p, o, from, trim_before_set(from, here, p->end));
			if (inner.first) {
				*o->tail = inner.first;
				o->tail = inner.tail;
			}
			if (r == 2)
				return 0;
		} else {
			p->p++;
			continue;
		}
		from = p->p;
	}
	push_text(p, o, from, p->end);
	*ret_stop = STOP_EOF;
	return 0;
}

static int parse_block(struct parser *p, struct vtl_node **ret, enum stop *ret_stop)
{
	struct out o = { NULL, &o.first };
	int r;

	if (++p->depth > VTL_DEPTH_MAX)
		return fail(p, "nested too deeply");
	r = block_items(p, &o, ret_stop);
	p->depth--;
	*ret = o.first;
	return r;
}

/* macros are known in the whole template, also before their definition. */
static void find_macros(struct parser *p)
{
	struct parser q = *p;
	int n = 0;

	for (; q.p < q.end && n < MACROS_MAX; q.p++) {
		struct vtl_macro *m;
		struct str name;

		if (!take(&q, "#macro") && !take(&q, "#{macro}"))
			continue;
		blanks(&q);
		if (!take(&q, "("))
			continue;
		blanks(&q);
		name = ident(&q);
		if (!name.p || macro_find(p->t, name))
			continue;
		m = arena_new(p->a, struct vtl_macro);
		m->name = name;
		n++;
		m->next = p->t->macros;
		p->t->macros = m;
	}
}

int vtl_parse(struct arena *a, struct str text, struct vtl_template **ret, struct str *ret_error)
{
	struct vtl_template *t = arena_new(a, struct vtl_template);
	struct parser p = { .a = a, .p = text.p, .end = text.p + text.n, .start = text.p, .t = t };
	enum stop stop;
	int r;

	if (text.n > VTL_TEXT_BYTES_MAX) {
		*ret_error = S("the template is larger than 300 KB");
		return -EINVAL;
	}
	find_macros(&p);
	r = text.n ? parse_block(&p, &t->body, &stop) : (stop = STOP_EOF, 0);
	if (r == 0 && stop != STOP_EOF)
		r = fail(&p, "#end, #else or #elseif without #if");
	if (r < 0) {
		*ret_error = p.error;
		return r;
	}
	*ret = t;
	return 0;
}
