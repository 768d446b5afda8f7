/* SPDX-License-Identifier: Apache-2.0 */
/* preflight.c - what browsers ask before they send a request across origins: may this origin use this method with these headers
 * on this bucket? Answered from the bucket's CORS rules alone, without a signature; it gives no right to anything.
 *
 * A bucket that does not exist is answered like one without CORS, so that nobody finds out names of buckets here.
 * Source: "Using cross-origin resource sharing", "OPTIONS object" (S3 User Guide and API Reference). */
#include "cloud/front.h"
#include "svc/s3/s3_int.h"
#include <errno.h>

static bool claims(struct cloud *cl, const struct http_request *r, struct str host)
{
	return str_is(r->method, "OPTIONS");
}

static void refuse(struct front_request *f, int status, const char *code, const char *message)
{
	static const struct http_header type = { S("Content-Type"), S("application/xml") };
	struct arena *a = &f->http->arena;
	struct http_reply reply = { .status = status, .headers = &type, .n_headers = 1 };

	reply.body = str_printf(a,
				"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>%s</Message>"
				"<RequestId>%.*s</RequestId></Error>",
				code, message, STR(f->facts.request_id));
	http_reply(f->http, &reply);
}

/* The bucket that the request names, by host or path. -ENOENT. */
static int find_bucket(struct front_request *f, struct s3_rec_bucket *ret)
{
	static const struct service_model *const models[] = { &s3_model };
	struct arena *a = &f->http->arena;
	struct str path = f->http->path, name, rest;
	struct wire_route route = { 0 };
	struct store_txn *t;
	struct region *region;
	struct s3_rec_name n;
	int r;

	(void)wire_find(models, 1, f->http, STR_NONE, S("s3"), cloud_host_suffixes(f->cloud), &route);
	name = route.bucket;
	if (!name.p) {
		path = str_starts(path, S("/")) ? str_skip(path, 1) : path;
		if (!str_cut(path, '/', &name, &rest))
			name = path;
		if (uri_decode(a, str_dup(a, name), false, &name) < 0)
			return -ENOENT;
	}
	r = store_begin_read(cloud_global(f->cloud), &t);
	if (r < 0)
		return r;
	r = name.n ? s3_name_read(t, a, name, &n) : -ENOENT;
	store_end(t);
	if (r < 0)
		return r;
	region = front_region(f->cloud, n.region);
	if (!region)
		return -ENOENT;
	r = store_begin_read(region->store, &t);
	if (r == 0) {
		r = s3_bucket_read(t, a, name, ret);
		store_end(t);
	}
	region_unuse(region);
	return r;
}

static bool fits_any(struct arena *a, const struct str_list *patterns, struct str s, bool fold)
{
	for (size_t i = 0; i < patterns->n; i++)
		if (s3_cors_fits(fold ? str_lower(a, patterns->v[i]) : patterns->v[i], s))
			return true;
	return false;
}

/* Does the rule allow every header that is asked for? *ret: their names, joined; absent when none is asked for. */
static bool headers_fit(struct arena *a, const struct s3_rec_cors *x, struct str asked, struct str *ret)
{
	struct str *names = NULL, part;
	size_t n = 0, cap = 0;

	while (str_next(&asked, ',', &part)) {
		struct str name = str_lower(a, str_trim(part));

		if (!name.n)
			continue;
		if (!fits_any(a, &x->headers, name, true))
			return false;
		vec_push(a, names, n, cap) = name;
	}
	*ret = n ? str_join(a, names, n, S(", ")) : STR_NONE;
	return true;
}

static void allow(struct front_request *f, const struct s3_rec_cors *x, struct str origin, struct str headers)
{
	struct arena *a = &f->http->arena;
	bool all = str_list_has(&x->origins, S("*"));
	struct http_header h[8];
	size_t n = 0;

	h[n++] = (struct http_header){ S("Access-Control-Allow-Origin"), all ? S("*") : origin };
	if (!all)
		h[n++] = (struct http_header){ S("Access-Control-Allow-Credentials"), S("true") };
	h[n++] = (struct http_header){ S("Access-Control-Allow-Methods"), str_join(a, x->methods.v, x->methods.n, S(", ")) };
	if (headers.p)
		h[n++] = (struct http_header){ S("Access-Control-Allow-Headers"), headers };
	if (x->expose.n)
		h[n++] = (struct http_header){ S("Access-Control-Expose-Headers"), str_join(a, x->expose.v, x->expose.n, S(", ")) };
	if (x->max_age.has)
		h[n++] = (struct http_header){ S("Access-Control-Max-Age"), str_printf(a, "%lld", (long long)x->max_age.v) };
	h[n++] = (struct http_header){ S("Vary"), S("Origin, Access-Control-Request-Headers, Access-Control-Request-Method") };
	http_reply(f->http, &(struct http_reply){ .status = 200, .headers = h, .n_headers = n });
}

static void answer(struct front_request *f)
{
	struct http_request *r = f->http;
	struct str origin = http_header(r, "origin"), method = http_header(r, "access-control-request-method");
	struct str asked = http_header(r, "access-control-request-headers"), headers;
	struct s3_rec_bucket b;
	int e;

	if (!origin.n) {
		refuse(f, 400, "BadRequest", "Insufficient information. Origin request header needed.");
		return;
	}
	if (!method.n) {
		refuse(f, 400, "BadRequest", "Invalid Access-Control-Request-Method: null");
		return;
	}
	e = find_bucket(f, &b);
	if (e < 0 && e != -ENOENT) {
		refuse(f, 500, "InternalError", "We encountered an internal error. Please try again.");
		return;
	}
	if (e < 0 || !b.cors.n) {
		refuse(f, 403, "AccessForbidden", "CORSResponse: CORS is not enabled for this bucket.");
		return;
	}
	for (size_t i = 0; i < b.cors.n; i++) {
		const struct s3_rec_cors *x = &b.cors.v[i];

		if (str_list_has(&x->methods, method) && fits_any(&r->arena, &x->origins, origin, false) &&
		    headers_fit(&r->arena, x, asked, &headers)) {
			allow(f, x, origin, headers);
			return;
		}
	}
	refuse(f, 403, "AccessForbidden",
	       "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / "
	       "Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.");
}

static void headers(struct front_request *f)
{
	f->http->body_mode = HTTP_BODY_MEMORY;
	f->http->body_max = 0;
}

static void done(struct front_request *f)
{
	f->user = f; /* answered */
	answer(f);
}

static void gone(struct front_request *f)
{
	if (!f->user)
		refuse(f, 400, "BadRequest", "The request is not complete.");
}

const struct front s3_front = { .claims = claims, .headers = headers, .done = done, .gone = gone };
