/* SPDX-License-Identifier: Apache-2.0 */
/* logwriter.c - one thread a cloud puts into CloudWatch Logs what functions wrote, as each function's execution role: what the role
 * may not write is lost without a word to anybody, as on AWS.
 *
 * Each environment has a stream, where events wait packed one behind the other (struct packed, then the text). Nobody who writes
 * waits for more than the lock: what a stream cannot hold any more costs its oldest events, and they are counted. */
#include "svc/lambda/runtime_int.h"
#include <errno.h>
#include <stdlib.h>

#define PAUSE_MS 200                   /* lines that come meanwhile go together */
#define BATCH_BYTES (256 << 10)        /* of one PutLogEvents; more than this wakes the thread early */
#define BATCH_EVENTS_MAX 10000         /* PutLogEvents takes no more */
#define BATCH_SPAN_MS (23LL * 3600000) /* and no batch of more than a day */
#define EVENT_BYTES_MAX (256u << 10)   /* as the longest line that an environment gives (procd/functions.h) */
#define STREAM_BYTES_MAX (4u << 20)
#define ALL_BYTES_MAX (64u << 20)
#define IDLE_MS (30 * 60000) /* no environment waits so long */
#define DENIED_MS 1000       /* until a role that was refused is tried again */

struct packed {
	int64_t at_ms;
	uint32_t n;
};
struct lambda_stream {
	struct lambda_stream *next, *dirty_next;
	struct lambda_logs *l;
	struct arena arena; /* of the names */
	struct str environment, group, name, role, function, format;
	struct region *region;
	char request[64]; /* the invocation that was named last */
	struct buf events;
	size_t skip; /* of events: dropped */
	uint64_t dropped, dropped_bytes;
	int64_t used_ms, again_ms;
	bool made, dirty;
};
struct lambda_logs {
	struct cloud *cloud;
	pthread_mutex_t lock;
	pthread_cond_t more;
	pthread_t thread;
	struct lambda_stream *streams[LAMBDA_COUNT_SLOTS];
	struct lambda_stream *dirty;
	size_t bytes; /* in all streams */
	int64_t swept_ms;
	bool running, stop, hurry, noted;
};

struct lambda_logs *lambda_logs_new(struct cloud *cl)
{
	struct lambda_logs *l = xzalloc(sizeof *l);
	pthread_condattr_t monotonic;

	l->cloud = cl;
	pthread_mutex_init(&l->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&l->more, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return l;
}

static void stream_free(struct lambda_stream *s)
{
	buf_done(&s->events);
	arena_done(&s->arena);
	free(s);
}

/* --- writing to the streams --- */
static size_t slot_of(struct str environment)
{
	uint64_t h = 1469598103934665603u;

	for (size_t i = 0; i < environment.n; i++)
		h = (h ^ (uint8_t)environment.p[i]) * 1099511628211u;
	return h % LAMBDA_COUNT_SLOTS;
}

static struct lambda_stream *stream_new(struct lambda_logs *l, const struct lambda_live *x, struct str environment)
{
	struct lambda_stream *s = xzalloc(sizeof *s);
	struct arena *a = &s->arena;

