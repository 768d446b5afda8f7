/* SPDX-License-Identifier: Apache-2.0 */
/* test_custom.c - the texts of the custom resource protocol: requests, answers, addresses. */
#include "cfn/custom.h"
#include "base/arena.h"
#include "base/util.h"
#include "test.h"
#include <errno.h>

#define STACK "arn:aws:cloudformation:us-east-1:123456789012:stack/s/11111111-2222"
static const struct custom_request question = {
	.type = "Create", .stack_id = { STACK, sizeof STACK - 1 }, .request_id = { "r-1", 3 }, .logical = { "L", 1 }
};
#define HEAD "{\"StackId\":\"" STACK "\",\"RequestId\":\"r-1\",\"LogicalResourceId\":\"L\","

static void event_has_strings_only(void **state)
{
	struct arena a = { 0 };
	struct json *props, *e;
	struct custom_request q = question;

	assert_int_equal(json_parse(&a, S("{\"N\":1.50,\"B\":true,\"L\":[1,{\"X\":false}],\"S\":\"s\"}"), &props, NULL), 0);
	q.props = props;
	q.service_token = S("arn:f");
	q.url = S("https://x");
	q.resource_type = S("Custom::T");
	assert_int_equal(json_parse(&a, custom_event(&a, &q), &e, NULL), 0);
	assert_true(str_is(json_text(&a, json_getz(e, "ResourceProperties")),
			   "{\"N\":\"1.50\",\"B\":\"true\",\"L\":[\"1\",{\"X\":\"false\"}],\"S\":\"s\"}"));
	assert_null(json_getz(e, "PhysicalResourceId"));
	assert_null(json_getz(e, "OldResourceProperties"));
	q.physical = S("p");
	q.old_props = props;
	assert_int_equal(json_parse(&a, custom_event(&a, &q), &e, NULL), 0);
	assert_true(str_is(json_get_str(e, "PhysicalResourceId"), "p"));
	assert_non_null(json_getz(e, "OldResourceProperties"));
	assert_int_equal(json_getz(props, "B")->type, JSON_BOOL); /* the template's own is left alone */
	arena_done(&a);
}

static void timeouts(void **state)
{
	static const struct {
		const char *props;
		int64_t want;
	} t[] = { { "{}", 3600 },
		  { "{\"ServiceTimeout\":\"1\"}", 1 },
		  { "{\"ServiceTimeout\":3600}", 3600 },
		  { "{\"ServiceTimeout\":3601}", -1 },
		  { "{\"ServiceTimeout\":0}", -1 },
		  { "{\"ServiceTimeout\":\"x\"}", -1 },
		  { "{\"ServiceTimeout\":[]}", -1 } };
	struct arena a = { 0 };
	struct str err;

	for (size_t i = 0; i < ELEMENTS(t); i++) {
		struct json *j;
		int64_t v;

		assert_int_equal(json_parse(&a, str_c(t[i].props), &j, NULL), 0);
		assert_int_equal(custom_timeout(&a, j, &v, &err), t[i].want < 0 ? -EINVAL : 0);
		if (t[i].want > 0)
			assert_int_equal(v, t[i].want);
	}
	arena_done(&a);
}

static void answers(void **state)
{
	static const struct {
		const char *body, *err;
	} t[] = {
		{ "", "Response is not valid JSON" },
		{ "{", "Response is not valid JSON" },
		{ "[]", "Invalid response object" },
		{ "{\"RequestId\":\"r-1\"}", "Invalid response object: StackId must be a string" },
		{ "{\"StackId\":\"" STACK "\",\"RequestId\":\"r-2\",\"LogicalResourceId\":\"L\"}",
		  "Invalid response object: Value of RequestId does not match the request" },
		{ "{\"StackId\":\"" STACK "x\",\"RequestId\":\"r-1\"}",
		  "Invalid response object: Value of StackId does not match the request" },
		{ "{\"StackId\":\"" STACK "\",\"RequestId\":\"r-1\",\"LogicalResourceId\":7}",
		  "Invalid response object: LogicalResourceId must be a string" },
		{ HEAD "\"Status\":\"FAILURE\"}", "Invalid Response object: 'FAILURE' is not a valid ResponseStatus" },
		{ HEAD "\"Status\":\"SUCCESS\"}", "Invalid PhysicalResourceId" },
		{ HEAD "\"Status\":\"SUCCESS\",\"PhysicalResourceId\":\"\"}", "Invalid PhysicalResourceId" },
		{ HEAD "\"Status\":\"SUCCESS\",\"PhysicalResourceId\":\"p\",\"Data\":[]}",
		  "Invalid response object: Data must be an object" },
		{ HEAD "\"Status\":\"SUCCESS\",\"PhysicalResourceId\":\"p\"}", NULL },
		{ HEAD "\"Status\":\"FAILED\",\"Reason\":\"because\"}", NULL },
	};
	struct arena a = { 0 };
	struct custom_answer x;
	struct str err;

	for (size_t i = 0; i < ELEMENTS(t); i++) {
		int r = custom_answer_parse(&a, str_c(t[i].body), &question, &x, &err);

		assert_int_equal(r, t[i].err ? -EINVAL : 0);
		if (t[i].err && !str_is(err, t[i].err))
			fail_msg("%zu: %.*s", i, STR(err));
	}
	assert_false(x.success);
	assert_true(str_is(x.reason, "because"));
	assert_null(x.physical.p);
	arena_done(&a);
}

