/* SPDX-License-Identifier: Apache-2.0 */
/* Control groups, where this user may make them: limits are written, leftovers of an earlier owner are ended and removed. */
#include "test.h"

#include "os/cgroup.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
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

/* --- what is written where, on folders shaped like the hierarchies (the kernel is not asked) --- */
#define TREE_PATH_BYTES 160

static char tree[TREE_PATH_BYTES];

static void make_dir(const char *path)
{
	char p[512];

	snprintf(p, sizeof p, "%s/%s", tree, path);
	for (char *c = p + strlen(tree) + 1; *c; c++)
		if (*c == '/') {
			*c = '\0';
			(void)mkdir(p, 0755);
			*c = '/';
		}
	assert_true(mkdir(p, 0755) == 0 || errno == EEXIST);
}

static void make_file(const char *dir, const char *name, const char *text)
{
	char p[600];
	FILE *f;

	make_dir(dir);
	snprintf(p, sizeof p, "%s/%s/%s", tree, dir, name);
	f = fopen(p, "we");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void make_files(const char *dir, const char *const *names)
{
	for (; *names; names++)
		make_file(dir, *names, "");
}

static void assert_file(const char *dir, const char *name, const char *want)
{
	char p[600], got[128];
	ssize_t n;
	int fd;

	snprintf(p, sizeof p, "%s/%s/%s", tree, dir, name);
	fd = open(p, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	n = read(fd, got, sizeof got - 1);
	assert_true(n >= 0);
	got[n] = '\0';
	close(fd);
	assert_string_equal(got, want);
}

static int make_tree(void **state)
{
	snprintf(tree, sizeof tree, "/tmp/cloudkeep-cgroups-XXXXXX");
	return mkdtemp(tree) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	return remove(path);
}

static int remove_tree(void **state)
{
	return nftw(tree, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void test_version_2(void **state)
{
	static const char *const files[] = { "memory.max", "memory.swap.max", "pids.max",      "cpu.max",
					     "cpu.weight", "cgroup.procs",    "cgroup.freeze", NULL };
	char mounts[512];
	struct cgroups cs;
	struct cgroup c;
	int dir;

	make_file("", "cgroup.controllers", "cpuset cpu io memory hugetlb pids rdma misc\n");
	make_file("", "cgroup.subtree_control", "");
	make_file("tag", "cgroup.subtree_control", "");
	make_files("tag/g", files);
	make_file("tag/g", "memory.events", "low 0\nhigh 0\nmax 17\noom 4\noom_kill 3\noom_group_kill 0\n");
	make_file("tag/g", "memory.peak", "7340032\n");
	snprintf(mounts, sizeof mounts,
		 "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
		 "31 25 0:27 / %s rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n",
		 tree);
	cgroups_open_as(&cs, "tag", mounts, "0::/system.slice/x.service\n");
	assert_true(cs.v2);
	for (int k = 0; k < CGROUP_CONTROLLERS; k++)
		assert_true(cs.has[k]);
	assert_file("", "cgroup.subtree_control", "+memory +pids +cpu");
	assert_file("tag", "cgroup.subtree_control", "+memory +pids +cpu");
	assert_int_equal(cgroup_new(&cs, "g", &c), 0);
	assert_int_equal(cgroup_limit(&cs, &c, &limits), 0);
	assert_file("tag/g", "memory.max", "67108864");
	assert_file("tag/g", "memory.swap.max", "0");
	assert_file("tag/g", "pids.max", "7");
	assert_file("tag/g", "cpu.max", "100000 100000");
	assert_file("tag/g", "cpu.weight", "50");
	dir = cgroup_open_v2(&cs, &c);
	assert_true(dir >= 0);
	close(dir);
	assert_int_equal(cgroup_enter(&cs, &c), 0);
	assert_file("tag/g", "cgroup.procs", "0");
	assert_int_equal(cgroup_oom_kills(&cs, &c), 3);
	assert_int_equal(cgroup_peak_bytes(&c), 7340032);
	cgroup_freeze(&cs, c.freezer_fd, true);
	assert_file("tag/g", "cgroup.freeze", "1");
	cgroup_done(&cs, &c);
	assert_int_equal(c.freezer_fd, -1);
	cgroups_close(&cs);
}

static void test_version_2_without_what_is_needed(void **state)
{
	char mounts[512];
	struct cgroups cs;

	snprintf(mounts, sizeof mounts, "31 25 0:27 / %s rw - cgroup2 cgroup2 rw\n", tree);
	make_file("", "cgroup.controllers", "cpuset cpu io\n"); /* what a container is left, often */
	cgroups_open_as(&cs, "tag", mounts, "0::/\n");
	assert_false(cs.v2);
	assert_false(cs.has[CGROUP_MEMORY]);
	make_file("", "cgroup.controllers", "memory pids\n"); /* but its groups cannot have them */
	cgroups_open_as(&cs, "tag", mounts, "0::/\n");
	assert_false(cs.has[CGROUP_MEMORY]);
	cgroups_open_as(&cs, "tag", "no mounts\n", NULL);
	assert_false(cs.has[CGROUP_MEMORY]);
}

static void test_hybrid(void **state)
{
	static const char *const memory[] = { "memory.limit_in_bytes", "memory.swappiness", "memory.memsw.limit_in_bytes", "tasks", NULL },
				 *const pids[] = { "pids.max", "tasks", NULL },
				 *const cpu[] = { "cpu.shares", "cpu.cfs_quota_us", "tasks", NULL },
				 *const freezer[] = { "freezer.state", "tasks", NULL };
	char mounts[1400];
	struct cgroups cs;
	struct cgroup c;

	make_files("memory/user/tag/g", memory);
	make_file("memory/user/tag/g", "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
	make_file("memory/user/tag/g", "memory.max_usage_in_bytes", "1048576\n");
	make_files("pids/tag/g", pids);
	make_files("cpu,cpuacct/tag/g", cpu);
	make_files("freezer/tag/g", freezer);
	make_file("unified", "cgroup.controllers", "\n");
	snprintf(mounts, sizeof mounts,
		 "30 25 0:26 / %s/unified rw - cgroup2 cgroup2 rw\n31 25 0:27 / %s/memory rw - cgroup cgroup rw,memory\n"
		 "32 25 0:28 / %s/pids rw - cgroup cgroup rw,pids\n33 25 0:29 / %s/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
		 "34 25 0:30 / %s/freezer rw - cgroup cgroup rw,freezer\n",
		 tree, tree, tree, tree, tree);
	cgroups_open_as(&cs, "tag", mounts, "4:memory:/user\n3:cpu,cpuacct:/not-seen-from-here\n2:pids:/\n0::/user\n");
	assert_false(cs.v2);
	for (int k = 0; k < CGROUP_CONTROLLERS; k++)
		assert_true(cs.has[k]);
	assert_int_equal(cgroup_new(&cs, "g", &c), 0);
	assert_int_equal(cgroup_limit(&cs, &c, &limits), 0);
	assert_file("memory/user/tag/g", "memory.limit_in_bytes", "67108864");
	assert_file("memory/user/tag/g", "memory.memsw.limit_in_bytes", "67108864");
	assert_file("memory/user/tag/g", "memory.swappiness", "0");
	assert_file("pids/tag/g", "pids.max", "7");
	assert_file("cpu,cpuacct/tag/g", "cpu.shares", "512");
	assert_file("cpu,cpuacct/tag/g", "cpu.cfs_quota_us", "100000");
	assert_int_equal(cgroup_open_v2(&cs, &c), -1);
	assert_int_equal(cgroup_enter(&cs, &c), 0);
	assert_file("memory/user/tag/g", "tasks", "0");
	assert_file("freezer/tag/g", "tasks", "0");
	assert_int_equal(cgroup_oom_kills(&cs, &c), 2);
	assert_int_equal(cgroup_peak_bytes(&c), 1048576);
	cgroup_freeze(&cs, c.freezer_fd, true);
	assert_file("freezer/tag/g", "freezer.state", "FROZEN");
	cgroup_done(&cs, &c);
	cgroups_close(&cs);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_limits_and_leftovers),
					    cmocka_unit_test_setup_teardown(test_version_2, make_tree, remove_tree),
					    cmocka_unit_test_setup_teardown(test_version_2_without_what_is_needed, make_tree, remove_tree),
					    cmocka_unit_test_setup_teardown(test_hybrid, make_tree, remove_tree) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
