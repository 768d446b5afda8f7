/* SPDX-License-Identifier: Apache-2.0 */
/* cloud.h - the cloud: its regions, its stores, its one dispatcher.
 *
 * DIR/                 0700
 *   master.key         32 random bytes, 0600, unless --master-key-file names another place
 *   root.json          account id, root access key; 0600
 *   tls/               certificate authority and server certificate
 *   global/            store of IAM and other global services
 *   regions/NAME/      store, objects/, trail/
 */
#pragma once
#include "cloud/call.h"

struct region {
	struct str name;
	struct cloud *cloud;
	char *dir;           /* DIR/regions/NAME */
	struct store *store; /* NULL while stopped */
	struct trail *trail;
	bool up;     /* read under the cloud lock */
	bool global; /* the pseudo-region of global services */
	int users;   /* calls in flight */
};
struct cloud_opts {
	const char *data_dir;
	const char *master_key_file;      /* NULL: DIR/master.key */
	const char *const *regions;       /* NULL-terminated: those that start; NULL: those that ran last, or the default three */
	const char *root_key;             /* "ID:SECRET", or NULL: random at first start */
	const char *const *host_suffixes; /* under which virtual-hosted buckets are found */
	bool no_sync;                     /* benchmarks only */
};
int cloud_open(const struct cloud_opts *o, const struct service *const *services, struct cloud **ret);
/* cloud_run begins the timed jobs, and with them what a crash cut short; they give out addresses: once the listener is set. -EAGAIN. */
int cloud_run(struct cloud *cl);
void cloud_close(struct cloud *cl);          /* jobs finish their step, stores close */
extern const struct http_handler cloud_http; /* its arg must be set to the struct cloud */

void cloud_drain(struct cloud *cl); /* before the listeners stop: services let go what calls wait for */
struct http_server;
struct cloud_listener { /* where clients reach this cloud */
	struct http_server *http;
	int port;
	bool loopback; /* under loopback addresses only: who reaches it is on this machine */
};
void cloud_set_listener(struct cloud *cl, const struct cloud_listener *l); /* once it listens; l lives as long as the cloud */
const struct cloud_listener *cloud_listener(const struct cloud *cl);       /* NULL: nobody listens yet */
int cloud_port(const struct cloud *cl);           /* the listener's, for URLs that the cloud gives out; 0: nobody listens yet */
struct str cloud_account(const struct cloud *cl); /* the account made at first start, 12 digits */
const char *cloud_dir(const struct cloud *cl);
/* cloud_master_key derives 32 bytes for a purpose ("kms", "iam-secret", "s3") from the master key (HKDF-SHA256). */
void cloud_master_key(const struct cloud *cl, const char *purpose, uint8_t out[32]);
bool region_name_valid(struct str name); /* is it the name that an AWS region has, or could have? */
struct store *cloud_global(struct cloud *cl);
struct region *cloud_global_region(struct cloud *cl);                    /* the pseudo-region of global services: its store and trail */
struct region *cloud_region(struct cloud *cl, struct str name);          /* NULL: not known, or stopped */
int cloud_region_start(struct cloud *cl, struct str name);               /* creates it when new; -EINVAL: not a region's name */
int cloud_region_stop(struct cloud *cl, struct str name);                /* calls to it get ServiceUnavailable until it starts */
size_t cloud_regions(struct cloud *cl, struct region **ret, size_t max); /* known ones, up or not, by name */
/* cloud_answered: how many API calls were answered since the start, the sum of their durations in microseconds, and how much of that
 * they spent until what they looked at was over (call.put_off_us). */
uint64_t cloud_answered(const struct cloud *cl, uint64_t *ret_us, uint64_t *ret_put_off_us);
const struct service *cloud_service(const struct cloud *cl, const char *name);
void cloud_each_service(struct cloud *cl, void (*fn)(const struct service *s, void *arg), void *arg);

/* --- calls from inside: jobs, the stack engine --- */
/* cloud_invoke makes a call as a principal, through the one door: authorized, in the trail, durable when it returns.
 * Blocks; never on an event loop or a writer thread. in/out as the model says. */
