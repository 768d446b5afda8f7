/* SPDX-License-Identifier: Apache-2.0 */
/* admin.c - DIR/admin.sock: how the commands talk to the running cloud of their data directory.
 *
 * A client connects, sends one request (a line of JSON with a member "do") and gets one answer (a line of JSON; an export
 * is followed by its bytes). The socket belongs to the owner alone, and each peer's user is checked again. Whatever is
 * not understood closes the connection. A few requests at a time, each in a thread that ends with it. */
#include "cli/admin.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define REQUEST_BYTES_MAX 65536
#define ANSWER_BYTES_MAX (4u << 20)
#define CLIENTS_MAX 8
#define REQUEST_TIMEOUT_S 5
#define ANSWER_TIMEOUT_S 120
#define STACK_BYTES (256u << 10)
#define BACKLOG 16

struct admin {
	struct admin_env env;
	int fd, dir_fd;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int clients;
};
struct client {
	struct admin *ad;
	int fd;
};

int admin_socket(const char *dir, int *ret_dir_fd, void *ret_sockaddr_un)
{
	struct sockaddr_un *sa = ret_sockaddr_un;
	int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	/* A socket's address holds 108 bytes, a directory's path 4,096. */
	*sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
	(void)snprintf(sa->sun_path, sizeof sa->sun_path, "/proc/self/fd/%d/admin.sock", fd);
	*ret_dir_fd = fd;
	return 0;
}

/* --- the cloud's side --- */
static bool read_line(int fd, char *buf, size_t max, size_t *ret_n)
{
	size_t n = 0;
	char *nl;

	for (;;) {
		ssize_t k = read(fd, buf + n, max - n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return false;
		nl = memchr(buf + n, '\n', (size_t)k);
		n += (size_t)k;
		if (nl) {
			*ret_n = (size_t)(nl - buf);
			return (size_t)(nl - buf) + 1 == n; /* more than one line: not our client */
		}
		if (n == max)
			return false;
	}
}

int admin_send(int fd, struct str s)
{
	while (s.n) {
		ssize_t k = send(fd, s.p, s.n, MSG_NOSIGNAL);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -errno;
		s = str_skip(s, (size_t)k);
	}
	return 0;
}

static void serve_client(struct admin *ad, int fd)
{
	struct arena a = { 0 };
	char *buf = arena_alloc(&a, REQUEST_BYTES_MAX);
	struct json *request, *answer = NULL;
	struct str text;
	size_t n;

	if (read_line(fd, buf, REQUEST_BYTES_MAX, &n) && json_parse(&a, str_of(buf, n), &request, NULL) == 0 &&
	    admin_answer(&ad->env, request, &a, fd, &answer) == 0 && answer) {
		text = json_text(&a, answer);
		text = str_printf(&a, "%.*s\n", STR(text));
		(void)admin_send(fd, text);
	}
	arena_done(&a);
}

static void *client_main(void *arg)
{
	struct client *cl = arg;
	struct admin *ad = cl->ad;

	serve_client(ad, cl->fd);
	(void)close(cl->fd);
	free(cl);
	pthread_mutex_lock(&ad->lock);
	ad->clients--;
	pthread_cond_broadcast(&ad->changed);
	pthread_mutex_unlock(&ad->lock);
	return NULL;
}

static bool peer_is_owner(int fd)
{
	struct ucred u;
	socklen_t n = sizeof u;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &u, &n) == 0 && (u.uid == geteuid() || u.uid == 0);
}

static bool start_client(struct admin *ad, int fd)
{
	struct timeval in = { .tv_sec = REQUEST_TIMEOUT_S }, out = { .tv_sec = ANSWER_TIMEOUT_S };
	struct client *cl;
	pthread_attr_t attr;
	pthread_t t;
	bool room;
	int r;

	if (!peer_is_owner(fd))
		return false;
	pthread_mutex_lock(&ad->lock);
	room = ad->clients < CLIENTS_MAX;
	ad->clients += room;
	pthread_mutex_unlock(&ad->lock);
	if (!room)
		return false;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &in, sizeof in);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &out, sizeof out);
	cl = xzalloc(sizeof *cl);
	*cl = (struct client){ ad, fd };
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	(void)pthread_attr_setstacksize(&attr, STACK_BYTES);
	r = pthread_create(&t, &attr, client_main, cl);
	(void)pthread_attr_destroy(&attr);
	if (r == 0)
		return true;
	free(cl);
	pthread_mutex_lock(&ad->lock);
	ad->clients--;
	pthread_mutex_unlock(&ad->lock);
	return false;
}

void admin_accept(struct admin *ad)
{
	int fd = accept4(ad->fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0 && !start_client(ad, fd))
		(void)close(fd);
}

