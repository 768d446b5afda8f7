/* SPDX-License-Identifier: Apache-2.0 */
/* keys.c - API keys. Their values are sealed at rest and found by an HMAC of the value. */
#include "svc/apigateway/apigateway_int.h"
#include <errno.h>

#define VALUE_CHARS 40
#define NAME_CHARS_MAX 1024
#define STAGES_MAX 100 /* of a key */

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

/* A new key with this value, or one made for it when absent. */
static int new_key(struct call *c, struct apigw_rec_api_key *k, struct str *value)
{
	struct keybuf index;
	struct str taken;
	int r = apigw_check_tags(c, &k->tags);

	if (r == 0 && k->name.n > NAME_CHARS_MAX)
		return call_fail(c, &apigateway_err_bad_request, "API Key name is longer than %d characters", NAME_CHARS_MAX);
	if (r == 0 && value->n)
		r = check_value(c, *value);
	if (r == 0)
		r = apigw_count(c, &apigw_key_kind, STR_NONE, APIGW_KEYS_MAX);
	if (r >= APIGW_KEYS_MAX)
		return call_fail(c, &apigateway_err_limit_exceeded, "Maximum number of API keys of this account reached: %d",
				 APIGW_KEYS_MAX);
	if (r < 0)
		return r;
	if (!value->n)
		*value = random_from(c->arena, S("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"), VALUE_CHARS);
	apigw_key_index(c->cloud, &index, c->account, *value);
	if (store_get(c->txn, key_view(&index), &taken) == 0)
		return call_fail(c, &apigateway_err_conflict, "API Key already exists");
	k->id = apigw_id(c, APIGW_API_ID_CHARS);
	k->created_date = k->last_updated_date = OPT_TIME(c->now_ms / 1000 * 1000);
	r = seal_value(c, k->id, *value, &k->sealed);
	if (r == 0)
		r = apigw_put(c, &apigw_key_kind, k->id, STR_NONE, k);
	return r == 0 ? store_put(c->txn, key_view(&index), k->id) : r;
}

/* --- stages of a key --- */
/* From before there were usage plans: kept and told, and opens nothing, as on AWS. */
static int add_stage(struct call *c, struct apigw_rec_api_key *k, struct str api, struct str stage)
{
	struct str v = str_printf(c->arena, "%.*s/%.*s", STR(api), STR(stage)), *old = k->stage_keys.v;
	struct apigw_rec_stage st;
	int r = apigw_part(c, &apigw_stage_kind, api, stage, &st);

	if (r < 0 || str_list_has(&k->stage_keys, v))
		return r;
	if (k->stage_keys.n >= STAGES_MAX)
		return call_fail(c, &apigateway_err_limit_exceeded, "An API key has at most %d stages", STAGES_MAX);
	k->stage_keys.v = arena_array(c->arena, struct str, k->stage_keys.n + 1);
	for (size_t i = 0; i < k->stage_keys.n; i++)
		k->stage_keys.v[i] = old[i];
	k->stage_keys.v[k->stage_keys.n++] = v;
	return 0;
}

/* patch_stages does the operations on "/stages" and gives back the others. */
static int patch_stages(struct call *c, struct apigw_rec_api_key *k, const struct apigateway_patch_operation_list *all,
			struct apigateway_patch_operation_list *others)
{
	*others = (struct apigateway_patch_operation_list){ arena_array(c->arena, struct apigateway_patch_operation, all->n + 1), 0 };
	for (size_t i = 0; i < all->n; i++) {
		const struct apigateway_patch_operation *o = &all->v[i];
		struct str api, stage = STR_NONE;
		size_t n = 0;
		int r = 0;

		if (!str_is(o->path, "/stages")) {
			others->v[others->n++] = *o;
			continue;
		}
		if (!str_cut(o->value, '/', &api, &stage) || !(str_is(o->op, "add") || str_is(o->op, "remove")))
			return call_fail(c, &apigateway_err_bad_request,
					 "Invalid patch path  '/stages' specified for op '%.*s'. Must be one of: [add, remove]",
					 STR(o->op));
		if (str_is(o->op, "add"))
			r = add_stage(c, k, api, stage);
		for (size_t j = 0; str_is(o->op, "remove") && j < k->stage_keys.n; j++)
			if (!str_eq(k->stage_keys.v[j], o->value))
				k->stage_keys.v[n++] = k->stage_keys.v[j];
		if (str_is(o->op, "remove"))
			k->stage_keys.n = n;
		if (r < 0)
			return r;
	}
	return 0;
}

