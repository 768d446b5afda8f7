/* SPDX-License-Identifier: Apache-2.0 */
/* store.c - the environment: opening, read transactions, the writer thread and its batches.
 *
 * Invariants: one process per directory (flock on DIR/lock), one writer thread per store, and only that thread writes.
 * The map is opened once and never resized while open. Read transactions are renewed from a pool, since setting one up
 * anew costs a lock and a reader slot. A batch is one LMDB transaction; every job of it runs in a nested one, so that
 * its failure takes back its own changes only. Jobs hear of success after the batch is on disk, never before. */
#include "store/engine.h"
#include "base/util.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define FORMAT_VERSION 1
#define FORMAT_KEY "fversion"
#define READERS_MAX 2000
#define LOCK_FILE_BYTES (160 << 10) /* LMDB's header and 64 bytes for each reader */
#define MAP_BYTES_MIN (1ull << 30)
#define BATCH_JOBS_MAX 512
#define QUICK_SLOTS 16
#define BATCH_BYTES_MAX (32u << 20)
#define REOPEN_WAIT_S 5
#define FULL_BYTES (256u << 10) /* less room than this, and a write that failed did so for want of it */
#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define MAP_BYTES (1ull << 36)
#else
#define MAP_BYTES (1ull << 40)
#endif

struct store {
	MDB_env *env; /* NULL: could not be opened again after a fatal error */
	MDB_dbi dbi;
	char *dir;
	struct store_opts opts;
	int lock_fd;
	unsigned fork_count;
	pthread_t writer;
	struct store_txn wtxn;

	pthread_mutex_t pool_lock;
	pthread_cond_t pool_changed;
	struct store_txn *pool; /* ended read transactions, to be renewed */
	/* One more each for the threads that share a slot, taken without the lock. Who begins counts himself before he looks at
	 * reopening, and env_reopen says so before it looks at the count: one of them sees the other. */
	_Atomic(struct store_txn *) quick[QUICK_SLOTS];
	atomic_uint n_open; /* read transactions not ended yet */
	atomic_bool reopening;

	pthread_mutex_t queue_lock;
	pthread_cond_t queue_filled;
	struct store_job *first, **last;
	bool stop;
};

static atomic_uint fork_count; /* LMDB's environments don't survive fork: children see another count */
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void fork_child(void)
{
	atomic_fetch_add_explicit(&fork_count, 1, memory_order_relaxed);
}

static void fork_watch(void)
{
	pthread_atfork(NULL, NULL, fork_child);
}

static bool forked(const struct store *s)
{
	return atomic_load_explicit(&fork_count, memory_order_relaxed) != s->fork_count;
}

int engine_error(int rc)
{
	switch (rc) {
	case MDB_NOTFOUND:
		return -ENOENT;
	case MDB_MAP_FULL:
	case EDQUOT:
		return -ENOSPC;
	case MDB_TXN_FULL:
		return -EFBIG;
	case MDB_READERS_FULL:
		return -EAGAIN;
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_INVALID:
		return -EBADMSG;
	case MDB_VERSION_MISMATCH:
		return -EPROTONOSUPPORT;
	}
	return rc < 0 ? -EIO : -rc;
}

/* --- opening --- */

static int fsync_path(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;

	if (fd < 0)
		return -errno;
	if (fsync(fd) < 0 && errno != EINVAL)
		r = -errno;
	close(fd);
	return r;
}

