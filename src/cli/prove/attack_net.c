/* SPDX-License-Identifier: Apache-2.0 */
/* attack_net.c - what the stack declares of its networks, read back and compared. Packets are not sent from here: what is
 * found is said to be "read back", never to be tried. */
#include "cli/prove/prove.h"
#include <arpa/inet.h>

#define RULES_MAX 256

static struct xml_node *describe(struct prove *p, const struct promise *m, const char *action, const char *param, struct str value,
				 const char *list)
{
	struct hit h = hit_query(p, "ec2", p->stack->region, action, &p->caller);
	struct answer a;

	if (strncmp(param, "Filter:", 7) == 0) {
		hit_param(p, &h, "Filter.1.Name", str_c(param + 7));
		hit_param(p, &h, "Filter.1.Value.1", value);
	} else
		hit_param(p, &h, param, value);
	if (call_hit(p, &h, str_printf(&p->arena, "EC2 %s", action).p, &a) == 0)
		return xml_deep(a.xml, list);
	(void)proof_add(p, m,
			str_starts(p->trouble, S("interrupted")) || !str_ends(a.code.p ? a.code : S(""), S(".NotFound")) ? VERDICT_UNTRIED
															 : VERDICT_BROKEN,
			str_printf(&p->arena, "%s %.*s", action, STR(value)), S("an answer"), p->trouble);
	return NULL;
}

/* --- security groups --- */
struct rules {
	struct str v[RULES_MAX]; /* "tcp 443-443 from 10.0.0.0/8" */
	size_t n;
};

/* A range as EC2 writes it: no bits behind the mask, addresses in their usual form. Anything else stays as it is. */
static struct str canonical(struct prove *p, struct str peer)
{
	char text[INET6_ADDRSTRLEN];
	uint8_t addr[16];
	struct str host, rest;
	int family;
	int64_t bits;

