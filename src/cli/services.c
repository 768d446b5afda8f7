/* SPDX-License-Identifier: Apache-2.0 */
/* services.c - the one list of what this cloud offers. S3 last: it takes the requests that name no service. */
#include "svc/services.h"

const struct service *const services[] = {
	&apigateway_service, &cloudformation_service, &cloudtrail_service, &ec2_service, &ecr_service,       &iam_service, &kms_service,
	&lambda_service,     &logs_service,           &ssm_service,        &sts_service, &s3control_service, &s3_service,  NULL,
};
