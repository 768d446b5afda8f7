/* SPDX-License-Identifier: Apache-2.0 */
/* test_sigv4.c - requests whose signatures are published: the Signature Version 4 test suite and the examples of the
 * Amazon S3 API Reference. A right signature proves the canonical request byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "auth/sigv4.h"
#include "base/util.h"
#include "raw_request.h"

#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define NOW 1440938160000 /* 2015-08-30T12:36:00Z */
#define H "Host:example.amazonaws.com\n"
#define D "X-Amz-Date:20150830T123600Z\n"
#define VANILLA "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"

static const char *const services[] = { "service", NULL };
static const char *const s3[] = { "s3", NULL };

struct published {
	const char *name, *head, *signed_headers, *signature, *body;
};
static const struct published suite[] = {
	{ "get-vanilla", "GET / HTTP/1.1\n" H D, "host;x-amz-date", VANILLA, "" },
	{ "get-vanilla-query", "GET /? HTTP/1.1\n" H D, "host;x-amz-date", VANILLA, "" },
	{ "get-vanilla-empty-query-key", "GET /?Param1=value1 HTTP/1.1\n" H D, "host;x-amz-date",
	  "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb", "" },
	{ "get-vanilla-query-order-key-case", "GET /?Param2=value2&Param1=value1 HTTP/1.1\n" H D, "host;x-amz-date",
	  "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500", "" },
	{ "get-vanilla-query-order-key", "GET /?Param1=value2&Param1=Value1 HTTP/1.1\n" H D, "host;x-amz-date",
	  "eedbc4e291e521cf13422ffca22be7d2eb8146eecf653089df300a15b2382bd1", "" },
	{ "get-vanilla-query-order-value", "GET /?Param1=value2&Param1=value1 HTTP/1.1\n" H D, "host;x-amz-date",
	  "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694", "" },
	{ "get-vanilla-query-unreserved",
	  "GET /?-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz="
	  "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz HTTP/1.1\n" H D,
	  "host;x-amz-date", "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197", "" },
	{ "get-vanilla-utf8-query", "GET /?\xe1\x88\xb4=bar HTTP/1.1\n" H D, "host;x-amz-date",
	  "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04", "" },
	{ "get-unreserved", "GET /-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz HTTP/1.1\n" H D, "host;x-amz-date",
	  "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f", "" },
	{ "get-utf8", "GET /\xe1\x88\xb4 HTTP/1.1\n" H D, "host;x-amz-date",
	  "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85", "" },
	{ "get-space", "GET /example space/ HTTP/1.1\n" H D, "host;x-amz-date",
	  "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741", "" },
	{ "get-relative", "GET /example/.. HTTP/1.1\n" H D, "host;x-amz-date", VANILLA, "" },
	{ "get-relative-relative", "GET /example1/example2/../.. HTTP/1.1\n" H D, "host;x-amz-date", VANILLA, "" },
	{ "get-slash", "GET // HTTP/1.1\n" H D, "host;x-amz-date", VANILLA, "" },
	{ "get-slash-dot-slash", "GET /./ HTTP/1.1\n" H D, "host;x-amz-date", VANILLA, "" },
	{ "get-slash-pointless-dot", "GET /./example HTTP/1.1\n" H D, "host;x-amz-date",
	  "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5", "" },
	{ "get-slashes", "GET //example// HTTP/1.1\n" H D, "host;x-amz-date",
	  "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84", "" },
	{ "get-header-key-duplicate", "GET / HTTP/1.1\n" H "My-Header1:value2\nMy-Header1:value2\nMy-Header1:value1\n" D,
	  "host;my-header1;x-amz-date", "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea", "" },
	{ "get-header-value-order", "GET / HTTP/1.1\n" H "My-Header1:value4\nMy-Header1:value1\nMy-Header1:value3\nMy-Header1:value2\n" D,
	  "host;my-header1;x-amz-date", "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01", "" },
	{ "get-header-value-trim", "GET / HTTP/1.1\n" H "My-Header1: value1\nMy-Header2: \"a   b   c\"\n" D,
	  "host;my-header1;my-header2;x-amz-date", "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736", "" },
	{ "post-vanilla", "POST / HTTP/1.1\n" H D, "host;x-amz-date", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
	  "" },
	{ "post-vanilla-query", "POST /?Param1=value1 HTTP/1.1\n" H D, "host;x-amz-date",
	  "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11", "" },
	{ "post-header-key-case", "POST / HTTP/1.1\nHOST:example.amazonaws.com\n" D, "host;x-amz-date",
	  "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b", "" },
	{ "post-header-key-sort", "POST / HTTP/1.1\n" H "My-Header1:value1\n" D, "host;my-header1;x-amz-date",
	  "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c", "" },
	{ "post-header-value-case", "POST / HTTP/1.1\n" H "My-Header1:VALUE1\n" D, "host;my-header1;x-amz-date",
	  "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d", "" },
	{ "post-x-www-form-urlencoded", "POST / HTTP/1.1\nContent-Type:application/x-www-form-urlencoded\n" H D,
	  "content-type;host;x-amz-date", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a", "Param1=value1" },
	{ "post-sts-header-before",
	  "POST / HTTP/1.1\n" H D "X-Amz-Security-Token:AQoDYXdzEPT//////////"
	  "wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7"
	  "mSEI/qkPpKPi/"
	  "kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0"
	  "iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==\n",
	  "host;x-amz-date;x-amz-security-token", "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead", "" },
};

static void test_suite(void **state)
{
	size_t i;

	for (i = 0; i < ELEMENTS(suite); i++) {
		const struct published *p = &suite[i];
		struct arena a = { 0 };
		struct http_request r;
		struct sigv4 s;
		struct str text, made;
		enum sigv4_fault f;

		text = str_printf(&a,
				  "%sAuthorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
				  "SignedHeaders=%s, "
				  "Signature=%s\n\n%s",
				  p->head, p->signed_headers, p->signature, p->body);
		assert_true(raw_request(&r, text));
		assert_int_equal(sigv4_read(&r, false, &s), SIGV4_OK);
		f = sigv4_check(&r, &s, false, S(SECRET), S("us-east-1"), services, r.body, NOW);
		if (f != SIGV4_OK)
			fail_msg("%s: %d\n%.*s", p->name, f, STR(s.canonical_request));
		assert_true(str_is(s.key_id, "AKIDEXAMPLE"));
		sigv4_wipe(&s);
		/* what we sign is what they signed: all headers but Authorization, the last */
		made = sigv4_sign(&a, S("AKIDEXAMPLE"), S(SECRET), S("us-east-1"), S("service"), r.method, r.path, r.query, r.headers,
				  r.n_headers - 1, s.payload_hash, S("20150830T123600Z"));
		assert_true(str_eq(made, r.headers[r.n_headers - 1].value));
		arena_done(&r.arena);
		arena_done(&a);
	}
}

#define S3_HEAD "Host: examplebucket.s3.amazonaws.com\n"
#define S3_EMPTY "x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n"
#define S3_AUTH(headers, signature)                                                                                                        \
	"Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=" headers        \
	",Signature=" signature "\n\n"

static void test_s3_examples(void **state)
{
	static const char *const requests[] = {
		"GET /test.txt HTTP/1.1\n" S3_HEAD "Range: bytes=0-9\n" S3_EMPTY "x-amz-date: 20130524T000000Z\n" S3_AUTH(
			"host;range;x-amz-content-sha256;x-amz-date", "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
		"PUT /test%24file.text HTTP/1.1\n" S3_HEAD "Date: Fri, 24 May 2013 00:00:00 GMT\nx-amz-date: 20130524T000000Z\n"
		"x-amz-storage-class: REDUCED_REDUNDANCY\nx-amz-content-sha256: "
		"44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072\n" S3_AUTH(
			"date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
			"98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd") "Welcome to Amazon S3.",
		"GET /?lifecycle HTTP/1.1\n" S3_HEAD "x-amz-date: 20130524T000000Z\n" S3_EMPTY S3_AUTH(
			"host;x-amz-content-sha256;x-amz-date", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
		"GET /?max-keys=2&prefix=J HTTP/1.1\n" S3_HEAD "x-amz-date: 20130524T000000Z\n" S3_EMPTY S3_AUTH(
			"host;x-amz-content-sha256;x-amz-date", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
		"GET "
		"/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_"
		"request"
		"&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
		"&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404 HTTP/1.1\n" S3_HEAD "\n",
	};
	size_t i;

	for (i = 0; i < ELEMENTS(requests); i++) {
		struct http_request r;
		struct sigv4 s;
		enum sigv4_fault f;

		assert_true(raw_request(&r, str_c(requests[i])));
		assert_int_equal(sigv4_read(&r, true, &s), SIGV4_OK);
		f = sigv4_check(&r, &s, true, S("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), S("us-east-1"), s3, r.body, 1369353600000);
		if (f != SIGV4_OK)
			fail_msg("%zu: %d\n%.*s\n%.*s", i, f, STR(s.canonical_request), STR(s.fault_detail));
		sigv4_wipe(&s);
		arena_done(&r.arena);
	}
}

/* Without x-amz-date the Date header counts, in any of its spellings. */
static void test_date_header(void **state)
{
	static const char *const dates[] = { "Sun, 30 Aug 2015 12:36:00 GMT", "20150830T123600Z", "2015-08-30T12:36:00Z" };
	size_t i;

	for (i = 0; i < ELEMENTS(dates); i++) {
		struct arena a = { 0 };
		struct http_request r;
		struct sigv4 s;
		struct str auth;

		assert_true(raw_request(&r, str_printf(&a, "GET /x?b=1&a=2 HTTP/1.1\n" H "Date: %s\nAuthorization: -\n\n", dates[i])));
		auth = sigv4_sign(&a, S("AKIDEXAMPLE"), S(SECRET), S("us-east-1"), S("service"), r.method, r.path, r.query, r.headers, 2,
				  S("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"), S("20150830T123600Z"));
		r.headers[2].value = auth;
		assert_int_equal(sigv4_read(&r, false, &s), SIGV4_OK);
		assert_true(str_is(s.amz_date, "20150830T123600Z"));
		assert_int_equal(s.signed_ms, NOW);
		assert_int_equal(sigv4_check(&r, &s, false, S(SECRET), STR_NONE, services, r.body, NOW), SIGV4_OK);
		sigv4_wipe(&s);
		arena_done(&r.arena);
		arena_done(&a);
	}
}

/* Many keys in turn: remembered, replaced and derived again, they always sign the same. */
static void test_many_keys(void **state)
{
	enum { KEYS = 300 };
	static const struct http_header headers[] = { { S("host"), S("example.amazonaws.com") },
						      { S("x-amz-date"), S("20150830T123600Z") } };
	struct arena a = { 0 };
	struct str first[KEYS];
	size_t round, i;

	for (round = 0; round < 3; round++)
		for (i = 0; i < KEYS; i++) {
			struct str id = str_printf(&a, "AKID%zu", i / 2), secret = str_printf(&a, "secret-%zu", i); /* two secrets an id */
			struct str auth = sigv4_sign(&a, id, secret, S("us-east-1"), S("service"), S("GET"), S("/"), STR_NONE, headers,
						     ELEMENTS(headers), S("UNSIGNED-PAYLOAD"), S("20150830T123600Z"));

			if (round == 0)
				first[i] = auth;
			assert_true(str_eq(auth, first[i]));
			assert_true(i == 0 || !str_eq(auth, first[i - 1]));
		}
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_suite),
		cmocka_unit_test(test_s3_examples),
		cmocka_unit_test(test_date_header),
		cmocka_unit_test(test_many_keys),
	};

	return cmocka_run_group_tests_name("sigv4", tests, NULL, NULL);
}
