/* SPDX-License-Identifier: Apache-2.0 */
/* Wildcards: cases, a reference that tries everything, and patterns made to be slow. */
#include "test.h"

#include "base/arena.h"
#include "base/glob.h"
#include "base/util.h"

static bool reference(const char *p, const char *t)
{
	if (*p == '*')
		return reference(p + 1, t) || (*t && reference(p, t + 1));
	if (!*p || !*t)
		return !*p && !*t;
	return (*p == '?' || *p == *t) && reference(p + 1, t + 1);
}

static void test_cases(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool want;
	} cases[] = {
		{ "", "", true },
		{ "", "a", false },
		{ "*", "", true },
		{ "**", "abc", true },
		{ "?", "", false },
		{ "?", "ab", false },
		{ "a*", "a", true },
		{ "s3:Get*", "s3:GetObject", true },
		{ "s3:Get*", "s3:PutObject", false },
		{ "arn:aws:s3:::b/*", "arn:aws:s3:::b/", true },
		{ "arn:aws:s3:::b/*", "arn:aws:s3:::b", false },
		{ "*a*b", "xaybzb", true },
		{ "*a*b", "xaybz", false },
		{ "a?c*e", "abcde", true },
		{ "*??", "a", false },
		{ "*??", "ab", true },
		{ "*ab?d", "ababcd", true },
		{ "*.txt", "a.txt.txt", true },
		{ "a*b*c", "abbbbc", true },
		{ "abc", "ABC", false },
		{ "[a]", "a", false },
		{ "\\*", "*", false },
	};

	for (size_t i = 0; i < ELEMENTS(cases); i++)
		if (glob_match(str_c(cases[i].pattern), str_c(cases[i].text)) != cases[i].want)
			fail_msg("%s on %s", cases[i].pattern, cases[i].text);
	assert_true(glob_match_ci(S("S3:gEt*Z?"), S("s3:GetObjectz1")));
	assert_false(glob_match_ci(S("a["), S("a{")));
	assert_true(glob_match(STR_NONE, STR_NONE));
	assert_true(glob_match(S("*"), STR_NONE));
	assert_false(glob_match(S("a"), STR_NONE));
}

static void test_all_small(void **state)
{
	static const char alphabet[] = "ab*?";
	int checked = 0;

	for (int p = 0; p < 4096; p++) { /* every pattern of six symbols, and its heads, on every text of up to six letters */
		char pattern[7] = { 0 };

		for (int i = 0; i < 6; i++)
			pattern[i] = alphabet[p >> 2 * i & 3];
		for (int t = 1; t < 128; t++) { /* the bits below the leading one */
			char text[8] = { 0 };
			int n = 31 - __builtin_clz((unsigned)t);

			for (int i = 0; i < n; i++)
				text[i] = t >> i & 1 ? 'a' : 'b';
			if (glob_match(str_c(pattern), str_c(text)) != reference(pattern, text))
				fail_msg("%s on %s", pattern, text);
			if (glob_match_ci(str_c(pattern), str_c(text)) != reference(pattern, text))
				fail_msg("%s on %s, folded", pattern, text);
			checked++;
		}
	}
	assert_int_equal(checked, 4096 * 127);
}

static void test_attack(void **state)
{
	struct buf p, t;
	int64_t begin = clock_mono_ms();

	buf_init(&p, 100000);
	buf_init(&t, 100000);
	for (int i = 0; i < 1000; i++)
		buf_str(&p, S("*a"));
	buf_c(&p, 'b');
	for (int i = 0; i < 50000; i++)
		buf_c(&t, 'a');
	assert_false(glob_match(buf_view(&p), buf_view(&t)));
	assert_false(glob_match_ci(buf_view(&p), buf_view(&t)));
	assert_true(clock_mono_ms() - begin < 5000); /* a backtracking matcher would not end */
	buf_done(&p);
	buf_done(&t);
}

static const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases), cmocka_unit_test(test_all_small), cmocka_unit_test(test_attack) };
TEST_MAIN(tests)
