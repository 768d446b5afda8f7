/* SPDX-License-Identifier: Apache-2.0 */
/* cfn_more.c - AWS::Lambda::Version, Alias, LayerVersion, LayerVersionPermission, Url, EventInvokeConfig and CodeSigningConfig.
 * What Ref and Fn::GetAtt give: "AWS Lambda resource type reference" (CloudFormation User Guide). */
#include "svc/lambda/cfn_int.h"

static void set_attr(struct cfn_resource *r, const char *name, struct str value)
{
	if (!r->ret_attrs)
		r->ret_attrs = json_new(r->arena, JSON_OBJECT);
	json_set_str(r->arena, r->ret_attrs, name, value);
}

/* gone: what is not there is deleted already. */
static int gone(struct cfn_resource *r, const char *op, const struct json *p)
{
	struct str fault = STR_NONE;
	int e = cfn_call(r, "lambda", op, p, NULL, &fault);

	return str_is(fault, "ResourceNotFoundException") ? 0 : e;
}

/* The last part of an ARN or of an id. */
static struct str after_last(struct str s, char c)
{
	return str_skip(s, (size_t)(str_rfind_char(s, c) + 1));
}

static struct str before_last(struct str s, char c)
{
	ptrdiff_t at = str_rfind_char(s, c);

	return str_of(s.p, at < 0 ? s.n : (size_t)at);
}

#define PROVISION_LOOK_MS 200
#define PROVISION_WAIT_MS 600000 /* a crowd of slow starts */

/* provisioned_ready waits until the environments are up, or cannot be. */
static int provisioned_ready(struct cfn_resource *r, const struct json *p)
{
	int64_t end = clock_mono_ms() + PROVISION_WAIT_MS;
	struct json *now;
	struct str status;
	int e;

	for (;;) {
		e = cfn_call(r, "lambda", "GetProvisionedConcurrencyConfig", p, &now, NULL);
		if (e < 0)
			return e;
		status = json_get_str(now, "Status");
		if (str_is(status, "READY"))
			return 0;
		if (str_is(status, "FAILED") || clock_mono_ms() > end)
			return cfn_fail(r, "Provisioned Concurrency configuration failed to be applied. Reason: %.*s",
					STR(str_is(status, "FAILED") ? json_get_str(now, "StatusReason") : S("it took too long")));
		(void)nanosleep(&(struct timespec){ .tv_nsec = PROVISION_LOOK_MS * 1000000L }, NULL);
	}
}

/* moved: the alias has another version, whose environments have to come up. */
static int set_provisioned(struct cfn_resource *r, struct str function, struct str qualifier, bool moved)
{
	const struct json *now = json_getz(r->props, "ProvisionedConcurrencyConfig");
	struct json *p = lambda_param(r, "FunctionName", function), *n;
	int e = 0;

	json_set_str(r->arena, p, "Qualifier", qualifier);
	if (!now)
		return lambda_changed(r, "ProvisionedConcurrencyConfig") ? gone(r, "DeleteProvisionedConcurrencyConfig", p) : 0;
	if (lambda_changed(r, "ProvisionedConcurrencyConfig")) {
		n = lambda_param(r, "FunctionName", function);
		json_set_str(r->arena, n, "Qualifier", qualifier);
		json_set(r->arena, n, S("ProvisionedConcurrentExecutions"), json_getz(now, "ProvisionedConcurrentExecutions"));
		e = cfn_call(r, "lambda", "PutProvisionedConcurrencyConfig", n, NULL, NULL);
	} else if (!moved) {
		return 0;
	}
	return e < 0 ? e : provisioned_ready(r, p);
}

/* --- AWS::Lambda::Version --- */
/* last_version gives the highest number that was published, 0 for none, and the function's ARN. */
static int last_version(struct cfn_resource *r, struct str function, int64_t *ret, struct str *ret_arn)
{
	struct json *p = lambda_param(r, "FunctionName", function), *out;
	int64_t n;
	int e;

	*ret = 0;
	do {
		const struct json *list;

		e = cfn_call(r, "lambda", "ListVersionsByFunction", p, &out, NULL);
		if (e < 0)
			return e;
		list = json_getz(out, "Versions");
		for (size_t i = 0; list && i < list->n; i++) {
			struct str version = json_get_str(&list->items[i], "Version");

			if (!str_is(version, LAMBDA_LATEST) && str_to_i64(version, &n) == 0 && n > *ret)
				*ret = n;
			else if (str_is(version, LAMBDA_LATEST))
				*ret_arn = before_last(json_get_str(&list->items[i], "FunctionArn"), ':');
		}
		json_set_str(r->arena, p, "Marker", json_get_str(out, "NextMarker"));
	} while (json_get_str(out, "NextMarker").n);
	return 0;
}

