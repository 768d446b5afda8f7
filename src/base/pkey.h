/* SPDX-License-Identifier: Apache-2.0 */
/* pkey.h - signatures with public keys, as tokens and documents carry them. */
#pragma once
#include "base/str.h"

struct evp_pkey_st;
/* pkey_verify: is this the key's signature over text, with this digest ("SHA256")? RSA: PKCS #1 v1.5. EC: ECDSA, r and s side by side,
 * each as long as the curve's order, as in JWS (RFC 7518) and XML Signature. */
bool pkey_verify(struct evp_pkey_st *key, const char *digest, struct str signature, struct str text);
