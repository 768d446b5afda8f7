/* SPDX-License-Identifier: Apache-2.0 */
/* invoke.c - Invoke. A synchronous invocation is a call that waits: it is parked until its environment answers. */
#include "svc/lambda/lambda_int.h"
#include <errno.h>
#include <stdlib.h>

#define TRACE_BYTES_MAX 512

struct waiting {
	struct call_park *park;
	struct cloud *cloud;
	struct lambda_slot slot;
	struct arena arena; /* of what came back */
	const struct desc_error *err;
	struct str message, payload, tail, version, request_id;
	const char *function_error;
	int64_t timeout_s;
	bool want_tail;
};

/* --- the way back --- */
static struct str error_json(struct arena *a, const char *type, struct str message)
{
	struct json *j = json_new(a, JSON_OBJECT);

	json_set_str(a, j, "errorType", str_c(type));
	json_set_str(a, j, "errorMessage", message);
	return json_text(a, j);
}

struct str lambda_result_payload(struct arena *a, struct str request_id, int64_t timeout_s, const struct fn_result *r,
				 const char **ret_error)
{
	*ret_error = r->outcome == FN_DONE ? NULL : "Unhandled";
	switch (r->outcome) {
	case FN_DONE:
		if (r->payload.n <= LAMBDA_SYNC_BYTES_MAX + 100)
			return str_dup(a, r->payload);
		*ret_error = "Unhandled";
		return error_json(a, "Function.ResponseSizeTooLarge",
				  S("Response payload size exceeded maximum allowed payload size (6291556 bytes)."));
	case FN_FAILED:
		return str_dup(a, r->payload);
	case FN_TIMED_OUT:
		return error_json(a, "Sandbox.Timedout",
				  str_printf(a, "RequestId: %.*s Error: Task timed out after %lld.00 seconds", STR(request_id),
					     (long long)timeout_s));
	case FN_NO_MEMORY:
		return error_json(a, "Runtime.OutOfMemory",
				  str_printf(a, "RequestId: %.*s Error: Runtime exited with error: signal: killed", STR(request_id)));
	default:
		return error_json(
			a, "Runtime.ExitError",
			str_is(r->exit_text, "exit status 0") || !r->exit_text.n
				? str_printf(a, "RequestId: %.*s Error: Runtime exited without providing a reason", STR(request_id))
				: str_printf(a, "RequestId: %.*s Error: Runtime exited with error: %.*s", STR(request_id),
					     STR(r->exit_text)));
	}
}

static int answer(struct call *c, void *arg)
{
	struct waiting *w = arg;
	struct lambda_invocation_response *out = c->out;
	int r = 0;

	if (w->err)
		r = lambda_fail(c, w->err, "%.*s", STR(w->message));
	else {
		out->status_code = OPT_INT(200);
		out->payload = str_dup(c->arena, w->payload);
		out->function_error = str_c(w->function_error);
		out->executed_version = str_dup(c->arena, w->version);
		if (w->want_tail)
			out->log_result = base64_encode(c->arena, w->tail);
	}
	arena_done(&w->arena);
	free(w);
	return r;
}

static void came_back(void *arg, const struct fn_result *res, const struct call_error *refused)
{
	struct waiting *w = arg;

	lambda_leave(w->cloud, &w->slot);
	if (refused) {
		w->err = refused->err;
		w->message = str_dup(&w->arena, refused->message);
	} else {
		w->payload = lambda_result_payload(&w->arena, w->request_id, w->timeout_s, res, &w->function_error);
		w->tail = w->want_tail ? str_dup(&w->arena, res->log_tail) : STR_NONE;
	}
	call_unpark(w->park, answer, w);
}

/* --- the way in --- */
static int throttled(struct call *c, const char *reason)
{
	call_extra(c, "Reason", str_c(reason));
	call_header(c, "Retry-After", S("1"));
	return lambda_fail(c, &lambda_err_too_many_requests, "Rate Exceeded.");
}

static int check_payload(struct call *c, struct str *payload, size_t max)
{
	struct json *j;
	size_t at = 0;

	if (payload->n > max)
		return lambda_fail(c, &lambda_err_request_too_large,
				   "Request must be smaller than %zu bytes for the InvokeFunction operation", max);
	if (payload->n == 0) {
		*payload = S("{}");
		return 0;
	}
	if (json_parse(c->arena, *payload, &j, &at) < 0)
		return lambda_fail(c, &lambda_err_invalid_request_content,
				   "Could not parse request body into json: Could not parse payload into json: error at offset %zu", at);
	return 0;
}

