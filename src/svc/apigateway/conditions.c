/* SPDX-License-Identifier: Apache-2.0 */
/* conditions.c - condition keys of this service: "apigateway:Request/..." is what the caller asks for, "apigateway:Resource/..."
 * what there is. Source: "Actions, resources, and condition keys for Amazon API Gateway Management". */
#include "svc/apigateway/apigateway_int.h"

static void add(struct call *c, struct key_set *k, const char *side, const char *name, struct str value)
{
	if (value.p)
		key_add(c, k, str_printf(c->arena, "apigateway:%s/%s", side, name), value);
}

static void add_list(struct call *c, struct key_set *k, const char *side, const char *name, const struct str *v, size_t n)
{
	if (n)
		key_add_list(c, k, str_printf(c->arena, "apigateway:%s/%s", side, name), v, n);
}

static void add_one(struct call *c, struct key_set *k, const char *side, const char *name, struct str value)
{
	struct str *v = arena_new(c->arena, struct str);

	*v = value;
	add_list(c, k, side, name, v, value.p ? 1 : 0);
}

static struct str truth(bool b)
{
	return b ? S("true") : S("false");
}

/* What patch operations set, by the key that stands for the path. */
static void patches(struct call *c, struct key_set *k, const struct apigateway_patch_operation_list *ops)
{
	static const struct {
		const char *path, *key;
		bool list;
	} paths[] = {
		{ "/accessLogSettings/destinationArn", "AccessLoggingDestination", false },
		{ "/accessLogSettings/format", "AccessLoggingFormat", false },
		{ "/apiKeyRequired", "ApiKeyRequired", true },
		{ "/authorizationType", "RouteAuthorizationType", true },
		{ "/authorizerUri", "AuthorizerUri", true },
		{ "/disableExecuteApiEndpoint", "DisableExecuteApiEndpoint", false },
		{ "/name", "ApiName", false },
		{ "/type", "AuthorizerType", true },
	};

	for (size_t i = 0; i < ops->n; i++) {
		for (size_t p = 0; p < ELEMENTS(paths); p++)
			if (str_is(ops->v[i].path, paths[p].path))
				(paths[p].list ? add_one : add)(c, k, "Request", paths[p].key, ops->v[i].value);
		if (str_starts(ops->v[i].path, S("/endpointConfiguration/types")))
			add_one(c, k, "Request", "EndpointType", ops->v[i].value);
	}
}

int apigateway_conditions(struct call *c, const char *action, struct key_set *k)
{
	switch ((enum apigateway_op)(c->op - apigateway_model.ops)) {
	case APIGATEWAY_OP_CREATE_REST_API: {
		const struct apigateway_create_rest_api_request *in = c->in;

		add(c, k, "Request", "ApiName", in->name);
		add(c, k, "Request", "DisableExecuteApiEndpoint", truth(in->disable_execute_api_endpoint.v));
		if (in->endpoint_configuration && in->endpoint_configuration->types.n)
			add_list(c, k, "Request", "EndpointType", in->endpoint_configuration->types.v, in->endpoint_configuration->types.n);
		else
			add_one(c, k, "Request", "EndpointType", S("EDGE"));
		break;
	}
	case APIGATEWAY_OP_PUT_METHOD: {
		const struct apigateway_put_method_request *in = c->in;

		add_one(c, k, "Request", "RouteAuthorizationType", in->authorization_type);
		add_one(c, k, "Request", "ApiKeyRequired", truth(in->api_key_required.v));
		break;
	}
	case APIGATEWAY_OP_CREATE_AUTHORIZER: {
		const struct apigateway_create_authorizer_request *in = c->in;

		add_one(c, k, "Request", "AuthorizerType", in->type);
		add_one(c, k, "Request", "AuthorizerUri", in->authorizer_uri);
		break;
	}
	case APIGATEWAY_OP_CREATE_STAGE:
		add(c, k, "Request", "StageName", ((const struct apigateway_create_stage_request *)c->in)->stage_name);
		break;
	case APIGATEWAY_OP_CREATE_DEPLOYMENT:
		add(c, k, "Request", "StageName", ((const struct apigateway_create_deployment_request *)c->in)->stage_name);
		break;
	case APIGATEWAY_OP_UPDATE_REST_API:
		patches(c, k, &((const struct apigateway_update_rest_api_request *)c->in)->patch_operations);
		break;
	case APIGATEWAY_OP_UPDATE_METHOD:
		patches(c, k, &((const struct apigateway_update_method_request *)c->in)->patch_operations);
		break;
	case APIGATEWAY_OP_UPDATE_STAGE:
		patches(c, k, &((const struct apigateway_update_stage_request *)c->in)->patch_operations);
		break;
	case APIGATEWAY_OP_UPDATE_AUTHORIZER:
		patches(c, k, &((const struct apigateway_update_authorizer_request *)c->in)->patch_operations);
		break;
	default:
		break;
	}
	return 0;
}

