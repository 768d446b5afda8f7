/* SPDX-License-Identifier: Apache-2.0 */
/* openapi_read.c - from an OpenAPI or Swagger text to the records of an API.
 *
 * Source: "Working with API Gateway extensions to OpenAPI" (Developer Guide). What stands in the text under a path and verb replaces
 * that method; models, authorizers, validators and gateway responses of the same name are replaced; the rest stays. What this
 * gateway has no use for gives a warning. */
#include "svc/apigateway/openapi.h"
#include "cfn/template.h"
#include "svc/apigateway/apigateway_int.h"
#include <errno.h>

#define REFS_MAX 16
#define SCHEMA_DEPTH 64
#define MEMBERS_MAX 1000 /* of any object or array: what is built from them takes quadratic time */
#define MODELS_MAX 1000

struct reader {
	struct arena *a;
	const struct json *root;
	bool v3;
	struct openapi_import *out;
	struct str err, base;
	struct str default_validator;
	size_t warnings_cap;
};

static int bad(struct reader *r, const char *fmt, ...) _printf_(2, 3);
static int bad(struct reader *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	r->err = str_vprintf(r->a, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static void warn(struct reader *r, const char *fmt, ...) _printf_(2, 3);
static void warn(struct reader *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vec_push(r->a, r->out->warnings.v, r->out->warnings.n, r->warnings_cap) = str_vprintf(r->a, fmt, ap);
	va_end(ap);
}

/* A new, zeroed element at the end; moves the others. */
static void *add(struct arena *a, void *list, size_t size)
{
	struct {
		char *v;
		size_t n;
	} *l = list;
	char *v = arena_zalloc(a, arena_mul(l->n + 1, size));

	if (l->n)
		memcpy(v, l->v, l->n * size);
	l->v = v;
	return v + l->n++ * size;
}

static struct str new_id(struct reader *r)
{
	return random_from(r->a, S(APIGW_ID_CHARS), APIGW_PART_ID_CHARS);
}

static bool narrow(const struct json *j, unsigned depth)
{
	bool ok = depth <= JSON_DEPTH_MAX && (j->type < JSON_ARRAY || j->n <= MEMBERS_MAX);

	for (size_t i = 0; ok && j->type >= JSON_ARRAY && i < j->n; i++)
		ok = narrow(j->type == JSON_ARRAY ? &j->items[i] : &j->members[i].value, depth + 1);
	return ok;
}

/* What "#/a/b" refers to; j itself when it refers to nothing. */
static const struct json *resolve(struct reader *r, const struct json *j)
{
	for (int i = 0; i < REFS_MAX && json_is(json_getz(j, "$ref"), JSON_STRING); i++) {
		struct str ref = json_get_str(j, "$ref"), seg;
		const struct json *at = r->root;

		if (!str_starts(ref, S("#/")))
			return NULL;
		ref = str_skip(ref, 2);
		while (at && str_next(&ref, '/', &seg))
			at = json_get(at, apigw_unescape(r->a, seg));
		j = at;
	}
	return j;
}

/* --- models --- */
static struct str model_of_ref(struct str ref)
{
	static const char *const places[] = { "#/definitions/", "#/components/schemas/" };

	for (size_t i = 0; i < ELEMENTS(places); i++)
		if (str_starts(ref, str_c(places[i])))
			return str_skip(ref, strlen(places[i]));
	return STR_NONE;
}

/* References to other models as a model has them. */
static void own_refs(struct reader *r, struct json *j, unsigned depth)
{
	if (depth > SCHEMA_DEPTH)
		return;
	for (size_t i = 0; json_is(j, JSON_ARRAY) && i < j->n; i++)
		own_refs(r, &j->items[i], depth + 1);
	for (size_t i = 0; json_is(j, JSON_OBJECT) && i < j->n; i++) {
		struct json *v = &j->members[i].value;
		struct str name = str_is(j->members[i].key, "$ref") ? model_of_ref(json_str(v)) : STR_NONE;

		if (name.p)
			v->s = str_printf(r->a, "https://apigateway.amazonaws.com/restapis/%.*s/models/%.*s", STR(r->out->s.api->id),
					  STR(name));
		else
			own_refs(r, v, depth + 1);
	}
}

static struct apigw_rec_model *put_model(struct reader *r, struct str name, const struct json *schema)
{
	struct apigw_rec_model *m = NULL;
	struct json *copy = json_copy(r->a, schema);

	for (size_t i = 0; i < r->out->s.models.n; i++)
		if (str_eq(r->out->s.models.v[i].name, name))
			m = &r->out->s.models.v[i];
	if (!m && r->out->s.models.n >= MODELS_MAX) {
		(void)bad(r, "Maximum number of models for this API has been reached: %d", MODELS_MAX);
		return &r->out->s.models.v[0];
	}
	if (!m) {
		m = add(r->a, &r->out->s.models, sizeof *m);
		m->id = new_id(r);
	}
	own_refs(r, copy, 0);
	m->name = name;
	m->content_type = S("application/json");
	if (json_get_str(schema, "description").p)
		m->description = json_get_str(schema, "description");
	m->schema = json_text(r->a, copy);
	return m;
}

/* The model that a schema is, or that is made for it. */
static struct str model_for(struct reader *r, const struct json *schema)
{
	struct str name = model_of_ref(json_get_str(schema, "$ref"));

	if (name.p)
		return name;
	return put_model(r, str_printf(r->a, "MODEL%.*s", STR(random_hex(r->a, 6))), schema)->name;
}

static void read_models(struct reader *r)
{
	const struct json *defs = r->v3 ? json_getz(json_getz(r->root, "components"), "schemas") : json_getz(r->root, "definitions");

	for (size_t i = 0; json_is(defs, JSON_OBJECT) && i < defs->n; i++)
		(void)put_model(r, defs->members[i].key, &defs->members[i].value);
}

/* --- authorizers, validators, gateway responses --- */
static const struct json *schemes(struct reader *r)
{
	return r->v3 ? json_getz(json_getz(r->root, "components"), "securitySchemes") : json_getz(r->root, "securityDefinitions");
}

static int read_authorizers(struct reader *r)
{
	const struct json *all = schemes(r);

	for (size_t i = 0; json_is(all, JSON_OBJECT) && i < all->n; i++) {
		const struct json *s = &all->members[i].value, *x = json_getz(s, "x-amazon-apigateway-authorizer");
		struct apigw_rec_authorizer *a = NULL;
		struct str type = json_get_str(x, "type");

		if (!x)
			continue;
		for (size_t k = 0; k < r->out->s.authorizers.n; k++)
			if (str_eq(r->out->s.authorizers.v[k].name, all->members[i].key))
				a = &r->out->s.authorizers.v[k];
		if (!a) {
			a = add(r->a, &r->out->s.authorizers, sizeof *a);
			a->id = new_id(r);
		}
		openapi_fields_read(r->a, x, APIGW_REC_AUTHORIZER, a);
		a->name = all->members[i].key;
		a->type = str_is(type, "token") ? S("TOKEN") : str_is(type, "request") ? S("REQUEST") : type;
		a->auth_type = json_get_str(s, "x-amazon-apigateway-authtype");
		if (str_is(a->type, "TOKEN") && !json_getz(x, "identitySource") && json_get_str(s, "name").n)
			a->identity_source = str_printf(r->a, "method.request.header.%.*s", STR(json_get_str(s, "name")));
	}
	return 0;
}

static void read_validators(struct reader *r)
{
	const struct json *all = json_getz(r->root, "x-amazon-apigateway-request-validators");

	for (size_t i = 0; json_is(all, JSON_OBJECT) && i < all->n; i++) {
		struct apigw_rec_validator *v = NULL;

		for (size_t k = 0; k < r->out->s.validators.n; k++)
			if (str_eq(r->out->s.validators.v[k].name, all->members[i].key))
				v = &r->out->s.validators.v[k];
		if (!v) {
			v = add(r->a, &r->out->s.validators, sizeof *v);
			v->id = new_id(r);
		}
		v->name = all->members[i].key;
		v->validate_request_body = OPT_BOOL(json_to_bool(json_getz(&all->members[i].value, "validateRequestBody"), false));
		v->validate_request_parameters = OPT_BOOL(
			json_to_bool(json_getz(&all->members[i].value, "validateRequestParameters"), false));
	}
	r->default_validator = json_get_str(r->root, "x-amazon-apigateway-request-validator");
}

static void read_responses(struct reader *r)
{
	const struct json *all = json_getz(r->root, "x-amazon-apigateway-gateway-responses");

	for (size_t i = 0; json_is(all, JSON_OBJECT) && i < all->n; i++) {
		struct apigw_rec_gateway_response *g = NULL;

		for (size_t k = 0; k < r->out->s.responses.n; k++)
			if (str_eq(r->out->s.responses.v[k].response_type, all->members[i].key))
				g = &r->out->s.responses.v[k];
		if (!g)
			g = add(r->a, &r->out->s.responses, sizeof *g);
		*g = (struct apigw_rec_gateway_response){ 0 };
		openapi_fields_read(r->a, &all->members[i].value, APIGW_REC_GATEWAY_RESPONSE, g);
		g->response_type = all->members[i].key;
	}
}

/* --- paths --- */
static int find_resource(struct reader *r, struct str path, struct str parent, struct str part, size_t *ret)
{
	struct apigw_rec_resource_list *l = &r->out->s.resources;
	struct apigw_rec_resource *n;

	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->v[i].path, path)) {
			*ret = i;
			return 0;
		}
	if (l->n >= OPENAPI_RESOURCES_MAX)
		return bad(r, "Maximum number of resources for this API has been reached: %d", OPENAPI_RESOURCES_MAX);
	if (!apigw_path_part_valid(part))
		return bad(r,
			   "Unable to create resource at path '%.*s': Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path "
			   "variable and curly braces at the beginning and the end.",
			   STR(path));
	for (size_t i = 0; part.p[0] == '{' && i < l->n; i++)
		if (str_eq(l->v[i].parent_id, parent) && l->v[i].path_part.n && l->v[i].path_part.p[0] == '{')
			return bad(
				r,
				"Unable to create resource at path '%.*s': A sibling (%.*s) of this resource already has a variable path "
				"part -- only one is allowed",
				STR(path), STR(l->v[i].path_part));
	n = add(r->a, l, sizeof *n);
	*n = (struct apigw_rec_resource){ .id = new_id(r), .parent_id = parent, .path_part = part, .path = path };
	*ret = l->n - 1;
	return 0;
}

