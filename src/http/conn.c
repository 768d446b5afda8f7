/* SPDX-License-Identifier: Apache-2.0 */
/* conn.c - the life of a connection, as a state machine that loop.c drives with events, timeouts and replies.
 *
 *   NEW -> (HANDSHAKE) -> HEAD -> (BODY -> (TRAILERS)) -> WAIT -> REPLY -> HEAD ...     any -> REFUSAL -> LINGER -> closed
 *
 * One request at a time is in work; the next is parsed after its answer was written. Received bytes are used where they
 * are, in the loop's read buffer; only what is left over is copied to conn.in, so that an idle connection has no buffer.
 *
 * A client that half-closes while its request waits for the reply counts as gone, as with most servers: nothing tells a
 * half-close from a close before an answer is written to it. A half-close is no error before (what was sent is read to
 * its end first) and none while an answer is written.
 *
 * The handler is called back only from conn_run, conn_close and refuse(). Anything it calls in turn (http_reply,
 * http_resume) never closes or runs a connection beneath it: conn.busy and the loop's ready list see to that. */
#include "http/private.h"
#include <assert.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOURCE_ARENA_BYTES 8192 /* the last piece of a streamed answer needs no buffer of its own when it is that small */

struct window { /* received bytes in work: in the loop's buffer or in conn.in */
	char *p;
	size_t n;
};
enum step { STEP_ON, STEP_READ, STEP_WAIT, STEP_CLOSE, STEP_TURN };

void conn_new(struct http_loop *l, int fd, const struct sockaddr *peer, socklen_t peer_n, struct via *via)
{
	struct conn *c = xzalloc(sizeof *c);

	c->loop = l;
	c->fd = fd;
	c->state = l->server->tls || l->server->tls_later ? CONN_NEW : CONN_HEAD;
	c->peer_n = peer_n < sizeof c->peer ? peer_n : sizeof c->peer;
	memcpy(&c->peer, peer, c->peer_n);
	c->via = via;
	if (c->peer.sa.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&c->peer.in6.sin6_addr)) {
		/* Whoever compares addresses must not meet 127.0.0.1 in two disguises. */
		struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = c->peer.in6.sin6_port };

		memcpy(&v4.sin_addr, &c->peer.in6.sin6_addr.s6_addr[12], 4);
		c->peer.in = v4;
		c->peer_n = sizeof v4;
	}
	c->next = l->conns;
	if (c->next)
		c->next->prev = c;
	l->conns = c;
	l->n_conns++;
	loop_watch(c, EPOLLIN | EPOLLRDHUP);
	loop_timeout(c, TIMEOUT_IDLE);
}

bool conn_idle(const struct conn *c)
{
	return c->state == CONN_NEW || (c->state == CONN_HEAD && c->in_n == 0);
}

/* req_drop takes the request off its connection; who frees it depends on how far the handler is. */
static void req_drop(struct conn *c)
{
	struct req *q = c->req;

	c->req = NULL;
	if (!q)
		return;
	q->r.conn = NULL;
	if (!q->told) {
		req_free(q);
		return;
	}
	if (q->arrived) {
		if (c->loop->handler->gone)
			c->loop->handler->gone(c->loop->handler->arg, &q->r);
		req_free(q);
	} else if (c->loop->handler->gone) {
		c->loop->handler->gone(c->loop->handler->arg, &q->r); /* may reply, and so free it */
	}
}

void conn_close(struct conn *c)
{
	assert(c->state != CONN_DEAD && !c->busy);
	c->state = CONN_DEAD;
	loop_unlink(c);
	if (c->ssl)
		tls_free(c->ssl);
	c->ssl = NULL;
	close(c->fd); /* also takes it out of the epoll set */
	c->fd = -1;
	free(c->in);
	c->in = NULL;
	if (c->via)
		via_release(c->loop->server, c->via);
	c->via = NULL;
	atomic_fetch_sub(&c->loop->server->connections, 1);
	req_drop(c);
	free(c->own);
	c->own = NULL;
}

