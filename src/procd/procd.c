/* SPDX-License-Identifier: Apache-2.0 */
/* procd.c - one thread, one socket: takes orders, starts and ends sandboxes, tells when they have ended. It keeps nothing of
 * an order once the sandbox runs (there are credentials in it), and waits for no sandbox to come up: many do at once.
 *
 * A few sandboxes are spare: made ahead as far as it can be done without knowing what for, so that an order finds most of
 * the work done. A spare has run nobody's code, is used once, and is made anew when no orders have come for a moment; when
 * none come for long, spares end. */
#include "procd/procd.h"
#include "base/arena.h"
#include "base/util.h"
#include "os/sandbox.h"
#include "procd/message.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define SANDBOXES_MAX 4096
#define UID_FIRST 1879048192u /* 0x70000000: no account of a person or a program; one for each place in the table */
#define API_PORT 9001
#define HTTPS_PORT 443
#define NAMES_PORT 53
#define UP_TIMEOUT_MS 10000
#define SPARES 2
#define SPARE_PAUSE_MS 40 /* without orders, before a spare is made: what was ordered has the processors first */
#define SPARE_IDLE_MS 600000
#define ALONE_TRIES 2000
#define ALONE_STEP_MS 10
#define EVENTS_MAX 32
#define EVENT_SIGNAL SANDBOXES_MAX /* what an epoll event is about; below: the child in that place */
#define EVENT_ORDER (SANDBOXES_MAX + 1)

enum child_state {
	CHILD_NONE,
	CHILD_SPARE,
	CHILD_COMING, /* has its order */
	CHILD_UP,
	CHILD_FAILED, /* did not come up, or was never needed; is being ended */
};
struct child {
	enum child_state state;
	uint32_t id; /* 0: a spare that was never used */
	int64_t since_ms;
	char *why; /* of CHILD_FAILED */
	struct sandbox b;
};
struct procd {
	struct sandbox_host host;
	struct child *children;
	uint16_t ports[SANDBOX_PORTS_MAX];
	struct sandbox_base base;
	int ep, n_spares, n_coming;
	int64_t ordered_ms; /* when the last order came */
	bool refill;        /* spares are to be made */
	char *room;         /* of one message */
	struct arena arena;
};

static struct child *find(struct procd *p, uint32_t id)
{
	for (int i = 0; i < SANDBOXES_MAX; i++)
		if (p->children[i].state != CHILD_NONE && p->children[i].id == id)
			return &p->children[i];
	return NULL;
}

static struct child *find_state(struct procd *p, enum child_state state)
{
	for (int i = 0; i < SANDBOXES_MAX; i++)
		if (p->children[i].state == state)
			return &p->children[i];
	return NULL;
}

/* --- starting --- */

/* prepare starts the first process of a new sandbox. NULL with why. */
static struct child *prepare(struct procd *p, char why[SANDBOX_WHY_BYTES])
{
	struct child *c = find_state(p, CHILD_NONE);
	struct epoll_event ev = { .events = EPOLLIN };
	int r;

	if (!c) {
		snprintf(why, SANDBOX_WHY_BYTES, "there are too many environments already");
		return NULL;
	}
	p->base.uid = UID_FIRST + (uint32_t)(c - p->children);
	r = sandbox_prepare(&p->host, &p->base, &c->b, why);
	if (r < 0)
		return NULL;
	ev.data.u32 = (uint32_t)(c - p->children);
	(void)epoll_ctl(p->ep, EPOLL_CTL_ADD, c->b.status_fd, &ev);
	c->state = CHILD_SPARE;
	c->id = 0;
	c->since_ms = clock_mono_ms();
	p->n_spares++;
	return c;
}

