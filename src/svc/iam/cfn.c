/* SPDX-License-Identifier: Apache-2.0 */
/* cfn.c - AWS::IAM::Role, User and Group: entities that carry policies.
 *
 * A generated name is noted before the entity is made: it is nobody else's, so a run after a crash goes on with it. An
 * explicit name is noted after: if it is taken, it is somebody else's, and must not be deleted with the stack. */
#include "svc/iam/cfn_int.h"
#include "svc/iam/iam_int.h"
#include <errno.h>

static const char *const nouns[] = { "User", "Group", "Role" };
static const char *const name_members[] = { "UserName", "GroupName", "RoleName" };

bool iam_cfn_gone(struct str code)
{
	return str_is(code, "NoSuchEntity");
}

struct str iam_cfn_text(struct cfn_resource *r, const struct json *document)
{
	return !document ? STR_NONE : json_is(document, JSON_STRING) ? json_str(document) : json_text(r->arena, document);
}

struct json *iam_cfn_params(struct cfn_resource *r, const char *name, struct str value)
{
	struct json *p = json_new(r->arena, JSON_OBJECT);

	json_set_str(r->arena, p, name, value);
	return p;
}

void iam_cfn_copy(struct cfn_resource *r, struct json *to, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct json *v = json_getz(r->props, names[i]);

		if (v)
			json_set(r->arena, to, str_c(names[i]), v);
	}
}

struct str iam_cfn_get(const struct json *props, const char *name)
{
	return json_get_str(props, name);
}

bool iam_cfn_changed(const struct cfn_resource *r, const char *name)
{
	const struct json *a = json_getz(r->props, name), *b = json_getz(r->old_props, name);

	return (a == NULL) != (b == NULL) || (a && !json_equal(a, b));
}

static int policy_call(struct cfn_resource *r, const char *verb, enum iam_subject s, struct str name, const char *member, struct str value,
		       struct str document, struct str *ret_code)
{
	struct json *p = iam_cfn_params(r, name_members[s], name);

	json_set_str(r->arena, p, member, value);
	json_set_str(r->arena, p, "PolicyDocument", document);
	return cfn_call(r, "iam", str_printf(r->arena, "%s%sPolicy", verb, nouns[s]).p, p, NULL, ret_code);
}

int iam_cfn_attach(struct cfn_resource *r, enum iam_subject s, struct str name, struct str arn)
{
	return policy_call(r, "Attach", s, name, "PolicyArn", arn, STR_NONE, NULL);
}

int iam_cfn_detach(struct cfn_resource *r, enum iam_subject s, struct str name, struct str arn)
{
	struct str code = STR_NONE;
	int e = policy_call(r, "Detach", s, name, "PolicyArn", arn, STR_NONE, &code);

	return e < 0 && iam_cfn_gone(code) ? 0 : e;
}

int iam_cfn_put(struct cfn_resource *r, enum iam_subject s, struct str name, struct str policy, struct str document)
{
	return policy_call(r, "Put", s, name, "PolicyName", policy, document, NULL);
}

int iam_cfn_remove(struct cfn_resource *r, enum iam_subject s, struct str name, struct str policy)
{
	struct str code = STR_NONE;
	int e = policy_call(r, "Delete", s, name, "PolicyName", policy, STR_NONE, &code);

	return e < 0 && iam_cfn_gone(code) ? 0 : e;
}

bool iam_cfn_lists(const struct json *list, struct str s)
{
	for (size_t i = 0; json_is(list, JSON_ARRAY) && i < list->n; i++) {
		if (str_eq(json_str(&list->items[i]), s))
			return true;
	}
	return false;
}

/* --- lists of a property, made so: what is in want and not in have is added, the other way round taken away --- */

static int sync_list(struct cfn_resource *r, const char *property, enum iam_subject s, struct str name,
		     int (*add)(struct cfn_resource *, enum iam_subject, struct str, struct str),
		     int (*drop)(struct cfn_resource *, enum iam_subject, struct str, struct str))
{
	const struct json *want = json_getz(r->props, property), *have = json_getz(r->old_props, property);
	int e;

	for (size_t i = 0; json_is(have, JSON_ARRAY) && i < have->n; i++) {
		if (iam_cfn_lists(want, json_str(&have->items[i])))
			continue;
		e = drop(r, s, name, json_str(&have->items[i]));
		if (e < 0)
			return e;
	}
	for (size_t i = 0; json_is(want, JSON_ARRAY) && i < want->n; i++) {
		if (iam_cfn_lists(have, json_str(&want->items[i])))
			continue;
		e = add(r, s, name, json_str(&want->items[i]));
		if (e < 0)
			return e;
	}
	return 0;
}

