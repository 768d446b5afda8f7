/* SPDX-License-Identifier: Apache-2.0 */
/* lifecycle.c - rules that expire objects by the clock. */
#include "svc/s3/s3_int.h"
#include <errno.h>

struct str s3_expiration(struct call *c, const struct s3_rec_bucket *b, struct str key, const struct s3_rec_object *o)
{
	return STR_NONE; /* no rule can be put yet */
}

int s3_job(struct cloud *cl, struct region *r, struct str kind, struct str id, struct str payload)
{
	return -ENOSYS;
}
