/* SPDX-License-Identifier: Apache-2.0 */
/* check.c - decides whether a request that was read is what the holder of the secret signed, for here and now.
 *
 * The order: scope, time, headers that must be signed, signature, body. Whatever isn't proven is refused. */
#include "auth/canon.h"
#include "auth/fault.h"
#include "auth/sigkey.h"
#include "base/arena.h"
#include "base/util.h"
#include <assert.h>

static const char *s3_place(const struct sigv4 *s)
{
	return s->presigned ? "Error parsing the X-Amz-Credential parameter;" : "The authorization header is malformed;";
}

static enum sigv4_fault check_scope(struct http_request *r, struct sigv4 *s, bool is_s3, struct str region, const char *const *service)
{
	struct str got = s->region, day = str_of(s->amz_date.p, 8);

	if (region.p && !str_eq(s->region, region)) {
		if (is_s3)
			return sigv4_refuse(r, s, SIGV4_BAD_SCOPE, "%s the region '%.*s' is wrong; expecting '%.*s'", s3_place(s), STR(got),
					    STR(region));
		return sigv4_refuse(r, s, SIGV4_BAD_SCOPE, "Credential should be scoped to a valid region.");
	}
	while (*service && !str_is(s->service, *service))
		service++;
	if (!*service) {
		if (is_s3)
			return sigv4_refuse(r, s, SIGV4_BAD_SCOPE, "%s incorrect service \"%.*s\". This endpoint belongs to \"s3\".",
					    s3_place(s), STR(s->service));
		return sigv4_refuse(r, s, SIGV4_BAD_SCOPE, "Credential should be scoped to correct service.");
	}
	if (!str_eq(s->date, day)) {
		if (is_s3)
			return sigv4_refuse(r, s, SIGV4_BAD_SCOPE,
					    "%s Invalid credential date \"%.*s\". This date is not the same as X-Amz-Date: \"%.*s\".",
					    s3_place(s), STR(s->date), STR(day));
		return sigv4_refuse(
			r, s, SIGV4_BAD_SCOPE,
			"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%.*s' != '%.*s', "
			"from '%.*s'.",
			STR(s->date), STR(day), STR(s->amz_date));
	}
	return SIGV4_OK;
}

static enum sigv4_fault refuse_expired(struct http_request *r, struct sigv4 *s, int64_t now_ms, int64_t window_s)
{
	struct str from = time_basic(&r->arena, now_ms - window_s * 1000), now = time_basic(&r->arena, now_ms);
	bool minutes = window_s % 60 == 0;

	return sigv4_refuse(r, s, SIGV4_EXPIRED, "Signature expired: %.*s is now earlier than %.*s (%.*s - %lld %s.)", STR(s->amz_date),
			    STR(from), STR(now), (long long)(minutes ? window_s / 60 : window_s), minutes ? "min" : "sec");
}

static enum sigv4_fault check_time(struct http_request *r, struct sigv4 *s, bool is_s3, int64_t now_ms)
{
	int64_t window_s = SIGV4_SKEW_MS / 1000;
	struct str limit, now;

	/* STS ignores X-Amz-Expires: its URLs hold 15 minutes (EKS tokens say 60 seconds and are used for 14 minutes). */
	if (s->presigned && !str_is(s->service, "sts"))
		window_s = s->expires_s;
	if (s->signed_ms > now_ms + SIGV4_SKEW_MS) {
		if (is_s3)
			return s->presigned ? sigv4_refuse(r, s, SIGV4_NOT_YET, "Request is not yet valid")
					    : sigv4_refuse(r, s, SIGV4_SKEWED,
							   "The difference between the request time and the current time is too large.");
		limit = time_basic(&r->arena, now_ms + SIGV4_SKEW_MS);
		now = time_basic(&r->arena, now_ms);
		return sigv4_refuse(r, s, SIGV4_NOT_YET, "Signature not yet current: %.*s is still later than %.*s (%.*s + 15 min.)",
				    STR(s->amz_date), STR(limit), STR(now));
	}
	if (now_ms > s->signed_ms + window_s * 1000) {
		if (is_s3)
			return s->presigned ? sigv4_refuse(r, s, SIGV4_EXPIRED, "Request has expired")
					    : sigv4_refuse(r, s, SIGV4_SKEWED,
							   "The difference between the request time and the current time is too large.");
		return refuse_expired(r, s, now_ms, window_s);
	}
	return SIGV4_OK;
}

