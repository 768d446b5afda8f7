/* SPDX-License-Identifier: Apache-2.0 */
/* integrations.c - what stands behind a method, and how its answers become the method's.
 *
 * Only what the data plane can do is accepted: HTTP, HTTP_PROXY, MOCK, AWS_PROXY in front of a function, and AWS in front of a function
 * or of another service of this cloud. */
#include "svc/apigateway/apigateway_int.h"
#include <errno.h>

#define TIMEOUT_MIN_MS 50
#define TIMEOUT_MAX_MS 29000

static bool starts_any(struct str s, const char *const *prefixes)
{
	for (size_t i = 0; prefixes[i]; i++)
		if (str_starts(s, str_c(prefixes[i])) && s.n > strlen(prefixes[i]))
			return true;
	return false;
}

static bool quoted(struct str s)
{
	return s.n >= 2 && s.p[0] == '\'' && s.p[s.n - 1] == '\'';
}

/* From the request: "method.request.header.X", "context.X", "stageVariables.X", or text in quotes. */
static bool request_source(struct str s)
{
	static const char *const from[] = { "method.request.header.",
					    "method.request.querystring.",
					    "method.request.path.",
					    "method.request.multivalueheader.",
					    "method.request.multivaluequerystring.",
					    "method.request.body.",
					    "context.",
					    "stageVariables.",
					    NULL };

	return quoted(s) || str_is(s, "method.request.body") || starts_any(s, from);
}

static bool response_source(struct str s)
{
	static const char *const from[] = { "integration.response.header.",
					    "integration.response.multivalueheader.",
					    "integration.response.body.",
					    "context.",
					    "stageVariables.",
					    NULL };

	return quoted(s) || str_is(s, "integration.response.body") || starts_any(s, from);
}

int apigw_function_of(struct str uri, struct str *ret_region, struct str *ret_function)
{
	static const char path[] = "path/2015-03-31/functions/";
	struct arn arn;
	struct str f;

	/* arn:aws:apigateway:REGION:lambda:path/2015-03-31/functions/FUNCTION/invocations */
	if (arn_parse(uri, &arn) < 0 || !str_is(arn.service, "apigateway") || !str_is(arn.account, "lambda") ||
	    !str_starts(arn.resource, str_c(path)) || !str_ends(arn.resource, S("/invocations")))
		return -EINVAL;
	f = str_of(arn.resource.p + strlen(path), arn.resource.n - strlen(path));
	if (f.n <= strlen("/invocations"))
		return -EINVAL;
	f.n -= strlen("/invocations");
	*ret_region = arn.region;
	*ret_function = f;
	return 0;
}

struct sought {
	struct str name;
	const struct service_model *model;
};

static void seek(const struct service *s, void *arg)
{
	struct sought *q = arg;

	for (const char *const *p = s->model->signing; *p && !q->model; p++)
		if (str_is(q->name, *p))
			q->model = s->model;
}

const struct service_model *apigw_service_of(struct cloud *cl, struct str name, struct str *ret_signing, struct str *ret_front)
{
	struct sought q = { .name = name };
	ptrdiff_t dot = str_rfind_char(name, '.');

	*ret_front = STR_NONE;
	if (dot >= 0)
		q.name = str_skip(name, (size_t)dot + 1);
	cloud_each_service(cl, seek, &q);
	if (q.model && dot >= 0 && str_is(q.name, "s3"))
		*ret_front = str_of(name.p, (size_t)dot);
	*ret_signing = q.name;
	return q.model;
}

/* check_service: an integration of type AWS with a service other than lambda. */
static int check_service(struct call *c, const struct apigw_rec_integration *g, const struct arn *arn)
{
	struct str name, front;
	const struct service_model *m = apigw_service_of(c->cloud, arn->account, &name, &front);
	bool action = str_starts(arn->resource, S("action/"));

	if (!action && !str_starts(arn->resource, S("path/")))
		return call_fail(c, &apigateway_err_bad_request, "AWS ARN for integration must contain path or action");
	if (!m)
		return call_fail(c, &apigateway_err_bad_request, "AWS service of type %.*s not supported", STR(name));
	if (action && (m->protocols[0] == WIRE_REST_JSON || m->protocols[0] == WIRE_REST_XML))
		return call_fail(c, &apigateway_err_bad_request,
				 "Actions of the service '%.*s' are not implemented by this cloud as integrations; paths are.", STR(name));
	if (!g->credentials.n)
		return call_fail(c, &apigateway_err_bad_request, "Role ARN must be specified for AWS integrations");
	return 0;
}

