/* SPDX-License-Identifier: Apache-2.0 */
/* logs.c - what functions write, with the START, END and REPORT lines of each invocation. */
#include "svc/lambda/runtime_int.h"
#include <stdlib.h>

#define TAIL_BYTES 4096

struct lambda_logs {
	struct cloud *cloud;
};

struct lambda_logs *lambda_logs_new(struct cloud *cl)
{
	struct lambda_logs *l = xzalloc(sizeof *l);

	l->cloud = cl;
	return l;
}

void lambda_logs_free(struct lambda_logs *l)
{
	free(l);
}

void lambda_log_lines(struct lambda_live *live, struct str environment, struct str request_id, struct str lines, int64_t at_ms)
{
}

/* Billed is what AWS bills: whole milliseconds, with the start of a new environment. */
static struct str report(struct lambda_live *x, struct str id, const struct fn_result *r, struct arena *a)
{
	double ms = (double)r->duration_us / 1000;
	struct str init = r->init_us ? str_printf(a, "\tInit Duration: %.2f ms", (double)r->init_us / 1000) : S("");
	const char *status = r->outcome == FN_TIMED_OUT                         ? "\tStatus: timeout"
			     : r->outcome == FN_DONE || r->outcome == FN_FAILED ? ""
										: "\tStatus: error";

	return str_printf(a,
			  "REPORT RequestId: %.*s\tDuration: %.2f ms\tBilled Duration: %lld ms\tMemory Size: %lld MB\tMax Memory Used: %u "
			  "MB%.*s%s\t\n",
			  STR(id), ms, (long long)((r->duration_us + r->init_us + 999) / 1000), (long long)x->v.memory_mb.v,
			  r->memory_used_mb, STR(init), status);
}

struct str lambda_log_end(struct lambda_live *live, struct str request_id, const struct fn_result *r, struct arena *a)
{
	struct str all = str_printf(a, "START RequestId: %.*s Version: %.*s\n%.*s%sEND RequestId: %.*s\n%.*s", STR(request_id),
				    STR(lambda_version_text(a, live->v.version.v)), STR(r->log_tail),
				    r->log_tail.n && r->log_tail.p[r->log_tail.n - 1] != '\n' ? "\n" : "", STR(request_id),
				    STR(report(live, request_id, r, a)));

	return all.n > TAIL_BYTES ? str_skip(all, all.n - TAIL_BYTES) : all;
}
