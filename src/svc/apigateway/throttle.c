/* SPDX-License-Identifier: Apache-2.0 */
/* throttle.c - API keys, usage plans, rates and quotas.
 *
 * Rates are token buckets in memory: of the account in a region, of a method of a stage, of a key in a plan, of a key in a plan at
 * a method. Quotas count a key's requests in a plan: in memory, written to the store every second or so (what a crash loses is
 * that second), read back from it, so that UpdateUsage counts. Source: "Throttle requests to your REST APIs", "Usage plans and API
 * keys for REST APIs". */
#include "svc/apigateway/front.h"
#include <errno.h>
#include <pthread.h>

#define SLOTS 4096
#define BUCKETS_MAX 50000
#define COUNTERS_MAX 50000
#define READ_BACK_MS 500 /* how old a snapshot of a visit may be */
#define DAY_MS 86400000ll

struct bucket {
	struct bucket *next;
	double tokens, burst;
	int64_t at_ms;
	size_t key_n;
	char key[];
};
struct counter {
	struct counter *next;
	int64_t period_start;      /* day number */
	int64_t base, since;       /* used: as the store knew, and since then */
	int64_t unwritten, day;    /* of that day */
	int64_t read_ms, wrote_ms; /* monotonic */
	bool writing;
	struct region *region;
	char account[16], plan[32], id[32];
};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct bucket *buckets[SLOTS];
static size_t n_buckets;
static struct counter *counters[SLOTS];
static size_t n_counters;

static uint32_t slot_of(struct str s)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * 16777619u;
	return h % SLOTS;
}

/* forget_full drops buckets that have filled up again: they tell nothing. */
static void forget_full(int64_t now)
{
	for (size_t i = 0; i < SLOTS; i++)
		for (struct bucket **p = &buckets[i], *b; (b = *p);) {
			if (now - b->at_ms < 60000) {
				p = &b->next;
				continue;
			}
			*p = b->next;
			free(b);
			n_buckets--;
		}
}

/* take takes one token. false: there is none. */
static bool take(struct str key, double rate, double burst, int64_t now)
{
	struct bucket **p = &buckets[slot_of(key)], *b;
	bool ok;

	pthread_mutex_lock(&lock);
	for (b = *p; b && !str_eq(str_of(b->key, b->key_n), key); b = b->next)
		;
	if (!b) {
		if (n_buckets >= BUCKETS_MAX)
			forget_full(now);
		b = xmalloc(sizeof *b + key.n);
		*b = (struct bucket){ .next = *p, .tokens = burst, .burst = burst, .at_ms = now, .key_n = key.n };
		memcpy(b->key, key.p, key.n);
		*p = b;
		n_buckets++;
	}
	if (now > b->at_ms)
		b->tokens += rate * (double)(now - b->at_ms) / 1000;
	b->at_ms = now;
	b->burst = burst;
	if (b->tokens > burst)
		b->tokens = burst;
	ok = b->tokens >= 1;
	if (ok)
		b->tokens -= 1;
	pthread_mutex_unlock(&lock);
	return ok;
}

/* --- quotas --- */
/* civil: year, month (1-12), day of a day number since 1970-01-01. */
static void civil(int64_t days, int64_t *y, int *m, int *d)
{
	int64_t z = days + 719468, era = z / 146097, doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365, doy = doe - (365 * yoe + yoe / 4 - yoe / 100),
		mp = (5 * doy + 2) / 153;

	*d = (int)(doy - (153 * mp + 2) / 5 + 1);
	*m = (int)(mp < 10 ? mp + 3 : mp - 9);
	*y = yoe + era * 400 + (*m <= 2);
}

static struct str day_text(struct arena *a, int64_t day)
{
	int64_t y;
	int m, d;

	civil(day, &y, &m, &d);
	return str_printf(a, "%04lld-%02d-%02d", (long long)y, m, d);
}

static int64_t period_start(struct str period, int64_t today)
{
	int64_t y;
	int m, d;

	if (str_is(period, "WEEK")) /* Sunday; 1970-01-01 was a Thursday */
		return today - (today + 4) % 7;
	if (!str_is(period, "MONTH"))
		return today;
	civil(today, &y, &m, &d);
	return today - d + 1;
}