	if (!str_cut(peer, '/', &host, &rest) || str_to_i64(rest, &bits) < 0)
		return peer;
	family = str_find_char(host, ':') >= 0 ? AF_INET6 : AF_INET;
	if (inet_pton(family, str_z(&p->arena, host), addr) != 1 || bits < 0 || bits > (family == AF_INET ? 32 : 128))
		return peer;
	for (int i = (int)bits; i < (family == AF_INET ? 32 : 128); i++)
		addr[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
	if (!inet_ntop(family, addr, text, sizeof text))
		return peer;
	return str_printf(&p->arena, "%s/%lld", text, (long long)bits);
}

static void add_rule(struct prove *p, struct rules *r, struct str proto, struct str from, struct str to, struct str peer)
{
	static const char *const names[][2] = { { "6", "tcp" }, { "17", "udp" }, { "1", "icmp" } };

	for (size_t i = 0; i < ELEMENTS(names); i++)
		if (str_is(proto, names[i][0]))
			proto = str_c(names[i][1]);
	proto = proto.p ? str_lower(&p->arena, proto) : S("");
	if (!peer.n || r->n == RULES_MAX)
		return;
	peer = canonical(p, peer);
	if (str_is(proto, "-1") || !from.n)
		r->v[r->n++] = str_printf(&p->arena, "%.*s %.*s", STR(str_is(proto, "-1") ? S("all") : proto), STR(peer));
	else
		r->v[r->n++] = str_printf(&p->arena, "%.*s %.*s-%.*s %.*s", STR(proto), STR(from), STR(to.n ? to : from), STR(peer));
}

static void declared_rule(struct prove *p, struct rules *r, const struct json *j)
{
	static const char *const peers[] = {
		"CidrIp", "CidrIpv6", "SourceSecurityGroupId", "DestinationSecurityGroupId", "SourcePrefixListId", "DestinationPrefixListId"
	};

	for (size_t i = 0; i < ELEMENTS(peers); i++)
		add_rule(p, r, prop_str(j, "IpProtocol"), prop_str(j, "FromPort"), prop_str(j, "ToPort"), prop_str(j, peers[i]));
}

static void declared_rules(struct prove *p, const struct declared *g, bool ingress, struct rules *r)
{
	const struct json *list = prop_get(g->props, ingress ? "SecurityGroupIngress" : "SecurityGroupEgress");

	for (size_t i = 0; i < list_len(list); i++)
		declared_rule(p, r, list_at(list, i));
	for (size_t i = 0; i < p->stack->n; i++) {
		const struct declared *t = &p->stack->v[i];

		if (declared_is(t, ingress ? "AWS::EC2::SecurityGroupIngress" : "AWS::EC2::SecurityGroupEgress") &&
		    str_eq(prop_str(t->props, "GroupId"), g->physical))
			declared_rule(p, r, t->props);
	}
}

static void live_rules(struct prove *p, struct xml_node *list, struct rules *r)
{
	static const char *const peers[][2] = {
		{ "ipRanges", "cidrIp" }, { "ipv6Ranges", "cidrIpv6" }, { "groups", "groupId" }, { "prefixListIds", "prefixListId" }
	};

	for (struct xml_node *m = list ? list->children : NULL; m; m = m->next)
		for (size_t i = 0; i < ELEMENTS(peers); i++)
			for (struct xml_node *x = xml_find(m, peers[i][0]) ? xml_find(m, peers[i][0])->children : NULL; x; x = x->next)
				add_rule(p, r, xml_text(m, "ipProtocol"), xml_text(m, "fromPort"), xml_text(m, "toPort"),
					 xml_text(x, peers[i][1]));
}

static bool has_rule(const struct rules *r, struct str s)
{
	for (size_t i = 0; i < r->n; i++)
		if (str_eq(r->v[i], s))
			return true;
	return false;
}

/* Ranges so wide that a few of them are the world. */
#define WORLD_BITS 7

static bool from_anywhere(struct str rule)
{
	ptrdiff_t at = str_rfind_char(rule, '/');
	int64_t bits;

	return at >= 0 && str_to_i64(str_skip(rule, (size_t)at + 1), &bits) == 0 && bits <= WORLD_BITS && str_find(rule, S("pl-")) < 0;
}

/* All ports at once. */
static bool all_ports(struct str rule)
{
	return str_starts(rule, S("all ")) || str_find(rule, S(" 0-65535 ")) >= 0 || str_find(rule, S(" 1-65535 ")) >= 0;
}

/* Ports that servers for everyone have. */
static bool web(struct str rule)
{
	return str_starts(rule, S("tcp 443-443 ")) || str_starts(rule, S("tcp 80-80 "));
}

static void direction(struct prove *p, struct declared *g, bool ingress, struct xml_node *live)
{
	struct rules *want = arena_new(&p->arena, struct rules), *now = arena_new(&p->arena, struct rules);
	struct promise m = { "network", STR_NONE, STR_NONE, g };

	m.text = str_printf(&p->arena, "%.*s lets %s only what is declared", STR(g->id), ingress ? "in" : "out");
	m.declared = str_printf(&p->arena, "%.*s, SecurityGroup%s", STR(g->id), ingress ? "Ingress" : "Egress");
	declared_rules(p, g, ingress, want);
	for (size_t i = 0; i < want->n; i++)
		if (ingress ? (from_anywhere(want->v[i]) && web(want->v[i])) || (all_ports(want->v[i]) && str_find(want->v[i], S("/")) >= 0)
			    : from_anywhere(want->v[i]))
			promise_absent(p, &m, str_printf(&p->arena, "a rule declares %.*s", STR(want->v[i])));
	if (!ingress && want->n == 0) {
		proof_skip(p, &m, S("no egress rule is declared: everything may leave"));
		return;
	}
	if (!promise_owed(p, &m, true))
		return;
	live_rules(p, live, now);
	for (size_t i = 0; i < now->n; i++)
		(void)proof_equal(p, &m, str_printf(&p->arena, "live rule: %s %.*s", ingress ? "from" : "to", STR(now->v[i])),
				  S("declared"), has_rule(want, now->v[i]) ? S("declared") : S("not declared"));
	if (now->n == 0)
		(void)proof_equal(p, &m, S("live rules"), S("none"), S("none"));
	if (!ingress)
		(void)proof_equal(p, &m, S("the default rule that lets everything out"),
				  has_rule(want, S("all 0.0.0.0/0")) ? S("there") : S("gone"),
				  has_rule(now, S("all 0.0.0.0/0")) ? S("there") : S("gone"));
	m = (struct promise){ "network", str_printf(&p->arena, "%.*s is not open to the world", STR(g->id)), BASELINE, g };
	if (!ingress || !promise_owed(p, &m, false))
		return;
	for (size_t i = 0; i < now->n; i++)
		if (from_anywhere(now->v[i]) && !web(now->v[i]))
			(void)proof_equal(p, &m, str_printf(&p->arena, "live rule: from %.*s", STR(now->v[i])), S("no such rule"),
					  S("open to the world"));
}

static void group(struct prove *p, struct declared *g)
{
	struct promise m = { "network", str_printf(&p->arena, "%.*s lets in only what is declared", STR(g->id)), g->id, g };
	struct xml_node *item = xml_find(describe(p, &m, "DescribeSecurityGroups", "GroupId.1", g->physical, "securityGroupInfo"), "item");

	if (!item)
		return;
	direction(p, g, true, xml_find(item, "ipPermissions"));
	direction(p, g, false, xml_find(item, "ipPermissionsEgress"));
}

/* --- subnets --- */
static struct str tag_value(const struct declared *t, const char *key)
{
	const struct json *tags = prop_get(t->props, "Tags");

