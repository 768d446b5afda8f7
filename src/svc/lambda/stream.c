/* SPDX-License-Identifier: Apache-2.0 */
/* stream.c - InvokeWithResponseStream: the answer goes to the client while the function makes it, as events PayloadChunk and at last
 * one InvokeComplete. Between function and client lies a pipe of bounded size (http/http.h): where the client does not read, the
 * function's writes wait. A client that goes away changes nothing for the function.
 * Sources: "Response streaming for Lambda functions", "Building a custom runtime", API_InvokeWithResponseStream. */
#include "svc/lambda/lambda_int.h"
#include "wire/eventstream.h"
#include <errno.h>
#include <stdlib.h>

#define FRAME_BYTES 128 /* of an event around its payload, at most */
#define CHUNK_BYTES (64u << 10)

struct streaming { /* until the function is done */
	struct arena arena;
	struct call_park *park; /* until the answer's head is made */
	struct cloud *cloud;
	struct region *region; /* pinned */
	struct functions *functions;
	struct lambda_slot slot;
	struct http_pipe *pipe; /* once the answer has begun */
	struct str version, request_id;
	int64_t timeout_s;
	bool want_tail;
};
struct opening { /* the answer's head, whatever becomes of the stream meanwhile */
	struct arena arena;
	struct http_pipe *pipe;
	struct str version, message;
	const struct desc_error *err;
};

/* --- the answer's head --- */
static void drop_pipe(struct body *b)
{
	http_pipe_drop(b->pipe);
}

static int opened(struct call *c, void *arg)
{
	struct lambda_invoke_with_response_stream_response *out = c->out;
	struct opening *o = arg;
	int r = 0;

	if (o->err) {
		r = lambda_fail(c, o->err, "%.*s", STR(o->message));
	} else {
		out->event_stream = arena_new(c->arena, struct body);
		*out->event_stream = (struct body){ .pipe = o->pipe, .free = drop_pipe };
		out->status_code = OPT_INT(200);
		out->executed_version = str_dup(c->arena, o->version);
		out->response_stream_content_type = S(EVENTSTREAM_TYPE);
	}
	arena_done(&o->arena);
	free(o);
	return r;
}

static void room(void *arg)
{
	struct streaming *x = arg;

	functions_resume(x->functions, x->request_id);
}

static void open_answer(struct streaming *x, const struct call_error *refused)
{
	struct opening *o = xzalloc(sizeof *o);

	if (refused) {
		o->err = refused->err;
		o->message = str_dup(&o->arena, refused->message);
	} else {
		o->pipe = x->pipe = http_pipe_new(LAMBDA_PIPE_BYTES, room, x);
		o->version = str_dup(&o->arena, x->version);
	}
	call_unpark(x->park, opened, o);
}

/* --- its body --- */
static void on_begin(void *arg, struct str content_type)
{
	open_answer(arg, NULL);
}

static void put_chunk(struct buf *b, struct str piece)
{
	eventstream_event(b, S("PayloadChunk"), S("application/octet-stream"), piece);
}

static size_t on_write(void *arg, struct str piece)
{
	struct streaming *x = arg;
	size_t taken = 0, n;
	struct buf b;

	buf_init(&b, CHUNK_BYTES + FRAME_BYTES);
	while (taken < piece.n && (n = http_pipe_room(x->pipe)) > 0) {
		n = n - FRAME_BYTES < CHUNK_BYTES ? n - FRAME_BYTES : CHUNK_BYTES;
		n = n < piece.n - taken ? n : piece.n - taken;
		buf_clear(&b);
		put_chunk(&b, str_of(piece.p + taken, n));
		http_pipe_put(x->pipe, buf_view(&b));
		taken += n;
	}
	buf_done(&b);
	return taken;
}
static const struct fn_sink sink = { on_begin, on_write };

