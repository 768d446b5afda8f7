/* SPDX-License-Identifier: Apache-2.0 */
/* zip.c - see zip.h. Nothing here trusts a number that the archive says: offsets are checked against its length, sizes
 * against what comes out. */
#include "svc/lambda/zip.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define LOCAL_BYTES 30
#define CENTRAL_BYTES 46
#define END_BYTES 22
#define COMMENT_BYTES_MAX 65535
#define PIECE_BYTES 65536
#define LINK_BYTES_MAX 1024
#define FLAG_ENCRYPTED 1
#define FLAG_STRONG 64
#define FLAG_MASKED 8192

static uint16_t get16(const char *p)
{
	const uint8_t *b = (const uint8_t *)p;

	return (uint16_t)(b[0] | b[1] << 8);
}

static uint32_t get32(const char *p)
{
	return get16(p) | (uint32_t)get16(p + 2) << 16;
}

static int bad(const char **why, const char *what)
{
	*why = what;
	return -EBADMSG;
}

/* Finds the end record: the last one whose comment reaches exactly to the end. */
static int find_end(struct str b, size_t *ret)
{
	size_t least = b.n > END_BYTES + COMMENT_BYTES_MAX ? b.n - END_BYTES - COMMENT_BYTES_MAX : 0;

	if (b.n < END_BYTES)
		return -EBADMSG;
	for (size_t i = b.n - END_BYTES + 1; i-- > least;)
		if (memcmp(b.p + i, "PK\5\6", 4) == 0 && i + END_BYTES + get16(b.p + i + 20) == b.n) {
			*ret = i;
			return 0;
		}
	return -EBADMSG;
}

/* A name is one or more parts, none of them ".", ".." or empty. Returns how many, 0: refused. */
static size_t name_parts(struct str name)
{
	struct str rest = name, part;
	size_t n = 0;

	if (name.n == 0 || name.n > ZIP_NAME_BYTES_MAX || memchr(name.p, 0, name.n) || memchr(name.p, '\\', name.n))
		return 0;
	while (str_next(&rest, '/', &part)) {
		if (part.n == 0 || part.n > 255 || str_is(part, ".") || str_is(part, ".."))
			return 0;
		n++;
	}
	return n > ZIP_DEPTH_MAX ? 0 : n;
}

static int by_name(const void *a, const void *b)
{
	return str_cmp(((const struct zip_entry *)a)->name, ((const struct zip_entry *)b)->name);
}

static int by_offset(const void *a, const void *b)
{
	const struct zip_entry *const *x = a, *const *y = b;

	return (*x)->offset < (*y)->offset ? -1 : (*x)->offset > (*y)->offset;
}

static int check_local(struct str b, uint32_t at, size_t directory, struct str name, struct zip_entry *e)
{
	const char *p = b.p + at;
	uint64_t data;

	if (at + (uint64_t)LOCAL_BYTES > directory || memcmp(p, "PK\3\4", 4) != 0)
		return -EBADMSG;
	data = at + (uint64_t)LOCAL_BYTES + get16(p + 26) + get16(p + 28);
	if (data + e->packed > directory || get16(p + 26) != name.n || get16(p + 8) != e->method)
		return -EBADMSG;
	if (!str_eq(str_of(p + LOCAL_BYTES, name.n), name))
		return -EBADMSG; /* two names for one entry: other readers would see another archive */
	e->offset = data;
	return 0;
}

