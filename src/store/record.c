/* SPDX-License-Identifier: Apache-2.0 */
/* record.c - the interpreter that turns record structs into bytes and back, by their descriptor tables.
 *
 *   record   = format byte, fields
 *   fields   = { number as varint, length as varint, value }
 *   string, blob             the bytes              int, long, time   zigzag varint
 *   bool                     one byte, 0 or 1       float, double     8 bytes, IEEE 754, little-endian
 *   struct                   fields                 document          JSON text
 *   list                     count, then { length, value }
 *   map                      count, then { length, key, length, value }
 *
 * A scalar of length 0 inside a list or map is an absent one. A field's number comes from its record's description and
 * says its type; numbers that aren't in the table are skipped. */
#include "store/record.h"
#include "base/arena.h"
#include "base/json.h"
#include "base/util.h"
#include <assert.h>
#include <errno.h>

#define RECORD_FORMAT 1
#define RECORD_DEPTH_MAX 64
#define VARINT_BYTES_MAX 10
#define MAP_VALUE_OFFSET 16 /* desc.h's promise */

/* --- writing --- */

static size_t varint_make(uint8_t b[VARINT_BYTES_MAX], uint64_t v)
{
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		b[n++] = (uint8_t)(v | 0x80);
	b[n++] = (uint8_t)v;
	return n;
}

static void put_varint(struct buf *out, uint64_t v)
{
	uint8_t b[VARINT_BYTES_MAX];

	buf_put(out, b, varint_make(b, v));
}

static void put_zigzag(struct buf *out, int64_t v)
{
	put_varint(out, (uint64_t)v << 1 ^ (uint64_t)(v >> 63));
}

static void put_double(struct buf *out, double d)
{
	uint8_t b[8];
	uint64_t v;

	memcpy(&v, &d, sizeof v);
	for (int i = 0; i < 8; i++, v >>= 8)
		b[i] = (uint8_t)v;
	buf_put(out, b, sizeof b);
}

/* put_length writes the length of what was put behind from, before it. */
static void put_length(struct buf *out, size_t from)
{
	uint8_t b[VARINT_BYTES_MAX];
	size_t len, n;

	if (!buf_ok(out))
		return;
	len = out->n - from;
	n = varint_make(b, len);
	if (!buf_reserve(out, n)) {
		out->overflow = true;
		return;
	}
	memmove(out->p + from + n, out->p + from, len);
	memcpy(out->p + from, b, n);
	out->n += n;
}

static void put_bytes(struct buf *out, struct str s)
{
	put_varint(out, s.n);
	if (s.n)
		buf_str(out, s);
}

struct array { /* how every generated list and map begins */
	char *v;
	size_t n;
};

/* Bytes from one value to the next in the array of a list, or one entry to the next in that of a map. */
static size_t array_stride(const struct desc_shape *s, const struct desc_shape *element)
{
	return s->kind == DK_MAP ? (MAP_VALUE_OFFSET + (size_t)element->size + 7) / 8 * 8 : element->size;
}

static int put_fields(const struct record_model *m, const struct desc_shape *s, const char *rec, struct buf *out, unsigned depth);

/* put_value writes the value at p without its length. */
static int put_value(const struct record_model *m, const struct desc_shape *s, const char *p, struct buf *out, unsigned depth)
{
	switch ((enum desc_kind)s->kind) {
	case DK_STRING:
	case DK_BLOB:
		if (((const struct str *)p)->n)
			buf_str(out, *(const struct str *)p);
		return 0;
	case DK_BOOL:
		if (((const struct opt_bool *)p)->has)
			buf_c(out, ((const struct opt_bool *)p)->v);
		return 0;
	case DK_INT:
	case DK_LONG:
		if (((const struct opt_int *)p)->has)
			put_zigzag(out, ((const struct opt_int *)p)->v);
		return 0;
	case DK_FLOAT:
	case DK_DOUBLE:
		if (((const struct opt_double *)p)->has)
			put_double(out, ((const struct opt_double *)p)->v);
		return 0;
	case DK_TIME:
		if (((const struct opt_time *)p)->has)
			put_zigzag(out, ((const struct opt_time *)p)->ms);
		return 0;
	case DK_STRUCT:
		return put_fields(m, s, p, out, depth + 1);
	case DK_DOCUMENT:
		if (*(struct json *const *)p)
			json_write(out, *(struct json *const *)p);
		return 0;
	case DK_LIST:
	case DK_MAP: {
		const struct array *a = (const struct array *)p;
		const struct desc_shape *e = &m->shapes[s->element];
		size_t stride = array_stride(s, e), from;
		int r;

		if (depth >= RECORD_DEPTH_MAX)
			return -E2BIG;
		put_varint(out, a->n);
		for (size_t i = 0; i < a->n; i++) {
			const char *item = a->v + i * stride;

			if (s->kind == DK_MAP)
				put_bytes(out, *(const struct str *)item);
			from = out->n;
			r = put_value(m, e, item + (s->kind == DK_MAP ? MAP_VALUE_OFFSET : 0), out, depth + 1);
			if (r < 0)
				return r;
			put_length(out, from);
		}
		return 0;
	}
	case DK_BODY:
		break;
	}
	return -EINVAL; /* streams aren't stored in records */
}

