/* SPDX-License-Identifier: Apache-2.0 */
/* json.c - JSON read into a tree in an arena, built, compared and written.
 *
 * The reader is a recursive descent bounded by JSON_DEPTH_MAX. Members of the containers being read are collected on
 * one stack (struct reader.stack) and copied to the arena, exactly sized, when their container closes. Strings without
 * escapes are views into the input. Bytes from outside never reach an assertion. */
#include "base/json.h"

#include <assert.h>
#include <errno.h>

#include "base/arena.h"

#define STACK_FIRST 32 /* members that need no heap */

struct reader {
	struct arena *arena;
	const char *begin, *p, *end;
	struct json_member *stack;
	size_t n, cap;
	bool on_heap;
	uint32_t line, depth, values;
};

static int read_value(struct reader *r, struct json *j);

#define EIGHT(x) (0x0101010101010101u * (x))

/* Returns where the run of bytes that stand for themselves in a string ends: at a control character, quote or
 * backslash; when ascii also at a byte that is not. Eight bytes at a time: a borrow only reaches bytes behind the first
 * that is found, so the first one is exact. */
static inline const char *skip_plain(const char *p, const char *end, bool ascii)
{
	for (; end - p >= 8; p += 8) {
		uint64_t v, quote, backslash, found;

		memcpy(&v, p, sizeof v);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
		v = __builtin_bswap64(v);
#endif
		quote = v ^ EIGHT('"');
		backslash = v ^ EIGHT('\\');
		found = ((v - EIGHT(0x20)) & ~v) | ((quote - EIGHT(1)) & ~quote) | ((backslash - EIGHT(1)) & ~backslash) | (ascii ? v : 0);
		found &= EIGHT(0x80);
		if (found)
			return p + __builtin_ctzll(found) / 8;
	}
	for (; p < end; p++) {
		unsigned char c = (unsigned char)*p;

		if (c < 0x20 || c == '"' || c == '\\' || (ascii && c >= 0x80))
			break;
	}
	return p;
}

