/* SPDX-License-Identifier: Apache-2.0 */
/* cfn_endpoint.c - AWS::EC2::VPCEndpoint, NetworkInterface, PrefixList, NetworkAcl, NetworkAclEntry,
 * SubnetNetworkAclAssociation. What is created by one call carries the attempt's token, so that it is found again. */
#include "svc/ec2/cfn_int.h"
#include "svc/ec2/ec2_int.h"

static const struct json *items(const struct json *props, const char *name)
{
	static const struct json none = { .type = JSON_ARRAY };
	const struct json *l = json_getz(props, name);

	return json_is(l, JSON_ARRAY) ? l : &none;
}

static bool has(const struct json *list, const struct json *item)
{
	for (size_t i = 0; i < list->n; i++)
		if (json_equal(&list->items[i], item))
			return true;
	return false;
}

/* Puts what list a has and list b has not under a name, if there is any. */
static void put_difference(struct cfn_resource *r, struct json *p, const char *name, const struct json *a, const struct json *b)
{
	struct json *l = json_new(r->arena, JSON_ARRAY);

	for (size_t i = 0; i < a->n; i++)
		if (!has(b, &a->items[i]))
			json_push(r->arena, l, &a->items[i]);
	if (l->n)
		json_set(r->arena, p, str_c(name), l);
}

/* The only item of a description by id; refuses when it is not there. */
static int describe(struct cfn_resource *r, const char *op, const char *ids, const char *list, struct str id, const struct json **ret)
{
	struct json *p = cfn_ec2_params(r), *l = json_new(r->arena, JSON_ARRAY), *out;
	int e;

	json_push(r->arena, l, json_new_str(r->arena, id));
	json_set(r->arena, p, str_c(ids), l);
	e = cfn_call(r, "ec2", op, p, &out, NULL);
	if (e < 0)
		return e;
	if (items(out, list)->n != 1)
		return cfn_fail(r, "%.*s does not exist", STR(id));
	*ret = &items(out, list)->items[0];
	return 0;
}

/* --- AWS::EC2::VPCEndpoint --- */
static void set_policy(struct cfn_resource *r, struct json *p)
{
	const struct json *doc = json_getz(r->props, "PolicyDocument");

	if (doc)
		json_set_str(r->arena, p, "PolicyDocument", json_is(doc, JSON_STRING) ? json_str(doc) : json_text(r->arena, doc));
}

static int endpoint_attrs(struct cfn_resource *r, struct str id)
{
	struct json *names = json_new(r->arena, JSON_ARRAY);
	const struct json *v;
	int e = describe(r, "DescribeVpcEndpoints", "VpcEndpointIds", "VpcEndpoints", id, &v);

	if (e < 0)
		return e;
	for (size_t i = 0; i < items(v, "DnsEntries")->n; i++) {
		const struct json *d = &items(v, "DnsEntries")->items[i];

		json_push(r->arena, names,
			  json_new_str(r->arena, str_printf(r->arena, "%.*s:%.*s", STR(json_get_str(d, "HostedZoneId")),
							    STR(json_get_str(d, "DnsName")))));
	}
	cfn_ec2_attr(r, "Id", id);
	cfn_ec2_attr(r, "CreationTimestamp", json_get_str(v, "CreationTimestamp"));
	json_set(r->arena, r->ret_attrs, S("DnsEntries"), names);
	json_set(r->arena, r->ret_attrs, S("NetworkInterfaceIds"), items(v, "NetworkInterfaceIds"));
	return 0;
}

