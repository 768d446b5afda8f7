/* SPDX-License-Identifier: Apache-2.0 */
/* sigkey.c - derives signing keys, and remembers the last ones.
 *
 * Deriving takes four HMACs; a client signs with the same key all day. Each thread has a small set-associative cache, in memory
 * for secrets. An entry is found by everything that its key depends on, the secret among it, byte by byte: a rotated secret never
 * hits. Entries are wiped when they are replaced and when the thread ends. */
#include "auth/sigkey.h"
#include "base/arena.h"
#include "base/secret.h"
#include "base/util.h"
#include <assert.h>
#include <pthread.h>

#define SIGKEY_SETS 16
#define SIGKEY_WAYS 4
#define SIGKEY_TEXT_BYTES 254 /* secret, key id and scope; longer ones (nobody's but our own clients') are not kept */

struct entry {
	uint16_t n; /* of text; 0: free */
	uint8_t text[SIGKEY_TEXT_BYTES];
	uint8_t key[32];
	struct hmac_key ready; /* the same key */
};
struct cache {
	struct entry set[SIGKEY_SETS][SIGKEY_WAYS];
	uint8_t next[SIGKEY_SETS]; /* the way to replace */
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t thread_end;
static __thread struct cache *mine;

static void cache_free(void *arg)
{
	mine = NULL;
	secret_free(arg, sizeof(struct cache));
}

static void start(void)
{
	if (pthread_key_create(&thread_end, cache_free) != 0)
		abort();
}

/* NULL: there is no memory for it. */
static struct cache *cache_mine(void)
{
	if (!mine) {
		pthread_once(&once, start);
		mine = secret_alloc(sizeof *mine);
		pthread_setspecific(thread_end, mine);
	}
	return mine;
}

/* text_make puts the fields one behind the other, each with its length before it: no two different sets of fields give the same
 * bytes. 0: they are too long. */
static size_t text_make(const struct str *field, size_t n_fields, uint8_t text[SIGKEY_TEXT_BYTES])
{
	size_t n = 0;

	for (size_t i = 0; i < n_fields; i++) {
		uint16_t len = (uint16_t)field[i].n;

		if (field[i].n > SIGKEY_TEXT_BYTES || n + sizeof len + field[i].n > SIGKEY_TEXT_BYTES)
			return 0;
		memcpy(text + n, &len, sizeof len);
		memcpy(text + n + sizeof len, field[i].p, field[i].n);
		n += sizeof len + field[i].n;
	}
	return n;
}

/* Only where to look: keys that share a set share its ways. */
static size_t set_of(struct str key_id, struct str region, struct str service)
{
	size_t h = region.n ? (uint8_t)region.p[region.n - 1] + (uint8_t)region.p[0] * 3u : 0;

	for (size_t i = 0; i < key_id.n; i++)
		h = h * 31 + (uint8_t)key_id.p[i];
	for (size_t i = 0; i < service.n; i++)
		h = h * 31 + (uint8_t)service.p[i];
	return (h ^ h >> 7) % SIGKEY_SETS;
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

void sigkey_sign(struct str key_id, struct str secret, struct str date, struct str region, struct str service, struct str text,
		 uint8_t ret_key[32], uint8_t mac[32])
{
	struct str field[] = { secret, key_id, date, region, service };
	struct cache *c = cache_mine();
	uint8_t id[SIGKEY_TEXT_BYTES];
	size_t n = c ? text_make(field, ELEMENTS(field), id) : 0, at;
	struct entry *set, *e = NULL;

	if (!n) {
		derive(secret, date, region, service, ret_key);
		hmac_sha256(ret_key, 32, text.p, text.n, mac);
		return;
	}
	at = set_of(key_id, region, service);
	set = c->set[at];
	for (size_t i = 0; i < SIGKEY_WAYS && !e; i++)
		if (set[i].n == n && mem_equal_ct(set[i].text, id, n))
			e = &set[i];
	if (!e) {
		e = &set[c->next[at]];
		c->next[at] = (uint8_t)((c->next[at] + 1) % SIGKEY_WAYS);
		mem_wipe(e, sizeof *e);
		derive(secret, date, region, service, e->key);
		hmac_key_make(e->key, sizeof e->key, &e->ready);
		memcpy(e->text, id, n);
		e->n = (uint16_t)n;
	}
	mem_wipe(id, n);
	memcpy(ret_key, e->key, 32);
	hmac_key_sign(&e->ready, text.p, text.n, mac);
}