/* dir_lock makes the directory and takes it for this process. */
static int dir_lock(struct store *s)
{
	_cleanup_(buf_done) struct buf path;
	bool made;
	int fd, r = 0;

	made = mkdir(s->dir, 0700) == 0;
	if (!made && errno != EEXIST)
		return -errno;
	buf_init(&path, 1 << 16);
	buf_printf(&path, "%s/lock%c", s->dir, 0);
	if (!buf_ok(&path))
		return -ENAMETOOLONG;
	s->lock_fd = open(path.p, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock_fd < 0)
		return -errno;
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;

	/* LMDB maps its reader table sparse; on a full disk the first touch of a new page of it would be a SIGBUS. */
	buf_clear(&path);
	buf_printf(&path, "%s/lock.mdb%c", s->dir, 0);
	fd = open(path.p, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	r = -posix_fallocate(fd, 0, LOCK_FILE_BYTES);
	close(fd);
	if (r == 0 && made) {
		buf_clear(&path);
		buf_printf(&path, "%s/..%c", s->dir, 0);
		r = fsync_path(path.p);
	}
	return r;
}

/* format_check reads the version of the layout, or writes it into a new store. */
static int format_check(struct store *s)
{
	uint8_t version[4] = { 0, 0, 0, FORMAT_VERSION };
	MDB_val k = { sizeof FORMAT_KEY - 1, (void *)(uintptr_t)FORMAT_KEY }, v;
	MDB_txn *txn;
	MDB_stat st;
	int r;

	r = mdb_txn_begin(s->env, NULL, 0, &txn);
	if (r)
		return engine_error(r);
	r = mdb_dbi_open(txn, NULL, 0, &s->dbi);
	if (r == 0)
		r = mdb_get(txn, s->dbi, &k, &v);
	if (r == 0) {
		const uint8_t *b = v.mv_data;
		uint32_t found = v.mv_size == 4 ? (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3] : 0;

		mdb_txn_abort(txn);
		if (found == 0)
			return -EBADMSG;
		return found > FORMAT_VERSION ? -EPROTONOSUPPORT : 0;
	}
	if (r == MDB_NOTFOUND && (r = mdb_stat(txn, s->dbi, &st)) == 0) {
		if (st.ms_entries > 0) {
			mdb_txn_abort(txn);
			return -EBADMSG;
		}
		v = (MDB_val){ sizeof version, version };
		r = mdb_put(txn, s->dbi, &k, &v, 0);
	}
	if (r) {
		mdb_txn_abort(txn);
		return engine_error(r);
	}
	return engine_error(mdb_txn_commit(txn));
}

/* free_pages_from counts the pages from first on that LMDB's own list calls free: its tree 0, a count and so many page
 * numbers in each value (as mdb_stat reads it). */
static int free_pages_from(struct store *s, uint64_t first, uint64_t *ret)
{
	MDB_cursor *c = NULL;
	MDB_val k, v;
	MDB_txn *txn;
	int r;

	*ret = 0;
	r = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn);
	if (r)
		return engine_error(r);
	r = mdb_cursor_open(txn, 0, &c);
	while (r == 0 && (r = mdb_cursor_get(c, &k, &v, MDB_NEXT)) == 0) {
		const size_t *page = v.mv_data;
		size_t n = v.mv_size / sizeof *page;

		if (n == 0 || page[0] > n - 1) {
			r = MDB_CORRUPTED;
			break;
		}
		for (size_t i = 1; i <= page[0]; i++)
			*ret += page[i] >= first;
	}
	if (c)
		mdb_cursor_close(c);
	mdb_txn_abort(txn);
	return r == MDB_NOTFOUND ? 0 : engine_error(r);
}

/* size_check refuses a data file that was cut off: reading behind its end would be a SIGBUS. A file may well end before
 * its last page, since pages that one transaction took and gave back are counted but never written; then all that is
 * missing is free. */
static int size_check(struct store *s)
{
	uint64_t have, want, n_free;
	MDB_envinfo info;
	struct stat st;
	MDB_stat ms;
	int fd, r;

	if ((r = mdb_env_info(s->env, &info)) || (r = mdb_env_stat(s->env, &ms)) || (r = mdb_env_get_fd(s->env, &fd)))
		return engine_error(r);
	if (fstat(fd, &st) < 0)
		return -errno;
	have = (uint64_t)st.st_size / ms.ms_psize;
	want = (uint64_t)info.me_last_pgno + 1;
	if (have >= want)
		return 0;
	if (ftruncate(fd, (off_t)(want * ms.ms_psize)) < 0) /* the list itself may be behind the end */
		return -errno;
	r = free_pages_from(s, have, &n_free);
	if (r == 0 && n_free == want - have)
		return 0;
	if (ftruncate(fd, st.st_size) < 0) /* as it was found, for whoever wants to save it */
		return -errno;
	return r < 0 ? r : -EBADMSG;
}

