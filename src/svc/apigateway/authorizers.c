/* SPDX-License-Identifier: Apache-2.0 */
/* authorizers.c - authorizers that are functions (TOKEN, REQUEST), and the answers that the gateway gives by itself. */
#include "svc/apigateway/apigateway_int.h"
#include <errno.h>

#define TTL_DEFAULT_S 300
#define TTL_MAX_S 3600

static bool source_valid(struct str s, bool token)
{
	static const char *const any[] = { "method.request.header.", "method.request.querystring.", "context.", "stageVariables." };

	for (size_t i = 0; i < (token ? 1 : ELEMENTS(any)); i++)
		if (str_starts(s, str_c(any[i])) && s.n > strlen(any[i]))
			return true;
	return false;
}

static int check_sources(struct call *c, const struct apigw_rec_authorizer *a, bool token)
{
	struct str rest = a->identity_source, one;

	if (token && str_find_char(a->identity_source, ',') >= 0)
		return call_fail(c, &apigateway_err_bad_request, "Invalid TOKEN authorizer identity source: only one header may be named");
	while (a->identity_source.n && str_next(&rest, ',', &one))
		if (!source_valid(str_trim(one), token))
			return call_fail(
				c, &apigateway_err_bad_request,
				"Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping "
				"expression specified: %.*s]",
				STR(str_trim(one)));
	return 0;
}

int apigw_authorizer_check(struct call *c, struct apigw_rec_authorizer *a)
{
	bool token = str_is(a->type, "TOKEN");
	struct str region, function;
	int r;

	if (!token && !str_is(a->type, "REQUEST"))
		return call_fail(c, &apigateway_err_bad_request, "Authorizers of type %.*s are not implemented by this cloud.",
				 STR(a->type));
	if (!a->name.n)
		return call_fail(c, &apigateway_err_bad_request, "No authorizer name specified");
	if (a->provider_ar_ns.n)
		return call_fail(c, &apigateway_err_bad_request, "Provider ARNs are only for COGNITO_USER_POOLS authorizers.");
	if (apigw_function_of(a->authorizer_uri, &region, &function) < 0)
		return call_fail(c, &apigateway_err_bad_request,
				 "Invalid Authorizer URI: %.*s. Authorizer URI should be a valid API Gateway ARN that represents a Lambda "
				 "function invocation.",
				 STR(a->authorizer_uri));
	if (!a->authorizer_result_ttl_in_seconds.has)
		a->authorizer_result_ttl_in_seconds = OPT_INT(TTL_DEFAULT_S);
	if (a->authorizer_result_ttl_in_seconds.v < 0 || a->authorizer_result_ttl_in_seconds.v > TTL_MAX_S)
		return call_fail(c, &apigateway_err_bad_request, "Authorizer result TTL must be between 0 and %d seconds", TTL_MAX_S);
	if (a->authorizer_credentials.p && !a->authorizer_credentials.n)
		a->authorizer_credentials = STR_NONE;
	if (token && !a->identity_source.n)
		a->identity_source = S("method.request.header.Authorization");
	if (!token && !a->identity_source.n && a->authorizer_result_ttl_in_seconds.v > 0)
		return call_fail(c, &apigateway_err_bad_request,
				 "Identity source must be specified for a REQUEST authorizer with caching enabled");
	r = check_sources(c, a, token);
	a->auth_type = a->auth_type.n ? a->auth_type : S("custom");
	return r;
}

int apigw_authorizer_pass_role(struct call *c, const struct apigw_rec_authorizer *a)
{
	return a->authorizer_credentials.n ? apigw_pass_role(c, a->authorizer_credentials) : 0;
}

