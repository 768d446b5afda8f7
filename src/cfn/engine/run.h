/* SPDX-License-Identifier: Apache-2.0 */
/* run.h - one operation on a stack while it runs; shared by the files of the engine.
 *
 * An operation goes through phases (Op.phase):
 *   make     creates and updates what the template says, along its graph       CREATE, UPDATE
 *   cleanup  deletes what cfn.old holds, after an update or its rollback        UPDATE
 *   restore  puts back what cfn.prev holds                                      UPDATE, ROLLBACK of an update
 *   unmake   deletes all resources, and what cfn.old and cfn.prev hold besides  DELETE, rollback of a creation
 * A phase is a list of nodes worked off by up to RUN_WORKERS_MAX threads. A step that waits for somebody outside (a custom
 * resource, a nested stack) keeps none of them. Everything a node does is written through
 * batches, which the region's writer runs in order; the journal makes its calls happen once. So a phase can be begun again
 * from the store at any time, and a crash is nothing but that. */
#pragma once
#include "cfn/actor.h"
#include "cfn/engine/engine.h"
#include <pthread.h>

#define RUN_WORKERS_MAX 8
#define RUN_THREAD_STACK_BYTES (512u << 10)

enum node_action { NODE_MAKE, NODE_DELETE, NODE_RESTORE };
enum node_state { NODE_WAIT, NODE_RUNNING, NODE_PARKED, NODE_DONE, NODE_FAILED };
struct node {
	struct str logical, type_name;
	enum node_action action;
	enum node_state state;
	const struct cfn_type *type;
	int res;                           /* index in the template, or -1 */
	struct cfn_rec_resource row, prev; /* as the phase began */
	const char *table;                 /* NODE_DELETE: where the row is */
	bool has_row, has_prev;
	struct str physical; /* what Ref and Fn::GetAtt see; set when done */
	struct json *attrs;
	struct str_list deps;
	size_t *dependents, n_dependents, wait;
	int64_t last_ms; /* of its last event */
	bool was_update, cancelled;
	bool no_echo;   /* attributes are not to be shown */
	bool announced; /* its first event is written */
	bool again;     /* it has waited: its calls are recalled */
	bool parks;     /* told by its step: it waits from the moment that the step is over */
	bool woken;     /* while it ran: it is run again instead of waiting */
	struct str noted;
	struct str error;
};
struct run {
	struct cloud *cloud;
	struct region *region;
	struct str stack_id, op_id;
	struct run *next;
	pthread_mutex_t lock; /* everything below that changes while a phase runs */
	pthread_cond_t cond;
	struct arena arena;
	struct cfn_rec_stack stack; /* as the phase began */
	struct cfn_rec_op op;
	struct principal who;
	struct call_facts facts;
	const struct cfn_rec_settings *settings; /* in effect for this operation */
	struct json *tags;
	const struct json *policy; /* what an update may change; NULL: everything */
	struct template *tpl;
	struct template_ctx ctx;
	struct template_graph graph;
	struct str_map texts, resolved;
	struct node *nodes;
	size_t n_nodes;
	int *by_resource; /* node of a template's resource, or -1 */
	size_t *ready, n_ready, head_ready;
	size_t n_begun; /* the first of them: begun before a crash, they come to their end whatever happens */
	size_t *again, n_again, head_again, cap_again; /* have waited, and were woken */
	size_t running, parked, workers, writing;
	bool idle;           /* everything waits: it counts for no thread, and pins no region */
	bool halt;           /* this phase starts nothing more */
	bool ending;         /* it is being ended: what comes now is read from the record */
	bool quit;           /* the region or the cloud stops: leave everything as it is */
	bool broken;         /* a write failed */
	bool resumed;        /* there may be a journal */
	bool global_journal; /* ... in the global store */
	struct str_list zones;
	struct str_list secrets; /* hidden parameters and what was read decrypted: no reason may tell them */
	size_t cap_secrets;
	struct str_list imports;
	size_t cap_imports;
	struct cfn_rec_output_list outputs;
	struct str reason; /* why the operation fails as a whole */
};

/* --- batch.c: writes that nobody waits for, in order --- */
struct batch;
struct batch *batch_new(struct run *u);
void batch_row(struct batch *b, const char *table, const struct cfn_rec_resource *row);
void batch_row_del(struct batch *b, const char *table, struct str logical, struct str physical); /* physical: cfn.old only */
void batch_event(struct batch *b, struct node *n, struct str type, struct str physical, const char *status, struct str reason);
void batch_journal_del(struct batch *b, const struct node *n);
void batch_ask_del(struct batch *b, struct str id); /* what a custom resource was asked, and its time */
void batch_submit(struct batch *b);                 /* frees it when it is written */
void journal_key(struct keybuf *k, struct str op, const struct node *n);

/* --- world.c: what templates ask --- */
struct world {
	struct run *run;
	struct template_ctx ctx; /* to evaluate in, with an arena of the step */
	bool shown;              /* what is evaluated is for all to see: attributes that are not, are hidden */
};
void world_init(struct world *w, struct run *u, struct arena *a);
void secret_note(struct run *u, struct str value);                          /* under the lock */
struct str secrets_hidden(struct run *u, struct arena *a, struct str text); /* services quote what they were given */

/* --- step.c: one node of a phase (step.h tells how it is divided) --- */
void step_run(struct run *u, struct node *n);
void step_cancel(struct run *u, struct node *n); /* it waits, and the operation has failed */

/* --- phase.c --- */
int phase_begin(struct run *u);       /* 1: the nodes are ready to run, 0: the operation is over, negative */
int phase_end(struct run *u);         /* 1: another phase, 0: over, negative */
struct call_facts engine_facts(void); /* where the engine's calls come from */

/* --- looks.c --- */
bool looks_add(struct engine_look *l);
void looks_over(struct str stack); /* no operation on it runs any more: whoever looks is answered. Absent: all stacks */
void looks_close(void);            /* the same for all, and no more are taken */
void looks_open(void);             /* after looks_close: its thread has ended, and looks are taken again */

/* --- run.c --- */
bool run_thread(void *(*fn)(void *), void *arg); /* detached; false: there is none */
/* run_pause waits, under the lock, until what went wrong may be tried again; shorter when the engine stops and cond is told. */
void run_pause(pthread_cond_t *cond, pthread_mutex_t *lock);
bool run_stopping(void);
bool run_thread(void *(*fn)(void *), void *arg); /* detached, with a small stack */
