/* SPDX-License-Identifier: Apache-2.0 */
/* definitions.c - models (JSON schemas by name) and request validators. */
#include "svc/apigateway/apigateway_int.h"
#include <errno.h>

#define SCHEMA_BYTES_MAX 400000
#define TEMPLATE_DEPTH_MAX 16

int apigw_model_check(struct call *c, const struct apigw_rec_model *m)
{
	struct json *j;

	for (size_t i = 0; i < m->name.n; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", m->name.p[i]) || !m->name.p[i])
			return call_fail(c, &apigateway_err_bad_request, "Model name must be alphanumeric: %.*s", STR(m->name));
	if (!m->name.n)
		return call_fail(c, &apigateway_err_bad_request, "No Model Name specified");
	if (!m->content_type.n)
		return call_fail(c, &apigateway_err_bad_request, "No Model content type specified");
	if (m->schema.n > SCHEMA_BYTES_MAX)
		return call_fail(c, &apigateway_err_bad_request, "Model schema is larger than %d bytes", SCHEMA_BYTES_MAX);
	if (m->schema.n && str_find(m->content_type, S("json")) >= 0 &&
	    (json_parse(c->arena, m->schema, &j, NULL) < 0 || !json_is(j, JSON_OBJECT)))
		return call_fail(c, &apigateway_err_bad_request,
				 "Invalid model specified: Validation Result: warnings : [], errors : [Invalid model schema specified]");
	return 0;
}

APIGW_HANDLER(create_model, create_model_request, model)
{
	struct apigw_rec_model m = { 0 }, old;
	struct apigw_rec_api api;
	int r = apigw_api(c, in->rest_api_id, &api);

	if (r < 0)
		return r;
	apigw_in(c, in, APIGW_REC_MODEL, &m);
	r = apigw_model_check(c, &m);
	if (r < 0)
		return r;
	r = apigw_get(c, &apigw_model_kind, api.id, m.name, &old);
	if (r == 0)
		return call_fail(c, &apigateway_err_conflict, "Model name already exists for this REST API");
	if (r != -ENOENT)
		return r;
	m.id = apigw_id(c, APIGW_PART_ID_CHARS);
	r = apigw_put(c, &apigw_model_kind, api.id, m.name, &m);
	if (r == 0)
		apigw_out(c, APIGW_REC_MODEL, &m, out);
	return r;
}

APIGW_HANDLER(get_model, get_model_request, model)
{
	struct apigw_rec_model m;
	int r = apigw_part(c, &apigw_model_kind, in->rest_api_id, in->model_name, &m);

	if (r < 0)
		return r;
	if (in->flatten.v && str_find(m.schema, S("\"$ref\"")) >= 0)
		return call_fail(c, &apigateway_err_bad_request,
				 "Flattening a model that refers to others is not implemented by this cloud.");
	apigw_out(c, APIGW_REC_MODEL, &m, out);
	return 0;
}

APIGW_HANDLER(get_models, get_models_request, models)
{
	struct apigw_rec_api api;
	int r = apigw_api(c, in->rest_api_id, &api);

	return r < 0 ? r : apigw_list(c, &apigw_model_kind, api.id, in->position, in->limit, NULL, NULL, out);
}

static const struct apigw_rule model_rules[] = { { "/description", APIGW_REPLACE }, { "/schema", APIGW_REPLACE }, { NULL } };

APIGW_HANDLER(update_model, update_model_request, model)
{
	struct apigw_rec_model m;
	int r = apigw_part(c, &apigw_model_kind, in->rest_api_id, in->model_name, &m);

	if (r == 0)
		r = apigw_patch(c, APIGW_REC_MODEL, &m, &in->patch_operations, model_rules);
	if (r == 0)
		r = apigw_model_check(c, &m);
	if (r == 0)
		r = apigw_put(c, &apigw_model_kind, in->rest_api_id, m.name, &m);
	if (r == 0)
		apigw_out(c, APIGW_REC_MODEL, &m, out);
	return r;
}

/* The method that uses this, as AWS names it: "POST /path"; absent when none does. */
int apigw_user_of(struct call *c, struct str api, bool (*uses)(const struct apigw_rec_method *m, struct str id), struct str id,
		  struct str *ret)
{
	struct apigw_rec_resource_list all;
	int r = apigw_all(c, &apigw_resource_kind, api, &all);

	*ret = STR_NONE;
	for (size_t i = 0; r == 0 && !ret->p && i < all.n; i++)
		for (size_t j = 0; j < all.v[i].resource_methods.n; j++)
			if (uses(&all.v[i].resource_methods.v[j].value, id))
				*ret = str_printf(c->arena, "%.*s %.*s", STR(all.v[i].resource_methods.v[j].key), STR(all.v[i].path));
	return r;
}

static bool uses_model(const struct apigw_rec_method *m, struct str name)
{
	for (size_t i = 0; i < m->request_models.n; i++)
		if (str_eq(m->request_models.v[i].value, name))
			return true;
	for (size_t i = 0; i < m->method_responses.n; i++)
		for (size_t j = 0; j < m->method_responses.v[i].value.response_models.n; j++)
			if (str_eq(m->method_responses.v[i].value.response_models.v[j].value, name))
				return true;
	return false;
}

APIGW_HANDLER(delete_model, delete_model_request, delete_model_response)
{
	struct apigw_rec_model m;
	struct str user;
	int r = apigw_part(c, &apigw_model_kind, in->rest_api_id, in->model_name, &m);

	if (r == 0)
		r = apigw_user_of(c, in->rest_api_id, uses_model, m.name, &user);
	if (r == 0 && user.p)
		return call_fail(c, &apigateway_err_conflict, "Cannot delete model '%.*s', is referenced in method: %.*s", STR(m.name),
				 STR(user));
	return r == 0 ? apigw_del(c, &apigw_model_kind, in->rest_api_id, m.name) : r;
}

/* A mapping template that makes a sample of the schema from the input of the same shape. */
static void sample(struct buf *b, const struct json *s, struct str path, struct arena *a, unsigned depth)
{
	struct str type = json_get_str(s, "type");
	const struct json *p = json_getz(s, "properties");

	if (depth > TEMPLATE_DEPTH_MAX)
		buf_str(b, S("null"));
	else if (json_is(p, JSON_OBJECT)) {
		buf_str(b, S("{"));
		for (size_t i = 0; i < p->n; i++) {
			buf_str(b, i ? S(",\n") : S("\n"));
			buf_printf(b, "%*s", (int)(depth + 1) * 2, "");
			json_write_str(b, p->members[i].key);
			buf_str(b, S(" : "));
			sample(b, &p->members[i].value, str_printf(a, "%.*s.%.*s", STR(path), STR(p->members[i].key)), a, depth + 1);
		}
		buf_printf(b, "\n%*s}", (int)depth * 2, "");
	} else if (str_is(type, "array")) {
		buf_printf(b, "[ #foreach($elem%u in %.*s)\n%*s", depth, STR(path), (int)(depth + 1) * 2, "");
		sample(b, json_getz(s, "items"), str_printf(a, "$elem%u", depth), a, depth + 1);
		buf_str(b, S("#if($foreach.hasNext),#end\n"));
		buf_printf(b, "%*s#end ]", (int)depth * 2, "");
	} else if (str_is(type, "number") || str_is(type, "integer") || str_is(type, "boolean"))
		buf_str(b, path);
	else
		buf_printf(b, "\"%.*s\"", STR(path));
}

APIGW_HANDLER(get_model_template, get_model_template_request, template)
{
	struct apigw_rec_model m;
	struct json *schema;
	struct buf b;
	int r = apigw_part(c, &apigw_model_kind, in->rest_api_id, in->model_name, &m);

	if (r < 0)
		return r;
	if (!m.schema.n || json_parse(c->arena, m.schema, &schema, NULL) < 0)
		return call_fail(c, &apigateway_err_bad_request, "Invalid model schema specified");
	buf_init(&b, 1 << 20);
	buf_str(&b, S("#set($inputRoot = $input.path('$'))\n"));
	sample(&b, schema, S("$inputRoot"), c->arena, 0);
	out->value = str_dup(c->arena, buf_view(&b));
	buf_done(&b);
	return 0;
}

/* --- request validators --- */
APIGW_HANDLER(create_request_validator, create_request_validator_request, request_validator)
{
	struct apigw_rec_validator v = { 0 };
	struct apigw_rec_api api;
	int r = apigw_api(c, in->rest_api_id, &api);

	if (r < 0)
		return r;
	apigw_in(c, in, APIGW_REC_VALIDATOR, &v);
	v.id = apigw_id(c, APIGW_PART_ID_CHARS);
	v.validate_request_body = OPT_BOOL(in->validate_request_body.v);
	v.validate_request_parameters = OPT_BOOL(in->validate_request_parameters.v);
	r = apigw_put(c, &apigw_validator_kind, api.id, v.id, &v);
	if (r == 0)
		apigw_out(c, APIGW_REC_VALIDATOR, &v, out);
	return r;
}

APIGW_HANDLER(get_request_validator, get_request_validator_request, request_validator)
{
	struct apigw_rec_validator v;
	int r = apigw_part(c, &apigw_validator_kind, in->rest_api_id, in->request_validator_id, &v);

	if (r == 0)
		apigw_out(c, APIGW_REC_VALIDATOR, &v, out);
	return r;
}

APIGW_HANDLER(get_request_validators, get_request_validators_request, request_validators)
{
	struct apigw_rec_api api;
	int r = apigw_api(c, in->rest_api_id, &api);

	return r < 0 ? r : apigw_list(c, &apigw_validator_kind, api.id, in->position, in->limit, NULL, NULL, out);
}

static const struct apigw_rule validator_rules[] = {
	{ "/name", APIGW_REPLACE }, { "/validateRequestBody", APIGW_REPLACE }, { "/validateRequestParameters", APIGW_REPLACE }, { NULL }
};

APIGW_HANDLER(update_request_validator, update_request_validator_request, request_validator)
{
	struct apigw_rec_validator v;
	int r = apigw_part(c, &apigw_validator_kind, in->rest_api_id, in->request_validator_id, &v);

	if (r == 0)
		r = apigw_patch(c, APIGW_REC_VALIDATOR, &v, &in->patch_operations, validator_rules);
	if (r == 0)
		r = apigw_put(c, &apigw_validator_kind, in->rest_api_id, v.id, &v);
	if (r == 0)
		apigw_out(c, APIGW_REC_VALIDATOR, &v, out);
	return r;
}

static bool uses_validator(const struct apigw_rec_method *m, struct str id)
{
	return str_eq(m->request_validator_id, id);
}

/* One that is in use stays: methods would go on without any validation, silently. */
APIGW_HANDLER(delete_request_validator, delete_request_validator_request, delete_request_validator_response)
{
	struct apigw_rec_validator v;
	struct str user;
	int r = apigw_part(c, &apigw_validator_kind, in->rest_api_id, in->request_validator_id, &v);

	if (r == 0)
		r = apigw_user_of(c, in->rest_api_id, uses_validator, v.id, &user);
	if (r == 0 && user.p)
		return call_fail(c, &apigateway_err_conflict, "Cannot delete request validator '%.*s', is referenced in method: %.*s",
				 STR(v.name), STR(user));
	return r == 0 ? apigw_del(c, &apigw_validator_kind, in->rest_api_id, v.id) : r;
}
