/* SPDX-License-Identifier: Apache-2.0 */
/* env.c - the life of an environment: ordered, initializing, idle, busy, settling, ending. Only its own functions change
 * its state; an invocation belongs to exactly one environment from the moment that one was chosen until its outcome. */
#include "base/util.h"
#include "os/cgroup.h"
#include "procd/private.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#define ORDER_TIMEOUT_US 30000000
#define INIT_TIMEOUT_DEFAULT_MS 10000
#define TIMEOUT_DEFAULT_MS 3000

uint64_t env_hash(struct str s)
{
	uint64_t h = 1469598103934665603ull;

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * 1099511628211ull;
	return h;
}

static void freeze(struct env *e, bool frozen)
{
	const struct cgroups version = { .v2 = e->v2 };

	if (e->freezer_fd < 0 || e->frozen == frozen)
		return;
	cgroup_freeze(&version, e->freezer_fd, frozen);
	e->frozen = frozen;
}

static uint32_t memory_used(const struct env *e)
{
	struct cgroup c = { .peak_fd = e->peak_fd };

	if (e->peak_mb) /* it has ended */
		return e->peak_mb;
	return (uint32_t)((cgroup_peak_bytes(&c) + (1 << 20) - 1) >> 20);
}

/* --- outcomes --- */

/* settle gives the outcome of e's invocation, and takes it off e. */
static void settle(struct env *e, struct fn_result *r)
{
	struct invocation *i = e->inv;
	struct arena a = { 0 };

	assert(i);
	r->environment = str_c(e->name);
	r->cold = e->cold;
	r->ahead = e->pool;
	r->init_us = e->cold ? e->init_us : 0;
	r->duration_us = e->dispatched_us ? fn_now_us() - e->dispatched_us : 0;
	r->memory_used_mb = memory_used(e);
	r->log_tail = output_tail(e, &a);
	r->streamed = i->streamed;
	r->content_type = i->content_type;
	for (struct api_conn *c = e->conns; c; c = c->next)
		c->streaming = false; /* nobody takes what still comes */
	e->truncated = false;
	e->inv = NULL;
	e->cold = false;
	e->dispatched_us = 0;
	if (i->event.request_id.n < sizeof e->last_room) {
		memcpy(e->last_room, i->event.request_id.p, i->event.request_id.n);
		e->last_id = str_of(e->last_room, i->event.request_id.n);
	}
	fn_finish(i, r);
	arena_done(&a);
}

/* --- birth --- */
static void env_link(struct functions *f, struct env *e)
{
	e->next = f->envs;
	if (e->next)
		e->next->prev = e;
	f->envs = e;
	f->n_envs++;
}

static struct env *env_new(struct functions *f, const struct fn_spec *spec, uint64_t key_hash)
{
	struct env *e = xzalloc(sizeof *e);
	struct fn_spec *s = &e->spec;
	struct arena a = { 0 };

	e->f = f;
	e->id = ++f->last_id;
	e->state = ENV_ORDERED;
	e->cold = true;
	e->peak_fd = e->freezer_fd = -1;
	e->out = (struct watch){ WATCH_OUT, -1, e };
	e->err = (struct watch){ WATCH_ERR, -1, e };
	for (size_t k = 0; k < ELEMENTS(e->listeners); k++)
		e->listeners[k] = (struct watch){ k == 0 ? WATCH_API : k < 3 ? WATCH_CLOUD : WATCH_NAMES, -1, e };
	buf_init(&e->output[0].line, FN_LINE_BYTES_MAX + FN_READ_BYTES);
	buf_init(&e->output[1].line, FN_LINE_BYTES_MAX + FN_READ_BYTES);
	snprintf(e->name, sizeof e->name, "%.*s", STR(random_hex(&a, 32)));
	arena_done(&a);
	/* What the environment keeps of the spec; the rest is only needed to start it. */
	*s = *spec;
	s->key = str_dup(&e->arena, spec->key);
	s->arn = str_dup(&e->arena, spec->arn);
	s->region = str_dup(&e->arena, spec->region);
	e->key_hash = key_hash;
	e->started_us = fn_now_us();
	e->deadline_us = e->started_us + ORDER_TIMEOUT_US;
	fn_deadline(f, e->deadline_us);
	env_link(f, e);
	return e;
}

