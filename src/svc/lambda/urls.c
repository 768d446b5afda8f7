/* SPDX-License-Identifier: Apache-2.0 */
/* urls.c - function URLs: their configuration. */
#include "svc/lambda/lambda_int.h"
#include <errno.h>

int lambda_urls_drop(struct call *c, const struct lambda_fn *fn)
{
	return lambda_drop_all(c->txn, c->arena, fn->account, "lambda.url", fn->name);
}

struct str lambda_code_url(struct call *c, struct str file)
{
	return STR_NONE;
}
