/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of addresses and the wildcards of filters. */
#include "test.h"

#include <errno.h>

#include "base/arena.h"
#include "svc/ec2/cidr.h"

static struct arena arena;

static struct str four(const char *s)
{
	struct cidr4 c;

	return cidr4_parse(str_c(s), &c) == 0 ? cidr4_text(&arena, c) : STR_NONE;
}

static struct str six(const char *s)
{
	struct cidr6 c;

	return cidr6_parse(str_c(s), &c) == 0 ? cidr6_text(&arena, &c) : STR_NONE;
}

static struct cidr4 block(const char *s)
{
	struct cidr4 c = { 0 };

	assert_int_equal(cidr4_parse(str_c(s), &c), 0);
	return c;
}

static void reads_v4(void **state)
{
	assert_str(four("10.0.0.0/16"), "10.0.0.0/16");
	assert_str(four("10.1.2.3/8"), "10.0.0.0/8");
	assert_str(four("100.68.0.18/18"), "100.68.0.0/18");
	assert_str(four("255.255.255.255/32"), "255.255.255.255/32");
	assert_str(four("255.255.255.255/0"), "0.0.0.0/0");
	assert_str(four("1.2.3.4/31"), "1.2.3.4/31");
	assert_str(four("1.2.3.5/31"), "1.2.3.4/31");
}

static void refuses_v4(void **state)
{
	static const char *const bad[] = { "",
					   "/",
					   "10.0.0.0",
					   "10.0.0/8",
					   "10.0.0.0.0/8",
					   "10.0.0.0/33",
					   "10.0.0.0/-1",
					   "10.0.0.0/",
					   "256.0.0.0/8",
					   "10.0.0.0/8 ",
					   " 10.0.0.0/8",
					   "010.0.0.0/8",
					   "10.0.0.0/08",
					   "10.0.0.0/8/8",
					   "0x0a.0.0.0/8",
					   "1e1.0.0.0/8",
					   "10..0.0/8",
					   "10.0.0.0./8",
					   ".10.0.0.0/8",
					   "10.0.0.+0/8",
					   "::/0",
					   "1000.0.0.0/8",
					   "10.0.0.0/128",
					   "10.0.0.0/\n8",
					   "4294967296/8" };

	for (size_t i = 0; i < ELEMENTS(bad); i++)
		if (four(bad[i]).p)
			fail_msg("%s was read", bad[i]);
	assert_int_equal(cidr4_parse(STR_NONE, &(struct cidr4){ 0 }), -EINVAL);
	assert_int_equal(cidr4_parse(str_of("10.0.0.0/8\0x", 12), &(struct cidr4){ 0 }), -EINVAL);
}

static void reads_v6(void **state)
{
	assert_str(six("::/0"), "::/0");
	assert_str(six("2001:DB8:0:0:0:0:0:1/32"), "2001:db8::/32");
	assert_str(six("2001:db8::ffff/127"), "2001:db8::fffe/127");
	assert_str(six("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/1"), "8000::/1");
	assert_str(six("::1/128"), "::1/128");
	assert_str(six("::1"), NULL);
	assert_str(six("::1/129"), NULL);
	assert_str(six("fe80::1%eth0/64"), NULL);
	assert_str(six("10.0.0.0/8"), NULL);
	assert_str(six("1::2::3/64"), NULL);
	assert_int_equal(cidr6_parse(str_of("::1\0/64", 7), &(struct cidr6){ 0 }), -EINVAL);
}

static void contains(void **state)
{
	assert_true(cidr4_contains(block("10.0.0.0/8"), block("10.1.0.0/16")));
	assert_true(cidr4_contains(block("10.0.0.0/8"), block("10.0.0.0/8")));
	assert_true(cidr4_contains(block("0.0.0.0/0"), block("255.255.255.255/32")));
	assert_false(cidr4_contains(block("10.1.0.0/16"), block("10.0.0.0/8")));
	assert_false(cidr4_contains(block("10.0.0.0/9"), block("10.128.0.0/9")));
	assert_true(cidr4_overlaps(block("10.1.0.0/16"), block("10.0.0.0/8")));
	assert_false(cidr4_overlaps(block("10.0.0.0/24"), block("10.0.1.0/24")));
	assert_int_equal(cidr4_size(block("10.0.0.0/28")), 16);
	assert_int_equal(cidr4_size(block("0.0.0.0/0")), UINT64_C(1) << 32);
}

/* Every pair of blocks in a small space, against counting addresses one by one. */
static void overlaps_as_counted(void **state)
{
	for (unsigned i = 0; i < 16 * 5 * 16 * 5; i++) {
		unsigned a_bits = 28 + i % 5, b_bits = 28 + i / 5 % 5, a0 = i / 25 % 16, b0 = i / 400 % 16, common = 0,
			 b_n = 1u << (32 - b_bits);
		struct cidr4 a = block(str_printf(&arena, "10.0.0.%u/%u", a0, a_bits).p),
			     b = block(str_printf(&arena, "10.0.0.%u/%u", b0, b_bits).p);

		for (uint64_t x = 0; x < cidr4_size(a); x++)
			for (uint64_t y = 0; y < cidr4_size(b); y++)
				common += a.addr + x == b.addr + y;
		assert_int_equal(cidr4_overlaps(a, b), common > 0);
		assert_int_equal(cidr4_contains(a, b), common == b_n);
	}
}

static bool wild(const char *p, const char *s)
{
	return ec2_wild(str_c(p), str_c(s));
}

static void wildcards(void **state)
{
	assert_true(wild("", ""));
	assert_false(wild("", "a"));
	assert_true(wild("*", ""));
	assert_true(wild("a*c", "abbbc"));
	assert_true(wild("a?c", "abc"));
	assert_false(wild("a?c", "ac"));
	assert_true(wild("*a*b", "xxaxxbab"));
	assert_false(wild("A", "a"));
	assert_true(wild("\\*", "*"));
	assert_false(wild("\\*", "x"));
	assert_true(wild("a\\?b*", "a?bcd"));
	assert_true(wild("\\\\*", "\\abc"));
	assert_true(wild("a\\", "a\\"));
	assert_false(wild("*\\**x", "abc"));
	assert_true(wild("*\\**", "a*c"));
}

/* Many stars must not take exponential time. */
static void wildcards_are_quick(void **state)
{
	char text[4001], pattern[401];

	memset(text, 'a', 4000);
	text[4000] = 0;
	for (int i = 0; i < 200; i++) {
		pattern[2 * i] = '*';
		pattern[2 * i + 1] = 'a';
	}
	pattern[399] = 'b';
	pattern[400] = 0;
	assert_false(wild(pattern, text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_v4),
		cmocka_unit_test(refuses_v4),
		cmocka_unit_test(reads_v6),
		cmocka_unit_test(contains),
		cmocka_unit_test(overlaps_as_counted),
		cmocka_unit_test(wildcards),
		cmocka_unit_test(wildcards_are_quick),
	};
	int r = cmocka_run_group_tests(tests, NULL, NULL);

	arena_done(&arena);
	return r;
}
