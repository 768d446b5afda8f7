/* SPDX-License-Identifier: Apache-2.0 */
/* services.h - every service of the cloud; listed in src/cli/services.c. */
#pragma once
#include "cloud/call.h"

extern const struct service apigateway_service, cloudformation_service, cloudtrail_service, ec2_service, ecr_service, iam_service,
	kms_service, lambda_service, logs_service, s3_service, s3control_service, ssm_service, sts_service;
extern const struct service *const services[]; /* NULL-terminated */
