/* SPDX-License-Identifier: Apache-2.0 */
/* condition.c - the Condition element: operators, their values, and how they compare.
 *
 * A negated operator is always the exact opposite of its positive one: what can't be compared (an absent key, a variable
 * without a value, a text that is no number) is "not equal" ("Condition operators" and "Policy variables with no value",
 * IAM User Guide). */
#include <arpa/inet.h>
#include <errno.h>
#include "base/util.h"
#include "policy/internal.h"

static const struct operator operators[] = {
	{ "StringEquals", OP_STRING, CMP_EQ, false },
	{ "StringNotEquals", OP_STRING, CMP_EQ, true },
	{ "StringEqualsIgnoreCase", OP_STRING_FOLD, CMP_EQ, false },
	{ "StringNotEqualsIgnoreCase", OP_STRING_FOLD, CMP_EQ, true },
	{ "StringLike", OP_LIKE, CMP_EQ, false },
	{ "StringNotLike", OP_LIKE, CMP_EQ, true },
	{ "NumericEquals", OP_NUMERIC, CMP_EQ, false },
	{ "NumericNotEquals", OP_NUMERIC, CMP_EQ, true },
	{ "NumericLessThan", OP_NUMERIC, CMP_LT, false },
	{ "NumericLessThanEquals", OP_NUMERIC, CMP_LE, false },
	{ "NumericGreaterThan", OP_NUMERIC, CMP_GT, false },
	{ "NumericGreaterThanEquals", OP_NUMERIC, CMP_GE, false },
	{ "DateEquals", OP_DATE, CMP_EQ, false },
	{ "DateNotEquals", OP_DATE, CMP_EQ, true },
	{ "DateLessThan", OP_DATE, CMP_LT, false },
	{ "DateLessThanEquals", OP_DATE, CMP_LE, false },
	{ "DateGreaterThan", OP_DATE, CMP_GT, false },
	{ "DateGreaterThanEquals", OP_DATE, CMP_GE, false },
	{ "Bool", OP_BOOL, CMP_EQ, false },
	{ "BinaryEquals", OP_STRING, CMP_EQ, false }, /* binary keys are passed as base64 text */
	{ "IpAddress", OP_IP, CMP_EQ, false },
	{ "NotIpAddress", OP_IP, CMP_EQ, true },
	{ "ArnEquals", OP_ARN, CMP_EQ, false },
	{ "ArnNotEquals", OP_ARN, CMP_EQ, true },
	{ "ArnLike", OP_ARN, CMP_EQ, false },
	{ "ArnNotLike", OP_ARN, CMP_EQ, true },
	{ "Null", OP_NULL, CMP_EQ, false },
};

const struct operator* operator_find(struct str name)
{
	for (size_t i = 0; i < ELEMENTS(operators); i++) {
		if (str_eq_ci(name, str_c(operators[i].name)))
			return &operators[i];
	}
	return NULL;
}

static bool strip_prefix(struct str *s, const char *prefix)
{
	struct str p = str_c(prefix);

	if (s->n < p.n || !str_eq_ci(str_of(s->p, p.n), p))
		return false;
	*s = str_skip(*s, p.n);
	return true;
}

static bool strip_suffix(struct str *s, const char *suffix)
{
	struct str x = str_c(suffix);

	if (s->n < x.n || !str_eq_ci(str_skip(*s, s->n - x.n), x))
		return false;
	s->n -= x.n;
	return true;
}

int operator_parse(struct str text, struct condition *ret)
{
	ret->set = SET_NONE;
	if (strip_prefix(&text, "ForAllValues:"))
		ret->set = SET_ALL;
	else if (strip_prefix(&text, "ForAnyValue:"))
		ret->set = SET_ANY;
	ret->if_exists = strip_suffix(&text, "IfExists");
	ret->op = operator_find(text);
	if (!ret->op)
		return -EINVAL;
	return ret->op->class == OP_NULL && ret->if_exists ? -EINVAL : 0;
}

/* --- reading values --- */