/* bury takes an environment off the list; its memory goes after the turn. */
static void bury(struct env *e)
{
	struct functions *f = e->f;

	assert(!e->inv && !e->gone);
	e->gone = true;
	if (e->prev)
		e->prev->next = e->next;
	else
		f->envs = e->next;
	if (e->next)
		e->next->prev = e->prev;
	f->n_envs--;
	while (e->conns)
		api_drop(e->conns);
	fn_unwatch(f, &e->out);
	fn_unwatch(f, &e->err);
	for (size_t k = 0; k < ELEMENTS(e->listeners); k++)
		fn_unwatch(f, &e->listeners[k]);
	if (e->peak_fd >= 0)
		(void)close(e->peak_fd);
	if (e->freezer_fd >= 0)
		(void)close(e->freezer_fd);
	e->peak_fd = e->freezer_fd = -1;
	if (e->pool)
		e->pool->n_envs--;
	if (e->spec.release)
		e->spec.release(e->spec.arg);
	e->next = f->dead_envs;
	f->dead_envs = e;
}

void env_free(struct env *e)
{
	buf_done(&e->output[0].line);
	buf_done(&e->output[1].line);
	arena_done(&e->arena);
	free(e);
}

/* order asks procd to start e, which is for s. Negative: it cannot be, with why. */
static int order(struct env *e, const struct fn_spec *s, const char **ret_why)
{
	struct functions *f = e->f;
	struct start_order o = { .memory_mb = s->memory_mb, .tmp_mb = s->ephemeral_mb, .pids = FN_PIDS_MAX, .name = e->name };
	struct arena a = { 0 };
	struct str_pair *vars = NULL;
	size_t n_vars = 0;
	struct buf b;
	int r = s->variables ? s->variables(s->arg, &a, &vars, &n_vars, &e->expires_ms) : 0;

	buf_init(&b, MESSAGE_BYTES_MAX);
	if (r < 0)
		*ret_why = "its variables and credentials could not be made";
	else
		r = runtime_order(f, s, &a, vars, n_vars, &o, ret_why);
	if (r >= 0) {
		start_order_write(&b, &o);
		r = buf_ok(&b) ? message_send(f->procd.fd, MESSAGE_START, e->id, 0, 0, buf_view(&b), NULL, 0) : -EMSGSIZE;
		if (r < 0)
			*ret_why = r == -EMSGSIZE ? "its variables are too large" : "the process that starts functions ended";
	}
	if (b.p)
		mem_wipe(b.p, b.n);
	buf_done(&b);
	arena_done(&a);
	return r;
}

/* make_room ends the environment that has been idle for longest; false when all are busy. */
static bool make_room(struct functions *f)
{
	struct env *old = NULL;

	for (struct env *e = f->envs; e; e = e->next)
		if (e->state == ENV_IDLE && !e->pool && (!old || e->idle_us < old->idle_us))
			old = e;
	if (old)
		env_end(old);
	return old;
}

bool env_room(struct functions *f)
{
	return f->n_envs < f->environments_max || make_room(f);
}

int env_start_ahead(struct functions *f, struct provision *p, const char **ret_why)
{
	struct env *e = env_new(f, &p->spec, p->key_hash);
	int r;

	e->pool = p;
	p->n_envs++;
	e->spec.release = NULL; /* the spec is the provision's */
	r = order(e, &p->spec, ret_why);
	if (r < 0)
		bury(e);
	return r;
}

static void start(struct functions *f, struct invocation *i)
{
	const char *why = "";
	struct env *e;

	if (!env_room(f)) {
		fn_refuse(i, "there is no memory here for more environments, and all are busy");
		return;
	}
	e = env_new(f, &i->spec, i->key_hash);
	e->inv = i;
	i->spec_taken = true;
	if (order(e, &i->spec, &why) < 0) {
		struct fn_result r = { .outcome = FN_REFUSED, .exit_text = str_c(why) };

		settle(e, &r);
		bury(e);
	}
}

/* --- work --- */
static uint32_t timeout_of(const struct invocation *i)
{
	return i->event.timeout_ms ? i->event.timeout_ms : i->spec.timeout_ms ? i->spec.timeout_ms : TIMEOUT_DEFAULT_MS;
}