	for (size_t i = 0; i < list_len(tags); i++)
		if (str_is(prop_str(list_at(tags, i), "Key"), key))
			return prop_str(list_at(tags, i), "Value");
	return STR_NONE;
}

static bool says(struct prove *p, struct str s, const char *word)
{
	return s.p && str_find(str_lower(&p->arena, s), str_c(word)) >= 0;
}

enum privacy { PUBLIC, PRIVATE, ISOLATED };

/* What kind of subnet is meant: by CDK's tag, by its name, else by what it declares. */
static enum privacy privacy(struct prove *p, const struct declared *t, bool *ret_said)
{
	struct str tag = tag_value(t, "aws-cdk:subnet-type"), name = tag_value(t, "Name");
	struct str launch = prop_str(t->props, "MapPublicIpOnLaunch");

	*ret_said = true;
	if (tag.p)
		return str_is(tag, "Public") ? PUBLIC : str_is(tag, "Isolated") ? ISOLATED : PRIVATE;
	if (says(p, t->id, "isolated") || says(p, name, "isolated"))
		return ISOLATED;
	if (says(p, t->id, "private") || says(p, name, "private"))
		return PRIVATE;
	if (says(p, t->id, "public") || says(p, name, "public"))
		return PUBLIC;
	*ret_said = launch.p && str_is(launch, "false");
	return *ret_said ? PRIVATE : PUBLIC;
}

static struct xml_node *route_table(struct prove *p, const struct promise *m, struct str subnet, struct str vpc)
{
	struct xml_node *set = describe(p, m, "DescribeRouteTables", "Filter:association.subnet-id", subnet, "routeTableSet"),
			*item = xml_find(set, "item");

	if (!set || item)
		return item;
	set = describe(p, m, "DescribeRouteTables", "Filter:vpc-id", vpc, "routeTableSet"); /* none of its own: the VPC's main one */
	for (item = set ? set->children : NULL; item; item = item->next)
		for (struct xml_node *a = xml_find(item, "associationSet") ? xml_find(item, "associationSet")->children : NULL; a;
		     a = a->next)
			if (str_is(xml_text(a, "main"), "true"))
				return item;
	return NULL;
}

static void subnet(struct prove *p, struct declared *t)
{
	bool said;
	enum privacy kind = privacy(p, t, &said);
	struct promise m = { "network", str_printf(&p->arena, "%.*s has no way to the internet", STR(t->id)), t->id, t };
	struct xml_node *item, *table;
	struct str launch;
	bool out = false;

	if (kind == PUBLIC || !promise_owed(p, &m, said))
		return;
	item = xml_find(describe(p, &m, "DescribeSubnets", "SubnetId.1", t->physical, "subnetSet"), "item");
	if (!item)
		return;
	launch = xml_text(item, "mapPublicIpOnLaunch");
	m.declared = str_printf(&p->arena, "%.*s, MapPublicIpOnLaunch", STR(t->id));
	(void)proof_equal(p, &m, S("gives public addresses to what starts in it"), S("false"), launch);
	m.declared = t->id;
	table = route_table(p, &m, t->physical, xml_text(item, "vpcId"));
	if (!table) {
		(void)proof_add(p, &m, VERDICT_UNTRIED, S("find its route table"), S("a route table"), S("none"));
		return;
	}
	for (struct xml_node *r = xml_find(table, "routeSet") ? xml_find(table, "routeSet")->children : NULL; r; r = r->next) {
		struct str cidr = xml_text(r, "destinationCidrBlock"), gw = xml_text(r, "gatewayId"), nat = xml_text(r, "natGatewayId");
		bool all = str_is(cidr, "0.0.0.0/0") || str_is(xml_text(r, "destinationIpv6CidrBlock"), "::/0");

		if (str_is(gw, "local"))
			continue;
		if (!(str_starts(gw, S("igw-")) || (all && kind == ISOLATED) ||
		      (all && !nat.n && !xml_text(r, "transitGatewayId").n && !xml_text(r, "egressOnlyInternetGatewayId").n)))
			continue;
		out = true;
		(void)proof_equal(p, &m, S("a route out"), S("none"),
				  str_printf(&p->arena, "%.*s through %.*s", STR(cidr.n ? cidr : S("::/0")), STR(gw.n ? gw : nat)));
	}
	if (!out)
		(void)proof_equal(p, &m, S("a route out"), S("none"), S("none"));
}

void attack_network(struct prove *p)
{
	for (size_t i = 0; i < p->stack->n; i++) {
		struct declared *t = &p->stack->v[i];

		if (declared_is(t, "AWS::EC2::SecurityGroup"))
			group(p, t);
		else if (declared_is(t, "AWS::EC2::Subnet"))
			subnet(p, t);
	}
}
