/* SPDX-License-Identifier: Apache-2.0 */
/* The movable clock, and times as text. Round trips are checked against the C library's calendar. */
#include "test.h"

#include <errno.h>

#include "base/arena.h"
#include "base/util.h"

#define T0 1767323045678 /* 2026-01-02T03:04:05.678Z, a Friday */

static void test_clock(void **state)
{
	int64_t before = clock_now_ms(), mono = clock_mono_ms();

	clock_shift_ms(86400000);
	assert_int_equal(clock_offset_ms(), 86400000);
	assert_true(clock_now_ms() - before >= 86400000 && clock_now_ms() - before < 86400000 + 60000);
	assert_true(clock_mono_ms() >= mono && clock_mono_ms() - mono < 60000);
	clock_shift_ms(-86400000);
	assert_int_equal(clock_offset_ms(), 0);
}

static void test_format(void **state)
{
	struct arena a = { 0 };

	assert_str(time_iso(&a, T0), "2026-01-02T03:04:05Z");
	assert_str(time_iso_ms(&a, T0), "2026-01-02T03:04:05.678Z");
	assert_str(time_basic(&a, T0), "20260102T030405Z");
	assert_str(time_http(&a, T0), "Fri, 02 Jan 2026 03:04:05 GMT");
	assert_str(time_iso_ms(&a, 0), "1970-01-01T00:00:00.000Z");
	assert_str(time_iso_ms(&a, -1), "1969-12-31T23:59:59.999Z");
	assert_str(time_http(&a, -1), "Wed, 31 Dec 1969 23:59:59 GMT");
	arena_done(&a);
}

static void test_calendar(void **state)
{
	struct arena a = { 0 };

	for (int64_t day = -719528; day < 2932896; day += 97) { /* the years 0 to 9999 */
		int64_t ms = day * 86400000 + 45296000, back;
		time_t t = (time_t)(ms / 1000 - (ms % 1000 < 0));
		char want[64];
		struct tm tm;

		gmtime_r(&t, &tm);
		snprintf(want, sizeof want, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
			 tm.tm_min, tm.tm_sec);
		assert_str(time_iso(&a, ms), want);
		assert_int_equal(time_parse_iso(time_iso(&a, ms), &back), 0);
		assert_true(back == ms);
		assert_int_equal(time_parse(time_http(&a, ms), &back), 0);
		assert_true(back == ms);
		assert_int_equal(time_parse_basic(time_basic(&a, ms), &back), 0);
		assert_true(back == ms);
		arena_reset(&a);
	}
	arena_done(&a);
}

