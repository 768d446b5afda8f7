/* SPDX-License-Identifier: Apache-2.0 */
/* functions.h - execution environments of functions: isolated processes that take invocations through the Lambda Runtime API.
 *
 * An environment is one process tree in a sandbox of its own (os/sandbox.h), started for one function version ("spec") and
 * kept warm between invocations, one at a time. This module starts, reuses, freezes, ends and watches environments; it knows
 * nothing of AWS accounts, policies or concurrency limits: the Lambda service decides whether an invocation may run at all.
 * Sources: "Using the Lambda runtime API for custom runtimes", "Understanding the Lambda execution environment lifecycle"
 * (AWS Lambda Developer Guide). */
#pragma once
#include "base/arena.h"
#include "base/str.h"
#include "base/util.h"

struct functions; /* all environments of one cloud */
struct http_server;

struct fn_spec {            /* one function version as it is configured; copied by functions_invoke when it starts an environment */
	struct str key;     /* same key: same code and configuration. A new revision has a new key */
	struct str runtime; /* "nodejs24.x", "python3.12" */
	struct str handler, code_dir;
	struct str layer_dirs[5]; /* read-only folders, lowest first; seen together as /opt */
	size_t n_layers;
	struct str region, arn; /* the function's, for messages and the sandbox's name */
	uint32_t memory_mb, ephemeral_mb, timeout_ms, init_timeout_ms;
	/* Gives what a new environment's process sees: its variables (credentials of the execution role, AWS_LAMBDA_..., the
	 * function's own), into the arena, and until when its credentials are good (by clock_now_ms(), which is compared; 0: for
	 * good). "{environment}" in AWS_LAMBDA_LOG_STREAM_NAME becomes the environment's id. On a thread of this module.
	 * Negative: it cannot start. */
	int (*variables)(void *arg, struct arena *a, struct str_pair **ret, size_t *ret_n, int64_t *ret_expires_ms);
	/* Text that a process wrote (complete lines, or the rest at its end), for the log; on a thread of this module. A carriage
	 * return inside a line is a line break inside of one event, as AWS's own runtimes write it. request_id is absent for
	 * what is written outside of an invocation (while it starts). */
	void (*log)(void *arg, struct str environment, struct str request_id, struct str lines, int64_t at_ms);
	/* Only of environments that functions_provision asked for: one is up (error_type is absent), or its start went wrong; on a
	 * thread of this module. May be NULL. */
	void (*up)(void *arg, struct str environment, int64_t init_us, struct str error_type);
	/* The spec's copy is gone: no further call with arg. Called once for each functions_invoke and functions_provision, on a
	 * thread of this module: when no new environment was needed, or when those that were made of it are gone. */
	void (*release)(void *arg);
	void *arg;
};
/* Takes an answer while it is made. Both get the arg of functions_invoke's done, on a thread of this module, and must not block. */
struct fn_sink {
	/* The function answers as a stream, of this type (absent: it did not say). What it writes follows. */
	void (*begin)(void *arg, struct str content_type);
	/* Takes what it can of a piece. If that is not all, the function's writes wait until functions_resume. */
	size_t (*write)(void *arg, struct str piece);
};
struct fn_event { /* copied */
	struct str request_id, payload;
	struct str trace, client_context, cognito_identity; /* absent: no such header */
	struct str function_arn;                            /* as invoked: with version or alias */
	uint32_t timeout_ms;
	const struct fn_sink *sink; /* not copied; NULL: every answer is collected */
};
enum fn_outcome {
	FN_DONE,      /* payload is the handler's answer; when streamed, error_type and it are of an error after the answer's beginning */
	FN_FAILED,    /* the handler or its start reported an error: payload is its JSON, error_type its type */
	FN_TIMED_OUT, /* ended by us */
	FN_EXITED,    /* the process ended before it answered: exit_text ("exit status 1", "signal: killed") */
	FN_NO_MEMORY, /* ended by the kernel, over its memory limit */
	FN_REFUSED,   /* no environment could be made or kept here: exit_text says why */
};
struct fn_result { /* lives during the callback */
	enum fn_outcome outcome;
	struct str payload, error_type, exit_text;
	struct str content_type;      /* of the answer, as the runtime said */
	bool streamed;                /* the sink has got the answer, as far as it came */
	struct str environment;       /* its id; the log stream's name ends with it */
	bool cold;                    /* the environment's first invocation */
	bool ahead;                   /* functions_provision had started it: nobody waited for that */
	int64_t init_us, duration_us; /* init_us: of the environment's start with its first invocation, else 0 */
	uint32_t memory_used_mb;
	struct str log_tail; /* last 4 KB that this invocation wrote */
};
struct functions_opts {
	const char *dir;          /* for sockets, scratch and the bootstraps; 0700 */
	const char *runtimes_dir; /* where set-up has put runtimes and SDKs; NULL: look beside the program */
	const char *ca_pem;       /* file that functions trust */
	int endpoint_port;        /* the cloud's port; inside a sandbox 127.0.0.1 answers on it and on 443 */
	struct http_server *http; /* takes the connections that sandboxes make to those */
	int idle_ms;              /* an environment that has waited this long ends; 0: 10 minutes */
	size_t environments_max;  /* 0: a default by memory */
};
int functions_open(const struct functions_opts *o, struct functions **ret);
/* Whoever calls functions_open has a main that calls procd_main (procd/procd.h) when argv[0] is PROCD_WORD: the program starts
 * itself once more for the part that needs rights. functions_close must come before http_stop.
 * functions_close ends every environment; callbacks of invocations under way are called with FN_EXITED before it returns. */
