/* SPDX-License-Identifier: Apache-2.0 */
/* webidentity.c - AssumeRoleWithWebIdentity: a role for whom an OpenID Connect provider vouches.
 *
 * The call needs no signature: the token is the proof. Nothing it says is believed before its signature is verified with a key
 * that the provider publishes; which provider may speak here is the role's account's to say (it must have one with the token's
 * issuer), and whom the role's trust policy lets in is decided last, with the provider as the principal and the token's claims as
 * condition keys. When the provider's keys must be fetched first the call is parked, and then examined once more from the
 * beginning, on a new snapshot.
 *
 * Sources: "AssumeRoleWithWebIdentity" (AWS STS API Reference), "Available keys for AWS OIDC federation" and "Passing session tags
 * in AWS STS" (IAM User Guide). */
#include "svc/sts/federated.h"
#include "svc/sts/jwks.h"
#include "svc/sts/jwt.h"
#include <errno.h>

#define AMR_MAX 32
#define TAGS_CLAIM "https://aws.amazon.com/tags"
#define SOURCE_IDENTITY_CLAIM "https://aws.amazon.com/source_identity"

struct web { /* a call under examination */
	const struct sts_assume_role_with_web_identity_request *in;
	struct jwt token;
	struct str issuer, subject, audience;
	struct iam_rec_entity provider;
	struct iam_rec_oidc settings;
	struct jwks_source source;
	struct federated f;
};

static int invalid(struct call *c, const char *sentence)
{
	return call_fail(c, &sts_err_invalid_identity_token, "%s", sentence);
}

/* --- what can be looked at before the token is verified --- */

static int find_provider(struct call *c, struct web *w)
{
	struct arn arn;
	int r;

	w->issuer = json_str(json_getz(w->token.claims, "iss"));
	if (!w->issuer.p)
		return invalid(c, "Missing a required claim: iss");
	r = federated_role_arn(c, w->in->role_arn, &arn);
	if (r < 0)
		return r;
	r = iam_role_find(c->global, c->arena, w->in->role_arn, &w->f.role);
	if (r == -ENOENT)
		return federated_not_authorized(c);
	if (r == 0)
		r = iam_oidc_find(c->global, c->arena, arn.account, w->issuer, &w->provider, &w->settings);
	if (r == -ENOENT)
		return call_fail(c, &sts_err_invalid_identity_token, "No OpenIDConnect provider found in your account for %.*s",
				 STR(w->issuer));
	w->source = (struct jwks_source){ arn.account, w->issuer, w->settings.thumbprints };
	return r;
}

static int begin(struct call *c, struct web *w)
{
	if (w->in->provider_id.p)
		return call_fail(
			c, &aws_err_not_implemented,
			"Access tokens of www.amazon.com and graph.facebook.com are not implemented: ProviderId must be left out.");
	if (jwt_parse(c->arena, w->in->web_identity_token, &w->token) < 0)
		return invalid(c, "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)");
	return find_provider(c, w);
}

/* --- the verified token --- */

/* "azp", where there is one, is whom the token was issued to; else one of "aud" must be known. */
static bool find_audience(struct web *w)
{
	const struct json *azp = json_getz(w->token.claims, "azp"), *aud = azp ? azp : json_getz(w->token.claims, "aud");
	size_t n = json_is(aud, JSON_ARRAY) ? aud->n : 1;

	for (size_t i = 0; i < n; i++) {
		struct str a = json_str(json_is(aud, JSON_ARRAY) ? &aud->items[i] : aud);

		for (size_t k = 0; a.p && k < w->settings.clients.n; k++) {
			if (str_eq(w->settings.clients.v[k], a)) {
				w->audience = a;
				return true;
			}
		}
	}
	return false;
}

