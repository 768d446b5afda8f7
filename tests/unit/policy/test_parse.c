/* SPDX-License-Identifier: Apache-2.0 */
/* What is a policy and what isn't, with AWS's sentences. */
#include "policy_test.h"

struct parse_case {
	const char *text, *error; /* error NULL: well formed */
};

static void check(const struct parse_case *v, size_t n, enum policy_kind kind)
{
	for (size_t i = 0; i < n; i++) {
		struct policy *p = NULL;
		struct str error = STR_NONE, text = test_text(v[i].text);
		int r = policy_parse(&test_arena, text, kind, &p, &error);

		if ((r == 0) != (v[i].error == NULL) || (r < 0 && !str_eq(error, test_text(v[i].error))))
			fail_msg("%s\ngot  %d %.*s\nwant %s", v[i].text, r, STR(error), v[i].error ? v[i].error : "well formed");
		arena_reset(&test_arena);
	}
}

#define ST(x) "{'Version':'2012-10-17','Statement':{" x "}}"
#define AAR "'Effect':'Allow','Action':'s3:ListBucket','Resource':'*'"
#define SYNTAX "Syntax errors in policy."
#define LEGACY "The policy failed legacy parsing"

static void test_identity(void **state)
{
	static const struct parse_case cases[] = {
		{ ST(AAR), NULL },
		{ DOC("{" AAR "},{" AAR "}"), NULL },
		{ "not json", SYNTAX },
		{ "", SYNTAX },
		{ "[]", SYNTAX },
		{ "{}", SYNTAX },
		{ "{'Statement':{" AAR "}}", "Policy document must be version 2012-10-17 or greater." },
		{ "{'Version':'2008-10-17','Statement':{" AAR "}}", "Policy document must be version 2012-10-17 or greater." },
		{ "{'Version':'2013-10-17','Statement':{" AAR "}}", SYNTAX },
		{ "{'Version':'2012-10-17'}", SYNTAX },
		{ "{'Version':'2012-10-17','Statement':[]}", SYNTAX },
		{ "{'Version':'2012-10-17','Statement':null}", SYNTAX },
		{ "{'Version':'2012-10-17','Statement':['x']}", SYNTAX },
		{ "{'Version':'2012-10-17','Extra':1,'Statement':{" AAR "}}", SYNTAX },
		{ "{'Version':'2012-10-17','Id':{},'Statement':{" AAR "}}", SYNTAX },
		{ ST(AAR ",'Extra':'x'"), SYNTAX },
		{ ST(AAR ",'Sid':[]"), SYNTAX },
		{ ST(AAR ",'Action':'s3:*'"), SYNTAX }, /* twice */
		{ ST(AAR ",'NotAction':'s3:*'"), SYNTAX },
		{ ST(AAR ",'NotResource':'*'"), SYNTAX },
		{ ST("'Action':'s3:*','Resource':'*'"), SYNTAX },
		{ ST("'Effect':'Maybe','Action':'s3:*','Resource':'*'"), SYNTAX },
		{ ST("'Effect':'Allow','Action':7,'Resource':'*'"), SYNTAX },
		{ ST("'Effect':'Allow','Action':[['s3:*']],'Resource':'*'"), SYNTAX },
		{ ST("'Effect':'Allow','Action':'s3:*','Resource':['*',{}]"), SYNTAX },
		{ ST("'Effect':'allow','Action':'s3:*','Resource':'*'"), LEGACY },
		{ ST("'Effect':'Allow','Resource':'*'"), "Policy statement must contain actions." },
		{ ST("'Effect':'Allow','Action':[],'Resource':'*'"), "Policy statement must contain actions." },
		{ ST("'Effect':'Allow','Action':'s3:*'"), "Policy statement must contain resources." },
		{ ST("'Effect':'Allow','Action':'s3:*','Resource':[]"), "Policy statement must contain resources." },
		{ ST("'Effect':'Allow','Action':'GetObject','Resource':'*'"),
		  "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc." },
		{ ST("'Effect':'Allow','Action':'','Resource':'*'"),
		  "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc." },
		{ ST("'Effect':'Allow','Action':'s3:a:b','Resource':'*'"), "Actions/Condition can contain only one colon." },
		{ ST("'Effect':'Allow','Action':'a a:b','Resource':'*'"), "Vendor a a is not valid" },
		{ ST("'Effect':'Allow','Action':':b','Resource':'*'"), "Vendor  is not valid" },
		{ ST("'Effect':'Allow','Action':'s*:b','Resource':'*'"), "Vendor s* is not valid" },
		{ ST("'Effect':'Allow','Action':'s3:*','Resource':'x'"), "Resource x must be in ARN format or '*'." },
		{ ST("'Effect':'Allow','Action':'s3:*','Resource':''"), "Resource  must be in ARN format or '*'." },
		{ ST("'Effect':'Allow','Action':'s3:*','Resource':'aws:s3:::b'"),
		  "Partition 's3' is not valid for resource 'arn:s3:::b:*'." },
		{ ST("'Effect':'Allow','Action':'s3:*','Resource':'a:b:c:d:e:f:g:h'"),
		  "Partition 'b' is not valid for resource 'arn:b:c:d:e:f:g:h'." },
		{ ST("'Effect':'Allow','Action':'s3:*','Resource':'a:bs'"), "Partition 'bs' is not valid for resource 'arn:bs:*:*:*:*'." },
		{ ST("'Effect':'Allow','Action':'s3:*','Resource':'arn:aws'"),
		  "Resource vendor must be fully qualified and cannot contain regexes." },
		{ ST("'Effect':'Allow','Action':'s3:*','Resource':'arn:aws:s3::b'"), LEGACY },
		{ ST("'Effect':'Allow','Action':'s3:*','Resource':'arn:aws::::b'"), LEGACY },
		{ ST("'Effect':'Allow','Action':'s3:*','Resource':'arn:aws:s3:eu-west-1::b'"),
		  "Resource arn:aws:s3:eu-west-1::b can not contain region information." },
		{ ST("'Effect':'Allow','Action':'s3:*','Resource':'arn:aws:iam:eu-west-1::user/b'"),
		  "IAM resource arn:aws:iam:eu-west-1::user/b cannot contain region information." },
		{ ST("'Effect':'Allow','Action':'s3:*','Resource':'arn:aws:iam::1:b'"),
		  "IAM resource path must either be '*', root, or start with user/, federated-user/, role/, group/, instance-profile/, "
		  "mfa/, server-certificate/, "
		  "policy/, sms-mfa/, saml-provider/, oidc-provider/, report/, access-report/." },
		{ ST("'Effect':'Allow','Action':'s3:*','Resource':'arn:aws:s3:eu-west-1:111111111111:accesspoint/x'"), NULL },
		{ ST("'Effect':'Allow','Action':'s3:*','Resource':'arn:aws:fdsasf'"), NULL },
		{ ST("'Effect':'Allow','Action':'iam: asdf safdsf af ','Resource':'arn:aws:s3:::b'"), NULL },
		{ DOC("{'Sid':'a'," AAR "},{'Sid':'a'," AAR "}"), "Statement IDs (SID) in a single policy must be unique." },
		{ DOC("{'Sid':'a b'," AAR "}"),
		  "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*" },
		{ ST(AAR ",'Principal':'*'"), "Policy document should not specify a principal." },
	};

	check(cases, ELEMENTS(cases), POLICY_IDENTITY);
}

