/* SPDX-License-Identifier: Apache-2.0 */
/* chunked.c - takes the aws-chunked coding off a body, piece by piece, and verifies every chunk's signature.
 *
 *	10000;chunk-signature=<64 hex>\r\n<data>\r\n ... 0;chunk-signature=<64 hex>\r\n[trailers]\r\n
 *
 * A chunk's signature covers the one before, so chunks can't be dropped, repeated or reordered; the signature of the
 * trailers covers the last chunk's. Unsigned bodies have sizes and trailers only. The decoder holds one line at most
 * besides the trailers. The sum of the chunks must be what x-amz-decoded-content-length said. */
#include "auth/canon.h"
#include "base/arena.h"
#include "base/util.h"
#include <assert.h>
#include <errno.h>

#define CHUNK_SIZE_DIGITS_MAX 15 /* S3's largest body has 13 */
#define SIGNATURE_FIELD ";chunk-signature="
#define TRAILER_SIGNATURE "x-amz-trailer-signature"

enum state { AT_HEADER, AT_DATA, AT_DATA_END, AT_TRAILER, AT_LAST_LINE, AT_END };

struct chunked {
	int (*sink)(void *arg, struct str piece);
	void *arg;
	struct arena arena; /* dates, scope, trailers */
	struct str amz_date, scope, announced;
	enum state state;
	int error; /* the first one, stays */
	bool is_signed, has_trailer, seen_small, trailer_signed, after_bare_lf;
	uint8_t signing_key[32];
	char previous[64]; /* signature before the current chunk's */
	char claimed[64];  /* the current chunk's */
	struct hash *hash; /* of the current chunk's data */
	uint64_t left;     /* bytes of the current chunk to come */
	uint64_t total, expected;
	char line[CHUNKED_TRAILER_BYTES_MAX];
	size_t line_n, trailer_bytes;
	char end[2];
	size_t end_n;
	struct http_header trailer[CHUNKED_TRAILERS_MAX];
	size_t n_trailers;
};

struct chunked *chunked_new(const struct sigv4 *s, int (*sink)(void *arg, struct str piece), void *arg)
{
	struct chunked *c = xzalloc(sizeof *c);

	assert(s->payload == SIGV4_PAYLOAD_CHUNKED || s->payload == SIGV4_PAYLOAD_CHUNKED_TRAILER ||
	       s->payload == SIGV4_PAYLOAD_UNSIGNED_TRAILER);
	assert(s->decoded_length >= 0 && s->signature.n == sizeof c->previous);
	c->sink = sink;
	c->arg = arg;
	c->is_signed = s->payload != SIGV4_PAYLOAD_UNSIGNED_TRAILER;
	c->has_trailer = s->payload != SIGV4_PAYLOAD_CHUNKED;
	c->expected = (uint64_t)s->decoded_length;
	c->amz_date = str_dup(&c->arena, s->amz_date);
	c->scope = canon_scope(&c->arena, s->date, s->region, s->service);
	c->announced = c->has_trailer && s->trailer.p ? str_lower(&c->arena, s->trailer) : STR_NONE;
	memcpy(c->signing_key, s->signing_key, sizeof c->signing_key);
	memcpy(c->previous, s->signature.p, sizeof c->previous);
	return c;
}

struct chunked *chunked_free(struct chunked *c)
{
	if (!c)
		return NULL;
	hash_free(c->hash);
	arena_done(&c->arena);
	mem_wipe(c, sizeof *c);
	free(c);
	return NULL;
}

/* Collects a line without its end. Returns 1 when it is complete, 0 when more bytes are needed. CRLF ends it; a bare LF
 * only where bare_lf allows (trailers, as S3's documentation shows them). */
static int line_take(struct chunked *c, struct str *in, size_t max, bool bare_lf, struct str *ret)
{
	ptrdiff_t at = str_find_char(*in, '\n');
	size_t n = at < 0 ? in->n : (size_t)at;

	if (n > max + 1 - c->line_n)
		return -EBADMSG;
	memcpy(c->line + c->line_n, in->p, n);
	c->line_n += n;
	if (at < 0) {
		*in = str_skip(*in, n);
		return 0;
	}
	*in = str_skip(*in, n + 1);
	*ret = str_of(c->line, c->line_n);
	c->line_n = 0;
	c->after_bare_lf = ret->n == 0 || ret->p[ret->n - 1] != '\r';
	if (!c->after_bare_lf)
		ret->n--;
	if ((c->after_bare_lf && !bare_lf) || (ret->n && memchr(ret->p, '\r', ret->n)))
		return -EBADMSG;
	return 1;
}

