/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_archive.c - the reader of exports. The input is the frames of an export; the magic before them and the end with the
 * right sum are added here, or the reader would never get past it. With the first byte odd it imports, else it checks.
 * Whatever it accepts it must accept again, refuse when cut or followed by something, and never write outside of its directory. */
#include "cli/archive.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static char top[] = "/tmp/ck-fuzz-archive-XXXXXX", inner[64], target[80];

static void remove_top(void)
{
	cli_remove_tree(top);
}

static int read_it(struct str text, const char *dir)
{
	int fd = memfd_create("export", MFD_CLOEXEC), r;
	struct archive_sum sum;
	struct arena a = { 0 };
	const char *why = NULL;

	if (fd < 0 || write(fd, text.p, text.n) != (ssize_t)text.n || lseek(fd, 0, SEEK_SET) < 0)
		abort();
	r = archive_read(fd, dir, &sum, &a, &why);
	if (r > 0 || (r < 0) != (why != NULL))
		abort();
	(void)close(fd);
	arena_done(&a);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint8_t end[13] = { 'E', [12] = 32 }, digest[32];
	struct hash *h;
	struct stat st;
	struct buf b;
	bool import;
	int r;

	if (!inner[0]) {
		if (!mkdtemp(top))
			abort();
		(void)atexit(remove_top);
		(void)snprintf(inner, sizeof inner, "%s/1", top);
		(void)snprintf(target, sizeof target, "%s/2", inner);
		if (mkdir(inner, 0700) < 0)
			abort();
	}
	if (n < 1 || n > 65536)
		return 0;
	import = data[0] & 1;
	buf_init(&b, 1 << 20);
	buf_str(&b, S(ARCHIVE_MAGIC));
	buf_str(&b, str_of((const char *)data + 1, n - 1));
	h = hash_new(HASH_SHA256);
	hash_add(h, b.p, b.n);
	(void)hash_end(h, digest);
	hash_free(h);
	buf_str(&b, str_of((char *)end, sizeof end));
	buf_str(&b, str_of((char *)digest, sizeof digest));

	r = read_it(buf_view(&b), import ? target : NULL);
	if (import && (stat(target, &st) == 0) != (r == 0))
		abort();
	if (import) {
		cli_remove_tree(target);
		if (rmdir(inner) < 0 || mkdir(inner, 0700) < 0) /* nothing but the target was made */
			abort();
	}
	if (r == 0) {
		if (read_it(buf_view(&b), NULL) < 0 || read_it(str_of(b.p, b.n - 1), NULL) != -EBADMSG)
			abort();
		buf_str(&b, S("x"));
		if (read_it(buf_view(&b), NULL) != -EBADMSG)
			abort();
	}
	buf_done(&b);
	return 0;
}
