/* SPDX-License-Identifier: Apache-2.0 */
/* pattern_regex.c - regular expressions of filter patterns: classes, repetition, alternatives, anchors; no groups. All places of
 * all alternatives are followed at once, so that no expression takes more than bytes times places.
 *
 * A message is read by characters: of one beyond ASCII only the first byte counts, which "." and negated classes match. */
#include "svc/logs/pattern.h"
#include <assert.h>
#include <errno.h>

#define UNBOUNDED (-1)
#define REPEAT_MAX 1000

struct state { /* one character; optional: it may be passed over; loops: it may come again */
	uint32_t set[8];
	bool optional, loops;
};
struct alternative {
	size_t first, n; /* states */
	bool anchored, ended;
};
struct pattern_regex {
	struct state *v;
	size_t n, cap;
	struct alternative *alt;
	size_t n_alt, cap_alt;
};

static void set_add(uint32_t set[8], unsigned from, unsigned to)
{
	for (unsigned c = from; c <= to; c++)
		set[c / 32] |= 1u << (c % 32);
}

static bool set_has(const uint32_t set[8], uint8_t c)
{
	return set[c / 32] >> (c % 32) & 1;
}

static void set_invert(uint32_t set[8])
{
	for (int i = 0; i < 8; i++)
		set[i] = ~set[i];
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool plain(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c && strchr(":_#=@/;,- ", c));
}

/* What follows a backslash. A single character is returned in *ret_c, a class gives -1 there. */
static int escape(struct str s, size_t *at, uint32_t set[8], int *ret_c)
{
	char c;
	int hi, lo;

	if (*at >= s.n)
		return -EINVAL;
	c = s.p[(*at)++];
	*ret_c = -1;
	memset(set, 0, 8 * sizeof *set);
	switch (c) {
	case 'd':
	case 'D':
		set_add(set, '0', '9');
		break;
	case 's':
	case 'S':
		set_add(set, '\t', '\n');
		set_add(set, ' ', ' ');
		break;
	case 'w':
	case 'W':
		set_add(set, '0', '9');
		set_add(set, 'A', 'Z');
		set_add(set, 'a', 'z');
		set_add(set, '_', '_');
		break;
	case 'x':
		if (s.n - *at < 2 || (hi = hex_digit(s.p[*at])) < 0 || (lo = hex_digit(s.p[*at + 1])) < 0 || hi > 7)
			return -EINVAL;
		*at += 2;
		*ret_c = hi * 16 + lo;
		break;
	default:
		if (!strchr("^$?[]{}|\\*+.:_#=@/;,-", c) || !c)
			return -EINVAL;
		*ret_c = c;
	}
	if (*ret_c >= 0)
		set_add(set, (unsigned)*ret_c, (unsigned)*ret_c);
	if (c == 'D' || c == 'S' || c == 'W')
		set_invert(set);
	return 0;
}

static int class_char(struct str s, size_t *at, uint32_t set[8], int *ret_c)
{
	char c = s.p[(*at)++];

	if (c == '\\')
		return escape(s, at, set, ret_c);
	if (!plain(c) && !strchr("^$?[{}|*+.", c))
		return -EINVAL;
	*ret_c = (unsigned char)c;
	memset(set, 0, 8 * sizeof *set);
	set_add(set, (unsigned char)c, (unsigned char)c);
	return 0;
}

static int read_class(struct str s, size_t *at, uint32_t out[8])
{
	bool negated = *at < s.n && s.p[*at] == '^', empty = true;

	memset(out, 0, 8 * sizeof *out);
	*at += negated;
	while (*at < s.n && (s.p[*at] != ']' || empty)) {
		uint32_t one[8], last[8];
		int from, to;

		if (empty && s.p[*at] == ']') { /* first: itself */
			++*at;
			set_add(out, ']', ']');
			empty = false;
			continue;
		}
		empty = false;
		if (class_char(s, at, one, &from) < 0)
			return -EINVAL;
		if (from >= 0 && s.n - *at >= 2 && s.p[*at] == '-' && s.p[*at + 1] != ']') {
			++*at;
			if (class_char(s, at, last, &to) < 0 || to < from)
				return -EINVAL;
			set_add(one, (unsigned)from, (unsigned)to);
		}
		for (int i = 0; i < 8; i++)
			out[i] |= one[i];
	}
	if (*at >= s.n)
		return -EINVAL;
	++*at;
	if (negated)
		set_invert(out);
	return 0;
}

static int read_number(struct str s, size_t *at, int *ret)
{
	int v = 0;
	bool any = false;

	while (*at < s.n && s.p[*at] >= '0' && s.p[*at] <= '9') {
		v = v * 10 + (s.p[(*at)++] - '0');
		any = true;
		if (v > REPEAT_MAX)
			return -EINVAL;
	}
	*ret = v;
	return any;
}

static void skip_blanks(struct str s, size_t *at)
{
	while (*at < s.n && s.p[*at] == ' ')
		++*at;
}

/* "{m,n}", "{m,}", "{,n}", "{m}" */
static int read_counts(struct str s, size_t *at, int *min, int *max)
{
	int low, high;

	skip_blanks(s, at);
	low = read_number(s, at, min);
	skip_blanks(s, at);
	if (low < 0 || *at >= s.n)
		return -EINVAL;
	*max = *min;
	high = low;
	if (s.p[*at] == ',') {
		++*at;
		skip_blanks(s, at);
		high = read_number(s, at, max);
		skip_blanks(s, at);
		if (high == 0)
			*max = UNBOUNDED;
	}
	if (high < 0 || (!low && !high) || *at >= s.n || s.p[*at] != '}' || (*max >= 0 && *max < *min))
		return -EINVAL;
	++*at;
	return 0;
}

