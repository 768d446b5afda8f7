/* SPDX-License-Identifier: Apache-2.0 */
/* Every condition operator, set operators, IfExists, absent keys, variables. */
#include "policy_test.h"

/* One condition in an Allow statement over keys: met or not. */
static void met(const char *condition, const char *keys, bool want, const char *file, int line)
{
	struct str text = str_printf(&test_arena,
				     "{" USER "," GET ",'keys':{%s},'identity':[{'Version':'2012-10-17','Statement':"
				     "{'Effect':'Allow','Action':'*','Resource':'*','Condition':%s}}]}",
				     keys, condition);
	struct policy_request r;

	if ((test_decide(str_z(&test_arena, text), &r).decision == DECISION_ALLOW) != want) {
		print_error("%s over {%s}: want %d\n", condition, keys, want);
		_fail(file, line);
	}
	arena_reset(&test_arena);
}

#define yes(condition, keys) met(condition, keys, true, __FILE__, __LINE__)
#define no(condition, keys) met(condition, keys, false, __FILE__, __LINE__)
#define OP(op, values) "{'" op "':{'k':" values "}}"

static void test_string(void **state)
{
	yes(OP("StringEquals", "'a'"), "'K':'a'"); /* key names ignore case */
	no(OP("StringEquals", "'a'"), "'k':'A'");
	yes(OP("StringEquals", "['x','a']"), "'k':'a'");
	no(OP("StringEquals", "'a*'"), "'k':'ab'");
	yes(OP("StringEquals", "'a*'"), "'k':'a*'");
	no(OP("StringEquals", "'a'"), "");
	no(OP("StringEquals", "[]"), "'k':'a'");
	yes(OP("StringNotEquals", "'a'"), "'k':'b'");
	no(OP("StringNotEquals", "['a','b']"), "'k':'b'"); /* none of them */
	yes(OP("StringNotEquals", "['a','b']"), "'k':'c'");
	yes(OP("StringNotEquals", "'a'"), "");
	yes(OP("StringEqualsIgnoreCase", "'aB'"), "'k':'Ab'");
	no(OP("StringNotEqualsIgnoreCase", "'aB'"), "'k':'Ab'");
	yes(OP("StringLike", "'a?c*'"), "'k':'abcdef'");
	no(OP("StringLike", "'a?c'"), "'k':'ac'");
	yes(OP("StringLike", "'a?c'"), "'k':'aéc'"); /* one character, not one byte */
	yes(OP("StringLike", "'*'"), "'k':''");
	no(OP("StringLike", "'A*'"), "'k':'abc'");
	yes(OP("StringNotLike", "'x*'"), "'k':'abc'");
	no(OP("StringNotLike", "'a*'"), "'k':'abc'");
	yes(OP("StringEquals", "true"), "'k':'true'");
	yes(OP("stringequals", "'a'"), "'k':'a'");
}

static void test_numeric(void **state)
{
	yes(OP("NumericEquals", "'10'"), "'k':'10.0'");
	yes(OP("NumericEquals", "10"), "'k':10");
	no(OP("NumericEquals", "'10'"), "'k':'10abc'");
	no(OP("NumericEquals", "'ten'"), "'k':'ten'");
	yes(OP("NumericNotEquals", "'10'"), "'k':'11'");
	no(OP("NumericNotEquals", "'10'"), "'k':'1e1'");
	yes(OP("NumericLessThan", "'10'"), "'k':'9.99'");
	no(OP("NumericLessThan", "'10'"), "'k':'10'");
	yes(OP("NumericLessThanEquals", "'10'"), "'k':'10'");
	yes(OP("NumericGreaterThan", "'-1'"), "'k':'0'");
	no(OP("NumericGreaterThan", "'10'"), "'k':'10'");
	yes(OP("NumericGreaterThanEquals", "'10'"), "'k':'10'");
	no(OP("NumericLessThan", "'10'"), "");
	no(OP("NumericLessThan", "'10'"), "'k':''");
}

