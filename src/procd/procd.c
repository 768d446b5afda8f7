/* SPDX-License-Identifier: Apache-2.0 */
/* procd.c - one thread, one socket: takes orders, starts and ends sandboxes, tells when they have ended. It keeps nothing of
 * an order once the sandbox runs (there are credentials in it). */
#include "procd/procd.h"
#include "base/arena.h"
#include "base/util.h"
#include "os/sandbox.h"
#include "procd/message.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define SANDBOXES_MAX 4096
#define UID_FIRST 1879048192u /* 0x70000000: no account of a person or a program; one for each place in the table */
#define API_PORT 9001
#define HTTPS_PORT 443
#define NAMES_PORT 53

struct child {
	bool used;
	uint32_t id;
	struct sandbox b;
};
struct procd {
	struct sandbox_host host;
	struct child *children;
	char *room; /* of one message */
	struct arena arena;
};

static struct child *find(struct procd *p, uint32_t id)
{
	for (int i = 0; i < SANDBOXES_MAX; i++)
		if (p->children[i].used && p->children[i].id == id)
			return &p->children[i];
	return NULL;
}

static struct child *free_place(struct procd *p)
{
	for (int i = 0; i < SANDBOXES_MAX; i++)
		if (!p->children[i].used)
			return &p->children[i];
	return NULL;
}

/* --- orders --- */
static int start(struct procd *p, struct child *c, const struct start_order *o, char why[SANDBOX_WHY_BYTES])
{
	bool own = o->port && o->port != API_PORT && o->port != HTTPS_PORT;
	uint16_t ports[] = { API_PORT, HTTPS_PORT, own ? (uint16_t)o->port : NAMES_PORT, NAMES_PORT };
	struct sandbox_mount *mounts = arena_array(&p->arena, struct sandbox_mount, o->n_mounts + 1);
	struct sandbox_spec s = { .name = o->name,
				  .uid = UID_FIRST + (uint32_t)(c - p->children),
				  .mounts = mounts,
				  .n_mounts = o->n_mounts,
				  .layers = o->layers,
				  .n_layers = o->n_layers,
				  .cwd = o->cwd,
				  .memory_mb = o->memory_mb,
				  .tmp_mb = o->tmp_mb,
				  .pids = o->pids,
				  .ports = ports,
				  .n_ports = own ? 4 : 3,
				  .n_udp = 1 };

	for (size_t i = 0; i < o->n_mounts; i++)
		mounts[i] = (struct sandbox_mount){ o->mounts[2 * i], o->mounts[2 * i + 1] };
	s.argv = (char *const *)(uintptr_t)o->argv;
	s.env = (char *const *)(uintptr_t)o->env;
	return sandbox_start(&p->host, &s, &c->b, why);
}

static int tell_started(struct procd *p, const struct child *c)
{
	int fds[STARTED_FDS] = { c->b.out_fd,
				 c->b.err_fd,
				 c->b.listeners[0],
				 c->b.listeners[1],
				 c->b.listeners[3] >= 0 ? c->b.listeners[2] : c->b.listeners[1],
				 c->b.listeners[3] >= 0 ? c->b.listeners[3] : c->b.listeners[2] };
	size_t n = STARTED_NAMES + 1;

	if (c->b.cgroup.peak_fd >= 0)
		fds[n++] = c->b.cgroup.peak_fd;
	if (n == STARTED_FREEZER && c->b.cgroup.freezer_fd >= 0)
		fds[n++] = c->b.cgroup.freezer_fd;
	return message_send(PROCD_FD, MESSAGE_STARTED, c->id, c->b.pid, p->host.cgroups.v2, S(""), fds, n);
}

/* forget_fds closes what the serving process has now, so that it alone decides when a pipe or listener ends. */
static void forget_fds(struct sandbox *b)
{
	(void)close(b->out_fd);
	(void)close(b->err_fd);
	b->out_fd = b->err_fd = -1;
	for (int i = 0; i < SANDBOX_PORTS_MAX; i++) {
		if (b->listeners[i] >= 0)
			(void)close(b->listeners[i]);
		b->listeners[i] = -1;
	}
}

