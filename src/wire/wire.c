/* SPDX-License-Identifier: Apache-2.0 */
/* wire.c - requests in, answers and errors out, by the protocol that the request chose. */
#include "wire/wire.h"

#include <assert.h>
#include <errno.h>

#include "base/util.h"
#include "wire/impl.h"

int wire_decode(const struct wire_route *route, struct http_request *r, struct arena *a, void *in, struct wire_fault *fault)
{
	struct codec c = { .m = route->model, .shapes = route->model->shapes, .a = a, .fault = fault, .p = route->protocol };
	const struct desc_shape *s = &route->model->shapes[route->op->in];

	assert(s->kind == DK_STRUCT);
	switch (route->protocol) {
	case WIRE_QUERY:
	case WIRE_EC2:
		return query_decode(&c, s, r->query, r->body, in);
	case WIRE_JSON:
		return json_decode_body(&c, s, r->body, in, false);
	case WIRE_REST_JSON:
	case WIRE_REST_XML:
		return rest_decode(&c, route, r, in);
	}
	return -EINVAL;
}

static void put_request_id(const struct wire_route *route, struct str id, struct arena *a, struct wire_reply *ret)
{
	if (is_s3(route->model)) {
		reply_header(ret, a, S("x-amz-request-id"), id);
		reply_header(ret, a, S("x-amz-id-2"), base64_encode(a, id));
	} else {
		reply_header(ret, a, S("x-amzn-RequestId"), id);
	}
}

static struct str json_type(const struct wire_route *route)
{
	return route->json_1_0 ? S("application/x-amz-json-1.0") : S("application/x-amz-json-1.1");
}

static void encode_query(struct codec *c, const struct wire_route *route, const void *out, struct str id, struct buf *b)
{
	const struct op *op = route->op;
	const struct desc_shape *s = &c->shapes[op->out];
	const char *root = str_printf(c->a, "%sResponse", op->name).p;

	if (c->p == WIRE_EC2) {
		buf_str(b, S("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"));
		xml_open(b, root, c->m->xmlns);
		xml_leaf(b, "requestId", id);
		xml_encode_struct(c, b, s, out, false);
		xml_close(b, root);
		return;
	}
	xml_open(b, root, c->m->xmlns);
	if (op->wrapper)
		xml_open(b, op->wrapper, NULL);
	xml_encode_struct(c, b, s, out, false);
	if (op->wrapper)
		xml_close(b, op->wrapper);
	xml_open(b, "ResponseMetadata", NULL);
	xml_leaf(b, "RequestId", id);
	xml_close(b, "ResponseMetadata");
	xml_close(b, root);
}

static int finish(struct buf *b, struct arena *a, struct wire_reply *ret)
{
	bool ok = buf_ok(b);

	ret->body = ok ? str_dup(a, buf_view(b)) : S("");
	buf_done(b);
	return ok ? 0 : -E2BIG;
}

int wire_encode(const struct wire_route *route, const void *out, struct str request_id, struct arena *a, struct wire_reply *ret)
{
	struct codec c = { .m = route->model, .shapes = route->model->shapes, .a = a, .p = route->protocol };
	const struct op *op = route->op;
	struct buf b;

	ret->status = op->status;
	ret->n_headers = 0;
	ret->body = S("");
	ret->stream = NULL;
	put_request_id(route, request_id, a, ret);
	buf_init(&b, WIRE_REPLY_BYTES_MAX);
	(void)buf_reserve(&b, WIRE_REPLY_BYTES_USUAL);
	switch (route->protocol) {
	case WIRE_QUERY:
	case WIRE_EC2:
		reply_header(ret, a, S("Content-Type"), route->protocol == WIRE_EC2 ? S("text/xml;charset=UTF-8") : S("text/xml"));
		encode_query(&c, route, out, request_id, &b);
		break;
	case WIRE_JSON:
		reply_header(ret, a, S("Content-Type"), json_type(route));
		json_encode_struct(&c, &b, &c.shapes[op->out], out, false);
		break;
	case WIRE_REST_JSON:
	case WIRE_REST_XML:
		rest_encode(&c, route, out, &b, ret);
		break;
	}
	return finish(&b, a, ret);
}

/* --- errors --- */