static void test_conditions(void **state)
{
	static const struct parse_case cases[] = {
		{ ST(AAR ",'Condition':{}"), NULL },
		{ ST(AAR ",'Condition':{'Unknown':{}}"), NULL },
		{ ST(AAR ",'Condition':[]"), SYNTAX },
		{ ST(AAR ",'Condition':{'a':'b'}"), SYNTAX },
		{ ST(AAR ",'Condition':{'Unknown':{'a':'1'}}"), SYNTAX },
		{ ST(AAR ",'Condition':{'StringEquals':{'a':{}}}"), SYNTAX },
		{ ST(AAR ",'Condition':{'StringEquals':{'a':null}}"), SYNTAX },
		{ ST(AAR ",'Condition':{'StringEquals':{'a':'b','a':'c'}}"), SYNTAX },
		{ ST(AAR ",'Condition':{'ForAnyValue::StringEqualsIfExists':{'a':'b'}}"), SYNTAX },
		{ ST(AAR ",'Condition':{'NullIfExists':{'a':'true'}}"), SYNTAX },
		{ ST(AAR ",'Condition':{'ForAnyValue:StringLikeIfExists':{'a':['b']}}"), NULL },
		{ ST(AAR ",'Condition':{'Bool':{'aws:SecureTransport':true},'NumericLessThan':{'n':7}}"), NULL },
		{ ST(AAR ",'Condition':{'DateGreaterThan':{'a':[]}}"), NULL },
		{ ST(AAR ",'Condition':{'DateGreaterThan':{'a':'2017-07-01T00:00:00Z'}}"), NULL },
		{ ST(AAR ",'Condition':{'DateGreaterThan':{'a':'1500000000'}}"), NULL },
		{ ST(AAR ",'Condition':{'DateGreaterThan':{'a':'soon'}}"), LEGACY },
		{ ST(AAR ",'Condition':{'DateGreaterThan':{'a':'234-13'}}"), LEGACY },
		{ ST(AAR ",'Condition':{'DateGreaterThan':{'a':'2016-12-13t2:00:00.593194+1'}}"), LEGACY },
		{ ST(AAR ",'Condition':{'DateGreaterThan':{'a':'2016-12-13t2:00:00.1999999999+10:59'}}"), LEGACY },
		{ ST(AAR ",'Condition':{'DateGreaterThan':{'a':'2016-02-30'}}"), LEGACY },
		{ ST(AAR ",'Condition':{'DateGreaterThan':{'a':'9223372036854775808'}}"), LEGACY },
	};

	check(cases, ELEMENTS(cases), POLICY_IDENTITY);
}

