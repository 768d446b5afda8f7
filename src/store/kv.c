/* SPDX-License-Identifier: Apache-2.0 */
/* kv.c - get, put, delete and ranges: our keys in LMDB's tree. The layout and why it keeps order: engine.h.
 *
 * Bytes found in the tree are from disk: what doesn't fit the layout gives -EBADMSG, never an assertion. */
#include "store/engine.h"
#include <assert.h>
#include <errno.h>

#define PHYS_BYTES_MAX (1 + 8 + CHUNK_BYTES + 1)

struct phys { /* a key of the tree */
	MDB_val v;
	char b[PHYS_BYTES_MAX];
};

static void put_be64(char *p, uint64_t v)
{
	for (int i = 7; i >= 0; i--, v >>= 8)
		p[i] = (char)(v & 0xff);
}

static uint64_t get_be64(const char *p)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | (uint8_t)p[i];
	return v;
}

static void phys_make(struct phys *k, uint64_t node, struct str chunk, bool link)
{
	char *p = k->b;

	assert(chunk.n <= CHUNK_BYTES && (!link || chunk.n == CHUNK_BYTES));
	if (node == 0) {
		*p++ = 'k';
	} else {
		*p++ = 'n';
		put_be64(p, node);
		p += 8;
	}
	if (chunk.n)
		memcpy(p, chunk.p, chunk.n);
	p += chunk.n;
	if (link)
		*p++ = 0;
	k->v.mv_data = k->b;
	k->v.mv_size = (size_t)(p - k->b);
}

/* phys_parse takes apart a key found in the tree. False: not an entry of this node. */
static bool phys_parse(MDB_val v, uint64_t node, struct str *ret_chunk, bool *ret_link)
{
	const char *p = v.mv_data;
	size_t head = node ? 9 : 1;

	if (v.mv_size < head || p[0] != (node ? 'n' : 'k') || (node && get_be64(p + 1) != node))
		return false;
	*ret_chunk = str_of(p + head, v.mv_size - head);
	*ret_link = ret_chunk->n > CHUNK_BYTES;
	if (*ret_link)
		ret_chunk->n = CHUNK_BYTES;
	return true;
}

static int link_parse(MDB_val v, uint64_t *ret_node)
{
	if (v.mv_size != 8)
		return -EBADMSG;
	*ret_node = get_be64(v.mv_data);
	return *ret_node ? 0 : -EBADMSG;
}

static int key_check(struct str key)
{
	if (!key.p || key.n > STORE_KEY_BYTES_MAX)
		return -E2BIG;
	return key.n ? 0 : -EINVAL;
}

/* descend follows the links of all full chunks of key that have more behind them. 0 with the last node and the last
 * chunk; -ENOENT when there is no such node. path gets the nodes, n of them. */
static int descend(struct store_txn *t, struct str key, uint64_t path[LEVELS_MAX], unsigned *ret_n, struct str *ret_chunk)
{
	struct phys k;
	MDB_val v;
	unsigned n = 0;
	int r;

	path[n++] = 0;
	while (key.n > CHUNK_BYTES) {
		phys_make(&k, path[n - 1], str_of(key.p, CHUNK_BYTES), true);
		r = mdb_get(t->txn, t->dbi, &k.v, &v);
		if (r)
			return engine_error(r);
		assert(n < LEVELS_MAX);
		r = link_parse(v, &path[n++]);
		if (r < 0)
			return r;
		key = str_skip(key, CHUNK_BYTES);
	}
	*ret_n = n;
	*ret_chunk = key;
	return 0;
}

int store_get(struct store_txn *t, struct str key, struct str *ret_view)
{
	uint64_t path[LEVELS_MAX];
	struct phys k;
	struct str chunk;
	MDB_val v;
	unsigned n;
	int r;

	r = key_check(key);
	if (r < 0)
		return r;
	r = descend(t, key, path, &n, &chunk);
	if (r < 0)
		return r;
	phys_make(&k, path[n - 1], chunk, false);
	r = mdb_get(t->txn, t->dbi, &k.v, &v);
	if (r)
		return engine_error(r);
	*ret_view = str_of(v.mv_data, v.mv_size);
	return 0;
}

/* write_failed notes an engine error: LMDB forbids more work in a transaction that failed. */
static int write_failed(struct store_txn *t, int rc)
{
	int r = engine_error(rc);

	if (!t->error)
		t->error = r;
	return r;
}

