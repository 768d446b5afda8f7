/* SPDX-License-Identifier: Apache-2.0 */
/* inside.c - what the first process of a sandbox does, in order: its groups, the common part of its root, its network; then,
 * when it is told what it is for, the rest of the root, giving up all rights, and the program as its child. The first
 * process has the same filter and no rights either; it only reaps. Whatever fails here ends the sandbox.
 *
 * While it waits it sees the host's mounts as the host does (what the host unmounts is not kept in use), but nothing that
 * it shows inside changes any more. */
#include "os/inside.h"
#include "base/arena.h"
#include "base/util.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH_BYTES 512
#define BACKLOG 128
#define CAPABILITIES_MAX 63
#define OPEN_FILES_MAX 1024 /* as at AWS */
#define TMP_INODES_MAX 100000
#define DATA_SLACK_MB 512 /* stacks of threads and what an engine reserves, where memory is limited per process */

static int status = -1; /* of this one process */
static char spec_text[SANDBOX_SPEC_BYTES_MAX];

static void send_report(int error, const char *what, const int *fds, size_t n)
{
	struct inside_report rep = { .error = error };
	union {
		struct cmsghdr h;
		char bytes[CMSG_SPACE(sizeof(int) * SANDBOX_PORTS_MAX)];
	} control = { 0 };
	struct iovec iov = { &rep, sizeof rep };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	snprintf(rep.what, sizeof rep.what, "%s", what);
	if (n) {
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * n);
		control.h.cmsg_level = SOL_SOCKET;
		control.h.cmsg_type = SCM_RIGHTS;
		control.h.cmsg_len = CMSG_LEN(sizeof(int) * n);
		memcpy(CMSG_DATA(&control.h), fds, sizeof(int) * n);
	}
	if (sendmsg(status, &m, MSG_NOSIGNAL) < 0)
		_exit(1);
}

static void __attribute__((noreturn)) give_up(const char *what)
{
	send_report(errno ? -errno : -EIO, what, NULL, 0);
	_exit(1);
}

/* --- the user, where a user namespace maps it --- */
static void write_map(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		give_up(path);
	(void)close(fd);
}

/* map_user needs the ids from before the namespaces: inside nothing is mapped yet. */
static void map_user(const struct sandbox_host *h)
{
	char text[64];

	/* Files below /proc/self are ours only while we are dumpable. */
	if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
		give_up("prctl");
	write_map("/proc/self/setgroups", "deny");
	snprintf(text, sizeof text, "%d %u 1", SANDBOX_USER_INSIDE, h->uid);
	write_map("/proc/self/uid_map", text);
	snprintf(text, sizeof text, "%d %u 1", SANDBOX_USER_INSIDE, h->gid);
	write_map("/proc/self/gid_map", text);
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		give_up("prctl");
}

/* --- the root --- */

/* make_dirs makes the directories of a relative path; all of it, or all but its last part. */
static void make_dirs(const char *path, bool whole)
{
	char p[PATH_BYTES];

	snprintf(p, sizeof p, "%s", path);
	for (char *c = p + 1; *c; c++)
		if (*c == '/') {
			*c = '\0';
			if (mkdir(p, 0755) < 0 && errno != EEXIST)
				give_up(path);
			*c = '/';
		}
	if (whole && mkdir(p, 0755) < 0 && errno != EEXIST)
		give_up(path);
}

static void put_file(const char *path, const char *text)
{
	int fd;

	make_dirs(path, false);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 || (*text && write(fd, text, strlen(text)) != (ssize_t)strlen(text)))
		give_up(path);
	(void)close(fd);
}

/* show binds a file or directory of the host at a relative path: read-only, no set-id programs, no devices unless told. What
 * is mounted below the source later does not appear. */
static void show(const char *source, const char *target, bool device)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, .propagation = MS_PRIVATE };
	struct stat st;

	if (stat(source, &st) < 0)
		give_up(source);
	if (S_ISDIR(st.st_mode))
		make_dirs(target, true);
	else
		put_file(target, "");
	if (mount(source, target, NULL, MS_BIND | MS_REC, NULL) < 0)
		give_up(source);
	if (device)
		attr.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
	if (mount_setattr(AT_FDCWD, target, AT_RECURSIVE, &attr, sizeof attr) < 0)
		give_up(target);
}

