/* SPDX-License-Identifier: Apache-2.0 */
/* integration.c - from the method's request to the integration's, and back. Sources: "Integrations for REST APIs", "Mapping
 * template transformations", "API Gateway API request and response parameter mapping reference", "Content type conversions". */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "svc/apigateway/front.h"
#include <errno.h>
#include <pcre2.h>

#define TIMEOUT_MS 29000
#define PATTERN_MATCH_LIMIT 100000

static int broken(struct visit *v)
{
	return visit_refuse(v, GW_API_CONFIGURATION_ERROR, STR_NONE);
}

static bool is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= 32 || (unsigned char)s.p[i] >= 127 || strchr("()<>@,;:\\\"/[]?={}", s.p[i]))
			return false;
	return s.n > 0;
}

/* drop_header takes away all of that name: a backend may read the first or the last of them. */
static void drop_header(struct integration_request *q, struct str name)
{
	size_t n = 0;

	for (size_t i = 0; i < q->n; i++)
		if (!str_eq_ci(q->headers[i].name, name))
			q->headers[n++] = q->headers[i];
	q->n = n;
}

/* put_header replaces or adds a header of the request to a backend; what would break the head is left out. */
static void put_header(struct visit *v, struct integration_request *q, struct str name, struct str value)
{
	static const char *const ours[] = { "content-length", "connection", "transfer-encoding", "keep-alive", "upgrade", "trailer", "te",
					    "expect" };

	if (!value.p || !is_token(name) || q->n >= VISIT_HEADERS_MAX)
		return;
	for (size_t i = 0; i < value.n; i++)
		if (((unsigned char)value.p[i] < 32 && value.p[i] != '\t') || value.p[i] == 127)
			return;
	for (size_t i = 0; i < ELEMENTS(ours); i++)
		if (str_eq_ci(name, str_c(ours[i])))
			return;
	drop_header(q, name);
	vec_push(v->a, q->headers, q->n, q->cap) = (struct http_header){ name, value };
}

static void add_header(struct visit *v, struct integration_request *q, struct str name, struct str value)
{
	if (q->n < VISIT_HEADERS_MAX)
		vec_push(v->a, q->headers, q->n, q->cap) = (struct http_header){ name, value };
}

/* --- where parameters come from --- */
static struct str all_values(struct visit *v, const struct str_pair *p, size_t n, struct str name, bool ci)
{
	struct str *found = arena_array(v->a, struct str, n);
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
		if (ci ? str_eq_ci(p[i].key, name) : str_eq(p[i].key, name))
			found[k++] = p[i].value;
	return k ? str_join(v->a, found, k, S(",")) : STR_NONE;
}

static struct str of_body(struct visit *v, struct str body, struct str path) /* path: absent for all of it */
{
	struct json *j, *got;

	if (!path.n)
		return body;
	if (json_parse(v->a, body, &j, NULL) < 0 || json_path(v->a, j, path, &got) < 0 || !got)
		return STR_NONE;
	return got->type >= JSON_ARRAY ? json_text(v->a, got) : json_scalar(got);
}

/* request_value: a value for the integration's request. raw: it goes into a path, encoded already. */
static struct str request_value(struct visit *v, struct str from, bool *ret_raw)
{
	*ret_raw = false;
	if (from.n >= 2 && from.p[0] == '\'' && from.p[from.n - 1] == '\'')
		return str_of(from.p + 1, from.n - 2);
	if (str_starts(from, S("method.request.header.")))
		return visit_header(v, str_skip(from, 22));
	if (str_starts(from, S("method.request.multivalueheader.")))
		return all_values(v, v->headers, v->n_headers, str_skip(from, 32), true);
	if (str_starts(from, S("method.request.querystring.")))
		return visit_query(v, str_skip(from, 27));
	if (str_starts(from, S("method.request.multivaluequerystring.")))
		return all_values(v, v->query, v->n_query, str_skip(from, 37), false);
	if (str_starts(from, S("method.request.path."))) {
		*ret_raw = true;
		return str_map_get(&v->path_raw, str_skip(from, 20));
	}
	if (str_is(from, "method.request.body"))
		return v->body.p ? v->body : S("");
	if (str_starts(from, S("method.request.body.")))
		return of_body(v, v->body, str_skip(from, 20));
	if (str_starts(from, S("context.")))
		return visit_context_text(v, str_skip(from, 8));
	if (str_starts(from, S("stageVariables.")))
		return str_map_get(&v->variables, str_skip(from, 15));
	return STR_NONE;
}

