/* SPDX-License-Identifier: Apache-2.0 */
/* plans.c - usage plans: which keys may call which stages, how fast and how often.
 *
 * apigw.plankey (plan, key) and apigw.keyplan (key, plan) hold who is in which plan, from both sides. Throttles of single methods
 * are kept by "/PATH/VERB". */
#include "svc/apigateway/apigateway_int.h"
#include <errno.h>
#include <math.h>

#define DAY_MS 86400000LL
#define DAYS_MAX 366
#define QUOTA_MAX 2147483647

static int check_throttle(struct call *c, const struct apigw_rec_throttle *t)
{
	if (t && (t->burst_limit.v < 0 || t->rate_limit.v < 0 || !isfinite(t->rate_limit.v)))
		return call_fail(c, &apigateway_err_bad_request, "Usage Plan throttle rate and burst limits must be non-negative");
	return 0;
}

static int check_quota(struct call *c, const struct apigw_rec_quota *q)
{
	int64_t days;

	if (!q)
		return 0;
	days = str_is(q->period, "DAY") ? 1 : str_is(q->period, "WEEK") ? 7 : str_is(q->period, "MONTH") ? 28 : 0;
	if (!days)
		return call_fail(c, &apigateway_err_bad_request, "Usage Plan quota period must be one of DAY, WEEK, MONTH");
	if (!q->limit.has || q->limit.v < 1 || q->limit.v > QUOTA_MAX)
		return call_fail(c, &apigateway_err_bad_request, "Usage Plan quota limit must be greater than 0");
	if (q->offset.v < 0 || q->offset.v >= (days == 1 ? 1 : days))
		return call_fail(c, &apigateway_err_bad_request, "Usage Plan quota offset must be zero in the %.*s period or lie within it",
				 STR(q->period));
	return 0;
}

static int check(struct call *c, struct apigw_rec_usage_plan *p)
{
	int r = check_throttle(c, p->throttle);

	if (r == 0)
		r = check_quota(c, p->quota);
	if (r == 0)
		r = apigw_check_tags(c, &p->tags);
	if (r == 0 && !p->name.n)
		return call_fail(c, &apigateway_err_bad_request, "Usage Plan name cannot be blank");
	for (size_t i = 0; r == 0 && i < p->api_stages.n; i++) {
		const struct apigw_rec_api_stage *s = &p->api_stages.v[i];

		if (!s->api_id.n || !s->stage.n)
			return call_fail(c, &apigateway_err_bad_request, "API stages need an API id and a stage name");
		for (size_t j = 0; j < s->throttle.n && r == 0; j++)
			r = check_throttle(c, &s->throttle.v[j].value);
		for (size_t j = 0; j < i; j++)
			if (str_eq(p->api_stages.v[j].api_id, s->api_id) && str_eq(p->api_stages.v[j].stage, s->stage))
				return call_fail(c, &apigateway_err_conflict, "Usage plan already contains API stage %.*s:%.*s",
						 STR(s->api_id), STR(s->stage));
	}
	return r;
}

static int check_stage(struct call *c, struct str api, struct str stage)
{
	struct apigw_rec_stage st;
	int r = apigw_get(c, &apigw_stage_kind, api, stage, &st);

	return r == -ENOENT ? call_fail(c, &apigateway_err_not_found, "API Stage not found: %.*s:%.*s", STR(api), STR(stage)) : r;
}

/* "/path/VERB", whether it came with a slash in front, escaped, or neither; of the root "//VERB". */
static struct str throttle_key(struct call *c, struct str path, struct str verb)
{
	return str_printf(c->arena, "/%.*s", STR(apigw_method_key(c->arena, path, verb)));
}

