/* SPDX-License-Identifier: Apache-2.0 */
/* saml.c - AssumeRoleWithSAML: a role for whom a SAML identity provider vouches.
 *
 * The call needs no signature: the response is the proof. It is verified with the certificates of the provider that PrincipalArn
 * names, which must be in the role's account; then its times, audience, recipient and roles are checked; then the role's trust policy
 * decides, with the provider as the principal and what it said as condition keys. A response may be used more than once while it is
 * good, as on AWS. Whether a role exists is not told before that.
 *
 * Sources: "AssumeRoleWithSAML" (AWS STS API Reference), "Configure SAML assertions for the authentication response", "Available keys
 * for SAML-based AWS STS federation" and "Troubleshoot SAML federation with IAM" (IAM User Guide). */
#include "saml/saml.h"
#include "svc/sts/federated.h"
#include <errno.h>

#define REDEEM_MS (5 * 60 * 1000) /* "Token must be redeemed within 5 minutes of issuance" */
#define DURATION_MIN_S 900
#define DURATION_MAX_S 43200
#define ATTRIBUTE "https://aws.amazon.com/SAML/Attributes/"
#define NAME_FORMATS "urn:oasis:names:tc:SAML:2.0:nameid-format:"
#define NAME_FORMAT_NONE "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"

struct samlcall { /* a call under examination */
	const struct sts_assume_role_with_saml_request *in;
	struct iam_rec_entity provider;
	struct iam_rec_saml settings;
	struct saml_assertion said;
	struct str account, name_qualifier, subject_type;
	struct federated f;
};

static int invalid(struct call *c, const char *sentence)
{
	return call_fail(c, &sts_err_invalid_identity_token, "%s", sentence);
}

/* --- the response --- */

static int find_provider(struct call *c, struct samlcall *s)
{
	struct arn role, provider;
	int r = federated_role_arn(c, s->in->role_arn, &role);

	if (r < 0)
		return r;
	if (arn_parse(s->in->principal_arn, &provider) < 0 || !str_is(provider.service, "iam") ||
	    !str_starts(provider.resource, S("saml-provider/")))
		return call_fail(c, &sts_err_validation_error, "%.*s is invalid", STR(s->in->principal_arn));
	if (!str_eq(role.account, provider.account))
		return federated_not_authorized(c);
	s->account = provider.account;
	r = iam_saml_find(c->global, c->arena, s->account, s->in->principal_arn, &s->provider, &s->settings);
	return r == -ENOENT ? invalid(c, "Specified provider doesn't exist") : r;
}

static int read_response(struct call *c, struct samlcall *s)
{
	struct str xml;

	if (federated_now_ms(c) >= s->settings.valid_until.ms)
		return invalid(c, "The metadata of the specified provider have expired");
	if (saml_base64(c->arena, s->in->saml_assertion, &xml) < 0)
		return invalid(c, "Invalid base64 SAMLResponse");
	switch (saml_response_read(c->arena, xml, &s->settings.certificates, &s->said)) {
	case 0:
		break;
	case -EBADMSG:
	case -ENOKEY:
		return invalid(c, "Response signature invalid");
	case -EOPNOTSUPP:
		return call_fail(c, &aws_err_not_implemented, "Encrypted assertions are not implemented.");
	case -EACCES:
		return call_fail(c, &sts_err_idp_rejected_claim, "The identity provider (IdP) reported that authentication failed.");
	default:
		return invalid(c, "Your request included an invalid SAML response.");
	}
	return str_eq(s->said.issuer, s->settings.entity_id) ? 0 : invalid(c, "Issuer not present in specified provider");
}

/* --- is it for us, and now? --- */

static int check_times(struct call *c, const struct saml_assertion *a)
{
	int64_t now = federated_now_ms(c), soon = now + FEDERATED_FUTURE_S * 1000;

	if (now >= a->confirm_before_ms || (a->valid_before.has && now >= a->valid_before.ms) ||
	    (a->session_before.has && now >= a->session_before.ms))
		return call_fail(c, &sts_err_expired_token, "Response has expired");
	if (now >= a->issued_ms + REDEEM_MS)
		return call_fail(c, &sts_err_expired_token, "Token must be redeemed within 5 minutes of issuance");
	if (a->issued_ms > soon || (a->valid_from.has && a->valid_from.ms > soon) || (a->confirm_from.has && a->confirm_from.ms > soon))
		return invalid(c, "Response is not yet valid");
	return 0;
}

