/* SPDX-License-Identifier: Apache-2.0 */
/* cfn_group.c - AWS::EC2::SecurityGroup, SecurityGroupIngress, SecurityGroupEgress.
 *
 * A group's own rules change by difference: rules that other resources or hands have added are left alone. The rule that
 * lets everything out goes when the template names rules for leaving, and comes back when it no longer does. */
#include "svc/ec2/cfn_int.h"
#include "svc/ec2/ec2_int.h"

/* --- rules of templates as IpPermissions --- */
static void number(struct cfn_resource *r, struct json *p, const struct json *rule, const char *name)
{
	const struct json *v = json_getz(rule, name);
	int64_t n;

	if (!v)
		return;
	if (json_to_i64(v, &n) == 0)
		json_set_int(r->arena, p, name, n);
	else
		json_set(r->arena, p, str_c(name), v);
}

static void source(struct cfn_resource *r, struct json *p, const char *list, struct json *item, struct str description)
{
	struct json *l = json_new(r->arena, JSON_ARRAY);

	json_set_str(r->arena, item, "Description", description);
	json_push(r->arena, l, item);
	json_set(r->arena, p, str_c(list), l);
}

static struct json *permission(struct cfn_resource *r, const struct json *rule, bool egress, bool described)
{
	struct str d = described ? json_get_str(rule, "Description") : STR_NONE;
	const char *group = egress ? "DestinationSecurityGroupId" : "SourceSecurityGroupId",
		   *list = egress ? "DestinationPrefixListId" : "SourcePrefixListId";
	struct json *p = cfn_ec2_params(r), *item;

	json_set_str(r->arena, p, "IpProtocol", json_get_str(rule, "IpProtocol"));
	number(r, p, rule, "FromPort");
	number(r, p, rule, "ToPort");
	if (json_getz(rule, "CidrIp")) {
		item = cfn_ec2_params(r);
		json_set_str(r->arena, item, "CidrIp", json_get_str(rule, "CidrIp"));
		source(r, p, "IpRanges", item, d);
	}
	if (json_getz(rule, "CidrIpv6")) {
		item = cfn_ec2_params(r);
		json_set_str(r->arena, item, "CidrIpv6", json_get_str(rule, "CidrIpv6"));
		source(r, p, "Ipv6Ranges", item, d);
	}
	if (json_getz(rule, list)) {
		item = cfn_ec2_params(r);
		json_set_str(r->arena, item, "PrefixListId", json_get_str(rule, list));
		source(r, p, "PrefixListIds", item, d);
	}
	if (json_getz(rule, group) || (!egress && json_getz(rule, "SourceSecurityGroupName"))) {
		item = cfn_ec2_params(r);
		json_set_str(r->arena, item, "GroupId", json_get_str(rule, group));
		if (!egress) {
			json_set_str(r->arena, item, "GroupName", json_get_str(rule, "SourceSecurityGroupName"));
			json_set_str(r->arena, item, "UserId", json_get_str(rule, "SourceSecurityGroupOwnerId"));
		}
		source(r, p, "UserIdGroupPairs", item, d);
	}
	return p;
}

static int rules_call(struct cfn_resource *r, const char *op, struct str group, const struct json *perms, struct json **out,
		      struct str *code)
{
	struct json *p = cfn_ec2_params(r);

	if (perms->n == 0)
		return 0;
	json_set_str(r->arena, p, "GroupId", group);
	json_set(r->arena, p, S("IpPermissions"), perms);
	return cfn_call(r, "ec2", op, p, out, code);
}

/* Rules of list a that list b has not, compared without their descriptions. */
static struct json *difference(struct cfn_resource *r, const struct json *a, const struct json *b, bool egress)
{
	struct json *out = json_new(r->arena, JSON_ARRAY);

	for (size_t i = 0; json_is(a, JSON_ARRAY) && i < a->n; i++) {
		const struct json *x = permission(r, &a->items[i], egress, false);
		bool there = false;

		for (size_t j = 0; json_is(b, JSON_ARRAY) && j < b->n; j++)
			there |= json_equal(x, permission(r, &b->items[j], egress, false));
		if (!there)
			json_push(r->arena, out, permission(r, &a->items[i], egress, true));
	}
	return out;
}

/* Rules that are in both lists, with another description. */
static struct json *redescribed(struct cfn_resource *r, const struct json *now, const struct json *old, bool egress)
{
	struct json *out = json_new(r->arena, JSON_ARRAY);

