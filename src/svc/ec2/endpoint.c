/* SPDX-License-Identifier: Apache-2.0 */
/* endpoint.c - VPC endpoints.
 *
 * A gateway endpoint puts a route to its service's prefix list into route tables; an interface endpoint has a network
 * interface in each of its subnets, in different zones, and names in DNS. Each has a policy, which the service behind it
 * asks for (ec2.h): owners are found by "ec2.endpoint", names taken in a VPC by "ec2.vpcedns". Sources: "Access an AWS service
 * using an interface VPC endpoint", "Gateway endpoints", "Control access to VPC endpoints using endpoint policies". */
#include "svc/ec2/ec2_int.h"
#include <errno.h>

/* Quotas. Source: "AWS PrivateLink quotas". */
#define GATEWAYS_MAX 20           /* gateway endpoints in a region */
#define INTERFACES_PER_VPC_MAX 50 /* interface endpoints in a VPC */
#define POLICY_CHARS_MAX 20480    /* without white space */
#define REQUESTER "727180483921"  /* the account that AWS's interfaces of endpoints are made by */

static const char any_policy[] = "{\n  \"Statement\": [\n    {\n      \"Action\": \"*\", \n      \"Effect\": \"Allow\", \n      "
				 "\"Principal\": \"*\", \n      \"Resource\": \"*\"\n    }\n  ]\n}";
static const char any_gateway_policy[] =
	"{\"Version\":\"2008-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"*\",\"Resource\":\"*\"}]}";

static bool is_gateway(const struct ec2_rec_endpoint *e)
{
	return str_is(e->type, "Gateway");
}

/* --- who owns it --- */
static void owner_key(struct keybuf *k, struct str id)
{
	key_begin(k, S(""), "ec2.endpoint");
	key_str(k, id);
}

/* --- names --- */
static struct str own_name(struct call *c, const struct ec2_rec_endpoint *e, const struct ec2_endpoint_service *s, struct str zone)
{
	return str_printf(c->arena, "%.*s-%.*s%s%.*s.%s.%.*s.vpce.amazonaws.com", STR(e->id), STR(e->suffix), zone.p ? "-" : "",
			  STR(zone.p ? zone : S("")), s->name, STR(call_region(c)));
}

/* The regional name, then one of each zone. */
static int own_names(struct call *c, const struct ec2_rec_endpoint *e, struct str_list *ret)
{
	const struct ec2_endpoint_service *s = ec2_endpoint_service(c, e->service);
	int r = 0;

	*ret = (struct str_list){ 0 };
	if (!s || is_gateway(e))
		return 0;
	*ret = ec2_ids_with(c, ret, own_name(c, e, s, STR_NONE));
	for (size_t i = 0; i < e->subnets.n && r == 0; i++) {
		struct ec2_rec_subnet subnet;

		r = ec2_read(c, EC2_SUBNET, e->subnets.v[i], &subnet);
		if (r == 0)
			*ret = ec2_ids_with(c, ret, own_name(c, e, s, subnet.zone));
	}
	return r;
}

static struct str zone_id(struct call *c, const char *what)
{
	static const struct {
		const char *region, *id;
	} known[] = {
		{ "eu-central-1", "Z273ZU8SZ5RJPC" },
		{ "eu-west-1", "Z38GZ743OKFT7T" },
		{ "us-east-1", "Z7HUB22UULQXV" },
		{ "us-west-2", "Z1YSA3EXCYUU9Z" },
	};
	struct str text = str_printf(c->arena, "%s %.*s", what, STR(call_region(c)));
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	char id[20];
	uint8_t digest[32];

	for (size_t i = 0; i < ELEMENTS(known) && strcmp(what, "vpce") == 0; i++)
		if (str_is(call_region(c), known[i].region))
			return str_c(known[i].id);
	hash_sha256(text.p, text.n, digest);
	for (size_t i = 0; i < sizeof id; i++)
		id[i] = letters[digest[i] % 36];
	return str_printf(c->arena, "Z%.*s", (int)sizeof id, id);
}

