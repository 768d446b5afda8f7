/* SPDX-License-Identifier: Apache-2.0 */
/* cloudformation.c - registration of the service. */
#include "cloud/cloud.h"
#include "gen_cloudformation.h"
#include "svc/services.h"

const struct cloudformation_ops cloudformation_ops = { 0 };

const struct service cloudformation_service = {
	.model = &cloudformation_model,
	.principal = "cloudformation.amazonaws.com",
};
