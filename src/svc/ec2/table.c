/* SPDX-License-Identifier: Apache-2.0 */
/* table.c - route tables and their associations. Every VPC has a main table, which its subnets use that are associated
 * with no other. Routes to the VPC's own blocks are never stored: they follow from the VPC. */
#include "svc/ec2/ec2_int.h"
#include <errno.h>

int ec2_table_make(struct call *c, struct ec2_rec_route_table *t)
{
	t->id = ec2_new_id(c, "rtb");
	t->created = OPT_TIME(c->now_ms);
	return ec2_insert(c, EC2_TABLE, t);
}

/* --- describing --- */
/* A route lives while its gateway is attached to the table's VPC. */
static const char *route_state(struct call *c, const struct ec2_rec_route_table *t, const struct ec2_rec_route *r)
{
	struct ec2_rec_gateway g;

	if (str_starts(r->gateway, S("vpce-")))
		return "active"; /* it goes with its endpoint */
	return ec2_read(c, EC2_GATEWAY, r->gateway, &g) == 0 && str_eq(g.vpc, t->vpc) ? "active" : "blackhole";
}

static int routes_out(struct call *c, const struct ec2_rec_route_table *t, struct ec2_route_list *ret)
{
	struct ec2_rec_vpc v;
	size_t cap = 0;
	int r = ec2_read(c, EC2_VPC, t->vpc, &v);

	for (size_t i = 0; i < v.blocks.n && r == 0; i++)
		vec_push(c->arena, ret->v, ret->n, cap) = (struct ec2_route){ .destination_cidr_block = v.blocks.v[i].cidr,
									      .gateway_id = S("local"),
									      .origin = S("CreateRouteTable"),
									      .state = S("active") };
	for (size_t i = 0; i < t->routes.n && r == 0; i++) {
		const struct ec2_rec_route *x = &t->routes.v[i];

		vec_push(c->arena, ret->v, ret->n, cap) = (struct ec2_route){ .destination_cidr_block = x->cidr,
									      .destination_ipv6_cidr_block = x->cidr6,
									      .destination_prefix_list_id = x->prefix_list,
									      .gateway_id = x->gateway,
									      .origin = x->origin,
									      .state = str_c(route_state(c, t, x)) };
	}
	EC2_EMPTY(c, *ret);
	return r;
}

static struct ec2_route_table_association_state *associated(struct call *c)
{
	struct ec2_route_table_association_state *s = arena_new(c->arena, struct ec2_route_table_association_state);

	s->state = S("associated");
	return s;
}

static int table_out(struct call *c, const struct ec2_rec_route_table *t, struct ec2_route_table *ret)
{
	size_t cap = 0;

	*ret = (struct ec2_route_table){ .route_table_id = t->id, .vpc_id = t->vpc, .owner_id = c->account };
	if (t->main_association.p)
		vec_push(c->arena, ret->associations.v, ret->associations.n,
			 cap) = (struct ec2_route_table_association){ .main = OPT_BOOL(true),
								      .route_table_association_id = t->main_association,
								      .route_table_id = t->id,
								      .association_state = associated(c) };
	for (size_t i = 0; i < t->associations.n; i++)
		vec_push(c->arena, ret->associations.v, ret->associations.n,
			 cap) = (struct ec2_route_table_association){ .main = OPT_BOOL(false),
								      .route_table_association_id = t->associations.v[i].id,
								      .route_table_id = t->id,
								      .subnet_id = t->associations.v[i].subnet,
								      .association_state = associated(c) };
	EC2_EMPTY(c, ret->associations);
	EC2_EMPTY(c, ret->propagating_vgws);
	ec2_tags_out(c, &t->tags, &ret->tags);
	return routes_out(c, t, &ret->routes);
}

static void association_ids(struct ec2_values *v, const void *rec)
{
	const struct ec2_rec_route_table *t = rec;

	ec2_value(v, t->main_association);
	for (size_t i = 0; i < t->associations.n; i++)
		ec2_value(v, t->associations.v[i].id);
}

static void association_subnets(struct ec2_values *v, const void *rec)
{
	const struct ec2_rec_route_table *t = rec;

	for (size_t i = 0; i < t->associations.n; i++)
		ec2_value(v, t->associations.v[i].subnet);
}

static void association_main(struct ec2_values *v, const void *rec)
{
	const struct ec2_rec_route_table *t = rec;

	if (t->main_association.p)
		ec2_value(v, S("true"));
	if (!t->main_association.p || t->associations.n)
		ec2_value(v, S("false"));
}

static void association_tables(struct ec2_values *v, const void *rec)
{
	const struct ec2_rec_route_table *t = rec;

	if (t->main_association.p || t->associations.n)
		ec2_value(v, t->id);
}