static void dispatch(struct env *e)
{
	uint32_t timeout = timeout_of(e->inv);
	struct api_conn *c = e->waiting;

	assert(c && e->inv);
	freeze(e, false);
	e->waiting = NULL;
	e->state = ENV_BUSY;
	e->tail_n = 0;
	e->dispatched_us = fn_now_us();
	e->deadline_us = e->dispatched_us + (int64_t)timeout * 1000;
	fn_deadline(e->f, e->deadline_us);
	api_send_invocation(c, e->inv, clock_now_ms() - clock_offset_ms() + timeout); /* the process has the machine's clock */
}

/* good_for says whether e's credentials last for an invocation. */
static bool good_for(const struct env *e, const struct invocation *i)
{
	return e->expires_ms == 0 || clock_now_ms() + timeout_of(i) + FN_EXPIRY_MARGIN_MS < e->expires_ms;
}

/* try_warm gives i to an idle environment of its function: those that are kept up come first. */
static bool try_warm(struct functions *f, struct invocation *i)
{
	struct env *best = NULL;

	for (struct env *e = f->envs, *next; e && !(best && best->pool); e = next) {
		next = e->next;
		if (e->state != ENV_IDLE || e->key_hash != i->key_hash || !str_eq(e->spec.key, i->spec.key))
			continue;
		if (!good_for(e, i))
			env_end(e);
		else if (!best || e->pool)
			best = e;
	}
	if (!best)
		return false;
	best->inv = i;
	dispatch(best);
	return true;
}

/* A burst of invocations would otherwise start so many environments at once that none comes up within its time. */
bool env_may_start(const struct functions *f)
{
	int64_t since = fn_now_us() - FN_START_US;
	size_t n = f->ready == 1 ? 0 : f->starts_max; /* only this thread changes it */

	for (const struct env *e = f->envs; e; e = e->next)
		n += (e->state == ENV_ORDERED || e->state == ENV_INIT) && e->started_us > since;
	return n < f->starts_max;
}

void env_invoke(struct functions *f, struct invocation *i)
{
	i->key_hash = env_hash(i->spec.key);
	i->next = NULL;
	if (try_warm(f, i))
		return;
	if (!f->pending && env_may_start(f)) {
		start(f, i);
		return;
	}
	*f->pending_tail = i;
	f->pending_tail = &i->next;
	fn_deadline(f, fn_now_us() + FN_PENDING_LOOK_US);
}

/* take_pending takes the first of those that wait, or with e the first that e can do. */
static struct invocation *take_pending(struct functions *f, const struct env *e)
{
	struct invocation **p = &f->pending, *i;

	while ((i = *p) && e && !(i->key_hash == e->key_hash && str_eq(i->spec.key, e->spec.key) && good_for(e, i)))
		p = &i->next;
	if (!i)
		return NULL;
	*p = i->next;
	if (!i->next)
		f->pending_tail = p;
	i->next = NULL;
	return i;
}

void env_pending(struct functions *f)
{
	while (f->pending && env_may_start(f)) {
		struct invocation *i = take_pending(f, NULL);

		if (!try_warm(f, i))
			start(f, i);
	}
	if (f->pending)
		fn_deadline(f, fn_now_us() + FN_PENDING_LOOK_US);
}

void env_started(struct functions *f, struct message *m)
{
	struct env *e = f->envs;
	struct watch *w[STARTED_NAMES + 1];

	while (e && e->id != m->head.id)
		e = e->next;
	if (!e || m->n_fds < STARTED_NAMES + 1 || e->out.fd >= 0) {
		for (size_t i = 0; i < m->n_fds; i++)
			(void)close(m->fds[i]);
		return;
	}
	w[STARTED_OUT] = &e->out;
	w[STARTED_ERR] = &e->err;
	for (size_t k = 0; k < ELEMENTS(e->listeners); k++)
		w[STARTED_API + k] = &e->listeners[k];
	for (size_t i = 0; i < ELEMENTS(w); i++) {
		(void)fcntl(m->fds[i], F_SETFL, O_NONBLOCK);
		w[i]->fd = m->fds[i];
		fn_watch(f, w[i], EPOLLIN);
	}
	e->peak_fd = m->n_fds > STARTED_PEAK ? m->fds[STARTED_PEAK] : -1;
	e->freezer_fd = m->n_fds > STARTED_FREEZER ? m->fds[STARTED_FREEZER] : -1;
	e->v2 = m->head.flag;
	if (e->state == ENV_ENDING) { /* while it was being started */
		(void)message_send(f->procd.fd, MESSAGE_KILL, e->id, 0, 0, S(""), NULL, 0);
		return;
	}
	e->state = ENV_INIT;
	if (e->inv && e->inv->second)
		e->deadline_us = fn_now_us() + (int64_t)timeout_of(e->inv) * 1000;
	else
		e->deadline_us = fn_now_us() +
				 (int64_t)(e->spec.init_timeout_ms ? e->spec.init_timeout_ms : INIT_TIMEOUT_DEFAULT_MS) * 1000;
	fn_deadline(f, e->deadline_us);
}

