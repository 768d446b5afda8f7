/* SPDX-License-Identifier: Apache-2.0 */
/* cfn.c - the AWS::ApiGateway types that are one call to make, one to change and one to delete; and the list of all. */
#include "svc/apigateway/cfn_int.h"

struct simple {
	const char *type, *create, *update, *delete;
	const char *id;        /* member of create's answer that is the physical id */
	const char *param;     /* where the other calls take it */
	const char *attribute; /* Fn::GetAtt name of the physical id, or NULL */
	const char *tags;      /* path of its ARN before the id, or NULL */
	bool in_api;
	const struct gw_diff *diffs;
};

static const struct gw_diff model_diffs[] = { { "Description", "/description", "" }, { "Schema", "/schema", "" }, { NULL, NULL, NULL } };
static const struct gw_diff validator_diffs[] = { { "ValidateRequestBody", "/validateRequestBody", "false" },
						  { "ValidateRequestParameters", "/validateRequestParameters", "false" },
						  { NULL, NULL, NULL } };
static const struct gw_diff authorizer_diffs[] = {
	{ "AuthType", "/authType", "custom" },
	{ "AuthorizerCredentials", "/authorizerCredentials", "" },
	{ "AuthorizerResultTtlInSeconds", "/authorizerResultTtlInSeconds", "300" },
	{ "AuthorizerUri", "/authorizerUri", "" },
	{ "IdentitySource", "/identitySource", NULL },
	{ "IdentityValidationExpression", "/identityValidationExpression", "" },
	{ "Name", "/name", "" },
	{ "Type", "/type", "" },
	{ NULL, NULL, NULL },
};
static const struct gw_diff key_diffs[] = {
	{ "CustomerId", "/customerId", "" }, { "Description", "/description", "" }, { "Enabled", "/enabled", "false" }, { NULL, NULL, NULL }
};
static const struct gw_diff docpart_diffs[] = { { "Properties", "/properties", "" }, { NULL, NULL, NULL } };
static const struct gw_diff description_diffs[] = { { "Description", "/description", "" }, { NULL, NULL, NULL } };

static const struct simple kinds[] = {
	{ "AWS::ApiGateway::ApiKey", "CreateApiKey", "UpdateApiKey", "DeleteApiKey", "id", "apiKey", "APIKeyId", "/apikeys/", false,
	  key_diffs },
	{ "AWS::ApiGateway::Authorizer", "CreateAuthorizer", "UpdateAuthorizer", "DeleteAuthorizer", "id", "authorizerId", "AuthorizerId",
	  NULL, true, authorizer_diffs },
	{ "AWS::ApiGateway::ClientCertificate", "GenerateClientCertificate", "UpdateClientCertificate", "DeleteClientCertificate",
	  "clientCertificateId", "clientCertificateId", "ClientCertificateId", "/clientcertificates/", false, description_diffs },
	{ "AWS::ApiGateway::DocumentationPart", "CreateDocumentationPart", "UpdateDocumentationPart", "DeleteDocumentationPart", "id",
	  "documentationPartId", "DocumentationPartId", NULL, true, docpart_diffs },
	{ "AWS::ApiGateway::DocumentationVersion", "CreateDocumentationVersion", "UpdateDocumentationVersion", "DeleteDocumentationVersion",
	  "version", "documentationVersion", NULL, NULL, true, description_diffs },
	{ "AWS::ApiGateway::GatewayResponse", "PutGatewayResponse", NULL, "DeleteGatewayResponse", "responseType", "responseType", "Id",
	  NULL, true, NULL },
	{ "AWS::ApiGateway::Model", "CreateModel", "UpdateModel", "DeleteModel", "name", "modelName", NULL, NULL, true, model_diffs },
	{ "AWS::ApiGateway::RequestValidator", "CreateRequestValidator", "UpdateRequestValidator", "DeleteRequestValidator", "id",
	  "requestValidatorId", "RequestValidatorId", NULL, true, validator_diffs },
	{ "AWS::ApiGateway::Resource", "CreateResource", NULL, "DeleteResource", "id", "resourceId", "ResourceId", NULL, true, NULL },
};

static const struct simple *kind_of(const struct cfn_resource *r)
{
	for (size_t i = 0; i < ELEMENTS(kinds); i++)
		if (str_is(r->type, kinds[i].type))
			return &kinds[i];
	return NULL;
}

static struct json *target(struct cfn_resource *r, const struct simple *k, const struct json *props, struct str id)
{
	struct json *p = json_new(r->arena, JSON_OBJECT);