static void nothing(struct ec2_values *v, const void *rec)
{
}

static void route_values(struct ec2_values *v, const void *rec, struct str (*get)(const struct ec2_route *r))
{
	struct ec2_route_list l = { 0 };

	if (routes_out(v->c, rec, &l) == 0)
		for (size_t i = 0; i < l.n; i++)
			ec2_value(v, get(&l.v[i]));
}
#define ROUTE_VALUES(fn, member)                                                                                                           \
	static struct str fn##_of(const struct ec2_route *r)                                                                               \
	{                                                                                                                                  \
		return r->member;                                                                                                          \
	}                                                                                                                                  \
	static void fn(struct ec2_values *v, const void *rec)                                                                              \
	{                                                                                                                                  \
		route_values(v, rec, fn##_of);                                                                                             \
	}
ROUTE_VALUES(route_cidrs, destination_cidr_block)
ROUTE_VALUES(route_cidrs6, destination_ipv6_cidr_block)
ROUTE_VALUES(route_prefix_lists, destination_prefix_list_id)
ROUTE_VALUES(route_gateways, gateway_id)
ROUTE_VALUES(route_origins, origin)
ROUTE_VALUES(route_states, state)

static const struct ec2_field table_fields[] = {
	EC2_FIELD_FN("association.gateway-id", nothing),
	EC2_FIELD_FN("association.route-table-association-id", association_ids),
	EC2_FIELD_FN("association.route-table-id", association_tables),
	EC2_FIELD_FN("association.subnet-id", association_subnets),
	EC2_FIELD_FN("association.main", association_main),
	{ "owner-id", EC2_OWNER },
	{ "route-table-id", EC2_ID, offsetof(struct ec2_rec_route_table, id) },
	EC2_FIELD_FN("route.destination-cidr-block", route_cidrs),
	EC2_FIELD_FN("route.destination-ipv6-cidr-block", route_cidrs6),
	EC2_FIELD_FN("route.destination-prefix-list-id", route_prefix_lists),
	EC2_FIELD_FN("route.egress-only-internet-gateway-id", nothing),
	EC2_FIELD_FN("route.gateway-id", route_gateways),
	EC2_FIELD_FN("route.instance-id", nothing),
	EC2_FIELD_FN("route.nat-gateway-id", nothing),
	EC2_FIELD_FN("route.transit-gateway-id", nothing),
	EC2_FIELD_FN("route.origin", route_origins),
	EC2_FIELD_FN("route.state", route_states),
	EC2_FIELD_FN("route.vpc-peering-connection-id", nothing),
	{ "vpc-id", EC2_PARENT, offsetof(struct ec2_rec_route_table, vpc) },
	{ 0 },
};

struct table_page {
	struct ec2_describe_route_tables_result *out;
	size_t cap;
};

static int emit_table(struct call *c, const void *rec, void *arg)
{
	struct table_page *p = arg;

	return table_out(c, rec, &vec_push(c->arena, p->out->route_tables.v, p->out->route_tables.n, p->cap));
}

/* An association or a subnet named exactly leads to its table without a walk over all. */
static int shortcut(struct call *c, const struct ec2_filter_list *filters, struct str_list *ret)
{
	for (size_t i = 0; i < filters->n; i++) {
		const struct ec2_filter *f = &filters->v[i];
		bool by_id = str_is(f->name, "association.route-table-association-id"),
		     by_subnet = str_is(f->name, "association.subnet-id");
		struct ec2_rec_subnet s;
		struct str table = STR_NONE;
		int r;

		if ((!by_id && !by_subnet) || f->values.n != 1)
			continue;
		r = by_id ? ec2_map_get(c, "ec2.assoc", f->values.v[0], STR_NONE, &table) : ec2_read(c, EC2_SUBNET, f->values.v[0], &s);
		if (r == 0) {
			*ret = (struct str_list){ arena_dup(c->arena, by_id ? &table : &s.table, sizeof table),
						  (by_id ? table.p : s.table.p) ? 1 : 0 };
			return ret->n ? 1 : 0;
		}
		if (r != -ENOENT)
			return r;
	}
	return 0;
}

EC2_HANDLER(describe_route_tables)
{
	struct ec2_query q = { &in->filters, &in->route_table_ids, in->next_token, in->max_results };
	struct table_page page = { out, 0 };
	struct str_list found;
	int r = in->route_table_ids.n ? 0 : shortcut(c, &in->filters, &found);

	if (r == 1)
		q.ids = &found;
	if (r >= 0)
		r = ec2_list(c, EC2_TABLE, table_fields, &q, emit_table, &page, &out->next_token);
	EC2_EMPTY(c, out->route_tables);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

/* --- creating, deleting --- */
/* The same token gives the same table again, as long as the request is the same. */
static int by_token(struct call *c, const struct ec2_create_route_table_request *in, struct ec2_rec_route_table *ret)
{
	struct str id;
	int r = in->client_token.p ? ec2_map_get(c, "ec2.token", S("CreateRouteTable"), in->client_token, &id) : -ENOENT;

	if (r == 0)
		r = ec2_read(c, EC2_TABLE, id, ret);
	if (r == 0 && !str_eq(ret->vpc, in->vpc_id))
		return call_fail(c, &ec2_err_idempotent_parameter_mismatch, "The client token '%.*s' was used with other parameters",
				 STR(in->client_token));
	return r;
}

EC2_HANDLER(create_route_table)
{
	struct ec2_rec_route_table t = { 0 };
	struct ec2_rec_vpc v;
	int64_t n;
	int r = ec2_load(c, EC2_VPC, in->vpc_id, &v);

	if (r == 0)
		r = by_token(c, in, &t);
	if (r == -ENOENT) {
		t.vpc = v.id;
		r = ec2_tags_take(c, &in->tag_specifications, "route-table", &t.tags);
		if (r == 0)
			r = ec2_count(c, EC2_TABLE, v.id, &n);
		if (r == 0 && n >= EC2_TABLES_PER_VPC_MAX)
			return call_fail(c, &ec2_err_route_table_limit_exceeded, "The maximum number of route tables has been reached.");
		if (r == 0)
			r = ec2_table_make(c, &t);
		if (r == 0 && in->client_token.p)
			r = ec2_map_put(c, "ec2.token", S("CreateRouteTable"), in->client_token, t.id);
	}
	if (r < 0)
		return r;
	out->client_token = in->client_token;
	out->route_table = arena_new(c->arena, struct ec2_route_table);
	r = table_out(c, &t, out->route_table);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

EC2_ACTION(delete_route_table)
{
	struct ec2_rec_route_table t;
	int r = ec2_load(c, EC2_TABLE, in->route_table_id, &t);

	if (r == 0 && (t.main_association.p || t.associations.n))
		return call_fail(c, &ec2_err_dependency_violation, "The routeTable '%.*s' has dependencies and cannot be deleted.",
				 STR(t.id));
	if (r == 0)
		r = ec2_endpoints_forget_table(c, &t);
	for (size_t i = 0; i < t.routes.n && r == 0; i++)
		if (t.routes.v[i].prefix_list.p)
			r = ec2_prefix_list_use(c, t.routes.v[i].prefix_list, t.id, false);
	if (r == 0)
		r = ec2_remove(c, EC2_TABLE, &t);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

/* --- associations --- */
int ec2_table_forget_subnet(struct call *c, struct str table, struct str subnet)
{
	struct ec2_rec_association_list left = { 0 };
	struct ec2_rec_route_table t;
	size_t cap = 0;
	int r = ec2_read(c, EC2_TABLE, table, &t);

	for (size_t i = 0; r == 0 && i < t.associations.n; i++)
		if (!str_eq(t.associations.v[i].subnet, subnet))
			vec_push(c->arena, left.v, left.n, cap) = t.associations.v[i];
	t.associations = left;
	return r < 0 ? r : ec2_store(c, EC2_TABLE, &t);
}

/* Puts a subnet into a table, under a new association. */
static int join(struct call *c, struct ec2_rec_route_table *t, struct ec2_rec_subnet *s, struct str *ret_id)
{
	struct ec2_rec_association *v = arena_array(c->arena, struct ec2_rec_association, t->associations.n + 1);
	int r;

	*ret_id = ec2_new_id(c, "rtbassoc");
	for (size_t i = 0; i < t->associations.n; i++)
		v[i] = t->associations.v[i];
	v[t->associations.n] = (struct ec2_rec_association){ .id = *ret_id, .subnet = s->id };
	t->associations.v = v;
	t->associations.n++;
	s->table = t->id;
	s->table_association = *ret_id;
	r = ec2_store(c, EC2_TABLE, t);
	if (r == 0)
		r = ec2_store(c, EC2_SUBNET, s);
	return r < 0 ? r : ec2_map_put(c, "ec2.assoc", *ret_id, STR_NONE, t->id);
}

EC2_HANDLER(associate_route_table)
{
	struct ec2_rec_route_table t;
	struct ec2_rec_subnet s;
	int r;

	if (in->public_ipv4_pool.p)
		return ec2_not_built(c, "Association of public IPv4 pools");
	if (in->gateway_id.p)
		return ec2_not_built(c, "Association of a route table with a gateway");
	if (!in->subnet_id.p)
		return call_fail(c, &aws_err_missing_parameter, "The request must contain the parameter subnetId");
	r = ec2_load(c, EC2_TABLE, in->route_table_id, &t);
	if (r == 0)
		r = ec2_load(c, EC2_SUBNET, in->subnet_id, &s);
	if (r < 0)
		return r;
	if (!str_eq(t.vpc, s.vpc))
		return call_fail(c, &aws_err_invalid_parameter_value, "route table %.*s and subnet %.*s belong to different networks",
				 STR(t.id), STR(s.id));
	if (str_eq(s.table, t.id)) /* asked for again */
		out->association_id = s.table_association;
	else if (s.table.p)
		return call_fail(c, &ec2_err_resource_already_associated,
				 "the specified association for route table %.*s conflicts with an existing association", STR(t.id));
	else
		r = join(c, &t, &s, &out->association_id);
	out->association_state = associated(c);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

/* Finds the table of an association and the subnet it is for (absent: the main association). */
static int find_association(struct call *c, struct str id, struct ec2_rec_route_table *t, struct str *ret_subnet)
{
	struct str table;
	int r = ec2_map_get(c, "ec2.assoc", id, STR_NONE, &table);

	if (r == -ENOENT)
		return call_fail(c, &ec2_err_invalid_association_id_not_found, "The association ID '%.*s' does not exist", STR(id));
	if (r == 0)
		r = ec2_read(c, EC2_TABLE, table, t);
	*ret_subnet = STR_NONE;
	for (size_t i = 0; r == 0 && i < t->associations.n; i++)
		if (str_eq(t->associations.v[i].id, id))
			*ret_subnet = t->associations.v[i].subnet;
	return r;
}

static int leave(struct call *c, struct str table, struct str association, struct ec2_rec_subnet *s)
{
	int r = ec2_table_forget_subnet(c, table, s->id);

	s->table = s->table_association = STR_NONE;
	if (r == 0)
		r = ec2_store(c, EC2_SUBNET, s);
	return r < 0 ? r : ec2_map_del(c, "ec2.assoc", association, STR_NONE);
}

EC2_ACTION(disassociate_route_table)
{
	struct ec2_rec_route_table t;
	struct ec2_rec_subnet s;
	struct str subnet;
	int r = find_association(c, in->association_id, &t, &subnet);

	if (r < 0)
		return r;
	if (!subnet.p)
		return call_fail(c, &aws_err_invalid_parameter_value, "cannot disassociate the main route table association %.*s",
				 STR(in->association_id));
	r = ec2_read(c, EC2_SUBNET, subnet, &s);
	if (r == 0)
		r = leave(c, t.id, in->association_id, &s);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

/* Another table becomes the main one. */
static int replace_main(struct call *c, struct ec2_rec_route_table *old, struct ec2_rec_route_table *t, struct str *ret_id)
{
	struct ec2_rec_vpc v;
	int r = ec2_read(c, EC2_VPC, t->vpc, &v);

	if (r < 0)
		return r;
	if (str_eq(old->id, t->id)) {
		*ret_id = old->main_association;
		return 0;
	}
	r = ec2_map_del(c, "ec2.assoc", old->main_association, STR_NONE);
	*ret_id = t->main_association = ec2_new_id(c, "rtbassoc");
	old->main_association = STR_NONE;
	v.table = t->id;
	if (r == 0)
		r = ec2_store(c, EC2_TABLE, old);
	if (r == 0)
		r = ec2_store(c, EC2_TABLE, t);
	if (r == 0)
		r = ec2_store(c, EC2_VPC, &v);
	return r < 0 ? r : ec2_map_put(c, "ec2.assoc", *ret_id, STR_NONE, t->id);
}

EC2_HANDLER(replace_route_table_association)
{
	struct ec2_rec_route_table old, t;
	struct ec2_rec_subnet s;
	struct str subnet;
	int r = find_association(c, in->association_id, &old, &subnet);

	if (r == 0)
		r = ec2_load(c, EC2_TABLE, in->route_table_id, &t);
	if (r < 0)
		return r;
	if (!str_eq(old.vpc, t.vpc))
		return call_fail(c, &aws_err_invalid_parameter_value, "route table %.*s and network %.*s belong to different networks",
				 STR(t.id), STR(old.vpc));
	if (!subnet.p)
		r = replace_main(c, &old, &t, &out->new_association_id);
	else {
		r = ec2_read(c, EC2_SUBNET, subnet, &s);
		if (r == 0)
			r = leave(c, old.id, in->association_id, &s);
		if (r == 0)
			r = ec2_read(c, EC2_TABLE, in->route_table_id, &t); /* it may have been the old one */
		if (r == 0)
			r = join(c, &t, &s, &out->new_association_id);
	}
	out->association_state = associated(c);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}
