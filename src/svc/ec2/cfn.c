/* SPDX-License-Identifier: Apache-2.0 */
/* cfn.c - AWS::EC2::VPC, Subnet, InternetGateway, VPCCidrBlock, DHCPOptions, VPCDHCPOptionsAssociation, and what all
 * types of EC2 share. */
#include "svc/ec2/cfn_int.h"
#include "svc/ec2/ec2_int.h"

/* --- shared --- */
struct json *cfn_ec2_params(struct cfn_resource *r)
{
	return json_new(r->arena, JSON_OBJECT);
}

void cfn_ec2_copy(struct cfn_resource *r, struct json *params, const struct json *props, const char *const *names)
{
	for (; *names; names++)
		if (json_getz(props, *names))
			json_set(r->arena, params, str_c(*names), json_getz(props, *names));
}

void cfn_ec2_tag_specs(struct cfn_resource *r, struct json *params, const char *type)
{
	struct json *list = json_new(r->arena, JSON_ARRAY), *spec = cfn_ec2_params(r);

	json_set_str(r->arena, spec, "ResourceType", str_c(type));
	json_set(r->arena, spec, S("Tags"), cfn_tags(r));
	json_push(r->arena, list, spec);
	json_set(r->arena, params, S("TagSpecifications"), list);
}

bool cfn_ec2_changed(struct cfn_resource *r, const char *name)
{
	const struct json *a = json_getz(r->props, name), *b = json_getz(r->old_props, name);

	return a && b ? !json_equal(a, b) : a != b;
}

int cfn_ec2_retag(struct cfn_resource *r, struct str id)
{
	const struct json *old = json_getz(r->old_props, "Tags");
	struct json *now = cfn_tags(r), *gone = json_new(r->arena, JSON_ARRAY), *ids = json_new(r->arena, JSON_ARRAY), *p;
	int e = 0;

	json_push(r->arena, ids, json_new_str(r->arena, id));
	for (size_t i = 0; old && i < old->n; i++) {
		bool kept = false;

		for (size_t j = 0; j < now->n; j++)
			kept |= str_eq(json_get_str(&old->items[i], "Key"), json_get_str(&now->items[j], "Key"));
		if (!kept) {
			p = cfn_ec2_params(r);
			json_set_str(r->arena, p, "Key", json_get_str(&old->items[i], "Key"));
			json_push(r->arena, gone, p);
		}
	}
	if (gone->n) {
		p = cfn_ec2_params(r);
		json_set(r->arena, p, S("Resources"), ids);
		json_set(r->arena, p, S("Tags"), gone);
		e = cfn_call(r, "ec2", "DeleteTags", p, NULL, NULL);
	}
	if (e == 0 && now->n) {
		p = cfn_ec2_params(r);
		json_set(r->arena, p, S("Resources"), ids);
		json_set(r->arena, p, S("Tags"), now);
		e = cfn_call(r, "ec2", "CreateTags", p, NULL, NULL);
	}
	return e;
}

bool cfn_ec2_gone(struct str code)
{
	return str_ends(code, S(".NotFound")) || str_is(code, "Gateway.NotAttached");
}

int cfn_ec2_find(struct cfn_resource *r, const char *op, const char *list, const char *filter, struct str value, const struct json **ret)
{
	struct json *p = cfn_ec2_params(r), *filters = json_new(r->arena, JSON_ARRAY), *f = cfn_ec2_params(r),
		    *values = json_new(r->arena, JSON_ARRAY), *out;
	const struct json *found;
	int e;

	json_push(r->arena, values, json_new_str(r->arena, value));
	json_set_str(r->arena, f, "Name", str_c(filter));
	json_set(r->arena, f, S("Values"), values);
	json_push(r->arena, filters, f);
	json_set(r->arena, p, S("Filters"), filters);
	e = cfn_call(r, "ec2", op, p, &out, NULL);
	if (e < 0)
		return e;
	found = json_getz(out, list);
	*ret = json_is(found, JSON_ARRAY) && found->n ? &found->items[0] : NULL;
	return 0;
}

