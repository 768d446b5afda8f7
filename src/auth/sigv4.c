/* SPDX-License-Identifier: Apache-2.0 */
/* sigv4.c - reads what a request claims about its signature, without any secret; and signs, for our own clients.
 *
 * Two places can hold a signature: the Authorization header and the query string. Reading is strict: one place, each
 * parameter once, and every header the signature depends on at most once. */
#include "auth/sigv4.h"
#include "auth/canon.h"
#include "auth/fault.h"
#include "auth/sigkey.h"
#include "base/arena.h"
#include "base/util.h"
#include <assert.h>
#include <errno.h>

#define ALGORITHM "AWS4-HMAC-SHA256"
#define SIGV4_DEFAULT_EXPIRES_S 900 /* presigned without X-Amz-Expires; S3 wants it */
#define SIGV4_TOKEN_MAX 16384
#define SIGV4_SCOPE_NAME_MAX 64

enum { P_ALGORITHM, P_CREDENTIAL, P_DATE, P_EXPIRES, P_SIGNED_HEADERS, P_SIGNATURE, P_TOKEN, P_SHA256, P_N };
static const char *const param_names[P_N] = { "X-Amz-Algorithm",     "X-Amz-Credential", "X-Amz-Date",           "X-Amz-Expires",
					      "X-Amz-SignedHeaders", "X-Amz-Signature",  "X-Amz-Security-Token", "X-Amz-Content-Sha256" };
enum { H_AUTHORIZATION, H_AMZ_DATE, H_DATE, H_SHA256, H_TOKEN, H_DECODED_LENGTH, H_TRAILER, H_HOST, H_N };
static const char *const head_names[H_N] = {
	"authorization", "x-amz-date", "date", "x-amz-content-sha256", "x-amz-security-token", "x-amz-decoded-content-length",
	"x-amz-trailer", "host"
};
struct heads {             /* the headers a signature depends on, taken in one pass */
	struct str v[H_N]; /* the first of the name */
	size_t n[H_N];
};
struct params {
	struct str v[P_N]; /* decoded */
	bool twice, bad_escape, v2;
};

enum sigv4_fault sigv4_refuse(struct http_request *r, struct sigv4 *s, enum sigv4_fault f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	s->fault_detail = str_vprintf(&r->arena, fmt, ap);
	va_end(ap);
	return f;
}

void sigv4_s3_code(struct sigv4 *s, enum sigv4_fault f)
{
	static const char *const codes[] = {
		[SIGV4_MALFORMED] = "AuthorizationHeaderMalformed",
		[SIGV4_BAD_SCOPE] = "AuthorizationHeaderMalformed",
		[SIGV4_EXPIRED] = "AccessDenied",
		[SIGV4_NOT_YET] = "AccessDenied",
		[SIGV4_SKEWED] = "RequestTimeTooSkewed",
		[SIGV4_UNSIGNED_HEADER] = "AccessDenied",
		[SIGV4_MISMATCH] = "SignatureDoesNotMatch",
		[SIGV4_BAD_DIGEST] = "XAmzContentSHA256Mismatch",
	};

	if (s->s3_code)
		return;
	s->s3_code = s->presigned && (f == SIGV4_MALFORMED || f == SIGV4_BAD_SCOPE) ? "AuthorizationQueryParametersError" : codes[f];
}

/* For requests S3 answers with another code than that of a malformed authorization. */
static enum sigv4_fault refuse_as(struct sigv4 *s, const char *s3_code, struct str sentence)
{
	s->s3_code = s3_code;
	s->fault_detail = sentence;
	return SIGV4_MALFORMED;
}

static enum sigv4_fault refuse_version(struct sigv4 *s)
{
	return refuse_as(s, "InvalidRequest",
			 S("The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."));
}

static enum sigv4_fault refuse_s3_date(struct sigv4 *s)
{
	return refuse_as(s, "AccessDenied", S("AWS authentication requires a valid Date or x-amz-date header"));
}

