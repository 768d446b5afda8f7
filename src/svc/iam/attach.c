/* SPDX-License-Identifier: Apache-2.0 */
/* attach.c - managed policies attached to users, groups and roles, permissions boundaries, and who uses a policy. */
#include "svc/iam/ops.h"
#include <errno.h>

static void reverse_key(struct keybuf *k, struct call *c, const char *table, struct str arn, enum iam_kind kind, struct str id)
{
	char letter = iam_letter(kind);

	key_begin(k, c->account, table);
	key_str(k, arn);
	key_str(k, str_of(&letter, 1));
	if (id.p)
		key_str(k, id);
}

int iam_attach_one(struct call *c, enum iam_kind kind, struct iam_rec_entity *e, struct str arn)
{
	static const char *const quota[IAM_KINDS] = { "PoliciesPerUser", "PoliciesPerGroup", "PoliciesPerRole" };
	struct iam_policy_ref p;
	struct keybuf k;
	struct str v;
	int r = iam_policy_get(c->txn, c->arena, c->account, arn, &p);

	if (r == -EINVAL)
		return call_fail(c, &iam_err_invalid_input, "ARN %.*s is not valid.", STR(arn));
	if (r == -ENOENT)
		return iam_no_entity(c, "Policy %.*s does not exist or is not attachable.", STR(arn));
	if (r < 0)
		return r;
	if (p.aws && str_starts(p.aws->path, S("/aws-service-role/")) && !e->linked_service.p)
		return call_fail(c, &iam_err_policy_not_attachable, "Cannot attach a Service Role Policy to a Customer Role.");
	iam_key_of(&k, c->account, "iam.attach", e->id, arn);
	r = store_get(c->txn, key_view(&k), &v);
	if (r != -ENOENT)
		return r; /* attached already: nothing changes */
	if (e->attached.v >= IAM_ATTACHED_MAX)
		return call_fail(c, &iam_err_limit_exceeded, "Cannot exceed quota for %s: %d", quota[kind], IAM_ATTACHED_MAX);
	r = record_put(c->txn, &iam_records, IAM_REC_ATTACHMENT, &k, &(struct iam_rec_attachment){ arn, p.name });
	if (r < 0)
		return r;
	reverse_key(&k, c, "iam.attached", arn, kind, e->id);
	r = store_put(c->txn, key_view(&k), S("a"));
	if (r < 0)
		return r;
	r = iam_uses_add(c, arn, 1, 0);
	if (r < 0)
		return r;
	e->attached = OPT_INT(e->attached.v + 1);
	return iam_save(c, kind, e);
}

static int attach(struct call *c, enum iam_kind kind, struct str name, struct str arn)
{
	struct iam_rec_entity e;
	int r = iam_load_to_change(c, kind, name, &e);

	return r < 0 ? r : iam_attach_one(c, kind, &e, arn);
}

static int detach(struct call *c, enum iam_kind kind, struct str name, struct str arn)
{
	struct iam_rec_entity e;
	struct keybuf k;
	int r = iam_load_to_change(c, kind, name, &e);

	if (r < 0)
		return r;
	iam_key_of(&k, c->account, "iam.attach", e.id, arn);
	r = store_del(c->txn, key_view(&k));
	if (r == -ENOENT)
		return iam_no_entity(c, "Policy %.*s was not found.", STR(arn));
	if (r < 0)
		return r;
	reverse_key(&k, c, "iam.attached", arn, kind, e.id);
	r = store_del(c->txn, key_view(&k));
	if (r < 0)
		return r;
	r = iam_uses_add(c, arn, -1, 0);
	if (r < 0)
		return r;
	e.attached = OPT_INT(e.attached.v - 1);
	return iam_save(c, kind, &e);
}

/* The path of the policy is in its ARN: arn:aws:iam::ACCOUNT:policy/PATH/NAME. */
static bool path_matches(struct str arn, struct str prefix)
{
	ptrdiff_t at = str_find(arn, S(":policy/"));

	return !prefix.p || (at >= 0 && str_starts(str_skip(arn, (size_t)at + 7), prefix));
}

static int list_attached(struct call *c, enum iam_kind kind, struct str name, struct str prefix, const struct iam_page *page,
			 struct iam_attached_policy_list *ret)
{
	struct iam_rec_attachment at;
	struct iam_rec_entity e;
	struct iam_pages p = { 0 };
	struct keybuf k;
	struct str rest, value;
	int r = iam_load(c, kind, name, &e);

