/* SPDX-License-Identifier: Apache-2.0 */
/* echo_server.c - a server on src/http for the tests (tests/http/test_*.py) and for bench/http_bench; not installed.
 *
 * echo_server [--tls CA_FILE] [--tls-only] [--listen ADDR] [--loops N] [--header-ms N] [--idle-ms N] [--stall-ms N]
 *             [--connections N] [--grace-ms N]
 * Prints "PORT n" when it listens; with --tls it makes an authority and writes its certificate to CA_FILE. SIGTERM
 * stops it within the grace. Paths: see routes[]. */
#include "base/buf.h"
#include "base/util.h"
#include "http/http.h"
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#define BODY_MAX (1ull << 40)

static atomic_long waiting, gone, headers_seen, done_seen, sources_open;
static char json[300];

struct state {               /* in http_request.user */
	uint64_t n;          /* bytes of the body */
	atomic_bool replied; /* /thread replies from another thread */
};
static struct state *state(struct http_request *r)
{
	return r->user;
}

static void send_reply(struct http_request *r, const struct http_reply *a)
{
	state(r)->replied = true;
	http_reply(r, a);
}

static uint64_t number(const struct http_request *r, uint64_t otherwise)
{
	uint64_t v;

	return r->query.p && str_to_u64(r->query, &v) == 0 ? v : otherwise;
}

static void reply(struct http_request *r, int status, struct str body)
{
	static const struct http_header headers[] = {
		{ S("Content-Type"), S("application/x-amz-json-1.1") },
		{ S("x-amzn-RequestId"), S("11111111-2222-3333-4444-555555555555") },
	};
	struct http_reply a = { .status = status, .headers = headers, .n_headers = ELEMENTS(headers), .body = body };

	send_reply(r, &a);
}

/* --- answers --- */

static void answer_json(struct http_request *r)
{
	reply(r, 200, str_of(json, sizeof json));
}

static void answer_upload(struct http_request *r)
{
	reply(r, 200, str_printf(&r->arena, "%llu\n", (unsigned long long)state(r)->n));
}

static void answer_echo(struct http_request *r)
{
	reply(r, 200, r->body);
}

static void answer_info(struct http_request *r)
{
	char peer[INET6_ADDRSTRLEN] = "?";
	struct buf b;
	struct str text;

	if (r->peer.ss_family == AF_INET)
		inet_ntop(AF_INET, &((struct sockaddr_in *)&r->peer)->sin_addr, peer, sizeof peer);
	else if (r->peer.ss_family == AF_INET6)
		inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&r->peer)->sin6_addr, peer, sizeof peer);
	buf_init(&b, 1 << 20);
	buf_printf(&b, "peer=%s\n", peer);
	buf_printf(&b, "method=%.*s\npath=%.*s\nquery=%.*s\nhost=%.*s\ntls=%d\nbody=%zu\n", STR(r->method), STR(r->path),
		   r->query.p ? (int)r->query.n : 4, r->query.p ? r->query.p : "NONE", STR(r->host), r->tls, r->body.n);
	for (size_t i = 0; i < r->n_headers; i++)
		buf_printf(&b, "%.*s=[%.*s]\n", STR(r->headers[i].name), STR(r->headers[i].value));
	for (size_t i = 0; i < r->n_trailers; i++)
		buf_printf(&b, "trailer %.*s=[%.*s]\n", STR(r->trailers[i].name), STR(r->trailers[i].value));
	text = str_dup(&r->arena, buf_view(&b));
	buf_done(&b);
	reply(r, 200, text);
}

static void answer_wait(struct http_request *r)
{
	atomic_fetch_add(&waiting, 1);
}

static void answer_stat(struct http_request *r)
{
	reply(r, 200,
	      str_printf(&r->arena, "wait=%ld gone=%ld headers=%ld done=%ld sources=%ld\n", atomic_load(&waiting), atomic_load(&gone),
			 atomic_load(&headers_seen), atomic_load(&done_seen), atomic_load(&sources_open)));
}

static void later(void *arg)
{
	answer_json(arg);
}

