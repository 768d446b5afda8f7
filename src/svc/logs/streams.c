/* SPDX-License-Identifier: Apache-2.0 */
/* streams.c - log streams: made, listed by name or by their last event, deleted. */
#include "svc/logs/logs_int.h"
#include <errno.h>

void logs_stream_key(struct keybuf *k, struct str account, int64_t group, struct str name)
{
	key_begin(k, account, "logs.stream");
	key_u64(k, (uint64_t)group);
	key_raw(k, name);
}

static void recent_prefix(struct keybuf *k, struct str account, int64_t group)
{
	key_begin(k, account, "logs.recent");
	key_u64(k, (uint64_t)group);
}

static void recent_key(struct keybuf *k, struct str account, int64_t group, const struct logs_rec_stream *s)
{
	recent_prefix(k, account, group);
	key_u64(k, s->last.has ? (uint64_t)s->last.ms : 0);
	key_raw(k, s->name);
}

static int stream_read(struct store_txn *t, struct arena *a, struct str account, int64_t group, struct str name,
		       struct logs_rec_stream *ret)
{
	struct keybuf k;

	logs_stream_key(&k, account, group, name);
	return record_get(t, &logs_records, LOGS_REC_STREAM, a, &k, ret);
}

int logs_stream_load(struct call *c, const struct logs_rec_group *g, struct str name, struct logs_rec_stream *ret)
{
	int r = stream_read(c->txn, c->arena, c->account, g->id.v, name, ret);

	if (r == -ENOENT)
		return call_fail(c, &logs_err_resource_not_found, "The specified log stream does not exist.");
	return r;
}

int logs_stream_put(struct store_txn *t, struct str account, int64_t group, const struct logs_rec_stream *before,
		    const struct logs_rec_stream *s)
{
	bool moved = !before || before->last.has != s->last.has || before->last.ms != s->last.ms;
	struct keybuf k;
	int r = 0;

	if (before && moved) {
		recent_key(&k, account, group, before);
		r = store_del(t, key_view(&k));
	}
	if (r == 0 && moved) {
		recent_key(&k, account, group, s);
		r = store_put(t, key_view(&k), S(""));
	}
	logs_stream_key(&k, account, group, s->name);
	return r < 0 ? r : record_put(t, &logs_records, LOGS_REC_STREAM, &k, s);
}

int logs_stream_drop(struct store_txn *t, struct str account, int64_t group, const struct logs_rec_stream *s)
{
	struct keybuf k;
	int r;

	recent_key(&k, account, group, s);
	r = store_del(t, key_view(&k));
	logs_stream_key(&k, account, group, s->name);
	return r < 0 ? r : store_del(t, key_view(&k));
}

LOGS_HANDLER(create_log_stream)
{
	struct logs_rec_group g;
	struct logs_rec_stream s;
	int r = logs_group_load(c, in->log_group_name, &g);

	if (r < 0)
		return r;
	r = stream_read(c->txn, c->arena, c->account, g.id.v, in->log_stream_name, &s);
	if (r == 0)
		return call_fail(c, &logs_err_resource_already_exists, "The specified log stream already exists");
	if (r != -ENOENT)
		return r;
	s = (struct logs_rec_stream){
		.name = in->log_stream_name, .id = OPT_INT(logs_new_id()), .created = OPT_TIME(c->now_ms), .next = OPT_INT(1)
	};
	return logs_stream_put(c->txn, c->account, g.id.v, NULL, &s);
}

LOGS_HANDLER(delete_log_stream)
{
	struct logs_rec_group g;
	struct logs_rec_stream s;
	int r = logs_group_load(c, in->log_group_name, &g);

	if (r == 0 && g.protected.v)
		return call_fail(c, &logs_err_validation,
				 "The specified log stream cannot be deleted because deletion protection is enabled for its log group.");
	if (r == 0)
		r = logs_stream_load(c, &g, in->log_stream_name, &s);
	if (r == 0)
		r = logs_stream_drop(c->txn, c->account, g.id.v, &s);
	return r < 0 ? r : logs_plan_drop(c, g.id.v, s.id.v);
}

static void describe(struct call *c, const struct logs_rec_group *g, const struct logs_rec_stream *s, struct logs_log_stream *ret)
{
	int64_t cutoff = logs_cutoff_ms(g, c->now_ms);

	*ret = (struct logs_log_stream){ .log_stream_name = s->name,
					 .creation_time = OPT_INT(s->created.ms),
					 .arn = str_printf(c->arena, "%.*s:log-stream:%.*s", STR(logs_group_arn(c, g->name)), STR(s->name)),
					 .stored_bytes = OPT_INT(0) };
	if (!s->last.has)
		return;
	ret->last_ingestion_time = OPT_INT(s->ingested.ms);
	ret->upload_sequence_token = str_printf(c->arena, "%056lld", (long long)s->next.v);
	if (s->last.ms < cutoff)
		return;
	ret->first_event_timestamp = OPT_INT(s->first.ms < cutoff ? cutoff : s->first.ms);
	ret->last_event_timestamp = OPT_INT(s->last.ms);
}

LOGS_HANDLER(describe_log_streams)
{
	bool by_time = str_is(in->order_by, "LastEventTime");
	size_t max = in->limit.has ? (size_t)in->limit.v : 50;
	struct store_range range = { 0 };
	struct logs_rec_group g;
	struct str key, value, after = STR_NONE;
	char last[STORE_KEY_BYTES_MAX];
	struct keybuf k;
	int r = logs_group_either(c, in->log_group_name, in->log_group_identifier, &g);

	if (r < 0)
		return r;
	if (by_time && in->log_stream_name_prefix.p)
		return call_fail(c, &logs_err_invalid_parameter, "Cannot order by LastEventTime with a logStreamNamePrefix.");
	if (in->next_token.p && page_parse(c, in->next_token, &after) < 0)
		return call_fail(c, &logs_err_invalid_parameter, "The specified nextToken is invalid.");
	if (by_time)
		recent_prefix(&k, c->account, g.id.v);
	else
		logs_stream_key(&k, c->account, g.id.v, in->log_stream_name_prefix.p ? in->log_stream_name_prefix : S(""));
	if (after.p && (after.n < k.n || memcmp(after.p, k.b, k.n) != 0))
		return call_fail(c, &logs_err_invalid_parameter, "The specified nextToken is invalid.");
	out->log_streams.v = arena_array(c->arena, struct logs_log_stream, max);
	r = store_range_open(&range, c->txn, key_view(&k), after, in->descending.v);
	while (r == 0 && (r = store_range_next(&range, &key, &value)) == 1) {
		struct logs_rec_stream s;

		if (out->log_streams.n == max) {
			out->next_token = page_token(c, after);
			r = 0;
			break;
		}
		memcpy(last, key.p, key.n);
		after = str_of(last, key.n);
		r = by_time ? stream_read(c->txn, c->arena, c->account, g.id.v, str_dup(c->arena, str_skip(after, k.n + 8)), &s)
			    : record_decode(&logs_records, LOGS_REC_STREAM, c->arena, value, &s);
		if (r == 0)
			describe(c, &g, &s, &out->log_streams.v[out->log_streams.n++]);
	}
	store_range_close(&range);
	return r;
}
