/* SPDX-License-Identifier: Apache-2.0 */
/* cfn_read.c - what users, groups, roles and policies are, in the form of CloudFormation's properties.
 *
 * What other resources of the stack attach to one (AWS::IAM::Policy, ManagedPolicy, UserToGroupAddition) is theirs. */
#include "svc/iam/cfn_int.h"
#include "cfn/reader.h"
#include <errno.h>

static const char *const nouns[] = { "User", "Group", "Role" };
static const char *const name_members[] = { "UserName", "GroupName", "RoleName" };
static const char *const lists[] = { "Users", "Groups", "Roles" };

#define GONE "NoSuchEntity"

static struct json *subject(struct cfn_resource *r, enum iam_subject s, struct str name)
{
	return cfn_param(r, name_members[s], name);
}

static bool names(const struct json *props, const char *list, struct str name)
{
	return iam_cfn_lists(json_getz(props, list), name);
}

/* ask_all gathers a list over all its pages. */
static int ask_all(struct cfn_resource *r, const char *op, struct json *p, const char *member, struct json *ret)
{
	struct json *out;
	int e;

	do {
		const struct json *l;

		e = cfn_ask(r, "iam", op, p, GONE, &out);
		l = json_getz(out, member);
		for (size_t i = 0; e == 0 && json_is(l, JSON_ARRAY) && i < l->n; i++)
			json_push(r->arena, ret, &l->items[i]);
		json_set_str(r->arena, p, "Marker", json_get_str(out, "Marker"));
	} while (e == 0 && json_to_bool(json_getz(out, "IsTruncated"), false));
	return e;
}

/* --- what is on a subject --- */
static bool attached_by_sibling(struct cfn_resource *r, enum iam_subject s, struct str arn)
{
	for (size_t i = 0; i < r->n_siblings; i++)
		if (str_is(r->siblings[i].type, "AWS::IAM::ManagedPolicy") && str_eq(r->siblings[i].physical_id, arn) &&
		    names(r->siblings[i].props, lists[s], r->physical_id))
			return true;
	return false;
}

static int managed(struct cfn_resource *r, enum iam_subject s)
{
	struct json *found = json_new(r->arena, JSON_ARRAY), *arns = json_new(r->arena, JSON_ARRAY);
	int e = ask_all(r, str_printf(r->arena, "ListAttached%sPolicies", nouns[s]).p, subject(r, s, r->physical_id), "AttachedPolicies",
			found);

	for (size_t i = 0; i < found->n; i++) {
		struct str arn = json_get_str(&found->items[i], "PolicyArn");

		if (names(r->props, "ManagedPolicyArns", arn) || !attached_by_sibling(r, s, arn))
			json_push(r->arena, arns, json_new_str(r->arena, arn));
	}
	json_set(r->arena, r->ret_props, S("ManagedPolicyArns"), arns);
	return e;
}

static bool put_by_sibling(struct cfn_resource *r, enum iam_subject s, struct str policy)
{
	struct str own = str_printf(r->arena, "AWS::IAM::%sPolicy", nouns[s]);

	for (size_t i = 0; i < r->n_siblings; i++) {
		const struct cfn_sibling *x = &r->siblings[i];
		bool on = str_is(x->type, "AWS::IAM::Policy") ? names(x->props, lists[s], r->physical_id)
			  : str_eq(x->type, own)              ? str_eq(json_get_str(x->props, name_members[s]), r->physical_id)
							      : false;

		if (on && str_eq(json_get_str(x->props, "PolicyName"), policy))
			return true;
	}
	return false;
}

/* One inline policy; -ENOENT. */
static int inline_policy(struct cfn_resource *r, enum iam_subject s, struct str who, struct str policy, struct json *ret)
{
	static const struct cfn_member parts[] = { { "PolicyName" }, { "PolicyDocument", NULL, NULL, cfn_as_document }, { NULL } };
	struct json *p = subject(r, s, who), *out;
	int e;

	json_set_str(r->arena, p, "PolicyName", policy);
	e = cfn_ask(r, "iam", str_printf(r->arena, "Get%sPolicy", nouns[s]).p, p, GONE, &out);
	if (e == 0)
		cfn_take(r->arena, out, parts, ret);
	return e;
}

