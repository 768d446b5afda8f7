/* SPDX-License-Identifier: Apache-2.0 */
/* subnet.c - subnets: parts of a VPC's blocks that never overlap, each in one zone and with one network ACL. */
#include "svc/ec2/ec2_int.h"
#include <errno.h>

#define SUBNET_BITS_MIN 16
#define SUBNET_BITS_MAX 28

/* Does block overlap with a subnet of the VPC? A VPC has at most some hundred. */
static int overlaps(struct call *c, struct str vpc, struct cidr4 block, bool *ret)
{
	struct ec2_rec_subnet s;
	struct str_list ids;
	struct cidr4 have;
	int r = ec2_child_ids(c, EC2_SUBNET, vpc, &ids);

	*ret = false;
	for (size_t i = 0; i < ids.n && r == 0; i++) {
		r = ec2_read(c, EC2_SUBNET, ids.v[i], &s);
		if (r == 0)
			*ret |= cidr4_parse(s.cidr, &have) < 0 || cidr4_overlaps(have, block);
	}
	return r;
}

int ec2_subnets_in(struct call *c, struct str vpc, struct cidr4 block, bool *ret)
{
	return overlaps(c, vpc, block, ret);
}

int ec2_subnet_make(struct call *c, struct ec2_rec_subnet *s)
{
	int r;

	s->id = ec2_new_id(c, "subnet");
	s->acl_association = ec2_new_id(c, "aclassoc");
	s->hostname_type = S("ip-name");
	s->created = OPT_TIME(c->now_ms);
	r = ec2_acl_join(c, s->acl, s->acl_association, s->id);
	return r < 0 ? r : ec2_insert(c, EC2_SUBNET, s);
}

static void subnet_out(struct call *c, const struct ec2_rec_subnet *s, struct ec2_subnet *ret)
{
	struct cidr4 block = { 0, 32 };
	int64_t free;

	(void)cidr4_parse(s->cidr, &block);
	free = (int64_t)cidr4_size(block) - EC2_RESERVED_ADDRESSES - s->used.v;
	*ret = (struct ec2_subnet){ .availability_zone = s->zone,
				    .availability_zone_id = s->zone_id,
				    .owner_id = c->account,
				    .subnet_id = s->id,
				    .subnet_arn = ec2_arn(c, EC2_SUBNET, s->id),
				    .state = S("available"),
				    .vpc_id = s->vpc,
				    .cidr_block = s->cidr,
				    .available_ip_address_count = OPT_INT(free > 0 ? free : 0),
				    .default_for_az = OPT_BOOL(s->default_for_zone.v),
				    .map_public_ip_on_launch = OPT_BOOL(s->map_public.v),
				    .map_customer_owned_ip_on_launch = OPT_BOOL(false),
				    .assign_ipv6_address_on_creation = OPT_BOOL(false),
				    .enable_dns64 = OPT_BOOL(false),
				    .ipv6_native = OPT_BOOL(false) };
	EC2_EMPTY(c, ret->ipv6_cidr_block_association_set);
	ret->private_dns_name_options_on_launch = arena_new(c->arena, struct ec2_private_dns_name_options_on_launch);
	*ret->private_dns_name_options_on_launch = (struct ec2_private_dns_name_options_on_launch){ s->hostname_type, OPT_BOOL(s->dns_a.v),
												    OPT_BOOL(false) };
	ret->block_public_access_states = arena_new(c->arena, struct ec2_block_public_access_states);
	ret->block_public_access_states->internet_gateway_block_mode = S("off");
	ec2_tags_out(c, &s->tags, &ret->tags);
}

/* --- creating --- */
static int unsupported(struct call *c, const struct ec2_create_subnet_request *in)
{
	if (in->ipv6_cidr_block.p || in->ipv6_native.v || in->ipv6_netmask_length.has)
		return ec2_not_built(c, "IPv6 in subnets");
	if (in->outpost_arn.p)
		return ec2_not_built(c, "Outposts");
	if (in->ipv4_ipam_pool_id.p || in->ipv4_netmask_length.has || in->ipv6_ipam_pool_id.p)
		return ec2_not_built(c, "IPAM");
	return 0;
}

