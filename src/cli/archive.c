/* SPDX-License-Identifier: Apache-2.0 */
/* archive.c - writes the stream that archive.h describes. The writers' own threads are held while the snapshots of a
 * running cloud are taken, so that all stores and the files they name belong to one instant. */
#include "cli/archive.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <sys/stat.h>
#include <unistd.h>

#define OUT_BYTES (256u << 10)
#define STORES_MAX 65
#define DEPTH_MAX 8

struct out {
	int fd;
	int error; /* the first */
	struct hash *hash;
	char *buf;
	size_t n;
};

static void flush_out(struct out *o)
{
	size_t at = 0;

	if (o->hash)
		hash_add(o->hash, o->buf, o->n);
	while (o->error == 0 && at < o->n) {
		ssize_t k = write(o->fd, o->buf + at, o->n - at);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			o->error = -errno;
		else
			at += (size_t)k;
	}
	o->n = 0;
}

static void put(struct out *o, const void *p, size_t n)
{
	while (n) {
		size_t k = OUT_BYTES - o->n < n ? OUT_BYTES - o->n : n;

		memcpy(o->buf + o->n, p, k);
		o->n += k;
		p = (const char *)p + k;
		n -= k;
		if (o->n == OUT_BYTES)
			flush_out(o);
	}
}

static void put_head(struct out *o, char type, size_t name_n, uint64_t n)
{
	uint8_t h[13] = { (uint8_t)type };

	for (int i = 0; i < 4; i++)
		h[1 + i] = (uint8_t)(name_n >> (24 - 8 * i));
	for (int i = 0; i < 8; i++)
		h[5 + i] = (uint8_t)(n >> (56 - 8 * i));
	put(o, h, sizeof h);
}

static void put_frame(struct out *o, char type, struct str name, struct str content)
{
	put_head(o, type, name.n, content.n);
	put(o, name.p, name.n);
	put(o, content.p, content.n);
}

/* Exactly n bytes of a file, which is only ever appended to or never changed. */
static int put_file(struct out *o, int fd, struct str name, uint64_t n)
{
	char buf[65536];

	put_head(o, 'F', name.n, n);
	put(o, name.p, name.n);
	while (n && o->error == 0) {
		ssize_t k = read(fd, buf, n < sizeof buf ? (size_t)n : sizeof buf);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return o->error = k < 0 ? -errno : -EIO;
		put(o, buf, (size_t)k);
		n -= (uint64_t)k;
	}
	return o->error;
}

/* --- files --- */
/* What belongs to this process or can be made again is left out: stores (they go by key), the log, sockets, locks, and
 * the folders that functions' archives were unpacked into, whose names are their owners'. */
static bool skip_entry(const char *path, const char *name)
{
	size_t n = strlen(name);

	if (strcmp(name, "store") == 0 || strcmp(name, "tmp") == 0 || (n > 4 && strcmp(name + n - 4, ".new") == 0))
		return true;
	if (!*path)
		return !archive_top(str_c(name));
	return strcmp(name, "code") == 0 && str_ends(str_c(path), S("/lambda"));
}

struct walk {
	const char *dir;
	int (*file)(void *arg, const char *path, const struct stat *st); /* path in the data directory */
	void *arg;
};

static int walk_files(const struct walk *w, const char *path, int depth)
{
	struct arena a = { 0 };
	DIR *d = depth < DEPTH_MAX ? opendir(str_printf(&a, "%s/%s", w->dir, path).p) : NULL;
	struct dirent *e;
	struct stat st;
	int r = 0;

	if (!d) /* a folder may go while it is walked; one that cannot be read must not be missing silently */
		r = depth >= DEPTH_MAX ? -ELOOP : errno == ENOENT ? 0 : -errno;
	while (d && r == 0 && (e = readdir(d))) {
		const char *sub = str_printf(&a, "%s%s%s", path, *path ? "/" : "", e->d_name).p;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || skip_entry(path, e->d_name))
			continue;
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			r = errno == ENOENT ? 0 : -errno;
		else if (S_ISDIR(st.st_mode))
			r = walk_files(w, sub, depth + 1);
		else if (S_ISREG(st.st_mode))
			r = w->file(w->arg, sub, &st);
	}
	if (d)
		(void)closedir(d);
	arena_done(&a);
	return r;
}

/* --- stores --- */
static void put_store(struct out *o, struct store_txn *t, struct str path)
{
	struct store_range *range = xzalloc(sizeof *range);
	struct str key, value;
	int r = store_range_open(range, t, S(""), STR_NONE, false);

	put_frame(o, 'S', path, S(""));
	while (r == 0 && o->error == 0) {
		r = store_range_next(range, &key, &value);
		if (r <= 0)
			break;
		put_frame(o, 'K', key, value);
		r = 0;
	}
	if (r < 0 && o->error == 0)
		o->error = r;
	store_range_close(range);
	free(range);
}

