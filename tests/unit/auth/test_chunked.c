/* SPDX-License-Identifier: Apache-2.0 */
/* test_chunked.c - aws-chunked bodies: the two published examples whole and in pieces of every size, and every way to
 * lie in one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include "auth/sigv4.h"
#include "base/buf.h"
#include "base/util.h"
#include "raw_request.h"

#define SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define NOW 1369353600000 /* 2013-05-24T00:00:00Z */
#define AUTH(headers, signature)                                                                                                           \
	"Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=" headers        \
	",Signature=" signature "\r\n\r\n"
#define SEED "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
#define SEED_TRAILER "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
#define HEAD                                                                                                                               \
	"PUT /examplebucket/chunkObject.txt HTTP/1.1\r\nHost: s3.amazonaws.com\r\nx-amz-date: 20130524T000000Z\r\n"                        \
	"x-amz-storage-class: REDUCED_REDUNDANCY\r\nContent-Encoding: aws-chunked\r\nx-amz-decoded-content-length: 66560\r\n"
static const char plain_head[] = HEAD "x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\r\nContent-Length: 66824\r\n" AUTH(
	"content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class", SEED);
static const char trailer_head[] = HEAD
	"x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER\r\nx-amz-trailer: x-amz-checksum-crc32c\r\n" AUTH(
		"content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer",
		SEED_TRAILER);

static const char *const s3[] = { "s3", NULL };

struct fixture {
	struct http_request r;
	struct sigv4 s;
	struct arena a;
};

static int start(struct fixture *f, const char *head)
{
	memset(f, 0, sizeof *f);
	assert_true(raw_request(&f->r, str_c(head)));
	assert_int_equal(sigv4_read(&f->r, true, &f->s), SIGV4_OK);
	return (int)sigv4_check(&f->r, &f->s, true, S(SECRET), S("us-east-1"), s3, STR_NONE, NOW);
}

static void stop(struct fixture *f)
{
	sigv4_wipe(&f->s);
	arena_done(&f->r.arena);
	arena_done(&f->a);
}

/* The bodies of the examples: 64 KiB and 1 KiB of 'a'. */
static struct str body_make(struct arena *a, const char *s1, const char *s2, const char *s3_, const char *end)
{
	char *big = arena_alloc(a, 65536);

	memset(big, 'a', 65536);
	return str_printf(a, "10000;chunk-signature=%s\r\n%.65536s\r\n400;chunk-signature=%s\r\n%.1024s\r\n0;chunk-signature=%s\r\n%s", s1,
			  big, s2, big, s3_, end);
}

static struct str plain_body(struct arena *a)
{
	return body_make(a, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
			 "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
			 "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9", "\r\n");
}

static struct str trailer_body(struct arena *a, const char *end)
{
	return body_make(a, "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
			 "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
			 "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992", end);
}

#define TRAILER_SIGNATURE "x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"

static int count(void *arg, struct str piece)
{
	size_t i;

	for (i = 0; i < piece.n; i++)
		if (piece.p[i] != 'a')
			return -EIO;
	*(size_t *)arg += piece.n;
	return 0;
}

static int decode(const struct sigv4 *s, struct str body, size_t piece, size_t *ret_bytes, struct str *ret_trailer)
{
	size_t bytes = 0, n;
	struct chunked *c = chunked_new(s, count, &bytes);
	const struct http_header *t;
	int e = 0;

	while (e == 0 && body.n) {
		size_t k = body.n < piece ? body.n : piece;

		e = chunked_feed(c, str_of(body.p, k));
		body = str_skip(body, k);
	}
	if (e == 0)
		e = chunked_end(c, &t, &n);
	else
		assert_int_equal(chunked_end(c, &t, &n), e); /* an error stays */
	if (e == 0 && ret_trailer) {
		assert_int_equal(n, 1);
		assert_true(str_is(t[0].name, "x-amz-checksum-crc32c"));
		*ret_trailer = str_of(t[0].value.p, t[0].value.n);
		assert_true(str_is(*ret_trailer, "sOO8/Q=="));
	}
	if (ret_bytes)
		*ret_bytes = bytes;
	assert_null(chunked_free(c));
	return e;
}

static void test_published(void **state)
{
	static const size_t pieces[] = { 1, 2, 3, 7, 63, 64, 65, 1000, 65536, 1 << 20 };
	struct fixture f;
	struct str body;
	size_t i, bytes;

	assert_int_equal(start(&f, plain_head), SIGV4_OK);
	assert_int_equal(f.s.payload, SIGV4_PAYLOAD_CHUNKED);
	body = plain_body(&f.a);
	assert_int_equal(body.n, 66824); /* the Content-Length of the example */
	for (i = 0; i < ELEMENTS(pieces); i++) {
		assert_int_equal(decode(&f.s, body, pieces[i], &bytes, NULL), 0);
		assert_int_equal(bytes, 66560);
	}
	stop(&f);
}

