/* SPDX-License-Identifier: Apache-2.0 */
/* response.c - a response of an identity provider: verified, then read.
 *
 * Before anything is verified the document must have the one shape that is understood: one Assertion, which is a child of the
 * Response; signatures only as children of these two; no ID twice. Every signature there must be good. The assertion is then read
 * from the octets that were signed (saml.h). */
#include "base/util.h"
#include "saml/internal.h"
#include <errno.h>

#define STATUS_SUCCESS "urn:oasis:names:tc:SAML:2.0:status:Success"
#define BEARER "urn:oasis:names:tc:SAML:2.0:cm:bearer"

/* --- the document's shape --- */

struct shape {
	struct arena *a;
	const struct saml_node *root, *assertion;
	struct str *ids;
	size_t n_ids, cap, n_assertions;
};

static int take_ids(struct shape *s, const struct saml_node *n)
{
	for (size_t i = 0; i < n->n_attrs; i++) {
		if (!str_eq_ci(n->attrs[i].name, S("ID")))
			continue;
		for (size_t k = 0; k < s->n_ids; k++)
			if (str_eq(s->ids[k], n->attrs[i].value))
				return -EINVAL;
		if (s->n_ids == SAML_IDS_MAX)
			return -EINVAL;
		vec_push(s->a, s->ids, s->n_ids, s->cap) = n->attrs[i].value;
	}
	return 0;
}

static int look(struct shape *s, const struct saml_node *n) /* as deep as SAML_DEPTH_MAX */
{
	int r;

	if (!n->name.p)
		return 0;
	if (str_is(n->name, "EncryptedAssertion"))
		return -EOPNOTSUPP;
	if (str_is(n->name, "Assertion")) {
		if (n->parent != s->root || !saml_is(n, NS_ASSERTION, "Assertion") || ++s->n_assertions > 1)
			return -EINVAL;
		s->assertion = n;
	}
	if (str_is(n->name, "Response") && n != s->root)
		return -EINVAL;
	if (str_is(n->name, "Signature") && n->parent != s->root && n->parent != s->assertion)
		return -EINVAL;
	r = take_ids(s, n);
	for (const struct saml_node *k = n->children; r == 0 && k; k = k->next)
		r = look(s, k);
	return r;
}

static int check_status(const struct saml_node *root)
{
	const struct saml_node *code = saml_only(saml_only(root, NS_PROTOCOL, "Status"), NS_PROTOCOL, "StatusCode");

	if (!code)
		return -EINVAL;
	return str_is(saml_attr(code, "Value"), STATUS_SUCCESS) ? 0 : -EACCES;
}

/* --- what was signed --- */

/* signed_assertion: the assertion, from the innermost signed octets. */
static int signed_assertion(struct shape *s, const struct str_list *certificates, const struct saml_node **ret)
{
	struct str octets = STR_NONE;
	struct saml_node *n;
	int whole = saml_verify(s->a, s->root, certificates, &octets), part = saml_verify(s->a, s->assertion, certificates, &octets);

	if ((whole < 0 && whole != -ENOKEY) || (part < 0 && part != -ENOKEY))
		return -EBADMSG;
	if (!octets.p)
		return -ENOKEY;
	if (saml_parse(s->a, octets, &n) < 0)
		return -EINVAL;
	*ret = part == 0 ? n : saml_only(n, NS_ASSERTION, "Assertion");
	return *ret && saml_is(*ret, NS_ASSERTION, "Assertion") ? 0 : -EINVAL;
}

/* --- its claims --- */

static int read_time(const struct saml_node *n, const char *name, struct opt_time *ret)
{
	struct str s = saml_attr(n, name);
	int64_t t;

	if (!s.p)
		return 0;
	if (time_parse_iso(str_trim(s), &t) < 0)
		return -EINVAL;
	*ret = OPT_TIME(t);
	return 0;
}

static struct str uri_text(const struct saml_node *n)
{
	struct str s = saml_text(n);

	return s.p ? str_trim(s) : s;
}

/* "Exactly one SubjectConfirmation element with a SubjectConfirmationData element that includes both the NotOnOrAfter attribute and a
 * Recipient attribute": Configure SAML assertions for the authentication response (IAM User Guide). */
static int read_subject(const struct saml_node *e, struct saml_assertion *ret)
{
	const struct saml_node *subject = saml_only(e, NS_ASSERTION, "Subject"), *name = saml_only(subject, NS_ASSERTION, "NameID"),
			       *confirmation = saml_only(subject, NS_ASSERTION, "SubjectConfirmation"),
			       *data = saml_only(confirmation, NS_ASSERTION, "SubjectConfirmationData");
	struct opt_time before = { 0 };

	if (!name || !data || !str_is(saml_attr(confirmation, "Method"), BEARER) || read_time(data, "NotOnOrAfter", &before) < 0 ||
	    read_time(data, "NotBefore", &ret->confirm_from) < 0)
		return -EINVAL;
	ret->subject = saml_text(name);
	ret->format = saml_attr(name, "Format");
	ret->recipient = saml_attr(data, "Recipient");
	ret->confirm_before_ms = before.ms;
	if (!ret->subject.n || ret->subject.n > SAML_SUBJECT_MAX || ret->format.n > SAML_SUBJECT_MAX || !ret->recipient.n || !before.has)
		return -EINVAL;
	ret->recipient = str_trim(ret->recipient);
	return 0;
}

