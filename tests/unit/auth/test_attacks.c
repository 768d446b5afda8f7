/* SPDX-License-Identifier: Apache-2.0 */
/* test_attacks.c - what must be refused, with the fault and the sentence clients see. Requests are signed here by the
 * holder of the secret where the signature isn't the point. */
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
#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define DATE "X-Amz-Date: 20150830T123600Z\r\n"
#define HOST "Host: example.amazonaws.com\r\n"
#define CREDENTIAL "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request"
#define SIG64 "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
#define GOOD_AUTH "AWS4-HMAC-SHA256 Credential=" CREDENTIAL ", SignedHeaders=host;x-amz-date, Signature=" SIG64

static const char *const services[] = { "service", "s3", "sts", NULL };

static enum sigv4_fault judge_at(struct http_request *r, struct str text, bool is_s3, const char *region, int64_t now_ms, struct sigv4 *s)
{
	enum sigv4_fault f;

	assert_true(raw_request(r, text));
	f = sigv4_read(r, is_s3, s);
	if (f == SIGV4_OK)
		f = sigv4_check(r, s, is_s3, S(SECRET), str_c(region), services, r->body, now_ms);
	return f;
}

/* The request must give this fault and a sentence that begins so. */
static void expect(const char *text, bool is_s3, int64_t now_ms, enum sigv4_fault fault, const char *sentence)
{
	struct http_request r;
	struct sigv4 s;
	enum sigv4_fault f = judge_at(&r, str_c(text), is_s3, "us-east-1", now_ms, &s);
	static const uint8_t zero[32];

	if (f != fault || !str_starts(s.fault_detail, str_c(sentence)))
		fail_msg("fault %d, not %d, \"%.*s\" for\n%s", f, fault, STR(s.fault_detail), text);
	if (f != SIGV4_OK)
		assert_memory_equal(s.signing_key, zero, sizeof zero); /* no key is handed out for what was refused */
	sigv4_wipe(&s);
	arena_done(&r.arena);
}

#define WITH_AUTH(auth) "GET / HTTP/1.1\r\n" HOST DATE "Authorization: " auth "\r\n\r\n"

static void test_header_parsing(void **state)
{
	expect(WITH_AUTH(GOOD_AUTH), false, NOW, SIGV4_OK, "");
	expect(WITH_AUTH("AWS4-HMAC-SHA256 Signature=" SIG64 ",Credential=" CREDENTIAL ",SignedHeaders=host;x-amz-date"), false, NOW,
	       SIGV4_OK, "");
	expect("GET / HTTP/1.1\r\n" HOST "\r\n", false, NOW, SIGV4_MISSING, "");
	expect("GET /?a=b HTTP/1.1\r\n" HOST DATE "\r\n", true, NOW, SIGV4_MISSING, "");
	expect("GET / HTTP/1.1\r\n" HOST "Authorization: Bearer abc\r\n\r\n", false, NOW, SIGV4_MALFORMED,
	       "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization "
	       "header "
	       "requires 'SignedHeaders' parameter. Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ");
	expect(WITH_AUTH(""), false, NOW, SIGV4_MALFORMED, "Authorization header requires 'Credential' parameter. ");
	expect(WITH_AUTH("AWS4-HMAC-SHA256"), false, NOW, SIGV4_MALFORMED, "Authorization header requires 'Credential' parameter. ");
	expect(WITH_AUTH("AWS4-HMAC-SHA256 Credential=" CREDENTIAL ", SignedHeaders=host;x-amz-date"), false, NOW, SIGV4_MALFORMED,
	       "Authorization header requires 'Signature' parameter. (Hashed");
	expect(WITH_AUTH("AWS4-HMAC-SHA256 Credential=" CREDENTIAL ", SignedHeaders=host;x-amz-date"), true, NOW, SIGV4_MALFORMED,
	       "The authorization header is malformed; the authorization header requires three components: Credential, SignedHeaders, and "
	       "Signature.");
	expect(WITH_AUTH("AWS4-HMAC-SHA256 Credential= A/B, x, Signature=1"), false, NOW, SIGV4_MALFORMED,
	       "Invalid key=value pair (missing equal-sign) in Authorization header");
	expect(WITH_AUTH(GOOD_AUTH ", Signature=" SIG64), false, NOW, SIGV4_MALFORMED,
	       "Authorization header has 'Signature' more than once");
	expect(WITH_AUTH(GOOD_AUTH ", Else=1"), false, NOW, SIGV4_MALFORMED, "Authorization header has 'Else'");
	expect("GET / HTTP/1.1\r\n" HOST "Authorization: " GOOD_AUTH "\r\n\r\n", false, NOW, SIGV4_MALFORMED,
	       "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ");
	expect("GET / HTTP/1.1\r\n" HOST "Authorization: " GOOD_AUTH "\r\n\r\n", true, NOW, SIGV4_MALFORMED,
	       "AWS authentication requires a valid Date or x-amz-date header");
	expect("GET / HTTP/1.1\r\n" HOST "X-Amz-Date: 2015-08-30T12:36:00Z\r\nAuthorization: " GOOD_AUTH "\r\n\r\n", false, NOW,
	       SIGV4_MALFORMED, "Date must be in ISO-8601 'basic format'. Got '2015-08-30T12:36:00Z'.");
	expect("GET / HTTP/1.1\r\n" HOST "Date: 99999999999999\r\nAuthorization: " GOOD_AUTH "\r\n\r\n", false, NOW, SIGV4_MALFORMED,
	       "Date must");
	expect("GET / HTTP/1.1\r\n" HOST "Date: yesterday\r\nAuthorization: " GOOD_AUTH "\r\n\r\n", false, NOW, SIGV4_MALFORMED,
	       "Date must");
}

