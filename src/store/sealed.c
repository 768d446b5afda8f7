/* SPDX-License-Identifier: Apache-2.0 */
/* sealed.c - encrypted files, frame by frame. Buffers are as large as what is in work needs, and wiped where they held
 * plaintext. */
#include "store/sealed.h"
#include "base/arena.h"
#include "base/util.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define SEALED_BYTES (SEALED_FRAME_BYTES + SEAL_TAG_BYTES)
#define PLAIN_BYTES_FIRST 16384 /* of a writer's buffer; grows to a whole frame */

struct sealed_writer {
	struct files *files;
	struct file_writer *file; /* NULL: not begun */
	struct str purpose;
	uint8_t key[32];
	uint64_t frame;
	size_t fill, cap;
	int failed;
	uint8_t *plain, *sealed; /* sealed: of the last frame that was, or NULL */
	size_t sealed_cap;
};
struct sealed_reader {
	int fd;           /* -1: of bytes */
	struct str bytes; /* the whole file */
	struct str purpose;
	uint8_t key[32];
	uint64_t size, pos, to, frame; /* frame: held in plain, when held */
	bool held;
	size_t have, cap, used; /* used: bytes of plain that ever held plaintext */
	uint8_t *plain, *sealed;
};

static void frame_nonce(uint8_t nonce[SEAL_NONCE_BYTES], uint64_t frame, bool last)
{
	memset(nonce, 0, SEAL_NONCE_BYTES);
	for (int i = 7; i >= 0; i--, frame >>= 8)
		nonce[i] = (uint8_t)frame;
	nonce[8] = last;
}

/* --- writing --- */

int sealed_begin(struct files *f, const char *purpose, struct sealed_writer **ret)
{
	struct sealed_writer *w = xzalloc(sizeof *w);

	w->files = f;
	w->purpose = str_c(purpose);
	random_bytes(w->key, sizeof w->key);
	*ret = w;
	return 0;
}

static int seal_frame(struct sealed_writer *w, uint64_t frame, bool last)
{
	uint8_t nonce[SEAL_NONCE_BYTES];

	if (w->sealed_cap < w->fill + SEAL_TAG_BYTES) {
		w->sealed_cap = w->fill + SEAL_TAG_BYTES;
		w->sealed = xrealloc(w->sealed, w->sealed_cap);
	}
	frame_nonce(nonce, frame, last);
	return aes_gcm_seal(w->key, nonce, w->purpose, str_of((char *)w->plain, w->fill), w->sealed);
}

static int flush(struct sealed_writer *w, bool last)
{
	int r = w->file ? 0 : file_begin(w->files, &w->file);

	if (r == 0)
		r = seal_frame(w, w->frame++, last);
	if (r == 0)
		r = file_write(w->file, w->sealed, w->fill + SEAL_TAG_BYTES);
	w->fill = 0;
	return r;
}

static void plain_grow(struct sealed_writer *w, size_t need)
{
	size_t cap = need <= PLAIN_BYTES_FIRST ? PLAIN_BYTES_FIRST : SEALED_FRAME_BYTES;
	uint8_t *p = xmalloc(cap);

	if (w->fill)
		memcpy(p, w->plain, w->fill);
	if (w->plain)
		mem_wipe(w->plain, w->cap);
	free(w->plain);
	w->plain = p;
	w->cap = cap;
}

int sealed_write(struct sealed_writer *w, const void *p, size_t n)
{
	while (n && !w->failed) {
		size_t room = SEALED_FRAME_BYTES - w->fill, k = n < room ? n : room;

		if (!room) { /* more follows: this one was not the last */
			w->failed = flush(w, false);
			continue;
		}
		if (w->cap < w->fill + k)
			plain_grow(w, w->fill + k);
		memcpy(w->plain + w->fill, p, k);
		w->fill += k;
		p = (const char *)p + k;
		n -= k;
	}
	return w->failed;
}

void sealed_key(const struct sealed_writer *w, uint8_t ret[32])
{
	memcpy(ret, w->key, 32);
}

static void writer_free(struct sealed_writer *w)
{
	if (w->plain)
		mem_wipe(w->plain, w->cap);
	free(w->plain);
	free(w->sealed);
	mem_wipe(w, sizeof *w);
	free(w);
}

int sealed_finish(struct sealed_writer *w, struct str id)
{
	int r = w->failed ? w->failed : flush(w, true), e;

	if (r < 0)
		file_abort(w->file);
	else if ((e = file_finish(w->file, id)) < 0)
		r = e;
	writer_free(w);
	return r;
}

int sealed_small(struct sealed_writer *w, size_t max, struct str *ret)
{
	int r;

	if (w->file || w->failed || w->frame || w->fill > max)
		return 0;
	r = seal_frame(w, 0, true);
	if (r < 0)
		return r;
	*ret = str_of((char *)w->sealed, w->fill + SEAL_TAG_BYTES);
	return 1;
}