struct str sigv4_quote(struct arena *a, struct str s)
{
	size_t n = s.n < SIGV4_DETAIL_QUOTE_MAX ? s.n : SIGV4_DETAIL_QUOTE_MAX, i;
	char *p = arena_alloc(a, n + 1);

	for (i = 0; i < n; i++)
		p[i] = s.p[i] >= ' ' && s.p[i] <= '~' ? s.p[i] : '?';
	return str_of(p, n);
}

/* Texts of the Authorization header can be bearer tokens; AWS shows their hash. */
static struct str quote_hashed(struct arena *a, struct str s)
{
	uint8_t hash[32];

	hash_sha256(s.p, s.n, hash);
	return base64_encode(a, str_of((const char *)hash, sizeof hash));
}

static void heads_take(const struct http_request *r, struct heads *ret)
{
	static const uint8_t length[H_N] = { 13, 10, 4, 20, 20, 28, 13, 4 };
	size_t i, k;

	*ret = (struct heads){ 0 };
	for (i = 0; i < r->n_headers; i++)
		for (k = 0; k < H_N; k++)
			if (r->headers[i].name.n == length[k] && str_eq_ci(r->headers[i].name, str_of(head_names[k], length[k]))) {
				if (ret->n[k]++ == 0)
					ret->v[k] = r->headers[i].value;
				break;
			}
}

static void params_take(struct http_request *r, struct params *ret)
{
	struct str rest = r->query, field, name, value;
	bool v2_key = false, v2_signature = false;
	size_t i;

	*ret = (struct params){ 0 };
	while (rest.p && str_next(&rest, '&', &field)) {
		if (!str_cut(field, '=', &name, &value))
			value = S("");
		if (str_find_char(name, '%') >= 0 && uri_decode(&r->arena, name, true, &name) < 0)
			continue;
		v2_key = v2_key || str_is(name, "AWSAccessKeyId");
		v2_signature = v2_signature || str_is(name, "Signature");
		if (!str_starts(name, S("X-Amz-")))
			continue;
		for (i = 0; i < P_N; i++)
			if (str_is(name, param_names[i])) {
				ret->twice = ret->twice || ret->v[i].p;
				if (uri_decode(&r->arena, value, true, &ret->v[i]) < 0) {
					ret->v[i] = value;
					ret->bad_escape = true;
				}
				break;
			}
	}
	ret->v2 = v2_key && v2_signature;
}

enum { DIGIT = 1, HEX = 2, NAME = 4 };
static const uint8_t classes[256] = {
	['0' ... '9'] = DIGIT | HEX | NAME,
	['a' ... 'f'] = HEX | NAME,
	['g' ... 'z'] = NAME,
	['A' ... 'Z'] = NAME,
	['-'] = NAME,
	['_'] = NAME,
	['.'] = NAME,
};

static bool all_of(struct str s, uint8_t class)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (!(classes[(uint8_t)s.p[i]] & class))
			return false;
	return true;
}

static bool name_ok(struct str s)
{
	return s.n >= 1 && s.n <= SIGV4_SCOPE_NAME_MAX && all_of(s, NAME);
}

static bool hash_ok(struct str s)
{
	return s.n == 64 && all_of(s, HEX);
}

static const char *s3_place(const struct sigv4 *s)
{
	return s->presigned ? "Error parsing the X-Amz-Credential parameter;" : "The authorization header is malformed;";
}

/* Credential=AKID/20260102/us-east-1/service/aws4_request */
static enum sigv4_fault read_credential(struct http_request *r, bool is_s3, struct str credential, struct sigv4 *s)
{
	struct str rest = credential, part[6], quoted;
	size_t n = 0;

