/* SPDX-License-Identifier: Apache-2.0 */
/* changes.h - the changes of a change set, as JSON in the shape of DescribeChangeSet's Changes. */
#pragma once
#include "svc/cloudformation/cfn_int.h"

/* changes_describe compares; old NULL: everything is added. */
int changes_describe(struct call *c, struct input *in, struct input *old, struct json **ret);
