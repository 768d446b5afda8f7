/* SPDX-License-Identifier: Apache-2.0 */
/* jobs.c - what is done by the clock, in steps that never hold the writer for long: what a deleted group or stream held is
 * removed, and what has expired. A crash repeats one step at most. */
#include "store/jobs.h"
#include "svc/logs/logs_int.h"
#include <errno.h>

#define JOB_DROP S("logs/drop")
#define JOB_RETAIN S("logs/retain")
#define STEP 1000 /* chunks, or records, a step */

void logs_wake(struct cloud *cl, struct region *r, void *arg)
{
	cloud_jobs_wake(cl);
}

/* Job ids are ACCOUNT/GROUP[/STREAM], with ids in decimal. */
int logs_plan_drop(struct call *c, int64_t group, int64_t stream)
{
	struct str id = str_printf(c->arena, "%.*s/%lld/%lld", STR(c->account), (long long)group, (long long)stream);
	int r = job_put(c->txn, c->now_ms, JOB_DROP, id, S(""));

	if (r == 0)
		call_on_commit(c, logs_wake, NULL);
	return r;
}

int logs_plan_retention(struct call *c, const struct logs_rec_group *g)
{
	struct str id = str_printf(c->arena, "%.*s/%lld", STR(c->account), (long long)g->id.v);
	int r;

	if (!g->retention.has) {
		r = job_del(c->txn, JOB_RETAIN, id);
		return r == -ENOENT ? 0 : r;
	}
	r = job_put(c->txn, c->now_ms, JOB_RETAIN, id, g->name);
	if (r == 0)
		call_on_commit(c, logs_wake, NULL);
	return r;
}

struct step {
	struct str id, name; /* of the job; its payload */
	struct str account;
	int64_t group, stream, now_ms;
	bool more;
};

/* Removes what one table holds under a group, at most *left of it. */
static int drop_table(struct store_txn *t, const struct step *s, const char *table, int *left)
{
	struct store_range range = { 0 };
	struct str key, value;
	struct keybuf k;
	int r;

	key_begin(&k, s->account, table);
	key_u64(&k, (uint64_t)s->group);
	r = store_range_open(&range, t, key_view(&k), STR_NONE, false);
	while (r == 0 && *left > 0 && (r = store_range_next(&range, &key, &value)) == 1) {
		r = store_del(t, key);
		--*left;
	}
	store_range_close(&range);
	return r < 0 ? r : 0;
}

static int drop(struct store_txn *t, void *arg)
{
	static const char *const tables[] = { "logs.stream", "logs.recent", "logs.key", "logs.curkey", "logs.size", "logs.out" };
	struct step *s = arg;
	int64_t bytes = 0;
	int left = STEP, r = logs_chunks_drop(t, s->account, s->group, s->stream, INT64_MAX, STEP, &bytes);

	if (r < 0)
		return r;
	left -= r;
	r = 0;
	if (!s->stream)
		for (size_t i = 0; r == 0 && i < ELEMENTS(tables); i++)
			r = drop_table(t, s, tables[i], &left);
	else if (bytes)
		r = logs_size_add(t, s->account, s->group, -bytes);
	s->more = left <= 0;
	return r < 0 || s->more ? r : job_del(t, JOB_DROP, s->id);
}

/* One round a day; the group is found by its name, and is another one when its id has changed. */
static int retain(struct store_txn *t, void *arg)
{
	struct step *s = arg;
	struct arena a = { 0 };
	struct logs_rec_group g;
	struct keybuf k;
	int64_t bytes = 0;
	int r;

	logs_group_key(&k, s->account, s->name);
	r = record_get(t, &logs_records, LOGS_REC_GROUP, &a, &k, &g);
	if (r == -ENOENT || (r == 0 && (g.id.v != s->group || !g.retention.has)))
		r = job_del(t, JOB_RETAIN, s->id);
	else if (r == 0) {
		int64_t before = logs_cutoff_ms(&g, s->now_ms) / LOGS_CHUNK_SPAN_MS * LOGS_CHUNK_SPAN_MS; /* whole chunks only */

		r = logs_chunks_drop(t, s->account, s->group, 0, before, STEP, &bytes);
		s->more = r == STEP;
		if (r > 0)
			r = logs_size_add(t, s->account, s->group, -bytes);
		if (r >= 0 && !s->more)
			r = job_put(t, s->now_ms + LOGS_DAY_MS, JOB_RETAIN, s->id, s->name);
	}
	arena_done(&a);
	return r;
}

int logs_job(struct cloud *cl, struct region *r, struct str kind, struct str id, struct str payload)
{
	struct step s = { .id = id, .name = payload, .now_ms = clock_now_ms() };
	struct str rest = id, group, stream;
	bool drops = str_eq(kind, JOB_DROP);
	int e;

	if (str_eq(kind, LOGS_JOB_DELIVER))
		return logs_deliver(cl, r, id, payload);
	if (!str_next(&rest, '/', &s.account) || !str_next(&rest, '/', &group) || str_to_i64(group, &s.group) < 0)
		return -EINVAL;
	if (drops && (!str_next(&rest, '/', &stream) || str_to_i64(stream, &s.stream) < 0))
		return -EINVAL;
	do {
		s.more = false;
		e = store_write(r->store, drops ? drop : retain, &s);
	} while (e == 0 && s.more);
	return e;
}
