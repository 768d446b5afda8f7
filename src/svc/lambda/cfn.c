/* SPDX-License-Identifier: Apache-2.0 */
/* cfn.c - AWS::Lambda::Function and AWS::Lambda::Permission. */
#include "cfn/type.h"
#include "svc/lambda/cfn_int.h"
#include "svc/lambda/zipwrite.h"

struct json *lambda_params(struct cfn_resource *r, const char *const *same)
{
	struct json *p = json_new(r->arena, JSON_OBJECT);

	for (; *same; same++)
		if (json_getz(r->props, *same))
			json_set(r->arena, p, str_c(*same), json_getz(r->props, *same));
	return p;
}

struct json *lambda_param(struct cfn_resource *r, const char *name, struct str value)
{
	struct json *p = json_new(r->arena, JSON_OBJECT);

	json_set_str(r->arena, p, name, value);
	return p;
}

bool lambda_changed(struct cfn_resource *r, const char *name)
{
	return !json_equal(json_getz(r->props, name), json_getz(r->old_props, name));
}

/* Tags of a template are a list of Key and Value, those of the API a map. */
struct json *lambda_tag_map(struct cfn_resource *r, const struct json *list)
{
	struct json *out = json_new(r->arena, JSON_OBJECT);

	for (size_t i = 0; list && i < list->n; i++)
		json_set(r->arena, out, json_get_str(&list->items[i], "Key"),
			 json_new_str(r->arena, json_get_str(&list->items[i], "Value")));
	return out;
}

/* --- AWS::Lambda::Function --- */
static const char *const configuration[] = {
	"Description", "Handler",          "KmsKeyArn",         "Layers",        "LoggingConfig", "MemorySize",
	"Role",        "Runtime",          "Timeout",           "TracingConfig", "VpcConfig",     "EphemeralStorage",
	"Environment", "DeadLetterConfig", "FileSystemConfigs", "ImageConfig",   "SnapStart",     NULL
};

static void rename_key(struct cfn_resource *r, struct json *p)
{
	if (json_getz(p, "KmsKeyArn")) {
		json_set(r->arena, p, S("KMSKeyArn"), json_getz(p, "KmsKeyArn"));
		json_remove(p, S("KmsKeyArn"));
	}
}

/* Source: "AWS::Lambda::Function Code", ZipFile: index.js for Node.js (index.mjs cannot be), index.py for Python. */
static int inline_code(struct cfn_resource *r, struct str text, struct str *ret)
{
	struct str runtime = json_get_str(r->props, "Runtime"), family = lambda_runtime_family(runtime);

	if (!family.p)
		return cfn_fail(r,
				"Resource handler returned message: \"ZipFile can only be used when Runtime is set to either of nodejs or "
				"python.\"");
	*ret = base64_encode(r->arena, zip_write_one(r->arena, str_is(family, "nodejs") ? S("index.js") : S("index.py"), text));
	return 0;
}

static int code(struct cfn_resource *r, struct json *into)
{
	static const char *const same[] = { "S3Bucket", "S3Key", "S3ObjectVersion", "ImageUri", "S3ObjectStorageMode", NULL };
	const struct json *c = json_getz(r->props, "Code");
	struct str text = json_get_str(c, "ZipFile"), zip;
	int e;

	for (const char *const *s = same; *s; s++)
		if (json_getz(c, *s))
			json_set(r->arena, into, str_c(*s), json_getz(c, *s));
	if (json_getz(c, "SourceKMSKeyArn"))
		json_set(r->arena, into, S("SourceKMSKeyArn"), json_getz(c, "SourceKMSKeyArn"));
	if (!text.p)
		return 0;
	e = inline_code(r, text, &zip);
	if (e == 0)
		json_set_str(r->arena, into, "ZipFile", zip);
	return e;
}

static int attributes(struct cfn_resource *r)
{
	struct json *out;
	int e = cfn_call(r, "lambda", "GetFunction",
			 lambda_param(r, "FunctionName", r->ret_physical_id.p ? r->ret_physical_id : r->physical_id), NULL, NULL);

	if (e < 0)
		return e;
	r->ret_attrs = json_new(r->arena, JSON_OBJECT);
	out = json_new(r->arena, JSON_OBJECT);
	json_set_str(r->arena, out, "ApplyOn", S("None"));
	json_set_str(r->arena, out, "OptimizationStatus", S("Off"));
	json_set_str(r->arena, r->ret_attrs, "Arn",
		     str_printf(r->arena, "arn:%.*s:lambda:%.*s:%.*s:function:%.*s", STR(r->partition), STR(r->region), STR(r->account),
				STR(r->ret_physical_id.p ? r->ret_physical_id : r->physical_id)));
	json_set(r->arena, r->ret_attrs, S("SnapStartResponse"), out);
	json_set_str(r->arena, r->ret_attrs, "SnapStartResponse.ApplyOn", S("None"));
	json_set_str(r->arena, r->ret_attrs, "SnapStartResponse.OptimizationStatus", S("Off"));
	return 0;
}

