/* SPDX-License-Identifier: Apache-2.0 */
/* model.h - what tools/modelgen writes about a service: its operations, how they travel and who may call them. */
#pragma once
#include "base/desc.h"
#include "base/str.h"

struct call; /* src/cloud/call.h */
struct json;
struct body;

enum wire_protocol { WIRE_QUERY, WIRE_EC2, WIRE_JSON, WIRE_REST_JSON, WIRE_REST_XML };
enum op_txn { OP_NONE, OP_READ, OP_WRITE }; /* OP_NONE: the handler opens what it needs itself */
enum op_flags {
	OP_NO_AUTHORIZATION = 1, /* any authenticated caller (sts:GetCallerIdentity) */
	OP_ANONYMOUS = 2,        /* unsigned requests reach authorization as an anonymous principal */
	OP_STREAM_IN = 4,
	OP_STREAM_OUT = 8,
	OP_CHECKSUM_REQUIRED = 16,
};
/* One authorization check. resource is "*", a template "arn:{partition}:s3:::{Bucket}/{Key}", or "kind:{Member}", which
 * the service's resource hook turns into an ARN with tags and resource policy. "{A.B}" names nested members,
 * "{Ids[]}" stands for one check an element. only_if names a member that must be present ("!Member": absent). */
struct op_auth {
	const char *action, *resource, *only_if;
};
struct op_key { /* a condition key whose value is an input member */
	const char *key, *member;
};
struct op {
	const char *name;
	const char *method, *uri;      /* REST: "/{Bucket}/{Key+}?tagging"; uri NULL: never routed to (an older twin) */
	const char *wrapper;           /* query: resultWrapper */
	const char *in_xml, *in_xmlns; /* rest-xml: root element of the request */
	const char *out_xml;           /* rest-xml: root element of the answer where it is not the shape's name */
	const char *need;              /* REST: required query parameters and headers, "?uploadId @x-amz-copy-source"; or NULL */
	const char *tags;              /* input member with the tags of what is created: aws:RequestTag, aws:TagKeys */
	const struct op_auth *auth;
	const struct op_key *keys;
	const struct desc_error *const *errors; /* declared, NULL-terminated; or NULL */
	int (*run)(struct call *c, const void *in, void *out);
	uint32_t body_max; /* of a request, which may then be larger than what is collected in memory; 0: no limit of its own */
	uint16_t in, out;  /* shapes */
	uint16_t status;
	uint8_t txn, flags, n_auth, n_keys;
};
struct op_known {                               /* an operation of the model that is not built */
	const char *name, *method, *uri, *need; /* as in struct op */
};
struct service_model {
	const char *name; /* our folder and C prefix: "kms" */
	const char *id;   /* serviceId: "KMS" */
	const char *api_version, *endpoint_prefix;
	const char *target_prefix; /* X-Amz-Target before the dot, or NULL */
	const char *json_version;  /* "1.0", "1.1" or NULL */
	const char *xmlns;
	const char *const *signing; /* names in the credential scope, NULL-terminated */
	const uint8_t *protocols;   /* enum wire_protocol, the model's own first */
	uint8_t n_protocols;
	bool global;           /* its records live in the global store (IAM) */
	bool query_compatible; /* awsQueryCompatible */
	const struct desc_shape *shapes;
	uint16_t n_shapes, n_ops;
	const struct op *ops;         /* sorted by name */
	const struct op_known *known; /* sorted, ended by a NULL name */
	const char *invalid;          /* error code of input that breaks the model's rules; NULL: the protocol's */
};

/* call_not_built answers for an operation whose slot in the service's ops struct is empty. */
int call_not_built(struct call *c);
