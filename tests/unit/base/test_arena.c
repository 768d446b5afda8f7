/* SPDX-License-Identifier: Apache-2.0 */
/* Arena, vectors in it, and the growing buffer with its maximum. */
#include "test.h"

#include "base/arena.h"
#include "base/buf.h"

static void test_alloc(void **state)
{
	struct arena a = { 0 };
	uint32_t seed = 1;
	struct {
		uint8_t *p;
		size_t n;
	} pieces[500];

	for (size_t i = 0; i < ELEMENTS(pieces); i++) { /* pieces keep their bytes: none overlaps another */
		seed = seed * 1664525 + 1013904223;
		pieces[i].n = i % 50 == 49 ? 100000 : seed >> 16 & 511;
		pieces[i].p = arena_alloc(&a, pieces[i].n);
		assert_int_equal((uintptr_t)pieces[i].p % 16, 0);
		memset(pieces[i].p, (int)(i & 255), pieces[i].n);
	}
	for (size_t i = 0; i < ELEMENTS(pieces); i++)
		for (size_t k = 0; k < pieces[i].n; k++)
			assert_int_equal(pieces[i].p[k], i & 255);
	assert_true(a.used_bytes >= 1000000);
	arena_reset(&a);
	assert_int_equal(a.used_bytes, 0);
	assert_non_null(a.first);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(((uint8_t *)arena_zalloc(&a, 100))[i], 0);
	arena_done(&a);
	assert_null(a.first);
	arena_reset(&a);
	arena_done(&a);
}

static void test_grow(void **state)
{
	struct arena a = { 0 };
	char *p = arena_dup(&a, "abcd", 4), *q;

	q = arena_grow(&a, p, 4, 4000);
	assert_ptr_equal(p, q); /* it was last: in place */
	memset(q + 4, 'x', 3996);
	arena_alloc(&a, 1);
	p = arena_grow(&a, q, 4000, 8000);
	assert_ptr_not_equal(p, q);
	assert_memory_equal(p, q, 4000);
	memset(p + 4000, 'y', 4000);
	q = arena_grow(&a, p, 8000, 200000); /* over the block's end */
	assert_memory_equal(q, "abcdxxxx", 8);
	memset(q, 'z', 200000);
	assert_non_null(arena_grow(&a, NULL, 0, 10));
	arena_done(&a);
}

static void test_vec(void **state)
{
	struct arena a = { 0 };
	struct {
		int x, y;
	} *v = NULL;
	size_t n = 0, cap = 0;

	for (int i = 0; i < 10000; i++) {
		vec_push(&a, v, n, cap).x = i;
		if (i % 100 == 0)
			arena_alloc(&a, 1); /* so that it has to move */
	}
	assert_int_equal(n, 10000);
	for (int i = 0; i < 10000; i++)
		assert_int_equal(v[i].x, i);
	arena_done(&a);
}

static void test_mul(void **state)
{
	assert_true(arena_mul(SIZE_MAX / 2, 2) == SIZE_MAX - 1);
	assert_int_equal(arena_mul(0, SIZE_MAX), 0);
}

static void test_buf(void **state)
{
	struct buf b;

	buf_init(&b, 1000);
	assert_str(buf_view(&b), "");
	buf_put(&b, NULL, 0);
	buf_str(&b, S("ab"));
	buf_c(&b, 'c');
	buf_printf(&b, "%d", 42);
	assert_str(buf_view(&b), "abc42");
	memcpy(buf_reserve(&b, 3), "xyz", 3);
	b.n += 3;
	assert_str(buf_view(&b), "abc42xyz");
	buf_printf(&b, "%993s", "");
	assert_true(buf_ok(&b) == false);
	assert_str(buf_view(&b), "abc42xyz"); /* dropped as a whole */
	buf_c(&b, 'q');
	assert_str(buf_view(&b), "abc42xyz"); /* sticky */
	assert_null(buf_reserve(&b, 1));
	buf_clear(&b);
	assert_true(buf_ok(&b));
	buf_printf(&b, "%1000s", "");
	assert_true(buf_ok(&b));
	assert_int_equal(b.n, 1000);
	buf_c(&b, 'q');
	assert_false(buf_ok(&b));
	buf_done(&b);
	buf_done(&b);
}

static void test_buf_limits(void **state)
{
	struct buf b = { 0 };

	buf_c(&b, 'x'); /* a zeroed buffer holds nothing */
	assert_false(buf_ok(&b));
	buf_init(&b, 3);
	buf_str(&b, S("abc"));
	assert_true(buf_ok(&b));
	buf_str(&b, S("d"));
	assert_false(buf_ok(&b));
	buf_done(&b);
	buf_init(&b, SIZE_MAX);
	assert_non_null(buf_reserve(&b, 100000));
	assert_true(b.cap >= 100000);
	buf_done(&b);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_alloc), cmocka_unit_test(test_grow), cmocka_unit_test(test_vec),
	cmocka_unit_test(test_mul),   cmocka_unit_test(test_buf),  cmocka_unit_test(test_buf_limits),
};
TEST_MAIN(tests)
