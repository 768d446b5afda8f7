/* SPDX-License-Identifier: Apache-2.0 */
/* door.c - from an HTTP request to a call and back: find, authenticate, decode, validate, run, encode.
 *
 * An exchange lives in its request's arena. Reading calls run on the event loop that took the request; writing calls are
 * queued to the writer thread of their store and answered when they are durable. */
#include "cloud/cloud_int.h"
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>

#define READ_TRIES_MAX 8

struct exchange {
	struct store_job job; /* first: the writer thread hands it back */
	struct cloud *cloud;
	struct http_request *http;
	struct wire_route route;
	struct sigv4 sig;
	enum sigv4_fault sig_read; /* of sigv4_read */
	struct principal who;
	struct call_facts facts;
	struct region *region; /* pinned */
	struct call call;
	bool streaming, failed;
	bool found; /* the route is known from the head alone */
	bool begun; /* the request is complete: a call is under way */
	int64_t begun_us;
	atomic_bool replied;
	struct body *sink;          /* the service's */
	struct chunked *chunked;    /* between the connection and the sink */
	struct hash *hash;          /* of a streamed plain body */
	struct large *large;        /* the body, where it is too large for memory */
	struct front_request visit; /* of a service's front: its own, and nothing but sig, who and facts above is used */
};

/* --- answers --- */
static ssize_t source_read(void *arg, char *buf, size_t n)
{
	struct body *b = arg;

	return b->read(b, buf, n);
}

static void source_close(void *arg)
{
	struct body *b = arg;

	b->free(b);
}

static void release(struct exchange *x)
{
	if (x->sink && x->sink->free)
		x->sink->free(x->sink);
	x->sink = NULL;
	x->chunked = chunked_free(x->chunked);
	x->hash = hash_free(x->hash);
	large_end(x->large);
	x->large = NULL;
	if (x->region)
		region_unuse(x->region);
	x->region = NULL;
	sigv4_wipe(&x->sig);
}

static void send_reply(struct exchange *x, struct wire_reply *w)
{
	struct http_request *r = x->http;
	struct http_reply reply = { .status = w->status, .headers = w->headers, .body = w->body, .head = str_is(r->method, "HEAD") };
	struct http_source src = { w->stream, source_read, source_close };

	for (size_t i = 0; i < x->call.n_headers && w->n_headers < ELEMENTS(w->headers); i++)
		w->headers[w->n_headers++] = x->call.headers[i];
	reply.n_headers = w->n_headers;
	if (w->stream) {
		reply.source = &src;
		reply.source_bytes = w->stream->length;
	}
	for (size_t i = 0; i < w->n_headers && reply.head && !w->stream && !w->body.n; i++)
		if (str_is(w->headers[i].name, "Content-Length")) /* of what GET would give */
			(void)str_to_u64(w->headers[i].value, &reply.source_bytes);
	/* A refused upload may still be on its way: the connection is not worth reading to its end. */
	reply.close = x->failed && (x->streaming || (x->large && !x->begun));
	if (x->begun) {
		x->cloud->answers++;
		x->cloud->answer_us += (uint64_t)(clock_mono_us() - x->begun_us);
	}
	release(x);
	x->replied = true;
	http_reply(r, &reply); /* x is in the request's memory: not touched after this */
}

static void send_error(struct exchange *x, const char *code, int status, bool sender, struct str message, const struct str_pair *extra,
		       size_t n_extra)
{
	struct wire_reply w = { 0 };

	x->failed = true;
	wire_encode_error(&x->route, code, status, sender, message, x->facts.request_id, extra, n_extra, &x->http->arena, &w);
	send_reply(x, &w);
}

static void refuse(struct exchange *x, const char *code, int status, const char *fmt, ...) _printf_(4, 5);
static void refuse(struct exchange *x, const char *code, int status, const char *fmt, ...)
{
	struct str m;
	va_list ap;

	va_start(ap, fmt);
	m = str_vprintf(&x->http->arena, fmt, ap);
	va_end(ap);
	send_error(x, code, status, status < 500, m, NULL, 0);
}

/* --- authentication --- */
enum speech { SPEAK_QUERY, SPEAK_EC2, SPEAK_JSON, SPEAK_S3 }; /* whose error codes */

