/* SPDX-License-Identifier: Apache-2.0 */
/* load.c - reading what is served: stages, deployed snapshots, API keys and their usage plans.
 *
 * The data plane's only way to the records. Tables: apigw.host (API id -> account; under no account), apigw.stage and
 * apigw.snapshot (API, name), apigw.key, apigw.keyvalue (HMAC of the value -> key id), apigw.keyplan (key, plan),
 * apigw.plan, apigw.usage (plan, key, day), apigw.cert, apigw.account. */
#include "svc/apigateway/apigateway_int.h"
#include <errno.h>

void apigw_key(struct keybuf *k, struct str account, const char *table, struct str a, struct str b)
{
	key_begin(k, account, table);
	if (a.p)
		key_str(k, a);
	if (b.p)
		key_str(k, b);
}

int apigw_find_api(struct store_txn *t, struct arena *a, struct str api, struct str *ret_account)
{
	struct keybuf k;
	struct str v;
	int r;

	apigw_key(&k, S(""), "apigw.host", api, STR_NONE);
	r = store_get(t, key_view(&k), &v);
	if (r == 0)
		*ret_account = str_dup(a, v);
	return r;
}

int apigw_load_api(struct store_txn *t, struct arena *a, struct str account, struct str api, struct apigw_rec_api *ret)
{
	struct keybuf k;

	apigw_key(&k, account, "apigw.api", api, STR_NONE);
	return record_get(t, &apigw_records, APIGW_REC_API, a, &k, ret);
}

int apigw_load_stage(struct store_txn *t, struct arena *a, struct str account, struct str api, struct str stage,
		     struct apigw_rec_stage *ret)
{
	struct keybuf k;

	apigw_key(&k, account, "apigw.stage", api, stage);
	return record_get(t, &apigw_records, APIGW_REC_STAGE, a, &k, ret);
}

int apigw_load_snapshot(struct store_txn *t, struct arena *a, struct str account, struct str api, struct str deployment,
			struct apigw_rec_snapshot *ret)
{
	struct keybuf k;

	apigw_key(&k, account, "apigw.snapshot", api, deployment);
	return record_get(t, &apigw_records, APIGW_REC_SNAPSHOT, a, &k, ret);
}

int apigw_load_all(struct store_txn *t, struct arena *a, struct str account, struct str api, const char *table, uint16_t shape,
		   void *ret_list)
{
	struct store_range range = { 0 };
	size_t size = apigw_records.shapes[shape].size, cap = 0;
	struct {
		char *v;
		size_t n;
	} *list = ret_list;
	struct str key, value;
	struct keybuf k;
	int r;

	*list = (typeof(*list)){ 0 };
	apigw_key(&k, account, table, api, STR_NONE);
	r = store_range_open(&range, t, key_view(&k), STR_NONE, false);
	while (r == 0 && (r = store_range_next(&range, &key, &value)) == 1) {
		if (list->n == cap) {
			size_t more = cap ? cap * 2 : 8;

			list->v = arena_grow(a, list->v, list->n * size, arena_mul(more, size));
			cap = more;
		}
		r = record_decode(&apigw_records, shape, a, value, list->v + list->n * size);
		list->n += r == 0;
	}
	store_range_close(&range);
	return r;
}

int apigw_load_draft(struct store_txn *t, struct arena *a, struct str account, struct str api, struct apigw_rec_snapshot *ret)
{
	int r;

	*ret = (struct apigw_rec_snapshot){ .api = arena_new(a, struct apigw_rec_api) };
	r = apigw_load_api(t, a, account, api, ret->api);
	if (r == 0)
		r = apigw_load_all(t, a, account, api, "apigw.resource", APIGW_REC_RESOURCE, &ret->resources);
	if (r == 0)
		r = apigw_load_all(t, a, account, api, "apigw.model", APIGW_REC_MODEL, &ret->models);
	if (r == 0)
		r = apigw_load_all(t, a, account, api, "apigw.validator", APIGW_REC_VALIDATOR, &ret->validators);
	if (r == 0)
		r = apigw_load_all(t, a, account, api, "apigw.authorizer", APIGW_REC_AUTHORIZER, &ret->authorizers);
	if (r == 0)
		r = apigw_load_all(t, a, account, api, "apigw.response", APIGW_REC_GATEWAY_RESPONSE, &ret->responses);
	return r;
}