/* fail ends a child that is not up; what there is to tell is told when it was reaped. */
static void fail(struct procd *p, struct child *c, const char *why)
{
	if (c->state == CHILD_SPARE)
		p->n_spares--;
	if (c->state == CHILD_COMING)
		p->n_coming--;
	(void)epoll_ctl(p->ep, EPOLL_CTL_DEL, c->b.status_fd, NULL);
	c->state = CHILD_FAILED;
	c->why = strdup(why);
	sandbox_kill(&p->host, &c->b);
}

/* give tells a spare what it is for. Negative with why: it is of no use. */
static int give(struct procd *p, struct child *c, const struct start_order *o, struct str text, char why[SANDBOX_WHY_BYTES])
{
	const struct sandbox_spec limits = { .memory_mb = o->memory_mb, .pids = o->pids };
	int r = sandbox_give(&p->host, &c->b, &limits, text, why);

	if (r < 0) {
		fail(p, c, why);
		return r;
	}
	c->state = CHILD_COMING;
	c->since_ms = clock_mono_ms();
	p->n_spares--;
	p->n_coming++;
	return 0;
}

/* read_spec is what a sandbox's first process reads its order with. */
static int read_spec(struct arena *a, struct str text, struct sandbox_spec *ret)
{
	struct start_order o;
	struct sandbox_mount *mounts;
	int r = start_order_read(a, text, &o);

	if (r < 0)
		return r;
	mounts = arena_array(a, struct sandbox_mount, o.n_mounts + 1);
	for (size_t i = 0; i < o.n_mounts; i++)
		mounts[i] = (struct sandbox_mount){ o.mounts[2 * i], o.mounts[2 * i + 1] };
	*ret = (struct sandbox_spec){ .name = o.name,
				      .mounts = mounts,
				      .n_mounts = o.n_mounts,
				      .layers = o.layers,
				      .n_layers = o.n_layers,
				      .cwd = o.cwd,
				      .argv = (char *const *)(uintptr_t)o.argv,
				      .env = (char *const *)(uintptr_t)o.env,
				      .memory_mb = o.memory_mb,
				      .tmp_mb = o.tmp_mb,
				      .pids = o.pids };
	return 0;
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
	struct child *c = find_state(p, CHILD_SPARE);
	char why[SANDBOX_WHY_BYTES] = "";
	int r = start_order_read(&p->arena, m->body, &o);

	if (r < 0 || m->head.id == 0 || find(p, m->head.id))
		return -EBADMSG;
	r = -ENOENT;
	if (c)
		r = give(p, c, &o, m->body, why);
	if (r < 0 && (c = prepare(p, why)))
		r = give(p, c, &o, m->body, why);
	arena_reset(&p->arena);
	p->ordered_ms = clock_mono_ms();
	p->refill = true;
	if (!c || r < 0)
		return message_send(PROCD_FD, MESSAGE_FAILED, m->head.id, r < 0 ? r : -EAGAIN, 0, str_c(why), NULL, 0);
	c->id = m->head.id;
	return 0;
}

/* take_report: a child has told that it is up, or why not, or ended. */
static int take_report(struct procd *p, struct child *c)
{
	char why[SANDBOX_WHY_BYTES];
	int r = sandbox_report(&c->b, why);

	if (r == -EAGAIN)
		return 0;
	if (r < 0) {
		fail(p, c, why);
		return 0;
	}
	(void)epoll_ctl(p->ep, EPOLL_CTL_DEL, c->b.status_fd, NULL);
	c->state = CHILD_UP;
	p->n_coming--;
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
	if (m.head.kind != MESSAGE_KILL || m.head.id == 0)
		return -EBADMSG;
	c = find(p, m.head.id);
	if (c && c->state == CHILD_COMING)
		fail(p, c, "it was ended before it was up");
	else if (c)
		sandbox_kill(&p->host, &c->b);
	return 0;
}

