/* SPDX-License-Identifier: Apache-2.0 */
/* names.h - pure functions of Lambda: the ways to name a function or a layer. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

#define LAMBDA_NAME_BYTES_MAX 64
struct lambda_ref {
	struct str region, account, name, qualifier; /* absent where the text says nothing */
};
/* lambda_ref_parse takes NAME, NAME:QUALIFIER, ACCOUNT:function:NAME..., and whole ARNs of functions. -EINVAL. */
int lambda_ref_parse(struct str text, struct lambda_ref *ret);
/* lambda_layer_parse takes the ARN of a layer version, or of a layer (*ret_version 0). -EINVAL. */
int lambda_layer_parse(struct str arn, struct lambda_ref *ret, int64_t *ret_version);
bool lambda_is_version(struct str qualifier); /* digits only */
/* lambda_runtime_family gives "nodejs" or "python" and the file that inline code goes to; absent for other runtimes. */
struct str lambda_runtime_family(struct str runtime);
/* A tracing header keeps which functions a chain of requests has been through: "Lineage=HASH:TIMES|...", by function ARN.
 * lambda_lineage_add gives the header with one more visit, lambda_lineage how often a function was visited. */
struct str lambda_lineage_add(struct arena *a, struct str trace, struct str arn);
int64_t lambda_lineage(struct str trace, struct str arn);
/* lambda_time is a time as this API writes it: 2026-01-02T03:04:05.678+0000. */
struct str lambda_time(struct arena *a, int64_t ms);
