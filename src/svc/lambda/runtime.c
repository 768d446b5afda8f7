/* SPDX-License-Identifier: Apache-2.0 */
/* runtime.c - what Lambda keeps in memory for one cloud: worker threads for slow work, how many invocations are under way,
 * and the environments' module (procd/functions.h), which is started with the first function that needs it. */
#include "svc/lambda/runtime_int.h"
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define WORKERS 3
#define SLOW_AT_ONCE 2 /* archives that are taken in: one worker is left for what invocations wait for */

struct work {
	struct work *next;
	void (*fn)(void *arg);
	void *arg;
};
struct works {
	struct work *first, *last;
};
struct lambda_runtime {
	struct lambda_runtime *next;
	struct cloud *cloud;
	pthread_mutex_t lock;
	pthread_cond_t more, idle;
	pthread_t threads[WORKERS];
	struct works quick, slow;
	size_t queued;
	int n_threads, busy, slow_busy;
	bool stop, started, draining;
	struct functions *functions;
	struct lambda_count *counts[LAMBDA_COUNT_SLOTS];
	struct lambda_logs *logs;
};
static struct lambda_runtime *all; /* one a cloud */
static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;

struct lambda_runtime *lambda_runtime(struct cloud *cl)
{
	struct lambda_runtime *rt;

	pthread_mutex_lock(&all_lock);
	for (rt = all; rt && rt->cloud != cl; rt = rt->next)
		continue;
	if (!rt) {
		rt = xzalloc(sizeof *rt);
		rt->cloud = cl;
		pthread_mutex_init(&rt->lock, NULL);
		pthread_cond_init(&rt->more, NULL);
		pthread_cond_init(&rt->idle, NULL);
		rt->next = all;
		all = rt;
	}
	pthread_mutex_unlock(&all_lock);
	return rt;
}

struct lambda_logs *lambda_logs(struct cloud *cl)
{
	struct lambda_runtime *rt = lambda_runtime(cl);

	pthread_mutex_lock(&rt->lock);
	if (!rt->logs)
		rt->logs = lambda_logs_new(cl);
	pthread_mutex_unlock(&rt->lock);
	return rt->logs;
}

/* --- environments --- */
struct functions *lambda_environments(struct cloud *cl)
{
	struct lambda_runtime *rt = lambda_runtime(cl);
	const struct cloud_listener *l = cloud_listener(cl);
	struct arena a = { 0 };
	struct functions *f;

	pthread_mutex_lock(&rt->lock);
	if (!rt->started && l && !rt->draining) {
		struct functions_opts o = { .dir = str_printf(&a, "%s/functions", cloud_dir(cl)).p,
					    .ca_pem = str_printf(&a, "%s/tls/ca.pem", cloud_dir(cl)).p,
					    .endpoint_port = l->port,
					    .http = l->http };
		int r;

		(void)mkdir(o.dir, 0700);
		r = functions_open(&o, &rt->functions);
		if (r < 0) {
			rt->functions = NULL;
			log_line(LOG_ERROR, "functions cannot run here: %s", strerror(-r));
		}
		rt->started = true;
	}
	f = rt->draining ? NULL : rt->functions;
	pthread_mutex_unlock(&rt->lock);
	arena_done(&a);
	return f;
}

struct functions *lambda_environments_if(struct cloud *cl)
{
	struct lambda_runtime *rt = lambda_runtime(cl);
	struct functions *f;

	pthread_mutex_lock(&rt->lock);
	f = rt->draining ? NULL : rt->functions;
	pthread_mutex_unlock(&rt->lock);
	return f;
}

bool lambda_draining(struct cloud *cl)
{
	struct lambda_runtime *rt = lambda_runtime(cl);
	bool d;

	pthread_mutex_lock(&rt->lock);
	d = rt->draining;
	pthread_mutex_unlock(&rt->lock);
	return d;
}

/* --- workers --- */
static void *worker(void *arg)
{
	struct lambda_runtime *rt = arg;

	pthread_mutex_lock(&rt->lock);
	for (;;) {
		bool slow = !rt->quick.first && rt->slow.first && rt->slow_busy < SLOW_AT_ONCE;
		struct works *from = slow ? &rt->slow : &rt->quick;
		struct work *w = from->first;

		if (!w && rt->stop)
			break; /* what is slow and waits is taken by whoever has such work now */
		if (!w) {
			pthread_cond_wait(&rt->more, &rt->lock);
			continue;
		}
		from->first = w->next;
		if (!from->first)
			from->last = NULL;
		rt->queued--;
		rt->busy++;
		rt->slow_busy += slow;
		pthread_mutex_unlock(&rt->lock);
		w->fn(w->arg);
		free(w);
		pthread_mutex_lock(&rt->lock);
		rt->busy--;
		rt->slow_busy -= slow;
	}
	pthread_mutex_unlock(&rt->lock);
	return NULL;
}

