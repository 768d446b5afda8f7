/* SPDX-License-Identifier: Apache-2.0 */
/* texts.c - what clients write in names, headers and ranges, taken apart; and checksums joined. Pure functions. */
#include "svc/s3/texts.h"
#include "base/util.h"
#include <arpa/inet.h>
#include <errno.h>

/* Source: "General purpose bucket naming rules". */
bool s3_name_valid(struct str name)
{
	char text[64];
	struct in_addr a;

	if (name.n < 3 || name.n > 63)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		char ch = name.p[i];
		bool edge = i == 0 || i + 1 == name.n;

		if (!(ch >= 'a' && ch <= 'z') && !(ch >= '0' && ch <= '9') && (edge || (ch != '-' && ch != '.')))
			return false;
		if (ch == '.' && name.p[i - 1] == '.')
			return false;
	}
	memcpy(text, name.p, name.n);
	text[name.n] = 0;
	if (inet_pton(AF_INET, text, &a) == 1)
		return false;
	return !str_starts(name, S("xn--")) && !str_starts(name, S("sthree-")) && !str_starts(name, S("amzn-s3-demo-")) &&
	       !str_ends(name, S("-s3alias")) && !str_ends(name, S("--ol-s3")) && !str_ends(name, S(".mrap")) &&
	       !str_ends(name, S("--x-s3")) && !str_ends(name, S("--table-s3"));
}

/* An If-Match style list: "*", or entity tags with or without quotes. */
bool s3_etag_matches(struct str list, struct str etag)
{
	struct str one;

	while (str_next(&list, ',', &one)) {
		one = str_trim(one);
		if (str_is(one, "*"))
			return true;
		if (str_starts(one, S("W/")))
			one = str_skip(one, 2);
		if (one.n >= 2 && *one.p == '"' && one.p[one.n - 1] == '"')
			one = str_of(one.p + 1, one.n - 2);
		if (str_eq(one, etag))
			return true;
	}
	return false;
}

/* One range of "bytes=": S3 serves the whole object for anything it does not understand, several ranges included. */
int s3_parse_range(struct str header, uint64_t size, uint64_t *ret_from, uint64_t *ret_to)
{
	struct str spec, a, b;
	uint64_t from, to;

	*ret_from = 0;
	*ret_to = size;
	if (!header.p || !str_starts(header, S("bytes=")))
		return 1;
	spec = str_trim(str_skip(header, 6));
	if (str_find_char(spec, ',') >= 0 || !str_cut(spec, '-', &a, &b))
		return 1;
	a = str_trim(a);
	b = str_trim(b);
	if (!a.n) { /* the last b bytes */
		if (str_to_u64(b, &to) < 0)
			return 1;
		if (to == 0 || size == 0)
			return -ERANGE;
		*ret_from = to < size ? size - to : 0;
		return 0;
	}
	if (str_to_u64(a, &from) < 0 || (b.n && str_to_u64(b, &to) < 0) || (b.n && to < from))
		return 1;
	if (from >= size)
		return -ERANGE;
	*ret_from = from;
	if (b.n && to < size - 1)
		*ret_to = to + 1;
	return 0;
}

int s3_copy_source_parse(struct arena *a, struct str source, struct str *ret_bucket, struct str *ret_key, struct str *ret_version)
{
	struct str path = source, text;
	ptrdiff_t at = str_find(source, S("?versionId="));

	*ret_version = STR_NONE;
	if (at >= 0) {
		path = str_of(source.p, (size_t)at);
		if (uri_decode(a, str_skip(source, (size_t)at + 11), false, ret_version) < 0)
			return -EINVAL;
	}
	if (uri_decode(a, path, false, &text) < 0)
		return -EINVAL;
	if (text.n && *text.p == '/')
		text = str_skip(text, 1);
	if (!str_cut(text, '/', ret_bucket, ret_key) || !ret_bucket->n || !ret_key->n || str_starts(text, S("arn:")))
		return -EINVAL;
	return 0;
}

static uint64_t times(const uint64_t *m, uint64_t v)
{
	uint64_t r = 0;

	for (int i = 0; v; v >>= 1, i++)
		if (v & 1)
			r ^= m[i];
	return r;
}

/* The CRC of two joined pieces from theirs: the first is carried over n zero bytes by squaring the operator of one zero bit.
 * Source: M. Adler's remark on crc32_combine, for any reflected polynomial. */
uint64_t s3_crc_join(int width, uint64_t poly, uint64_t a, uint64_t b, uint64_t n)
{
	uint64_t m[64], sq[64];

	m[0] = poly;
	for (int i = 1; i < width; i++)
		m[i] = 1ull << (i - 1);
	for (int bit = 0; bit < 3; bit++) { /* one bit to eight */
		for (int i = 0; i < width; i++)
			sq[i] = times(m, m[i]);
		memcpy(m, sq, sizeof m);
	}
	for (; n; n >>= 1) {
		if (n & 1)
			a = times(m, a);
		for (int i = 0; i < width; i++)
			sq[i] = times(m, m[i]);
		memcpy(m, sq, sizeof m);
	}
	return a ^ b;
}
