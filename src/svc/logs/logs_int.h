/* SPDX-License-Identifier: Apache-2.0 */
/* logs_int.h - shared by the files of CloudWatch Logs.
 *
 * Tables (every key begins with the account):
 *   logs.group   name                            -> Group
 *   logs.stream  group id, name                  -> Stream
 *   logs.recent  group id, last event, name      -> nothing: streams in the order of their last event
 *   logs.chunk   group id, stream id, first, seq -> a chunk of events, sealed (chunks.c)
 *   logs.time    group id, first, stream id, seq -> last event of that chunk, its bytes, its stream's name
 *   logs.size    group id                        -> stored bytes
 *   logs.out     group id, filter id, when, stream id, seq -> first and stream of a chunk that waits for delivery
 *   logs.policy  name                            -> ResourcePolicy of the account
 *   logs.query   id                              -> Query
 *   logs.key     group id, data key id           -> DataKey
 * Ids are random and never used again: what a deleted group leaves behind for its clean-up job belongs to nobody. */
#pragma once
#include "cloud/cloud.h"
#include "gen_logs.h"
#include "gen_logs_rec.h"

#define LOGS_BATCH_BYTES_MAX 1048576
#define LOGS_EVENT_OVERHEAD 26
#define LOGS_PAGE_EVENTS_MAX 10000
#define LOGS_PAGE_BYTES_MAX 1048576
#define LOGS_CHUNK_BYTES_MAX (128 << 10)
#define LOGS_CHUNK_SPAN_MS 60000 /* a chunk never crosses a minute: what overlaps in time is bounded */
#define LOGS_DAY_MS 86400000LL
#define LOGS_TAGS_MAX 50

/* --- groups.c --- */
/* logs_group_name: the name in a name or an ARN of this account and region; absent when it is of another. */
struct str logs_group_name(struct call *c, struct str id);
struct str logs_group_arn(struct call *c, struct str name); /* without ":*" */
void logs_group_key(struct keybuf *k, struct str account, struct str name);
int logs_group_read(struct call *c, struct str name, struct logs_rec_group *ret); /* -ENOENT */
int logs_group_load(struct call *c, struct str id, struct logs_rec_group *ret);   /* name or ARN; refuses */
/* logs_group_either: of the parameters that exclude each other, exactly one is given. Refuses. */
int logs_group_either(struct call *c, struct str name, struct str identifier, struct logs_rec_group *ret);
int logs_group_put(struct call *c, const struct logs_rec_group *g);
int64_t logs_cutoff_ms(const struct logs_rec_group *g, int64_t now_ms); /* events before it have expired; INT64_MIN: never */
int logs_size_add(struct store_txn *t, struct str account, int64_t group, int64_t bytes);
int64_t logs_size(struct store_txn *t, struct str account, int64_t group);
int64_t logs_new_id(void);
void logs_wake(struct cloud *cl, struct region *r, void *arg); /* for call_on_commit: a job was put */

/* --- tags.c --- */
int logs_tags_merge(struct call *c, struct logs_rec_group *g, const struct str_map *add); /* refuses what no tag may be */

/* --- streams.c --- */
void logs_stream_key(struct keybuf *k, struct str account, int64_t group, struct str name);
int logs_stream_load(struct call *c, const struct logs_rec_group *g, struct str name, struct logs_rec_stream *ret); /* refuses */
/* logs_stream_put stores it; before (may be NULL) is as it was stored: the order by last event moves with it. */
int logs_stream_put(struct store_txn *t, struct str account, int64_t group, const struct logs_rec_stream *before,
		    const struct logs_rec_stream *s);
int logs_stream_drop(struct store_txn *t, struct str account, int64_t group, const struct logs_rec_stream *s); /* its record only */

/* --- seal.c --- */
/* A key that seals chunks; id 0: the cloud's own. Wiped by who got it. */
struct logs_kek {
	int64_t id;
	uint8_t key[32];
};
int logs_kms_check(struct call *c, const struct logs_rec_group *g);                      /* may g's key be used for it? Refuses */
int logs_seal_key(struct call *c, const struct logs_rec_group *g, struct logs_kek *ret); /* to write with. Refuses */
int logs_open_key(struct call *c, const struct logs_rec_group *g, int64_t id, struct logs_kek *ret); /* to read with. Refuses */
void logs_key_key(struct keybuf *k, struct str account, int64_t group, int64_t id);

/* --- chunks.c --- */
struct logs_event {
	int64_t ms;
	int64_t ingested;
	struct str message;
};
struct logs_pos { /* of an event: the order of events within a group */
	int64_t ms, ingested;
	uint64_t stream, seq;
	uint32_t index;
};
struct logs_found {
	struct logs_pos pos;
	struct str message, stream;
};
int logs_pos_cmp(const struct logs_pos *a, const struct logs_pos *b);
struct str logs_pos_text(struct arena *a, const struct logs_pos *p);
struct str logs_event_id(struct arena *a, const struct logs_pos *p); /* as AWS's: 56 digits that sort by time */
int logs_pos_parse(struct str s, struct logs_pos *ret);              /* -EINVAL */
/* logs_append stores events, which are in order; s->next moves on. */
int logs_append(struct call *c, const struct logs_rec_group *g, struct logs_rec_stream *s, const struct logs_event *v, size_t n);
struct logs_query {
	int64_t from, to;             /* from <= ms < to */
	bool backward;                /* the latest ones first */
	const struct logs_pos *after; /* beyond this one, in the query's direction; may be NULL */
	size_t limit;
	/* One stream, several, or (streams NULL) all of the group whose names begin with prefix (may be absent). */
	const struct logs_rec_stream *streams;
	size_t n_streams;
	struct str prefix;
	bool (*wanted)(struct str message, void *arg); /* NULL: all */
	void *arg;
};
/* logs_select finds the first events of a query in its direction, as many as fit a page. *ret is in ascending order.
 * *ret_more: there may be more, beyond *ret_at. Memory is that of a page, whatever the group holds. */
