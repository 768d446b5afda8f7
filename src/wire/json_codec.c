/* SPDX-License-Identifier: Apache-2.0 */
/* json_codec.c - JSON of awsJson and restJson bodies, and our own JSON with the model's member names.
 *
 * Reading is strict about types, as AWS is, with two exceptions in our own JSON: scalars may come as text
 * (CloudFormation's "true" and "5"), times in any form. null means absent. */
#include "wire/impl.h"

#include <assert.h>
#include <errno.h>
#include <math.h>

#include "base/util.h"

static int mismatch(struct codec *c, const struct desc_shape *s, const struct json *j)
{
	static const char *const targets[] = { "String", "Blob", "Boolean", "Integer", "Long", "Float", "Double", "Timestamp" };
	const char *token = j->type == JSON_STRING   ? "STRING_VALUE"
			    : j->type == JSON_NUMBER ? "NUMBER_VALUE"
			    : j->b                   ? "TRUE_VALUE"
						     : "FALSE_VALUE";

	if (c->own)
		return fault_set(c, "ValidationException", 400, str_printf(c->a, "a value of %s has the wrong type", s->name));
	if (j->type == JSON_ARRAY)
		return fault_set(c, "SerializationException", 400, S("Start of list found where not expected"));
	if (j->type == JSON_OBJECT)
		return fault_set(c, "SerializationException", 400, S("Start of structure or map found where not expected"));
	if (!is_scalar(s))
		return fault_set(c, "SerializationException", 400, S("Unexpected field type"));
	return fault_set(c, "SerializationException", 400, str_printf(c->a, "%s cannot be converted to %s", token, targets[s->kind]));
}

static int decode_scalar(struct codec *c, const struct desc_shape *s, const struct json *j, void *v)
{
	bool ok = c->own;

	if (j->type == JSON_ARRAY || j->type == JSON_OBJECT)
		return mismatch(c, s, j);
	switch (s->kind) {
	case DK_STRING:
	case DK_BLOB:
		ok = ok || j->type == JSON_STRING;
		break;
	case DK_BOOL:
		ok = ok || j->type == JSON_BOOL;
		break;
	case DK_FLOAT:
	case DK_DOUBLE: /* "NaN" and the infinities are strings */
	case DK_TIME:
		ok = ok || j->type != JSON_BOOL;
		break;
	default:
		ok = ok || j->type == JSON_NUMBER;
	}
	if (!ok || scalar_read(c->a, s, json_scalar(j), v) < 0)
		return mismatch(c, s, j);
	return 0;
}

static int decode_list(struct codec *c, const struct desc_shape *s, const struct json *j, void *v)
{
	const struct desc_shape *e = &c->shapes[s->element];

	if (j->type != JSON_ARRAY)
		return mismatch(c, s, j);
	value_empty(c->a, v);
	for (size_t i = 0; i < j->n; i++) {
		void *slot = list_add(c->a, e, v);

		if (json_decode(c, e, &j->items[i], slot) < 0)
			return -EINVAL;
	}
	return 0;
}

static int decode_map(struct codec *c, const struct desc_shape *s, const struct json *j, void *v)
{
	const struct desc_shape *e = &c->shapes[s->element];

	if (j->type != JSON_OBJECT)
		return mismatch(c, s, j);
	value_empty(c->a, v);
	for (size_t i = 0; i < j->n; i++) {
		const struct json_member *m = &j->members[i];

		if (m->value.type == JSON_NULL && is_scalar(e))
			continue;
		if (json_decode(c, e, &m->value, map_add(c->a, e, v, m->key)) < 0)
			return -EINVAL;
	}
	return 0;
}

/* The member that a key names. hint is where to look first: clients mostly keep the model's order. */
static const struct desc_member *find_member(const struct codec *c, const struct desc_shape *s, struct str key, size_t *hint)
{
	for (size_t k = 0; k < s->n_members; k++) {
		size_t i = *hint + k < s->n_members ? *hint + k : *hint + k - s->n_members;
		const char *name = c->own ? s->members[i].name : s->members[i].wire;

		if (strncmp(name, key.p, key.n) == 0 && !name[key.n]) {
			*hint = i + 1 < s->n_members ? i + 1 : 0;
			return &s->members[i];
		}
	}
	return NULL;
}