static void test_published_trailer(void **state)
{
	/* as clients send it, and as the documentation prints it */
	static const char *const ends[] = { "x-amz-checksum-crc32c:sOO8/Q==\r\n" TRAILER_SIGNATURE,
					    "x-amz-checksum-crc32c:sOO8/Q==\n\r\n" TRAILER_SIGNATURE };
	static const size_t pieces[] = { 1, 5, 64, 1 << 20 };
	struct fixture f;
	struct str value;
	size_t i, k;

	assert_int_equal(start(&f, trailer_head), SIGV4_OK);
	for (k = 0; k < ELEMENTS(ends); k++)
		for (i = 0; i < ELEMENTS(pieces); i++)
			assert_int_equal(decode(&f.s, trailer_body(&f.a, ends[k]), pieces[i], NULL, &value), 0);
	stop(&f);
}

static void test_trailer_attacks(void **state)
{
	static const struct {
		const char *end;
		int error;
	} cases[] = {
		{ "x-amz-checksum-crc32c:sOO8/R==\r\n" TRAILER_SIGNATURE, -EACCES }, /* another checksum */
		{ "x-amz-checksum-crc32c:sOO8/Q==\r\n\r\n", -EBADMSG },              /* signature left out */
		{ TRAILER_SIGNATURE, -EACCES },                                      /* trailer left out */
		{ "\r\n", -EBADMSG },
		{ "x-amz-checksum-crc32:sOO8/Q==\r\n" TRAILER_SIGNATURE, -EBADMSG }, /* not announced */
		{ "x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-checksum-crc32c:sOO8/Q==\r\n" TRAILER_SIGNATURE, -EBADMSG },
		{ "x-amz-checksum-crc32c:sOO8/Q==\r\n" TRAILER_SIGNATURE "x", -EBADMSG }, /* more after the end */
		{ "x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:"
		  "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e434\r\n\r\n",
		  -EACCES },
		{ "x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:d81f\r\n\r\n", -EACCES },
		{ "x-amz-checksum-crc32c\r\n\r\n", -EBADMSG },
		{ "x-amz-checksum-crc32c:sO\rO8/Q==\r\n" TRAILER_SIGNATURE, -EBADMSG },
		{ " x-amz-checksum-crc32c:sOO8/Q==\r\n" TRAILER_SIGNATURE, -EBADMSG },
		{ "", -EBADMSG },
	};
	struct fixture f;
	size_t i, piece;

	assert_int_equal(start(&f, trailer_head), SIGV4_OK);
	for (i = 0; i < ELEMENTS(cases); i++)
		for (piece = 1; piece < 100000; piece *= 10) {
			int e = decode(&f.s, trailer_body(&f.a, cases[i].end), piece, NULL, NULL);

			if (e != cases[i].error)
				fail_msg("case %zu: %d", i, e);
		}
	stop(&f);
}

/* One changed byte anywhere: data and signatures give -EACCES, structure -EBADMSG (or the data isn't 'a'). */
static void test_every_byte(void **state)
{
	struct fixture f;
	struct str body;
	char *copy;
	size_t i;
	int e;

	assert_int_equal(start(&f, plain_head), SIGV4_OK);
	body = plain_body(&f.a);
	copy = arena_dup(&f.a, body.p, body.n);
	for (i = 0; i < body.n; i += (i > 90 && i < 65500) || (i > 65800 && i < 66600) ? 97 : 1) {
		copy[i] ^= 4;
		e = decode(&f.s, str_of(copy, body.n), body.n, NULL, NULL);
		if (e == 0)
			fail_msg("byte %zu was changed", i);
		copy[i] ^= 4;
	}
	assert_int_equal(decode(&f.s, str_of(copy, body.n), body.n, NULL, NULL), 0);
	for (i = 1; i < 300; i++) /* cut off at the end */
		assert_int_equal(decode(&f.s, str_of(copy, body.n - i), body.n, NULL, NULL), -EBADMSG);
	stop(&f);
}

static void test_structure_attacks(void **state)
{
	static const char sig[] = "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648";
	struct fixture f;
	struct str body;

	assert_int_equal(start(&f, plain_head), SIGV4_OK);
	body = plain_body(&f.a);
#define REFUSED(error, ...) assert_int_equal(decode(&f.s, str_printf(&f.a, __VA_ARGS__), 1000, NULL, NULL), error)
	REFUSED(-EBADMSG, "10000\r\n");
	REFUSED(-EBADMSG, "10000;chunk-signature=\r\n");
	REFUSED(-EBADMSG, "10000;chunk-signature=%.63s\r\n", sig);
	REFUSED(-EBADMSG, "10000;chunk-signature=%sa\r\n", sig);
	REFUSED(-EBADMSG, ";chunk-signature=%s\r\n", sig);
	REFUSED(-EBADMSG, "-1;chunk-signature=%s\r\n", sig);
	REFUSED(-EBADMSG, " 10000;chunk-signature=%s\r\n", sig);
	REFUSED(-EBADMSG, "0x10000;chunk-signature=%s\r\n", sig);
	REFUSED(-EBADMSG, "ffffffffffffffff;chunk-signature=%s\r\n", sig);
	REFUSED(-EBADMSG, "fffffffffffffff;chunk-signature=%s\r\n", sig);
	REFUSED(-EBADMSG, "10401;chunk-signature=%s\r\n", sig); /* one byte more than declared */
	REFUSED(-EBADMSG, "10000;chunk-signature=%s\n", sig);   /* bare LF */
	REFUSED(-EBADMSG, "10000;a=b;chunk-signature=%s;chunk-signature=%s;chunk-signature=%s\r\n", sig, sig, sig); /* long line */
	REFUSED(-EBADMSG, "%0200d", 0);
	REFUSED(-EACCES, "1;chunk-signature=%s\r\na\r\n", sig);
	REFUSED(-EBADMSG, "0;chunk-signature=%s\r\n\r\n", sig); /* less than declared */
	REFUSED(-EBADMSG, "%.*sx", STR(body));                  /* more after the end */
	REFUSED(-EBADMSG, "%.*s%.*s", STR(body), STR(body));
#undef REFUSED
	/* the chunks of another upload by the same signer: right signatures, but not after this request's */
	f.s.signature = S(SEED_TRAILER);
	assert_int_equal(decode(&f.s, body, 1000, NULL, NULL), -EACCES);
	stop(&f);
}

