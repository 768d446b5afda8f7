/* SPDX-License-Identifier: Apache-2.0 */
/* sealed.h - files of files.h with encrypted contents that can be read from anywhere.
 *
 * A file is frames of SEALED_FRAME_BYTES of plaintext (the last one shorter, an empty file has one empty frame), each sealed with
 * AES-256-GCM under a random key that belongs to this file alone. The nonce is the frame's index and whether it is the last, so
 * frames cannot be moved, dropped or cut off unnoticed, and a range reads only the frames it needs. The caller keeps the key.
 *
 * The same bytes may be kept elsewhere when they are few: sealed_small gives them instead of a file, sealed_open_bytes reads them. */
#pragma once
#include "store/files.h"
#include <sys/types.h>

#define SEALED_FRAME_BYTES 65536

struct sealed_writer;
struct sealed_reader;

/* purpose is bound to every frame and must be the same for reading; it is borrowed for good (a literal). The file itself is begun
 * with its first whole frame, or with sealed_finish. */
int sealed_begin(struct files *f, const char *purpose, struct sealed_writer **ret);
int sealed_write(struct sealed_writer *w, const void *p, size_t n); /* failure is remembered */
void sealed_key(const struct sealed_writer *w, uint8_t ret[32]);
int sealed_finish(struct sealed_writer *w, struct str id); /* durable under id; frees w whatever it returns */
void sealed_abort(struct sealed_writer *w);                /* accepts NULL */
/* sealed_small gives all that the file would hold, once it is written and when it is at most max bytes of plaintext: 1. 0: it is
 * more. The bytes live until sealed_abort, which is what follows then. */
int sealed_small(struct sealed_writer *w, size_t max, struct str *ret);

/* sealed_open reads plaintext bytes from..to (exclusive) of a file that holds size of them; the file may be unlinked from then on.
 * -ENOENT. */
int sealed_open(struct files *f, struct str id, const uint8_t key[32], const char *purpose, uint64_t size, uint64_t from, uint64_t to,
		struct sealed_reader **ret);
/* sealed_open_bytes reads what sealed_small gave; bytes must live until sealed_close. */
int sealed_open_bytes(struct str bytes, const uint8_t key[32], const char *purpose, uint64_t size, uint64_t from, uint64_t to,
		      struct sealed_reader **ret);
ssize_t sealed_read(struct sealed_reader *r, char *buf, size_t n); /* > 0, 0 at the end, -EBADMSG: damaged */
void sealed_close(struct sealed_reader *r);                        /* accepts NULL */