static int read_entry(const char *p, struct str b, size_t directory, struct zip_entry *e, const char **why)
{
	struct str name = str_of(p + CENTRAL_BYTES, get16(p + 28));
	uint16_t flags = get16(p + 8), by = get16(p + 4) >> 8;
	uint32_t attributes = get32(p + 38), mode = by == 3 ? attributes >> 16 : 0, at = get32(p + 42);

	*e = (struct zip_entry){ .method = get16(p + 10), .crc = get32(p + 16), .packed = get32(p + 20), .size = get32(p + 24) };
	if (flags & (FLAG_ENCRYPTED | FLAG_STRONG | FLAG_MASKED))
		return bad(why, "it has an encrypted entry");
	if (e->method != 0 && e->method != Z_DEFLATED)
		return bad(why, "it has an entry with an unknown compression method");
	if (e->packed == UINT32_MAX || e->size == UINT32_MAX || at == UINT32_MAX || get16(p + 34) != 0)
		return bad(why, "zip64 and archives of several parts are not supported");
	if (e->method == 0 && e->packed != e->size)
		return bad(why, "an entry's size is not what it says");
	e->kind = ZIP_FILE;
	if (name.n && name.p[name.n - 1] == '/')
		e->kind = ZIP_FOLDER;
	else if (S_ISLNK(mode))
		e->kind = ZIP_LINK;
	else if (mode && !S_ISREG(mode) && (mode & S_IFMT))
		return bad(why, "it has an entry that is no file, folder or link");
	e->executable = mode & 0111;
	e->name = e->kind == ZIP_FOLDER ? str_of(name.p, name.n - 1) : name;
	if (name_parts(e->name) == 0)
		return bad(why, "it has an entry with a name that is not allowed");
	if ((e->kind == ZIP_FOLDER && e->size) || (e->kind == ZIP_LINK && e->size > LINK_BYTES_MAX))
		return bad(why, "a folder or link has content");
	return check_local(b, at, directory, name, e) < 0 ? bad(why, "an entry's header is damaged") : 0;
}

static int no_overlap(struct arena *a, const struct zip *z)
{
	const struct zip_entry **v = arena_array(a, const struct zip_entry *, z->n + 1);

	for (size_t i = 0; i < z->n; i++)
		v[i] = &z->v[i];
	qsort(v, z->n, sizeof *v, by_offset);
	for (size_t i = 1; i < z->n; i++)
		if (v[i - 1]->offset + v[i - 1]->packed + LOCAL_BYTES > v[i]->offset)
			return -EBADMSG;
	return 0;
}

/* How many folders does this entry need that the one before it in the order of names did not? Names below one folder stand
 * together in that order, so each is counted once. */
static size_t new_folders(const struct zip_entry *before, const struct zip_entry *e)
{
	struct str a = before ? before->name : STR_NONE, b = e->name, x, y;
	size_t all = name_parts(e->name) - (e->kind != ZIP_FOLDER), shared = 0;

	while (shared < all && a.p && str_next(&a, '/', &x) && str_next(&b, '/', &y) && str_eq(x, y))
		shared++;
	return all - shared;
}

/* After sorting: no name twice, and no more folders than a few kilobytes of names should cost in blocks and inodes. */
static int check_names(const struct zip *z, const char **why)
{
	size_t folders = 0;

	for (size_t i = 0; i < z->n; i++) {
		if (i && str_eq(z->v[i - 1].name, z->v[i].name))
			return bad(why, "it has two entries of one name");
		folders += new_folders(i ? &z->v[i - 1] : NULL, &z->v[i]);
	}
	return folders > ZIP_FOLDERS_MAX ? bad(why, "it has too many folders") : 0;
}

