/* SPDX-License-Identifier: Apache-2.0 */
/* zones.c - regions, Availability Zones, account attributes, and the list of what does not exist yet: Elastic IP
 * addresses. Source: "AWS Regions and Availability Zones". */
#include "svc/ec2/ec2_int.h"
#include <errno.h>

#define REGIONS_MAX 128

/* Letters are those that new accounts see; the number of a zone's id is given where it is not its place. */
static const struct region_fact {
	const char *name, *code, *letters, *numbers, *place;
	bool opt_in;
} facts[] = {
	{ "af-south-1", "afs1", "abc", "123", "Africa (Cape Town)", true },
	{ "ap-east-1", "ape1", "abc", "123", "Asia Pacific (Hong Kong)", true },
	{ "ap-east-2", "ape2", "abc", "123", "Asia Pacific (Taipei)", true },
	{ "ap-northeast-1", "apne1", "acd", "412", "Asia Pacific (Tokyo)", false },
	{ "ap-northeast-2", "apne2", "abcd", "1234", "Asia Pacific (Seoul)", false },
	{ "ap-northeast-3", "apne3", "abc", "312", "Asia Pacific (Osaka)", false },
	{ "ap-south-1", "aps1", "abc", "132", "Asia Pacific (Mumbai)", false },
	{ "ap-south-2", "aps2", "abc", "123", "Asia Pacific (Hyderabad)", true },
	{ "ap-southeast-1", "apse1", "abc", "123", "Asia Pacific (Singapore)", false },
	{ "ap-southeast-2", "apse2", "abc", "132", "Asia Pacific (Sydney)", false },
	{ "ap-southeast-3", "apse3", "abc", "123", "Asia Pacific (Jakarta)", true },
	{ "ap-southeast-4", "apse4", "abc", "123", "Asia Pacific (Melbourne)", true },
	{ "ap-southeast-5", "apse5", "abc", "123", "Asia Pacific (Malaysia)", true },
	{ "ap-southeast-6", "apse6", "abc", "123", "Asia Pacific (New Zealand)", true },
	{ "ap-southeast-7", "apse7", "abc", "123", "Asia Pacific (Thailand)", true },
	{ "ca-central-1", "cac1", "abd", "124", "Canada (Central)", false },
	{ "ca-west-1", "caw1", "abc", "123", "Canada West (Calgary)", true },
	{ "cn-north-1", "cnn1", "abd", "124", "China (Beijing)", false },
	{ "cn-northwest-1", "cnnw1", "abc", "123", "China (Ningxia)", false },
	{ "eu-central-1", "euc1", "abc", "231", "Europe (Frankfurt)", false },
	{ "eu-central-2", "euc2", "abc", "123", "Europe (Zurich)", true },
	{ "eu-north-1", "eun1", "abc", "123", "Europe (Stockholm)", false },
	{ "eu-south-1", "eus1", "abc", "123", "Europe (Milan)", true },
	{ "eu-south-2", "eus2", "abc", "123", "Europe (Spain)", true },
	{ "eu-west-1", "euw1", "abc", "123", "Europe (Ireland)", false },
	{ "eu-west-2", "euw2", "abc", "231", "Europe (London)", false },
	{ "eu-west-3", "euw3", "abc", "123", "Europe (Paris)", false },
	{ "il-central-1", "ilc1", "abc", "123", "Israel (Tel Aviv)", true },
	{ "me-central-1", "mec1", "abc", "123", "Middle East (UAE)", true },
	{ "me-south-1", "mes1", "abc", "123", "Middle East (Bahrain)", true },
	{ "mx-central-1", "mxc1", "abc", "123", "Mexico (Central)", true },
	{ "sa-east-1", "sae1", "abc", "123", "South America (Sao Paulo)", false },
	{ "us-east-1", "use1", "abcdef", "124635", "US East (N. Virginia)", false },
	{ "us-east-2", "use2", "abc", "123", "US East (Ohio)", false },
	{ "us-gov-east-1", "usge1", "abc", "123", "AWS GovCloud (US-East)", false },
	{ "us-gov-west-1", "usgw1", "abc", "123", "AWS GovCloud (US-West)", false },
	{ "us-west-1", "usw1", "ac", "31", "US West (N. California)", false },
	{ "us-west-2", "usw2", "abcd", "2134", "US West (Oregon)", false },
};

static const struct region_fact *fact_of(struct str region)
{
	for (size_t i = 0; i < ELEMENTS(facts); i++)
		if (str_is(region, facts[i].name))
			return &facts[i];
	return NULL;
}

/* "xx-somewhere-1" is "xxs1", where the table does not say otherwise. */
static struct str code_of(struct call *c, struct str region)
{
	struct str rest = region, part, code = S("");

	while (str_next(&rest, '-', &part))
		code = str_printf(c->arena, "%.*s%.*s", STR(code), part.n > 2 ? 1 : (int)part.n, part.p);
	return code;
}

