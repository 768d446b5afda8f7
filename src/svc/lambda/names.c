/* SPDX-License-Identifier: Apache-2.0 */
/* names.c - see names.h. Source: "Name formats" of every operation in the Lambda API Reference. */
#include "svc/lambda/names.h"
#include "base/util.h"
#include <errno.h>

static bool digits(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return s.n > 0;
}

bool lambda_is_version(struct str q)
{
	return digits(q);
}

static bool name_valid(struct str s, size_t max)
{
	for (size_t i = 0; i < s.n; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", s.p[i]) || !s.p[i])
			return false;
	return s.n > 0 && s.n <= max;
}

static bool qualifier_valid(struct str q)
{
	return str_is(q, "$LATEST") || name_valid(q, 128);
}

/* fields splits at colons; -EINVAL when there are more than max. */
static int fields(struct str text, struct str *v, int max)
{
	int n = 0;

	while (n < max && str_next(&text, ':', &v[n]))
		n++;
	return text.p ? -EINVAL : n;
}

int lambda_ref_parse(struct str text, struct lambda_ref *ret)
{
	struct str v[8];
	int n = fields(text, v, 8), i = 0;
	struct lambda_ref r = { 0 };

	if (n < 1)
		return -EINVAL;
	if (str_is(v[0], "arn")) {
		if (n < 7 || !str_is(v[2], "lambda") || !digits(v[4]) || v[4].n != 12 || !str_is(v[5], "function"))
			return -EINVAL;
		r.region = v[3];
		r.account = v[4];
		i = 6;
	} else {
		if (n > 2 && digits(v[0]) && v[0].n == 12 && str_is(v[1], "function"))
			r.account = v[i++];
		if (n - i > 1 && str_is(v[i], "function"))
			i++;
	}
	if (i >= n || n - i > 2)
		return -EINVAL;
	r.name = v[i];
	if (n - i == 2) {
		r.qualifier = v[i + 1];
		if (!qualifier_valid(r.qualifier))
			return -EINVAL;
	}
	if (!name_valid(r.name, LAMBDA_NAME_BYTES_MAX))
		return -EINVAL;
	*ret = r;
	return 0;
}

int lambda_layer_parse(struct str arn, struct lambda_ref *ret, int64_t *ret_version)
{
	struct str v[8];
	int n = fields(arn, v, 8);

	*ret_version = 0;
	if (n < 7 || !str_is(v[0], "arn") || !str_is(v[2], "lambda") || !str_is(v[5], "layer") || !digits(v[4]) || v[4].n != 12 ||
	    !name_valid(v[6], 140))
		return -EINVAL;
	if (n == 8 && (!digits(v[7]) || str_to_i64(v[7], ret_version) < 0 || *ret_version < 1))
		return -EINVAL;
	*ret = (struct lambda_ref){ .region = v[3], .account = v[4], .name = v[6] };
	return 0;
}

struct str lambda_runtime_family(struct str runtime)
{
	if (str_starts(runtime, S("nodejs")) && str_ends(runtime, S(".x")))
		return S("nodejs");
	return str_starts(runtime, S("python3.")) ? S("python") : STR_NONE;
}

/* --- lineage: "Tracing header" (AWS X-Ray Developer Guide), "Use Lambda recursive loop detection" (Lambda Developer Guide) --- */
#define LINEAGE_MAX 16 /* functions that are remembered: the latest ones */
#define LINEAGE_TIMES_MAX 32767

struct visited {
	struct str hash;
	int64_t times;
};

static size_t lineage_read(struct str trace, struct visited *v)
{
	struct str field, one;
	size_t n = 0;

	while (trace.p && str_next(&trace, ';', &field)) {
		if (!str_starts(field, S("Lineage=")))
			continue;
		field = str_skip(field, 8);
		while (n < LINEAGE_MAX && field.p && str_next(&field, '|', &one)) {
			struct str times;

			if (!str_cut(one, ':', &v[n].hash, &times) || v[n].hash.n != 8 || str_to_i64(times, &v[n].times) < 0 ||
			    v[n].times < 1 || v[n].times > LINEAGE_TIMES_MAX)
				return 0; /* nothing that we have written */
			n++;
		}
		return n;
	}
	return 0;
}

static void lineage_hash(struct str arn, char *out)
{
	static const char digits[] = "0123456789abcdef";
	uint32_t h = crc32_ieee(0, arn.p, arn.n);

	for (int i = 0; i < 8; i++)
		out[i] = digits[h >> (28 - 4 * i) & 15];
}

int64_t lambda_lineage(struct str trace, struct str arn)
{
	struct visited v[LINEAGE_MAX];
	size_t n = lineage_read(trace, v);
	char hash[8];

	lineage_hash(arn, hash);
	for (size_t i = 0; i < n; i++)
		if (str_eq(v[i].hash, str_of(hash, 8)))
			return v[i].times;
	return 0;
}

struct str lambda_lineage_add(struct arena *a, struct str trace, struct str arn)
{
	struct visited v[LINEAGE_MAX + 1];
	size_t n = lineage_read(trace, v), at = 0;
	struct str out = S(""), rest = trace, field;
	char hash[8];

	lineage_hash(arn, hash);
	while (at < n && !str_eq(v[at].hash, str_of(hash, 8)))
		at++;
	if (at < n && v[at].times < LINEAGE_TIMES_MAX)
		v[at].times++;
	else if (at == n)
		v[n++] = (struct visited){ str_of(hash, 8), 1 };
	while (rest.p && str_next(&rest, ';', &field))
		if (field.n && !str_starts(field, S("Lineage=")))
			out = str_printf(a, "%.*s%s%.*s", STR(out), out.n ? ";" : "", STR(field));
	for (size_t i = n > LINEAGE_MAX ? 1 : 0, first = i; i < n; i++)
		out = str_printf(a, "%.*s%s%.*s:%lld", STR(out),
				 i > first ? "|"
				 : out.n   ? ";Lineage="
					   : "Lineage=",
				 STR(v[i].hash), (long long)v[i].times);
	return out;
}

struct str lambda_time(struct arena *a, int64_t ms)
{
	struct str iso = time_iso_ms(a, ms);

	return str_printf(a, "%.*s+0000", (int)iso.n - 1, iso.p);
}
