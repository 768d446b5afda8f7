/* SPDX-License-Identifier: Apache-2.0 */
/* read.c - the text of a template as one tree, whichever of the two languages it is written in.
 *
 * YAML comes through libyaml's events, never through its documents: nesting is counted here and stopped at
 * TEMPLATE_DEPTH_MAX (libyaml takes quadratic time in the depth of flow collections), aliases are refused (so there is
 * no alias to multiply with), and plain scalars are typed as YAML 1.1 says, except that dates stay text. */
#include "cfn/template_int.h"
#include <errno.h>
#include <yaml.h>

#define KEY_PATH_BYTES_MAX 512

int complain(struct arena *a, struct str *ret_err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	*ret_err = str_vprintf(a, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* --- scalars of YAML 1.1 --- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool any_of(struct str s, const char *const *words)
{
	for (; *words; words++)
		if (str_is(s, *words))
			return true;
	return false;
}

/* drop_marks copies digits without '_' and sign; *neg tells the sign. */
static struct str drop_marks(struct arena *a, struct str s, bool *neg)
{
	char *p;
	size_t n = 0;

	*neg = s.n && s.p[0] == '-';
	if (s.n && (s.p[0] == '-' || s.p[0] == '+'))
		s = str_skip(s, 1);
	p = arena_alloc(a, s.n + 1);
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != '_')
			p[n++] = s.p[i];
	p[n] = 0;
	return str_of(p, n);
}

static struct str number_text(struct arena *a, bool neg, uint64_t v)
{
	return str_printf(a, "%s%llu", neg && v ? "-" : "", (unsigned long long)v);
}

/* based reads digits in a base below or equal 16; false on a foreign digit, on none, or past 64 bits. */
static bool based(struct str s, unsigned base, uint64_t *ret)
{
	uint64_t v = 0;

	if (!s.n)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		int d = hex_digit(s.p[i]);

		if (d < 0 || (unsigned)d >= base || __builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, (unsigned)d, &v))
			return false;
	}
	*ret = v;
	return true;
}

/* sexagesimal: 1:30 is 90; the parts after the first are below 60. */
static bool sexagesimal(struct str s, uint64_t *ret)
{
	struct str part, rest = s;
	uint64_t v = 0, d;
	size_t parts = 0;

	if (!s.n || s.p[0] < '1' || s.p[0] > '9')
		return false;
	while (str_next(&rest, ':', &part)) {
		if (!based(part, 10, &d) || (parts && (d > 59 || part.n > 2)))
			return false;
		if (__builtin_mul_overflow(v, 60, &v) || __builtin_add_overflow(v, (unsigned)d, &v))
			return false;
		parts++;
	}
	*ret = v;
	return parts > 1;
}

static bool yaml_int(struct arena *a, struct str s, struct str *ret)
{
	bool neg;
	struct str d = drop_marks(a, s, &neg);
	uint64_t v;
	size_t sign = s.n && (s.p[0] == '-' || s.p[0] == '+');

	if (s.n <= sign || !is_digit(s.p[sign]))
		return false;
	if (d.n > 1 && d.p[0] == '0' && (d.p[1] == 'x' || d.p[1] == 'b') && s.p[sign + 1] == '_')
		return false;
	if (d.n > 2 && d.p[0] == '0' && d.p[1] == 'x') {
		if (!based(str_skip(d, 2), 16, &v))
			return false;
	} else if (d.n > 2 && d.p[0] == '0' && d.p[1] == 'b') {
		if (!based(str_skip(d, 2), 2, &v))
			return false;
	} else if (d.n > 1 && d.p[0] == '0') {
		if (!based(d, 8, &v))
			return false;
	} else if (str_find_char(d, ':') >= 0) {
		if (str_find_char(str_skip(s, str_find_char(s, ':')), '_') >= 0 || !sexagesimal(d, &v))
			return false;
	} else {
		for (size_t i = 0; i < d.n; i++)
			if (!is_digit(d.p[i]))
				return false;
		*ret = neg && !str_is(d, "0") ? str_printf(a, "-%.*s", STR(d)) : d; /* any length: kept as text */
		return true;
	}
	*ret = number_text(a, neg, v);
	return true;
}

