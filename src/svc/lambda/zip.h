/* SPDX-License-Identifier: Apache-2.0 */
/* zip.h - a strict reader of ZIP archives, for code that strangers upload.
 *
 * Only the central directory counts; the local headers must agree with it. Refused are: names that leave the folder, absolute
 * names, names twice, symbolic links that point out, encrypted entries, zip64, archives of several parts, methods other than
 * stored and deflated, entries that overlap, and whatever unpacks to more than was said or allowed. Source: PKWARE's
 * APPNOTE.TXT, sections 4.3 and 4.4. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

#define ZIP_ENTRIES_MAX 65534
#define ZIP_NAME_BYTES_MAX 1024
#define ZIP_DEPTH_MAX 64
#define ZIP_FOLDERS_MAX 65534 /* that unpacking makes, named by an entry of their own or not */

enum zip_kind { ZIP_FILE, ZIP_FOLDER, ZIP_LINK };
struct zip_entry {
	struct str name; /* without a slash at its end */
	enum zip_kind kind;
	bool executable;
	uint16_t method;
	uint32_t crc;
	uint64_t size, packed, offset; /* offset: of the data */
};
struct zip {
	struct str bytes; /* the archive, borrowed */
	struct zip_entry *v;
	size_t n;
	uint64_t size; /* of all files */
};
/* zip_open reads the directory of an archive. bytes_max: what it may unpack to. 0, or -EBADMSG (damaged or refused), -EFBIG (too
 * large) with *ret_why, a sentence. */
int zip_open(struct str bytes, uint64_t bytes_max, struct arena *a, struct zip *ret, const char **ret_why);
/* zip_entry_read gives the content of an entry to sink in pieces; -EBADMSG, or what sink returned when negative. */
int zip_entry_read(const struct zip *z, const struct zip_entry *e, int (*sink)(void *arg, struct str piece), void *arg);
/* zip_unpack writes everything below dir_fd, which is empty: files 0444 or 0555, folders 0555. What it wrote stays on failure. */
int zip_unpack(const struct zip *z, int dir_fd, const char **ret_why);
