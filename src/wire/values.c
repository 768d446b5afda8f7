/* SPDX-License-Identifier: Apache-2.0 */
/* values.c - reading and building the C values that descriptor tables describe, and overlay paths over them. */
#include "wire/impl.h"

#include <assert.h>
#include <errno.h>
#include <math.h>

#include "base/util.h"

#define MAP_VALUE_OFFSET 16
#define LIST_FIRST 4

bool value_present(const struct desc_shape *s, const void *slot)
{
	switch (s->kind) {
	case DK_BOOL:
	case DK_INT:
	case DK_LONG:
	case DK_FLOAT:
	case DK_DOUBLE:
	case DK_TIME:
		return *(const bool *)slot; /* every opt_* begins with has */
	default:
		return *(void *const *)slot != NULL;
	}
}

const void *slot_value(const struct desc_shape *s, const void *slot)
{
	if (!value_present(s, slot))
		return NULL;
	return s->kind == DK_STRUCT ? *(void *const *)slot : slot;
}

void *slot_make(struct arena *a, const struct desc_shape *s, void *slot)
{
	if (s->kind != DK_STRUCT)
		return slot;
	if (!*(void **)slot)
		*(void **)slot = arena_zalloc(a, s->size);
	return *(void **)slot;
}

void value_empty(struct arena *a, void *list_or_map)
{
	struct str_list *l = list_or_map;

	if (!l->v)
		l->v = arena_alloc(a, sizeof *l->v);
}

size_t entry_size(const struct desc_shape *value)
{
	return (MAP_VALUE_OFFSET + value->size + 7) & ~(size_t)7;
}

/* Room for one more element of size bytes at the end; capacities are LIST_FIRST and its doublings. */
static void *grow(struct arena *a, size_t size, void *list)
{
	struct str_list *l = list;
	char *p = (char *)l->v;

	if (l->n == 0)
		p = arena_alloc(a, arena_mul(LIST_FIRST, size));
	else if (l->n >= LIST_FIRST && (l->n & (l->n - 1)) == 0)
		p = arena_grow(a, p, l->n * size, arena_mul(l->n * 2, size));
	l->v = (void *)p;
	return memset(p + l->n++ * size, 0, size);
}

void *list_add(struct arena *a, const struct desc_shape *element, void *list)
{
	return grow(a, element->size, list);
}

void *map_add(struct arena *a, const struct desc_shape *value, void *map, struct str key)
{
	char *e = grow(a, entry_size(value), map);

	memcpy(e, &key, sizeof key);
	return e + MAP_VALUE_OFFSET;
}

static int read_bool(struct str t, bool *ret)
{
	if (str_eq_ci(t, S("true")))
		*ret = true;
	else if (str_eq_ci(t, S("false")))
		*ret = false;
	else
		return -EINVAL;
	return 0;
}

static int read_double(struct str t, double *ret)
{
	if (str_eq(t, S("NaN")))
		*ret = NAN;
	else if (str_eq(t, S("Infinity")))
		*ret = INFINITY;
	else if (str_eq(t, S("-Infinity")))
		*ret = -INFINITY;
	else
		return str_to_double(t, ret);
	return 0;
}

static int read_int(struct str t, bool wide, int64_t *ret)
{
	double d;

	if (str_to_i64(t, ret) < 0) { /* 5.0 and 5e3 are integers too */
		if (str_find_char(t, '.') < 0 && str_find_char(t, 'e') < 0 && str_find_char(t, 'E') < 0)
			return -EINVAL;
		if (str_to_double(t, &d) < 0 || d != trunc(d) || fabs(d) > 9007199254740992.0)
			return -EINVAL;
		*ret = (int64_t)d;
	}
	return wide || (*ret >= INT32_MIN && *ret <= INT32_MAX) ? 0 : -EINVAL;
}

