/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup.c - the files of /sys/fs/cgroup; see cgroup.h. */
#include "os/cgroup.h"
#include "base/str.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define FILE_BYTES_MAX 65536
#define REAP_ROUNDS 100
#define REAP_STEP_NS 2000000
#define CPU_PERIOD_US 100000

static const char *const controller_names[CGROUP_CONTROLLERS] = { "memory", "pids", "cpu", "freezer" };

/* --- small files --- */
static int write_file(const char *dir, const char *file, const char *text)
{
	char path[CGROUP_PATH_MAX + 64];
	int fd, r = 0;

	if (snprintf(path, sizeof path, "%s/%s", dir, file) >= (int)sizeof path)
		return -ENAMETOOLONG;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		r = -errno;
	(void)close(fd);
	return r;
}

static int write_number(const char *dir, const char *file, uint64_t v)
{
	char text[32];

	snprintf(text, sizeof text, "%llu", (unsigned long long)v);
	return write_file(dir, file, text);
}

/* read_text reads a whole small file; NUL-terminated, malloc'd, or NULL. */
static char *read_text(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *p;
	size_t n = 0;
	ssize_t k;

	if (fd < 0)
		return NULL;
	p = malloc(FILE_BYTES_MAX + 1);
	while (p && n < FILE_BYTES_MAX && (k = read(fd, p + n, FILE_BYTES_MAX - n)) > 0)
		n += (size_t)k;
	(void)close(fd);
	if (p)
		p[n] = '\0';
	return p;
}

static void group_path(const struct cgroups *cs, enum cgroup_controller k, const char *name, char out[CGROUP_PATH_MAX + 64])
{
	snprintf(out, CGROUP_PATH_MAX + 64, "%s/%s", cs->base[k], name);
}

/* --- finding the hierarchies --- */

/* word_in says whether a list of words split by `sep` has this one. */
static bool word_in(struct str list, char sep, const char *word)
{
	struct str one;

	while (str_next(&list, sep, &one))
		if (str_is(str_trim(one), word))
			return true;
	return false;
}

/* own_path gives this process's group in a hierarchy, from a line of /proc/self/cgroup: "4:memory:/a/b". */
static struct str own_path(const char *text, const char *controller)
{
	struct str rest = str_c(text), line, id, tail, names, path;

	while (text && str_next(&rest, '\n', &line))
		if (str_cut(line, ':', &id, &tail) && str_cut(tail, ':', &names, &path) && word_in(names, ',', controller))
			return path;
	return STR_NONE;
}

/* weigh makes all groups of the owner together count as much as one ordinary process on each processor; among each other
 * they have their own weights. Without it they would share what one process gets. */
static void weigh(const struct cgroups *cs)
{
	uint64_t n = (uint64_t)get_nprocs();

	if (cs->v2)
		(void)write_number(cs->base[0], "cpu.weight", n * 100 < 10000 ? n * 100 : 10000);
	else if (cs->has[CGROUP_CPU])
		(void)write_number(cs->base[CGROUP_CPU], "cpu.shares", n * 1024);
}

static bool is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static void use_v1(struct cgroups *cs, struct str mount, struct str options, const char *tag, const char *own)
{
	for (int k = 0; k < CGROUP_CONTROLLERS; k++) {
		struct str path;

		if (cs->has[k] || !word_in(options, ',', controller_names[k]))
			continue;
		path = own_path(own, controller_names[k]);
		snprintf(cs->base[k], CGROUP_PATH_MAX, "%.*s%.*s", STR(mount), STR(path.n > 1 ? path : S("")));
		if (!is_dir(cs->base[k])) /* the path of a container that sees only its own part */
			snprintf(cs->base[k], CGROUP_PATH_MAX, "%.*s", STR(mount));
		snprintf(cs->base[k] + strlen(cs->base[k]), CGROUP_PATH_MAX - strlen(cs->base[k]), "/%s", tag);
		cs->has[k] = true;
	}
}