static enum speech speech_of(const struct exchange *x)
{
	if (!x->route.model)
		return SPEAK_S3;
	switch (x->route.protocol) {
	case WIRE_EC2:
		return SPEAK_EC2;
	case WIRE_JSON:
	case WIRE_REST_JSON:
		return SPEAK_JSON;
	case WIRE_REST_XML:
		return SPEAK_S3;
	default:
		return SPEAK_QUERY;
	}
}

/* Error codes by service family. Sources: "Common errors" of the STS, EC2 and KMS API references, "Error responses" of
 * the S3 API reference; where EC2's page and its clients differ, what its clients check for was followed. */
static void refuse_signature(struct exchange *x, enum sigv4_fault f)
{
	static const struct {
		const char *code;
		int status;
	} t[][4] = {
		[SIGV4_MISSING] = { { "MissingAuthenticationToken", 403 },
				    { "MissingAuthenticationToken", 403 },
				    { "MissingAuthenticationTokenException", 400 },
				    { "AccessDenied", 403 } },
		[SIGV4_MALFORMED] = { { "IncompleteSignature", 400 },
				      { "IncompleteSignature", 400 },
				      { "IncompleteSignatureException", 400 },
				      { "AuthorizationHeaderMalformed", 400 } },
		[SIGV4_BAD_SCOPE] = { { "SignatureDoesNotMatch", 403 },
				      { "AuthFailure", 401 },
				      { "InvalidSignatureException", 400 },
				      { "AuthorizationHeaderMalformed", 400 } },
		[SIGV4_EXPIRED] = { { "SignatureDoesNotMatch", 403 },
				    { "RequestExpired", 400 },
				    { "InvalidSignatureException", 400 },
				    { "AccessDenied", 403 } },
		[SIGV4_NOT_YET] = { { "SignatureDoesNotMatch", 403 },
				    { "RequestExpired", 400 },
				    { "InvalidSignatureException", 400 },
				    { "AccessDenied", 403 } },
		[SIGV4_SKEWED] = { { "SignatureDoesNotMatch", 403 },
				   { "RequestExpired", 400 },
				   { "InvalidSignatureException", 400 },
				   { "RequestTimeTooSkewed", 403 } },
		[SIGV4_UNSIGNED_HEADER] = { { "SignatureDoesNotMatch", 403 },
					    { "AuthFailure", 401 },
					    { "InvalidSignatureException", 400 },
					    { "AccessDenied", 403 } },
		[SIGV4_MISMATCH] = { { "SignatureDoesNotMatch", 403 },
				     { "AuthFailure", 401 },
				     { "InvalidSignatureException", 400 },
				     { "SignatureDoesNotMatch", 403 } },
		[SIGV4_BAD_DIGEST] = { { "SignatureDoesNotMatch", 403 },
				       { "AuthFailure", 401 },
				       { "InvalidSignatureException", 400 },
				       { "XAmzContentSHA256Mismatch", 400 } },
	};
	enum speech sp = speech_of(x);
	const char *code = t[f][sp].code;
	struct str m = x->sig.fault_detail;

	if (sp == SPEAK_S3 && x->sig.s3_code)
		code = x->sig.s3_code;
	if (sp == SPEAK_EC2 && str_is(str_c(code), "AuthFailure"))
		m = S("AWS was not able to validate the provided access credentials");
	if (!m.p)
		m = f == SIGV4_MISSING ? S("Request is missing Authentication Token")
				       : S("The request signature we calculated does not match the signature you provided. Check your AWS "
					   "Secret Access Key and signing method. Consult the service documentation for details.");
	send_error(x, code, t[f][sp].status, true, m, NULL, 0);
}