/* --- bytes in and out --- */

/* receive: > 0, 0 at the end, -EAGAIN, other negative errno. */
static ssize_t receive(struct conn *c, char *p, size_t n)
{
	ssize_t k;

	if (c->ssl)
		return tls_read(c->ssl, p, n, &c->want_write);
	do
		k = recv(c->fd, p, n, 0);
	while (k < 0 && errno == EINTR);
	return k < 0 ? -errno : k;
}

/* transmit sends what it can of c->out: > 0, or negative errno. */
static ssize_t transmit(struct conn *c)
{
	struct msghdr m = { .msg_iov = c->out, .msg_iovlen = 2 };
	ssize_t k;

	if (c->ssl) {
		/* One record of head and body. A retry gathers the same bytes again, as OpenSSL demands. */
		char *buf = c->loop->tls_buf;
		size_t n = c->out[0].iov_len < TLS_RECORD_BYTES ? c->out[0].iov_len : TLS_RECORD_BYTES;
		size_t more = c->out[1].iov_len < TLS_RECORD_BYTES - n ? c->out[1].iov_len : TLS_RECORD_BYTES - n;

		if (n == 0)
			return tls_write(c->ssl, c->out[1].iov_base, c->out[1].iov_len);
		memcpy(buf, c->out[0].iov_base, n);
		if (more)
			memcpy(buf + n, c->out[1].iov_base, more);
		return tls_write(c->ssl, buf, n + more);
	}
	do
		k = sendmsg(c->fd, &m, MSG_NOSIGNAL);
	while (k < 0 && errno == EINTR);
	return k < 0 ? -errno : k;
}

static void out_advance(struct conn *c, size_t k)
{
	for (int i = 0; i < 2; i++) {
		size_t part = k < c->out[i].iov_len ? k : c->out[i].iov_len;

		c->out[i].iov_base = (char *)c->out[i].iov_base + part;
		c->out[i].iov_len -= part;
		k -= part;
	}
	assert(k == 0);
}

/* refill_chunk: the same for an answer in chunks; -EAGAIN: its source has nothing yet. */
static int refill_chunk(struct conn *c)
{
	static const char last[] = "0\r\n\r\n";
	struct req *q = c->req;
	char head[24];
	size_t before = q->info.http10 ? 0 : HTTP_CHUNK_HEAD_BYTES;
	ssize_t k;

	if (q->ended)
		return 0;
	if (!c->own)
		c->own = xmalloc(HTTP_SOURCE_BYTES);
	k = q->source.read(q->source.arg, c->own + before, HTTP_SOURCE_BYTES - HTTP_CHUNK_HEAD_BYTES - 2);
	if (k < 0)
		return (int)k;
	q->ended = k == 0;
	if (q->info.http10) {
		c->out[1] = (struct iovec){ c->own, (size_t)k };
	} else if (q->ended) {
		c->out[1] = (struct iovec){ (void *)(uintptr_t)last, sizeof last - 1 };
	} else {
		(void)snprintf(head, sizeof head, "%04zx\r\n", (size_t)k);
		memcpy(c->own, head, before);
		memcpy(c->own + before + k, "\r\n", 2);
		c->out[1] = (struct iovec){ c->own, before + (size_t)k + 2 };
	}
	return c->out[1].iov_len > 0;
}

/* refill gets the next piece of a streamed answer: 1, 0 when there is none to get, negative errno. */
static int refill(struct conn *c)
{
	struct req *q = c->req;
	size_t n = HTTP_SOURCE_BYTES;
	char *to = c->own;
	ssize_t k;

	if (q && q->chunked)
		return refill_chunk(c);
	if (!q || q->source_left == 0)
		return 0;
	if (n > q->source_left)
		n = (size_t)q->source_left;
	if (n == q->source_left && n <= SOURCE_ARENA_BYTES)
		to = arena_alloc(&q->r.arena, n);
	else if (!c->own) /* what is left never grows */
		to = c->own = xmalloc(n);
	k = q->source.read(q->source.arg, to, n);
	if (k <= 0 || (size_t)k > n)
		return k < 0 ? (int)k : -EIO; /* a source that ends early: the client must see the cut */
	q->source_left -= (size_t)k;
	c->out[1] = (struct iovec){ to, (size_t)k };
	return 1;
}