/* node_last finds the largest node id in use; 0 when there are no nodes. */
static int node_last(struct store_txn *t, uint64_t *ret)
{
	char end = 'n' + 1;
	MDB_val k = { 1, &end }, v;
	MDB_cursor *c;
	int r;

	r = mdb_cursor_open(t->txn, t->dbi, &c);
	if (r)
		return r;
	r = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	r = mdb_cursor_get(c, &k, &v, r == MDB_NOTFOUND ? MDB_LAST : MDB_PREV);
	mdb_cursor_close(c);
	*ret = 0;
	if (r == MDB_NOTFOUND)
		return 0;
	if (r == 0 && k.mv_size >= 9 && *(const char *)k.mv_data == 'n')
		*ret = get_be64((const char *)k.mv_data + 1);
	return r;
}

int store_put(struct store_txn *t, struct str key, struct str value)
{
	char copy[STORE_KEY_BYTES_MAX], id[8];
	uint64_t node = 0, fresh = 0;
	struct phys k;
	MDB_val v;
	int r;

	if (!t->writable)
		return -EROFS;
	r = key_check(key);
	if (r < 0)
		return r;
	if (value.n > STORE_VALUE_BYTES_MAX)
		return -EFBIG;
	if (t->error)
		return t->error;
	t->mods++;
	if (key.n > CHUNK_BYTES) { /* may be a view; the value is put after the first change */
		memcpy(copy, key.p, key.n);
		key.p = copy;
	}
	for (; key.n > CHUNK_BYTES; key = str_skip(key, CHUNK_BYTES)) {
		phys_make(&k, node, str_of(key.p, CHUNK_BYTES), true);
		r = mdb_get(t->txn, t->dbi, &k.v, &v);
		if (r == 0) {
			r = link_parse(v, &node);
			if (r < 0)
				return r;
			continue;
		}
		if (r != MDB_NOTFOUND)
			return write_failed(t, r);
		/* Nodes made by this put have no entries yet, so the tree is asked only once. */
		if (!fresh && (r = node_last(t, &fresh)))
			return write_failed(t, r);
		node = ++fresh;
		put_be64(id, node);
		v = (MDB_val){ sizeof id, id };
		r = mdb_put(t->txn, t->dbi, &k.v, &v, 0);
		if (r)
			return write_failed(t, r);
	}
	phys_make(&k, node, key, false);
	v.mv_size = value.n;
	v.mv_data = (void *)(uintptr_t)value.p;
	r = mdb_put(t->txn, t->dbi, &k.v, &v, 0);
	if (r)
		return write_failed(t, r);
	t->written_bytes += key.n + value.n;
	return 0;
}

/* node_empty: 1, 0, or LMDB's error as a negative errno. */
static int node_empty(struct store_txn *t, uint64_t node)
{
	struct phys k;
	struct str chunk;
	MDB_cursor *c;
	MDB_val v;
	bool link;
	int r;

	phys_make(&k, node, STR_NONE, false);
	r = mdb_cursor_open(t->txn, t->dbi, &c);
	if (r)
		return write_failed(t, r);
	r = mdb_cursor_get(c, &k.v, &v, MDB_SET_RANGE);
	mdb_cursor_close(c);
	if (r && r != MDB_NOTFOUND)
		return write_failed(t, r);
	return r == MDB_NOTFOUND || !phys_parse(k.v, node, &chunk, &link);
}

int store_del(struct store_txn *t, struct str key)
{
	char copy[STORE_KEY_BYTES_MAX];
	uint64_t path[LEVELS_MAX];
	struct str chunk;
	struct phys k;
	unsigned n;
	int r;

	if (!t->writable)
		return -EROFS;
	r = key_check(key);
	if (r < 0)
		return r;
	if (t->error)
		return t->error;
	if (key.n > CHUNK_BYTES) { /* may be a view; links are deleted after the first change */
		memcpy(copy, key.p, key.n);
		key.p = copy;
	}
	r = descend(t, key, path, &n, &chunk);
	if (r < 0)
		return r;
	phys_make(&k, path[n - 1], chunk, false);
	r = mdb_del(t->txn, t->dbi, &k.v, NULL);
	if (r == MDB_NOTFOUND)
		return -ENOENT;
	if (r)
		return write_failed(t, r);
	t->mods++;
	t->written_bytes += key.n;
	while (--n > 0) {
		r = node_empty(t, path[n]);
		if (r <= 0)
			return r;
		phys_make(&k, path[n - 1], str_of(key.p + (n - 1) * CHUNK_BYTES, CHUNK_BYTES), true);
		r = mdb_del(t->txn, t->dbi, &k.v, NULL);
		if (r)
			return write_failed(t, r);
	}
	return 0;
}

/* --- walking --- */

