/* SPDX-License-Identifier: Apache-2.0 */
/* loop.c - event loops: epoll, listeners, timers, timeouts, posts from other threads; starting and stopping a server.
 *
 * A turn: wait; events; posts; timers; timeouts; connections made ready meanwhile; and only then the memory of closed
 * connections is freed, so nothing in a turn meets a freed one. Timeouts of one kind all last equally long: a list in
 * order of setting is in order of expiry. */
#include "http/private.h"
#include "base/util.h"
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EVENTS_MAX 256
#define BACKLOG 4096

struct timer {
	int64_t at_ms;
	void (*fn)(void *arg);
	void *arg;
	size_t i; /* place in the heap */
};

static _Thread_local struct http_loop *current;

bool loop_is_current(const struct http_loop *l)
{
	return current == l;
}

/* --- timers: a binary heap --- */

static void heap_set(struct http_loop *l, size_t i, struct timer *t)
{
	l->heap[i] = t;
	t->i = i;
}

static void heap_up(struct http_loop *l, size_t i)
{
	struct timer *t = l->heap[i];

	for (; i > 0 && l->heap[(i - 1) / 2]->at_ms > t->at_ms; i = (i - 1) / 2)
		heap_set(l, i, l->heap[(i - 1) / 2]);
	heap_set(l, i, t);
}

static void heap_down(struct http_loop *l, size_t i)
{
	struct timer *t = l->heap[i];

	for (size_t k; (k = 2 * i + 1) < l->heap_n; i = k) {
		if (k + 1 < l->heap_n && l->heap[k + 1]->at_ms < l->heap[k]->at_ms)
			k++;
		if (l->heap[k]->at_ms >= t->at_ms)
			break;
		heap_set(l, i, l->heap[k]);
	}
	heap_set(l, i, t);
}

static void heap_remove(struct http_loop *l, size_t i)
{
	struct timer *last;

	assert(i < l->heap_n);
	last = l->heap[--l->heap_n];
	if (i == l->heap_n)
		return;
	heap_set(l, i, last);
	heap_up(l, i);
	heap_down(l, last->i);
}

void *http_timer(struct http_loop *l, int64_t delay_ms, void (*fn)(void *arg), void *arg)
{
	struct timer *t = xmalloc(sizeof *t);

	assert(loop_is_current(l));
	/* From now, not from the turn's beginning: a handler may have worked for long in between. */
	*t = (struct timer){ .at_ms = clock_mono_ms() + (delay_ms > 0 ? delay_ms : 0), .fn = fn, .arg = arg };
	if (l->heap_n == l->heap_cap) {
		l->heap_cap = l->heap_cap ? l->heap_cap * 2 : 64;
		l->heap = xrealloc(l->heap, l->heap_cap * sizeof *l->heap);
	}
	heap_set(l, l->heap_n++, t);
	heap_up(l, t->i);
	return t;
}

void http_timer_cancel(struct http_loop *l, void *timer)
{
	struct timer *t = timer;

	assert(loop_is_current(l) && t->i < l->heap_n && l->heap[t->i] == t);
	heap_remove(l, t->i);
	free(t);
}

static void run_timers(struct http_loop *l)
{
	int64_t now = l->now_ms; /* what a timer sets anew with no delay waits for the next turn */

	for (size_t n = l->heap_n; n > 0 && l->heap_n > 0 && l->heap[0]->at_ms <= now; n--) {
		struct timer t = *l->heap[0], *first = l->heap[0];

		heap_remove(l, 0);
		free(first);
		t.fn(t.arg);
	}
}

/* --- timeouts of connections --- */

static void timeout_unlink(struct conn *c)
{
	struct timer_list *t = &c->loop->timeouts[c->timer];

	if (c->timer == TIMEOUT_NONE)
		return;
	*(c->timer_prev ? &c->timer_prev->timer_next : &t->first) = c->timer_next;
	*(c->timer_next ? &c->timer_next->timer_prev : &t->last) = c->timer_prev;
	c->timer_prev = c->timer_next = NULL;
	c->timer = TIMEOUT_NONE;
}

void loop_timeout(struct conn *c, enum timeout_kind k)
{
	struct timer_list *t = &c->loop->timeouts[k];

	timeout_unlink(c);
	if (k == TIMEOUT_NONE)
		return;
	c->timer = k;
	c->deadline = c->loop->now_ms + t->ms;
	c->timer_prev = t->last;
	*(t->last ? &t->last->timer_next : &t->first) = c;
	t->last = c;
}

