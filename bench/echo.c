/* SPDX-License-Identifier: Apache-2.0 */
/* echo.c - the least an HTTP server can do: epoll, llhttp, one fixed answer; no limits, no timeouts, no strictness. It is
 * the bound that bench/http_bench measures src/http against, on the same machine in the same run. Not installed.
 *
 * echo THREADS [tls]: prints "PORT n", serves until killed. */
#include "http/http.h"
#include <arpa/inet.h>
#include <errno.h>
#include <llhttp.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES 16384
#define BODY_BYTES 300

struct echo {
	int fd;
	SSL *ssl;
	bool complete;
	llhttp_t parser;
};
static SSL_CTX *ctx;
static char answer[1024];
static size_t answer_n;
static int port;
static llhttp_settings_t settings;

static int on_complete(llhttp_t *p)
{
	((struct echo *)p->data)->complete = true;
	return HPE_PAUSED;
}

static void end(struct echo *c)
{
	close(c->fd);
	SSL_free(c->ssl);
	free(c);
}

static ssize_t get(struct echo *c, char *p, size_t n)
{
	int r;

	if (!c->ssl)
		return recv(c->fd, p, n, 0);
	r = SSL_read(c->ssl, p, (int)n);
	if (r > 0)
		return r;
	errno = SSL_get_error(c->ssl, r) == SSL_ERROR_WANT_READ ? EAGAIN : EPIPE;
	return -1;
}

static bool put(struct echo *c)
{
	if (c->ssl)
		return SSL_write(c->ssl, answer, (int)answer_n) == (int)answer_n;
	return send(c->fd, answer, answer_n, MSG_NOSIGNAL) == (ssize_t)answer_n;
}

/* input: false when the connection is over. A head cut in two is llhttp's to join. */
static bool input(struct echo *c)
{
	char buf[READ_BYTES];
	ssize_t n;

	do {
		const char *p = buf;

		n = get(c, buf, sizeof buf);
		if (n < 0)
			return errno == EAGAIN;
		if (n == 0)
			return false;
		while (p < buf + n) {
			llhttp_errno_t e = llhttp_execute(&c->parser, p, (size_t)(buf + n - p));

			if (e == HPE_OK)
				break;
			if (e != HPE_PAUSED)
				return false;
			p = llhttp_get_error_pos(&c->parser);
			llhttp_resume(&c->parser);
			if (c->complete && !put(c))
				return false;
			c->complete = false;
		}
	} while (n == READ_BYTES);
	return true;
}

static void take_clients(int ep, int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct echo *c = calloc(1, sizeof *c);
		struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP, .data.ptr = c };

		if (!c)
			abort();
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
		c->fd = fd;
		llhttp_init(&c->parser, HTTP_REQUEST, &settings);
		c->parser.data = c;
		if (ctx) {
			c->ssl = SSL_new(ctx);
			SSL_set_fd(c->ssl, fd);
			SSL_set_accept_state(c->ssl);
		}
		epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
	}
}

static int open_listener(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof sa;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &(int){ 1 }, sizeof(int));
	if (bind(fd, (struct sockaddr *)&sa, n) < 0 || listen(fd, 4096) < 0 || getsockname(fd, (struct sockaddr *)&sa, &n) < 0) {
		perror("echo: listen");
		exit(1);
	}
	port = ntohs(sa.sin_port);
	return fd;
}

static void *run(void *arg)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), listener = (int)(intptr_t)arg;
	struct epoll_event ev = { .events = EPOLLIN }, got[256];

	epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ev);
	for (;;) {
		int n = epoll_wait(ep, got, 256, -1);

		for (int i = 0; i < n; i++) {
			struct echo *c = got[i].data.ptr;

			if (!c)
				take_clients(ep, listener);
			else if (got[i].events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP) || !input(c))
				end(c);
		}
	}
	return NULL;
}

static void use_tls(void)
{
	static const char *const names[] = { "localhost", NULL };
	char *ca, *ca_key, *cert, *key;
	BIO *b;

	signal(SIGPIPE, SIG_IGN);
	ctx = SSL_CTX_new(TLS_server_method());
	SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	if (ca_make(&ca, &ca_key) < 0 || ca_issue(ca, ca_key, names, &cert, &key) < 0)
		exit(1);
	b = BIO_new_mem_buf(cert, -1);
	SSL_CTX_use_certificate(ctx, PEM_read_bio_X509(b, NULL, NULL, NULL));
	b = BIO_new_mem_buf(key, -1);
	SSL_CTX_use_PrivateKey(ctx, PEM_read_bio_PrivateKey(b, NULL, NULL, NULL));
}

int main(int argc, char **argv)
{
	int threads = argc > 1 && argv[1][0] >= '1' && argv[1][0] <= '9' ? argv[1][0] - '0' : 1;
	char body[BODY_BYTES];

	memset(body, 'x', sizeof body);
	answer_n = (size_t)snprintf(answer, sizeof answer,
				    "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\n"
				    "x-amzn-RequestId: 11111111-2222-3333-4444-555555555555\r\nContent-Length: %d\r\n\r\n%.*s",
				    BODY_BYTES, BODY_BYTES, body);
	llhttp_settings_init(&settings);
	settings.on_message_complete = on_complete;
	if (argc > 2)
		use_tls();
	for (int i = 0; i < threads; i++) {
		pthread_t t;
		int listener = open_listener();

		if (i == threads - 1) {
			printf("PORT %d\n", port);
			fflush(stdout);
			run((void *)(intptr_t)listener);
		} else if (pthread_create(&t, NULL, run, (void *)(intptr_t)listener) != 0) {
			return 1;
		}
	}
	return 0;
}
