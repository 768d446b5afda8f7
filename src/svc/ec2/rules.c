/* SPDX-License-Identifier: Apache-2.0 */
/* rules.c - what a security group's rules say: read from requests, compared, written, kept. No handler here.
 *
 * A rule has one source (or destination): a block, an IPv6 block, a prefix list, or another group of the same VPC. Protocols are kept as
 * EC2 shows them: "tcp", "udp", "icmp", "icmpv6", "-1", or a number. Sources: "Security group rules", IpPermission. */
#include "svc/ec2/ec2_int.h"
#include <errno.h>

#define DESCRIPTION_MAX 255
#define PORT_MAX 65535

static bool ported(struct str protocol)
{
	return str_is(protocol, "tcp") || str_is(protocol, "udp");
}

static bool icmp(struct str protocol)
{
	return str_is(protocol, "icmp") || str_is(protocol, "icmpv6");
}

static int protocol_name(struct call *c, struct str p, struct str *ret)
{
	static const char *const names[][2] = { { "6", "tcp" }, { "17", "udp" }, { "1", "icmp" }, { "58", "icmpv6" }, { "all", "-1" } };
	struct str low = str_lower(c->arena, p);
	uint64_t number;

	for (size_t i = 0; i < ELEMENTS(names); i++)
		if (str_is(low, names[i][0]) || str_is(low, names[i][1])) {
			*ret = str_c(names[i][1]);
			return 0;
		}
	if (str_to_u64(low, &number) < 0 || number > 255)
		return call_fail(c, &aws_err_invalid_parameter_value, "Invalid value '%.*s' for IP protocol. Unknown protocol.", STR(p));
	*ret = str_printf(c->arena, "%u", (unsigned)number);
	return 0;
}

static int ports(struct call *c, struct opt_int from, struct opt_int to, const char *name)
{
	if (!from.has || !to.has || from.v == -1 || to.v == -1)
		return call_fail(c, &aws_err_invalid_parameter_value,
				 "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.");
	if (from.v < 0 || from.v > PORT_MAX || to.v < 0 || to.v > PORT_MAX)
		return call_fail(c, &aws_err_invalid_parameter_value, "%s port (%lld) out of range", name,
				 (long long)(from.v < 0 || from.v > PORT_MAX ? from.v : to.v));
	if (from.v > to.v)
		return call_fail(c, &aws_err_invalid_parameter_value, "Invalid TCP/UDP port range (%lld:%lld)", (long long)from.v,
				 (long long)to.v);
	return 0;
}

static int icmp_types(struct call *c, struct opt_int type, struct opt_int code)
{
	if (type.v < -1 || type.v > 255)
		return call_fail(c, &aws_err_invalid_parameter_value, "ICMP type (%lld) out of range", (long long)type.v);
	if (code.v < -1 || code.v > 255)
		return call_fail(c, &aws_err_invalid_parameter_value, "ICMP code (%lld) out of range", (long long)code.v);
	if (type.v == -1 && code.v != -1)
		return call_fail(c, &aws_err_invalid_parameter_value, "ICMP code (%lld) must be -1 for all types", (long long)code.v);
	return 0;
}

int ec2_rule_normalize(struct call *c, struct str protocol, struct opt_int from, struct opt_int to, struct ec2_rec_rule *r)
{
	int e;

	if (!protocol.p)
		return call_fail(c, &aws_err_missing_parameter, "The request must contain the parameter ipProtocol");
	e = protocol_name(c, protocol, &r->protocol);
	if (e < 0)
		return e;
	r->from = r->to = (struct opt_int){ 0 };
	if (ported(r->protocol)) {
		r->from = from;
		r->to = to;
		return ports(c, from, to, "TCP/UDP");
	}
	if (icmp(r->protocol)) {
		if (!from.has && !to.has && str_is(r->protocol, "icmp"))
			return call_fail(c, &aws_err_invalid_parameter_value,
					 "Invalid value 'Must specify both ICMP type and code.' for portRange.");
		r->from = OPT_INT(from.has ? from.v : -1);
		r->to = OPT_INT(to.has ? to.v : -1);
		return icmp_types(c, r->from, r->to);
	}
	return 0; /* all others: ports mean nothing */
}

static bool text_of_set(struct str s, const char *further)
{
	for (size_t i = 0; i < s.n; i++) {
		char ch = s.p[i];

		if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') || (ch && strchr(further, ch))))
			return false;
	}
	return true;
}

int ec2_rule_description(struct call *c, struct str d)
{
	if (d.n > DESCRIPTION_MAX || !text_of_set(d, ". _-:/()#,@[]+=&;{}!$*"))
		return call_fail(c, &aws_err_invalid_parameter_value,
				 "Invalid rule description. Valid descriptions are strings less than 256 characters from the following "
				 "set:  a-zA-Z0-9. "
				 "_-:/()#,@[]+=&;{}!$*");
	return 0;
}

