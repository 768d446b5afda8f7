/* SPDX-License-Identifier: Apache-2.0 */
/* ec2.c - registration of the EC2 network control plane, what authorization needs to know of it, and the default VPC
 * that every region begins with. */
#include "svc/ec2/ec2_int.h"
#include "svc/services.h"
#include <errno.h>

const struct ec2_ops ec2_ops = {
	.assign_private_ip_addresses = ec2_assign_private_ip_addresses,
	.associate_dhcp_options = ec2_associate_dhcp_options,
	.associate_route_table = ec2_associate_route_table,
	.associate_vpc_cidr_block = ec2_associate_vpc_cidr_block,
	.attach_internet_gateway = ec2_attach_internet_gateway,
	.attach_network_interface = ec2_attach_network_interface,
	.authorize_security_group_egress = ec2_authorize_security_group_egress,
	.authorize_security_group_ingress = ec2_authorize_security_group_ingress,
	.create_default_subnet = ec2_create_default_subnet,
	.create_default_vpc = ec2_create_default_vpc,
	.create_dhcp_options = ec2_create_dhcp_options,
	.create_internet_gateway = ec2_create_internet_gateway,
	.create_managed_prefix_list = ec2_create_managed_prefix_list,
	.create_network_acl = ec2_create_network_acl,
	.create_network_acl_entry = ec2_create_network_acl_entry,
	.create_network_interface = ec2_create_network_interface,
	.create_route = ec2_create_route,
	.create_route_table = ec2_create_route_table,
	.create_security_group = ec2_create_security_group,
	.create_subnet = ec2_create_subnet,
	.create_tags = ec2_create_tags,
	.create_vpc = ec2_create_vpc,
	.create_vpc_endpoint = ec2_create_vpc_endpoint,
	.delete_dhcp_options = ec2_delete_dhcp_options,
	.delete_internet_gateway = ec2_delete_internet_gateway,
	.delete_managed_prefix_list = ec2_delete_managed_prefix_list,
	.delete_network_acl = ec2_delete_network_acl,
	.delete_network_acl_entry = ec2_delete_network_acl_entry,
	.delete_network_interface = ec2_delete_network_interface,
	.delete_route = ec2_delete_route,
	.delete_route_table = ec2_delete_route_table,
	.delete_security_group = ec2_delete_security_group,
	.delete_subnet = ec2_delete_subnet,
	.delete_tags = ec2_delete_tags,
	.delete_vpc = ec2_delete_vpc,
	.delete_vpc_endpoints = ec2_delete_vpc_endpoints,
	.describe_account_attributes = ec2_describe_account_attributes,
	.describe_addresses = ec2_describe_addresses,
	.describe_availability_zones = ec2_describe_availability_zones,
	.describe_dhcp_options = ec2_describe_dhcp_options,
	.describe_internet_gateways = ec2_describe_internet_gateways,
	.describe_managed_prefix_lists = ec2_describe_managed_prefix_lists,
	.describe_network_acls = ec2_describe_network_acls,
	.describe_network_interface_attribute = ec2_describe_network_interface_attribute,
	.describe_network_interfaces = ec2_describe_network_interfaces,
	.describe_prefix_lists = ec2_describe_prefix_lists,
	.describe_regions = ec2_describe_regions,
	.describe_route_tables = ec2_describe_route_tables,
	.describe_security_group_rules = ec2_describe_security_group_rules,
	.describe_security_groups = ec2_describe_security_groups,
	.describe_subnets = ec2_describe_subnets,
	.describe_tags = ec2_describe_tags,
	.describe_vpc_attribute = ec2_describe_vpc_attribute,
	.describe_vpc_endpoint_services = ec2_describe_vpc_endpoint_services,
	.describe_vpc_endpoints = ec2_describe_vpc_endpoints,
	.describe_vpcs = ec2_describe_vpcs,
	.describe_vpn_gateways = ec2_describe_vpn_gateways,
	.detach_internet_gateway = ec2_detach_internet_gateway,
	.detach_network_interface = ec2_detach_network_interface,
	.disassociate_route_table = ec2_disassociate_route_table,
	.disassociate_vpc_cidr_block = ec2_disassociate_vpc_cidr_block,
	.get_managed_prefix_list_associations = ec2_get_managed_prefix_list_associations,
	.get_managed_prefix_list_entries = ec2_get_managed_prefix_list_entries,
	.modify_managed_prefix_list = ec2_modify_managed_prefix_list,
	.modify_network_interface_attribute = ec2_modify_network_interface_attribute,
	.modify_security_group_rules = ec2_modify_security_group_rules,
	.modify_subnet_attribute = ec2_modify_subnet_attribute,
	.modify_vpc_attribute = ec2_modify_vpc_attribute,
	.modify_vpc_endpoint = ec2_modify_vpc_endpoint,
	.modify_vpc_tenancy = ec2_modify_vpc_tenancy,
	.replace_network_acl_association = ec2_replace_network_acl_association,
	.replace_network_acl_entry = ec2_replace_network_acl_entry,
	.replace_route = ec2_replace_route,
	.replace_route_table_association = ec2_replace_route_table_association,
	.reset_network_interface_attribute = ec2_reset_network_interface_attribute,
	.restore_managed_prefix_list_version = ec2_restore_managed_prefix_list_version,
	.revoke_security_group_egress = ec2_revoke_security_group_egress,
	.revoke_security_group_ingress = ec2_revoke_security_group_ingress,
	.unassign_private_ip_addresses = ec2_unassign_private_ip_addresses,
	.update_security_group_rule_descriptions_egress = ec2_update_security_group_rule_descriptions_egress,
	.update_security_group_rule_descriptions_ingress = ec2_update_security_group_rule_descriptions_ingress,
};

