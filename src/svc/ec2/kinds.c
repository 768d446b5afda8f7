/* SPDX-License-Identifier: Apache-2.0 */
/* kinds.c - records of every kind: ids, storing, children, counts. A record and its indexes change together. */
#include "svc/ec2/ec2_int.h"
#include <errno.h>

#define KIND(T, S, pre, ty, no, tab, par, bad, gone)                                                                                       \
	{                                                                                                                                  \
		pre, ty, no, tab, sizeof(struct T), offsetof(struct T, id), par, offsetof(struct T, tags), S, &bad, &gone                  \
	}
#define NO_PARENT SIZE_MAX
const struct ec2_kind ec2_kinds[EC2_KINDS] = {
	[EC2_VPC] = KIND(ec2_rec_vpc, EC2_REC_VPC, "vpc", "vpc", "vpc ID", "ec2.vpc", NO_PARENT, ec2_err_invalid_vpc_id_malformed,
			 ec2_err_invalid_vpc_id_not_found),
	[EC2_SUBNET] = KIND(ec2_rec_subnet, EC2_REC_SUBNET, "subnet", "subnet", "subnet ID", "ec2.subnet",
			    offsetof(struct ec2_rec_subnet, vpc), ec2_err_invalid_subnet_id_malformed, ec2_err_invalid_subnet_id_not_found),
	[EC2_GATEWAY] = KIND(ec2_rec_gateway, EC2_REC_GATEWAY, "igw", "internet-gateway", "internetGateway ID", "ec2.igw",
			     offsetof(struct ec2_rec_gateway, vpc), ec2_err_invalid_internet_gateway_id_malformed,
			     ec2_err_invalid_internet_gateway_id_not_found),
	[EC2_TABLE] = KIND(ec2_rec_route_table, EC2_REC_ROUTE_TABLE, "rtb", "route-table", "routeTable ID", "ec2.rtb",
			   offsetof(struct ec2_rec_route_table, vpc), ec2_err_invalid_route_table_id_malformed,
			   ec2_err_invalid_route_table_id_not_found),
	[EC2_ACL] = KIND(ec2_rec_acl, EC2_REC_ACL, "acl", "network-acl", "networkAcl ID", "ec2.acl", offsetof(struct ec2_rec_acl, vpc),
			 ec2_err_invalid_network_acl_id_malformed, ec2_err_invalid_network_acl_id_not_found),
	[EC2_DHCP] = KIND(ec2_rec_dhcp, EC2_REC_DHCP, "dopt", "dhcp-options", "dhcpOption ID", "ec2.dopt", NO_PARENT,
			  ec2_err_invalid_dhcp_options_id_malformed, ec2_err_invalid_dhcp_option_id_not_found),
	[EC2_GROUP] = KIND(ec2_rec_group, EC2_REC_GROUP, "sg", "security-group", "security group", "ec2.sg",
			   offsetof(struct ec2_rec_group, vpc), ec2_err_invalid_group_id_malformed, ec2_err_invalid_group_not_found),
	[EC2_RULE] = KIND(ec2_rec_rule, EC2_REC_RULE, "sgr", "security-group-rule", "security group rule ID", "ec2.sgr",
			  offsetof(struct ec2_rec_rule, group), ec2_err_invalid_security_group_rule_id_malformed,
			  ec2_err_invalid_security_group_rule_id_not_found),
	[EC2_ENDPOINT] = KIND(ec2_rec_endpoint, EC2_REC_ENDPOINT, "vpce", "vpc-endpoint", "Vpc Endpoint Id", "ec2.vpce",
			      offsetof(struct ec2_rec_endpoint, vpc), ec2_err_invalid_vpc_endpoint_id_malformed,
			      ec2_err_invalid_vpc_endpoint_id_not_found),
	[EC2_INTERFACE] = KIND(ec2_rec_interface, EC2_REC_INTERFACE, "eni", "network-interface", "networkInterface ID", "ec2.interface",
			       offsetof(struct ec2_rec_interface, subnet), ec2_err_invalid_network_interface_id_malformed,
			       ec2_err_invalid_network_interface_id_not_found),
	[EC2_PREFIX_LIST] = KIND(ec2_rec_prefix_list, EC2_REC_PREFIX_LIST, "pl", "prefix-list", "prefix list ID", "ec2.pl", NO_PARENT,
				 ec2_err_invalid_prefix_list_id_malformed, ec2_err_invalid_prefix_list_id_not_found),
};

static struct str field(const void *rec, size_t offset)
{
	return offset == NO_PARENT ? STR_NONE : *(const struct str *)(const void *)((const char *)rec + offset);
}

