/* SPDX-License-Identifier: Apache-2.0 */
/* cfn_read.c - what APIs are, in the form of CloudFormation's properties. */
#include "cfn/reader.h"
#include "svc/apigateway/cfn_int.h"
#include <errno.h>

#define GONE "NotFoundException"

/* What names a thing of an API is told by nobody else: it was found under it. */
static void found_under(struct cfn_resource *r, const char *const *names)
{
	for (; *names; names++)
		json_set_str(r->arena, r->ret_props, *names, json_get_str(r->props, *names));
}

static struct json *in_api(struct cfn_resource *r, const char *member, struct str id)
{
	struct json *p = cfn_param(r, "restApiId", json_get_str(r->props, "RestApiId"));

	json_set_str(r->arena, p, member, id);
	return p;
}

static int ask(struct cfn_resource *r, const char *op, const struct json *p, const struct cfn_member *table)
{
	struct json *out;
	int e = cfn_ask_capitalized(r, "apigateway", op, p, GONE, &out);

	if (e < 0)
		return e;
	r->ret_props = out;
	cfn_take(r->arena, json_copy(r->arena, out), table, out);
	return 0;
}

/* --- AWS::ApiGateway::RestApi --- */
/* The policy comes with its quotes escaped, as on AWS. */
static struct json *policy(struct arena *a, const struct json *v)
{
	struct str text = json_str(v);
	struct json *inner = NULL;

	if (str_starts(text, S("{\\\"")) && json_parse(a, str_printf(a, "\"%.*s\"", STR(text)), &inner, NULL) == 0)
		return cfn_as_document(a, inner);
	return cfn_as_document(a, v);
}

static int api_read(struct cfn_resource *r)
{
	static const struct cfn_member parts[] = {
		{ "ApiKeySource", "ApiKeySourceType" }, { "Policy", NULL, NULL, policy }, { "Tags", NULL, NULL, cfn_as_tags }, { NULL }
	};

	return ask(r, "GetRestApi", cfn_param(r, "restApiId", r->physical_id), parts);
}

static const struct drift_rule api_rules[] = {
	{ "BinaryMediaTypes", DRIFT_SET },
	{ "Body", DRIFT_UNREAD },
	{ "BodyS3Location", DRIFT_UNREAD },
	{ "CloneFrom", DRIFT_UNREAD },
	{ "EndpointConfiguration.VpcEndpointIds", DRIFT_SET },
	{ "FailOnWarnings", DRIFT_UNREAD },
	{ "Mode", DRIFT_UNREAD },
	{ "Parameters", DRIFT_UNREAD },
	{ "Policy", DRIFT_POLICY },
	{ NULL },
};
const struct cfn_reader gw_rest_api_reader = { api_read, api_rules };

/* --- AWS::ApiGateway::Method --- */
static const struct cfn_member integration[] = {
	{ "CacheKeyParameters" },
	{ "CacheNamespace" },
	{ "ConnectionId" },
	{ "ConnectionType" },
	{ "ContentHandling" },
	{ "Credentials" },
	{ "HttpMethod", "IntegrationHttpMethod" },
	{ "IntegrationResponses", NULL, NULL, cfn_as_values },
	{ "PassthroughBehavior" },
	{ "RequestParameters" },
	{ "RequestTemplates" },
	{ "TimeoutInMillis" },
	{ "TlsConfig" },
	{ "Type" },
	{ "Uri" },
	{ NULL },
};

static int method_read(struct cfn_resource *r)
{
	static const struct cfn_member parts[] = { { "MethodIntegration", "Integration", integration },
						   { "MethodResponses", NULL, NULL, cfn_as_values },
						   { NULL } };
	static const char *const names[] = { "RestApiId", "ResourceId", NULL };
	struct json *p = in_api(r, "resourceId", json_get_str(r->props, "ResourceId"));
	int e;

	json_set_str(r->arena, p, "httpMethod", json_get_str(r->props, "HttpMethod"));
	e = ask(r, "GetMethod", p, parts);
	if (e == 0)
		found_under(r, names);
	return e;
}

static const struct drift_rule method_rules[] = {
	{ "AuthorizationScopes", DRIFT_SET },
	{ "Integration.CacheKeyParameters", DRIFT_SET },
	{ "Integration.IntegrationResponses", DRIFT_SET, "StatusCode" },
	{ "Integration.IntegrationResponses.*.ResponseParameters", DRIFT_MAP },
	{ "Integration.IntegrationResponses.*.ResponseTemplates", DRIFT_MAP },
	{ "Integration.RequestParameters", DRIFT_MAP },
	{ "Integration.RequestTemplates", DRIFT_MAP },
	{ "MethodResponses", DRIFT_SET, "StatusCode" },
	{ "MethodResponses.*.ResponseModels", DRIFT_MAP },
	{ "MethodResponses.*.ResponseParameters", DRIFT_MAP },
	{ "RequestModels", DRIFT_MAP },
	{ "RequestParameters", DRIFT_MAP },
	{ NULL },
};
const struct cfn_reader gw_method_reader = { method_read, method_rules };