/* --- the body --- */
static int convert(struct visit *v, struct str handling, bool binary, struct str *body)
{
	if (str_is(handling, "CONVERT_TO_TEXT") && binary)
		*body = base64_encode(v->a, *body);
	else if (str_is(handling, "CONVERT_TO_BINARY") && !binary)
		return base64_decode(v->a, *body, body);
	return 0;
}

/* map_body renders the request template of the content type, or lets the body through as the integration says. */
static int map_body(struct visit *v, struct integration_request *q)
{
	const struct apigw_rec_integration *in = v->m->m->method_integration;
	struct str type = visit_header(v, S("content-type")), body = v->body.p ? v->body : S("");
	const struct tmpl *t = tmpl_find(&v->m->templates, type.n ? type : S("application/json"));

	if (convert(v, in->content_handling, v->body_binary, &body) < 0)
		return visit_refuse(v, GW_BAD_REQUEST_BODY, S("Unable to base64 decode the body."));
	if (t && visit_render(v, t, body, &q->body) < 0) {
		visit_log(v, EXEC_ERROR, "Execution failed due to configuration error: Unable to transform request");
		return visit_refuse(v, GW_DEFAULT_5XX, STR_NONE);
	}
	if (t)
		return 0;
	if (str_is(in->passthrough_behavior, "NEVER") || (str_is(in->passthrough_behavior, "WHEN_NO_TEMPLATES") && v->m->templates.n))
		return visit_refuse(v, GW_UNSUPPORTED_MEDIA_TYPE, STR_NONE);
	q->body = body;
	return 0;
}

/* --- the URI --- */
struct target { /* parameters for the integration's path and query */
	struct str_map path;
	struct str_pair *query;
	size_t n_query, cap_query, cap_path;
};

static void set_pair(struct visit *v, struct str_map *m, size_t *cap, struct str key, struct str value)
{
	for (size_t i = 0; i < m->n; i++)
		if (str_eq(m->v[i].key, key)) {
			m->v[i].value = value;
			return;
		}
	vec_push(v->a, m->v, m->n, *cap) = (struct str_pair){ key, value };
}

static void drop_query(struct target *t, struct str key)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n_query; i++)
		if (!str_eq(t->query[i].key, key))
			t->query[n++] = t->query[i];
	t->n_query = n;
}

static void set_query(struct visit *v, struct target *t, struct str key, struct str value)
{
	drop_query(t, key);
	vec_push(v->a, t->query, t->n_query, t->cap_query) = (struct str_pair){ key, value };
}

/* What the API's owner maps is never the client's, also where the mapping gives nothing. */
static void map_parameters(struct visit *v, struct integration_request *q, struct target *t)
{
	const struct str_map *m = &v->m->m->method_integration->request_parameters;

	for (size_t i = 0; i < m->n; i++) {
		struct str to = m->v[i].key;
		bool raw;
		struct str value = request_value(v, m->v[i].value, &raw);

		if (str_starts(to, S("integration.request.header."))) {
			drop_header(q, str_skip(to, 27));
			put_header(v, q, str_skip(to, 27), value);
		} else if (str_starts(to, S("integration.request.querystring."))) {
			drop_query(t, str_skip(to, 32));
			if (value.p)
				set_query(v, t, str_skip(to, 32), value);
		} else if (value.p && str_starts(to, S("integration.request.path.")))
			set_pair(v, &t->path, &t->cap_path, str_skip(to, 25), raw ? value : uri_encode(v->a, value, false));
	}
}

/* overrides: what a template has set in $context.requestOverride. */
static void request_overrides(struct visit *v, struct integration_request *q, struct target *t)
{
	struct vtl_run r = { .arena = v->a };
	const struct vtl_value *o = v->context ? vtl_map_get(v->context, S("requestOverride")) : NULL, *part;
	static const char *const parts[] = { "header", "querystring", "path" };
	struct str text;

	for (size_t p = 0; o && o->type == VTL_MAP && p < ELEMENTS(parts); p++) {
		part = vtl_map_get(o->map, str_c(parts[p]));
		for (size_t i = 0; part && part->type == VTL_MAP && i < part->map->n; i++) {
			const struct vtl_entry *e = &part->map->v[i];

			if (e->value.type == VTL_LIST && e->value.list->n == 1) {
				if (vtl_text(&r, &e->value.list->v[0], &text) < 0)
					continue;
			} else if (vtl_text(&r, &e->value, &text) < 0)
				continue;
			if (p == 0)
				put_header(v, q, e->key, text);
			else if (p == 1)
				set_query(v, t, e->key, text);
			else
				set_pair(v, &t->path, &t->cap_path, e->key, uri_encode(v->a, text, false));
		}
	}
}

