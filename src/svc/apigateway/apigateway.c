/* SPDX-License-Identifier: Apache-2.0 */
/* apigateway.c - registration of Amazon API Gateway, and what authorization needs to know of it.
 *
 * IAM actions are the HTTP methods, resources are the paths of the API without an account: "apigateway:PATCH" on
 * "arn:aws:apigateway:REGION::/restapis/ID". Source: "Actions, resources, and condition keys for Amazon API Gateway Management". */
#include "svc/apigateway/apigateway_int.h"
#include "svc/apigateway/front.h"
#include "svc/services.h"
#include <errno.h>

const struct apigateway_ops apigateway_ops = {
	.create_api_key = apigateway_create_api_key,
	.create_authorizer = apigateway_create_authorizer,
	.create_deployment = apigateway_create_deployment,
	.create_documentation_part = apigateway_create_documentation_part,
	.create_documentation_version = apigateway_create_documentation_version,
	.create_model = apigateway_create_model,
	.create_request_validator = apigateway_create_request_validator,
	.create_resource = apigateway_create_resource,
	.create_rest_api = apigateway_create_rest_api,
	.create_stage = apigateway_create_stage,
	.create_usage_plan = apigateway_create_usage_plan,
	.create_usage_plan_key = apigateway_create_usage_plan_key,
	.delete_api_key = apigateway_delete_api_key,
	.delete_authorizer = apigateway_delete_authorizer,
	.delete_client_certificate = apigateway_delete_client_certificate,
	.delete_deployment = apigateway_delete_deployment,
	.delete_documentation_part = apigateway_delete_documentation_part,
	.delete_documentation_version = apigateway_delete_documentation_version,
	.delete_gateway_response = apigateway_delete_gateway_response,
	.delete_integration = apigateway_delete_integration,
	.delete_integration_response = apigateway_delete_integration_response,
	.delete_method = apigateway_delete_method,
	.delete_method_response = apigateway_delete_method_response,
	.delete_model = apigateway_delete_model,
	.delete_request_validator = apigateway_delete_request_validator,
	.delete_resource = apigateway_delete_resource,
	.delete_rest_api = apigateway_delete_rest_api,
	.delete_stage = apigateway_delete_stage,
	.delete_usage_plan = apigateway_delete_usage_plan,
	.delete_usage_plan_key = apigateway_delete_usage_plan_key,
	.flush_stage_authorizers_cache = apigateway_flush_stage_authorizers_cache,
	.flush_stage_cache = apigateway_flush_stage_cache,
	.generate_client_certificate = apigateway_generate_client_certificate,
	.get_account = apigateway_get_account,
	.get_api_key = apigateway_get_api_key,
	.get_api_keys = apigateway_get_api_keys,
	.get_authorizer = apigateway_get_authorizer,
	.get_authorizers = apigateway_get_authorizers,
	.get_client_certificate = apigateway_get_client_certificate,
	.get_client_certificates = apigateway_get_client_certificates,
	.get_deployment = apigateway_get_deployment,
	.get_deployments = apigateway_get_deployments,
	.get_documentation_part = apigateway_get_documentation_part,
	.get_documentation_parts = apigateway_get_documentation_parts,
	.get_documentation_version = apigateway_get_documentation_version,
	.get_documentation_versions = apigateway_get_documentation_versions,
	.get_export = apigateway_get_export,
	.get_gateway_response = apigateway_get_gateway_response,
	.get_gateway_responses = apigateway_get_gateway_responses,
	.get_integration = apigateway_get_integration,
	.get_integration_response = apigateway_get_integration_response,
	.get_method = apigateway_get_method,
	.get_method_response = apigateway_get_method_response,
	.get_model = apigateway_get_model,
	.get_model_template = apigateway_get_model_template,
	.get_models = apigateway_get_models,
	.get_request_validator = apigateway_get_request_validator,
	.get_request_validators = apigateway_get_request_validators,
	.get_resource = apigateway_get_resource,
	.get_resources = apigateway_get_resources,
	.get_rest_api = apigateway_get_rest_api,
	.get_rest_apis = apigateway_get_rest_apis,
	.get_stage = apigateway_get_stage,
	.get_stages = apigateway_get_stages,
	.get_tags = apigateway_get_tags,
	.get_usage = apigateway_get_usage,
	.get_usage_plan = apigateway_get_usage_plan,
	.get_usage_plan_key = apigateway_get_usage_plan_key,
	.get_usage_plan_keys = apigateway_get_usage_plan_keys,
	.get_usage_plans = apigateway_get_usage_plans,
	.import_api_keys = apigateway_import_api_keys,
	.import_documentation_parts = apigateway_import_documentation_parts,
	.import_rest_api = apigateway_import_rest_api,
	.put_gateway_response = apigateway_put_gateway_response,
	.put_integration = apigateway_put_integration,
	.put_integration_response = apigateway_put_integration_response,
	.put_method = apigateway_put_method,
	.put_method_response = apigateway_put_method_response,
	.put_rest_api = apigateway_put_rest_api,
	.tag_resource = apigateway_tag_resource,
	.test_invoke_authorizer = apigateway_test_invoke_authorizer,
	.test_invoke_method = apigateway_test_invoke_method,
	.untag_resource = apigateway_untag_resource,
	.update_account = apigateway_update_account,
	.update_api_key = apigateway_update_api_key,
	.update_authorizer = apigateway_update_authorizer,
	.update_client_certificate = apigateway_update_client_certificate,
	.update_deployment = apigateway_update_deployment,
	.update_documentation_part = apigateway_update_documentation_part,
	.update_documentation_version = apigateway_update_documentation_version,
	.update_gateway_response = apigateway_update_gateway_response,
	.update_integration = apigateway_update_integration,
	.update_integration_response = apigateway_update_integration_response,
	.update_method = apigateway_update_method,
	.update_method_response = apigateway_update_method_response,
	.update_model = apigateway_update_model,
	.update_request_validator = apigateway_update_request_validator,
	.update_resource = apigateway_update_resource,
	.update_rest_api = apigateway_update_rest_api,
	.update_stage = apigateway_update_stage,
	.update_usage = apigateway_update_usage,
	.update_usage_plan = apigateway_update_usage_plan,
};

