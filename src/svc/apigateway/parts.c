/* SPDX-License-Identifier: Apache-2.0 */
/* parts.c - finding, storing and listing APIs, their parts, and what else an account has; AWS's words for what isn't there. */
#include "svc/apigateway/apigateway_int.h"
#include <errno.h>

const struct apigw_kind apigw_api_kind = { "apigw.api", APIGW_REC_API, "Invalid API identifier specified" };
const struct apigw_kind apigw_resource_kind = { "apigw.resource", APIGW_REC_RESOURCE, "Invalid Resource identifier specified" };
const struct apigw_kind apigw_model_kind = { "apigw.model", APIGW_REC_MODEL, "Invalid Model Name specified" };
const struct apigw_kind apigw_validator_kind = { "apigw.validator", APIGW_REC_VALIDATOR, "Invalid Request Validator identifier specified" };
const struct apigw_kind apigw_authorizer_kind = { "apigw.authorizer", APIGW_REC_AUTHORIZER, "Invalid Authorizer identifier specified" };
const struct apigw_kind apigw_response_kind = { "apigw.response", APIGW_REC_GATEWAY_RESPONSE, "Gateway response type not defined on api" };
const struct apigw_kind apigw_deployment_kind = { "apigw.deployment", APIGW_REC_DEPLOYMENT, "Invalid Deployment identifier specified" };
const struct apigw_kind apigw_stage_kind = { "apigw.stage", APIGW_REC_STAGE, "Invalid stage identifier specified" };
const struct apigw_kind apigw_docpart_kind = { "apigw.docpart", APIGW_REC_DOC_PART, "Invalid Documentation part identifier specified" };
const struct apigw_kind apigw_docversion_kind = { "apigw.docversion", APIGW_REC_DOC_VERSION, "Invalid Documentation version specified" };
const struct apigw_kind apigw_key_kind = { "apigw.key", APIGW_REC_API_KEY, "Invalid API Key identifier specified" };
const struct apigw_kind apigw_plan_kind = { "apigw.plan", APIGW_REC_USAGE_PLAN, "Invalid Usage Plan ID specified" };
const struct apigw_kind apigw_cert_kind = { "apigw.cert", APIGW_REC_CLIENT_CERTIFICATE, "Invalid Client Certificate identifier specified" };

int apigw_api(struct call *c, struct str id, struct apigw_rec_api *ret)
{
	struct keybuf k;
	int r;

	apigw_key(&k, c->account, "apigw.api", id, STR_NONE);
	r = record_get(c->txn, &apigw_records, APIGW_REC_API, c->arena, &k, ret);
	if (r == -ENOENT)
		return call_fail(c, &apigateway_err_not_found, "Invalid API identifier specified %.*s:%.*s", STR(c->account), STR(id));
	return r;
}

int apigw_get(struct call *c, const struct apigw_kind *kind, struct str a, struct str b, void *ret)
{
	struct keybuf k;

	apigw_key(&k, c->account, kind->table, a, b);
	return record_get(c->txn, &apigw_records, kind->shape, c->arena, &k, ret);
}

int apigw_part(struct call *c, const struct apigw_kind *kind, struct str api, struct str id, void *ret)
{
	struct apigw_rec_api rec;
	int r = id.p ? apigw_api(c, api, &rec) : 0;

	if (r == 0)
		r = apigw_get(c, kind, api, id, ret);
	if (r == -ENOENT)
		return call_fail(c, &apigateway_err_not_found, "%s", kind->missing);
	return r;
}

int apigw_put(struct call *c, const struct apigw_kind *kind, struct str a, struct str b, const void *rec)
{
	struct keybuf k;

	apigw_key(&k, c->account, kind->table, a, b);
	return record_put(c->txn, &apigw_records, kind->shape, &k, rec);
}

int apigw_del(struct call *c, const struct apigw_kind *kind, struct str a, struct str b)
{
	struct keybuf k;

	apigw_key(&k, c->account, kind->table, a, b);
	return store_del(c->txn, key_view(&k));
}

int apigw_drop_all(struct call *c, const char *table, struct str a)
{
	struct store_range range = { 0 };
	struct str key, value;
	struct keybuf k;
	int r;

	apigw_key(&k, c->account, table, a, STR_NONE);
	r = store_range_open(&range, c->txn, key_view(&k), STR_NONE, false);
	while (r == 0 && (r = store_range_next(&range, &key, &value)) == 1)
		r = store_del(c->txn, str_dup(c->arena, key));
	store_range_close(&range);
	return r;
}

