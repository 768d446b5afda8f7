/* SPDX-License-Identifier: Apache-2.0 */
/* acl.c - access control lists, where a bucket's object ownership lets them count. Source: "Access control list (ACL)
 * overview". A private ACL (the owner alone) is stored as no grants at all. */
#include "svc/s3/s3_int.h"
#include <errno.h>

#define ALL_USERS "http://acs.amazonaws.com/groups/global/AllUsers"
#define AUTHENTICATED "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
#define LOG_DELIVERY "http://acs.amazonaws.com/groups/s3/LogDelivery"
#define GRANTS_MAX 100

/* The canonical id of an account: 64 hex digits that say nothing about it. */
struct str s3_canonical(struct arena *a, struct str account)
{
	uint8_t d[32];
	struct str t = str_printf(a, "canonical:%.*s", STR(account));

	if (!account.p || !account.n)
		return S("65a011a29cdf8ec533ec3d1ccaae921c"); /* the anonymous caller's, as AWS documents it */
	hash_sha256(t.p, t.n, d);
	return hex_encode(a, d, sizeof d);
}

struct s3_owner *s3_owner(struct arena *a, struct str account)
{
	struct s3_owner *o = arena_new(a, struct s3_owner);

	o->id = s3_canonical(a, account);
	return o;
}

static bool enforced(const struct s3_rec_bucket *b)
{
	return !b->ownership.p || str_is(b->ownership, "BucketOwnerEnforced");
}

bool s3_acl_public(const struct s3_rec_grant_list *acl)
{
	for (size_t i = 0; i < acl->n; i++)
		if (str_is(acl->v[i].group, ALL_USERS) || str_is(acl->v[i].group, AUTHENTICATED))
			return true;
	return false;
}

struct grants {
	struct call *c;
	struct s3_rec_grant_list *l;
	size_t cap;
};

static void add(struct grants *g, const char *permission, struct str canonical, const char *group)
{
	struct s3_rec_grant x = { .permission = str_c(permission), .account = canonical, .group = str_c(group) };

	vec_push(g->c->arena, g->l->v, g->l->n, g->cap) = x;
}

static int canned(struct grants *g, const struct s3_rec_bucket *b, struct str owner, struct str acl)
{
	struct arena *a = g->c->arena;

	if (!acl.p || str_is(acl, "private"))
		return 0;
	add(g, "FULL_CONTROL", s3_canonical(a, owner), NULL);
	if (str_is(acl, "public-read") || str_is(acl, "public-read-write"))
		add(g, "READ", STR_NONE, ALL_USERS);
	if (str_is(acl, "public-read-write"))
		add(g, "WRITE", STR_NONE, ALL_USERS);
	if (str_is(acl, "authenticated-read"))
		add(g, "READ", STR_NONE, AUTHENTICATED);
	if (str_is(acl, "log-delivery-write")) {
		add(g, "WRITE", STR_NONE, LOG_DELIVERY);
		add(g, "READ_ACP", STR_NONE, LOG_DELIVERY);
	}
	if (str_is(acl, "bucket-owner-read") && !str_eq(owner, b->account))
		add(g, "READ", s3_canonical(a, b->account), NULL);
	if (str_is(acl, "bucket-owner-full-control") && !str_eq(owner, b->account))
		add(g, "FULL_CONTROL", s3_canonical(a, b->account), NULL);
	if (str_is(acl, "aws-exec-read"))
		return call_fail(g->c, &s3_err_not_implemented, "The canned ACL aws-exec-read is not implemented by this cloud.");
	return 0;
}

static bool hex64(struct str id)
{
	if (id.n != 64)
		return false;
	for (size_t i = 0; i < id.n; i++)
		if (!strchr("0123456789abcdef", id.p[i]))
			return false;
	return true;
}

static int grantee(struct grants *g, const char *permission, struct str type, struct str value)
{
	if (str_is(type, "uri") || str_is(type, "Group")) {
		if (!str_is(value, ALL_USERS) && !str_is(value, AUTHENTICATED) && !str_is(value, LOG_DELIVERY))
			return call_fail(g->c, &s3_err_invalid_argument, "Invalid group uri");
		add(g, permission, STR_NONE, str_z(g->c->arena, value));
		return 0;
	}
	if (str_is(type, "id") || str_is(type, "CanonicalUser")) {
		if (!hex64(value))
			return call_fail(g->c, &s3_err_invalid_argument, "Invalid id");
		add(g, permission, value, NULL);
		return 0;
	}
	return call_fail(g->c, &s3_err_unresolvable_grant_by_email_address,
			 "The e-mail address you provided does not match any account on record.");
}

