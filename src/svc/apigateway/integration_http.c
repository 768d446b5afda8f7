/* SPDX-License-Identifier: Apache-2.0 */
/* integration_http.c - requests to backends over HTTP/1.1, with or without TLS.
 *
 * Threads of a small pool do them, one each at a time, started when needed and gone after a while of idling. A backend is what its
 * name resolves to, looked at once: link-local addresses (where clouds keep their metadata), multicast and the unspecified ones are
 * never connected to; redirects are not followed. Nothing of a visit is touched here but the request it has handed over. */
#include "svc/apigateway/front.h"
#include <errno.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#define THREADS_MAX 64
#define QUEUE_MAX 2000
#define IDLE_S 10
#define WAIT_MS 250
#define HEAD_BYTES_MAX 65536
#define ANSWER_BYTES_MAX (10u << 20)

struct job {
	struct job *next;
	struct visit *v;
	const struct integration_request *q;
	struct http_loop *loop;
	int64_t deadline_ms; /* monotonic */
	/* filled in by the thread */
	int result; /* 0; -ETIMEDOUT; other negative errno */
	int status;
	struct buf answer;              /* head and body as received */
	size_t head_n, body_at, body_n; /* body: after decoding, in place */
};
struct link {
	int fd;
	SSL *ssl;
	int64_t deadline_ms;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER, ended = PTHREAD_COND_INITIALIZER;
static struct job *first, **last = &first;
static size_t n_queue, n_threads, n_idle;
static atomic_bool closing;
static SSL_CTX *tls, *tls_unverified;

/* --- addresses --- */
static bool forbidden4(uint32_t a) /* host order */
{
	return (a >> 16) == 0xA9FE || (a >> 28) == 0xE || a >> 24 == 0 || a == 0xFFFFFFFF || a == 0x646464C8; /* 100.100.100.200 */
}

static bool forbidden(const struct sockaddr *sa)
{
	static const uint8_t metadata[16] = { 0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54 };
	const struct in6_addr *a;

	if (sa->sa_family == AF_INET)
		return forbidden4(ntohl(((const struct sockaddr_in *)(const void *)sa)->sin_addr.s_addr));
	if (sa->sa_family != AF_INET6)
		return true;
	a = &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
	if (IN6_IS_ADDR_V4MAPPED(a) || IN6_IS_ADDR_V4COMPAT(a)) {
		uint32_t four;

		memcpy(&four, a->s6_addr + 12, 4);
		return !IN6_IS_ADDR_LOOPBACK(a) && forbidden4(ntohl(four));
	}
	return IN6_IS_ADDR_LINKLOCAL(a) || IN6_IS_ADDR_MULTICAST(a) || IN6_IS_ADDR_UNSPECIFIED(a) || memcmp(a, metadata, 16) == 0;
}

static int wait_for(const struct link *l, short events)
{
	struct pollfd p = { .fd = l->fd, .events = events };

	for (;;) { /* in short waits: who closes the cloud doesn't wait for a backend */
		int64_t left = l->deadline_ms - clock_mono_ms();
		int n;

		if (left <= 0)
			return -ETIMEDOUT;
		if (atomic_load(&closing))
			return -ECANCELED;
		n = poll(&p, 1, left < WAIT_MS ? (int)left : WAIT_MS);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

static int dial(struct link *l, const struct addrinfo *ai)
{
	int one = 1, e = 0, r;
	socklen_t n = sizeof e;

	if (forbidden(ai->ai_addr))
		return -EACCES;
	l->fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0)
		return -errno;
	(void)setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	r = connect(l->fd, ai->ai_addr, ai->ai_addrlen) < 0 ? -errno : 0;
	if (r == -EINPROGRESS)
		r = wait_for(l, POLLOUT);
	if (r == 0 && getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &e, &n) == 0)
		r = -e;
	if (r < 0) {
		close(l->fd);
		l->fd = -1;
	}
	return r;
}

static int dial_name(struct link *l, const char *host, const char *port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list, *ai;
	int r = -EHOSTUNREACH;

	if (getaddrinfo(host, port, &hints, &list) != 0)
		return -EHOSTUNREACH;
	for (ai = list; ai && r < 0 && r != -ETIMEDOUT; ai = ai->ai_next)
		r = dial(l, ai);
	freeaddrinfo(list);
	return r;
}

/* --- TLS --- */
static SSL_CTX *context(bool insecure)
{
	SSL_CTX **c = insecure ? &tls_unverified : &tls;

	pthread_mutex_lock(&lock);
	if (!*c) {
		*c = SSL_CTX_new(TLS_client_method());
		if (!*c)
			abort();
		SSL_CTX_set_min_proto_version(*c, TLS1_2_VERSION);
		if (insecure) /* still a certificate, but whose and by whom doesn't count */
			SSL_CTX_set_verify(*c, SSL_VERIFY_NONE, NULL);
		else {
			SSL_CTX_set_verify(*c, SSL_VERIFY_PEER, NULL);
			SSL_CTX_set_default_verify_paths(*c);
		}
	}
	pthread_mutex_unlock(&lock);
	return *c;
}

static int tls_wait(struct link *l, int n)
{
	switch (SSL_get_error(l->ssl, n)) {
	case SSL_ERROR_WANT_READ:
		return wait_for(l, POLLIN);
	case SSL_ERROR_WANT_WRITE:
		return wait_for(l, POLLOUT);
	default:
		ERR_clear_error();
		return -EPROTO;
	}
}

static int tls_start(struct link *l, const char *host, bool insecure)
{
	struct in6_addr ip;
	bool literal = inet_pton(AF_INET, host, &ip) == 1 || inet_pton(AF_INET6, host, &ip) == 1;
	int n, r;

	l->ssl = SSL_new(context(insecure));
	if (!l->ssl || SSL_set_fd(l->ssl, l->fd) != 1)
		abort();
	if (literal)
		X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(l->ssl), host);
	else {
		SSL_set_tlsext_host_name(l->ssl, host);
		SSL_set1_host(l->ssl, host);
	}
	while ((n = SSL_connect(l->ssl)) != 1) {
		r = tls_wait(l, n);
		if (r < 0)
			return r;
	}
	return 0;
}

