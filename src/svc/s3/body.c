/* SPDX-License-Identifier: Apache-2.0 */
/* body.c - bodies, encrypted in their files.
 *
 * A file is frames of FRAME_BYTES of plaintext (the last one shorter, an empty body has one empty frame), each sealed with
 * AES-256-GCM under a random key that belongs to this file alone. The nonce is the frame's index and whether it is the
 * last, so frames cannot be moved, dropped or cut off unnoticed, and a range reads only the frames it needs. The file's key
 * is stored wrapped, in the record that refers to the file; see seal.c. */
#include "svc/s3/s3_int.h"
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#define FRAME_BYTES 65536
#define SEALED_BYTES (FRAME_BYTES + SEAL_TAG_BYTES)
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
	char *dir;
	struct files *files;
} sets[REGIONS_MAX];
static pthread_mutex_t sets_lock = PTHREAD_MUTEX_INITIALIZER;

struct files *s3_files(struct region *r)
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

static void frame_nonce(uint8_t nonce[SEAL_NONCE_BYTES], uint64_t frame, bool last)
{
	memset(nonce, 0, SEAL_NONCE_BYTES);
	for (int i = 7; i >= 0; i--, frame >>= 8)
		nonce[i] = (uint8_t)frame;
	nonce[8] = last;
}

/* --- coming in --- */
static int sink_flush(struct s3_sink *s, bool last)
{
	uint8_t nonce[SEAL_NONCE_BYTES];
	int r;

	frame_nonce(nonce, s->frame++, last);
	r = aes_gcm_seal(s->file_key, nonce, S("s3"), str_of((char *)s->plain, s->fill), s->sealed);
	if (r == 0)
		r = file_write(s->writer, s->sealed, s->fill + SEAL_TAG_BYTES);
	s->fill = 0;
	return r;
}

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
	while (piece.n) {
		size_t n = FRAME_BYTES - s->fill < piece.n ? FRAME_BYTES - s->fill : piece.n;
		int r;

		if (s->fill == FRAME_BYTES) { /* more follows: this one was not the last */
			r = sink_flush(s, false);
			if (r < 0)
				return r;
			continue;
		}
		memcpy(s->plain + s->fill, piece.p, n);
		s->fill += n;
		piece = str_skip(piece, n);
	}
	return 0;
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
		file_abort(s->writer);
		s->writer = NULL;
		arena_done(&a);
		return 0; /* the handler says what it was */
	}
	r = sink_flush(s, true);
	id = random_hex(&a, 32);
	memcpy(s->file, id.p, id.n);
	if (r == 0) {
		r = file_finish(s->writer, id);
		s->writer = NULL;
	}
	s->finished = r == 0;
	arena_done(&a);
	return r;
}

static void sink_free(struct body *b)
{
	struct s3_sink *s = (struct s3_sink *)b;

	file_abort(s->writer);
	if (s->finished && !s->kept)
		(void)file_unlink(s->files, str_c(s->file));
	hash_free(s->md5);
	hash_free(s->sum);
	hash_free(s->crc64);
	mem_wipe(s->file_key, sizeof s->file_key);
	if (s->plain)
		mem_wipe(s->plain, FRAME_BYTES);
	free(s->plain);
	free(s->sealed);
	free(s);
}

struct s3_sink *s3_sink_new(struct region *r, uint64_t total_max)
{
	struct s3_sink *s = xzalloc(sizeof *s);

	s->b = (struct body){ .write = sink_write, .end = sink_end, .free = sink_free };
	s->files = s3_files(r);
	s->total_max = total_max;
	s->kind = -1;
	random_bytes(s->file_key, sizeof s->file_key);
	return s;
}

int s3_sink_begin(struct s3_sink *s)
{
	s->plain = xmalloc(FRAME_BYTES);
	s->sealed = xmalloc(SEALED_BYTES);
	s->md5 = hash_new(HASH_MD5);
	s->crc64 = hash_new(HASH_CRC64NVME);
	if (s->kind >= 0 && s->kind != S3_SUM_CRC64NVME)
		s->sum = hash_new(sum_hash[s->kind]);
	return file_begin(s->files, &s->writer);
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
	int fd;
	uint64_t pos; /* next plaintext byte of the file */
	uint8_t *plain, *sealed;
	uint64_t frame; /* held in plain, when have */
	size_t have;
	size_t used; /* bytes of plain that ever held plaintext */
	bool held;
};

