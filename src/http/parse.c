/* SPDX-License-Identifier: Apache-2.0 */
/* parse.c - see parse.h. Called by conn.c and by the fuzzer; bytes from outside are never asserted on.
 *
 * Lines end in CRLF and nothing else. Values may hold HTAB, SP, visible ASCII and bytes from 0x80 (obs-text). */
#include "http/parse.h"
#include <assert.h>

#define BAD (-400)

/* 1: tchar (RFC 9110 5.6.2) */
static const uint8_t token_chars[256] = {
	['!'] = 1, ['#'] = 1, ['$'] = 1, ['%'] = 1, ['&'] = 1, ['\''] = 1, ['*'] = 1,         ['+'] = 1,         ['-'] = 1,
	['.'] = 1, ['^'] = 1, ['_'] = 1, ['`'] = 1, ['|'] = 1, ['~'] = 1,  ['0' ... '9'] = 1, ['a' ... 'z'] = 1, ['A' ... 'Z'] = 1,
};
/* 1: may stand in a Host: reg-name, IP literal, port */
static const uint8_t host_chars[256] = {
	['-'] = 1, ['.'] = 1,  ['_'] = 1, ['~'] = 1, ['%'] = 1,         ['!'] = 1,         ['$'] = 1,
	['&'] = 1, ['\''] = 1, ['('] = 1, [')'] = 1, ['*'] = 1,         ['+'] = 1,         [';'] = 1,
	['='] = 1, [':'] = 1,  ['['] = 1, [']'] = 1, ['0' ... '9'] = 1, ['a' ... 'z'] = 1, ['A' ... 'Z'] = 1,
};

static bool all_of(const uint8_t table[256], struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!table[(uint8_t)s.p[i]])
			return false;
	return s.n > 0;
}

static bool eq_ci(struct str s, const char *lower, size_t n)
{
	if (s.n != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		char c = s.p[i];

		if (c >= 'A' && c <= 'Z')
			c |= 0x20;
		if (c != lower[i])
			return false;
	}
	return true;
}
#define IS(s, lit) eq_ci((s), "" lit, sizeof(lit) - 1)

/* --- finding the end of a block --- */

static ssize_t scan(struct parse_scan *s, const char *p, size_t n, bool head, size_t bytes_max, unsigned lines_max)
{
	while (s->pos < n) {
		const char *lf = memchr(p + s->pos, '\n', n - s->pos);
		size_t at;

		if (!lf) {
			s->pos = n;
			break;
		}
		at = (size_t)(lf - p);
		if (at == s->line || p[at - 1] != '\r')
			return BAD; /* bare LF */
		s->pos = at + 1;
		if (at - s->line == 1) {
			if (!head || s->lines > 0 || s->start > 0)
				return s->pos - s->start > bytes_max ? -431 : (ssize_t)s->pos;
			s->start = s->pos;
		} else if (++s->lines > lines_max || s->pos - s->start > bytes_max) {
			return -431;
		}
		if (head && s->lines == 1 && s->line == s->start && s->pos - s->start > HTTP_TARGET_BYTES_MAX + HTTP_METHOD_BYTES_MAX + 16)
			return -414;
		s->line = s->pos;
	}
	if (head && s->lines == 0 && n - s->start > HTTP_TARGET_BYTES_MAX + HTTP_METHOD_BYTES_MAX + 16)
		return -414;
	return n - s->start > bytes_max ? -431 : 0;
}

ssize_t parse_scan_head(struct parse_scan *s, const char *p, size_t n)
{
	ssize_t r = scan(s, p, n, true, HTTP_HEADER_BYTES_MAX, HTTP_HEADERS_MAX + 1);

	if (r != 0)
		return r;
	/* A beginning that can't become a request is refused now, not after the timeout. */
	for (size_t i = s->start; i < n && p[i] != ' '; i++) {
		if (i == s->start && p[i] == '\r' && i + 1 == n && s->start == 0)
			break;
		if (!token_chars[(uint8_t)p[i]] || i - s->start >= HTTP_METHOD_BYTES_MAX)
			return BAD;
	}
	return 0;
}

