/* SPDX-License-Identifier: Apache-2.0 */
/* ssm.c - registration of the service. */
#include "cloud/cloud.h"
#include "gen_ssm.h"
#include "svc/services.h"

const struct ssm_ops ssm_ops = { 0 };

const struct service ssm_service = {
	.model = &ssm_model,
	.principal = "ssm.amazonaws.com",
};
