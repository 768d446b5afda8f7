/* SPDX-License-Identifier: Apache-2.0 */
/* front_reply.c - gateway responses, and how answers go out. Sources: "Gateway response types for API Gateway", "x-amzn-ErrorType"
 * as clients read it; header rules: "Important notes for REST APIs". */
#include "svc/apigateway/front.h"
#include <assert.h>
#include <errno.h>
#include <zlib.h>

static const struct {
	const char *name, *error_type, *message;
	int status;
} types[] = {
	[GW_ACCESS_DENIED] = { "ACCESS_DENIED", "AccessDeniedException", "Forbidden", 403 },
	[GW_API_CONFIGURATION_ERROR] = { "API_CONFIGURATION_ERROR", "InternalServerErrorException", "Internal server error", 500 },
	[GW_AUTHORIZER_CONFIGURATION_ERROR] = { "AUTHORIZER_CONFIGURATION_ERROR", "AuthorizerConfigurationException", NULL, 500 },
	[GW_AUTHORIZER_FAILURE] = { "AUTHORIZER_FAILURE", "AuthorizerFailureException", NULL, 500 },
	[GW_BAD_REQUEST_BODY] = { "BAD_REQUEST_BODY", "BadRequestException", "Invalid request body", 400 },
	[GW_BAD_REQUEST_PARAMETERS] = { "BAD_REQUEST_PARAMETERS", "BadRequestException", "Bad request parameters", 400 },
	[GW_EXPIRED_TOKEN] = { "EXPIRED_TOKEN", "ExpiredTokenException", "The security token included in the request is expired", 403 },
	[GW_INTEGRATION_FAILURE] = { "INTEGRATION_FAILURE", "InternalServerErrorException", "Internal server error", 504 },
	[GW_INTEGRATION_TIMEOUT] = { "INTEGRATION_TIMEOUT", "InternalServerErrorException", "Endpoint request timed out", 504 },
	[GW_INVALID_API_KEY] = { "INVALID_API_KEY", "ForbiddenException", "Forbidden", 403 },
	[GW_INVALID_SIGNATURE] = { "INVALID_SIGNATURE", "InvalidSignatureException", "Invalid signature", 403 },
	[GW_MISSING_AUTHENTICATION_TOKEN] = { "MISSING_AUTHENTICATION_TOKEN", "MissingAuthenticationTokenException",
					      "Missing Authentication Token", 403 },
	[GW_QUOTA_EXCEEDED] = { "QUOTA_EXCEEDED", "LimitExceededException", "Limit Exceeded", 429 },
	[GW_REQUEST_TOO_LARGE] = { "REQUEST_TOO_LARGE", "RequestTooLargeException", "Request Too Long", 413 },
	[GW_RESOURCE_NOT_FOUND] = { "RESOURCE_NOT_FOUND", "NotFoundException", "Not Found", 404 },
	[GW_THROTTLED] = { "THROTTLED", "TooManyRequestsException", "Too Many Requests", 429 },
	[GW_UNAUTHORIZED] = { "UNAUTHORIZED", "UnauthorizedException", "Unauthorized", 401 },
	[GW_UNSUPPORTED_MEDIA_TYPE] = { "UNSUPPORTED_MEDIA_TYPE", "UnsupportedMediaTypeException", "Unsupported Media Type", 415 },
	[GW_DEFAULT_4XX] = { "DEFAULT_4XX", "BadRequestException", "Bad Request", 400 },
	[GW_DEFAULT_5XX] = { "DEFAULT_5XX", "InternalServerErrorException", "Internal server error", 500 },
};

static bool is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= 32 || (unsigned char)s.p[i] >= 127 || strchr("()<>@,;:\\\"/[]?={}", s.p[i]))
			return false;
	return s.n > 0;
}

static bool is_field(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (((unsigned char)s.p[i] < 32 && s.p[i] != '\t') || s.p[i] == 127)
			return false;
	return true;
}

