/* SPDX-License-Identifier: Apache-2.0 */
/* ec2_int.h - shared by the files of the EC2 network control plane. Sources: Amazon EC2 API Reference (operations,
 * filters, "Error codes for the Amazon EC2 API"), Amazon VPC User Guide (rules for blocks, quotas), Service
 * Authorization Reference.
 *
 * What is stored, per account: records of each kind by id ("ec2.vpc"...), children by parent ("ec2.of": subnets, tables,
 * groups... of a VPC, rules of a group), counts by parent ("ec2.count"), tags by resource ("ec2.tag"), names of groups
 * ("ec2.name"), associations ("ec2.assoc"), rules by the group they let in ("ec2.peer"), client tokens ("ec2.token"),
 * interfaces by group ("ec2.eni"), addresses by subnet ("ec2.ip"), users of prefix lists ("ec2.plref"). */
#pragma once
#include "cloud/cloud.h"
#include "gen_ec2.h"
#include "gen_ec2_rec.h"
#include "svc/ec2/cidr.h"
#include "svc/ec2/ec2.h"

/* Quotas. Source: "Amazon VPC quotas". */
#define EC2_VPCS_MAX 5
#define EC2_SUBNETS_PER_VPC_MAX 200
#define EC2_BLOCKS_PER_VPC_MAX 5
#define EC2_GATEWAYS_MAX 5
#define EC2_TABLES_PER_VPC_MAX 200
#define EC2_ROUTES_PER_TABLE_MAX 500
#define EC2_GROUPS_MAX 2500
#define EC2_RULES_PER_GROUP_MAX 60 /* each way, IPv4 and IPv6 apart */
#define EC2_TAGS_MAX 50
#define EC2_RESERVED_ADDRESSES 5 /* of each subnet */

enum ec2_kinds {
	EC2_VPC,
	EC2_SUBNET,
	EC2_GATEWAY,
	EC2_TABLE,
	EC2_ACL,
	EC2_DHCP,
	EC2_GROUP,
	EC2_RULE,
	EC2_ENDPOINT,
	EC2_INTERFACE,
	EC2_PREFIX_LIST,
	EC2_KINDS
};

/* --- kinds.c: records of every kind --- */
struct ec2_kind {
	const char *prefix; /* of ids: "vpc" */
	const char *type;   /* resource type of tags and ARNs */
	const char *noun;   /* in sentences: "vpc ID" */
	const char *table;
	size_t size, id, parent, tags; /* of the record's struct; offsets. parent SIZE_MAX: none */
	uint16_t shape;
	const struct desc_error *malformed, *not_found;
};
extern const struct ec2_kind ec2_kinds[EC2_KINDS];

struct str ec2_new_id(struct call *c, const char *prefix); /* "vpc-" and 17 hex digits */
struct str ec2_arn(struct call *c, enum ec2_kinds k, struct str id);
/* ec2_id_check refuses ids that don't look like the kind's. ec2_load does too, and refuses what does not exist. */
int ec2_id_check(struct call *c, enum ec2_kinds k, struct str id);
int ec2_load(struct call *c, enum ec2_kinds k, struct str id, void *ret);
int ec2_read(struct call *c, enum ec2_kinds k, struct str id, void *ret); /* -ENOENT */
int ec2_insert(struct call *c, enum ec2_kinds k, const void *rec);        /* a new record, with its indexes */
int ec2_store(struct call *c, enum ec2_kinds k, const void *rec);         /* its parent and tags have not changed */
int ec2_remove(struct call *c, enum ec2_kinds k, const void *rec);
/* ec2_reparent moves a record (already changed in memory) from its old parent to rec's; either may be absent. */
int ec2_reparent(struct call *c, enum ec2_kinds k, struct str old_parent, const void *rec);
int ec2_child_ids(struct call *c, enum ec2_kinds k, struct str parent, struct str_list *ret);
int ec2_count(struct call *c, enum ec2_kinds k, struct str parent, int64_t *ret); /* parent "": in the account */
const struct ec2_kind *ec2_kind_of_id(struct str id);                             /* by prefix; NULL */
/* A small map of the account: table "ec2.NAME", two parts of key. */
int ec2_map_put(struct call *c, const char *table, struct str a, struct str b, struct str value);
int ec2_map_get(struct call *c, const char *table, struct str a, struct str b, struct str *ret); /* -ENOENT; copied */
int ec2_map_del(struct call *c, const char *table, struct str a, struct str b);                  /* 0 also when it is not there */
int ec2_map_list(struct call *c, const char *table, struct str a, struct str_list *ret_b);
/* Lists of ids, copied: with one more, or without one. */
struct str_list ec2_ids_with(struct call *c, const struct str_list *l, struct str id);
struct str_list ec2_ids_without(struct call *c, const struct str_list *l, struct str id);
/* ec2_end ends a handler: a dry run refuses here, where everything was checked, and what was written is undone. */
int ec2_end(struct call *c, struct opt_bool dry_run);
/* ec2_not_built refuses a parameter that this cloud does not act on. */
int ec2_not_built(struct call *c, const char *what);

