/* SPDX-License-Identifier: Apache-2.0 */
/* What the JSON reader accepts has to survive writing and reading again, and be equal to itself. */
#include "base/arena.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct arena a;
	struct json *j, *again;
	struct str text;
	size_t at = 0;

	if (json_parse(&a, str_of((const char *)data, n), &j, &at) < 0) {
		if (at > n)
			abort();
	} else {
		if (!utf8_valid(str_of((const char *)data, n)))
			abort();
		text = json_text(&a, j);
		if (json_parse(&a, text, &again, NULL) < 0 || !json_equal(j, again) || !str_eq(json_text(&a, json_copy(&a, again)), text))
			abort();
	}
	arena_reset(&a);
	return 0;
}
