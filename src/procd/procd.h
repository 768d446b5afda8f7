/* SPDX-License-Identifier: Apache-2.0 */
/* procd.h - the process that has the rights that starting sandboxes needs, and nothing else to do.
 *
 * The serving process starts it as itself with the word "procd": whoever uses functions.h must have its main call
 * procd_main for that, before anything else. It ends, with all it started, when the socket's other end is gone. */
#pragma once

#define PROCD_WORD "procd"
#define PROCD_FD 3
/* procd_main: argv is "procd DIR TAG PORT": a directory for its own use, the name of its control groups, the cloud's port, on
 * which sandboxes reach it too (0: none). Returns the exit status. */
int procd_main(int argc, char **argv);
