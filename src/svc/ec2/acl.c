/* SPDX-License-Identifier: Apache-2.0 */
/* acl.c - network ACLs: each VPC's default one, which lets everything through, and others. Every subnet has an association
 * with one of them ("ec2.aclassoc": association, subnet). Source: "Control subnet traffic with network access control lists". */
#include "svc/ec2/ec2_int.h"
#include <errno.h>

#define RULE_LAST 32767 /* the rule that denies what no other names */
#define RULE_MAX 32766  /* the last that users may number */
/* Quotas. Source: "Amazon VPC quotas". */
#define ACLS_PER_VPC_MAX 200
#define RULES_PER_ACL_MAX 20 /* each way */
#define PORT_MAX 65535

static struct ec2_rec_acl_entry everything(bool egress, int64_t number)
{
	return (struct ec2_rec_acl_entry){ .number = OPT_INT(number),
					   .egress = OPT_BOOL(egress),
					   .protocol = S("-1"),
					   .action = number == RULE_LAST ? S("deny") : S("allow"),
					   .cidr = S("0.0.0.0/0") };
}

int ec2_acl_make(struct call *c, const struct ec2_rec_vpc *v, struct str *ret_id)
{
	struct ec2_rec_acl acl = { .id = ec2_new_id(c, "acl"), .vpc = v->id, .is_default = OPT_BOOL(true), .created = OPT_TIME(c->now_ms) };
	struct ec2_rec_acl_entry *e = arena_array(c->arena, struct ec2_rec_acl_entry, 4);

	for (int i = 0; i < 4; i++)
		e[i] = everything(i < 2, i % 2 ? RULE_LAST : 100);
	acl.entries = (struct ec2_rec_acl_entry_list){ e, 4 };
	*ret_id = acl.id;
	return ec2_insert(c, EC2_ACL, &acl);
}

int ec2_acl_join(struct call *c, struct str id, struct str association, struct str subnet)
{
	struct ec2_rec_association_list l = { 0 };
	struct ec2_rec_acl acl;
	size_t cap = 0;
	int r = ec2_read(c, EC2_ACL, id, &acl);

	for (size_t i = 0; r == 0 && i < acl.associations.n; i++)
		vec_push(c->arena, l.v, l.n, cap) = acl.associations.v[i];
	vec_push(c->arena, l.v, l.n, cap) = (struct ec2_rec_association){ .id = association, .subnet = subnet };
	acl.associations = l;
	if (r == 0)
		r = ec2_map_put(c, "ec2.aclassoc", association, STR_NONE, subnet);
	return r < 0 ? r : ec2_store(c, EC2_ACL, &acl);
}

int ec2_acl_leave(struct call *c, struct str id, struct str subnet)
{
	struct ec2_rec_association_list l = { 0 };
	struct ec2_rec_acl acl;
	size_t cap = 0;
	int r = ec2_read(c, EC2_ACL, id, &acl);

	for (size_t i = 0; r == 0 && i < acl.associations.n; i++)
		if (!str_eq(acl.associations.v[i].subnet, subnet))
			vec_push(c->arena, l.v, l.n, cap) = acl.associations.v[i];
		else
			r = ec2_map_del(c, "ec2.aclassoc", acl.associations.v[i].id, STR_NONE);
	acl.associations = l;
	return r < 0 ? r : ec2_store(c, EC2_ACL, &acl);
}

static void entry_out(struct call *c, const struct ec2_rec_acl_entry *e, struct ec2_network_acl_entry *ret)
{
	*ret = (struct ec2_network_acl_entry){ .cidr_block = e->cidr,
					       .ipv6_cidr_block = e->cidr6,
					       .egress = OPT_BOOL(e->egress.v),
					       .protocol = e->protocol,
					       .rule_action = e->action,
					       .rule_number = e->number };
	if (e->icmp_type.has) {
		ret->icmp_type_code = arena_new(c->arena, struct ec2_icmp_type_code);
		*ret->icmp_type_code = (struct ec2_icmp_type_code){ .code = e->icmp_code, .type = e->icmp_type };
	}
	if (e->from.has) {
		ret->port_range = arena_new(c->arena, struct ec2_port_range);
		*ret->port_range = (struct ec2_port_range){ e->from, e->to };
	}
}