static void test_date(void **state)
{
	yes(OP("DateEquals", "'2026-01-01T00:00:00Z'"), "'k':'2026-01-01T01:00:00+01:00'");
	yes(OP("DateEquals", "'2026-01-01'"), "'k':'1767225600'"); /* epoch seconds */
	no(OP("DateNotEquals", "'2026-01'"), "'k':'2026-01-01T00:00:00.000Z'");
	yes(OP("DateNotEquals", "'2026'"), "'k':'2026-01-01T00:00:00Z'"); /* digits alone are epoch seconds */
	yes(OP("DateLessThan", "'2026-01-01T00:00:00Z'"), "'k':'2025-12-31T23:59:59.999Z'");
	no(OP("DateLessThan", "'2026-01-01T00:00:00Z'"), "'k':'2026-01-01T00:00:00Z'");
	yes(OP("DateLessThanEquals", "'2026-01-01T00:00:00Z'"), "'k':'2026-01-01T00:00:00Z'");
	yes(OP("DateGreaterThan", "'2024-02-29T00:00:00Z'"), "'k':'2024-03-01'");
	no(OP("DateGreaterThan", "'2024-02-29T00:00:00Z'"), "'k':'2023-02-29'"); /* no such day */
	yes(OP("DateGreaterThanEquals", "'1969-07-20'"), "'k':'1969-07-20T00:00:00Z'");
	no(OP("DateGreaterThan", "'2024-02-29'"), "");
}

static void test_bool_binary_null(void **state)
{
	yes(OP("Bool", "'true'"), "'k':'TRUE'");
	yes(OP("Bool", "false"), "'k':false");
	no(OP("Bool", "'true'"), "'k':'false'");
	no(OP("Bool", "'maybe'"), "'k':'maybe'");
	no(OP("Bool", "'false'"), "");
	yes(OP("BoolIfExists", "'true'"), "");
	yes(OP("BinaryEquals", "'aGVsbG8='"), "'k':'aGVsbG8='");
	no(OP("BinaryEquals", "'aGVsbG8='"), "'k':'AGVSBG8='");
	yes(OP("Null", "'true'"), "");
	no(OP("Null", "'true'"), "'k':'x'");
	yes(OP("Null", "false"), "'k':'x'");
	yes(OP("Null", "'true'"), "'k':[]");
	no(OP("Null", "'perhaps'"), "");
}

static void test_ip(void **state)
{
	yes(OP("IpAddress", "'10.0.0.0/8'"), "'k':'10.255.1.2'");
	no(OP("IpAddress", "'10.0.0.0/8'"), "'k':'11.0.0.1'");
	yes(OP("IpAddress", "'192.0.2.129/25'"), "'k':'192.0.2.200'"); /* host bits don't matter */
	no(OP("IpAddress", "'192.0.2.128/25'"), "'k':'192.0.2.127'");
	yes(OP("IpAddress", "'0.0.0.0/0'"), "'k':'203.0.113.9'");
	yes(OP("IpAddress", "'203.0.113.9'"), "'k':'203.0.113.9'");
	no(OP("IpAddress", "'203.0.113.9/33'"), "'k':'203.0.113.9'");
	no(OP("IpAddress", "'0.0.0.0/0'"), "'k':'010.1.1.1'"); /* octal? decimal? neither */
	no(OP("IpAddress", "'0.0.0.0/0'"), "'k':'1.2.3.4/8'");
	yes(OP("IpAddress", "'2001:db8::/33'"), "'k':'2001:db8:7fff::1'");
	no(OP("IpAddress", "'2001:db8::/33'"), "'k':'2001:db8:8000::1'");
	yes(OP("IpAddress", "'2001:0DB8:0:0::7'"), "'k':'2001:db8::7'");
	no(OP("IpAddress", "'::/0'"), "'k':'10.0.0.1'");
	yes(OP("IpAddress", "'10.0.0.0/8'"), "'k':'::ffff:10.0.0.1'");
	no(OP("NotIpAddress", "'10.0.0.0/8'"), "'k':'::ffff:10.0.0.1'");
	yes(OP("NotIpAddress", "['10.0.0.0/8','192.168.0.0/16']"), "'k':'172.16.0.1'");
	no(OP("NotIpAddress", "['10.0.0.0/8','192.168.0.0/16']"), "'k':'192.168.3.4'");
	yes(OP("NotIpAddress", "'10.0.0.0/8'"), "'k':'2001:db8::1'");
	yes(OP("NotIpAddress", "'10.0.0.0/8'"), "");
}

