/* SPDX-License-Identifier: Apache-2.0 */
/* call.c - what handlers call: refusing, headers, hooks, ARNs, pages, and the per-thread cache of parsed policies. */
#include "cloud/cloud_int.h"
#include <assert.h>
#include <errno.h>

int call_fail(struct call *c, const struct desc_error *e, const char *fmt, ...)
{
	va_list ap;

	assert(!c->err); /* exactly one answer */
	c->err = e;
	va_start(ap, fmt);
	c->message = str_vprintf(c->arena, fmt, ap);
	va_end(ap);
	return -ECANCELED;
}

int call_not_built(struct call *c)
{
	return call_fail(c, &aws_err_not_implemented, "The operation %s of %s is not implemented by this cloud.", c->op->name,
			 c->svc->model->id);
}

void call_extra(struct call *c, const char *name, struct str value)
{
	assert(c->n_extra < CALL_EXTRA_MAX);
	c->extra[c->n_extra++] = (struct str_pair){ str_c(name), value };
}

void call_header(struct call *c, const char *name, struct str value)
{
	assert(c->n_headers < CALL_EXTRA_MAX);
	c->headers[c->n_headers++] = (struct http_header){ str_c(name), value };
}

void call_on_commit(struct call *c, void (*fn)(struct cloud *cloud, struct region *r, void *arg), void *arg)
{
	struct call *root = c;
	struct call_hook *h;

	while (root->parent)
		root = root->parent;
	h = arena_new(root->arena, struct call_hook);
	*h = (struct call_hook){ root->hooks, fn, arg };
	root->hooks = h;
}

void call_run_hooks(struct call *c)
{
	struct call_hook *list = NULL, *h, *next;

	for (h = c->hooks; h; h = next) { /* they were pushed in front: run in the order they were added */
		next = h->next;
		h->next = list;
		list = h;
	}
	c->hooks = NULL;
	for (h = list; h; h = h->next)
		h->fn(c->cloud, c->region, h->arg);
}

/* --- calls that wait --- */
/* Two come to a parked call, in any order: the dispatcher, when the handler has returned, and whoever brings the answer. The
 * second one finishes it. */
#define PARK_WAITING 1
#define PARK_ANSWERED 2
struct call_park {
	struct call *call;
	atomic_int state;
	int (*finish)(struct call *c, void *arg);
	void *arg;
	void (*over)(void *arg, int r);
	void *over_arg;
};

struct call_park *call_park(struct call *c)
{
	if (!c->may_park || c->parent)
		return NULL;
	assert(!c->park);
	c->park = arena_new(c->arena, struct call_park);
	c->park->call = c;
	return c->park;
}

static void park_over(struct call_park *p)
{
	int r = p->finish(p->call, p->arg);

	assert(!(r >= 0 && p->call->err));
	p->over(p->over_arg, r > 0 ? 0 : r);
}

void call_unpark(struct call_park *p, int (*finish)(struct call *c, void *arg), void *arg)
{
	p->finish = finish;
	p->arg = arg;
	if (atomic_fetch_or(&p->state, PARK_ANSWERED) & PARK_WAITING)
		park_over(p);
}

void park_wait(struct call *c, void (*over)(void *arg, int r), void *arg)
{
	struct call_park *p = c->park;

	assert(p);
	c->decision.sid = STR_NONE; /* of a parsed policy that need not outlive the wait */
	p->over = over;
	p->over_arg = arg;
	if (atomic_fetch_or(&p->state, PARK_WAITING) & PARK_ANSWERED)
		park_over(p);
}

/* --- ARNs --- */
int arn_parse(struct str s, struct arn *ret)
{
	struct str rest = s, field[5];
	struct arn a;

	if (!str_starts(s, S("arn:")))
		return -EINVAL;
	for (int i = 0; i < 5; i++)
		if (!str_next(&rest, ':', &field[i]) || !rest.p)
			return -EINVAL;
	a = (struct arn){ field[1], field[2], field[3], field[4], rest };
	if (a.partition.n == 0 || a.service.n == 0 || a.resource.n == 0)
		return -EINVAL;
	*ret = a;
	return 0;
}

struct str region_partition(struct str region)
{
	if (str_starts(region, S("cn-")))
		return S("aws-cn");
	if (str_starts(region, S("us-gov-")))
		return S("aws-us-gov");
	return S("aws");
}

struct str call_region(const struct call *c)
{
	return c->region->name;
}

struct str call_arn(struct call *c, const char *service, const char *fmt, ...)
{
	struct str tail, region = c->region->global ? S("") : c->region->name;
	va_list ap;

	va_start(ap, fmt);
	tail = str_vprintf(c->arena, fmt, ap);
	va_end(ap);
	return str_printf(c->arena, "arn:%.*s:%s:%.*s:%.*s:%.*s", STR(region_partition(c->region->name)), service, STR(region),
			  STR(c->account), STR(tail));
}