/* "id=\"...\", uri=\"...\"" */
static int header(struct grants *g, const char *permission, struct str text)
{
	struct str one, type, value;

	while (str_next(&text, ',', &one)) {
		int r;

		if (!str_cut(str_trim(one), '=', &type, &value))
			return call_fail(g->c, &s3_err_invalid_argument, "Argument format not recognized");
		value = str_trim(value);
		if (value.n >= 2 && *value.p == '"' && value.p[value.n - 1] == '"')
			value = str_of(value.p + 1, value.n - 2);
		r = grantee(g, permission, str_trim(type), value);
		if (r < 0)
			return r;
	}
	return 0;
}

static int body(struct grants *g, struct str owner, const struct s3_access_control_policy *p)
{
	if (!p->owner || !str_eq(p->owner->id, s3_canonical(g->c->arena, owner)))
		return p->owner ? call_fail(g->c, &s3_err_access_denied, "Access Denied")
				: call_fail(g->c, &s3_err_malformed_acl_error,
					    "The XML you provided was not well-formed or did not validate against our published schema");
	if (p->grants.n > GRANTS_MAX)
		return call_fail(g->c, &s3_err_malformed_acl_error,
				 "The XML you provided was not well-formed or did not validate against our published schema");
	for (size_t i = 0; i < p->grants.n; i++) {
		const struct s3_grant *x = &p->grants.v[i];
		int r;

		if (!x->grantee || !x->permission.p)
			return call_fail(g->c, &s3_err_malformed_acl_error,
					 "The XML you provided was not well-formed or did not validate against our published schema");
		r = grantee(g, str_z(g->c->arena, x->permission), x->grantee->type,
			    str_is(x->grantee->type, "Group") ? x->grantee->uri : x->grantee->id);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The owner with full control and nobody else: what "private" means. */
static bool is_private(struct arena *a, struct str owner, const struct s3_rec_grant_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (!str_is(l->v[i].permission, "FULL_CONTROL") || !str_eq(l->v[i].account, s3_canonical(a, owner)))
			return false;
	return true;
}

int s3_acl_make(struct call *c, const struct s3_rec_bucket *b, struct str owner, const struct s3_acl_request *q,
		struct s3_rec_grant_list *ret)
{
	const struct {
		struct str text;
		const char *permission;
	} h[] = { { q->full_control, "FULL_CONTROL" },
		  { q->read, "READ" },
		  { q->read_acp, "READ_ACP" },
		  { q->write, "WRITE" },
		  { q->write_acp, "WRITE_ACP" } };
	struct grants g = { .c = c, .l = ret };
	bool headers = false;
	int r = 0;

	*ret = (struct s3_rec_grant_list){ 0 };
	for (size_t i = 0; i < ELEMENTS(h); i++)
		headers |= h[i].text.p != NULL;
	if ((q->acl.p != NULL) + headers + (q->policy != NULL) > 1)
		return call_fail(c, &s3_err_invalid_request, "Specifying both Canned ACLs and Header Grants is not allowed");
	if (q->policy)
		r = body(&g, owner, q->policy);
	else if (headers)
		for (size_t i = 0; i < ELEMENTS(h) && r == 0; i++)
			r = h[i].text.p ? header(&g, h[i].permission, h[i].text) : 0;
	else
		r = canned(&g, b, owner, q->acl);
	if (r < 0)
		return r;
	if (enforced(b)) { /* the two that say what holds anyway are taken */
		bool harmless = str_is(q->acl, "bucket-owner-full-control") || is_private(c->arena, b->account, ret);

		if (!harmless)
			return call_fail(c, &s3_err_access_control_list_not_supported, "The bucket does not allow ACLs");
		*ret = (struct s3_rec_grant_list){ 0 };
		return 0;
	}
	if (b->block_public_acls.v && s3_acl_public(ret))
		return call_fail(c, &s3_err_access_denied, "Access Denied");
	if (is_private(c->arena, owner, ret) && ret->n <= 1)
		*ret = (struct s3_rec_grant_list){ 0 };
	return 0;
}

bool s3_acl_grants(struct call *c, const struct s3_rec_bucket *b, struct str owner, const struct s3_rec_grant_list *acl,
		   const char *permission)
{
	struct str who = c->who->p.account.p ? s3_canonical(c->arena, c->who->p.account) : STR_NONE;

	if (enforced(b))
		return false;
	for (size_t i = 0; i < acl->n; i++) {
		const struct s3_rec_grant *g = &acl->v[i];
		bool everyone = str_is(g->group, ALL_USERS) || (str_is(g->group, AUTHENTICATED) && who.p);

		if (!str_is(g->permission, permission) && !str_is(g->permission, "FULL_CONTROL"))
			continue;
		if (everyone && !b->ignore_public_acls.v)
			return true;
		/* A grant to an account lets its root act; its users need their own policies besides. */
		if (g->account.p && who.p && str_eq(g->account, who) && c->who->p.type == PRINCIPAL_ROOT)
			return true;
	}
	return false;
}

/* --- operations --- */
static struct s3_grant_list grants_out(struct arena *a, struct str owner, const struct s3_rec_grant_list *acl)
{
	struct s3_rec_grant self = { .permission = S("FULL_CONTROL"), .account = s3_canonical(a, owner) };
	const struct s3_rec_grant *v = acl->n ? acl->v : &self;
	struct s3_grant_list l = { arena_array(a, struct s3_grant, acl->n ? acl->n : 1), acl->n ? acl->n : 1 };

	for (size_t i = 0; i < l.n; i++) {
		struct s3_grantee *g = arena_new(a, struct s3_grantee);

		g->type = v[i].group.p ? S("Group") : S("CanonicalUser");
		g->uri = v[i].group;
		g->id = v[i].account;
		l.v[i] = (struct s3_grant){ g, v[i].permission };
	}
	return l;
}

S3_HANDLER(get_bucket_acl, output)
{
	struct s3_rec_bucket *b;
	int r = s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r < 0)
		return r;
	out->owner = s3_owner(c->arena, b->account);
	out->grants = grants_out(c->arena, b->account, &b->acl);
	return 0;
}

S3_HANDLER(put_bucket_acl, response)
{
	struct s3_acl_request q = { in->acl,
				    in->grant_full_control,
				    in->grant_read,
				    in->grant_read_acp,
				    in->grant_write,
				    in->grant_write_acp,
				    in->access_control_policy,
				    true };
	struct s3_rec_bucket *b;
	int r = s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r == 0)
		r = s3_acl_make(c, b, b->account, &q, &b->acl);
	return r < 0 ? r : s3_bucket_put(c->txn, b);
}

