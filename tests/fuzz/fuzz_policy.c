/* SPDX-License-Identifier: Apache-2.0 */
/* A whole case (see policy_case.h): whatever parses has to be decided, explained, and denied once "deny all" is added.
 * The text is also read as a policy document of every kind. */
#include "../unit/policy/policy_case.h"

static void read_as_document(struct arena *a, struct str text)
{
	for (int kind = POLICY_IDENTITY; kind <= POLICY_RESOURCE_SELF; kind++) {
		struct policy *p;
		struct str error = STR_NONE;

		if (policy_parse(a, text, (enum policy_kind)kind, &p, &error) < 0) {
			if (!error.n)
				abort();
		} else {
			(void)policy_is_public(p);
		}
	}
}

static void deny_all(struct arena *a, struct policy_request *r)
{
	struct policy *p;
	struct str error;
	struct policy_named *named = arena_new(a, struct policy_named);

	if (policy_parse(a,
			 S("{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"*\","
			   "\"Resource\":\"*\"}}"),
			 POLICY_RESOURCE, &p, &error) < 0)
		abort();
	*named = (struct policy_named){ p, S("deny") };
	r->resource_policy = *named;
	if (policy_evaluate(r, a).decision == DECISION_ALLOW)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct arena a;
	struct str text = str_of((const char *)data, n), error = STR_NONE;
	struct policy_request r;
	struct json *j;

	read_as_document(&a, text);
	if (json_parse(&a, text, &j, NULL) == 0 && case_read(&a, j, &r, &error) == 0) {
		struct policy_result d = policy_evaluate(&r, &a), again = policy_evaluate(&r, &a);

		if (d.decision != again.decision || d.layer != again.layer || d.statement != again.statement)
			abort();
		if (!policy_explain(&a, &r, &d).n)
			abort();
		deny_all(&a, &r);
	}
	arena_reset(&a);
	return 0;
}
