/* SPDX-License-Identifier: Apache-2.0 */
/* The sentences of "Troubleshoot access denied error messages", what decided, and what is public. */
#include "policy_test.h"

static void says(const char *z, const char *want, const char *file, int line)
{
	struct policy_request r;
	struct policy_result d = test_decide(z, &r);
	struct str text = policy_explain(&test_arena, &r, &d), expected = test_text(want);

	if (!str_eq(text, expected)) {
		print_error("got  %.*s\nwant %.*s\n", STR(text), STR(expected));
		_fail(file, line);
	}
	arena_reset(&test_arena);
}

#define says(z, want) says("{" z "}", want, __FILE__, __LINE__)
#define JOHN "'principal':{'type':'user','account':'777788889999','arn':'arn:aws:iam::777788889999:user/JohnDoe'}"
#define LIST "'action':'codecommit:ListRepositories','resource':'*'"
#define SECRET "'action':'secretsmanager:GetSecretValue','resource':'arn:aws:secretsmanager:us-east-1:123456789012:secret:a'"
#define WHO "User: arn:aws:iam::777788889999:user/JohnDoe is not authorized to perform: "

static void test_sentences(void **state)
{
	says(JOHN "," LIST,
	     WHO "codecommit:ListRepositories because no identity-based policy allows the codecommit:ListRepositories action");
	says(JOHN "," LIST ",'identity':[" DOC(DENY("*", "*")) "]",
	     WHO "codecommit:ListRepositories with an explicit deny in an identity-based policy");
	says(JOHN "," LIST ",'identity':[" FULL "],'scp':[[]]",
	     WHO "codecommit:ListRepositories because no service control policy allows the codecommit:ListRepositories action");
	says(JOHN "," LIST ",'scp':[[" DOC(DENY("*", "*")) "]]",
	     WHO "codecommit:ListRepositories with an explicit deny in a service control policy");
	says(JOHN "," LIST ",'identity':[" FULL "],'boundary':[" DOC(ALLOW("s3:*", "*")) "]",
	     WHO "codecommit:ListRepositories because no permissions boundary allows the codecommit:ListRepositories action");
	says(JOHN "," LIST ",'boundary':[" DOC(DENY("*", "*")) "]",
	     WHO "codecommit:ListRepositories with an explicit deny in a permissions boundary");
	says(JOHN "," LIST ",'identity':[" FULL "],'session':[" DOC(ALLOW("s3:*", "*")) "]",
	     WHO "codecommit:ListRepositories because no session policy allows the codecommit:ListRepositories action");
	says(JOHN "," LIST ",'session':[" DOC(DENY("*", "*")) "]",
	     WHO "codecommit:ListRepositories with an explicit deny in a session policy");
	says(JOHN "," SECRET ",'resource_account':'123456789012','identity':[" FULL "]",
	     WHO "secretsmanager:GetSecretValue on resource: arn:aws:secretsmanager:us-east-1:123456789012:secret:a because no "
		 "resource-based policy allows the "
		 "secretsmanager:GetSecretValue action");
	says(JOHN "," SECRET ",'resource_policy':" DOC(GRANT("Deny", "'*'", "*", "*")),
	     WHO "secretsmanager:GetSecretValue on resource: arn:aws:secretsmanager:us-east-1:123456789012:secret:a with an explicit deny "
		 "in a resource-based policy");
	says(JOHN "," SECRET ",'rcp':[" DOC(GRANT("Deny", "'*'", "secretsmanager:*", "*")) "]",
	     WHO "secretsmanager:GetSecretValue on resource: arn:aws:secretsmanager:us-east-1:123456789012:secret:a with an explicit deny "
		 "in a resource control policy");
	says(JOHN ",'action':'s3:ListBucket','resource':'arn:aws:s3:::b'",
	     WHO "s3:ListBucket on resource: 'arn:aws:s3:::b' because no identity-based policy allows the s3:ListBucket action");
	says(ANONYMOUS ",'action':'s3:ListBucket','resource':'arn:aws:s3:::b'",
	     "User: anonymous is not authorized to perform: s3:ListBucket on resource: 'arn:aws:s3:::b' because no resource-based policy "
	     "allows the s3:ListBucket action");
}

