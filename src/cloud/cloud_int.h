/* SPDX-License-Identifier: Apache-2.0 */
/* cloud_int.h - shared by the files of src/cloud only. */
#pragma once
#include "auth/sigv4.h"
#include "cloud/cloud.h"
#include "cloud/front.h"
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#define CLOUD_REGIONS_MAX 64
#define CLOUD_SERVICES_MAX 64
#define CLOUD_BODY_BYTES_MAX (8u << 20)           /* of a request that is collected in memory */
#define CLOUD_UNKNOWN_BODY_BYTES_MAX (256u << 10) /* of a request that no known key has signed */
#define CALL_NESTING_MAX 4

/* Keys that are derived once, at start: those of hot calls. Others are derived when they are asked for. */
#define CLOUD_PURPOSES                                                                                                                     \
	{                                                                                                                                  \
		"kms", "iam", "sts-token", "s3", "page"                                                                                    \
	}
#define CLOUD_N_PURPOSES 5

struct cloud {
	char *dir;
	struct str account;
	struct str root_id, root_secret; /* secret: malloc'd, wiped at close */
	uint8_t master[32];
	uint8_t derived[CLOUD_N_PURPOSES][32]; /* of master, which never changes while the cloud is open */
	const struct service *const *services;
	const struct service_model *models[CLOUD_SERVICES_MAX];
	size_t n_services;
	const char *const *host_suffixes;
	bool no_sync;
	const struct identity *identity;
	_Atomic(const struct cloud_listener *) listener;

	struct region global; /* the global store; its name is us-east-1, where AWS keeps IAM's endpoint */
	struct region *regions[CLOUD_REGIONS_MAX];
	size_t n_regions;
	pthread_mutex_t change; /* one region starts or stops at a time */
	pthread_mutex_t lock;   /* regions and their state */
	struct arena arena;     /* names and strings that live as long as the cloud */

	struct larges *larges;
	pthread_t runner;
	atomic_bool runner_on;
	pthread_mutex_t run_lock;
	pthread_cond_t run_cond;
	bool run_wake, run_stop;
	atomic_int in_flight;
	atomic_uint_fast64_t answers, answer_us; /* API calls answered, and the time from the whole request to the answer */
	atomic_uint_fast64_t put_off_us;         /* of that time */
};

/* region_up: a region that is pinned may be waited for by whoever stops it. */
bool region_up(struct region *r);

/* --- dispatch.c: one call through the door, whatever it came from --- */
struct call_hook {
	struct call_hook *next;
	void (*fn)(struct cloud *cloud, struct region *r, void *arg);
	void *arg;
};
/* call_prepare starts a call: facts copied, time taken, regional or global store chosen by the model. */
void call_prepare(struct call *c, struct cloud *cl, struct region *r, const struct service *svc, const struct op *op, struct arena *a,
		  const struct principal *who, const struct call_facts *facts);
/* call_execute authorizes and runs the handler; c->txn and c->global are open. May be run again after a rollback. */
int call_execute(struct call *c);
/* call_snapshot opens c->txn and c->global for reading, of the region's store and the global one: the same where that is the region's.
 * Negative: nothing is open. */
int call_snapshot(struct call *c);
void call_snapshot_end(struct call *c);
/* call_run_read executes on a snapshot of its own. A handler that finds it overtaken (a body's file that a later commit took away)
 * says -EAGAIN and is run again, from its authorization on, on a newer one. */
int call_run_read(struct call *c);
int call_run_write(struct call *c, struct store_txn *t); /* executes in the writer's transaction, with the call's companion */
/* call_settle turns a negative result without an error into a 500, logged once. */
void call_settle(struct call *c, int r);
void call_run_hooks(struct call *c);
const struct service *service_of(const struct cloud *cl, const struct service_model *m);

/* A call from inside under way. inner_start starts it; it and all it points to live until its done was called. */
struct inner {
	struct store_job job; /* first: the writer thread hands it back */
	struct call call;     /* prepared, with in and out */
	struct call_error error;
	void (*done)(void *arg, int result, const struct call_error *error);
	void *done_arg;
};
void inner_start(struct inner *x);

/* park_wait: the handler said CALL_PARKED; over(arg, result) runs once when the call has its answer, perhaps at once, on the
 * thread that brings it. */
void park_wait(struct call *c, void (*over)(void *arg, int r), void *arg);

/* --- large.c: requests that are not collected in memory --- */
struct larges;
struct larges *larges_open(const char *dir); /* dir is borrowed: the files have no names in it */
void larges_close(struct larges *a);         /* what waits is given no body; those that are handled go on */
void larges_free(struct larges *a);          /* every request has ended */
struct large *large_begin(struct larges *a); /* NULL: there can be no more now */
int large_write(struct large *l, struct str piece);
/* large_run calls fn with the whole body on another thread, when its turn comes; absent: the cloud is about to stop. The body
 * lives until large_end. false: fn is not called. */
bool large_run(struct large *l, void (*fn)(void *arg, struct str body), void *arg);
void large_end(struct large *l); /* accepts NULL */

/* --- authorize.c --- */
int authorize_call(struct call *c); /* the overlay's checks; 0, or -ECANCELED with the refusal set */
int authorize_ask(struct call *c, const char *action, struct str resource, const struct policy_key *extra, size_t n, bool service_keys,
		  struct str *sentence, struct str *arn); /* 0 allowed, 1 not, negative: could not be decided */
int authorize_denied(struct call *c, const char *action, struct str resource, struct str sentence);

/* --- call.c --- */
void policy_cache_trim(void);  /* between calls of this thread */
void policy_cache_hold(int n); /* +1: a call context stays open on this thread, nothing is trimmed until -1 */

/* --- trail.c --- */
int trail_open(const char *dir, struct trail **ret);
void trail_close(struct trail *t);
void trail_flush(struct trail *t);
bool trail_full(struct trail *t);            /* it cannot be written, and little more can be kept: no call may go unrecorded */
void trail_call(struct call *c, int result); /* appends the CloudTrail record of a finished call */

/* --- runner.c: cloud_run begins it --- */
void runner_stop(struct cloud *cl);