/* digits_take reads between min and max decimal digits. */
static bool digits_take(struct str *s, size_t min, size_t max, int *ret)
{
	size_t n = 0;
	int v = 0;

	while (n < s->n && n < max && s->p[n] >= '0' && s->p[n] <= '9')
		v = v * 10 + (s->p[n++] - '0');
	if (n < min)
		return false;
	*s = str_skip(*s, n);
	*ret = v;
	return true;
}

static bool char_take(struct str *s, char c)
{
	if (!s->n || (s->p[0] | 0x20) != (c | 0x20))
		return false;
	*s = str_skip(*s, 1);
	return true;
}

static int64_t days_from_civil(int64_t y, int m, int d)
{
	int64_t era, year_of_era, day_of_year;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	year_of_era = y - era * 400;
	day_of_year = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static bool day_exists(int y, int m, int d)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	if (m < 1 || m > 12 || d < 1)
		return false;
	return d <= days[m - 1] + (m == 2 && y % 4 == 0 && (y % 100 != 0 || y % 400 == 0));
}

/* clock_take reads hh:mm[:ss[.fraction]] and the zone into ms since midnight UTC. */
static bool clock_take(struct str *s, int64_t *ret_ms)
{
	int h, m, sec = 0, ms = 0, zone_h = 0, zone_m = 0, sign = 0, digit;

	if (!digits_take(s, 1, 2, &h) || !char_take(s, ':') || !digits_take(s, 1, 2, &m) || h > 23 || m > 59)
		return false;
	if (char_take(s, ':')) {
		if (!digits_take(s, 1, 2, &sec) || sec > 59)
			return false;
		if (s->n && s->p[0] == '.') {
			*s = str_skip(*s, 1);
			for (int scale = 100, n = 0; digits_take(s, 1, 1, &digit); scale /= 10) {
				if (++n > 9)
					return false;
				ms += digit * scale;
			}
		}
	}
	if (s->n && (s->p[0] == '+' || s->p[0] == '-')) {
		sign = s->p[0] == '+' ? 1 : -1;
		*s = str_skip(*s, 1);
		if (!digits_take(s, 2, 2, &zone_h) || zone_h > 23)
			return false;
		(void)char_take(s, ':');
		if (s->n && (!digits_take(s, 2, 2, &zone_m) || zone_m > 59))
			return false;
	} else {
		(void)char_take(s, 'Z');
	}
	*ret_ms = (((int64_t)h * 60 + m) * 60 + sec) * 1000 + ms - (int64_t)sign * (zone_h * 60 + zone_m) * 60000;
	return s->n == 0;
}

int policy_date_parse(struct str s, int64_t *ret_ms)
{
	int y, m = 1, d = 1;
	int64_t clock = 0, epoch;

	if (str_find_char(s, '-') < 0 && str_find_char(s, 'T') < 0 && str_find_char(s, 't') < 0) {
		if (str_to_i64(s, &epoch) < 0 || epoch < 0)
			return -EINVAL;
		*ret_ms = epoch > INT64_MAX / 1000 ? INT64_MAX : epoch * 1000;
		return 0;
	}
	if (!digits_take(&s, 4, 4, &y))
		return -EINVAL;
	if (char_take(&s, '-')) {
		if (!digits_take(&s, 1, 2, &m))
			return -EINVAL;
		if (char_take(&s, '-') && !digits_take(&s, 1, 2, &d))
			return -EINVAL;
	}
	if (!day_exists(y, m, d))
		return -EINVAL;
	if (s.n && (!char_take(&s, 'T') || !clock_take(&s, &clock)))
		return -EINVAL;
	*ret_ms = days_from_civil(y, m, d) * 86400000 + clock;
	return 0;
}

/* cidr_unmap turns ::ffff:a.b.c.d into the IPv4 address it is, so that a range of one family can't be dodged by
 * connecting through the other. */
