/* SPDX-License-Identifier: Apache-2.0 */
/* jwt.c - signed JSON Web Tokens; see jwt.h. Only asymmetric signatures exist here: "none" and HMAC are no algorithms, so that
 * neither an unsigned token nor one that was made with the public key as a secret can pass. */
#include "svc/sts/jwt.h"
#include "base/pkey.h"
#include "base/util.h"
#include <assert.h>
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#define KEYS_MAX 100 /* of a set; what is behind them is not looked at */
#define RSA_BYTES_MIN 256
#define RSA_BYTES_MAX 1024
#define EXPONENT_BYTES_MAX 8

static const struct alg {
	const char *name, *kty, *digest, *curve, *group;
	size_t half; /* EC: bytes of r and of s */
} algs[] = {
	{ "RS256", "RSA", "SHA256", NULL, NULL, 0 },           { "RS384", "RSA", "SHA384", NULL, NULL, 0 },
	{ "RS512", "RSA", "SHA512", NULL, NULL, 0 },           { "ES256", "EC", "SHA256", "P-256", "prime256v1", 32 },
	{ "ES384", "EC", "SHA384", "P-384", "secp384r1", 48 }, { "ES512", "EC", "SHA512", "P-521", "secp521r1", 66 },
};

static const struct alg *alg_find(struct str name)
{
	for (size_t i = 0; i < ELEMENTS(algs); i++)
		if (str_is(name, algs[i].name))
			return &algs[i];
	return NULL;
}

int jwt_parse(struct arena *a, struct str token, struct jwt *ret)
{
	struct str part[3], rest = token, text;
	struct json *j[2];

	*ret = (struct jwt){ 0 };
	if (!str_cut(token, '.', &part[0], &rest) || !str_cut(rest, '.', &part[1], &part[2]) || str_find_char(part[2], '.') >= 0)
		return -EINVAL;
	for (int i = 0; i < 2; i++)
		if (base64url_decode(a, part[i], &text) < 0 || json_parse(a, text, &j[i], NULL) < 0 || !json_is(j[i], JSON_OBJECT))
			return -EINVAL;
	if (base64url_decode(a, part[2], &ret->signature) < 0)
		return -EINVAL;
	ret->header = j[0];
	ret->claims = j[1];
	ret->alg = json_str(json_getz(j[0], "alg"));
	ret->kid = json_str(json_getz(j[0], "kid"));
	ret->signed_text = str_of(token.p, part[0].n + 1 + part[1].n);
	if (json_getz(j[0], "crit") || !alg_find(ret->alg)) /* "crit": what must be understood and is not */
		return -EINVAL;
	return 0;
}

/* --- keys --- */

static EVP_PKEY *key_from(const char *type, OSSL_PARAM_BLD *b)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(b);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	if (params && ctx && EVP_PKEY_fromdata_init(ctx) == 1)
		(void)EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params);
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	return key;
}

static struct str number(struct arena *a, const struct json *jwk, const char *name)
{
	struct str s;

	if (base64url_decode(a, json_str(json_getz(jwk, name)), &s) < 0)
		return STR_NONE;
	while (s.n && s.p[0] == 0)
		s = str_skip(s, 1);
	return s;
}

static EVP_PKEY *rsa_key(struct arena *a, const struct json *jwk)
{
	struct str n = number(a, jwk, "n"), e = number(a, jwk, "e");
	OSSL_PARAM_BLD *b;
	BIGNUM *bn, *be;
	EVP_PKEY *key = NULL;

	if (n.n < RSA_BYTES_MIN || n.n > RSA_BYTES_MAX || !e.n || e.n > EXPONENT_BYTES_MAX || !(e.p[e.n - 1] & 1) ||
	    (e.n == 1 && e.p[0] == 1))
		return NULL;
	b = OSSL_PARAM_BLD_new();
	bn = BN_bin2bn((const uint8_t *)n.p, (int)n.n, NULL);
	be = BN_bin2bn((const uint8_t *)e.p, (int)e.n, NULL);
	if (b && bn && be && OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, bn) == 1 &&
	    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, be) == 1)
		key = key_from("RSA", b);
	OSSL_PARAM_BLD_free(b);
	BN_free(bn);
	BN_free(be);
	return key;
}

