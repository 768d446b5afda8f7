/* SPDX-License-Identifier: Apache-2.0 */
/* policy_oracle: one case a line on standard input (see policy_case.h), one decision a line on standard output:
 * "allow", "implicit", "explicit", or "error TEXT" when a policy isn't well formed. */
#include <stdio.h>
#include <stdlib.h>

#include "../unit/policy/policy_case.h"

static void answer(struct arena *a, struct str line)
{
	static const char *const names[] = { "allow", "implicit", "explicit" };
	struct policy_request r;
	struct str error = STR_NONE;
	struct json *j;

	if (json_parse(a, line, &j, NULL) < 0)
		puts("error not JSON");
	else if (case_read(a, j, &r, &error) < 0)
		printf("error %.*s\n", STR(error));
	else
		puts(names[policy_evaluate(&r, a).decision]);
}

int main(void)
{
	struct arena a = { 0 };
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	while ((n = getline(&line, &cap, stdin)) > 0) {
		answer(&a, str_of(line, line[n - 1] == '\n' ? (size_t)n - 1 : (size_t)n));
		arena_reset(&a);
	}
	free(line);
	arena_done(&a);
	return 0;
}
