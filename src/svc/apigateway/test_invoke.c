/* SPDX-License-Identifier: Apache-2.0 */
/* test_invoke.c - tests of methods and authorizers as they are being edited: a visit without a connection.
 *
 * It goes through the same steps as a client's, but nobody asks who it is: the right to test is what was checked. Its memory is the
 * call's, which is parked until the answer is there. Backends, functions and services are really called. */
#include "svc/apigateway/front.h"
#include <errno.h>

#define METHOD_STAGE "test-invoke-stage"
#define AUTHORIZER_STAGE "ESTestInvoke-stage"

struct test {
	struct visit v; /* first */
	struct front_request f;
	struct http_request http;
	struct call_park *park;
	struct served_method method; /* of an authorizer's test: nothing but that authorizer */
	struct apigw_rec_method m;
	struct apigw_rec_resource res;
};

struct asked { /* what both tests are told */
	struct str path, body;
	const struct str_map *headers, *variables;
	const struct apigateway_map_of_string_to_list_map *many;
};

static void set_headers(struct call *c, struct http_request *h, const struct asked *q)
{
	size_t n = q->headers->n;

	for (size_t i = 0; i < q->many->n; i++)
		n += q->many->v[i].value.n;
	h->headers = arena_array(c->arena, struct http_header, n);
	for (size_t i = 0; i < q->headers->n; i++)
		h->headers[h->n_headers++] = (struct http_header){ q->headers->v[i].key, q->headers->v[i].value };
	for (size_t i = 0; i < q->many->n; i++)
		for (size_t k = 0; k < q->many->v[i].value.n; k++)
			h->headers[h->n_headers++] = (struct http_header){ q->many->v[i].key, q->many->v[i].value.v[k] };
}

/* test_new: a visit of the API as it is edited. Refuses; *ret is parked then not. */
static int test_new(struct call *c, struct str api, struct str verb, const struct asked *q, const char *stage, struct test **ret)
{
	struct test *t = arena_new(c->arena, struct test);
	struct visit *v = &t->v;
	struct str path, query;

	if (!c->http || !c->http->loop)
		return call_fail(c, &apigateway_err_bad_request, "Tests are for clients of this cloud, not for calls from inside it.");
	t->http = (struct http_request){ .method = verb, .body = q->body, .tls = true, .loop = c->http->loop };
	if (!str_cut(q->path.n ? q->path : S("/"), '?', &path, &query))
		query = STR_NONE;
	t->http.path = path;
	t->http.query = query;
	t->http.host = S("testPrefix.testDomainName");
	set_headers(c, &t->http, q);
	t->f = (struct front_request){ .front = &apigateway_front, .cloud = c->cloud, .http = &t->http, .facts = c->facts };
	t->f.facts.request_id = random_uuid(c->arena);
	*v = (struct visit){
		.f = &t->f, .a = c->arena, .cl = c->cloud, .http = &t->http, .begun = true, .api = api, .account = c->account
	};
	v->method = verb;
	v->body = q->body;
	v->raw_path = path.n && path.p[0] == '/' ? path : str_printf(c->arena, "/%.*s", STR(path));
	v->stage_name = str_c(stage);
	v->variables = *q->variables;
	v->now_ms = c->now_ms;
	v->started_mono_ms = clock_mono_ms();
	v->source_ip = S("test-invoke-source-ip");
	v->domain_prefix = S("testPrefix");
	v->extended_id = visit_extended_id(v);
	v->key_value = S("test-invoke-api-key");
	v->key.id = S("test-invoke-api-key-id");
	v->who = *c->who;
	v->log.wants = EXEC_ERROR | EXEC_INFO | EXEC_TRACE;
	v->served = served_draft(c, api);
	if (!v->served)
		return call_fail(c, &apigateway_err_not_found, "Invalid API identifier specified %.*s:%.*s", STR(c->account), STR(api));
	*ret = t;
	return 0;
}

/* test_start parks the call and does the visit's steps; to be returned by the handler. */
static int test_start(struct call *c, struct test *t, void (*done)(struct visit *v), void (*begin)(struct visit *v))
{
	struct visit *v = &t->v;

	t->park = region_use(c->region) ? call_park(c) : NULL;
	if (!t->park) {
		served_put(v->served);
		return -EDEADLK;
	}
	v->region = c->region;
	v->test_done = done;
	begin(v);
	return CALL_PARKED;
}

static void test_over(struct visit *v, int (*finish)(struct call *c, void *arg))
{
	struct test *t = (struct test *)v;

	region_unuse(v->region);
	call_unpark(t->park, finish, t);
}

/* --- methods --- */
static const struct served_node *node_of(const struct served_node *n, struct str resource)
{
	const struct served_node *found = n && str_eq(n->resource->id, resource) ? n : NULL;

	for (size_t i = 0; n && !found && i < n->n_children; i++)
		found = node_of(n->children[i], resource);
	return found;
}

static const struct served_method *method_named(const struct served_node *n, struct str verb)
{
	const struct served_method *any = NULL;

	for (size_t i = 0; n && i < n->n_methods; i++) {
		if (str_eq(n->methods[i].name, verb))
			return &n->methods[i];
		if (str_is(n->methods[i].name, "ANY"))
			any = &n->methods[i];
	}
	return any;
}