/* The tracing header of the caller goes on; without one a new trace begins, which nobody samples. */
struct str lambda_trace(struct arena *a, const struct http_request *http, int64_t now_ms)
{
	struct str given = http ? http_header(http, "x-amzn-trace-id") : STR_NONE;
	struct str id;

	if (given.p && given.n <= TRACE_BYTES_MAX)
		return given;
	id = random_hex(a, 40);
	return str_printf(a, "Root=1-%08llx-%.24s;Parent=%.16s;Sampled=0", (unsigned long long)(now_ms / 1000), id.p, id.p + 24);
}

bool lambda_loops(const struct lambda_rec_function *f, struct str trace, struct str arn)
{
	return !str_is(f->recursion, "Allow") && lambda_lineage(trace, arn) > LAMBDA_RECURSION_MAX;
}

/* The header for an invocation that somebody asks for: this visit is in it. */
static struct str visit(struct call *c, const struct lambda_fn *fn)
{
	return lambda_lineage_add(c->arena, lambda_trace(c->arena, c->http, c->now_ms), lambda_arn(c, fn->account, fn->name, STR_NONE));
}

int lambda_invoke_find(struct call *c, struct str function, struct str qualifier, struct str context64, size_t max,
		       struct lambda_invoking *x)
{
	int r = lambda_find(c, function, qualifier, &x->fn);

	if (r == 0)
		r = lambda_resolve(c, &x->fn, &x->v);
	if (r == 0)
		r = check_payload(c, &x->payload, max);
	if (r == 0 && context64.n > LAMBDA_CONTEXT_BYTES_MAX)
		r = lambda_fail(c, &lambda_err_invalid_request_content, "Client context must be smaller than %d bytes of base64.",
				LAMBDA_CONTEXT_BYTES_MAX);
	if (r == 0 && context64.p && base64_decode(c->arena, context64, &x->context) < 0)
		r = lambda_fail(c, &lambda_err_invalid_request_content, "The client context is not valid base64");
	return r;
}

int lambda_invoke_enter(struct call *c, struct lambda_invoking *x)
{
	const char *reason;
	int r;

	x->trace = visit(c, &x->fn);
	if (lambda_loops(&x->fn.f, x->trace, lambda_arn(c, x->fn.account, x->fn.name, STR_NONE)))
		return lambda_fail(c, &lambda_err_recursive_invocation,
				   "Lambda has detected your function being invoked in a recursive loop with other Amazon Web Services "
				   "resources and stopped your function's invocation.");
	r = lambda_enter(c, &x->fn, x->v.version.v, &x->slot, &reason);
	return r == -EAGAIN ? throttled(c, reason) : r;
}

static int begin(struct call *c, struct lambda_invoking *x, bool tail)
{
	struct call_park *park = call_park(c);
	struct lambda_run run = { .v = &x->v, .account = x->fn.account, .payload = x->payload, .context = x->context };
	struct waiting *w;
	int r;

	if (!park)
		return -EDEADLK;
	r = lambda_invoke_enter(c, x);
	if (r < 0) {
		c->park = NULL; /* it is refused at once */
		return r;
	}
	w = xzalloc(sizeof *w);
	w->slot = x->slot;
	w->park = park;
	w->cloud = c->cloud;
	w->want_tail = tail;
	w->timeout_s = x->v.timeout_s.v;
	w->version = str_dup(&w->arena, lambda_version_text(&w->arena, x->v.version.v));
	w->request_id = str_dup(&w->arena, c->facts.request_id);
	run.trace = x->trace;
	run.request_id = w->request_id;
	run.arn = lambda_arn(c, x->fn.account, x->fn.name, x->fn.qualifier);
	lambda_run_start(c->cloud, c->region, &run, came_back, w);
	return CALL_PARKED;
}

LAMBDA_HANDLER(invoke, invocation_request, invocation_response)
{
	bool event = str_is(in->invocation_type, "Event");
	struct lambda_invoking x = { .payload = in->payload };
	int r;

	if (in->durable_execution_name.p || in->tenant_id.p)
		return call_fail(c, &aws_err_not_implemented, "%s is not implemented by this cloud.",
				 in->tenant_id.p ? "TenantId" : "DurableExecutionName");
	r = lambda_invoke_find(c, in->function_name, in->qualifier, in->client_context,
			       event ? LAMBDA_ASYNC_BYTES_MAX : LAMBDA_SYNC_BYTES_MAX, &x);
	if (r < 0)
		return r;
	if (str_is(in->invocation_type, "DryRun")) {
		out->status_code = OPT_INT(204);
		return 0;
	}
	if (event)
		return lambda_enqueue(c, &x.fn, x.payload, x.context, visit(c, &x.fn));
	return begin(c, &x, str_is(in->log_type, "Tail"));
}