/* visit_header_out adds one; what isn't a header's name, or would end the line, is left out. */
void visit_header_out(struct visit *v, struct visit_answer *w, struct str name, struct str value)
{
	static const char *const ours[] = { "content-length", "connection", "date",    "transfer-encoding",
					    "keep-alive",     "upgrade",    "trailer", "te" };

	if (!value.p || !is_token(name) || !is_field(value) || w->n >= VISIT_HEADERS_MAX)
		return;
	for (size_t i = 0; i < ELEMENTS(ours); i++)
		if (str_eq_ci(name, str_c(ours[i])))
			return;
	if (str_eq_ci(name, S("content-type"))) {
		if (w->has_type) {
			for (size_t i = 0; i < w->n; i++)
				if (str_eq_ci(w->headers[i].name, name))
					w->headers[i].value = value;
			return;
		}
		w->has_type = true;
	}
	vec_push(v->a, w->headers, w->n, w->cap) = (struct http_header){ name, value };
}

/* --- compression --- */
static bool accepts_gzip(const struct visit *v)
{
	struct str rest = visit_header(v, S("accept-encoding")), one, name, q;

	while (rest.p && str_next(&rest, ',', &one)) {
		(void)str_cut(one, ';', &name, &q);
		if ((str_eq_ci(str_trim(name), S("gzip")) || str_is(str_trim(name), "*")) &&
		    !(q.p && (str_is(str_trim(q), "q=0") || str_is(str_trim(q), "q=0.0"))))
			return true;
	}
	return false;
}

