/* SPDX-License-Identifier: Apache-2.0 */
/* Not a test by itself: reads "LENGTH\n" and so many bytes of template, again and again, and writes for each one line of
 * JSON, the tree, or a line beginning with '!' and the sentence. tests/cfn/test_template_oracle.py compares. */
#include "cfn/template.h"
#include <stdio.h>

int main(void)
{
	static char text[TEMPLATE_BYTES_MAX];
	struct arena a = { 0 };
	size_t n;

	while (scanf("%zu", &n) == 1 && getchar() == '\n' && n <= sizeof text && fread(text, 1, n, stdin) == n) {
		struct str err = STR_NONE, out;
		struct json *j;
		bool yaml;

		out = template_read(&a, str_of(text, n), &j, &yaml, &err) < 0 ? str_printf(&a, "!%.*s", STR(err)) : json_text(&a, j);
		printf("%.*s\n", STR(out));
		arena_reset(&a);
	}
	arena_done(&a);
	return 0;
}
