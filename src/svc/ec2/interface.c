/* SPDX-License-Identifier: Apache-2.0 */
/* interface.c - network interfaces and the private addresses that they hold.
 *
 * An address of a subnet belongs to one interface ("ec2.ip": subnet, address as eight hex digits), and the subnet counts
 * what is taken. Interfaces are found by group through "ec2.eni". There are no instances to attach them to; those that
 * belong to VPC endpoints are attached to what AWS runs, and only their endpoint may change them. */
#include "svc/ec2/ec2_int.h"
#include <errno.h>

/* Quotas. Source: "Amazon VPC quotas". */
#define INTERFACES_MAX 5000
#define GROUPS_PER_INTERFACE_MAX 5
#define ADDRESSES_PER_INTERFACE_MAX 50
#define DESCRIPTION_MAX 255
#define TRIES 16 /* addresses drawn before the subnet is searched for a free one */

/* --- addresses --- */
static struct str address_text(struct call *c, uint32_t a)
{
	return str_printf(c->arena, "%u.%u.%u.%u", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
}

static int address_parse(struct call *c, struct str s, uint32_t *ret)
{
	struct cidr4 one;
	int r = cidr4_parse(str_printf(c->arena, "%.*s/32", STR(s)), &one);

	*ret = r < 0 ? 0 : one.addr;
	return r;
}

static struct str address_key(struct call *c, uint32_t a)
{
	return str_printf(c->arena, "%08x", a);
}

static int taken(struct call *c, const struct ec2_rec_subnet *s, uint32_t a)
{
	struct str owner;
	int r = ec2_map_get(c, "ec2.ip", s->id, address_key(c, a), &owner);

	return r == 0 ? 1 : r == -ENOENT ? 0 : r;
}

/* A free address: some are drawn by chance; in a subnet that is nearly full the first gap is looked for. */
static int choose(struct call *c, const struct ec2_rec_subnet *s, struct cidr4 block, uint32_t *ret)
{
	uint32_t usable = (uint32_t)(cidr4_size(block) - EC2_RESERVED_ADDRESSES), draw;
	struct str_list used;
	int r = 1;

	if (s->used.v >= usable)
		return call_fail(c, &ec2_err_insufficient_free_addresses_in_subnet,
				 "The subnet '%.*s' does not have enough free addresses to satisfy the request.", STR(s->id));
	for (int i = 0; i < TRIES && r == 1; i++) {
		random_bytes(&draw, sizeof draw);
		*ret = block.addr + EC2_RESERVED_ADDRESSES - 1 + draw % usable;
		r = taken(c, s, *ret);
	}
	if (r <= 0)
		return r;
	r = ec2_map_list(c, "ec2.ip", s->id, &used);
	*ret = block.addr + EC2_RESERVED_ADDRESSES - 1;
	for (size_t i = 0; i < used.n && r == 0 && str_eq(used.v[i], address_key(c, *ret)); i++)
		++*ret;
	return r;
}

static int check_wanted(struct call *c, const struct ec2_rec_subnet *s, struct cidr4 block, struct str text, uint32_t *ret)
{
	uint64_t place;
	int r;

	if (address_parse(c, text, ret) < 0)
		return call_fail(c, &aws_err_invalid_parameter_value, "invalid value for parameter address: %.*s", STR(text));
	place = (uint64_t)*ret - block.addr;
	if (*ret < block.addr || place >= cidr4_size(block))
		return call_fail(c, &aws_err_invalid_parameter_value, "Address does not fall within the subnet's address range");
	if (place < EC2_RESERVED_ADDRESSES - 1 || place == cidr4_size(block) - 1)
		return call_fail(c, &aws_err_invalid_parameter_value, "Address is in subnet's reserved address range");
	r = taken(c, s, *ret);
	return r == 1 ? call_fail(c, &ec2_err_invalid_ip_address_in_use, "Address %.*s is in use.", STR(text)) : r;
}

int ec2_address_take(struct call *c, struct ec2_rec_subnet *s, struct str wanted, struct ec2_rec_interface *i)
{
	struct cidr4 block;
	uint32_t a = 0;
	int r = cidr4_parse(s->cidr, &block);

	if (r == 0)
		r = wanted.p ? check_wanted(c, s, block, wanted, &a) : choose(c, s, block, &a);
	if (r == 0)
		r = ec2_map_put(c, "ec2.ip", s->id, address_key(c, a), i->id);
	if (r < 0)
		return r;
	i->addresses = ec2_ids_with(c, &i->addresses, address_text(c, a));
	s->used = OPT_INT(s->used.v + 1);
	return ec2_store(c, EC2_SUBNET, s);
}

static int address_free(struct call *c, struct ec2_rec_subnet *s, struct str text)
{
	uint32_t a;
	int r = address_parse(c, text, &a);

	if (r == 0)
		r = ec2_map_del(c, "ec2.ip", s->id, address_key(c, a));
	s->used = OPT_INT(s->used.v - 1);
	return r < 0 ? r : ec2_store(c, EC2_SUBNET, s);
}

/* --- making and unmaking, for endpoints too --- */
static int link_groups(struct call *c, const struct ec2_rec_interface *i, bool add)
{
	int r = 0;

	for (size_t g = 0; g < i->groups.n && r == 0; g++)
		r = add ? ec2_map_put(c, "ec2.eni", i->groups.v[g], i->id, S("1")) : ec2_map_del(c, "ec2.eni", i->groups.v[g], i->id);
	return r;
}

int ec2_interface_make(struct call *c, struct ec2_rec_subnet *s, struct str address, struct ec2_rec_interface *i)
{
	struct str hex = random_hex(c->arena, 10);
	int r;

	i->id = ec2_new_id(c, "eni");
	i->vpc = s->vpc;
	i->subnet = s->id;
	i->zone = s->zone;
	i->zone_id = s->zone_id;
	i->created = OPT_TIME(c->now_ms);
	i->mac = str_printf(c->arena, "02:%.2s:%.2s:%.2s:%.2s:%.2s", hex.p, hex.p + 2, hex.p + 4, hex.p + 6, hex.p + 8);
	r = ec2_address_take(c, s, address, i);
	if (r == 0)
		r = ec2_insert(c, EC2_INTERFACE, i);
	return r < 0 ? r : link_groups(c, i, true);
}

int ec2_interface_drop(struct call *c, const struct ec2_rec_interface *i)
{
	struct ec2_rec_subnet s;
	int r = ec2_read(c, EC2_SUBNET, i->subnet, &s);

	for (size_t n = 0; n < i->addresses.n && r == 0; n++)
		r = address_free(c, &s, i->addresses.v[n]);
	if (r == 0)
		r = link_groups(c, i, false);
	return r < 0 ? r : ec2_remove(c, EC2_INTERFACE, i);
}

int ec2_interface_regroup(struct call *c, struct ec2_rec_interface *i, const struct str_list *groups)
{
	int r = link_groups(c, i, false);

	i->groups = *groups;
	if (r == 0)
		r = link_groups(c, i, true);
	return r < 0 ? r : ec2_store(c, EC2_INTERFACE, i);
}

int ec2_group_busy(struct call *c, struct str group, bool *ret)
{
	struct str_list l;
	int r = ec2_map_list(c, "ec2.eni", group, &l);

	*ret = r == 0 && l.n > 0;
	return r;
}

int ec2_groups_check(struct call *c, struct str vpc, struct str default_group, const struct str_list *asked, struct str_list *ret)
{
	struct ec2_rec_group g;
	int r = 0;

	*ret = (struct str_list){ 0 };
	for (size_t i = 0; i < asked->n && r == 0; i++) {
		r = ec2_load(c, EC2_GROUP, asked->v[i], &g);
		if (r == 0 && !str_eq(g.vpc, vpc))
			return call_fail(c, &aws_err_invalid_parameter_value,
					 "You have specified two resources that belong to different networks.");
		if (r == 0 && !str_list_has(ret, g.id))
			*ret = ec2_ids_with(c, ret, g.id);
	}
	if (r == 0 && ret->n == 0)
		*ret = ec2_ids_with(c, ret, default_group);
	if (r == 0 && ret->n > GROUPS_PER_INTERFACE_MAX)
		return call_fail(c, &ec2_err_security_groups_per_interface_limit_exceeded,
				 "The maximum number of security groups per interface has been reached.");
	return r;
}

/* --- describing --- */
static struct str dns_name(struct call *c, const struct ec2_rec_interface *i, struct str address)
{
	struct str dashed = str_replace(c->arena, address, S("."), S("-"));
	struct ec2_rec_vpc v;