static int dns_out(struct call *c, const struct ec2_rec_endpoint *e, struct ec2_dns_entry_list *ret)
{
	const struct ec2_endpoint_service *s = ec2_endpoint_service(c, e->service);
	struct str own_zone = zone_id(c, "vpce"), private_zone;
	struct str_list names;
	size_t cap = 0;
	int r = own_names(c, e, &names);

	for (size_t i = 0; i < names.n && r == 0; i++)
		vec_push(c->arena, ret->v, ret->n, cap) = (struct ec2_dns_entry){ names.v[i], own_zone };
	if (r == 0 && s && e->private_dns.v) {
		private_zone = zone_id(c, str_z(c->arena, e->id));
		vec_push(c->arena, ret->v, ret->n, cap) = (struct ec2_dns_entry){ ec2_endpoint_host(c, s, false), private_zone };
		if (s->wildcard)
			vec_push(c->arena, ret->v, ret->n, cap) = (struct ec2_dns_entry){ ec2_endpoint_host(c, s, true), private_zone };
	}
	EC2_EMPTY(c, *ret);
	return r;
}

/* --- published --- */
struct str ec2_endpoint_of_host(struct str host)
{
	const size_t n = sizeof "vpce-0123456789abcdef0" - 1;

	return str_starts(host, S("vpce-")) && host.n > n && host.p[n] == '-' ? str_of(host.p, n) : STR_NONE;
}

int ec2_endpoint_find(struct call *c, struct str id, struct ec2_endpoint *ret)
{
	struct str owner, caller = c->account;
	struct ec2_rec_endpoint e;
	struct keybuf k;
	int r;

	owner_key(&k, id);
	r = store_get(c->txn, key_view(&k), &owner);
	if (r < 0)
		return r;
	c->account = str_dup(c->arena, owner);
	r = ec2_read(c, EC2_ENDPOINT, id, &e);
	if (r == 0) {
		*ret = (struct ec2_endpoint){ .id = e.id,
					      .account = c->account,
					      .vpc = e.vpc,
					      .service = e.service,
					      .type = e.type,
					      .state = S("available"),
					      .policy = e.policy,
					      .private_dns = e.private_dns.v };
		r = own_names(c, &e, &ret->dns_names);
	}
	c->account = caller;
	return r;
}

/* --- describing --- */
static int endpoint_out(struct call *c, const struct ec2_rec_endpoint *e, const char *state, struct ec2_vpc_endpoint *ret)
{
	size_t cap = 0;

	*ret = (struct ec2_vpc_endpoint){ .vpc_endpoint_id = e->id,
					  .vpc_endpoint_type = e->type,
					  .vpc_id = e->vpc,
					  .service_name = e->service,
					  .service_region = call_region(c),
					  .state = str_c(state),
					  .policy_document = e->policy,
					  .route_table_ids = e->tables,
					  .subnet_ids = e->subnets,
					  .network_interface_ids = e->interfaces,
					  .private_dns_enabled = OPT_BOOL(e->private_dns.v),
					  .requester_managed = OPT_BOOL(false),
					  .creation_timestamp = e->created,
					  .owner_id = c->account };
	EC2_EMPTY(c, ret->route_table_ids);
	EC2_EMPTY(c, ret->subnet_ids);
	EC2_EMPTY(c, ret->network_interface_ids);
	if (!is_gateway(e)) {
		ret->ip_address_type = S("ipv4");
		ret->dns_options = arena_new(c->arena, struct ec2_dns_options);
		ret->dns_options->dns_record_ip_type = e->dns_ip_type;
	}
	for (size_t i = 0; i < e->groups.n; i++) {
		struct ec2_rec_group g;
		int r = ec2_read(c, EC2_GROUP, e->groups.v[i], &g);

		if (r < 0)
			return r;
		vec_push(c->arena, ret->groups.v, ret->groups.n, cap) = (struct ec2_security_group_identifier){ g.id, g.name };
	}
	EC2_EMPTY(c, ret->groups);
	ec2_tags_out(c, &e->tags, &ret->tags);
	return dns_out(c, e, &ret->dns_entries);
}

static void region_of(struct ec2_values *v, const void *rec)
{
	ec2_value(v, call_region(v->c));
}