static bool gzip(struct arena *a, struct str in, struct str *ret)
{
	z_stream z = { 0 };
	size_t cap;
	char *out;
	int r;

	if (deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return false;
	cap = deflateBound(&z, in.n);
	out = arena_alloc(a, cap);
	z.next_in = (Bytef *)(uintptr_t)in.p;
	z.avail_in = (uInt)in.n;
	z.next_out = (Bytef *)out;
	z.avail_out = (uInt)cap;
	r = deflate(&z, Z_FINISH);
	*ret = str_of(out, z.total_out);
	deflateEnd(&z);
	return r == Z_STREAM_END;
}

static void compress_answer(struct visit *v)
{
	const struct apigw_rec_api *api = v->served ? v->served->snap.api : NULL;
	struct str small;

	if (!api || !api->minimum_compression_size.has || (int64_t)v->out.body.n < api->minimum_compression_size.v || !v->out.body.n ||
	    !accepts_gzip(v))
		return;
	for (size_t i = 0; i < v->out.n; i++)
		if (str_eq_ci(v->out.headers[i].name, S("content-encoding")))
			return;
	if (gzip(v->a, v->out.body, &small)) {
		v->out.body = small;
		visit_header_out(v, &v->out, S("Content-Encoding"), S("gzip"));
	}
}

int visit_send(struct visit *v)
{
	struct http_reply reply = { 0 };
	bool private_trace = false;

	assert(!v->answered);
	v->answered = true;
	visit_log_end(v);
	if (v->test_done) {
		v->test_done(v);
		return VISIT_ANSWERED;
	}
	compress_answer(v);
	for (size_t i = 0; i < v->out.n; i++)
		private_trace = private_trace || str_eq_ci(v->out.headers[i].name, S("x-amzn-requestid"));
	if (!private_trace)
		visit_header_out(v, &v->out, S("x-amzn-RequestId"), v->f->facts.request_id);
	visit_header_out(v, &v->out, S("x-amz-apigw-id"), v->extended_id);
	if (v->cache.warn)
		visit_header_out(v, &v->out, S("Warning"),
				 S("199 - \"Not authorized to invalidate the cache: Cache-Control was ignored\""));
	reply.status = v->out.status;
	reply.headers = v->out.headers;
	reply.n_headers = v->out.n;
	reply.head = str_is(v->method, "HEAD");
	reply.body = reply.status == 204 || reply.status == 304 ? S("") : v->out.body.p ? v->out.body : S("");
	access_log(v);
	visit_log_send(v);
	served_put(v->served);
	if (v->region)
		region_unuse(v->region);
	http_reply(v->http, &reply);
	return VISIT_ANSWERED; /* v is gone */
}

/* --- gateway responses --- */
static const struct served_gateway_response *configured(const struct visit *v, const char *name)
{
	for (size_t i = 0; v->served && i < v->served->snap.responses.n; i++)
		if (str_is(v->served->responses[i].r->response_type, name))
			return &v->served->responses[i];
	return NULL;
}

/* parameter of a gateway response: a literal in quotes, of the request, of the context. */
static struct str parameter(struct visit *v, struct str from)
{
	if (from.n >= 2 && from.p[0] == '\'' && from.p[from.n - 1] == '\'')
		return str_of(from.p + 1, from.n - 2);
	if (str_starts(from, S("method.request.header.")))
		return visit_header(v, str_skip(from, 22));
	if (str_starts(from, S("method.request.querystring.")))
		return visit_query(v, str_skip(from, 27));
	if (str_starts(from, S("method.request.path.")))
		return str_map_get(&v->path_params, str_skip(from, 20));
	if (str_starts(from, S("context.")))
		return visit_context_text(v, str_skip(from, 8));
	if (str_starts(from, S("stageVariables.")))
		return str_map_get(&v->variables, str_skip(from, 15));
	return STR_NONE;
}

static void custom(struct visit *v, const struct served_gateway_response *g)
{
	struct str accept = visit_header(v, S("accept")), text;
	const struct tmpl *t = accept.p ? tmpl_find(&g->templates, accept) : NULL;
	int64_t status;

	if (str_to_i64(g->r->status_code, &status) == 0 && status >= 200 && status <= 599)
		v->out.status = (int)status;
	visit_context_error(v);
	if (!t)
		t = tmpl_find(&g->templates, S("application/json"));
	if (!t && g->templates.n)
		t = &g->templates.v[0];
	if (t && visit_render(v, t, v->body, &text) == 0) {
		v->out.body = text;
		visit_header_out(v, &v->out, S("Content-Type"), t->type);
	}
	for (size_t i = 0; i < g->r->response_parameters.n; i++) {
		struct str name = g->r->response_parameters.v[i].key;

		if (str_starts(name, S("gatewayresponse.header.")))
			visit_header_out(v, &v->out, str_skip(name, 23), parameter(v, g->r->response_parameters.v[i].value));
	}
}

int visit_refuse_as(struct visit *v, enum gateway_error e, int status, struct str message)
{
	const struct served_gateway_response *g = configured(v, types[e].name);
	struct buf b;

	v->out = (struct visit_answer){ .status = status ? status : types[e].status };
	v->error_type = str_c(types[e].name);
	v->error_message = message.p ? message : str_c(types[e].message);
	if (!g)
		g = configured(v, v->out.status >= 500 ? "DEFAULT_5XX" : "DEFAULT_4XX");
	visit_header_out(v, &v->out, S("x-amzn-ErrorType"), str_c(types[e].error_type));
	buf_init(&b, 65536);
	buf_str(&b, e == GW_ACCESS_DENIED ? S("{\"Message\":") : S("{\"message\":"));
	if (v->error_message.p)
		json_write_str(&b, v->error_message);
	else
		buf_str(&b, S("null"));
	buf_c(&b, '}');
	v->out.body = str_dup(v->a, buf_view(&b));
	buf_done(&b);
	if (g)
		custom(v, g);
	if (!v->out.has_type)
		visit_header_out(v, &v->out, S("Content-Type"), S("application/json"));
	return visit_send(v);
}

int visit_refuse(struct visit *v, enum gateway_error e, struct str message)
{
	return visit_refuse_as(v, e, 0, message);
}

/* Before anything of the API may be told: no gateway response of its owner. */
int visit_forbidden(struct visit *v)
{
	served_put(v->served);
	v->served = NULL;
	v->out = (struct visit_answer){ .status = 403, .body = S("{\"message\":\"Forbidden\"}") };
	visit_header_out(v, &v->out, S("x-amzn-ErrorType"), S("ForbiddenException"));
	visit_header_out(v, &v->out, S("Content-Type"), S("application/json"));
	return visit_send(v);
}