static void normal_keys(struct call *c, struct apigw_rec_usage_plan *p)
{
	for (size_t i = 0; i < p->api_stages.n; i++)
		for (size_t j = 0; j < p->api_stages.v[i].throttle.n; j++) {
			struct str *key = &p->api_stages.v[i].throttle.v[j].key, path, verb;
			ptrdiff_t at = str_rfind_char(*key, '/');

			if (at < 0)
				continue;
			path = str_of(key->p, (size_t)at);
			verb = str_skip(*key, (size_t)at + 1);
			*key = throttle_key(c, path, verb);
		}
}

APIGW_HANDLER(create_usage_plan, create_usage_plan_request, usage_plan)
{
	struct apigw_rec_usage_plan p = { 0 };
	int r;

	apigw_in(c, in, APIGW_REC_USAGE_PLAN, &p);
	normal_keys(c, &p);
	r = check(c, &p);
	for (size_t i = 0; r == 0 && i < p.api_stages.n; i++)
		r = check_stage(c, p.api_stages.v[i].api_id, p.api_stages.v[i].stage);
	if (r == 0)
		r = apigw_count(c, &apigw_plan_kind, STR_NONE, APIGW_PLANS_MAX);
	if (r >= APIGW_PLANS_MAX)
		return call_fail(c, &apigateway_err_limit_exceeded, "Maximum number of usage plans of this account reached: %d",
				 APIGW_PLANS_MAX);
	if (r < 0)
		return r;
	p.id = apigw_id(c, APIGW_PART_ID_CHARS);
	if (!p.api_stages.v)
		p.api_stages.v = arena_alloc(c->arena, sizeof *p.api_stages.v);
	r = apigw_put(c, &apigw_plan_kind, p.id, STR_NONE, &p);
	if (r == 0)
		apigw_out(c, APIGW_REC_USAGE_PLAN, &p, out);
	return r;
}

APIGW_HANDLER(get_usage_plan, get_usage_plan_request, usage_plan)
{
	struct apigw_rec_usage_plan p;
	int r = apigw_part(c, &apigw_plan_kind, in->usage_plan_id, STR_NONE, &p);

	if (r == 0)
		apigw_out(c, APIGW_REC_USAGE_PLAN, &p, out);
	return r;
}

static int has_key(struct call *c, struct str plan, struct str key)
{
	struct keybuf k;
	struct str v;

	apigw_key(&k, c->account, "apigw.plankey", plan, key);
	return store_get(c->txn, key_view(&k), &v);
}

