/* SPDX-License-Identifier: Apache-2.0 */
/* endpointsvc.c - the services that VPC endpoints lead to, and AWS's prefix lists.
 *
 * Named are the services that this cloud has or will have, not all of AWS's. The addresses in the prefix lists are this
 * cloud's own, of the range for tests between networks (RFC 2544); ids are AWS's where they are well known. Sources:
 * "AWS services that integrate with AWS PrivateLink", "Gateway endpoints", "AWS-managed prefix lists". */
#include "svc/ec2/ec2_int.h"
#include <errno.h>

static const struct ec2_endpoint_service services[] = {
	{ "autoscaling", false, true, false },
	{ "backup", false, true, false },
	{ "cloudformation", false, true, false },
	{ "cloudtrail", false, true, false },
	{ "config", false, true, false },
	{ "dynamodb", true, true, false },
	{ "ec2", false, true, false },
	{ "ec2messages", false, true, false },
	{ "ecr.api", false, true, false },
	{ "ecr.dkr", false, true, true },
	{ "ecs", false, true, false },
	{ "ecs-agent", false, true, false },
	{ "ecs-telemetry", false, true, false },
	{ "elasticloadbalancing", false, true, false },
	{ "events", false, true, false },
	{ "execute-api", false, true, true },
	{ "guardduty", false, true, false },
	{ "inspector2", false, true, false },
	{ "kms", false, true, false },
	{ "lambda", false, true, false },
	{ "logs", false, true, false },
	{ "monitoring", false, true, false },
	{ "rds", false, true, false },
	{ "s3", true, true, true },
	{ "secretsmanager", false, true, false },
	{ "securityhub", false, true, false },
	{ "sns", false, true, false },
	{ "sqs", false, true, false },
	{ "ssm", false, true, false },
	{ "ssmmessages", false, true, false },
	{ "states", false, true, false },
	{ "sts", false, true, false },
};

/* Ids of AWS's lists that documentation names; others are made from the region's name. */
static const struct {
	const char *region, *s3, *dynamodb;
} lists[] = {
	{ "eu-central-1", "pl-6ea54007", "pl-66a5400f" }, { "eu-west-1", "pl-6da54004", "pl-6fa54006" },
	{ "us-east-1", "pl-63a5400a", "pl-02cd2c6b" },    { "us-east-2", "pl-7ba54012", "pl-4ca54025" },
	{ "us-west-2", "pl-68a54001", "pl-00a54069" },
};

const struct ec2_endpoint_service *ec2_endpoint_service(struct call *c, struct str name)
{
	struct str prefix = str_printf(c->arena, "com.amazonaws.%.*s.", STR(call_region(c)));

	for (size_t i = 0; str_starts(name, prefix) && i < ELEMENTS(services); i++)
		if (str_is(str_skip(name, prefix.n), services[i].name))
			return &services[i];
	return NULL;
}

static struct str full_name(struct call *c, const struct ec2_endpoint_service *s)
{
	return str_printf(c->arena, "com.amazonaws.%.*s.%s", STR(call_region(c)), s->name);
}

/* "ecr.api" is "api.ecr" in host names. */
struct str ec2_endpoint_host(struct call *c, const struct ec2_endpoint_service *s, bool wildcard)
{
	struct str name = str_c(s->name), a, b;

	if (str_cut(name, '.', &a, &b))
		name = str_printf(c->arena, "%.*s.%.*s", STR(b), STR(a));
	return str_printf(c->arena, "%s%.*s.%.*s.amazonaws.com%s", wildcard ? "*." : "", STR(name), STR(call_region(c)),
			  str_starts(call_region(c), S("cn-")) ? ".cn" : "");
}

/* --- AWS's prefix lists --- */
static struct str list_id(struct call *c, const char *service)
{
	struct str text = str_printf(c->arena, "%.*s %s", STR(call_region(c)), service);
	uint8_t digest[32];

	for (size_t i = 0; i < ELEMENTS(lists); i++)
		if (str_is(call_region(c), lists[i].region))
			return str_c(strcmp(service, "s3") == 0 ? lists[i].s3 : lists[i].dynamodb);
	hash_sha256(text.p, text.n, digest);
	return str_printf(c->arena, "pl-%.*s", STR(hex_encode(c->arena, digest, 4)));
}

size_t ec2_aws_lists(struct call *c, struct ec2_aws_list ret[8])
{
	static const struct {
		const char *service, *cidr;
	} t[] = { { "dynamodb", "198.18.1.0/24" }, { "s3", "198.18.0.0/24" } };

	for (size_t i = 0; i < ELEMENTS(t); i++)
		ret[i] = (struct ec2_aws_list){ list_id(c, t[i].service),
						str_printf(c->arena, "com.amazonaws.%.*s.%s", STR(call_region(c)), t[i].service),
						str_c(t[i].cidr) };
	return ELEMENTS(t);
}

struct str ec2_endpoint_prefix_list(struct call *c, const struct ec2_endpoint_service *s)
{
	return s->gateway ? list_id(c, s->name) : STR_NONE;
}

static const struct ec2_field list_fields[] = {
	EC2_FIELD_STR("prefix-list-id", struct ec2_aws_list, id),
	EC2_FIELD_STR("prefix-list-name", struct ec2_aws_list, name),
	{ 0 },
};

