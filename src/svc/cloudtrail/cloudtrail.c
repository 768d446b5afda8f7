/* SPDX-License-Identifier: Apache-2.0 */
/* cloudtrail.c - the event history: LookupEvents over the trail that the dispatcher writes.
 *
 * Management events of the region, newest first; in us-east-1 also those of global services, merged by time, as on AWS.
 * Data events (S3 objects) are in the trail too, but not in the event history. Source: "LookupEvents" (AWS CloudTrail API
 * Reference). */
#include "cloud/cloud.h"
#include "gen_cloudtrail.h"
#include "svc/services.h"
#include <errno.h>

#define SCANNED_MAX 200000 /* records one call looks at before it hands back a token */
#define DISORDER_MS 900000 /* no management call takes longer */

struct found {
	struct cloudtrail_event event;
	int64_t time_ms;
	struct trail_cursor at; /* a walk from here meets this event first */
};
struct walk {
	struct call *c;
	const struct cloudtrail_lookup_events_request *in;
	struct trail_cursor cur;
	struct found *v;
	size_t n, cap, max, scanned;
	struct arena scratch;
	bool ended; /* no older event can match */
};

static struct str user_name(const struct json *rec)
{
	const struct json *id = json_getz(rec, "userIdentity");
	struct str type = json_get_str(id, "type"), arn = json_get_str(id, "arn"), name = json_get_str(id, "userName");
	ptrdiff_t slash;

	if (name.p)
		return name;
	if (str_is(type, "Root"))
		return S("root");
	slash = arn.p ? str_rfind_char(arn, '/') : -1;
	return slash >= 0 ? str_skip(arn, (size_t)slash + 1) : STR_NONE;
}

static bool has_resource(const struct json *rec, struct str name)
{
	const struct json *list = json_getz(rec, "resources");

	for (size_t i = 0; json_is(list, JSON_ARRAY) && i < list->n; i++) {
		struct str arn = json_get_str(&list->items[i], "ARN");

		if (str_eq(arn, name) || (arn.n > name.n && str_ends(arn, name) && strchr(":/", arn.p[arn.n - name.n - 1])))
			return true;
	}
	return false;
}

static bool matches(const struct json *rec, const struct cloudtrail_lookup_attribute *a)
{
	struct str k = a->attribute_key, v = a->attribute_value;

	if (str_is(k, "EventId"))
		return str_eq(json_get_str(rec, "eventID"), v);
	if (str_is(k, "EventName"))
		return str_eq(json_get_str(rec, "eventName"), v);
	if (str_is(k, "EventSource"))
		return str_eq(json_get_str(rec, "eventSource"), v);
	if (str_is(k, "ReadOnly"))
		return str_eq(json_get_str(rec, "readOnly"), v);
	if (str_is(k, "Username"))
		return str_eq(user_name(rec), v);
	if (str_is(k, "AccessKeyId"))
		return str_eq(json_get_str(json_getz(rec, "userIdentity"), "accessKeyId"), v);
	if (str_is(k, "ResourceName"))
		return has_resource(rec, v);
	return false; /* ResourceType: records carry none yet, so nothing matches */
}

static void fill(struct walk *w, const struct json *rec, struct str text, int64_t ms)
{
	struct arena *a = w->c->arena;
	const struct json *list = json_getz(rec, "resources");
	struct found f = { .time_ms = ms, .at = w->cur };
	struct cloudtrail_event *e = &f.event;

	e->event_id = str_dup(a, json_get_str(rec, "eventID"));
	e->event_name = str_dup(a, json_get_str(rec, "eventName"));
	e->read_only = str_dup(a, json_get_str(rec, "readOnly"));
	e->event_source = str_dup(a, json_get_str(rec, "eventSource"));
	e->event_time = OPT_TIME(ms);
	if (user_name(rec).p)
		e->username = str_dup(a, user_name(rec));
	if (json_get_str(json_getz(rec, "userIdentity"), "accessKeyId").p)
		e->access_key_id = str_dup(a, json_get_str(json_getz(rec, "userIdentity"), "accessKeyId"));
	e->resources.v = arena_array(a, struct cloudtrail_resource, list ? list->n + 1 : 1);
	for (size_t i = 0; list && i < list->n; i++)
		e->resources.v[e->resources.n++].resource_name = str_dup(a, json_get_str(&list->items[i], "ARN"));
	e->cloud_trail_event = str_dup(a, text);
	vec_push(a, w->v, w->n, w->cap) = f;
}