/* stored: what the store knows of the period: used, less what UpdateUsage granted. *ret_first: nothing was used before it. */
static int stored(struct visit *v, struct call *c, const struct apigw_rec_usage_plan *plan, int64_t start, int64_t today, int64_t *ret,
		  bool *ret_first)
{
	struct store_range range = { 0 };
	struct apigw_rec_usage u;
	struct keybuf prefix, first;
	struct str key, value;
	int r = 0;

	*ret = 0;
	for (int64_t day = start; day <= today && r == 0; day++) {
		r = apigw_load_usage(c->txn, v->a, v->account, plan->id, v->key.id, day_text(v->a, day), &u);
		*ret += u.used.v - u.extension.v;
	}
	if (r < 0)
		return r;
	apigw_key(&prefix, v->account, "apigw.usage", plan->id, v->key.id);
	apigw_usage_key(&first, v->account, plan->id, v->key.id, day_text(v->a, start));
	r = store_range_open(&range, c->txn, key_view(&prefix), STR_NONE, false);
	if (r == 0)
		r = store_range_next(&range, &key, &value);
	*ret_first = r == 0 || (r == 1 && str_cmp(key, key_view(&first)) >= 0);
	store_range_close(&range);
	return r < 0 ? r : 0;
}

static struct counter *counter_of(struct visit *v, struct str plan, uint32_t *ret_slot)
{
	struct str key = str_printf(v->a, "%.*s/%.*s/%.*s", STR(v->region->name), STR(plan), STR(v->key.id));
	struct counter *k;

	*ret_slot = slot_of(key);
	for (k = counters[*ret_slot]; k; k = k->next)
		if (k->region == v->region && str_eq(str_c(k->plan), plan) && str_eq(str_c(k->id), v->key.id))
			return k;
	return NULL;
}

static void put_text(char *to, size_t n, struct str s)
{
	(void)snprintf(to, n, "%.*s", STR(s));
}

static bool quota_left(struct visit *v, struct call *c, const struct apigw_rec_usage_plan *plan)
{
	int64_t today = v->now_ms / DAY_MS, start = period_start(plan->quota->period, today), base = 0, limit = plan->quota->limit.v;
	int64_t mono = clock_mono_ms();
	bool first, ok = false;
	struct counter *k;
	uint32_t slot;

	if (stored(v, c, plan, start, today, &base, &first) < 0)
		return false;
	if (first)
		limit -= plan->quota->offset.v;
	pthread_mutex_lock(&lock);
	k = counter_of(v, plan->id, &slot);
	if (!k && n_counters < COUNTERS_MAX) {
		k = xzalloc(sizeof *k);
		*k = (struct counter){ .next = counters[slot], .period_start = start, .base = base, .region = v->region, .day = today };
		put_text(k->account, sizeof k->account, v->account);
		put_text(k->plan, sizeof k->plan, plan->id);
		put_text(k->id, sizeof k->id, v->key.id);
		counters[slot] = k;
		n_counters++;
	}
	if (k) {
		bool all_stored = !k->unwritten && !k->writing && mono - k->wrote_ms > READ_BACK_MS;

		if (k->period_start != start || all_stored) {
			k->base = base;
			k->since = 0;
			k->period_start = start;
		}
		if (k->day != today && !k->unwritten)
			k->day = today;
		ok = k->base + k->since < limit;
		if (ok) {
			k->since++;
			k->unwritten++;
		}
	}
	pthread_mutex_unlock(&lock);
	return ok;
}

/* --- writing usage --- */
struct write {
	struct counter *k;
	int64_t n;
	struct arena arena;
};

static int add_usage(struct store_txn *t, void *arg)
{
	struct write *w = arg;
	struct apigw_rec_usage u;
	struct keybuf k;
	struct str day = day_text(&w->arena, w->k->day);
	int r = apigw_load_usage(t, &w->arena, str_c(w->k->account), str_c(w->k->plan), str_c(w->k->id), day, &u);

	if (r < 0)
		return r;
	u.used = OPT_INT(u.used.v + w->n);
	apigw_usage_key(&k, str_c(w->k->account), str_c(w->k->plan), str_c(w->k->id), day);
	return record_put(t, &apigw_records, APIGW_REC_USAGE, &k, &u);
}