static void acl_out(struct call *c, const struct ec2_rec_acl *acl, struct ec2_network_acl *ret)
{
	*ret = (struct ec2_network_acl){
		.network_acl_id = acl->id, .vpc_id = acl->vpc, .owner_id = c->account, .is_default = OPT_BOOL(acl->is_default.v)
	};
	ret->associations.n = acl->associations.n;
	ret->associations.v = arena_array(c->arena, struct ec2_network_acl_association, acl->associations.n + 1);
	for (size_t i = 0; i < acl->associations.n; i++)
		ret->associations.v[i] = (struct ec2_network_acl_association){ acl->associations.v[i].id, acl->id,
									       acl->associations.v[i].subnet };
	ret->entries.n = acl->entries.n;
	ret->entries.v = arena_array(c->arena, struct ec2_network_acl_entry, acl->entries.n + 1);
	for (size_t i = 0; i < acl->entries.n; i++)
		entry_out(c, &acl->entries.v[i], &ret->entries.v[i]);
	ec2_tags_out(c, &acl->tags, &ret->tags);
}

static void association_ids(struct ec2_values *v, const void *rec)
{
	const struct ec2_rec_acl *acl = rec;

	for (size_t i = 0; i < acl->associations.n; i++)
		ec2_value(v, acl->associations.v[i].id);
}

static void association_subnets(struct ec2_values *v, const void *rec)
{
	const struct ec2_rec_acl *acl = rec;

	for (size_t i = 0; i < acl->associations.n; i++)
		ec2_value(v, acl->associations.v[i].subnet);
}

static void association_acls(struct ec2_values *v, const void *rec)
{
	const struct ec2_rec_acl *acl = rec;

	if (acl->associations.n)
		ec2_value(v, acl->id);
}
#define ENTRY_VALUES(fn, expression)                                                                                                       \
	static void fn(struct ec2_values *v, const void *rec)                                                                              \
	{                                                                                                                                  \
		const struct ec2_rec_acl *acl = rec;                                                                                       \
		for (size_t i = 0; i < acl->entries.n; i++) {                                                                              \
			const struct ec2_rec_acl_entry *e = &acl->entries.v[i];                                                            \
			ec2_value(v, expression);                                                                                          \
		}                                                                                                                          \
	}
ENTRY_VALUES(entry_cidrs, e->cidr)
ENTRY_VALUES(entry_cidrs6, e->cidr6)
ENTRY_VALUES(entry_egress, e->egress.v ? S("true") : S("false"))
ENTRY_VALUES(entry_protocols, e->protocol)
ENTRY_VALUES(entry_actions, e->action)
ENTRY_VALUES(entry_numbers, str_printf(v->c->arena, "%lld", (long long)e->number.v))
ENTRY_VALUES(entry_from, e->from.has ? str_printf(v->c->arena, "%lld", (long long)e->from.v) : STR_NONE)
ENTRY_VALUES(entry_to, e->to.has ? str_printf(v->c->arena, "%lld", (long long)e->to.v) : STR_NONE)

ENTRY_VALUES(entry_codes, e->icmp_code.has ? str_printf(v->c->arena, "%lld", (long long)e->icmp_code.v) : STR_NONE)
ENTRY_VALUES(entry_types, e->icmp_type.has ? str_printf(v->c->arena, "%lld", (long long)e->icmp_type.v) : STR_NONE)

static const struct ec2_field acl_fields[] = {
	EC2_FIELD_FN("association.association-id", association_ids),
	EC2_FIELD_FN("association.network-acl-id", association_acls),
	EC2_FIELD_FN("association.subnet-id", association_subnets),
	EC2_FIELD_BOOL("default", struct ec2_rec_acl, is_default),
	EC2_FIELD_FN("entry.cidr", entry_cidrs),
	EC2_FIELD_FN("entry.ipv6-cidr", entry_cidrs6),
	EC2_FIELD_FN("entry.egress", entry_egress),
	EC2_FIELD_FN("entry.icmp.code", entry_codes),
	EC2_FIELD_FN("entry.icmp.type", entry_types),
	EC2_FIELD_FN("entry.port-range.from", entry_from),
	EC2_FIELD_FN("entry.port-range.to", entry_to),
	EC2_FIELD_FN("entry.protocol", entry_protocols),
	EC2_FIELD_FN("entry.rule-action", entry_actions),
	EC2_FIELD_FN("entry.rule-number", entry_numbers),
	{ "network-acl-id", EC2_ID, offsetof(struct ec2_rec_acl, id) },
	{ "owner-id", EC2_OWNER },
	{ "vpc-id", EC2_PARENT, offsetof(struct ec2_rec_acl, vpc) },
	{ 0 },
};

