/* SPDX-License-Identifier: Apache-2.0 */
/* cfn_policies.c - the other types of IAM: policies, instance profiles, access keys, memberships, service-linked roles. */
#include "svc/iam/cfn_int.h"
#include <errno.h>

static const char *const lists[] = { "Users", "Groups", "Roles" }; /* by enum iam_subject */

/* --- AWS::IAM::Policy: one inline policy put on several --- */

/* spread puts the policy on everyone the properties name, and takes it from those whom only the old ones name, or from
 * all of them when its name changed. */
static int spread(struct cfn_resource *r)
{
	struct str name = iam_cfn_get(r->props, "PolicyName"), old = iam_cfn_get(r->old_props, "PolicyName");
	struct str text = iam_cfn_text(r, json_getz(r->props, "PolicyDocument"));
	bool renamed = old.p && !str_eq(name, old);

	for (int s = SUBJECT_USER; s <= SUBJECT_ROLE; s++) {
		const struct json *want = json_getz(r->props, lists[s]), *have = json_getz(r->old_props, lists[s]);
		int e;

		for (size_t i = 0; json_is(want, JSON_ARRAY) && i < want->n; i++) {
			e = iam_cfn_put(r, (enum iam_subject)s, json_str(&want->items[i]), name, text);
			if (e < 0)
				return e;
		}
		for (size_t i = 0; json_is(have, JSON_ARRAY) && i < have->n; i++) {
			struct str who = json_str(&have->items[i]);

			if (!renamed && iam_cfn_lists(want, who))
				continue;
			e = iam_cfn_remove(r, (enum iam_subject)s, who, old);
			if (e < 0)
				return e;
		}
	}
	return 0;
}

static int policy_create(struct cfn_resource *r)
{
	struct str id = cfn_name(r, 64, false);
	int e = cfn_note_physical(r, id);

	if (e < 0)
		return e;
	if (!json_getz(r->props, "Users") && !json_getz(r->props, "Groups") && !json_getz(r->props, "Roles"))
		return cfn_fail(r, "At least one of [Groups,Roles,Users] must be non-empty.");
	e = spread(r);
	r->ret_physical_id = id;
	r->ret_attrs = iam_cfn_params(r, "Id", id);
	return e;
}

static int policy_update(struct cfn_resource *r)
{
	return spread(r);
}

static int policy_delete(struct cfn_resource *r)
{
	r->props = NULL;
	return r->old_props ? spread(r) : 0;
}

static const struct cfn_property policy_properties[] = {
	{ "Groups", CFN_UPDATE },
	{ "PolicyDocument", CFN_UPDATE, true },
	{ "PolicyName", CFN_UPDATE, true },
	{ "Roles", CFN_UPDATE },
	{ "Users", CFN_UPDATE },
	{ NULL },
};
static const char *const policy_attributes[] = { "Id", NULL };
const struct cfn_type iam_cfn_policy = {
	.name = "AWS::IAM::Policy",
	.properties = policy_properties,
	.attributes = policy_attributes,
	.iam = true,
	.create = policy_create,
	.update = policy_update,
	.delete = policy_delete,
	.reader = &iam_policy_reader,
};

/* --- AWS::IAM::ManagedPolicy --- */

static int managed_spread(struct cfn_resource *r, struct str arn)
{
	for (int s = SUBJECT_USER; s <= SUBJECT_ROLE; s++) {
		const struct json *want = json_getz(r->props, lists[s]), *have = json_getz(r->old_props, lists[s]);
		int e = 0;

		for (size_t i = 0; e == 0 && json_is(want, JSON_ARRAY) && i < want->n; i++) {
			if (!iam_cfn_lists(have, json_str(&want->items[i])))
				e = iam_cfn_attach(r, (enum iam_subject)s, json_str(&want->items[i]), arn);
		}
		for (size_t i = 0; e == 0 && json_is(have, JSON_ARRAY) && i < have->n; i++) {
			if (!iam_cfn_lists(want, json_str(&have->items[i])))
				e = iam_cfn_detach(r, (enum iam_subject)s, json_str(&have->items[i]), arn);
		}
		if (e < 0)
			return e;
	}
	return 0;
}

