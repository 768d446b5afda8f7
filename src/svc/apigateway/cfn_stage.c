/* SPDX-License-Identifier: Apache-2.0 */
/* cfn_stage.c - AWS::ApiGateway::Deployment and ::Stage. */
#include "svc/apigateway/cfn_int.h"

static struct json *stage_id(struct cfn_resource *r, const struct json *props, struct str stage)
{
	struct json *p = json_new(r->arena, JSON_OBJECT);

	json_set_str(r->arena, p, "restApiId", json_get_str(props, "RestApiId"));
	json_set_str(r->arena, p, "stageName", stage);
	return p;
}

/* --- settings of methods --- */
static const struct {
	const char *property, *path;
} settings[] = {
	{ "MetricsEnabled", "metrics/enabled" },           { "LoggingLevel", "logging/loglevel" },
	{ "DataTraceEnabled", "logging/dataTrace" },       { "ThrottlingBurstLimit", "throttling/burstLimit" },
	{ "ThrottlingRateLimit", "throttling/rateLimit" }, { "CachingEnabled", "caching/enabled" },
	{ "CacheTtlInSeconds", "caching/ttlInSeconds" },   { "CacheDataEncrypted", "caching/dataEncrypted" },
};

/* A path ("/pets", "/~1pets", or all) as a patch names it. */
static struct str setting_path(struct cfn_resource *r, const struct json *m)
{
	struct str path = json_get_str(m, "ResourcePath"), verb = json_get_str(m, "HttpMethod");

	if (!path.n || str_is(path, "/*") || str_is(path, "*"))
		path = S("*");
	else {
		if (str_starts(path, S("/~1")))
			path = str_skip(path, 1);
		path = gw_pointer(r, apigw_unescape(r->arena, path));
	}
	return str_printf(r->arena, "/%.*s/%.*s", STR(path), STR(verb.n ? verb : S("*")));
}

static void set_settings(struct cfn_resource *r, struct json *ops, const struct json *m, struct str at)
{
	for (size_t i = 0; i < ELEMENTS(settings); i++)
		if (json_getz(m, settings[i].property))
			gw_op(r, ops, "replace", str_printf(r->arena, "%.*s/%s", STR(at), settings[i].path),
			      json_get_str(m, settings[i].property));
}

static const struct gw_diff stage_diffs[] = {
	{ "ClientCertificateId", "/clientCertificateId", NULL },
	{ "DeploymentId", "/deploymentId", NULL },
	{ "Description", "/description", "" },
	{ "DocumentationVersion", "/documentationVersion", NULL },
	{ "TracingEnabled", "/tracingEnabled", "false" },
	{ "Variables", "/variables{}", NULL },
	{ "CacheClusterEnabled", "/cacheClusterEnabled", "false" },
	{ "CacheClusterSize", "/cacheClusterSize", "0.5" },
	{ NULL, NULL, NULL },
};
static const struct gw_diff canary_diffs[] = {
	{ "DeploymentId", "/canarySettings/deploymentId", NULL },
	{ "PercentTraffic", "/canarySettings/percentTraffic", "0" },
	{ "StageVariableOverrides", "/canarySettings/stageVariableOverrides{}", NULL },
	{ "UseStageCache", "/canarySettings/useStageCache", "false" },
	{ NULL, NULL, NULL },
};
static const struct gw_diff log_diffs[] = {
	{ "DestinationArn", "/accessLogSettings/destinationArn", "" },
	{ "Format", "/accessLogSettings/format", "" },
	{ NULL, NULL, NULL },
};

/* A part of the properties with paths of its own; given up as a whole where it went. */
static void part(struct cfn_resource *r, struct json *ops, const struct json *old, const struct json *now, const char *property,
		 const char *path, const struct gw_diff *table)
{
	const struct json *a = json_getz(old, property), *b = json_getz(now, property);

	if (a && !b)
		gw_op(r, ops, "remove", str_c(path), STR_NONE);
	else
		gw_diff(r, ops, a, b, table);
}

void gw_stage_ops(struct cfn_resource *r, struct json *ops, const struct json *old, const struct json *now)
{
	const struct json *a = json_getz(old, "MethodSettings"), *b = json_getz(now, "MethodSettings");

	gw_diff(r, ops, old, now, stage_diffs);
	part(r, ops, old, now, "CanarySetting", "/canarySettings", canary_diffs);
	part(r, ops, old, now, "AccessLogSetting", "/accessLogSettings", log_diffs);
	set_settings(r, ops, now, S("/*/*")); /* of a deployment's StageDescription */
	if ((!a && !b) || json_equal(a, b))
		return;
	for (size_t i = 0; json_is(a, JSON_ARRAY) && i < a->n; i++)
		gw_op(r, ops, "remove", setting_path(r, &a->items[i]), STR_NONE);
	for (size_t i = 0; json_is(b, JSON_ARRAY) && i < b->n; i++)
		set_settings(r, ops, &b->items[i], setting_path(r, &b->items[i]));
}