void throttle_flush(struct cloud *cl, struct region *r)
{
	for (size_t i = 0; i < SLOTS; i++) {
		pthread_mutex_lock(&lock);
		for (struct counter *k = counters[i]; k; k = k->next) { /* counters are never freed while the cloud is open */
			struct write w = { .k = k, .n = k->unwritten };

			if (k->region != r || !w.n)
				continue;
			k->writing = true;
			pthread_mutex_unlock(&lock);
			int e = store_write(r->store, add_usage, &w);
			arena_done(&w.arena);
			pthread_mutex_lock(&lock);
			k->writing = false;
			k->wrote_ms = clock_mono_ms();
			if (e == 0)
				k->unwritten -= w.n;
		}
		pthread_mutex_unlock(&lock);
	}
}

/* --- the step --- */
/* setting of a stage for the visit's method: keys are "PATH/METHOD" with "~1" for slashes, or "*" of either. */
const struct apigw_rec_method_setting *visit_setting(struct visit *v)
{
	const struct apigw_rec_method_setting_map *m = &v->stage.method_settings;
	const struct apigw_rec_method_setting *best = NULL;
	int best_score = -1;

	for (size_t i = 0; i < m->n; i++) {
		struct str key = str_replace(v->a, m->v[i].key, S("~1"), S("/")), path, method;
		ptrdiff_t slash = str_rfind_char(key, '/');
		int score = 0;

		if (slash < 0)
			continue;
		path = str_of(key.p, (size_t)slash);
		method = str_skip(key, (size_t)slash + 1);
		if (path.n && path.p[0] == '/')
			path = str_skip(path, 1);
		if (str_eq(path, str_skip(v->m->resource->path, 1)))
			score += 2;
		else if (!str_is(path, "*"))
			continue;
		if (str_eq(method, v->method))
			score += 1;
		else if (!str_is(method, "*"))
			continue;
		if (score > best_score) {
			best = &m->v[i].value;
			best_score = score;
		}
	}
	return best;
}

static bool method_rate(struct visit *v)
{
	const struct apigw_rec_method_setting *s = visit_setting(v);

	if (!s || !s->throttling_rate_limit.has || s->throttling_rate_limit.v < 0 || !s->throttling_burst_limit.has ||
	    s->throttling_burst_limit.v < 0)
		return true;
	return take(str_printf(v->a, "m/%.*s/%.*s/%.*s/%.*s/%.*s", STR(v->region->name), STR(v->api), STR(v->stage_name),
			       STR(v->m->resource->id), STR(v->method)),
		    s->throttling_rate_limit.v, (double)s->throttling_burst_limit.v, v->now_ms);
}

static bool same_method(struct str key, struct str method) /* with or without a slash in front */
{
	return str_eq(key.n && key.p[0] == '/' ? str_skip(key, 1) : key, method);
}

static bool plan_rate(struct visit *v, const struct apigw_rec_usage_plan *plan)
{
	const struct apigw_rec_throttle *t = plan->throttle, *own = NULL;
	struct str key = str_printf(v->a, "p/%.*s/%.*s/%.*s", STR(v->region->name), STR(plan->id), STR(v->key.id));
	struct str method = str_printf(v->a, "%.*s/%.*s", STR(str_skip(v->m->resource->path, 1)), STR(v->method));

	for (size_t i = 0; i < plan->api_stages.n; i++) {
		const struct apigw_rec_api_stage *s = &plan->api_stages.v[i];

		if (!str_eq(s->api_id, v->api) || !str_eq(s->stage, v->stage_name))
			continue;
		for (size_t j = 0; j < s->throttle.n; j++)
			if (same_method(s->throttle.v[j].key, method))
				own = &s->throttle.v[j].value;
	}
	if (own) {
		t = own;
		key = str_printf(v->a, "%.*s/%.*s/%.*s/%.*s", STR(key), STR(v->api), STR(v->stage_name), STR(method));
	}
	if (!t || !t->rate_limit.has)
		return true;
	return take(key, t->rate_limit.v, t->burst_limit.has ? (double)t->burst_limit.v : t->rate_limit.v, v->now_ms);
}

static struct str key_sent(struct visit *v)
{
	return str_is(v->served->snap.api->api_key_source, "AUTHORIZER") ? v->usage_identifier : visit_header(v, S("x-api-key"));
}

