/* SPDX-License-Identifier: Apache-2.0 */
/* cfn_read.c - what the parts of a network are, in the form of CloudFormation's properties. */
#include "cfn/reader.h"
#include "svc/ec2/cfn_int.h"
#include <errno.h>

/* The one item with this id; -ENOENT. */
static int the(struct cfn_resource *r, const char *op, const char *list, const char *filter, struct str id, const struct json **ret)
{
	int e = cfn_ec2_find(r, op, list, filter, id, ret);

	return e == 0 && !*ret ? -ENOENT : e;
}

/* --- what is described by its id, and says all about itself --- */
static const struct cfn_member vpc[] = { { "CidrBlock" }, { "InstanceTenancy" }, { "Tags" }, { NULL } };
static const struct cfn_member subnet[] = {
	{ "AssignIpv6AddressOnCreation" },
	{ "AvailabilityZone" },
	{ "AvailabilityZoneId" },
	{ "CidrBlock" },
	{ "EnableDns64" },
	{ "Ipv6Native" },
	{ "MapPublicIpOnLaunch" },
	{ "OutpostArn" },
	{ "PrivateDnsNameOptionsOnLaunch" },
	{ "Tags" },
	{ "VpcId" },
	{ NULL },
};
static const struct cfn_member table[] = { { "VpcId" }, { "Tags" }, { NULL } };
static const struct cfn_member gateway[] = { { "Tags" }, { NULL } };
static struct json *group_ids(struct arena *a, const struct json *v)
{
	struct json *out = json_new(a, JSON_ARRAY);

	for (size_t i = 0; i < v->n; i++)
		json_push(a, out, json_getz(&v->items[i], "GroupId"));
	return out;
}
static const struct cfn_member endpoint[] = {
	{ "DnsOptions" },
	{ "Groups", "SecurityGroupIds", NULL, group_ids },
	{ "IpAddressType" },
	{ "PolicyDocument", NULL, NULL, cfn_as_document },
	{ "PrivateDnsEnabled" },
	{ "RouteTableIds" },
	{ "ServiceName" },
	{ "ServiceRegion" },
	{ "SubnetIds" },
	{ "Tags" },
	{ "VpcEndpointType" },
	{ "VpcId" },
	{ NULL },
};

static const struct {
	const char *type, *op, *list, *filter;
	const struct cfn_member *members;
} described[] = {
	{ "AWS::EC2::InternetGateway", "DescribeInternetGateways", "InternetGateways", "internet-gateway-id", gateway },
	{ "AWS::EC2::NetworkAcl", "DescribeNetworkAcls", "NetworkAcls", "network-acl-id", table },
	{ "AWS::EC2::RouteTable", "DescribeRouteTables", "RouteTables", "route-table-id", table },
	{ "AWS::EC2::Subnet", "DescribeSubnets", "Subnets", "subnet-id", subnet },
	{ "AWS::EC2::VPC", "DescribeVpcs", "Vpcs", "vpc-id", vpc },
	{ "AWS::EC2::VPCEndpoint", "DescribeVpcEndpoints", "VpcEndpoints", "vpc-endpoint-id", endpoint },
};

static int read_described(struct cfn_resource *r)
{
	const struct json *it;
	size_t i = 0;
	int e;

	while (!str_is(r->type, described[i].type))
		i++;
	e = the(r, described[i].op, described[i].list, described[i].filter, r->physical_id, &it);
	if (e < 0)
		return e;
	cfn_is(r, it, described[i].members);
	return str_is(str_lower(r->arena, json_get_str(it, "State")), "deleted") ? -ENOENT : 0;
}

static const struct drift_rule no_numbers[] = { /* what they gave is in the blocks */
						{ "Ipv4IpamPoolId", DRIFT_UNREAD },
						{ "Ipv4NetmaskLength", DRIFT_UNREAD },
						{ "Ipv6IpamPoolId", DRIFT_UNREAD },
						{ "Ipv6NetmaskLength", DRIFT_UNREAD },
						{ NULL }
};
static const struct drift_rule endpoint_rules[] = {
	{ "PolicyDocument", DRIFT_POLICY },
	{ "RouteTableIds", DRIFT_SET },
	{ "SecurityGroupIds", DRIFT_SET },
	{ "SubnetIds", DRIFT_SET },
	{ NULL },
};
const struct cfn_reader cfn_ec2_described_reader = { read_described, no_numbers },
			cfn_ec2_endpoint_reader = { read_described, endpoint_rules };