struct str ec2_new_id(struct call *c, const char *prefix)
{
	return str_printf(c->arena, "%s-0%.*s", prefix, STR(random_hex(c->arena, 16)));
}

struct str ec2_arn(struct call *c, enum ec2_kinds k, struct str id)
{
	return call_arn(c, "ec2", "%s/%.*s", ec2_kinds[k].type, STR(id));
}

const struct ec2_kind *ec2_kind_of_id(struct str id)
{
	struct str head, rest;

	if (str_cut(id, '-', &head, &rest))
		for (size_t i = 0; i < EC2_KINDS; i++)
			if (str_is(head, ec2_kinds[i].prefix))
				return &ec2_kinds[i];
	return NULL;
}

/* Ids made before 2016 have eight digits. */
int ec2_id_check(struct call *c, enum ec2_kinds k, struct str id)
{
	const struct ec2_kind *d = &ec2_kinds[k];
	struct str head, digits;

	if (!str_cut(id, '-', &head, &digits) || !str_is(head, d->prefix))
		return call_fail(c, d->malformed, "Invalid id: \"%.*s\" (expecting \"%s-...\")", STR(id), d->prefix);
	for (size_t i = 0; i < digits.n; i++)
		if (!strchr("0123456789abcdef", digits.p[i]) || !digits.p[i])
			return call_fail(c, d->malformed, "Invalid id: \"%.*s\"", STR(id));
	return digits.n == 8 || digits.n == 17 ? 0 : call_fail(c, d->malformed, "Invalid id: \"%.*s\"", STR(id));
}

static void id_key(struct keybuf *k, struct call *c, const struct ec2_kind *d, struct str id)
{
	key_begin(k, c->account, d->table);
	key_str(k, id);
}

int ec2_read(struct call *c, enum ec2_kinds k, struct str id, void *ret)
{
	struct keybuf key;

	id_key(&key, c, &ec2_kinds[k], id);
	return record_get(c->txn, &ec2_records, ec2_kinds[k].shape, c->arena, &key, ret);
}

int ec2_load(struct call *c, enum ec2_kinds k, struct str id, void *ret)
{
	const struct ec2_kind *d = &ec2_kinds[k];
	int r = ec2_id_check(c, k, id);

	if (r == 0)
		r = ec2_read(c, k, id, ret);
	return r == -ENOENT ? call_fail(c, d->not_found, "The %s '%.*s' does not exist", d->noun, STR(id)) : r;
}

int ec2_store(struct call *c, enum ec2_kinds k, const void *rec)
{
	struct keybuf key;

	id_key(&key, c, &ec2_kinds[k], field(rec, ec2_kinds[k].id));
	return record_put(c->txn, &ec2_records, ec2_kinds[k].shape, &key, rec);
}

/* --- children and counts --- */
static void child_key(struct keybuf *key, struct call *c, const struct ec2_kind *d, struct str parent)
{
	key_begin(key, c->account, "ec2.of");
	key_str(key, parent);
	key_str(key, str_c(d->prefix));
}

int ec2_count(struct call *c, enum ec2_kinds k, struct str parent, int64_t *ret)
{
	struct str text;
	int r = ec2_map_get(c, "ec2.count", str_c(ec2_kinds[k].prefix), parent, &text);

	*ret = 0;
	return r == -ENOENT ? 0 : r < 0 ? r : str_to_i64(text, ret);
}

static int count_add(struct call *c, enum ec2_kinds k, struct str parent, int64_t delta)
{
	struct str prefix = str_c(ec2_kinds[k].prefix);
	int64_t n;
	int r = ec2_count(c, k, parent, &n);

	if (r < 0)
		return r;
	n += delta;
	return n > 0 ? ec2_map_put(c, "ec2.count", prefix, parent, str_printf(c->arena, "%lld", (long long)n))
		     : ec2_map_del(c, "ec2.count", prefix, parent);
}

static int link_parent(struct call *c, enum ec2_kinds k, struct str parent, struct str id, bool add)
{
	struct keybuf key;
	int r;

	if (!parent.p)
		return 0;
	child_key(&key, c, &ec2_kinds[k], parent);
	key_str(&key, id);
	r = add ? store_put(c->txn, key_view(&key), S("1")) : store_del(c->txn, key_view(&key));
	return r < 0 ? r : count_add(c, k, parent, add ? 1 : -1);
}

int ec2_insert(struct call *c, enum ec2_kinds k, const void *rec)
{
	const struct ec2_kind *d = &ec2_kinds[k];
	struct str id = field(rec, d->id);
	int r = ec2_store(c, k, rec);

	if (r == 0)
		r = link_parent(c, k, field(rec, d->parent), id, true);
	if (r == 0)
		r = count_add(c, k, S(""), 1);
	return r < 0 ? r : ec2_tags_index(c, d, id, (const struct str_map *)(const void *)((const char *)rec + d->tags), true);
}

