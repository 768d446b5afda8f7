/* SPDX-License-Identifier: Apache-2.0 */
/* validate.c - required members, ranges, lengths, patterns and enumerations of a decoded request.
 *
 * All violations are collected into one sentence, as AWS's common framework words it; EC2 and S3 stop at the first and
 * have their own words. Constraints of the elements of a list or map are told with the container. Sensitive values are
 * never repeated. */
#include "wire/impl.h"

#include <assert.h>
#include <errno.h>

#include "base/util.h"

#define VIOLATIONS_MAX 50
#define MESSAGE_BYTES_MAX 65536
#define PATH_BYTES_MAX 1024
#define VALUE_BYTES_MAX 4096

struct checker {
	const struct service_model *m;
	enum wire_protocol p;
	struct arena *a;
	struct wire_fault *fault;
	struct buf path, text; /* text: the violations so far */
	struct str special;    /* a sentence that replaces all others */
	unsigned n, depth;
};
enum violation { V_NONE, V_NULL, V_ENUM, V_PATTERN, V_MIN, V_MAX };

static bool stops(const struct checker *c)
{
	return c->p == WIRE_EC2 || is_s3(c->m);
}

static void put_value(struct checker *c, struct buf *b, const struct desc_shape *s, const void *v);

static void put_list(struct checker *c, struct buf *b, const struct desc_shape *s, const void *v)
{
	const struct desc_shape *e = &c->m->shapes[s->element];
	const struct str_list *l = v;
	bool map = s->kind == DK_MAP;
	size_t size = map ? entry_size(e) : e->size;

	buf_c(b, map ? '{' : '[');
	for (size_t i = 0; i < l->n && b->n < MESSAGE_BYTES_MAX; i++) {
		const char *x = (const char *)l->v + i * size;

		if (i)
			buf_put(b, ", ", 2);
		if (map) {
			buf_str(b, *(const struct str *)(const void *)x);
			buf_c(b, '=');
			x += sizeof(struct str);
		}
		put_value(c, b, e, x);
	}
	buf_c(b, map ? '}' : ']');
}

/* A value as AWS's messages show it. */
static void put_value(struct checker *c, struct buf *b, const struct desc_shape *s, const void *v)
{
	struct str t;

	switch (s->kind) {
	case DK_LIST:
	case DK_MAP:
		put_list(c, b, s, v);
		return;
	case DK_STRUCT:
		buf_put(b, s->name, strlen(s->name));
		return;
	case DK_BLOB:
		t = *(const struct str *)v;
		buf_printf(b, "java.nio.HeapByteBuffer[pos=0 lim=%zu cap=%zu]", t.n, t.n);
		return;
	default:
		t = (s->flags & DS_SENSITIVE) ? S("***") : scalar_text(c->a, s, DT_ISO, v);
		if (t.n > VALUE_BYTES_MAX)
			t.n = VALUE_BYTES_MAX;
		buf_str(b, t);
	}
}

static void put_sentence(struct buf *b, const struct desc_shape *s, enum violation k)
{
	bool value = s->kind >= DK_INT && s->kind <= DK_DOUBLE;

	switch (k) {
	case V_NULL:
		buf_str(b, S("Member must not be null"));
		break;
	case V_ENUM:
		buf_str(b, S("Member must satisfy enum value set: ["));
		for (const char *const *e = s->enums; *e; e++)
			buf_printf(b, "%s%s", e == s->enums ? "" : ", ", *e);
		buf_c(b, ']');
		break;
	case V_PATTERN:
		buf_printf(b, "Member must satisfy regular expression pattern: %s", s->pattern);
		break;
	case V_MIN:
		buf_printf(b, "Member must have %s greater than or equal to %.17g", value ? "value" : "length", s->min);
		break;
	case V_MAX:
		buf_printf(b, "Member must have %s less than or equal to %.17g", value ? "value" : "length", s->max);
		break;
	case V_NONE:
		break;
	}
}

/* "[Member must ..., Member must ...]": every constraint of an element's shape. */
static void put_constraints(struct buf *b, const struct desc_shape *s)
{
	const char *sep = "";

	buf_c(b, '[');
	for (int i = 0; i < 4; i++) {
		static const enum violation order[] = { V_MAX, V_MIN, V_PATTERN, V_ENUM };
		bool has = order[i] == V_MAX       ? s->flags & DS_HAS_MAX
			   : order[i] == V_MIN     ? s->flags & DS_HAS_MIN
			   : order[i] == V_PATTERN ? s->pattern != NULL
						   : s->enums != NULL;

		if (!has)
			continue;
		buf_printf(b, "%s", sep);
		put_sentence(b, s, order[i]);
		sep = ", ";
	}
	buf_c(b, ']');
}