	while (n < ELEMENTS(part) && str_next(&rest, '/', &part[n]))
		n++;
	if (n != 5 || rest.p || part[0].n == 0 || part[0].n > SIGV4_KEY_ID_MAX) {
		if (is_s3)
			return sigv4_refuse(
				r, s, SIGV4_MALFORMED,
				"%s the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".",
				s3_place(s));
		quoted = sigv4_quote(&r->arena, credential);
		return sigv4_refuse(
			r, s, SIGV4_MALFORMED,
			"Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '%.*s'",
			STR(quoted));
	}
	s->key_id = part[0];
	s->date = part[1];
	s->region = part[2];
	s->service = part[3];
	quoted = sigv4_quote(&r->arena, part[4]);
	if (s->date.n != 8 || !all_of(s->date, DIGIT)) {
		struct str date = sigv4_quote(&r->arena, s->date);

		if (is_s3)
			return sigv4_refuse(
				r, s, SIGV4_MALFORMED,
				"%s incorrect date format \"%.*s\". This date in the credential must be in the format \"yyyyMMdd\".",
				s3_place(s), STR(date));
		return sigv4_refuse(r, s, SIGV4_BAD_SCOPE,
				    "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%.*s'.",
				    STR(date));
	}
	if (!str_is(part[4], "aws4_request")) {
		if (is_s3)
			return sigv4_refuse(r, s, SIGV4_BAD_SCOPE, "%s incorrect terminal \"%.*s\". This endpoint uses \"aws4_request\".",
					    s3_place(s), STR(quoted));
		return sigv4_refuse(r, s, SIGV4_BAD_SCOPE,
				    "Credential should be scoped with a valid terminator: 'aws4_request', not '%.*s'.", STR(quoted));
	}
	if (!name_ok(s->region))
		return sigv4_refuse(r, s, SIGV4_BAD_SCOPE, "Credential should be scoped to a valid region.");
	if (!name_ok(s->service))
		return sigv4_refuse(r, s, SIGV4_BAD_SCOPE, "Credential should be scoped to correct service.");
	return SIGV4_OK;
}

/* Lower case, ascending, each once: then the list has one spelling only. */
static enum sigv4_fault read_signed_headers(struct http_request *r, struct sigv4 *s)
{
	struct str rest = s->signed_headers, name, before = S("");
	size_t n = 0, i;
	bool good = s->signed_headers.n > 0;

	while (good && str_next(&rest, ';', &name)) {
		good = name.n > 0 && ++n <= HTTP_HEADERS_MAX && str_cmp(before, name) < 0;
		for (i = 0; good && i < name.n; i++)
			good = name.p[i] > ' ' && name.p[i] < 127 && !(name.p[i] >= 'A' && name.p[i] <= 'Z') && name.p[i] != ':';
		before = name;
	}
	if (!good)
		return sigv4_refuse(r, s, SIGV4_MALFORMED,
				    "'SignedHeaders' must list lower-case header names in order, each once, joined with ';'.");
	return SIGV4_OK;
}

/* x-amz-date before Date, as AWS does. No date at all leaves s->amz_date absent. */
static enum sigv4_fault read_date(struct http_request *r, bool is_s3, struct str given, const struct heads *heads, struct sigv4 *s)
{
	struct str http_date = heads->v[H_DATE], quoted;

