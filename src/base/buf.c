/* SPDX-License-Identifier: Apache-2.0 */
/* buf.c - a growing byte buffer that owns its memory and knows its maximum.
 *
 * Invariant: n <= cap <= max. Once overflow is set nothing more is written, so a truncated text is never mistaken for
 * a complete one. */
#include "base/buf.h"

#include <assert.h>
#include <errno.h>

#include "base/arena.h"

#define BUF_FIRST_BYTES 256

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void buf_done(struct buf *b)
{
	free(b->p);
	*b = (struct buf){ 0 };
}

void buf_clear(struct buf *b)
{
	b->n = 0;
	b->overflow = false;
}

char *buf_reserve(struct buf *b, size_t n)
{
	size_t cap;

	assert(b->n <= b->cap);
	if (!b->overflow && b->p && b->cap - b->n >= n)
		return b->p + b->n;
	if (b->overflow || n > b->max - b->n) {
		b->overflow = true;
		return NULL;
	}
	cap = b->cap > b->max / 2 ? b->max : b->cap * 2;
	if (cap < b->n + n)
		cap = b->n + n;
	if (cap < BUF_FIRST_BYTES)
		cap = b->max < BUF_FIRST_BYTES ? b->max : BUF_FIRST_BYTES;
	b->p = xrealloc(b->p, cap);
	b->cap = cap;
	return b->p + b->n;
}

void buf_put(struct buf *b, const void *p, size_t n)
{
	char *to;

	if (n == 0)
		return;
	to = buf_reserve(b, n);
	if (!to)
		return;
	memcpy(to, p, n);
	b->n += n;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	char small[512];
	va_list ap;
	char *large;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(small, sizeof small, fmt, ap);
	va_end(ap);
	assert(n >= 0); /* our own formats are valid */
	if ((size_t)n < sizeof small) {
		buf_put(b, small, (size_t)n);
		return;
	}
	if ((size_t)n > b->max - b->n) {
		b->overflow = true;
		return;
	}
	large = xmalloc((size_t)n + 1); /* not in place: vsnprintf wants a byte more than may be left */
	va_start(ap, fmt);
	vsnprintf(large, (size_t)n + 1, fmt, ap);
	va_end(ap);
	buf_put(b, large, (size_t)n);
	free(large);
}