/* The sentence of EC2 and S3 for a violation of member (of a structure). */
static void first_fault(struct checker *c, const struct desc_member *m, const struct desc_shape *s, enum violation k, const void *v)
{
	struct str text = v && is_scalar(s) && !(s->flags & DS_SENSITIVE) ? scalar_text(c->a, s, DT_ISO, v) : S("");
	char first = m->name[0] >= 'A' && m->name[0] <= 'Z' ? (char)(m->name[0] + 32) : m->name[0];

	if (c->fault->code)
		return;
	if (text.n > VALUE_BYTES_MAX)
		text.n = VALUE_BYTES_MAX;
	*c->fault = (struct wire_fault){ .status = 400 };
	if (c->p == WIRE_EC2) {
		c->fault->code = k == V_NULL ? "MissingParameter" : "InvalidParameterValue";
		c->fault->message = k == V_NULL ? str_printf(c->a, "The request must contain the parameter %s", m->name)
						: str_printf(c->a, "Value (%.*s) for parameter %c%s is invalid.", STR(text), first,
							     m->name + 1);
	} else if (m->location == DL_BODY) {
		c->fault->code = "MalformedXML";
		c->fault->message = S("The XML you provided was not well-formed or did not validate against our published schema");
	} else if (k == V_ENUM && strcmp(m->wire, "x-amz-storage-class") == 0) {
		c->fault->code = "InvalidStorageClass";
		c->fault->message = S("The storage class you specified is not valid");
	} else {
		c->fault->code = "InvalidArgument";
		c->fault->message = k == V_NULL ? str_printf(c->a, "Missing required header or parameter for this request: %s", m->wire)
						: str_printf(c->a, "The value of %s is not valid", m->wire);
	}
}

/* IAM's own words for a name with characters that names must not have. */
static bool iam_name(struct checker *c, const struct desc_member *m, const struct desc_shape *s)
{
	if (c->special.p || !s->pattern || strcmp(s->pattern, "[\\w+=,.@-]+") != 0 || strcmp(c->m->id, "IAM") != 0)
		return false;
	c->special = str_printf(
		c->a, "The specified value for %c%s is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-",
		m->name[0] | 32, m->name + 1);
	return true;
}

/* Records one violation at the current path. how: NULL, or the words before the constraints of an element. */
static void violated(struct checker *c, const struct desc_member *m, const struct desc_shape *s, enum violation k, const void *v,
		     const char *how, const struct desc_shape *element)
{
	bool hide = (s->flags & DS_SENSITIVE) || (m->flags & DM_SENSITIVE) || (element && (element->flags & DS_SENSITIVE));

	if (stops(c)) {
		first_fault(c, m, s, k, v);
		c->n = 1;
		return;
	}
	if (k == V_PATTERN && !how)
		iam_name(c, m, s);
	if (c->n++ >= VIOLATIONS_MAX)
		return;
	if (c->text.n)
		buf_str(&c->text, S("; "));
	if (k == V_NULL) {
		buf_str(&c->text, S("Value null"));
	} else if (hide) {
		buf_str(&c->text, S("Value"));
	} else {
		buf_str(&c->text, S("Value '"));
		put_value(c, &c->text, s, v);
		buf_c(&c->text, '\'');
	}
	buf_str(&c->text, S(" at '"));
	buf_str(&c->text, buf_view(&c->path));
	buf_str(&c->text, S("' failed to satisfy constraint: "));
	if (how) {
		buf_printf(&c->text, "%s must satisfy constraint: ", how);
		put_constraints(&c->text, element);
	} else {
		put_sentence(&c->text, s, k);
	}
}

static bool known_value(const struct desc_shape *s, struct str text)
{
	for (const char *const *e = s->enums; *e; e++)
		if (str_is(text, *e))
			return true;
	return false;
}

/* Fills bad[] with the constraints that a value itself violates; returns how many. */
static unsigned check_value(struct checker *c, const struct desc_shape *s, const void *v, enum violation bad[4])
{
	unsigned n = 0;
	double measure = 0;

	switch (s->kind) {
	case DK_STRING: {
		struct str t = *(const struct str *)v;

		if (s->enums && !known_value(s, t))
			bad[n++] = V_ENUM;
		if (s->pattern && !pattern_check(c->m, s, t))
			bad[n++] = V_PATTERN;
		measure = (s->flags & (DS_HAS_MIN | DS_HAS_MAX)) ? (double)utf8_chars(t) : 0;
		break;
	}
	case DK_BLOB:
		measure = (double)((const struct str *)v)->n;
		break;
	case DK_LIST:
	case DK_MAP:
		measure = (double)((const struct str_list *)v)->n;
		break;
	case DK_INT:
	case DK_LONG:
		measure = (double)((const struct opt_int *)v)->v;
		break;
	case DK_FLOAT:
	case DK_DOUBLE:
		measure = ((const struct opt_double *)v)->v;
		break;
	default:
		return 0;
	}
	if ((s->flags & DS_HAS_MIN) && !(measure >= s->min))
		bad[n++] = V_MIN;
	if ((s->flags & DS_HAS_MAX) && !(measure <= s->max))
		bad[n++] = V_MAX;
	return n;
}

static void check_struct(struct checker *c, const struct desc_shape *s, const void *v);
static void check_inside(struct checker *c, const struct desc_member *m, const struct desc_shape *s, const void *v);