static int managed_read(struct cfn_resource *r, struct str arn)
{
	static const char *const names[] = {
		"AttachmentCount", "CreateDate", "DefaultVersionId", "IsAttachable", "PermissionsBoundaryUsageCount",
		"PolicyId",        "UpdateDate"
	};
	struct json *out;
	int e = cfn_call(r, "iam", "GetPolicy", iam_cfn_params(r, "PolicyArn", arn), &out, NULL);

	if (e < 0)
		return e;
	r->ret_attrs = iam_cfn_params(r, "PolicyArn", arn);
	for (size_t i = 0; i < ELEMENTS(names); i++)
		json_set_str(r->arena, r->ret_attrs, names[i], iam_cfn_get(json_getz(out, "Policy"), names[i]));
	return 0;
}

static int managed_create(struct cfn_resource *r)
{
	static const char *const same[] = { "Path", "Description" };
	struct str name = iam_cfn_get(r->props, "ManagedPolicyName"), arn = r->physical_id;
	struct json *p, *out;
	int e;

	if (!arn.p) {
		p = iam_cfn_params(r, "PolicyName", name.p ? name : cfn_name(r, 128, false));
		iam_cfn_copy(r, p, same, ELEMENTS(same));
		json_set_str(r->arena, p, "PolicyDocument", iam_cfn_text(r, json_getz(r->props, "PolicyDocument")));
		e = cfn_call(r, "iam", "CreatePolicy", p, &out, NULL);
		if (e < 0)
			return e;
		arn = iam_cfn_get(json_getz(out, "Policy"), "Arn");
		e = cfn_note_physical(r, arn);
		if (e < 0)
			return e;
	}
	r->ret_physical_id = arn;
	e = managed_spread(r, arn);
	return e < 0 ? e : managed_read(r, arn);
}

/* drop_versions deletes versions that are not the default: the oldest one, or all. */
static int drop_versions(struct cfn_resource *r, struct str arn, bool all)
{
	const struct json *list;
	struct json *out, *p;
	int e = cfn_call(r, "iam", "ListPolicyVersions", iam_cfn_params(r, "PolicyArn", arn), &out, NULL);

	if (e < 0)
		return e;
	list = json_getz(out, "Versions");
	if (!json_is(list, JSON_ARRAY) || (!all && list->n < 5))
		return 0;
	for (size_t i = 0; i < list->n; i++) { /* oldest first */
		if (json_to_bool(json_getz(&list->items[i], "IsDefaultVersion"), false))
			continue;
		p = iam_cfn_params(r, "PolicyArn", arn);
		json_set_str(r->arena, p, "VersionId", iam_cfn_get(&list->items[i], "VersionId"));
		e = cfn_call(r, "iam", "DeletePolicyVersion", p, NULL, NULL);
		if (e < 0 || !all)
			return e;
	}
	return 0;
}

static int managed_update(struct cfn_resource *r)
{
	struct str arn = r->physical_id;
	struct json *p;
	int e = 0;

	if (iam_cfn_changed(r, "PolicyDocument")) {
		e = drop_versions(r, arn, false);
		if (e < 0)
			return e;
		p = iam_cfn_params(r, "PolicyArn", arn);
		json_set_str(r->arena, p, "PolicyDocument", iam_cfn_text(r, json_getz(r->props, "PolicyDocument")));
		json_set_bool(r->arena, p, "SetAsDefault", true);
		e = cfn_call(r, "iam", "CreatePolicyVersion", p, NULL, NULL);
	}
	if (e == 0)
		e = managed_spread(r, arn);
	return e < 0 ? e : managed_read(r, arn);
}

static int managed_delete(struct cfn_resource *r)
{
	struct str arn = r->physical_id, code = STR_NONE;
	int e;

	if (!arn.p)
		return 0;
	r->props = NULL;
	e = cfn_call(r, "iam", "GetPolicy", iam_cfn_params(r, "PolicyArn", arn), NULL, &code);
	if (e < 0)
		return iam_cfn_gone(code) ? 0 : e;
	e = managed_spread(r, arn);
	if (e == 0)
		e = drop_versions(r, arn, true);
	return e < 0 ? e : cfn_call(r, "iam", "DeletePolicy", iam_cfn_params(r, "PolicyArn", arn), NULL, NULL);
}

