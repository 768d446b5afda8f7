/* SPDX-License-Identifier: Apache-2.0 */
/* runtime_int.h - shared by runtime.c, run.c and logs.c: what Lambda keeps in memory. */
#pragma once
#include "svc/lambda/lambda_int.h"
#include <pthread.h>

#define LAMBDA_COUNT_SLOTS 1024
#define LAMBDA_LIVES_MAX 4096
#define LAMBDA_KEY_BYTES_MAX 256

struct lambda_count { /* invocations under way of one function, or of the unreserved ones of an account */
	struct lambda_count *next;
	int64_t n;
	char key[256];
};

/* What environments of one spec need to know later, on other threads: found by its number, so that a late callback of an
 * environment whose entry was replaced finds nothing. */
struct lambda_live {
	uint64_t id;
	int refs;
	struct arena arena; /* of the strings below */
	struct cloud *cloud;
	struct region *region;
	struct str key, account, arn;
	struct lambda_rec_version v;
	const struct desc_error *fault; /* why the last environment could not start */
	struct str fault_text;          /* malloc'd */
};
void lambda_lives_drop(const struct cloud *cl);
struct functions *lambda_environments_if(struct cloud *cl); /* NULL: not started */

/* --- logs.c --- */
struct lambda_logs;
struct lambda_logs *lambda_logs_new(struct cloud *cl);
void lambda_logs_free(struct lambda_logs *l); /* accepts NULL */
struct lambda_logs *lambda_logs(struct cloud *cl);
/* lambda_log_lines: what an environment wrote. lambda_log_end: an invocation is over; gives its LogResult tail into a. */
void lambda_log_lines(struct lambda_live *live, struct str environment, struct str request_id, struct str lines, int64_t at_ms);
struct str lambda_log_end(struct lambda_live *live, struct str request_id, const struct fn_result *r, struct arena *a);
