/* SPDX-License-Identifier: Apache-2.0 */
/* step.c - what happens to one resource: create, update, replace, delete, put back. A step that was interrupted is run
 * again from its beginning; the journal answers the calls it had made. */
#include "cfn/engine/run.h"
#include "cfn/stackpolicy.h"
#include <errno.h>

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

/* --- the journal --- */
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

static int recall(struct cfn_actor *x, const char *service, const char *op_name, struct arena *a, struct json **ret_out)
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

static int remember(struct call *c, void *arg)
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

static void exists(struct step *s, struct str physical_id)
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
static int note(struct cfn_resource *r, struct str physical_id)
{
	struct step *s = ((struct cfn_actor *)r->engine)->step;

	if (s->actor.seq)
		exists(s, physical_id);
	else
		s->pending = str_dup(s->arena, physical_id);
	return 0;
}

/* --- outcomes --- */
static struct str sentence(struct step *s, int e)
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

/* A failure while region or cloud stop is none: the step is run again at the next start. */
static bool interrupted(struct run *u)
{
	if (!run_stopping() && cloud_region(u->cloud, u->region->name))
		return false;
	pthread_mutex_lock(&u->lock);
	u->quit = true;
	pthread_mutex_unlock(&u->lock);
	return true;
}

/* What was kept to run the step again goes with the record of its outcome. */
static void forget(struct step *s, struct batch *b)
{
	batch_journal_del(b, s->node);
	if (s->node->type && s->node->type->waits)
		batch_ask_del(b, s->res.token);
}

/* It waits for somebody outside: the step is run again when the engine is woken for it. */
static void park(struct step *s)
{
	s->node->parks = true;
	s->node->again = true;
}

static void node_over(struct step *s, enum node_state state, struct str error)
{
	struct run *u = s->run;

	pthread_mutex_lock(&u->lock);
	s->node->state = state;
	s->node->error = error.p ? str_dup(&u->arena, error) : STR_NONE;
	pthread_mutex_unlock(&u->lock);
}

static void fail(struct step *s, const char *status, struct str reason)
{
	struct run *u = s->run;
	struct batch *b;

	if (!s->noted && s->actor.seq && s->pending.p && s->status)
		exists(s, s->pending);
	s->row.status = str_c(status);
	s->row.reason = reason;
	s->row.updated = OPT_TIME(clock_now_ms());
	b = batch_new(u);
	batch_row(b, "cfn.res", &s->row);
	batch_event(b, s->node, s->row.type, s->row.physical, status, reason);
	forget(s, b);
	batch_submit(b);
	node_over(s, NODE_FAILED, reason);
}

/* Others may refer to the resource from now on. */
static void publish(struct step *s)
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

static void succeed(struct step *s, const char *status)
{
	struct run *u = s->run;
	struct batch *b;
	bool cancelled;

	pthread_mutex_lock(&u->lock);
	cancelled = u->halt && u->op.kind.p && str_is(u->op.phase, "make") && !str_is(u->op.on_failure, "DO_NOTHING");
	pthread_mutex_unlock(&u->lock);
	s->row.attrs = state_seal_json(u->cloud, s->arena, s->res.ret_attrs);
	s->row.no_echo = OPT_BOOL(s->res.ret_no_echo);
	if (cancelled) { /* another resource has failed meanwhile: this one goes with it */
		s->node->cancelled = true;
		fail(s, s->node->was_update ? "UPDATE_FAILED" : "CREATE_FAILED",
		     s->node->was_update ? S("Resource update cancelled") : S("Resource creation cancelled"));
		return;
	}
	s->row.status = str_c(status);
	s->row.reason = STR_NONE;
	s->row.updated = OPT_TIME(clock_now_ms());
	b = batch_new(u);
	batch_row(b, "cfn.res", &s->row);
	batch_event(b, s->node, s->row.type, s->row.physical, status, STR_NONE);
	forget(s, b);
	batch_submit(b);
	publish(s);
}