int apigw_all(struct call *c, const struct apigw_kind *kind, struct str api, void *ret_list)
{
	return apigw_load_all(c->txn, c->arena, c->account, api, kind->table, kind->shape, ret_list);
}

int apigw_count(struct call *c, const struct apigw_kind *kind, struct str api, size_t max)
{
	struct store_range range = { 0 };
	struct str key, value;
	struct keybuf k;
	size_t n = 0;
	int r;

	apigw_key(&k, c->account, kind->table, api, STR_NONE);
	r = store_range_open(&range, c->txn, key_view(&k), STR_NONE, false);
	while (r == 0 && n <= max && (r = store_range_next(&range, &key, &value)) == 1) {
		r = 0;
		n++;
	}
	store_range_close(&range);
	return r < 0 ? r : (int)n;
}

int apigw_list(struct call *c, const struct apigw_kind *kind, struct str api, struct str position, struct opt_int limit,
	       int (*each)(struct call *c, void *rec, void *arg), void *arg, void *out)
{
	size_t max = limit.has ? (size_t)limit.v : APIGW_PAGE, n = 0;
	void *rec = arena_alloc(c->arena, apigw_records.shapes[kind->shape].size);
	struct str after = STR_NONE, key, value;
	struct store_range range = { 0 };
	struct keybuf k;
	int r;

	if (limit.has && (limit.v < 1 || limit.v > APIGW_PAGE_MAX))
		return call_fail(c, &apigateway_err_bad_request, "Invalid limit specified: must be between 1 and %d", APIGW_PAGE_MAX);
	if (position.n && page_parse(c, position, &after) < 0)
		return call_fail(c, &apigateway_err_bad_request, "Invalid position parameter specified");
	apigw_out_item(c, kind->shape, NULL, out);
	apigw_key(&k, c->account, kind->table, api, STR_NONE);
	r = store_range_open(&range, c->txn, key_view(&k), after, false);
	while (r == 0 && (r = store_range_next(&range, &key, &value)) == 1) {
		r = 0;
		if (n == max) {
			apigw_out_position(c, page_token(c, after), out);
			break;
		}
		after = str_dup(c->arena, key);
		r = record_decode(&apigw_records, kind->shape, c->arena, value, rec);
		if (r == 0 && each) {
			r = each(c, rec, arg);
			if (r == 0)
				continue;
		}
		if (r < 0)
			break;
		r = 0;
		apigw_out_item(c, kind->shape, rec, out);
		n++;
	}
	store_range_close(&range);
	return r;
}

struct str apigw_id(struct call *c, size_t n)
{
	return random_from(c->arena, S(APIGW_ID_CHARS), n);
}

struct str apigw_arn(struct call *c, const char *fmt, ...)
{
	struct str region = call_region(c), path;
	va_list ap;

	va_start(ap, fmt);
	path = str_vprintf(c->arena, fmt, ap);
	va_end(ap);
	return str_printf(c->arena, "arn:%.*s:apigateway:%.*s::%.*s", STR(region_partition(region)), STR(region), STR(path));
}

int apigw_pass_role(struct call *c, struct str role)
{
	struct str to = S("apigateway.amazonaws.com");
	struct policy_key key = { .name = S("iam:PassedToService"), .values = &to, .n = 1 };
	struct arn arn;

	if (arn_parse(role, &arn) < 0 || !str_is(arn.service, "iam") || !str_starts(arn.resource, S("role/")) || arn.account.n != 12)
		return call_fail(c, &apigateway_err_bad_request, "Invalid ARN specified in the request");
	if (!str_eq(arn.account, c->account))
		return call_fail(c, &apigateway_err_bad_request, "Cross-account pass role is not allowed.");
	return call_authorize(c, "iam:PassRole", role, &key, 1);
}

int apigw_check_tags(struct call *c, const struct str_map *tags)
{
	for (size_t i = 0; i < tags->n; i++) {
		if (str_starts(str_lower(c->arena, tags->v[i].key), S("aws:")))
			return call_fail(c, &apigateway_err_bad_request,
					 "Invalid tag key: %.*s. aws: prefixed tag key names are not allowed", STR(tags->v[i].key));
		if (tags->v[i].key.n < 1 || tags->v[i].key.n > 128 || tags->v[i].value.n > 256)
			return call_fail(c, &apigateway_err_bad_request,
					 "Tag keys must be 1 to 128 characters long, tag values at most 256 characters");
	}
	if (tags->n > APIGW_TAGS_MAX)
		return call_fail(c, &apigateway_err_bad_request, "A resource can have at most %d tags", APIGW_TAGS_MAX);
	return 0;
}
