/* SPDX-License-Identifier: Apache-2.0 */
/* integration_aws.c - services of this cloud as backends: the request is made in the service's own protocol, through the door, as the
 * integration's role (or as the caller).
 *
 * "arn:aws:apigateway:REGION:SERVICE:path/PATH" is a request for that path, "...:action/NAME&PARAMETER=VALUE" the operation of a
 * service that has named ones. Sources: "x-amazon-apigateway-integration object", "API Gateway integration request". */
#include "cloud/inward.h"
#include "svc/apigateway/front.h"
#include <errno.h>

struct request {
	struct errand e; /* first */
	struct http_request http;
	int status;
	struct http_header *headers;
	size_t n_headers;
	struct str body;
};

/* What signs and names a request is ours to say. */
static bool is_ours(struct str name)
{
	static const char *const ours[] = { "host",
					    "authorization",
					    "x-amz-date",
					    "x-amz-security-token",
					    "x-amz-content-sha256",
					    "x-amz-decoded-content-length",
					    "x-amz-trailer" };

	for (size_t i = 0; i < ELEMENTS(ours); i++)
		if (str_eq_ci(name, str_c(ours[i])))
			return true;
	return false;
}

static void set_header(struct request *w, size_t room, const char *name, struct str value)
{
	for (size_t i = 0; i < w->http.n_headers; i++)
		if (str_eq_ci(w->http.headers[i].name, str_c(name))) {
			w->http.headers[i].value = value;
			return;
		}
	if (w->http.n_headers < room)
		w->http.headers[w->http.n_headers++] = (struct http_header){ str_c(name), value };
}

/* action: the request of an operation by its name. */
static int action(struct request *w, const struct service_model *m, size_t room, struct str resource)
{
	struct arena *a = &w->e.arena;
	struct str name = resource, more = STR_NONE;
	ptrdiff_t at = str_find_char(resource, '&'), mark = str_find_char(resource, '?');

	if (at < 0 || (mark >= 0 && mark < at))
		at = mark;
	if (at >= 0) {
		name = str_of(resource.p, (size_t)at);
		more = str_skip(resource, (size_t)at + 1);
	}
	w->http.method = S("POST");
	w->http.path = w->http.target = S("/");
	if (m->protocols[0] == WIRE_JSON) {
		set_header(w, room, "X-Amz-Target", str_printf(a, "%s.%.*s", m->target_prefix, STR(name)));
		set_header(w, room, "Content-Type", str_printf(a, "application/x-amz-json-%s", m->json_version ? m->json_version : "1.1"));
		if (!w->http.body.n)
			w->http.body = S("{}");
		return 0;
	}
	if (m->protocols[0] != WIRE_QUERY && m->protocols[0] != WIRE_EC2)
		return -EINVAL;
	w->http.body = str_printf(a, "Action=%.*s%s%.*s%s%.*s", STR(name), more.n ? "&" : "", STR(more),
				  w->http.body.n && w->http.body.p[0] != '{' ? "&" : "",
				  w->http.body.n && w->http.body.p[0] != '{' ? (int)w->http.body.n : 0,
				  w->http.body.p ? w->http.body.p : "");
	if (str_find(more, S("Version=")) < 0)
		w->http.body = str_printf(a, "%.*s&Version=%s", STR(w->http.body), m->api_version);
	set_header(w, room, "Content-Type", S("application/x-www-form-urlencoded"));
	return 0;
}

/* path: the request itself. A name in front of the service's ("bucket.s3") is the first part of the path. */
static void path(struct request *w, struct str front, struct str resource)
{
	struct str rest;

	if (!str_cut(resource, '?', &resource, &rest))
		rest = STR_NONE;
	w->http.query = rest;
	if (front.n)
		w->http.path = str_printf(&w->e.arena, "/%.*s/%.*s", STR(front), STR(resource));
	else
		w->http.path = str_printf(&w->e.arena, "/%.*s", STR(resource));
	w->http.target = w->http.query.p ? str_printf(&w->e.arena, "%.*s?%.*s", STR(w->http.path), STR(rest)) : w->http.path;
}

static int build(struct request *w, const struct integration_request *q, const struct arn *arn, const struct service_model *m,
		 struct str front)
{
	struct arena *a = &w->e.arena;
	size_t room = q->n + 2;