	for (size_t i = 0; json_is(now, JSON_ARRAY) && i < now->n; i++)
		for (size_t j = 0; json_is(old, JSON_ARRAY) && j < old->n; j++)
			if (json_equal(permission(r, &now->items[i], egress, false), permission(r, &old->items[j], egress, false)) &&
			    !str_eq(json_get_str(&now->items[i], "Description"), json_get_str(&old->items[j], "Description")))
				json_push(r->arena, out, permission(r, &now->items[i], egress, true));
	return out;
}

/* Adds rules; after a crash some may be there already. */
static int add_rules(struct cfn_resource *r, struct str group, const struct json *perms, bool egress, bool again)
{
	const char *op = egress ? "AuthorizeSecurityGroupEgress" : "AuthorizeSecurityGroupIngress";
	struct str code = STR_NONE;
	int e = 0;

	if (!again)
		return rules_call(r, op, group, perms, NULL, NULL);
	for (size_t i = 0; i < perms->n && e == 0; i++) {
		struct json *one = json_new(r->arena, JSON_ARRAY);

		json_push(r->arena, one, &perms->items[i]);
		e = rules_call(r, op, group, one, NULL, &code);
		if (str_is(code, "InvalidPermission.Duplicate"))
			e = 0;
	}
	return e;
}

static int drop_rules(struct cfn_resource *r, struct str group, const struct json *perms, bool egress)
{
	int e = 0;

	for (size_t i = 0; i < perms->n && e == 0; i++) {
		struct json *one = json_new(r->arena, JSON_ARRAY);
		struct str code = STR_NONE;

		json_push(r->arena, one, &perms->items[i]);
		e = rules_call(r, egress ? "RevokeSecurityGroupEgress" : "RevokeSecurityGroupIngress", group, one, NULL, &code);
		if (cfn_ec2_gone(code))
			e = 0;
	}
	return e;
}

static bool any(const struct json *props, const char *name)
{
	const struct json *l = json_getz(props, name);

	return json_is(l, JSON_ARRAY) && l->n > 0;
}

/* "everything may leave", as a template would write it. */
static struct json *all_out(struct cfn_resource *r)
{
	struct json *list = json_new(r->arena, JSON_ARRAY), *rule = cfn_ec2_params(r);

	json_set_str(r->arena, rule, "IpProtocol", S("-1"));
	json_set_str(r->arena, rule, "CidrIp", S("0.0.0.0/0"));
	json_push(r->arena, list, rule);
	return list;
}

/* --- AWS::EC2::SecurityGroup --- */
static int make_group(struct cfn_resource *r, struct str *ret_id)
{
	bool named = json_getz(r->props, "GroupName") != NULL;
	struct str name = named ? json_get_str(r->props, "GroupName") : cfn_name(r, 255, false), code = STR_NONE;
	struct json *p = cfn_ec2_params(r), *out;
	const struct json *g;
	int e;

	json_set_str(r->arena, p, "GroupName", name);
	json_set_str(r->arena, p, "Description", json_get_str(r->props, "GroupDescription"));
	json_set_str(r->arena, p, "VpcId", json_get_str(r->props, "VpcId"));
	cfn_ec2_tag_specs(r, p, "security-group");
	e = cfn_call(r, "ec2", "CreateSecurityGroup", p, &out, &code);
	if (e == 0) {
		*ret_id = json_get_str(out, "GroupId");
		return 0;
	}
	if (named || !str_is(code, "InvalidGroup.Duplicate"))
		return e;
	/* The name came from our own token: it is the group that an earlier run has made. */
	e = cfn_ec2_find(r, "DescribeSecurityGroups", "SecurityGroups", "group-name", name, &g);
	if (e == 0 && !g)
		return cfn_fail(r, "The security group '%.*s' does not exist", STR(name));
	*ret_id = json_get_str(g, "GroupId");
	return e;
}

static int group_attrs(struct cfn_resource *r, struct str id)
{
	const struct json *g;
	int e = cfn_ec2_find(r, "DescribeSecurityGroups", "SecurityGroups", "group-id", id, &g);

	if (e == 0 && !g)
		return cfn_fail(r, "The security group '%.*s' does not exist", STR(id));
	cfn_ec2_attr(r, "GroupId", id);
	cfn_ec2_attr(r, "Id", id);
	cfn_ec2_attr(r, "VpcId", json_get_str(g, "VpcId"));
	return e;
}

