/* SPDX-License-Identifier: Apache-2.0 */
/* private.h - what the files of the serving process's side of src/procd share. Nobody else includes it.
 *
 * functions.c owns the thread, the queue of what others ask for and the link to procd; env.c the life of an environment;
 * api.c the Runtime API's connections; output.c what processes write; runtime.c which program and files a runtime is.
 * Everything but the queue belongs to the one thread. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "http/parse.h"
#include "procd/functions.h"
#include "procd/message.h"
#include <pthread.h>

#define FN_PAYLOAD_BYTES_MAX 6291556     /* of an answer, as AWS's message says */
#define FN_STREAM_BYTES_MAX (200u << 20) /* of an answer that is streamed */
#define FN_TRUNCATED_US 1000000          /* after a stream that broke off: whoever ends says why within that time */
#define FN_DISCARD_BYTES_MAX (64u << 20)
#define FN_HEAD_BYTES_MAX 16384
#define FN_CONNS_MAX 8             /* of one environment to its Runtime API */
#define FN_REPLIES_BYTES_MAX 65536 /* that a process has not read: no more requests of it are */
#define FN_KEEP_BYTES_MAX 262144   /* of a connection's buffers, from one request to the next */
#define FN_LINE_BYTES_MAX (256u << 10)
#define FN_READ_BYTES (64u << 10)
#define FN_TAIL_BYTES 4096
#define FN_DRAIN_READS_MAX 64
#define FN_PIDS_MAX 1024 /* processes and threads, as at AWS */
#define FN_FREEZE_AFTER_MS 20
#define FN_IDLE_DEFAULT_MS 600000
#define FN_EVENTS_MAX 128
#define FN_PROCD_PAUSE_MS 1000 /* between two tries to start procd */
#define FN_ENVIRONMENT_MB 64   /* of this machine's memory for each, at least */
#define FN_STARTS_A_CPU 2      /* environments that start at once: more only take the processors from each other */
#define FN_START_US 3000000    /* one that starts for longer waits for something else and is not counted */
#define FN_PENDING_LOOK_US 50000
#define FN_PROVISION_LOOK_US 1000000  /* credentials end by a clock that may be moved */
#define FN_PROVISION_TRIES 3          /* starts in a row that go wrong before it counts as failed */
#define FN_PROVISION_PAUSE_US 1000000 /* after a start that went wrong; doubled each time */
#define FN_PROVISION_PAUSE_US_MAX 60000000
#define FN_PROVISION_SPARE 4      /* environments that stay free for invocations */
#define FN_EXPIRY_MARGIN_MS 60000 /* of credentials, beyond the invocation's own time */
#define FN_RENEW_AHEAD_MS 60000   /* of environments that are kept up, before that */

enum watch_kind { WATCH_WAKE, WATCH_PROCD, WATCH_OUT, WATCH_ERR, WATCH_API, WATCH_CLOUD, WATCH_NAMES, WATCH_CONN };
struct watch { /* what an epoll event points at */
	enum watch_kind kind;
	int fd;
	void *owner;
};

struct invocation {
	struct invocation *next;
	struct arena arena; /* has everything below */
	struct fn_spec spec;
	struct fn_event event;
	void (*done)(void *arg, const struct fn_result *r);
	void *arg;
	bool spec_taken; /* by an environment: it releases it */
	bool second;     /* its first environment did not come up in time */
	bool streamed;   /* its sink was told that the answer begins */
	struct str content_type;
	uint64_t key_hash;
};

/* Environments of one spec that are kept up (provision.c). */
struct provision {
	struct provision *next;
	struct arena arena; /* of the spec */
	struct fn_spec spec;
	uint64_t key_hash;
	size_t n_envs;     /* those that end, too: what they tell goes to the spec */
	unsigned failures; /* in a row */
	int64_t retry_us;
	struct fn_provisioned state; /* written under the mutex */
};