int logs_select(struct call *c, const struct logs_rec_group *g, const struct logs_query *q, struct logs_found **ret, size_t *ret_n,
		bool *ret_more, struct logs_pos *ret_at);
void logs_chunk_prefix(struct keybuf *k, struct str account, int64_t group);
void logs_time_prefix(struct keybuf *k, struct str account, int64_t group);
/* logs_chunk_events reads the wanted events of one chunk. -ENOENT: it is no longer there. */
int logs_chunk_events(struct call *c, const struct logs_rec_group *g, struct str stream, uint64_t stream_id, int64_t first, uint64_t seq,
		      bool (*wanted)(struct str message, void *arg), void *arg, struct logs_found **ret, size_t *ret_n);
/* logs_chunks_drop removes at most max chunks, oldest first: of one stream, or (stream 0) of the group, where first < before.
 * Returns how many; *ret_bytes is what they held. */
int logs_chunks_drop(struct store_txn *t, struct str account, int64_t group, int64_t stream, int64_t before, int max, int64_t *ret_bytes);

/* --- filter.c --- */
struct logs_pattern;
int logs_pattern_read(struct call *c, struct str text, struct logs_pattern **ret); /* absent: all events; refuses */

/* --- policies.c --- */
/* logs_policy_text: the resource policies that count for this call, in one document; absent: none does. g may be NULL. */
int logs_policy_text(struct call *c, const char *action, const struct logs_rec_group *g, struct str *ret);

/* --- subscriptions.c, deliver.c --- */
/* logs_subscriptions_feed notes, for each filter of the group that events of this chunk match, that it is to be delivered. */
int logs_subscriptions_feed(struct call *c, const struct logs_rec_group *g, const struct logs_rec_stream *s, int64_t first, int64_t seq,
			    const struct logs_event *v, size_t n);
#define LOGS_JOB_DELIVER S("logs/deliver") /* id ACCOUNT/GROUP/FILTER, payload "FAILURES NAME" */
/* logs_facts_for: facts of a call that the Logs service makes for a group (its ARN, without ":*"). */
struct call_facts logs_facts_for(struct arena *a, struct call_facts facts, struct str group_arn, struct str account);
int logs_deliver(struct cloud *cl, struct region *r, struct str id, struct str payload);
void logs_out_key(struct keybuf *k, struct str account, int64_t group, int64_t filter);

/* --- jobs.c --- */
int logs_job(struct cloud *cl, struct region *r, struct str kind, struct str id, struct str payload);
int logs_plan_drop(struct call *c, int64_t group, int64_t stream); /* stream 0: all of the group */
int logs_plan_retention(struct call *c, const struct logs_rec_group *g);

#define LOGS_HANDLER(op) int logs_##op(struct call *c, const struct logs_##op##_request *in, struct logs_##op##_response *out)
LOGS_HANDLER(create_log_group);
LOGS_HANDLER(delete_log_group);
LOGS_HANDLER(describe_log_groups);
LOGS_HANDLER(list_log_groups);
LOGS_HANDLER(put_retention_policy);
LOGS_HANDLER(delete_retention_policy);
LOGS_HANDLER(associate_kms_key);
LOGS_HANDLER(disassociate_kms_key);
LOGS_HANDLER(put_log_group_deletion_protection);
LOGS_HANDLER(tag_log_group);
LOGS_HANDLER(untag_log_group);
LOGS_HANDLER(list_tags_log_group);
LOGS_HANDLER(tag_resource);
LOGS_HANDLER(untag_resource);
LOGS_HANDLER(list_tags_for_resource);
LOGS_HANDLER(create_log_stream);
LOGS_HANDLER(delete_log_stream);
LOGS_HANDLER(describe_log_streams);
LOGS_HANDLER(put_log_events);
LOGS_HANDLER(get_log_events);
LOGS_HANDLER(filter_log_events);
LOGS_HANDLER(test_metric_filter);
LOGS_HANDLER(put_resource_policy);
LOGS_HANDLER(describe_resource_policies);
LOGS_HANDLER(delete_resource_policy);
LOGS_HANDLER(put_query_definition);
LOGS_HANDLER(describe_query_definitions);
LOGS_HANDLER(delete_query_definition);
LOGS_HANDLER(put_subscription_filter);
LOGS_HANDLER(describe_subscription_filters);
LOGS_HANDLER(delete_subscription_filter);

extern const struct cfn_type *const logs_cfn[];
extern const struct cfn_reader logs_group_reader, logs_filter_reader, logs_policy_reader;
