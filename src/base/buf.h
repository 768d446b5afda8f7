/* SPDX-License-Identifier: Apache-2.0 */
/* buf.h - a growing byte buffer that owns its memory and knows its maximum.
 *
 * Writing past the maximum sets a sticky overflow flag and drops the bytes; whoever finishes the buffer checks
 * buf_ok(). */
#pragma once
#include "base/str.h"

struct buf {
	char *p;
	size_t n, cap, max;
	bool overflow;
};

void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b);  /* accepts a zeroed buf */
void buf_clear(struct buf *b); /* keeps the memory */
void buf_put(struct buf *b, const void *p, size_t n);
void buf_printf(struct buf *b, const char *fmt, ...) _printf_(2, 3);
char *buf_reserve(struct buf *b, size_t n); /* room for n bytes at the end, or NULL; add to b->n what was used */
static inline void buf_str(struct buf *b, struct str s)
{
	buf_put(b, s.p, s.n);
}
static inline void buf_c(struct buf *b, char c)
{
	if (b->n < b->cap && !b->overflow)
		b->p[b->n++] = c;
	else
		buf_put(b, &c, 1);
}
static inline bool buf_ok(const struct buf *b)
{
	return !b->overflow;
}
static inline struct str buf_view(const struct buf *b)
{
	return str_of(b->p ? b->p : "", b->n);
}