	if (r < 0)
		return r;
	ret->v = arena_array(c->arena, struct iam_attached_policy, iam_page_size(page->max));
	iam_key_of(&k, c->account, "iam.attach", e.id, STR_NONE);
	r = iam_pages_open(&p, c, &k, page);
	while (r >= 0 && (r = iam_pages_next(&p, &rest, &value)) > 0) {
		r = record_decode(&iam_records, IAM_REC_ATTACHMENT, c->arena, value, &at);
		if (r < 0)
			break;
		if (!path_matches(at.arn, prefix))
			continue;
		ret->v[ret->n++] = (struct iam_attached_policy){ at.name, at.arn };
		iam_pages_take(&p);
	}
	return iam_pages_close(&p, r);
}

int iam_attached_list(struct call *c, struct str id, struct iam_attached_policy_list *ret)
{
	struct store_range range = { 0 };
	struct iam_rec_attachment at;
	struct keybuf k;
	struct str key, value;
	int r;

	ret->v = arena_array(c->arena, struct iam_attached_policy, IAM_ATTACHED_MAX + 1);
	ret->n = 0;
	iam_key_of(&k, c->account, "iam.attach", id, STR_NONE);
	r = store_range_open(&range, c->txn, key_view(&k), STR_NONE, false);
	while (r >= 0 && ret->n < IAM_ATTACHED_MAX && (r = store_range_next(&range, &key, &value)) > 0) {
		r = record_decode(&iam_records, IAM_REC_ATTACHMENT, c->arena, value, &at);
		if (r == 0)
			ret->v[ret->n++] = (struct iam_attached_policy){ at.name, at.arn };
	}
	store_range_close(&range);
	return r < 0 ? r : 0;
}

int iam_attach_user_policy(struct call *c, const struct iam_attach_user_policy_request *in, struct iam_attach_user_policy_response *out)
{
	return attach(c, IAM_USER, in->user_name, in->policy_arn);
}

int iam_detach_user_policy(struct call *c, const struct iam_detach_user_policy_request *in, struct iam_detach_user_policy_response *out)
{
	return detach(c, IAM_USER, in->user_name, in->policy_arn);
}

int iam_list_attached_user_policies(struct call *c, const struct iam_list_attached_user_policies_request *in,
				    struct iam_list_attached_user_policies_response *out)
{
	return list_attached(c, IAM_USER, in->user_name, in->path_prefix, IAM_PAGE(in, out), &out->attached_policies);
}

int iam_attach_group_policy(struct call *c, const struct iam_attach_group_policy_request *in, struct iam_attach_group_policy_response *out)
{
	return attach(c, IAM_GROUP, in->group_name, in->policy_arn);
}

int iam_detach_group_policy(struct call *c, const struct iam_detach_group_policy_request *in, struct iam_detach_group_policy_response *out)
{
	return detach(c, IAM_GROUP, in->group_name, in->policy_arn);
}

int iam_list_attached_group_policies(struct call *c, const struct iam_list_attached_group_policies_request *in,
				     struct iam_list_attached_group_policies_response *out)
{
	return list_attached(c, IAM_GROUP, in->group_name, in->path_prefix, IAM_PAGE(in, out), &out->attached_policies);
}

int iam_attach_role_policy(struct call *c, const struct iam_attach_role_policy_request *in, struct iam_attach_role_policy_response *out)
{
	return attach(c, IAM_ROLE, in->role_name, in->policy_arn);
}

int iam_detach_role_policy(struct call *c, const struct iam_detach_role_policy_request *in, struct iam_detach_role_policy_response *out)
{
	return detach(c, IAM_ROLE, in->role_name, in->policy_arn);
}

int iam_list_attached_role_policies(struct call *c, const struct iam_list_attached_role_policies_request *in,
				    struct iam_list_attached_role_policies_response *out)
{
	return list_attached(c, IAM_ROLE, in->role_name, in->path_prefix, IAM_PAGE(in, out), &out->attached_policies);
}

/* --- permissions boundaries --- */

int iam_boundary_set(struct call *c, enum iam_kind kind, struct iam_rec_entity *e, struct str arn)
{
	struct iam_policy_ref p;
	struct keybuf k;
	int r;

	if (arn.p) {
		r = iam_policy_get(c->txn, c->arena, c->account, arn, &p);
		if (r == -EINVAL)
			return call_fail(c, &iam_err_invalid_input, "ARN %.*s is not valid.", STR(arn));
		if (r == -ENOENT)
			return iam_no_entity(c, "Scope ARN: %.*s does not exist or is not attachable.", STR(arn));
		if (r < 0)
			return r;
	}
	if (e->boundary.p) {
		reverse_key(&k, c, "iam.bounded", e->boundary, kind, e->id);
		r = store_del(c->txn, key_view(&k));
		if (r < 0)
			return r;
		r = iam_uses_add(c, e->boundary, 0, -1);
		if (r < 0)
			return r;
	}
	e->boundary = arn;
	if (!arn.p)
		return 0;
	reverse_key(&k, c, "iam.bounded", arn, kind, e->id);
	r = store_put(c->txn, key_view(&k), S("b"));
	return r < 0 ? r : iam_uses_add(c, arn, 0, 1);
}