	s->l = l;
	s->region = x->region;
	s->environment = str_dup(a, environment);
	s->role = str_dup(a, x->v.role);
	s->function = str_dup(a, x->v.name);
	s->format = str_dup(a, x->v.log_format);
	s->group = x->v.log_group.n ? str_dup(a, x->v.log_group) : str_printf(a, "/aws/lambda/%.*s", STR(x->v.name));
	s->name = str_printf(a, "%.*s/[%.*s]%.*s", STR(str_replace(a, str_of(time_iso(a, clock_now_ms()).p, 10), S("-"), S("/"))),
			     STR(lambda_version_text(a, x->v.version.v)), STR(environment));
	buf_init(&s->events, STREAM_BYTES_MAX);
	return s;
}

static void *work(void *arg);

struct lambda_stream *lambda_log_open(struct lambda_live *live, struct str environment, struct str request_id, bool *ret_new,
				      bool *ret_request)
{
	struct lambda_logs *l = lambda_logs(live->cloud);
	struct lambda_stream **slot, *s;

	*ret_new = *ret_request = false;
	if (!environment.n)
		return NULL;
	pthread_mutex_lock(&l->lock);
	if (!l->running && !l->stop)
		l->running = pthread_create(&l->thread, NULL, work, l) == 0;
	if (!l->running || l->stop) {
		pthread_mutex_unlock(&l->lock);
		return NULL;
	}
	slot = &l->streams[slot_of(environment)];
	for (s = *slot; s && !str_eq(s->environment, environment); s = s->next)
		continue;
	if (!s) {
		s = stream_new(l, live, environment);
		s->next = *slot;
		*slot = s;
		*ret_new = true;
	}
	if (request_id.n && request_id.n < sizeof s->request && !str_eq(str_c(s->request), request_id)) {
		memcpy(s->request, request_id.p, request_id.n);
		s->request[request_id.n] = 0;
		*ret_request = true;
	}
	s->used_ms = clock_mono_ms();
	return s;
}

static void drop_oldest(struct lambda_stream *s, size_t need)
{
	size_t from = s->skip;
	struct packed p;

	while (s->skip < s->events.n && s->events.n - s->skip + need > STREAM_BYTES_MAX) {
		memcpy(&p, s->events.p + s->skip, sizeof p);
		s->skip += sizeof p + p.n;
		s->dropped++;
		s->dropped_bytes += p.n;
	}
	s->l->bytes -= s->skip - from;
}

/* The room of what was dropped is taken back at once when a quarter of a stream's is gone: moving costs little then. */
static void make_room(struct lambda_stream *s, size_t need)
{
	if (s->events.n - s->skip + need > STREAM_BYTES_MAX)
		drop_oldest(s, need + STREAM_BYTES_MAX / 4);
	if (s->skip && s->events.n + need > STREAM_BYTES_MAX) {
		s->events.n -= s->skip;
		memmove(s->events.p, s->events.p + s->skip, s->events.n);
		s->skip = 0;
	}
}

static void add(struct lambda_stream *s, struct str text, int64_t at_ms)
{
	struct packed p = { at_ms, (uint32_t)text.n };

	make_room(s, sizeof p + text.n);
	if (s->l->bytes + sizeof p + text.n > ALL_BYTES_MAX) {
		s->dropped++;
		s->dropped_bytes += text.n;
		return;
	}
	buf_put(&s->events, &p, sizeof p);
	buf_str(&s->events, text);
	s->l->bytes += sizeof p + text.n;
}

void lambda_log_event(struct lambda_stream *s, struct str text, int64_t at_ms)
{
	struct lambda_logs *l = s->l;

	for (; text.n > EVENT_BYTES_MAX; text = str_skip(text, EVENT_BYTES_MAX))
		add(s, str_of(text.p, EVENT_BYTES_MAX), at_ms);
	if (text.n)
		add(s, text, at_ms);
	if (!s->dirty) {
		s->dirty = true;
		s->dirty_next = l->dirty;
		l->dirty = s;
		if (!s->dirty_next)
			pthread_cond_signal(&l->more);
	}
	if (!l->hurry && s->events.n - s->skip > BATCH_BYTES) {
		l->hurry = true;
		pthread_cond_signal(&l->more);
	}
}

void lambda_log_close(struct lambda_stream *s)
{
	if (s)
		pthread_mutex_unlock(&s->l->lock);
}

/* --- the thread: from here on without the lock, where nothing else is said --- */
static int as_role(struct lambda_stream *s, struct arena *a, struct principal *ret)
{
	struct call c;
	int r = cloud_internal_read(s->l->cloud, s->region, a, &c);

	if (r < 0)
		return r;
	c.svc = cloud_service(s->l->cloud, "lambda");
	r = cloud_identity(s->l->cloud)->role_principal(&c, s->role, s->function, ret);
	cloud_internal_end(&c);
	return r;
}

struct putting {
	struct lambda_stream *s;
	struct arena *a;
	struct principal who;
	const char *refusal; /* the last one's code */
};

static int ask(struct putting *x, const char *op, const struct json *events)
{
	struct json *p = json_new(x->a, JSON_OBJECT);
	struct call_facts facts = { .request_id = random_uuid(x->a),
				    .invoked_by = S("lambda.amazonaws.com"),
				    .user_agent = S("lambda.amazonaws.com"),
				    .secure_transport = true };
	struct call_error err = { 0 };
	int r;

	json_set_str(x->a, p, "logGroupName", x->s->group);
	if (strcmp(op, "CreateLogGroup") != 0)
		json_set_str(x->a, p, "logStreamName", x->s->name);
	if (events)
		json_set(x->a, p, S("logEvents"), events);
	r = cloud_invoke_json(x->s->l->cloud, x->s->region, &x->who, &facts, "logs", op, p, x->a, NULL, &err);
	x->refusal = r == 0 ? "" : err.err ? err.err->code : strerror(-r);
	return r;
}

static bool refused(const struct putting *x, const char *code)
{
	return strcmp(x->refusal, code) == 0;
}

static int make_stream(struct putting *x)
{
	int r = ask(x, "CreateLogStream", NULL);

	if (r < 0 && refused(x, "ResourceNotFoundException")) {
		r = ask(x, "CreateLogGroup", NULL);
		if (r == 0 || refused(x, "ResourceAlreadyExistsException"))
			r = ask(x, "CreateLogStream", NULL);
	}
	return r < 0 && refused(x, "ResourceAlreadyExistsException") ? 0 : r;
}

static void put_events(struct putting *x, const struct json *events)
{
	struct lambda_stream *s = x->s;
	int r = clock_mono_ms() < s->again_ms ? -EACCES : 0;

	if (r < 0)
		return;
	for (int tries = 0; tries < 2; tries++) { /* the group may have been deleted since */
		if (!s->made)
			r = make_stream(x);
		s->made = r == 0;
		if (r == 0)
			r = ask(x, "PutLogEvents", events);
		if (r == 0 || !s->made || !refused(x, "ResourceNotFoundException"))
			break;
		s->made = false;
		r = 0;
	}
	if (r == 0)
		return;
	s->again_ms = clock_mono_ms() + DENIED_MS;
	if (!s->l->noted)
		log_line(LOG_WARN, "%.*s: what %.*s writes is not logged: %s (said once; others may be so, too)", STR(s->region->name),
			 STR(s->function), x->refusal);
	s->l->noted = true;
}

/* What is no UTF-8 becomes "?": a message is text. */
static struct str clean(struct arena *a, struct str text)
{
	char *p;
	size_t n;

