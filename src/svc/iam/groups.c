/* SPDX-License-Identifier: Apache-2.0 */
/* groups.c - groups and who is in them. */
#include "svc/iam/ops.h"
#include <errno.h>

int iam_create_group(struct call *c, const struct iam_create_group_request *in, struct iam_create_group_response *out)
{
	struct iam_rec_entity e;
	int r = iam_new(c, IAM_GROUP, in->group_name, in->path, &e);

	if (r < 0)
		return r;
	out->group = arena_new(c->arena, struct iam_group);
	iam_group_view(c, &e, out->group);
	return iam_insert(c, IAM_GROUP, &e);
}

static int add_group(struct call *c, const struct iam_rec_entity *e, void *arg)
{
	struct iam_group_list *l = arg;

	iam_group_view(c, e, &l->v[l->n++]);
	return 0;
}

int iam_list_groups(struct call *c, const struct iam_list_groups_request *in, struct iam_list_groups_response *out)
{
	out->groups.v = arena_array(c->arena, struct iam_group, iam_page_size(in->max_items));
	return iam_list_entities(c, "iam.group", in->path_prefix, IAM_PAGE(in, out), add_group, &out->groups);
}

int iam_get_group(struct call *c, const struct iam_get_group_request *in, struct iam_get_group_response *out)
{
	struct iam_rec_entity e;
	int r = iam_load(c, IAM_GROUP, in->group_name, &e);

	if (r < 0)
		return r;
	out->group = arena_new(c->arena, struct iam_group);
	iam_group_view(c, &e, out->group);
	out->users.v = arena_array(c->arena, struct iam_user, iam_page_size(in->max_items));
	return iam_list_linked(c, "iam.member", e.id, IAM_PAGE(in, out), iam_add_user_view, &out->users);
}

int iam_list_groups_for_user(struct call *c, const struct iam_list_groups_for_user_request *in,
			     struct iam_list_groups_for_user_response *out)
{
	struct iam_rec_entity e;
	int r = iam_load(c, IAM_USER, in->user_name, &e);

	if (r < 0)
		return r;
	out->groups.v = arena_array(c->arena, struct iam_group, iam_page_size(in->max_items));
	return iam_list_linked(c, "iam.memberof", e.id, IAM_PAGE(in, out), add_group, &out->groups);
}

int iam_update_group(struct call *c, const struct iam_update_group_request *in, struct iam_update_group_response *out)
{
	struct iam_rec_entity e;
	struct str arn;
	int r = iam_load(c, IAM_GROUP, in->group_name, &e);

	if (r < 0)
		return r;
	arn = iam_arn(c, IAM_GROUP, in->new_path.p ? in->new_path : e.path, in->new_group_name.p ? in->new_group_name : e.name);
	r = call_authorize(c, "iam:UpdateGroup", arn, NULL, 0);
	return r < 0 ? r : iam_rename(c, IAM_GROUP, &e, in->new_group_name, in->new_path);
}

int iam_delete_group(struct call *c, const struct iam_delete_group_request *in, struct iam_delete_group_response *out)
{
	struct iam_rec_entity e;
	int r = iam_load(c, IAM_GROUP, in->group_name, &e);

	if (r < 0)
		return r;
	r = iam_any(c, "iam.member", e.id);
	if (r < 0)
		return r;
	if (r > 0)
		return call_fail(c, &iam_err_delete_conflict, "Cannot delete entity, must remove users from group first.");
	r = iam_refuse_policies(c, &e);
	return r < 0 ? r : iam_remove(c, IAM_GROUP, &e);
}

static int pair_load(struct call *c, struct str group_name, struct str user_name, struct iam_rec_entity *group, struct iam_rec_entity *user)
{
	int r = iam_load(c, IAM_GROUP, group_name, group);

	return r < 0 ? r : iam_load(c, IAM_USER, user_name, user);
}

int iam_add_user_to_group(struct call *c, const struct iam_add_user_to_group_request *in, struct iam_add_user_to_group_response *out)
{
	struct iam_rec_entity group, user;
	struct keybuf k;
	struct str v;
	int r = pair_load(c, in->group_name, in->user_name, &group, &user);

	if (r < 0)
		return r;
	iam_key_of(&k, c->account, "iam.memberof", user.id, group.id);
	r = store_get(c->txn, key_view(&k), &v);
	if (r != -ENOENT)
		return r;
	if (user.members.v >= IAM_GROUPS_PER_USER_MAX)
		return call_fail(c, &iam_err_limit_exceeded, "Cannot exceed quota for GroupsPerUser: %d", IAM_GROUPS_PER_USER_MAX);
	r = store_put(c->txn, key_view(&k), S("m"));
	if (r < 0)
		return r;
	iam_key_of(&k, c->account, "iam.member", group.id, user.id);
	r = store_put(c->txn, key_view(&k), S("m"));
	if (r < 0)
		return r;
	user.members = OPT_INT(user.members.v + 1);
	return iam_save(c, IAM_USER, &user);
}

int iam_remove_user_from_group(struct call *c, const struct iam_remove_user_from_group_request *in,
			       struct iam_remove_user_from_group_response *out)
{
	struct iam_rec_entity group, user;
	struct keybuf k;
	int r = pair_load(c, in->group_name, in->user_name, &group, &user);

	if (r < 0)
		return r;
	iam_key_of(&k, c->account, "iam.memberof", user.id, group.id);
	r = store_del(c->txn, key_view(&k));
	if (r == -ENOENT)
		return iam_no_entity(c, "User %.*s not in group %.*s", STR(user.name), STR(group.name));
	if (r < 0)
		return r;
	iam_key_of(&k, c->account, "iam.member", group.id, user.id);
	r = store_del(c->txn, key_view(&k));
	if (r < 0)
		return r;
	user.members = OPT_INT(user.members.v - 1);
	return iam_save(c, IAM_USER, &user);
}
