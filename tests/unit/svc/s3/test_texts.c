/* SPDX-License-Identifier: Apache-2.0 */
/* The texts of S3: bucket names, ranges, entity tags, copy sources; CRCs of joined pieces against those of the whole. */
#include "../../test.h"
#include "base/util.h"
#include "svc/s3/texts.h"
#include <errno.h>

static void names(void **state)
{
	static const char *const good[] = { "abc", "a-b.c", "1bucket", "a.b",
					    "123456789012345678901234567890123456789012345678901234567890123" };
	static const char *const bad[] = {
		"",        "ab",       "Abc",         "a_b",        "-ab",
		"ab-",     ".ab",      "ab.",         "a..b",       "10.0.0.1",
		"xn--abc", "sthree-x", "abc-s3alias", "abc--ol-s3", "1234567890123456789012345678901234567890123456789012345678901234",
		"a b",     "a/b"
	};

	for (size_t i = 0; i < ELEMENTS(good); i++)
		assert_true(s3_name_valid(str_c(good[i])));
	for (size_t i = 0; i < ELEMENTS(bad); i++)
		assert_false(s3_name_valid(str_c(bad[i])));
	assert_false(s3_name_valid(str_of("ab\0c", 4)));
}

static void ranges(void **state)
{
	static const struct {
		const char *header;
		uint64_t size;
		int result;
		uint64_t from, to;
	} t[] = {
		{ "bytes=0-0", 10, 0, 0, 1 },
		{ "bytes=2-4", 10, 0, 2, 5 },
		{ "bytes=7-", 10, 0, 7, 10 },
		{ "bytes=7-100", 10, 0, 7, 10 },
		{ "bytes=-3", 10, 0, 7, 10 },
		{ "bytes=-30", 10, 0, 0, 10 },
		{ "bytes=-0", 10, -ERANGE, 0, 0 },
		{ "bytes=10-", 10, -ERANGE, 0, 0 },
		{ "bytes=0-", 0, -ERANGE, 0, 0 },
		{ "bytes=4-2", 10, 1, 0, 10 },
		{ "bytes=0-1,3-4", 10, 1, 0, 10 },
		{ "bytes=a-b", 10, 1, 0, 10 },
		{ "bytes=-", 10, 1, 0, 10 },
		{ "chars=0-1", 10, 1, 0, 10 },
		{ "bytes=0-18446744073709551615", 10, 0, 0, 10 },
		{ "bytes=0-18446744073709551616", 10, 1, 0, 10 },
		{ "bytes=18446744073709551615-", 10, -ERANGE, 0, 0 },
		{ "", 10, 1, 0, 10 },
	};

	for (size_t i = 0; i < ELEMENTS(t); i++) {
		uint64_t from, to;

		assert_int_equal(s3_parse_range(str_c(t[i].header), t[i].size, &from, &to), t[i].result);
		if (t[i].result < 0)
			continue;
		assert_int_equal(from, t[i].from);
		assert_int_equal(to, t[i].to);
	}
}

static void entity_tags(void **state)
{
	assert_true(s3_etag_matches(S("*"), S("ab")));
	assert_true(s3_etag_matches(S("\"x\", \"ab\""), S("ab")));
	assert_true(s3_etag_matches(S("W/\"ab\""), S("ab")));
	assert_true(s3_etag_matches(S("ab"), S("ab")));
	assert_false(s3_etag_matches(S("\"abc\""), S("ab")));
	assert_false(s3_etag_matches(S("\""), S("ab")));
	assert_false(s3_etag_matches(S(""), S("ab")));
}

static void copy_sources(void **state)
{
	static const char *const bad[] = { "",
					   "/",
					   "bucket",
					   "bucket/",
					   "/bucket/",
					   "//key",
					   "bucket/%zz",
					   "b/k?versionId=%",
					   "arn:aws:s3:us-east-1:123456789012:accesspoint/a/object/k" };
	struct arena a = { 0 };
	struct str bucket, key, version;

	assert_int_equal(s3_copy_source_parse(&a, S("/b/a%20b/c+d?versionId=v%2F1"), &bucket, &key, &version), 0);
	assert_str(bucket, "b");
	assert_str(key, "a b/c+d");
	assert_str(version, "v/1");
	assert_int_equal(s3_copy_source_parse(&a, S("b%2Fk"), &bucket, &key, &version), 0);
	assert_str(key, "k");
	assert_str(version, NULL);
	for (size_t i = 0; i < ELEMENTS(bad); i++)
		assert_int_equal(s3_copy_source_parse(&a, str_c(bad[i]), &bucket, &key, &version), -EINVAL);
	arena_done(&a);
}

static void joined_crcs(void **state)
{
	static char text[3000];
	static const size_t cuts[] = { 0, 1, 7, 64, 1500, 2999, 3000 };

	random_bytes(text, sizeof text);
	for (size_t i = 0; i < ELEMENTS(cuts); i++) {
		size_t n = cuts[i], rest = sizeof text - n;

		assert_true(s3_crc_join(32, 0xedb88320u, crc32_ieee(0, text, n), crc32_ieee(0, text + n, rest), rest) ==
			    crc32_ieee(0, text, sizeof text));
		assert_true(s3_crc_join(32, 0x82f63b78u, crc32c(0, text, n), crc32c(0, text + n, rest), rest) ==
			    crc32c(0, text, sizeof text));
		assert_true(s3_crc_join(64, 0x9a6c9329ac4bc9b5u, crc64_nvme(0, text, n), crc64_nvme(0, text + n, rest), rest) ==
			    crc64_nvme(0, text, sizeof text));
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(names),        cmocka_unit_test(ranges),      cmocka_unit_test(entity_tags),
	cmocka_unit_test(copy_sources), cmocka_unit_test(joined_crcs),
};
TEST_MAIN(tests)