static int set_concurrency(struct cfn_resource *r, struct str name)
{
	const struct json *n = json_getz(r->props, "ReservedConcurrentExecutions");
	struct json *p = lambda_param(r, "FunctionName", name);

	if (!n)
		return r->old_props && json_getz(r->old_props, "ReservedConcurrentExecutions")
			       ? cfn_call(r, "lambda", "DeleteFunctionConcurrency", p, NULL, NULL)
			       : 0;
	json_set(r->arena, p, S("ReservedConcurrentExecutions"), n);
	return cfn_call(r, "lambda", "PutFunctionConcurrency", p, NULL, NULL);
}

/* The settings of their own operations; what went from the template gets its default again. */
static int set_others(struct cfn_resource *r, struct str name)
{
	const struct json *runtime = json_getz(r->props, "RuntimeManagementConfig"), *loop = json_getz(r->props, "RecursiveLoop");
	struct json *p;
	int e = 0;

	if (!r->old_props || lambda_changed(r, "ReservedConcurrentExecutions"))
		e = set_concurrency(r, name);
	if (e == 0 && (r->old_props ? lambda_changed(r, "RuntimeManagementConfig") : runtime != NULL)) {
		p = lambda_param(r, "FunctionName", name);
		json_set_str(r->arena, p, "UpdateRuntimeOn", runtime ? json_get_str(runtime, "UpdateRuntimeOn") : S("Auto"));
		json_set_str(r->arena, p, "RuntimeVersionArn", json_get_str(runtime, "RuntimeVersionArn"));
		e = cfn_call(r, "lambda", "PutRuntimeManagementConfig", p, NULL, NULL);
	}
	if (e == 0 && (r->old_props ? lambda_changed(r, "RecursiveLoop") : loop != NULL)) {
		p = lambda_param(r, "FunctionName", name);
		json_set_str(r->arena, p, "RecursiveLoop", loop ? json_str(loop) : S("Terminate"));
		e = cfn_call(r, "lambda", "PutFunctionRecursionConfig", p, NULL, NULL);
	}
	return e;
}

static int function_create(struct cfn_resource *r)
{
	struct str name = json_get_str(r->props, "FunctionName"), fault = STR_NONE;
	struct json *p = lambda_params(r, configuration), *c = json_new(r->arena, JSON_OBJECT);
	bool again = r->physical_id.p;
	int e;

	if (!name.p)
		name = again ? r->physical_id : cfn_name(r, 64, false);
	e = code(r, c);
	if (e == 0)
		e = cfn_note_physical(r, name);
	if (e < 0)
		return e;
	rename_key(r, p);
	json_set_str(r->arena, p, "FunctionName", name);
	json_set(r->arena, p, S("Code"), c);
	json_set(r->arena, p, S("Tags"), lambda_tag_map(r, cfn_tags(r)));
	if (json_getz(r->props, "Architectures"))
		json_set(r->arena, p, S("Architectures"), json_getz(r->props, "Architectures"));
	if (json_getz(r->props, "PackageType"))
		json_set(r->arena, p, S("PackageType"), json_getz(r->props, "PackageType"));
	if (json_getz(r->props, "CodeSigningConfigArn"))
		json_set(r->arena, p, S("CodeSigningConfigArn"), json_getz(r->props, "CodeSigningConfigArn"));
	e = cfn_call(r, "lambda", "CreateFunction", p, NULL, &fault);
	if (e < 0 && !(again && str_is(fault, "ResourceConflictException")))
		return e;
	r->ret_physical_id = name;
	e = set_others(r, name);
	return e < 0 ? e : attributes(r);
}

