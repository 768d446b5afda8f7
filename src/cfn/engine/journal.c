/* SPDX-License-Identifier: Apache-2.0 */
/* journal.c - what makes a step's calls happen once. Each writing call of a step stores its answer in the transaction that does its
 * work; a step that runs again (after a crash, or because it has waited) is given that answer instead of making the call. The first
 * entry carries the name that the step had chosen, so that a resource is never made under two. */
#include "cfn/engine/step.h"
#include <errno.h>

static void entry_key(struct keybuf *k, const struct cfn_actor *x)
{
	const struct step *s = x->step;

	journal_key(k, s->run->op_id, s->node);
	key_u64(k, x->seq);
}

/* entry_read: 1, 0 when there is none, or negative. */
static int entry_read(struct cfn_actor *x, bool global, struct arena *a, struct json **ret)
{
	struct store_txn *t;
	struct keybuf k;
	struct str v;
	int r = store_begin_read(global ? cloud_global(x->cloud) : x->region->store, &t);

	if (r < 0)
		return r;
	entry_key(&k, x);
	r = store_get(t, key_view(&k), &v);
	if (r == 0)
		r = state_open_json(x->cloud, a, str_dup(a, v), ret);
	store_end(t);
	return r < 0 ? (r == -ENOENT ? 0 : r) : 1;
}

int step_recall(struct cfn_actor *x, const char *service, const char *op_name, struct arena *a, struct json **ret_out)
{
	const struct step *s = x->step;
	const struct service *svc = cloud_service(x->cloud, service);
	const struct op *op = svc ? wire_op(svc->model, str_c(op_name)) : NULL;
	struct json *entry = NULL;
	int r;

	if ((!s->run->resumed && !s->node->again) || !op || op->txn == OP_READ)
		return 0;
	r = entry_read(x, svc->model->global, a, &entry);
	if (r <= 0)
		return r;
	if (!str_is(json_get_str(entry, "op"), op_name))
		return 0; /* another program made this step; what it did stays, and the call is made */
	x->seq++;
	*ret_out = json_getz(entry, "out");
	return 1;
}

int step_remember(struct call *c, void *arg)
{
	struct cfn_actor *x = arg;
	struct step *s = x->step;
	struct json *entry = json_new(c->arena, JSON_OBJECT);
	struct json *out = wire_to_json(c->svc->model, c->op->out, c->out, c->arena, false);
	struct keybuf k;

	json_set_str(c->arena, entry, "op", str_c(c->op->name));
	if (out)
		json_set(c->arena, entry, S("out"), out);
	if (x->seq == 0)
		json_set_str(c->arena, entry, "note", s->pending);
	entry_key(&k, x);
	x->wrote = true;
	if (c->svc->model->global)
		__atomic_store_n(&s->run->global_journal, true, __ATOMIC_RELAXED);
	return store_put(c->txn, key_view(&k), state_seal_json(c->cloud, c->arena, entry));
}

void step_exists(struct step *s, struct str physical_id)
{
	struct batch *b;

	if (s->noted && str_eq(s->row.physical, physical_id))
		return;
	s->row.physical = str_dup(s->arena, physical_id);
	s->noted = true;
	if (str_eq(s->node->noted, physical_id)) /* before it waited */
		return;
	s->row.updated = OPT_TIME(clock_now_ms());
	b = batch_new(s->run);
	batch_row(b, "cfn.res", &s->row);
	batch_event(b, s->node, s->row.type, physical_id, s->status, S("Resource creation Initiated"));
	batch_submit(b);
	pthread_mutex_lock(&s->run->lock);
	s->node->noted = str_dup(&s->run->arena, physical_id);
	pthread_mutex_unlock(&s->run->lock);
}

/* The resource exists from here on, whatever comes next. A name alone is nothing yet: before the step's first call it may
 * well be somebody else's. */
int step_note(struct cfn_resource *r, struct str physical_id)
{
	struct step *s = ((struct cfn_actor *)r->engine)->step;

	if (s->actor.seq)
		step_exists(s, physical_id);
	else
		s->pending = str_dup(s->arena, physical_id);
	return 0;
}

int step_noted_before(struct step *s, struct str *ret)
{
	struct json *entry = NULL;
	int r = 0;

	*ret = STR_NONE;
	if (s->run->resumed || s->node->again)
		r = entry_read(&s->actor, false, s->arena, &entry);
	if (r == 0 && (s->run->resumed || s->node->again))
		r = entry_read(&s->actor, true, s->arena, &entry);
	if (r > 0) {
		*ret = json_get_str(entry, "note");
		s->pending = *ret;
	}
	return r < 0 ? r : 0;
}
