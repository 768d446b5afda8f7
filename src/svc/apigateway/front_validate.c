/* SPDX-License-Identifier: Apache-2.0 */
/* front_validate.c - request validators: required parameters, and the body by the method's model. */
#include "svc/apigateway/front.h"
#include "svc/apigateway/schema.h"
#include <errno.h>

static bool has_parameter(struct visit *v, struct str name)
{
	if (str_starts(name, S("method.request.querystring.")))
		return visit_query(v, str_skip(name, 27)).n > 0;
	if (str_starts(name, S("method.request.header.")))
		return visit_header(v, str_skip(name, 22)).n > 0;
	if (str_starts(name, S("method.request.path.")))
		return str_map_get(&v->path_params, str_skip(name, 20)).n > 0;
	return true;
}

static int check_parameters(struct visit *v)
{
	const struct apigw_bool_map *m = &v->m->m->request_parameters;
	struct str *missing = arena_array(v->a, struct str, m->n);
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++) {
		ptrdiff_t dot = str_rfind_char(m->v[i].key, '.');

		if (m->v[i].value.v && !has_parameter(v, m->v[i].key))
			missing[n++] = str_skip(m->v[i].key, (size_t)(dot + 1));
	}
	if (!n)
		return 0;
	struct str why = str_printf(v->a, "Missing required request parameters: [%.*s]", STR(str_join(v->a, missing, n, S(", "))));
	visit_log(v, EXEC_ERROR, "%.*s", STR(why));
	return visit_refuse(v, GW_BAD_REQUEST_PARAMETERS, why);
}

static const struct json *find_model(void *arg, struct str name)
{
	const struct visit *v = arg;

	for (size_t i = 0; i < v->served->snap.models.n; i++)
		if (str_eq(v->served->models[i].name, name))
			return v->served->models[i].schema;
	return NULL;
}

static struct str model_name(struct visit *v)
{
	const struct str_map *m = &v->m->m->request_models;
	struct str type = media_type(visit_header(v, S("content-type"))), any = STR_NONE;

	if (!type.n)
		type = S("application/json");
	for (size_t i = 0; i < m->n; i++) {
		if (str_eq_ci(m->v[i].key, type))
			return m->v[i].value;
		if (str_is(m->v[i].key, "$default"))
			any = m->v[i].value;
	}
	return any;
}

static int check_body(struct visit *v)
{
	struct schema_models models = { find_model, v };
	struct str name = model_name(v), why = S("Can not parse content as Json");
	const struct json *schema;
	struct json *body;

	if (!name.p)
		return 0;
	schema = find_model(v, name);
	if (!schema)
		return visit_refuse(v, GW_API_CONFIGURATION_ERROR, STR_NONE);
	if (json_parse(v->a, v->body.n ? v->body : S("null"), &body, NULL) == 0 && schema_check(v->a, schema, body, &models, &why) == 0)
		return 0;
	v->error_validation = str_printf(v->a, "[%.*s]", STR(why));
	visit_log(v, EXEC_ERROR, "Request body does not match model schema for content type %.*s: %.*s",
		  STR(media_type(visit_header(v, S("content-type"))).n ? media_type(visit_header(v, S("content-type")))
								       : S("application/json")),
		  STR(v->error_validation));
	return visit_refuse(v, GW_BAD_REQUEST_BODY, STR_NONE);
}

int visit_validate(struct visit *v)
{
	const struct apigw_rec_validator *k = v->m->validator;
	int r = 0;

	visit_log_begin(v);
	if (k && k->validate_request_parameters.v)
		r = check_parameters(v);
	if (r == 0 && k && k->validate_request_body.v)
		r = check_body(v);
	return r;
}
