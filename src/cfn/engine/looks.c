/* SPDX-License-Identifier: Apache-2.0 */
/* looks.c - looks at a stack that changes are put off until the change is over, for a moment at most.
 *
 * Tools look, sleep for five (CDK) or thirty seconds (the SDKs' waiters), and look again; a change here is over long before. All looks
 * wait the same time, so they stand in the order in which their times are up. One thread watches these times while there are any. */
#include "cfn/engine/run.h"
#include "base/util.h"
#include <time.h>

#define LOOK_MS 2000

static struct {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	struct engine_look *first, **last;
	bool watched; /* the thread runs */
	bool closed;
} looks = { .lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER, .last = &looks.first };

/* Under the lock: takes out the looks at a stack, or (absent) all. */
static struct engine_look *take(struct str stack)
{
	struct engine_look *taken = NULL, **p = &looks.first;

	while (*p) {
		struct engine_look *l = *p;

		if (stack.p && !str_eq(l->stack, stack)) {
			p = &l->next;
			continue;
		}
		*p = l->next;
		l->next = taken;
		taken = l;
	}
	looks.last = p;
	pthread_cond_broadcast(&looks.cond);
	return taken;
}

static void answer(struct engine_look *l)
{
	struct engine_look *next;

	for (; l; l = next) {
		next = l->next;
		l->done(l);
	}
}

static void *watch(void *arg)
{
	pthread_mutex_lock(&looks.lock);
	while (looks.first) {
		struct engine_look *l = looks.first;
		struct timespec until = { l->until_ms / 1000, l->until_ms % 1000 * 1000000 };

		if (clock_mono_ms() < l->until_ms) {
			(void)pthread_cond_clockwait(&looks.cond, &looks.lock, CLOCK_MONOTONIC, &until);
			continue;
		}
		looks.first = l->next;
		if (!looks.first)
			looks.last = &looks.first;
		l->next = NULL;
		pthread_mutex_unlock(&looks.lock);
		answer(l);
		pthread_mutex_lock(&looks.lock);
	}
	looks.watched = false;
	pthread_cond_broadcast(&looks.cond);
	pthread_mutex_unlock(&looks.lock);
	return NULL;
}

bool looks_add(struct engine_look *l)
{
	bool ok;

	l->until_ms = clock_mono_ms() + LOOK_MS;
	l->next = NULL;
	pthread_mutex_lock(&looks.lock);
	ok = !looks.closed && (looks.watched || run_thread(watch, NULL));
	if (ok) {
		looks.watched = true;
		*looks.last = l;
		looks.last = &l->next;
	}
	pthread_mutex_unlock(&looks.lock);
	return ok;
}

void looks_over(struct str stack)
{
	struct engine_look *taken;

	pthread_mutex_lock(&looks.lock);
	taken = take(stack);
	pthread_mutex_unlock(&looks.lock);
	answer(taken);
}

void looks_close(void)
{
	pthread_mutex_lock(&looks.lock);
	looks.closed = true;
	pthread_mutex_unlock(&looks.lock);
	looks_over(STR_NONE);
}

void looks_open(void)
{
	pthread_mutex_lock(&looks.lock);
	while (looks.watched)
		(void)pthread_cond_wait(&looks.cond, &looks.lock);
	looks.closed = false;
	pthread_mutex_unlock(&looks.lock);
}
