/* SPDX-License-Identifier: Apache-2.0 */
/* s3.h - what S3 Control uses of S3: a bucket's tags, of which there is one set, and who owns the bucket. Calls of
 * S3 Control only; refuse as S3 does. */
#pragma once
#include "cloud/call.h"

/* s3_control_resource tells authorization of a bucket: owner and policy. */
int s3_control_resource(struct call *c, struct str bucket, struct authz_resource *ret);
int s3_control_tags(struct call *c, struct str bucket, struct str owner, struct str_map *ret);
/* s3_control_retag sets some tags and drops others. Those that a stack gave stay. */
int s3_control_retag(struct call *c, struct str bucket, struct str owner, const struct str_map *set, const struct str_list *drop);
