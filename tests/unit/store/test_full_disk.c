/* SPDX-License-Identifier: Apache-2.0 */
/* test_full_disk.c - a file system that really is full: a small tmpfs in a mount namespace of this process. Needs root;
 * says so and skips otherwise. */
#include "store_test.h"
#include "store/files.h"
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

static bool mounted;
static char disk[300], store_dir[320];

static int setup(void **state)
{
	test_dir_make();
	snprintf(disk, sizeof disk, "%s/disk", test_dir);
	snprintf(store_dir, sizeof store_dir, "%s/store", disk);
	assert_int_equal(mkdir(disk, 0700), 0);
	mounted = unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		  mount("tmpfs", disk, "tmpfs", MS_NOSUID | MS_NODEV, "size=4m") == 0;
	if (!mounted)
		print_message("SKIPPED: a full disk needs the right to mount (%s)\n", strerror(errno));
	return 0;
}

static int teardown(void **state)
{
	if (mounted)
		umount2(disk, MNT_DETACH);
	test_dir_remove();
	return 0;
}

static void ballast(size_t n)
{
	char path[320], *p = calloc(1, n);
	int fd;

	snprintf(path, sizeof path, "%s/ballast", disk);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, p, n), (ssize_t)n);
	close(fd);
	free(p);
}

static void ballast_drop(void)
{
	char path[320];

	snprintf(path, sizeof path, "%s/ballast", disk);
	assert_int_equal(unlink(path), 0);
}

static void test_store_full(void **state)
{
	char key[32], value[20000];
	struct store *s;
	int n, r = 0;

	if (!mounted)
		skip();
	memset(value, 'v', sizeof value);
	ballast(1 << 20);
	assert_int_equal(store_open(store_dir, NULL, &s), 0);
	for (n = 0; n < 1000 && r == 0; n++) {
		snprintf(key, sizeof key, "key%d", n);
		r = test_put(s, str_c(key), str_of(value, sizeof value));
	}
	assert_int_equal(r, -ENOSPC);
	assert_true(n > 50);
	for (int i = 0; i < 20; i++) /* it stays an error and nothing worse */
		assert_int_equal(test_put(s, S("big"), str_of(value, sizeof value)), -ENOSPC);
	assert_int_equal(test_has(s, S("big"), S("")), -ENOENT);
	for (int i = 0; i < n; i++) {
		snprintf(key, sizeof key, "key%d", i);
		assert_int_equal(test_has(s, str_c(key), str_of(value, sizeof value)), i < n - 1 ? 1 : -ENOENT);
	}
	ballast_drop();
	assert_int_equal(test_put(s, S("big"), str_of(value, sizeof value)), 0);
	store_close(s);
	assert_int_equal(store_open(store_dir, NULL, &s), 0);
	assert_int_equal(test_has(s, S("big"), str_of(value, sizeof value)), 1);
	snprintf(key, sizeof key, "key%d", n - 2);
	assert_int_equal(test_has(s, str_c(key), str_of(value, sizeof value)), 1);
	store_close(s);
}

/* Opening on a disk without room fails; touching LMDB's sparse lock file would be a SIGBUS instead. */
static void test_open_full(void **state)
{
	struct store *s;

	if (!mounted)
		skip();
	ballast((4 << 20) - (64 << 10));
	assert_int_equal(store_open(store_dir, NULL, &s), -ENOSPC);
	ballast_drop();
	assert_int_equal(store_open(store_dir, NULL, &s), 0);
	assert_int_equal(test_put(s, S("a"), S("1")), 0);
	store_close(s);
}

static void test_files_full(void **state)
{
	static char body[1 << 20];
	struct file_writer *w;
	struct files *f;
	char path[340];
	int r = 0;

	if (!mounted)
		skip();
	assert_int_equal(files_open(store_dir, &f), 0);
	assert_int_equal(file_begin(f, &w), 0);
	for (int i = 0; i < 10 && r == 0; i++)
		r = file_write(w, body, sizeof body);
	assert_int_equal(r, -ENOSPC);
	snprintf(path, sizeof path, "%s/tmp/0", store_dir);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(file_finish(w, S("never")), -ENOSPC);
	assert_int_equal(file_begin(f, &w), 0); /* the room is back */
	assert_int_equal(file_write(w, body, sizeof body), 0);
	assert_int_equal(file_finish(w, S("fits")), 0);
	files_close(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_store_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_open_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_files_full, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
