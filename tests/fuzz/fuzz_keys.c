/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_keys.c - the input is a program of puts, deletes and walks over keys of all lengths, run against the store and
 * against a sorted array side by side; and parts of keys, encoded, compared and taken apart. */
#include "base/arena.h"
#include "base/util.h"
#include "store/store.h"
#include <errno.h>
#include <unistd.h>

#define KEYS_MAX 64
#define MUST(x)                                                                                                                            \
	do {                                                                                                                               \
		if (!(x))                                                                                                                  \
			abort();                                                                                                           \
	} while (0)

static struct store *s;
static char dir[64] = "/tmp/ck-fuzz-keys-XXXXXX";

struct program {
	const uint8_t *p;
	size_t n;
	struct arena arena;
	struct str key[KEYS_MAX];
	uint8_t value[KEYS_MAX];
	size_t keys;
};

static uint8_t next(struct program *g)
{
	if (!g->n)
		return 0;
	g->n--;
	return *g->p++;
}

/* A key: runs of one byte, so that a few bytes of input make keys around the chunk's 501, 1002 ... */
static struct str next_key(struct program *g)
{
	char *p = arena_alloc(&g->arena, STORE_KEY_BYTES_MAX);
	size_t n = 0;
	unsigned runs = next(g) % 4 + 1;

	while (runs--) {
		static const uint16_t lengths[] = { 1, 2, 3, 7, 498, 499, 500, 501, 502, 503, 1002, 1003, 1503, 2004, 3000, 4096 };
		size_t len = lengths[next(g) % ELEMENTS(lengths)];
		uint8_t c = next(g);

		if (len > STORE_KEY_BYTES_MAX - n)
			len = STORE_KEY_BYTES_MAX - n;
		memset(p + n, c, len);
		n += len;
	}
	return str_of(p, n);
}

static void walk(struct store_txn *t, struct program *g, struct str prefix, struct str after, bool reverse, bool delete)
{
	struct store_range r;
	struct str k, v;
	size_t kept = 0;

	MUST(store_range_open(&r, t, prefix, after, reverse) == 0);
	for (size_t j = 0; j < g->keys; j++) {
		size_t i = reverse ? g->keys - 1 - j : j;

		if (!str_starts(g->key[i], prefix) ||
		    (after.n && (reverse ? str_cmp(g->key[i], after) >= 0 : str_cmp(g->key[i], after) <= 0)))
			continue;
		MUST(store_range_next(&r, &k, &v) == 1);
		MUST(str_eq(k, g->key[i]) && v.n == 1 && (uint8_t)v.p[0] == g->value[i]);
		if (delete &&i % 3) {
			MUST(store_del(t, k) == 0);
			g->key[i].p = NULL;
		}
	}
	MUST(store_range_next(&r, &k, &v) == 0);
	store_range_close(&r);
	for (size_t i = 0; i < g->keys; i++)
		if (g->key[i].p) {
			g->key[kept] = g->key[i];
			g->value[kept++] = g->value[i];
		}
	g->keys = kept;
}

static void parts(struct program *g)
{
	struct str a = next_key(g), b = next_key(g), rest, account, table, back;
	struct keybuf x, y;
	uint64_t u;

	a.n %= 40;
	b.n %= 40;
	key_begin(&x, S("1"), "t");
	key_str(&x, a);
	key_u64(&x, next(g));
	key_begin(&y, S("1"), "t");
	key_str(&y, b);
	key_u64(&y, next(g));
	if (!str_eq(a, b))
		MUST((str_cmp(a, b) < 0) == (str_cmp(key_view(&x), key_view(&y)) < 0));
	rest = key_view(&x);
	MUST(key_take_begin(&rest, &account, &table) == 0 && str_is(account, "1") && str_is(table, "t"));
	MUST(key_take_str(&rest, &g->arena, &back) == 0 && str_eq(back, a));
	MUST(key_take_u64(&rest, &u) == 0 && rest.n == 0);
	back = next_key(g); /* and bytes that no key builder made */
	key_take_begin(&back, &account, &table);
	key_take_str(&back, &g->arena, &account);
	key_take_u64(&back, &u);
}

static int run(struct store_txn *t, void *arg)
{
	struct program *g = arg;
	struct str v;

	while (g->n) {
		uint8_t op = next(g);
		struct str k = g->keys && op & 0x80 ? g->key[op % g->keys] : next_key(g);
		size_t i = 0;
		bool there;

		while (i < g->keys && str_cmp(g->key[i], k) < 0)
			i++;
		there = i < g->keys && str_eq(g->key[i], k);
		switch (op % 8) {
		case 0:
		case 1:
		case 2:
			if (!there && g->keys == KEYS_MAX)
				break;
			if (!there) {
				memmove(&g->key[i + 1], &g->key[i], (g->keys - i) * sizeof *g->key);
				memmove(&g->value[i + 1], &g->value[i], g->keys - i);
				g->keys++;
			}
			g->key[i] = k;
			g->value[i] = next(g);
			MUST(store_put(t, k, str_of((const char *)&g->value[i], 1)) == 0);
			break;
		case 3:
			MUST(store_del(t, k) == (there ? 0 : -ENOENT));
			if (there) {
				g->keys--;
				memmove(&g->key[i], &g->key[i + 1], (g->keys - i) * sizeof *g->key);
				memmove(&g->value[i], &g->value[i + 1], g->keys - i);
			}
			break;
		case 4:
			MUST(store_get(t, k, &v) == (there ? 0 : -ENOENT));
			walk(t, g, S(""), k, op & 8, op & 16);
			break;
		case 5:
			k.n -= next(g) % k.n;
			walk(t, g, k, STR_NONE, op & 8, op & 16);
			break;
		case 6:
			v = next_key(g);
			k.n -= next(g) % k.n;
			walk(t, g, k, v, op & 8, false);
			break;
		case 7:
			parts(g);
			break;
		}
	}
	walk(t, g, S(""), STR_NONE, false, false);
	walk(t, g, S(""), STR_NONE, true, false);
	return -ECANCELED; /* the next input begins with an empty store */
}

static void finish(void)
{
	char path[128];
	static const char *const names[] = { "/data.mdb", "/lock.mdb", "/lock", "" };

	store_close(s);
	for (size_t i = 0; i < ELEMENTS(names); i++) {
		snprintf(path, sizeof path, "%s%s", dir, names[i]);
		remove(path);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct program g;
	struct store_opts o = { .no_sync = true };

	if (!s) {
		MUST(mkdtemp(dir) && store_open(dir, &o, &s) == 0);
		atexit(finish);
	}
	if (n > 600)
		return 0;
	g.p = data;
	g.n = n;
	g.keys = 0;
	MUST(store_write(s, run, &g) == -ECANCELED);
	arena_reset(&g.arena);
	return 0;
}
