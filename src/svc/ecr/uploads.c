/* SPDX-License-Identifier: Apache-2.0 */
/* uploads.c - the files of layers, and layers on their way in.
 *
 * An upload is one encrypted file that grows, with a running digest, so that a layer of any size takes the same little memory. It
 * lives in memory and in a temporary file: a restart forgets it, and clients push that layer again. Only who began an upload,
 * in the repository it was begun for, finds it. */
#include "svc/ecr/ecr_int.h"
#include "store/sealed.h"
#include <assert.h>
#include <errno.h>
#include <pthread.h>

#define REGIONS_MAX 64
#define UPLOADS_MAX 512
#define UPLOAD_CROWDED_IDLE_MS (5LL * 60 * 1000)
#define PURPOSE "ecr"

/* One set of files a region; kept for the life of the process, since answers may outlive a region's stop. */
static struct {
	char *dir;
	struct files *files;
} sets[REGIONS_MAX];
static pthread_mutex_t sets_lock = PTHREAD_MUTEX_INITIALIZER;

struct files *ecr_files(struct region *r)
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

static int referenced(void *arg, struct str id)
{
	struct keybuf k;
	struct str v;
	int r;

	key_begin(&k, S(""), "ecr.file");
	key_str(&k, id);
	r = store_get(arg, key_view(&k), &v);
	return r == 0 ? 1 : r == -ENOENT ? 0 : r;
}

/* The set of a region, opened when it is asked for the first time. */
static int open_set(struct region *r, struct files **ret)
{
	struct arena a = { 0 };
	int i, e = 0;

	pthread_mutex_lock(&sets_lock);
	for (i = 0; i < REGIONS_MAX && sets[i].dir; i++)
		if (strcmp(sets[i].dir, r->dir) == 0)
			break;
	if (i == REGIONS_MAX)
		e = -EMFILE;
	else if (!sets[i].files) {
		e = files_open(str_printf(&a, "%s/ecr", r->dir).p, &sets[i].files);
		if (e == 0)
			sets[i].dir = xstrdup(r->dir);
	}
	if (e == 0)
		*ret = sets[i].files;
	pthread_mutex_unlock(&sets_lock);
	arena_done(&a);
	return e;
}

int ecr_files_open(struct region *r, struct store_txn *t)
{
	struct files *f = NULL;
	int e = open_set(r, &f);

	if (e < 0)
		return e;
	e = files_sweep(f, referenced, t);
	if (e > 0)
		log_line(LOG_INFO, "ecr: %.*s: %d files that no layer refers to were removed", STR(r->name), e);
	return e < 0 ? e : 0;
}

/* --- uploads --- */
struct ecr_upload {
	char id[40];
	struct region *region;
	struct files *files;
	char *repo, *owner;
	struct sealed_writer *writer;
	struct hash *sha;
	int64_t touched_ms;
	bool busy, over; /* over: goes when it is given back */
	bool finished, kept;
	struct ecr_uploaded done;
	char *mount_repo, *mount_digest;
};
static struct ecr_upload *uploads[UPLOADS_MAX];
static pthread_mutex_t uploads_lock = PTHREAD_MUTEX_INITIALIZER;

static struct str owner_of(struct arena *a, const struct principal *who)
{
	return str_printf(a, "%d %.*s %.*s", (int)who->p.type, STR(who->p.arn.p ? who->p.arn : who->p.service), STR(who->p.unique_id));
}

/* Under the lock or not in the table any more. */
static void upload_free(struct ecr_upload *u)
{
	sealed_abort(u->writer);
	if (u->finished && !u->kept)
		(void)file_unlink(u->files, str_c(u->done.file));
	hash_free(u->sha);
	free(u->repo);
	free(u->owner);
	free(u->mount_repo);
	free(u->mount_digest);
	mem_wipe(u, sizeof *u);
	free(u);
}

static void remove_locked(size_t i)
{
	upload_free(uploads[i]);
	uploads[i] = NULL;
}

/* A free place; when there is none, that of the upload that has been idle for longest, if that is long enough. */
static ptrdiff_t place(int64_t now_ms)
{
	ptrdiff_t oldest = -1;

	for (ptrdiff_t i = 0; i < UPLOADS_MAX; i++) {
		if (!uploads[i])
			return i;
		if (!uploads[i]->busy && (oldest < 0 || uploads[i]->touched_ms < uploads[oldest]->touched_ms))
			oldest = i;
	}
	if (oldest < 0 || uploads[oldest]->touched_ms + UPLOAD_CROWDED_IDLE_MS > now_ms)
		return -EBUSY;
	remove_locked((size_t)oldest);
	return oldest;
}

int ecr_upload_begin(struct call *c, const struct ecr_rec_repository *p, struct str *ret_id)
{
	struct ecr_upload *u = xzalloc(sizeof *u);
	struct str id = random_uuid(c->arena);
	ptrdiff_t at;
	int r = 0;

	assert(id.n < sizeof u->id);
	memcpy(u->id, id.p, id.n);
	u->region = c->region;
	u->files = ecr_files(c->region);
	u->repo = xstrdup(str_z(c->arena, p->id));
	u->owner = xstrdup(str_z(c->arena, owner_of(c->arena, c->who)));
	u->touched_ms = c->now_ms;
	pthread_mutex_lock(&uploads_lock);
	at = place(c->now_ms);
	r = at < 0 ? (int)at : sealed_begin(u->files, PURPOSE, &u->writer);
	if (r == 0) {
		u->sha = hash_new(HASH_SHA256);
		uploads[at] = u;
	}
	pthread_mutex_unlock(&uploads_lock);
	if (r < 0)
		upload_free(u);
	else
		*ret_id = id;
	return r;
}