static EVP_PKEY *ec_key(struct arena *a, const struct json *jwk, const struct alg *alg)
{
	struct str x, y;
	uint8_t point[1 + 2 * 66] = { 4 }; /* not compressed */
	OSSL_PARAM_BLD *b;
	EVP_PKEY *key = NULL;

	if (!str_is(json_str(json_getz(jwk, "crv")), alg->curve) || base64url_decode(a, json_str(json_getz(jwk, "x")), &x) < 0 ||
	    base64url_decode(a, json_str(json_getz(jwk, "y")), &y) < 0 || x.n != alg->half || y.n != alg->half)
		return NULL;
	memcpy(point + 1, x.p, x.n);
	memcpy(point + 1 + x.n, y.p, y.n);
	b = OSSL_PARAM_BLD_new();
	if (b && OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, alg->group, 0) == 1 &&
	    OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * alg->half) == 1)
		key = key_from("EC", b); /* a point that is not on the curve makes no key */
	OSSL_PARAM_BLD_free(b);
	return key;
}

/* fits: may this key verify what says it was signed so? */
static bool fits(const struct json *jwk, const struct jwt *t, const struct alg *alg)
{
	const struct json *ops = json_getz(jwk, "key_ops");
	struct str use = json_str(json_getz(jwk, "use")), key_alg = json_str(json_getz(jwk, "alg"));
	bool verifies = !ops;

	for (size_t i = 0; json_is(ops, JSON_ARRAY) && i < ops->n; i++)
		verifies = verifies || str_is(json_str(&ops->items[i]), "verify");
	return json_is(jwk, JSON_OBJECT) && str_is(json_str(json_getz(jwk, "kty")), alg->kty) && verifies &&
	       (!use.p || str_is(use, "sig")) && (!key_alg.p || str_eq(key_alg, t->alg)) &&
	       (!t->kid.p || str_eq(json_str(json_getz(jwk, "kid")), t->kid));
}

/* --- signatures --- */

static const struct json *keys_of(struct arena *a, struct str jwks)
{
	struct json *j;

	if (json_parse(a, jwks, &j, NULL) < 0)
		return NULL;
	j = json_getz(j, "keys");
	return json_is(j, JSON_ARRAY) ? j : NULL;
}

int jwt_verify(struct arena *a, const struct jwt *t, struct str jwks)
{
	const struct json *keys = keys_of(a, jwks), *found = NULL;
	const struct alg *alg = alg_find(t->alg);
	EVP_PKEY *key;
	bool good;

	assert(alg); /* jwt_parse has seen to it */
	if (!keys)
		return -EINVAL;
	for (size_t i = 0; i < keys->n && i < KEYS_MAX; i++) {
		if (!fits(&keys->items[i], t, alg))
			continue;
		if (found) /* two may be meant: nobody is to choose the one that suits him */
			return -ENOENT;
		found = &keys->items[i];
	}
	key = !found ? NULL : alg->half ? ec_key(a, found, alg) : rsa_key(a, found);
	if (!key) {
		ERR_clear_error();
		return -ENOENT;
	}
	good = pkey_verify(key, alg->digest, t->signature, t->signed_text);
	EVP_PKEY_free(key);
	return good ? 0 : -EBADMSG;
}

bool jwt_has_key(struct arena *a, struct str jwks, struct str kid)
{
	const struct json *keys = keys_of(a, jwks);

	for (size_t i = 0; keys && i < keys->n && i < KEYS_MAX; i++)
		if (!kid.p || str_eq(json_str(json_getz(&keys->items[i], "kid")), kid))
			return true;
	return false;
}
