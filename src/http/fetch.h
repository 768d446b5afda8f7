/* SPDX-License-Identifier: Apache-2.0 */
/* fetch.h - requests to servers of others over HTTP/1.1, with or without TLS.
 *
 * Threads of a pool do them, one each at a time, started when needed and gone after a while of idling; each user has a pool of
 * its own, so that nobody's slow servers hold up another's. A server is what its name resolves to, looked at once: link-local
 * addresses (where clouds keep their metadata), multicast and the unspecified ones are never connected to; redirects are not
 * followed. */
#pragma once
#include "base/buf.h"
#include "http/http.h"
#include <pthread.h>
#include <stdatomic.h>

struct fetch {
	/* what is wanted; it and what it points to live until done was called */
	struct str method, url;
	const struct http_header *headers; /* Host only to override the URL's; Connection and Content-Length are written here */
	size_t n_headers;
	struct str body;
	int64_t timeout_ms;
	size_t answer_max; /* bytes of the body */
	bool insecure;     /* any certificate will do */
	bool abroad;       /* never to this machine's loopback */
	/* SHA-1 fingerprints, 40 hex digits each: a certificate of the server's chain that has one of them is trusted to speak for
	 * the server, besides the system's authorities. Name and dates of the server's certificate count all the same. */
	const struct str *thumbprints;
	size_t n_thumbprints;
	void (*done)(struct fetch *f, void *arg); /* once, on a thread of the pool; f may be freed in it, after fetch_free */
	void *arg;
	/* what came */
	int result; /* 0; -ETIMEDOUT; -EKEYREJECTED (certificate); -ECANCELED (the pool closes); other negative errno */
	int status;
	bool loopback;           /* it came from this machine's loopback */
	struct str head, answer; /* the head with its status line; the body, decoded. In memory of f until fetch_free */
	/* private */
	struct fetch *next;
	int64_t deadline_ms; /* monotonic */
	struct buf got;
	size_t head_n, body_at, body_n;
};
struct fetch_pool {
	pthread_mutex_t lock;
	pthread_cond_t more, ended;
	struct fetch *first, **last;
	size_t n_queue, n_threads, n_idle, threads_max, queue_max;
	atomic_bool closing;
};
#define FETCH_POOL(name, threads, queue)                                                                                                   \
	{                                                                                                                                  \
		.lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER,                    \
		.last = &(name).first, .threads_max = (threads), .queue_max = (queue)                                                      \
	}
int fetch_start(struct fetch_pool *p, struct fetch *f);     /* -EAGAIN: the queue is full, or the pool closes; done is not called then */
void fetch_free(struct fetch *f);                           /* what came; not f itself */
struct str fetch_header(struct str head, const char *name); /* last header of that name; absent */
/* fetch_close ends what is under way (-ECANCELED) and waits until the pool has no thread; then the pool may be used again. */
void fetch_close(struct fetch_pool *p);
