/* SPDX-License-Identifier: Apache-2.0 */
/* ec2.c - registration of the service. */
#include "cloud/cloud.h"
#include "gen_ec2.h"
#include "svc/services.h"

const struct ec2_ops ec2_ops = { 0 };

const struct service ec2_service = {
	.model = &ec2_model,
	.principal = "ec2.amazonaws.com",
};
