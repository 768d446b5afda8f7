/* SPDX-License-Identifier: Apache-2.0 */
/* run.c - threads: one for each operation that runs, joined by others while there is more than one thing to do. They end
 * with the operation, so an idle cloud has none. What doesn't fit at once waits in a queue. */
#include "cfn/engine/run.h"
#include "store/jobs.h"
#include <errno.h>
#include <stdatomic.h>

#define RUNS_MAX 64 /* operations at a time; their threads wait for the disk most of the time */
#define RETRY_SECONDS 5

static struct {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	struct run *running, *queued;
	size_t n_running;
	atomic_bool stopping;
} engine = { .lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER };

bool run_stopping(void)
{
	return atomic_load(&engine.stopping);
}

bool run_thread(void *(*fn)(void *), void *arg)
{
	pthread_attr_t attr;
	pthread_t th;
	bool ok;

	if (pthread_attr_init(&attr) != 0)
		return false;
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	(void)pthread_attr_setstacksize(&attr, RUN_THREAD_STACK_BYTES);
	ok = pthread_create(&th, &attr, fn, arg) == 0;
	(void)pthread_attr_destroy(&attr);
	return ok;
}

/* --- working off the nodes of a phase --- */
static void *helper(void *arg);

/* The operation has failed, but what was begun may come to its end. */
static bool lenient(const struct run *u)
{
	return str_is(u->op.on_failure, "DO_NOTHING") && !u->op.cancel.p;
}

static bool ended(const struct run *u)
{
	return u->quit || u->broken || run_stopping();
}

/* Takes the next node to run; -1: there is none now. */
static ptrdiff_t take_node(struct run *u)
{
	if (ended(u))
		return -1;
	if (u->head_ready < u->n_begun)
		return (ptrdiff_t)u->ready[u->head_ready++];
	if (u->n_again > u->head_again && (!u->halt || lenient(u)))
		return (ptrdiff_t)u->again[u->head_again++];
	return u->n_ready > u->head_ready && !u->halt ? (ptrdiff_t)u->ready[u->head_ready++] : -1;
}

/* Does the phase still wait for somebody outside? */
static bool waiting(const struct run *u)
{
	return u->parked > 0 && !ended(u) && (!u->halt || lenient(u));
}

/* Under the lock. One more thread when there is more to do than the ones at work can take. */
static void invite(struct run *u)
{
	size_t idle = u->workers - u->running;

	if (u->n_ready - u->head_ready + u->n_again - u->head_again <= idle || u->workers >= RUN_WORKERS_MAX)
		return;
	if (run_thread(helper, u))
		u->workers++;
}

/* Under the lock. */
static void wake_node(struct run *u, struct node *n)
{
	n->woken = true;
	if (n->state != NODE_PARKED)
		return;
	n->state = NODE_WAIT;
	u->parked--;
	vec_push(&u->arena, u->again, u->n_again, u->cap_again) = (size_t)(n - u->nodes);
}

static void finish_node(struct run *u, struct node *n)
{
	if (n->state == NODE_RUNNING) /* it waits, or was interrupted */
		n->state = n->parks ? NODE_PARKED : NODE_WAIT;
	n->parks = false;
	if (n->state == NODE_PARKED) {
		u->parked++;
		if (n->woken)
			wake_node(u, n);
	}
	if (n->state == NODE_FAILED && n->action == NODE_MAKE)
		u->halt = true;
	if (n->state != NODE_DONE)
		return;
	for (size_t i = 0; i < n->n_dependents; i++)
		if (--u->nodes[n->dependents[i]].wait == 0 && u->nodes[n->dependents[i]].state == NODE_WAIT)
			u->ready[u->n_ready++] = n->dependents[i];
}

static void start_queued(void);

/* Everything waits for somebody outside: the operation counts for no thread, and keeps no region from stopping. Called with the
 * lock held, by the operation's own thread only. */
