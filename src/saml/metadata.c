/* SPDX-License-Identifier: Apache-2.0 */
/* metadata.c - who an identity provider is and what it signs with: EntityDescriptor and IDPSSODescriptor (SAML Metadata, 2.3 and 2.4). */
#include "base/util.h"
#include "saml/internal.h"
#include <errno.h>

static bool valid_until(const struct saml_node *n, struct opt_time *ret)
{
	struct str s = saml_attr(n, "validUntil");
	int64_t t;

	if (!s.p)
		return true;
	if (time_parse_iso(str_trim(s), &t) < 0)
		return false;
	if (!ret->has || t < ret->ms)
		*ret = OPT_TIME(t);
	return true;
}

static bool speaks_saml2(const struct saml_node *idp)
{
	struct str rest = saml_attr(idp, "protocolSupportEnumeration"), word;

	while (rest.p && str_next(&rest, ' ', &word))
		if (str_is(word, NS_PROTOCOL))
			return true;
	return false;
}

static int add_certificate(struct arena *a, const struct saml_node *n, struct str_list *l)
{
	struct str text = saml_text(n), der;

	if (!text.p || saml_base64(a, text, &der) < 0 || saml_certificate_check(der) < 0)
		return -EKEYREJECTED;
	if (str_list_has(l, der))
		return 0;
	if (l->n == SAML_CERTIFICATES_MAX)
		return -E2BIG;
	l->v[l->n++] = der;
	return 0;
}

/* A key without a use is for both, signing and encrypting. */
static int add_key(struct arena *a, const struct saml_node *key, struct str_list *l)
{
	const struct saml_node *info = saml_only(key, NS_DSIG, "KeyInfo");
	struct str use = saml_attr(key, "use");
	int r = 0;

	if (use.p && !str_is(use, "signing"))
		return str_is(use, "encryption") ? 0 : -EINVAL;
	for (const struct saml_node *d = saml_first(info, NS_DSIG, "X509Data"); d; d = saml_next(d, NS_DSIG, "X509Data"))
		for (const struct saml_node *c = saml_first(d, NS_DSIG, "X509Certificate"); r == 0 && c;
		     c = saml_next(c, NS_DSIG, "X509Certificate"))
			r = add_certificate(a, c, l);
	return r;
}

static bool has_sign_on(const struct saml_node *idp)
{
	const struct saml_node *n = saml_first(idp, NS_METADATA, "SingleSignOnService");

	for (; n; n = saml_next(n, NS_METADATA, "SingleSignOnService"))
		if (saml_attr(n, "Binding").n && saml_attr(n, "Location").n)
			return true;
	return false;
}

int saml_metadata_read(struct arena *a, struct str text, struct saml_metadata *ret)
{
	struct saml_metadata m = { .certificates.v = arena_array(a, struct str, SAML_CERTIFICATES_MAX) };
	const struct saml_node *idp, *key;
	struct saml_node *root;
	int r = saml_parse(a, text, &root);

	if (r < 0 || !saml_is(root, NS_METADATA, "EntityDescriptor"))
		return -EINVAL;
	idp = saml_only(root, NS_METADATA, "IDPSSODescriptor");
	m.entity_id = saml_attr(root, "entityID");
	if (!idp || !m.entity_id.n || m.entity_id.n > SAML_ENTITY_ID_MAX || !speaks_saml2(idp) || !has_sign_on(idp) ||
	    !valid_until(root, &m.valid_until) || !valid_until(idp, &m.valid_until))
		return -EINVAL;
	for (key = saml_first(idp, NS_METADATA, "KeyDescriptor"); r == 0 && key; key = saml_next(key, NS_METADATA, "KeyDescriptor"))
		r = add_key(a, key, &m.certificates);
	if (r < 0)
		return r;
	if (!m.certificates.n)
		return -EINVAL;
	*ret = m;
	return 0;
}