static int version_create(struct cfn_resource *r)
{
	static const char *const same[] = { "FunctionName", "CodeSha256", "Description", NULL };
	struct str function = json_get_str(r->props, "FunctionName"), arn = STR_NONE, id, number;
	bool again = r->physical_id.p;
	struct json *out;
	int64_t last, n;
	int e = last_version(r, function, &last, &arn);

	if (e == 0 && !again)
		e = cfn_note_physical(r, str_printf(r->arena, "%.*s:%lld", STR(arn), (long long)last + 1));
	if (e == 0)
		e = cfn_call(r, "lambda", "PublishVersion", lambda_params(r, same), &out, NULL);
	if (e < 0)
		return e;
	id = json_get_str(out, "FunctionArn");
	number = json_get_str(out, "Version");
	if (!again && str_to_i64(number, &n) == 0 && n <= last)
		return cfn_fail(r,
				"Resource handler returned message: \"A version for this Lambda function exists ( %lld ). Modify the "
				"function to create a new version.\"",
				(long long)n);
	r->ret_physical_id = id;
	set_attr(r, "FunctionArn", id);
	set_attr(r, "Version", number);
	e = cfn_note_physical(r, id);
	return e < 0 ? e : set_provisioned(r, before_last(id, ':'), number, true);
}

static int version_update(struct cfn_resource *r)
{
	return set_provisioned(r, before_last(r->physical_id, ':'), after_last(r->physical_id, ':'), false);
}

static int qualified_delete(struct cfn_resource *r, const char *op, const char *member)
{
	struct json *p = lambda_param(r, "FunctionName", before_last(r->physical_id, ':'));

	json_set_str(r->arena, p, member, after_last(r->physical_id, ':'));
	return gone(r, op, p);
}

static int version_delete(struct cfn_resource *r)
{
	return qualified_delete(r, "DeleteFunction", "Qualifier");
}

static const struct cfn_property version_properties[] = {
	{ "CodeSha256", CFN_REPLACE, false },
	{ "Description", CFN_REPLACE, false },
	{ "FunctionName", CFN_REPLACE, true },
	{ "ProvisionedConcurrencyConfig", CFN_UPDATE, false },
	{ NULL, 0, false },
};
static const char *const version_attributes[] = { "FunctionArn", "Version", NULL };
const struct cfn_type lambda_cfn_version = {
	.name = "AWS::Lambda::Version",
	.properties = version_properties,
	.attributes = version_attributes,
	.create = version_create,
	.update = version_update,
	.delete = version_delete,
	.reader = &lambda_version_reader,
};

/* --- AWS::Lambda::Alias --- */
/* The template has a list of FunctionVersion and FunctionWeight, the API a map. */
static struct json *alias_params(struct cfn_resource *r)
{
	static const char *const same[] = { "FunctionName", "Name", "FunctionVersion", "Description", NULL };
	const struct json *list = json_getz(json_getz(r->props, "RoutingConfig"), "AdditionalVersionWeights");
	struct json *p = lambda_params(r, same), *weights = json_new(r->arena, JSON_OBJECT), *routing = json_new(r->arena, JSON_OBJECT);

	for (size_t i = 0; list && i < list->n; i++)
		json_set(r->arena, weights, json_get_str(&list->items[i], "FunctionVersion"), json_getz(&list->items[i], "FunctionWeight"));
	json_set(r->arena, routing, S("AdditionalVersionWeights"), weights);
	if (list || json_getz(r->old_props, "RoutingConfig"))
		json_set(r->arena, p, S("RoutingConfig"), routing);
	if (r->old_props && json_getz(r->old_props, "Description") && !json_getz(r->props, "Description"))
		json_set_str(r->arena, p, "Description", S(""));
	return p;
}

static int alias_create(struct cfn_resource *r)
{
	bool again = r->physical_id.p;
	struct str fault = STR_NONE, id;
	struct json *out = NULL, *p;
	int e = cfn_call(r, "lambda", "CreateAlias", alias_params(r), &out, &fault);

	if (e < 0 && again && str_is(fault, "ResourceConflictException")) {
		p = lambda_param(r, "FunctionName", json_get_str(r->props, "FunctionName"));
		json_set_str(r->arena, p, "Name", json_get_str(r->props, "Name"));
		e = cfn_call(r, "lambda", "GetAlias", p, &out, NULL);
	}
	if (e < 0)
		return e;
	id = json_get_str(out, "AliasArn");
	r->ret_physical_id = id;
	set_attr(r, "AliasArn", id);
	e = cfn_note_physical(r, id);
	return e < 0 ? e : set_provisioned(r, before_last(id, ':'), after_last(id, ':'), true);
}

