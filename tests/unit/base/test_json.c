/* SPDX-License-Identifier: Apache-2.0 */
/* JSON: what is accepted, what is refused and where, reading, building, writing. */
#include "test.h"

#include <errno.h>

#include "base/arena.h"
#include "base/json.h"

static struct json *parse(struct arena *a, struct str s)
{
	struct json *j = NULL;

	assert_int_equal(json_parse(a, s, &j, NULL), 0);
	return j;
}

static void test_round_trip(void **state)
{
	static const char *const same[] = {
		"null",
		"true",
		"false",
		"0",
		"-0",
		"12.50e+3",
		"\"\"",
		"[]",
		"{}",
		"[1,[2,{\"a\":[]}]]",
		"{\"b\":1,\"a\":2,\"b\":3}",
		"123456789012345678901234567890",
		"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80/\x7f\"",
		"\"\\\"\\\\\\b\\f\\n\\r\\t\\u0000\\u001f\"",
		"{\"\":{\"\\n\":[true,false,null]}}",
	};
	static const char *const changed[][2] = {
		{ " [ 1 ,\t2\r\n] ", "[1,2]" },
		{ "{ \"a\" : { } }", "{\"a\":{}}" },
		{ "\"\\/\\u0041\\u00e9\\u20AC\"", "\"/A\xc3\xa9\xe2\x82\xac\"" },
		{ "\"x\\ud83d\\ude00\xc3\xa9y\"", "\"x\xf0\x9f\x98\x80\xc3\xa9y\"" },
		{ "\"\\u0008\"", "\"\\b\"" },
	};
	struct arena a = { 0 };

	for (size_t i = 0; i < ELEMENTS(same); i++)
		assert_str(json_text(&a, parse(&a, str_c(same[i]))), same[i]);
	for (size_t i = 0; i < ELEMENTS(changed); i++)
		assert_str(json_text(&a, parse(&a, str_c(changed[i][0]))), changed[i][1]);
	arena_done(&a);
}

static void test_refused(void **state)
{
	static const struct {
		struct str text;
		size_t at;
	} bad[] = {
		{ S(""), 0 },
		{ S("  "), 2 },
		{ S("nul"), 0 },
		{ S("True"), 0 },
		{ S("01"), 1 },
		{ S("-"), 1 },
		{ S("1."), 2 },
		{ S(".5"), 0 },
		{ S("1e"), 2 },
		{ S("1e+"), 3 },
		{ S("+1"), 0 },
		{ S("NaN"), 0 },
		{ S("0x1"), 1 },
		{ S("[1,]"), 3 },
		{ S("[1 2]"), 3 },
		{ S("[,1]"), 1 },
		{ S("["), 1 },
		{ S("[1"), 2 },
		{ S("{\"a\":1,}"), 7 },
		{ S("{a:1}"), 1 },
		{ S("{\"a\"1}"), 4 },
		{ S("{\"a\":}"), 5 },
		{ S("{\"a\""), 4 },
		{ S("{1:2}"), 1 },
		{ S("]"), 0 },
		{ S("[}"), 1 },
		{ S("1 1"), 2 },
		{ S("\"abc"), 4 },
		{ S("\"a\nb\""), 2 },
		{ S("\"\\x\""), 2 },
		{ S("\"\\u12g4\""), 5 },
		{ S("\"\\u12"), 5 },
		{ S("\"\\ud800\""), 7 },
		{ S("\"\\ud800\\u0041\""), 13 },
		{ S("\"\\udc00\""), 7 },
		{ S("\"\\"), 2 },
		{ S("\"\\\""), 3 },
		{ S("\"\xff\""), 1 },
		{ S("\"\\n\xc0\x80\""), 3 },
		{ S("\"\xed\xa0\x80\""), 1 },
		{ S("\xef\xbb\xbf{}"), 0 },
		{ S("'a'"), 0 },
		{ S("/**/1"), 0 },
		{ S("1\0"), 1 },
		{ S("\"\xe2\x82"), 1 },
		{ S("\"\\n\x01\""), 3 },
	};
	struct arena a = { 0 };

	for (size_t i = 0; i < ELEMENTS(bad); i++) {
		/* on the heap, so that a read past the end is found */
		char *p = memcpy(xmalloc(bad[i].text.n), bad[i].text.p, bad[i].text.n);
		struct json *j = (void *)&a;
		size_t at = 999;

		if (json_parse(&a, str_of(p, bad[i].text.n), &j, &at) != -EINVAL || at > bad[i].text.n)
			fail_msg("accepted: %.*s", STR(bad[i].text));
		if (at != bad[i].at)
			fail_msg("%.*s: bad byte at %zu, want %zu", STR(bad[i].text), at, bad[i].at);
		assert_ptr_equal(j, &a); /* untouched */
		free(p);
	}
	assert_int_equal(json_parse(&a, STR_NONE, &(struct json *){ NULL }, NULL), -EINVAL);
	arena_done(&a);
}