void env_failed(struct functions *f, const struct message *m)
{
	struct env *e = f->envs;
	struct fn_result r = { .outcome = FN_REFUSED, .exit_text = m->body };

	while (e && e->id != m->head.id)
		e = e->next;
	if (!e)
		return;
	if (e->inv)
		settle(e, &r);
	provision_failed(e, m->body, STR_NONE);
	bury(e);
}

/* --- what the Runtime API's requests mean --- */
void env_ready(struct env *e, struct api_conn *c)
{
	if (e->waiting && e->waiting != c) /* it gave up on an earlier connection */
		e->waiting->close = true;
	e->waiting = c;
	if (e->state == ENV_INIT) {
		e->init_us = fn_now_us() - e->started_us;
		output_drain(e, false);
		provision_up(e);
	} else if (e->state != ENV_SETTLING) {
		return;
	}
	if (!e->inv && !e->forget)
		e->inv = take_pending(e->f, e);
	if (e->inv) {
		dispatch(e);
		return;
	}
	e->state = ENV_IDLE;
	e->idle_us = fn_now_us();
	e->deadline_us = e->idle_us + (e->freezer_fd >= 0 ? FN_FREEZE_AFTER_MS : e->f->idle_ms) * 1000ll;
	fn_deadline(e->f, e->deadline_us);
	if (e->forget)
		env_end(e);
}

void env_answer(struct env *e, enum fn_outcome o, struct str payload, struct str error_type)
{
	struct fn_result r = { .outcome = o, .payload = payload, .error_type = error_type };

	assert(e->state == ENV_BUSY && e->inv);
	output_drain(e, false);
	e->state = ENV_SETTLING;
	e->deadline_us = fn_now_us() + e->f->idle_ms * 1000ll; /* asks for no more work: ends */
	fn_deadline(e->f, e->deadline_us);
	settle(e, &r);
}

/* --- answers that come as a stream --- */
void env_stream(struct env *e, struct str content_type)
{
	struct invocation *i = e->inv;

	assert(e->state == ENV_BUSY && i && i->event.sink && !i->streamed);
	i->streamed = true;
	i->content_type = content_type.p ? str_dup(&i->arena, content_type) : STR_NONE;
	i->event.sink->begin(i->arg, i->content_type);
}

size_t env_write(struct env *e, struct str piece)
{
	assert(e->inv && e->inv->streamed);
	return e->inv->event.sink->write(e->inv->arg, piece);
}

void env_broken(struct env *e, const char *type, const char *message)
{
	struct arena a = { 0 };

	env_answer(e, FN_FAILED, str_printf(&a, "{\"errorType\":\"%s\",\"errorMessage\":\"%s\"}", type, message), str_c(type));
	env_end(e);
	arena_done(&a);
}

void env_cut_off(struct env *e)
{
	e->truncated = true;
	e->deadline_us = fn_now_us() + FN_TRUNCATED_US; /* most often it has ended, and that tells more */
	fn_deadline(e->f, e->deadline_us);
}

void env_resume(struct functions *f, struct str request_id)
{
	for (struct env *e = f->envs; e; e = e->next) {
		if (!e->inv || !str_eq(e->inv->event.request_id, request_id))
			continue;
		for (struct api_conn *c = e->conns; c; c = c->next)
			if (c->stalled) {
				api_resume(c);
				return; /* the list may have changed */
			}
	}
}

void env_init_error(struct env *e, struct str payload, struct str error_type)
{
	struct fn_result r = { .outcome = FN_FAILED, .payload = payload, .error_type = error_type };

	output_drain(e, false);
	e->init_us = fn_now_us() - e->started_us;
	provision_failed(e, S("its initialization failed"), error_type);
	if (e->inv)
		settle(e, &r);
	env_end(e);
}

