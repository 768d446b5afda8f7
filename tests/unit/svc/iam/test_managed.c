/* SPDX-License-Identifier: Apache-2.0 */
/* The policies that AWS publishes: every one parses, none is named twice, and they are found by ARN only. */
#include "../../test.h"
#include "base/util.h"
#include "svc/iam/iam_int.h"

static void test_all_parse(void **state)
{
	struct arena a = { 0 };

	assert_true(iam_managed_count() > 40);
	for (size_t i = 0; i < iam_managed_count(); i++) {
		const struct iam_managed *m = iam_managed_at(i);
		struct policy *p;
		struct str fault;

		if (policy_parse(&a, m->document, POLICY_IDENTITY, &p, &fault) < 0)
			fail_msg("%.*s: %.*s", STR(m->name), STR(fault));
		assert_int_equal(m->id.n, 21);
		assert_true(m->created_ms > 0 && m->updated_ms >= m->created_ms);
		assert_true(i == 0 || str_cmp(iam_managed_at(i - 1)->name, m->name) < 0);
		assert_ptr_equal(iam_managed_find(m->arn), m);
		arena_reset(&a);
	}
	arena_done(&a);
}

static void test_found_by_arn(void **state)
{
	assert_non_null(iam_managed_find(S("arn:aws:iam::aws:policy/AdministratorAccess")));
	assert_non_null(iam_managed_find(S("arn:aws-cn:iam::aws:policy/AdministratorAccess")));
	assert_non_null(iam_managed_find(S("arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole")));
	assert_null(iam_managed_find(S("arn:aws:iam::aws:policy/AWSLambdaBasicExecutionRole")));
	assert_null(iam_managed_find(S("arn:aws:iam::aws:policy/x/AdministratorAccess")));
	assert_null(iam_managed_find(S("arn:aws:iam::123456789012:policy/AdministratorAccess")));
	assert_null(iam_managed_find(S("arn:aws:iam::aws:role/AdministratorAccess")));
	assert_null(iam_managed_find(S("AdministratorAccess")));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_all_parse), cmocka_unit_test(test_found_by_arn) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
