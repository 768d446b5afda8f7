/* SPDX-License-Identifier: Apache-2.0 */
/* wire_tool.c - the wire layer behind lines of JSON, for tests that compare it with botocore. Not installed.
 *
 * Each line on standard input is an object with "cmd"; each answer is one line:
 *   list                                        the models with their operations and protocols
 *   request  {method, target, headers, body, signing, suffixes, no_body}   find, decode and validate
 *   response {model, op, protocol, json_1_0, out}          encode an output given as internal JSON
 *   error    {model, op, protocol, json_1_0, code, status, sender, message, extra}
 *   path     {model, op, in, path}              what an overlay path finds, and whether it is present
 *   redact   {model, op, in}                    the trail's form of an input
 * Bodies travel as base64. */
#include <assert.h>
#include <errno.h>

#include "base/util.h"
#include "wire/wire.h"

#define X(m) extern const struct service_model m##_model;
MODELS
#undef X
static const struct service_model *const models[] = {
#define X(m) &m##_model,
	MODELS
#undef X
};
static const char *const protocol_names[] = { "query", "ec2", "json", "rest-json", "rest-xml" };

static const struct service_model *model_named(struct str name)
{
	for (size_t i = 0; i < ELEMENTS(models); i++)
		if (str_is(name, models[i]->name))
			return models[i];
	return NULL;
}

static struct str bytes_of(struct arena *a, const struct json *j)
{
	struct str s = json_str(j), r;

	if (!s.p || base64_decode(a, s, &r) < 0)
		return STR_NONE;
	return r.p ? r : S("");
}

static void do_list(struct arena *a, struct json *ret)
{
	struct json *list = json_new(a, JSON_ARRAY);

	for (size_t i = 0; i < ELEMENTS(models); i++) {
		const struct service_model *m = models[i];
		struct json *o = json_new(a, JSON_OBJECT), *ops = json_new(a, JSON_ARRAY), *ps = json_new(a, JSON_ARRAY);

		json_set_str(a, o, "name", str_c(m->name));
		json_set_str(a, o, "id", str_c(m->id));
		json_set_str(a, o, "signing", str_c(m->signing[0]));
		json_set_str(a, o, "version", str_c(m->api_version));
		for (size_t k = 0; k < m->n_ops; k++)
			json_push(a, ops, json_new_str(a, str_c(m->ops[k].name)));
		for (size_t k = 0; k < m->n_protocols; k++)
			json_push(a, ps, json_new_str(a, str_c(protocol_names[m->protocols[k]])));
		json_set(a, o, S("ops"), ops);
		json_set(a, o, S("protocols"), ps);
		json_push(a, list, o);
	}
	json_set(a, ret, S("models"), list);
}

static void fill_request(struct http_request *r, const struct json *j)
{
	const struct json *h = json_getz(j, "headers");
	struct str target = json_get_str(j, "target");

	r->method = json_get_str(j, "method");
	r->target = target;
	str_cut(target, '?', &r->path, &r->query);
	r->headers = arena_array(&r->arena, struct http_header, h ? h->n : 0);
	for (size_t i = 0; h && i < h->n; i++)
		r->headers[i] = (struct http_header){ json_str(&h->items[i].items[0]), json_str(&h->items[i].items[1]) };
	r->n_headers = h ? h->n : 0;
	r->body = bytes_of(&r->arena, json_getz(j, "body"));
	r->has_body = r->body.n > 0;
	r->content_length = r->body.n;
	r->host = json_get_str(j, "host");
}

static void put_fault(struct arena *a, struct json *ret, const struct wire_fault *f)
{
	json_set_str(a, ret, "code", str_c(f->code));
	json_set_int(a, ret, "status", f->status);
	json_set_str(a, ret, "message", f->message);
}

static void do_request(struct arena *a, const struct json *j, struct json *ret)
{
	struct http_request r = { 0 };
	struct wire_route route;
	struct wire_fault fault = { 0 };
	const struct json *sj = json_getz(j, "suffixes");
	const char *suffixes[9] = { 0 };
	struct str body;
	void *in;
	int e;

	for (size_t i = 0; sj && i < sj->n && i < 8; i++)
		suffixes[i] = str_z(a, json_str(&sj->items[i]));
	fill_request(&r, j);
	body = json_to_bool(json_getz(j, "no_body"), false) ? STR_NONE : r.body;
	e = wire_find(models, ELEMENTS(models), &r, body, json_get_str(j, "signing"), suffixes, &route);
	json_set_int(a, ret, "find", e);
	if (e < 0)
		goto out;
	json_set_str(a, ret, "model", str_c(route.model ? route.model->name : NULL));
	json_set_str(a, ret, "op", str_c(route.op ? route.op->name : NULL));
	json_set_str(a, ret, "known", str_c(route.known ? route.known->name : NULL));
	json_set_str(a, ret, "name", str_dup(a, route.name));
	json_set_str(a, ret, "bucket", str_dup(a, route.bucket));
	json_set_str(a, ret, "protocol", str_c(protocol_names[route.protocol]));
	json_set_bool(a, ret, "json_1_0", route.json_1_0);
	if (!route.op)
		goto out;
	in = arena_zalloc(a, route.model->shapes[route.op->in].size);
	e = wire_decode(&route, &r, a, in, &fault);
	json_set_int(a, ret, "decode", e);
	if (e < 0) {
		put_fault(a, ret, &fault);
		goto out;
	}
	e = wire_validate(route.model, route.protocol, route.op->in, in, a, &fault);
	json_set_int(a, ret, "validate", e);
	if (e < 0)
		put_fault(a, ret, &fault);
	json_set(a, ret, S("in"), json_copy(a, wire_to_json(route.model, route.op->in, in, a, false)));
out:
	arena_done(&r.arena);
}

