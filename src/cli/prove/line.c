/* SPDX-License-Identifier: Apache-2.0 */
/* line.c - bytes to the endpoint and back. Blocking, one request at a time, one kept connection for TLS and one for plain
 * HTTP. It sends exactly the bytes it is given: attackers' requests are not repaired. */
#include "cli/prove/prove.h"
#include <errno.h>
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_BYTES_MAX 65536

struct wire_end {
	int fd; /* -1: closed */
	SSL *ssl;
	bool used; /* has carried an answer: may have been closed since */
};
struct line {
	SSL_CTX *ctx;
	char *host, *port;
	struct wire_end end[2]; /* plain, TLS */
	char error[256];
};

static int fail(struct line *l, int r, const char **ret_error, const char *fmt, const char *arg)
{
	(void)snprintf(l->error, sizeof l->error, fmt, arg);
	*ret_error = l->error;
	return r;
}

int line_new(const struct endpoint *e, struct line **ret, const char **ret_error)
{
	struct line *l = xzalloc(sizeof *l);
	struct arena a = { 0 };

	l->end[0].fd = l->end[1].fd = -1;
	l->host = xstrdup(str_z(&a, e->host));
	l->port = xstrdup(str_z(&a, e->port));
	arena_done(&a);
	l->ctx = SSL_CTX_new(TLS_client_method());
	if (!l->ctx || !SSL_CTX_set_min_proto_version(l->ctx, TLS1_2_VERSION) ||
	    (e->ca_file ? !SSL_CTX_load_verify_locations(l->ctx, e->ca_file, NULL) : !SSL_CTX_set_default_verify_paths(l->ctx))) {
		*ret_error = e->ca_file ? "the file of certificate authorities cannot be read" : "the system's certificate authorities cannot be read";
		ERR_clear_error();
		line_free(l);
		return -EINVAL;
	}
	SSL_CTX_set_verify(l->ctx, SSL_VERIFY_PEER, NULL);
	*ret = l;
	return 0;
}

static void end_close(struct wire_end *w)
{
	SSL_free(w->ssl);
	if (w->fd >= 0)
		(void)close(w->fd);
	*w = (struct wire_end){ .fd = -1 };
}

struct line *line_free(struct line *l)
{
	if (!l)
		return NULL;
	end_close(&l->end[0]);
	end_close(&l->end[1]);
	SSL_CTX_free(l->ctx);
	free(l->host);
	free(l->port);
	free(l);
	return NULL;
}

static int dial(struct line *l, const char **ret_error)
{
	struct addrinfo hint = { .ai_socktype = SOCK_STREAM }, *list, *ai;
	struct timeval tv = { .tv_sec = PROVE_TIMEOUT_S };
	int fd = -1, on = 1, r = getaddrinfo(l->host, l->port, &hint, &list), saved = ECONNREFUSED;

	if (r != 0)
		return fail(l, -EHOSTUNREACH, ret_error, "the endpoint's name is not known: %s", gai_strerror(r));
	for (ai = list; ai && fd < 0; ai = ai->ai_next) {
		fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0)
			continue;
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		if (connect(fd, ai->ai_addr, ai->ai_addrlen) < 0) {
			saved = errno;
			(void)close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(list);
	return fd >= 0 ? fd : fail(l, -saved, ret_error, "no connection: %s", strerror(saved));
}

static int end_open(struct line *l, bool tls, const char **ret_error)
{
	struct wire_end *w = &l->end[tls];
	struct in6_addr ip;
	bool literal = inet_pton(AF_INET, l->host, &ip) == 1 || inet_pton(AF_INET6, l->host, &ip) == 1;
	long why;

	w->used = false;
	w->fd = dial(l, ret_error);
	if (w->fd < 0) {
		int r = w->fd;

		w->fd = -1;
		return r;
	}
	if (!tls)
		return 0;
	w->ssl = SSL_new(l->ctx);
	if (!w->ssl || !SSL_set_fd(w->ssl, w->fd) || (!literal && !SSL_set_tlsext_host_name(w->ssl, l->host)) ||
	    !(literal ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(w->ssl), l->host) : SSL_set1_host(w->ssl, l->host)) || SSL_connect(w->ssl) != 1) {
		why = w->ssl ? SSL_get_verify_result(w->ssl) : X509_V_OK;
		ERR_clear_error();
		end_close(w);
		return fail(l, -EPROTO, ret_error, "no TLS: %s", why == X509_V_OK ? "the handshake failed" : X509_verify_cert_error_string(why));
	}
	return 0;
}

