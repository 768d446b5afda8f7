/* SPDX-License-Identifier: Apache-2.0 */
/* signing.c - code signing configurations. This cloud has no AWS Signer, so no archive is ever signed: under a configuration
 * that enforces signatures nothing can be deployed, and one that warns lets everything pass. */
#include "svc/lambda/lambda_int.h"
#include <errno.h>

int lambda_signing_load(struct call *c, struct str arn, struct lambda_rec_signing *ret)
{
	struct arn a;
	int r = -ENOENT;

	if (arn_parse(arn, &a) == 0 && str_starts(a.resource, S("code-signing-config:")) && str_eq(a.region, call_region(c)))
		r = lambda_table_get(c->txn, c->arena, a.account, "lambda.csc", str_skip(a.resource, 20), STR_NONE, LAMBDA_REC_SIGNING,
				     ret);
	if (r == -ENOENT)
		return lambda_fail(c, &lambda_err_code_signing_config_not_found, "The code signing configuration %.*s does not exist.",
				   STR(arn));
	return r;
}

int lambda_signing_put(struct call *c, const struct lambda_rec_signing *s)
{
	return lambda_table_put(c->txn, c->account, "lambda.csc", s->id, STR_NONE, LAMBDA_REC_SIGNING, s);
}

int lambda_signing_check(struct call *c, struct str config_arn)
{
	struct lambda_rec_signing s;
	int r = config_arn.n ? lambda_signing_load(c, config_arn, &s) : 0;

	if (r < 0 || !config_arn.n || !str_is(s.policy, "Enforce"))
		return r;
	return lambda_fail(
		c, &lambda_err_code_verification_failed,
		"Lambda cannot deploy the function. The function or layer might be signed using a signature that the client is not "
		"configured to accept. Check the provided signature for unknown function: it is not signed.");
}
