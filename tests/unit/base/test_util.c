/* SPDX-License-Identifier: Apache-2.0 */
/* Encodings, and the log. */
#include "test.h"

#include <errno.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/util.h"

static void test_hex(void **state)
{
	struct arena a = { 0 };
	struct str s;

	assert_str(hex_encode(&a, "\x00\xff\x1a", 3), "00ff1a");
	assert_str(hex_encode(&a, NULL, 0), "");
	assert_int_equal(hex_decode(&a, S("00Ff1A"), &s), 0);
	assert_true(str_eq(s, S("\x00\xff\x1a")));
	assert_int_equal(hex_decode(&a, S("0"), &s), -EINVAL);
	assert_int_equal(hex_decode(&a, S("0g"), &s), -EINVAL);
	assert_int_equal(hex_decode(&a, S(" 0"), &s), -EINVAL);
	arena_done(&a);
}

static void test_base64url(void **state)
{
	static const char *const good[][2] = { { "", "" }, { "Zg", "f" }, { "Zm8", "fo" }, { "Zm9v", "foo" }, { "-_-_", "\xfb\xff\xbf" } };
	static const char *const bad[] = { "Z", "Zg==", "Zm9vY", "+/+/", "Zh", "Zm9", "Z g", "Zm8=" };
	struct arena a = { 0 };
	struct str s;

	for (size_t i = 0; i < ELEMENTS(good); i++) {
		assert_int_equal(base64url_decode(&a, str_c(good[i][0]), &s), 0);
		assert_str(s, good[i][1]);
	}
	for (size_t i = 0; i < ELEMENTS(bad); i++)
		if (base64url_decode(&a, str_c(bad[i]), &s) != -EINVAL)
			fail_msg("accepted: %s", bad[i]);
	assert_int_equal(base64url_decode(&a, STR_NONE, &s), -EINVAL);
	arena_done(&a);
}

static void test_base64(void **state)
{
	static const char *const pairs[][2] = {
		/* RFC 4648, section 10 */
		{ "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" },
	};
	static const char *const bad[] = { "Z",    "Zg",     "Zg=",  "Zg===", "=",    "====", "Z===",     "Zg==Zg==",
					   "Z=g=", "Zm9v\n", "Zm-v", "Zm_v",  "Zh==", "Zm9=", "Zm9v    ", "Zg =" };
	struct arena a = { 0 };
	uint8_t bytes[256];
	struct str s;

	for (size_t i = 0; i < ELEMENTS(pairs); i++) {
		assert_str(base64_encode(&a, str_c(pairs[i][0])), pairs[i][1]);
		assert_int_equal(base64_decode(&a, str_c(pairs[i][1]), &s), 0);
		assert_str(s, pairs[i][0]);
	}
	for (size_t i = 0; i < ELEMENTS(bad); i++)
		if (base64_decode(&a, str_c(bad[i]), &s) != -EINVAL)
			fail_msg("accepted: %s", bad[i]);
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 3);
	for (size_t n = 0; n <= sizeof bytes; n++) {
		assert_int_equal(base64_decode(&a, base64_encode(&a, str_of((char *)bytes, n)), &s), 0);
		assert_true(str_eq(s, str_of((char *)bytes, n)));
	}
	arena_done(&a);
}

static void test_uri(void **state)
{
	static const char *const bad[] = { "%", "%1", "a%g0", "%0g", "%%20", "abc%2" };
	struct arena a = { 0 };
	struct str s;

	assert_str(uri_encode(&a, S("aZ09-_.~ /+%=&\xc3\xa9*'"), false), "aZ09-_.~%20%2F%2B%25%3D%26%C3%A9%2A%27");
	assert_str(uri_encode(&a, S("a/b c"), true), "a/b%20c");
	assert_int_equal(uri_decode(&a, S("a%2fb+c%C3%a9"), false, &s), 0);
	assert_str(s, "a/b+c\xc3\xa9");
	assert_int_equal(uri_decode(&a, S("a+b%2B"), true, &s), 0);
	assert_str(s, "a b+");
	assert_int_equal(uri_decode(&a, S("%00x"), true, &s), 0);
	assert_int_equal(s.n, 2);
	for (size_t i = 0; i < ELEMENTS(bad); i++) {
		char *p = memcpy(xmalloc(strlen(bad[i])), bad[i], strlen(bad[i]));

		assert_int_equal(uri_decode(&a, str_of(p, strlen(bad[i])), false, &s), -EINVAL);
		free(p);
	}
	arena_done(&a);
}

static void test_xml(void **state)
{
	struct buf b;

	buf_init(&b, 1000);
	xml_escape(&b, S("a<b>&\"'\t\n\r\x01\xc3\xa9=;"), false);
	assert_str(buf_view(&b), "a&lt;b&gt;&amp;\"'\t\n&#xd;&#x1;\xc3\xa9=;");
	buf_clear(&b);
	xml_escape(&b, S("<\"'\t\n\r>"), true);
	assert_str(buf_view(&b), "&lt;&quot;'&#x9;&#xa;&#xd;&gt;");
	buf_clear(&b);
	xml_escape(&b, STR_NONE, false);
	assert_str(buf_view(&b), "");
	buf_done(&b);
}

/* Runs the log with standard error going to a pipe and returns what came out. */
static size_t capture_log(char *out, size_t max, const char *text)
{
	int fds[2], saved = dup(2);
	ssize_t n;

	assert_int_equal(pipe(fds), 0);
	dup2(fds[1], 2);
	log_line(LOG_WARN, "text: %s", text);
	dup2(saved, 2);
	close(saved);
	close(fds[1]);
	n = read(fds[0], out, max);
	close(fds[0]);
	assert_true(n > 0);
	return (size_t)n;
}

static void test_log(void **state)
{
	char out[8192], huge[6000];
	struct str s;

	s = str_of(out, capture_log(out, sizeof out, "one\nerror two\x1b[31m\x7f"));
	assert_true(str_ends(s, S("Z warn  text: one?error two?[31m?\n"))); /* one line, no terminal sequences */
	assert_int_equal(str_find_char(s, '\n'), (ptrdiff_t)s.n - 1);
	memset(huge, 'h', sizeof huge);
	huge[sizeof huge - 1] = 0;
	s = str_of(out, capture_log(out, sizeof out, huge));
	assert_int_equal(s.n, 4096);
	assert_int_equal(s.p[s.n - 1], '\n');
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_hex), cmocka_unit_test(test_base64), cmocka_unit_test(test_base64url),
	cmocka_unit_test(test_uri), cmocka_unit_test(test_xml),    cmocka_unit_test(test_log),
};
TEST_MAIN(tests)
