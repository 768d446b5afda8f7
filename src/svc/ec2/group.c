/* SPDX-License-Identifier: Apache-2.0 */
/* group.c - security groups. Names are unique in a VPC; the group named "default" belongs to the VPC and stays. */
#include "svc/ec2/ec2_int.h"
#include <errno.h>

#define NAME_MAX_CHARS 255

/* --- finding --- */
int ec2_group_by_name(struct call *c, struct str vpc, struct str name, struct ec2_rec_group *ret)
{
	struct str id;
	int r = ec2_map_get(c, "ec2.name", vpc, name, &id);

	return r < 0 ? r : ec2_read(c, EC2_GROUP, id, ret);
}

int ec2_group_find(struct call *c, struct str id, struct str name, struct ec2_rec_group *ret)
{
	struct ec2_rec_vpc v;
	int r;

	if (id.p)
		return ec2_load(c, EC2_GROUP, id, ret);
	if (!name.p)
		return call_fail(c, &aws_err_missing_parameter, "The request must contain the parameter groupName or groupId");
	r = ec2_default_vpc(c, &v);
	if (r == -ENOENT)
		return call_fail(c, &ec2_err_vpc_id_not_specified, "No default VPC for this user");
	if (r == 0)
		r = ec2_group_by_name(c, v.id, name, ret);
	return r == -ENOENT ? call_fail(c, &ec2_err_invalid_group_not_found,
					"The security group '%.*s' does not exist in default VPC '%.*s'", STR(name), STR(v.id))
			    : r;
}

/* --- creating --- */
/* The default group lets its members talk to each other; every group lets all out. */
static int first_rules(struct call *c, const struct ec2_rec_group *g, bool is_default)
{
	struct ec2_rec_rule out = { .egress = OPT_BOOL(true), .protocol = S("-1"), .cidr = S("0.0.0.0/0") };
	struct ec2_rec_rule in = { .egress = OPT_BOOL(false), .protocol = S("-1"), .peer = g->id };
	int r = ec2_rule_add(c, g, &out);

	return r < 0 || !is_default ? r : ec2_rule_add(c, g, &in);
}

int ec2_group_make(struct call *c, struct ec2_rec_group *g, bool is_default)
{
	int r;

	g->id = ec2_new_id(c, "sg");
	g->created = OPT_TIME(c->now_ms);
	r = ec2_insert(c, EC2_GROUP, g);
	if (r == 0)
		r = ec2_map_put(c, "ec2.name", g->vpc, g->name, g->id);
	return r < 0 ? r : first_rules(c, g, is_default);
}

static bool ascii_set(struct str s)
{
	static const char further[] = " ._-:/()#,@[]+=&;{}!$*";

	for (size_t i = 0; i < s.n; i++) {
		char ch = s.p[i];

		if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') || (ch && strchr(further, ch))))
			return false;
	}
	return s.n > 0 && s.n <= NAME_MAX_CHARS;
}

static int names_check(struct call *c, struct str name, struct str description)
{
	if (str_starts(name, S("sg-")))
		return call_fail(c, &aws_err_invalid_parameter_value,
				 "Value (%.*s) for parameter GroupName is invalid. Group names may not be in the format sg-*.", STR(name));
	if (!ascii_set(name))
		return call_fail(c, &aws_err_invalid_parameter_value,
				 "Value (%.*s) for parameter GroupName is invalid. Character sets beyond ASCII are not supported.",
				 STR(name));
	if (str_eq_ci(name, S("default")))
		return call_fail(c, &aws_err_invalid_parameter_value, "Cannot use reserved security group name: default");
	if (!ascii_set(description))
		return call_fail(c, &aws_err_invalid_parameter_value,
				 "Invalid security group description. Valid descriptions are strings less than 256 characters from the "
				 "following set:  a-zA-Z0-9. "
				 "_-:/()#,@[]+=&;{}!$*");
	return 0;
}

static int vpc_of(struct call *c, struct str id, struct ec2_rec_vpc *ret)
{
	int r = id.p ? ec2_load(c, EC2_VPC, id, ret) : ec2_default_vpc(c, ret);

	return r == -ENOENT ? call_fail(c, &ec2_err_vpc_id_not_specified, "No default VPC for this user") : r;
}