static void skip_blanks(struct reader *r)
{
	const char *p = r->p;

	while (p < r->end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		r->line += *p++ == '\n';
	r->p = p;
}

/* Puts four hexadecimal digits at r->p into *ret and passes them. */
static int read_hex4(struct reader *r, uint32_t *ret)
{
	uint32_t v = 0;

	for (int i = 0; i < 4; i++, r->p++) {
		unsigned c;

		if (r->p == r->end)
			return -EINVAL;
		c = (unsigned char)*r->p;
		if (c >= '0' && c <= '9')
			v = v << 4 | (c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			v = v << 4 | ((c | 32) - 'a' + 10);
		else
			return -EINVAL;
	}
	*ret = v;
	return 0;
}

static char *put_utf8(char *w, uint32_t u)
{
	if (u < 0x80) {
		*w++ = (char)u;
	} else if (u < 0x800) {
		*w++ = (char)(0xc0 | u >> 6);
		*w++ = (char)(0x80 | (u & 63));
	} else if (u < 0x10000) {
		*w++ = (char)(0xe0 | u >> 12);
		*w++ = (char)(0x80 | (u >> 6 & 63));
		*w++ = (char)(0x80 | (u & 63));
	} else {
		*w++ = (char)(0xf0 | u >> 18);
		*w++ = (char)(0x80 | (u >> 12 & 63));
		*w++ = (char)(0x80 | (u >> 6 & 63));
		*w++ = (char)(0x80 | (u & 63));
	}
	return w;
}

/* Decodes the escape whose backslash r->p stands on to *w. It never writes more bytes than it reads. */
static int read_escape(struct reader *r, char **w)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *known;
	uint32_t u, low;

	if (++r->p == r->end)
		return -EINVAL;
	known = memchr(from, *r->p, sizeof from - 1);
	if (known) {
		*(*w)++ = to[known - from];
		r->p++;
		return 0;
	}
	if (*r->p != 'u')
		return -EINVAL;
	r->p++;
	if (read_hex4(r, &u) < 0)
		return -EINVAL;
	if (u >= 0xdc00 && u < 0xe000)
		return -EINVAL;
	if (u >= 0xd800 && u < 0xdc00) {
		if (r->end - r->p < 2 || r->p[0] != '\\' || r->p[1] != 'u')
			return -EINVAL;
		r->p += 2;
		if (read_hex4(r, &low) < 0 || low < 0xdc00 || low >= 0xe000)
			return -EINVAL;
		u = 0x10000 + ((u - 0xd800) << 10) + (low - 0xdc00);
	}
	*w = put_utf8(*w, u);
	return 0;
}

/* Finishes a string that has escapes: begin is its first byte, r->p stands on the first backslash. */
static int read_escaped(struct reader *r, const char *begin, struct str *ret)
{
	const char *q = r->p;
	char *out, *w;

	while (q < r->end && *q != '"')
		q += *q == '\\' && r->end - q > 1 ? 2 : 1;
	if (q >= r->end) {
		r->p = r->end;
		return -EINVAL;
	}
	out = arena_alloc(r->arena, (size_t)(q - begin) + 1);
	w = mempcpy(out, begin, (size_t)(r->p - begin));
	while (r->p < r->end && *r->p != '"') {
		size_t k;

		if (*r->p == '\\') {
			if (read_escape(r, &w) < 0)
				return -EINVAL;
			continue;
		}
		if ((unsigned char)*r->p < 0x20)
			return -EINVAL;
		k = utf8_len(r->p, (size_t)(r->end - r->p));
		if (k == 0)
			return -EINVAL;
		for (; k; k--)
			*w++ = *r->p++;
	}
	if (r->p == r->end)
		return -EINVAL;
	r->p++;
	*w = 0;
	*ret = str_of(out, (size_t)(w - out));
	return 0;
}

/* Reads a string whose opening quote r->p stands on. */
static int read_string(struct reader *r, struct str *ret)
{
	const char *begin = ++r->p;

	for (;;) {
		size_t k;

		r->p = skip_plain(r->p, r->end, true);
		if (r->p == r->end)
			return -EINVAL;
		if (*r->p == '"') {
			*ret = str_of(begin, (size_t)(r->p++ - begin));
			return 0;
		}
		if (*r->p == '\\')
			return read_escaped(r, begin, ret);
		if ((unsigned char)*r->p < 0x20)
			return -EINVAL;
		k = utf8_len(r->p, (size_t)(r->end - r->p));
		if (k == 0)
			return -EINVAL;
		r->p += k;
	}
}

static int skip_digits(struct reader *r)
{
	const char *p = r->p;

	while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
		r->p++;
	return r->p > p ? 0 : -EINVAL;
}

static int read_number(struct reader *r, struct json *j)
{
	const char *begin = r->p;

	if (*r->p == '-')
		r->p++;
	if (r->p < r->end && *r->p == '0')
		r->p++;
	else if (skip_digits(r) < 0)
		return -EINVAL;
	if (r->p < r->end && *r->p == '.') {
		r->p++;
		if (skip_digits(r) < 0)
			return -EINVAL;
	}
	if (r->p < r->end && (*r->p | 32) == 'e') {
		r->p++;
		if (r->p < r->end && (*r->p == '+' || *r->p == '-'))
			r->p++;
		if (skip_digits(r) < 0)
			return -EINVAL;
	}
	j->type = JSON_NUMBER;
	j->s = str_of(begin, (size_t)(r->p - begin));
	return 0;
}

static int read_word(struct reader *r, struct json *j)
{
	static const struct {
		struct str text;
		enum json_type type;
		bool b;
	} words[] = { { S("true"), JSON_BOOL, true }, { S("false"), JSON_BOOL, false }, { S("null"), JSON_NULL, false } };

	for (size_t i = 0; i < ELEMENTS(words); i++) {
		if (!str_starts(str_of(r->p, (size_t)(r->end - r->p)), words[i].text))
			continue;
		j->type = words[i].type;
		j->b = words[i].b;
		r->p += words[i].text.n;
		return 0;
	}
	return -EINVAL;
}

static void push_member(struct reader *r, const struct json_member *m)
{
	if (r->n == r->cap) {
		size_t cap = r->cap * 2;
		struct json_member *grown = xrealloc(r->on_heap ? r->stack : NULL, arena_mul(cap, sizeof *grown));

		if (!r->on_heap)
			memcpy(grown, r->stack, r->n * sizeof *grown);
		r->stack = grown;
		r->cap = cap;
		r->on_heap = true;
	}
	r->stack[r->n++] = *m;
}

/* Moves what was collected from base on into the container j. */
static void take_members(struct reader *r, struct json *j, size_t base)
{
	size_t n = r->n - base;

	j->n = j->cap = n;
	if (n == 0)
		return;
	if (j->type == JSON_OBJECT) {
		j->members = arena_dup(r->arena, r->stack + base, n * sizeof *j->members);
	} else {
		j->items = arena_alloc(r->arena, n * sizeof *j->items);
		for (size_t i = 0; i < n; i++)
			j->items[i] = r->stack[base + i].value;
	}
	r->n = base;
}

static int read_key(struct reader *r, struct str *ret)
{
	if (r->p == r->end || *r->p != '"' || read_string(r, ret) < 0)
		return -EINVAL;
	skip_blanks(r);
	if (r->p == r->end || *r->p != ':')
		return -EINVAL;
	r->p++;
	skip_blanks(r);
	return 0;
}

/* Reads an array or object whose bracket r->p stands on. */
static int read_container(struct reader *r, struct json *j)
{
	char close = *r->p == '{' ? '}' : ']';
	size_t base = r->n;

	if (r->depth == JSON_DEPTH_MAX)
		return -EINVAL;
	r->depth++;
	j->type = close == '}' ? JSON_OBJECT : JSON_ARRAY;
	r->p++;
	skip_blanks(r);
	while (r->p == r->end || *r->p != close || r->n > base) {
		struct json_member m = { 0 };

		if (close == '}' && read_key(r, &m.key) < 0)
			return -EINVAL;
		if (read_value(r, &m.value) < 0)
			return -EINVAL;
		push_member(r, &m);
		skip_blanks(r);
		if (r->p == r->end || (*r->p != ',' && *r->p != close))
			return -EINVAL;
		if (*r->p == close)
			break;
		r->p++;
		skip_blanks(r);
	}
	r->p++;
	r->depth--;
	take_members(r, j, base);
	return 0;
}

/* Reads the value r->p stands on into the zeroed *j. */
static int read_value(struct reader *r, struct json *j)
{
	if (r->p == r->end || r->values == JSON_VALUES_MAX)
		return -EINVAL;
	r->values++;
	j->line = r->line;
	switch (*r->p) {
	case '{':
	case '[':
		return read_container(r, j);
	case '"':
		j->type = JSON_STRING;
		return read_string(r, &j->s);
	case '-':
	case '0' ... '9':
		return read_number(r, j);
	default:
		return read_word(r, j);
	}
}

int json_parse(struct arena *a, struct str text, struct json **ret, size_t *ret_error)
{
	struct json_member first[STACK_FIRST];
	struct json *j = arena_new(a, struct json);
	struct reader r = {
		.arena = a,
		.begin = text.p,
		.p = text.p,
		.end = text.n ? text.p + text.n : text.p,
		.stack = first,
		.cap = STACK_FIRST,
		.line = 1,
	};
	int e;

	skip_blanks(&r);
	e = read_value(&r, j);
	if (e == 0) {
		skip_blanks(&r);
		if (r.p != r.end)
			e = -EINVAL;
	}
	if (r.on_heap)
		free(r.stack);
	if (e < 0) {
		if (ret_error)
			*ret_error = (size_t)(r.p - r.begin);
		return e;
	}
	*ret = j;
	return 0;
}

bool json_is(const struct json *j, enum json_type t)
{
	return j && j->type == t;
}

struct json *json_get(const struct json *j, struct str key)
{
	if (!json_is(j, JSON_OBJECT))
		return NULL;
	for (size_t i = j->n; i-- > 0;)
		if (str_eq(j->members[i].key, key))
			return &j->members[i].value;
	return NULL;
}

struct json *json_getz(const struct json *j, const char *key)
{
	return json_get(j, str_c(key));
}

struct str json_str(const struct json *j)
{
	return json_is(j, JSON_STRING) ? j->s : STR_NONE;
}

struct str json_scalar(const struct json *j)
{
	if (!j)
		return STR_NONE;
	switch (j->type) {
	case JSON_STRING:
	case JSON_NUMBER:
		return j->s;
	case JSON_BOOL:
		return j->b ? S("true") : S("false");
	default:
		return STR_NONE;
	}
}

struct str json_get_str(const struct json *j, const char *key)
{
	return json_scalar(json_getz(j, key));
}

/* One member as seen through json_get, for comparing objects regardless of order. */
struct sorted_member {
	const struct json_member *m;
	size_t index;
};

static int compare_members(const void *pa, const void *pb)
{
	const struct sorted_member *a = pa, *b = pb;
	int r = str_cmp(a->m->key, b->m->key);

	return r ? r : (a->index > b->index) - (a->index < b->index);
}

/* Sorts the members of j by key into out and drops all but the last of equal keys; returns how many are left. */
static size_t sort_members(const struct json *j, struct sorted_member *out)
{
	size_t n = 0;

	for (size_t i = 0; i < j->n; i++)
		out[i] = (struct sorted_member){ &j->members[i], i };
	if (j->n > 1)
		qsort(out, j->n, sizeof *out, compare_members);
	for (size_t i = 0; i < j->n; i++) {
		if (n && str_eq(out[n - 1].m->key, out[i].m->key))
			n--;
		out[n++] = out[i];
	}
	return n;
}

static bool equal_objects(const struct json *a, const struct json *b)
{
	struct sorted_member *sa = xmalloc(arena_mul(a->n + b->n, sizeof *sa)), *sb = sa + a->n;
	size_t n = sort_members(a, sa);
	bool same = n == sort_members(b, sb);

	for (size_t i = 0; same && i < n; i++)
		same = str_eq(sa[i].m->key, sb[i].m->key) && json_equal(&sa[i].m->value, &sb[i].m->value);
	free(sa);
	return same;
}

static bool equal_numbers(struct str a, struct str b)
{
	int64_t ia, ib;
	double da, db;

	if (str_eq(a, b))
		return true;
	if (str_to_i64(a, &ia) == 0 && str_to_i64(b, &ib) == 0)
		return ia == ib;
	return str_to_double(a, &da) == 0 && str_to_double(b, &db) == 0 && da == db;
}

bool json_equal(const struct json *a, const struct json *b)
{
	if (!a || !b)
		return a == b;
	if (a->type != b->type)
		return false;
	switch (a->type) {
	case JSON_NULL:
		return true;
	case JSON_BOOL:
		return a->b == b->b;
	case JSON_NUMBER:
		return equal_numbers(a->s, b->s);
	case JSON_STRING:
		return str_eq(a->s, b->s);
	case JSON_OBJECT:
		return equal_objects(a, b);
	case JSON_ARRAY:
		break;
	}
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!json_equal(&a->items[i], &b->items[i]))
			return false;
	return true;
}

