/* SPDX-License-Identifier: Apache-2.0 */
/* deliver.c - brings what subscription filters matched to their functions, after it is durable and until it has arrived, at least
 * once. What is noted are places of chunks; events are read again, and their key is asked for again, when they are sent. A
 * destination that does not take them is tried again, more and more seldom, for a day. Source: "Log group-level subscription
 * filters" (CloudWatch Logs User Guide): the message, and the principal and source ARN of the invocation. */
#include "store/jobs.h"
#include "svc/logs/logs_int.h"
#include "svc/logs/pattern.h"
#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

#define MESSAGE_BYTES_MAX (180 << 10) /* of events in one invocation: zipped and in base64 it stays below what an event may hold */
#define CHUNKS_MAX 256                /* in one invocation */
#define INVOCATIONS_A_ROUND 32        /* then other jobs have their turn */
#define KEEP_MS LOGS_DAY_MS           /* what could not be delivered for so long is dropped */
#define PAUSE_MS 1000                 /* after the first failure; doubled after each */
#define PAUSE_MS_MAX 600000

struct delivery {
	struct cloud *cloud;
	struct region *region;
	struct arena arena; /* of one invocation */
	struct str id, group, account;
	int64_t group_id, filter_id, failures, now_ms;
	struct keybuf prefix;
	struct logs_rec_filter filter;
	bool gone;         /* group or filter are there no more */
	struct str stream; /* of this invocation's events */
	struct str *keys;  /* of what is done by this invocation */
	size_t n, cap;
	struct json *events;
	size_t bytes;
	bool more; /* something is left in the store */
};

static bool wanted(struct str message, void *arg)
{
	struct arena scratch = { 0 };
	bool r = logs_pattern_matches(arg, message, &scratch);

	arena_done(&scratch);
	return r;
}

static void add_event(struct delivery *d, const struct logs_found *f)
{
	struct json *e = json_new(&d->arena, JSON_OBJECT);

	json_set_str(&d->arena, e, "id", logs_event_id(&d->arena, &f->pos));
	json_set_int(&d->arena, e, "timestamp", f->pos.ms);
	json_set_str(&d->arena, e, "message", f->message);
	json_push(&d->arena, d->events, e);
	d->bytes += f->message.n + LOGS_EVENT_OVERHEAD;
}

/* One noted chunk. 1: it is for another invocation. */
static int add_chunk(struct delivery *d, struct call *c, const struct logs_rec_group *g, struct logs_pattern *p, struct str key,
		     struct str value)
{
	struct str rest = str_skip(key, d->prefix.n), first_text, stream;
	uint64_t noted, stream_id, seq;
	struct logs_found *found;
	size_t n, bytes = 0;
	int64_t first;
	int r;

	if (key_take_u64(&rest, &noted) < 0 || key_take_u64(&rest, &stream_id) < 0 || key_take_u64(&rest, &seq) < 0 ||
	    !str_cut(value, ' ', &first_text, &stream) || str_to_i64(first_text, &first) < 0)
		return -EBADMSG;
	if (d->n && !str_eq(stream, d->stream))
		return 1;
	n = 0;
	if (d->now_ms - (int64_t)noted < KEEP_MS) {
		r = logs_chunk_events(c, g, stream, stream_id, first, seq, wanted, p, &found, &n);
		if (r < 0 && r != -ENOENT)
			return r;
	}
	for (size_t i = 0; i < n; i++)
		bytes += found[i].message.n + LOGS_EVENT_OVERHEAD;
	if (d->events->n && d->bytes + bytes > MESSAGE_BYTES_MAX)
		return 1;
	d->stream = str_dup(&d->arena, stream);
	for (size_t i = 0; i < n; i++)
		add_event(d, &found[i]);
	vec_push(&d->arena, d->keys, d->n, d->cap) = str_dup(&d->arena, key);
	return 0;
}

