/* SPDX-License-Identifier: Apache-2.0 */
/* cfn_read.c - what functions are, in the form of CloudFormation's properties. Code is not compared, as on AWS. */
#include "cfn/reader.h"
#include "svc/lambda/cfn_int.h"
#include <errno.h>

#define GONE "ResourceNotFoundException"

static struct str last_part(struct str arn)
{
	return str_skip(arn, (size_t)(str_rfind_char(arn, ':') + 1));
}

static struct str before_last(struct str arn)
{
	ptrdiff_t at = str_rfind_char(arn, ':');

	return at < 0 ? arn : str_of(arn.p, (size_t)at);
}

/* Parameters for a qualified ARN: the function, and its version or alias. */
static struct json *qualified(struct cfn_resource *r, struct str arn, const char *member)
{
	struct json *p = cfn_param(r, "FunctionName", before_last(arn));

	json_set_str(r->arena, p, member, last_part(arn));
	return p;
}

/* --- AWS::Lambda::Function --- */
static struct json *layer_arns(struct arena *a, const struct json *v)
{
	struct json *out = json_new(a, JSON_ARRAY);

	for (size_t i = 0; i < v->n; i++)
		json_push(a, out, json_getz(&v->items[i], "Arn"));
	return out;
}

static const struct cfn_member function[] = {
	{ "Concurrency.ReservedConcurrentExecutions" },
	{ "Configuration.Architectures" },
	{ "Configuration.DeadLetterConfig" },
	{ "Configuration.Description" },
	{ "Configuration.Environment" },
	{ "Configuration.EphemeralStorage" },
	{ "Configuration.FileSystemConfigs" },
	{ "Configuration.FunctionName" },
	{ "Configuration.Handler" },
	{ "Configuration.ImageConfigResponse.ImageConfig" },
	{ "Configuration.KMSKeyArn", "KmsKeyArn" },
	{ "Configuration.Layers", NULL, NULL, layer_arns },
	{ "Configuration.LoggingConfig" },
	{ "Configuration.MemorySize" },
	{ "Configuration.PackageType" },
	{ "Configuration.Role" },
	{ "Configuration.Runtime" },
	{ "Configuration.SnapStart" },
	{ "Configuration.Timeout" },
	{ "Configuration.TracingConfig" },
	{ "Configuration.VpcConfig" },
	{ "Tags", NULL, NULL, cfn_as_tags },
	{ NULL },
};
/* Settings of their own operations. */
static const struct {
	const char *property, *op;
	bool whole; /* the answer is the property */
} others[] = {
	{ "CodeSigningConfigArn", "GetFunctionCodeSigningConfig" },
	{ "RecursiveLoop", "GetFunctionRecursionConfig" },
	{ "RuntimeManagementConfig", "GetRuntimeManagementConfig", true },
};

static int function_read(struct cfn_resource *r)
{
	struct json *p = cfn_param(r, "FunctionName", r->physical_id), *out;
	int e = cfn_ask(r, "lambda", "GetFunction", p, GONE, &out);

	if (e < 0)
		return e;
	cfn_is(r, out, function);
	for (size_t i = 0; i < ELEMENTS(others) && e == 0; i++) {
		const struct json *v;

		if (!cfn_wanted(r, others[i].property))
			continue;
		e = cfn_ask(r, "lambda", others[i].op, p, GONE, &out);
		v = others[i].whole ? out : json_getz(out, others[i].property);
		if (e == 0 && v)
			json_set(r->arena, r->ret_props, str_c(others[i].property), v);
	}
	return e;
}

static const struct drift_rule function_rules[] = {
	{ "Code", DRIFT_UNREAD },
	{ "Environment.Variables", DRIFT_MAP },
	{ "VpcConfig.SecurityGroupIds", DRIFT_SET },
	{ "VpcConfig.SubnetIds", DRIFT_SET },
	{ NULL },
};
const struct cfn_reader lambda_function_reader = { function_read, function_rules };

/* --- AWS::Lambda::Version, AWS::Lambda::Alias --- */
static int provisioned(struct cfn_resource *r)
{
	static const struct cfn_member parts[] = { { "RequestedProvisionedConcurrentExecutions", "ProvisionedConcurrentExecutions" },
						   { NULL } };
	struct json *x = json_new(r->arena, JSON_OBJECT), *out;
	int e;

	if (!cfn_wanted(r, "ProvisionedConcurrencyConfig"))
		return 0;
	e = cfn_ask(r, "lambda", "GetProvisionedConcurrencyConfig", qualified(r, r->physical_id, "Qualifier"),
		    "ProvisionedConcurrencyConfigNotFoundException", &out);
	if (e < 0)
		return e == -ENOENT ? 0 : e;
	cfn_take(r->arena, out, parts, x);
	json_set(r->arena, r->ret_props, S("ProvisionedConcurrencyConfig"), x);
	return 0;
}