static void use_v2(struct cgroups *cs, struct str mount, const char *tag)
{
	char path[CGROUP_PATH_MAX + 32], dir[CGROUP_PATH_MAX / 2];
	char *list;

	if (mount.n >= sizeof dir)
		return;
	snprintf(dir, sizeof dir, "%.*s", STR(mount));
	snprintf(path, sizeof path, "%s/cgroup.controllers", dir);
	list = read_text(path);
	if (list && word_in(str_trim(str_c(list)), ' ', "memory") && word_in(str_trim(str_c(list)), ' ', "pids")) {
		cs->v2 = true;
		(void)write_file(dir, "cgroup.subtree_control", "+memory +pids +cpu"); /* mostly done by the system */
		for (int k = 0; k < CGROUP_CONTROLLERS; k++) {
			snprintf(cs->base[k], CGROUP_PATH_MAX, "%s/%.200s", dir, tag);
			cs->has[k] = true;
		}
	}
	free(list);
}

/* find_mounts reads the lines of mountinfo: fields are split by blanks; behind " - ": type, source, options. */
static void find_mounts(struct cgroups *cs, const char *tag, const char *mounts, const char *own)
{
	struct str rest = str_c(mounts), line;

	while (mounts && str_next(&rest, '\n', &line)) {
		ptrdiff_t dash = str_find(line, S(" - "));
		struct str left, right, field, type, source;

		if (dash < 0)
			continue;
		left = str_of(line.p, (size_t)dash);
		right = str_skip(line, (size_t)dash + 3);
		for (int i = 0; i < 5 && str_next(&left, ' ', &field); i++)
			;
		if (!str_cut(right, ' ', &type, &right) || !str_cut(right, ' ', &source, &right))
			continue;
		if (str_is(type, "cgroup"))
			use_v1(cs, field, right, tag, own);
		else if (str_is(type, "cgroup2") && !cs->has[CGROUP_MEMORY])
			use_v2(cs, field, tag);
	}
}

/* --- leftovers --- */
static void kill_members(const char *dir)
{
	char path[CGROUP_PATH_MAX + 128];
	char *list;
	struct str rest, line;

	(void)write_file(dir, "freezer.state", "THAWED"); /* the frozen do not die */
	(void)write_file(dir, "cgroup.freeze", "0");
	snprintf(path, sizeof path, "%s/cgroup.procs", dir);
	list = read_text(path);
	rest = str_c(list);
	while (list && str_next(&rest, '\n', &line)) {
		int64_t pid;

		if (str_to_i64(line, &pid) == 0 && pid > 1)
			(void)kill((pid_t)pid, SIGKILL);
	}
	free(list);
}

/* remove_group ends what is in a group and removes it; a process takes a moment to be gone. */
static void remove_group(const char *dir)
{
	struct timespec step = { .tv_nsec = REAP_STEP_NS };

	for (int i = 0; i < REAP_ROUNDS; i++) {
		if (rmdir(dir) == 0 || errno == ENOENT)
			return;
		if (errno != EBUSY)
			return;
		kill_members(dir);
		(void)nanosleep(&step, NULL);
	}
}

static void remove_below(const char *base)
{
	DIR *d = opendir(base);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char path[CGROUP_PATH_MAX + 300];

		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/%s", base, e->d_name);
		remove_group(path);
	}
	if (d)
		(void)closedir(d);
}

void cgroups_open_as(struct cgroups *cs, const char *tag, const char *mounts, const char *own)
{
	*cs = (struct cgroups){ 0 };
	find_mounts(cs, tag, mounts, own);
	for (int k = CGROUP_CONTROLLERS - 1; k >= 0; k--) { /* the freezer first: the frozen do not die */
		if (!cs->has[k])
			continue;
		if (is_dir(cs->base[k]))
			remove_below(cs->base[k]);
		if (mkdir(cs->base[k], 0755) < 0 && errno != EEXIST)
			cs->has[k] = false;
	}
	if (cs->v2 && cs->has[0] && write_file(cs->base[0], "cgroup.subtree_control", "+memory +pids +cpu") < 0) {
		(void)rmdir(cs->base[0]);
		for (int k = 0; k < CGROUP_CONTROLLERS; k++)
			cs->has[k] = false;
	}
	weigh(cs);
}

