/* SPDX-License-Identifier: Apache-2.0 */
/* test_drift.c - what is drift, how it is told, and what is not shown. */
#include "cfn/drift.h"
#include "base/arena.h"
#include "test.h"

static struct json *tree(struct arena *a, const char *text)
{
	struct json *j;

	assert_int_equal(json_parse(a, str_c(text), &j, NULL), 0);
	return j;
}

/* The differences, one a line: "PATH EXPECTED>ACTUAL". */
static const char *drift(struct arena *a, const struct drift_rule *rules, const char *expected, const char *actual)
{
	struct drift_list l = { 0 };
	struct str out = S("");

	drift_compare(a, rules, tree(a, expected), tree(a, actual), &l);
	for (size_t i = 0; i < l.n; i++)
		out = str_printf(a, "%.*s%s%.*s %.*s>%.*s", STR(out), i ? "\n" : "", STR(l.v[i].path), STR(drift_value(a, l.v[i].expected)),
				 STR(drift_value(a, l.v[i].actual)));
	return str_z(a, out);
}

static bool starts(struct str a, struct str b)
{
	return str_starts(b, a);
}

static const struct drift_rule rules[] = {
	{ "Set", DRIFT_SET },
	{ "Named", DRIFT_SET, "Name" },
	{ "Named.*.Values", DRIFT_SET },
	{ "Map", DRIFT_MAP },
	{ "Doc", DRIFT_POLICY },
	{ "Json", DRIFT_JSON },
	{ "Secret.Word", DRIFT_UNREAD },
	{ "Like", .same = starts },
	{ NULL },
};

static void values(void **state)
{
	static const struct {
		const char *expected, *actual, *drift;
	} t[] = {
		{ "{\"A\":1}", "{\"A\":1,\"B\":2}", "" }, /* a default */
		{ "{\"A\":\"30\",\"B\":true,\"C\":\"false\"}", "{\"A\":30,\"B\":\"true\",\"C\":false}", "" },
		{ "{\"A\":\"0.50\"}", "{\"A\":0.5}", "" },
		{ "{\"A\":\"1.10\"}", "{\"A\":\"1.1\"}", "/A 1.10>1.1" }, /* two texts */
		{ "{\"A\":1}", "{\"A\":2}", "/A 1>2" },
		{ "{\"A\":{\"B\":1,\"C\":\"x\"}}", "{\"A\":{\"B\":1,\"C\":\"y\",\"D\":1}}", "/A/C x>y" },
		{ "{\"A\":{\"B\":1}}", "{}", "/A {\"B\":1}>null" },
		{ "{\"A\":[],\"B\":{},\"C\":\"\",\"D\":null}", "{}", "" }, /* nothing is nothing */
		{ "{\"a/b~c\":1}", "{\"a/b~c\":2}", "/a~1b~0c 1>2" },
		{ "{\"A\":[1,2]}", "{\"A\":[2,1]}", "/A/0 1>2\n/A/1 2>1" },
		{ "{\"A\":[1]}", "{\"A\":[1,2]}", "/A/1 null>2" },
		{ "{\"A\":[1,2]}", "{\"A\":[1]}", "/A/1 2>null" },
		{ "{\"A\":[1]}", "{\"A\":\"1\"}", "/A [1]>1" },
		{ "{\"A\":\"{{resolve:ssm:x}}\"}", "{\"A\":\"what it says\"}", "" },
		{ "{\"Like\":\"aws\"}", "{\"Like\":\"aws:kms\"}", "" },
		{ "{\"Like\":\"aws\"}", "{\"Like\":\"none\"}", "/Like aws>none" },
		{ "{\"Secret\":{\"Word\":\"x\",\"Reset\":true}}", "{\"Secret\":{\"Reset\":false}}", "/Secret/Reset true>false" },
	};
	struct arena a = { 0 };

	for (size_t i = 0; i < ELEMENTS(t); i++)
		assert_string_equal(drift(&a, rules, t[i].expected, t[i].actual), t[i].drift);
	arena_done(&a);
}