static void refuse_key(struct exchange *x, int why)
{
	enum speech sp = speech_of(x);

	if (why == -ESTALE)
		refuse(x,
		       sp == SPEAK_JSON  ? "ExpiredTokenException"
		       : sp == SPEAK_EC2 ? "RequestExpired"
					 : "ExpiredToken",
		       sp == SPEAK_QUERY ? 403 : 400,
		       sp == SPEAK_S3 ? "The provided token has expired." : "The security token included in the request is expired");
	else if (sp == SPEAK_S3 && why == -EBADMSG)
		refuse(x, "InvalidToken", 400, "The provided token is malformed or otherwise invalid.");
	else if (sp == SPEAK_S3)
		refuse(x, "InvalidAccessKeyId", 403, "The AWS Access Key Id you provided does not exist in our records.");
	else if (sp == SPEAK_EC2)
		refuse(x, "AuthFailure", 401, "AWS was not able to validate the provided access credentials");
	else
		refuse(x, sp == SPEAK_JSON ? "UnrecognizedClientException" : "InvalidClientTokenId", sp == SPEAK_JSON ? 400 : 403,
		       "The security token included in the request is invalid.");
}

static void root_principal(struct exchange *x)
{
	struct cloud *cl = x->cloud;

	x->who.p = (struct policy_principal){ .type = PRINCIPAL_ROOT, .account = cl->account, .unique_id = cl->account };
	x->who.p.arn = str_printf(&x->http->arena, "arn:aws:iam::%.*s:root", STR(cl->account));
	x->who.name = S("root");
	x->who.key_id = cl->root_id;
}

static int find_key(struct exchange *x, struct key_info *ret)
{
	struct cloud *cl = x->cloud;
	struct store_txn *g = NULL;
	int e = -ENOENT;

	if (str_eq(x->sig.key_id, cl->root_id)) {
		root_principal(x);
		ret->secret = cl->root_secret;
		return x->sig.token.p ? -EBADMSG : 0;
	}
	if (cl->identity && store_begin_read(cl->global.store, &g) == 0) {
		e = cl->identity->find_key(cl, g, x->sig.key_id, x->sig.token, clock_now_ms(), &x->http->arena, ret);
		store_end(g);
		x->who = ret->who;
	}
	return e;
}

static void wipe_key(struct exchange *x, const struct key_info *key)
{
	if (key->secret.p != x->cloud->root_secret.p)
		mem_wipe((char *)(uintptr_t)key->secret.p, key->secret.n);
}

/* The region that a signature must be for. AWS's global services take one region's only, and so do their own host names. At
 * an endpoint of the client's choice SDKs sign for the client's region: any region of this cloud is right there. */
static struct str signing_region(const struct exchange *x)
{
	struct region *all[CLOUD_REGIONS_MAX];
	size_t n = x->route.model->global ? cloud_regions(x->cloud, all, ELEMENTS(all)) : 0;

	for (size_t i = 0; i < n; i++)
		if (str_eq(all[i]->name, x->sig.region))
			return x->sig.region;
	return x->region->name;
}

/* Finds the key and checks the signature. Answers the client and returns negative on refusal. body: as sigv4_check. */
static int authenticate(struct exchange *x, struct str body)
{
	struct http_request *r = x->http;
	struct key_info key = { 0 };
	bool s3 = x->route.model && str_starts(str_c(x->route.model->name), S("s3")); /* and S3 Control */
	enum sigv4_fault f = x->sig_read;
	int64_t signed_by;
	int e;

	if (f == SIGV4_MISSING && x->route.op && (x->route.op->flags & OP_ANONYMOUS)) {
		x->who.p.type = PRINCIPAL_ANONYMOUS;
		x->who.name = S("anonymous");
		return 0;
	}
	if (f != SIGV4_OK) {
		refuse_signature(x, f);
		return -EACCES;
	}
	e = find_key(x, &key);
	if (e < 0) {
		refuse_key(x, e);
		return e;
	}
	x->who.key_id = x->sig.key_id;
	if (!s3 && x->sig.path_normalized) {
		/* The signature covers the path without its dots, routing would see them: two readings of one request. */
		refuse(x, "InvalidRequest", 400, "The path of the request is not in normal form.");
		return -EINVAL;
	}
	/* Clients sign with their own time, which the cloud's clock, once moved forward, has left behind. */
	signed_by = clock_now_ms() - clock_offset_ms();
	f = sigv4_check(r, &x->sig, s3, key.secret, signing_region(x), x->route.model->signing, body, signed_by);
	wipe_key(x, &key);
	if (f != SIGV4_OK) {
		refuse_signature(x, f);
		return -EACCES;
	}
	x->facts.signature_version = S("AWS4-HMAC-SHA256");
	x->facts.auth_type = x->sig.presigned ? S("REST-QUERY-STRING") : S("REST-HEADER");
	x->facts.signature_age_ms = signed_by - x->sig.signed_ms;
	x->facts.content_sha256 = x->sig.payload_hash;
	return 0;
}