/* flush writes: 0 all is written, 1 the turn is over, -EAGAIN, other negative errno. */
static int flush(struct conn *c)
{
	size_t moved = 0;

	for (;;) {
		ssize_t k;

		if (c->out[1].iov_len == 0) {
			int r = refill(c);

			if (r == -EAGAIN && c->req->chunked) {
				if (c->out[0].iov_len == 0) {
					c->starved = true;
					loop_timeout(c, TIMEOUT_NONE); /* it is not the client who is slow */
					return -EAGAIN;
				}
			} else if (r < 0) {
				return r == -EAGAIN ? -EIO : r;
			}
			if (r == 0 && c->out[0].iov_len == 0)
				return 0;
		}
		if (moved > 0)
			loop_timeout(c, TIMEOUT_STALL);
		if (moved >= HTTP_TURN_BYTES)
			return 1;
		k = transmit(c);
		if (k <= 0)
			return k < 0 ? (int)k : -EPIPE;
		out_advance(c, (size_t)k);
		moved += (size_t)k;
	}
}

static void take(struct window *w, size_t k)
{
	assert(k <= w->n);
	w->p += k;
	w->n -= k;
}

/* save keeps the unused bytes of the loop's buffer for later. */
static void save(struct conn *c, struct window *w)
{
	bool owned = c->in && w->p >= c->in && w->p <= c->in + c->in_cap;

	if (w->n == 0) {
		free(c->in);
		c->in = NULL;
		c->in_off = c->in_n = c->in_cap = 0;
		return;
	}
	if (!owned) {
		assert(!c->in);
		c->in_cap = w->n < 2048 ? 4096 : w->n * 2 < HTTP_READ_BYTES ? w->n * 2 : HTTP_READ_BYTES;
		c->in = xmalloc(c->in_cap);
		memcpy(c->in, w->p, w->n);
		w->p = c->in;
	}
	c->in_off = (size_t)(w->p - c->in);
	c->in_n = w->n;
}

/* fill reads more bytes behind those in w. What receive() returns; *ret_full: there may be more to read at once. */
static ssize_t fill(struct conn *c, struct window *w, bool *ret_full)
{
	size_t room = HTTP_READ_BYTES;
	ssize_t k;

	save(c, w);
	if (c->in) {
		memmove(c->in, c->in + c->in_off, c->in_n);
		c->in_off = 0;
		if (c->in_n == c->in_cap) {
			assert(c->in_cap < HTTP_READ_BYTES); /* heads and trailers are refused before */
			c->in_cap = c->in_cap * 2 < HTTP_READ_BYTES ? c->in_cap * 2 : HTTP_READ_BYTES;
			c->in = xrealloc(c->in, c->in_cap);
		}
		w->p = c->in;
		room = c->in_cap - c->in_n;
		k = receive(c, c->in + c->in_n, room);
	} else {
		w->p = c->loop->read_buf;
		k = receive(c, w->p, room);
	}
	if (k > 0)
		w->n += (size_t)k;
	*ret_full = k > 0 && (size_t)k == room;
	return k;
}

/* --- ends --- */

/* refuse answers with an error of the front's own and closes; the handler hears that its request is gone. */
static enum step refuse(struct conn *c, int status)
{
	size_t n;

	req_drop(c);
	free(c->own);
	c->own = reply_refusal(status, loop_date(c->loop), &n);
	c->out[0] = (struct iovec){ c->own, n };
	c->out[1] = (struct iovec){ NULL, 0 };
	c->unread = true;
	c->state = CONN_REFUSAL;
	loop_timeout(c, TIMEOUT_STALL);
	return STEP_ON;
}

/* hang_up ends a connection whose last answer was written. With bytes of the client unread, close() would reset the
 * connection and could destroy the answer on its way: then we only stop sending, and read away what still comes. */