static void show_if(const char *source, const char *target)
{
	if (access(source, F_OK) == 0)
		show(source, target, false);
}

/* system_dirs shows the programs and libraries of the host. /bin and the like are links into /usr, or directories. */
static void system_dirs(void)
{
	static const char *const names[] = { "bin", "sbin", "lib", "lib64", "lib32", "libx32" };
	char path[32], to[PATH_BYTES];

	show("/usr", "usr", false);
	for (size_t i = 0; i < ELEMENTS(names); i++) {
		ssize_t n;

		snprintf(path, sizeof path, "/%s", names[i]);
		n = readlink(path, to, sizeof to - 1);
		if (n > 0) {
			to[n] = '\0';
			if (symlink(to, names[i]) < 0)
				give_up(path);
		} else {
			show_if(path, names[i]);
		}
	}
}

static void etc(const struct sandbox_host *h, const struct sandbox_base *base)
{
	unsigned id = h->root ? base->uid : SANDBOX_USER_INSIDE;
	char text[256];

	put_file("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n");
	put_file("etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n");
	put_file("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n");
	snprintf(text, sizeof text, "root:x:0:0:root:/:/bin/sh\nsbx_user1051:x:%u:%u::/tmp:/bin/sh\n", id, id);
	put_file("etc/passwd", text);
	snprintf(text, sizeof text, "root:x:0:\nsbx_user1051:x:%u:\n", id);
	put_file("etc/group", text);
	show_if("/etc/ld.so.cache", "etc/ld.so.cache");
	show_if("/etc/ssl/certs", "etc/ssl/certs");
	show_if("/etc/ssl/openssl.cnf", "etc/ssl/openssl.cnf");
	show_if("/etc/alternatives", "etc/alternatives");
}

static void devices(void)
{
	static const char *const names[] = { "null", "zero", "full", "random", "urandom" };
	static const char *const links[][2] = { { "/proc/self/fd", "dev/fd" },
						{ "/proc/self/fd/0", "dev/stdin" },
						{ "/proc/self/fd/1", "dev/stdout" },
						{ "/proc/self/fd/2", "dev/stderr" } };
	char from[32], to[32];

	for (size_t i = 0; i < ELEMENTS(names); i++) {
		snprintf(from, sizeof from, "/dev/%s", names[i]);
		snprintf(to, sizeof to, "dev/%s", names[i]);
		show(from, to, true);
	}
	for (size_t i = 0; i < ELEMENTS(links); i++)
		if (symlink(links[i][0], links[i][1]) < 0)
			give_up(links[i][1]);
}

/* layers shows the last one's files above those of the ones before it. */
static void layers(const struct sandbox_spec *s)
{
	char names[256] = "lowerdir=", path[32];
	size_t n = strlen(names);

	if (s->n_layers == 0)
		make_dirs("opt", true);
	if (s->n_layers == 1)
		show(s->layers[0], "opt", false);
	if (s->n_layers < 2)
		return;
	for (size_t i = s->n_layers; i > 0; i--) { /* short names: a path may contain what separates them */
		snprintf(path, sizeof path, ".layers/%zu", i - 1);
		show(s->layers[i - 1], path, false);
		n += (size_t)snprintf(names + n, sizeof names - n, "%s%s", i == s->n_layers ? "" : ":", path);
		if (n >= sizeof names) {
			errno = E2BIG;
			give_up("layers");
		}
	}
	make_dirs("opt", true);
	if (mount("layers", "opt", "overlay", MS_RDONLY | MS_NOSUID | MS_NODEV, names) < 0)
		give_up("overlay of layers");
	for (size_t i = s->n_layers; i > 0; i--) {
		snprintf(path, sizeof path, ".layers/%zu", i - 1);
		if (umount2(path, MNT_DETACH) < 0 || rmdir(path) < 0)
			give_up("overlay of layers");
	}
	(void)rmdir(".layers");
}

