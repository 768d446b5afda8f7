/* SPDX-License-Identifier: Apache-2.0 */
/* secret.c - secrets that are kept for a while: memory for them, and short sealed texts that were opened a moment ago.
 *
 * Pages of their own, not swapped out where the system's limit lets us lock them, in no core dump, empty in a forked child.
 *
 * Opening is a function of key, nonce, additional data and ciphertext alone: aes_gcm_open_kept remembers, for each thread, what
 * it gave for exactly these bytes. Nothing can be stale: who changes a stored secret stores other bytes, and who deletes it
 * has none to ask with. Entries are wiped after KEEP_MS, when they are replaced, and when the thread ends. */
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

#include "base/secret.h"
#include "base/util.h"

#define PAGE_BYTES 4096
#define KEEP_MS 60000
#define SETS 32 /* power of two */
#define WAYS 4
#define TEXT_BYTES_MAX 240 /* additional data, nonce, ciphertext and tag */
#define PLAIN_BYTES_MAX 64

static size_t pages(size_t n)
{
	return (n + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

void *secret_alloc(size_t n)
{
	void *p = mmap(NULL, pages(n), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	(void)mlock2(p, pages(n), MLOCK_ONFAULT);
	(void)madvise(p, pages(n), MADV_DONTDUMP);
	(void)madvise(p, pages(n), MADV_WIPEONFORK);
	return p;
}

void secret_free(void *p, size_t n)
{
	if (!p)
		return;
	mem_wipe(p, n);
	(void)munmap(p, pages(n));
}

struct opened {
	int64_t since_ms;
	uint16_t text_n, aad_n, plain_n; /* text_n 0: free */
	uint8_t key[32];
	uint8_t text[TEXT_BYTES_MAX];
	uint8_t plain[PLAIN_BYTES_MAX];
};
struct opened_cache {
	struct opened set[SETS][WAYS];
	uint8_t next[SETS]; /* the way to replace */
	unsigned sweep;     /* the set that is looked through for old entries next */
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t thread_end;
static __thread struct opened_cache *mine;

static void cache_free(void *arg)
{
	mine = NULL;
	secret_free(arg, sizeof(struct opened_cache));
}

static void start(void)
{
	if (pthread_key_create(&thread_end, cache_free) != 0)
		abort();
}

static struct opened_cache *cache_mine(void)
{
	if (!mine) {
		pthread_once(&once, start);
		mine = secret_alloc(sizeof *mine);
		pthread_setspecific(thread_end, mine);
	}
	return mine;
}

static void drop_old(struct opened set[WAYS], int64_t now_ms)
{
	for (int i = 0; i < WAYS; i++)
		if (set[i].text_n && now_ms - set[i].since_ms >= KEEP_MS)
			mem_wipe(&set[i], sizeof set[i]);
}

static bool is_of(const struct opened *o, const uint8_t key[32], struct str aad, struct str sealed)
{
	return o->text_n == aad.n + sealed.n && o->aad_n == aad.n && memcmp(o->text, sealed.p, sealed.n) == 0 &&
	       (aad.n == 0 || memcmp(o->text + sealed.n, aad.p, aad.n) == 0) && mem_equal_ct(o->key, key, sizeof o->key);
}

int aes_gcm_open_kept(const uint8_t key[32], struct str aad, struct str sealed, uint8_t *out)
{
	struct opened_cache *c = cache_mine();
	struct opened *set, *o;
	int64_t now_ms;
	size_t at;
	int r;

	if (sealed.n < SEAL_NONCE_BYTES + SEAL_TAG_BYTES)
		return -EBADMSG;
	if (!c || aad.n + sealed.n > TEXT_BYTES_MAX || sealed.n - SEAL_NONCE_BYTES - SEAL_TAG_BYTES > PLAIN_BYTES_MAX)
		return aes_gcm_open(key, (const uint8_t *)sealed.p, aad, str_skip(sealed, SEAL_NONCE_BYTES), out);
	now_ms = clock_mono_ms();
	at = ((uint8_t)sealed.p[0] ^ (uint8_t)sealed.p[1] >> 4) % SETS; /* the nonce is random */
	set = c->set[at];
	drop_old(c->set[c->sweep++ % SETS], now_ms);
	for (int i = 0; i < WAYS; i++)
		if (set[i].text_n && now_ms - set[i].since_ms < KEEP_MS && is_of(&set[i], key, aad, sealed)) {
			memcpy(out, set[i].plain, set[i].plain_n);
			return 0;
		}
	r = aes_gcm_open(key, (const uint8_t *)sealed.p, aad, str_skip(sealed, SEAL_NONCE_BYTES), out);
	if (r < 0)
		return r;
	o = &set[c->next[at]];
	c->next[at] = (uint8_t)((c->next[at] + 1) % WAYS);
	mem_wipe(o, sizeof *o);
	o->since_ms = now_ms;
	o->aad_n = (uint16_t)aad.n;
	o->text_n = (uint16_t)(aad.n + sealed.n);
	o->plain_n = (uint16_t)(sealed.n - SEAL_NONCE_BYTES - SEAL_TAG_BYTES);
	memcpy(o->key, key, sizeof o->key);
	memcpy(o->text, sealed.p, sealed.n);
	if (aad.n)
		memcpy(o->text + sealed.n, aad.p, aad.n);
	memcpy(o->plain, out, o->plain_n);
	return 0;
}
