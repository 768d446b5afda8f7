/* SPDX-License-Identifier: Apache-2.0 */
/* http.h - the HTTP/1.1 front: listeners, TLS 1.3, limits, timeouts. It knows nothing of AWS.
 *
 * One event loop a core, each a thread with its own listening socket. One port takes TLS and plain HTTP, told apart by
 * the first byte. Everything ambiguous is refused and the connection closed (RFC 9112; request smuggling): conflicting
 * or malformed lengths, obs-fold, bare CR or LF, control characters, missing or repeated Host.
 *
 * Threads: a request belongs to its loop. http_reply, http_resume and http_post may be called from any thread; all other calls only
 * on the loop's own thread (inside callbacks or posted functions). */
#pragma once
#include "base/arena.h"
#include "base/str.h"
#include <sys/socket.h>

#define HTTP_HEADER_BYTES_MAX 65536
#define HTTP_HEADERS_MAX 200
#define HTTP_TARGET_BYTES_MAX 16384
#define HTTP_HEADER_TIMEOUT_MS 10000 /* from first byte to end of headers */
#define HTTP_IDLE_TIMEOUT_MS 75000   /* between requests */
#define HTTP_STALL_TIMEOUT_MS 20000  /* no progress while a body is read or an answer is written */
#define HTTP_CONNECTIONS_MAX 20000
#define HTTP_BODY_MEMORY_MAX (16u << 20)    /* most a handler may ask to have collected in memory */
#define HTTP_BODIES_MEMORY_MAX (256u << 20) /* of all collected bodies together; above it 503 and close */

struct http_server;
struct http_loop;
struct http_header {
	struct str name, value; /* name as sent; value trimmed */
};
enum http_body_mode {
	/* headers() has replied, or the reply comes later by itself: neither body() nor done() is called. If a body comes
	 * the connection closes after the answer. */
	HTTP_BODY_REFUSE,
	HTTP_BODY_MEMORY, /* collect into req->body up to body_max */
	HTTP_BODY_STREAM, /* call body() with each piece */
};
struct http_request {
	struct str method, target; /* as sent */
	struct str path, query;    /* raw, undecoded; query without '?', absent when there is none */
	struct http_header *headers;
	size_t n_headers;
	struct http_header *trailers; /* set when the body is complete */
	size_t n_trailers;
	struct str host; /* the one Host header */
	bool has_body, chunked;
	uint64_t content_length; /* 0 when chunked */
	struct str body;         /* HTTP_BODY_MEMORY: complete in done() */
	bool tls;
	struct str via;               /* what http_adopt was told of the connection; absent for one that came over the port */
	struct sockaddr_storage peer; /* AF_INET also where IPv4 came in over an IPv6 socket */
	struct arena arena;           /* for whoever handles the request; kept until the answer was sent */
	void *user;                   /* the handler's */
	/* set by the headers callback: */
	enum http_body_mode body_mode;
	uint64_t body_max; /* bytes; above it 413 and close */
	struct http_loop *loop;
	void *conn; /* private */
};
struct str http_header(const struct http_request *r, const char *name); /* first value, case-insensitive; absent */
size_t http_header_count(const struct http_request *r, const char *name);

struct http_handler {
	void *arg;
	/* Head complete: choose body_mode (default HTTP_BODY_MEMORY with body_max 1 MiB). May reply at once; then neither
	 * body() nor done() is called. From here on the request must be replied to exactly once, gone() or not. */
	void (*headers)(void *arg, struct http_request *r);
	/* A piece of a streamed body; borrowed for the call. Negative: stop reading, the handler has replied or will (done()
	 * isn't called). Return 1 to pause reading until http_resume. */
	int (*body)(void *arg, struct http_request *r, struct str piece);
	/* Request complete. Reply now or later, exactly once. */
	void (*done)(void *arg, struct http_request *r);
	/* The client went away, the stall timeout hit, or the front refused the body (too large, malformed), before the
	 * reply was complete. Called at most once, on the loop. A half-close while the request waits counts as gone.
	 * Not replied yet: the request must still be replied to, now or later (the reply is dropped); that frees it, so
	 * whoever replies inside gone() must not touch r after it. Also when done() was never called, since the body never
	 * became complete. Already replied: only told; r is freed when gone() returns. May be NULL only for a handler that
	 * replies to every request inside headers(). */
	void (*gone)(void *arg, struct http_request *r);
};
struct http_source { /* a streamed answer body */
	void *arg;
	/* > 0 bytes, 0 end (early end closes the connection), negative errno; of a chunked answer also -EAGAIN: nothing now,
	 * http_continue tells when there is. */
	ssize_t (*read)(void *arg, char *buf, size_t n);
	void (*close)(void *arg); /* always called once */
};
struct http_reply {
	int status;
	const struct http_header *headers; /* Content-Length, Connection, Date are written by the front */
	size_t n_headers;
	struct str body;                  /* borrowed: lives in r->arena or static */
	const struct http_source *source; /* instead of body; copied */
	uint64_t source_bytes;            /* its length */
	bool chunked;                     /* nobody knows its length yet: it is sent in chunks until it ends */
	bool head;                        /* answer to HEAD: lengths are sent, no body */
	bool close;                       /* close the connection after it */
};
/* http_reply sends the answer, from any thread, once per request. After it r may be freed at any time. The head is
 * copied (control characters in field values become blanks); the body is not. */
