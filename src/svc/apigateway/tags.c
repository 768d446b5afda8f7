/* SPDX-License-Identifier: Apache-2.0 */
/* tags.c - tags of whatever has an ARN here: "arn:aws:apigateway:REGION::/restapis/ID" and its like. */
#include "svc/apigateway/apigateway_int.h"
#include <errno.h>

int apigw_tagged(struct call *c, struct str path, struct apigw_tagged *ret)
{
	struct str rest = path, part[4] = { 0 };
	size_t n = 0;
	int r;

	*ret = (struct apigw_tagged){ 0 };
	if (!path.n || path.p[0] != '/')
		return -EINVAL;
	rest = str_skip(path, 1);
	while (n < ELEMENTS(part) && str_next(&rest, '/', &part[n]))
		n++;
	ret->a = part[1];
	if (str_is(part[0], "restapis") && n == 2)
		ret->kind = &apigw_api_kind;
	else if (str_is(part[0], "restapis") && n == 4 && str_is(part[2], "stages") && !rest.p) {
		ret->kind = &apigw_stage_kind;
		ret->b = part[3];
	} else if (str_is(part[0], "apikeys") && n == 2)
		ret->kind = &apigw_key_kind;
	else if (str_is(part[0], "usageplans") && n == 2)
		ret->kind = &apigw_plan_kind;
	else if (str_is(part[0], "clientcertificates") && n == 2)
		ret->kind = &apigw_cert_kind;
	else
		return -EINVAL;
	ret->rec = arena_zalloc(c->arena, apigw_records.shapes[ret->kind->shape].size);
	r = apigw_get(c, ret->kind, ret->a, ret->b, ret->rec);
	if (r < 0)
		return r;
	ret->tags = ret->kind == &apigw_api_kind     ? &((struct apigw_rec_api *)ret->rec)->tags
		    : ret->kind == &apigw_stage_kind ? &((struct apigw_rec_stage *)ret->rec)->tags
		    : ret->kind == &apigw_key_kind   ? &((struct apigw_rec_api_key *)ret->rec)->tags
		    : ret->kind == &apigw_plan_kind  ? &((struct apigw_rec_usage_plan *)ret->rec)->tags
						     : &((struct apigw_rec_client_certificate *)ret->rec)->tags;
	return 0;
}

static int load(struct call *c, struct str text, struct apigw_tagged *ret)
{
	struct arn arn;
	int r = arn_parse(text, &arn);

	if (r < 0 || !str_is(arn.service, "apigateway") || !str_eq(arn.region, call_region(c)) || arn.account.n)
		return call_fail(c, &apigateway_err_bad_request, "Invalid resource ARN specified in the request: %.*s", STR(text));
	r = apigw_tagged(c, arn.resource, ret);
	if (r == -EINVAL)
		return call_fail(c, &apigateway_err_bad_request, "Invalid resource ARN specified in the request: %.*s", STR(text));
	if (r == -ENOENT)
		return call_fail(c, &apigateway_err_not_found, "%s", ret->kind->missing);
	return r;
}

APIGW_HANDLER(tag_resource, tag_resource_request, tag_resource_response)
{
	struct apigw_tagged t;
	int r = load(c, in->resource_arn, &t);

	if (r < 0)
		return r;
	for (size_t i = 0; i < in->tags.n; i++)
		*(struct str *)apigw_map_value(c->arena, t.tags, sizeof(struct str), in->tags.v[i].key, true) = in->tags.v[i].value;
	r = apigw_check_tags(c, &in->tags);
	if (r == 0)
		r = apigw_check_tags(c, t.tags);
	return r == 0 ? apigw_put(c, t.kind, t.a, t.b, t.rec) : r;
}

APIGW_HANDLER(untag_resource, untag_resource_request, untag_resource_response)
{
	struct apigw_tagged t;
	int r = load(c, in->resource_arn, &t);

	for (size_t i = 0; r == 0 && i < in->tag_keys.n; i++)
		(void)apigw_map_remove(t.tags, sizeof(struct str), in->tag_keys.v[i]);
	return r == 0 ? apigw_put(c, t.kind, t.a, t.b, t.rec) : r;
}

APIGW_HANDLER(get_tags, get_tags_request, tags)
{
	struct apigw_tagged t;
	int r = load(c, in->resource_arn, &t);

	if (r < 0)
		return r;
	out->tags = *t.tags;
	if (!out->tags.v)
		out->tags.v = arena_alloc(c->arena, sizeof *out->tags.v);
	return 0;
}