static bool is_signed(struct str list, struct str name)
{
	struct str one;

	while (str_next(&list, ';', &one))
		if (one.n == name.n && str_eq_ci(one, name))
			return true;
	return false;
}

static enum sigv4_fault check_signed_headers(struct http_request *r, struct sigv4 *s, bool is_s3)
{
	size_t i;

	if (!is_signed(s->signed_headers, S("host"))) {
		if (is_s3)
			return sigv4_refuse(r, s, SIGV4_UNSIGNED_HEADER, "There were headers present in the request which were not signed");
		return sigv4_refuse(r, s, SIGV4_UNSIGNED_HEADER,
				    "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");
	}
	for (i = 0; i < r->n_headers; i++) {
		struct str name = r->headers[i].name;

		if (name.n < 6 || !str_eq_ci(str_of(name.p, 6), S("x-amz-")))
			continue;
		if (!is_signed(s->signed_headers, name))
			return sigv4_refuse(r, s, SIGV4_UNSIGNED_HEADER, "There were headers present in the request which were not signed");
	}
	return SIGV4_OK;
}

static enum sigv4_fault check_signature(struct http_request *r, struct sigv4 *s, bool is_s3, struct str secret)
{
	struct canon_input in = { .method = r->method,
				  .path = r->path,
				  .query = r->query,
				  .headers = r->headers,
				  .n_headers = r->n_headers,
				  .signed_headers = s->signed_headers,
				  .payload_hash = s->payload_hash,
				  .s3 = is_s3,
				  .presigned = s->presigned };
	struct canon_result canon;
	uint8_t mac[32];
	char hex[64];
	bool good;

	canon_request(&r->arena, &in, &canon);
	s->canonical_request = canon.request;
	s->path_normalized = canon.path_normalized;
	s->string_to_sign = canon_string_to_sign(&r->arena, s->amz_date, canon_scope(&r->arena, s->date, s->region, s->service),
						 canon.request);
	good = secret.p && secret.n > 0 && secret.n <= SIGV4_SECRET_MAX;
	if (good) {
		sigkey_sign(s->key_id, secret, s->date, s->region, s->service, s->string_to_sign, s->signing_key, mac);
		canon_hex(mac, hex);
		good = s->signature.n == sizeof hex && mem_equal_ct(hex, s->signature.p, sizeof hex);
		mem_wipe(mac, sizeof mac); /* the right signature of a forged request stays here */
		mem_wipe(hex, sizeof hex);
	}
	if (good && !canon.header_missing)
		return SIGV4_OK;
	sigv4_wipe(s);
	return sigv4_refuse(
		r, s, SIGV4_MISMATCH, "%s",
		is_s3 ? "The request signature we calculated does not match the signature you provided. Check your key and signing method."
		      : "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
			"and signing method. Consult the service documentation for details.");
}

enum sigv4_fault sigv4_check(struct http_request *r, struct sigv4 *s, bool is_s3, struct str secret, struct str expect_region,
			     const char *const *expect_service, struct str body, int64_t now_ms)
{
	struct str actual = STR_NONE;
	enum sigv4_fault f;
	uint8_t hash[32];
	char *hex;

	assert(s->amz_date.n == 16 && s->signature.p);
	if (s->payload == SIGV4_PAYLOAD_HASH && (body.p || !s->payload_hash.p)) {
		hex = arena_alloc(&r->arena, 64);
		hash_sha256(body.p ? body.p : "", body.p ? body.n : 0, hash);
		canon_hex(hash, hex);
		actual = str_of(hex, 64);
		if (!s->payload_hash.p)
			s->payload_hash = actual;
	}
	f = check_scope(r, s, is_s3, expect_region, expect_service);
	if (f == SIGV4_OK)
		f = check_time(r, s, is_s3, now_ms);
	if (f == SIGV4_OK)
		f = check_signed_headers(r, s, is_s3);
	if (f == SIGV4_OK)
		f = check_signature(r, s, is_s3, secret);
	if (f == SIGV4_OK && actual.p && !str_eq(actual, s->payload_hash)) {
		sigv4_wipe(s);
		f = sigv4_refuse(r, s, SIGV4_BAD_DIGEST, "The provided 'x-amz-content-sha256' header does not match what was computed.");
	}
	if (is_s3 && f != SIGV4_OK)
		sigv4_s3_code(s, f);
	return f;
}