/* --- filter.c: listing --- */
struct ec2_values {
	struct call *c;
	struct str *v;
	size_t n, cap;
};
void ec2_value(struct ec2_values *v, struct str s); /* an absent one is left out */
enum ec2_how { EC2_STR, EC2_BOOL, EC2_INT, EC2_FN, EC2_ID, EC2_PARENT, EC2_OWNER, EC2_CONST };
struct ec2_field { /* a filter's name and where a record's values for it are */
	const char *name;
	enum ec2_how how;
	size_t offset;
	void (*get)(struct ec2_values *v, const void *rec); /* EC2_FN */
	const char *constant;                               /* EC2_CONST */
};
struct ec2_query {
	const struct ec2_filter_list *filters;
	const struct str_list *ids; /* NULL or empty: all */
	struct str next_token;
	struct opt_int max;
};
/* ec2_list gives what the query asks for to emit, in the order of ids, one page; refuses what is wrong with the query. */
int ec2_list(struct call *c, enum ec2_kinds k, const struct ec2_field *fields, const struct ec2_query *q,
	     int (*emit)(struct call *c, const void *rec, void *arg), void *arg, struct str *ret_next_token);
/* ec2_filters_check refuses unknown names and too many values, for lists that are not of a kind. tags: "tag:KEY" is taken. */
int ec2_filters_check(struct call *c, const struct ec2_field *fields, const struct ec2_filter_list *filters, bool tags);
bool ec2_filters_match(struct call *c, const struct ec2_field *fields, const struct str_map *tags, const struct ec2_filter_list *filters,
		       const void *rec);
#define EC2_FIELD_STR(name, T, m)                                                                                                          \
	{                                                                                                                                  \
		name, EC2_STR, offsetof(T, m)                                                                                              \
	}
#define EC2_FIELD_BOOL(name, T, m)                                                                                                         \
	{                                                                                                                                  \
		name, EC2_BOOL, offsetof(T, m)                                                                                             \
	}
#define EC2_FIELD_FN(name, fn)                                                                                                             \
	{                                                                                                                                  \
		name, EC2_FN, 0, fn                                                                                                        \
	}

/* --- tags.c --- */
/* ec2_tags_take checks the tags of what is being created: only specifications of its own type are allowed. */
int ec2_tags_take(struct call *c, const struct ec2_tag_specification_list *specs, const char *type, struct str_map *ret);
void ec2_tags_out(struct call *c, const struct str_map *tags, struct ec2_tag_list *ret);
int ec2_tags_index(struct call *c, const struct ec2_kind *k, struct str id, const struct str_map *tags, bool add);

/* --- zones.c --- */
struct ec2_zone {
	struct str name, id; /* "us-east-1a", "use1-az1" */
};
size_t ec2_zones(struct call *c, struct ec2_zone ret[8]);                      /* of the call's region, by name */
struct str ec2_zone_names(struct call *c, const struct ec2_zone *z, size_t n); /* "us-east-1a, us-east-1b" */

/* --- vpc.c, subnet.c, table.c, group.c --- */
int ec2_vpc_make(struct call *c, struct ec2_rec_vpc *v, struct cidr4 block); /* with its table, group, ACL and options */
int ec2_default_vpc(struct call *c, struct ec2_rec_vpc *ret);                /* -ENOENT */
int ec2_default_vpc_make(struct call *c, struct ec2_rec_vpc *v);             /* with subnets and gateway */
void ec2_vpc_out(struct call *c, const struct ec2_rec_vpc *v, const char *state, struct ec2_vpc *ret);
int ec2_subnet_make(struct call *c, struct ec2_rec_subnet *s);                     /* id, association with the VPC's ACL */
int ec2_subnets_in(struct call *c, struct str vpc, struct cidr4 block, bool *ret); /* does any subnet lie in block */
int ec2_table_make(struct call *c, struct ec2_rec_route_table *t);
int ec2_table_forget_subnet(struct call *c, struct str table, struct str subnet);
int ec2_acl_make(struct call *c, const struct ec2_rec_vpc *v, struct str *ret_id);
int ec2_acl_join(struct call *c, struct str acl, struct str association, struct str subnet);
int ec2_acl_leave(struct call *c, struct str acl, struct str subnet);
int ec2_dhcp_default(struct call *c, struct str *ret_id);                                          /* made when it is not there */
int ec2_group_make(struct call *c, struct ec2_rec_group *g, bool is_default);                      /* with its first rules */
int ec2_group_drop(struct call *c, const struct ec2_rec_group *g);                                 /* with its rules */
int ec2_group_by_name(struct call *c, struct str vpc, struct str name, struct ec2_rec_group *ret); /* -ENOENT */
/* ec2_group_find: by id, or by name in the default VPC; refuses. */
int ec2_group_find(struct call *c, struct str id, struct str name, struct ec2_rec_group *ret);

