/* SPDX-License-Identifier: Apache-2.0 */
/* s3.c - registration of the service. */
#include "cloud/cloud.h"
#include "gen_s3.h"
#include "svc/services.h"

const struct s3_ops s3_ops = { 0 };

const struct service s3_service = {
	.model = &s3_model,
	.principal = "s3.amazonaws.com",
};
