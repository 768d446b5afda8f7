/* SPDX-License-Identifier: Apache-2.0 */
/* Strings: comparing, cutting, numbers, copies, UTF-8. */
#include "test.h"

#include <errno.h>
#include <locale.h>
#include <math.h>

#include "base/arena.h"

static void test_compare(void **state)
{
	assert_true(str_cmp(S("a"), S("b")) < 0);
	assert_true(str_cmp(S("a"), S("aa")) < 0);
	assert_true(str_cmp(S("b"), S("aa")) > 0);
	assert_int_equal(str_cmp(S(""), STR_NONE), 0);
	assert_true(str_cmp(S("\x7f"), S("\x80")) < 0); /* bytes are unsigned */
	assert_true(str_eq_ci(S("Content-TYPE"), S("content-type")));
	assert_false(str_eq_ci(S("a"), S("aa")));
	assert_false(str_eq_ci(S("["), S("{"))); /* only letters fold */
	assert_false(str_eq_ci(S("\xc3\x89"), S("\xc3\xa9")));
	assert_true(str_starts(S("arn:aws:s3"), S("arn:")));
	assert_true(str_starts(S("x"), STR_NONE));
	assert_false(str_starts(S("ar"), S("arn")));
	assert_true(str_ends(S("a.fifo"), S(".fifo")));
	assert_false(str_ends(S("fifo"), S(".fifo")));
}

static void test_cut(void **state)
{
	struct str l, r, rest, f;

	assert_str(str_trim(S(" \t x y\r\n")), "x y");
	assert_str(str_trim(S("   ")), "");
	assert_int_equal(str_find(S("abcabd"), S("abd")), 3);
	assert_int_equal(str_find(S("abc"), S("abcd")), -1);
	assert_int_equal(str_find(S("abc"), S("")), 0);
	assert_int_equal(str_find_char(S("a:b:c"), ':'), 1);
	assert_int_equal(str_rfind_char(S("a:b:c"), ':'), 3);
	assert_int_equal(str_find_char(STR_NONE, ':'), -1);
	assert_true(str_cut(S("k=v=w"), '=', &l, &r));
	assert_str(l, "k");
	assert_str(r, "v=w");
	assert_false(str_cut(S("kv"), '=', &l, &r));
	assert_str(l, "kv");
	assert_str(r, NULL);
	rest = S("a,,b,");
	assert_true(str_next(&rest, ',', &f));
	assert_str(f, "a");
	assert_true(str_next(&rest, ',', &f));
	assert_str(f, "");
	assert_true(str_next(&rest, ',', &f));
	assert_str(f, "b");
	assert_true(str_next(&rest, ',', &f));
	assert_str(f, "");
	assert_false(str_next(&rest, ',', &f));
}

static void test_integers(void **state)
{
	int64_t i = 7;
	uint64_t u = 7;

	assert_int_equal(str_to_i64(S("-9223372036854775808"), &i), 0);
	assert_true(i == INT64_MIN);
	assert_int_equal(str_to_i64(S("9223372036854775807"), &i), 0);
	assert_true(i == INT64_MAX);
	i = 7;
	assert_int_equal(str_to_i64(S("9223372036854775808"), &i), -ERANGE);
	assert_int_equal(str_to_i64(S("-9223372036854775809"), &i), -ERANGE);
	assert_int_equal(str_to_u64(S("18446744073709551616"), &u), -ERANGE);
	assert_int_equal(str_to_i64(S("99999999999999999999x"), &i), -EINVAL);
	for (size_t k = 0; k < 9; k++) {
		static const char *const bad[] = { "", "-", "+1", " 1", "1 ", "0x10", "1.0", "--1", "1e3" };

		assert_int_equal(str_to_i64(str_c(bad[k]), &i), -EINVAL);
	}
	assert_int_equal(str_to_u64(S("-1"), &u), -EINVAL);
	assert_true(i == 7 && u == 7); /* untouched on failure */
	assert_int_equal(str_to_u64(S("18446744073709551615"), &u), 0);
	assert_true(u == UINT64_MAX);
}

static void test_double(void **state)
{
	static const char *const bad[] = { "", ".", "-", "nan", "inf", "0x1p3", "1e", "1e+", " 1", "1 ", "1,5", "1.5.2", "e5" };
	double d = 7;
	char long_number[300];

	for (size_t i = 0; i < ELEMENTS(bad); i++)
		assert_int_equal(str_to_double(str_c(bad[i]), &d), -EINVAL);
	assert_int_equal(str_to_double(S("1e999"), &d), -ERANGE);
	assert_true(d == 7);
	setlocale(LC_ALL, "de_DE.UTF-8"); /* where it exists, "1,5" would be a number there */
	assert_int_equal(str_to_double(S("-1.5e+2"), &d), 0);
	assert_true(d == -150);
	assert_int_equal(str_to_double(S(".25"), &d), 0);
	assert_true(d == 0.25);
	assert_int_equal(str_to_double(S("1e-400"), &d), 0);
	assert_true(d == 0);
	memset(long_number, '0', sizeof long_number);
	long_number[sizeof long_number - 1] = '3';
	assert_int_equal(str_to_double(str_of(long_number, sizeof long_number), &d), 0);
	assert_true(d == 3);
	assert_int_equal(str_to_double(str_of("1234", 2), &d), 0); /* not beyond n */
	assert_true(d == 12);
}