/* Of a document: what it asks for in all its methods. */
void apigw_import_keys(struct call *c, const struct apigw_rec_snapshot *s, struct key_set *k)
{
	struct str *types = NULL, *keys = NULL, *auths = NULL, *uris = NULL;
	size_t n = 0, cap = 0, n_keys = 0, cap_keys = 0, n_auths = 0, cap_auths = 0, n_uris = 0, cap_uris = 0;

	add(c, k, "Request", "ApiName", s->api->name);
	if (s->api->endpoint_configuration && s->api->endpoint_configuration->types.n)
		add_list(c, k, "Request", "EndpointType", s->api->endpoint_configuration->types.v, s->api->endpoint_configuration->types.n);
	for (size_t i = 0; i < s->resources.n; i++)
		for (size_t m = 0; m < s->resources.v[i].resource_methods.n; m++) {
			vec_push(c->arena, types, n, cap) = s->resources.v[i].resource_methods.v[m].value.authorization_type;
			vec_push(c->arena, keys, n_keys,
				 cap_keys) = truth(s->resources.v[i].resource_methods.v[m].value.api_key_required.v);
		}
	for (size_t i = 0; i < s->authorizers.n; i++) {
		vec_push(c->arena, auths, n_auths, cap_auths) = s->authorizers.v[i].type;
		vec_push(c->arena, uris, n_uris, cap_uris) = s->authorizers.v[i].authorizer_uri;
	}
	add_list(c, k, "Request", "RouteAuthorizationType", types, n);
	add_list(c, k, "Request", "ApiKeyRequired", keys, n_keys);
	add_list(c, k, "Request", "AuthorizerType", auths, n_auths);
	add_list(c, k, "Request", "AuthorizerUri", uris, n_uris);
}

/* Of what a path names: the API, and its stage, method or authorizer. */
void apigw_resource_keys(struct call *c, struct str path, struct key_set *k)
{
	struct str rest = path.n ? str_skip(path, 1) : path, part[6] = { 0 };
	struct apigw_rec_authorizer auth;
	struct apigw_rec_resource res;
	struct apigw_rec_stage st;
	struct apigw_rec_api api;
	size_t n = 0;

	while (n < ELEMENTS(part) && str_next(&rest, '/', &part[n]))
		n++;
	if (n < 2 || !str_is(part[0], "restapis") || apigw_get(c, &apigw_api_kind, part[1], STR_NONE, &api) < 0)
		return;
	add(c, k, "Resource", "ApiName", api.name);
	add(c, k, "Resource", "DisableExecuteApiEndpoint", truth(api.disable_execute_api_endpoint.v));
	if (api.endpoint_configuration)
		add_list(c, k, "Resource", "EndpointType", api.endpoint_configuration->types.v, api.endpoint_configuration->types.n);
	if (n >= 4 && str_is(part[2], "stages") && apigw_get(c, &apigw_stage_kind, part[1], part[3], &st) == 0) {
		add(c, k, "Resource", "StageName", st.stage_name);
		if (st.access_log_settings) {
			add(c, k, "Resource", "AccessLoggingDestination", st.access_log_settings->destination_arn);
			add(c, k, "Resource", "AccessLoggingFormat", st.access_log_settings->format);
		}
	} else if (n >= 4 && str_is(part[2], "authorizers") && apigw_get(c, &apigw_authorizer_kind, part[1], part[3], &auth) == 0) {
		add_one(c, k, "Resource", "AuthorizerType", auth.type);
		add_one(c, k, "Resource", "AuthorizerUri", auth.authorizer_uri);
	} else if (n >= 6 && str_is(part[2], "resources") && str_is(part[4], "methods") &&
		   apigw_get(c, &apigw_resource_kind, part[1], part[3], &res) == 0) {
		const struct apigw_rec_method *m = apigw_map_value(c->arena, &res.resource_methods, sizeof *m, part[5], false);

		if (m) {
			add_one(c, k, "Resource", "RouteAuthorizationType", m->authorization_type);
			add_one(c, k, "Resource", "ApiKeyRequired", truth(m->api_key_required.v));
		}
	}
}
