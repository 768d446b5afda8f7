/* SPDX-License-Identifier: Apache-2.0 */
/* explain.h - may this principal do this, and why: decided by the code that decides calls, on the policies as they are. */
#pragma once
#include "cloud/cloud.h"

struct explain_question {
	struct str principal;        /* ARN of a root, user, role or role session, or a service principal */
	struct str action, resource; /* "s3:GetObject"; an ARN or "*" */
	struct str_pair *context;    /* condition keys; they replace what the call would have by itself */
	size_t n_context;
};
struct explain_answer {
	bool allowed, granted; /* granted: a grant or ACL allows what no policy does */
	bool resource_found;   /* its own policy and tags were looked at */
	struct policy_result result;
	struct str resource; /* ARN */
	struct str sentence; /* AWS's, for a refusal; or ours for what is allowed */
	struct str problem;  /* why there is no answer */
};
/* cloud_explain: 0; -EINVAL or -ENOENT with ret->problem. Nothing is done, and nothing is in the trail. */
int cloud_explain(struct cloud *cl, struct region *r, const struct explain_question *q, struct arena *a, struct explain_answer *ret);