	if (!given.p) {
		if (!http_date.p || s->presigned)
			return SIGV4_OK;
		if (heads->n[H_DATE] == 1 && time_parse(http_date, &s->signed_ms) == 0)
			s->amz_date = time_basic(&r->arena, s->signed_ms);
		if (s->amz_date.n != 16) { /* no date, two, or one outside of the years 0 to 9999 */
			s->amz_date = STR_NONE;
			if (is_s3)
				return refuse_s3_date(s);
			quoted = sigv4_quote(&r->arena, http_date);
			return sigv4_refuse(r, s, SIGV4_MALFORMED, "Date must be in ISO-8601 'basic format'. Got '%.*s'.", STR(quoted));
		}
		return SIGV4_OK;
	}
	if (time_parse_basic(given, &s->signed_ms) < 0) {
		if (is_s3 && !s->presigned)
			return refuse_s3_date(s);
		if (is_s3)
			return sigv4_refuse(r, s, SIGV4_MALFORMED,
					    "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"");
		quoted = sigv4_quote(&r->arena, given);
		return sigv4_refuse(r, s, SIGV4_MALFORMED,
				    "Date must be in ISO-8601 'basic format'. Got '%.*s'. See http://en.wikipedia.org/wiki/ISO_8601",
				    STR(quoted));
	}
	s->amz_date = given;
	return SIGV4_OK;
}

struct auth_header {
	struct str credential, signed_headers, signature;
};

/* The fields after the algorithm. Everything but the three known fields, each once, is refused. */
static enum sigv4_fault split_header(struct http_request *r, struct str text, struct sigv4 *s, struct auth_header *h)
{
	struct str rest = text, field, key, value, quoted;
	struct str *to;

	while (str_next(&rest, ',', &field)) {
		field = str_trim(field);
		if (field.n == 0)
			continue;
		if (!str_cut(field, '=', &key, &value)) {
			quoted = quote_hashed(&r->arena, text);
			return sigv4_refuse(r, s, SIGV4_MALFORMED,
					    "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and "
					    "encoded with Base64): '%.*s'.",
					    STR(quoted));
		}
		to = str_is(key, "Credential")      ? &h->credential
		     : str_is(key, "SignedHeaders") ? &h->signed_headers
		     : str_is(key, "Signature")     ? &h->signature
						    : NULL;
		if (!to || to->p) {
			quoted = sigv4_quote(&r->arena, key);
			return sigv4_refuse(r, s, SIGV4_MALFORMED, "Authorization header has '%.*s' %s.", STR(quoted),
					    to ? "more than once" : "which is no parameter of " ALGORITHM);
		}
		*to = value;
	}
	return SIGV4_OK;
}

static enum sigv4_fault refuse_incomplete(struct http_request *r, bool is_s3, struct str text, struct sigv4 *s, const struct auth_header *h)
{
	struct str hash = quote_hashed(&r->arena, text);

	if (is_s3 && !s->amz_date.p)
		return refuse_s3_date(s);
	if (is_s3)
		return sigv4_refuse(
			r, s, SIGV4_MALFORMED,
			"The authorization header is malformed; the authorization header requires three components: Credential, "
			"SignedHeaders, and Signature.");
	return sigv4_refuse(r, s, SIGV4_MALFORMED, "%s%s%s%s(Hashed with SHA-256 and encoded with Base64) Authorization=%.*s",
			    h->credential.n ? "" : "Authorization header requires 'Credential' parameter. ",
			    h->signature.n ? "" : "Authorization header requires 'Signature' parameter. ",
			    h->signed_headers.n ? "" : "Authorization header requires 'SignedHeaders' parameter. ",
			    s->amz_date.p ? "" : "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ",
			    STR(hash));
}

static enum sigv4_fault read_header(struct http_request *r, bool is_s3, const struct heads *heads, struct sigv4 *s)
{
	struct auth_header h = { 0 };
	struct str text = heads->v[H_AUTHORIZATION], algorithm, fields, quoted;
	enum sigv4_fault f;

	if (!str_cut(text, ' ', &algorithm, &fields))
		fields = S("");
	if (str_is(algorithm, "AWS"))
		return refuse_version(s);
	if (str_starts(algorithm, S("AWS4-")) && !str_is(algorithm, ALGORITHM)) {
		quoted = sigv4_quote(&r->arena, algorithm);
		return sigv4_refuse(r, s, SIGV4_MALFORMED, "Unsupported AWS 'algorithm': '%.*s'. Please use AWS4-HMAC-SHA256.",
				    STR(quoted));
	}
	f = read_date(r, is_s3, heads->v[H_AMZ_DATE], heads, s);
	if (f != SIGV4_OK)
		return f;
	if (!str_is(algorithm, ALGORITHM))
		return refuse_incomplete(r, is_s3, text, s, &h);
	f = split_header(r, fields, s, &h);
	if (f != SIGV4_OK)
		return f;
	if (!h.credential.n || !h.signature.n || !h.signed_headers.n || !s->amz_date.p)
		return refuse_incomplete(r, is_s3, text, s, &h);
	s->signed_headers = h.signed_headers;
	s->signature = h.signature;
	return read_credential(r, is_s3, h.credential, s);
}

static enum sigv4_fault read_expires(struct http_request *r, bool is_s3, struct str text, struct sigv4 *s)
{
	int e;

