/* SPDX-License-Identifier: Apache-2.0 */
/* events.c - events are put into a stream and read from it. Sources: PutLogEvents, GetLogEvents (API Reference). */
#include "svc/logs/logs_int.h"
#include <errno.h>

#define FUTURE_MS (2 * 3600000LL)
#define PAST_MS (14 * LOGS_DAY_MS)

/* Which of the events are taken: those from *first on, before *end. The others are told to the caller. */
static int sort_out(struct call *c, const struct logs_rec_group *g, const struct logs_put_log_events_request *in, size_t *first,
		    size_t *end, struct logs_put_log_events_response *out)
{
	const struct logs_input_log_event *v = in->log_events.v;
	int64_t old = c->now_ms - PAST_MS, cutoff = logs_cutoff_ms(g, c->now_ms);
	size_t n = in->log_events.n, bytes = 0, expired = 0;

	for (size_t i = 0; i < n; i++) {
		bytes += v[i].message.n + LOGS_EVENT_OVERHEAD;
		if (i && v[i].timestamp.v < v[i - 1].timestamp.v)
			return call_fail(c, &logs_err_invalid_parameter,
					 "Log events in a single PutLogEvents request must be in chronological order.");
	}
	if (bytes > LOGS_BATCH_BYTES_MAX)
		return call_fail(c, &logs_err_invalid_parameter, "Upload too large: %zu bytes exceeds limit of %d", bytes,
				 LOGS_BATCH_BYTES_MAX);
	*first = 0;
	*end = n;
	while (*first < n && v[*first].timestamp.v < old)
		++*first;
	while (expired < n && v[expired].timestamp.v < cutoff)
		expired++;
	while (*end > *first && v[*end - 1].timestamp.v > c->now_ms + FUTURE_MS)
		--*end;
	if (*first || expired || *end < n) {
		struct logs_rejected_log_events_info *info = arena_new(c->arena, struct logs_rejected_log_events_info);

		if (*first)
			info->too_old_log_event_end_index = OPT_INT((int64_t)*first);
		if (expired)
			info->expired_log_event_end_index = OPT_INT((int64_t)expired);
		if (*end < n)
			info->too_new_log_event_start_index = OPT_INT((int64_t)*end);
		out->rejected_log_events_info = info;
	}
	if (expired > *first)
		*first = expired;
	if (*end < *first)
		*end = *first;
	if (*end > *first && v[*end - 1].timestamp.v - v[*first].timestamp.v > LOGS_DAY_MS)
		return call_fail(c, &logs_err_invalid_parameter,
				 "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.");
	return 0;
}

LOGS_HANDLER(put_log_events)
{
	struct logs_rec_group g;
	struct logs_rec_stream s, before;
	struct logs_event *v;
	size_t first = 0, end = 0, n;
	int64_t bytes = 0;
	int r = logs_group_load(c, in->log_group_name, &g);

	if (r == 0)
		r = logs_stream_load(c, &g, in->log_stream_name, &s);
	if (r == 0)
		r = sort_out(c, &g, in, &first, &end, out);
	if (r < 0)
		return r;
	before = s;
	n = end - first;
	v = arena_array(c->arena, struct logs_event, n + 1);
	for (size_t i = 0; i < n; i++) {
		const struct logs_input_log_event *e = &in->log_events.v[first + i];

		v[i] = (struct logs_event){ e->timestamp.v, c->now_ms, e->message };
		bytes += (int64_t)e->message.n + LOGS_EVENT_OVERHEAD;
	}
	if (n) {
		if (!s.first.has || v[0].ms < s.first.ms)
			s.first = OPT_TIME(v[0].ms);
		if (!s.last.has || v[n - 1].ms > s.last.ms)
			s.last = OPT_TIME(v[n - 1].ms);
		s.ingested = OPT_TIME(c->now_ms);
		r = logs_append(c, &g, &s, v, n);
		if (r == 0)
			r = logs_stream_put(c->txn, c->account, g.id.v, &before, &s);
		if (r == 0)
			r = logs_size_add(c->txn, c->account, g.id.v, bytes);
	}
	if (in->entity) { /* nothing here is related to entities */
		out->rejected_entity_info = arena_new(c->arena, struct logs_rejected_entity_info);
		out->rejected_entity_info->error_type = S("UnsupportedLogGroupType");
	}
	out->next_sequence_token = str_printf(c->arena, "4%055lld", (long long)s.next.v);
	return r;
}

