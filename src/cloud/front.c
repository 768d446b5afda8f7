/* SPDX-License-Identifier: Apache-2.0 */
/* front.c - what data planes on the cloud's port share: host names, regions, a call context. */
#include "cloud/cloud_int.h"
#include <errno.h>

/* AWS's own names, under which clients that were told so (Host header, a name in /etc/hosts) ask. */
static const char *const aws_suffixes[] = { "amazonaws.com", "amazonaws.com.cn", "on.aws", "api.aws" };

/* Is host `suffix` itself or a name below it? Returns the length of what stands before it, or -1. */
static ptrdiff_t before_suffix(struct str host, struct str suffix)
{
	if (host.n <= suffix.n + 1 || host.p[host.n - suffix.n - 1] != '.' || !str_eq_ci(str_skip(host, host.n - suffix.n), suffix))
		return -1;
	return (ptrdiff_t)(host.n - suffix.n - 1);
}

struct str front_host(const struct cloud *cl, struct str host, struct arena *a)
{
	ptrdiff_t colon = str_rfind_char(host, ':'), best = -1, n; /* of the shortest suffix: below "s3.localhost" are buckets */

	if (host.n && *host.p == '[')
		return STR_NONE;
	if (colon >= 0)
		host.n = (size_t)colon;
	for (size_t i = 0; i < ELEMENTS(aws_suffixes); i++) {
		n = before_suffix(host, str_c(aws_suffixes[i]));
		if (n > best)
			best = n;
	}
	for (const char *const *s = cl->host_suffixes; s && *s; s++) {
		n = before_suffix(host, str_c(*s));
		if (n > best)
			best = n;
	}
	return best > 0 ? str_lower(a, str_of(host.p, (size_t)best)) : STR_NONE;
}

const char *const *cloud_host_suffixes(const struct cloud *cl)
{
	return cl->host_suffixes;
}

struct region *front_region(struct cloud *cl, struct str name)
{
	struct region *r = cloud_region(cl, name);

	return r && region_use(r) ? r : NULL;
}

int front_call(struct front_request *f, struct region *r, const struct service *svc, const struct principal *who, struct call *ret)
{
	static const struct op visit = { .name = "front" };
	int e;

	call_prepare(ret, f->cloud, r, svc, &visit, &f->http->arena, who, &f->facts);
	ret->http = f->http;
	if (!region_use(ret->region))
		return -EHOSTDOWN;
	policy_cache_trim();
	policy_cache_hold(1);
	e = call_snapshot(ret);
	if (e < 0)
		front_call_end(ret);
	return e;
}

void front_call_end(struct call *c)
{
	call_snapshot_end(c);
	policy_cache_hold(-1);
	region_unuse(c->region);
}
