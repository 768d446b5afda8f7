/* SPDX-License-Identifier: Apache-2.0 */
/* ec2.h - what other services may know of networks: VPC endpoints, and what their policies say. */
#pragma once
#include "cloud/call.h"

struct ec2_endpoint {
	struct str id;      /* "vpce-0123456789abcdef0" */
	struct str account; /* its owner */
	struct str vpc;
	struct str service;        /* "com.amazonaws.us-east-1.execute-api" */
	struct str type;           /* "Interface" or "Gateway" */
	struct str state;          /* "available" */
	struct str policy;         /* JSON text, always there; parse with cloud_policy(c, text, POLICY_RESOURCE) */
	bool private_dns;          /* in its VPC the service's own host names lead to it */
	struct str_list dns_names; /* of interface endpoints: regional, then one a zone */
};
/* ec2_endpoint_find finds an endpoint of c's region by id, of any account. c->txn is a snapshot of the region's store (any
 * call in the region, or cloud_internal_read). Strings are in c->arena. 0 or -ENOENT. */
int ec2_endpoint_find(struct call *c, struct str id, struct ec2_endpoint *ret);
/* ec2_endpoint_of_host gives the id that a host name of an endpoint begins with ("vpce-0123456789abcdef0-abcdefgh..."); absent
 * when it has not that form. The endpoint's dns_names tell whether the name is really its own. */
struct str ec2_endpoint_of_host(struct str host);