/* --- preparing --- */
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
				       .note = note,
				       .recall = recall,
				       .remember = remember,
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

/* Secrets named by dynamic references are looked up just before the call, and live as long as the step. */
static int reveal(struct step *s, const struct json *props, const struct json **ret)
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

/* Evaluates the properties and what is stored beside them. */
static int evaluate(struct step *s, struct json **ret)
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

/* Said once, also when the step runs again: because it has waited, or after a crash. */
static bool announced(struct step *s, const char *status)
{
	struct node *n = s->node;
	bool before = n->announced || (s->run->resumed && n->has_row && str_eq(n->row.op, s->run->op_id) && str_is(n->row.status, status));

	n->announced = true;
	return before;
}

static void announce(struct step *s, const char *status, struct str reason)
{
	struct batch *b;

	s->row.status = str_c(status);
	s->row.reason = reason;
	s->row.updated = OPT_TIME(clock_now_ms());
	if (announced(s, status))
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

/* --- create --- */
/* A step that runs again is told the name it had chosen, when it got as far as using it. What came after is answered by
 * the journal. */
static int noted_before(struct step *s, struct str *ret)
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

static void create(struct step *s, const char *in_progress, const char *done, const char *failed)
{
	int r;

	s->status = in_progress;
	r = reveal(s, s->res.props, &s->res.props);
	if (r == 0)
		r = noted_before(s, &s->res.physical_id);
	if (r == 0)
		r = s->node->type->create(&s->res);
	if (r == CFN_WAIT) {
		park(s);
		return;
	}
	if (r < 0) {
		if (!interrupted(s->run))
			fail(s, failed, sentence(s, r));
		return;
	}
	exists(s, s->res.ret_physical_id);
	succeed(s, done);
}

/* What exists already becomes the stack's, as it is. */
static void adopt(struct step *s, struct json *props, struct str physical)
{
	int r = -ENOSYS;

	s->row.physical = physical;
	s->row.attrs = STR_NONE;
	s->row.props = state_seal_json(s->run->cloud, s->arena, props);
	s->row.created_by = s->run->op_id;
	s->row.imported = OPT_BOOL(true);
	announce(s, "IMPORT_IN_PROGRESS", S("Resource import started."));
	s->res.physical_id = physical;
	s->res.props = props;
	s->noted = true;
	if (s->node->type->find)
		r = s->node->type->find(&s->res);
	if (r == 0) {
		s->row.physical = s->res.ret_physical_id.p ? s->res.ret_physical_id : physical;
		succeed(s, "IMPORT_COMPLETE");
	} else if (!interrupted(s->run))
		fail(s, "IMPORT_FAILED", sentence(s, r));
}

static void make_new(struct step *s, struct json *props)
{
	struct str existing = str_map_get(&s->run->op.imports, s->node->logical);

	if (existing.p) {
		adopt(s, props, existing);
		return;
	}
	s->row.physical = STR_NONE;
	s->row.attrs = STR_NONE;
	s->row.props = state_seal_json(s->run->cloud, s->arena, props);
	s->row.created_by = s->run->op_id;
	announce(s, "CREATE_IN_PROGRESS", STR_NONE);
	s->res.props = props;
	create(s, "CREATE_IN_PROGRESS", "CREATE_COMPLETE", "CREATE_FAILED");
}

/* --- update --- */
static bool must_replace(struct step *s, const struct str *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (type_replaces(s->node->type, &s->res, names[i]))
			return true;
	return false;
}

/* A replacement with the same explicit name would collide with the resource it replaces. */
static bool same_name(struct step *s, const struct json *props, const struct json *old)
{
	const char *name = s->node->type->name_property;

	return name && json_getz(props, name) && json_equal(json_getz(props, name), json_getz(old, name));
}

/* The resource that a row names: made by an earlier update of those that have failed since the stack was as in cfn.prev? */
static bool made_by_other(const struct step *s, const struct cfn_rec_resource *row)
{
	const struct node *n = s->node;

	return row->physical.p && !str_eq(row->created_by, s->run->op_id) && (n->prev.absent.v || !str_eq(row->physical, n->prev.physical));
}

static void retire_base(struct step *s, const struct cfn_rec_resource *base)
{
	struct cfn_rec_resource old = *base;
	struct batch *b = batch_new(s->run);

	old.retain = OPT_BOOL(old.replace.v == TEMPLATE_RETAIN);
	batch_row(b, "cfn.old", &old);
	batch_submit(b);
}

static void replace(struct step *s, const struct cfn_rec_resource *base, struct json *props, const struct json *old)
{
	s->row.props = state_seal_json(s->run->cloud, s->arena, props);
	announce(s, "UPDATE_IN_PROGRESS", S("Requested update requires the creation of a new physical resource; hence creating one."));
	if (s->node->has_prev && made_by_other(s, base)) /* it is neither what was before nor what comes */
		retire_base(s, base);
	if (same_name(s, props, old)) {
		fail(s, "UPDATE_FAILED",
		     str_printf(s->arena,
				"CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename %.*s and "
				"update the stack again.",
				STR(base->physical)));
		return;
	}
	s->row.physical = STR_NONE;
	s->row.attrs = STR_NONE;
	s->row.created_by = s->run->op_id;
	s->res.props = props;
	create(s, "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE", "UPDATE_FAILED");
}

static int update_in_place(struct step *s, const struct json *props, const struct json *old, const struct json *attrs)
{
	int r = reveal(s, props, &s->res.props);

	if (r == 0)
		r = reveal(s, old, &s->res.old_props);
	s->res.attrs = attrs;
	s->res.ret_attrs = NULL;
	s->res.physical_id = s->row.physical;
	if (r == 0)
		r = s->node->type->update(&s->res);
	if (r == 0 && s->node->type->read)
		r = s->node->type->read(&s->res);
	if (r != 0)
		return r;
	if (s->res.ret_physical_id.p)
		s->row.physical = s->res.ret_physical_id;
	if (!s->res.ret_attrs) {
		s->res.ret_attrs = attrs ? json_copy(s->arena, attrs) : NULL;
		s->res.ret_no_echo = s->row.no_echo.v;
	}
	return 0;
}

static bool same_list(const struct str_list *a, const struct str_list *b)
{
	bool same = a->n == b->n;

	for (size_t i = 0; same && i < a->n; i++)
		same = str_eq(a->v[i], b->v[i]);
	return same;
}

/* Nothing the type looks at has changed: policies may have. */
static void keep(struct step *s, const struct json *attrs)
{
	const struct cfn_rec_resource *now = &s->node->row;
	struct batch *b;

	s->row.status = now->status;
	s->row.reason = now->reason;
	b = batch_new(s->run);
	if (!s->node->has_prev &&
	    (s->row.deletion.v != now->deletion.v || s->row.replace.v != now->replace.v || !same_list(&s->row.deps, &now->deps)))
		batch_row(b, "cfn.prev", now);
	batch_row(b, "cfn.res", &s->row);
	batch_submit(b);
	s->res.ret_attrs = attrs ? json_copy(s->arena, attrs) : NULL;
	publish(s);
}

/* The stack's policy has the say before anything is done. */
static bool permitted(struct step *s, const struct cfn_rec_resource *base, const char *action)
{
	struct str why = STR_NONE;

	if (stack_policy_allows(s->arena, s->run->policy, action, s->node->logical, base->type, &why))
		return true;
	announce(s, "UPDATE_IN_PROGRESS", STR_NONE);
	fail(s, "UPDATE_FAILED", why);
	return false;
}

/* A failed update may have done anything between nothing and all of it: what it had asked for counts as old where that differs
 * from what is wanted now, else what was before. */
static int old_or_failed(struct step *s, const struct cfn_rec_resource *base, const struct json *props, struct json **old)
{
	struct json *before = NULL, *failed = *old;
	int r = 0;

	if (!s->node->has_prev || s->node->prev.absent.v || !str_eq(s->node->prev.physical, base->physical))
		return 0;
	r = state_open_json(s->run->cloud, s->arena, s->node->prev.props, &before);
	if (r < 0 || !before)
		return r;
	for (size_t i = 0; failed && i < failed->n; i++)
		if (!json_equal(&failed->members[i].value, json_get(props, failed->members[i].key)))
			json_set(s->arena, before, failed->members[i].key, &failed->members[i].value);
	*old = before;
	return 0;
}

static void make_changed(struct step *s, const struct cfn_rec_resource *base, struct json *props)
{
	struct json *old = NULL, *attrs = NULL;
	struct str *names;
	size_t n;
	int r = state_open_json(s->run->cloud, s->arena, base->props, &old);

	if (r == 0)
		r = state_open_json(s->run->cloud, s->arena, base->attrs, &attrs);
	if (r == 0 && str_is(base->status, "UPDATE_FAILED"))
		r = old_or_failed(s, base, props, &old);
	if (r < 0) {
		fail(s, "UPDATE_FAILED", S("The stored state of the resource is damaged."));
		return;
	}
	s->node->was_update = true;
	s->row.physical = base->physical;
	s->row.attrs = base->attrs;
	s->row.props = base->props;
	s->row.created_by = base->created_by;
	s->row.no_echo = base->no_echo;
	s->res.props = props;
	s->res.old_props = old;
	s->res.attrs = attrs;
	s->res.physical_id = base->physical;
	if (!str_eq(base->type, s->res.type)) {
		s->row.type = base->type;
		announce(s, "UPDATE_IN_PROGRESS", STR_NONE);
		fail(s, "UPDATE_FAILED", S("Update of resource type is not permitted"));
		return;
	}
	n = template_property_changes(s->arena, old, props, &names);
	if (!base->physical.p) { /* an earlier operation has failed to make it */
		s->node->was_update = false;
		make_new(s, props);
		return;
	}
	if (str_is(base->status, "CREATE_FAILED") || must_replace(s, names, n)) {
		if (permitted(s, base, "Update:Replace"))
			replace(s, base, props, old);
		return;
	}
	if (n == 0 && !str_is(base->status, "UPDATE_FAILED") && !s->node->type->always) {
		keep(s, attrs);
		return;
	}
	if (n && !permitted(s, base, "Update:Modify"))
		return;
	s->row.props = state_seal_json(s->run->cloud, s->arena, props);
	announce(s, "UPDATE_IN_PROGRESS", STR_NONE);
	r = update_in_place(s, props, old, attrs);
	if (r == CFN_WAIT)
		park(s);
	else if (r == 0)
		succeed(s, "UPDATE_COMPLETE");
	else if (!interrupted(s->run))
		fail(s, "UPDATE_FAILED", sentence(s, r));
}

static void step_make(struct step *s)
{
	struct node *n = s->node;
	const struct cfn_rec_resource *base = n->has_row ? &n->row : NULL;
	struct json *props = NULL;
	int r = evaluate(s, &props);

	/* Begun before a crash: what was before the update is what counts, or what an earlier update that failed has made. */
	if (base && str_is(s->run->op.kind, "CREATE"))
		base = NULL;
	else if (base && str_eq(n->row.op, s->run->op_id) && n->has_prev && !made_by_other(s, base))
		base = n->prev.absent.v ? NULL : &n->prev;
	if (r < 0) {
		if (interrupted(s->run))
			return;
		n->was_update = base != NULL;
		announce(s, base ? "UPDATE_IN_PROGRESS" : "CREATE_IN_PROGRESS", STR_NONE);
		fail(s, base ? "UPDATE_FAILED" : "CREATE_FAILED", s->res.error);
		return;
	}
	if (base)
		make_changed(s, base, props);
	else
		make_new(s, props);
}

/* --- delete --- */
/* Another resource has its logical id now: it has no row among the stack's resources. */
static bool superseded(const struct step *s)
{
	return strcmp(s->node->table, "cfn.res") != 0;
}

static void drop_superseded(struct step *s, struct batch *b)
{
	const char *table = s->node->table;

	batch_row_del(b, table, s->row.logical, strcmp(table, "cfn.old") == 0 ? s->row.physical : STR_NONE);
}

static void gone(struct step *s, const char *status)
{
	struct run *u = s->run;
	struct batch *b = batch_new(u);

	batch_event(b, s->node, s->row.type, s->row.physical, status, STR_NONE);
	if (superseded(s))
		drop_superseded(s, b);
	else {
		s->row.status = str_c(status);
		s->row.reason = STR_NONE;
		s->row.props = s->row.attrs = STR_NONE;
		s->row.updated = OPT_TIME(clock_now_ms());
		batch_row(b, "cfn.res", &s->row);
	}
	forget(s, b);
	batch_submit(b);
	node_over(s, NODE_DONE, STR_NONE);
}

/* What the rollback of a creation deletes follows other rules than what a user deletes. */
static bool retained(struct step *s)
{
	struct run *u = s->run;
	int64_t policy = s->row.deletion.v;

	if (s->row.imported.v && (str_eq(s->row.created_by, u->op_id) || str_is(u->op.kind, "CREATE")))
		return true; /* it was there before */
	if (strcmp(s->node->table, "cfn.old") == 0)
		return s->row.retain.v;
	if (str_list_has(&u->op.retain, s->row.logical))
		return true;
	if (policy == TEMPLATE_RETAIN)
		return !u->op.retain_except.v || !str_is(u->op.kind, "CREATE");
	return policy == TEMPLATE_RETAIN_EXCEPT_ON_CREATE && !str_is(u->op.kind, "CREATE");
}

static void delete_failed(struct step *s, struct str reason)
{
	struct run *u = s->run;
	struct batch *b;

	if (!superseded(s)) {
		fail(s, "DELETE_FAILED", reason);
		return;
	}
	b = batch_new(u);
	batch_event(b, s->node, s->row.type, s->row.physical, "DELETE_FAILED", reason);
	if (str_is(u->op.phase, "cleanup")) /* an update is complete even when something old stays behind */
		drop_superseded(s, b);
	forget(s, b);
	batch_submit(b);
	node_over(s, NODE_FAILED, reason);
}

static void step_delete(struct step *s)
{
	struct json *old = NULL, *attrs = NULL;
	struct batch *b;
	int r;

	if (!s->row.physical.p) { /* it never came to be */
		gone(s, "DELETE_COMPLETE");
		return;
	}
	if (retained(s)) {
		gone(s, "DELETE_SKIPPED");
		return;
	}
	s->row.status = S("DELETE_IN_PROGRESS");
	s->row.reason = STR_NONE;
	if (!announced(s, "DELETE_IN_PROGRESS")) {
		b = batch_new(s->run);
		s->row.updated = OPT_TIME(clock_now_ms());
		if (!superseded(s))
			batch_row(b, "cfn.res", &s->row);
		batch_event(b, s->node, s->row.type, s->row.physical, "DELETE_IN_PROGRESS", STR_NONE);
		batch_submit(b);
	}
	r = state_open_json(s->run->cloud, s->arena, s->row.props, &old);
	if (r == 0)
		r = state_open_json(s->run->cloud, s->arena, s->row.attrs, &attrs);
	if (r == 0 && !s->node->type) {
		s->res.error = str_printf(s->arena, "Resource type %.*s is not known to this program.", STR(s->row.type));
		r = -ENOSYS;
	}
	s->res.old_props = old;
	s->res.attrs = attrs;
	s->res.physical_id = s->row.physical;
	if (r == 0)
		r = s->node->type->delete (&s->res);
	if (r == CFN_WAIT)
		park(s);
	else if (r == 0)
		gone(s, "DELETE_COMPLETE");
	else if (interrupted(s->run))
		return;
	else if (s->run->op.force.v) /* it stays behind, the stack goes */
		gone(s, "DELETE_SKIPPED");
	else
		delete_failed(s, sentence(s, r));
}

/* --- back to what was before an update --- */
static void restored(struct step *s, const struct cfn_rec_resource *now)
{
	struct run *u = s->run;
	struct node *n = s->node;
	struct cfn_rec_resource row = n->prev;
	struct batch *b = batch_new(u);

	row.status = S("UPDATE_COMPLETE");
	row.reason = STR_NONE;
	row.op = u->op_id;
	row.updated = OPT_TIME(clock_now_ms());
	if (now->physical.p && !str_eq(now->physical, n->prev.physical)) {
		struct cfn_rec_resource other = *now;

		other.retain = OPT_BOOL(false);
		batch_row(b, "cfn.old", &other);
	}
	batch_row(b, "cfn.res", &row);
	batch_row_del(b, "cfn.prev", n->logical, STR_NONE);
	batch_event(b, n, row.type, row.physical, "UPDATE_COMPLETE", STR_NONE);
	forget(s, b);
	batch_submit(b);
	node_over(s, NODE_DONE, STR_NONE);
}

/* Only the engine's own notes about the resource had changed. */
static void unkept(struct step *s)
{
	struct node *n = s->node;
	struct batch *b = batch_new(s->run);

	batch_row(b, "cfn.res", &n->prev);
	batch_row_del(b, "cfn.prev", n->logical, STR_NONE);
	batch_submit(b);
	node_over(s, NODE_DONE, STR_NONE);
}

static void step_restore(struct step *s)
{
	struct node *n = s->node;
	struct json *props = NULL, *old = NULL, *attrs = NULL;
	struct batch *b;
	int r;

	if (n->has_row && str_eq(n->row.props, n->prev.props) && str_eq(n->row.status, n->prev.status)) {
		unkept(s);
		return;
	}
	if (str_list_has(&s->run->op.skip, n->logical) || !n->has_row || !str_eq(n->row.physical, n->prev.physical)) {
		restored(s, &n->row);
		return;
	}
	s->row.physical = n->prev.physical;
	s->row.status = S("UPDATE_IN_PROGRESS");
	if (!announced(s, "UPDATE_IN_PROGRESS")) {
		b = batch_new(s->run);
		batch_row(b, "cfn.res", &s->row);
		batch_event(b, n, s->row.type, s->row.physical, "UPDATE_IN_PROGRESS", STR_NONE);
		batch_submit(b);
	}
	r = state_open_json(s->run->cloud, s->arena, n->prev.props, &props);
	if (r == 0)
		r = state_open_json(s->run->cloud, s->arena, n->row.props, &old);
	if (r == 0)
		r = state_open_json(s->run->cloud, s->arena, n->prev.attrs, &attrs);
	if (r == 0 && !n->type)
		r = -ENOSYS;
	if (r == 0 && n->type->update && (n->type->always || !json_equal(props, old)))
		r = update_in_place(s, props, old, attrs);
	if (r == CFN_WAIT)
		park(s);
	else if (r == 0)
		restored(s, &n->row);
	else if (!interrupted(s->run))
		fail(s, "UPDATE_FAILED", sentence(s, r));
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
	n->cancelled = true;
	fail(&s, n->was_update ? "UPDATE_FAILED" : "CREATE_FAILED",
	     n->was_update ? S("Resource update cancelled") : S("Resource creation cancelled"));
	arena_done(&a);
}
