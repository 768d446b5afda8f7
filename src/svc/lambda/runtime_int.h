/* SPDX-License-Identifier: Apache-2.0 */
/* runtime_int.h - shared by runtime.c, run.c and logs.c: what Lambda keeps in memory. */
#pragma once
#include "svc/lambda/lambda_int.h"
#include <pthread.h>

#define LAMBDA_COUNT_SLOTS 1024
#define LAMBDA_LIVES_MAX 4096

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
	bool ahead;                     /* of environments that are kept up */
	unsigned pins;                  /* such environments are wanted: its place is not taken over */
	const struct desc_error *fault; /* why the last environment could not start */
	struct str fault_text;          /* malloc'd */
};
void lambda_lives_drop(const struct cloud *cl);

/* --- logwriter.c: lines wait here until a thread puts them into CloudWatch Logs --- */
struct lambda_logs;
struct lambda_logs *lambda_logs_new(struct cloud *cl);
void lambda_logs_stop(struct lambda_logs *l); /* writes what is there; what comes later is lost. Accepts NULL */
void lambda_logs_free(struct lambda_logs *l); /* accepts NULL; stopped before */
struct lambda_logs *lambda_logs(struct cloud *cl);
/* lambda_log_open finds the stream of an environment, and locks all of them until lambda_log_close. NULL (nothing is locked):
 * there can be none. *ret_new: nothing was written to it yet; *ret_request: it is not the one that was named last. */
struct lambda_stream;
struct lambda_stream *lambda_log_open(struct lambda_live *live, struct str environment, struct str request_id, bool *ret_new,
				      bool *ret_request);
void lambda_log_event(struct lambda_stream *s, struct str text, int64_t at_ms);
void lambda_log_close(struct lambda_stream *s);

/* --- logs.c --- */
/* lambda_log_init: an environment that is kept up has started, or could not (error_type is set). */
void lambda_log_init(struct lambda_live *live, struct str environment, int64_t init_us, struct str error_type);
/* lambda_log_lines: what an environment wrote. lambda_log_end: an invocation is over; gives its LogResult tail into a. */
void lambda_log_lines(struct lambda_live *live, struct str environment, struct str request_id, struct str lines, int64_t at_ms);
struct str lambda_log_end(struct lambda_live *live, struct str request_id, const struct fn_result *r, struct arena *a);