EC2_HANDLER(create_security_group)
{
	struct ec2_rec_group g = { .name = str_trim(in->group_name), .description = in->description }, other;
	struct ec2_rec_vpc v;
	int64_t n;
	int r = names_check(c, g.name, g.description);

	if (r == 0)
		r = vpc_of(c, in->vpc_id, &v);
	if (r == 0)
		r = ec2_tags_take(c, &in->tag_specifications, "security-group", &g.tags);
	if (r == 0)
		r = ec2_count(c, EC2_GROUP, S(""), &n);
	if (r < 0)
		return r;
	g.vpc = v.id;
	r = ec2_group_by_name(c, v.id, g.name, &other);
	if (r == 0)
		return call_fail(c, &ec2_err_invalid_group_duplicate, "The security group '%.*s' already exists for VPC '%.*s'",
				 STR(g.name), STR(v.id));
	if (r != -ENOENT)
		return r;
	if (n >= EC2_GROUPS_MAX)
		return call_fail(c, &ec2_err_security_group_limit_exceeded,
				 "The maximum number of security groups for VPC '%.*s' has been reached.", STR(v.id));
	r = ec2_group_make(c, &g, false);
	out->group_id = g.id;
	out->security_group_arn = ec2_arn(c, EC2_GROUP, g.id);
	ec2_tags_out(c, &g.tags, &out->tags);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

/* --- deleting --- */
int ec2_group_drop(struct call *c, const struct ec2_rec_group *g)
{
	struct ec2_rule_list rules;
	int r = ec2_rules_of(c, g->id, &rules);

	for (size_t i = 0; i < rules.n && r == 0; i++)
		r = ec2_rule_drop(c, &rules.v[i]);
	if (r == 0)
		r = ec2_map_del(c, "ec2.name", g->vpc, g->name);
	return r < 0 ? r : ec2_remove(c, EC2_GROUP, g);
}

/* Is the group let in by a rule of another one? */
static int referenced(struct call *c, struct str group, bool *ret)
{
	struct str_list rules;
	struct str owner;
	int r = ec2_map_list(c, "ec2.peer", group, &rules);

	*ret = false;
	for (size_t i = 0; i < rules.n && r == 0 && !*ret; i++) {
		r = ec2_map_get(c, "ec2.peer", group, rules.v[i], &owner);
		*ret = r == 0 && !str_eq(owner, group);
	}
	return r;
}

EC2_HANDLER(delete_security_group)
{
	struct ec2_rec_group g;
	bool busy = false;
	int r = ec2_group_find(c, in->group_id, in->group_name, &g);

	if (r == 0 && str_is(g.name, "default"))
		return call_fail(c, &ec2_err_cannot_delete, "the specified group: \"%.*s\" name: \"default\" cannot be deleted by a user",
				 STR(g.id));
	if (r == 0)
		r = referenced(c, g.id, &busy);
	if (r == 0 && !busy)
		r = ec2_group_busy(c, g.id, &busy);
	if (r == 0 && busy)
		return call_fail(c, &ec2_err_dependency_violation, "resource %.*s has a dependent object", STR(g.id));
	if (r == 0)
		r = ec2_group_drop(c, &g);
	out->return_ = OPT_BOOL(true);
	out->group_id = g.id;
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

/* --- describing --- */
static void arn(struct ec2_values *v, const void *rec)
{
	ec2_value(v, ec2_arn(v->c, EC2_GROUP, ((const struct ec2_rec_group *)rec)->id));
}

static struct str port_text(struct call *c, struct opt_int p)
{
	return p.has ? str_printf(c->arena, "%lld", (long long)p.v) : STR_NONE;
}

static struct str peer_name(struct call *c, const struct ec2_rec_rule *r)
{
	struct ec2_rec_group g;

	return r->peer.p && ec2_read(c, EC2_GROUP, r->peer, &g) == 0 ? g.name : STR_NONE;
}

static void rule_values(struct ec2_values *v, const void *rec, bool egress, struct str (*get)(struct call *c, const struct ec2_rec_rule *r))
{
	struct ec2_rule_list rules;

	if (ec2_rules_of(v->c, ((const struct ec2_rec_group *)rec)->id, &rules) == 0)
		for (size_t i = 0; i < rules.n; i++)
			if (rules.v[i].egress.v == egress)
				ec2_value(v, get(v->c, &rules.v[i]));
}
#define RULE_VALUES(fn, expression)                                                                                                        \
	static struct str fn##_of(struct call *c, const struct ec2_rec_rule *r)                                                            \
	{                                                                                                                                  \
		return expression;                                                                                                         \
	}                                                                                                                                  \
	static void fn##_in(struct ec2_values *v, const void *rec)                                                                         \
	{                                                                                                                                  \
		rule_values(v, rec, false, fn##_of);                                                                                       \
	}                                                                                                                                  \
	static void fn##_out(struct ec2_values *v, const void *rec)                                                                        \
	{                                                                                                                                  \
		rule_values(v, rec, true, fn##_of);                                                                                        \
	}
RULE_VALUES(cidr, r->cidr)
RULE_VALUES(cidr6, r->cidr6)
RULE_VALUES(from, port_text(c, r->from))
RULE_VALUES(to, port_text(c, r->to))
RULE_VALUES(protocol, r->protocol)
RULE_VALUES(peer, r->peer)
RULE_VALUES(name, peer_name(c, r))
RULE_VALUES(user, r->peer.p ? c->account : STR_NONE)
RULE_VALUES(prefix_list, r->prefix_list)

#define F(name, m) EC2_FIELD_STR(name, struct ec2_rec_group, m)
#define BOTH(name, fn) EC2_FIELD_FN("ip-permission." name, fn##_in), EC2_FIELD_FN("egress.ip-permission." name, fn##_out)
static const struct ec2_field group_fields[] = {
	F("description", description),
	BOTH("cidr", cidr),
	BOTH("ipv6-cidr", cidr6),
	BOTH("from-port", from),
	BOTH("to-port", to),
	BOTH("protocol", protocol),
	BOTH("group-id", peer),
	BOTH("group-name", name),
	BOTH("user-id", user),
	BOTH("prefix-list-id", prefix_list),
	F("group-name", name),
	EC2_FIELD_FN("security-group-arn", arn),
	{ "group-id", EC2_ID, offsetof(struct ec2_rec_group, id) },
	{ "owner-id", EC2_OWNER },
	{ "vpc-id", EC2_PARENT, offsetof(struct ec2_rec_group, vpc) },
	{ 0 },
};

struct group_page {
	struct ec2_describe_security_groups_result *out;
	size_t cap;
};

static int emit_group(struct call *c, const void *rec, void *arg)
{
	struct group_page *p = arg;
	const struct ec2_rec_group *g = rec;
	struct ec2_security_group *o = &vec_push(c->arena, p->out->security_groups.v, p->out->security_groups.n, p->cap);
	struct ec2_rule_list rules;
	int r = ec2_rules_of(c, g->id, &rules);

	*o = (struct ec2_security_group){ .group_id = g->id,
					  .group_name = g->name,
					  .description = g->description,
					  .vpc_id = g->vpc,
					  .owner_id = c->account,
					  .security_group_arn = ec2_arn(c, EC2_GROUP, g->id) };
	if (r < 0)
		return r;
	ec2_permissions_out(c, &rules, false, &o->ip_permissions);
	ec2_permissions_out(c, &rules, true, &o->ip_permissions_egress);
	ec2_tags_out(c, &g->tags, &o->tags);
	return 0;
}

/* Names are those of groups in the default VPC. */
static int ids_asked(struct call *c, const struct ec2_describe_security_groups_request *in, struct str_list *ret)
{
	size_t cap = 0;

	*ret = (struct str_list){ 0 };
	for (size_t i = 0; i < in->group_ids.n; i++)
		vec_push(c->arena, ret->v, ret->n, cap) = in->group_ids.v[i];
	for (size_t i = 0; i < in->group_names.n; i++) {
		struct ec2_rec_group g;
		int r = ec2_group_find(c, STR_NONE, in->group_names.v[i], &g);

		if (r < 0)
			return r;
		vec_push(c->arena, ret->v, ret->n, cap) = g.id;
	}
	return 0;
}

EC2_HANDLER(describe_security_groups)
{
	struct group_page page = { out, 0 };
	struct str_list ids;
	struct ec2_query q = { &in->filters, &ids, in->next_token, in->max_results };
	int r = ids_asked(c, in, &ids);

	if (r == 0)
		r = ec2_list(c, EC2_GROUP, group_fields, &q, emit_group, &page, &out->next_token);
	EC2_EMPTY(c, out->security_groups);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}