/* https://signin.aws.amazon.com/saml, or of a region: https://us-east-1.signin.aws.amazon.com/saml */
static bool is_sign_in(struct str url)
{
	struct str region;

	if (str_is(url, "https://signin.aws.amazon.com/saml"))
		return true;
	if (!str_starts(url, S("https://")) || !str_ends(url, S(".signin.aws.amazon.com/saml")))
		return false;
	region = str_of(url.p + 8, url.n - 8 - (sizeof ".signin.aws.amazon.com/saml" - 1));
	for (size_t i = 0; i < region.n; i++)
		if (!(region.p[i] >= 'a' && region.p[i] <= 'z') && !(region.p[i] >= '0' && region.p[i] <= '9') && region.p[i] != '-')
			return false;
	return region.n > 0;
}

static bool is_for_us(const struct saml_assertion *a)
{
	for (size_t i = 0; i < a->n_audiences; i++) {
		const struct str_list *l = &a->audiences[i];
		bool meant = false;

		for (size_t k = 0; k < l->n; k++)
			meant = meant || (l->v[k].p && (str_is(l->v[k], "urn:amazon:webservices") || is_sign_in(l->v[k])));
		if (!meant)
			return false;
	}
	return a->n_audiences > 0;
}

static bool grants_role(struct call *c, const struct samlcall *s)
{
	struct str_list l = saml_values(c->arena, &s->said, S(ATTRIBUTE "Role"));
	struct str a, b;

	for (size_t i = 0; i < l.n; i++) {
		if (!str_cut(l.v[i], ',', &a, &b))
			continue;
		a = str_trim(a);
		b = str_trim(b);
		if ((str_eq(a, s->in->role_arn) && str_eq(b, s->in->principal_arn)) ||
		    (str_eq(b, s->in->role_arn) && str_eq(a, s->in->principal_arn)))
			return true;
	}
	return false;
}

static int check_claims(struct call *c, struct samlcall *s)
{
	int r = check_times(c, &s->said);

	if (r < 0)
		return r;
	if (!is_sign_in(s->said.recipient))
		return invalid(c, "Response does not contain the required recipient");
	if (!is_for_us(&s->said))
		return invalid(c, "Response does not contain the required audience");
	if (!grants_role(c, s))
		return federated_not_authorized(c);
	r = iam_role_find(c->global, c->arena, s->in->role_arn, &s->f.role);
	return r == -ENOENT ? federated_not_authorized(c) : r;
}

/* --- what it says of the session --- */

/* single: the one value of an attribute; absent when it is not there. Refuses more than one. */
static int single(struct call *c, const struct samlcall *s, struct str name, struct str *ret)
{
	struct str_list l = saml_values(c->arena, &s->said, name);

	*ret = l.n ? str_trim(l.v[0]) : STR_NONE;
	return l.n < 2 ? 0 : call_fail(c, &sts_err_invalid_identity_token, "AuthnResponse has more than one value of %.*s", STR(name));
}

static int read_names(struct call *c, struct samlcall *s)
{
	struct sts_assume_role_request *q = &s->f.session;
	int r = single(c, s, S(ATTRIBUTE "RoleSessionName"), &q->role_session_name);

	if (r < 0)
		return r;
	if (!q->role_session_name.p)
		return invalid(c, "RoleSessionName is required in AuthnResponse");
	if (!federated_name_ok(q->role_session_name))
		return invalid(c, "RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}");
	r = single(c, s, S(ATTRIBUTE "SourceIdentity"), &q->source_identity);
	if (r == 0 && q->source_identity.p && !federated_name_ok(q->source_identity)) /* which has no ':', so none begins with "aws:" */
		return invalid(c, "Source Identity must match [a-zA-Z_0-9+=,.@-]{2,64} and not begin with \"aws:\"");
	return r;
}

/* The shortest of what is asked, what the attribute allows, and what is left of the login. */
static int read_duration(struct call *c, struct samlcall *s)
{
	int64_t seconds = s->in->duration_seconds.has ? s->in->duration_seconds.v : STS_ROLE_DEFAULT_S, most;
	struct str text;
	int r = single(c, s, S(ATTRIBUTE "SessionDuration"), &text);

	if (r < 0)
		return r;
	if (text.p) {
		if (str_to_i64(text, &most) < 0 || most < DURATION_MIN_S || most > DURATION_MAX_S)
			return invalid(c, "SessionDuration in AuthnResponse must be a number from 900 to 43200");
		seconds = most < seconds ? most : seconds;
	}
	if (s->said.session_before.has) {
		most = (s->said.session_before.ms - federated_now_ms(c) + 999) / 1000; /* it is not over: check_times */
		seconds = most < seconds ? most : seconds;
	}
	s->f.session.duration_seconds = OPT_INT(seconds);
	return 0;
}