static int link_write(struct link *l, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t k = l->ssl ? SSL_write(l->ssl, p, (int)(n > 65536 ? 65536 : n)) : send(l->fd, p, n, MSG_NOSIGNAL);
		int r;

		if (k > 0) {
			p += k;
			n -= (size_t)k;
			continue;
		}
		if (l->ssl)
			r = tls_wait(l, (int)k);
		else
			r = errno == EAGAIN || errno == EINTR ? wait_for(l, POLLOUT) : -errno;
		if (r < 0)
			return r;
	}
	return 0;
}

/* link_read appends what comes: > 0 bytes, 0 the end. */
static ssize_t link_read(struct link *l, struct buf *b)
{
	for (;;) {
		char *p = buf_reserve(b, 16384);
		ssize_t k;
		int r;

		if (!p)
			return -EMSGSIZE;
		k = l->ssl ? SSL_read(l->ssl, p, 16384) : recv(l->fd, p, 16384, 0);
		if (k > 0) {
			b->n += (size_t)k;
			return k;
		}
		if (l->ssl && SSL_get_error(l->ssl, (int)k) == SSL_ERROR_ZERO_RETURN)
			return 0;
		if (!l->ssl && k == 0)
			return 0;
		if (l->ssl)
			r = tls_wait(l, (int)k);
		else
			r = errno == EAGAIN || errno == EINTR ? wait_for(l, POLLIN) : -errno;
		if (r < 0)
			return r;
	}
}

/* --- HTTP --- */
static struct str line_value(struct str head, const char *name) /* last header of that name; absent */
{
	struct str line, rest = head, key, value, found = STR_NONE;

	while (str_next(&rest, '\n', &line))
		if (str_cut(line, ':', &key, &value) && str_eq_ci(key, str_c(name)))
			found = str_trim(value);
	return found;
}

