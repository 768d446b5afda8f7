/* SPDX-License-Identifier: Apache-2.0 */
/* kms.c - registration of the service. */
#include "cloud/cloud.h"
#include "gen_kms.h"
#include "svc/services.h"

const struct kms_ops kms_ops = { 0 };

const struct service kms_service = {
	.model = &kms_model,
	.principal = "kms.amazonaws.com",
};