static struct str with_path(struct visit *v, struct str uri, const struct str_map *path)
{
	struct buf b;
	struct str out;

	if (str_find_char(uri, '{') < 0)
		return uri;
	buf_init(&b, HTTP_TARGET_BYTES_MAX * 4);
	while (uri.n) {
		ptrdiff_t open = str_find_char(uri, '{'), close = open < 0 ? -1 : str_find_char(str_skip(uri, (size_t)open), '}');
		struct str name;

		if (close < 0)
			break;
		name = str_of(uri.p + open + 1, (size_t)close - 1);
		if (name.n && name.p[name.n - 1] == '+')
			name.n--;
		buf_put(&b, uri.p, (size_t)open);
		buf_str(&b, str_map_get(path, name));
		uri = str_skip(uri, (size_t)(open + close + 1));
	}
	buf_str(&b, uri);
	out = str_dup(v->a, buf_view(&b));
	buf_done(&b);
	return out;
}

static struct str with_query(struct visit *v, struct str uri, const struct target *t)
{
	struct buf b;
	struct str out;
	bool first = str_find_char(uri, '?') < 0;

	if (!t->n_query)
		return uri;
	buf_init(&b, HTTP_TARGET_BYTES_MAX * 4);
	buf_str(&b, uri);
	for (size_t i = 0; i < t->n_query; i++) {
		buf_c(&b, first ? '?' : '&');
		first = false;
		buf_str(&b, uri_encode(v->a, t->query[i].key, false));
		buf_c(&b, '=');
		buf_str(&b, uri_encode(v->a, t->query[i].value, false));
	}
	out = str_dup(v->a, buf_view(&b));
	buf_done(&b);
	return out;
}

/* --- MOCK --- */
/* The status that the request template has made: {"statusCode": 200}, with or without quotes around the name. */
static int mock_status(struct visit *v, struct str body)
{
	struct json *j;
	int64_t status = 0;
	ptrdiff_t at;

	if (json_parse(v->a, body, &j, NULL) == 0)
		return json_is(json_getz(j, "statusCode"), JSON_NUMBER) && json_to_i64(json_getz(j, "statusCode"), &status) == 0
			       ? (int)status
			       : 0;
	at = str_find(body, S("statusCode"));
	if (at < 0)
		return 0;
	body = str_trim(str_skip(body, (size_t)at + 10));
	if (body.n && (body.p[0] == '"' || body.p[0] == '\''))
		body = str_trim(str_skip(body, 1));
	if (!body.n || body.p[0] != ':')
		return 0;
	body = str_trim(str_skip(body, 1));
	for (size_t i = 0; i < body.n && i < 3 && body.p[i] >= '0' && body.p[i] <= '9'; i++)
		status = status * 10 + (body.p[i] - '0');
	return (int)status;
}

static int mock(struct visit *v)
{
	struct integration_request q = { 0 };
	int r = map_body(v, &q);

	if (r != 0)
		return r;
	v->integration.status = v->integration_status = mock_status(v, q.body);
	v->integration.body = S("");
	if (v->integration.status)
		return 0;
	visit_log(v, EXEC_ERROR,
		  "Execution failed due to configuration error: Unable to parse statusCode. It should be an integer which is "
		  "defined in request template.");
	return visit_refuse(v, GW_DEFAULT_5XX, STR_NONE);
}

/* --- HTTP --- */
static void own_headers(struct visit *v, struct integration_request *q, bool proxy)
{
	struct str type = visit_header(v, S("content-type"));

	if (proxy) {
		for (size_t i = 0; i < v->n_headers; i++)
			if (!str_eq_ci(v->headers[i].key, S("host")))
				add_header(v, q, v->headers[i].key, v->headers[i].value);
	} else {
		put_header(v, q, S("Accept"), S("application/json"));
		put_header(v, q, S("Content-Type"), type.n ? type : S("application/json"));
		put_header(v, q, S("User-Agent"), str_printf(v->a, "AmazonAPIGateway_%.*s", STR(v->api)));
		put_header(v, q, S("X-Amzn-Trace-Id"), v->trace);
	}
	put_header(v, q, S("x-amzn-apigateway-api-id"), v->api);
}

