/* SPDX-License-Identifier: Apache-2.0 */
/* The wildcard matcher against a table of all subproblems. Input: pattern, newline, text. */
#include "base/arena.h"
#include "base/glob.h"

#define SIDE_MAX 200

static unsigned char fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c | 32) : (unsigned char)c;
}

static bool reference(struct str p, struct str t, bool ci)
{
	static bool m[SIDE_MAX + 1][SIDE_MAX + 1]; /* m[i][k]: the first i of the pattern match the first k of the text */

	for (size_t i = 0; i <= p.n; i++) {
		for (size_t k = 0; k <= t.n; k++) {
			char c = i ? p.p[i - 1] : 0;

			if (i == 0)
				m[i][k] = k == 0;
			else if (c == '*')
				m[i][k] = m[i - 1][k] || (k && m[i][k - 1]);
			else
				m[i][k] = k && m[i - 1][k - 1] && (c == '?' || c == t.p[k - 1] || (ci && fold(c) == fold(t.p[k - 1])));
		}
	}
	return m[p.n][t.n];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str p, t;

	if (!str_cut(str_of((const char *)data, n), '\n', &p, &t) || p.n > SIDE_MAX || t.n > SIDE_MAX)
		return 0;
	if (glob_match(p, t) != reference(p, t, false) || glob_match_ci(p, t) != reference(p, t, true))
		abort();
	return 0;
}