static int read_head(struct link *l, struct job *j)
{
	for (size_t from = 0;;) {
		struct str got = buf_view(&j->answer);
		ptrdiff_t at = str_find(str_skip(got, from), S("\r\n\r\n"));
		int64_t status;
		ssize_t n;

		if (at >= 0) {
			j->head_n = from + (size_t)at + 4;
			struct str head = str_of(got.p + from, (size_t)at);
			if (head.n < 12 || !str_starts(head, S("HTTP/1.")) || str_to_i64(str_of(head.p + 9, 3), &status) < 0)
				return -EPROTO;
			j->status = (int)status;
			if (status >= 200) {
				j->body_at = j->head_n;
				memmove(j->answer.p, j->answer.p + from, j->answer.n - from); /* without what was interim */
				j->answer.n -= from;
				j->head_n -= from;
				j->body_at -= from;
				return status > 599 ? -EPROTO : 0;
			}
			from = j->head_n;
			continue;
		}
		if (got.n - from > HEAD_BYTES_MAX)
			return -EMSGSIZE;
		n = link_read(l, &j->answer);
		if (n <= 0)
			return n < 0 ? (int)n : -EPROTO;
	}
}

static int read_exactly(struct link *l, struct job *j, size_t end)
{
	while (j->answer.n < end) {
		ssize_t n = link_read(l, &j->answer);

		if (n <= 0)
			return n < 0 ? (int)n : -EPROTO;
	}
	return 0;
}

static int chunk_size(struct str line, size_t *ret)
{
	struct str digits, rest;
	size_t n = 0;

	(void)str_cut(line, ';', &digits, &rest);
	digits = str_trim(digits);
	if (!digits.n || digits.n > 7)
		return -EPROTO;
	for (size_t i = 0; i < digits.n; i++) {
		char c = digits.p[i];
		int d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;

		if (d < 0)
			return -EPROTO;
		n = n * 16 + (size_t)d;
	}
	*ret = n;
	return 0;
}

/* Chunks are moved together in place, behind the head. */
static int read_chunks(struct link *l, struct job *j)
{
	size_t at = j->body_at, size;
	int r;

	for (;;) {
		ptrdiff_t eol;

		while ((eol = str_find(str_skip(buf_view(&j->answer), at), S("\r\n"))) < 0) {
			ssize_t n = j->answer.n - at > 4096 ? -EPROTO : link_read(l, &j->answer);

			if (n <= 0)
				return n < 0 ? (int)n : -EPROTO;
		}
		r = chunk_size(str_of(j->answer.p + at, (size_t)eol), &size);
		if (r < 0 || size == 0)
			return r; /* trailers don't matter */
		at += (size_t)eol + 2;
		r = read_exactly(l, j, at + size + 2);
		if (r < 0)
			return r;
		memmove(j->answer.p + j->body_at + j->body_n, j->answer.p + at, size);
		j->body_n += size;
		at += size + 2;
	}
}

static int read_body(struct link *l, struct job *j)
{
	struct str head = str_of(j->answer.p, j->head_n), length = line_value(head, "content-length"),
		   coding = line_value(head, "transfer-encoding");
	uint64_t n;
	int r;

	if (str_is(j->q->method, "HEAD") || j->status == 204 || j->status == 304)
		return 0;
	if (coding.p)
		return str_eq_ci(coding, S("chunked")) ? read_chunks(l, j) : -EPROTO;
	if (length.p) {
		if (str_to_u64(length, &n) < 0)
			return -EPROTO;
		if (n > ANSWER_BYTES_MAX)
			return -EMSGSIZE;
		r = read_exactly(l, j, j->body_at + n);
		j->body_n = (size_t)n;
		return r;
	}
	for (;;) { /* up to the end of the connection */
		ssize_t k = link_read(l, &j->answer);

		if (k < 0)
			return (int)k;
		if (k == 0)
			break;
	}
	j->body_n = j->answer.n - j->body_at;
	return 0;
}

static int parse_url(struct arena *a, struct str uri, bool *ret_tls, const char **ret_host, const char **ret_port,
		     struct str *ret_authority, struct str *ret_target)
{
	struct str rest, authority, host;
	ptrdiff_t slash, colon;