/* --- AWS::EC2::VPC --- */
static int vpc_flag(struct cfn_resource *r, const char *attribute, const char *property)
{
	struct json *p = cfn_param(r, "VpcId", r->physical_id), *out;
	int e;

	if (!cfn_wanted(r, property))
		return 0;
	json_set_str(r->arena, p, "Attribute", str_c(attribute));
	e = cfn_ask(r, "ec2", "DescribeVpcAttribute", p, "InvalidVpcID.NotFound", &out);
	if (e == 0)
		json_set_bool(r->arena, r->ret_props, property, json_to_bool(json_getz(json_getz(out, property), "Value"), false));
	return e;
}

static int vpc_read(struct cfn_resource *r)
{
	int e = read_described(r);

	if (e == 0)
		e = vpc_flag(r, "enableDnsSupport", "EnableDnsSupport");
	return e < 0 ? e : vpc_flag(r, "enableDnsHostnames", "EnableDnsHostnames");
}
const struct cfn_reader cfn_ec2_vpc_reader = { vpc_read, no_numbers };

/* --- AWS::EC2::Route: "table|destination" --- */
static int route_read(struct cfn_resource *r)
{
	static const char *const destinations[] = { "DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId" };
	struct str id, destination, gateway_id;
	const struct json *t, *routes;
	int e;

	(void)str_cut(r->physical_id, '|', &id, &destination);
	e = the(r, "DescribeRouteTables", "RouteTables", "route-table-id", id, &t);
	routes = json_getz(t, "Routes");
	for (size_t i = 0; e == 0 && routes && i < routes->n; i++)
		for (size_t k = 0; k < ELEMENTS(destinations); k++) {
			if (!str_eq(json_get_str(&routes->items[i], destinations[k]), destination))
				continue;
			r->ret_props = json_copy(r->arena, &routes->items[i]);
			json_set_str(r->arena, r->ret_props, "RouteTableId", id);
			gateway_id = json_get_str(r->ret_props, "GatewayId");
			if (str_starts(gateway_id, S("vpce-")))
				json_set_str(r->arena, r->ret_props, "VpcEndpointId", gateway_id);
			return 0;
		}
	return e < 0 ? e : -ENOENT;
}
const struct cfn_reader cfn_ec2_route_reader = { route_read, NULL };

/* --- AWS::EC2::SubnetRouteTableAssociation, AWS::EC2::VPCGatewayAttachment --- */
static int association_read(struct cfn_resource *r)
{
	static const struct cfn_member parts[] = { { "RouteTableId" }, { "SubnetId" }, { NULL } };
	const struct json *t, *l;
	int e = the(r, "DescribeRouteTables", "RouteTables", "association.route-table-association-id", r->physical_id, &t);

	l = json_getz(t, "Associations");
	for (size_t i = 0; e == 0 && l && i < l->n; i++)
		if (str_eq(json_get_str(&l->items[i], "RouteTableAssociationId"), r->physical_id)) {
			cfn_is(r, &l->items[i], parts);
			return 0;
		}
	return e < 0 ? e : -ENOENT;
}
const struct cfn_reader cfn_ec2_association_reader = { association_read, NULL };

static int attachment_read(struct cfn_resource *r)
{
	const struct json *g;
	int e = the(r, "DescribeInternetGateways", "InternetGateways", "attachment.vpc-id", json_get_str(r->props, "VpcId"), &g);

	if (e < 0)
		return e;
	r->ret_props = cfn_param(r, "VpcId", json_get_str(r->props, "VpcId"));
	json_set_str(r->arena, r->ret_props, "InternetGatewayId", json_get_str(g, "InternetGatewayId"));
	return 0;
}
const struct cfn_reader cfn_ec2_attachment_reader = { attachment_read, NULL };

/* --- security groups --- */
static const struct cfn_member rule_members[] = {
	{ "CidrIpv4", "CidrIp" }, { "CidrIpv6" }, { "Description" }, { "FromPort" }, { "GroupId" },
	{ "IpProtocol" },         { "ToPort" },   { NULL },
};

/* A rule as templates write it. */
static struct json *rule(struct cfn_resource *r, const struct json *v, bool egress)
{
	static const struct cfn_member in[] = { { "PrefixListId", "SourcePrefixListId" },
						{ "ReferencedGroupInfo.GroupId", "SourceSecurityGroupId" },
						{ "ReferencedGroupInfo.UserId", "SourceSecurityGroupOwnerId" },
						{ NULL } };
	static const struct cfn_member out[] = { { "PrefixListId", "DestinationPrefixListId" },
						 { "ReferencedGroupInfo.GroupId", "DestinationSecurityGroupId" },
						 { NULL } };
	struct json *x = json_new(r->arena, JSON_OBJECT);

	cfn_take(r->arena, v, rule_members, x);
	cfn_take(r->arena, v, egress ? out : in, x);
	return x;
}

static bool of_sibling(const struct cfn_resource *r, struct str rule_id)
{
	for (size_t i = 0; i < r->n_siblings; i++)
		if (str_eq(r->siblings[i].physical_id, rule_id))
			return true;
	return false;
}

