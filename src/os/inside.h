/* SPDX-License-Identifier: Apache-2.0 */
/* inside.h - the first process of a sandbox; shared by sandbox.c and inside.c only. */
#pragma once
#include "os/sandbox.h"

#define INSIDE_UID_TRIAL 2147000000u

struct inside_report { /* on the status socket, with the listeners, when all is set up or something failed */
	int32_t error;
	char what[96];
};
/* inside_main runs in the new namespaces: enters its groups (entered: it is there already), makes what is common to all, waits
 * for the spec on the status socket, makes the rest, starts the program and stays as its parent; sends the program's wait
 * status as an int32_t in the end. Never returns. */
void inside_main(const struct sandbox_host *h, const struct sandbox_base *base, const struct cgroup *group, bool entered, int status_fd,
		 int out_fd, int err_fd) __attribute__((noreturn));
