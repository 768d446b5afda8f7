/* SPDX-License-Identifier: Apache-2.0 */
/* glob.c - AWS wildcards.
 *
 * Only the last '*' seen needs to be tried again: what lies before it has matched as early as possible, and a later
 * match of it could not help the rest. Worst case: length of the pattern times length of the text; no recursion. */
#include "base/glob.h"

static inline unsigned char fold(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : c;
}

static inline bool glob_run(struct str pattern, struct str s, bool ci)
{
	const unsigned char *p = (const unsigned char *)pattern.p, *p_end = p + pattern.n;
	const unsigned char *t = (const unsigned char *)s.p, *t_end = t + s.n;
	const unsigned char *star = NULL, *retry = NULL; /* behind the last '*', and the text it gives the rest */

	if (pattern.n == 0)
		return s.n == 0;
	while (t < t_end) {
		if (p < p_end && *p == '*') {
			while (p < p_end && *p == '*')
				p++;
			if (p == p_end)
				return true;
			star = p;
			retry = t;
		} else if (p < p_end && (*p == '?' || *p == *t || (ci && fold(*p) == fold(*t)))) {
			p++;
			t++;
		} else if (star) {
			p = star;
			t = ++retry;
			if (!ci && *p != '?' && t < t_end) { /* jump to the next place where the rest can begin */
				t = memchr(t, *p, (size_t)(t_end - t));
				if (!t)
					return false;
				retry = t;
			}
		} else {
			return false;
		}
	}
	while (p < p_end && *p == '*')
		p++;
	return p == p_end;
}

bool glob_match(struct str pattern, struct str s)
{
	return glob_run(pattern, s, false);
}

bool glob_match_ci(struct str pattern, struct str s)
{
	return glob_run(pattern, s, true);
}
