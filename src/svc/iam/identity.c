/* SPDX-License-Identifier: Apache-2.0 */
/* identity.c - what the dispatcher asks of IAM: who signs with this key, and which policies speak for him.
 *
 * Both look at the store each time, by key: a user, role, key or policy that is gone counts no more from the commit on.
 * What is missing denies: a boundary or session policy that can't be read becomes one that denies everything. */
#include "svc/iam/iam_int.h"
#include <errno.h>

#define DENY_ALL S("{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Deny\",\"Action\":\"*\",\"Resource\":\"*\"}]}")

/* --- keys --- */

static struct str root_arn(struct arena *a, struct str account)
{
	return str_printf(a, "arn:aws:iam::%.*s:root", STR(account));
}

/* user_principal fills a user, or the root user when id is the account. -ENOENT when the user is gone. */
static int user_principal(struct store_txn *t, struct arena *a, struct str account, struct str id, struct principal *ret)
{
	struct iam_rec_entity e;
	enum iam_kind kind;
	int r;

	if (str_eq(id, account)) {
		ret->p = (struct policy_principal){
			.type = PRINCIPAL_ROOT, .account = account, .arn = root_arn(a, account), .unique_id = account
		};
		ret->name = S("root");
		return 0;
	}
	r = iam_get_id(t, a, account, id, &kind, &e);
	if (r < 0 || kind != IAM_USER)
		return r < 0 ? r : -ENOENT;
	ret->p = (struct policy_principal){ .type = PRINCIPAL_USER, .account = account, .arn = e.arn, .unique_id = e.id };
	ret->name = e.name;
	ret->tags = e.tags;
	return 0;
}

static int find_long_term(struct cloud *cl, struct store_txn *t, struct str key_id, struct arena *a, struct key_info *ret)
{
	struct iam_rec_access_key key;
	struct keybuf k;
	int r;

	iam_key_of(&k, S(""), "iam.key", key_id, STR_NONE);
	r = record_get(t, &iam_records, IAM_REC_ACCESS_KEY, a, &k, &key);
	if (r < 0)
		return r;
	if (!key.active.v)
		return -EACCES;
	r = user_principal(t, a, key.account, key.user_id, &ret->who);
	if (r < 0)
		return r;
	ret->who.key_id = key.id;
	return iam_secret_open(cl, a, &key, &ret->secret);
}

static struct str session_arn(struct arena *a, const struct iam_rec_entity *role, struct str session_name)
{
	struct arn arn;

	if (arn_parse(role->arn, &arn) < 0)
		return STR_NONE;
	return str_printf(a, "arn:%.*s:sts::%.*s:assumed-role/%.*s/%.*s", STR(arn.partition), STR(arn.account), STR(role->name),
			  STR(session_name));
}

static void role_session(struct arena *a, struct str account, const struct iam_rec_entity *role, struct str session_name,
			 struct principal *ret)
{
	ret->p = (struct policy_principal){
		.type = PRINCIPAL_ROLE_SESSION,
		.account = account,
		.arn = session_arn(a, role, session_name),
		.role_arn = role->arn,
		.unique_id = str_printf(a, "%.*s:%.*s", STR(role->id), STR(session_name)),
	};
	ret->name = str_printf(a, "%.*s/%.*s", STR(role->name), STR(session_name));
	ret->session_name = session_name;
	ret->tags = role->tags;
}

/* session_policies joins the texts in the token with those of the managed policies it names, as they are now. */
static void session_policies(struct store_txn *t, struct arena *a, const struct iam_rec_session *s, struct str_list *ret)
{
	*ret = (struct str_list){ arena_array(a, struct str, s->policies.n + s->policy_arns.n + 1), 0 };
	for (size_t i = 0; i < s->policies.n; i++)
		ret->v[ret->n++] = s->policies.v[i];
	for (size_t i = 0; i < s->policy_arns.n; i++) {
		if (iam_policy_text(t, a, s->account, s->policy_arns.v[i], &ret->v[ret->n]) < 0)
			ret->v[ret->n] = DENY_ALL;
		ret->n++;
	}
}

