/* SPDX-License-Identifier: Apache-2.0 */
/* pipe.c - answers that are made while they are sent: a bounded buffer between the thread that writes and the loop that sends.
 *
 * Under the lock: the bytes, and who still has which end. The request is known from http_pipe_reply until its source is closed,
 * and its loop lives at least as long: a writer may post to it under the lock. */
#include "base/buf.h"
#include "http/private.h"
#include <assert.h>
#include <errno.h>

struct http_pipe {
	pthread_mutex_t lock;
	int refs;
	struct buf data;
	size_t off, max; /* off: of data, was read */
	void (*room)(void *arg);
	void *arg;
	struct http_request *r;
	bool full;    /* the writer waits for room */
	bool starved; /* the loop waits for bytes */
	bool ended, cut, gone;
};

struct http_pipe *http_pipe_new(size_t max, void (*room)(void *arg), void *arg)
{
	struct http_pipe *p = xzalloc(sizeof *p);

	assert(max >= 2 * HTTP_PIPE_LEAST_BYTES);
	pthread_mutex_init(&p->lock, NULL);
	p->refs = 2; /* the writer's and the answer's */
	p->max = max;
	p->room = room;
	p->arg = arg;
	buf_init(&p->data, SIZE_MAX);
	return p;
}

static void unref(struct http_pipe *p)
{
	bool last;

	pthread_mutex_lock(&p->lock);
	last = --p->refs == 0;
	pthread_mutex_unlock(&p->lock);
	if (!last)
		return;
	buf_done(&p->data);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* --- the writer --- */
static void wake(void *arg)
{
	struct http_pipe *p = arg;
	struct http_request *r;

	pthread_mutex_lock(&p->lock);
	r = p->r; /* only this thread takes it away */
	pthread_mutex_unlock(&p->lock);
	if (r)
		http_continue(r);
	unref(p);
}

static void tell_loop(struct http_pipe *p) /* locked */
{
	if (!p->starved || !p->r)
		return;
	p->starved = false;
	p->refs++;
	http_post(p->r->loop, wake, p);
}

size_t http_pipe_room(struct http_pipe *p)
{
	size_t n;

	pthread_mutex_lock(&p->lock);
	n = p->gone ? SIZE_MAX : p->max - (p->data.n - p->off);
	p->full = n < HTTP_PIPE_LEAST_BYTES;
	pthread_mutex_unlock(&p->lock);
	return n < HTTP_PIPE_LEAST_BYTES ? 0 : n;
}

static void put(struct http_pipe *p, struct str piece) /* locked */
{
	if (p->gone)
		return;
	if (p->off) {
		memmove(p->data.p, p->data.p + p->off, p->data.n - p->off);
		p->data.n -= p->off;
		p->off = 0;
	}
	buf_str(&p->data, piece);
}

void http_pipe_put(struct http_pipe *p, struct str piece)
{
	pthread_mutex_lock(&p->lock);
	assert(!p->ended && (p->gone || piece.n <= p->max - (p->data.n - p->off)));
	put(p, piece);
	tell_loop(p);
	pthread_mutex_unlock(&p->lock);
}

void http_pipe_end(struct http_pipe *p, struct str rest, bool cut)
{
	pthread_mutex_lock(&p->lock);
	put(p, rest);
	p->ended = true;
	p->cut = cut;
	p->room = NULL;
	tell_loop(p);
	pthread_mutex_unlock(&p->lock);
	unref(p);
}

/* --- the answer --- */
static void tell_writer(struct http_pipe *p) /* locked */
{
	if (!p->full || !p->room || (!p->gone && p->data.n - p->off > p->max / 2))
		return;
	p->full = false;
	p->room(p->arg);
}

static ssize_t pipe_read(void *arg, char *to, size_t n)
{
	struct http_pipe *p = arg;
	size_t have;
	ssize_t r;

	pthread_mutex_lock(&p->lock);
	have = p->data.n - p->off;
	if (n > have)
		n = have;
	memcpy(to, n ? p->data.p + p->off : to, n);
	p->off += n;
	p->starved = n == 0 && !p->ended;
	r = n ? (ssize_t)n : !p->ended ? -EAGAIN : p->cut ? -EIO : 0;
	tell_writer(p);
	pthread_mutex_unlock(&p->lock);
	return r;
}

static void pipe_close(void *arg)
{
	struct http_pipe *p = arg;

	pthread_mutex_lock(&p->lock);
	p->r = NULL;
	p->gone = true;
	buf_done(&p->data);
	buf_init(&p->data, SIZE_MAX);
	p->off = 0;
	tell_writer(p);
	pthread_mutex_unlock(&p->lock);
	unref(p);
}

void http_pipe_drop(struct http_pipe *p)
{
	pipe_close(p);
}

void http_pipe_reply(struct http_request *r, const struct http_reply *reply, struct http_pipe *p)
{
	struct http_source source = { p, pipe_read, pipe_close };
	struct http_reply a = *reply;

	a.source = &source;
	a.chunked = true;
	pthread_mutex_lock(&p->lock);
	p->r = r;
	pthread_mutex_unlock(&p->lock);
	http_reply(r, &a);
}