	if (k->in_api)
		json_set_str(r->arena, p, "restApiId", json_get_str(props, "RestApiId"));
	json_set_str(r->arena, p, k->param, id);
	return p;
}

static int done(struct cfn_resource *r, const struct simple *k, struct str id)
{
	r->ret_physical_id = id;
	if (k->attribute) {
		r->ret_attrs = json_new(r->arena, JSON_OBJECT);
		json_set_str(r->arena, r->ret_attrs, k->attribute, id);
	}
	return 0;
}

/* What AWS names when the template does not. */
static void fill_name(struct cfn_resource *r, struct json *p)
{
	if (json_getz(p, "name"))
		return;
	if (str_is(r->type, "AWS::ApiGateway::Model"))
		json_set_str(r->arena, p, "name", str_replace(r->arena, cfn_name(r, 100, false), S("-"), S("")));
	else if (str_is(r->type, "AWS::ApiGateway::ApiKey"))
		json_set_str(r->arena, p, "name", cfn_name(r, 128, false));
}

static int create(struct cfn_resource *r)
{
	const struct simple *k = kind_of(r);
	struct json *p = gw_input(r, k->create, r->props, NULL), *out = NULL, *tags = gw_tag_map(r, cfn_tags(r));
	struct str id = r->physical_id;
	int e;

	if (id.p)
		return done(r, k, id);
	fill_name(r, p);
	if (str_is(r->type, "AWS::ApiGateway::Model") && !json_getz(p, "contentType"))
		json_set_str(r->arena, p, "contentType", S("application/json"));
	if (k->tags && tags->n)
		json_set(r->arena, p, S("tags"), tags);
	e = cfn_call(r, "apigateway", k->create, p, &out, NULL);
	if (e < 0)
		return e;
	id = json_get_str(out, k->id);
	e = cfn_note_physical(r, id);
	return e == 0 ? done(r, k, id) : e;
}

/* The stages of a key, which only its patches know as text. */
static struct str stage_key(struct cfn_resource *r, const struct json *k)
{
	return str_printf(r->arena, "%.*s/%.*s", STR(json_get_str(k, "RestApiId")), STR(json_get_str(k, "StageName")));
}

static void stage_ops(struct cfn_resource *r, struct json *ops, const char *op, const struct json *of, const struct json *without)
{
	for (size_t i = 0; of && i < of->n; i++) {
		bool in = false;

		for (size_t j = 0; without && j < without->n; j++)
			in |= json_equal(&of->items[i], &without->items[j]);
		if (!in)
			gw_op(r, ops, op, S("/stages"), stage_key(r, &of->items[i]));
	}
}

static int update(struct cfn_resource *r)
{
	const struct simple *k = kind_of(r);
	struct json *ops = json_new(r->arena, JSON_ARRAY);
	int e = 0;

	if (!k->update) /* made anew over what there is */
		e = cfn_call(r, "apigateway", k->create, gw_input(r, k->create, r->props, NULL), NULL, NULL);
	else {
		const struct json *was = json_getz(r->old_props, "StageKeys"), *is = json_getz(r->props, "StageKeys");

		gw_diff(r, ops, r->old_props, r->props, k->diffs);
		stage_ops(r, ops, "remove", was, is);
		stage_ops(r, ops, "add", is, was);
		e = gw_patch(r, k->update, target(r, k, r->props, r->physical_id), ops);
	}
	if (e == 0 && k->tags)
		e = gw_retag(r, "%s%.*s", k->tags, STR(r->physical_id));
	return e == 0 ? done(r, k, r->physical_id) : e;
}

static int delete (struct cfn_resource *r)
{
	const struct simple *k = kind_of(r);
	struct str code = STR_NONE;
	int e = cfn_call(r, "apigateway", k->delete, target(r, k, r->old_props, r->physical_id), NULL, &code);

	return gw_gone(code) ? 0 : e;
}

#define END                                                                                                                                \
	{                                                                                                                                  \
		NULL, 0, false                                                                                                             \
	}