/* --- AWS::ApiGateway::Stage --- */
/* "~1pets/GET" with its settings, as an element of a list. */
static struct json *method_settings(struct arena *a, const struct json *v)
{
	struct json *out = json_new(a, JSON_ARRAY);

	for (size_t i = 0; json_is(v, JSON_OBJECT) && i < v->n; i++) {
		struct json *x = json_copy(a, &v->members[i].value);
		struct str path = v->members[i].key;
		ptrdiff_t at = str_rfind_char(path, '/');

		if (at < 0)
			continue;
		json_set_str(a, x, "HttpMethod", str_skip(path, (size_t)at + 1));
		path = str_replace(a, str_of(path.p, (size_t)at), S("~1"), S("/"));
		json_set_str(a, x, "ResourcePath", str_is(path, "*") ? S("/*") : path);
		json_push(a, out, x);
	}
	return out;
}

static bool same_path(struct str a, struct str b)
{
	if (str_starts(a, S("/~1")))
		a = str_skip(a, 3);
	if (str_starts(b, S("/~1")))
		b = str_skip(b, 3);
	if (str_starts(a, S("/")))
		a = str_skip(a, 1);
	if (str_starts(b, S("/")))
		b = str_skip(b, 1);
	return str_eq(a, b);
}

static int stage_read(struct cfn_resource *r)
{
	static const struct cfn_member parts[] = { { "AccessLogSettings", "AccessLogSetting" },
						   { "CanarySettings", "CanarySetting" },
						   { "MethodSettings", NULL, NULL, method_settings },
						   { "Tags", NULL, NULL, cfn_as_tags },
						   { NULL } };
	static const char *const names[] = { "RestApiId", NULL };
	int e = ask(r, "GetStage", in_api(r, "stageName", r->physical_id), parts);

	if (e == 0)
		found_under(r, names);
	return e;
}

static const struct drift_rule stage_rules[] = {
	{ "CanarySetting.StageVariableOverrides", DRIFT_MAP },
	{ "MethodSettings", DRIFT_SET, "ResourcePath" },
	{ "MethodSettings.*.ResourcePath", .same = same_path },
	{ "Variables", DRIFT_MAP },
	{ NULL },
};
const struct cfn_reader gw_stage_reader = { stage_read, stage_rules };

/* --- AWS::ApiGateway::Deployment, ::Account --- */
static int deployment_read(struct cfn_resource *r)
{
	static const struct cfn_member none[] = { { NULL } };
	static const char *const names[] = { "RestApiId", NULL };
	int e = ask(r, "GetDeployment", in_api(r, "deploymentId", r->physical_id), none);

	if (e == 0)
		found_under(r, names);
	return e;
}

static const struct drift_rule deployment_rules[] = {
	{ "DeploymentCanarySettings", DRIFT_UNREAD }, { "StageDescription", DRIFT_UNREAD }, { "StageName", DRIFT_UNREAD }, { NULL }
};
const struct cfn_reader gw_deployment_reader = { deployment_read, deployment_rules };

static int account_read(struct cfn_resource *r)
{
	static const struct cfn_member parts[] = { { "CloudwatchRoleArn", "CloudWatchRoleArn" }, { NULL } };

	return ask(r, "GetAccount", json_new(r->arena, JSON_OBJECT), parts);
}
const struct cfn_reader gw_account_reader = { account_read, NULL };

/* --- AWS::ApiGateway::Resource and the others that one call tells all about --- */
static const struct {
	const char *type, *op, *param;
} simple[] = {
	{ "AWS::ApiGateway::Authorizer", "GetAuthorizer", "authorizerId" },
	{ "AWS::ApiGateway::GatewayResponse", "GetGatewayResponse", "responseType" },
	{ "AWS::ApiGateway::Model", "GetModel", "modelName" },
	{ "AWS::ApiGateway::RequestValidator", "GetRequestValidator", "requestValidatorId" },
	{ "AWS::ApiGateway::Resource", "GetResource", "resourceId" },
};

static int simple_read(struct cfn_resource *r)
{
	static const struct cfn_member none[] = { { NULL } };
	static const char *const names[] = { "RestApiId", NULL };
	size_t i = 0;
	int e;

	while (!str_is(r->type, simple[i].type))
		i++;
	e = ask(r, simple[i].op, in_api(r, simple[i].param, r->physical_id), none);
	if (e == 0)
		found_under(r, names);
	return e;
}

static const struct drift_rule simple_rules[] = { { "ProviderARNs", DRIFT_SET },
						  { "ResponseParameters", DRIFT_MAP },
						  { "ResponseTemplates", DRIFT_MAP },
						  { "Schema", DRIFT_JSON },
						  { NULL } };
const struct cfn_reader gw_simple_reader = { simple_read, simple_rules };