static int make_path(struct reader *r, struct str whole, size_t *ret)
{
	struct str rest = whole, part, path = S("/");
	int e = find_resource(r, path, STR_NONE, S("root"), ret); /* there always is one */

	while (e == 0 && str_next(&rest, '/', &part)) {
		struct str parent = r->out->s.resources.v[*ret].id;

		if (!part.n)
			continue;
		if (str_ends(path, S("+}")))
			return bad(
				r,
				"Unable to create resource at path '%.*s': Cannot create a child of a resource with a greedy path variable",
				STR(whole));
		path = apigw_path_join(r->a, path, part);
		e = find_resource(r, path, parent, part, ret);
	}
	return e;
}

static struct str first_type(const struct json *list, const struct json *fallback)
{
	const struct json *l = json_is(list, JSON_ARRAY) && list->n ? list : fallback;

	return json_is(l, JSON_ARRAY) && l->n && json_str(&l->items[0]).n ? json_str(&l->items[0]) : S("application/json");
}

static void read_body(struct reader *r, const struct json *op, const struct json *param, struct apigw_rec_method *m)
{
	const struct json *body = resolve(r, json_getz(op, "requestBody")), *content = json_getz(body, "content");
	struct str *slot;

	for (size_t i = 0; json_is(content, JSON_OBJECT) && i < content->n; i++)
		if (json_getz(&content->members[i].value, "schema")) {
			struct str model = model_for(r, json_getz(&content->members[i].value, "schema"));

			slot = apigw_map_value(r->a, &m->request_models, sizeof *slot, content->members[i].key, true);
			*slot = model;
		}
	if (json_getz(param, "schema")) {
		struct str model = model_for(r, json_getz(param, "schema"));

		slot = apigw_map_value(r->a, &m->request_models, sizeof *slot,
				       first_type(json_getz(op, "consumes"), json_getz(r->root, "consumes")), true);
		*slot = model;
	}
}