/* yaml_float: digits, a dot, digits, and an exponent with its sign; made into what JSON may hold. */
static bool yaml_float(struct arena *a, struct str s, struct str *ret)
{
	bool neg, digits = false;
	struct str d = drop_marks(a, s, &neg), whole, frac, exp = STR_NONE;
	size_t sign = s.n && (s.p[0] == '-' || s.p[0] == '+');
	ptrdiff_t e;

	if (s.n <= sign || s.p[sign] == '_' || !str_cut(d, '.', &whole, &frac))
		return false;
	if (!whole.n && (sign || s.n < 2 || !is_digit(s.p[1])))
		return false; /* "-.5" is text in YAML 1.1 */
	e = str_find_char(frac, 'e');
	if (e < 0)
		e = str_find_char(frac, 'E');
	if (e >= 0) {
		exp = str_skip(frac, e + 1);
		frac.n = (size_t)e;
		if (str_find_char(s, '_') > str_find_char(s, frac.p[e])) /* marks only before the exponent */
			return false;
		if (exp.n < 2 || (exp.p[0] != '-' && exp.p[0] != '+'))
			return false;
		for (size_t i = 1; i < exp.n; i++)
			if (!is_digit(exp.p[i]))
				return false;
	}
	for (size_t i = 0; i < whole.n; i++, digits = true)
		if (!is_digit(whole.p[i]))
			return false;
	for (size_t i = 0; i < frac.n; i++, digits = true)
		if (!is_digit(frac.p[i]))
			return false;
	if (!digits)
		return false;
	while (whole.n > 1 && whole.p[0] == '0')
		whole = str_skip(whole, 1);
	*ret = str_printf(a, "%s%.*s.%.*s%s%.*s", neg ? "-" : "", STR(whole.n ? whole : S("0")), STR(frac.n ? frac : S("0")),
			  exp.p ? "e" : "", STR(exp.p ? exp : S("")));
	return true;
}

static void type_plain(struct arena *a, struct str s, struct json *ret)
{
	static const char *const yes[] = { "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON", NULL };
	static const char *const no[] = { "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF", NULL };
	static const char *const nil[] = { "", "~", "null", "Null", "NULL", NULL };
	struct str num;

	ret->type = JSON_STRING;
	ret->s = s;
	if (any_of(s, nil)) {
		ret->type = JSON_NULL;
	} else if (any_of(s, yes) || any_of(s, no)) {
		ret->type = JSON_BOOL;
		ret->b = any_of(s, yes);
	} else if ((is_digit(s.p[0]) || s.p[0] == '-' || s.p[0] == '+' || s.p[0] == '.') &&
		   (yaml_int(a, s, &num) || yaml_float(a, s, &num))) {
		ret->type = JSON_NUMBER;
		ret->s = num;
	}
}

/* --- short forms --- */

static const struct {
	const char *tag, *name;
} short_forms[] = {
	{ "!Ref", "Ref" },
	{ "!Condition", "Condition" },
	{ "!And", "Fn::And" },
	{ "!Base64", "Fn::Base64" },
	{ "!Cidr", "Fn::Cidr" },
	{ "!Contains", "Fn::Contains" },
	{ "!EachMemberEquals", "Fn::EachMemberEquals" },
	{ "!EachMemberIn", "Fn::EachMemberIn" },
	{ "!Equals", "Fn::Equals" },
	{ "!FindInMap", "Fn::FindInMap" },
	{ "!GetAZs", "Fn::GetAZs" },
	{ "!GetAtt", "Fn::GetAtt" },
	{ "!If", "Fn::If" },
	{ "!ImportValue", "Fn::ImportValue" },
	{ "!Join", "Fn::Join" },
	{ "!Length", "Fn::Length" },
	{ "!Not", "Fn::Not" },
	{ "!Or", "Fn::Or" },
	{ "!RefAll", "Fn::RefAll" },
	{ "!Select", "Fn::Select" },
	{ "!Split", "Fn::Split" },
	{ "!Sub", "Fn::Sub" },
	{ "!ToJsonString", "Fn::ToJsonString" },
	{ "!Transform", "Fn::Transform" },
	{ "!ValueOf", "Fn::ValueOf" },
	{ "!ValueOfAll", "Fn::ValueOfAll" },
};

enum tag_kind { TAG_NONE, TAG_STR, TAG_PLAIN, TAG_SHORT, TAG_BAD };

