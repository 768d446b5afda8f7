/* SPDX-License-Identifier: Apache-2.0 */
/* sigkey.h - signing keys, private to src/auth. */
#pragma once
#include "auth/sigv4.h"

/* sigkey_sign gives the signing key of a secret for a day, region and service, from the thread's cache when it was derived
 * before, and the MAC of text under it. secret.n <= SIGV4_SECRET_MAX. The caller wipes both. */
void sigkey_sign(struct str key_id, struct str secret, struct str date, struct str region, struct str service, struct str text,
		 uint8_t ret_key[32], uint8_t mac[32]);
