/* SPDX-License-Identifier: Apache-2.0 */
/* store.h - ordered key-value transactions, durable before they are acknowledged.
 *
 * A store is one failure domain: one directory, one LMDB environment, one writer thread. Keys are 1..4096 bytes in
 * byte order (LMDB's limit of 511 is hidden), values up to 64 MiB. Nothing of LMDB shows in this interface: the same
 * calls are meant to be served by a SQL database one day.
 *
 * Reading: a read transaction is a snapshot. Views returned by get and range are valid until the transaction ends (or,
 * in a write transaction, until its next put or del; so the value of a put is never a view of the same transaction). Read transactions are
 * short: copy out page by page. Writing: store_submit queues a job; the writer thread runs jobs in order, each in a nested transaction of
 * one batch, commits the batch once (fsync), and only then calls every job's done. A job that returns < 0 is rolled back alone. A full
 * disk: jobs get -ENOSPC, nothing is torn, and writing works again when there is room. */
#pragma once
#include "base/str.h"

#define STORE_KEY_BYTES_MAX 4096
#define STORE_VALUE_BYTES_MAX (64u << 20)

struct store;
struct store_txn;

struct store_opts {
	bool no_sync;           /* benchmarks and unit tests only */
	uint64_t map_bytes_max; /* how large the store may become; 0: as large as the address space allows, 1 TiB at most */
};
/* store_open creates dir (0700) when it is not there; opts may be NULL. -EBUSY: another process has it open;
 * -EPROTONOSUPPORT: a newer version wrote it; -EBADMSG: damaged; else the system's error. */
int store_open(const char *dir, const struct store_opts *opts, struct store **ret);
void store_close(struct store *s); /* finishes queued jobs first; every read transaction was ended; accepts NULL */

/* Never in a child after fork: -ESTALE. -EAGAIN: too many read transactions are open. */
int store_begin_read(struct store *s, struct store_txn **ret);
void store_end(struct store_txn *t); /* of a read transaction; accepts NULL */

int store_get(struct store_txn *t, struct str key, struct str *ret_view); /* -ENOENT */
int store_put(struct store_txn *t, struct str key, struct str value);     /* replaces; -EROFS in a read transaction; -EFBIG */
int store_del(struct store_txn *t, struct str key);                       /* -ENOENT */

/* A range walks keys that begin with prefix, in order. after (may be absent): start behind this key, exclusive.
 * next returns 1 with views set, 0 at the end, or negative errno. Zero-initialized ranges may be closed. Deleting the
 * key just returned is allowed while walking; any other change ends the validity of the range. prefix is borrowed, after
 * is copied. A range is closed before its transaction ends. An absent prefix (an overflowed key) gives -E2BIG. */
struct store_range {
	struct store_txn *txn;
	struct str prefix;
	void *cursor;
	bool reverse, started;
	char seek[STORE_KEY_BYTES_MAX + 1];
	size_t seek_n;
};
int store_range_open(struct store_range *r, struct store_txn *t, struct str prefix, struct str after, bool reverse);
int store_range_next(struct store_range *r, struct str *ret_key_view, struct str *ret_value_view);
void store_range_close(struct store_range *r);

/* --- writes --- */
struct store_job {
	/* On the writer thread; never blocks; 0 or negative errno. May be called again from the start, when an engine error
	 * undid the whole batch: it sets up what it writes to outside the store itself. */
	int (*run)(struct store_job *j, struct store_txn *t);
	void (*done)(struct store_job *j, int result); /* on the writer thread, after the batch is durable; hands over, never blocks */
	struct store_job *next;                        /* the store's */
	int result;                                    /* the store's */
};
void store_submit(struct store *s, struct store_job *j); /* j lives until done was called; from any thread, done included */
/* store_write runs fn in a write transaction of its own and waits until it is durable. Not from the writer thread. */
int store_write(struct store *s, int (*fn)(struct store_txn *t, void *arg), void *arg);
bool store_txn_writable(const struct store_txn *t);

/* --- keys: parts that sort as their values do --- */
struct keybuf { /* an encoded key under construction; overflow is sticky and makes store calls fail with -E2BIG */
	char b[STORE_KEY_BYTES_MAX];
	size_t n;
	bool overflow;
};
/* key_begin starts a key: account (12 digits, or "" for what belongs to no account), then the table's name. */
void key_begin(struct keybuf *k, struct str account, const char *table);
void key_str(struct keybuf *k, struct str s); /* any bytes; terminated so that prefixes sort first and parts never run together */
void key_raw(struct keybuf *k, struct str s); /* last part only: bytes as they are, so that its own prefixes can be ranged over */
void key_u64(struct keybuf *k, uint64_t v);   /* big-endian */
static inline struct str key_view(const struct keybuf *k)
{
	return k->overflow ? STR_NONE : str_of(k->b, k->n);
}
/* Taking a key apart again: each call takes one part off *rest. 0 or -EBADMSG. */
int key_take_begin(struct str *rest, struct str *ret_account, struct str *ret_table); /* views */
int key_take_str(struct str *rest, struct arena *a, struct str *ret);
int key_take_u64(struct str *rest, uint64_t *ret);
