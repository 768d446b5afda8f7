/* SPDX-License-Identifier: Apache-2.0 */
/* signature.c - enveloped signatures over one element, by the keys of certificates that are known already.
 *
 * What SAML allows (Core, section 5.4) and no more: the Signature is a child of the element it signs, with one Reference to that
 * element's ID, the transforms "enveloped signature" and exclusive canonicalization, and nothing beside them. Its KeyInfo is not
 * looked at. SHA-1 is no algorithm here. */
#include "base/pkey.h"
#include "base/util.h"
#include "saml/internal.h"
#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#define ENVELOPED NS_DSIG "enveloped-signature"
#define PREFIXES_MAX 16
#define RSA_BITS_MIN 1024 /* "at least 1024 bits": Create a SAML identity provider in IAM */
#define RSA_BITS_MAX 8192

static const struct algorithm {
	const char *uri, *key, *digest; /* key NULL: of a digest */
} algorithms[] = {
	{ "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "RSA", "SHA256" },
	{ "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384", "RSA", "SHA384" },
	{ "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512", "RSA", "SHA512" },
	{ "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", "EC", "SHA256" },
	{ "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384", "EC", "SHA384" },
	{ "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512", "EC", "SHA512" },
	{ "http://www.w3.org/2001/04/xmlenc#sha256", NULL, "SHA256" },
	{ "http://www.w3.org/2001/04/xmldsig-more#sha384", NULL, "SHA384" },
	{ "http://www.w3.org/2001/04/xmlenc#sha512", NULL, "SHA512" },
};

static const struct algorithm *algorithm(const struct saml_node *n, bool signs)
{
	for (size_t i = 0; n && i < ELEMENTS(algorithms); i++)
		if (!algorithms[i].key != signs && str_is(saml_attr(n, "Algorithm"), algorithms[i].uri))
			return &algorithms[i];
	return NULL;
}

/* elements: are these the element's children, in this order, and no other? A name that begins with '?' may be left out. */
static bool elements(const struct saml_node *e, const char *const *names)
{
	const struct saml_node *n = e ? e->children : NULL;

	if (!e)
		return false;
	for (; *names; names++) {
		const char *name = *names + (**names == '?');

		while (n && !n->name.p)
			n = n->next;
		if (n && saml_is(n, NS_DSIG, name))
			n = n->next;
		else if (**names != '?')
			return false;
	}
	while (n && !n->name.p)
		n = n->next;
	return !n;
}

/* --- keys --- */

static EVP_PKEY *key_of(struct str der)
{
	const uint8_t *p = (const uint8_t *)der.p;
	X509 *x = d2i_X509(NULL, &p, (long)der.n);
	EVP_PKEY *key = x && p == (const uint8_t *)der.p + der.n ? X509_get_pubkey(x) : NULL;

	X509_free(x);
	ERR_clear_error();
	return key;
}

int saml_certificate_check(struct str der)
{
	EVP_PKEY *key = key_of(der);
	int bits = key ? EVP_PKEY_get_bits(key) : 0;
	bool good = key && (EVP_PKEY_is_a(key, "EC") || (EVP_PKEY_is_a(key, "RSA") && bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX));

	EVP_PKEY_free(key);
	return good ? 0 : -EKEYREJECTED;
}

static bool signed_by_one(const struct str_list *certificates, const struct algorithm *alg, struct str signature, struct str text)
{
	bool good = false;

	for (size_t i = 0; i < certificates->n && !good; i++) {
		EVP_PKEY *key = key_of(certificates->v[i]);

		good = key && EVP_PKEY_is_a(key, alg->key) && pkey_verify(key, alg->digest, signature, text);
		EVP_PKEY_free(key);
	}
	return good;
}

/* --- canonicalization and digests --- */

/* exclusive: is this exclusive canonicalization, and with which prefixes besides? */
static bool exclusive(struct arena *a, const struct saml_node *n, struct str_list *ret)
{
	const struct saml_node *list;
	struct str rest, prefix;

	*ret = (struct str_list){ arena_array(a, struct str, PREFIXES_MAX), 0 };
	if (!n || !str_is(saml_attr(n, "Algorithm"), NS_EXC_C14N))
		return false;
	list = saml_first(n, NS_EXC_C14N, "InclusiveNamespaces");
	if (!list)
		return true;
	rest = saml_attr(list, "PrefixList");
	while (rest.p && str_next(&rest, ' ', &prefix)) {
		if (!prefix.n)
			continue;
		if (ret->n == PREFIXES_MAX)
			return false;
		ret->v[ret->n++] = str_is(prefix, "#default") ? S("") : prefix;
	}
	return true;
}

static bool digest_is(struct arena *a, const struct algorithm *alg, struct str text, struct str expected)
{
	uint8_t md[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	struct str want;

	return saml_base64(a, expected, &want) == 0 && EVP_Digest(text.p, text.n, md, &n, EVP_get_digestbyname(alg->digest), NULL) == 1 &&
	       want.n == n && mem_equal_ct(md, want.p, n);
}

/* reference: does it mean e, and are e's octets, which it gives, what was digested? */
static int reference(struct arena *a, const struct saml_node *e, const struct saml_node *sig, const struct saml_node *ref, struct str *ret)
{
	const struct saml_node *transforms = saml_only(ref, NS_DSIG, "Transforms"), *first = saml_first(transforms, NS_DSIG, "Transform"),
			       *second = first ? saml_next(first, NS_DSIG, "Transform") : NULL;
	const struct algorithm *alg = algorithm(saml_only(ref, NS_DSIG, "DigestMethod"), false);
	struct str id = saml_attr(e, "ID"), uri = saml_attr(ref, "URI"), want = saml_text(saml_only(ref, NS_DSIG, "DigestValue"));
	struct str_list prefixes;
	int r;

	if (!elements(ref, (const char *const[]){ "Transforms", "DigestMethod", "DigestValue", NULL }) ||
	    !elements(transforms, (const char *const[]){ "Transform", "Transform", NULL }) || !alg || !want.p)
		return -EBADMSG;
	if (!id.n || uri.n != id.n + 1 || uri.p[0] != '#' || !str_eq(str_skip(uri, 1), id))
		return -EBADMSG;
	if (!str_is(saml_attr(first, "Algorithm"), ENVELOPED) || first->children || !exclusive(a, second, &prefixes))
		return -EBADMSG;
	r = saml_c14n(a, e, sig, &prefixes, ret);
	if (r < 0)
		return -EBADMSG;
	return digest_is(a, alg, *ret, want) ? 0 : -EBADMSG;
}

int saml_verify(struct arena *a, const struct saml_node *e, const struct str_list *certificates, struct str *ret)
{
	const struct saml_node *sig = saml_only(e, NS_DSIG, "Signature"), *info = saml_only(sig, NS_DSIG, "SignedInfo");
	const struct algorithm *alg = algorithm(saml_only(info, NS_DSIG, "SignatureMethod"), true);
	struct str text, value, octets;
	struct str_list prefixes;
	int r;

	if (!saml_first(e, NS_DSIG, "Signature"))
		return -ENOKEY;
	if (!elements(sig, (const char *const[]){ "SignedInfo", "SignatureValue", "?KeyInfo", NULL }) ||
	    !elements(info, (const char *const[]){ "CanonicalizationMethod", "SignatureMethod", "Reference", NULL }) || !alg ||
	    !exclusive(a, saml_only(info, NS_DSIG, "CanonicalizationMethod"), &prefixes) ||
	    saml_base64(a, saml_text(saml_only(sig, NS_DSIG, "SignatureValue")), &value) < 0)
		return -EBADMSG;
	r = saml_c14n(a, info, NULL, &prefixes, &text);
	if (r < 0 || !signed_by_one(certificates, alg, value, text))
		return -EBADMSG;
	r = reference(a, e, sig, saml_only(info, NS_DSIG, "Reference"), &octets);
	if (r == 0)
		*ret = octets;
	return r;
}