static int check_uri(struct call *c, struct apigw_rec_integration *g)
{
	struct str region, function;
	struct arn arn;

	if (str_is(g->type, "MOCK"))
		return 0;
	if (!apigw_verb_valid(g->http_method))
		return call_fail(c, &apigateway_err_bad_request, "Enumeration value for HttpMethod must be non-empty");
	if (str_is(g->type, "HTTP") || str_is(g->type, "HTTP_PROXY"))
		return str_starts(g->uri, S("http://")) || str_starts(g->uri, S("https://")) || str_starts(g->uri, S("${stageVariables."))
			       ? 0
			       : call_fail(c, &apigateway_err_bad_request, "Invalid HTTP endpoint specified for URI");
	if (!g->uri.n || arn_parse(g->uri, &arn) < 0)
		return call_fail(c, &apigateway_err_bad_request, "Invalid ARN specified in the request");
	if (!str_is(arn.service, "apigateway"))
		return call_fail(c, &apigateway_err_bad_request, "AWS ARN for integration must contain path or action");
	if (apigw_function_of(g->uri, &region, &function) == 0)
		return 0;
	if (str_is(arn.account, "lambda"))
		return call_fail(c, &apigateway_err_bad_request, "Invalid function ARN or invalid uri");
	if (str_is(g->type, "AWS_PROXY"))
		return call_fail(
			c, &apigateway_err_bad_request,
			"Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose stream invocations.");
	return check_service(c, g, &arn);
}

static int check_behaviour(struct call *c, struct apigw_rec_integration *g)
{
	if (str_is(g->connection_type, "VPC_LINK"))
		return call_fail(c, &apigateway_err_bad_request, "Connections of type VPC_LINK are not implemented by this cloud.");
	if (g->connection_type.n && !str_is(g->connection_type, "INTERNET"))
		return call_fail(c, &apigateway_err_bad_request, "Invalid connection type specified: %.*s", STR(g->connection_type));
	if (!g->passthrough_behavior.n)
		g->passthrough_behavior = S("WHEN_NO_MATCH");
	if (!str_is(g->passthrough_behavior, "WHEN_NO_MATCH") && !str_is(g->passthrough_behavior, "WHEN_NO_TEMPLATES") &&
	    !str_is(g->passthrough_behavior, "NEVER"))
		return call_fail(c, &apigateway_err_bad_request,
				 "Invalid passthroughBehavior specified. Valid options are WHEN_NO_MATCH, WHEN_NO_TEMPLATES, and NEVER");
	if (g->content_handling.p && !g->content_handling.n)
		g->content_handling = STR_NONE;
	if (g->content_handling.n && !str_is(g->content_handling, "CONVERT_TO_BINARY") && !str_is(g->content_handling, "CONVERT_TO_TEXT"))
		return call_fail(c, &apigateway_err_bad_request, "Invalid contentHandling specified: %.*s", STR(g->content_handling));
	if (!g->timeout_in_millis.has)
		g->timeout_in_millis = OPT_INT(TIMEOUT_MAX_MS);
	if (g->timeout_in_millis.v < TIMEOUT_MIN_MS || g->timeout_in_millis.v > TIMEOUT_MAX_MS)
		return call_fail(c, &apigateway_err_bad_request, "Timeout should be between %d ms and %d ms", TIMEOUT_MIN_MS,
				 TIMEOUT_MAX_MS);
	return 0;
}

int apigw_integration_check(struct call *c, struct str resource_id, struct apigw_rec_integration *g)
{
	static const char *const types[] = { "HTTP", "HTTP_PROXY", "AWS", "AWS_PROXY", "MOCK" };
	static const char *const to[] = { "integration.request.header.", "integration.request.querystring.", "integration.request.path.",
					  NULL };
	bool known = false;
	int r;

	for (size_t i = 0; i < ELEMENTS(types); i++)
		known |= str_is(g->type, types[i]);
	if (!known)
		return call_fail(c, &apigateway_err_bad_request, "Invalid integration type specified: %.*s", STR(g->type));
	r = check_behaviour(c, g);
	if (r == 0)
		r = check_uri(c, g);
	if (r < 0)
		return r;
	for (size_t i = 0; i < g->request_parameters.n; i++) {
		if (!starts_any(g->request_parameters.v[i].key, to))
			return apigw_bad_mapping(c, g->request_parameters.v[i].key);
		if (!request_source(g->request_parameters.v[i].value))
			return apigw_bad_mapping(c, g->request_parameters.v[i].value);
	}
	if (g->credentials.p && !g->credentials.n)
		g->credentials = STR_NONE;
	if (!g->cache_namespace.n)
		g->cache_namespace = resource_id;
	if (!g->cache_key_parameters.v)
		g->cache_key_parameters.v = arena_alloc(c->arena, sizeof(struct str));
	return 0;
}