	if (utf8_valid(text))
		return text;
	text = str_dup(a, text);
	p = (char *)(uintptr_t)text.p;
	for (size_t i = 0; i < text.n; i += n) {
		n = utf8_len(p + i, text.n - i);
		if (n == 0) {
			p[i] = '?';
			n = 1;
		}
	}
	return text;
}

static void push(struct arena *a, struct json *events, struct str text, int64_t at_ms)
{
	struct json *e = json_new(a, JSON_OBJECT);

	json_set_int(a, e, "timestamp", at_ms);
	json_set_str(a, e, "message", clean(a, text));
	json_push(a, events, e);
}

static struct str loss(struct lambda_stream *s, struct arena *a, uint64_t n, uint64_t bytes, int64_t at_ms)
{
	if (str_is(s->format, "JSON"))
		return str_printf(
			a,
			"{\"time\":\"%.*s\",\"type\":\"platform.logsDropped\",\"record\":{\"droppedBytes\":%llu,\"droppedRecords\":"
			"%llu,\"reason\":\"The function writes faster than its log takes it.\"}}\n",
			STR(time_iso_ms(a, at_ms)), (unsigned long long)bytes, (unsigned long long)n);
	return str_printf(a, "LOGS_DROPPED Records: %llu\tBytes: %llu\tReason: the function writes faster than its log takes it\n",
			  (unsigned long long)n, (unsigned long long)bytes);
}

/* One batch from the front of all: no longer than PutLogEvents takes, its times in order. Returns where the next begins. */
static size_t put_batch(struct lambda_stream *s, const struct principal *who, struct str all, size_t from, struct str note)
{
	struct arena a = { 0 };
	struct putting x = { s, &a, *who, "" };
	struct json *events = json_new(&a, JSON_ARRAY);
	int64_t first = 0, last = 0;
	size_t at = from;

	while (at < all.n && events->n < BATCH_EVENTS_MAX) {
		struct packed p;

		memcpy(&p, all.p + at, sizeof p);
		if (events->n == 0 && note.n)
			push(&a, events, note, p.at_ms);
		if (events->n == 0)
			first = p.at_ms;
		else if (at > from && (p.at_ms < last || p.at_ms > first + BATCH_SPAN_MS || at - from + sizeof p + p.n > BATCH_BYTES))
			break;
		push(&a, events, str_of(all.p + at + sizeof p, p.n), p.at_ms);
		first = first ? first : p.at_ms;
		last = p.at_ms;
		at += sizeof p + p.n;
	}
	put_events(&x, events);
	arena_done(&a);
	return at;
}

static void put_all(struct lambda_stream *s, struct str all, uint64_t dropped, uint64_t dropped_bytes)
{
	struct arena a = { 0 };
	struct principal who = { 0 };
	struct str note = dropped ? loss(s, &a, dropped, dropped_bytes, clock_now_ms()) : S("");
	int r = as_role(s, &a, &who);

	for (size_t at = 0; r == 0 && at < all.n; note = S(""))
		at = put_batch(s, &who, all, at, note);
	arena_done(&a);
}

/* Locked at begin and end. */
static void flush(struct lambda_logs *l, struct lambda_stream *s)
{
	struct buf events = s->events;
	size_t skip = s->skip;
	uint64_t dropped = s->dropped, dropped_bytes = s->dropped_bytes;

	buf_init(&s->events, STREAM_BYTES_MAX);
	l->bytes -= events.n - skip;
	s->skip = 0;
	s->dropped = s->dropped_bytes = 0;
	s->dirty = false;
	s->dirty_next = NULL;
	pthread_mutex_unlock(&l->lock);
	if (buf_ok(&events) && events.n > skip && region_use(s->region)) {
		put_all(s, str_skip(buf_view(&events), skip), dropped, dropped_bytes);
		region_unuse(s->region);
	}
	buf_done(&events);
	pthread_mutex_lock(&l->lock);
}

static void sweep(struct lambda_logs *l) /* locked */
{
	int64_t now = clock_mono_ms();

	if (now < l->swept_ms + IDLE_MS / 10)
		return;
	l->swept_ms = now;
	for (size_t i = 0; i < ELEMENTS(l->streams); i++)
		for (struct lambda_stream **p = &l->streams[i]; *p;) {
			struct lambda_stream *s = *p;

			if (s->dirty || s->used_ms + IDLE_MS > now) {
				p = &s->next;
				continue;
			}
			*p = s->next;
			stream_free(s);
		}
}

static void *work(void *arg)
{
	struct lambda_logs *l = arg;

	pthread_mutex_lock(&l->lock);
	for (;;) {
		struct timespec until;
		struct lambda_stream *s, *next;

		while (!l->dirty && !l->stop)
			pthread_cond_wait(&l->more, &l->lock);
		if (!l->dirty)
			break;
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += PAUSE_MS * 1000000l;
		until.tv_sec += until.tv_nsec / 1000000000l;
		until.tv_nsec %= 1000000000l;
		while (!l->stop && !l->hurry && pthread_cond_timedwait(&l->more, &l->lock, &until) == 0)
			continue;
		l->hurry = false;
		s = l->dirty;
		l->dirty = NULL;
		for (; s; s = next) {
			next = s->dirty_next;
			flush(l, s);
		}
		sweep(l);
	}
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

void lambda_logs_stop(struct lambda_logs *l)
{
	bool was;

	if (!l)
		return;
	pthread_mutex_lock(&l->lock);
	was = l->running;
	l->running = false;
	l->stop = true;
	pthread_cond_signal(&l->more);
	pthread_mutex_unlock(&l->lock);
	if (was)
		(void)pthread_join(l->thread, NULL);
}

void lambda_logs_free(struct lambda_logs *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < ELEMENTS(l->streams); i++)
		while (l->streams[i]) {
			struct lambda_stream *next = l->streams[i]->next;

			stream_free(l->streams[i]);
			l->streams[i] = next;
		}
	pthread_cond_destroy(&l->more);
	pthread_mutex_destroy(&l->lock);
	free(l);
}
