/* SPDX-License-Identifier: Apache-2.0 */
/* cfn_method.c - AWS::ApiGateway::Method, ::UsagePlan and ::UsagePlanKey. */
#include "svc/apigateway/cfn_int.h"

static struct json *method_id(struct cfn_resource *r, const struct json *props)
{
	struct json *p = json_new(r->arena, JSON_OBJECT);

	json_set_str(r->arena, p, "restApiId", json_get_str(props, "RestApiId"));
	json_set_str(r->arena, p, "resourceId", json_get_str(props, "ResourceId"));
	json_set_str(r->arena, p, "httpMethod", json_get_str(props, "HttpMethod"));
	return p;
}

/* A call for each element of a list, about this method. */
static int each(struct cfn_resource *r, const char *op, const struct json *list)
{
	int e = 0;

	for (size_t i = 0; e == 0 && json_is(list, JSON_ARRAY) && i < list->n; i++) {
		struct json *p = gw_input(r, op, &list->items[i], NULL), *id = method_id(r, r->props);

		for (size_t k = 0; k < id->n; k++)
			json_set(r->arena, p, id->members[k].key, &id->members[k].value);
		e = cfn_call(r, "apigateway", op, p, NULL, NULL);
	}
	return e;
}

static int put_method(struct cfn_resource *r)
{
	const struct json *g = json_getz(r->props, "Integration");
	struct json *p = gw_input(r, "PutMethod", r->props, NULL), *id = method_id(r, r->props);
	int e;

	if (!json_getz(p, "authorizationType"))
		json_set_str(r->arena, p, "authorizationType", S("NONE"));
	e = cfn_call(r, "apigateway", "PutMethod", p, NULL, NULL);
	if (e == 0)
		e = each(r, "PutMethodResponse", json_getz(r->props, "MethodResponses"));
	if (e == 0 && json_is(g, JSON_OBJECT)) {
		p = gw_input(r, "PutIntegration", g, NULL);
		for (size_t k = 0; k < id->n; k++)
			json_set(r->arena, p, id->members[k].key, &id->members[k].value);
		e = cfn_call(r, "apigateway", "PutIntegration", p, NULL, NULL);
		if (e == 0)
			e = each(r, "PutIntegrationResponse", json_getz(g, "IntegrationResponses"));
	}
	return e;
}

static int drop_method(struct cfn_resource *r, const struct json *props)
{
	struct str code = STR_NONE;
	int e = cfn_call(r, "apigateway", "DeleteMethod", method_id(r, props), NULL, &code);

	return gw_gone(code) ? 0 : e;
}

static struct str method_name(struct cfn_resource *r)
{
	return str_printf(r->arena, "%.*s|%.*s|%.*s", STR(json_get_str(r->props, "RestApiId")), STR(json_get_str(r->props, "ResourceId")),
			  STR(json_get_str(r->props, "HttpMethod")));
}

static int method_create(struct cfn_resource *r)
{
	int e = 0;

	if (r->physical_id.p) /* an earlier run went part of the way */
		e = drop_method(r, r->props);
	if (e == 0)
		e = put_method(r);
	r->ret_physical_id = method_name(r);
	return e;
}

/* What is edited here serves nobody before it is deployed: the method may go and come again. */
static int method_update(struct cfn_resource *r)
{
	int e = drop_method(r, r->old_props);

	r->ret_physical_id = r->physical_id;
	return e == 0 ? put_method(r) : e;
}

static int method_delete(struct cfn_resource *r)
{
	return drop_method(r, r->old_props);
}

static const struct cfn_property method_properties[] = {
	{ "ApiKeyRequired", CFN_UPDATE, false },     { "AuthorizationScopes", CFN_UPDATE, false },
	{ "AuthorizationType", CFN_UPDATE, false },  { "AuthorizerId", CFN_UPDATE, false },
	{ "HttpMethod", CFN_REPLACE, true },         { "Integration", CFN_UPDATE, false },
	{ "MethodResponses", CFN_UPDATE, false },    { "OperationName", CFN_UPDATE, false },
	{ "RequestModels", CFN_UPDATE, false },      { "RequestParameters", CFN_UPDATE, false },
	{ "RequestValidatorId", CFN_UPDATE, false }, { "ResourceId", CFN_REPLACE, true },
	{ "RestApiId", CFN_REPLACE, true },          { NULL, 0, false },
};
static const char *const none[] = { NULL };
const struct cfn_type gw_method_type = {
	.name = "AWS::ApiGateway::Method",
	.properties = method_properties,
	.attributes = none,
	.create = method_create,
	.update = method_update,
	.delete = method_delete,
	.reader = &gw_method_reader,
};