/* --- ends --- */
static int buried(struct procd *p, struct child *c, int status)
{
	int r = 0;

	c->b.pid = -1; /* somebody else's by now, perhaps */
	if (c->state == CHILD_SPARE || c->state == CHILD_COMING)
		(void)take_report(p, c); /* it ended by itself; its last words may be there */
	if (c->state == CHILD_FAILED || c->state == CHILD_COMING) {
		if (c->id)
			r = message_send(PROCD_FD, MESSAGE_FAILED, c->id, -EPROTO, 0, str_c(c->why ? c->why : "it ended"), NULL, 0);
	} else if (c->state == CHILD_UP) {
		r = message_send_exited(PROCD_FD, c->id, sandbox_status(&c->b, status),
					cgroup_oom_kills(&p->host.cgroups, &c->b.cgroup) > 0,
					(uint32_t)((cgroup_peak_bytes(&c->b.cgroup) + (1 << 20) - 1) >> 20));
	}
	sandbox_done(&p->host, &c->b);
	free(c->why);
	*c = (struct child){ .state = CHILD_NONE };
	return r;
}

static int reap(struct procd *p)
{
	int status, r = 0;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (int i = 0; i < SANDBOXES_MAX; i++) {
			struct child *c = &p->children[i];
			int e;

			if (c->state == CHILD_NONE || c->b.pid != pid)
				continue;
			e = buried(p, c, status);
			r = e < 0 ? e : r;
			break;
		}
	return r;
}

static void end_all(struct procd *p)
{
	int status;

	for (int i = 0; i < SANDBOXES_MAX; i++)
		if (p->children[i].state != CHILD_NONE)
			sandbox_kill(&p->host, &p->children[i].b);
	for (int i = 0; i < SANDBOXES_MAX; i++)
		if (p->children[i].state != CHILD_NONE) {
			(void)waitpid(p->children[i].b.pid, &status, 0);
			sandbox_done(&p->host, &p->children[i].b);
			free(p->children[i].why);
		}
}

/* --- time --- */

/* spares makes one when it is time to, or ends what nobody used. Returns how many milliseconds to wait at most, -1: for ever. */
static int spares(struct procd *p)
{
	int64_t now = clock_mono_ms(), quiet = now - p->ordered_ms;
	char why[SANDBOX_WHY_BYTES];

	if (p->refill && p->n_spares >= SPARES)
		p->refill = false;
	if (p->refill) {
		if (quiet < SPARE_PAUSE_MS)
			return (int)(SPARE_PAUSE_MS - quiet);
		if (!prepare(p, why))
			p->refill = false; /* until the next order, which tells why */
		return 0;
	}
	if (p->n_spares == 0)
		return -1;
	if (quiet < SPARE_IDLE_MS)
		return (int)(SPARE_IDLE_MS - quiet);
	fail(p, find_state(p, CHILD_SPARE), "");
	return 0;
}

/* late ends what takes too long to come up. Returns like spares. */
static int late(struct procd *p)
{
	int64_t now = clock_mono_ms(), first = INT64_MAX;

	if (p->n_coming == 0)
		return -1;
	for (int i = 0; i < SANDBOXES_MAX; i++) {
		struct child *c = &p->children[i];

		if (c->state == CHILD_COMING && now - c->since_ms >= UP_TIMEOUT_MS)
			fail(p, c, "the sandbox did not come up in time");
		else if (c->state == CHILD_COMING && c->since_ms + UP_TIMEOUT_MS - now < first)
			first = c->since_ms + UP_TIMEOUT_MS - now;
	}
	return first == INT64_MAX ? -1 : (int)first;
}

static int run(struct procd *p, int signals)
{
	struct epoll_event ev[EVENTS_MAX];
	struct signalfd_siginfo info;

	for (;;) {
		int a = spares(p), b = late(p), r = 0, n = epoll_wait(p->ep, ev, EVENTS_MAX, a < 0 || (b >= 0 && b < a) ? b : a);

		if (n < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; r == 0 && i < n; i++) {
			uint32_t what = ev[i].data.u32;

			if (what == EVENT_ORDER) {
				r = take(p);
			} else if (what == EVENT_SIGNAL) {
				(void)!read(signals, &info, sizeof info);
				r = reap(p);
			} else if (p->children[what].state == CHILD_SPARE || p->children[what].state == CHILD_COMING) {
				r = take_report(p, &p->children[what]);
			}
		}
		if (r < 0)
			return r == -EPIPE || r == -ECONNRESET ? 0 : r;
	}
}