static int find_session(struct cloud *cl, struct store_txn *t, struct str key_id, struct str token, int64_t now_ms, struct arena *a,
			struct key_info *ret)
{
	struct iam_rec_session s;
	struct iam_rec_entity role;
	enum iam_kind kind;
	int r = iam_session_open(cl, a, key_id, token, &s);

	if (r < 0)
		return r;
	if (now_ms >= s.expires.ms)
		return -ESTALE;
	if (s.session_name.p) {
		r = iam_get_id(t, a, s.account, s.id, &kind, &role);
		if (r < 0 || kind != IAM_ROLE)
			return r < 0 ? r : -ENOENT;
		role_session(a, s.account, &role, s.session_name, &ret->who);
		if (iam_tags_merge(a, &ret->who.tags, &s.tags) < 0)
			ret->who.tags = s.tags; /* more than 50 together: the session's count, as they are what was asked for */
	} else {
		r = user_principal(t, a, s.account, s.id, &ret->who);
		if (r < 0)
			return r;
	}
	session_policies(t, a, &s, &ret->who.session_policies);
	ret->who.key_id = s.key_id;
	ret->who.transitive_tags = s.transitive;
	ret->who.source_identity = s.source_identity;
	ret->who.federated = s.federated;
	ret->who.said_keys = s.keys;
	ret->who.issued_ms = s.issued.ms;
	ret->who.expires_ms = s.expires.ms;
	ret->who.mfa = s.mfa.v;
	ret->who.temporary = true;
	ret->secret = s.secret;
	return 0;
}

static int find_key(struct cloud *cl, struct store_txn *global, struct str key_id, struct str token, int64_t now_ms, struct arena *a,
		    struct key_info *ret)
{
	*ret = (struct key_info){ 0 };
	if (token.p)
		return find_session(cl, global, key_id, token, now_ms, a, ret);
	return find_long_term(cl, global, key_id, a, ret);
}

/* --- policies --- */

struct collector {
	struct call *c;
	struct str account; /* the caller's, which need not be the one the call works in */
	struct policy_set *set;
	size_t cap;
};

static void collect(struct collector *l, struct str text, struct str name)
{
	const struct policy *p = cloud_policy(l->c, text, POLICY_IDENTITY);

	if (!p)
		p = cloud_policy(l->c, DENY_ALL, POLICY_IDENTITY);
	vec_push(l->c->arena, l->set->v, l->set->n, l->cap) = (struct policy_named){ p, name };
}

static int collect_inline(struct collector *l, const struct iam_rec_entity *e, enum iam_kind kind)
{
	struct call *c = l->c;
	struct store_range range = { 0 };
	struct iam_rec_inline p;
	struct keybuf k;
	struct str key, value;
	int r;

	iam_key_of(&k, l->account, "iam.inline", e->id, STR_NONE);
	r = store_range_open(&range, c->global, key_view(&k), STR_NONE, false);
	while (r >= 0 && (r = store_range_next(&range, &key, &value)) > 0) {
		r = record_decode(&iam_records, IAM_REC_INLINE, c->arena, value, &p);
		if (r == 0)
			collect(l, p.document,
				str_printf(c->arena, "inline policy %.*s of %s %.*s", STR(p.name), iam_noun[kind], STR(e->name)));
	}
	store_range_close(&range);
	return r < 0 ? r : 0;
}

static int collect_attached(struct collector *l, const struct iam_rec_entity *e)
{
	struct call *c = l->c;
	struct store_range range = { 0 };
	struct iam_rec_attachment at;
	struct keybuf k;
	struct str key, value, text;
	int r;

	iam_key_of(&k, l->account, "iam.attach", e->id, STR_NONE);
	r = store_range_open(&range, c->global, key_view(&k), STR_NONE, false);
	while (r >= 0 && (r = store_range_next(&range, &key, &value)) > 0) {
		r = record_decode(&iam_records, IAM_REC_ATTACHMENT, c->arena, value, &at);
		if (r < 0)
			break;
		r = iam_policy_text(c->global, c->arena, l->account, at.arn, &text);
		if (r == 0)
			collect(l, text, at.arn);
	}
	store_range_close(&range);
	return r < 0 ? r : 0;
}