/* By name, as templates say it, or by ARN. */
static int managed_find(struct cfn_resource *r)
{
	struct str path = iam_cfn_get(r->props, "Path");

	if (!str_starts(r->physical_id, S("arn:")))
		r->ret_physical_id = str_printf(r->arena, "arn:%.*s:iam::%.*s:policy%.*s%.*s", STR(r->partition), STR(r->account),
						STR(path.p ? path : S("/")), STR(r->physical_id));
	else
		r->ret_physical_id = r->physical_id;
	return managed_read(r, r->ret_physical_id);
}

static const struct cfn_property managed_properties[] = {
	{ "Description", CFN_REPLACE },
	{ "Groups", CFN_UPDATE },
	{ "ManagedPolicyName", CFN_REPLACE },
	{ "Path", CFN_REPLACE },
	{ "Roles", CFN_UPDATE },
	{ "PolicyDocument", CFN_UPDATE, true },
	{ "Users", CFN_UPDATE },
	{ NULL },
};
static const char *const managed_attributes[] = {
	"AttachmentCount", "CreateDate", "DefaultVersionId", "IsAttachable", "PermissionsBoundaryUsageCount", "PolicyArn", "PolicyId",
	"UpdateDate",      NULL
};
const struct cfn_type iam_cfn_managed_policy = {
	.name = "AWS::IAM::ManagedPolicy",
	.properties = managed_properties,
	.attributes = managed_attributes,
	.name_property = "ManagedPolicyName",
	.iam = true,
	.create = managed_create,
	.update = managed_update,
	.find = managed_find,
	.delete = managed_delete,
	.reader = &iam_managed_policy_reader,
};

/* --- AWS::IAM::InstanceProfile --- */

static struct str first_role(const struct json *props)
{
	const struct json *l = json_getz(props, "Roles");

	return json_is(l, JSON_ARRAY) && l->n ? json_str(&l->items[0]) : STR_NONE;
}

static int profile_role(struct cfn_resource *r, struct str profile)
{
	struct str want = first_role(r->props), have = first_role(r->old_props), code = STR_NONE;
	struct json *p = iam_cfn_params(r, "InstanceProfileName", profile);
	int e;

	if (want.p && have.p && str_eq(want, have))
		return 0;
	if (have.p) {
		json_set_str(r->arena, p, "RoleName", have);
		e = cfn_call(r, "iam", "RemoveRoleFromInstanceProfile", p, NULL, &code);
		if (e < 0 && !iam_cfn_gone(code))
			return e;
	}
	if (!want.p)
		return 0;
	json_set_str(r->arena, p, "RoleName", want);
	return cfn_call(r, "iam", "AddRoleToInstanceProfile", p, NULL, NULL);
}

static int profile_create(struct cfn_resource *r)
{
	static const char *const same[] = { "Path" };
	struct str given = iam_cfn_get(r->props, "InstanceProfileName"), name = given.p ? given : cfn_name(r, 128, false);
	struct json *p = iam_cfn_params(r, "InstanceProfileName", name), *out;
	const struct json *it, *roles;
	int e = 0;

	iam_cfn_copy(r, p, same, ELEMENTS(same));
	if (!r->physical_id.p) {
		e = cfn_call(r, "iam", "CreateInstanceProfile", p, NULL, NULL);
		if (e == 0)
			e = cfn_note_physical(r, name);
	}
	if (e < 0)
		return e;
	r->ret_physical_id = name;
	e = cfn_call(r, "iam", "GetInstanceProfile", iam_cfn_params(r, "InstanceProfileName", name), &out, NULL);
	if (e < 0)
		return e;
	it = json_getz(out, "InstanceProfile");
	r->ret_attrs = iam_cfn_params(r, "Arn", iam_cfn_get(it, "Arn"));
	roles = json_getz(it, "Roles");
	return json_is(roles, JSON_ARRAY) && roles->n ? 0 : profile_role(r, name);
}

