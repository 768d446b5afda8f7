/* SPDX-License-Identifier: Apache-2.0 */
/* store_crash.c - kill -9 in the middle of writing, again and again.
 *
 * A child writes numbered transactions and tells each acknowledged number through a pipe; the parent kills it at a
 * random moment and looks: every acknowledged transaction is there, every one that is there is whole, and there are no
 * holes, since jobs run in order. Each also leaves a body file that the commit refers to; after the sweep exactly the
 * referred ones exist. usage: store_crash [seconds, 8 by default] [seed] */
#include "base/arena.h"
#include "base/util.h"
#include "store/files.h"
#include "store/store.h"
#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#define IN_FLIGHT 16
#define PARTS 6
#define FILE_EVERY 16
#define ACKED_MIN 100 /* fewer would prove little: on a busy disk it runs longer, up to SLOW_FACTOR times */
#define SLOW_FACTOR 4
#define WINDOW_US_MAX 1000000

static char dir[64] = "/tmp/ck-crash-XXXXXX";

#define CHECK(cond, ...)                                                                                                                   \
	do {                                                                                                                               \
		if (!(cond)) {                                                                                                             \
			fprintf(stderr, "store_crash: " __VA_ARGS__);                                                                      \
			fprintf(stderr, " (%s, line %d; data in %s)\n", #cond, __LINE__, dir);                                             \
			exit(1);                                                                                                           \
		}                                                                                                                          \
	} while (0)

/* The keys of transaction n: short ones, and long ones that need links and nodes of their own. */
static struct str part_key(struct keybuf *k, uint64_t n, int part)
{
	static char filler[1200];

	memset(filler, 'f', sizeof filler);
	key_begin(k, S("123456789012"), part % 2 ? "long" : "short");
	if (part % 2)
		key_str(k, str_of(filler, sizeof filler));
	key_u64(k, n);
	key_u64(k, (uint64_t)part);
	return key_view(k);
}

static struct str part_value(char b[400], uint64_t n, int part)
{
	memset(b, 'v', 400);
	snprintf(b, 400, "%" PRIu64 ".%d", n, part);
	return str_of(b, 100 + (n * 7 + (uint64_t)part * 31) % 300);
}

/* --- the child --- */

struct writer_job {
	struct store_job job;
	struct store *s;
	struct files *f;
	uint64_t n;
	int ack_fd;
};
static atomic_ullong next_n;

static int writer_run(struct store_job *j, struct store_txn *t)
{
	struct writer_job *w = (struct writer_job *)j;
	struct keybuf k;
	char b[400];
	int r = 0;

	w->n = atomic_load(&next_n);
	for (int i = 0; i < PARTS && r == 0; i++)
		r = store_put(t, part_key(&k, w->n, i), part_value(b, w->n, i));
	if (r == 0 && w->n % FILE_EVERY == 0) {
		struct file_writer *fw;
		char id[32];

		snprintf(id, sizeof id, "b%" PRIu64, w->n);
		r = file_begin(w->f, &fw);
		if (r == 0) {
			file_write(fw, b, sizeof b);
			r = file_finish(fw, str_c(id));
		}
	}
	if (r == 0)
		atomic_fetch_add(&next_n, 1);
	return r;
}

static void writer_done(struct store_job *j, int result)
{
	struct writer_job *w = (struct writer_job *)j;

	if (result < 0 || write(w->ack_fd, &w->n, sizeof w->n) != sizeof w->n)
		_exit(2);
	store_submit(w->s, &w->job);
}

static void child_main(uint64_t first, int ack_fd)
{
	static struct writer_job jobs[IN_FLIGHT];
	struct store *s;
	struct files *f;

	if (store_open(dir, NULL, &s) < 0 || files_open(dir, &f) < 0)
		_exit(3);
	atomic_store(&next_n, first);
	for (int i = 0; i < IN_FLIGHT; i++) {
		jobs[i] = (struct writer_job){ .job = { writer_run, writer_done }, .s = s, .f = f, .ack_fd = ack_fd };
		store_submit(s, &jobs[i].job);
	}
	for (;;)
		pause();
}

/* --- the parent --- */

static int file_referenced(void *arg, struct str id)
{
	uint64_t n;

	return str_to_u64(str_skip(id, 1), &n) == 0 && n < *(uint64_t *)arg;
}

/* verify checks transactions 0 to acked - 1 and returns how many there are. */
static uint64_t verify(uint64_t acked, uint64_t *ret_orphans)
{
	struct store_range range;
	struct str key, value, want;
	struct store_txn *t;
	struct store *s;
	struct files *f;
	struct keybuf k;
	uint64_t n[2] = { 0, 0 }, bytes;
	char b[400], id[32];
	int r, fd;

	r = store_open(dir, NULL, &s);
	CHECK(r == 0, "open: %s", strerror(-r));
	CHECK(store_begin_read(s, &t) == 0, "read");
	for (int table = 0; table < 2; table++) {
		uint64_t rows = 0;

		key_begin(&k, S("123456789012"), table ? "long" : "short");
		CHECK(store_range_open(&range, t, key_view(&k), STR_NONE, false) == 0, "range");
		while ((r = store_range_next(&range, &key, &value)) > 0) {
			uint64_t tx = rows / (PARTS / 2);
			int part = (int)(rows % (PARTS / 2)) * 2 + table;

			want = part_key(&k, tx, part);
			CHECK(str_eq(key, want), "a hole or a torn transaction at %" PRIu64 ".%d", tx, part);
			CHECK(str_eq(value, part_value(b, tx, part)), "wrong value at %" PRIu64 ".%d", tx, part);
			rows++;
		}
		CHECK(r == 0, "range: %s", strerror(-r));
		store_range_close(&range);
		CHECK(rows % (PARTS / 2) == 0, "a torn transaction at the end");
		n[table] = rows / (PARTS / 2);
	}
	CHECK(n[0] == n[1], "tables differ: %" PRIu64 " and %" PRIu64, n[0], n[1]);
	CHECK(n[0] >= acked, "lost: %" PRIu64 " acknowledged, %" PRIu64 " there", acked, n[0]);
	store_end(t);
	store_close(s);

	CHECK(files_open(dir, &f) == 0, "files");
	r = files_sweep(f, file_referenced, &n[0]);
	CHECK(r >= 0, "sweep: %s", strerror(-r));
	*ret_orphans += (uint64_t)r;
	for (uint64_t i = 0; i < n[0]; i += FILE_EVERY) {
		snprintf(id, sizeof id, "b%" PRIu64, i);
		CHECK(file_open_read(f, str_c(id), &fd, &bytes) == 0 && bytes == sizeof b, "body of %" PRIu64, i);
		close(fd);
	}
	files_close(f);
	return n[0];
}

static int rm_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

int main(int argc, char **argv)
{
	uint64_t seconds = 8, seed = (uint64_t)getpid(), acked = 0, there = 0, orphans = 0, n;
	int64_t until, give_up;
	unsigned window_us = 60000; /* the kill comes at a random moment of it */
	int rounds = 0, status;

	if (argc > 1)
		CHECK(str_to_u64(str_c(argv[1]), &seconds) == 0, "seconds");
	if (argc > 2)
		CHECK(str_to_u64(str_c(argv[2]), &seed) == 0, "seed");
	CHECK(mkdtemp(dir), "directory");
	until = clock_mono_ms() + (int64_t)seconds * 1000;
	give_up = until + (int64_t)seconds * 1000 * (SLOW_FACTOR - 1);
	while (clock_mono_ms() < (acked < ACKED_MIN ? give_up : until)) {
		uint64_t before = acked;
		int fds[2];
		pid_t pid;

		CHECK(pipe(fds) == 0, "pipe");
		pid = fork();
		CHECK(pid >= 0, "fork");
		if (pid == 0) {
			close(fds[0]);
			child_main(there, fds[1]);
		}
		close(fds[1]);
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		usleep((useconds_t)(3000 + (seed >> 33) % window_us));
		kill(pid, SIGKILL);
		CHECK(waitpid(pid, &status, 0) == pid, "wait");
		CHECK(WIFSIGNALED(status), "the writer ended by itself: %d", WEXITSTATUS(status));
		while (read(fds[0], &n, sizeof n) == sizeof n)
			if (n >= acked)
				acked = n + 1;
		close(fds[0]);
		there = verify(acked, &orphans);
		rounds++;
		if (acked == before && window_us < WINDOW_US_MAX)
			window_us *= 2;
	}
	CHECK(acked >= ACKED_MIN, "nothing much was written: %" PRIu64, acked);
	printf("store_crash: %d kills, %" PRIu64 " transactions acknowledged, %" PRIu64 " there and whole, %" PRIu64 " orphans swept\n",
	       rounds, acked, there, orphans);
	nftw(dir, rm_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}