int apigw_integration_pass_role(struct call *c, const struct apigw_rec_integration *g)
{
	struct arn arn;

	if (!g->credentials.n || (arn_parse(g->credentials, &arn) == 0 && str_is(arn.service, "iam") && str_is(arn.resource, "user/*")))
		return 0; /* the caller's own credentials */
	return apigw_pass_role(c, g->credentials);
}

int apigw_integration_response_check(struct call *c, const struct apigw_rec_method *m, const struct apigw_rec_integration_response *g)
{
	const struct apigw_rec_method_response *a = apigw_map_value(c->arena, (void *)(uintptr_t)&m->method_responses, sizeof *a,
								    g->status_code, false);

	if (!a)
		return call_fail(c, &apigateway_err_not_found, "Invalid Response status code specified");
	for (size_t i = 0; i < g->response_parameters.n; i++) {
		if (!apigw_map_value(c->arena, (void *)(uintptr_t)&a->response_parameters, sizeof(struct opt_bool),
				     g->response_parameters.v[i].key, false))
			return call_fail(
				c, &apigateway_err_bad_request,
				"Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping "
				"expression parameter specified: %.*s]",
				STR(g->response_parameters.v[i].key));
		if (!response_source(g->response_parameters.v[i].value))
			return apigw_bad_mapping(c, g->response_parameters.v[i].value);
	}
	if (g->content_handling.n && !str_is(g->content_handling, "CONVERT_TO_BINARY") && !str_is(g->content_handling, "CONVERT_TO_TEXT"))
		return call_fail(c, &apigateway_err_bad_request, "Invalid contentHandling specified: %.*s", STR(g->content_handling));
	return 0;
}

/* --- integrations --- */
struct found {
	struct apigw_rec_resource res;
	struct apigw_rec_method *m;
	struct apigw_rec_integration_response *answer;
};

static int find(struct call *c, struct str api, struct str resource, struct str verb, struct found *f)
{
	int r = apigw_method(c, api, resource, verb, &f->res, &f->m);

	if (r == 0 && !f->m->method_integration)
		return call_fail(c, &apigateway_err_not_found, "Invalid Integration identifier specified");
	return r;
}

APIGW_HANDLER(put_integration, put_integration_request, integration)
{
	struct apigw_rec_integration *g = arena_new(c->arena, struct apigw_rec_integration);
	struct apigw_rec_resource res;
	struct apigw_rec_method *m;
	int r = apigw_method(c, in->rest_api_id, in->resource_id, in->http_method, &res, &m);

	if (r < 0)
		return r;
	apigw_in(c, in, APIGW_REC_INTEGRATION, g);
	g->http_method = in->integration_http_method;
	if (str_is(in->response_transfer_mode, "STREAM"))
		return call_fail(c, &apigateway_err_bad_request, "Streamed responses are not implemented by this cloud.");
	if (in->connection_id.n || in->integration_target.n)
		return call_fail(c, &apigateway_err_bad_request, "Connections of type VPC_LINK are not implemented by this cloud.");
	r = apigw_integration_check(c, in->resource_id, g);
	if (r == 0)
		r = apigw_integration_pass_role(c, g);
	if (r < 0)
		return r;
	m->method_integration = g;
	r = apigw_put(c, &apigw_resource_kind, in->rest_api_id, res.id, &res);
	if (r == 0)
		apigw_out(c, APIGW_REC_INTEGRATION, g, out);
	return r;
}

APIGW_HANDLER(get_integration, get_integration_request, integration)
{
	struct found f;
	int r = find(c, in->rest_api_id, in->resource_id, in->http_method, &f);

	if (r == 0)
		apigw_out(c, APIGW_REC_INTEGRATION, f.m->method_integration, out);
	return r;
}

static const struct apigw_rule rules[] = {
	{ "/cacheKeyParameters", APIGW_ADD | APIGW_REMOVE },
	{ "/cacheKeyParameters/{name}", APIGW_ADD | APIGW_REMOVE },
	{ "/cacheNamespace", APIGW_REPLACE },
	{ "/connectionType", APIGW_REPLACE },
	{ "/contentHandling", APIGW_REPLACE },
	{ "/credentials", APIGW_REPLACE },
	{ "/httpMethod", APIGW_REPLACE },
	{ "/passthroughBehavior", APIGW_REPLACE },
	{ "/requestParameters/{name}", APIGW_ADD | APIGW_REPLACE | APIGW_REMOVE },
	{ "/requestTemplates/{content-type}", APIGW_ADD | APIGW_REPLACE | APIGW_REMOVE },
	{ "/timeoutInMillis", APIGW_REPLACE },
	{ "/tlsConfig/insecureSkipVerification", APIGW_ADD | APIGW_REPLACE },
	{ "/type", APIGW_REPLACE },
	{ "/uri", APIGW_REPLACE },
	{ NULL },
};

