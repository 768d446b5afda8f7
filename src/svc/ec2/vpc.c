/* SPDX-License-Identifier: Apache-2.0 */
/* vpc.c - VPCs and their blocks of addresses; the default VPC.
 *
 * A VPC is made with its main route table, its default group, its default network ACL and the region's DHCP options, and
 * goes with the first three. Sources: "VPC CIDR blocks", "Default VPCs" (Amazon VPC User Guide). */
#include "svc/ec2/ec2_int.h"
#include <errno.h>

#define VPC_BITS_MIN 16
#define VPC_BITS_MAX 28

static struct cidr4 block4(const char *text)
{
	struct cidr4 c = { 0 };

	(void)cidr4_parse(str_c(text), &c);
	return c;
}

static bool within(struct cidr4 c, const char *outer)
{
	return cidr4_contains(block4(outer), c);
}

static int read_block(struct call *c, struct str text, struct cidr4 *ret)
{
	static const char *const never[] = { "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4" };

	if (cidr4_parse(text, ret) < 0)
		return call_fail(c, &aws_err_invalid_parameter_value,
				 "Value (%.*s) for parameter cidrBlock is invalid. This is not a valid CIDR block.", STR(text));
	if (ret->bits < VPC_BITS_MIN || ret->bits > VPC_BITS_MAX)
		return call_fail(c, &ec2_err_invalid_vpc_range, "The CIDR '%.*s' is invalid.", STR(text));
	for (size_t i = 0; i < ELEMENTS(never); i++)
		if (cidr4_overlaps(block4(never[i]), *ret))
			return call_fail(c, &ec2_err_invalid_vpc_range, "The CIDR '%.*s' is invalid.", STR(text));
	return 0;
}

/* --- making --- */
static int quota(struct call *c)
{
	int64_t n;
	int r = ec2_count(c, EC2_VPC, S(""), &n);

	return r < 0 || n < EC2_VPCS_MAX ? r : call_fail(c, &ec2_err_vpc_limit_exceeded, "The maximum number of VPCs has been reached.");
}

int ec2_vpc_make(struct call *c, struct ec2_rec_vpc *v, struct cidr4 block)
{
	struct ec2_rec_route_table table = { 0 };
	struct ec2_rec_group group = { .name = S("default"), .description = S("default VPC security group") };
	struct ec2_rec_block *b = arena_new(c->arena, struct ec2_rec_block);
	int r;

	v->id = ec2_new_id(c, "vpc");
	v->cidr = cidr4_text(c->arena, block);
	*b = (struct ec2_rec_block){ ec2_new_id(c, "vpc-cidr-assoc"), v->cidr };
	v->blocks = (struct ec2_rec_block_list){ b, 1 };
	v->dns_support = OPT_BOOL(true);
	v->created = OPT_TIME(c->now_ms);
	if (!v->tenancy.p)
		v->tenancy = S("default");
	table.vpc = group.vpc = v->id;
	table.main_association = ec2_new_id(c, "rtbassoc");
	r = ec2_dhcp_default(c, &v->dhcp);
	if (r == 0)
		r = ec2_table_make(c, &table);
	if (r == 0)
		r = ec2_map_put(c, "ec2.assoc", table.main_association, STR_NONE, table.id);
	if (r == 0)
		r = ec2_acl_make(c, v, &v->acl);
	if (r == 0)
		r = ec2_group_make(c, &group, true);
	if (r == 0)
		r = ec2_map_put(c, "ec2.block", b->association, STR_NONE, v->id);
	v->table = table.id;
	v->group = group.id;
	return r < 0 ? r : ec2_insert(c, EC2_VPC, v);
}

static void block_out(struct call *c, const struct ec2_rec_block *b, const char *state, struct ec2_vpc_cidr_block_association *ret)
{
	*ret = (struct ec2_vpc_cidr_block_association){ .association_id = b->association, .cidr_block = b->cidr };
	ret->cidr_block_state = arena_new(c->arena, struct ec2_vpc_cidr_block_state);
	ret->cidr_block_state->state = str_c(state);
}

