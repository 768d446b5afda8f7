/* SPDX-License-Identifier: Apache-2.0 */
/* grouprules.c - operations on the rules of security groups: authorize, revoke, modify, describe. A call changes all the
 * rules it names or none. */
#include "svc/ec2/ec2_int.h"
#include <errno.h>

/* --- authorize --- */
static struct str rule_text(struct call *c, const struct ec2_rec_rule *r)
{
	struct str peer = r->peer.p ? r->peer : r->cidr.p ? r->cidr : r->cidr6.p ? r->cidr6 : r->prefix_list;
	bool icmp = str_starts(r->protocol, S("icmp")), all = str_is(r->protocol, "-1");
	struct str upper = str_dup(c->arena, r->protocol);

	for (size_t i = 0; i < upper.n; i++)
		if (upper.p[i] >= 'a' && upper.p[i] <= 'z')
			((char *)(uintptr_t)upper.p)[i] -= 32;
	if (all || !r->from.has)
		return str_printf(c->arena, "peer: %.*s, %.*s, ALLOW", STR(peer), STR(all ? S("ALL") : upper));
	return str_printf(c->arena,
			  icmp ? "peer: %.*s, %.*s, type: %lld, code: %lld, ALLOW"
			       : "peer: %.*s, %.*s, from port: %lld, to port: %lld, ALLOW",
			  STR(peer), STR(upper), (long long)r->from.v, (long long)r->to.v);
}

/* Rules for IPv4 and for IPv6 count apart; one for a group counts for both, and a prefix list as many times as it may have
 * entries. */
static int room(struct call *c, const struct ec2_rule_list *have, const struct ec2_rule_list *more, bool egress)
{
	int64_t four = 0, six = 0, weight;

	for (size_t i = 0; i < have->n + more->n; i++) {
		const struct ec2_rec_rule *r = i < have->n ? &have->v[i] : &more->v[i - have->n];

		if (r->egress.v != egress)
			continue;
		weight = 1;
		if (r->prefix_list.p) {
			int e = ec2_prefix_list_find(c, r->prefix_list, &weight);

			if (e < 0)
				return e;
		}
		four += r->cidr6.p ? 0 : weight;
		six += r->cidr.p ? 0 : weight;
	}
	if (four > EC2_RULES_PER_GROUP_MAX || six > EC2_RULES_PER_GROUP_MAX)
		return call_fail(c, &ec2_err_rules_per_security_group_limit_exceeded,
				 "The maximum number of rules per security group has been reached.");
	return 0;
}

static int authorize(struct call *c, const struct ec2_rec_group *g, bool egress, const struct ec2_ip_permission_list *perms,
		     const struct ec2_flat *flat, const struct ec2_tag_specification_list *specs, struct ec2_security_group_rule_list *ret)
{
	struct ec2_rule_list rules = { 0 }, have;
	struct str_map tags;
	int r = ec2_rules_read(c, g, egress, perms, flat, true, &rules);

	if (r == 0)
		r = ec2_tags_take(c, specs, "security-group-rule", &tags);
	if (r == 0)
		r = ec2_rules_of(c, g->id, &have);
	for (size_t i = 0; i < rules.n && r == 0; i++)
		for (size_t j = 0; j < have.n; j++)
			if (ec2_rule_same(&rules.v[i], &have.v[j]))
				return call_fail(c, &ec2_err_invalid_permission_duplicate, "the specified rule \"%.*s\" already exists",
						 STR(rule_text(c, &rules.v[i])));
	if (r == 0)
		r = room(c, &have, &rules, egress);
	if (r < 0)
		return r;
	ret->v = arena_array(c->arena, struct ec2_security_group_rule, rules.n + 1);
	for (size_t i = 0; i < rules.n && r == 0; i++) {
		rules.v[i].tags = tags;
		r = ec2_rule_add(c, g, &rules.v[i]);
		ec2_rule_out(c, &rules.v[i], &ret->v[ret->n++]);
	}
	return r;
}

