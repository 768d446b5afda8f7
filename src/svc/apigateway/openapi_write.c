/* SPDX-License-Identifier: Apache-2.0 */
/* openapi_write.c - an API as OpenAPI 3.0 or Swagger 2.0, such that reading it again gives the same API.
 *
 * extensions "integrations" adds x-amazon-apigateway-integration, "authorizers" who may call, "apigateway" both and all the rest. */
#include "svc/apigateway/openapi.h"
#include "svc/apigateway/apigateway_int.h"
#include <errno.h>

struct writer {
	struct arena *a;
	const struct apigw_rec_snapshot *s;
	const struct openapi_export *o;
	bool keys; /* some method wants an API key */
	bool iam;
};

static struct json *obj(struct writer *w)
{
	return json_new(w->a, JSON_OBJECT);
}

static struct str lower(struct writer *w, struct str s)
{
	return str_lower(w->a, s);
}

/* References to models as a document has them. */
static void own_refs(struct writer *w, struct json *j, unsigned depth)
{
	if (depth > 64)
		return;
	for (size_t i = 0; json_is(j, JSON_ARRAY) && i < j->n; i++)
		own_refs(w, &j->items[i], depth + 1);
	for (size_t i = 0; json_is(j, JSON_OBJECT) && i < j->n; i++) {
		struct json *v = &j->members[i].value;
		ptrdiff_t at = str_is(j->members[i].key, "$ref") ? str_find(json_str(v), S("/models/")) : -1;

		if (at >= 0)
			v->s = str_printf(w->a, "%s%.*s", w->o->v3 ? "#/components/schemas/" : "#/definitions/",
					  STR(str_skip(v->s, (size_t)at + strlen("/models/"))));
		else
			own_refs(w, v, depth + 1);
	}
}

static struct json *models(struct writer *w)
{
	struct json *all = obj(w), *one;

	for (size_t i = 0; i < w->s->models.n; i++) {
		if (json_parse(w->a, str_dup(w->a, w->s->models.v[i].schema), &one, NULL) < 0)
			continue;
		own_refs(w, one, 0);
		json_set(w->a, all, w->s->models.v[i].name, one);
	}
	return all;
}

static struct json *model_ref(struct writer *w, struct str name)
{
	struct json *r = obj(w);

	json_set_str(w->a, r, "$ref", str_printf(w->a, "%s%.*s", w->o->v3 ? "#/components/schemas/" : "#/definitions/", STR(name)));
	return r;
}

/* "method.request.querystring.q" to a parameter of the document. */
static void parameters(struct writer *w, const struct apigw_rec_method *m, struct json *op)
{
	struct json *list = json_new(w->a, JSON_ARRAY), *type;

	for (size_t i = 0; i < m->request_parameters.n; i++) {
		struct str key = str_skip(m->request_parameters.v[i].key, strlen("method.request.")), place, name;
		struct json *p = obj(w);

		if (!str_cut(key, '.', &place, &name))
			continue;
		json_set_str(w->a, p, "name", name);
		json_set_str(w->a, p, "in", str_is(place, "querystring") ? S("query") : place);
		json_set_bool(w->a, p, "required", m->request_parameters.v[i].value.v);
		if (w->o->v3) {
			type = obj(w);
			json_set_str(w->a, type, "type", S("string"));
			json_set(w->a, p, S("schema"), type);
		} else
			json_set_str(w->a, p, "type", S("string"));
		json_push(w->a, list, p);
	}
	if (!w->o->v3 && m->request_models.n) {
		struct json *p = obj(w), *consumes = json_new(w->a, JSON_ARRAY);

		json_set_str(w->a, p, "in", S("body"));
		json_set_str(w->a, p, "name", m->request_models.v[0].value);
		json_set_bool(w->a, p, "required", true);
		json_set(w->a, p, S("schema"), model_ref(w, m->request_models.v[0].value));
		json_push(w->a, list, p);
		for (size_t i = 0; i < m->request_models.n; i++)
			json_push(w->a, consumes, json_new_str(w->a, m->request_models.v[i].key));
		json_set(w->a, op, S("consumes"), consumes);
	}
	if (list->n)
		json_set(w->a, op, S("parameters"), list);
}

static struct json *content(struct writer *w, const struct str_map *models)
{
	struct json *c = obj(w);

	for (size_t i = 0; i < models->n; i++) {
		struct json *one = obj(w);

		json_set(w->a, one, S("schema"), model_ref(w, models->v[i].value));
		json_set(w->a, c, models->v[i].key, one);
	}
	return c;
}

