/* SPDX-License-Identifier: Apache-2.0 */
/* profiles.c - instance profiles: what hands a role to instances. One holds at most one role. */
#include "svc/iam/ops.h"
#include <errno.h>

int iam_create_instance_profile(struct call *c, const struct iam_create_instance_profile_request *in,
				struct iam_create_instance_profile_response *out)
{
	struct iam_rec_entity e;
	int r = iam_new(c, IAM_PROFILE, in->instance_profile_name, in->path, &e);

	if (r < 0)
		return r;
	r = iam_tags_check(c, &in->tags, &e.tags);
	if (r < 0)
		return r;
	out->instance_profile = arena_new(c->arena, struct iam_instance_profile);
	r = iam_profile_view(c, &e, true, out->instance_profile);
	return r < 0 ? r : iam_insert(c, IAM_PROFILE, &e);
}

int iam_get_instance_profile(struct call *c, const struct iam_get_instance_profile_request *in,
			     struct iam_get_instance_profile_response *out)
{
	struct iam_rec_entity e;
	int r = iam_load(c, IAM_PROFILE, in->instance_profile_name, &e);

	if (r < 0)
		return r;
	out->instance_profile = arena_new(c->arena, struct iam_instance_profile);
	return iam_profile_view(c, &e, true, out->instance_profile);
}

int iam_list_instance_profiles(struct call *c, const struct iam_list_instance_profiles_request *in,
			       struct iam_list_instance_profiles_response *out)
{
	out->instance_profiles.v = arena_array(c->arena, struct iam_instance_profile, iam_page_size(in->max_items));
	return iam_list_entities(c, "iam.profile", in->path_prefix, IAM_PAGE(in, out), iam_add_profile_view, &out->instance_profiles);
}

int iam_list_instance_profiles_for_role(struct call *c, const struct iam_list_instance_profiles_for_role_request *in,
					struct iam_list_instance_profiles_for_role_response *out)
{
	struct iam_rec_entity role;
	int r = iam_load(c, IAM_ROLE, in->role_name, &role);

	if (r < 0)
		return r;
	out->instance_profiles.v = arena_array(c->arena, struct iam_instance_profile, iam_page_size(in->max_items));
	return iam_list_linked(c, "iam.inprofile", role.id, IAM_PAGE(in, out), iam_add_profile_view, &out->instance_profiles);
}

static int pair_load(struct call *c, struct str profile_name, struct str role_name, struct iam_rec_entity *profile,
		     struct iam_rec_entity *role)
{
	int r = iam_load(c, IAM_PROFILE, profile_name, profile);

	return r < 0 ? r : iam_load(c, IAM_ROLE, role_name, role);
}

int iam_add_role_to_instance_profile(struct call *c, const struct iam_add_role_to_instance_profile_request *in,
				     struct iam_add_role_to_instance_profile_response *out)
{
	struct iam_rec_entity profile, role;
	struct keybuf k;
	int r = pair_load(c, in->instance_profile_name, in->role_name, &profile, &role);

	if (r < 0)
		return r;
	r = iam_read_only_role(c, &role);
	if (r < 0)
		return r;
	if (profile.role_id.p)
		return call_fail(c, &iam_err_limit_exceeded, "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1");
	profile.role_id = role.id;
	iam_key_of(&k, c->account, "iam.inprofile", role.id, profile.id);
	r = store_put(c->txn, key_view(&k), S("p"));
	return r < 0 ? r : iam_save(c, IAM_PROFILE, &profile);
}

int iam_remove_role_from_instance_profile(struct call *c, const struct iam_remove_role_from_instance_profile_request *in,
					  struct iam_remove_role_from_instance_profile_response *out)
{
	struct iam_rec_entity profile, role;
	struct keybuf k;
	int r = pair_load(c, in->instance_profile_name, in->role_name, &profile, &role);

	if (r < 0)
		return r;
	if (!str_eq(profile.role_id, role.id))
		return iam_no_entity(c, "The role with name %.*s cannot be found.", STR(in->role_name));
	profile.role_id = STR_NONE;
	iam_key_of(&k, c->account, "iam.inprofile", role.id, profile.id);
	r = store_del(c->txn, key_view(&k));
	return r < 0 ? r : iam_save(c, IAM_PROFILE, &profile);
}

int iam_delete_instance_profile(struct call *c, const struct iam_delete_instance_profile_request *in,
				struct iam_delete_instance_profile_response *out)
{
	struct iam_rec_entity e;
	int r = iam_load(c, IAM_PROFILE, in->instance_profile_name, &e);

	if (r < 0)
		return r;
	if (e.role_id.p)
		return call_fail(c, &iam_err_delete_conflict, "Cannot delete entity, must remove roles from instance profile first.");
	return iam_remove(c, IAM_PROFILE, &e);
}