void cfn_ec2_attr(struct cfn_resource *r, const char *name, struct str value)
{
	if (!r->ret_attrs)
		r->ret_attrs = json_new(r->arena, JSON_OBJECT);
	json_set_str(r->arena, r->ret_attrs, name, value);
}

struct str cfn_ec2_token(struct cfn_resource *r)
{
	struct str token = str_printf(r->arena, "%.*s/%.*s", STR(r->token), STR(r->logical_id));
	uint8_t h[32];

	hash_sha256(token.p, token.n, h);
	return hex_encode(r->arena, h, sizeof h);
}

int cfn_ec2_delete(struct cfn_resource *r, const char *op, const char *param, struct str id)
{
	struct json *p = cfn_ec2_params(r);
	struct str code = STR_NONE;
	int e;

	json_set_str(r->arena, p, param, id);
	e = cfn_call(r, "ec2", op, p, NULL, &code);
	return cfn_ec2_gone(code) ? 0 : e;
}

/* --- AWS::EC2::VPC --- */
static int set_flag(struct cfn_resource *r, const char *op, const char *id_name, struct str id, const char *name, bool v)
{
	struct json *p = cfn_ec2_params(r), *flag = cfn_ec2_params(r);

	json_set_str(r->arena, p, id_name, id);
	json_set_bool(r->arena, flag, "Value", v);
	json_set(r->arena, p, str_c(name), flag);
	return cfn_call(r, "ec2", op, p, NULL, NULL);
}

static int vpc_attrs(struct cfn_resource *r, struct str id)
{
	struct json *blocks = json_new(r->arena, JSON_ARRAY), *ids = json_new(r->arena, JSON_ARRAY);
	const struct json *v, *acl, *group = NULL, *set;
	int e = cfn_ec2_find(r, "DescribeVpcs", "Vpcs", "vpc-id", id, &v);

	if (e == 0)
		e = cfn_ec2_find(r, "DescribeNetworkAcls", "NetworkAcls", "vpc-id", id, &acl);
	if (e < 0)
		return e;
	if (!v)
		return cfn_fail(r, "The vpc ID '%.*s' does not exist", STR(id));
	{
		struct json *p = cfn_ec2_params(r), *out;
		const char *const names[2] = { "vpc-id", "group-name" };
		const struct str values[2] = { id, S("default") };
		struct json *filters = json_new(r->arena, JSON_ARRAY);

		for (int i = 0; i < 2; i++) {
			struct json *f = cfn_ec2_params(r), *l = json_new(r->arena, JSON_ARRAY);

			json_push(r->arena, l, json_new_str(r->arena, values[i]));
			json_set_str(r->arena, f, "Name", str_c(names[i]));
			json_set(r->arena, f, S("Values"), l);
			json_push(r->arena, filters, f);
		}
		json_set(r->arena, p, S("Filters"), filters);
		e = cfn_call(r, "ec2", "DescribeSecurityGroups", p, &out, NULL);
		if (e < 0)
			return e;
		group = json_getz(out, "SecurityGroups");
	}
	set = json_getz(v, "CidrBlockAssociationSet");
	for (size_t i = 0; set && i < set->n; i++)
		json_push(r->arena, ids, json_new_str(r->arena, json_get_str(&set->items[i], "AssociationId")));
	cfn_ec2_attr(r, "VpcId", id);
	cfn_ec2_attr(r, "CidrBlock", json_get_str(v, "CidrBlock"));
	cfn_ec2_attr(r, "DefaultNetworkAcl", json_get_str(acl, "NetworkAclId"));
	cfn_ec2_attr(r, "DefaultSecurityGroup", group && group->n ? json_get_str(&group->items[0], "GroupId") : STR_NONE);
	json_set(r->arena, r->ret_attrs, S("CidrBlockAssociations"), ids);
	json_set(r->arena, r->ret_attrs, S("Ipv6CidrBlocks"), blocks);
	return 0;
}

