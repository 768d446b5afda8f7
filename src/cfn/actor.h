/* SPDX-License-Identifier: Apache-2.0 */
/* actor.h - who acts for a resource: what the stack engine puts into cfn_resource.engine. */
#pragma once
#include "cfn/type.h"

struct cfn_actor {
	struct cloud *cloud;
	struct region *region;
	const struct principal *who; /* the stack's caller, or its role */
	struct call_facts facts;     /* invoked_by "cloudformation.amazonaws.com" */
	/* Stores the physical id of the resource durably. */
	int (*note)(struct cfn_resource *r, struct str physical_id);
	/* The journal makes a step's calls happen once, also across crashes: remember runs in the transaction of a writing call
	 * and stores its answer; recall gives it back when the step runs again: 1, 0 (was not made yet), or negative. */
	int (*recall)(struct cfn_actor *x, const char *service, const char *op, struct arena *a, struct json **ret_out);
	int (*remember)(struct call *c, void *actor);
	uint64_t seq;                        /* writing calls made or recalled so far */
	bool wrote;                          /* set by remember */
	struct str code;                     /* of the last call that was refused */
	struct str op, stack;                /* ids of the operation and its stack */
	const struct str_list *capabilities; /* that the stack was given */
	const struct str_list *skip;         /* what the continued rollback of an update leaves out */
	bool keep_failed;                    /* what fails is not rolled back */
	void *step;                          /* the engine's */
	struct call *call;                   /* not NULL: calls are nested in this one, and only read */
};
/* actor_ask makes a reading call nested in c, with parameters by the model's member names. -EINVAL with a sentence in
 * ret_err->message when they are not right. */
int actor_ask(struct call *c, const struct principal *who, const char *service, const char *op, const struct json *params,
	      struct json **ret, struct call_error *ret_err);
