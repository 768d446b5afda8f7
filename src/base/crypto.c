/* SPDX-License-Identifier: Apache-2.0 */
/* crypto.c - randomness, hashes, CRCs and sealing.
 *
 * OpenSSL's algorithm objects are fetched once per process and contexts once per thread, because fetching and
 * allocating take global locks. Random bytes are the kernel's. A failure that input can't cause (no algorithm, no random
 * bytes) aborts: there is no safe way to go on. Keys don't stay behind in the contexts that are kept. */
#define OPENSSL_SUPPRESS_DEPRECATED /* SHA256_*: see "SHA-256" below */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sys/random.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/sha.h>

#include "base/arena.h"
#include "base/secret.h"
#include "base/util.h"

#define CHUNK_BYTES ((size_t)1 << 30) /* OpenSSL counts in int */

static struct {
	EVP_MD *sha256, *sha1, *md5;
	EVP_CIPHER *gcm;
	pthread_key_t thread_key;
} algorithms;

/* What each thread keeps; freed by the key's destructor when the thread ends. */
#define POOL_BYTES 512 /* a system call costs as much for 16 bytes as for this */
#define POOL_TAKE_MAX 64
struct thread_contexts {
	EVP_MD_CTX *digest;
	EVP_CIPHER_CTX *seal, *open;
	uint8_t pool[POOL_BYTES]; /* random bytes not given out yet are the first pool_n */
	size_t pool_n;
	unsigned pool_forks; /* forks seen when it was filled: a child must not give out its parent's bytes */
};

static _Atomic unsigned forks;

static void count_fork(void)
{
	forks++;
}

static _Noreturn void crypto_fail(const char *what)
{
	fprintf(stderr, "cloudkeep: OpenSSL failed: %s\n", what);
	abort();
}

static void must(bool ok, const char *what)
{
	if (__builtin_expect(!ok, 0))
		crypto_fail(what);
}

static void free_contexts(void *p)
{
	struct thread_contexts *t = p;

	EVP_MD_CTX_free(t->digest);
	EVP_CIPHER_CTX_free(t->seal);
	EVP_CIPHER_CTX_free(t->open);
	OPENSSL_cleanse(t->pool, sizeof t->pool);
	free(t);
}

static void fetch_algorithms(void)
{
	algorithms.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	algorithms.sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
	algorithms.md5 = EVP_MD_fetch(NULL, "MD5", NULL);
	algorithms.gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	must(algorithms.sha256 && algorithms.sha1 && algorithms.md5 && algorithms.gcm, "fetching algorithms");
	must(pthread_atfork(NULL, NULL, count_fork) == 0, "fork handler");
	must(pthread_key_create(&algorithms.thread_key, free_contexts) == 0, "thread key");
}

static struct thread_contexts *contexts(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	static _Thread_local struct thread_contexts *mine;

	if (mine)
		return mine;
	pthread_once(&once, fetch_algorithms);
	mine = xzalloc(sizeof *mine);
	mine->digest = EVP_MD_CTX_new();
	mine->seal = EVP_CIPHER_CTX_new();
	mine->open = EVP_CIPHER_CTX_new();
	must(mine->digest && mine->seal && mine->open, "contexts");
	/* The algorithm is set once: naming it again at each use would free and allocate the cipher's state. */
	must(EVP_EncryptInit_ex2(mine->seal, algorithms.gcm, NULL, NULL, NULL) &&
		     EVP_DecryptInit_ex2(mine->open, algorithms.gcm, NULL, NULL, NULL),
	     "AES-GCM");
	must(pthread_setspecific(algorithms.thread_key, mine) == 0, "thread contexts");
	return mine;
}

/* --- randomness --- */

static void generate(uint8_t *p, size_t n)
{
	while (n) {
		ssize_t k = getrandom(p, n < CHUNK_BYTES ? n : CHUNK_BYTES, 0);

		must(k > 0 || errno == EINTR, "random bytes");
		p += k > 0 ? k : 0;
		n -= k > 0 ? (size_t)k : 0;
	}
}

void random_bytes(void *p, size_t n)
{
	struct thread_contexts *t;

	if (n > POOL_TAKE_MAX) {
		generate(p, n);
		return;
	}
	t = contexts();
	if (t->pool_n < n || t->pool_forks != forks) {
		t->pool_forks = forks;
		generate(t->pool, sizeof t->pool);
		t->pool_n = sizeof t->pool;
	}
	t->pool_n -= n;
	memcpy(p, t->pool + t->pool_n, n);
	OPENSSL_cleanse(t->pool + t->pool_n, n); /* what was given out is nowhere else */
}

