/* SPDX-License-Identifier: Apache-2.0 */
/* test_store.c - opening, snapshots, jobs and batches. */
#include "store_test.h"
#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int setup(void **state)
{
	test_dir_make();
	*state = test_open(test_dir);
	return 0;
}

static int teardown(void **state)
{
	store_close(*state);
	test_dir_remove();
	return 0;
}

static void test_put_get_del(void **state)
{
	struct store *s = *state;

	assert_int_equal(test_has(s, S("a"), S("1")), -ENOENT);
	assert_int_equal(test_put(s, S("a"), S("1")), 0);
	assert_int_equal(test_has(s, S("a"), S("1")), 1);
	assert_int_equal(test_put(s, S("a"), S("22")), 0);
	assert_int_equal(test_has(s, S("a"), S("22")), 1);
	assert_int_equal(test_put(s, S("empty"), S("")), 0);
	assert_int_equal(test_has(s, S("empty"), S("")), 1);
	assert_int_equal(test_del(s, S("a")), 0);
	assert_int_equal(test_has(s, S("a"), S("")), -ENOENT);
	assert_int_equal(test_del(s, S("a")), -ENOENT);
}

static void test_limits(void **state)
{
	struct store *s = *state;
	static char long_key[STORE_KEY_BYTES_MAX + 1];
	char *big = malloc(STORE_VALUE_BYTES_MAX + 1);
	struct store_txn *t;
	struct store_range r;
	struct str v;

	memset(long_key, 'k', sizeof long_key);
	memset(big, 'v', STORE_VALUE_BYTES_MAX + 1);
	assert_int_equal(test_put(s, str_of(long_key, STORE_KEY_BYTES_MAX), S("x")), 0);
	assert_int_equal(test_has(s, str_of(long_key, STORE_KEY_BYTES_MAX), S("x")), 1);
	assert_int_equal(test_put(s, str_of(long_key, STORE_KEY_BYTES_MAX + 1), S("x")), -E2BIG);
	assert_int_equal(test_put(s, S(""), S("x")), -EINVAL);
	assert_int_equal(test_put(s, STR_NONE, S("x")), -E2BIG);
	assert_int_equal(test_put(s, S("big"), str_of(big, STORE_VALUE_BYTES_MAX)), 0);
	assert_int_equal(test_has(s, S("big"), str_of(big, STORE_VALUE_BYTES_MAX)), 1);
	assert_int_equal(test_put(s, S("big"), str_of(big, STORE_VALUE_BYTES_MAX + 1)), -EFBIG);
	assert_int_equal(test_has(s, S("big"), str_of(big, STORE_VALUE_BYTES_MAX)), 1);
	assert_int_equal(store_begin_read(s, &t), 0);
	assert_false(store_txn_writable(t));
	assert_int_equal(store_put(t, S("a"), S("b")), -EROFS);
	assert_int_equal(store_del(t, S("a")), -EROFS);
	assert_int_equal(store_get(t, STR_NONE, &v), -E2BIG);
	assert_int_equal(store_range_open(&r, t, STR_NONE, STR_NONE, false), -E2BIG);
	store_range_close(&r);
	store_end(t);
	store_end(NULL);
	store_close(NULL);
	free(big);
}

static void test_snapshot(void **state)
{
	struct store *s = *state;
	struct store_txn *t;
	struct str before, after;

	assert_int_equal(test_put(s, S("a"), S("old")), 0);
	assert_int_equal(store_begin_read(s, &t), 0);
	assert_int_equal(store_get(t, S("a"), &before), 0);
	for (int i = 0; i < 100; i++) /* would reuse the page of the old value if the reader didn't hold it */
		assert_int_equal(test_put(s, S("a"), S("new")), 0);
	assert_true(str_is(before, "old"));
	assert_int_equal(store_get(t, S("a"), &after), 0);
	assert_true(str_is(after, "old"));
	store_end(t);
	assert_int_equal(test_has(s, S("a"), S("new")), 1);
}