static int name_taken(struct call *c, struct str api, const struct apigw_rec_authorizer *a)
{
	struct apigw_rec_authorizer_list all;
	int r = apigw_all(c, &apigw_authorizer_kind, api, &all);

	for (size_t i = 0; r == 0 && i < all.n; i++)
		if (str_eq(all.v[i].name, a->name) && !str_eq(all.v[i].id, a->id))
			return call_fail(c, &apigateway_err_conflict,
					 "Authorizer name must be unique. Authorizer %.*s already exists in this RestApi.", STR(a->name));
	if (r == 0 && !a->id.p && all.n >= APIGW_AUTHORIZERS_MAX)
		return call_fail(c, &apigateway_err_limit_exceeded, "Maximum number of Authorizers for this API has been reached: %d",
				 APIGW_AUTHORIZERS_MAX);
	return r;
}

APIGW_HANDLER(create_authorizer, create_authorizer_request, authorizer)
{
	struct apigw_rec_authorizer a = { 0 };
	struct apigw_rec_api api;
	int r = apigw_api(c, in->rest_api_id, &api);

	if (r < 0)
		return r;
	apigw_in(c, in, APIGW_REC_AUTHORIZER, &a);
	r = apigw_authorizer_check(c, &a);
	if (r == 0)
		r = apigw_authorizer_pass_role(c, &a);
	if (r == 0)
		r = name_taken(c, api.id, &a);
	if (r < 0)
		return r;
	a.id = apigw_id(c, APIGW_PART_ID_CHARS);
	r = apigw_put(c, &apigw_authorizer_kind, api.id, a.id, &a);
	if (r == 0)
		apigw_out(c, APIGW_REC_AUTHORIZER, &a, out);
	return r;
}

APIGW_HANDLER(get_authorizer, get_authorizer_request, authorizer)
{
	struct apigw_rec_authorizer a;
	int r = apigw_part(c, &apigw_authorizer_kind, in->rest_api_id, in->authorizer_id, &a);

	if (r == 0)
		apigw_out(c, APIGW_REC_AUTHORIZER, &a, out);
	return r;
}

APIGW_HANDLER(get_authorizers, get_authorizers_request, authorizers)
{
	struct apigw_rec_api api;
	int r = apigw_api(c, in->rest_api_id, &api);

	return r < 0 ? r : apigw_list(c, &apigw_authorizer_kind, api.id, in->position, in->limit, NULL, NULL, out);
}

static const struct apigw_rule rules[] = {
	{ "/authType", APIGW_REPLACE },
	{ "/authorizerCredentials", APIGW_REPLACE },
	{ "/authorizerResultTtlInSeconds", APIGW_REPLACE },
	{ "/authorizerUri", APIGW_REPLACE },
	{ "/identitySource", APIGW_ADD | APIGW_REPLACE | APIGW_REMOVE },
	{ "/identityValidationExpression", APIGW_REPLACE },
	{ "/name", APIGW_REPLACE },
	{ "/providerARNs", APIGW_ADD | APIGW_REMOVE },
	{ "/type", APIGW_REPLACE },
	{ NULL },
};

APIGW_HANDLER(update_authorizer, update_authorizer_request, authorizer)
{
	struct apigw_rec_authorizer a;
	int r = apigw_part(c, &apigw_authorizer_kind, in->rest_api_id, in->authorizer_id, &a);

	if (r == 0)
		r = apigw_patch(c, APIGW_REC_AUTHORIZER, &a, &in->patch_operations, rules);
	if (r == 0)
		r = apigw_authorizer_check(c, &a);
	if (r == 0)
		r = apigw_authorizer_pass_role(c, &a);
	if (r == 0)
		r = name_taken(c, in->rest_api_id, &a);
	if (r == 0)
		r = apigw_put(c, &apigw_authorizer_kind, in->rest_api_id, a.id, &a);
	if (r == 0)
		apigw_out(c, APIGW_REC_AUTHORIZER, &a, out);
	return r;
}

static bool uses(const struct apigw_rec_method *m, struct str id)
{
	return str_eq(m->authorizer_id, id);
}