static void ip_type(struct ec2_values *v, const void *rec)
{
	ec2_value(v, is_gateway(rec) ? STR_NONE : S("ipv4"));
}

static const struct ec2_field endpoint_fields[] = {
	EC2_FIELD_FN("ip-address-type", ip_type),
	EC2_FIELD_STR("service-name", struct ec2_rec_endpoint, service),
	EC2_FIELD_FN("service-region", region_of),
	{ "vpc-endpoint-id", EC2_ID, offsetof(struct ec2_rec_endpoint, id) },
	{ "vpc-endpoint-state", EC2_CONST, .constant = "available" },
	EC2_FIELD_STR("vpc-endpoint-type", struct ec2_rec_endpoint, type),
	{ "vpc-id", EC2_PARENT, offsetof(struct ec2_rec_endpoint, vpc) },
	{ 0 },
};

struct endpoint_page {
	struct ec2_describe_vpc_endpoints_result *out;
	size_t cap;
};

static int emit_endpoint(struct call *c, const void *rec, void *arg)
{
	struct endpoint_page *p = arg;

	return endpoint_out(c, rec, "available", &vec_push(c->arena, p->out->vpc_endpoints.v, p->out->vpc_endpoints.n, p->cap));
}

EC2_HANDLER(describe_vpc_endpoints)
{
	struct ec2_query q = { &in->filters, &in->vpc_endpoint_ids, in->next_token, in->max_results };
	struct endpoint_page page = { out, 0 };
	int r = ec2_list(c, EC2_ENDPOINT, endpoint_fields, &q, emit_endpoint, &page, &out->next_token);

	EC2_EMPTY(c, out->vpc_endpoints);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

/* --- routes of gateway endpoints --- */
static struct str list_of(struct call *c, const struct ec2_rec_endpoint *e)
{
	const struct ec2_endpoint_service *s = ec2_endpoint_service(c, e->service);

	return s ? ec2_endpoint_prefix_list(c, s) : STR_NONE;
}

static int join_table(struct call *c, struct ec2_rec_endpoint *e, struct str id)
{
	struct ec2_rec_route_list l = { 0 };
	struct str list = list_of(c, e);
	struct ec2_rec_route_table t;
	size_t cap = 0;
	int r = ec2_load(c, EC2_TABLE, id, &t);

	if (r < 0)
		return r;
	if (!str_eq(t.vpc, e->vpc))
		return call_fail(c, &aws_err_invalid_parameter_value, "route table %.*s and VPC endpoint belong to different networks",
				 STR(id));
	for (size_t i = 0; i < t.routes.n; i++) {
		if (str_eq(t.routes.v[i].prefix_list, list))
			return call_fail(c, &ec2_err_route_already_exists,
					 "route table %.*s already has a route with destination-prefix-list-id %.*s", STR(id), STR(list));
		vec_push(c->arena, l.v, l.n, cap) = t.routes.v[i];
	}
	if (t.routes.n >= EC2_ROUTES_PER_TABLE_MAX)
		return call_fail(c, &ec2_err_route_limit_exceeded, "The maximum number of routes has been reached.");
	vec_push(c->arena, l.v, l.n, cap) = (struct ec2_rec_route){ .prefix_list = list, .gateway = e->id, .origin = S("CreateRoute") };
	t.routes = l;
	e->tables = ec2_ids_with(c, &e->tables, id);
	return ec2_store(c, EC2_TABLE, &t);
}

static int leave_table(struct call *c, struct ec2_rec_endpoint *e, struct str id)
{
	struct ec2_rec_route_list l = { 0 };
	struct ec2_rec_route_table t;
	size_t cap = 0;
	int r = ec2_read(c, EC2_TABLE, id, &t);

	for (size_t i = 0; r == 0 && i < t.routes.n; i++)
		if (!str_eq(t.routes.v[i].gateway, e->id))
			vec_push(c->arena, l.v, l.n, cap) = t.routes.v[i];
	t.routes = l;
	e->tables = ec2_ids_without(c, &e->tables, id);
	return r < 0 ? r : ec2_store(c, EC2_TABLE, &t);
}

int ec2_endpoints_forget_table(struct call *c, const struct ec2_rec_route_table *t)
{
	struct ec2_rec_endpoint e;
	int r = 0;

	for (size_t i = 0; i < t->routes.n && r == 0; i++) {
		if (!str_starts(t->routes.v[i].gateway, S("vpce-")))
			continue;
		r = ec2_read(c, EC2_ENDPOINT, t->routes.v[i].gateway, &e);
		e.tables = ec2_ids_without(c, &e.tables, t->id);
		if (r == 0)
			r = ec2_store(c, EC2_ENDPOINT, &e);
	}
	return r;
}

/* --- interfaces of interface endpoints --- */
static int zone_free(struct call *c, const struct ec2_rec_endpoint *e, const struct ec2_rec_subnet *s)
{
	struct ec2_rec_subnet other;
	int r = 0;

	for (size_t i = 0; i < e->subnets.n && r == 0; i++) {
		r = ec2_read(c, EC2_SUBNET, e->subnets.v[i], &other);
		if (r == 0 && str_eq(other.zone, s->zone))
			return call_fail(
				c, &ec2_err_duplicate_subnets_in_same_zone,
				"Found another VPC endpoint subnet in the availability zone of %.*s. VPC endpoint subnets should be in "
				"different availability zones supported by the VPC endpoint service.",
				STR(s->id));
	}
	return r;
}

static int join_subnet(struct call *c, struct ec2_rec_endpoint *e, struct str id, const struct ec2_subnet_configuration_list *wanted)
{
	struct ec2_rec_interface i = { .type = S("vpc_endpoint"), .requester = S(REQUESTER), .source_check = OPT_BOOL(true) };
	struct str address = STR_NONE;
	struct ec2_rec_subnet s;
	int r = ec2_load(c, EC2_SUBNET, id, &s);

	if (r < 0)
		return r;
	if (str_list_has(&e->subnets, id))
		return call_fail(c, &aws_err_invalid_parameter_value, "The subnet '%.*s' is already associated with the endpoint", STR(id));
	if (!str_eq(s.vpc, e->vpc))
		return call_fail(c, &aws_err_invalid_parameter_value, "The subnet '%.*s' does not belong to VPC '%.*s'", STR(id),
				 STR(e->vpc));
	r = zone_free(c, e, &s);
	for (size_t w = 0; w < wanted->n && r == 0; w++) {
		if (!str_eq(wanted->v[w].subnet_id, id))
			continue;
		if (wanted->v[w].ipv6.p)
			return ec2_not_built(c, "IPv6 in subnets");
		address = wanted->v[w].ipv4;
	}
	i.description = str_printf(c->arena, "VPC Endpoint Interface %.*s", STR(e->id));
	i.groups = e->groups;
	i.endpoint = e->id;
	i.attachment = str_printf(c->arena, "ela-attach-0%.*s", STR(random_hex(c->arena, 16)));
	if (r == 0)
		r = ec2_interface_make(c, &s, address, &i);
	e->subnets = ec2_ids_with(c, &e->subnets, id);
	e->interfaces = ec2_ids_with(c, &e->interfaces, i.id);
	return r;
}

static int leave_subnet(struct call *c, struct ec2_rec_endpoint *e, struct str id)
{
	struct ec2_rec_interface i;
	int r = 0;

	if (!str_list_has(&e->subnets, id))
		return call_fail(c, &aws_err_invalid_parameter_value, "The subnet '%.*s' is not associated with the endpoint", STR(id));
	for (size_t n = 0; n < e->interfaces.n && r == 0; n++) {
		r = ec2_read(c, EC2_INTERFACE, e->interfaces.v[n], &i);
		if (r < 0 || !str_eq(i.subnet, id))
			continue;
		e->interfaces = ec2_ids_without(c, &e->interfaces, i.id);
		e->subnets = ec2_ids_without(c, &e->subnets, id);
		return ec2_interface_drop(c, &i);
	}
	return r;
}

/* --- private names --- */
static int private_names(struct call *c, struct ec2_rec_endpoint *e, bool on)
{
	const struct ec2_endpoint_service *s = ec2_endpoint_service(c, e->service);
	struct ec2_rec_vpc v;
	struct str other;
	int r = ec2_read(c, EC2_VPC, e->vpc, &v);

	if (r < 0 || on == e->private_dns.v)
		return r;
	e->private_dns = OPT_BOOL(on);
	if (!on)
		return ec2_map_del(c, "ec2.vpcedns", e->vpc, e->service);
	if (!v.dns_support.v || !v.dns_hostnames.v)
		return call_fail(
			c, &ec2_err_invalid_parameter,
			"Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set to true for %.*s",
			STR(v.id));
	r = ec2_map_get(c, "ec2.vpcedns", e->vpc, e->service, &other);
	if (r == 0)
		return call_fail(
			c, &ec2_err_invalid_parameter,
			"private-dns-enabled cannot be set because there is already a conflicting DNS domain for %.*s in the VPC %.*s",
			STR(ec2_endpoint_host(c, s, false)), STR(v.id));
	return r == -ENOENT ? ec2_map_put(c, "ec2.vpcedns", e->vpc, e->service, e->id) : r;
}

/* --- policies --- */
static int policy_take(struct call *c, struct ec2_rec_endpoint *e, struct str text)
{
	struct policy *p;
	struct str error;
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++)
		n += !strchr(" \t\r\n", text.p[i]) || !text.p[i];
	if (n > POLICY_CHARS_MAX)
		return call_fail(c, &ec2_err_invalid_policy_document, "The policy is longer than %d characters", POLICY_CHARS_MAX);
	if (policy_parse(c->arena, text, POLICY_RESOURCE, &p, &error) < 0)
		return call_fail(c, &ec2_err_invalid_policy_document, "%.*s", STR(error));
	e->policy = text;
	return 0;
}