static void run_timeouts(struct http_loop *l)
{
	for (int k = TIMEOUT_NONE + 1; k < TIMEOUT_KINDS; k++) {
		struct conn *c;

		while ((c = l->timeouts[k].first) && c->deadline <= l->now_ms)
			conn_expired(c);
	}
}

static int wait_ms(const struct http_loop *l)
{
	int64_t at = l->heap_n > 0 ? l->heap[0]->at_ms : INT64_MAX, now = l->now_ms; /* the turn's: late by its length at most */

	if (l->ready_first)
		return 0;
	for (int k = TIMEOUT_NONE + 1; k < TIMEOUT_KINDS; k++)
		if (l->timeouts[k].first && l->timeouts[k].first->deadline < at)
			at = l->timeouts[k].first->deadline;
	if (l->draining && l->drain_ms < at)
		at = l->drain_ms;
	if (at == INT64_MAX)
		return -1;
	return at <= now ? 0 : at - now > 60000 ? 60000 : (int)(at - now);
}

/* --- connections in the loop --- */

void loop_watch(struct conn *c, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = c };
	int r;

	if (c->watched && c->armed == events)
		return;
	r = epoll_ctl(c->loop->ep, c->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &ev);
	if (r < 0) { /* only for lack of kernel memory; the connection can't be served */
		log_line(LOG_ERROR, "http: epoll_ctl: %m");
		shutdown(c->fd, SHUT_RDWR);
	}
	c->watched = true;
	c->armed = events;
}

void loop_ready(struct conn *c)
{
	struct http_loop *l = c->loop;

	if (c->ready)
		return;
	c->ready = true;
	c->ready_next = NULL;
	*(l->ready_last ? &l->ready_last->ready_next : &l->ready_first) = c;
	l->ready_last = c;
}

static void run_ready(struct http_loop *l)
{
	struct conn *c = l->ready_first, *next;

	l->ready_first = l->ready_last = NULL;
	for (; c; c = next) {
		next = c->ready_next;
		c->ready = false;
		if (c->state != CONN_DEAD)
			conn_run(c);
	}
}

void loop_unlink(struct conn *c)
{
	struct http_loop *l = c->loop;

	timeout_unlink(c);
	*(c->prev ? &c->prev->next : &l->conns) = c->next;
	if (c->next)
		c->next->prev = c->prev;
	l->n_conns--;
	c->next = l->dead;
	l->dead = c;
}

static void free_dead(struct http_loop *l)
{
	struct conn *c = l->dead, *next, *kept = NULL;

	for (; c; c = next) {
		next = c->next;
		if (c->ready) {
			c->next = kept;
			kept = c;
		} else {
			free(c);
		}
	}
	l->dead = kept;
}

struct str loop_date(struct http_loop *l)
{
	int64_t now_s;

	if (l->date_checked_ms == l->now_ms)
		return str_of(l->date, HTTP_DATE_BYTES);
	l->date_checked_ms = l->now_ms;
	now_s = clock_now_ms() / 1000;
	if (now_s != l->date_s) {
		struct arena a = { 0 };
		struct str s = time_http(&a, now_s * 1000);

		assert(s.n == HTTP_DATE_BYTES);
		memcpy(l->date, s.p, HTTP_DATE_BYTES);
		l->date_s = now_s;
		arena_done(&a);
	}
	return str_of(l->date, HTTP_DATE_BYTES);
}

/* --- posts --- */

bool loop_post(struct http_loop *l, struct post *p)
{
	bool ended, first;

	p->next = NULL;
	pthread_mutex_lock(&l->mutex);
	ended = l->ended;
	first = !l->posts;
	if (!ended) {
		*l->posts_tail = p;
		l->posts_tail = &p->next;
		/* One wake-up for all that is posted until the loop looks. Under the mutex: the loop can't end before. */
		if (first)
			(void)!write(l->wake, &(uint64_t){ 1 }, sizeof(uint64_t));
	}
	pthread_mutex_unlock(&l->mutex);
	return !ended;
}

void http_post(struct http_loop *l, void (*fn)(void *arg), void *arg)
{
	struct post *p = xmalloc(sizeof *p);

	*p = (struct post){ .fn = fn, .arg = arg, .heap = true };
	if (!loop_post(l, p))
		free(p);
}

static struct post *take_posts(struct http_loop *l)
{
	struct post *p = l->posts;

	l->posts = NULL;
	l->posts_tail = &l->posts;
	return p;
}

static void run_posts(struct post *p)
{
	while (p) {
		struct post *next = p->next, this = *p;

		if (this.heap)
			free(p);
		this.fn(this.arg); /* may free what p is part of */
		p = next;
	}
}