static int inline_policies(struct cfn_resource *r, enum iam_subject s)
{
	struct json *found = json_new(r->arena, JSON_ARRAY), *out = json_new(r->arena, JSON_ARRAY);
	int e = ask_all(r, str_printf(r->arena, "List%sPolicies", nouns[s]).p, subject(r, s, r->physical_id), "PolicyNames", found);

	for (size_t i = 0; i < found->n && e == 0; i++) {
		struct json *x = json_new(r->arena, JSON_OBJECT);
		struct str name = json_str(&found->items[i]);

		if (put_by_sibling(r, s, name))
			continue;
		e = inline_policy(r, s, r->physical_id, name, x);
		json_push(r->arena, out, x);
	}
	json_set(r->arena, r->ret_props, S("Policies"), out);
	return e;
}

static bool added_by_sibling(struct cfn_resource *r, struct str group)
{
	for (size_t i = 0; i < r->n_siblings; i++)
		if (str_is(r->siblings[i].type, "AWS::IAM::UserToGroupAddition") &&
		    str_eq(json_get_str(r->siblings[i].props, "GroupName"), group) && names(r->siblings[i].props, "Users", r->physical_id))
			return true;
	return false;
}

static int groups(struct cfn_resource *r)
{
	struct json *found = json_new(r->arena, JSON_ARRAY), *out = json_new(r->arena, JSON_ARRAY);
	int e = ask_all(r, "ListGroupsForUser", subject(r, SUBJECT_USER, r->physical_id), "Groups", found);

	for (size_t i = 0; i < found->n; i++) {
		struct str name = json_get_str(&found->items[i], "GroupName");

		if (names(r->props, "Groups", name) || !added_by_sibling(r, name))
			json_push(r->arena, out, json_new_str(r->arena, name));
	}
	json_set(r->arena, r->ret_props, S("Groups"), out);
	return e;
}

static int login(struct cfn_resource *r)
{
	static const struct cfn_member parts[] = { { "LoginProfile.PasswordResetRequired" }, { NULL } };
	struct json *x = json_new(r->arena, JSON_OBJECT), *out;
	int e = cfn_ask(r, "iam", "GetLoginProfile", subject(r, SUBJECT_USER, r->physical_id), GONE, &out);

	if (e < 0)
		return e == -ENOENT ? 0 : e;
	cfn_take(r->arena, out, parts, x);
	json_set(r->arena, r->ret_props, S("LoginProfile"), x);
	return 0;
}

/* --- AWS::IAM::Role, User, Group --- */
static int read_subject(struct cfn_resource *r, enum iam_subject s)
{
	static const struct cfn_member parts[] = {
		{ "AssumeRolePolicyDocument", NULL, NULL, cfn_as_document },
		{ "Description" },
		{ "GroupName" },
		{ "MaxSessionDuration" },
		{ "Path" },
		{ "PermissionsBoundary.PermissionsBoundaryArn", "PermissionsBoundary" },
		{ "RoleName" },
		{ "Tags" },
		{ "UserName" },
		{ NULL },
	};
	struct json *out;
	int e = cfn_ask(r, "iam", str_printf(r->arena, "Get%s", nouns[s]).p, subject(r, s, r->physical_id), GONE, &out);

	if (e < 0)
		return e;
	cfn_is(r, json_getz(out, nouns[s]), parts);
	if (cfn_wanted(r, "ManagedPolicyArns"))
		e = managed(r, s);
	if (e == 0 && cfn_wanted(r, "Policies"))
		e = inline_policies(r, s);
	if (e == 0 && s == SUBJECT_USER && cfn_wanted(r, "Groups"))
		e = groups(r);
	if (e == 0 && s == SUBJECT_USER && cfn_wanted(r, "LoginProfile"))
		e = login(r);
	return e;
}

static int role_read(struct cfn_resource *r)
{
	return read_subject(r, SUBJECT_ROLE);
}

static int user_read(struct cfn_resource *r)
{
	return read_subject(r, SUBJECT_USER);
}

