/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox.c - the side of the host: what it offers, starting, ending. What happens inside is in inside.c. */
#include "os/sandbox.h"
#include "base/util.h"
#include "os/inside.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_TIMEOUT_MS 10000
#define MEMORY_MIN_MB 16
#define CPU_MEMORY_MB 1769 /* what goes with one CPU ("Configure Lambda function memory") */
#define CPUS_LEAST 2       /* starting takes more than one thread */
#define CPU_PERIOD_US 100000

static int why_errno(char why[SANDBOX_WHY_BYTES], const char *what, int r)
{
	snprintf(why, SANDBOX_WHY_BYTES, "%s: %s", what, strerror(-r));
	return r;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

int sandbox_report(struct sandbox *b, char why[SANDBOX_WHY_BYTES])
{
	struct inside_report rep = { 0 };
	union {
		struct cmsghdr h;
		char bytes[CMSG_SPACE(sizeof(int) * SANDBOX_PORTS_MAX)];
	} control;
	struct iovec iov = { &rep, sizeof rep };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
	ssize_t n = recvmsg(b->status_fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	struct cmsghdr *h = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
	size_t got = 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return -EAGAIN;
	if (h && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS) {
		got = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(b->listeners, CMSG_DATA(h), got * sizeof(int));
	}
	if (n == (ssize_t)sizeof rep && rep.error == 0 && got == b->n_ports)
		return 0;
	if (n == (ssize_t)sizeof rep && rep.error < 0 && rep.error != -EAGAIN) {
		rep.what[sizeof rep.what - 1] = '\0';
		return why_errno(why, rep.what, rep.error);
	}
	return why_errno(why, "the sandbox did not come up", -EPROTO);
}

/* start_first starts the first process, in its group where the kernel can do that. Returns its id, or negative errno. */
static pid_t start_first(const struct sandbox_host *h, const struct sandbox_base *base, const struct sandbox *b, const int ends[3])
{
	struct clone_args c = { .flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS, .exit_signal = SIGCHLD };
	int group = h->root ? cgroup_open_v2(&h->cgroups, &b->cgroup) : -1;
	long r;

	if (!h->root)
		c.flags |= CLONE_NEWUSER;
	if (group >= 0) {
		c.flags |= CLONE_INTO_CGROUP;
		c.cgroup = (uint64_t)group;
	}
	/* The raw call, as fork does it: this process has one thread. */
	r = syscall(SYS_clone3, &c, sizeof c);
	if (r < 0 && errno == ENOSYS) { /* what filters of containers say of a call whose flags they cannot look at */
		c.flags &= ~(uint64_t)CLONE_INTO_CGROUP;
		r = syscall(SYS_clone, (unsigned long)c.flags | SIGCHLD, NULL, NULL, NULL, NULL);
	}
	if (r == 0)
		inside_main(h, base, &b->cgroup, c.flags & CLONE_INTO_CGROUP, ends[0], ends[1], ends[2]);
	if (r < 0)
		r = -errno;
	if (group >= 0)
		(void)close(group);
	return (pid_t)r;
}

int sandbox_prepare(struct sandbox_host *h, const struct sandbox_base *base, struct sandbox *ret, char why[SANDBOX_WHY_BYTES])
{
	int sp[2], out[2], err[2], r;
	char name[48];

	*ret = (struct sandbox){ .pid = -1,
				 .status_fd = -1,
				 .n_ports = base->n_ports,
				 .out_fd = -1,
				 .err_fd = -1,
				 .cgroup = { .freezer_fd = -1, .peak_fd = -1 } };
	for (int i = 0; i < SANDBOX_PORTS_MAX; i++)
		ret->listeners[i] = -1;
	if (base->n_ports > SANDBOX_PORTS_MAX)
		return why_errno(why, "listeners", -EINVAL);
	snprintf(name, sizeof name, "%d.%llu", (int)getpid(), (unsigned long long)++h->n_groups);
	r = h->root ? cgroup_new(&h->cgroups, name, &ret->cgroup) : 0;
	if (r < 0)
		return why_errno(why, "control group", r);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sp) < 0) {
		r = why_errno(why, "socketpair", -errno);
		sandbox_done(h, ret);
		return r;
	}
	ret->status_fd = sp[0];
	r = pipe2(out, O_CLOEXEC) < 0 ? -errno : 0;
	if (r == 0 && pipe2(err, O_CLOEXEC) < 0) {
		r = -errno;
		(void)close(out[0]);
		(void)close(out[1]);
	}
	if (r == 0) {
		ret->out_fd = out[0];
		ret->err_fd = err[0];
		ret->pid = start_first(h, base, ret, (int[]){ sp[1], out[1], err[1] });
		(void)close(out[1]);
		(void)close(err[1]);
	}
	(void)close(sp[1]);
	if (r < 0 || ret->pid < 0) {
		r = why_errno(why, r < 0 ? "pipe" : "new namespaces", r < 0 ? r : ret->pid);
		sandbox_done(h, ret);
		return r;
	}
	return 0;
}

