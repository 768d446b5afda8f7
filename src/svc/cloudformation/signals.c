/* SPDX-License-Identifier: Apache-2.0 */
/* signals.c - SignalResource: a resource with a CreationPolicy is made when enough signals have come. */
#include "svc/cloudformation/cfn_int.h"
#include <errno.h>

#define SIGNALS_MAX 1000 /* that one resource takes */

struct signalled {
	struct str op, logical;
};

static void wake(struct cloud *cl, struct region *r, void *arg)
{
	struct signalled *x = arg;

	engine_wake_step(x->op, x->logical);
}

/* A signal that is there can only turn into a failure. */
static int add(struct call *c, struct cfn_rec_ask *ask, struct str unique, struct str status)
{
	struct str_pair *v = arena_array(c->arena, struct str_pair, ask->signals.n + 1);
	size_t i;

	if (ask->signals.n)
		memcpy(v, ask->signals.v, ask->signals.n * sizeof *v);
	for (i = 0; i < ask->signals.n && !str_eq(v[i].key, unique); i++)
		continue;
	if (i < ask->signals.n && !str_is(status, "FAILURE"))
		return cfn_invalid(
			c, "Signal with ID %.*s for resource %.*s already exists. Signals may only be updated with a FAILURE status.",
			STR(unique), STR(ask->logical));
	if (i == SIGNALS_MAX)
		return cfn_invalid(c, "Resource %.*s takes %d signals at most", STR(ask->logical), SIGNALS_MAX);
	v[i] = (struct str_pair){ unique, status };
	ask->signals = (struct str_map){ v, i < ask->signals.n ? ask->signals.n : i + 1 };
	return ask_put(c->txn, ask);
}

static int told(struct call *c, const struct cfn_rec_stack *s, const struct cfn_rec_resource *row, struct str unique, struct str status)
{
	struct cfn_rec_event e = {
		.id = str_printf(c->arena, "%.*s-%.*s-%.*s-%.*s", STR(row->logical), STR(row->status),
				 STR(time_iso_ms(c->arena, c->now_ms)), STR(unique)),
		.logical = row->logical,
		.physical = row->physical,
		.type = row->type,
		.time = OPT_TIME(c->now_ms),
		.status = row->status,
		.reason = str_printf(c->arena, "Received %.*s signal with UniqueId %.*s", STR(status), STR(unique)),
		.op = s->op,
		.op_type = s->op_type,
	};

	return event_put(c->txn, c->arena, s->account, s->id, &e);
}

CFN_HANDLER(signal_resource, response)
{
	struct signalled *x = arena_new(c->arena, struct signalled);
	struct cfn_rec_resource row;
	struct cfn_rec_stack s;
	struct cfn_rec_ask ask;
	struct keybuf k;
	int r = cfn_stack(c, in->stack_name, &s);

	if (r < 0)
		return r;
	if (!str_is(s.status, "CREATE_IN_PROGRESS") && !str_is(s.status, "UPDATE_IN_PROGRESS"))
		return cfn_invalid(c, "Stack:%.*s is in %.*s state and can not be signaled", STR(s.arn), STR(s.status));
	stack_key2(&k, c->account, "cfn.res", s.id, in->logical_resource_id);
	r = record_get(c->txn, &cfn_records, CFN_REC_RESOURCE, c->arena, &k, &row);
	if (r == -ENOENT)
		return cfn_invalid(c, "Resource %.*s does not exist for stack %.*s", STR(in->logical_resource_id), STR(in->stack_name));
	if (r == 0)
		r = ask_load(c->txn, c->arena, engine_request(c->arena, s.op, row.logical), &ask);
	if (r == -ENOENT || (r == 0 && (!ask.handle.v || !str_ends(row.status, S("_IN_PROGRESS")))))
		return cfn_invalid(c, "Resource %.*s is in %.*s state and can not be signaled", STR(row.logical), STR(row.status));
	if (r == 0)
		r = add(c, &ask, in->unique_id, in->status);
	if (r == 0)
		r = told(c, &s, &row, in->unique_id, in->status);
	*x = (struct signalled){ ask.op, row.logical };
	if (r == 0)
		call_on_commit(c, wake, x);
	return r;
}