static void begin(struct out *o, int fd, struct str account)
{
	struct arena a = { 0 };
	struct json *j = json_new(&a, JSON_OBJECT);

	*o = (struct out){ .fd = fd, .buf = xmalloc(OUT_BYTES), .hash = hash_new(HASH_SHA256) };
	put(o, ARCHIVE_MAGIC, strlen(ARCHIVE_MAGIC));
	json_set_str(&a, j, "account", account);
	json_set_str(&a, j, "time", time_iso(&a, clock_now_ms()));
	put_frame(o, 'H', S(""), json_text(&a, j));
	arena_done(&a);
}

static int end(struct out *o)
{
	uint8_t digest[32];

	flush_out(o);
	(void)hash_end(o->hash, digest);
	o->hash = hash_free(o->hash);
	put_frame(o, 'E', S(""), str_of((char *)digest, sizeof digest));
	flush_out(o);
	free(o->buf);
	return o->error;
}

/* --- a running cloud --- */
struct hold { /* a writer that waits inside a transaction of its own, in which it changes nothing */
	struct store_job job;
	bool held;
	sem_t reached, go, done;
};

static int hold_run(struct store_job *j, struct store_txn *t)
{
	struct hold *h = (struct hold *)j;

	if (h->held) /* run again, after an engine error */
		return 0;
	h->held = true;
	(void)sem_post(&h->reached);
	while (sem_wait(&h->go) < 0 && errno == EINTR)
		continue;
	return 0;
}

static void hold_done(struct store_job *j, int result)
{
	struct hold *h = (struct hold *)j;

	(void)sem_post(&h->done);
}

struct snapshot {
	struct region *region[STORES_MAX];
	struct call pin[STORES_MAX]; /* keeps the region from stopping */
	struct store_txn *txn[STORES_MAX];
	struct hold hold[STORES_MAX];
	size_t n;
	const char *dir, *links; /* hard links keep the files of the instant */
};

static void wait_for(sem_t *s)
{
	while (sem_wait(s) < 0 && errno == EINTR)
		continue;
}

static int link_file(void *arg, const char *path, const struct stat *st)
{
	struct snapshot *s = arg;
	struct arena a = { 0 };
	struct str to = str_printf(&a, "%s/%s", s->links, path);
	int r = 0;

	if (!str_ends(str_c(path), S(".jsonl"))) { /* the trail is only appended to, and keeps its names */
		for (size_t i = strlen(s->links) + 1; i < to.n; i++)
			if (to.p[i] == '/')
				(void)mkdir(str_z(&a, str_of(to.p, i)), 0700);
		if (link(str_printf(&a, "%s/%s", s->dir, path).p, to.p) < 0 && errno != EEXIST && errno != ENOENT)
			r = -errno;
	}
	arena_done(&a);
	return r;
}

/* Takes snapshots of everything that is up, with all writers held. Bodies of objects are linked before, which may take
 * long, and once more inside, which finds only what is new. */
static int take(struct snapshot *s, struct cloud *cl, struct arena *a)
{
	struct region *all[STORES_MAX];
	struct walk w = { s->dir, link_file, s };
	size_t n = cloud_regions(cl, all, STORES_MAX - 1);
	int r = mkdir(s->links, 0700) < 0 && errno != EEXIST ? -errno : 0;

	if (r == 0)
		r = walk_files(&w, "", 0);
	if (r < 0)
		return r;
	all[n] = cloud_global_region(cl);
	for (size_t i = 0; i <= n; i++)
		if (cloud_internal_read(cl, all[i], a, &s->pin[s->n]) == 0)
			s->region[s->n++] = all[i];
	for (size_t i = 0; i < s->n; i++) {
		struct hold *h = &s->hold[i];

		*h = (struct hold){ .job = { .run = hold_run, .done = hold_done } };
		(void)sem_init(&h->reached, 0, 0);
		(void)sem_init(&h->go, 0, 0);
		(void)sem_init(&h->done, 0, 0);
		store_submit(s->region[i]->store, &h->job);
	}
	for (size_t i = 0; i < s->n; i++)
		wait_for(&s->hold[i].reached);
	for (size_t i = 0; i < s->n && r == 0; i++)
		r = store_begin_read(s->region[i]->store, &s->txn[i]);
	if (r == 0)
		r = walk_files(&w, "", 0);
	for (size_t i = 0; i < s->n; i++)
		(void)sem_post(&s->hold[i].go);
	for (size_t i = 0; i < s->n; i++) {
		wait_for(&s->hold[i].done);
		(void)sem_destroy(&s->hold[i].reached);
		(void)sem_destroy(&s->hold[i].go);
		(void)sem_destroy(&s->hold[i].done);
	}
	return r;
}

static void release(struct snapshot *s)
{
	for (size_t i = 0; i < s->n; i++) {
		store_end(s->txn[i]);
		cloud_internal_end(&s->pin[i]);
	}
	cli_remove_tree(s->links);
}