static void policy_reset(struct ec2_rec_endpoint *e)
{
	e->policy = str_c(is_gateway(e) ? any_gateway_policy : any_policy);
}

/* --- creating --- */
static int dns_options(struct call *c, struct ec2_rec_endpoint *e, const struct ec2_dns_options_specification *o)
{
	if (!o)
		return 0;
	if (o->private_dns_only_for_inbound_resolver_endpoint.v || o->private_dns_preference.p || o->private_dns_specified_domains.n)
		return ec2_not_built(c, "This DNS option of VPC endpoints");
	if (o->dns_record_ip_type.p && !str_is(o->dns_record_ip_type, "ipv4") && !str_is(o->dns_record_ip_type, "service-defined"))
		return ec2_not_built(c, "IPv6 in subnets");
	if (o->dns_record_ip_type.p)
		e->dns_ip_type = o->dns_record_ip_type;
	return 0;
}

static int unsupported(struct call *c, const struct ec2_create_vpc_endpoint_request *in)
{
	if (in->vpc_endpoint_type.p && !str_is(in->vpc_endpoint_type, "Interface") && !str_is(in->vpc_endpoint_type, "Gateway"))
		return ec2_not_built(c, "A VPC endpoint of this type");
	if (in->service_network_arn.p || in->resource_configuration_arn.p)
		return ec2_not_built(c, "A VPC endpoint for a service network or resource");
	if (!in->service_name.p)
		return call_fail(c, &aws_err_missing_parameter, "The request must contain the parameter ServiceName");
	if (in->service_region.p && !str_eq(in->service_region, call_region(c)))
		return ec2_not_built(c, "An endpoint for a service of another region");
	if (in->ip_address_type.p && !str_is(in->ip_address_type, "ipv4"))
		return ec2_not_built(c, "IPv6 in subnets");
	return 0;
}