static int read_repeat(struct str s, size_t *at, int *min, int *max)
{
	*min = *max = 1;
	if (*at >= s.n || !strchr("*+?{", s.p[*at]))
		return 0;
	switch (s.p[(*at)++]) {
	case '*':
		*min = 0;
		*max = UNBOUNDED;
		break;
	case '+':
		*max = UNBOUNDED;
		break;
	case '?':
		*min = 0;
		break;
	default:
		if (read_counts(s, at, min, max) < 0)
			return -EINVAL;
	}
	return *at < s.n && strchr("*+?{", s.p[*at]) ? -EINVAL : 0; /* nothing repeats a repetition */
}

static int add_states(struct pattern_regex *x, struct arena *a, const uint32_t set[8], int min, int max)
{
	int n = max == UNBOUNDED ? (min ? min : 1) : max;

	if (x->n + (size_t)n > PATTERN_REGEX_STATES)
		return -EINVAL;
	for (int i = 0; i < n; i++) {
		struct state st = { .optional = i >= min, .loops = max == UNBOUNDED && i == n - 1 };

		memcpy(st.set, set, sizeof st.set);
		vec_push(a, x->v, x->n, x->cap) = st;
	}
	return 0;
}

static int read_char(struct str s, size_t *at, uint32_t set[8])
{
	char c = s.p[(*at)++];
	int one;

	if (c == '[')
		return read_class(s, at, set);
	if (c == '\\')
		return escape(s, at, set, &one);
	memset(set, 0, 8 * sizeof *set);
	if (c == '.') {
		set_add(set, '\n', '\n');
		set_invert(set);
		return 0;
	}
	if (!plain(c))
		return -EINVAL;
	set_add(set, (unsigned char)c, (unsigned char)c);
	return 0;
}

int pattern_regex_compile(struct arena *a, struct str s, struct pattern_regex **ret)
{
	struct pattern_regex *x = arena_new(a, struct pattern_regex);
	size_t at = 0;

	do {
		struct alternative alt = { .first = x->n };

		if (at < s.n && s.p[at] == '^') {
			alt.anchored = true;
			at++;
		}
		while (at < s.n && s.p[at] != '|') {
			uint32_t set[8];
			int min, max;

			if (s.p[at] == '$' && (at + 1 == s.n || s.p[at + 1] == '|')) {
				alt.ended = true;
				at++;
				break;
			}
			if (read_char(s, &at, set) < 0 || read_repeat(s, &at, &min, &max) < 0 || add_states(x, a, set, min, max) < 0)
				return -EINVAL;
		}
		alt.n = x->n - alt.first;
		if (!alt.n && !alt.anchored && !alt.ended)
			return -EINVAL;
		vec_push(a, x->alt, x->n_alt, x->cap_alt) = alt;
	} while (at++ < s.n);
	*ret = x;
	return 0;
}

#define WORDS ((PATTERN_REGEX_STATES + 64) / 64)

/* Place i of an alternative: its first i states are behind. Places reached by passing over optional states are set, too. */
static void place(const struct pattern_regex *x, const struct alternative *alt, uint64_t *places, size_t i)
{
	for (;;) {
		if (places[i / 64] >> (i % 64) & 1)
			return;
		places[i / 64] |= 1ull << (i % 64);
		if (i == alt->n || !x->v[alt->first + i].optional)
			return;
		i++;
	}
}

static bool step(const struct pattern_regex *x, const struct alternative *alt, const uint64_t *now, uint64_t *next, uint8_t c)
{
	bool any = false;

	for (size_t w = 0; w <= alt->n / 64; w++)
		for (uint64_t bits = now[w]; bits; bits &= bits - 1) {
			size_t i = w * 64 + (size_t)__builtin_ctzll(bits);
			const struct state *st;

			if (i == alt->n)
				continue;
			st = &x->v[alt->first + i];
			if (!set_has(st->set, c))
				continue;
			any = true;
			place(x, alt, next, i + 1);
			if (st->loops)
				place(x, alt, next, i);
		}
	return any;
}

static bool alternative_matches(const struct pattern_regex *x, const struct alternative *alt, struct str s)
{
	uint64_t now[WORDS] = { 0 }, next[WORDS];
	size_t words = alt->n / 64 + 1;

	place(x, alt, now, 0);
	for (size_t i = 0;; i++) {
		bool end = now[alt->n / 64] >> (alt->n % 64) & 1;

		if (end && (!alt->ended || i >= s.n))
			return true;
		if (i >= s.n)
			return false;
		if (((unsigned char)s.p[i] & 0xc0) == 0x80)
			continue;
		memset(next, 0, words * sizeof *next);
		if (!step(x, alt, now, next, (uint8_t)s.p[i]) && alt->anchored)
			return false;
		if (!alt->anchored)
			place(x, alt, next, 0);
		memcpy(now, next, words * sizeof *now);
	}
}

bool pattern_regex_matches(const struct pattern_regex *x, struct str s)
{
	for (size_t i = 0; i < x->n_alt; i++)
		if (alternative_matches(x, &x->alt[i], s))
			return true;
	return false;
}
