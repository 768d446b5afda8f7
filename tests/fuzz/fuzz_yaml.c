/* SPDX-License-Identifier: Apache-2.0 */
/* What the template reader accepts must be a tree that JSON can carry: written and read again it is the same, and the
 * template reader itself takes it. */
#include "cfn/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct arena a;
	struct json *j, *again;
	struct str err = STR_NONE, text;
	bool yaml;

	if (template_read(&a, str_of((const char *)data, n), &j, &yaml, &err) < 0) {
		if (!err.p)
			abort();
	} else {
		text = json_text(&a, j);
		if (text.n <= TEMPLATE_BYTES_MAX && (template_read(&a, text, &again, &yaml, &err) < 0 || yaml || !json_equal(j, again)))
			abort();
	}
	arena_reset(&a);
	return 0;
}