/* --- interface.c --- */
/* ec2_interface_make makes an interface of s with its first address (absent: any free one); type, groups etc. are filled in. */
int ec2_interface_make(struct call *c, struct ec2_rec_subnet *s, struct str address, struct ec2_rec_interface *i);
int ec2_interface_drop(struct call *c, const struct ec2_rec_interface *i);
int ec2_interface_regroup(struct call *c, struct ec2_rec_interface *i, const struct str_list *groups);
int ec2_address_take(struct call *c, struct ec2_rec_subnet *s, struct str wanted, struct ec2_rec_interface *i); /* stores s, not i */
int ec2_group_busy(struct call *c, struct str group, bool *ret); /* does an interface have the group */
/* ec2_groups_check: groups of an interface in this VPC, without doubles; none: the VPC's own. Refuses. */
int ec2_groups_check(struct call *c, struct str vpc, struct str default_group, const struct str_list *asked, struct str_list *ret);

/* --- endpoint.c --- */
int ec2_endpoints_forget_table(struct call *c, const struct ec2_rec_route_table *t); /* before the table is removed */

/* --- endpointsvc.c: services that endpoints lead to, and AWS's prefix lists --- */
struct ec2_endpoint_service {
	const char *name; /* "execute-api" */
	bool gateway, interface;
	bool wildcard; /* its hosts have names below the service's: "*.execute-api..." */
};
const struct ec2_endpoint_service *ec2_endpoint_service(struct call *c, struct str name);          /* "com.amazonaws.REGION.NAME"; NULL */
struct str ec2_endpoint_host(struct call *c, const struct ec2_endpoint_service *s, bool wildcard); /* "s3.us-east-1.amazonaws.com" */
struct str ec2_endpoint_prefix_list(struct call *c, const struct ec2_endpoint_service *s);         /* id; absent: has none */
struct ec2_aws_list {
	struct str id, name, cidr;
};
size_t ec2_aws_lists(struct call *c, struct ec2_aws_list ret[8]); /* of the region */

/* --- prefixlist.c --- */
/* ec2_prefix_list_find: of the customer or of AWS; *ret_max: for how many rules or routes it counts. Refuses. */
int ec2_prefix_list_find(struct call *c, struct str id, int64_t *ret_max);
int ec2_prefix_list_use(struct call *c, struct str id, struct str user, bool add); /* user: a group or a route table */

/* --- rules.c: rules of one group --- */
struct ec2_rule_list {
	struct ec2_rec_rule *v;
	size_t n, cap;
};
int ec2_rules_of(struct call *c, struct str group, struct ec2_rule_list *ret);
int ec2_rule_add(struct call *c, const struct ec2_rec_group *g, struct ec2_rec_rule *r); /* gives it its id */
int ec2_rule_drop(struct call *c, const struct ec2_rec_rule *r);
/* ec2_rule_unlist: a rule is gone or changed; its group no longer uses the rule's prefix list when no other rule does. */
int ec2_rule_unlist(struct call *c, const struct ec2_rec_rule *r);
/* ec2_rules_read turns IpPermissions (or the old flat parameters) into rules without ids; refuses what is malformed.
 * authorize: referenced groups must exist. */
struct ec2_flat {
	struct str protocol, cidr, source_name, source_owner;
	struct opt_int from, to;
};
int ec2_rules_read(struct call *c, const struct ec2_rec_group *g, bool egress, const struct ec2_ip_permission_list *perms,
		   const struct ec2_flat *flat, bool authorize, struct ec2_rule_list *ret);
bool ec2_rule_same(const struct ec2_rec_rule *a, const struct ec2_rec_rule *b); /* all but id, description and tags */
int ec2_rule_normalize(struct call *c, struct str protocol, struct opt_int from, struct opt_int to, struct ec2_rec_rule *r);
int ec2_rule_description(struct call *c, struct str d);
void ec2_permissions_out(struct call *c, const struct ec2_rule_list *rules, bool egress, struct ec2_ip_permission_list *ret);
void ec2_rule_out(struct call *c, const struct ec2_rec_rule *r, struct ec2_security_group_rule *ret);

