/* SPDX-License-Identifier: Apache-2.0 */
/* inward.h - requests in a service's own protocol that are made from inside (API Gateway's integrations with services). */
#pragma once
#include "cloud/cloud.h"

/* cloud_request_start makes the request that q is (method, path, query, headers, host and body are set, and its arena may be used)
 * to the service with that signing name, as a principal: never blocks, done(arg, reply) is called once when it is over, on any
 * thread, perhaps before cloud_request_start returns. who, facts, q and a must live until then. reply may have a stream instead of
 * a body, which done must free. -ENOENT: no service is meant; done is not called. */
int cloud_request_start(struct cloud *cl, struct region *r, const struct principal *who, const struct call_facts *facts, struct str signing,
			struct http_request *q, struct arena *a, void (*done)(void *arg, struct wire_reply *w), void *arg);