static int fitting_service(struct call *c, const struct ec2_rec_endpoint *e)
{
	const struct ec2_endpoint_service *s = ec2_endpoint_service(c, e->service);

	if (!s)
		return call_fail(c, &ec2_err_invalid_service_name, "The Vpc Endpoint Service '%.*s' does not exist", STR(e->service));
	if (is_gateway(e) ? !s->gateway : !s->interface)
		return call_fail(c, &ec2_err_invalid_parameter, "Endpoint type (%.*s) does not match available service types ([%s]).",
				 STR(e->type), s->gateway ? "Gateway" : "Interface");
	return 0;
}

/* Interface endpoints are counted in their VPC, gateway endpoints in the region ("ec2.vpcegw"). */
static int quota(struct call *c, const struct ec2_rec_endpoint *e)
{
	struct ec2_rec_endpoint other;
	struct str_list ids;
	size_t n = 0;
	int r;

	if (is_gateway(e)) {
		r = ec2_map_list(c, "ec2.vpcegw", S("all"), &ids);
		n = ids.n;
	} else {
		r = ec2_child_ids(c, EC2_ENDPOINT, e->vpc, &ids);
		for (size_t i = 0; i < ids.n && r == 0; i++) {
			r = ec2_read(c, EC2_ENDPOINT, ids.v[i], &other);
			n += r == 0 && !is_gateway(&other);
		}
	}
	if (r == 0 && n >= (is_gateway(e) ? GATEWAYS_MAX : INTERFACES_PER_VPC_MAX))
		return call_fail(c, &ec2_err_vpc_endpoint_limit_exceeded, "The maximum number of VPC endpoints has been reached.");
	return r;
}