	if (!text.p) {
		s->expires_s = SIGV4_DEFAULT_EXPIRES_S;
		return SIGV4_OK;
	}
	e = text.n && text.p[0] != '+' ? str_to_i64(text, &s->expires_s) : -EINVAL;
	if (e == -EINVAL)
		return sigv4_refuse(r, s, SIGV4_MALFORMED, "X-Amz-Expires should be a number");
	if (text.p[0] == '-')
		return sigv4_refuse(r, s, SIGV4_MALFORMED, "X-Amz-Expires must be non-negative");
	if (e < 0 || s->expires_s > SIGV4_PRESIGN_SECONDS_MAX)
		return sigv4_refuse(
			r, s, SIGV4_MALFORMED,
			"X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than "
			"604800 seconds");
	if (s->expires_s < 1)
		return sigv4_refuse(r, s, SIGV4_MALFORMED, "X-Amz-Expires must be at least 1 second");
	return SIGV4_OK;
}

static enum sigv4_fault refuse_params(struct http_request *r, bool is_s3, struct sigv4 *s, const struct params *q)
{
	if (is_s3)
		return sigv4_refuse(
			r, s, SIGV4_MALFORMED,
			"Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, "
			"X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.");
	return sigv4_refuse(r, s, SIGV4_MALFORMED, "%s%s%s%s%sRe-examine the query-string parameters.",
			    q->v[P_ALGORITHM].n ? "" : "AWS query-string parameters must include 'X-Amz-Algorithm'. ",
			    q->v[P_CREDENTIAL].n ? "" : "AWS query-string parameters must include 'X-Amz-Credential'. ",
			    q->v[P_SIGNATURE].n ? "" : "AWS query-string parameters must include 'X-Amz-Signature'. ",
			    q->v[P_SIGNED_HEADERS].n ? "" : "AWS query-string parameters must include 'X-Amz-SignedHeaders'. ",
			    q->v[P_DATE].n ? "" : "AWS query-string parameters must include 'X-Amz-Date'. ");
}

static enum sigv4_fault read_params(struct http_request *r, bool is_s3, const struct params *q, const struct heads *heads, struct sigv4 *s)
{
	enum sigv4_fault f;
	struct str quoted;