static int look(struct str text, void *arg)
{
	struct walk *w = arg;
	struct json *rec;
	int64_t ms;

	if (w->n == w->max || w->scanned++ == SCANNED_MAX)
		return 1;
	arena_reset(&w->scratch);
	if (json_parse(&w->scratch, text, &rec, NULL) < 0 || time_parse_iso(json_get_str(rec, "eventTime"), &ms) < 0)
		return 0; /* a damaged line hides no other */
	if (w->in->start_time.has && ms < w->in->start_time.ms) {
		/* Records are in the order in which calls ended: a long upload, begun earlier, may stand before younger ones. */
		w->ended = ms < w->in->start_time.ms - DISORDER_MS && json_to_bool(json_getz(rec, "managementEvent"), true);
		return w->ended;
	}
	if ((w->in->end_time.has && ms > w->in->end_time.ms) || !json_to_bool(json_getz(rec, "managementEvent"), true) ||
	    !str_eq(json_get_str(rec, "recipientAccountId"), w->c->account))
		return 0;
	if (w->in->lookup_attributes.n && !matches(rec, &w->in->lookup_attributes.v[0]))
		return 0;
	fill(w, rec, text, ms);
	return 0;
}

static int walk_trail(struct walk *w, struct region *r)
{
	int e;

	if (w->ended)
		return 0;
	w->cur.before_ms = w->in->end_time.has ? w->in->end_time.ms : 0;
	e = trail_read(r, &w->cur, look, w);
	arena_done(&w->scratch);
	if (e == 0)
		w->ended = true;
	return e < 0 ? e : 0;
}

/* --- tokens: where both walks go on --- */
static struct str cursor_text(struct call *c, const struct walk *w)
{
	return str_printf(c->arena, "%d,%s,%llu", w->ended, w->cur.file, (unsigned long long)w->cur.offset);
}

static int cursor_parse(struct str s, struct walk *w)
{
	struct str ended, rest, file, offset;

	if (!str_cut(s, ',', &ended, &rest) || !str_cut(rest, ',', &file, &offset) || file.n >= sizeof w->cur.file ||
	    str_to_u64(offset, &w->cur.offset) < 0)
		return -EINVAL;
	w->ended = str_is(ended, "1");
	memcpy(w->cur.file, file.p, file.n);
	return 0;
}

/* Takes the newer of the two walks' next events until max are taken; what is left is walked again next time. */
static void merge(struct call *c, struct walk w[2], size_t max, struct cloudtrail_event_list *out)
{
	size_t i[2] = { 0, 0 };

	out->v = arena_array(c->arena, struct cloudtrail_event, max + 1);
	while (out->n < max && (i[0] < w[0].n || i[1] < w[1].n)) {
		int from = i[0] == w[0].n || (i[1] < w[1].n && w[1].v[i[1]].time_ms > w[0].v[i[0]].time_ms);

		out->v[out->n++] = w[from].v[i[from]++].event;
	}
	for (int k = 0; k < 2; k++)
		if (i[k] < w[k].n) {
			w[k].cur = w[k].v[i[k]].at;
			w[k].ended = false;
		}
}

static int cloudtrail_lookup_events(struct call *c, const struct cloudtrail_lookup_events_request *in,
				    struct cloudtrail_lookup_events_response *out)
{
	size_t max = in->max_results.has ? (size_t)in->max_results.v : 50;
	struct walk w[2] = { { .c = c, .in = in, .max = max }, { .c = c, .in = in, .max = max, .ended = true } };
	struct region *global = cloud_global_region(c->cloud);
	struct str token, a, b;
	int r;

	if (in->lookup_attributes.n > 1)
		return call_fail(c, &cloudtrail_err_invalid_lookup_attributes, "You can only lookup events using one attribute at a time.");
	if (in->start_time.has && in->end_time.has && in->start_time.ms > in->end_time.ms)
		return call_fail(c, &cloudtrail_err_invalid_time_range, "The start time must be before the end time.");
	w[1].ended = !str_eq(call_region(c), global->name);
	if (in->event_category.p) /* insight events are computed by nothing yet: there are none */
		return 0;
	if (in->next_token.p && (page_parse(c, in->next_token, &token) < 0 || !str_cut(token, ';', &a, &b) || cursor_parse(a, &w[0]) < 0 ||
				 cursor_parse(b, &w[1]) < 0))
		return call_fail(c, &cloudtrail_err_invalid_next_token, "Invalid token.");
	r = walk_trail(&w[0], c->region);
	if (r == 0)
		r = walk_trail(&w[1], global);
	if (r < 0)
		return r;
	merge(c, w, max, &out->events);
	if (!w[0].ended || !w[1].ended)
		out->next_token = page_token(c, str_printf(c->arena, "%.*s;%.*s", STR(cursor_text(c, &w[0])), STR(cursor_text(c, &w[1]))));
	return 0;
}

const struct cloudtrail_ops cloudtrail_ops = { .lookup_events = cloudtrail_lookup_events };

const struct service cloudtrail_service = {
	.model = &cloudtrail_model,
	.principal = "cloudtrail.amazonaws.com",
};