void cgroups_open(struct cgroups *cs, const char *tag)
{
	char *mounts = read_text("/proc/self/mountinfo"), *own = read_text("/proc/self/cgroup");

	cgroups_open_as(cs, tag, mounts, own);
	free(mounts);
	free(own);
}

void cgroups_close(struct cgroups *cs)
{
	for (int k = CGROUP_CONTROLLERS - 1; k >= 0; k--)
		if (cs->has[k]) {
			remove_below(cs->base[k]);
			(void)rmdir(cs->base[k]);
		}
	*cs = (struct cgroups){ 0 };
}

/* --- one group --- */
static int limit_v1(const struct cgroups *cs, enum cgroup_controller k, const char *dir, const struct cgroup_limits *l)
{
	int r;

	switch (k) {
	case CGROUP_MEMORY:
		r = write_number(dir, "memory.limit_in_bytes", l->memory_bytes);
		if (r < 0)
			return r;
		(void)write_number(dir, "memory.swappiness", 0);
		r = write_number(dir, "memory.memsw.limit_in_bytes", l->memory_bytes);
		return r == -ENOENT || r == -EOPNOTSUPP ? 0 : r; /* no swap accounting: swappiness 0 keeps it out of swap */
	case CGROUP_PIDS:
		return write_number(dir, "pids.max", l->pids);
	case CGROUP_CPU:
		(void)write_number(dir, "cpu.shares", l->cpu_weight * 1024ull / 100 < 2 ? 2 : l->cpu_weight * 1024ull / 100);
		r = write_number(dir, "cpu.cfs_quota_us", l->cpu_quota_us);
		return r == -ENOENT ? 0 : r; /* a kernel without quotas still has the shares */
	default:
		return 0;
	}
}

static int limit_v2(const char *dir, const struct cgroup_limits *l)
{
	char quota[48];
	int r = write_number(dir, "memory.max", l->memory_bytes);

	if (r == 0)
		r = write_number(dir, "pids.max", l->pids);
	if (r < 0)
		return r;
	r = write_number(dir, "memory.swap.max", 0);
	if (r < 0 && r != -ENOENT)
		return r;
	snprintf(quota, sizeof quota, "%u %u", l->cpu_quota_us, CPU_PERIOD_US);
	r = write_file(dir, "cpu.max", quota);
	(void)write_number(dir, "cpu.weight", l->cpu_weight < 1 ? 1 : l->cpu_weight);
	return r == -ENOENT ? 0 : r;
}

static int open_in(const char *dir, const char *file, int flags)
{
	char path[CGROUP_PATH_MAX + 128];

	snprintf(path, sizeof path, "%s/%s", dir, file);
	return open(path, flags | O_CLOEXEC);
}

int cgroup_new(const struct cgroups *cs, const char *name, struct cgroup *ret)
{
	char dir[CGROUP_PATH_MAX + 64];
	int r = 0;

	*ret = (struct cgroup){ .freezer_fd = -1, .peak_fd = -1 };
	snprintf(ret->name, sizeof ret->name, "%s", name);
	for (int k = 0; r == 0 && k < CGROUP_CONTROLLERS; k++) {
		if (!cs->has[k] || (cs->v2 && k > 0))
			continue;
		group_path(cs, k, name, dir);
		if (mkdir(dir, 0755) < 0 && errno != EEXIST)
			r = -errno;
	}
	if (r < 0) {
		cgroup_done(cs, ret);
		return r;
	}
	if (cs->has[CGROUP_FREEZER]) {
		group_path(cs, CGROUP_FREEZER, name, dir);
		ret->freezer_fd = open_in(dir, cs->v2 ? "cgroup.freeze" : "freezer.state", O_WRONLY);
	}
	if (cs->has[CGROUP_MEMORY]) {
		group_path(cs, CGROUP_MEMORY, name, dir);
		ret->peak_fd = open_in(dir, cs->v2 ? "memory.peak" : "memory.max_usage_in_bytes", O_RDONLY);
	}
	return 0;
}