static int endpoint_create(struct cfn_resource *r)
{
	static const char *const same[] = { "DnsOptions",       "IpAddressType", "ResourceConfigurationArn", "RouteTableIds",
					    "SecurityGroupIds", "ServiceName",   "ServiceNetworkArn",        "ServiceRegion",
					    "SubnetIds",        "VpcId",         "VpcEndpointType",          NULL };
	struct json *p = cfn_ec2_params(r), *out;
	struct str id = r->physical_id;
	int e = 0;

	if (!id.p) {
		cfn_ec2_copy(r, p, r->props, same);
		set_policy(r, p);
		if (str_is(json_get_str(r->props, "VpcEndpointType"), "Interface"))
			json_set_bool(r->arena, p, "PrivateDnsEnabled", json_to_bool(json_getz(r->props, "PrivateDnsEnabled"), false));
		json_set_str(r->arena, p, "ClientToken", cfn_ec2_token(r));
		cfn_ec2_tag_specs(r, p, "vpc-endpoint");
		e = cfn_call(r, "ec2", "CreateVpcEndpoint", p, &out, NULL);
		if (e < 0)
			return e;
		id = json_get_str(json_getz(out, "VpcEndpoint"), "VpcEndpointId");
		e = cfn_note_physical(r, id);
	}
	r->ret_physical_id = id;
	return e < 0 ? e : endpoint_attrs(r, id);
}

static int endpoint_update(struct cfn_resource *r)
{
	static const char *const lists[][3] = { { "RouteTableIds", "AddRouteTableIds", "RemoveRouteTableIds" },
						{ "SubnetIds", "AddSubnetIds", "RemoveSubnetIds" },
						{ "SecurityGroupIds", "AddSecurityGroupIds", "RemoveSecurityGroupIds" } };
	static const char *const same[] = { "DnsOptions", "IpAddressType", NULL };
	struct json *p = cfn_ec2_params(r);
	int e = 0;

	for (size_t i = 0; i < ELEMENTS(lists); i++) {
		const struct json *now = items(r->props, lists[i][0]), *old = items(r->old_props, lists[i][0]);

		put_difference(r, p, lists[i][1], now, old);
		put_difference(r, p, lists[i][2], old, now);
	}
	if (cfn_ec2_changed(r, "PolicyDocument")) {
		set_policy(r, p);
		if (!json_getz(r->props, "PolicyDocument"))
			json_set_bool(r->arena, p, "ResetPolicy", true);
	}
	if (cfn_ec2_changed(r, "PrivateDnsEnabled"))
		json_set_bool(r->arena, p, "PrivateDnsEnabled", json_to_bool(json_getz(r->props, "PrivateDnsEnabled"), false));
	if (cfn_ec2_changed(r, "DnsOptions") || cfn_ec2_changed(r, "IpAddressType"))
		cfn_ec2_copy(r, p, r->props, same);
	if (p->n) {
		json_set_str(r->arena, p, "VpcEndpointId", r->physical_id);
		e = cfn_call(r, "ec2", "ModifyVpcEndpoint", p, NULL, NULL);
	}
	return e < 0 ? e : cfn_ec2_retag(r, r->physical_id);
}

static int endpoint_read(struct cfn_resource *r)
{
	return endpoint_attrs(r, r->physical_id);
}

static int endpoint_delete(struct cfn_resource *r)
{
	struct json *p = cfn_ec2_params(r), *ids = json_new(r->arena, JSON_ARRAY), *out;
	struct str code = STR_NONE;
	int e;

	json_push(r->arena, ids, json_new_str(r->arena, r->physical_id));
	json_set(r->arena, p, S("VpcEndpointIds"), ids);
	e = cfn_call(r, "ec2", "DeleteVpcEndpoints", p, &out, &code); /* one that is not there is told as unsuccessful */
	return cfn_ec2_gone(code) ? 0 : e;
}