static void cidr_unmap(struct cidr *c)
{
	static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

	if (c->family != 6 || c->bits < 96 || memcmp(c->addr, prefix, sizeof prefix) != 0)
		return;
	memmove(c->addr, c->addr + 12, 4);
	memset(c->addr + 4, 0, 12);
	c->family = 4;
	c->bits -= 96;
}

int cidr_parse(struct str s, bool range, struct cidr *ret)
{
	struct str host, bits_text;
	struct cidr c = { 0 };
	char z[INET6_ADDRSTRLEN];
	uint64_t bits;
	bool has_bits = str_cut(s, '/', &host, &bits_text);

	if ((has_bits && !range) || !host.n || host.n >= sizeof z || memchr(host.p, 0, host.n))
		return -EINVAL;
	memcpy(z, host.p, host.n);
	z[host.n] = 0;
	if (inet_pton(AF_INET, z, c.addr) == 1)
		c.family = 4, c.bits = 32;
	else if (inet_pton(AF_INET6, z, c.addr) == 1)
		c.family = 6, c.bits = 128;
	else
		return -EINVAL;
	if (has_bits) {
		if (!bits_text.n || bits_text.n > 3 || str_to_u64(bits_text, &bits) < 0 || bits > c.bits)
			return -EINVAL;
		c.bits = (uint8_t)bits;
	}
	cidr_unmap(&c);
	*ret = c;
	return 0;
}

static bool cidr_contains(const struct cidr *c, const struct cidr *ip)
{
	unsigned whole = c->bits / 8, rest = c->bits % 8;

	if (!c->family || c->family != ip->family || memcmp(c->addr, ip->addr, whole) != 0)
		return false;
	return !rest || ((c->addr[whole] ^ ip->addr[whole]) & (0xff << (8 - rest)) & 0xff) == 0;
}

static struct pattern *arn_compile(struct arena *a, struct str text, bool variables)
{
	struct str seg[ARN_SEGMENTS];
	struct pattern *v;

	if (arn_split(text, variables, seg) != ARN_SEGMENTS)
		return NULL;
	v = arena_array(a, struct pattern, ARN_SEGMENTS);
	for (size_t i = 0; i < ARN_SEGMENTS; i++)
		pattern_compile(a, seg[i], PATTERN_WILDCARDS | (variables ? PATTERN_VARS : 0), &v[i]);
	return v;
}

void condition_value_compile(struct arena *a, const struct operator* op, bool variables, struct str text, struct condition_value *ret)
{
	unsigned vars = variables ? PATTERN_VARS : 0;

	*ret = (struct condition_value){ .raw = str_dup(a, text), .valid = true };
	switch (op->class) {
	case OP_STRING:
	case OP_STRING_FOLD:
	case OP_BOOL:
		pattern_compile(a, text, vars, &ret->pattern);
		break;
	case OP_LIKE:
		pattern_compile(a, text, vars | PATTERN_WILDCARDS, &ret->pattern);
		break;
	case OP_NUMERIC:
		ret->valid = str_to_double(text, &ret->number) == 0;
		break;
	case OP_DATE:
		ret->valid = policy_date_parse(text, &ret->ms) == 0;
		break;
	case OP_IP:
		ret->valid = cidr_parse(text, true, &ret->cidr) == 0;
		break;
	case OP_ARN:
		ret->segments = arn_compile(a, text, variables);
		ret->valid = ret->segments != NULL;
		break;
	case OP_NULL:
		ret->flag = str_eq_ci(text, S("true"));
		ret->valid = ret->flag || str_eq_ci(text, S("false"));
		break;
	}
}

/* --- comparing --- */

/* What the request's value was read as, once for all values of the policy. */
struct request_value {
	struct str text;
	bool valid;
	double number;
	int64_t ms;
	struct cidr ip;
	struct str segments[ARN_SEGMENTS];
};

