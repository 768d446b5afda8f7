/* SPDX-License-Identifier: Apache-2.0 */
/* Parameter values: where they come from and what they must satisfy. */
#include "common.h"

static struct str outcome(const char *decl, const char *value)
{
	const char *text = str_z(&test_arena, str_printf(&test_arena, "Parameters: {P: {%s}}\nResources: {A: {Type: T}}\n", decl));
	struct template_ctx *c = context(parse(text));
	struct template_supplied v = { .key = S("P"), .value = str_c(value) };

	return set_values(c, &v, value ? 1 : 0) < 0 ? c->err : json_text(&test_arena, c->values[0].json);
}

static void types(void **state)
{
	assert_str(outcome("Type: String", "x"), "\"x\"");
	assert_str(outcome("Type: String", ""), "\"\"");
	assert_str(outcome("Type: String, Default: 5", NULL), "\"5\"");
	assert_str(outcome("Type: String, Default: true", NULL), "\"true\"");
	assert_str(outcome("Type: Number", "1.5"), "\"1.5\"");
	assert_str(outcome("Type: Number", "x"), "Parameter 'P' must be a number");
	assert_str(outcome("Type: 'List<Number>'", "1, 2"), "[\"1\",\"2\"]");
	assert_str(outcome("Type: 'List<Number>'", "1,x"), "Parameter 'P' must be a number");
	assert_str(outcome("Type: CommaDelimitedList", "a, b ,c"), "[\"a\",\"b\",\"c\"]");
	assert_str(outcome("Type: 'AWS::EC2::VPC::Id'", "vpc-1"), "\"vpc-1\"");
	assert_str(outcome("Type: 'AWS::EC2::VPC::Id'", "gone-1"),
		   "Parameter validation failed: parameter value gone-1 for parameter name P does not exist");
	assert_str(outcome("Type: 'List<AWS::EC2::Subnet::Id>'", "subnet-1,gone-2"),
		   "Parameter validation failed: parameter value gone-2 for parameter name P does not exist");
	assert_str(outcome("Type: 'AWS::SSM::Parameter::Value<String>'", "/old"), "\"4\"");
	assert_str(outcome("Type: 'AWS::SSM::Parameter::Value<List<AWS::EC2::Subnet::Id>>'", "/subnets"), "[\"subnet-1\",\"subnet-2\"]");
	assert_str(outcome("Type: 'AWS::SSM::Parameter::Value<CommaDelimitedList>'", "/subnets"), "[\"subnet-1\",\"subnet-2\"]");
	assert_str(outcome("Type: 'AWS::SSM::Parameter::Value<String>', Default: /nope", NULL),
		   "Unable to fetch parameters [/nope] from parameter store for this account.");
}