static void test_arn(void **state)
{
	yes(OP("ArnEquals", "'arn:aws:sns:*:111111111111:t*'"), "'k':'arn:aws:sns:eu-west-1:111111111111:topic'");
	yes(OP("ArnLike", "'arn:aws:sns:eu-west-?:1111*:*'"), "'k':'arn:aws:sns:eu-west-1:111111111111:topic:sub'");
	no(OP("ArnLike", "'arn:aws:sns:*:topic'"), "'k':'arn:aws:sns:eu-west-1:111111111111:topic'"); /* a star stays in its segment */
	no(OP("ArnLike", "'arn:aws:*'"), "'k':'arn:aws:sns:eu-west-1:111111111111:topic'");
	no(OP("ArnLike", "'*'"), "'k':'not an arn'");
	no(OP("ArnEquals", "'arn:aws:sns:eu-west-1:111111111111:Topic'"), "'k':'arn:aws:sns:eu-west-1:111111111111:topic'");
	yes(OP("ArnNotEquals", "'arn:aws:sns:*:222222222222:*'"), "'k':'arn:aws:sns:eu-west-1:111111111111:topic'");
	no(OP("ArnNotLike", "'arn:aws:sns:*:*:*'"), "'k':'arn:aws:sns:eu-west-1:111111111111:topic'");
	yes(OP("ArnNotLike", "'arn:aws:sns:*:*:*'"), "");
}

static void test_sets(void **state)
{
	yes(OP("ForAllValues:StringEquals", "['a','b']"), "'k':['a']");
	yes(OP("ForAllValues:StringEquals", "['a','b']"), "'k':['a','b']");
	no(OP("ForAllValues:StringEquals", "['a','b']"), "'k':['a','c']");
	yes(OP("ForAllValues:StringEquals", "'a'"), ""); /* the known trap: true without the key */
	yes(OP("ForAllValues:StringEquals", "'a'"), "'k':[]");
	yes(OP("ForAnyValue:StringEquals", "['a','b']"), "'k':['c','b']");
	no(OP("ForAnyValue:StringEquals", "['a','b']"), "'k':['c']");
	no(OP("ForAnyValue:StringEquals", "'a'"), "");
	yes(OP("ForAnyValue:StringEqualsIfExists", "'a'"), "");
	yes(OP("ForAnyValue:StringNotEquals", "'a'"), "'k':['a','b']");
	no(OP("ForAnyValue:StringNotEquals", "'a'"), "'k':['a']");
	no(OP("ForAllValues:StringNotLike", "'a*'"), "'k':['b','ab']");
	yes(OP("ForAllValues:StringNotLike", "'a*'"), "'k':['b','c']");
	yes(OP("ForAnyValue:IpAddress", "'10.0.0.0/8'"), "'k':['1.1.1.1','10.1.1.1']");
	yes(OP("ForAllValues:StringLike", "'a'"), "'k':'a'"); /* one value is a set of one */
	/* A key with several values isn't met without a set operator, whichever way. */
	no(OP("StringEquals", "'a'"), "'k':['a']");
	no(OP("StringNotEquals", "'b'"), "'k':['a']");
	yes(OP("StringEqualsIfExists", "'a'"), "");
	no(OP("StringEqualsIfExists", "'a'"), "'k':'b'");
	/* Several operators and several keys are all needed. */
	yes("{'StringEquals':{'a':'1','b':'2'},'Bool':{'c':'true'}}", "'a':'1','b':'2','c':'true'");
	no("{'StringEquals':{'a':'1','b':'2'},'Bool':{'c':'true'}}", "'a':'1','b':'2','c':'false'");
	no("{'StringEquals':{'a':'1','b':'2'}}", "'a':'1','b':'3'");
}

