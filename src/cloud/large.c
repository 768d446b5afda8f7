/* SPDX-License-Identifier: Apache-2.0 */
/* large.c - requests larger than what is collected in memory: an archive inside of CreateFunction.
 *
 * Such a body goes to a file without a name as it arrives, so that a slow client costs no memory. When it is complete it is
 * handled on a thread of its own, for reading it takes a good part of a second, and no more than LARGE_AT_ONCE of them are in
 * memory at a time: the others wait, whole, in their files. */
#include "cloud/cloud_int.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define LARGE_AT_ONCE 2
#define LARGE_MAX 128 /* on disk, those that still arrive among them */

struct large {
	struct large *next;
	struct larges *all;
	int fd;
	size_t bytes;
	void *map; /* while it is handled */
	void (*fn)(void *arg, struct str body);
	void *arg;
};
struct larges {
	const char *dir;
	pthread_mutex_t lock;
	pthread_cond_t change;
	pthread_t thread;
	struct large *first, *last; /* whole, waiting */
	int n, mapped;
	bool running, stop;
};

struct larges *larges_open(const char *dir)
{
	struct larges *a = xzalloc(sizeof *a);

	a->dir = dir;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->change, NULL);
	return a;
}

struct large *large_begin(struct larges *a)
{
	struct large *l = NULL;
	bool room;
	int fd;

	pthread_mutex_lock(&a->lock);
	room = a->n < LARGE_MAX && !a->stop;
	a->n += room;
	pthread_mutex_unlock(&a->lock);
	fd = room ? open(a->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) : -1;
	if (fd >= 0) {
		l = xzalloc(sizeof *l);
		l->all = a;
		l->fd = fd;
	} else if (room) {
		log_line(LOG_WARN, "a large request cannot be kept in %s: %s", a->dir, strerror(errno));
		pthread_mutex_lock(&a->lock);
		a->n--;
		pthread_mutex_unlock(&a->lock);
	}
	return l;
}

int large_write(struct large *l, struct str piece)
{
	while (piece.n) {
		ssize_t n = write(l->fd, piece.p, piece.n);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			l->bytes += (size_t)n;
			piece = str_skip(piece, (size_t)n);
		}
	}
	return 0;
}

void large_end(struct large *l)
{
	struct larges *a;

	if (!l)
		return;
	a = l->all;
	if (l->map)
		(void)munmap(l->map, l->bytes);
	(void)close(l->fd);
	pthread_mutex_lock(&a->lock);
	a->n--;
	a->mapped -= l->map != NULL;
	pthread_cond_signal(&a->change);
	pthread_mutex_unlock(&a->lock);
	free(l);
}

/* Locked at begin and end. Whoever has the body ends it, perhaps before fn returns. */
static void handle(struct larges *a, struct large *l)
{
	void *p = a->stop || !l->bytes ? MAP_FAILED : mmap(NULL, l->bytes, PROT_READ, MAP_PRIVATE, l->fd, 0);

	if (p != MAP_FAILED) {
		l->map = p;
		a->mapped++;
	}
	pthread_mutex_unlock(&a->lock);
	l->fn(l->arg, l->map ? str_of(l->map, l->bytes) : STR_NONE);
	pthread_mutex_lock(&a->lock);
}

static void *work(void *arg)
{
	struct larges *a = arg;

	pthread_mutex_lock(&a->lock);
	while (!a->stop || a->first) {
		struct large *l = a->first;

		if (!l || (a->mapped >= LARGE_AT_ONCE && !a->stop)) {
			pthread_cond_wait(&a->change, &a->lock);
			continue;
		}
		a->first = l->next;
		if (!a->first)
			a->last = NULL;
		handle(a, l);
	}
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

bool large_run(struct large *l, void (*fn)(void *arg, struct str body), void *arg)
{
	struct larges *a = l->all;
	bool runs;

	l->fn = fn;
	l->arg = arg;
	pthread_mutex_lock(&a->lock);
	if (!a->running && !a->stop)
		a->running = pthread_create(&a->thread, NULL, work, a) == 0;
	runs = a->running && !a->stop;
	if (runs) {
		if (a->last)
			a->last->next = l;
		else
			a->first = l;
		a->last = l;
		pthread_cond_signal(&a->change);
	}
	pthread_mutex_unlock(&a->lock);
	return runs;
}

void larges_close(struct larges *a)
{
	bool was;

	if (!a)
		return;
	pthread_mutex_lock(&a->lock);
	was = a->running;
	a->stop = true;
	pthread_cond_broadcast(&a->change);
	pthread_mutex_unlock(&a->lock);
	if (was)
		(void)pthread_join(a->thread, NULL);
}

void larges_free(struct larges *a)
{
	if (!a)
		return;
	pthread_cond_destroy(&a->change);
	pthread_mutex_destroy(&a->lock);
	free(a);
}
