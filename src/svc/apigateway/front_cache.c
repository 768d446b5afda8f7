/* SPDX-License-Identifier: Apache-2.0 */
/* front_cache.c - the response cache of stages: what backends have answered is kept for a while, by the parameters that the
 * integration names.
 *
 * Kept in memory, for all stages together. The key holds the API, the stage, the deployment, the integration's namespace, the
 * method, each cache key parameter with its length, and when the stage's cache was flushed. Who calls is no part of it, as on
 * AWS; that they may call was checked before. Source: "Cache settings for REST APIs in API Gateway". */
#include "svc/apigateway/front.h"
#include <errno.h>
#include <pthread.h>

#define SLOTS 1024
#define KEPT_BYTES_MAX (64u << 20)
#define ANSWER_BYTES_MAX 1048576 /* AWS's quota */
#define TTL_DEFAULT_S 300

struct kept {
	struct kept *next;
	uint8_t key[32];
	int64_t expires_ms;
	size_t bytes;
	struct arena arena; /* of what follows; k itself is not in it */
	struct visit_answer answer;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct kept *table[SLOTS];
static size_t n_bytes;

static struct kept **slot(const uint8_t key[32])
{
	return &table[(key[0] | key[1] << 8) % SLOTS];
}

static void drop(struct kept **p)
{
	struct kept *k = *p;

	*p = k->next;
	n_bytes -= k->bytes;
	arena_done(&k->arena);
	free(k);
}

static void copy_answer(struct arena *a, const struct visit_answer *from, struct visit_answer *to)
{
	*to = (struct visit_answer){ .status = from->status, .has_type = from->has_type };
	to->body = from->body.p ? str_dup(a, from->body) : S("");
	to->headers = arena_array(a, struct http_header, from->n + 1); /* room for one more */
	to->cap = from->n + 1;
	for (size_t i = 0; i < from->n; i++)
		if (!str_eq_ci(from->headers[i].name, S("x-amzn-trace-id")))
			to->headers[to->n++] = (struct http_header){ str_dup(a, from->headers[i].name),
								     str_dup(a, from->headers[i].value) };
}

static bool proxied(const struct visit *v)
{
	return str_ends(v->m->m->method_integration->type, S("_PROXY"));
}

/* setting: how the visit's method is cached; NULL: not at all. GET is unless it is said otherwise, others where it is said. */
static const struct apigw_rec_method_setting *setting(struct visit *v)
{
	const struct apigw_rec_method_setting_map *m = &v->stage.method_settings;
	const struct apigw_rec_method_setting *s;

	if (!v->stage.cache_cluster_enabled.v || !m->n)
		return NULL;
	s = visit_setting(v);
	if (!s || !s->caching_enabled.v || (s->cache_ttl_in_seconds.has && s->cache_ttl_in_seconds.v <= 0))
		return NULL;
	for (size_t i = 0; i < m->n && !str_is(v->method, "GET"); i++)
		if (&m->v[i].value == s && str_ends(m->v[i].key, S("/*")))
			return NULL;
	return s;
}

static void key_part(struct hash *h, struct str s)
{
	uint64_t n = s.p ? s.n : UINT64_MAX; /* what is absent is not what is empty */

	hash_add(h, &n, sizeof n);
	hash_add(h, s.p ? s.p : "", s.n);
}

static void make_key(struct visit *v, uint8_t key[32])
{
	const struct apigw_rec_integration *in = v->m->m->method_integration;
	const struct str *own[] = { &v->region->name, &v->api, &v->stage_name, &v->served->deployment, &in->cache_namespace, &v->method };
	int64_t flushed = v->stage.cache_flushed.ms;
	struct hash *h = hash_new(HASH_SHA256);

	for (size_t i = 0; i < ELEMENTS(own); i++)
		key_part(h, *own[i]);
	hash_add(h, &flushed, sizeof flushed);
	for (size_t i = 0; i < in->cache_key_parameters.n; i++) {
		struct str from = in->cache_key_parameters.v[i], mapped = str_map_get(&in->request_parameters, from);

		key_part(h, from);
		key_part(h, visit_request_value(v, mapped.p ? mapped : from));
	}
	(void)hash_end(h, key);
	hash_free(h);
}

/* wants_new: the client asks for a new answer. May refuse: VISIT_ANSWERED. *ret_may: and is allowed to. */
static int wants_new(struct visit *v, const struct apigw_rec_method_setting *s, bool *ret_may)
{
	struct str rest = visit_header(v, S("cache-control")), one, how = s->unauthorized_cache_control_header_strategy;
	bool asked = false;

	*ret_may = false;
	while (rest.p && str_next(&rest, ',', &one))
		asked = asked || str_eq_ci(str_trim(one), S("max-age=0"));
	if (!asked)
		return 0;
	*ret_may = !s->require_authorization_for_cache_control.v || visit_may(v, "execute-api:InvalidateCache");
	if (*ret_may)
		return 0;
	if (str_is(how, "FAIL_WITH_403"))
		return visit_refuse(v, GW_ACCESS_DENIED, S("User is not authorized to invalidate the cache"));
	v->cache.warn = !str_is(how, "SUCCEED_WITHOUT_RESPONSE_HEADER");
	return 0;
}

int visit_cache_get(struct visit *v, bool *ret_hit)
{
	const struct apigw_rec_method_setting *s = v->test_done ? NULL : setting(v);
	bool anew;
	int r;

	*ret_hit = false;
	if (!s)
		return 0;
	r = wants_new(v, s, &anew);
	if (r != 0)
		return r;
	make_key(v, v->cache.key);
	v->cache.ttl_s = s->cache_ttl_in_seconds.has ? s->cache_ttl_in_seconds.v : TTL_DEFAULT_S;
	pthread_mutex_lock(&lock);
	for (struct kept *k = anew ? NULL : *slot(v->cache.key); k && !*ret_hit; k = k->next)
		if (memcmp(k->key, v->cache.key, 32) == 0 && k->expires_ms > v->now_ms) {
			copy_answer(v->a, &k->answer, proxied(v) ? &v->out : &v->integration);
			*ret_hit = true;
		}
	pthread_mutex_unlock(&lock);
	if (!*ret_hit)
		return 0;
	v->cache.ttl_s = 0;
	v->integration_status = proxied(v) ? v->out.status : v->integration.status;
	if (proxied(v))
		visit_header_out(v, &v->out, S("X-Amzn-Trace-Id"), v->trace);
	return 0;
}

void visit_cache_put(struct visit *v)
{
	const struct visit_answer *w = proxied(v) ? &v->out : &v->integration;
	struct kept *k, **p;

	if (v->cache.ttl_s <= 0 || w->status < 200 || w->status > 299 || v->integration_error.p || w->body.n > ANSWER_BYTES_MAX)
		return;
	k = xzalloc(sizeof *k);
	memcpy(k->key, v->cache.key, 32);
	k->expires_ms = v->now_ms + v->cache.ttl_s * 1000;
	copy_answer(&k->arena, w, &k->answer);
	k->bytes = sizeof *k + k->arena.used_bytes;
	pthread_mutex_lock(&lock);
	for (p = slot(k->key); *p;) { /* this one's predecessor, and what has expired */
		if (memcmp((*p)->key, k->key, 32) == 0 || (*p)->expires_ms <= v->now_ms)
			drop(p);
		else
			p = &(*p)->next;
	}
	for (size_t i = 0; i < SLOTS && n_bytes + k->bytes > KEPT_BYTES_MAX; i++)
		while (table[i])
			drop(&table[i]);
	n_bytes += k->bytes;
	k->next = *slot(k->key);
	*slot(k->key) = k;
	pthread_mutex_unlock(&lock);
}

void cache_close(void)
{
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < SLOTS; i++)
		while (table[i])
			drop(&table[i]);
	pthread_mutex_unlock(&lock);
}