static enum step hang_up(struct conn *c, struct window *w)
{
	bool linger = c->unread || w->n > 0;

	if (c->ssl)
		tls_goodbye(c->ssl);
	if (!linger)
		return STEP_CLOSE;
	w->n = 0;
	if (shutdown(c->fd, SHUT_WR) < 0)
		return STEP_CLOSE;
	c->state = CONN_LINGER;
	loop_timeout(c, TIMEOUT_LINGER);
	return STEP_READ;
}

/* drain reads away in CONN_LINGER; the timeout is not moved by it. */
static enum step drain(struct conn *c)
{
	size_t moved = 0;
	ssize_t k;

	while (moved < HTTP_TURN_BYTES) {
		k = recv(c->fd, c->loop->read_buf, HTTP_READ_BYTES, 0);
		if (k == 0 || (k < 0 && errno != EAGAIN && errno != EINTR))
			return STEP_CLOSE;
		if (k < 0)
			break;
		moved += (size_t)k;
	}
	return STEP_WAIT;
}

/* --- the states --- */

static SSL_CTX *context(const struct http_server *s)
{
	return s->tls_later ? s->tls_later(s->tls_arg) : s->tls;
}

static enum step on_new(struct conn *c)
{
	char first;
	ssize_t k = recv(c->fd, &first, 1, MSG_PEEK);

	if (k < 0 && (errno == EAGAIN || errno == EINTR))
		return STEP_WAIT;
	if (k <= 0)
		return STEP_CLOSE;
	loop_timeout(c, TIMEOUT_HEADER);
	if (first == 0x16) { /* a TLS handshake record; no method begins like that */
		c->ssl = tls_new(context(c->loop->server), c->fd);
		c->state = CONN_HANDSHAKE;
		return c->ssl ? STEP_ON : STEP_CLOSE;
	}
	c->state = CONN_HEAD;
	return c->loop->server->tls_only ? refuse(c, 400) : STEP_READ;
}

static enum step on_handshake(struct conn *c)
{
	int r = tls_handshake(c->ssl, &c->want_write);

	if (r == -EAGAIN)
		return STEP_WAIT;
	if (r < 0)
		return STEP_CLOSE;
	c->state = CONN_HEAD;
	loop_timeout(c, TIMEOUT_IDLE);
	return STEP_READ;
}

/* request_ready: the request is complete, or nothing more of it will be read; on to the reply. */
static enum step request_ready(struct conn *c, bool unread)
{
	loop_timeout(c, TIMEOUT_NONE);
	c->unread = unread;
	c->state = CONN_WAIT;
	return STEP_ON;
}

static enum step request_done(struct conn *c)
{
	struct req *q = c->req;

	if (q->body)
		q->r.body = str_of(q->body, (size_t)q->body_seen);
	else if (q->r.body_mode == HTTP_BODY_MEMORY)
		q->r.body = S("");
	loop_timeout(c, TIMEOUT_NONE);
	c->unread = false;
	c->state = CONN_WAIT;
	c->loop->handler->done(c->loop->handler->arg, &q->r);
	return STEP_ON;
}

/* send_continue: a client that waits for it gets the 100. When there's no room for it the client goes on by itself. */
static enum step send_continue(struct conn *c)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
	ssize_t k;

	if (c->ssl) {
		k = tls_write(c->ssl, text, sizeof text - 1);
		return k == sizeof text - 1 ? STEP_ON : STEP_CLOSE;
	}
	k = send(c->fd, text, sizeof text - 1, MSG_NOSIGNAL);
	return k == sizeof text - 1 || (k < 0 && errno == EAGAIN) ? STEP_ON : STEP_CLOSE;
}

/* head_complete shows the head to the handler and decides what happens with the body. */
static enum step head_complete(struct conn *c, struct window *w)
{
	struct req *q = c->req;
	struct http_request *r = &q->r;