/* --- reading requests --- */
struct reader {
	struct call *c;
	const struct ec2_rec_group *g;
	bool authorize;
	struct ec2_rule_list *out;
	struct ec2_rec_rule base; /* protocol, ports, direction */
};

bool ec2_rule_same(const struct ec2_rec_rule *a, const struct ec2_rec_rule *b)
{
	return a->egress.v == b->egress.v && str_eq(a->protocol, b->protocol) && a->from.has == b->from.has && a->to.has == b->to.has &&
	       (!a->from.has || a->from.v == b->from.v) && (!a->to.has || a->to.v == b->to.v) && str_eq(a->cidr, b->cidr) &&
	       str_eq(a->cidr6, b->cidr6) && str_eq(a->peer, b->peer) && str_eq(a->prefix_list, b->prefix_list);
}

static int add(struct reader *x, const struct ec2_rec_rule *rule, struct str description)
{
	struct call *c = x->c;
	struct ec2_rec_rule r = *rule;
	int e = ec2_rule_description(c, description);

	if (e < 0)
		return e;
	for (size_t i = 0; i < x->out->n; i++)
		if (ec2_rule_same(&x->out->v[i], &r))
			return call_fail(c, &aws_err_invalid_parameter_value, "The same permission must not appear multiple times");
	r.description = description;
	vec_push(c->arena, x->out->v, x->out->n, x->out->cap) = r;
	return 0;
}

static int add_cidr(struct reader *x, struct str text, struct str description)
{
	struct ec2_rec_rule r = x->base;
	struct cidr4 block;

	if (!text.p)
		return call_fail(x->c, &aws_err_missing_parameter, "The request must contain the parameter cidrIp");
	if (cidr4_parse(text, &block) < 0)
		return call_fail(x->c, &aws_err_invalid_parameter_value, "CIDR block %.*s is malformed", STR(text));
	r.cidr = cidr4_text(x->c->arena, block);
	return add(x, &r, description);
}

static int add_cidr6(struct reader *x, struct str text, struct str description)
{
	struct ec2_rec_rule r = x->base;
	struct cidr6 block;

	if (!text.p)
		return call_fail(x->c, &aws_err_missing_parameter, "The request must contain the parameter cidrIpv6");
	if (cidr6_parse(text, &block) < 0)
		return call_fail(x->c, &aws_err_invalid_parameter_value, "CIDR block %.*s is malformed", STR(text));
	r.cidr6 = cidr6_text(x->c->arena, &block);
	return add(x, &r, description);
}

/* A group is named by id or by name, of this account and this VPC. */
static int add_peer(struct reader *x, const struct ec2_user_id_group_pair *p)
{
	struct ec2_rec_rule r = x->base;
	struct ec2_rec_group peer;
	struct call *c = x->c;
	int e;

	if (p->vpc_peering_connection_id.p)
		return ec2_not_built(c, "A rule for a group of a peered VPC");
	if (!p->group_id.p && !p->group_name.p)
		return call_fail(c, &aws_err_missing_parameter, "Source group ID missing.");
	if (p->user_id.p && !str_eq(p->user_id, c->account))
		return call_fail(c, &ec2_err_invalid_group_not_found, "The security group '%.*s' does not exist",
				 STR(p->group_id.p ? p->group_id : p->group_name));
	if (p->group_id.p) {
		e = ec2_id_check(c, EC2_GROUP, p->group_id);
		if (e == 0)
			e = ec2_read(c, EC2_GROUP, p->group_id, &peer);
	} else
		e = ec2_group_by_name(c, x->g->vpc, p->group_name, &peer);
	if (e == -ENOENT && !x->authorize && p->group_id.p) {
		peer.id = p->group_id; /* taking a rule away needs no living group */
		peer.vpc = x->g->vpc;
		e = 0;
	}
	if (e == -ENOENT)
		return call_fail(c, &ec2_err_invalid_group_not_found, "The security group '%.*s' does not exist",
				 STR(p->group_id.p ? p->group_id : p->group_name));
	if (e < 0)
		return e;
	if (!str_eq(peer.vpc, x->g->vpc))
		return call_fail(c, &ec2_err_invalid_group_not_found,
				 "You have specified two resources that belong to different networks.");
	r.peer = peer.id;
	return add(x, &r, p->description);
}

static int add_list(struct reader *x, const struct ec2_prefix_list_id *p)
{
	struct ec2_rec_rule r = x->base;
	int64_t max;
	int e = 0;

	if (!p->prefix_list_id.p)
		return call_fail(x->c, &aws_err_missing_parameter, "The request must contain the parameter prefixListId");
	if (x->authorize)
		e = ec2_prefix_list_find(x->c, p->prefix_list_id, &max);
	r.prefix_list = p->prefix_list_id;
	return e < 0 ? e : add(x, &r, p->description);
}

