/* SPDX-License-Identifier: Apache-2.0 */
/* fetch.c - requests to servers of others; see fetch.h. */
#include "http/fetch.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <unistd.h>

#include "base/util.h"

#define IDLE_S 10
#define WAIT_MS 250
#define HEAD_BYTES_MAX 65536
#define REQUEST_HEAD_BYTES_MAX (1u << 20)

struct link {
	const struct fetch_pool *pool;
	int fd;
	SSL *ssl;
	int64_t deadline_ms;
	bool abroad, loopback;
};

static pthread_mutex_t tls_lock = PTHREAD_MUTEX_INITIALIZER;
static SSL_CTX *tls, *tls_unverified;

/* --- addresses --- */
static bool forbidden4(uint32_t a) /* host order */
{
	return (a >> 16) == 0xA9FE || (a >> 28) == 0xE || a >> 24 == 0 || a == 0xFFFFFFFF || a == 0x646464C8; /* 100.100.100.200 */
}

static bool is_loopback(const struct sockaddr *sa)
{
	const struct in6_addr *a;

	if (sa->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)(const void *)sa)->sin_addr.s_addr) >> 24 == 127;
	a = &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
	return IN6_IS_ADDR_LOOPBACK(a) || ((IN6_IS_ADDR_V4MAPPED(a) || IN6_IS_ADDR_V4COMPAT(a)) && a->s6_addr[12] == 127);
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
		if (atomic_load(&l->pool->closing))
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
	l->loopback = is_loopback(ai->ai_addr);
	if (l->abroad && l->loopback)
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

	pthread_mutex_lock(&tls_lock);
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
	pthread_mutex_unlock(&tls_lock);
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

static bool has_thumbprint(X509 *cert, const struct fetch *f)
{
	uint8_t sha1[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	char hex[2 * EVP_MAX_MD_SIZE + 1];

	if (X509_digest(cert, EVP_sha1(), sha1, &n) != 1)
		return false;
	for (unsigned i = 0; i < n; i++)
		(void)snprintf(hex + i * 2, 3, "%02x", sha1[i]);
	for (size_t i = 0; i < f->n_thumbprints; i++)
		if (str_eq_ci(f->thumbprints[i], str_of(hex, n * 2)))
			return true;
	return false;
}

/* The server's chain once more, with the one certificate that was named beforehand as all that is trusted. */
static bool leads_to(SSL *ssl, X509 *anchor)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509 *leaf = SSL_get1_peer_certificate(ssl);
	bool good = false;

	if (!store || !ctx)
		abort();
	if (leaf && X509_STORE_add_cert(store, anchor) == 1 && X509_STORE_CTX_init(ctx, store, leaf, SSL_get_peer_cert_chain(ssl)) == 1) {
		X509_VERIFY_PARAM *p = X509_STORE_CTX_get0_param(ctx);

		X509_STORE_CTX_set_default(ctx, "ssl_server");
		good = X509_VERIFY_PARAM_set1(p, SSL_get0_param(ssl)) == 1; /* the name that was asked for */
		X509_VERIFY_PARAM_set_flags(p, X509_V_FLAG_PARTIAL_CHAIN);
		good = good && X509_verify_cert(ctx) == 1;
	}
	X509_free(leaf);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	ERR_clear_error();
	return good;
}

static int check_thumbprints(SSL *ssl, const struct fetch *f)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);

	if (SSL_get_verify_result(ssl) == X509_V_OK)
		return 0;
	for (int i = 0; i < sk_X509_num(chain); i++)
		if (has_thumbprint(sk_X509_value(chain, i), f) && leads_to(ssl, sk_X509_value(chain, i)))
			return 0;
	return -EKEYREJECTED;
}

static int tls_start(struct link *l, const char *host, const struct fetch *f)
{
	struct in6_addr ip;
	bool literal = inet_pton(AF_INET, host, &ip) == 1 || inet_pton(AF_INET6, host, &ip) == 1;
	int n, r;

	l->ssl = SSL_new(context(f->insecure));
	if (!l->ssl || SSL_set_fd(l->ssl, l->fd) != 1)
		abort();
	if (f->n_thumbprints) /* decided when the whole chain is here */
		SSL_set_verify(l->ssl, SSL_VERIFY_NONE, NULL);
	if (literal)
		X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(l->ssl), host);
	else {
		SSL_ctrl(l->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, (void *)(uintptr_t)host);
		SSL_set1_host(l->ssl, host);
	}
	while ((n = SSL_connect(l->ssl)) != 1) {
		r = tls_wait(l, n);
		if (r < 0)
			return r == -EPROTO && !f->insecure && SSL_get_verify_result(l->ssl) != X509_V_OK ? -EKEYREJECTED : r;
	}
	return f->n_thumbprints ? check_thumbprints(l->ssl, f) : 0;
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
struct str fetch_header(struct str head, const char *name)
{
	struct str line, rest = head, key, value, found = STR_NONE;

