/* SPDX-License-Identifier: Apache-2.0 */
/* pkey.c - signatures with public keys; see pkey.h. */
#include "base/pkey.h"
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>

/* OpenSSL wants r and s in DER. Returns its length, 0: not a signature for such a key. *ret is OpenSSL's to free. */
static size_t to_der(struct str sig, size_t half, uint8_t **ret)
{
	ECDSA_SIG *s;
	BIGNUM *r, *v;
	int n;

	if (sig.n != 2 * half)
		return 0;
	s = ECDSA_SIG_new();
	r = BN_bin2bn((const uint8_t *)sig.p, (int)half, NULL);
	v = BN_bin2bn((const uint8_t *)sig.p + half, (int)half, NULL);
	if (!s || !r || !v || ECDSA_SIG_set0(s, r, v) != 1)
		abort(); /* memory alone can fail here */
	n = i2d_ECDSA_SIG(s, ret);
	ECDSA_SIG_free(s);
	return n > 0 ? (size_t)n : 0;
}

bool pkey_verify(EVP_PKEY *key, const char *digest, struct str signature, struct str text)
{
	bool ec = EVP_PKEY_is_a(key, "EC"), good = false;
	const uint8_t *sig = (const uint8_t *)signature.p;
	size_t n = signature.n;
	uint8_t *der = NULL;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (ec) {
		n = to_der(signature, ((size_t)EVP_PKEY_get_bits(key) + 7) / 8, &der);
		sig = der;
	}
	if (ctx && n && (ec || EVP_PKEY_is_a(key, "RSA")))
		good = EVP_DigestVerifyInit_ex(ctx, NULL, digest, NULL, NULL, key, NULL) == 1 &&
		       EVP_DigestVerify(ctx, sig, n, (const uint8_t *)text.p, text.n) == 1;
	EVP_MD_CTX_free(ctx);
	OPENSSL_free(der);
	ERR_clear_error();
	return good;
}
