/* SPDX-License-Identifier: Apache-2.0 */
/* sigv4_tool.c - verdicts on requests, for tests in other languages.
 *
 * Standard input: frames "<s3: 0|1> <now ms> <region> <service> <secret> <piece bytes> <length>\n" and length bytes of an
 * HTTP request. Standard output: a line a frame: fault, the chunked decoder's result (0 when not used), SHA-256 of the
 * decoded body, the sentence; separated by tabs. */
#include "auth/sigv4.h"
#include "base/util.h"
#include "raw_request.h"

static const char *const names[] = { "OK",      "MISSING", "MALFORMED",       "BAD_SCOPE", "EXPIRED",
				     "NOT_YET", "SKEWED",  "UNSIGNED_HEADER", "MISMATCH",  "BAD_DIGEST" };

static int collect(void *arg, struct str piece)
{
	hash_add(arg, piece.p, piece.n);
	return 0;
}

static int decode(const struct sigv4 *s, struct str body, size_t piece, struct hash *h)
{
	struct chunked *c = chunked_new(s, collect, h);
	const struct http_header *trailers;
	size_t n;
	int e = 0;

	while (e == 0 && body.n) {
		size_t k = body.n < piece ? body.n : piece;

		e = chunked_feed(c, str_of(body.p, k));
		body = str_skip(body, k);
	}
	if (e == 0)
		e = chunked_end(c, &trailers, &n);
	chunked_free(c);
	return e;
}

static void judge(bool is_s3, int64_t now_ms, struct str region, const char *service, struct str secret, size_t piece, struct str text)
{
	const char *const services[] = { service, NULL };
	struct http_request r;
	struct sigv4 s;
	struct hash *h = hash_new(HASH_SHA256);
	enum sigv4_fault f;
	uint8_t digest[32];
	bool streaming;
	int e = 0;

	if (!raw_request(&r, text)) {
		printf("BAD_REQUEST\t0\t\t\n");
		hash_free(h);
		return;
	}
	f = sigv4_read(&r, is_s3, &s);
	streaming = s.payload >= SIGV4_PAYLOAD_CHUNKED;
	if (f == SIGV4_OK)
		f = sigv4_check(&r, &s, is_s3, secret, region, services, streaming ? STR_NONE : r.body, now_ms);
	if (f == SIGV4_OK && streaming)
		e = decode(&s, r.body, piece, h);
	else
		hash_add(h, r.body.p, r.body.n);
	hash_end(h, digest);
	hash_free(h);
	printf("%s\t%d\t%.*s\t%.*s\n", names[f], e, STR(hex_encode(&r.arena, digest, sizeof digest)), STR(s.fault_detail));
	fflush(stdout);
	sigv4_wipe(&s);
	arena_done(&r.arena);
}

int main(void)
{
	char *line = NULL, *data;
	size_t cap = 0;
	ssize_t n;

	while ((n = getline(&line, &cap, stdin)) > 0) {
		struct str rest = str_of(line, (size_t)n - 1), f[7];
		struct arena a = { 0 };
		int64_t now_ms;
		uint64_t length, piece;
		size_t i = 0;

		while (i < ELEMENTS(f) && str_next(&rest, ' ', &f[i]))
			i++;
		if (i != ELEMENTS(f) || str_to_i64(f[1], &now_ms) < 0 || str_to_u64(f[5], &piece) < 0 || str_to_u64(f[6], &length) < 0 ||
		    !piece)
			return 2;
		data = xmalloc(length + 1);
		if (fread(data, 1, length, stdin) != length)
			return 2;
		judge(str_is(f[0], "1"), now_ms, f[2], str_z(&a, f[3]), f[4], piece, str_of(data, length));
		free(data);
		arena_done(&a);
	}
	free(line);
	return 0;
}