	if (r->has_body && !r->chunked && r->content_length <= HTTP_BODY_ARENA_BYTES) {
		q->body = arena_alloc(&r->arena, (size_t)r->content_length);
		q->body_cap = (size_t)r->content_length;
	}
	q->told = true;
	c->loop->handler->headers(c->loop->handler->arg, r);
	if (q->arrived || atomic_load(&q->replied) || r->body_mode == HTTP_BODY_REFUSE)
		return request_ready(c, r->has_body);
	if (!r->has_body)
		return request_done(c);
	if (r->body_mode == HTTP_BODY_MEMORY && r->body_max > HTTP_BODY_MEMORY_MAX)
		r->body_max = HTTP_BODY_MEMORY_MAX;
	if (r->content_length > r->body_max)
		return refuse(c, 413);
	if (r->body_mode == HTTP_BODY_STREAM)
		q->body = NULL;
	c->chunk = (struct parse_chunked){ 0 };
	c->body_left = r->content_length;
	c->state = CONN_BODY;
	loop_timeout(c, TIMEOUT_STALL);
	return q->info.expect_continue && w->n == 0 ? send_continue(c) : STEP_ON;
}

static enum step on_head(struct conn *c, struct window *w)
{
	ssize_t n = parse_scan_head(&c->scan, w->p, w->n);
	struct req *q;
	char *copy;
	size_t skip = c->scan.start;
	int r;

	if (n == 0) {
		if (w->n > 0 && c->timer != TIMEOUT_HEADER)
			loop_timeout(c, TIMEOUT_HEADER);
		return STEP_READ;
	}
	if (n < 0)
		return refuse(c, (int)-n);
	assert(!c->req);
	q = c->req = req_new(c->loop);
	q->r.conn = c;
	q->r.tls = c->ssl != NULL;
	memcpy(&q->r.peer, &c->peer, c->peer_n);
	q->r.via = c->via ? str_dup(&q->r.arena, via_name(c->via)) : STR_NONE;
	copy = arena_alloc(&q->r.arena, (size_t)n - skip);
	memcpy(copy, w->p + skip, (size_t)n - skip);
	take(w, (size_t)n);
	r = parse_head(&q->r.arena, copy, (size_t)n - skip, c->scan.lines, &q->r, &q->info);
	c->scan = (struct parse_scan){ 0 };
	if (r < 0)
		return refuse(c, -r);
	return head_complete(c, w);
}

/* collect appends to a body kept in memory; false when there is no room for it. */
static bool collect(struct req *q, struct str piece)
{
	size_t have = (size_t)q->body_seen, need = have + piece.n;

	if (need > q->body_cap) {
		size_t cap = q->body_cap * 2 > need ? q->body_cap * 2 : need < 4096 ? 4096 : need;

		assert(!q->body || q->body_heap);
		if (!q->r.chunked && cap > q->r.content_length)
			cap = (size_t)q->r.content_length;
		if (!req_body_grow(q, cap))
			return false;
	}
	memcpy(q->body + have, piece.p, piece.n);
	return true;
}

/* deliver hands a piece of the body on. */
static enum step deliver(struct conn *c, struct str piece)
{
	struct req *q = c->req;
	int r;

	if (piece.n > q->r.body_max - q->body_seen)
		return refuse(c, 413);
	if (q->r.body_mode == HTTP_BODY_MEMORY) {
		if (!collect(q, piece))
			return refuse(c, 503);
		q->body_seen += piece.n;
		return STEP_ON;
	}
	q->body_seen += piece.n;
	r = c->loop->handler->body(c->loop->handler->arg, &q->r, piece);
	if (r < 0 || q->arrived)
		return request_ready(c, q->r.chunked || c->body_left > 0);
	if (r > 0) {
		c->paused = true;
		loop_timeout(c, TIMEOUT_NONE);
	}
	return STEP_ON;
}

static enum step on_body(struct conn *c, struct window *w)
{
	struct str piece;
	size_t used;
	int r;