static int version_read(struct cfn_resource *r)
{
	static const struct cfn_member parts[] = { { "CodeSha256" }, { "Description" }, { "FunctionName" }, { NULL } };
	struct json *out;
	int e = cfn_ask(r, "lambda", "GetFunctionConfiguration", qualified(r, r->physical_id, "Qualifier"), GONE, &out);

	if (e < 0)
		return e;
	cfn_is(r, out, parts);
	return provisioned(r);
}

static struct json *weights(struct arena *a, const struct json *v)
{
	const struct json *map = json_getz(v, "AdditionalVersionWeights");
	struct json *list = json_new(a, JSON_ARRAY), *out = json_new(a, JSON_OBJECT);

	for (size_t i = 0; map && i < map->n; i++) {
		struct json *x = json_new(a, JSON_OBJECT);

		json_set_str(a, x, "FunctionVersion", map->members[i].key);
		json_set(a, x, S("FunctionWeight"), &map->members[i].value);
		json_push(a, list, x);
	}
	json_set(a, out, S("AdditionalVersionWeights"), list);
	return out;
}

static int alias_read(struct cfn_resource *r)
{
	static const struct cfn_member parts[] = {
		{ "Description" }, { "FunctionVersion" }, { "Name" }, { "RoutingConfig", NULL, NULL, weights }, { NULL }
	};
	struct json *out;
	int e = cfn_ask(r, "lambda", "GetAlias", qualified(r, r->physical_id, "Name"), GONE, &out);

	if (e < 0)
		return e;
	cfn_is(r, out, parts);
	json_set_str(r->arena, r->ret_props, "FunctionName", before_last(r->physical_id));
	return provisioned(r);
}

static const struct drift_rule qualified_rules[] = {
	{ "FunctionName", .same = drift_tail },
	{ "RoutingConfig.AdditionalVersionWeights", DRIFT_SET, "FunctionVersion" },
	{ NULL },
};
const struct cfn_reader lambda_version_reader = { version_read, qualified_rules }, lambda_alias_reader = { alias_read, qualified_rules };

/* --- AWS::Lambda::Url --- */
static int url_read(struct cfn_resource *r)
{
	static const struct cfn_member parts[] = { { "AuthType" }, { "Cors" }, { "InvokeMode" }, { NULL } };
	struct json *p = cfn_param(r, "FunctionName", json_get_str(r->props, "TargetFunctionArn")), *out;
	int e;

	json_set_str(r->arena, p, "Qualifier", json_get_str(r->props, "Qualifier"));
	e = cfn_ask(r, "lambda", "GetFunctionUrlConfig", p, GONE, &out);
	if (e < 0)
		return e;
	cfn_is(r, out, parts);
	json_set_str(r->arena, r->ret_props, "TargetFunctionArn", json_get_str(r->props, "TargetFunctionArn")); /* found under it */
	json_set_str(r->arena, r->ret_props, "Qualifier", json_get_str(r->props, "Qualifier"));
	return 0;
}
const struct cfn_reader lambda_url_reader = { url_read, NULL };

/* --- AWS::Lambda::Permission: a statement of the function's policy --- */
static struct json *who(struct arena *a, const struct json *v)
{
	return json_is(v, JSON_OBJECT) && v->n ? json_copy(a, &v->members[0].value) : json_copy(a, v);
}

static const struct cfn_member permission[] = {
	{ "Action" },
	{ "Condition.ArnLike.AWS:SourceArn", "SourceArn" },
	{ "Condition.Bool.lambda:InvokedViaFunctionUrl", "InvokedViaFunctionUrl" },
	{ "Condition.StringEquals.AWS:SourceAccount", "SourceAccount" },
	{ "Condition.StringEquals.aws:PrincipalOrgID", "PrincipalOrgID" },
	{ "Condition.StringEquals.lambda:EventSourceToken", "EventSourceToken" },
	{ "Condition.StringEquals.lambda:FunctionUrlAuthType", "FunctionUrlAuthType" },
	{ "Principal", NULL, NULL, who },
	{ NULL },
};

static int permission_read(struct cfn_resource *r)
{
	struct str name = json_get_str(r->props, "FunctionName");
	struct json *out, *policy;
	const struct json *all;
	ptrdiff_t at;
	int e = cfn_ask(r, "lambda", "GetPolicy", cfn_param(r, "FunctionName", name), GONE, &out);

	if (e < 0)
		return e;
	if (json_parse(r->arena, json_get_str(out, "Policy"), &policy, NULL) < 0)
		return -EBADMSG;
	all = json_getz(policy, "Statement");
	at = all ? lambda_policy_find(all, r->physical_id) : -1;
	if (at < 0)
		return -ENOENT;
	cfn_is(r, &all->items[at], permission);
	json_set_str(r->arena, r->ret_props, "FunctionName", name); /* found under it */
	return 0;
}

static const struct drift_rule permission_rules[] = { { "Principal", .same = drift_account }, { NULL } };
const struct cfn_reader lambda_permission_reader = { permission_read, permission_rules };