static void add_work(struct lambda_runtime *rt, struct works *to, void (*fn)(void *arg), void *arg)
{
	struct work *w = xzalloc(sizeof *w);

	*w = (struct work){ NULL, fn, arg };
	pthread_mutex_lock(&rt->lock);
	if (to->last)
		to->last->next = w;
	else
		to->first = w;
	to->last = w;
	rt->queued++;
	if (rt->n_threads < WORKERS && (size_t)rt->n_threads < rt->queued + (size_t)rt->busy &&
	    pthread_create(&rt->threads[rt->n_threads], NULL, worker, rt) == 0)
		rt->n_threads++;
	pthread_cond_signal(&rt->more);
	pthread_mutex_unlock(&rt->lock);
}

void lambda_work(struct cloud *cl, void (*fn)(void *arg), void *arg)
{
	struct lambda_runtime *rt = lambda_runtime(cl);

	add_work(rt, &rt->quick, fn, arg);
}

void lambda_drain(struct cloud *cl)
{
	struct lambda_runtime *rt = lambda_runtime(cl);
	struct functions *f;

	pthread_mutex_lock(&rt->lock);
	rt->draining = true;
	f = rt->functions;
	rt->functions = NULL;
	rt->started = true;
	pthread_mutex_unlock(&rt->lock);
	if (f)
		functions_close(f);
	lambda_logs_stop(rt->logs);
}

void lambda_drain_region(struct cloud *cl, struct region *r)
{
	struct functions *f = lambda_environments_if(cl);

	if (f)
		functions_end_region(f, r->name);
}

void lambda_runtime_close(struct cloud *cl)
{
	struct lambda_runtime *rt = lambda_runtime(cl), **p;

	lambda_drain(cl);
	pthread_mutex_lock(&rt->lock);
	rt->stop = true;
	pthread_cond_broadcast(&rt->more);
	pthread_mutex_unlock(&rt->lock);
	for (int i = 0; i < rt->n_threads; i++)
		(void)pthread_join(rt->threads[i], NULL);
	lambda_logs_free(rt->logs);
	lambda_lives_drop(cl);
	for (int i = 0; i < LAMBDA_COUNT_SLOTS; i++)
		while (rt->counts[i]) {
			struct lambda_count *next = rt->counts[i]->next;

			free(rt->counts[i]);
			rt->counts[i] = next;
		}
	pthread_mutex_lock(&all_lock);
	for (p = &all; *p != rt; p = &(*p)->next)
		continue;
	*p = rt->next;
	pthread_mutex_unlock(&all_lock);
	pthread_mutex_destroy(&rt->lock);
	free(rt);
}

/* --- calls that go away to a worker --- */
struct away {
	struct call *c;
	struct call w; /* what the worker works on */
	struct arena arena;
	struct call_park *park;
	int (*step)(struct call *w, void *arg);
	int (*finish)(struct call *c, void *arg);
	void *arg;
	int result;
};

static void away_free(struct cloud *cl, struct region *r, void *arg)
{
	struct away *x = arg;

	arena_done(&x->arena);
	free(x);
}

/* What the worker found out goes over to the call; its memory goes when the hooks are done. */
static int away_finish(struct call *c, void *arg)
{
	struct away *x = arg;
	int r = x->result;

	if (r == 0) {
		r = x->finish(c, x->arg);
		if (r == 0) {
			c->hooks = x->w.hooks;
			call_on_commit(c, away_free, x);
			return 0;
		}
	} else if (x->w.err) {
		struct str type = x->w.n_extra ? x->w.extra[0].value : STR_NONE;

		if (type.p)
			call_extra(c, "Type", str_dup(c->arena, type));
		r = call_fail(c, x->w.err, "%.*s", STR(x->w.message));
	}
	away_free(NULL, NULL, x);
	return r;
}

static void away_run(void *arg)
{
	struct away *x = arg;

	x->result = x->step(&x->w, x->arg);
	call_unpark(x->park, away_finish, x);
}

int lambda_away(struct call *c, int (*step)(struct call *w, void *arg), int (*finish)(struct call *c, void *arg), void *arg)
{
	struct call_park *park = call_park(c);
	struct away *x;

	if (!park)
		return -EDEADLK;
	x = xzalloc(sizeof *x);
	x->c = c;
	x->w = *c;
	x->w.arena = &x->arena;
	x->w.txn = x->w.global = NULL;
	x->w.park = NULL;
	x->w.hooks = NULL;
	x->park = park;
	x->step = step;
	x->finish = finish;
	x->arg = arg;
	add_work(lambda_runtime(c->cloud), &lambda_runtime(c->cloud)->slow, away_run, x);
	return CALL_PARKED;
}

