/* SPDX-License-Identifier: Apache-2.0 */
/* Models: every keyword of draft 4, references between models, and schemas that would never end. */
#include "test.h"

#include <errno.h>

#include "svc/apigateway/schema.h"

static struct arena arena;

static const struct json *model(void *arg, struct str name)
{
	struct json *j = NULL;
	const char *text =
		str_is(name, "Pet")
			? "{\"type\":\"object\",\"required\":[\"name\"],\"properties\":{\"name\":{\"$ref\":\"#/definitions/N\"}},"
			  "\"definitions\":{\"N\":{\"type\":\"string\",\"minLength\":2}}}"
		: str_is(name, "Loop") ? "{\"$ref\":\"https://apigateway.amazonaws.com/restapis/abc/models/Loop\"}"
				       : NULL;

	if (text)
		assert_int_equal(json_parse(&arena, str_c(text), &j, NULL), 0);
	return j;
}

static int check(const char *schema, const char *value)
{
	const struct schema_models models = { model, NULL };
	struct json *s, *v;
	struct str why;
	int r;

	assert_int_equal(json_parse(&arena, str_c(schema), &s, NULL), 0);
	assert_int_equal(json_parse(&arena, str_c(value), &v, NULL), 0);
	r = schema_check(&arena, s, v, &models, &why);
	if (r < 0)
		assert_true(why.n > 0);
	return r;
}
#define YES(s, v) assert_int_equal(check(s, v), 0)
#define NO(s, v) assert_int_equal(check(s, v), -EINVAL)

static void test_types(void **state)
{
	YES("{}", "1");
	YES("{\"type\":\"object\"}", "{}");
	NO("{\"type\":\"object\"}", "[]");
	YES("{\"type\":[\"string\",\"null\"]}", "null");
	NO("{\"type\":[\"string\",\"null\"]}", "1");
	YES("{\"type\":\"integer\"}", "3.0");
	NO("{\"type\":\"integer\"}", "3.5");
	NO("{\"type\":\"number\"}", "\"3\"");
	YES("{\"enum\":[\"a\",{\"b\":1}]}", "{\"b\":1}");
	NO("{\"enum\":[\"a\"]}", "\"A\"");
}

static void test_numbers_and_strings(void **state)
{
	YES("{\"minimum\":1,\"maximum\":3}", "3");
	NO("{\"minimum\":1}", "0.5");
	NO("{\"maximum\":3,\"exclusiveMaximum\":true}", "3");
	NO("{\"minimum\":3,\"exclusiveMinimum\":true}", "3");
	YES("{\"multipleOf\":0.1}", "0.3");
	NO("{\"multipleOf\":2}", "3");
	YES("{\"minLength\":2,\"maxLength\":2}", "\"\xC3\xA9x\"");
	NO("{\"minLength\":3}", "\"ab\"");
	NO("{\"maxLength\":1}", "\"ab\"");
	YES("{\"pattern\":\"^a+$\"}", "\"aaa\"");
	NO("{\"pattern\":\"^a+$\"}", "\"ab\"");
	YES("{\"pattern\":\"^a\"}", "7");
}

static void test_objects_and_arrays(void **state)
{
	NO("{\"required\":[\"a\"]}", "{\"b\":1}");
	YES("{\"properties\":{\"a\":{\"type\":\"string\"}},\"additionalProperties\":false}", "{\"a\":\"x\"}");
	NO("{\"properties\":{\"a\":{}},\"additionalProperties\":false}", "{\"a\":1,\"b\":1}");
	NO("{\"additionalProperties\":{\"type\":\"string\"}}", "{\"a\":1}");
	NO("{\"patternProperties\":{\"^x\":{\"type\":\"string\"}}}", "{\"xy\":1}");
	YES("{\"patternProperties\":{\"^x\":{}},\"additionalProperties\":false}", "{\"xy\":1}");
	NO("{\"minProperties\":1}", "{}");
	NO("{\"maxProperties\":1}", "{\"a\":1,\"b\":2}");
	NO("{\"dependencies\":{\"a\":[\"b\"]}}", "{\"a\":1}");
	NO("{\"dependencies\":{\"a\":{\"required\":[\"b\"]}}}", "{\"a\":1}");
	NO("{\"items\":{\"type\":\"string\"}}", "[\"a\",1]");
	NO("{\"items\":[{}],\"additionalItems\":false}", "[1,2]");
	YES("{\"items\":[{}],\"additionalItems\":{\"type\":\"string\"}}", "[1,\"a\"]");
	NO("{\"minItems\":1}", "[]");
	NO("{\"maxItems\":1}", "[1,2]");
	NO("{\"uniqueItems\":true}", "[{\"a\":1,\"b\":2},{\"b\":2,\"a\":1}]");
}

static void test_combinations(void **state)
{
	NO("{\"allOf\":[{\"minimum\":1},{\"maximum\":2}]}", "3");
	YES("{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"number\"}]}", "3");
	NO("{\"anyOf\":[{\"type\":\"string\"}]}", "3");
	NO("{\"oneOf\":[{\"minimum\":1},{\"minimum\":2}]}", "3");
	YES("{\"oneOf\":[{\"minimum\":1},{\"minimum\":5}]}", "3");
	NO("{\"not\":{\"type\":\"number\"}}", "3");
}

static void test_references(void **state)
{
	const char *list = "{\"items\":{\"$ref\":\"https://apigateway.amazonaws.com/restapis/abc/models/Pet\"}}";

	YES(list, "[{\"name\":\"Rex\"}]");
	NO(list, "[{\"name\":\"R\"}]");
	NO(list, "[{}]");
	YES("{\"$ref\":\"#/definitions/a~1b\",\"definitions\":{\"a/b\":{\"type\":\"null\"}}}", "null");
	assert_int_equal(check("{\"$ref\":\"#/definitions/none\"}", "1"), -ENOENT);
	assert_int_equal(check("{\"$ref\":\"https://apigateway.amazonaws.com/restapis/abc/models/None\"}", "1"), -ENOENT);
	assert_int_equal(check("{\"$ref\":\"https://example.com/x\"}", "1"), -ENOENT);
	assert_int_equal(check("{\"$ref\":\"file:///etc/passwd\"}", "1"), -ENOENT);
}

static void test_bombs(void **state)
{
	struct buf b;

	assert_int_equal(check("{\"$ref\":\"#\"}", "1"), -E2BIG);
	assert_int_equal(check("{\"$ref\":\"https://apigateway.amazonaws.com/restapis/abc/models/Loop\"}", "1"), -E2BIG);
	assert_int_equal(check("{\"anyOf\":[{\"$ref\":\"#\"},{\"$ref\":\"#\"}]}", "1"), -E2BIG);
	assert_int_equal(check("{\"pattern\":\"^(a*)*(a*)*(a*)*b$\"}", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabc\""), -E2BIG);
	buf_init(&b, 1 << 20);
	buf_c(&b, '[');
	for (int i = 0; i < 20000; i++)
		buf_printf(&b, "%s%d", i ? "," : "", i);
	buf_c(&b, ']');
	assert_int_equal(check("{\"uniqueItems\":true}", str_z(&arena, buf_view(&b))), -E2BIG);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),        cmocka_unit_test(test_numbers_and_strings), cmocka_unit_test(test_objects_and_arrays),
		cmocka_unit_test(test_combinations), cmocka_unit_test(test_references),          cmocka_unit_test(test_bombs),
	};
	int r = cmocka_run_group_tests(tests, NULL, NULL);

	arena_done(&arena);
	return r;
}