static void sets_and_maps(void **state)
{
	static const struct {
		const char *expected, *actual, *drift;
	} t[] = {
		{ "{\"Set\":[1,2,2]}", "{\"Set\":[2,1,2]}", "" },
		{ "{\"Set\":[1,2]}", "{\"Set\":[3,2]}", "/Set/0 1>null\n/Set/0 null>3" },
		{ "{\"Set\":[1,1]}", "{\"Set\":[1]}", "/Set/1 1>null" },
		{ "{\"Set\":[{\"A\":1},{\"A\":2}]}", "{\"Set\":[{\"A\":2,\"B\":1},{\"A\":1}]}", "" },
		{ "{\"Named\":[{\"Name\":\"a\",\"Values\":[1,2]},{\"Name\":\"b\",\"Values\":[3]}]}",
		  "{\"Named\":[{\"Name\":\"b\",\"Values\":[4]},{\"Name\":\"a\",\"Values\":[2,1]}]}",
		  "/Named/1/Values/0 3>null\n/Named/1/Values/0 null>4" },
		{ "{\"Map\":{\"a\":\"1\"}}", "{\"Map\":{\"a\":\"1\",\"b\":\"2\"}}", "/Map/b null>2" },
		{ "{\"Map\":{\"a\":\"1\"}}", "{\"Map\":{}}", "/Map/a 1>null" },
		{ "{\"Tags\":[{\"Key\":\"a\",\"Value\":\"1\"},{\"Key\":\"b\",\"Value\":\"2\"}]}",
		  "{\"Tags\":[{\"Key\":\"b\",\"Value\":\"3\"},{\"Key\":\"a\",\"Value\":\"1\"},{\"Key\":\"c\",\"Value\":\"4\"}]}",
		  "/Tags/1/Value 2>3\n/Tags/2 null>{\"Key\":\"c\",\"Value\":\"4\"}" },
		{ "{\"Tags\":{\"a\":\"1\"}}", "{\"Tags\":{\"a\":\"2\",\"b\":\"3\"}}", "/Tags/a 1>2\n/Tags/b null>3" },
	};
	struct arena a = { 0 };

	for (size_t i = 0; i < ELEMENTS(t); i++)
		assert_string_equal(drift(&a, rules, t[i].expected, t[i].actual), t[i].drift);
	arena_done(&a);
}

#define STATEMENT(sid, action) "{" sid "\"Effect\":\"Allow\",\"Action\":" action ",\"Resource\":\"*\"}"

static void documents(void **state)
{
	static const struct {
		const char *expected, *actual, *drift;
	} t[] = {
		{ "{\"Doc\":{\"Statement\":" STATEMENT("", "\"a:b\"") "}}", "{\"Doc\":{\"Statement\":[" STATEMENT("", "[\"a:b\"]") "]}}",
		  "" },
		{ "{\"Doc\":{\"Statement\":[" STATEMENT("", "[\"a:b\",\"a:c\"]") "]}}",
		  "{\"Doc\":\"{\\\"Statement\\\":[{\\\"Action\\\":[\\\"a:c\\\",\\\"a:b\\\"],\\\"Resource\\\":\\\"*\\\",\\\"Effect\\\":"
		  "\\\"Allow\\\"}]}\"}",
		  "" },
		{ "{\"Doc\":{\"Statement\":[{\"Principal\":{\"AWS\":\"123456789012\"}}]}}",
		  "{\"Doc\":{\"Statement\":[{\"Principal\":{\"AWS\":\"arn:aws:iam::123456789012:root\"}}]}}", "" },
		{ "{\"Doc\":{\"Statement\":[{\"Principal\":{\"AWS\":\"123456789012\"}}]}}",
		  "{\"Doc\":{\"Statement\":[{\"Principal\":{\"AWS\":\"arn:aws:iam::210987654321:root\"}}]}}",
		  "/Doc/Statement/0/Principal/AWS 123456789012>arn:aws:iam::210987654321:root" },
		{ "{\"Doc\":{\"Statement\":[" STATEMENT("", "\"a:b\"") "," STATEMENT("", "\"a:c\"") "]}}",
		  "{\"Doc\":{\"Statement\":[" STATEMENT("", "\"a:c\"") "," STATEMENT("", "\"a:b\"") "]}}", "" },
		{ "{\"Doc\":{\"Statement\":[" STATEMENT("", "\"a:b\"") "]}}", "{\"Doc\":{\"Statement\":[" STATEMENT("", "\"a:*\"") "]}}",
		  "/Doc/Statement/0/Action a:b>a:*" },
		{ "{\"Doc\":{\"Statement\":[" STATEMENT("\"Sid\":\"x\",", "\"a:b\"") "]}}",
		  "{\"Doc\":{\"Statement\":[" STATEMENT("\"Sid\":\"y\",", "\"a:b\"") "," STATEMENT("\"Sid\":\"x\",", "\"a:c\"") "]}}",
		  "/Doc/Statement/0/Action a:b>a:c\n"
		  "/Doc/Statement/0 null>{\"Sid\":\"y\",\"Effect\":\"Allow\",\"Action\":\"a:b\",\"Resource\":\"*\"}" },
		{ "{\"Doc\":{\"Statement\":[{\"Principal\":\"*\"}]}}", "{\"Doc\":{\"Statement\":[{\"Principal\":{\"AWS\":[\"*\"]}}]}}",
		  "" },
		{ "{\"Doc\":{\"Statement\":[{\"Principal\":\"*\"}]}}", "{\"Doc\":{\"Statement\":[{\"Principal\":{\"Service\":\"*\"}}]}}",
		  "/Doc/Statement/0/Principal *>{\"Service\":\"*\"}" },
		{ "{\"Doc\":{\"Statement\":[{\"Effect\":\"Allow\"}]}}",
		  "{\"Doc\":{\"Statement\":[{\"Effect\":\"Allow\",\"Condition\":{\"Bool\":{\"a\":\"true\"}}}]}}",
		  "/Doc/Statement/0/Condition null>{\"Bool\":{\"a\":\"true\"}}" },
		{ "{\"Json\":{\"a\":[1,2]}}", "{\"Json\":\"{\\\"a\\\": [1, 2]}\"}", "" },
		{ "{\"Json\":{\"a\":[1,2]}}", "{\"Json\":\"{\\\"a\\\": [2, 1], \\\"b\\\": 3}\"}",
		  "/Json/a/0 1>2\n/Json/a/1 2>1\n/Json/b null>3" },
	};
	struct arena a = { 0 };

	for (size_t i = 0; i < ELEMENTS(t); i++)
		assert_string_equal(drift(&a, rules, t[i].expected, t[i].actual), t[i].drift);
	arena_done(&a);
}

