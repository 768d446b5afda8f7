/* SPDX-License-Identifier: Apache-2.0 */
/* files.h - bodies of objects, as files beside the store.
 *
 * A body is written to DIR/tmp, made durable, renamed to DIR/objects/xx/ID, and only then referenced by a commit of the
 * store. So a reference always has its file; a crash in between leaves a file nobody references, which the sweep at
 * start removes. Files are never changed once they have their name. An id has 1..128 of A-Z a-z 0-9 - _ and is chosen
 * by the caller, never by a client. Descriptors are CLOEXEC; nothing follows symbolic links. */
#pragma once
#include "base/str.h"

#define FILE_ID_BYTES_MAX 128

struct files;
struct file_writer;

int files_open(const char *dir, struct files **ret); /* creates what isn't there (0700); empties DIR/tmp */
void files_close(struct files *f);                   /* all writers were finished or aborted; accepts NULL */

int file_begin(struct files *f, struct file_writer **ret);
/* A failed write removes the temporary file and is remembered: file_finish gives the same error. -ENOSPC: disk full. */
int file_write(struct file_writer *w, const void *p, size_t n);
int file_finish(struct file_writer *w, struct str id); /* durable under id; -EEXIST; frees w whatever it returns */
void file_abort(struct file_writer *w);                /* frees w and removes the temporary; accepts NULL */

int file_open_read(struct files *f, struct str id, int *ret_fd, uint64_t *ret_bytes); /* -ENOENT; the caller closes the fd */
int file_unlink(struct files *f, struct str id);                                      /* -ENOENT; a file open for reading stays readable */
/* files_sweep removes every body for which referenced returns 0; negative errno of it ends the sweep. Only at start,
 * before any writer: a body finished but not yet committed would look like an orphan. Returns how many were removed. */
int files_sweep(struct files *f, int (*referenced)(void *arg, struct str id), void *arg);
