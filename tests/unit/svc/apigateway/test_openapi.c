/* SPDX-License-Identifier: Apache-2.0 */
/* Documents read into records, and the names that they are made of. */
#include "svc/apigateway/apigateway_int.h"
#include "svc/apigateway/openapi.h"
#include "test.h"
#include <errno.h>

static struct apigw_rec_resource root;
static struct apigw_rec_api api;

static struct apigw_rec_snapshot base(void)
{
	root = (struct apigw_rec_resource){ .id = S("root"), .path = S("/") };
	api = (struct apigw_rec_api){ .id = S("abcdefghij"), .name = S("before") };
	return (struct apigw_rec_snapshot){ .api = &api, .resources = { &root, 1 } };
}

static int read_text(struct arena *a, const char *text, struct openapi_import *ret, struct str *err)
{
	struct apigw_rec_snapshot b = base();

	return openapi_read(a, str_c(text), &b, OPENAPI_BASE_IGNORE, ret, err);
}

/* What was there is not touched by reading: neither the API nor the methods of its root. */
static void test_base_stays(void **state)
{
	struct arena a = { 0 };
	struct openapi_import in;
	struct str err;

	assert_int_equal(read_text(&a,
				   "{\"swagger\":\"2.0\",\"info\":{\"title\":\"after\"},\"paths\":{\"/\":{\"get\":{\"responses\":{}}},"
				   "\"/a/{b}\":{\"put\":{\"responses\":{\"200\":{}}}}}}",
				   &in, &err),
			 0);
	assert_int_equal(in.s.resources.n, 3);
	assert_true(str_is(in.s.api->name, "after") && str_is(api.name, "before"));
	assert_int_equal(root.resource_methods.n, 0);
	assert_int_equal(in.s.resources.v[0].resource_methods.n, 1);
	assert_true(str_is(in.s.resources.v[2].path, "/a/{b}") && str_eq(in.s.resources.v[2].parent_id, in.s.resources.v[1].id));
	arena_done(&a);
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{",
		"{\"swagger\":\"1.2\",\"info\":{\"title\":\"t\"},\"paths\":{}}",
		"{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"t\"},\"paths\":{}}",
		"{\"openapi\":\"3.0.1\",\"info\":{\"title\":\"t\"}}",
		"{\"openapi\":\"3.0.1\",\"info\":{\"title\":\"t\"},\"paths\":{\"a\":{}}}",
		"{\"openapi\":\"3.0.1\",\"info\":{\"title\":\"t\"},\"paths\":{\"/{a}\":{},\"/{b}\":{}}}",
		"{\"openapi\":\"3.0.1\",\"info\":{\"title\":\"t\"},\"paths\":{\"/{p+}/x\":{}}}",
		"{\"openapi\":\"3.0.1\",\"info\":{\"title\":\"t\"},\"paths\":{\"/\":{\"get\":[]}}}",
	};
	struct openapi_import in;
	struct arena a = { 0 };
	struct str err;

	for (size_t i = 0; i < ELEMENTS(bad); i++) {
		assert_int_equal(read_text(&a, bad[i], &in, &err), -EINVAL);
		assert_true(err.n > 0);
	}
	arena_done(&a);
}

/* A reference that leads in a circle ends. */
static void test_circle(void **state)
{
	struct openapi_import in;
	struct arena a = { 0 };
	struct str err;

	assert_true(read_text(&a, "{\"openapi\":\"3.0.1\",\"info\":{\"title\":\"t\"},\"paths\":{\"/\":{\"$ref\":\"#/paths/~1\"}}}", &in,
			      &err) <= 0);
	arena_done(&a);
}

static void test_names(void **state)
{
	static const char *const good[] = { "a", "a.b-c_d:e", "{id}", "{proxy+}" }, *const bad[] = { "",   "{}", "{+}", "a/b",
												     "{a", "a}", "a b", "{a}b" };
	struct arena a = { 0 };
	struct str_map m = { 0 };

	for (size_t i = 0; i < ELEMENTS(good); i++)
		assert_true(apigw_path_part_valid(str_c(good[i])));
	for (size_t i = 0; i < ELEMENTS(bad); i++)
		assert_false(apigw_path_part_valid(str_c(bad[i])));
	assert_true(str_is(apigw_path_join(&a, S("/"), S("x")), "/x") && str_is(apigw_path_join(&a, S("/x"), S("y")), "/x/y"));
	assert_true(str_is(apigw_unescape(&a, S("~1a~01")), "/a~1"));
	assert_null(apigw_map_value(&a, &m, sizeof(struct str), S("k"), false));
	for (int i = 0; i < 20; i++)
		*(struct str *)apigw_map_value(&a, &m, sizeof(struct str), str_printf(&a, "k%d", i), true) = str_printf(&a, "%d", i);
	assert_true(apigw_map_remove(&m, sizeof(struct str), S("k7")) && !apigw_map_remove(&m, sizeof(struct str), S("k7")));
	assert_int_equal(m.n, 19);
	assert_true(str_is(str_map_get(&m, S("k19")), "19") && !str_map_get(&m, S("k7")).p);
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_base_stays), cmocka_unit_test(test_refused),
					    cmocka_unit_test(test_circle), cmocka_unit_test(test_names) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