int scalar_read(struct arena *a, const struct desc_shape *s, struct str text, void *v)
{
	int r;

	switch (s->kind) {
	case DK_STRING:
		if (!utf8_valid(text))
			return -EINVAL;
		*(struct str *)v = str_of(text.p ? text.p : "", text.n);
		return 0;
	case DK_BLOB:
		r = base64_decode(a, text, v);
		if (r == 0 && !((struct str *)v)->p)
			*(struct str *)v = S("");
		return r;
	case DK_BOOL: {
		struct opt_bool *b = v;

		r = read_bool(str_trim(text), &b->v);
		b->has = r == 0;
		return r;
	}
	case DK_INT:
	case DK_LONG: {
		struct opt_int *i = v;

		r = read_int(str_trim(text), s->kind == DK_LONG, &i->v);
		i->has = r == 0;
		return r;
	}
	case DK_FLOAT:
	case DK_DOUBLE: {
		struct opt_double *d = v;

		r = read_double(str_trim(text), &d->v);
		d->has = r == 0;
		return r;
	}
	case DK_TIME: {
		struct opt_time *t = v;

		r = time_parse(str_trim(text), &t->ms);
		t->has = r == 0;
		return r;
	}
	default:
		return -EINVAL;
	}
}

struct str number_text(struct arena *a, double d, bool single)
{
	char t[40];
	int n = 0;

	if (isnan(d))
		return S("NaN");
	if (isinf(d))
		return d > 0 ? S("Infinity") : S("-Infinity");
	for (int digits = single ? 6 : 15; digits <= 17; digits++) { /* the shortest that reads back the same */
		double back;

		n = snprintf(t, sizeof t, "%.*g", digits, d);
		if (str_to_double(str_of(t, (size_t)n), &back) == 0 && (single ? (float)back == (float)d : back == d))
			break;
	}
	return str_dup(a, str_of(t, (size_t)n));
}

struct str epoch_text(struct arena *a, int64_t ms)
{
	uint64_t u = ms < 0 ? -(uint64_t)ms : (uint64_t)ms;
	const char *sign = ms < 0 ? "-" : "";

	if (u % 1000 == 0)
		return str_printf(a, "%s%llu", sign, (unsigned long long)(u / 1000));
	return str_printf(a, "%s%llu.%03u", sign, (unsigned long long)(u / 1000), (unsigned)(u % 1000));
}

enum desc_time time_format(const struct desc_member *m, const struct desc_shape *s, enum desc_time dflt)
{
	if (m && m->time)
		return (enum desc_time)m->time;
	return s->time ? (enum desc_time)s->time : dflt;
}

struct str scalar_text(struct arena *a, const struct desc_shape *s, enum desc_time time, const void *v)
{
	switch (s->kind) {
	case DK_STRING:
		return *(const struct str *)v;
	case DK_BLOB: {
		const struct str *x = v;

		return x->p && x->n ? base64_encode(a, *x) : *x;
	}
	case DK_BOOL: {
		const struct opt_bool *x = v;

		return !x->has ? STR_NONE : x->v ? S("true") : S("false");
	}
	case DK_INT:
	case DK_LONG: {
		const struct opt_int *x = v;

		return x->has ? str_printf(a, "%lld", (long long)x->v) : STR_NONE;
	}
	case DK_FLOAT:
	case DK_DOUBLE: {
		const struct opt_double *x = v;

		return x->has ? number_text(a, x->v, s->kind == DK_FLOAT) : STR_NONE;
	}
	case DK_TIME: {
		const struct opt_time *x = v;

		if (!x->has)
			return STR_NONE;
		if (time == DT_EPOCH)
			return epoch_text(a, x->ms);
		if (time == DT_HTTP)
			return time_http(a, x->ms);
		return x->ms % 1000 ? time_iso_ms(a, x->ms) : time_iso(a, x->ms);
	}
	default:
		return STR_NONE;
	}
}

bool is_s3(const struct service_model *m)
{
	return m && strcmp(m->id, "S3") == 0;
}