int visit_timeout(const struct visit *v)
{
	const struct opt_int *t = &v->m->m->method_integration->timeout_in_millis;

	return t->has ? (int)t->v : TIMEOUT_MS;
}

/* A request over HTTP: to a backend, or in a service's own protocol. */
static int http(struct visit *v, bool proxy, int (*start)(struct visit *v, const struct integration_request *q))
{
	const struct apigw_rec_integration *in = v->m->m->method_integration;
	struct integration_request *q = arena_new(v->a, struct integration_request);
	struct target t = { 0 };
	int r = 0;

	q->method = in->http_method.n && !str_is(in->http_method, "ANY") ? in->http_method : v->method;
	q->timeout_ms = visit_timeout(v);
	q->insecure = in->tls_config && in->tls_config->insecure_skip_verification.v;
	q->abroad = !cloud_listener(v->cl) || !cloud_listener(v->cl)->loopback;
	own_headers(v, q, proxy);
	for (size_t i = 0; proxy && i < v->n_query; i++)
		vec_push(v->a, t.query, t.n_query, t.cap_query) = v->query[i];
	map_parameters(v, q, &t);
	if (proxy)
		q->body = v->body;
	else
		r = map_body(v, q);
	if (r != 0)
		return r;
	request_overrides(v, q, &t);
	q->uri = with_query(v, with_path(v, visit_variables(v, in->uri), &t.path), &t);
	return start(v, q);
}

static int lambda(struct visit *v, bool proxy)
{
	const struct apigw_rec_integration *in = v->m->m->method_integration;
	struct integration_request *q = arena_new(v->a, struct integration_request);
	struct target t = { 0 };
	int r = 0;

	q->timeout_ms = visit_timeout(v);
	q->uri = visit_variables(v, in->uri);
	map_parameters(v, q, &t);
	if (!proxy)
		r = map_body(v, q);
	return r != 0 ? r : integration_lambda_start(v, q);
}

struct str visit_request_value(struct visit *v, struct str from)
{
	bool raw;

	return request_value(v, from, &raw);
}

int visit_integrate(struct visit *v)
{
	struct str type = v->m->m->method_integration->type;
	bool hit;
	int r = visit_cache_get(v, &hit);

	if (r != 0 || hit)
		return r;
	v->integration_mono_ms = clock_mono_ms();
	if (str_is(type, "MOCK"))
		return mock(v);
	if (str_is(type, "HTTP") || str_is(type, "HTTP_PROXY"))
		return http(v, str_is(type, "HTTP_PROXY"), integration_http_start);
	if (str_is(type, "AWS_PROXY") || (str_is(type, "AWS") && str_find(v->m->m->method_integration->uri, S(":lambda:path/")) >= 0))
		return lambda(v, str_is(type, "AWS_PROXY"));
	if (str_is(type, "AWS"))
		return http(v, false, integration_aws_start);
	return broken(v);
}

/* --- the way back --- */
static bool pattern_matches(const struct served_response *r, struct str text)
{
	pcre2_match_data *data = pcre2_match_data_create(1, NULL);
	pcre2_match_context *ctx = pcre2_match_context_create(NULL);
	int n;

	if (!data || !ctx)
		abort();
	pcre2_set_match_limit(ctx, PATTERN_MATCH_LIMIT);
	n = pcre2_match(r->pattern, (PCRE2_SPTR)text.p, text.n, 0, 0, data, ctx);
	pcre2_match_data_free(data);
	pcre2_match_context_free(ctx);
	return n >= 0;
}

static const struct served_response *select_response(struct visit *v)
{
	const struct served_response *other = NULL;
	struct str text = v->integration_error.p ? v->integration_error : str_printf(v->a, "%d", v->integration.status);

	for (size_t i = 0; i < v->m->n_responses; i++) {
		const struct served_response *r = &v->m->responses[i];

		if (!r->pattern && !r->broken)
			other = other ? other : r;
		else if (r->pattern && pattern_matches(r, text))
			return r;
	}
	return other;
}

static struct str answered_header(const struct visit *v, struct str name)
{
	for (size_t i = v->integration.n; i-- > 0;)
		if (str_eq_ci(v->integration.headers[i].name, name))
			return v->integration.headers[i].value;
	return STR_NONE;
}