	if (c->paused)
		return STEP_WAIT;
	if (!c->req->r.chunked) {
		if (c->body_left == 0)
			return request_done(c);
		if (w->n == 0)
			return STEP_READ;
		piece = str_of(w->p, w->n < c->body_left ? w->n : (size_t)c->body_left);
		c->body_left -= piece.n;
		take(w, piece.n);
		loop_timeout(c, TIMEOUT_STALL);
		return deliver(c, piece);
	}
	if (w->n == 0)
		return STEP_READ;
	loop_timeout(c, TIMEOUT_STALL);
	r = parse_chunked(&c->chunk, w->p, w->n, &used, &piece);
	if (r < 0)
		return refuse(c, -r);
	take(w, used);
	if (r == PARSE_DATA)
		return deliver(c, piece);
	if (r == PARSE_MORE)
		return STEP_READ;
	c->scan = (struct parse_scan){ 0 };
	c->state = CONN_TRAILERS;
	return STEP_ON;
}

static enum step on_trailers(struct conn *c, struct window *w)
{
	struct req *q = c->req;
	ssize_t n = parse_scan_trailers(&c->scan, w->p, w->n);
	int r = 0;

	if (n == 0)
		return STEP_READ;
	if (n < 0)
		return refuse(c, (int)-n);
	if (c->scan.lines > 0)
		r = parse_trailers(&q->own, arena_dup(&q->own, w->p, (size_t)n), (size_t)n, c->scan.lines, &q->r);
	c->scan = (struct parse_scan){ 0 };
	take(w, (size_t)n);
	if (r < 0)
		return refuse(c, -r);
	return request_done(c);
}

/* begin_reply: the handler's answer is there and its request in work. */
static void begin_reply(struct conn *c)
{
	struct req *q = c->req;
	struct str head;

	c->closing = q->close || c->unread || !q->info.keep_alive || c->loop->draining;
	head = reply_finish(q, loop_date(c->loop), c->closing);
	c->out[0].iov_base = q->head;
	c->out[0].iov_len = head.n;
	c->out[1] = (struct iovec){ (void *)(uintptr_t)q->answer.p, q->answer.n };
	c->state = CONN_REPLY;
	loop_timeout(c, TIMEOUT_STALL);
}

/* on_reply writes; with it written, the next request may come. */
static enum step on_reply(struct conn *c, struct window *w)
{
	struct req *q = c->req;
	int r = flush(c);

	if (r != 0)
		return r == 1 ? STEP_TURN : r == -EAGAIN ? STEP_WAIT : STEP_CLOSE;
	free(c->own);
	c->own = NULL;
	if (c->state == CONN_REFUSAL)
		return hang_up(c, w);
	c->req = NULL;
	req_free(q);
	if (c->closing || c->loop->draining)
		return hang_up(c, w);
	c->state = CONN_HEAD;
	loop_timeout(c, TIMEOUT_IDLE);
	return STEP_ON;
}

static enum step step(struct conn *c, struct window *w)
{
	switch (c->state) {
	case CONN_NEW:
		return on_new(c);
	case CONN_HANDSHAKE:
		return on_handshake(c);
	case CONN_HEAD:
		return on_head(c, w);
	case CONN_BODY:
		return on_body(c, w);
	case CONN_TRAILERS:
		return on_trailers(c, w);
	case CONN_WAIT:
		if (!c->req->arrived)
			return STEP_WAIT;
		begin_reply(c);
		return STEP_ON;
	case CONN_REPLY:
	case CONN_REFUSAL:
		return on_reply(c, w);
	default:
		assert(c->state == CONN_LINGER);
		return drain(c);
	}
}

/* advance takes steps until bytes, the handler or the socket have to be waited for. */
static enum step advance(struct conn *c, struct window *w)
{
	enum step s;
	bool full = true;
	size_t moved = 0;
	ssize_t k;

	for (;;) {
		s = step(c, w);
		if (s == STEP_ON)
			continue;
		if (s != STEP_READ || c->state == CONN_LINGER)
			return s;
		if (!full && !(c->ssl && tls_pending(c->ssl)))
			return STEP_WAIT; /* the last read emptied the socket */
		if (moved >= HTTP_TURN_BYTES)
			return STEP_TURN;
		k = fill(c, w, &full);
		if (k == -EAGAIN)
			return STEP_WAIT;
		if (k <= 0)
			return STEP_CLOSE;
		moved += (size_t)k;
	}
}