static int with_key(struct call *c, void *rec, void *arg)
{
	const struct apigw_rec_usage_plan *p = rec;
	const struct str *key = arg;
	int r = key->n ? has_key(c, p->id, *key) : 0;

	return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

APIGW_HANDLER(get_usage_plans, get_usage_plans_request, usage_plans)
{
	struct str key = in->key_id;

	return apigw_list(c, &apigw_plan_kind, STR_NONE, in->position, in->limit, with_key, &key, out);
}

/* --- patches of "/apiStages" --- */
static bool is_stages(struct str path)
{
	return str_is(path, "/apiStages");
}

static struct apigw_rec_api_stage *stage_of(struct apigw_rec_usage_plan *p, struct str name)
{
	struct str api, stage;

	(void)str_cut(name, ':', &api, &stage);
	for (size_t i = 0; i < p->api_stages.n; i++)
		if (str_eq(p->api_stages.v[i].api_id, api) && str_eq(p->api_stages.v[i].stage, stage))
			return &p->api_stages.v[i];
	return NULL;
}

static int change_stages(struct call *c, void *rec, enum apigw_patch_op op, const struct apigateway_patch_operation *o)
{
	struct apigw_rec_usage_plan *p = rec;
	struct apigw_rec_api_stage *s = stage_of(p, o->value), *v;
	struct str api, stage;

	if (!str_cut(o->value, ':', &api, &stage) || !api.n || !stage.n)
		return call_fail(c, &apigateway_err_bad_request, "Invalid API Stage specified: '%.*s'. Must be in the form apiId:stage",
				 STR(o->value));
	if (op == APIGW_REMOVE) {
		if (!s)
			return call_fail(c, &apigateway_err_not_found, "API Stage not found: %.*s", STR(o->value));
		memmove(s, s + 1, (size_t)(p->api_stages.v + p->api_stages.n - s - 1) * sizeof *s);
		p->api_stages.n--;
		return 0;
	}
	v = arena_array(c->arena, struct apigw_rec_api_stage, p->api_stages.n + 1);
	if (p->api_stages.n)
		memcpy(v, p->api_stages.v, p->api_stages.n * sizeof *v);
	v[p->api_stages.n].api_id = api;
	v[p->api_stages.n].stage = stage;
	p->api_stages.v = v;
	p->api_stages.n++;
	return check_stage(c, api, stage);
}

static bool is_stage_throttle(struct str path)
{
	return str_starts(path, S("/apiStages/")) && str_find(path, S("/throttle")) > 0;
}

/* "/apiStages/API:STAGE/throttle[/PATH/VERB[/rateLimit]]" */
static int change_stage_throttle(struct call *c, void *rec, enum apigw_patch_op op, const struct apigateway_patch_operation *o)
{
	static const struct apigw_rule members[] = { { "/burstLimit", APIGW_REPLACE }, { "/rateLimit", APIGW_REPLACE }, { NULL } };
	struct apigateway_patch_operation inner = { .op = S("replace"), .value = o->value };
	struct str rest = str_skip(o->path, strlen("/apiStages/")), name, word, path, verb, member;
	struct apigw_rec_api_stage *s;
	struct apigw_rec_throttle *t;
	ptrdiff_t at;

	(void)str_next(&rest, '/', &name);
	(void)str_next(&rest, '/', &word);
	s = stage_of(rec, name);
	if (!s || !str_is(word, "throttle"))
		return call_fail(c, &apigateway_err_not_found, "API Stage not found: %.*s", STR(name));
	if (!rest.p) {
		if (op != APIGW_REMOVE)
			return call_fail(c, &apigateway_err_bad_request, "Invalid patch path '%.*s'", STR(o->path));
		s->throttle.n = 0;
		return 0;
	}
	at = str_rfind_char(rest, '/');
	member = op == APIGW_REMOVE || at < 0 ? STR_NONE : str_skip(rest, (size_t)at + 1);
	path = member.p ? str_of(rest.p, (size_t)at) : rest;
	at = str_rfind_char(path, '/');
	if (at < 0)
		return call_fail(c, &apigateway_err_bad_request, "Invalid patch path '%.*s'", STR(o->path));
	verb = str_skip(path, (size_t)at + 1);
	path = throttle_key(c, str_of(path.p, (size_t)at), verb);
	if (op == APIGW_REMOVE) {
		(void)apigw_map_remove(&s->throttle, sizeof *t, path);
		return 0;
	}
	if (!str_is(member, "rateLimit") && !str_is(member, "burstLimit"))
		return call_fail(c, &apigateway_err_bad_request, "Invalid patch path '%.*s'", STR(o->path));
	t = apigw_map_value(c->arena, &s->throttle, sizeof *t, path, true);
	inner.path = str_printf(c->arena, "/%.*s", STR(member));
	return apigw_patch(c, APIGW_REC_THROTTLE, t, &(struct apigateway_patch_operation_list){ &inner, 1 }, members);
}

static const struct apigw_rule rules[] = {
	{ "/apiStages", APIGW_ADD | APIGW_REMOVE, is_stages, change_stages },
	{ "/apiStages/{apiId:stage}/throttle/{resourcePath}/{httpMethod}", APIGW_ADD | APIGW_REPLACE | APIGW_REMOVE, is_stage_throttle,
	  change_stage_throttle },
	{ "/description", APIGW_REPLACE | APIGW_REMOVE },
	{ "/name", APIGW_REPLACE },
	{ "/productCode", APIGW_REPLACE | APIGW_REMOVE },
	{ "/quota", APIGW_REMOVE },
	{ "/quota/limit", APIGW_ADD | APIGW_REPLACE },
	{ "/quota/offset", APIGW_ADD | APIGW_REPLACE },
	{ "/quota/period", APIGW_ADD | APIGW_REPLACE },
	{ "/throttle", APIGW_REMOVE },
	{ "/throttle/burstLimit", APIGW_ADD | APIGW_REPLACE },
	{ "/throttle/rateLimit", APIGW_ADD | APIGW_REPLACE },
	{ NULL },
};

APIGW_HANDLER(update_usage_plan, update_usage_plan_request, usage_plan)
{
	struct apigw_rec_usage_plan p;
	int r = apigw_part(c, &apigw_plan_kind, in->usage_plan_id, STR_NONE, &p);

	if (r == 0)
		r = apigw_patch(c, APIGW_REC_USAGE_PLAN, &p, &in->patch_operations, rules);
	if (r == 0)
		r = check(c, &p);
	if (r == 0)
		r = apigw_put(c, &apigw_plan_kind, p.id, STR_NONE, &p);
	if (r == 0)
		apigw_out(c, APIGW_REC_USAGE_PLAN, &p, out);
	return r;
}

int apigw_set_member(struct call *c, struct str plan, struct str key, bool in)
{
	struct keybuf a, b;
	int r;

	apigw_key(&a, c->account, "apigw.plankey", plan, key);
	apigw_key(&b, c->account, "apigw.keyplan", key, plan);
	r = in ? store_put(c->txn, key_view(&a), key) : store_del(c->txn, key_view(&a));
	if (r == 0)
		r = in ? store_put(c->txn, key_view(&b), plan) : store_del(c->txn, key_view(&b));
	return r;
}

int apigw_members(struct call *c, const char *table, struct str of, struct str_list *ret)
{
	struct store_range range = { 0 };
	struct str key, value;
	struct keybuf k;
	size_t cap = 0;
	int r;

	*ret = (struct str_list){ 0 };
	apigw_key(&k, c->account, table, of, STR_NONE);
	r = store_range_open(&range, c->txn, key_view(&k), STR_NONE, false);
	while (r == 0 && (r = store_range_next(&range, &key, &value)) == 1) {
		r = 0;
		vec_push(c->arena, ret->v, ret->n, cap) = str_dup(c->arena, value);
	}
	store_range_close(&range);
	return r;
}

APIGW_HANDLER(delete_usage_plan, delete_usage_plan_request, delete_usage_plan_response)
{
	struct apigw_rec_usage_plan p;
	struct apigw_rec_stage st;
	struct str_list keys;
	int r = apigw_part(c, &apigw_plan_kind, in->usage_plan_id, STR_NONE, &p);

	for (size_t i = 0; r == 0 && i < p.api_stages.n; i++) {
		r = apigw_get(c, &apigw_stage_kind, p.api_stages.v[i].api_id, p.api_stages.v[i].stage, &st);
		if (r == 0)
			return call_fail(c, &apigateway_err_bad_request,
					 "Cannot delete usage plan %.*s while it is associated with API stage %.*s:%.*s", STR(p.id),
					 STR(p.api_stages.v[i].api_id), STR(p.api_stages.v[i].stage));
		r = r == -ENOENT ? 0 : r;
	}
	if (r == 0)
		r = apigw_members(c, "apigw.plankey", p.id, &keys);
	for (size_t i = 0; r == 0 && i < keys.n; i++)
		r = apigw_set_member(c, p.id, keys.v[i], false);
	if (r == 0)
		r = apigw_drop_all(c, "apigw.usage", p.id);
	return r == 0 ? apigw_del(c, &apigw_plan_kind, p.id, STR_NONE) : r;
}

/* --- keys of a plan --- */
static int key_out(struct call *c, struct str id, struct apigateway_usage_plan_key *out)
{
	struct apigw_rec_api_key k;
	int r = apigw_get(c, &apigw_key_kind, id, STR_NONE, &k);

	if (r < 0)
		return r;
	out->id = k.id;
	out->type = S("API_KEY");
	out->name = k.name;
	return apigw_key_value(c, &k, &out->value);
}

/* A key has one plan for a stage. */
static int check_one_plan(struct call *c, const struct apigw_rec_usage_plan *p, struct str key)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->api_stages.n; i++) {
		struct apigw_rec_usage_plan other;

		r = apigw_load_plan(c->txn, c->arena, c->account, key, p->api_stages.v[i].api_id, p->api_stages.v[i].stage, &other);
		if (r == 0)
			return call_fail(c, &apigateway_err_conflict,
					 "Usage Plan %.*s cannot be added because API Key cannot reference multiple Usage Plans with the "
					 "same API stage: %.*s:%.*s",
					 STR(p->id), STR(p->api_stages.v[i].api_id), STR(p->api_stages.v[i].stage));
		r = r == -ENOENT ? 0 : r;
	}
	return r;
}

