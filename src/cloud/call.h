/* SPDX-License-Identifier: Apache-2.0 */
/* call.h - what a handler sees: the call, its transaction, its caller, and how to refuse.
 *
 * The dispatcher (dispatch.c) owns everything: it authenticates, decodes, validates, opens the transaction, authorizes on
 * that same snapshot, runs the handler, commits, writes the trail, runs after-commit hooks and encodes. A handler is
 * straight-line code: it never blocks, never opens transactions, and either fills out and returns 0, refuses once with
 * `return call_fail(c, &error, "...")`, or returns another negative errno (a 500, logged once). */
#pragma once
#include "base/arena.h"
#include "base/json.h"
#include "base/util.h"
#include "cloud/errors.h"
#include "http/http.h"
#include "policy/policy.h"
#include "store/record.h"
#include "store/store.h"
#include "wire/wire.h"

struct cloud;
struct region;
struct cfn_type;

struct principal {
	struct policy_principal p;        /* type, account, arn, role arn, unique id */
	struct str name;                  /* user name, or "role/session" */
	struct str key_id;                /* access key that signed; absent for internal calls */
	struct str session_name;          /* of a role session */
	struct str_list session_policies; /* JSON texts */
	struct str_map tags;              /* user's, or role's overlaid by session tags: aws:PrincipalTag */
	struct str_list transitive_tags;
	struct str source_identity;
	struct str federated;     /* the identity provider that a role session came by: aws:FederatedProvider */
	struct str_map said_keys; /* condition keys of what the provider said that go with the session: saml:sub */
	int64_t issued_ms;        /* of temporary credentials; 0 for long-term */
	int64_t expires_ms;
	bool mfa, temporary;
};

/* An identity as text, to act with later, and back: -EBADMSG. principal_copy: all of it in another arena. */
struct str principal_text(struct arena *a, const struct principal *p);
int principal_parse(struct arena *a, struct str text, struct principal *ret);
int principal_copy(struct arena *a, const struct principal *from, struct principal *ret);

/* Where the call came from; copied into nested calls. */
struct call_facts {
	struct str request_id;
	struct str source_ip; /* text; absent for internal calls */
	struct str user_agent;
	struct str host;
	struct str invoked_by; /* "cloudformation.amazonaws.com": aws:ViaAWSService, aws:CalledVia, trail */
	bool secure_transport;
	struct str signature_version; /* "AWS4-HMAC-SHA256", absent when anonymous */
	struct str auth_type;         /* "REST-HEADER", "REST-QUERY-STRING" (s3:authType) */
	int64_t signature_age_ms;
	struct str content_sha256;
	struct str source_arn, source_account; /* of the resource on whose behalf a service calls: aws:SourceArn, aws:SourceAccount */
	struct str source_vpce, source_vpc;    /* the VPC endpoint that the request came through: aws:SourceVpce, aws:SourceVpc */
};

#define CALL_EXTRA_MAX 8
struct call {
	struct cloud *cloud;
	struct region *region; /* addressed region; global services: the region whose endpoint was used */
	const struct service *svc;
	const struct op *op;
	struct arena *arena;      /* freed when the answer is sent */
	struct store_txn *txn;    /* the service's own store, in the overlay's mode; authorization saw this snapshot */
	struct store_txn *global; /* snapshot of the global store (IAM); == txn for global services */
	const struct principal *who;
	struct str account; /* who->p.account; the resource owner's where the resource hook set another */
	struct call_facts facts;
	int64_t now_ms; /* one instant for the whole call */
	const void *in;
	void *out;
	struct body *body;         /* streamed request payload that the service's sink has taken in, or NULL */
	struct http_request *http; /* NULL for internal calls */
	struct call *parent;       /* of a nested call */
	bool question;             /* may this be done? Nothing is done, and no use is noted */

	const struct desc_error *err; /* set once */
	struct str message;
	struct str_pair extra[CALL_EXTRA_MAX]; /* further members of the error */
	size_t n_extra;
	struct http_header headers[CALL_EXTRA_MAX]; /* further headers of the answer */
	size_t n_headers;
	int status;                    /* overrides the operation's status when not 0 */
	struct policy_result decision; /* of the last check */
	struct json *trail_resources;  /* ARNs touched, for the trail */
	struct call_hook *hooks;
	int (*also)(struct call *c, void *also_arg); /* see cloud_invoke_json_also */
	void *also_arg;
	struct call_park *park; /* set by call_park */
	bool may_park;          /* set by whoever can wait */
	int64_t put_off_us;     /* how long a look was put off until what it looks at is over; set by its handler */
	void *memo;             /* the service's: what its resource hook has loaded, for the handler; reset before each run */
};