/* The operation's declared error with this code on the wire or this shape; NULL when it is not declared. */
static const struct desc_error *declared(const struct wire_route *route, const char *code)
{
	for (const struct desc_error *const *e = route->op ? route->op->errors : NULL; e && *e; e++)
		if (strcmp((*e)->code, code) == 0 || strcmp((*e)->shape, code) == 0)
			return *e;
	return NULL;
}

static void put_extra(struct buf *b, const struct str_pair *extra, size_t n, struct arena *a)
{
	for (size_t i = 0; i < n; i++)
		xml_leaf(b, str_z(a, extra[i].key), extra[i].value);
}

static void xml_error(const struct wire_route *route, const char *code, bool sender, struct str message, struct str id,
		      const struct str_pair *extra, size_t n_extra, struct arena *a, struct buf *b)
{
	if (is_s3(route->model)) {
		buf_str(b, S("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>"));
		xml_leaf(b, "Code", str_c(code));
		xml_leaf(b, "Message", message);
		put_extra(b, extra, n_extra, a);
		xml_leaf(b, "RequestId", id);
		xml_leaf(b, "HostId", base64_encode(a, id));
		buf_str(b, S("</Error>"));
		return;
	}
	if (route->protocol == WIRE_EC2) {
		buf_str(b, S("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error>"));
		xml_leaf(b, "Code", str_c(code));
		xml_leaf(b, "Message", message);
		put_extra(b, extra, n_extra, a);
		buf_str(b, S("</Error></Errors>"));
		xml_leaf(b, "RequestID", id);
		buf_str(b, S("</Response>"));
		return;
	}
	if (route->protocol == WIRE_REST_XML)
		buf_str(b, S("<?xml version=\"1.0\"?>\n"));
	xml_open(b, "ErrorResponse", route->model ? route->model->xmlns : NULL);
	xml_open(b, "Error", NULL);
	xml_leaf(b, "Type", sender ? S("Sender") : S("Receiver"));
	xml_leaf(b, "Code", str_c(code));
	xml_leaf(b, "Message", message);
	put_extra(b, extra, n_extra, a);
	xml_close(b, "Error");
	xml_leaf(b, "RequestId", id);
	xml_close(b, "ErrorResponse");
}

static void json_error(const struct wire_route *route, const char *code, bool sender, struct str message, const struct str_pair *extra,
		       size_t n_extra, struct arena *a, struct buf *b, struct wire_reply *ret)
{
	const struct desc_error *e = declared(route, code);
	const char *shape = e ? e->shape : code;
	struct json *o = json_new(a, JSON_OBJECT);

	json_set_str(a, o, "__type", str_c(shape));
	json_set_str(a, o, e && e->message ? e->message : "message", message.p ? message : S(""));
	for (size_t i = 0; i < n_extra; i++)
		json_set(a, o, extra[i].key, json_new_str(a, extra[i].value));
	json_write(b, o);
	if (route->protocol == WIRE_REST_JSON)
		reply_header(ret, a, S("x-amzn-errortype"), str_c(shape));
	if (route->model && route->model->query_compatible)
		reply_header(ret, a, S("x-amzn-query-error"), str_printf(a, "%s;%s", e ? e->code : code, sender ? "Sender" : "Receiver"));
}

void wire_encode_error(const struct wire_route *route, const char *code, int status, bool sender, struct str message, struct str request_id,
		       const struct str_pair *extra, size_t n_extra, struct arena *a, struct wire_reply *ret)
{
	bool json = route->protocol == WIRE_JSON || route->protocol == WIRE_REST_JSON;
	const char *method = route->op ? route->op->method : route->known ? route->known->method : "";
	struct buf b;

	ret->status = status;
	ret->n_headers = 0;
	ret->body = S("");
	ret->stream = NULL;
	put_request_id(route, request_id, a, ret);
	buf_init(&b, WIRE_REPLY_BYTES_MAX);
	if (status != 304 && strcmp(method, "HEAD") != 0) {
		if (json)
			json_error(route, code, sender, message, extra, n_extra, a, &b, ret);
		else
			xml_error(route, code, sender, message, request_id, extra, n_extra, a, &b);
		reply_header(ret, a, S("Content-Type"),
			     route->protocol == WIRE_JSON        ? json_type(route)
			     : route->protocol == WIRE_REST_JSON ? S("application/json")
			     : is_s3(route->model)               ? S("application/xml")
								 : S("text/xml"));
	}
	finish(&b, a, ret);
}
