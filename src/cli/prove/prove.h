/* SPDX-License-Identifier: Apache-2.0 */
/* prove.h - `cloudkeep prove STACK`: what the files of this folder share.
 *
 * prove reads what a deployed stack declares and attacks it through the front door: real requests over the network, by
 * principals that it makes for the purpose and removes again. It is a client like any other and knows nothing of the
 * cloud's inside, so that it works against any endpoint that speaks the AWS APIs.
 *
 *   prove.c     the command: options, endpoint, regions, the order of things, the exit status
 *   hit.c       one request as an attacker makes it: signed, presigned, unsigned, altered after signing
 *   api.c       the same for ordinary calls, and their answers read
 *   terraform.c the same for what Terraform has deployed, from its state
 *   targets.c   the stack: its template evaluated against what was deployed
 *   actors.c    principals and other things made for the proof; each is registered before it is made, and removed
 *   report.c    proofs: collected, judged, and written as table, JUnit XML or JSON
 *   attack_*.c  one file per family of promises
 *
 * Rules of every attack. (1) A denial proves something only where the same act is allowed to somebody, so attacks come
 * with a control. (2) An attack that succeeds must not do harm: it aims at an object made for the proof, or at a call
 * that fails anyway after it was authorized, and what it may have changed is registered for undoing first. (3) What could
 * not be tried is said, and never counts as held. */
#pragma once
#include "base/arena.h"
#include "base/json.h"
#include "base/str.h"
#include "base/util.h"
#include "cfn/template.h"
#include "cli/client.h"
#include "http/http.h"
#include "policy/policy.h"
#include "wire/wire.h"
#include <signal.h>

#define PROVE_NAME "cloudkeep-prove"
#define PROVE_PASSWORD_POLICY "AWS::IAM::AccountPasswordPolicy" /* no type of CloudFormation: what Terraform and Pulumi declare */
#define PROVE_PATH "/cloudkeep-prove/"                          /* of IAM principals */
#define PROVE_HEADERS_MAX 16
#define PROVE_TIMEOUT_MS 30000
#define PROVE_REGIONS_MAX 32
#define PROVE_SWEEP_AGE_MS (3600 * 1000LL) /* older principals of ours were left by a run that was killed */

struct creds {
	struct str key_id, secret, token; /* token absent: a long-term key */
};

