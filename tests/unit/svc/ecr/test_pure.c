/* SPDX-License-Identifier: Apache-2.0 */
/* What ECR reads from outside, without a cloud: paths, names and ranges of the registry, manifests, lifecycle rules. */
#include "../../test.h"
#include "svc/ecr/registry.h"
#include <errno.h>

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST "sha256:" HASH

static void paths(void **state)
{
	static const struct {
		const char *path;
		int result;
		enum registry_what what;
		const char *name, *ref;
	} t[] = {
		{ "/v2/", 0, REG_PING, NULL, NULL },
		{ "/v2", 0, REG_PING, NULL, NULL },
		{ "/v2/_catalog", 0, REG_CATALOG, NULL, NULL },
		{ "/v2/a1/b/manifests/v1", 0, REG_MANIFEST, "a1/b", "v1" },
		{ "/v2/app/tags/list", 0, REG_TAGS, "app", "list" },
		{ "/v2/app/blobs/" DIGEST, 0, REG_BLOB, "app", DIGEST },
		{ "/v2/app/blobs/uploads/", 0, REG_UPLOADS, "app", NULL },
		{ "/v2/app/blobs/uploads", 0, REG_UPLOADS, "app", NULL },
		{ "/v2/app/blobs/uploads/id", 0, REG_UPLOAD, "app", "id" },
		{ "/v2/app/referrers/" DIGEST, 0, REG_REFERRERS, "app", DIGEST },
		{ "/v2/blobs/blobs/uploads/id", 0, REG_UPLOAD, "blobs", "id" },
		{ "/v2/manifests/manifests/x", 0, REG_MANIFEST, "manifests", "x" },
		{ "/-/layers/00", 0, REG_URL, NULL, "00" },
		{ "/v2/app/tags/other", -ENOENT, 0, NULL, NULL },
		{ "/v2/app/uploads/id", -ENOENT, 0, NULL, NULL },
		{ "/v1/", -ENOENT, 0, NULL, NULL },
		{ "/", -ENOENT, 0, NULL, NULL },
		{ "", -ENOENT, 0, NULL, NULL },
		{ "/v2/x", -ENOENT, 0, NULL, NULL },
		{ "/v2/../manifests/v1", -EINVAL, 0, NULL, NULL },
		{ "/v2//manifests/v1", -EINVAL, 0, NULL, NULL },
		{ "/v2/a//b/manifests/v1", -EINVAL, 0, NULL, NULL },
		{ "/v2/blobs/uploads/", -ENOENT, 0, NULL, NULL },
	};

	for (size_t i = 0; i < ELEMENTS(t); i++) {
		struct registry_path p;
		int r = registry_path_parse(str_c(t[i].path), &p);

		if (r != t[i].result)
			print_error("%s: %d\n", t[i].path, r);
		assert_int_equal(r, t[i].result);
		if (r < 0)
			continue;
		assert_int_equal(p.what, t[i].what);
		assert_str(p.name, t[i].name);
		assert_str(p.ref, t[i].ref);
	}
}

static void names(void **state)
{
	static const char *const good[] = { "ab", "a/b", "a.b", "a_b", "a__b", "a---b", "a1/b2/c3", "0x" };
	static const char *const bad[] = { "",   "a",    "A/b",  "a..b", "a___b", "-a",  "a-", "a/",
					   "/a", "a//b", "a.-b", "a b",  "../a",  "a\n", "a%" };

	for (size_t i = 0; i < ELEMENTS(good); i++)
		assert_true(registry_name_valid(str_c(good[i])));
	for (size_t i = 0; i < ELEMENTS(bad); i++)
		assert_false(registry_name_valid(str_c(bad[i])));
	assert_false(registry_name_valid(str_of("ab\0c", 4)));
}

