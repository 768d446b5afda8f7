/* SPDX-License-Identifier: Apache-2.0 */
/* apis.c - REST APIs: made, copied, changed, listed, deleted with all their parts. */
#include "svc/apigateway/apigateway_int.h"
#include <errno.h>

#define COMPRESSION_MAX 10485760
#define POLICY_BYTES_MAX 8192

/* AWS hands the policy out with its quotes escaped once more; Terraform undoes that. */
static struct str escaped(struct arena *a, struct str policy)
{
	return policy.p ? str_replace(a, str_replace(a, policy, S("\\"), S("\\\\")), S("\""), S("\\\"")) : policy;
}

void apigw_api_out(struct call *c, const struct apigw_rec_api *api, struct apigateway_rest_api *out)
{
	apigw_out(c, APIGW_REC_API, api, out);
	out->policy = escaped(c->arena, api->policy);
	out->disable_execute_api_endpoint = OPT_BOOL(api->disable_execute_api_endpoint.v);
}

static int check_endpoints(struct call *c, struct apigw_rec_api *api)
{
	struct apigw_rec_endpoints *e = api->endpoint_configuration;
	bool private;

	if (!e)
		e = api->endpoint_configuration = arena_new(c->arena, struct apigw_rec_endpoints);
	if (!e->types.n) {
		e->types = (struct str_list){ arena_array(c->arena, struct str, 1), 1 };
		e->types.v[0] = S("EDGE");
	}
	if (e->types.n > 1)
		return call_fail(c, &apigateway_err_bad_request, "Cannot create an api with multiple Endpoint Types.");
	private = str_is(e->types.v[0], "PRIVATE");
	if (!private && !str_is(e->types.v[0], "EDGE") && !str_is(e->types.v[0], "REGIONAL"))
		return call_fail(c, &apigateway_err_bad_request,
				 "Invalid Endpoint Type specified: %.*s. Valid values are EDGE, REGIONAL, PRIVATE", STR(e->types.v[0]));
	if (e->vpc_endpoint_ids.n && !private)
		return call_fail(c, &apigateway_err_bad_request, "VPCEndpoints can only be specified with PRIVATE apis.");
	for (size_t i = 0; i < e->vpc_endpoint_ids.n; i++)
		if (!str_starts(e->vpc_endpoint_ids.v[i], S("vpce-")))
			return call_fail(c, &apigateway_err_bad_request, "Invalid VPC endpoint id specified: %.*s",
					 STR(e->vpc_endpoint_ids.v[i]));
	if (!e->ip_address_type.n)
		e->ip_address_type = private ? S("dualstack") : S("ipv4");
	if (!str_is(e->ip_address_type, "dualstack") && (private || !str_is(e->ip_address_type, "ipv4")))
		return call_fail(c, &apigateway_err_bad_request, "Invalid IP address type specified: %.*s%s", STR(e->ip_address_type),
				 private ? ". Private APIs can only be dualstack" : "");
	return 0;
}

int apigw_api_check(struct call *c, struct apigw_rec_api *api)
{
	struct policy *parsed;
	struct str err;
	int r = check_endpoints(c, api);

	if (r < 0)
		return r;
	if (!api->name.n)
		return call_fail(c, &apigateway_err_bad_request, "Invalid API name specified");
	if (api->minimum_compression_size.has && (api->minimum_compression_size.v < 0 || api->minimum_compression_size.v > COMPRESSION_MAX))
		return call_fail(c, &apigateway_err_bad_request, "Invalid minimum compression size, must be between 0 and %d",
				 COMPRESSION_MAX);
	if (!api->api_key_source.n)
		api->api_key_source = S("HEADER");
	if (!str_is(api->api_key_source, "HEADER") && !str_is(api->api_key_source, "AUTHORIZER"))
		return call_fail(c, &apigateway_err_bad_request, "Invalid API key source specified: must be one of HEADER, AUTHORIZER");
	if (api->policy.p && !api->policy.n)
		api->policy = STR_NONE;
	if (api->policy.n > POLICY_BYTES_MAX)
		return call_fail(c, &apigateway_err_bad_request, "Invalid policy document. The policy is larger than %d bytes.",
				 POLICY_BYTES_MAX);
	/* "execute-api:/STAGE/VERB/PATH" is short for the API's own ARN, whatever that is */
	if (api->policy.p &&
	    policy_parse(c->arena, str_replace(c->arena, api->policy, S("\"execute-api:/"), S("\"arn:aws:execute-api:*:*:*/")),
			 POLICY_RESOURCE, &parsed, &err) < 0)
		return call_fail(c, &apigateway_err_bad_request,
				 "Invalid policy document. Please check the policy syntax and ensure that Principals are valid.");
	return apigw_check_tags(c, &api->tags);
}