int cloud_invoke(struct cloud *cl, struct region *r, const struct principal *who, const struct call_facts *facts,
		 const struct service_model *m, const struct op *op, const void *in, void *out, struct arena *a,
		 struct call_error *ret_err);
/* cloud_invoke_json: the same with parameters by the model's member names (see wire_from_json). *ret_out may be NULL. */
int cloud_invoke_json(struct cloud *cl, struct region *r, const struct principal *who, const struct call_facts *facts, const char *service,
		      const char *op, const struct json *params, struct arena *a, struct json **ret_out, struct call_error *ret_err);
/* cloud_invoke_start: as cloud_invoke, but never blocks: done(arg, result, error) is called once when the call is over, on any
 * thread, perhaps before cloud_invoke_start returns. in, out, who, facts and a must live until then. May be used on an
 * event loop, by fronts. error is only set when result is negative. */
void cloud_invoke_start(struct cloud *cl, struct region *r, const struct principal *who, const struct call_facts *facts,
			const struct service_model *m, const struct op *op, const void *in, void *out, struct arena *a,
			void (*done)(void *arg, int result, const struct call_error *error), void *arg);
/* cloud_invoke_json_also: the same; when the operation writes, also runs in its transaction after the handler's success, so
 * that what it stores is there exactly when the call's effect is. Its failure undoes the call. May run again. */
int cloud_invoke_json_also(struct cloud *cl, struct region *r, const struct principal *who, const struct call_facts *facts,
			   const char *service, const char *op, const struct json *params, struct arena *a, struct json **ret_out,
			   struct call_error *ret_err, int (*also)(struct call *c, void *arg), void *arg);
/* region_use pins a region that is up, so that it does not close below a call; false when it is not up. */
bool region_use(struct region *r);
void region_unuse(struct region *r);
/* cloud_internal_read: a call context for reading outside any call (jobs): c->txn is r's snapshot. End with cloud_internal_end. */
int cloud_internal_read(struct cloud *cl, struct region *r, struct arena *a, struct call *ret);
void cloud_internal_end(struct call *c);
/* cloud_jobs_wake: a job was put or its time changed. */
void cloud_jobs_wake(struct cloud *cl);

/* --- identity: what the dispatcher needs of IAM; set by the iam service with cloud_set_identity at open --- */
struct key_info {
	struct str secret;
	struct principal who; /* complete */
};
struct identity {
	/* Finds an access key; token is X-Amz-Security-Token, absent for long-term keys. 0; -ENOENT unknown key; -EACCES
	 * inactive; -ESTALE expired token; -EBADMSG token does not belong to the key or was changed. */
	int (*find_key)(struct cloud *cl, struct store_txn *global, struct str key_id, struct str token, int64_t now_ms, struct arena *a,
			struct key_info *ret);
	/* Fills identity, boundary, session and organization policies of the caller into r. */
	int (*policies)(struct call *c, const struct principal *who, struct policy_request *r);
	/* The principal that a role gives to a service or a stack (no credentials): for CloudFormation's RoleARN, functions. */
	int (*role_principal)(struct call *c, struct str role_arn, struct str session_name, struct principal *ret);
	/* The principal that an ARN names (root, user, role, role session), for questions about what it may do: no caller
	 * is ever made from it. -ENOENT. */
	int (*named)(struct call *c, struct str arn, struct principal *ret);
};
void cloud_set_identity(struct cloud *cl, const struct identity *id);
const struct identity *cloud_identity(const struct cloud *cl);

/* --- trail (trail.c) --- */
/* trail_read walks records of a region, newest first, from before_ms backwards; fn gets one CloudTrail record as JSON text
 * and returns 0 to go on, 1 to stop. cursor continues an earlier walk (empty at first), and is updated. */
struct trail_cursor {
	int64_t before_ms; /* 0: now */
	char file[40];
	uint64_t offset;
};
int trail_read(struct region *r, struct trail_cursor *cur, int (*fn)(struct str record, void *arg), void *arg);
