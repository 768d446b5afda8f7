/* SPDX-License-Identifier: Apache-2.0 */
/* test_keys.c - the order of encoded keys is the order of their parts, and they come apart again. */
#include "store_test.h"

static void test_order(void **state)
{
	static const struct str parts[] = { { "", 0 },     { "\0", 1 },   { "\0\0", 2 }, { "\0\1", 2 }, { "\0a", 2 }, { "\1", 1 },
					    { "\1\0", 2 }, { "\1\1", 2 }, { "\2", 1 },   { "a", 1 },    { "a\0", 2 }, { "a\0b", 3 },
					    { "a\1", 2 },  { "a\2", 2 },  { "ab", 2 },   { "b", 1 },    { "\xff", 1 } };
	struct keybuf x, y;

	for (size_t i = 0; i < ELEMENTS(parts); i++)
		for (size_t j = 0; j < ELEMENTS(parts); j++) {
			/* What follows sorts the other way round and must not matter. */
			key_begin(&x, S("000000000001"), "t");
			key_str(&x, parts[i]);
			key_raw(&x, i < j ? S("\xff\xff") : S(""));
			key_begin(&y, S("000000000001"), "t");
			key_str(&y, parts[j]);
			key_raw(&y, i > j ? S("\xff\xff") : S(""));
			assert_int_equal((str_cmp(key_view(&x), key_view(&y)) > 0) - (str_cmp(key_view(&x), key_view(&y)) < 0),
					 (i > j) - (i < j));
		}
}

static void test_numbers(void **state)
{
	static const uint64_t v[] = { 0, 1, 255, 256, 65535, 1ull << 32, UINT64_MAX - 1, UINT64_MAX };
	struct keybuf x, y;

	for (size_t i = 0; i + 1 < ELEMENTS(v); i++) {
		key_begin(&x, S(""), "t");
		key_u64(&x, v[i]);
		key_begin(&y, S(""), "t");
		key_u64(&y, v[i + 1]);
		assert_true(str_cmp(key_view(&x), key_view(&y)) < 0);
	}
}

static void test_apart(void **state)
{
	struct arena a = { 0 };
	struct str rest, account, table, s;
	struct keybuf k;
	uint64_t v;

	key_begin(&k, S("123456789012"), "objects");
	key_str(&k, S("a\0b\1c"));
	key_u64(&k, 0x0102030405060708);
	key_str(&k, S(""));
	key_raw(&k, S("raw\0"));
	rest = key_view(&k);
	assert_int_equal(key_take_begin(&rest, &account, &table), 0);
	assert_true(str_is(account, "123456789012") && str_is(table, "objects"));
	assert_int_equal(key_take_str(&rest, &a, &s), 0);
	assert_true(str_eq(s, S("a\0b\1c")));
	assert_int_equal(key_take_u64(&rest, &v), 0);
	assert_true(v == 0x0102030405060708);
	assert_int_equal(key_take_str(&rest, &a, &s), 0);
	assert_true(s.p && s.n == 0);
	assert_true(str_eq(rest, S("raw\0")));
	assert_int_equal(key_take_u64(&rest, &v), -EBADMSG);
	rest = S("no end");
	assert_int_equal(key_take_str(&rest, &a, &s), -EBADMSG);
	assert_int_equal(key_take_begin(&rest, &account, &table), -EBADMSG);
	rest = S("bad \1 escape\0");
	assert_int_equal(key_take_str(&rest, &a, &s), -EBADMSG);
	rest = S("bad escape \1\0");
	assert_int_equal(key_take_str(&rest, &a, &s), -EBADMSG);
	rest = STR_NONE;
	assert_int_equal(key_take_str(&rest, &a, &s), -EBADMSG);
	arena_done(&a);
}

/* One tenant's keys never lie among another's. */
static void test_tenants(void **state)
{
	struct keybuf one, prefix;

	key_begin(&prefix, S("123456789012"), "t");
	key_begin(&one, S("12345678901"), "2t");
	assert_false(str_starts(key_view(&one), key_view(&prefix)));
	key_begin(&one, S("123456789012"), "tt");
	assert_false(str_starts(key_view(&one), key_view(&prefix)));
	key_begin(&one, S(""), "123456789012");
	assert_false(str_starts(key_view(&one), key_view(&prefix)));
}

static void test_overflow(void **state)
{
	static char big[STORE_KEY_BYTES_MAX];
	struct keybuf k;

	memset(big, 'x', sizeof big);
	key_begin(&k, S(""), "t"); /* 3 bytes */
	key_raw(&k, str_of(big, sizeof big - 3));
	assert_int_equal(key_view(&k).n, STORE_KEY_BYTES_MAX);
	key_raw(&k, S("x"));
	assert_null(key_view(&k).p);
	key_begin(&k, S(""), "t");
	key_str(&k, str_of(big, sizeof big - 3)); /* its end doesn't fit */
	key_raw(&k, S(""));
	assert_null(key_view(&k).p);
	key_begin(&k, S(""), "t");
	assert_non_null(key_view(&k).p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),   cmocka_unit_test(test_numbers),  cmocka_unit_test(test_apart),
		cmocka_unit_test(test_tenants), cmocka_unit_test(test_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