/* call_fail refuses: always returns -ECANCELED. Called at most once in a call. */
int call_fail(struct call *c, const struct desc_error *e, const char *fmt, ...) _printf_(3, 4);
void call_extra(struct call *c, const char *name, struct str value);  /* a member of the error (S3: "BucketName") */
void call_header(struct call *c, const char *name, struct str value); /* a header of the answer */
/* call_also: handlers that open their write transactions themselves ("txn": "none") call it in the one that makes the call's
 * effect, t; the dispatcher does it for all others. Its failure must undo the transaction. */
int call_also(struct call *c, struct store_txn *t);
/* call_park puts off the answer of a call that waits (an invocation, a long poll). The handler keeps the handle, returns
 * CALL_PARKED, and somebody calls call_unpark exactly once, from any thread, also before the handler has returned. finish then
 * runs once, without a transaction (c->txn is NULL), to fill c->out or to refuse, and returns as a handler does; c, its arena and
 * its input live until then. Only for operations that don't write ("txn" read or none), and not for calls nested in a
 * transaction (-EDEADLK is the handler's to return then: call_park gave NULL). A client that goes away changes nothing. */
#define CALL_PARKED (-EINPROGRESS)
struct call_park;
struct call_park *call_park(struct call *c);
void call_unpark(struct call_park *p, int (*finish)(struct call *c, void *arg), void *arg);
/* call_on_commit runs fn(cloud, region, arg) after the transaction is durable (or after a read call). arg is in the arena
 * and lives while fn runs. Never on failure. */
void call_on_commit(struct call *c, void (*fn)(struct cloud *cloud, struct region *r, void *arg), void *arg);

/* call_invoke makes a nested call of another service in the same region and transaction with the same caller; it is
 * authorized and in the trail like any other. via: our service principal ("s3.amazonaws.com"). A failure is reported in
 * the nested way: returns negative and *ret_err (may be NULL) tells; the outer call is not failed by it. Reading calls of
 * global services work too; writing to another store does not (-EROFS): use cloud_invoke from a job. */
struct call_error {
	const struct desc_error *err;
	struct str message;
};
int call_invoke(struct call *c, const struct service_model *m, const char *op, const void *in, void *out, const char *via,
		struct call_error *ret_err);
/* call_invoke_as: the same, made by an AWS service principal ("logs.us-east-1.amazonaws.com") instead of the caller. */
int call_invoke_as(struct call *c, const char *service_principal, const struct service_model *m, const char *op, const void *in, void *out,
		   struct call_error *ret_err);
/* call_invoke_by: the same, made by another principal: a role that was handed to us. */
int call_invoke_by(struct call *c, const struct principal *who, const struct service_model *m, const char *op, const void *in, void *out,
		   const char *via, struct call_error *ret_err);
/* call_authorize makes one more check inside a handler, with the keys of the call and extra ones. Refuses (AccessDenied
 * in the service's words) and returns -ECANCELED, or returns 0. resource: ARN, "*", or "kind:id" for the hook. */
int call_authorize(struct call *c, const char *action, struct str resource, const struct policy_key *extra, size_t n_extra);
/* call_may asks the same without refusing: 1 yes, 0 no. */
int call_may(struct call *c, const char *action, struct str resource, const struct policy_key *extra, size_t n_extra);

/* --- ARNs --- */
struct arn {
	struct str partition, service, region, account, resource;
};
int arn_parse(struct str s, struct arn *ret);                                                  /* -EINVAL */
struct str call_arn(struct call *c, const char *service, const char *fmt, ...) _printf_(3, 4); /* in the call's region and account */
struct str region_partition(struct str region);                                                /* "aws", "aws-cn", "aws-us-gov" */
struct str call_region(const struct call *c);                                                  /* region name */

/* --- pages: opaque tokens that hold the last key; a changed or foreign token is refused with -EINVAL --- */
struct str page_token(struct call *c, struct str last_key);
int page_parse(struct call *c, struct str token, struct str *ret_key);