/* watch asks for the events the state needs. EPOLLIN stays asked for while the handler works, and is only given up if
 * bytes do come (conn_event): most clients send nothing before the answer. */
static void watch(struct conn *c)
{
	switch (c->state) {
	case CONN_WAIT:
		loop_watch(c, (c->armed & EPOLLIN) | EPOLLRDHUP);
		return;
	case CONN_REPLY:
	case CONN_REFUSAL:
		loop_watch(c, c->starved ? 0 : EPOLLOUT);
		return;
	case CONN_LINGER:
		loop_watch(c, EPOLLIN);
		return;
	default:
		if (c->paused)
			return;
		loop_watch(c, c->want_write ? EPOLLOUT : EPOLLIN | EPOLLRDHUP);
	}
}

void conn_run(struct conn *c)
{
	struct window w = { c->in ? c->in + c->in_off : NULL, c->in_n };
	enum step s;

	assert(c->state != CONN_DEAD && !c->busy);
	c->busy = true;
	s = advance(c, &w);
	c->busy = false;
	if (s == STEP_CLOSE) {
		conn_close(c);
		return;
	}
	save(c, &w);
	if (s == STEP_TURN)
		loop_ready(c);
	else
		watch(c);
}

void conn_event(struct conn *c, uint32_t ev)
{
	if (c->state == CONN_DEAD)
		return;
	if (ev & (EPOLLERR | EPOLLHUP)) {
		conn_close(c);
		return;
	}
	if (c->state == CONN_WAIT) {
		if (ev & EPOLLRDHUP)
			conn_close(c);
		else
			loop_watch(c, EPOLLRDHUP);
		return;
	}
	if (c->paused) {
		loop_watch(c, 0); /* errors are told all the same */
		return;
	}
	if (c->state == CONN_REPLY && (c->starved || !(ev & EPOLLOUT))) {
		watch(c);
		return;
	}
	conn_run(c);
}

void conn_expired(struct conn *c)
{
	enum timeout_kind k = c->timer;

	assert(!c->busy);
	if ((k == TIMEOUT_HEADER && c->state == CONN_HEAD && c->in_n > 0) ||
	    (k == TIMEOUT_STALL && (c->state == CONN_BODY || c->state == CONN_TRAILERS))) {
		refuse(c, 408);
		free(c->in);
		c->in = NULL;
		c->in_off = c->in_n = c->in_cap = 0;
		conn_run(c);
		return;
	}
	if (c->ssl && conn_idle(c))
		tls_goodbye(c->ssl);
	conn_close(c);
}

/* --- what the handler causes --- */

void conn_replied(struct req *q)
{
	struct conn *c = q->r.conn;

	assert(!q->arrived);
	q->arrived = true;
	if (!c) {
		req_free(q);
		return;
	}
	if (c->busy)
		return;
	/* Between events: write at once, but leave everything that could call a handler to the loop's next turn. */
	if (c->state != CONN_WAIT) {
		assert(c->state == CONN_BODY || c->state == CONN_TRAILERS);
		c->unread = true;
		c->paused = false;
		c->state = CONN_WAIT;
	}
	begin_reply(c);
	loop_ready(c);
}

void conn_resumed(struct req *q)
{
	struct conn *c = q->r.conn;

	atomic_store(&q->resume_posted, false);
	if (!c || !c->paused)
		return;
	c->paused = false;
	loop_timeout(c, TIMEOUT_STALL);
	if (!c->busy)
		loop_ready(c);
}

void conn_continued(struct req *q)
{
	struct conn *c = q->r.conn;

	if (!c || !c->starved)
		return;
	assert(c->state == CONN_REPLY && !c->busy);
	c->starved = false;
	loop_timeout(c, TIMEOUT_STALL);
	loop_ready(c);
}