/* Every list is in the answer, an empty one too: clients rely on it. */
#define EC2_EMPTY(c, list) ((list).v ? (void)0 : (void)((list).v = arena_alloc((c)->arena, 1)))
/* EC2 names its answers "Result", and nothing where there is none to describe. */
#define EC2_HANDLER(op) int ec2_##op(struct call *c, const struct ec2_##op##_request *in, struct ec2_##op##_result *out)
#define EC2_ACTION(op) int ec2_##op(struct call *c, const struct ec2_##op##_request *in, struct ec2_##op##_response *out)
EC2_HANDLER(assign_private_ip_addresses);
EC2_ACTION(associate_dhcp_options);
EC2_HANDLER(associate_route_table);
EC2_HANDLER(associate_vpc_cidr_block);
EC2_ACTION(attach_internet_gateway);
EC2_HANDLER(attach_network_interface);
EC2_HANDLER(authorize_security_group_egress);
EC2_HANDLER(authorize_security_group_ingress);
EC2_HANDLER(create_default_subnet);
EC2_HANDLER(create_default_vpc);
EC2_HANDLER(create_dhcp_options);
EC2_HANDLER(create_internet_gateway);
EC2_HANDLER(create_managed_prefix_list);
EC2_HANDLER(create_network_acl);
EC2_ACTION(create_network_acl_entry);
EC2_HANDLER(create_network_interface);
EC2_HANDLER(create_route);
EC2_HANDLER(create_route_table);
EC2_HANDLER(create_security_group);
EC2_HANDLER(create_subnet);
EC2_ACTION(create_tags);
EC2_HANDLER(create_vpc);
EC2_HANDLER(create_vpc_endpoint);
EC2_ACTION(delete_dhcp_options);
EC2_ACTION(delete_internet_gateway);
EC2_HANDLER(delete_managed_prefix_list);
EC2_ACTION(delete_network_acl);
EC2_ACTION(delete_network_acl_entry);
EC2_ACTION(delete_network_interface);
EC2_ACTION(delete_route);
EC2_ACTION(delete_route_table);
EC2_HANDLER(delete_security_group);
EC2_ACTION(delete_subnet);
EC2_ACTION(delete_tags);
EC2_ACTION(delete_vpc);
EC2_HANDLER(delete_vpc_endpoints);
EC2_HANDLER(describe_account_attributes);
EC2_HANDLER(describe_addresses);
EC2_HANDLER(describe_availability_zones);
EC2_HANDLER(describe_dhcp_options);
EC2_HANDLER(describe_internet_gateways);
EC2_HANDLER(describe_managed_prefix_lists);
EC2_HANDLER(describe_network_acls);
EC2_HANDLER(describe_network_interface_attribute);
EC2_HANDLER(describe_network_interfaces);
EC2_HANDLER(describe_prefix_lists);
EC2_HANDLER(describe_regions);
EC2_HANDLER(describe_route_tables);
EC2_HANDLER(describe_security_group_rules);
EC2_HANDLER(describe_security_groups);
EC2_HANDLER(describe_subnets);
EC2_HANDLER(describe_tags);
EC2_HANDLER(describe_vpc_attribute);
EC2_HANDLER(describe_vpc_endpoint_services);
EC2_HANDLER(describe_vpc_endpoints);
EC2_HANDLER(describe_vpcs);
EC2_HANDLER(describe_vpn_gateways);
EC2_ACTION(detach_internet_gateway);
EC2_ACTION(detach_network_interface);
EC2_ACTION(disassociate_route_table);
EC2_HANDLER(disassociate_vpc_cidr_block);
EC2_HANDLER(get_managed_prefix_list_associations);
EC2_HANDLER(get_managed_prefix_list_entries);
EC2_HANDLER(modify_managed_prefix_list);
EC2_ACTION(modify_network_interface_attribute);
EC2_HANDLER(modify_security_group_rules);
EC2_ACTION(modify_subnet_attribute);
EC2_ACTION(modify_vpc_attribute);
EC2_HANDLER(modify_vpc_endpoint);
EC2_HANDLER(modify_vpc_tenancy);
EC2_HANDLER(replace_network_acl_association);
EC2_ACTION(replace_network_acl_entry);
EC2_ACTION(replace_route);
EC2_HANDLER(replace_route_table_association);
EC2_ACTION(reset_network_interface_attribute);
EC2_HANDLER(restore_managed_prefix_list_version);
EC2_HANDLER(revoke_security_group_egress);
EC2_HANDLER(revoke_security_group_ingress);
EC2_ACTION(unassign_private_ip_addresses);
EC2_HANDLER(update_security_group_rule_descriptions_egress);
EC2_HANDLER(update_security_group_rule_descriptions_ingress);

extern const struct cfn_type *const ec2_cfn[];
