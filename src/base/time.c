/* SPDX-License-Identifier: Apache-2.0 */
/* time.c - the clock, and times as text.
 *
 * The clock is the system's plus an offset that only grows by clock_shift_ms. Dates are the proleptic Gregorian
 * calendar in UTC, computed here (days since 1970-03-01 in eras of 400 years) without the C library's time zones.
 * Readers are strict: fields have their ranges, months their lengths, nothing may follow. */
#include <errno.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/util.h"

#define DAY_S 86400
#define ERA_DAYS 146097          /* 400 years */
#define EPOCH_TO_ERA_DAYS 719468 /* 0000-03-01 to 1970-01-01 */

static _Atomic int64_t clock_offset;

static const char month_names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
static const char day_names[] = "SunMonTueWedThuFriSat";

static int64_t read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t clock_now_ms(void)
{
	return read_clock(CLOCK_REALTIME) + atomic_load_explicit(&clock_offset, memory_order_relaxed);
}

void clock_shift_ms(int64_t delta)
{
	atomic_fetch_add(&clock_offset, delta);
}

int64_t clock_offset_ms(void)
{
	return atomic_load(&clock_offset);
}

int64_t clock_mono_ms(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_mono_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

struct civil {
	int64_t year;
	int month, day, hour, minute, second, ms, weekday;
};

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static struct civil civil_of(int64_t ms)
{
	int64_t s = floor_div(ms, 1000), days = floor_div(s, DAY_S), z = days + EPOCH_TO_ERA_DAYS;
	int64_t era = floor_div(z, ERA_DAYS);
	int doe = (int)(z - era * ERA_DAYS); /* day of the era */
	int yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int doy = doe - (365 * yoe + yoe / 4 - yoe / 100); /* day of a year that begins in March */
	int mp = (5 * doy + 2) / 153;
	int in_day = (int)(s - days * DAY_S);
	struct civil c = {
		.month = mp < 10 ? mp + 3 : mp - 9,
		.day = doy - (153 * mp + 2) / 5 + 1,
		.hour = in_day / 3600,
		.minute = in_day / 60 % 60,
		.second = in_day % 60,
		.ms = (int)(ms - s * 1000),
		.weekday = (int)(days + 4 - floor_div(days + 4, 7) * 7),
	};

	c.year = yoe + era * 400 + (c.month <= 2);
	return c;
}

static int64_t days_of(int64_t year, int month, int day)
{
	int64_t y = year - (month <= 2), era = floor_div(y, 400);
	int64_t yoe = y - era * 400, doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * ERA_DAYS + yoe * 365 + yoe / 4 - yoe / 100 + doy - EPOCH_TO_ERA_DAYS;
}

#define TIME_TEXT_MAX 48 /* a year of 64-bit milliseconds has nine digits */

/* At least n digits of v. */
static char *put_digits(char *w, int64_t v, int n)
{
	char digits[24];
	int k = 0;

	if (v < 0)
		*w++ = '-';
	for (uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v; u || k < n; u /= 10)
		digits[k++] = (char)('0' + u % 10);
	while (k)
		*w++ = digits[--k];
	return w;
}

/* Year, month and day with between between them. */
static char *put_date(char *w, const struct civil *c, struct str between)
{
	w = put_digits(w, c->year, 4);
	w = mempcpy(w, between.p, between.n);
	w = put_digits(w, c->month, 2);
	w = mempcpy(w, between.p, between.n);
	return put_digits(w, c->day, 2);
}

static char *put_clock(char *w, const struct civil *c, struct str between)
{
	w = put_digits(w, c->hour, 2);
	w = mempcpy(w, between.p, between.n);
	w = put_digits(w, c->minute, 2);
	w = mempcpy(w, between.p, between.n);
	return put_digits(w, c->second, 2);
}

static struct str end_text(char *p, char *w)
{
	*w = 0;
	return str_of(p, (size_t)(w - p));
}

struct str time_iso(struct arena *a, int64_t ms)
{
	struct civil c = civil_of(ms);
	char *p = arena_alloc(a, TIME_TEXT_MAX), *w = put_date(p, &c, S("-"));

	*w++ = 'T';
	w = put_clock(w, &c, S(":"));
	*w++ = 'Z';
	return end_text(p, w);
}

struct str time_iso_ms(struct arena *a, int64_t ms)
{
	struct civil c = civil_of(ms);
	char *p = arena_alloc(a, TIME_TEXT_MAX), *w = put_date(p, &c, S("-"));

	*w++ = 'T';
	w = put_clock(w, &c, S(":"));
	*w++ = '.';
	w = put_digits(w, c.ms, 3);
	*w++ = 'Z';
	return end_text(p, w);
}

struct str time_basic(struct arena *a, int64_t ms)
{
	struct civil c = civil_of(ms);
	char *p = arena_alloc(a, TIME_TEXT_MAX), *w = put_date(p, &c, S(""));

	*w++ = 'T';
	w = put_clock(w, &c, S(""));
	*w++ = 'Z';
	return end_text(p, w);
}

struct str time_http(struct arena *a, int64_t ms)
{
	struct civil c = civil_of(ms);
	char *p = arena_alloc(a, TIME_TEXT_MAX), *w = mempcpy(p, day_names + 3 * c.weekday, 3);

	w = mempcpy(w, ", ", 2);
	w = put_digits(w, c.day, 2);
	*w++ = ' ';
	w = mempcpy(w, month_names + 3 * (c.month - 1), 3);
	*w++ = ' ';
	w = put_digits(w, c.year, 4);
	*w++ = ' ';
	w = put_clock(w, &c, S(":"));
	w = mempcpy(w, " GMT", 4);
	return end_text(p, w);
}

/* --- reading: each take_ function passes what it reads off *s and says whether it was there --- */

static bool take_char(struct str *s, char c)
{
	if (s->n == 0 || *s->p != c)
		return false;
	*s = str_skip(*s, 1);
	return true;
}

/* Exactly n digits. */
static bool take_digits(struct str *s, int n, int *ret)
{
	int v = 0;

	if (s->n < (size_t)n)
		return false;
	for (int i = 0; i < n; i++) {
		if (s->p[i] < '0' || s->p[i] > '9')
			return false;
		v = v * 10 + (s->p[i] - '0');
	}
	*s = str_skip(*s, (size_t)n);
	*ret = v;
	return true;
}

/* A three-letter name out of table; *ret is its index. */
static bool take_name(struct str *s, const char *table, int *ret)
{
	if (s->n < 3)
		return false;
	for (int i = 0; table[3 * i]; i++) {
		if (memcmp(table + 3 * i, s->p, 3) == 0) {
			*s = str_skip(*s, 3);
			*ret = i;
			return true;
		}
	}
	return false;
}

/* One or more digits behind the point; what is finer than a millisecond is dropped. */
static bool take_fraction(struct str *s, int *ret_ms)
{
	int scale = 100, ms = 0, digit;
	size_t before = s->n;

	while (take_digits(s, 1, &digit)) {
		ms += digit * scale;
		scale /= 10;
	}
	*ret_ms = ms;
	return s->n < before;
}

/* hh:mm[:ss[.fraction]], without colons when not extended. */
static bool take_clock(struct str *s, struct civil *c, bool extended)
{
	if (!take_digits(s, 2, &c->hour) || (extended && !take_char(s, ':')) || !take_digits(s, 2, &c->minute))
		return false;
	if (extended ? !take_char(s, ':') : s->n == 0 || *s->p < '0' || *s->p > '9')
		return true; /* no seconds */
	if (!take_digits(s, 2, &c->second))
		return false;
	return take_char(s, '.') ? take_fraction(s, &c->ms) : true;
}

/* Z, +hh:mm, +hhmm, +hh, or nothing, which means UTC. */
static bool take_zone(struct str *s, int *ret_minutes)
{
	bool negative = s->n && *s->p == '-';
	int h, m = 0;

	*ret_minutes = 0;
	if (s->n == 0 || take_char(s, 'Z'))
		return true;
	if (!take_char(s, '+') && !take_char(s, '-'))
		return false;
	if (!take_digits(s, 2, &h))
		return false;
	if (s->n && ((take_char(s, ':') && s->n == 0) || !take_digits(s, 2, &m)))
		return false;
	if (h > 23 || m > 59)
		return false;
	*ret_minutes = (negative ? -1 : 1) * (h * 60 + m);
	return true;
}

static int ms_of(const struct civil *c, int zone_minutes, int64_t *ret_ms)
{
	static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (c->year % 4 == 0 && c->year % 100 != 0) || c->year % 400 == 0;

	if (c->month < 1 || c->month > 12 || c->day < 1 || c->day > lengths[c->month - 1] + (c->month == 2 && leap))
		return -EINVAL;
	if (c->hour > 23 || c->minute > 59 || c->second > 59)
		return -EINVAL;
	*ret_ms = ((days_of(c->year, c->month, c->day) * DAY_S + c->hour * 3600 + (c->minute - zone_minutes) * 60 + c->second) * 1000) +
		  c->ms;
	return 0;
}

int time_parse_iso(struct str s, int64_t *ret_ms)
{
	struct civil c = { 0 };
	int year, zone = 0;
	bool extended;

	if (!take_digits(&s, 4, &year))
		return -EINVAL;
	c.year = year;
	extended = take_char(&s, '-');
	if (!take_digits(&s, 2, &c.month) || (extended && !take_char(&s, '-')) || !take_digits(&s, 2, &c.day))
		return -EINVAL;
	if (s.n || !extended) { /* only the extended form may be a date alone; digits alone are seconds */
		if (!take_char(&s, 'T') || !take_clock(&s, &c, extended) || !take_zone(&s, &zone) || s.n)
			return -EINVAL;
	}
	return ms_of(&c, zone, ret_ms);
}

int time_parse_basic(struct str s, int64_t *ret_ms)
{
	if (s.n != 16 || s.p[8] != 'T' || s.p[15] != 'Z')
		return -EINVAL;
	return time_parse_iso(s, ret_ms);
}

static bool take_http_zone(struct str *s, int *ret_minutes)
{
	*ret_minutes = 0;
	if (str_eq(*s, S("GMT")) || str_eq(*s, S("UTC"))) {
		*s = str_skip(*s, s->n);
		return true;
	}
	return s->n == 5 && *s->p != 'Z' && take_zone(s, ret_minutes);
}

/* "Fri, 02 Jan 2026 03:04:05 GMT" and the two older forms of RFC 9110: "Friday, 02-Jan-26 03:04:05 GMT" and
 * "Fri Jan  2 03:04:05 2026". The weekday has to be one, not the right one. */
static int parse_http(struct str s, int64_t *ret_ms)
{
	static const struct str long_tails[] = { S("day"), S("day"), S("sday"), S("nesday"), S("rsday"), S("day"), S("urday") };
	struct civil c = { 0 };
	int year, zone = 0;
	bool dashes = false;

	if (!take_name(&s, day_names, &c.weekday))
		return -EINVAL;
	if (take_char(&s, ' ')) { /* asctime */
		if (!take_name(&s, month_names, &c.month) || !take_char(&s, ' '))
			return -EINVAL;
		if (take_char(&s, ' ') ? !take_digits(&s, 1, &c.day) : !take_digits(&s, 2, &c.day))
			return -EINVAL;
		if (!take_char(&s, ' ') || !take_clock(&s, &c, true) || !take_char(&s, ' ') || !take_digits(&s, 4, &year) || s.n)
			return -EINVAL;
		goto done;
	}
	if (str_starts(s, long_tails[c.weekday])) {
		s = str_skip(s, long_tails[c.weekday].n);
		dashes = true;
	}
	if (!take_char(&s, ',') || !take_char(&s, ' '))
		return -EINVAL;
	if (!take_digits(&s, 2, &c.day) && !take_digits(&s, 1, &c.day))
		return -EINVAL;
	if (!take_char(&s, dashes ? '-' : ' ') || !take_name(&s, month_names, &c.month) || !take_char(&s, dashes ? '-' : ' '))
		return -EINVAL;
	if (!take_digits(&s, dashes ? 2 : 4, &year) || !take_char(&s, ' ') || !take_clock(&s, &c, true) || !take_char(&s, ' '))
		return -EINVAL;
	if (dashes)
		year += year < 70 ? 2000 : 1900;
	if (!take_http_zone(&s, &zone) || s.n)
		return -EINVAL;
done:
	c.year = year;
	c.month++;
	return ms_of(&c, zone, ret_ms);
}

/* Seconds since the epoch, with a fraction or an exponent. Digits are taken as they are, so that no rounding of
 * doubles shows. */
static int parse_epoch(struct str s, int64_t *ret_ms)
{
	const int64_t limit_s = 253402300800; /* year 10000 */
	struct str whole, fraction;
	int64_t seconds;
	int ms = 0;
	double d;

	if ((!str_cut(s, '.', &whole, &fraction) || (take_fraction(&fraction, &ms) && fraction.n == 0)) &&
	    str_to_i64(whole, &seconds) == 0) {
		if (seconds < -limit_s || seconds > limit_s)
			return -EINVAL;
		*ret_ms = seconds * 1000 + (*whole.p == '-' ? -ms : ms);
		return 0;
	}
	if (str_find_char(s, 'e') < 0 && str_find_char(s, 'E') < 0)
		return -EINVAL;
	if (str_to_double(s, &d) < 0 || d < -(double)limit_s || d > (double)limit_s)
		return -EINVAL;
	*ret_ms = (int64_t)(d * 1000 + (d < 0 ? -0.5 : 0.5));
	return 0;
}

int time_parse(struct str s, int64_t *ret_ms)
{
	if (time_parse_iso(s, ret_ms) == 0 || parse_http(s, ret_ms) == 0)
		return 0;
	return parse_epoch(s, ret_ms);
}
