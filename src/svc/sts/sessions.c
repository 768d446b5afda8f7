/* SPDX-License-Identifier: Apache-2.0 */
/* sessions.c - temporary credentials: AssumeRole and GetSessionToken. Nothing is stored: the token is the session. */
#include "svc/sts/sts_int.h"
#include <errno.h>

int64_t sts_packed_percent(size_t bytes)
{
	return (int64_t)((bytes * 100 + STS_PACKED_BYTES_MAX - 1) / STS_PACKED_BYTES_MAX);
}

/* issue makes the credentials of a session. */
static struct sts_credentials *issue(struct call *c, struct iam_rec_session *s, int64_t seconds, struct opt_int least)
{
	struct sts_credentials *k = arena_new(c->arena, struct sts_credentials);

	s->key_id = iam_key_id(c->arena, "ASIA", s->account);
	s->secret = iam_secret(c->arena);
	s->issued = OPT_TIME(c->now_ms - c->now_ms % 1000);
	s->expires = OPT_TIME(s->issued.ms + seconds * 1000);
	*k = (struct sts_credentials){ .access_key_id = s->key_id, .secret_access_key = s->secret, .expiration = s->expires };
	k->session_token = iam_session_seal(c->cloud, c->arena, s);
	if (least.has && (int64_t)k->session_token.n < least.v) {
		s->pad = random_hex(c->arena, (size_t)least.v - k->session_token.n); /* grows by a third in base64: never too small */
		k->session_token = iam_session_seal(c->cloud, c->arena, s);
	}
	return k;
}

static int check_duration(struct call *c, const struct sts_assume_role_request *in, const struct iam_rec_entity *role, int64_t *ret)
{
	bool chained = c->who->temporary && c->who->p.type == PRINCIPAL_ROLE_SESSION;

	*ret = in->duration_seconds.has ? in->duration_seconds.v : STS_ROLE_DEFAULT_S;
	if (chained && *ret > STS_CHAINED_MAX_S)
		return call_fail(c, &sts_err_validation_error,
				 "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.");
	if (*ret > role->max_session_s.v)
		return call_fail(c, &sts_err_validation_error,
				 "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.");
	return 0;
}

/* add_policies takes the session policies over; adds to *bytes what they weigh. */
static int add_policies(struct call *c, const struct sts_assume_role_request *in, struct iam_rec_session *s, size_t *bytes)
{
	struct policy *p;
	struct str fault;

	if (in->policy.p) {
		if (in->policy.n > STS_POLICY_CHARS_MAX)
			return call_fail(c, &sts_err_validation_error,
					 "1 validation error detected: Value at 'policy' failed to satisfy constraint: Member must have "
					 "length less than or "
					 "equal to %d",
					 STS_POLICY_CHARS_MAX);
		if (policy_parse(c->arena, in->policy, POLICY_IDENTITY, &p, &fault) < 0)
			return call_fail(c, &sts_err_malformed_policy_document, "%.*s", STR(fault));
		s->policies.v = arena_dup(c->arena, &in->policy, sizeof in->policy);
		s->policies.n = 1;
		*bytes += in->policy.n;
	}
	if (in->policy_arns.n > STS_POLICY_ARNS_MAX)
		return call_fail(c, &sts_err_validation_error,
				 "1 validation error detected: Value at 'policyArns' failed to satisfy constraint: Member must have length "
				 "less than or "
				 "equal to %d",
				 STS_POLICY_ARNS_MAX);
	s->policy_arns.v = arena_array(c->arena, struct str, in->policy_arns.n + 1);
	for (size_t i = 0; i < in->policy_arns.n; i++) {
		struct str arn = in->policy_arns.v[i].arn, text;
		int r = arn.p ? iam_policy_text(c->global, c->arena, s->account, arn, &text) : -ENOENT;

		if (r == -ENOENT)
			return call_fail(c, &sts_err_validation_error, "The policy %.*s does not exist or is not attachable.", STR(arn));
		if (r < 0)
			return r;
		s->policy_arns.v[s->policy_arns.n++] = arn;
		*bytes += arn.n;
	}
	return 0;
}