static const struct json *policy_named(const struct json *list, struct str name)
{
	for (size_t i = 0; json_is(list, JSON_ARRAY) && i < list->n; i++) {
		if (str_eq(iam_cfn_get(&list->items[i], "PolicyName"), name))
			return &list->items[i];
	}
	return NULL;
}

static int sync_inline(struct cfn_resource *r, enum iam_subject s, struct str name)
{
	const struct json *want = json_getz(r->props, "Policies"), *have = json_getz(r->old_props, "Policies");
	int e;

	for (size_t i = 0; json_is(have, JSON_ARRAY) && i < have->n; i++) {
		struct str policy = iam_cfn_get(&have->items[i], "PolicyName");

		if (policy_named(want, policy))
			continue;
		e = iam_cfn_remove(r, s, name, policy);
		if (e < 0)
			return e;
	}
	for (size_t i = 0; json_is(want, JSON_ARRAY) && i < want->n; i++) {
		const struct json *p = &want->items[i], *old = policy_named(have, iam_cfn_get(p, "PolicyName"));

		if (old && json_equal(json_getz(old, "PolicyDocument"), json_getz(p, "PolicyDocument")))
			continue;
		e = iam_cfn_put(r, s, name, iam_cfn_get(p, "PolicyName"), iam_cfn_text(r, json_getz(p, "PolicyDocument")));
		if (e < 0)
			return e;
	}
	return 0;
}

static int add_group(struct cfn_resource *r, enum iam_subject s, struct str user, struct str group)
{
	struct json *p = iam_cfn_params(r, "UserName", user);

	json_set_str(r->arena, p, "GroupName", group);
	return cfn_call(r, "iam", "AddUserToGroup", p, NULL, NULL);
}

static int drop_group(struct cfn_resource *r, enum iam_subject s, struct str user, struct str group)
{
	struct json *p = iam_cfn_params(r, "UserName", user);
	struct str code = STR_NONE;
	int e;

	json_set_str(r->arena, p, "GroupName", group);
	e = cfn_call(r, "iam", "RemoveUserFromGroup", p, NULL, &code);
	return e < 0 && iam_cfn_gone(code) ? 0 : e;
}

static int sync_policies(struct cfn_resource *r, enum iam_subject s, struct str name)
{
	int e = sync_list(r, "ManagedPolicyArns", s, name, iam_cfn_attach, iam_cfn_detach);

	if (e == 0)
		e = sync_inline(r, s, name);
	if (e == 0 && s == SUBJECT_USER)
		e = sync_list(r, "Groups", s, name, add_group, drop_group);
	return e;
}

struct json *iam_cfn_own_tags(struct cfn_resource *r)
{
	const struct json *all = cfn_tags(r);
	struct json *out = json_new(r->arena, JSON_ARRAY);

	for (size_t i = 0; i < all->n; i++) {
		if (!str_starts(iam_cfn_get(&all->items[i], "Key"), S("aws:")))
			json_push(r->arena, out, &all->items[i]);
	}
	return out;
}

int iam_cfn_sync_tags(struct cfn_resource *r, const char *noun, const char *member, struct str name)
{
	struct json *want = iam_cfn_own_tags(r), *p = iam_cfn_params(r, member, name), *out, *keys = json_new(r->arena, JSON_ARRAY);
	const struct json *have;
	int e = cfn_call(r, "iam", str_printf(r->arena, "List%sTags", noun).p, p, &out, NULL);

	if (e < 0)
		return e;
	have = json_getz(out, "Tags");
	for (size_t i = 0; json_is(have, JSON_ARRAY) && i < have->n; i++) {
		struct str key = iam_cfn_get(&have->items[i], "Key");
		bool kept = false;

		for (size_t k = 0; k < want->n && !kept; k++)
			kept = str_eq(iam_cfn_get(&want->items[k], "Key"), key);
		if (!kept)
			json_push(r->arena, keys, json_new_str(r->arena, key));
	}
	if (keys->n) {
		p = iam_cfn_params(r, member, name);
		json_set(r->arena, p, S("TagKeys"), keys);
		e = cfn_call(r, "iam", str_printf(r->arena, "Untag%s", noun).p, p, NULL, NULL);
	}
	if (e < 0 || want->n == 0)
		return e;
	p = iam_cfn_params(r, member, name);
	json_set(r->arena, p, S("Tags"), want);
	return cfn_call(r, "iam", str_printf(r->arena, "Tag%s", noun).p, p, NULL, NULL);
}

