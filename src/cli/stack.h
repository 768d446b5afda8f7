/* SPDX-License-Identifier: Apache-2.0 */
/* stack.h - what deploy and destroy share: where to send calls, one thread a region, progress, the report at the end. */
#pragma once
#include "cli/cli.h"
#include "cli/client.h"
#include <pthread.h>

#define CFN_VERSION "2010-05-15"
#define STACK_REGIONS_MAX 32

struct target {              /* which cloud, and who is asking */
	struct str endpoint; /* absent: AWS, by region and service */
	struct str ca_file, key_id, secret, token;
};
struct target_opts {
	const char *endpoint_url;
	bool aws;
	const char *regions;
};
/* target_read: this cloud with its root key; or what --endpoint-url, --aws and the AWS environment variables name. 0, or
 * an exit status (said). */
int target_read(struct cli *c, const struct target_opts *o, struct target *ret);
int target_regions(struct cli *c, const struct target_opts *o, struct str *ret, size_t *ret_n); /* at most STACK_REGIONS_MAX */
int target_client(const struct target *t, struct arena *a, struct str region, const char *service, struct client **ret,
		  struct str *ret_problem);

enum stack_outcome { STACK_FAILED, STACK_DONE, STACK_UNCHANGED, STACK_ABSENT };
struct stack_job { /* one region's part */
	struct cli *c;
	struct arena arena; /* the thread's own */
	struct str region, name;
	struct client *cfn;
	const void *arg;
	enum stack_outcome outcome;
	struct str id, status; /* of the stack */
	struct str reason;     /* why it failed: one or more lines */
	struct str_map outputs;
	struct str last_event; /* everything up to it has been shown */
	int64_t began_ms, took_ms;
	size_t n_done; /* resources */
};
/* stack_run runs work(job) for each region, each in its own thread, prints the results, and returns the exit status.
 * verb: "deployed", "destroyed". */
int stack_run(struct cli *c, const struct target *t, const struct str *regions, size_t n, const char *name, const char *verb,
	      void (*work)(struct stack_job *j), const void *arg);

/* --- for work functions --- */
/* stack_call makes a CloudFormation call: 0, or nonzero with j->reason set (unless quiet). */
int stack_call(struct stack_job *j, const char *action, const struct str_pair *params, size_t n, struct client_answer *ret);
int stack_describe(struct stack_job *j, struct str name_or_id,
		   struct xml_node **ret);   /* the stack's element; 1: there is none; negative: reason set */
void stack_skip_events(struct stack_job *j); /* what has happened so far is not to be shown */
/* stack_wait follows the events of j->id until the stack is in an end state; j->status, j->reason and j->outputs are set. 0 or negative. */
int stack_wait(struct stack_job *j);
void stack_fail(struct stack_job *j, const char *fmt, ...) _printf_(2, 3);
