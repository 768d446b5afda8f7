/* SPDX-License-Identifier: Apache-2.0 */
/* util.c - encodings and the log.
 *
 * Decoders take bytes from outside and are strict: one text for one value. Results are NUL-terminated behind their
 * bytes and live in the arena. */
#include "base/util.h"

#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/arena.h"

#define LOG_LINE_MAX 4096

struct str hex_encode(struct arena *a, const void *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *b = p;
	char *out = arena_alloc(a, arena_mul(n, 2) + 1);

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[b[i] >> 4];
		out[2 * i + 1] = digits[b[i] & 15];
	}
	out[2 * n] = 0;
	return str_of(out, 2 * n);
}

int hex_decode(struct arena *a, struct str s, struct str *ret)
{
	char *out;

	if (s.n % 2)
		return -EINVAL;
	out = arena_alloc(a, s.n / 2 + 1);
	for (size_t i = 0; i < s.n / 2; i++) {
		int high = hex_digit(s.p[2 * i]), low = hex_digit(s.p[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		out[i] = (char)(high << 4 | low);
	}
	out[s.n / 2] = 0;
	*ret = str_of(out, s.n / 2);
	return 0;
}

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#define BASE64_BAD (1u << 31)
/* What the hot loops look up: two digits for 12 bits; and what a digit means at each of the four places, BASE64_BAD when
 * it is none. */
static char base64_pairs[4096][2];
static uint32_t base64_values[4][256];
static pthread_once_t base64_once = PTHREAD_ONCE_INIT;

static void make_base64_tables(void)
{
	for (unsigned i = 0; i < 4096; i++) {
		base64_pairs[i][0] = base64_digits[i >> 6];
		base64_pairs[i][1] = base64_digits[i & 63];
	}
	for (unsigned place = 0; place < 4; place++) {
		for (unsigned i = 0; i < 256; i++)
			base64_values[place][i] = BASE64_BAD;
		for (unsigned i = 0; i < 64; i++)
			base64_values[place][(uint8_t)base64_digits[i]] = i << (18 - 6 * place);
	}
}

struct str base64_encode(struct arena *a, struct str s)
{
	size_t n = arena_mul(s.n / 3 + (s.n % 3 != 0), 4), i = 0;
	char *out = arena_alloc(a, n + 1), *w = out;
	const uint8_t *b = (const uint8_t *)s.p;

	pthread_once(&base64_once, make_base64_tables);
	for (; s.n - i >= 3; i += 3, w += 4) {
		uint32_t v = (uint32_t)b[i] << 16 | (uint32_t)b[i + 1] << 8 | b[i + 2];

		memcpy(w, base64_pairs[v >> 12], 2);
		memcpy(w + 2, base64_pairs[v & 4095], 2);
	}
	if (i < s.n) {
		bool two = s.n - i == 2;
		uint32_t v = (uint32_t)b[i] << 16 | (two ? (uint32_t)b[i + 1] << 8 : 0);

		*w++ = base64_digits[v >> 18];
		*w++ = base64_digits[v >> 12 & 63];
		*w++ = two ? base64_digits[v >> 6 & 63] : '=';
		*w++ = '=';
	}
	*w = 0;
	return str_of(out, n);
}

int base64_decode(struct arena *a, struct str s, struct str *ret)
{
	const uint32_t(*t)[256] = base64_values;
	const uint8_t *p = (const uint8_t *)s.p;
	size_t pad = 0, whole;
	uint32_t bad = 0, v;
	char *out, *w;

	if (s.n % 4)
		return -EINVAL;
	pthread_once(&base64_once, make_base64_tables);
	if (s.n)
		pad = (p[s.n - 1] == '=') + (p[s.n - 1] == '=' && p[s.n - 2] == '=');
	whole = s.n - (pad ? 4 : 0);
	w = out = arena_alloc(a, s.n / 4 * 3 + 1);
	for (const uint8_t *end = p + whole; p < end; p += 4, w += 3) {
		v = t[0][p[0]] | t[1][p[1]] | t[2][p[2]] | t[3][p[3]];
		bad |= v;
		v = htobe32(v << 8);
		memcpy(w, &v, 4); /* a byte more than counts: there is room for a final zero */
	}
	if (pad) {
		v = t[0][p[0]] | t[1][p[1]] | (pad == 1 ? t[2][p[2]] : 0);
		bad |= v;
		if (v & (pad == 1 ? 0xff : 0xffff)) /* bits that belong to no byte */
			return -EINVAL;
		*w++ = (char)(v >> 16);
		if (pad == 1)
			*w++ = (char)(v >> 8);
	}
	if (bad & BASE64_BAD)
		return -EINVAL;
	*w = 0;
	*ret = str_of(out, (size_t)(w - out));
	return 0;
}

int base64url_decode(struct arena *a, struct str s, struct str *ret)
{
	size_t pad = (4 - s.n % 4) % 4;
	char *text;

	if (!s.p || pad == 3)
		return -EINVAL;
	text = arena_alloc(a, s.n + pad + 1);
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '+' || s.p[i] == '/' || s.p[i] == '=')
			return -EINVAL;
		text[i] = s.p[i] == '-' ? '+' : s.p[i] == '_' ? '/' : s.p[i];
	}
	memset(text + s.n, '=', pad);
	return base64_decode(a, str_of(text, s.n + pad), ret);
}

