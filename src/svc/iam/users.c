/* SPDX-License-Identifier: Apache-2.0 */
/* users.c - users, and their access keys. */
#include "svc/iam/ops.h"
#include <errno.h>

int iam_create_user(struct call *c, const struct iam_create_user_request *in, struct iam_create_user_response *out)
{
	struct iam_rec_entity e;
	int r = iam_new(c, IAM_USER, in->user_name, in->path, &e);

	if (r < 0)
		return r;
	r = iam_tags_check(c, &in->tags, &e.tags);
	if (r < 0)
		return r;
	if (in->permissions_boundary.p) {
		r = iam_boundary_set(c, IAM_USER, &e, in->permissions_boundary);
		if (r < 0)
			return r;
	}
	out->user = arena_new(c->arena, struct iam_user);
	iam_user_view(c, &e, true, out->user);
	return iam_insert(c, IAM_USER, &e);
}

int iam_get_user(struct call *c, const struct iam_get_user_request *in, struct iam_get_user_response *out)
{
	struct iam_rec_entity e;
	int r = iam_self(c, in->user_name, &e);

	if (r < 0)
		return r;
	out->user = arena_new(c->arena, struct iam_user);
	iam_user_view(c, &e, true, out->user);
	return 0;
}

int iam_list_users(struct call *c, const struct iam_list_users_request *in, struct iam_list_users_response *out)
{
	out->users.v = arena_array(c->arena, struct iam_user, iam_page_size(in->max_items));
	return iam_list_entities(c, "iam.user", in->path_prefix, IAM_PAGE(in, out), iam_add_user_view, &out->users);
}

int iam_update_user(struct call *c, const struct iam_update_user_request *in, struct iam_update_user_response *out)
{
	struct iam_rec_entity e;
	int r = iam_load(c, IAM_USER, in->user_name, &e);

	if (r < 0)
		return r;
	if (in->new_user_name.p || in->new_path.p) {
		/* The user under its new name must be the caller's to touch as well. */
		struct str arn = iam_arn(c, IAM_USER, in->new_path.p ? in->new_path : e.path,
					 in->new_user_name.p ? in->new_user_name : e.name);

		r = call_authorize(c, "iam:UpdateUser", arn, NULL, 0);
		if (r < 0)
			return r;
	}
	return iam_rename(c, IAM_USER, &e, in->new_user_name, in->new_path);
}

static int refuse_held(struct call *c, int held, const char *sentence)
{
	if (held <= 0)
		return held;
	return call_fail(c, &iam_err_delete_conflict, "%s", sentence);
}

/* iam_refuse_policies: an entity that still has policies is not deleted. */
int iam_refuse_policies(struct call *c, const struct iam_rec_entity *e)
{
	int r = refuse_held(c, iam_any(c, "iam.attach", e->id), "Cannot delete entity, must detach all policies first.");

	return r < 0 ? r : refuse_held(c, iam_any(c, "iam.inline", e->id), "Cannot delete entity, must delete policies first.");
}

int iam_delete_user(struct call *c, const struct iam_delete_user_request *in, struct iam_delete_user_response *out)
{
	struct iam_rec_entity e;
	int r = iam_load(c, IAM_USER, in->user_name, &e);

	if (r < 0)
		return r;
	r = iam_refuse_policies(c, &e);
	if (r < 0)
		return r;
	r = refuse_held(c, iam_any(c, "iam.memberof", e.id), "Cannot delete entity, must remove users from group first.");
	if (r < 0)
		return r;
	r = refuse_held(c, iam_any(c, "iam.userkey", e.id), "Cannot delete entity, must delete access keys first.");
	if (r < 0)
		return r;
	r = refuse_held(c, iam_any(c, "iam.login", e.id), "Cannot delete entity, must delete login profile first.");
	if (r < 0)
		return r;
	r = refuse_held(c, iam_any(c, "iam.usermfa", e.id), "Cannot delete entity, must delete MFA device first.");
	if (r < 0)
		return r;
	if (e.boundary.p) {
		r = iam_boundary_set(c, IAM_USER, &e, STR_NONE);
		if (r < 0)
			return r;
	}
	return iam_remove(c, IAM_USER, &e);
}

/* --- access keys --- */

static int key_load(struct call *c, const struct iam_rec_entity *user, struct str id, struct iam_rec_access_key *ret)
{
	struct keybuf k;
	int r;

	iam_key_of(&k, S(""), "iam.key", id, STR_NONE);
	r = record_get(c->txn, &iam_records, IAM_REC_ACCESS_KEY, c->arena, &k, ret);
	if (r == -ENOENT || (r == 0 && (!str_eq(ret->account, c->account) || !str_eq(ret->user_id, user->id))))
		return iam_no_entity(c, "The Access Key with id %.*s cannot be found", STR(id));
	return r;
}

static int key_save(struct call *c, const struct iam_rec_access_key *key)
{
	struct keybuf k;
	int r;

	iam_key_of(&k, S(""), "iam.key", key->id, STR_NONE);
	r = record_put(c->txn, &iam_records, IAM_REC_ACCESS_KEY, &k, key);
	if (r < 0)
		return r;
	iam_key_of(&k, c->account, "iam.userkey", key->user_id, key->id);
	return store_put(c->txn, key_view(&k), S("k"));
}

static int keys_count(struct call *c, struct str user_id)
{
	struct store_range range = { 0 };
	struct keybuf k;
	struct str key, value;
	int n = 0, r;

	iam_key_of(&k, c->account, "iam.userkey", user_id, STR_NONE);
	r = store_range_open(&range, c->txn, key_view(&k), STR_NONE, false);
	while (r >= 0 && (r = store_range_next(&range, &key, &value)) > 0)
		n++;
	store_range_close(&range);
	return r < 0 ? r : n;
}

