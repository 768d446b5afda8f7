/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox.h - starts a process that is cut off from this machine.
 *
 * It has mount, process, network, IPC and host name namespaces of its own; a read-only root made of what it is given; /tmp
 * in memory of limited size; a loopback interface and no other network; no rights (capabilities) and no way to new ones; a
 * list of system calls; limits. As root each sandbox has a user id of its own and control groups; as an ordinary user a user
 * namespace. What cannot be set up makes the start fail: there is no sandbox that is only half one.
 *
 * For a single-threaded process without other children (procd): memory is copied by fork. The caller reaps. */
#pragma once
#include "base/str.h"
#include "os/cgroup.h"
#include "os/filter.h"
#include <stdint.h>
#include <sys/types.h>

#define SANDBOX_PORTS_MAX 4
#define SANDBOX_WHY_BYTES 200
#define SANDBOX_USER_INSIDE 993 /* its user and group id where a user namespace maps it */
#define SANDBOX_SPEC_BYTES_MAX (128u << 10)

struct arena;
struct sandbox_spec;

struct sandbox_host { /* what this machine offers; made once */
	bool root;
	uint32_t uid, gid; /* ours */
	struct cgroups cgroups;
	struct filter filter;
	char dir[CGROUP_PATH_MAX]; /* an empty directory to build roots on */
	char words[512];           /* what is in force and what is not */
	uint64_t n_groups;         /* ever made: their names */
	/* Reads the spec that sandbox_give was given in writing, in the sandbox's first process. Set after sandbox_open. */
	int (*read_spec)(struct arena *a, struct str text, struct sandbox_spec *ret);
};
struct sandbox_base {          /* what is needed before it is known what for */
	uint32_t uid;          /* as root: nobody else's */
	const uint16_t *ports; /* listened on at 127.0.0.1 inside; the last n_udp of them are UDP */
	size_t n_ports, n_udp;
};
struct sandbox_mount {
	const char *source, *target; /* a file or directory of the host; the path inside. Read-only */
};
struct sandbox_spec {
	const char *name; /* the host name inside */
	const struct sandbox_mount *mounts;
	size_t n_mounts;
	const char *const *layers; /* directories, lowest first; together they are /opt */
	size_t n_layers;
	const char *cwd;
	char *const *argv, *const *env;
	uint32_t memory_mb, tmp_mb, pids;
};
struct sandbox {
	pid_t pid;     /* its first process; when it ends all end */
	int status_fd; /* becomes readable when it is up: sandbox_report; when it has ended: sandbox_status */
	size_t n_ports;
	int listeners[SANDBOX_PORTS_MAX]; /* non-blocking */
	int out_fd, err_fd;               /* what it writes to its standard output and error */
	struct cgroup cgroup;
};

/* sandbox_open finds out what can be isolated here, by trying it. `tag` names control groups and is this owner's alone; dir
 * is empty. Negative errno with the reason in why: nothing can be started. */
int sandbox_open(struct sandbox_host *h, const char *dir, const char *tag, char why[SANDBOX_WHY_BYTES]);
void sandbox_close(struct sandbox_host *h);
/* sandbox_prepare starts the first process of a sandbox, which makes all that does not depend on what it is for (namespaces,
 * groups, the common part of the root, listeners) and then waits for sandbox_give: it has run nothing but our own code until
 * then. Does not wait for it. 0, or negative errno with what failed in why; nothing is left then. */
int sandbox_prepare(struct sandbox_host *h, const struct sandbox_base *base, struct sandbox *ret, char why[SANDBOX_WHY_BYTES]);
/* sandbox_give tells it what it is for, once: limits, and `text` for read_spec. Does not wait. Negative errno: the caller ends
 * and reaps it. */
int sandbox_give(const struct sandbox_host *h, const struct sandbox *b, const struct sandbox_spec *s, struct str text,
		 char why[SANDBOX_WHY_BYTES]);
/* sandbox_report takes what it tells when all is set up and its program runs: 0, with its listeners; -EAGAIN: it has not
 * spoken yet; negative errno with why: the caller ends and reaps it. */
int sandbox_report(struct sandbox *b, char why[SANDBOX_WHY_BYTES]);
/* sandbox_kill ends all its processes; the caller then reaps pid. */
void sandbox_kill(const struct sandbox_host *h, const struct sandbox *b);
/* sandbox_status gives the wait status of the sandboxed program after pid was reaped with wait_status. */
int sandbox_status(const struct sandbox *b, int wait_status);
void sandbox_done(const struct sandbox_host *h, struct sandbox *b); /* after it was reaped: closes files, removes groups */