#define TR(x) "{'Version':'2012-10-17','Statement':[{'Effect':'Allow','Action':'sts:AssumeRole'" x "}]}"

static void test_trust(void **state)
{
	static const struct parse_case cases[] = {
		{ TR(",'Principal':{'AWS':'111111111111'}"), NULL },
		{ TR(",'Principal':{'AWS':['arn:aws:iam::111111111111:root','arn:aws:iam::111111111111:role/a/"
		     "b','AROAAAAAAAAAAAAAAAAAA']}"),
		  NULL },
		{ TR(",'Principal':{'Service':'lambda.amazonaws.com'}"), NULL },
		{ TR(",'Principal':{'Federated':'cognito-identity.amazonaws.com'}"), NULL },
		{ TR(",'Principal':'*'"), NULL },
		{ "{'Version':'2008-10-17','Statement':{'Effect':'Allow','Principal':'*','Action':'sts:AssumeRole'}}", NULL },
		{ "{", "This policy contains invalid Json" },
		{ "{'Version':'2020-01-01','Statement':[]}", "The policy must contain a valid version string" },
		{ "{'Version':'2012-10-17','Statement':[]}", "Could not parse the policy: Statement is empty!" },
		{ TR(""), "Missing required field Principal" },
		{ TR(",'Principal':{}"), "Missing required field Principal cannot be empty!" },
		{ TR(",'Principal':{'AWS':'111'}"), "Invalid principal in policy: 'AWS':'111'" },
		{ TR(",'Principal':{'AWS':'arn:aws:iam::111111111111:user/*'}"),
		  "Invalid principal in policy: 'AWS':'arn:aws:iam::111111111111:user/*'" },
		{ TR(",'Principal':{'AWS':'arn:aws:s3:::bucket'}"), "Invalid principal in policy: 'AWS':'arn:aws:s3:::bucket'" },
		{ TR(",'Principal':{'AWS':'arn:aws:sts::111111111111:role/x'}"),
		  "Invalid principal in policy: 'AWS':'arn:aws:sts::111111111111:role/x'" },
		{ TR(",'Principal':{'Service':'lambda.example.com'}"), "Invalid principal in policy: 'SERVICE':'lambda.example.com'" },
		{ TR(",'Principal':{'Service':'*.amazonaws.com'}"), "Invalid principal in policy: 'SERVICE':'*.amazonaws.com'" },
		{ TR(",'Principal':{'Group':'x'}"), "Invalid principal in policy: 'GROUP':''" },
		{ TR(",'NotPrincipal':{'AWS':'111111111111'}"), "Allow with NotPrincipal is not allowed." },
		{ TR(",'Principal':'*','Resource':'*'"), "Has prohibited field Resource" },
		{ TR(",'Principal':'*','NotResource':'*'"), "AssumeRole policy must not contain resources." },
		{ "{'Statement':{'Effect':'Allow','Principal':'*','Action':'s3:GetObject'}}",
		  "AssumeRole policy may only specify STS AssumeRole actions." },
		{ "{'Statement':{'Effect':'Allow','Principal':'*','Action':'sts:*'}}",
		  "AssumeRole policy may only specify STS AssumeRole actions." },
		{ "{'Statement':{'Effect':'Allow','Principal':'*'}}", "Missing required field Action" },
		{ "{'Statement':{'Effect':'Perhaps','Principal':'*'}}", "Invalid effect: Perhaps" },
		{ "{'Statement':{'Principal':'*'}}", "Missing required field Effect" },
		{ TR(",'Principal':'*','Condition':{'StringSort':{'a':'b'}}"), "Syntax error in policy." },
		{ TR(",'Principal':'*','Sid':'x'"), NULL },
	};

	check(cases, ELEMENTS(cases), POLICY_TRUST);
}