ssize_t parse_scan_trailers(struct parse_scan *s, const char *p, size_t n)
{
	return scan(s, p, n, false, HTTP_TRAILER_BYTES_MAX, HTTP_TRAILERS_MAX);
}

/* --- the head --- */

/* line_end returns the CR of the CRLF that ends the line at p, or NULL where a byte isn't allowed in a field value.
 * Eight bytes at a time: a word is looked at closely only if it holds a byte below 0x20 or a DEL. */
static const char *line_end(const char *p, const char *end)
{
	const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;

	for (; p < end; p++) {
		uint64_t w, del;
		uint8_t c;

		while (end - p >= 8) {
			memcpy(&w, p, 8);
			del = w ^ (ones * 0x7f);
			if ((((w - ones * 0x20) & ~w) | ((del - ones) & ~del)) & tops)
				break;
			p += 8;
		}
		if (p == end)
			return NULL;
		c = (uint8_t)*p;
		if (c == '\r')
			return end - p >= 2 && p[1] == '\n' ? p : NULL;
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return NULL;
	}
	return NULL;
}

/* field reads one field line at *pos and moves behind its CRLF. */
static int field(const char **pos, const char *end, struct http_header *ret)
{
	const char *p = *pos, *start = p, *eol;

	while (p < end && token_chars[(uint8_t)*p])
		p++;
	if (p == start || p == end || *p != ':') /* also a folded line, and blanks before the colon */
		return BAD;
	ret->name = str_of(start, (size_t)(p - start));
	p++;
	eol = line_end(p, end);
	if (!eol)
		return BAD;
	*pos = eol + 2;
	while (p < eol && (*p == ' ' || *p == '\t'))
		p++;
	while (eol > p && (eol[-1] == ' ' || eol[-1] == '\t'))
		eol--;
	ret->value = str_of(p, (size_t)(eol - p));
	return 0;
}

struct seen { /* by the fields that frame the message */
	bool host, length, coding, close, keep_alive;
};

static int content_length(struct str v, uint64_t *ret)
{
	uint64_t x = 0;

	if (v.n == 0 || v.n > 18) /* 18 digits never overflow, and no body is that long */
		return BAD;
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] < '0' || v.p[i] > '9')
			return BAD;
		x = x * 10 + (uint64_t)(v.p[i] - '0');
	}
	*ret = x;
	return 0;
}

static void connection_options(struct str v, struct seen *seen)
{
	while (v.n > 0) {
		const char *comma = memchr(v.p, ',', v.n);
		struct str t = str_of(v.p, comma ? (size_t)(comma - v.p) : v.n);

		v = comma ? str_skip(v, t.n + 1) : str_of(v.p, 0);
		while (t.n > 0 && (*t.p == ' ' || *t.p == '\t'))
			t = str_skip(t, 1);
		while (t.n > 0 && (t.p[t.n - 1] == ' ' || t.p[t.n - 1] == '\t'))
			t.n--;
		if (IS(t, "close"))
			seen->close = true;
		else if (IS(t, "keep-alive"))
			seen->keep_alive = true;
	}
}

/* known acts on the fields that matter to framing; the rest is the handler's. */
static int known(struct http_request *r, const struct http_header *h, struct seen *seen, struct parse_info *info)
{
	switch (h->name.n) {
	case 4:
		if (!IS(h->name, "host"))
			return 0;
		if (seen->host || !all_of(host_chars, h->value))
			return BAD;
		seen->host = true;
		r->host = h->value;
		return 0;
	case 6:
		if (!IS(h->name, "expect"))
			return 0;
		if (!IS(h->value, "100-continue"))
			return -417;
		info->expect_continue = true;
		return 0;
	case 10:
		if (IS(h->name, "connection"))
			connection_options(h->value, seen);
		return 0;
	case 14:
		if (!IS(h->name, "content-length"))
			return 0;
		if (seen->length)
			return BAD;
		seen->length = true;
		return content_length(h->value, &r->content_length);
	case 17:
		if (!IS(h->name, "transfer-encoding"))
			return 0;
		if (seen->coding)
			return BAD;
		seen->coding = true;
		if (!IS(h->value, "chunked"))
			return -501;
		r->chunked = true;
		return 0;
	default:
		return 0;
	}
}

