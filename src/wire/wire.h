/* SPDX-License-Identifier: Apache-2.0 */
/* wire.h - the AWS protocols: awsQuery, ec2Query, awsJson 1.0/1.1, restJson1, restXml.
 *
 * One interpreter per protocol walks the descriptor tables. The protocol is chosen per request, never per service.
 * Decoding bytes from outside never asserts: a malformed request gives a wire_fault with AWS's error code and sentence. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "http/http.h"
#include "wire/model.h"

struct wire_fault {       /* a refusal made by the codecs */
	const char *code; /* "ValidationException", "SerializationException", "MalformedXML", ... */
	int status;
	struct str message;
};

struct wire_route {
	const struct service_model *model;
	const struct op *op;          /* NULL: known but not built, or unknown */
	const struct op_known *known; /* set when the model has the operation and we do not */
	struct str name;              /* the operation's name as asked for */
	enum wire_protocol protocol;
	bool json_1_0;             /* awsJson1_0 was spoken */
	struct str bucket;         /* S3: from the Host header (virtual-hosted style); absent for path style */
	struct str path;           /* raw path to match; virtual-hosted S3: "/bucket" put in front */
	struct str_pair labels[8]; /* raw (still encoded) URI labels of the matched template */
	size_t n_labels;
};
/* wire_find decides service, operation and protocol from X-Amz-Target, credential scope (signing: its service name,
 * absent when unsigned), Action parameter (query string or form body), Content-Type, Host, method and path. body is the
 * form body of query requests, absent when not read yet: then an awsQuery POST gives -EAGAIN (call again with the body).
 * 0 with route->op set, or route->op NULL with model/name filled as far as known; -ENOENT: no service is meant. S3 is the
 * service of last resort for requests with no target, action or other service's scope. host_suffixes: NULL-terminated
 * list of names under which virtual-hosted buckets are looked for ("localhost", "s3.us-east-1.amazonaws.com"...); IP
 * addresses never carry a bucket. */
int wire_find(const struct service_model *const *models, size_t n, struct http_request *r, struct str body, struct str signing,
	      const char *const *host_suffixes, struct wire_route *ret);

/* wire_decode fills *in (zeroed, of the input shape's size) from the request. Strings may point into the request's memory.
 * A streaming payload member is left alone. 0 or -EINVAL with *fault. Unknown members are ignored, as AWS does. */
int wire_decode(const struct wire_route *route, struct http_request *r, struct arena *a, void *in, struct wire_fault *fault);
/* wire_validate checks required, ranges, lengths, patterns and enums of a decoded input; AWS's messages by protocol
 * ("1 validation error detected: Value at 'keyId' failed to satisfy constraint: Member must have length ..."). */
int wire_validate(const struct service_model *m, enum wire_protocol p, uint16_t shape, const void *in, struct arena *a,
		  struct wire_fault *fault);

struct wire_reply {
	int status;
	struct http_header headers[192];
	size_t n_headers;
	struct str body;     /* in the arena */
	struct body *stream; /* a streaming output member, else NULL */
};
/* wire_encode writes the answer of a successful call; request_id goes where the protocol puts it. */
int wire_encode(const struct wire_route *route, const void *out, struct str request_id, struct arena *a, struct wire_reply *ret);
/* wire_encode_error: the protocol's own error shape; extra are further members (S3: Resource, BucketName...). */
void wire_encode_error(const struct wire_route *route, const char *code, int status, bool sender, struct str message, struct str request_id,
		       const struct str_pair *extra, size_t n_extra, struct arena *a, struct wire_reply *ret);

/* --- our own JSON, by the model's member names (blobs base64, times ISO): internal calls, CloudFormation types, trail --- */
int wire_from_json(const struct service_model *m, uint16_t shape, const struct json *j, struct arena *a, void *ret,
		   struct wire_fault *fault);
/* redact: sensitive members become "HIDDEN_DUE_TO_SECURITY_REASONS", blobs and bodies are left out (for the trail). */
struct json *wire_to_json(const struct service_model *m, uint16_t shape, const void *v, struct arena *a, bool redact);

const struct op *wire_op(const struct service_model *m, struct str name); /* built operation by name, or NULL */
/* wire_path reads the input member that an overlay path names ("A", "A.B", "Ids[]", "Tags[].Key"): calls fn for each
 * value found (scalars as text). Returns how many. */
int wire_path(const struct service_model *m, uint16_t shape, const void *in, const char *path, struct arena *a,
	      void (*fn)(struct str value, void *arg), void *arg);
bool wire_present(const struct service_model *m, uint16_t shape, const void *in, const char *path); /* set, and not an empty list */

/* XML reading shared with S3's handlers and tests: expat behind it; no DOCTYPE, bounded depth and attributes. */
struct xml_node {
	struct str name; /* local name */
	struct str text; /* character data, joined */
	struct str_pair *attrs;
	size_t n_attrs;
	struct xml_node *children, *next;
};
int xml_parse(struct arena *a, struct str text, struct xml_node **ret); /* -EINVAL */