/* Appends ".name" to the path, with a small first letter for members, and ".member" behind an element's number. */
static size_t enter(struct checker *c, struct str name, bool element)
{
	size_t n = c->path.n;

	if (n)
		buf_c(&c->path, '.');
	if (!element && name.n && *name.p >= 'A' && *name.p <= 'Z') {
		buf_c(&c->path, (char)(*name.p + 32));
		name = str_skip(name, 1);
	}
	buf_str(&c->path, name);
	if (element)
		buf_put(&c->path, ".member", 7);
	return n;
}

static void leave(struct checker *c, size_t n)
{
	c->path.n = n;
	c->path.overflow = false;
}

/* Elements of a list or map: scalars are told with the container, others are entered. */
static void check_elements(struct checker *c, const struct desc_member *m, const struct desc_shape *s, const void *v)
{
	const struct desc_shape *e = &c->m->shapes[s->element], *ks = &c->m->shapes[s->key];
	const struct str_list *l = v;
	bool map = s->kind == DK_MAP, told = false, key_told = false;
	size_t size = map ? entry_size(e) : e->size;
	enum violation bad[4];

	for (size_t i = 0; i < l->n; i++) {
		const char *x = (const char *)l->v + i * size;
		char number[24];
		size_t mark;

		if (map) {
			if (!key_told && check_value(c, ks, x, bad)) {
				violated(c, m, s, bad[0], v, "Map keys", ks);
				key_told = true;
			}
			x += sizeof(struct str);
		}
		if (is_scalar(e)) {
			if (!told && value_present(e, x) && check_value(c, e, x, bad)) {
				violated(c, m, s, bad[0], v, map ? "Map value" : "Member", e);
				told = true;
			}
			continue;
		}
		if (e->kind != DK_STRUCT && e->kind != DK_LIST && e->kind != DK_MAP)
			continue;
		snprintf(number, sizeof number, "%zu", i + 1);
		mark = enter(c, map ? *(const struct str *)(const void *)(x - sizeof(struct str)) : str_c(number), true);
		if (e->kind == DK_STRUCT) {
			check_struct(c, e, x);
		} else if (*(void *const *)(const void *)x) {
			unsigned n = check_value(c, e, x, bad);

			for (unsigned k = 0; k < n; k++)
				violated(c, m, e, bad[k], x, NULL, NULL);
			check_inside(c, m, e, x);
		}
		leave(c, mark);
		if (c->n >= VIOLATIONS_MAX)
			return;
	}
}

static void check_inside(struct checker *c, const struct desc_member *m, const struct desc_shape *s, const void *v)
{
	if (c->depth >= WIRE_DEPTH_MAX)
		return;
	c->depth++;
	if (s->kind == DK_STRUCT)
		check_struct(c, s, v);
	else if (s->kind == DK_LIST || s->kind == DK_MAP)
		check_elements(c, m, s, v);
	c->depth--;
}

static void check_struct(struct checker *c, const struct desc_shape *s, const void *v)
{
	for (size_t i = 0; i < s->n_members && !(stops(c) && c->n); i++) {
		const struct desc_member *m = &s->members[i];
		const struct desc_shape *ms = &c->m->shapes[m->shape];
		const void *x = slot_value(ms, (const char *)v + m->offset);
		size_t mark;

		if (!x && (!(m->flags & DM_REQUIRED) || ms->kind == DK_BODY))
			continue;
		mark = enter(c, str_c(m->name), false);
		if (!x) {
			violated(c, m, ms, V_NULL, NULL, NULL, NULL);
		} else {
			enum violation bad[4];
			unsigned n = check_value(c, ms, x, bad);

			for (unsigned k = 0; k < n; k++)
				violated(c, m, ms, bad[k], x, NULL, NULL);
			check_inside(c, m, ms, x);
		}
		leave(c, mark);
	}
}

static const char *code_of(const struct checker *c)
{
	if (c->m->invalid)
		return c->m->invalid;
	return c->p == WIRE_QUERY ? "ValidationError" : c->p == WIRE_REST_XML ? "InvalidInput" : "ValidationException";
}

int wire_validate(const struct service_model *m, enum wire_protocol p, uint16_t shape, const void *in, struct arena *a,
		  struct wire_fault *fault)
{
	struct checker c = { .m = m, .p = p, .a = a, .fault = fault };

	assert(shape < m->n_shapes && m->shapes[shape].kind == DK_STRUCT);
	*fault = (struct wire_fault){ 0 };
	buf_init(&c.path, PATH_BYTES_MAX);
	buf_init(&c.text, MESSAGE_BYTES_MAX);
	check_struct(&c, &m->shapes[shape], in);
	if (c.n && !fault->code) {
		fault->code = code_of(&c);
		fault->status = 400;
		if (c.special.p && c.n == 1)
			fault->message = c.special;
		else
			fault->message = str_printf(a, "%u validation error%s detected: %.*s", c.n, c.n == 1 ? "" : "s",
						    STR(buf_view(&c.text)));
	}
	buf_done(&c.path);
	buf_done(&c.text);
	return c.n ? -EINVAL : 0;
}