static int put(struct wire_end *w, struct str s, const volatile int *stop)
{
	while (s.n > 0) {
		ssize_t n;

		if (w->ssl) {
			int k = SSL_write(w->ssl, s.p, s.n > (1 << 30) ? (1 << 30) : (int)s.n);

			n = k > 0 ? k : -1;
		} else
			n = send(w->fd, s.p, s.n, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR && !*stop)
			continue;
		if (n < 0)
			return *stop ? -EINTR : -EPIPE;
		s = str_skip(s, (size_t)n);
	}
	return 0;
}

/* Appends what comes. 0: the other side has ended; negative. */
static ssize_t more(struct wire_end *w, struct buf *b, const volatile int *stop)
{
	for (;;) {
		char *room = buf_reserve(b, 16384);
		ssize_t n;

		if (!room)
			return -EMSGSIZE;
		if (w->ssl) {
			int k = SSL_read(w->ssl, room, 16384), e = k > 0 ? 0 : SSL_get_error(w->ssl, k);

			n = k > 0 ? k : e == SSL_ERROR_ZERO_RETURN ? 0 : -1;
			if (e)
				ERR_clear_error();
		} else
			n = recv(w->fd, room, 16384, 0);
		if (n < 0 && errno == EINTR && !*stop)
			continue;
		if (n < 0)
			return *stop ? -EINTR : errno == EAGAIN ? -ETIMEDOUT : -ECONNRESET;
		b->n += (size_t)n;
		return n;
	}
}

static struct str field(const struct reply *r, const char *name)
{
	for (size_t i = 0; i < r->n_headers; i++)
		if (str_eq_ci(r->headers[i].name, str_c(name)))
			return r->headers[i].value;
	return STR_NONE;
}

static int parse_head(struct str head, struct reply *ret)
{
	struct str rest = head, line, word, code;
	int64_t status;

	*ret = (struct reply){ 0 };
	if (!str_next(&rest, '\n', &line) || !str_starts(line, S("HTTP/1.")) || !str_cut(line, ' ', &word, &code) || code.n < 3 ||
	    str_to_i64(str_of(code.p, 3), &status) < 0)
		return -EBADMSG;
	ret->status = (int)status;
	while (str_next(&rest, '\n', &line) && ret->n_headers < ELEMENTS(ret->headers)) {
		struct http_header *h = &ret->headers[ret->n_headers];

		line = str_trim(line);
		if (line.n == 0 || !str_cut(line, ':', &h->name, &h->value))
			continue;
		h->value = str_trim(h->value);
		ret->n_headers++;
	}
	return 0;
}

/* The chunks of s in one piece. 0; -EAGAIN: not complete yet; -EBADMSG. */
static int unchunk(struct arena *a, struct str s, struct str *ret)
{
	char *out = arena_alloc(a, s.n + 1);
	size_t n = 0;

	for (;;) {
		ptrdiff_t eol = str_find(s, S("\r\n"));
		size_t size = 0;

		if (eol < 0)
			return -EAGAIN;
		for (ptrdiff_t i = 0; i < eol && s.p[i] != ';'; i++) {
			const char *digits = "0123456789abcdef", *d = strchr(digits, s.p[i] | 0x20);

			if (!d || size > PROVE_ANSWER_BYTES_MAX)
				return -EBADMSG;
			size = size * 16 + (size_t)(d - digits);
		}
		s = str_skip(s, (size_t)eol + 2);
		if (size == 0) {
			*ret = str_of(out, n);
			return 0;
		}
		if (s.n < size + 2)
			return -EAGAIN;
		memcpy(out + n, s.p, size);
		n += size;
		s = str_skip(s, size + 2);
	}
}

