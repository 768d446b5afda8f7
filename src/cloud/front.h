/* SPDX-License-Identifier: Apache-2.0 */
/* front.h - data planes on the cloud's port that are not signed API calls: execute-api, function URLs, the image registry.
 *
 * A service with a front (struct service) is asked for each request whether it is its own, by host name or path, before the
 * API's routing looks at it. From then on the request is the front's: it authenticates, decides and answers by itself, with
 * the helpers below, so that signatures, principals and the trail are the same as for API calls. */
#pragma once
#include "cloud/cloud.h"

/* call_keys adds all condition keys of the call (caller, request, tags, the service's own), as authorization sees them. */
void call_keys(struct call *c, const char *action, struct key_set *k);

struct front;
struct front_request {
	const struct front *front;
	struct cloud *cloud;
	struct http_request *http;
	struct str host;         /* lower case, without port and without the cloud's suffix: "a1b2c3.execute-api.us-east-1" */
	struct call_facts facts; /* request id, source address, user agent, host, TLS */
	void *user;              /* the front's */
};
struct front {
	/* Is this request ours? host as in front_request. Cheap: it is asked for every request of the cloud. */
	bool (*claims)(struct cloud *cl, const struct http_request *r, struct str host);
	/* As the callbacks of struct http_handler (http/http.h), with the same duties: exactly one http_reply a request. gone must
	 * reply when nobody else will. */
	void (*headers)(struct front_request *f);
	int (*body)(struct front_request *f, struct str piece); /* may be NULL: never HTTP_BODY_STREAM then */
	void (*done)(struct front_request *f);
	void (*gone)(struct front_request *f);
};
/* front_host: the host name without port and known suffix ("amazonaws.com", "on.aws", "localhost" and the cloud's own), lower
 * case. Absent when it ends with none of them. */
struct str front_host(const struct cloud *cl, struct str host, struct arena *a);
const char *const *cloud_host_suffixes(const struct cloud *cl); /* NULL-terminated: under which the cloud's names are */
/* front_region: the region of that name, pinned (region_unuse when done with it); NULL when there is none or it is stopped. */
struct region *front_region(struct cloud *cl, struct str name);

/* front_authenticate finds out who signed the request (SigV4, header or query string) for a service's signing name
 * ("execute-api", "lambda") in a region. body: the complete payload. Fills *ret_who and the signature's part of f->facts.
 * 0; -ENODATA not signed at all; -EACCES the signature is wrong, expired, unknown or for something else: *ret_reason tells. */
int front_authenticate(struct front_request *f, const char *signing, struct str region, struct str body, struct principal *ret_who,
		       struct str *ret_reason);
/* front_call starts a call context for the front's own questions: c->txn and c->global are read snapshots of the region. End with
 * front_call_end. who may be an anonymous principal. -EHOSTDOWN. */
int front_call(struct front_request *f, struct region *r, const struct service *svc, const struct principal *who, struct call *ret);
void front_call_end(struct call *c);