int ecr_upload_take(struct region *r, const struct ecr_rec_repository *p, const struct principal *who, struct str id,
		    struct ecr_upload **ret)
{
	struct arena a = { 0 };
	struct str owner = owner_of(&a, who);
	int e = -ENOENT;

	pthread_mutex_lock(&uploads_lock);
	for (size_t i = 0; i < UPLOADS_MAX && e == -ENOENT; i++) {
		struct ecr_upload *u = uploads[i];

		if (!u || u->over || u->region != r || !str_is(id, u->id) || !str_is(p->id, u->repo) || !str_is(owner, u->owner))
			continue;
		e = u->busy ? -EBUSY : 0;
		if (e == 0) {
			u->busy = true;
			u->touched_ms = clock_now_ms();
			*ret = u;
		}
	}
	pthread_mutex_unlock(&uploads_lock);
	arena_done(&a);
	return e;
}

static void settle_locked(struct ecr_upload *u)
{
	for (size_t i = 0; i < UPLOADS_MAX; i++)
		if (uploads[i] == u) {
			remove_locked(i);
			return;
		}
}

void ecr_upload_give(struct ecr_upload *u)
{
	pthread_mutex_lock(&uploads_lock);
	assert(u->busy);
	u->busy = false;
	u->touched_ms = clock_now_ms();
	if (u->over)
		settle_locked(u);
	pthread_mutex_unlock(&uploads_lock);
}

void ecr_upload_drop(struct ecr_upload *u)
{
	pthread_mutex_lock(&uploads_lock);
	assert(u->busy);
	settle_locked(u);
	pthread_mutex_unlock(&uploads_lock);
}

int ecr_upload_write(struct ecr_upload *u, struct str piece)
{
	int r;

	if (u->finished || !u->writer)
		return -EINVAL;
	if (u->done.bytes + piece.n > ECR_LAYER_BYTES_MAX)
		return -EFBIG;
	r = sealed_write(u->writer, piece.p, piece.n);
	if (r < 0)
		return r;
	hash_add(u->sha, piece.p, piece.n);
	u->done.bytes += piece.n;
	return 0;
}

uint64_t ecr_upload_bytes(const struct ecr_upload *u)
{
	return u->done.bytes;
}

/* A call may be run again after a rollback: what is finished stays so. */
int ecr_upload_finish(struct ecr_upload *u, const struct ecr_uploaded **ret)
{
	struct arena a = { 0 };
	uint8_t digest[32];
	struct str id, text;
	int r;

	*ret = &u->done;
	if (u->finished)
		return 0;
	if (!u->writer)
		return -EIO; /* an earlier attempt failed */
	id = random_hex(&a, 32);
	memcpy(u->done.file, id.p, id.n);
	hash_end(u->sha, digest);
	text = str_printf(&a, "sha256:%.*s", STR(hex_encode(&a, digest, sizeof digest)));
	memcpy(u->done.digest, text.p, text.n);
	sealed_key(u->writer, u->done.key);
	r = sealed_finish(u->writer, id);
	u->writer = NULL;
	u->finished = r == 0;
	arena_done(&a);
	return r;
}

struct kept {
	struct ecr_upload *u;
	char id[40];
};

/* The upload may be gone meanwhile, its place taken by another one: known by its id. */
static void keep_hook(struct cloud *cl, struct region *r, void *arg)
{
	const struct kept *k = arg;

	pthread_mutex_lock(&uploads_lock);
	for (size_t i = 0; i < UPLOADS_MAX; i++) {
		struct ecr_upload *u = uploads[i];

		if (!u || u != k->u || strcmp(u->id, k->id) != 0)
			continue;
		u->kept = u->over = true;
		if (!u->busy)
			remove_locked(i);
	}
	pthread_mutex_unlock(&uploads_lock);
}

void ecr_upload_keep(struct call *c, struct ecr_upload *u)
{
	struct kept *k = arena_new(c->arena, struct kept);

	k->u = u;
	memcpy(k->id, u->id, sizeof k->id);
	call_on_commit(c, keep_hook, k);
}

void ecr_upload_mount(struct ecr_upload *u, struct str repo, struct str digest)
{
	struct arena a = { 0 };

	free(u->mount_repo);
	free(u->mount_digest);
	u->mount_repo = repo.p ? xstrdup(str_z(&a, repo)) : NULL;
	u->mount_digest = repo.p ? xstrdup(str_z(&a, digest)) : NULL;
	arena_done(&a);
}

bool ecr_upload_mounted(const struct ecr_upload *u, struct str *ret_repo, struct str *ret_digest)
{
	if (!u->mount_repo)
		return false;
	*ret_repo = str_c(u->mount_repo);
	*ret_digest = str_c(u->mount_digest);
	return true;
}

void ecr_uploads_reap(struct region *r, int64_t now_ms)
{
	pthread_mutex_lock(&uploads_lock);
	for (size_t i = 0; i < UPLOADS_MAX; i++)
		if (uploads[i] && !uploads[i]->busy && uploads[i]->region == r && uploads[i]->touched_ms + ECR_UPLOAD_IDLE_MS <= now_ms)
			remove_locked(i);
	pthread_mutex_unlock(&uploads_lock);
}