struct acl_page {
	struct ec2_describe_network_acls_result *out;
	size_t cap;
};

static int emit_acl(struct call *c, const void *rec, void *arg)
{
	struct acl_page *p = arg;

	acl_out(c, rec, &vec_push(c->arena, p->out->network_acls.v, p->out->network_acls.n, p->cap));
	return 0;
}

EC2_HANDLER(describe_network_acls)
{
	struct ec2_query q = { &in->filters, &in->network_acl_ids, in->next_token, in->max_results };
	struct acl_page page = { out, 0 };
	int r = ec2_list(c, EC2_ACL, acl_fields, &q, emit_acl, &page, &out->next_token);

	EC2_EMPTY(c, out->network_acls);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

/* --- creating, deleting --- */
EC2_HANDLER(create_network_acl)
{
	struct ec2_rec_acl acl = { .created = OPT_TIME(c->now_ms) };
	struct ec2_rec_acl_entry *e = arena_array(c->arena, struct ec2_rec_acl_entry, 2);
	struct ec2_rec_vpc v;
	struct str id;
	int64_t n;
	int r = ec2_load(c, EC2_VPC, in->vpc_id, &v);

	if (r < 0)
		return r;
	r = in->client_token.p ? ec2_map_get(c, "ec2.token", S("CreateNetworkAcl"), in->client_token, &id) : -ENOENT;
	if (r == 0)
		r = ec2_read(c, EC2_ACL, id, &acl);
	if (r == 0 && !str_eq(acl.vpc, v.id))
		return call_fail(c, &ec2_err_idempotent_parameter_mismatch, "The client token '%.*s' was used with other parameters",
				 STR(in->client_token));
	if (r == -ENOENT) {
		e[0] = everything(true, RULE_LAST);
		e[1] = everything(false, RULE_LAST);
		acl.entries = (struct ec2_rec_acl_entry_list){ e, 2 };
		acl.id = ec2_new_id(c, "acl");
		acl.vpc = v.id;
		r = ec2_tags_take(c, &in->tag_specifications, "network-acl", &acl.tags);
		if (r == 0)
			r = ec2_count(c, EC2_ACL, v.id, &n);
		if (r == 0 && n >= ACLS_PER_VPC_MAX)
			return call_fail(c, &ec2_err_network_acl_limit_exceeded, "The maximum number of network ACLs has been reached.");
		if (r == 0)
			r = ec2_insert(c, EC2_ACL, &acl);
		if (r == 0 && in->client_token.p)
			r = ec2_map_put(c, "ec2.token", S("CreateNetworkAcl"), in->client_token, acl.id);
	}
	if (r < 0)
		return r;
	out->client_token = in->client_token;
	out->network_acl = arena_new(c->arena, struct ec2_network_acl);
	acl_out(c, &acl, out->network_acl);
	return ec2_end(c, in->dry_run);
}

EC2_ACTION(delete_network_acl)
{
	struct ec2_rec_acl acl;
	int r = ec2_load(c, EC2_ACL, in->network_acl_id, &acl);

	if (r == 0 && acl.is_default.v)
		return call_fail(c, &aws_err_invalid_parameter_value, "cannot delete default network ACL %.*s", STR(acl.id));
	if (r == 0 && acl.associations.n)
		return call_fail(c, &ec2_err_dependency_violation, "The networkAcl '%.*s' has dependencies and cannot be deleted.",
				 STR(acl.id));
	if (r == 0)
		r = ec2_remove(c, EC2_ACL, &acl);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

/* --- entries --- */
/* The protocol of an entry is kept as its number. */
static int entry_protocol(struct call *c, struct str p, struct str *ret)
{
	static const char *const names[][2] = { { "tcp", "6" }, { "udp", "17" }, { "icmp", "1" }, { "icmpv6", "58" }, { "all", "-1" } };
	struct str low = str_lower(c->arena, p);
	int64_t number;

	for (size_t i = 0; i < ELEMENTS(names); i++)
		if (str_is(low, names[i][0])) {
			*ret = str_c(names[i][1]);
			return 0;
		}
	if (str_to_i64(low, &number) < 0 || number < -1 || number > 255)
		return call_fail(c, &aws_err_invalid_parameter_value, "Invalid value '%.*s' for IP protocol. Unknown protocol.", STR(p));
	*ret = str_printf(c->arena, "%lld", (long long)number);
	return 0;
}

/* What create and replace have in common. */
struct entry_request {
	struct opt_int number;
	struct str protocol, action, cidr, cidr6;
	struct opt_bool egress;
	const struct ec2_icmp_type_code *icmp;
	const struct ec2_port_range *ports;
};

static int entry_block(struct call *c, const struct entry_request *q, struct ec2_rec_acl_entry *e)
{
	struct cidr4 four;
	struct cidr6 six;

	if ((q->cidr.p != NULL) + (q->cidr6.p != NULL) != 1)
		return call_fail(c, q->cidr.p ? &ec2_err_invalid_parameter_combination : &aws_err_missing_parameter,
				 "The request must contain exactly one of the parameters cidrBlock and ipv6CidrBlock");
	if (q->cidr.p ? cidr4_parse(q->cidr, &four) < 0 : cidr6_parse(q->cidr6, &six) < 0)
		return call_fail(c, &aws_err_invalid_parameter_value,
				 "Value (%.*s) for parameter cidrBlock is invalid. This is not a valid CIDR block.",
				 STR(q->cidr.p ? q->cidr : q->cidr6));
	e->cidr = q->cidr.p ? cidr4_text(c->arena, four) : STR_NONE;
	e->cidr6 = q->cidr.p ? STR_NONE : cidr6_text(c->arena, &six);
	return 0;
}

static int entry_read(struct call *c, const struct entry_request *q, struct ec2_rec_acl_entry *e)
{
	int r;

	*e = (struct ec2_rec_acl_entry){ .number = q->number, .egress = OPT_BOOL(q->egress.v), .action = q->action };
	if (q->number.v < 1 || q->number.v > RULE_MAX)
		return call_fail(c, &aws_err_invalid_parameter_value,
				 "Value (%lld) for parameter ruleNumber is invalid. The rule number must be between 1 and %d.",
				 (long long)q->number.v, RULE_MAX);
	r = entry_protocol(c, q->protocol, &e->protocol);
	if (r == 0)
		r = entry_block(c, q, e);
	if (r < 0)
		return r;
	if (str_is(e->protocol, "6") || str_is(e->protocol, "17")) {
		if (!q->ports || !q->ports->from.has || !q->ports->to.has)
			return call_fail(c, &aws_err_missing_parameter, "The request must contain the parameter portRange");
		e->from = q->ports->from;
		e->to = q->ports->to;
		if (e->from.v < 0 || e->to.v > PORT_MAX || e->from.v > e->to.v)
			return call_fail(c, &aws_err_invalid_parameter_value, "Invalid TCP/UDP port range (%lld:%lld)",
					 (long long)e->from.v, (long long)e->to.v);
	}
	if (str_is(e->protocol, "1") || str_is(e->protocol, "58")) {
		if (!q->icmp || !q->icmp->type.has || !q->icmp->code.has)
			return call_fail(c, &aws_err_missing_parameter, "The request must contain the parameter icmpTypeCode");
		e->icmp_type = q->icmp->type;
		e->icmp_code = q->icmp->code;
		if (e->icmp_type.v < -1 || e->icmp_type.v > 255 || e->icmp_code.v < -1 || e->icmp_code.v > 255)
			return call_fail(c, &aws_err_invalid_parameter_value, "ICMP type (%lld) or code (%lld) out of range",
					 (long long)e->icmp_type.v, (long long)e->icmp_code.v);
	}
	return 0;
}

static ptrdiff_t entry_of(const struct ec2_rec_acl *acl, int64_t number, bool egress)
{
	for (size_t i = 0; i < acl->entries.n; i++)
		if (acl->entries.v[i].number.v == number && acl->entries.v[i].egress.v == egress)
			return (ptrdiff_t)i;
	return -1;
}

static int entry_missing(struct call *c, const struct ec2_rec_acl *acl, int64_t number, bool egress)
{
	return call_fail(c, &ec2_err_invalid_network_acl_entry_not_found,
			 "The %s entry with the rule number %lld does not exist in network ACL '%.*s'", egress ? "egress" : "ingress",
			 (long long)number, STR(acl->id));
}

static int entry_add(struct call *c, struct ec2_rec_acl *acl, const struct ec2_rec_acl_entry *e)
{
	struct ec2_rec_acl_entry_list l = { arena_array(c->arena, struct ec2_rec_acl_entry, acl->entries.n + 1), 0 };
	size_t same = 0;
	bool done = false;

	for (size_t i = 0; i < acl->entries.n; i++) {
		const struct ec2_rec_acl_entry *have = &acl->entries.v[i];

		same += have->egress.v == e->egress.v && have->number.v != RULE_LAST;
		/* In order: leaving before entering, then by number. */
		if (!done && (have->egress.v < e->egress.v || (have->egress.v == e->egress.v && have->number.v > e->number.v))) {
			l.v[l.n++] = *e;
			done = true;
		}
		l.v[l.n++] = *have;
	}
	if (same >= RULES_PER_ACL_MAX)
		return call_fail(c, &ec2_err_network_acl_entry_limit_exceeded,
				 "The maximum number of network ACL entries has been reached.");
	acl->entries = l;
	return ec2_store(c, EC2_ACL, acl);
}

EC2_ACTION(create_network_acl_entry)
{
	const struct entry_request q = { in->rule_number,     in->protocol, in->rule_action,    in->cidr_block,
					 in->ipv6_cidr_block, in->egress,   in->icmp_type_code, in->port_range };
	struct ec2_rec_acl_entry e;
	struct ec2_rec_acl acl;
	int r = ec2_load(c, EC2_ACL, in->network_acl_id, &acl);

	if (r == 0)
		r = entry_read(c, &q, &e);
	if (r == 0 && entry_of(&acl, e.number.v, e.egress.v) >= 0)
		return call_fail(c, &ec2_err_network_acl_entry_already_exists, "The network acl entry identified by %lld already exists.",
				 (long long)e.number.v);
	if (r == 0)
		r = entry_add(c, &acl, &e);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

EC2_ACTION(replace_network_acl_entry)
{
	const struct entry_request q = { in->rule_number,     in->protocol, in->rule_action,    in->cidr_block,
					 in->ipv6_cidr_block, in->egress,   in->icmp_type_code, in->port_range };
	struct ec2_rec_acl_entry e;
	struct ec2_rec_acl acl;
	ptrdiff_t at;
	int r = ec2_load(c, EC2_ACL, in->network_acl_id, &acl);

	if (r == 0)
		r = entry_read(c, &q, &e);
	if (r < 0)
		return r;
	at = entry_of(&acl, e.number.v, e.egress.v);
	if (at < 0)
		return entry_missing(c, &acl, e.number.v, e.egress.v);
	acl.entries.v[at] = e;
	r = ec2_store(c, EC2_ACL, &acl);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

EC2_ACTION(delete_network_acl_entry)
{
	struct ec2_rec_acl acl;
	ptrdiff_t at;
	int r = ec2_load(c, EC2_ACL, in->network_acl_id, &acl);

	if (r < 0)
		return r;
	at = in->rule_number.v == RULE_LAST ? -1 : entry_of(&acl, in->rule_number.v, in->egress.v);
	if (at < 0)
		return entry_missing(c, &acl, in->rule_number.v, in->egress.v);
	for (size_t i = (size_t)at; i + 1 < acl.entries.n; i++)
		acl.entries.v[i] = acl.entries.v[i + 1];
	acl.entries.n--;
	r = ec2_store(c, EC2_ACL, &acl);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

/* --- associations --- */
EC2_HANDLER(replace_network_acl_association)
{
	struct ec2_rec_subnet s;
	struct ec2_rec_acl acl;
	struct str subnet;
	int r = ec2_load(c, EC2_ACL, in->network_acl_id, &acl);

	if (r < 0)
		return r;
	r = ec2_map_get(c, "ec2.aclassoc", in->association_id, STR_NONE, &subnet);
	if (r == -ENOENT)
		return call_fail(c, &ec2_err_invalid_association_id_not_found, "The association ID '%.*s' does not exist",
				 STR(in->association_id));
	if (r == 0)
		r = ec2_read(c, EC2_SUBNET, subnet, &s);
	if (r == 0 && !str_eq(s.vpc, acl.vpc))
		return call_fail(c, &aws_err_invalid_parameter_value, "network ACL %.*s and subnet %.*s belong to different networks",
				 STR(acl.id), STR(s.id));
	if (r == 0)
		r = ec2_acl_leave(c, s.acl, s.id);
	s.acl = acl.id;
	s.acl_association = out->new_association_id = ec2_new_id(c, "aclassoc");
	if (r == 0)
		r = ec2_acl_join(c, acl.id, s.acl_association, s.id);
	if (r == 0)
		r = ec2_store(c, EC2_SUBNET, &s);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}