static int vpc_flags(struct cfn_resource *r, struct str id, bool all)
{
	int e = 0;

	/* Host names need resolution: it is switched on first and off last. */
	bool support = json_to_bool(json_getz(r->props, "EnableDnsSupport"), true),
	     names = json_to_bool(json_getz(r->props, "EnableDnsHostnames"), false);
	bool set_support = all ? json_getz(r->props, "EnableDnsSupport") != NULL : cfn_ec2_changed(r, "EnableDnsSupport");
	bool set_names = all ? json_getz(r->props, "EnableDnsHostnames") != NULL : cfn_ec2_changed(r, "EnableDnsHostnames");

	if (set_support && support)
		e = set_flag(r, "ModifyVpcAttribute", "VpcId", id, "EnableDnsSupport", true);
	if (e == 0 && set_names)
		e = set_flag(r, "ModifyVpcAttribute", "VpcId", id, "EnableDnsHostnames", names);
	if (e == 0 && set_support && !support)
		e = set_flag(r, "ModifyVpcAttribute", "VpcId", id, "EnableDnsSupport", false);
	return e;
}

static int vpc_create(struct cfn_resource *r)
{
	static const char *const same[] = { "CidrBlock", "InstanceTenancy", "Ipv4IpamPoolId", "Ipv4NetmaskLength", NULL };
	struct json *p = cfn_ec2_params(r), *out;
	struct str id = r->physical_id;
	int e = 0;

	if (!id.p) {
		cfn_ec2_copy(r, p, r->props, same);
		cfn_ec2_tag_specs(r, p, "vpc");
		e = cfn_call(r, "ec2", "CreateVpc", p, &out, NULL);
		if (e < 0)
			return e;
		id = json_get_str(json_getz(out, "Vpc"), "VpcId");
		e = cfn_note_physical(r, id);
	}
	r->ret_physical_id = id;
	if (e == 0)
		e = vpc_flags(r, id, true);
	return e < 0 ? e : vpc_attrs(r, id);
}

static int vpc_update(struct cfn_resource *r)
{
	struct json *p = cfn_ec2_params(r);
	int e = vpc_flags(r, r->physical_id, false);

	if (e == 0 && cfn_ec2_changed(r, "InstanceTenancy") && str_is(json_get_str(r->old_props, "InstanceTenancy"), "dedicated")) {
		json_set_str(r->arena, p, "VpcId", r->physical_id);
		json_set_str(r->arena, p, "InstanceTenancy", S("default"));
		e = cfn_call(r, "ec2", "ModifyVpcTenancy", p, NULL, NULL);
	}
	return e < 0 ? e : cfn_ec2_retag(r, r->physical_id);
}

static int vpc_read(struct cfn_resource *r)
{
	return vpc_attrs(r, r->physical_id);
}

static int vpc_delete(struct cfn_resource *r)
{
	return cfn_ec2_delete(r, "DeleteVpc", "VpcId", r->physical_id);
}

static bool vpc_replaces(struct cfn_resource *r, struct str property)
{
	struct str now = json_get_str(r->props, "InstanceTenancy");

	return !(str_is(json_get_str(r->old_props, "InstanceTenancy"), "dedicated") && (!now.p || str_is(now, "default")));
}

static const struct cfn_property vpc_properties[] = {
	{ "CidrBlock", CFN_REPLACE, false },
	{ "EnableDnsHostnames", CFN_UPDATE, false },
	{ "EnableDnsSupport", CFN_UPDATE, false },
	{ "InstanceTenancy", CFN_CONDITIONAL, false },
	{ "Ipv4IpamPoolId", CFN_REPLACE, false },
	{ "Ipv4NetmaskLength", CFN_REPLACE, false },
	{ "Tags", CFN_UPDATE, false },
	{ NULL, 0, false },
};
static const char *const vpc_attributes[] = {
	"VpcId", "CidrBlock", "CidrBlockAssociations", "DefaultNetworkAcl", "DefaultSecurityGroup", "Ipv6CidrBlocks", NULL
};
static const struct cfn_type vpc_type = {
	.name = "AWS::EC2::VPC",
	.properties = vpc_properties,
	.attributes = vpc_attributes,
	.create = vpc_create,
	.update = vpc_update,
	.delete = vpc_delete,
	.replaces = vpc_replaces,
	.read = vpc_read,
	.reader = &cfn_ec2_vpc_reader,
};

