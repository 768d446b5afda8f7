/* SPDX-License-Identifier: Apache-2.0 */
/* An identity that acts later is the one that it was: nothing that a condition may ask for is lost on the way. */
#include "../test.h"
#include "cloud/call.h"
#include <errno.h>

static struct str_pair team = { S("team"), S("blue") }, said = { S("saml:sub"), S("\"a\\u0001") };
static struct str policy = S("{\"Version\":\"2012-10-17\"}"), transitive = S("team");
static const struct principal whole = {
	.p = { .type = PRINCIPAL_ROLE_SESSION,
	       .account = S("111122223333"),
	       .arn = S("arn:aws:sts::111122223333:assumed-role/r/s"),
	       .role_arn = S("arn:aws:iam::111122223333:role/r"),
	       .service = S("x.amazonaws.com"),
	       .unique_id = S("AROA:s"),
	       .canonical_id = S("c") },
	.name = S("r/s"),
	.key_id = S("ASIA"),
	.session_name = S("s"),
	.session_policies = { &policy, 1 },
	.tags = { &team, 1 },
	.transitive_tags = { &transitive, 1 },
	.source_identity = S("alice"),
	.federated = S("arn:aws:iam::111122223333:saml-provider/p"),
	.said_keys = { &said, 1 },
	.issued_ms = 1700000000000,
	.expires_ms = 1700000900000,
	.mfa = true,
	.temporary = true,
};

static void test_nothing_is_lost(void **state)
{
	struct arena a = { 0 };
	struct principal got;
	struct str text = principal_text(&a, &whole);

	assert_int_equal(principal_parse(&a, text, &got), 0);
	assert_true(str_eq(principal_text(&a, &got), text)); /* what is read says the same again: then look at each once */
	assert_int_equal(got.p.type, whole.p.type);
	assert_str(got.p.arn, "arn:aws:sts::111122223333:assumed-role/r/s");
	assert_str(got.p.role_arn, "arn:aws:iam::111122223333:role/r");
	assert_str(got.p.unique_id, "AROA:s");
	assert_str(got.source_identity, "alice");
	assert_str(got.federated, "arn:aws:iam::111122223333:saml-provider/p");
	assert_str(str_map_get(&got.said_keys, S("saml:sub")), "\"a\\u0001");
	assert_str(str_map_get(&got.tags, S("team")), "blue");
	assert_str(got.transitive_tags.v[0], "team");
	assert_str(got.session_policies.v[0], "{\"Version\":\"2012-10-17\"}");
	assert_true(got.issued_ms == whole.issued_ms && got.expires_ms == whole.expires_ms && got.mfa && got.temporary);
	arena_done(&a);
}

static void test_a_copy_stands_alone(void **state)
{
	struct arena from = { 0 }, to = { 0 };
	struct principal p, copy;

	assert_int_equal(principal_parse(&from, principal_text(&from, &whole), &p), 0);
	assert_int_equal(principal_copy(&to, &p, &copy), 0);
	arena_done(&from); /* the address sanitizer watches what follows */
	assert_true(str_eq(principal_text(&to, &copy), principal_text(&to, &whole)));
	arena_done(&to);
}

static void test_what_is_absent_stays_absent(void **state)
{
	struct principal got, nobody = { .p.type = PRINCIPAL_ANONYMOUS };
	struct arena a = { 0 };

	assert_int_equal(principal_parse(&a, principal_text(&a, &nobody), &got), 0);
	assert_true(!got.p.arn.p && !got.federated.p && !got.tags.n && !got.said_keys.n && !got.session_policies.n && !got.temporary);
	assert_int_equal(principal_parse(&a, S("{\"type\":99}"), &got), -EBADMSG);
	assert_int_equal(principal_parse(&a, S("{}"), &got), -EBADMSG);
	assert_int_equal(principal_parse(&a, S(""), &got), -EBADMSG);
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_lost),
		cmocka_unit_test(test_a_copy_stands_alone),
		cmocka_unit_test(test_what_is_absent_stays_absent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