static int watch(struct procd *p, int fd, uint32_t what)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = what };

	return epoll_ctl(p->ep, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

static void set_ports(struct procd *p, int64_t port)
{
	size_t n = 0;

	p->ports[n++] = API_PORT;
	p->ports[n++] = HTTPS_PORT;
	if (port > 0 && port <= UINT16_MAX && port != API_PORT && port != HTTPS_PORT)
		p->ports[n++] = (uint16_t)port;
	p->ports[n++] = NAMES_PORT;
	p->base = (struct sandbox_base){ .ports = p->ports, .n_ports = n, .n_udp = 1 };
}

/* alone waits until no other procd has the directory and the control groups that belong to it: one whose serving process
 * was killed takes a moment to end, and removes the groups then. The lock goes with the process. */
static int alone(const char *dir, char why[SANDBOX_WHY_BYTES])
{
	struct pollfd p = { .fd = PROCD_FD, .events = POLLRDHUP };
	char *path = NULL;
	int fd, r;

	if (asprintf(&path, "%s.lock", dir) < 0)
		return -ENOMEM;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	r = fd < 0 ? -errno : 0;
	free(path);
	for (int i = 0; r == 0 && flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
		if (i == ALONE_TRIES)
			r = -EBUSY;
		else if (poll(&p, 1, ALONE_STEP_MS) > 0)
			r = -EPIPE;
	}
	if (r < 0)
		snprintf(why, SANDBOX_WHY_BYTES, "%s",
			 r == -EBUSY ? "the process that started functions before still has not ended" : strerror(-r));
	return r;
}

int procd_main(int argc, char **argv)
{
	struct procd p = { 0 };
	char why[SANDBOX_WHY_BYTES] = "";
	sigset_t set;
	int64_t port;
	int r, signals;

	if (argc != 4 || str_to_i64(str_c(argv[3]), &port) < 0 || fcntl(PROCD_FD, F_SETFD, FD_CLOEXEC) < 0 ||
	    close_range(PROCD_FD + 1, ~0u, 0) < 0)
		return 2;
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* orders pass through our memory */
	(void)prctl(PR_SET_NAME, "cloudkeep-procd", 0, 0, 0);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)setsid(); /* what interrupts the terminal is for the serving process; we end with it */
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	(void)sigprocmask(SIG_SETMASK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	p.ep = epoll_create1(EPOLL_CLOEXEC);
	set_ports(&p, port);
	p.children = xzalloc(SANDBOXES_MAX * sizeof *p.children);
	p.room = xmalloc(MESSAGE_BYTES_MAX);
	r = alone(argv[1], why);
	if (r == 0)
		r = sandbox_open(&p.host, argv[1], argv[2], why);
	p.host.read_spec = read_spec;
	if (message_send(PROCD_FD, MESSAGE_HELLO, 0, r, p.host.cgroups.v2, str_c(r < 0 ? why : p.host.words), NULL, 0) == 0 && r == 0) {
		p.refill = true;
		p.ordered_ms = clock_mono_ms();
		r = watch(&p, PROCD_FD, EVENT_ORDER);
		if (r == 0)
			r = watch(&p, signals, EVENT_SIGNAL);
		if (r == 0)
			r = run(&p, signals);
	}
	end_all(&p);
	if (p.host.filter.program)
		sandbox_close(&p.host);
	arena_done(&p.arena);
	free(p.room);
	free(p.children);
	return r < 0;
}