static bool is_unreserved(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '~';
}

struct str uri_encode(struct arena *a, struct str s, bool keep_slash)
{
	static const char digits[] = "0123456789ABCDEF";
	char *out, *w;
	size_t n = s.n;

	for (size_t i = 0; i < s.n; i++)
		if (!is_unreserved(s.p[i]) && !(keep_slash && s.p[i] == '/'))
			n += 2;
	w = out = arena_alloc(a, n + 1);
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (is_unreserved(s.p[i]) || (keep_slash && c == '/')) {
			*w++ = (char)c;
			continue;
		}
		*w++ = '%';
		*w++ = digits[c >> 4];
		*w++ = digits[c & 15];
	}
	*w = 0;
	return str_of(out, n);
}

int uri_decode(struct arena *a, struct str s, bool plus_is_space, struct str *ret)
{
	char *out = arena_alloc(a, s.n + 1), *w = out;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '%') {
			int high = s.n - i > 2 ? hex_digit(s.p[i + 1]) : -1, low = s.n - i > 2 ? hex_digit(s.p[i + 2]) : -1;

			if (high < 0 || low < 0)
				return -EINVAL;
			c = (char)(high << 4 | low);
			i += 2;
		} else if (c == '+' && plus_is_space) {
			c = ' ';
		}
		*w++ = c;
	}
	*w = 0;
	*ret = str_of(out, (size_t)(w - out));
	return 0;
}

/* 1: must not stand, or not everywhere, for itself */
static const uint8_t xml_special[256] = { [0 ... 0x1f] = 1, ['"'] = 1, ['&'] = 1, ['<'] = 1, ['>'] = 1 };

void xml_escape(struct buf *b, struct str s, bool attribute)
{
	size_t from = 0;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		struct str known = STR_NONE;

		if (!xml_special[c])
			continue;
		if (c == '&')
			known = S("&amp;");
		else if (c == '<')
			known = S("&lt;");
		else if (c == '>')
			known = S("&gt;");
		else if (c == '"' && attribute)
			known = S("&quot;");
		else if (c >= 0x20 || ((c == '\t' || c == '\n') && !attribute))
			continue;
		buf_put(b, s.p + from, i - from);
		if (known.p)
			buf_str(b, known);
		else
			buf_printf(b, "&#x%x;", c); /* a reader would turn CR, and blanks in attributes, into something else */
		from = i + 1;
	}
	if (s.n)
		buf_put(b, s.p + from, s.n - from);
}

/* --- log --- */

void log_line(enum log_level l, const char *fmt, ...)
{
	static const char *const names[] = { "error", "warn", "info" };
	char line[LOG_LINE_MAX], *text;
	struct arena arena = { 0 };
	size_t head, n;
	va_list ap;
	int r;

	head = (size_t)snprintf(line, sizeof line, "%s %-5s ", time_iso_ms(&arena, clock_now_ms()).p, names[l]);
	arena_done(&arena);
	text = line + head;
	va_start(ap, fmt);
	r = vsnprintf(text, sizeof line - head, fmt, ap);
	va_end(ap);
	if (r < 0)
		return;
	n = (size_t)r < sizeof line - head ? (size_t)r : sizeof line - head - 1;
	for (size_t i = 0; i < n; i++) /* a client's text must not begin a line of its own */
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			text[i] = '?';
	text[n] = '\n';
	if (write(STDERR_FILENO, line, head + n + 1) < 0)
		return; /* nobody is left to tell */
}
