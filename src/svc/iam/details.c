/* SPDX-License-Identifier: Apache-2.0 */
/* details.c - GetAccountAuthorizationDetails: users, groups, roles, then policies, in one paged listing. */
#include "svc/iam/ops.h"
#include <errno.h>

struct walk {
	struct iam_get_account_authorization_details_response *out;
	size_t left;
};

static int group_names(struct call *c, struct str user_id, struct str_list *ret)
{
	struct store_range range = { 0 };
	struct iam_rec_entity g;
	struct keybuf k;
	struct str key, value;
	enum iam_kind kind;
	int r;

	*ret = (struct str_list){ arena_array(c->arena, struct str, IAM_GROUPS_PER_USER_MAX + 1), 0 };
	iam_key_of(&k, c->account, "iam.memberof", user_id, STR_NONE);
	r = store_range_open(&range, c->txn, key_view(&k), STR_NONE, false);
	while (r >= 0 && ret->n < IAM_GROUPS_PER_USER_MAX && (r = store_range_next(&range, &key, &value)) > 0) {
		r = iam_get_id(c->txn, c->arena, c->account, iam_rest_str(c, str_skip(key, k.n)), &kind, &g);
		if (r == 0)
			ret->v[ret->n++] = g.name;
	}
	store_range_close(&range);
	return r < 0 ? r : 0;
}

static int add_user(struct call *c, const struct iam_rec_entity *e, struct iam_user_detail *d)
{
	int r;

	*d = (struct iam_user_detail){ .path = e->path, .user_name = e->name, .user_id = e->id, .arn = e->arn, .create_date = e->created };
	d->permissions_boundary = iam_boundary_view(c, e->boundary);
	d->tags = iam_tags_view(c, &e->tags);
	r = group_names(c, e->id, &d->group_list);
	if (r < 0)
		return r;
	r = iam_inline_list(c, e->id, &d->user_policy_list);
	return r < 0 ? r : iam_attached_list(c, e->id, &d->attached_managed_policies);
}

static int add_group(struct call *c, const struct iam_rec_entity *e, struct iam_group_detail *d)
{
	int r;

	*d = (struct iam_group_detail){
		.path = e->path, .group_name = e->name, .group_id = e->id, .arn = e->arn, .create_date = e->created
	};
	r = iam_inline_list(c, e->id, &d->group_policy_list);
	return r < 0 ? r : iam_attached_list(c, e->id, &d->attached_managed_policies);
}

static int add_role(struct call *c, const struct iam_rec_entity *e, struct iam_role_detail *d)
{
	struct iam_rec_used used;
	int r;

	*d = (struct iam_role_detail){ .path = e->path, .role_name = e->name, .role_id = e->id, .arn = e->arn, .create_date = e->created };
	d->assume_role_policy_document = iam_document_encode(c->arena, iam_trust_document(c->txn, c->arena, e));
	d->permissions_boundary = iam_boundary_view(c, e->boundary);
	d->tags = iam_tags_view(c, &e->tags);
	d->role_last_used = arena_new(c->arena, struct iam_role_last_used);
	if (iam_used_get(c, e->id, &used) == 0)
		*d->role_last_used = (struct iam_role_last_used){ used.at, used.region };
	d->instance_profile_list.v = arena_array(c->arena, struct iam_instance_profile, IAM_PAGE_DEFAULT);
	r = iam_list_linked(c, "iam.inprofile", e->id, &(struct iam_page){ 0 }, iam_add_profile_view, &d->instance_profile_list);
	if (r < 0)
		return r;
	r = iam_inline_list(c, e->id, &d->role_policy_list);
	return r < 0 ? r : iam_attached_list(c, e->id, &d->attached_managed_policies);
}

static int add_versions(struct call *c, const struct iam_policy_ref *p, struct iam_policy_version_list *ret)
{
	ret->v = arena_array(c->arena, struct iam_policy_version, IAM_VERSIONS_MAX);
	if (p->aws) {
		ret->v[ret->n++] = (struct iam_policy_version){ iam_document_encode(c->arena, p->aws->document), p->aws->version,
								OPT_BOOL(true), OPT_TIME(p->aws->updated_ms) };
		return 0;
	}
	for (int64_t n = p->own.next_version.v - 1; n > 0 && ret->n < IAM_VERSIONS_MAX; n--) {
		struct iam_rec_version v;
		int r = iam_version_get(c, &p->own, n, &v);

		if (r == -ENOENT)
			continue;
		if (r < 0)
			return r;
		ret->v[ret->n++] = (struct iam_policy_version){ iam_document_encode(c->arena, v.document),
								str_printf(c->arena, "v%lld", (long long)n),
								OPT_BOOL(n == p->own.default_version.v), v.created };
	}
	return 0;
}

