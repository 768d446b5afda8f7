/* SPDX-License-Identifier: Apache-2.0 */
/* store_test.h - what the tests of the store share: a directory of their own, and short ways to write. */
#pragma once
#include "base/arena.h"
#include "base/util.h"
#include "store/store.h"
#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>
#include <cmocka.h>

static char test_dir[256];

static inline int test_rm_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
	return remove(path);
}
static inline void test_rm(const char *dir)
{
	nftw(dir, test_rm_one, 16, FTW_DEPTH | FTW_PHYS);
}
static inline void test_dir_make(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(test_dir, sizeof test_dir, "%s/ck-store-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(test_dir));
}
static inline void test_dir_remove(void)
{
	test_rm(test_dir);
}
static inline struct store *test_open(const char *dir)
{
	struct store_opts o = { .no_sync = true };
	struct store *s;

	assert_int_equal(store_open(dir, &o, &s), 0);
	return s;
}

struct test_op {
	struct str key, value; /* value absent: delete */
};
struct test_ops {
	const struct test_op *v;
	size_t n;
	int fail; /* returned at the end when < 0 */
};
static inline int test_ops_run(struct store_txn *t, void *arg)
{
	const struct test_ops *o = arg;
	int r;

	for (size_t i = 0; i < o->n; i++) {
		r = o->v[i].value.p ? store_put(t, o->v[i].key, o->v[i].value) : store_del(t, o->v[i].key);
		if (r < 0)
			return r;
	}
	return o->fail;
}
static inline int test_put(struct store *s, struct str key, struct str value)
{
	struct test_op op = { key, value };
	struct test_ops ops = { &op, 1, 0 };

	return store_write(s, test_ops_run, &ops);
}
static inline int test_del(struct store *s, struct str key)
{
	return test_put(s, key, STR_NONE);
}
static inline int test_has(struct store *s, struct str key, struct str want) /* 1 equal, 0 other, or errno */
{
	struct store_txn *t;
	struct str v;
	int r;

	assert_int_equal(store_begin_read(s, &t), 0);
	r = store_get(t, key, &v);
	if (r == 0)
		r = str_eq(v, want);
	store_end(t);
	return r;
}