/* Of a path below something with tags, the tags: a method's are its API's. */
static void tags_of(struct call *c, struct str path, struct authz_resource *ret)
{
	struct apigw_tagged t;
	struct str head = path;
	size_t slashes = 0;

	for (size_t i = 0; i < path.n && slashes < 3; i++)
		if (path.p[i] == '/' && ++slashes == 3)
			head.n = i;
	if (apigw_tagged(c, path, &t) == 0 || apigw_tagged(c, head, &t) == 0)
		ret->tags = *t.tags;
}

static int apigateway_resource(struct call *c, const char *action, struct str kind, struct str id, struct authz_resource *ret)
{
	struct str path = str_printf(c->arena, "/%.*s", STR(id));
	struct arn arn;

	if (str_starts(id, S("tags/"))) {
		struct str of = str_skip(id, strlen("tags/"));

		path = str_printf(c->arena, "/tags/%.*s", STR(uri_encode(c->arena, of, false)));
		if (arn_parse(of, &arn) == 0)
			tags_of(c, arn.resource, ret);
	} else
		tags_of(c, path, ret);
	apigw_resource_keys(c, path, &ret->keys);
	ret->arn = apigw_arn(c, "%.*s", STR(path));
	return 0;
}

const struct service apigateway_service = {
	.model = &apigateway_model,
	.principal = "apigateway.amazonaws.com",
	.resource = apigateway_resource,
	.conditions = apigateway_conditions,
	.front = &apigateway_front,
	.close = apigateway_front_close,
	.tick = apigateway_front_tick,
	.cfn = apigateway_cfn,
};