static int hex_take(struct str s, uint64_t *ret)
{
	return s.n > CHUNK_SIZE_DIGITS_MAX || str_hex_to_u64(s, ret) < 0 ? -EBADMSG : 0;
}

/* The claimed signature must be the HMAC of algorithm, date, scope, the signature before it, and the hashes. It then is
 * the one before the next. */
static int signature_check(struct chunked *c, const char *algorithm, const char *extra, const uint8_t hash[32], struct str claimed)
{
	uint8_t mac[32];
	char hex[64], text[512];
	int n;

	canon_hex(hash, hex);
	n = snprintf(text, sizeof text, "%s\n%.*s\n%.*s\n%.64s\n%s%.64s", algorithm, STR(c->amz_date), STR(c->scope), c->previous, extra,
		     hex);
	assert(n > 0 && (size_t)n < sizeof text); /* names in a scope are short: sigv4_read */
	hmac_sha256(c->signing_key, sizeof c->signing_key, text, (size_t)n, mac);
	canon_hex(mac, hex);
	if (claimed.n != sizeof hex || !mem_equal_ct(hex, claimed.p, sizeof hex)) {
		mem_wipe(hex, sizeof hex);
		return -EACCES;
	}
	memcpy(c->previous, hex, sizeof hex);
	return 0;
}

static int chunk_verify(struct chunked *c)
{
	uint8_t hash[32];

	if (!c->is_signed)
		return 0;
	hash_end(c->hash, hash);
	c->hash = hash_free(c->hash);
	return signature_check(c, "AWS4-HMAC-SHA256-PAYLOAD", CANON_EMPTY_SHA256 "\n", hash, str_of(c->claimed, sizeof c->claimed));
}

static int header_parse(struct chunked *c, struct str line)
{
	struct str size = line;
	ptrdiff_t at;
	int e;

	if (c->is_signed) {
		at = str_find(line, S(SIGNATURE_FIELD));
		if (at < 0)
			return -EBADMSG;
		size = str_of(line.p, (size_t)at);
		line = str_skip(line, (size_t)at + sizeof SIGNATURE_FIELD - 1);
		if (line.n != sizeof c->claimed)
			return -EBADMSG;
		memcpy(c->claimed, line.p, sizeof c->claimed);
	}
	e = hex_take(size, &c->left);
	if (e < 0)
		return e;
	if (c->left > c->expected - c->total)
		return -EBADMSG;
	if (c->left && c->seen_small)
		return -EMSGSIZE;
	c->seen_small = c->left < CHUNKED_CHUNK_MIN;
	c->total += c->left;
	if (c->is_signed)
		c->hash = hash_new(HASH_SHA256);
	if (c->left) {
		c->state = AT_DATA;
		return 0;
	}
	if (c->total != c->expected)
		return -EBADMSG;
	c->state = c->has_trailer ? AT_TRAILER : AT_LAST_LINE;
	return chunk_verify(c);
}

static int data_take(struct chunked *c, struct str *in)
{
	struct str piece = str_of(in->p, in->n < c->left ? in->n : (size_t)c->left);
	int e;

	if (c->is_signed)
		hash_add(c->hash, piece.p, piece.n);
	e = c->sink(c->arg, piece);
	if (e < 0)
		return e;
	*in = str_skip(*in, piece.n);
	c->left -= piece.n;
	if (c->left == 0)
		c->state = AT_DATA_END;
	return 0;
}

static int data_end_take(struct chunked *c, struct str *in)
{
	c->end[c->end_n++] = in->p[0];
	*in = str_skip(*in, 1);
	if (c->end[c->end_n - 1] != "\r\n"[c->end_n - 1])
		return -EBADMSG;
	if (c->end_n < 2)
		return 0;
	c->end_n = 0;
	c->state = AT_HEADER;
	return chunk_verify(c);
}

static bool announced(const struct chunked *c, struct str name)
{
	struct str rest = c->announced, one;

	while (rest.p && str_next(&rest, ',', &one))
		if (str_eq(str_trim(one), name))
			return true;
	return false;
}

static bool trailer_name_ok(struct str name)
{
	size_t i;

	for (i = 0; i < name.n; i++)
		if (!((name.p[i] >= 'a' && name.p[i] <= 'z') || (name.p[i] >= '0' && name.p[i] <= '9') || name.p[i] == '-'))
			return false;
	return name.n > 0;
}

