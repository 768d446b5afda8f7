/* SPDX-License-Identifier: Apache-2.0 */
/* accesslog.c - access and execution logs of stages to CloudWatch Logs: formatted when the answer goes out, put there in batches by a
 * thread of its own, as the role that the account has given API Gateway for it. Full queues and refusals cost log lines, never a visit. */
#include "svc/apigateway/front.h"
#include "svc/services.h"
#include <ctype.h>
#include <errno.h>
#include <pthread.h>

#define QUEUE_MAX 20000
#define LINE_BYTES_MAX 8192
#define BATCH_MAX 1000
#define BATCH_BYTES_MAX 1000000 /* PutLogEvents takes 1 MiB, with 26 bytes more an event */
#define EVENT_BYTES_MORE 26
#define STREAMS_MAX 256
#define PAUSE_MS 300

struct line {
	struct line *next;
	struct cloud *cl;
	struct region *region; /* pinned */
	char account[16];
	int64_t at_ms;
	uint64_t number;
	bool make; /* the group, where there is none */
	size_t group_n, n;
	char text[]; /* the group's name, then the line */
};
struct stream {
	struct region *region;
	char *group;
	char name[33];
	bool made, told; /* told: our own log has it that lines are lost */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static struct line *first, **last = &first;
static size_t n_queue;
static pthread_t thread;
static bool running, closing;
static struct stream streams[STREAMS_MAX]; /* the thread's */
static size_t n_streams;
static bool full_told;

static struct str group_of(const struct line *l)
{
	return str_of(l->text, l->group_n);
}

static struct stream *stream_of(const struct line *l)
{
	struct stream *s;
	uint8_t id[16];