static void answers(struct writer *w, const struct apigw_rec_method *m, struct json *op)
{
	struct json *all = obj(w), *produces = json_new(w->a, JSON_ARRAY);

	for (size_t i = 0; i < m->method_responses.n; i++) {
		const struct apigw_rec_method_response *r = &m->method_responses.v[i].value;
		struct json *one = obj(w), *headers = obj(w);

		json_set_str(w->a, one, "description", str_printf(w->a, "%.*s response", STR(r->status_code)));
		for (size_t k = 0; k < r->response_parameters.n; k++) {
			struct json *h = obj(w), *type = obj(w);

			json_set_str(w->a, type, "type", S("string"));
			if (w->o->v3)
				json_set(w->a, h, S("schema"), type);
			else
				h = type;
			if (r->response_parameters.v[k].value.v)
				json_set_bool(w->a, h, "required", true);
			json_set(w->a, headers, str_skip(r->response_parameters.v[k].key, strlen("method.response.header.")), h);
		}
		if (headers->n)
			json_set(w->a, one, S("headers"), headers);
		if (w->o->v3) {
			if (r->response_models.n)
				json_set(w->a, one, S("content"), content(w, &r->response_models));
		} else if (r->response_models.n) {
			json_set(w->a, one, S("schema"), model_ref(w, r->response_models.v[0].value));
			if (!produces->n)
				json_push(w->a, produces, json_new_str(w->a, r->response_models.v[0].key));
		}
		json_set(w->a, all, r->status_code, one);
	}
	if (produces->n)
		json_set(w->a, op, S("produces"), produces);
	json_set(w->a, op, S("responses"), all);
}

static struct json *integration(struct writer *w, const struct apigw_rec_integration *g)
{
	struct json *x = obj(w), *all = obj(w), *tls;

	openapi_fields_write(w->a, APIGW_REC_INTEGRATION, g, x);
	json_set_str(w->a, x, "type", lower(w, g->type));
	json_set_str(w->a, x, "passthroughBehavior", lower(w, g->passthrough_behavior));
	json_remove(x, S("cacheNamespace"));
	if (g->tls_config) {
		tls = obj(w);
		openapi_fields_write(w->a, APIGW_REC_TLS, g->tls_config, tls);
		json_set(w->a, x, S("tlsConfig"), tls);
	}
	for (size_t i = 0; i < g->integration_responses.n; i++) {
		const struct apigw_rec_integration_response *r = &g->integration_responses.v[i].value;
		struct json *one = obj(w);

		openapi_fields_write(w->a, APIGW_REC_INTEGRATION_RESPONSE, r, one);
		json_remove(one, S("selectionPattern"));
		json_set(w->a, all, r->selection_pattern.n ? r->selection_pattern : S("default"), one);
	}
	if (all->n)
		json_set(w->a, x, S("responses"), all);
	return x;
}

static void security(struct writer *w, const struct apigw_rec_method *m, struct json *op)
{
	struct json *list = json_new(w->a, JSON_ARRAY), *one;
	struct str name = STR_NONE;

	if (str_is(m->authorization_type, "AWS_IAM") && (w->o->extensions & OPENAPI_AUTHORIZERS)) {
		name = S("sigv4");
		w->iam = true;
	}
	for (size_t i = 0; m->authorizer_id.n && (w->o->extensions & OPENAPI_AUTHORIZERS) && i < w->s->authorizers.n; i++)
		if (str_eq(w->s->authorizers.v[i].id, m->authorizer_id))
			name = w->s->authorizers.v[i].name;
	if (name.n) {
		one = obj(w);
		json_set(w->a, one, name, json_new(w->a, JSON_ARRAY));
		json_push(w->a, list, one);
	}
	if (m->api_key_required.v) {
		one = obj(w);
		json_set(w->a, one, S("api_key"), json_new(w->a, JSON_ARRAY));
		json_push(w->a, list, one);
		w->keys = true;
	}
	if (list->n)
		json_set(w->a, op, S("security"), list);
}

static struct json *method(struct writer *w, const struct apigw_rec_method *m)
{
	struct json *op = obj(w), *body;

	json_set_str(w->a, op, "operationId", m->operation_name.n ? m->operation_name : STR_NONE);
	parameters(w, m, op);
	if (w->o->v3 && m->request_models.n) {
		body = obj(w);
		json_set(w->a, body, S("content"), content(w, &m->request_models));
		json_set_bool(w->a, body, "required", true);
		json_set(w->a, op, S("requestBody"), body);
	}
	answers(w, m, op);
	security(w, m, op);
	for (size_t i = 0; (w->o->extensions & OPENAPI_GATEWAY) && m->request_validator_id.n && i < w->s->validators.n; i++)
		if (str_eq(w->s->validators.v[i].id, m->request_validator_id))
			json_set_str(w->a, op, "x-amazon-apigateway-request-validator", w->s->validators.v[i].name);
	if (m->method_integration && (w->o->extensions & OPENAPI_INTEGRATIONS))
		json_set(w->a, op, S("x-amazon-apigateway-integration"), integration(w, m->method_integration));
	return op;
}

