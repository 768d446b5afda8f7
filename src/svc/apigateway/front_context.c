/* SPDX-License-Identifier: Apache-2.0 */
/* front_context.c - $context of a visit, and the templates that speak of it. Source: "API Gateway mapping template and access
 * logging variable reference". */
#include "svc/apigateway/front.h"
#include <errno.h>

static void set(struct visit *v, struct vtl_map *m, const char *name, struct str value)
{
	if (value.p)
		vtl_map_set(v->a, m, str_c(name), vtl_str(value));
}

static struct vtl_map *child(struct visit *v, struct vtl_map *m, const char *name)
{
	struct vtl_value k = vtl_map_new(v->a);

	vtl_map_set(v->a, m, str_c(name), k);
	return k.map;
}

/* request_time: 21/Nov/2026:02:25:26 +0000 */
static struct str request_time(struct visit *v)
{
	struct str h = time_http(v->a, v->now_ms); /* Sat, 21 Nov 2026 02:25:26 GMT */

	if (h.n < 25)
		return h;
	return str_printf(v->a, "%.2s/%.3s/%.4s:%.8s +0000", h.p + 5, h.p + 8, h.p + 12, h.p + 17);
}

static struct str full_path(struct visit *v)
{
	return str_printf(v->a, "/%.*s%.*s", STR(v->stage_name), STR(v->raw_path));
}

static void identity(struct visit *v, struct vtl_map *m)
{
	const struct principal *w = &v->who;

	set(v, m, "sourceIp", v->source_ip);
	set(v, m, "userAgent", v->f->facts.user_agent);
	set(v, m, "apiKey", v->key_value);
	set(v, m, "apiKeyId", v->key.id);
	if (v->through_endpoint) {
		set(v, m, "vpceId", v->vpce_id);
		set(v, m, "vpcId", v->endpoint.vpc);
	}
	if (w->p.type == PRINCIPAL_ANONYMOUS || !w->p.arn.p)
		return;
	set(v, m, "accountId", w->p.account);
	set(v, m, "userArn", w->p.arn);
	set(v, m, "caller", w->p.unique_id);
	set(v, m, "user", w->p.unique_id);
	set(v, m, "accessKey", w->key_id);
}

static void authorizer(struct visit *v, struct vtl_map *m)
{
	struct vtl_map *a;

	if (!v->principal_id.p && !v->authorizer_context)
		return;
	a = child(v, m, "authorizer");
	set(v, a, "principalId", v->principal_id);
	for (size_t i = 0; v->authorizer_context && i < v->authorizer_context->n; i++) {
		struct str value = json_scalar(&v->authorizer_context->members[i].value);

		if (value.p)
			vtl_map_set(v->a, a, v->authorizer_context->members[i].key, vtl_str(value));
	}
}

struct vtl_map *visit_context(struct visit *v)
{
	struct vtl_map *m = v->context, *o;

	if (m)
		return m;
	m = v->context = vtl_map_new(v->a).map;
	set(v, m, "accountId", v->account);
	set(v, m, "apiId", v->api);
	set(v, m, "awsEndpointRequestId", STR_NONE);
	set(v, m, "deploymentId", v->served ? v->served->deployment : STR_NONE);
	set(v, m, "domainName", v->http->host);
	set(v, m, "domainPrefix", v->domain_prefix);
	set(v, m, "extendedRequestId", v->extended_id);
	set(v, m, "httpMethod", v->method);
	identity(v, child(v, m, "identity"));
	authorizer(v, m);
	if (v->canary || (v->stage.canary_settings && v->stage.canary_settings->percent_traffic.has))
		vtl_map_set(v->a, m, S("isCanaryRequest"), vtl_str(v->canary ? S("true") : S("false")));
	set(v, m, "path", full_path(v));
	set(v, m, "protocol", S("HTTP/1.1"));
	set(v, m, "requestId", v->f->facts.request_id);
	set(v, m, "requestTime", request_time(v));
	vtl_map_set(v->a, m, S("requestTimeEpoch"), vtl_int(v->now_ms));
	if (v->m) {
		set(v, m, "operationName", v->m->m->operation_name);
		set(v, m, "resourceId", v->m->resource->id);
		set(v, m, "resourcePath", v->m->resource->path);
	}
	set(v, m, "stage", v->stage_name);
	set(v, m, "xrayTraceId", v->trace);
	o = child(v, m, "requestOverride");
	child(v, o, "header");
	child(v, o, "querystring");
	child(v, o, "path");
	o = child(v, m, "responseOverride");
	child(v, o, "header");
	return m;
}

static struct vtl_map *map_at(struct visit *v, struct vtl_map *m, const char *name)
{
	struct vtl_value *k = vtl_map_get(m, str_c(name));

	return k && k->type == VTL_MAP ? k->map : child(v, m, name);
}

static struct str number(struct visit *v, int64_t n)
{
	return str_printf(v->a, "%lld", (long long)n);
}