struct str random_uuid(struct arena *a)
{
	static const char digits[] = "0123456789abcdef";
	char *p = arena_alloc(a, 37), *w = p;
	uint8_t b[16];

	random_bytes(b, sizeof b);
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < sizeof b; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*w++ = '-';
		*w++ = digits[b[i] >> 4];
		*w++ = digits[b[i] & 15];
	}
	*w = 0;
	return str_of(p, 36);
}

struct str random_hex(struct arena *a, size_t digits)
{
	return random_from(a, S("0123456789abcdef"), digits);
}

struct str random_from(struct arena *a, struct str alphabet, size_t n)
{
	char *p = arena_alloc(a, n + 1);
	uint8_t pool[64];
	unsigned limit;
	size_t have = 0;

	assert(alphabet.n >= 1 && alphabet.n <= 256);
	limit = 256 - 256 % (unsigned)alphabet.n; /* bytes from here on would favor the first letters */
	for (size_t i = 0; i < n;) {
		if (have == 0) {
			random_bytes(pool, sizeof pool);
			have = sizeof pool;
		}
		have--;
		if (pool[have] < limit)
			p[i++] = alphabet.p[pool[have] % alphabet.n];
	}
	p[n] = 0;
	mem_wipe(pool, sizeof pool);
	return str_of(p, n);
}

/* --- hashes --- */

static void digest_once(EVP_MD *md, EVP_MD_CTX *c, const void *p, size_t n, uint8_t *out)
{
	must(EVP_DigestInit_ex2(c, md, NULL) && EVP_DigestUpdate(c, p, n) && EVP_DigestFinal_ex(c, out, NULL), "digest");
}

/* --- SHA-256 ---
 * A signed call takes half a dozen of them, mostly of short texts. The functions behind OpenSSL's digest are called by name:
 * EVP costs as much as a block for each text, and its states can't be copied without memory from the heap. */
void hash_sha256(const void *p, size_t n, uint8_t out[32])
{
	SHA256_CTX c;

	must(SHA256_Init(&c) && SHA256_Update(&c, p, n) && SHA256_Final(out, &c), "digest");
	OPENSSL_cleanse(&c, sizeof c);
}

void hash_sha1(const void *p, size_t n, uint8_t out[20])
{
	struct thread_contexts *t = contexts();

	digest_once(algorithms.sha1, t->digest, p, n, out);
}

void hash_md5(const void *p, size_t n, uint8_t out[16])
{
	struct thread_contexts *t = contexts();

	digest_once(algorithms.md5, t->digest, p, n, out);
}

_Static_assert(sizeof(struct hmac_key) >= 2 * sizeof(SHA256_CTX), "room for both states");
_Static_assert(_Alignof(struct hmac_key) >= _Alignof(SHA256_CTX), "aligned");

void hmac_key_make(const void *key, size_t n, struct hmac_key *ret)
{
	SHA256_CTX *c = (SHA256_CTX *)ret->state; /* of the inner hash, then of the outer one (RFC 2104) */
	uint8_t block[64] = { 0 };

	if (n > sizeof block)
		hash_sha256(key, n, block);
	else if (n)
		memcpy(block, key, n);
	for (size_t i = 0; i < sizeof block; i++)
		block[i] ^= 0x36;
	must(SHA256_Init(&c[0]) && SHA256_Update(&c[0], block, sizeof block), "HMAC");
	for (size_t i = 0; i < sizeof block; i++)
		block[i] ^= 0x36 ^ 0x5c;
	must(SHA256_Init(&c[1]) && SHA256_Update(&c[1], block, sizeof block), "HMAC");
	mem_wipe(block, sizeof block);
}

void hmac_key_sign(const struct hmac_key *key, const void *p, size_t n, uint8_t out[32])
{
	SHA256_CTX c;
	uint8_t inner[32];

	memcpy(&c, key->state, sizeof c);
	must(SHA256_Update(&c, p, n) && SHA256_Final(inner, &c), "HMAC");
	memcpy(&c, (const char *)key->state + sizeof c, sizeof c);
	must(SHA256_Update(&c, inner, sizeof inner) && SHA256_Final(out, &c), "HMAC");
	mem_wipe(&c, sizeof c);
	mem_wipe(inner, sizeof inner);
}

void hmac_sha256(const void *key, size_t key_n, const void *p, size_t n, uint8_t out[32])
{
	struct hmac_key k;

	hmac_key_make(key, key_n, &k);
	hmac_key_sign(&k, p, n, out);
	mem_wipe(&k, sizeof k);
}

struct hash {
	enum hash_kind kind;
	bool ended;
	EVP_MD_CTX *digest;
	uint64_t crc;
};