void ec2_vpc_out(struct call *c, const struct ec2_rec_vpc *v, const char *state, struct ec2_vpc *ret)
{
	*ret = (struct ec2_vpc){ .owner_id = c->account,
				 .instance_tenancy = v->tenancy,
				 .is_default = OPT_BOOL(v->is_default.v),
				 .vpc_id = v->id,
				 .state = str_c(state),
				 .cidr_block = v->cidr,
				 .dhcp_options_id = v->dhcp };
	ret->cidr_block_association_set.n = v->blocks.n;
	ret->cidr_block_association_set.v = arena_array(c->arena, struct ec2_vpc_cidr_block_association, v->blocks.n + 1);
	for (size_t i = 0; i < v->blocks.n; i++)
		block_out(c, &v->blocks.v[i], "associated", &ret->cidr_block_association_set.v[i]);
	EC2_EMPTY(c, ret->ipv6_cidr_block_association_set);
	ret->block_public_access_states = arena_new(c->arena, struct ec2_block_public_access_states);
	ret->block_public_access_states->internet_gateway_block_mode = S("off");
	ec2_tags_out(c, &v->tags, &ret->tags);
}

EC2_HANDLER(create_vpc)
{
	struct ec2_rec_vpc v = { .tenancy = in->instance_tenancy };
	struct cidr4 block;
	int r;

	if (in->amazon_provided_ipv6_cidr_block.v || in->ipv6_pool.p || in->ipv6_cidr_block.p || in->ipv6_cidr_block_network_border_group.p)
		return ec2_not_built(c, "IPv6 in VPCs");
	if (in->ipv4_ipam_pool_id.p || in->ipv4_netmask_length.has || in->ipv6_ipam_pool_id.p || in->ipv6_netmask_length.has)
		return ec2_not_built(c, "IPAM");
	if (in->vpc_encryption_control)
		return ec2_not_built(c, "VPC encryption control");
	if (!in->cidr_block.p)
		return call_fail(c, &aws_err_missing_parameter, "The request must contain the parameter cidrBlock");
	if (str_is(in->instance_tenancy, "host"))
		return call_fail(c, &aws_err_invalid_parameter_value, "Value (host) for parameter instanceTenancy is invalid.");
	r = read_block(c, in->cidr_block, &block);
	if (r == 0)
		r = ec2_tags_take(c, &in->tag_specifications, "vpc", &v.tags);
	if (r == 0)
		r = quota(c);
	if (r == 0)
		r = ec2_vpc_make(c, &v, block);
	if (r < 0)
		return r;
	out->vpc = arena_new(c->arena, struct ec2_vpc);
	ec2_vpc_out(c, &v, "pending", out->vpc);
	return ec2_end(c, in->dry_run);
}

/* --- the default VPC --- */
int ec2_default_vpc(struct call *c, struct ec2_rec_vpc *ret)
{
	struct str id;
	int r = ec2_map_get(c, "ec2.default", S("vpc"), STR_NONE, &id);

	return r < 0 ? r : ec2_read(c, EC2_VPC, id, ret);
}

int ec2_default_vpc_make(struct call *c, struct ec2_rec_vpc *v)
{
	struct ec2_rec_gateway g = { .id = ec2_new_id(c, "igw"), .created = OPT_TIME(c->now_ms) };
	struct ec2_rec_route *route = arena_new(c->arena, struct ec2_rec_route);
	struct ec2_rec_route_table table;
	struct ec2_zone zones[8];
	size_t n = ec2_zones(c, zones);
	int r;

	*v = (struct ec2_rec_vpc){ .is_default = OPT_BOOL(true), .dns_hostnames = OPT_BOOL(true), .igw = g.id };
	r = ec2_vpc_make(c, v, block4("172.31.0.0/16"));
	g.vpc = v->id;
	if (r == 0)
		r = ec2_insert(c, EC2_GATEWAY, &g);
	if (r == 0)
		r = ec2_read(c, EC2_TABLE, v->table, &table);
	if (r < 0)
		return r;
	*route = (struct ec2_rec_route){ .cidr = S("0.0.0.0/0"), .gateway = g.id, .origin = S("CreateRoute") };
	table.routes = (struct ec2_rec_route_list){ route, 1 };
	r = ec2_store(c, EC2_TABLE, &table);
	for (size_t i = 0; i < n && r == 0; i++) {
		struct ec2_rec_subnet s = { .vpc = v->id,
					    .zone = zones[i].name,
					    .zone_id = zones[i].id,
					    .default_for_zone = OPT_BOOL(true),
					    .map_public = OPT_BOOL(true),
					    .acl = v->acl };

		s.cidr = str_printf(c->arena, "172.31.%zu.0/20", 16 * i);
		r = ec2_subnet_make(c, &s);
	}
	return r < 0 ? r : ec2_map_put(c, "ec2.default", S("vpc"), STR_NONE, v->id);
}

