/* SPDX-License-Identifier: Apache-2.0 */
/* pattern_regex.c - regular expressions of filter patterns: classes, repetition, alternatives, anchors; no groups. All places of
 * all alternatives are followed at once, as bits, so that no expression takes more than bytes times a few words.
 *
 * A message is read by characters: of one beyond ASCII only the first byte counts, which "." and negated classes match. */
#include "svc/logs/pattern.h"
#include <assert.h>
#include <errno.h>

#define UNBOUNDED (-1)
#define REPEAT_MAX PATTERN_REGEX_STATES
#define WORDS_MAX ((2 * PATTERN_REGEX_STATES + 64) / 64 + 1)

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
	size_t n_alt, cap_alt, words;
	uint64_t *accepts;                                                /* by character: the places whose state takes it */
	uint64_t *loops, *optional, *first, *always, *done, *done_at_end; /* places */
};

static void set_add(uint32_t set[8], unsigned from, unsigned to)
{
	for (unsigned c = from; c <= to; c++)
		set[c / 32] |= 1u << (c % 32);
}

static void set_invert(uint32_t set[8])
{
	for (int i = 0; i < 8; i++)
		set[i] = ~set[i];
}

static bool plain(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || pattern_is(c, ":_#=@/;,- ");
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
		if (!pattern_is(c, "^$?[]{}|\\*+.:_#=@/;,-"))
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
	if (!plain(c) && !pattern_is(c, "^$?[{}|*+."))
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
	if (*at >= s.n || !pattern_is(s.p[*at], "*+?{"))
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
	return *at < s.n && pattern_is(s.p[*at], "*+?{") ? -EINVAL : 0; /* nothing repeats a repetition */
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

/* --- matching: a bit a place, all places of all alternatives side by side --- */
/* Place i of an alternative: its first i states are behind. The place behind the last state leads nowhere. */
static void set_bit(uint64_t *v, size_t i)
{
	v[i / 64] |= 1ull << (i % 64);
}

static void lay_out(struct pattern_regex *x, struct arena *a)
{
	size_t at = 0;

	x->words = (x->n + x->n_alt + 63) / 64;
	x->accepts = arena_array(a, uint64_t, 256 * x->words);
	x->loops = arena_array(a, uint64_t, 6 * x->words);
	x->optional = x->loops + x->words;
	x->first = x->optional + x->words;
	x->always = x->first + x->words;
	x->done = x->always + x->words;
	x->done_at_end = x->done + x->words;
	for (size_t k = 0; k < x->n_alt; k++) {
		const struct alternative *alt = &x->alt[k];

		set_bit(x->first, at);
		if (!alt->anchored)
			set_bit(x->always, at);
		for (size_t i = 0; i < alt->n; i++, at++) {
			const struct state *st = &x->v[alt->first + i];

			for (unsigned w = 0; w < 8; w++)
				for (uint32_t bits = st->set[w]; bits; bits &= bits - 1)
					set_bit(x->accepts + (w * 32 + (unsigned)__builtin_ctz(bits)) * x->words, at);
			if (st->loops)
				set_bit(x->loops, at);
			if (st->optional)
				set_bit(x->optional, at);
		}
		set_bit(x->done_at_end, at);
		if (!alt->ended)
			set_bit(x->done, at);
		at++;
	}
}

/* From a place whose state is optional the next one is reached, too: a carry runs through each row of optional states. */
static void pass_over(const struct pattern_regex *x, uint64_t *d)
{
	uint64_t carry = 0;

	for (size_t w = 0; w < x->words; w++) {
		uint64_t opt = x->optional[w], sum, over;

		over = __builtin_add_overflow(d[w] & opt, opt, &sum);
		over |= __builtin_add_overflow(sum, carry, &sum);
		d[w] |= sum ^ opt;
		carry = over;
	}
}

static bool overlap(const uint64_t *a, const uint64_t *b, size_t words)
{
	for (size_t w = 0; w < words; w++)
		if (a[w] & b[w])
			return true;
	return false;
}

bool pattern_regex_matches(const struct pattern_regex *x, struct str s)
{
	uint64_t d[WORDS_MAX];
	size_t words = x->words;

	memcpy(d, x->first, words * sizeof *d);
	pass_over(x, d);
	for (size_t i = 0; i < s.n; i++) {
		const uint64_t *accepts = x->accepts + (uint8_t)s.p[i] * words;
		uint64_t in = 0;

		if (((unsigned char)s.p[i] & 0xc0) == 0x80)
			continue;
		if (overlap(d, x->done, words))
			return true;
		for (size_t w = 0; w < words; w++) {
			uint64_t hit = d[w] & accepts[w];

			d[w] = hit << 1 | in | (hit & x->loops[w]) | x->always[w];
			in = hit >> 63;
		}
		pass_over(x, d);
	}
	return overlap(d, x->done_at_end, words);
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
		if (x->n_alt > PATTERN_REGEX_STATES)
			return -EINVAL;
	} while (at++ < s.n);
	lay_out(x, a);
	*ret = x;
	return 0;
}