/* tag_of says what a tag asks for; *ret_form is the short form's index. Tags of YAML's own that JSON can hold are
 * accepted; binary, omap, set, timestamp and everybody else's aren't. */
static enum tag_kind tag_of(const yaml_char_t *tag, size_t *ret_form)
{
	static const char core[] = "tag:yaml.org,2002:";
	const char *t = (const char *)tag;

	if (!t)
		return TAG_NONE;
	if (strcmp(t, "!") == 0)
		return TAG_STR;
	for (size_t i = 0; i < ELEMENTS(short_forms); i++)
		if (strcmp(t, short_forms[i].tag) == 0) {
			*ret_form = i;
			return TAG_SHORT;
		}
	if (strncmp(t, core, sizeof core - 1) != 0)
		return TAG_BAD;
	t += sizeof core - 1;
	if (strcmp(t, "str") == 0)
		return TAG_STR;
	if (strcmp(t, "int") == 0 || strcmp(t, "float") == 0 || strcmp(t, "bool") == 0 || strcmp(t, "null") == 0 || strcmp(t, "map") == 0 ||
	    strcmp(t, "seq") == 0)
		return TAG_PLAIN;
	return TAG_BAD;
}

/* --- the tree --- */

struct frame {
	struct json *node; /* the open array or object */
	struct str key;    /* object: the last key */
	bool keyed;        /* object: a value comes next */
};
struct reader {
	struct arena *a;
	yaml_parser_t parser;
	struct frame stack[TEMPLATE_DEPTH_MAX];
	size_t depth;
	struct json *root;
	struct str *err;
};

static int not_well_formed(struct reader *r, const yaml_mark_t *m)
{
	return complain(r->a, r->err, "Template format error: YAML not well-formed. (line %zu, column %zu)", m->line + 1, m->column + 1);
}

/* path_text: "/Resources/X/Properties" of the open frames. */
static struct str path_text(struct reader *r)
{
	struct str s = S("");

	for (size_t i = 0; i < r->depth && s.n < KEY_PATH_BYTES_MAX; i++) {
		struct frame *f = &r->stack[i];

		if (f->node->type == JSON_ARRAY)
			s = str_printf(r->a, "%.*s/%zu", STR(s), i + 1 < r->depth ? f->node->n - 1 : f->node->n);
		else if (f->keyed || i + 1 < r->depth)
			s = str_printf(r->a, "%.*s/%.*s", STR(s), STR(f->key));
	}
	return s;
}

/* wrap makes the short form's long form around *v, in place. */
static void wrap(struct reader *r, size_t form, struct json *v)
{
	struct json inner = *v, attr;
	struct str left, right;
	const char *name = short_forms[form].name;

	if (strcmp(name, "Fn::GetAtt") == 0 && inner.type == JSON_STRING && str_cut(inner.s, '.', &left, &right)) {
		attr = inner;
		inner = (struct json){ .type = JSON_ARRAY, .line = v->line };
		attr.s = left;
		json_push(r->a, &inner, &attr);
		attr.s = right;
		json_push(r->a, &inner, &attr);
	}
	*v = (struct json){ .type = JSON_OBJECT, .line = inner.line, .tag = short_forms[form].tag };
	json_set(r->a, v, str_c(name), &inner);
}

/* add puts a value where it belongs and returns where it stays (until the parent grows: only the innermost open node
 * is ever appended to). */
static struct json *add(struct reader *r, const struct json *v)
{
	struct frame *f;
	struct json_member *m;

	if (!r->depth) {
		r->root = arena_dup(r->a, v, sizeof *v);
		return r->root;
	}
	f = &r->stack[r->depth - 1];
	if (f->node->type == JSON_ARRAY)
		return json_push(r->a, f->node, v);
	/* Appended, not json_set: duplicates are looked for once, at the end, in n log n. */
	m = &vec_push(r->a, f->node->members, f->node->n, f->node->cap);
	m->key = f->key;
	m->value = *v;
	f->keyed = false;
	return &m->value;
}

static bool wants_key(const struct reader *r)
{
	return r->depth && r->stack[r->depth - 1].node->type == JSON_OBJECT && !r->stack[r->depth - 1].keyed;
}