static void begin_root(const struct sandbox_host *h, const struct sandbox_base *base)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		give_up("own mounts");
	if (mount("root", h->dir, "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,mode=755") < 0 || chdir(h->dir) < 0)
		give_up("root");
	system_dirs();
	make_dirs("dev", true);
	devices();
	etc(h, base);
	make_dirs("var/task", true);
	make_dirs("tmp", true);
	make_dirs("proc", true);
	if (mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		give_up("/proc");
}

static void end_root(const struct sandbox_spec *s)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV };
	char options[96];

	for (size_t i = 0; i < s->n_mounts; i++)
		show(s->mounts[i].source, s->mounts[i].target + 1, false);
	layers(s);
	snprintf(options, sizeof options, "size=%um,mode=1777,nr_inodes=%d", s->tmp_mb, TMP_INODES_MAX);
	if (mount("tmp", "tmp", "tmpfs", MS_NOSUID | MS_NODEV, options) < 0)
		give_up("/tmp");
	if (mount_setattr(AT_FDCWD, ".", 0, &attr, sizeof attr) < 0)
		give_up("read-only root");
	if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		give_up("pivot_root");
}

/* --- the network: only the loopback --- */
static void network(const struct sandbox_base *b, int fds[SANDBOX_PORTS_MAX])
{
	int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), one = 1;
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };

	if (control < 0 || ioctl(control, SIOCSIFFLAGS, &ifr) < 0)
		give_up("loopback");
	(void)close(control);
	for (size_t i = 0; i < b->n_ports; i++) {
		struct sockaddr_in sa = { .sin_family = AF_INET,
					  .sin_port = htons(b->ports[i]),
					  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

		bool udp = i + b->n_udp >= b->n_ports;

		fds[i] = socket(AF_INET, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (fds[i] < 0 || (!udp && setsockopt(fds[i], SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0) ||
		    bind(fds[i], (struct sockaddr *)&sa, sizeof sa) < 0 || (!udp && listen(fds[i], BACKLOG) < 0))
			give_up("listening inside");
	}
}

/* --- giving up rights --- */
static void limit(int what, uint64_t v, const char *name)
{
	struct rlimit old, r = { .rlim_cur = v, .rlim_max = v };

	if (getrlimit(what, &old) == 0 && old.rlim_max < v)
		r.rlim_cur = r.rlim_max = old.rlim_max;
	if (setrlimit(what, &r) < 0)
		give_up(name);
}

static void limits(const struct sandbox_host *h, const struct sandbox_spec *s)
{
	limit(RLIMIT_NOFILE, OPEN_FILES_MAX, "limit of files");
	limit(RLIMIT_NPROC, s->pids, "limit of processes");
	limit(RLIMIT_CORE, 0, "limit of cores");
	limit(RLIMIT_MEMLOCK, 64 << 10, "limit of locked memory");
	limit(RLIMIT_MSGQUEUE, 64 << 10, "limit of message queues");
	limit(RLIMIT_FSIZE, (uint64_t)s->tmp_mb << 20, "limit of file sizes");
	if (!h->root) /* an engine reserves much more address space than it uses: RLIMIT_AS would not do */
		limit(RLIMIT_DATA, (uint64_t)(s->memory_mb + DATA_SLACK_MB) << 20, "limit of data");
}

/* bound_rights makes that no program can have rights. This process keeps its own until drop_rights. */
static void bound_rights(void)
{
	for (int i = 0; i <= CAPABILITIES_MAX; i++)
		if (prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0 && errno != EINVAL)
			give_up("bounding set");
}

/* end_with_procd makes the kernel end us, and all inside, when procd ends; a change of user clears that. */
static void end_with_procd(void)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		give_up("prctl");
}

static void drop_rights(const struct sandbox_host *h, uint32_t uid)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };

	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	/* The raw calls: the C library's would look for other threads. */
	if (h->root &&
	    (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, uid, uid, uid) < 0 || syscall(SYS_setresuid, uid, uid, uid) < 0))
		give_up("user id");
	if (syscall(SYS_capset, &head, none) < 0)
		give_up("capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		give_up("no_new_privs");
	end_with_procd();
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		give_up("prctl");
}