/* One answer from the buffer and the connection. */
static int read_answer(struct wire_end *w, bool head_only, const volatile int *stop, struct arena *a, struct buf *b, struct reply *ret, bool *ret_keep)
{
	ptrdiff_t end;
	struct str len, body;
	uint64_t n = 0;
	ssize_t r;

	for (;;) {
		while ((end = str_find(buf_view(b), S("\r\n\r\n"))) < 0) {
			if (b->n > HEAD_BYTES_MAX)
				return -EMSGSIZE;
			r = more(w, b, stop);
			if (r <= 0)
				return r < 0 ? (int)r : b->n ? -ECONNRESET : -ENODATA;
		}
		if (parse_head(str_dup(a, str_of(b->p, (size_t)end + 2)), ret) < 0)
			return -EBADMSG;
		memmove(b->p, b->p + end + 4, b->n - (size_t)end - 4);
		b->n -= (size_t)end + 4;
		if (ret->status >= 200)
			break;
	}
	len = field(ret, "content-length");
	*ret_keep = !str_eq_ci(field(ret, "connection"), S("close"));
	if (head_only || ret->status == 204 || ret->status == 304)
		return 0;
	if (str_eq_ci(field(ret, "transfer-encoding"), S("chunked"))) {
		int e;

		while ((e = unchunk(a, buf_view(b), &body)) == -EAGAIN) {
			r = more(w, b, stop);
			if (r <= 0)
				return r < 0 ? (int)r : -ECONNRESET;
		}
		ret->body = body;
		*ret_keep = false; /* trailers are not looked at */
		return e;
	}
	if (len.p && (str_to_u64(len, &n) < 0 || n > PROVE_ANSWER_BYTES_MAX))
		return -EMSGSIZE;
	while (!len.p || b->n < n) {
		r = more(w, b, stop);
		if (r == 0 && !len.p)
			break;
		if (r <= 0)
			return r < 0 ? (int)r : -ECONNRESET;
	}
	if (!len.p)
		*ret_keep = false;
	ret->body = str_dup(a, str_of(b->p ? b->p : "", len.p ? (size_t)n : b->n));
	return 0;
}

int line_exchange(struct line *l, bool tls, struct str request, bool head, const volatile int *stop, struct arena *a, struct reply *ret,
		  const char **ret_error)
{
	struct wire_end *w = &l->end[tls];
	bool keep = false, kept;
	struct buf b;
	int r;

	*ret_error = NULL;
	for (;;) {
		kept = w->fd >= 0 && w->used;
		r = w->fd < 0 ? end_open(l, tls, ret_error) : 0;
		if (r < 0)
			return *stop ? -EINTR : r;
		buf_init(&b, PROVE_ANSWER_BYTES_MAX + HEAD_BYTES_MAX);
		r = put(w, request, stop);
		/* A server that refuses early answers before it has read everything: read the answer also when writing failed. */
		if (r == 0 || r == -EPIPE)
			r = read_answer(w, head, stop, a, &b, ret, &keep);
		buf_done(&b);
		if (r < 0 || !keep)
			end_close(w);
		if (r < 0 && kept && r != -EINTR && r != -EMSGSIZE && r != -EBADMSG && r != -ETIMEDOUT)
			continue; /* closed while it waited: the request was never read */
		break;
	}
	if (r == 0)
		w->used = true;
	else if (!*ret_error)
		(void)fail(l, r, ret_error, "no answer: %s", r == -ENODATA ? "the connection was closed" : strerror(-r));
	return r;
}
