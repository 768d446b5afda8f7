/* SPDX-License-Identifier: Apache-2.0 */
/* async.c - asynchronous invocations: a record and a timed job each, from the moment the caller has its 202 until the last try
 * is over and its outcome is delivered. A process that is killed finds them again, and makes the try that was under way once more.
 * Sources: "How Lambda handles errors and retries with asynchronous invocation", "Capturing records of asynchronous invocations"
 * (Developer Guide). */
#include "store/jobs.h"
#include "svc/lambda/lambda_int.h"
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#define KIND S("lambda/event")
#define ID_DIGITS 24
#define RETRIES_DEFAULT 2
#define AGE_S_DEFAULT 21600
#define FIRST_RETRY_MS 60000
#define SECOND_RETRY_MS 120000
#define BACKOFF_MS 1000 /* when throttled, or when no environment can be had; doubled each time */
#define BACKOFF_MS_MAX 300000
#define LOOK_AGAIN_MS 1800000LL /* longer than any try lasts */
#define UNDER_WAY_SLOTS 256

/* --- what is under way, so that a moved clock starts nothing twice --- */
struct under_way {
	struct under_way *next;
	const struct cloud *cloud;
	char id[ID_DIGITS + 1];
};
static struct under_way *under_way[UNDER_WAY_SLOTS];
static pthread_mutex_t under_way_lock = PTHREAD_MUTEX_INITIALIZER;

static struct under_way **place(const struct cloud *cl, struct str id)
{
	uint32_t h = crc32_ieee(0, id.p, id.n);
	struct under_way **p = &under_way[h % UNDER_WAY_SLOTS];

	while (*p && !((*p)->cloud == cl && str_is(id, (*p)->id)))
		p = &(*p)->next;
	return p;
}

static bool claim(const struct cloud *cl, struct str id)
{
	struct under_way **p, *x;
	bool fresh;

	pthread_mutex_lock(&under_way_lock);
	p = place(cl, id);
	fresh = !*p && id.n == ID_DIGITS;
	if (fresh) {
		x = xzalloc(sizeof *x);
		x->cloud = cl;
		memcpy(x->id, id.p, id.n);
		*p = x;
	}
	pthread_mutex_unlock(&under_way_lock);
	return fresh;
}

static void unclaim(const struct cloud *cl, struct str id)
{
	struct under_way **p, *x;

	pthread_mutex_lock(&under_way_lock);
	p = place(cl, id);
	x = *p;
	if (x)
		*p = x->next;
	pthread_mutex_unlock(&under_way_lock);
	free(x);
}

/* --- records --- */
static int event_get(struct store_txn *t, struct arena *a, struct str id, struct lambda_rec_event *ret)
{
	return lambda_table_get(t, a, S(""), "lambda.queue", id, STR_NONE, LAMBDA_REC_EVENT, ret);
}

static int event_put(struct store_txn *t, const struct lambda_rec_event *e)
{
	int r = lambda_table_put(t, S(""), "lambda.queue", e->id, STR_NONE, LAMBDA_REC_EVENT, e);

	return r < 0 ? r : job_put(t, e->due.ms, KIND, e->id, S(""));
}

static int event_del(struct store_txn *t, struct str id)
{
	int r = lambda_table_del(t, S(""), "lambda.queue", id, STR_NONE), j = job_del(t, KIND, id);

	r = r == -ENOENT ? 0 : r;
	return r < 0 ? r : j == -ENOENT ? 0 : j;
}

int lambda_queue_open(struct store_txn *t, struct arena *a)
{
	struct store_range range = { 0 };
	struct arena one = { 0 }; /* payloads are large: none stays */
	struct waits {
		struct str id;
		int64_t due_ms;
	} *v = NULL;
	struct lambda_rec_event e;
	struct str key, value;
	struct keybuf k;
	size_t n = 0, cap = 0;
	int r;

	lambda_key(&k, S(""), "lambda.queue", STR_NONE);
	r = store_range_open(&range, t, key_view(&k), STR_NONE, false);
	while (r >= 0 && (r = store_range_next(&range, &key, &value)) == 1) {
		arena_reset(&one);
		r = record_decode(&lambda_records, LAMBDA_REC_EVENT, &one, value, &e);
		if (r == 0)
			vec_push(a, v, n, cap) = (struct waits){ str_dup(a, e.id), e.due.ms };
	}
	store_range_close(&range);
	arena_done(&one);
	for (size_t i = 0; i < n && r >= 0; i++)
		r = job_put(t, v[i].due_ms, KIND, v[i].id, S(""));
	return r < 0 ? r : 0;
}