static void test_rollback(void **state)
{
	struct store *s = *state;
	struct test_op two[] = { { S("a"), S("changed") }, { S("b"), S("made") } };
	struct test_ops ops = { two, 2, -EPERM };

	assert_int_equal(test_put(s, S("a"), S("kept")), 0);
	assert_int_equal(store_write(s, test_ops_run, &ops), -EPERM);
	assert_int_equal(test_has(s, S("a"), S("kept")), 1);
	assert_int_equal(test_has(s, S("b"), S("")), -ENOENT);
}

/* --- batches: a job that blocks the writer until many others are queued --- */

struct job {
	struct store_job job;
	struct store *s;
	int id, fail, seen, result;
	atomic_bool *gate;
	atomic_int *n_done;
	int *order;
};

static int gated_run(struct store_job *j, struct store_txn *t)
{
	struct job *w = (struct job *)j;

	while (w->gate && !atomic_load(w->gate))
		usleep(100);
	return 0;
}

static int counting_run(struct store_job *j, struct store_txn *t)
{
	struct job *w = (struct job *)j;
	char key[32], value[16];
	struct str v;
	int n = 0;

	/* A counter that every job sees as the jobs before it left it. */
	if (store_get(t, S("counter"), &v) == 0) {
		int64_t x;

		assert_int_equal(str_to_i64(v, &x), 0);
		n = (int)x;
	}
	w->seen = n;
	snprintf(value, sizeof value, "%d", n + 1);
	if (store_put(t, S("counter"), str_c(value)) < 0)
		return -EIO;
	snprintf(key, sizeof key, "job%04d", w->id);
	if (store_put(t, str_c(key), S("here")) < 0)
		return -EIO;
	return w->fail;
}

static void job_done(struct store_job *j, int result)
{
	struct job *w = (struct job *)j;

	w->result = result;
	if (w->order)
		w->order[atomic_load(w->n_done)] = w->id;
	atomic_fetch_add(w->n_done, 1);
}

static void wait_done(atomic_int *n, int want)
{
	for (int i = 0; i < 20000 && atomic_load(n) < want; i++)
		usleep(1000);
	assert_int_equal(atomic_load(n), want);
}

static void test_batch(void **state)
{
	enum { N = 1300 }; /* more than one batch */
	static struct job jobs[N], gatekeeper;
	static int order[N + 1];
	struct store *s = *state;
	atomic_bool gate = false;
	atomic_int n_done = 0;
	char key[32];
	int good = 0;

	gatekeeper = (struct job){ .job = { gated_run, job_done }, .gate = &gate, .n_done = &n_done, .id = -1, .order = order };
	store_submit(s, &gatekeeper.job);
	for (int i = 0; i < N; i++) {
		jobs[i] = (struct job){
			.job = { counting_run, job_done }, .id = i, .fail = i % 7 == 3 ? -EPERM : 0, .n_done = &n_done, .order = order
		};
		store_submit(s, &jobs[i].job);
	}
	atomic_store(&gate, true);
	wait_done(&n_done, N + 1);
	for (int i = 0; i < N; i++) {
		snprintf(key, sizeof key, "job%04d", i);
		assert_int_equal(order[i + 1], i);
		assert_int_equal(jobs[i].seen, good);
		assert_int_equal(jobs[i].result, i % 7 == 3 ? -EPERM : 0);
		assert_int_equal(test_has(s, str_c(key), S("here")), i % 7 == 3 ? -ENOENT : 1);
		good += i % 7 != 3;
	}
}

static int ignores_error_run(struct store_txn *t, void *arg)
{
	char *big = malloc(4 << 20);
	int r;

	memset(big, 1, 4 << 20);
	r = store_put(t, S("too big"), str_of(big, 4 << 20));
	free(big);
	assert_int_equal(r, -ENOSPC);
	assert_int_equal(store_put(t, S("more"), S("x")), -ENOSPC);
	return 0; /* the mistake */
}

