/* SPDX-License-Identifier: Apache-2.0 */
/* str.c - borrowed strings: comparing, cutting, numbers, copies into an arena.
 *
 * Nothing here looks at the locale. Functions accept absent strings and treat them as empty, except where the header
 * gives absence a meaning. */
#include "base/str.h"

#include <assert.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>

#include "base/arena.h"

static inline unsigned char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : (unsigned char)c;
}

static inline bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

int str_cmp(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int r = n ? memcmp(a.p, b.p, n) : 0;

	return r ? r : (a.n > b.n) - (a.n < b.n);
}

/* Eight bytes at once, A to Z folded: the top bit of a sum says that a byte is at least, or above, a letter. */
static uint64_t lower_eight(const char *p)
{
	const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
	uint64_t w, low, upper;

	memcpy(&w, p, 8);
	low = w & ~tops;
	upper = ((low + ones * (0x80 - 'A')) ^ (low + ones * (0x7f - 'Z'))) & ~w & tops;
	return w | upper >> 2;
}

bool str_eq_ci(struct str a, struct str b)
{
	size_t i = 0;

	if (a.n != b.n)
		return false;
	for (; a.n - i >= 8; i += 8)
		if (lower_eight(a.p + i) != lower_eight(b.p + i))
			return false;
	for (; i < a.n; i++)
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	return true;
}

bool str_starts(struct str s, struct str prefix)
{
	return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

bool str_ends(struct str s, struct str suffix)
{
	return s.n >= suffix.n && (suffix.n == 0 || memcmp(s.p + (s.n - suffix.n), suffix.p, suffix.n) == 0);
}

struct str str_trim(struct str s)
{
	while (s.n && is_blank(*s.p))
		s = str_skip(s, 1);
	while (s.n && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

ptrdiff_t str_find(struct str s, struct str needle)
{
	const char *p;

	if (needle.n == 0)
		return 0;
	if (needle.n > s.n)
		return -1;
	p = memmem(s.p, s.n, needle.p, needle.n);
	return p ? p - s.p : -1;
}

ptrdiff_t str_find_char(struct str s, char c)
{
	const char *p = s.n ? memchr(s.p, c, s.n) : NULL;

	return p ? p - s.p : -1;
}

ptrdiff_t str_rfind_char(struct str s, char c)
{
	const char *p = s.n ? memrchr(s.p, c, s.n) : NULL;

	return p ? p - s.p : -1;
}

bool str_cut(struct str s, char c, struct str *left, struct str *right)
{
	ptrdiff_t at = str_find_char(s, c);

	if (at < 0) {
		*left = s;
		*right = STR_NONE;
		return false;
	}
	*left = str_of(s.p, (size_t)at);
	*right = str_skip(s, (size_t)at + 1);
	return true;
}

bool str_next(struct str *rest, char c, struct str *field)
{
	if (!rest->p)
		return false;
	str_cut(*rest, c, field, rest);
	return true;
}

int str_to_u64(struct str s, uint64_t *ret)
{
	uint64_t v = 0;
	bool range = false;

	if (s.n == 0)
		return -EINVAL;
	for (size_t i = 0; i < s.n; i++) {
		if (!is_digit(s.p[i]))
			return -EINVAL;
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
			range = true; /* go on: trailing bytes make it "not a number" rather than too large */
	}
	if (range)
		return -ERANGE;
	*ret = v;
	return 0;
}

int str_to_i64(struct str s, int64_t *ret)
{
	bool negative = s.n && *s.p == '-';
	uint64_t v;
	int r = str_to_u64(negative ? str_skip(s, 1) : s, &v);

	if (r < 0)
		return r;
	if (v > (uint64_t)INT64_MAX + negative)
		return -ERANGE;
	*ret = negative ? (int64_t)(0 - v) : (int64_t)v;
	return 0;
}

int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool str_digits(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_digit(s.p[i]))
			return false;
	return s.n > 0;
}

int str_hex_to_u64(struct str s, uint64_t *ret)
{
	uint64_t v = 0;

	if (s.n == 0 || s.n > 16)
		return -EINVAL;
	for (size_t i = 0; i < s.n; i++) {
		int d = hex_digit(s.p[i]);

		if (d < 0)
			return -EINVAL;
		v = v << 4 | (uint64_t)d;
	}
	*ret = v;
	return 0;
}

static locale_t c_locale;

static void make_c_locale(void)
{
	c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	if (!c_locale)
		abort();
}

/* Says whether s is [+-] digits [. digits] [e [+-] digits], with a digit before the exponent. */
static bool is_decimal(struct str s)
{
	size_t i = 0, digits = 0;

	if (i < s.n && (s.p[i] == '-' || s.p[i] == '+'))
		i++;
	for (; i < s.n && is_digit(s.p[i]); i++)
		digits++;
	if (i < s.n && s.p[i] == '.')
		for (i++; i < s.n && is_digit(s.p[i]); i++)
			digits++;
	if (digits == 0)
		return false;
	if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
		i++;
		if (i < s.n && (s.p[i] == '-' || s.p[i] == '+'))
			i++;
		if (i == s.n)
			return false;
		while (i < s.n && is_digit(s.p[i]))
			i++;
	}
	return i == s.n;
}

int str_to_double(struct str s, double *ret)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	char small[64], *z = small;
	double v;

	if (!is_decimal(s))
		return -EINVAL;
	pthread_once(&once, make_c_locale);
	if (s.n >= sizeof small)
		z = xmalloc(s.n + 1);
	memcpy(z, s.p, s.n);
	z[s.n] = 0;
	v = strtod_l(z, NULL, c_locale);
	if (z != small)
		free(z);
	if (isinf(v))
		return -ERANGE;
	*ret = v;
	return 0;
}

