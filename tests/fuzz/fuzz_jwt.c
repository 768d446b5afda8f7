/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens and key sets as strangers send them. Input: token, newline, key set. */
#include "base/arena.h"
#include "svc/sts/jwt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena a = { 0 };
	struct str token, keys;
	struct jwt t;

	if (!str_cut(str_of((const char *)data, n), '\n', &token, &keys))
		return 0;
	if (jwt_parse(&a, token, &t) == 0) {
		(void)jwt_verify(&a, &t, keys);
		(void)jwt_has_key(&a, keys, t.kid);
	}
	arena_done(&a);
	return 0;
}