void sealed_abort(struct sealed_writer *w)
{
	if (!w)
		return;
	file_abort(w->file);
	writer_free(w);
}

/* --- reading --- */

static struct sealed_reader *reader_new(const uint8_t key[32], const char *purpose, uint64_t size, uint64_t from, uint64_t to)
{
	struct sealed_reader *r = xzalloc(sizeof *r);

	assert(from <= to && to <= size);
	r->fd = -1;
	r->purpose = str_c(purpose);
	memcpy(r->key, key, 32);
	r->size = size;
	r->pos = from;
	r->to = to;
	r->cap = size < SEALED_FRAME_BYTES ? (size_t)size : SEALED_FRAME_BYTES;
	return r;
}

int sealed_open(struct files *f, struct str id, const uint8_t key[32], const char *purpose, uint64_t size, uint64_t from, uint64_t to,
		struct sealed_reader **ret)
{
	uint64_t bytes;
	int fd, e = file_open_read(f, id, &fd, &bytes);

	if (e < 0)
		return e;
	*ret = reader_new(key, purpose, size, from, to);
	(*ret)->fd = fd;
	return 0;
}

int sealed_open_bytes(struct str bytes, const uint8_t key[32], const char *purpose, uint64_t size, uint64_t from, uint64_t to,
		      struct sealed_reader **ret)
{
	if (size > SEALED_FRAME_BYTES || bytes.n != size + SEAL_TAG_BYTES)
		return -EBADMSG;
	*ret = reader_new(key, purpose, size, from, to);
	(*ret)->bytes = bytes;
	return 0;
}

/* fetch gets the n sealed bytes of a frame. */
static int fetch(struct sealed_reader *r, uint64_t frame, size_t n, struct str *ret)
{
	size_t got = 0;

	if (r->fd < 0) {
		*ret = r->bytes;
		return 0;
	}
	if (!r->sealed)
		r->sealed = xmalloc(r->cap + SEAL_TAG_BYTES);
	while (got < n) {
		ssize_t k = pread(r->fd, r->sealed + got, n - got, (off_t)(frame * SEALED_BYTES + got));

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return k < 0 ? -errno : -EBADMSG;
		got += (size_t)k;
	}
	*ret = str_of((char *)r->sealed, n);
	return 0;
}

/* frame_open decrypts a frame to out, or to plain when out has no room for it. *ret_n: its bytes. */
static int frame_open(struct sealed_reader *r, uint64_t frame, uint8_t *out, size_t room, size_t *ret_n)
{
	uint64_t last = r->size ? (r->size - 1) / SEALED_FRAME_BYTES : 0;
	size_t n = frame == last ? (size_t)(r->size - frame * SEALED_FRAME_BYTES) : SEALED_FRAME_BYTES;
	uint8_t nonce[SEAL_NONCE_BYTES];
	struct str sealed;
	int e = fetch(r, frame, n + SEAL_TAG_BYTES, &sealed);

	if (e < 0)
		return e;
	r->held = room < n;
	if (r->held) {
		if (!r->plain)
			r->plain = xmalloc(r->cap ? r->cap : 1);
		r->used = n > r->used ? n : r->used;
		out = r->plain;
	}
	frame_nonce(nonce, frame, frame == last);
	if (aes_gcm_open(r->key, nonce, r->purpose, sealed, out) < 0) {
		r->held = false;
		return -EBADMSG;
	}
	r->frame = frame;
	r->have = n;
	*ret_n = n;
	return 0;
}

ssize_t sealed_read(struct sealed_reader *r, char *buf, size_t n)
{
	uint64_t frame = r->pos / SEALED_FRAME_BYTES;
	size_t at = (size_t)(r->pos % SEALED_FRAME_BYTES), k;
	int e;

	if (r->pos >= r->to)
		return 0;
	if (!r->held || r->frame != frame) {
		/* A frame that is wanted whole needs no buffer of ours. */
		bool whole = at == 0 && r->to - r->pos >= (r->size - r->pos < SEALED_FRAME_BYTES ? r->size - r->pos : SEALED_FRAME_BYTES);

		e = frame_open(r, frame, (uint8_t *)buf, whole ? n : 0, &k);
		if (e < 0)
			return e;
		if (!r->held) {
			r->pos += k;
			return (ssize_t)k;
		}
	}
	k = r->have - at;
	k = k < n ? k : n;
	k = k < r->to - r->pos ? k : (size_t)(r->to - r->pos);
	memcpy(buf, r->plain + at, k);
	r->pos += k;
	return k ? (ssize_t)k : -EBADMSG;
}

void sealed_close(struct sealed_reader *r)
{
	if (!r)
		return;
	if (r->fd >= 0)
		(void)close(r->fd);
	if (r->used)
		mem_wipe(r->plain, r->used);
	free(r->plain);
	free(r->sealed);
	mem_wipe(r, sizeof *r);
	free(r);
}
