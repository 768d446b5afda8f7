/* SPDX-License-Identifier: Apache-2.0 */
/* answers.c - the data plane of custom resources and wait conditions: a PUT to an address that was given out with the request. The
 * address is the only credential: it is signed, names one request, and takes one answer in its time. An answer is stored before it is
 * acknowledged; what it says is judged by the step that waits for it, as on AWS, where the PUT goes to S3. */
#include "cfn/custom.h"
#include "svc/cloudformation/cfn_int.h"
#include <errno.h>

#define ANSWER_BODY_BYTES_MAX (64u << 10) /* read at all; what is over CUSTOM_ANSWER_BYTES_MAX fails the resource */
#define SIGNALS_MAX 1000                  /* that one wait condition handle takes */

struct answer {               /* in the request's arena */
	struct store_job job; /* first */
	struct front_request *visit;
	struct region *region;
	struct custom_place place;
	struct str sealed, unique, signal;
	int64_t now_ms;
	struct arena scratch;
	struct str op, logical; /* whom to wake */
};

static const char refused_mark, open_mark; /* front_request.user before the answer is under way */

static bool claims(struct cloud *cl, const struct http_request *r, struct str host)
{
	return !host.p && str_starts(r->path, S(CUSTOM_PATH));
}

static void reply(struct front_request *f, int status, const char *code, const char *message)
{
	struct arena *a = &f->http->arena;
	struct http_header h[] = { { S("x-amz-request-id"), f->facts.request_id }, { S("Content-Type"), S("application/xml") } };
	struct http_reply r = { .status = status, .headers = h, .n_headers = code ? 2 : 1 };

	if (code)
		r.body = str_printf(a,
				    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>%s</Message><RequestId>%.*s"
				    "</RequestId></Error>",
				    code, message, STR(f->facts.request_id));
	http_reply(f->http, &r);
}

static void refuse(struct front_request *f, int e)
{
	f->user = (void *)(uintptr_t)&refused_mark;
	if (e == -ETIME)
		reply(f, 403, "AccessDenied", "Request has expired");
	else if (e == -EALREADY)
		reply(f, 403, "AccessDenied", "Request has already been answered");
	else if (e == -EFBIG)
		reply(f, 400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size");
	else if (e == -EHOSTDOWN || e == -ENOSPC || e == -EIO)
		reply(f, 503, "ServiceUnavailable", "Please reduce your request rate.");
	else if (e == -EPERM)
		reply(f, 405, "MethodNotAllowed", "The specified method is not allowed against this resource.");
	else
		reply(f, 403, "AccessDenied", "Access Denied");
}

static int place_of(struct front_request *f, struct custom_place *ret)
{
	uint8_t key[32];
	int r;

	ask_key_bytes(f->cloud, key);
	r = custom_target_parse(&f->http->arena, key, f->http->path, f->http->query, clock_now_ms(), ret);
	mem_wipe(key, sizeof key);
	return r;
}

/* Nothing of the body is read for an address that isn't ours. */
static void headers(struct front_request *f)
{
	struct custom_place p;
	int r = str_is(f->http->method, "PUT") ? place_of(f, &p) : -EPERM;

	if (r == 0 && f->http->content_length > ANSWER_BODY_BYTES_MAX)
		r = -EFBIG;
	if (r < 0) {
		f->http->body_mode = HTTP_BODY_REFUSE;
		refuse(f, r);
		return;
	}
	f->user = (void *)(uintptr_t)&open_mark;
	f->http->body_mode = HTTP_BODY_MEMORY;
	f->http->body_max = ANSWER_BODY_BYTES_MAX;
}

/* A handle takes many signals, told apart by their UniqueId. */
static int add_signal(struct answer *x, struct cfn_rec_ask *ask)
{
	struct str_pair *v = arena_array(&x->scratch, struct str_pair, ask->signals.n + 1);

	if (!x->unique.p || str_map_get(&ask->signals, x->unique).p)
		return -EALREADY;
	if (ask->signals.n >= SIGNALS_MAX)
		return -EFBIG;
	memcpy(v, ask->signals.v, ask->signals.n * sizeof *v);
	v[ask->signals.n] = (struct str_pair){ x->unique, x->signal };
	ask->signals = (struct str_map){ v, ask->signals.n + 1 };
	return 0;
}

static int store_answer(struct store_job *j, struct store_txn *t)
{
	struct answer *x = (struct answer *)j;
	struct cfn_rec_ask ask;
	int r;

	arena_reset(&x->scratch);
	r = ask_load(t, &x->scratch, x->place.request_id, &ask);
	if (r < 0)
		return r == -ENOENT ? -EACCES : r;
	if (!str_eq(ask.stack_arn, x->place.stack_id) || !str_eq(ask.logical, x->place.logical))
		return -EACCES;
	if (ask.answered.has)
		return -EALREADY;
	if (ask.deadline.has && x->now_ms > ask.deadline.ms)
		return -ETIME;
	if (ask.handle.v) {
		r = add_signal(x, &ask);
		if (r < 0)
			return r;
	} else {
		ask.answer = x->sealed;
		ask.answered = OPT_TIME(x->now_ms);
	}
	x->op = str_dup(&x->scratch, ask.op);
	x->logical = str_dup(&x->scratch, ask.waiter.p ? ask.waiter : ask.logical);
	return ask_put(t, &ask);
}

static void stored(struct store_job *j, int result)
{
	struct answer *x = (struct answer *)j;
	struct front_request *f = x->visit;
	struct region *r = x->region;
	struct arena scratch = x->scratch;
	struct str op = x->op, logical = x->logical;

	/* The request and with it x may be gone after the reply. */
	if (result < 0)
		refuse(f, result);
	else
		reply(f, 200, NULL, NULL);
	if (result == 0)
		engine_wake_step(op, logical);
	arena_done(&scratch);
	region_unuse(r);
}

/* The body of a signal to a wait condition handle: {"Status", "UniqueId", "Data", "Reason"}. */
static void read_signal(struct answer *x, struct str body)
{
	struct json *j;

	if (json_parse(&x->visit->http->arena, body, &j, NULL) < 0 || !json_getz(j, "UniqueId"))
		return;
	x->unique = json_get_str(j, "UniqueId");
	x->signal = body;
}

static void done(struct front_request *f)
{
	struct answer *x = arena_new(&f->http->arena, struct answer);
	int r = place_of(f, &x->place);

	if (r < 0) {
		refuse(f, r);
		return;
	}
	x->region = front_region(f->cloud, x->place.region);
	if (!x->region) {
		refuse(f, -EHOSTDOWN);
		return;
	}
	f->user = x;
	x->visit = f;
	x->now_ms = clock_now_ms();
	if (f->http->body.n <= CUSTOM_ANSWER_BYTES_MAX)
		read_signal(x, f->http->body);
	x->sealed = state_seal(
		f->cloud, &f->http->arena,
		str_of(f->http->body.p, f->http->body.n <= CUSTOM_ANSWER_BYTES_MAX ? f->http->body.n : CUSTOM_ANSWER_BYTES_MAX + 1));
	x->job.run = store_answer;
	x->job.done = stored;
	store_submit(x->region->store, &x->job);
}

/* Before the body was complete nobody else will reply. */
static void gone(struct front_request *f)
{
	if (f->user == &open_mark)
		refuse(f, -EACCES);
}

const struct front cfn_answers = { .claims = claims, .headers = headers, .done = done, .gone = gone };