int cgroup_limit(const struct cgroups *cs, const struct cgroup *c, const struct cgroup_limits *l)
{
	char dir[CGROUP_PATH_MAX + 64];
	int r = 0;

	for (int k = 0; r == 0 && k < CGROUP_CONTROLLERS; k++) {
		if (!cs->has[k] || (cs->v2 && k > 0))
			continue;
		group_path(cs, k, c->name, dir);
		r = cs->v2 ? limit_v2(dir, l) : limit_v1(cs, k, dir, l);
	}
	return r;
}

int cgroup_open_v2(const struct cgroups *cs, const struct cgroup *c)
{
	char dir[CGROUP_PATH_MAX + 64];

	if (!cs->v2)
		return -1;
	group_path(cs, 0, c->name, dir);
	return open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int cgroup_enter(const struct cgroups *cs, const struct cgroup *c)
{
	char dir[CGROUP_PATH_MAX + 64];

	for (int k = 0; k < CGROUP_CONTROLLERS; k++) {
		int r;

		if (!cs->has[k] || (cs->v2 && k > 0))
			continue;
		group_path(cs, k, c->name, dir);
		r = write_file(dir, cs->v2 ? "cgroup.procs" : "tasks", "0");
		if (r < 0)
			return r;
	}
	return 0;
}

uint64_t cgroup_oom_kills(const struct cgroups *cs, const struct cgroup *c)
{
	char dir[CGROUP_PATH_MAX + 64], path[CGROUP_PATH_MAX + 128];
	uint64_t n = 0;
	char *text;
	struct str rest, line, key, value;

	if (!cs->has[CGROUP_MEMORY])
		return 0;
	group_path(cs, CGROUP_MEMORY, c->name, dir);
	snprintf(path, sizeof path, "%s/%s", dir, cs->v2 ? "memory.events" : "memory.oom_control");
	text = read_text(path);
	rest = str_c(text);
	while (text && str_next(&rest, '\n', &line))
		if (str_cut(line, ' ', &key, &value) && str_is(key, "oom_kill"))
			(void)str_to_u64(value, &n);
	free(text);
	return n;
}

uint64_t cgroup_peak_bytes(const struct cgroup *c)
{
	char text[32];
	ssize_t n = c->peak_fd < 0 ? -1 : pread(c->peak_fd, text, sizeof text, 0);
	uint64_t v = 0;

	if (n > 0)
		(void)str_to_u64(str_trim(str_of(text, (size_t)n)), &v);
	return v;
}

void cgroup_freeze(const struct cgroups *cs, int freezer_fd, bool frozen)
{
	const char *text = cs->v2 ? (frozen ? "1" : "0") : (frozen ? "FROZEN" : "THAWED");

	if (freezer_fd >= 0)
		(void)!write(freezer_fd, text, strlen(text));
}

void cgroup_done(const struct cgroups *cs, struct cgroup *c)
{
	char dir[CGROUP_PATH_MAX + 64];

	if (c->freezer_fd >= 0)
		(void)close(c->freezer_fd);
	if (c->peak_fd >= 0)
		(void)close(c->peak_fd);
	c->freezer_fd = c->peak_fd = -1;
	for (int k = 0; k < CGROUP_CONTROLLERS; k++)
		if (cs->has[k] && !(cs->v2 && k > 0)) {
			group_path(cs, k, c->name, dir);
			remove_group(dir);
		}
}