/* --- pages --- */
/* A token is nonce, sealed key and tag in base64, bound to the operation and the account. */
struct str page_token(struct call *c, struct str last_key)
{
	uint8_t key[32];
	struct str aad = str_printf(c->arena, "%s.%s.%.*s", c->svc->model->name, c->op->name, STR(c->account));
	size_t n = SEAL_NONCE_BYTES + last_key.n + SEAL_TAG_BYTES;
	uint8_t *p = arena_alloc(c->arena, n);
	int r;

	cloud_master_key(c->cloud, "page", key);
	random_bytes(p, SEAL_NONCE_BYTES);
	r = aes_gcm_seal(key, p, aad, last_key, p + SEAL_NONCE_BYTES);
	assert(r == 0);
	mem_wipe(key, sizeof key);
	return base64_encode(c->arena, str_of((char *)p, n));
}

int page_parse(struct call *c, struct str token, struct str *ret_key)
{
	uint8_t key[32];
	struct str aad = str_printf(c->arena, "%s.%s.%.*s", c->svc->model->name, c->op->name, STR(c->account)), raw;
	uint8_t *out;
	int r;

	if (base64_decode(c->arena, token, &raw) < 0 || raw.n < SEAL_NONCE_BYTES + SEAL_TAG_BYTES)
		return -EINVAL;
	out = arena_alloc(c->arena, raw.n);
	cloud_master_key(c->cloud, "page", key);
	r = aes_gcm_open(key, (const uint8_t *)raw.p, aad, str_skip(raw, SEAL_NONCE_BYTES), out);
	mem_wipe(key, sizeof key);
	if (r < 0)
		return -EINVAL;
	*ret_key = str_of((char *)out, raw.n - SEAL_NONCE_BYTES - SEAL_TAG_BYTES);
	return 0;
}

/* --- parsed policies --- */
/* One open-addressed table a thread; entries are keyed by the whole text, so a changed policy never hits. Trimmed only
 * between calls, because calls hold pointers into it. */
#define POLICY_SLOTS 1024
#define POLICY_ENTRIES_MAX 512
struct policy_slot {
	uint64_t hash;
	struct str text;
	enum policy_kind kind;
	struct policy *policy;
};
struct policy_cache {
	struct arena arena;
	struct policy_slot slots[POLICY_SLOTS];
	size_t n;
};
static __thread struct policy_cache *cache;
static __thread int cache_holds;
static pthread_key_t cache_key; /* frees a thread's cache when the thread ends */
static pthread_once_t cache_once = PTHREAD_ONCE_INIT;

static void cache_free(void *p)
{
	struct policy_cache *old = p;

	arena_done(&old->arena);
	free(old);
	cache = NULL;
}

static void cache_key_make(void)
{
	(void)pthread_key_create(&cache_key, cache_free);
}

static struct policy_cache *cache_get(void)
{
	if (!cache) {
		(void)pthread_once(&cache_once, cache_key_make);
		cache = xzalloc(sizeof *cache);
		(void)pthread_setspecific(cache_key, cache);
	}
	return cache;
}

static uint64_t text_hash(struct str s)
{
	uint64_t h = s.n * 0x9e3779b97f4a7c15u, w;
	size_t i = 0;

	for (; i + 8 <= s.n; i += 8) {
		memcpy(&w, s.p + i, 8);
		h = (h ^ w) * 0xff51afd7ed558ccdu;
		h ^= h >> 32;
	}
	for (; i < s.n; i++)
		h = (h ^ (uint8_t)s.p[i]) * 0x100000001b3u;
	return h ^ h >> 29;
}

void policy_cache_hold(int n)
{
	cache_holds += n;
	assert(cache_holds >= 0);
}

void policy_cache_trim(void)
{
	if (!cache || cache->n <= POLICY_ENTRIES_MAX || cache_holds > 0)
		return;
	arena_reset(&cache->arena);
	memset(cache->slots, 0, sizeof cache->slots);
	cache->n = 0;
}

const struct policy *cloud_policy(struct call *c, struct str text, enum policy_kind kind)
{
	uint64_t h = text_hash(text) + kind;
	struct policy_slot *s;
	struct policy *p;

	(void)cache_get();
	for (size_t i = h % POLICY_SLOTS, tries = 0; tries < POLICY_SLOTS; i = (i + 1) % POLICY_SLOTS, tries++) {
		s = &cache->slots[i];
		if (s->policy && s->hash == h && s->kind == kind && str_eq(s->text, text))
			return s->policy;
		if (s->policy)
			continue;
		if (cache->n >= POLICY_SLOTS - 1)
			break;
		if (policy_parse(&cache->arena, text, kind, &p, NULL) < 0)
			return NULL;
		*s = (struct policy_slot){ h, str_dup(&cache->arena, text), kind, p };
		cache->n++;
		return p;
	}
	/* The table is full within one call: parse for this call alone. */
	return policy_parse(c->arena, text, kind, &p, NULL) < 0 ? NULL : p;
}