static void read_parameters(struct reader *r, const struct json *op, const struct json *list, struct apigw_rec_method *m)
{
	for (size_t i = 0; json_is(list, JSON_ARRAY) && i < list->n; i++) {
		const struct json *p = resolve(r, &list->items[i]);
		struct str in = json_get_str(p, "in"), name = json_get_str(p, "name");
		const char *place = str_is(in, "query")    ? "querystring"
				    : str_is(in, "header") ? "header"
				    : str_is(in, "path")   ? "path"
							   : NULL;

		if (str_is(in, "body"))
			read_body(r, op, p, m);
		else if (place && name.n)
			*(struct opt_bool *)apigw_map_value(r->a, &m->request_parameters, sizeof(struct opt_bool),
							    str_printf(r->a, "method.request.%s.%.*s", place, STR(name)),
							    true) = OPT_BOOL(json_to_bool(json_getz(p, "required"), false));
		else
			warn(r, "Parameter '%.*s' in '%.*s' is ignored", STR(name), STR(in));
	}
}

static void read_answers(struct reader *r, const struct json *op, struct apigw_rec_method *m)
{
	const struct json *all = json_getz(op, "responses");

	for (size_t i = 0; json_is(all, JSON_OBJECT) && i < all->n; i++) {
		const struct json *x = resolve(r, &all->members[i].value), *h = json_getz(x, "headers"), *c = json_getz(x, "content");
		struct str status = all->members[i].key;
		struct apigw_rec_method_response *a;

		if (status.n != 3 || status.p[0] < '1' || status.p[0] > '5' || status.p[1] > '9' || status.p[2] > '9' ||
		    status.p[1] < '0' || status.p[2] < '0') {
			warn(r, "Response '%.*s' is ignored: it is no status code", STR(status));
			continue;
		}
		a = apigw_map_value(r->a, &m->method_responses, sizeof *a, status, true);
		*a = (struct apigw_rec_method_response){ .status_code = status };
		for (size_t k = 0; json_is(h, JSON_OBJECT) && k < h->n; k++)
			*(struct opt_bool *)apigw_map_value(r->a, &a->response_parameters, sizeof(struct opt_bool),
							    str_printf(r->a, "method.response.header.%.*s", STR(h->members[k].key)), true) =
				OPT_BOOL(json_to_bool(json_getz(&h->members[k].value, "required"), false));
		if (json_getz(x, "schema"))
			*(struct str *)apigw_map_value(r->a, &a->response_models, sizeof(struct str),
						       first_type(json_getz(op, "produces"), json_getz(r->root, "produces")),
						       true) = model_for(r, json_getz(x, "schema"));
		for (size_t k = 0; json_is(c, JSON_OBJECT) && k < c->n; k++)
			if (json_getz(&c->members[k].value, "schema"))
				*(struct str *)apigw_map_value(r->a, &a->response_models, sizeof(struct str), c->members[k].key,
							       true) = model_for(r, json_getz(&c->members[k].value, "schema"));
	}
}