/* A condition that is not known makes an assertion that nobody may rely on (Core, 2.5.1.1). */
static int read_conditions(struct arena *a, const struct saml_node *e, struct saml_assertion *ret)
{
	const struct saml_node *c = saml_only(e, NS_ASSERTION, "Conditions");
	size_t cap = 0;

	if (!c)
		return saml_first(e, NS_ASSERTION, "Conditions") ? -EINVAL : 0;
	if (read_time(c, "NotBefore", &ret->valid_from) < 0 || read_time(c, "NotOnOrAfter", &ret->valid_before) < 0)
		return -EINVAL;
	for (const struct saml_node *n = c->children; n; n = n->next) {
		struct str_list l = { 0 };
		size_t l_cap = 0;

		if (!n->name.p || saml_is(n, NS_ASSERTION, "OneTimeUse") || saml_is(n, NS_ASSERTION, "ProxyRestriction"))
			continue;
		if (!saml_is(n, NS_ASSERTION, "AudienceRestriction"))
			return -EINVAL;
		for (const struct saml_node *k = saml_first(n, NS_ASSERTION, "Audience"); k; k = saml_next(k, NS_ASSERTION, "Audience"))
			vec_push(a, l.v, l.n, l_cap) = uri_text(k);
		vec_push(a, ret->audiences, ret->n_audiences, cap) = l;
	}
	return 0;
}

static int read_login(const struct saml_node *e, struct saml_assertion *ret)
{
	for (const struct saml_node *n = saml_first(e, NS_ASSERTION, "AuthnStatement"); n;
	     n = saml_next(n, NS_ASSERTION, "AuthnStatement")) {
		struct opt_time t = { 0 };

		if (read_time(n, "SessionNotOnOrAfter", &t) < 0)
			return -EINVAL;
		if (t.has && (!ret->session_before.has || t.ms < ret->session_before.ms))
			ret->session_before = t;
	}
	return 0;
}

static int read_attribute(struct arena *a, const struct saml_node *e, struct saml_attribute *ret)
{
	size_t cap = 0;

	ret->name = saml_attr(e, "Name");
	if (!ret->name.n)
		return -EINVAL;
	for (const struct saml_node *n = saml_first(e, NS_ASSERTION, "AttributeValue"); n;
	     n = saml_next(n, NS_ASSERTION, "AttributeValue")) {
		struct str value = saml_text(n);

		if (value.p) /* what has elements in it is for others */
			vec_push(a, ret->values.v, ret->values.n, cap) = value;
	}
	return 0;
}

static int read_attributes(struct arena *a, const struct saml_node *e, struct saml_assertion *ret)
{
	const struct saml_node *s, *n;
	size_t cap = 0;

	for (s = saml_first(e, NS_ASSERTION, "AttributeStatement"); s; s = saml_next(s, NS_ASSERTION, "AttributeStatement"))
		for (n = saml_first(s, NS_ASSERTION, "Attribute"); n; n = saml_next(n, NS_ASSERTION, "Attribute")) {
			struct saml_attribute t = { 0 };

			if (ret->n_attributes == SAML_ATTRIBUTES_MAX || read_attribute(a, n, &t) < 0)
				return -EINVAL;
			vec_push(a, ret->attributes, ret->n_attributes, cap) = t;
		}
	return 0;
}

static int read_assertion(struct arena *a, const struct saml_node *e, struct saml_assertion *ret)
{
	struct opt_time issued = { 0 };
	int r;

	if (!str_is(saml_attr(e, "Version"), "2.0") || read_time(e, "IssueInstant", &issued) < 0 || !issued.has)
		return -EINVAL;
	ret->id = saml_attr(e, "ID");
	ret->issued_ms = issued.ms;
	ret->issuer = uri_text(saml_only(e, NS_ASSERTION, "Issuer"));
	if (!ret->issuer.n || ret->issuer.n > SAML_ENTITY_ID_MAX)
		return -EINVAL;
	r = read_subject(e, ret);
	if (r == 0)
		r = read_conditions(a, e, ret);
	if (r == 0)
		r = read_login(e, ret);
	return r < 0 ? r : read_attributes(a, e, ret);
}

int saml_response_read(struct arena *a, struct str text, const struct str_list *certificates, struct saml_assertion *ret)
{
	struct shape s = { .a = a };
	struct saml_assertion t = { 0 };
	const struct saml_node *e;
	struct saml_node *root;
	int r = saml_parse(a, text, &root);

	if (r < 0 || !saml_is(root, NS_PROTOCOL, "Response") || !str_is(saml_attr(root, "Version"), "2.0"))
		return -EINVAL;
	s.root = root;
	r = look(&s, root);
	if (r == 0)
		r = check_status(root);
	if (r == 0 && !s.assertion)
		r = -EINVAL;
	if (r == 0)
		r = signed_assertion(&s, certificates, &e);
	if (r == 0)
		r = read_assertion(a, e, &t);
	if (r == 0)
		*ret = t;
	return r;
}

struct str_list saml_values(struct arena *a, const struct saml_assertion *s, struct str name)
{
	struct str_list l = { 0 };
	size_t cap = 0;

	for (size_t i = 0; i < s->n_attributes; i++)
		for (size_t k = 0; str_eq(s->attributes[i].name, name) && k < s->attributes[i].values.n; k++)
			vec_push(a, l.v, l.n, cap) = s->attributes[i].values.v[k];
	return l;
}
