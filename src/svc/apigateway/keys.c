/* SPDX-License-Identifier: Apache-2.0 */
/* keys.c - API keys. Their values are sealed at rest and found by an HMAC of the value. */
#include "svc/apigateway/apigateway_int.h"
#include <errno.h>

#define VALUE_CHARS 40
#define NAME_CHARS_MAX 1024

static int seal_value(struct call *c, struct str id, struct str value, struct str *ret)
{
	uint8_t key[32], *out = arena_alloc(c->arena, SEAL_NONCE_BYTES + value.n + SEAL_TAG_BYTES);
	int r;

	random_bytes(out, SEAL_NONCE_BYTES);
	cloud_master_key(c->cloud, "apigateway-key", key);
	r = aes_gcm_seal(key, out, id, value, out + SEAL_NONCE_BYTES);
	mem_wipe(key, sizeof key);
	*ret = str_of((const char *)out, SEAL_NONCE_BYTES + value.n + SEAL_TAG_BYTES);
	return r;
}

int apigw_key_value(struct call *c, const struct apigw_rec_api_key *k, struct str *ret)
{
	size_t n = k->sealed.n - SEAL_NONCE_BYTES - SEAL_TAG_BYTES;
	uint8_t key[32], *out;
	int r;

	if (k->sealed.n < SEAL_NONCE_BYTES + SEAL_TAG_BYTES)
		return -EBADMSG;
	out = arena_alloc(c->arena, n + 1);
	cloud_master_key(c->cloud, "apigateway-key", key);
	r = aes_gcm_open(key, (const uint8_t *)k->sealed.p, k->id, str_skip(k->sealed, SEAL_NONCE_BYTES), out);
	mem_wipe(key, sizeof key);
	*ret = str_of((const char *)out, n);
	return r;
}

static int check_value(struct call *c, struct str value)
{
	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] <= ' ' || value.p[i] > '~')
			return call_fail(c, &apigateway_err_bad_request, "API Key value contains invalid characters");
	if (value.n < APIGW_KEY_VALUE_MIN)
		return call_fail(c, &apigateway_err_bad_request, "API Key value should be at least %d characters", APIGW_KEY_VALUE_MIN);
	if (value.n > APIGW_KEY_VALUE_MAX)
		return call_fail(c, &apigateway_err_bad_request, "API Key value exceeds maximum size of %d characters",
				 APIGW_KEY_VALUE_MAX);
	return 0;
}

APIGW_HANDLER(create_api_key, create_api_key_request, api_key)
{
	struct apigw_rec_api_key k = { 0 };
	struct str value = in->value, taken;
	struct keybuf index;
	int r;

	apigw_in(c, in, APIGW_REC_API_KEY, &k);
	k.stage_keys = (struct str_list){ 0 };
	if (in->stage_keys.n)
		return call_fail(c, &apigateway_err_bad_request, "Stage keys are not supported; use usage plans instead.");
	if (in->name.n > NAME_CHARS_MAX)
		return call_fail(c, &apigateway_err_bad_request, "API Key name is longer than %d characters", NAME_CHARS_MAX);
	r = apigw_check_tags(c, &k.tags);
	if (r == 0 && value.n)
		r = check_value(c, value);
	if (r == 0)
		r = apigw_count(c, &apigw_key_kind, STR_NONE, APIGW_KEYS_MAX);
	if (r >= APIGW_KEYS_MAX)
		return call_fail(c, &apigateway_err_limit_exceeded, "Maximum number of API keys of this account reached: %d",
				 APIGW_KEYS_MAX);
	if (r < 0)
		return r;
	if (!value.n)
		value = random_from(c->arena, S("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"), VALUE_CHARS);
	apigw_key_index(c->cloud, &index, c->account, value);
	if (store_get(c->txn, key_view(&index), &taken) == 0)
		return call_fail(c, &apigateway_err_conflict, "API Key already exists");
	k.id = apigw_id(c, APIGW_API_ID_CHARS);
	k.enabled = OPT_BOOL(in->enabled.v);
	k.created_date = k.last_updated_date = OPT_TIME(c->now_ms / 1000 * 1000);
	r = seal_value(c, k.id, value, &k.sealed);
	if (r == 0)
		r = apigw_put(c, &apigw_key_kind, k.id, STR_NONE, &k);
	if (r == 0)
		r = store_put(c->txn, key_view(&index), k.id);
	if (r < 0)
		return r;
	apigw_out(c, APIGW_REC_API_KEY, &k, out);
	out->value = value;
	out->stage_keys.v = arena_alloc(c->arena, sizeof(struct str));
	return 0;
}