S3_HANDLER(get_object_acl, output)
{
	struct s3_rec_bucket *b;
	struct s3_rec_object o;
	int r = s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r == 0)
		r = s3_find_object(c, b, in->key, in->version_id, &o);
	if (r < 0)
		return r;
	out->owner = s3_owner(c->arena, enforced(b) ? b->account : o.owner);
	out->grants = grants_out(c->arena, enforced(b) ? b->account : o.owner, &o.acl);
	if (b->versioning.p)
		call_header(c, "x-amz-version-id", o.version);
	return 0;
}

S3_HANDLER(put_object_acl, output)
{
	struct s3_acl_request q = { in->acl,
				    in->grant_full_control,
				    in->grant_read,
				    in->grant_read_acp,
				    in->grant_write,
				    in->grant_write_acp,
				    in->access_control_policy,
				    false };
	struct s3_rec_bucket *b;
	struct s3_rec_object o;
	int r = s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r == 0)
		r = s3_find_object(c, b, in->key, in->version_id, &o);
	if (r == 0)
		r = s3_acl_make(c, b, o.owner, &q, &o.acl);
	if (r < 0)
		return r;
	if (b->versioning.p)
		call_header(c, "x-amz-version-id", o.version);
	return s3_object_update(c->txn, b, in->key, &o);
}