static int alias_update(struct cfn_resource *r)
{
	int e = cfn_call(r, "lambda", "UpdateAlias", alias_params(r), NULL, NULL);

	return e < 0 ? e
		     : set_provisioned(r, before_last(r->physical_id, ':'), after_last(r->physical_id, ':'),
				       lambda_changed(r, "FunctionVersion") || lambda_changed(r, "RoutingConfig"));
}

static int alias_delete(struct cfn_resource *r)
{
	return qualified_delete(r, "DeleteAlias", "Name");
}

static const struct cfn_property alias_properties[] = {
	{ "Description", CFN_UPDATE, false },
	{ "FunctionName", CFN_REPLACE, true },
	{ "FunctionVersion", CFN_UPDATE, true },
	{ "Name", CFN_REPLACE, true },
	{ "RoutingConfig", CFN_UPDATE, false },
	{ "ProvisionedConcurrencyConfig", CFN_UPDATE, false },
	{ NULL, 0, false },
};
static const char *const alias_attributes[] = { "AliasArn", NULL };
const struct cfn_type lambda_cfn_alias = {
	.name = "AWS::Lambda::Alias",
	.properties = alias_properties,
	.attributes = alias_attributes,
	.create = alias_create,
	.update = alias_update,
	.delete = alias_delete,
	.reader = &lambda_alias_reader,
};

/* --- AWS::Lambda::LayerVersion --- */
static int layer_create(struct cfn_resource *r)
{
	static const char *const same[] = {
		"CompatibleArchitectures", "CompatibleRuntimes", "Content", "Description", "LayerName", "LicenseInfo", NULL
	};
	struct json *p = lambda_params(r, same), *out;
	int e;

	if (!json_getz(p, "LayerName"))
		json_set_str(r->arena, p, "LayerName", cfn_name(r, 64, false));
	e = cfn_call(r, "lambda", "PublishLayerVersion", p, &out, NULL);
	if (e < 0)
		return e;
	r->ret_physical_id = json_get_str(out, "LayerVersionArn");
	set_attr(r, "LayerVersionArn", r->ret_physical_id);
	return 0;
}

/* ARN:NUMBER is a layer version's ARN; the API takes its parts. */
static struct json *layer_params(struct cfn_resource *r, struct str arn)
{
	struct json *p = lambda_param(r, "LayerName", before_last(arn, ':'));
	int64_t n;

	if (str_to_i64(after_last(arn, ':'), &n) == 0)
		json_set_int(r->arena, p, "VersionNumber", n);
	return p;
}

static int layer_delete(struct cfn_resource *r)
{
	return gone(r, "DeleteLayerVersion", layer_params(r, r->physical_id));
}

static const struct cfn_property layer_properties[] = {
	{ "CompatibleArchitectures", CFN_REPLACE, false },
	{ "CompatibleRuntimes", CFN_REPLACE, false },
	{ "Content", CFN_REPLACE, true },
	{ "Description", CFN_REPLACE, false },
	{ "LayerName", CFN_REPLACE, false },
	{ "LicenseInfo", CFN_REPLACE, false },
	{ NULL, 0, false },
};
static const char *const layer_attributes[] = { "LayerVersionArn", NULL };
const struct cfn_type lambda_cfn_layer = {
	.name = "AWS::Lambda::LayerVersion",
	.properties = layer_properties,
	.attributes = layer_attributes,
	.create = layer_create,
	.delete = layer_delete,
};

/* --- AWS::Lambda::LayerVersionPermission: its id is ARN#STATEMENT --- */
static int layer_permission_create(struct cfn_resource *r)
{
	static const char *const same[] = { "Action", "Principal", "OrganizationId", NULL };
	struct str arn = json_get_str(r->props, "LayerVersionArn"), sid = cfn_name(r, 100, false), fault = STR_NONE;
	struct str id = str_printf(r->arena, "%.*s#%.*s", STR(arn), STR(sid));
	struct json *p = layer_params(r, arn), *own = lambda_params(r, same);
	bool again = r->physical_id.p;
	int e = cfn_note_physical(r, id);

	for (const char *const *s = same; *s; s++)
		if (json_getz(own, *s))
			json_set(r->arena, p, str_c(*s), json_getz(own, *s));
	json_set_str(r->arena, p, "StatementId", sid);
	if (e == 0)
		e = cfn_call(r, "lambda", "AddLayerVersionPermission", p, NULL, &fault);
	if (e < 0 && !(again && str_is(fault, "ResourceConflictException")))
		return e;
	r->ret_physical_id = id;
	set_attr(r, "Id", id);
	return 0;
}