EC2_HANDLER(create_default_vpc)
{
	struct ec2_rec_vpc v;
	int r = ec2_default_vpc(c, &v);

	if (r == 0)
		return call_fail(c, &ec2_err_default_vpc_already_exists, "A Default VPC already exists for this account in this region.");
	if (r == -ENOENT)
		r = quota(c);
	if (r == 0)
		r = ec2_default_vpc_make(c, &v);
	if (r < 0)
		return r;
	out->vpc = arena_new(c->arena, struct ec2_vpc);
	ec2_vpc_out(c, &v, "pending", out->vpc);
	return ec2_end(c, in->dry_run);
}

/* --- describing --- */
static void associations(struct ec2_values *v, const void *rec)
{
	const struct ec2_rec_vpc *vpc = rec;

	for (size_t i = 0; i < vpc->blocks.n; i++)
		ec2_value(v, vpc->blocks.v[i].association);
}

static void blocks(struct ec2_values *v, const void *rec)
{
	const struct ec2_rec_vpc *vpc = rec;

	for (size_t i = 0; i < vpc->blocks.n; i++)
		ec2_value(v, vpc->blocks.v[i].cidr);
}

static void nothing(struct ec2_values *v, const void *rec)
{
}

#define F(name, m) EC2_FIELD_STR(name, struct ec2_rec_vpc, m)
static const struct ec2_field vpc_fields[] = {
	F("cidr", cidr),
	F("cidr-block", cidr),
	F("cidrBlock", cidr),
	EC2_FIELD_FN("cidr-block-association.association-id", associations),
	EC2_FIELD_FN("cidr-block-association.cidr-block", blocks),
	{ "cidr-block-association.state", EC2_CONST, .constant = "associated" },
	F("dhcp-options-id", dhcp),
	F("dhcpOptionsId", dhcp),
	EC2_FIELD_BOOL("is-default", struct ec2_rec_vpc, is_default),
	EC2_FIELD_BOOL("isDefault", struct ec2_rec_vpc, is_default),
	{ "owner-id", EC2_OWNER },
	{ "state", EC2_CONST, .constant = "available" },
	EC2_FIELD_FN("ipv6-cidr-block-association.association-id", nothing),
	EC2_FIELD_FN("ipv6-cidr-block-association.ipv6-cidr-block", nothing),
	EC2_FIELD_FN("ipv6-cidr-block-association.ipv6-pool", nothing),
	EC2_FIELD_FN("ipv6-cidr-block-association.state", nothing),
	{ "vpc-id", EC2_ID, offsetof(struct ec2_rec_vpc, id) },
	{ 0 },
};
#undef F

struct vpc_page {
	struct ec2_describe_vpcs_result *out;
	size_t cap;
};

static int emit_vpc(struct call *c, const void *rec, void *arg)
{
	struct vpc_page *p = arg;

	ec2_vpc_out(c, rec, "available", &vec_push(c->arena, p->out->vpcs.v, p->out->vpcs.n, p->cap));
	return 0;
}