/* A job that overlooks an engine's error must not be acknowledged, and the store goes on. */
static void test_map_full(void **state)
{
	char dir[300], key[32], value[3000];
	struct store_opts o = { .no_sync = true, .map_bytes_max = 2 << 20 };
	struct store *s;
	int n, r = 0;

	snprintf(dir, sizeof dir, "%s/full", test_dir);
	memset(value, 'v', sizeof value);
	assert_int_equal(store_open(dir, &o, &s), 0);
	assert_int_equal(store_write(s, ignores_error_run, NULL), -ENOSPC);
	assert_int_equal(test_has(s, S("more"), S("x")), -ENOENT);
	for (n = 0; n < 10000 && r == 0; n++) {
		snprintf(key, sizeof key, "key%d", n);
		r = test_put(s, str_c(key), str_of(value, sizeof value));
	}
	assert_int_equal(r, -ENOSPC);
	assert_true(n > 100);
	for (int i = 0; i < n - 1; i++) {
		snprintf(key, sizeof key, "key%d", i);
		assert_int_equal(test_has(s, str_c(key), str_of(value, sizeof value)), 1);
	}
	assert_int_equal(test_has(s, str_c(key), S("")), 0);
	for (int i = 0; i < n / 2; i++) { /* deleting makes room */
		snprintf(key, sizeof key, "key%d", i);
		assert_int_equal(test_del(s, str_c(key)), 0);
	}
	assert_int_equal(test_put(s, S("after"), str_of(value, sizeof value)), 0);
	store_close(s);
	assert_int_equal(store_open(dir, &o, &s), 0);
	assert_int_equal(test_has(s, S("after"), str_of(value, sizeof value)), 1);
	store_close(s);
}

static int batch_full_run(struct store_job *j, struct store_txn *t)
{
	struct job *w = (struct job *)j;
	static char value[600 << 10];
	char key[32];
	int r;

	memset(value, 'v', sizeof value);
	snprintf(key, sizeof key, "job%d", w->id);
	r = store_put(t, str_c(key), str_of(value, w->id % 2 ? 10 : sizeof value));
	return r;
}

/* Jobs that don't fit fail alone; the small ones of the same batch are kept. */
static void test_batch_full(void **state)
{
	struct store_opts o = { .no_sync = true, .map_bytes_max = 2 << 20 };
	static struct job jobs[20], gatekeeper;
	atomic_bool gate = false;
	atomic_int n_done = 0;
	struct store *s;
	char dir[300], key[32];
	int full = 0;

	snprintf(dir, sizeof dir, "%s/full2", test_dir);
	assert_int_equal(store_open(dir, &o, &s), 0);
	gatekeeper = (struct job){ .job = { gated_run, job_done }, .gate = &gate, .n_done = &n_done };
	store_submit(s, &gatekeeper.job);
	for (int i = 0; i < 20; i++) {
		jobs[i] = (struct job){ .job = { batch_full_run, job_done }, .id = i, .n_done = &n_done };
		store_submit(s, &jobs[i].job);
	}
	atomic_store(&gate, true);
	wait_done(&n_done, 21);
	for (int i = 0; i < 20; i++) {
		snprintf(key, sizeof key, "job%d", i);
		assert_true(jobs[i].result == 0 || jobs[i].result == -ENOSPC);
		if (i % 2)
			assert_int_equal(jobs[i].result, 0);
		full += jobs[i].result == -ENOSPC;
		assert_int_equal(test_has(s, str_c(key), S("")) >= 0, jobs[i].result == 0);
	}
	assert_true(full >= 7);
	store_close(s);
}

/* --- readers beside the writer --- */

struct pair_reader {
	struct store *s;
	atomic_bool *stop;
	atomic_int reads;
	int torn;
};

static int pair_write(struct store_txn *t, void *arg)
{
	struct str v = str_c(arg);
	int r = store_put(t, S("pair/a"), v);

	return r < 0 ? r : store_put(t, S("pair/b"), v);
}

static void *pair_main(void *arg)
{
	struct pair_reader *p = arg;
	struct store_txn *t;
	struct str a, b;

	while (!atomic_load(p->stop)) {
		if (store_begin_read(p->s, &t) < 0)
			break;
		if (store_get(t, S("pair/a"), &a) < 0 || store_get(t, S("pair/b"), &b) < 0 || !str_eq(a, b))
			p->torn++;
		atomic_fetch_add(&p->reads, 1);
		store_end(t);
	}
	return NULL;
}