static int collect_groups(struct collector *l, const struct iam_rec_entity *user)
{
	struct call *c = l->c;
	struct store_range range = { 0 };
	struct iam_rec_entity group;
	struct keybuf k;
	struct str key, value;
	enum iam_kind kind;
	int r;

	iam_key_of(&k, l->account, "iam.memberof", user->id, STR_NONE);
	r = store_range_open(&range, c->global, key_view(&k), STR_NONE, false);
	while (r >= 0 && (r = store_range_next(&range, &key, &value)) > 0) {
		r = iam_get_id(c->global, c->arena, l->account, iam_rest_str(c, str_skip(key, k.n)), &kind, &group);
		if (r == 0)
			r = collect_inline(l, &group, IAM_GROUP);
		if (r == 0)
			r = collect_attached(l, &group);
	}
	store_range_close(&range);
	return r < 0 ? r : 0;
}

int iam_principal_policies(struct call *c, struct str account, const struct iam_rec_entity *e, enum iam_kind kind,
			   struct policy_set *identity, struct policy_set *boundary)
{
	struct collector l = { c, account, identity }, b = { c, account, boundary };
	struct str text;
	int r = collect_inline(&l, e, kind);

	if (r == 0)
		r = collect_attached(&l, e);
	if (r == 0 && kind == IAM_USER)
		r = collect_groups(&l, e);
	if (r < 0 || !e->boundary.p)
		return r;
	if (iam_policy_text(c->global, c->arena, account, e->boundary, &text) < 0)
		text = DENY_ALL;
	collect(&b, text, e->boundary);
	return 0;
}

/* Sessions of GetSessionToken without MFA can't be used on IAM at all, nor on STS for more than two operations.
 * Source: "GetSessionToken" (AWS STS API Reference), Permissions. */
static int refuse_weak_session(struct call *c, const struct principal *who)
{
	const char *svc = c->svc->model->name;

	if (!who->temporary || who->mfa || (who->p.type != PRINCIPAL_USER && who->p.type != PRINCIPAL_ROOT))
		return 0;
	if (strcmp(svc, "iam") == 0 ||
	    (strcmp(svc, "sts") == 0 && strcmp(c->op->name, "AssumeRole") != 0 && strcmp(c->op->name, "GetCallerIdentity") != 0))
		return call_fail(c, &iam_err_invalid_client_token_id, "The security token included in the request is invalid");
	return 0;
}

static void note_use(struct call *c, const struct principal *who, const struct iam_rec_entity *role)
{
	struct str service = str_c(c->svc->model->signing[0]), region = call_region(c);

	if (c->question)
		return;
	if (role)
		iam_used_note(who->p.account, role->id, c->now_ms, service, region);
	else if (who->key_id.p && !who->temporary)
		iam_used_note(who->p.account, who->key_id, c->now_ms, service, region);
}

static int policies(struct call *c, const struct principal *who, struct policy_request *r)
{
	struct collector session = { c, who->p.account, &r->session };
	struct iam_rec_entity e;
	enum iam_kind kind;
	struct str id = who->p.unique_id, rest;
	int e_no = refuse_weak_session(c, who);

	if (e_no < 0)
		return e_no;
	for (size_t i = 0; i < who->session_policies.n; i++)
		collect(&session, who->session_policies.v[i], S("session policy"));
	if (who->p.type == PRINCIPAL_ROOT) {
		note_use(c, who, NULL);
		return 0;
	}
	if (who->p.type == PRINCIPAL_ROLE_SESSION)
		(void)str_cut(who->p.unique_id, ':', &id, &rest);
	e_no = iam_get_id(c->global, c->arena, who->p.account, id, &kind, &e);
	if (e_no == -ENOENT)
		return 0; /* gone since it signed: no policy speaks for it */
	if (e_no < 0)
		return e_no;
	note_use(c, who, kind == IAM_ROLE ? &e : NULL);
	return iam_principal_policies(c, who->p.account, &e, kind, &r->identity, &r->boundary);
}

