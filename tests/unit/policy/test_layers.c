/* SPDX-License-Identifier: Apache-2.0 */
/* The layers one by one and together: identity, resource, boundary, session, organization, accounts. */
#include "policy_test.h"

#define BOB "{'AWS':'arn:aws:iam::111111111111:user/Bob'}"
#define APP "{'AWS':'arn:aws:iam::111111111111:role/team/App'}"
#define APP_SESSION "{'AWS':'arn:aws:sts::111111111111:assumed-role/App/s1'}"
#define ACCOUNT "{'AWS':'arn:aws:iam::111111111111:root'}"
#define NOTHING DOC(ALLOW("ec2:*", "*"))
#define BUCKET(p) "'resource_policy':" DOC(GRANT("Allow", p, "s3:GetObject", "arn:aws:s3:::bucket/*"))
#define BUCKET_DENY(p) "'resource_policy':" DOC(GRANT("Deny", p, "s3:*", "*"))
#define KEY(p) "'resource_policy':" DOC(GRANT("Allow", p, "kms:*", "*"))

static void test_identity(void **state)
{
	expect_implicit(LAYER_IDENTITY, USER "," GET);
	expect_allow(LAYER_IDENTITY, USER "," GET ",'identity':[" FULL "]");
	expect_allow(LAYER_IDENTITY, USER "," GET ",'identity':[" NOTHING "," DOC(ALLOW("S3:getobject", "arn:aws:s3:::bucket/*")) "]");
	expect_implicit(LAYER_IDENTITY, USER "," GET ",'identity':[" DOC(ALLOW("s3:GetObject", "arn:aws:s3:::bucket/KEY")) "]");
	expect_explicit(LAYER_IDENTITY, USER "," GET ",'identity':[" FULL "," DOC(DENY("s3:Get*", "*")) "]");
	expect_implicit(LAYER_IDENTITY, USER "," GET ",'identity':[" DOC("{'Effect':'Allow','NotAction':'s3:*','Resource':'*'}") "]");
	expect_allow(LAYER_IDENTITY,
		     USER "," GET ",'identity':[" DOC("{'Effect':'Allow','NotAction':'iam:*','NotResource':'arn:aws:s3:::other*'}") "]");
	expect_implicit(LAYER_IDENTITY,
			USER "," GET ",'identity':[" DOC("{'Effect':'Allow','Action':'*','NotResource':'arn:aws:s3:::bucket/*'}") "]");
	expect_allow(LAYER_IDENTITY, USER ",'action':'ec2:DescribeInstances','resource':'*','identity':[" NOTHING "]");
	expect_implicit(LAYER_IDENTITY,
			USER ",'action':'ec2:DescribeInstances','resource':'*','identity':[" DOC(ALLOW("*", "arn:aws:ec2:*:*:*")) "]");
}

static void test_resource_same_account(void **state)
{
	expect_allow(LAYER_RESOURCE, USER "," GET "," BUCKET(BOB));
	expect_allow(LAYER_RESOURCE, USER "," GET "," BUCKET("'*'"));
	expect_allow(LAYER_RESOURCE, USER "," GET "," BUCKET("{'AWS':'AIDABOBBOBBOBBOBBOB1'}"));
	expect_implicit(LAYER_IDENTITY, USER "," GET "," BUCKET(APP));
	expect_implicit(LAYER_IDENTITY, USER "," GET "," BUCKET(ACCOUNT)); /* delegation isn't a grant */
	expect_allow(LAYER_IDENTITY, USER "," GET "," BUCKET(ACCOUNT) ",'identity':[" FULL "]");
	expect_allow(LAYER_RESOURCE, SESSION "," GET "," BUCKET(APP));
	expect_allow(LAYER_RESOURCE, SESSION "," GET "," BUCKET(APP_SESSION));
	expect_allow(LAYER_RESOURCE, SESSION "," GET "," BUCKET("{'AWS':'AROAAPPAPPAPPAPPAPP1'}"));
	expect_explicit(LAYER_RESOURCE, USER "," GET ",'identity':[" FULL "]," BUCKET_DENY("'*'"));
	expect_explicit(LAYER_RESOURCE, USER "," GET ",'identity':[" FULL "]," BUCKET_DENY("{'AWS':'111111111111'}"));
	expect_explicit(LAYER_RESOURCE, SESSION "," GET ",'identity':[" FULL "]," BUCKET_DENY(APP));
	expect_allow(LAYER_IDENTITY, USER "," GET ",'identity':[" FULL "]," BUCKET_DENY(APP));
}