static int read_permission(struct reader *x, const struct ec2_ip_permission *p)
{
	struct call *c = x->c;
	int r = ec2_rule_normalize(c, p->ip_protocol, p->from_port, p->to_port, &x->base);

	if (r == 0 && p->ip_ranges.n + p->ipv6_ranges.n + p->user_id_group_pairs.n + p->prefix_list_ids.n == 0)
		return call_fail(c, &aws_err_missing_parameter,
				 "The request must contain the parameter ipRanges, ipv6Ranges, userIdGroupPairs or prefixListIds");
	for (size_t i = 0; i < p->ip_ranges.n && r == 0; i++)
		r = add_cidr(x, p->ip_ranges.v[i].cidr_ip, p->ip_ranges.v[i].description);
	for (size_t i = 0; i < p->ipv6_ranges.n && r == 0; i++)
		r = add_cidr6(x, p->ipv6_ranges.v[i].cidr_ipv6, p->ipv6_ranges.v[i].description);
	for (size_t i = 0; i < p->user_id_group_pairs.n && r == 0; i++)
		r = add_peer(x, &p->user_id_group_pairs.v[i]);
	for (size_t i = 0; i < p->prefix_list_ids.n && r == 0; i++)
		r = add_list(x, &p->prefix_list_ids.v[i]);
	return r;
}

int ec2_rules_read(struct call *c, const struct ec2_rec_group *g, bool egress, const struct ec2_ip_permission_list *perms,
		   const struct ec2_flat *flat, bool authorize, struct ec2_rule_list *ret)
{
	struct reader x = { c, g, authorize, ret, { .group = g->id, .egress = OPT_BOOL(egress) } };
	bool is_flat = flat->protocol.p || flat->cidr.p || flat->from.has || flat->to.has;
	int r = 0;

	if (flat->source_name.p || flat->source_owner.p)
		return call_fail(c, &aws_err_invalid_parameter_value,
				 "Invalid value '%.*s' for groupName. Use IpPermissions to name a group of a VPC.",
				 STR(flat->source_name.p ? flat->source_name : flat->source_owner));
	if (is_flat && perms->n)
		return call_fail(c, &ec2_err_invalid_parameter_combination,
				 "The parameter ipPermissions cannot be used with ipProtocol, fromPort, toPort or cidrIp");
	if (!is_flat && !perms->n)
		return call_fail(c, &aws_err_missing_parameter, "The request must contain the parameter ipPermissions");
	if (is_flat) {
		r = ec2_rule_normalize(c, flat->protocol, flat->from, flat->to, &x.base);
		return r < 0 ? r : add_cidr(&x, flat->cidr, STR_NONE);
	}
	for (size_t i = 0; i < perms->n && r == 0; i++)
		r = read_permission(&x, &perms->v[i]);
	return r;
}

/* --- keeping --- */
int ec2_rules_of(struct call *c, struct str group, struct ec2_rule_list *ret)
{
	struct str_list ids;
	int r = ec2_child_ids(c, EC2_RULE, group, &ids);

	*ret = (struct ec2_rule_list){ 0 };
	for (size_t i = 0; i < ids.n && r == 0; i++)
		r = ec2_read(c, EC2_RULE, ids.v[i], &vec_push(c->arena, ret->v, ret->n, ret->cap));
	return r;
}

int ec2_rule_add(struct call *c, const struct ec2_rec_group *g, struct ec2_rec_rule *rule)
{
	int r;

	rule->id = ec2_new_id(c, "sgr");
	rule->group = g->id;
	rule->created = OPT_TIME(c->now_ms);
	r = ec2_insert(c, EC2_RULE, rule);
	if (r == 0 && rule->prefix_list.p)
		r = ec2_prefix_list_use(c, rule->prefix_list, g->id, true);
	return r < 0 || !rule->peer.p ? r : ec2_map_put(c, "ec2.peer", rule->peer, rule->id, g->id);
}

int ec2_rule_unlist(struct call *c, const struct ec2_rec_rule *rule)
{
	struct ec2_rule_list left;
	int r;

	if (!rule->prefix_list.p)
		return 0;
	r = ec2_rules_of(c, rule->group, &left);
	for (size_t i = 0; i < left.n && r == 0; i++)
		if (str_eq(left.v[i].prefix_list, rule->prefix_list))
			return 0;
	return r < 0 ? r : ec2_prefix_list_use(c, rule->prefix_list, rule->group, false);
}