/* --- the run --- */
struct undo {
	enum undo_kind {
		UNDO_USER,          /* a: name */
		UNDO_ROLE,          /* a: name */
		UNDO_OBJECTS,       /* a: bucket, b: prefix: all versions */
		UNDO_BUCKET_POLICY, /* a: bucket, b: the policy it had, absent: none; only when touched */
		UNDO_KEY,           /* a: key ARN whose deletion was asked for */
		UNDO_HIT,           /* a: what is removed, in words; hit: the call that removes it */
	} kind;
	struct str region, a, b;
	const struct hit *hit;
	bool done;
};
enum verdict { VERDICT_HELD, VERDICT_BROKEN, VERDICT_SKIPPED, VERDICT_UNTRIED };
struct proof {
	struct str region, family;    /* "transport", "access", "encryption", ... */
	struct str promise, declared; /* "takes no plain HTTP"; "DataBucketPolicy, statement TlsOnly", or "baseline" */
	struct str attempt, expected, got, decided;
	struct str request_id, event; /* of a denied call that must be in the trail; absent otherwise */
	enum verdict verdict;
	int64_t took_ms;
};
struct declared {                      /* one resource of the stack, as its template declares it */
	struct str id, type, physical; /* logical id */
	size_t index;                  /* in the template */
	const struct json *props;      /* evaluated; an object */
	const struct json *waived;     /* Metadata "Cloudkeep::Prove": {"Waive": {FAMILY: REASON}}; NULL */
	struct str arn;                /* where the type is known, else absent */
	bool asks;                     /* buckets: writes must ask for the declared encryption */
	struct str canary;             /* buckets: the key of an object put there for the proof; absent: none */
	const struct json *policy;     /* buckets: the policy document that the stack declares for it; NULL */
	struct str policy_id;          /* its logical id */
};
struct stack {
	struct str name, id, region, account, partition;
	bool protected; /* against termination */
	struct template *tpl;
	struct template_ctx ctx;
	struct declared *v;
	size_t n, cap;
	const struct json *params;
	struct xml_node *described; /* of DescribeStacks */
	struct stack *deployed;     /* when another template says what is to be proved: the stack by its own; else NULL */
};
struct unlooked { /* a resource of a type for which there is no attack */
	struct str region, id, type;
};
enum actor { ACTOR_INSIDER, ACTOR_KEYLESS, ACTOR_NEIGHBOUR, ACTOR_NOBODY, ACTOR_DELETER, ACTOR_ASSUMER, ACTOR_COUNT };
struct principal_made {
	struct str name, arn;
	struct creds creds;
	bool ready;
};
struct prove {
	struct arena arena;
	struct client *tls, *plain; /* the same address; neither signs */
	struct str authority;       /* of the address: what goes into Host */
	struct creds caller;        /* whoever runs this */
	struct str stack_name, run; /* run: random, part of all names */
	struct str regions[PROVE_REGIONS_MAX];
	size_t n_regions;
	bool declared_only;  /* no baseline promises */
	int64_t clock_ms;    /* the clock that signatures are checked by, minus ours */
	int64_t started_ms;  /* by the clock that things are dated by: when the first attacker was made */
	struct stack *stack; /* being proved */
	struct principal_made actors[ACTOR_COUNT];
	struct str account;
	struct undo *undo;
	size_t n_undo, cap_undo;
	struct proof *proofs;
	size_t n_proofs, cap_proofs;
	struct str expected; /* the template whose promises are to be proved; absent: the one that was deployed */
	struct unlooked *unlooked;
	size_t n_unlooked, cap_unlooked;
	struct str trouble; /* why something could not be tried; absent */
	bool cleaning;      /* stop is no longer looked at */
	bool silent;        /* the last request had no answer, or one of a cloud in trouble: whatever is missing proves nothing */
};
extern volatile sig_atomic_t prove_stop; /* the number of the signal that asks to end; 0: none */

/* --- hit.c --- */
struct hit {
	const char *service; /* in the signature's scope */
	struct str region;
	struct str host;                /* absent: the endpoint's own */
	struct str method, path, query; /* as they go over the line; path and query already encoded */
	struct http_header headers[PROVE_HEADERS_MAX];
	size_t n_headers;
	struct str body;
	const struct creds *who; /* NULL: no signature */
	bool plain;              /* not over TLS */
	int64_t signed_ago_s;    /* the signature says it was made so long ago */
	int64_t presign_s;       /* > 0: in the query string, valid so long */
	/* what is sent instead of what was signed; absent: no change */
	struct str sent_method, sent_path, sent_query, sent_body, sent_token;
	struct http_header sent_header; /* replaces the header of that name */
	bool drop_token;
};
struct answer {
	int status; /* 0: there was no answer; error says why */
	struct str code, message, request_id;
	struct client_reply reply;
	struct xml_node *xml; /* when the body is XML */
	struct json *json;    /* when it is JSON */
	struct str error;
	int64_t took_ms;
};
void hit_header(struct hit *h, const char *name, struct str value);
int hit(struct prove *p, const struct hit *h, struct answer *ret); /* 0 when there was an answer, whatever it says */
bool answer_ok(const struct answer *a);
struct str answer_header(const struct answer *a, const char *name);

/* --- api.c: requests by service; who NULL is the operator --- */
struct hit hit_query(struct prove *p, const char *service, struct str region, const char *action, const struct creds *who);
void hit_param(struct prove *p, struct hit *h, const char *name, struct str value);
struct hit hit_json(struct prove *p, const char *service, const char *target, struct str region, const struct json *params,
		    const struct creds *who);
/* hit_rest: a call of a REST-JSON service; body NULL: none. */
struct hit hit_rest(struct prove *p, const char *service, struct str region, const char *method, struct str path, const struct json *body,
		    const struct creds *who);