size_t ec2_zones(struct call *c, struct ec2_zone ret[8])
{
	struct str region = call_region(c);
	const struct region_fact *f = fact_of(region);
	const char *letters = f ? f->letters : "abc", *numbers = f ? f->numbers : "123";
	struct str code = f ? str_c(f->code) : code_of(c, region);
	size_t n = 0;

	for (; letters[n]; n++) {
		ret[n].name = str_printf(c->arena, "%.*s%c", STR(region), letters[n]);
		ret[n].id = str_printf(c->arena, "%.*s-az%c", STR(code), numbers[n]);
	}
	return n;
}

struct str ec2_zone_names(struct call *c, const struct ec2_zone *z, size_t n)
{
	struct str names[8];

	for (size_t i = 0; i < n; i++)
		names[i] = z[i].name;
	return str_join(c->arena, names, n, S(", "));
}

#define F(name, T, m) EC2_FIELD_STR(name, struct T, m)
static const struct ec2_field zone_fields[] = {
	F("group-name", ec2_availability_zone, group_name),
	F("group-long-name", ec2_availability_zone, group_long_name),
	F("message", ec2_availability_zone, parent_zone_id),
	F("opt-in-status", ec2_availability_zone, opt_in_status),
	F("parent-zone-id", ec2_availability_zone, parent_zone_id),
	F("parent-zone-name", ec2_availability_zone, parent_zone_name),
	F("region-name", ec2_availability_zone, region_name),
	F("state", ec2_availability_zone, state),
	F("zone-id", ec2_availability_zone, zone_id),
	F("zone-name", ec2_availability_zone, zone_name),
	F("zone-type", ec2_availability_zone, zone_type),
	{ 0 },
};

static void zone_out(struct call *c, const struct ec2_zone *z, struct ec2_availability_zone *ret)
{
	const struct region_fact *f = fact_of(call_region(c));
	struct str number;

	*ret = (struct ec2_availability_zone){ .opt_in_status = S("opt-in-not-required"),
					       .region_name = call_region(c),
					       .zone_name = z->name,
					       .zone_id = z->id,
					       .network_border_group = call_region(c),
					       .zone_type = S("availability-zone"),
					       .state = S("available") };
	ret->group_name = str_printf(c->arena, "%.*s-zg-1", STR(call_region(c)));
	number = str_of(z->id.p + z->id.n - 1, 1);
	ret->group_long_name = f ? str_printf(c->arena, "%s 1", f->place)
				 : str_printf(c->arena, "%.*s %.*s", STR(call_region(c)), STR(number));
	EC2_EMPTY(c, ret->messages);
}

static int zones_asked(struct call *c, const struct str_list *asked, const struct ec2_zone *z, size_t n, bool ids)
{
	for (size_t i = 0; i < asked->n; i++) {
		bool found = false;

		for (size_t j = 0; j < n; j++)
			found |= str_eq(asked->v[i], ids ? z[j].id : z[j].name);
		if (!found)
			return call_fail(c, &aws_err_invalid_parameter_value, "Invalid availability zone%s: [%.*s]", ids ? "-id" : "",
					 STR(asked->v[i]));
	}
	return 0;
}

EC2_HANDLER(describe_availability_zones)
{
	struct ec2_availability_zone zone;
	struct ec2_zone z[8];
	size_t n = ec2_zones(c, z), cap = 0;
	int r = ec2_filters_check(c, zone_fields, &in->filters, false);

	if (r == 0)
		r = zones_asked(c, &in->zone_names, z, n, false);
	if (r == 0)
		r = zones_asked(c, &in->zone_ids, z, n, true);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		if ((in->zone_names.n && !str_list_has(&in->zone_names, z[i].name)) ||
		    (in->zone_ids.n && !str_list_has(&in->zone_ids, z[i].id)))
			continue;
		zone_out(c, &z[i], &zone);
		if (ec2_filters_match(c, zone_fields, NULL, &in->filters, &zone))
			vec_push(c->arena, out->availability_zones.v, out->availability_zones.n, cap) = zone;
	}
	EC2_EMPTY(c, out->availability_zones);
	return ec2_end(c, in->dry_run);
}

/* --- regions --- */
static const struct ec2_field region_fields[] = {
	F("endpoint", ec2_region, endpoint),
	F("opt-in-status", ec2_region, opt_in_status),
	F("region-name", ec2_region, region_name),
	{ 0 },
};

static struct ec2_region region_of(struct call *c, struct str name, bool started)
{
	const struct region_fact *f = fact_of(name);

	return (struct ec2_region){ .region_name = name,
				    .opt_in_status = !started         ? S("not-opted-in")
						     : f && f->opt_in ? S("opted-in")
								      : S("opt-in-not-required"),
				    .endpoint = str_printf(c->arena, "ec2.%.*s.amazonaws.com%s", STR(name),
							   str_starts(name, S("cn-")) ? ".cn" : "") };
}