static const struct cfn_property endpoint_properties[] = {
	{ "DnsOptions", CFN_UPDATE, false },
	{ "IpAddressType", CFN_UPDATE, false },
	{ "PolicyDocument", CFN_UPDATE, false },
	{ "PrivateDnsEnabled", CFN_UPDATE, false },
	{ "ResourceConfigurationArn", CFN_REPLACE, false },
	{ "RouteTableIds", CFN_UPDATE, false },
	{ "SecurityGroupIds", CFN_UPDATE, false },
	{ "ServiceName", CFN_REPLACE, false },
	{ "ServiceNetworkArn", CFN_REPLACE, false },
	{ "ServiceRegion", CFN_REPLACE, false },
	{ "SubnetIds", CFN_UPDATE, false },
	{ "Tags", CFN_UPDATE, false },
	{ "VpcEndpointType", CFN_REPLACE, false },
	{ "VpcId", CFN_REPLACE, true },
	{ NULL, 0, false },
};
static const char *const endpoint_attributes[] = { "Id", "CreationTimestamp", "DnsEntries", "NetworkInterfaceIds", NULL };
const struct cfn_type cfn_ec2_endpoint = {
	.name = "AWS::EC2::VPCEndpoint",
	.properties = endpoint_properties,
	.attributes = endpoint_attributes,
	.create = endpoint_create,
	.update = endpoint_update,
	.delete = endpoint_delete,
	.read = endpoint_read,
	.reader = &cfn_ec2_endpoint_reader,
};

/* --- AWS::EC2::NetworkInterface --- */
static int interface_attrs(struct cfn_resource *r, struct str id)
{
	struct json *more = json_new(r->arena, JSON_ARRAY);
	const struct json *v, *addresses;
	int e = describe(r, "DescribeNetworkInterfaces", "NetworkInterfaceIds", "NetworkInterfaces", id, &v);

	if (e < 0)
		return e;
	addresses = items(v, "PrivateIpAddresses");
	for (size_t i = 1; i < addresses->n; i++)
		json_push(r->arena, more, json_new_str(r->arena, json_get_str(&addresses->items[i], "PrivateIpAddress")));
	cfn_ec2_attr(r, "Id", id);
	cfn_ec2_attr(r, "VpcId", json_get_str(v, "VpcId"));
	cfn_ec2_attr(r, "PrimaryPrivateIpAddress", json_get_str(v, "PrivateIpAddress"));
	json_set(r->arena, r->ret_attrs, S("SecondaryPrivateIpAddresses"), more);
	return 0;
}

static int modify_interface(struct cfn_resource *r, struct str id, const char *param, const struct json *value)
{
	struct json *p = cfn_ec2_params(r), *boxed = cfn_ec2_params(r);

	json_set(r->arena, boxed, S("Value"), value);
	json_set_str(r->arena, p, "NetworkInterfaceId", id);
	json_set(r->arena, p, str_c(param), json_is(value, JSON_ARRAY) ? value : boxed);
	return cfn_call(r, "ec2", "ModifyNetworkInterfaceAttribute", p, NULL, NULL);
}

static int interface_create(struct cfn_resource *r)
{
	static const char *const same[] = { "Description",
					    "Ipv4PrefixCount",
					    "Ipv4Prefixes",
					    "Ipv6AddressCount",
					    "Ipv6Addresses",
					    "InterfaceType",
					    "PrivateIpAddress",
					    "PrivateIpAddresses",
					    "SecondaryPrivateIpAddressCount",
					    "SubnetId",
					    NULL };
	struct json *p = cfn_ec2_params(r), *out;
	struct str id = r->physical_id;
	int e = 0;

	if (!id.p) {
		cfn_ec2_copy(r, p, r->props, same);
		if (items(r->props, "GroupSet")->n)
			json_set(r->arena, p, S("Groups"), items(r->props, "GroupSet"));
		json_set_str(r->arena, p, "ClientToken", cfn_ec2_token(r));
		cfn_ec2_tag_specs(r, p, "network-interface");
		e = cfn_call(r, "ec2", "CreateNetworkInterface", p, &out, NULL);
		if (e < 0)
			return e;
		id = json_get_str(json_getz(out, "NetworkInterface"), "NetworkInterfaceId");
		e = cfn_note_physical(r, id);
	}
	r->ret_physical_id = id;
	if (e == 0 && json_getz(r->props, "SourceDestCheck"))
		e = modify_interface(r, id, "SourceDestCheck", json_getz(r->props, "SourceDestCheck"));
	return e < 0 ? e : interface_attrs(r, id);
}

