/* SPDX-License-Identifier: Apache-2.0 */
/* client.c - HTTP/1.1 over TCP or TLS, blocking, one connection that is kept. See client.h. */
#include "cli/client.h"
#include "auth/sigv4.h"
#include "base/util.h"
#include <assert.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#define TIMEOUT_MS 60000
#define HEAD_BYTES_MAX 65536
#define CHUNK_SIZE_DIGITS_MAX 15
#define READ_BYTES 16384

struct client {
	struct arena arena;
	struct client_opts o;
	bool tls;
	struct str host, port, host_header;
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;
	char in[READ_BYTES]; /* read and not used yet */
	size_t in_at, in_n;
};

static int problem(struct arena *a, struct str *ret, int r, const char *fmt, ...) _printf_(4, 5);
static int problem(struct arena *a, struct str *ret, int r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	*ret = str_vprintf(a, fmt, ap);
	va_end(ap);
	return r;
}

static bool parse_endpoint(struct client *cl)
{
	struct str rest = cl->o.endpoint, path;
	ptrdiff_t colon;
	uint64_t n;

	if (str_starts(rest, S("https://"))) {
		cl->tls = true;
		rest = str_skip(rest, 8);
	} else if (str_starts(rest, S("http://")))
		rest = str_skip(rest, 7);
	else
		return false;
	(void)str_cut(rest, '/', &rest, &path);
	if (path.n)
		return false;
	cl->host_header = rest;
	colon = str_rfind_char(rest, ':');
	if (colon >= 0 && str_find_char(str_skip(rest, (size_t)colon), ']') < 0) {
		cl->port = str_skip(rest, (size_t)colon + 1);
		rest.n = (size_t)colon;
	} else
		cl->port = cl->tls ? S("443") : S("80");
	if (rest.n > 2 && rest.p[0] == '[' && rest.p[rest.n - 1] == ']')
		rest = str_of(rest.p + 1, rest.n - 2);
	cl->host = str_dup(&cl->arena, rest);
	cl->port = str_dup(&cl->arena, cl->port);
	return rest.n > 0 && str_to_u64(cl->port, &n) == 0 && n > 0 && n < 65536;
}

static int make_tls(struct client *cl, struct arena *a, struct str *ret_problem)
{
	cl->ctx = SSL_CTX_new(TLS_client_method());
	if (!cl->ctx)
		return problem(a, ret_problem, -ENOMEM, "TLS cannot be set up");
	SSL_CTX_set_min_proto_version(cl->ctx, TLS1_2_VERSION);
	SSL_CTX_set_verify(cl->ctx, SSL_VERIFY_PEER, NULL);
	if (!cl->o.ca_file.p)
		SSL_CTX_set_default_verify_paths(cl->ctx);
	else if (SSL_CTX_load_verify_locations(cl->ctx, cl->o.ca_file.p, NULL) != 1) {
		ERR_clear_error();
		return problem(a, ret_problem, -EINVAL, "%s holds no certificates", cl->o.ca_file.p);
	}
	return 0;
}

int client_new(const struct client_opts *o, struct arena *a, struct client **ret, struct str *ret_problem)
{
	struct client *cl = xzalloc(sizeof *cl);
	int r = 0;

	(void)signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
	cl->fd = -1;
	cl->o = *o;
	cl->o.endpoint = str_dup(&cl->arena, o->endpoint);
	cl->o.ca_file = str_dup(&cl->arena, o->ca_file);
	cl->o.key_id = str_dup(&cl->arena, o->key_id);
	cl->o.secret = str_dup(&cl->arena, o->secret);
	cl->o.token = str_dup(&cl->arena, o->token);
	cl->o.region = str_dup(&cl->arena, o->region);
	cl->o.service = str_dup(&cl->arena, o->service);
	if (!cl->o.timeout_ms)
		cl->o.timeout_ms = TIMEOUT_MS;
	if (!parse_endpoint(cl))
		r = problem(a, ret_problem, -EINVAL, "%.*s is no endpoint: it should look like https://localhost:4566", STR(o->endpoint));
	else if (cl->tls)
		r = make_tls(cl, a, ret_problem);
	if (r < 0) {
		client_free(cl);
		return r;
	}
	*ret = cl;
	return 0;
}