static int profile_find(struct cfn_resource *r)
{
	struct json *out = NULL;
	int e = cfn_call(r, "iam", "GetInstanceProfile", iam_cfn_params(r, "InstanceProfileName", r->physical_id), &out, NULL);

	r->ret_attrs = iam_cfn_params(r, "Arn", iam_cfn_get(json_getz(out, "InstanceProfile"), "Arn"));
	return e;
}

static int profile_update(struct cfn_resource *r)
{
	return profile_role(r, r->physical_id);
}

static int profile_delete(struct cfn_resource *r)
{
	struct str code = STR_NONE;
	int e;

	if (!r->physical_id.p)
		return 0;
	r->props = NULL;
	e = profile_role(r, r->physical_id);
	if (e < 0)
		return e;
	e = cfn_call(r, "iam", "DeleteInstanceProfile", iam_cfn_params(r, "InstanceProfileName", r->physical_id), NULL, &code);
	return e < 0 && iam_cfn_gone(code) ? 0 : e;
}

static const struct cfn_property profile_properties[] = {
	{ "InstanceProfileName", CFN_REPLACE },
	{ "Path", CFN_REPLACE },
	{ "Roles", CFN_UPDATE, true },
	{ NULL },
};
static const char *const arn_only[] = { "Arn", NULL };
const struct cfn_type iam_cfn_profile = {
	.name = "AWS::IAM::InstanceProfile",
	.properties = profile_properties,
	.attributes = arn_only,
	.name_property = "InstanceProfileName",
	.iam = true,
	.create = profile_create,
	.update = profile_update,
	.find = profile_find,
	.delete = profile_delete,
	.reader = &iam_profile_reader,
};

/* --- AWS::IAM::AccessKey --- */

static int key_status(struct cfn_resource *r, struct str id)
{
	struct json *p = iam_cfn_params(r, "UserName", iam_cfn_get(r->props, "UserName"));
	struct str status = iam_cfn_get(r->props, "Status");

	json_set_str(r->arena, p, "AccessKeyId", id);
	json_set_str(r->arena, p, "Status", status.p ? status : S("Active"));
	return cfn_call(r, "iam", "UpdateAccessKey", p, NULL, NULL);
}

/* The secret is only known to the run that made the key: a key whose secret was lost in a crash is made anew. */
static int key_create(struct cfn_resource *r)
{
	struct json *p = iam_cfn_params(r, "UserName", iam_cfn_get(r->props, "UserName")), *out;
	const struct json *key;
	int e;

	if (r->physical_id.p) {
		json_set_str(r->arena, p, "AccessKeyId", r->physical_id);
		(void)cfn_call(r, "iam", "DeleteAccessKey", p, NULL, NULL);
		p = iam_cfn_params(r, "UserName", iam_cfn_get(r->props, "UserName"));
	}
	e = cfn_call(r, "iam", "CreateAccessKey", p, &out, NULL);
	if (e < 0)
		return e;
	key = json_getz(out, "AccessKey");
	e = cfn_note_physical(r, iam_cfn_get(key, "AccessKeyId"));
	if (e < 0)
		return e;
	r->ret_physical_id = iam_cfn_get(key, "AccessKeyId");
	r->ret_attrs = iam_cfn_params(r, "SecretAccessKey", iam_cfn_get(key, "SecretAccessKey"));
	return str_is(iam_cfn_get(r->props, "Status"), "Inactive") ? key_status(r, r->ret_physical_id) : 0;
}

static int key_update(struct cfn_resource *r)
{
	return key_status(r, r->physical_id);
}

static int key_delete(struct cfn_resource *r)
{
	struct json *p = iam_cfn_params(r, "UserName", iam_cfn_get(r->old_props, "UserName"));
	struct str code = STR_NONE;
	int e;

	if (!r->physical_id.p)
		return 0;
	json_set_str(r->arena, p, "AccessKeyId", r->physical_id);
	e = cfn_call(r, "iam", "DeleteAccessKey", p, NULL, &code);
	return e < 0 && iam_cfn_gone(code) ? 0 : e;
}

