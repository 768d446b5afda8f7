/* SPDX-License-Identifier: Apache-2.0 */
/* schema.h - JSON Schema draft 4, which models of API Gateway are written in. Pure; bounded by depth and work; regular expressions
 * run under PCRE2's limits. "format" only describes. */
#pragma once
#include "base/arena.h"
#include "base/json.h"

#define SCHEMA_DEPTH_MAX 64
#define SCHEMA_WORK_MAX 200000

struct schema_models {
	/* The schema of the model with this name, NULL: none. */
	const struct json *(*find)(void *arg, struct str name);
	void *arg;
};
/* schema_check: 0 the value is valid; -EINVAL it isn't, *ret_why tells where (memory of a); -ENOENT a reference leads nowhere;
 * -E2BIG too deep or too much work. References: "#/definitions/NAME" and other pointers into the same schema, and
 * "https://apigateway.amazonaws.com/restapis/ID/models/NAME" with an optional pointer. */
int schema_check(struct arena *a, const struct json *schema, const struct json *value, const struct schema_models *models,
		 struct str *ret_why);