struct writing {
	struct out *o;
	const char *base;
};

static int write_one(void *arg, const char *path, const struct stat *st)
{
	struct writing *w = arg;
	struct arena a = { 0 };
	int fd = open(str_printf(&a, "%s/%s", w->base, path).p, O_RDONLY | O_NOFOLLOW | O_CLOEXEC), r = 0;

	arena_done(&a);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	r = put_file(w->o, fd, str_c(path), (uint64_t)st->st_size);
	(void)close(fd);
	return r;
}

static int write_trail(void *arg, const char *path, const struct stat *st)
{
	return str_ends(str_c(path), S(".jsonl")) ? write_one(arg, path, st) : 0;
}

/* --- stores that nobody serves --- */
struct closed {
	struct out *o;
	const char *dir;
	struct store *stores[STORES_MAX];
	struct str paths[STORES_MAX];
	size_t n;
};

static int open_closed(struct closed *k, struct arena *a, const char *path)
{
	struct stat st;
	int r;

	if (stat(str_printf(a, "%s/%s/data.mdb", k->dir, path).p, &st) < 0 || k->n == STORES_MAX)
		return 0;
	r = store_open(str_printf(a, "%s/%s", k->dir, path).p, NULL, &k->stores[k->n]);
	if (r == 0)
		k->paths[k->n++] = str_dup(a, str_c(path));
	return r;
}

/* Opens the stores of all regions that a cloud (NULL: none runs) does not have open itself. */
static int open_all_closed(struct closed *k, struct cloud *cl, struct arena *a)
{
	DIR *d = opendir(str_printf(a, "%s/regions", k->dir).p);
	struct dirent *e;
	int r = d || errno == ENOENT ? 0 : -errno;

	if (r == 0 && !cl)
		r = open_closed(k, a, "global/store");
	while (d && r == 0 && (e = readdir(d)))
		if (e->d_name[0] != '.' && !(cl && cloud_region(cl, str_c(e->d_name))))
			r = open_closed(k, a, str_printf(a, "regions/%s/store", e->d_name).p);
	if (d)
		(void)closedir(d);
	return r;
}

static int put_closed(struct closed *k)
{
	int r = 0;

	for (size_t i = 0; i < k->n && r == 0; i++) {
		struct store_txn *t;

		r = store_begin_read(k->stores[i], &t);
		if (r < 0)
			break;
		put_store(k->o, t, k->paths[i]);
		store_end(t);
	}
	return r;
}

static void close_all(struct closed *k)
{
	for (size_t i = 0; i < k->n; i++)
		store_close(k->stores[i]);
}

static int finish(struct out *o, int r)
{
	if (o->error == 0)
		o->error = r; /* then the end is never written, and the reader knows */
	if (o->error == 0)
		return end(o);
	o->hash = hash_free(o->hash);
	free(o->buf);
	return o->error;
}

int archive_write_stopped(const char *dir, int fd)
{
	struct arena a = { 0 };
	struct out o;
	struct closed k = { .o = &o, .dir = dir };
	struct str text;
	struct json *j = NULL;
	int r = cli_read_file(&a, str_printf(&a, "%s/root.json", dir).p, &text);

	if (r == 0)
		r = json_parse(&a, text, &j, NULL) < 0 ? -EBADMSG : open_all_closed(&k, NULL, &a);
	if (r == 0) {
		begin(&o, fd, json_get_str(j, "account"));
		r = put_closed(&k);
		if (r == 0)
			r = walk_files(&(struct walk){ dir, write_one, &(struct writing){ &o, dir } }, "", 0);
		r = finish(&o, r);
	}
	close_all(&k);
	arena_done(&a);
	return r;
}

int archive_write_running(struct cloud *cl, int fd)
{
	struct arena a = { 0 };
	struct snapshot *s = xzalloc(sizeof *s);
	struct out o;
	struct closed k = { .o = &o, .dir = cloud_dir(cl) };
	int r;

	s->dir = cloud_dir(cl);
	s->links = str_printf(&a, "%s/export.tmp", s->dir).p;
	cli_remove_tree(s->links);
	r = take(s, cl, &a);
	begin(&o, fd, cloud_account(cl));
	for (size_t i = 0; i < s->n && r == 0; i++)
		put_store(&o, s->txn[i], str_printf(&a, "%s/store", s->region[i]->dir + strlen(s->dir) + 1));
	if (r == 0)
		r = open_all_closed(&k, cl, &a);
	if (r == 0)
		r = put_closed(&k);
	if (r == 0)
		r = walk_files(&(struct walk){ s->links, write_one, &(struct writing){ &o, s->links } }, "", 0);
	if (r == 0)
		r = walk_files(&(struct walk){ s->dir, write_trail, &(struct writing){ &o, s->dir } }, "", 0);
	close_all(&k);
	release(s);
	free(s);
	r = finish(&o, r);
	arena_done(&a);
	return r;
}
