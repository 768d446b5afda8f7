/* SPDX-License-Identifier: Apache-2.0 */
/* route.c - CreateRoute, ReplaceRoute, DeleteRoute. A route leads to an internet gateway that is attached to the table's
 * VPC; what cannot exist in this cloud is refused by name. Source: "Configure route tables". */
#include "svc/ec2/ec2_int.h"
#include <errno.h>

struct destination {
	struct str text; /* canonical */
	bool v6, list;   /* list: text is a prefix list's id */
	struct cidr4 block;
};

static int read_destination(struct call *c, struct str cidr, struct str cidr6, struct str prefix_list, struct destination *ret)
{
	struct cidr6 six;
	int given = (cidr.p != NULL) + (cidr6.p != NULL) + (prefix_list.p != NULL);

	*ret = (struct destination){ .v6 = cidr6.p != NULL };
	if (given == 0)
		return call_fail(c, &aws_err_missing_parameter, "The request must contain the parameter destinationCidrBlock");
	if (given > 1)
		return call_fail(c, &ec2_err_invalid_parameter_combination,
				 "The request must contain exactly one of destinationCidrBlock, destinationIpv6CidrBlock or "
				 "destinationPrefixListId");
	if (prefix_list.p) {
		int64_t max;

		ret->list = true;
		ret->text = prefix_list;
		return ec2_prefix_list_find(c, prefix_list, &max);
	}
	if (cidr6.p) {
		if (cidr6_parse(cidr6, &six) < 0)
			return call_fail(
				c, &aws_err_invalid_parameter_value,
				"Value (%.*s) for parameter destinationIpv6CidrBlock is invalid. This is not a valid IPv6 CIDR block.",
				STR(cidr6));
		ret->text = cidr6_text(c->arena, &six);
		return 0;
	}
	if (cidr4_parse(cidr, &ret->block) < 0)
		return call_fail(c, &aws_err_invalid_parameter_value,
				 "Value (%.*s) for parameter destinationCidrBlock is invalid. This is not a valid CIDR block.", STR(cidr));
	ret->text = cidr4_text(c->arena, ret->block);
	return 0;
}

static ptrdiff_t find(const struct ec2_rec_route_table *t, const struct destination *d)
{
	for (size_t i = 0; i < t->routes.n; i++)
		if (str_eq(d->list ? t->routes.v[i].prefix_list : d->v6 ? t->routes.v[i].cidr6 : t->routes.v[i].cidr, d->text))
			return (ptrdiff_t)i;
	return -1;
}

/* Is it one of the VPC's own blocks (1), part of one (2), or neither (0)? */
static int local(struct call *c, const struct ec2_rec_route_table *t, const struct destination *d)
{
	struct ec2_rec_vpc v;
	struct cidr4 have;
	int r = d->v6 || d->list ? 0 : ec2_read(c, EC2_VPC, t->vpc, &v), found = 0;

	if (r < 0 || d->v6 || d->list)
		return r;
	for (size_t i = 0; i < v.blocks.n && found != 1; i++) {
		if (str_eq(v.blocks.v[i].cidr, d->text))
			found = 1;
		else if (cidr4_parse(v.blocks.v[i].cidr, &have) == 0 && cidr4_contains(have, d->block))
			found = 2;
	}
	return found;
}

