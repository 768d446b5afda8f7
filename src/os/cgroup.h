/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup.h - limits for groups of processes: control groups version 1 (also the hybrid layout) and version 2.
 *
 * All groups of one owner lie below groups named by its tag, so that what a crash left behind is found and removed at the
 * next start. Only one process at a time uses a tag. Single-threaded. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum cgroup_controller { CGROUP_MEMORY, CGROUP_PIDS, CGROUP_CPU, CGROUP_FREEZER, CGROUP_CONTROLLERS };
#define CGROUP_PATH_MAX 512

struct cgroups {
	bool v2, has[CGROUP_CONTROLLERS];
	char base[CGROUP_CONTROLLERS][CGROUP_PATH_MAX]; /* the owner's group in each hierarchy; v2: all the same */
};
struct cgroup {
	char name[64];
	/* Open files of it, close-on-exec, or -1: writing "FROZEN"/"THAWED" (v1) or "1"/"0" (v2) into freezer_fd freezes and
	 * thaws; peak_fd holds the most memory that was used, in bytes. */
	int freezer_fd, peak_fd;
};
struct cgroup_limits {
	uint64_t memory_bytes;
	uint32_t pids;
	uint32_t cpu_weight;   /* 1..10000, 100 is one CPU's */
	uint32_t cpu_quota_us; /* in each 100,000 */
};

/* cgroups_open finds what this machine offers to us, ends processes that an earlier owner of the tag left and removes their
 * groups. Never fails: what cannot be used is not in has[]. */
void cgroups_open(struct cgroups *cs, const char *tag);
/* cgroups_open_as is cgroups_open on a machine whose /proc/self/mountinfo and /proc/self/cgroup are these texts. */
void cgroups_open_as(struct cgroups *cs, const char *tag, const char *mounts, const char *own);
void cgroups_close(struct cgroups *cs); /* removes the owner's groups */
/* cgroup_new makes a group in every hierarchy that is there, without limits. Negative errno: none was made. */
int cgroup_new(const struct cgroups *cs, const char *name, struct cgroup *ret);
int cgroup_limit(const struct cgroups *cs, const struct cgroup *c, const struct cgroup_limits *l);
/* cgroup_open_v2 gives the group's directory, for clone3 to start a process in; -1 with version 1. */
int cgroup_open_v2(const struct cgroups *cs, const struct cgroup *c);
/* cgroup_enter moves this process, which must have only one thread. Version 1: only this move does not wait (for an RCU grace
 * period, some 20 ms) until no process of the machine starts or ends one. */
int cgroup_enter(const struct cgroups *cs, const struct cgroup *c);
uint64_t cgroup_oom_kills(const struct cgroups *cs, const struct cgroup *c);
uint64_t cgroup_peak_bytes(const struct cgroup *c);
void cgroup_freeze(const struct cgroups *cs, int freezer_fd, bool frozen);
void cgroup_done(const struct cgroups *cs, struct cgroup *c); /* its processes are gone */
