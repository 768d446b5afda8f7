/* SPDX-License-Identifier: Apache-2.0 */
/* arena.c - blocks of memory handed out front to back and freed together.
 *
 * Invariants: every address handed out is 16-byte aligned; cur is the last block of the list, earlier ones are full.
 * Under AddressSanitizer what is not handed out is poisoned, with a gap behind each piece, so that overruns and uses
 * after arena_reset are found. */
#include "base/arena.h"

#include <stdbool.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define ARENA_GAP 16
/* Functions of their own: gcc takes the const argument for a read of fresh memory. */
static __attribute__((noinline)) void arena_poison(void *p, size_t n)
{
	__asan_poison_memory_region(p, n);
}
static __attribute__((noinline)) void arena_unpoison(void *p, size_t n)
{
	__asan_unpoison_memory_region(p, n);
}
#else
#define ARENA_GAP 0
static inline void arena_poison(void *p, size_t n)
{
}
static inline void arena_unpoison(void *p, size_t n)
{
}
#endif

#define ARENA_ALIGN 16
#define ARENA_BLOCK_MIN ((size_t)16 * 1024 - 64)
#define ARENA_BLOCK_MAX ((size_t)1024 * 1024 - 64)

struct arena_block {
	struct arena_block *next;
	size_t cap, used;
	_Alignas(ARENA_ALIGN) char bytes[];
};

static _Noreturn void out_of_memory(size_t n)
{
	fprintf(stderr, "cloudkeep: out of memory (%zu bytes wanted)\n", n);
	abort();
}

void *xmalloc(size_t n)
{
	void *p = malloc(n ? n : 1);

	if (!p)
		out_of_memory(n);
	return p;
}

void *xzalloc(size_t n)
{
	void *p = calloc(1, n ? n : 1);

	if (!p)
		out_of_memory(n);
	return p;
}

void *xrealloc(void *p, size_t n)
{
	p = realloc(p, n ? n : 1);
	if (!p)
		out_of_memory(n);
	return p;
}

char *xstrdup(const char *s)
{
	size_t n = strlen(s) + 1;

	return memcpy(xmalloc(n), s, n);
}

size_t arena_mul(size_t a, size_t b)
{
	size_t r;

	if (__builtin_mul_overflow(a, b, &r))
		out_of_memory(SIZE_MAX);
	return r;
}

/* What a piece of n bytes takes in its block. */
static size_t piece_size(size_t n)
{
	if (n > SIZE_MAX - 4096)
		out_of_memory(n);
	return ((n + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1)) + ARENA_GAP;
}

/* Appends a block with room for at least n bytes and makes it the current one. */
static struct arena_block *add_block(struct arena *a, size_t n)
{
	struct arena_block *b;
	size_t cap = ARENA_BLOCK_MIN;

	if (a->cur)
		cap = a->cur->cap > ARENA_BLOCK_MAX / 2 ? ARENA_BLOCK_MAX : a->cur->cap * 2;
	if (cap < n)
		cap = n;
	b = xmalloc(sizeof *b + cap);
	b->next = NULL;
	b->cap = cap;
	b->used = 0;
	arena_poison(b->bytes, cap);
	if (a->cur)
		a->cur->next = b;
	else
		a->first = b;
	a->cur = b;
	return b;
}

void *arena_alloc(struct arena *a, size_t n)
{
	size_t size = piece_size(n);
	struct arena_block *b = a->cur;
	char *p;

	if (!b || b->cap - b->used < size)
		b = add_block(a, size);
	p = b->bytes + b->used;
	b->used += size;
	a->used_bytes += size;
	arena_unpoison(p, n);
	return p;
}

void *arena_zalloc(struct arena *a, size_t n)
{
	return memset(arena_alloc(a, n), 0, n);
}

void *arena_dup(struct arena *a, const void *p, size_t n)
{
	void *copy = arena_alloc(a, n);

	if (n)
		memcpy(copy, p, n);
	return copy;
}

void *arena_grow(struct arena *a, void *p, size_t old_n, size_t new_n)
{
	struct arena_block *b = a->cur;
	size_t old_size = piece_size(old_n), new_size = piece_size(new_n);
	void *copy;

	if (new_n <= old_n && p)
		return p;
	if (p && b && b->used >= old_size && (char *)p == b->bytes + b->used - old_size && b->cap - b->used >= new_size - old_size) {
		b->used += new_size - old_size;
		a->used_bytes += new_size - old_size;
		arena_unpoison(p, new_n);
		return p;
	}
	copy = arena_alloc(a, new_n);
	if (p && old_n)
		memcpy(copy, p, old_n);
	return copy;
}

static void free_blocks(struct arena_block *b)
{
	while (b) {
		struct arena_block *next = b->next;

		arena_unpoison(b->bytes, b->cap);
		free(b);
		b = next;
	}
}

void arena_reset(struct arena *a)
{
	if (a->first && a->first->cap > ARENA_BLOCK_MIN) { /* a first piece larger than a block: not worth keeping */
		arena_done(a);
		return;
	}
	if (a->first) {
		free_blocks(a->first->next);
		a->first->next = NULL;
		a->first->used = 0;
		arena_poison(a->first->bytes, a->first->cap);
	}
	a->cur = a->first;
	a->used_bytes = 0;
}

void arena_done(struct arena *a)
{
	free_blocks(a->first);
	*a = (struct arena){ 0 };
}