struct writing {
	struct call *c;
	int (*fn)(struct call *c, void *arg);
	void *arg;
};

static int write_run(struct store_txn *t, void *arg)
{
	struct writing *x = arg;
	struct call *c = x->c;
	int r;

	c->err = NULL; /* it may be the second run */
	c->n_extra = 0;
	c->hooks = NULL;
	c->memo = NULL;
	c->txn = t;
	r = store_begin_read(cloud_global(c->cloud), &c->global);
	if (r == 0) {
		r = x->fn(c, x->arg);
		if (r == 0)
			r = call_also(c, t);
		store_end(c->global);
	}
	c->txn = c->global = NULL;
	return r;
}

int lambda_write(struct call *c, int (*fn)(struct call *c, void *arg), void *arg)
{
	return store_write(c->region->store, write_run, &(struct writing){ c, fn, arg });
}

/* --- concurrency --- */
static struct lambda_count *count_of(struct lambda_runtime *rt, const char *kind, struct str region, struct str account, struct str name)
{
	char key[256];
	struct lambda_count *x;
	uint64_t h = 1469598103934665603u;
	int n = snprintf(key, sizeof key, "%s/%.*s/%.*s/%.*s", kind, STR(region), STR(account), STR(name));

	assert(n > 0 && (size_t)n < sizeof key); /* names are at most 64 bytes */
	for (int i = 0; i < n; i++)
		h = (h ^ (uint8_t)key[i]) * 1099511628211u;
	for (x = rt->counts[h % LAMBDA_COUNT_SLOTS]; x; x = x->next)
		if (strcmp(x->key, key) == 0)
			return x;
	x = xzalloc(sizeof *x);
	memcpy(x->key, key, (size_t)n + 1);
	x->next = rt->counts[h % LAMBDA_COUNT_SLOTS];
	rt->counts[h % LAMBDA_COUNT_SLOTS] = x;
	return x;
}

/* A place that is kept up, when one is free; the rest of what a function or the account may have is for all the others. */
static int take_place(struct lambda_runtime *rt, struct call *c, const struct lambda_fn *fn, const struct lambda_rec_account *use,
		      struct lambda_slot *s, const char **ret_reason)
{
	int64_t provisioned = fn->f.provisioned.has ? fn->f.provisioned.v : 0;

	s->function = count_of(rt, "f", call_region(c), fn->account, fn->name);
	if (fn->f.reserved.has) {
		*ret_reason = "ReservedFunctionConcurrentInvocationLimitExceeded";
		return s->function->n < fn->f.reserved.v - provisioned ? 0 : -EAGAIN;
	}
	s->account = count_of(rt, "a", call_region(c), fn->account, S(""));
	return s->account->n < LAMBDA_CONCURRENCY_MAX - use->reserved.v - use->provisioned.v ? 0 : -EAGAIN;
}

int lambda_enter(struct call *c, const struct lambda_fn *fn, int64_t version, struct lambda_slot *ret, const char **ret_reason)
{
	struct lambda_runtime *rt = lambda_runtime(c->cloud);
	int64_t places = lambda_provisioned_places(c, fn, version);
	struct lambda_rec_account use;
	struct lambda_slot s = { 0 };
	char name[128];
	int r = lambda_use_read(c->txn, c->arena, fn->account, &use);

	*ret_reason = "ConcurrentInvocationLimitExceeded";
	if (r < 0 || places < 0)
		return r < 0 ? r : (int)places;
	snprintf(name, sizeof name, "%.*s/%lld", STR(fn->name), (long long)version);
	pthread_mutex_lock(&rt->lock);
	if (places)
		s.provisioned = count_of(rt, "p", call_region(c), fn->account, str_c(name));
	if (!s.provisioned || s.provisioned->n >= places) {
		s.provisioned = NULL;
		r = take_place(rt, c, fn, &use, &s, ret_reason);
	}
	if (r == 0) {
		if (s.provisioned)
			s.provisioned->n++;
		if (s.function)
			s.function->n++;
		if (s.account)
			s.account->n++;
		*ret = s;
	}
	pthread_mutex_unlock(&rt->lock);
	return r;
}

void lambda_leave(struct cloud *cl, struct lambda_slot *s)
{
	struct lambda_runtime *rt = lambda_runtime(cl);

	pthread_mutex_lock(&rt->lock);
	if (s->provisioned)
		s->provisioned->n--;
	if (s->function)
		s->function->n--;
	if (s->account)
		s->account->n--;
	pthread_mutex_unlock(&rt->lock);
	*s = (struct lambda_slot){ 0 };
}