static int read_tags(struct call *c, struct samlcall *s)
{
	struct str_list transitive = saml_values(c->arena, &s->said, S(ATTRIBUTE "TransitiveTagKeys"));
	struct str prefix = S(ATTRIBUTE "PrincipalTag:");
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->said.n_attributes; i++) {
		const struct saml_attribute *t = &s->said.attributes[i];

		if (str_starts(t->name, prefix))
			r = federated_tag(c, &s->f, str_skip(t->name, prefix.n), t->values.n == 1 ? t->values.v[0] : STR_NONE);
	}
	for (size_t i = 0; r == 0 && i < transitive.n; i++)
		r = federated_transitive(c, &s->f, transitive.v[i]);
	return r;
}

static int read_session(struct call *c, struct samlcall *s)
{
	int r;

	s->f.action = "sts:AssumeRoleWithSAML";
	s->f.session = (struct sts_assume_role_request){
		.role_arn = s->in->role_arn,
		.policy_arns = s->in->policy_arns,
		.policy = s->in->policy,
		.minimum_session_token_size = s->in->minimum_session_token_size,
	};
	r = read_names(c, s);
	if (r == 0)
		r = read_duration(c, s);
	return r < 0 ? r : read_tags(c, s);
}

/* --- whom it is about --- */

/* Attributes that are condition keys. list: its key holds all values, else the first one. */
static const struct mapping {
	const char *name, *key;
	bool list;
} mappings[] = {
	{ "urn:oid:1.3.6.1.4.1.5923.1.1.1.1", "saml:edupersonaffiliation", true },
	{ "urn:oid:1.3.6.1.4.1.5923.1.1.1.2", "saml:edupersonnickname", true },
	{ "urn:oid:1.3.6.1.4.1.5923.1.1.1.3", "saml:edupersonorgdn", false },
	{ "urn:oid:1.3.6.1.4.1.5923.1.1.1.4", "saml:edupersonorgunitdn", true },
	{ "urn:oid:1.3.6.1.4.1.5923.1.1.1.5", "saml:edupersonprimaryaffiliation", false },
	{ "urn:oid:1.3.6.1.4.1.5923.1.1.1.6", "saml:edupersonprincipalname", false },
	{ "urn:oid:1.3.6.1.4.1.5923.1.1.1.7", "saml:edupersonentitlement", true },
	{ "urn:oid:1.3.6.1.4.1.5923.1.1.1.8", "saml:edupersonprimaryorgunitdn", false },
	{ "urn:oid:1.3.6.1.4.1.5923.1.1.1.9", "saml:edupersonscopedaffiliation", true },
	{ "urn:oid:1.3.6.1.4.1.5923.1.1.1.10", "saml:edupersontargetedid", true },
	{ "urn:oid:1.3.6.1.4.1.5923.1.1.1.11", "saml:edupersonassurance", true },
	{ "urn:oid:1.3.6.1.4.1.5923.1.2.1.2", "saml:eduorghomepageuri", true },
	{ "urn:oid:1.3.6.1.4.1.5923.1.2.1.3", "saml:eduorgidentityauthnpolicyuri", true },
	{ "urn:oid:1.3.6.1.4.1.5923.1.2.1.4", "saml:eduorglegalname", true },
	{ "urn:oid:1.3.6.1.4.1.5923.1.2.1.5", "saml:eduorgsuperioruri", true },
	{ "urn:oid:1.3.6.1.4.1.5923.1.2.1.6", "saml:eduorgwhitepagesuri", true },
	{ "urn:oid:2.5.4.3", "saml:cn", true },
	{ "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name", "saml:name", false },
	{ "http://schemas.xmlsoap.org/claims/CommonName", "saml:commonName", false },
	{ "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname", "saml:givenName", false },
	{ "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname", "saml:surname", false },
	{ "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress", "saml:mail", false },
	{ "http://schemas.microsoft.com/ws/2008/06/identity/claims/primarygroupsid", "saml:uid", false },
	{ "2.5.4.3", "saml:commonName", false },
	{ "2.5.4.4", "saml:surname", false },
	{ "2.4.5.42", "saml:givenName", false },
	{ "2.5.4.45", "saml:x500UniqueIdentifier", false },
	{ "0.9.2342.19200300100.1.1", "saml:uid", false },
	{ "0.9.2342.19200300100.1.3", "saml:mail", false },
	{ "0.9.2342.19200300.100.1.45", "saml:organizationStatus", false },
};