static int take_start(struct procd *p, const struct message *m)
{
	struct start_order o;
	struct child *c = free_place(p);
	char why[SANDBOX_WHY_BYTES] = "there are too many environments already";
	int r = start_order_read(&p->arena, m->body, &o);

	if (r < 0 || find(p, m->head.id))
		return -EBADMSG;
	r = c ? start(p, c, &o, why) : -EAGAIN;
	arena_reset(&p->arena);
	if (r < 0)
		return message_send(PROCD_FD, MESSAGE_FAILED, m->head.id, r, 0, str_c(why), NULL, 0);
	c->used = true;
	c->id = m->head.id;
	r = tell_started(p, c);
	forget_fds(&c->b);
	return r;
}

static int take(struct procd *p)
{
	struct message m;
	struct child *c;
	int r = message_receive(PROCD_FD, p->room, &m);

	if (r <= 0)
		return r == -EAGAIN ? 0 : r < 0 ? r : -EPIPE;
	for (size_t i = 0; i < m.n_fds; i++) /* no order has any */
		(void)close(m.fds[i]);
	if (m.head.kind == MESSAGE_START) {
		r = take_start(p, &m);
		mem_wipe(p->room, MESSAGE_BYTES_MAX < m.body.n + 64 ? MESSAGE_BYTES_MAX : m.body.n + 64);
		return r;
	}
	if (m.head.kind != MESSAGE_KILL)
		return -EBADMSG;
	c = find(p, m.head.id);
	if (c)
		sandbox_kill(&p->host, &c->b);
	return 0;
}

/* --- ends --- */
static int reap(struct procd *p)
{
	int status, r = 0;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (int i = 0; i < SANDBOXES_MAX; i++) {
			struct child *c = &p->children[i];
			int e;

			if (!c->used || c->b.pid != pid)
				continue;
			status = sandbox_status(&c->b, status);
			e = message_send_exited(PROCD_FD, c->id, status, cgroup_oom_kills(&p->host.cgroups, &c->b.cgroup) > 0,
						(uint32_t)((cgroup_peak_bytes(&c->b.cgroup) + (1 << 20) - 1) >> 20));
			if (e < 0)
				r = e;
			sandbox_done(&p->host, &c->b);
			c->used = false;
			break;
		}
	return r;
}

static void end_all(struct procd *p)
{
	int status;

	for (int i = 0; i < SANDBOXES_MAX; i++)
		if (p->children[i].used)
			sandbox_kill(&p->host, &p->children[i].b);
	for (int i = 0; i < SANDBOXES_MAX; i++)
		if (p->children[i].used) {
			(void)waitpid(p->children[i].b.pid, &status, 0);
			sandbox_done(&p->host, &p->children[i].b);
		}
}

static int run(struct procd *p, int signals)
{
	struct pollfd f[] = { { PROCD_FD, POLLIN, 0 }, { signals, POLLIN, 0 } };
	struct signalfd_siginfo info;

	for (;;) {
		int r = 0;

		if (poll(f, ELEMENTS(f), -1) < 0 && errno != EINTR)
			return -errno;
		if (f[1].revents & POLLIN) {
			(void)!read(signals, &info, sizeof info);
			r = reap(p);
		}
		if (r == 0 && f[0].revents)
			r = take(p);
		if (r < 0)
			return r == -EPIPE || r == -ECONNRESET ? 0 : r;
	}
}

int procd_main(int argc, char **argv)
{
	struct procd p = { 0 };
	char why[SANDBOX_WHY_BYTES] = "";
	sigset_t set;
	int r, signals;

	if (argc != 3 || fcntl(PROCD_FD, F_SETFD, FD_CLOEXEC) < 0 || close_range(PROCD_FD + 1, ~0u, 0) < 0)
		return 2;
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* orders pass through our memory */
	(void)prctl(PR_SET_NAME, "cloudkeep-procd", 0, 0, 0);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)setsid(); /* what interrupts the terminal is for the serving process; we end with it */
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	(void)sigprocmask(SIG_SETMASK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	p.children = xzalloc(SANDBOXES_MAX * sizeof *p.children);
	p.room = xmalloc(MESSAGE_BYTES_MAX);
	r = sandbox_open(&p.host, argv[1], argv[2], why);
	if (message_send(PROCD_FD, MESSAGE_HELLO, 0, r, p.host.cgroups.v2, str_c(r < 0 ? why : p.host.words), NULL, 0) == 0 && r == 0)
		r = run(&p, signals);
	end_all(&p);
	if (p.host.filter.program)
		sandbox_close(&p.host);
	arena_done(&p.arena);
	free(p.room);
	free(p.children);
	return r < 0;
}