/* --- finding the region --- */
/* The credential scope names it; anonymous requests reach the region that their Host names, or the first that is up.
 * Answers the client and returns negative when there is no such region. */
static int find_region(struct exchange *x)
{
	struct cloud *cl = x->cloud;
	const struct service *svc = service_of(cl, x->route.model);
	struct str name = x->sig.region;
	struct region *r = NULL, *all[CLOUD_REGIONS_MAX];
	size_t n = cloud_regions(cl, all, ELEMENTS(all));

	if (!name.p && svc && svc->home && x->route.op)
		name = svc->home(cl, &x->route, &x->http->arena);

	if (x->route.model->global) {
		r = &cl->global;
		name = r->name;
	} else if (name.p) {
		for (size_t i = 0; i < n; i++)
			if (str_eq(all[i]->name, name))
				r = all[i];
	} else {
		for (size_t i = 0; i < n && !r; i++)
			if (str_find(x->http->host, all[i]->name) >= 0 && region_up(all[i]))
				r = all[i];
		for (size_t i = 0; i < n && !r; i++)
			if (region_up(all[i]))
				r = all[i];
	}
	if (r && region_use(r)) {
		x->region = r;
		return 0;
	}
	if (r)
		refuse(x, "ServiceUnavailable", 503, "The region %.*s is stopped.", STR(name));
	else if (name.p && region_name_valid(name))
		refuse(x, "OptInRequired", 403, "The region %.*s has not been started in this cloud (cloudkeep region start %.*s).",
		       STR(name), STR(name));
	else
		refuse(x, speech_of(x) == SPEAK_S3 ? "AuthorizationHeaderMalformed" : "SignatureDoesNotMatch",
		       speech_of(x) == SPEAK_S3 ? 400 : 403, "Credential should be scoped to a valid region.");
	return -EHOSTDOWN;
}

/* What cannot be recorded is not done. Answers the client and returns negative then. */
static int recordable(struct exchange *x)
{
	if (!trail_full(x->region->trail))
		return 0;
	refuse(x, "ServiceUnavailable", 503, "There is no space left on the device that holds this region's trail.");
	return -ENOSPC;
}

/* --- running --- */
static void finish(struct exchange *x, int r)
{
	struct call *c = &x->call;
	struct wire_reply w = { 0 };

	call_settle(c, r);
	trail_call(c, r);
	if (r < 0) {
		send_error(x, c->err->code, c->err->status, c->err->sender, c->message, c->extra, c->n_extra);
		return;
	}
	call_run_hooks(c);
	r = wire_encode(&x->route, c->out, x->facts.request_id, c->arena, &w);
	if (r < 0) {
		log_line(LOG_ERROR, "%s.%s: the answer cannot be encoded: %s", c->svc->model->name, c->op->name, strerror(-r));
		refuse(x, "InternalFailure", 500, "We encountered an internal error. Please try again.");
		return;
	}
	if (c->status)
		w.status = c->status;
	send_reply(x, &w);
}

static int job_run(struct store_job *j, struct store_txn *t)
{
	struct exchange *x = (struct exchange *)j;
	struct call *c = &x->call;
	struct store_txn *g = NULL;
	int r;

	policy_cache_trim();
	c->txn = c->global = t;
	if (!c->region->global) {
		r = store_begin_read(x->cloud->global.store, &g);
		if (r < 0)
			return r;
		c->global = g;
	}
	r = call_execute(c);
	store_end(g);
	c->txn = c->global = NULL;
	return r;
}

static void job_done(struct store_job *j, int result)
{
	struct exchange *x = (struct exchange *)j;

	finish(x, result);
}

static int run_once(struct call *c)
{
	struct store_txn *t = NULL, *g = NULL;
	int r = store_begin_read(c->region->store, &t);

	if (r == 0 && !c->region->global)
		r = store_begin_read(c->cloud->global.store, &g);
	c->txn = t;
	c->global = g ? g : t;
	if (r == 0)
		r = call_execute(c);
	store_end(g);
	store_end(t);
	c->txn = c->global = NULL;
	return r;
}