static bool key_is_set(const struct key_set *k, const char *name)
{
	for (size_t i = 0; i < k->n; i++)
		if (str_is(k->v[i].name, name))
			return true;
	return false;
}

/* "If you include more than one, only one claim will be mapped." */
static void attribute_keys(struct call *c, struct samlcall *s)
{
	for (size_t i = 0; i < ELEMENTS(mappings); i++) {
		struct str_list l = saml_values(c->arena, &s->said, str_c(mappings[i].name));

		if (!l.n || key_is_set(&s->f.keys, mappings[i].key))
			continue;
		if (mappings[i].list)
			key_add_list(c, &s->f.keys, str_c(mappings[i].key), l.v, l.n);
		else
			key_add(c, &s->f.keys, str_c(mappings[i].key), l.v[0]);
	}
}

/* The base64 SHA-1 of issuer, account and "/" with the provider's name (AssumeRoleWithSAML, NameQualifier). */
static struct str name_qualifier(struct call *c, const struct samlcall *s)
{
	struct str all = str_printf(c->arena, "%.*s%.*s/%.*s", STR(s->said.issuer), STR(s->account), STR(s->provider.name));
	uint8_t hash[20];

	hash_sha1(all.p, all.n, hash);
	return base64_encode(c->arena, str_of((const char *)hash, sizeof hash));
}

static void become(struct call *c, struct samlcall *s)
{
	const struct saml_assertion *a = &s->said;
	struct key_set *k = &s->f.keys;
	struct principal *p;

	s->name_qualifier = name_qualifier(c, s);
	s->subject_type = !a->format.n                             ? S(NAME_FORMAT_NONE)
			  : str_starts(a->format, S(NAME_FORMATS)) ? str_skip(a->format, sizeof NAME_FORMATS - 1)
								   : a->format;
	p = federated_become(c, s->provider.arn, str_printf(c->arena, "%.*s:%.*s", STR(s->name_qualifier), STR(a->subject)), a->subject);
	p->federated = s->name_qualifier; /* as the trail names the provider */
	p->said_keys.v = arena_array(c->arena, struct str_pair, 3);
	p->said_keys.v[p->said_keys.n++] = (struct str_pair){ S("saml:namequalifier"), s->name_qualifier };
	p->said_keys.v[p->said_keys.n++] = (struct str_pair){ S("saml:sub"), a->subject };
	p->said_keys.v[p->said_keys.n++] = (struct str_pair){ S("saml:sub_type"), s->subject_type };
	for (size_t i = 0; i < p->said_keys.n; i++)
		key_add(c, k, p->said_keys.v[i].key, p->said_keys.v[i].value);
	key_add(c, k, S("saml:iss"), a->issuer);
	key_add(c, k, S("saml:aud"), a->recipient);
	key_add(c, k, S("saml:doc"), str_printf(c->arena, "%.*s/%.*s", STR(s->account), STR(s->provider.name)));
	attribute_keys(c, s);
}

int sts_assume_role_with_saml(struct call *c, const struct sts_assume_role_with_saml_request *in,
			      struct sts_assume_role_with_saml_response *out)
{
	struct sts_assume_role_response given = { 0 };
	struct samlcall s = { .in = in };
	int r = find_provider(c, &s);

	if (r == 0)
		r = read_response(c, &s);
	if (r < 0)
		return r;
	become(c, &s);
	r = check_claims(c, &s);
	if (r == 0)
		r = read_session(c, &s);
	if (r < 0)
		return r;
	key_add(c, &s.f.keys, S("sts:RoleSessionName"), s.f.session.role_session_name);
	r = federated_grant(c, &s.f, &given);
	if (r < 0)
		return r;
	out->credentials = given.credentials;
	out->assumed_role_user = given.assumed_role_user;
	out->packed_policy_size = given.packed_policy_size;
	out->session_token_size = given.session_token_size;
	out->source_identity = given.source_identity;
	out->subject = s.said.subject;
	out->subject_type = s.subject_type;
	out->issuer = s.said.issuer;
	out->audience = s.said.recipient;
	out->name_qualifier = s.name_qualifier;
	return 0;
}