/* error: what only is known when all is over. */
void visit_context_error(struct visit *v)
{
	struct vtl_map *m = visit_context(v), *e;
	struct buf b;

	if (v->error_message.p || v->error_type.p) {
		e = map_at(v, m, "error");
		set(v, e, "message", v->error_message);
		buf_init(&b, 65536);
		json_write_str(&b, v->error_message.p ? v->error_message : S(""));
		set(v, e, "messageString", v->error_message.p ? str_dup(v->a, buf_view(&b)) : S("null"));
		buf_done(&b);
		set(v, e, "responseType", v->error_type);
		set(v, e, "validationErrorString", v->error_validation);
	}
	if (v->out.status) {
		set(v, m, "status", number(v, v->out.status));
		set(v, m, "responseLength", number(v, (int64_t)v->out.body.n));
		set(v, m, "responseLatency", number(v, clock_mono_ms() - v->started_mono_ms));
	}
	if (v->integration_mono_ms) {
		e = map_at(v, m, "integration");
		set(v, m, "integrationLatency", number(v, v->integration_latency_ms));
		set(v, e, "latency", number(v, v->integration_latency_ms));
		set(v, m, "integrationErrorMessage", v->integration_error);
		set(v, e, "error", v->integration_error);
		if (v->integration_status) {
			set(v, m, "integrationStatus", number(v, v->integration_status));
			set(v, e, "integrationStatus", number(v, v->integration_status));
			set(v, e, "status", number(v, v->integration_status));
		}
	}
}

struct str visit_context_text(struct visit *v, struct str name)
{
	struct vtl_run r = { .arena = v->a };
	struct vtl_value at = { VTL_MAP, { .map = visit_context(v) } };
	struct str part, text;

	while (str_next(&name, '.', &part)) {
		struct vtl_value *next = at.type == VTL_MAP ? vtl_map_get(at.map, part) : NULL;

		if (!next)
			return STR_NONE;
		at = *next;
	}
	return at.type == VTL_MAP || at.type == VTL_NULL || vtl_text(&r, &at, &text) < 0 ? STR_NONE : text;
}

struct str visit_variables(struct visit *v, struct str text)
{
	struct buf b;
	struct str out;

	if (str_find(text, S("stageVariables.")) < 0)
		return text;
	buf_init(&b, 65536);
	while (text.n) {
		ptrdiff_t at = str_find(text, S("${stageVariables.")), end;

		if (at < 0 || (end = str_find_char(str_skip(text, (size_t)at), '}')) < 0)
			break;
		buf_put(&b, text.p, (size_t)at);
		text = str_skip(text, (size_t)at);
		buf_str(&b, str_map_get(&v->variables, str_of(text.p + 17, (size_t)end - 17)));
		text = str_skip(text, (size_t)end + 1);
	}
	buf_str(&b, text);
	out = str_dup(v->a, buf_view(&b));
	buf_done(&b);
	return out;
}

/* --- templates --- */
static struct vtl_map *map_of(struct visit *v, const struct str_pair *p, size_t n)
{
	struct vtl_map *m = vtl_map_new(v->a).map;

	for (size_t i = 0; i < n; i++)
		vtl_map_set(v->a, m, p[i].key, vtl_str(p[i].value));
	return m;
}

static struct vtl_input *input_of(struct visit *v)
{
	if (!v->input) {
		v->input = arena_new(v->a, struct vtl_input);
		v->input->path = map_of(v, v->path_params.v, v->path_params.n);
		v->input->querystring = map_of(v, v->query, v->n_query);
		v->input->header = map_of(v, v->headers, v->n_headers);
	}
	return v->input;
}

int visit_render(struct visit *v, const struct tmpl *t, struct str body, struct str *ret)
{
	struct vtl_run run = { .arena = v->a, .work = v->work };
	struct vtl_input in = *input_of(v);
	struct buf out;
	int r;

	if (!t->t)
		return -EINVAL;
	in.body = body;
	vtl_define_input(&run, &in);
	if (t->context)
		vtl_define(&run, "context", (struct vtl_value){ VTL_MAP, { .map = visit_context(v) } });
	vtl_define(&run, "stageVariables", (struct vtl_value){ VTL_MAP, { .map = map_of(v, v->variables.v, v->variables.n) } });
	buf_init(&out, VTL_OUT_BYTES_MAX);
	r = vtl_render(&run, t->t, &out);
	v->work = run.work;
	if (r == 0)
		*ret = str_dup(v->a, buf_view(&out));
	else if (!v->error_message.p)
		v->integration_error = run.error;
	buf_done(&out);
	return r;
}

const struct tmpl *tmpl_find(const struct tmpl_list *l, struct str content_type)
{
	struct str type = media_type(content_type);

	for (size_t i = 0; i < l->n; i++)
		if (str_eq_ci(l->v[i].type, type))
			return &l->v[i];
	return NULL;
}
