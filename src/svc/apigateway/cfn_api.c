/* SPDX-License-Identifier: Apache-2.0 */
/* cfn_api.c - AWS::ApiGateway::RestApi and ::Account. */
#include "svc/apigateway/cfn_int.h"

#define BODY_BYTES_MAX (6u << 20) /* of an API's definition */

static struct json *id_of(struct cfn_resource *r, struct str id)
{
	struct json *p = json_new(r->arena, JSON_OBJECT);

	json_set_str(r->arena, p, "restApiId", id);
	return p;
}

/* Properties that stand beside a Body, or change later. */
static const struct gw_diff api_diffs[] = {
	{ "Name", "/name", NULL },
	{ "Description", "/description", "" },
	{ "ApiKeySourceType", "/apiKeySource", "HEADER" },
	{ "BinaryMediaTypes", "/binaryMediaTypes[]", NULL },
	{ "DisableExecuteApiEndpoint", "/disableExecuteApiEndpoint", "false" },
	{ "MinimumCompressionSize", "/minimumCompressionSize", "" },
	{ "Policy", "/policy", "" },
	{ NULL, NULL, NULL },
};
static const struct gw_diff endpoint_diffs[] = {
	{ "VpcEndpointIds", "/endpointConfiguration/vpcEndpointIds[]", NULL },
	{ "IpAddressType", "/endpointConfiguration/ipAddressType", "" },
	{ NULL, NULL, NULL },
};

static void api_ops(struct cfn_resource *r, struct json *ops, const struct json *old, const struct json *now)
{
	const struct json *a = json_getz(old, "EndpointConfiguration"), *b = json_getz(now, "EndpointConfiguration"),
			  *types = json_getz(b, "Types");
	struct str type = json_is(types, JSON_ARRAY) && types->n ? json_scalar(&types->items[0]) : S("EDGE");

	gw_diff(r, ops, old, now, api_diffs);
	if ((a || b) && !json_equal(a, b)) {
		if (!json_equal(json_getz(a, "Types"), types))
			gw_op(r, ops, "replace", S("/endpointConfiguration/types/0"), type);
		gw_diff(r, ops, a, b, endpoint_diffs);
	}
}

static bool has_body(const struct json *props)
{
	return json_getz(props, "Body") || json_getz(props, "BodyS3Location");
}

static int body_text(struct cfn_resource *r, struct str *ret)
{
	const struct json *body = json_getz(r->props, "Body"), *at = json_getz(r->props, "BodyS3Location");

	if (!at) {
		*ret = json_is(body, JSON_STRING) ? json_str(body) : json_text(r->arena, body);
		return 0;
	}
	return cfn_object(r, json_get_str(at, "Bucket"), json_get_str(at, "Key"), json_get_str(at, "Version"), BODY_BYTES_MAX, ret);
}

static int body_params(struct cfn_resource *r, struct json *p)
{
	const struct json *more = json_getz(r->props, "Parameters"),
			  *types = json_getz(json_getz(r->props, "EndpointConfiguration"), "Types");
	struct json *params = json_is(more, JSON_OBJECT) ? json_copy(r->arena, more) : json_new(r->arena, JSON_OBJECT);
	struct str text = STR_NONE;
	int e;

	if (json_is(types, JSON_ARRAY) && types->n && !json_getz(params, "endpointConfigurationTypes"))
		json_set_str(r->arena, params, "endpointConfigurationTypes", json_scalar(&types->items[0]));
	if (params->n)
		json_set(r->arena, p, S("parameters"), params);
	if (json_to_bool(json_getz(r->props, "FailOnWarnings"), false))
		json_set_bool(r->arena, p, "failOnWarnings", true);
	e = body_text(r, &text);
	if (e == 0)
		json_set_str(r->arena, p, "body", base64_encode(r->arena, text));
	return e;
}