	*ret_tls = str_starts(uri, S("https://"));
	if (!*ret_tls && !str_starts(uri, S("http://")))
		return -EINVAL;
	rest = str_skip(uri, *ret_tls ? 8 : 7);
	for (slash = 0; (size_t)slash < rest.n && rest.p[slash] != '/' && rest.p[slash] != '?' && rest.p[slash] != '#'; slash++)
		;
	authority = str_of(rest.p, (size_t)slash);
	rest = str_skip(rest, (size_t)slash);
	if (str_find_char(rest, '#') >= 0)
		rest.n = (size_t)str_find_char(rest, '#');
	if (!authority.n || str_find_char(authority, '@') >= 0)
		return -EINVAL;
	for (size_t i = 0; i < uri.n; i++)
		if ((unsigned char)uri.p[i] <= 32 || (unsigned char)uri.p[i] >= 127)
			return -EINVAL;
	host = authority;
	colon = str_rfind_char(authority, ':');
	*ret_port = *ret_tls ? "443" : "80";
	if (colon >= 0 && authority.p[authority.n - 1] != ']') {
		*ret_port = str_z(a, str_skip(authority, (size_t)colon + 1));
		host.n = (size_t)colon;
	}
	if (host.n > 2 && host.p[0] == '[')
		host = str_of(host.p + 1, host.n - 2);
	*ret_host = str_z(a, host);
	*ret_authority = authority;
	*ret_target = rest.n && rest.p[0] == '/' ? rest : str_printf(a, "/%.*s", STR(rest));
	return host.n && host.n < 256 ? 0 : -EINVAL;
}

static void write_head(struct buf *b, const struct integration_request *q, struct str authority, struct str target)
{
	struct str host = authority;

	for (size_t i = 0; i < q->n; i++)
		if (str_eq_ci(q->headers[i].name, S("host")))
			host = q->headers[i].value;
	buf_printf(b, "%.*s %.*s HTTP/1.1\r\nHost: %.*s\r\nConnection: close\r\n", STR(q->method), STR(target), STR(host));
	for (size_t i = 0; i < q->n; i++)
		if (!str_eq_ci(q->headers[i].name, S("host")))
			buf_printf(b, "%.*s: %.*s\r\n", STR(q->headers[i].name), STR(q->headers[i].value));
	if (q->body.n || (!str_is(q->method, "GET") && !str_is(q->method, "HEAD")))
		buf_printf(b, "Content-Length: %zu\r\n", q->body.n);
	buf_str(b, S("\r\n"));
}

static int talk(struct job *j)
{
	struct link l = { .fd = -1, .deadline_ms = j->deadline_ms };
	struct arena a = { 0 };
	struct buf head;
	const char *host, *port;
	struct str authority, target;
	bool secure;
	int r = parse_url(&a, j->q->uri, &secure, &host, &port, &authority, &target);

	buf_init(&head, 1 << 20);
	if (r == 0)
		r = dial_name(&l, host, port);
	if (r == 0 && secure)
		r = tls_start(&l, host, j->q->insecure);
	if (r == 0) {
		write_head(&head, j->q, authority, target);
		r = buf_ok(&head) ? link_write(&l, head.p, head.n) : -EMSGSIZE;
	}
	if (r == 0 && j->q->body.n)
		r = link_write(&l, j->q->body.p, j->q->body.n);
	if (r == 0)
		r = read_head(&l, j);
	if (r == 0)
		r = read_body(&l, j);
	if (l.ssl)
		SSL_free(l.ssl);
	if (l.fd >= 0)
		close(l.fd);
	buf_done(&head);
	arena_done(&a);
	return r;
}