struct json *call_rest(struct prove *p, const char *service, struct str region, const char *method, struct str path,
		       const struct json *body); /* the operator's; an empty object for an empty answer; NULL: p->trouble */
struct hit hit_s3(struct prove *p, struct str region, const char *method, struct str bucket, struct str key, struct str query,
		  const struct creds *who);
/* call_*: the operator's own calls. 0, or -EIO with p->trouble set ("IAM CreateUser: ...") unless quiet. */
int call_hit(struct prove *p, const struct hit *h, const char *what, struct answer *ret);
struct json *call_json(struct prove *p, const char *service, const char *target, struct str region, const struct json *params);
struct xml_node *xml_deep(struct xml_node *n, const char *name);              /* depth first, itself too */
struct json *json_object(struct arena *a, const char *key, struct str value); /* {key: value} */

/* --- targets.c --- */
int stack_read(struct prove *p, struct str region, struct stack **ret); /* -ENOENT: no such stack there; -EIO: p->trouble */
/* stack_open evaluates a stack whose template, names, account, region and rows (with id, type, physical id, index) are set. */
int stack_open(struct prove *p, struct stack *s);
struct declared *stack_find(struct stack *s, struct str id);
struct declared *stack_physical(struct stack *s, const char *type, struct str physical);
bool declared_is(const struct declared *t, const char *type);
struct str declared_waived(const struct declared *t, const char *family); /* the reason, absent: not waived */
struct str prop_str(const struct json *props, const char *path);          /* "A.B" */
const struct json *prop_get(const struct json *props, const char *path);
/* list_of: a property that may be one value or a list of them: the number, and the i-th. */
size_t list_len(const struct json *j);
const struct json *list_at(const struct json *j, size_t i);

/* --- terraform.c --- */
/* terraform_read tells what a state file (or the output of `terraform show -json`; "-": standard input) says as one stack a region;
 * p->regions is set. 0, or negative with p->trouble set. ret has room for PROVE_REGIONS_MAX. */
int terraform_read(struct prove *p, const char *file, struct stack **ret, size_t *ret_n);

/* --- actors.c --- */
int actors_make(struct prove *p, struct stack *const *stacks, size_t n_stacks);
int actor_role(struct prove *p, const char *suffix, struct str *ret_name, struct str *ret_arn); /* trusts the assumer */
struct undo *undo_later(struct prove *p, enum undo_kind kind, struct str region, struct str a, struct str b);
size_t undo_all(struct prove *p); /* how many things could not be removed */
void undo_one(struct prove *p, struct undo *u);
struct undo *undo_hit(struct prove *p, struct str what, const struct hit *h); /* h is copied */
int actor_service_role(struct prove *p, const char *suffix, const char *service,
		       struct str *ret_arn);                               /* trusts a service, may do nothing */
void actors_sweep(struct prove *p, struct stack *const *stacks, size_t n); /* removes what killed runs left behind */
static inline const struct creds *actor(const struct prove *p, enum actor a)
{
	return &p->actors[a].creds;
}

/* --- report.c --- */
struct str who_name(enum actor a); /* "an outsider without policies", ... */
struct promise {                   /* what one or more attempts are about */
	const char *family;
	struct str text, declared;
	const struct declared *target; /* whose waiver counts; may be NULL */
};
/* proof_add appends a proof with its verdict; all strings are copied or live as long as the run. */
struct proof *proof_add(struct prove *p, const struct promise *m, enum verdict v, struct str attempt, struct str expected, struct str got);
void proof_skip(struct prove *p, const struct promise *m, struct str reason);
/* proof_denied makes the attack and judges: held when it was refused with one of codes ("A|B"); broken when it was not refused so;
 * untried when there was no real answer. Returns the proof. */
struct proof *proof_denied(struct prove *p, const struct promise *m, struct str attempt, const struct hit *h, const char *codes,
			   struct answer *ret);
