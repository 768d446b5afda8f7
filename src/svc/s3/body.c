/* SPDX-License-Identifier: Apache-2.0 */
/* body.c - bodies, on their way in and out.
 *
 * Each is encrypted under a key of its own, as store/sealed.h says, in a file beside the store; one of at most S3_SMALL_BYTES_MAX
 * is kept, in the same form, in the store. The body's key is stored wrapped, in the record that refers to it; see seal.c. */
#include "svc/s3/s3_int.h"
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#define PURPOSE "s3" /* bound to the bytes of every body */
#define REGIONS_MAX 64

const char *const s3_sum_names[S3_SUMS] = { "CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256" };
static const enum hash_kind sum_hash[S3_SUMS] = { HASH_CRC32, HASH_CRC32C, HASH_CRC64NVME, HASH_SHA1, HASH_SHA256 };

int s3_sum_kind(struct str name)
{
	for (int i = 0; i < S3_SUMS; i++)
		if (str_eq_ci(name, str_c(s3_sum_names[i])))
			return i;
	return -ENOTSUP;
}

/* --- one set of files a region; kept for the life of the process, since answers may outlive a region's stop --- */
static struct {
	_Atomic(char *) dir; /* set last: who sees it sees the rest */
	struct files *files;
} sets[REGIONS_MAX];
static pthread_mutex_t sets_lock = PTHREAD_MUTEX_INITIALIZER; /* for adding one */

struct files *s3_files(struct region *r)
{
	const char *dir;

	for (int i = 0; i < REGIONS_MAX && (dir = sets[i].dir); i++)
		if (strcmp(dir, r->dir) == 0)
			return sets[i].files;
	assert(!"s3_files_open comes first");
	return NULL;
}

static int referenced(void *arg, struct str id)
{
	struct keybuf k;
	struct str v;
	int r;

	key_begin(&k, S(""), "s3.file");
	key_str(&k, id);
	r = store_get(arg, key_view(&k), &v);
	return r == 0 ? 1 : r == -ENOENT ? 0 : r;
}

int s3_files_open(struct region *r, struct store_txn *t)
{
	struct files *f = NULL;
	int i, e;

	pthread_mutex_lock(&sets_lock);
	for (i = 0; i < REGIONS_MAX && sets[i].dir; i++)
		if (strcmp(sets[i].dir, r->dir) == 0)
			break;
	if (i == REGIONS_MAX) {
		pthread_mutex_unlock(&sets_lock);
		return -EMFILE;
	}
	f = sets[i].files;
	e = f ? 0 : files_open(r->dir, &f);
	if (e == 0 && !sets[i].files) {
		sets[i].files = f;
		sets[i].dir = xstrdup(r->dir);
	}
	pthread_mutex_unlock(&sets_lock);
	if (e < 0)
		return e;
	e = files_sweep(f, referenced, t);
	if (e > 0)
		log_line(LOG_INFO, "s3: %.*s: %d bodies that no object refers to were removed", STR(r->name), e);
	return e < 0 ? e : 0;
}

/* --- coming in --- */
static int sink_write(struct body *b, struct str piece)
{
	struct s3_sink *s = (struct s3_sink *)b;

	s->total += piece.n;
	if (s->total > s->total_max)
		return -EFBIG;
	hash_add(s->md5, piece.p, piece.n);
	hash_add(s->crc64, piece.p, piece.n);
	if (s->sum)
		hash_add(s->sum, piece.p, piece.n);
	return sealed_write(s->writer, piece.p, piece.n);
}

static void digest_text(struct arena *a, struct hash *h, char *out, size_t room)
{
	uint8_t d[32];
	size_t n = hash_end(h, d);
	struct str t = base64_encode(a, str_of((char *)d, n));

	assert(t.n < room);
	memcpy(out, t.p, t.n);
	out[t.n] = 0;
}

static void want(char *out, size_t room, struct str v)
{
	if (v.n < room) {
		memcpy(out, v.p, v.n);
		out[v.n] = 0;
	} else {
		out[0] = '?'; /* never equal to a digest */
		out[1] = 0;
	}
}

static int sink_end(struct body *b, const struct http_header *trailers, size_t n)
{
	struct s3_sink *s = (struct s3_sink *)b;
	struct arena a = { 0 };
	struct str id;
	int r;

	for (size_t i = 0; i < n && s->trailer; i++)
		if (str_eq_ci(trailers[i].name,
			      str_printf(&a, "x-amz-checksum-%s", s3_sum_names[s->kind < 0 ? S3_SUM_CRC64NVME : s->kind])))
			want(s->want_sum, sizeof s->want_sum, trailers[i].value);
	(void)hash_end(s->md5, s->md5_bytes);
	digest_text(&a, s->crc64, s->crc64_text, sizeof s->crc64_text);
	if (s->sum)
		digest_text(&a, s->sum, s->sum_text, sizeof s->sum_text);
	else
		memcpy(s->sum_text, s->crc64_text, sizeof s->crc64_text);
	if (s->want_md5[0] && !str_is(base64_encode(&a, str_of((char *)s->md5_bytes, 16)), s->want_md5))
		s->bad = "Content-MD5";
	else if (s->want_sum[0] && strcmp(s->want_sum, s->sum_text) != 0)
		s->bad = s3_sum_names[s->kind < 0 ? S3_SUM_CRC64NVME : s->kind];
	else if (s->trailer && !s->want_sum[0])
		s->bad = "trailer";
	if (s->bad) {
		sealed_abort(s->writer);
		s->writer = NULL;
		arena_done(&a);
		return 0; /* the handler says what it was */
	}
	id = random_hex(&a, 32);
	memcpy(s->file, id.p, id.n);
	r = sealed_small(s->writer, S3_SMALL_BYTES_MAX, &s->small);
	if (r == 0) {
		r = sealed_finish(s->writer, id);
		s->writer = NULL;
		s->finished = r == 0;
	}
	arena_done(&a);
	return r < 0 ? r : 0;
}

