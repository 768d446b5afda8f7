/* SPDX-License-Identifier: Apache-2.0 */
/* secret.h - secrets that are kept for a while, and keys made ready for many uses. */
#pragma once
#include "base/str.h"

/* secret_alloc gives zeroed memory for secrets: see secret.c. NULL: there is none. */
void *secret_alloc(size_t n);
void secret_free(void *p, size_t n); /* wipes; accepts NULL */

struct hmac_key { /* of HMAC-SHA256, made ready; as secret as the key */
	uint64_t state[2 * 14];
};
void hmac_key_make(const void *key, size_t n, struct hmac_key *ret);
void hmac_key_sign(const struct hmac_key *key, const void *p, size_t n, uint8_t out[32]);

/* aes_gcm_open_kept is aes_gcm_open (base/util.h) for short secrets that calls need again and again; sealed: nonce, ciphertext,
 * tag. What was opened stays in the thread's memory for secrets for a minute. See secret.c. */
int aes_gcm_open_kept(const uint8_t key[32], struct str aad, struct str sealed, uint8_t *out);
