/* SPDX-License-Identifier: Apache-2.0 */
/* grants.c - grants: rights on one key for one principal, beside its policy. Source: "Grants in AWS KMS".
 *
 * kms.grant holds them by key and id, kms.grant-token finds one by its token, kms.grant-retire lists those that one
 * principal may retire. Grants are visible to the next call at once, so grant tokens change nothing and are accepted. */
#include "svc/kms/kms_int.h"
#include <errno.h>

static void by_id(struct keybuf *k, struct str account, struct str key_id, struct str grant_id)
{
	key_begin(k, account, "kms.grant");
	key_str(k, key_id);
	if (grant_id.p)
		key_str(k, grant_id);
}

static void by_token(struct keybuf *k, struct str token)
{
	key_begin(k, S(""), "kms.grant-token");
	key_str(k, token);
}

static void by_retiring(struct keybuf *k, struct str principal, const struct kms_rec_grant *g)
{
	key_begin(k, S(""), "kms.grant-retire");
	key_str(k, principal);
	if (g) {
		key_str(k, g->account);
		key_str(k, g->key_id);
		key_str(k, g->id);
	}
}

static int grant_get(struct store_txn *t, struct arena *a, struct str account, struct str key_id, struct str id, struct kms_rec_grant *ret)
{
	struct keybuf k;

	by_id(&k, account, key_id, id);
	return record_get(t, &kms_records, KMS_REC_GRANT, a, &k, ret);
}

static bool is_caller(const struct call *c, struct str principal)
{
	const struct policy_principal *p = &c->who->p;

	if (!principal.p)
		return false;
	if (p->type == PRINCIPAL_SERVICE)
		return str_eq(principal, p->service);
	return (p->arn.p && str_eq(principal, p->arn)) || (p->type == PRINCIPAL_ROLE_SESSION && str_eq(principal, p->role_arn)) ||
	       (p->type == PRINCIPAL_ROOT && str_eq(principal, p->account));
}

int kms_grant_read(struct call *c, const struct kms_rec_key *k, struct str grant_id, struct kms_rec_grant *ret)
{
	return grant_get(c->txn, c->arena, k->account, k->id, grant_id, ret);
}

bool kms_may_retire(const struct call *c, const struct kms_rec_grant *g)
{
	return is_caller(c, g->retiring) || (is_caller(c, g->grantee) && str_list_has(&g->operations, S("RetireGrant")));
}

int kms_grant_by_token(struct call *c, struct str token, struct kms_rec_grant *ret)
{
	struct str place, account, rest, key_id, id;
	struct keybuf k;
	int r;

	by_token(&k, token);
	r = store_get(c->txn, key_view(&k), &place);
	if (r < 0)
		return r;
	place = str_dup(c->arena, place);
	if (!str_cut(place, '/', &account, &rest) || !str_cut(rest, '/', &key_id, &id))
		return -EBADMSG;
	return grant_get(c->txn, c->arena, account, key_id, id, ret);
}

static int grant_put(struct call *c, const struct kms_rec_grant *g)
{
	struct keybuf k;
	int r;

	by_id(&k, g->account, g->key_id, g->id);
	r = record_put(c->txn, &kms_records, KMS_REC_GRANT, &k, g);
	if (r < 0)
		return r;
	by_token(&k, g->token);
	r = store_put(c->txn, key_view(&k), str_printf(c->arena, "%.*s/%.*s/%.*s", STR(g->account), STR(g->key_id), STR(g->id)));
	if (r < 0 || !g->retiring.p)
		return r;
	by_retiring(&k, g->retiring, g);
	return store_put(c->txn, key_view(&k), S("1"));
}

static int grant_del(struct store_txn *t, const struct kms_rec_grant *g)
{
	struct keybuf k;
	int r;

	by_id(&k, g->account, g->key_id, g->id);
	r = store_del(t, key_view(&k));
	if (r < 0)
		return r;
	by_token(&k, g->token);
	r = store_del(t, key_view(&k));
	if (r < 0 || !g->retiring.p)
		return r;
	by_retiring(&k, g->retiring, g);
	return store_del(t, key_view(&k));
}