EC2_HANDLER(describe_prefix_lists)
{
	struct ec2_aws_list all[8];
	size_t n = ec2_aws_lists(c, all), cap = 0;
	int r = ec2_filters_check(c, list_fields, &in->filters, false);

	if (r == 0 && in->next_token.p)
		return call_fail(c, &ec2_err_invalid_next_token, "The token '%.*s' is invalid", STR(in->next_token));
	for (size_t i = 0; i < in->prefix_list_ids.n && r == 0; i++) {
		bool found = false;

		for (size_t j = 0; j < n; j++)
			found |= str_eq(all[j].id, in->prefix_list_ids.v[i]);
		if (!found)
			return call_fail(c, &ec2_err_invalid_prefix_list_id_not_found, "The prefix list ID '%.*s' does not exist",
					 STR(in->prefix_list_ids.v[i]));
	}
	for (size_t i = 0; i < n && r == 0; i++)
		if ((!in->prefix_list_ids.n || str_list_has(&in->prefix_list_ids, all[i].id)) &&
		    ec2_filters_match(c, list_fields, NULL, &in->filters, &all[i]))
			vec_push(c->arena, out->prefix_lists.v, out->prefix_lists.n,
				 cap) = (struct ec2_prefix_list){ .prefix_list_id = all[i].id,
								  .prefix_list_name = all[i].name,
								  .cidrs = { arena_dup(c->arena, &all[i].cidr, sizeof all[i].cidr), 1 } };
	EC2_EMPTY(c, out->prefix_lists);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

/* --- services --- */
struct offer { /* a service in one of its types */
	struct str name, type, owner, region;
	const struct ec2_endpoint_service *s;
};
#define F(name, m) EC2_FIELD_STR(name, struct offer, m)
static const struct ec2_field offer_fields[] = {
	F("owner", owner),
	F("service-name", name),
	F("service-region", region),
	F("service-type", type),
	{ "supported-ip-address-types", EC2_CONST, .constant = "ipv4" },
	{ 0 },
};

static void offer_out(struct call *c, const struct offer *o, struct ec2_service_detail *ret)
{
	struct str ipv4 = S("ipv4"), base, host = ec2_endpoint_host(c, o->s, o->s->wildcard);
	struct ec2_zone zones[8];
	size_t n = ec2_zones(c, zones), names = 0, ids = 0;
	struct ec2_service_type_detail type = { o->type };
	uint8_t digest[32];

	hash_sha256(o->name.p, o->name.n, digest);
	base = str_is(o->type, "Gateway") ? host : str_printf(c->arena, "%s.%.*s.vpce.amazonaws.com", o->s->name, STR(call_region(c)));
	*ret = (struct ec2_service_detail){
		.service_name = o->name,
		.service_id = str_printf(c->arena, "vpce-svc-0%.*s",
					 STR(hex_encode(c->arena, digest + (str_is(o->type, "Gateway") ? 8 : 0), 8))),
		.service_region = call_region(c),
		.owner = S("amazon"),
		.vpc_endpoint_policy_supported = OPT_BOOL(true),
		.acceptance_required = OPT_BOOL(false),
		.manages_vpc_endpoints = OPT_BOOL(false),
	};
	ret->service_type.v = arena_dup(c->arena, &type, sizeof type);
	ret->service_type.n = 1;
	ret->base_endpoint_dns_names = (struct str_list){ arena_dup(c->arena, &base, sizeof base), 1 };
	ret->supported_ip_address_types = (struct str_list){ arena_dup(c->arena, &ipv4, sizeof ipv4), 1 };
	for (size_t i = 0; i < n; i++) {
		vec_push(c->arena, ret->availability_zones.v, ret->availability_zones.n, names) = zones[i].name;
		vec_push(c->arena, ret->availability_zone_ids.v, ret->availability_zone_ids.n, ids) = zones[i].id;
	}
	if (str_is(o->type, "Interface")) {
		struct ec2_private_dns_details d = { host };

		ret->private_dns_name = host;
		ret->private_dns_names.v = arena_dup(c->arena, &d, sizeof d);
		ret->private_dns_names.n = 1;
		ret->private_dns_name_verification_state = S("verified");
	}
	EC2_EMPTY(c, ret->tags);
}

EC2_HANDLER(describe_vpc_endpoint_services)
{
	size_t cap = 0, names = 0;
	int r = ec2_filters_check(c, offer_fields, &in->filters, false);

	if (r < 0)
		return r;
	if (in->next_token.p)
		return call_fail(c, &ec2_err_invalid_next_token, "The token '%.*s' is invalid", STR(in->next_token));
	for (size_t i = 0; i < in->service_regions.n; i++)
		if (!str_eq(in->service_regions.v[i], call_region(c)))
			return ec2_not_built(c, "Services of other regions");
	for (size_t i = 0; i < in->service_names.n; i++)
		if (!ec2_endpoint_service(c, in->service_names.v[i]))
			return call_fail(c, &ec2_err_invalid_service_name, "The Vpc Endpoint Service '%.*s' does not exist",
					 STR(in->service_names.v[i]));
	for (size_t i = 0; i < 2 * ELEMENTS(services); i++) {
		const struct ec2_endpoint_service *s = &services[i / 2];
		bool gateway = i % 2 == 0;
		struct offer o = { full_name(c, s), gateway ? S("Gateway") : S("Interface"), S("amazon"), call_region(c), s };

		if (!(gateway ? s->gateway : s->interface) || (in->service_names.n && !str_list_has(&in->service_names, o.name)) ||
		    !ec2_filters_match(c, offer_fields, NULL, &in->filters, &o))
			continue;
		offer_out(c, &o, &vec_push(c->arena, out->service_details.v, out->service_details.n, cap));
		if (!str_list_has(&out->service_names, o.name))
			vec_push(c->arena, out->service_names.v, out->service_names.n, names) = o.name;
	}
	EC2_EMPTY(c, out->service_details);
	EC2_EMPTY(c, out->service_names);
	return ec2_end(c, in->dry_run);
}
