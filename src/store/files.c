/* SPDX-License-Identifier: Apache-2.0 */
/* files.c - see files.h. Everything is done relative to directory descriptors held open, so that moving DIR or a
 * symbolic link put into it changes nothing. Thread-safe: the only shared state is the counter of temporary names. */
#include "store/files.h"
#include "base/arena.h"
#include "base/util.h"
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#define TMP_NAME_BYTES 24
#define PATH_BYTES (FILE_ID_BYTES_MAX + 8)
#define WRITE_BYTES_MAX ((size_t)1 << 30) /* of one write(2) */

struct files {
	int tmp_fd, objects_fd;
	atomic_ullong counter;
};
struct file_writer {
	struct files *f;
	int fd, error;
	char name[TMP_NAME_BYTES]; /* in tmp; empty when removed */
};

static int no_space(int e) /* a full disk is one error, whatever the file system calls it */
{
	return e == EDQUOT ? -ENOSPC : -e;
}

static bool id_valid(struct str id)
{
	if (!id.n || id.n > FILE_ID_BYTES_MAX)
		return false;
	for (size_t i = 0; i < id.n; i++) {
		char c = id.p[i];

		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != '-' && c != '_')
			return false;
	}
	return true;
}

/* id_path makes "xx/ID"; xx spreads the files over 256 directories, whatever ids look like. */
static int id_path(struct str id, char path[PATH_BYTES])
{
	if (!id_valid(id))
		return -EINVAL;
	snprintf(path, PATH_BYTES, "%02x/%.*s", (unsigned)crc32_ieee(0, id.p, id.n) & 0xff, STR(id));
	return 0;
}

static int dir_open(int at, const char *name, int *ret_fd)
{
	int fd;

	if (mkdirat(at, name, 0700) < 0 && errno != EEXIST)
		return no_space(errno);
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (at == AT_FDCWD ? 0 : O_NOFOLLOW));
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

static int fd_sync(int fd)
{
	return fsync(fd) < 0 ? no_space(errno) : 0;
}

/* dir_each calls fn for every entry but "." and ".."; fn may unlink it. */
static int dir_each(int at, const char *name, int (*fn)(int dir_fd, const char *name, void *arg), void *arg)
{
	struct dirent *e;
	DIR *d;
	int fd, r = 0;

	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	d = fdopendir(fd);
	if (!d) {
		r = -errno;
		close(fd);
		return r;
	}
	for (;;) {
		errno = 0;
		e = readdir(d);
		if (!e) {
			r = -errno;
			break;
		}
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		r = fn(dirfd(d), e->d_name, arg);
		if (r < 0)
			break;
	}
	closedir(d);
	return r;
}

static int tmp_remove(int dir_fd, const char *name, void *arg)
{
	return unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

int files_open(const char *dir, struct files **ret)
{
	struct files *f = xzalloc(sizeof *f);
	int fd = -1, r;

	f->tmp_fd = f->objects_fd = -1;
	r = dir_open(AT_FDCWD, dir, &fd);
	if (r == 0)
		r = dir_open(fd, "tmp", &f->tmp_fd);
	if (r == 0)
		r = dir_open(fd, "objects", &f->objects_fd);
	if (r == 0)
		r = dir_each(f->tmp_fd, ".", tmp_remove, NULL);
	if (r == 0)
		r = fd_sync(fd);
	if (fd >= 0)
		close(fd);
	if (r < 0) {
		files_close(f);
		return r;
	}
	*ret = f;
	return 0;
}

void files_close(struct files *f)
{
	if (!f)
		return;
	if (f->tmp_fd >= 0)
		close(f->tmp_fd);
	if (f->objects_fd >= 0)
		close(f->objects_fd);
	free(f);
}

int file_begin(struct files *f, struct file_writer **ret)
{
	struct file_writer *w = xzalloc(sizeof *w);

	w->f = f;
	snprintf(w->name, sizeof w->name, "%llu", atomic_fetch_add(&f->counter, 1));
	w->fd = openat(f->tmp_fd, w->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (w->fd < 0) {
		int r = no_space(errno);

		free(w);
		return r;
	}
	*ret = w;
	return 0;
}

/* writer_drop removes the temporary and gives its room back at once. */
static void writer_drop(struct file_writer *w)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
	if (w->name[0])
		unlinkat(w->f->tmp_fd, w->name, 0);
	w->name[0] = 0;
}

int file_write(struct file_writer *w, const void *p, size_t n)
{
	const char *at = p;
	ssize_t k;

	while (!w->error && n) {
		k = write(w->fd, at, n < WRITE_BYTES_MAX ? n : WRITE_BYTES_MAX);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0) {
			w->error = no_space(errno);
			writer_drop(w);
			break;
		}
		at += k;
		n -= (size_t)k;
	}
	return w->error;
}