static int sync_tags(struct cfn_resource *r, enum iam_subject s, struct str name)
{
	return iam_cfn_sync_tags(r, nouns[s], name_members[s], name);
}

static int sync_boundary(struct cfn_resource *r, enum iam_subject s, struct str name)
{
	struct str arn = iam_cfn_get(r->props, "PermissionsBoundary");
	struct json *p = iam_cfn_params(r, name_members[s], name);

	if (!iam_cfn_changed(r, "PermissionsBoundary"))
		return 0;
	json_set_str(r->arena, p, "PermissionsBoundary", arn);
	return cfn_call(r, "iam", str_printf(r->arena, "%s%sPermissionsBoundary", arn.p ? "Put" : "Delete", nouns[s]).p, p, NULL, NULL);
}

/* --- create, read, delete: alike for the three --- */

static int read_subject(struct cfn_resource *r, enum iam_subject s, struct str name)
{
	struct json *out;
	const struct json *it;
	int e = cfn_call(r, "iam", str_printf(r->arena, "Get%s", nouns[s]).p, iam_cfn_params(r, name_members[s], name), &out, NULL);

	if (e < 0)
		return e;
	it = json_getz(out, nouns[s]);
	r->ret_attrs = iam_cfn_params(r, "Arn", iam_cfn_get(it, "Arn"));
	if (s == SUBJECT_ROLE)
		json_set_str(r->arena, r->ret_attrs, "RoleId", iam_cfn_get(it, "RoleId"));
	return 0;
}

static struct json *create_params(struct cfn_resource *r, enum iam_subject s, struct str name)
{
	static const char *const same[] = { "Path", "PermissionsBoundary", "Description", "MaxSessionDuration" };
	struct json *p = iam_cfn_params(r, name_members[s], name);

	iam_cfn_copy(r, p, same, ELEMENTS(same));
	if (s == SUBJECT_ROLE)
		json_set_str(r->arena, p, "AssumeRolePolicyDocument", iam_cfn_text(r, json_getz(r->props, "AssumeRolePolicyDocument")));
	if (s != SUBJECT_GROUP)
		json_set(r->arena, p, S("Tags"), iam_cfn_own_tags(r));
	return p;
}

static int make(struct cfn_resource *r, enum iam_subject s, struct str *ret_name)
{
	struct str name = iam_cfn_get(r->props, name_members[s]), code = STR_NONE;
	bool ours = !name.p;
	int e;

	*ret_name = name = ours ? cfn_name(r, s == SUBJECT_GROUP ? 128 : 64, false) : name;
	if (r->physical_id.p && !ours)
		return 0; /* an earlier run made it */
	if (ours && !r->physical_id.p) {
		e = cfn_note_physical(r, name);
		if (e < 0)
			return e;
	}
	e = cfn_call(r, "iam", str_printf(r->arena, "Create%s", nouns[s]).p, create_params(r, s, name), NULL, &code);
	if (e < 0)
		return ours && r->physical_id.p && str_is(code, "EntityAlreadyExists") ? 0 : e;
	return ours ? 0 : cfn_note_physical(r, name);
}

static int set_login(struct cfn_resource *r, struct str user)
{
	const struct json *want = json_getz(r->props, "LoginProfile"), *have = json_getz(r->old_props, "LoginProfile");
	struct json *p = iam_cfn_params(r, "UserName", user);
	struct str code = STR_NONE;
	int e;

	if (!want && !have)
		return 0;
	if (!want) {
		e = cfn_call(r, "iam", "DeleteLoginProfile", p, NULL, &code);
		return e < 0 && iam_cfn_gone(code) ? 0 : e;
	}
	if (have && json_equal(want, have))
		return 0;
	json_set_str(r->arena, p, "Password", iam_cfn_get(want, "Password"));
	json_set_bool(r->arena, p, "PasswordResetRequired", json_to_bool(json_getz(want, "PasswordResetRequired"), false));
	e = cfn_call(r, "iam", have ? "UpdateLoginProfile" : "CreateLoginProfile", p, NULL, &code);
	return e < 0 && str_is(code, "EntityAlreadyExists") ? cfn_call(r, "iam", "UpdateLoginProfile", p, NULL, NULL) : e;
}