	while (str_next(&rest, '\n', &line))
		if (str_cut(line, ':', &key, &value) && str_eq_ci(key, str_c(name)))
			found = str_trim(value);
	return found;
}

static int read_head(struct link *l, struct fetch *f)
{
	for (size_t from = 0;;) {
		struct str got = buf_view(&f->got);
		ptrdiff_t at = str_find(str_skip(got, from), S("\r\n\r\n"));
		int64_t status;
		ssize_t n;

		if (at >= 0) {
			f->head_n = from + (size_t)at + 4;
			struct str head = str_of(got.p + from, (size_t)at);
			if (head.n < 12 || !str_starts(head, S("HTTP/1.")) || str_to_i64(str_of(head.p + 9, 3), &status) < 0)
				return -EPROTO;
			f->status = (int)status;
			if (status >= 200) {
				f->body_at = f->head_n;
				memmove(f->got.p, f->got.p + from, f->got.n - from); /* without what was interim */
				f->got.n -= from;
				f->head_n -= from;
				f->body_at -= from;
				return status > 599 ? -EPROTO : 0;
			}
			from = f->head_n;
			continue;
		}
		if (got.n - from > HEAD_BYTES_MAX)
			return -EMSGSIZE;
		n = link_read(l, &f->got);
		if (n <= 0)
			return n < 0 ? (int)n : -EPROTO;
	}
}

static int read_exactly(struct link *l, struct fetch *f, size_t end)
{
	while (f->got.n < end) {
		ssize_t n = link_read(l, &f->got);

		if (n <= 0)
			return n < 0 ? (int)n : -EPROTO;
	}
	return 0;
}

static int chunk_size(struct str line, size_t *ret)
{
	struct str digits, rest;
	uint64_t n;

	(void)str_cut(line, ';', &digits, &rest);
	digits = str_trim(digits);
	if (digits.n > 7 || str_hex_to_u64(digits, &n) < 0)
		return -EPROTO;
	*ret = (size_t)n;
	return 0;
}

/* Chunks are moved together in place, behind the head. */
static int read_chunks(struct link *l, struct fetch *f)
{
	size_t at = f->body_at, size;
	int r;

	for (;;) {
		ptrdiff_t eol;

		while ((eol = str_find(str_skip(buf_view(&f->got), at), S("\r\n"))) < 0) {
			ssize_t n = f->got.n - at > 4096 ? -EPROTO : link_read(l, &f->got);

			if (n <= 0)
				return n < 0 ? (int)n : -EPROTO;
		}
		r = chunk_size(str_of(f->got.p + at, (size_t)eol), &size);
		if (r < 0 || size == 0)
			return r; /* trailers don't matter */
		at += (size_t)eol + 2;
		r = read_exactly(l, f, at + size + 2);
		if (r < 0)
			return r;
		memmove(f->got.p + f->body_at + f->body_n, f->got.p + at, size);
		f->body_n += size;
		at += size + 2;
	}
}

