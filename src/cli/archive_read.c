/* SPDX-License-Identifier: Apache-2.0 */
/* archive_read.c - reads the stream that archive.h describes. Nothing in it is trusted: lengths, names, order and the
 * sum at the end are checked; what is made lies in a directory aside until the end was right. */
#include "cli/archive.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define IN_BYTES (256u << 10)
#define BATCH_KEYS 2000
#define BATCH_BYTES (8u << 20)
#define HEADER_BYTES_MAX 65536

struct in {
	int fd;
	char *buf;
	size_t at, n;
	struct hash *hash;
	struct archive_sum *sum;
};
struct batch { /* keys that go to the store in one transaction */
	struct arena arena;
	struct str_pair *v;
	size_t n, cap, bytes;
	struct store *store;
};
struct importing {
	struct in in;
	const char *dir; /* aside; NULL: only check */
	struct batch batch;
	struct arena *a;
	bool header;
};

static int refill(struct in *i)
{
	ssize_t k;

	do
		k = read(i->fd, i->buf, IN_BYTES);
	while (k < 0 && errno == EINTR);
	if (k < 0)
		return -errno;
	i->at = 0;
	i->n = (size_t)k;
	i->sum->bytes += (size_t)k;
	return k > 0 ? 0 : -EBADMSG; /* cut */
}

/* Takes at most max bytes that are there; *ret is good until the next call. */
static int take(struct in *i, uint64_t max, struct str *ret)
{
	int r = i->at == i->n ? refill(i) : 0;
	size_t k;

	if (r < 0)
		return r;
	k = i->n - i->at < max ? i->n - i->at : (size_t)max;
	*ret = str_of(i->buf + i->at, k);
	i->at += k;
	if (i->hash)
		hash_add(i->hash, ret->p, k);
	return 0;
}

static int take_all(struct in *i, void *p, size_t n)
{
	struct str s;

	while (n) {
		int r = take(i, n, &s);

		if (r < 0)
			return r;
		memcpy(p, s.p, s.n);
		p = (char *)p + s.n;
		n -= s.n;
	}
	return 0;
}

bool archive_top(struct str name)
{
	static const char *const tops[] = { "global", "regions", "tls", "master.key", "root.json", "regions.json", "clock.json", NULL };

	for (int i = 0; tops[i]; i++)
		if (str_is(name, tops[i]))
			return true;
	return false;
}

/* Paths that an export has: plain names joined by '/', none of them hidden. */
static bool path_ok(struct str path, bool store)
{
	struct str rest = path, one;
	bool known = false;
	int depth = 0;

	while (str_next(&rest, '/', &one)) {
		if (one.n == 0 || one.n > 255 || one.p[0] == '.' || memchr(one.p, 0, one.n) || ++depth > 8)
			return false;
		if (depth == 1)
			known = archive_top(one);
		if (str_is(one, "store") && !(store && rest.p == NULL))
			return false;
	}
	return known && (!store || str_ends(path, S("/store")));
}

static int make_parents(struct importing *m, struct str path)
{
	struct arena a = { 0 };
	int r = 0;

	for (size_t i = 0; i < path.n && r == 0; i++)
		if (path.p[i] == '/' && mkdir(str_printf(&a, "%s/%.*s", m->dir, (int)i, path.p).p, 0700) < 0 && errno != EEXIST)
			r = -errno;
	arena_done(&a);
	return r;
}

static int read_file(struct importing *m, struct str path, uint64_t n)
{
	struct arena a = { 0 };
	int fd = -1, r = 0;
	struct str s;

	m->in.sum->files++;
	if (m->dir) {
		r = make_parents(m, path);
		if (r == 0)
			fd = open(str_printf(&a, "%s/%.*s", m->dir, STR(path)).p, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
				  str_is(path, "tls/ca.pem") ? 0644 : 0600);
		if (r == 0 && fd < 0)
			r = errno == EEXIST ? -EBADMSG : -errno;
	}
	while (n && r == 0) {
		r = take(&m->in, n, &s);
		if (r == 0 && fd >= 0 && write(fd, s.p, s.n) != (ssize_t)s.n)
			r = errno ? -errno : -EIO;
		n -= r == 0 ? s.n : 0;
	}
	if (fd >= 0) {
		if (r == 0 && fsync(fd) < 0)
			r = -errno;
		(void)close(fd);
	}
	arena_done(&a);
	return r;
}

static int put_batch(struct store_txn *t, void *arg)
{
	struct batch *b = arg;
	int r = 0;

	for (size_t i = 0; i < b->n && r == 0; i++)
		r = store_put(t, b->v[i].key, b->v[i].value);
	return r;
}

static int flush_batch(struct batch *b)
{
	int r = b->n && b->store ? store_write(b->store, put_batch, b) : 0;

	arena_reset(&b->arena);
	b->v = NULL;
	b->n = b->cap = b->bytes = 0;
	return r;
}

static int close_store(struct importing *m)
{
	int r = flush_batch(&m->batch);

	store_close(m->batch.store);
	m->batch.store = NULL;
	return r;
}

static int begin_store(struct importing *m, struct str path)
{
	struct arena a = { 0 };
	int r = close_store(m);

	if (r == 0 && m->dir) {
		r = make_parents(m, path);
		if (r == 0)
			r = store_open(str_printf(&a, "%s/%.*s", m->dir, STR(path)).p, NULL, &m->batch.store);
	}
	arena_done(&a);
	return r;
}