static int group_read(struct cfn_resource *r)
{
	return read_subject(r, SUBJECT_GROUP);
}

static const struct drift_rule subject_rules[] = {
	{ "AssumeRolePolicyDocument", DRIFT_POLICY },
	{ "Groups", DRIFT_SET },
	{ "LoginProfile.Password", DRIFT_UNREAD },
	{ "ManagedPolicyArns", DRIFT_SET },
	{ "Policies", DRIFT_SET, "PolicyName" },
	{ "Policies.*.PolicyDocument", DRIFT_POLICY },
	{ NULL },
};
const struct cfn_reader iam_role_reader = { role_read, subject_rules }, iam_user_reader = { user_read, subject_rules },
			iam_group_reader = { group_read, subject_rules };

/* --- inline policies: on one subject, or on several --- */
static int one_policy_read(struct cfn_resource *r, enum iam_subject s)
{
	struct str who = json_get_str(r->props, name_members[s]);

	r->ret_props = subject(r, s, who);
	return inline_policy(r, s, who, json_get_str(r->props, "PolicyName"), r->ret_props);
}

static int role_policy_read(struct cfn_resource *r)
{
	return one_policy_read(r, SUBJECT_ROLE);
}

static int user_policy_read(struct cfn_resource *r)
{
	return one_policy_read(r, SUBJECT_USER);
}

static int group_policy_read(struct cfn_resource *r)
{
	return one_policy_read(r, SUBJECT_GROUP);
}

static const struct drift_rule policy_rules[] = {
	{ "Groups", DRIFT_SET }, { "PolicyDocument", DRIFT_POLICY }, { "Roles", DRIFT_SET }, { "Users", DRIFT_SET }, { NULL },
};

/* Has it another document than the template's? */
static bool other(struct cfn_resource *r, const struct json *policy)
{
	struct json *want = json_new(r->arena, JSON_OBJECT);
	struct drift_list l = { 0 };

	json_set(r->arena, want, S("PolicyDocument"), json_getz(r->props, "PolicyDocument"));
	drift_compare(r->arena, policy_rules, want, policy, &l);
	return l.n > 0;
}

/* One policy on several subjects: shown is the document of the first that has another one than the template's. */
static int policy_read(struct cfn_resource *r)
{
	struct json *shown = NULL;
	bool differs = false;

	r->ret_props = json_new(r->arena, JSON_OBJECT);
	for (int s = SUBJECT_USER; s <= SUBJECT_ROLE; s++) {
		const struct json *want = json_getz(r->props, lists[s]);
		struct json *have = json_new(r->arena, JSON_ARRAY);

		for (size_t i = 0; json_is(want, JSON_ARRAY) && i < want->n; i++) {
			struct json *x = json_new(r->arena, JSON_OBJECT);
			int e = inline_policy(r, (enum iam_subject)s, json_str(&want->items[i]), json_get_str(r->props, "PolicyName"), x);

			if (e == -ENOENT)
				continue;
			if (e < 0)
				return e;
			json_push(r->arena, have, &want->items[i]);
			if (!shown || (!differs && other(r, x))) {
				shown = x;
				differs = other(r, x);
			}
		}
		json_set(r->arena, r->ret_props, str_c(lists[s]), have);
	}
	for (size_t i = 0; shown && i < shown->n; i++)
		json_set(r->arena, r->ret_props, shown->members[i].key, &shown->members[i].value);
	return shown ? 0 : -ENOENT;
}

const struct cfn_reader iam_policy_reader = { policy_read, policy_rules }, iam_role_policy_reader = { role_policy_read, policy_rules },
			iam_user_policy_reader = { user_policy_read, policy_rules },
			iam_group_policy_reader = { group_policy_read, policy_rules };

/* --- AWS::IAM::ManagedPolicy --- */
static bool attaches(struct cfn_resource *r, enum iam_subject s, struct str name)
{
	struct str type = str_printf(r->arena, "AWS::IAM::%s", nouns[s]);

	for (size_t i = 0; i < r->n_siblings; i++)
		if (str_eq(r->siblings[i].type, type) && str_eq(r->siblings[i].physical_id, name) &&
		    names(r->siblings[i].props, "ManagedPolicyArns", r->physical_id))
			return true;
	return false;
}

