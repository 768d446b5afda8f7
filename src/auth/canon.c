/* SPDX-License-Identifier: Apache-2.0 */
/* canon.c - the canonical request, always made from the bytes as they were received.
 *
 * Path: for S3 what was sent, with bytes that should have been percent-encoded encoded; for the others normalized (dot
 * and empty segments) and encoded once more. Query: each name and value decoded and encoded again by AWS's rule, sorted.
 * Header values: trimmed, runs of spaces one space, same names joined with commas.
 *
 * Output is written into one arena block whose size is computed before as an upper bound. */
#include "auth/canon.h"
#include "base/arena.h"
#include "base/util.h"
#include <assert.h>

struct out {
	char *p;
	size_t n, cap;
};

static void put(struct out *o, const char *p, size_t n)
{
	assert(n <= o->cap - o->n);
	if (n)
		memcpy(o->p + o->n, p, n);
	o->n += n;
}

static void put_str(struct out *o, struct str s)
{
	put(o, s.p, s.n);
}

static void put_c(struct out *o, char c)
{
	assert(o->n < o->cap);
	o->p[o->n++] = c;
}

static bool unreserved(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
}

/* The byte a %xx at s.p[i] stands for, or -1. */
static int escape_at(struct str s, size_t i)
{
	int hi, lo;

	if (s.p[i] != '%' || s.n - i < 3)
		return -1;
	hi = hex_digit(s.p[i + 1]);
	lo = hex_digit(s.p[i + 2]);
	return hi < 0 || lo < 0 ? -1 : hi * 16 + lo;
}

static void put_encoded_c(struct out *o, unsigned char c)
{
	static const char digits[] = "0123456789ABCDEF";

	if (unreserved(c)) {
		put_c(o, (char)c);
	} else {
		char esc[3] = { '%', digits[c >> 4], digits[c & 15] };

		put(o, esc, 3);
	}
}

static void put_path_s3(struct out *o, struct str path)
{
	size_t i;

	if (path.n == 0)
		put_c(o, '/');
	for (i = 0; i < path.n; i++) {
		if (path.p[i] == '/' || escape_at(path, i) >= 0)
			put_c(o, path.p[i]);
		else
			put_encoded_c(o, (unsigned char)path.p[i]);
	}
}

/* Removes "." and empty segments, and ".." with the segment before it. Encodes what is left, '%' too. Returns whether
 * that changed the path. */
static bool put_path_normalized(struct arena *a, struct out *o, struct str path)
{
	struct str *seg = arena_array(a, struct str, path.n / 2 + 2);
	struct str rest = path, s;
	size_t n = 0, i, k, len = 0;

	while (str_next(&rest, '/', &s)) {
		if (s.n == 0 || str_is(s, "."))
			continue;
		if (str_is(s, ".."))
			n -= n > 0;
		else
			seg[n++] = s;
	}
	for (i = 0; i < n; i++) {
		put_c(o, '/');
		for (k = 0; k < seg[i].n; k++)
			put_encoded_c(o, (unsigned char)seg[i].p[k]);
		len += 1 + seg[i].n;
	}
	if (n == 0 || (path.n && path.p[path.n - 1] == '/')) {
		put_c(o, '/');
		len++;
	}
	return path.n && (path.p[0] != '/' || len != path.n);
}

/* Decodes and encodes again: any spelling of the same bytes gives the same text. '+' is a space, as in forms. */
static struct str put_component(struct out *o, struct str s)
{
	size_t from = o->n, i;
	int c;

	for (i = 0; i < s.n; i++) {
		c = escape_at(s, i);
		if (c >= 0) {
			put_encoded_c(o, (unsigned char)c);
			i += 2;
		} else {
			put_encoded_c(o, s.p[i] == '+' ? ' ' : (unsigned char)s.p[i]);
		}
	}
	return str_of(o->p + from, o->n - from);
}

static int bytes_cmp(struct str a, struct str b)
{
	int c = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return c ? c : (a.n > b.n) - (a.n < b.n);
}

static int pair_cmp(const void *x, const void *y)
{
	const struct str_pair *a = x, *b = y;
	int c = bytes_cmp(a->key, b->key);

	return c ? c : bytes_cmp(a->value, b->value);
}