/* The signature is over "name:value\n" of the trailers before it. */
static int trailers_verify(struct chunked *c, struct str claimed)
{
	struct hash *h = hash_new(HASH_SHA256);
	uint8_t hash[32];
	size_t i;

	for (i = 0; i < c->n_trailers; i++) {
		hash_add(h, c->trailer[i].name.p, c->trailer[i].name.n);
		hash_add(h, ":", 1);
		hash_add(h, c->trailer[i].value.p, c->trailer[i].value.n);
		hash_add(h, "\n", 1);
	}
	hash_end(h, hash);
	hash_free(h);
	return signature_check(c, "AWS4-HMAC-SHA256-TRAILER", "", hash, claimed);
}

/* The empty line: every trailer announced must have come. */
static int trailers_end(struct chunked *c)
{
	struct str rest = c->announced, one;
	size_t i;

	while (rest.p && str_next(&rest, ',', &one)) {
		one = str_trim(one);
		for (i = 0; i < c->n_trailers && !str_eq(c->trailer[i].name, one); i++)
			;
		if (one.n && i == c->n_trailers)
			return -EBADMSG;
	}
	if (c->is_signed && !c->trailer_signed)
		return -EBADMSG;
	c->state = AT_END;
	return 0;
}

static int trailer_parse(struct chunked *c, struct str line, bool bare_lf_before)
{
	struct str name, value;
	size_t i;
	int e;

	if (line.n == 0) {
		/* S3's documentation, and clients after it, end the trailers with "\n\r\n" before their signature. */
		if (c->is_signed && bare_lf_before && !c->trailer_signed && !c->after_bare_lf)
			return 0;
		return c->after_bare_lf ? -EBADMSG : trailers_end(c);
	}
	if (c->trailer_signed || !str_cut(line, ':', &name, &value))
		return -EBADMSG;
	name = str_lower(&c->arena, name);
	value = str_trim(value);
	if (!trailer_name_ok(name))
		return -EBADMSG;
	if (c->is_signed && str_is(name, TRAILER_SIGNATURE)) {
		e = trailers_verify(c, value);
		c->trailer_signed = e == 0;
		return e;
	}
	for (i = 0; i < c->n_trailers; i++)
		if (str_eq(c->trailer[i].name, name))
			return -EBADMSG;
	if (c->n_trailers == CHUNKED_TRAILERS_MAX || !announced(c, name))
		return -EBADMSG;
	c->trailer[c->n_trailers++] = (struct http_header){ name, str_dup(&c->arena, value) };
	return 0;
}

static int step(struct chunked *c, struct str *in)
{
	bool bare_lf_before = c->after_bare_lf && c->n_trailers > 0;
	struct str line;
	int e;

	switch (c->state) {
	case AT_HEADER:
		e = line_take(c, in, CHUNKED_LINE_MAX, false, &line);
		return e > 0 ? header_parse(c, line) : e;
	case AT_DATA:
		return data_take(c, in);
	case AT_DATA_END:
		return data_end_take(c, in);
	case AT_TRAILER:
		e = line_take(c, in, CHUNKED_TRAILER_BYTES_MAX - 1 - c->trailer_bytes, true, &line);
		if (e <= 0)
			return e;
		c->trailer_bytes += line.n + 1;
		if (c->trailer_bytes >= CHUNKED_TRAILER_BYTES_MAX)
			return -EBADMSG;
		return trailer_parse(c, line, bare_lf_before);
	case AT_LAST_LINE:
		e = line_take(c, in, 0, false, &line);
		if (e > 0)
			c->state = AT_END;
		return e < 0 || (e > 0 && line.n) ? -EBADMSG : 0;
	case AT_END:
		break;
	}
	return -EBADMSG; /* bytes after the end */
}

int chunked_feed(struct chunked *c, struct str piece)
{
	while (!c->error && piece.n) {
		int e = step(c, &piece);

		if (e < 0)
			c->error = e;
	}
	return c->error;
}

int chunked_end(struct chunked *c, const struct http_header **ret_trailers, size_t *ret_n)
{
	if (!c->error && c->state != AT_END)
		c->error = -EBADMSG;
	if (c->error)
		return c->error;
	*ret_trailers = c->trailer;
	*ret_n = c->n_trailers;
	return 0;
}