/* A handler that finds its snapshot overtaken (a body's file that a later commit took away) says -EAGAIN and is run again, from
 * its authorization on, on a newer one. */
static int run_now(struct call *c)
{
	int r = -EAGAIN;

	for (int i = 0; r == -EAGAIN && i < READ_TRIES_MAX; i++)
		r = run_once(c);
	return r;
}

static void parked_over(void *arg, int r)
{
	finish(arg, r);
}

static void prepare(struct exchange *x)
{
	struct http_request *r = x->http;

	call_prepare(&x->call, x->cloud, x->region, service_of(x->cloud, x->route.model), x->route.op, &r->arena, &x->who, &x->facts);
	x->call.http = r;
}

/* The route is complete and the caller known: decode, validate and run. */
static void run(struct exchange *x)
{
	struct http_request *r = x->http;
	const struct service_model *m = x->route.model;
	const struct op *op = x->route.op;
	struct wire_fault fault = { 0 };
	void *in = arena_zalloc(&r->arena, m->shapes[op->in].size);
	int result;

	x->call.in = in;
	x->call.out = arena_zalloc(&r->arena, m->shapes[op->out].size);
	if (wire_decode(&x->route, r, &r->arena, in, &fault) < 0 ||
	    wire_validate(m, x->route.protocol, op->in, in, &r->arena, &fault) < 0) {
		struct desc_error *e = arena_new(&r->arena, struct desc_error);

		*e = (struct desc_error){ fault.code, fault.code, (uint16_t)fault.status, true };
		x->call.err = e;
		x->call.message = fault.message;
		finish(x, -ECANCELED);
		return;
	}
	x->call.body = x->sink;
	if (op->txn == OP_WRITE) {
		x->job.run = job_run;
		x->job.done = job_done;
		store_submit(x->call.region->store, &x->job);
		return;
	}
	policy_cache_trim();
	x->call.may_park = true;
	result = run_now(&x->call);
	if (result == CALL_PARKED)
		park_wait(&x->call, parked_over, x);
	else
		finish(x, result);
}

/* An operation that the model knows and we did not build, or that nobody knows. Never a quiet success. */
static void refuse_operation(struct exchange *x)
{
	if (x->route.known)
		refuse(x, "NotImplemented", 501, "The operation %.*s of %s is not implemented by this cloud.", STR(x->route.name),
		       x->route.model->id);
	else if (speech_of(x) == SPEAK_JSON)
		refuse(x, "UnknownOperationException", 400, "The requested operation is not recognized: %.*s", STR(x->route.name));
	else if (speech_of(x) == SPEAK_S3)
		refuse(x, "MethodNotAllowed", 405, "The specified method is not allowed against this resource.");
	else
		refuse(x, "InvalidAction", 400, "The action %.*s is not valid for this web service.", STR(x->route.name));
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
		refuse(x, "InvalidRequest", 400, "The value of x-amz-content-sha256 is not valid for a request without a signature.");
		return -EINVAL;
	}
	x->chunked = chunked_new(&s, sink_piece, x);
	return 0;
}

/* Before the first byte of a streamed body: who is it, may they, and where do the bytes go. */
static int begin_stream(struct exchange *x)
{
	struct call *c = &x->call;
	const struct op *op = x->route.op;
	struct wire_fault fault = { 0 };
	struct store_txn *t = NULL, *g = NULL;
	void *in;
	int r;

	r = authenticate(x, STR_NONE);
	if (r == 0)
		r = recordable(x);
	if (r < 0)
		return r;
	prepare(x);
	in = arena_zalloc(c->arena, x->route.model->shapes[op->in].size);
	c->in = in;
	c->out = arena_zalloc(c->arena, x->route.model->shapes[op->out].size);
	if (wire_decode(&x->route, x->http, c->arena, in, &fault) < 0 ||
	    wire_validate(x->route.model, x->route.protocol, op->in, in, c->arena, &fault) < 0) {
		refuse(x, fault.code, fault.status, "%.*s", STR(fault.message));
		return -EINVAL;
	}
	r = store_begin_read(c->region->store, &t);
	if (r == 0 && !c->region->global)
		r = store_begin_read(x->cloud->global.store, &g);
	c->txn = t;
	c->global = g ? g : t;
	policy_cache_trim();
	if (r == 0)
		r = authorize_call(c);
	if (r == 0)
		r = c->svc->body_begin(c, &x->route, &x->sink);
	store_end(g);
	store_end(t);
	c->txn = c->global = NULL;
	if (r < 0) {
		x->failed = true;
		finish(x, r);
		return r;
	}
	if (x->sig_read == SIGV4_OK && x->sig.payload >= SIGV4_PAYLOAD_CHUNKED)
		x->chunked = chunked_new(&x->sig, sink_piece, x);
	else if (x->sig_read == SIGV4_OK && x->sig.payload == SIGV4_PAYLOAD_HASH)
		x->hash = hash_new(HASH_SHA256);
	else if (x->sig_read != SIGV4_OK)
		return unsigned_chunks(x);
	return 0;
}