/* value_absent says whether a member has nothing to store; *p becomes the struct for a member that is a pointer to it. */
static bool value_absent(const struct desc_shape *s, const char **p)
{
	switch ((enum desc_kind)s->kind) {
	case DK_STRING:
	case DK_BLOB:
		return !((const struct str *)*p)->p;
	case DK_BOOL:
		return !((const struct opt_bool *)*p)->has;
	case DK_INT:
	case DK_LONG:
		return !((const struct opt_int *)*p)->has;
	case DK_FLOAT:
	case DK_DOUBLE:
		return !((const struct opt_double *)*p)->has;
	case DK_TIME:
		return !((const struct opt_time *)*p)->has;
	case DK_LIST:
	case DK_MAP:
		return !((const struct array *)*p)->v;
	case DK_STRUCT:
		*p = *(const char *const *)*p;
		return !*p;
	case DK_BODY:
	case DK_DOCUMENT:
		return !*(const void *const *)*p;
	}
	return true;
}

static int put_fields(const struct record_model *m, const struct desc_shape *s, const char *rec, struct buf *out, unsigned depth)
{
	assert(s->kind == DK_STRUCT);
	if (depth >= RECORD_DEPTH_MAX)
		return -E2BIG;
	for (unsigned i = 0; i < s->n_members; i++) {
		const struct desc_member *f = &s->members[i];
		const struct desc_shape *fs = &m->shapes[f->shape];
		const char *p = rec + f->offset;
		size_t from;
		int r;

		if (value_absent(fs, &p))
			continue;
		assert(f->id != 0);
		put_varint(out, f->id);
		from = out->n;
		r = put_value(m, fs, p, out, depth);
		if (r < 0)
			return r;
		put_length(out, from);
	}
	return 0;
}

int record_encode(const struct record_model *m, uint16_t shape, const void *rec, struct buf *out)
{
	int r;

	assert(shape < m->n_shapes);
	buf_c(out, RECORD_FORMAT);
	r = put_fields(m, &m->shapes[shape], rec, out, 0);
	if (r < 0)
		return r;
	return buf_ok(out) ? 0 : -EFBIG;
}

/* --- reading: every take_ takes something off *in; 0 or -EBADMSG --- */

struct reader {
	const struct record_model *m;
	struct arena *a;
};

static int take_varint(struct str *in, uint64_t *ret)
{
	uint64_t v = 0;

	for (size_t i = 0; i < in->n && i < VARINT_BYTES_MAX; i++) {
		uint8_t b = (uint8_t)in->p[i];

		if (i == VARINT_BYTES_MAX - 1 && b > 1)
			return -EBADMSG;
		v |= (uint64_t)(b & 0x7f) << (7 * i);
		if (b < 0x80) {
			*ret = v;
			*in = str_skip(*in, i + 1);
			return 0;
		}
	}
	return -EBADMSG;
}

static int take_bytes(struct str *in, struct str *ret)
{
	uint64_t n;

	if (take_varint(in, &n) < 0 || n > in->n)
		return -EBADMSG;
	*ret = str_of(in->p, (size_t)n);
	*in = str_skip(*in, (size_t)n);
	return 0;
}

static int get_zigzag(struct str in, int64_t *ret)
{
	uint64_t v;

	if (take_varint(&in, &v) < 0 || in.n)
		return -EBADMSG;
	*ret = (int64_t)(v >> 1 ^ -(v & 1));
	return 0;
}

static int get_double(struct str in, double *ret)
{
	uint64_t v = 0;

	if (in.n != 8)
		return -EBADMSG;
	for (int i = 7; i >= 0; i--)
		v = v << 8 | (uint8_t)in.p[i];
	memcpy(ret, &v, sizeof v);
	return 0;
}

static int get_fields(struct reader *rd, const struct desc_shape *s, struct str in, char *rec, unsigned depth);
static int get_value(struct reader *rd, const struct desc_shape *s, struct str in, char *p, unsigned depth);

static int get_array(struct reader *rd, const struct desc_shape *s, struct str in, struct array *ret, unsigned depth)
{
	const struct desc_shape *e = &rd->m->shapes[s->element];
	bool map = s->kind == DK_MAP;
	size_t stride = array_stride(s, e);
	struct str key, value;
	struct array a;
	uint64_t n;

	if (depth >= RECORD_DEPTH_MAX || take_varint(&in, &n) < 0)
		return -EBADMSG;
	if (n > in.n / (map ? 2 : 1)) /* every value takes a byte at least */
		return -EBADMSG;
	a.n = (size_t)n;
	a.v = arena_zalloc(rd->a, arena_mul(a.n, stride) + 1);
	for (size_t i = 0; i < a.n; i++) {
		char *item = a.v + i * stride;

		if (map) {
			if (take_bytes(&in, &key) < 0)
				return -EBADMSG;
			*(struct str *)item = str_dup(rd->a, key);
			item += MAP_VALUE_OFFSET;
		}
		if (take_bytes(&in, &value) < 0)
			return -EBADMSG;
		if (get_value(rd, e, value, item, depth + 1) < 0)
			return -EBADMSG;
	}
	if (in.n)
		return -EBADMSG;
	*ret = a;
	return 0;
}

