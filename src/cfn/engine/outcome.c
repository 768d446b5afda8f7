/* SPDX-License-Identifier: Apache-2.0 */
/* outcome.c - what a step leaves behind: its first event, the resource's row, its last event. A step's outcome is one batch, in
 * which the journal of the step goes as well: from then on there is nothing to run again. */
#include "cfn/engine/step.h"
#include <errno.h>
#include <string.h>

/* Said once, also when the step runs again: because it has waited, or after a crash. */
bool step_announced(struct step *s, const char *status)
{
	struct node *n = s->node;
	bool before = n->announced || (s->run->resumed && n->has_row && str_eq(n->row.op, s->run->op_id) && str_is(n->row.status, status));

	n->announced = true;
	return before;
}

void step_announce(struct step *s, const char *status, struct str reason)
{
	struct batch *b;

	s->row.status = str_c(status);
	s->row.reason = reason;
	s->row.updated = OPT_TIME(clock_now_ms());
	if (step_announced(s, status))
		return;
	b = batch_new(s->run);
	if (str_is(s->run->op.kind, "UPDATE") && s->node->action == NODE_MAKE && !s->node->has_prev) {
		struct cfn_rec_resource before = s->node->row;

		if (!s->node->has_row)
			before = (struct cfn_rec_resource){ .logical = s->node->logical, .type = s->row.type, .absent = OPT_BOOL(true) };
		batch_row(b, "cfn.prev", &before);
	}
	batch_row(b, "cfn.res", &s->row);
	batch_event(b, s->node, s->row.type, s->row.physical, status, reason);
	batch_submit(b);
}

struct str step_sentence(struct step *s, int e)
{
	static const struct {
		const char *part, *code;
	} codes[] = {
		{ "AccessDenied", "AccessDenied" },
		{ "Unauthorized", "AccessDenied" },
		{ "AlreadyExists", "AlreadyExists" },
		{ "Duplicate", "AlreadyExists" },
		{ "NotFound", "NotFound" },
		{ "NoSuch", "NotFound" },
		{ "LimitExceeded", "ServiceLimitExceeded" },
		{ "Throttl", "Throttling" },
		{ "Conflict", "ResourceConflict" },
		{ "Invalid", "InvalidRequest" },
		{ "Malformed", "InvalidRequest" },
		{ "Validation", "InvalidRequest" },
		{ "ServiceUnavailable", "ServiceInternalError" },
		{ "InternalFailure", "ServiceInternalError" },
	};
	const char *handler = "GeneralServiceException";
	struct str error = s->res.error.p ? s->res.error : str_c(strerror(-e));

	if (!s->actor.code.p || str_find(error, S("(Service: ")) < 0 || str_starts(error, S("Resource handler returned")))
		return error;
	for (size_t i = ELEMENTS(codes); i-- > 0;)
		if (str_find(s->actor.code, str_c(codes[i].part)) >= 0)
			handler = codes[i].code;
	return str_printf(s->arena, "Resource handler returned message: \"%.*s\" (RequestToken: %.*s, HandlerErrorCode: %s)", STR(error),
			  STR(s->res.token), handler);
}

bool step_interrupted(struct run *u)
{
	if (!run_stopping() && cloud_region(u->cloud, u->region->name))
		return false;
	pthread_mutex_lock(&u->lock);
	u->quit = true;
	pthread_mutex_unlock(&u->lock);
	return true;
}

void step_forget(struct step *s, struct batch *b)
{
	batch_journal_del(b, s->node);
	if (s->node->type && s->node->type->waits)
		batch_ask_del(b, s->res.token);
}

void step_park(struct step *s)
{
	s->node->parks = true;
	s->node->again = true;
}

void step_over(struct step *s, enum node_state state, struct str error)
{
	struct run *u = s->run;

	pthread_mutex_lock(&u->lock);
	s->node->state = state;
	s->node->error = error.p ? str_dup(&u->arena, error) : STR_NONE;
	pthread_mutex_unlock(&u->lock);
}

static void record(struct step *s, const char *status, struct str reason)
{
	struct batch *b = batch_new(s->run);

	s->row.status = str_c(status);
	s->row.reason = reason;
	s->row.updated = OPT_TIME(clock_now_ms());
	batch_row(b, "cfn.res", &s->row);
	batch_event(b, s->node, s->row.type, s->row.physical, status, reason);
	step_forget(s, b);
	batch_submit(b);
}

void step_fail(struct step *s, const char *status, struct str reason)
{
	if (!s->noted && s->actor.seq && s->pending.p && s->status)
		step_exists(s, s->pending);
	reason = secrets_hidden(s->run, s->arena, reason);
	record(s, status, reason);
	step_over(s, NODE_FAILED, reason);
}

void step_fail_cancelled(struct step *s)
{
	bool update = s->node->was_update;

	s->node->cancelled = true;
	step_fail(s, update ? "UPDATE_FAILED" : "CREATE_FAILED",
		  update ? S("Resource update cancelled") : S("Resource creation cancelled"));
}

void step_publish(struct step *s)
{
	struct run *u = s->run;
	struct node *n = s->node;

	pthread_mutex_lock(&u->lock);
	n->physical = str_dup(&u->arena, s->row.physical);
	n->attrs = s->res.ret_attrs ? json_copy(&u->arena, s->res.ret_attrs) : NULL;
	n->no_echo = s->row.no_echo.v;
	n->state = NODE_DONE;
	pthread_mutex_unlock(&u->lock);
}

void step_succeed(struct step *s, const char *status)
{
	struct run *u = s->run;
	bool cancelled;

	pthread_mutex_lock(&u->lock);
	cancelled = u->halt && u->op.kind.p && str_is(u->op.phase, "make") && !str_is(u->op.on_failure, "DO_NOTHING");
	pthread_mutex_unlock(&u->lock);
	s->row.attrs = state_seal_json(u->cloud, s->arena, s->res.ret_attrs);
	s->row.no_echo = OPT_BOOL(s->res.ret_no_echo);
	if (cancelled) { /* another resource has failed meanwhile: this one goes with it */
		step_fail_cancelled(s);
		return;
	}
	record(s, status, STR_NONE);
	step_publish(s);
}