/* fits: has the path as many parts as the resource? Then they are its parameters. */
static bool fits(const struct visit *v)
{
	struct str rest = v->m->resource->path, part;
	size_t n = 0;
	bool greedy = false;

	while (str_next(&rest, '/', &part))
		if (part.n) {
			n++;
			greedy = str_ends(part, S("+}"));
		}
	return greedy ? v->n_segments >= n : v->n_segments == n;
}

static void begin_method(struct visit *v)
{
	if (visit_parse(v) != 0)
		return;
	if (fits(v))
		visit_route_parameters(v);
	v->arn = visit_source_arn(v);
	v->step = visit_step_validate;
	visit_run(v);
}

static int method_finish(struct call *c, void *arg)
{
	struct test *t = arg;
	struct visit *v = &t->v;
	struct apigateway_test_invoke_method_response *out = c->out;
	size_t cap = 0;

	out->status = OPT_INT(v->out.status);
	out->body = v->out.body.p ? str_dup(c->arena, v->out.body) : S("");
	out->latency = OPT_INT(clock_mono_ms() - v->started_mono_ms);
	out->log = visit_log_text(v);
	for (size_t i = 0; i < v->out.n; i++) {
		struct str name = str_dup(c->arena, v->out.headers[i].name), value = str_dup(c->arena, v->out.headers[i].value);
		struct str_list *list = NULL;

		for (size_t k = 0; k < out->headers.n; k++)
			if (str_eq_ci(out->headers.v[k].key, name)) {
				out->headers.v[k].value = value;
				list = &out->multi_value_headers.v[k].value;
			}
		if (!list) {
			size_t same = cap;

			vec_push(c->arena, out->headers.v, out->headers.n, cap) = (struct str_pair){ name, value };
			vec_push(c->arena, out->multi_value_headers.v, out->multi_value_headers.n,
				 same) = (struct apigateway_map_of_string_to_list_map_entry){ .key = name };
			list = &out->multi_value_headers.v[out->multi_value_headers.n - 1].value;
			list->v = arena_array(c->arena, struct str, v->out.n);
		}
		list->v[list->n++] = value;
	}
	served_put(v->served);
	return 0;
}

static void method_done(struct visit *v)
{
	test_over(v, method_finish);
}

APIGW_HANDLER(test_invoke_method, test_invoke_method_request, test_invoke_method_response)
{
	struct asked q = { in->path_with_query_string, in->body, &in->headers, &in->stage_variables, &in->multi_value_headers };
	struct apigw_rec_resource res;
	struct apigw_rec_api api;
	struct test *t;
	int r = apigw_api(c, in->rest_api_id, &api);

	if (r == 0)
		r = apigw_part(c, &apigw_resource_kind, api.id, in->resource_id, &res);
	if (r == 0 && !q.path.n)
		q.path = res.path;
	if (r == 0)
		r = test_new(c, api.id, in->http_method, &q, METHOD_STAGE, &t);
	if (r < 0)
		return r;
	t->v.node = node_of(t->v.served->root, in->resource_id);
	t->v.m = method_named(t->v.node, in->http_method);
	if (t->v.m && t->v.m->m->method_integration)
		return test_start(c, t, method_done, begin_method);
	served_put(t->v.served);
	return call_fail(c, &apigateway_err_not_found,
			 t->v.m ? "Invalid Integration identifier specified" : "Invalid Method identifier specified");
}

/* --- authorizers --- */
static void begin_authorizer(struct visit *v)
{
	int r = visit_parse(v);

	v->arn = visit_source_arn(v);
	if (r == 0)
		r = visit_authorizer(v);
	if (r < 0)
		(void)visit_refuse(v, GW_DEFAULT_5XX, STR_NONE);
}

static int authorizer_finish(struct call *c, void *arg)
{
	struct test *t = arg;
	struct visit *v = &t->v;
	struct apigateway_test_invoke_authorizer_response *out = c->out;

	out->client_status = OPT_INT(v->out.status); /* 0: it authorized, whatever for */
	out->latency = OPT_INT(clock_mono_ms() - v->started_mono_ms);
	out->log = visit_log_text(v);
	if (!v->out.status) {
		out->principal_id = v->principal_id;
		out->policy = v->authorizer_policy;
	}
	served_put(v->served);
	return 0;
}

static void authorizer_done(struct visit *v)
{
	test_over(v, authorizer_finish);
}

APIGW_HANDLER(test_invoke_authorizer, test_invoke_authorizer_request, test_invoke_authorizer_response)
{
	struct asked q = { in->path_with_query_string, in->body, &in->headers, &in->stage_variables, &in->multi_value_headers };
	struct apigw_rec_authorizer z;
	struct test *t;
	int r = apigw_part(c, &apigw_authorizer_kind, in->rest_api_id, in->authorizer_id, &z);

	if (r == 0)
		r = test_new(c, in->rest_api_id, S("GET"), &q, AUTHORIZER_STAGE, &t);
	if (r < 0)
		return r;
	t->m = (struct apigw_rec_method){ .http_method = S("GET"), .authorization_type = S("CUSTOM"), .authorizer_id = z.id };
	t->res = (struct apigw_rec_resource){ .id = S("test-invoke-resource-id"), .path = S("/") };
	t->method = (struct served_method){ .name = S("GET"), .m = &t->m, .resource = &t->res };
	for (size_t i = 0; i < t->v.served->snap.authorizers.n; i++)
		if (str_eq(t->v.served->snap.authorizers.v[i].id, z.id))
			t->method.authorizer = &t->v.served->snap.authorizers.v[i];
	t->v.m = &t->method;
	return test_start(c, t, authorizer_done, begin_authorizer);
}
