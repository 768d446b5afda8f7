/* SPDX-License-Identifier: Apache-2.0 */
/* import.c - ImportRestApi and PutRestApi: the records that a text describes are stored, then checked as the single calls would. */
#include "svc/apigateway/apigateway_int.h"
#include "svc/apigateway/openapi.h"
#include <errno.h>

static int check_method(struct call *c, struct str api, struct apigw_rec_resource *res, struct apigw_rec_method *m)
{
	struct apigw_rec_integration *g = m->method_integration;
	int r = apigw_method_check(c, api, m);

	for (size_t i = 0; r == 0 && i < m->method_responses.n; i++)
		r = apigw_method_response_check(c, api, &m->method_responses.v[i].value);
	if (r < 0 || !g)
		return r;
	r = apigw_integration_check(c, res->id, g);
	for (size_t i = 0; r == 0 && i < g->integration_responses.n; i++)
		r = apigw_integration_response_check(c, m, &g->integration_responses.v[i].value);
	return r == 0 ? apigw_integration_pass_role(c, g) : r;
}

static int check_parts(struct call *c, struct str api, struct apigw_rec_snapshot *s)
{
	int r = 0;

	if (s->authorizers.n > APIGW_AUTHORIZERS_MAX)
		return call_fail(c, &apigateway_err_limit_exceeded, "Maximum number of Authorizers for this API has been reached: %d",
				 APIGW_AUTHORIZERS_MAX);
	for (size_t i = 0; r == 0 && i < s->models.n; i++)
		r = apigw_model_check(c, &s->models.v[i]);
	for (size_t i = 0; r == 0 && i < s->authorizers.n; i++) {
		r = apigw_authorizer_check(c, &s->authorizers.v[i]);
		if (r == 0)
			r = apigw_authorizer_pass_role(c, &s->authorizers.v[i]);
	}
	for (size_t i = 0; r == 0 && i < s->responses.n; i++)
		r = apigw_response_check(c, &s->responses.v[i]);
	for (size_t i = 0; r == 0 && i < s->resources.n; i++)
		for (size_t k = 0; r == 0 && k < s->resources.v[i].resource_methods.n; k++)
			r = check_method(c, api, &s->resources.v[i], &s->resources.v[i].resource_methods.v[k].value);
	return r;
}

static int put_docs(struct call *c, struct str api, const struct apigw_rec_doc_part_list *docs)
{
	int r = apigw_drop_all(c, "apigw.docpart", api);

	for (size_t i = 0; r == 0 && i < docs->n; i++)
		r = apigw_put(c, &apigw_docpart_kind, api, docs->v[i].id, &docs->v[i]);
	return r;
}

static int parameters(struct call *c, const struct str_map *p, struct apigw_rec_api *api, enum openapi_base *ret_how, bool *ret_docs)
{
	struct str types = str_map_get(p, S("endpointConfigurationTypes")), ends = str_map_get(p, S("vpcEndpointIds")),
		   base = str_map_get(p, S("basepath")), one;
	size_t cap = 0;

	*ret_docs = !str_is(str_map_get(p, S("ignore")), "documentation");
	*ret_how = str_is(base, "prepend") ? OPENAPI_BASE_PREPEND : str_is(base, "split") ? OPENAPI_BASE_SPLIT : OPENAPI_BASE_IGNORE;
	if (base.n && *ret_how == OPENAPI_BASE_IGNORE && !str_is(base, "ignore"))
		return call_fail(c, &apigateway_err_bad_request, "Invalid basepath mode specified: must be one of ignore, prepend, split");
	if (types.n || ends.n)
		api->endpoint_configuration = arena_new(c->arena, struct apigw_rec_endpoints);
	while (types.n && str_next(&types, ',', &one))
		vec_push(c->arena, api->endpoint_configuration->types.v, api->endpoint_configuration->types.n, cap) = str_trim(one);
	cap = 0;
	while (ends.n && str_next(&ends, ',', &one))
		vec_push(c->arena, api->endpoint_configuration->vpc_endpoint_ids.v, api->endpoint_configuration->vpc_endpoint_ids.n,
			 cap) = str_trim(one);
	return 0;
}

/* base: what stays. Its api is stored already. */
static int import(struct call *c, struct str body, const struct str_map *params, bool fail_on_warnings, struct apigw_rec_snapshot *base,
		  struct apigateway_rest_api *out)
{
	struct apigw_rec_api given = { 0 };
	struct key_set keys = { 0 };
	struct openapi_import in;
	enum openapi_base how;
	struct str err, whose;
	bool docs, create = str_is(str_c(c->op->name), "ImportRestApi");
	int r = parameters(c, params, &given, &how, &docs);