struct hash *hash_new(enum hash_kind k)
{
	struct hash *h = xzalloc(sizeof *h);
	EVP_MD *md;

	contexts(); /* fetches the algorithms */
	h->kind = k;
	switch (k) {
	case HASH_SHA256:
		md = algorithms.sha256;
		break;
	case HASH_SHA1:
		md = algorithms.sha1;
		break;
	case HASH_MD5:
		md = algorithms.md5;
		break;
	default:
		return h;
	}
	h->digest = EVP_MD_CTX_new();
	must(h->digest && EVP_DigestInit_ex2(h->digest, md, NULL), "digest");
	return h;
}

void hash_add(struct hash *h, const void *p, size_t n)
{
	assert(!h->ended);
	switch (h->kind) {
	case HASH_CRC32:
		h->crc = crc32_ieee((uint32_t)h->crc, p, n);
		break;
	case HASH_CRC32C:
		h->crc = crc32c((uint32_t)h->crc, p, n);
		break;
	case HASH_CRC64NVME:
		h->crc = crc64_nvme(h->crc, p, n);
		break;
	default:
		must(EVP_DigestUpdate(h->digest, p, n), "digest");
	}
}

size_t hash_end(struct hash *h, uint8_t out[32])
{
	size_t crc_n = h->kind == HASH_CRC64NVME ? 8 : 4;
	unsigned n = 0;

	assert(!h->ended);
	h->ended = true;
	if (h->digest) {
		must(EVP_DigestFinal_ex(h->digest, out, &n), "digest");
		return n;
	}
	for (size_t i = 0; i < crc_n; i++)
		out[i] = (uint8_t)(h->crc >> 8 * (crc_n - 1 - i));
	return crc_n;
}

struct hash *hash_free(struct hash *h)
{
	if (h)
		EVP_MD_CTX_free(h->digest);
	free(h);
	return NULL;
}

bool mem_equal_ct(const void *a, const void *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}

void mem_wipe(void *p, size_t n)
{
	OPENSSL_cleanse(p, n);
}

/* --- AES-256-GCM --- */

/* Runs n bytes through c; out NULL: as additional data. In place is allowed. */
static void cipher_feed(EVP_CIPHER_CTX *c, uint8_t *out, const char *p, size_t n)
{
	while (n) {
		size_t k = n < CHUNK_BYTES ? n : CHUNK_BYTES;
		int done = 0;

		must(EVP_CipherUpdate(c, out, &done, (const uint8_t *)p, (int)k) && done == (int)k, "AES-GCM");
		p += k;
		n -= k;
		if (out)
			out += k;
	}
}

/* Overwrites the key schedule in a context that is kept. */
static void cipher_forget(EVP_CIPHER_CTX *c)
{
	static const uint8_t zero[32];

	must(EVP_CipherInit_ex2(c, NULL, zero, NULL, -1, NULL), "AES-GCM");
}

int aes_gcm_seal(const uint8_t key[32], const uint8_t nonce[12], struct str aad, struct str plain, uint8_t *out)
{
	EVP_CIPHER_CTX *c = contexts()->seal;
	int done = 0;

	must(EVP_EncryptInit_ex2(c, NULL, key, nonce, NULL), "AES-GCM");
	cipher_feed(c, NULL, aad.p, aad.n);
	cipher_feed(c, out, plain.p, plain.n);
	must(EVP_EncryptFinal_ex(c, out + plain.n, &done) && done == 0, "AES-GCM");
	must(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, SEAL_TAG_BYTES, out + plain.n) == 1, "AES-GCM");
	cipher_forget(c);
	return 0;
}

int aes_gcm_open(const uint8_t key[32], const uint8_t nonce[12], struct str aad, struct str sealed, uint8_t *out)
{
	EVP_CIPHER_CTX *c = contexts()->open;
	uint8_t tag[SEAL_TAG_BYTES], none[SEAL_TAG_BYTES];
	size_t n;
	int done = 0;
	bool good;

	if (sealed.n < SEAL_TAG_BYTES)
		return -EBADMSG;
	n = sealed.n - SEAL_TAG_BYTES;
	memcpy(tag, sealed.p + n, sizeof tag);
	must(EVP_DecryptInit_ex2(c, NULL, key, nonce, NULL), "AES-GCM");
	cipher_feed(c, NULL, aad.p, aad.n);
	cipher_feed(c, out, sealed.p, n);
	must(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, sizeof tag, tag) == 1, "AES-GCM");
	good = EVP_DecryptFinal_ex(c, none, &done) > 0;
	cipher_forget(c);
	if (good)
		return 0;
	if (n)
		mem_wipe(out, n); /* nobody sees what did not authenticate */
	return -EBADMSG;
}