/* --- roles for services --- */

/* trusts: does the role's trust policy let this AWS service act as it? */
static bool trusts(struct call *c, const struct iam_rec_entity *role, struct str service)
{
	struct policy_principal p = { .type = PRINCIPAL_SERVICE, .service = service };
	struct arn arn;
	struct policy_request r = {
		.action = S("sts:AssumeRole"),
		.resource = role->arn,
		.principal = &p,
		.rule = RESOURCE_POLICY_REQUIRED,
		.resource_policy = { cloud_policy(c, iam_trust_document(c->global, c->arena, role), POLICY_TRUST), S("trust policy") },
	};

	if (!r.resource_policy.policy || arn_parse(role->arn, &arn) < 0)
		return false;
	r.resource_account = arn.account;
	struct policy_key keys[] = { { S("aws:SourceAccount"), &arn.account, 1, false } };
	r.keys = keys;
	r.n_keys = ELEMENTS(keys);
	return policy_evaluate(&r, c->arena).decision == DECISION_ALLOW;
}

static int role_principal(struct call *c, struct str role_arn, struct str session_name, struct principal *ret)
{
	struct iam_rec_entity role;
	struct arn arn;
	int r = iam_role_find(c->global, c->arena, role_arn, &role);

	if (r < 0 || arn_parse(role.arn, &arn) < 0)
		return r < 0 ? r : -EBADMSG;
	if (!c->svc || !trusts(c, &role, str_c(c->svc->principal)))
		return -EACCES;
	*ret = (struct principal){ .temporary = true, .issued_ms = c->now_ms, .expires_ms = c->now_ms + 3600 * 1000 };
	role_session(c->arena, arn.account, &role, session_name, ret);
	return 0;
}

/* named: the principal that an ARN names, as it would be if it called now; a role gets a session of its own. */
static int named(struct call *c, struct str text, struct principal *ret)
{
	struct iam_rec_entity e;
	struct arn arn;
	struct str kind, name, session = S("session"), rest;
	int r;

	*ret = (struct principal){ 0 };
	if (arn_parse(text, &arn) < 0 || arn.account.n != 12)
		return -ENOENT;
	if (str_is(arn.service, "iam") && str_is(arn.resource, "root"))
		return user_principal(c->global, c->arena, arn.account, arn.account, ret);
	(void)str_cut(arn.resource, '/', &kind, &rest);
	if (str_is(arn.service, "sts") && str_is(kind, "assumed-role")) {
		if (!str_cut(rest, '/', &name, &session))
			return -ENOENT;
	} else if (str_is(arn.service, "iam") && rest.n)
		name = str_skip(arn.resource, (size_t)str_rfind_char(arn.resource, '/') + 1);
	else
		return -ENOENT;
	if (str_is(arn.service, "iam") && str_is(kind, "user")) {
		r = iam_get(c->global, c->arena, arn.account, IAM_USER, name, &e);
		if (r < 0 || !str_eq(e.arn, text))
			return r < 0 ? r : -ENOENT;
		return user_principal(c->global, c->arena, arn.account, e.id, ret);
	}
	if (str_is(arn.service, "iam") && !str_is(kind, "role"))
		return -ENOENT;
	r = iam_get(c->global, c->arena, arn.account, IAM_ROLE, name, &e);
	if (r < 0 || (str_is(arn.service, "iam") && !str_eq(e.arn, text)))
		return r < 0 ? r : -ENOENT;
	role_session(c->arena, arn.account, &e, session, ret);
	ret->temporary = true;
	ret->issued_ms = c->now_ms;
	ret->expires_ms = c->now_ms + 3600 * 1000;
	return 0;
}

const struct identity iam_identity = { .find_key = find_key, .policies = policies, .role_principal = role_principal, .named = named };
