/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of vnd.amazon.eventstream, read back by a reader that trusts nothing. */
#include "test.h"

#include "base/arena.h"
#include "base/util.h"
#include "wire/eventstream.h"

static uint32_t be(const char *p, int bytes)
{
	uint32_t v = 0;

	while (bytes--)
		v = v << 8 | (uint8_t)*p++;
	return v;
}

/* read_one takes a message off s: its headers as text "name=value;", and its payload. */
static struct str read_one(struct str *s, char *headers)
{
	uint32_t total, length, crc;
	const char *p;
	struct str payload;

	assert_true(s->n >= 16);
	total = be(s->p, 4);
	length = be(s->p + 4, 4);
	assert_true(total <= s->n && length + 16 <= total);
	assert_int_equal(be(s->p + 8, 4), crc32_ieee(0, s->p, 8));
	crc = be(s->p + total - 4, 4);
	assert_int_equal(crc, crc32_ieee(0, s->p, total - 4));
	*headers = '\0';
	for (p = s->p + 12; p < s->p + 12 + length;) {
		size_t name_n = (uint8_t)*p, value_n;
		const char *name = p + 1;

		p += 1 + name_n;
		assert_int_equal(*p, 7);
		value_n = be(p + 1, 2);
		headers += snprintf(headers, 200, "%.*s=%.*s;", (int)name_n, name, (int)value_n, p + 3);
		p += 3 + value_n;
	}
	assert_ptr_equal(p, s->p + 12 + length);
	payload = str_of(p, total - 16 - length);
	*s = str_skip(*s, total);
	return payload;
}

static void test_event(void **state)
{
	char headers[1000];
	struct str s;
	struct buf b;

	buf_init(&b, 1 << 20);
	eventstream_event(&b, S("PayloadChunk"), S("application/octet-stream"), S("a\0b"));
	eventstream_event(&b, S("InvokeComplete"), S("application/json"), S("{}"));
	s = buf_view(&b);
	assert_true(str_eq(read_one(&s, headers), S("a\0b")));
	assert_string_equal(headers, ":message-type=event;:event-type=PayloadChunk;:content-type=application/octet-stream;");
	assert_str(read_one(&s, headers), "{}");
	assert_string_equal(headers, ":message-type=event;:event-type=InvokeComplete;:content-type=application/json;");
	assert_int_equal(s.n, 0);
	buf_done(&b);
}

/* The one that the specification shows: no headers, no payload. */
static void test_empty(void **state)
{
	static const char want[] = "\0\0\0\x10\0\0\0\0\x05\xc2\x48\xeb\x7d\x98\xc8\xff";
	struct buf b;

	buf_init(&b, 100);
	eventstream_put(&b, NULL, 0, S(""));
	assert_int_equal(b.n, 16);
	assert_memory_equal(b.p, want, 16);
	buf_done(&b);
}

static void test_large_and_full(void **state)
{
	char headers[1000], *big = xzalloc(70000);
	struct str_pair h = { S("k"), str_of(big, 65535) };
	struct str s;
	struct buf b;

	memset(big, 'v', 65535);
	buf_init(&b, 1 << 20);
	eventstream_put(&b, &h, 1, str_of(big, 70000));
	s = buf_view(&b);
	assert_int_equal(be(s.p, 4), b.n);
	assert_int_equal(be(s.p + b.n - 4, 4), crc32_ieee(0, s.p, b.n - 4));
	buf_done(&b);
	for (size_t max = 0; max < 120; max++) { /* what has no room is never half a message that looks whole */
		buf_init(&b, max);
		eventstream_event(&b, S("PayloadChunk"), S("application/octet-stream"), S("payload"));
		assert_int_equal(buf_ok(&b), max >= 113);
		s = buf_view(&b);
		if (buf_ok(&b))
			assert_str(read_one(&s, headers), "payload");
		buf_done(&b);
	}
	free(big);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_event), cmocka_unit_test(test_empty),
					    cmocka_unit_test(test_large_and_full) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
