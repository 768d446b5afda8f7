/* SPDX-License-Identifier: Apache-2.0 */
/* s3control.c - Amazon S3 Control: tags of buckets by ARN. They are the same tags that S3's GetBucketTagging tells of.
 *
 * Clients put the account in front of the host name and in the header x-amz-account-id; the header decides. Source: S3 Control in
 * the Amazon S3 API Reference, "Actions, resources, and condition keys for Amazon S3". */
#include "cloud/cloud.h"
#include "gen_s3control.h"
#include "svc/s3/s3.h"
#include "svc/services.h"
#include <errno.h>

#define HANDLER(op) static int op(struct call *c, const struct s3control_##op##_request *in, struct s3control_##op##_result *out)

/* The bucket that an ARN names; other resources of S3 have no tags here. */
static int bucket_of(struct call *c, struct str text, struct str *ret)
{
	struct arn arn;

	if (arn_parse(text, &arn) < 0 || !str_is(arn.service, "s3") || arn.region.n || arn.account.n ||
	    str_find_char(arn.resource, '/') >= 0 || str_find_char(arn.resource, ':') >= 0)
		return call_fail(c, &s3control_err_invalid_request,
				 "Tags of the resource %.*s are not implemented by this cloud: only those of buckets", STR(text));
	*ret = arn.resource;
	return 0;
}

HANDLER(list_tags_for_resource)
{
	struct str bucket;
	struct str_map tags;
	int r = bucket_of(c, in->resource_arn, &bucket);

	if (r == 0)
		r = s3_control_tags(c, bucket, in->account_id, &tags);
	if (r < 0)
		return r;
	out->tags.v = arena_array(c->arena, struct s3control_tag, tags.n + 1);
	for (; out->tags.n < tags.n; out->tags.n++)
		out->tags.v[out->tags.n] = (struct s3control_tag){ tags.v[out->tags.n].key, tags.v[out->tags.n].value };
	return 0;
}

HANDLER(tag_resource)
{
	struct str bucket;
	struct str_map set = { arena_array(c->arena, struct str_pair, in->tags.n + 1), 0 };
	int r = bucket_of(c, in->resource_arn, &bucket);

	for (; set.n < in->tags.n; set.n++)
		set.v[set.n] = (struct str_pair){ in->tags.v[set.n].key, in->tags.v[set.n].value };
	return r < 0 ? r : s3_control_retag(c, bucket, in->account_id, &set, &(struct str_list){ 0 });
}

HANDLER(untag_resource)
{
	struct str bucket;
	int r = bucket_of(c, in->resource_arn, &bucket);

	return r < 0 ? r
		     : s3_control_retag(c, bucket, in->account_id, &(struct str_map){ 0 },
					&(struct str_list){ in->tag_keys.v, in->tag_keys.n });
}

const struct s3control_ops s3control_ops = {
	.list_tags_for_resource = list_tags_for_resource,
	.tag_resource = tag_resource,
	.untag_resource = untag_resource,
};

static int resource(struct call *c, const char *action, struct str kind, struct str id, struct authz_resource *ret)
{
	struct str bucket;
	int r = bucket_of(c, id, &bucket);

	return r < 0 ? r : s3_control_resource(c, bucket, ret);
}

const struct service s3control_service = {
	.model = &s3control_model,
	.principal = "s3.amazonaws.com",
	.resource = resource,
};