static int frame_read(struct source *s, const struct s3_piece *p, uint64_t frame)
{
	uint64_t last = p->size ? (p->size - 1) / FRAME_BYTES : 0;
	size_t n = frame == last ? (size_t)(p->size - frame * FRAME_BYTES) : FRAME_BYTES, got = 0;
	uint8_t nonce[SEAL_NONCE_BYTES];

	while (got < n + SEAL_TAG_BYTES) {
		ssize_t k = pread(s->fd, s->sealed + got, n + SEAL_TAG_BYTES - got, (off_t)(frame * SEALED_BYTES + got));

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return k < 0 ? -errno : -EBADMSG;
		got += (size_t)k;
	}
	frame_nonce(nonce, frame, frame == last);
	s->held = false;
	s->used = n > s->used ? n : s->used;
	if (aes_gcm_open(p->key, nonce, S("s3"), str_of((char *)s->sealed, n + SEAL_TAG_BYTES), s->plain) < 0)
		return -EBADMSG;
	s->frame = frame;
	s->have = n;
	s->held = true;
	return 0;
}

static ssize_t source_read(struct body *b, char *buf, size_t n)
{
	struct source *s = (struct source *)b;
	const struct s3_piece *p;
	uint64_t bytes;
	size_t k, at;
	int r;

	while (s->at < s->n && s->fd >= 0 && s->pos >= s->pieces[s->at].to) {
		(void)close(s->fd);
		s->fd = -1;
		s->held = false;
		s->at++;
	}
	if (s->at == s->n)
		return 0;
	p = &s->pieces[s->at];
	if (s->fd < 0) {
		r = file_open_read(s->files, str_c(p->file), &s->fd, &bytes);
		if (r < 0)
			return r;
		s->pos = p->from;
	}
	if (!s->held || s->frame != s->pos / FRAME_BYTES) {
		r = frame_read(s, p, s->pos / FRAME_BYTES);
		if (r < 0) {
			log_line(LOG_ERROR, "s3: body %s: %s", p->file,
				 r == -EBADMSG ? "damaged: a frame does not authenticate" : strerror(-r));
			return r;
		}
	}
	at = (size_t)(s->pos % FRAME_BYTES);
	k = s->have - at;
	if (k > p->to - s->pos)
		k = (size_t)(p->to - s->pos);
	if (k > n)
		k = n;
	memcpy(buf, s->plain + at, k);
	s->pos += k;
	return k ? (ssize_t)k : -EBADMSG;
}

void s3_pieces_free(struct s3_piece *p, size_t n)
{
	if (p)
		mem_wipe(p, n * sizeof *p);
	free(p);
}

static void source_free(struct body *b)
{
	struct source *s = (struct source *)b;

	if (s->fd >= 0)
		(void)close(s->fd);
	s3_unpin(s->pieces, s->n);
	s3_pieces_free(s->pieces, s->n);
	mem_wipe(s->plain, s->used);
	free(s->plain);
	free(s->sealed);
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
	s->fd = -1;
	s->plain = xmalloc(FRAME_BYTES);
	s->sealed = xmalloc(SEALED_BYTES);
	for (size_t i = 0; i < n; i++)
		s->b.length += pieces[i].to - pieces[i].from;
	/* Pinned, and the first one opened now, so that a body deleted a moment later is still read to its end. */
	s3_pin(pieces, n);
	if (n) {
		e = file_open_read(s->files, str_c(pieces[0].file), &s->fd, &(uint64_t){ 0 });
		s->pos = pieces[0].from;
	}
	if (e < 0) {
		s->fd = -1;
		source_free(&s->b);
		return e;
	}
	*ret = &s->b;
	return 0;
}
