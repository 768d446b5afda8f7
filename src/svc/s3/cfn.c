/* SPDX-License-Identifier: Apache-2.0 */
/* cfn.c - AWS::S3::Bucket and AWS::S3::BucketPolicy. */
#include "cfn/type.h"
#include "svc/s3/s3_int.h"

const struct cfn_type *const s3_cfn[] = { NULL };
