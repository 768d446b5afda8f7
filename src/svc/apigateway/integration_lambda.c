/* SPDX-License-Identifier: Apache-2.0 */
/* integration_lambda.c - functions as backends: the proxy event and its answer, custom integrations.
 *
 * A function is invoked through the door, as API Gateway's service principal (then the function's own policy decides, by the
 * execute-api ARN) or as the integration's role. Sources: "Lambda proxy integrations in API Gateway", "Set up Lambda custom
 * integrations". */
#include "svc/apigateway/front.h"
#include "gen_lambda.h"
#include "svc/services.h"
#include <errno.h>

#define AUTHORIZER_TIMEOUT_MS 29000

struct str lambda_url(struct visit *v, struct str uri)
{
	struct str f = lambda_of_uri(v, uri);
	struct arn arn = { 0 };

	(void)arn_parse(f, &arn);
	return str_printf(v->a, "https://lambda.%.*s.amazonaws.com/2015-03-31/functions/%.*s/invocations", STR(arn.region), STR(f));
}

size_t lambda_headers(struct visit *v, struct str source_arn, struct http_header ret[5])
{
	ret[0] = (struct http_header){ S("x-amzn-apigateway-api-id"), v->api };
	ret[1] = (struct http_header){ S("Accept"), S("application/json") };
	ret[2] = (struct http_header){ S("User-Agent"), str_printf(v->a, "AmazonAPIGateway_%.*s", STR(v->api)) };
	ret[3] = (struct http_header){ S("X-Amz-Source-Arn"), source_arn };
	ret[4] = (struct http_header){ S("X-Amzn-Trace-Id"), v->trace };
	return v->trace.n ? 5 : 4;
}

struct invocation {
	struct errand e; /* first */
	struct lambda_invocation_request in;
	struct lambda_invocation_response out;
	void (*done)(struct visit *v, int result, struct str payload, bool is_error);
};

struct str lambda_of_uri(struct visit *v, struct str uri)
{
	ptrdiff_t at = str_find(uri, S(":lambda:path/")), from = str_find(uri, S("/functions/"));

	if (at < 0 || from < at || !str_ends(uri, S("/invocations")))
		return STR_NONE;
	uri = str_skip(uri, (size_t)from + 11);
	uri.n -= 12;
	return str_starts(uri, S("arn:")) ? uri : STR_NONE;
}

/* The answer borrows from the payload, which must outlive the errand. */
static void over(struct errand *e, struct visit *v, int result)
{
	struct invocation *w = (struct invocation *)e;
	bool said = result != -ETIMEDOUT && w->out.payload.p;

	w->done(v, result, said ? str_dup(v->a, w->out.payload) : S(""), said && w->out.function_error.n > 0);
}

/* On any thread. */
static void invoked(void *arg, int result, const struct call_error *error)
{
	errand_end(arg, result);
}

/* lambda_start: 0 done comes; negative: it doesn't, nothing was invoked. */
int lambda_start(struct visit *v, struct str uri, struct str credentials, struct str source_arn, struct str payload, bool event,
		 void (*done)(struct visit *v, int result, struct str payload, bool is_error))
{
	const struct service *svc = cloud_service(v->cl, "lambda");
	const struct op *op = svc ? wire_op(svc->model, S("Invoke")) : NULL;
	struct str function = lambda_of_uri(v, uri);
	struct errand_for f = { .credentials = credentials, .source_arn = source_arn, .timeout_ms = AUTHORIZER_TIMEOUT_MS, .over = over };
	struct invocation *w;
	struct errand *e;
	struct arn arn;
	int r;

	if (!op || !function.p || arn_parse(function, &arn) < 0)
		return -EINVAL;
	f.region = arn.region;
	if (v->integration_mono_ms)
		f.timeout_ms = visit_timeout(v);
	r = errand_new(v, sizeof *w, &f, &e);
	if (r < 0)
		return r;
	w = (struct invocation *)e;
	w->done = done;
	w->in.function_name = str_dup(&e->arena, function);
	w->in.payload = str_dup(&e->arena, payload);
	w->in.invocation_type = event ? S("Event") : S("RequestResponse");
	cloud_invoke_start(v->cl, e->region, &e->who, &e->facts, svc->model, op, &w->in, &w->out, &e->arena, invoked, e);
	return 0;
}