int lambda_retag(struct cfn_resource *r, struct str arn)
{
	const struct json *old = json_getz(r->old_props, "Tags"), *now = json_getz(r->props, "Tags");
	struct json *gone = json_new(r->arena, JSON_ARRAY), *kept = lambda_tag_map(r, now), *p = lambda_param(r, "Resource", arn);
	int e = 0;

	if (json_equal(old, now))
		return 0;
	for (size_t i = 0; old && i < old->n; i++)
		if (!json_get(kept, json_get_str(&old->items[i], "Key")))
			json_push(r->arena, gone, json_new_str(r->arena, json_get_str(&old->items[i], "Key")));
	if (gone->n) {
		json_set(r->arena, p, S("TagKeys"), gone);
		e = cfn_call(r, "lambda", "UntagResource", p, NULL, NULL);
		json_remove(p, S("TagKeys"));
	}
	if (e == 0 && kept->n) {
		json_set(r->arena, p, S("Tags"), kept);
		e = cfn_call(r, "lambda", "TagResource", p, NULL, NULL);
	}
	return e;
}

/* Properties that went from the template get their defaults again. */
static void defaults(struct cfn_resource *r, struct json *p)
{
	static const struct {
		const char *name, *value;
	} t[] = { { "Description", "\"\"" },
		  { "Timeout", "3" },
		  { "MemorySize", "128" },
		  { "KMSKeyArn", "\"\"" },
		  { "Layers", "[]" },
		  { "Environment", "{\"Variables\":{}}" },
		  { "EphemeralStorage", "{\"Size\":512}" },
		  { "TracingConfig", "{\"Mode\":\"PassThrough\"}" } };
	struct json *v;

	for (size_t i = 0; i < ELEMENTS(t); i++)
		if (!json_getz(p, t[i].name) && json_parse(r->arena, str_c(t[i].value), &v, NULL) == 0 &&
		    json_getz(r->old_props, strcmp(t[i].name, "KMSKeyArn") == 0 ? "KmsKeyArn" : t[i].name))
			json_set(r->arena, p, str_c(t[i].name), v);
	if (json_getz(p, "LoggingConfig") || !json_getz(r->old_props, "LoggingConfig"))
		return;
	v = json_new(r->arena, JSON_OBJECT);
	json_set_str(r->arena, v, "LogFormat", S("Text"));
	json_set_str(r->arena, v, "LogGroup", str_printf(r->arena, "/aws/lambda/%.*s", STR(r->physical_id)));
	json_set(r->arena, p, S("LoggingConfig"), v);
}

static int function_update(struct cfn_resource *r)
{
	struct json *p;
	bool config = false;
	int e = 0;

	for (const char *const *s = configuration; *s; s++)
		config |= lambda_changed(r, *s);
	if (lambda_changed(r, "Code") || lambda_changed(r, "Architectures")) {
		p = lambda_param(r, "FunctionName", r->physical_id);
		if (json_getz(r->props, "Architectures"))
			json_set(r->arena, p, S("Architectures"), json_getz(r->props, "Architectures"));
		e = code(r, p);
		if (e == 0)
			e = cfn_call(r, "lambda", "UpdateFunctionCode", p, NULL, NULL);
	}
	if (e == 0 && config) {
		p = lambda_params(r, configuration);
		rename_key(r, p);
		defaults(r, p);
		json_set_str(r->arena, p, "FunctionName", r->physical_id);
		e = cfn_call(r, "lambda", "UpdateFunctionConfiguration", p, NULL, NULL);
	}
	if (e == 0 && lambda_changed(r, "CodeSigningConfigArn")) {
		p = lambda_param(r, "FunctionName", r->physical_id);
		json_set_str(r->arena, p, "CodeSigningConfigArn", json_get_str(r->props, "CodeSigningConfigArn"));
		e = cfn_call(r, "lambda",
			     json_getz(r->props, "CodeSigningConfigArn") ? "PutFunctionCodeSigningConfig"
									 : "DeleteFunctionCodeSigningConfig",
			     p, NULL, NULL);
	}
	if (e == 0)
		e = set_others(r, r->physical_id);
	if (e == 0)
		e = lambda_retag(r, json_get_str(r->attrs, "Arn"));
	return e < 0 ? e : attributes(r);
}

static int function_delete(struct cfn_resource *r)
{
	struct str fault = STR_NONE;
	int e = cfn_call(r, "lambda", "DeleteFunction", lambda_param(r, "FunctionName", r->physical_id), NULL, &fault);

	return str_is(fault, "ResourceNotFoundException") ? 0 : e;
}