int json_to_i64(const struct json *j, int64_t *ret)
{
	struct str s;
	double d;

	if (!json_is(j, JSON_NUMBER) && !json_is(j, JSON_STRING))
		return -EINVAL;
	s = j->s;
	if (str_to_i64(s, ret) == 0)
		return 0;
	/* 5.0 and 1e3 are integers too; beyond 2^53 a double can't say which one. */
	if (j->type != JSON_NUMBER || str_to_double(s, &d) < 0 || d < -9007199254740992.0 || d > 9007199254740992.0)
		return -EINVAL;
	if ((double)(int64_t)d != d)
		return -EINVAL;
	*ret = (int64_t)d;
	return 0;
}

bool json_to_bool(const struct json *j, bool dflt)
{
	if (json_is(j, JSON_BOOL))
		return j->b;
	if (json_is(j, JSON_STRING) && str_eq(j->s, S("true")))
		return true;
	if (json_is(j, JSON_STRING) && str_eq(j->s, S("false")))
		return false;
	return dflt;
}

struct json *json_new(struct arena *a, enum json_type t)
{
	struct json *j = arena_new(a, struct json);

	j->type = t;
	if (t == JSON_STRING)
		j->s = S("");
	if (t == JSON_NUMBER)
		j->s = S("0");
	return j;
}