/* --- ends --- */
void env_end(struct env *e)
{
	assert(!e->inv);
	if (e->state == ENV_ENDING)
		return;
	if (e->state != ENV_ORDERED)
		(void)message_send(e->f->procd.fd, MESSAGE_KILL, e->id, 0, 0, S(""), NULL, 0);
	e->state = ENV_ENDING;
	e->deadline_us = INT64_MAX;
}

/* exit_words says how a process ended, as AWS's messages do. */
static struct str exit_words(struct arena *a, int status)
{
	const char *name;

	if (WIFEXITED(status))
		return str_printf(a, "exit status %d", WEXITSTATUS(status));
	name = strsignal(WTERMSIG(status));
	switch (WTERMSIG(status)) {
	case SIGSEGV:
		name = "segmentation fault";
		break;
	case SIGABRT:
		name = "aborted";
		break;
	default:
		break;
	}
	return str_lower(a, str_printf(a, "signal: %s", name ? name : "unknown"));
}

void env_exited(struct functions *f, const struct message *m)
{
	struct env *e = f->envs;
	struct arena a = { 0 };
	int status = (int)m->head.number;

	while (e && e->id != m->head.id)
		e = e->next;
	if (!e)
		return;
	output_drain(e, true);
	e->peak_mb = m->head.peak_mb;
	provision_lost(e);
	if (e->inv) {
		bool memory = m->head.flag && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
		struct fn_result r = { .outcome = memory ? FN_NO_MEMORY : FN_EXITED, .exit_text = exit_words(&a, status) };

		if (!e->dispatched_us)
			e->init_us = fn_now_us() - e->started_us;
		settle(e, &r);
	}
	bury(e);
	arena_done(&a);
}

void env_lost(struct env *e, const char *why)
{
	struct fn_result r = { .outcome = FN_EXITED, .exit_text = str_c(why) };

	output_drain(e, true);
	if (e->inv)
		settle(e, &r);
	bury(e);
}

void env_forget(struct functions *f, struct str prefix)
{
	for (struct env *e = f->envs; e; e = e->next) {
		if (!str_starts(e->spec.key, prefix))
			continue;
		e->forget = true;
		if (e->state == ENV_IDLE || (e->state == ENV_SETTLING && !e->inv))
			env_end(e);
	}
	provision_wake(f);
}

void env_end_region(struct functions *f, struct str region, const char *why)
{
	struct fn_result r = { .outcome = FN_REFUSED, .exit_text = str_c(why) };

	for (struct env *e = f->envs; e; e = e->next) {
		if (!str_eq(e->spec.region, region))
			continue;
		output_drain(e, true);
		if (e->inv)
			settle(e, &r);
		env_end(e);
	}
}

/* --- time --- */
static void timed_out(struct env *e)
{
	struct fn_result r = { .outcome = FN_TIMED_OUT };
	struct functions *f = e->f;
	struct invocation *i = e->inv;

	output_drain(e, true);
	if (e->truncated && i) {
		env_broken(e, "Runtime.TruncatedResponse", "The response ended before it was complete.");
		return;
	}
	if (e->state == ENV_INIT && i && !i->second) {
		/* Its start took too long: once more, within the invocation's own time, as AWS does. The next environment has
		 * the spec then. */
		i->second = true;
		i->spec_taken = false;
		e->inv = NULL;
		e->spec.log = NULL;
		e->spec.release = NULL;
		env_end(e);
		start(f, i);
		return;
	}
	if (i)
		settle(e, &r);
	if (e->state == ENV_INIT || e->state == ENV_ORDERED)
		provision_failed(e, S("its start took too long"), e->state == ENV_INIT ? S("Runtime.InitTimeout") : STR_NONE);
	env_end(e);
}

static void check(struct env *e, int64_t now_us)
{
	if (now_us < e->deadline_us)
		return;
	if (e->state == ENV_IDLE) {
		int64_t end = e->pool ? INT64_MAX : e->idle_us + e->f->idle_ms * 1000ll;

		if (now_us >= end) {
			env_end(e);
			return;
		}
		freeze(e, true);
		e->deadline_us = end;
	} else if (e->state != ENV_ENDING) {
		timed_out(e);
	}
}

void env_checks(struct functions *f, int64_t now_us)
{
	f->check_us = INT64_MAX;
	for (struct env *e = f->envs, *next; e; e = next) {
		next = e->next;
		check(e, now_us);
		if (e->state != ENV_ENDING)
			fn_deadline(f, e->deadline_us);
	}
	if (f->provisions)
		fn_deadline(f, f->provision_us);
}