static const struct cfn_property function_properties[] = {
	{ "Architectures", CFN_UPDATE, false },
	{ "Code", CFN_UPDATE, true },
	{ "CodeSigningConfigArn", CFN_UPDATE, false },
	{ "DeadLetterConfig", CFN_UPDATE, false },
	{ "Description", CFN_UPDATE, false },
	{ "Environment", CFN_UPDATE, false },
	{ "EphemeralStorage", CFN_UPDATE, false },
	{ "FileSystemConfigs", CFN_UPDATE, false },
	{ "FunctionName", CFN_REPLACE, false },
	{ "Handler", CFN_UPDATE, false },
	{ "ImageConfig", CFN_UPDATE, false },
	{ "KmsKeyArn", CFN_UPDATE, false },
	{ "Layers", CFN_UPDATE, false },
	{ "LoggingConfig", CFN_UPDATE, false },
	{ "MemorySize", CFN_UPDATE, false },
	{ "PackageType", CFN_REPLACE, false },
	{ "RecursiveLoop", CFN_UPDATE, false },
	{ "ReservedConcurrentExecutions", CFN_UPDATE, false },
	{ "Role", CFN_UPDATE, true },
	{ "Runtime", CFN_UPDATE, false },
	{ "RuntimeManagementConfig", CFN_UPDATE, false },
	{ "SnapStart", CFN_UPDATE, false },
	{ "Tags", CFN_UPDATE, false },
	{ "Timeout", CFN_UPDATE, false },
	{ "TracingConfig", CFN_UPDATE, false },
	{ "VpcConfig", CFN_UPDATE, false },
	{ NULL, 0, false },
};
static const char *const function_attributes[] = { "Arn", "SnapStartResponse", "SnapStartResponse.ApplyOn",
						   "SnapStartResponse.OptimizationStatus", NULL };
static const struct cfn_type function_type = {
	.name = "AWS::Lambda::Function",
	.properties = function_properties,
	.attributes = function_attributes,
	.name_property = "FunctionName",
	.create = function_create,
	.update = function_update,
	.delete = function_delete,
	.reader = &lambda_function_reader,
};

/* --- AWS::Lambda::Permission --- */
/* Its id is FUNCTION|STATEMENT for the engine; Ref gives the statement. */
static int permission_create(struct cfn_resource *r)
{
	static const char *const same[] = { "Action",         "FunctionName",  "FunctionUrlAuthType", "InvokedViaFunctionUrl", "Principal",
					    "PrincipalOrgID", "SourceAccount", "SourceArn",           "EventSourceToken",      NULL };
	struct json *p = lambda_params(r, same);
	struct str sid = cfn_name(r, 100, false), fault = STR_NONE;
	bool again = r->physical_id.p;
	int e = cfn_note_physical(r, sid);

	if (e < 0)
		return e;
	json_set_str(r->arena, p, "StatementId", sid);
	e = cfn_call(r, "lambda", "AddPermission", p, NULL, &fault);
	if (e < 0 && !(again && str_is(fault, "ResourceConflictException")))
		return e;
	r->ret_physical_id = sid;
	r->ret_attrs = json_new(r->arena, JSON_OBJECT);
	json_set_str(r->arena, r->ret_attrs, "Id", sid);
	return 0;
}

static int permission_delete(struct cfn_resource *r)
{
	struct json *p = lambda_param(r, "FunctionName", json_get_str(r->old_props, "FunctionName"));
	struct str fault = STR_NONE;
	int e;

	json_set_str(r->arena, p, "StatementId", r->physical_id);
	e = cfn_call(r, "lambda", "RemovePermission", p, NULL, &fault);
	return str_is(fault, "ResourceNotFoundException") ? 0 : e;
}

static const struct cfn_property permission_properties[] = {
	{ "Action", CFN_REPLACE, true },
	{ "EventSourceToken", CFN_REPLACE, false },
	{ "FunctionName", CFN_REPLACE, true },
	{ "FunctionUrlAuthType", CFN_REPLACE, false },
	{ "InvokedViaFunctionUrl", CFN_REPLACE, false },
	{ "Principal", CFN_REPLACE, true },
	{ "PrincipalOrgID", CFN_REPLACE, false },
	{ "SourceAccount", CFN_REPLACE, false },
	{ "SourceArn", CFN_REPLACE, false },
	{ NULL, 0, false },
};
static const char *const permission_attributes[] = { "Id", NULL };
static const struct cfn_type permission_type = {
	.name = "AWS::Lambda::Permission",
	.properties = permission_properties,
	.attributes = permission_attributes,
	.create = permission_create,
	.delete = permission_delete,
	.reader = &lambda_permission_reader,
};

const struct cfn_type *const lambda_cfn[] = { &function_type,      &permission_type,
					      &lambda_cfn_version, &lambda_cfn_alias,
					      &lambda_cfn_layer,   &lambda_cfn_layer_permission,
					      &lambda_cfn_url,     &lambda_cfn_event_config,
					      &lambda_cfn_signing, NULL };