static int interface_update(struct cfn_resource *r)
{
	struct str d = json_get_str(r->props, "Description");
	int e = 0;

	if (cfn_ec2_changed(r, "Description"))
		e = modify_interface(r, r->physical_id, "Description", json_new_str(r->arena, d.p ? d : S("")));
	if (e == 0 && cfn_ec2_changed(r, "SourceDestCheck"))
		e = modify_interface(r, r->physical_id, "SourceDestCheck",
				     json_new_bool(r->arena, json_to_bool(json_getz(r->props, "SourceDestCheck"), true)));
	if (e == 0 && cfn_ec2_changed(r, "GroupSet") && items(r->props, "GroupSet")->n)
		e = modify_interface(r, r->physical_id, "Groups", items(r->props, "GroupSet"));
	return e < 0 ? e : cfn_ec2_retag(r, r->physical_id);
}

static int interface_read(struct cfn_resource *r)
{
	return interface_attrs(r, r->physical_id);
}

static int interface_delete(struct cfn_resource *r)
{
	return cfn_ec2_delete(r, "DeleteNetworkInterface", "NetworkInterfaceId", r->physical_id);
}

static const struct cfn_property interface_properties[] = {
	{ "Description", CFN_UPDATE, false },
	{ "GroupSet", CFN_UPDATE, false },
	{ "InterfaceType", CFN_REPLACE, false },
	{ "Ipv4PrefixCount", CFN_REPLACE, false },
	{ "Ipv4Prefixes", CFN_REPLACE, false },
	{ "Ipv6AddressCount", CFN_REPLACE, false },
	{ "Ipv6Addresses", CFN_REPLACE, false },
	{ "PrivateIpAddress", CFN_REPLACE, false },
	{ "PrivateIpAddresses", CFN_REPLACE, false },
	{ "SecondaryPrivateIpAddressCount", CFN_REPLACE, false },
	{ "SourceDestCheck", CFN_UPDATE, false },
	{ "SubnetId", CFN_REPLACE, true },
	{ "Tags", CFN_UPDATE, false },
	{ NULL, 0, false },
};
static const char *const interface_attributes[] = { "Id", "PrimaryPrivateIpAddress", "SecondaryPrivateIpAddresses", "VpcId", NULL };
const struct cfn_type cfn_ec2_interface = {
	.name = "AWS::EC2::NetworkInterface",
	.properties = interface_properties,
	.attributes = interface_attributes,
	.create = interface_create,
	.update = interface_update,
	.delete = interface_delete,
	.read = interface_read,
};

/* --- AWS::EC2::PrefixList --- */
static int list_attrs(struct cfn_resource *r, struct str id)
{
	const struct json *v;
	int e = describe(r, "DescribeManagedPrefixLists", "PrefixListIds", "PrefixLists", id, &v);

	if (e < 0)
		return e;
	cfn_ec2_attr(r, "Arn", json_get_str(v, "PrefixListArn"));
	cfn_ec2_attr(r, "OwnerId", json_get_str(v, "OwnerId"));
	cfn_ec2_attr(r, "PrefixListId", id);
	cfn_ec2_attr(r, "Version", json_get_str(v, "Version"));
	return 0;
}

static int list_create(struct cfn_resource *r)
{
	static const char *const same[] = { "AddressFamily", "Entries", "MaxEntries", "PrefixListName", NULL };
	struct json *p = cfn_ec2_params(r), *out;
	struct str id = r->physical_id;
	int e = 0;

	if (!id.p) {
		cfn_ec2_copy(r, p, r->props, same);
		if (!json_getz(r->props, "MaxEntries"))
			json_set_int(r->arena, p, "MaxEntries", items(r->props, "Entries")->n ? (int64_t)items(r->props, "Entries")->n : 1);
		json_set_str(r->arena, p, "ClientToken", cfn_ec2_token(r));
		cfn_ec2_tag_specs(r, p, "prefix-list");
		e = cfn_call(r, "ec2", "CreateManagedPrefixList", p, &out, NULL);
		if (e < 0)
			return e;
		id = json_get_str(json_getz(out, "PrefixList"), "PrefixListId");
		e = cfn_note_physical(r, id);
	}
	r->ret_physical_id = id;
	return e < 0 ? e : list_attrs(r, id);
}

