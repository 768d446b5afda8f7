/* SPDX-License-Identifier: Apache-2.0 */
/* test_stackpolicy.c - stack policies: what is one, and what it allows. */
#include "cfn/stackpolicy.h"
#include "base/arena.h"
#include "test.h"
#include <errno.h>

#define ALLOW "{\"Effect\":\"Allow\",\"Action\":\"Update:*\",\"Principal\":\"*\",\"Resource\":\"*\"}"
#define POLICY(...) "{\"Statement\":[" __VA_ARGS__ "]}"

static void what_is_a_policy(void **state)
{
	static const struct {
		const char *text;
		bool ok;
	} t[] = {
		{ POLICY(ALLOW), true },
		{ "{\"Statement\":" ALLOW "}", true },
		{ "{}", false },
		{ "", false },
		{ POLICY(""), false },
		{ "{\"Statement\":[1]}", false },
		{ POLICY("{\"Effect\":\"Maybe\",\"Action\":\"Update:*\",\"Principal\":\"*\",\"Resource\":\"*\"}"), false },
		{ POLICY("{\"Effect\":\"Deny\",\"Action\":\"Delete:*\",\"Principal\":\"*\",\"Resource\":\"*\"}"), false },
		{ POLICY("{\"Effect\":\"Deny\",\"Action\":\"Update:*\",\"Principal\":\"me\",\"Resource\":\"*\"}"), false },
		{ POLICY("{\"Effect\":\"Deny\",\"Action\":[],\"Principal\":\"*\",\"Resource\":\"*\"}"), false },
		{ POLICY("{\"Effect\":\"Deny\",\"Action\":\"Update:*\",\"NotAction\":\"Update:*\",\"Principal\":\"*\",\"Resource\":\"*\"}"),
		  false },
		{ POLICY("{\"Effect\":\"Deny\",\"Action\":\"Update:*\",\"Principal\":\"*\",\"Resource\":\"*\",\"Other\":1}"), false },
		{ POLICY("{\"Effect\":\"Deny\",\"Action\":\"Update:*\",\"Principal\":\"*\",\"Resource\":\"*\",\"Condition\":{\"Bool\":{"
			 "\"ResourceType\":\"x\"}}}"),
		  false },
		{ POLICY("{\"Effect\":\"Deny\",\"Action\":\"Update:*\",\"Principal\":\"*\",\"Resource\":\"*\",\"Condition\":{"
			 "\"StringLike\":{\"ResourceType\":[\"AWS::EC2::*\"]}}}"),
		  true },
	};
	struct arena a = { 0 };
	struct json *p;

	for (size_t i = 0; i < ELEMENTS(t); i++)
		if ((stack_policy_parse(&a, str_c(t[i].text), &p) == 0) != t[i].ok)
			fail_msg("%zu: %s", i, t[i].text);
	arena_done(&a);
}

static const char *why(const char *text, const char *action, const char *logical, const char *type)
{
	static struct arena a;
	struct str s = STR_NONE;
	struct json *p;

	assert_int_equal(stack_policy_parse(&a, str_c(text), &p), 0);
	return stack_policy_allows(&a, p, action, str_c(logical), str_c(type), &s) ? "" : str_printf(&a, "%.*s", STR(s)).p;
}

static void what_it_allows(void **state)
{
	const char *named = POLICY(ALLOW ",{\"Effect\":\"Deny\",\"Action\":[\"Update:Replace\",\"Update:Delete\"],\"Principal\":\"*\","
					 "\"Resource\":\"LogicalResourceId/Data*\"}");
	const char *typed = POLICY(
		ALLOW
		",{\"Effect\":\"Deny\",\"Action\":\"Update:*\",\"Principal\":\"*\",\"Resource\":\"*\",\"Condition\":{\"StringEquals\":"
		"{\"ResourceType\":[\"AWS::KMS::Key\"]}}}");
	const char *rest = POLICY(
		"{\"Effect\":\"Allow\",\"NotAction\":\"Update:Delete\",\"Principal\":\"*\",\"NotResource\":\"LogicalResourceId/X\"}");

	assert_string_equal(why(named, "Update:Modify", "Database", "T"), "");
	assert_string_equal(why(named, "Update:Replace", "Other", "T"), "");
	assert_string_equal(why(named, "Update:Replace", "Database", "T"),
			    "Action denied by stack policy: Statement [#2] does not allow [Update:Replace, Update:Delete] for resource "
			    "[LogicalResourceId/Data*]");
	assert_string_equal(why(typed, "Update:Modify", "A", "AWS::KMS::Alias"), "");
	assert_string_equal(why(typed, "Update:Modify", "A", "AWS::KMS::Key"),
			    "Action denied by stack policy: Statement [#2] does not allow [Update:*] for resource [*]");
	assert_string_equal(why(rest, "Update:Modify", "A", "T"), "");
	assert_string_equal(why(rest, "Update:Delete", "A", "T"),
			    "Action denied by stack policy: no statement allows [Update:Delete] for resource [LogicalResourceId/A]");
	assert_string_equal(why(rest, "Update:Modify", "X", "T"),
			    "Action denied by stack policy: no statement allows [Update:Modify] for resource [LogicalResourceId/X]");
	/* a statement without a resource says nothing */
	assert_string_equal(
		why(POLICY(ALLOW ",{\"Effect\":\"Deny\",\"Action\":\"Update:*\",\"Principal\":\"*\"}"), "Update:Modify", "A", "T"), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_is_a_policy), cmocka_unit_test(what_it_allows) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