static struct json *paths(struct writer *w)
{
	struct json *all = obj(w);

	for (size_t i = 0; i < w->s->resources.n; i++) {
		const struct apigw_rec_resource *res = &w->s->resources.v[i];
		struct json *item = obj(w);

		for (size_t k = 0; k < res->resource_methods.n; k++)
			for (const struct openapi_verb *v = openapi_verbs; v->name; v++)
				if (str_is(res->resource_methods.v[k].key, v->verb))
					json_set(w->a, item, str_c(v->name), method(w, &res->resource_methods.v[k].value));
		json_set(w->a, all, res->path, item);
	}
	return all;
}

static struct json *schemes(struct writer *w)
{
	struct json *all = obj(w), *one;

	if (w->keys) {
		one = obj(w);
		json_set_str(w->a, one, "type", S("apiKey"));
		json_set_str(w->a, one, "name", S("x-api-key"));
		json_set_str(w->a, one, "in", S("header"));
		json_set(w->a, all, S("api_key"), one);
	}
	if (w->iam) {
		one = obj(w);
		json_set_str(w->a, one, "type", S("apiKey"));
		json_set_str(w->a, one, "name", S("Authorization"));
		json_set_str(w->a, one, "in", S("header"));
		json_set_str(w->a, one, "x-amazon-apigateway-authtype", S("awsSigv4"));
		json_set(w->a, all, S("sigv4"), one);
	}
	for (size_t i = 0; (w->o->extensions & OPENAPI_AUTHORIZERS) && i < w->s->authorizers.n; i++) {
		const struct apigw_rec_authorizer *a = &w->s->authorizers.v[i];
		static const char header[] = "method.request.header.";
		struct json *x = obj(w);

		one = obj(w);
		json_set_str(w->a, one, "type", S("apiKey"));
		json_set_str(w->a, one, "name",
			     str_is(a->type, "TOKEN") && str_starts(a->identity_source, str_c(header))
				     ? str_skip(a->identity_source, strlen(header))
				     : S("Unused"));
		json_set_str(w->a, one, "in", S("header"));
		json_set_str(w->a, one, "x-amazon-apigateway-authtype", a->auth_type);
		openapi_fields_write(w->a, APIGW_REC_AUTHORIZER, a, x);
		json_remove(x, S("id"));
		json_remove(x, S("name"));
		json_remove(x, S("authType"));
		json_set_str(w->a, x, "type", lower(w, a->type));
		json_set(w->a, one, S("x-amazon-apigateway-authorizer"), x);
		json_set(w->a, all, a->name, one);
	}
	return all;
}

static void gateway(struct writer *w, struct json *root)
{
	const struct apigw_rec_api *api = w->s->api;
	struct json *all = obj(w), *one;

	for (size_t i = 0; i < w->s->validators.n; i++) {
		one = obj(w);
		json_set_bool(w->a, one, "validateRequestParameters", w->s->validators.v[i].validate_request_parameters.v);
		json_set_bool(w->a, one, "validateRequestBody", w->s->validators.v[i].validate_request_body.v);
		json_set(w->a, all, w->s->validators.v[i].name, one);
	}
	if (all->n)
		json_set(w->a, root, S("x-amazon-apigateway-request-validators"), all);
	all = obj(w);
	for (size_t i = 0; i < w->s->responses.n; i++) {
		one = obj(w);
		openapi_fields_write(w->a, APIGW_REC_GATEWAY_RESPONSE, &w->s->responses.v[i], one);
		json_remove(one, S("responseType"));
		json_set(w->a, all, w->s->responses.v[i].response_type, one);
	}
	if (all->n)
		json_set(w->a, root, S("x-amazon-apigateway-gateway-responses"), all);
	if (api->policy.n && json_parse(w->a, str_dup(w->a, api->policy), &one, NULL) == 0)
		json_set(w->a, root, S("x-amazon-apigateway-policy"), one);
	if (api->binary_media_types.n) {
		all = json_new(w->a, JSON_ARRAY);
		for (size_t i = 0; i < api->binary_media_types.n; i++)
			json_push(w->a, all, json_new_str(w->a, api->binary_media_types.v[i]));
		json_set(w->a, root, S("x-amazon-apigateway-binary-media-types"), all);
	}
	if (api->minimum_compression_size.has)
		json_set_int(w->a, root, "x-amazon-apigateway-minimum-compression-size", api->minimum_compression_size.v);
	if (str_is(api->api_key_source, "AUTHORIZER"))
		json_set_str(w->a, root, "x-amazon-apigateway-api-key-source", api->api_key_source);
}