int apigw_plan_join(struct call *c, const struct apigw_rec_usage_plan *p, struct str key)
{
	int r = has_key(c, p->id, key);

	if (r == 0)
		return call_fail(c, &apigateway_err_conflict, "This key is already associated with the usage plan %.*s", STR(p->id));
	if (r == -ENOENT)
		r = check_one_plan(c, p, key);
	return r == 0 ? apigw_set_member(c, p->id, key, true) : r;
}

APIGW_HANDLER(create_usage_plan_key, create_usage_plan_key_request, usage_plan_key)
{
	struct apigw_rec_usage_plan p;
	struct apigw_rec_api_key k;
	int r = apigw_part(c, &apigw_plan_kind, in->usage_plan_id, STR_NONE, &p);

	if (r == 0 && !str_is(in->key_type, "API_KEY"))
		return call_fail(c, &apigateway_err_bad_request, "Usage Plan Key type must be API_KEY");
	if (r == 0)
		r = apigw_part(c, &apigw_key_kind, in->key_id, STR_NONE, &k);
	if (r == 0)
		r = apigw_plan_join(c, &p, k.id);
	return r == 0 ? key_out(c, k.id, out) : r;
}

static int find_member(struct call *c, struct str plan, struct str key)
{
	struct apigw_rec_usage_plan p;
	int r = apigw_part(c, &apigw_plan_kind, plan, STR_NONE, &p);

	if (r == 0)
		r = has_key(c, plan, key);
	return r == -ENOENT ? call_fail(c, &apigateway_err_not_found, "Invalid Usage Plan Key ID specified") : r;
}