/* --- back on the loop --- */
static void take_headers(struct visit *v, struct str head, bool proxy)
{
	static const char *const remapped[] = { "connection", "content-length", "date", "server" };
	struct str line, rest = head, name, value;

	(void)str_next(&rest, '\n', &line); /* the status line */
	while (str_next(&rest, '\n', &line)) {
		if (!str_cut(line, ':', &name, &value))
			continue;
		name = str_trim(name);
		value = str_trim(value);
		if (str_eq_ci(name, S("transfer-encoding")) || (proxy && str_eq_ci(name, S("via"))))
			continue;
		for (size_t i = 0; proxy && i < ELEMENTS(remapped); i++)
			if (str_eq_ci(name, str_c(remapped[i])))
				name = str_printf(v->a, "x-amzn-Remapped-%.*s", STR(name));
		if (proxy)
			visit_header_out(v, &v->out, name, value);
		else
			vec_push(v->a, v->integration.headers, v->integration.n, v->integration.cap) = (struct http_header){ name, value };
	}
}

static void came_back(void *arg)
{
	struct job *j = arg;
	struct visit *v = j->v;
	bool proxy = str_is(v->m->m->method_integration->type, "HTTP_PROXY");
	struct str body = str_of(j->answer.p ? j->answer.p + j->body_at : "", j->body_n);
	int r = 0;

	v->integration_latency_ms = clock_mono_ms() - v->integration_mono_ms;
	v->integration_status = v->integration.status = j->status;
	if (j->result == -ETIMEDOUT) {
		v->integration_error = S("Execution failed due to a timeout error");
		r = visit_refuse(v, GW_INTEGRATION_TIMEOUT, STR_NONE);
	} else if (j->result < 0) {
		v->integration_error = S("Network error communicating with endpoint");
		r = visit_refuse(v, GW_INTEGRATION_FAILURE,
				 j->result == -EPROTO || j->result == -EMSGSIZE || j->result == -EINVAL
					 ? STR_NONE
					 : S("Network error communicating with endpoint"));
	} else {
		take_headers(v, str_dup(v->a, str_of(j->answer.p, j->head_n)), proxy);
		v->integration.body = str_dup(v->a, body);
		v->out.status = j->status;
		v->out.body = v->integration.body;
	}
	buf_done(&j->answer);
	free(j);
	visit_step(v, r);
}

static void *worker(void *arg)
{
	pthread_mutex_lock(&lock);
	for (;;) {
		struct timespec until;
		struct job *j;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += IDLE_S;
		n_idle++;
		while (!first && !closing && pthread_cond_timedwait(&more, &lock, &until) == 0)
			;
		n_idle--;
		j = first;
		if (!j)
			break;
		first = j->next;
		if (!first)
			last = &first;
		n_queue--;
		pthread_mutex_unlock(&lock);
		j->result = clock_mono_ms() < j->deadline_ms ? talk(j) : -ETIMEDOUT;
		http_post(j->loop, came_back, j);
		pthread_mutex_lock(&lock);
	}
	n_threads--;
	pthread_cond_signal(&ended);
	pthread_mutex_unlock(&lock);
	return NULL;
}

int integration_http_start(struct visit *v, const struct integration_request *q)
{
	struct job *j;
	pthread_t t;
	bool full;

	pthread_mutex_lock(&lock);
	full = n_queue >= QUEUE_MAX || closing;
	if (!full) {
		j = xzalloc(sizeof *j);
		*j = (struct job){ .v = v, .q = q, .loop = v->http->loop, .deadline_ms = clock_mono_ms() + q->timeout_ms };
		buf_init(&j->answer, ANSWER_BYTES_MAX + HEAD_BYTES_MAX * 4);
		*last = j;
		last = &j->next;
		n_queue++;
		if (n_idle < n_queue && n_threads < THREADS_MAX && pthread_create(&t, NULL, worker, NULL) == 0) {
			pthread_detach(t);
			n_threads++;
		}
		pthread_cond_signal(&more);
	}
	pthread_mutex_unlock(&lock);
	return full ? visit_refuse(v, GW_INTEGRATION_FAILURE, STR_NONE) : VISIT_WAITS;
}

void integration_http_close(void)
{
	pthread_mutex_lock(&lock);
	closing = true;
	pthread_cond_broadcast(&more);
	while (n_threads > 0)
		pthread_cond_wait(&ended, &lock);
	closing = false;
	pthread_mutex_unlock(&lock);
}