static int create(struct cfn_resource *r, enum iam_subject s)
{
	struct str name;
	int e = make(r, s, &name);

	if (e == 0)
		e = sync_policies(r, s, name);
	if (e == 0 && s == SUBJECT_USER)
		e = set_login(r, name);
	if (e < 0)
		return e;
	r->ret_physical_id = name;
	return read_subject(r, s, name);
}

static int delete (struct cfn_resource *r, enum iam_subject s)
{
	struct str name = r->physical_id, code = STR_NONE;
	int e;

	if (!name.p)
		return 0;
	r->props = NULL; /* nothing is wanted any more */
	e = sync_policies(r, s, name);
	if (e == 0 && s == SUBJECT_USER)
		e = set_login(r, name);
	if (e < 0)
		return e;
	e = cfn_call(r, "iam", str_printf(r->arena, "Delete%s", nouns[s]).p, iam_cfn_params(r, name_members[s], name), NULL, &code);
	return e < 0 && iam_cfn_gone(code) ? 0 : e;
}

/* --- AWS::IAM::Role --- */

static int role_create(struct cfn_resource *r)
{
	return create(r, SUBJECT_ROLE);
}

static int role_update(struct cfn_resource *r)
{
	struct str name = r->physical_id;
	struct json *p;
	int e = 0;

	if (iam_cfn_changed(r, "AssumeRolePolicyDocument")) {
		p = iam_cfn_params(r, "RoleName", name);
		json_set_str(r->arena, p, "PolicyDocument", iam_cfn_text(r, json_getz(r->props, "AssumeRolePolicyDocument")));
		e = cfn_call(r, "iam", "UpdateAssumeRolePolicy", p, NULL, NULL);
	}
	if (e == 0 && (iam_cfn_changed(r, "Description") || iam_cfn_changed(r, "MaxSessionDuration"))) {
		int64_t seconds = 3600;

		p = iam_cfn_params(r, "RoleName", name);
		json_set_str(r->arena, p, "Description",
			     iam_cfn_get(r->props, "Description").p ? iam_cfn_get(r->props, "Description") : S(""));
		(void)json_to_i64(json_getz(r->props, "MaxSessionDuration"), &seconds);
		json_set_int(r->arena, p, "MaxSessionDuration", seconds);
		e = cfn_call(r, "iam", "UpdateRole", p, NULL, NULL);
	}
	if (e == 0)
		e = sync_boundary(r, SUBJECT_ROLE, name);
	if (e == 0)
		e = sync_policies(r, SUBJECT_ROLE, name);
	if (e == 0)
		e = sync_tags(r, SUBJECT_ROLE, name);
	return e < 0 ? e : read_subject(r, SUBJECT_ROLE, name);
}

static int role_delete(struct cfn_resource *r)
{
	return delete (r, SUBJECT_ROLE);
}

static int role_read(struct cfn_resource *r)
{
	return read_subject(r, SUBJECT_ROLE, r->physical_id);
}

static const struct cfn_property role_properties[] = {
	{ "AssumeRolePolicyDocument", CFN_UPDATE, true },
	{ "Description", CFN_UPDATE },
	{ "ManagedPolicyArns", CFN_UPDATE },
	{ "MaxSessionDuration", CFN_UPDATE },
	{ "Path", CFN_REPLACE },
	{ "PermissionsBoundary", CFN_UPDATE },
	{ "Policies", CFN_UPDATE },
	{ "RoleName", CFN_REPLACE },
	{ "Tags", CFN_UPDATE },
	{ NULL },
};
static const char *const role_attributes[] = { "Arn", "RoleId", NULL };
static const struct cfn_type role_type = {
	.name = "AWS::IAM::Role",
	.properties = role_properties,
	.attributes = role_attributes,
	.name_property = "RoleName",
	.iam = true,
	.create = role_create,
	.update = role_update,
	.delete = role_delete,
	.read = role_read,
	.find = role_read,
	.reader = &iam_role_reader,
};

