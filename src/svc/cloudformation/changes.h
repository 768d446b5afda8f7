/* SPDX-License-Identifier: Apache-2.0 */
/* changes.h - the changes of a change set, as JSON in the shape of DescribeChangeSet's Changes. */
#pragma once
#include "svc/cloudformation/cfn_int.h"

/* changes_describe compares; old NULL: everything is added. automatic: stacks in the stack are changes too, as nobody looks into them. */
int changes_describe(struct call *c, struct input *in, struct input *old, bool automatic, struct json **ret);
/* changes_automatic: a stack in the stack that is itself as before. */
struct json *changes_automatic(struct call *c, struct input *in, size_t resource);