static void answer_later(struct http_request *r)
{
	http_timer(r->loop, (int64_t)number(r, 10), later, r);
}

static void *thread_main(void *arg)
{
	usleep(1000);
	answer_json(arg);
	return NULL;
}

static void answer_thread(struct http_request *r)
{
	pthread_t t;

	if (pthread_create(&t, NULL, thread_main, r) != 0)
		reply(r, 500, S("no thread"));
	else
		pthread_detach(t);
}

struct counter { /* a source of bytes 'a'.. by position */
	uint64_t at, end;
};

static ssize_t counter_read(void *arg, char *p, size_t n)
{
	struct counter *c = arg;

	if (n > c->end - c->at)
		n = (size_t)(c->end - c->at);
	for (size_t i = 0; i < n; i++)
		p[i] = (char)('a' + (c->at + i) % 23);
	c->at += n;
	return (ssize_t)n;
}

static void counter_close(void *arg)
{
	atomic_fetch_sub(&sources_open, 1);
	free(arg);
}

static void stream(struct http_request *r, uint64_t said, uint64_t given)
{
	struct counter *c = xzalloc(sizeof *c);
	struct http_source s = { c, counter_read, counter_close };
	struct http_reply a = { .status = 200, .source = &s, .source_bytes = said };

	c->end = given;
	atomic_fetch_add(&sources_open, 1);
	send_reply(r, &a);
}

static void answer_stream(struct http_request *r)
{
	stream(r, number(r, 1000), number(r, 1000));
}

static void answer_short(struct http_request *r)
{
	stream(r, number(r, 1000), number(r, 1000) / 2);
}

/* --- answers that another thread makes meanwhile --- */
struct piped {
	struct http_pipe *pipe;
	sem_t room;
	struct counter from;
	bool cut;
};

static void piped_room(void *arg)
{
	(void)sem_post(&((struct piped *)arg)->room);
}

static void *piped_main(void *arg)
{
	struct piped *x = arg;
	char buf[32768];
	ssize_t n = 1;

	while (n > 0) {
		size_t room = http_pipe_room(x->pipe);

		if (room == 0) {
			(void)sem_wait(&x->room);
			continue;
		}
		n = counter_read(&x->from, buf, room < sizeof buf ? room : sizeof buf);
		http_pipe_put(x->pipe, str_of(buf, (size_t)n));
		if (n)
			usleep(x->from.at < 10000); /* the first ones apart */
	}
	http_pipe_end(x->pipe, S(".end"), x->cut);
	(void)sem_destroy(&x->room);
	atomic_fetch_sub(&sources_open, 1);
	free(x);
	return NULL;
}

static void piped(struct http_request *r, bool cut)
{
	struct piped *x = xzalloc(sizeof *x);
	pthread_t t;

	(void)sem_init(&x->room, 0, 0);
	x->from.end = number(r, 1000);
	x->cut = cut;
	x->pipe = http_pipe_new(65536, piped_room, x);
	atomic_fetch_add(&sources_open, 1);
	state(r)->replied = true;
	http_pipe_reply(r, &(struct http_reply){ .status = 200 }, x->pipe);
	if (pthread_create(&t, NULL, piped_main, x) != 0)
		abort();
	pthread_detach(t);
}

static void answer_pipe(struct http_request *r)
{
	piped(r, false);
}

static void answer_pipe_cut(struct http_request *r)
{
	piped(r, true);
}

static void answer_big(struct http_request *r)
{
	size_t n = (size_t)number(r, 1 << 20);
	char *p = arena_alloc(&r->arena, n);

	memset(p, 'x', n);
	reply(r, 200, str_of(p, n));
}

static void answer_evil(struct http_request *r)
{
	struct http_header h[] = { { S("X-A"), S("1\r\nX-Injected: 2") },
				   { S("Content-Length"), S("77") },
				   { S("Connection"), S("upgrade") } };
	struct http_reply a = { .status = 200, .headers = h, .n_headers = 3, .body = S("ok") };

	send_reply(r, &a);
}