/* "Everything may leave" is what a group has whose template says nothing of it. */
static bool all_out(const struct json *v)
{
	return str_is(json_get_str(v, "IpProtocol"), "-1") && str_is(json_get_str(v, "CidrIpv4"), "0.0.0.0/0") &&
	       !json_getz(v, "Description");
}

static int group_rules(struct cfn_resource *r, const struct json **ret)
{
	struct json *p = json_new(r->arena, JSON_OBJECT), *filters = json_new(r->arena, JSON_ARRAY), *ids = json_new(r->arena, JSON_ARRAY),
		    *f = cfn_param(r, "Name", S("group-id")), *all = json_new(r->arena, JSON_ARRAY), *out;
	int e;

	json_push(r->arena, ids, json_new_str(r->arena, r->physical_id));
	json_set(r->arena, f, S("Values"), ids);
	json_push(r->arena, filters, f);
	json_set(r->arena, p, S("Filters"), filters);
	do {
		const struct json *l;

		e = cfn_ask(r, "ec2", "DescribeSecurityGroupRules", p, "", &out);
		l = json_getz(out, "SecurityGroupRules");
		for (size_t i = 0; e == 0 && l && i < l->n; i++)
			json_push(r->arena, all, &l->items[i]);
		json_set_str(r->arena, p, "NextToken", json_get_str(out, "NextToken"));
	} while (e == 0 && json_get_str(out, "NextToken").n);
	*ret = all;
	return e;
}

/* Rules that other resources of the stack have made are theirs. */
static int group_read(struct cfn_resource *r)
{
	static const struct cfn_member parts[] = {
		{ "Description", "GroupDescription" }, { "GroupName" }, { "Tags" }, { "VpcId" }, { NULL }
	};
	struct json *in = json_new(r->arena, JSON_ARRAY), *out = json_new(r->arena, JSON_ARRAY);
	const struct json *g, *l, *egress = json_getz(r->props, "SecurityGroupEgress");
	int e = the(r, "DescribeSecurityGroups", "SecurityGroups", "group-id", r->physical_id, &g);

	if (e < 0)
		return e;
	cfn_is(r, g, parts);
	if (!cfn_wanted(r, "SecurityGroupIngress SecurityGroupEgress"))
		return 0;
	e = group_rules(r, &l);
	for (size_t i = 0; e == 0 && i < l->n; i++) {
		const struct json *v = &l->items[i];
		bool leaves = json_to_bool(json_getz(v, "IsEgress"), false);

		if (!of_sibling(r, json_get_str(v, "SecurityGroupRuleId")) && !(leaves && egress && !egress->n && all_out(v)))
			json_push(r->arena, leaves ? out : in, rule(r, v, leaves));
	}
	json_set(r->arena, r->ret_props, S("SecurityGroupIngress"), in);
	json_set(r->arena, r->ret_props, S("SecurityGroupEgress"), out);
	return e;
}

static int rule_read(struct cfn_resource *r)
{
	const struct json *v;
	int e = the(r, "DescribeSecurityGroupRules", "SecurityGroupRules", "security-group-rule-id", r->physical_id, &v);

	if (e == 0)
		r->ret_props = rule(r, v, json_to_bool(json_getz(v, "IsEgress"), false));
	return e;
}

static bool same_protocol(struct str a, struct str b)
{
	static const char *const names[][2] = { { "tcp", "6" }, { "udp", "17" }, { "icmp", "1" }, { "icmpv6", "58" }, { "all", "-1" } };

	for (size_t i = 0; i < ELEMENTS(names); i++)
		if ((str_eq_ci(a, str_c(names[i][0])) || str_is(a, names[i][1])) &&
		    (str_eq_ci(b, str_c(names[i][0])) || str_is(b, names[i][1])))
			return true;
	return false;
}

static const struct drift_rule group_rules_of[] = {
	{ "SecurityGroupEgress", DRIFT_SET },
	{ "SecurityGroupEgress.*.IpProtocol", .same = same_protocol },
	{ "SecurityGroupIngress", DRIFT_SET },
	{ "SecurityGroupIngress.*.IpProtocol", .same = same_protocol },
	{ "SecurityGroupIngress.*.SourceSecurityGroupName", DRIFT_UNREAD },
	{ NULL },
};
static const struct drift_rule rule_rules[] = {
	{ "GroupName", DRIFT_UNREAD }, { "IpProtocol", .same = same_protocol }, { "SourceSecurityGroupName", DRIFT_UNREAD }, { NULL }
};
const struct cfn_reader cfn_ec2_group_reader = { group_read, group_rules_of }, cfn_ec2_rule_reader = { rule_read, rule_rules };