/* --- AWS::EC2::Subnet --- */
static int subnet_attrs(struct cfn_resource *r, struct str id)
{
	static const char *const same[] = { "SubnetId", "AvailabilityZone", "AvailabilityZoneId", "CidrBlock", "VpcId" };
	const struct json *s, *acl, *l;
	int e = cfn_ec2_find(r, "DescribeSubnets", "Subnets", "subnet-id", id, &s);

	if (e == 0)
		e = cfn_ec2_find(r, "DescribeNetworkAcls", "NetworkAcls", "association.subnet-id", id, &acl);
	if (e < 0)
		return e;
	if (!s)
		return cfn_fail(r, "The subnet ID '%.*s' does not exist", STR(id));
	for (size_t i = 0; i < ELEMENTS(same); i++)
		cfn_ec2_attr(r, same[i], json_get_str(s, same[i]));
	l = json_getz(acl, "Associations");
	for (size_t i = 0; l && i < l->n; i++)
		if (str_eq(json_get_str(&l->items[i], "SubnetId"), id))
			cfn_ec2_attr(r, "NetworkAclAssociationId", json_get_str(&l->items[i], "NetworkAclAssociationId"));
	json_set(r->arena, r->ret_attrs, S("Ipv6CidrBlocks"), json_new(r->arena, JSON_ARRAY));
	return 0;
}

/* Everything that CreateSubnet doesn't take. */
static int subnet_flags(struct cfn_resource *r, struct str id, bool all)
{
	static const char *const flags[] = { "MapPublicIpOnLaunch", "AssignIpv6AddressOnCreation", "EnableDns64" };
	static const char *const dns[][2] = { { "EnableResourceNameDnsARecord", "EnableResourceNameDnsARecordOnLaunch" },
					      { "EnableResourceNameDnsAAAARecord", "EnableResourceNameDnsAAAARecordOnLaunch" } };
	const struct json *options = json_getz(r->props, "PrivateDnsNameOptionsOnLaunch");
	int e = 0;

	for (size_t i = 0; i < ELEMENTS(flags) && e == 0; i++)
		if (all ? json_getz(r->props, flags[i]) != NULL : cfn_ec2_changed(r, flags[i]))
			e = set_flag(r, "ModifySubnetAttribute", "SubnetId", id, flags[i],
				     json_to_bool(json_getz(r->props, flags[i]), false));
	if (e < 0 || (!all && !cfn_ec2_changed(r, "PrivateDnsNameOptionsOnLaunch")))
		return e;
	if (json_getz(options, "HostnameType")) {
		struct json *p = cfn_ec2_params(r);

		json_set_str(r->arena, p, "SubnetId", id);
		json_set(r->arena, p, S("PrivateDnsHostnameTypeOnLaunch"), json_getz(options, "HostnameType"));
		e = cfn_call(r, "ec2", "ModifySubnetAttribute", p, NULL, NULL);
	}
	for (size_t i = 0; i < ELEMENTS(dns) && e == 0; i++)
		if (json_getz(options, dns[i][0]))
			e = set_flag(r, "ModifySubnetAttribute", "SubnetId", id, dns[i][1],
				     json_to_bool(json_getz(options, dns[i][0]), false));
	return e;
}

static int subnet_create(struct cfn_resource *r)
{
	static const char *const same[] = { "AvailabilityZone",  "AvailabilityZoneId", "CidrBlock",      "Ipv4IpamPoolId",
					    "Ipv4NetmaskLength", "Ipv6CidrBlock",      "Ipv6IpamPoolId", "Ipv6Native",
					    "Ipv6NetmaskLength", "OutpostArn",         "VpcId",          NULL };
	struct json *p = cfn_ec2_params(r), *out;
	struct str id = r->physical_id;
	int e = 0;

	if (!id.p) {
		cfn_ec2_copy(r, p, r->props, same);
		cfn_ec2_tag_specs(r, p, "subnet");
		e = cfn_call(r, "ec2", "CreateSubnet", p, &out, NULL);
		if (e < 0)
			return e;
		id = json_get_str(json_getz(out, "Subnet"), "SubnetId");
		e = cfn_note_physical(r, id);
	}
	r->ret_physical_id = id;
	if (e == 0)
		e = subnet_flags(r, id, true);
	return e < 0 ? e : subnet_attrs(r, id);
}