int zip_open(struct str bytes, uint64_t bytes_max, struct arena *a, struct zip *ret, const char **ret_why)
{
	struct zip z = { .bytes = bytes };
	size_t end, at, count;
	uint64_t directory;
	int r;

	if (find_end(bytes, &end) < 0)
		return bad(ret_why, "it has no end record");
	count = get16(bytes.p + end + 10);
	directory = get32(bytes.p + end + 16);
	if (count > ZIP_ENTRIES_MAX || directory == UINT32_MAX || get16(bytes.p + end + 4) || get16(bytes.p + end + 6) ||
	    get16(bytes.p + end + 8) != count)
		return bad(ret_why, "zip64 and archives of several parts are not supported");
	if (directory + get32(bytes.p + end + 12) != end)
		return bad(ret_why, "its directory is not where it says");
	z.v = arena_array(a, struct zip_entry, count + 1);
	at = directory;
	for (z.n = 0; z.n < count; z.n++) {
		const char *p = bytes.p + at;
		size_t room = end - at, need;

		if (room < CENTRAL_BYTES || memcmp(p, "PK\1\2", 4) != 0)
			return bad(ret_why, "its directory is damaged");
		need = CENTRAL_BYTES + (size_t)get16(p + 28) + get16(p + 30) + get16(p + 32);
		if (room < need)
			return bad(ret_why, "its directory is damaged");
		r = read_entry(p, bytes, directory, &z.v[z.n], ret_why);
		if (r < 0)
			return r;
		z.size += z.v[z.n].size;
		at += need;
	}
	if (at != end)
		return bad(ret_why, "its directory is damaged");
	if (z.size > bytes_max) {
		*ret_why = "it unpacks to too many bytes";
		return -EFBIG;
	}
	if (no_overlap(a, &z) < 0)
		return bad(ret_why, "its entries overlap");
	qsort(z.v, z.n, sizeof *z.v, by_name); /* folders come before what is in them */
	r = check_names(&z, ret_why);
	if (r == 0)
		*ret = z;
	return r;
}

static int stored(const struct zip *z, const struct zip_entry *e, int (*sink)(void *arg, struct str piece), void *arg, uLong *crc)
{
	struct str all = str_of(z->bytes.p + e->offset, e->size);

	*crc = crc32(*crc, (const Bytef *)all.p, (uInt)all.n);
	return all.n ? sink(arg, all) : 0;
}

static int inflated(const struct zip *z, const struct zip_entry *e, int (*sink)(void *arg, struct str piece), void *arg, uLong *crc)
{
	z_stream s = { .next_in = (Bytef *)(uintptr_t)(z->bytes.p + e->offset), .avail_in = (uInt)e->packed };
	char *piece;
	uint64_t total = 0;
	int state, r = 0;

	if (inflateInit2(&s, -MAX_WBITS) != Z_OK)
		return -ENOMEM;
	piece = xmalloc(PIECE_BYTES);
	do {
		s.next_out = (Bytef *)piece;
		s.avail_out = PIECE_BYTES;
		state = inflate(&s, Z_NO_FLUSH);
		size_t n = PIECE_BYTES - s.avail_out;

		if ((state != Z_OK && state != Z_STREAM_END) || (state == Z_OK && n == 0) || n > e->size - total) {
			r = -EBADMSG; /* also when more comes out than was said */
			break;
		}
		total += n;
		*crc = crc32(*crc, (const Bytef *)piece, (uInt)n);
		if (n)
			r = sink(arg, str_of(piece, n));
	} while (r >= 0 && state != Z_STREAM_END);
	if (r >= 0 && (total != e->size || s.avail_in != 0))
		r = -EBADMSG;
	free(piece);
	(void)inflateEnd(&s);
	return r < 0 ? r : 0;
}

int zip_entry_read(const struct zip *z, const struct zip_entry *e, int (*sink)(void *arg, struct str piece), void *arg)
{
	uLong crc = crc32(0, NULL, 0);
	int r = e->method == 0 ? stored(z, e, sink, arg, &crc) : inflated(z, e, sink, arg, &crc);

	return r == 0 && crc != e->crc ? -EBADMSG : r;
}

