/* SPDX-License-Identifier: Apache-2.0 */
/* crc.c - CRC-32, CRC-32C and CRC-64/NVME, the checksums S3 knows.
 *
 * All are reflected, begin and end inverted, and chain like zlib's: crc(crc(0, a), b) is the checksum of a followed by
 * b. Tables (slicing by eight) are computed once. Where the processor can: CRC-32C uses its instruction, the others fold
 * with carry-less multiplication and leave the last 16 bytes of a run to the tables. */
#include <pthread.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "base/util.h"

#define POLY_CRC32 0xedb88320u
#define POLY_CRC32C 0x82f63b78u
#define POLY_CRC64NVME 0x9a6c9329ac4bc9b5u
#define SLICES 8

static uint32_t table32[SLICES][256], table32c[SLICES][256];
static uint64_t table64[SLICES][256];
static bool have_crc32c, have_clmul;

/* Multipliers that move a 128-bit part of the message forward: by 512 bits (its earlier half, its later half), by 128. */
struct fold_keys {
	uint64_t by_512[2], by_128[2];
};
static struct fold_keys fold_crc32, fold_crc64;
#define FOLD_MIN_BYTES 128 /* shorter runs are not worth it */

static void make_table32(uint32_t t[SLICES][256], uint32_t poly)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int k = 0; k < 8; k++)
			c = c >> 1 ^ (c & 1 ? poly : 0);
		t[0][i] = c;
	}
	for (int s = 1; s < SLICES; s++)
		for (int i = 0; i < 256; i++)
			t[s][i] = t[s - 1][i] >> 8 ^ t[0][t[s - 1][i] & 255];
}

/* x^n modulo the reflected polynomial of this many bits, aligned to the high end of 64. */
static uint64_t power_of_x(uint64_t poly, int bits, int n)
{
	uint64_t v = 1ull << (bits - 1);

	while (n--)
		v = v >> 1 ^ (v & 1 ? poly : 0);
	return v << (64 - bits);
}

/* The product of two reflected 64-bit values comes out one bit low in 128, hence one power less than the distance. */
static struct fold_keys make_fold_keys(uint64_t poly, int bits)
{
	return (struct fold_keys){
		.by_512 = { power_of_x(poly, bits, 512 + 64 - 1), power_of_x(poly, bits, 512 - 1) },
		.by_128 = { power_of_x(poly, bits, 128 + 64 - 1), power_of_x(poly, bits, 128 - 1) },
	};
}

static void make_tables(void)
{
	make_table32(table32, POLY_CRC32);
	make_table32(table32c, POLY_CRC32C);
	for (uint64_t i = 0; i < 256; i++) {
		uint64_t c = i;

		for (int k = 0; k < 8; k++)
			c = c >> 1 ^ (c & 1 ? POLY_CRC64NVME : 0);
		table64[0][i] = c;
	}
	for (int s = 1; s < SLICES; s++)
		for (int i = 0; i < 256; i++)
			table64[s][i] = table64[s - 1][i] >> 8 ^ table64[0][table64[s - 1][i] & 255];
	fold_crc32 = make_fold_keys(POLY_CRC32, 32);
	fold_crc64 = make_fold_keys(POLY_CRC64NVME, 64);
#ifdef __x86_64__
	have_crc32c = __builtin_cpu_supports("sse4.2");
	have_clmul = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse2");
#endif
}

static void prepare(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_tables);
}

static uint64_t load_le64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	return v;
}

static uint32_t run32(uint32_t t[SLICES][256], uint32_t crc, const uint8_t *p, size_t n)
{
	for (; n >= 8; p += 8, n -= 8) {
		uint64_t v = load_le64(p) ^ crc;

		crc = t[7][v & 255] ^ t[6][v >> 8 & 255] ^ t[5][v >> 16 & 255] ^ t[4][v >> 24 & 255] ^ t[3][v >> 32 & 255] ^
		      t[2][v >> 40 & 255] ^ t[1][v >> 48 & 255] ^ t[0][v >> 56];
	}
	while (n--)
		crc = crc >> 8 ^ t[0][(crc ^ *p++) & 255];
	return crc;
}