static void test_variables(void **state)
{
	yes(OP("StringEquals", "'x-${aws:UserName}'"), "'k':'x-bob','aws:username':'bob'");
	no(OP("StringEquals", "'x-${aws:username}'"), "'k':'x-${aws:username}','aws:username':'bob'");
	no(OP("StringEquals", "'${aws:username}'"), "'k':''");
	yes(OP("StringNotEquals", "'${aws:username}'"), "'k':'x'"); /* a null value equals nothing */
	yes(OP("StringEquals", "'${aws:PrincipalTag/team, `all`}'"), "'k':'all'");
	yes(OP("StringEquals", "'${aws:PrincipalTag/team, `all`}'"), "'k':'blue','aws:principaltag/TEAM':'blue'");
	no(OP("StringEquals", "'${aws:TagKeys}'"), "'k':'a','aws:TagKeys':['a']");
	yes(OP("StringLike", "'${*}${?}${$}*'"), "'k':'*?$anything'");
	no(OP("StringLike", "'${*}'"), "'k':'abc'");
	yes(OP("StringEquals", "'${*}'"), "'k':'*'");
	yes(OP("StringEquals", "'${open'"), "'k':'${open'");
	yes(OP("ArnLike", "'arn:aws:iam::${aws:PrincipalAccount}:role/*'"), "'k':'arn:aws:iam::1:role/x','aws:PrincipalAccount':'1'");
	yes(OP("Bool", "'${flag}'"), "'k':'true','flag':'true'");
	/* Only where variables work. */
	no(OP("NumericEquals", "'${n}'"), "'k':'1','n':'1'");
	expect_allow(
		LAYER_RESOURCE, USER
		"," GET ",'keys':{'k':'${aws:username}','aws:username':'bob'},'resource_policy':{'Version':'2008-10-17','Statement':"
		"{'Effect':'Allow','Principal':'*','Action':'*','Resource':'*','Condition':{'StringEquals':{'k':'${aws:username}'}}}}");
	expect_allow(LAYER_IDENTITY,
		     USER "," GET ",'keys':{'aws:username':'key'},'identity':[" DOC(ALLOW("*", "arn:aws:s3:::bucket/${aws:username}")) "]");
	expect_implicit(LAYER_IDENTITY, USER "," GET ",'identity':[" DOC(ALLOW("*", "arn:aws:s3:::bucket/${aws:username}")) "]");
	expect_allow(LAYER_IDENTITY, USER "," GET ",'identity':[" DOC(ALLOW("*", "arn:aws:s3:::bucket/${aws:username, `key`}")) "]");
	/* Without a value an allowed NotResource allows nothing, and a denied one denies. */
	expect_implicit(LAYER_IDENTITY, USER
			"," GET ",'identity':[" DOC("{'Effect':'Allow','Action':'*','NotResource':'arn:aws:s3:::bucket/${nobody}'}") "]");
	expect_explicit(LAYER_IDENTITY, USER "," GET ",'identity':[" FULL
					     "," DOC("{'Effect':'Deny','Action':'*','NotResource':'arn:aws:s3:::bucket/${nobody}'}") "]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_string), cmocka_unit_test(test_numeric),
		cmocka_unit_test(test_date),   cmocka_unit_test(test_bool_binary_null),
		cmocka_unit_test(test_ip),     cmocka_unit_test(test_arn),
		cmocka_unit_test(test_sets),   cmocka_unit_test(test_variables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