/* --- usage plans --- */
static struct json *plan_id(struct cfn_resource *r, struct str id)
{
	struct json *p = json_new(r->arena, JSON_OBJECT);

	json_set_str(r->arena, p, "usagePlanId", id);
	return p;
}

static int plan_done(struct cfn_resource *r, struct str id)
{
	r->ret_physical_id = id;
	r->ret_attrs = json_new(r->arena, JSON_OBJECT);
	json_set_str(r->arena, r->ret_attrs, "Id", id);
	return 0;
}

static int plan_create(struct cfn_resource *r)
{
	static const char *const rename[] = { "UsagePlanName=name", NULL };
	struct json *p = gw_input(r, "CreateUsagePlan", r->props, rename), *out = NULL, *tags = gw_tag_map(r, cfn_tags(r));
	struct str id = r->physical_id;
	int e;

	if (!id.p) {
		if (!json_getz(p, "name"))
			json_set_str(r->arena, p, "name", cfn_name(r, 128, false));
		if (tags->n)
			json_set(r->arena, p, S("tags"), tags);
		e = cfn_call(r, "apigateway", "CreateUsagePlan", p, &out, NULL);
		if (e < 0)
			return e;
		id = json_get_str(out, "id");
		e = cfn_note_physical(r, id);
		if (e < 0)
			return e;
	}
	return plan_done(r, id);
}

static struct str stage_name(struct cfn_resource *r, const struct json *s)
{
	return str_printf(r->arena, "%.*s:%.*s", STR(json_get_str(s, "ApiId")), STR(json_get_str(s, "Stage")));
}

static bool has(const struct json *list, const struct json *one)
{
	for (size_t i = 0; json_is(list, JSON_ARRAY) && i < list->n; i++)
		if (json_equal(&list->items[i], one))
			return true;
	return false;
}

/* Stages that went or changed leave, those that are new or changed come with their throttles. */
static void stage_ops(struct cfn_resource *r, struct json *ops, const struct json *a, const struct json *b)
{
	for (size_t i = 0; json_is(a, JSON_ARRAY) && i < a->n; i++)
		if (!has(b, &a->items[i]))
			gw_op(r, ops, "remove", S("/apiStages"), stage_name(r, &a->items[i]));
	for (size_t i = 0; json_is(b, JSON_ARRAY) && i < b->n; i++) {
		const struct json *t = json_getz(&b->items[i], "Throttle");
		struct str name = stage_name(r, &b->items[i]);

		if (has(a, &b->items[i]))
			continue;
		gw_op(r, ops, "add", S("/apiStages"), name);
		for (size_t k = 0; json_is(t, JSON_OBJECT) && k < t->n; k++) {
			struct str path, verb, key = t->members[k].key;
			ptrdiff_t at = str_rfind_char(key, '/');

			path = at < 0 ? key : str_of(key.p, (size_t)at);
			verb = at < 0 ? S("*") : str_skip(key, (size_t)at + 1);
			path = str_printf(r->arena, "/apiStages/%.*s/throttle/%.*s/%.*s", STR(name), STR(gw_pointer(r, path)), STR(verb));
			for (size_t m = 0; m < 2; m++) {
				const char *p = m ? "BurstLimit" : "RateLimit";

				if (json_getz(&t->members[k].value, p))
					gw_op(r, ops, "replace", str_printf(r->arena, "%.*s/%s", STR(path), m ? "burstLimit" : "rateLimit"),
					      json_get_str(&t->members[k].value, p));
			}
		}
	}
}