static int read_key(struct importing *m, struct str name, uint64_t n)
{
	struct batch *b = &m->batch;
	char *p;
	int r;

	if (n > STORE_VALUE_BYTES_MAX || name.n == 0 || (m->dir && !b->store))
		return -EBADMSG;
	p = arena_alloc(&b->arena, (size_t)n + 1);
	r = take_all(&m->in, p, (size_t)n);
	if (r < 0)
		return r;
	vec_push(&b->arena, b->v, b->n, b->cap) = (struct str_pair){ str_dup(&b->arena, name), str_of(p, (size_t)n) };
	b->bytes += (size_t)n + name.n;
	m->in.sum->keys++;
	return b->n >= BATCH_KEYS || b->bytes >= BATCH_BYTES ? flush_batch(b) : 0;
}

static int read_end(struct importing *m, uint64_t n)
{
	uint8_t want[32], got[32];
	struct str more;
	int r;

	(void)hash_end(m->in.hash, want);
	m->in.hash = hash_free(m->in.hash);
	if (n != sizeof got)
		return -EBADMSG;
	r = take_all(&m->in, got, sizeof got);
	if (r == 0 && memcmp(want, got, sizeof got) != 0)
		r = -EBADMSG;
	if (r == 0 && take(&m->in, 1, &more) != -EBADMSG)
		r = -EBADMSG; /* something follows */
	return r < 0 ? r : 1;
}

static int read_header(struct importing *m, uint64_t n)
{
	struct json *j;
	char *p;
	int r;

	if (m->header || n > HEADER_BYTES_MAX)
		return -EBADMSG;
	p = arena_alloc(m->a, (size_t)n + 1);
	r = take_all(&m->in, p, (size_t)n);
	if (r == 0 && (json_parse(m->a, str_of(p, (size_t)n), &j, NULL) < 0 || json_get_str(j, "account").n != 12))
		r = -EBADMSG;
	m->header = true;
	return r;
}

/* One frame: 0, 1 at the end, or negative. The hash covers everything before the frame of the end. */
static int read_frame(struct importing *m)
{
	char name[ARCHIVE_NAME_MAX];
	uint8_t h[13];
	uint64_t n = 0;
	size_t name_n = 0;
	struct hash *hash = m->in.hash;
	int r;

	m->in.hash = NULL;
	r = take_all(&m->in, h, sizeof h);
	m->in.hash = hash;
	if (r < 0)
		return r;
	for (int i = 0; i < 4; i++)
		name_n = name_n << 8 | h[1 + i];
	for (int i = 0; i < 8; i++)
		n = n << 8 | h[5 + i];
	if (name_n > sizeof name)
		return -EBADMSG;
	if (h[0] == 'E')
		return name_n ? -EBADMSG : read_end(m, n);
	hash_add(m->in.hash, h, sizeof h);
	r = take_all(&m->in, name, name_n);
	if (r < 0)
		return r;
	if (h[0] == 'H')
		return read_header(m, n);
	if (!m->header)
		return -EBADMSG;
	if (h[0] == 'K')
		return read_key(m, str_of(name, name_n), n);
	if ((h[0] != 'F' && h[0] != 'S') || !path_ok(str_of(name, name_n), h[0] == 'S'))
		return -EBADMSG;
	if (h[0] == 'F')
		return read_file(m, str_of(name, name_n), n);
	return n ? -EBADMSG : begin_store(m, str_of(name, name_n));
}

static const char *reason(struct arena *a, int r)
{
	if (r == -EPROTONOSUPPORT)
		return "it is not an export, or one of a newer version";
	if (r == -EBADMSG)
		return "it is damaged or cut";
	return str_c(strerror(-r)).p;
}

int archive_read(int fd, const char *dir, struct archive_sum *ret, struct arena *a, const char **ret_why)
{
	struct importing m = { .in = { .fd = fd, .buf = xmalloc(IN_BYTES), .hash = hash_new(HASH_SHA256), .sum = ret }, .a = a };
	char magic[sizeof ARCHIVE_MAGIC - 1];
	int r = 0;

	*ret = (struct archive_sum){ 0 };
	if (dir) {
		m.dir = str_printf(a, "%s.importing", dir).p;
		cli_remove_tree(m.dir);
		r = mkdir(m.dir, 0700) < 0 ? -errno : 0;
	}
	if (r == 0)
		r = take_all(&m.in, magic, sizeof magic);
	if (r == -EBADMSG || (r == 0 && memcmp(magic, ARCHIVE_MAGIC, sizeof magic) != 0))
		r = -EPROTONOSUPPORT;
	while (r == 0)
		r = read_frame(&m);
	if (r == 1)
		r = close_store(&m);
	else
		store_close(m.batch.store);
	if (r == 0 && m.dir && rename(m.dir, dir) < 0) /* over an empty directory too */
		r = -errno;
	if (r < 0 && m.dir)
		cli_remove_tree(m.dir);
	m.in.hash = hash_free(m.in.hash);
	free(m.in.buf);
	arena_done(&m.batch.arena);
	if (r < 0)
		*ret_why = reason(a, r);
	return r;
}