static void test_other_versions(void **state)
{
	static const char v2[] = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.";

	expect(WITH_AUTH("AWS AKIDEXAMPLE:frJIUN8DYpKDtOLCwo//yllqDzg="), true, NOW, SIGV4_MALFORMED, v2);
	expect("GET /?AWSAccessKeyId=AKID&Expires=1&Signature=abc HTTP/1.1\r\n" HOST "\r\n", true, NOW, SIGV4_MALFORMED, v2);
	expect(WITH_AUTH("AWS4-ECDSA-P256-SHA256 Credential=AKID/20150830/s3/aws4_request, SignedHeaders=host, Signature=30"), true, NOW,
	       SIGV4_MALFORMED, "Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256'.");
	expect("GET /?X-Amz-Algorithm=AWS4-ECDSA-P256-SHA256&X-Amz-Credential=A HTTP/1.1\r\n" HOST "\r\n", true, NOW, SIGV4_MALFORMED,
	       "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"");
}

static void test_two_signatures(void **state)
{
	static const char only_one[] = "Only one auth mechanism allowed;";

	expect("GET / HTTP/1.1\r\n" HOST DATE "Authorization: " GOOD_AUTH "\r\nAuthorization: " GOOD_AUTH "\r\n\r\n", false, NOW,
	       SIGV4_MALFORMED, only_one);
	expect("GET /?X-Amz-Signature=" SIG64 " HTTP/1.1\r\n" HOST DATE "Authorization: " GOOD_AUTH "\r\n\r\n", false, NOW, SIGV4_MALFORMED,
	       only_one);
	expect("GET /?X-Amz%2DSignature=" SIG64 " HTTP/1.1\r\n" HOST DATE "Authorization: " GOOD_AUTH "\r\n\r\n", false, NOW,
	       SIGV4_MALFORMED, only_one);
	expect("GET / HTTP/1.1\r\n" HOST DATE DATE "Authorization: " GOOD_AUTH "\r\n\r\n", false, NOW, SIGV4_MALFORMED,
	       "The header x-amz-date is there more than once.");
	expect("GET / HTTP/1.1\r\n" HOST HOST DATE "Authorization: " GOOD_AUTH "\r\n\r\n", false, NOW, SIGV4_MALFORMED,
	       "The header host is there more than once.");
}

#define CRED(c) WITH_AUTH("AWS4-HMAC-SHA256 Credential=" c ", SignedHeaders=host;x-amz-date, Signature=" SIG64)

static void test_scope(void **state)
{
	expect(CRED("AKIDEXAMPLE/20150830/us-east-1/aws4_request"), false, NOW, SIGV4_MALFORMED,
	       "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got "
	       "'AKIDEXAMPLE/20150830/us-east-1/aws4_request'");
	expect(CRED("A/B/20150830/us-east-1/service/aws4_request"), false, NOW, SIGV4_MALFORMED, "Credential must have exactly 5");
	expect(CRED("/20150830/us-east-1/service/aws4_request"), false, NOW, SIGV4_MALFORMED, "Credential must have exactly 5");
	expect(CRED("A/20150830/us-east-1/aws4_request"), true, NOW, SIGV4_MALFORMED,
	       "The authorization header is malformed; the Credential is mal-formed; expecting "
	       "\"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".");
	expect(CRED("A/2015083/us-east-1/s3/aws4_request"), true, NOW, SIGV4_MALFORMED,
	       "The authorization header is malformed; incorrect date format \"2015083\".");
	expect(CRED("A/20150830/us-east-1/service/aws5_request"), false, NOW, SIGV4_BAD_SCOPE,
	       "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5_request'.");
	expect(CRED("A/20150830/eu-west-1/service/aws4_request"), false, NOW, SIGV4_BAD_SCOPE,
	       "Credential should be scoped to a valid region.");
	expect("GET / HTTP/1.1\r\n" HOST DATE "x-amz-content-sha256: " EMPTY
	       "\r\nAuthorization: AWS4-HMAC-SHA256 Credential=A/20150830/eu-west-1/s3/aws4_request, SignedHeaders=host, Signature=" SIG64
	       "\r\n\r\n",
	       true, NOW, SIGV4_BAD_SCOPE, "The authorization header is malformed; the region 'eu-west-1' is wrong; expecting 'us-east-1'");
	expect(CRED("A/20150830/us-east-1/other/aws4_request"), false, NOW, SIGV4_BAD_SCOPE,
	       "Credential should be scoped to correct service");
	expect(CRED("A/20150829/us-east-1/service/aws4_request"), false, NOW, SIGV4_BAD_SCOPE,
	       "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20150829' != '20150830', from "
	       "'20150830T123600Z'.");
	expect(CRED("A/20150830/us east/service/aws4_request"), false, NOW, SIGV4_BAD_SCOPE,
	       "Credential should be scoped to a valid region.");
	expect(CRED("A/20150830/us-east-1/SERVICE\xff/aws4_request"), false, NOW, SIGV4_BAD_SCOPE,
	       "Credential should be scoped to correct service");
}

static void test_time(void **state)
{
	int64_t edge = 15 * 60 * 1000;

	expect(WITH_AUTH(GOOD_AUTH), false, NOW + edge, SIGV4_OK, "");
	expect(WITH_AUTH(GOOD_AUTH), false, NOW - edge, SIGV4_OK, "");
	expect(WITH_AUTH(GOOD_AUTH), false, NOW + edge + 1000, SIGV4_EXPIRED,
	       "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T125101Z - 15 min.)");
	expect(WITH_AUTH(GOOD_AUTH), false, NOW - edge - 1000, SIGV4_NOT_YET,
	       "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T122059Z + 15 min.)");
	expect("GET / HTTP/1.1\r\n" HOST DATE "x-amz-content-sha256: " EMPTY "\r\nAuthorization: " GOOD_AUTH "\r\n\r\n", true,
	       NOW + edge + 1000, SIGV4_SKEWED, "The difference between the request time and the current time is too large.");
	expect("GET / HTTP/1.1\r\n" HOST DATE "x-amz-content-sha256: " EMPTY "\r\nAuthorization: " GOOD_AUTH "\r\n\r\n", true,
	       NOW - edge - 1000, SIGV4_SKEWED, "The difference between the request time and the current time is too large.");
}

static void test_unsigned_headers(void **state)
{
	expect("GET / HTTP/1.1\r\n" HOST DATE "x-amz-target: IAM.DeleteUser\r\nAuthorization: " GOOD_AUTH "\r\n\r\n", false, NOW,
	       SIGV4_UNSIGNED_HEADER, "There were headers present in the request which were not signed");
	expect("GET / HTTP/1.1\r\n" HOST DATE "X-AMZ-Security-Token: abc\r\nAuthorization: " GOOD_AUTH "\r\n\r\n", false, NOW,
	       SIGV4_UNSIGNED_HEADER, "There were headers present in the request which were not signed");
	expect(WITH_AUTH("AWS4-HMAC-SHA256 Credential=" CREDENTIAL ", SignedHeaders=x-amz-date, Signature=" SIG64), false, NOW,
	       SIGV4_UNSIGNED_HEADER, "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");
	/* one spelling of the list only */
	expect(WITH_AUTH("AWS4-HMAC-SHA256 Credential=" CREDENTIAL ", SignedHeaders=Host;x-amz-date, Signature=" SIG64), false, NOW,
	       SIGV4_MALFORMED, "'SignedHeaders' must list");
	expect(WITH_AUTH("AWS4-HMAC-SHA256 Credential=" CREDENTIAL ", SignedHeaders=x-amz-date;host, Signature=" SIG64), false, NOW,
	       SIGV4_MALFORMED, "'SignedHeaders' must list");
	expect(WITH_AUTH("AWS4-HMAC-SHA256 Credential=" CREDENTIAL ", SignedHeaders=host;host;x-amz-date, Signature=" SIG64), false, NOW,
	       SIGV4_MALFORMED, "'SignedHeaders' must list");
	expect(WITH_AUTH("AWS4-HMAC-SHA256 Credential=" CREDENTIAL ", SignedHeaders=;host, Signature=" SIG64), false, NOW, SIGV4_MALFORMED,
	       "'SignedHeaders' must list");
	/* headers not from AWS may be left unsigned */
	expect("GET / HTTP/1.1\r\n" HOST DATE "User-Agent: x\r\nAuthorization: " GOOD_AUTH "\r\n\r\n", false, NOW, SIGV4_OK, "");
}

static void test_mismatch(void **state)
{
	static const char sentence[] = "The request signature we calculated does not match the signature you provided.";

	expect("PUT / HTTP/1.1\r\n" HOST DATE "Authorization: " GOOD_AUTH "\r\n\r\n", false, NOW, SIGV4_MISMATCH, sentence);
	expect("GET /a HTTP/1.1\r\n" HOST DATE "Authorization: " GOOD_AUTH "\r\n\r\n", false, NOW, SIGV4_MISMATCH, sentence);
	expect("GET /%2e HTTP/1.1\r\n" HOST DATE "Authorization: " GOOD_AUTH "\r\n\r\n", false, NOW, SIGV4_MISMATCH, sentence);
	expect("GET /?a HTTP/1.1\r\n" HOST DATE "Authorization: " GOOD_AUTH "\r\n\r\n", false, NOW, SIGV4_MISMATCH, sentence);
	expect("GET / HTTP/1.1\r\nHost: evil.example\r\n" DATE "Authorization: " GOOD_AUTH "\r\n\r\n", false, NOW, SIGV4_MISMATCH,
	       sentence);
	expect("GET / HTTP/1.1\r\n" HOST DATE "Authorization: " GOOD_AUTH "\r\n\r\nbody", false, NOW, SIGV4_MISMATCH, sentence);
	expect("GET / HTTP/1.1\r\n" HOST "X-Amz-Date: 20150830T123601Z\r\nAuthorization: " GOOD_AUTH "\r\n\r\n", false, NOW, SIGV4_MISMATCH,
	       sentence);
	expect(WITH_AUTH("AWS4-HMAC-SHA256 Credential=" CREDENTIAL ", SignedHeaders=host;x-amz-date, Signature=abc"), false, NOW,
	       SIGV4_MISMATCH, sentence);
	expect(WITH_AUTH("AWS4-HMAC-SHA256 Credential=" CREDENTIAL
			 ", SignedHeaders=host;x-amz-date, Signature=5FA00FA31553B73EBF1942676E86291E8372FF2A2260956D9B8AAE1D763FBF31"),
	       false, NOW, SIGV4_MISMATCH, sentence);
}

static void test_secrets(void **state)
{
	static char longest[SIGV4_SECRET_MAX + 1];
	struct str wrong[] = { S("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEX"), S(""), STR_NONE, str_of(longest, sizeof longest) };
	size_t i, round;

	memset(longest, 'x', sizeof longest);
	for (round = 0; round < 3; round++) /* with the right key's derivation remembered in between */
		for (i = 0; i < ELEMENTS(wrong); i++) {
			struct http_request r;
			struct sigv4 s;

			expect(WITH_AUTH(GOOD_AUTH), false, NOW, SIGV4_OK, "");
			assert_true(raw_request(&r, S(WITH_AUTH(GOOD_AUTH))));
			assert_int_equal(sigv4_read(&r, false, &s), SIGV4_OK);
			assert_int_equal(sigv4_check(&r, &s, false, wrong[i], S("us-east-1"), services, r.body, NOW), SIGV4_MISMATCH);
			arena_done(&r.arena);
		}
}

/* Signs with the headers given, as a holder of the secret would, and returns the whole request. */
static struct str sign(struct arena *a, const char *service, const char *head, struct str payload_hash, const char *body)
{
	struct http_request r;
	struct str auth;

	assert_true(raw_request(&r, str_printf(a, "%s\r\n", head)));
	auth = sigv4_sign(a, S("AKIDEXAMPLE"), S(SECRET), S("us-east-1"), str_c(service), r.method, r.path, r.query, r.headers, r.n_headers,
			  payload_hash, S("20150830T123600Z"));
	arena_done(&r.arena);
	return str_printf(a, "%sAuthorization: %.*s\r\n\r\n%s", head, STR(auth), body);
}

static void test_body(void **state)
{
	struct arena a = { 0 };
	struct str hash = S("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"); /* "hello" */
	const char *claims = "POST / HTTP/1.1\r\n" HOST DATE
			     "x-amz-content-sha256: 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\r\n";
	const char *unsigned_body = "POST / HTTP/1.1\r\n" HOST DATE "x-amz-content-sha256: UNSIGNED-PAYLOAD\r\n";

	expect(sign(&a, "s3", claims, hash, "hello").p, true, NOW, SIGV4_OK, "");
	expect(sign(&a, "s3", claims, hash, "hellO").p, true, NOW, SIGV4_BAD_DIGEST,
	       "The provided 'x-amz-content-sha256' header does not match what was computed.");
	expect(sign(&a, "s3", claims, hash, "").p, true, NOW, SIGV4_BAD_DIGEST, "The provided");
	expect(sign(&a, "service", claims, hash, "hello").p, false, NOW, SIGV4_OK, "");
	expect(sign(&a, "service", claims, hash, "hellO").p, false, NOW, SIGV4_BAD_DIGEST, "The provided");
	expect(sign(&a, "service", "POST / HTTP/1.1\r\n" HOST DATE, hash, "hello").p, false, NOW, SIGV4_OK, "");
	expect(sign(&a, "service", "POST / HTTP/1.1\r\n" HOST DATE, hash, "hello!").p, false, NOW, SIGV4_MISMATCH, "The request signature");
	/* only S3 takes bodies that nobody vouches for */
	expect(sign(&a, "s3", unsigned_body, S("UNSIGNED-PAYLOAD"), "anything").p, true, NOW, SIGV4_OK, "");
	expect(sign(&a, "service", unsigned_body, S("UNSIGNED-PAYLOAD"), "anything").p, false, NOW, SIGV4_MISMATCH,
	       "The request signature");
	expect(sign(&a, "s3", "POST / HTTP/1.1\r\n" HOST DATE, hash, "hello").p, true, NOW, SIGV4_MALFORMED,
	       "Missing required header for this request: x-amz-content-sha256");
	expect(sign(&a, "s3", "POST / HTTP/1.1\r\n" HOST DATE "x-amz-content-sha256: 2CF2\r\n", hash, "hello").p, true, NOW,
	       SIGV4_MALFORMED, "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER,");
	expect(sign(&a, "s3", "POST / HTTP/1.1\r\n" HOST DATE "x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\r\n",
		    S("STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), "")
		       .p,
	       true, NOW, SIGV4_MALFORMED, "You must provide the Content-Length HTTP header.");
	expect(sign(&a, "s3",
		    "POST / HTTP/1.1\r\n" HOST DATE
		    "x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\r\nx-amz-decoded-content-length: -1\r\n",
		    S("STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), "")
		       .p,
	       true, NOW, SIGV4_MALFORMED, "x-amz-decoded-content-length must be a number.");
	arena_done(&a);
}

/* What routing may not be fooled by: the path sent is not the path signed. */
static void test_path(void **state)
{
	struct arena a = { 0 };
	struct http_request r;
	struct sigv4 s;
	struct str good = sign(&a, "service", "GET /functions/b HTTP/1.1\r\n" HOST DATE, S(EMPTY), "");
	struct str dots = str_replace(&a, good, S("/functions/b"), S("/functions/a/../b"));
	struct str lambda = sign(&a, "s3", "GET /functions/b HTTP/1.1\r\n" HOST DATE "x-amz-content-sha256: " EMPTY "\r\n", S(EMPTY), "");

	assert_int_equal(judge_at(&r, good, false, "us-east-1", NOW, &s), SIGV4_OK);
	assert_false(s.path_normalized);
	arena_done(&r.arena);
	assert_int_equal(judge_at(&r, dots, false, "us-east-1", NOW, &s), SIGV4_OK);
	assert_true(s.path_normalized);
	arena_done(&r.arena);
	expect(lambda.p, true, NOW, SIGV4_OK, "");
	expect(str_replace(&a, lambda, S("/functions/b"), S("/functions/a/../b")).p, true, NOW, SIGV4_MISMATCH, "The request signature");
	expect(str_replace(&a, lambda, S("/functions/b"), S("/functions//b")).p, true, NOW, SIGV4_MISMATCH, "The request signature");
	sigv4_wipe(&s);
	arena_done(&a);
}

#define PRESIGNED(algorithm, credential, date, expires, headers, signature)                                                                \
	"GET /test.txt?X-Amz-Algorithm=" algorithm "&X-Amz-Credential=" credential "&X-Amz-Date=" date expires                             \
	"&X-Amz-SignedHeaders=" headers "&X-Amz-Signature=" signature " HTTP/1.1\r\n" HOST "\r\n"
#define P_CRED "AKID%2F20150830%2Fus-east-1%2Fs3%2Faws4_request"
#define P_EXPIRES(e) PRESIGNED("AWS4-HMAC-SHA256", P_CRED, "20150830T123600Z", e, "host", SIG64)

static void test_presigned(void **state)
{
	static const char incomplete[] =
		"Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, "
		"X-Amz-SignedHeaders, and X-Amz-Expires parameters.";

	expect(P_EXPIRES("&X-Amz-Expires=60"), true, NOW, SIGV4_MISMATCH, "The request signature");
	expect(P_EXPIRES("&X-Amz-Expires=60"), true, NOW + 61000, SIGV4_EXPIRED, "Request has expired");
	expect(P_EXPIRES("&X-Amz-Expires=604800"), true, NOW + 604800 * 1000ll, SIGV4_MISMATCH, "");
	expect(P_EXPIRES("&X-Amz-Expires=604800"), true, NOW + 604801 * 1000ll, SIGV4_EXPIRED, "Request has expired");
	expect(P_EXPIRES("&X-Amz-Expires=60"), true, NOW - 901000, SIGV4_NOT_YET, "Request is not yet valid");
	expect(P_EXPIRES("&X-Amz-Expires=604801"), true, NOW, SIGV4_MALFORMED, "X-Amz-Expires must be less than a week (in seconds)");
	expect(P_EXPIRES("&X-Amz-Expires=99999999999999999999"), true, NOW, SIGV4_MALFORMED, "X-Amz-Expires must be less than a week");
	expect(P_EXPIRES("&X-Amz-Expires=-1"), true, NOW, SIGV4_MALFORMED, "X-Amz-Expires must be non-negative");
	expect(P_EXPIRES("&X-Amz-Expires=0"), true, NOW, SIGV4_MALFORMED, "X-Amz-Expires must be at least 1 second");
	expect(P_EXPIRES("&X-Amz-Expires=1h"), true, NOW, SIGV4_MALFORMED, "X-Amz-Expires should be a number");
	expect(P_EXPIRES("&X-Amz-Expires="), true, NOW, SIGV4_MALFORMED, "X-Amz-Expires should be a number");
	expect(P_EXPIRES(""), true, NOW, SIGV4_MALFORMED, incomplete);
	expect(P_EXPIRES("&X-Amz-Expires=60&X-Amz-Expires=600"), true, NOW, SIGV4_MALFORMED,
	       "A query-string authentication parameter is there more than once.");
	expect(P_EXPIRES("&X-Amz-Expires=60&X-Amz-Dat%65=20150830T123600Z"), true, NOW, SIGV4_MALFORMED,
	       "A query-string authentication parameter is there more than once.");
	expect(PRESIGNED("AWS4-HMAC-SHA256", "A%2", "20150830T123600Z", "", "host", SIG64), true, NOW, SIGV4_MALFORMED,
	       "A query-string authentication parameter is not URL-encoded.");
	expect("GET /?X-Amz-Signature=" SIG64 " HTTP/1.1\r\n" HOST "\r\n", true, NOW, SIGV4_MALFORMED, incomplete);
	expect("GET /?X-Amz-Signature=" SIG64 " HTTP/1.1\r\n" HOST "\r\n", false, NOW, SIGV4_MALFORMED,
	       "AWS query-string parameters must include 'X-Amz-Algorithm'. AWS query-string parameters must include 'X-Amz-Credential'. ");
	expect(PRESIGNED("AWS4-HMAC-SHA256", P_CRED, "2015-08-30", "&X-Amz-Expires=60", "host", SIG64), true, NOW, SIGV4_MALFORMED,
	       "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"");
	expect(PRESIGNED("AWS4-HMAC-SHA256", "AKID%2F20150830%2Feu-west-1%2Fs3%2Faws4_request", "20150830T123600Z", "&X-Amz-Expires=60",
			 "host", SIG64),
	       true, NOW, SIGV4_BAD_SCOPE,
	       "Error parsing the X-Amz-Credential parameter; the region 'eu-west-1' is wrong; expecting 'us-east-1'");
	expect(PRESIGNED("AWS4-HMAC-SHA256", P_CRED, "20150830T123600Z", "&X-Amz-Expires=60", "x-amz-date", SIG64), true, NOW,
	       SIGV4_UNSIGNED_HEADER, "There were headers present in the request which were not signed");
	/* STS keeps 15 minutes whatever the URL says */
	expect(PRESIGNED("AWS4-HMAC-SHA256", "AKID%2F20150830%2Fus-east-1%2Fsts%2Faws4_request", "20150830T123600Z", "&X-Amz-Expires=60",
			 "host", SIG64),
	       false, NOW + 899000, SIGV4_MISMATCH, "");
	expect(PRESIGNED("AWS4-HMAC-SHA256", "AKID%2F20150830%2Fus-east-1%2Fsts%2Faws4_request", "20150830T123600Z",
			 "&X-Amz-Expires=604800", "host", SIG64),
	       false, NOW + 901000, SIGV4_EXPIRED,
	       "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T125101Z - 15 min.)");
}

/* S3 answers each with a code of its own. */
static void test_s3_codes(void **state)
{
	static const struct {
		const char *text, *code;
	} cases[] = {
		{ WITH_AUTH("AWS AKID:sig"), "InvalidRequest" },
		{ WITH_AUTH("AWS4-HMAC-SHA256 x=1"), "AuthorizationHeaderMalformed" },
		{ WITH_AUTH(GOOD_AUTH), "InvalidRequest" },                                           /* no x-amz-content-sha256 */
		{ "GET / HTTP/1.1\r\n" HOST "Authorization: " GOOD_AUTH "\r\n\r\n", "AccessDenied" }, /* no date */
		{ "GET / HTTP/1.1\r\n" HOST DATE "x-amz-content-sha256: x\r\nAuthorization: " GOOD_AUTH "\r\n\r\n", "InvalidArgument" },
		{ "GET / HTTP/1.1\r\n" HOST DATE "x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\nAuthorization: " GOOD_AUTH
		  "\r\n\r\n",
		  "MissingContentLength" },
		{ "GET /?X-Amz-Signature=1 HTTP/1.1\r\n" HOST DATE "Authorization: " GOOD_AUTH "\r\n\r\n", "InvalidArgument" },
		{ "GET / HTTP/1.1\r\n" HOST DATE "x-amz-content-sha256: " EMPTY "\r\nAuthorization: " GOOD_AUTH "\r\n\r\n",
		  "AccessDenied" },
		{ "GET /?X-Amz-Signature=1 HTTP/1.1\r\n" HOST "\r\n", "AuthorizationQueryParametersError" },
		{ P_EXPIRES("&X-Amz-Expires=60"), "SignatureDoesNotMatch" },
	};
	size_t i;

	for (i = 0; i < ELEMENTS(cases); i++) {
		struct http_request r;
		struct sigv4 s;
		enum sigv4_fault f = judge_at(&r, str_c(cases[i].text), true, "us-east-1", NOW, &s);

		assert_int_not_equal(f, SIGV4_OK);
		assert_string_equal(s.s3_code, cases[i].code);
		arena_done(&r.arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header_parsing), cmocka_unit_test(test_other_versions), cmocka_unit_test(test_two_signatures),
		cmocka_unit_test(test_scope),          cmocka_unit_test(test_time),           cmocka_unit_test(test_unsigned_headers),
		cmocka_unit_test(test_mismatch),       cmocka_unit_test(test_secrets),        cmocka_unit_test(test_body),
		cmocka_unit_test(test_path),           cmocka_unit_test(test_presigned),      cmocka_unit_test(test_s3_codes),
	};

	return cmocka_run_group_tests_name("attacks", tests, NULL, NULL);
}