static const struct cfn_property key_properties[] = {
	{ "CustomerId", CFN_UPDATE, false },
	{ "Description", CFN_UPDATE, false },
	{ "Enabled", CFN_UPDATE, false },
	{ "GenerateDistinctId", CFN_REPLACE, false },
	{ "Name", CFN_REPLACE, false },
	{ "StageKeys", CFN_UPDATE, false },
	{ "Tags", CFN_UPDATE, false },
	{ "Value", CFN_REPLACE, false },
	END,
};
static const struct cfn_property authorizer_properties[] = {
	{ "AuthType", CFN_UPDATE, false },
	{ "AuthorizerCredentials", CFN_UPDATE, false },
	{ "AuthorizerResultTtlInSeconds", CFN_UPDATE, false },
	{ "AuthorizerUri", CFN_UPDATE, false },
	{ "IdentitySource", CFN_UPDATE, false },
	{ "IdentityValidationExpression", CFN_UPDATE, false },
	{ "Name", CFN_UPDATE, true },
	{ "ProviderARNs", CFN_UPDATE, false },
	{ "RestApiId", CFN_REPLACE, true },
	{ "Type", CFN_UPDATE, true },
	END,
};
static const struct cfn_property certificate_properties[] = { { "Description", CFN_UPDATE, false }, { "Tags", CFN_UPDATE, false }, END };
static const struct cfn_property docpart_properties[] = {
	{ "Location", CFN_REPLACE, true }, { "Properties", CFN_UPDATE, true }, { "RestApiId", CFN_REPLACE, true }, END
};
static const struct cfn_property docversion_properties[] = {
	{ "Description", CFN_UPDATE, false }, { "DocumentationVersion", CFN_REPLACE, true }, { "RestApiId", CFN_REPLACE, true }, END
};
static const struct cfn_property response_properties[] = {
	{ "ResponseParameters", CFN_UPDATE, false }, { "ResponseTemplates", CFN_UPDATE, false }, { "ResponseType", CFN_REPLACE, true },
	{ "RestApiId", CFN_REPLACE, true },          { "StatusCode", CFN_UPDATE, false },        END,
};
static const struct cfn_property model_properties[] = {
	{ "ContentType", CFN_REPLACE, false }, { "Description", CFN_UPDATE, false }, { "Name", CFN_REPLACE, false },
	{ "RestApiId", CFN_REPLACE, true },    { "Schema", CFN_UPDATE, false },      END,
};
static const struct cfn_property validator_properties[] = {
	{ "Name", CFN_REPLACE, false },
	{ "RestApiId", CFN_REPLACE, true },
	{ "ValidateRequestBody", CFN_UPDATE, false },
	{ "ValidateRequestParameters", CFN_UPDATE, false },
	END,
};
static const struct cfn_property resource_properties[] = {
	{ "ParentId", CFN_REPLACE, true }, { "PathPart", CFN_REPLACE, true }, { "RestApiId", CFN_REPLACE, true }, END
};

#define TYPE(var, n, props, read, ...)                                                                                                     \
	static const char *const var##_attributes[] = { __VA_ARGS__ };                                                                     \
	static const struct cfn_type var = { .name = "AWS::ApiGateway::" n,                                                                \
					     .properties = props,                                                                          \
					     .attributes = var##_attributes,                                                               \
					     .create = create,                                                                             \
					     .update = update,                                                                             \
					     .delete = delete,                                                                             \
					     .reader = read }
TYPE(key_type, "ApiKey", key_properties, NULL, "APIKeyId", NULL);
TYPE(authorizer_type, "Authorizer", authorizer_properties, &gw_simple_reader, "AuthorizerId", NULL);
TYPE(certificate_type, "ClientCertificate", certificate_properties, NULL, "ClientCertificateId", NULL);
TYPE(docpart_type, "DocumentationPart", docpart_properties, NULL, "DocumentationPartId", NULL);
TYPE(docversion_type, "DocumentationVersion", docversion_properties, NULL, NULL);
TYPE(response_type, "GatewayResponse", response_properties, &gw_simple_reader, "Id", NULL);
TYPE(model_type, "Model", model_properties, &gw_simple_reader, NULL);
TYPE(validator_type, "RequestValidator", validator_properties, &gw_simple_reader, "RequestValidatorId", NULL);
TYPE(resource_type, "Resource", resource_properties, &gw_simple_reader, "ResourceId", NULL);

const struct cfn_type *const apigateway_cfn[] = {
	&gw_account_type,
	&key_type,
	&authorizer_type,
	&certificate_type,
	&gw_deployment_type,
	&docpart_type,
	&docversion_type,
	&response_type,
	&gw_method_type,
	&model_type,
	&validator_type,
	&resource_type,
	&gw_rest_api_type,
	&gw_stage_type,
	&gw_usage_plan_type,
	&gw_usage_plan_key_type,
	NULL,
};
