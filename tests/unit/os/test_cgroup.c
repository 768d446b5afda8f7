/* SPDX-License-Identifier: Apache-2.0 */
/* Control groups, where this user may make them: limits are written, leftovers of an earlier owner are ended and removed. */
#include "test.h"

#include "os/cgroup.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TAG_BYTES 64

static const struct cgroup_limits limits = { .memory_bytes = 64u << 20, .pids = 7, .cpu_weight = 50, .cpu_quota_us = 100000 };

static void read_in(const struct cgroups *cs, enum cgroup_controller k, const char *name, const char *file, char out[64])
{
	char path[CGROUP_PATH_MAX + 200];
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "%s/%s/%s", cs->base[k], name, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	n = read(fd, out, 63);
	assert_true(n > 0);
	out[n - 1] = '\0';
	close(fd);
}

static void test_limits_and_leftovers(void **state)
{
	struct cgroups cs, again;
	struct cgroup c;
	char tag[TAG_BYTES], text[64], path[CGROUP_PATH_MAX + 100];
	struct stat st;
	int status, said[2], r = -1;
	pid_t pid;

	snprintf(tag, sizeof tag, "cloudkeep-test-%d", (int)getpid());
	cgroups_open(&cs, tag);
	if (!cs.has[CGROUP_MEMORY] || !cs.has[CGROUP_PIDS]) {
		print_message("this user cannot make control groups here\n");
		cgroups_close(&cs);
		skip();
	}
	assert_int_equal(cgroup_new(&cs, "one", &c), 0);
	assert_int_equal(cgroup_limit(&cs, &c, &limits), 0);
	read_in(&cs, CGROUP_PIDS, "one", "pids.max", text);
	assert_string_equal(text, "7");
	read_in(&cs, CGROUP_MEMORY, "one", cs.v2 ? "memory.max" : "memory.limit_in_bytes", text);
	assert_string_equal(text, "67108864");
	assert_int_equal(pipe(said), 0);
	pid = fork();
	if (pid == 0) {
		r = cgroup_enter(&cs, &c);

		(void)!write(said[1], &r, sizeof r);
		for (;;)
			pause();
	}
	assert_int_equal(read(said[0], &r, sizeof r), sizeof r);
	assert_int_equal(r, 0);
	close(said[0]);
	close(said[1]);
	cgroup_freeze(&cs, c.freezer_fd, true);
	assert_int_equal(cgroup_oom_kills(&cs, &c), 0);
	/* As if the owner had crashed: the next one ends the frozen process and removes the group. */
	snprintf(path, sizeof path, "%s/one", cs.base[CGROUP_MEMORY]);
	assert_int_equal(stat(path, &st), 0);
	signal(SIGCHLD, SIG_IGN); /* a zombie would keep the group */
	cgroups_open(&again, tag);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(stat(path, &st), -1);
	(void)waitpid(pid, &status, WNOHANG);
	cgroup_done(&again, &c);
	cgroups_close(&again);
	snprintf(path, sizeof path, "%s", cs.base[CGROUP_MEMORY]);
	assert_int_equal(stat(path, &st), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_limits_and_leftovers) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