/* --- parsed policies, cached per thread by text --- */
/* cloud_policy: parsed form, valid until the end of the call; NULL when text does not parse (stored text always did). */
const struct policy *cloud_policy(struct call *c, struct str text, enum policy_kind kind);

/* --- services --- */
struct key_set { /* condition keys of the request under construction */
	struct policy_key *v;
	size_t n, cap;
};
struct authz_resource { /* what the resource hook tells about "kind:id" */
	struct str arn;
	struct str account;      /* owner; absent: the caller's */
	struct str policy;       /* resource policy text, absent when there is none */
	const char *policy_name; /* "key policy" */
	enum policy_kind policy_kind;
	enum resource_policy_rule rule;
	struct str_map tags; /* aws:ResourceTag */
	struct key_set keys; /* further condition keys that only the resource can tell (ec2:Vpc) */
	bool granted;        /* a grant or ACL allows this action to this caller (an explicit deny still wins) */
};
void key_add(struct call *c, struct key_set *k, struct str name, struct str value);                        /* single-valued */
void key_add_list(struct call *c, struct key_set *k, struct str name, const struct str *values, size_t n); /* multivalued */

struct service {
	const struct service_model *model;
	const char *principal; /* "kms.amazonaws.com" */
	/* Called once per region when it starts (region NULL: for the global store of a global service), inside a write
	 * transaction of its own: default VPC, AWS-managed policies... Must be idempotent. */
	int (*open)(struct cloud *cloud, struct region *r, struct store_txn *t, struct arena *a);
	/* The cloud closes: threads of the service end their step and stop. Regions are still up. May be NULL. */
	void (*close)(struct cloud *cloud);
	/* The listeners are about to stop: what calls wait for is answered now, and nothing new is begun. May be NULL. */
	void (*drain)(struct cloud *cloud);
	/* The region is about to stop, takes no new calls, and waits for those under way: what they wait for is answered now. Called
	 * again and again until none is left. May be NULL. */
	void (*drain_region)(struct cloud *cloud, struct region *r);
	/* Turns "kind:id" of the overlay into an ARN etc. May refuse (NotFoundException). c->op tells the operation. */
	int (*resource)(struct call *c, const char *action, struct str kind, struct str id, struct authz_resource *ret);
	/* Adds the service's own condition keys for this call. May be NULL. */
	int (*conditions)(struct call *c, const char *action, struct key_set *k);
	/* Refused by policy: the service's own wording. NULL: AccessDenied(Exception) with policy_explain's sentence. */
	int (*denied)(struct call *c, const char *action, struct str resource, struct str sentence);
	/* Every second or so on the job thread, for work driven by the clock. May be NULL. */
	void (*tick)(struct cloud *cloud, struct region *r, int64_t now_ms);
	/* Streaming requests (OP_STREAM_IN): the caller is authenticated and authorized on a read snapshot before the first
	 * byte; begin returns a sink (memory of its own) that stores the body aside; after its end the handler runs with
	 * c->body. abort frees what was stored when the call fails or the client goes away. */
	int (*body_begin)(struct call *c, const struct wire_route *route, struct body **ret);
	/* The region that holds what an unsigned request is about (S3: its bucket); absent when not known. May be NULL. */
	struct str (*home)(struct cloud *cloud, const struct wire_route *route, struct arena *a);
	const struct cfn_type *const *cfn; /* NULL-terminated, or NULL */
	const struct front *front;         /* its data plane on the cloud's port (cloud/front.h), or NULL */
	/* Timed jobs put with job_put(): kind as written there. Runs on the job thread. */
	int (*job)(struct cloud *cloud, struct region *r, struct str kind, struct str id, struct str payload);
};

/* A streamed payload. Requests: the service's sink. Answers: a source the dispatcher pulls from. */
struct body {
	int (*write)(struct body *b, struct str piece);                           /* request: next piece; negative errno refuses */
	int (*end)(struct body *b, const struct http_header *trailers, size_t n); /* request: complete and verified */
	ssize_t (*read)(struct body *b, char *buf, size_t n);                     /* answer: > 0, 0 at the end, negative */
	void (*free)(struct body *b); /* always called once; removes what was not taken over by the handler */
	uint64_t length;              /* answer: bytes that read will give */
	struct http_pipe *pipe; /* answer, instead of read and length: it is made while it is sent. Only where call->http has a loop */
};