APIGW_HANDLER(update_integration, update_integration_request, integration)
{
	struct found f;
	int r = find(c, in->rest_api_id, in->resource_id, in->http_method, &f);

	if (r == 0)
		r = apigw_patch(c, APIGW_REC_INTEGRATION, f.m->method_integration, &in->patch_operations, rules);
	if (r == 0)
		r = apigw_integration_check(c, in->resource_id, f.m->method_integration);
	if (r == 0) /* the role does other work now, whatever was changed */
		r = apigw_integration_pass_role(c, f.m->method_integration);
	if (r == 0)
		r = apigw_put(c, &apigw_resource_kind, in->rest_api_id, f.res.id, &f.res);
	if (r == 0)
		apigw_out(c, APIGW_REC_INTEGRATION, f.m->method_integration, out);
	return r;
}

APIGW_HANDLER(delete_integration, delete_integration_request, delete_integration_response)
{
	struct found f;
	int r = find(c, in->rest_api_id, in->resource_id, in->http_method, &f);

	if (r < 0)
		return r;
	f.m->method_integration = NULL;
	return apigw_put(c, &apigw_resource_kind, in->rest_api_id, f.res.id, &f.res);
}

/* --- integration responses --- */
static int find_response(struct call *c, struct str api, struct str resource, struct str verb, struct str status, struct found *f)
{
	int r = find(c, api, resource, verb, f);

	if (r < 0)
		return r;
	f->answer = apigw_map_value(c->arena, &f->m->method_integration->integration_responses, sizeof *f->answer, status, false);
	return f->answer ? 0 : call_fail(c, &apigateway_err_not_found, "Invalid Response status code specified");
}

APIGW_HANDLER(put_integration_response, put_integration_response_request, integration_response)
{
	struct apigw_rec_integration_response a = { 0 };
	struct found f;
	int r = find(c, in->rest_api_id, in->resource_id, in->http_method, &f);

	if (r < 0)
		return r;
	apigw_in(c, in, APIGW_REC_INTEGRATION_RESPONSE, &a);
	r = apigw_integration_response_check(c, f.m, &a);
	if (r < 0)
		return r;
	*(struct apigw_rec_integration_response *)apigw_map_value(c->arena, &f.m->method_integration->integration_responses, sizeof a,
								  a.status_code, true) = a;
	r = apigw_put(c, &apigw_resource_kind, in->rest_api_id, f.res.id, &f.res);
	if (r == 0)
		apigw_out(c, APIGW_REC_INTEGRATION_RESPONSE, &a, out);
	return r;
}

APIGW_HANDLER(get_integration_response, get_integration_response_request, integration_response)
{
	struct found f;
	int r = find_response(c, in->rest_api_id, in->resource_id, in->http_method, in->status_code, &f);

	if (r == 0)
		apigw_out(c, APIGW_REC_INTEGRATION_RESPONSE, f.answer, out);
	return r;
}

static const struct apigw_rule response_rules[] = {
	{ "/contentHandling", APIGW_REPLACE },
	{ "/responseParameters/{name}", APIGW_ADD | APIGW_REPLACE | APIGW_REMOVE },
	{ "/responseTemplates/{content-type}", APIGW_ADD | APIGW_REPLACE | APIGW_REMOVE },
	{ "/selectionPattern", APIGW_REPLACE },
	{ NULL },
};

APIGW_HANDLER(update_integration_response, update_integration_response_request, integration_response)
{
	struct found f;
	int r = find_response(c, in->rest_api_id, in->resource_id, in->http_method, in->status_code, &f);

	if (r == 0)
		r = apigw_patch(c, APIGW_REC_INTEGRATION_RESPONSE, f.answer, &in->patch_operations, response_rules);
	if (r == 0)
		r = apigw_integration_response_check(c, f.m, f.answer);
	if (r == 0)
		r = apigw_put(c, &apigw_resource_kind, in->rest_api_id, f.res.id, &f.res);
	if (r == 0)
		apigw_out(c, APIGW_REC_INTEGRATION_RESPONSE, f.answer, out);
	return r;
}

APIGW_HANDLER(delete_integration_response, delete_integration_response_request, delete_integration_response_response)
{
	struct found f;
	int r = find_response(c, in->rest_api_id, in->resource_id, in->http_method, in->status_code, &f);

	if (r < 0)
		return r;
	(void)apigw_map_remove(&f.m->method_integration->integration_responses, sizeof *f.answer, in->status_code);
	return apigw_put(c, &apigw_resource_kind, in->rest_api_id, f.res.id, &f.res);
}