static void test_copies(void **state)
{
	struct arena a = { 0 };
	struct str v[] = { S("a"), S(""), S("bc") };
	char big[2000];
	struct str s;

	s = str_dup(&a, str_of("abcdef", 3));
	assert_str(s, "abc");
	assert_int_equal(s.p[3], 0);
	assert_str(str_dup(&a, STR_NONE), NULL);
	assert_str(str_dup(&a, S("")), "");
	assert_str(str_printf(&a, "%s-%d", "x", 5), "x-5");
	memset(big, 'q', sizeof big);
	big[sizeof big - 1] = 0;
	s = str_printf(&a, "<%s>", big);
	assert_int_equal(s.n, sizeof big + 1);
	assert_int_equal(s.p[s.n - 1], '>');
	assert_str(str_lower(&a, S("AbC-\xc3\x89")), "abc-\xc3\x89");
	assert_str(str_join(&a, v, 3, S(", ")), "a, , bc");
	assert_str(str_join(&a, v, 0, S(",")), "");
	assert_str(str_replace(&a, S("a.b..c"), S("."), S("::")), "a::b::::c");
	assert_str(str_replace(&a, S("aaa"), S("aa"), S("b")), "ba");
	assert_str(str_replace(&a, S("abc"), S("b"), S("")), "ac");
	assert_str(str_replace(&a, S("abc"), S(""), S("x")), "abc");
	assert_string_equal(str_z(&a, STR_NONE), "");
	assert_string_equal(str_z(&a, str_of("xyz", 2)), "xy");
	arena_done(&a);
}

static void test_utf8(void **state)
{
	static const struct {
		struct str s;
		bool valid;
	} cases[] = {
		{ S(""), true },
		{ S("plain ascii, long enough"), true },
		{ S("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), true },
		{ S("\xf4\x8f\xbf\xbf"), true },
		{ S("\xed\x9f\xbf"), true },
		{ S("\xee\x80\x80"), true },
		{ S("a\0b"), true },
		{ S("\x80"), false },
		{ S("\xc0\x80"), false },
		{ S("\xc1\xbf"), false },
		{ S("\xe0\x9f\xbf"), false },
		{ S("\xed\xa0\x80"), false },
		{ S("\xf0\x8f\xbf\xbf"), false },
		{ S("\xf4\x90\x80\x80"), false },
		{ S("\xf5\x80\x80\x80"), false },
		{ S("\xc3"), false },
		{ S("\xe2\x82"), false },
		{ S("\xf0\x9f\x98"), false },
		{ S("12345678\xff"), false },
		{ S("\xc3("), false },
	};

	for (size_t i = 0; i < ELEMENTS(cases); i++)
		assert_int_equal(utf8_valid(cases[i].s), cases[i].valid);
}

static void test_digits(void **state)
{
	uint64_t v = 7;

	assert_true(str_digits(S("0123456789")));
	assert_false(str_digits(S("")));
	assert_false(str_digits(S("12a")));
	assert_false(str_digits(S("-1")));
	assert_int_equal(hex_digit('0'), 0);
	assert_int_equal(hex_digit('f'), 15);
	assert_int_equal(hex_digit('A'), 10);
	assert_int_equal(hex_digit('g'), -1);
	assert_int_equal(hex_digit('\x80'), -1);
	assert_int_equal(str_hex_to_u64(S(""), &v), -EINVAL);
	assert_int_equal(str_hex_to_u64(S("12 "), &v), -EINVAL);
	assert_int_equal(str_hex_to_u64(S("10000000000000000"), &v), -EINVAL);
	assert_int_equal(v, 7);
	assert_int_equal(str_hex_to_u64(S("fFfFfFfFfFfFfFf0"), &v), 0);
	assert_true(v == 0xfffffffffffffff0u);
}

static void test_characters(void **state)
{
	assert_int_equal(utf8_chars(S("")), 0);
	assert_int_equal(utf8_chars(S("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80")), 4);
}

static void test_lists(void **state)
{
	struct str v[] = { S("x"), S("y") };
	struct str_pair pairs[] = { { S("k"), S("1") }, { S("l"), S("2") } };
	struct str_list l = { v, 2 };
	struct str_map m = { pairs, 2 };

	assert_true(str_list_has(&l, S("y")));
	assert_false(str_list_has(&l, S("z")));
	assert_false(str_list_has(&(struct str_list){ 0 }, S("")));
	assert_str(str_map_get(&m, S("l")), "2");
	assert_str(str_map_get(&m, S("m")), NULL);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_compare), cmocka_unit_test(test_cut),    cmocka_unit_test(test_integers),
	cmocka_unit_test(test_double),  cmocka_unit_test(test_copies), cmocka_unit_test(test_utf8),
	cmocka_unit_test(test_lists),   cmocka_unit_test(test_digits), cmocka_unit_test(test_characters),
};
TEST_MAIN(tests)