	if (r < 0)
		return r;
	if (openapi_read(c->arena, body, base, how, &in, &err) < 0)
		return call_fail(c, &apigateway_err_bad_request, "%.*s", STR(err));
	if (fail_on_warnings && in.warnings.n)
		return call_fail(c, &apigateway_err_bad_request, "Warnings found during import:\n\t%.*s",
				 STR(str_join(c->arena, in.warnings.v, in.warnings.n, S("\n\t"))));
	if (given.endpoint_configuration)
		in.s.api->endpoint_configuration = given.endpoint_configuration;
	whose = create ? apigw_arn(c, "/restapis") : apigw_arn(c, "/restapis/%.*s", STR(in.s.api->id));
	apigw_import_keys(c, &in.s, &keys);
	r = call_authorize(c, c->op->auth[0].action, whose, keys.v, keys.n);
	if (r < 0)
		return r;
	if (in.has_policy) {
		r = call_authorize(c, "apigateway:UpdateRestApiPolicy", whose, NULL, 0);
		if (r < 0)
			return r;
	}
	r = apigw_api_check(c, in.s.api);
	if (r == 0)
		r = apigw_put(c, &apigw_api_kind, in.s.api->id, STR_NONE, in.s.api);
	if (r == 0)
		r = apigw_parts_drop(c, in.s.api->id);
	if (r == 0) /* what methods refer to must be there to be checked */
		r = apigw_parts_put(c, in.s.api->id, &in.s);
	if (r == 0)
		r = check_parts(c, in.s.api->id, &in.s);
	if (r == 0) /* again, with what was filled in */
		r = apigw_parts_put(c, in.s.api->id, &in.s);
	if (r == 0 && docs && in.docs.n)
		r = put_docs(c, in.s.api->id, &in.docs);
	if (r < 0)
		return r;
	apigw_api_out(c, in.s.api, out);
	if (in.warnings.n)
		out->warnings = in.warnings;
	return 0;
}

APIGW_HANDLER(import_rest_api, import_rest_api_request, rest_api)
{
	struct apigw_rec_api api = { .name = S("import") };
	struct apigw_rec_snapshot s;
	int r = apigw_api_check(c, &api);

	if (r == 0)
		r = apigw_api_new(c, &api);
	if (r == 0)
		r = apigw_load_draft(c->txn, c->arena, c->account, api.id, &s);
	if (r < 0)
		return r;
	s.api->name = STR_NONE; /* the text must tell it */
	return import(c, in->body, &in->parameters, in->fail_on_warnings.v, &s, out);
}

APIGW_HANDLER(put_rest_api, put_rest_api_request, rest_api)
{
	struct apigw_rec_snapshot s, kept;
	struct apigw_rec_api api;
	int r = apigw_api(c, in->rest_api_id, &api);

	if (r == 0)
		r = apigw_load_draft(c->txn, c->arena, c->account, api.id, &s);
	if (r < 0)
		return r;
	if (str_is(in->mode, "overwrite")) {
		kept = (struct apigw_rec_snapshot){ .api = s.api };
		for (size_t i = 0; i < s.resources.n; i++)
			if (str_is(s.resources.v[i].path, "/")) {
				kept.resources = (struct apigw_rec_resource_list){ &s.resources.v[i], 1 };
				kept.resources.v[0].resource_methods.n = 0;
			}
		for (size_t i = 0; i < s.models.n; i++) /* the two that every API has */
			if (str_is(s.models.v[i].name, "Empty") || str_is(s.models.v[i].name, "Error"))
				kept.models.v = arena_grow(c->arena, kept.models.v, kept.models.n * sizeof *kept.models.v,
							   (kept.models.n + 1) * sizeof *kept.models.v),
				kept.models.v[kept.models.n++] = s.models.v[i];
		/* settings that only the text gives */
		s.api->binary_media_types = (struct str_list){ 0 };
		s.api->minimum_compression_size = (struct opt_int){ 0 };
		s.api->api_key_source = STR_NONE;
		s.api->description = s.api->version = STR_NONE;
		s = kept;
	}
	return import(c, in->body, &in->parameters, in->fail_on_warnings.v, &s, out);
}
