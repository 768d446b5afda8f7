/* SPDX-License-Identifier: Apache-2.0 */
/* store_bench.c - the store beside the least that could do the same: bare LMDB for reads and batches, and one write +
 * fdatasync for each batch. 53-byte keys, 500-byte values, 3 puts a job; candidates alternate, medians of ROUNDS.
 *
 * usage: store_bench [directory] */
#include "base/arena.h"
#include "base/util.h"
#include "store/store.h"
#include <fcntl.h>
#include <ftw.h>
#include <lmdb.h>
#include <stdatomic.h>
#include <unistd.h>

#define RECORDS 100000
#define ROUNDS 5
#define GETS 200000
#define PUTS 3
#define JOBS_MAX 256
#define CHECK(x) ((x) ? (void)0 : (fprintf(stderr, "store_bench: line %d: %s\n", __LINE__, #x), exit(1)))

static struct store *s;
static MDB_env *env;
static MDB_dbi dbi;
static int log_fd;
static uint64_t seed = 1;
static char value[500];

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct str key_of(char b[64], unsigned i)
{
	return str_of(b, (size_t)snprintf(b, 64, "key%050u", i));
}

static unsigned rnd(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % RECORDS;
}

static int load(struct store_txn *t, void *arg)
{
	char b[64];

	for (unsigned i = 0; i < RECORDS; i++)
		CHECK(store_put(t, key_of(b, i), str_of(value, sizeof value)) == 0);
	return 0;
}

/* --- the measured things: each returns operations a second --- */

static double get_ours(unsigned gets)
{
	struct store_txn *t;
	struct str v;
	double from = now_s();
	char b[64];

	for (int i = 0; i < GETS; i++) {
		CHECK(store_begin_read(s, &t) == 0);
		for (unsigned k = 0; k < gets; k++)
			CHECK(store_get(t, key_of(b, rnd()), &v) == 0);
		store_end(t);
	}
	return GETS / (now_s() - from);
}

static double get_lmdb(unsigned gets)
{
	MDB_txn *t;
	MDB_val k, v;
	double from;
	char b[64];

	CHECK(mdb_txn_begin(env, NULL, MDB_RDONLY, &t) == 0);
	mdb_txn_reset(t);
	from = now_s();
	for (int i = 0; i < GETS; i++) {
		CHECK(mdb_txn_renew(t) == 0);
		for (unsigned j = 0; j < gets; j++) {
			k = (MDB_val){ key_of(b, rnd()).n, b };
			CHECK(mdb_get(t, dbi, &k, &v) == 0);
		}
		mdb_txn_reset(t);
	}
	from = GETS / (now_s() - from);
	mdb_txn_abort(t);
	return from;
}

static double scan_ours(unsigned n)
{
	struct store_range r;
	struct store_txn *t;
	struct str k, v;
	double from = now_s();
	char b[64];

	for (int i = 0; i < GETS / 10; i++) {
		CHECK(store_begin_read(s, &t) == 0);
		CHECK(store_range_open(&r, t, S("key"), key_of(b, rnd() / 2), false) == 0);
		for (unsigned j = 0; j < n; j++)
			CHECK(store_range_next(&r, &k, &v) == 1);
		store_range_close(&r);
		store_end(t);
	}
	return GETS / 10 / (now_s() - from);
}

static double scan_lmdb(unsigned n)
{
	MDB_cursor *c;
	MDB_txn *t;
	MDB_val k, v;
	double from;
	char b[64];

	CHECK(mdb_txn_begin(env, NULL, MDB_RDONLY, &t) == 0 && mdb_cursor_open(t, dbi, &c) == 0);
	mdb_txn_reset(t);
	from = now_s();
	for (int i = 0; i < GETS / 10; i++) {
		CHECK(mdb_txn_renew(t) == 0 && mdb_cursor_renew(t, c) == 0);
		k = (MDB_val){ key_of(b, rnd() / 2).n, b };
		CHECK(mdb_cursor_get(c, &k, &v, MDB_SET_RANGE) == 0);
		for (unsigned j = 0; j < n; j++)
			CHECK(mdb_cursor_get(c, &k, &v, MDB_NEXT) == 0);
		mdb_txn_reset(t);
	}
	from = GETS / 10 / (now_s() - from);
	mdb_cursor_close(c);
	mdb_txn_abort(t);
	return from;
}

static atomic_int left, in_flight;

static int job_run(struct store_job *j, struct store_txn *t)
{
	char b[64];

	for (int i = 0; i < PUTS; i++)
		CHECK(store_put(t, key_of(b, rnd()), str_of(value, sizeof value)) == 0);
	return 0;
}

static void job_done(struct store_job *j, int result)
{
	CHECK(result == 0);
	if (atomic_fetch_sub(&left, 1) > 0)
		store_submit(s, j);
	else
		atomic_fetch_sub(&in_flight, 1);
}