static int decode_struct(struct codec *c, const struct desc_shape *s, const struct json *j, void *v, bool located)
{
	size_t hint = 0;

	if (j->type != JSON_OBJECT)
		return mismatch(c, s, j);
	for (size_t i = 0; i < j->n; i++) {
		const struct json *x = &j->members[i].value;
		const struct desc_member *m;
		const struct desc_shape *ms;
		char *slot;

		if (x->type == JSON_NULL || memchr(j->members[i].key.p, 0, j->members[i].key.n))
			continue;
		m = find_member(c, s, j->members[i].key, &hint);
		if (!m || (located && m->location != DL_BODY))
			continue;
		ms = &c->shapes[m->shape];
		slot = (char *)v + m->offset;
		if (ms->kind == DK_BODY)
			continue;
		if (ms->kind != DK_DOCUMENT) /* the last of several members of one name counts */
			memset(slot, 0, ms->kind == DK_STRUCT ? sizeof(void *) : ms->size);
		if (json_decode(c, ms, x, slot_make(c->a, ms, slot)) < 0)
			return -EINVAL;
	}
	return 0;
}

int json_decode(struct codec *c, const struct desc_shape *s, const struct json *j, void *v)
{
	int r;

	if (j->type == JSON_NULL)
		return 0;
	if (c->depth >= WIRE_DEPTH_MAX)
		return fault_set(c, "SerializationException", 400, S("The request is nested too deeply"));
	c->depth++;
	switch (s->kind) {
	case DK_STRUCT:
		r = decode_struct(c, s, j, v, false);
		break;
	case DK_LIST:
		r = decode_list(c, s, j, v);
		break;
	case DK_MAP:
		r = decode_map(c, s, j, v);
		break;
	case DK_DOCUMENT:
		*(const struct json **)v = j;
		r = 0;
		break;
	case DK_BODY:
		r = 0;
		break;
	default:
		r = decode_scalar(c, s, j, v);
	}
	c->depth--;
	return r;
}

int json_decode_body(struct codec *c, const struct desc_shape *s, struct str body, void *v, bool located)
{
	struct json *j;

	assert(s->kind == DK_STRUCT);
	if (str_trim(body).n == 0)
		return 0;
	if (json_parse(c->a, body, &j, NULL) < 0)
		return fault_set(c, "SerializationException", 400, S("The request body is not valid JSON"));
	return decode_struct(c, s, j, v, located);
}

/* --- writing --- */

static void put_name(struct buf *b, const char *name, bool *first)
{
	if (!*first)
		buf_c(b, ',');
	*first = false;
	buf_c(b, '"');
	buf_put(b, name, strlen(name)); /* the model's names need no escapes */
	buf_put(b, "\":", 2);
}

static void encode_scalar(struct codec *c, struct buf *b, const struct desc_shape *s, enum desc_time time, const void *v)
{
	struct str t;

	if (s->kind == DK_TIME && time == DT_DEFAULT)
		time = c->own ? DT_ISO : DT_EPOCH;
	t = scalar_text(c->a, s, time, v);
	if (!t.p)
		buf_put(b, "null", 4);
	else if (s->kind == DK_STRING)
		json_write_str(b, t);
	else if (s->kind == DK_BLOB || (s->kind == DK_TIME && time != DT_EPOCH) ||
		 ((s->kind == DK_FLOAT || s->kind == DK_DOUBLE) && !isfinite(((const struct opt_double *)v)->v))) {
		buf_c(b, '"');
		buf_str(b, t);
		buf_c(b, '"');
	} else {
		buf_str(b, t);
	}
}

void json_encode_struct(struct codec *c, struct buf *b, const struct desc_shape *s, const void *v, bool located)
{
	bool first = true;

	buf_c(b, '{');
	for (size_t i = 0; i < s->n_members; i++) {
		const struct desc_member *m = &s->members[i];
		const struct desc_shape *ms = &c->shapes[m->shape];
		const void *x;

		if ((located && m->location != DL_BODY) || ms->kind == DK_BODY)
			continue;
		x = slot_value(ms, (const char *)v + m->offset);
		if (!x)
			continue;
		put_name(b, m->wire, &first);
		json_encode(c, b, ms, time_format(m, ms, DT_DEFAULT), x);
	}
	buf_c(b, '}');
}

void json_encode(struct codec *c, struct buf *b, const struct desc_shape *s, enum desc_time time, const void *v)
{
	const struct str_list *l = v;
	const struct desc_shape *e = &c->shapes[s->element];
	enum desc_time et = time_format(NULL, e, DT_DEFAULT);

	switch (s->kind) {
	case DK_STRUCT:
		json_encode_struct(c, b, s, v, false);
		break;
	case DK_LIST:
		buf_c(b, '[');
		for (size_t i = 0; i < l->n; i++) {
			if (i)
				buf_c(b, ',');
			json_encode(c, b, e, et, (const char *)l->v + i * e->size);
		}
		buf_c(b, ']');
		break;
	case DK_MAP:
		buf_c(b, '{');
		for (size_t i = 0; i < l->n; i++) {
			const char *x = (const char *)l->v + i * entry_size(e);

			if (i)
				buf_c(b, ',');
			json_write_str(b, *(const struct str *)(const void *)x);
			buf_c(b, ':');
			json_encode(c, b, e, et, x + sizeof(struct str));
		}
		buf_c(b, '}');
		break;
	case DK_DOCUMENT:
		if (*(struct json *const *)v)
			json_write(b, *(struct json *const *)v);
		else
			buf_put(b, "null", 4);
		break;
	case DK_BODY:
		buf_put(b, "null", 4);
		break;
	default:
		encode_scalar(c, b, s, time, v);
	}
}