/* --- AWS::IAM::User --- */

static int user_create(struct cfn_resource *r)
{
	return create(r, SUBJECT_USER);
}

static int new_path(struct cfn_resource *r, enum iam_subject s)
{
	struct json *p = iam_cfn_params(r, name_members[s], r->physical_id);

	if (!iam_cfn_changed(r, "Path"))
		return 0;
	json_set_str(r->arena, p, "NewPath", iam_cfn_get(r->props, "Path").p ? iam_cfn_get(r->props, "Path") : S("/"));
	return cfn_call(r, "iam", str_printf(r->arena, "Update%s", nouns[s]).p, p, NULL, NULL);
}

static int user_update(struct cfn_resource *r)
{
	struct str name = r->physical_id;
	int e = new_path(r, SUBJECT_USER);

	if (e == 0)
		e = sync_boundary(r, SUBJECT_USER, name);
	if (e == 0)
		e = sync_policies(r, SUBJECT_USER, name);
	if (e == 0)
		e = set_login(r, name);
	if (e == 0)
		e = sync_tags(r, SUBJECT_USER, name);
	return e < 0 ? e : read_subject(r, SUBJECT_USER, name);
}

static int user_delete(struct cfn_resource *r)
{
	return delete (r, SUBJECT_USER);
}

static int user_find(struct cfn_resource *r)
{
	return read_subject(r, SUBJECT_USER, r->physical_id);
}

static const struct cfn_property user_properties[] = {
	{ "Groups", CFN_UPDATE }, { "LoginProfile", CFN_UPDATE },        { "ManagedPolicyArns", CFN_UPDATE },
	{ "Path", CFN_UPDATE },   { "PermissionsBoundary", CFN_UPDATE }, { "Policies", CFN_UPDATE },
	{ "Tags", CFN_UPDATE },   { "UserName", CFN_REPLACE },           { NULL },
};
static const char *const arn_only[] = { "Arn", NULL };
static const struct cfn_type user_type = {
	.name = "AWS::IAM::User",
	.properties = user_properties,
	.attributes = arn_only,
	.name_property = "UserName",
	.iam = true,
	.create = user_create,
	.update = user_update,
	.delete = user_delete,
	.find = user_find,
	.reader = &iam_user_reader,
};

/* --- AWS::IAM::Group --- */

static int group_create(struct cfn_resource *r)
{
	return create(r, SUBJECT_GROUP);
}

static int group_update(struct cfn_resource *r)
{
	int e = new_path(r, SUBJECT_GROUP);

	if (e == 0)
		e = sync_policies(r, SUBJECT_GROUP, r->physical_id);
	return e < 0 ? e : read_subject(r, SUBJECT_GROUP, r->physical_id);
}

static int group_delete(struct cfn_resource *r)
{
	return delete (r, SUBJECT_GROUP);
}

static int group_find(struct cfn_resource *r)
{
	return read_subject(r, SUBJECT_GROUP, r->physical_id);
}

static const struct cfn_property group_properties[] = {
	{ "GroupName", CFN_REPLACE }, { "ManagedPolicyArns", CFN_UPDATE }, { "Path", CFN_UPDATE }, { "Policies", CFN_UPDATE }, { NULL },
};
static const struct cfn_type group_type = {
	.name = "AWS::IAM::Group",
	.properties = group_properties,
	.attributes = arn_only,
	.name_property = "GroupName",
	.iam = true,
	.create = group_create,
	.update = group_update,
	.delete = group_delete,
	.find = group_find,
	.reader = &iam_group_reader,
};

const struct cfn_type *const iam_cfn_types[] = {
	&role_type,
	&user_type,
	&group_type,
	&iam_cfn_policy,
	&iam_cfn_managed_policy,
	&iam_cfn_profile,
	&iam_cfn_access_key,
	&iam_cfn_addition,
	&iam_cfn_role_policy,
	&iam_cfn_user_policy,
	&iam_cfn_group_policy,
	&iam_cfn_linked_role,
	&iam_cfn_oidc,
	&iam_cfn_saml,
	&iam_cfn_mfa,
	&iam_cfn_certificate,
	NULL,
};