/* The zone by name or id; without either, the region's first. */
static int choose_zone(struct call *c, struct str name, struct str id, struct ec2_zone *ret)
{
	struct ec2_zone zones[8];
	size_t n = ec2_zones(c, zones);

	if (name.p && id.p)
		return call_fail(c, &ec2_err_invalid_parameter_combination,
				 "You cannot specify both AvailabilityZone and AvailabilityZoneId");
	for (size_t i = 0; i < n; i++)
		if ((!name.p && !id.p) || (name.p && str_eq(zones[i].name, name)) || (id.p && str_eq(zones[i].id, id))) {
			*ret = zones[i];
			return 0;
		}
	return call_fail(c, &aws_err_invalid_parameter_value,
			 "Value (%.*s) for parameter %s is invalid. Subnets can currently only be created in the following availability "
			 "zones: %.*s.",
			 STR(name.p ? name : id), name.p ? "availabilityZone" : "availabilityZoneId", STR(ec2_zone_names(c, zones, n)));
}

static int read_block(struct call *c, struct str text, const struct ec2_rec_vpc *v, struct cidr4 *ret)
{
	struct cidr4 have;

	if (cidr4_parse(text, ret) < 0)
		return call_fail(c, &aws_err_invalid_parameter_value,
				 "Value (%.*s) for parameter cidrBlock is invalid. This is not a valid CIDR block.", STR(text));
	for (size_t i = 0; i < v->blocks.n && ret->bits >= SUBNET_BITS_MIN && ret->bits <= SUBNET_BITS_MAX; i++)
		if (cidr4_parse(v->blocks.v[i].cidr, &have) == 0 && cidr4_contains(have, *ret))
			return 0;
	return call_fail(c, &ec2_err_invalid_subnet_range, "The CIDR '%.*s' is invalid.", STR(text));
}

static int room(struct call *c, const struct ec2_rec_vpc *v, struct cidr4 block, struct str text)
{
	bool conflict;
	int64_t n;
	int r = ec2_count(c, EC2_SUBNET, v->id, &n);

	if (r == 0 && n >= EC2_SUBNETS_PER_VPC_MAX)
		return call_fail(c, &ec2_err_subnet_limit_exceeded, "The maximum number of subnets has been reached.");
	if (r == 0)
		r = overlaps(c, v->id, block, &conflict);
	return r < 0 || !conflict
		       ? r
		       : call_fail(c, &ec2_err_invalid_subnet_conflict, "The CIDR '%.*s' conflicts with another subnet", STR(text));
}

EC2_HANDLER(create_subnet)
{
	struct ec2_rec_subnet s = { 0 };
	struct ec2_zone zone;
	struct ec2_rec_vpc v;
	struct cidr4 block;
	int r = unsupported(c, in);

	if (r == 0 && !in->cidr_block.p)
		return call_fail(c, &aws_err_missing_parameter, "The request must contain the parameter cidrBlock");
	if (r == 0)
		r = ec2_load(c, EC2_VPC, in->vpc_id, &v);
	if (r == 0)
		r = choose_zone(c, in->availability_zone, in->availability_zone_id, &zone);
	if (r == 0)
		r = read_block(c, in->cidr_block, &v, &block);
	if (r == 0)
		r = ec2_tags_take(c, &in->tag_specifications, "subnet", &s.tags);
	if (r == 0)
		r = room(c, &v, block, in->cidr_block);
	if (r < 0)
		return r;
	s.vpc = v.id;
	s.acl = v.acl;
	s.zone = zone.name;
	s.zone_id = zone.id;
	s.cidr = cidr4_text(c->arena, block);
	r = ec2_subnet_make(c, &s);
	if (r < 0)
		return r;
	out->subnet = arena_new(c->arena, struct ec2_subnet);
	subnet_out(c, &s, out->subnet);
	return ec2_end(c, in->dry_run);
}