static void test_boundary(void **state)
{
	expect_allow(LAYER_IDENTITY, USER "," GET ",'identity':[" FULL "],'boundary':[" FULL "]");
	expect_implicit(LAYER_BOUNDARY, USER "," GET ",'identity':[" FULL "],'boundary':[" NOTHING "]");
	expect_implicit(LAYER_IDENTITY, USER "," GET ",'boundary':[" FULL "]"); /* a boundary grants nothing */
	expect_explicit(LAYER_BOUNDARY, USER "," GET ",'identity':[" FULL "],'boundary':[" DOC(DENY("s3:*", "*")) "]");
	/* What the resource grants to the user or session himself isn't limited by what the boundary leaves out... */
	expect_allow(LAYER_RESOURCE, USER "," GET ",'boundary':[" NOTHING "]," BUCKET(BOB));
	expect_allow(LAYER_RESOURCE, SESSION "," GET ",'boundary':[" NOTHING "]," BUCKET(APP_SESSION));
	/* ...but a grant to the role is, and a denial always counts. */
	expect_implicit(LAYER_BOUNDARY, SESSION "," GET ",'boundary':[" NOTHING "]," BUCKET(APP));
	expect_explicit(LAYER_BOUNDARY, USER "," GET ",'boundary':[" DOC(DENY("*", "*")) "]," BUCKET(BOB));
}

static void test_session(void **state)
{
	expect_allow(LAYER_IDENTITY, SESSION "," GET ",'identity':[" FULL "],'session':[" FULL "]");
	expect_implicit(LAYER_SESSION, SESSION "," GET ",'identity':[" FULL "],'session':[" NOTHING "]");
	expect_explicit(LAYER_SESSION, SESSION "," GET ",'identity':[" FULL "],'session':[" DOC(DENY("s3:*", "*")) "]");
	expect_implicit(LAYER_SESSION, SESSION "," GET ",'session':[" NOTHING "]," BUCKET(APP));
	expect_implicit(LAYER_SESSION, SESSION "," GET ",'session':[" NOTHING "]," BUCKET("'*'"));
	expect_allow(LAYER_RESOURCE, SESSION "," GET ",'session':[" NOTHING "]," BUCKET(APP_SESSION));
	expect_implicit(LAYER_IDENTITY, SESSION "," GET ",'session':[" FULL "]");
}

static void test_organization(void **state)
{
#define ME ",'identity':[" FULL "]"
	expect_allow(LAYER_IDENTITY, USER "," GET ME ",'scp':[[" FULL "],[" FULL "]]");
	expect_implicit(LAYER_ORGANIZATION, USER "," GET ME ",'scp':[[" FULL "],[" NOTHING "]]");
	expect_implicit(LAYER_ORGANIZATION, USER "," GET ME ",'scp':[[" FULL "],[]]");
	expect_allow(LAYER_IDENTITY, USER "," GET ME ",'scp':[[" FULL "],[" NOTHING "," FULL "]]");
	expect_explicit(LAYER_ORGANIZATION, USER "," GET ME ",'scp':[[" FULL "," DOC(DENY("s3:*", "*")) "],[" FULL "]]");
	expect_explicit(LAYER_ORGANIZATION, ROOT "," GET ",'scp':[[" FULL "," DOC(DENY("s3:*", "*")) "]]");
	expect_implicit(LAYER_ORGANIZATION, ROOT "," GET ",'scp':[[" NOTHING "]]");
	/* Not for services, nor for service-linked roles. */
	expect_allow(LAYER_RESOURCE, SERVICE "," GET ",'scp':[[" NOTHING "]]," BUCKET("{'Service':'sns.amazonaws.com'}"));
	expect_allow(LAYER_IDENTITY,
		     "'principal':{'type':'role_session','account':'111111111111','arn':'arn:aws:sts::111111111111:assumed-role/"
		     "AWSServiceRoleForX/s',"
		     "'role_arn':'arn:aws:iam::111111111111:role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX'}," GET ME
		     ",'scp':[[" NOTHING "]]");
#undef ME
	expect_explicit(LAYER_RESOURCE_CONTROL, USER "," GET ",'identity':[" FULL "],'rcp':[" DOC(GRANT("Deny", "'*'", "s3:*", "*")) "]");
	expect_explicit(LAYER_RESOURCE_CONTROL, ANONYMOUS "," GET "," BUCKET("'*'") ",'rcp':[" DOC(GRANT("Deny", "'*'", "s3:*", "*")) "]");
	expect_allow(LAYER_IDENTITY, USER "," GET ",'identity':[" FULL "],'rcp':[" DOC(GRANT("Deny", "'*'", "sqs:*", "*")) "]");
}