static void on_wake(struct http_loop *l)
{
	struct post *p;
	uint64_t n;

	pthread_mutex_lock(&l->mutex);
	(void)!read(l->wake, &n, sizeof n);
	p = take_posts(l);
	pthread_mutex_unlock(&l->mutex);
	run_posts(p);
}

static void loop_free(struct http_loop *l)
{
	pthread_mutex_destroy(&l->mutex);
	close(l->wake);
	free(l);
}

void loop_orphan(struct req *q)
{
	struct http_loop *l = q->r.loop;
	bool last;

	pthread_mutex_lock(&l->mutex);
	assert(l->ended && !q->r.conn);
	q->arrived = true;
	req_free(q);
	last = l->released && l->live == 0;
	pthread_mutex_unlock(&l->mutex);
	if (last)
		loop_free(l);
}

/* --- accepting --- */

static void listen_on(struct http_loop *l, bool on)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = &l->listener };

	if (l->listening == on || l->listener < 0)
		return;
	l->listening = on;
	if (epoll_ctl(l->ep, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, l->listener, &ev) < 0)
		log_line(LOG_ERROR, "http: epoll_ctl on the listener: %m");
}

static void accept_again(void *arg)
{
	struct http_loop *l = arg;

	l->accept_timer = NULL;
	listen_on(l, true);
}

/* accept_pause leaves new clients in the backlog for a moment; a level-triggered listener would spin. */
static void accept_pause(struct http_loop *l)
{
	listen_on(l, false);
	if (!l->accept_timer)
		l->accept_timer = http_timer(l, HTTP_ACCEPT_PAUSE_MS, accept_again, l);
}

/* make_room closes the connection of this loop that has been idle for longest. */
static bool make_room(struct http_loop *l)
{
	struct conn *c = l->timeouts[TIMEOUT_IDLE].first;

	if (!c || !conn_idle(c))
		return false;
	conn_close(c);
	return true;
}

static void on_accept(struct http_loop *l)
{
	struct http_server *s = l->server;

	/* That a client waits is only certain for the first one: no room is made for the others, they bring a new event. */
	for (int i = 0; i < HTTP_ACCEPTS_MAX && l->listening; i++) {
		struct sockaddr_storage peer;
		socklen_t n = sizeof peer;
		int fd;

		if (atomic_load(&s->connections) >= s->connections_max && !(i == 0 && make_room(l))) {
			if (i == 0)
				accept_pause(l);
			return;
		}
		fd = accept4(l->listener, (struct sockaddr *)&peer, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
				if (i == 0 && !make_room(l))
					accept_pause(l);
				return;
			}
			if (errno == EAGAIN)
				return;
			continue; /* the client gave up, or a network error: accept(2) */
		}
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
		atomic_fetch_add(&s->connections, 1);
		conn_new(l, fd, (struct sockaddr *)&peer, n, NULL);
	}
}

/* --- the loop --- */

static void drain(void *arg)
{
	struct http_loop *l = arg;
	struct conn *next;

	l->draining = true;
	l->drain_ms = clock_mono_ms() + l->server->grace_ms;
	listen_on(l, false);
	close(l->listener);
	l->listener = -1;
	for (struct conn *c = l->conns; c; c = next) {
		next = c->next;
		if (!conn_idle(c))
			continue;
		if (c->ssl)
			tls_goodbye(c->ssl);
		conn_close(c);
	}
}

static void turn(struct http_loop *l)
{
	struct epoll_event ev[EVENTS_MAX];
	bool accepting = false, woken = false;
	int n = epoll_wait(l->ep, ev, EVENTS_MAX, wait_ms(l));

	l->now_ms = clock_mono_ms();
	for (int i = 0; i < n; i++) {
		if (ev[i].data.ptr == &l->listener)
			accepting = true;
		else if (ev[i].data.ptr == &l->wake)
			woken = true;
		else
			conn_event(ev[i].data.ptr, ev[i].events);
	}
	if (accepting)
		on_accept(l);
	if (woken)
		on_wake(l);
	run_timers(l);
	run_timeouts(l);
	run_ready(l);
	free_dead(l);
}

/* finish closes what is left after the grace, runs the posts that are still there, and marks the loop ended. */
static void finish(struct http_loop *l)
{
	struct post *p;
	bool more = true;

	while (more) {
		while (l->conns)
			conn_close(l->conns);
		run_ready(l);
		pthread_mutex_lock(&l->mutex);
		p = take_posts(l);
		more = p || l->conns;
		if (!more)
			l->ended = true;
		pthread_mutex_unlock(&l->mutex);
		run_posts(p);
	}
	free_dead(l);
	for (struct req *q; (q = l->pool);) {
		l->pool = q->next;
		arena_done(&q->r.arena);
		free(q);
	}
	for (size_t i = 0; i < l->heap_n; i++)
		free(l->heap[i]);
	free(l->heap);
	l->heap = NULL;
	l->heap_n = 0;
	free(l->read_buf);
	free(l->tls_buf);
	close(l->ep);
}