/* Claims of time are in seconds. */
static int check_times(struct call *c, const struct web *w)
{
	static const char *const starts[] = { "nbf", "iat" };
	const struct json *exp = json_getz(w->token.claims, "exp");
	int64_t now = federated_now_ms(c) / 1000, t;

	if (!json_is(exp, JSON_NUMBER) || json_to_i64(exp, &t) < 0)
		return invalid(c, "Missing a required claim: exp");
	if (now >= t)
		return call_fail(c, &sts_err_expired_token,
				 "Token expired: current date/time %lld must be before the expiration date/time %lld", (long long)now,
				 (long long)t);
	for (size_t i = 0; i < ELEMENTS(starts); i++) {
		const struct json *v = json_getz(w->token.claims, starts[i]);

		if (v && (!json_is(v, JSON_NUMBER) || json_to_i64(v, &t) < 0))
			return invalid(c, "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)");
		if (v && t > now + (i == 0 ? 0 : FEDERATED_FUTURE_S))
			return call_fail(c, &sts_err_invalid_identity_token,
					 "Token is not valid yet: current date/time %lld must not be before %lld", (long long)now,
					 (long long)t);
	}
	return 0;
}

static int check_claims(struct call *c, struct web *w)
{
	int r = check_times(c, w);

	if (r < 0)
		return r;
	w->subject = json_str(json_getz(w->token.claims, "sub"));
	if (!w->subject.n)
		return invalid(c, "Missing a required claim: sub");
	if (!json_getz(w->token.claims, "aud"))
		return invalid(c, "Missing a required claim: aud");
	return find_audience(w) ? 0 : invalid(c, "Incorrect token audience");
}

/* --- session tags and source identity of the token --- */

static int read_tags(struct call *c, struct web *w)
{
	const struct json *claim = json_getz(w->token.claims, TAGS_CLAIM), *tags = json_getz(claim, "principal_tags"),
			  *transitive = json_getz(claim, "transitive_tag_keys"),
			  *identity = json_getz(w->token.claims, SOURCE_IDENTITY_CLAIM);
	int r = 0;

	for (size_t i = 0; r == 0 && json_is(tags, JSON_OBJECT) && i < tags->n; i++) {
		const struct json *v = &tags->members[i].value;

		r = federated_tag(c, &w->f, tags->members[i].key, json_str(json_is(v, JSON_ARRAY) && v->n == 1 ? &v->items[0] : v));
	}
	for (size_t i = 0; r == 0 && json_is(transitive, JSON_ARRAY) && i < transitive->n; i++)
		r = federated_transitive(c, &w->f, json_str(&transitive->items[i]));
	if (r < 0 || !identity)
		return r;
	w->f.session.source_identity = json_str(identity);
	if (!federated_name_ok(w->f.session.source_identity))
		return call_fail(c, &sts_err_idp_rejected_claim, "The source identity of the token is not valid.");
	return 0;
}

/* --- may he? --- */

static struct str key_name(struct call *c, const struct web *w, const char *claim)
{
	return str_printf(c->arena, "%.*s:%s", STR(w->provider.name), claim);
}

static void claim_keys(struct call *c, struct web *w)
{
	const struct json *aud = json_getz(w->token.claims, "aud"), *amr = json_getz(w->token.claims, "amr");
	struct key_set *k = &w->f.keys;
	struct str list[AMR_MAX];
	size_t n = 0;

	key_add(c, k, key_name(c, w, "sub"), w->subject);
	key_add(c, k, key_name(c, w, "aud"), w->audience);
	key_add(c, k, key_name(c, w, "email"), json_str(json_getz(w->token.claims, "email")));
	if (json_is(aud, JSON_STRING))
		key_add(c, k, key_name(c, w, "oaud"), json_str(aud));
	for (size_t i = 0; json_is(amr, JSON_ARRAY) && i < amr->n && n < ELEMENTS(list); i++)
		if (json_is(&amr->items[i], JSON_STRING))
			list[n++] = json_str(&amr->items[i]);
	if (json_is(amr, JSON_STRING))
		list[n++] = json_str(amr);
	if (n)
		key_add_list(c, k, key_name(c, w, "amr"), list, n);
}

