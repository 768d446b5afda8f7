/* SPDX-License-Identifier: Apache-2.0 */
/* cfn_int.h - shared by the files with Lambda's CloudFormation types. */
#pragma once
#include "cfn/type.h"
#include "svc/lambda/lambda_int.h"

struct json *lambda_params(struct cfn_resource *r, const char *const *same); /* the properties that are parameters, too */
struct json *lambda_param(struct cfn_resource *r, const char *name, struct str value);
bool lambda_changed(struct cfn_resource *r, const char *name);
struct json *lambda_tag_map(struct cfn_resource *r, const struct json *list);
int lambda_retag(struct cfn_resource *r, struct str arn);

/* --- cfn_read.c --- */
extern const struct cfn_reader lambda_function_reader, lambda_permission_reader, lambda_version_reader, lambda_alias_reader,
	lambda_url_reader;

extern const struct cfn_type lambda_cfn_version, lambda_cfn_alias, lambda_cfn_layer, lambda_cfn_layer_permission, lambda_cfn_url,
	lambda_cfn_event_config, lambda_cfn_signing;