static void drop(struct client *cl)
{
	SSL_free(cl->ssl);
	cl->ssl = NULL;
	if (cl->fd >= 0)
		(void)close(cl->fd);
	cl->fd = -1;
	cl->in_at = cl->in_n = 0;
}

void client_free(struct client *cl)
{
	if (!cl)
		return;
	drop(cl);
	SSL_CTX_free(cl->ctx);
	if (cl->o.secret.p)
		mem_wipe((char *)(uintptr_t)cl->o.secret.p, cl->o.secret.n);
	arena_done(&cl->arena);
	free(cl);
}

/* --- the connection --- */
static int dial(struct client *cl, const struct addrinfo *ai)
{
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1, e = 0;
	struct pollfd p = { fd, POLLOUT, 0 };
	struct timeval tv = { cl->o.timeout_ms / 1000, cl->o.timeout_ms % 1000 * 1000 };
	socklen_t n = sizeof e;

	if (fd < 0)
		return -errno;
	if (connect(fd, ai->ai_addr, ai->ai_addrlen) < 0) {
		e = errno;
		if (e == EINPROGRESS) {
			e = poll(&p, 1, cl->o.timeout_ms) == 1 ? 0 : ETIMEDOUT;
			if (e == 0)
				(void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &n);
		}
	}
	if (e) {
		(void)close(fd);
		return -e;
	}
	(void)fcntl(fd, F_SETFL, 0); /* from here on it blocks, within the timeouts */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
	return fd;
}

static int handshake(struct client *cl, struct arena *a, struct str *ret_problem)
{
	X509_VERIFY_PARAM *vp;
	uint8_t ip[16];
	bool is_ip = inet_pton(AF_INET, cl->host.p, ip) == 1 || inet_pton(AF_INET6, cl->host.p, ip) == 1;
	long why;

	cl->ssl = SSL_new(cl->ctx);
	if (!cl->ssl)
		return problem(a, ret_problem, -ENOMEM, "TLS cannot be set up");
	vp = SSL_get0_param(cl->ssl);
	if (is_ip)
		(void)X509_VERIFY_PARAM_set1_ip_asc(vp, cl->host.p);
	else {
		(void)X509_VERIFY_PARAM_set1_host(vp, cl->host.p, 0);
		(void)SSL_set_tlsext_host_name(cl->ssl, cl->host.p);
	}
	(void)SSL_set_fd(cl->ssl, cl->fd);
	if (SSL_connect(cl->ssl) == 1)
		return 0;
	why = SSL_get_verify_result(cl->ssl);
	ERR_clear_error();
	if (why != X509_V_OK)
		return problem(a, ret_problem, -EKEYREJECTED, "the certificate of %.*s is not trusted: %s", STR(cl->host_header),
			       X509_verify_cert_error_string(why));
	return problem(a, ret_problem, -EPROTO, "no TLS connection with %.*s", STR(cl->host_header));
}

static int open_connection(struct client *cl, struct arena *a, struct str *ret_problem)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC }, *all = NULL;
	int r = getaddrinfo(cl->host.p, cl->port.p, &hints, &all), fd = -ECONNREFUSED;

	if (r != 0)
		return problem(a, ret_problem, -EHOSTUNREACH, "%.*s is not found: %s", STR(cl->host), gai_strerror(r));
	for (const struct addrinfo *ai = all; ai && fd < 0; ai = ai->ai_next)
		fd = dial(cl, ai);
	freeaddrinfo(all);
	if (fd < 0)
		return problem(a, ret_problem, fd, "cannot connect to %.*s: %s", STR(cl->o.endpoint), strerror(-fd));
	cl->fd = fd;
	r = cl->tls ? handshake(cl, a, ret_problem) : 0;
	if (r < 0)
		drop(cl);
	return r;
}

