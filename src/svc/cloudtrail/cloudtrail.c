/* SPDX-License-Identifier: Apache-2.0 */
/* cloudtrail.c - registration of the service. */
#include "cloud/cloud.h"
#include "gen_cloudtrail.h"
#include "svc/services.h"

const struct cloudtrail_ops cloudtrail_ops = { 0 };

const struct service cloudtrail_service = {
	.model = &cloudtrail_model,
	.principal = "cloudtrail.amazonaws.com",
};