static void read_security(struct reader *r, const struct json *op, struct apigw_rec_method *m)
{
	const struct json *list = json_getz(op, "security"), *all = schemes(r);

	m->authorization_type = S("NONE");
	m->api_key_required = OPT_BOOL(false);
	if (str_eq_ci(json_get_str(json_getz(op, "x-amazon-apigateway-auth"), "type"), S("AWS_IAM")))
		m->authorization_type = S("AWS_IAM");
	if (!list)
		list = json_getz(r->root, "security");
	for (size_t i = 0; json_is(list, JSON_ARRAY) && i < list->n; i++)
		for (size_t k = 0; json_is(&list->items[i], JSON_OBJECT) && k < list->items[i].n; k++) {
			struct str name = list->items[i].members[k].key;
			const struct json *s = json_get(all, name);

			if (str_is(json_get_str(s, "x-amazon-apigateway-authtype"), "awsSigv4"))
				m->authorization_type = S("AWS_IAM");
			else if (json_getz(s, "x-amazon-apigateway-authorizer")) {
				m->authorization_type = S("CUSTOM");
				for (size_t n = 0; n < r->out->s.authorizers.n; n++)
					if (str_eq(r->out->s.authorizers.v[n].name, name))
						m->authorizer_id = r->out->s.authorizers.v[n].id;
			} else if (str_is(json_get_str(s, "type"), "apiKey"))
				m->api_key_required = OPT_BOOL(true);
			else
				warn(r, "Security definition '%.*s' is ignored: it has no authorizer", STR(name));
		}
}