struct json *json_new_str(struct arena *a, struct str s)
{
	struct json *j = json_new(a, JSON_STRING);

	if (s.p)
		j->s = s;
	return j;
}

struct json *json_new_int(struct arena *a, int64_t v)
{
	struct json *j = json_new(a, JSON_NUMBER);

	j->s = str_printf(a, "%lld", (long long)v);
	return j;
}

struct json *json_new_bool(struct arena *a, bool v)
{
	struct json *j = json_new(a, JSON_BOOL);

	j->b = v;
	return j;
}

struct json *json_set(struct arena *a, struct json *obj, struct str key, const struct json *value)
{
	struct json v = *value; /* may be a part of obj */
	struct json *old = json_get(obj, key);
	struct json_member *m;

	assert(obj->type == JSON_OBJECT);
	if (old) {
		*old = v;
		return old;
	}
	m = &vec_push(a, obj->members, obj->n, obj->cap);
	*m = (struct json_member){ key, v };
	return &m->value;
}

struct json *json_set_str(struct arena *a, struct json *obj, const char *key, struct str s)
{
	return s.p ? json_set(a, obj, str_c(key), json_new_str(a, s)) : NULL;
}

struct json *json_set_int(struct arena *a, struct json *obj, const char *key, int64_t v)
{
	return json_set(a, obj, str_c(key), json_new_int(a, v));
}