	s->presigned = true;
	if (q->twice || q->bad_escape)
		return sigv4_refuse(r, s, SIGV4_MALFORMED, "%s",
				    q->twice ? "A query-string authentication parameter is there more than once."
					     : "A query-string authentication parameter is not URL-encoded.");
	if (q->v[P_ALGORITHM].n && !str_is(q->v[P_ALGORITHM], ALGORITHM)) {
		if (is_s3)
			return sigv4_refuse(r, s, SIGV4_MALFORMED, "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"");
		quoted = sigv4_quote(&r->arena, q->v[P_ALGORITHM]);
		return sigv4_refuse(r, s, SIGV4_MALFORMED, "Unsupported AWS 'algorithm': '%.*s'. Please use AWS4-HMAC-SHA256.",
				    STR(quoted));
	}
	if (!q->v[P_ALGORITHM].n || !q->v[P_CREDENTIAL].n || !q->v[P_SIGNATURE].n || !q->v[P_DATE].n || !q->v[P_SIGNED_HEADERS].n ||
	    (is_s3 && !q->v[P_EXPIRES].p))
		return refuse_params(r, is_s3, s, q);
	f = read_date(r, is_s3, q->v[P_DATE], heads, s);
	if (f == SIGV4_OK)
		f = read_expires(r, is_s3, q->v[P_EXPIRES], s);
	if (f != SIGV4_OK)
		return f;
	s->signed_headers = q->v[P_SIGNED_HEADERS];
	s->signature = q->v[P_SIGNATURE];
	return read_credential(r, is_s3, q->v[P_CREDENTIAL], s);
}

/* Which text stands for the body in the canonical request; for services other than S3 it may be left to sigv4_check,
 * which has the body. */
static enum sigv4_fault read_payload(bool is_s3, const struct params *q, const struct heads *heads, struct sigv4 *s)
{
	static const struct {
		const char *text;
		enum sigv4_payload kind;
	} kinds[] = {
		{ "UNSIGNED-PAYLOAD", SIGV4_PAYLOAD_UNSIGNED },
		{ "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", SIGV4_PAYLOAD_CHUNKED },
		{ "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", SIGV4_PAYLOAD_CHUNKED_TRAILER },
		{ "STREAMING-UNSIGNED-PAYLOAD-TRAILER", SIGV4_PAYLOAD_UNSIGNED_TRAILER },
	};
	struct str h = heads->v[H_SHA256];
	size_t i;

	if (!h.p && s->presigned)
		h = q->v[P_SHA256];
	s->payload = SIGV4_PAYLOAD_HASH;
	if (h.p && hash_ok(h)) {
		s->payload_hash = h;
		return SIGV4_OK;
	}
	if (!is_s3)
		return SIGV4_OK;
	if (!h.p && s->presigned)
		h = S("UNSIGNED-PAYLOAD");
	if (!h.p)
		return refuse_as(s, "InvalidRequest", S("Missing required header for this request: x-amz-content-sha256"));
	for (i = 0; i < ELEMENTS(kinds); i++)
		if (str_is(h, kinds[i].text)) {
			s->payload = kinds[i].kind;
			s->payload_hash = h;
			return SIGV4_OK;
		}
	return refuse_as(s, "InvalidArgument",
			 S("x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
			   "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, or a valid sha256 value."));
}

static enum sigv4_fault read_streaming(const struct heads *heads, struct sigv4 *s)
{
	struct str length = heads->v[H_DECODED_LENGTH];

	s->trailer = heads->v[H_TRAILER];
	if (length.p && (length.n == 0 || !all_of(length, DIGIT) || str_to_i64(length, &s->decoded_length) < 0))
		return refuse_as(s, "InvalidArgument", S("x-amz-decoded-content-length must be a number."));
	if (s->payload != SIGV4_PAYLOAD_HASH && s->payload != SIGV4_PAYLOAD_UNSIGNED && !length.p)
		return refuse_as(s, "MissingContentLength", S("You must provide the Content-Length HTTP header."));
	return SIGV4_OK;
}

static enum sigv4_fault read_token(struct http_request *r, const struct params *q, const struct heads *heads, struct sigv4 *s)
{
	struct str header = heads->v[H_TOKEN];

	s->token = header;
	if (s->presigned && q->v[P_TOKEN].p) {
		if (header.p && !str_eq(header, q->v[P_TOKEN]))
			return sigv4_refuse(r, s, SIGV4_MALFORMED, "X-Amz-Security-Token differs between query string and header.");
		s->token = q->v[P_TOKEN];
	}
	if (s->token.n > SIGV4_TOKEN_MAX)
		return sigv4_refuse(r, s, SIGV4_MALFORMED, "X-Amz-Security-Token is too long.");
	return SIGV4_OK;
}

static enum sigv4_fault read_claims(struct http_request *r, bool is_s3, struct sigv4 *ret)
{
	struct heads heads;
	struct params q;
	enum sigv4_fault f;
	bool in_query;
	size_t i;

