/* SPDX-License-Identifier: Apache-2.0 */
/* step.h - one step: what is done to one resource in a phase. Shared by the files that make up a step.
 *
 * A step runs on one thread, from its beginning to an outcome (step_succeed, step_fail, or it waits), and may be run again from its
 * beginning at any time: after a crash, or when what it waits for is there. What it stores goes through batches, in order. */
#pragma once
#include "cfn/engine/run.h"

struct step {
	struct run *run;
	struct node *node;
	struct arena *arena;
	struct world world;
	struct cfn_actor actor;
	struct cfn_resource res;
	struct cfn_rec_resource row; /* as it will be stored */
	const char *status;          /* "CREATE_IN_PROGRESS": of the event that says the resource exists */
	bool noted;
	struct str pending; /* noted before the first call: it becomes true with that call */
};

/* --- step.c: what all steps need first --- */
/* step_reveal: secrets named by dynamic references are looked up just before the call, and live as long as the step. */
int step_reveal(struct step *s, const struct json *props, const struct json **ret);
/* step_evaluate evaluates the properties and what is stored beside them. Negative: s->res.error says why. */
int step_evaluate(struct step *s, struct json **ret);

/* --- journal.c; the first three are the actor's (cfn/actor.h) --- */
int step_recall(struct cfn_actor *x, const char *service, const char *op_name, struct arena *a, struct json **ret_out);
int step_remember(struct call *c, void *arg);
int step_note(struct cfn_resource *r, struct str physical_id);
/* step_noted_before: a step that runs again is told the name it had chosen, when it got as far as using it; else absent. */
int step_noted_before(struct step *s, struct str *ret);
void step_exists(struct step *s, struct str physical_id); /* stored, with its event, once */

/* --- outcome.c --- */
bool step_announced(struct step *s, const char *status);
void step_announce(struct step *s, const char *status, struct str reason);
void step_succeed(struct step *s, const char *status);
void step_publish(struct step *s); /* others may refer to the resource from now on */
void step_fail(struct step *s, const char *status, struct str reason);
void step_fail_cancelled(struct step *s);
struct str step_sentence(struct step *s, int e); /* why it has failed, as CloudFormation says it */
/* step_interrupted: a failure while region or cloud stop is none: the step is run again at the next start. */
bool step_interrupted(struct run *u);
void step_park(struct step *s); /* it waits for somebody outside: it is run again when the engine is woken for it */
/* step_forget: what was kept to run the step again goes with the record of its outcome. */
void step_forget(struct step *s, struct batch *b);
void step_over(struct step *s, enum node_state state, struct str error);

/* --- make.c --- */
void step_make(struct step *s);
/* step_update_in_place: 0, CFN_WAIT or negative; sets what is to be stored. */
int step_update_in_place(struct step *s, const struct json *props, const struct json *old, const struct json *attrs);

/* --- unmake.c --- */
void step_delete(struct step *s);
void step_restore(struct step *s);