static int subnet_update(struct cfn_resource *r)
{
	int e;

	if (cfn_ec2_changed(r, "Ipv6CidrBlock"))
		return cfn_fail(r, "IPv6 in subnets is not implemented by this cloud.");
	e = subnet_flags(r, r->physical_id, false);
	return e < 0 ? e : cfn_ec2_retag(r, r->physical_id);
}

static int subnet_read(struct cfn_resource *r)
{
	return subnet_attrs(r, r->physical_id);
}

static int subnet_delete(struct cfn_resource *r)
{
	return cfn_ec2_delete(r, "DeleteSubnet", "SubnetId", r->physical_id);
}

static const struct cfn_property subnet_properties[] = {
	{ "AssignIpv6AddressOnCreation", CFN_UPDATE, false },
	{ "AvailabilityZone", CFN_REPLACE, false },
	{ "AvailabilityZoneId", CFN_REPLACE, false },
	{ "CidrBlock", CFN_REPLACE, false },
	{ "EnableDns64", CFN_UPDATE, false },
	{ "Ipv4IpamPoolId", CFN_REPLACE, false },
	{ "Ipv4NetmaskLength", CFN_REPLACE, false },
	{ "Ipv6CidrBlock", CFN_UPDATE, false },
	{ "Ipv6IpamPoolId", CFN_REPLACE, false },
	{ "Ipv6Native", CFN_REPLACE, false },
	{ "Ipv6NetmaskLength", CFN_REPLACE, false },
	{ "MapPublicIpOnLaunch", CFN_UPDATE, false },
	{ "OutpostArn", CFN_REPLACE, false },
	{ "PrivateDnsNameOptionsOnLaunch", CFN_UPDATE, false },
	{ "Tags", CFN_UPDATE, false },
	{ "VpcId", CFN_REPLACE, true },
	{ NULL, 0, false },
};
static const char *const subnet_attributes[] = { "SubnetId", "AvailabilityZone",        "AvailabilityZoneId", "CidrBlock",
						 "VpcId",    "NetworkAclAssociationId", "Ipv6CidrBlocks",     NULL };
static const struct cfn_type subnet_type = {
	.name = "AWS::EC2::Subnet",
	.properties = subnet_properties,
	.attributes = subnet_attributes,
	.create = subnet_create,
	.update = subnet_update,
	.delete = subnet_delete,
	.read = subnet_read,
	.reader = &cfn_ec2_described_reader,
};

/* --- AWS::EC2::InternetGateway --- */
static int gateway_create(struct cfn_resource *r)
{
	struct json *p = cfn_ec2_params(r), *out;
	struct str id = r->physical_id;
	int e = 0;

	if (!id.p) {
		cfn_ec2_tag_specs(r, p, "internet-gateway");
		e = cfn_call(r, "ec2", "CreateInternetGateway", p, &out, NULL);
		if (e < 0)
			return e;
		id = json_get_str(json_getz(out, "InternetGateway"), "InternetGatewayId");
		e = cfn_note_physical(r, id);
	}
	r->ret_physical_id = id;
	cfn_ec2_attr(r, "InternetGatewayId", id);
	return e;
}

static int gateway_update(struct cfn_resource *r)
{
	return cfn_ec2_retag(r, r->physical_id);
}

static int gateway_delete(struct cfn_resource *r)
{
	return cfn_ec2_delete(r, "DeleteInternetGateway", "InternetGatewayId", r->physical_id);
}

static const struct cfn_property gateway_properties[] = { { "Tags", CFN_UPDATE, false }, { NULL, 0, false } };
static const char *const gateway_attributes[] = { "InternetGatewayId", NULL };
static const struct cfn_type gateway_type = {
	.name = "AWS::EC2::InternetGateway",
	.properties = gateway_properties,
	.attributes = gateway_attributes,
	.create = gateway_create,
	.update = gateway_update,
	.delete = gateway_delete,
	.reader = &cfn_ec2_described_reader,
};