static void sink_free(struct body *b)
{
	struct s3_sink *s = (struct s3_sink *)b;

	sealed_abort(s->writer);
	if (s->finished && !s->kept)
		(void)file_unlink(s->files, str_c(s->file));
	hash_free(s->md5);
	hash_free(s->sum);
	hash_free(s->crc64);
	mem_wipe(s->file_key, sizeof s->file_key);
	free(s);
}

struct s3_sink *s3_sink_new(struct region *r, uint64_t total_max)
{
	struct s3_sink *s = xzalloc(sizeof *s);

	s->b = (struct body){ .write = sink_write, .end = sink_end, .free = sink_free };
	s->files = s3_files(r);
	s->total_max = total_max;
	s->kind = -1;
	return s;
}

int s3_sink_begin(struct s3_sink *s)
{
	int r = sealed_begin(s->files, PURPOSE, &s->writer);

	if (r < 0)
		return r;
	sealed_key(s->writer, s->file_key);
	s->md5 = hash_new(HASH_MD5);
	s->crc64 = hash_new(HASH_CRC64NVME);
	if (s->kind >= 0 && s->kind != S3_SUM_CRC64NVME)
		s->sum = hash_new(sum_hash[s->kind]);
	return 0;
}

int s3_sink_store(struct call *c, const struct s3_sink *s)
{
	return s->small.p ? s3_small_put(c->txn, str_c(s->file), s->small) : 0;
}

int s3_sink_verify(struct call *c, const struct s3_sink *s)
{
	if (!s->bad)
		return 0;
	if (strcmp(s->bad, "Content-MD5") == 0)
		return call_fail(c, &s3_err_bad_digest, "The Content-MD5 you specified did not match what we received.");
	if (strcmp(s->bad, "trailer") == 0)
		return call_fail(c, &s3_err_invalid_request, "The value specified in the x-amz-trailer header is not supported");
	return call_fail(c, &s3_err_bad_digest, "The %s you specified did not match the calculated checksum.", s->bad);
}

static void keep_hook(struct cloud *cl, struct region *r, void *arg)
{
	((struct s3_sink *)arg)->kept = true;
}

void s3_sink_keep(struct call *c, struct s3_sink *s)
{
	call_on_commit(c, keep_hook, s);
}

/* --- going out --- */
struct source {
	struct body b;
	struct files *files;
	struct s3_piece *pieces;
	size_t n, at;
	struct sealed_reader *reader; /* of the piece that is read, or NULL */
};

static int piece_open(struct source *s)
{
	const struct s3_piece *p = &s->pieces[s->at];

	if (p->bytes.p)
		return sealed_open_bytes(p->bytes, p->key, PURPOSE, p->size, p->from, p->to, &s->reader);
	return sealed_open(s->files, str_c(p->file), p->key, PURPOSE, p->size, p->from, p->to, &s->reader);
}

static ssize_t source_read(struct body *b, char *buf, size_t n)
{
	struct source *s = (struct source *)b;
	ssize_t k;

	for (; s->at < s->n; s->at++) {
		k = s->reader ? 0 : piece_open(s);
		if (k == 0)
			k = sealed_read(s->reader, buf, n);
		if (k < 0)
			log_line(LOG_ERROR, "s3: body %s: %s", s->pieces[s->at].file,
				 k == -EBADMSG ? "damaged: a frame does not authenticate" : strerror((int)-k));
		if (k != 0)
			return k;
		sealed_close(s->reader);
		s->reader = NULL;
	}
	return 0;
}

void s3_pieces_free(struct s3_piece *p, size_t n)
{
	for (size_t i = 0; p && i < n; i++)
		free((char *)(uintptr_t)p[i].bytes.p);
	if (p)
		mem_wipe(p, n * sizeof *p);
	free(p);
}

static void source_free(struct body *b)
{
	struct source *s = (struct source *)b;

	sealed_close(s->reader);
	s3_unpin(s->pieces, s->n);
	s3_pieces_free(s->pieces, s->n);
	free(s);
}

int s3_source_new(struct region *r, struct s3_piece *pieces, size_t n, struct body **ret)
{
	struct source *s = xzalloc(sizeof *s);
	int e = 0;

	s->b = (struct body){ .read = source_read, .free = source_free };
	s->files = s3_files(r);
	s->pieces = pieces;
	s->n = n;
	for (size_t i = 0; i < n; i++)
		s->b.length += pieces[i].to - pieces[i].from;
	/* Pinned, and the first one opened now, so that a body deleted a moment later is still read to its end. */
	s3_pin(pieces, n);
	if (n)
		e = piece_open(s);
	if (e < 0) {
		source_free(&s->b);
		return e;
	}
	*ret = &s->b;
	return 0;
}