static bool has_key(const struct str_list *l, struct str key)
{
	for (size_t i = 0; i < l->n; i++) {
		if (str_eq_ci(l->v[i], key))
			return true;
	}
	return false;
}

/* add_tags: those of the request, and the transitive ones that the caller's session brought along, which nobody may change. */
static int add_tags(struct call *c, const struct sts_assume_role_request *in, struct iam_rec_session *s, size_t *bytes)
{
	const struct principal *w = c->who;
	size_t cap = 0, tcap = 0;

	for (size_t i = 0; i < in->tags.n; i++) {
		const struct sts_tag *t = &in->tags.v[i];

		if (t->key.n >= 4 && str_eq_ci(str_of(t->key.p, 4), S("aws:")))
			return call_fail(c, &sts_err_validation_error,
					 "System tags cannot be added/updated/removed: aws: prefixed tag key names are not allowed for "
					 "external use.");
		for (size_t k = 0; k < i; k++) {
			if (str_eq_ci(in->tags.v[k].key, t->key))
				return call_fail(c, &sts_err_invalid_parameter_value,
						 "Duplicate tag keys found. Please note that Tag keys are case insensitive.");
		}
		if (has_key(&w->transitive_tags, t->key))
			return call_fail(c, &sts_err_invalid_parameter_value,
					 "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag "
					 "key from the calling session.");
		vec_push(c->arena, s->tags.v, s->tags.n, cap) = (struct str_pair){ t->key, t->value };
		*bytes += t->key.n + t->value.n;
	}
	for (size_t i = 0; i < in->transitive_tag_keys.n; i++) {
		bool sent = false;

		for (size_t k = 0; k < in->tags.n; k++)
			sent = sent || str_eq_ci(in->tags.v[k].key, in->transitive_tag_keys.v[i]);
		if (!sent)
			return call_fail(c, &sts_err_invalid_parameter_value,
					 "The specified transitive tag key must be included in the requested tags.");
		vec_push(c->arena, s->transitive.v, s->transitive.n, tcap) = in->transitive_tag_keys.v[i];
	}
	for (size_t i = 0; i < w->transitive_tags.n; i++) {
		struct str key = w->transitive_tags.v[i];

		for (size_t k = 0; k < w->tags.n; k++) {
			if (str_eq_ci(w->tags.v[k].key, key))
				vec_push(c->arena, s->tags.v, s->tags.n, cap) = w->tags.v[k];
		}
		vec_push(c->arena, s->transitive.v, s->transitive.n, tcap) = key;
	}
	return 0;
}

/* inherit: what a chained session brings along must be allowed by this role's trust policy too. */
static int inherit(struct call *c, const struct sts_assume_role_request *in, struct iam_rec_session *s)
{
	const struct principal *w = c->who;
	struct str resource = str_printf(c->arena, "role:%.*s", STR(in->role_arn));
	int r = 0;

	if (w->transitive_tags.n && !in->tags.n)
		r = call_authorize(c, "sts:TagSession", resource, NULL, 0);
	if (r < 0)
		return r;
	s->source_identity = in->source_identity;
	if (!w->source_identity.p)
		return 0;
	if (in->source_identity.p && !str_eq(in->source_identity, w->source_identity))
		return call_fail(c, &sts_err_access_denied, "The source identity of a session cannot be changed.");
	s->source_identity = w->source_identity;
	return in->source_identity.p ? 0 : call_authorize(c, "sts:SetSourceIdentity", resource, NULL, 0);
}

static int fill_session(struct call *c, const struct sts_assume_role_request *in, const struct iam_rec_entity *role,
			struct iam_rec_session *s, struct sts_assume_role_response *out)
{
	struct arn arn;
	size_t bytes = 0;
	int r = arn_parse(role->arn, &arn);