static int write_all(struct client *cl, struct str s)
{
	while (s.n) {
		ssize_t k = cl->ssl ? SSL_write(cl->ssl, s.p, s.n > INT32_MAX ? INT32_MAX : (int)s.n)
				    : send(cl->fd, s.p, s.n, MSG_NOSIGNAL);

		if (k < 0 && !cl->ssl && errno == EINTR)
			continue;
		if (k <= 0) {
			ERR_clear_error();
			return -EPIPE;
		}
		s = str_skip(s, (size_t)k);
	}
	return 0;
}

/* More bytes into in: how many, 0 at the end, or negative. */
static ssize_t fill(struct client *cl)
{
	ssize_t k;

	do {
		errno = 0;
		k = cl->ssl ? SSL_read(cl->ssl, cl->in, sizeof cl->in) : recv(cl->fd, cl->in, sizeof cl->in, 0);
	} while (k < 0 && errno == EINTR);
	if (k < 0 || (cl->ssl && k == 0)) {
		bool end = cl->ssl && SSL_get_error(cl->ssl, (int)k) == SSL_ERROR_ZERO_RETURN;

		ERR_clear_error();
		if (end)
			return 0;
		return errno == EAGAIN ? -ETIMEDOUT : -ECONNRESET;
	}
	cl->in_at = 0;
	cl->in_n = (size_t)k;
	return k;
}

/* --- reading an answer --- */
static int read_line(struct client *cl, struct arena *a, size_t *budget, struct str *ret)
{
	char *p = NULL;
	size_t n = 0, cap = 0;

	for (;;) {
		if (cl->in_at == cl->in_n) {
			ssize_t k = fill(cl);

			if (k <= 0)
				return k < 0 ? (int)k : n ? -EPROTO : -ECONNRESET;
		}
		if (*budget == 0)
			return -EMSGSIZE;
		--*budget;
		vec_push(a, p, n, cap) = cl->in[cl->in_at++];
		if (p[n - 1] != '\n')
			continue;
		n -= n > 1 && p[n - 2] == '\r' ? 2 : 1;
		*ret = str_of(p, n);
		return 0;
	}
}

struct body_out {
	struct arena *a;
	char *p;
	size_t n, cap;
};

/* Takes n bytes of the body, or all until the end of the connection (UINT64_MAX). */
static int read_bytes(struct client *cl, struct body_out *out, uint64_t n)
{
	while (n > 0) {
		size_t k;

		if (cl->in_at == cl->in_n) {
			ssize_t got = fill(cl);

			if (got == 0 && n == UINT64_MAX)
				return 0;
			if (got <= 0)
				return got < 0 ? (int)got : -EPROTO;
		}
		k = cl->in_n - cl->in_at;
		if (k > n)
			k = (size_t)n;
		if (out->n + k > CLIENT_ANSWER_BYTES_MAX)
			return -EMSGSIZE;
		if (out->n + k > out->cap) {
			size_t cap = (out->n + k) * 2;

			out->p = arena_grow(out->a, out->p, out->n, cap);
			out->cap = cap;
		}
		memcpy(out->p + out->n, cl->in + cl->in_at, k);
		out->n += k;
		cl->in_at += k;
		if (n != UINT64_MAX)
			n -= k;
	}
	return 0;
}

static int read_chunks(struct client *cl, struct arena *a, struct body_out *out)
{
	size_t budget = CLIENT_ANSWER_BYTES_MAX;
	struct str line, size, rest;
	uint64_t n;
	int r;

	for (;;) {
		r = read_line(cl, a, &budget, &line);
		if (r < 0)
			return r;
		(void)str_cut(line, ';', &size, &rest);
		size = str_trim(size);
		if (size.n > CHUNK_SIZE_DIGITS_MAX || str_hex_to_u64(size, &n) < 0)
			return -EPROTO;
		if (n == 0)
			break;
		r = read_bytes(cl, out, n);
		if (r == 0)
			r = read_line(cl, a, &budget, &line);
		if (r < 0 || line.n)
			return r < 0 ? r : -EPROTO;
	}
	do /* trailers */
		r = read_line(cl, a, &budget, &line);
	while (r == 0 && line.n);
	return r;
}