void http_reply(struct http_request *r, const struct http_reply *reply);
/* http_continue: the source of a chunked answer has something again. Loop only, until the source is closed. */
void http_continue(struct http_request *r);
void http_resume(struct http_request *r); /* any thread, before the reply: read on after body() returned 1 */
/* http_post runs fn(arg) on the loop's thread soon. Any thread. After http_stop it is dropped. */
void http_post(struct http_loop *l, void (*fn)(void *arg), void *arg);
/* http_timer calls fn(arg) once on the loop's thread after delay; returns a handle for http_timer_cancel. Loop only. */
void *http_timer(struct http_loop *l, int64_t delay_ms, void (*fn)(void *arg), void *arg);
void http_timer_cancel(struct http_loop *l, void *timer);

/* --- answers that are made while they are sent (src/http/pipe.c) ---
 * One thread writes, a loop sends; between them lie at most max bytes. Whoever writes finds no room when the client is slow, and
 * is called when there is some again. A client that went away takes everything. Freed when both ends have let it go. */
struct http_pipe;
#define HTTP_PIPE_LEAST_BYTES 4096 /* room is only told of when it is that much */
/* room(arg) is called on any thread while the writer has the pipe; it must not call the pipe. */
struct http_pipe *http_pipe_new(size_t max, void (*room)(void *arg), void *arg);
size_t http_pipe_room(struct http_pipe *p);                /* bytes that may be put; 0: room() will be called */
void http_pipe_put(struct http_pipe *p, struct str piece); /* no more than there is room for */
/* http_pipe_end: the answer ends with rest, whatever its size; cut: or is broken off before its end, so that the client sees it. The
 * writer lets go. */
void http_pipe_end(struct http_pipe *p, struct str rest, bool cut);
void http_pipe_reply(struct http_request *r, const struct http_reply *reply, struct http_pipe *p); /* the pipe is the answer's body */
void http_pipe_drop(struct http_pipe *p);                                                          /* instead: there is no answer */

struct ssl_ctx_st; /* OpenSSL's SSL_CTX */
struct http_opts {
	const char *listen;             /* "127.0.0.1:4566", "[::1]:4566"; port 0 picks one */
	int loops;                      /* 0: one a core */
	const char *cert_pem, *key_pem; /* PEM text; NULL: plain only */
	/* Instead of the two above: gives the context, from http_tls_new, to each TLS connection, on its loop's thread. It may wait
	 * a moment for the first: making a context takes milliseconds in which plain requests can be answered. NULL: the
	 * connection is closed. The context lives until http_stop has returned. */
	struct ssl_ctx_st *(*tls)(void *arg);
	void *tls_arg;
	bool tls_only; /* refuse plain HTTP */
	const struct http_handler *handler;
	/* Told once, when the port is known and before the first connection is accepted; never after a failure to listen. May be NULL. */
	void (*bound)(void *arg, struct http_server *s);
	void *bound_arg;
	/* tests shorten these; 0 means the default above */
	int header_timeout_ms, idle_timeout_ms, stall_timeout_ms, connections_max;
};
int http_start(const struct http_opts *o, struct http_server **ret); /* -EADDRINUSE, -EACCES, -EINVAL (address, certificate) */
/* http_tls_new reads a certificate and its key ahead of http_start: that takes milliseconds, and another thread may do
 * it meanwhile. -EINVAL. */
int http_tls_new(const char *cert_pem, const char *key_pem, struct ssl_ctx_st **ret);
void http_tls_free(struct ssl_ctx_st *tls); /* accepts NULL */
int http_port(const struct http_server *s);
/* http_adopt gives a connected stream socket to one of the server's loops, as if it had been accepted there; the server owns
 * it from then on. via (up to HTTP_VIA_BYTES_MAX bytes, copied) tells handlers where it came from. Any thread, before
 * http_stop returns. Negative: the caller keeps fd (-EMFILE: too many connections, of all or with this via; -EINVAL: via is empty or too
 * long). */
#define HTTP_VIA_BYTES_MAX 63
#define HTTP_VIA_CONNECTIONS_MAX 256 /* at once, with the same via */
int http_adopt(struct http_server *s, int fd, struct str via);
/* http_stop: stops accepting, lets requests in flight finish for grace_ms, closes the rest (gone() is called), joins the
 * threads. Not from a loop's thread. Requests that other threads still have may be replied to after it. */
void http_stop(struct http_server *s, int grace_ms);

/* --- certificates (src/http/ca.c) --- */
/* ca_make creates a certificate authority (P-256, 10 years). Strings are malloc'd PEM. */
int ca_make(char **ret_cert_pem, char **ret_key_pem);
/* ca_issue signs a server certificate for names (DNS names, wildcards, IP addresses). */
int ca_issue(const char *ca_cert_pem, const char *ca_key_pem, const char *const *names, char **ret_cert_pem, char **ret_key_pem);