/* --- taking in --- */
struct enqueuing {
	struct store_job job; /* first */
	struct call_park *park;
	struct arena arena;
	struct lambda_rec_event e;
	int result;
};

static int enqueue_run(struct store_job *j, struct store_txn *t)
{
	return event_put(t, &((struct enqueuing *)j)->e);
}

static int enqueued(struct call *c, void *arg)
{
	struct enqueuing *x = arg;
	struct lambda_invocation_response *out = c->out;
	int r = x->result;

	arena_done(&x->arena);
	free(x);
	if (r < 0)
		return r;
	out->status_code = OPT_INT(202);
	cloud_jobs_wake(c->cloud);
	return 0;
}

static void enqueue_done(struct store_job *j, int result)
{
	struct enqueuing *x = (struct enqueuing *)j;

	x->result = result;
	call_unpark(x->park, enqueued, x);
}

int lambda_enqueue(struct call *c, const struct lambda_fn *fn, struct str payload, struct str context, struct str trace)
{
	struct call_park *park = call_park(c);
	struct enqueuing *x;
	struct arena *a;

	if (!park)
		return -EDEADLK;
	x = xzalloc(sizeof *x);
	a = &x->arena;
	x->park = park;
	x->job.run = enqueue_run;
	x->job.done = enqueue_done;
	x->e = (struct lambda_rec_event){ .id = random_hex(a, ID_DIGITS),
					  .account = str_dup(a, fn->account),
					  .name = str_dup(a, fn->name),
					  .qualifier = fn->qualifier.p ? str_dup(a, fn->qualifier) : STR_NONE,
					  .payload = str_dup(a, payload),
					  .accepted = OPT_TIME(c->now_ms),
					  .due = OPT_TIME(c->now_ms),
					  .tries = OPT_INT(0),
					  .request_id = str_dup(a, c->facts.request_id),
					  .trace = str_dup(a, trace),
					  .function_id = str_dup(a, fn->f.id),
					  .context = context.p ? str_dup(a, context) : STR_NONE };
	store_submit(c->region->store, &x->job);
	return CALL_PARKED;
}

/* --- one try --- */
struct trying {
	struct cloud *cloud;
	struct region *region;
	struct arena arena;
	struct lambda_slot slot;
	struct lambda_rec_event e;
	struct lambda_rec_version v;
	struct lambda_rec_event_config config;
	struct str payload; /* what came back */
	const char *error;  /* of the function, or NULL */
	bool again;         /* it could not be tried at all: later, and it does not count */
	bool ended;         /* this process is about to end: nothing is known */
	const char *condition;
};

static void trying_free(struct trying *x)
{
	unclaim(x->cloud, x->e.id);
	arena_done(&x->arena);
	free(x);
}

static int put_run(struct store_txn *t, void *arg)
{
	return event_put(t, arg);
}

static int del_run(struct store_txn *t, void *arg)
{
	return event_del(t, ((struct lambda_rec_event *)arg)->id);
}

/* The record that a destination gets. */
static struct str outcome(struct trying *x)
{
	struct arena *a = &x->arena;
	struct json *o = json_new(a, JSON_OBJECT), *c = json_new(a, JSON_OBJECT), *p, *r = json_new(a, JSON_OBJECT);
	bool expired = strcmp(x->condition, "EventAgeExceeded") == 0;