static void answer_close(struct http_request *r)
{
	struct http_reply a = { .status = 200, .body = S("bye"), .close = true };

	send_reply(r, &a);
}

static void answer_none(struct http_request *r)
{
	struct http_reply a = { .status = 204 };

	send_reply(r, &a);
}

/* --- bodies --- */

static int body_count(struct http_request *r, struct str piece)
{
	state(r)->n += piece.n;
	return 0;
}

static int body_stop(struct http_request *r, struct str piece)
{
	reply(r, 403, S("enough\n"));
	return -1;
}

static void resume(void *arg)
{
	http_resume(arg);
}

static int body_pause(struct http_request *r, struct str piece)
{
	state(r)->n += piece.n;
	http_timer(r->loop, 1, resume, r);
	return 1;
}

static void *resume_main(void *arg)
{
	http_resume(arg);
	return NULL;
}

static int body_pause_thread(struct http_request *r, struct str piece)
{
	pthread_t t;

	state(r)->n += piece.n;
	if (pthread_create(&t, NULL, resume_main, r) != 0)
		return 0;
	pthread_detach(t);
	return 1;
}

static int body_hold(struct http_request *r, struct str piece)
{
	state(r)->n += piece.n;
	return 1; /* never resumed */
}

static const struct route {
	const char *path;
	void (*answer)(struct http_request *r);
	enum http_body_mode mode;
	int (*body)(struct http_request *r, struct str piece);
	bool at_once; /* answered by headers() */
	bool waits;
} routes[] = {
	{ "/", answer_json, HTTP_BODY_MEMORY },
	{ "/upload", answer_upload, HTTP_BODY_STREAM, body_count },
	{ "/upload-pause", answer_upload, HTTP_BODY_STREAM, body_pause },
	{ "/upload-pause-thread", answer_upload, HTTP_BODY_STREAM, body_pause_thread },
	{ "/upload-hold", answer_upload, HTTP_BODY_STREAM, body_hold },
	{ "/upload-stop", answer_upload, HTTP_BODY_STREAM, body_stop },
	{ "/echo", answer_echo, HTTP_BODY_MEMORY },
	{ "/info", answer_info, HTTP_BODY_MEMORY },
	{ "/wait", answer_wait, HTTP_BODY_MEMORY, .waits = true },
	{ "/stat", answer_stat, HTTP_BODY_MEMORY },
	{ "/later", answer_later, HTTP_BODY_MEMORY },
	{ "/thread", answer_thread, HTTP_BODY_MEMORY },
	{ "/stream", answer_stream, HTTP_BODY_MEMORY },
	{ "/short", answer_short, HTTP_BODY_MEMORY },
	{ "/pipe", answer_pipe, HTTP_BODY_MEMORY },
	{ "/pipe-cut", answer_pipe_cut, HTTP_BODY_MEMORY },
	{ "/big", answer_big, HTTP_BODY_MEMORY },
	{ "/evil", answer_evil, HTTP_BODY_MEMORY },
	{ "/close", answer_close, HTTP_BODY_MEMORY },
	{ "/204", answer_none, HTTP_BODY_MEMORY },
	{ "/refuse", answer_json, HTTP_BODY_REFUSE, .at_once = true },
	{ "/refuse-thread", answer_thread, HTTP_BODY_REFUSE, .at_once = true },
};

static const struct route *find(const struct http_request *r)
{
	for (size_t i = 0; i < ELEMENTS(routes); i++)
		if (str_is(r->path, routes[i].path))
			return &routes[i];
	return &routes[0];
}

static void on_headers(void *arg, struct http_request *r)
{
	const struct route *t = find(r);

	atomic_fetch_add(&headers_seen, 1);
	r->user = arena_new(&r->arena, struct state);
	r->body_mode = t->mode;
	if (t->mode == HTTP_BODY_STREAM)
		r->body_max = BODY_MAX;
	if (t->at_once)
		t->answer(r);
}

static int on_body(void *arg, struct http_request *r, struct str piece)
{
	return find(r)->body(r, piece);
}

static void on_done(void *arg, struct http_request *r)
{
	atomic_fetch_add(&done_seen, 1);
	find(r)->answer(r);
}