int fault_set(struct codec *c, const char *code, int status, struct str message)
{
	*c->fault = (struct wire_fault){ .code = code, .status = status, .message = message };
	return -EINVAL;
}

int fault_bad(struct codec *c, const char *name, struct str text)
{
	if (text.n > 256)
		text.n = 256;
	if (!utf8_valid(text))
		text = S("");
	switch (c->p) {
	case WIRE_QUERY:
		return fault_set(c, "MalformedInput", 400, str_printf(c->a, "Value '%.*s' at '%s' cannot be read", STR(text), name));
	case WIRE_EC2:
		return fault_set(c, "InvalidParameterValue", 400,
				 str_printf(c->a, "Value (%.*s) for parameter %s is invalid.", STR(text), name));
	case WIRE_REST_XML:
		if (is_s3(c->m) && strcmp(name, "max-keys") == 0)
			return fault_set(c, "InvalidArgument", 400, S("Provided max-keys not an integer or within integer range"));
		if (is_s3(c->m) && strcmp(name, "partNumber") == 0)
			return fault_set(c, "InvalidArgument", 400, S("Part number must be an integer between 1 and 10000, inclusive"));
		if (is_s3(c->m))
			return fault_set(c, "InvalidArgument", 400, str_printf(c->a, "The value of %s is not valid", name));
		return fault_set(c, "MalformedInput", 400, str_printf(c->a, "Value '%.*s' at '%s' cannot be read", STR(text), name));
	case WIRE_JSON:
	case WIRE_REST_JSON:
		break;
	}
	return fault_set(c, "SerializationException", 400, str_printf(c->a, "Value '%.*s' at '%s' cannot be read", STR(text), name));
}

/* --- overlay paths --- */

struct walk {
	const struct service_model *m;
	struct arena *a;
	void (*fn)(struct str value, void *arg);
	void *arg;
	int found;
};

static const struct desc_member *member_named(const struct desc_shape *s, struct str name)
{
	for (size_t i = 0; s->kind == DK_STRUCT && i < s->n_members; i++)
		if (str_is(name, s->members[i].name))
			return &s->members[i];
	return NULL;
}

/* Visits v of shape s and what rest of the path names below it. */
static void walk(struct walk *w, const struct desc_shape *s, const void *v, struct str rest)
{
	const struct desc_shape *e;
	const struct desc_member *m;
	struct str part;

	if (s->kind == DK_LIST) { /* "Ids[]" and "Ids" mean the same */
		const struct str_list *l = v;

		e = &w->m->shapes[s->element];
		for (size_t i = 0; i < l->n; i++)
			walk(w, e, (const char *)l->v + i * e->size, rest);
		return;
	}
	if (!rest.p) {
		if (s->kind == DK_MAP ? ((const struct str_map *)v)->n > 0 : s->kind == DK_STRUCT || value_present(s, v)) {
			w->found++;
			if (w->fn && is_scalar(s))
				w->fn(scalar_text(w->a, s, DT_ISO, v), w->arg);
		}
		return;
	}
	str_next(&rest, '.', &part);
	if (str_ends(part, S("[]")))
		part.n -= 2;
	m = member_named(s, part);
	if (m) {
		e = &w->m->shapes[m->shape];
		v = slot_value(e, (const char *)v + m->offset);
		if (v)
			walk(w, e, v, rest);
	}
}

int wire_path(const struct service_model *m, uint16_t shape, const void *in, const char *path, struct arena *a,
	      void (*fn)(struct str value, void *arg), void *arg)
{
	struct walk w = { m, a, fn, arg, 0 };

	assert(m && shape < m->n_shapes);
	walk(&w, &m->shapes[shape], in, str_c(path));
	return w.found;
}

bool wire_present(const struct service_model *m, uint16_t shape, const void *in, const char *path)
{
	return wire_path(m, shape, in, path, NULL, NULL, NULL) > 0; /* without fn nothing is allocated */
}
