/* SPDX-License-Identifier: Apache-2.0 */
/* Who guesses codes of MFA devices is shut out, whatever else he does meanwhile. */
#include "../../test.h"
#include "svc/iam/guess.h"
#include <stdio.h>

static struct str device(char buf[16], int i)
{
	return str_of(buf, (size_t)snprintf(buf, 16, "device%d", i));
}

static void test_shut_out_for_a_minute(void **state)
{
	for (int i = 0; i < GUESSES_MAX; i++)
		assert_true(guess_try(S("one"), 1000 + i));
	assert_false(guess_try(S("one"), 1000 + GUESSES_MS - 1));
	assert_true(guess_try(S("two"), 1000));
	assert_false(guess_try(S("one"), 999)); /* a call that began before the first one */
	assert_true(guess_try(S("one"), 1000 + GUESSES_MS));
}

static void test_right_codes_do_not_count(void **state)
{
	for (int i = 0; i < 10 * GUESSES_MAX; i++) {
		assert_true(guess_try(S("right"), 5000));
		guess_right(S("right"));
	}
	guess_right(S("right")); /* and give nothing back that was not taken */
	for (int i = 0; i < GUESSES_MAX; i++)
		assert_true(guess_try(S("right"), 5000));
	assert_false(guess_try(S("right"), 5000));
	guess_right(S("never seen"));
}

/* Codes for other devices, however many, make nobody forget those for this one. */
static void test_guesses_for_others_hide_none(void **state)
{
	char buf[16];
	int at_once = 0;

	for (int i = 0; i < GUESSES_MAX; i++)
		assert_true(guess_try(S("victim"), 1000000));
	for (int i = 0; i < 4 * GUESSED_MAX; i++) {
		at_once += guess_try(device(buf, i), 1000000 + i % 1000);
		assert_false(guess_try(S("victim"), 1000000 + i % 1000));
	}
	assert_int_equal(at_once, GUESSED_MAX - 1); /* what is not watched is not looked at */
	assert_false(guess_try(S("late"), 1000000));
	assert_true(guess_try(S("late"), 1000000 + GUESSES_MS + 1000));
	assert_true(guess_try(S("victim"), 1000000 + GUESSES_MS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shut_out_for_a_minute),
		cmocka_unit_test(test_right_codes_do_not_count),
		cmocka_unit_test(test_guesses_for_others_hide_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
