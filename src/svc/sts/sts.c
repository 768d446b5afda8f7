/* SPDX-License-Identifier: Apache-2.0 */
/* sts.c - registration of the service. */
#include "cloud/cloud.h"
#include "gen_sts.h"
#include "svc/services.h"

const struct sts_ops sts_ops = { 0 };

const struct service sts_service = {
	.model = &sts_model,
	.principal = "sts.amazonaws.com",
};