/* Regions are those that this cloud has; with AllRegions, those of AWS's that it could start are told as not opted in. */
EC2_HANDLER(describe_regions)
{
	struct region *have[REGIONS_MAX];
	size_t n = cloud_regions(c->cloud, have, REGIONS_MAX), cap = 0, all_n = 0, all_cap = 0;
	struct ec2_region *all = NULL;
	int r = ec2_filters_check(c, region_fields, &in->filters, false);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		vec_push(c->arena, all, all_n, all_cap) = region_of(c, have[i]->name, true);
	for (size_t i = 0; i < ELEMENTS(facts) && (in->all_regions.v || in->region_names.n); i++) {
		bool known = false;

		for (size_t j = 0; j < n; j++)
			known |= str_is(have[j]->name, facts[i].name);
		if (!known && str_eq(region_partition(str_c(facts[i].name)), region_partition(call_region(c))))
			vec_push(c->arena, all, all_n, all_cap) = region_of(c, str_c(facts[i].name), false);
	}
	for (size_t i = 0; i < in->region_names.n; i++) {
		bool known = false;

		for (size_t j = 0; j < all_n; j++)
			known |= str_eq(all[j].region_name, in->region_names.v[i]);
		if (!known)
			return call_fail(c, &aws_err_invalid_parameter_value, "Invalid region name: '%.*s'", STR(in->region_names.v[i]));
	}
	for (size_t i = 0; i < all_n; i++)
		if ((!in->region_names.n || str_list_has(&in->region_names, all[i].region_name)) &&
		    ec2_filters_match(c, region_fields, NULL, &in->filters, &all[i]))
			vec_push(c->arena, out->regions.v, out->regions.n, cap) = all[i];
	EC2_EMPTY(c, out->regions);
	return ec2_end(c, in->dry_run);
}

/* --- account attributes --- */
EC2_HANDLER(describe_account_attributes)
{
	struct ec2_rec_vpc v;
	int found = ec2_default_vpc(c, &v);
	const struct {
		const char *name;
		struct str value;
	} t[] = {
		{ "supported-platforms", S("VPC") }, { "default-vpc", found == 0 ? v.id : S("none") },
		{ "max-instances", S("20") },        { "vpc-max-security-groups-per-interface", S("5") },
		{ "max-elastic-ips", S("5") },       { "vpc-max-elastic-ips", S("5") },
	};
	size_t cap = 0;

	if (found < 0 && found != -ENOENT)
		return found;
	for (size_t i = 0; i < in->attribute_names.n; i++) {
		bool known = false;

		for (size_t j = 0; j < ELEMENTS(t); j++)
			known |= str_is(in->attribute_names.v[i], t[j].name);
		if (!known)
			return call_fail(c, &aws_err_invalid_parameter_value, "Value (%.*s) for parameter attributeName is invalid.",
					 STR(in->attribute_names.v[i]));
	}
	for (size_t i = 0; i < ELEMENTS(t); i++) {
		struct ec2_account_attribute_value *value = arena_new(c->arena, struct ec2_account_attribute_value);

		if (in->attribute_names.n && !str_list_has(&in->attribute_names, str_c(t[i].name)))
			continue;
		value->attribute_value = t[i].value;
		vec_push(c->arena, out->account_attributes.v, out->account_attributes.n,
			 cap) = (struct ec2_account_attribute){ str_c(t[i].name), { value, 1 } };
	}
	EC2_EMPTY(c, out->account_attributes);
	return ec2_end(c, in->dry_run);
}

/* --- what does not exist yet --- */
static const char *const address_filters[] = {
	"allocation-id",
	"association-id",
	"domain",
	"instance-id",
	"network-border-group",
	"network-interface-id",
	"network-interface-owner-id",
	"private-ip-address",
	"public-ip",
	NULL,
};

static int names_check(struct call *c, const char *const *names, const struct ec2_filter_list *filters)
{
	struct ec2_field *fields = NULL;
	size_t n = 0, cap = 0;

	for (; *names; names++)
		vec_push(c->arena, fields, n, cap) = (struct ec2_field){ .name = *names };
	vec_push(c->arena, fields, n, cap) = (struct ec2_field){ 0 };
	return ec2_filters_check(c, fields, filters, true);
}

EC2_HANDLER(describe_addresses)
{
	int r = names_check(c, address_filters, &in->filters);

	if (r == 0 && in->public_ips.n)
		return call_fail(c, &ec2_err_invalid_address_not_found, "Address '%.*s' not found.", STR(in->public_ips.v[0]));
	if (r == 0 && in->allocation_ids.n)
		return call_fail(c, &ec2_err_invalid_allocation_id_not_found, "The allocation ID '%.*s' does not exist",
				 STR(in->allocation_ids.v[0]));
	EC2_EMPTY(c, out->addresses);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}