static void test_cross_account(void **state)
{
	expect_implicit(LAYER_RESOURCE, USER "," GET_FOREIGN ",'identity':[" FULL "]");
	expect_implicit(LAYER_IDENTITY, USER "," GET_FOREIGN "," BUCKET(BOB));
	expect_implicit(LAYER_IDENTITY, USER "," GET_FOREIGN "," BUCKET("'*'"));
	expect_allow(LAYER_RESOURCE, USER "," GET_FOREIGN ",'identity':[" FULL "]," BUCKET(BOB));
	expect_allow(LAYER_RESOURCE, USER "," GET_FOREIGN ",'identity':[" FULL "]," BUCKET(ACCOUNT));
	expect_implicit(LAYER_RESOURCE, USER "," GET_FOREIGN ",'identity':[" FULL "]," BUCKET("{'AWS':'333333333333'}"));
	expect_implicit(LAYER_BOUNDARY, USER "," GET_FOREIGN ",'identity':[" FULL "],'boundary':[" NOTHING "]," BUCKET(BOB));
	expect_implicit(LAYER_SESSION, SESSION "," GET_FOREIGN ",'identity':[" FULL "],'session':[" NOTHING "]," BUCKET(APP_SESSION));
	expect_implicit(LAYER_RESOURCE, ROOT "," GET_FOREIGN);
	expect_allow(LAYER_RESOURCE, ROOT "," GET_FOREIGN "," BUCKET(ACCOUNT));
	/* A resource nobody owns yet is the caller's. */
	expect_allow(LAYER_IDENTITY, USER ",'action':'s3:CreateBucket','resource':'arn:aws:s3:::n','identity':[" FULL "]");
}

static void test_required(void **state)
{
	expect_implicit(LAYER_RESOURCE, USER "," DECRYPT ",'identity':[" FULL "]");
	expect_implicit(LAYER_RESOURCE, USER "," DECRYPT ",'identity':[" FULL "]," KEY(APP));
	expect_allow(LAYER_RESOURCE, USER "," DECRYPT "," KEY(BOB));
	expect_implicit(LAYER_IDENTITY, USER "," DECRYPT "," KEY(ACCOUNT));
	expect_allow(LAYER_IDENTITY, USER "," DECRYPT ",'identity':[" FULL "]," KEY(ACCOUNT));
	expect_implicit(LAYER_BOUNDARY, USER "," DECRYPT ",'identity':[" FULL "],'boundary':[" NOTHING "]," KEY(ACCOUNT));
	expect_allow(LAYER_RESOURCE, ROOT "," DECRYPT "," KEY(ACCOUNT));
	expect_implicit(LAYER_RESOURCE, ROOT "," DECRYPT "," KEY(BOB));
	expect_implicit(LAYER_RESOURCE, ROOT "," DECRYPT);
	expect_explicit(LAYER_RESOURCE, ROOT "," DECRYPT ",'resource_policy':" DOC(
						GRANT("Deny", "'*'", "kms:Decrypt", "*") "," GRANT("Allow", ACCOUNT, "kms:*", "*")));
}

static void test_root_service_anonymous(void **state)
{
	expect_allow(LAYER_ROOT, ROOT "," GET);
	expect_explicit(LAYER_RESOURCE, ROOT "," GET "," BUCKET_DENY("'*'"));
	expect_implicit(LAYER_RESOURCE, SERVICE "," GET ",'identity':[" FULL "]");
	expect_allow(LAYER_RESOURCE, SERVICE "," GET "," BUCKET("{'Service':'sns.amazonaws.com'}"));
	expect_implicit(LAYER_RESOURCE, SERVICE "," GET "," BUCKET("{'Service':'sqs.amazonaws.com'}"));
	expect_allow(LAYER_RESOURCE, SERVICE "," GET "," BUCKET("'*'"));
	expect_implicit(LAYER_RESOURCE, SERVICE "," GET "," BUCKET(ACCOUNT));
	expect_explicit(LAYER_RESOURCE, SERVICE "," GET "," BUCKET_DENY("'*'"));
	expect_implicit(LAYER_RESOURCE, ANONYMOUS "," GET);
	expect_allow(LAYER_RESOURCE, ANONYMOUS "," GET "," BUCKET("{'AWS':'*'}"));
	expect_implicit(LAYER_RESOURCE, ANONYMOUS "," GET "," BUCKET(BOB));
}