/* target splits the request target; an absolute one must name the same authority as Host. */
static int target(struct http_request *r)
{
	struct str t = r->target;
	const char *q;

	if (t.n > HTTP_TARGET_BYTES_MAX)
		return -414;
	for (size_t i = 0; i < t.n; i++)
		if ((uint8_t)t.p[i] <= 0x20 || (uint8_t)t.p[i] >= 0x7f || t.p[i] == '#')
			return BAD;
	if (t.n > 0 && t.p[0] != '/') {
		size_t skip = t.n > 7 && eq_ci(str_of(t.p, 7), "http://", 7) ? 7 : t.n > 8 && eq_ci(str_of(t.p, 8), "https://", 8) ? 8 : 0;

		if (str_is(t, "*") && str_is(r->method, "OPTIONS")) {
			r->path = t;
			return 0;
		}
		if (skip == 0 || t.n - skip < r->host.n || r->host.n == 0 || !str_eq(str_of(t.p + skip, r->host.n), r->host))
			return BAD;
		t = str_skip(t, skip + r->host.n);
		if (t.n == 0)
			t = S("/");
	}
	if (t.n == 0 || t.p[0] != '/')
		return BAD;
	q = memchr(t.p, '?', t.n);
	r->path = str_of(t.p, q ? (size_t)(q - t.p) : t.n);
	r->query = q ? str_skip(t, r->path.n + 1) : STR_NONE;
	return 0;
}

/* request_line reads method, target and version; *pos moves behind its CRLF. */
static int request_line(const char **pos, const char *end, struct http_request *r, struct parse_info *info)
{
	const char *p = *pos, *eol = memchr(p, '\r', (size_t)(end - p)), *sp;
	struct str v;

	if (!eol || end - eol < 2 || eol[1] != '\n')
		return BAD;
	sp = memchr(p, ' ', (size_t)(eol - p));
	if (!sp)
		return BAD;
	r->method = str_of(p, (size_t)(sp - p));
	if (r->method.n > HTTP_METHOD_BYTES_MAX || !all_of(token_chars, r->method))
		return BAD;
	if (str_is(r->method, "CONNECT"))
		return -501; /* what follows it is no HTTP to whoever grants it */
	p = sp + 1;
	sp = memchr(p, ' ', (size_t)(eol - p));
	if (!sp)
		return BAD; /* HTTP/0.9 */
	r->target = str_of(p, (size_t)(sp - p));
	v = str_of(sp + 1, (size_t)(eol - sp - 1));
	if (v.n != 8 || memcmp(v.p, "HTTP/", 5) != 0 || v.p[5] < '0' || v.p[5] > '9' || v.p[6] != '.' || v.p[7] < '0' || v.p[7] > '9')
		return BAD;
	if (v.p[5] != '1' || v.p[7] > '1')
		return -505;
	info->http10 = v.p[7] == '0';
	*pos = eol + 2;
	return 0;
}