static int jobs_of(unsigned n)
{
	return n == 1 ? 1000 : n == 16 ? 4000 : 8000;
}

static double put_ours(unsigned n)
{
	static struct store_job jobs[JOBS_MAX];
	int total = jobs_of(n);
	double from = now_s();

	atomic_store(&left, total - (int)n);
	atomic_store(&in_flight, (int)n);
	for (unsigned i = 0; i < n; i++) {
		jobs[i] = (struct store_job){ .run = job_run, .done = job_done };
		store_submit(s, &jobs[i]);
	}
	while (atomic_load(&in_flight) > 0)
		usleep(200);
	return total / (now_s() - from);
}

static double put_lmdb(unsigned n)
{
	int total = jobs_of(n);
	MDB_txn *t;
	MDB_val k, v;
	double from = now_s();
	char b[64];

	for (int done = 0; done < total; done += (int)n) {
		CHECK(mdb_txn_begin(env, NULL, 0, &t) == 0);
		for (unsigned j = 0; j < n * PUTS; j++) {
			k = (MDB_val){ key_of(b, rnd()).n, b };
			v = (MDB_val){ sizeof value, value };
			CHECK(mdb_put(t, dbi, &k, &v, 0) == 0);
		}
		CHECK(mdb_txn_commit(t) == 0);
	}
	return total / (now_s() - from);
}

static double put_log(unsigned n)
{
	int total = jobs_of(n);
	size_t bytes = (size_t)n * PUTS * (sizeof value + 53);
	char *p = xzalloc(bytes);
	double from = now_s();

	for (int done = 0; done < total; done += (int)n)
		CHECK(write(log_fd, p, bytes) == (ssize_t)bytes && fdatasync(log_fd) == 0);
	free(p);
	return total / (now_s() - from);
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(const char *what, unsigned n, double (*const fn[3])(unsigned))
{
	double v[3][ROUNDS];

	for (int round = 0; round < ROUNDS; round++)
		for (int i = 0; i < 3; i++)
			v[i][round] = fn[i] ? fn[i](n) : 0;
	for (int i = 0; i < 3; i++)
		qsort(v[i], ROUNDS, sizeof v[i][0], by_size);
	printf("%-30s %10.0f %10.0f", what, v[0][ROUNDS / 2], v[1][ROUNDS / 2]);
	if (fn[2])
		printf(" %10.0f\n", v[2][ROUNDS / 2]);
	else
		printf("          -\n");
	fflush(stdout);
}

static void lmdb_open(const char *dir)
{
	MDB_txn *t;
	char b[64];

	CHECK(mdb_env_create(&env) == 0 && mdb_env_set_mapsize(env, 1ull << 36) == 0 && mdb_env_open(env, dir, MDB_NOTLS, 0600) == 0);
	CHECK(mdb_txn_begin(env, NULL, 0, &t) == 0 && mdb_dbi_open(t, NULL, 0, &dbi) == 0);
	for (unsigned i = 0; i < RECORDS; i++) {
		MDB_val k = { key_of(b, i).n, b }, v = { sizeof value, value };

		CHECK(mdb_put(t, dbi, &k, &v, 0) == 0);
	}
	CHECK(mdb_txn_commit(t) == 0);
}

static int rm_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
	return remove(path);
}

int main(int argc, char **argv)
{
	char dir[256], path[300];
	double (*const gets[3])(unsigned) = { get_ours, get_lmdb, NULL };
	double (*const scans[3])(unsigned) = { scan_ours, scan_lmdb, NULL };
	double (*const jobs[3])(unsigned) = { put_ours, put_lmdb, put_log };

	snprintf(dir, sizeof dir, "%s/ck-bench-XXXXXX", argc > 1 ? argv[1] : "/tmp");
	CHECK(mkdtemp(dir));
	memset(value, 'v', sizeof value);
	snprintf(path, sizeof path, "%s/store", dir);
	CHECK(store_open(path, NULL, &s) == 0 && store_write(s, load, NULL) == 0);
	snprintf(path, sizeof path, "%s/log", dir);
	log_fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	CHECK(log_fd >= 0);
	lmdb_open(dir);

	printf("%-30s %10s %10s %10s\n", "per second, median", "store", "bare LMDB", "write+sync");
	measure("begin + end", 0, gets);
	measure("begin + get + end", 1, gets);
	measure("begin + 100 keys + end", 100, scans);
	measure("jobs of 3 puts, 1 in flight", 1, jobs);
	measure("jobs of 3 puts, 16 in flight", 16, jobs);
	measure("jobs of 3 puts, 256 in flight", 256, jobs);
	store_close(s);
	mdb_env_close(env);
	close(log_fd);
	nftw(dir, rm_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}
