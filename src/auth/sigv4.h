/* SPDX-License-Identifier: Apache-2.0 */
/* sigv4.h - verification of AWS Signature Version 4: in the Authorization header, in the query string, and over
 * aws-chunked bodies. Pure functions: the caller supplies the secret. Sources: "AWS Signature Version 4 for API
 * requests" (IAM User Guide), "Signature calculations for the Authorization header: transferring payload in multiple
 * chunks", "... including trailing headers" (Amazon S3 API Reference). */
#pragma once
#include "base/str.h"
#include "http/http.h"

#define SIGV4_SKEW_MS (15 * 60 * 1000)
#define SIGV4_PRESIGN_SECONDS_MAX 604800
#define SIGV4_KEY_ID_MAX 128
#define SIGV4_SECRET_MAX 256
#define SIGV4_DETAIL_QUOTE_MAX 128 /* bytes of the client's own text repeated in a fault's sentence */

enum sigv4_fault {
	SIGV4_OK,
	SIGV4_MISSING,         /* nothing that looks like a signature: anonymous */
	SIGV4_MALFORMED,       /* IncompleteSignature / AuthorizationHeaderMalformed / AuthorizationQueryParametersError */
	SIGV4_BAD_SCOPE,       /* wrong region, service, date or terminator in the credential */
	SIGV4_EXPIRED,         /* presigned URL past its expiry, or "Signature expired" */
	SIGV4_NOT_YET,         /* signed in the future beyond the skew */
	SIGV4_SKEWED,          /* RequestTimeTooSkewed */
	SIGV4_UNSIGNED_HEADER, /* a header that must be signed is not */
	SIGV4_MISMATCH,        /* SignatureDoesNotMatch */
	SIGV4_BAD_DIGEST,      /* body does not match x-amz-content-sha256 */
};
enum sigv4_payload {
	SIGV4_PAYLOAD_HASH,
	SIGV4_PAYLOAD_UNSIGNED,
	SIGV4_PAYLOAD_CHUNKED,
	SIGV4_PAYLOAD_CHUNKED_TRAILER,
	SIGV4_PAYLOAD_UNSIGNED_TRAILER
};

struct sigv4 { /* what the request claims; filled by sigv4_read, views into the request's memory */
	bool presigned;
	struct str key_id, date /* YYYYMMDD */, region, service;
	struct str token; /* X-Amz-Security-Token; absent */
	struct str signed_headers, signature;
	struct str amz_date; /* 20260102T030405Z */
	int64_t signed_ms;   /* parsed amz_date (or Date header) */
	int64_t expires_s;   /* presigned */
	enum sigv4_payload payload;
	struct str payload_hash; /* as it enters the canonical request */
	int64_t decoded_length;  /* x-amz-decoded-content-length; -1: absent */
	struct str trailer;      /* x-amz-trailer: names of the trailers announced; absent */
	bool path_normalized;    /* set by sigv4_check: the path sent is not the path signed (dot segments, empty segments; never
				  * with S3). Whoever routes by path refuses such a request: its signature covers another text. */
	struct str string_to_sign, canonical_request; /* for SignatureDoesNotMatch's details; set by sigv4_check */
	struct str fault_detail;                      /* a sentence for the client; set when the result is not OK */
	const char *s3_code;     /* S3's error code for the fault; set when is_s3 and the result is neither OK nor MISSING */
	uint8_t signing_key[32]; /* set by sigv4_check; wiped by sigv4_wipe */
};
/* sigv4_read finds and parses the signature without any secret. is_s3: S3's rules (path not normalized or encoded
 * twice, x-amz-content-sha256 required). Copies go to r->arena. Whatever is ambiguous is a fault: two signatures, a
 * parameter or a header of ours twice, another signature version. */
enum sigv4_fault sigv4_read(struct http_request *r, bool is_s3, struct sigv4 *ret);
/* sigv4_check verifies date, scope and signature with the secret. body: the complete body for SIGV4_PAYLOAD_HASH where
 * is_s3 is false or the header x-amz-content-sha256 is absent (its hash enters the canonical request); for streamed
 * bodies pass absent: then the claimed hash is used and the caller compares it with sigv4's payload_hash at the end;
 * without a claimed hash an absent body counts as empty. Services other than S3 take only a hash for the body: one that
 * signs UNSIGNED-PAYLOAD there does not match. expect_region: absent when every region is right (global services).
 * expect_service: the service names accepted in the scope; NULL-terminated. */
enum sigv4_fault sigv4_check(struct http_request *r, struct sigv4 *s, bool is_s3, struct str secret, struct str expect_region,
			     const char *const *expect_service, struct str body, int64_t now_ms);
void sigv4_wipe(struct sigv4 *s);

/* --- aws-chunked bodies: decode piece by piece, flat memory --- */
#define CHUNKED_CHUNK_MIN 8192
#define CHUNKED_LINE_MAX 128 /* a chunk's header */
#define CHUNKED_TRAILER_BYTES_MAX 8192
#define CHUNKED_TRAILERS_MAX 16
struct chunked;
/* s: checked by sigv4_check, its payload one of CHUNKED, CHUNKED_TRAILER, UNSIGNED_TRAILER; only copies of it are kept.
 * sink receives decoded bytes; negative stops. */
struct chunked *chunked_new(const struct sigv4 *s, int (*sink)(void *arg, struct str piece), void *arg);
/* chunked_feed: 0; -EBADMSG malformed or not the length declared; -EMSGSIZE a chunk before the last is under
 * CHUNKED_CHUNK_MIN bytes (S3's InvalidChunkSizeError); -EACCES a chunk's signature is wrong; or what sink returned. The
 * first error stays. A chunk's bytes reach sink before its signature is known: nothing may be made visible before
 * chunked_end succeeded. */
int chunked_feed(struct chunked *c, struct str piece);
/* chunked_end: 0 when the last chunk and signed trailers were complete and right, else an error as above (-EBADMSG when
 * the body stopped early). Trailers: names lower case, exactly those x-amz-trailer announced; they live until
 * chunked_free. */
int chunked_end(struct chunked *c, const struct http_header **ret_trailers, size_t *ret_n);
struct chunked *chunked_free(struct chunked *c);

/* --- signing, for our own clients (cloudkeep deploy, prove) and for tests --- */
/* sigv4_sign computes the Authorization header value for a request whose headers are given (host and x-amz-date among
 * them); all of them are signed. path is the raw path as it will be sent, query the raw query without '?'. Service "s3"
 * gets S3's rules. Names may be in any case and order. */
struct str sigv4_sign(struct arena *a, struct str key_id, struct str secret, struct str region, struct str service, struct str method,
		      struct str path, struct str query, const struct http_header *headers, size_t n_headers, struct str payload_hash,
		      struct str amz_date);