/* open: the key, its plan, its rates and its quota. 1: refused with *ret_error. */
static int open_with_key(struct visit *v, struct call *c, enum gateway_error *ret_error)
{
	struct str value = key_sent(v);
	struct apigw_rec_usage_plan plan;
	int r;

	*ret_error = GW_INVALID_API_KEY;
	if (!value.n)
		return 1;
	r = apigw_load_key(v->cl, c->txn, v->a, v->account, value, &v->key);
	if (r == 0 && !v->key.enabled.v)
		r = -ENOENT;
	if (r == 0)
		r = apigw_load_plan(c->txn, v->a, v->account, v->key.id, v->api, v->stage_name, &plan);
	if (r < 0)
		return r == -ENOENT ? 1 : r;
	v->key_value = value;
	*ret_error = GW_THROTTLED;
	if (!plan_rate(v, &plan))
		return 1;
	*ret_error = GW_QUOTA_EXCEEDED;
	return plan.quota && plan.quota->limit.has && !quota_left(v, c, &plan);
}

static void log_key(struct visit *v, struct str key)
{
	struct str masked = visit_log_masked(v, key);

	v->log.completes = true;
	visit_log(v, EXEC_INFO, "Verifying Usage Plan for request: %.*s. API Key: %.*s API Stage: %.*s/%.*s", STR(v->f->facts.request_id),
		  STR(masked), STR(v->api), STR(v->stage_name));
	if (!v->m->m->api_key_required.v)
		visit_log(v, EXEC_INFO,
			  "API Key %.*s authorized because method '%.*s %.*s' does not require API Key. Request will not contribute to "
			  "throttle or quota limits",
			  STR(masked), STR(v->m->name), STR(v->m->resource->path));
}

static int refuse_key(struct visit *v, enum gateway_error error, struct str key)
{
	struct str masked = visit_log_masked(v, key);

	if (error == GW_INVALID_API_KEY)
		visit_log(v, EXEC_ERROR,
			  "API Key %.*s not authorized because method '%.*s %.*s' requires API Key and API Key is not associated with a "
			  "Usage Plan containing API Stage %.*s/%.*s",
			  STR(masked), STR(v->m->name), STR(v->m->resource->path), STR(v->api), STR(v->stage_name));
	else
		visit_log(v, EXEC_ERROR, "Usage Plan check failed for API Key %.*s and API Stage %.*s/%.*s: %s", STR(masked), STR(v->api),
			  STR(v->stage_name), error == GW_THROTTLED ? "Key throttle limit exceeded" : "Key quota limit exceeded");
	return visit_refuse(v, error, STR_NONE);
}

int visit_key(struct visit *v)
{
	struct str key = v->log.wants ? key_sent(v) : STR_NONE;
	enum gateway_error error;
	struct call c;
	int r;

	if (!take(str_printf(v->a, "a/%.*s/%.*s", STR(v->region->name), STR(v->account)), APIGW_ACCOUNT_RATE, APIGW_ACCOUNT_BURST,
		  v->now_ms))
		return visit_refuse(v, GW_THROTTLED, STR_NONE);
	if (v->stage.method_settings.n && !method_rate(v))
		return visit_refuse(v, GW_THROTTLED, STR_NONE);
	log_key(v, key);
	if (!v->m->m->api_key_required.v)
		return 0;
	r = front_call(v->f, v->region, &apigateway_service, &v->who, &c);
	if (r < 0)
		return r;
	r = open_with_key(v, &c, &error);
	front_call_end(&c);
	if (r == 0)
		visit_log(v, EXEC_INFO, "Usage Plan check succeeded for API Key %.*s and API Stage %.*s/%.*s",
			  STR(visit_log_masked(v, key)), STR(v->api), STR(v->stage_name));
	return r == 1 ? refuse_key(v, error, key) : r;
}

/* throttle_close forgets all: what was counted is written by then, or as lost as with a crash. */
void throttle_close(void)
{
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < SLOTS; i++) {
		for (struct bucket *b = buckets[i], *next; b; b = next) {
			next = b->next;
			free(b);
		}
		for (struct counter *k = counters[i], *next; k; k = next) {
			next = k->next;
			free(k);
		}
		buckets[i] = NULL;
		counters[i] = NULL;
	}
	n_buckets = n_counters = 0;
	pthread_mutex_unlock(&lock);
}