static int check_body(struct cfn_resource *r)
{
	const struct json *at = json_getz(r->props, "BodyS3Location");

	if (at && json_getz(r->props, "Body"))
		return cfn_fail(r, "Only one of Body and BodyS3Location may be given");
	if (at && json_getz(at, "ETag"))
		return cfn_fail(r, "BodyS3Location.ETag is not implemented by this cloud; use Version");
	if (!has_body(r->props) && !json_getz(r->props, "Name"))
		return cfn_fail(r, "Resource handler returned message: \"Invalid request provided: REST API Name cannot be empty\"");
	return 0;
}

static int attributes(struct cfn_resource *r, struct str id)
{
	struct json *out = NULL;
	int e = cfn_call(r, "apigateway", "GetRestApi", id_of(r, id), &out, NULL);

	r->ret_physical_id = id;
	r->ret_attrs = json_new(r->arena, JSON_OBJECT);
	json_set_str(r->arena, r->ret_attrs, "RestApiId", id);
	json_set_str(r->arena, r->ret_attrs, "RootResourceId", json_get_str(out, "rootResourceId"));
	return e;
}

/* What a body has made gets the properties that stand beside it. */
static int beside_body(struct cfn_resource *r, struct str id)
{
	struct json *ops = json_new(r->arena, JSON_ARRAY), *beside = json_copy(r->arena, r->props), *none = json_new(r->arena, JSON_OBJECT);
	struct json *ends = json_getz(beside, "EndpointConfiguration");

	if (ends)
		json_remove(ends, S("Types")); /* was a parameter of the import */
	api_ops(r, ops, none, beside);
	for (size_t i = 0; i < ops->n; i++)
		if (str_is(json_get_str(&ops->items[i], "path"), "/endpointConfiguration/types/0"))
			json_set_str(r->arena, &ops->items[i], "op", S("test"));
	for (size_t i = 0; i < ops->n;) /* nothing else touches the type */
		if (str_is(json_get_str(&ops->items[i], "op"), "test")) {
			memmove(&ops->items[i], &ops->items[i + 1], (ops->n - i - 1) * sizeof *ops->items);
			ops->n--;
		} else
			i++;
	return gw_patch(r, "UpdateRestApi", id_of(r, id), ops);
}

static int api_create(struct cfn_resource *r)
{
	static const char *const rename[] = { "ApiKeySourceType=apiKeySource", NULL };
	struct json *p = json_new(r->arena, JSON_OBJECT), *out = NULL, *tags = gw_tag_map(r, cfn_tags(r));
	bool body = has_body(r->props);
	struct str id = r->physical_id;
	int e = check_body(r);

	if (e < 0)
		return e;
	if (!id.p) {
		if (body)
			e = body_params(r, p);
		else {
			p = gw_input(r, "CreateRestApi", r->props, rename);
			if (tags->n)
				json_set(r->arena, p, S("tags"), tags);
		}
		if (e == 0)
			e = cfn_call(r, "apigateway", body ? "ImportRestApi" : "CreateRestApi", p, &out, NULL);
		if (e < 0)
			return e;
		id = json_get_str(out, "id");
		e = cfn_note_physical(r, id);
	}
	if (e == 0 && body) {
		e = beside_body(r, id);
		if (e == 0)
			e = gw_retag(r, "/restapis/%.*s", STR(id));
	}
	return e == 0 ? attributes(r, id) : e;
}

