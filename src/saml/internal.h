/* SPDX-License-Identifier: Apache-2.0 */
/* internal.h - shared by the files of src/saml only: documents as trees that know their namespaces. */
#pragma once
#include "base/buf.h"
#include "saml/saml.h"

#define SAML_DEPTH_MAX 64
#define SAML_NODES_MAX 50000
#define SAML_IDS_MAX 256
#define SAML_NODE_ATTRIBUTES_MAX 64
#define SAML_NODE_NAMESPACES_MAX 96 /* more than a canonical form can need: attributes, element, prefix list */
#define SAML_CANONICAL_BYTES_MAX (1u << 20)

#define NS_PROTOCOL "urn:oasis:names:tc:SAML:2.0:protocol"
#define NS_ASSERTION "urn:oasis:names:tc:SAML:2.0:assertion"
#define NS_METADATA "urn:oasis:names:tc:SAML:2.0:metadata"
#define NS_DSIG "http://www.w3.org/2000/09/xmldsig#"
#define NS_EXC_C14N "http://www.w3.org/2001/10/xml-exc-c14n#"

struct saml_ns {
	struct str prefix, uri; /* empty: the default one; none */
};
struct saml_attr {
	struct str prefix, uri, name, value;
};
struct saml_node { /* an element, or a piece of text between elements: then name.p is NULL and text is set */
	struct str prefix, uri, name, text;
	struct saml_attr *attrs;
	struct saml_ns *ns; /* declared here */
	size_t n_attrs, n_ns;
	struct saml_node *parent, *children, *next;
};

/* --- tree.c --- */
int saml_parse(struct arena *a, struct str text, struct saml_node **ret); /* -EINVAL */
bool saml_is(const struct saml_node *n, const char *uri, const char *name);
/* saml_first and saml_next: the child, the following sibling, of this name; NULL: none. saml_only: the one child, NULL also when there
 * are several. */
const struct saml_node *saml_first(const struct saml_node *n, const char *uri, const char *name);
const struct saml_node *saml_next(const struct saml_node *n, const char *uri, const char *name);
const struct saml_node *saml_only(const struct saml_node *n, const char *uri, const char *name);
struct str saml_attr(const struct saml_node *n, const char *name); /* of no namespace; absent when not there */
/* saml_text: all text of an element that has no elements in it; absent when it has, or n is NULL. */
struct str saml_text(const struct saml_node *n);

/* --- c14n.c --- */
/* saml_c14n writes an element by Exclusive XML Canonicalization, without comments (the tree has none) and without one element in
 * it. inclusive: the PrefixList, "" for the default namespace. -E2BIG: longer than SAML_CANONICAL_BYTES_MAX. */
int saml_c14n(struct arena *a, const struct saml_node *apex, const struct saml_node *without, const struct str_list *inclusive,
	      struct str *ret);

/* --- signature.c --- */
/* saml_verify: the signature that stands in e and signs e. 0 with the octets that were signed; -ENOKEY: it has none; -EBADMSG. */
int saml_verify(struct arena *a, const struct saml_node *e, const struct str_list *certificates, struct str *ret);
int saml_certificate_check(struct str der); /* is there a key in it that may sign? -EKEYREJECTED */