/* --- authorization --- */
static void add_key(struct call *c, struct key_set *k, const char *name, struct str value)
{
	key_add(c, k, str_c(name), value);
}

/* Keys that only the resource itself can tell. */
static void resource_keys(struct call *c, enum ec2_kinds k, const void *rec, struct authz_resource *ret)
{
	const struct ec2_kind *d = &ec2_kinds[k];
	struct ec2_rec_group g;
	struct str vpc = STR_NONE;

	for (size_t i = 0; i < ret->tags.n; i++)
		key_add(c, &ret->keys, str_printf(c->arena, "ec2:ResourceTag/%.*s", STR(ret->tags.v[i].key)), ret->tags.v[i].value);
	if (k == EC2_VPC) {
		add_key(c, &ret->keys, "ec2:VpcID", ((const struct ec2_rec_vpc *)rec)->id);
		add_key(c, &ret->keys, "ec2:Tenancy", ((const struct ec2_rec_vpc *)rec)->tenancy);
	} else if (k == EC2_RULE) {
		vpc = ec2_read(c, EC2_GROUP, ((const struct ec2_rec_rule *)rec)->group, &g) == 0 ? g.vpc : STR_NONE;
	} else if (d->parent != SIZE_MAX)
		vpc = *(const struct str *)(const void *)((const char *)rec + d->parent);
	if (k == EC2_INTERFACE) {
		vpc = ((const struct ec2_rec_interface *)rec)->vpc;
		add_key(c, &ret->keys, "ec2:Subnet", ec2_arn(c, EC2_SUBNET, ((const struct ec2_rec_interface *)rec)->subnet));
		add_key(c, &ret->keys, "ec2:AvailabilityZone", ((const struct ec2_rec_interface *)rec)->zone);
	}
	if (k == EC2_ENDPOINT)
		add_key(c, &ret->keys, "ec2:VpceServiceName", ((const struct ec2_rec_endpoint *)rec)->service);
	if (k == EC2_SUBNET)
		add_key(c, &ret->keys, "ec2:AvailabilityZone", ((const struct ec2_rec_subnet *)rec)->zone);
	if (vpc.p)
		add_key(c, &ret->keys, "ec2:Vpc", ec2_arn(c, EC2_VPC, vpc));
}

/* What is not there is judged by its ARN alone: only who may act on it hears that it does not exist. */
static int known_resource(struct call *c, enum ec2_kinds k, struct str id, struct authz_resource *ret)
{
	void *rec = arena_zalloc(c->arena, ec2_kinds[k].size);
	int r = ec2_read(c, k, id, rec);

	ret->arn = ec2_arn(c, k, id);
	if (r == 0) {
		ret->tags = *(const struct str_map *)(const void *)((const char *)rec + ec2_kinds[k].tags);
		resource_keys(c, k, rec, ret);
	}
	return r == -ENOENT ? 0 : r;
}

static int group_by_name(struct call *c, struct str name, struct authz_resource *ret)
{
	struct ec2_rec_group g = { .id = S("*") };
	struct ec2_rec_vpc v;
	int r = ec2_default_vpc(c, &v);

	if (r == 0)
		r = ec2_group_by_name(c, v.id, name, &g);
	return r < 0 && r != -ENOENT ? r : known_resource(c, EC2_GROUP, r == 0 ? g.id : S("*"), ret);
}

/* An association of a route table: the table, or the subnet if it is for one. */
static int association(struct call *c, struct str id, bool subnet, struct authz_resource *ret)
{
	struct ec2_rec_route_table t;
	struct str table;
	int r = ec2_map_get(c, "ec2.assoc", id, STR_NONE, &table);

	if (r == 0)
		r = ec2_read(c, EC2_TABLE, table, &t);
	if (r == -ENOENT)
		return known_resource(c, EC2_TABLE, S("*"), ret);
	if (r < 0)
		return r;
	for (size_t i = 0; i < t.associations.n && subnet; i++)
		if (str_eq(t.associations.v[i].id, id))
			return known_resource(c, EC2_SUBNET, t.associations.v[i].subnet, ret);
	return known_resource(c, EC2_TABLE, table, ret);
}