static const struct cfn_property key_properties[] = {
	{ "Serial", CFN_REPLACE },
	{ "Status", CFN_UPDATE },
	{ "UserName", CFN_REPLACE, true },
	{ NULL },
};
static const char *const key_attributes[] = { "SecretAccessKey", NULL };
const struct cfn_type iam_cfn_access_key = {
	.name = "AWS::IAM::AccessKey",
	.properties = key_properties,
	.attributes = key_attributes,
	.iam = true,
	.create = key_create,
	.update = key_update,
	.delete = key_delete,
};

/* --- AWS::IAM::UserToGroupAddition --- */

static int membership(struct cfn_resource *r, const char *op, struct str user, struct str group)
{
	struct json *p = iam_cfn_params(r, "UserName", user);
	struct str code = STR_NONE;
	int e;

	json_set_str(r->arena, p, "GroupName", group);
	e = cfn_call(r, "iam", op, p, NULL, &code);
	return e < 0 && op[0] == 'R' && iam_cfn_gone(code) ? 0 : e;
}

static int addition_sync(struct cfn_resource *r)
{
	const struct json *want = json_getz(r->props, "Users"), *have = json_getz(r->old_props, "Users");
	struct str group = iam_cfn_get(r->props, "GroupName"), old = iam_cfn_get(r->old_props, "GroupName");
	bool moved = old.p && !str_eq(group, old);
	int e = 0;

	for (size_t i = 0; e == 0 && json_is(want, JSON_ARRAY) && i < want->n; i++)
		e = membership(r, "AddUserToGroup", json_str(&want->items[i]), group);
	for (size_t i = 0; e == 0 && json_is(have, JSON_ARRAY) && i < have->n; i++) {
		if (moved || !iam_cfn_lists(want, json_str(&have->items[i])))
			e = membership(r, "RemoveUserFromGroup", json_str(&have->items[i]), old);
	}
	return e;
}

static int addition_create(struct cfn_resource *r)
{
	struct str id = cfn_name(r, 64, false);
	int e = cfn_note_physical(r, id);

	r->ret_physical_id = id;
	r->ret_attrs = iam_cfn_params(r, "Id", id);
	return e < 0 ? e : addition_sync(r);
}

static int addition_delete(struct cfn_resource *r)
{
	r->props = NULL;
	return addition_sync(r);
}

static const struct cfn_property addition_properties[] = { { "GroupName", CFN_UPDATE, true }, { "Users", CFN_UPDATE, true }, { NULL } };
const struct cfn_type iam_cfn_addition = {
	.name = "AWS::IAM::UserToGroupAddition",
	.properties = addition_properties,
	.attributes = policy_attributes,
	.iam = true,
	.create = addition_create,
	.update = addition_sync,
	.delete = addition_delete,
	.reader = &iam_addition_reader,
};

/* --- AWS::IAM::RolePolicy, UserPolicy, GroupPolicy: one inline policy on one --- */

static const char *const name_members[] = { "UserName", "GroupName", "RoleName" };

static int single_put(struct cfn_resource *r, enum iam_subject s)
{
	struct str who = iam_cfn_get(r->props, name_members[s]), name = iam_cfn_get(r->props, "PolicyName");
	int e = iam_cfn_put(r, s, who, name, iam_cfn_text(r, json_getz(r->props, "PolicyDocument")));

	r->ret_physical_id = str_printf(r->arena, "%.*s|%.*s", STR(name), STR(who));
	return e;
}

static int single_delete(struct cfn_resource *r, enum iam_subject s)
{
	return iam_cfn_remove(r, s, iam_cfn_get(r->old_props, name_members[s]), iam_cfn_get(r->old_props, "PolicyName"));
}

static int role_put(struct cfn_resource *r)
{
	return single_put(r, SUBJECT_ROLE);
}

static int role_remove(struct cfn_resource *r)
{
	return single_delete(r, SUBJECT_ROLE);
}

static int user_put(struct cfn_resource *r)
{
	return single_put(r, SUBJECT_USER);
}

static int user_remove(struct cfn_resource *r)
{
	return single_delete(r, SUBJECT_USER);
}

static int group_put(struct cfn_resource *r)
{
	return single_put(r, SUBJECT_GROUP);
}

