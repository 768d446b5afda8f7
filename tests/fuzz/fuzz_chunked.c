/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_chunked.c - aws-chunked bodies of any bytes, fed whole and in pieces: both must decode the same bytes to the same
 * result. First byte: the kind of payload; second: the declared length; third: the size of the pieces. */
#include "auth/sigv4.h"
#include "base/arena.h"
#include "base/util.h"
#include <assert.h>

static int add(void *arg, struct str piece)
{
	hash_add(arg, piece.p, piece.n);
	return 0;
}

static int decode(const struct sigv4 *s, struct str body, size_t piece, uint8_t digest[32])
{
	struct hash *h = hash_new(HASH_SHA256);
	struct chunked *c = chunked_new(s, add, h);
	const struct http_header *trailers;
	size_t n = 0;
	int e = 0;

	while (e == 0 && body.n) {
		size_t k = body.n < piece ? body.n : piece;

		e = chunked_feed(c, str_of(body.p, k));
		body = str_skip(body, k);
	}
	if (e == 0)
		e = chunked_end(c, &trailers, &n);
	assert(n <= CHUNKED_TRAILERS_MAX);
	chunked_free(c);
	hash_end(h, digest);
	hash_free(h);
	return e;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const enum sigv4_payload kinds[] = { SIGV4_PAYLOAD_UNSIGNED_TRAILER, SIGV4_PAYLOAD_CHUNKED, SIGV4_PAYLOAD_CHUNKED_TRAILER };
	struct sigv4 s = { .amz_date = S("20130524T000000Z"),
			   .date = S("20130524"),
			   .region = S("us-east-1"),
			   .service = S("s3"),
			   .signature = S("4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"),
			   .trailer = S("x-amz-checksum-crc32, x-b") };
	uint8_t whole[32], pieces[32];
	struct str body;
	int e, f;

	if (n < 3)
		return 0;
	s.payload = kinds[data[0] % 3];
	s.decoded_length = data[1];
	body = str_of((const char *)data + 3, n - 3);
	e = decode(&s, body, n, whole);
	f = decode(&s, body, data[2] % 17 + 1, pieces);
	assert(e == f);
	assert(e != 0 || memcmp(whole, pieces, sizeof whole) == 0);
	return 0;
}