static int boundary_change(struct call *c, enum iam_kind kind, struct str name, struct str arn)
{
	struct iam_rec_entity e;
	int r = iam_load_to_change(c, kind, name, &e);

	if (r < 0)
		return r;
	if (!arn.p && !e.boundary.p)
		return iam_no_entity(c, "%s %.*s does not have a permission boundary.", kind == IAM_USER ? "User" : "Role", STR(name));
	r = iam_boundary_set(c, kind, &e, arn);
	return r < 0 ? r : iam_save(c, kind, &e);
}

int iam_put_user_permissions_boundary(struct call *c, const struct iam_put_user_permissions_boundary_request *in,
				      struct iam_put_user_permissions_boundary_response *out)
{
	return boundary_change(c, IAM_USER, in->user_name, in->permissions_boundary);
}

int iam_delete_user_permissions_boundary(struct call *c, const struct iam_delete_user_permissions_boundary_request *in,
					 struct iam_delete_user_permissions_boundary_response *out)
{
	return boundary_change(c, IAM_USER, in->user_name, STR_NONE);
}

int iam_put_role_permissions_boundary(struct call *c, const struct iam_put_role_permissions_boundary_request *in,
				      struct iam_put_role_permissions_boundary_response *out)
{
	return boundary_change(c, IAM_ROLE, in->role_name, in->permissions_boundary);
}

int iam_delete_role_permissions_boundary(struct call *c, const struct iam_delete_role_permissions_boundary_request *in,
					 struct iam_delete_role_permissions_boundary_response *out)
{
	return boundary_change(c, IAM_ROLE, in->role_name, STR_NONE);
}

/* --- who uses a policy --- */

struct users_walk {
	const struct iam_list_entities_for_policy_request *in;
	struct iam_list_entities_for_policy_response *out;
};

static int add_using(struct call *c, struct str id, const struct users_walk *w)
{
	struct iam_list_entities_for_policy_response *out = w->out;
	struct iam_rec_entity e;
	enum iam_kind kind;
	int r = iam_get_id(c->txn, c->arena, c->account, id, &kind, &e);

	if (r < 0)
		return r;
	if (w->in->path_prefix.p && !str_starts(e.path, w->in->path_prefix))
		return 0;
	if (kind == IAM_USER)
		out->policy_users.v[out->policy_users.n++] = (struct iam_policy_user){ e.name, e.id };
	else if (kind == IAM_GROUP)
		out->policy_groups.v[out->policy_groups.n++] = (struct iam_policy_group){ e.name, e.id };
	else
		out->policy_roles.v[out->policy_roles.n++] = (struct iam_policy_role){ e.name, e.id };
	return 1;
}

static bool kind_wanted(struct str filter, char letter)
{
	return !filter.p || filter.p[0] == letter || str_is(filter, "LocalManagedPolicy") || str_is(filter, "AWSManagedPolicy");
}

int iam_list_entities_for_policy(struct call *c, const struct iam_list_entities_for_policy_request *in,
				 struct iam_list_entities_for_policy_response *out)
{
	const char *table = str_is(in->policy_usage_filter, "PermissionsBoundary") ? "iam.bounded" : "iam.attached";
	struct users_walk w = { in, out };
	struct iam_policy_ref policy;
	struct iam_pages p = { 0 };
	size_t max = iam_page_size(in->max_items);
	struct str rest, value, letter, id;
	struct keybuf k;
	int r = iam_policy_load(c, in->policy_arn, &policy);

	if (r < 0)
		return r;
	out->policy_users.v = arena_array(c->arena, struct iam_policy_user, max);
	out->policy_groups.v = arena_array(c->arena, struct iam_policy_group, max);
	out->policy_roles.v = arena_array(c->arena, struct iam_policy_role, max);
	iam_key_of(&k, c->account, table, policy.arn, STR_NONE);
	r = iam_pages_open(&p, c, &k, IAM_PAGE(in, out));
	while (r >= 0 && (r = iam_pages_next(&p, &rest, &value)) > 0) {
		if (key_take_str(&rest, c->arena, &letter) < 0 || key_take_str(&rest, c->arena, &id) < 0) {
			r = -EBADMSG;
			break;
		}
		if (!kind_wanted(in->entity_filter, letter.p[0]))
			continue;
		r = add_using(c, id, &w);
		if (r < 0)
			break;
		if (r > 0)
			iam_pages_take(&p);
	}
	return iam_pages_close(&p, r);
}
