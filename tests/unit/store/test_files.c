/* SPDX-License-Identifier: Apache-2.0 */
/* test_files.c - bodies as files: what is finished is there, what isn't leaves nothing; hostile names; the sweep. */
#include "store_test.h"
#include "store/files.h"
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static int setup(void **state)
{
	struct files *f;

	test_dir_make();
	assert_int_equal(files_open(test_dir, &f), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	files_close(*state);
	test_dir_remove();
	return 0;
}

static int count_tmp(void)
{
	char path[300];
	struct dirent *e;
	int n = 0;
	DIR *d;

	snprintf(path, sizeof path, "%s/tmp", test_dir);
	d = opendir(path);
	assert_non_null(d);
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static int make(struct files *f, struct str id, struct str body)
{
	struct file_writer *w;

	assert_int_equal(file_begin(f, &w), 0);
	assert_int_equal(file_write(w, body.p, body.n), 0);
	return file_finish(w, id);
}

static int reads(struct files *f, struct str id, struct str want) /* 1 equal, 0 other, or errno */
{
	char b[100];
	uint64_t n;
	int fd, r = file_open_read(f, id, &fd, &n);

	if (r < 0)
		return r;
	r = n == want.n && read(fd, b, sizeof b) == (ssize_t)want.n && memcmp(b, want.p, want.n) == 0;
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	return r;
}

static void test_life(void **state)
{
	struct files *f = *state;
	struct file_writer *w;
	uint64_t n;
	char b[8];
	int fd;

	assert_int_equal(make(f, S("one"), S("body")), 0);
	assert_int_equal(reads(f, S("one"), S("body")), 1);
	assert_int_equal(make(f, S("one"), S("other")), -EEXIST); /* bodies never change */
	assert_int_equal(reads(f, S("one"), S("body")), 1);
	assert_int_equal(make(f, S("empty"), S("")), 0);
	assert_int_equal(reads(f, S("empty"), S("")), 1);
	assert_int_equal(count_tmp(), 0);
	assert_int_equal(file_begin(f, &w), 0);
	assert_int_equal(file_write(w, "half", 4), 0);
	assert_int_equal(count_tmp(), 1);
	file_abort(w);
	file_abort(NULL);
	assert_int_equal(count_tmp(), 0);
	assert_int_equal(file_open_read(f, S("one"), &fd, &n), 0);
	assert_int_equal(file_unlink(f, S("one")), 0);
	assert_int_equal(read(fd, b, sizeof b), 4); /* a download goes on */
	close(fd);
	assert_int_equal(reads(f, S("one"), S("body")), -ENOENT);
	assert_int_equal(file_unlink(f, S("one")), -ENOENT);
}

static void test_hostile_names(void **state)
{
	static const struct str bad[] = { { "", 0 },     { "..", 2 }, { "../x", 4 }, { "a/b", 3 },
					  { "a\0b", 3 }, { ".", 1 },  { "x.y", 3 },  { NULL, 0 } };
	struct files *f = *state;
	char path[300], longest[FILE_ID_BYTES_MAX + 1];
	struct stat st;

	for (size_t i = 0; i < ELEMENTS(bad); i++) {
		assert_int_equal(make(f, bad[i], S("x")), -EINVAL);
		assert_int_equal(reads(f, bad[i], S("x")), -EINVAL);
		assert_int_equal(file_unlink(f, bad[i]), -EINVAL);
	}
	memset(longest, 'i', sizeof longest);
	assert_int_equal(make(f, str_of(longest, sizeof longest), S("x")), -EINVAL);
	assert_int_equal(make(f, str_of(longest, sizeof longest - 1), S("x")), 0);
	assert_int_equal(count_tmp(), 0);

	/* A link in the place of a body isn't followed. */
	assert_int_equal(make(f, S("link"), S("x")), 0);
	snprintf(path, sizeof path, "%s/objects/%02x/link", test_dir, (unsigned)crc32_ieee(0, "link", 4) & 0xff);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 077, 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(reads(f, S("link"), S("x")), -ELOOP);
}

static int keep_even(void *arg, struct str id)
{
	(*(int *)arg)++;
	return (id.p[id.n - 1] - '0') % 2 == 0;
}

static int fails(void *arg, struct str id)
{
	return -EIO;
}

static void test_sweep(void **state)
{
	struct files *f = *state;
	struct file_writer *w;
	char id[16];
	int asked = 0;

	for (int i = 0; i < 40; i++) {
		snprintf(id, sizeof id, "obj%d", i);
		assert_int_equal(make(f, str_c(id), S("x")), 0);
	}
	assert_int_equal(files_sweep(f, fails, NULL), -EIO);
	assert_int_equal(files_sweep(f, keep_even, &asked), 20);
	assert_int_equal(asked, 40);
	for (int i = 0; i < 40; i++) {
		snprintf(id, sizeof id, "obj%d", i);
		assert_int_equal(reads(f, str_c(id), S("x")), i % 2 ? -ENOENT : 1);
	}
	/* A crash leaves temporaries; the next start removes them. */
	assert_int_equal(file_begin(f, &w), 0);
	assert_int_equal(file_write(w, "half", 4), 0);
	assert_int_equal(count_tmp(), 1);
	files_close(f);
	assert_int_equal(files_open(test_dir, &f), 0);
	assert_int_equal(count_tmp(), 0);
	*state = f;
	free(w); /* as the crash would have; its descriptor ends with the test */
}

/* A write that fails half-way: the limit on file sizes stands in for the disk. */
static void test_write_fails(void **state)
{
	struct files *f = *state;
	struct rlimit old, lim;
	struct file_writer *w;
	static char body[64 << 10];

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	lim = old;
	lim.rlim_cur = 100 << 10;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &lim), 0);
	assert_int_equal(file_begin(f, &w), 0);
	assert_int_equal(file_write(w, body, sizeof body), 0);
	assert_int_equal(file_write(w, body, sizeof body), -EFBIG);
	assert_int_equal(count_tmp(), 0); /* its room is given back before the caller cleans up */
	assert_int_equal(file_write(w, body, 1), -EFBIG);
	assert_int_equal(file_finish(w, S("never")), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(reads(f, S("never"), S("")), -ENOENT);
	assert_int_equal(make(f, S("never"), S("now")), 0);
}

static void test_open_errors(void **state)
{
	struct files *f;

	assert_int_equal(files_open("/nonexistent/dir", &f), -ENOENT);
	assert_int_equal(files_open("/proc/version", &f), -ENOTDIR);
	files_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_life, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sweep, setup, teardown),
		cmocka_unit_test_setup_teardown(test_write_fails, setup, teardown),
		cmocka_unit_test(test_open_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
