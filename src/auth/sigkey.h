/* SPDX-License-Identifier: Apache-2.0 */
/* sigkey.h - signing keys, private to src/auth. */
#pragma once
#include "auth/sigv4.h"

/* sigkey_get gives the signing key of a secret for a day, region and service; from the thread's cache when it was
 * derived before. secret.n <= SIGV4_SECRET_MAX. The caller wipes out. */
void sigkey_get(struct str key_id, struct str secret, struct str date, struct str region, struct str service, uint8_t out[32]);
