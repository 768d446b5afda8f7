/* SPDX-License-Identifier: Apache-2.0 */
/* jobs.c - two tables: "job" (kind, id) holds due time and payload; "job-due" (due time, kind, id) orders them.
 *
 * Invariant: every job has exactly one row in each. A row of "job-due" without its job is damage: -EBADMSG. */
#include "store/jobs.h"
#include "base/arena.h"
#include <assert.h>
#include <errno.h>

#define DUE_BYTES 8 /* at the start of a job's value */

static uint64_t due_order(int64_t ms) /* sorts as the signed time does */
{
	return (uint64_t)ms ^ (uint64_t)1 << 63;
}

static void job_key(struct keybuf *k, struct str kind, struct str id)
{
	key_begin(k, S(""), "job");
	key_str(k, kind);
	key_str(k, id);
}

static void due_key(struct keybuf *k, int64_t due_ms, struct str kind, struct str id)
{
	key_begin(k, S(""), "job-due");
	key_u64(k, due_order(due_ms));
	key_str(k, kind);
	key_str(k, id);
}

/* job_read gets a job as views into the store. */
static int job_read(struct store_txn *t, struct str kind, struct str id, struct job *ret)
{
	struct keybuf k;
	uint64_t due;
	struct str v;
	int r;

	job_key(&k, kind, id);
	r = store_get(t, key_view(&k), &v);
	if (r < 0)
		return r;
	if (key_take_u64(&v, &due) < 0)
		return -EBADMSG;
	*ret = (struct job){ (int64_t)due_order((int64_t)due), kind, id, v };
	return 0;
}

int job_put(struct store_txn *t, int64_t due_ms, struct str kind, struct str id, struct str payload)
{
	struct keybuf k;
	struct job old;
	char *value;
	int r;

	if (payload.n > STORE_VALUE_BYTES_MAX - DUE_BYTES)
		return -EFBIG;
	r = job_read(t, kind, id, &old);
	if (r == 0 && old.due_ms != due_ms) {
		due_key(&k, old.due_ms, kind, id);
		r = store_del(t, key_view(&k));
		if (r == -ENOENT)
			r = -EBADMSG;
	}
	if (r < 0 && r != -ENOENT)
		return r;
	due_key(&k, due_ms, kind, id);
	r = store_put(t, key_view(&k), S(""));
	if (r < 0)
		return r;

	value = xmalloc(DUE_BYTES + payload.n);
	for (int i = 0; i < DUE_BYTES; i++)
		value[i] = (char)(uint8_t)(due_order(due_ms) >> (56 - 8 * i));
	if (payload.n)
		memcpy(value + DUE_BYTES, payload.p, payload.n);
	job_key(&k, kind, id);
	r = store_put(t, key_view(&k), str_of(value, DUE_BYTES + payload.n));
	free(value);
	return r;
}

int job_get(struct store_txn *t, struct arena *a, struct str kind, struct str id, struct job *ret)
{
	struct job j;
	int r = job_read(t, kind, id, &j);

	if (r < 0)
		return r;
	*ret = (struct job){ j.due_ms, str_dup(a, kind), str_dup(a, id), str_dup(a, j.payload) };
	return 0;
}

int job_del(struct store_txn *t, struct str kind, struct str id)
{
	struct keybuf k;
	struct job j;
	int r;

	r = job_read(t, kind, id, &j);
	if (r < 0)
		return r;
	due_key(&k, j.due_ms, kind, id);
	r = store_del(t, key_view(&k));
	if (r < 0)
		return r == -ENOENT ? -EBADMSG : r;
	job_key(&k, kind, id);
	return store_del(t, key_view(&k));
}

/* due_parse takes a key of "job-due" apart. */
static int due_parse(struct arena *a, struct str key, struct job *ret)
{
	struct str account, table;
	uint64_t due;

	if (key_take_begin(&key, &account, &table) < 0 || key_take_u64(&key, &due) < 0 || key_take_str(&key, a, &ret->kind) < 0 ||
	    key_take_str(&key, a, &ret->id) < 0 || key.n)
		return -EBADMSG;
	ret->due_ms = (int64_t)due_order((int64_t)due);
	return 0;
}

int job_due(struct store_txn *t, struct arena *a, int64_t now_ms, size_t max, struct job_list *ret, int64_t *ret_next_ms)
{
	struct job_list l = { NULL, 0 };
	struct store_range range = { 0 };
	int64_t next_ms = INT64_MAX;
	struct str key, value;
	struct job j, full;
	struct keybuf k;
	size_t cap = 0;
	int r;

	key_begin(&k, S(""), "job-due");
	r = store_range_open(&range, t, key_view(&k), STR_NONE, false);
	while (r >= 0 && (r = store_range_next(&range, &key, &value)) > 0) {
		r = due_parse(a, key, &j);
		if (r < 0)
			break;
		if (j.due_ms > now_ms || l.n == max) {
			next_ms = j.due_ms;
			break;
		}
		r = job_read(t, j.kind, j.id, &full);
		if (r < 0 || full.due_ms != j.due_ms) {
			r = -EBADMSG;
			break;
		}
		j.payload = str_dup(a, full.payload);
		vec_push(a, l.v, l.n, cap) = j;
	}
	store_range_close(&range);
	if (r < 0)
		return r;
	*ret = l;
	*ret_next_ms = next_ms;
	return 0;
}