static void ranges(void **state)
{
	static const struct {
		const char *range;
		uint64_t size;
		int result;
		uint64_t from, to;
	} t[] = {
		{ "bytes=0-0", 10, 1, 0, 1 },
		{ "bytes=3-", 10, 1, 3, 10 },
		{ "bytes=-4", 10, 1, 6, 10 },
		{ "bytes=-40", 10, 1, 0, 10 },
		{ "bytes=2-100", 10, 1, 2, 10 },
		{ "bytes=10-", 10, -ERANGE, 0, 0 },
		{ "bytes=-0", 10, -ERANGE, 0, 0 },
		{ "bytes=0-", 0, -ERANGE, 0, 0 },
		{ "bytes=5-2", 10, 0, 0, 10 },
		{ "bytes=0-1,3-4", 10, 0, 0, 10 },
		{ "lines=0-1", 10, 0, 0, 10 },
		{ "bytes=-", 10, 0, 0, 10 },
		{ "bytes=0-18446744073709551615", 10, 1, 0, 10 },
	};

	for (size_t i = 0; i < ELEMENTS(t); i++) {
		uint64_t from, to;

		assert_int_equal(registry_range_parse(str_c(t[i].range), t[i].size, &from, &to), t[i].result);
		if (t[i].result >= 0) {
			assert_int_equal(from, t[i].from);
			assert_int_equal(to, t[i].to);
		}
	}
}

static int parse(struct arena *a, const char *text, const char *type, struct ecr_manifest *m)
{
	struct str why = STR_NONE;
	int r = ecr_manifest_parse(a, str_c(text), type ? str_c(type) : STR_NONE, m, &why);

	assert_true((r < 0) == (why.p != NULL));
	return r;
}

static void manifests(void **state)
{
	struct arena a = { 0 };
	struct ecr_manifest m;

	assert_int_equal(parse(&a,
			       "{\"schemaVersion\":2,\"config\":{\"digest\":\"" DIGEST "\",\"size\":2,\"mediaType\":\"c\"},"
			       "\"layers\":[{\"digest\":\"" DIGEST "\",\"size\":5},{\"digest\":\"sha256:1"
			       "123456789abcdef0123456789abcdef0123456789abcdef"
			       "0123456789abcdef\",\"size\":7}],\"annotations\":{\"k\":\"v\"}}",
			       NULL, &m),
			 0);
	assert_int_equal(m.layers.n, 2); /* the same digest twice is one part */
	assert_int_equal(m.size, 9);
	assert_str(m.artifact_type, "c");
	assert_str(m.media_type, "application/vnd.oci.image.manifest.v1+json");
	assert_int_equal(m.annotations.n, 1);
	assert_int_equal(parse(&a, "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"" DIGEST "\",\"size\":2}]}", NULL, &m), 0);
	assert_int_equal(m.children.n, 1);
	assert_int_equal(parse(&a, "{\"schemaVersion\":2,\"manifests\":[]}", "application/vnd.oci.image.manifest.v1+json", &m), -EINVAL);
	assert_int_equal(parse(&a, "{\"schemaVersion\":2,\"mediaType\":\"x\",\"manifests\":[]}", "y", &m), -EINVAL);
	assert_int_equal(parse(&a, "{\"schemaVersion\":1}", NULL, &m), -EINVAL);
	assert_int_equal(parse(&a, "[]", NULL, &m), -EINVAL);
	assert_int_equal(parse(&a, "{\"schemaVersion\":2,\"config\":{\"digest\":\"sha256:1\",\"size\":2},\"layers\":[]}", NULL, &m),
			 -EINVAL);
	assert_int_equal(parse(&a, "{\"schemaVersion\":2,\"config\":{\"digest\":\"" DIGEST "\",\"size\":-1},\"layers\":[]}", NULL, &m),
			 -EINVAL);
	assert_true(ecr_tag_valid(S("v1.0-x_Y")));
	assert_false(ecr_tag_valid(S(".v1")));
	assert_false(ecr_tag_valid(S("")));
	assert_false(ecr_digest_valid(S("sha256:"
					"ABCDEF")));
	arena_done(&a);
}

#define RULE(priority, selection) "{\"rulePriority\":" priority ",\"selection\":{" selection "},\"action\":{\"type\":\"expire\"}}"
#define TAGGED(prefix) "\"tagStatus\":\"tagged\",\"tagPrefixList\":[\"" prefix "\"],\"countType\":\"imageCountMoreThan\",\"countNumber\":1"