static int layer_permission_delete(struct cfn_resource *r)
{
	struct json *p = layer_params(r, before_last(r->physical_id, '#'));

	json_set_str(r->arena, p, "StatementId", after_last(r->physical_id, '#'));
	return gone(r, "RemoveLayerVersionPermission", p);
}

static const struct cfn_property layer_permission_properties[] = {
	{ "Action", CFN_REPLACE, true },
	{ "LayerVersionArn", CFN_REPLACE, true },
	{ "OrganizationId", CFN_REPLACE, false },
	{ "Principal", CFN_REPLACE, true },
	{ NULL, 0, false },
};
static const char *const layer_permission_attributes[] = { "Id", NULL };
const struct cfn_type lambda_cfn_layer_permission = {
	.name = "AWS::Lambda::LayerVersionPermission",
	.properties = layer_permission_properties,
	.attributes = layer_permission_attributes,
	.create = layer_permission_create,
	.delete = layer_permission_delete,
};

/* --- AWS::Lambda::Url --- */
static struct json *url_params(struct cfn_resource *r, const struct json *of)
{
	struct json *p = lambda_param(r, "FunctionName", json_get_str(of, "TargetFunctionArn"));

	json_set_str(r->arena, p, "Qualifier", json_get_str(of, "Qualifier"));
	return p;
}

static int url_set(struct cfn_resource *r, const char *op)
{
	static const char *const same[] = { "AuthType", "Cors", "InvokeMode", NULL };
	struct json *p = url_params(r, r->props), *own = lambda_params(r, same), *out;
	struct str fault = STR_NONE;
	bool again = !r->old_props && r->physical_id.p;
	int e;

	for (const char *const *s = same; *s; s++)
		if (json_getz(own, *s))
			json_set(r->arena, p, str_c(*s), json_getz(own, *s));
	if (r->old_props && json_getz(r->old_props, "Cors") && !json_getz(r->props, "Cors"))
		json_set(r->arena, p, S("Cors"), json_new(r->arena, JSON_OBJECT));
	if (r->old_props && json_getz(r->old_props, "InvokeMode") && !json_getz(r->props, "InvokeMode"))
		json_set_str(r->arena, p, "InvokeMode", S("BUFFERED"));
	e = cfn_call(r, "lambda", op, p, &out, &fault);
	if (e < 0 && again && str_is(fault, "ResourceConflictException"))
		e = cfn_call(r, "lambda", "GetFunctionUrlConfig", url_params(r, r->props), &out, NULL);
	if (e < 0)
		return e;
	r->ret_physical_id = json_get_str(out, "FunctionArn");
	set_attr(r, "FunctionArn", r->ret_physical_id);
	set_attr(r, "FunctionUrl", json_get_str(out, "FunctionUrl"));
	return 0;
}

static int url_create(struct cfn_resource *r)
{
	return url_set(r, "CreateFunctionUrlConfig");
}

static int url_update(struct cfn_resource *r)
{
	return url_set(r, "UpdateFunctionUrlConfig");
}

static int url_delete(struct cfn_resource *r)
{
	return gone(r, "DeleteFunctionUrlConfig", url_params(r, r->old_props));
}

static const struct cfn_property url_properties[] = {
	{ "AuthType", CFN_UPDATE, true },           { "Cors", CFN_UPDATE, false },
	{ "InvokeMode", CFN_UPDATE, false },        { "Qualifier", CFN_REPLACE, false },
	{ "TargetFunctionArn", CFN_REPLACE, true }, { NULL, 0, false },
};
static const char *const url_attributes[] = { "FunctionArn", "FunctionUrl", NULL };
const struct cfn_type lambda_cfn_url = {
	.name = "AWS::Lambda::Url",
	.properties = url_properties,
	.attributes = url_attributes,
	.create = url_create,
	.update = url_update,
	.delete = url_delete,
	.reader = &lambda_url_reader,
};

