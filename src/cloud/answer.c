/* SPDX-License-Identifier: Apache-2.0 */
/* answer.c - how an exchange ends: one answer, in the words of the service that was asked. What the exchange holds is given back
 * just before, for the answer frees the request and the exchange with it. */
#include "cloud/exchange.h"

enum speech exchange_speech(const struct exchange *x)
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

void exchange_reply(struct exchange *x, struct wire_reply *w)
{
	struct http_request *r = x->http;
	struct http_reply reply = { .status = w->status, .headers = w->headers, .body = w->body, .head = str_is(r->method, "HEAD") };
	struct http_source src = { w->stream, source_read, source_close };

	for (size_t i = 0; i < x->call.n_headers && w->n_headers < ELEMENTS(w->headers); i++)
		w->headers[w->n_headers++] = x->call.headers[i];
	reply.n_headers = w->n_headers;
	if (w->stream && !w->stream->pipe) {
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
		if (x->call.put_off_us)
			x->cloud->put_off_us += (uint64_t)x->call.put_off_us;
	}
	release(x);
	x->replied = true;
	/* x is in the request's memory: not touched after this. */
	if (w->stream && w->stream->pipe)
		http_pipe_reply(r, &reply, w->stream->pipe);
	else
		http_reply(r, &reply);
}

void exchange_fail(struct exchange *x)
{
	const struct call *c = &x->call;
	struct wire_reply w = { 0 };

	x->failed = true;
	wire_encode_error(&x->route, c->err->code, c->err->status, c->err->sender, c->message, x->facts.request_id, c->extra, c->n_extra,
			  &x->http->arena, &w);
	exchange_reply(x, &w);
}

void exchange_refuse(struct exchange *x, const char *code, int status, const char *fmt, ...)
{
	struct wire_reply w = { 0 };
	struct str m;
	va_list ap;

	va_start(ap, fmt);
	m = str_vprintf(&x->http->arena, fmt, ap);
	va_end(ap);
	x->failed = true;
	wire_encode_error(&x->route, code, status, status < 500, m, x->facts.request_id, NULL, 0, &x->http->arena, &w);
	exchange_reply(x, &w);
}