static bool all_have_read(struct pair_reader p[4])
{
	for (int i = 0; i < 4; i++)
		if (atomic_load(&p[i].reads) == 0)
			return false;
	return true;
}

static void test_readers_and_writer(void **state)
{
	struct store *s = *state;
	struct pair_reader p[4];
	pthread_t threads[4];
	atomic_bool stop = false;
	char v[32] = "0";

	assert_int_equal(store_write(s, pair_write, v), 0);
	for (int i = 0; i < 4; i++) {
		p[i] = (struct pair_reader){ .s = s, .stop = &stop };
		pthread_create(&threads[i], NULL, pair_main, &p[i]);
	}
	/* A busy machine may start a reader late: there are writes until each of them has come to read. */
	for (int i = 0; i < 500 || (i < 100000 && !all_have_read(p)); i++) {
		snprintf(v, sizeof v, "%d", i);
		assert_int_equal(store_write(s, pair_write, v), 0);
	}
	atomic_store(&stop, true);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(p[i].torn, 0);
		assert_true(atomic_load(&p[i].reads) > 0);
	}
}

static void test_many_open_reads(void **state)
{
	enum { N = 1500 };
	static struct store_txn *t[N];
	struct store *s = *state;
	struct store_txn *extra[2000];
	int n = 0, r = 0;

	assert_int_equal(test_put(s, S("a"), S("1")), 0);
	for (int i = 0; i < N; i++)
		assert_int_equal(store_begin_read(s, &t[i]), 0);
	while (n < 2000 && (r = store_begin_read(s, &extra[n])) == 0)
		n++;
	assert_int_equal(r, -EAGAIN); /* the limit is an error, not a crash */
	while (n > 0)
		store_end(extra[--n]);
	for (int i = 0; i < N; i++)
		store_end(t[i]);
	assert_int_equal(test_has(s, S("a"), S("1")), 1);
}

/* --- opening --- */