/* --- a function's answer in the proxy's form --- */
static bool known(struct str key)
{
	static const char *const keys[] = { "statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded", "cookies" };

	for (size_t i = 0; i < ELEMENTS(keys); i++)
		if (str_is(key, keys[i]))
			return true;
	return false;
}

static bool take_header(struct visit *v, struct str name, struct str value)
{
	static const char *const remapped[] = { "connection", "content-length", "date", "server" };

	for (size_t i = 0; i < ELEMENTS(remapped); i++)
		if (str_eq_ci(name, str_c(remapped[i])))
			name = str_printf(v->a, "x-amzn-Remapped-%.*s", STR(name));
	visit_header_out(v, &v->out, name, value);
	return true;
}

static int take_headers(struct visit *v, const struct json *one, const struct json *many)
{
	if ((one && one->type != JSON_OBJECT && one->type != JSON_NULL) || (many && many->type != JSON_OBJECT && many->type != JSON_NULL))
		return -EINVAL;
	for (size_t i = 0; json_is(many, JSON_OBJECT) && i < many->n; i++) {
		const struct json *l = &many->members[i].value;

		if (l->type != JSON_ARRAY)
			return -EINVAL;
		for (size_t k = 0; k < l->n; k++)
			if (json_scalar(&l->items[k]).p)
				take_header(v, many->members[i].key, json_scalar(&l->items[k]));
	}
	for (size_t i = 0; json_is(one, JSON_OBJECT) && i < one->n; i++) {
		const struct json *j = &one->members[i].value,
				  *also = json_is(many, JSON_OBJECT) ? json_get(many, one->members[i].key) : NULL;
		bool said = false;

		if (j->type >= JSON_ARRAY)
			return -EINVAL;
		for (size_t k = 0; json_is(also, JSON_ARRAY) && k < also->n; k++)
			said = said || str_eq(json_scalar(&also->items[k]), json_scalar(j));
		if (!said && json_scalar(j).p)
			take_header(v, one->members[i].key, json_scalar(j));
	}
	return 0;
}

static bool accepts_binary(struct visit *v)
{
	struct str accept = visit_header(v, S("accept")), one, rest;

	(void)str_cut(accept.p ? accept : S(""), ',', &one, &rest);
	return visit_binary_type(v, one);
}

int integration_proxy_answer(struct visit *v, struct str payload)
{
	const struct json *body, *status;
	struct json *j;
	int64_t code = 200;

	if (json_parse(v->a, payload, &j, NULL) < 0 || j->type != JSON_OBJECT)
		return -EINVAL;
	for (size_t i = 0; i < j->n; i++)
		if (!known(j->members[i].key))
			return -EINVAL;
	status = json_getz(j, "statusCode");
	body = json_getz(j, "body");
	if (status && status->type != JSON_NULL && (json_to_i64(status, &code) < 0 || code < 200 || code > 599))
		return -EINVAL;
	if (body && body->type >= JSON_ARRAY)
		return -EINVAL;
	if (take_headers(v, json_getz(j, "headers"), json_getz(j, "multiValueHeaders")) < 0)
		return -EINVAL;
	v->out.status = v->integration_status = (int)code;
	v->out.body = json_scalar(body).p ? json_scalar(body) : S("");
	if (json_to_bool(json_getz(j, "isBase64Encoded"), false) && accepts_binary(v) && base64_decode(v->a, v->out.body, &v->out.body) < 0)
		return -EINVAL;
	if (!v->out.has_type)
		visit_header_out(v, &v->out, S("Content-Type"), S("application/json"));
	visit_header_out(v, &v->out, S("X-Amzn-Trace-Id"), v->trace);
	return 0;
}