/* get_value reads the whole of in into p. Scalars of length 0 stay absent. */
static int get_value(struct reader *rd, const struct desc_shape *s, struct str in, char *p, unsigned depth)
{
	switch ((enum desc_kind)s->kind) {
	case DK_STRING:
	case DK_BLOB:
		*(struct str *)p = str_dup(rd->a, in);
		return 0;
	case DK_BOOL:
		if (in.n > 1 || (in.n && (uint8_t)in.p[0] > 1))
			return -EBADMSG;
		*(struct opt_bool *)p = (struct opt_bool){ in.n > 0, in.n && in.p[0] };
		return 0;
	case DK_INT:
	case DK_LONG:
		((struct opt_int *)p)->has = in.n > 0;
		return in.n ? get_zigzag(in, &((struct opt_int *)p)->v) : 0;
	case DK_FLOAT:
	case DK_DOUBLE:
		((struct opt_double *)p)->has = in.n > 0;
		return in.n ? get_double(in, &((struct opt_double *)p)->v) : 0;
	case DK_TIME:
		((struct opt_time *)p)->has = in.n > 0;
		return in.n ? get_zigzag(in, &((struct opt_time *)p)->ms) : 0;
	case DK_STRUCT:
		return get_fields(rd, s, in, p, depth + 1);
	case DK_DOCUMENT:
		if (!in.n)
			return 0;
		return json_parse(rd->a, str_dup(rd->a, in), (struct json **)p, NULL) < 0 ? -EBADMSG : 0;
	case DK_LIST:
	case DK_MAP:
		return get_array(rd, s, in, (struct array *)p, depth);
	case DK_BODY:
		break;
	}
	return -EBADMSG;
}

/* field_find looks the number up; fields mostly come in the order of the table, so it starts at *hint. */
static const struct desc_member *field_find(const struct desc_shape *s, uint64_t id, unsigned *hint)
{
	for (unsigned n = 0; n < s->n_members; n++) {
		unsigned i = (*hint + n) % s->n_members;

		if (s->members[i].id == id) {
			*hint = i + 1;
			return &s->members[i];
		}
	}
	return NULL;
}

static int get_fields(struct reader *rd, const struct desc_shape *s, struct str in, char *rec, unsigned depth)
{
	unsigned hint = 0;

	if (depth >= RECORD_DEPTH_MAX)
		return -EBADMSG;
	while (in.n) {
		const struct desc_member *f;
		const struct desc_shape *fs;
		struct str value;
		uint64_t id;
		char *p;

		if (take_varint(&in, &id) < 0 || id == 0 || id > UINT16_MAX || take_bytes(&in, &value) < 0)
			return -EBADMSG;
		f = field_find(s, id, &hint);
		if (!f)
			continue;
		fs = &rd->m->shapes[f->shape];
		p = rec + f->offset;
		if (fs->kind == DK_STRUCT)
			p = *(char **)p = arena_zalloc(rd->a, fs->size);
		if (get_value(rd, fs, value, p, depth) < 0)
			return -EBADMSG;
	}
	return 0;
}

int record_decode(const struct record_model *m, uint16_t shape, struct arena *a, struct str bytes, void *ret)
{
	struct reader rd = { m, a };
	const struct desc_shape *s = &m->shapes[shape];

	assert(shape < m->n_shapes && s->kind == DK_STRUCT);
	if (!bytes.n || bytes.p[0] != RECORD_FORMAT)
		return -EBADMSG;
	memset(ret, 0, s->size);
	return get_fields(&rd, s, str_skip(bytes, 1), ret, 0);
}

/* --- in the store --- */

int record_put(struct store_txn *t, const struct record_model *m, uint16_t shape, const struct keybuf *k, const void *rec)
{
	struct buf b;
	int r;

	buf_init(&b, STORE_VALUE_BYTES_MAX);
	r = record_encode(m, shape, rec, &b);
	if (r == 0)
		r = store_put(t, key_view(k), buf_view(&b));
	if (b.p)
		mem_wipe(b.p, b.n); /* records hold keys and passwords */
	buf_done(&b);
	return r;
}

int record_get(struct store_txn *t, const struct record_model *m, uint16_t shape, struct arena *a, const struct keybuf *k, void *ret)
{
	struct str view;
	int r = store_get(t, key_view(k), &view);

	return r < 0 ? r : record_decode(m, shape, a, view, ret);
}