int sandbox_give(const struct sandbox_host *h, const struct sandbox *b, const struct sandbox_spec *s, struct str text,
		 char why[SANDBOX_WHY_BYTES])
{
	uint32_t cpus = (s->memory_mb + CPU_MEMORY_MB - 1) / CPU_MEMORY_MB;
	struct cgroup_limits l = { .memory_bytes = (uint64_t)(s->memory_mb < MEMORY_MIN_MB ? MEMORY_MIN_MB : s->memory_mb) << 20,
				   .pids = s->pids };
	int r;

	/* The weight follows memory: it decides when processors are short. What is free a small function may use too. */
	l.cpu_weight = s->memory_mb * 100 / CPU_MEMORY_MB + 1;
	l.cpu_quota_us = (cpus < CPUS_LEAST ? CPUS_LEAST : cpus) * CPU_PERIOD_US;
	r = h->root ? cgroup_limit(&h->cgroups, &b->cgroup, &l) : 0;
	if (r < 0)
		return why_errno(why, "control group", r);
	return send(b->status_fd, text.p, text.n, MSG_NOSIGNAL) == (ssize_t)text.n ? 0 : why_errno(why, "the sandbox ended early", -EPIPE);
}

void sandbox_kill(const struct sandbox_host *h, const struct sandbox *b)
{
	if (b->pid <= 0)
		return;
	(void)kill(b->pid, SIGKILL);
	cgroup_freeze(&h->cgroups, b->cgroup.freezer_fd, false); /* version 1: the frozen die only when they thaw */
}

int sandbox_status(const struct sandbox *b, int wait_status)
{
	int32_t st;

	return recv(b->status_fd, &st, sizeof st, MSG_DONTWAIT) == (ssize_t)sizeof st ? st : wait_status;
}

void sandbox_done(const struct sandbox_host *h, struct sandbox *b)
{
	close_fd(&b->status_fd);
	close_fd(&b->out_fd);
	close_fd(&b->err_fd);
	for (int i = 0; i < SANDBOX_PORTS_MAX; i++)
		close_fd(&b->listeners[i]);
	if (b->cgroup.name[0])
		cgroup_done(&h->cgroups, &b->cgroup);
	b->pid = -1;
}

/* --- what there is --- */
static void describe(struct sandbox_host *h)
{
	const struct cgroups *c = &h->cgroups;

	if (h->root)
		snprintf(h->words, sizeof h->words,
			 "own user id, namespaces (mount, process, network, ipc, host name), read-only root, no capabilities, seccomp, "
			 "%s cgroup limits (memory, processes%s)%s",
			 c->v2 ? "v2" : "v1", c->has[CGROUP_CPU] ? ", cpu" : "; no cpu",
			 c->has[CGROUP_FREEZER] ? ", frozen between invocations" : "; not frozen between invocations");
	else
		snprintf(h->words, sizeof h->words,
			 "user namespace, namespaces (mount, process, network, ipc, host name), read-only root, no capabilities, seccomp, "
			 "resource limits; for want of root: no user id of its own, memory only limited per process and roughly, cpu not "
			 "limited, not frozen between invocations");
}

/* read_trial gives the smallest spec that there is. */
static int read_trial(struct arena *a, struct str text, struct sandbox_spec *ret)
{
	static char program[] = "/bin/true";
	static char *argv[] = { program, NULL }, *env[] = { NULL };

	*ret = (struct sandbox_spec){ .name = "trial", .cwd = "/", .argv = argv, .env = env, .memory_mb = 32, .tmp_mb = 1, .pids = 16 };
	return 0;
}

/* try_one starts the smallest sandbox and waits for its end. */
static int try_one(struct sandbox_host *h, char why[SANDBOX_WHY_BYTES])
{
	const uint16_t ports[] = { 443 };
	const struct sandbox_base base = { .uid = INSIDE_UID_TRIAL, .ports = ports, .n_ports = 1 };
	struct sandbox_spec s;
	struct sandbox b;
	int status = 0, r = sandbox_prepare(h, &base, &b, why);
	struct pollfd p = { b.status_fd, POLLIN, 0 };

	if (r < 0)
		return r;
	(void)read_trial(NULL, STR_NONE, &s);
	r = sandbox_give(h, &b, &s, S("-"), why);
	if (r == 0)
		r = poll(&p, 1, START_TIMEOUT_MS) == 1 ? sandbox_report(&b, why)
						       : why_errno(why, "the sandbox did not come up", -ETIMEDOUT);
	if (r < 0)
		sandbox_kill(h, &b);
	(void)waitpid(b.pid, &status, 0);
	status = sandbox_status(&b, status);
	sandbox_done(h, &b);
	if (r < 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
		return r;
	snprintf(why, SANDBOX_WHY_BYTES, "a program started in a sandbox ended with status %d", status);
	return -EPROTO;
}

int sandbox_open(struct sandbox_host *h, const char *dir, const char *tag, char why[SANDBOX_WHY_BYTES])
{
	int r;

	*h = (struct sandbox_host){ .root = geteuid() == 0, .uid = geteuid(), .gid = getegid() };
	snprintf(h->dir, sizeof h->dir, "%s", dir);
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return why_errno(why, dir, -errno);
	(void)umount2(dir, MNT_DETACH); /* nothing, unless somebody mounted there by hand */
	r = filter_make(&h->filter);
	if (r < 0)
		return why_errno(why, "seccomp", r);
	if (h->root) {
		cgroups_open(&h->cgroups, tag);
		if (!h->cgroups.has[CGROUP_MEMORY] || !h->cgroups.has[CGROUP_PIDS]) {
			sandbox_close(h);
			snprintf(why, SANDBOX_WHY_BYTES, "control groups for memory and processes cannot be used here");
			return -EOPNOTSUPP;
		}
	}
	h->read_spec = read_trial;
	r = try_one(h, why);
	if (r < 0) {
		sandbox_close(h);
		return r;
	}
	describe(h);
	return 0;
}

void sandbox_close(struct sandbox_host *h)
{
	if (h->root)
		cgroups_close(&h->cgroups);
	filter_done(&h->filter);
}
