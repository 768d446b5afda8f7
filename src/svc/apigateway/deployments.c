/* SPDX-License-Identifier: Apache-2.0 */
/* deployments.c - immutable copies of an API. A stage shows one to the world. */
#include "svc/apigateway/apigateway_int.h"
#include <errno.h>

/* What is deployed must be able to answer. */
static int check_complete(struct call *c, const struct apigw_rec_snapshot *s)
{
	size_t methods = 0;

	for (size_t i = 0; i < s->resources.n; i++)
		for (size_t j = 0; j < s->resources.v[i].resource_methods.n; j++, methods++)
			if (!s->resources.v[i].resource_methods.v[j].value.method_integration)
				return call_fail(c, &apigateway_err_bad_request, "No integration defined for method");
	if (!methods)
		return call_fail(c, &apigateway_err_bad_request, "The REST API doesn't contain any methods");
	if (str_is(s->api->endpoint_configuration->types.v[0], "PRIVATE") && !s->api->policy.n)
		return call_fail(c, &apigateway_err_bad_request, "Private REST API doesn't have a resource policy attached to it");
	return 0;
}

/* The stage that CreateDeployment names: made, moved to the new deployment, or given it as its canary. */
static int to_stage(struct call *c, const struct apigateway_create_deployment_request *in, struct str deployment)
{
	struct apigw_rec_stage st = { .stage_name = in->stage_name };
	int r = apigw_get(c, &apigw_stage_kind, in->rest_api_id, in->stage_name, &st);
	bool made = r == -ENOENT;

	if (r < 0 && !made)
		return r;
	if (made && in->canary_settings)
		return call_fail(c, &apigateway_err_bad_request, "Invalid stage identifier specified");
	if (made) {
		st = (struct apigw_rec_stage){ .stage_name = in->stage_name, .created_date = OPT_TIME(c->now_ms / 1000 * 1000) };
		r = apigw_stage_room(c, in->rest_api_id);
		if (r < 0)
			return r;
	}
	if (in->canary_settings) {
		st.canary_settings = arena_new(c->arena, struct apigw_rec_canary);
		st.canary_settings->deployment_id = deployment;
		st.canary_settings->percent_traffic = in->canary_settings->percent_traffic;
		st.canary_settings->stage_variable_overrides = in->canary_settings->stage_variable_overrides;
		st.canary_settings->use_stage_cache = in->canary_settings->use_stage_cache;
	} else
		st.deployment_id = deployment;
	if (in->stage_description.p)
		st.description = in->stage_description;
	for (size_t i = 0; i < in->variables.n; i++)
		*(struct str *)apigw_map_value(c->arena, &st.variables, sizeof(struct str), in->variables.v[i].key,
					       true) = in->variables.v[i].value;
	if (in->tracing_enabled.has)
		st.tracing_enabled = in->tracing_enabled;
	if (in->cache_cluster_enabled.has)
		st.cache_cluster_enabled = in->cache_cluster_enabled;
	if (in->cache_cluster_size.p)
		st.cache_cluster_size = in->cache_cluster_size;
	r = apigw_stage_check(c, in->rest_api_id, &st);
	if (r < 0)
		return r;
	st.last_updated_date = OPT_TIME(c->now_ms / 1000 * 1000);
	return apigw_put(c, &apigw_stage_kind, in->rest_api_id, st.stage_name, &st);
}

APIGW_HANDLER(create_deployment, create_deployment_request, deployment)
{
	struct apigw_rec_deployment d = { .description = in->description, .created_date = OPT_TIME(c->now_ms / 1000 * 1000) };
	struct apigw_rec_snapshot s;
	struct apigw_rec_api api;
	struct keybuf k;
	int r = apigw_api(c, in->rest_api_id, &api);

	if (r == 0)
		r = apigw_load_draft(c->txn, c->arena, c->account, api.id, &s);
	if (r == 0)
		r = check_complete(c, &s);
	if (r < 0)
		return r;
	d.id = s.deployment = apigw_id(c, APIGW_PART_ID_CHARS);
	r = apigw_put(c, &apigw_deployment_kind, api.id, d.id, &d);
	if (r == 0) {
		apigw_key(&k, c->account, "apigw.snapshot", api.id, d.id);
		r = record_put(c->txn, &apigw_records, APIGW_REC_SNAPSHOT, &k, &s);
	}
	if (r == 0 && in->stage_name.n)
		r = to_stage(c, in, d.id);
	else if (r == 0 && in->canary_settings)
		return call_fail(c, &apigateway_err_bad_request, "A canary deployment needs a stage name");
	if (r == 0)
		apigw_out(c, APIGW_REC_DEPLOYMENT, &d, out);
	return r;
}

