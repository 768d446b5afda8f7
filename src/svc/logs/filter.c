/* SPDX-License-Identifier: Apache-2.0 */
/* filter.c - searching a group's events, and trying a pattern on messages. Source: FilterLogEvents, TestMetricFilter. */
#include "svc/logs/logs_int.h"
#include "svc/logs/pattern.h"
#include <errno.h>

#define BACKWARD_FROM_MS 1704067200000LL /* 2024-01-01: backwards is not offered before it */

struct filter {
	struct logs_pattern *pattern;
	struct arena scratch;
};

static bool wanted(struct str message, void *arg)
{
	struct filter *f = arg;

	return logs_pattern_matches(f->pattern, message, &f->scratch);
}

int logs_pattern_read(struct call *c, struct str text, struct logs_pattern **ret)
{
	struct str error;

	if (logs_pattern_compile(c->arena, text.p ? text : S(""), ret, &error) < 0)
		return call_fail(c, &logs_err_invalid_parameter, "Invalid filter pattern. %.*s", STR(error));
	return 0;
}

/* A token is the direction, the group and a position, sealed. */
static struct str filter_token(struct call *c, const struct logs_rec_group *g, bool backward, const struct logs_pos *p)
{
	return page_token(c, str_printf(c->arena, "%d %lld %.*s", backward, (long long)g->id.v, STR(logs_pos_text(c->arena, p))));
}

static int filter_resume(struct call *c, const struct logs_rec_group *g, struct str token, struct logs_query *q, struct logs_pos *after)
{
	struct str raw, direction, group;
	int64_t id;

	if (page_parse(c, token, &raw) < 0 || !str_next(&raw, ' ', &direction) || !str_next(&raw, ' ', &group) || !raw.p ||
	    str_to_i64(group, &id) < 0 || id != g->id.v || logs_pos_parse(raw, after) < 0)
		return call_fail(c, &logs_err_invalid_parameter, "The specified nextToken is invalid.");
	q->backward = str_is(direction, "1");
	q->after = after;
	return 0;
}

static int named_streams(struct call *c, const struct logs_rec_group *g, const struct str_list *names, struct logs_query *q)
{
	struct logs_rec_stream *v = arena_array(c->arena, struct logs_rec_stream, names->n);
	size_t n = 0;

	for (size_t i = 0; i < names->n; i++) {
		bool again = false;
		int r;

		for (size_t j = 0; j < i; j++)
			again |= str_eq(names->v[i], names->v[j]);
		if (again)
			continue;
		r = logs_stream_load(c, g, names->v[i], &v[n]);
		if (r < 0)
			return r;
		n++;
	}
	q->streams = v;
	q->n_streams = n;
	return 0;
}

static int acceptable(struct call *c, const struct logs_filter_log_events_request *in)
{
	if (in->log_stream_names.n && in->log_stream_name_prefix.p)
		return call_fail(c, &logs_err_invalid_parameter,
				 "logStreamNames and logStreamNamePrefix are mutually exclusive parameters.");
	if (in->unmask.v)
		return call_fail(c, &logs_err_invalid_parameter, "Data protection, and so unmasking, is not implemented by this cloud.");
	if (in->start_from_head.has && !in->start_from_head.v && in->start_time.has && in->start_time.v < BACKWARD_FROM_MS)
		return call_fail(c, &logs_err_invalid_parameter,
				 "startFromHead can be false only when startTime is on or after January 1, 2024 00:00:00 UTC.");
	return 0;
}

static void answer(struct call *c, const struct logs_found *found, size_t n, bool backward, struct logs_filter_log_events_response *out)
{
	out->events.v = arena_array(c->arena, struct logs_filtered_log_event, n + 1);
	for (size_t i = 0; i < n; i++) {
		const struct logs_found *f = &found[backward ? n - 1 - i : i];

		out->events.v[out->events.n++] = (struct logs_filtered_log_event){
			.log_stream_name = f->stream,
			.timestamp = OPT_INT(f->pos.ms),
			.message = f->message,
			.ingestion_time = OPT_INT(f->pos.ingested),
			.event_id = logs_event_id(c->arena, &f->pos),
		};
	}
	out->searched_log_streams.v = arena_alloc(c->arena, 1); /* empty since 2020 */
}

LOGS_HANDLER(filter_log_events)
{
	struct logs_query q = { .from = in->start_time.has ? in->start_time.v : 0,
				.to = in->end_time.has && in->end_time.v < INT64_MAX ? in->end_time.v + 1 : INT64_MAX,
				.backward = in->start_from_head.has && !in->start_from_head.v,
				.limit = in->limit.has ? (size_t)in->limit.v : LOGS_PAGE_EVENTS_MAX,
				.prefix = in->log_stream_name_prefix,
				.wanted = wanted };
	struct filter f = { 0 };
	struct logs_rec_group g;
	struct logs_found *found;
	struct logs_pos after, at;
	size_t n;
	bool more;
	int r = acceptable(c, in);

	if (r == 0)
		r = logs_group_either(c, in->log_group_name, in->log_group_identifier, &g);
	if (r == 0)
		r = logs_pattern_read(c, in->filter_pattern, &f.pattern);
	if (r == 0 && in->log_stream_names.n)
		r = named_streams(c, &g, &in->log_stream_names, &q);
	if (r == 0 && in->next_token.p)
		r = filter_resume(c, &g, in->next_token, &q, &after);
	if (r < 0)
		return r;
	q.arg = &f;
	r = logs_select(c, &g, &q, &found, &n, &more, &at);
	arena_done(&f.scratch);
	if (r < 0)
		return r;
	answer(c, found, n, q.backward, out);
	if (more)
		out->next_token = filter_token(c, &g, q.backward, &at);
	return 0;
}

LOGS_HANDLER(test_metric_filter)
{
	struct logs_pattern *p;
	struct arena scratch = { 0 };
	int r = logs_pattern_read(c, in->filter_pattern, &p);

	if (r < 0)
		return r;
	out->matches.v = arena_array(c->arena, struct logs_metric_filter_match_record, in->log_event_messages.n);
	for (size_t i = 0; i < in->log_event_messages.n; i++) {
		struct logs_metric_filter_match_record *m = &out->matches.v[out->matches.n];

		if (!logs_pattern_matches(p, in->log_event_messages.v[i], &scratch))
			continue;
		m->event_number = OPT_INT((int64_t)i + 1);
		m->event_message = in->log_event_messages.v[i];
		logs_pattern_extract(p, m->event_message, c->arena, &m->extracted_values);
		out->matches.n++;
	}
	arena_done(&scratch);
	return 0;
}