APIGW_HANDLER(delete_authorizer, delete_authorizer_request, delete_authorizer_response)
{
	struct apigw_rec_authorizer a;
	struct str user;
	int r = apigw_part(c, &apigw_authorizer_kind, in->rest_api_id, in->authorizer_id, &a);

	if (r == 0)
		r = apigw_user_of(c, in->rest_api_id, uses, a.id, &user);
	if (r == 0 && user.p)
		return call_fail(c, &apigateway_err_conflict, "Cannot delete authorizer '%.*s', is referenced in method: %.*s", STR(a.name),
				 STR(user));
	return r == 0 ? apigw_del(c, &apigw_authorizer_kind, in->rest_api_id, a.id) : r;
}

/* --- gateway responses --- */
static const struct {
	const char *type, *status;
} kinds[] = {
	{ "ACCESS_DENIED", "403" },
	{ "API_CONFIGURATION_ERROR", "500" },
	{ "AUTHORIZER_CONFIGURATION_ERROR", "500" },
	{ "AUTHORIZER_FAILURE", "500" },
	{ "BAD_REQUEST_BODY", "400" },
	{ "BAD_REQUEST_PARAMETERS", "400" },
	{ "DEFAULT_4XX", NULL },
	{ "DEFAULT_5XX", NULL },
	{ "EXPIRED_TOKEN", "403" },
	{ "INTEGRATION_FAILURE", "504" },
	{ "INTEGRATION_TIMEOUT", "504" },
	{ "INVALID_API_KEY", "403" },
	{ "INVALID_SIGNATURE", "403" },
	{ "MISSING_AUTHENTICATION_TOKEN", "403" },
	{ "QUOTA_EXCEEDED", "429" },
	{ "REQUEST_TOO_LARGE", "413" },
	{ "RESOURCE_NOT_FOUND", "404" },
	{ "THROTTLED", "429" },
	{ "UNAUTHORIZED", "401" },
	{ "UNSUPPORTED_MEDIA_TYPE", "415" },
	{ "WAF_FILTERED", "403" },
};

bool apigw_response_default(struct arena *a, struct str type, struct apigw_rec_gateway_response *ret)
{
	for (size_t i = 0; i < ELEMENTS(kinds); i++)
		if (str_is(type, kinds[i].type)) {
			*ret = (struct apigw_rec_gateway_response){ .response_type = str_c(kinds[i].type),
								    .status_code = str_c(kinds[i].status) };
			ret->response_templates = (struct str_map){ arena_array(a, struct str_pair, 1), 1 };
			ret->response_templates.v[0] = (struct str_pair){ S("application/json"),
									  S("{\"message\":$context.error.messageString}") };
			ret->response_parameters.v = arena_alloc(a, sizeof(struct str_pair));
			return true;
		}
	return false;
}

int apigw_response_check(struct call *c, struct apigw_rec_gateway_response *g)
{
	struct apigw_rec_gateway_response d;

	if (!apigw_response_default(c->arena, g->response_type, &d))
		return call_fail(c, &apigateway_err_bad_request, "Invalid gateway response type specified: %.*s", STR(g->response_type));
	if (!g->status_code.n)
		g->status_code = d.status_code;
	if (g->status_code.n && (g->status_code.n != 3 || g->status_code.p[0] < '1' || g->status_code.p[0] > '5'))
		return call_fail(c, &apigateway_err_bad_request, "Invalid status code specified: %.*s", STR(g->status_code));
	for (size_t i = 0; i < g->response_parameters.n; i++)
		if (!str_starts(g->response_parameters.v[i].key, S("gatewayresponse.header.")))
			return apigw_bad_mapping(c, g->response_parameters.v[i].key);
	return 0;
}

static int load(struct call *c, struct str api, struct str type, struct apigw_rec_gateway_response *g, bool *ret_default)
{
	struct apigw_rec_api rec;
	int r = apigw_api(c, api, &rec);

	if (r < 0)
		return r;
	r = apigw_get(c, &apigw_response_kind, api, type, g);
	*ret_default = r == -ENOENT;
	if (r == -ENOENT)
		r = apigw_response_default(c->arena, type, g)
			    ? 0
			    : call_fail(c, &apigateway_err_bad_request, "Invalid gateway response type specified: %.*s", STR(type));
	return r;
}