static struct apigw_rec_integration *read_integration(struct reader *r, const struct json *x)
{
	struct apigw_rec_integration *g = arena_new(r->a, struct apigw_rec_integration);
	const struct json *all = json_getz(x, "responses");
	struct str type = json_get_str(x, "type");
	char up[16];

	openapi_fields_read(r->a, x, APIGW_REC_INTEGRATION, g);
	for (size_t i = 0; i < type.n && i < sizeof up; i++) /* "aws_proxy" */
		up[i] = (char)(type.p[i] >= 'a' && type.p[i] <= 'z' ? type.p[i] - 32 : type.p[i]);
	if (type.n <= sizeof up)
		g->type = str_dup(r->a, str_of(up, type.n));
	if (g->passthrough_behavior.n) {
		struct buf b;

		buf_init(&b, 64);
		for (size_t i = 0; i < g->passthrough_behavior.n; i++) {
			char ch = g->passthrough_behavior.p[i];

			buf_c(&b, (char)(ch >= 'a' && ch <= 'z' ? ch - 32 : ch));
		}
		g->passthrough_behavior = str_dup(r->a, buf_view(&b));
		buf_done(&b);
	}
	if (json_is(json_getz(x, "tlsConfig"), JSON_OBJECT)) {
		g->tls_config = arena_new(r->a, struct apigw_rec_tls);
		openapi_fields_read(r->a, json_getz(x, "tlsConfig"), APIGW_REC_TLS, g->tls_config);
	}
	for (size_t i = 0; json_is(all, JSON_OBJECT) && i < all->n; i++) {
		struct str status = json_get_str(&all->members[i].value, "statusCode");
		struct apigw_rec_integration_response *a;

		if (!status.n)
			continue;
		a = apigw_map_value(r->a, &g->integration_responses, sizeof *a, status, true);
		*a = (struct apigw_rec_integration_response){ 0 };
		openapi_fields_read(r->a, &all->members[i].value, APIGW_REC_INTEGRATION_RESPONSE, a);
		if (!str_is(all->members[i].key, "default"))
			a->selection_pattern = all->members[i].key;
	}
	return g;
}

static int read_method(struct reader *r, struct str path, size_t resource, const struct json *item, const struct json *op, const char *verb)
{
	const struct json *x = json_getz(op, "x-amazon-apigateway-integration");
	struct str validator = json_get_str(op, "x-amazon-apigateway-request-validator");
	struct apigw_rec_method m = { .http_method = str_c(verb), .operation_name = json_get_str(op, "operationId") };

	if (!json_is(op, JSON_OBJECT))
		return bad(r, "Unable to parse the method '%s' at path '%.*s'", verb, STR(path));
	read_security(r, op, &m);
	read_parameters(r, op, json_getz(item, "parameters"), &m);
	read_parameters(r, op, json_getz(op, "parameters"), &m);
	read_body(r, op, NULL, &m);
	read_answers(r, op, &m);
	if (!validator.n)
		validator = r->default_validator;
	for (size_t i = 0; validator.n && i < r->out->s.validators.n; i++)
		if (str_eq(r->out->s.validators.v[i].name, validator))
			m.request_validator_id = r->out->s.validators.v[i].id;
	if (validator.n && !m.request_validator_id.n)
		return bad(r, "Invalid request validator '%.*s' specified for method '%s' at path '%.*s'", STR(validator), verb, STR(path));
	if (json_is(x, JSON_OBJECT))
		m.method_integration = read_integration(r, x);
	*(struct apigw_rec_method *)apigw_map_value(r->a, &r->out->s.resources.v[resource].resource_methods, sizeof m, m.http_method,
						    true) = m;
	return 0;
}

