/* SPDX-License-Identifier: Apache-2.0 */
/* lifecycle.h - what the rules and the job that carries them out share. */
#pragma once
#include "store/jobs.h"
#include "svc/s3/s3_int.h"

#define S3_JOB_LIFECYCLE S("s3/lifecycle")

bool s3_rule_matches(const struct s3_rec_rule *u, struct str key, const struct s3_rec_object *o); /* enabled, and its filter fits */
int64_t s3_rule_expires(const struct s3_rec_rule *u, const struct s3_rec_object *o);              /* INT64_MAX: never */
int64_t s3_due_ms(int64_t from_ms, int64_t days); /* days later, rounded to the next midnight UTC */
