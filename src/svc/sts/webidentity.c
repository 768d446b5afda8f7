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
#include "svc/sts/jwks.h"
#include "svc/sts/jwt.h"
#include "svc/sts/sts_int.h"
#include <errno.h>

#define FUTURE_S 300 /* how far the provider's clock may be ahead */
#define KEYS_MAX 8
#define TAGS_CLAIM "https://aws.amazon.com/tags"
#define SOURCE_IDENTITY_CLAIM "https://aws.amazon.com/source_identity"

struct web { /* a call under examination */
	const struct sts_assume_role_with_web_identity_request *in;
	struct jwt token;
	struct str issuer, subject, audience;
	struct iam_rec_entity role, provider;
	struct iam_rec_oidc settings;
	struct jwks_source source;
	struct sts_assume_role_request session; /* what is asked, with what the token adds */
};

static int invalid(struct call *c, const char *sentence)
{
	return call_fail(c, &sts_err_invalid_identity_token, "%s", sentence);
}

static int not_authorized(struct call *c)
{
	return call_fail(c, &sts_err_access_denied, "Not authorized to perform sts:AssumeRoleWithWebIdentity");
}

/* --- what can be looked at before the token is verified --- */

static int find_provider(struct call *c, struct web *w)
{
	struct arn arn;
	int r;

	w->issuer = json_str(json_getz(w->token.claims, "iss"));
	if (!w->issuer.p)
		return invalid(c, "Missing a required claim: iss");
	if (arn_parse(w->in->role_arn, &arn) < 0 || !str_is(arn.service, "iam"))
		return call_fail(c, &sts_err_validation_error, "%.*s is invalid", STR(w->in->role_arn));
	r = iam_role_find(c->global, c->arena, w->in->role_arn, &w->role);
	if (r == -ENOENT)
		return not_authorized(c);
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

/* Claims of time are in seconds of the provider's clock, which follows the world's, not a cloud's that was moved. */
static int check_times(struct call *c, const struct web *w)
{
	static const char *const starts[] = { "nbf", "iat" };
	const struct json *exp = json_getz(w->token.claims, "exp");
	int64_t now = (c->now_ms - clock_offset_ms()) / 1000, t;

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
		if (v && t > now + (i == 0 ? 0 : FUTURE_S))
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
	struct sts_assume_role_request *q = &w->session;
	size_t n_tags = json_is(tags, JSON_OBJECT) ? tags->n : 0, n_transitive = json_is(transitive, JSON_ARRAY) ? transitive->n : 0;

	if (n_tags > STS_TAGS_MAX || n_transitive > STS_TAGS_MAX)
		return call_fail(c, &sts_err_idp_rejected_claim, "The token has too many session tags.");
	q->tags.v = arena_array(c->arena, struct sts_tag, n_tags + 1);
	for (size_t i = 0; i < n_tags; i++) {
		const struct json *v = &tags->members[i].value;
		struct str key = tags->members[i].key, value = json_str(json_is(v, JSON_ARRAY) && v->n == 1 ? &v->items[0] : v);

		if (!key.n || key.n > STS_TAG_KEY_BYTES_MAX || !value.p || value.n > STS_TAG_VALUE_BYTES_MAX)
			return call_fail(c, &sts_err_idp_rejected_claim, "A session tag of the token is not valid.");
		q->tags.v[q->tags.n++] = (struct sts_tag){ key, value };
	}
	q->transitive_tag_keys.v = arena_array(c->arena, struct str, n_transitive + 1);
	for (size_t i = 0; i < n_transitive; i++) {
		if (!json_is(&transitive->items[i], JSON_STRING))
			return call_fail(c, &sts_err_idp_rejected_claim, "A session tag of the token is not valid.");
		q->transitive_tag_keys.v[q->transitive_tag_keys.n++] = json_str(&transitive->items[i]);
	}
	q->source_identity = json_str(identity);
	if (identity && (q->source_identity.n < 2 || q->source_identity.n > 64))
		return call_fail(c, &sts_err_idp_rejected_claim, "The source identity of the token is not valid.");
	return 0;
}

static int authorize_tags(struct call *c, const struct web *w, struct str resource)
{
	const struct sts_assume_role_request *q = &w->session;
	struct key_set k = { 0 };
	struct str names[STS_TAGS_MAX];

	if (!q->tags.n)
		return 0;
	for (size_t i = 0; i < q->tags.n; i++) {
		names[i] = q->tags.v[i].key;
		key_add(c, &k, str_printf(c->arena, "aws:RequestTag/%.*s", STR(names[i])), q->tags.v[i].value);
	}
	key_add_list(c, &k, S("aws:TagKeys"), names, q->tags.n);
	if (q->transitive_tag_keys.n)
		key_add_list(c, &k, S("sts:TransitiveTagKeys"), q->transitive_tag_keys.v, q->transitive_tag_keys.n);
	return call_authorize(c, "sts:TagSession", resource, k.v, k.n);
}

/* --- may he? --- */

static struct str key_name(struct call *c, const struct web *w, const char *claim)
{
	return str_printf(c->arena, "%.*s:%s", STR(w->provider.name), claim);
}

static void claim_keys(struct call *c, const struct web *w, struct key_set *k)
{
	const struct json *aud = json_getz(w->token.claims, "aud"), *amr = json_getz(w->token.claims, "amr");
	struct str list[KEYS_MAX * 4];
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

/* become: from here on the caller is whom the provider vouches for; the trail names him so, too. */
static void become(struct call *c, const struct web *w)
{
	struct principal *p = arena_new(c->arena, struct principal);

	p->p.type = PRINCIPAL_FEDERATED;
	p->p.arn = w->provider.arn;
	p->p.unique_id = str_printf(c->arena, "%.*s:%.*s:%.*s", STR(w->provider.arn), STR(w->audience), STR(w->subject));
	p->name = w->subject;
	c->who = p;
}

static int authorize(struct call *c, struct web *w)
{
	struct str resource = str_printf(c->arena, "role:%.*s", STR(w->in->role_arn));
	struct key_set k = { 0 };
	struct policy_key identity = { S("sts:SourceIdentity"), &w->session.source_identity, 1, false };
	int r;

	claim_keys(c, w, &k);
	if (w->session.source_identity.p)
		vec_push(c->arena, k.v, k.n, k.cap) = identity;
	r = call_authorize(c, "sts:AssumeRoleWithWebIdentity", resource, k.v, k.n);
	if (r == 0)
		r = authorize_tags(c, w, resource);
	if (r == 0 && w->session.source_identity.p)
		r = call_authorize(c, "sts:SetSourceIdentity", resource, k.v, k.n);
	return r;
}

static int grant(struct call *c, struct web *w, struct sts_assume_role_with_web_identity_response *out)
{
	struct sts_assume_role_response given = { 0 };
	int r = sts_grant(c, &w->session, &w->role, &given);

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
	become(c, w);
	w->session = (struct sts_assume_role_request){
		.role_arn = w->in->role_arn,
		.role_session_name = w->in->role_session_name,
		.policy_arns = w->in->policy_arns,
		.policy = w->in->policy,
		.duration_seconds = w->in->duration_seconds,
		.minimum_session_token_size = w->in->minimum_session_token_size,
	};
	r = read_tags(c, w);
	if (r == 0)
		r = authorize(c, w);
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