enum env_state {
	ENV_ORDERED,  /* procd has not answered yet */
	ENV_INIT,     /* runs, has not asked for work yet */
	ENV_IDLE,     /* waits for work */
	ENV_BUSY,     /* has an invocation */
	ENV_SETTLING, /* has answered, has not asked again */
	ENV_ENDING,   /* told to end, or procd is gone */
};
struct output {
	struct buf line; /* of a line that is not complete */
};
struct api_conn;
struct env {
	struct functions *f;
	struct env *prev, *next;
	uint32_t id;
	char name[33];
	struct arena arena;
	struct fn_spec spec;
	uint64_t key_hash;
	enum env_state state;
	struct invocation *inv;
	struct provision *pool;              /* it is kept up for; NULL: it was started for an invocation */
	bool truncated;                      /* its answer broke off */
	bool forget, frozen, cold, v2, gone; /* gone: in the list of those to free after the turn */
	struct watch out, err, listeners[4]; /* Runtime API, 443, the cloud's port, names */
	int peak_fd, freezer_fd;
	uint32_t peak_mb;
	struct output output[2];
	char tail[FN_TAIL_BYTES];
	size_t tail_n; /* bytes ever written into the ring for this invocation */
	struct api_conn *conns;
	size_t n_conns;
	struct api_conn *waiting; /* the one that asked for the next invocation */
	int64_t started_us, init_us, dispatched_us, deadline_us, idle_us, expires_ms;
	struct str last_id; /* of the last invocation that was answered; in last_room */
	char last_room[64];
};

struct api_conn { /* of a process to its Runtime API */
	struct env *env;
	struct api_conn *next; /* of the environment, or of the dead */
	struct watch w;
	struct buf in, body, out;
	size_t out_off;
	struct parse_scan scan;
	struct parse_chunked chunk;
	enum { CONN_READ_HEAD, CONN_READ_BODY, CONN_READ_CHUNKED, CONN_READ_TRAILERS, CONN_DISCARD } step;
	struct arena arena; /* of the request */
	struct http_request r;
	struct parse_info info;
	uint64_t left;
	size_t piece;   /* of a streamed answer: at the beginning of in, not yet taken */
	uint32_t armed; /* epoll events asked for */
	bool want_write, close, dead, too_large;
	bool streaming; /* the request is the answer of env's invocation, which is taken while it comes */
	bool stalled;   /* until functions_resume */
	bool unwanted;  /* the body answers nothing that is asked: it is not kept */
};

struct functions {
	char *dir, *runtimes, *ca_pem, *tag;
	int endpoint_port, idle_ms;
	struct http_server *http;
	size_t environments_max, n_envs;
	pthread_t thread;
	int ep;
	struct watch wake, procd;
	pid_t procd_pid;
	int64_t procd_tried_ms;
	/* under the mutex: */
	pthread_mutex_t mutex;
	pthread_cond_t hello;
	struct invocation *queue, **queue_tail;
	struct str_list forget, ending, resume; /* malloc'd; ending: names of regions; resume: request ids */
	struct provision *asked, **asked_tail;
	struct provision *provisions; /* changed by the thread only: it reads them without */
	bool stop, awake;
	int ready; /* 0: procd has not said hello; 1; or negative errno */
	char words[512];
	/* the thread's own: */
	struct env *envs, *dead_envs;
	struct api_conn *dead_conns;
	struct invocation *pending, **pending_tail; /* until procd says hello, or an environment may start or is free; oldest first */
	size_t starts_max;
	uint32_t last_id;
	int64_t check_us;     /* when the next deadline is due, at the earliest */
	int64_t provision_us; /* when provisions are looked at next */
	char *room;           /* of messages */
	char *read_room;      /* of output and connections */
};

int64_t fn_now_us(void);

/* --- functions.c --- */
void fn_watch(struct functions *f, struct watch *w, uint32_t events); /* adds it to the epoll set */
void fn_unwatch(struct functions *f, struct watch *w);                /* and closes it */
void fn_deadline(struct functions *f, int64_t at_us);
/* fn_out_of_files waits a moment after an accept that failed for want of descriptors: its listener would spin. */
void fn_out_of_files(struct functions *f);
/* fn_finish tells the outcome of an invocation, and frees it. */
void fn_finish(struct invocation *i, const struct fn_result *r);
void fn_refuse(struct invocation *i, const char *why);
void fn_copy_spec(struct arena *a, struct fn_spec *d, const struct fn_spec *s);
void fn_wake(struct functions *f);        /* the thread; under the mutex */
void fn_procd_again(struct functions *f); /* starts procd when it has ended, but not too often */