/* came: the invocation is over. 0, or refused. */
static int came(struct visit *v, int result, struct str payload, bool is_error)
{
	struct json *j;

	v->integration_latency_ms = clock_mono_ms() - v->integration_mono_ms;
	if (result == -ETIMEDOUT) {
		visit_log(v, EXEC_ERROR, "Execution failed due to a timeout error");
		return visit_refuse(v, GW_INTEGRATION_TIMEOUT, STR_NONE);
	}
	if (result < 0) {
		v->integration_error = S("The function could not be invoked");
		visit_log(v, EXEC_ERROR, "Execution failed due to configuration error: Invalid permissions on Lambda function");
		return visit_refuse(v, GW_API_CONFIGURATION_ERROR, STR_NONE);
	}
	visit_log_received(v, 200, NULL, 0, payload);
	if (is_error && v->log.wants && json_parse(v->a, payload, &j, NULL) == 0)
		visit_log(v, EXEC_ERROR, "Lambda execution failed with status 200 due to customer function error: %.*s.",
			  STR(json_get_str(j, "errorMessage")));
	return 0;
}

static void proxied(struct visit *v, int result, struct str payload, bool is_error)
{
	int r = came(v, result, payload, is_error);

	if (r == 0 && (is_error || integration_proxy_answer(v, payload) < 0)) {
		v->integration_error = S("Malformed Lambda proxy response");
		if (!is_error)
			visit_log(v, EXEC_ERROR, "Execution failed due to configuration error: Malformed Lambda proxy response");
		r = visit_refuse_as(v, GW_DEFAULT_5XX, 502, STR_NONE);
	}
	visit_step(v, r);
}

/* Of a custom integration: an error is chosen by its message. */
static void custom(struct visit *v, int result, struct str payload, bool is_error)
{
	int r = came(v, result, payload, is_error);
	struct json *j;

	if (r == 0) {
		v->integration.status = v->integration_status = 200;
		v->integration.body = payload;
		if (is_error && json_parse(v->a, v->integration.body, &j, NULL) == 0) {
			v->integration_error = json_get_str(j, "errorMessage");
			if (!v->integration_error.p)
				v->integration_error = S("null");
		}
	}
	visit_step(v, r);
}

struct str visit_source_arn(struct visit *v)
{
	return str_printf(v->a, "arn:%.*s:execute-api:%.*s:%.*s:%.*s/%.*s/%.*s%.*s", STR(region_partition(v->region->name)),
			  STR(v->region->name), STR(v->account), STR(v->api), STR(v->stage_name), STR(v->method),
			  STR(v->m->resource->path));
}

int integration_lambda_start(struct visit *v, const struct integration_request *q)
{
	const struct apigw_rec_integration *in = v->m->m->method_integration;
	bool proxy = str_is(in->type, "AWS_PROXY"), event = false;
	struct str payload = q->body;
	int r;

	for (size_t i = 0; i < q->n; i++)
		event = event || (str_eq_ci(q->headers[i].name, S("x-amz-invocation-type")) && str_is(q->headers[i].value, "Event"));
	if (proxy)
		payload = visit_proxy_event(v, NULL);
	if (v->log.wants) {
		struct http_header h[5];
		size_t n = lambda_headers(v, visit_source_arn(v), h);

		visit_log_sending(v, lambda_url(v, q->uri), h, n, payload);
	}
	r = lambda_start(v, q->uri, visit_variables(v, in->credentials), visit_source_arn(v), payload, event && !proxy,
			 proxy ? proxied : custom);
	if (r < 0) {
		visit_log(v, EXEC_ERROR, "Execution failed due to configuration error: Invalid permissions on Lambda function");
		v->integration_error = S("Invalid permissions on Lambda function");
		return visit_refuse(v, GW_API_CONFIGURATION_ERROR, STR_NONE);
	}
	return VISIT_WAITS;
}