static struct str response_value(struct visit *v, struct str from)
{
	bool raw;

	if (str_starts(from, S("integration.response.header.")))
		return answered_header(v, str_skip(from, 28));
	if (str_starts(from, S("integration.response.multivalueheader.")))
		return answered_header(v, str_skip(from, 38));
	if (str_is(from, "integration.response.body"))
		return v->integration.body;
	if (str_starts(from, S("integration.response.body.")))
		return of_body(v, v->integration.body, str_skip(from, 26));
	return str_starts(from, S("method.request.")) ? STR_NONE : request_value(v, from, &raw);
}

static void response_overrides(struct visit *v)
{
	struct vtl_run r = { .arena = v->a };
	const struct vtl_value *o = v->context ? vtl_map_get(v->context, S("responseOverride")) : NULL, *part;
	struct str text;
	int64_t status;

	if (!o || o->type != VTL_MAP)
		return;
	part = vtl_map_get(o->map, S("status"));
	if (part && vtl_text(&r, part, &text) == 0 && str_to_i64(text, &status) == 0 && status >= 200 && status <= 599)
		v->out.status = (int)status;
	part = vtl_map_get(o->map, S("header"));
	for (size_t i = 0; part && part->type == VTL_MAP && i < part->map->n; i++) {
		struct str name = part->map->v[i].key;

		if (vtl_text(&r, &part->map->v[i].value, &text) < 0)
			continue;
		for (size_t k = 0; k < v->out.n; k++) /* it replaces */
			if (str_eq_ci(v->out.headers[k].name, name) && !str_eq_ci(name, S("content-type")))
				v->out.headers[k--] = v->out.headers[--v->out.n];
		visit_header_out(v, &v->out, name, text);
	}
}

/* body_out: the answer's body by the response's template. Returns the content type it has by that. */
static int body_out(struct visit *v, const struct served_response *r, struct str *ret_type)
{
	struct str accept = visit_header(v, S("accept")), body = v->integration.body;
	const struct tmpl *t = accept.n ? tmpl_find(&r->templates, accept) : NULL;
	bool binary = visit_binary_type(v, answered_header(v, S("content-type")));
	int e = convert(v, r->r->content_handling, binary, &body);

	*ret_type = STR_NONE;
	if (!t)
		t = tmpl_find(&r->templates, S("application/json"));
	if (!t && r->templates.n)
		t = &r->templates.v[0];
	v->out.body = body;
	if (e < 0 || !t)
		return e;
	*ret_type = t->type;
	return visit_render(v, t, body, &v->out.body);
}

static int answer(struct visit *v, const struct served_response *r)
{
	const struct str_map *m = &r->r->response_parameters;
	struct str type, own;
	int64_t status = 200;

	if (body_out(v, r, &type) < 0) {
		visit_log(v, EXEC_ERROR, "Execution failed due to configuration error: Unable to transform response");
		return visit_refuse(v, GW_DEFAULT_5XX, STR_NONE);
	}
	(void)str_to_i64(r->r->status_code, &status);
	v->out.status = (int)status;
	own = answered_header(v, S("content-type"));
	visit_header_out(v, &v->out, S("Content-Type"), type.p ? type : own.p ? own : S("application/json"));
	for (size_t i = 0; i < m->n; i++)
		if (str_starts(m->v[i].key, S("method.response.header.")))
			visit_header_out(v, &v->out, str_skip(m->v[i].key, 23), response_value(v, m->v[i].value));
	response_overrides(v);
	visit_header_out(v, &v->out, S("X-Amzn-Trace-Id"), v->trace);
	visit_log_transformed(v);
	return visit_send(v);
}

int visit_respond(struct visit *v)
{
	struct str type = v->m->m->method_integration->type;
	const struct served_response *r;

	visit_cache_put(v);
	if (str_is(type, "MOCK"))
		v->integration_latency_ms = clock_mono_ms() - v->integration_mono_ms;
	if (str_ends(type, S("_PROXY"))) {
		visit_log_transformed(v);
		return visit_send(v);
	}
	r = select_response(v);
	if (!r) {
		visit_log(v, EXEC_ERROR,
			  "Execution failed due to configuration error: No match for output mapping and no default output mapping "
			  "configured. "
			  "Endpoint Response Status Code: %d",
			  v->integration.status);
		return broken(v);
	}
	return answer(v, r);
}