int ec2_rule_drop(struct call *c, const struct ec2_rec_rule *rule)
{
	int r = ec2_remove(c, EC2_RULE, rule);

	if (r == 0)
		r = ec2_rule_unlist(c, rule);
	return r < 0 || !rule->peer.p ? r : ec2_map_del(c, "ec2.peer", rule->peer, rule->id);
}

/* --- writing --- */
static struct ec2_ip_permission *permission_for(struct call *c, struct ec2_ip_permission_list *l, size_t *cap, const struct ec2_rec_rule *r)
{
	struct ec2_ip_permission *p;

	for (size_t i = 0; i < l->n; i++) {
		p = &l->v[i];
		if (str_eq(p->ip_protocol, r->protocol) && p->from_port.has == r->from.has && p->to_port.has == r->to.has &&
		    p->from_port.v == r->from.v && p->to_port.v == r->to.v)
			return p;
	}
	p = &vec_push(c->arena, l->v, l->n, *cap);
	*p = (struct ec2_ip_permission){ .ip_protocol = r->protocol, .from_port = r->from, .to_port = r->to };
	EC2_EMPTY(c, p->ip_ranges);
	EC2_EMPTY(c, p->ipv6_ranges);
	EC2_EMPTY(c, p->user_id_group_pairs);
	EC2_EMPTY(c, p->prefix_list_ids);
	return p;
}

void ec2_permissions_out(struct call *c, const struct ec2_rule_list *rules, bool egress, struct ec2_ip_permission_list *ret)
{
	size_t cap = 0;

	*ret = (struct ec2_ip_permission_list){ 0 };
	for (size_t i = 0; i < rules->n; i++) {
		const struct ec2_rec_rule *r = &rules->v[i];
		struct ec2_ip_permission *p;

		if (r->egress.v != egress)
			continue;
		p = permission_for(c, ret, &cap, r);
		if (r->cidr.p) {
			p->ip_ranges.v = arena_grow(c->arena, p->ip_ranges.v, p->ip_ranges.n * sizeof *p->ip_ranges.v,
						    (p->ip_ranges.n + 1) * sizeof *p->ip_ranges.v);
			p->ip_ranges.v[p->ip_ranges.n++] = (struct ec2_ip_range){ r->description, r->cidr };
		} else if (r->cidr6.p) {
			p->ipv6_ranges.v = arena_grow(c->arena, p->ipv6_ranges.v, p->ipv6_ranges.n * sizeof *p->ipv6_ranges.v,
						      (p->ipv6_ranges.n + 1) * sizeof *p->ipv6_ranges.v);
			p->ipv6_ranges.v[p->ipv6_ranges.n++] = (struct ec2_ipv6_range){ r->description, r->cidr6 };
		} else if (r->prefix_list.p) {
			p->prefix_list_ids.v = arena_grow(c->arena, p->prefix_list_ids.v,
							  p->prefix_list_ids.n * sizeof *p->prefix_list_ids.v,
							  (p->prefix_list_ids.n + 1) * sizeof *p->prefix_list_ids.v);
			p->prefix_list_ids.v[p->prefix_list_ids.n++] = (struct ec2_prefix_list_id){ r->description, r->prefix_list };
		} else {
			struct ec2_user_id_group_pair_list *l = &p->user_id_group_pairs;

			l->v = arena_grow(c->arena, l->v, l->n * sizeof *l->v, (l->n + 1) * sizeof *l->v);
			l->v[l->n++] = (struct ec2_user_id_group_pair){ .description = r->description,
									.user_id = c->account,
									.group_id = r->peer };
		}
	}
	EC2_EMPTY(c, *ret);
}

/* Rules by themselves show -1 where a permission shows no ports. */
void ec2_rule_out(struct call *c, const struct ec2_rec_rule *r, struct ec2_security_group_rule *ret)
{
	*ret = (struct ec2_security_group_rule){ .security_group_rule_id = r->id,
						 .group_id = r->group,
						 .group_owner_id = c->account,
						 .is_egress = OPT_BOOL(r->egress.v),
						 .ip_protocol = r->protocol,
						 .from_port = OPT_INT(r->from.has ? r->from.v : -1),
						 .to_port = OPT_INT(r->to.has ? r->to.v : -1),
						 .cidr_ipv4 = r->cidr,
						 .cidr_ipv6 = r->cidr6,
						 .prefix_list_id = r->prefix_list,
						 .description = r->description,
						 .security_group_rule_arn = ec2_arn(c, EC2_RULE, r->id) };
	if (r->peer.p) {
		ret->referenced_group_info = arena_new(c->arena, struct ec2_referenced_security_group);
		ret->referenced_group_info->group_id = r->peer;
		ret->referenced_group_info->user_id = c->account;
	}
	ec2_tags_out(c, &r->tags, &ret->tags);
}