/* --- stages --- */
static int stage_create(struct cfn_resource *r)
{
	static const char *const rename[] = { "CanarySetting=canarySettings", NULL };
	struct json *p = gw_input(r, "CreateStage", r->props, rename), *tags = gw_tag_map(r, cfn_tags(r)),
		    *ops = json_new(r->arena, JSON_ARRAY), *made = json_new(r->arena, JSON_OBJECT);
	static const char *const done[] = { "DeploymentId", "Description",   "DocumentationVersion", "TracingEnabled",
					    "Variables",    "CanarySetting", "CacheClusterEnabled",  "CacheClusterSize" };
	struct str name = json_get_str(r->props, "StageName");
	int e = 0;

	if (!name.n)
		name = str_replace(r->arena, cfn_name(r, 100, false), S("-"), S("_"));
	json_set_str(r->arena, p, "stageName", name);
	if (tags->n)
		json_set(r->arena, p, S("tags"), tags);
	if (!r->physical_id.p) {
		e = cfn_call(r, "apigateway", "CreateStage", p, NULL, NULL);
		if (e == 0)
			e = cfn_note_physical(r, name);
	}
	for (size_t i = 0; i < ELEMENTS(done); i++)
		if (json_getz(r->props, done[i]))
			json_set(r->arena, made, str_c(done[i]), json_getz(r->props, done[i]));
	gw_stage_ops(r, ops, made, r->props);
	r->ret_physical_id = name;
	return e == 0 ? gw_patch(r, "UpdateStage", stage_id(r, r->props, name), ops) : e;
}

static int stage_update(struct cfn_resource *r)
{
	struct json *ops = json_new(r->arena, JSON_ARRAY);
	int e;

	gw_stage_ops(r, ops, r->old_props, r->props);
	e = gw_patch(r, "UpdateStage", stage_id(r, r->props, r->physical_id), ops);
	return e == 0 ? gw_retag(r, "/restapis/%.*s/stages/%.*s", STR(json_get_str(r->props, "RestApiId")), STR(r->physical_id)) : e;
}

static int stage_delete(struct cfn_resource *r)
{
	struct str code = STR_NONE;
	int e = cfn_call(r, "apigateway", "DeleteStage", stage_id(r, r->old_props, r->physical_id), NULL, &code);

	return gw_gone(code) ? 0 : e;
}

static const struct cfn_property stage_properties[] = {
	{ "AccessLogSetting", CFN_UPDATE, false },
	{ "CacheClusterEnabled", CFN_UPDATE, false },
	{ "CacheClusterSize", CFN_UPDATE, false },
	{ "CanarySetting", CFN_UPDATE, false },
	{ "ClientCertificateId", CFN_UPDATE, false },
	{ "DeploymentId", CFN_UPDATE, false },
	{ "Description", CFN_UPDATE, false },
	{ "DocumentationVersion", CFN_UPDATE, false },
	{ "MethodSettings", CFN_UPDATE, false },
	{ "RestApiId", CFN_REPLACE, true },
	{ "StageName", CFN_REPLACE, false },
	{ "Tags", CFN_UPDATE, false },
	{ "TracingEnabled", CFN_UPDATE, false },
	{ "Variables", CFN_UPDATE, false },
	{ NULL, 0, false },
};
static const char *const none[] = { NULL };
const struct cfn_type gw_stage_type = {
	.name = "AWS::ApiGateway::Stage",
	.properties = stage_properties,
	.attributes = none,
	.name_property = "StageName",
	.create = stage_create,
	.update = stage_update,
	.delete = stage_delete,
	.reader = &gw_stage_reader,
};

/* --- deployments --- */
static int to_stage(struct cfn_resource *r, const struct json *old)
{
	struct json *now, *was, *ops = json_new(r->arena, JSON_ARRAY);
	static const char *const done[] = { "Description", "Variables", "TracingEnabled" }; /* by CreateDeployment */
	struct str stage = json_get_str(r->props, "StageName");

	if (!stage.n || !json_is(json_getz(r->props, "StageDescription"), JSON_OBJECT))
		return 0;
	now = json_copy(r->arena, json_getz(r->props, "StageDescription"));
	was = old && json_is(json_getz(old, "StageDescription"), JSON_OBJECT) ? json_copy(r->arena, json_getz(old, "StageDescription"))
									      : json_new(r->arena, JSON_OBJECT);
	for (size_t i = 0; !old && i < ELEMENTS(done); i++)
		json_remove(now, str_c(done[i]));
	gw_stage_ops(r, ops, was, now);
	return gw_patch(r, "UpdateStage", stage_id(r, r->props, stage), ops);
}

