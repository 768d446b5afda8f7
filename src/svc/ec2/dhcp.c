/* SPDX-License-Identifier: Apache-2.0 */
/* dhcp.c - sets of DHCP options. The region's default one is made with the first VPC. Source: "DHCP option sets". */
#include "svc/ec2/ec2_int.h"
#include <errno.h>

#define ADDRESSES_MAX 4 /* servers of one kind in a set */

static int put(struct call *c, struct ec2_rec_dhcp *d)
{
	d->id = ec2_new_id(c, "dopt");
	d->created = OPT_TIME(c->now_ms);
	return ec2_insert(c, EC2_DHCP, d);
}

static struct ec2_rec_dhcp_configuration one(struct call *c, struct str key, struct str value)
{
	return (struct ec2_rec_dhcp_configuration){ key, { arena_dup(c->arena, &value, sizeof value), 1 } };
}

int ec2_dhcp_default(struct call *c, struct str *ret_id)
{
	struct ec2_rec_dhcp_configuration *v = arena_array(c->arena, struct ec2_rec_dhcp_configuration, 2);
	struct ec2_rec_dhcp d = { 0 };
	int r = ec2_map_get(c, "ec2.default", S("dhcp"), STR_NONE, ret_id);

	if (r != -ENOENT)
		return r;
	v[0] = one(c, S("domain-name"),
		   str_is(call_region(c), "us-east-1") ? S("ec2.internal")
						       : str_printf(c->arena, "%.*s.compute.internal", STR(call_region(c))));
	v[1] = one(c, S("domain-name-servers"), S("AmazonProvidedDNS"));
	d.configurations = (struct ec2_rec_dhcp_configuration_list){ v, 2 };
	r = put(c, &d);
	*ret_id = d.id;
	return r < 0 ? r : ec2_map_put(c, "ec2.default", S("dhcp"), STR_NONE, d.id);
}

static void dhcp_out(struct call *c, const struct ec2_rec_dhcp *d, struct ec2_dhcp_options *ret)
{
	*ret = (struct ec2_dhcp_options){ .owner_id = c->account, .dhcp_options_id = d->id };
	ret->dhcp_configurations.n = d->configurations.n;
	ret->dhcp_configurations.v = arena_array(c->arena, struct ec2_dhcp_configuration, d->configurations.n + 1);
	for (size_t i = 0; i < d->configurations.n; i++) {
		const struct ec2_rec_dhcp_configuration *from = &d->configurations.v[i];
		struct ec2_dhcp_configuration *to = &ret->dhcp_configurations.v[i];

		to->key = from->key;
		to->values.n = from->values.n;
		to->values.v = arena_array(c->arena, struct ec2_attribute_value, from->values.n + 1);
		for (size_t j = 0; j < from->values.n; j++)
			to->values.v[j].value = from->values.v[j];
	}
	ec2_tags_out(c, &d->tags, &ret->tags);
}

/* --- creating --- */
static bool address(struct str s)
{
	struct cidr4 c4;
	struct cidr6 c6;
	char text[64];

	if (s.n == 0 || s.n > 45)
		return false;
	snprintf(text, sizeof text, "%.*s/32", STR(s));
	return cidr4_parse(str_c(text), &c4) == 0 || cidr6_parse(str_c(text), &c6) == 0;
}

static int configuration(struct call *c, const struct ec2_new_dhcp_configuration *in, struct ec2_rec_dhcp_configuration *ret)
{
	static const char *const lists[] = { "domain-name-servers", "ntp-servers", "netbios-name-servers" };
	struct str value = in->values.n ? in->values.v[0] : STR_NONE;

	for (size_t i = 0; i < ELEMENTS(lists); i++) {
		if (!str_is(in->key, lists[i]))
			continue;
		if (in->values.n == 0 || in->values.n > ADDRESSES_MAX)
			return call_fail(c, &aws_err_invalid_parameter_value, "DHCP option %s takes 1 to %d addresses", lists[i],
					 ADDRESSES_MAX);
		for (size_t j = 0; j < in->values.n; j++)
			if (!address(in->values.v[j]) && !(i == 0 && str_is(in->values.v[j], "AmazonProvidedDNS")))
				return call_fail(c, &aws_err_invalid_parameter_value,
						 "Value (%.*s) for parameter %s is invalid. Invalid IPv4 address.", STR(in->values.v[j]),
						 lists[i]);
		*ret = (struct ec2_rec_dhcp_configuration){ in->key, in->values };
		return 0;
	}
	if (!str_is(in->key, "domain-name") && !str_is(in->key, "netbios-node-type") &&
	    !str_is(in->key, "ipv6-address-preferred-lease-time"))
		return call_fail(c, &aws_err_invalid_parameter_value, "Value (%.*s) for parameter key is invalid. Unknown DHCP option",
				 STR(in->key));
	if (in->values.n != 1 || !value.n)
		return call_fail(c, &aws_err_invalid_parameter_value, "DHCP option %.*s takes one value", STR(in->key));
	if (str_is(in->key, "netbios-node-type") && !str_is(value, "1") && !str_is(value, "2") && !str_is(value, "4") &&
	    !str_is(value, "8"))
		return call_fail(c, &aws_err_invalid_parameter_value,
				 "Value (%.*s) for parameter netbios-node-type is invalid. Invalid netbios node type.", STR(value));
	*ret = (struct ec2_rec_dhcp_configuration){ in->key, in->values };
	return 0;
}

