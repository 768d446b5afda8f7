/* SPDX-License-Identifier: Apache-2.0 */
/* filter.h - the list of system calls that sandboxed code may make; all others are refused by the kernel.
 *
 * Made once (libseccomp writes the program), put on by each process after it gave up its rights. */
#pragma once
#include <stddef.h>

struct filter {
	void *program; /* instructions */
	size_t bytes;
};
int filter_make(struct filter *ret); /* negative errno */
void filter_done(struct filter *f);
/* filter_enter puts it on for this thread and all it starts. Needs no_new_privs. Async-signal-safe. Negative errno. */
int filter_enter(const struct filter *f);