static void test_resource(void **state)
{
	static const struct parse_case cases[] = {
		{ DOC(GRANT("Allow", "'*'", "s3:GetObject", "arn:aws:s3:::b/*")), NULL },
		{ DOC(GRANT("Allow", "{'CanonicalUser':'79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be'}", "s3:*", "*")),
		  NULL },
		{ DOC("{'Effect':'Deny','NotPrincipal':{'AWS':'111111111111'},'Action':'s3:*','Resource':'*'}"), NULL },
		{ DOC("{'Effect':'Allow','NotPrincipal':{'AWS':'111111111111'},'Action':'s3:*','Resource':'*'}"),
		  "Allow with NotPrincipal is not allowed." },
		{ DOC(GRANT("Allow", "'*'", "GetObject", "*")), "Policy has invalid action" },
		{ DOC(GRANT("Allow", "'*'", "s3:*", "bucket")), "Policy has invalid resource" },
		{ DOC("{'Effect':'Allow','Principal':'*','Action':'s3:*'}"), "Missing required field Resource" },
		{ DOC("{'Effect':'Allow','Action':'s3:*','Resource':'*'}"), "Missing required field Principal" },
		{ DOC("{'Effect':'Allow','Principal':'bob','Action':'s3:*','Resource':'*'}"), "Invalid principal in policy" },
		{ DOC("{'Effect':'Allow','Principal':'*','Action':'s3:*','Resource':'*','Foo':1}"), "Unknown field Foo" },
		{ DOC("{'Effect':'Allow','Principal':'*','Action':'s3:*','Resource':'*','Condition':{'StringSort':{'a':'b'}}}"),
		  "Invalid Condition type : StringSort" },
		{ "{'Version':'2012-10-17'}", "Missing required field Statement" },
	};

	check(cases, ELEMENTS(cases), POLICY_RESOURCE);
}

static void test_repository(void **state)
{
	static const struct parse_case cases[] = {
		{ DOC("{'Effect':'Allow','Principal':'*','Action':'ecr:*'}"), NULL },
		{ DOC(GRANT("Allow", "'*'", "ecr:*", "*")), "Has prohibited field Resource" },
	};

	check(cases, ELEMENTS(cases), POLICY_RESOURCE_SELF);
}

#define ORG "The provided policy document does not meet the requirements of the specified policy type."

static void test_organization(void **state)
{
	static const struct parse_case scp[] = {
		{ FULL, NULL },
		{ DOC(DENY("s3:*", "arn:aws:s3:::secret*")), NULL },
		{ DOC(GRANT("Deny", "'*'", "s3:*", "*")), ORG },
		{ DOC(DENY("s3:*", "arn:aws:s3")), ORG },
		{ "{}", ORG },
	};
	static const struct parse_case rcp[] = {
		{ DOC(GRANT("Allow", "'*'", "*", "*")), NULL },
		{ DOC(GRANT("Deny", "'*'", "s3:*", "*")), NULL },
		{ DOC(GRANT("Deny", "'*'", "*", "*")), ORG },
		{ DOC(GRANT("Allow", "'*'", "s3:*", "*")), ORG },
		{ DOC(GRANT("Deny", "{'AWS':'111111111111'}", "s3:*", "*")), ORG },
		{ DOC(DENY("s3:*", "*")), ORG },
	};

	check(scp, ELEMENTS(scp), POLICY_ORGANIZATION);
	check(rcp, ELEMENTS(rcp), POLICY_RESOURCE_CONTROL);
}

static void test_borrows_nothing(void **state)
{
	static struct arena text_arena;
	struct policy *p = NULL;
	struct str error, text = test_text(DOC(ALLOW("s3:GetObject", "arn:aws:s3:::b/${aws:username}/*")));
	struct str copy = str_dup(&text_arena, text), account = S("111111111111");
	struct policy_principal bob = { .type = PRINCIPAL_USER, .account = account, .arn = S("arn:aws:iam::111111111111:user/bob") };
	struct str name = S("bob");
	struct policy_key key = { S("aws:username"), &name, 1, false };
	struct policy_request r = {
		.action = S("s3:GetObject"), .resource = S("arn:aws:s3:::b/bob/x"), .principal = &bob, .keys = &key, .n_keys = 1
	};
	struct policy_named named = { .name = S("n") };

	assert_int_equal(policy_parse(&test_arena, copy, POLICY_IDENTITY, &p, &error), 0);
	memset((char *)(uintptr_t)copy.p, 'x', copy.n);
	named.policy = p;
	r.identity = (struct policy_set){ &named, 1 };
	assert_int_equal(policy_evaluate(&r, &test_arena).decision, DECISION_ALLOW);
	arena_done(&text_arena);
	arena_reset(&test_arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity),        cmocka_unit_test(test_conditions), cmocka_unit_test(test_trust),
		cmocka_unit_test(test_resource),        cmocka_unit_test(test_repository), cmocka_unit_test(test_organization),
		cmocka_unit_test(test_borrows_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