static int on_scalar(struct reader *r, const yaml_event_t *e)
{
	struct str s = str_dup(r->a, str_of((const char *)e->data.scalar.value, e->data.scalar.length));
	struct json v = { .type = JSON_STRING, .s = s, .line = e->start_mark.line + 1 };
	size_t form = 0;
	enum tag_kind tag = tag_of(e->data.scalar.tag, &form);

	if (tag == TAG_BAD)
		return not_well_formed(r, &e->start_mark);
	if (wants_key(r)) {
		if (tag == TAG_SHORT)
			return complain(r->a, r->err, "Template format error: [%.*s] map keys must be strings; received a map instead",
					STR(path_text(r)));
		if (e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && str_is(s, "<<"))
			return not_well_formed(r, &e->start_mark);
		r->stack[r->depth - 1].key = s;
		r->stack[r->depth - 1].keyed = true;
		return 0;
	}
	if (e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && (tag == TAG_NONE || tag == TAG_PLAIN))
		type_plain(r->a, s, &v);
	if (tag == TAG_SHORT)
		wrap(r, form, &v);
	add(r, &v);
	return 0;
}

static int on_start(struct reader *r, const yaml_event_t *e, enum json_type type, const yaml_char_t *tag_text)
{
	struct json v = { .type = type, .line = e->start_mark.line + 1 }, *at;
	size_t form = 0;
	enum tag_kind tag = tag_of(tag_text, &form);

	if (tag == TAG_BAD)
		return not_well_formed(r, &e->start_mark);
	if (wants_key(r))
		return complain(r->a, r->err, "Template format error: [%.*s] map keys must be strings; received a %s instead",
				STR(path_text(r)), type == JSON_OBJECT || tag == TAG_SHORT ? "map" : "list");
	if (r->depth == TEMPLATE_DEPTH_MAX)
		return complain(r->a, r->err, "Template format error: the template is nested deeper than %d levels. (line %zu, column %zu)",
				TEMPLATE_DEPTH_MAX, e->start_mark.line + 1, e->start_mark.column + 1);
	if (tag == TAG_SHORT)
		wrap(r, form, &v);
	at = add(r, &v);
	if (tag == TAG_SHORT)
		at = &at->members[0].value;
	r->stack[r->depth++] = (struct frame){ .node = at };
	return 0;
}

static int on_event(struct reader *r, const yaml_event_t *e, size_t *documents)
{
	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		return ++*documents > 1 ? not_well_formed(r, &e->start_mark) : 0;
	case YAML_ALIAS_EVENT:
		return complain(r->a, r->err, "Template error: YAML aliases are not allowed in CloudFormation templates");
	case YAML_SCALAR_EVENT:
		return on_scalar(r, e);
	case YAML_SEQUENCE_START_EVENT:
		return on_start(r, e, JSON_ARRAY, e->data.sequence_start.tag);
	case YAML_MAPPING_START_EVENT:
		return on_start(r, e, JSON_OBJECT, e->data.mapping_start.tag);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		r->depth--;
		return 0;
	default:
		return 0;
	}
}

static int read_yaml(struct arena *a, struct str text, struct json **ret, struct str *err)
{
	struct reader r = { .a = a, .err = err };
	yaml_event_t e;
	bool end = false;
	size_t documents = 0;
	int rc = 0;

	if (!yaml_parser_initialize(&r.parser))
		return -ENOMEM;
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text.p, text.n);
	while (!end && rc == 0) {
		if (!yaml_parser_parse(&r.parser, &e)) {
			rc = not_well_formed(&r, &r.parser.problem_mark);
			break;
		}
		end = e.type == YAML_STREAM_END_EVENT;
		rc = on_event(&r, &e, &documents);
		yaml_event_delete(&e);
	}
	yaml_parser_delete(&r.parser);
	*ret = r.root;
	return rc;
}

/* --- JSON, and what both share --- */

static void position(struct str text, size_t at, size_t *line, size_t *column)
{
	*line = 1;
	*column = 1;
	for (size_t i = 0; i < at && i < text.n; i++)
		if (text.p[i] == '\n') {
			++*line;
			*column = 1;
		} else {
			++*column;
		}
}

static int read_json(struct arena *a, struct str text, struct json **ret, struct str *err)
{
	size_t at = 0, line, column;
	int r = json_parse(a, text, ret, &at);

	if (r >= 0)
		return 0;
	position(text, at, &line, &column);
	return complain(a, err, "Template format error: JSON not well-formed. (line %zu, column %zu)", line, column);
}