static int group_remove(struct cfn_resource *r)
{
	return single_delete(r, SUBJECT_GROUP);
}

static const char *const no_attributes[] = { NULL };
static const struct cfn_property role_policy_properties[] = {
	{ "PolicyDocument", CFN_UPDATE },
	{ "PolicyName", CFN_REPLACE, true },
	{ "RoleName", CFN_REPLACE, true },
	{ NULL },
};
const struct cfn_type iam_cfn_role_policy = {
	.name = "AWS::IAM::RolePolicy",
	.properties = role_policy_properties,
	.attributes = no_attributes,
	.iam = true,
	.create = role_put,
	.update = role_put,
	.delete = role_remove,
	.reader = &iam_role_policy_reader,
};
static const struct cfn_property user_policy_properties[] = {
	{ "PolicyDocument", CFN_UPDATE },
	{ "PolicyName", CFN_REPLACE, true },
	{ "UserName", CFN_REPLACE, true },
	{ NULL },
};
const struct cfn_type iam_cfn_user_policy = {
	.name = "AWS::IAM::UserPolicy",
	.properties = user_policy_properties,
	.attributes = no_attributes,
	.iam = true,
	.create = user_put,
	.update = user_put,
	.delete = user_remove,
	.reader = &iam_user_policy_reader,
};
static const struct cfn_property group_policy_properties[] = {
	{ "PolicyDocument", CFN_UPDATE },
	{ "PolicyName", CFN_REPLACE, true },
	{ "GroupName", CFN_REPLACE, true },
	{ NULL },
};
const struct cfn_type iam_cfn_group_policy = {
	.name = "AWS::IAM::GroupPolicy",
	.properties = group_policy_properties,
	.attributes = no_attributes,
	.iam = true,
	.create = group_put,
	.update = group_put,
	.delete = group_remove,
	.reader = &iam_group_policy_reader,
};

/* --- AWS::IAM::ServiceLinkedRole --- */

static int linked_create(struct cfn_resource *r)
{
	static const char *const same[] = { "AWSServiceName", "CustomSuffix", "Description" };
	struct json *p = json_new(r->arena, JSON_OBJECT), *out;
	int e;

	iam_cfn_copy(r, p, same, ELEMENTS(same));
	if (!r->physical_id.p) {
		e = cfn_call(r, "iam", "CreateServiceLinkedRole", p, &out, NULL);
		if (e < 0)
			return e;
		r->physical_id = iam_cfn_get(json_getz(out, "Role"), "RoleName");
		e = cfn_note_physical(r, r->physical_id);
		if (e < 0)
			return e;
	}
	r->ret_physical_id = r->physical_id;
	r->ret_attrs = iam_cfn_params(r, "RoleName", r->physical_id);
	return 0;
}

static int linked_update(struct cfn_resource *r)
{
	struct json *p = iam_cfn_params(r, "RoleName", r->physical_id);
	struct str text = iam_cfn_get(r->props, "Description");

	json_set_str(r->arena, p, "Description", text.p ? text : S(""));
	return cfn_call(r, "iam", "UpdateRoleDescription", p, NULL, NULL);
}

static int linked_delete(struct cfn_resource *r)
{
	struct str code = STR_NONE;
	int e;

	if (!r->physical_id.p)
		return 0;
	e = cfn_call(r, "iam", "DeleteServiceLinkedRole", iam_cfn_params(r, "RoleName", r->physical_id), NULL, &code);
	return e < 0 && iam_cfn_gone(code) ? 0 : e;
}

static const struct cfn_property linked_properties[] = {
	{ "AWSServiceName", CFN_REPLACE, true },
	{ "CustomSuffix", CFN_REPLACE },
	{ "Description", CFN_UPDATE },
	{ NULL },
};
static const char *const linked_attributes[] = { "RoleName", NULL };
const struct cfn_type iam_cfn_linked_role = {
	.name = "AWS::IAM::ServiceLinkedRole",
	.properties = linked_properties,
	.attributes = linked_attributes,
	.iam = true,
	.create = linked_create,
	.update = linked_update,
	.delete = linked_delete,
};
