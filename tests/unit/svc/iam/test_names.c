/* SPDX-License-Identifier: Apache-2.0 */
/* The pure parts of IAM: ids, tags, sizes, versions, passwords. */
#include "../../test.h"
#include "base/util.h"
#include "svc/iam/iam_int.h"
#include <errno.h>

static void test_key_ids_carry_the_account(void **state)
{
	static const char *const accounts[] = { "000000000000", "000000000001", "123456789012", "999999999999" };
	struct arena a = { 0 };
	struct str id, other, account;

	for (size_t i = 0; i < ELEMENTS(accounts); i++) {
		id = iam_key_id(&a, "ASIA", str_c(accounts[i]));
		other = iam_key_id(&a, "ASIA", str_c(accounts[i]));
		assert_int_equal(id.n, 20);
		assert_true(str_starts(id, S("ASIA")));
		assert_false(str_eq(id, other));
		assert_int_equal(iam_key_account(&a, id, &account), 0);
		assert_str(account, accounts[i]);
	}
	/* a published example: the account behind the key id in AWS's own answer */
	assert_int_equal(iam_key_account(&a, S("ASIAQNZGKIQY56JQ7WML"), &account), 0);
	assert_str(account, "029608264753");
	assert_int_equal(iam_key_account(&a, S("AKIA"), &account), -EINVAL);
	assert_int_equal(iam_key_account(&a, S("AKIA0189aaaaaaaaaaaa"), &account), -EINVAL);
	arena_done(&a);
}

static void test_unique_ids(void **state)
{
	struct arena a = { 0 };

	assert_int_equal(iam_unique_id(&a, IAM_USER).n, 21);
	assert_true(str_starts(iam_unique_id(&a, IAM_USER), S("AIDA")));
	assert_true(str_starts(iam_unique_id(&a, IAM_ROLE), S("AROA")));
	assert_true(str_starts(iam_unique_id(&a, IAM_GROUP), S("AGPA")));
	assert_true(str_starts(iam_unique_id(&a, IAM_PROFILE), S("AIPA")));
	assert_true(str_starts(iam_unique_id(&a, IAM_POLICY), S("ANPA")));
	arena_done(&a);
}

static void test_tags(void **state)
{
	struct arena a = { 0 };
	struct str_pair first[] = { { S("Team"), S("red") }, { S("Cost"), S("1") } },
			second[] = { { S("team"), S("blue") }, { S("x"), S("") } };
	struct str_map tags = { 0 }, one = { first, 2 }, two = { second, 2 };
	struct str gone[] = { S("COST"), S("absent") };
	struct str_pair many[IAM_TAGS_MAX];
	struct str_map full = { many, ELEMENTS(many) };

	assert_int_equal(iam_tags_merge(&a, &tags, &one), 0);
	assert_int_equal(iam_tags_merge(&a, &tags, &two), 0);
	assert_int_equal(tags.n, 3);
	assert_str(tags.v[0].key, "team");
	assert_str(tags.v[0].value, "blue");
	iam_tags_remove(&tags, &(struct str_list){ gone, 2 });
	assert_int_equal(tags.n, 2);
	assert_false(iam_tags_duplicate(&one));
	first[1].key = S("TEAM");
	assert_true(iam_tags_duplicate(&one));
	for (size_t i = 0; i < ELEMENTS(many); i++)
		many[i] = (struct str_pair){ str_printf(&a, "k%zu", i), S("v") };
	tags = (struct str_map){ 0 };
	assert_int_equal(iam_tags_merge(&a, &tags, &full), 0);
	assert_int_equal(iam_tags_merge(&a, &tags, &full), 0); /* the same ones again are no more */
	assert_int_equal(iam_tags_merge(&a, &tags, &two), -E2BIG);
	assert_int_equal(tags.n, IAM_TAGS_MAX);
	arena_done(&a);
}

static void test_documents(void **state)
{
	struct arena a = { 0 };

	assert_int_equal(iam_document_bytes(S(" {\"a\" :\t[1,\n\r 2]} ")), 11);
	assert_int_equal(iam_document_bytes(STR_NONE), 0);
	assert_str(iam_document_encode(&a, S("{\"a\":\"b c/*~\"}")), "%7B%22a%22%3A%22b%20c%2F%2A~%22%7D");
	arena_done(&a);
}

static void test_versions(void **state)
{
	int64_t n;

	assert_true(iam_version_parse(S("v12"), &n));
	assert_int_equal(n, 12);
	assert_false(iam_version_parse(S("v"), &n));
	assert_false(iam_version_parse(S("12"), &n));
	assert_false(iam_version_parse(S("v0"), &n));
	assert_false(iam_version_parse(S("v-1"), &n));
	assert_false(iam_version_parse(S("v1.x"), &n));
}

static void test_passwords(void **state)
{
	struct iam_rec_passwords p = { .min_length = OPT_INT(10),
				       .upper = OPT_BOOL(true),
				       .lower = OPT_BOOL(true),
				       .numbers = OPT_BOOL(true),
				       .symbols = OPT_BOOL(true) };
	struct arena a = { 0 };

	assert_str(iam_password_fault(&a, NULL, S("Abcdefg1")), NULL);
	assert_true(iam_password_fault(&a, NULL, S("abcdefgh1")).p != NULL); /* two kinds only */
	assert_true(iam_password_fault(&a, NULL, S("Abcde1!")).p != NULL);   /* too short */
	assert_str(iam_password_fault(&a, &p, S("Abcdefgh1!")), NULL);
	assert_str(iam_password_fault(&a, &p, S("Abcdefg1!")), "Password should have a minimum length of 10");
	assert_true(iam_password_fault(&a, &p, S("abcdefgh1!")).p != NULL);
	assert_true(iam_password_fault(&a, &p, S("ABCDEFGH1!")).p != NULL);
	assert_true(iam_password_fault(&a, &p, S("Abcdefghi!")).p != NULL);
	assert_true(iam_password_fault(&a, &p, S("Abcdefghi1")).p != NULL);
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_key_ids_carry_the_account),
		cmocka_unit_test(test_unique_ids),
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_documents),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_passwords),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