static int door_body(void *arg, struct http_request *r, struct str piece)
{
	struct exchange *x = r->user;
	int e;

	if (x->visit.front)
		return x->visit.front->body(&x->visit, piece);
	if (x->failed)
		return -ECANCELED;
	if (x->large) {
		e = large_write(x->large, piece);
		if (e < 0)
			refuse(x, "ServiceUnavailable", 503, "There is no space left on the device that holds this cloud's data.");
		return e;
	}
	if (!region_up(x->region)) { /* a slow upload must not keep the region from stopping */
		refuse(x, "ServiceUnavailable", 503, "The region %.*s is stopped.", STR(x->region->name));
		return -EHOSTDOWN;
	}
	if (x->chunked)
		e = chunked_feed(x->chunked, piece);
	else {
		if (x->hash)
			hash_add(x->hash, piece.p, piece.n);
		e = sink_piece(x, piece);
	}
	if (e >= 0)
		return 0;
	x->failed = true;
	if (e == -EACCES)
		refuse_signature(x, SIGV4_MISMATCH);
	else if (e == -EBADMSG)
		refuse(x, "IncompleteBody", 400, "The request body terminated unexpectedly");
	else if (e == -ENOSPC)
		refuse(x, "ServiceUnavailable", 503, "There is no space left on the device that holds this region's data.");
	else if (e == -EFBIG)
		refuse(x, "EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed size");
	else
		refuse(x, "InternalError", 500, "We encountered an internal error. Please try again.");
	return e;
}

/* The body is complete: is it what was signed? */
static int end_stream(struct exchange *x)
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
			refuse_signature(x, SIGV4_BAD_DIGEST);
			return -EACCES;
		}
	}
	if (r == -EACCES)
		refuse_signature(x, SIGV4_MISMATCH);
	else if (r < 0)
		refuse(x, "IncompleteBody", 400, "The request body terminated unexpectedly");
	if (r < 0)
		return r;
	r = x->sink->end(x->sink, trailers, n);
	if (r == -EBADMSG)
		refuse(x, "BadDigest", 400, "The Content-MD5 or checksum value that you specified did not match what the server received.");
	else if (r == -ENOSPC)
		refuse(x, "ServiceUnavailable", 503, "There is no space left on the device that holds this region's data.");
	else if (r < 0)
		refuse(x, "InternalError", 500, "We encountered an internal error. Please try again.");
	return r;
}

/* --- the front's callbacks --- */
static struct str dotted(struct arena *a, const uint8_t b[4])
{
	char *p = arena_alloc(a, INET_ADDRSTRLEN), *w = p;

	for (int i = 0; i < 4; i++) {
		if (i)
			*w++ = '.';
		if (b[i] >= 100)
			*w++ = (char)('0' + b[i] / 100);
		if (b[i] >= 10)
			*w++ = (char)('0' + b[i] / 10 % 10);
		*w++ = (char)('0' + b[i] % 10);
	}
	*w = 0;
	return str_of(p, (size_t)(w - p));
}

static struct str peer_address(struct http_request *r)
{
	char text[INET6_ADDRSTRLEN] = "";
	const void *a;