static struct str header_of(const struct client_reply *rep, const char *name)
{
	for (size_t i = 0; i < rep->n_headers; i++)
		if (str_eq_ci(rep->headers[i].name, str_c(name)))
			return rep->headers[i].value;
	return STR_NONE;
}

static int read_head(struct client *cl, struct arena *a, struct client_reply *ret)
{
	size_t budget = HEAD_BYTES_MAX;
	struct str line, name, value, rest;
	uint64_t status;
	int r = read_line(cl, a, &budget, &line);

	if (r < 0)
		return r;
	if (!str_starts(line, S("HTTP/1.")) || line.n < 12 || str_to_u64(str_of(line.p + 9, 3), &status) < 0)
		return -EPROTO;
	ret->status = (int)status;
	ret->n_headers = 0;
	ret->headers = arena_array(a, struct http_header, CLIENT_HEADERS_MAX);
	for (;;) {
		r = read_line(cl, a, &budget, &line);
		if (r < 0 || line.n == 0)
			return r;
		rest = line;
		if (!str_cut(rest, ':', &name, &value) || ret->n_headers == CLIENT_HEADERS_MAX)
			return -EPROTO;
		ret->headers[ret->n_headers++] = (struct http_header){ name, str_trim(value) };
	}
}

static int read_reply(struct client *cl, struct arena *a, bool head, struct client_reply *ret)
{
	struct body_out out = { .a = a };
	struct str length, coding, connection;
	uint64_t n;
	int r;

	do
		r = read_head(cl, a, ret);
	while (r == 0 && ret->status / 100 == 1);
	if (r < 0)
		return r;
	length = header_of(ret, "content-length");
	coding = header_of(ret, "transfer-encoding");
	connection = header_of(ret, "connection");
	if (head || ret->status == 204 || ret->status == 304)
		r = 0;
	else if (coding.p)
		r = str_eq_ci(coding, S("chunked")) ? read_chunks(cl, a, &out) : -EPROTO;
	else if (length.p)
		r = str_to_u64(length, &n) < 0 ? -EPROTO : read_bytes(cl, &out, n);
	else {
		r = read_bytes(cl, &out, UINT64_MAX);
		connection = S("close");
	}
	ret->body = str_of(out.p ? out.p : "", out.n);
	if (r < 0 || str_eq_ci(connection, S("close")))
		drop(cl);
	return r;
}

/* --- requests --- */
static bool named_host(const struct http_header *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq_ci(v[i].name, S("host")))
			return true;
	return false;
}

static struct str compose(struct client *cl, struct arena *a, const char *method, struct str target, const struct http_header *more,
			  size_t n_more, struct str body)
{
	struct http_header h[CLIENT_HEADERS_MAX];
	struct str path, query, date = time_basic(a, clock_now_ms()), hash, auth = STR_NONE;
	uint8_t digest[32];
	struct buf b;
	size_t n = 0;

	assert(n_more + 6 <= CLIENT_HEADERS_MAX);
	hash_sha256(body.p ? body.p : "", body.n, digest);
	hash = hex_encode(a, digest, sizeof digest);
	if (!named_host(more, n_more))
		h[n++] = (struct http_header){ S("Host"), cl->host_header };
	for (size_t i = 0; i < n_more; i++)
		h[n++] = more[i];
	if (cl->o.key_id.p) {
		h[n++] = (struct http_header){ S("X-Amz-Date"), date };
		if (str_is(cl->o.service, "s3"))
			h[n++] = (struct http_header){ S("X-Amz-Content-Sha256"), hash };
		if (cl->o.token.p)
			h[n++] = (struct http_header){ S("X-Amz-Security-Token"), cl->o.token };
		(void)str_cut(target, '?', &path, &query);
		auth = sigv4_sign(a, cl->o.key_id, cl->o.secret, cl->o.region, cl->o.service, str_c(method), path, query, h, n, hash, date);
	}
	buf_init(&b, HEAD_BYTES_MAX + target.n);
	buf_printf(&b, "%s %.*s HTTP/1.1\r\n", method, STR(target));
	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "%.*s: %.*s\r\n", STR(h[i].name), STR(h[i].value));
	if (auth.p)
		buf_printf(&b, "Authorization: %.*s\r\n", STR(auth));
	buf_printf(&b, "User-Agent: cloudkeep\r\nContent-Length: %zu\r\n\r\n", body.n);
	date = str_dup(a, buf_view(&b));
	buf_done(&b);
	return date;
}