static int read_paths(struct reader *r)
{
	const struct json *paths = json_getz(r->root, "paths");
	int e = 0;

	if (!json_is(paths, JSON_OBJECT))
		return bad(r, "Invalid OpenAPI input: no paths.");
	for (size_t i = 0; e == 0 && i < paths->n; i++) {
		const struct json *item = resolve(r, &paths->members[i].value);
		struct str path = paths->members[i].key;
		size_t res;

		if (str_starts(path, S("x-")))
			continue;
		if (!path.n || path.p[0] != '/' || !json_is(item, JSON_OBJECT))
			return bad(r, "Invalid OpenAPI input: path '%.*s'.", STR(path));
		e = make_path(r, str_printf(r->a, "%.*s%.*s", STR(r->base), STR(path)), &res);
		for (const struct openapi_verb *v = openapi_verbs; e == 0 && v->name; v++)
			if (json_getz(item, v->name))
				e = read_method(r, path, res, item, json_getz(item, v->name), v->verb);
	}
	return e;
}

/* --- the API itself --- */
static void read_base(struct reader *r, enum openapi_base how)
{
	struct str base = json_get_str(r->root, "basePath"), url, rest, first;
	const struct json *server = json_getz(r->root, "servers");
	ptrdiff_t at;

	if (r->v3 && json_is(server, JSON_ARRAY) && server->n) {
		base = json_get_str(json_getz(json_getz(&server->items[0], "variables"), "basePath"), "default");
		url = json_get_str(&server->items[0], "url");
		at = str_find(url, S("://"));
		rest = at >= 0 ? str_skip(url, (size_t)at + 3) : url;
		at = str_find_char(rest, '/');
		if (!base.p && at >= 0)
			base = str_skip(rest, (size_t)at);
	}
	if (how == OPENAPI_BASE_IGNORE || !base.n || str_is(base, "/"))
		return;
	if (base.p[0] != '/')
		base = str_printf(r->a, "/%.*s", STR(base));
	if (how == OPENAPI_BASE_SPLIT) { /* the first segment is for the base path of a domain name */
		(void)str_cut(str_skip(base, 1), '/', &first, &rest);
		base = rest.p ? str_printf(r->a, "/%.*s", STR(rest)) : STR_NONE;
	}
	r->base = base;
}

static int read_api(struct reader *r)
{
	const struct json *info = json_getz(r->root, "info"), *pol = json_getz(r->root, "x-amazon-apigateway-policy"),
			  *ends = json_getz(r->root, "x-amazon-apigateway-endpoint-configuration"),
			  *types = json_getz(r->root, "x-amazon-apigateway-binary-media-types"),
			  *size = json_getz(r->root, "x-amazon-apigateway-minimum-compression-size");
	struct apigw_rec_api *api = r->out->s.api;

	if (json_get_str(info, "title").n)
		api->name = json_get_str(info, "title");
	if (!api->name.n)
		return bad(r, "Invalid OpenAPI input: no title.");
	if (json_get_str(info, "description").p)
		api->description = json_get_str(info, "description");
	if (json_get_str(info, "version").p)
		api->version = json_get_str(info, "version");
	if (json_get_str(r->root, "x-amazon-apigateway-api-key-source").n)
		api->api_key_source = json_get_str(r->root, "x-amazon-apigateway-api-key-source");
	if (pol) {
		api->policy = json_is(pol, JSON_STRING) ? json_str(pol) : json_text(r->a, pol);
		r->out->has_policy = true;
	}
	if (json_is(types, JSON_ARRAY)) {
		api->binary_media_types = (struct str_list){ arena_array(r->a, struct str, types->n + 1), 0 };
		for (size_t i = 0; i < types->n; i++)
			if (json_str(&types->items[i]).n)
				api->binary_media_types.v[api->binary_media_types.n++] = json_str(&types->items[i]);
	}
	if (size && json_to_i64(size, &api->minimum_compression_size.v) == 0)
		api->minimum_compression_size.has = true;
	if (!ends && r->v3 && json_is(json_getz(r->root, "servers"), JSON_ARRAY) && json_getz(r->root, "servers")->n)
		ends = json_getz(&json_getz(r->root, "servers")->items[0], "x-amazon-apigateway-endpoint-configuration");
	if (json_is(ends, JSON_OBJECT)) {
		struct apigw_rec_endpoints *e = arena_new(r->a, struct apigw_rec_endpoints);

		if (api->endpoint_configuration)
			*e = *api->endpoint_configuration;
		openapi_fields_read(r->a, ends, APIGW_REC_ENDPOINTS, e);
		api->endpoint_configuration = e;
		if (json_getz(ends, "disableExecuteApiEndpoint"))
			api->disable_execute_api_endpoint = OPT_BOOL(json_to_bool(json_getz(ends, "disableExecuteApiEndpoint"), false));
	}
	return 0;
}