static void go_idle(struct run *u)
{
	u->idle = true;
	pthread_mutex_unlock(&u->lock);
	region_unuse(u->region);
	pthread_mutex_lock(&engine.lock);
	engine.n_running--;
	start_queued();
	pthread_mutex_unlock(&engine.lock);
	pthread_mutex_lock(&u->lock);
	while (u->idle && u->head_again == u->n_again && waiting(u))
		(void)pthread_cond_wait(&u->cond, &u->lock);
	pthread_mutex_unlock(&u->lock);
	pthread_mutex_lock(&engine.lock);
	engine.n_running++;
	pthread_mutex_unlock(&engine.lock);
	pthread_mutex_lock(&u->lock);
	if (region_use(u->region))
		u->idle = false;
	else
		u->quit = true;
}

/* Returns when the phase has nothing more to do. own: it is the operation's own thread, the others only help. */
static void work(struct run *u, bool own)
{
	pthread_mutex_lock(&u->lock);
	for (;;) {
		ptrdiff_t next = take_node(u);
		struct node *n;

		if (next < 0) {
			if (u->running == 0 && !(own && waiting(u)))
				break;
			if (u->running == 0 && u->workers == 1)
				go_idle(u);
			else
				(void)pthread_cond_wait(&u->cond, &u->lock);
			continue;
		}
		n = &u->nodes[next];
		n->state = NODE_RUNNING;
		n->woken = false;
		u->running++;
		invite(u);
		pthread_mutex_unlock(&u->lock);
		step_run(u, n);
		pthread_mutex_lock(&u->lock);
		u->running--;
		finish_node(u, n);
		pthread_cond_broadcast(&u->cond);
	}
	pthread_cond_broadcast(&u->cond);
	pthread_mutex_unlock(&u->lock);
}

static void *helper(void *arg)
{
	struct run *u = arg;

	work(u, false);
	pthread_mutex_lock(&u->lock);
	u->workers--;
	pthread_cond_broadcast(&u->cond);
	pthread_mutex_unlock(&u->lock);
	return NULL;
}

/* Helpers are gone and all batches written. */
static void settle(struct run *u)
{
	pthread_mutex_lock(&u->lock);
	while (u->workers > 1 || u->writing > 0)
		(void)pthread_cond_wait(&u->cond, &u->lock);
	pthread_mutex_unlock(&u->lock);
}

/* The operation has failed: what waits for somebody outside waits no longer. */
static void give_up(struct run *u)
{
	for (size_t i = 0; i < u->n_nodes; i++) {
		struct node *n = &u->nodes[i];
		bool begun = n->state == NODE_PARKED ||
			     (n->state == NODE_WAIT && n->type && n->type->waits &&
			      (n->again || (n->has_row && str_eq(n->row.op, u->op_id) && str_ends(n->row.status, S("_IN_PROGRESS")))));

		if (begun) {
			n->was_update |= n->has_row && str_eq(n->row.op, u->op_id) ? str_starts(n->row.status, S("UPDATE_")) : false;
			step_cancel(u, n);
		}
	}
}

/* --- the end of an operation --- */
static int journal_drop(struct store_txn *t, void *arg)
{
	struct run *u = arg;
	struct keybuf k;

	key_begin(&k, S(""), "cfn.journal");
	key_str(&k, u->op_id);
	return rows_delete(t, &k);
}

static int op_drop(struct store_txn *t, void *arg)
{
	struct run *u = arg;
	struct keybuf k;
	int r;

	op_key(&k, u->stack_id, u->op_id);
	r = store_del(t, key_view(&k));
	return r == -ENOENT ? 0 : r;
}

/* What was kept to make calls of global services happen once goes last. */
static void clean(struct run *u)
{
	if ((u->global_journal || u->resumed) && store_write(cloud_global(u->cloud), journal_drop, u) == 0)
		(void)store_write(u->region->store, op_drop, u);
}

/* From now on nobody from outside changes anything. Has it failed while it was making? */
static bool end_phase(struct run *u)
{
	bool failed;

	pthread_mutex_lock(&u->lock);
	u->ending = true;
	failed = u->halt && !ended(u) && str_is(u->op.phase, "make");
	pthread_mutex_unlock(&u->lock);
	return failed;
}