/* env_open opens LMDB's environment in s->dir with as large a map as can be had. */
static int env_open(struct store *s)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t map = s->opts.map_bytes_max ? (s->opts.map_bytes_max + page - 1) / page * page : MAP_BYTES;
	int r, dead;

	for (;; map /= 2) {
		r = mdb_env_create(&s->env);
		if (r)
			return engine_error(r);
		if ((r = mdb_env_set_maxreaders(s->env, READERS_MAX)) == 0 && (r = mdb_env_set_mapsize(s->env, map)) == 0)
			r = mdb_env_open(s->env, s->dir, MDB_NOTLS | (s->opts.no_sync ? MDB_NOSYNC : 0), 0600);
		if (r == 0)
			break;
		mdb_env_close(s->env);
		s->env = NULL;
		if ((r != ENOMEM && r != EINVAL) || map / 2 < MAP_BYTES_MIN) /* EINVAL: what valgrind says */
			return engine_error(r);
	}
	mdb_reader_check(s->env, &dead);
	r = size_check(s);
	if (r == 0)
		r = format_check(s);
	if (r < 0) {
		mdb_env_close(s->env);
		s->env = NULL;
	}
	return r;
}

static void *writer_main(void *arg);

static int writer_start(struct store *s)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old); /* signals are for the thread that asked for them */
	r = pthread_create(&s->writer, NULL, writer_main, s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -r;
}

static void store_free(struct store *s)
{
	if (s->env)
		mdb_env_close(s->env);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	pthread_mutex_destroy(&s->pool_lock);
	pthread_mutex_destroy(&s->queue_lock);
	pthread_cond_destroy(&s->pool_changed);
	pthread_cond_destroy(&s->queue_filled);
	free(s->dir);
	free(s);
}

int store_open(const char *dir, const struct store_opts *opts, struct store **ret)
{
	pthread_condattr_t monotonic;
	struct store *s;
	int r;

	pthread_once(&fork_once, fork_watch);
	s = xzalloc(sizeof *s);
	s->dir = xstrdup(dir);
	s->lock_fd = -1;
	s->last = &s->first;
	s->fork_count = atomic_load(&fork_count);
	if (opts)
		s->opts = *opts;
	pthread_mutex_init(&s->pool_lock, NULL);
	pthread_mutex_init(&s->queue_lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&s->pool_changed, &monotonic);
	pthread_cond_init(&s->queue_filled, &monotonic);
	pthread_condattr_destroy(&monotonic);

	r = dir_lock(s);
	if (r == 0)
		r = env_open(s);
	if (r == 0)
		r = fsync_path(s->dir);
	if (r == 0)
		r = writer_start(s);
	if (r < 0) {
		store_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

/* pool_empty frees the pooled transactions; nobody else uses the pool meanwhile. */
static void pool_empty(struct store *s)
{
	struct store_txn *t;

	for (int i = 0; i < QUICK_SLOTS; i++)
		if ((t = atomic_exchange(&s->quick[i], NULL))) {
			t->next = s->pool;
			s->pool = t;
		}
	while ((t = s->pool)) {
		s->pool = t->next;
		kv_txn_end(t, true);
		mdb_txn_abort(t->txn);
		free(t);
	}
}

void store_close(struct store *s)
{
	if (!s || forked(s)) /* the parent's: its threads and locks don't exist here */
		return;
	assert(!pthread_equal(pthread_self(), s->writer));
	pthread_mutex_lock(&s->queue_lock);
	s->stop = true;
	pthread_cond_signal(&s->queue_filled);
	pthread_mutex_unlock(&s->queue_lock);
	pthread_join(s->writer, NULL);
	assert(s->n_open == 0);
	pool_empty(s);
	kv_txn_end(&s->wtxn, true);
	if (s->env && s->opts.no_sync)
		mdb_env_sync(s->env, 1);
	store_free(s);
}

/* --- reading --- */

/* read_renew makes a pooled transaction, or a new one when t is NULL, see the last commit. */
static int read_renew(struct store *s, struct store_txn *t, struct store_txn **ret)
{
	int r, dead;

	if (t) {
		*ret = t;
		return mdb_txn_renew(t->txn);
	}
	t = xzalloc(sizeof *t);
	t->store = s;
	t->dbi = s->dbi;
	r = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &t->txn);
	if (r == MDB_READERS_FULL && mdb_reader_check(s->env, &dead) == 0 && dead)
		r = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &t->txn);
	if (r) {
		free(t);
		t = NULL;
	}
	*ret = t;
	return r;
}