static int plan_update(struct cfn_resource *r)
{
	static const struct gw_diff diffs[] = { { "UsagePlanName", "/name", NULL },
						{ "Description", "/description", NULL },
						{ NULL, NULL, NULL } };
	static const struct gw_diff quota[] = { { "Limit", "/quota/limit", "0" },
						{ "Offset", "/quota/offset", "0" },
						{ "Period", "/quota/period", "" },
						{ NULL, NULL, NULL } };
	static const struct gw_diff throttle[] = { { "BurstLimit", "/throttle/burstLimit", "0" },
						   { "RateLimit", "/throttle/rateLimit", "0" },
						   { NULL, NULL, NULL } };
	struct json *ops = json_new(r->arena, JSON_ARRAY);
	int e;

	if (json_getz(r->props, "UsagePlanName"))
		gw_diff(r, ops, r->old_props, r->props, diffs);
	else
		gw_diff(r, ops, r->old_props, r->props, diffs + 1);
	if (json_getz(r->old_props, "Quota") && !json_getz(r->props, "Quota"))
		gw_op(r, ops, "remove", S("/quota"), STR_NONE);
	else
		gw_diff(r, ops, json_getz(r->old_props, "Quota"), json_getz(r->props, "Quota"), quota);
	if (json_getz(r->old_props, "Throttle") && !json_getz(r->props, "Throttle"))
		gw_op(r, ops, "remove", S("/throttle"), STR_NONE);
	else
		gw_diff(r, ops, json_getz(r->old_props, "Throttle"), json_getz(r->props, "Throttle"), throttle);
	stage_ops(r, ops, json_getz(r->old_props, "ApiStages"), json_getz(r->props, "ApiStages"));
	e = gw_patch(r, "UpdateUsagePlan", plan_id(r, r->physical_id), ops);
	if (e == 0)
		e = gw_retag(r, "/usageplans/%.*s", STR(r->physical_id));
	return e == 0 ? plan_done(r, r->physical_id) : e;
}

static int plan_delete(struct cfn_resource *r)
{
	struct json *ops = json_new(r->arena, JSON_ARRAY);
	struct str code = STR_NONE;
	int e;

	stage_ops(r, ops, json_getz(r->old_props, "ApiStages"), NULL);
	if (ops->n) {
		struct json *p = plan_id(r, r->physical_id);

		json_set(r->arena, p, S("patchOperations"), ops);
		e = cfn_call(r, "apigateway", "UpdateUsagePlan", p, NULL, &code);
		if (e < 0 && !gw_gone(code))
			return e;
	}
	code = STR_NONE;
	e = cfn_call(r, "apigateway", "DeleteUsagePlan", plan_id(r, r->physical_id), NULL, &code);
	return gw_gone(code) ? 0 : e;
}

static const struct cfn_property plan_properties[] = {
	{ "ApiStages", CFN_UPDATE, false },
	{ "Description", CFN_UPDATE, false },
	{ "Quota", CFN_UPDATE, false },
	{ "Tags", CFN_UPDATE, false },
	{ "Throttle", CFN_UPDATE, false },
	{ "UsagePlanName", CFN_UPDATE, false },
	{ NULL, 0, false },
};
static const char *const plan_attributes[] = { "Id", NULL };
const struct cfn_type gw_usage_plan_type = {
	.name = "AWS::ApiGateway::UsagePlan",
	.properties = plan_properties,
	.attributes = plan_attributes,
	.create = plan_create,
	.update = plan_update,
	.delete = plan_delete,
};

static int plan_key_create(struct cfn_resource *r)
{
	struct json *p = gw_input(r, "CreateUsagePlanKey", r->props, NULL);
	struct str id = str_printf(r->arena, "%.*s:%.*s", STR(json_get_str(r->props, "KeyId")), STR(json_get_str(r->props, "UsagePlanId")));
	int e = r->physical_id.p ? 0 : cfn_call(r, "apigateway", "CreateUsagePlanKey", p, NULL, NULL);

	return e == 0 ? plan_done(r, id) : e;
}

static int plan_key_delete(struct cfn_resource *r)
{
	struct json *p = plan_id(r, json_get_str(r->old_props, "UsagePlanId"));
	struct str code = STR_NONE;
	int e;

	json_set_str(r->arena, p, "keyId", json_get_str(r->old_props, "KeyId"));
	e = cfn_call(r, "apigateway", "DeleteUsagePlanKey", p, NULL, &code);
	return gw_gone(code) ? 0 : e;
}

static const struct cfn_property plan_key_properties[] = {
	{ "KeyId", CFN_REPLACE, true }, { "KeyType", CFN_REPLACE, true }, { "UsagePlanId", CFN_REPLACE, true }, { NULL, 0, false }
};
const struct cfn_type gw_usage_plan_key_type = {
	.name = "AWS::ApiGateway::UsagePlanKey",
	.properties = plan_key_properties,
	.attributes = plan_attributes,
	.create = plan_key_create,
	.delete = plan_key_delete,
};
