/* SPDX-License-Identifier: Apache-2.0 */
/* jobs.h - durable timers: work that is due at a time and survives a crash.
 *
 * A job is named by kind and id; putting it again replaces it, and moves it when its time changed. The functions only
 * lay jobs out in the store, inside the caller's transaction, so a job is made or taken away together with the change
 * it belongs to. Who runs them (src/cloud) lists what is due, does the work, and deletes or moves the job in the
 * transaction that records the outcome; after a crash the job is still there and is run again. */
#pragma once
#include "store/store.h"

struct job {
	int64_t due_ms;
	struct str kind, id, payload;
};
struct job_list {
	struct job *v;
	size_t n;
};
int job_put(struct store_txn *t, int64_t due_ms, struct str kind, struct str id, struct str payload);
int job_get(struct store_txn *t, struct arena *a, struct str kind, struct str id, struct job *ret); /* -ENOENT */
int job_del(struct store_txn *t, struct str kind, struct str id);                                   /* -ENOENT */
/* job_due lists, in the order of their times, at most max jobs that are due at now_ms; copied into the arena.
 * *ret_next_ms is when the first job that isn't listed is due (in the past when max cut the list), or INT64_MAX. */
int job_due(struct store_txn *t, struct arena *a, int64_t now_ms, size_t max, struct job_list *ret, int64_t *ret_next_ms);