static void *loop_main(void *arg)
{
	struct http_loop *l = arg;

	current = l;
	l->now_ms = clock_mono_ms();
	listen_on(l, true);
	while (!l->draining || (l->conns && l->now_ms < l->drain_ms))
		turn(l);
	finish(l);
	current = NULL;
	return NULL;
}

static int loop_new(struct http_server *s, int listener, const struct http_opts *o, struct http_loop **ret)
{
	struct http_loop *l = xzalloc(sizeof *l);
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = &l->wake };

	l->server = s;
	l->handler = &s->handler;
	l->listener = listener;
	l->date_s = l->date_checked_ms = -1;
	l->posts_tail = &l->posts;
	pthread_mutex_init(&l->mutex, NULL);
	l->timeouts[TIMEOUT_IDLE].ms = o->idle_timeout_ms > 0 ? o->idle_timeout_ms : HTTP_IDLE_TIMEOUT_MS;
	l->timeouts[TIMEOUT_HEADER].ms = o->header_timeout_ms > 0 ? o->header_timeout_ms : HTTP_HEADER_TIMEOUT_MS;
	l->timeouts[TIMEOUT_STALL].ms = o->stall_timeout_ms > 0 ? o->stall_timeout_ms : HTTP_STALL_TIMEOUT_MS;
	l->timeouts[TIMEOUT_LINGER].ms = HTTP_LINGER_TIMEOUT_MS;
	l->ep = epoll_create1(EPOLL_CLOEXEC);
	l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->ep < 0 || l->wake < 0 || epoll_ctl(l->ep, EPOLL_CTL_ADD, l->wake, &ev) < 0) {
		int r = -errno;

		if (l->ep >= 0)
			close(l->ep);
		if (l->wake >= 0)
			close(l->wake);
		free(l);
		return r;
	}
	l->read_buf = xmalloc(HTTP_READ_BYTES);
	l->tls_buf = xmalloc(TLS_RECORD_BYTES);
	*ret = l;
	return 0;
}

/* --- the server --- */

/* address splits "host:port" and resolves it; "[::1]:0", "127.0.0.1:0", ":4566" (every address). */
static int address(const char *text, struct addrinfo **ret)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
	struct str all = str_c(text), host;
	ptrdiff_t colon = str_rfind_char(all, ':');
	uint64_t port;
	char name[256];

	if (colon < 0 || str_to_u64(str_skip(all, (size_t)colon + 1), &port) < 0 || port > 65535)
		return -EINVAL;
	host = str_of(all.p, (size_t)colon);
	if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = str_of(host.p + 1, host.n - 2);
	else if (str_find_char(host, ':') >= 0)
		return -EINVAL;
	if (host.n >= sizeof name)
		return -EINVAL;
	if (host.n == 0)
		host = S("::");
	memcpy(name, host.p, host.n);
	name[host.n] = '\0';
	return getaddrinfo(name, text + colon + 1, &hints, ret) == 0 ? 0 : -EINVAL;
}

