/* SPDX-License-Identifier: Apache-2.0 */
/* private.h - what the files of src/http share. Nobody else includes it.
 *
 * loop.c owns loops, listeners, timers and posts; conn.c a connection's life; reply.c the writing of answers; pipe.c those that
 * are made meanwhile;
 * tls.c everything that touches OpenSSL's SSL. All of a connection happens on its loop's thread; the only things other
 * threads touch are the post queue (under its mutex) and a request they were given, until they reply to it. */
#pragma once
#include "http/http.h"
#include "http/parse.h"
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/uio.h>

#define HTTP_READ_BYTES (128u << 10)  /* one read; also the most a connection keeps unread bytes of */
#define HTTP_SOURCE_BYTES (64u << 10) /* buffer of a streamed answer */
#define HTTP_TURN_BYTES (1u << 20)    /* moved for one connection before the others get their turn */
#define HTTP_LINGER_TIMEOUT_MS 2000   /* reading away what a refused client still sends, so that it sees the answer */
#define HTTP_ACCEPT_PAUSE_MS 50       /* when there are no descriptors or connections left */
#define HTTP_ACCEPTS_MAX 64           /* in one go */
#define HTTP_POOL_REQUESTS_MAX 256    /* kept for reuse, per loop */
#define HTTP_BODY_ARENA_BYTES 16384   /* bodies up to here are collected in the arena, larger and chunked ones on the heap */
#define HTTP_BODY_MAX_DEFAULT (1u << 20)
#define HTTP_LOOPS_MAX 256
#define HTTP_TAIL_BYTES 80 /* Date, Connection and the empty line */
#define HTTP_DATE_BYTES 29
#define TLS_RECORD_BYTES 16384
#define HTTP_CHUNK_HEAD_BYTES 6 /* four digits and the line's end */

enum timeout_kind { TIMEOUT_NONE, TIMEOUT_IDLE, TIMEOUT_HEADER, TIMEOUT_STALL, TIMEOUT_LINGER, TIMEOUT_KINDS };

struct via;   /* where adopted connections come from; adopt.c */
struct post { /* in a loop's queue */
	struct post *next;
	void (*fn)(void *arg);
	void *arg;
	bool heap; /* freed after it ran */
};

struct req {                   /* a request and what the front keeps with it */
	struct http_request r; /* first: the handler sees only this */
	struct req *next;      /* in the pool */
	struct parse_info info;
	struct post reply_post, resume_post;
	atomic_bool replied, resume_posted;
	bool arrived; /* the reply is known to the loop */
	bool told;    /* headers() was called: it must be replied to before it is freed */
	/* The handler may be working on another thread before the body is complete: what the loop still adds goes here,
	 * never into r.arena. */
	struct arena own; /* trailers */
	char *body;       /* a collected body: room reserved in r.arena before headers() was called, or heap */
	size_t body_cap;
	bool body_heap;
	uint64_t body_seen;
	/* the answer, written by http_reply */
	char *head;
	size_t head_n; /* HTTP_TAIL_BYTES of room behind it */
	struct str answer;
	struct http_source source;
	uint64_t source_left;
	bool has_source, close;
	bool chunked, ended; /* the length isn't known; the source has ended */
};

enum conn_state {
	CONN_NEW, /* nothing read; TLS or not isn't known */
	CONN_HANDSHAKE,
	CONN_HEAD,
	CONN_BODY,
	CONN_TRAILERS,
	CONN_WAIT,    /* for the handler's reply */
	CONN_REPLY,   /* writing it */
	CONN_REFUSAL, /* writing an answer of our own, then the end */
	CONN_LINGER,
	CONN_DEAD,
};
struct conn {
	struct http_loop *loop;
	SSL *ssl;
	struct req *req;          /* while one is in work */
	struct conn *prev, *next; /* all of the loop; dead ones: next only */
	struct conn *ready_next;
	struct conn *timer_prev, *timer_next;
	int64_t deadline;
	int fd;
	uint32_t armed; /* epoll events asked for */
	uint8_t state, timer;
	bool busy;       /* conn_run is on the stack */
	bool paused;     /* body() said so */
	bool unread;     /* the request's body was not read to its end: close after the answer */
	bool closing;    /* close after the answer */
	bool watched;    /* in the epoll set */
	bool ready;      /* in the loop's ready list */
	bool starved;    /* the source of the answer has nothing yet */
	bool want_write; /* TLS must write before it can read on */
	char *in;        /* bytes received and not used yet; NULL mostly */
	size_t in_off, in_n, in_cap;
	struct parse_scan scan;
	struct parse_chunked chunk;
	uint64_t body_left;
	struct iovec out[2]; /* head and body, what is left of them */
	char *own;           /* a refusal's text, or the buffer of a streamed answer */
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} peer;
	socklen_t peer_n;
	struct via *via; /* of an adopted connection */
};

