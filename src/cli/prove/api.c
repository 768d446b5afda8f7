/* SPDX-License-Identifier: Apache-2.0 */
/* api.c - ordinary requests by service, and their answers read. */
#include "cli/prove/prove.h"
#include <errno.h>

#define FORM_BYTES_MAX (256u << 10)

static const char *version_of(const char *service)
{
	static const char *const v[][2] = {
		{ "iam", "2010-05-08" }, { "sts", "2011-06-15" }, { "ec2", "2016-11-15" }, { "cloudformation", "2010-05-15" }
	};

	for (size_t i = 0; i < ELEMENTS(v); i++)
		if (strcmp(v[i][0], service) == 0)
			return v[i][1];
	return "";
}

struct hit hit_query(struct prove *p, const char *service, struct str region, const char *action, const struct creds *who)
{
	/* IAM is global and signed for its home. */
	struct hit h = { .service = service,
			 .region = strcmp(service, "iam") == 0 ? S("us-east-1") : region,
			 .method = S("POST"),
			 .path = S("/"),
			 .who = who };

	hit_header(&h, "content-type", S("application/x-www-form-urlencoded; charset=utf-8"));
	h.body = str_printf(&p->arena, "Action=%s&Version=%s", action, version_of(service));
	return h;
}

void hit_param(struct prove *p, struct hit *h, const char *name, struct str value)
{
	h->body = str_printf(&p->arena, "%.*s&%s=%.*s", STR(h->body), name, STR(uri_encode(&p->arena, value, false)));
}

struct hit hit_json(struct prove *p, const char *service, const char *target, struct str region, const struct json *params,
		    const struct creds *who)
{
	struct hit h = { .service = service, .region = region, .method = S("POST"), .path = S("/"), .who = who };

	hit_header(&h, "content-type", S("application/x-amz-json-1.1"));
	hit_header(&h, "x-amz-target", str_c(target));
	h.body = params ? json_text(&p->arena, params) : S("{}");
	return h;
}

struct hit hit_rest(struct prove *p, const char *service, struct str region, const char *method, struct str path, const struct json *body,
		    const struct creds *who)
{
	struct hit h = { .service = service, .region = region, .method = str_c(method), .path = path, .who = who };

	if (body) {
		hit_header(&h, "content-type", S("application/json"));
		h.body = json_text(&p->arena, body);
	}
	return h;
}

struct json *call_rest(struct prove *p, const char *service, struct str region, const char *method, struct str path,
		       const struct json *body)
{
	struct hit h = hit_rest(p, service, region, method, path, body, &p->caller);
	struct answer a;

	if (call_hit(p, &h, str_printf(&p->arena, "%s %s %.*s", service, method, STR(path)).p, &a) < 0)
		return NULL;
	return a.json ? a.json : json_new(&p->arena, JSON_OBJECT);
}

struct hit hit_s3(struct prove *p, struct str region, const char *method, struct str bucket, struct str key, struct str query,
		  const struct creds *who)
{
	struct hit h = { .service = "s3", .region = region, .method = str_c(method), .query = query, .who = who };

	h.path = str_printf(&p->arena, "/%.*s%s%.*s", STR(bucket), key.p ? "/" : "", STR(key.p ? uri_encode(&p->arena, key, true) : S("")));
	return h;
}

int call_hit(struct prove *p, const struct hit *h, const char *what, struct answer *ret)
{
	if (hit(p, h, ret) < 0) {
		p->trouble = str_printf(&p->arena, "%s: %.*s", what, STR(ret->error));
		return -EIO;
	}
	if (answer_ok(ret))
		return 0;
	p->trouble = str_printf(&p->arena, "%s: %.*s: %.*s", what, STR(ret->code), STR(ret->message));
	return -EIO;
}

struct json *call_json(struct prove *p, const char *service, const char *target, struct str region, const struct json *params)
{
	struct hit h = hit_json(p, service, target, region, params, &p->caller);
	struct answer a;

	return call_hit(p, &h, target, &a) == 0 ? a.json : NULL;
}

struct xml_node *xml_deep(struct xml_node *n, const char *name)
{
	struct xml_node *found;

	if (!n || str_is(n->name, name))
		return n;
	for (struct xml_node *c = n->children; c; c = c->next)
		if ((found = xml_deep(c, name)))
			return found;
	return NULL;
}

struct json *json_object(struct arena *a, const char *key, struct str value)
{
	struct json *j = json_new(a, JSON_OBJECT);

	json_set_str(a, j, key, value);
	return j;
}