/* Entries that went, by their block alone: one with a new description is only added again. */
static void put_gone(struct cfn_resource *r, struct json *p)
{
	const struct json *now = items(r->props, "Entries"), *old = items(r->old_props, "Entries");
	struct json *gone = json_new(r->arena, JSON_ARRAY), *one;

	for (size_t i = 0; i < old->n; i++) {
		bool kept = false;

		for (size_t j = 0; j < now->n; j++)
			kept |= str_eq(json_get_str(&old->items[i], "Cidr"), json_get_str(&now->items[j], "Cidr"));
		if (!kept) {
			one = cfn_ec2_params(r);
			json_set_str(r->arena, one, "Cidr", json_get_str(&old->items[i], "Cidr"));
			json_push(r->arena, gone, one);
		}
	}
	if (gone->n)
		json_set(r->arena, p, S("RemoveEntries"), gone);
}

static int list_update(struct cfn_resource *r)
{
	static const char *const shape[] = { "MaxEntries", "PrefixListName", NULL };
	struct json *p = cfn_ec2_params(r);
	const struct json *v;
	int e = 0;

	/* The size and the entries can't change in one call; the size goes first when it grows, and entries first when it shrinks. */
	if (cfn_ec2_changed(r, "MaxEntries") || cfn_ec2_changed(r, "PrefixListName")) {
		cfn_ec2_copy(r, p, r->props, shape);
		json_set_str(r->arena, p, "PrefixListId", r->physical_id);
		e = cfn_call(r, "ec2", "ModifyManagedPrefixList", p, NULL, NULL);
	}
	if (e == 0 && cfn_ec2_changed(r, "Entries")) {
		e = describe(r, "DescribeManagedPrefixLists", "PrefixListIds", "PrefixLists", r->physical_id, &v);
		if (e < 0)
			return e;
		p = cfn_ec2_params(r);
		put_difference(r, p, "AddEntries", items(r->props, "Entries"), items(r->old_props, "Entries"));
		put_gone(r, p);
		json_set_str(r->arena, p, "PrefixListId", r->physical_id);
		json_set(r->arena, p, S("CurrentVersion"), json_getz(v, "Version"));
		e = cfn_call(r, "ec2", "ModifyManagedPrefixList", p, NULL, NULL);
	}
	return e < 0 ? e : cfn_ec2_retag(r, r->physical_id);
}

static int list_read(struct cfn_resource *r)
{
	return list_attrs(r, r->physical_id);
}

static int list_delete(struct cfn_resource *r)
{
	return cfn_ec2_delete(r, "DeleteManagedPrefixList", "PrefixListId", r->physical_id);
}

static const struct cfn_property list_properties[] = {
	{ "AddressFamily", CFN_REPLACE, true }, { "Entries", CFN_UPDATE, false }, { "MaxEntries", CFN_UPDATE, false },
	{ "PrefixListName", CFN_UPDATE, true }, { "Tags", CFN_UPDATE, false },    { NULL, 0, false },
};
static const char *const list_attributes[] = { "Arn", "OwnerId", "PrefixListId", "Version", NULL };
const struct cfn_type cfn_ec2_prefix_list = {
	.name = "AWS::EC2::PrefixList",
	.properties = list_properties,
	.attributes = list_attributes,
	.create = list_create,
	.update = list_update,
	.delete = list_delete,
	.read = list_read,
};

/* --- AWS::EC2::NetworkAcl --- */
static int acl_create(struct cfn_resource *r)
{
	struct json *p = cfn_ec2_params(r), *out;
	struct str id = r->physical_id;
	int e = 0;

	if (!id.p) {
		json_set_str(r->arena, p, "VpcId", json_get_str(r->props, "VpcId"));
		json_set_str(r->arena, p, "ClientToken", cfn_ec2_token(r));
		cfn_ec2_tag_specs(r, p, "network-acl");
		e = cfn_call(r, "ec2", "CreateNetworkAcl", p, &out, NULL);
		if (e < 0)
			return e;
		id = json_get_str(json_getz(out, "NetworkAcl"), "NetworkAclId");
		e = cfn_note_physical(r, id);
	}
	r->ret_physical_id = id;
	cfn_ec2_attr(r, "Id", id);
	return e;
}

