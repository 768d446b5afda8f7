/* SPDX-License-Identifier: Apache-2.0 */
/* front_int.h - a request to a function URL, shared by front.c and front_stream.c. */
#pragma once
#include "cloud/front.h"
#include "svc/lambda/lambda_int.h"

#define VISIT_HEADERS_MAX 64
/* What awslambda.HttpResponseStream.from makes: a JSON text of status, headers and cookies, eight NUL bytes, the body. */
#define VISIT_PRELUDE_TYPE "application/vnd.awslambda.http-integration-response"
#define VISIT_PRELUDE_END_BYTES 8
#define VISIT_PRELUDE_BYTES_MAX 65536

struct visit { /* in the request's arena: gone after the reply */
	struct front_request *f;
	struct arena *arena;
	struct region *region; /* pinned while set */
	struct lambda_slot slot;
	struct lambda_rec_url url;
	struct str request_id;
	int64_t timeout_s;
	bool begun;
	struct http_header headers[VISIT_HEADERS_MAX];
	size_t n_headers;
};

/* --- front.c --- */
void lambda_visit_header(struct visit *v, const char *name, struct str value);
void lambda_visit_refuse(struct visit *v, int status, const char *type, struct str text);
void lambda_visit_answer_headers(struct visit *v, const struct json *answer); /* its "headers" and "cookies" */

/* --- front_stream.c --- */
ptrdiff_t lambda_visit_prelude_end(struct str text, size_t from);            /* where the eight NUL bytes begin, or -1 */
int lambda_visit_prelude(struct visit *v, struct str text, int *ret_status); /* takes status and headers over; -EBADMSG */
void lambda_visit_stream(struct visit *v, struct lambda_run *run); /* starts an invocation whose answer is streamed to the client */