static int collect(struct delivery *d, struct call *c, const struct logs_rec_group *g)
{
	struct store_range range = { 0 };
	struct str key, value, error;
	struct logs_pattern *p;
	int r;

	if (logs_pattern_compile(&d->arena, d->filter.pattern, &p, &error) < 0)
		return -EBADMSG;
	r = store_range_open(&range, c->txn, key_view(&d->prefix), STR_NONE, false);
	while (r == 0 && (r = store_range_next(&range, &key, &value)) == 1) {
		r = d->n < CHUNKS_MAX ? add_chunk(d, c, g, p, key, value) : 1;
		if (r == 1) {
			d->more = true;
			break;
		}
	}
	store_range_close(&range);
	return r < 0 ? r : 0;
}

/* What the next invocation brings. The group is found by its name, and is another one when its id has changed. */
static int gather(struct delivery *d)
{
	struct logs_rec_group g;
	struct call c;
	int r = cloud_internal_read(d->cloud, d->region, &d->arena, &c);

	if (r < 0)
		return r;
	c.account = d->account;
	c.facts = (struct call_facts){ .request_id = random_uuid(&d->arena), .secure_transport = true };
	d->events = json_new(&d->arena, JSON_ARRAY);
	d->keys = NULL;
	d->n = d->cap = d->bytes = 0;
	d->more = d->gone = false;
	r = logs_group_read(&c, d->group, &g);
	d->gone = r == -ENOENT || (r == 0 && g.id.v != d->group_id);
	if (!d->gone && r == 0) {
		d->gone = true;
		for (size_t i = 0; i < g.filters.n; i++)
			if (g.filters.v[i].id.v == d->filter_id) {
				d->filter = g.filters.v[i];
				d->gone = false;
			}
	}
	r = d->gone ? 0 : r;
	if (r == 0 && !d->gone)
		r = collect(d, &c, &g);
	cloud_internal_end(&c);
	return r;
}

static int gzip(struct arena *a, struct str in, struct str *ret)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)in.p, .avail_in = (uInt)in.n };
	size_t max;
	int r;

	if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	max = deflateBound(&z, in.n);
	z.next_out = arena_alloc(a, max);
	z.avail_out = (uInt)max;
	*ret = str_of((char *)z.next_out, 0);
	r = deflate(&z, Z_FINISH);
	ret->n = z.total_out;
	(void)deflateEnd(&z);
	return r == Z_STREAM_END ? 0 : -EIO;
}

static int invoke_as(struct delivery *d, struct str principal, const struct json *params, struct call_error *e)
{
	struct principal who = { .p = { .type = PRINCIPAL_SERVICE, .service = principal }, .name = principal };
	struct call_facts facts = { .request_id = random_uuid(&d->arena), .secure_transport = true };
	struct str arn = str_printf(&d->arena, "arn:%.*s:logs:%.*s:%.*s:log-group:%.*s", STR(region_partition(d->region->name)),
				    STR(d->region->name), STR(d->account), STR(d->group));

	facts = logs_facts_for(&d->arena, facts, arn, d->account);
	*e = (struct call_error){ 0 };
	return cloud_invoke_json(d->cloud, d->region, &who, &facts, "lambda", "Invoke", params, &d->arena, NULL, e);
}