int kms_grants_drop(struct store_txn *t, struct arena *a, const struct kms_rec_key *key)
{
	struct store_range range = { 0 };
	struct kms_rec_grant *v = NULL, g;
	struct str kk, value;
	size_t n = 0, cap = 0;
	struct keybuf k;
	int r;

	by_id(&k, key->account, key->id, STR_NONE);
	r = store_range_open(&range, t, key_view(&k), STR_NONE, false);
	while (r == 0 && (r = store_range_next(&range, &kk, &value)) == 1) {
		r = record_decode(&kms_records, KMS_REC_GRANT, a, value, &g);
		if (r == 0)
			vec_push(a, v, n, cap) = g;
	}
	store_range_close(&range);
	for (size_t i = 0; i < n && r == 0; i++)
		r = grant_del(t, &v[i]);
	return r;
}

/* --- deciding --- */
static bool map_has(const struct str_map *m, const struct str_pair *p)
{
	struct str v = str_map_get(m, p->key);

	return v.p && str_eq(v, p->value);
}

static bool constraints_met(const struct kms_rec_grant *g, const struct str_map *ctx)
{
	if (!ctx)
		return true; /* constraints are for cryptographic operations */
	if (g->equals.n && ctx->n != g->equals.n)
		return false;
	for (size_t i = 0; i < g->equals.n; i++)
		if (!map_has(ctx, &g->equals.v[i]))
			return false;
	for (size_t i = 0; i < g->subset.n; i++)
		if (!map_has(ctx, &g->subset.v[i]))
			return false;
	return true;
}

bool kms_granted(struct call *c, const struct kms_rec_key *key, const char *operation, const struct str_map *ctx)
{
	struct store_range range = { 0 };
	struct kms_rec_grant g;
	struct str kk, value;
	struct keybuf k;
	bool yes = false;

	by_id(&k, key->account, key->id, STR_NONE);
	if (store_range_open(&range, c->txn, key_view(&k), STR_NONE, false) < 0)
		return false;
	while (!yes && store_range_next(&range, &kk, &value) == 1)
		if (record_decode(&kms_records, KMS_REC_GRANT, c->arena, value, &g) == 0)
			yes = is_caller(c, g.grantee) && str_list_has(&g.operations, str_c(operation)) && constraints_met(&g, ctx);
	store_range_close(&range);
	return yes;
}

/* --- operations --- */
static bool holds_all(const struct str_map *m, const struct str_map *wanted)
{
	for (size_t i = 0; i < wanted->n; i++)
		if (!map_has(m, &wanted->v[i]))
			return false;
	return true;
}

/* A grant made under another one gives no more than it: the same operations or fewer, the same context or a narrower one. */
static bool within(const struct kms_rec_grant *g, const struct kms_rec_grant *parent)
{
	for (size_t i = 0; i < g->operations.n; i++)
		if (!str_list_has(&parent->operations, g->operations.v[i]))
			return false;
	if (parent->equals.n && (g->equals.n != parent->equals.n || !holds_all(&g->equals, &parent->equals)))
		return false;
	return !parent->subset.n || holds_all(&g->subset, &parent->subset) || holds_all(&g->equals, &parent->subset);
}

/* Does a grant of the caller's that lets it make grants cover this one? */
static bool covered(struct call *c, const struct kms_rec_grant *want)
{
	struct store_range range = { 0 };
	struct kms_rec_grant g;
	struct str kk, value;
	struct keybuf k;
	bool yes = false;

	by_id(&k, want->account, want->key_id, STR_NONE);
	if (store_range_open(&range, c->txn, key_view(&k), STR_NONE, false) < 0)
		return false;
	while (!yes && store_range_next(&range, &kk, &value) == 1)
		if (record_decode(&kms_records, KMS_REC_GRANT, c->arena, value, &g) == 0)
			yes = is_caller(c, g.grantee) && str_list_has(&g.operations, S("CreateGrant")) && within(want, &g);
	store_range_close(&range);
	return yes;
}

static bool same_grant(const struct kms_rec_grant *a, const struct kms_rec_grant *b)
{
	if (!str_eq(a->name, b->name) || !str_eq(a->grantee, b->grantee) || !str_eq(a->retiring, b->retiring) ||
	    a->operations.n != b->operations.n || a->subset.n != b->subset.n || a->equals.n != b->equals.n)
		return false;
	for (size_t i = 0; i < a->operations.n; i++)
		if (!str_list_has(&b->operations, a->operations.v[i]))
			return false;
	for (size_t i = 0; i < a->subset.n; i++)
		if (!map_has(&b->subset, &a->subset.v[i]))
			return false;
	for (size_t i = 0; i < a->equals.n; i++)
		if (!map_has(&b->equals, &a->equals.v[i]))
			return false;
	return true;
}