	*ret = (struct sigv4){ .decoded_length = -1 };
	heads_take(r, &heads);
	params_take(r, &q);
	in_query = q.v[P_ALGORITHM].p || q.v[P_CREDENTIAL].p || q.v[P_SIGNATURE].p;
	if (heads.n[H_AUTHORIZATION] + in_query > 1)
		return refuse_as(ret, "InvalidArgument",
				 S("Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string "
				   "parameter or the Authorization header should be specified"));
	if (heads.n[H_AUTHORIZATION] + in_query == 0)
		return q.v2 ? refuse_version(ret) : SIGV4_MISSING;
	for (i = 0; i < H_N; i++)
		if (heads.n[i] > 1)
			return sigv4_refuse(r, ret, SIGV4_MALFORMED, "The header %s is there more than once.", head_names[i]);
	f = in_query ? read_params(r, is_s3, &q, &heads, ret) : read_header(r, is_s3, &heads, ret);
	if (f == SIGV4_OK)
		f = read_signed_headers(r, ret);
	if (f == SIGV4_OK)
		f = read_token(r, &q, &heads, ret);
	if (f == SIGV4_OK)
		f = read_payload(is_s3, &q, &heads, ret);
	if (f == SIGV4_OK)
		f = read_streaming(&heads, ret);
	return f;
}

enum sigv4_fault sigv4_read(struct http_request *r, bool is_s3, struct sigv4 *ret)
{
	enum sigv4_fault f = read_claims(r, is_s3, ret);

	if (is_s3 && f != SIGV4_OK && f != SIGV4_MISSING)
		sigv4_s3_code(ret, f);
	return f;
}

static int lower_cmp(const void *x, const void *y)
{
	return str_cmp(*(const struct str *)x, *(const struct str *)y);
}

/* The names of all headers: lower case, sorted, each once. */
static struct str names_join(struct arena *a, const struct http_header *headers, size_t n)
{
	struct str *name = arena_array(a, struct str, n + 1);
	size_t i, k = 0;

	for (i = 0; i < n; i++)
		name[i] = str_lower(a, headers[i].name);
	qsort(name, n, sizeof *name, lower_cmp);
	for (i = 0; i < n; i++)
		if (k == 0 || !str_eq(name[k - 1], name[i]))
			name[k++] = name[i];
	return str_join(a, name, k, S(";"));
}

struct str sigv4_sign(struct arena *a, struct str key_id, struct str secret, struct str region, struct str service, struct str method,
		      struct str path, struct str query, const struct http_header *headers, size_t n_headers, struct str payload_hash,
		      struct str amz_date)
{
	struct canon_input in = { .method = method,
				  .path = path,
				  .query = query,
				  .headers = headers,
				  .n_headers = n_headers,
				  .signed_headers = names_join(a, headers, n_headers),
				  .payload_hash = payload_hash,
				  .s3 = str_is(service, "s3") };
	struct canon_result canon;
	struct str date, scope, text;
	uint8_t key[32], mac[32];
	char hex[64];

	assert(amz_date.n == 16 && secret.n > 0 && secret.n <= SIGV4_SECRET_MAX);
	date = str_of(amz_date.p, 8);
	canon_request(a, &in, &canon);
	scope = canon_scope(a, date, region, service);
	text = canon_string_to_sign(a, amz_date, scope, canon.request);
	sigkey_sign(key_id, secret, date, region, service, text, key, mac);
	mem_wipe(key, sizeof key);
	canon_hex(mac, hex);
	return str_printf(a, ALGORITHM " Credential=%.*s/%.*s, SignedHeaders=%.*s, Signature=%.64s", STR(key_id), STR(scope),
			  STR(in.signed_headers), hex);
}

void sigv4_wipe(struct sigv4 *s)
{
	mem_wipe(s->signing_key, sizeof s->signing_key);
}