/* walk_settle takes the outcome of a cursor operation in the current node and goes on, into links and out of finished
 * nodes, until it stands on a key. 1, 0 at the end of the store, or negative errno. */
static int walk_settle(struct walk *w, int rc, MDB_val k, MDB_val v, bool reverse)
{
	struct phys p;
	struct str chunk;
	bool link;
	int r;

	for (;;) {
		if (rc && rc != MDB_NOTFOUND)
			return engine_error(rc);
		if (rc || !phys_parse(k, w->node[w->depth], &chunk, &link)) { /* this node is finished */
			if (w->depth == 0)
				return 0;
			w->depth--;
			phys_make(&p, w->node[w->depth], str_of(w->key + w->depth * CHUNK_BYTES, CHUNK_BYTES), true);
			rc = mdb_cursor_get(w->c, &p.v, &v, MDB_SET);
			if (rc)
				return rc == MDB_NOTFOUND ? -EBADMSG : engine_error(rc);
			rc = mdb_cursor_get(w->c, &k, &v, reverse ? MDB_PREV : MDB_NEXT);
			continue;
		}
		memcpy(w->key + w->depth * CHUNK_BYTES, chunk.p, chunk.n);
		if (!link) {
			w->key_n = w->depth * CHUNK_BYTES + chunk.n;
			if (w->key_n > STORE_KEY_BYTES_MAX)
				return -EBADMSG;
			w->view = w->depth ? STR_NONE : chunk;
			w->value = str_of(v.mv_data, v.mv_size);
			return 1;
		}
		if (w->depth + 1 >= LEVELS_MAX)
			return -EBADMSG;
		r = link_parse(v, &w->node[w->depth + 1]);
		if (r < 0)
			return r;
		w->depth++;
		phys_make(&p, w->node[w->depth] + reverse, STR_NONE, false);
		k = p.v;
		rc = mdb_cursor_get(w->c, &k, &v, MDB_SET_RANGE);
		if (reverse && (rc == 0 || rc == MDB_NOTFOUND))
			rc = mdb_cursor_get(w->c, &k, &v, rc ? MDB_LAST : MDB_PREV);
	}
}

static int walk_step(struct walk *w, bool reverse)
{
	MDB_val k, v;
	int rc = mdb_cursor_get(w->c, &k, &v, reverse ? MDB_PREV : MDB_NEXT);

	return walk_settle(w, rc, k, v, reverse);
}

/* walk_seek stands on the first key >= at. */
static int walk_seek(struct walk *w, struct str at)
{
	struct phys p;
	MDB_val v;
	int rc, r;

	w->depth = 0;
	w->node[0] = 0;
	for (;;) {
		MDB_val k;

		if (at.n <= CHUNK_BYTES) {
			phys_make(&p, w->node[w->depth], at, false);
			k = p.v;
			rc = mdb_cursor_get(w->c, &k, &v, MDB_SET_RANGE);
			return walk_settle(w, rc, k, v, false);
		}
		phys_make(&p, w->node[w->depth], str_of(at.p, CHUNK_BYTES), true);
		k = p.v;
		rc = mdb_cursor_get(w->c, &k, &v, MDB_SET_RANGE);
		if (rc || k.mv_size != p.v.mv_size || memcmp(k.mv_data, p.b, k.mv_size) != 0)
			return walk_settle(w, rc, k, v, false);
		if (w->depth + 1 >= LEVELS_MAX)
			return -EBADMSG;
		r = link_parse(v, &w->node[w->depth + 1]);
		if (r < 0)
			return r;
		memcpy(w->key + w->depth * CHUNK_BYTES, at.p, CHUNK_BYTES);
		w->depth++;
		at = str_skip(at, CHUNK_BYTES);
	}
}

/* walk_seek_before stands on the last key < at; an absent at is behind all keys. */
static int walk_seek_before(struct walk *w, struct str at)
{
	char end = 'k' + 1;
	MDB_val k = { 1, &end }, v;
	int rc;

	if (at.p) {
		rc = walk_seek(w, at);
		if (rc < 0)
			return rc;
		if (rc > 0)
			return walk_step(w, true);
	}
	w->depth = 0;
	w->node[0] = 0;
	rc = mdb_cursor_get(w->c, &k, &v, MDB_SET_RANGE);
	if (rc == 0 || rc == MDB_NOTFOUND)
		rc = mdb_cursor_get(w->c, &k, &v, rc ? MDB_LAST : MDB_PREV);
	return walk_settle(w, rc, k, v, true);
}