EC2_HANDLER(create_dhcp_options)
{
	struct ec2_rec_dhcp d = { 0 };
	size_t cap = 0;
	int r = 0;

	if (in->dhcp_configurations.n == 0)
		return call_fail(c, &aws_err_missing_parameter, "The request must contain the parameter DhcpConfiguration");
	for (size_t i = 0; i < in->dhcp_configurations.n && r == 0; i++) {
		for (size_t j = 0; j < d.configurations.n; j++)
			if (str_eq(d.configurations.v[j].key, in->dhcp_configurations.v[i].key))
				return call_fail(c, &aws_err_invalid_parameter_value, "Duplicate DHCP option %.*s",
						 STR(d.configurations.v[j].key));
		r = configuration(c, &in->dhcp_configurations.v[i], &vec_push(c->arena, d.configurations.v, d.configurations.n, cap));
	}
	if (r == 0)
		r = ec2_tags_take(c, &in->tag_specifications, "dhcp-options", &d.tags);
	if (r == 0)
		r = put(c, &d);
	if (r < 0)
		return r;
	out->dhcp_options = arena_new(c->arena, struct ec2_dhcp_options);
	dhcp_out(c, &d, out->dhcp_options);
	return ec2_end(c, in->dry_run);
}

/* Does any VPC use the set? There are a handful of VPCs. */
static int used(struct call *c, struct str id, bool *ret)
{
	struct store_range range = { 0 };
	struct str key, value;
	struct ec2_rec_vpc v;
	struct keybuf k;
	int r;

	*ret = false;
	key_begin(&k, c->account, ec2_kinds[EC2_VPC].table);
	r = store_range_open(&range, c->txn, key_view(&k), STR_NONE, false);
	while (r == 0 && (r = store_range_next(&range, &key, &value)) == 1) {
		v = (struct ec2_rec_vpc){ 0 };
		r = record_decode(&ec2_records, EC2_REC_VPC, c->arena, value, &v);
		*ret |= str_eq(v.dhcp, id);
	}
	store_range_close(&range);
	return r;
}

EC2_ACTION(delete_dhcp_options)
{
	struct ec2_rec_dhcp d;
	struct str id;
	bool busy = false;
	int r = ec2_load(c, EC2_DHCP, in->dhcp_options_id, &d);

	if (r == 0)
		r = used(c, d.id, &busy);
	if (r == 0 && busy)
		return call_fail(c, &ec2_err_dependency_violation, "The dhcpOptions '%.*s' has dependencies and cannot be deleted.",
				 STR(d.id));
	if (r == 0 && ec2_map_get(c, "ec2.default", S("dhcp"), STR_NONE, &id) == 0 && str_eq(id, d.id))
		r = ec2_map_del(c, "ec2.default", S("dhcp"), STR_NONE);
	if (r == 0)
		r = ec2_remove(c, EC2_DHCP, &d);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

/* "default" stands for no options: the network gives none. */
EC2_ACTION(associate_dhcp_options)
{
	bool none = str_is(in->dhcp_options_id, "default");
	struct ec2_rec_dhcp d;
	struct ec2_rec_vpc v;
	int r = ec2_load(c, EC2_VPC, in->vpc_id, &v);

	if (r == 0 && !none)
		r = ec2_load(c, EC2_DHCP, in->dhcp_options_id, &d);
	if (r < 0)
		return r;
	v.dhcp = in->dhcp_options_id;
	r = ec2_store(c, EC2_VPC, &v);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

/* --- describing --- */
static void keys(struct ec2_values *v, const void *rec)
{
	const struct ec2_rec_dhcp *d = rec;

	for (size_t i = 0; i < d->configurations.n; i++)
		ec2_value(v, d->configurations.v[i].key);
}

static void values(struct ec2_values *v, const void *rec)
{
	const struct ec2_rec_dhcp *d = rec;

	for (size_t i = 0; i < d->configurations.n; i++)
		for (size_t j = 0; j < d->configurations.v[i].values.n; j++)
			ec2_value(v, d->configurations.v[i].values.v[j]);
}

static const struct ec2_field dhcp_fields[] = {
	{ "dhcp-options-id", EC2_ID, offsetof(struct ec2_rec_dhcp, id) },
	EC2_FIELD_FN("key", keys),
	{ "owner-id", EC2_OWNER },
	EC2_FIELD_FN("value", values),
	{ 0 },
};

struct dhcp_page {
	struct ec2_describe_dhcp_options_result *out;
	size_t cap;
};

static int emit_dhcp(struct call *c, const void *rec, void *arg)
{
	struct dhcp_page *p = arg;

	dhcp_out(c, rec, &vec_push(c->arena, p->out->dhcp_options.v, p->out->dhcp_options.n, p->cap));
	return 0;
}

EC2_HANDLER(describe_dhcp_options)
{
	struct ec2_query q = { &in->filters, &in->dhcp_options_ids, in->next_token, in->max_results };
	struct dhcp_page page = { out, 0 };
	int r = ec2_list(c, EC2_DHCP, dhcp_fields, &q, emit_dhcp, &page, &out->next_token);

	EC2_EMPTY(c, out->dhcp_options);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}
