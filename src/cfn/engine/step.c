/* SPDX-License-Identifier: Apache-2.0 */
/* step.c - what happens to one resource: create, update, replace, delete, put back. A step that was interrupted is run
 * again from its beginning; the journal answers the calls it had made. Here is what all steps begin with. */
#include "cfn/engine/step.h"
#include <errno.h>
#include <string.h>

/* One token an attempt: the same after a crash. */
static struct str token_of(struct arena *a, struct str op, struct str logical, enum node_action action, struct str physical)
{
	struct str id = str_printf(a, "%.*s/%.*s/%d/%.*s", STR(op), STR(logical), action, STR(physical));
	uint8_t h[32];

	hash_sha256(id.p, id.n, h);
	id = hex_encode(a, h, 16);
	return str_printf(a, "%.8s-%.4s-%.4s-%.4s-%.12s", id.p, id.p + 8, id.p + 12, id.p + 16, id.p + 20);
}

struct str engine_request(struct arena *a, struct str op, struct str logical)
{
	return token_of(a, op, logical, NODE_MAKE, S(""));
}

static void prepare(struct step *s, struct run *u, struct node *n, struct arena *a)
{
	*s = (struct step){ .run = u, .node = n, .arena = a };
	s->actor = (struct cfn_actor){ .cloud = u->cloud,
				       .region = u->region,
				       .who = &u->who,
				       .facts = u->facts,
				       .note = step_note,
				       .recall = step_recall,
				       .remember = step_remember,
				       .op = u->op_id,
				       .stack = u->stack_id,
				       .capabilities = &u->settings->capabilities,
				       .skip = &u->op.skip,
				       .keep_failed = str_is(u->op.on_failure, "DO_NOTHING"),
				       .step = s };
	world_init(&s->world, u, a);
	s->res = (struct cfn_resource){
		.arena = a,
		.logical_id = n->logical,
		.type = n->type_name,
		.stack_name = u->stack.name,
		.stack_id = u->stack.arn,
		.region = u->region->name,
		.account = u->stack.account,
		.partition = region_partition(u->region->name),
		.token = token_of(a, u->op_id, n->logical, n->action,
				  n->action == NODE_DELETE && n->row.physical.p ? n->row.physical : S("")),
		.stack_tags = u->tags,
		.undo = n->action == NODE_RESTORE,
		.engine = &s->actor,
	};
	s->row = n->row;
	s->row.logical = n->logical;
	s->row.op = u->op_id;
	if (!n->has_row)
		s->row.type = s->res.type;
}

int step_reveal(struct step *s, const struct json *props, const struct json **ret)
{
	struct json *j = NULL;
	int r = props ? template_resolve_dynamic(&s->world.ctx, props, &j) : 0;

	*ret = j;
	if (r < 0)
		s->res.error = s->world.ctx.err.p ? s->world.ctx.err : str_c(strerror(-r));
	return r;
}

static struct str_list dep_names(struct step *s)
{
	const struct template_node *g = &s->run->graph.nodes[s->node->res];
	struct str_list l = { arena_array(s->arena, struct str, g->n_deps + 1), 0 };

	for (size_t i = 0; i < g->n_deps; i++)
		l.v[l.n++] = s->run->tpl->resources[g->deps[i]].id;
	return l;
}

int step_evaluate(struct step *s, struct json **ret)
{
	enum template_policy del = TEMPLATE_DELETE, rep = TEMPLATE_DELETE;
	struct json *creation = NULL;
	int r = template_eval_resource(&s->world.ctx, s->node->res, ret);

	if (r == 0)
		r = template_eval_attribute(&s->world.ctx, s->node->res, "CreationPolicy", &creation);
	if (r == 0)
		r = template_policies(&s->world.ctx, s->node->res, &del, &rep);
	s->res.creation_policy = creation;
	if (r < 0) {
		s->res.error = s->world.ctx.err.p ? s->world.ctx.err : str_c(strerror(-r));
		return r;
	}
	type_tag(s->arena, s->node->type, *ret, &s->run->settings->tags);
	s->row.type = s->res.type;
	s->row.deletion = OPT_INT(del);
	s->row.replace = OPT_INT(rep);
	s->row.deps = dep_names(s);
	return type_check(s->arena, s->node->type, *ret, &s->res.error);
}

void step_run(struct run *u, struct node *n)
{
	struct arena a = { 0 };
	struct step s;

	if (!region_use(u->region)) {
		pthread_mutex_lock(&u->lock);
		u->quit = true;
		pthread_mutex_unlock(&u->lock);
		return;
	}
	prepare(&s, u, n, &a);
	switch (n->action) {
	case NODE_MAKE:
		step_make(&s);
		break;
	case NODE_DELETE:
		step_delete(&s);
		break;
	case NODE_RESTORE:
		step_restore(&s);
		break;
	}
	region_unuse(u->region);
	arena_done(&a);
}

/* Its row is read again: what was stored since the phase began (a physical id) counts. */
void step_cancel(struct run *u, struct node *n)
{
	struct cfn_rec_resource row;
	struct arena a = { 0 };
	struct store_txn *t;
	struct keybuf k;
	struct step s;
	int r = store_begin_read(u->region->store, &t);

	prepare(&s, u, n, &a);
	if (r == 0) {
		stack_key2(&k, u->stack.account, "cfn.res", u->stack_id, n->logical);
		r = record_get(t, &cfn_records, CFN_REC_RESOURCE, &a, &k, &row);
		if (r == 0)
			s.row = row;
		store_end(t);
	}
	if (!s.row.physical.p && !n->was_update && n->type && n->type->open) /* it was asked for: it is to be deleted under this name */
		s.row.physical = cfn_name(&s.res, 255, false);
	step_fail_cancelled(&s);
	arena_done(&a);
}
