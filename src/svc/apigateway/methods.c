/* SPDX-License-Identifier: Apache-2.0 */
/* methods.c - methods of resources and what they may answer. They live in their resource's record. */
#include "svc/apigateway/apigateway_int.h"
#include <errno.h>

bool apigw_verb_valid(struct str verb)
{
	static const char *const verbs[] = { "GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD", "ANY" };

	for (size_t i = 0; i < ELEMENTS(verbs); i++)
		if (str_is(verb, verbs[i]))
			return true;
	return false;
}

int apigw_method(struct call *c, struct str api, struct str resource, struct str verb, struct apigw_rec_resource *ret_res,
		 struct apigw_rec_method **ret)
{
	int r = apigw_part(c, &apigw_resource_kind, api, resource, ret_res);

	if (r < 0)
		return r;
	*ret = apigw_map_value(c->arena, &ret_res->resource_methods, sizeof **ret, verb, false);
	return *ret ? 0 : call_fail(c, &apigateway_err_not_found, "Invalid Method identifier specified");
}

/* "method.request.header.X" and its like. */
static bool names_parameter(struct str s, const char *prefix, const char *const *places)
{
	if (!str_starts(s, str_c(prefix)))
		return false;
	s = str_skip(s, strlen(prefix));
	for (size_t i = 0; places[i]; i++)
		if (str_starts(s, str_c(places[i])) && s.n > strlen(places[i]) + 1 && s.p[strlen(places[i])] == '.')
			return true;
	return false;
}

int apigw_bad_mapping(struct call *c, struct str what)
{
	return call_fail(c, &apigateway_err_bad_request,
			 "Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression "
			 "specified: %.*s]",
			 STR(what));
}

