/* SPDX-License-Identifier: Apache-2.0 */
/* util.h - time, randomness, encodings, hashes and sealing.
 *
 * All time comes from clock_now_ms(), which tests and the admin socket can move. Hashing and sealing go through
 * OpenSSL; algorithm objects are fetched once and contexts are kept per thread (fetching takes a global lock). */
#pragma once
#include "base/buf.h"
#include "base/str.h"

/* --- time --- */
int64_t clock_now_ms(void);         /* wall clock plus the offset, ms since the epoch */
void clock_shift_ms(int64_t delta); /* moves the clock by delta, for good */
int64_t clock_offset_ms(void);
int64_t clock_mono_ms(void);                         /* monotonic, for timeouts; never shifted */
int64_t clock_mono_us(void);                         /* the same in microseconds, for measuring */
struct str time_iso(struct arena *a, int64_t ms);    /* 2026-01-02T03:04:05Z */
struct str time_iso_ms(struct arena *a, int64_t ms); /* 2026-01-02T03:04:05.678Z */
struct str time_basic(struct arena *a, int64_t ms);  /* 20260102T030405Z */
struct str time_http(struct arena *a, int64_t ms);   /* Fri, 02 Jan 2026 03:04:05 GMT */
/* time_parse takes ISO 8601 (basic or extended, fraction, offset), HTTP dates and epoch seconds. 0 or -EINVAL. */
int time_parse(struct str s, int64_t *ret_ms);
int time_parse_iso(struct str s, int64_t *ret_ms);
int time_parse_basic(struct str s, int64_t *ret_ms); /* exactly YYYYMMDDTHHMMSSZ */

/* --- randomness --- */
void random_bytes(void *p, size_t n);    /* from OpenSSL's DRBG; aborts when there is none */
struct str random_uuid(struct arena *a); /* version 4 */
struct str random_hex(struct arena *a, size_t digits);
struct str random_from(struct arena *a, struct str alphabet, size_t n); /* unbiased */

/* --- encodings --- */
struct str hex_encode(struct arena *a, const void *p, size_t n);
int hex_decode(struct arena *a, struct str s, struct str *ret); /* -EINVAL */
struct str base64_encode(struct arena *a, struct str s);
int base64_decode(struct arena *a, struct str s, struct str *ret);                  /* standard alphabet, padding required; -EINVAL */
int base64url_decode(struct arena *a, struct str s, struct str *ret);               /* RFC 4648 section 5, no padding; -EINVAL */
struct str uri_encode(struct arena *a, struct str s, bool keep_slash);              /* RFC 3986 unreserved stay, SigV4's rule */
int uri_decode(struct arena *a, struct str s, bool plus_is_space, struct str *ret); /* -EINVAL on a bad %xx */
void xml_escape(struct buf *b, struct str s, bool attribute);

/* --- hashes; all of them thread-safe --- */
void hash_sha256(const void *p, size_t n, uint8_t out[32]);
void hash_sha1(const void *p, size_t n, uint8_t out[20]);
void hash_md5(const void *p, size_t n, uint8_t out[16]);
void hmac_sha256(const void *key, size_t key_n, const void *p, size_t n, uint8_t out[32]);
struct hash; /* streaming digest */
enum hash_kind { HASH_SHA256, HASH_SHA1, HASH_MD5, HASH_CRC32, HASH_CRC32C, HASH_CRC64NVME };
struct hash *hash_new(enum hash_kind k);
void hash_add(struct hash *h, const void *p, size_t n);
size_t hash_end(struct hash *h, uint8_t out[32]);           /* digest length; CRCs big-endian. The hash may only be freed after */
struct hash *hash_free(struct hash *h);                     /* accepts NULL, returns NULL */
uint32_t crc32_ieee(uint32_t crc, const void *p, size_t n); /* start with 0 */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);
uint64_t crc64_nvme(uint64_t crc, const void *p, size_t n);
bool mem_equal_ct(const void *a, const void *b, size_t n); /* constant time */
void mem_wipe(void *p, size_t n);

/* --- AES-256-GCM; output is ciphertext followed by the 16-byte tag --- */
#define SEAL_TAG_BYTES 16
#define SEAL_NONCE_BYTES 12
int aes_gcm_seal(const uint8_t key[32], const uint8_t nonce[12], struct str aad, struct str plain, uint8_t *out);
int aes_gcm_open(const uint8_t key[32], const uint8_t nonce[12], struct str aad, struct str sealed, uint8_t *out); /* -EBADMSG */

/* --- log: one line to standard error; never secrets --- */
enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO };
void log_line(enum log_level l, const char *fmt, ...) _printf_(2, 3);