int ec2_remove(struct call *c, enum ec2_kinds k, const void *rec)
{
	const struct ec2_kind *d = &ec2_kinds[k];
	struct str id = field(rec, d->id);
	struct keybuf key;
	int r;

	id_key(&key, c, d, id);
	r = store_del(c->txn, key_view(&key));
	if (r == 0)
		r = link_parent(c, k, field(rec, d->parent), id, false);
	if (r == 0)
		r = count_add(c, k, S(""), -1);
	return r < 0 ? r : ec2_tags_index(c, d, id, (const struct str_map *)(const void *)((const char *)rec + d->tags), false);
}

int ec2_reparent(struct call *c, enum ec2_kinds k, struct str old_parent, const void *rec)
{
	const struct ec2_kind *d = &ec2_kinds[k];
	struct str id = field(rec, d->id);
	int r = link_parent(c, k, old_parent, id, false);

	if (r == 0)
		r = link_parent(c, k, field(rec, d->parent), id, true);
	return r < 0 ? r : ec2_store(c, k, rec);
}

/* Last parts of the keys that begin with prefix. */
static int last_parts(struct call *c, const struct keybuf *prefix, struct str_list *ret)
{
	struct store_range range = { 0 };
	struct str key, value, rest, last;
	size_t cap = 0;
	int r;

	*ret = (struct str_list){ 0 };
	r = store_range_open(&range, c->txn, key_view(prefix), STR_NONE, false);
	while (r == 0 && (r = store_range_next(&range, &key, &value)) == 1) {
		rest = str_skip(key, prefix->n);
		r = key_take_str(&rest, c->arena, &last);
		if (r == 0)
			vec_push(c->arena, ret->v, ret->n, cap) = last;
	}
	store_range_close(&range);
	return r;
}

int ec2_child_ids(struct call *c, enum ec2_kinds k, struct str parent, struct str_list *ret)
{
	struct keybuf key;

	child_key(&key, c, &ec2_kinds[k], parent);
	return last_parts(c, &key, ret);
}

/* --- small maps --- */
static void map_key(struct keybuf *k, struct call *c, const char *table, struct str a, struct str b)
{
	key_begin(k, c->account, table);
	key_str(k, a);
	if (b.p)
		key_str(k, b);
}

int ec2_map_put(struct call *c, const char *table, struct str a, struct str b, struct str value)
{
	struct keybuf k;

	map_key(&k, c, table, a, b);
	return store_put(c->txn, key_view(&k), value);
}

int ec2_map_get(struct call *c, const char *table, struct str a, struct str b, struct str *ret)
{
	struct keybuf k;
	struct str v;
	int r;

	map_key(&k, c, table, a, b);
	r = store_get(c->txn, key_view(&k), &v);
	if (r == 0)
		*ret = str_dup(c->arena, v);
	return r;
}

int ec2_map_del(struct call *c, const char *table, struct str a, struct str b)
{
	struct keybuf k;
	int r;

	map_key(&k, c, table, a, b);
	r = store_del(c->txn, key_view(&k));
	return r == -ENOENT ? 0 : r;
}

int ec2_map_list(struct call *c, const char *table, struct str a, struct str_list *ret)
{
	struct keybuf k;

	map_key(&k, c, table, a, STR_NONE);
	return last_parts(c, &k, ret);
}

struct str_list ec2_ids_with(struct call *c, const struct str_list *l, struct str id)
{
	struct str_list out = { arena_array(c->arena, struct str, l->n + 1), l->n + 1 };

	for (size_t i = 0; i < l->n; i++)
		out.v[i] = l->v[i];
	out.v[l->n] = id;
	return out;
}

struct str_list ec2_ids_without(struct call *c, const struct str_list *l, struct str id)
{
	struct str_list out = { arena_array(c->arena, struct str, l->n + 1), 0 };

	for (size_t i = 0; i < l->n; i++)
		if (!str_eq(l->v[i], id))
			out.v[out.n++] = l->v[i];
	return out;
}

/* --- ends --- */
int ec2_end(struct call *c, struct opt_bool dry_run)
{
	return dry_run.v ? call_fail(c, &ec2_err_dry_run_operation, "Request would have succeeded, but DryRun flag is set.") : 0;
}

int ec2_not_built(struct call *c, const char *what)
{
	return call_fail(c, &ec2_err_unsupported_operation, "%s is not implemented by this cloud.", what);
}
