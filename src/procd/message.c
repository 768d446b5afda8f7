/* SPDX-License-Identifier: Apache-2.0 */
/* message.c - packing and unpacking; everything that arrives is checked before it is used. */
#include "procd/message.h"
#include "base/arena.h"
#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

union fd_room {
	struct cmsghdr h;
	char bytes[CMSG_SPACE(sizeof(int) * MESSAGE_FDS_MAX)];
};

static int send_packet(int fd, struct message_head *h, struct str body, const int *fds, size_t n_fds)
{
	struct iovec iov[] = { { h, sizeof *h }, { (void *)(uintptr_t)body.p, body.n } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = body.n ? 2 : 1 };
	union fd_room room = { 0 };
	ssize_t n;

	h->magic = MESSAGE_MAGIC;
	h->length = (uint32_t)body.n;
	if (body.n > MESSAGE_BYTES_MAX - sizeof *h || n_fds > MESSAGE_FDS_MAX)
		return -EMSGSIZE;
	if (n_fds) {
		m.msg_control = &room;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		room.h.cmsg_level = SOL_SOCKET;
		room.h.cmsg_type = SCM_RIGHTS;
		room.h.cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(&room.h), fds, sizeof(int) * n_fds);
	}
	do
		n = sendmsg(fd, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int message_send(int fd, enum message_kind kind, uint32_t id, int64_t number, uint32_t flag, struct str body, const int *fds, size_t n_fds)
{
	struct message_head h = { .kind = kind, .id = id, .number = number, .flag = flag };

	return send_packet(fd, &h, body, fds, n_fds);
}

int message_send_exited(int fd, uint32_t id, int status, bool no_memory, uint32_t peak_mb)
{
	struct message_head h = { .kind = MESSAGE_EXITED, .id = id, .number = status, .flag = no_memory, .peak_mb = peak_mb };

	return send_packet(fd, &h, S(""), NULL, 0);
}

static void take_fds(struct msghdr *m, struct message *ret)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
		size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n && ret->n_fds < MESSAGE_FDS_MAX; i++)
			memcpy(&ret->fds[ret->n_fds++], CMSG_DATA(h) + i * sizeof(int), sizeof(int));
	}
}

int message_receive(int fd, char *room, struct message *ret)
{
	struct iovec iov = { room, MESSAGE_BYTES_MAX };
	union fd_room control;
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
	ssize_t n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);

	*ret = (struct message){ 0 };
	if (n < 0)
		return errno == EINTR ? -EAGAIN : errno == ECONNRESET ? 0 : -errno;
	take_fds(&m, ret);
	if (n == 0)
		return 0;
	if ((size_t)n >= sizeof ret->head)
		memcpy(&ret->head, room, sizeof ret->head);
	ret->body = str_of(room + sizeof ret->head, (size_t)n - sizeof ret->head);
	if ((size_t)n < sizeof ret->head || (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || ret->head.magic != MESSAGE_MAGIC ||
	    ret->head.kind < MESSAGE_HELLO || ret->head.kind >= MESSAGE_KINDS || ret->head.length != ret->body.n) {
		for (size_t i = 0; i < ret->n_fds; i++)
			(void)close(ret->fds[i]);
		return -EBADMSG;
	}
	return 1;
}

/* --- the order to start --- */
static void put_number(struct buf *b, size_t v)
{
	uint32_t n = (uint32_t)v;

	buf_put(b, &n, sizeof n);
}

static void put_strings(struct buf *b, const char *const *v, size_t n)
{
	put_number(b, n);
	for (size_t i = 0; i < n; i++)
		buf_put(b, v[i], strlen(v[i]) + 1);
}

void start_order_write(struct buf *b, const struct start_order *o)
{
	const char *const names[] = { o->name, o->cwd };

	put_number(b, o->memory_mb);
	put_number(b, o->tmp_mb);
	put_number(b, o->pids);
	put_strings(b, names, 2);
	put_strings(b, o->mounts, o->n_mounts * 2);
	put_strings(b, o->layers, o->n_layers);
	put_strings(b, o->argv, o->n_argv);
	put_strings(b, o->env, o->n_env);
}

static bool get_number(struct str *s, uint32_t *ret)
{
	if (s->n < sizeof *ret)
		return false;
	memcpy(ret, s->p, sizeof *ret);
	*s = str_skip(*s, sizeof *ret);
	return true;
}

/* get_strings: the array has a NULL behind its last. */
static bool get_strings(struct arena *a, struct str *s, const char ***ret, size_t *ret_n)
{
	uint32_t n;

	if (!get_number(s, &n) || n > START_STRINGS_MAX)
		return false;
	*ret = arena_array(a, const char *, n + 1);
	*ret_n = n;
	for (uint32_t i = 0; i < n; i++) {
		const char *end = memchr(s->p, '\0', s->n);

		if (!end)
			return false;
		(*ret)[i] = s->p;
		*s = str_skip(*s, (size_t)(end - s->p) + 1);
	}
	return true;
}

int start_order_read(struct arena *a, struct str body, struct start_order *ret)
{
	const char **names;
	size_t n_names;

	*ret = (struct start_order){ 0 };
	if (!get_number(&body, &ret->memory_mb) || !get_number(&body, &ret->tmp_mb) || !get_number(&body, &ret->pids) ||
	    !get_strings(a, &body, &names, &n_names) || !get_strings(a, &body, &ret->mounts, &ret->n_mounts) ||
	    !get_strings(a, &body, &ret->layers, &ret->n_layers) || !get_strings(a, &body, &ret->argv, &ret->n_argv) ||
	    !get_strings(a, &body, &ret->env, &ret->n_env))
		return -EBADMSG;
	if (body.n || n_names != 2 || ret->n_mounts % 2 || ret->n_argv < 1)
		return -EBADMSG;
	ret->n_mounts /= 2;
	ret->name = names[0];
	ret->cwd = names[1];
	for (size_t i = 0; i < ret->n_mounts * 2; i++)
		if (ret->mounts[i][0] != '/')
			return -EBADMSG;
	for (size_t i = 0; i < ret->n_layers; i++)
		if (ret->layers[i][0] != '/')
			return -EBADMSG;
	return 0;
}