/* Runs phases until the operation is over. 0; -EAGAIN: a write failed; -ESHUTDOWN: the region or the cloud stops. */
static int run_phases(struct run *u)
{
	for (;;) {
		int r;

		if (run_stopping() || !region_use(u->region))
			return -ESHUTDOWN;
		pthread_mutex_lock(&u->lock);
		r = phase_begin(u);
		pthread_mutex_unlock(&u->lock);
		if (r > 0) {
			work(u, true);
			settle(u);
			if (end_phase(u)) {
				give_up(u);
				settle(u);
			}
			r = u->quit || run_stopping() ? -ESHUTDOWN : u->broken ? -EAGAIN : phase_end(u);
		}
		if (r == 0)
			clean(u);
		if (!u->idle)
			region_unuse(u->region);
		u->idle = false;
		if (r <= 0)
			return r;
	}
}

void run_pause(pthread_cond_t *cond, pthread_mutex_t *lock)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += RETRY_SECONDS;
	while (!run_stopping() && pthread_cond_timedwait(cond, lock, &until) == 0)
		continue;
}

static struct run *take_queued(void);
static void *run_main(void *arg)
{
	struct run *u = arg, **p, *more;
	struct str stack;
	int r;

	for (;;) {
		u->workers = 1;
		u->quit = u->broken = false;
		r = run_phases(u);
		if (r == 0 || r == -ESHUTDOWN || r == -ENOENT)
			break;
		log_line(LOG_ERROR, "%.*s: stack operation %.*s: %s; it will be tried again", STR(u->region->name), STR(u->op_id),
			 strerror(-r));
		u->resumed = true;
		pthread_mutex_lock(&engine.lock);
		run_pause(&engine.cond, &engine.lock);
		pthread_mutex_unlock(&engine.lock);
		if (run_stopping())
			break;
	}
	pthread_mutex_lock(&engine.lock);
	for (p = &engine.running; *p != u; p = &(*p)->next)
		continue;
	*p = u->next;
	stack = u->stack_id;
	arena_done(&u->arena);
	pthread_mutex_destroy(&u->lock);
	pthread_cond_destroy(&u->cond);
	free((char *)(uintptr_t)u->op_id.p);
	free(u);
	more = take_queued();
	if (!more)
		engine.n_running--;
	pthread_cond_broadcast(&engine.cond);
	pthread_mutex_unlock(&engine.lock);
	looks_over(stack);
	free((char *)(uintptr_t)stack.p);
	return more ? run_main(more) : NULL;
}

/* Under the engine's lock: the oldest that waits is running from now on. */
static struct run *take_queued(void)
{
	struct run **p = &engine.queued, *u;

	if (!*p || run_stopping())
		return NULL;
	while ((*p)->next)
		p = &(*p)->next;
	u = *p;
	*p = NULL;
	u->next = engine.running;
	engine.running = u;
	return u;
}

static bool listed(const struct run *list, struct str op)
{
	for (; list; list = list->next)
		if (str_eq(list->op_id, op))
			return true;
	return false;
}

static char *copy(struct str s)
{
	char *p = xmalloc(s.n + 1);

	memcpy(p, s.p, s.n);
	p[s.n] = 0;
	return p;
}

static void run_add(struct cloud *cl, struct region *r, struct str stack, struct str op, bool resumed)
{
	struct run *u;

	pthread_mutex_lock(&engine.lock);
	if (run_stopping() || listed(engine.running, op) || listed(engine.queued, op)) {
		pthread_mutex_unlock(&engine.lock);
		return;
	}
	u = xzalloc(sizeof *u);
	u->cloud = cl;
	u->region = r;
	u->stack_id = str_of(copy(stack), stack.n);
	u->op_id = str_of(copy(op), op.n);
	u->resumed = resumed;
	pthread_mutex_init(&u->lock, NULL);
	pthread_cond_init(&u->cond, NULL);
	if (engine.n_running < RUNS_MAX) {
		u->next = engine.running;
		engine.running = u;
		engine.n_running++;
		if (!run_thread(run_main, u)) { /* when a thread ends, or at the next start */
			engine.running = u->next;
			engine.n_running--;
			u->next = engine.queued;
			engine.queued = u;
			log_line(LOG_ERROR, "stack operation %.*s: no thread", STR(op));
		}
	} else {
		u->next = engine.queued;
		engine.queued = u;
	}
	pthread_mutex_unlock(&engine.lock);
}

