/* SPDX-License-Identifier: Apache-2.0 */
/* Units of parse.c; what whole requests do is in tests/http/test_strict.py. */
#include "test.h"

#include "base/arena.h"
#include "http/parse.h"

static struct arena a;

static int head(const char *text, size_t n, struct http_request *r, struct parse_info *info)
{
	struct parse_scan s = { 0 };
	ssize_t k = parse_scan_head(&s, text, n);

	*r = (struct http_request){ 0 };
	if (k <= 0)
		return k < 0 ? (int)k : -1;
	return parse_head(&a, arena_dup(&a, text + s.start, (size_t)k - s.start), (size_t)k - s.start, s.lines, r, info);
}

/* Every byte at every place of a word, and next to the end: only HTAB, SP to '~' and from 0x80 on are allowed. */
static void test_value_bytes(void **state)
{
	for (int c = 0; c < 256; c++) {
		for (size_t len = 1; len < 20; len++) {
			for (size_t at = 0; at < len; at++) {
				char value[20], text[80];
				struct http_request r;
				struct parse_info info;
				size_t n = 0;
				bool good = c == '\t' || (c >= 0x20 && c != 0x7f);

				memset(value, 'v', sizeof value);
				value[at] = (char)c;
				n = (size_t)snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: x\r\nA:");
				memcpy(text + n, value, len);
				memcpy(text + n + len, "\r\n\r\n", 4);
				assert_int_equal(head(text, n + len + 4, &r, &info), good ? 0 : -400);
				if (good && c != ' ' && c != '\t')
					assert_true(str_eq(r.headers[1].value, str_of(value, len)));
			}
		}
		arena_reset(&a);
	}
}

static void test_name_bytes(void **state)
{
	static const char separators[] = "\"(),/:;<=>?@[\\]{} ";

	for (int c = 0; c < 256; c++) {
		char text[] = "GET / HTTP/1.1\r\nHost: x\r\nA_B: v\r\n\r\n";
		struct http_request r;
		struct parse_info info;
		bool good = c > 0x20 && c < 0x7f && !strchr(separators, c);

		if (c == ':')
			continue; /* ends the name */
		*strchr(text, '_') = (char)c;
		assert_int_equal(head(text, sizeof text - 1, &r, &info), good ? 0 : -400);
	}
	arena_reset(&a);
}

static void test_split(void **state)
{
	static const char text[] =
		"\r\nPUT http://h:1/a/b%20?c=d?e HTTP/1.1\r\nhost: h:1\r\nContent-Length: 00017\r\nConnection: a , CLOSE\r\n\r\nrest";
	struct http_request r;
	struct parse_info info;

	assert_int_equal(head(text, sizeof text - 1, &r, &info), 0);
	assert_str(r.method, "PUT");
	assert_str(r.target, "http://h:1/a/b%20?c=d?e");
	assert_str(r.path, "/a/b%20");
	assert_str(r.query, "c=d?e");
	assert_str(r.host, "h:1");
	assert_int_equal(r.content_length, 17);
	assert_true(r.has_body && !r.chunked && !info.keep_alive && !info.http10);
	assert_int_equal(r.n_headers, 3);
	arena_reset(&a);
}

static void test_query_absent_or_empty(void **state)
{
	struct http_request r;
	struct parse_info info;

	assert_int_equal(head("GET /a HTTP/1.0\r\n\r\n", 19, &r, &info), 0);
	assert_str(r.query, NULL);
	assert_true(info.http10 && !info.keep_alive);
	assert_int_equal(head("GET /a? HTTP/1.0\r\n\r\n", 20, &r, &info), 0);
	assert_str(r.query, "");
	arena_reset(&a);
}

static void test_limits_are_exact(void **state)
{
	char *text = arena_alloc(&a, HTTP_HEADER_BYTES_MAX + 100);
	struct http_request r;
	struct parse_info info;

	for (int over = 0; over <= 1; over++) { /* the target */
		size_t n = HTTP_TARGET_BYTES_MAX + (size_t)over, k;

		memcpy(text, "GET /", 5);
		memset(text + 5, 'a', n - 1);
		k = 4 + n;
		k += (size_t)snprintf(text + k, 64, " HTTP/1.1\r\nHost: x\r\n\r\n");
		assert_int_equal(head(text, k, &r, &info), over ? -414 : 0);
	}
	for (int over = 0; over <= 1; over++) { /* all of the head */
		size_t n = HTTP_HEADER_BYTES_MAX + (size_t)over, k;

		k = (size_t)snprintf(text, 64, "GET / HTTP/1.1\r\nHost: x\r\nA: ");
		memset(text + k, 'a', n - k);
		memcpy(text + n - 4, "\r\n\r\n", 4);
		assert_int_equal(head(text, n, &r, &info), over ? -431 : 0);
	}
	for (int over = 0; over <= 1; over++) { /* the number of fields */
		size_t k = (size_t)snprintf(text, 64, "GET / HTTP/1.1\r\nHost: x\r\n");

		for (int i = 1; i < HTTP_HEADERS_MAX + over; i++)
			k += (size_t)snprintf(text + k, 64, "A:\r\n");
		k += (size_t)snprintf(text + k, 64, "\r\n");
		assert_int_equal(head(text, k, &r, &info), over ? -431 : 0);
	}
	arena_reset(&a);
}

static void test_scan_goes_on_where_it_was(void **state)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET";
	struct parse_scan s = { 0 };

	for (size_t n = 0; n < sizeof text - 1 - 3; n++)
		assert_int_equal(parse_scan_head(&s, text, n), 0);
	assert_int_equal(parse_scan_head(&s, text, sizeof text - 1), sizeof text - 1 - 3);
	assert_int_equal(s.lines, 2);
}

static void test_chunks(void **state)
{
	static const char text[] = "3;x=\"y\"\r\nabc\r\n000000A\r\n0123456789\r\n0\r\ntrailer";
	struct parse_chunked s = { 0 };
	struct str data;
	size_t used, at = 0;

	assert_int_equal(parse_chunked(&s, text, sizeof text - 1, &used, &data), PARSE_DATA);
	assert_str(data, "abc");
	at += used;
	assert_int_equal(parse_chunked(&s, text + at, 12, &used, &data), PARSE_DATA);
	assert_str(data, "0");
	at += used;
	assert_int_equal(parse_chunked(&s, text + at, sizeof text - 1 - at, &used, &data), PARSE_DATA);
	assert_str(data, "123456789");
	at += used;
	assert_int_equal(parse_chunked(&s, text + at, sizeof text - 1 - at, &used, &data), PARSE_END);
	assert_string_equal(text + at + used, "trailer");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_value_bytes),
		cmocka_unit_test(test_name_bytes),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_query_absent_or_empty),
		cmocka_unit_test(test_limits_are_exact),
		cmocka_unit_test(test_scan_goes_on_where_it_was),
		cmocka_unit_test(test_chunks),
	};
	int r = cmocka_run_group_tests(tests, NULL, NULL);

	arena_done(&a);
	return r;
}