struct json *json_set_bool(struct arena *a, struct json *obj, const char *key, bool v)
{
	return json_set(a, obj, str_c(key), json_new_bool(a, v));
}

struct json *json_push(struct arena *a, struct json *arr, const struct json *value)
{
	struct json v = *value, *slot;

	assert(arr->type == JSON_ARRAY);
	slot = &vec_push(a, arr->items, arr->n, arr->cap);
	*slot = v;
	return slot;
}

bool json_remove(struct json *obj, struct str key)
{
	size_t kept = 0, n;

	if (!json_is(obj, JSON_OBJECT))
		return false;
	n = obj->n;
	for (size_t i = 0; i < n; i++)
		if (!str_eq(obj->members[i].key, key))
			obj->members[kept++] = obj->members[i];
	obj->n = kept;
	return kept < n;
}

static void copy_into(struct arena *a, struct json *to, const struct json *from)
{
	*to = *from;
	to->s = str_dup(a, from->s);
	to->cap = from->n;
	if (from->type == JSON_ARRAY && from->n) {
		to->items = arena_alloc(a, arena_mul(from->n, sizeof *to->items));
		for (size_t i = 0; i < from->n; i++)
			copy_into(a, &to->items[i], &from->items[i]);
	} else if (from->type == JSON_OBJECT && from->n) {
		to->members = arena_alloc(a, arena_mul(from->n, sizeof *to->members));
		for (size_t i = 0; i < from->n; i++) {
			to->members[i].key = str_dup(a, from->members[i].key);
			copy_into(a, &to->members[i].value, &from->members[i].value);
		}
	} else {
		to->members = NULL;
		to->cap = 0;
	}
}

struct json *json_copy(struct arena *a, const struct json *j)
{
	struct json *copy;

	if (!j)
		return NULL;
	copy = arena_new(a, struct json);
	copy_into(a, copy, j);
	return copy;
}

/* Writes the escape of a byte that may not stand in a string. */
static void write_escape(struct buf *b, unsigned char c)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt", hex[] = "0123456789abcdef";
	const char *known = memchr(from, c, sizeof from - 1);
	char unicode[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };
	char brief[2] = { '\\', known ? to[known - from] : 0 };

	if (known)
		buf_put(b, brief, sizeof brief);
	else
		buf_put(b, unicode, sizeof unicode);
}

void json_write_str(struct buf *b, struct str s)
{
	const char *p = s.p, *end = s.n ? s.p + s.n : s.p;
	const char *stop = skip_plain(p, end, false);

	if (stop == end) { /* most strings */
		char *w = buf_reserve(b, s.n + 2);

		if (!w)
			return;
		*w++ = '"';
		if (s.n)
			w = mempcpy(w, s.p, s.n);
		*w = '"';
		b->n += s.n + 2;
		return;
	}
	buf_c(b, '"');
	for (; p < end; stop = skip_plain(p, end, false)) {
		buf_put(b, p, (size_t)(stop - p));
		p = stop;
		if (p < end)
			write_escape(b, (unsigned char)*p++);
	}
	buf_c(b, '"');
}

void json_write(struct buf *b, const struct json *j)
{
	switch (j ? j->type : JSON_NULL) {
	case JSON_NULL:
		buf_str(b, S("null"));
		break;
	case JSON_BOOL:
	case JSON_NUMBER:
		buf_str(b, json_scalar(j));
		break;
	case JSON_STRING:
		json_write_str(b, j->s);
		break;
	case JSON_ARRAY:
		buf_c(b, '[');
		for (size_t i = 0; i < j->n; i++) {
			if (i)
				buf_c(b, ',');
			json_write(b, &j->items[i]);
		}
		buf_c(b, ']');
		break;
	case JSON_OBJECT:
		buf_c(b, '{');
		for (size_t i = 0; i < j->n; i++) {
			if (i)
				buf_c(b, ',');
			json_write_str(b, j->members[i].key);
			buf_c(b, ':');
			json_write(b, &j->members[i].value);
		}
		buf_c(b, '}');
		break;
	}
}

struct str json_text(struct arena *a, const struct json *j)
{
	struct str s;
	struct buf b;

	buf_init(&b, SIZE_MAX);
	json_write(&b, j);
	s = str_dup(a, buf_view(&b));
	buf_done(&b);
	return s;
}