static int group_create(struct cfn_resource *r)
{
	bool again = r->physical_id.p != NULL;
	struct str id = r->physical_id;
	int e = 0;

	if (!again) {
		e = make_group(r, &id);
		if (e == 0)
			e = cfn_note_physical(r, id);
	}
	if (e < 0)
		return e;
	r->ret_physical_id = id;
	e = add_rules(r, id, difference(r, json_getz(r->props, "SecurityGroupIngress"), NULL, false), false, again);
	if (e == 0 && any(r->props, "SecurityGroupEgress")) {
		e = drop_rules(r, id, difference(r, all_out(r), NULL, true), true);
		if (e == 0)
			e = add_rules(r, id, difference(r, json_getz(r->props, "SecurityGroupEgress"), NULL, true), true, again);
	}
	return e < 0 ? e : group_attrs(r, id);
}

static int change_rules(struct cfn_resource *r, const char *property, bool egress)
{
	const struct json *now = json_getz(r->props, property), *old = json_getz(r->old_props, property);
	struct json *text;
	int e;

	if (egress && !any(r->props, property))
		now = all_out(r);
	if (egress && !any(r->old_props, property))
		old = all_out(r);
	/* What is new comes first: traffic that both allow never stops. */
	e = add_rules(r, r->physical_id, difference(r, now, old, egress), egress, true);
	if (e == 0)
		e = drop_rules(r, r->physical_id, difference(r, old, now, egress), egress);
	text = redescribed(r, now, old, egress);
	return e < 0 ? e
		     : rules_call(r, egress ? "UpdateSecurityGroupRuleDescriptionsEgress" : "UpdateSecurityGroupRuleDescriptionsIngress",
				  r->physical_id, text, NULL, NULL);
}

static int group_update(struct cfn_resource *r)
{
	int e = change_rules(r, "SecurityGroupIngress", false);

	if (e == 0)
		e = change_rules(r, "SecurityGroupEgress", true);
	return e < 0 ? e : cfn_ec2_retag(r, r->physical_id);
}

static int group_delete(struct cfn_resource *r)
{
	struct json *p = cfn_ec2_params(r);
	struct str code = STR_NONE;
	int e;

	json_set_str(r->arena, p, "GroupId", r->physical_id);
	e = cfn_call(r, "ec2", "DeleteSecurityGroup", p, NULL, &code);
	return cfn_ec2_gone(code) ? 0 : e;
}

static const struct cfn_property group_properties[] = {
	{ "GroupDescription", CFN_REPLACE, true },
	{ "GroupName", CFN_REPLACE, false },
	{ "SecurityGroupEgress", CFN_UPDATE, false },
	{ "SecurityGroupIngress", CFN_UPDATE, false },
	{ "Tags", CFN_UPDATE, false },
	{ "VpcId", CFN_REPLACE, false },
	{ NULL, 0, false },
};
static const char *const group_attributes[] = { "GroupId", "Id", "VpcId", NULL };
const struct cfn_type cfn_ec2_group = {
	.name = "AWS::EC2::SecurityGroup",
	.properties = group_properties,
	.attributes = group_attributes,
	.name_property = "GroupName",
	.create = group_create,
	.update = group_update,
	.delete = group_delete,
	.reader = &cfn_ec2_group_reader,
};

/* --- AWS::EC2::SecurityGroupIngress, AWS::EC2::SecurityGroupEgress --- */
static int rule_create(struct cfn_resource *r, bool egress)
{
	struct json *perms = json_new(r->arena, JSON_ARRAY), *p = cfn_ec2_params(r), *out;
	struct str id = r->physical_id;
	const struct json *made;
	int e = 0;

	if (!id.p) {
		json_push(r->arena, perms, permission(r, r->props, egress, true));
		json_set_str(r->arena, p, "GroupId", json_get_str(r->props, "GroupId"));
		if (!egress)
			json_set_str(r->arena, p, "GroupName", json_get_str(r->props, "GroupName"));
		json_set(r->arena, p, S("IpPermissions"), perms);
		e = cfn_call(r, "ec2", egress ? "AuthorizeSecurityGroupEgress" : "AuthorizeSecurityGroupIngress", p, &out, NULL);
		if (e < 0)
			return e;
		made = json_getz(out, "SecurityGroupRules");
		if (!json_is(made, JSON_ARRAY) || made->n != 1)
			return cfn_fail(r, "Exactly one source or destination must be given");
		id = json_get_str(&made->items[0], "SecurityGroupRuleId");
		e = cfn_note_physical(r, id);
	}
	r->ret_physical_id = id;
	cfn_ec2_attr(r, "Id", id);
	return e;
}

