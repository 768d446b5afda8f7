/* SPDX-License-Identifier: Apache-2.0 */
/* Filter patterns of CloudWatch Logs: the first line is a pattern, the rest a message. What compiles matches the same each time,
 * is told by its message, and what it extracts is bounded by the pattern. */
#include "base/arena.h"
#include "svc/logs/pattern.h"
#include <stdlib.h>

static void must(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct arena a, scratch;
	struct str s = str_of((const char *)data, n), pattern, message, error = STR_NONE;
	struct logs_pattern *p;
	struct str_map m;
	bool holds;

	if (!str_cut(s, '\n', &pattern, &message))
		message = S("");
	if (logs_pattern_compile(&a, pattern, &p, &error) == 0) {
		holds = logs_pattern_matches(p, message, &scratch);
		must(holds == logs_pattern_matches(p, message, &scratch));
		logs_pattern_extract(p, message, &a, &m);
		must(m.n <= pattern.n);
	} else
		must(error.n > 0);
	arena_reset(&a);
	return 0;
}