static void test_trust_sentences(void **state)
{
#define ASSUME "'action':'sts:AssumeRole','resource':'arn:aws:iam::777788889999:role/R','rule':'required','resource_kind':'trust'"
	says(JOHN "," ASSUME
		  ",'resource_policy':" DOC("{'Effect':'Allow','Principal':{'Service':'ec2.amazonaws.com'},'Action':'sts:AssumeRole'}"),
	     WHO
	     "sts:AssumeRole on resource: arn:aws:iam::777788889999:role/R because no role trust policy allows the sts:AssumeRole action");
	says(JOHN "," ASSUME ",'resource_policy':" DOC("{'Effect':'Deny','Principal':'*','Action':'sts:AssumeRole'}"),
	     WHO "sts:AssumeRole on resource: arn:aws:iam::777788889999:role/R with an explicit deny in the role trust policy");
}

static void test_deciding_statement(void **state)
{
	struct policy_request r;
	struct policy_result d;

	d = test_decide("{" USER "," GET ",'identity':[" FULL
			"," DOC(ALLOW("ec2:*", "*") ",{'Sid':'NoReading','Effect':'Deny','Action':'s3:Get*','Resource':'*'}") "]}",
			&r);
	assert_int_equal(d.decision, DECISION_EXPLICIT_DENY);
	assert_str(d.policy_name, "identity_1");
	assert_str(d.sid, "NoReading");
	assert_int_equal(d.statement, 1);
	r.identity.v[1].name = S("arn:aws:iam::111111111111:policy/NoReading");
	d = policy_evaluate(&r, &test_arena);
	assert_str(policy_explain(&test_arena, &r, &d),
		   "User: arn:aws:iam::111111111111:user/Bob is not authorized to perform: s3:GetObject on resource: "
		   "\"arn:aws:s3:::bucket/key\" with an explicit deny in an identity-based policy: "
		   "arn:aws:iam::111111111111:policy/NoReading");
	d = test_decide("{" USER "," GET "}", &r);
	assert_int_equal(d.statement, -1);
	assert_null(d.policy_name.p);
	d = test_decide("{" USER "," GET ",'identity':[" FULL "]}", &r);
	assert_str(policy_explain(&test_arena, &r, &d),
		   "User: arn:aws:iam::111111111111:user/Bob is authorized to perform: s3:GetObject on resource: "
		   "\"arn:aws:s3:::bucket/key\" because an identity-based policy allows the s3:GetObject action: identity_0");
	d = test_decide("{" ROOT "," GET "}", &r);
	assert_str(policy_explain(&test_arena, &r, &d), "User: arn:aws:iam::111111111111:root is authorized to perform: s3:GetObject on "
							"resource: \"arn:aws:s3:::bucket/key\" as root user of the account");
	arena_reset(&test_arena);
}

static void public_is(const char *z, bool want, const char *file, int line)
{
	struct policy *p;
	struct str error = STR_NONE;

	if (policy_parse(&test_arena, test_text(z), POLICY_RESOURCE, &p, &error) < 0)
		fail_msg("%.*s: %s", STR(error), z);
	if (policy_is_public(p) != want) {
		print_error("%s: want public %d\n", z, want);
		_fail(file, line);
	}
	arena_reset(&test_arena);
}

#define PUBLIC(statements, want) public_is(DOC(statements), want, __FILE__, __LINE__)
#define IF(condition) "{'Effect':'Allow','Principal':'*','Action':'s3:GetObject','Resource':'*','Condition':" condition "}"