/* open_listener binds one socket. Without `shared`, fails where any other socket listens on that port. */
static int open_listener(const struct sockaddr *sa, socklen_t n, bool shared)
{
	int one = 1, zero = 0, r, fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (shared)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
	if (sa->sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
	r = bind(fd, sa, n);
	if (r == 0 && shared)
		r = listen(fd, BACKLOG);
	if (r == 0)
		return fd;
	r = -errno;
	close(fd);
	return r;
}

static int start_loops(struct http_server *s, const struct http_opts *o, struct sockaddr *sa, socklen_t n)
{
	int probe = open_listener(sa, n, false); /* SO_REUSEPORT alone would share the port with another server of ours */

	if (probe < 0)
		return probe;
	close(probe);
	for (; s->n_loops < o->loops; s->n_loops++) {
		int r, fd = open_listener(sa, n, true);

		if (fd < 0)
			return fd;
		if (s->n_loops == 0 && getsockname(fd, sa, &n) < 0) /* port 0: the others bind the one that was chosen */
			return -errno;
		r = loop_new(s, fd, o, &s->loops[s->n_loops]);
		if (r < 0) {
			close(fd);
			return r;
		}
	}
	s->port = ntohs(sa->sa_family == AF_INET6 ? ((struct sockaddr_in6 *)(void *)sa)->sin6_port
						  : ((struct sockaddr_in *)(void *)sa)->sin_port);
	return 0;
}

static void server_free(struct http_server *s)
{
	pthread_mutex_destroy(&s->vias_mutex);
	SSL_CTX_free(s->tls);
	free(s->loops);
	free(s);
}

/* loop_unused undoes loop_new for a loop whose thread never ran. */
static void loop_unused(struct http_loop *l)
{
	close(l->listener);
	finish(l);
	loop_free(l);
}

static int start(struct http_server *s, const struct http_opts *o, struct addrinfo *ai)
{
	sigset_t all, old;
	int r = -EINVAL;

	for (; ai && s->n_loops == 0; ai = ai->ai_next) {
		struct sockaddr_storage sa;

		memcpy(&sa, ai->ai_addr, ai->ai_addrlen);
		r = start_loops(s, o, (struct sockaddr *)&sa, ai->ai_addrlen);
		if (r == 0)
			break;
	}
	if (r == 0 && s->n_loops == 0)
		r = -EINVAL;
	if (r == 0 && o->bound)
		o->bound(o->bound_arg, s);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old); /* signals are the main thread's */
	for (int i = 0; r == 0 && i < s->n_loops; i++) {
		r = -pthread_create(&s->loops[i]->thread, NULL, loop_main, s->loops[i]);
		if (r < 0) {
			int n = s->n_loops;

			for (int k = i; k < n; k++)
				loop_unused(s->loops[k]);
			s->n_loops = i;
			pthread_sigmask(SIG_SETMASK, &old, NULL);
			http_stop(s, 0);
			return r;
		}
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r < 0) {
		for (int k = 0; k < s->n_loops; k++)
			loop_unused(s->loops[k]);
		server_free(s);
	}
	return r;
}

int http_start(const struct http_opts *o, struct http_server **ret)
{
	struct http_opts opts = *o;
	struct http_server *s;
	struct addrinfo *ai;
	int r;

	if (!o->listen || !o->handler || !o->handler->headers || !o->handler->done || (o->tls_only && !o->cert_pem && !o->tls) ||
	    !o->cert_pem != !o->key_pem)
		return -EINVAL;
	if (opts.loops <= 0)
		opts.loops = (int)sysconf(_SC_NPROCESSORS_ONLN);
	if (opts.loops < 1 || opts.loops > HTTP_LOOPS_MAX)
		opts.loops = opts.loops < 1 ? 1 : HTTP_LOOPS_MAX;
	r = address(o->listen, &ai);
	if (r < 0)
		return r;
	s = xzalloc(sizeof *s);
	pthread_mutex_init(&s->vias_mutex, NULL);
	s->handler = *o->handler;
	s->tls_only = o->tls_only;
	s->connections_max = o->connections_max > 0 ? o->connections_max : HTTP_CONNECTIONS_MAX;
	s->loops = xzalloc((size_t)opts.loops * sizeof(struct http_loop *));
	r = 0;
	s->tls_later = o->tls;
	s->tls_arg = o->tls_arg;
	if (o->cert_pem)
		r = tls_context_new(o->cert_pem, o->key_pem, &s->tls);
	if (r < 0)
		server_free(s);
	else
		r = start(s, &opts, ai);
	freeaddrinfo(ai);
	if (r < 0)
		return r;
	*ret = s;
	return 0;
}

int http_tls_new(const char *cert_pem, const char *key_pem, struct ssl_ctx_st **ret)
{
	return tls_context_new(cert_pem, key_pem, ret);
}

void http_tls_free(struct ssl_ctx_st *tls)
{
	SSL_CTX_free(tls);
}

int http_port(const struct http_server *s)
{
	return s->port;
}

void http_stop(struct http_server *s, int grace_ms)
{
	s->grace_ms = grace_ms > 0 ? grace_ms : 0;
	for (int i = 0; i < s->n_loops; i++) {
		assert(!loop_is_current(s->loops[i]));
		http_post(s->loops[i], drain, s->loops[i]);
	}
	for (int i = 0; i < s->n_loops; i++) {
		struct http_loop *l = s->loops[i];
		bool last;

		pthread_join(l->thread, NULL);
		/* A request that another thread still has keeps its loop's memory until it is replied to. */
		pthread_mutex_lock(&l->mutex);
		l->released = true;
		l->server = NULL;
		last = l->live == 0;
		pthread_mutex_unlock(&l->mutex);
		if (last)
			loop_free(l);
	}
	server_free(s);
}