static void put_query(struct arena *a, struct out *o, struct str query, bool presigned)
{
	struct out scratch = { 0 };
	struct str rest = query, field, name, value;
	struct str_pair *pair;
	size_t n = 0, max = 1, i;

	if (query.n == 0)
		return;
	for (i = 0; i < query.n; i++)
		max += query.p[i] == '&';
	pair = arena_array(a, struct str_pair, max);
	scratch.cap = 3 * query.n;
	scratch.p = arena_alloc(a, scratch.cap);
	while (str_next(&rest, '&', &field)) {
		if (field.n == 0)
			continue;
		if (!str_cut(field, '=', &name, &value))
			value = S("");
		pair[n].key = put_component(&scratch, name);
		if (presigned && str_is(pair[n].key, "X-Amz-Signature"))
			continue;
		pair[n].value = put_component(&scratch, value);
		n++;
	}
	for (i = 1; i < n; i++) /* nearly always sorted already, or short */
		if (pair_cmp(&pair[i - 1], &pair[i]) > 0) {
			qsort(pair, n, sizeof *pair, pair_cmp);
			break;
		}
	for (i = 0; i < n; i++) {
		if (i)
			put_c(o, '&');
		put_str(o, pair[i].key);
		put_c(o, '=');
		put_str(o, pair[i].value);
	}
}

static void put_value(struct out *o, struct str value)
{
	size_t i;

	value = str_trim(value);
	if (!value.n || !memmem(value.p, value.n, "  ", 2)) {
		put_str(o, value);
		return;
	}
	for (i = 0; i < value.n; i++)
		if (i == 0 || value.p[i] != ' ' || value.p[i - 1] != ' ')
			put_c(o, value.p[i]);
}

/* Returns false when a signed header is not there (and goes on, so that the text can be shown). */
static bool put_headers(struct out *o, const struct canon_input *in)
{
	struct str rest = in->signed_headers, name;
	bool complete = true;
	size_t i, found;

	while (str_next(&rest, ';', &name)) {
		put_str(o, name);
		put_c(o, ':');
		found = 0;
		for (i = 0; i < in->n_headers; i++) {
			if (in->headers[i].name.n != name.n || !str_eq_ci(in->headers[i].name, name))
				continue;
			if (found++)
				put_c(o, ',');
			put_value(o, in->headers[i].value);
		}
		put_c(o, '\n');
		complete = complete && found > 0;
	}
	return complete;
}

void canon_request(struct arena *a, const struct canon_input *in, struct canon_result *ret)
{
	struct out o = { 0 };
	size_t i;

	/* Paths and queries grow at most three times, and a query by "=" and "&" a field; a header's value is used once at
	 * most, for names in the list are unique; each listed name costs ":\n". */
	o.cap = in->method.n + 3 * in->path.n + 5 * in->query.n + 3 * in->signed_headers.n + in->payload_hash.n + 32;
	for (i = 0; i < in->n_headers; i++)
		o.cap += in->headers[i].value.n + 1;
	o.p = arena_alloc(a, o.cap);
	*ret = (struct canon_result){ 0 };
	put_str(&o, in->method);
	put_c(&o, '\n');
	if (in->s3)
		put_path_s3(&o, in->path);
	else
		ret->path_normalized = put_path_normalized(a, &o, in->path);
	put_c(&o, '\n');
	put_query(a, &o, in->query, in->presigned);
	put_c(&o, '\n');
	ret->header_missing = !put_headers(&o, in);
	put_c(&o, '\n');
	put_str(&o, in->signed_headers);
	put_c(&o, '\n');
	put_str(&o, in->payload_hash);
	ret->request = str_of(o.p, o.n);
}

void canon_hex(const uint8_t hash[32], char out[64])
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < 32; i++) {
		out[2 * i] = digits[hash[i] >> 4];
		out[2 * i + 1] = digits[hash[i] & 15];
	}
}

struct str canon_scope(struct arena *a, struct str date, struct str region, struct str service)
{
	struct out o = { .cap = date.n + region.n + service.n + sizeof "//" + sizeof "/aws4_request" };

	o.p = arena_alloc(a, o.cap);
	put_str(&o, date);
	put_c(&o, '/');
	put_str(&o, region);
	put_c(&o, '/');
	put_str(&o, service);
	put_str(&o, S("/aws4_request"));
	return str_of(o.p, o.n);
}

struct str canon_string_to_sign(struct arena *a, struct str amz_date, struct str scope, struct str request)
{
	struct out o = { .cap = sizeof "AWS4-HMAC-SHA256" + amz_date.n + scope.n + 64 + 3 };
	uint8_t hash[32];

	o.p = arena_alloc(a, o.cap);
	put_str(&o, S("AWS4-HMAC-SHA256\n"));
	put_str(&o, amz_date);
	put_c(&o, '\n');
	put_str(&o, scope);
	put_c(&o, '\n');
	hash_sha256(request.p, request.n, hash);
	assert(o.cap - o.n >= 64);
	canon_hex(hash, o.p + o.n);
	o.n += 64;
	return str_of(o.p, o.n);
}
