/* SPDX-License-Identifier: Apache-2.0 */
/* views.c - entities as AWS's answers show them. Lists leave out what only Get shows (tags, boundary, last use). */
#include "svc/iam/iam_int.h"
#include <errno.h>

struct iam_tag_list iam_tags_view(struct call *c, const struct str_map *tags)
{
	struct iam_tag_list l = { arena_array(c->arena, struct iam_tag, tags->n + 1), tags->n };

	for (size_t i = 0; i < tags->n; i++)
		l.v[i] = (struct iam_tag){ tags->v[i].key, tags->v[i].value };
	return l;
}

struct str_map iam_tags_in(struct call *c, const struct iam_tag_list *tags)
{
	struct str_map m = { arena_array(c->arena, struct str_pair, tags->n + 1), tags->n };

	for (size_t i = 0; i < tags->n; i++)
		m.v[i] = (struct str_pair){ tags->v[i].key, tags->v[i].value };
	return m;
}

/* iam_tags_check: tags of a new entity, or to add. Refuses duplicates and the prefix that belongs to AWS. */
int iam_tags_check(struct call *c, const struct iam_tag_list *tags, struct str_map *ret)
{
	*ret = iam_tags_in(c, tags);
	if (iam_tags_duplicate(ret))
		return call_fail(c, &iam_err_invalid_input, "Duplicate tag keys found. Please note that Tag keys are case insensitive.");
	for (size_t i = 0; i < ret->n; i++) {
		struct str key = ret->v[i].key;

		if (key.n >= 4 && str_eq_ci(str_of(key.p, 4), S("aws:")))
			return call_fail(c, &iam_err_invalid_input,
					 "System tags cannot be added/updated/removed: aws: prefixed tag key names are not allowed for "
					 "external use.");
	}
	return 0;
}

struct iam_attached_permissions_boundary *iam_boundary_view(struct call *c, struct str arn)
{
	struct iam_attached_permissions_boundary *b;

	if (!arn.p)
		return NULL;
	b = arena_new(c->arena, struct iam_attached_permissions_boundary);
	b->permissions_boundary_type = S("PermissionsBoundaryPolicy");
	b->permissions_boundary_arn = arn;
	return b;
}

void iam_user_view(struct call *c, const struct iam_rec_entity *e, bool whole, struct iam_user *ret)
{
	*ret = (struct iam_user){ .path = e->path, .user_name = e->name, .user_id = e->id, .arn = e->arn, .create_date = e->created };
	if (whole) {
		ret->permissions_boundary = iam_boundary_view(c, e->boundary);
		if (e->tags.n)
			ret->tags = iam_tags_view(c, &e->tags);
	}
}

void iam_group_view(struct call *c, const struct iam_rec_entity *e, struct iam_group *ret)
{
	*ret = (struct iam_group){ .path = e->path, .group_name = e->name, .group_id = e->id, .arn = e->arn, .create_date = e->created };
}

/* iam_used_get: last use of a key or role, from memory when it is newer than what is stored. */
int iam_used_get(struct call *c, struct str id, struct iam_rec_used *ret)
{
	struct keybuf k;

	if (iam_used_peek(c->arena, id, ret))
		return 0;
	iam_key_of(&k, c->account, "iam.used", id, STR_NONE);
	return record_get(c->txn, &iam_records, IAM_REC_USED, c->arena, &k, ret);
}

void iam_role_view(struct call *c, const struct iam_rec_entity *e, bool whole, struct iam_role *ret)
{
	*ret = (struct iam_role){
		.path = e->path,
		.role_name = e->name,
		.role_id = e->id,
		.arn = e->arn,
		.create_date = e->created,
		.assume_role_policy_document = iam_document_encode(c->arena, iam_trust_document(c->txn, c->arena, e)),
		.description = e->description,
		.max_session_duration = e->max_session_s,
	};
	if (whole) {
		struct iam_rec_used used;

		ret->permissions_boundary = iam_boundary_view(c, e->boundary);
		if (e->tags.n)
			ret->tags = iam_tags_view(c, &e->tags);
		ret->role_last_used = arena_new(c->arena, struct iam_role_last_used);
		if (iam_used_get(c, e->id, &used) == 0)
			*ret->role_last_used = (struct iam_role_last_used){ used.at, used.region };
	}
}

int iam_profile_view(struct call *c, const struct iam_rec_entity *e, bool whole, struct iam_instance_profile *ret)
{
	struct iam_rec_entity role;
	enum iam_kind kind;
	int r;

	*ret = (struct iam_instance_profile){
		.path = e->path, .instance_profile_name = e->name, .instance_profile_id = e->id, .arn = e->arn, .create_date = e->created
	};
	if (whole && e->tags.n)
		ret->tags = iam_tags_view(c, &e->tags);
	ret->roles.v = arena_array(c->arena, struct iam_role, 1);
	if (!e->role_id.p)
		return 0;
	r = iam_get_id(c->txn, c->arena, c->account, e->role_id, &kind, &role);
	if (r < 0)
		return r;
	ret->roles.n = 1;
	iam_role_view(c, &role, false, &ret->roles.v[0]);
	return 0;
}
