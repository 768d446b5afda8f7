/* SPDX-License-Identifier: Apache-2.0 */
/* find.c - what a request names: functions, versions and aliases; and how it is refused. */
#include "svc/lambda/lambda_int.h"
#include <errno.h>

int lambda_fail(struct call *c, const struct desc_error *e, const char *fmt, ...)
{
	struct str text;
	va_list ap;

	va_start(ap, fmt);
	text = str_vprintf(c->arena, fmt, ap);
	va_end(ap);
	call_extra(c, "Type", e->sender ? S("User") : S("Service"));
	return call_fail(c, e, "%.*s", STR(text));
}

struct str lambda_arn(struct call *c, struct str account, struct str name, struct str qualifier)
{
	struct str region = call_region(c);

	return str_printf(c->arena, "arn:%.*s:lambda:%.*s:%.*s:function:%.*s%s%.*s", STR(region_partition(region)), STR(region),
			  STR(account), STR(name), qualifier.p ? ":" : "", STR(qualifier));
}

struct str lambda_version_text(struct arena *a, int64_t number)
{
	return number ? str_printf(a, "%lld", (long long)number) : S(LAMBDA_LATEST);
}

int lambda_no_function(struct call *c, const struct lambda_fn *fn)
{
	return lambda_fail(c, &lambda_err_resource_not_found, "Function not found: %.*s",
			   STR(lambda_arn(c, fn->account, fn->name, fn->qualifier)));
}

int lambda_name(struct call *c, struct str function, struct str qualifier, struct lambda_fn *ret)
{
	struct lambda_ref ref;

	if (lambda_ref_parse(function, &ref) < 0 && str_find_char(function, ':') < 0 && function.n > LAMBDA_NAME_BYTES_MAX)
		return call_fail(
			c, &aws_err_validation_exception,
			"1 validation error detected: Value '%.*s' at 'functionName' failed to satisfy constraint: Member must have "
			"length less than or equal to %d",
			STR(function), LAMBDA_NAME_BYTES_MAX);
	if (lambda_ref_parse(function, &ref) < 0)
		return lambda_fail(c, &lambda_err_invalid_parameter_value, "%.*s is not a valid name of a function", STR(function));
	if (ref.region.p && !str_eq(ref.region, call_region(c)))
		return lambda_fail(c, &lambda_err_resource_not_found, "Functions from '%.*s' are not reachable in this region ('%.*s')",
				   STR(ref.region), STR(call_region(c)));
	if (ref.qualifier.p && qualifier.p && !str_eq(ref.qualifier, qualifier))
		return lambda_fail(c, &lambda_err_invalid_parameter_value,
				   "The derived qualifier from the function name does not match the specified qualifier.");
	*ret = (struct lambda_fn){ .account = ref.account.p ? ref.account : c->account,
				   .name = ref.name,
				   .qualifier = ref.qualifier.p ? ref.qualifier : qualifier };
	return 0;
}

int lambda_find(struct call *c, struct str function, struct str qualifier, struct lambda_fn *ret)
{
	int r = lambda_name(c, function, qualifier, ret);

	if (r == 0)
		r = lambda_function_read(c->txn, c->arena, ret->account, ret->name, &ret->f);
	if (r == -ENOENT)
		return lambda_no_function(c, ret);
	ret->exists = r == 0;
	return r;
}

int lambda_whole(struct call *c, struct str function, struct lambda_fn *ret)
{
	int r = lambda_name(c, function, STR_NONE, ret);

	if (r == 0 && ret->qualifier.p)
		return lambda_fail(c, &lambda_err_invalid_parameter_value,
				   "This operation is permitted on Lambda functions only. Aliases and versions do not support this "
				   "operation. Please specify either a function name or an unqualified function ARN.");
	return r < 0 ? r : lambda_find(c, function, STR_NONE, ret);
}

/* One of the two versions of an alias, by their weights. */
static struct str choose(const struct lambda_rec_alias *al)
{
	uint32_t x;

	if (!al->other_version.p)
		return al->version;
	random_bytes(&x, sizeof x);
	return (double)x / 4294967296.0 < al->other_weight.v ? al->other_version : al->version;
}

int lambda_resolve(struct call *c, const struct lambda_fn *fn, struct lambda_rec_version *ret)
{
	struct str q = fn->qualifier;
	struct lambda_rec_alias al;
	int64_t number = 0;
	int r = 0;

	if (q.p && !lambda_is_version(q) && !str_is(q, LAMBDA_LATEST)) {
		r = lambda_alias_read(c->txn, c->arena, fn->account, fn->name, q, &al);
		q = r == 0 ? choose(&al) : q;
	}
	if (r == 0 && q.p && lambda_is_version(q) && (str_to_i64(q, &number) < 0 || number == 0))
		r = -ENOENT;
	if (r == 0)
		r = lambda_version_read(c->txn, c->arena, fn->account, fn->name, number, ret);
	return r == -ENOENT ? lambda_no_function(c, fn) : r;
}

int lambda_revision_check(struct call *c, struct str asked, struct str now)
{
	if (!asked.p || str_eq(asked, now))
		return 0;
	return lambda_fail(c, &lambda_err_precondition_failed,
			   "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve "
			   "the latest Revision Id");
}