int client_send(struct client *cl, struct arena *a, const char *method, struct str target, const struct http_header *headers,
		size_t n_headers, struct str body, struct client_reply *ret, struct str *ret_problem)
{
	struct str head = compose(cl, a, method, target, headers, n_headers, body);
	int r;

	for (int try = 0;; try++) {
		bool kept = cl->fd >= 0;

		r = kept ? 0 : open_connection(cl, a, ret_problem);
		if (r < 0)
			return r;
		*ret = (struct client_reply){ 0 };
		r = write_all(cl, head);
		if (r == 0)
			r = write_all(cl, body);
		/* A refusal may come, and the connection close, before a body is sent whole. */
		if (r == 0 || !kept)
			r = read_reply(cl, a, strcmp(method, "HEAD") == 0, ret);
		if (r == 0)
			return 0;
		drop(cl);
		/* A kept connection may have been closed while it was idle: then nothing was begun, and once more is right. */
		if (kept && try == 0 && (r == -ECONNRESET || r == -EPIPE) && ret->status == 0)
			continue;
		return problem(a, ret_problem, r, "%s %.*s: %s", r == -ETIMEDOUT ? "no answer in time from" : "the connection broke with",
			       STR(cl->host_header), strerror(-r));
	}
}

/* --- awsQuery --- */
struct xml_node *xml_find(struct xml_node *n, const char *path)
{
	struct str rest = str_c(path), name;

	while (n && str_next(&rest, '/', &name)) {
		for (n = n->children; n && !str_eq(n->name, name);)
			n = n->next;
	}
	return n;
}

struct str xml_text(struct xml_node *n, const char *path)
{
	n = xml_find(n, path);
	return n ? (n->text.p ? n->text : S("")) : STR_NONE;
}

int client_query(struct client *cl, struct arena *a, const char *action, const char *version, const struct str_pair *params, size_t n,
		 struct client_answer *ret)
{
	static const struct http_header form = { { "Content-Type", 12 }, { "application/x-www-form-urlencoded; charset=utf-8", 48 } };
	struct client_reply rep;
	struct xml_node *error;
	struct str body;
	struct buf b;
	int r;

	buf_init(&b, CLIENT_ANSWER_BYTES_MAX);
	buf_printf(&b, "Action=%s&Version=%s", action, version);
	for (size_t i = 0; i < n; i++) {
		struct str v = uri_encode(a, params[i].value, false);

		buf_printf(&b, "&%.*s=", STR(uri_encode(a, params[i].key, false)));
		buf_str(&b, v);
	}
	body = str_dup(a, buf_view(&b));
	buf_done(&b);
	*ret = (struct client_answer){ 0 };
	r = client_send(cl, a, "POST", S("/"), &form, 1, body, &rep, &ret->message);
	if (r < 0)
		return r;
	ret->status = rep.status;
	if (xml_parse(a, rep.body, &ret->root) < 0) {
		ret->root = NULL;
		ret->message = str_printf(a, "%.*s answered %d with something that is not XML", STR(cl->host_header), rep.status);
		return -EPROTO;
	}
	if (rep.status / 100 == 2)
		return 0;
	error = xml_find(ret->root, "Error");
	if (!error)
		error = xml_find(ret->root, "Errors/Error");
	ret->code = error ? xml_text(error, "Code") : S("Unknown");
	ret->message = error ? xml_text(error, "Message") : str_printf(a, "status %d", rep.status);
	return 1;
}
