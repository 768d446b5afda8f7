/* SPDX-License-Identifier: Apache-2.0 */
/* iam.c - registration of the service. */
#include "cloud/cloud.h"
#include "gen_iam.h"
#include "svc/services.h"

const struct iam_ops iam_ops = { 0 };

const struct service iam_service = {
	.model = &iam_model,
	.principal = "iam.amazonaws.com",
};
