/* SPDX-License-Identifier: Apache-2.0 */
/* exchange.h - one HTTP request that is an API call, from its head to its answer; shared by door.c and the files it is helped by.
 *
 * An exchange lives in its request's arena: it is gone once it was answered. Functions that say so answer the client when they
 * refuse; whoever called them only returns then. */
#pragma once
#include "cloud/cloud_int.h"

struct exchange {
	struct store_job job; /* first: the writer thread hands it back */
	struct cloud *cloud;
	struct http_request *http;
	struct wire_route route;
	struct sigv4 sig;
	enum sigv4_fault sig_read; /* of sigv4_read */
	struct principal who;
	struct call_facts facts;
	struct region *region; /* pinned */
	struct call call;
	bool streaming, failed;
	bool found; /* the route is known from the head alone */
	bool begun; /* the request is complete: a call is under way */
	int64_t begun_us;
	atomic_bool replied;
	struct body *sink;          /* the service's */
	struct chunked *chunked;    /* between the connection and the sink */
	struct hash *hash;          /* of a streamed plain body */
	struct large *large;        /* the body, where it is too large for memory */
	struct front_request visit; /* of a service's front: its own, and nothing but sig, who and facts above is used */
};

/* --- answer.c --- */
enum speech { SPEAK_QUERY, SPEAK_EC2, SPEAK_JSON, SPEAK_S3 }; /* whose error codes */
enum speech exchange_speech(const struct exchange *x);
/* These three end the exchange: it is not touched after them. */
void exchange_reply(struct exchange *x, struct wire_reply *w);
void exchange_fail(struct exchange *x); /* the call was refused: x->call.err */
void exchange_refuse(struct exchange *x, const char *code, int status, const char *fmt, ...) _printf_(4, 5);

/* --- signer.c --- */
void signer_read(struct exchange *x); /* the signature's parts, from the head: x->sig and x->sig_read */
/* signer_key finds the key that has signed, and whose it is (x->who). 0, or negative as identity's find_key; wipe it. */
int signer_key(struct exchange *x, struct key_info *ret);
void signer_wipe(const struct exchange *x, const struct key_info *key);
/* signer_check finds the key and checks the signature. Answers the client and returns negative on refusal. body: as sigv4_check. */
int signer_check(struct exchange *x, struct str body);
void signer_refuse(struct exchange *x, enum sigv4_fault f); /* answers */
void signer_refuse_key(struct exchange *x, int why);        /* answers; why: of signer_key */

/* --- upload.c --- */
/* upload_limit: memory is given to large bodies only of those who hold a key: the signature itself is known only with the whole
 * body. May answer the client. */
void upload_limit(struct exchange *x);
/* upload_large: does the body go to a file? Its own operation says how large it may be. May answer the client. */
bool upload_large(struct exchange *x);
/* upload_open, before the first byte of a streamed body: may they, and where do the bytes go (x->sink). Negative: as a handler's
 * result, not answered. */
int upload_open(struct exchange *x);
/* The rest answer the client when they return negative. */
int upload_frame(struct exchange *x); /* how the body is wrapped and protected */
int upload_piece(struct exchange *x, struct str piece);
int upload_end(struct exchange *x); /* it is complete: is it what was signed? */