static int ingress_create(struct cfn_resource *r)
{
	return rule_create(r, false);
}

static int egress_create(struct cfn_resource *r)
{
	return rule_create(r, true);
}

static void name_group(struct cfn_resource *r, struct json *p, const struct json *props)
{
	static const char *const names[] = { "GroupId", "GroupName", NULL };

	cfn_ec2_copy(r, p, props, names);
}

static int rule_update(struct cfn_resource *r, const char *op)
{
	struct json *p = cfn_ec2_params(r), *list = json_new(r->arena, JSON_ARRAY), *d = cfn_ec2_params(r);

	name_group(r, p, r->props);
	json_set_str(r->arena, d, "SecurityGroupRuleId", r->physical_id);
	json_set_str(r->arena, d, "Description", json_get_str(r->props, "Description"));
	json_push(r->arena, list, d);
	json_set(r->arena, p, S("SecurityGroupRuleDescriptions"), list);
	return cfn_call(r, "ec2", op, p, NULL, NULL);
}

static int ingress_update(struct cfn_resource *r)
{
	return rule_update(r, "UpdateSecurityGroupRuleDescriptionsIngress");
}

static int egress_update(struct cfn_resource *r)
{
	return rule_update(r, "UpdateSecurityGroupRuleDescriptionsEgress");
}

static int rule_delete(struct cfn_resource *r, const char *op)
{
	struct json *p = cfn_ec2_params(r), *ids = json_new(r->arena, JSON_ARRAY);
	struct str code = STR_NONE;
	int e;

	name_group(r, p, r->old_props);
	json_push(r->arena, ids, json_new_str(r->arena, r->physical_id));
	json_set(r->arena, p, S("SecurityGroupRuleIds"), ids);
	e = cfn_call(r, "ec2", op, p, NULL, &code);
	return cfn_ec2_gone(code) ? 0 : e;
}

static int ingress_delete(struct cfn_resource *r)
{
	return rule_delete(r, "RevokeSecurityGroupIngress");
}

static int egress_delete(struct cfn_resource *r)
{
	return rule_delete(r, "RevokeSecurityGroupEgress");
}

static const struct cfn_property ingress_properties[] = {
	{ "CidrIp", CFN_REPLACE, false },
	{ "CidrIpv6", CFN_REPLACE, false },
	{ "Description", CFN_UPDATE, false },
	{ "FromPort", CFN_REPLACE, false },
	{ "GroupId", CFN_REPLACE, false },
	{ "GroupName", CFN_REPLACE, false },
	{ "IpProtocol", CFN_REPLACE, true },
	{ "SourcePrefixListId", CFN_REPLACE, false },
	{ "SourceSecurityGroupId", CFN_REPLACE, false },
	{ "SourceSecurityGroupName", CFN_REPLACE, false },
	{ "SourceSecurityGroupOwnerId", CFN_REPLACE, false },
	{ "ToPort", CFN_REPLACE, false },
	{ NULL, 0, false },
};
static const struct cfn_property egress_properties[] = {
	{ "CidrIp", CFN_REPLACE, false },
	{ "CidrIpv6", CFN_REPLACE, false },
	{ "Description", CFN_UPDATE, false },
	{ "DestinationPrefixListId", CFN_REPLACE, false },
	{ "DestinationSecurityGroupId", CFN_REPLACE, false },
	{ "FromPort", CFN_REPLACE, false },
	{ "GroupId", CFN_REPLACE, true },
	{ "IpProtocol", CFN_REPLACE, true },
	{ "ToPort", CFN_REPLACE, false },
	{ NULL, 0, false },
};
static const char *const rule_attributes[] = { "Id", NULL };
const struct cfn_type cfn_ec2_ingress = {
	.name = "AWS::EC2::SecurityGroupIngress",
	.properties = ingress_properties,
	.attributes = rule_attributes,
	.create = ingress_create,
	.update = ingress_update,
	.delete = ingress_delete,
	.reader = &cfn_ec2_rule_reader,
};
const struct cfn_type cfn_ec2_egress = {
	.name = "AWS::EC2::SecurityGroupEgress",
	.properties = egress_properties,
	.attributes = rule_attributes,
	.create = egress_create,
	.update = egress_update,
	.delete = egress_delete,
	.reader = &cfn_ec2_rule_reader,
};
