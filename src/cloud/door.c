/* SPDX-License-Identifier: Apache-2.0 */
/* door.c - from an HTTP request to a call and back: find, authenticate, decode, validate, run, encode.
 *
 * An exchange lives in its request's arena. Reading calls run on the event loop that took the request; writing calls are
 * queued to the writer thread of their store and answered when they are durable. */
#include "cloud/exchange.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

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
		exchange_refuse(x, "ServiceUnavailable", 503, "The region %.*s is stopped.", STR(name));
	else if (name.p && region_name_valid(name))
		exchange_refuse(x, "OptInRequired", 403,
				"The region %.*s has not been started in this cloud (cloudkeep region start %.*s).", STR(name), STR(name));
	else
		exchange_refuse(x, exchange_speech(x) == SPEAK_S3 ? "AuthorizationHeaderMalformed" : "SignatureDoesNotMatch",
				exchange_speech(x) == SPEAK_S3 ? 400 : 403, "Credential should be scoped to a valid region.");
	return -EHOSTDOWN;
}

/* What cannot be recorded is not done. Answers the client and returns negative then. */
static int recordable(struct exchange *x)
{
	if (!trail_full(x->region->trail))
		return 0;
	exchange_refuse(x, "ServiceUnavailable", 503, "There is no space left on the device that holds this region's trail.");
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
		exchange_fail(x);
		return;
	}
	call_run_hooks(c);
	r = wire_encode(&x->route, c->out, x->facts.request_id, c->arena, &w);
	if (r < 0) {
		log_line(LOG_ERROR, "%s.%s: the answer cannot be encoded: %s", c->svc->model->name, c->op->name, strerror(-r));
		exchange_refuse(x, "InternalFailure", 500, "We encountered an internal error. Please try again.");
		return;
	}
	if (c->status)
		w.status = c->status;
	exchange_reply(x, &w);
}

static int job_run(struct store_job *j, struct store_txn *t)
{
	struct exchange *x = (struct exchange *)j;

	policy_cache_trim();
	return call_run_write(&x->call, t);
}

static void job_done(struct store_job *j, int result)
{
	struct exchange *x = (struct exchange *)j;

	finish(x, result);
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

static int decode(struct exchange *x, struct wire_fault *ret_fault)
{
	const struct service_model *m = x->route.model;
	const struct op *op = x->route.op;
	struct arena *a = &x->http->arena;
	void *in = arena_zalloc(a, m->shapes[op->in].size);
	int r;

	x->call.in = in;
	x->call.out = arena_zalloc(a, m->shapes[op->out].size);
	r = wire_decode(&x->route, x->http, a, in, ret_fault);
	return r < 0 ? r : wire_validate(m, x->route.protocol, op->in, in, a, ret_fault);
}

/* The route is complete and the caller known: decode, validate and run. */
static void run(struct exchange *x)
{
	const struct op *op = x->route.op;
	struct wire_fault fault = { 0 };
	int result;

	if (decode(x, &fault) < 0) {
		struct desc_error *e = arena_new(&x->http->arena, struct desc_error);

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
	result = call_run_read(&x->call);
	if (result == CALL_PARKED)
		park_wait(&x->call, parked_over, x);
	else
		finish(x, result);
}

/* Before the first byte of a streamed body: who is it, may they, and where do the bytes go. Answers the client on refusal. */
static int admit_stream(struct exchange *x)
{
	struct wire_fault fault = { 0 };
	int r;

	if (find_region(x) < 0 || signer_check(x, STR_NONE) < 0 || recordable(x) < 0)
		return -EACCES;
	prepare(x);
	if (decode(x, &fault) < 0) {
		exchange_refuse(x, fault.code, fault.status, "%.*s", STR(fault.message));
		return -EINVAL;
	}
	r = upload_open(x);
	if (r < 0) {
		finish(x, r);
		return r;
	}
	return upload_frame(x);
}

/* An operation that the model knows and we did not build, or that nobody knows. Never a quiet success. */
static void refuse_operation(struct exchange *x)
{
	if (x->route.known)
		exchange_refuse(x, "NotImplemented", 501, "The operation %.*s of %s is not implemented by this cloud.", STR(x->route.name),
				x->route.model->id);
	else if (exchange_speech(x) == SPEAK_JSON)
		exchange_refuse(x, "UnknownOperationException", 400, "The requested operation is not recognized: %.*s", STR(x->route.name));
	else if (exchange_speech(x) == SPEAK_S3)
		exchange_refuse(x, "MethodNotAllowed", 405, "The specified method is not allowed against this resource.");
	else
		exchange_refuse(x, "InvalidAction", 400, "The action %.*s is not valid for this web service.", STR(x->route.name));
}

/* --- from the HTTP front: the head, the body's pieces, its end, or the client has left --- */
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
	signer_read(x);
	r->body_mode = HTTP_BODY_MEMORY;
	r->body_max = CLOUD_BODY_BYTES_MAX;
	e = wire_find(cl->models, cl->n_services, r, STR_NONE, x->sig.service, cl->host_suffixes, &x->route);
	x->found = e == 0 && x->route.op;
	if (upload_large(x))
		return;
	if (!x->found || !(x->route.op->flags & OP_STREAM_IN) || !service_of(cl, x->route.model)->body_begin) {
		upload_limit(x);
		return;
	}
	x->streaming = true;
	r->body_mode = HTTP_BODY_REFUSE;
	if (admit_stream(x) < 0)
		return;
	r->body_mode = HTTP_BODY_STREAM;
	r->body_max = UINT64_MAX;
}

static int door_body(void *arg, struct http_request *r, struct str piece)
{
	struct exchange *x = r->user;

	if (x->visit.front)
		return x->visit.front->body(&x->visit, piece);
	return x->failed ? -ECANCELED : upload_piece(x, piece);
}

/* The request is there as a whole. */
static void complete(struct exchange *x)
{
	struct http_request *r = x->http;
	int e = x->found
			? 0
			: wire_find(x->cloud->models, x->cloud->n_services, r, r->body, x->sig.service, x->cloud->host_suffixes, &x->route);

	if (e < 0 || !x->route.model) {
		exchange_refuse(x, "UnknownService", 404, "No service of this cloud was named by the request.");
		return;
	}
	if (find_region(x) < 0 || signer_check(x, r->body.p ? r->body : S("")) < 0 || recordable(x) < 0)
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
		exchange_refuse(x, "ServiceUnavailable", 503, "The cloud is about to stop.");
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
		if (x->failed || upload_end(x) < 0)
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
	exchange_refuse(x, "RequestTimeout", 400,
			"Your socket connection to the server was not read from or written to within the timeout period.");
}

const struct http_handler cloud_http = { .headers = door_headers, .body = door_body, .done = door_done, .gone = door_gone };