static int read_body(struct link *l, struct fetch *f)
{
	struct str head = str_of(f->got.p, f->head_n), length = fetch_header(head, "content-length"),
		   coding = fetch_header(head, "transfer-encoding");
	uint64_t n;
	int r;

	if (str_is(f->method, "HEAD") || f->status == 204 || f->status == 304)
		return 0;
	if (coding.p)
		return str_eq_ci(coding, S("chunked")) ? read_chunks(l, f) : -EPROTO;
	if (length.p) {
		if (str_to_u64(length, &n) < 0)
			return -EPROTO;
		if (n > f->answer_max)
			return -EMSGSIZE;
		r = read_exactly(l, f, f->body_at + n);
		f->body_n = (size_t)n;
		return r;
	}
	for (;;) { /* up to the end of the connection */
		ssize_t k = link_read(l, &f->got);

		if (k < 0)
			return (int)k;
		if (k == 0)
			break;
	}
	f->body_n = f->got.n - f->body_at;
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

static void write_head(struct buf *b, const struct fetch *f, struct str authority, struct str target)
{
	struct str host = authority;

	for (size_t i = 0; i < f->n_headers; i++)
		if (str_eq_ci(f->headers[i].name, S("host")))
			host = f->headers[i].value;
	buf_printf(b, "%.*s %.*s HTTP/1.1\r\nHost: %.*s\r\nConnection: close\r\n", STR(f->method), STR(target), STR(host));
	for (size_t i = 0; i < f->n_headers; i++)
		if (!str_eq_ci(f->headers[i].name, S("host")))
			buf_printf(b, "%.*s: %.*s\r\n", STR(f->headers[i].name), STR(f->headers[i].value));
	if (f->body.n || (!str_is(f->method, "GET") && !str_is(f->method, "HEAD")))
		buf_printf(b, "Content-Length: %zu\r\n", f->body.n);
	buf_str(b, S("\r\n"));
}

static int talk(struct fetch_pool *p, struct fetch *f)
{
	struct link l = { .pool = p, .fd = -1, .deadline_ms = f->deadline_ms, .abroad = f->abroad };
	struct arena a = { 0 };
	struct buf head;
	const char *host, *port;
	struct str authority, target;
	bool secure;
	int r = parse_url(&a, f->url, &secure, &host, &port, &authority, &target);

	buf_init(&head, REQUEST_HEAD_BYTES_MAX);
	if (r == 0)
		r = dial_name(&l, host, port);
	if (r == 0 && secure)
		r = tls_start(&l, host, f);
	if (r == 0) {
		write_head(&head, f, authority, target);
		r = buf_ok(&head) ? link_write(&l, head.p, head.n) : -EMSGSIZE;
	}
	if (r == 0 && f->body.n)
		r = link_write(&l, f->body.p, f->body.n);
	if (r == 0)
		r = read_head(&l, f);
	if (r == 0)
		r = read_body(&l, f);
	f->loopback = l.loopback;
	if (r == 0) {
		f->head = str_of(f->got.p, f->head_n);
		f->answer = str_of(f->got.p + f->body_at, f->body_n);
	}
	if (l.ssl)
		SSL_free(l.ssl);
	if (l.fd >= 0)
		close(l.fd);
	buf_done(&head);
	arena_done(&a);
	return r;
}

/* --- the pool --- */
static void *worker(void *arg)
{
	struct fetch_pool *p = arg;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		struct timespec until;
		struct fetch *f;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += IDLE_S;
		p->n_idle++;
		while (!p->first && !p->closing && pthread_cond_timedwait(&p->more, &p->lock, &until) == 0)
			;
		p->n_idle--;
		f = p->first;
		if (!f)
			break;
		p->first = f->next;
		if (!p->first)
			p->last = &p->first;
		p->n_queue--;
		pthread_mutex_unlock(&p->lock);
		f->result = clock_mono_ms() < f->deadline_ms ? talk(p, f) : -ETIMEDOUT;
		f->done(f, f->arg);
		pthread_mutex_lock(&p->lock);
	}
	p->n_threads--;
	pthread_cond_signal(&p->ended);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

int fetch_start(struct fetch_pool *p, struct fetch *f)
{
	pthread_t t;
	bool full;

	pthread_mutex_lock(&p->lock);
	full = atomic_load(&p->closing) || p->n_queue >= p->queue_max;
	if (!full) {
		f->next = NULL;
		f->deadline_ms = clock_mono_ms() + f->timeout_ms;
		f->result = f->status = 0;
		f->head = f->answer = STR_NONE;
		f->head_n = f->body_at = f->body_n = 0;
		buf_init(&f->got, f->answer_max + HEAD_BYTES_MAX * 4);
		*p->last = f;
		p->last = &f->next;
		p->n_queue++;
		if (p->n_idle < p->n_queue && p->n_threads < p->threads_max && pthread_create(&t, NULL, worker, p) == 0) {
			pthread_detach(t);
			p->n_threads++;
		}
		pthread_cond_signal(&p->more);
	}
	pthread_mutex_unlock(&p->lock);
	return full ? -EAGAIN : 0;
}

void fetch_free(struct fetch *f)
{
	buf_done(&f->got);
	f->head = f->answer = STR_NONE;
}

void fetch_close(struct fetch_pool *p)
{
	pthread_mutex_lock(&p->lock);
	p->closing = true;
	pthread_cond_broadcast(&p->more);
	while (p->n_threads > 0)
		pthread_cond_wait(&p->ended, &p->lock);
	p->closing = false;
	pthread_mutex_unlock(&p->lock);
}
