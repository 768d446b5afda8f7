/* SPDX-License-Identifier: Apache-2.0 */
/* inward.c - requests in a service's own protocol that are made from inside, by a principal that needs no signature.
 *
 * They are routed, decoded, validated, authorized, run and recorded as those that come over the port are. */
#include "cloud/cloud_int.h"
#include "cloud/inward.h"
#include <assert.h>
#include <errno.h>

struct inward {
	struct inner inner;
	struct wire_route route;
	struct arena *arena;
	void (*done)(void *arg, struct wire_reply *w);
	void *arg;
	struct body body; /* of a streamed request, from memory */
	struct str rest;
};

static ssize_t rest_read(struct body *b, char *buf, size_t n)
{
	struct inward *x = (struct inward *)((char *)b - offsetof(struct inward, body));

	if (n > x->rest.n)
		n = x->rest.n;
	memcpy(buf, x->rest.p, n);
	x->rest = str_skip(x->rest, n);
	return (ssize_t)n;
}

static void rest_free(struct body *b)
{
}

static void refuse(struct inward *x, const char *code, int status, struct str message)
{
	struct wire_reply w = { 0 };

	wire_encode_error(&x->route, code, status, status < 500, message, x->inner.call.facts.request_id, NULL, 0, x->arena, &w);
	x->done(x->arg, &w);
}

static void over(void *arg, int result, const struct call_error *error)
{
	struct inward *x = arg;
	struct call *c = &x->inner.call;
	struct wire_reply w = { 0 };

	if (result < 0) {
		wire_encode_error(&x->route, error->err->code, error->err->status, error->err->sender, error->message, c->facts.request_id,
				  c->extra, c->n_extra, x->arena, &w);
	} else if (wire_encode(&x->route, c->out, c->facts.request_id, x->arena, &w) < 0) {
		log_line(LOG_ERROR, "%s.%s: the answer cannot be encoded", c->svc->model->name, c->op->name);
		refuse(x, "InternalFailure", 500, S("We encountered an internal error. Please try again."));
		return;
	} else if (c->status) {
		w.status = c->status;
	}
	for (size_t i = 0; i < c->n_headers && w.n_headers < ELEMENTS(w.headers); i++)
		w.headers[w.n_headers++] = c->headers[i];
	x->done(x->arg, &w);
}

/* payload: the body of a streaming operation is read from memory. */
static void payload(struct inward *x, const struct desc_shape *shape, char *in)
{
	for (size_t i = 0; i < shape->n_members; i++)
		if (x->route.model->shapes[shape->members[i].shape].kind == DK_BODY)
			*(struct body **)(void *)(in + shape->members[i].offset) = &x->body;
}

static void run(struct inward *x, struct http_request *q)
{
	const struct service_model *m = x->route.model;
	const struct op *op = x->route.op;
	struct wire_fault fault = { 0 };
	struct call *c = &x->inner.call;
	char *in = arena_zalloc(x->arena, m->shapes[op->in].size);

	c->in = in;
	c->out = arena_zalloc(x->arena, m->shapes[op->out].size);
	c->http = q;
	if (wire_decode(&x->route, q, x->arena, in, &fault) < 0 || wire_validate(m, x->route.protocol, op->in, in, x->arena, &fault) < 0) {
		refuse(x, fault.code, fault.status, fault.message);
		return;
	}
	if (op->flags & OP_STREAM_IN) {
		x->rest = q->body.p ? q->body : S("");
		x->body = (struct body){ .read = rest_read, .free = rest_free, .length = x->rest.n };
		payload(x, &m->shapes[op->in], in);
	}
	x->inner.done = over;
	x->inner.done_arg = x;
	inner_start(&x->inner);
}

int cloud_request_start(struct cloud *cl, struct region *r, const struct principal *who, const struct call_facts *facts, struct str signing,
			struct http_request *q, struct arena *a, void (*done)(void *arg, struct wire_reply *w), void *arg)
{
	struct inward *x = arena_new(a, struct inward);
	struct str body = q->body.p ? q->body : S("");

	x->arena = a;
	x->done = done;
	x->arg = arg;
	x->inner.call.facts = *facts;
	if (wire_find(cl->models, cl->n_services, q, body, signing, cl->host_suffixes, &x->route) < 0 || !x->route.model)
		return -ENOENT;
	if (!x->route.op && x->route.known)
		refuse(x, "NotImplemented", 501,
		       str_printf(a, "The operation %.*s of %s is not implemented by this cloud.", STR(x->route.name), x->route.model->id));
	else if (!x->route.op)
		refuse(x, "UnknownOperationException", 400, S("The requested operation is not recognized."));
	else {
		call_prepare(&x->inner.call, cl, r, service_of(cl, x->route.model), x->route.op, a, who, facts);
		run(x, q);
	}
	return 0;
}