int iam_create_access_key(struct call *c, const struct iam_create_access_key_request *in, struct iam_create_access_key_response *out)
{
	struct iam_rec_access_key key = { .account = c->account,
					  .active = OPT_BOOL(true),
					  .created = OPT_TIME(c->now_ms - c->now_ms % 1000) };
	struct iam_rec_entity user;
	struct str secret;
	int r = iam_self(c, in->user_name, &user);

	if (r < 0)
		return r;
	r = keys_count(c, user.id);
	if (r < 0)
		return r;
	if (r >= IAM_KEYS_PER_USER_MAX)
		return call_fail(c, &iam_err_limit_exceeded, "Cannot exceed quota for AccessKeysPerUser: %d", IAM_KEYS_PER_USER_MAX);
	key.id = iam_key_id(c->arena, "AKIA", c->account);
	key.user_id = user.id;
	secret = iam_secret(c->arena);
	iam_secret_seal(c->cloud, c->arena, &key, secret);
	out->access_key = arena_new(c->arena, struct iam_access_key);
	*out->access_key = (struct iam_access_key){ .user_name = user.name,
						    .access_key_id = key.id,
						    .status = S("Active"),
						    .secret_access_key = secret,
						    .create_date = key.created };
	return key_save(c, &key);
}

int iam_list_access_keys(struct call *c, const struct iam_list_access_keys_request *in, struct iam_list_access_keys_response *out)
{
	struct iam_rec_access_key key;
	struct iam_rec_entity user;
	struct iam_pages p = { 0 };
	struct keybuf k;
	struct str rest, value;
	int r = iam_self(c, in->user_name, &user);

	if (r < 0)
		return r;
	out->access_key_metadata.v = arena_array(c->arena, struct iam_access_key_metadata, iam_page_size(in->max_items));
	iam_key_of(&k, c->account, "iam.userkey", user.id, STR_NONE);
	r = iam_pages_open(&p, c, &k, IAM_PAGE(in, out));
	while (r >= 0 && (r = iam_pages_next(&p, &rest, &value)) > 0) {
		r = key_load(c, &user, iam_rest_str(c, rest), &key);
		if (r < 0)
			break;
		out->access_key_metadata.v[out->access_key_metadata.n++] =
			(struct iam_access_key_metadata){ .user_name = user.name,
							  .access_key_id = key.id,
							  .status = key.active.v ? S("Active") : S("Inactive"),
							  .create_date = key.created };
		iam_pages_take(&p);
	}
	return iam_pages_close(&p, r);
}

int iam_update_access_key(struct call *c, const struct iam_update_access_key_request *in, struct iam_update_access_key_response *out)
{
	struct iam_rec_access_key key;
	struct iam_rec_entity user;
	int r = iam_self(c, in->user_name, &user);

	if (r < 0)
		return r;
	r = key_load(c, &user, in->access_key_id, &key);
	if (r < 0)
		return r;
	if (str_is(in->status, "Expired"))
		return call_fail(c, &iam_err_invalid_input, "Invalid status: an access key is Active or Inactive.");
	key.active = OPT_BOOL(str_is(in->status, "Active"));
	return key_save(c, &key);
}

int iam_delete_access_key(struct call *c, const struct iam_delete_access_key_request *in, struct iam_delete_access_key_response *out)
{
	struct iam_rec_access_key key;
	struct iam_rec_entity user;
	struct keybuf k;
	int r = iam_self(c, in->user_name, &user);

	if (r < 0)
		return r;
	r = key_load(c, &user, in->access_key_id, &key);
	if (r < 0)
		return r;
	iam_key_of(&k, S(""), "iam.key", key.id, STR_NONE);
	r = store_del(c->txn, key_view(&k));
	if (r < 0)
		return r;
	iam_key_of(&k, c->account, "iam.used", key.id, STR_NONE);
	r = store_del(c->txn, key_view(&k));
	if (r < 0 && r != -ENOENT)
		return r;
	iam_key_of(&k, c->account, "iam.userkey", key.user_id, key.id);
	return store_del(c->txn, key_view(&k));
}

int iam_get_access_key_last_used(struct call *c, const struct iam_get_access_key_last_used_request *in,
				 struct iam_get_access_key_last_used_response *out)
{
	struct iam_rec_access_key key;
	struct iam_rec_entity user = { 0 };
	struct iam_rec_used used;
	enum iam_kind kind;
	struct keybuf k;
	int r;

	iam_key_of(&k, S(""), "iam.key", in->access_key_id, STR_NONE);
	r = record_get(c->txn, &iam_records, IAM_REC_ACCESS_KEY, c->arena, &k, &key);
	if (r == -ENOENT || (r == 0 && !str_eq(key.account, c->account)))
		return iam_no_entity(c, "The Access Key with id %.*s cannot be found", STR(in->access_key_id));
	if (r < 0)
		return r;
	r = iam_get_id(c->txn, c->arena, c->account, key.user_id, &kind, &user);
	if (r < 0 && r != -ENOENT)
		return r;
	out->user_name = user.name;
	out->access_key_last_used = arena_new(c->arena, struct iam_access_key_last_used);
	*out->access_key_last_used = (struct iam_access_key_last_used){ .service_name = S("N/A"), .region = S("N/A") };
	if (iam_used_get(c, key.id, &used) == 0)
		*out->access_key_last_used = (struct iam_access_key_last_used){ used.at, used.service, used.region };
	return 0;
}