	json_set_str(a, o, "version", S("1.0"));
	json_set_str(a, o, "timestamp", time_iso_ms(a, clock_now_ms()));
	json_set_str(a, c, "requestId", x->e.request_id);
	json_set_str(a, c, "functionArn",
		     str_printf(a, "arn:%.*s:lambda:%.*s:%.*s:function:%.*s:%.*s", STR(region_partition(x->region->name)),
				STR(x->region->name), STR(x->e.account), STR(x->e.name),
				STR(x->e.qualifier.p ? x->e.qualifier : S(LAMBDA_LATEST))));
	json_set_str(a, c, "condition", str_c(x->condition));
	json_set_int(a, c, "approximateInvokeCount", x->e.tries.v);
	json_set(a, o, S("requestContext"), c);
	if (json_parse(a, x->e.payload, &p, NULL) == 0)
		json_set(a, o, S("requestPayload"), p);
	if (x->e.tries.v && !expired) {
		json_set_int(a, r, "statusCode", 200);
		json_set_str(a, r, "executedVersion", lambda_version_text(a, x->v.version.v));
		if (x->error)
			json_set_str(a, r, "functionError", str_c(x->error));
		json_set(a, o, S("responseContext"), r);
		if (json_parse(a, x->payload, &p, NULL) == 0)
			json_set(a, o, S("responsePayload"), p);
	}
	return json_text(a, o);
}

/* Made by the execution role: it must be allowed to invoke the destination. */
static void deliver(struct trying *x, struct str destination)
{
	struct arena *a = &x->arena;
	struct json *p = json_new(a, JSON_OBJECT);
	struct call_facts facts = { .request_id = random_uuid(a), .user_agent = S("lambda.amazonaws.com"), .secure_transport = true };
	struct call_error err = { 0 };
	struct principal who;
	struct call c;
	int r;

	if (!destination.n || cloud_internal_read(x->cloud, x->region, a, &c) < 0)
		return;
	c.svc = cloud_service(x->cloud, "lambda");
	r = cloud_identity(x->cloud)->role_principal(&c, x->v.role, x->v.name, &who);
	cloud_internal_end(&c);
	if (r == 0) {
		facts.invoked_by = S("lambda.amazonaws.com");
		json_set_str(a, p, "FunctionName", destination);
		json_set_str(a, p, "InvocationType", S("Event"));
		json_set_str(a, p, "Payload", base64_encode(a, outcome(x)));
		r = cloud_invoke_json(x->cloud, x->region, &who, &facts, "lambda", "Invoke", p, a, NULL, &err);
	}
	if (r < 0)
		log_line(LOG_WARN, "%.*s: the outcome of an event of %.*s was not delivered: %s", STR(x->region->name), STR(x->e.name),
			 err.err ? err.err->code : strerror(-r));
}

static int64_t backoff(struct lambda_rec_event *e)
{
	int64_t n = e->refusals.has ? e->refusals.v : 0, ms = n < 10 ? BACKOFF_MS << n : BACKOFF_MS_MAX;

	e->refusals = OPT_INT(n + 1);
	return ms < BACKOFF_MS_MAX ? ms : BACKOFF_MS_MAX;
}

/* On a worker: what the try means for the event. */
static void settle(void *arg)
{
	struct trying *x = arg;
	int64_t retries = x->config.retries.has ? x->config.retries.v : RETRIES_DEFAULT;
	int64_t age_s = x->config.age_s.has ? x->config.age_s.v : AGE_S_DEFAULT, now = clock_now_ms(), wait;

	if (x->ended || !region_use(x->region)) {
		trying_free(x);
		return;
	}
	wait = x->again ? backoff(&x->e) : x->e.tries.v == 1 ? FIRST_RETRY_MS : SECOND_RETRY_MS;
	if (!x->condition && !x->again && !x->error)
		x->condition = "Success";
	else if (!x->condition && !x->again && x->e.tries.v > retries)
		x->condition = "RetriesExhausted";
	else if (!x->condition && now + wait - x->e.accepted.ms > age_s * 1000)
		x->condition = "EventAgeExceeded";
	if (x->condition) {
		deliver(x, strcmp(x->condition, "Success") == 0 ? x->config.on_success : x->config.on_failure);
		(void)store_write(x->region->store, del_run, &x->e);
	} else {
		x->e.due = OPT_TIME(now + wait);
		(void)store_write(x->region->store, put_run, &x->e);
		cloud_jobs_wake(x->cloud);
	}
	region_unuse(x->region);
	trying_free(x);
}