static void test_not_principal(void **state)
{
#define SPARE(list)                                                                                                                        \
	"'identity':[" FULL "],'resource_policy':" DOC("{'Effect':'Deny','NotPrincipal':{'AWS':[" list "]},'Action':'s3:*','Resource':'*'" \
						       "}")
#define R "'arn:aws:iam::111111111111:root'"
	expect_allow(LAYER_IDENTITY, USER "," GET "," SPARE("'arn:aws:iam::111111111111:user/Bob'," R));
	expect_explicit(LAYER_RESOURCE, USER "," GET "," SPARE("'arn:aws:iam::111111111111:user/Bob'"));
	expect_explicit(LAYER_RESOURCE, USER "," GET "," SPARE(R));
	expect_explicit(LAYER_RESOURCE, USER "," GET "," SPARE("'arn:aws:iam::111111111111:user/Eve'," R));
	expect_allow(LAYER_IDENTITY, SESSION
		     "," GET "," SPARE("'arn:aws:sts::111111111111:assumed-role/App/s1','arn:aws:iam::111111111111:role/team/App'," R));
	expect_explicit(LAYER_RESOURCE, SESSION "," GET "," SPARE("'arn:aws:iam::111111111111:role/team/App'," R));
	expect_allow(LAYER_ROOT, ROOT "," GET "," SPARE(R));
	/* With a boundary NotPrincipal spares nobody. */
	expect_explicit(LAYER_RESOURCE, USER "," GET ",'boundary':[" FULL "]," SPARE("'arn:aws:iam::111111111111:user/Bob'," R));
	expect_explicit(LAYER_RESOURCE, ANONYMOUS "," GET "," SPARE(R));
#undef R
#undef SPARE
}

static void test_trust(void **state)
{
#define ASSUME                                                                                                                             \
	"'action':'sts:AssumeRole','resource':'arn:aws:iam::111111111111:role/team/"                                                       \
	"App','resource_account':'111111111111','rule':'required','resource_kind':'trust'"
#define TOKEN "'principal':{'type':'federated','arn':'arn:aws:iam::111111111111:oidc-provider/idp.example.com'}"
#define TRUSTS(p, extra)                                                                                                                   \
	"'resource_policy':" DOC("{'Effect':'Allow','Action':['sts:AssumeRole','sts:AssumeRoleWithWebIdentity'],'Principal':" p extra "}")
#define SUB ",'Condition':{'StringEquals':{'idp.example.com:sub':'repo:a'}}"
	expect_allow(LAYER_RESOURCE, USER "," ASSUME "," TRUSTS(BOB, ""));
	expect_implicit(LAYER_IDENTITY, USER "," ASSUME "," TRUSTS(ACCOUNT, ""));
	expect_allow(LAYER_IDENTITY, USER "," ASSUME "," TRUSTS(ACCOUNT, "") ",'identity':[" FULL "]");
	expect_implicit(LAYER_RESOURCE, USER "," ASSUME "," TRUSTS(APP, "") ",'identity':[" FULL "]");
	expect_allow(LAYER_RESOURCE, TOKEN "," ASSUME ",'keys':{'idp.example.com:sub':'repo:a'}," TRUSTS(
					     "{'Federated':'arn:aws:iam::111111111111:oidc-provider/idp.example.com'}", SUB));
	expect_implicit(LAYER_RESOURCE, TOKEN "," ASSUME ",'keys':{'idp.example.com:sub':'repo:b'}," TRUSTS(
						"{'Federated':'arn:aws:iam::111111111111:oidc-provider/idp.example.com'}", SUB));
	expect_implicit(LAYER_RESOURCE,
			TOKEN "," ASSUME "," TRUSTS("{'Federated':'arn:aws:iam::111111111111:oidc-provider/other.example.com'}", ""));
	/* A token isn't an AWS principal. */
	expect_implicit(LAYER_RESOURCE, TOKEN "," ASSUME "," TRUSTS("{'AWS':'*'}", ""));
	expect_allow(LAYER_RESOURCE, SERVICE "," ASSUME "," TRUSTS("{'Service':['ec2.amazonaws.com','sns.amazonaws.com']}", ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity), cmocka_unit_test(test_resource_same_account),  cmocka_unit_test(test_boundary),
		cmocka_unit_test(test_session),  cmocka_unit_test(test_organization),           cmocka_unit_test(test_cross_account),
		cmocka_unit_test(test_required), cmocka_unit_test(test_root_service_anonymous), cmocka_unit_test(test_not_principal),
		cmocka_unit_test(test_trust),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