static void documentation(struct writer *w, struct json *root)
{
	const struct apigw_rec_doc_version *v = w->o->docs;
	struct json *d = obj(w), *parts = json_new(w->a, JSON_ARRAY);

	for (size_t i = 0; i < v->parts.n; i++) {
		struct json *p = obj(w), *loc = obj(w), *props;

		openapi_fields_write(w->a, APIGW_REC_DOC_LOCATION, v->parts.v[i].location, loc);
		json_set(w->a, p, S("location"), loc);
		if (json_parse(w->a, str_dup(w->a, v->parts.v[i].properties), &props, NULL) == 0)
			json_set(w->a, p, S("properties"), props);
		json_push(w->a, parts, p);
	}
	json_set_str(w->a, d, "version", v->version);
	json_set(w->a, d, S("documentationParts"), parts);
	json_set(w->a, root, S("x-amazon-apigateway-documentation"), d);
}

static void where(struct writer *w, struct json *root)
{
	struct json *list = json_new(w->a, JSON_ARRAY), *x = obj(w);

	if (!w->o->v3) {
		json_set_str(w->a, root, "host", w->o->host);
		json_set_str(w->a, root, "basePath", str_printf(w->a, "/%.*s", STR(w->o->stage)));
		json_push(w->a, list, json_new_str(w->a, S("https")));
		json_set(w->a, root, S("schemes"), list);
	} else {
		struct json *server = obj(w), *vars = obj(w), *base = obj(w);

		json_set_str(w->a, server, "url", str_printf(w->a, "https://%.*s/{basePath}", STR(w->o->host)));
		json_set_str(w->a, base, "default", w->o->stage);
		json_set(w->a, vars, S("basePath"), base);
		json_set(w->a, server, S("variables"), vars);
		json_push(w->a, list, server);
		json_set(w->a, root, S("servers"), list);
	}
	if (!(w->o->extensions & OPENAPI_GATEWAY) || !w->s->api->endpoint_configuration)
		return;
	openapi_fields_write(w->a, APIGW_REC_ENDPOINTS, w->s->api->endpoint_configuration, x);
	json_remove(x, S("ipAddressType"));
	if (w->s->api->disable_execute_api_endpoint.v)
		json_set_bool(w->a, x, "disableExecuteApiEndpoint", true);
	json_set(w->a, root, S("x-amazon-apigateway-endpoint-configuration"), x);
}

struct json *openapi_write(struct arena *a, const struct apigw_rec_snapshot *s, const struct openapi_export *o)
{
	struct writer w = { .a = a, .s = s, .o = o };
	struct json *root = obj(&w), *info = obj(&w), *p, *sec, *comp;

	json_set_str(a, root, o->v3 ? "openapi" : "swagger", o->v3 ? S("3.0.1") : S("2.0"));
	json_set_str(a, info, "title", s->api->name);
	json_set_str(a, info, "description", s->api->description.n ? s->api->description : STR_NONE);
	json_set_str(a, info, "version", s->api->version.n ? s->api->version : time_iso(a, s->api->created_date.ms));
	json_set(a, root, S("info"), info);
	where(&w, root);
	p = paths(&w); /* finds out which schemes are used */
	sec = schemes(&w);
	json_set(a, root, S("paths"), p);
	if (o->v3) {
		comp = obj(&w);
		json_set(a, comp, S("schemas"), models(&w));
		if (sec->n)
			json_set(a, comp, S("securitySchemes"), sec);
		json_set(a, root, S("components"), comp);
	} else {
		if (sec->n)
			json_set(a, root, S("securityDefinitions"), sec);
		json_set(a, root, S("definitions"), models(&w));
	}
	if (o->extensions & OPENAPI_GATEWAY)
		gateway(&w, root);
	if (o->docs && (o->extensions & OPENAPI_DOCUMENTATION))
		documentation(&w, root);
	return root;
}

/* --- YAML: block style, strings always in double quotes as JSON writes them --- */
static void yaml_value(struct buf *b, const struct json *j, unsigned indent, bool in_list)
{
	if (j->type < JSON_ARRAY || j->n == 0) {
		buf_c(b, ' ');
		json_write(b, j);
		buf_c(b, '\n');
		return;
	}
	if (!in_list)
		buf_c(b, '\n');
	for (size_t i = 0; i < j->n; i++) {
		if (in_list && i == 0 && j->type == JSON_OBJECT)
			buf_c(b, ' ');
		else if (in_list && i == 0)
			buf_printf(b, "\n%*s", (int)indent, "");
		else
			buf_printf(b, "%*s", (int)indent, "");
		if (j->type == JSON_ARRAY) {
			buf_c(b, '-');
			yaml_value(b, &j->items[i], indent + 2, true);
		} else {
			json_write_str(b, j->members[i].key);
			buf_c(b, ':');
			yaml_value(b, &j->members[i].value, indent + 2, false);
		}
	}
}

void openapi_yaml(struct buf *b, const struct json *j)
{
	buf_str(b, S("---"));
	yaml_value(b, j, 0, false);
}