/* The first /20 of the default VPC that no subnet uses. */
static int free_block(struct call *c, struct str vpc, struct str *ret)
{
	for (unsigned i = 0; i < 16; i++) {
		struct cidr4 block;
		bool conflict;
		int r;

		*ret = str_printf(c->arena, "172.31.%u.0/20", 16 * i);
		(void)cidr4_parse(*ret, &block);
		r = overlaps(c, vpc, block, &conflict);
		if (r < 0 || !conflict)
			return r;
	}
	return call_fail(c, &ec2_err_invalid_subnet_conflict, "There is no room for another default subnet in the default VPC.");
}

EC2_HANDLER(create_default_subnet)
{
	struct ec2_rec_subnet s = { .default_for_zone = OPT_BOOL(true), .map_public = OPT_BOOL(true) }, other;
	struct ec2_zone zone;
	struct ec2_rec_vpc v;
	struct str_list ids;
	int r;

	if (in->ipv6_native.v)
		return ec2_not_built(c, "IPv6 in subnets");
	if (!in->availability_zone.p && !in->availability_zone_id.p)
		return call_fail(c, &aws_err_missing_parameter, "The request must contain the parameter AvailabilityZone");
	r = ec2_default_vpc(c, &v);
	if (r == -ENOENT)
		return call_fail(c, &ec2_err_invalid_vpc_id_not_found, "No default VPC for this user");
	if (r == 0)
		r = choose_zone(c, in->availability_zone, in->availability_zone_id, &zone);
	if (r == 0)
		r = ec2_child_ids(c, EC2_SUBNET, v.id, &ids);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ids.n; i++) {
		r = ec2_read(c, EC2_SUBNET, ids.v[i], &other);
		if (r < 0)
			return r;
		if (other.default_for_zone.v && str_eq(other.zone, zone.name))
			return call_fail(c, &ec2_err_default_subnet_already_exists_in_availability_zone, "'%.*s' already exists in %.*s.",
					 STR(other.id), STR(zone.name));
	}
	s.vpc = v.id;
	s.acl = v.acl;
	s.zone = zone.name;
	s.zone_id = zone.id;
	r = free_block(c, v.id, &s.cidr);
	if (r == 0)
		r = ec2_subnet_make(c, &s);
	if (r < 0)
		return r;
	out->subnet = arena_new(c->arena, struct ec2_subnet);
	subnet_out(c, &s, out->subnet);
	return ec2_end(c, in->dry_run);
}

/* --- describing --- */
static void addresses(struct ec2_values *v, const void *rec)
{
	struct ec2_subnet s;

	subnet_out(v->c, rec, &s);
	ec2_value(v, str_printf(v->c->arena, "%lld", (long long)s.available_ip_address_count.v));
}

static void arn(struct ec2_values *v, const void *rec)
{
	ec2_value(v, ec2_arn(v->c, EC2_SUBNET, ((const struct ec2_rec_subnet *)rec)->id));
}

static void nothing(struct ec2_values *v, const void *rec)
{
}

#define F(name, m) EC2_FIELD_STR(name, struct ec2_rec_subnet, m)
#define B(name, m) EC2_FIELD_BOOL(name, struct ec2_rec_subnet, m)
static const struct ec2_field subnet_fields[] = {
	F("availability-zone", zone),
	F("availabilityZone", zone),
	F("availability-zone-id", zone_id),
	F("availabilityZoneId", zone_id),
	EC2_FIELD_FN("available-ip-address-count", addresses),
	F("cidr-block", cidr),
	F("cidr", cidr),
	F("cidrBlock", cidr),
	B("default-for-az", default_for_zone),
	B("defaultForAz", default_for_zone),
	{ "enable-dns64", EC2_CONST, .constant = "false" },
	EC2_FIELD_FN("customer-owned-ipv4-pool", nothing),
	EC2_FIELD_FN("enable-lni-at-device-index", nothing),
	EC2_FIELD_FN("ipv6-cidr-block-association.ipv6-cidr-block", nothing),
	EC2_FIELD_FN("ipv6-cidr-block-association.association-id", nothing),
	EC2_FIELD_FN("ipv6-cidr-block-association.state", nothing),
	{ "ipv6-native", EC2_CONST, .constant = "false" },
	{ "map-customer-owned-ip-on-launch", EC2_CONST, .constant = "false" },
	B("map-public-ip-on-launch", map_public),
	EC2_FIELD_FN("outpost-arn", nothing),
	{ "owner-id", EC2_OWNER },
	F("private-dns-name-options-on-launch.hostname-type", hostname_type),
	B("private-dns-name-options-on-launch.enable-resource-name-dns-a-record", dns_a),
	{ "private-dns-name-options-on-launch.enable-resource-name-dns-aaaa-record", EC2_CONST, .constant = "false" },
	{ "state", EC2_CONST, .constant = "available" },
	EC2_FIELD_FN("subnet-arn", arn),
	{ "subnet-id", EC2_ID, offsetof(struct ec2_rec_subnet, id) },
	{ "vpc-id", EC2_PARENT, offsetof(struct ec2_rec_subnet, vpc) },
	{ 0 },
};

