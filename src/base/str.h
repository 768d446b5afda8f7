/* SPDX-License-Identifier: Apache-2.0 */
/* str.h - borrowed strings, and the optional scalars that decoded requests are made of.
 *
 * A struct str never owns its bytes and need not end in NUL. p == NULL means "absent"; an empty string that is
 * present has p != NULL and n == 0. Whoever hands one out says how long its bytes live (usually: as long as the
 * call's arena). */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct arena;

struct str {
	const char *p;
	size_t n;
};
struct str_list {
	struct str *v;
	size_t n;
};
struct str_pair {
	struct str key, value;
};
struct str_map {
	struct str_pair *v;
	size_t n;
};
struct opt_bool {
	bool has, v;
};
struct opt_int {
	bool has;
	int64_t v;
};
struct opt_double {
	bool has;
	double v;
};
struct opt_time { /* milliseconds since 1970-01-01T00:00:00Z */
	bool has;
	int64_t ms;
};
struct opt_int_list {
	struct opt_int *v;
	size_t n;
};
struct opt_bool_list {
	struct opt_bool *v;
	size_t n;
};
struct opt_double_list {
	struct opt_double *v;
	size_t n;
};
struct opt_time_list {
	struct opt_time *v;
	size_t n;
};

#define S(lit) ((struct str){ "" lit, sizeof(lit) - 1 })
#define STR(s) (int)(s).n, (s).p /* for "%.*s" */
#define STR_NONE ((struct str){ NULL, 0 })
#define OPT_BOOL(x) ((struct opt_bool){ true, (x) })
#define OPT_INT(x) ((struct opt_int){ true, (x) })
#define OPT_TIME(x) ((struct opt_time){ true, (x) })
#define ELEMENTS(a) (sizeof(a) / sizeof *(a))
#define _cleanup_(f) __attribute__((cleanup(f)))
#define _printf_(f, a) __attribute__((format(printf, f, a)))

static inline struct str str_of(const char *p, size_t n)
{
	return (struct str){ p, n };
}
static inline struct str str_c(const char *z) /* z NULL gives an absent str */
{
	return (struct str){ z, z ? strlen(z) : 0 };
}
static inline bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
static inline bool str_is(struct str a, const char *z)
{
	return str_eq(a, str_c(z));
}
static inline struct str str_skip(struct str s, size_t k) /* k <= s.n */
{
	return (struct str){ s.p + k, s.n - k };
}

int str_cmp(struct str a, struct str b);    /* byte order; shorter first */
bool str_eq_ci(struct str a, struct str b); /* ASCII case folded */
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
struct str str_trim(struct str s); /* ASCII blanks at both ends */
/* str_find returns the offset of needle in s, or -1. */
ptrdiff_t str_find(struct str s, struct str needle);
ptrdiff_t str_find_char(struct str s, char c);
ptrdiff_t str_rfind_char(struct str s, char c);
/* str_cut splits s at the first c: *left gets what is before it, *right what follows. Returns false, with all of s
 * in *left and *right absent, when c does not occur. */
bool str_cut(struct str s, char c, struct str *left, struct str *right);
/* str_next takes the next field off *rest, up to c; returns false when *rest is absent (exhausted). */
bool str_next(struct str *rest, char c, struct str *field);
/* Whole-string numbers: 0, or -EINVAL (not a number, trailing bytes) or -ERANGE. */
int str_to_i64(struct str s, int64_t *ret);
int str_to_u64(struct str s, uint64_t *ret);
int str_to_double(struct str s, double *ret); /* never looks at the locale */

/* Copies live as long as the arena. Copies are NUL-terminated behind their n bytes. */
struct str str_dup(struct arena *a, struct str s);
struct str str_printf(struct arena *a, const char *fmt, ...) _printf_(2, 3);
struct str str_vprintf(struct arena *a, const char *fmt, va_list ap) _printf_(2, 0);
struct str str_lower(struct arena *a, struct str s);
struct str str_join(struct arena *a, const struct str *v, size_t n, struct str sep);
struct str str_replace(struct arena *a, struct str s, struct str from, struct str to);
const char *str_z(struct arena *a, struct str s); /* NUL-terminated copy */

int hex_digit(char c);                           /* its value, or -1 */
bool str_digits(struct str s);                   /* decimal digits only, and at least one */
int str_hex_to_u64(struct str s, uint64_t *ret); /* hexadecimal digits only, 1 to 16 of them; -EINVAL */

bool utf8_valid(struct str s);
size_t utf8_chars(struct str s);          /* of valid UTF-8 */
size_t utf8_len(const char *p, size_t n); /* bytes of the valid UTF-8 sequence that p begins with; 0: none */

/* str_list_has says whether the list holds s. */
bool str_list_has(const struct str_list *l, struct str s);
/* str_map_get returns the value, absent when the key is not there. */
struct str str_map_get(const struct str_map *m, struct str key);