	if (r->peer.ss_family == AF_INET)
		return dotted(&r->arena, (const uint8_t *)&((const struct sockaddr_in *)&r->peer)->sin_addr);
	if (r->peer.ss_family == AF_INET6) {
		a = &((const struct sockaddr_in6 *)&r->peer)->sin6_addr;
		(void)inet_ntop(AF_INET6, a, text, sizeof text);
	}
	return str_dup(&r->arena, str_c(text));
}

/* Memory is given to large bodies only of those who hold a key: the signature itself is known only with the whole body.
 * May answer the client. */
static void limit_body(struct exchange *x)
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
	e = x->sig_read == SIGV4_OK ? find_key(x, &key) : 0;
	wipe_key(x, &key);
	if (x->sig_read == SIGV4_OK && e == 0)
		return;
	r->body_mode = HTTP_BODY_REFUSE;
	if (e < 0)
		refuse_key(x, e);
	else
		refuse_signature(x, x->sig_read);
}

/* Does the body go to a file? Its own operation says how large it may be. May answer the client. */
static bool begin_large(struct exchange *x)
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
		refuse(x, code, 413, "Request must be smaller than %u bytes for the %s operation", op->body_max, op->name);
		return true;
	}
	if (op->body_max <= CLOUD_BODY_BYTES_MAX || (!r->chunked && r->content_length <= CLOUD_BODY_BYTES_MAX))
		return false;
	limit_body(x);
	if (r->body_mode == HTTP_BODY_REFUSE)
		return true;
	x->large = large_begin(x->cloud->larges);
	if (!x->large) {
		r->body_mode = HTTP_BODY_REFUSE;
		refuse(x, "ServiceUnavailable", 503, "There are too many large requests at once. Please try again.");
		return true;
	}
	r->body_mode = HTTP_BODY_STREAM;
	r->body_max = op->body_max;
	return true;
}

/* --- fronts --- */
static bool visit_begin(struct exchange *x)
{
	struct cloud *cl = x->cloud;
	struct front_request *f = &x->visit;
	struct str host = STR_NONE;

	for (size_t i = 0; i < cl->n_services; i++) {
		const struct front *front = cl->services[i]->front;

		if (!front)
			continue;
		if (!host.p)
			host = front_host(cl, x->http->host, &x->http->arena);
		if (!front->claims(cl, x->http, host))
			continue;
		*f = (struct front_request){ .front = front, .cloud = cl, .http = x->http, .host = host, .facts = x->facts };
		front->headers(f);
		return true;
	}
	return false;
}

static struct exchange *exchange_of(struct front_request *f)
{
	return (struct exchange *)((char *)f - offsetof(struct exchange, visit));
}

int front_authenticate(struct front_request *f, const char *signing, struct str region, struct str body, struct principal *ret_who,
		       struct str *ret_reason)
{
	struct exchange *x = exchange_of(f);
	const char *const services[] = { signing, NULL };
	struct key_info key = { 0 };
	enum sigv4_fault fault = sigv4_read(f->http, false, &x->sig);
	int64_t signed_by = clock_now_ms() - clock_offset_ms(); /* as in authenticate */
	int e;

	*ret_reason = x->sig.fault_detail;
	if (fault == SIGV4_MISSING)
		return -ENODATA;
	if (fault != SIGV4_OK)
		return -EACCES;
	e = find_key(x, &key);
	if (e < 0) {
		*ret_reason = e == -ESTALE ? S("The security token included in the request is expired")
					   : S("The security token included in the request is invalid.");
		return -EACCES;
	}
	fault = sigv4_check(f->http, &x->sig, false, key.secret, region, services, body, signed_by);
	wipe_key(x, &key);
	sigv4_wipe(&x->sig);
	*ret_reason = x->sig.fault_detail.p ? x->sig.fault_detail
					    : S("The request signature we calculated does not match the signature you provided.");
	if (fault != SIGV4_OK)
		return -EACCES;
	if (x->sig.path_normalized) {
		*ret_reason = S("The path of the request is not in normal form.");
		return -EACCES;
	}
	x->who.key_id = x->sig.key_id;
	*ret_who = x->who;
	f->facts.signature_version = S("AWS4-HMAC-SHA256");
	f->facts.auth_type = x->sig.presigned ? S("REST-QUERY-STRING") : S("REST-HEADER");
	f->facts.signature_age_ms = signed_by - x->sig.signed_ms;
	f->facts.content_sha256 = x->sig.payload_hash;
	return 0;
}

