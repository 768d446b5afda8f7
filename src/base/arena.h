/* SPDX-License-Identifier: Apache-2.0 */
/* arena.h - memory that lives as long as one call.
 *
 * Allocation never returns NULL: when the system has no memory left the process aborts with a message, and the
 * supervisor starts it again on the same data. What a client can make us allocate is bounded by the limits on bodies,
 * headers and nesting, not by checking each allocation. Not thread-safe: one owner at a time. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct arena_block;
struct arena {
	struct arena_block *first, *cur;
	size_t used_bytes;
};

void *arena_alloc(struct arena *a, size_t n); /* 16-byte aligned, not zeroed */
void *arena_zalloc(struct arena *a, size_t n);
void *arena_dup(struct arena *a, const void *p, size_t n);
/* arena_grow returns a block of new_n bytes that begins with the old_n bytes at p; in place where p was last. */
void *arena_grow(struct arena *a, void *p, size_t old_n, size_t new_n);
void arena_reset(struct arena *a); /* forgets everything, keeps a first block for the next call */
void arena_done(struct arena *a);  /* frees everything; the arena may be used again */
#define arena_new(a, T) ((T *)arena_zalloc((a), sizeof(T)))
#define arena_array(a, T, n) ((T *)arena_zalloc((a), arena_mul(sizeof(T), (n))))
size_t arena_mul(size_t a, size_t b); /* aborts on overflow */

/* xmalloc and xrealloc: for what outlives a call; abort like the arena does. */
void *xmalloc(size_t n);
void *xzalloc(size_t n);
void *xrealloc(void *p, size_t n);
char *xstrdup(const char *s);

/* vec_push: appends to a growing (pointer, count, capacity) triple whose memory is in the arena, and is the new element:
 * vec_push(a, list, n, cap) = x. Not zeroed. The arguments are evaluated more than once; x must not change n. */
#define vec_push(a, v, n, cap)                                                                                                             \
	(*((n) == (cap)                                                                                                                    \
		   ? (void)((cap) = (cap) ? (cap)*2 : 8, (v) = arena_grow((a), (v), (n) * sizeof *(v), arena_mul((cap), sizeof *(v))))     \
		   : (void)0,                                                                                                              \
	   &(v)[(n)++]))
