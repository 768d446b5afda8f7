/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_wire.h - what the fuzz targets of the wire layer do with a request: find, decode, validate, and promises about it.
 *
 * A decoded input written as our own JSON and read back gives the same JSON; any JSON read as the operation's output can be
 * encoded; header lines hold no line ends. */
#pragma once
#include "base/util.h"
#include "wire/wire.h"
#include <assert.h>
#include <errno.h>

#define X(m) extern const struct service_model m##_model;
MODELS
#undef X
static const struct service_model *const models[] = {
#define X(m) &m##_model,
	MODELS
#undef X
};

static void fuzz_encode(const struct wire_route *route, const struct json *out_json, struct arena *a)
{
	struct wire_fault fault = { 0 };
	struct wire_reply reply;
	void *out = arena_zalloc(a, route->model->shapes[route->op->out].size);

	wire_from_json(route->model, route->op->out, out_json, a, out, &fault); /* a refusal leaves a part, which encodes too */
	assert(wire_encode(route, out, S("id"), a, &reply) == 0);
	for (size_t i = 0; i < reply.n_headers; i++) {
		assert(str_find_char(reply.headers[i].value, '\n') < 0 && str_find_char(reply.headers[i].value, '\r') < 0);
		assert(str_find_char(reply.headers[i].name, '\n') < 0 && str_find_char(reply.headers[i].name, ' ') < 0);
	}
}

static void fuzz_request(struct http_request *r, struct str signing)
{
	static const char *const suffixes[] = { "localhost", NULL };
	struct arena *a = &r->arena;
	struct wire_fault fault = { 0 };
	struct wire_reply reply;
	struct wire_route route;
	struct json *j, *again;
	void *in, *back;

	r->has_body = r->body.n > 0;
	if (wire_find(models, ELEMENTS(models), r, r->body, signing, suffixes, &route) < 0)
		return;
	assert(route.model && (!route.op || route.name.p));
	wire_encode_error(&route, "SomeCode", 400, true, r->body, S("id"), NULL, 0, a, &reply);
	if (!route.op)
		return;
	in = arena_zalloc(a, route.model->shapes[route.op->in].size);
	if (wire_decode(&route, r, a, in, &fault) < 0) {
		assert(fault.code && fault.status >= 400 && fault.message.p);
		return;
	}
	if (wire_validate(route.model, route.protocol, route.op->in, in, a, &fault) < 0)
		assert(fault.code && fault.status >= 400 && fault.message.p);
	j = wire_to_json(route.model, route.op->in, in, a, false);
	wire_to_json(route.model, route.op->in, in, a, true);
	back = arena_zalloc(a, route.model->shapes[route.op->in].size);
	assert(wire_from_json(route.model, route.op->in, j, a, back, &fault) == 0);
	again = wire_to_json(route.model, route.op->in, back, a, false);
	assert(str_eq(json_text(a, j), json_text(a, again)));
	fuzz_encode(&route, j, a);
}
