/* SPDX-License-Identifier: Apache-2.0 */
/* test_jobs.c - jobs in the order they are due, moved, deleted, and still there after opening again. */
#include "store_test.h"
#include "store/jobs.h"

static int fill(struct store_txn *t, void *arg)
{
	static char big[5000];

	memset(big, 'p', sizeof big);
	assert_int_equal(job_put(t, 300, S("stack"), S("c"), S("third")), 0);
	assert_int_equal(job_put(t, 100, S("stack"), S("a"), S("first")), 0);
	assert_int_equal(job_put(t, 200, S("stack"), S("b"), str_of(big, sizeof big)), 0);
	assert_int_equal(job_put(t, -5, S("delete"), S("a"), S("")), 0); /* another kind; before 1970 */
	assert_int_equal(job_put(t, 256, S("stack"), S("d"), S("moved")), 0);
	assert_int_equal(job_put(t, 400, S("stack"), S("d"), S("moved later")), 0);
	assert_int_equal(job_put(t, 400, S("stack"), S("d"), S("same time")), 0);
	return 0;
}

static void expect(struct store_txn *t, int64_t now, size_t max, const char *ids, int64_t want_next)
{
	struct arena a = { 0 };
	struct job_list l;
	int64_t next;

	assert_int_equal(job_due(t, &a, now, max, &l, &next), 0);
	assert_int_equal(l.n, strlen(ids));
	for (size_t i = 0; i < l.n; i++)
		assert_true(l.v[i].id.n == 1 && l.v[i].id.p[0] == ids[i]);
	assert_true(next == want_next);
	arena_done(&a);
}

static int change(struct store_txn *t, void *arg)
{
	expect(t, 1000, 9, "aabcd", INT64_MAX);
	assert_int_equal(job_del(t, S("stack"), S("b")), 0);
	assert_int_equal(job_del(t, S("stack"), S("b")), -ENOENT);
	assert_int_equal(job_put(t, 50, S("stack"), S("c"), S("earlier")), 0);
	expect(t, 1000, 9, "acad", INT64_MAX);
	return 0;
}

static void test_jobs(void **state)
{
	struct arena a = { 0 };
	struct store_txn *t;
	struct store *s;
	struct job j;

	test_dir_make();
	s = test_open(test_dir);
	assert_int_equal(store_begin_read(s, &t), 0);
	expect(t, INT64_MAX, 9, "", INT64_MAX);
	store_end(t);
	assert_int_equal(store_write(s, fill, NULL), 0);
	store_close(s);
	s = test_open(test_dir);
	assert_int_equal(store_begin_read(s, &t), 0);
	expect(t, -6, 9, "", -5);
	expect(t, -5, 9, "a", 100);
	expect(t, 99, 9, "a", 100);
	expect(t, 100, 9, "aa", 200);
	expect(t, 299, 9, "aab", 300);
	expect(t, 399, 9, "aabc", 400);
	expect(t, 400, 9, "aabcd", INT64_MAX);
	expect(t, 400, 2, "aa", 200);
	expect(t, 400, 0, "", -5);
	assert_int_equal(job_get(t, &a, S("stack"), S("d"), &j), 0);
	assert_true(j.due_ms == 400 && str_is(j.payload, "same time") && str_is(j.kind, "stack"));
	assert_int_equal(job_get(t, &a, S("stack"), S("b"), &j), 0);
	assert_int_equal(j.payload.n, 5000);
	assert_int_equal(job_get(t, &a, S("delete"), S("b"), &j), -ENOENT);
	store_end(t);
	assert_int_equal(store_write(s, change, NULL), 0);
	store_close(s);
	test_dir_remove();
	arena_done(&a);
}

static int damage(struct store_txn *t, void *arg)
{
	struct arena a = { 0 };
	struct job_list l;
	struct keybuf k;
	int64_t next;

	key_begin(&k, S(""), "job-due");
	key_u64(&k, 0);
	assert_int_equal(store_put(t, key_view(&k), S("")), 0);
	assert_int_equal(job_due(t, &a, 0, 9, &l, &next), -EBADMSG);
	key_str(&k, S("kind"));
	key_str(&k, S("id"));
	assert_int_equal(store_put(t, key_view(&k), S("")), 0);
	assert_true(job_due(t, &a, 0, 9, &l, &next) < 0);
	key_begin(&k, S(""), "job");
	key_str(&k, S("kind"));
	key_str(&k, S("id"));
	assert_int_equal(store_put(t, key_view(&k), S("short")), 0);
	assert_int_equal(job_put(t, 1, S("kind"), S("id"), S("")), -EBADMSG);
	assert_int_equal(job_del(t, S("kind"), S("id")), -EBADMSG);
	arena_done(&a);
	return 0;
}

static void test_damage(void **state)
{
	struct store *s;

	test_dir_make();
	s = test_open(test_dir);
	assert_int_equal(store_write(s, damage, NULL), 0);
	store_close(s);
	test_dir_remove();
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_jobs), cmocka_unit_test(test_damage) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