/* The targets in the order of the API; all but the gateway lead to what this cloud does not have. */
static int target(struct call *c, const struct ec2_create_route_request *in)
{
	const struct {
		struct str id;
		const char *what;
	} others[] = {
		{ in->vpc_endpoint_id, "A route to a VPC endpoint" },
		{ in->transit_gateway_id, "A route to a transit gateway" },
		{ in->local_gateway_id, "A route to a local gateway" },
		{ in->carrier_gateway_id, "A route to a carrier gateway" },
		{ in->core_network_arn, "A route to a core network" },
		{ in->odb_network_arn, "A route to an ODB network" },
		{ in->egress_only_internet_gateway_id, "A route to an egress-only internet gateway" },
		{ in->instance_id, "A route to an instance" },
		{ in->network_interface_id, "A route to a network interface" },
		{ in->vpc_peering_connection_id, "A route to a VPC peering connection" },
		{ in->nat_gateway_id, "A route to a NAT gateway" },
	};
	int given = in->gateway_id.p != NULL;
	const char *other = NULL;

	for (size_t i = 0; i < ELEMENTS(others); i++)
		if (others[i].id.p) {
			given++;
			other = others[i].what;
		}
	if (given != 1)
		return call_fail(
			c, given ? &ec2_err_invalid_parameter_combination : &aws_err_missing_parameter,
			"The request must contain exactly one of gatewayId, natGatewayId, networkInterfaceId, vpcPeeringConnectionId, "
			"egressOnlyInternetGatewayId, transitGatewayId, localGatewayId, carrierGatewayId, vpcEndpointId, instanceId or "
			"coreNetworkArn");
	return other ? ec2_not_built(c, other) : 0;
}

static int gateway_check(struct call *c, const struct ec2_rec_route_table *t, struct str id)
{
	struct ec2_rec_gateway g;
	int r = ec2_read(c, EC2_GATEWAY, id, &g);

	if (r == -ENOENT)
		return call_fail(c, &ec2_err_invalid_gateway_id_not_found, "The gateway ID '%.*s' does not exist", STR(id));
	if (r == 0 && !str_eq(g.vpc, t->vpc))
		return call_fail(c, &aws_err_invalid_parameter_value,
				 "route table %.*s and network gateway %.*s belong to different networks", STR(t->id), STR(id));
	return r;
}

static int outside(struct call *c, const struct ec2_rec_route_table *t, const struct destination *d)
{
	int r = local(c, t, d);

	if (r == 1)
		return call_fail(c, &ec2_err_route_already_exists, "The route identified by %.*s already exists.", STR(d->text));
	if (r == 2)
		return call_fail(c, &aws_err_invalid_parameter_value,
				 "The destination CIDR block %.*s is equal to or more specific than one of this VPC's CIDR blocks. This "
				 "route can target only "
				 "an interface or an instance.",
				 STR(d->text));
	return r;
}

/* A prefix list counts as many routes as it may have entries. */
static int room(struct call *c, const struct ec2_rec_route_table *t, const struct destination *d)
{
	int64_t n = 0, weight = 1;
	int r = 0;

	if (d->list)
		r = ec2_prefix_list_find(c, d->text, &weight);
	n += weight;
	for (size_t i = 0; i < t->routes.n && r == 0; i++) {
		weight = 1;
		if (t->routes.v[i].prefix_list.p)
			r = ec2_prefix_list_find(c, t->routes.v[i].prefix_list, &weight);
		n += weight;
	}
	return r < 0 || n <= EC2_ROUTES_PER_TABLE_MAX
		       ? r
		       : call_fail(c, &ec2_err_route_limit_exceeded, "The maximum number of routes has been reached.");
}

/* Routes of gateway endpoints are their endpoint's to change. */
static int of_endpoint(struct call *c, const struct ec2_rec_route_table *t, ptrdiff_t at, const char *what)
{
	return str_starts(t->routes.v[at].gateway, S("vpce-"))
		       ? call_fail(c, &aws_err_invalid_parameter_value, "cannot %s VPC endpoint route %.*s in route table %.*s", what,
				   STR(t->routes.v[at].prefix_list), STR(t->id))
		       : 0;
}

