/* SPDX-License-Identifier: Apache-2.0 */
/* cfn_int.h - what the CloudFormation types of API Gateway share. */
#pragma once
#include "cfn/type.h"
#include "svc/apigateway/apigateway_int.h"

/* gw_input: properties as the input of an operation: "PathPart" is "pathPart", objects for strings are written as JSON. rename
 * (may be NULL): pairs "Property=member". Tags and unknown members are left out. */
struct json *gw_input(struct cfn_resource *r, const char *op, const struct json *props, const char *const *rename);
struct json *gw_tag_map(struct cfn_resource *r, const struct json *list);   /* without what CloudFormation itself sets */
int gw_retag(struct cfn_resource *r, const char *path, ...) _printf_(2, 3); /* of the ARN's path */
bool gw_changed(const struct cfn_resource *r, const char *property);
bool gw_gone(struct str code); /* was it not there? */

struct gw_diff {
	const char *property, *path;
	const char *absent; /* value when the property is not given; NULL: the path is removed */
};
void gw_op(struct cfn_resource *r, struct json *ops, const char *op, struct str path, struct str value);
struct str gw_pointer(struct cfn_resource *r, struct str s); /* with '/' and '~' escaped */
/* gw_diff: operations that turn the old properties into the new ones; maps and lists of strings are compared by element. */
void gw_diff(struct cfn_resource *r, struct json *ops, const struct json *old, const struct json *now, const struct gw_diff *table);
/* gw_patch makes the call if there is something to change. p: the call's other parameters. */
int gw_patch(struct cfn_resource *r, const char *op, struct json *p, struct json *ops);

/* --- cfn_stage.c --- */
void gw_stage_ops(struct cfn_resource *r, struct json *ops, const struct json *old, const struct json *now);

/* --- cfn_read.c --- */
extern const struct cfn_reader gw_rest_api_reader, gw_account_reader, gw_method_reader, gw_stage_reader, gw_deployment_reader,
	gw_simple_reader;

extern const struct cfn_type gw_rest_api_type, gw_deployment_type, gw_stage_type, gw_method_type, gw_usage_plan_type,
	gw_usage_plan_key_type, gw_account_type;
