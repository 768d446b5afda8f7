/* SPDX-License-Identifier: Apache-2.0 */
/* What an attacker would try: names that look alike, wildcards smuggled in values, confused deputies, slow patterns. */
#include <time.h>

#include "policy_test.h"

#define ATTACK_SECONDS_MAX 5 /* generous: sanitizers and busy machines; the bad algorithms would take hours */

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void test_confused_deputy(void **state)
{
#define QUEUE "'action':'sqs:SendMessage','resource':'arn:aws:sqs:eu-west-1:111111111111:q','resource_account':'111111111111'"
#define FROM(arn) ",'keys':{'aws:SourceArn':'" arn "','aws:SourceAccount':'222222222222'}"
#define ONLY(condition)                                                                                                                    \
	",'resource_policy':" DOC("{'Effect':'Allow','Principal':{'Service':'sns.amazonaws.com'},'Action':'sqs:SendMessage','Resource':'*" \
				  "','Condition':" condition "}")
	expect_allow(LAYER_RESOURCE, SERVICE "," QUEUE FROM("arn:aws:sns:eu-west-1:111111111111:t")
					     ONLY("{'ArnEquals':{'aws:SourceArn':'arn:aws:sns:eu-west-1:111111111111:t'}}"));
	expect_implicit(LAYER_RESOURCE, SERVICE "," QUEUE FROM("arn:aws:sns:eu-west-1:222222222222:t")
						ONLY("{'ArnEquals':{'aws:SourceArn':'arn:aws:sns:eu-west-1:111111111111:t'}}"));
	expect_implicit(LAYER_RESOURCE, SERVICE "," QUEUE FROM("x") ONLY("{'StringEquals':{'aws:SourceAccount':'111111111111'}}"));
	expect_implicit(LAYER_RESOURCE, SERVICE "," QUEUE ONLY("{'StringEquals':{'aws:SourceAccount':'111111111111'}}"));
	/* A topic's name can't carry another account's number into the pattern. */
	expect_implicit(LAYER_RESOURCE, SERVICE "," QUEUE FROM("arn:aws:sns:eu-west-1:222222222222:x:111111111111:t")
						ONLY("{'ArnLike':{'aws:SourceArn':'arn:aws:sns:*:111111111111:t'}}"));
	/* ExternalId. */
	expect_implicit(LAYER_IDENTITY, USER ",'action':'sts:AssumeRole','resource':'arn:aws:iam::222222222222:role/"
					     "R','resource_account':'222222222222','rule':'required','resource_kind':'trust',"
					     "'resource_policy':" DOC("{'Effect':'Allow','Principal':{'AWS':'111111111111'},'Action':'sts:"
								      "AssumeRole','Condition':{'StringEquals':{'sts:ExternalId':'x'}}}"));
	expect_implicit(LAYER_RESOURCE,
			USER ",'action':'sts:AssumeRole','resource':'arn:aws:iam::222222222222:role/"
			     "R','resource_account':'222222222222','rule':'required','resource_kind':'trust','identity':[" FULL "],"
			     "'resource_policy':" DOC("{'Effect':'Allow','Principal':{'AWS':'111111111111'},'Action':'sts:AssumeRole','"
						      "Condition':{'StringEquals':{'sts:ExternalId':'x'}}}"));
}

static void test_smuggled_wildcards(void **state)
{
#define HOME ",'identity':[" DOC(ALLOW("s3:*", "arn:aws:s3:::bucket/${aws:PrincipalTag/home}/*")) "]"
#define AT(key) "'action':'s3:GetObject','resource':'arn:aws:s3:::bucket/" key "'"
	expect_allow(LAYER_IDENTITY, USER "," AT("bob/x") ",'keys':{'aws:PrincipalTag/home':'bob'}" HOME);
	expect_implicit(LAYER_IDENTITY, USER "," AT("eve/x") ",'keys':{'aws:PrincipalTag/home':'*'}" HOME);
	expect_implicit(LAYER_IDENTITY, USER "," AT("eve/x") ",'keys':{'aws:PrincipalTag/home':'?"
							     "?"
							     "?'}" HOME);
	expect_implicit(LAYER_IDENTITY, USER "," AT("eve/x") ",'keys':{'aws:PrincipalTag/home':'${*}'}" HOME);
	expect_implicit(LAYER_IDENTITY,
			USER "," AT("bob/x") ",'keys':{'aws:PrincipalTag/home':'${aws:username}','aws:username':'bob'}" HOME);
	expect_allow(LAYER_IDENTITY, USER "," AT("*/x") ",'keys':{'aws:PrincipalTag/home':'*'}" HOME);
	/* A value with colons doesn't move the segments. */
	expect_implicit(LAYER_IDENTITY, USER ",'action':'sqs:SendMessage','resource':'arn:aws:sqs:eu-west-1:222222222222:q','keys':{'t':'"
					     "eu-west-1:222222222222'},'identity':[" DOC(ALLOW("sqs:*", "arn:aws:sqs:${t}:q")) "]");
	/* The request's own wildcards are text. */
	expect_implicit(LAYER_IDENTITY, USER "," AT("*") ",'identity':[" DOC(ALLOW("s3:*", "arn:aws:s3:::bucket/secret")) "]");
	expect_implicit(LAYER_IDENTITY,
			USER ",'action':'s3:*','resource':'arn:aws:s3:::bucket/x','identity':[" DOC(ALLOW("s3:GetObject", "*")) "]");
}

