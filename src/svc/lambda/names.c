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
	if (!name_valid(r.name, 64))
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

struct str lambda_time(struct arena *a, int64_t ms)
{
	struct str iso = time_iso_ms(a, ms);

	return str_printf(a, "%.*s+0000", (int)iso.n - 1, iso.p);
}