/* --- API keys and usage plans --- */
void apigw_key_index(struct cloud *cl, struct keybuf *k, struct str account, struct str value)
{
	uint8_t secret[32], sum[32];

	cloud_master_key(cl, "apigateway-key-index", secret);
	hmac_sha256(secret, sizeof secret, value.p, value.n, sum);
	mem_wipe(secret, sizeof secret);
	apigw_key(k, account, "apigw.keyvalue", str_of((const char *)sum, sizeof sum), STR_NONE);
}

int apigw_load_key(struct cloud *cl, struct store_txn *t, struct arena *a, struct str account, struct str value,
		   struct apigw_rec_api_key *ret)
{
	struct keybuf k;
	struct str id;
	int r;

	apigw_key_index(cl, &k, account, value);
	r = store_get(t, key_view(&k), &id);
	if (r < 0)
		return r;
	apigw_key(&k, account, "apigw.key", str_dup(a, id), STR_NONE);
	return record_get(t, &apigw_records, APIGW_REC_API_KEY, a, &k, ret);
}

static bool plan_has(const struct apigw_rec_usage_plan *p, struct str api, struct str stage)
{
	for (size_t i = 0; i < p->api_stages.n; i++)
		if (str_eq(p->api_stages.v[i].api_id, api) && str_eq(p->api_stages.v[i].stage, stage))
			return true;
	return false;
}

int apigw_load_plan(struct store_txn *t, struct arena *a, struct str account, struct str key_id, struct str api, struct str stage,
		    struct apigw_rec_usage_plan *ret)
{
	struct store_range range = { 0 };
	struct str key, value;
	struct keybuf k;
	bool found = false;
	int r;

	apigw_key(&k, account, "apigw.keyplan", key_id, STR_NONE);
	r = store_range_open(&range, t, key_view(&k), STR_NONE, false);
	while (!found && r == 0 && (r = store_range_next(&range, &key, &value)) == 1) {
		apigw_key(&k, account, "apigw.plan", value, STR_NONE);
		r = record_get(t, &apigw_records, APIGW_REC_USAGE_PLAN, a, &k, ret);
		found = r == 0 && plan_has(ret, api, stage);
	}
	store_range_close(&range);
	return r < 0 ? r : found ? 0 : -ENOENT;
}

int apigw_load_account(struct store_txn *t, struct arena *a, struct str account, struct apigw_rec_account *ret)
{
	struct keybuf k;
	int r;

	*ret = (struct apigw_rec_account){ 0 };
	apigw_key(&k, account, "apigw.account", STR_NONE, STR_NONE);
	r = record_get(t, &apigw_records, APIGW_REC_ACCOUNT, a, &k, ret);
	return r == -ENOENT ? 0 : r;
}

void apigw_usage_key(struct keybuf *k, struct str account, struct str plan, struct str key_id, struct str day)
{
	apigw_key(k, account, "apigw.usage", plan, key_id);
	key_str(k, day);
}

int apigw_load_usage(struct store_txn *t, struct arena *a, struct str account, struct str plan, struct str key_id, struct str day,
		     struct apigw_rec_usage *ret)
{
	struct keybuf k;
	int r;

	*ret = (struct apigw_rec_usage){ 0 };
	apigw_usage_key(&k, account, plan, key_id, day);
	r = record_get(t, &apigw_records, APIGW_REC_USAGE, a, &k, ret);
	return r == -ENOENT ? 0 : r;
}
