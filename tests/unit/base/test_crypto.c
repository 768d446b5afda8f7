/* SPDX-License-Identifier: Apache-2.0 */
/* Known answers of hashes, checksums and ciphers; chaining, tampering, threads, randomness. */
#include "test.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/secret.h"
#include "base/util.h"

static void test_digests(void **state)
{
	struct arena a = { 0 };
	uint8_t out[32];

	hash_sha256("abc", 3, out);
	assert_str(hex_encode(&a, out, 32), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	hash_sha256(NULL, 0, out);
	assert_str(hex_encode(&a, out, 32), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	hash_sha1("abc", 3, out);
	assert_str(hex_encode(&a, out, 20), "a9993e364706816aba3e25717850c26c9cd0d89d");
	hash_md5("abc", 3, out);
	assert_str(hex_encode(&a, out, 16), "900150983cd24fb0d6963f7d28e17f72");
	arena_done(&a);
}

static void test_hmac(void **state)
{
	struct arena a = { 0 };
	uint8_t key[131], out[32];

	hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, out); /* RFC 4231 */
	assert_str(hex_encode(&a, out, 32), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof key);
	hmac_sha256(key, sizeof key, "Test Using Larger Than Block-Size Key - Hash Key First", 54, out);
	assert_str(hex_encode(&a, out, 32), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	hmac_sha256(NULL, 0, NULL, 0, out); /* the empty key, not the one before */
	assert_str(hex_encode(&a, out, 32), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
	arena_done(&a);
}

static uint64_t crc_bits(uint64_t poly, uint64_t ones, uint64_t crc, const uint8_t *p, size_t n)
{
	for (crc ^= ones; n--; p++) {
		crc ^= *p;
		for (int k = 0; k < 8; k++)
			crc = crc >> 1 ^ (crc & 1 ? poly : 0);
	}
	return crc ^ ones;
}

static void test_crcs(void **state)
{
	uint8_t *data = xmalloc(5000);

	assert_int_equal(crc32_ieee(0, "123456789", 9), 0xcbf43926);
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	assert_true(crc64_nvme(0, "123456789", 9) == 0xae8b14860a799888);
	assert_int_equal(crc32_ieee(5, NULL, 0), 5);
	random_bytes(data, 5000);
	for (size_t n = 0; n < 5000; n += n < 300 ? 1 : 333) { /* every length at every alignment, in two parts, against bit by bit */
		size_t from = n % 16 < 5000 - n ? n % 16 : 0, half = n / 3;
		const uint8_t *p = data + from;

		assert_true(crc32_ieee(crc32_ieee(0, p, half), p + half, n - half) == crc_bits(0xedb88320, 0xffffffff, 0, p, n));
		assert_true(crc32c(crc32c(0, p, half), p + half, n - half) == crc_bits(0x82f63b78, 0xffffffff, 0, p, n));
		assert_true(crc64_nvme(crc64_nvme(0, p, half), p + half, n - half) == crc_bits(0x9a6c9329ac4bc9b5, UINT64_MAX, 0, p, n));
	}
	free(data);
}

static void test_streams(void **state)
{
	static const struct {
		enum hash_kind kind;
		const char *want; /* of "123456789" */
	} cases[] = {
		{ HASH_SHA256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225" },
		{ HASH_SHA1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441" },
		{ HASH_MD5, "25f9e794323b453885f5181f1b624d0b" },
		{ HASH_CRC32, "cbf43926" },
		{ HASH_CRC32C, "e3069283" },
		{ HASH_CRC64NVME, "ae8b14860a799888" },
	};
	struct arena a = { 0 };

	for (size_t i = 0; i < ELEMENTS(cases); i++) {
		struct hash *h = hash_new(cases[i].kind);
		uint8_t out[32];
		size_t n;

		hash_add(h, "1234", 4);
		hash_add(h, "", 0);
		hash_add(h, "56789", 5);
		n = hash_end(h, out);
		assert_null(hash_free(h));
		assert_str(hex_encode(&a, out, n), cases[i].want);
	}
	assert_null(hash_free(NULL));
	hash_free(hash_new(HASH_SHA256)); /* given up half way */
	arena_done(&a);
}

static void test_hmac_key(void **state)
{
	static const size_t lengths[] = { 0, 1, 55, 56, 64, 65, 200 };
	struct hmac_key k;
	uint8_t key[200], text[200], want[32], got[32];

	random_bytes(key, sizeof key);
	random_bytes(text, sizeof text);
	for (size_t i = 0; i < ELEMENTS(lengths); i++) {
		hmac_key_make(key, lengths[i], &k);
		for (size_t j = 0; j < ELEMENTS(lengths); j++) { /* one key made ready serves many texts */
			unsigned n = 0;

			assert_non_null(HMAC(EVP_sha256(), key, (int)lengths[i], text, lengths[j], want, &n));
			hmac_key_sign(&k, text, lengths[j], got);
			assert_memory_equal(got, want, 32);
			hmac_sha256(key, lengths[i], text, lengths[j], got);
			assert_memory_equal(got, want, 32);
		}
	}
}

/* Remembering changes no answer: other bytes, another key or other additional data are refused as before. */
static void test_open_kept(void **state)
{
	uint8_t key[32], other[32], text[200], plain[200];
	struct str sealed = { (char *)text, SEAL_NONCE_BYTES + 14 + SEAL_TAG_BYTES };

	random_bytes(key, sizeof key);
	random_bytes(other, sizeof other);
	for (int round = 0; round < 300; round++) { /* more than are kept */
		random_bytes(text, SEAL_NONCE_BYTES);
		assert_int_equal(aes_gcm_seal(key, text, S("of a key"), S("attack at dawn"), text + SEAL_NONCE_BYTES), 0);
		for (int again = 0; again < 3; again++) {
			memset(plain, 0, sizeof plain);
			assert_int_equal(aes_gcm_open_kept(key, S("of a key"), sealed, plain), 0);
			assert_memory_equal(plain, "attack at dawn", 14);
			assert_int_equal(aes_gcm_open_kept(key, S("of a kez"), sealed, plain), -EBADMSG);
			assert_int_equal(aes_gcm_open_kept(key, S("of a ke"), sealed, plain), -EBADMSG);
			assert_int_equal(aes_gcm_open_kept(other, S("of a key"), sealed, plain), -EBADMSG);
			for (size_t i = 2; i < sealed.n; i += 5) {
				text[i] ^= 1;
				assert_int_equal(aes_gcm_open_kept(key, S("of a key"), sealed, plain), -EBADMSG);
				text[i] ^= 1;
			}
			assert_int_equal(aes_gcm_open_kept(key, S("of a key"), str_of(sealed.p, sealed.n - 1), plain), -EBADMSG);
		}
	}
	assert_int_equal(aes_gcm_open_kept(key, S(""), str_of(sealed.p, 27), plain), -EBADMSG);
	/* what is too long to be kept is opened all the same */
	assert_int_equal(aes_gcm_seal(key, text, S("x"), str_of((char *)other, 32), text + SEAL_NONCE_BYTES), 0);
	for (int again = 0; again < 2; again++) {
		char long_aad[400] = "y";

		assert_int_equal(aes_gcm_open_kept(key, S("x"), str_of(sealed.p, 60), plain), 0);
		assert_memory_equal(plain, other, 32);
		assert_int_equal(aes_gcm_open_kept(key, str_of(long_aad, sizeof long_aad), str_of(sealed.p, 60), plain), -EBADMSG);
	}
}

static void test_secret_memory(void **state)
{
	uint8_t *p = secret_alloc(10000);
	pid_t child;
	int status;

	assert_non_null(p);
	for (size_t i = 0; i < 10000; i++)
		assert_int_equal(p[i], 0);
	memset(p, 7, 10000);
	child = fork();
	if (child == 0)
		_exit(p[0] || p[9999]); /* a child has none of it */
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(p[9999], 7);
	secret_free(p, 10000);
	secret_free(NULL, 1);
}

static void test_seal(void **state)
{
	static const uint8_t zero[32];
	struct arena a = { 0 };
	uint8_t out[64], plain[64], key[32];
	struct str sealed, bad;

	/* McGrew and Viega, cases 13 and 14 */
	assert_int_equal(aes_gcm_seal(zero, zero, STR_NONE, STR_NONE, out), 0);
	assert_str(hex_encode(&a, out, 16), "530f8afbc74536b9a963b4f1c4cb738b");
	assert_int_equal(aes_gcm_seal(zero, zero, STR_NONE, str_of((const char *)zero, 16), out), 0);
	assert_str(hex_encode(&a, out, 32), "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");

	random_bytes(key, sizeof key);
	assert_int_equal(aes_gcm_seal(key, zero, S("context"), S("attack at dawn"), out), 0);
	sealed = str_of((char *)out, 14 + SEAL_TAG_BYTES);
	assert_int_equal(aes_gcm_open(key, zero, S("context"), sealed, plain), 0);
	assert_memory_equal(plain, "attack at dawn", 14);
	for (size_t bit = 0; bit < sealed.n * 8; bit++) { /* any bit of it changed is noticed, and nothing comes out */
		char changed[64];

		memcpy(changed, sealed.p, sealed.n);
		changed[bit / 8] = (char)(changed[bit / 8] ^ 1 << bit % 8);
		memset(plain, 0x55, sizeof plain);
		assert_int_equal(aes_gcm_open(key, zero, S("context"), str_of(changed, sealed.n), plain), -EBADMSG);
		assert_memory_equal(plain, zero, 14);
	}
	assert_int_equal(aes_gcm_open(key, zero, S("Context"), sealed, plain), -EBADMSG);
	assert_int_equal(aes_gcm_open(key, zero, STR_NONE, sealed, plain), -EBADMSG);
	assert_int_equal(aes_gcm_open(zero, zero, S("context"), sealed, plain), -EBADMSG);
	assert_int_equal(aes_gcm_open(key, key, S("context"), sealed, plain), -EBADMSG);
	for (size_t n = 0; n < sealed.n; n++) {
		bad = str_of(sealed.p, n);
		assert_int_equal(aes_gcm_open(key, zero, S("context"), bad, plain), -EBADMSG);
	}
	assert_int_equal(aes_gcm_open(key, zero, S("context"), sealed, out), 0); /* in place */
	assert_memory_equal(out, "attack at dawn", 14);
	arena_done(&a);
}

static void *thread_work(void *arg)
{
	static const uint8_t nonce[12];
	uint8_t *ok = arg, key[32], sealed[48], plain[32], mac[32], again[32];

	for (int i = 0; i < 300; i++) {
		random_bytes(key, sizeof key);
		aes_gcm_seal(key, nonce, STR_NONE, str_of((char *)key, 32), sealed);
		hmac_sha256(key, 32, sealed, 48, mac);
		if (aes_gcm_open(key, nonce, STR_NONE, str_of((char *)sealed, 48), plain) < 0 || memcmp(plain, key, 32))
			return NULL;
		hmac_sha256(key, 32, sealed, 48, again);
		if (!mem_equal_ct(mac, again, 32))
			return NULL;
	}
	*ok = 1;
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t threads[4];
	uint8_t ok[4] = { 0 };

	for (size_t i = 0; i < ELEMENTS(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, thread_work, &ok[i]), 0);
	for (size_t i = 0; i < ELEMENTS(threads); i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i < ELEMENTS(threads); i++)
		assert_int_equal(ok[i], 1);
}

static void test_random(void **state)
{
	struct arena a = { 0 };
	struct str s, t;
	size_t counts[3] = { 0 };

	s = random_uuid(&a);
	t = random_uuid(&a);
	assert_int_equal(s.n, 36);
	assert_false(str_eq(s, t));
	for (size_t i = 0; i < 36; i++)
		assert_true(i == 8 || i == 13 || i == 18 || i == 23 ? s.p[i] == '-' : strchr("0123456789abcdef", s.p[i]) != NULL);
	assert_int_equal(s.p[14], '4');
	assert_non_null(strchr("89ab", s.p[19]));
	assert_int_equal(random_hex(&a, 17).n, 17);
	s = random_from(&a, S("abc"), 30000);
	for (size_t i = 0; i < s.n; i++)
		counts[s.p[i] - 'a']++;
	for (size_t i = 0; i < 3; i++)
		assert_in_range(counts[i], 9400, 10600); /* seven standard deviations */
	assert_str(random_from(&a, S("x"), 3), "xxx");
	assert_str(random_from(&a, S("x"), 0), "");
	arena_done(&a);
}

static void test_random_after_fork(void **state)
{
	uint8_t mine[16], theirs[16];
	int fds[2], status;
	pid_t child;

	random_bytes(mine, sizeof mine); /* so that something is in stock */
	assert_int_equal(pipe(fds), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		random_bytes(theirs, sizeof theirs);
		_exit(write(fds[1], theirs, sizeof theirs) != sizeof theirs);
	}
	random_bytes(mine, sizeof mine);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(read(fds[0], theirs, sizeof theirs), sizeof theirs);
	assert_memory_not_equal(mine, theirs, sizeof mine);
	close(fds[0]);
	close(fds[1]);
}

static void test_random_no_repeats(void **state)
{
	uint64_t *seen = xmalloc(4096 * sizeof *seen);

	for (size_t i = 0; i < 4096; i++) {
		uint8_t bytes[64] = { 0 };

		random_bytes(bytes, 8 + i % 57);
		memcpy(&seen[i], bytes, 8);
		for (size_t k = 0; k < i; k++)
			assert_true(seen[k] != seen[i]);
	}
	free(seen);
}

static void test_memory(void **state)
{
	char secret[] = "secret";

	assert_true(mem_equal_ct("abc", "abc", 3));
	assert_false(mem_equal_ct("abc", "abd", 3));
	assert_true(mem_equal_ct("abc", "abd", 2));
	mem_wipe(secret, sizeof secret);
	for (size_t i = 0; i < sizeof secret; i++)
		assert_int_equal(secret[i], 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_digests),
	cmocka_unit_test(test_hmac),
	cmocka_unit_test(test_crcs),
	cmocka_unit_test(test_streams),
	cmocka_unit_test(test_seal),
	cmocka_unit_test(test_hmac_key),
	cmocka_unit_test(test_open_kept),
	cmocka_unit_test(test_secret_memory),
	cmocka_unit_test(test_threads),
	cmocka_unit_test(test_random),
	cmocka_unit_test(test_memory),
	cmocka_unit_test(test_random_after_fork),
	cmocka_unit_test(test_random_no_repeats),
};
TEST_MAIN(tests)