static unsigned my_slot(void)
{
	static atomic_uint threads;
	static __thread unsigned mine; /* from 1 */

	if (!mine)
		mine = atomic_fetch_add(&threads, 1) % QUICK_SLOTS + 1;
	return mine - 1;
}

/* pool_take counts a reader in; *ret is a transaction to be renewed, or NULL. */
static int pool_take(struct store *s, struct store_txn **ret)
{
	atomic_fetch_add(&s->n_open, 1);
	if (!atomic_load(&s->reopening) && s->env && (*ret = atomic_exchange(&s->quick[my_slot()], NULL)))
		return 0;
	pthread_mutex_lock(&s->pool_lock);
	atomic_fetch_sub(&s->n_open, 1);
	if (s->reopening)
		pthread_cond_broadcast(&s->pool_changed);
	while (s->reopening)
		pthread_cond_wait(&s->pool_changed, &s->pool_lock);
	if (!s->env) {
		pthread_mutex_unlock(&s->pool_lock);
		return -EIO;
	}
	*ret = s->pool;
	if (*ret)
		s->pool = (*ret)->next;
	atomic_fetch_add(&s->n_open, 1);
	pthread_mutex_unlock(&s->pool_lock);
	return 0;
}

/* pool_give counts a reader out; t may be NULL. */
static void pool_give(struct store *s, struct store_txn *t)
{
	struct store_txn *none = NULL;

	if (t && !atomic_compare_exchange_strong(&s->quick[my_slot()], &none, t)) {
		pthread_mutex_lock(&s->pool_lock);
		t->next = s->pool;
		s->pool = t;
		pthread_mutex_unlock(&s->pool_lock);
	}
	atomic_fetch_sub(&s->n_open, 1);
	if (atomic_load(&s->reopening)) {
		pthread_mutex_lock(&s->pool_lock);
		pthread_cond_broadcast(&s->pool_changed);
		pthread_mutex_unlock(&s->pool_lock);
	}
}

int store_begin_read(struct store *s, struct store_txn **ret)
{
	struct store_txn *t;
	int r;

	if (forked(s))
		return -ESTALE;
	r = pool_take(s, &t);
	if (r < 0)
		return r;
	r = read_renew(s, t, &t);
	if (r) {
		pool_give(s, t);
		return engine_error(r);
	}
	t->renewed++;
	*ret = t;
	return 0;
}

void store_end(struct store_txn *t)
{
	struct store *s;

	if (!t)
		return;
	assert(!t->writable);
	s = t->store;
	if (forked(s))
		return;
	kv_txn_end(t, false);
	mdb_txn_reset(t->txn);
	assert(s->n_open > 0);
	pool_give(s, t);
}

bool store_txn_writable(const struct store_txn *t)
{
	return t->writable;
}

/* --- writing --- */

