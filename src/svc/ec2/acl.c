/* SPDX-License-Identifier: Apache-2.0 */
/* acl.c - network ACLs: each VPC's default one, which lets everything through. Every subnet has an association with it. */
#include "svc/ec2/ec2_int.h"
#include <errno.h>

#define RULE_LAST 32767 /* the rule that denies what no other names */

int ec2_acl_make(struct call *c, const struct ec2_rec_vpc *v, struct str *ret_id)
{
	struct ec2_rec_acl acl = { .id = ec2_new_id(c, "acl"), .vpc = v->id, .is_default = OPT_BOOL(true), .created = OPT_TIME(c->now_ms) };
	struct ec2_rec_acl_entry *e = arena_array(c->arena, struct ec2_rec_acl_entry, 4);

	for (int i = 0; i < 4; i++)
		e[i] = (struct ec2_rec_acl_entry){ .number = OPT_INT(i % 2 ? RULE_LAST : 100),
						   .egress = OPT_BOOL(i < 2),
						   .protocol = S("-1"),
						   .action = i % 2 ? S("deny") : S("allow"),
						   .cidr = S("0.0.0.0/0") };
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

static void nothing(struct ec2_values *v, const void *rec)
{
}

static const struct ec2_field acl_fields[] = {
	EC2_FIELD_FN("association.association-id", association_ids),
	EC2_FIELD_FN("association.network-acl-id", association_acls),
	EC2_FIELD_FN("association.subnet-id", association_subnets),
	EC2_FIELD_BOOL("default", struct ec2_rec_acl, is_default),
	EC2_FIELD_FN("entry.cidr", entry_cidrs),
	EC2_FIELD_FN("entry.ipv6-cidr", entry_cidrs6),
	EC2_FIELD_FN("entry.egress", entry_egress),
	EC2_FIELD_FN("entry.icmp.code", nothing),
	EC2_FIELD_FN("entry.icmp.type", nothing),
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
