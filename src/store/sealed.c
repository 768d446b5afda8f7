/* SPDX-License-Identifier: Apache-2.0 */
/* sealed.c - encrypted files, frame by frame. */
#include "store/sealed.h"
#include "base/arena.h"
#include "base/util.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define SEALED_BYTES (SEALED_FRAME_BYTES + SEAL_TAG_BYTES)

struct sealed_writer {
	struct file_writer *file;
	struct str purpose;
	uint8_t key[32];
	uint64_t frame;
	size_t fill;
	int failed;
	uint8_t plain[SEALED_FRAME_BYTES], sealed[SEALED_BYTES];
};
struct sealed_reader {
	int fd;
	struct str purpose;
	uint8_t key[32];
	uint64_t size, pos, to, frame; /* frame: held in plain, when held */
	bool held;
	size_t have;
	uint8_t plain[SEALED_FRAME_BYTES], sealed[SEALED_BYTES];
};

static void frame_nonce(uint8_t nonce[SEAL_NONCE_BYTES], uint64_t frame, bool last)
{
	memset(nonce, 0, SEAL_NONCE_BYTES);
	for (int i = 7; i >= 0; i--, frame >>= 8)
		nonce[i] = (uint8_t)frame;
	nonce[8] = last;
}

int sealed_begin(struct files *f, const char *purpose, struct sealed_writer **ret)
{
	struct sealed_writer *w = xzalloc(sizeof *w);
	int r = file_begin(f, &w->file);

	if (r < 0) {
		free(w);
		return r;
	}
	w->purpose = str_c(purpose);
	random_bytes(w->key, sizeof w->key);
	*ret = w;
	return 0;
}

static int flush(struct sealed_writer *w, bool last)
{
	uint8_t nonce[SEAL_NONCE_BYTES];
	int r;

	frame_nonce(nonce, w->frame++, last);
	r = aes_gcm_seal(w->key, nonce, w->purpose, str_of((char *)w->plain, w->fill), w->sealed);
	if (r == 0)
		r = file_write(w->file, w->sealed, w->fill + SEAL_TAG_BYTES);
	w->fill = 0;
	return r;
}

int sealed_write(struct sealed_writer *w, const void *p, size_t n)
{
	while (n && !w->failed) {
		size_t room = SEALED_FRAME_BYTES - w->fill, k = n < room ? n : room;

		if (!room) { /* more follows: this one was not the last */
			w->failed = flush(w, false);
			continue;
		}
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

void sealed_abort(struct sealed_writer *w)
{
	if (!w)
		return;
	file_abort(w->file);
	writer_free(w);
}

int sealed_open(struct files *f, struct str id, const uint8_t key[32], const char *purpose, uint64_t size, uint64_t from, uint64_t to,
		struct sealed_reader **ret)
{
	struct sealed_reader *r;
	uint64_t bytes;
	int fd, e = file_open_read(f, id, &fd, &bytes);

	assert(from <= to && to <= size);
	if (e < 0)
		return e;
	r = xzalloc(sizeof *r);
	r->fd = fd;
	r->purpose = str_c(purpose);
	memcpy(r->key, key, 32);
	r->size = size;
	r->pos = from;
	r->to = to;
	*ret = r;
	return 0;
}

static int frame_read(struct sealed_reader *r, uint64_t frame)
{
	uint64_t last = r->size ? (r->size - 1) / SEALED_FRAME_BYTES : 0;
	size_t n = frame == last ? (size_t)(r->size - frame * SEALED_FRAME_BYTES) : SEALED_FRAME_BYTES, got = 0;
	uint8_t nonce[SEAL_NONCE_BYTES];

	while (got < n + SEAL_TAG_BYTES) {
		ssize_t k = pread(r->fd, r->sealed + got, n + SEAL_TAG_BYTES - got, (off_t)(frame * SEALED_BYTES + got));

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return k < 0 ? -errno : -EBADMSG;
		got += (size_t)k;
	}
	frame_nonce(nonce, frame, frame == last);
	r->held = false;
	if (aes_gcm_open(r->key, nonce, r->purpose, str_of((char *)r->sealed, n + SEAL_TAG_BYTES), r->plain) < 0)
		return -EBADMSG;
	r->frame = frame;
	r->have = n;
	r->held = true;
	return 0;
}

ssize_t sealed_read(struct sealed_reader *r, char *buf, size_t n)
{
	size_t at, k;
	int e;

	if (r->pos >= r->to)
		return 0;
	if (!r->held || r->frame != r->pos / SEALED_FRAME_BYTES) {
		e = frame_read(r, r->pos / SEALED_FRAME_BYTES);
		if (e < 0)
			return e;
	}
	at = (size_t)(r->pos % SEALED_FRAME_BYTES);
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
	(void)close(r->fd);
	mem_wipe(r, sizeof *r);
	free(r);
}