static void test_public(void **state)
{
	PUBLIC(GRANT("Allow", "'*'", "s3:GetObject", "*"), true);
	PUBLIC(GRANT("Allow", "{'AWS':['111111111111','*']}", "s3:GetObject", "*"), true);
	PUBLIC(GRANT("Allow", "{'AWS':'111111111111'}", "s3:GetObject", "*"), false);
	PUBLIC(GRANT("Allow", "{'Service':'sns.amazonaws.com'}", "s3:GetObject", "*"), false);
	PUBLIC(GRANT("Deny", "'*'", "s3:GetObject", "*"), false);
	PUBLIC(GRANT("Deny", "'*'", "s3:GetObject", "*") "," GRANT("Allow", "'*'", "s3:PutObject", "*"), true);
	PUBLIC(IF("{'StringEquals':{'aws:SourceVpc':'vpc-1'}}"), false);
	PUBLIC(IF("{'StringLike':{'aws:SourceVpc':'vpc-*'}}"), true);
	PUBLIC(IF("{'StringEquals':{'AWS:SourceVpce':['vpce-1','vpce-2']}}"), false);
	PUBLIC(IF("{'StringEqualsIfExists':{'aws:SourceVpce':'vpce-1'}}"), true);
	PUBLIC(IF("{'StringNotEquals':{'aws:SourceVpce':'vpce-1'}}"), true);
	PUBLIC(IF("{'ForAllValues:StringEquals':{'aws:SourceVpce':'vpce-1'}}"), true);
	PUBLIC(IF("{'StringEquals':{'aws:PrincipalOrgID':'o-123'}}"), false);
	PUBLIC(IF("{'StringEquals':{'aws:PrincipalOrgID':'${aws:PrincipalOrgID}'}}"), true);
	PUBLIC(IF("{'StringEquals':{'aws:UserAgent':'curl'}}"), true);
	PUBLIC(IF("{'IpAddress':{'aws:SourceIp':'203.0.113.0/24'}}"), false);
	PUBLIC(IF("{'IpAddress':{'aws:SourceIp':['203.0.113.0/24','0.0.0.0/1']}}"), true);
	PUBLIC(IF("{'IpAddress':{'aws:SourceIp':'2000::/3'}}"), true);
	PUBLIC(IF("{'NotIpAddress':{'aws:SourceIp':'203.0.113.0/24'}}"), true);
	PUBLIC(IF("{'ArnLike':{'aws:SourceArn':'arn:aws:sns:*:111111111111:*'}}"), false);
	PUBLIC(IF("{'ArnLike':{'aws:SourceArn':'arn:aws:sns:*:*:*'}}"), true);
	PUBLIC(IF("{'ArnEquals':{'aws:SourceArn':'arn:aws:s3:::source'}}"), false);
	PUBLIC(IF("{'StringLike':{'aws:userid':'AROAEXAMPLE:*'}}"), false);
	PUBLIC(IF("{'StringLike':{'aws:userid':'*:*'}}"), true);
	PUBLIC(IF("{'Bool':{'aws:PrincipalIsAWSService':'true'}}"), false);
	PUBLIC(IF("{'Bool':{'aws:SecureTransport':'true'}}"), true);
}

static int collect(struct str principal, void *arg)
{
	struct buf *b = arg;

	buf_printf(b, "%.*s ", STR(principal));
	return str_is(principal, "333333333333") ? 7 : 0;
}

static void test_each_principal(void **state)
{
	struct policy *p;
	struct str error;
	struct buf b;

	buf_init(&b, 1000);
	assert_int_equal(
		policy_parse(
			&test_arena,
			test_text(DOC(GRANT(
				"Allow", "{'AWS':['*','111111111111','arn:aws:iam::222222222222:root'],'Service':'sns.amazonaws.com'}",
				"s3:*", "*") "," GRANT("Deny", "'*'", "s3:*",
						       "*") "," GRANT("Allow", "{'AWS':['333333333333','444444444444']}", "s3:*", "*"))),
			POLICY_RESOURCE, &p, &error),
		0);
	assert_int_equal(policy_each_principal(p, collect, &b), 7);
	assert_str(buf_view(&b), "111111111111 arn:aws:iam::222222222222:root 333333333333 ");
	buf_done(&b);
	arena_reset(&test_arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sentences), cmocka_unit_test(test_trust_sentences), cmocka_unit_test(test_deciding_statement),
		cmocka_unit_test(test_public),    cmocka_unit_test(test_each_principal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
