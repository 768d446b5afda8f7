/* SPDX-License-Identifier: Apache-2.0 */
/* sigkey.c - derives signing keys, and remembers the last ones.
 *
 * Deriving takes four HMACs; a client signs with the same key all day. Each thread has a small set-associative cache.
 * An entry is found by a salted hash over the secret and everything else the key depends on, so a rotated secret never
 * hits, and no secret, key id or scope is kept. Entries are wiped when they are replaced and when the thread ends. */
#include "auth/sigkey.h"
#include "base/arena.h"
#include "base/util.h"
#include <assert.h>
#include <pthread.h>

#define SIGKEY_SETS 16
#define SIGKEY_WAYS 4

struct entry {
	uint8_t tag[32], key[32];
	bool used;
};
struct cache {
	struct entry set[SIGKEY_SETS][SIGKEY_WAYS];
	uint8_t next[SIGKEY_SETS]; /* the way to replace */
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t thread_end;
static uint8_t salt[16]; /* makes tags worthless outside this process */
static __thread struct cache *mine;

static void cache_free(void *arg)
{
	mine = NULL;
	mem_wipe(arg, sizeof(struct cache));
	free(arg);
}

static void start(void)
{
	random_bytes(salt, sizeof salt);
	if (pthread_key_create(&thread_end, cache_free) != 0)
		abort();
}

static struct cache *cache_mine(void)
{
	if (!mine) {
		pthread_once(&once, start);
		mine = xzalloc(sizeof *mine);
		pthread_setspecific(thread_end, mine);
	}
	return mine;
}

static size_t put(uint8_t *to, size_t n, struct str s)
{
	uint16_t len = (uint16_t)s.n;

	memcpy(to + n, &len, sizeof len);
	memcpy(to + n + sizeof len, s.p, s.n);
	return n + sizeof len + s.n;
}

/* A field's length goes before it: no two different sets of fields give the same bytes. */
static void tag_make(const struct str *field, size_t n_fields, uint8_t tag[32])
{
	uint8_t text[sizeof salt + SIGV4_SECRET_MAX + SIGV4_KEY_ID_MAX + 256];
	size_t n = sizeof salt, i;

	memcpy(text, salt, sizeof salt);
	for (i = 0; i < n_fields; i++) {
		assert(n + sizeof(uint16_t) + field[i].n <= sizeof text);
		n = put(text, n, field[i]);
	}
	hash_sha256(text, n, tag);
	mem_wipe(text, n);
}

static void derive(struct str secret, struct str date, struct str region, struct str service, uint8_t out[32])
{
	uint8_t seed[4 + SIGV4_SECRET_MAX], a[32], b[32];

	assert(secret.n <= SIGV4_SECRET_MAX);
	memcpy(seed, "AWS4", 4);
	memcpy(seed + 4, secret.p, secret.n);
	hmac_sha256(seed, 4 + secret.n, date.p, date.n, a);
	hmac_sha256(a, 32, region.p, region.n, b);
	hmac_sha256(b, 32, service.p, service.n, a);
	hmac_sha256(a, 32, "aws4_request", 12, out);
	mem_wipe(seed, sizeof seed);
	mem_wipe(a, sizeof a);
	mem_wipe(b, sizeof b);
}

void sigkey_get(struct str key_id, struct str secret, struct str date, struct str region, struct str service, uint8_t out[32])
{
	struct str field[] = { secret, key_id, date, region, service };
	struct cache *c = cache_mine();
	struct entry *set, *e;
	uint8_t tag[32];
	size_t i, way;

	if (key_id.n > SIGV4_KEY_ID_MAX || date.n + region.n + service.n > 200) { /* our own signing, with odd names */
		derive(secret, date, region, service, out);
		return;
	}
	tag_make(field, ELEMENTS(field), tag);
	way = tag[0] % SIGKEY_SETS;
	set = c->set[way];
	for (i = 0; i < SIGKEY_WAYS; i++)
		if (set[i].used && mem_equal_ct(set[i].tag, tag, sizeof tag)) {
			memcpy(out, set[i].key, 32);
			return;
		}
	derive(secret, date, region, service, out);
	e = &set[c->next[way]];
	c->next[way] = (uint8_t)((c->next[way] + 1) % SIGKEY_WAYS);
	mem_wipe(e, sizeof *e);
	memcpy(e->tag, tag, sizeof tag);
	memcpy(e->key, out, 32);
	e->used = true;
}
