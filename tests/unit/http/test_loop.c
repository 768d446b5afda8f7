/* SPDX-License-Identifier: Apache-2.0 */
/* Timers, posts, and requests that outlive their server. */
#include "test.h"

#include "base/arena.h"
#include "http/http.h"
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#define TIMERS 500
#define POSTERS 4
#define POSTS 5000

static sem_t parked_sem, done_sem;
static struct http_request *parked;
static atomic_int gone_calls;

static void on_headers(void *arg, struct http_request *r)
{
	r->body_mode = HTTP_BODY_REFUSE; /* the reply comes later */
	parked = r;
	sem_post(&parked_sem);
}
static void on_done(void *arg, struct http_request *r)
{
	fail();
}
static void on_gone(void *arg, struct http_request *r)
{
	atomic_fetch_add(&gone_calls, 1);
}
static const struct http_handler handler = { .headers = on_headers, .done = on_done, .gone = on_gone };

static struct http_server *start(void)
{
	struct http_opts o = { .listen = "127.0.0.1:0", .loops = 1, .handler = &handler };
	struct http_server *s;

	assert_int_equal(http_start(&o, &s), 0);
	return s;
}

/* park sends a request and returns the socket when the handler has it. */
static int park(struct http_server *s)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)http_port(s)),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	static const char text[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
	sem_wait(&parked_sem);
	return fd;
}

static const struct http_reply plain_reply = { .status = 200, .body = S("body") };

/* --- timers --- */

static struct {
	struct http_loop *loop;
	void *handles[TIMERS];
	int64_t delay[TIMERS], last;
	int fired, left;
} timers;

static void timer_fired(void *arg)
{
	int i = (int)(intptr_t)arg;

	assert_true(i % 3 != 0); /* those are cancelled */
	assert_true(timers.delay[i] >= timers.last);
	timers.last = timers.delay[i];
	timers.fired++;
	if (--timers.left == 0)
		sem_post(&done_sem);
}

static void set_timers(void *arg)
{
	timers.loop = parked->loop;
	for (int i = 0; i < TIMERS; i++) {
		timers.delay[i] = (i * 7919 % 50) * 4; /* far enough apart not to depend on when this loop runs */
		timers.handles[i] = http_timer(timers.loop, timers.delay[i], timer_fired, (void *)(intptr_t)i);
	}
	for (int i = 0; i < TIMERS; i += 3)
		http_timer_cancel(timers.loop, timers.handles[i]);
	timers.left = TIMERS - (TIMERS + 2) / 3;
}

static void test_timers(void **state)
{
	struct http_server *s = start();
	int fd = park(s);

	http_post(parked->loop, set_timers, NULL);
	sem_wait(&done_sem);
	assert_int_equal(timers.fired, TIMERS - (TIMERS + 2) / 3);
	http_reply(parked, &plain_reply);
	http_stop(s, 1000);
	close(fd);
}

/* --- posts --- */

static int post_count;
static int post_next[POSTERS];

static void posted(void *arg)
{
	uintptr_t v = (uintptr_t)arg;

	assert_int_equal(v % POSTS, post_next[v / POSTS]); /* each thread's own order */
	post_next[v / POSTS]++;
	if (++post_count == POSTERS * POSTS)
		sem_post(&done_sem);
}

static void *poster(void *arg)
{
	for (uintptr_t i = 0; i < POSTS; i++)
		http_post(parked->loop, posted, (void *)((uintptr_t)arg * POSTS + i));
	return NULL;
}

static void test_posts(void **state)
{
	struct http_server *s = start();
	int fd = park(s);
	pthread_t t[POSTERS];

	for (uintptr_t i = 0; i < POSTERS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, poster, (void *)i), 0);
	for (int i = 0; i < POSTERS; i++)
		pthread_join(t[i], NULL);
	sem_wait(&done_sem);
	assert_int_equal(post_count, POSTERS * POSTS);
	http_reply(parked, &plain_reply);
	http_stop(s, 1000);
	close(fd);
}

/* --- ends --- */

