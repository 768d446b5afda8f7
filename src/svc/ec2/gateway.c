/* SPDX-License-Identifier: Apache-2.0 */
/* gateway.c - internet gateways: each attached to at most one VPC, each VPC with at most one. */
#include "svc/ec2/ec2_int.h"
#include <errno.h>

static void gateway_out(struct call *c, const struct ec2_rec_gateway *g, struct ec2_internet_gateway *ret)
{
	*ret = (struct ec2_internet_gateway){ .internet_gateway_id = g->id, .owner_id = c->account };
	ret->attachments.v = arena_new(c->arena, struct ec2_internet_gateway_attachment);
	if (g->vpc.p) {
		ret->attachments.v[0] = (struct ec2_internet_gateway_attachment){ S("available"), g->vpc };
		ret->attachments.n = 1;
	}
	ec2_tags_out(c, &g->tags, &ret->tags);
}

EC2_HANDLER(create_internet_gateway)
{
	struct ec2_rec_gateway g = { .created = OPT_TIME(c->now_ms) };
	int64_t n;
	int r = ec2_tags_take(c, &in->tag_specifications, "internet-gateway", &g.tags);

	if (r == 0)
		r = ec2_count(c, EC2_GATEWAY, S(""), &n);
	if (r == 0 && n >= EC2_GATEWAYS_MAX)
		return call_fail(c, &ec2_err_internet_gateway_limit_exceeded, "The maximum number of internet gateways has been reached.");
	g.id = ec2_new_id(c, "igw");
	if (r == 0)
		r = ec2_insert(c, EC2_GATEWAY, &g);
	if (r < 0)
		return r;
	out->internet_gateway = arena_new(c->arena, struct ec2_internet_gateway);
	gateway_out(c, &g, out->internet_gateway);
	return ec2_end(c, in->dry_run);
}

EC2_ACTION(attach_internet_gateway)
{
	struct ec2_rec_gateway g;
	struct ec2_rec_vpc v;
	int r = ec2_load(c, EC2_GATEWAY, in->internet_gateway_id, &g);

	if (r == 0)
		r = ec2_load(c, EC2_VPC, in->vpc_id, &v);
	if (r < 0)
		return r;
	if (g.vpc.p)
		return call_fail(c, &ec2_err_resource_already_associated, "resource %.*s is already attached to network %.*s", STR(g.id),
				 STR(g.vpc));
	if (v.igw.p)
		return call_fail(c, &aws_err_invalid_parameter_value, "Network %.*s already has an internet gateway attached", STR(v.id));
	g.vpc = v.id;
	v.igw = g.id;
	r = ec2_reparent(c, EC2_GATEWAY, STR_NONE, &g);
	if (r == 0)
		r = ec2_store(c, EC2_VPC, &v);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

EC2_ACTION(detach_internet_gateway)
{
	struct ec2_rec_gateway g;
	struct ec2_rec_vpc v;
	int r = ec2_load(c, EC2_GATEWAY, in->internet_gateway_id, &g);

	if (r == 0)
		r = ec2_load(c, EC2_VPC, in->vpc_id, &v);
	if (r < 0)
		return r;
	if (!str_eq(g.vpc, v.id))
		return call_fail(c, &ec2_err_gateway_not_attached, "resource %.*s is not attached to network %.*s", STR(g.id), STR(v.id));
	g.vpc = v.igw = STR_NONE;
	r = ec2_reparent(c, EC2_GATEWAY, v.id, &g);
	if (r == 0)
		r = ec2_store(c, EC2_VPC, &v);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

EC2_ACTION(delete_internet_gateway)
{
	struct ec2_rec_gateway g;
	int r = ec2_load(c, EC2_GATEWAY, in->internet_gateway_id, &g);

	if (r == 0 && g.vpc.p)
		return call_fail(c, &ec2_err_dependency_violation, "The internetGateway '%.*s' has dependencies and cannot be deleted.",
				 STR(g.id));
	if (r == 0)
		r = ec2_remove(c, EC2_GATEWAY, &g);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

static void attachment_state(struct ec2_values *v, const void *rec)
{
	if (((const struct ec2_rec_gateway *)rec)->vpc.p)
		ec2_value(v, S("available"));
}

static const struct ec2_field gateway_fields[] = {
	EC2_FIELD_FN("attachment.state", attachment_state),
	{ "attachment.vpc-id", EC2_PARENT, offsetof(struct ec2_rec_gateway, vpc) },
	{ "internet-gateway-id", EC2_ID, offsetof(struct ec2_rec_gateway, id) },
	{ "owner-id", EC2_OWNER },
	{ 0 },
};

struct gateway_page {
	struct ec2_describe_internet_gateways_result *out;
	size_t cap;
};

static int emit_gateway(struct call *c, const void *rec, void *arg)
{
	struct gateway_page *p = arg;

	gateway_out(c, rec, &vec_push(c->arena, p->out->internet_gateways.v, p->out->internet_gateways.n, p->cap));
	return 0;
}

EC2_HANDLER(describe_internet_gateways)
{
	struct ec2_query q = { &in->filters, &in->internet_gateway_ids, in->next_token, in->max_results };
	struct gateway_page page = { out, 0 };
	int r = ec2_list(c, EC2_GATEWAY, gateway_fields, &q, emit_gateway, &page, &out->next_token);

	EC2_EMPTY(c, out->internet_gateways);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

/* Nobody can have one here: making them is not built. Who looks for those of a network (CDK's Vpc.fromLookup) finds none. */
EC2_HANDLER(describe_vpn_gateways)
{
	if (in->vpn_gateway_ids.n)
		return call_fail(c, &ec2_err_invalid_vpn_gateway_id_not_found, "The vpnGateway ID '%.*s' does not exist",
				 STR(in->vpn_gateway_ids.v[0]));
	EC2_EMPTY(c, out->vpn_gateways);
	return ec2_end(c, in->dry_run);
}