static bool fill_route(const struct json *j, struct wire_route *route)
{
	struct str p = json_get_str(j, "protocol");

	memset(route, 0, sizeof *route);
	route->model = model_named(json_get_str(j, "model"));
	route->op = route->model ? wire_op(route->model, json_get_str(j, "op")) : NULL;
	route->json_1_0 = json_to_bool(json_getz(j, "json_1_0"), false);
	for (size_t i = 0; i < ELEMENTS(protocol_names); i++)
		if (str_is(p, protocol_names[i]))
			route->protocol = (enum wire_protocol)i;
	return route->op != NULL;
}

static void put_reply(struct arena *a, struct json *ret, const struct wire_reply *reply)
{
	struct json *hs = json_new(a, JSON_ARRAY);

	for (size_t i = 0; i < reply->n_headers; i++) {
		struct json *h = json_new(a, JSON_ARRAY);

		json_push(a, h, json_new_str(a, reply->headers[i].name));
		json_push(a, h, json_new_str(a, reply->headers[i].value));
		json_push(a, hs, h);
	}
	json_set_int(a, ret, "status", reply->status);
	json_set(a, ret, S("headers"), hs);
	json_set_str(a, ret, "body", base64_encode(a, reply->body));
}

static void do_response(struct arena *a, const struct json *j, struct json *ret)
{
	struct wire_route route;
	struct wire_fault fault = { 0 };
	struct wire_reply reply;
	void *out;
	int e;

	if (!fill_route(j, &route)) {
		json_set_str(a, ret, "refused", S("no such operation"));
		return;
	}
	out = arena_zalloc(a, route.model->shapes[route.op->out].size);
	e = wire_from_json(route.model, route.op->out, json_getz(j, "out"), a, out, &fault);
	if (e < 0) {
		json_set_str(a, ret, "refused", fault.message);
		return;
	}
	e = wire_encode(&route, out, S("7a62c49f-347e-4fc4-9331-6e8eEXAMPLE"), a, &reply);
	json_set_int(a, ret, "encode", e);
	put_reply(a, ret, &reply);
}

static void do_error(struct arena *a, const struct json *j, struct json *ret)
{
	const struct json *x = json_getz(j, "extra");
	struct str_pair extra[8] = { 0 };
	struct wire_route route;
	struct wire_reply reply;
	int64_t status = 400;
	size_t n = 0;

	fill_route(j, &route);
	for (; x && n < x->n && n < 8; n++)
		extra[n] = (struct str_pair){ x->members[n].key, json_str(&x->members[n].value) };
	json_to_i64(json_getz(j, "status"), &status);
	wire_encode_error(&route, str_z(a, json_get_str(j, "code")), (int)status, json_to_bool(json_getz(j, "sender"), true),
			  json_get_str(j, "message"), S("7a62c49f-347e-4fc4-9331-6e8eEXAMPLE"), extra, n, a, &reply);
	put_reply(a, ret, &reply);
}

struct found {
	struct arena *a;
	struct json *list;
};

static void on_found(struct str value, void *arg)
{
	struct found *f = arg;

	json_push(f->a, f->list, json_new_str(f->a, value));
}

static void do_input(struct arena *a, const struct json *j, struct json *ret, bool redact)
{
	struct found f = { a, json_new(a, JSON_ARRAY) };
	struct wire_route route;
	struct wire_fault fault = { 0 };
	const char *path;
	void *in;

	if (!fill_route(j, &route))
		return;
	in = arena_zalloc(a, route.model->shapes[route.op->in].size);
	if (wire_from_json(route.model, route.op->in, json_getz(j, "in"), a, in, &fault) < 0) {
		json_set_str(a, ret, "refused", fault.message);
		return;
	}
	if (redact) {
		json_set(a, ret, S("in"), wire_to_json(route.model, route.op->in, in, a, true));
		return;
	}
	path = str_z(a, json_get_str(j, "path"));
	json_set_int(a, ret, "count", wire_path(route.model, route.op->in, in, path, a, on_found, &f));
	json_set(a, ret, S("values"), f.list);
	json_set_bool(a, ret, "present", wire_present(route.model, route.op->in, in, path));
}

static void answer(struct arena *a, struct str line)
{
	struct json *j, *ret = json_new(a, JSON_OBJECT);
	struct buf b;
	struct str cmd;

	if (json_parse(a, line, &j, NULL) < 0) {
		json_set_str(a, ret, "refused", S("not JSON"));
	} else {
		cmd = json_get_str(j, "cmd");
		if (str_is(cmd, "list"))
			do_list(a, ret);
		else if (str_is(cmd, "request"))
			do_request(a, j, ret);
		else if (str_is(cmd, "response"))
			do_response(a, j, ret);
		else if (str_is(cmd, "error"))
			do_error(a, j, ret);
		else if (str_is(cmd, "path") || str_is(cmd, "redact"))
			do_input(a, j, ret, str_is(cmd, "redact"));
	}
	buf_init(&b, 64u << 20);
	json_write(&b, ret);
	buf_c(&b, '\n');
	if (fwrite(b.p, 1, b.n, stdout) != b.n || fflush(stdout) != 0)
		exit(1);
	buf_done(&b);
}

int main(void)
{
	struct arena a = { 0 };
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	while ((n = getline(&line, &cap, stdin)) > 0) {
		answer(&a, str_of(line, (size_t)n));
		arena_reset(&a);
	}
	free(line);
	arena_done(&a);
	return 0;
}