static void read_docs(struct reader *r)
{
	const struct json *parts = json_getz(json_getz(r->root, "x-amazon-apigateway-documentation"), "documentationParts");

	for (size_t i = 0; json_is(parts, JSON_ARRAY) && i < parts->n; i++) {
		const struct json *props = json_getz(&parts->items[i], "properties");
		struct apigw_rec_doc_part *p;

		if (!json_is(json_getz(&parts->items[i], "location"), JSON_OBJECT) || !json_is(props, JSON_OBJECT))
			continue;
		p = add(r->a, &r->out->docs, sizeof *p);
		p->id = new_id(r);
		p->location = arena_new(r->a, struct apigw_rec_doc_location);
		openapi_fields_read(r->a, json_getz(&parts->items[i], "location"), APIGW_REC_DOC_LOCATION, p->location);
		p->properties = json_text(r->a, props);
	}
}

/* What is changed must not be the caller's. */
static void own_copy(struct arena *a, struct apigw_rec_snapshot *s, const struct apigw_rec_api *api)
{
	s->api = arena_new(a, struct apigw_rec_api);
	*s->api = *api;
	s->resources.v = arena_dup(a, s->resources.v, s->resources.n * sizeof *s->resources.v);
	s->models.v = arena_dup(a, s->models.v, s->models.n * sizeof *s->models.v);
	s->validators.v = arena_dup(a, s->validators.v, s->validators.n * sizeof *s->validators.v);
	s->authorizers.v = arena_dup(a, s->authorizers.v, s->authorizers.n * sizeof *s->authorizers.v);
	s->responses.v = arena_dup(a, s->responses.v, s->responses.n * sizeof *s->responses.v);
	for (size_t i = 0; i < s->resources.n; i++) {
		struct apigw_rec_method_map *m = &s->resources.v[i].resource_methods;

		m->v = arena_dup(a, m->v, m->n * sizeof *m->v);
	}
}

int openapi_read(struct arena *a, struct str text, const struct apigw_rec_snapshot *base, enum openapi_base how, struct openapi_import *ret,
		 struct str *ret_err)
{
	struct reader r = { .a = a, .out = ret, .base = STR_NONE };
	struct str t = str_trim(text);
	struct json *root = NULL;
	bool yaml;
	int e;

	*ret = (struct openapi_import){ .s = *base };
	own_copy(a, &ret->s, base->api);
	if (text.n > OPENAPI_BYTES_MAX)
		e = bad(&r, "The OpenAPI input is larger than %u bytes.", OPENAPI_BYTES_MAX);
	else if (t.n && t.p[0] == '{')
		e = json_parse(a, t, &root, NULL) < 0
			    ? bad(&r, "Unable to parse API definition because of a malformed integration or JSON text.")
			    : 0;
	else
		e = template_read(a, text, &root, &yaml, &r.err);
	if (e == 0 && !narrow(root, 0))
		e = bad(&r, "Invalid OpenAPI input: an object or list has more than %d members.", MEMBERS_MAX);
	if (e == 0) {
		r.root = root;
		r.v3 = str_starts(json_get_str(root, "openapi"), S("3.0"));
		if (!r.v3 && !str_is(json_get_str(root, "swagger"), "2.0"))
			e = bad(&r, "Invalid specification version specified: must be Swagger 2.0 or OpenAPI 3.0");
	}
	if (e == 0)
		e = read_api(&r);
	if (e == 0) {
		read_base(&r, how);
		read_models(&r);
		read_validators(&r);
		read_responses(&r);
		e = read_authorizers(&r);
	}
	if (e == 0)
		e = read_paths(&r);
	if (e == 0)
		read_docs(&r);
	if (r.err.p)
		e = -EINVAL;
	*ret_err = r.err;
	return e;
}