static void came_back(void *arg, const struct fn_result *res, const struct call_error *refused)
{
	struct trying *x = arg;

	lambda_leave(x->cloud, &x->slot);
	x->ended = lambda_draining(x->cloud);
	if (refused)
		x->again = true;
	else {
		x->e.refusals = OPT_INT(0);
		x->e.tries = OPT_INT(x->e.tries.v + 1);
		x->payload = lambda_result_payload(&x->arena, x->e.request_id, x->v.timeout_s.v, res, &x->error);
	}
	lambda_work(x->cloud, settle, x);
}

/* What the event needs, as it is now. 1: the function is gone, and the event with it. */
static int load(struct trying *x, struct call *c, struct lambda_fn *fn)
{
	int r = event_get(c->txn, c->arena, x->e.id, &x->e);

	if (r < 0)
		return r == -ENOENT ? 1 : r;
	*fn = (struct lambda_fn){ .account = x->e.account, .name = x->e.name, .qualifier = x->e.qualifier };
	r = lambda_function_read(c->txn, c->arena, fn->account, fn->name, &fn->f);
	if (r == -ENOENT || (r == 0 && !str_eq(fn->f.id, x->e.function_id)))
		return 1;
	if (r == 0)
		r = lambda_resolve(c, fn, &x->v);
	if (r == -ECANCELED)
		return 1; /* its version or alias went */
	if (r == 0)
		r = lambda_event_read(c->txn, c->arena, fn->account, fn->name, fn->qualifier, &x->config);
	return r == -ENOENT ? 0 : r;
}

static int try_now(struct trying *x, struct call *c, const struct lambda_fn *fn)
{
	int64_t age_s = x->config.age_s.has ? x->config.age_s.v : AGE_S_DEFAULT;
	struct lambda_run run = { .v = &x->v,
				  .account = x->e.account,
				  .payload = x->e.payload,
				  .request_id = x->e.request_id,
				  .trace = x->e.trace,
				  .context = x->e.context };
	const char *reason;

	if (clock_now_ms() - x->e.accepted.ms > age_s * 1000) {
		x->condition = "EventAgeExceeded";
		lambda_work(x->cloud, settle, x);
		return 0;
	}
	if (lambda_loops(&fn->f, x->e.trace, lambda_arn(c, fn->account, fn->name, STR_NONE)))
		x->condition = "RecursiveInvocation";
	else if (fn->f.reserved.has && fn->f.reserved.v == 0)
		x->condition = "ZeroReservedConcurrency"; /* nothing could ever take it: it goes where failures go, at once */
	if (x->condition || lambda_enter(c, fn, x->v.version.v, &x->slot, &reason) < 0) {
		x->again = true;
		lambda_work(x->cloud, settle, x);
		return 0;
	}
	run.arn = str_printf(&x->arena, "arn:%.*s:lambda:%.*s:%.*s:function:%.*s%s%.*s", STR(region_partition(x->region->name)),
			     STR(x->region->name), STR(x->e.account), STR(x->e.name), x->e.qualifier.p ? ":" : "", STR(x->e.qualifier));
	lambda_run_start(x->cloud, x->region, &run, came_back, x);
	return 0;
}

struct later {
	struct str id;
};

/* Only the job is moved: the record keeps when the event is due, for a start after a crash. */
static int look_later(struct store_txn *t, void *arg)
{
	struct later *l = arg;

	return job_put(t, clock_now_ms() + LOOK_AGAIN_MS, KIND, l->id, S(""));
}

int lambda_job(struct cloud *cl, struct region *r, struct str kind, struct str id, struct str payload)
{
	struct trying *x;
	struct lambda_fn fn;
	struct call c;
	int e;

	e = store_write(r->store, look_later, &(struct later){ id });
	if (e < 0 || lambda_draining(cl) || !claim(cl, id))
		return e;
	x = xzalloc(sizeof *x);
	x->cloud = cl;
	x->region = r;
	x->e.id = str_dup(&x->arena, id);
	e = cloud_internal_read(cl, r, &x->arena, &c);
	if (e == 0) {
		c.svc = cloud_service(cl, "lambda");
		e = load(x, &c, &fn);
		if (e == 0)
			e = try_now(x, &c, &fn);
		else {
			if (e == 1)
				e = store_write(r->store, del_run, &x->e);
			trying_free(x);
		}
		cloud_internal_end(&c);
	} else
		trying_free(x);
	return e;
}
