/* SPDX-License-Identifier: Apache-2.0 */
/* crc.c - CRC-32, CRC-32C and CRC-64/NVME, the checksums S3 knows.
 *
 * All are reflected, begin and end inverted, and chain like zlib's: crc(crc(0, a), b) is the checksum of a followed by
 * b. Tables (slicing by eight) are computed once; CRC-32C uses the processor's instruction where there is one. */
#include <pthread.h>
#ifdef __x86_64__
#include <nmmintrin.h>
#endif

#include "base/util.h"

#define POLY_CRC32 0xedb88320u
#define POLY_CRC32C 0x82f63b78u
#define POLY_CRC64NVME 0x9a6c9329ac4bc9b5u
#define SLICES 8

static uint32_t table32[SLICES][256], table32c[SLICES][256];
static uint64_t table64[SLICES][256];
static bool have_crc32c;

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
#ifdef __x86_64__
	have_crc32c = __builtin_cpu_supports("sse4.2");
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

uint32_t crc32_ieee(uint32_t crc, const void *p, size_t n)
{
	prepare();
	return ~run32(table32, ~crc, p, n);
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

uint64_t crc64_nvme(uint64_t crc, const void *data, size_t n)
{
	const uint8_t *p = data;
	uint64_t c = ~crc;

	prepare();
	for (; n >= 8; p += 8, n -= 8) {
		uint64_t v = load_le64(p) ^ c;

		c = table64[7][v & 255] ^ table64[6][v >> 8 & 255] ^ table64[5][v >> 16 & 255] ^ table64[4][v >> 24 & 255] ^
		    table64[3][v >> 32 & 255] ^ table64[2][v >> 40 & 255] ^ table64[1][v >> 48 & 255] ^ table64[0][v >> 56];
	}
	while (n--)
		c = c >> 8 ^ table64[0][(c ^ *p++) & 255];
	return ~c;
}