static void what_is_shown(void **state)
{
	struct str word = S("hunter2");
	struct str_list secrets = { &word, 1 };
	struct arena a = { 0 };
	struct json *e = tree(&a, "{\"A\":\"is hunter2\",\"B\":[\"hunter2\",\"x\"],\"C\":\"{{resolve:ssm:x}}\",\"D\":\"seen\"}");
	struct json *f = tree(&a, "{\"A\":\"changed\",\"B\":[\"x\",\"hunter3\"],\"C\":\"resolved\",\"D\":\"has hunter2\"}");

	assert_true(drift_secret(json_getz(e, "B"), &secrets));
	assert_false(drift_secret(json_getz(e, "D"), &secrets));
	drift_hide(&a, e, f, &secrets);
	assert_string_equal(str_z(&a, json_text(&a, e)),
			    "{\"A\":\"is ****\",\"B\":[\"****\",\"x\"],\"C\":\"{{resolve:ssm:x}}\",\"D\":\"seen\"}");
	assert_string_equal(str_z(&a, json_text(&a, f)), "{\"A\":\"****\",\"B\":\"****\",\"C\":\"****\",\"D\":\"has ****\"}");
	e = drift_shown(&a, rules, tree(&a, "{\"Secret\":{\"Word\":\"x\",\"Reset\":true},\"A\":[{\"B\":1}]}"));
	assert_string_equal(str_z(&a, json_text(&a, e)), "{\"Secret\":{\"Reset\":true},\"A\":[{\"B\":1}]}");
	arena_done(&a);
}

static void ends_of_arns(void **state)
{
	assert_true(drift_tail(S("arn:aws:kms:us-east-1:1:key/abc"), S("abc")));
	assert_true(drift_tail(S("f"), S("arn:aws:lambda:us-east-1:1:function:f")));
	assert_false(drift_tail(S("arn:aws:kms:us-east-1:1:key/abc"), S("bc")));
	assert_false(drift_tail(S("arn:aws:kms:us-east-1:1:key/abc"), S("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values),        cmocka_unit_test(sets_and_maps), cmocka_unit_test(documents),
		cmocka_unit_test(what_is_shown), cmocka_unit_test(ends_of_arns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