struct timer_list {
	struct conn *first, *last;
	int64_t ms;
};
struct http_loop {
	struct http_server *server;
	const struct http_handler *handler;
	int ep, wake, listener;
	bool listening; /* the listener is in the epoll set */
	pthread_t thread;
	int64_t now_ms; /* monotonic; set once a turn */
	int64_t date_s, date_checked_ms;
	char date[HTTP_DATE_BYTES + 1];
	char *read_buf, *tls_buf;
	struct conn *conns, *dead;
	struct conn *ready_first, *ready_last;
	size_t n_conns;
	struct timer_list timeouts[TIMEOUT_KINDS];
	struct timer **heap;
	size_t heap_n, heap_cap;
	struct timer *accept_timer;
	struct req *pool;
	size_t pool_n, live; /* requests in the pool, and handed out */
	bool draining;
	int64_t drain_ms; /* when the rest is closed */
	/* under the mutex: */
	pthread_mutex_t mutex;
	struct post *posts, **posts_tail;
	bool ended;    /* the thread is gone; nothing runs any more */
	bool released; /* by http_stop */
};
struct http_server {
	struct http_loop **loops;
	int n_loops, port;
	SSL_CTX *tls; /* its own, or NULL */
	struct ssl_ctx_st *(*tls_later)(void *arg);
	void *tls_arg;
	bool tls_only;
	struct http_handler handler;
	int connections_max;
	atomic_int connections;
	int grace_ms;
	atomic_uint adopted; /* which loop has the next one */
	pthread_mutex_t vias_mutex;
	struct via *vias;
};

/* --- loop.c --- */
bool loop_is_current(const struct http_loop *l);
/* loop_post queues p from any thread; false when the loop has ended, then nothing will run. */
bool loop_post(struct http_loop *l, struct post *p);
/* loop_orphan takes the reply of a request whose loop has ended. */
void loop_orphan(struct req *q);
void loop_ready(struct conn *c);                        /* conn_run is called for it soon */
void loop_timeout(struct conn *c, enum timeout_kind k); /* replaces the one that is set */
void loop_watch(struct conn *c, uint32_t events);
struct str loop_date(struct http_loop *l);
void loop_unlink(struct conn *c); /* from every list of the loop; it is freed when the turn is over */

/* --- conn.c --- */
void conn_new(struct http_loop *l, int fd, const struct sockaddr *peer, socklen_t peer_n,
	      struct via *via); /* via: it releases it; or NULL */
void conn_event(struct conn *c, uint32_t events);
void conn_run(struct conn *c);
void conn_expired(struct conn *c);
void conn_close(struct conn *c);      /* at once; tells the handler if a request was in work */
bool conn_idle(const struct conn *c); /* between requests */
void conn_replied(struct req *q);     /* on the loop: the reply is there */
void conn_resumed(struct req *q);
void conn_continued(struct req *q); /* the source has something again */

/* --- adopt.c --- */
struct str via_name(const struct via *v);
void via_release(struct http_server *s, struct via *v); /* a connection of it is gone */

/* --- reply.c --- */
struct req *req_new(struct http_loop *l);
void req_free(struct req *q); /* on the loop, or when it has ended */
/* req_body_grow makes room for cap bytes of body on the heap; false: all bodies together would take too much. */
bool req_body_grow(struct req *q, size_t cap);
/* reply_finish adds Date and Connection to the head; returns all of it. */
struct str reply_finish(struct req *q, struct str date, bool close);
/* reply_refusal writes an answer of the front itself into malloc'd memory. */
char *reply_refusal(int status, struct str date, size_t *ret_n);

/* --- tls.c --- */
int tls_context_new(const char *cert_pem, const char *key_pem, SSL_CTX **ret); /* -EINVAL */
SSL *tls_new(SSL_CTX *ctx, int fd);                                            /* NULL: no context, out of memory */
/* The rest: > 0 bytes (handshake: 1), 0 end of stream, -EAGAIN (*want_write says for what), -EPIPE and others. */
int tls_handshake(SSL *s, bool *want_write);
ssize_t tls_read(SSL *s, char *p, size_t n, bool *want_write);
ssize_t tls_write(SSL *s, const char *p, size_t n);
bool tls_pending(SSL *s); /* something is buffered that no event will tell of */
void tls_goodbye(SSL *s);
void tls_free(SSL *s); /* accepts NULL */
