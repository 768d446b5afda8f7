/* SPDX-License-Identifier: Apache-2.0 */
/* engine.h - what the CloudFormation service asks of the stack engine. */
#pragma once
#include "cfn/engine/state.h"

/* engine_run starts an operation whose Op record is committed, on threads of its own. A second call for the same
 * operation does nothing. Never blocks. */
void engine_run(struct cloud *cl, struct region *r, struct str stack, struct str op);
/* engine_wake tells a running operation that its record says so too: it was cancelled, or its time is up. reason is a constant. */
void engine_wake(struct str op, struct str reason);
/* engine_request: under which id the step that makes a resource asks others, and is signalled. */
struct str engine_request(struct arena *a, struct str op, struct str logical);
/* engine_wake_step: what a waiting step of the operation waits for may be there. engine_wake_stack: the same for all waiting steps of a
 * stack. Any thread, never blocks. */
void engine_wake_step(struct str op, struct str logical);
void engine_wake_stack(struct str stack);
/* engine_look: done is called once, from any thread (also before engine_look returns), when no operation on the stack runs any more, or
 * after two seconds; the look and its text are the engine's until then. False: nothing is under way, and done is never called. */
struct engine_look {
	struct str stack; /* its id */
	void (*done)(struct engine_look *l);
	struct engine_look *next; /* the engine's */
	int64_t until_ms;
};
bool engine_look(struct engine_look *l);
void engine_drain(struct cloud *cl); /* answers all looks; from then on nobody looks twice */
void engine_drain_region(struct cloud *cl, struct region *r);
/* engine_stop lets all operations end their step; they go on at the next start. */
void engine_stop(struct cloud *cl);
/* engine_open: at a region's start, inside its transaction: jobs for all operations that are not finished. */
int engine_open(struct store_txn *t, struct arena *a);
/* engine_job runs jobs of kind "cloudformation/...": resume, timeout, answer, token, forget. */
int engine_job(struct cloud *cl, struct region *r, struct str kind, struct str id, struct str payload);

/* --- change sets of nested stacks (plans.c), in a transaction --- */
int plan_load(struct store_txn *t, struct arena *a, struct str account, struct str arn, struct cfn_rec_stack *ret_stack,
	      struct cfn_rec_change_set *ret); /* by its ARN; -ENOENT */
/* plan_of: the change set by which the stack around this one is making or changing it now; -ENOENT. */
int plan_of(struct store_txn *t, struct arena *a, const struct cfn_rec_stack *s, struct cfn_rec_change_set *ret);
/* plans_drop removes them, all below them, and the stacks that were only planned. */
int plans_drop(struct store_txn *t, struct arena *a, struct str account, const struct str_map *children, int64_t now_ms);
/* plans_mark changes the execution status of those that have one, and of all below; EXECUTE_FAILED: what was only planned goes. */
int plans_mark(struct store_txn *t, struct arena *a, struct str account, const struct str_map *children, const char *from, const char *to,
	       int64_t now_ms);

/* nested_params: what CreateStack and UpdateStack are asked for a stack in a stack. */
struct json *nested_params(struct cfn_resource *r, const struct str_list *capabilities, struct str name);

/* --- exports (exports.c), in a transaction --- */
/* exports_check: may the stack's exports become these? 0, or -EEXIST with CloudFormation's sentence. */
int exports_check(struct store_txn *t, struct arena *a, const struct cfn_rec_stack *s, const struct cfn_rec_output_list *next,
		  struct str *ret_err);
int exports_set(struct store_txn *t, const struct cfn_rec_stack *s,
		const struct cfn_rec_output_list *next); /* s->outputs: those until now */
/* export_users lists names of stacks that import an export. */
int export_users(struct store_txn *t, struct arena *a, struct str account, struct str name, struct str_list *ret);
int import_set(struct store_txn *t, struct str account, struct str name, const struct cfn_rec_stack *s, bool on);

/* --- drift (detect.c) --- */
/* A stack as its drift is detected. */
struct drift_stack {
	struct cfn_rec_stack stack;
	struct resource_rows rows;
	struct cfn_sibling *siblings; /* by row */
	struct str_list secrets;      /* never shown */
};
int drift_load(struct cloud *cl, struct store_txn *t, struct arena *a, struct str account, struct str id, struct drift_stack *ret);
bool drift_checkable(struct cloud *cl, const struct cfn_rec_resource *row); /* has its type a reader, and is it there? */
/* drift_check looks at one resource, with reading calls nested in c, made by who. A refusal is a result, too: UNKNOWN. */
int drift_check(struct call *c, const struct principal *who, const struct drift_stack *s, size_t row, struct cfn_rec_drift *ret);
/* drift_begin: a new round of results; what an earlier state of the stack had goes. */
int drift_begin(struct store_txn *t, struct arena *a, struct cfn_rec_stack *s, int64_t now_ms);
int drift_put(struct store_txn *t, const struct cfn_rec_stack *s, const struct cfn_rec_drift *d);
/* drift_sum stores what the results say of the stack. complete: all that can be checked was. */
int drift_sum(struct store_txn *t, struct arena *a, struct cfn_rec_stack *s, bool complete, int64_t *ret_drifted);
/* drift_get: the result for a resource, of the stack as it is now; -ENOENT. */
int drift_get(struct store_txn *t, struct arena *a, const struct cfn_rec_stack *s, struct str logical, struct cfn_rec_drift *ret);
struct str drift_status(const struct cfn_rec_stack *s); /* of the stack */

int detection_load(struct store_txn *t, struct arena *a, struct str id, struct cfn_rec_detection *ret);
int detection_add(struct store_txn *t, const struct cfn_rec_detection *d);                 /* one that is to run */
int detection_of(struct store_txn *t, struct arena *a, struct str stack, struct str *ret); /* the one that runs; -ENOENT */
int detections_open(struct store_txn *t, struct arena *a);                                 /* jobs for those that are not finished */
/* detection_run: as engine_run. */
void detection_run(struct cloud *cl, struct region *r, struct str id);
void detections_stop(void); /* while run_stopping(): they go on at the next start */
int detection_forget(struct store_txn *t, struct str id);
