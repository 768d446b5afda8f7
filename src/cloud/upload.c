/* SPDX-License-Identifier: Apache-2.0 */
/* upload.c - requests with large bodies: who may send them, and where their bytes go.
 *
 * Three ways: collected in memory (small ones), in a file that has no name (large.c, operations with a limit of their own), or
 * streamed into what the service keeps it in, piece by piece, after the caller was authorized by the head alone. */
#include "cloud/exchange.h"
#include <errno.h>
#include <string.h>

/* --- how large it may be --- */
void upload_limit(struct exchange *x)
{
	struct http_request *r = x->http;
	struct key_info key = { 0 };
	int e;

	if (!r->has_body || (!r->chunked && r->content_length <= CLOUD_UNKNOWN_BODY_BYTES_MAX))
		return;
	if (x->sig_read == SIGV4_MISSING) {
		r->body_max = CLOUD_UNKNOWN_BODY_BYTES_MAX;
		return;
	}
	e = x->sig_read == SIGV4_OK ? signer_key(x, &key) : 0;
	signer_wipe(x, &key);
	if (x->sig_read == SIGV4_OK && e == 0)
		return;
	r->body_mode = HTTP_BODY_REFUSE;
	if (e < 0)
		signer_refuse_key(x, e);
	else
		signer_refuse(x, x->sig_read);
}

bool upload_large(struct exchange *x)
{
	const struct op *op = x->found ? x->route.op : NULL;
	struct http_request *r = x->http;

	if (!op || !op->body_max || x->sig_read == SIGV4_MISSING)
		return false;
	if (!r->chunked && r->content_length > op->body_max) {
		const char *code = "RequestEntityTooLargeException";

		for (const struct desc_error *const *e = op->errors; e && *e; e++)
			if (strcmp((*e)->code, "RequestTooLargeException") == 0)
				code = (*e)->code; /* the operation's own */
		r->body_mode = HTTP_BODY_REFUSE;
		exchange_refuse(x, code, 413, "Request must be smaller than %u bytes for the %s operation", op->body_max, op->name);
		return true;
	}
	if (op->body_max <= CLOUD_BODY_BYTES_MAX || (!r->chunked && r->content_length <= CLOUD_BODY_BYTES_MAX))
		return false;
	upload_limit(x);
	if (r->body_mode == HTTP_BODY_REFUSE)
		return true;
	x->large = large_begin(x->cloud->larges);
	if (!x->large) {
		r->body_mode = HTTP_BODY_REFUSE;
		exchange_refuse(x, "ServiceUnavailable", 503, "There are too many large requests at once. Please try again.");
		return true;
	}
	r->body_mode = HTTP_BODY_STREAM;
	r->body_max = op->body_max;
	return true;
}

/* --- streamed bodies --- */
static int sink_piece(void *arg, struct str piece)
{
	struct exchange *x = arg;

	return x->sink->write(x->sink, piece);
}

/* An unsigned request may come in chunks, too: only those that carry no signatures. Answers the client on refusal. */
static int unsigned_chunks(struct exchange *x)
{
	static const char nothing[64];
	struct str kind = http_header(x->http, "x-amz-content-sha256");
	struct sigv4 s = { .payload = SIGV4_PAYLOAD_UNSIGNED_TRAILER,
			   .signature = { nothing, sizeof nothing },
			   .trailer = http_header(x->http, "x-amz-trailer") };

	if (!str_starts(kind, S("STREAMING-")))
		return 0;
	if (!str_is(kind, "STREAMING-UNSIGNED-PAYLOAD-TRAILER") ||
	    str_to_i64(http_header(x->http, "x-amz-decoded-content-length"), &s.decoded_length) < 0 || s.decoded_length < 0) {
		exchange_refuse(x, "InvalidRequest", 400,
				"The value of x-amz-content-sha256 is not valid for a request without a signature.");
		return -EINVAL;
	}
	x->chunked = chunked_new(&s, sink_piece, x);
	return 0;
}

int upload_open(struct exchange *x)
{
	struct call *c = &x->call;
	int r;

	policy_cache_trim();
	r = call_snapshot(c);
	if (r == 0)
		r = authorize_call(c);
	if (r == 0)
		r = c->svc->body_begin(c, &x->route, &x->sink);
	call_snapshot_end(c);
	return r;
}

int upload_frame(struct exchange *x)
{
	if (x->sig_read != SIGV4_OK)
		return unsigned_chunks(x);
	if (x->sig.payload >= SIGV4_PAYLOAD_CHUNKED)
		x->chunked = chunked_new(&x->sig, sink_piece, x);
	else if (x->sig.payload == SIGV4_PAYLOAD_HASH)
		x->hash = hash_new(HASH_SHA256);
	return 0;
}

static void refuse_piece(struct exchange *x, int e)
{
	if (e == -EACCES)
		signer_refuse(x, SIGV4_MISMATCH);
	else if (e == -EBADMSG)
		exchange_refuse(x, "IncompleteBody", 400, "The request body terminated unexpectedly");
	else if (e == -ENOSPC)
		exchange_refuse(x, "ServiceUnavailable", 503, "There is no space left on the device that holds this region's data.");
	else if (e == -EFBIG)
		exchange_refuse(x, "EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed size");
	else
		exchange_refuse(x, "InternalError", 500, "We encountered an internal error. Please try again.");
}

int upload_piece(struct exchange *x, struct str piece)
{
	int e;

	if (x->large) {
		e = large_write(x->large, piece);
		if (e < 0)
			exchange_refuse(x, "ServiceUnavailable", 503, "There is no space left on the device that holds this cloud's data.");
		return e;
	}
	if (!region_up(x->region)) { /* a slow upload must not keep the region from stopping */
		exchange_refuse(x, "ServiceUnavailable", 503, "The region %.*s is stopped.", STR(x->region->name));
		return -EHOSTDOWN;
	}
	if (x->hash)
		hash_add(x->hash, piece.p, piece.n);
	e = x->chunked ? chunked_feed(x->chunked, piece) : sink_piece(x, piece);
	if (e >= 0)
		return 0;
	refuse_piece(x, e);
	return e;
}

int upload_end(struct exchange *x)
{
	const struct http_header *trailers = x->http->trailers;
	size_t n = x->http->n_trailers;
	uint8_t digest[32];
	int r = 0;

	if (x->chunked)
		r = chunked_end(x->chunked, &trailers, &n);
	else if (x->hash) {
		(void)hash_end(x->hash, digest);
		if (!str_eq(hex_encode(&x->http->arena, digest, sizeof digest), x->sig.payload_hash)) {
			x->sig.fault_detail = S("The provided 'x-amz-content-sha256' header does not match what was computed.");
			signer_refuse(x, SIGV4_BAD_DIGEST);
			return -EACCES;
		}
	}
	if (r == -EACCES)
		signer_refuse(x, SIGV4_MISMATCH);
	else if (r < 0)
		exchange_refuse(x, "IncompleteBody", 400, "The request body terminated unexpectedly");
	if (r < 0)
		return r;
	r = x->sink->end(x->sink, trailers, n);
	if (r == -EBADMSG)
		exchange_refuse(x, "BadDigest", 400,
				"The Content-MD5 or checksum value that you specified did not match what the server received.");
	else if (r == -ENOSPC)
		exchange_refuse(x, "ServiceUnavailable", 503, "There is no space left on the device that holds this region's data.");
	else if (r < 0)
		exchange_refuse(x, "InternalError", 500, "We encountered an internal error. Please try again.");
	return r;
}
