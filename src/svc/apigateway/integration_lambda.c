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

#define LAMBDA_TIMEOUT_MS 29000

struct waiting { /* lives until the invocation is over, also when nobody waits any more */
	struct visit *v;
	struct http_loop *loop;
	void *timer;
	struct arena arena;
	struct region *region;
	struct principal who;
	struct call_facts facts;
	struct lambda_invocation_request in;
	struct lambda_invocation_response out;
	int result;
	bool timed_out;
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

static void waiting_free(struct waiting *w)
{
	struct arena a = w->arena;

	if (w->region)
		region_unuse(w->region);
	free(w);
	arena_done(&a);
}

/* On the loop: the invocation is over. */
static void over(void *arg)
{
	struct waiting *w = arg;

	if (w->v) { /* the answer borrows from the payload, which must outlive us */
		struct str payload = w->out.payload.p ? str_dup(w->v->a, w->out.payload) : S("");

		http_timer_cancel(w->loop, w->timer);
		w->done(w->v, w->result, payload, w->out.function_error.n > 0);
	}
	waiting_free(w);
}

/* On any thread. */
static void invoked(void *arg, int result, const struct call_error *error)
{
	struct waiting *w = arg;

	w->result = result;
	http_post(w->loop, over, w);
}

static void too_late(void *arg)
{
	struct waiting *w = arg;
	struct visit *v = w->v;

	w->v = NULL;
	w->done(v, -ETIMEDOUT, STR_NONE, false);
}

/* as_whom: API Gateway itself, or the role that it was given. */
static int as_whom(struct visit *v, struct waiting *w, struct str credentials)
{
	const struct identity *id = cloud_identity(v->cl);
	struct call c;
	int r;

	if (!credentials.n) {
		w->who.p = (struct policy_principal){ .type = PRINCIPAL_SERVICE, .service = S("apigateway.amazonaws.com") };
		return 0;
	}
	r = front_call(v->f, v->region, &apigateway_service, &w->who, &c);
	if (r < 0)
		return r;
	c.arena = &w->arena; /* it outlives the visit */
	r = id && id->role_principal ? id->role_principal(&c, credentials, S("BackplaneAssumeRoleSession"), &w->who) : -ENOENT;
	front_call_end(&c);
	return r;
}

static const struct op *invoke_op(const struct service_model *m)
{
	for (size_t i = 0; i < m->n_ops; i++)
		if (strcmp(m->ops[i].name, "Invoke") == 0)
			return &m->ops[i];
	return NULL;
}

/* lambda_start: 0 done comes; negative: it doesn't, nothing was invoked. */
int lambda_start(struct visit *v, struct str uri, struct str credentials, struct str source_arn, struct str payload, bool event,
		 void (*done)(struct visit *v, int result, struct str payload, bool is_error))
{
	const struct service *svc = cloud_service(v->cl, "lambda");
	const struct op *op = svc ? invoke_op(svc->model) : NULL;
	struct str function = lambda_of_uri(v, uri);
	struct waiting *w;
	struct arn arn;
	int r;

	if (!op || !function.p || arn_parse(function, &arn) < 0)
		return -EINVAL;
	w = xzalloc(sizeof *w);
	w->v = v;
	w->loop = v->http->loop;
	w->done = done;
	w->region = front_region(v->cl, arn.region);
	r = w->region ? as_whom(v, w, credentials) : -ENOENT;
	if (r < 0) {
		waiting_free(w);
		return r;
	}
	w->facts.request_id = random_uuid(&w->arena);
	w->facts.invoked_by = S("apigateway.amazonaws.com");
	w->facts.secure_transport = true;
	w->facts.source_arn = str_dup(&w->arena, source_arn);
	w->facts.source_account = str_dup(&w->arena, v->account);
	w->in.function_name = str_dup(&w->arena, function);
	w->in.payload = str_dup(&w->arena, payload);
	w->in.invocation_type = event ? S("Event") : S("RequestResponse");
	w->timer = http_timer(w->loop, LAMBDA_TIMEOUT_MS, too_late, w);
	if (v->m && v->m->m->method_integration && v->m->m->method_integration->timeout_in_millis.has && v->integration_mono_ms) {
		http_timer_cancel(w->loop, w->timer);
		w->timer = http_timer(w->loop, v->m->m->method_integration->timeout_in_millis.v, too_late, w);
	}
	cloud_invoke_start(v->cl, w->region, &w->who, &w->facts, svc->model, op, &w->in, &w->out, &w->arena, invoked, w);
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
	visit_header_out(v, &v->out, S("X-Amzn-Trace-Id"), visit_header(v, S("x-amzn-trace-id")));
	return 0;
}

static void proxied(struct visit *v, int result, struct str payload, bool is_error)
{
	int r = 0;

	v->integration_latency_ms = clock_mono_ms() - v->integration_mono_ms;
	if (result == -ETIMEDOUT) {
		r = visit_refuse(v, GW_INTEGRATION_TIMEOUT, STR_NONE);
	} else if (result < 0) {
		v->integration_error = S("The function could not be invoked");
		r = visit_refuse(v, GW_API_CONFIGURATION_ERROR, STR_NONE);
	} else if (is_error || integration_proxy_answer(v, payload) < 0) {
		v->integration_error = S("Malformed Lambda proxy response");
		r = visit_refuse_as(v, GW_DEFAULT_5XX, 502, STR_NONE);
	}
	visit_step(v, r);
}

/* Of a custom integration: an error is chosen by its message. */
static void custom(struct visit *v, int result, struct str payload, bool is_error)
{
	struct json *j;
	int r = 0;

	v->integration_latency_ms = clock_mono_ms() - v->integration_mono_ms;
	if (result == -ETIMEDOUT)
		r = visit_refuse(v, GW_INTEGRATION_TIMEOUT, STR_NONE);
	else if (result < 0)
		r = visit_refuse(v, GW_API_CONFIGURATION_ERROR, STR_NONE);
	else {
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

int integration_lambda_start(struct visit *v, const struct integration_request *q)
{
	const struct apigw_rec_integration *in = v->m->m->method_integration;
	bool proxy = str_is(in->type, "AWS_PROXY"), event = false;
	struct str source = str_printf(v->a, "arn:%.*s:execute-api:%.*s:%.*s:%.*s/%.*s/%.*s%.*s", STR(region_partition(v->region->name)),
				       STR(v->region->name), STR(v->account), STR(v->api), STR(v->stage_name), STR(v->method),
				       STR(v->m->resource->path));
	struct str payload = q->body;
	int r;

	for (size_t i = 0; i < q->n; i++)
		event = event || (str_eq_ci(q->headers[i].name, S("x-amz-invocation-type")) && str_is(q->headers[i].value, "Event"));
	if (proxy)
		payload = visit_proxy_event(v, NULL);
	r = lambda_start(v, q->uri, visit_variables(v, in->credentials), source, payload, event && !proxy, proxy ? proxied : custom);
	if (r < 0) {
		v->integration_error = S("Invalid permissions on Lambda function");
		return visit_refuse(v, GW_API_CONFIGURATION_ERROR, STR_NONE);
	}
	return VISIT_WAITS;
}