static int api_update(struct cfn_resource *r)
{
	struct json *ops = json_new(r->arena, JSON_ARRAY), *p = id_of(r, r->physical_id);
	int e = check_body(r);

	if (e == 0 && has_body(r->props) &&
	    (gw_changed(r, "Body") || gw_changed(r, "BodyS3Location") || gw_changed(r, "Parameters") || gw_changed(r, "Mode"))) {
		json_set_str(r->arena, p, "mode", json_getz(r->props, "Mode") ? json_get_str(r->props, "Mode") : S("overwrite"));
		e = body_params(r, p);
		if (e == 0)
			e = cfn_call(r, "apigateway", "PutRestApi", p, NULL, NULL);
		if (e == 0)
			e = beside_body(r, r->physical_id);
	}
	if (e == 0) {
		api_ops(r, ops, r->old_props, r->props);
		e = gw_patch(r, "UpdateRestApi", id_of(r, r->physical_id), ops);
	}
	if (e == 0)
		e = gw_retag(r, "/restapis/%.*s", STR(r->physical_id));
	return e == 0 ? attributes(r, r->physical_id) : e;
}

static int api_delete(struct cfn_resource *r)
{
	struct str code = STR_NONE;
	int e = cfn_call(r, "apigateway", "DeleteRestApi", id_of(r, r->physical_id), NULL, &code);

	return gw_gone(code) ? 0 : e;
}

static const struct cfn_property api_properties[] = {
	{ "ApiKeySourceType", CFN_UPDATE, false },
	{ "BinaryMediaTypes", CFN_UPDATE, false },
	{ "Body", CFN_UPDATE, false },
	{ "BodyS3Location", CFN_UPDATE, false },
	{ "CloneFrom", CFN_UPDATE, false },
	{ "Description", CFN_UPDATE, false },
	{ "DisableExecuteApiEndpoint", CFN_UPDATE, false },
	{ "EndpointConfiguration", CFN_UPDATE, false },
	{ "FailOnWarnings", CFN_UPDATE, false },
	{ "MinimumCompressionSize", CFN_UPDATE, false },
	{ "Mode", CFN_UPDATE, false },
	{ "Name", CFN_UPDATE, false },
	{ "Parameters", CFN_UPDATE, false },
	{ "Policy", CFN_UPDATE, false },
	{ "Tags", CFN_UPDATE, false },
	{ NULL, 0, false },
};
static const char *const api_attributes[] = { "RestApiId", "RootResourceId", NULL };
const struct cfn_type gw_rest_api_type = {
	.name = "AWS::ApiGateway::RestApi",
	.properties = api_properties,
	.attributes = api_attributes,
	.create = api_create,
	.update = api_update,
	.delete = api_delete,
	.reader = &gw_rest_api_reader,
};

/* --- the account: its settings stay when the resource goes, as on AWS --- */
static int account_set(struct cfn_resource *r)
{
	struct json *ops = json_new(r->arena, JSON_ARRAY);

	if (json_getz(r->props, "CloudWatchRoleArn"))
		gw_op(r, ops, "replace", S("/cloudwatchRoleArn"), json_get_str(r->props, "CloudWatchRoleArn"));
	return gw_patch(r, "UpdateAccount", json_new(r->arena, JSON_OBJECT), ops);
}

static int account_create(struct cfn_resource *r)
{
	int e = account_set(r);

	r->ret_physical_id = cfn_name(r, 128, false);
	r->ret_attrs = json_new(r->arena, JSON_OBJECT);
	json_set_str(r->arena, r->ret_attrs, "Id", r->ret_physical_id);
	return e;
}

static int account_update(struct cfn_resource *r)
{
	r->ret_physical_id = r->physical_id;
	r->ret_attrs = json_new(r->arena, JSON_OBJECT);
	json_set_str(r->arena, r->ret_attrs, "Id", r->physical_id);
	return account_set(r);
}

static int account_delete(struct cfn_resource *r)
{
	return 0;
}

static const struct cfn_property account_properties[] = { { "CloudWatchRoleArn", CFN_UPDATE, false }, { NULL, 0, false } };
static const char *const account_attributes[] = { "Id", NULL };
const struct cfn_type gw_account_type = {
	.name = "AWS::ApiGateway::Account",
	.properties = account_properties,
	.attributes = account_attributes,
	.create = account_create,
	.update = account_update,
	.delete = account_delete,
	.reader = &gw_account_reader,
};