static void on_gone(void *arg, struct http_request *r)
{
	const struct route *t = find(r);

	atomic_fetch_add(&gone, 1);
	if (t->waits)
		atomic_fetch_sub(&waiting, 1);
	/* Whoever has promised a reply (a timer, a thread) gives it, and that frees the request. */
	if (state(r)->replied)
		return;
	if (t->waits || t->mode == HTTP_BODY_STREAM || (t->mode == HTTP_BODY_MEMORY && r->has_body && !r->body.p))
		reply(r, 503, S("gone"));
}

/* --- main --- */

struct args {
	struct http_opts http;
	const char *ca_file;
	int grace_ms;
};

static int parse_args(int argc, char **argv, struct args *a)
{
	for (int i = 1; i < argc; i++) {
		const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
		int64_t n = 0;
		const struct {
			const char *name;
			int *at;
		} numbers[] = {
			{ "--loops", &a->http.loops },
			{ "--header-ms", &a->http.header_timeout_ms },
			{ "--idle-ms", &a->http.idle_timeout_ms },
			{ "--stall-ms", &a->http.stall_timeout_ms },
			{ "--connections", &a->http.connections_max },
			{ "--grace-ms", &a->grace_ms },
		};
		bool known = false;

		if (str_is(str_c(name), "--tls-only")) {
			a->http.tls_only = true;
			continue;
		}
		if (!value)
			return -EINVAL;
		i++;
		if (str_is(str_c(name), "--tls"))
			a->ca_file = value, known = true;
		if (str_is(str_c(name), "--listen"))
			a->http.listen = value, known = true;
		for (size_t k = 0; k < ELEMENTS(numbers); k++)
			if (str_is(str_c(name), numbers[k].name) && str_to_i64(str_c(value), &n) == 0)
				*numbers[k].at = (int)n, known = true;
		if (!known)
			return -EINVAL;
	}
	return 0;
}

static int make_certificates(const char *ca_file, char **cert, char **key)
{
	static const char *const names[] = { "localhost", "*.s3.localhost", "127.0.0.1", "::1", NULL };
	char *ca_cert, *ca_key;
	FILE *f;
	int r = ca_make(&ca_cert, &ca_key);

	if (r < 0)
		return r;
	r = ca_issue(ca_cert, ca_key, names, cert, key);
	f = fopen(ca_file, "we");
	if (!f || fputs(ca_cert, f) < 0 || fclose(f) != 0)
		r = -EIO;
	free(ca_cert);
	mem_wipe(ca_key, strlen(ca_key));
	free(ca_key);
	return r;
}

int main(int argc, char **argv)
{
	static const struct http_handler handler = { .headers = on_headers, .body = on_body, .done = on_done, .gone = on_gone };
	struct args a = { .http = { .listen = "127.0.0.1:0", .handler = &handler }, .grace_ms = 2000 };
	struct http_server *s;
	char *cert = NULL, *key = NULL;
	sigset_t set;
	int r, sig;

	if (parse_args(argc, argv, &a) < 0) {
		fprintf(stderr, "echo_server: bad arguments\n");
		return 2;
	}
	memset(json, 'x', sizeof json);
	memcpy(json, "{\"Account\":\"123456789012\",\"Arn\":\"", 33);
	memcpy(json + sizeof json - 2, "\"}", 2);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	r = a.ca_file ? make_certificates(a.ca_file, &cert, &key) : 0;
	a.http.cert_pem = cert;
	a.http.key_pem = key;
	if (r == 0)
		r = http_start(&a.http, &s);
	free(cert);
	free(key);
	if (r < 0) {
		fprintf(stderr, "echo_server: %s\n", strerror(-r));
		return 1;
	}
	printf("PORT %d\n", http_port(s));
	fflush(stdout);
	sigwait(&set, &sig);
	http_stop(s, a.grace_ms);
	printf("STOPPED waiting=%ld gone=%ld sources=%ld\n", atomic_load(&waiting), atomic_load(&gone), atomic_load(&sources_open));
	return 0;
}
