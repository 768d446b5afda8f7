/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_custom.c - what providers of custom resources send: bodies of answers, and addresses. What is taken keeps the rules; no address
 * is ours but one we signed. */
#include "base/arena.h"
#include "base/util.h"
#include "cfn/custom.h"
#include <stdlib.h>

static void must(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct custom_request q = { .type = "Create", .stack_id = S("s"), .request_id = S("r"), .logical = S("L") };
	struct str s = str_of((const char *)data, n), err = STR_NONE, path, query;
	struct custom_answer x;
	struct custom_place p;
	struct arena a = { 0 };
	uint8_t key[32];

	if (custom_answer_parse(&a, s, &q, &x, &err) == 0) {
		must(n <= CUSTOM_ANSWER_BYTES_MAX && json_is(x.data, JSON_OBJECT));
		must(!x.success || (x.physical.n && x.physical.n <= CUSTOM_ID_BYTES_MAX));
		for (size_t i = 0; i < x.data->n; i++)
			must(x.data->members[i].value.type != JSON_NUMBER && x.data->members[i].value.type != JSON_BOOL);
	} else
		must(err.n > 0);
	random_bytes(key, sizeof key);
	if (str_cut(s, '?', &path, &query))
		must(custom_target_parse(&a, key, path, query, 0, &p) < 0);
	arena_done(&a);
	return 0;
}
