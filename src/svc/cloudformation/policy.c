/* SPDX-License-Identifier: Apache-2.0 */
/* policy.c - stack policies: which resources an update may change. The language is IAM's; without a policy every update is
 * allowed, with one only what it allows. Source: "Prevent updates to stack resources" (CloudFormation User Guide). */
#include "cfn/stackpolicy.h"
#include "svc/cloudformation/cfn_int.h"
#include <errno.h>

int cfn_policy_given(struct call *c, struct str body, struct str url, struct str *ret)
{
	struct json *p;
	int r = 0;

	*ret = body;
	if (url.p)
		r = input_text(c, STR_NONE, url, ret);
	if (r < 0 || !ret->p)
		return r;
	return stack_policy_parse(c->arena, *ret, &p) < 0 ? cfn_invalid(c, "Error validating stack policy: Invalid stack policy") : 0;
}

/* The settings that an update under way will leave have the policy too. */
static int policy_of_op(struct call *c, const struct cfn_rec_stack *s, struct str body)
{
	struct cfn_rec_op op;
	struct keybuf k;
	int r;

	op_key(&k, s->id, s->op);
	r = record_get(c->txn, &cfn_records, CFN_REC_OP, c->arena, &k, &op);
	if (r < 0 || !op.next)
		return r == -ENOENT ? 0 : r;
	op.next->policy = body;
	return record_put(c->txn, &cfn_records, CFN_REC_OP, &k, &op);
}

CFN_HANDLER(set_stack_policy, response)
{
	struct cfn_rec_stack s;
	struct str body;
	int r = cfn_stack(c, in->stack_name, &s);

	if (r == 0 && in->stack_policy_url.p && in->stack_policy_body.p)
		return cfn_invalid(c, "You cannot specify both StackPolicyURL and StackPolicyBody");
	if (r == 0)
		r = cfn_policy_given(c, in->stack_policy_body, in->stack_policy_url, &body);
	if (r < 0)
		return r;
	if (!body.p)
		return cfn_invalid(c, "You must specify either StackPolicyBody or StackPolicyURL");
	s.now->policy = body;
	r = stack_save(c->txn, &s);
	return r < 0 || status_is_final(s.status) ? r : policy_of_op(c, &s, body);
}

CFN_HANDLER(get_stack_policy, output)
{
	struct cfn_rec_stack s;
	int r = cfn_stack(c, in->stack_name, &s);

	if (r == 0)
		out->stack_policy_body = s.now->policy;
	return r;
}