static void test_depth(void **state)
{
	struct arena a = { 0 };
	char text[2 * JSON_DEPTH_MAX + 2];
	struct json *j;

	memset(text, '[', JSON_DEPTH_MAX + 1);
	memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
	assert_int_equal(json_parse(&a, str_of(text, sizeof text), &j, NULL), -EINVAL);
	assert_int_equal(json_parse(&a, str_of(text + 1, sizeof text - 2), &j, NULL), 0);
	assert_int_equal(json_text(&a, j).n, sizeof text - 2);
	arena_done(&a);
}

static void test_every_byte(void **state)
{
	struct arena a = { 0 };

	for (int c = 0; c < 256; c++) {
		for (size_t at = 0; at < 20; at++) { /* any byte at any place of a string: written right, read strictly */
			bool special = c < 0x20 || c == '"' || c == '\\';
			char raw[20], quoted[22];
			struct str text;
			struct json *j;

			memset(raw, 'x', sizeof raw);
			raw[at] = (char)c;
			memcpy(quoted + 1, raw, sizeof raw);
			quoted[0] = quoted[21] = '"';
			assert_int_equal(json_parse(&a, str_of(quoted, sizeof quoted), &j, NULL), special || c >= 0x80 ? -EINVAL : 0);
			text = json_text(&a, json_new_str(&a, str_of(raw, sizeof raw)));
			assert_int_equal(text.n > sizeof quoted, special);
			if (c >= 0x80)
				continue; /* not text at all: written as it is */
			assert_int_equal(json_parse(&a, text, &j, NULL), 0);
			assert_true(str_eq(j->s, str_of(raw, sizeof raw)));
		}
		arena_reset(&a);
	}
	arena_done(&a);
}

static void test_values(void **state)
{
	struct arena a = { 0 };
	size_t n = 2 * (size_t)JSON_VALUES_MAX + 1, at = 0; /* the array is a value too: one too many */
	char *text = xmalloc(n);
	struct json *j;

	for (size_t i = 0; i < n; i++)
		text[i] = i % 2 ? '0' : ',';
	text[0] = '[';
	text[n - 1] = ']';
	assert_int_equal(json_parse(&a, str_of(text, n), &j, &at), -EINVAL);
	assert_int_equal(at, n - 2);
	text[n - 3] = ']';
	assert_int_equal(json_parse(&a, str_of(text, n - 2), &j, NULL), 0);
	assert_int_equal(j->n, JSON_VALUES_MAX - 1);
	free(text);
	arena_done(&a);
}

static void test_wide(void **state)
{
	struct arena a = { 0 };
	struct json *j, *copy;
	struct buf b;

	buf_init(&b, 1 << 20);
	for (int i = 0; i < 5000; i++)
		buf_printf(&b, "%s[%d,{\"k%d\":%d}]", i ? ",\n" : "[", i, i, i);
	buf_c(&b, ']');
	j = parse(&a, buf_view(&b));
	assert_int_equal(j->n, 5000);
	for (int i = 0; i < 5000; i++) {
		assert_int_equal(j->items[i].line, i + 1);
		assert_str(j->items[i].items[1].members[0].key, str_printf(&a, "k%d", i).p);
	}
	copy = json_copy(&a, j);
	buf_done(&b); /* the copy keeps nothing of the input */
	assert_str(json_get_str(&copy->items[4999].items[1], "k4999"), "4999");
	arena_done(&a);
}

static void test_reading(void **state)
{
	struct arena a = { 0 };
	struct json *j = parse(&a,
			       S("{\"s\":\"x\",\"n\":42,\"f\":5.0,\"e\":1e3,\"h\":5.5,\"b\":true,\"t\":\"true\",\"q\":\"-7\",\"z\":null,"
				 "\"d\":1,\"d\":2,\"big\":9223372036854775808,\"huge\":1e400,\"o\":{\"i\":[1]}}"));
	int64_t v = 0;

	assert_str(json_get_str(j, "s"), "x");
	assert_str(json_get_str(j, "n"), "42");
	assert_str(json_get_str(j, "b"), "true");
	assert_str(json_get_str(j, "z"), NULL);
	assert_str(json_get_str(j, "o"), NULL);
	assert_str(json_get_str(j, "none"), NULL);
	assert_str(json_get_str(j, "d"), "2"); /* the last decides */
	assert_str(json_str(json_getz(j, "n")), NULL);
	assert_str(json_str(NULL), NULL);
	assert_null(json_getz(NULL, "s"));
	assert_null(json_getz(json_getz(j, "s"), "s"));
	assert_false(json_is(NULL, JSON_NULL));
	assert_true(json_is(json_getz(j, "z"), JSON_NULL));
	assert_int_equal(json_to_i64(json_getz(j, "n"), &v), 0);
	assert_int_equal(v, 42);
	assert_int_equal(json_to_i64(json_getz(j, "f"), &v), 0);
	assert_int_equal(v, 5);
	assert_int_equal(json_to_i64(json_getz(j, "e"), &v), 0);
	assert_int_equal(v, 1000);
	assert_int_equal(json_to_i64(json_getz(j, "q"), &v), 0);
	assert_int_equal(v, -7);
	for (size_t i = 0; i < 6; i++) {
		static const char *const bad[] = { "h", "s", "b", "z", "big", "huge" };

		assert_int_equal(json_to_i64(json_getz(j, bad[i]), &v), -EINVAL);
	}
	assert_int_equal(json_to_i64(NULL, &v), -EINVAL);
	assert_true(json_to_bool(json_getz(j, "b"), false));
	assert_true(json_to_bool(json_getz(j, "t"), false));
	assert_true(json_to_bool(json_getz(j, "n"), true));
	assert_false(json_to_bool(NULL, false));
	arena_done(&a);
}