static int add_policy(struct call *c, const struct iam_policy_ref *p, struct iam_managed_policy_detail *d)
{
	struct iam_policy v;

	iam_policy_view(c, p, true, &v);
	*d = (struct iam_managed_policy_detail){
		.policy_name = v.policy_name,
		.policy_id = v.policy_id,
		.arn = v.arn,
		.path = v.path,
		.default_version_id = v.default_version_id,
		.attachment_count = v.attachment_count,
		.permissions_boundary_usage_count = v.permissions_boundary_usage_count,
		.is_attachable = v.is_attachable,
		.description = v.description,
		.create_date = v.create_date,
		.update_date = v.update_date,
	};
	return add_versions(c, p, &d->policy_version_list);
}

static int add_entity(struct call *c, struct walk *w, enum iam_kind kind, const struct iam_rec_entity *e)
{
	struct iam_get_account_authorization_details_response *o = w->out;

	switch (kind) {
	case IAM_USER:
		return add_user(c, e, &o->user_detail_list.v[o->user_detail_list.n++]);
	case IAM_GROUP:
		return add_group(c, e, &o->group_detail_list.v[o->group_detail_list.n++]);
	case IAM_ROLE:
		return add_role(c, e, &o->role_detail_list.v[o->role_detail_list.n++]);
	default:
		return add_policy(c, &(struct iam_policy_ref){ .own = *e, .arn = e->arn, .name = e->name },
				  &o->policies.v[o->policies.n++]);
	}
}

/* walk_kind adds entities of one kind until the page is full; *ret_last is then where it stopped, else absent. */
static int walk_kind(struct call *c, struct walk *w, enum iam_kind kind, const char *table, struct str after, struct str *ret_last)
{
	struct iam_rec_entity e;
	struct iam_page page = { after.n ? page_token(c, after) : STR_NONE, OPT_INT((int64_t)w->left) };
	struct iam_pages p = { 0 };
	struct keybuf k;
	struct str rest, value;
	int r;

	iam_key_of(&k, c->account, table, STR_NONE, STR_NONE);
	r = iam_pages_open(&p, c, &k, &page);
	while (r >= 0 && (r = iam_pages_next(&p, &rest, &value)) > 0) {
		r = iam_decode(c, value, &e);
		if (r < 0)
			break;
		r = add_entity(c, w, kind, &e);
		iam_pages_take(&p);
	}
	r = iam_pages_close(&p, r);
	w->left -= p.taken;
	*ret_last = p.more ? (p.last.p ? p.last : S("")) : STR_NONE;
	return r;
}

static int walk_aws(struct call *c, struct walk *w)
{
	for (size_t i = 0; i < iam_managed_count(); i++) {
		const struct iam_managed *m = iam_managed_at(i);
		struct iam_policy_ref p = { .aws = m, .arn = m->arn, .name = m->name };
		struct iam_rec_uses u;
		int r = iam_uses_get(c, m->arn, &u);

		if (r < 0)
			return r;
		if (!u.attached.v && !u.bounded.v)
			continue; /* as AWS does: only those in use */
		r = add_policy(c, &p, &w->out->policies.v[w->out->policies.n++]);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool filtered(const struct str_list *filter, const char *name)
{
	return filter->n > 0 && !str_list_has(filter, str_c(name));
}

int iam_get_account_authorization_details(struct call *c, const struct iam_get_account_authorization_details_request *in,
					  struct iam_get_account_authorization_details_response *out)
{
	static const struct {
		enum iam_kind kind;
		const char *table, *filter;
	} steps[] = { { IAM_USER, "iam.user", "User" },
		      { IAM_GROUP, "iam.group", "Group" },
		      { IAM_ROLE, "iam.role", "Role" },
		      { IAM_POLICY, "iam.policy", "LocalManagedPolicy" } };
	struct walk w = { out, iam_page_size(in->max_items) };
	struct str at = STR_NONE, after, last;
	size_t i = 0;
	int r;

	out->user_detail_list.v = arena_array(c->arena, struct iam_user_detail, w.left);
	out->group_detail_list.v = arena_array(c->arena, struct iam_group_detail, w.left);
	out->role_detail_list.v = arena_array(c->arena, struct iam_role_detail, w.left);
	out->policies.v = arena_array(c->arena, struct iam_managed_policy_detail, w.left + iam_managed_count());
	out->is_truncated = OPT_BOOL(false);
	if (in->marker.p && (page_parse(c, in->marker, &at) < 0 || at.n < 1 || at.p[0] < '0' || at.p[0] > '3'))
		return call_fail(c, &iam_err_validation_error, "Invalid Marker.");
	if (at.p)
		i = (size_t)(at.p[0] - '0');
	after = at.p ? str_skip(at, 1) : STR_NONE;
	for (; i < ELEMENTS(steps); i++, after = STR_NONE) {
		if (filtered(&in->filter, steps[i].filter))
			continue;
		r = walk_kind(c, &w, steps[i].kind, steps[i].table, after, &last);
		if (r < 0)
			return r;
		if (last.p) {
			out->is_truncated = OPT_BOOL(true);
			out->marker = page_token(c, str_join(c->arena, (struct str[]){ str_printf(c->arena, "%zu", i), last }, 2, S("")));
			return 0;
		}
	}
	return filtered(&in->filter, "AWSManagedPolicy") ? 0 : walk_aws(c, &w);
}
