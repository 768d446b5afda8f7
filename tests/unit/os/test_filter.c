/* SPDX-License-Identifier: Apache-2.0 */
/* The list of system calls: put on in a child, which then tries. */
#include "test.h"

#include "os/filter.h"
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct filter filter;

/* in_child runs check with the filter on; what it returns is the child's exit status. */
static int in_child(int (*check)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || filter_enter(&filter) < 0)
			_exit(99);
		_exit(check());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define REFUSED(call) ((errno = 0, (call)) >= 0 || errno != EPERM)

static int dangerous(void)
{
	if (REFUSED(mount("x", "/tmp", "tmpfs", 0, NULL)) || REFUSED(umount2("/tmp", 0)) || REFUSED(unshare(CLONE_NEWUSER)))
		return 1;
	if (REFUSED(syscall(SYS_ptrace, PTRACE_TRACEME, 0, NULL, NULL)) || REFUSED(syscall(SYS_bpf, 0, NULL, 0)) ||
	    REFUSED(syscall(SYS_keyctl, 0, 0, 0)))
		return 2;
	if (REFUSED(syscall(SYS_io_uring_setup, 1, NULL)) || REFUSED(syscall(SYS_userfaultfd, 0)) || REFUSED(syscall(SYS_setns, 0, 0)))
		return 3;
	if (syscall(SYS_clone3, NULL, 0) >= 0 || errno != ENOSYS || syscall(SYS_clone, CLONE_NEWNET | SIGCHLD, NULL, NULL, NULL, NULL) >= 0)
		return 4;
	return 0;
}

static int sockets(void)
{
	if (socket(AF_INET, SOCK_RAW, 1) >= 0 || socket(AF_PACKET, SOCK_RAW, 0) >= 0 || socket(AF_NETLINK, SOCK_RAW, 9) >= 0 ||
	    socket(AF_VSOCK, SOCK_STREAM, 0) >= 0)
		return 1;
	if (socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) < 0 || socket(AF_UNIX, SOCK_DGRAM, 0) < 0 ||
	    socket(AF_NETLINK, SOCK_RAW, 0) < 0)
		return 2;
	return 0;
}

static int ordinary(void)
{
	int p[2], status;
	pid_t pid;

	if (pipe(p) < 0 || write(p[1], "x", 1) != 1 || getuid() == (uid_t)-1 || access("/", F_OK) < 0)
		return 1;
	pid = fork();
	if (pid == 0)
		_exit(0);
	return pid < 0 || waitpid(pid, &status, 0) != pid ? 2 : 0;
}

static void test_filter(void **state)
{
	assert_int_equal(filter_make(&filter), 0);
	assert_true(filter.bytes > 0 && filter.bytes % 8 == 0);
	assert_int_equal(in_child(dangerous), 0);
	assert_int_equal(in_child(sockets), 0);
	assert_int_equal(in_child(ordinary), 0);
	filter_done(&filter);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_filter) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