static void test_building(void **state)
{
	struct arena a = { 0 };
	struct json *o = json_new(&a, JSON_OBJECT), *l = json_new(&a, JSON_ARRAY), *kept;

	for (int i = 0; i < 20; i++)
		json_push(&a, l, json_new_int(&a, i));
	json_push(&a, l, &l->items[3]); /* a part of itself */
	assert_str(json_scalar(&l->items[20]), "3");
	json_set_str(&a, o, "a", S("1"));
	assert_null(json_set_str(&a, o, "none", STR_NONE));
	json_set_int(&a, o, "b", INT64_MIN);
	json_set_bool(&a, o, "c", false);
	kept = json_set(&a, o, S("d"), json_new(&a, JSON_ARRAY));
	json_push(&a, kept, json_new_str(&a, S("x\"y")));
	json_set_str(&a, o, "a", S("2"));
	assert_str(json_text(&a, o), "{\"a\":\"2\",\"b\":-9223372036854775808,\"c\":false,\"d\":[\"x\\\"y\"]}");
	assert_true(json_remove(o, S("b")));
	assert_false(json_remove(o, S("b")));
	assert_false(json_remove(l, S("b")));
	assert_str(json_text(&a, o), "{\"a\":\"2\",\"c\":false,\"d\":[\"x\\\"y\"]}");
	json_set_int(&a, o, "e", 5);
	assert_str(json_text(&a, json_copy(&a, o)), "{\"a\":\"2\",\"c\":false,\"d\":[\"x\\\"y\"],\"e\":5}");
	assert_str(json_text(&a, NULL), "null");
	assert_null(json_copy(&a, NULL));
	/* what was read can be extended */
	o = parse(&a, S("{\"x\":[1]}"));
	json_push(&a, json_getz(o, "x"), json_new_bool(&a, true));
	json_set_int(&a, o, "y", 1);
	assert_str(json_text(&a, o), "{\"x\":[1,true],\"y\":1}");
	o = json_copy(&a, parse(&a, S("[{},[]]")));
	json_set_int(&a, &o->items[0], "y", 1);
	json_push(&a, &o->items[1], json_new(&a, JSON_NULL));
	assert_str(json_text(&a, o), "[{\"y\":1},[null]]");
	arena_done(&a);
}

static void test_equal(void **state)
{
	static const struct {
		const char *x, *y;
		bool same;
	} cases[] = {
		{ "{\"a\":1,\"b\":[2]}", "{\"b\":[2],\"a\":1}", true },
		{ "{\"a\":1}", "{\"a\":1,\"b\":null}", false },
		{ "[1,2]", "[2,1]", false },
		{ "1", "1.0", true },
		{ "1e2", "100", true },
		{ "9007199254740993", "9007199254740992", false },
		{ "1", "\"1\"", false },
		{ "{\"a\":1,\"a\":2}", "{\"a\":2}", true },
		{ "{\"a\":2,\"a\":1}", "{\"a\":2}", false },
		{ "null", "false", false },
		{ "true", "false", false },
		{ "[]", "{}", false },
		{ "{}", "{}", true },
		{ "1e400", "1e401", false },
		{ "[[],[]]", "[[]]", false },
		{ "{\"a\":1}", "{\"b\":1}", false },
	};
	struct arena a = { 0 };

	for (size_t i = 0; i < ELEMENTS(cases); i++) {
		struct json *x = parse(&a, str_c(cases[i].x)), *y = parse(&a, str_c(cases[i].y));

		assert_int_equal(json_equal(x, y), cases[i].same);
		assert_int_equal(json_equal(y, x), cases[i].same);
	}
	assert_true(json_equal(NULL, NULL));
	assert_false(json_equal(NULL, parse(&a, S("null"))));
	arena_done(&a);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_round_trip), cmocka_unit_test(test_refused),  cmocka_unit_test(test_depth),
	cmocka_unit_test(test_wide),       cmocka_unit_test(test_values),   cmocka_unit_test(test_every_byte),
	cmocka_unit_test(test_reading),    cmocka_unit_test(test_building), cmocka_unit_test(test_equal),
};
TEST_MAIN(tests)