/* --- our own JSON --- */

int wire_from_json(const struct service_model *m, uint16_t shape, const struct json *j, struct arena *a, void *ret,
		   struct wire_fault *fault)
{
	struct wire_fault dropped;
	struct codec c = { .m = m, .shapes = m->shapes, .a = a, .fault = fault ? fault : &dropped, .p = WIRE_JSON, .own = true };

	assert(shape < m->n_shapes);
	return j ? json_decode(&c, &m->shapes[shape], j, ret) : 0;
}

static struct json *tree(struct codec *c, const struct desc_shape *s, enum desc_time time, const void *v);

static struct json *tree_struct(struct codec *c, const struct desc_shape *s, const void *v)
{
	struct json *o = json_new(c->a, JSON_OBJECT);

	for (size_t i = 0; i < s->n_members; i++) {
		const struct desc_member *m = &s->members[i];
		const struct desc_shape *ms = &c->shapes[m->shape];
		const void *x = slot_value(ms, (const char *)v + m->offset);
		struct json *j;

		if (!x || ms->kind == DK_BODY)
			continue;
		if (c->redact && ((m->flags & DM_SENSITIVE) || (ms->flags & DS_SENSITIVE)))
			j = json_new_str(c->a, S("HIDDEN_DUE_TO_SECURITY_REASONS"));
		else
			j = tree(c, ms, time_format(m, ms, DT_ISO), x);
		if (j)
			json_set(c->a, o, str_c(m->name), j);
	}
	return o;
}

/* NULL where redaction leaves the value out. */
static struct json *tree(struct codec *c, const struct desc_shape *s, enum desc_time time, const void *v)
{
	const struct str_list *l = v;
	const struct desc_shape *e = &c->shapes[s->element];
	struct json *j;

	if (c->redact && (s->flags & DS_SENSITIVE))
		return json_new_str(c->a, S("HIDDEN_DUE_TO_SECURITY_REASONS"));
	if (c->redact && s->kind == DK_BLOB)
		return NULL;
	switch (s->kind) {
	case DK_STRUCT:
		return tree_struct(c, s, v);
	case DK_LIST:
		j = json_new(c->a, JSON_ARRAY);
		for (size_t i = 0; i < l->n; i++) {
			struct json *x = tree(c, e, DT_ISO, (const char *)l->v + i * e->size);

			if (x)
				json_push(c->a, j, x);
		}
		return j;
	case DK_MAP:
		j = json_new(c->a, JSON_OBJECT);
		for (size_t i = 0; i < l->n; i++) {
			const char *p = (const char *)l->v + i * entry_size(e);
			struct str key = *(const struct str *)(const void *)p;
			struct json *x = tree(c, e, DT_ISO, p + sizeof key);

			if (c->redact && (c->shapes[s->key].flags & DS_SENSITIVE))
				key = S("HIDDEN_DUE_TO_SECURITY_REASONS");
			if (x)
				json_set(c->a, j, key, x);
		}
		return j;
	case DK_DOCUMENT:
		return *(struct json *const *)v;
	case DK_BODY:
		return NULL;
	case DK_BOOL:
		return ((const struct opt_bool *)v)->has ? json_new_bool(c->a, ((const struct opt_bool *)v)->v) : json_new(c->a, JSON_NULL);
	default: {
		struct str t = scalar_text(c->a, s, DT_ISO, v);

		if (!t.p)
			return json_new(c->a, JSON_NULL);
		j = json_new_str(c->a, t);
		if (s->kind == DK_INT || s->kind == DK_LONG ||
		    ((s->kind == DK_FLOAT || s->kind == DK_DOUBLE) && isfinite(((const struct opt_double *)v)->v)))
			j->type = JSON_NUMBER;
		return j;
	}
	}
}

struct json *wire_to_json(const struct service_model *m, uint16_t shape, const void *v, struct arena *a, bool redact)
{
	struct codec c = { .m = m, .shapes = m->shapes, .a = a, .own = true, .redact = redact };

	assert(shape < m->n_shapes);
	return tree(&c, &m->shapes[shape], DT_ISO, v);
}