static int make_gateway(struct call *c, const struct ec2_create_vpc_endpoint_request *in, struct ec2_rec_endpoint *e)
{
	int r = 0;

	if (in->subnet_ids.n || in->subnet_configurations.n)
		return call_fail(c, &ec2_err_invalid_parameter, "Subnet IDs are not supported for Gateway type VPC Endpoint.");
	if (in->security_group_ids.n)
		return call_fail(c, &ec2_err_invalid_parameter, "Security Groups are not supported for Gateway type VPC Endpoint.");
	if (in->private_dns_enabled.v)
		return call_fail(c, &ec2_err_invalid_parameter, "Private DNS is not supported for Gateway type VPC Endpoint.");
	for (size_t i = 0; i < in->route_table_ids.n && r == 0; i++)
		r = join_table(c, e, in->route_table_ids.v[i]);
	return r < 0 ? r : ec2_map_put(c, "ec2.vpcegw", S("all"), e->id, S("1"));
}

static int make_interface(struct call *c, const struct ec2_create_vpc_endpoint_request *in, struct ec2_rec_endpoint *e)
{
	struct ec2_rec_vpc v;
	int r;

	if (in->route_table_ids.n)
		return call_fail(c, &ec2_err_invalid_parameter, "Route table IDs are not supported for Interface type VPC Endpoint.");
	e->dns_ip_type = S("ipv4");
	r = ec2_read(c, EC2_VPC, e->vpc, &v);
	if (r == 0)
		r = dns_options(c, e, in->dns_options);
	if (r == 0)
		r = ec2_groups_check(c, v.id, v.group, &in->security_group_ids, &e->groups);
	if (r == 0)
		r = private_names(c, e, !in->private_dns_enabled.has || in->private_dns_enabled.v);
	for (size_t i = 0; i < in->subnet_ids.n && r == 0; i++)
		r = join_subnet(c, e, in->subnet_ids.v[i], &in->subnet_configurations);
	for (size_t i = 0; i < in->subnet_configurations.n && r == 0; i++)
		if (!str_list_has(&e->subnets, in->subnet_configurations.v[i].subnet_id))
			r = join_subnet(c, e, in->subnet_configurations.v[i].subnet_id, &in->subnet_configurations);
	return r;
}

static int make(struct call *c, const struct ec2_create_vpc_endpoint_request *in, struct ec2_rec_endpoint *e)
{
	struct ec2_rec_vpc v;
	struct keybuf k;
	int r = ec2_load(c, EC2_VPC, in->vpc_id, &v);

	*e = (struct ec2_rec_endpoint){ .vpc = v.id, .service = in->service_name, .created = OPT_TIME(c->now_ms) };
	e->type = in->vpc_endpoint_type.p ? in->vpc_endpoint_type : S("Gateway");
	if (r == 0)
		r = fitting_service(c, e);
	if (r == 0)
		r = ec2_tags_take(c, &in->tag_specifications, "vpc-endpoint", &e->tags);
	if (r == 0)
		r = quota(c, e);
	policy_reset(e);
	if (r == 0 && in->policy_document.p)
		r = policy_take(c, e, in->policy_document);
	if (r < 0)
		return r;
	e->id = ec2_new_id(c, "vpce");
	e->suffix = random_from(c->arena, S("abcdefghijklmnopqrstuvwxyz0123456789"), 8);
	r = is_gateway(e) ? make_gateway(c, in, e) : make_interface(c, in, e);
	if (r == 0)
		r = ec2_insert(c, EC2_ENDPOINT, e);
	owner_key(&k, e->id);
	return r < 0 ? r : store_put(c->txn, key_view(&k), c->account);
}