/* proof_allowed is the control: broken when refused. */
struct proof *proof_allowed(struct prove *p, const struct promise *m, struct str attempt, const struct hit *h, struct answer *ret);
/* proof_equal is for what is only read back. */
struct proof *proof_equal(struct prove *p, const struct promise *m, struct str attempt, struct str expected, struct str got);
/* proof_event marks a denied call that the event history must show. */
void proof_event(struct proof *f, const struct answer *a, const char *event);
/* promise_owed: is the promise to be tried? A waiver, or a baseline promise where only declared ones are asked for, gives a
 * skipped proof and false. */
bool promise_owed(struct prove *p, const struct promise *m, bool is_declared);
/* promise_absent says what the stack does not promise, where one would look for it: neither held nor broken. */
void promise_absent(struct prove *p, const struct promise *m, struct str what);
#define BASELINE S("baseline")
#define DENIED "AccessDenied|AccessDeniedException|UnauthorizedOperation|AuthorizationError"

struct report_opts {
	const char *junit; /* file, or NULL */
	bool json, colour;
	size_t left_behind;
};
int report_write(struct prove *p, const struct report_opts *o); /* 0, 1 or 2: the exit status */

/* --- decide.c: who decided, and what a policy would say --- */
/* decided_by reads AWS's sentence: "explicit deny in a resource-based policy". Absent when it says nothing. */
struct str decided_by(struct arena *a, struct str message);
/* policy_says evaluates one policy document of the stack for a request; what it names is put in *ret_sid ("statement TlsOnly"). */
struct policy_ask {
	struct str arn, account; /* the caller; arn absent: anonymous */
	struct str service;      /* the caller is this service */
	struct str action, resource;
	bool plain;
	const struct policy_key *keys; /* more of them */
	size_t n_keys;
	bool entitled; /* the caller's own policies allow everything */
};
enum policy_decision policy_says(struct prove *p, const struct json *doc, enum policy_kind kind, const struct policy_ask *ask,
				 struct str *ret_sid);
/* policies_allow: identity-based documents together, within a boundary (NULL: none). */
bool policies_allow(struct prove *p, const struct json *const *docs, size_t n, const struct json *boundary, const struct policy_ask *ask);
/* statement_name: "statement SID" or "statement 2". */
struct str statement_name(struct arena *a, const struct json *doc, size_t i);

/* --- attack_*.c --- */
/* bucket_ask: what an honest writer adds, so that nothing but what is tried stands in the way. */
void bucket_ask(const struct declared *bucket, struct hit *h);
void attack_access(struct prove *p, struct declared *bucket); /* first: puts the canary */
void attack_transport(struct prove *p, struct declared *bucket);
void attack_encryption(struct prove *p, struct declared *bucket);
void attack_public(struct prove *p, struct declared *bucket);
void attack_versions(struct prove *p, struct declared *bucket);
void attack_key(struct prove *p, struct declared *key);
void attack_role(struct prove *p, struct declared *role);
void attack_parameter(struct prove *p, struct declared *parameter);
void attack_signatures(struct prove *p);
void attack_logs(struct prove *p, struct declared *group);
void attack_passwords(struct prove *p, struct declared *policy);
void attack_function(struct prove *p, struct declared *function);
void attack_isolation(struct prove *p); /* once a region that has functions */
void attack_api(struct prove *p, struct declared *api);
void attack_endpoint(struct prove *p, struct declared *endpoint);
void attack_network(struct prove *p);
/* attack_policies reads whom the documents of the stack's resources let in: no other account, and no service for whomever it acts. */
void attack_policies(struct prove *p);
/* policy_outsiders reads one document: services: a service must say for whom it acts. */
void policy_outsiders(struct prove *p, const char *family, struct str text, const struct declared *owner, const struct json *doc,
		      bool services);
void attack_repository(struct prove *p, struct declared *repository);
void attack_method(struct prove *p, struct declared *method); /* of an API */
void attack_principal(struct prove *p, struct declared *t);   /* a user or a group */
void attack_keep(struct prove *p);
void attack_template(struct prove *p); /* what was deployed against the template that was given */
void attack_trail(struct prove *p);