	if (ec2_read(c, EC2_VPC, i->vpc, &v) < 0 || !v.dns_hostnames.v)
		return STR_NONE;
	return str_is(call_region(c), "us-east-1")
		       ? str_printf(c->arena, "ip-%.*s.ec2.internal", STR(dashed))
		       : str_printf(c->arena, "ip-%.*s.%.*s.compute.internal", STR(dashed), STR(call_region(c)));
}

static int groups_out(struct call *c, const struct ec2_rec_interface *i, struct ec2_group_identifier_list *ret)
{
	size_t cap = 0;

	for (size_t n = 0; n < i->groups.n; n++) {
		struct ec2_rec_group g;
		int r = ec2_read(c, EC2_GROUP, i->groups.v[n], &g);

		if (r < 0)
			return r;
		vec_push(c->arena, ret->v, ret->n, cap) = (struct ec2_group_identifier){ .group_id = g.id, .group_name = g.name };
	}
	EC2_EMPTY(c, *ret);
	return 0;
}

static struct ec2_network_interface_attachment *attachment_out(struct call *c, const struct ec2_rec_interface *i)
{
	struct ec2_network_interface_attachment *a;

	if (!i->attachment.p)
		return NULL;
	a = arena_new(c->arena, struct ec2_network_interface_attachment);
	*a = (struct ec2_network_interface_attachment){ .attach_time = i->created,
							.attachment_id = i->attachment,
							.delete_on_termination = OPT_BOOL(false),
							.device_index = OPT_INT(1),
							.network_card_index = OPT_INT(0),
							.instance_owner_id = S("amazon-aws"),
							.status = S("attached") };
	return a;
}

static int interface_out(struct call *c, const struct ec2_rec_interface *i, struct ec2_network_interface *ret)
{
	*ret = (struct ec2_network_interface){ .network_interface_id = i->id,
					       .vpc_id = i->vpc,
					       .subnet_id = i->subnet,
					       .availability_zone = i->zone,
					       .availability_zone_id = i->zone_id,
					       .description = i->description.p ? i->description : S(""),
					       .interface_type = i->type,
					       .mac_address = i->mac,
					       .owner_id = c->account,
					       .requester_id = i->requester,
					       .requester_managed = OPT_BOOL(i->endpoint.p != NULL),
					       .source_dest_check = OPT_BOOL(i->source_check.v),
					       .status = i->attachment.p ? S("in-use") : S("available"),
					       .private_ip_address = i->addresses.n ? i->addresses.v[0] : STR_NONE,
					       .attachment = attachment_out(c, i),
					       .deny_all_igw_traffic = OPT_BOOL(false),
					       .ipv6_native = OPT_BOOL(false) };
	ret->private_dns_name = dns_name(c, i, ret->private_ip_address);
	ret->private_ip_addresses.n = i->addresses.n;
	ret->private_ip_addresses.v = arena_array(c->arena, struct ec2_network_interface_private_ip_address, i->addresses.n + 1);
	for (size_t n = 0; n < i->addresses.n; n++)
		ret->private_ip_addresses.v[n] =
			(struct ec2_network_interface_private_ip_address){ .primary = OPT_BOOL(n == 0),
									   .private_ip_address = i->addresses.v[n],
									   .private_dns_name = dns_name(c, i, i->addresses.v[n]) };
	EC2_EMPTY(c, ret->ipv6_addresses);
	ret->operator= arena_new(c->arena, struct ec2_operator_response);
	ret->operator->managed = OPT_BOOL(false);
	ec2_tags_out(c, &i->tags, &ret->tag_set);
	return groups_out(c, i, &ret->groups);
}

#define VALUES(fn, expression)                                                                                                             \
	static void fn(struct ec2_values *v, const void *rec)                                                                              \
	{                                                                                                                                  \
		const struct ec2_rec_interface *i = rec;                                                                                   \
		ec2_value(v, expression);                                                                                                  \
	}
VALUES(status, i->attachment.p ? S("in-use") : S("available"))
VALUES(managed, i->endpoint.p ? S("true") : S("false"))
VALUES(primary_address, i->addresses.n ? i->addresses.v[0] : STR_NONE)
VALUES(primary_name, i->addresses.n ? dns_name(v->c, i, i->addresses.v[0]) : STR_NONE)
VALUES(attach_status, i->attachment.p ? S("attached") : STR_NONE)
VALUES(attach_owner, i->attachment.p ? S("amazon-aws") : STR_NONE)
VALUES(attach_index, i->attachment.p ? S("1") : STR_NONE)
VALUES(attach_keep, i->attachment.p ? S("false") : STR_NONE)
VALUES(attach_time, i->attachment.p ? time_iso_ms(v->c->arena, i->created.ms) : STR_NONE)

static void addresses(struct ec2_values *v, const void *rec)
{
	const struct ec2_rec_interface *i = rec;

	for (size_t n = 0; n < i->addresses.n; n++)
		ec2_value(v, i->addresses.v[n]);
}

static void address_kinds(struct ec2_values *v, const void *rec)
{
	const struct ec2_rec_interface *i = rec;

	for (size_t n = 0; n < i->addresses.n; n++)
		ec2_value(v, n == 0 ? S("true") : S("false"));
}

static void group_ids(struct ec2_values *v, const void *rec)
{
	const struct ec2_rec_interface *i = rec;

	for (size_t n = 0; n < i->groups.n; n++)
		ec2_value(v, i->groups.v[n]);
}

static void group_names(struct ec2_values *v, const void *rec)
{
	const struct ec2_rec_interface *i = rec;
	struct ec2_rec_group g;

	for (size_t n = 0; n < i->groups.n; n++)
		if (ec2_read(v->c, EC2_GROUP, i->groups.v[n], &g) == 0)
			ec2_value(v, g.name);
}

static void nothing(struct ec2_values *v, const void *rec)
{
}

#define F(name, m) EC2_FIELD_STR(name, struct ec2_rec_interface, m)
static const struct ec2_field interface_fields[] = {
	EC2_FIELD_FN("addresses.association.owner-id", nothing),
	EC2_FIELD_FN("addresses.association.public-ip", nothing),
	EC2_FIELD_FN("addresses.primary", address_kinds),
	EC2_FIELD_FN("addresses.private-ip-address", addresses),
	EC2_FIELD_FN("association.allocation-id", nothing),
	EC2_FIELD_FN("association.association-id", nothing),
	EC2_FIELD_FN("association.ip-owner-id", nothing),
	EC2_FIELD_FN("association.public-dns-name", nothing),
	EC2_FIELD_FN("association.public-ip", nothing),
	EC2_FIELD_FN("attachment.attach-time", attach_time),
	F("attachment.attachment-id", attachment),
	EC2_FIELD_FN("attachment.delete-on-termination", attach_keep),
	EC2_FIELD_FN("attachment.device-index", attach_index),
	EC2_FIELD_FN("attachment.instance-id", nothing),
	EC2_FIELD_FN("attachment.instance-owner-id", attach_owner),
	EC2_FIELD_FN("attachment.status", attach_status),
	F("availability-zone", zone),
	F("availability-zone-id", zone_id),
	F("description", description),
	EC2_FIELD_FN("group-id", group_ids),
	EC2_FIELD_FN("group-name", group_names),
	F("interface-type", type),
	EC2_FIELD_FN("ipv6-addresses.ipv6-address", nothing),
	F("mac-address", mac),
	{ "network-interface-id", EC2_ID, offsetof(struct ec2_rec_interface, id) },
	{ "operator.managed", EC2_CONST, .constant = "false" },
	EC2_FIELD_FN("operator.principal", nothing),
	{ "owner-id", EC2_OWNER },
	EC2_FIELD_FN("private-dns-name", primary_name),
	EC2_FIELD_FN("private-ip-address", primary_address),
	F("requester-id", requester),
	EC2_FIELD_FN("requester-managed", managed),
	EC2_FIELD_BOOL("source-dest-check", struct ec2_rec_interface, source_check),
	EC2_FIELD_FN("status", status),
	{ "subnet-id", EC2_PARENT, offsetof(struct ec2_rec_interface, subnet) },
	F("vpc-id", vpc),
	{ 0 },
};

struct interface_page {
	struct ec2_describe_network_interfaces_result *out;
	size_t cap;
};

static int emit_interface(struct call *c, const void *rec, void *arg)
{
	struct interface_page *p = arg;

	return interface_out(c, rec, &vec_push(c->arena, p->out->network_interfaces.v, p->out->network_interfaces.n, p->cap));
}

/* A group or a VPC named exactly leads to its interfaces without a walk over all: 1 and their ids, or 0. */
static int shortcut(struct call *c, const struct ec2_filter_list *filters, struct str_list *ret)
{
	struct str_list subnets, more;
	size_t cap = 0;
	int r = 0;

	*ret = (struct str_list){ 0 };
	for (size_t i = 0; i < filters->n; i++) {
		bool group = str_is(filters->v[i].name, "group-id");

		if (filters->v[i].values.n != 1 || (!group && !str_is(filters->v[i].name, "vpc-id")))
			continue;
		if (str_find_char(filters->v[i].values.v[0], '*') >= 0 || str_find_char(filters->v[i].values.v[0], '?') >= 0)
			continue;
		if (group) {
			r = ec2_map_list(c, "ec2.eni", filters->v[i].values.v[0], ret);
			return r < 0 ? r : 1;
		}
		r = ec2_child_ids(c, EC2_SUBNET, filters->v[i].values.v[0], &subnets);
		for (size_t j = 0; j < subnets.n && r == 0; j++) {
			r = ec2_child_ids(c, EC2_INTERFACE, subnets.v[j], &more);
			for (size_t k = 0; k < more.n && r == 0; k++)
				vec_push(c->arena, ret->v, ret->n, cap) = more.v[k];
		}
		return r < 0 ? r : 1;
	}
	return 0;
}

EC2_HANDLER(describe_network_interfaces)
{
	struct ec2_query q = { &in->filters, &in->network_interface_ids, in->next_token, in->max_results };
	struct interface_page page = { out, 0 };
	struct str_list found;
	int r = in->network_interface_ids.n ? 0 : shortcut(c, &in->filters, &found);

	if (r == 1 && found.n) {
		q.ids = &found;
		r = 0;
	}
	if (r == 0)
		r = ec2_list(c, EC2_INTERFACE, interface_fields, &q, emit_interface, &page, &out->next_token);
	else if (r == 1) /* nothing is in that group or VPC */
		r = ec2_filters_check(c, interface_fields, &in->filters, true);
	EC2_EMPTY(c, out->network_interfaces);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

/* --- creating --- */
static int unsupported(struct call *c, const struct ec2_create_network_interface_request *in)
{
	if (in->ipv4_prefixes.n || in->ipv4_prefix_count.v || in->ipv6_prefixes.n || in->ipv6_prefix_count.v)
		return ec2_not_built(c, "Prefix delegation");
	if (in->ipv6_addresses.n || in->ipv6_address_count.v || in->enable_primary_ipv6.v)
		return ec2_not_built(c, "IPv6 in subnets");
	if (in->interface_type.p)
		return ec2_not_built(c, "An interface of this type");
	if (in->connection_tracking_specification)
		return ec2_not_built(c, "ConnectionTrackingSpecification");
	if (in->operator&& in->operator->principal.p)
		return ec2_not_built(c, "Operator");
	if (in->description.n > DESCRIPTION_MAX)
		return call_fail(c, &aws_err_invalid_parameter_value, "Invalid description: it may not be longer than %d characters",
				 DESCRIPTION_MAX);
	return 0;
}

/* The primary address asked for, in either of the two ways; refuses contradictions. */
static int primary_asked(struct call *c, const struct ec2_create_network_interface_request *in, struct str *ret)
{
	int marked = 0;

	*ret = in->private_ip_address;
	for (size_t i = 0; i < in->private_ip_addresses.n; i++) {
		const struct ec2_private_ip_address_specification *a = &in->private_ip_addresses.v[i];

		if (!a->private_ip_address.p)
			return call_fail(c, &aws_err_missing_parameter, "The request must contain the parameter privateIpAddress");
		if (a->primary.v) {
			marked++;
			*ret = a->private_ip_address;
		}
	}
	if (marked > 1)
		return call_fail(c, &aws_err_invalid_parameter_value, "Only one primary private IP address can be specified");
	if (marked && in->private_ip_address.p)
		return call_fail(c, &ec2_err_invalid_parameter_combination,
				 "Only one primary private IP address can be specified: use either privateIpAddress or "
				 "privateIpAddresses");
	if (in->private_ip_addresses.n && in->secondary_private_ip_address_count.v)
		return call_fail(c, &ec2_err_invalid_parameter_combination,
				 "Secondary private IP addresses and their number can't be given together");
	return 0;
}

static int secondary(struct call *c, const struct ec2_create_network_interface_request *in, struct ec2_rec_subnet *s,
		     struct ec2_rec_interface *i)
{
	int64_t more = in->secondary_private_ip_address_count.v;
	int r = 0;

	if (more < 0 || more >= ADDRESSES_PER_INTERFACE_MAX || in->private_ip_addresses.n > ADDRESSES_PER_INTERFACE_MAX)
		return call_fail(c, &ec2_err_private_ip_address_limit_exceeded, "Number of private addresses will exceed limit.");
	for (size_t n = 0; n < in->private_ip_addresses.n && r == 0; n++)
		if (!in->private_ip_addresses.v[n].primary.v)
			r = ec2_address_take(c, s, in->private_ip_addresses.v[n].private_ip_address, i);
	for (; more > 0 && r == 0; more--)
		r = ec2_address_take(c, s, STR_NONE, i);
	return r < 0 ? r : ec2_store(c, EC2_INTERFACE, i);
}

static int make(struct call *c, const struct ec2_create_network_interface_request *in, struct ec2_rec_interface *i)
{
	struct ec2_rec_subnet s;
	struct ec2_rec_vpc v;
	struct str address;
	int64_t n;
	int r = ec2_load(c, EC2_SUBNET, in->subnet_id, &s);

	if (r == 0)
		r = ec2_read(c, EC2_VPC, s.vpc, &v);
	if (r == 0)
		r = ec2_groups_check(c, v.id, v.group, &in->groups, &i->groups);
	if (r == 0)
		r = ec2_tags_take(c, &in->tag_specifications, "network-interface", &i->tags);
	if (r == 0)
		r = primary_asked(c, in, &address);
	if (r == 0)
		r = ec2_count(c, EC2_INTERFACE, S(""), &n);
	if (r == 0 && n >= INTERFACES_MAX)
		return call_fail(c, &ec2_err_network_interface_limit_exceeded,
				 "The maximum number of network interfaces has been reached.");
	if (r < 0)
		return r;
	i->type = S("interface");
	i->requester = c->who->p.unique_id.p ? c->who->p.unique_id : c->account;
	i->description = in->description.p ? in->description : S("");
	i->source_check = OPT_BOOL(true);
	r = ec2_interface_make(c, &s, address, i);
	return r < 0 ? r : secondary(c, in, &s, i);
}

EC2_HANDLER(create_network_interface)
{
	struct ec2_rec_interface i = { 0 };
	struct str id;
	int r = unsupported(c, in);

	if (r < 0)
		return r;
	r = in->client_token.p ? ec2_map_get(c, "ec2.token", S("CreateNetworkInterface"), in->client_token, &id) : -ENOENT;
	if (r == 0)
		r = ec2_read(c, EC2_INTERFACE, id, &i);
	if (r == 0 && !str_eq(i.subnet, in->subnet_id))
		return call_fail(c, &ec2_err_idempotent_parameter_mismatch, "The client token '%.*s' was used with other parameters",
				 STR(in->client_token));
	if (r == -ENOENT) {
		r = make(c, in, &i);
		if (r == 0 && in->client_token.p)
			r = ec2_map_put(c, "ec2.token", S("CreateNetworkInterface"), in->client_token, i.id);
	}
	if (r < 0)
		return r;
	out->client_token = in->client_token;
	out->network_interface = arena_new(c->arena, struct ec2_network_interface);
	r = interface_out(c, &i, out->network_interface);
	if (!i.attachment.p)
		out->network_interface->status = S("pending");
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

/* --- changing --- */
static int own(struct call *c, const struct ec2_rec_interface *i)
{
	return i->endpoint.p
		       ? call_fail(c, &ec2_err_operation_not_permitted,
				   "You do not have permission to modify network interface '%.*s': it is managed by a service.", STR(i->id))
		       : 0;
}

EC2_ACTION(modify_network_interface_attribute)
{
	struct ec2_rec_interface i;
	struct ec2_rec_vpc v;
	struct str_list groups;
	int given = (in->description != NULL) + (in->source_dest_check != NULL) + (in->groups.n > 0) + (in->attachment != NULL);
	int r = ec2_load(c, EC2_INTERFACE, in->network_interface_id, &i);

	if (r == 0)
		r = own(c, &i);
	if (r < 0)
		return r;
	if (in->ena_srd_specification || in->enable_primary_ipv6.v || in->connection_tracking_specification ||
	    in->associate_public_ip_address.v || in->associated_subnet_ids.n)
		return ec2_not_built(c, "This attribute of network interfaces");
	if (given != 1)
		return given ? call_fail(c, &ec2_err_invalid_parameter_combination, "Only one attribute can be modified at a time")
			     : call_fail(c, &aws_err_missing_parameter, "An attribute to modify must be specified");
	if (in->attachment)
		return call_fail(c, &ec2_err_invalid_attachment_id_not_found, "The attachment ID '%.*s' does not exist",
				 STR(in->attachment->attachment_id));
	if (in->groups.n) {
		r = ec2_read(c, EC2_VPC, i.vpc, &v);
		if (r == 0)
			r = ec2_groups_check(c, v.id, v.group, &in->groups, &groups);
		if (r == 0)
			r = ec2_interface_regroup(c, &i, &groups);
		return r < 0 ? r : ec2_end(c, in->dry_run);
	}
	if (in->description) {
		if (in->description->value.n > DESCRIPTION_MAX)
			return call_fail(c, &aws_err_invalid_parameter_value,
					 "Invalid description: it may not be longer than %d characters", DESCRIPTION_MAX);
		i.description = in->description->value.p ? in->description->value : S("");
	} else
		i.source_check = OPT_BOOL(in->source_dest_check->value.v);
	r = ec2_store(c, EC2_INTERFACE, &i);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

EC2_ACTION(reset_network_interface_attribute)
{
	struct ec2_rec_interface i;
	int r = ec2_load(c, EC2_INTERFACE, in->network_interface_id, &i);

	if (r == 0)
		r = own(c, &i);
	i.source_check = OPT_BOOL(true);
	if (r == 0)
		r = ec2_store(c, EC2_INTERFACE, &i);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

EC2_HANDLER(describe_network_interface_attribute)
{
	struct ec2_rec_interface i;
	int r = ec2_load(c, EC2_INTERFACE, in->network_interface_id, &i);

	if (r < 0)
		return r;
	out->network_interface_id = i.id;
	if (!in->attribute.p)
		return call_fail(c, &aws_err_missing_parameter, "The request must contain the parameter attribute");
	if (str_is(in->attribute, "groupSet"))
		r = groups_out(c, &i, &out->groups);
	else if (str_is(in->attribute, "sourceDestCheck")) {
		out->source_dest_check = arena_new(c->arena, struct ec2_attribute_boolean_value);
		out->source_dest_check->value = OPT_BOOL(i.source_check.v);
	} else if (str_is(in->attribute, "description")) {
		out->description = arena_new(c->arena, struct ec2_attribute_value);
		out->description->value = i.description;
	} else if (str_is(in->attribute, "attachment"))
		out->attachment = attachment_out(c, &i);
	else
		out->associate_public_ip_address = OPT_BOOL(false);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

EC2_HANDLER(attach_network_interface)
{
	struct ec2_rec_interface i;
	int r = ec2_load(c, EC2_INTERFACE, in->network_interface_id, &i);

	return r < 0 ? r
		     : call_fail(c, &ec2_err_invalid_instance_id_not_found, "The instance ID '%.*s' does not exist", STR(in->instance_id));
}

EC2_ACTION(detach_network_interface)
{
	if (str_starts(in->attachment_id, S("ela-attach-")))
		return call_fail(c, &ec2_err_operation_not_permitted, "You are not allowed to manage 'ela-attach' attachments.");
	return call_fail(c, &ec2_err_invalid_attachment_id_not_found, "The attachment ID '%.*s' does not exist", STR(in->attachment_id));
}

EC2_ACTION(delete_network_interface)
{
	struct ec2_rec_interface i;
	int r = ec2_load(c, EC2_INTERFACE, in->network_interface_id, &i);

	if (r == 0 && i.attachment.p)
		return call_fail(c, &aws_err_invalid_parameter_value, "Network interface '%.*s' is currently in use.", STR(i.id));
	if (r == 0)
		r = ec2_interface_drop(c, &i);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

/* --- further addresses --- */
EC2_HANDLER(assign_private_ip_addresses)
{
	int64_t more = in->secondary_private_ip_address_count.v;
	struct ec2_rec_interface i;
	struct ec2_rec_subnet s;
	size_t before, cap = 0;
	int r = ec2_load(c, EC2_INTERFACE, in->network_interface_id, &i);

	if (r == 0)
		r = own(c, &i);
	if (r < 0)
		return r;
	if (in->ipv4_prefixes.n || in->ipv4_prefix_count.v)
		return ec2_not_built(c, "Prefix delegation");
	if (in->allow_reassignment.v)
		return ec2_not_built(c, "AllowReassignment");
	if ((in->private_ip_addresses.n > 0) == (more > 0))
		return call_fail(c, &ec2_err_invalid_parameter_combination,
				 "Either privateIpAddresses or secondaryPrivateIpAddressCount must be given");
	before = i.addresses.n;
	if (more < 0 || before + (uint64_t)more + in->private_ip_addresses.n > ADDRESSES_PER_INTERFACE_MAX)
		return call_fail(c, &ec2_err_private_ip_address_limit_exceeded, "Number of private addresses will exceed limit.");
	r = ec2_read(c, EC2_SUBNET, i.subnet, &s);
	for (size_t n = 0; n < in->private_ip_addresses.n && r == 0; n++)
		r = ec2_address_take(c, &s, in->private_ip_addresses.v[n], &i);
	for (; more > 0 && r == 0; more--)
		r = ec2_address_take(c, &s, STR_NONE, &i);
	if (r == 0)
		r = ec2_store(c, EC2_INTERFACE, &i);
	out->network_interface_id = i.id;
	for (size_t n = before; n < i.addresses.n; n++)
		vec_push(c->arena, out->assigned_private_ip_addresses.v, out->assigned_private_ip_addresses.n,
			 cap) = (struct ec2_assigned_private_ip_address){ i.addresses.v[n] };
	return r;
}

EC2_ACTION(unassign_private_ip_addresses)
{
	struct ec2_rec_interface i;
	struct ec2_rec_subnet s;
	int r = ec2_load(c, EC2_INTERFACE, in->network_interface_id, &i);

	if (r == 0)
		r = own(c, &i);
	if (r == 0 && in->ipv4_prefixes.n)
		return ec2_not_built(c, "Prefix delegation");
	if (r == 0)
		r = ec2_read(c, EC2_SUBNET, i.subnet, &s);
	for (size_t n = 0; n < in->private_ip_addresses.n && r == 0; n++) {
		struct str a = in->private_ip_addresses.v[n];

		if (str_eq(a, i.addresses.v[0]))
			return call_fail(c, &aws_err_invalid_parameter_value, "Cannot unassign primary address %.*s", STR(a));
		if (!str_list_has(&i.addresses, a))
			return call_fail(c, &aws_err_invalid_parameter_value,
					 "Some of the specified addresses are not assigned to interface %.*s", STR(i.id));
		i.addresses = ec2_ids_without(c, &i.addresses, a);
		r = address_free(c, &s, a);
	}
	return r < 0 ? r : ec2_store(c, EC2_INTERFACE, &i);
}