APIGW_HANDLER(get_usage_plan_key, get_usage_plan_key_request, usage_plan_key)
{
	int r = find_member(c, in->usage_plan_id, in->key_id);

	return r == 0 ? key_out(c, in->key_id, out) : r;
}

APIGW_HANDLER(get_usage_plan_keys, get_usage_plan_keys_request, usage_plan_keys)
{
	size_t max = in->limit.has && in->limit.v > 0 && in->limit.v <= APIGW_PAGE_MAX ? (size_t)in->limit.v : APIGW_PAGE, cap = 0;
	struct str after = STR_NONE;
	struct apigw_rec_usage_plan p;
	struct str_list ids;
	int r = apigw_part(c, &apigw_plan_kind, in->usage_plan_id, STR_NONE, &p);

	if (r == 0 && in->position.n && page_parse(c, in->position, &after) < 0)
		return call_fail(c, &apigateway_err_bad_request, "Invalid position parameter specified");
	if (r == 0)
		r = apigw_members(c, "apigw.plankey", p.id, &ids);
	if (r < 0)
		return r;
	out->items.v = arena_array(c->arena, struct apigateway_usage_plan_key, 1);
	cap = 1;
	for (size_t i = 0; i < ids.n && r == 0; i++) {
		struct apigateway_usage_plan_key one = { 0 };

		if (after.p && str_cmp(ids.v[i], after) <= 0)
			continue;
		r = key_out(c, ids.v[i], &one);
		if (r == -ENOENT || (r == 0 && in->name_query.n && !str_starts(one.name, in->name_query))) {
			r = 0;
			continue;
		}
		if (out->items.n == max) {
			out->position = page_token(c, out->items.v[max - 1].id);
			break;
		}
		vec_push(c->arena, out->items.v, out->items.n, cap) = one;
	}
	return r;
}