/* --- unpacking --- */
/* open_parent walks to the folder of an entry and makes what is missing. Links are never followed: an entry below one is refused. */
static int open_parent(int root, struct str name, int *ret_fd, struct str *ret_last)
{
	struct str rest = name, part;
	char z[256];
	int fd = fcntl(root, F_DUPFD_CLOEXEC, 3), next;

	while (fd >= 0 && str_next(&rest, '/', &part)) {
		if (!rest.p) {
			*ret_fd = fd;
			*ret_last = part;
			return 0;
		}
		memcpy(z, part.p, part.n);
		z[part.n] = 0;
		if (mkdirat(fd, z, 0700) < 0 && errno != EEXIST)
			next = -errno;
		else {
			next = openat(fd, z, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			next = next < 0 ? -EBADMSG : next;
		}
		(void)close(fd);
		fd = next;
	}
	return fd < 0 ? fd : -EBADMSG;
}

static int to_file(void *arg, struct str piece)
{
	const int *fd = arg;

	while (piece.n) {
		ssize_t n = write(*fd, piece.p, piece.n);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			piece = str_skip(piece, (size_t)n);
	}
	return 0;
}

struct text {
	char p[LINK_BYTES_MAX + 1];
	size_t n;
};

static int to_text(void *arg, struct str piece)
{
	struct text *t = arg;

	if (piece.n > LINK_BYTES_MAX - t->n)
		return -EBADMSG;
	memcpy(t->p + t->n, piece.p, piece.n);
	t->n += piece.n;
	return 0;
}

/* Where does a link at `name` lead? It must stay inside, counted part by part. */
static bool link_inside(struct str name, struct str target)
{
	struct str rest = target, part;
	size_t depth = name_parts(name) - 1;

	if (target.n == 0 || target.p[0] == '/' || memchr(target.p, 0, target.n))
		return false;
	while (str_next(&rest, '/', &part)) {
		if (str_is(part, "..")) {
			if (depth-- == 0)
				return false;
		} else if (part.n && !str_is(part, "."))
			depth++;
	}
	return true;
}

static int unpack_one(const struct zip *z, const struct zip_entry *e, int root)
{
	struct text t = { .n = 0 };
	struct str last;
	char name[256];
	int dir, fd, r = open_parent(root, e->name, &dir, &last);

	if (r < 0)
		return r;
	assert(last.n < sizeof name);
	memcpy(name, last.p, last.n);
	name[last.n] = 0;
	if (e->kind == ZIP_FOLDER) {
		if (mkdirat(dir, name, 0700) < 0 && errno != EEXIST)
			r = -errno;
	} else if (e->kind == ZIP_LINK) {
		r = zip_entry_read(z, e, to_text, &t);
		t.p[t.n] = 0;
		if (r == 0)
			r = !link_inside(e->name, str_of(t.p, t.n)) ? -EBADMSG : symlinkat(t.p, dir, name) < 0 ? -errno : 0;
	} else {
		fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		r = fd < 0 ? (errno == EEXIST ? -EBADMSG : -errno) : zip_entry_read(z, e, to_file, &fd);
		if (r == 0 && fchmod(fd, e->executable ? 0555 : 0444) < 0)
			r = -errno;
		if (fd >= 0)
			(void)close(fd);
	}
	(void)close(dir);
	return r;
}

/* Folders are closed for writing at the end, the deepest first: every prefix of a name that is a folder. */
static int seal_folders(const struct zip *z, int root)
{
	for (size_t i = z->n; i-- > 0;) {
		struct str name = z->v[i].name;

		if (z->v[i].kind != ZIP_FOLDER)
			name.n = str_rfind_char(name, '/') < 0 ? 0 : (size_t)str_rfind_char(name, '/');
		for (; name.n; name.n = str_rfind_char(name, '/') < 0 ? 0 : (size_t)str_rfind_char(name, '/')) {
			char path[ZIP_NAME_BYTES_MAX + 1];

			memcpy(path, name.p, name.n);
			path[name.n] = 0;
			if (fchmodat(root, path, 0555, 0) < 0) /* made by us, and no link is above it */
				return -errno;
		}
	}
	return fchmod(root, 0555) < 0 ? -errno : 0;
}

int zip_unpack(const struct zip *z, int dir_fd, const char **ret_why)
{
	int r = 0;

	for (size_t i = 0; i < z->n && r == 0; i++)
		r = unpack_one(z, &z->v[i], dir_fd);
	if (r == 0)
		r = seal_folders(z, dir_fd);
	if (r == -EBADMSG)
		*ret_why = "an entry is damaged, or leads out of the archive";
	else if (r < 0)
		*ret_why = strerror(-r);
	return r;
}
