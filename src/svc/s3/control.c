/* SPDX-License-Identifier: Apache-2.0 */
/* control.c - buckets as S3 Control sees them. */
#include "svc/s3/s3.h"
#include "svc/s3/s3_int.h"

int s3_control_resource(struct call *c, struct str bucket, struct authz_resource *ret)
{
	struct s3_rec_bucket *b;
	int r = s3_bucket_load(c, bucket, STR_NONE, &b);

	if (r < 0)
		return r;
	ret->arn = s3_bucket_arn(c, bucket);
	ret->account = b->account;
	if (b->policy.p && (!b->restrict_public_buckets.v || !b->policy_public.v || str_eq(c->who->p.account, b->account))) {
		ret->policy = s3_policy_now(c, b);
		ret->policy_name = "bucket policy";
	}
	return 0;
}

int s3_control_tags(struct call *c, struct str bucket, struct str owner, struct str_map *ret)
{
	struct s3_rec_bucket *b;
	int r = s3_bucket_load(c, bucket, owner, &b);

	*ret = (struct str_map){ 0 };
	if (r < 0)
		return r;
	ret->v = arena_array(c->arena, struct str_pair, b->tags.n + 1);
	for (; ret->n < b->tags.n; ret->n++)
		ret->v[ret->n] = (struct str_pair){ b->tags.v[ret->n].key, b->tags.v[ret->n].value };
	return 0;
}

int s3_control_retag(struct call *c, struct str bucket, struct str owner, const struct str_map *set, const struct str_list *drop)
{
	struct s3_put_bucket_tagging_response out = { 0 };
	struct s3_put_bucket_tagging_request in = { .bucket = bucket, .expected_bucket_owner = owner };
	struct s3_tagging tagging = { 0 };
	struct s3_tag *v;
	struct s3_rec_bucket *b;
	size_t n = 0;
	int r = s3_bucket_load(c, bucket, owner, &b);

	if (r < 0)
		return r;
	v = arena_array(c->arena, struct s3_tag, b->tags.n + set->n + 1);
	for (size_t i = 0; i < b->tags.n; i++)
		if ((!str_list_has(drop, b->tags.v[i].key) && !str_map_get(set, b->tags.v[i].key).p) ||
		    str_starts(b->tags.v[i].key, S("aws:")))
			v[n++] = (struct s3_tag){ b->tags.v[i].key, b->tags.v[i].value };
	for (size_t i = 0; i < set->n; i++)
		v[n++] = (struct s3_tag){ set->v[i].key, set->v[i].value };
	tagging.tag_set.v = v;
	tagging.tag_set.n = n;
	in.tagging = &tagging;
	return s3_put_bucket_tagging(c, &in, &out); /* its checks, and the same tag set */
}
