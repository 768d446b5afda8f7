/* SPDX-License-Identifier: Apache-2.0 */
/* jwt.h - signed JSON Web Tokens (RFC 7515, 7519) and the key sets that verify them (RFC 7517). Pure: no store, no network. */
#pragma once
#include "base/arena.h"
#include "base/json.h"

struct jwt { /* nothing of it is believed before jwt_verify */
	struct str alg, kid;
	const struct json *header, *claims;
	struct str signed_text, signature;
};
int jwt_parse(struct arena *a, struct str token, struct jwt *ret); /* -EINVAL: not three parts, not JSON, or unsigned */
/* jwt_verify: was it signed by a key of this set? The key decides what may verify with it: its type, and its algorithm and use where
 * it says so. 0; -ENOENT: no key of the set fits the token; -EBADMSG: the signature is not that key's; -EINVAL: no key set. */
int jwt_verify(struct arena *a, const struct jwt *t, struct str jwks);
bool jwt_has_key(struct arena *a, struct str jwks, struct str kid); /* is there a key of this id? kid absent: any */