	w->http = (struct http_request){ .method = str_dup(a, q->method), .host = S("127.0.0.1"), .tls = true, .has_body = q->body.n > 0 };
	w->http.body = q->body.n ? str_dup(a, q->body) : STR_NONE;
	w->http.content_length = q->body.n;
	w->http.headers = arena_array(a, struct http_header, room);
	for (size_t i = 0; i < q->n; i++)
		if (!is_ours(q->headers[i].name))
			w->http.headers[w->http.n_headers++] = (struct http_header){ str_dup(a, q->headers[i].name),
										     str_dup(a, q->headers[i].value) };
	if (str_starts(arn->resource, S("action/")))
		return action(w, m, room, str_dup(a, str_skip(arn->resource, 7)));
	if (!str_starts(arn->resource, S("path/")))
		return -EINVAL;
	path(w, front, str_dup(a, str_skip(arn->resource, 5)));
	return 0;
}

/* On any thread. */
static void answered(void *arg, struct wire_reply *reply)
{
	struct request *w = arg;
	struct arena *a = &w->e.arena;
	int r = 0;

	w->status = reply->status;
	w->headers = arena_array(a, struct http_header, reply->n_headers);
	for (size_t i = 0; i < reply->n_headers; i++)
		if (!str_eq_ci(reply->headers[i].name, S("content-length")))
			w->headers[w->n_headers++] = reply->headers[i];
	w->body = reply->body;
	if (reply->stream) {
		if (reply->stream->length > VISIT_BODY_BYTES_MAX)
			r = -EMSGSIZE;
		else {
			char *p = arena_alloc(a, (size_t)reply->stream->length + 1);
			ssize_t n = 0;

			for (w->body = str_of(p, 0);
			     (n = reply->stream->read(reply->stream, p + w->body.n, (size_t)reply->stream->length - w->body.n)) > 0;)
				w->body.n += (size_t)n;
			r = n < 0 ? (int)n : w->body.n == reply->stream->length ? 0 : -EPROTO;
		}
		reply->stream->free(reply->stream);
	}
	errand_end(&w->e, r);
}

static void over(struct errand *e, struct visit *v, int result)
{
	struct request *w = (struct request *)e;
	int r = 0;

	v->integration_latency_ms = clock_mono_ms() - v->integration_mono_ms;
	if (result < 0)
		visit_log(v, EXEC_ERROR, "Execution failed due to %s",
			  result == -ETIMEDOUT ? "a timeout error" : "configuration error: the service could not be reached");
	if (result == -ETIMEDOUT)
		r = visit_refuse(v, GW_INTEGRATION_TIMEOUT, STR_NONE);
	else if (result < 0)
		r = visit_refuse(v, GW_INTEGRATION_FAILURE, STR_NONE);
	else {
		v->integration = (struct visit_answer){ .status = w->status, .body = w->body.p ? str_dup(v->a, w->body) : S("") };
		v->integration_status = w->status;
		v->integration.headers = arena_array(v->a, struct http_header, w->n_headers);
		for (size_t i = 0; i < w->n_headers; i++)
			v->integration.headers[v->integration.n++] = (struct http_header){ str_dup(v->a, w->headers[i].name),
											   str_dup(v->a, w->headers[i].value) };
		visit_log_received(v, w->status, v->integration.headers, v->integration.n, v->integration.body);
	}
	visit_step(v, r);
}

int integration_aws_start(struct visit *v, const struct integration_request *q)
{
	struct errand_for f = { .source_arn = visit_source_arn(v), .timeout_ms = q->timeout_ms, .over = over };
	struct str credentials = visit_variables(v, v->m->m->method_integration->credentials), front, name;
	const struct service_model *m;
	struct errand *e = NULL;
	struct request *w;
	struct arn arn;
	int r = arn_parse(q->uri, &arn);

	f.credentials = credentials;
	f.region = arn.region;
	m = r == 0 ? apigw_service_of(v->cl, arn.account, &name, &front) : NULL;
	if (!m || !credentials.n || errand_new(v, sizeof *w, &f, &e) < 0) {
		v->integration_error = S("API Gateway does not have permission to assume the provided role");
		visit_log(v, EXEC_ERROR, "Execution failed due to configuration error: %.*s %.*s", STR(v->integration_error),
			  STR(credentials));
		return visit_refuse(v, GW_API_CONFIGURATION_ERROR, STR_NONE);
	}
	w = (struct request *)e;
	r = build(w, q, &arn, m, str_dup(&e->arena, front));
	if (r == 0) {
		name = str_dup(&e->arena, name);
		e->more = &w->http.arena;
		visit_log_sending(
			v, str_printf(v->a, "https://%.*s.%.*s.amazonaws.com%.*s", STR(arn.account), STR(arn.region), STR(w->http.target)),
			w->http.headers, w->http.n_headers, w->http.body);
		r = cloud_request_start(v->cl, e->region, &e->who, &e->facts, name, &w->http, &e->arena, answered, w);
	}
	if (r < 0)
		errand_end(e, r);
	return VISIT_WAITS;
}
