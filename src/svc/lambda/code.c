/* SPDX-License-Identifier: Apache-2.0 */
/* code.c - archives: taken in on a worker thread, checked, stored as files beside the store, and unpacked into folders that
 * functions see but cannot change. An archive belongs to whoever the table lambda.file counts; without users it goes, and its
 * folder later, since an environment may still end its last invocation on it. */
#include "gen_s3.h"
#include "svc/lambda/lambda_int.h"
#include "svc/lambda/zip.h"
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define REGIONS_MAX 64
#define FILE_ID_DIGITS 32
#define FOLDER_KEEP_MS (16 * 60000LL) /* longer than any invocation lasts */
#define SWEEP_MS 60000
#define READ_BYTES 65536

static struct {
	char *dir;
	struct files *files;
	int64_t sweep_ms; /* when its folders are looked at next */
} sets[REGIONS_MAX];      /* kept for the life of the process, as environments may outlive a region's stop */
static pthread_mutex_t sets_lock = PTHREAD_MUTEX_INITIALIZER;

struct files *lambda_files(struct region *r)
{
	struct files *f = NULL;

	pthread_mutex_lock(&sets_lock);
	for (int i = 0; i < REGIONS_MAX && sets[i].dir && !f; i++)
		if (strcmp(sets[i].dir, r->dir) == 0)
			f = sets[i].files;
	pthread_mutex_unlock(&sets_lock);
	assert(f); /* open comes first */
	return f;
}

static int file_record(struct store_txn *t, struct arena *a, struct str id, struct lambda_rec_file *ret)
{
	return lambda_table_get(t, a, S(""), "lambda.file", id, STR_NONE, LAMBDA_REC_FILE, ret);
}

static int referenced(void *arg, struct str id)
{
	struct arena a = { 0 };
	struct lambda_rec_file f;
	int r = file_record(arg, &a, id, &f);

	arena_done(&a);
	return r == 0 ? 1 : r == -ENOENT ? 0 : r;
}