APIGW_HANDLER(delete_usage_plan_key, delete_usage_plan_key_request, delete_usage_plan_key_response)
{
	int r = find_member(c, in->usage_plan_id, in->key_id);

	return r == 0 ? apigw_set_member(c, in->usage_plan_id, in->key_id, false) : r;
}

/* --- quotas and usage --- */
static struct str day_of(struct arena *a, int64_t ms)
{
	struct str t = time_iso(a, ms);

	return str_of(t.p, 10);
}

int64_t apigw_period_start(const struct apigw_rec_quota *q, int64_t now_ms)
{
	int64_t day = now_ms / DAY_MS;

	if (str_is(q->period, "WEEK")) /* weeks begin on Sunday; 1970-01-01 was a Thursday */
		return (day - (day + 4) % 7) * DAY_MS;
	if (str_is(q->period, "MONTH")) {
		char buf[64];
		struct arena a = { 0 };
		struct str t = time_iso(&a, now_ms);
		int64_t start = day * DAY_MS;

		memcpy(buf, t.p, 8);
		memcpy(buf + 8, "01T00:00:00Z", 12);
		(void)time_parse_iso(str_of(buf, 20), &start);
		arena_done(&a);
		return start;
	}
	return day * DAY_MS;
}

int apigw_quota_left(struct store_txn *t, struct arena *a, struct str account, const struct apigw_rec_usage_plan *p, struct str key_id,
		     int64_t now_ms, int64_t *ret)
{
	int64_t start, left;

	*ret = INT64_MAX;
	if (!p->quota)
		return 0;
	start = apigw_period_start(p->quota, now_ms);
	left = p->quota->limit.v - p->quota->offset.v;
	for (int64_t d = start; d <= now_ms; d += DAY_MS) {
		struct apigw_rec_usage u;
		int r = apigw_load_usage(t, a, account, p->id, key_id, day_of(a, d), &u);

		if (r < 0)
			return r;
		left -= u.used.v - u.extension.v;
	}
	*ret = left > 0 ? left : 0;
	return 0;
}

static int parse_day(struct call *c, struct str s, const char *what, int64_t *ret)
{
	struct str t = str_printf(c->arena, "%.*sT00:00:00Z", STR(s));

	if (s.n != 10 || time_parse_iso(t, ret) < 0)
		return call_fail(c, &apigateway_err_bad_request, "Invalid %s format specified: must be YYYY-MM-DD", what);
	return 0;
}

/* One key's days: pairs of what was used and what was left at the day's end. */
static int key_days(struct call *c, const struct apigw_rec_usage_plan *p, struct str key, int64_t from, int64_t to,
		    struct apigateway_usage *out)
{
	struct apigateway_map_of_key_usages_map_entry *e;
	size_t n = (size_t)((to - from) / DAY_MS + 1);
	struct opt_int_list *days = arena_array(c->arena, struct opt_int_list, n);
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct apigw_rec_usage u;
		int64_t day = from + (int64_t)i * DAY_MS, left;