static int by_key(const void *x, const void *y)
{
	const struct json_member *const *a = x, *const *b = y;

	return str_cmp((*a)->key, (*b)->key);
}

struct checker {
	struct arena *a;
	struct str text, *err;
	bool yaml;
	struct str path[TEMPLATE_DEPTH_MAX + 1]; /* absent: an element, its index in at */
	size_t at[TEMPLATE_DEPTH_MAX + 1];
};

static int refuse_duplicate(struct checker *k, const struct json_member *m)
{
	size_t line = m->value.line, column = 1;

	if (m->key.p >= k->text.p && m->key.p < k->text.p + k->text.n)
		position(k->text, m->key.p - k->text.p, &line, &column);
	return complain(k->a, k->err, "Template format error: %s not well-formed. Duplicate key '%.*s' (line %zu, column %zu)",
			k->yaml ? "YAML" : "JSON", STR(m->key), line, column);
}

static int check_keys(struct checker *k, const struct json *j)
{
	const struct json_member **v;
	int r = 0;

	if (j->n < 2)
		return 0;
	v = xmalloc(arena_mul(j->n, sizeof *v));
	for (size_t i = 0; i < j->n; i++)
		v[i] = &j->members[i];
	qsort(v, j->n, sizeof *v, by_key);
	for (size_t i = 1; i < j->n && r == 0; i++)
		if (str_eq(v[i - 1]->key, v[i]->key))
			r = refuse_duplicate(k, v[i] > v[i - 1] ? v[i] : v[i - 1]);
	free(v);
	return r;
}

static int refuse_null(struct checker *k, size_t depth)
{
	struct str s = S("");

	for (size_t i = 0; i < depth && s.n < KEY_PATH_BYTES_MAX; i++)
		s = k->path[i].p ? str_printf(k->a, "%.*s/%.*s", STR(s), STR(k->path[i])) : str_printf(k->a, "%.*s/%zu", STR(s), k->at[i]);
	return complain(k->a, k->err, "[%.*s] 'null' values are not allowed in templates", STR(s));
}

static int check_tree(struct checker *k, const struct json *j, size_t depth)
{
	int r = 0;

	if (j->type == JSON_NULL)
		return refuse_null(k, depth);
	if (j->type != JSON_ARRAY && j->type != JSON_OBJECT)
		return 0;
	if (depth >= TEMPLATE_DEPTH_MAX)
		return complain(k->a, k->err, "Template format error: the template is nested deeper than %d levels. (line %u)",
				TEMPLATE_DEPTH_MAX, j->line);
	if (j->type == JSON_OBJECT)
		r = check_keys(k, j);
	for (size_t i = 0; i < j->n && r == 0; i++) {
		k->path[depth] = j->type == JSON_OBJECT ? j->members[i].key : STR_NONE;
		k->at[depth] = i;
		r = check_tree(k, j->type == JSON_OBJECT ? &j->members[i].value : &j->items[i], depth + 1);
	}
	return r;
}

int read_check(struct arena *a, struct str text, bool yaml, const struct json *root, struct str *ret_err)
{
	struct checker k = { .a = a, .text = text, .err = ret_err, .yaml = yaml };

	return check_tree(&k, root, 0);
}

int template_read(struct arena *a, struct str text, struct json **ret, bool *ret_yaml, struct str *ret_err)
{
	struct json *root = NULL;
	struct str trimmed;
	bool yaml;
	int r;

	if (text.n > TEMPLATE_BYTES_MAX)
		return complain(a, ret_err, "Template may not exceed %d bytes in size.", TEMPLATE_BYTES_MAX);
	if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
		text = str_skip(text, 3);
	trimmed = str_trim(text);
	yaml = !trimmed.n || trimmed.p[0] != '{';
	r = yaml ? read_yaml(a, text, &root, ret_err) : read_json(a, text, &root, ret_err);
	if (r < 0)
		return r;
	if (!json_is(root, JSON_OBJECT))
		return complain(a, ret_err, "Template format error: unsupported structure.");
	r = read_check(a, text, yaml, root, ret_err);
	if (r < 0)
		return r;
	*ret = root;
	*ret_yaml = yaml;
	return 0;
}
