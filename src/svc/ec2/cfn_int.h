/* SPDX-License-Identifier: Apache-2.0 */
/* cfn_int.h - shared by the resource types of EC2 (cfn.c, cfn_route.c, cfn_group.c, cfn_endpoint.c). */
#pragma once
#include "cfn/type.h"

struct json *cfn_ec2_params(struct cfn_resource *r); /* an empty object */
/* cfn_ec2_copy copies the named properties (NULL-terminated) that are there. */
void cfn_ec2_copy(struct cfn_resource *r, struct json *params, const struct json *props, const char *const *names);
void cfn_ec2_tag_specs(struct cfn_resource *r, struct json *params, const char *type); /* TagSpecifications of what is made */
int cfn_ec2_retag(struct cfn_resource *r, struct str id); /* on update: sets what is new, takes away what went */
bool cfn_ec2_changed(struct cfn_resource *r, const char *name);
bool cfn_ec2_gone(struct str code); /* the error says that it is not there: a deletion is done */
/* cfn_ec2_find describes with one filter and gives the first item of the answer's list, or NULL. */
int cfn_ec2_find(struct cfn_resource *r, const char *op, const char *list, const char *filter, struct str value, const struct json **ret);
void cfn_ec2_attr(struct cfn_resource *r, const char *name, struct str value); /* adds to r->ret_attrs */

struct str cfn_ec2_token(struct cfn_resource *r); /* ClientToken of this resource in this attempt */
int cfn_ec2_delete(struct cfn_resource *r, const char *op, const char *param, struct str id); /* by the one parameter that names it */

/* --- cfn_read.c --- */
extern const struct cfn_reader cfn_ec2_described_reader, cfn_ec2_vpc_reader, cfn_ec2_endpoint_reader, cfn_ec2_route_reader,
	cfn_ec2_association_reader, cfn_ec2_attachment_reader, cfn_ec2_group_reader, cfn_ec2_rule_reader;

extern const struct cfn_type cfn_ec2_endpoint, cfn_ec2_interface, cfn_ec2_prefix_list;
extern const struct cfn_type cfn_ec2_acl, cfn_ec2_acl_entry, cfn_ec2_acl_association;
extern const struct cfn_type cfn_ec2_route_table, cfn_ec2_route, cfn_ec2_association, cfn_ec2_attachment;
extern const struct cfn_type cfn_ec2_group, cfn_ec2_ingress, cfn_ec2_egress;