static void answer_in_full(void **state)
{
	struct arena a = { 0 };
	struct custom_answer x;
	struct str err, body = S(HEAD "\"Status\":\"SUCCESS\",\"Reason\":\"a\\u001bb\",\"PhysicalResourceId\":\"p\",\"NoEcho\":true,"
				      "\"Data\":{\"A\":\"1\",\"N\":2,\"T\":true}}");
	char *big = arena_zalloc(&a, CUSTOM_ANSWER_BYTES_MAX + 1);

	assert_int_equal(custom_answer_parse(&a, body, &question, &x, &err), 0);
	assert_true(x.success && x.no_echo);
	assert_true(str_is(x.reason, "a?b")); /* what XML cannot hold */
	assert_true(str_is(json_text(&a, x.data), "{\"A\":\"1\",\"N\":\"2\",\"T\":\"true\"}"));
	memset(big, ' ', CUSTOM_ANSWER_BYTES_MAX + 1);
	memcpy(big, body.p, body.n);
	assert_int_equal(custom_answer_parse(&a, str_of(big, CUSTOM_ANSWER_BYTES_MAX), &question, &x, &err), 0);
	assert_int_equal(custom_answer_parse(&a, str_of(big, CUSTOM_ANSWER_BYTES_MAX + 1), &question, &x, &err), -EINVAL);
	assert_true(str_is(err, "Response object is too long."));
	arena_done(&a);
}

/* Whatever byte of an address is changed, it is no address any more. */
static void addresses(void **state)
{
	struct custom_place p = { .stack_id = S(STACK), .region = S("us-east-1"), .logical = S("L"), .request_id = S("r-1") }, q;
	uint8_t key[32] = { 1 }, other[32] = { 2 };
	struct arena a = { 0 };
	int64_t now = 1700000000000;
	struct str t = custom_target(&a, key, &p, now, now + 60000), path, query;
	char *copy;

	assert_true(str_starts(
		t, S("/cloudformation-custom-resource-response-useast1/arn%3Aaws%3Acloudformation%3Aus-east-1%3A123456789012%3Astack/s/")));
	assert_true(str_cut(t, '?', &path, &query));
	assert_int_equal(custom_target_parse(&a, key, path, query, now, &q), 0);
	assert_true(str_eq(q.stack_id, p.stack_id) && str_eq(q.region, p.region) && str_eq(q.logical, p.logical) &&
		    str_eq(q.request_id, p.request_id));
	assert_int_equal(custom_target_parse(&a, key, path, query, now + 60000, &q), 0);
	assert_int_equal(custom_target_parse(&a, key, path, query, now + 60001, &q), -ETIME);
	assert_int_equal(custom_target_parse(&a, other, path, query, now, &q), -EACCES);
	assert_int_equal(custom_target_parse(&a, key, path, STR_NONE, now, &q), -EACCES);
	copy = arena_alloc(&a, t.n);
	for (size_t i = 0; i < t.n; i++) {
		memcpy(copy, t.p, t.n);
		copy[i] ^= 1;
		if (!str_cut(str_of(copy, t.n), '?', &path, &query))
			continue;
		assert_int_equal(custom_target_parse(&a, key, path, query, now, &q), -EACCES);
	}
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(event_has_strings_only), cmocka_unit_test(timeouts),  cmocka_unit_test(answers),
		cmocka_unit_test(answer_in_full),         cmocka_unit_test(addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