static int put_host(struct call *c, struct str id)
{
	struct keybuf k;

	apigw_key(&k, S(""), "apigw.host", id, STR_NONE);
	return store_put(c->txn, key_view(&k), c->account);
}

static int put_default_models(struct call *c, struct str api)
{
	struct apigw_rec_model m[] = {
		{ .name = S("Empty"),
		  .description = S("This is a default empty schema model"),
		  .schema = S(
			  "{\n  \"$schema\": \"http://json-schema.org/draft-04/schema#\",\n  \"title\" : \"Empty Schema\",\n  \"type\" : "
			  "\"object\"\n}") },
		{ .name = S("Error"),
		  .description = S("This is a default error schema model"),
		  .schema = S(
			  "{\n  \"$schema\" : \"http://json-schema.org/draft-04/schema#\",\n  \"title\" : \"Error Schema\",\n  \"type\" : "
			  "\"object\",\n  \"properties\" : {\n    \"message\" : { \"type\" : \"string\" }\n  }\n}") },
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ELEMENTS(m); i++) {
		m[i].id = apigw_id(c, APIGW_PART_ID_CHARS);
		m[i].content_type = S("application/json");
		r = apigw_put(c, &apigw_model_kind, api, m[i].name, &m[i]);
	}
	return r;
}

int apigw_api_new(struct call *c, struct apigw_rec_api *api)
{
	struct apigw_rec_resource root = { .path = S("/") };
	int r = apigw_count(c, &apigw_api_kind, STR_NONE, APIGW_APIS_MAX);

	if (r >= APIGW_APIS_MAX)
		return call_fail(c, &apigateway_err_limit_exceeded, "Maximum number of REST APIs of this account reached: %d",
				 APIGW_APIS_MAX);
	if (r < 0)
		return r;
	do { /* ids are host names, so they are one set for all accounts */
		struct str taken;

		api->id = apigw_id(c, APIGW_API_ID_CHARS);
		r = apigw_find_api(c->txn, c->arena, api->id, &taken);
	} while (r == 0);
	if (r != -ENOENT)
		return r;
	api->account = c->account;
	api->created_date = OPT_TIME(c->now_ms / 1000 * 1000);
	api->root_resource_id = root.id = apigw_id(c, APIGW_API_ID_CHARS);
	r = apigw_put(c, &apigw_api_kind, api->id, STR_NONE, api);
	if (r == 0)
		r = apigw_put(c, &apigw_resource_kind, api->id, root.id, &root);
	if (r == 0)
		r = put_host(c, api->id);
	return r == 0 ? put_default_models(c, api->id) : r;
}

int apigw_parts_put(struct call *c, struct str api, const struct apigw_rec_snapshot *s)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->resources.n; i++)
		r = apigw_put(c, &apigw_resource_kind, api, s->resources.v[i].id, &s->resources.v[i]);
	for (size_t i = 0; r == 0 && i < s->models.n; i++)
		r = apigw_put(c, &apigw_model_kind, api, s->models.v[i].name, &s->models.v[i]);
	for (size_t i = 0; r == 0 && i < s->validators.n; i++)
		r = apigw_put(c, &apigw_validator_kind, api, s->validators.v[i].id, &s->validators.v[i]);
	for (size_t i = 0; r == 0 && i < s->authorizers.n; i++)
		r = apigw_put(c, &apigw_authorizer_kind, api, s->authorizers.v[i].id, &s->authorizers.v[i]);
	for (size_t i = 0; r == 0 && i < s->responses.n; i++)
		r = apigw_put(c, &apigw_response_kind, api, s->responses.v[i].response_type, &s->responses.v[i]);
	return r;
}