/* --- AWS::EC2::VPCCidrBlock: "association|vpc" --- */
static int block_create(struct cfn_resource *r)
{
	static const char *const same[] = { "AmazonProvidedIpv6CidrBlock",
					    "CidrBlock",
					    "Ipv4IpamPoolId",
					    "Ipv4NetmaskLength",
					    "Ipv6CidrBlock",
					    "Ipv6CidrBlockNetworkBorderGroup",
					    "Ipv6IpamPoolId",
					    "Ipv6NetmaskLength",
					    "Ipv6Pool",
					    "VpcId",
					    NULL };
	struct json *p = cfn_ec2_params(r), *out;
	struct str id = r->physical_id, association;
	int e = 0;

	if (!id.p) {
		cfn_ec2_copy(r, p, r->props, same);
		e = cfn_call(r, "ec2", "AssociateVpcCidrBlock", p, &out, NULL);
		if (e < 0)
			return e;
		id = str_printf(r->arena, "%.*s|%.*s", STR(json_get_str(json_getz(out, "CidrBlockAssociation"), "AssociationId")),
				STR(json_get_str(out, "VpcId")));
		e = cfn_note_physical(r, id);
	}
	r->ret_physical_id = id;
	(void)str_cut(id, '|', &association, &(struct str){ 0 });
	cfn_ec2_attr(r, "Id", association);
	return e;
}

static int block_delete(struct cfn_resource *r)
{
	struct str association, vpc;

	(void)str_cut(r->physical_id, '|', &association, &vpc);
	return cfn_ec2_delete(r, "DisassociateVpcCidrBlock", "AssociationId", association);
}

static const struct cfn_property block_properties[] = {
	{ "AmazonProvidedIpv6CidrBlock", CFN_REPLACE, false },
	{ "CidrBlock", CFN_REPLACE, false },
	{ "Ipv4IpamPoolId", CFN_REPLACE, false },
	{ "Ipv4NetmaskLength", CFN_REPLACE, false },
	{ "Ipv6CidrBlock", CFN_REPLACE, false },
	{ "Ipv6CidrBlockNetworkBorderGroup", CFN_REPLACE, false },
	{ "Ipv6IpamPoolId", CFN_REPLACE, false },
	{ "Ipv6NetmaskLength", CFN_REPLACE, false },
	{ "Ipv6Pool", CFN_REPLACE, false },
	{ "VpcId", CFN_REPLACE, true },
	{ NULL, 0, false },
};
static const char *const block_attributes[] = { "Id", NULL };
static const struct cfn_type block_type = {
	.name = "AWS::EC2::VPCCidrBlock",
	.properties = block_properties,
	.attributes = block_attributes,
	.create = block_create,
	.delete = block_delete,
};

/* --- AWS::EC2::DHCPOptions, AWS::EC2::VPCDHCPOptionsAssociation --- */
static int dhcp_create(struct cfn_resource *r)
{
	static const char *const names[][2] = { { "DomainName", "domain-name" },
						{ "DomainNameServers", "domain-name-servers" },
						{ "Ipv6AddressPreferredLeaseTime", "ipv6-address-preferred-lease-time" },
						{ "NetbiosNameServers", "netbios-name-servers" },
						{ "NetbiosNodeType", "netbios-node-type" },
						{ "NtpServers", "ntp-servers" } };
	struct json *p = cfn_ec2_params(r), *list = json_new(r->arena, JSON_ARRAY), *out;
	struct str id = r->physical_id;
	int e = 0;

	for (size_t i = 0; i < ELEMENTS(names) && !id.p; i++) {
		const struct json *v = json_getz(r->props, names[i][0]);
		struct json *c = cfn_ec2_params(r), *values = json_new(r->arena, JSON_ARRAY);

		if (!v)
			continue;
		for (size_t j = 0; json_is(v, JSON_ARRAY) && j < v->n; j++)
			json_push(r->arena, values, json_new_str(r->arena, json_scalar(&v->items[j])));
		if (!json_is(v, JSON_ARRAY))
			json_push(r->arena, values, json_new_str(r->arena, json_scalar(v)));
		json_set_str(r->arena, c, "Key", str_c(names[i][1]));
		json_set(r->arena, c, S("Values"), values);
		json_push(r->arena, list, c);
	}
	if (!id.p) {
		json_set(r->arena, p, S("DhcpConfigurations"), list);
		cfn_ec2_tag_specs(r, p, "dhcp-options");
		e = cfn_call(r, "ec2", "CreateDhcpOptions", p, &out, NULL);
		if (e < 0)
			return e;
		id = json_get_str(json_getz(out, "DhcpOptions"), "DhcpOptionsId");
		e = cfn_note_physical(r, id);
	}
	r->ret_physical_id = id;
	cfn_ec2_attr(r, "DhcpOptionsId", id);
	return e;
}