EC2_HANDLER(create_route)
{
	struct ec2_rec_route_table t;
	struct ec2_rec_route *v;
	struct destination d;
	ptrdiff_t at;
	int r = ec2_load(c, EC2_TABLE, in->route_table_id, &t);

	if (r == 0)
		r = read_destination(c, in->destination_cidr_block, in->destination_ipv6_cidr_block, in->destination_prefix_list_id, &d);
	if (r == 0)
		r = target(c, in);
	if (r == 0)
		r = gateway_check(c, &t, in->gateway_id);
	if (r == 0)
		r = outside(c, &t, &d);
	if (r < 0)
		return r;
	at = find(&t, &d);
	if (at >= 0)
		return call_fail(c, &ec2_err_route_already_exists, "The route identified by %.*s already exists.", STR(d.text));
	r = room(c, &t, &d);
	if (r == 0 && d.list)
		r = ec2_prefix_list_use(c, d.text, t.id, true);
	if (r < 0)
		return r;
	v = arena_array(c->arena, struct ec2_rec_route, t.routes.n + 1);
	for (size_t i = 0; i < t.routes.n; i++)
		v[i] = t.routes.v[i];
	v[t.routes.n] = (struct ec2_rec_route){ .cidr = d.v6 || d.list ? STR_NONE : d.text,
						.cidr6 = d.v6 ? d.text : STR_NONE,
						.prefix_list = d.list ? d.text : STR_NONE,
						.gateway = in->gateway_id,
						.origin = S("CreateRoute") };
	t.routes.v = v;
	t.routes.n++;
	r = ec2_store(c, EC2_TABLE, &t);
	out->return_ = OPT_BOOL(true);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

EC2_ACTION(replace_route)
{
	const struct ec2_create_route_request same = {
		.vpc_endpoint_id = in->vpc_endpoint_id,
		.transit_gateway_id = in->transit_gateway_id,
		.local_gateway_id = in->local_gateway_id,
		.carrier_gateway_id = in->carrier_gateway_id,
		.core_network_arn = in->core_network_arn,
		.odb_network_arn = in->odb_network_arn,
		.gateway_id = in->gateway_id,
		.egress_only_internet_gateway_id = in->egress_only_internet_gateway_id,
		.instance_id = in->instance_id,
		.network_interface_id = in->network_interface_id,
		.vpc_peering_connection_id = in->vpc_peering_connection_id,
		.nat_gateway_id = in->nat_gateway_id,
	};
	struct ec2_rec_route_table t;
	struct destination d;
	ptrdiff_t at;
	int r = ec2_load(c, EC2_TABLE, in->route_table_id, &t);

	if (r == 0)
		r = read_destination(c, in->destination_cidr_block, in->destination_ipv6_cidr_block, in->destination_prefix_list_id, &d);
	if (r == 0 && in->local_target.v)
		return ec2_not_built(c, "LocalTarget");
	if (r == 0)
		r = target(c, &same);
	if (r < 0)
		return r;
	at = find(&t, &d);
	if (at < 0)
		return call_fail(c, &aws_err_invalid_parameter_value,
				 "There is no route defined for '%.*s' in the route table. Use CreateRoute instead.", STR(d.text));
	r = of_endpoint(c, &t, at, "replace");
	if (r == 0)
		r = gateway_check(c, &t, in->gateway_id);
	if (r < 0)
		return r;
	t.routes.v[at].gateway = in->gateway_id;
	r = ec2_store(c, EC2_TABLE, &t);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

EC2_ACTION(delete_route)
{
	struct ec2_rec_route_table t;
	struct destination d;
	ptrdiff_t at;
	int r = ec2_load(c, EC2_TABLE, in->route_table_id, &t);

	if (r == 0)
		r = read_destination(c, in->destination_cidr_block, in->destination_ipv6_cidr_block, in->destination_prefix_list_id, &d);
	if (r == 0)
		r = local(c, &t, &d);
	if (r == 1)
		return call_fail(c, &aws_err_invalid_parameter_value, "cannot remove local route %.*s in route table %.*s", STR(d.text),
				 STR(t.id));
	if (r < 0)
		return r;
	at = find(&t, &d);
	if (at < 0)
		return call_fail(c, &ec2_err_invalid_route_not_found, "no route with destination-%s %.*s in route table %.*s",
				 d.list ? "prefix-list-id"
				 : d.v6 ? "ipv6-cidr-block"
					: "cidr-block",
				 STR(d.text), STR(t.id));
	r = of_endpoint(c, &t, at, "remove");
	if (r == 0 && d.list)
		r = ec2_prefix_list_use(c, d.text, t.id, false);
	if (r < 0)
		return r;
	t.routes.v[at] = t.routes.v[--t.routes.n];
	r = ec2_store(c, EC2_TABLE, &t);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}