/* --- its end --- */
/* The error that the last event tells of: its code is the error's type. */
static void put_error(struct streaming *x, const struct fn_result *res, const struct call_error *refused, struct json *event)
{
	struct str code = STR_NONE, details = STR_NONE;
	const char *unused;
	struct json *j;

	if (refused) {
		code = str_c(refused->err->code);
		details = refused->message;
	} else if (res->outcome != FN_DONE) {
		details = lambda_result_payload(&x->arena, x->request_id, x->timeout_s, res, &unused);
		code = json_parse(&x->arena, details, &j, NULL) == 0 ? json_get_str(j, "errorType") : STR_NONE;
		code = code.n ? code : S("Unhandled");
	} else if (res->streamed && res->error_type.n) {
		code = res->error_type;
		details = res->payload;
	}
	if (code.p && utf8_valid(code))
		json_set_str(&x->arena, event, "ErrorCode", code);
	if (details.p && utf8_valid(details))
		json_set_str(&x->arena, event, "ErrorDetails", details);
}

static void finish(struct streaming *x, const struct fn_result *res, const struct call_error *refused)
{
	struct json *event = json_new(&x->arena, JSON_OBJECT);
	struct str rest = res && res->outcome == FN_DONE && !res->streamed ? res->payload : S("");
	struct buf b;

	buf_init(&b, SIZE_MAX);
	while (rest.n) {
		struct str piece = str_of(rest.p, rest.n < CHUNK_BYTES ? rest.n : CHUNK_BYTES);

		put_chunk(&b, piece);
		rest = str_skip(rest, piece.n);
	}
	put_error(x, res, refused, event);
	if (x->want_tail && res)
		json_set_str(&x->arena, event, "LogResult", base64_encode(&x->arena, res->log_tail));
	eventstream_event(&b, S("InvokeComplete"), S("application/json"), json_text(&x->arena, event));
	http_pipe_end(x->pipe, buf_view(&b), false);
	buf_done(&b);
}

static void done(void *arg, const struct fn_result *res, const struct call_error *refused)
{
	struct streaming *x = arg;

	lambda_leave(x->cloud, &x->slot);
	if (!x->pipe)
		open_answer(x, refused);
	if (x->pipe)
		finish(x, res, refused);
	region_unuse(x->region);
	arena_done(&x->arena);
	free(x);
}

/* --- the call --- */
static int begin(struct call *c, struct lambda_invoking *in, bool tail)
{
	struct call_park *park = call_park(c);
	struct lambda_run run = { .v = &in->v, .account = in->fn.account, .payload = in->payload, .context = in->context, .sink = &sink };
	struct streaming *x;
	int r;

	if (!park)
		return -EDEADLK;
	r = lambda_invoke_enter(c, in);
	if (r < 0) {
		c->park = NULL; /* it is refused at once */
		return r;
	}
	x = xzalloc(sizeof *x);
	x->park = park;
	x->cloud = c->cloud;
	x->region = c->region;
	(void)region_use(x->region); /* it is in use by this call */
	x->functions = lambda_environments(c->cloud);
	x->slot = in->slot;
	x->want_tail = tail;
	x->timeout_s = in->v.timeout_s.v;
	x->version = str_dup(&x->arena, lambda_version_text(&x->arena, in->v.version.v));
	x->request_id = str_dup(&x->arena, c->facts.request_id);
	run.request_id = x->request_id;
	run.trace = in->trace;
	run.arn = lambda_arn(c, in->fn.account, in->fn.name, in->fn.qualifier);
	lambda_run_start(c->cloud, c->region, &run, done, x);
	return CALL_PARKED;
}

LAMBDA_HANDLER(invoke_with_response_stream, invoke_with_response_stream_request, invoke_with_response_stream_response)
{
	struct lambda_invoking x = { .payload = in->payload };
	int r;

	if (in->tenant_id.p)
		return call_fail(c, &aws_err_not_implemented, "TenantId is not implemented by this cloud.");
	if (!c->http || !c->http->loop)
		return call_fail(c, &aws_err_not_implemented,
				 "InvokeWithResponseStream is not implemented for calls from inside of this cloud.");
	r = lambda_invoke_find(c, in->function_name, in->qualifier, in->client_context, LAMBDA_SYNC_BYTES_MAX, &x);
	if (r < 0)
		return r;
	if (str_is(in->invocation_type, "DryRun")) {
		out->status_code = OPT_INT(204);
		return 0;
	}
	return begin(c, &x, str_is(in->log_type, "Tail"));
}