static int walk_get(struct store_txn *t, struct walk **ret)
{
	struct walk *w;
	int r = 0;

	for (w = t->walks; w && w->used; w = w->next)
		;
	if (!w) {
		w = xmalloc(sizeof *w);
		w->c = NULL;
		w->used = false;
		w->txn = t;
		w->next = t->walks;
		t->walks = w;
	}
	if (!w->c)
		r = mdb_cursor_open(t->txn, t->dbi, &w->c);
	else if (w->renewed != t->renewed)
		r = mdb_cursor_renew(t->txn, w->c);
	if (r)
		return engine_error(r);
	w->renewed = t->renewed;
	w->used = true;
	w->ended = false;
	*ret = w;
	return 0;
}

void kv_txn_end(struct store_txn *t, bool for_good)
{
	struct walk *w, *next;

	for (w = t->walks; w; w = next) {
		next = w->next;
		w->used = false;
		if (w->c && (t->writable || for_good)) { /* LMDB frees cursors of write transactions itself otherwise */
			mdb_cursor_close(w->c);
			w->c = NULL;
		}
		if (for_good)
			free(w);
	}
	if (for_good) {
		t->walks = NULL;
		arena_done(&t->arena);
	} else if (t->arena.used_bytes) {
		arena_reset(&t->arena);
	}
}

int store_range_open(struct store_range *r, struct store_txn *t, struct str prefix, struct str after, bool reverse)
{
	struct walk *w = NULL;
	int rc;

	r->cursor = NULL;
	if (!prefix.p || prefix.n > STORE_KEY_BYTES_MAX || after.n > STORE_KEY_BYTES_MAX)
		return -E2BIG;
	rc = walk_get(t, &w);
	if (rc < 0)
		return rc;
	r->txn = t;
	r->prefix = prefix;
	r->cursor = w;
	r->reverse = reverse;
	r->started = false;
	r->seek_n = after.p ? after.n : 0;
	if (r->seek_n)
		memcpy(r->seek, after.p, after.n);
	return 0;
}

/* seek_behind_prefix makes r->seek the smallest string behind all that begin with prefix; false when there is none. */
static bool seek_behind_prefix(struct store_range *r)
{
	size_t n = r->prefix.n;

	while (n && (uint8_t)r->prefix.p[n - 1] == 0xff)
		n--;
	if (!n)
		return false;
	memcpy(r->seek, r->prefix.p, n);
	r->seek[n - 1] = (char)((uint8_t)r->seek[n - 1] + 1);
	r->seek_n = n;
	return true;
}

static int range_first(struct store_range *r)
{
	struct walk *w = r->cursor;
	struct str after = str_of(r->seek, r->seek_n);
	int rc;

	if (!r->reverse) {
		if (!after.n || str_cmp(after, r->prefix) < 0)
			return walk_seek(w, r->prefix);
		rc = walk_seek(w, after);
		if (rc > 0 && str_eq(str_of(w->key, w->key_n), after))
			rc = walk_step(w, false);
		return rc;
	}
	if (!after.n || (str_cmp(after, r->prefix) > 0 && !str_starts(after, r->prefix)))
		after = seek_behind_prefix(r) ? str_of(r->seek, r->seek_n) : STR_NONE;
	return walk_seek_before(w, after);
}

int store_range_next(struct store_range *r, struct str *ret_key_view, struct str *ret_value_view)
{
	struct walk *w = r->cursor;
	struct store_txn *t = r->txn;
	char at[STORE_KEY_BYTES_MAX];
	size_t at_n;
	int rc;

	if (w->ended)
		return 0;
	if (!r->started) {
		rc = range_first(r);
		r->started = true;
	} else if (w->mods != t->mods) { /* the cursor may have moved: stand again behind the key handed out last */
		at_n = w->key_n;
		memcpy(at, w->key, at_n);
		if (r->reverse) {
			rc = walk_seek_before(w, str_of(at, at_n));
		} else {
			rc = walk_seek(w, str_of(at, at_n));
			if (rc > 0 && str_eq(str_of(w->key, w->key_n), str_of(at, at_n)))
				rc = walk_step(w, false);
		}
	} else {
		rc = walk_step(w, r->reverse);
	}
	w->mods = t->mods;
	if (rc < 0)
		return rc;
	if (rc == 0 || w->key_n < r->prefix.n || memcmp(w->key, r->prefix.p, r->prefix.n) != 0) {
		w->ended = true;
		return 0;
	}
	*ret_key_view = w->view.p ? w->view : str_of(arena_dup(&t->arena, w->key, w->key_n), w->key_n);
	*ret_value_view = w->value;
	return 1;
}

void store_range_close(struct store_range *r)
{
	struct walk *w = r->cursor;

	if (w)
		w->used = false;
	r->cursor = NULL;
}
