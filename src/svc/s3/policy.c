/* SPDX-License-Identifier: Apache-2.0 */
/* policy.c - bucket policies: checked as S3 checks them before they count. Source: PutBucketPolicy, "Blocking public access
 * to your Amazon S3 storage" (the meaning of "public"). */
#include "svc/iam/iam.h"
#include "svc/s3/s3_int.h"
#include <errno.h>

static bool within(struct str resource, struct str arn)
{
	if (!str_starts(resource, arn))
		return false;
	resource = str_skip(resource, arn.n);
	return !resource.n || *resource.p == '/' || (resource.n == 1 && *resource.p == '*');
}

/* Every Resource and NotResource of every statement names this bucket or its objects. */
static bool resources_ok(const struct json *doc, struct str arn)
{
	const struct json *st = json_getz(doc, "Statement");
	size_t n = json_is(st, JSON_ARRAY) ? st->n : 1;

	for (size_t i = 0; i < n; i++) {
		const struct json *s = json_is(st, JSON_ARRAY) ? &st->items[i] : st, *res = json_getz(s, "Resource");

		if (!res)
			res = json_getz(s, "NotResource");
		if (json_is(res, JSON_STRING) && !within(json_str(res), arn))
			return false;
		for (size_t j = 0; json_is(res, JSON_ARRAY) && j < res->n; j++)
			if (!within(json_str(&res->items[j]), arn))
				return false;
	}
	return true;
}

/* Actions are those of S3, or "*". */
static bool actions_ok(const struct json *doc)
{
	const struct json *st = json_getz(doc, "Statement");
	size_t n = json_is(st, JSON_ARRAY) ? st->n : 1;

	for (size_t i = 0; i < n; i++) {
		const struct json *s = json_is(st, JSON_ARRAY) ? &st->items[i] : st, *act = json_getz(s, "Action");

		if (!act)
			act = json_getz(s, "NotAction");
		for (size_t j = 0; act && j < (json_is(act, JSON_ARRAY) ? act->n : 1); j++) {
			struct str a = json_str(json_is(act, JSON_ARRAY) ? &act->items[j] : act);

			if (!str_is(a, "*") && !(a.n > 3 && str_eq_ci(str_of(a.p, 3), S("s3:"))))
				return false;
		}
	}
	return true;
}

struct str s3_policy_now(struct call *c, const struct s3_rec_bucket *b)
{
	return iam_principals_bound(c->global, c->arena, b->policy, &b->principals);
}

/* Policies are for callers of the bucket's own account, whatever the policy grants to others. */
static int owners_only(struct call *c, const struct s3_rec_bucket *b)
{
	if (str_eq(c->who->p.account, b->account))
		return 0;
	return call_fail(c, &s3_err_method_not_allowed, "The specified method is not allowed against this resource.");
}

S3_HANDLER(put_bucket_policy, response)
{
	struct str_map named;
	struct s3_rec_bucket *b;
	struct policy *p;
	struct json *doc;
	struct str why;
	int r = s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r == 0)
		r = owners_only(c, b);
	if (r < 0)
		return r;
	if (in->policy.n > S3_POLICY_BYTES_MAX)
		return call_fail(c, &s3_err_malformed_policy, "Policy exceeds the maximum allowed document size.");
	if (json_parse(c->arena, in->policy, &doc, NULL) < 0)
		return call_fail(c, &s3_err_malformed_policy, "Policies must be valid JSON and the first byte must be '{'");
	if (policy_parse(c->arena, in->policy, POLICY_RESOURCE, &p, &why) < 0)
		return call_fail(c, &s3_err_malformed_policy, "%.*s", STR(why));
	if (!actions_ok(doc))
		return call_fail(c, &s3_err_malformed_policy, "Policy has invalid action");
	if (!resources_ok(doc, s3_bucket_arn(c, b->name)))
		return call_fail(c, &s3_err_malformed_policy, "Policy has invalid resource");
	r = iam_principals_bind(c->global, c->arena, p, &named);
	if (r < 0)
		return r;
	if (r > 0)
		return call_fail(c, &s3_err_malformed_policy, "Invalid principal in policy");
	if (policy_is_public(p) && b->block_public_policy.v)
		return call_fail(c, &s3_err_access_denied,
				 "User: %.*s is not authorized to perform: s3:PutBucketPolicy on resource: \"%.*s\" because public "
				 "policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access.",
				 STR(c->who->p.arn), STR(s3_bucket_arn(c, b->name)));
	b->policy = in->policy;
	b->principals = named;
	b->policy_public = OPT_BOOL(policy_is_public(p));
	c->status = 204;
	return s3_bucket_put(c->txn, b);
}

static int no_policy(struct call *c, const struct s3_rec_bucket *b)
{
	call_extra(c, "BucketName", b->name);
	return call_fail(c, &s3_err_no_such_bucket_policy, "The bucket policy does not exist");
}

S3_HANDLER(get_bucket_policy, output)
{
	struct s3_rec_bucket *b;
	int r = s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r == 0)
		r = owners_only(c, b);
	if (r < 0)
		return r;
	if (!b->policy.p)
		return no_policy(c, b);
	out->policy = s3_policy_now(c, b);
	return 0;
}

S3_HANDLER(delete_bucket_policy, response)
{
	struct s3_rec_bucket *b;
	int r = s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r == 0)
		r = owners_only(c, b);
	if (r < 0)
		return r;
	b->policy = STR_NONE;
	b->principals = (struct str_map){ 0 };
	b->policy_public = (struct opt_bool){ 0 };
	c->status = 204;
	return s3_bucket_put(c->txn, b);
}

S3_HANDLER(get_bucket_policy_status, output)
{
	struct s3_rec_bucket *b;
	int r = s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r < 0)
		return r;
	if (!b->policy.p)
		return no_policy(c, b);
	out->policy_status = arena_new(c->arena, struct s3_policy_status);
	out->policy_status->is_public = OPT_BOOL(b->policy_public.v);
	return 0;
}