APIGW_HANDLER(put_gateway_response, put_gateway_response_request, gateway_response)
{
	struct apigw_rec_gateway_response g = { 0 };
	struct apigw_rec_api api;
	int r = apigw_api(c, in->rest_api_id, &api);

	if (r < 0)
		return r;
	apigw_in(c, in, APIGW_REC_GATEWAY_RESPONSE, &g);
	r = apigw_response_check(c, &g);
	if (r == 0)
		r = apigw_put(c, &apigw_response_kind, api.id, g.response_type, &g);
	if (r == 0)
		apigw_out(c, APIGW_REC_GATEWAY_RESPONSE, &g, out);
	out->default_response = OPT_BOOL(false);
	return r;
}

APIGW_HANDLER(get_gateway_response, get_gateway_response_request, gateway_response)
{
	struct apigw_rec_gateway_response g;
	bool dflt;
	int r = load(c, in->rest_api_id, in->response_type, &g, &dflt);

	if (r < 0)
		return r;
	apigw_out(c, APIGW_REC_GATEWAY_RESPONSE, &g, out);
	out->default_response = OPT_BOOL(dflt);
	return 0;
}

APIGW_HANDLER(get_gateway_responses, get_gateway_responses_request, gateway_responses)
{
	size_t max = in->limit.has && in->limit.v > 0 ? (size_t)in->limit.v : ELEMENTS(kinds), n = 0;
	struct str after = STR_NONE;

	if (in->position.n && page_parse(c, in->position, &after) < 0)
		return call_fail(c, &apigateway_err_bad_request, "Invalid position parameter specified");
	apigw_out_item(c, APIGW_REC_GATEWAY_RESPONSE, NULL, out);
	for (size_t i = 0; i < ELEMENTS(kinds); i++) {
		struct apigw_rec_gateway_response g;
		bool dflt;
		int r;

		if (after.p && str_cmp(str_c(kinds[i].type), after) <= 0)
			continue;
		if (n++ == max) {
			out->position = page_token(c, str_c(kinds[i - 1].type));
			break;
		}
		r = load(c, in->rest_api_id, str_c(kinds[i].type), &g, &dflt);
		if (r < 0)
			return r;
		apigw_out_item(c, APIGW_REC_GATEWAY_RESPONSE, &g, out);
		out->items.v[out->items.n - 1].default_response = OPT_BOOL(dflt);
	}
	return 0;
}

static const struct apigw_rule response_rules[] = {
	{ "/responseParameters/{name}", APIGW_ADD | APIGW_REPLACE | APIGW_REMOVE },
	{ "/responseTemplates/{content-type}", APIGW_ADD | APIGW_REPLACE | APIGW_REMOVE },
	{ "/statusCode", APIGW_REPLACE | APIGW_REMOVE },
	{ NULL },
};

APIGW_HANDLER(update_gateway_response, update_gateway_response_request, gateway_response)
{
	struct apigw_rec_gateway_response g;
	bool dflt;
	int r = load(c, in->rest_api_id, in->response_type, &g, &dflt);

	if (r == 0)
		r = apigw_patch(c, APIGW_REC_GATEWAY_RESPONSE, &g, &in->patch_operations, response_rules);
	if (r == 0)
		r = apigw_response_check(c, &g);
	if (r == 0)
		r = apigw_put(c, &apigw_response_kind, in->rest_api_id, g.response_type, &g);
	if (r == 0)
		apigw_out(c, APIGW_REC_GATEWAY_RESPONSE, &g, out);
	out->default_response = OPT_BOOL(false);
	return r;
}

APIGW_HANDLER(delete_gateway_response, delete_gateway_response_request, delete_gateway_response_response)
{
	struct apigw_rec_gateway_response g;
	int r = apigw_part(c, &apigw_response_kind, in->rest_api_id, in->response_type, &g);

	return r == 0 ? apigw_del(c, &apigw_response_kind, in->rest_api_id, g.response_type) : r;
}