/* name_take moves the temporary to its final name; not a plain rename, which would replace a body somebody reads. */
static int name_take(struct file_writer *w, int shard, const char *name)
{
	if (renameat2(w->f->tmp_fd, w->name, shard, name, RENAME_NOREPLACE) == 0) {
		w->name[0] = 0;
		return 0;
	}
	if (errno != EINVAL && errno != ENOSYS)
		return no_space(errno);
	/* A file system without that flag: the temporary name is removed by writer_drop. */
	return linkat(w->f->tmp_fd, w->name, shard, name, 0) < 0 ? no_space(errno) : 0;
}

/* shard_open opens the directory of path, making it durably when it isn't there. */
static int shard_open(struct files *f, const char *path, int *ret_fd)
{
	char shard[3] = { path[0], path[1], 0 };
	bool made = mkdirat(f->objects_fd, shard, 0700) == 0;
	int r;

	if (!made && errno != EEXIST)
		return no_space(errno);
	r = dir_open(f->objects_fd, shard, ret_fd);
	if (r < 0)
		return r;
	if (made && (r = fd_sync(f->objects_fd)) < 0) {
		close(*ret_fd);
		return r;
	}
	return 0;
}

int file_finish(struct file_writer *w, struct str id)
{
	char path[PATH_BYTES];
	int shard = -1, r = w->error;

	if (r == 0)
		r = id_path(id, path);
	if (r == 0)
		r = fd_sync(w->fd);
	if (r == 0)
		r = shard_open(w->f, path, &shard);
	if (r == 0)
		r = name_take(w, shard, path + 3);
	if (r == 0) {
		r = fd_sync(shard);
		if (r < 0)
			unlinkat(shard, path + 3, 0);
	}
	if (shard >= 0)
		close(shard);
	writer_drop(w);
	free(w);
	return r;
}

void file_abort(struct file_writer *w)
{
	if (!w)
		return;
	writer_drop(w);
	free(w);
}

int file_open_read(struct files *f, struct str id, int *ret_fd, uint64_t *ret_bytes)
{
	char path[PATH_BYTES];
	struct stat st;
	int fd, r;

	r = id_path(id, path);
	if (r < 0)
		return r;
	fd = openat(f->objects_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return -EBADMSG;
	}
	*ret_fd = fd;
	*ret_bytes = (uint64_t)st.st_size;
	return 0;
}

int file_unlink(struct files *f, struct str id)
{
	char path[PATH_BYTES];
	int r = id_path(id, path);

	if (r < 0)
		return r;
	return unlinkat(f->objects_fd, path, 0) < 0 ? -errno : 0;
}

struct sweep {
	struct files *f;
	int (*referenced)(void *arg, struct str id);
	void *arg;
	int removed;
};

static int sweep_file(int dir_fd, const char *name, void *arg)
{
	struct sweep *s = arg;
	int r;

	if (!id_valid(str_c(name)))
		return 0; /* not ours */
	r = s->referenced(s->arg, str_c(name));
	if (r != 0)
		return r;
	if (unlinkat(dir_fd, name, 0) < 0)
		return -errno;
	s->removed++;
	return 0;
}

static int sweep_shard(int dir_fd, const char *name, void *arg)
{
	int r = dir_each(dir_fd, name, sweep_file, arg);

	return r == -ENOTDIR || r == -ELOOP ? 0 : r;
}

int files_sweep(struct files *f, int (*referenced)(void *arg, struct str id), void *arg)
{
	struct sweep s = { f, referenced, arg, 0 };
	int r = dir_each(f->objects_fd, ".", sweep_shard, &s);

	return r < 0 ? r : s.removed;
}