int apigw_parts_drop(struct call *c, struct str api)
{
	static const char *const tables[] = { "apigw.resource", "apigw.model", "apigw.validator", "apigw.authorizer", "apigw.response" };
	int r = 0;

	for (size_t i = 0; r == 0 && i < ELEMENTS(tables); i++)
		r = apigw_drop_all(c, tables[i], api);
	return r;
}

/* A copy is read with the caller's rights, and hands its roles over once more. */
static int may_clone(struct call *c, struct str from, const struct apigw_rec_snapshot *s)
{
	int r = call_authorize(c, "apigateway:GET", apigw_arn(c, "/restapis/%.*s", STR(from)), NULL, 0);

	for (size_t i = 0; r == 0 && i < s->authorizers.n; i++)
		r = apigw_authorizer_pass_role(c, &s->authorizers.v[i]);
	for (size_t i = 0; r == 0 && i < s->resources.n; i++)
		for (size_t k = 0; r == 0 && k < s->resources.v[i].resource_methods.n; k++) {
			const struct apigw_rec_integration *g = s->resources.v[i].resource_methods.v[k].value.method_integration;

			r = g ? apigw_integration_pass_role(c, g) : 0;
		}
	return r;
}

/* A copy keeps the ids of its parts, which only mean something inside their API; its root takes the place of the new one. */
static int clone(struct call *c, struct str from, struct apigw_rec_api *api)
{
	struct apigw_rec_snapshot s;
	int r = apigw_load_draft(c->txn, c->arena, c->account, from, &s);

	if (r == -ENOENT)
		return call_fail(c, &apigateway_err_not_found, "Invalid API identifier specified %.*s:%.*s", STR(c->account), STR(from));
	if (r == 0)
		r = may_clone(c, from, &s);
	if (r == 0)
		r = apigw_parts_drop(c, api->id);
	if (r < 0)
		return r;
	api->root_resource_id = s.api->root_resource_id;
	if (!api->binary_media_types.n)
		api->binary_media_types = s.api->binary_media_types;
	r = apigw_parts_put(c, api->id, &s);
	return r == 0 ? apigw_put(c, &apigw_api_kind, api->id, STR_NONE, api) : r;
}

APIGW_HANDLER(create_rest_api, create_rest_api_request, rest_api)
{
	struct apigw_rec_api api = { 0 };
	int r;

	apigw_in(c, in, APIGW_REC_API, &api);
	r = apigw_api_check(c, &api);
	if (r == 0)
		r = apigw_api_new(c, &api);
	if (r == 0 && in->clone_from.n)
		r = clone(c, in->clone_from, &api);
	if (r == 0)
		apigw_api_out(c, &api, out);
	return r;
}

APIGW_HANDLER(get_rest_api, get_rest_api_request, rest_api)
{
	struct apigw_rec_api api;
	int r = apigw_api(c, in->rest_api_id, &api);

	if (r == 0)
		apigw_api_out(c, &api, out);
	return r;
}

static int listed(struct call *c, void *rec, void *arg)
{
	struct apigw_rec_api *api = rec;

	api->policy = escaped(c->arena, api->policy);
	api->disable_execute_api_endpoint = OPT_BOOL(api->disable_execute_api_endpoint.v);
	return 1;
}

APIGW_HANDLER(get_rest_apis, get_rest_apis_request, rest_apis)
{
	return apigw_list(c, &apigw_api_kind, STR_NONE, in->position, in->limit, listed, NULL, out);
}

static bool is_compression(struct str path)
{
	return str_is(path, "/minimumCompressionSize");
}