int parse_head(struct arena *a, const char *p, size_t n, unsigned lines, struct http_request *r, struct parse_info *ret)
{
	const char *end = p + n;
	struct seen seen = { 0 };
	int x;

	assert(n >= 2 && end[-1] == '\n' && end[-2] == '\r');
	*ret = (struct parse_info){ 0 };
	x = request_line(&p, end, r, ret);
	if (x < 0)
		return x;
	if (lines < 1 || lines - 1 > HTTP_HEADERS_MAX)
		return -431;
	r->headers = arena_alloc(a, lines * sizeof *r->headers);
	r->n_headers = 0;
	while (end - p > 2) {
		struct http_header *h = &r->headers[r->n_headers];

		if (r->n_headers >= lines - 1)
			return BAD;
		x = field(&p, end, h);
		if (x >= 0)
			x = known(r, h, &seen, ret);
		if (x < 0)
			return x;
		r->n_headers++;
	}
	if (end - p != 2)
		return BAD;
	if (seen.coding && (seen.length || ret->http10))
		return BAD;
	if (!seen.host && !ret->http10)
		return BAD;
	ret->keep_alive = !seen.close && (!ret->http10 || seen.keep_alive);
	ret->expect_continue = ret->expect_continue && !ret->http10;
	r->has_body = r->chunked || r->content_length > 0;
	return target(r);
}

int parse_trailers(struct arena *a, const char *p, size_t n, unsigned lines, struct http_request *r)
{
	const char *end = p + n;
	int x;

	r->trailers = arena_alloc(a, (lines + 1) * sizeof *r->trailers);
	r->n_trailers = 0;
	while (end - p > 2) {
		struct http_header *h = &r->trailers[r->n_trailers];

		if (r->n_trailers >= lines)
			return BAD;
		x = field(&p, end, h);
		if (x < 0)
			return x;
		/* What frames or routes a message has no business behind it. */
		if (IS(h->name, "content-length") || IS(h->name, "transfer-encoding") || IS(h->name, "host") || IS(h->name, "connection") ||
		    IS(h->name, "authorization") || IS(h->name, "trailer") || IS(h->name, "expect"))
			return BAD;
		r->n_trailers++;
	}
	return end - p == 2 ? 0 : BAD;
}

/* --- chunked bodies --- */

enum { CK_SIZE, CK_EXT, CK_SIZE_LF, CK_DATA, CK_DATA_CR, CK_DATA_LF, CK_END };

/* chunk_line takes one byte of a chunk's first line, or of the CRLF behind its data. 0 or a refusal. */
static int chunk_line(struct parse_chunked *s, char c)
{
	int d;

	switch (s->state) {
	case CK_SIZE:
		d = hex_digit(c);
		if (d >= 0) {
			if (++s->digits > 15)
				return BAD;
			s->left = s->left << 4 | (uint64_t)d;
			return 0;
		}
		if (s->digits == 0 || (c != '\r' && c != ';'))
			return BAD;
		s->state = c == '\r' ? CK_SIZE_LF : CK_EXT;
		return 0;
	case CK_EXT:
		if (c == '\r')
			s->state = CK_SIZE_LF;
		else if (((uint8_t)c < 0x20 && c != '\t') || c == 0x7f || ++s->ext_bytes > HTTP_CHUNK_EXT_BYTES_MAX)
			return BAD;
		return 0;
	case CK_SIZE_LF:
		s->state = s->left ? CK_DATA : CK_END;
		return c == '\n' ? 0 : BAD;
	case CK_DATA_CR:
		s->state = CK_DATA_LF;
		return c == '\r' ? 0 : BAD;
	case CK_DATA_LF:
		s->state = CK_SIZE;
		s->digits = 0;
		return c == '\n' ? 0 : BAD;
	default:
		return BAD;
	}
}

int parse_chunked(struct parse_chunked *s, const char *p, size_t n, size_t *ret_used, struct str *ret_data)
{
	size_t i = 0;

	while (i < n && s->state != CK_END) {
		if (s->state == CK_DATA) {
			size_t k = n - i < s->left ? n - i : (size_t)s->left;

			s->left -= k;
			if (s->left == 0)
				s->state = CK_DATA_CR;
			*ret_data = str_of(p + i, k);
			*ret_used = i + k;
			return PARSE_DATA;
		}
		if (chunk_line(s, p[i]) < 0)
			return BAD;
		i++;
	}
	*ret_used = i;
	return s->state == CK_END ? PARSE_END : PARSE_MORE;
}