static void test_reply_from_here(void **state)
{
	struct http_server *s = start();
	int fd = park(s);
	char text[1000];
	ssize_t n;

	http_reply(parked, &plain_reply);
	n = read(fd, text, sizeof text - 1);
	assert_true(n > 0);
	text[n] = '\0';
	assert_non_null(strstr(text, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nDate: "));
	assert_non_null(strstr(text, " GMT\r\n\r\nbody"));
	close(fd);
	http_stop(s, 0);
}

static void source_closed(void *arg)
{
	*(bool *)arg = true;
}
static ssize_t source_read(void *arg, char *p, size_t n)
{
	fail(); /* the reply is dropped */
	return -EIO;
}

static void test_reply_after_the_client_left_and_the_server_stopped(void **state)
{
	struct http_server *s = start();
	int fd = park(s), before = atomic_load(&gone_calls);
	bool closed = false;
	struct http_source source = { &closed, source_read, source_closed };
	struct http_reply a = { .status = 200, .source = &source, .source_bytes = 10 };

	http_stop(s, 10);
	assert_int_equal(atomic_load(&gone_calls), before + 1);
	http_resume(parked);
	http_reply(parked, &a);
	assert_true(closed);
	close(fd);
}

/* --- adopted connections --- */

static void test_adopted(void **state)
{
	struct http_server *s = start();
	static const char text[] = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
	char answer[300], long_via[HTTP_VIA_BYTES_MAX + 1];
	int sp[2], closed[2], many[HTTP_VIA_CONNECTIONS_MAX][2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sp), 0);
	memset(long_via, 'x', sizeof long_via);
	assert_int_equal(http_adopt(s, sp[0], str_of(long_via, sizeof long_via)), -EINVAL);
	assert_int_equal(http_adopt(s, sp[0], S("environment-1")), 0);
	for (int i = 0; i < 2; i++) { /* it stays with every request of the connection */
		assert_int_equal(write(sp[1], text, sizeof text - 1), sizeof text - 1);
		sem_wait(&parked_sem);
		assert_str(parked->via, "environment-1");
		assert_str(parked->path, "/a");
		http_reply(parked, &plain_reply);
		assert_true(read(sp[1], answer, sizeof answer) > 0);
	}
	close(sp[1]);
	sp[1] = park(s);
	assert_str(parked->via, NULL); /* one that came over the port */
	http_reply(parked, &plain_reply);
	close(sp[1]);
	/* No more than its share for one place, and the rest is free again when they are gone. */
	for (int i = 0; i < HTTP_VIA_CONNECTIONS_MAX; i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, many[i]), 0);
		assert_int_equal(http_adopt(s, many[i][0], S("greedy")), 0);
	}
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, closed), 0);
	assert_int_equal(http_adopt(s, closed[0], S("greedy")), -EMFILE);
	assert_int_equal(http_adopt(s, closed[0], S("")), -EINVAL);
	for (int i = 0; i < HTTP_VIA_CONNECTIONS_MAX; i++)
		close(many[i][1]);
	for (int i = 0; i < 1000 && http_adopt(s, closed[0], S("greedy")) == -EMFILE; i++)
		usleep(1000);
	close(closed[1]);
	/* One that comes as the server stops is closed, not leaked. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, closed), 0);
	assert_int_equal(http_adopt(s, closed[0], S("late")), 0);
	http_stop(s, 0);
	assert_int_equal(read(closed[1], answer, sizeof answer), 0);
	close(closed[1]);
}

static struct ssl_ctx_st *no_context(void *arg)
{
	(*(int *)arg)++;
	return NULL;
}

/* Only TLS connections ask for the context that comes later; without one they are closed, and others are served. */
static void test_tls_that_never_comes(void **state)
{
	int asked = 0, tls[2], plain[2];
	struct http_opts o = { .listen = "127.0.0.1:0", .loops = 1, .handler = &handler, .tls = no_context, .tls_arg = &asked };
	struct http_server *s = NULL;
	char answer[512] = { 0 };

	assert_int_equal(http_start(&o, &s), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, tls), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, plain), 0);
	assert_int_equal(http_adopt(s, tls[0], S("tls")), 0);
	assert_int_equal(http_adopt(s, plain[0], S("plain")), 0);
	assert_int_equal(write(tls[1], "\x16\x03\x01", 3), 3);
	assert_true(read(tls[1], answer, sizeof answer) <= 0);
	assert_int_equal(write(plain[1], "nonsense\r\n\r\n", 12), 12);
	assert_true(read(plain[1], answer, sizeof answer - 1) > 0);
	assert_non_null(strstr(answer, "HTTP/1.1 400"));
	http_stop(s, 0);
	assert_int_equal(asked, 1);
	close(tls[1]);
	close(plain[1]);
}

static void test_bad_options(void **state)
{
	struct http_opts o = { .listen = "127.0.0.1:0", .loops = 1, .handler = &handler };
	struct http_server *s = NULL;
	char *cert, *key, *cert2, *key2;
	struct http_opts bad;

	assert_int_equal(ca_make(&cert, &key), 0);
	assert_int_equal(ca_make(&cert2, &key2), 0);
	bad = o;
	bad.listen = "nowhere";
	assert_int_equal(http_start(&bad, &s), -EINVAL);
	bad = o;
	bad.cert_pem = cert;
	assert_int_equal(http_start(&bad, &s), -EINVAL);
	bad.key_pem = key2; /* another certificate's */
	assert_int_equal(http_start(&bad, &s), -EINVAL);
	bad.key_pem = "nonsense";
	assert_int_equal(http_start(&bad, &s), -EINVAL);
	bad = o;
	bad.tls_only = true;
	assert_int_equal(http_start(&bad, &s), -EINVAL);
	bad = o;
	bad.handler = NULL;
	assert_int_equal(http_start(&bad, &s), -EINVAL);
	assert_null(s);
	free(cert);
	free(key);
	free(cert2);
	free(key2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timers),
		cmocka_unit_test(test_posts),
		cmocka_unit_test(test_reply_from_here),
		cmocka_unit_test(test_reply_after_the_client_left_and_the_server_stopped),
		cmocka_unit_test(test_adopted),
		cmocka_unit_test(test_bad_options),
		cmocka_unit_test(test_tls_that_never_comes),
	};

	sem_init(&parked_sem, 0, 0);
	sem_init(&done_sem, 0, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
