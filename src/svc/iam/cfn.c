/* SPDX-License-Identifier: Apache-2.0 */
/* cfn.c - CloudFormation resource types of IAM. */
#include "cfn/type.h"
#include "svc/iam/iam_int.h"

const struct cfn_type *const iam_cfn_types[] = { NULL };
