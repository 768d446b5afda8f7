/* SPDX-License-Identifier: Apache-2.0 */
/* test.h - what cmocka wants included first, and comparisons of struct str that show both sides. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"

#define assert_str(got, want) test_assert_str((got), (want), __FILE__, __LINE__)
#define TEST_MAIN(tests)                                                                                                                   \
	int main(void)                                                                                                                     \
	{                                                                                                                                  \
		return cmocka_run_group_tests(tests, NULL, NULL);                                                                          \
	}

/* want NULL: the string has to be absent. */
static inline void test_assert_str(struct str got, const char *want, const char *file, int line)
{
	if (want ? got.p && str_is(got, want) : !got.p)
		return;
	print_error("got \"%.*s\"%s\nwant \"%s\"\n", STR(got), got.p ? "" : " (absent)", want ? want : "(absent)");
	_fail(file, line);
}