static void test_lookalikes(void **state)
{
#define NAMED(arn) ",'resource_policy':" DOC(GRANT("Allow", "{'AWS':'" arn "'}", "s3:*", "*"))
	expect_implicit(LAYER_IDENTITY, USER "," GET NAMED("arn:aws:iam::111111111111:user/Bobby"));
	expect_implicit(LAYER_IDENTITY, USER "," GET NAMED("arn:aws:iam::111111111111:user/bob"));
	expect_implicit(LAYER_IDENTITY, USER "," GET NAMED("arn:aws:iam::222222222222:user/Bob"));
	expect_implicit(LAYER_IDENTITY, USER "," GET NAMED("arn:aws:iam::111111111111:role/Bob"));
	/* The role's name without its path, another session, a role that only starts alike. */
	expect_implicit(LAYER_IDENTITY, SESSION "," GET NAMED("arn:aws:iam::111111111111:role/App"));
	expect_implicit(LAYER_IDENTITY, SESSION "," GET NAMED("arn:aws:sts::111111111111:assumed-role/App/s2"));
	expect_implicit(LAYER_IDENTITY, SESSION "," GET NAMED("arn:aws:sts::111111111111:assumed-role/App/s1/x"));
	expect_implicit(LAYER_IDENTITY, SESSION "," GET NAMED("AROAAPPAPPAPPAPPAPP11"));
	/* A user named like a service, a service named like an account. */
	expect_implicit(LAYER_IDENTITY, "'principal':{'type':'user','account':'111111111111','arn':'sns.amazonaws.com'}," GET
					",'resource_policy':" DOC(GRANT("Allow", "{'Service':'sns.amazonaws.com'}", "s3:*", "*")));
	expect_implicit(LAYER_RESOURCE,
			"'principal':{'type':'service','service':'111111111111','account':'111111111111'}," GET NAMED("111111111111"));
	/* A path is no prefix. */
	expect_implicit(LAYER_IDENTITY, USER ",'action':'s3:GetObject','resource':'arn:aws:s3:::bucket-evil/x','identity':[" DOC(
						ALLOW("s3:*", "arn:aws:s3:::bucket/*")) "]");
	expect_implicit(LAYER_IDENTITY, USER
			",'action':'s3:GetObjectAcl','resource':'arn:aws:s3:::bucket/x','identity':[" DOC(ALLOW("s3:GetObject", "*")) "]");
	expect_implicit(LAYER_IDENTITY, USER ",'action':'s3','resource':'*','identity':[" DOC(ALLOW("s3:*", "*")) "]");
}

static void test_empty_request(void **state)
{
	struct policy_principal p = { .type = PRINCIPAL_ANONYMOUS };
	struct policy_request r = { .principal = &p };
	struct policy_result d = policy_evaluate(&r, &test_arena);

	assert_int_equal(d.decision, DECISION_IMPLICIT_DENY);
	assert_true(policy_explain(&test_arena, &r, &d).n > 0);
	p.type = PRINCIPAL_USER; /* without an account he is nobody */
	assert_int_equal(policy_evaluate(&r, &test_arena).decision, DECISION_IMPLICIT_DENY);
	p.type = PRINCIPAL_ROOT;
	assert_int_equal(policy_evaluate(&r, &test_arena).decision, DECISION_IMPLICIT_DENY);
	arena_reset(&test_arena);
}

static struct str repeat(const char *piece, size_t times)
{
	size_t n = strlen(piece);
	char *p = arena_alloc(&test_arena, n * times + 1);

	for (size_t i = 0; i < times; i++)
		memcpy(p + i * n, piece, n);
	p[n * times] = 0;
	return str_of(p, n * times);
}

static int parse(struct str text, struct policy **ret)
{
	struct str error = STR_NONE;

	return policy_parse(&test_arena, text, POLICY_IDENTITY, ret, &error);
}