static int grant(struct call *c, struct web *w, struct sts_assume_role_with_web_identity_response *out)
{
	struct sts_assume_role_response given = { 0 };
	int r = federated_grant(c, &w->f, &given);

	if (r < 0)
		return r;
	out->credentials = given.credentials;
	out->assumed_role_user = given.assumed_role_user;
	out->packed_policy_size = given.packed_policy_size;
	out->session_token_size = given.session_token_size;
	out->source_identity = given.source_identity;
	out->subject_from_web_identity_token = w->subject;
	out->audience = w->audience;
	out->provider = w->provider.arn;
	return 0;
}

/* --- the order of things --- */

static int refuse_keys(struct call *c, int e)
{
	switch (e) {
	case -EKEYREJECTED:
		return invalid(c, "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint");
	case -EBADMSG:
	case -EINVAL:
		return invalid(c, "Couldn't retrieve verification key from your identity provider,  please reference "
				  "AssumeRoleWithWebIdentity documentation for requirements");
	default:
		return call_fail(c, &sts_err_idp_communication_error,
				 "Could not contact the identity provider to verify the identity token.");
	}
}

static int decide(struct call *c, struct web *w, struct str keys, struct sts_assume_role_with_web_identity_response *out)
{
	int r = jwt_verify(c->arena, &w->token, keys);

	if (r == -EBADMSG)
		return invalid(c, "The token's signature is not valid");
	if (r < 0)
		return refuse_keys(c, -EBADMSG);
	r = check_claims(c, w);
	if (r < 0)
		return r;
	(void)federated_become(c, w->provider.arn,
			       str_printf(c->arena, "%.*s:%.*s:%.*s", STR(w->provider.arn), STR(w->audience), STR(w->subject)), w->subject);
	w->f.action = "sts:AssumeRoleWithWebIdentity";
	w->f.session = (struct sts_assume_role_request){
		.role_arn = w->in->role_arn,
		.role_session_name = w->in->role_session_name,
		.policy_arns = w->in->policy_arns,
		.policy = w->in->policy,
		.duration_seconds = w->in->duration_seconds,
		.minimum_session_token_size = w->in->minimum_session_token_size,
	};
	claim_keys(c, w);
	r = read_tags(c, w);
	return r < 0 ? r : grant(c, w, out);
}

/* examine: 0, refused, or -EAGAIN when keys are wanting. */
static int examine(struct call *c, struct web *w)
{
	struct str keys;
	int r = begin(c, w);

	if (r < 0)
		return r;
	r = jwks_get(c->arena, &w->source, w->token.kid, &keys);
	if (r == -EAGAIN)
		return r;
	return r < 0 ? refuse_keys(c, r) : decide(c, w, keys, c->out);
}

/* The keys have come, or not. */
static int again(struct call *c, void *arg)
{
	struct web w = { .in = c->in };
	struct store_txn *t;
	int r = store_begin_read(cloud_global(c->cloud), &t);

	if (r < 0)
		return r;
	c->txn = c->global = t;
	r = examine(c, &w);
	if (r == -EAGAIN)
		r = refuse_keys(c, -ECANCELED);
	c->txn = c->global = NULL;
	store_end(t);
	return r;
}

static void came(void *arg)
{
	call_unpark(arg, again, NULL);
}

int sts_assume_role_with_web_identity(struct call *c, const struct sts_assume_role_with_web_identity_request *in,
				      struct sts_assume_role_with_web_identity_response *out)
{
	struct web w = { .in = in };
	struct call_park *park;
	int r = examine(c, &w);

	if (r != -EAGAIN)
		return r;
	park = call_park(c);
	if (!park)
		return -EDEADLK;
	if (jwks_wait(&w.source, came, park) < 0)
		call_unpark(park, again, NULL);
	return CALL_PARKED;
}