/* A named grant asked for again with the same content is the one that exists. */
static int find_same(struct call *c, const struct kms_rec_grant *want, struct kms_rec_grant *ret, size_t *ret_count)
{
	struct store_range range = { 0 };
	struct str kk, value;
	struct keybuf k;
	int r, found = 0;

	*ret_count = 0;
	by_id(&k, want->account, want->key_id, STR_NONE);
	r = store_range_open(&range, c->txn, key_view(&k), STR_NONE, false);
	while (r == 0 && !found && (r = store_range_next(&range, &kk, &value)) == 1) {
		r = record_decode(&kms_records, KMS_REC_GRANT, c->arena, value, ret);
		(*ret_count)++;
		found = r == 0 && want->name.p && same_grant(want, ret);
	}
	store_range_close(&range);
	return r < 0 ? r : found;
}

KMS_HANDLER(create_grant)
{
	struct kms_rec_grant g = { .account = c->account, .created = OPT_TIME(c->now_ms), .name = in->name, .operations = in->operations },
			     same;
	struct kms_rec_key k;
	size_t count;
	int r = kms_key_load(c, in->key_id, false, &k);

	if (r == 0)
		r = kms_key_usable(c, &k);
	if (r < 0)
		return r;
	if (!in->grantee_principal.p == !in->grantee_service_principal.p)
		return call_fail(c, &aws_err_validation_exception,
				 "Exactly one of GranteePrincipal and GranteeServicePrincipal must be given.");
	if (in->constraints && in->constraints->source_arn.p)
		return call_fail(c, &kms_err_unsupported_operation, "The grant constraint SourceArn is not implemented by this cloud.");
	if (in->dry_run.v)
		return call_fail(c, &kms_err_dry_run_operation, "The request would have succeeded, but the DryRun option is set.");
	g.account = k.account;
	g.key_id = k.id;
	g.grantee = in->grantee_principal.p ? in->grantee_principal : in->grantee_service_principal;
	g.retiring = in->retiring_principal.p ? in->retiring_principal : in->retiring_service_principal;
	g.issuing_account = str_printf(c->arena, "arn:%.*s:iam::%.*s:root", STR(region_partition(call_region(c))),
				       STR(c->who->p.account.p ? c->who->p.account : c->account));
	if (in->constraints) {
		g.subset = in->constraints->encryption_context_subset;
		g.equals = in->constraints->encryption_context_equals;
	}
	if (c->decision.decision != DECISION_ALLOW && !covered(c, &g)) /* it is a grant that lets the caller make grants */
		return call_fail(c, &aws_err_access_denied_exception,
				 "User: %.*s is not authorized to perform: kms:CreateGrant on resource: %.*s because the grant would allow "
				 "more than the grant it is made under",
				 STR(c->who->p.arn), STR(k.arn));
	r = find_same(c, &g, &same, &count);
	if (r < 0)
		return r;
	if (r == 0) {
		if (count >= KMS_GRANTS_PER_KEY_MAX)
			return call_fail(c, &kms_err_limit_exceeded, "Grant limit exceeded for key %.*s", STR(k.arn));
		g.id = random_hex(c->arena, 64);
		g.token = base64_encode(c->arena, str_printf(c->arena, "%.*s.%.*s", STR(g.id), STR(random_hex(c->arena, 48))));
		r = grant_put(c, &g);
		if (r < 0)
			return r;
		same = g;
	}
	out->grant_id = same.id;
	out->grant_token = same.token;
	return 0;
}

static struct kms_grant_list_entry entry(struct call *c, const struct kms_rec_grant *g)
{
	struct kms_grant_list_entry e = { 0 };

	e.key_id = call_arn(c, "kms", "key/%.*s", STR(g->key_id));
	e.grant_id = g->id;
	e.name = g->name.p ? g->name : S("");
	e.creation_date = g->created;
	e.grantee_principal = g->grantee;
	e.retiring_principal = g->retiring;
	e.issuing_account = g->issuing_account;
	e.operations = g->operations;
	if (g->subset.n || g->equals.n) {
		e.constraints = arena_new(c->arena, struct kms_grant_constraints);
		e.constraints->encryption_context_subset = g->subset;
		e.constraints->encryption_context_equals = g->equals;
	}
	return e;
}

/* One page of a range of grants. index: the values are places, not records. */
static int list_page(struct call *c, struct str prefix, bool index, struct opt_int lim, struct str marker, struct str only_id,
		     struct str only_grantee, struct kms_list_grants_response *out)
{
	size_t limit = lim.has ? (size_t)lim.v : 50, cap = 0;
	struct store_range range = { 0 };
	struct str after = STR_NONE, key, value, part[4], account, table;
	struct kms_rec_grant g;
	int r;

