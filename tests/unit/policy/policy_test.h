/* SPDX-License-Identifier: Apache-2.0 */
/* policy_test.h - cases as C strings: ' stands for ", ` for ', and bare pieces are put together from macros. */
#pragma once
#include "../test.h"
#include "policy_case.h"

#define DOC(statements) "{'Version':'2012-10-17','Statement':[" statements "]}"
#define ALLOW(action, resource) "{'Effect':'Allow','Action':'" action "','Resource':'" resource "'}"
#define DENY(action, resource) "{'Effect':'Deny','Action':'" action "','Resource':'" resource "'}"
#define ALLOW_IF(condition) "{'Effect':'Allow','Action':'*','Resource':'*','Condition':" condition "}"
#define FULL DOC(ALLOW("*", "*"))
#define GRANT(effect, principal, action, resource)                                                                                         \
	"{'Effect':'" effect "','Principal':" principal ",'Action':'" action "','Resource':'" resource "'}"

#define USER                                                                                                                               \
	"'principal':{'type':'user','account':'111111111111','arn':'arn:aws:iam::111111111111:user/"                                       \
	"Bob','unique_id':'AIDABOBBOBBOBBOBBOB1'}"
#define SESSION                                                                                                                            \
	"'principal':{'type':'role_session','account':'111111111111','arn':'arn:aws:sts::111111111111:assumed-role/App/s1',"               \
	"'role_arn':'arn:aws:iam::111111111111:role/team/App','unique_id':'AROAAPPAPPAPPAPPAPP1:s1'}"
#define ROOT "'principal':{'type':'root','account':'111111111111','arn':'arn:aws:iam::111111111111:root'}"
#define SERVICE "'principal':{'type':'service','service':'sns.amazonaws.com'}"
#define ANONYMOUS "'principal':{'type':'anonymous'}"
#define GET "'action':'s3:GetObject','resource':'arn:aws:s3:::bucket/key','resource_account':'111111111111'"
#define GET_FOREIGN "'action':'s3:GetObject','resource':'arn:aws:s3:::bucket/key','resource_account':'222222222222'"
#define DECRYPT                                                                                                                            \
	"'action':'kms:Decrypt','resource':'arn:aws:kms:eu-west-1:111111111111:key/k','resource_account':'111111111111','rule':'required'"

static struct arena test_arena;

static inline struct str test_text(const char *z)
{
	char *p = arena_dup(&test_arena, z, strlen(z) + 1);

	for (char *c = p; *c; c++)
		*c = *c == '\'' ? '"' : *c == '`' ? '\'' : *c;
	return str_c(p);
}

static inline struct policy_result test_decide(const char *z, struct policy_request *r)
{
	struct json *j;
	struct str error = STR_NONE;

	if (json_parse(&test_arena, test_text(z), &j, NULL) < 0)
		fail_msg("not JSON: %s", z);
	if (case_read(&test_arena, j, r, &error) < 0)
		fail_msg("%.*s: %s", STR(error), z);
	return policy_evaluate(r, &test_arena);
}

static inline void test_expect(const char *z, enum policy_decision want, enum policy_layer layer, const char *file, int line)
{
	struct policy_request r;
	struct policy_result d = test_decide(z, &r);

	if (d.decision != want || d.layer != layer) {
		print_error("%s\ngot decision %d layer %d, want %d %d\n", z, d.decision, d.layer, want, layer);
		_fail(file, line);
	}
	assert_int_equal((int)(d.statement >= 0), (int)(d.policy_name.p != NULL));
	arena_reset(&test_arena);
}

#define expect_allow(layer, z) test_expect("{" z "}", DECISION_ALLOW, (layer), __FILE__, __LINE__)
#define expect_implicit(layer, z) test_expect("{" z "}", DECISION_IMPLICIT_DENY, (layer), __FILE__, __LINE__)
#define expect_explicit(layer, z) test_expect("{" z "}", DECISION_EXPLICIT_DENY, (layer), __FILE__, __LINE__)
