/* SPDX-License-Identifier: Apache-2.0 */
/* saml.h - SAML 2.0: what an identity provider says of itself (metadata), and what it says of a user (a signed response).
 *
 * Pure: no store, no clock, no network. Only the profile that providers use is understood, and everything else is refused: no
 * document types, no processing instructions, one reference by ID, exclusive canonicalization, SHA-256 or better. What a response
 * claims is read from the very octets whose digest was signed, parsed anew: nothing else of the document is looked at for it, so
 * there is nothing to wrap a signature around.
 *
 * Sources: SAML Core, Metadata and Bindings (OASIS, 2005), XML Signature Syntax and Processing, Exclusive XML Canonicalization (W3C). */
#pragma once
#include "base/arena.h"
#include "base/str.h"

#define SAML_CERTIFICATES_MAX 10 /* "Keys per SAML provider": IAM and AWS STS quotas */
#define SAML_ENTITY_ID_MAX 1024
#define SAML_SUBJECT_MAX 1024
#define SAML_ATTRIBUTES_MAX 512

struct saml_metadata {
	struct str entity_id;
	struct opt_time valid_until;
	struct str_list certificates; /* DER, of the keys that sign */
};
/* saml_metadata_read: the metadata of an identity provider. 0; -EINVAL: it is none; -EKEYREJECTED: one of its certificates can't be
 * read or has a key that is not accepted; -E2BIG: more than SAML_CERTIFICATES_MAX. */
int saml_metadata_read(struct arena *a, struct str text, struct saml_metadata *ret);

struct saml_attribute {
	struct str name;
	struct str_list values;
};
struct saml_assertion {                         /* texts as they stand in the document, but for blanks around URIs */
	struct str id, issuer, subject, format; /* format: of the subject; absent when not given */
	struct str recipient;                   /* of the one SubjectConfirmationData */
	int64_t issued_ms, confirm_before_ms;   /* the latter: its NotOnOrAfter */
	struct opt_time confirm_from;           /* its NotBefore */
	struct opt_time valid_from, valid_before, session_before;
	struct str_list *audiences; /* of each AudienceRestriction: one of each list must be meant */
	size_t n_audiences;
	struct saml_attribute *attributes;
	size_t n_attributes;
};
/* saml_response_read verifies a response (XML) with the provider's certificates and reads its one assertion. 0; -EINVAL: not a response
 * that could be used; -ENOKEY: nothing of it is signed; -EBADMSG: a signature is not good; -EOPNOTSUPP: the assertion is encrypted;
 * -EACCES: the provider says that the login failed. */
int saml_response_read(struct arena *a, struct str text, const struct str_list *certificates, struct saml_assertion *ret);
int saml_base64(struct arena *a, struct str text, struct str *ret); /* with blanks anywhere; -EINVAL */
/* saml_values: of all attributes of this name, in order. */
struct str_list saml_values(struct arena *a, const struct saml_assertion *s, struct str name);