static void check(const char *text, const char *want)
{
	struct str ab[] = { S("beta-1"), S("prod-1") }, b2[] = { S("beta-2"), S("prod-2") }, c3[] = { S("beta-3") };
	struct ecr_rec_image v[4] = {
		{ .digest = S("a"), .pushed = OPT_TIME(1), .tags = { ab, 2 } },
		{ .digest = S("b"), .pushed = OPT_TIME(2), .tags = { b2, 2 } },
		{ .digest = S("c"), .pushed = OPT_TIME(3), .tags = { c3, 1 } },
		{ .digest = S("d"), .pushed = OPT_TIME(4) },
	};
	struct arena a = { 0 };
	struct ecr_rules rules;
	struct str why;
	char got[5] = "";
	int rule[4];

	assert_int_equal(ecr_lifecycle_parse(&a, str_c(text), &rules, &why), 0);
	ecr_lifecycle_apply(&a, &rules, v, 4, ECR_DAY_MS + 2, rule);
	for (int i = 0; i < 4; i++)
		got[i] = rule[i] < 0 ? '-' : (char)('0' + rules.v[rule[i]].priority);
	assert_string_equal(got, want);
	arena_done(&a);
}

/* The first two are the examples of the User Guide ("Filtering on multiple rules"). */
static void lifecycles(void **state)
{
	check("{\"rules\":[" RULE("1", TAGGED("prod")) "," RULE("2", TAGGED("beta")) "]}", "1---");
	check("{\"rules\":[" RULE("2", TAGGED("prod")) "," RULE("1", TAGGED("beta")) "]}", "11--");
	check("{\"rules\":[" RULE("1", "\"tagStatus\":\"untagged\",\"countType\":\"imageCountMoreThan\",\"countNumber\":1") "]}", "----");
	check("{\"rules\":[" RULE("7",
				  "\"tagStatus\":\"any\",\"countType\":\"sinceImagePushed\",\"countUnit\":\"days\",\"countNumber\":1") "]}",
	      "77--");
	check("{\"rules\":[" RULE(
		      "1", "\"tagStatus\":\"tagged\",\"tagPatternList\":[\"*-3\"],\"countType\":\"sinceImagePushed\","
			   "\"countUnit\":\"days\",\"countNumber\":900") "," RULE("2", "\"tagStatus\":\"any\",\"countType\":"
										       "\"imageCountMoreThan\",\"countNumber\":1") "]}",
	      "22--");
}

static void bad_lifecycles(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{}",
		"{\"rules\":[]}",
		"{\"rules\":[{}]}",
		"{\"rules\":1}",
		"{\"rules\":[1]}",
		"{\"rules\":[" RULE("0", TAGGED("a")) "]}",
		"{\"rules\":[" RULE("1.5", TAGGED("a")) "]}",
		"{\"rules\":[" RULE("1", TAGGED("")) "]}",
		"{\"rules\":[" RULE("1", TAGGED("a")) "," RULE("1", TAGGED("b")) "]}",
		"{\"rules\":[" RULE("1", "\"tagStatus\":\"any\",\"countType\":\"imageCountMoreThan\",\"countNumber\":1") "," RULE(
			"2", TAGGED("b")) "]}",
		"{\"rules\":[" RULE("1", "\"tagStatus\":\"tagged\",\"tagPatternList\":[\"*****\"],\"countType\":\"imageCountMoreThan\","
					 "\"countNumber\":1") "]}",
	};

	for (size_t i = 0; i < ELEMENTS(bad); i++) {
		struct arena a = { 0 };
		struct ecr_rules rules;
		struct str why = STR_NONE;

		assert_int_equal(ecr_lifecycle_parse(&a, str_c(bad[i]), &rules, &why), -EINVAL);
		assert_true(why.n > 0);
		arena_done(&a);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(paths),     cmocka_unit_test(names),      cmocka_unit_test(ranges),
	cmocka_unit_test(manifests), cmocka_unit_test(lifecycles), cmocka_unit_test(bad_lifecycles),
};
TEST_MAIN(tests)