static void test_accepted(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
		{ "2026-01-02T03:04:05Z", 1767323045000 },
		{ "2026-01-02T03:04:05.678Z", T0 },
		{ "2026-01-02T03:04:05.678999999Z", T0 },
		{ "2026-01-02T03:04:05.6Z", 1767323045600 },
		{ "20260102T030405Z", 1767323045000 },
		{ "2026-01-02T03:04Z", 1767323040000 },
		{ "2026-01-02T03:04:05", 1767323045000 },
		{ "2026-01-02", 1767312000000 },
		{ "2026-01-02T05:04:05+02:00", 1767323045000 },
		{ "2026-01-01T21:34:05-0530", 1767323045000 },
		{ "20260102T040405+01", 1767323045000 },
		{ "2024-02-29T00:00:00Z", 1709164800000 },
		{ "2000-02-29T00:00:00Z", 951782400000 },
		{ "Fri, 02 Jan 2026 03:04:05 GMT", 1767323045000 },
		{ "Fri, 2 Jan 2026 03:04:05 UTC", 1767323045000 },
		{ "Fri, 02 Jan 2026 04:04:05 +0100", 1767323045000 },
		{ "Friday, 02-Jan-26 03:04:05 GMT", 1767323045000 },
		{ "Sunday, 06-Nov-94 08:49:37 GMT", 784111777000 },
		{ "Sun Nov  6 08:49:37 1994", 784111777000 },
		{ "Sun Nov 16 08:49:37 1994", 784975777000 },
		{ "0", 0 },
		{ "1767323045", 1767323045000 },
		{ "1767323045.678", T0 },
		{ "1767323045.6789", T0 },
		{ "-1", -1000 },
		{ "-1.5", -1500 },
		{ "-0.5", -500 },
		{ "1.767323045E9", 1767323045000 },
		{ "20260102", 20260102000 },
	};
	int64_t ms;

	for (size_t i = 0; i < ELEMENTS(cases); i++) {
		ms = -999;
		if (time_parse(str_c(cases[i].text), &ms) != 0 || ms != cases[i].ms)
			fail_msg("%s: %lld", cases[i].text, (long long)ms);
	}
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"x",
		"2026-13-02T03:04:05Z",
		"2026-00-02T03:04:05Z",
		"2026-01-00T03:04:05Z",
		"2026-01-32T03:04:05Z",
		"2026-04-31T00:00:00Z",
		"2025-02-29T00:00:00Z",
		"1900-02-29T00:00:00Z",
		"2026-01-02T24:00:00Z",
		"2026-01-02T03:60:05Z",
		"2026-01-02T03:04:60Z",
		"2026-01-02T03:04:05.Z",
		"2026-01-02T03:04:05Zx",
		"2026-01-02T03:04:05+",
		"2026-01-02T03:04:05+1",
		"2026-01-02T03:04:05+24:00",
		"2026-01-02T03:04:05+01:60",
		"2026-01-02T03:04:05+01:",
		"2026-01-02t03:04:05Z",
		"2026-01-02 03:04:05Z",
		"2026-0102T03:04:05Z",
		"202601-02T03:04:05Z",
		"2026-01-02T030405Z",
		"2026-01-02T03:0405Z",
		"2026-01-02T",
		"2026-01",
		"26-01-02T03:04:05Z",
		"+2026-01-02T03:04:05Z",
		"2026-1-2T03:04:05Z",
		"Fri, 02 Jan 2026 03:04:05",
		"Fri, 02 Jan 2026 03:04:05 PST",
		"Fri, 31 Feb 2026 03:04:05 GMT",
		"Xxx, 02 Jan 2026 03:04:05 GMT",
		"Fri, 02 Jam 2026 03:04:05 GMT",
		"Fri, 02 Jan 26 03:04:05 GMT",
		"Fri,02 Jan 2026 03:04:05 GMT",
		"1.",
		"--1",
		"1.5.5",
		"1e99",
		"9999999999999999",
		"NaN",
		"0x10",
		" 1",
		"2026-01-02T03:04:05ZZ",
		"Fri",
		"Fri ",
		"Fri,",
		"Fri, 02",
		"Sun Nov  6 08:49:37",
		"Fri, 02 Jan 2026 24:00:00 GMT",
	};
	static const char *const not_basic[] = { "2026-01-02T03:04:05Z", "20260102T030405",  "20260102T0304Z",
						 "20260102T030405+",     "20260102T030460Z", "20261302T030405Z" };
	int64_t ms = 5;

	for (size_t i = 0; i < ELEMENTS(bad); i++) {
		char *p = memcpy(xmalloc(strlen(bad[i])), bad[i], strlen(bad[i]));

		if (time_parse(str_of(p, strlen(bad[i])), &ms) != -EINVAL)
			fail_msg("accepted: %s", bad[i]);
		free(p);
	}
	for (size_t i = 0; i < ELEMENTS(not_basic); i++)
		assert_int_equal(time_parse_basic(str_c(not_basic[i]), &ms), -EINVAL);
	assert_int_equal(time_parse(STR_NONE, &ms), -EINVAL);
	assert_true(ms == 5);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_clock),    cmocka_unit_test(test_format),  cmocka_unit_test(test_calendar),
	cmocka_unit_test(test_accepted), cmocka_unit_test(test_refused),
};
TEST_MAIN(tests)