static int acl_update(struct cfn_resource *r)
{
	return cfn_ec2_retag(r, r->physical_id);
}

static int acl_delete(struct cfn_resource *r)
{
	return cfn_ec2_delete(r, "DeleteNetworkAcl", "NetworkAclId", r->physical_id);
}

static const struct cfn_property acl_properties[] = { { "Tags", CFN_UPDATE, false }, { "VpcId", CFN_REPLACE, true }, { NULL, 0, false } };
static const char *const id_attributes[] = { "Id", NULL };
const struct cfn_type cfn_ec2_acl = {
	.name = "AWS::EC2::NetworkAcl",
	.properties = acl_properties,
	.attributes = id_attributes,
	.create = acl_create,
	.update = acl_update,
	.delete = acl_delete,
	.reader = &cfn_ec2_described_reader,
};

/* --- AWS::EC2::NetworkAclEntry: "acl|number|egress" --- */
static int entry_call(struct cfn_resource *r, const char *op, struct str *ret_code)
{
	static const char *const same[] = { "CidrBlock", "Ipv6CidrBlock", "NetworkAclId", "PortRange", "RuleAction", "RuleNumber", NULL };
	struct json *p = cfn_ec2_params(r);

	cfn_ec2_copy(r, p, r->props, same);
	json_set_str(r->arena, p, "Protocol", json_get_str(r->props, "Protocol"));
	json_set_bool(r->arena, p, "Egress", json_to_bool(json_getz(r->props, "Egress"), false));
	if (json_getz(r->props, "Icmp"))
		json_set(r->arena, p, S("IcmpTypeCode"), json_getz(r->props, "Icmp"));
	return cfn_call(r, "ec2", op, p, NULL, ret_code);
}

static int entry_create(struct cfn_resource *r)
{
	struct str id = str_printf(r->arena, "%.*s|%.*s|%s", STR(json_get_str(r->props, "NetworkAclId")),
				   STR(json_get_str(r->props, "RuleNumber")),
				   json_to_bool(json_getz(r->props, "Egress"), false) ? "true" : "false");
	int e = r->physical_id.p ? 0 : entry_call(r, "CreateNetworkAclEntry", NULL);

	if (e < 0)
		return e;
	r->ret_physical_id = id;
	cfn_ec2_attr(r, "Id", id);
	return cfn_note_physical(r, id);
}

static int entry_update(struct cfn_resource *r)
{
	return entry_call(r, "ReplaceNetworkAclEntry", NULL);
}

static int entry_delete(struct cfn_resource *r)
{
	static const char *const same[] = { "NetworkAclId", "RuleNumber", NULL };
	struct json *p = cfn_ec2_params(r);
	struct str code = STR_NONE;
	int e;

	cfn_ec2_copy(r, p, r->old_props, same);
	json_set_bool(r->arena, p, "Egress", json_to_bool(json_getz(r->old_props, "Egress"), false));
	e = cfn_call(r, "ec2", "DeleteNetworkAclEntry", p, NULL, &code);
	return cfn_ec2_gone(code) ? 0 : e;
}

static const struct cfn_property entry_properties[] = {
	{ "CidrBlock", CFN_UPDATE, false },    { "Egress", CFN_REPLACE, false },
	{ "Icmp", CFN_UPDATE, false },         { "Ipv6CidrBlock", CFN_UPDATE, false },
	{ "NetworkAclId", CFN_REPLACE, true }, { "PortRange", CFN_UPDATE, false },
	{ "Protocol", CFN_UPDATE, true },      { "RuleAction", CFN_UPDATE, true },
	{ "RuleNumber", CFN_REPLACE, true },   { NULL, 0, false },
};
const struct cfn_type cfn_ec2_acl_entry = {
	.name = "AWS::EC2::NetworkAclEntry",
	.properties = entry_properties,
	.attributes = id_attributes,
	.create = entry_create,
	.update = entry_update,
	.delete = entry_delete,
};