/* Returns uninitialized room for n bytes with a NUL behind them. */
static char *new_text(struct arena *a, size_t n)
{
	char *p = arena_alloc(a, n + 1);

	p[n] = 0;
	return p;
}

struct str str_dup(struct arena *a, struct str s)
{
	char *p;

	if (!s.p)
		return STR_NONE;
	p = new_text(a, s.n);
	memcpy(p, s.p, s.n);
	return str_of(p, s.n);
}

struct str str_vprintf(struct arena *a, const char *fmt, va_list ap)
{
	char small[512], *p;
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(small, sizeof small, fmt, ap);
	assert(n >= 0); /* our own formats are valid */
	p = new_text(a, (size_t)n);
	if ((size_t)n < sizeof small)
		memcpy(p, small, (size_t)n);
	else
		vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	return str_of(p, (size_t)n);
}

struct str str_printf(struct arena *a, const char *fmt, ...)
{
	struct str s;
	va_list ap;

	va_start(ap, fmt);
	s = str_vprintf(a, fmt, ap);
	va_end(ap);
	return s;
}

struct str str_lower(struct arena *a, struct str s)
{
	char *p;

	if (!s.p)
		return STR_NONE;
	p = new_text(a, s.n);
	for (size_t i = 0; i < s.n; i++)
		p[i] = (char)lower(s.p[i]);
	return str_of(p, s.n);
}

struct str str_join(struct arena *a, const struct str *v, size_t n, struct str sep)
{
	size_t total = 0;
	char *p, *w;

	for (size_t i = 0; i < n; i++)
		total += v[i].n + (i ? sep.n : 0);
	p = w = new_text(a, total);
	for (size_t i = 0; i < n; i++) {
		if (i && sep.n)
			w = mempcpy(w, sep.p, sep.n);
		if (v[i].n)
			w = mempcpy(w, v[i].p, v[i].n);
	}
	return str_of(p, total);
}

struct str str_replace(struct arena *a, struct str s, struct str from, struct str to)
{
	size_t count = 0;
	ptrdiff_t at;
	struct str rest;
	char *p, *w;

	if (!s.p || from.n == 0)
		return str_dup(a, s);
	for (rest = s; (at = str_find(rest, from)) >= 0; rest = str_skip(rest, (size_t)at + from.n))
		count++;
	p = w = new_text(a, s.n - count * from.n + arena_mul(count, to.n));
	for (rest = s; (at = str_find(rest, from)) >= 0; rest = str_skip(rest, (size_t)at + from.n)) {
		w = mempcpy(w, rest.p, (size_t)at);
		if (to.n)
			w = mempcpy(w, to.p, to.n);
	}
	w = mempcpy(w, rest.p, rest.n);
	return str_of(p, (size_t)(w - p));
}

const char *str_z(struct arena *a, struct str s)
{
	return s.p ? str_dup(a, s).p : new_text(a, 0);
}

size_t utf8_len(const char *text, size_t n)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t k;

	if (n == 0)
		return 0;
	if (*p < 0x80)
		return 1;
	if (*p < 0xc2 || *p > 0xf4)
		return 0;
	k = *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : 2;
	if (n < k)
		return 0;
	for (size_t i = 1; i < k; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) || (*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] > 0x8f))
		return 0; /* overlong, a surrogate, or past U+10FFFF */
	return k;
}

size_t utf8_chars(struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

bool utf8_valid(struct str s)
{
	size_t i = 0;

	while (i < s.n) {
		uint64_t eight;
		size_t k;

		if (s.n - i >= sizeof eight) { /* most text is ASCII */
			memcpy(&eight, s.p + i, sizeof eight);
			if ((eight & 0x8080808080808080u) == 0) {
				i += sizeof eight;
				continue;
			}
		}
		k = utf8_len(s.p + i, s.n - i);
		if (k == 0)
			return false;
		i += k;
	}
	return true;
}

bool str_list_has(const struct str_list *l, struct str s)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->v[i], s))
			return true;
	return false;
}

struct str str_map_get(const struct str_map *m, struct str key)
{
	for (size_t i = 0; i < m->n; i++)
		if (str_eq(m->v[i].key, key))
			return m->v[i].value;
	return STR_NONE;
}