/* --- folders --- */
static int remove_tree(int at, const char *name)
{
	struct dirent *e;
	DIR *d;
	int fd, r = 0;

	if (unlinkat(at, name, 0) == 0 || errno == ENOENT)
		return 0;
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	(void)fchmod(fd, 0700); /* it was closed for writing */
	d = fdopendir(fd);
	if (!d) {
		(void)close(fd);
		return -ENOMEM;
	}
	while (r == 0 && (e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			r = remove_tree(dirfd(d), e->d_name);
	(void)closedir(d);
	return r == 0 && unlinkat(at, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : r;
}

static int code_folder(struct region *r)
{
	struct arena a = { 0 };
	const char *path = str_printf(&a, "%s/lambda/code", r->dir).p;
	int fd;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		fd = -errno;
	else {
		fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		fd = fd < 0 ? -errno : fd;
	}
	arena_done(&a);
	return fd;
}

/* Removes folders whose archive nobody uses. all: also those that went just now (at start, when no environment lives). */
static void sweep_folders(struct region *r, struct store_txn *t, bool all)
{
	int at = code_folder(r);
	DIR *d = at < 0 ? NULL : fdopendir(at);
	struct dirent *e;
	struct stat st;

	while (d && (e = readdir(d))) {
		bool keep = e->d_name[0] == '.' || referenced(t, str_c(e->d_name)) != 0;

		if (!keep && !all)
			keep = fstatat(at, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			       (clock_now_ms() - clock_offset_ms()) - (int64_t)st.st_mtime * 1000 < FOLDER_KEEP_MS;
		if (!keep)
			(void)remove_tree(at, e->d_name);
	}
	if (d)
		(void)closedir(d);
}

void lambda_code_tick(struct region *r)
{
	int64_t now = clock_now_ms();
	struct store_txn *t;
	bool due = false;

	pthread_mutex_lock(&sets_lock);
	for (int i = 0; i < REGIONS_MAX && sets[i].dir; i++)
		if (strcmp(sets[i].dir, r->dir) == 0 && now >= sets[i].sweep_ms) {
			due = true;
			sets[i].sweep_ms = now + SWEEP_MS;
		}
	pthread_mutex_unlock(&sets_lock);
	if (!due)
		return;
	if (store_begin_read(r->store, &t) < 0)
		return;
	sweep_folders(r, t, false);
	store_end(t);
}

int lambda_files_open(struct region *r, struct store_txn *t)
{
	struct arena a = { 0 };
	struct files *f = NULL;
	int i, e;

	pthread_mutex_lock(&sets_lock);
	for (i = 0; i < REGIONS_MAX && sets[i].dir; i++)
		if (strcmp(sets[i].dir, r->dir) == 0)
			break;
	e = i == REGIONS_MAX ? -EMFILE : 0;
	f = e == 0 ? sets[i].files : NULL;
	if (e == 0 && !f)
		e = files_open(str_printf(&a, "%s/lambda", r->dir).p, &f);
	if (e == 0 && !sets[i].files) {
		sets[i].files = f;
		sets[i].dir = xstrdup(r->dir);
	}
	pthread_mutex_unlock(&sets_lock);
	if (e == 0) {
		e = files_sweep(f, referenced, t);
		sweep_folders(r, t, true);
	}
	arena_done(&a);
	return e < 0 ? e : 0;
}

/* --- who uses an archive --- */
static void unlink_file(struct cloud *cl, struct region *r, void *arg)
{
	lambda_code_drop(r, *(const struct str *)arg);
}

int lambda_file_use(struct call *c, struct str file, int64_t bytes, int delta)
{
	struct lambda_rec_file f;
	struct lambda_rec_account use;
	struct str *gone;
	int r = file_record(c->txn, c->arena, file, &f);

	if (r == -ENOENT && delta > 0)
		f = (struct lambda_rec_file){ OPT_INT(0), OPT_INT(bytes), c->account };
	else if (r < 0)
		return r;
	if (f.uses.v == 0 || f.uses.v + delta == 0) {
		r = lambda_use_read(c->txn, c->arena, f.account, &use);
		if (r < 0)
			return r;
		use.code_bytes.v += f.uses.v == 0 ? f.bytes.v : -f.bytes.v;
		if (use.code_bytes.v > LAMBDA_STORAGE_BYTES_MAX)
			return lambda_fail(c, &lambda_err_code_storage_exceeded, "Code storage limit exceeded.");
		r = lambda_use_put(c->txn, f.account, &use);
		if (r < 0)
			return r;
	}
	f.uses.v += delta;
	if (f.uses.v > 0)
		return lambda_table_put(c->txn, S(""), "lambda.file", file, STR_NONE, LAMBDA_REC_FILE, &f);
	gone = arena_new(c->arena, struct str);
	*gone = str_dup(c->arena, file);
	call_on_commit(c, unlink_file, gone);
	return lambda_table_del(c->txn, S(""), "lambda.file", file, STR_NONE);
}

int lambda_layers_use(struct call *c, const struct lambda_rec_version *old, const struct lambda_rec_version *v)
{
	int r = 0;

	for (size_t i = 0; v && i < v->layers.n && r == 0; i++)
		r = lambda_file_use(c, v->layers.v[i].code_file, v->layers.v[i].code_bytes.v, 1);
	for (size_t i = 0; old && i < old->layers.n && r == 0; i++)
		r = lambda_file_use(c, old->layers.v[i].code_file, 0, -1);
	return r;
}

void lambda_code_drop(struct region *r, struct str file)
{
	struct arena a = { 0 };
	int at = code_folder(r);

	(void)file_unlink(lambda_files(r), file);
	if (at >= 0) { /* from now on it counts as unused */
		(void)utimensat(at, str_z(&a, file), NULL, AT_SYMLINK_NOFOLLOW);
		(void)close(at);
	}
	arena_done(&a);
}

/* --- unpacking --- */
static int with_archive(struct region *r, struct str file, struct arena *a, int (*fn)(void *arg, struct zip *z, const char **why),
			void *arg, const char **why)
{
	struct zip z;
	uint64_t bytes;
	int fd, e = file_open_read(lambda_files(r), file, &fd, &bytes);
	void *p;

	if (e < 0)
		return e;
	p = bytes ? mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
	(void)close(fd);
	if (p == MAP_FAILED) {
		*why = "it is empty";
		return -EBADMSG;
	}
	e = zip_open(str_of(p, bytes), LAMBDA_UNZIPPED_BYTES_MAX, a, &z, why);
	if (e == 0)
		e = fn(arg, &z, why);
	(void)munmap(p, bytes);
	return e;
}

struct unpacking {
	struct region *r;
	struct arena *a;
	struct str file;
	int64_t bytes;
};

/* Unpacked aside and renamed, so that a folder of that name is whole. */
static int unpack(void *arg, struct zip *z, const char **why)
{
	struct unpacking *u = arg;
	const char *tmp = str_printf(u->a, "tmp-%.*s", STR(random_hex(u->a, 16))).p, *name = str_z(u->a, u->file);
	int at = code_folder(u->r), fd, e;

	if (at < 0)
		return at;
	u->bytes = (int64_t)z->size;
	e = mkdirat(at, tmp, 0700) < 0 ? -errno : 0;
	fd = e < 0 ? e : openat(at, tmp, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	e = fd < 0 ? -EIO : zip_unpack(z, fd, why);
	if (fd >= 0)
		(void)close(fd);
	if (e == 0 && renameat(at, tmp, at, name) < 0 && errno != EEXIST && errno != ENOTEMPTY)
		e = -errno;
	(void)remove_tree(at, tmp);
	(void)close(at);
	return e;
}

bool lambda_code_ready(struct region *r, struct str file, struct arena *a, struct str *ret)
{
	*ret = str_printf(a, "%s/lambda/code/%.*s", r->dir, STR(file));
	return access(ret->p, F_OK) == 0;
}

int lambda_code_dir(struct region *r, struct str file, struct arena *a, struct str *ret)
{
	struct unpacking u = { r, a, file, 0 };
	const char *why = "";
	int e;

	if (lambda_code_ready(r, file, a, ret))
		return 0;
	e = with_archive(r, file, a, unpack, &u, &why);
	if (e < 0)
		log_line(LOG_ERROR, "%.*s: the archive %.*s of a function cannot be unpacked: %s", STR(r->name), STR(file), why);
	return e;
}

/* --- taking in --- */
struct taking {
	struct file_writer *w;
	struct hash *hash;
	int64_t bytes;
};

static int take_piece(struct taking *t, struct str piece)
{
	t->bytes += (int64_t)piece.n;
	if (t->bytes > LAMBDA_UNZIPPED_BYTES_MAX)
		return -EFBIG;
	hash_add(t->hash, piece.p, piece.n);
	return file_write(t->w, piece.p, piece.n);
}

static int s3_refused(struct call *c, int r, const struct call_error *e)
{
	static const struct desc_error denied = { "AccessDeniedException", "AccessDeniedException", 403, true };

	if (!e->err)
		return r;
	if (e->err->status == 403)
		return call_fail(
			c, &denied,
			"Your access has been denied by S3, please make sure your request credentials have permission to GetObject "
			"for the object. S3 Error Code: %s. S3 Error Message: %.*s",
			e->err->code, STR(e->message));
	return lambda_fail(c, &lambda_err_invalid_parameter_value,
			   "Error occurred while GetObject. S3 Error Code: %s. S3 Error Message: %.*s", e->err->code, STR(e->message));
}

/* The object is read with the caller's rights. */
static int from_s3(struct call *c, const struct lambda_source *s, struct taking *t)
{
	struct s3_get_object_request in = { .bucket = s->bucket, .key = s->key, .version_id = s->object_version };
	struct s3_get_object_output out = { 0 };
	struct call_facts facts = c->facts;
	struct call_error err = { 0 };
	char *piece;
	ssize_t n = 0;
	int r;

	facts.invoked_by = S("lambda.amazonaws.com");
	facts.secure_transport = true; /* it crosses no wire */
	r = cloud_invoke(c->cloud, c->region, c->who, &facts, &s3_model, wire_op(&s3_model, S("GetObject")), &in, &out, c->arena, &err);
	if (r < 0)
		return s3_refused(c, r, &err);
	piece = xmalloc(READ_BYTES);
	while (r == 0 && out.body && (n = out.body->read(out.body, piece, READ_BYTES)) > 0)
		r = take_piece(t, str_of(piece, (size_t)n));
	free(piece);
	if (out.body)
		out.body->free(out.body);
	return r < 0 ? r : n < 0 ? (int)n : 0;
}

static int refuse_archive(struct call *c, int r, const char *why)
{
	if (r == -EFBIG)
		return lambda_fail(c, &lambda_err_invalid_parameter_value, "Unzipped size must be smaller than %lld bytes",
				   (long long)LAMBDA_UNZIPPED_BYTES_MAX);
	if (r == -EBADMSG)
		return lambda_fail(c, &lambda_err_invalid_parameter_value,
				   "Could not unzip uploaded file. Please check your file, then try to upload again: %s.", why);
	return r;
}

static int take_in(struct call *c, const struct lambda_source *s, struct taking *t)
{
	int r;

	if (s->bucket.p)
		r = from_s3(c, s, t);
	else
		r = take_piece(t, s->zip);
	if (r == 0 && t->bytes == 0)
		return lambda_fail(c, &lambda_err_invalid_parameter_value, "Uploaded file must be a non-empty zip");
	return r == -EFBIG && !c->err ? refuse_archive(c, r, "") : r;
}

int lambda_code_take(struct call *c, const struct lambda_source *s, struct lambda_code *ret)
{
	struct unpacking u = { c->region, c->arena, random_hex(c->arena, FILE_ID_DIGITS), 0 };
	struct taking t = { .hash = hash_new(HASH_SHA256) };
	const char *why = "it is damaged";
	uint8_t digest[32];
	int r = file_begin(lambda_files(c->region), &t.w);

	if (r == 0) {
		r = take_in(c, s, &t);
		if (r == 0)
			r = file_finish(t.w, u.file);
		else
			file_abort(t.w);
	}
	(void)hash_end(t.hash, digest);
	(void)hash_free(t.hash);
	if (r < 0)
		return r;
	r = with_archive(c->region, u.file, c->arena, unpack, &u, &why);
	if (r < 0) {
		lambda_code_drop(c->region, u.file);
		return refuse_archive(c, r, why);
	}
	*ret = (struct lambda_code){ u.file, base64_encode(c->arena, str_of((char *)digest, 32)), t.bytes, u.bytes };
	return 0;
}