	if (r < 0)
		return r;
	*s = (struct iam_rec_session){
		.account = arn.account,
		.partition = arn.partition,
		.name = role->name,
		.id = role->id,
		.session_name = in->role_session_name,
		.chained = OPT_BOOL(c->who->temporary),
		.federated = c->who->p.type == PRINCIPAL_FEDERATED ? c->who->p.arn : c->who->federated,
	};
	if (c->who->p.type == PRINCIPAL_FEDERATED)
		s->keys = c->who->said_keys;
	r = add_policies(c, in, s, &bytes);
	if (r < 0)
		return r;
	r = add_tags(c, in, s, &bytes);
	if (r < 0)
		return r;
	if (sts_packed_percent(bytes) > 100)
		return call_fail(c, &sts_err_packed_policy_too_large, "Packed size of session tags consumes %lld%% of allotted space.",
				 (long long)sts_packed_percent(bytes));
	if (bytes)
		out->packed_policy_size = OPT_INT(sts_packed_percent(bytes));
	return inherit(c, in, s);
}

int sts_grant(struct call *c, const struct sts_assume_role_request *in, const struct iam_rec_entity *role,
	      struct sts_assume_role_response *out)
{
	struct iam_rec_session s;
	int64_t seconds;
	int r = check_duration(c, in, role, &seconds);

	if (r == 0)
		r = fill_session(c, in, role, &s, out);
	if (r < 0)
		return r;
	out->credentials = issue(c, &s, seconds, in->minimum_session_token_size);
	out->session_token_size = OPT_INT((int64_t)out->credentials->session_token.n);
	out->source_identity = s.source_identity;
	out->assumed_role_user = arena_new(c->arena, struct sts_assumed_role_user);
	out->assumed_role_user->assumed_role_id = str_printf(c->arena, "%.*s:%.*s", STR(role->id), STR(in->role_session_name));
	out->assumed_role_user->arn = str_printf(c->arena, "arn:%.*s:sts::%.*s:assumed-role/%.*s/%.*s", STR(s.partition), STR(s.account),
						 STR(role->name), STR(in->role_session_name));
	return 0;
}

int sts_assume_role(struct call *c, const struct sts_assume_role_request *in, struct sts_assume_role_response *out)
{
	struct iam_rec_entity role;
	int r;

	if (in->provided_contexts.n)
		return call_fail(c, &aws_err_not_implemented, "ProvidedContexts is not implemented.");
	r = iam_role_find(c->global, c->arena, in->role_arn, &role);
	if (r == 0)
		r = sts_grant(c, in, &role, out);
	return r < 0 ? r : sts_mfa_use(c, in->serial_number, in->token_code);
}

int sts_get_session_token(struct call *c, const struct sts_get_session_token_request *in, struct sts_get_session_token_response *out)
{
	const struct principal *w = c->who;
	bool root = w->p.type == PRINCIPAL_ROOT;
	int64_t seconds = in->duration_seconds.has ? in->duration_seconds.v : root ? STS_ROOT_MAX_S : STS_USER_DEFAULT_S;
	struct iam_rec_session s = { .account = w->p.account, .id = w->p.unique_id, .name = w->name };
	int r;

	if (w->temporary || (w->p.type != PRINCIPAL_USER && !root))
		return call_fail(c, &sts_err_access_denied, "Cannot call GetSessionToken with session credentials");
	r = sts_mfa_check(c, in->serial_number, in->token_code);
	if (r < 0)
		return r;
	s.mfa = OPT_BOOL(r == 1);
	if (root && seconds > STS_ROOT_MAX_S)
		seconds = STS_ROOT_MAX_S;
	out->credentials = issue(c, &s, seconds, in->minimum_session_token_size);
	out->session_token_size = OPT_INT((int64_t)out->credentials->session_token.n);
	return sts_mfa_use(c, in->serial_number, in->token_code);
}