EC2_HANDLER(authorize_security_group_ingress)
{
	const struct ec2_flat flat = { in->ip_protocol, in->cidr_ip, in->source_security_group_name, in->source_security_group_owner_id,
				       in->from_port,   in->to_port };
	struct ec2_rec_group g;
	int r = ec2_group_find(c, in->group_id, in->group_name, &g);

	if (r == 0)
		r = authorize(c, &g, false, &in->ip_permissions, &flat, &in->tag_specifications, &out->security_group_rules);
	out->return_ = OPT_BOOL(true);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

EC2_HANDLER(authorize_security_group_egress)
{
	const struct ec2_flat flat = { in->ip_protocol, in->cidr_ip, in->source_security_group_name, in->source_security_group_owner_id,
				       in->from_port,   in->to_port };
	struct ec2_rec_group g;
	int r = ec2_load(c, EC2_GROUP, in->group_id, &g);

	if (r == 0)
		r = authorize(c, &g, true, &in->ip_permissions, &flat, &in->tag_specifications, &out->security_group_rules);
	out->return_ = OPT_BOOL(true);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

/* --- revoke --- */
struct revoked {
	struct ec2_revoked_security_group_rule_list *rules;
	struct ec2_ip_permission_list *unknown;
	size_t cap;
};

static int drop(struct call *c, const struct ec2_rec_rule *r, struct revoked *out)
{
	vec_push(c->arena, out->rules->v, out->rules->n, out->cap) = (struct ec2_revoked_security_group_rule){
		.security_group_rule_id = r->id,
		.group_id = r->group,
		.is_egress = OPT_BOOL(r->egress.v),
		.ip_protocol = r->protocol,
		.from_port = OPT_INT(r->from.has ? r->from.v : -1),
		.to_port = OPT_INT(r->to.has ? r->to.v : -1),
		.cidr_ipv4 = r->cidr,
		.cidr_ipv6 = r->cidr6,
		.prefix_list_id = r->prefix_list,
		.referenced_group_id = r->peer,
		.description = r->description,
	};
	return ec2_rule_drop(c, r);
}

static int revoke_ids(struct call *c, const struct ec2_rec_group *g, bool egress, const struct str_list *ids, struct revoked *out)
{
	struct ec2_rec_rule rule;
	int r = 0;

	for (size_t i = 0; i < ids->n && r == 0; i++) {
		r = ec2_load(c, EC2_RULE, ids->v[i], &rule);
		if (r == 0 && (!str_eq(rule.group, g->id) || rule.egress.v != egress))
			return call_fail(c, &ec2_err_invalid_security_group_rule_id_not_found,
					 "The security group rule ID '%.*s' does not exist", STR(ids->v[i]));
		if (r == 0)
			r = drop(c, &rule, out);
	}
	return r;
}

/* In the default VPC a rule that isn't there is told in the answer; elsewhere it is an error. */
static int revoke_rules(struct call *c, const struct ec2_rec_group *g, bool egress, const struct ec2_rule_list *rules, struct revoked *out)
{
	struct ec2_rule_list have, unknown = { 0 };
	struct ec2_rec_vpc v;
	int r = ec2_rules_of(c, g->id, &have);

	if (r == 0)
		r = ec2_read(c, EC2_VPC, g->vpc, &v);
	for (size_t i = 0; i < rules->n && r == 0; i++) {
		size_t j = 0;

		while (j < have.n && !ec2_rule_same(&rules->v[i], &have.v[j]))
			j++;
		if (j < have.n)
			r = drop(c, &have.v[j], out);
		else if (v.is_default.v)
			vec_push(c->arena, unknown.v, unknown.n, unknown.cap) = rules->v[i];
		else
			return call_fail(c, &ec2_err_invalid_permission_not_found,
					 "The specified rule does not exist in this security group.");
	}
	ec2_permissions_out(c, &unknown, egress, out->unknown);
	return r;
}

static int revoke(struct call *c, const struct ec2_rec_group *g, bool egress, const struct str_list *ids,
		  const struct ec2_ip_permission_list *perms, const struct ec2_flat *flat, struct revoked *out)
{
	struct ec2_rule_list rules = { 0 };
	bool described = perms->n || flat->protocol.p || flat->cidr.p || flat->source_name.p;
	int r;

	if (ids->n && described)
		return call_fail(c, &ec2_err_invalid_parameter_combination,
				 "Only one of 'ipPermissions' or 'securityGroupRuleIds' should be provided.");
	if (!ids->n && !described)
		return call_fail(c, &aws_err_missing_parameter, "Either 'ipPermissions' or 'securityGroupRuleIds' should be provided.");
	if (ids->n) {
		r = revoke_ids(c, g, egress, ids, out);
	} else {
		r = ec2_rules_read(c, g, egress, perms, flat, false, &rules);
		if (r == 0)
			r = revoke_rules(c, g, egress, &rules, out);
	}
	EC2_EMPTY(c, *out->rules);
	EC2_EMPTY(c, *out->unknown);
	return r;
}

EC2_HANDLER(revoke_security_group_ingress)
{
	const struct ec2_flat flat = { in->ip_protocol, in->cidr_ip, in->source_security_group_name, in->source_security_group_owner_id,
				       in->from_port,   in->to_port };
	struct revoked done = { &out->revoked_security_group_rules, &out->unknown_ip_permissions, 0 };
	struct ec2_rec_group g;
	int r = ec2_group_find(c, in->group_id, in->group_name, &g);

	if (r == 0)
		r = revoke(c, &g, false, &in->security_group_rule_ids, &in->ip_permissions, &flat, &done);
	out->return_ = OPT_BOOL(true);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

EC2_HANDLER(revoke_security_group_egress)
{
	const struct ec2_flat flat = { in->ip_protocol, in->cidr_ip, in->source_security_group_name, in->source_security_group_owner_id,
				       in->from_port,   in->to_port };
	struct revoked done = { &out->revoked_security_group_rules, &out->unknown_ip_permissions, 0 };
	struct ec2_rec_group g;
	int r = ec2_load(c, EC2_GROUP, in->group_id, &g);

	if (r == 0)
		r = revoke(c, &g, true, &in->security_group_rule_ids, &in->ip_permissions, &flat, &done);
	out->return_ = OPT_BOOL(true);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

/* --- modify --- */
/* The new rule in the words of an old request, so that it is read by the same code. */
static int new_rule(struct call *c, const struct ec2_rec_group *g, const struct ec2_rec_rule *old,
		    const struct ec2_security_group_rule_request *q, struct ec2_rec_rule *ret)
{
	struct ec2_ip_permission p = { .ip_protocol = q->ip_protocol, .from_port = q->from_port, .to_port = q->to_port };
	struct ec2_ip_permission_list perms = { &p, 1 };
	struct ec2_ip_range four = { q->description, q->cidr_ipv4 };
	struct ec2_ipv6_range six = { q->description, q->cidr_ipv6 };
	struct ec2_prefix_list_id list = { q->description, q->prefix_list_id };
	struct ec2_user_id_group_pair pair = { .description = q->description, .group_id = q->referenced_group_id };
	struct ec2_rule_list rules = { 0 };
	struct ec2_flat none = { 0 };
	int r;

	if ((q->cidr_ipv4.p != NULL) + (q->cidr_ipv6.p != NULL) + (q->prefix_list_id.p != NULL) + (q->referenced_group_id.p != NULL) != 1)
		return call_fail(c, &aws_err_missing_parameter,
				 "The request must contain exactly one of cidrIpv4, cidrIpv6, prefixListId or referencedGroupId");
	if (q->cidr_ipv4.p)
		p.ip_ranges = (struct ec2_ip_range_list){ &four, 1 };
	else if (q->cidr_ipv6.p)
		p.ipv6_ranges = (struct ec2_ipv6_range_list){ &six, 1 };
	else if (q->prefix_list_id.p)
		p.prefix_list_ids = (struct ec2_prefix_list_id_list){ &list, 1 };
	else
		p.user_id_group_pairs = (struct ec2_user_id_group_pair_list){ &pair, 1 };
	r = ec2_rules_read(c, g, old->egress.v, &perms, &none, true, &rules);
	if (r < 0)
		return r;
	*ret = rules.v[0];
	ret->id = old->id;
	ret->group = old->group;
	ret->tags = old->tags;
	ret->created = old->created;
	return 0;
}

static int modify(struct call *c, const struct ec2_rec_group *g, const struct ec2_security_group_rule_update *u)
{
	struct ec2_rec_rule old, now;
	struct ec2_rule_list have, none = { 0 };
	int r = ec2_load(c, EC2_RULE, u->security_group_rule_id, &old);

	if (r == 0 && !str_eq(old.group, g->id))
		return call_fail(c, &ec2_err_invalid_security_group_rule_id_not_found, "The security group rule ID '%.*s' does not exist",
				 STR(u->security_group_rule_id));
	if (r == 0 && !u->security_group_rule)
		return call_fail(c, &aws_err_missing_parameter, "The request must contain the parameter SecurityGroupRule");
	if (r == 0)
		r = new_rule(c, g, &old, u->security_group_rule, &now);
	if (r == 0)
		r = ec2_rules_of(c, g->id, &have);
	for (size_t i = 0; r == 0 && i < have.n; i++) {
		if (str_eq(have.v[i].id, now.id))
			have.v[i] = now;
		else if (ec2_rule_same(&have.v[i], &now))
			return call_fail(c, &ec2_err_invalid_permission_duplicate, "the specified rule \"%.*s\" already exists",
					 STR(rule_text(c, &now)));
	}
	if (r == 0)
		r = room(c, &have, &none, now.egress.v);
	if (r == 0 && old.peer.p)
		r = ec2_map_del(c, "ec2.peer", old.peer, old.id);
	if (r == 0 && now.peer.p)
		r = ec2_map_put(c, "ec2.peer", now.peer, now.id, g->id);
	if (r == 0)
		r = ec2_store(c, EC2_RULE, &now);
	if (r == 0)
		r = ec2_rule_unlist(c, &old);
	return r < 0 || !now.prefix_list.p ? r : ec2_prefix_list_use(c, now.prefix_list, g->id, true);
}

EC2_HANDLER(modify_security_group_rules)
{
	struct ec2_rec_group g;
	int r = ec2_load(c, EC2_GROUP, in->group_id, &g);

	if (r == 0 && in->security_group_rules.n == 0)
		return call_fail(c, &aws_err_missing_parameter, "The request must contain the parameter SecurityGroupRule");
	for (size_t i = 0; i < in->security_group_rules.n && r == 0; i++)
		r = modify(c, &g, &in->security_group_rules.v[i]);
	out->return_ = OPT_BOOL(true);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

/* --- descriptions --- */
static int describe_ids(struct call *c, const struct ec2_rec_group *g, bool egress,
			const struct ec2_security_group_rule_description_list *l)
{
	struct ec2_rec_rule rule;
	int r = 0;

	for (size_t i = 0; i < l->n && r == 0; i++) {
		if (!l->v[i].security_group_rule_id.p)
			return call_fail(c, &aws_err_missing_parameter, "The request must contain the parameter SecurityGroupRuleId");
		r = ec2_load(c, EC2_RULE, l->v[i].security_group_rule_id, &rule);
		if (r == 0 && (!str_eq(rule.group, g->id) || rule.egress.v != egress))
			return call_fail(c, &ec2_err_invalid_security_group_rule_id_not_found,
					 "The security group rule ID '%.*s' does not exist", STR(rule.id));
		if (r == 0)
			r = ec2_rule_description(c, l->v[i].description);
		rule.description = l->v[i].description;
		if (r == 0)
			r = ec2_store(c, EC2_RULE, &rule);
	}
	return r;
}

static int describe_rules(struct call *c, const struct ec2_rec_group *g, bool egress, const struct ec2_ip_permission_list *perms,
			  const struct ec2_security_group_rule_description_list *ids)
{
	struct ec2_rule_list rules = { 0 }, have;
	struct ec2_flat none = { 0 };
	int r;

	if (perms->n && ids->n)
		return call_fail(c, &ec2_err_invalid_parameter_combination,
				 "Only one of 'ipPermissions' or 'securityGroupRuleDescriptions' should be provided.");
	if (ids->n)
		return describe_ids(c, g, egress, ids);
	r = ec2_rules_read(c, g, egress, perms, &none, false, &rules);
	if (r == 0)
		r = ec2_rules_of(c, g->id, &have);
	for (size_t i = 0; i < rules.n && r == 0; i++) {
		size_t j = 0;

		while (j < have.n && !ec2_rule_same(&rules.v[i], &have.v[j]))
			j++;
		if (j == have.n)
			return call_fail(c, &ec2_err_invalid_permission_not_found,
					 "The specified rule does not exist in this security group.");
		have.v[j].description = rules.v[i].description;
		r = ec2_store(c, EC2_RULE, &have.v[j]);
	}
	return r;
}

EC2_HANDLER(update_security_group_rule_descriptions_ingress)
{
	struct ec2_rec_group g;
	int r = ec2_group_find(c, in->group_id, in->group_name, &g);

	if (r == 0)
		r = describe_rules(c, &g, false, &in->ip_permissions, &in->security_group_rule_descriptions);
	out->return_ = OPT_BOOL(true);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

EC2_HANDLER(update_security_group_rule_descriptions_egress)
{
	struct ec2_rec_group g;
	int r = ec2_group_find(c, in->group_id, in->group_name, &g);

	if (r == 0)
		r = describe_rules(c, &g, true, &in->ip_permissions, &in->security_group_rule_descriptions);
	out->return_ = OPT_BOOL(true);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

/* --- describe --- */
static const struct ec2_field rule_fields[] = {
	{ "group-id", EC2_PARENT, offsetof(struct ec2_rec_rule, group) },
	{ "security-group-rule-id", EC2_ID, offsetof(struct ec2_rec_rule, id) },
	{ 0 },
};

struct rule_page {
	struct ec2_describe_security_group_rules_result *out;
	size_t cap;
};

static int emit_rule(struct call *c, const void *rec, void *arg)
{
	struct rule_page *p = arg;

	ec2_rule_out(c, rec, &vec_push(c->arena, p->out->security_group_rules.v, p->out->security_group_rules.n, p->cap));
	return 0;
}

EC2_HANDLER(describe_security_group_rules)
{
	struct ec2_query q = { &in->filters, &in->security_group_rule_ids, in->next_token, in->max_results };
	struct rule_page page = { out, 0 };
	int r = ec2_list(c, EC2_RULE, rule_fields, &q, emit_rule, &page, &out->next_token);

	EC2_EMPTY(c, out->security_group_rules);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}
