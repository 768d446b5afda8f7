/* SPDX-License-Identifier: Apache-2.0 */
/* front_stream.c - function URLs with InvokeMode RESPONSE_STREAM: the body goes to the client while the function makes it. What the
 * function says of status and headers comes ahead of it; without that the answer is 200 and the function's bytes as they are. An
 * error after the beginning breaks the connection off, so that nobody takes half an answer for a whole one.
 * Sources: "Response streaming for Lambda functions", "Invoking a response streaming enabled function using Lambda function URLs". */
#include "svc/lambda/front_int.h"
#include <errno.h>
#include <stdlib.h>

struct url_stream {
	struct visit *v; /* until the reply */
	struct arena arena;
	struct cloud *cloud;
	struct region *region; /* pinned */
	struct functions *functions;
	struct lambda_slot slot;
	struct str request_id;
	struct http_pipe *pipe;
	struct buf prelude;
	bool in_prelude;
	bool refused; /* replied without it: what still comes is nobody's */
};

ptrdiff_t lambda_visit_prelude_end(struct str text, size_t from)
{
	size_t zeros = 0;

	for (size_t i = from; i < text.n; i++) {
		zeros = text.p[i] ? 0 : zeros + 1;
		if (zeros == VISIT_PRELUDE_END_BYTES)
			return (ptrdiff_t)(i + 1 - VISIT_PRELUDE_END_BYTES);
	}
	return -1;
}

int lambda_visit_prelude(struct visit *v, struct str text, int *ret_status)
{
	int64_t status = 200;
	struct json *j;

	if (json_parse(v->arena, str_dup(v->arena, text), &j, NULL) < 0 || !json_is(j, JSON_OBJECT) ||
	    (json_getz(j, "statusCode") && json_to_i64(json_getz(j, "statusCode"), &status) < 0) || status < 200 || status > 599)
		return -EBADMSG;
	lambda_visit_answer_headers(v, j);
	*ret_status = (int)status;
	return 0;
}

/* --- the answer --- */
static void room(void *arg)
{
	struct url_stream *x = arg;

	functions_resume(x->functions, x->request_id);
}

static void reply(struct url_stream *x, int status)
{
	struct visit *v = x->v;

	x->v = NULL;
	x->pipe = http_pipe_new(LAMBDA_PIPE_BYTES, room, x);
	lambda_visit_header(v, "x-amzn-requestid", v->request_id);
	http_pipe_reply(
		v->f->http,
		&(struct http_reply){
			.status = status, .headers = v->headers, .n_headers = v->n_headers, .head = str_is(v->f->http->method, "HEAD") },
		x->pipe);
}

static void refuse(struct url_stream *x, int status, const char *type, struct str text)
{
	struct visit *v = x->v;

	x->v = NULL;
	x->refused = true;
	lambda_visit_refuse(v, status, type, text);
}

static void reply_typed(struct url_stream *x, struct str content_type)
{
	lambda_visit_header(x->v, "content-type", content_type.n ? str_dup(x->v->arena, content_type) : S("application/octet-stream"));
	reply(x, 200);
}

static void on_begin(void *arg, struct str content_type)
{
	struct url_stream *x = arg;

	x->in_prelude = str_is(content_type, VISIT_PRELUDE_TYPE);
	if (x->in_prelude)
		buf_init(&x->prelude, VISIT_PRELUDE_BYTES_MAX);
	else
		reply_typed(x, content_type);
}

/* take_prelude returns how many bytes of the piece belong to the prelude. */
static size_t take_prelude(struct url_stream *x, struct str piece)
{
	size_t had = x->prelude.n;
	ptrdiff_t end;
	int status;

	buf_str(&x->prelude, str_of(piece.p, piece.n < VISIT_PRELUDE_BYTES_MAX - had ? piece.n : VISIT_PRELUDE_BYTES_MAX - had));
	end = lambda_visit_prelude_end(buf_view(&x->prelude), had < VISIT_PRELUDE_END_BYTES ? 0 : had - VISIT_PRELUDE_END_BYTES + 1);
	if (end < 0 && x->prelude.n < VISIT_PRELUDE_BYTES_MAX)
		return piece.n;
	if (end < 0 || lambda_visit_prelude(x->v, str_of(x->prelude.p, (size_t)end), &status) < 0)
		refuse(x, 502, NULL, S("{\"Message\":\"Internal Server Error\"}"));
	else
		reply(x, status);
	x->in_prelude = false;
	return end < 0 ? piece.n : (size_t)end + VISIT_PRELUDE_END_BYTES - had;
}

static size_t on_write(void *arg, struct str piece)
{
	struct url_stream *x = arg;
	size_t taken = x->in_prelude ? take_prelude(x, piece) : 0, n;

	if (x->refused)
		return piece.n;
	while (taken < piece.n && (n = http_pipe_room(x->pipe)) > 0) {
		n = n < piece.n - taken ? n : piece.n - taken;
		http_pipe_put(x->pipe, str_of(piece.p + taken, n));
		taken += n;
	}
	return taken;
}
static const struct fn_sink sink = { on_begin, on_write };

/* never_begun: the invocation is over and nothing was streamed. */
static void never_begun(struct url_stream *x, const struct fn_result *res, const struct call_error *refused)
{
	if (refused) {
		refuse(x, refused->err == &lambda_err_service ? 500 : 502, refused->err->code,
		       S("{\"Message\":\"Internal Server Error\"}"));
	} else if (res->outcome != FN_DONE || res->streamed) {
		lambda_visit_header(x->v, "x-amz-function-error", S("Unhandled"));
		refuse(x, 502, NULL, S("Internal Server Error"));
	} else {
		reply_typed(x, res->content_type);
		http_pipe_end(x->pipe, res->payload, false);
		x->pipe = NULL;
	}
}

static void done(void *arg, const struct fn_result *res, const struct call_error *refused)
{
	struct url_stream *x = arg;

	lambda_leave(x->cloud, &x->slot);
	if (x->v)
		never_begun(x, res, refused);
	if (x->pipe)
		http_pipe_end(x->pipe, S(""), refused || res->outcome != FN_DONE || res->error_type.n);
	region_unuse(x->region);
	buf_done(&x->prelude);
	arena_done(&x->arena);
	free(x);
}

void lambda_visit_stream(struct visit *v, struct lambda_run *run)
{
	struct url_stream *x = xzalloc(sizeof *x);

	x->v = v;
	x->cloud = v->f->cloud;
	x->region = v->region;
	v->region = NULL;
	x->functions = lambda_environments(x->cloud);
	x->slot = v->slot;
	x->request_id = str_dup(&x->arena, v->request_id);
	run->sink = &sink;
	lambda_run_start(x->cloud, x->region, run, done, x);
}