		r = apigw_load_usage(c->txn, c->arena, c->account, p->id, key, day_of(c->arena, day), &u);
		if (r == 0)
			r = apigw_quota_left(c->txn, c->arena, c->account, p, key, day + DAY_MS - 1, &left);
		days[i] = (struct opt_int_list){ arena_array(c->arena, struct opt_int, 2), 2 };
		days[i].v[0] = OPT_INT(u.used.v);
		days[i].v[1] = OPT_INT(p->quota ? left : 0);
	}
	e = arena_grow(c->arena, out->items.v, out->items.n * sizeof *e, (out->items.n + 1) * sizeof *e);
	out->items.v = e;
	e += out->items.n++;
	*e = (struct apigateway_map_of_key_usages_map_entry){ .key = key };
	e->value.v = (void *)days;
	e->value.n = n;
	return r;
}

static int usage(struct call *c, struct str plan, struct str key, struct str start, struct str end, struct apigateway_usage *out)
{
	struct apigw_rec_usage_plan p;
	struct str_list keys;
	int64_t from, to;
	int r = apigw_part(c, &apigw_plan_kind, plan, STR_NONE, &p);

	if (r == 0)
		r = parse_day(c, start, "startDate", &from);
	if (r == 0)
		r = parse_day(c, end, "endDate", &to);
	if (r == 0)
		r = apigw_members(c, "apigw.plankey", p.id, &keys);
	if (r < 0)
		return r;
	if (to < from || (to - from) / DAY_MS >= DAYS_MAX)
		return call_fail(c, &apigateway_err_bad_request,
				 "Invalid date range specified: endDate must be at most a year after startDate");
	out->usage_plan_id = p.id;
	out->start_date = start;
	out->end_date = end;
	out->items.v = arena_alloc(c->arena, sizeof *out->items.v);
	for (size_t i = 0; r == 0 && i < keys.n; i++)
		if (!key.n || str_eq(keys.v[i], key))
			r = key_days(c, &p, keys.v[i], from, to, out);
	return r;
}

APIGW_HANDLER(get_usage, get_usage_request, usage)
{
	return usage(c, in->usage_plan_id, in->key_id, in->start_date, in->end_date, out);
}

APIGW_HANDLER(update_usage, update_usage_request, usage)
{
	struct apigw_rec_usage_plan p;
	struct apigw_rec_usage u;
	struct str first, today = day_of(c->arena, c->now_ms);
	int64_t left, wanted;
	struct keybuf k;
	int r = apigw_part(c, &apigw_plan_kind, in->usage_plan_id, STR_NONE, &p);

	if (r == 0)
		r = find_member(c, p.id, in->key_id);
	if (r < 0)
		return r;
	if (!p.quota)
		return call_fail(c, &apigateway_err_bad_request, "Usage plan %.*s has no quota", STR(p.id));
	for (size_t i = 0; i < in->patch_operations.n; i++) {
		const struct apigateway_patch_operation *o = &in->patch_operations.v[i];

		if (!str_is(o->op, "replace") || !str_is(o->path, "/remaining"))
			return call_fail(c, &apigateway_err_bad_request,
					 "Invalid patch path  '%.*s' specified for op '%.*s'. Must be one of: [/remaining]", STR(o->path),
					 STR(o->op));
		if (str_to_i64(o->value, &wanted) < 0 || wanted < 0 || wanted > QUOTA_MAX)
			return call_fail(c, &apigateway_err_bad_request, "Invalid value '%.*s' specified for patch path '/remaining'",
					 STR(o->value));
		r = apigw_quota_left(c->txn, c->arena, c->account, &p, in->key_id, c->now_ms, &left);
		first = day_of(c->arena, apigw_period_start(p.quota, c->now_ms));
		if (r == 0)
			r = apigw_load_usage(c->txn, c->arena, c->account, p.id, in->key_id, first, &u);
		if (r < 0)
			return r;
		u.extension = OPT_INT(u.extension.v + wanted - left);
		apigw_usage_key(&k, c->account, p.id, in->key_id, first);
		r = record_put(c->txn, &apigw_records, APIGW_REC_USAGE, &k, &u);
		if (r < 0)
			return r;
	}
	return usage(c, p.id, in->key_id, today, today, out);
}
