/* SPDX-License-Identifier: Apache-2.0 */
/* stackpolicy.h - stack policies: which resources an update may change. Without a policy everything may be changed, with one only
 * what it allows. Pure functions. Source: "Prevent updates to stack resources" (CloudFormation User Guide). */
#pragma once
#include "base/json.h"

#define STACK_POLICY_BYTES_MAX 16384

/* stack_policy_parse: -EINVAL when it is none. *ret lives in the arena. */
int stack_policy_parse(struct arena *a, struct str text, struct json **ret);
/* stack_policy_allows: action is "Update:Modify", "Update:Replace" or "Update:Delete". When it is denied *ret_why is CloudFormation's
 * sentence. policy NULL: allowed. */
bool stack_policy_allows(struct arena *a, const struct json *policy, const char *action, struct str logical, struct str type,
			 struct str *ret_why);