APIGW_HANDLER(create_api_key, create_api_key_request, api_key)
{
	struct apigw_rec_api_key k = { 0 };
	struct str value = in->value;
	int r;

	apigw_in(c, in, APIGW_REC_API_KEY, &k);
	k.stage_keys = (struct str_list){ 0 };
	for (size_t i = 0; i < in->stage_keys.n; i++) {
		r = add_stage(c, &k, in->stage_keys.v[i].rest_api_id, in->stage_keys.v[i].stage_name);
		if (r < 0)
			return r;
	}
	k.enabled = OPT_BOOL(in->enabled.v);
	r = new_key(c, &k, &value);
	if (r < 0)
		return r;
	apigw_out(c, APIGW_REC_API_KEY, &k, out);
	out->value = value;
	if (!out->stage_keys.v)
		out->stage_keys.v = arena_alloc(c->arena, sizeof(struct str));
	return 0;
}

/* --- keys from a file: a line of column names, then a key a line --- */
#define CSV_COLUMNS_MAX 16
#define CSV_KEYS_MAX 1000 /* in one call */

/* One line's fields; quotes may enclose a field, doubled ones stand for themselves. */
static size_t csv_line(struct arena *a, struct str *rest, struct str *field)
{
	struct str line;
	size_t n = 0;

	(void)str_next(rest, '\n', &line);
	line = str_trim(line);
	while (line.p && n < CSV_COLUMNS_MAX) {
		if (line.n && line.p[0] == '"') {
			ptrdiff_t end = 1;

			while ((size_t)end < line.n && !(line.p[end] == '"' && ((size_t)end + 1 == line.n || line.p[end + 1] != '"')))
				end += line.p[end] == '"' ? 2 : 1;
			if ((size_t)end > line.n)
				end = (ptrdiff_t)line.n;
			field[n++] = str_replace(a, str_of(line.p + 1, (size_t)end - 1), S("\"\""), S("\""));
			line = (size_t)end + 1 < line.n ? str_skip(line, (size_t)end + 1) : STR_NONE;
			if (line.p && line.p[0] == ',')
				line = str_skip(line, 1);
		} else {
			(void)str_next(&line, ',', &field[n]);
			field[n] = str_trim(field[n]);
			n++;
		}
	}
	return n;
}

static int join_plans(struct call *c, struct str plans, struct str key)
{
	struct str one;
	int r = 0;

	while (r == 0 && plans.n && str_next(&plans, ',', &one)) {
		struct apigw_rec_usage_plan p;

		one = str_trim(one);
		if (!one.n)
			continue;
		r = apigw_part(c, &apigw_plan_kind, one, STR_NONE, &p);
		if (r == 0)
			r = apigw_plan_join(c, &p, key);
	}
	return r;
}

APIGW_HANDLER(import_api_keys, import_api_keys_request, api_key_ids)
{
	static const char *const names[] = { "name", "key", "description", "enabled", "usageplanids" };
	struct str rest = in->body, head[CSV_COLUMNS_MAX], field[CSV_COLUMNS_MAX];
	size_t n = csv_line(c->arena, &rest, head), cap = 0;
	int r = 0;

	for (size_t i = 0; i < 2; i++) {
		bool there = false;

		for (size_t k = 0; k < n; k++)
			there |= str_eq_ci(head[k], str_c(names[i]));
		if (!there)
			return call_fail(c, &apigateway_err_bad_request, "Failed to import API keys: column '%s' is missing", names[i]);
	}
	while (r == 0 && rest.p) {
		struct apigw_rec_api_key k = { .enabled = OPT_BOOL(false) };
		struct str value = STR_NONE, plans = STR_NONE;
		size_t m = csv_line(c->arena, &rest, field);

		if (m == 0 || (m == 1 && !field[0].n))
			continue;
		if (out->ids.n == CSV_KEYS_MAX)
			return call_fail(c, &apigateway_err_bad_request, "Failed to import API keys: more than %d in one file",
					 CSV_KEYS_MAX);
		for (size_t i = 0; i < m && i < n; i++) {
			if (str_eq_ci(head[i], S("name")))
				k.name = field[i];
			else if (str_eq_ci(head[i], S("key")))
				value = field[i];
			else if (str_eq_ci(head[i], S("description")))
				k.description = field[i];
			else if (str_eq_ci(head[i], S("enabled")))
				k.enabled.v = str_eq_ci(field[i], S("true"));
			else if (str_eq_ci(head[i], S("usageplanids")))
				plans = field[i];
		}
		r = new_key(c, &k, &value);
		if (r == 0)
			r = join_plans(c, plans, k.id);
		if (r == 0)
			vec_push(c->arena, out->ids.v, out->ids.n, cap) = k.id;
	}
	return r;
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
	struct apigateway_patch_operation_list others;
	struct apigw_rec_api_key k;
	int r = apigw_part(c, &apigw_key_kind, in->api_key, STR_NONE, &k);

	if (r == 0)
		r = patch_stages(c, &k, &in->patch_operations, &others);
	if (r == 0)
		r = apigw_patch(c, APIGW_REC_API_KEY, &k, &others, rules);
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
