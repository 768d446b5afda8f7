/* SPDX-License-Identifier: Apache-2.0 */
/* test_kv.c - key order, long keys and ranges, against a sorted array. */
#include "store_test.h"

static int setup(void **state)
{
	test_dir_make();
	*state = test_open(test_dir);
	return 0;
}

static int teardown(void **state)
{
	store_close(*state);
	test_dir_remove();
	return 0;
}

/* --- the reference: a sorted array of keys; a key's value is its own last 8 bytes and a version --- */

#define REF_MAX 600
struct ref {
	struct str key[REF_MAX];
	unsigned version[REF_MAX];
	size_t n;
};
static struct ref ref;
static uint64_t seed;

static unsigned rnd(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

static size_t ref_lower(struct str key)
{
	size_t i = 0;

	while (i < ref.n && str_cmp(ref.key[i], key) < 0)
		i++;
	return i;
}

static struct str ref_value(size_t i, char b[64])
{
	struct str k = ref.key[i];
	size_t tail = k.n < 8 ? k.n : 8;
	int n = snprintf(b, 64, "%u:%zu:", ref.version[i], k.n);

	memcpy(b + n, k.p + k.n - tail, tail);
	return str_of(b, (size_t)n + tail);
}

/* Lengths around the chunk's 501, 1002, ... and bytes around 0x00 and 0xff are where order could break. */
static struct str make_key(struct arena *a)
{
	static const unsigned lengths[] = { 1, 2, 500, 501, 502, 503, 1001, 1002, 1003, 1503, 2004, 4095, 4096 };
	static const char bytes[] = { 0, 1, 'a', (char)0xff };
	size_t n = lengths[rnd(ELEMENTS(lengths))];
	char *p = arena_alloc(a, n);
	size_t tail;

	memset(p, "a\xff\0k"[rnd(8) ? 0 : rnd(4)], n);
	tail = 1 + rnd(n < 3 ? (unsigned)n : 3);
	for (size_t i = n - tail; i < n; i++)
		p[i] = bytes[rnd(4)];
	if (n > 500 && rnd(2))
		p[rnd(2) ? 500 : 501 > n - 1 ? n - 1 : 501] = bytes[rnd(4)];
	return str_of(p, n);
}

static void check_walk(struct store_txn *t, struct str prefix, struct str after, bool reverse)
{
	struct store_range r;
	struct str k, v;
	char b[64];
	size_t n = 0;
	int rc;

	assert_int_equal(store_range_open(&r, t, prefix, after, reverse), 0);
	for (size_t j = 0; j < ref.n; j++) {
		size_t i = reverse ? ref.n - 1 - j : j;

		if (!str_starts(ref.key[i], prefix))
			continue;
		if (after.n && (reverse ? str_cmp(ref.key[i], after) >= 0 : str_cmp(ref.key[i], after) <= 0))
			continue;
		rc = store_range_next(&r, &k, &v);
		assert_int_equal(rc, 1);
		assert_true(str_eq(k, ref.key[i]));
		assert_true(str_eq(v, ref_value(i, b)));
		n++;
	}
	assert_int_equal(store_range_next(&r, &k, &v), 0);
	assert_int_equal(store_range_next(&r, &k, &v), 0); /* the end stays the end */
	store_range_close(&r);
	store_range_close(&r);
}

static void check_all(struct store_txn *t, struct arena *a)
{
	struct str v;
	char b[64];

	for (size_t i = 0; i < ref.n; i++) {
		assert_int_equal(store_get(t, ref.key[i], &v), 0);
		assert_true(str_eq(v, ref_value(i, b)));
	}
	check_walk(t, S(""), STR_NONE, false);
	check_walk(t, S(""), STR_NONE, true);
	for (int i = 0; i < 12; i++) {
		struct str p = make_key(a), after = rnd(2) && ref.n ? ref.key[rnd((unsigned)ref.n)] : make_key(a);

		p.n -= rnd(2) ? rnd(3) % p.n : rnd((unsigned)p.n);
		check_walk(t, p, STR_NONE, rnd(2));
		check_walk(t, p, after, rnd(2));
		check_walk(t, S(""), after, rnd(2));
	}
	check_walk(t, S("\xff"), STR_NONE, true);
	check_walk(t, S("\xff\xff\xff"), STR_NONE, false);
}

static int mutate(struct store_txn *t, void *arg)
{
	struct arena *a = arg;
	char b[64];

	for (int n = 0; n < 60; n++) {
		struct str k = rnd(3) && ref.n ? ref.key[rnd((unsigned)ref.n)] : make_key(a);
		size_t i = ref_lower(k);
		bool there = i < ref.n && str_eq(ref.key[i], k);

		if (rnd(4) == 0 || ref.n >= REF_MAX) {
			assert_int_equal(store_del(t, k), there ? 0 : -ENOENT);
			if (there) {
				memmove(&ref.key[i], &ref.key[i + 1], (ref.n - i - 1) * sizeof *ref.key);
				memmove(&ref.version[i], &ref.version[i + 1], (ref.n - i - 1) * sizeof *ref.version);
				ref.n--;
			}
			continue;
		}
		if (!there) {
			memmove(&ref.key[i + 1], &ref.key[i], (ref.n - i) * sizeof *ref.key);
			memmove(&ref.version[i + 1], &ref.version[i], (ref.n - i) * sizeof *ref.version);
			ref.key[i] = k;
			ref.version[i] = 0;
			ref.n++;
		}
		ref.version[i]++;
		assert_int_equal(store_put(t, k, ref_value(i, b)), 0);
	}
	check_all(t, a);
	return 0;
}

static void test_against_reference(void **state)
{
	struct arena a = { 0 };
	struct store_txn *t;

	for (seed = 1; seed < 5; seed++) {
		uint64_t keep = seed;

		for (int round = 0; round < 40; round++) {
			assert_int_equal(store_write(*state, mutate, &a), 0);
			assert_int_equal(store_begin_read(*state, &t), 0);
			check_all(t, &a);
			store_end(t);
		}
		seed = keep;
	}
	arena_done(&a);
}

/* Deletes each key while it stands there. */
static int delete_walk(struct store_txn *t, void *arg)
{
	bool reverse = *(bool *)arg;
	struct store_range r;
	struct str k, v;
	size_t n = 0;
	int rc;

	assert_int_equal(store_range_open(&r, t, S(""), STR_NONE, reverse), 0);
	while ((rc = store_range_next(&r, &k, &v)) > 0) {
		assert_true(str_eq(k, ref.key[reverse ? ref.n - 1 - n : n]));
		n++;
		if (n % 5)
			assert_int_equal(store_del(t, k), 0);
	}
	assert_int_equal(rc, 0);
	assert_int_equal(n, ref.n);
	store_range_close(&r);
	return n % 2 ? -ECANCELED : -EPERM; /* roll back */
}

static int delete_everything(struct store_txn *t, void *arg)
{
	while (ref.n)
		assert_int_equal(store_del(t, ref.key[--ref.n]), 0);
	check_walk(t, S(""), STR_NONE, false);
	check_walk(t, S(""), STR_NONE, true);
	return 0;
}

static void test_delete_while_walking(void **state)
{
	struct arena a = { 0 };
	struct store_txn *t;

	ref.n = 0;
	seed = 99;
	for (int round = 0; round < 20; round++)
		assert_int_equal(store_write(*state, mutate, &a), 0);
	assert_true(ref.n > 50);
	for (int reverse = 0; reverse < 2; reverse++) {
		assert_true(store_write(*state, delete_walk, &(bool){ reverse }) < 0);
		assert_int_equal(store_begin_read(*state, &t), 0);
		check_all(t, &a);
		store_end(t);
	}
	assert_int_equal(store_write(*state, delete_everything, NULL), 0);
	arena_done(&a);
}

/* Two ranges of one transaction don't disturb each other, and a closed one is used again. */
static void test_two_ranges(void **state)
{
	struct store_range a, b;
	struct store_txn *t;
	struct str ka, kb, v;

	for (char c = 'a'; c <= 'e'; c++)
		assert_int_equal(test_put(*state, str_of(&c, 1), S("v")), 0);
	for (int round = 0; round < 3; round++) {
		assert_int_equal(store_begin_read(*state, &t), 0);
		assert_int_equal(store_range_open(&a, t, S(""), STR_NONE, false), 0);
		assert_int_equal(store_range_open(&b, t, S(""), STR_NONE, true), 0);
		for (char c = 'a'; c <= 'e'; c++) {
			assert_int_equal(store_range_next(&a, &ka, &v), 1);
			assert_int_equal(store_range_next(&b, &kb, &v), 1);
			assert_int_equal(ka.p[0], c);
			assert_int_equal(kb.p[0], 'a' + 'e' - c);
		}
		store_range_close(&a);
		if (round)
			store_range_close(&b); /* forgotten once: the transaction owns it */
		store_end(t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_against_reference, setup, teardown),
		cmocka_unit_test_setup_teardown(test_delete_while_walking, setup, teardown),
		cmocka_unit_test_setup_teardown(test_two_ranges, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