static void constraints(void **state)
{
	assert_str(outcome("Type: String, AllowedValues: [a, 1, true]", "a"), "\"a\"");
	assert_str(outcome("Type: String, AllowedValues: [a, 1, true]", "true"), "\"true\"");
	assert_str(outcome("Type: String, AllowedValues: [a, 1]", "b"), "Parameter 'P' must be one of AllowedValues");
	assert_str(outcome("Type: CommaDelimitedList, AllowedValues: [a, b]", "a,c"), "Parameter 'P' must be one of AllowedValues");
	assert_str(outcome("Type: String, AllowedValues: [a], ConstraintDescription: pick a", "b"),
		   "Parameter P failed to satisfy constraint: pick a");
	assert_str(outcome("Type: String, AllowedPattern: '[a-z]+'", "abc"), "\"abc\"");
	assert_str(outcome("Type: String, AllowedPattern: '[a-z]+'", "abc1"), "Parameter 'P' must match pattern [a-z]+");
	assert_str(outcome("Type: String, AllowedPattern: 'a|b'", "ab"), "Parameter 'P' must match pattern a|b");
	assert_str(outcome("Type: String, AllowedPattern: '[a-z]+'", "abc\n"), "Parameter 'P' must match pattern [a-z]+");
	assert_str(outcome("Type: String, AllowedPattern: '(a'", "a"), "Parameter 'P' AllowedPattern must be a valid regular expression.");
	assert_str(outcome("Type: String, AllowedPattern: '(a+)+b'", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac"),
		   "Parameter 'P' must match pattern (a+)+b");
	assert_str(outcome("Type: String, MinLength: 3", "ab"), "Parameter 'P' must contain at least 3 characters");
	assert_str(outcome("Type: String, MaxLength: '3'", "abcd"), "Parameter 'P' must contain at most 3 characters");
	assert_str(outcome("Type: Number, MinValue: 1, MaxValue: 5", "3"), "\"3\"");
	assert_str(outcome("Type: Number, MinValue: 1.5", "1"), "Parameter 'P' must be a number not less than 1.5");
	assert_str(outcome("Type: Number, MaxValue: 5", "6"), "Parameter 'P' must be a number not greater than 5");
	assert_str(outcome("Type: String, Default: x, MinLength: 2", NULL), "Parameter 'P' must contain at least 2 characters");
}

static struct str combine(const struct template_supplied *v, size_t n, const struct str_map *previous)
{
	struct template_ctx *c = context(
		parse("Parameters: {P: {Type: String}, Q: {Type: String, Default: q}, R: {Type: String}}\nResources: {A: {Type: T}}\n"));

	if (template_values(c, v, n, previous) < 0)
		return c->err;
	return str_printf(&test_arena, "%.*s %.*s %.*s", STR(c->values[0].text), STR(c->values[1].text), STR(c->values[2].text));
}

static void sources(void **state)
{
	struct str_pair was[] = { { S("P"), S("old") }, { S("Q"), S("") } };
	struct str_map previous = { was, 2 };
	struct template_supplied r = { .key = S("R"), .value = S("r") }, p = { .key = S("P"), .value = S("p") };
	struct template_supplied keep_p = { .key = S("P"), .use_previous = true }, keep_q = { .key = S("Q"), .use_previous = true };

	assert_str(combine(NULL, 0, NULL), "Parameters: [P, R] must have values");
	assert_str(combine((struct template_supplied[]){ p, r }, 2, NULL), "p q r");
	assert_str(combine((struct template_supplied[]){ keep_p, keep_q, r }, 3, &previous), "old  r");
	assert_str(combine((struct template_supplied[]){ keep_p, r }, 2, &previous), "old q r");
	assert_str(combine((struct template_supplied[]){ keep_p, r }, 2, NULL),
		   "Invalid input for parameter key P. Cannot specify usePreviousValue as true for a parameter key not in the previous "
		   "template");
	assert_str(combine((struct template_supplied[]){ { .key = S("P") }, r }, 2, NULL),
		   "Invalid input for parameter key P. Need to specify either usePreviousValue as true or a value for the parameter");
	assert_str(combine((struct template_supplied[]){ { .key = S("P"), .value = S("x"), .use_previous = true }, r }, 2, &previous),
		   "Invalid input for parameter key P. Cannot specify usePreviousValue as true and non empty value for a parameter");
	assert_str(combine((struct template_supplied[]){ p, r, { .key = S("X"), .value = S("1") }, { .key = S("Y"), .value = S("1") } }, 4,
			   NULL),
		   "Parameters: [X, Y] do not exist in the template");
	assert_str(combine((struct template_supplied[]){ p, r, p }, 3, NULL), "Duplicate parameter key: P");
}

/* SSM types keep the name as their text and the value found apart from it. */
static void ssm(void **state)
{
	struct template_ctx *c = begun(
		"Parameters: {V: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /cdk-bootstrap/hnb659fds/version}}\n"
		"Resources: {A: {Type: T, Properties: {v: !Ref V}}}\n",
		NULL);

	assert_str(c->values[0].text, "/cdk-bootstrap/hnb659fds/version");
	assert_str(c->values[0].resolved, "33");
	assert_str(properties(c, "A"), "{\"v\":\"33\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = { T(types), T(constraints), T(sources), T(ssm) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