static void test_busy(void **state)
{
	struct store *second;
	int status;
	pid_t pid;

	assert_int_equal(store_open(test_dir, NULL, &second), -EBUSY);
	pid = fork();
	if (pid == 0)
		_exit(store_open(test_dir, NULL, &second) == -EBUSY ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_not_after_fork(void **state)
{
	struct store *s = *state;
	struct store_txn *t;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int r = store_begin_read(s, &t);

		store_close(s);
		_exit(r == -ESTALE ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(test_put(s, S("a"), S("1")), 0);
}

static void test_reopen(void **state)
{
	struct stat st;

	assert_int_equal(test_put(*state, S("a"), S("1")), 0);
	store_close(*state);
	*state = test_open(test_dir);
	assert_int_equal(test_has(*state, S("a"), S("1")), 1);
	assert_int_equal(stat(test_dir, &st), 0);
	assert_int_equal(st.st_mode & 077, 0);
}

static void test_newer_format(void **state)
{
	struct store *s;
	MDB_env *e;
	MDB_txn *t;
	MDB_dbi d;
	char newer[4] = { 0, 0, 0, 2 };
	MDB_val k = { 8, (void *)(uintptr_t) "fversion" }, v = { 4, newer };

	store_close(*state);
	for (int size = 4; size >= 3; size--) {
		assert_int_equal(mdb_env_create(&e), 0);
		assert_int_equal(mdb_env_open(e, test_dir, 0, 0600), 0);
		assert_int_equal(mdb_txn_begin(e, NULL, 0, &t), 0);
		assert_int_equal(mdb_dbi_open(t, NULL, 0, &d), 0);
		v.mv_size = (size_t)size;
		assert_int_equal(mdb_put(t, d, &k, &v, 0), 0);
		assert_int_equal(mdb_txn_commit(t), 0);
		mdb_env_close(e);
		assert_int_equal(store_open(test_dir, NULL, &s), size == 4 ? -EPROTONOSUPPORT : -EBADMSG);
	}
	*state = NULL;
}

static void test_damaged_file(void **state)
{
	char path[300], value[5000];
	struct store *s;
	struct stat st;
	int fd;

	memset(value, 'x', sizeof value);
	for (int i = 0; i < 50; i++) {
		snprintf(path, sizeof path, "key%d", i);
		assert_int_equal(test_put(*state, str_c(path), str_of(value, sizeof value)), 0);
	}
	store_close(*state);
	*state = NULL;
	snprintf(path, sizeof path, "%s/data.mdb", test_dir);
	assert_int_equal(stat(path, &st), 0);
	for (off_t size = st.st_size / 2; size; size = size > 8192 ? size / 2 / 4096 * 4096 : 0) { /* cut off, up to the meta pages */
		struct stat now;

		assert_int_equal(truncate(path, size), 0);
		assert_int_equal(store_open(test_dir, NULL, &s), -EBADMSG);
		assert_int_equal(stat(path, &now), 0);
		assert_int_equal(now.st_size, size); /* left as it was found */
	}
	fd = open(path, O_WRONLY | O_TRUNC);
	memset(value, 0x5a, sizeof value);
	assert_int_equal(write(fd, value, sizeof value), (ssize_t)sizeof value); /* something else */
	assert_int_equal(write(fd, value, sizeof value), (ssize_t)sizeof value);
	close(fd);
	assert_true(store_open(test_dir, NULL, &s) < 0);
	assert_int_equal(store_open("/nonexistent/dir", NULL, &s), -ENOENT);
	assert_int_equal(store_open("/proc/version", NULL, &s), -ENOTDIR);
}

/* Whatever transactions wrote, it opens again: LMDB counts pages that one transaction took and gave back, but never
 * writes them, and the file may end before them. */
static void test_reopen_after_anything(void **state)
{
	char *value = calloc(1, 64 << 10);
	struct test_op ops[36];
	char keys[36][24];
	unsigned seed = 1, n;

	assert_non_null(value);
	for (unsigned round = 0; round < 300; round++) {
		struct test_ops all = { ops, 0, 0 };

		for (unsigned i = 0; i < 12; i++) {
			seed = seed * 1103515245 + 12345;
			n = round * 12 + i;
			snprintf(keys[i], sizeof keys[i], "key%u", n);
			snprintf(keys[12 + i], sizeof keys[i], "key%u", n - 24); /* of two rounds ago */
			ops[all.n++] = (struct test_op){ str_c(keys[i]), str_of(value, (seed >> 8) % (64 << 10)) };
			if (round >= 2 && (n - 24) % 3)
				ops[all.n++] = (struct test_op){ str_c(keys[12 + i]), STR_NONE };
			if (n % 3 == 0) /* taken and given back in one transaction */
				ops[all.n++] = (struct test_op){ str_c(keys[i]), STR_NONE };
		}
		assert_int_equal(store_write(*state, test_ops_run, &all), 0);
		store_close(*state);
		*state = NULL;
		*state = test_open(test_dir);
	}
	free(value);
}

static void test_small_address_space(void **state)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	struct rlimit lim = { 16ull << 30, 16ull << 30 };
	char dir[300];
	int status;
	pid_t pid;

	store_close(*state); /* its map would count in the child */
	*state = NULL;
	pid = fork();
	if (pid == 0) {
		struct store *s;

		setrlimit(RLIMIT_AS, &lim);
		snprintf(dir, sizeof dir, "%s/small", test_dir);
		if (store_open(dir, NULL, &s) < 0)
			_exit(1);
		store_close(s);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
#else
	skip();
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_put_get_del, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_snapshot, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rollback, setup, teardown),
		cmocka_unit_test_setup_teardown(test_batch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_map_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_batch_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_readers_and_writer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_open_reads, setup, teardown),
		cmocka_unit_test_setup_teardown(test_busy, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_after_fork, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reopen, setup, teardown),
		cmocka_unit_test_setup_teardown(test_newer_format, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reopen_after_anything, setup, teardown),
		cmocka_unit_test_setup_teardown(test_small_address_space, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
