/* SPDX-License-Identifier: Apache-2.0 */
/* test_fault.c - every write to disk fails once, and then all of them from some point on: what was acknowledged stays,
 * what failed is not there in halves, and the store works again when the disk does.
 *
 * The calls that LMDB writes with are replaced by ones of this program that count and fail. */
#include "store_test.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/uio.h>

static atomic_int calls, fail_at, fail_count, fail_errno;

static bool fails_now(void)
{
	int n = atomic_fetch_add(&calls, 1) + 1, at = atomic_load(&fail_at);

	if (at == 0 || n < at || n >= at + atomic_load(&fail_count))
		return false;
	errno = atomic_load(&fail_errno);
	return true;
}

#define EXPORTED __attribute__((visibility("default")))
EXPORTED ssize_t fault_pwrite(int fd, const void *p, size_t n, off_t at) __asm__("pwrite"); /* not pwrite64, as headers have it */
EXPORTED ssize_t fault_pwrite(int fd, const void *p, size_t n, off_t at)
{
	static ssize_t (*real)(int, const void *, size_t, off_t);

	if (!real)
		real = (ssize_t(*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite");
	return fails_now() ? -1 : real(fd, p, n, at);
}
EXPORTED ssize_t writev(int fd, const struct iovec *v, int n);
EXPORTED ssize_t writev(int fd, const struct iovec *v, int n)
{
	static ssize_t (*real)(int, const struct iovec *, int);

	if (!real)
		real = (ssize_t(*)(int, const struct iovec *, int))dlsym(RTLD_NEXT, "writev");
	return fails_now() ? -1 : real(fd, v, n);
}
EXPORTED int fdatasync(int fd);
EXPORTED int fdatasync(int fd)
{
	static int (*real)(int);

	if (!real)
		real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
	return fails_now() ? -1 : real(fd);
}

static void faults(int at, int count, int error)
{
	atomic_store(&calls, 0);
	atomic_store(&fail_count, count);
	atomic_store(&fail_errno, error);
	atomic_store(&fail_at, at);
}

/* A transaction writes the same number under several keys, far apart in the tree and in pages of their own. */
static int put_all(struct store_txn *t, void *arg)
{
	static char long_key[1500];
	char value[3000];
	int r;

	memset(long_key, 'l', sizeof long_key);
	memset(value, '.', sizeof value);
	snprintf(value, sizeof value, "%d", *(int *)arg);
	for (int i = 0; i < 5; i++) {
		long_key[1499] = (char)i;
		if ((r = store_put(t, str_of(long_key, i % 2 ? sizeof long_key : (size_t)i + 1), str_of(value, sizeof value))) < 0)
			return r;
	}
	return 0;
}

/* What all keys say, or -1 when they don't agree, or an error of the store. */
static int get_all(struct store *s)
{
	static char long_key[1500];
	struct store_txn *t;
	struct str v;
	int r, found = -1, x;

	memset(long_key, 'l', sizeof long_key);
	r = store_begin_read(s, &t);
	if (r < 0)
		return r;
	for (int i = 0; i < 5; i++) {
		long_key[1499] = (char)i;
		r = store_get(t, str_of(long_key, i % 2 ? sizeof long_key : (size_t)i + 1), &v);
		if (r < 0 || sscanf(v.p, "%d", &x) != 1 || (i && x != found)) {
			found = -1;
			break;
		}
		found = x;
	}
	store_end(t);
	return found;
}

static void torture(int count, int error, bool reopen)
{
	struct store *s;
	int version = 1, acked, r, refused = 0;

	test_dir_make();
	assert_int_equal(store_open(test_dir, NULL, &s), 0);
	assert_int_equal(store_write(s, put_all, &version), 0);
	acked = version;
	for (int at = 1; at < 40; at++) {
		faults(at, count, error);
		for (int i = 0; i < 4; i++) {
			version++;
			r = store_write(s, put_all, &version);
			if (r == 0) {
				acked = version;
			} else {
				assert_int_equal(r, -error);
				refused++;
			}
			r = get_all(s);
			if (r < 0 && count > 1) /* the environment could not be opened again while the disk is broken */
				assert_int_equal(r, -EIO);
			else
				assert_int_equal(r, acked);
		}
		faults(0, 0, 0);
		version++;
		assert_int_equal(store_write(s, put_all, &version), 0);
		acked = version;
		assert_int_equal(get_all(s), acked);
		if (reopen) {
			store_close(s);
			assert_int_equal(store_open(test_dir, NULL, &s), 0);
			assert_int_equal(get_all(s), acked);
		}
	}
	assert_true(refused >= 10); /* or the faults never reached LMDB */
	store_close(s);
	test_dir_remove();
}

static void test_one_enospc(void **state)
{
	torture(1, ENOSPC, false);
}
static void test_one_eio(void **state)
{
	torture(1, EIO, true);
}
static void test_all_enospc(void **state)
{
	torture(1000, ENOSPC, true);
}

/* While a reader holds a snapshot the environment can't be opened again; it is when the reader has gone. */
static void test_reader_in_the_way(void **state)
{
	struct store_txn *t;
	struct store *s;
	int version = 1, r = 0;

	test_dir_make();
	assert_int_equal(store_open(test_dir, NULL, &s), 0);
	assert_int_equal(store_write(s, put_all, &version), 0);
	assert_int_equal(store_begin_read(s, &t), 0);
	for (int at = 1; at < 20 && r != -EIO; at++) { /* until it was the meta page */
		struct store_txn *probe;

		faults(at, 1, EIO);
		version++;
		store_write(s, put_all, &version);
		faults(0, 0, 0);
		r = store_begin_read(s, &probe);
		if (r == 0)
			store_end(probe);
	}
	assert_int_equal(r, -EIO);
	store_end(t);
	version++;
	assert_int_equal(store_write(s, put_all, &version), 0);
	assert_int_equal(get_all(s), version);
	store_close(s);
	test_dir_remove();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_enospc),
		cmocka_unit_test(test_one_eio),
		cmocka_unit_test(test_all_enospc),
		cmocka_unit_test(test_reader_in_the_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
