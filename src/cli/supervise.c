/* SPDX-License-Identifier: Apache-2.0 */
/* supervise.c - the small parent of the serving process. It opens nothing and has no threads: it waits.
 *
 * A serving process that ends by itself ends the parent with the same status. One that crashes is reported and started
 * again on the same port; when that happens too often, the parent gives up rather than crash in a circle. If the parent
 * is killed, the kernel kills the child. */
#include "cli/cli.h"
#include <errno.h>
#include <link.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CRASHES_MAX 5 /* in CRASH_WINDOW_MS */
#define CRASH_WINDOW_MS 60000

static pid_t start(struct cli *c, struct up_opts *o, int *port, int ready_fd, const sigset_t *old)
{
	pid_t parent = getpid(), pid = fork();

	if (pid != 0)
		return pid;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	(void)sigprocmask(SIG_SETMASK, old, NULL);
	exit(serve(c, o, port, ready_fd));
}

/* Code and constants that starting touched, most of them the dynamic linker on behalf of libraries that only the child uses: they are
 * given back, and read again from their files should they be needed. What can be written is left alone. */
static int let_go(struct dl_phdr_info *info, size_t size, void *arg)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t from = (info->dlpi_addr + p->p_vaddr) & ~(page - 1), to = info->dlpi_addr + p->p_vaddr + p->p_memsz;

		if (p->p_type == PT_LOAD && !(p->p_flags & PF_W))
			(void)madvise((void *)from, to - from, MADV_DONTNEED);
	}
	return 0;
}

static void report(const char *data, pid_t pid, int status, bool again)
{
	struct arena a = { 0 };

	fprintf(stderr, "%s cloudkeep: the process %d that served %s crashed: %s%s. %s\n", time_iso(&a, clock_now_ms()).p, (int)pid, data,
		strsignal(WTERMSIG(status)), WCOREDUMP(status) ? " (core dumped)" : "",
		again ? "It is started again on the same data and port; nothing that was acknowledged is lost."
		      : "It crashed too often to be started again.");
	(void)fflush(stderr);
	arena_done(&a);
}

/* Waits for the child; passes on what asks us to stop. Returns its wait status; *ret_stopped: we were asked. */
static int watch(pid_t pid, const sigset_t *set, bool *ret_stopped)
{
	int status = 0, sig;

	for (;;) {
		pid_t got = waitpid(pid, &status, WNOHANG);

		if (got == pid)
			return status;
		if (sigwait(set, &sig) == 0 && sig != SIGCHLD) {
			*ret_stopped = true;
			(void)kill(pid, SIGTERM);
		}
	}
}

int supervise(struct cli *c, struct up_opts *o, int ready_fd)
{
	int *port = mmap(NULL, sizeof *port, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int64_t crashes[CRASHES_MAX] = { 0 };
	sigset_t set, old;
	bool stopped = false;

	if (port == MAP_FAILED)
		return cli_error(NULL, "no memory");
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &old);
	for (int n = 0;; n++) {
		pid_t pid = start(c, o, port, ready_fd, &old);
		int status;
		bool again;

		if (pid < 0)
			return cli_error(NULL, "no process could be started: %s", strerror(errno));
		if (ready_fd >= 0)
			(void)close(ready_fd);
		ready_fd = -1;
		(void)dl_iterate_phdr(let_go, NULL);
		status = watch(pid, &set, &stopped);
		if (WIFEXITED(status))
			return WEXITSTATUS(status);
		/* SIGKILL is somebody's wish (or the kernel's, out of memory), not a fault of ours: it is reported alike. */
		again = !stopped && *port && (n < CRASHES_MAX || clock_mono_ms() - crashes[n % CRASHES_MAX] > CRASH_WINDOW_MS);
		crashes[n % CRASHES_MAX] = clock_mono_ms();
		report(c->data, pid, status, again);
		if (!again)
			return 1;
		o->port = *port;
		o->regions = NULL; /* those that ran, whatever was started and stopped since */
	}
}