/* --- reading one stream --- */
/* A token is "f/" or "b/" and a sealed position in this stream. */
static struct str position_token(struct call *c, char direction, const struct logs_pos *p)
{
	return str_printf(c->arena, "%c/%.*s", direction, STR(page_token(c, logs_pos_text(c->arena, p))));
}

static int position_parse(struct call *c, struct str token, struct logs_pos *ret)
{
	struct str raw;

	if (token.n < 2 || token.p[1] != '/' || page_parse(c, str_skip(token, 2), &raw) < 0)
		return -EINVAL;
	return logs_pos_parse(raw, ret);
}

/* The place that an empty page stands at. */
static struct logs_pos nowhere(struct call *c, const struct logs_query *q, const struct logs_pos *after, int64_t stream)
{
	if (after)
		return *after;
	if (q->backward)
		return (struct logs_pos){ .ms = q->to == INT64_MAX ? c->now_ms : q->to, .stream = (uint64_t)stream };
	return (struct logs_pos){ q->from - 1, INT64_MAX, (uint64_t)stream, UINT64_MAX, UINT32_MAX };
}

LOGS_HANDLER(get_log_events)
{
	struct logs_query q = { .from = in->start_time.has ? in->start_time.v : 0,
				.to = in->end_time.has ? in->end_time.v : INT64_MAX,
				.backward = !in->start_from_head.v,
				.limit = in->limit.has ? (size_t)in->limit.v : LOGS_PAGE_EVENTS_MAX };
	struct logs_rec_group g;
	struct logs_rec_stream s;
	struct logs_pos after, at, edge[2];
	struct logs_found *found;
	size_t n;
	bool more;
	int r = logs_group_either(c, in->log_group_name, in->log_group_identifier, &g);

	if (r == 0 && in->unmask.v)
		return call_fail(c, &logs_err_invalid_parameter, "Data protection, and so unmasking, is not implemented by this cloud.");
	if (r == 0)
		r = logs_stream_load(c, &g, in->log_stream_name, &s);
	if (r < 0)
		return r;
	if (in->next_token.p) {
		if ((*in->next_token.p != 'f' && *in->next_token.p != 'b') || position_parse(c, in->next_token, &after) < 0 ||
		    after.stream != (uint64_t)s.id.v)
			return call_fail(c, &logs_err_invalid_parameter, "The specified nextToken is invalid.");
		q.after = &after;
		q.backward = *in->next_token.p == 'b';
	}
	q.streams = &s;
	q.n_streams = 1;
	r = logs_select(c, &g, &q, &found, &n, &more, &at);
	if (r < 0)
		return r;
	out->events.v = arena_array(c->arena, struct logs_output_log_event, n + 1);
	for (size_t i = 0; i < n; i++)
		out->events.v[out->events.n++] = (struct logs_output_log_event){ OPT_INT(found[i].pos.ms), found[i].message,
										 OPT_INT(found[i].pos.ingested) };
	/* Where nothing was found, both ways lead on from the same place, and the way that was taken gives its own token back. */
	edge[0] = edge[1] = nowhere(c, &q, in->next_token.p ? &after : NULL, s.id.v);
	if (n) {
		edge[0] = found[0].pos;
		edge[1] = found[n - 1].pos;
	}
	out->next_backward_token = !n && in->next_token.p && q.backward ? in->next_token : position_token(c, 'b', &edge[0]);
	out->next_forward_token = !n && in->next_token.p && !q.backward ? in->next_token : position_token(c, 'f', &edge[1]);
	return 0;
}