/* --- env.c --- */
void env_invoke(struct functions *f, struct invocation *i); /* takes it */
void env_started(struct functions *f, struct message *m);
void env_failed(struct functions *f, const struct message *m);
void env_exited(struct functions *f, const struct message *m);
void env_lost(struct env *e, const char *why); /* procd is gone */
void env_end(struct env *e);                   /* is told to; its invocation, if any, must have been finished */
void env_forget(struct functions *f, struct str prefix);
void env_end_region(struct functions *f, struct str region, const char *why);
void env_pending(struct functions *f);                /* once in each turn: starts environments for those that wait, as many as may be */
void env_checks(struct functions *f, int64_t now_us); /* deadlines */
/* What the Runtime API's requests mean: */
void env_ready(struct env *e, struct api_conn *c);                                            /* it asks for work */
void env_answer(struct env *e, enum fn_outcome o, struct str payload, struct str error_type); /* of its invocation */
void env_stream(struct env *e, struct str content_type);                                      /* its answer begins to come */
size_t env_write(struct env *e, struct str piece);                                            /* how much of it was taken */
void env_broken(struct env *e, const char *type, const char *message);                        /* its answer is none: it ends */
void env_cut_off(struct env *e);                                                              /* its answer's connection is gone */
void env_resume(struct functions *f, struct str request_id);
void env_init_error(struct env *e, struct str payload, struct str error_type);
void env_free(struct env *e);
uint64_t env_hash(struct str key);
bool env_may_start(const struct functions *f); /* are not too many starting already? */
bool env_room(struct functions *f);            /* for one more: perhaps by ending one that is idle */
/* env_start_ahead starts an environment that nobody waits for. Negative: it cannot be, with why. */
int env_start_ahead(struct functions *f, struct provision *p, const char **ret_why);

/* --- provision.c --- */
struct provision *provision_take(struct functions *f);                       /* what was asked for; under the mutex */
void provision_apply(struct functions *f, struct provision *list);           /* takes them */
void provision_wake(struct functions *f);                                    /* look at the end of this turn */
void provision_look(struct functions *f, int64_t now_us);                    /* starts and ends environments until all is as asked for */
void provision_up(struct env *e);                                            /* an environment of one is up */
void provision_failed(struct env *e, struct str why, struct str error_type); /* did not come up; error_type: by its own fault */
void provision_lost(struct env *e);                                          /* ended without being told to */
void provision_end_region(struct functions *f, struct str region);
void provision_end_all(struct functions *f); /* no environment is left */

/* --- api.c --- */
void api_accept(struct env *e, int listener);
void api_event(struct api_conn *c, uint32_t events);
void api_send_invocation(struct api_conn *c, const struct invocation *i, int64_t deadline_ms);
void api_resume(struct api_conn *c); /* what it has read is taken again */
void api_drop(struct api_conn *c);   /* closes it; its memory goes after the turn */
void api_free(struct api_conn *c);

/* --- output.c --- */
void output_read(struct env *e, int which);  /* what is there, once */
void output_drain(struct env *e, bool last); /* all that is there; last: also the end of a line that never came */
struct str output_tail(const struct env *e, struct arena *a);

/* --- names.c --- */
#define NAMES_BYTES_MAX 512
/* names_answer writes the answer to a DNS query; 0: it deserves none. */
size_t names_answer(const uint8_t *q, size_t n, uint8_t out[NAMES_BYTES_MAX]);
void names_event(int fd);

/* --- runtime.c --- */
int runtime_write_bootstraps(const char *dir);
/* runtime_order fills in what process to start for this spec: program, files, variables. Negative with why. */
int runtime_order(struct functions *f, const struct fn_spec *s, struct arena *a, const struct str_pair *vars, size_t n_vars,
		  struct start_order *ret, const char **ret_why);