struct subnet_page {
	struct ec2_describe_subnets_result *out;
	size_t cap;
};

static int emit_subnet(struct call *c, const void *rec, void *arg)
{
	struct subnet_page *p = arg;

	subnet_out(c, rec, &vec_push(c->arena, p->out->subnets.v, p->out->subnets.n, p->cap));
	return 0;
}

EC2_HANDLER(describe_subnets)
{
	struct ec2_query q = { &in->filters, &in->subnet_ids, in->next_token, in->max_results };
	struct subnet_page page = { out, 0 };
	int r = ec2_list(c, EC2_SUBNET, subnet_fields, &q, emit_subnet, &page, &out->next_token);

	EC2_EMPTY(c, out->subnets);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

/* --- changing, deleting --- */
EC2_ACTION(modify_subnet_attribute)
{
	struct ec2_rec_subnet s;
	int r = ec2_load(c, EC2_SUBNET, in->subnet_id, &s);

	if (r < 0)
		return r;
	if ((in->assign_ipv6_address_on_creation && in->assign_ipv6_address_on_creation->value.v) ||
	    (in->enable_dns64 && in->enable_dns64->value.v) ||
	    (in->enable_resource_name_dns_aaaa_record_on_launch && in->enable_resource_name_dns_aaaa_record_on_launch->value.v))
		return ec2_not_built(c, "IPv6 in subnets");
	if ((in->map_customer_owned_ip_on_launch && in->map_customer_owned_ip_on_launch->value.v) || in->customer_owned_ipv4_pool.p ||
	    in->enable_lni_at_device_index.has || in->disable_lni_at_device_index)
		return ec2_not_built(c, "Outposts");
	if (in->map_public_ip_on_launch)
		s.map_public = OPT_BOOL(in->map_public_ip_on_launch->value.v);
	if (in->private_dns_hostname_type_on_launch.p)
		s.hostname_type = in->private_dns_hostname_type_on_launch;
	if (in->enable_resource_name_dns_a_record_on_launch)
		s.dns_a = OPT_BOOL(in->enable_resource_name_dns_a_record_on_launch->value.v);
	return ec2_store(c, EC2_SUBNET, &s);
}

/* Its associations go with it; what is in it does not. */
EC2_ACTION(delete_subnet)
{
	struct ec2_rec_subnet s;
	int r = ec2_load(c, EC2_SUBNET, in->subnet_id, &s);

	if (r == 0 && s.used.v > 0)
		return call_fail(c, &ec2_err_dependency_violation, "The subnet '%.*s' has dependencies and cannot be deleted.", STR(s.id));
	if (r == 0)
		r = ec2_acl_leave(c, s.acl, s.id);
	if (r == 0 && s.table.p) {
		r = ec2_table_forget_subnet(c, s.table, s.id);
		if (r == 0)
			r = ec2_map_del(c, "ec2.assoc", s.table_association, STR_NONE);
	}
	if (r == 0)
		r = ec2_remove(c, EC2_SUBNET, &s);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}