static int deployment_done(struct cfn_resource *r, struct str id)
{
	r->ret_physical_id = id;
	r->ret_attrs = json_new(r->arena, JSON_OBJECT);
	json_set_str(r->arena, r->ret_attrs, "DeploymentId", id);
	return 0;
}

static int deployment_create(struct cfn_resource *r)
{
	static const char *const rename[] = { "DeploymentCanarySettings=canarySettings", NULL };
	const struct json *d = json_getz(r->props, "StageDescription");
	struct json *p = gw_input(r, "CreateDeployment", r->props, rename), *out = NULL;
	struct str id = r->physical_id;
	int e = 0;

	json_remove(p, S("stageDescription"));
	json_set_str(r->arena, p, "stageDescription", json_get_str(d, "Description"));
	if (json_getz(d, "Variables"))
		json_set(r->arena, p, S("variables"), json_getz(d, "Variables"));
	if (json_getz(d, "TracingEnabled"))
		json_set(r->arena, p, S("tracingEnabled"), json_getz(d, "TracingEnabled"));
	if (!id.p) {
		e = cfn_call(r, "apigateway", "CreateDeployment", p, &out, NULL);
		if (e < 0)
			return e;
		id = json_get_str(out, "id");
		e = cfn_note_physical(r, id);
	}
	if (e == 0)
		e = to_stage(r, NULL);
	return e == 0 ? deployment_done(r, id) : e;
}

static int deployment_update(struct cfn_resource *r)
{
	static const struct gw_diff diffs[] = { { "Description", "/description", "" }, { NULL, NULL, NULL } };
	struct json *ops = json_new(r->arena, JSON_ARRAY), *p = json_new(r->arena, JSON_OBJECT), *more = json_new(r->arena, JSON_ARRAY);
	struct str stage = json_get_str(r->props, "StageName"), code = STR_NONE;
	int e;

	json_set_str(r->arena, p, "restApiId", json_get_str(r->props, "RestApiId"));
	json_set_str(r->arena, p, "deploymentId", r->physical_id);
	gw_diff(r, ops, r->old_props, r->props, diffs);
	e = gw_patch(r, "UpdateDeployment", p, ops);
	if (e == 0 && stage.n && gw_changed(r, "StageName")) { /* the new name shows this deployment */
		gw_op(r, more, "replace", S("/deploymentId"), r->physical_id);
		p = stage_id(r, r->props, stage);
		json_set(r->arena, p, S("patchOperations"), more);
		e = cfn_call(r, "apigateway", "UpdateStage", p, NULL, &code);
		if (e < 0 && gw_gone(code)) {
			p = stage_id(r, r->props, stage);
			json_set_str(r->arena, p, "deploymentId", r->physical_id);
			e = cfn_call(r, "apigateway", "CreateStage", p, NULL, NULL);
		}
	}
	if (e == 0)
		e = to_stage(r, r->old_props);
	return e == 0 ? deployment_done(r, r->physical_id) : e;
}

/* A stage that the deployment has made goes with it, as long as it shows nothing else. */
static int deployment_delete(struct cfn_resource *r)
{
	struct str stage = json_get_str(r->old_props, "StageName"), code = STR_NONE;
	struct json *p = json_new(r->arena, JSON_OBJECT), *out = NULL;
	int e = 0;

	if (stage.n && cfn_call(r, "apigateway", "GetStage", stage_id(r, r->old_props, stage), &out, NULL) == 0 &&
	    str_eq(json_get_str(out, "deploymentId"), r->physical_id))
		e = cfn_call(r, "apigateway", "DeleteStage", stage_id(r, r->old_props, stage), NULL, &code);
	if (e < 0 && !gw_gone(code))
		return e;
	json_set_str(r->arena, p, "restApiId", json_get_str(r->old_props, "RestApiId"));
	json_set_str(r->arena, p, "deploymentId", r->physical_id);
	code = STR_NONE;
	e = cfn_call(r, "apigateway", "DeleteDeployment", p, NULL, &code);
	return gw_gone(code) ? 0 : e;
}

static const struct cfn_property deployment_properties[] = {
	{ "DeploymentCanarySettings", CFN_REPLACE, false }, { "Description", CFN_UPDATE, false }, { "RestApiId", CFN_REPLACE, true },
	{ "StageDescription", CFN_UPDATE, false },          { "StageName", CFN_UPDATE, false },   { NULL, 0, false },
};
static const char *const deployment_attributes[] = { "DeploymentId", NULL };
const struct cfn_type gw_deployment_type = {
	.name = "AWS::ApiGateway::Deployment",
	.properties = deployment_properties,
	.attributes = deployment_attributes,
	.create = deployment_create,
	.update = deployment_update,
	.delete = deployment_delete,
	.reader = &gw_deployment_reader,
};