static int to_out(struct call *c, const struct apigw_rec_api_key *k, bool value, struct apigateway_api_key *out)
{
	if (!out->stage_keys.v)
		out->stage_keys.v = arena_alloc(c->arena, sizeof(struct str));
	return value ? apigw_key_value(c, k, &out->value) : 0;
}

APIGW_HANDLER(get_api_key, get_api_key_request, api_key)
{
	struct apigw_rec_api_key k;
	int r = apigw_part(c, &apigw_key_kind, in->api_key, STR_NONE, &k);

	if (r < 0)
		return r;
	apigw_out(c, APIGW_REC_API_KEY, &k, out);
	return to_out(c, &k, in->include_value.v, out);
}

struct wanted {
	const struct apigateway_get_api_keys_request *in;
	struct apigw_rec_api_key *v;
	size_t n, cap;
};

static int want(struct call *c, void *rec, void *arg)
{
	struct apigw_rec_api_key *k = rec;
	struct wanted *w = arg;

	if ((w->in->name_query.n && !str_starts(k->name, w->in->name_query)) ||
	    (w->in->customer_id.n && !str_eq(k->customer_id, w->in->customer_id)))
		return 0;
	vec_push(c->arena, w->v, w->n, w->cap) = *k;
	return 1;
}

APIGW_HANDLER(get_api_keys, get_api_keys_request, api_keys)
{
	struct wanted w = { .in = in };
	int r = apigw_list(c, &apigw_key_kind, STR_NONE, in->position, in->limit, want, &w, out);

	for (size_t i = 0; r == 0 && i < out->items.n; i++)
		r = to_out(c, &w.v[i], in->include_values.v, &out->items.v[i]);
	return r;
}

static const struct apigw_rule rules[] = { { "/customerId", APIGW_REPLACE },
					   { "/description", APIGW_REPLACE },
					   { "/enabled", APIGW_REPLACE },
					   { "/name", APIGW_REPLACE },
					   { NULL } };

APIGW_HANDLER(update_api_key, update_api_key_request, api_key)
{
	struct apigw_rec_api_key k;
	int r = apigw_part(c, &apigw_key_kind, in->api_key, STR_NONE, &k);

	if (r == 0)
		r = apigw_patch(c, APIGW_REC_API_KEY, &k, &in->patch_operations, rules);
	if (r < 0)
		return r;
	k.last_updated_date = OPT_TIME(c->now_ms / 1000 * 1000);
	r = apigw_put(c, &apigw_key_kind, k.id, STR_NONE, &k);
	apigw_out(c, APIGW_REC_API_KEY, &k, out);
	return r == 0 ? to_out(c, &k, false, out) : r;
}

/* A deleted key leaves its usage plans. */
static int leave_plans(struct call *c, struct str id)
{
	struct str_list plans;
	int r = apigw_members(c, "apigw.keyplan", id, &plans);

	for (size_t i = 0; r == 0 && i < plans.n; i++)
		r = apigw_set_member(c, plans.v[i], id, false);
	return r;
}

APIGW_HANDLER(delete_api_key, delete_api_key_request, delete_api_key_response)
{
	struct apigw_rec_api_key k;
	struct keybuf index;
	struct str value;
	int r = apigw_part(c, &apigw_key_kind, in->api_key, STR_NONE, &k);

	if (r == 0)
		r = apigw_key_value(c, &k, &value);
	if (r == 0)
		r = leave_plans(c, k.id);
	if (r < 0)
		return r;
	apigw_key_index(c->cloud, &index, c->account, value);
	r = store_del(c->txn, key_view(&index));
	return r == 0 || r == -ENOENT ? apigw_del(c, &apigw_key_kind, k.id, STR_NONE) : r;
}