	for (size_t i = 0; i < n_streams; i++)
		if (streams[i].region == l->region && str_eq(str_c(streams[i].group), group_of(l)))
			return &streams[i];
	if (n_streams == STREAMS_MAX)
		return NULL;
	s = &streams[n_streams++];
	*s = (struct stream){ .region = l->region, .group = xzalloc(l->group_n + 1) };
	memcpy(s->group, l->text, l->group_n);
	random_bytes(id, sizeof id);
	for (size_t i = 0; i < sizeof id; i++)
		(void)snprintf(s->name + 2 * i, 3, "%02x", id[i]);
	return s;
}

/* as_role: the principal that the account lets API Gateway write logs as. */
static int as_role(struct line *l, struct arena *a, struct principal *ret)
{
	const struct identity *id = cloud_identity(l->cl);
	struct apigw_rec_account account;
	struct call c;
	int r = cloud_internal_read(l->cl, l->region, a, &c);

	if (r < 0)
		return r;
	c.svc = &apigateway_service;
	r = apigw_load_account(c.txn, a, str_c(l->account), &account);
	if (r == 0)
		r = account.cloudwatch_role_arn.n && id && id->role_principal
			    ? id->role_principal(&c, account.cloudwatch_role_arn, S("BackplaneAssumeRoleSession"), ret)
			    : -ENOENT;
	cloud_internal_end(&c);
	return r;
}

static bool make_stream(struct line *l, const struct principal *who, const struct call_facts *facts, const struct json *p, struct arena *a)
{
	struct json *group = json_new(a, JSON_OBJECT);
	struct call_error error = { 0 };

	if (cloud_invoke_json(l->cl, l->region, who, facts, "logs", "CreateLogStream", p, a, NULL, &error) == 0)
		return true;
	if (!l->make || !error.err || strcmp(error.err->code, "ResourceNotFoundException") != 0)
		return false;
	json_set_str(a, group, "logGroupName", group_of(l));
	return cloud_invoke_json(l->cl, l->region, who, facts, "logs", "CreateLogGroup", group, a, NULL, &error) == 0 &&
	       cloud_invoke_json(l->cl, l->region, who, facts, "logs", "CreateLogStream", p, a, NULL, &error) == 0;
}

static int by_time(const void *pa, const void *pb)
{
	const struct line *a = *(struct line *const *)pa, *b = *(struct line *const *)pb;

	if (a->at_ms != b->at_ms)
		return a->at_ms < b->at_ms ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

/* What is put at once must be in the order of time; slow visits end after those that began later. */
static void put(struct line **v, size_t n)
{
	struct call_facts facts = { .invoked_by = S("apigateway.amazonaws.com"), .secure_transport = true };
	struct arena a = { 0 };
	struct stream *s = stream_of(v[0]);
	struct json *p = json_new(&a, JSON_OBJECT), *events = json_new(&a, JSON_ARRAY);
	struct principal who = { 0 };
	struct call_error error = { 0 };
	bool *told;
	int r = s ? as_role(v[0], &a, &who) : -ENOSPC;

	qsort(v, n, sizeof(struct line *), by_time);
	facts.request_id = random_uuid(&a);
	json_set_str(&a, p, "logGroupName", group_of(v[0]));
	json_set_str(&a, p, "logStreamName", str_c(s ? s->name : ""));
	if (r == 0 && !s->made)
		s->made = make_stream(v[0], &who, &facts, p, &a);
	for (size_t i = 0; i < n; i++) {
		struct json *e = json_new(&a, JSON_OBJECT);

		json_set_int(&a, e, "timestamp", v[i]->at_ms);
		json_set_str(&a, e, "message", str_of(v[i]->text + v[i]->group_n, v[i]->n));
		json_push(&a, events, e);
	}
	json_set(&a, p, S("logEvents"), events);
	if (r == 0)
		r = cloud_invoke_json(v[0]->cl, v[0]->region, &who, &facts, "logs", "PutLogEvents", p, &a, NULL, &error);
	if (r < 0 && s)
		s->made = false; /* the group may have been made again */
	told = s ? &s->told : &full_told;
	if (r < 0 && !*told)
		log_line(LOG_WARN, "access log: lines to %.*s are lost: %.*s", STR(group_of(v[0])),
			 STR(error.message.p ? error.message : str_c(strerror(-r))));
	*told = r < 0;
	arena_done(&a);
}

static void put_all(struct line *l)
{
	struct line *batch[BATCH_MAX], *rest = NULL, **tail = &rest, *next;
	size_t n = 0, bytes = 0;

	for (; l; l = next) { /* those of the first one's group; the rest comes after */
		next = l->next;
		l->next = NULL;
		if (n == 0 || (n < BATCH_MAX && bytes + l->n + EVENT_BYTES_MORE <= BATCH_BYTES_MAX && l->region == batch[0]->region &&
			       str_eq(group_of(l), group_of(batch[0])) && strcmp(l->account, batch[0]->account) == 0)) {
			batch[n++] = l;
			bytes += l->n + EVENT_BYTES_MORE;
			continue;
		}
		*tail = l;
		tail = &l->next;
	}
	put(batch, n);
	for (size_t i = 0; i < n; i++) {
		region_unuse(batch[i]->region);
		free(batch[i]);
	}
	if (rest) {
		pthread_mutex_lock(&lock); /* back to the head: in order */
		*tail = first;
		if (!first)
			last = tail;
		first = rest;
		pthread_mutex_unlock(&lock);
	}
}

static void *work(void *arg)
{
	pthread_mutex_lock(&lock);
	for (;;) {
		struct timespec until;
		struct line *l;

		while (!first && !closing)
			pthread_cond_wait(&more, &lock);
		if (!first)
			break;
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += PAUSE_MS * 1000000l;
		until.tv_sec += until.tv_nsec / 1000000000l;
		until.tv_nsec %= 1000000000l;
		while (!closing && pthread_cond_timedwait(&more, &lock, &until) == 0)
			; /* lines that come meanwhile go together */
		l = first;
		first = NULL;
		last = &first;
		n_queue = 0;
		pthread_mutex_unlock(&lock);
		put_all(l);
		pthread_mutex_lock(&lock);
	}
	pthread_mutex_unlock(&lock);
	return NULL;
}

/* put_value: one visit is one line, and a value in quotes ends where the format's quotes end. */
static void put_value(struct buf *out, struct str value, bool quoted)
{
	for (size_t k = 0; k < value.n; k++) {
		if (quoted && (value.p[k] == '"' || value.p[k] == '\\'))
			buf_c(out, '\\');
		buf_c(out, (unsigned char)value.p[k] < 32 ? ' ' : value.p[k]);
	}
	if (!value.n)
		buf_c(out, '-');
}

/* format: "$context.x.y" is replaced, "-" where there is nothing. */
static void format(struct visit *v, struct str f, struct buf *out)
{
	bool quoted = false;

	for (size_t i = 0; i < f.n;) {
		struct str rest = str_skip(f, i), value;
		size_t n = 9;

		if (!str_starts(rest, S("$context."))) {
			if (f.p[i] == '\\' && i + 1 < f.n)
				buf_c(out, f.p[i++]);
			else if (f.p[i] == '"')
				quoted = !quoted;
			buf_c(out, f.p[i++]);
			continue;
		}
		while (n < rest.n && (isalnum((unsigned char)rest.p[n]) || rest.p[n] == '_' || rest.p[n] == '-' ||
				      (rest.p[n] == '.' && n + 1 < rest.n && isalnum((unsigned char)rest.p[n + 1]))))
			n++;
		value = visit_context_text(v, str_of(rest.p + 9, n - 9));
		put_value(out, value, quoted);
		i += n;
	}
}

void log_enqueue(struct visit *v, struct str group, int64_t at_ms, struct str text, bool make)
{
	static atomic_uint_fast64_t number;
	struct line *l;

	if (!region_use(v->region))
		return;
	l = xmalloc(sizeof *l + group.n + text.n);
	*l = (struct line){
		.cl = v->cl, .region = v->region, .at_ms = at_ms, .number = number++, .make = make, .group_n = group.n, .n = text.n
	};
	(void)snprintf(l->account, sizeof l->account, "%.*s", STR(v->account));
	memcpy(l->text, group.p, group.n);
	memcpy(l->text + group.n, text.p, text.n);
	pthread_mutex_lock(&lock);
	if (n_queue >= QUEUE_MAX || closing || (!running && pthread_create(&thread, NULL, work, NULL) != 0)) {
		pthread_mutex_unlock(&lock);
		region_unuse(l->region);
		free(l);
		return;
	}
	running = true;
	*last = l;
	last = &l->next;
	n_queue++;
	if (n_queue == 1)
		pthread_cond_signal(&more);
	pthread_mutex_unlock(&lock);
}

void access_log(struct visit *v)
{
	const struct apigw_rec_access_log *l = v->stage.access_log_settings;
	struct buf b;
	struct arn arn;
	struct str group;

	if (!l || !l->format.n || !v->served || arn_parse(l->destination_arn, &arn) < 0 || !str_is(arn.service, "logs") ||
	    !str_starts(arn.resource, S("log-group:")))
		return;
	group = str_skip(arn.resource, 10);
	if (str_ends(group, S(":*")))
		group.n -= 2;
	visit_context_error(v);
	buf_init(&b, LINE_BYTES_MAX);
	format(v, l->format, &b);
	log_enqueue(v, group, v->now_ms, buf_view(&b), false);
	buf_done(&b);
}

void access_log_close(void)
{
	bool was;

	pthread_mutex_lock(&lock);
	was = running;
	closing = true;
	pthread_cond_signal(&more);
	pthread_mutex_unlock(&lock);
	if (was)
		pthread_join(thread, NULL);
	for (size_t i = 0; i < n_streams; i++)
		free(streams[i].group);
	n_streams = 0;
	running = closing = false;
}