int admin_fd(const struct admin *ad)
{
	return ad->fd;
}

int admin_start(struct cloud *cl, const char *dir, int wake_fd, const struct state *state, struct admin **ret)
{
	struct admin *ad = xzalloc(sizeof *ad);
	struct sockaddr_un sa;
	int r = admin_socket(dir, &ad->dir_fd, &sa);

	ad->env = (struct admin_env){ .cloud = cl, .dir = dir, .wake_fd = wake_fd, .state = state };
	ad->fd = -1;
	pthread_mutex_init(&ad->lock, NULL);
	pthread_cond_init(&ad->changed, NULL);
	if (r < 0) {
		free(ad);
		return r;
	}
	(void)unlinkat(ad->dir_fd, "admin.sock", 0); /* the data are locked by now: it is a dead cloud's */
	ad->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* Nobody can use it between bind and chmod: the directory is the owner's alone, and peers are checked. */
	if (ad->fd < 0 || bind(ad->fd, (struct sockaddr *)&sa, sizeof sa) < 0 || fchmodat(ad->dir_fd, "admin.sock", 0600, 0) < 0 ||
	    listen(ad->fd, BACKLOG) < 0) {
		r = -errno;
		admin_stop(ad);
		return r;
	}
	*ret = ad;
	return 0;
}

void admin_stop(struct admin *ad)
{
	if (!ad)
		return;
	if (ad->fd >= 0)
		(void)close(ad->fd);
	pthread_mutex_lock(&ad->lock);
	while (ad->clients > 0)
		(void)pthread_cond_wait(&ad->changed, &ad->lock);
	pthread_mutex_unlock(&ad->lock);
	(void)close(ad->dir_fd);
	pthread_mutex_destroy(&ad->lock);
	pthread_cond_destroy(&ad->changed);
	free(ad);
}

/* --- the commands' side --- */
int admin_connect(const char *dir, pid_t *ret_peer)
{
	struct timeval wait = { .tv_sec = ANSWER_TIMEOUT_S };
	struct ucred u = { 0 };
	socklen_t n = sizeof u;
	struct sockaddr_un sa;
	int dir_fd = -1, fd, r = admin_socket(dir, &dir_fd, &sa);

	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof sa) < 0) {
		r = -errno;
		if (fd >= 0)
			(void)close(fd);
		(void)close(dir_fd);
		return r == -ENOENT ? -ECONNREFUSED : r;
	}
	(void)close(dir_fd);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &u, &n) < 0 || (u.uid != geteuid() && geteuid() != 0)) {
		(void)close(fd); /* somebody else's socket in our directory: not ours to talk to */
		return -EACCES;
	}
	if (ret_peer)
		*ret_peer = u.pid;
	return fd;
}

int admin_request(struct cli *c, int fd, struct json *request)
{
	struct str text = json_text(&c->arena, request);

	return admin_send(fd, str_printf(&c->arena, "%.*s\n", STR(text)));
}

int admin_read_answer(struct cli *c, int fd, struct json **ret)
{
	size_t n = 0, cap = 0;
	char *p = NULL, one;

	/* Byte by byte: what follows the line belongs to whoever reads on. Answers are short. */
	for (;;) {
		ssize_t k = read(fd, &one, 1);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return k < 0 ? -errno : -ECONNRESET;
		if (one == '\n')
			break;
		if (n == ANSWER_BYTES_MAX)
			return -EMSGSIZE;
		vec_push(&c->arena, p, n, cap) = one;
	}
	return json_parse(&c->arena, str_of(p ? p : "", n), ret, NULL);
}

int admin_check(struct json *answer)
{
	struct str todo = json_get_str(answer, "todo"), error = json_get_str(answer, "error");
	struct arena a = { 0 };
	int r;

	if (!error.p)
		return 0;
	r = cli_error(todo.p ? str_z(&a, todo) : NULL, "%.*s", STR(error));
	arena_done(&a);
	return r;
}

int admin_ask(struct cli *c, struct json *request, struct json **ret)
{
	struct state st;
	int r = state_need(c, &st), fd;

	if (r != 0)
		return r;
	fd = admin_connect(c->data, NULL);
	if (fd < 0)
		return cli_error(NULL, "the cloud in %s cannot be reached: %s", c->data, strerror(-fd));
	r = admin_request(c, fd, request);
	if (r == 0)
		r = admin_read_answer(c, fd, ret);
	(void)close(fd);
	if (r < 0)
		return cli_error("See its log: DIR/log, or the terminal it runs in.", "the cloud in %s did not answer: %s", c->data,
				 strerror(-r));
	return admin_check(*ret);
}