static void request_value_read(const struct operator* op, struct str text, struct request_value *v)
{
	v->text = text;
	v->valid = text.p != NULL;
	if (!v->valid)
		return;
	switch (op->class) {
	case OP_NUMERIC:
		v->valid = str_to_double(text, &v->number) == 0;
		break;
	case OP_DATE:
		v->valid = policy_date_parse(text, &v->ms) == 0;
		break;
	case OP_IP:
		v->valid = cidr_parse(text, false, &v->ip) == 0;
		break;
	case OP_ARN:
		v->valid = arn_split(text, false, v->segments) == ARN_SEGMENTS;
		break;
	case OP_BOOL:
		v->valid = str_eq_ci(text, S("true")) || str_eq_ci(text, S("false"));
		break;
	default:
		break;
	}
}

/* order: below, at or above zero as the request's value is less than, equal to or greater than the policy's. */
static bool compare(enum op_compare cmp, int order)
{
	switch (cmp) {
	case CMP_EQ:
		return order == 0;
	case CMP_LT:
		return order < 0;
	case CMP_LE:
		return order <= 0;
	case CMP_GT:
		return order > 0;
	case CMP_GE:
		return order >= 0;
	}
	return false;
}

static bool segments_match(const struct eval *e, const struct pattern *p, const struct str s[ARN_SEGMENTS])
{
	for (size_t i = 0; i < ARN_SEGMENTS; i++) {
		if (pattern_match(&p[i], s[i], false, e) != MATCH_YES)
			return false;
	}
	return true;
}

static bool value_equals(const struct eval *e, const struct operator* op, const struct condition_value *v, const struct request_value *rv)
{
	if (!v->valid)
		return false;
	switch (op->class) {
	case OP_STRING:
	case OP_LIKE:
		return pattern_match(&v->pattern, rv->text, false, e) == MATCH_YES;
	case OP_STRING_FOLD:
	case OP_BOOL:
		return pattern_match(&v->pattern, rv->text, true, e) == MATCH_YES;
	case OP_NUMERIC:
		return compare(op->compare, (rv->number > v->number) - (rv->number < v->number)); /* neither is NaN: str_to_double */
	case OP_DATE:
		return compare(op->compare, (rv->ms > v->ms) - (rv->ms < v->ms));
	case OP_IP:
		return cidr_contains(&v->cidr, &rv->ip);
	case OP_ARN:
		return segments_match(e, v->segments, rv->segments);
	case OP_NULL:
		break;
	}
	return false;
}

/* request_value_passes: does one value of the request meet the condition? Several policy values are "or", of a negated
 * operator "none of them". */
static bool request_value_passes(const struct eval *e, const struct condition *c, struct str text)
{
	struct request_value rv;
	bool any = false;

	request_value_read(c->op, text, &rv);
	for (size_t i = 0; rv.valid && !any && i < c->n; i++)
		any = value_equals(e, c->op, &c->v[i], &rv);
	return any != c->op->negated;
}

static bool null_passes(const struct condition *c, bool absent)
{
	for (size_t i = 0; i < c->n; i++) {
		if (c->v[i].valid && c->v[i].flag == absent)
			return true;
	}
	return false;
}

static bool condition_passes(const struct eval *e, const struct condition *c)
{
	const struct policy_key *k = key_find(e, c->key);
	bool absent = !k || k->n == 0;

	if (c->op->class == OP_NULL)
		return null_passes(c, absent);
	if (absent)
		return c->set == SET_ALL || c->if_exists || (c->set == SET_NONE && c->op->negated);
	if (c->set == SET_NONE) {
		/* A key with several values needs a set operator; without one it is never met. */
		return !k->multi && k->n == 1 && request_value_passes(e, c, k->values[0]);
	}
	for (size_t i = 0; i < k->n; i++) {
		if (request_value_passes(e, c, k->values[i]) == (c->set == SET_ANY))
			return c->set == SET_ANY;
	}
	return c->set == SET_ALL;
}

bool statement_matches_conditions(const struct eval *e, const struct statement *s)
{
	for (size_t i = 0; i < s->n_conditions; i++) {
		if (!condition_passes(e, &s->conditions[i]))
			return false;
	}
	return true;
}
