/* SPDX-License-Identifier: Apache-2.0 */
/* apigateway.c - registration of Amazon API Gateway, and what authorization needs to know of it. */
#include "svc/apigateway/apigateway_int.h"
#include "svc/services.h"

const struct apigateway_ops apigateway_ops = {
	.get_account = apigateway_get_account,
};

const struct service apigateway_service = {
	.model = &apigateway_model,
	.principal = "apigateway.amazonaws.com",
};
