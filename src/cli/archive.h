/* SPDX-License-Identifier: Apache-2.0 */
/* archive.h - everything of a cloud in one stream: written by export, read by import.
 *
 *   "CLOUDKEEP EXPORT 1\n", then frames, then nothing.
 *   frame: type (1 byte), length of name (4 bytes), length of content (8 bytes), name, content; lengths big-endian
 *     'H'  name empty, content JSON: account, time, version
 *     'F'  a file: its path in the data directory, its bytes
 *     'S'  a store begins: its path in the data directory ("regions/us-east-1/store")
 *     'K'  one of its keys and its value
 *     'E'  the end: content is SHA-256 over all that came before
 *
 * What is imported is checked whole before it gets its name: a damaged stream leaves nothing behind. */
#pragma once
#include "cli/cli.h"
#include "cloud/cloud.h"

#define ARCHIVE_MAGIC "CLOUDKEEP EXPORT 1\n"
#define ARCHIVE_NAME_MAX 4096

struct archive_sum { /* what went through, for the report */
	uint64_t files, keys, bytes;
};
bool archive_top(struct str name); /* a name in the data directory itself that exports have */
/* archive_write_running writes a running cloud as it is at one instant: no write happens between its stores' snapshots. */
int archive_write_running(struct cloud *cl, int fd);
int archive_write_stopped(const char *dir, int fd); /* -EBUSY: a process serves these data after all */
/* archive_read makes dir, which must not exist, from a stream. -EBADMSG: damaged or cut; -EPROTONOSUPPORT: not an export
 * that this version reads; *ret_why is a sentence then. With dir NULL it only checks. */
int archive_read(int fd, const char *dir, struct archive_sum *ret, struct arena *a, const char **ret_why);