/* Under the engine's lock: there may be room for one that waits its turn. */
static void start_queued(void)
{
	struct run *more = engine.n_running < RUNS_MAX ? take_queued() : NULL;

	if (!more)
		return;
	engine.n_running++;
	if (run_thread(run_main, more))
		return;
	engine.n_running--;
	engine.running = more->next;
	more->next = engine.queued;
	engine.queued = more;
}

void engine_run(struct cloud *cl, struct region *r, struct str stack, struct str op)
{
	run_add(cl, r, stack, op, false);
}

/* Looks at the operation's record again, without its lock held: what is written there is durable. */
void engine_wake(struct str op, struct str reason)
{
	pthread_mutex_lock(&engine.lock);
	for (struct run *u = engine.running; u; u = u->next) {
		if (!str_eq(u->op_id, op))
			continue;
		pthread_mutex_lock(&u->lock);
		if (str_is(u->op.phase, "make") && !u->halt && !u->ending) {
			u->halt = true;
			u->reason = u->op.cancel = reason;
		}
		pthread_cond_broadcast(&u->cond);
		pthread_mutex_unlock(&u->lock);
	}
	pthread_mutex_unlock(&engine.lock);
}

void engine_wake_step(struct str op, struct str logical)
{
	pthread_mutex_lock(&engine.lock);
	for (struct run *u = engine.running; u; u = u->next) {
		if (!str_eq(u->op_id, op))
			continue;
		pthread_mutex_lock(&u->lock);
		for (size_t i = 0; i < u->n_nodes; i++)
			if (str_eq(u->nodes[i].logical, logical))
				wake_node(u, &u->nodes[i]);
		pthread_cond_broadcast(&u->cond);
		pthread_mutex_unlock(&u->lock);
	}
	pthread_mutex_unlock(&engine.lock);
}

void engine_wake_stack(struct str stack)
{
	pthread_mutex_lock(&engine.lock);
	for (struct run *u = engine.running; u; u = u->next) {
		if (!str_eq(u->stack_id, stack))
			continue;
		pthread_mutex_lock(&u->lock);
		for (size_t i = 0; i < u->n_nodes; i++)
			if (u->nodes[i].type && u->nodes[i].type->waits)
				wake_node(u, &u->nodes[i]);
		pthread_cond_broadcast(&u->cond);
		pthread_mutex_unlock(&u->lock);
	}
	pthread_mutex_unlock(&engine.lock);
}

/* --- looks --- */
static bool changes(const struct run *list, struct str stack)
{
	for (; list; list = list->next)
		if (str_eq(list->stack_id, stack))
			return true;
	return false;
}

bool engine_look(struct engine_look *l)
{
	struct str stack = l->stack;
	bool under_way;

	pthread_mutex_lock(&engine.lock);
	under_way = (changes(engine.running, stack) || changes(engine.queued, stack)) && looks_add(l);
	pthread_mutex_unlock(&engine.lock);
	return under_way;
}

void engine_drain(struct cloud *cl)
{
	looks_close();
}

void engine_drain_region(struct cloud *cl, struct region *r)
{
	looks_over(STR_NONE);
}

void engine_stop(struct cloud *cl)
{
	struct run *u, *next;

	atomic_store(&engine.stopping, true);
	pthread_mutex_lock(&engine.lock);
	pthread_cond_broadcast(&engine.cond);
	for (u = engine.running; u; u = u->next) {
		pthread_mutex_lock(&u->lock);
		pthread_cond_broadcast(&u->cond);
		pthread_mutex_unlock(&u->lock);
	}
	while (engine.running)
		(void)pthread_cond_wait(&engine.cond, &engine.lock);
	for (u = engine.queued; u; u = next) {
		next = u->next;
		free((char *)(uintptr_t)u->stack_id.p);
		free((char *)(uintptr_t)u->op_id.p);
		free(u);
	}
	engine.queued = NULL;
	engine.n_running = 0;
	pthread_mutex_unlock(&engine.lock);
	detections_stop();
	looks_close();
	looks_open();
	atomic_store(&engine.stopping, false);
}