void functions_close(struct functions *f);
/* functions_invoke never blocks. done is called exactly once, on a thread of this module; it must not block. */
void functions_invoke(struct functions *f, const struct fn_spec *s, const struct fn_event *e,
		      void (*done)(void *arg, const struct fn_result *r), void *arg);
/* functions_resume: the sink of this invocation has room again. Any thread, also when it is over already. */
void functions_resume(struct functions *f, struct str request_id);
/* functions_provision keeps n environments of this spec up, whether somebody invokes or not: they are started now, do not end for
 * being idle, are renewed before their credentials end, and started again when they end otherwise. Invocations with the spec's key
 * take them first, and further environments when all are busy. Asked again with the same key it only changes n; 0: no more are
 * kept. Never blocks. */
void functions_provision(struct functions *f, const struct fn_spec *s, uint32_t n);
/* functions_provisioned tells how that stands; false: nothing is kept for that key (yet). */
#define FN_WHY_BYTES 256
struct fn_provisioned {
	uint32_t wanted, ready;
	bool failed; /* several starts in a row went wrong: why says how. It is tried on, ever more rarely */
	bool init;   /* it was the function's own initialization */
	char why[FN_WHY_BYTES];
};
bool functions_provisioned(struct functions *f, struct str key, struct fn_provisioned *ret);
/* functions_provisioned_keys lists what is kept in a region; copies into a. */
size_t functions_provisioned_keys(struct functions *f, struct str region, struct arena *a, struct str **ret);
/* functions_forget ends warm environments whose key begins so (the function was changed or deleted); busy ones end after
 * their invocation. */
void functions_forget(struct functions *f, struct str key_prefix);
/* functions_end_region ends every environment of a region, busy ones too: their invocations, and those that wait to begin, are
 * FN_REFUSED with exit_text saying that the region stops. Never blocks. */
void functions_end_region(struct functions *f, struct str region);
/* functions_isolation tells in words what isolates functions here ("own user, namespaces, cgroup limits, seccomp"), and what does
 * not for want of rights; functions_runtime which program a runtime name means here, absent when it is not there. */
const char *functions_isolation(const struct functions *f);
struct str functions_runtime(const struct functions *f, struct str runtime, struct arena *a);