/* --- the program --- */
static void __attribute__((noreturn)) run(const struct sandbox_host *h, const struct sandbox_spec *s, int out_fd, int err_fd)
{
	sigset_t none;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)signal(SIGCHLD, SIG_DFL);
	(void)setsid();
	(void)umask(022);
	if (null < 0 || dup2(null, 0) < 0 || dup2(out_fd, 1) < 0 || dup2(err_fd, 2) < 0 || close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) < 0 ||
	    chdir(s->cwd) < 0)
		_exit(126);
	if (filter_enter(&h->filter) < 0)
		_exit(126);
	(void)execve(s->argv[0], s->argv, s->env);
	_exit(127);
}

static void __attribute__((noreturn)) reap(pid_t program)
{
	for (;;) {
		int st = 0;
		pid_t got = waitpid(-1, &st, 0);

		if (got == program || (got < 0 && errno != EINTR)) {
			int32_t v = st;

			(void)send(status, &v, sizeof v, MSG_NOSIGNAL);
			_exit(0);
		}
	}
}

/* keep_only closes what procd had open: descriptors of other sandboxes among it. */
static void keep_only(int a, int b, int c)
{
	int keep[] = { a, b, c }, from = 3;

	for (size_t i = 0; i < ELEMENTS(keep); i++)
		for (size_t k = i + 1; k < ELEMENTS(keep); k++)
			if (keep[k] < keep[i]) {
				int one = keep[i];

				keep[i] = keep[k];
				keep[k] = one;
			}
	for (size_t i = 0; i < ELEMENTS(keep); from = keep[i++] + 1)
		if (keep[i] > from && close_range((unsigned)from, (unsigned)keep[i] - 1, 0) < 0)
			give_up("close_range");
	if (close_range((unsigned)from, ~0u, 0) < 0)
		give_up("close_range");
}

/* wait_for_spec returns how long it is in writing. Ends this process when procd is gone, or does not want it any more. */
static size_t wait_for_spec(const struct sandbox_host *h, struct arena *a, struct sandbox_spec *ret)
{
	ssize_t n;

	do
		n = recv(status, spec_text, sizeof spec_text, 0);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		_exit(1);
	if (h->read_spec(a, str_of(spec_text, (size_t)n), ret) < 0) {
		errno = EBADMSG;
		give_up("order");
	}
	return (size_t)n;
}

void inside_main(const struct sandbox_host *h, const struct sandbox_base *base, const struct cgroup *group, bool entered, int status_fd,
		 int out_fd, int err_fd)
{
	int fds[SANDBOX_PORTS_MAX] = { -1, -1, -1, -1 };
	struct sandbox_spec s;
	struct arena a = { 0 };
	pid_t program;
	size_t n;

	status = status_fd;
	end_with_procd();
	keep_only(status_fd, out_fd, err_fd);
	if (h->root && !entered && (errno = -cgroup_enter(&h->cgroups, group)))
		give_up("control group");
	if (!h->root)
		map_user(h);
	(void)umask(0);
	begin_root(h, base);
	network(base, fds);
	bound_rights();
	n = wait_for_spec(h, &a, &s);
	end_root(&s);
	if (sethostname(s.name, strlen(s.name)) < 0)
		give_up("host name");
	limits(h, &s);
	drop_rights(h, base->uid);
	program = fork();
	if (program == 0)
		run(h, &s, out_fd, err_fd);
	mem_wipe(spec_text, n); /* there are credentials in it */
	if (program < 0 || filter_enter(&h->filter) < 0)
		give_up("program");
	send_report(0, "", fds, base->n_ports);
	for (int fd = 0; fd < 3; fd++)
		(void)close(fd);
	for (int i = 0; i < SANDBOX_PORTS_MAX; i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
	(void)close(out_fd);
	(void)close(err_fd);
	reap(program);
}