/* The patterns that make backtracking matchers hang. */
static void test_slow_patterns(void **state)
{
	double start = seconds();
	struct policy_principal bob = { .type = PRINCIPAL_USER,
					.account = S("111111111111"),
					.arn = S("arn:aws:iam::111111111111:user/Bob") };
	struct str resource = str_printf(&test_arena, "arn:aws:s3:::%.*s", STR(repeat("a", 2048)));
	static const char *const pieces[] = { "*a", "*a?", "*?", "?*a*", "a*a*a*", "*aaaaaaaaaaaaaaaaaaaaaaab" };

	for (size_t i = 0; i < ELEMENTS(pieces); i++) {
		struct policy *p;
		struct policy_named named = { .name = S("p") };
		struct policy_request r = { .action = S("s3:GetObject"), .resource = resource, .principal = &bob };
		struct str text = str_printf(&test_arena,
					     "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"s3:%.*s\","
					     "\"Resource\":\"arn:aws:s3:::%.*sb\"}}",
					     STR(repeat("*e", 500)), STR(repeat(pieces[i], 20000 / strlen(pieces[i]))));

		assert_int_equal(parse(text, &p), 0);
		named.policy = p;
		r.identity = (struct policy_set){ &named, 1 };
		assert_int_equal(policy_evaluate(&r, &test_arena).decision, DECISION_IMPLICIT_DENY);
	}
	assert_true(seconds() - start < ATTACK_SECONDS_MAX);
	arena_reset(&test_arena);
}

static void test_huge_documents(void **state)
{
	double start = seconds();
	struct policy *p = NULL;
	struct str open = repeat("${", 60000), nested = repeat("[", 60000), escapes = repeat("${*}", 30000), keys, statements;
	struct buf b;

	assert_int_equal(parse(str_printf(&test_arena,
					  "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"s3:*\","
					  "\"Resource\":\"arn:aws:s3:::%.*s\"}}",
					  STR(open)),
			       &p),
			 0);
	assert_int_equal(parse(str_printf(&test_arena,
					  "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"s3:*\","
					  "\"Resource\":\"arn:aws:s3:::%.*s\"}}",
					  STR(escapes)),
			       &p),
			 0);
	assert_true(test_arena.used_bytes < 32u << 20);
	assert_true(parse(nested, &p) < 0);
	assert_true(parse(repeat(" ", 131073), &p) < 0); /* longer than any document */
	buf_init(&b, 1 << 20);
	for (int i = 0; i < 5000; i++)
		buf_printf(&b, "%s\"k%d\":\"v\"", i ? "," : "", i);
	keys = buf_view(&b);
	assert_true(parse(str_printf(&test_arena,
				     "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"*"
				     "\",\"Condition\":{\"StringEquals\":{%.*s}}}}",
				     STR(keys)),
			  &p) < 0);
	buf_clear(&b);
	for (int i = 0; i < 1500; i++)
		buf_printf(&b, "%s{\"Sid\":\"s%d\",\"Effect\":\"Deny\",\"Action\":\"s3:x\",\"Resource\":\"*\"}", i ? "," : "", i);
	statements = buf_view(&b);
	assert_int_equal(parse(str_printf(&test_arena, "{\"Version\":\"2012-10-17\",\"Statement\":[%.*s]}", STR(statements)), &p), 0);
	buf_done(&b);
	assert_true(seconds() - start < ATTACK_SECONDS_MAX);
	arena_reset(&test_arena);
}

/* More variables than fit on the stack, an action longer than its buffer. */
static void test_needs_memory(void **state)
{
	struct policy *p;
	struct str user = S("u"), vars = repeat("${aws:username}-", 100), want = repeat("u-", 100), action = repeat("A", 300);
	struct policy_key key = { S("aws:username"), &user, 1, false };
	struct policy_principal bob = { .type = PRINCIPAL_USER,
					.account = S("111111111111"),
					.arn = S("arn:aws:iam::111111111111:user/Bob") };
	struct policy_named named = { .name = S("p") };
	struct policy_request r = { .principal = &bob, .keys = &key, .n_keys = 1 };

	assert_int_equal(parse(str_printf(&test_arena,
					  "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"s3:%.*s\","
					  "\"Resource\":\"arn:aws:s3:::%.*s\"}}",
					  STR(action), STR(vars)),
			       &p),
			 0);
	named.policy = p;
	r.identity = (struct policy_set){ &named, 1 };
	r.action = str_printf(&test_arena, "S3:%.*s", STR(action));
	r.resource = str_printf(&test_arena, "arn:aws:s3:::%.*s", STR(want));
	assert_int_equal(policy_evaluate(&r, &test_arena).decision, DECISION_ALLOW);
	r.resource.n--;
	assert_int_equal(policy_evaluate(&r, &test_arena).decision, DECISION_IMPLICIT_DENY);
	arena_reset(&test_arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_confused_deputy), cmocka_unit_test(test_smuggled_wildcards), cmocka_unit_test(test_lookalikes),
		cmocka_unit_test(test_empty_request),   cmocka_unit_test(test_slow_patterns),      cmocka_unit_test(test_huge_documents),
		cmocka_unit_test(test_needs_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