/* By S3's rules what names S3, or no service at all: S3 is the last resort. What looks like S3's is read by them at once. */
static void read_signature(struct exchange *x)
{
	if (str_find(http_header(x->http, "authorization"), S("/s3/aws4_request")) >= 0) {
		x->sig_read = sigv4_read(x->http, true, &x->sig);
		if (str_is(x->sig.service, "s3"))
			return;
	}
	x->sig_read = sigv4_read(x->http, false, &x->sig);
	if (str_is(x->sig.service, "s3") || (x->sig_read == SIGV4_MALFORMED && !x->sig.service.p))
		x->sig_read = sigv4_read(x->http, true, &x->sig);
}

static void door_headers(void *arg, struct http_request *r)
{
	struct cloud *cl = arg;
	struct exchange *x = arena_new(&r->arena, struct exchange);
	int e;

	r->user = x;
	x->cloud = cl;
	x->http = r;
	x->facts.request_id = random_uuid(&r->arena);
	x->facts.source_ip = peer_address(r);
	x->facts.user_agent = http_header(r, "user-agent");
	x->facts.host = r->host;
	x->facts.secure_transport = r->tls;
	if (visit_begin(x))
		return;
	read_signature(x);
	r->body_mode = HTTP_BODY_MEMORY;
	r->body_max = CLOUD_BODY_BYTES_MAX;
	e = wire_find(cl->models, cl->n_services, r, STR_NONE, x->sig.service, cl->host_suffixes, &x->route);
	x->found = e == 0 && x->route.op;
	if (begin_large(x))
		return;
	if (!x->found || !(x->route.op->flags & OP_STREAM_IN) || !service_of(cl, x->route.model)->body_begin) {
		limit_body(x);
		return;
	}
	x->streaming = true;
	r->body_mode = HTTP_BODY_REFUSE;
	if (find_region(x) < 0 || begin_stream(x) < 0)
		return;
	r->body_mode = HTTP_BODY_STREAM;
	r->body_max = UINT64_MAX;
}

/* The request is there as a whole. */
static void complete(struct exchange *x)
{
	struct http_request *r = x->http;
	int e = x->found
			? 0
			: wire_find(x->cloud->models, x->cloud->n_services, r, r->body, x->sig.service, x->cloud->host_suffixes, &x->route);

	if (e < 0 || !x->route.model) {
		refuse(x, "UnknownService", 404, "No service of this cloud was named by the request.");
		return;
	}
	if (find_region(x) < 0 || authenticate(x, r->body.p ? r->body : S("")) < 0 || recordable(x) < 0)
		return;
	if (!x->route.op) {
		refuse_operation(x);
		return;
	}
	prepare(x);
	run(x);
}

/* On the thread of large requests. */
static void complete_large(void *arg, struct str body)
{
	struct exchange *x = arg;

	x->http->body = body;
	if (body.p)
		complete(x);
	else
		refuse(x, "ServiceUnavailable", 503, "The cloud is about to stop.");
}

static void door_done(void *arg, struct http_request *r)
{
	struct exchange *x = r->user;

	if (x->visit.front) {
		x->visit.front->done(&x->visit);
		return;
	}
	x->begun = true;
	x->begun_us = clock_mono_us();
	if (x->streaming) {
		if (x->failed || end_stream(x) < 0)
			return;
		run(x);
		return;
	}
	if (!x->large)
		complete(x);
	else if (!large_run(x->large, complete_large, x))
		complete_large(x, STR_NONE);
}

/* The client left. A call under way goes on: it was accepted, its answer is dropped by the front. A request that never
 * became complete is answered all the same, because the answer is what frees it. */
static void door_gone(void *arg, struct http_request *r)
{
	struct exchange *x = r->user;

	if (x->visit.front) {
		x->visit.front->gone(&x->visit);
		return;
	}
	if (x->replied || x->begun)
		return;
	x->failed = true;
	refuse(x, "RequestTimeout", 400, "Your socket connection to the server was not read from or written to within the timeout period.");
}

const struct http_handler cloud_http = { .headers = door_headers, .body = door_body, .done = door_done, .gone = door_gone };