EC2_HANDLER(describe_vpcs)
{
	struct ec2_query q = { &in->filters, &in->vpc_ids, in->next_token, in->max_results };
	struct vpc_page page = { out, 0 };
	int r = ec2_list(c, EC2_VPC, vpc_fields, &q, emit_vpc, &page, &out->next_token);

	EC2_EMPTY(c, out->vpcs);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

static struct ec2_attribute_boolean_value *flag(struct call *c, bool v)
{
	struct ec2_attribute_boolean_value *b = arena_new(c->arena, struct ec2_attribute_boolean_value);

	b->value = OPT_BOOL(v);
	return b;
}

EC2_HANDLER(describe_vpc_attribute)
{
	struct ec2_rec_vpc v;
	int r = ec2_load(c, EC2_VPC, in->vpc_id, &v);

	if (r < 0)
		return r;
	out->vpc_id = v.id;
	if (str_is(in->attribute, "enableDnsSupport"))
		out->enable_dns_support = flag(c, v.dns_support.v);
	else if (str_is(in->attribute, "enableDnsHostnames"))
		out->enable_dns_hostnames = flag(c, v.dns_hostnames.v);
	else
		out->enable_network_address_usage_metrics = flag(c, v.usage_metrics.v);
	return ec2_end(c, in->dry_run);
}

EC2_ACTION(modify_vpc_attribute)
{
	struct ec2_rec_vpc v;
	int given = (in->enable_dns_hostnames != NULL) + (in->enable_dns_support != NULL) +
		    (in->enable_network_address_usage_metrics != NULL);
	int r = ec2_load(c, EC2_VPC, in->vpc_id, &v);

	if (r < 0)
		return r;
	if (given == 0)
		return call_fail(c, &aws_err_missing_parameter,
				 "The request must contain the parameter enableDnsHostnames, enableDnsSupport or "
				 "enableNetworkAddressUsageMetrics");
	if (given > 1)
		return call_fail(c, &ec2_err_invalid_parameter_combination, "Only one attribute can be modified at a time");
	if (in->enable_dns_hostnames)
		v.dns_hostnames = OPT_BOOL(in->enable_dns_hostnames->value.v);
	if (in->enable_dns_support)
		v.dns_support = OPT_BOOL(in->enable_dns_support->value.v);
	if (in->enable_network_address_usage_metrics)
		v.usage_metrics = OPT_BOOL(in->enable_network_address_usage_metrics->value.v);
	return ec2_store(c, EC2_VPC, &v);
}

EC2_HANDLER(modify_vpc_tenancy)
{
	struct ec2_rec_vpc v;
	int r = ec2_load(c, EC2_VPC, in->vpc_id, &v);

	v.tenancy = in->instance_tenancy;
	if (r == 0)
		r = ec2_store(c, EC2_VPC, &v);
	out->return_value = OPT_BOOL(true);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

/* --- deleting --- */
static int dependencies(struct call *c, const struct ec2_rec_vpc *v)
{
	static const struct {
		enum ec2_kinds k;
		int own; /* those that go with the VPC */
	} t[] = { { EC2_SUBNET, 0 }, { EC2_GATEWAY, 0 }, { EC2_TABLE, 1 }, { EC2_GROUP, 1 }, { EC2_ACL, 1 }, { EC2_ENDPOINT, 0 } };

	for (size_t i = 0; i < ELEMENTS(t); i++) {
		int64_t n;
		int r = ec2_count(c, t[i].k, v->id, &n);

		if (r < 0)
			return r;
		if (n > t[i].own)
			return call_fail(c, &ec2_err_dependency_violation, "The vpc '%.*s' has dependencies and cannot be deleted.",
					 STR(v->id));
	}
	return 0;
}

/* Users delete default VPCs with their subnets and gateway: those are dependencies as well. */
EC2_ACTION(delete_vpc)
{
	struct ec2_rec_route_table table;
	struct ec2_rec_group group;
	struct ec2_rec_acl acl;
	struct ec2_rec_vpc v;
	int r = ec2_load(c, EC2_VPC, in->vpc_id, &v);

	if (r == 0)
		r = dependencies(c, &v);
	if (r == 0)
		r = ec2_read(c, EC2_TABLE, v.table, &table);
	if (r == 0)
		r = ec2_read(c, EC2_GROUP, v.group, &group);
	if (r == 0)
		r = ec2_read(c, EC2_ACL, v.acl, &acl);
	if (r == 0)
		r = ec2_remove(c, EC2_TABLE, &table);
	if (r == 0)
		r = ec2_map_del(c, "ec2.assoc", table.main_association, STR_NONE);
	if (r == 0)
		r = ec2_group_drop(c, &group);
	if (r == 0)
		r = ec2_remove(c, EC2_ACL, &acl);
	for (size_t i = 0; i < v.blocks.n && r == 0; i++)
		r = ec2_map_del(c, "ec2.block", v.blocks.v[i].association, STR_NONE);
	if (r == 0 && v.is_default.v)
		r = ec2_map_del(c, "ec2.default", S("vpc"), STR_NONE);
	if (r == 0)
		r = ec2_remove(c, EC2_VPC, &v);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

/* --- further blocks --- */
/* A VPC of one private range takes no blocks of the others. Source: "IPv4 CIDR block association restrictions". */
static bool restricted(struct cidr4 first, struct cidr4 c)
{
	static const char *const ranges[] = { "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "198.19.0.0/16" };

	if (within(c, "198.19.0.0/16") && !within(first, "198.19.0.0/16"))
		return true;
	for (size_t i = 0; i < ELEMENTS(ranges); i++)
		if (within(first, ranges[i]))
			for (size_t j = 0; j < ELEMENTS(ranges); j++)
				if (j != i && cidr4_overlaps(block4(ranges[j]), c))
					return true;
	return false;
}

static int block_fits(struct call *c, const struct ec2_rec_vpc *v, struct cidr4 block, struct str text)
{
	struct cidr4 have;

	if (v->blocks.n >= EC2_BLOCKS_PER_VPC_MAX)
		return call_fail(c, &ec2_err_vpc_cidr_block_limit_exceeded,
				 "Network (%.*s) has met its maximum number of allowed CIDRs: %d", STR(v->id), EC2_BLOCKS_PER_VPC_MAX);
	for (size_t i = 0; i < v->blocks.n; i++)
		if (cidr4_parse(v->blocks.v[i].cidr, &have) == 0 && cidr4_overlaps(have, block))
			return call_fail(c, &ec2_err_invalid_vpc_range, "The CIDR '%.*s' conflicts with another CIDR block of the VPC.",
					 STR(text));
	if (cidr4_parse(v->cidr, &have) == 0 && restricted(have, block))
		return call_fail(
			c, &ec2_err_invalid_vpc_range,
			"The CIDR '%.*s' is restricted. Use a CIDR from the same private address range as the current VPC CIDR, or use a "
			"publicly-routable CIDR. For additional restrictions, see "
			"https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Subnets.html#add-cidr-block-restrictions",
			STR(text));
	return 0;
}

EC2_HANDLER(associate_vpc_cidr_block)
{
	struct ec2_rec_block *b;
	struct ec2_rec_vpc v;
	struct cidr4 block;
	int r;

	if (in->amazon_provided_ipv6_cidr_block.v || in->ipv6_pool.p || in->ipv6_cidr_block.p || in->ipv6_cidr_block_network_border_group.p)
		return ec2_not_built(c, "IPv6 in VPCs");
	if (in->ipv4_ipam_pool_id.p || in->ipv4_netmask_length.has || in->ipv6_ipam_pool_id.p || in->ipv6_netmask_length.has)
		return ec2_not_built(c, "IPAM");
	if (!in->cidr_block.p)
		return call_fail(c, &aws_err_missing_parameter, "The request must contain the parameter cidrBlock");
	r = ec2_load(c, EC2_VPC, in->vpc_id, &v);
	if (r == 0)
		r = read_block(c, in->cidr_block, &block);
	if (r == 0)
		r = block_fits(c, &v, block, in->cidr_block);
	if (r < 0)
		return r;
	b = arena_array(c->arena, struct ec2_rec_block, v.blocks.n + 1);
	for (size_t i = 0; i < v.blocks.n; i++)
		b[i] = v.blocks.v[i];
	b[v.blocks.n] = (struct ec2_rec_block){ ec2_new_id(c, "vpc-cidr-assoc"), cidr4_text(c->arena, block) };
	v.blocks.v = b;
	v.blocks.n++;
	out->vpc_id = v.id;
	out->cidr_block_association = arena_new(c->arena, struct ec2_vpc_cidr_block_association);
	block_out(c, &b[v.blocks.n - 1], "associating", out->cidr_block_association);
	r = ec2_map_put(c, "ec2.block", b[v.blocks.n - 1].association, STR_NONE, v.id);
	return r < 0 ? r : ec2_store(c, EC2_VPC, &v);
}

EC2_HANDLER(disassociate_vpc_cidr_block)
{
	struct ec2_rec_block_list left = { 0 };
	struct ec2_rec_vpc v;
	struct cidr4 block;
	struct str id;
	bool used;
	size_t cap = 0;
	int r = ec2_map_get(c, "ec2.block", in->association_id, STR_NONE, &id);

	if (r == -ENOENT)
		return call_fail(c, &ec2_err_invalid_vpc_cidr_block_association_id_not_found,
				 "The vpc CIDR block association ID '%.*s' does not exist", STR(in->association_id));
	if (r == 0)
		r = ec2_read(c, EC2_VPC, id, &v);
	if (r < 0)
		return r;
	for (size_t i = 0; i < v.blocks.n; i++) {
		if (!str_eq(v.blocks.v[i].association, in->association_id)) {
			vec_push(c->arena, left.v, left.n, cap) = v.blocks.v[i];
			continue;
		}
		if (str_eq(v.blocks.v[i].cidr, v.cidr))
			return call_fail(c, &ec2_err_operation_not_permitted,
					 "The vpc CIDR block with association ID %.*s may not be disassociated. It is the primary IPv4 "
					 "CIDR block of the VPC",
					 STR(in->association_id));
		if (cidr4_parse(v.blocks.v[i].cidr, &block) < 0)
			return -EBADMSG;
		r = ec2_subnets_in(c, v.id, block, &used);
		if (r == 0 && used)
			return call_fail(c, &ec2_err_dependency_violation,
					 "The vpc CIDR block association '%.*s' has dependencies and cannot be deleted.",
					 STR(in->association_id));
		out->cidr_block_association = arena_new(c->arena, struct ec2_vpc_cidr_block_association);
		block_out(c, &v.blocks.v[i], "disassociating", out->cidr_block_association);
	}
	v.blocks = left;
	out->vpc_id = v.id;
	if (r == 0)
		r = ec2_map_del(c, "ec2.block", in->association_id, STR_NONE);
	return r < 0 ? r : ec2_store(c, EC2_VPC, &v);
}