/* env_reopen closes and opens the environment: after a failed write of its meta page LMDB refuses everything. Readers
 * are let finish first; new ones wait. */
static int env_reopen(struct store *s)
{
	struct timespec until;
	int r = -EIO;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += REOPEN_WAIT_S;
	pthread_mutex_lock(&s->pool_lock);
	s->reopening = true;
	while (s->n_open > 0)
		if (pthread_cond_timedwait(&s->pool_changed, &s->pool_lock, &until) == ETIMEDOUT)
			break;
	if (s->n_open == 0) {
		pool_empty(s);
		if (s->env)
			mdb_env_close(s->env);
		s->env = NULL;
		r = env_open(s);
	}
	s->reopening = false;
	pthread_cond_broadcast(&s->pool_changed);
	pthread_mutex_unlock(&s->pool_lock);
	log_line(LOG_ERROR, "store %s: opened again after a fatal write error: %s", s->dir, r < 0 ? "failed" : "good");
	return r;
}

/* write_begin begins a transaction, in parent if that isn't NULL. Negative errno. */
static int write_begin(struct store *s, MDB_txn *parent, MDB_txn **ret)
{
	int r;

	if (!s->env && (r = env_reopen(s)) < 0)
		return r;
	r = mdb_txn_begin(s->env, parent, 0, ret);
	if (r == MDB_PANIC && !parent && env_reopen(s) == 0)
		r = mdb_txn_begin(s->env, NULL, 0, ret);
	return engine_error(r);
}

/* LMDB calls a write that the disk took only in part EIO. Where no room is left, that is the reason. */
static int write_error(const struct store *s, int rc)
{
	struct statvfs v;
	int r = engine_error(rc);

	if (r == -EIO && statvfs(s->dir, &v) == 0 && (uint64_t)v.f_bavail * v.f_frsize < FULL_BYTES)
		return -ENOSPC;
	return r;
}

/* write_commit makes an outermost transaction durable. */
static int write_commit(struct store *s, MDB_txn *txn)
{
	MDB_txn *probe;
	int r = mdb_txn_commit(txn), p;

	if (r == 0)
		return 0;
	/* Readers are refused as well after a fatal error, so it is repaired now and not with the next write. */
	p = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &probe);
	if (p == 0)
		mdb_txn_abort(probe);
	else if (p == MDB_PANIC)
		env_reopen(s);
	return write_error(s, r);
}

/* job_run runs one job in txn. Its result, or the engine's error that the job overlooked. */
static int job_run(struct store *s, struct store_job *j, MDB_txn *txn)
{
	struct store_txn *t = &s->wtxn;
	int r;

	t->store = s;
	t->txn = txn;
	t->dbi = s->dbi;
	t->writable = true;
	t->error = 0;
	t->mods = 0;
	t->written_bytes = 0;
	r = j->run(j, t);
	kv_txn_end(t, false);
	t->txn = NULL;
	return r >= 0 && t->error ? t->error : r;
}

/* solo_run runs one job as a batch of its own. */
static void solo_run(struct store *s, struct store_job *j)
{
	MDB_txn *txn;
	int r;

	j->result = write_begin(s, NULL, &txn);
	if (j->result < 0)
		return;
	j->result = job_run(s, j, txn);
	if (j->result < 0) {
		mdb_txn_abort(txn);
		return;
	}
	r = write_commit(s, txn);
	if (r < 0)
		j->result = r;
}

/* batch_try runs the jobs from first on, each nested in one transaction, and commits. *ret_end is the first job that
 * isn't part of the batch. -ECANCELED: the transaction became unusable; nothing is written and no job has a result. */