/* An empty value ends compression. */
static int set_compression(struct call *c, void *rec, enum apigw_patch_op op, const struct apigateway_patch_operation *o)
{
	struct apigw_rec_api *api = rec;

	api->minimum_compression_size = (struct opt_int){ 0 };
	if (op == APIGW_REMOVE || !o->value.n || str_is(o->value, "null"))
		return 0;
	api->minimum_compression_size.has = true;
	if (str_to_i64(o->value, &api->minimum_compression_size.v) < 0)
		return call_fail(c, &apigateway_err_bad_request, "Invalid minimum compression size, must be between 0 and %d",
				 COMPRESSION_MAX);
	return 0;
}

static const struct apigw_rule rules[] = {
	{ "/apiKeySource", APIGW_REPLACE },
	{ "/binaryMediaTypes/{type}", APIGW_ADD | APIGW_REPLACE | APIGW_REMOVE },
	{ "/description", APIGW_REPLACE },
	{ "/disableExecuteApiEndpoint", APIGW_REPLACE },
	{ "/endpointConfiguration/ipAddressType", APIGW_REPLACE },
	{ "/endpointConfiguration/types", APIGW_REPLACE },
	{ "/endpointConfiguration/types/{type}", APIGW_REPLACE },
	{ "/endpointConfiguration/vpcEndpointIds", APIGW_ADD | APIGW_REMOVE },
	{ "/endpointConfiguration/vpcEndpointIds/{id}", APIGW_ADD | APIGW_REPLACE | APIGW_REMOVE },
	{ "/minimumCompressionSize", APIGW_REPLACE | APIGW_REMOVE, is_compression, set_compression },
	{ "/name", APIGW_REPLACE },
	{ "/policy", APIGW_REPLACE },
	{ "/version", APIGW_REPLACE },
	{ NULL },
};

APIGW_HANDLER(update_rest_api, update_rest_api_request, rest_api)
{
	struct apigw_rec_api api;
	bool private;
	int r = apigw_api(c, in->rest_api_id, &api);

	if (r < 0)
		return r;
	private = str_is(api.endpoint_configuration->types.v[0], "PRIVATE");
	if (apigw_patched(&in->patch_operations, "/policy")) {
		r = call_authorize(c, "apigateway:UpdateRestApiPolicy", apigw_arn(c, "/restapis/%.*s", STR(api.id)), NULL, 0);
		if (r < 0)
			return r;
	}
	r = apigw_patch(c, APIGW_REC_API, &api, &in->patch_operations, rules);
	if (r == 0 && !apigw_patched(&in->patch_operations, "/endpointConfiguration/ipAddressType") &&
	    api.endpoint_configuration->types.n && private != str_is(api.endpoint_configuration->types.v[0], "PRIVATE"))
		api.endpoint_configuration->ip_address_type = STR_NONE; /* the new type's default */
	if (r == 0)
		r = apigw_api_check(c, &api);
	if (r == 0)
		r = apigw_put(c, &apigw_api_kind, api.id, STR_NONE, &api);
	if (r == 0)
		apigw_api_out(c, &api, out);
	return r;
}

APIGW_HANDLER(delete_rest_api, delete_rest_api_request, delete_rest_api_response)
{
	static const char *const tables[] = { "apigw.deployment", "apigw.snapshot", "apigw.stage", "apigw.docpart", "apigw.docversion" };
	struct apigw_rec_api api;
	struct keybuf k;
	int r = apigw_api(c, in->rest_api_id, &api);

	if (r == 0)
		r = apigw_parts_drop(c, api.id);
	for (size_t i = 0; r == 0 && i < ELEMENTS(tables); i++)
		r = apigw_drop_all(c, tables[i], api.id);
	if (r < 0)
		return r;
	apigw_key(&k, S(""), "apigw.host", api.id, STR_NONE);
	r = store_del(c->txn, key_view(&k));
	return r == 0 || r == -ENOENT ? apigw_del(c, &apigw_api_kind, api.id, STR_NONE) : r;
}