static int stop_at_once(void *arg, struct str piece)
{
	return -ENOSPC;
}

static void test_sink_stops(void **state)
{
	struct fixture f;
	struct chunked *c;

	assert_int_equal(start(&f, plain_head), SIGV4_OK);
	c = chunked_new(&f.s, stop_at_once, NULL);
	assert_int_equal(chunked_feed(c, plain_body(&f.a)), -ENOSPC);
	assert_int_equal(chunked_feed(c, S("x")), -ENOSPC);
	chunked_free(c);
	stop(&f);
}

static int unsigned_decode(const char *length, const char *trailer, struct str body)
{
	struct sigv4 s = { .payload = SIGV4_PAYLOAD_UNSIGNED_TRAILER, .decoded_length = -1, .trailer = str_c(trailer) };
	int e;

	s.signature = S(SEED);
	s.amz_date = S("20130524T000000Z");
	s.date = S("20130524");
	s.region = S("us-east-1");
	s.service = S("s3");
	assert_int_equal(str_to_i64(str_c(length), &s.decoded_length), 0);
	e = decode(&s, body, 1, NULL, NULL);
	assert_int_equal(decode(&s, body, 1000000, NULL, NULL), e);
	return e;
}

static void test_unsigned(void **state)
{
	static char big[8192 + 64];
	struct buf b;

	assert_int_equal(unsigned_decode("3", "x-amz-checksum-crc32", S("3\r\naaa\r\n0\r\nx-amz-checksum-crc32:8IfLIQ==\r\n\r\n")), 0);
	assert_int_equal(unsigned_decode("3", "x-amz-checksum-crc32", S("3\r\naaa\r\n0\r\nX-Amz-Checksum-CRC32: 8IfLIQ==\r\n\r\n")), 0);
	assert_int_equal(unsigned_decode("0", "x-amz-checksum-crc32", S("0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n")), 0);
	assert_int_equal(unsigned_decode("0", NULL, S("0\r\n\r\n")), 0);
	assert_int_equal(unsigned_decode("3", "x-amz-checksum-crc32", S("3\r\naaa\r\n0\r\n\r\n")), -EBADMSG); /* announced, not sent */
	assert_int_equal(unsigned_decode("3", NULL, S("3\r\naaa\r\n0\r\nx-amz-checksum-crc32:8IfLIQ==\r\n\r\n")), -EBADMSG);
	assert_int_equal(unsigned_decode("4", NULL, S("3\r\naaa\r\n0\r\n\r\n")), -EBADMSG);
	assert_int_equal(unsigned_decode("2", NULL, S("3\r\naaa\r\n0\r\n\r\n")), -EBADMSG);
	assert_int_equal(unsigned_decode("3", NULL, S("3\r\naaab\r\n0\r\n\r\n")), -EBADMSG);
	assert_int_equal(unsigned_decode("6", NULL, S("3\r\naaa\r\n3\r\naaa\r\n0\r\n\r\n")), -EMSGSIZE);
	assert_int_equal(unsigned_decode("3", NULL, S("3\r\naaa\r\n0\r\n")), -EBADMSG);
	/* a trailer that never ends */
	memset(big, 'x', sizeof big);
	buf_init(&b, 1 << 20);
	buf_str(&b, S("0\r\nx-amz-checksum-crc32:"));
	buf_put(&b, big, sizeof big);
	buf_str(&b, S("\r\n\r\n"));
	assert_int_equal(unsigned_decode("0", "x-amz-checksum-crc32", buf_view(&b)), -EBADMSG);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published),  cmocka_unit_test(test_published_trailer), cmocka_unit_test(test_trailer_attacks),
		cmocka_unit_test(test_every_byte), cmocka_unit_test(test_structure_attacks), cmocka_unit_test(test_sink_stops),
		cmocka_unit_test(test_unsigned),
	};

	return cmocka_run_group_tests_name("chunked", tests, NULL, NULL);
}