EC2_HANDLER(create_vpc_endpoint)
{
	struct ec2_rec_endpoint e;
	struct str id;
	int r = unsupported(c, in);

	if (r < 0)
		return r;
	r = in->client_token.p ? ec2_map_get(c, "ec2.token", S("CreateVpcEndpoint"), in->client_token, &id) : -ENOENT;
	if (r == 0)
		r = ec2_read(c, EC2_ENDPOINT, id, &e);
	if (r == 0 && (!str_eq(e.vpc, in->vpc_id) || !str_eq(e.service, in->service_name)))
		return call_fail(c, &ec2_err_idempotent_parameter_mismatch, "The client token '%.*s' was used with other parameters",
				 STR(in->client_token));
	if (r == -ENOENT) {
		r = make(c, in, &e);
		if (r == 0 && in->client_token.p)
			r = ec2_map_put(c, "ec2.token", S("CreateVpcEndpoint"), in->client_token, e.id);
	}
	if (r < 0)
		return r;
	out->client_token = in->client_token;
	out->vpc_endpoint = arena_new(c->arena, struct ec2_vpc_endpoint);
	r = endpoint_out(c, &e, is_gateway(&e) ? "available" : "pending", out->vpc_endpoint);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

/* --- changing --- */
static int regroup(struct call *c, struct ec2_rec_endpoint *e, const struct str_list *add, const struct str_list *remove)
{
	struct str_list wanted = e->groups;
	int r;

	if (add->n == 0 && remove->n == 0)
		return 0;
	for (size_t i = 0; i < add->n; i++)
		wanted = ec2_ids_with(c, &wanted, add->v[i]);
	for (size_t i = 0; i < remove->n; i++)
		wanted = ec2_ids_without(c, &wanted, remove->v[i]);
	if (wanted.n == 0)
		return call_fail(c, &ec2_err_invalid_parameter, "A VPC endpoint must have at least one security group.");
	r = ec2_groups_check(c, e->vpc, STR_NONE, &wanted, &e->groups);
	for (size_t i = 0; i < e->interfaces.n && r == 0; i++) {
		struct ec2_rec_interface n;

		r = ec2_read(c, EC2_INTERFACE, e->interfaces.v[i], &n);
		if (r == 0)
			r = ec2_interface_regroup(c, &n, &e->groups);
	}
	return r;
}

static int modify_interface(struct call *c, const struct ec2_modify_vpc_endpoint_request *in, struct ec2_rec_endpoint *e)
{
	int r = regroup(c, e, &in->add_security_group_ids, &in->remove_security_group_ids);

	if (r == 0 && (in->add_route_table_ids.n || in->remove_route_table_ids.n))
		return call_fail(c, &ec2_err_invalid_parameter, "Route table IDs are not supported for Interface type VPC Endpoint.");
	if (r == 0)
		r = dns_options(c, e, in->dns_options);
	if (r == 0 && in->private_dns_enabled.has)
		r = private_names(c, e, in->private_dns_enabled.v);
	for (size_t i = 0; i < in->remove_subnet_ids.n && r == 0; i++)
		r = leave_subnet(c, e, in->remove_subnet_ids.v[i]);
	for (size_t i = 0; i < in->add_subnet_ids.n && r == 0; i++)
		r = join_subnet(c, e, in->add_subnet_ids.v[i], &in->subnet_configurations);
	for (size_t i = 0; i < in->subnet_configurations.n && r == 0; i++)
		if (!str_list_has(&in->add_subnet_ids, in->subnet_configurations.v[i].subnet_id))
			return ec2_not_built(c, "Changing the address of an endpoint in a subnet");
	return r;
}

static int modify_gateway(struct call *c, const struct ec2_modify_vpc_endpoint_request *in, struct ec2_rec_endpoint *e)
{
	int r = 0;

	if (in->add_subnet_ids.n || in->remove_subnet_ids.n || in->subnet_configurations.n || in->add_security_group_ids.n ||
	    in->remove_security_group_ids.n || in->private_dns_enabled.v)
		return call_fail(c, &ec2_err_invalid_parameter,
				 "Subnets, security groups and private DNS are not supported for Gateway type VPC Endpoint.");
	for (size_t i = 0; i < in->remove_route_table_ids.n && r == 0; i++) {
		if (!str_list_has(&e->tables, in->remove_route_table_ids.v[i]))
			return call_fail(c, &aws_err_invalid_parameter_value, "The route table '%.*s' is not associated with the endpoint",
					 STR(in->remove_route_table_ids.v[i]));
		r = leave_table(c, e, in->remove_route_table_ids.v[i]);
	}
	for (size_t i = 0; i < in->add_route_table_ids.n && r == 0; i++)
		if (!str_list_has(&e->tables, in->add_route_table_ids.v[i]))
			r = join_table(c, e, in->add_route_table_ids.v[i]);
	return r;
}

EC2_HANDLER(modify_vpc_endpoint)
{
	struct ec2_rec_endpoint e;
	int r = ec2_load(c, EC2_ENDPOINT, in->vpc_endpoint_id, &e);

	if (r < 0)
		return r;
	if (in->ip_address_type.p && !str_is(in->ip_address_type, "ipv4"))
		return ec2_not_built(c, "IPv6 in subnets");
	if (in->reset_policy.v && in->policy_document.p)
		return call_fail(c, &ec2_err_invalid_parameter_combination, "A policy can't be given and reset in one request");
	if (in->reset_policy.v)
		policy_reset(&e);
	else if (in->policy_document.p)
		r = policy_take(c, &e, in->policy_document);
	if (r == 0)
		r = is_gateway(&e) ? modify_gateway(c, in, &e) : modify_interface(c, in, &e);
	if (r == 0)
		r = ec2_store(c, EC2_ENDPOINT, &e);
	out->return_ = OPT_BOOL(true);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

/* --- deleting --- */
static int remove_endpoint(struct call *c, struct ec2_rec_endpoint *e)
{
	struct keybuf k;
	int r = 0;

	while (e->tables.n && r == 0)
		r = leave_table(c, e, e->tables.v[0]);
	while (e->subnets.n && r == 0)
		r = leave_subnet(c, e, e->subnets.v[0]);
	if (r == 0)
		r = private_names(c, e, false);
	if (r == 0 && is_gateway(e))
		r = ec2_map_del(c, "ec2.vpcegw", S("all"), e->id);
	owner_key(&k, e->id);
	if (r == 0)
		r = store_del(c->txn, key_view(&k));
	return r < 0 ? r : ec2_remove(c, EC2_ENDPOINT, e);
}

/* Those that are not there are told in the answer, the others go. */
EC2_HANDLER(delete_vpc_endpoints)
{
	size_t cap = 0;
	int r = 0;

	for (size_t i = 0; i < in->vpc_endpoint_ids.n && r == 0; i++) {
		struct str id = in->vpc_endpoint_ids.v[i];
		struct ec2_unsuccessful_item *item;
		struct ec2_rec_endpoint e;

		r = ec2_id_check(c, EC2_ENDPOINT, id);
		if (r == 0)
			r = ec2_read(c, EC2_ENDPOINT, id, &e);
		if (r == 0)
			r = remove_endpoint(c, &e);
		else if (r == -ENOENT) {
			item = &vec_push(c->arena, out->unsuccessful.v, out->unsuccessful.n, cap);
			*item = (struct ec2_unsuccessful_item){ .resource_id = id };
			item->error = arena_new(c->arena, struct ec2_unsuccessful_item_error);
			item->error->code = S("InvalidVpcEndpoint.NotFound");
			item->error->message = str_printf(c->arena, "The Vpc Endpoint Id '%.*s' does not exist", STR(id));
			r = 0;
		}
	}
	EC2_EMPTY(c, out->unsuccessful);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}