	if (marker.p && page_parse(c, marker, &after) < 0)
		return call_fail(c, &kms_err_invalid_marker, "Invalid marker");
	out->truncated = OPT_BOOL(false);
	r = store_range_open(&range, c->txn, prefix, after, false);
	while (r == 0 && (r = store_range_next(&range, &key, &value)) == 1) {
		struct str rest = key;

		if (out->grants.n == limit) {
			out->truncated.v = true;
			out->next_marker = page_token(c, after);
			r = 0;
			break;
		}
		after = str_dup(c->arena, key);
		if (index) {
			r = key_take_begin(&rest, &account, &table);
			for (int i = 0; i < 4 && r == 0; i++)
				r = key_take_str(&rest, c->arena, &part[i]);
			if (r == 0)
				r = grant_get(c->txn, c->arena, part[1], part[2], part[3], &g);
		} else
			r = record_decode(&kms_records, KMS_REC_GRANT, c->arena, value, &g);
		if (r == 0 && (!only_id.p || str_eq(only_id, g.id)) && (!only_grantee.p || str_eq(only_grantee, g.grantee)))
			vec_push(c->arena, out->grants.v, out->grants.n, cap) = entry(c, &g);
	}
	store_range_close(&range);
	if (!out->grants.v)
		out->grants.v = arena_alloc(c->arena, 1);
	return r;
}

KMS_HANDLER(list_grants)
{
	struct kms_rec_key key;
	struct keybuf k;
	int r = kms_key_load(c, in->key_id, false, &key);

	if (r == 0)
		r = kms_key_not_pending(c, &key);
	if (r < 0)
		return r;
	by_id(&k, key.account, key.id, STR_NONE);
	return list_page(c, key_view(&k), false, in->limit, in->marker, in->grant_id,
			 in->grantee_principal.p ? in->grantee_principal : in->grantee_service_principal, out);
}

int kms_list_retirable_grants(struct call *c, const struct kms_list_retirable_grants_request *in, struct kms_list_grants_response *out)
{
	struct str who = in->retiring_principal.p ? in->retiring_principal : in->retiring_service_principal;
	struct keybuf k;

	if (!who.p)
		return call_fail(c, &aws_err_validation_exception, "RetiringPrincipal must be specified.");
	by_retiring(&k, who, NULL);
	return list_page(c, key_view(&k), true, in->limit, in->marker, STR_NONE, STR_NONE, out);
}

KMS_HANDLER(revoke_grant)
{
	struct kms_rec_grant g;
	struct kms_rec_key k;
	int r = kms_key_load(c, in->key_id, false, &k);

	if (r == 0)
		r = kms_key_not_pending(c, &k);
	if (r == 0) {
		r = grant_get(c->txn, c->arena, k.account, k.id, in->grant_id, &g);
		if (r == -ENOENT)
			return call_fail(c, &kms_err_not_found, "Grant ID %.*s not found", STR(in->grant_id));
	}
	if (r == 0 && in->dry_run.v)
		return call_fail(c, &kms_err_dry_run_operation, "The request would have succeeded, but the DryRun option is set.");
	return r < 0 ? r : grant_del(c->txn, &g);
}

KMS_HANDLER(retire_grant)
{
	struct kms_rec_grant g;
	int r;

	if (in->grant_token.p)
		r = kms_grant_by_token(c, in->grant_token, &g);
	else {
		struct kms_rec_key k;

		if (!in->key_id.p || !in->grant_id.p)
			return call_fail(c, &aws_err_validation_exception,
					 "Either a grant token, or a key ARN and a grant ID must be specified.");
		r = kms_key_load(c, in->key_id, false, &k);
		if (r == 0)
			r = grant_get(c->txn, c->arena, k.account, k.id, in->grant_id, &g);
	}
	if (r == -ENOENT)
		return in->grant_token.p ? call_fail(c, &kms_err_invalid_grant_token, "Invalid grant token")
					 : call_fail(c, &kms_err_not_found, "Grant ID %.*s not found", STR(in->grant_id));
	if (r == 0 && in->dry_run.v)
		return call_fail(c, &kms_err_dry_run_operation, "The request would have succeeded, but the DryRun option is set.");
	return r < 0 ? r : grant_del(c->txn, &g);
}
