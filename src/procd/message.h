/* SPDX-License-Identifier: Apache-2.0 */
/* message.h - what the serving process and procd say to each other, over one SOCK_SEQPACKET socket: each message is one
 * packet, a head and a body of as many bytes as the head says, with file descriptors where the kind has them.
 *
 * Whoever receives something else closes the socket: the peer is not what it should be. Numbers are in the host's order;
 * both ends are the same program. */
#pragma once
#include "base/buf.h"
#include "base/str.h"
#include <sys/types.h>

#define MESSAGE_MAGIC 0x636b7031u
#define MESSAGE_BYTES_MAX (128u << 10)
#define MESSAGE_FDS_MAX 8

enum message_kind {
	MESSAGE_HELLO = 1, /* procd, once: number: 0, or negative errno; text: what isolates, or why nothing can be started */
	MESSAGE_START,     /* to procd: body of struct start_order */
	MESSAGE_STARTED,   /* procd: number: the first process's id; descriptors in the order of enum started_fd */
	MESSAGE_FAILED,    /* procd: number: negative errno; text: what failed. The id is free again */
	MESSAGE_KILL,      /* to procd; MESSAGE_EXITED follows. An id that is gone already is no error */
	MESSAGE_EXITED,    /* procd: number: wait status; flag: the kernel ended something over the memory limit. The id is free */
	MESSAGE_KINDS,
};
struct message_head {
	uint32_t magic, kind, id, length; /* length of the body */
	int64_t number;
	uint32_t flag, peak_mb; /* MESSAGE_EXITED: the most memory it used */
};
enum started_fd {
	STARTED_OUT,
	STARTED_ERR,
	STARTED_API,
	STARTED_HTTPS,
	STARTED_PORT,
	STARTED_NAMES,
	STARTED_PEAK,
	STARTED_FREEZER,
	STARTED_FDS
};
/* STARTED carries as many as there are: those without control groups end before STARTED_PEAK. */

#define START_STRINGS_MAX 512
struct start_order { /* strings end in NUL; those decoded point into the message */
	uint32_t memory_mb, tmp_mb, pids;
	const char *name, *cwd;
	size_t n_mounts, n_layers, n_argv, n_env;
	const char **mounts; /* source, target, source, target ... */
	const char **layers, **argv, **env;
};

/* message_send writes one packet. 0, -EMSGSIZE, -EPIPE and others. Thread-safe. */
int message_send(int fd, enum message_kind kind, uint32_t id, int64_t number, uint32_t flag, struct str body, const int *fds, size_t n_fds);
/* message_send_exited is message_send for MESSAGE_EXITED. */
int message_send_exited(int fd, uint32_t id, int status, bool no_memory, uint32_t peak_mb);
struct message {
	struct message_head head;
	struct str body;
	int fds[MESSAGE_FDS_MAX];
	size_t n_fds;
};
/* message_receive takes one packet into room (MESSAGE_BYTES_MAX bytes). 1: one is there; 0: the peer is gone; -EAGAIN; -EBADMSG
 * for what is none. Descriptors belong to the caller, close-on-exec. */
int message_receive(int fd, char *room, struct message *ret);
void start_order_write(struct buf *b, const struct start_order *o);
/* start_order_read: the arrays are allocated from the arena. -EBADMSG. */
int start_order_read(struct arena *a, struct str body, struct start_order *ret);