static int entities(struct cfn_resource *r, enum iam_subject s)
{
	struct json *p = cfn_param(r, "PolicyArn", r->physical_id), *found = json_new(r->arena, JSON_ARRAY),
		    *out = json_new(r->arena, JSON_ARRAY);
	int e;

	json_set_str(r->arena, p, "EntityFilter", str_c(nouns[s]));
	e = ask_all(r, "ListEntitiesForPolicy", p, str_printf(r->arena, "Policy%s", lists[s]).p, found);
	for (size_t i = 0; i < found->n; i++) {
		struct str name = json_get_str(&found->items[i], name_members[s]);

		if (names(r->props, lists[s], name) || !attaches(r, s, name))
			json_push(r->arena, out, json_new_str(r->arena, name));
	}
	json_set(r->arena, r->ret_props, str_c(lists[s]), out);
	return e;
}

static int managed_read(struct cfn_resource *r)
{
	static const struct cfn_member parts[] = { { "PolicyName", "ManagedPolicyName" }, { "Description" }, { "Path" }, { NULL } };
	static const struct cfn_member document[] = { { "PolicyVersion.Document", "PolicyDocument", NULL, cfn_as_document }, { NULL } };
	struct json *p = cfn_param(r, "PolicyArn", r->physical_id), *out;
	int e = cfn_ask(r, "iam", "GetPolicy", p, GONE, &out);

	if (e < 0)
		return e;
	cfn_is(r, json_getz(out, "Policy"), parts);
	json_set_str(r->arena, p, "VersionId", json_get_str(json_getz(out, "Policy"), "DefaultVersionId"));
	e = cfn_ask(r, "iam", "GetPolicyVersion", p, GONE, &out);
	if (e == 0)
		cfn_take(r->arena, out, document, r->ret_props);
	for (int s = SUBJECT_USER; s <= SUBJECT_ROLE && e == 0; s++)
		if (cfn_wanted(r, lists[s]))
			e = entities(r, (enum iam_subject)s);
	return e;
}

const struct cfn_reader iam_managed_policy_reader = { managed_read, policy_rules };

/* --- AWS::IAM::InstanceProfile, AWS::IAM::UserToGroupAddition --- */
static int profile_read(struct cfn_resource *r)
{
	static const struct cfn_member parts[] = { { "InstanceProfileName" }, { "Path" }, { NULL } };
	struct json *roles = json_new(r->arena, JSON_ARRAY), *out;
	const struct json *l;
	int e = cfn_ask(r, "iam", "GetInstanceProfile", cfn_param(r, "InstanceProfileName", r->physical_id), GONE, &out);

	if (e < 0)
		return e;
	cfn_is(r, json_getz(out, "InstanceProfile"), parts);
	l = json_getz(json_getz(out, "InstanceProfile"), "Roles");
	for (size_t i = 0; json_is(l, JSON_ARRAY) && i < l->n; i++)
		json_push(r->arena, roles, json_getz(&l->items[i], "RoleName"));
	json_set(r->arena, r->ret_props, S("Roles"), roles);
	return 0;
}
const struct cfn_reader iam_profile_reader = { profile_read, NULL };

/* Other members of the group came by other ways. */
static int addition_read(struct cfn_resource *r)
{
	struct str group = json_get_str(r->props, "GroupName");
	struct json *found = json_new(r->arena, JSON_ARRAY), *users = json_new(r->arena, JSON_ARRAY);
	int e = ask_all(r, "GetGroup", subject(r, SUBJECT_GROUP, group), "Users", found);

	for (size_t i = 0; i < found->n; i++) {
		struct str name = json_get_str(&found->items[i], "UserName");

		if (names(r->props, "Users", name))
			json_push(r->arena, users, json_new_str(r->arena, name));
	}
	r->ret_props = subject(r, SUBJECT_GROUP, group);
	json_set(r->arena, r->ret_props, S("Users"), users);
	return e < 0 ? e : users->n ? 0 : -ENOENT;
}
const struct cfn_reader iam_addition_reader = { addition_read, policy_rules };