static int batch_try(struct store *s, struct store_job *first, struct store_job **ret_end)
{
	size_t bytes = 0, n = 0;
	struct store_job *j;
	MDB_txn *txn, *sub;
	int r;

	r = write_begin(s, NULL, &txn);
	for (j = first; r == 0 && j && n < BATCH_JOBS_MAX && bytes < BATCH_BYTES_MAX; j = j->next, n++) {
		if (write_begin(s, txn, &sub) < 0) {
			mdb_txn_abort(txn);
			*ret_end = j->next;
			return -ECANCELED;
		}
		j->result = job_run(s, j, sub);
		if (j->result >= 0) {
			int rc = mdb_txn_commit(sub);

			if (rc)
				j->result = engine_error(rc);
			bytes += s->wtxn.written_bytes;
		} else {
			mdb_txn_abort(sub);
		}
	}
	if (r < 0) { /* the whole queue would fail alike, but each batch tries anew */
		for (j = first; j && n < BATCH_JOBS_MAX; j = j->next, n++)
			j->result = r;
		*ret_end = j;
		return 0;
	}
	*ret_end = j;
	r = write_commit(s, txn);
	for (j = first; r < 0 && j != *ret_end; j = j->next)
		if (j->result >= 0)
			j->result = r;
	return 0;
}

/* batch_run runs as many jobs as make one batch, tells each its result, and returns the rest. */
static struct store_job *batch_run(struct store *s, struct store_job *first)
{
	struct store_job *j, *next, *end = NULL;

	if (!first->next) {
		solo_run(s, first);
	} else if (batch_try(s, first, &end) == -ECANCELED) {
		for (j = first; j != end; j = j->next)
			solo_run(s, j);
	}
	for (j = first; j != end; j = next) {
		next = j->next;
		j->done(j, j->result);
	}
	return end;
}

static void *writer_main(void *arg)
{
	struct store *s = arg;
	struct store_job *jobs;

	for (;;) {
		pthread_mutex_lock(&s->queue_lock);
		while (!s->first && !s->stop)
			pthread_cond_wait(&s->queue_filled, &s->queue_lock);
		jobs = s->first;
		s->first = NULL;
		s->last = &s->first;
		pthread_mutex_unlock(&s->queue_lock);
		if (!jobs)
			return NULL;
		while (jobs)
			jobs = batch_run(s, jobs);
	}
}

void store_submit(struct store *s, struct store_job *j)
{
	assert(j->run && j->done);
	assert(!forked(s));
	j->next = NULL;
	j->result = 0;
	pthread_mutex_lock(&s->queue_lock);
	*s->last = j;
	s->last = &j->next;
	pthread_cond_signal(&s->queue_filled);
	pthread_mutex_unlock(&s->queue_lock);
}

struct waiting_job {
	struct store_job job;
	int (*fn)(struct store_txn *t, void *arg);
	void *arg;
	pthread_mutex_t lock;
	pthread_cond_t ready;
	bool finished;
	int result;
};

static int waiting_run(struct store_job *j, struct store_txn *t)
{
	struct waiting_job *w = (struct waiting_job *)j; /* job is its first member */

	return w->fn(t, w->arg);
}

static void waiting_done(struct store_job *j, int result)
{
	struct waiting_job *w = (struct waiting_job *)j;

	pthread_mutex_lock(&w->lock);
	w->result = result;
	w->finished = true;
	pthread_cond_signal(&w->ready);
	pthread_mutex_unlock(&w->lock);
}

int store_write(struct store *s, int (*fn)(struct store_txn *t, void *arg), void *arg)
{
	struct waiting_job w = {
		.job = { .run = waiting_run, .done = waiting_done },
		.fn = fn,
		.arg = arg,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.ready = PTHREAD_COND_INITIALIZER,
	};

	assert(!pthread_equal(pthread_self(), s->writer));
	store_submit(s, &w.job);
	pthread_mutex_lock(&w.lock);
	while (!w.finished)
		pthread_cond_wait(&w.ready, &w.lock);
	pthread_mutex_unlock(&w.lock);
	pthread_mutex_destroy(&w.lock);
	pthread_cond_destroy(&w.ready);
	return w.result;
}