/* --- AWS::Lambda::EventInvokeConfig: its id is FUNCTION|QUALIFIER --- */
static int event_config_set(struct cfn_resource *r)
{
	static const char *const same[] = { "FunctionName",         "Qualifier", "DestinationConfig", "MaximumEventAgeInSeconds",
					    "MaximumRetryAttempts", NULL };
	int e = cfn_call(r, "lambda", "PutFunctionEventInvokeConfig", lambda_params(r, same), NULL, NULL);

	if (e < 0)
		return e;
	r->ret_physical_id = str_printf(r->arena, "%.*s|%.*s", STR(json_get_str(r->props, "FunctionName")),
					STR(json_get_str(r->props, "Qualifier")));
	return 0;
}

static int event_config_delete(struct cfn_resource *r)
{
	static const char *const same[] = { "FunctionName", "Qualifier", NULL };
	struct json *p = json_new(r->arena, JSON_OBJECT);

	for (const char *const *s = same; *s; s++)
		json_set_str(r->arena, p, *s, json_get_str(r->old_props, *s));
	return gone(r, "DeleteFunctionEventInvokeConfig", p);
}

static const struct cfn_property event_config_properties[] = {
	{ "DestinationConfig", CFN_UPDATE, false },
	{ "FunctionName", CFN_REPLACE, true },
	{ "MaximumEventAgeInSeconds", CFN_UPDATE, false },
	{ "MaximumRetryAttempts", CFN_UPDATE, false },
	{ "Qualifier", CFN_REPLACE, true },
	{ NULL, 0, false },
};
static const char *const no_attributes[] = { NULL };
const struct cfn_type lambda_cfn_event_config = {
	.name = "AWS::Lambda::EventInvokeConfig",
	.properties = event_config_properties,
	.attributes = no_attributes,
	.create = event_config_set,
	.update = event_config_set,
	.delete = event_config_delete,
};

/* --- AWS::Lambda::CodeSigningConfig --- */
static int signing_create(struct cfn_resource *r)
{
	static const char *const same[] = { "AllowedPublishers", "CodeSigningPolicies", "Description", NULL };
	struct json *p = lambda_params(r, same), *out;
	const struct json *made;
	int e;

	json_set(r->arena, p, S("Tags"), lambda_tag_map(r, cfn_tags(r)));
	e = cfn_call(r, "lambda", "CreateCodeSigningConfig", p, &out, NULL);
	if (e < 0)
		return e;
	made = json_getz(out, "CodeSigningConfig");
	r->ret_physical_id = json_get_str(made, "CodeSigningConfigArn");
	set_attr(r, "CodeSigningConfigArn", r->ret_physical_id);
	set_attr(r, "CodeSigningConfigId", json_get_str(made, "CodeSigningConfigId"));
	return 0;
}

static int signing_update(struct cfn_resource *r)
{
	static const char *const same[] = { "AllowedPublishers", "CodeSigningPolicies", "Description", NULL };
	struct json *p = lambda_params(r, same), *policies;
	int e;

	json_set_str(r->arena, p, "CodeSigningConfigArn", r->physical_id);
	if (!json_getz(p, "Description"))
		json_set_str(r->arena, p, "Description", S(""));
	if (!json_getz(p, "CodeSigningPolicies")) {
		policies = json_new(r->arena, JSON_OBJECT);
		json_set_str(r->arena, policies, "UntrustedArtifactOnDeployment", S("Warn"));
		json_set(r->arena, p, S("CodeSigningPolicies"), policies);
	}
	e = cfn_call(r, "lambda", "UpdateCodeSigningConfig", p, NULL, NULL);
	return e < 0 ? e : lambda_retag(r, r->physical_id);
}

static int signing_delete(struct cfn_resource *r)
{
	return gone(r, "DeleteCodeSigningConfig", lambda_param(r, "CodeSigningConfigArn", r->physical_id));
}

static const struct cfn_property signing_properties[] = {
	{ "AllowedPublishers", CFN_UPDATE, true },
	{ "CodeSigningPolicies", CFN_UPDATE, false },
	{ "Description", CFN_UPDATE, false },
	{ "Tags", CFN_UPDATE, false },
	{ NULL, 0, false },
};
static const char *const signing_attributes[] = { "CodeSigningConfigArn", "CodeSigningConfigId", NULL };
const struct cfn_type lambda_cfn_signing = {
	.name = "AWS::Lambda::CodeSigningConfig",
	.properties = signing_properties,
	.attributes = signing_attributes,
	.create = signing_create,
	.update = signing_update,
	.delete = signing_delete,
};