/* --- AWS::EC2::SubnetNetworkAclAssociation --- */
/* The subnet's association now, and the network ACL that it is with. */
static int association_of(struct cfn_resource *r, struct str subnet, struct str *ret_id, const struct json **ret_acl)
{
	int e = cfn_ec2_find(r, "DescribeNetworkAcls", "NetworkAcls", "association.subnet-id", subnet, ret_acl);

	*ret_id = STR_NONE;
	for (size_t i = 0; e == 0 && i < items(*ret_acl, "Associations")->n; i++) {
		const struct json *a = &items(*ret_acl, "Associations")->items[i];

		if (str_eq(json_get_str(a, "SubnetId"), subnet))
			*ret_id = json_get_str(a, "NetworkAclAssociationId");
	}
	return e;
}

static int associate(struct cfn_resource *r, struct str association, struct str acl, struct str *ret_id)
{
	struct json *p = cfn_ec2_params(r), *out;
	int e;

	json_set_str(r->arena, p, "AssociationId", association);
	json_set_str(r->arena, p, "NetworkAclId", acl);
	e = cfn_call(r, "ec2", "ReplaceNetworkAclAssociation", p, &out, NULL);
	*ret_id = e < 0 ? STR_NONE : json_get_str(out, "NewAssociationId");
	return e;
}

static int acl_join(struct cfn_resource *r)
{
	struct str subnet = json_get_str(r->props, "SubnetId"), acl = json_get_str(r->props, "NetworkAclId"), id;
	const struct json *now;
	int e = association_of(r, subnet, &id, &now);

	if (e == 0 && !id.p)
		return cfn_fail(r, "The subnet ID '%.*s' does not exist", STR(subnet));
	if (e == 0 && !str_eq(json_get_str(now, "NetworkAclId"), acl))
		e = associate(r, id, acl, &id);
	if (e < 0)
		return e;
	r->ret_physical_id = id;
	cfn_ec2_attr(r, "AssociationId", id);
	return cfn_note_physical(r, id);
}

/* The subnet goes back to its VPC's default network ACL, unless somebody has given it another since. */
static int acl_leave(struct cfn_resource *r)
{
	const struct json *now, *all = NULL;
	struct str id;
	int e = association_of(r, json_get_str(r->old_props, "SubnetId"), &id, &now);
	struct json *p = cfn_ec2_params(r), *out, *filters = json_new(r->arena, JSON_ARRAY);
	struct str names[2] = { S("vpc-id"), S("default") }, values[2] = { json_get_str(now, "VpcId"), S("true") };

	if (e < 0 || !id.p || !str_eq(json_get_str(now, "NetworkAclId"), json_get_str(r->old_props, "NetworkAclId")))
		return e;
	for (int i = 0; i < 2; i++) {
		struct json *f = cfn_ec2_params(r), *l = json_new(r->arena, JSON_ARRAY);

		json_push(r->arena, l, json_new_str(r->arena, values[i]));
		json_set(r->arena, f, S("Name"), json_new_str(r->arena, names[i]));
		json_set(r->arena, f, S("Values"), l);
		json_push(r->arena, filters, f);
	}
	json_set(r->arena, p, S("Filters"), filters);
	e = cfn_call(r, "ec2", "DescribeNetworkAcls", p, &out, NULL);
	if (e == 0)
		all = items(out, "NetworkAcls");
	return e < 0 || all->n == 0 ? e : associate(r, id, json_get_str(&all->items[0], "NetworkAclId"), &id);
}

static const struct cfn_property join_properties[] = { { "NetworkAclId", CFN_REPLACE, true },
						       { "SubnetId", CFN_REPLACE, true },
						       { NULL, 0, false } };
static const char *const join_attributes[] = { "AssociationId", NULL };
const struct cfn_type cfn_ec2_acl_association = {
	.name = "AWS::EC2::SubnetNetworkAclAssociation",
	.properties = join_properties,
	.attributes = join_attributes,
	.create = acl_join,
	.delete = acl_leave,
};