static int send_events(struct delivery *d)
{
	struct arena *a = &d->arena;
	struct json *m = json_new(a, JSON_OBJECT), *names = json_new(a, JSON_ARRAY), *p = json_new(a, JSON_OBJECT);
	struct call_error e;
	struct str zipped;
	int r;

	json_set_str(a, m, "messageType", S("DATA_MESSAGE"));
	json_set_str(a, m, "owner", d->account);
	json_set_str(a, m, "logGroup", d->group);
	json_set_str(a, m, "logStream", d->stream);
	json_push(a, names, json_new_str(a, d->filter.name));
	json_set(a, m, S("subscriptionFilters"), names);
	json_set(a, m, S("logEvents"), d->events);
	r = gzip(a, json_text(a, m), &zipped);
	if (r < 0)
		return r;
	json_set_str(a, p, "FunctionName", d->filter.destination);
	json_set_str(a, p, "InvocationType", S("Event"));
	json_set_str(a, p, "Payload", base64_encode(a, str_printf(a, "{\"awslogs\":{\"data\":\"%.*s\"}}", STR(base64_encode(a, zipped)))));
	r = invoke_as(d, S("logs.amazonaws.com"), p, &e);
	if (r < 0 && e.err && strcmp(e.err->code, "AccessDeniedException") == 0)
		r = invoke_as(d, str_printf(a, "logs.%.*s.amazonaws.com", STR(d->region->name)), p, &e);
	if (r < 0 && e.err && strcmp(e.err->code, "RequestTooLargeException") == 0) {
		log_line(LOG_WARN, "%.*s: events of log group %.*s are too large to be delivered to %.*s", STR(d->region->name),
			 STR(d->group), STR(d->filter.destination));
		return 0;
	}
	return r;
}

static int forget(struct store_txn *t, void *arg)
{
	struct delivery *d = arg;
	struct store_range range = { 0 };
	struct str key, value;
	int r = 0, left;

	for (size_t i = 0; r == 0 && i < d->n; i++) {
		r = store_del(t, d->keys[i]);
		r = r == -ENOENT ? 0 : r;
	}
	if (r < 0)
		return r;
	r = store_range_open(&range, t, key_view(&d->prefix), STR_NONE, false);
	left = r < 0 ? r : store_range_next(&range, &key, &value);
	for (int i = 0; d->gone && left == 1 && i < CHUNKS_MAX; i++) {
		r = store_del(t, key);
		left = r < 0 ? r : store_range_next(&range, &key, &value);
	}
	store_range_close(&range);
	if (left < 0)
		return left;
	d->more = left == 1;
	if (!d->more)
		return job_del(t, LOGS_JOB_DELIVER, d->id);
	/* it goes on at once; what has failed before counts no more */
	return d->failures ? job_put(t, d->now_ms, LOGS_JOB_DELIVER, d->id, str_printf(&d->arena, "0 %.*s", STR(d->group))) : 0;
}

static int put_off(struct store_txn *t, void *arg)
{
	struct delivery *d = arg;
	int64_t pause = d->failures < 10 ? PAUSE_MS << d->failures : PAUSE_MS_MAX;

	if (pause > PAUSE_MS_MAX)
		pause = PAUSE_MS_MAX;
	return job_put(t, d->now_ms + pause, LOGS_JOB_DELIVER, d->id,
		       str_printf(&d->arena, "%lld %.*s", (long long)d->failures + 1, STR(d->group)));
}

int logs_deliver(struct cloud *cl, struct region *r, struct str id, struct str payload)
{
	struct delivery d = { .cloud = cl, .region = r, .id = id, .now_ms = clock_now_ms() };
	struct str rest = id, group, filter, failures;
	int e = 0;

	if (!str_next(&rest, '/', &d.account) || !str_next(&rest, '/', &group) || !str_next(&rest, '/', &filter) ||
	    str_to_i64(group, &d.group_id) < 0 || str_to_i64(filter, &d.filter_id) < 0 || !str_cut(payload, ' ', &failures, &d.group) ||
	    str_to_i64(failures, &d.failures) < 0)
		return -EINVAL;
	logs_out_key(&d.prefix, d.account, d.group_id, d.filter_id);
	d.more = true;
	for (int i = 0; e == 0 && d.more && i < INVOCATIONS_A_ROUND; i++) {
		arena_reset(&d.arena);
		e = gather(&d);
		if (e == 0 && d.events->n)
			e = send_events(&d);
		if (e == 0)
			e = store_write(r->store, forget, &d);
		if (e < 0)
			e = store_write(r->store, put_off, &d) < 0 ? e : 1;
	}
	arena_done(&d.arena);
	return e < 0 ? e : 0;
}
