/* SPDX-License-Identifier: Apache-2.0 */
/* stages.c - a deployment under a name, with its variables, throttles, logs and canary.
 *
 * Settings of methods are kept by "PATH/VERB" without the slash in front ("pets/{id}/GET", "/GET" for the root), "*" stands
 * for all. */
#include "svc/apigateway/apigateway_int.h"
#include <errno.h>
#include <math.h>

#define NAME_MAX_CHARS 128
#define ACCESS_FORMAT_MAX 3000
#define CACHE_TTL_MAX_S 3600

static bool chars(struct str s, const char *more)
{
	for (size_t i = 0; i < s.n; i++)
		if (!s.p[i] || !(strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", s.p[i]) || strchr(more, s.p[i])))
			return false;
	return s.n > 0;
}

/* --- settings of methods --- */
static const struct {
	const char *path, *member;
} settings[] = {
	{ "metrics/enabled", "metricsEnabled" },
	{ "logging/loglevel", "loggingLevel" },
	{ "logging/dataTrace", "dataTraceEnabled" },
	{ "throttling/burstLimit", "throttlingBurstLimit" },
	{ "throttling/rateLimit", "throttlingRateLimit" },
	{ "caching/enabled", "cachingEnabled" },
	{ "caching/ttlInSeconds", "cacheTtlInSeconds" },
	{ "caching/dataEncrypted", "cacheDataEncrypted" },
	{ "caching/requireAuthorizationForCacheControl", "requireAuthorizationForCacheControl" },
	{ "caching/unauthorizedCacheControlHeaderStrategy", "unauthorizedCacheControlHeaderStrategy" },
};

/* Takes the last segment off. */
static bool last_segment(struct str *s, struct str *ret)
{
	ptrdiff_t at = str_rfind_char(*s, '/');

	if (at < 0)
		return false;
	*ret = str_skip(*s, (size_t)at + 1);
	s->n = (size_t)at;
	return true;
}

static const char *setting_of(struct str group, struct str name)
{
	for (size_t i = 0; i < ELEMENTS(settings); i++) {
		struct str g, n;

		(void)str_cut(str_c(settings[i].path), '/', &g, &n);
		if (str_eq(g, group) && str_eq(n, name))
			return settings[i].member;
	}
	return NULL;
}

struct str apigw_method_key(struct arena *a, struct str path, struct str verb)
{
	path = apigw_unescape(a, path);
	if (path.n && path.p[0] == '/')
		path = str_skip(path, 1);
	return str_printf(a, "%.*s/%.*s", STR(path), STR(verb));
}

static bool verb_or_all(struct str verb)
{
	return str_is(verb, "*") || apigw_verb_valid(verb);
}

static bool is_setting(struct str path)
{
	struct str rest = path, name, group, verb;

	return last_segment(&rest, &name) && last_segment(&rest, &group) && last_segment(&rest, &verb) && setting_of(group, name) &&
	       verb_or_all(verb) && rest.n > 1;
}

static bool is_whole_setting(struct str path)
{
	struct str rest = path, verb;

	return last_segment(&rest, &verb) && verb_or_all(verb) && rest.n > 1;
}

static struct apigw_rec_method_setting defaults(void)
{
	return (struct apigw_rec_method_setting){ .metrics_enabled = OPT_BOOL(false),
						  .logging_level = S("OFF"),
						  .data_trace_enabled = OPT_BOOL(false),
						  .throttling_burst_limit = OPT_INT(APIGW_ACCOUNT_BURST),
						  .throttling_rate_limit = { true, APIGW_ACCOUNT_RATE },
						  .caching_enabled = OPT_BOOL(false),
						  .cache_ttl_in_seconds = OPT_INT(300),
						  .cache_data_encrypted = OPT_BOOL(false),
						  .require_authorization_for_cache_control = OPT_BOOL(true),
						  .unauthorized_cache_control_header_strategy = S("SUCCEED_WITH_RESPONSE_HEADER") };
}

static const struct apigw_rule member_rules[] = {
	{ "/metricsEnabled", APIGW_REPLACE },
	{ "/loggingLevel", APIGW_REPLACE },
	{ "/dataTraceEnabled", APIGW_REPLACE },
	{ "/throttlingBurstLimit", APIGW_REPLACE },
	{ "/throttlingRateLimit", APIGW_REPLACE },
	{ "/cachingEnabled", APIGW_REPLACE },
	{ "/cacheTtlInSeconds", APIGW_REPLACE },
	{ "/cacheDataEncrypted", APIGW_REPLACE },
	{ "/requireAuthorizationForCacheControl", APIGW_REPLACE },
	{ "/unauthorizedCacheControlHeaderStrategy", APIGW_REPLACE },
	{ NULL },
};

static int set_setting(struct call *c, void *rec, enum apigw_patch_op op, const struct apigateway_patch_operation *o)
{
	struct apigw_rec_stage *st = rec;
	struct apigw_rec_method_setting *m;
	struct apigateway_patch_operation inner = { .op = S("replace"), .value = o->value };
	struct str rest = str_skip(o->path, 1), name, group, verb, key;

	if (!last_segment(&rest, &name) || !last_segment(&rest, &group) || !last_segment(&rest, &verb))
		return -EINVAL;
	key = apigw_method_key(c->arena, rest, verb);
	m = apigw_map_value(c->arena, &st->method_settings, sizeof *m, key, false);
	if (!m) {
		m = apigw_map_value(c->arena, &st->method_settings, sizeof *m, key, true);
		*m = defaults();
	}
	inner.path = str_printf(c->arena, "/%s", setting_of(group, name));
	return apigw_patch(c, APIGW_REC_METHOD_SETTING, m, &(struct apigateway_patch_operation_list){ &inner, 1 }, member_rules);
}

static int drop_setting(struct call *c, void *rec, enum apigw_patch_op op, const struct apigateway_patch_operation *o)
{
	struct apigw_rec_stage *st = rec;
	struct str rest = str_skip(o->path, 1), verb;

	if (!last_segment(&rest, &verb))
		return -EINVAL;
	(void)apigw_map_remove(&st->method_settings, sizeof(struct apigw_rec_method_setting), apigw_method_key(c->arena, rest, verb));
	return 0;
}

/* --- promoting a canary --- */
static bool is_deployment(struct str path)
{
	return str_is(path, "/deploymentId");
}

static int copy_deployment(struct call *c, void *rec, enum apigw_patch_op op, const struct apigateway_patch_operation *o)
{
	struct apigw_rec_stage *st = rec;

	if (!str_is(o->from, "/canarySettings/deploymentId") || !st->canary_settings)
		return call_fail(c, &apigateway_err_bad_request, "Invalid copy source specified: '%.*s'", STR(o->from));
	st->deployment_id = st->canary_settings->deployment_id;
	return 0;
}

static bool is_variables(struct str path)
{
	return str_is(path, "/variables");
}

static int copy_variables(struct call *c, void *rec, enum apigw_patch_op op, const struct apigateway_patch_operation *o)
{
	struct apigw_rec_stage *st = rec;
	const struct str_map *from;

	if (!str_is(o->from, "/canarySettings/stageVariableOverrides") || !st->canary_settings)
		return call_fail(c, &apigateway_err_bad_request, "Invalid copy source specified: '%.*s'", STR(o->from));
	from = &st->canary_settings->stage_variable_overrides;
	for (size_t i = 0; i < from->n; i++)
		*(struct str *)apigw_map_value(c->arena, &st->variables, sizeof(struct str), from->v[i].key, true) = from->v[i].value;
	return 0;
}

static const struct apigw_rule rules[] = {
	{ "/accessLogSettings", APIGW_REMOVE },
	{ "/accessLogSettings/destinationArn", APIGW_ADD | APIGW_REPLACE },
	{ "/accessLogSettings/format", APIGW_ADD | APIGW_REPLACE },
	{ "/cacheClusterEnabled", APIGW_REPLACE },
	{ "/cacheClusterSize", APIGW_REPLACE },
	{ "/canarySettings", APIGW_REMOVE },
	{ "/canarySettings/deploymentId", APIGW_REPLACE },
	{ "/canarySettings/percentTraffic", APIGW_ADD | APIGW_REPLACE },
	{ "/canarySettings/stageVariableOverrides", APIGW_REMOVE },
	{ "/canarySettings/stageVariableOverrides/{name}", APIGW_ADD | APIGW_REPLACE | APIGW_REMOVE },
	{ "/canarySettings/useStageCache", APIGW_ADD | APIGW_REPLACE },
	{ "/clientCertificateId", APIGW_REPLACE | APIGW_REMOVE },
	{ "/deploymentId", APIGW_REPLACE },
	{ "/deploymentId", APIGW_COPY, is_deployment, copy_deployment },
	{ "/description", APIGW_REPLACE },
	{ "/documentationVersion", APIGW_REPLACE | APIGW_REMOVE },
	{ "/tracingEnabled", APIGW_REPLACE },
	{ "/variables", APIGW_COPY, is_variables, copy_variables },
	{ "/variables/{name}", APIGW_ADD | APIGW_REPLACE | APIGW_REMOVE },
	{ "/{resourcePath}/{httpMethod}/{group}/{setting}", APIGW_REPLACE | APIGW_ADD, is_setting, set_setting },
	{ "/{resourcePath}/{httpMethod}", APIGW_REMOVE, is_whole_setting, drop_setting },
	{ NULL },
};

/* --- what a stage must be --- */
static int check_variables(struct call *c, const struct str_map *v)
{
	for (size_t i = 0; i < v->n; i++) {
		if (!chars(v->v[i].key, ""))
			return call_fail(c, &apigateway_err_bad_request, "Stage variable name must match with the pattern ^[a-zA-Z0-9_]+$");
		if (v->v[i].value.n && !chars(v->v[i].value, "-.~:/?#&=,"))
			return call_fail(c, &apigateway_err_bad_request,
					 "Stage variable value must match with the pattern "
					 "^[A-Za-z0-9-._~:/?#&=,]+$");
		if (v->v[i].key.n > 64 || v->v[i].value.n > 512)
			return call_fail(c, &apigateway_err_bad_request,
					 "Stage variables are limited to 64 characters in name and 512 in value");
	}
	return 0;
}

static int need_log_role(struct call *c)
{
	struct apigw_rec_account acc;
	int r = apigw_load_account(c->txn, c->arena, c->account, &acc);

	if (r == 0 && !acc.cloudwatch_role_arn.n)
		return call_fail(c, &apigateway_err_bad_request,
				 "CloudWatch Logs role ARN must be set in account settings to enable logging");
	return r;
}

/* Sizes of cache clusters, in GB. All of them are one cache in memory here. */
static const char *const sizes[] = { "0.5", "1.6", "6.1", "13.5", "28.4", "58.2", "118", "237", NULL };
static const char *const strategies[] = { "FAIL_WITH_403", "SUCCEED_WITH_RESPONSE_HEADER", "SUCCEED_WITHOUT_RESPONSE_HEADER", NULL };

static bool one_of(struct str s, const char *const *names)
{
	for (size_t i = 0; names[i]; i++)
		if (str_is(s, names[i]))
			return true;
	return false;
}

static int check_settings(struct call *c, const struct apigw_rec_stage *st)
{
	for (size_t i = 0; i < st->method_settings.n; i++) {
		const struct apigw_rec_method_setting *m = &st->method_settings.v[i].value;

		if (m->cache_ttl_in_seconds.v < 0 || m->cache_ttl_in_seconds.v > CACHE_TTL_MAX_S)
			return call_fail(c, &apigateway_err_bad_request, "Invalid cache TTL: must be between 0 and %d seconds",
					 CACHE_TTL_MAX_S);
		if (m->unauthorized_cache_control_header_strategy.n && !one_of(m->unauthorized_cache_control_header_strategy, strategies))
			return call_fail(c, &apigateway_err_bad_request, "Invalid unauthorizedCacheControlHeaderStrategy specified: %.*s",
					 STR(m->unauthorized_cache_control_header_strategy));
		if (!str_is(m->logging_level, "OFF") && !str_is(m->logging_level, "ERROR") && !str_is(m->logging_level, "INFO"))
			return call_fail(c, &apigateway_err_bad_request,
					 "Invalid logging level: '%.*s'. Must be one of: [OFF, ERROR, INFO]", STR(m->logging_level));
		if (m->throttling_burst_limit.v < -1 || m->throttling_rate_limit.v < -1 || !isfinite(m->throttling_rate_limit.v))
			return call_fail(c, &apigateway_err_bad_request, "Throttling limits must be greater than or equal to 0");
		if (!str_is(m->logging_level, "OFF")) {
			int r = need_log_role(c);

			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int check_access_log(struct call *c, const struct apigw_rec_access_log *l)
{
	struct arn arn;

	if (!l || (!l->destination_arn.n && !l->format.n))
		return 0;
	if (l->destination_arn.n &&
	    (arn_parse(l->destination_arn, &arn) < 0 || !str_is(arn.service, "logs") || !str_starts(arn.resource, S("log-group:"))))
		return call_fail(c, &apigateway_err_bad_request,
				 "Invalid ARN specified in the request. ARN has to be a CloudWatch Logs log group (other destinations are "
				 "not implemented by this cloud): %.*s",
				 STR(l->destination_arn));
	if (l->format.n > ACCESS_FORMAT_MAX)
		return call_fail(c, &apigateway_err_bad_request, "Access log format is longer than %d characters", ACCESS_FORMAT_MAX);
	if (l->format.n && str_find(l->format, S("$context.requestId")) < 0 && str_find(l->format, S("$context.extendedRequestId")) < 0)
		return call_fail(c, &apigateway_err_bad_request,
				 "Access Log format must contain at least $context.requestId or $context.extendedRequestId");
	return need_log_role(c);
}

static int check_deployment(struct call *c, struct str api, struct str id)
{
	struct apigw_rec_deployment d;
	int r = id.n ? apigw_get(c, &apigw_deployment_kind, api, id, &d) : -ENOENT;

	return r == -ENOENT ? call_fail(c, &apigateway_err_bad_request, "Deployment id does not exist") : r;
}

static int check_canary(struct call *c, struct str api, struct apigw_rec_stage *st)
{
	struct apigw_rec_canary *k = st->canary_settings;
	int r;

	if (!k)
		return 0;
	if (!k->deployment_id.n)
		k->deployment_id = st->deployment_id;
	if (!k->percent_traffic.has)
		k->percent_traffic = (struct opt_double){ true, 0 };
	if (!k->use_stage_cache.has)
		k->use_stage_cache = OPT_BOOL(false);
	if (!(k->percent_traffic.v >= 0 && k->percent_traffic.v <= 100))
		return call_fail(c, &apigateway_err_bad_request, "percentTraffic must be between 0 and 100");
	r = check_deployment(c, api, k->deployment_id);
	return r == 0 ? check_variables(c, &k->stage_variable_overrides) : r;
}

int apigw_stage_check(struct call *c, struct str api, struct apigw_rec_stage *st)
{
	struct apigw_rec_client_certificate cert;
	struct apigw_rec_doc_version ver;
	int r;

	if (!chars(st->stage_name, "-") || st->stage_name.n > NAME_MAX_CHARS || str_is(st->stage_name, "test-invoke-stage"))
		return call_fail(c, &apigateway_err_bad_request, "Stage name only allows a-zA-Z0-9_");
	if (st->cache_cluster_enabled.v && !st->cache_cluster_size.n)
		st->cache_cluster_size = S("0.5");
	if (st->cache_cluster_size.n && !one_of(st->cache_cluster_size, sizes))
		return call_fail(c, &apigateway_err_bad_request, "Invalid cache cluster size specified: %.*s", STR(st->cache_cluster_size));
	r = check_deployment(c, api, st->deployment_id);
	if (r == 0)
		r = check_variables(c, &st->variables);
	if (r == 0)
		r = check_settings(c, st);
	if (r == 0)
		r = check_access_log(c, st->access_log_settings);
	if (r == 0)
		r = check_canary(c, api, st);
	if (r == 0)
		r = apigw_check_tags(c, &st->tags);
	if (r == 0 && st->client_certificate_id.n) {
		r = apigw_get(c, &apigw_cert_kind, st->client_certificate_id, STR_NONE, &cert);
		if (r == -ENOENT)
			return call_fail(c, &apigateway_err_bad_request, "%s", apigw_cert_kind.missing);
	}
	if (r == 0 && st->documentation_version.n) {
		r = apigw_get(c, &apigw_docversion_kind, api, st->documentation_version, &ver);
		if (r == -ENOENT)
			return call_fail(c, &apigateway_err_bad_request, "Invalid documentation version specified");
	}
	return r;
}

int apigw_stage_room(struct call *c, struct str api)
{
	int r = apigw_count(c, &apigw_stage_kind, api, APIGW_STAGES_MAX);

	if (r >= APIGW_STAGES_MAX)
		return call_fail(c, &apigateway_err_limit_exceeded, "Maximum number of stages for this API has been reached: %d",
				 APIGW_STAGES_MAX);
	return r < 0 ? r : 0;
}

static void derived_out(const struct apigw_rec_stage *st, struct apigateway_stage *out)
{
	out->cache_cluster_enabled = OPT_BOOL(st->cache_cluster_enabled.v);
	out->cache_cluster_status = st->cache_cluster_enabled.v ? S("AVAILABLE") : S("NOT_AVAILABLE");
	out->tracing_enabled = OPT_BOOL(st->tracing_enabled.v);
}

static void to_out(struct call *c, const struct apigw_rec_stage *st, struct apigateway_stage *out)
{
	apigw_out(c, APIGW_REC_STAGE, st, out);
	derived_out(st, out);
	if (!out->method_settings.v)
		out->method_settings.v = arena_alloc(c->arena, sizeof *out->method_settings.v);
}

APIGW_HANDLER(create_stage, create_stage_request, stage)
{
	struct apigw_rec_stage st = { 0 }, old;
	struct apigw_rec_api api;
	int r = apigw_api(c, in->rest_api_id, &api);

	if (r < 0)
		return r;
	apigw_in(c, in, APIGW_REC_STAGE, &st);
	r = apigw_get(c, &apigw_stage_kind, api.id, st.stage_name, &old);
	if (r == 0)
		return call_fail(c, &apigateway_err_conflict, "Stage already exists");
	r = r == -ENOENT ? apigw_stage_room(c, api.id) : r;
	if (r == 0)
		r = apigw_stage_check(c, api.id, &st);
	if (r < 0)
		return r;
	st.created_date = st.last_updated_date = OPT_TIME(c->now_ms / 1000 * 1000);
	r = apigw_put(c, &apigw_stage_kind, api.id, st.stage_name, &st);
	if (r == 0)
		to_out(c, &st, out);
	return r;
}

APIGW_HANDLER(get_stage, get_stage_request, stage)
{
	struct apigw_rec_stage st;
	int r = apigw_part(c, &apigw_stage_kind, in->rest_api_id, in->stage_name, &st);

	if (r == 0)
		to_out(c, &st, out);
	return r;
}

APIGW_HANDLER(get_stages, get_stages_request, stages)
{
	struct apigw_rec_stage_list all;
	struct apigw_rec_api api;
	int r = apigw_api(c, in->rest_api_id, &api);

	if (r == 0)
		r = apigw_all(c, &apigw_stage_kind, api.id, &all);
	if (r < 0)
		return r;
	apigw_out_item(c, APIGW_REC_STAGE, NULL, out);
	for (size_t i = 0; i < all.n; i++) {
		if (in->deployment_id.n && !str_eq(all.v[i].deployment_id, in->deployment_id))
			continue;
		apigw_out_item(c, APIGW_REC_STAGE, &all.v[i], out);
		derived_out(&all.v[i], &out->item.v[out->item.n - 1]);
	}
	return 0;
}

APIGW_HANDLER(update_stage, update_stage_request, stage)
{
	struct apigw_rec_stage st;
	int r = apigw_part(c, &apigw_stage_kind, in->rest_api_id, in->stage_name, &st);

	if (r == 0)
		r = apigw_patch(c, APIGW_REC_STAGE, &st, &in->patch_operations, rules);
	if (r == 0)
		r = apigw_stage_check(c, in->rest_api_id, &st);
	if (r < 0)
		return r;
	st.last_updated_date = OPT_TIME(c->now_ms / 1000 * 1000);
	r = apigw_put(c, &apigw_stage_kind, in->rest_api_id, st.stage_name, &st);
	if (r == 0)
		to_out(c, &st, out);
	return r;
}

APIGW_HANDLER(delete_stage, delete_stage_request, delete_stage_response)
{
	struct apigw_rec_stage st;
	int r = apigw_part(c, &apigw_stage_kind, in->rest_api_id, in->stage_name, &st);

	return r == 0 ? apigw_del(c, &apigw_stage_kind, in->rest_api_id, st.stage_name) : r;
}

/* Cached decisions made before this instant no longer count. */
APIGW_HANDLER(flush_stage_authorizers_cache, flush_stage_authorizers_cache_request, flush_stage_authorizers_cache_response)
{
	struct apigw_rec_stage st;
	int r = apigw_part(c, &apigw_stage_kind, in->rest_api_id, in->stage_name, &st);

	st.authorizers_flushed = OPT_TIME(c->now_ms);
	return r == 0 ? apigw_put(c, &apigw_stage_kind, in->rest_api_id, st.stage_name, &st) : r;
}

/* Answers kept before this instant no longer count. */
APIGW_HANDLER(flush_stage_cache, flush_stage_cache_request, flush_stage_cache_response)
{
	struct apigw_rec_stage st;
	int r = apigw_part(c, &apigw_stage_kind, in->rest_api_id, in->stage_name, &st);

	if (r < 0)
		return r;
	if (!st.cache_cluster_enabled.v)
		return call_fail(c, &apigateway_err_bad_request, "Stage does not have a cache cluster enabled");
	st.cache_flushed = OPT_TIME(c->now_ms);
	return apigw_put(c, &apigw_stage_kind, in->rest_api_id, st.stage_name, &st);
}
