/* SPDX-License-Identifier: Apache-2.0 */
/* account.c - the account's settings: the role that writes logs, and the rates that AWS grants. */
#include "svc/apigateway/apigateway_int.h"

APIGW_HANDLER(get_account, get_account_request, account)
{
	struct apigw_rec_account rec;
	int r = apigw_load_account(c->txn, c->arena, c->account, &rec);

	(void)in;
	if (r < 0)
		return r;
	out->cloudwatch_role_arn = rec.cloudwatch_role_arn;
	out->throttle_settings = arena_new(c->arena, struct apigateway_throttle_settings);
	out->throttle_settings->burst_limit = OPT_INT(APIGW_ACCOUNT_BURST);
	out->throttle_settings->rate_limit = (struct opt_double){ true, APIGW_ACCOUNT_RATE };
	out->features.v = arena_array(c->arena, struct str, 1);
	out->features.v[out->features.n++] = S("UsagePlans");
	out->api_key_version = S("4");
	return 0;
}