static int ec2_resource(struct call *c, const char *action, struct str kind, struct str id, struct authz_resource *ret)
{
	const struct ec2_kind *d;
	struct str vpc = S("*");
	int r;

	if (str_is(kind, "defaultvpc")) {
		struct ec2_rec_vpc v;

		r = ec2_default_vpc(c, &v);
		return r < 0 && r != -ENOENT ? r : known_resource(c, EC2_VPC, r == 0 ? v.id : S("*"), ret);
	}
	for (size_t i = 0; i < EC2_KINDS; i++)
		if (str_is(kind, ec2_kinds[i].type))
			return known_resource(c, (enum ec2_kinds)i, id, ret);
	if (str_is(kind, "any")) {
		d = ec2_kind_of_id(id);
		if (d)
			return known_resource(c, (enum ec2_kinds)(d - ec2_kinds), id, ret);
		ret->arn = call_arn(c, "ec2", "%.*s", STR(id));
		return 0;
	}
	if (str_is(kind, "groupname"))
		return group_by_name(c, id, ret);
	if (str_is(kind, "rtbassoc") || str_is(kind, "assocsubnet"))
		return association(c, id, str_is(kind, "assocsubnet"), ret);
	if (str_is(kind, "attachment")) { /* interfaces have no attachments of the customer's yet */
		ret->arn = call_arn(c, "ec2", "network-interface/*");
		return 0;
	}
	if (str_is(kind, "aclassoc")) {
		r = ec2_map_get(c, "ec2.aclassoc", id, STR_NONE, &vpc);
		return r < 0 && r != -ENOENT ? r : known_resource(c, EC2_SUBNET, vpc, ret);
	}
	if (str_is(kind, "vpccidr")) {
		r = ec2_map_get(c, "ec2.block", id, STR_NONE, &vpc);
		return r < 0 && r != -ENOENT ? r : known_resource(c, EC2_VPC, vpc, ret);
	}
	return -EINVAL;
}

/* The VPC that something is being made in. */
static struct str vpc_of(struct call *c)
{
	struct ec2_rec_vpc v;
	struct str id;

	switch ((enum ec2_op)(c->op - ec2_model.ops)) {
	case EC2_OP_CREATE_SUBNET:
		return ((const struct ec2_create_subnet_request *)c->in)->vpc_id;
	case EC2_OP_CREATE_VPC_ENDPOINT:
		return ((const struct ec2_create_vpc_endpoint_request *)c->in)->vpc_id;
	case EC2_OP_CREATE_NETWORK_ACL:
		return ((const struct ec2_create_network_acl_request *)c->in)->vpc_id;
	case EC2_OP_CREATE_ROUTE_TABLE:
		return ((const struct ec2_create_route_table_request *)c->in)->vpc_id;
	case EC2_OP_CREATE_SECURITY_GROUP:
		id = ((const struct ec2_create_security_group_request *)c->in)->vpc_id;
		return id.p ? id : ec2_default_vpc(c, &v) == 0 ? v.id : STR_NONE;
	default:
		return STR_NONE;
	}
}

/* Source: "Actions, resources, and condition keys for Amazon EC2". */
static int ec2_conditions(struct call *c, const char *action, struct key_set *k)
{
	struct str vpc = vpc_of(c);

	key_add(c, k, S("ec2:Region"), call_region(c));
	if (vpc.p && strcmp(action, "ec2:CreateTags") != 0)
		key_add(c, k, S("ec2:Vpc"), ec2_arn(c, EC2_VPC, vpc));
	if (strcmp(action, "ec2:CreateTags") == 0 && strcmp(c->op->name, "CreateTags") != 0)
		key_add(c, k, S("ec2:CreateAction"), str_c(c->op->name));
	return 0;
}

/* Made once: a default VPC that its owner has deleted stays deleted. */
static int ec2_open(struct cloud *cloud, struct region *r, struct store_txn *t, struct arena *a)
{
	struct call c = { .cloud = cloud, .region = r, .txn = t, .arena = a, .account = cloud_account(cloud), .now_ms = clock_now_ms() };
	struct ec2_rec_vpc v;
	struct str mark;
	int e = ec2_map_get(&c, "ec2.made", S("default-vpc"), STR_NONE, &mark);

	if (e != -ENOENT)
		return e;
	e = ec2_default_vpc_make(&c, &v);
	return e < 0 ? e : ec2_map_put(&c, "ec2.made", S("default-vpc"), STR_NONE, v.id);
}

const struct service ec2_service = {
	.model = &ec2_model,
	.principal = "ec2.amazonaws.com",
	.open = ec2_open,
	.resource = ec2_resource,
	.conditions = ec2_conditions,
	.cfn = ec2_cfn,
};