static int dhcp_delete(struct cfn_resource *r)
{
	return cfn_ec2_delete(r, "DeleteDhcpOptions", "DhcpOptionsId", r->physical_id);
}

static const struct cfn_property dhcp_properties[] = {
	{ "DomainName", CFN_REPLACE, false },
	{ "DomainNameServers", CFN_REPLACE, false },
	{ "Ipv6AddressPreferredLeaseTime", CFN_REPLACE, false },
	{ "NetbiosNameServers", CFN_REPLACE, false },
	{ "NetbiosNodeType", CFN_REPLACE, false },
	{ "NtpServers", CFN_REPLACE, false },
	{ "Tags", CFN_UPDATE, false },
	{ NULL, 0, false },
};
static const char *const dhcp_attributes[] = { "DhcpOptionsId", NULL };
static const struct cfn_type dhcp_type = {
	.name = "AWS::EC2::DHCPOptions",
	.properties = dhcp_properties,
	.attributes = dhcp_attributes,
	.create = dhcp_create,
	.update = gateway_update,
	.delete = dhcp_delete,
};

static int dhcp_join(struct cfn_resource *r)
{
	static const char *const same[] = { "DhcpOptionsId", "VpcId", NULL };
	struct json *p = cfn_ec2_params(r);
	int e;

	cfn_ec2_copy(r, p, r->props, same);
	e = cfn_call(r, "ec2", "AssociateDhcpOptions", p, NULL, NULL); /* the same again changes nothing */
	r->ret_physical_id = str_printf(r->arena, "%.*s|%.*s", STR(json_get_str(r->props, "DhcpOptionsId")),
					STR(json_get_str(r->props, "VpcId")));
	return e;
}

static int dhcp_leave(struct cfn_resource *r)
{
	struct json *p = cfn_ec2_params(r);
	struct str code = STR_NONE;
	int e;

	json_set_str(r->arena, p, "DhcpOptionsId", S("default"));
	json_set_str(r->arena, p, "VpcId", json_get_str(r->old_props, "VpcId"));
	e = cfn_call(r, "ec2", "AssociateDhcpOptions", p, NULL, &code);
	return cfn_ec2_gone(code) ? 0 : e;
}

static const struct cfn_property dhcp_join_properties[] = { { "DhcpOptionsId", CFN_REPLACE, true },
							    { "VpcId", CFN_REPLACE, true },
							    { NULL, 0, false } };
static const char *const no_attributes[] = { NULL };
static const struct cfn_type dhcp_join_type = {
	.name = "AWS::EC2::VPCDHCPOptionsAssociation",
	.properties = dhcp_join_properties,
	.attributes = no_attributes,
	.create = dhcp_join,
	.delete = dhcp_leave,
};

const struct cfn_type *const ec2_cfn[] = {
	&dhcp_type,           &gateway_type,    &cfn_ec2_route,      &cfn_ec2_route_table,     &cfn_ec2_group,
	&cfn_ec2_egress,      &cfn_ec2_ingress, &subnet_type,        &cfn_ec2_association,     &vpc_type,
	&block_type,          &dhcp_join_type,  &cfn_ec2_attachment, &cfn_ec2_endpoint,        &cfn_ec2_interface,
	&cfn_ec2_prefix_list, &cfn_ec2_acl,     &cfn_ec2_acl_entry,  &cfn_ec2_acl_association, NULL,
};