static int summary(struct call *c, struct str api, struct str id, struct apigateway_deployment *out)
{
	struct apigw_rec_snapshot s;
	int r = apigw_load_snapshot(c->txn, c->arena, c->account, api, id, &s);

	for (size_t i = 0; r == 0 && i < s.resources.n; i++) {
		const struct apigw_rec_resource *res = &s.resources.v[i];
		struct apigateway_map_of_method_snapshot_map *m;

		if (!res->resource_methods.n)
			continue;
		m = apigw_map_value(c->arena, &out->api_summary, sizeof *m, res->path, true);
		for (size_t j = 0; j < res->resource_methods.n; j++) {
			struct apigateway_method_snapshot *one = apigw_map_value(c->arena, m, sizeof *one, res->resource_methods.v[j].key,
										 true);

			one->authorization_type = res->resource_methods.v[j].value.authorization_type;
			one->api_key_required = OPT_BOOL(res->resource_methods.v[j].value.api_key_required.v);
		}
	}
	return r;
}

APIGW_HANDLER(get_deployment, get_deployment_request, deployment)
{
	struct apigw_rec_deployment d;
	int r = apigw_part(c, &apigw_deployment_kind, in->rest_api_id, in->deployment_id, &d);

	if (r < 0)
		return r;
	apigw_out(c, APIGW_REC_DEPLOYMENT, &d, out);
	for (size_t i = 0; r == 0 && i < in->embed.n; i++)
		if (str_is(in->embed.v[i], "apisummary"))
			r = summary(c, in->rest_api_id, d.id, out);
	return r;
}

APIGW_HANDLER(get_deployments, get_deployments_request, deployments)
{
	struct apigw_rec_api api;
	int r = apigw_api(c, in->rest_api_id, &api);

	return r < 0 ? r : apigw_list(c, &apigw_deployment_kind, api.id, in->position, in->limit, NULL, NULL, out);
}

static const struct apigw_rule rules[] = { { "/description", APIGW_REPLACE }, { NULL } };

APIGW_HANDLER(update_deployment, update_deployment_request, deployment)
{
	struct apigw_rec_deployment d;
	int r = apigw_part(c, &apigw_deployment_kind, in->rest_api_id, in->deployment_id, &d);

	if (r == 0)
		r = apigw_patch(c, APIGW_REC_DEPLOYMENT, &d, &in->patch_operations, rules);
	if (r == 0)
		r = apigw_put(c, &apigw_deployment_kind, in->rest_api_id, d.id, &d);
	if (r == 0)
		apigw_out(c, APIGW_REC_DEPLOYMENT, &d, out);
	return r;
}

APIGW_HANDLER(delete_deployment, delete_deployment_request, delete_deployment_response)
{
	struct apigw_rec_stage_list stages;
	struct apigw_rec_deployment d;
	struct keybuf k;
	int r = apigw_part(c, &apigw_deployment_kind, in->rest_api_id, in->deployment_id, &d);

	if (r == 0)
		r = apigw_all(c, &apigw_stage_kind, in->rest_api_id, &stages);
	if (r < 0)
		return r;
	for (size_t i = 0; i < stages.n; i++)
		if (str_eq(stages.v[i].deployment_id, d.id) ||
		    (stages.v[i].canary_settings && str_eq(stages.v[i].canary_settings->deployment_id, d.id)))
			return call_fail(c, &apigateway_err_bad_request,
					 "Active stages pointing to this deployment must be moved or deleted");
	apigw_key(&k, c->account, "apigw.snapshot", in->rest_api_id, d.id);
	r = store_del(c->txn, key_view(&k));
	return r == 0 ? apigw_del(c, &apigw_deployment_kind, in->rest_api_id, d.id) : r;
}