/* --- jobs --- */
int engine_open(struct store_txn *t, struct arena *a)
{
	struct store_range range = { 0 };
	struct {
		struct str stack, op;
	} *v = NULL;
	struct str key, value;
	struct keybuf k;
	size_t n = 0, cap = 0;
	int r;

	key_begin(&k, S(""), "cfn.op");
	r = store_range_open(&range, t, key_view(&k), STR_NONE, false);
	while (r >= 0 && (r = store_range_next(&range, &key, &value)) > 0) {
		struct str rest = str_skip(key, k.n), stack, op;

		r = key_take_str(&rest, a, &stack);
		if (r == 0)
			r = key_take_str(&rest, a, &op);
		if (r < 0)
			break;
		vec_push(a, v, n, cap).stack = stack;
		v[n - 1].op = op;
	}
	store_range_close(&range);
	for (size_t i = 0; i < n && r >= 0; i++)
		r = job_put(t, 0, S("cloudformation/resume"), v[i].op, v[i].stack);
	return r < 0 ? r : detections_open(t, a);
}

struct due {
	struct str kind, id, payload, reason;
};

static int due_drop(struct store_txn *t, void *arg)
{
	struct due *d = arg;
	int r = job_del(t, d->kind, d->id);

	return r == -ENOENT ? 0 : r;
}

/* The time of an operation is up: noted in its record, so that it counts after a crash too. */
static int due_timeout(struct store_txn *t, void *arg)
{
	struct due *d = arg;
	struct arena a = { 0 };
	struct cfn_rec_op op;
	struct keybuf k;
	int r;

	op_key(&k, d->payload, d->id);
	r = record_get(t, &cfn_records, CFN_REC_OP, &a, &k, &op);
	if (r == 0 && !op.done.v && str_is(op.phase, "make")) {
		op.cancel = d->reason;
		r = record_put(t, &cfn_records, CFN_REC_OP, &k, &op);
	}
	arena_done(&a);
	return r < 0 && r != -ENOENT ? r : due_drop(t, arg);
}

static int due_forget(struct store_txn *t, void *arg)
{
	struct due *d = arg;
	struct arena a = { 0 };
	struct cfn_rec_stack s;
	int r = stack_load(t, &a, d->payload, d->id, &s);

	if (r == 0 && s.deleted.has)
		r = stack_forget(t, &a, &s);
	arena_done(&a);
	return r < 0 && r != -ENOENT ? r : due_drop(t, arg);
}

static int due_token(struct store_txn *t, void *arg)
{
	struct due *d = arg;
	struct keybuf k;
	int r;

	stack_key(&k, d->payload, "cfn.token", d->id);
	r = store_del(t, key_view(&k));
	return r < 0 && r != -ENOENT ? r : due_drop(t, arg);
}

static int due_detection(struct store_txn *t, void *arg)
{
	struct due *d = arg;
	int r = detection_forget(t, d->id);

	return r < 0 ? r : due_drop(t, arg);
}

static void wake_asked(struct region *r, struct str id)
{
	struct cfn_rec_ask ask;
	struct arena a = { 0 };
	struct store_txn *t;

	if (store_begin_read(r->store, &t) < 0)
		return;
	if (ask_load(t, &a, id, &ask) == 0)
		engine_wake_step(ask.op, ask.logical);
	store_end(t);
	arena_done(&a);
}

int engine_job(struct cloud *cl, struct region *r, struct str kind, struct str id, struct str payload)
{
	struct due d = { kind, id, payload, S("Stack creation time exceeded the specified timeout") };
	int e;

	if (str_is(kind, "cloudformation/resume")) {
		run_add(cl, r, payload, id, true);
		return store_write(r->store, due_drop, &d);
	}
	if (str_is(kind, "cloudformation/detect")) {
		detection_run(cl, r, id);
		return store_write(r->store, due_drop, &d);
	}
	if (str_is(kind, "cloudformation/timeout")) {
		e = store_write(r->store, due_timeout, &d);
		if (e == 0)
			engine_wake(id, d.reason);
		return e;
	}
	if (str_is(kind, "cloudformation/answer")) { /* nobody has answered */
		wake_asked(r, id);
		return store_write(r->store, due_drop, &d);
	}
	if (str_is(kind, "cloudformation/detection"))
		return store_write(r->store, due_detection, &d);
	if (str_is(kind, "cloudformation/token"))
		return store_write(r->store, due_token, &d);
	return store_write(r->store, str_is(kind, "cloudformation/forget") ? due_forget : due_drop, &d);
}
