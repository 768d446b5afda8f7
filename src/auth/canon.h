/* SPDX-License-Identifier: Apache-2.0 */
/* canon.h - the canonical request and the string to sign, private to src/auth. */
#pragma once
#include "auth/sigv4.h"

#define CANON_EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

struct canon_input {
	struct str method, path, query; /* raw */
	const struct http_header *headers;
	size_t n_headers;
	struct str signed_headers; /* lower case, ascending, joined with ';' */
	struct str payload_hash;
	bool s3;        /* path as it is */
	bool presigned; /* X-Amz-Signature is no part of it */
};
struct canon_result {
	struct str request;
	bool header_missing; /* a signed header is not in the request */
	bool path_normalized;
};
void canon_request(struct arena *a, const struct canon_input *in, struct canon_result *ret);
/* canon_string_to_sign: for algorithm AWS4-HMAC-SHA256. */
struct str canon_string_to_sign(struct arena *a, struct str amz_date, struct str scope, struct str request);
struct str canon_scope(struct arena *a, struct str date, struct str region, struct str service);
/* canon_hex writes the 64 lower-case digits of a hash, no NUL. */
void canon_hex(const uint8_t hash[32], char out[64]);