#ifdef __x86_64__
__attribute__((target("pclmul,sse2"))) static inline __m128i fold_step(__m128i part, __m128i keys, __m128i next)
{
	return _mm_xor_si128(_mm_xor_si128(_mm_clmulepi64_si128(part, keys, 0x00), _mm_clmulepi64_si128(part, keys, 0x11)), next);
}

/* Replaces a run of 64 bytes or more, with the checksum so far in its first bytes, by 16 bytes that have the same
 * checksum when begun with zero. Returns how many bytes of p it took; multiples of 16. */
__attribute__((target("pclmul,sse2"))) static size_t fold(const struct fold_keys *k, uint64_t crc, const uint8_t *p, size_t n,
							  uint8_t out[16])
{
	__m128i by_512 = _mm_set_epi64x((long long)k->by_512[1], (long long)k->by_512[0]);
	__m128i by_128 = _mm_set_epi64x((long long)k->by_128[1], (long long)k->by_128[0]);
	const uint8_t *begin = p;
	__m128i part[4];

	for (int i = 0; i < 4; i++)
		part[i] = _mm_loadu_si128((const void *)(p + 16 * i));
	part[0] = _mm_xor_si128(part[0], _mm_set_epi64x(0, (long long)crc));
	for (p += 64, n -= 64; n >= 64; p += 64, n -= 64)
		for (int i = 0; i < 4; i++)
			part[i] = fold_step(part[i], by_512, _mm_loadu_si128((const void *)(p + 16 * i)));
	for (int i = 1; i < 4; i++)
		part[i] = fold_step(part[i - 1], by_128, part[i]);
	for (; n >= 16; p += 16, n -= 16)
		part[3] = fold_step(part[3], by_128, _mm_loadu_si128((const void *)p));
	_mm_storeu_si128((void *)out, part[3]);
	return (size_t)(p - begin);
}
#else
static size_t fold(const struct fold_keys *k, uint64_t crc, const uint8_t *p, size_t n, uint8_t out[16])
{
	return 0; /* never called: have_clmul is false */
}
#endif

uint32_t crc32_ieee(uint32_t crc, const void *data, size_t n)
{
	const uint8_t *p = data;
	uint8_t folded[16];
	uint32_t c = ~crc;

	prepare();
	if (have_clmul && n >= FOLD_MIN_BYTES) {
		size_t k = fold(&fold_crc32, c, p, n, folded);

		c = run32(table32, 0, folded, sizeof folded);
		p += k;
		n -= k;
	}
	return ~run32(table32, c, p, n);
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t run32c_sse42(uint32_t crc, const uint8_t *p, size_t n)
{
	uint64_t c = crc;

	for (; n >= 8; p += 8, n -= 8)
		c = _mm_crc32_u64(c, load_le64(p));
	while (n--)
		c = _mm_crc32_u8((uint32_t)c, *p++);
	return (uint32_t)c;
}
#endif

uint32_t crc32c(uint32_t crc, const void *p, size_t n)
{
	prepare();
#ifdef __x86_64__
	if (have_crc32c)
		return ~run32c_sse42(~crc, p, n);
#endif
	return ~run32(table32c, ~crc, p, n);
}

static uint64_t run64(uint64_t c, const uint8_t *p, size_t n)
{
	for (; n >= 8; p += 8, n -= 8) {
		uint64_t v = load_le64(p) ^ c;

		c = table64[7][v & 255] ^ table64[6][v >> 8 & 255] ^ table64[5][v >> 16 & 255] ^ table64[4][v >> 24 & 255] ^
		    table64[3][v >> 32 & 255] ^ table64[2][v >> 40 & 255] ^ table64[1][v >> 48 & 255] ^ table64[0][v >> 56];
	}
	while (n--)
		c = c >> 8 ^ table64[0][(c ^ *p++) & 255];
	return c;
}

uint64_t crc64_nvme(uint64_t crc, const void *data, size_t n)
{
	const uint8_t *p = data;
	uint8_t folded[16];
	uint64_t c = ~crc;

	prepare();
	if (have_clmul && n >= FOLD_MIN_BYTES) {
		size_t k = fold(&fold_crc64, c, p, n, folded);

		c = run64(0, folded, sizeof folded);
		p += k;
		n -= k;
	}
	return ~run64(c, p, n);
}