static int check_models(struct call *c, struct str api, const struct str_map *models)
{
	struct apigw_rec_model m;

	for (size_t i = 0; i < models->n; i++) {
		int r = apigw_get(c, &apigw_model_kind, api, models->v[i].value, &m);

		if (r == -ENOENT)
			return call_fail(c, &apigateway_err_bad_request, "Invalid model identifier specified: %.*s",
					 STR(models->v[i].value));
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_authorization(struct call *c, struct str api, struct apigw_rec_method *m)
{
	struct apigw_rec_authorizer auth;
	int r;

	if (str_is(m->authorization_type, "COGNITO_USER_POOLS"))
		return call_fail(c, &apigateway_err_bad_request,
				 "Authorizers of type COGNITO_USER_POOLS are not implemented by this cloud.");
	if (!str_is(m->authorization_type, "CUSTOM")) {
		if (!str_is(m->authorization_type, "NONE") && !str_is(m->authorization_type, "AWS_IAM"))
			return call_fail(c, &apigateway_err_bad_request,
					 "Invalid authorization type specified: %.*s. Must be one of NONE, AWS_IAM, CUSTOM",
					 STR(m->authorization_type));
		m->authorizer_id = STR_NONE;
		return 0;
	}
	r = m->authorizer_id.n ? apigw_get(c, &apigw_authorizer_kind, api, m->authorizer_id, &auth) : -ENOENT;
	if (r == -ENOENT)
		return call_fail(c, &apigateway_err_bad_request,
				 "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS requires "
				 "a valid authorizer.");
	return r;
}

int apigw_method_check(struct call *c, struct str api, struct apigw_rec_method *m)
{
	static const char *const places[] = { "querystring", "path", "header", NULL };
	struct apigw_rec_validator val;
	int r;

	if (!apigw_verb_valid(m->http_method))
		return call_fail(c, &apigateway_err_bad_request,
				 "Invalid HttpMethod specified. Valid options are GET,PUT,POST,DELETE,PATCH,OPTIONS,HEAD,ANY");
	r = check_authorization(c, api, m);
	if (r < 0)
		return r;
	if (m->authorization_scopes.n)
		return call_fail(
			c, &apigateway_err_bad_request,
			"Authorization scopes are only supported with COGNITO_USER_POOLS authorizers, which are not implemented by "
			"this cloud.");
	if (m->request_validator_id.p && !m->request_validator_id.n)
		m->request_validator_id = STR_NONE;
	if (m->request_validator_id.n) {
		r = apigw_get(c, &apigw_validator_kind, api, m->request_validator_id, &val);
		if (r == -ENOENT)
			return call_fail(c, &apigateway_err_bad_request, "Invalid Request Validator identifier specified");
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < m->request_parameters.n; i++)
		if (!names_parameter(m->request_parameters.v[i].key, "method.request.", places) &&
		    !names_parameter(m->request_parameters.v[i].key, "method.request.multivalue",
				     (const char *const[]){ "querystring", "header", NULL }))
			return apigw_bad_mapping(c, m->request_parameters.v[i].key);
	return check_models(c, api, &m->request_models);
}

static bool status_valid(struct str s)
{
	return s.n == 3 && s.p[0] >= '1' && s.p[0] <= '5' && s.p[1] >= '0' && s.p[1] <= '9' && s.p[2] >= '0' && s.p[2] <= '9';
}

int apigw_method_response_check(struct call *c, struct str api, const struct apigw_rec_method_response *m)
{
	if (!status_valid(m->status_code))
		return call_fail(c, &apigateway_err_bad_request, "Invalid Response status code specified");
	for (size_t i = 0; i < m->response_parameters.n; i++)
		if (!names_parameter(m->response_parameters.v[i].key, "method.response.", (const char *const[]){ "header", NULL }))
			return apigw_bad_mapping(c, m->response_parameters.v[i].key);
	return check_models(c, api, &m->response_models);
}

/* --- methods --- */
APIGW_HANDLER(put_method, put_method_request, method)
{
	struct apigw_rec_resource res;
	struct apigw_rec_method m = { 0 };
	int r = apigw_part(c, &apigw_resource_kind, in->rest_api_id, in->resource_id, &res);

	if (r < 0)
		return r;
	apigw_in(c, in, APIGW_REC_METHOD, &m);
	m.api_key_required = OPT_BOOL(in->api_key_required.v);
	r = apigw_method_check(c, in->rest_api_id, &m);
	if (r < 0)
		return r;
	if (apigw_map_value(c->arena, &res.resource_methods, sizeof m, m.http_method, false))
		return call_fail(c, &apigateway_err_conflict, "Method already exists for this resource");
	*(struct apigw_rec_method *)apigw_map_value(c->arena, &res.resource_methods, sizeof m, m.http_method, true) = m;
	r = apigw_put(c, &apigw_resource_kind, in->rest_api_id, res.id, &res);
	if (r == 0)
		apigw_out(c, APIGW_REC_METHOD, &m, out);
	return r;
}

APIGW_HANDLER(get_method, get_method_request, method)
{
	struct apigw_rec_resource res;
	struct apigw_rec_method *m;
	int r = apigw_method(c, in->rest_api_id, in->resource_id, in->http_method, &res, &m);

	if (r == 0)
		apigw_out(c, APIGW_REC_METHOD, m, out);
	return r;
}

static const struct apigw_rule method_rules[] = {
	{ "/apiKeyRequired", APIGW_REPLACE },
	{ "/authorizationScopes", APIGW_ADD | APIGW_REMOVE },
	{ "/authorizationType", APIGW_REPLACE },
	{ "/authorizerId", APIGW_REPLACE },
	{ "/operationName", APIGW_REPLACE },
	{ "/requestModels/{content-type}", APIGW_ADD | APIGW_REPLACE | APIGW_REMOVE },
	{ "/requestParameters/{name}", APIGW_ADD | APIGW_REPLACE | APIGW_REMOVE },
	{ "/requestValidatorId", APIGW_REPLACE },
	{ NULL },
};

APIGW_HANDLER(update_method, update_method_request, method)
{
	struct apigw_rec_resource res;
	struct apigw_rec_method *m;
	int r = apigw_method(c, in->rest_api_id, in->resource_id, in->http_method, &res, &m);

	if (r == 0)
		r = apigw_patch(c, APIGW_REC_METHOD, m, &in->patch_operations, method_rules);
	if (r == 0)
		r = apigw_method_check(c, in->rest_api_id, m);
	if (r == 0)
		r = apigw_put(c, &apigw_resource_kind, in->rest_api_id, res.id, &res);
	if (r == 0)
		apigw_out(c, APIGW_REC_METHOD, m, out);
	return r;
}

APIGW_HANDLER(delete_method, delete_method_request, delete_method_response)
{
	struct apigw_rec_resource res;
	struct apigw_rec_method *m;
	int r = apigw_method(c, in->rest_api_id, in->resource_id, in->http_method, &res, &m);

	if (r < 0)
		return r;
	(void)apigw_map_remove(&res.resource_methods, sizeof *m, in->http_method);
	return apigw_put(c, &apigw_resource_kind, in->rest_api_id, res.id, &res);
}

/* --- method responses --- */
struct found {
	struct apigw_rec_resource res;
	struct apigw_rec_method *m;
	struct apigw_rec_method_response *answer;
};

static int find_response(struct call *c, struct str api, struct str resource, struct str verb, struct str status, struct found *f)
{
	int r = apigw_method(c, api, resource, verb, &f->res, &f->m);

	if (r < 0)
		return r;
	f->answer = apigw_map_value(c->arena, &f->m->method_responses, sizeof *f->answer, status, false);
	return f->answer ? 0 : call_fail(c, &apigateway_err_not_found, "Invalid Response status code specified");
}

APIGW_HANDLER(put_method_response, put_method_response_request, method_response)
{
	struct apigw_rec_method_response a = { 0 };
	struct apigw_rec_resource res;
	struct apigw_rec_method *m;
	int r = apigw_method(c, in->rest_api_id, in->resource_id, in->http_method, &res, &m);

	if (r < 0)
		return r;
	apigw_in(c, in, APIGW_REC_METHOD_RESPONSE, &a);
	r = apigw_method_response_check(c, in->rest_api_id, &a);
	if (r < 0)
		return r;
	if (apigw_map_value(c->arena, &m->method_responses, sizeof a, a.status_code, false))
		return call_fail(c, &apigateway_err_conflict, "Response already exists for this resource");
	*(struct apigw_rec_method_response *)apigw_map_value(c->arena, &m->method_responses, sizeof a, a.status_code, true) = a;
	r = apigw_put(c, &apigw_resource_kind, in->rest_api_id, res.id, &res);
	if (r == 0)
		apigw_out(c, APIGW_REC_METHOD_RESPONSE, &a, out);
	return r;
}

APIGW_HANDLER(get_method_response, get_method_response_request, method_response)
{
	struct found f;
	int r = find_response(c, in->rest_api_id, in->resource_id, in->http_method, in->status_code, &f);

	if (r == 0)
		apigw_out(c, APIGW_REC_METHOD_RESPONSE, f.answer, out);
	return r;
}

static const struct apigw_rule response_rules[] = {
	{ "/responseModels/{content-type}", APIGW_ADD | APIGW_REPLACE | APIGW_REMOVE },
	{ "/responseParameters/{name}", APIGW_ADD | APIGW_REPLACE | APIGW_REMOVE },
	{ NULL },
};

APIGW_HANDLER(update_method_response, update_method_response_request, method_response)
{
	struct found f;
	int r = find_response(c, in->rest_api_id, in->resource_id, in->http_method, in->status_code, &f);

	if (r == 0)
		r = apigw_patch(c, APIGW_REC_METHOD_RESPONSE, f.answer, &in->patch_operations, response_rules);
	if (r == 0)
		r = apigw_method_response_check(c, in->rest_api_id, f.answer);
	if (r == 0)
		r = apigw_put(c, &apigw_resource_kind, in->rest_api_id, f.res.id, &f.res);
	if (r == 0)
		apigw_out(c, APIGW_REC_METHOD_RESPONSE, f.answer, out);
	return r;
}

APIGW_HANDLER(delete_method_response, delete_method_response_request, delete_method_response_response)
{
	struct found f;
	int r = find_response(c, in->rest_api_id, in->resource_id, in->http_method, in->status_code, &f);

	if (r < 0)
		return r;
	(void)apigw_map_remove(&f.m->method_responses, sizeof *f.answer, in->status_code);
	return apigw_put(c, &apigw_resource_kind, in->rest_api_id, f.res.id, &f.res);
}
