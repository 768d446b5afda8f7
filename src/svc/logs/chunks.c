/* SPDX-License-Identifier: Apache-2.0 */
/* chunks.c - how events are stored and found.
 *
 * A batch is stored as chunks: events of one stream and one minute, sealed together, at most LOGS_CHUNK_BYTES_MAX unless one
 * event alone is larger. A chunk is put once and never changed, so writing costs the same however much a stream holds. It is
 * found by stream and time (logs.chunk), or by time in the whole group (logs.time), so reading is a range scan, and what has
 * expired is a range that can be dropped. Chunks of a minute may overlap in time; reading merges them, keeping no more than a
 * page of events, whatever is there.
 *
 * A chunk: format (1), data key id (8), last event (8), ingested (8), events (4), bytes in the clear (4), salt (16), then
 * AES-256-GCM under HMAC-SHA256(key, salt), bound to the chunk's place in the store and this header. In the clear: for each
 * event milliseconds after the chunk's first (4), length (4), message. All numbers big-endian. */
#include "svc/logs/logs_int.h"
#include <assert.h>
#include <errno.h>

#define FORMAT 1
#define HEADER_BYTES 49
#define SALT_AT 33
#define SALT_BYTES 16
#define EVENT_HEADER_BYTES 8
#define SCAN_BYTES_MAX (16 << 20) /* one call looks at about so much before it hands back a token */
#define SKIP_COST 256             /* a chunk that is passed over */

static void put_u(uint8_t *p, uint64_t v, int n)
{
	for (int i = n - 1; i >= 0; i--, v >>= 8)
		p[i] = (uint8_t)v;
}

static uint64_t get_u(const void *from, int n)
{
	const uint8_t *p = from;
	uint64_t v = 0;

	for (int i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

static int64_t minute_of(int64_t ms)
{
	return ms / LOGS_CHUNK_SPAN_MS;
}

void logs_chunk_prefix(struct keybuf *k, struct str account, int64_t group)
{
	key_begin(k, account, "logs.chunk");
	key_u64(k, (uint64_t)group);
}

void logs_time_prefix(struct keybuf *k, struct str account, int64_t group)
{
	key_begin(k, account, "logs.time");
	key_u64(k, (uint64_t)group);
}

struct place { /* of a chunk */
	int64_t first;
	uint64_t stream, seq;
};

static void chunk_key(struct keybuf *k, struct str account, int64_t group, const struct place *p)
{
	logs_chunk_prefix(k, account, group);
	key_u64(k, p->stream);
	key_u64(k, (uint64_t)p->first);
	key_u64(k, p->seq);
}

static void time_key(struct keybuf *k, struct str account, int64_t group, const struct place *p)
{
	logs_time_prefix(k, account, group);
	key_u64(k, (uint64_t)p->first);
	key_u64(k, p->stream);
	key_u64(k, p->seq);
}

int logs_pos_cmp(const struct logs_pos *a, const struct logs_pos *b)
{
	if (a->ms != b->ms)
		return a->ms < b->ms ? -1 : 1;
	if (a->ingested != b->ingested)
		return a->ingested < b->ingested ? -1 : 1;
	if (a->stream != b->stream)
		return a->stream < b->stream ? -1 : 1;
	if (a->seq != b->seq)
		return a->seq < b->seq ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

struct str logs_pos_text(struct arena *a, const struct logs_pos *p)
{
	return str_printf(a, "%lld %lld %llu %llu %u", (long long)p->ms, (long long)p->ingested, (unsigned long long)p->stream,
			  (unsigned long long)p->seq, p->index);
}

struct str logs_event_id(struct arena *a, const struct logs_pos *p)
{
	return str_printf(a, "3%014lld%019llu%016llu%06u", (long long)p->ms, (unsigned long long)p->stream, (unsigned long long)p->seq,
			  p->index);
}

int logs_pos_parse(struct str s, struct logs_pos *ret)
{
	struct str part[5];
	uint64_t index;

	for (int i = 0; i < 5; i++)
		if (!str_next(&s, ' ', &part[i]))
			return -EINVAL;
	if (str_to_i64(part[0], &ret->ms) < 0 || str_to_i64(part[1], &ret->ingested) < 0 || str_to_u64(part[2], &ret->stream) < 0 ||
	    str_to_u64(part[3], &ret->seq) < 0 || str_to_u64(part[4], &index) < 0 || index > UINT32_MAX)
		return -EINVAL;
	ret->index = (uint32_t)index;
	return 0;
}

/* --- sealing --- */
static struct str chunk_aad(struct arena *a, const struct keybuf *k, const uint8_t *header)
{
	char *p = arena_alloc(a, k->n + HEADER_BYTES);

	memcpy(p, k->b, k->n);
	memcpy(p + k->n, header, HEADER_BYTES);
	return str_of(p, k->n + HEADER_BYTES);
}

static const uint8_t zero_nonce[SEAL_NONCE_BYTES]; /* every chunk has a key of its own */

static int put_chunk(struct call *c, const struct logs_rec_group *g, const struct logs_kek *kek, const struct place *at,
		     const struct logs_rec_stream *s, const struct logs_event *v, size_t n, size_t plain_bytes)
{
	uint8_t *plain = xmalloc(plain_bytes), *out = xmalloc(HEADER_BYTES + plain_bytes + SEAL_TAG_BYTES), key[32], *p = plain;
	struct arena scratch = { 0 };
	struct keybuf k, tk;
	struct buf b;
	int r;

	for (size_t i = 0; i < n; i++) {
		put_u(p, (uint64_t)(v[i].ms - at->first), 4);
		put_u(p + 4, v[i].message.n, 4);
		memcpy(p + EVENT_HEADER_BYTES, v[i].message.p, v[i].message.n);
		p += EVENT_HEADER_BYTES + v[i].message.n;
	}
	assert(p == plain + plain_bytes);
	out[0] = FORMAT;
	put_u(out + 1, (uint64_t)kek->id, 8);
	put_u(out + 9, (uint64_t)v[n - 1].ms, 8);
	put_u(out + 17, (uint64_t)v[0].ingested, 8);
	put_u(out + 25, n, 4);
	put_u(out + 29, plain_bytes, 4);
	random_bytes(out + SALT_AT, SALT_BYTES);
	chunk_key(&k, c->account, g->id.v, at);
	hmac_sha256(kek->key, sizeof kek->key, out + SALT_AT, SALT_BYTES, key);
	r = aes_gcm_seal(key, zero_nonce, chunk_aad(&scratch, &k, out), str_of((char *)plain, plain_bytes), out + HEADER_BYTES);
	mem_wipe(key, sizeof key);
	if (r == 0)
		r = store_put(c->txn, key_view(&k), str_of((char *)out, HEADER_BYTES + plain_bytes + SEAL_TAG_BYTES));
	if (r == 0) {
		uint8_t head[12];

		buf_init(&b, 4096);
		put_u(head, (uint64_t)v[n - 1].ms, 8);
		put_u(head + 8, plain_bytes - n * EVENT_HEADER_BYTES + n * LOGS_EVENT_OVERHEAD, 4);
		buf_put(&b, head, sizeof head);
		buf_str(&b, s->name);
		time_key(&tk, c->account, g->id.v, at);
		r = buf_ok(&b) ? store_put(c->txn, key_view(&tk), buf_view(&b)) : -E2BIG;
		buf_done(&b);
	}
	free(plain);
	free(out);
	arena_done(&scratch);
	return r;
}

int logs_append(struct call *c, const struct logs_rec_group *g, struct logs_rec_stream *s, const struct logs_event *v, size_t n)
{
	struct logs_kek kek;
	size_t from = 0;
	int r = logs_seal_key(c, g, &kek);

	while (r == 0 && from < n) {
		struct place at = { v[from].ms, (uint64_t)s->id.v, (uint64_t)s->next.v };
		size_t to = from, bytes = 0;

		while (to < n && minute_of(v[to].ms) == minute_of(at.first)) {
			size_t add = EVENT_HEADER_BYTES + v[to].message.n;

			if (to > from && bytes + add > LOGS_CHUNK_BYTES_MAX)
				break;
			bytes += add;
			to++;
		}
		r = put_chunk(c, g, &kek, &at, s, v + from, to - from, bytes);
		if (r == 0 && g->filters.n)
			r = logs_subscriptions_feed(c, g, s, at.first, s->next.v, v + from, to - from);
		s->next.v++;
		from = to;
	}
	mem_wipe(&kek, sizeof kek);
	return r;
}

/* --- reading --- */
struct found { /* a candidate, memory of its own */
	struct logs_pos pos;
	size_t message_n, stream_n;
	char *text; /* message, then stream name */
};
struct cursor {
	struct store_range range;
	struct keybuf prefix;
	const struct logs_rec_stream *s; /* NULL: all of the group */
	struct place at;
	int64_t last;
	struct str name; /* view into the store, while here */
	bool done;
};
struct select {
	struct call *c;
	const struct logs_rec_group *g;
	const struct logs_query *q;
	int64_t from, to;   /* from <= ms < to */
	struct found *heap; /* the one furthest in the query's direction on top */
	size_t n, cap, bytes, scanned;
	int64_t top_minute; /* of the first chunk */
	bool bounded;       /* something was left out: nothing beyond bound is wanted */
	struct logs_pos bound;
	struct logs_kek kek;
	bool have_kek;
	struct arena scratch;
};

/* Is a beyond b, in the query's direction? */
static bool beyond(const struct select *s, const struct logs_pos *a, const struct logs_pos *b)
{
	int d = logs_pos_cmp(a, b);

	return s->q->backward ? d < 0 : d > 0;
}

static void sift_down(struct select *s, size_t i)
{
	for (;;) {
		size_t l = 2 * i + 1, top = i;

		for (size_t j = l; j < l + 2 && j < s->n; j++)
			if (beyond(s, &s->heap[j].pos, &s->heap[top].pos))
				top = j;
		if (top == i)
			return;
		struct found x = s->heap[i];
		s->heap[i] = s->heap[top];
		s->heap[top] = x;
		i = top;
	}
}

static struct found heap_take(struct select *s)
{
	struct found top = s->heap[0];

	s->heap[0] = s->heap[--s->n];
	sift_down(s, 0);
	s->bytes -= top.message_n + LOGS_EVENT_OVERHEAD;
	return top;
}

static void heap_add(struct select *s, const struct found *f)
{
	size_t i = s->n;

	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 64;
		s->heap = xrealloc(s->heap, s->cap * sizeof *s->heap);
	}
	s->heap[s->n++] = *f;
	s->bytes += f->message_n + LOGS_EVENT_OVERHEAD;
	while (i > 0 && beyond(s, &s->heap[i].pos, &s->heap[(i - 1) / 2].pos)) {
		struct found x = s->heap[i];

		s->heap[i] = s->heap[(i - 1) / 2];
		s->heap[(i - 1) / 2] = x;
		i = (i - 1) / 2;
	}
	while (s->n > s->q->limit || (s->bytes > LOGS_PAGE_BYTES_MAX && s->n > 1)) {
		struct found top = heap_take(s);

		s->bounded = true;
		s->bound = top.pos;
		free(top.text);
	}
}

static int cursor_next(struct select *s, struct cursor *k)
{
	struct str key, value, rest;
	uint64_t first, stream;
	int r = store_range_next(&k->range, &key, &value);

	if (r <= 0) {
		k->done = true;
		return r;
	}
	rest = str_skip(key, k->prefix.n);
	if (k->s) {
		stream = (uint64_t)k->s->id.v;
		if (value.n < HEADER_BYTES || key_take_u64(&rest, &first) < 0 || key_take_u64(&rest, &k->at.seq) < 0)
			return -EBADMSG;
		k->last = (int64_t)get_u(value.p + 9, 8);
		k->name = k->s->name;
	} else {
		if (value.n < 12 || key_take_u64(&rest, &first) < 0 || key_take_u64(&rest, &stream) < 0 ||
		    key_take_u64(&rest, &k->at.seq) < 0)
			return -EBADMSG;
		k->last = (int64_t)get_u(value.p, 8);
		k->name = str_skip(value, 12);
	}
	k->at.first = (int64_t)first;
	k->at.stream = stream;
	if (s->q->backward ? minute_of(k->at.first) < minute_of(s->from) : k->at.first >= s->to)
		k->done = true;
	return 0;
}

static int cursor_open(struct select *s, struct cursor *k)
{
	struct str account = s->c->account;
	struct keybuf at;
	int64_t edge = s->q->backward ? s->to : minute_of(s->from) * LOGS_CHUNK_SPAN_MS;
	int r;

	if (k->s) {
		logs_chunk_prefix(&k->prefix, account, s->g->id.v);
		key_u64(&k->prefix, (uint64_t)k->s->id.v);
	} else
		logs_time_prefix(&k->prefix, account, s->g->id.v);
	at = k->prefix;
	key_u64(&at, (uint64_t)edge); /* a prefix sorts before every key that begins with it, in both directions */
	r = store_range_open(&k->range, s->c->txn, key_view(&k->prefix), key_view(&at), s->q->backward);
	return r < 0 ? r : cursor_next(s, k);
}

/* The event is one that the query asks for: keeps a copy of it while it is among the first. */
static void consider(struct select *s, const struct cursor *k, const struct logs_pos *pos, struct str message)
{
	struct found f;

	if (pos->ms < s->from || pos->ms >= s->to || (s->q->after && !beyond(s, pos, s->q->after)))
		return;
	if ((s->bounded && beyond(s, pos, &s->bound)) || (s->q->wanted && !s->q->wanted(message, s->q->arg)))
		return;
	f = (struct found){ *pos, message.n, k->name.n, xmalloc(message.n + k->name.n + 1) };
	memcpy(f.text, message.p, message.n);
	memcpy(f.text + message.n, k->name.p, k->name.n);
	heap_add(s, &f);
}

static int open_chunk(struct select *s, const struct cursor *k, struct str value, uint8_t *plain)
{
	int64_t id = (int64_t)get_u(value.p + 1, 8);
	struct keybuf key;
	uint8_t chunk[32];
	int r;

	if (!s->have_kek || s->kek.id != id) {
		s->have_kek = false;
		r = logs_open_key(s->c, s->g, id, &s->kek);
		if (r < 0)
			return r;
		s->have_kek = true;
	}
	arena_reset(&s->scratch);
	chunk_key(&key, s->c->account, s->g->id.v, &k->at);
	hmac_sha256(s->kek.key, 32, value.p + SALT_AT, SALT_BYTES, chunk);
	r = aes_gcm_open(chunk, zero_nonce, chunk_aad(&s->scratch, &key, (const uint8_t *)value.p), str_skip(value, HEADER_BYTES), plain);
	mem_wipe(chunk, sizeof chunk);
	return r;
}

static int read_chunk(struct select *s, const struct cursor *k)
{
	struct keybuf key;
	struct str value;
	uint64_t n, bytes;
	uint8_t *plain;
	int r;

	chunk_key(&key, s->c->account, s->g->id.v, &k->at);
	r = store_get(s->c->txn, key_view(&key), &value);
	if (r < 0)
		return r == -ENOENT ? -EBADMSG : r;
	if (value.n < HEADER_BYTES + SEAL_TAG_BYTES || value.p[0] != FORMAT)
		return -EBADMSG;
	n = get_u(value.p + 25, 4);
	bytes = get_u(value.p + 29, 4);
	if (value.n != HEADER_BYTES + bytes + SEAL_TAG_BYTES)
		return -EBADMSG;
	s->scanned += value.n;
	plain = xmalloc(bytes + 1);
	r = open_chunk(s, k, value, plain);
	for (uint64_t i = 0, at = 0; r == 0 && i < n; i++) {
		struct logs_pos pos = { 0, (int64_t)get_u(value.p + 17, 8), k->at.stream, k->at.seq, (uint32_t)i };
		uint64_t len;

		if (bytes - at < EVENT_HEADER_BYTES || (len = get_u(plain + at + 4, 4)) > bytes - at - EVENT_HEADER_BYTES) {
			r = -EBADMSG;
			break;
		}
		pos.ms = k->at.first + (int64_t)get_u(plain + at, 4);
		consider(s, k, &pos, str_of((char *)plain + at + EVENT_HEADER_BYTES, len));
		at += EVENT_HEADER_BYTES + len;
	}
	free(plain);
	return r;
}

/* The next chunk in the query's direction; NULL: none is left. */
static struct cursor *nearest(const struct select *s, struct cursor *v, size_t n)
{
	struct cursor *best = NULL;

	for (size_t i = 0; i < n; i++)
		if (!v[i].done && (!best || (s->q->backward ? v[i].at.first > best->at.first : v[i].at.first < best->at.first)))
			best = &v[i];
	return best;
}

/* What is wanted lies on this side of the edge; NULL: there is room for more. */
static const struct logs_pos *edge_of(const struct select *s)
{
	return s->bounded ? &s->bound : s->n == s->q->limit ? &s->heap[0].pos : NULL;
}

/* No chunk from here on can hold what is still wanted. */
static bool full(const struct select *s, int64_t first)
{
	const struct logs_pos *edge = edge_of(s);

	if (!edge)
		return false;
	return s->q->backward ? minute_of(first) < minute_of(edge->ms) : first > edge->ms;
}

static bool chunk_wanted(const struct select *s, const struct cursor *k)
{
	return k->last >= s->from && (k->s || !s->q->prefix.p || str_starts(k->name, s->q->prefix));
}

/* The call has looked at enough: everything on this side of here is known, what lies beyond is for the next call. Each call
 * comes further than the one before it. */
static bool enough(struct select *s, int64_t first, struct logs_pos *ret_at)
{
	int64_t m = minute_of(first);

	if (s->scanned < SCAN_BYTES_MAX || !s->q->wanted)
		return false;
	if (s->q->backward) {
		if (m >= s->top_minute)
			return false;
		*ret_at = (struct logs_pos){ .ms = (m + 1) * LOGS_CHUNK_SPAN_MS };
	} else {
		if (first - 1 <= s->from)
			return false;
		*ret_at = (struct logs_pos){ first - 1, INT64_MAX, UINT64_MAX, UINT64_MAX, UINT32_MAX };
	}
	while (s->n && beyond(s, &s->heap[0].pos, ret_at))
		free(heap_take(s).text);
	return true;
}

static int scan(struct select *s, struct cursor *v, size_t n, bool *ret_more, struct logs_pos *ret_at)
{
	struct cursor *k;
	bool passed = false; /* a chunk that lies beyond the edge */
	int r = 0;

	*ret_more = false;
	k = nearest(s, v, n);
	s->top_minute = k ? minute_of(k->at.first) : 0;
	while (r == 0 && (k = nearest(s, v, n)) != NULL) {
		if (full(s, k->at.first)) { /* what follows may hold more, which need not be known now */
			*ret_more = true;
			*ret_at = s->heap[0].pos;
			return 0;
		}
		if (enough(s, k->at.first, ret_at)) {
			*ret_more = true;
			return 0;
		}
		s->scanned += SKIP_COST;
		if (chunk_wanted(s, k)) {
			const struct logs_pos *edge = edge_of(s);

			if (s->q->backward && edge && k->last < edge->ms)
				passed = true;
			else
				r = read_chunk(s, k);
		}
		if (r == 0)
			r = cursor_next(s, k);
	}
	if ((s->bounded || passed) && r == 0) {
		*ret_more = true;
		*ret_at = s->heap[0].pos;
	}
	return r;
}

static void collect(struct select *s, struct logs_found **ret, size_t *ret_n)
{
	*ret_n = s->n;
	*ret = arena_array(s->c->arena, struct logs_found, s->n + 1);
	for (size_t left = s->n; left > 0; left--) {
		struct found f = heap_take(s);

		(*ret)[s->q->backward ? *ret_n - left : left - 1] = (struct logs_found){
			.pos = f.pos,
			.message = str_dup(s->c->arena, str_of(f.text, f.message_n)),
			.stream = str_dup(s->c->arena, str_of(f.text + f.message_n, f.stream_n)),
		};
		free(f.text);
	}
}

static void select_done(struct select *s)
{
	while (s->n)
		free(heap_take(s).text);
	free(s->heap);
	mem_wipe(&s->kek, sizeof s->kek);
	arena_done(&s->scratch);
}

int logs_select(struct call *c, const struct logs_rec_group *g, const struct logs_query *q, struct logs_found **ret, size_t *ret_n,
		bool *ret_more, struct logs_pos *ret_at)
{
	struct select s = { .c = c, .g = g, .q = q, .from = q->from, .to = q->to };
	size_t n = q->streams ? q->n_streams : 1;
	struct cursor *v = arena_array(c->arena, struct cursor, n + 1);
	int64_t cutoff = logs_cutoff_ms(g, c->now_ms);
	int r = 0;

	assert(q->limit > 0 && q->limit <= LOGS_PAGE_EVENTS_MAX);
	if (s.from < cutoff)
		s.from = cutoff;
	if (s.from < 0)
		s.from = 0;
	if (q->after && !q->backward && s.from < q->after->ms)
		s.from = q->after->ms;
	if (q->after && q->backward && q->after->ms < s.to - 1)
		s.to = q->after->ms + 1;
	*ret_more = false;
	for (size_t i = 0; r == 0 && i < n && s.from < s.to; i++) {
		v[i].s = q->streams ? &q->streams[i] : NULL;
		r = cursor_open(&s, &v[i]);
	}
	if (r == 0 && s.from < s.to)
		r = scan(&s, v, n, ret_more, ret_at);
	for (size_t i = 0; i < n; i++)
		store_range_close(&v[i].range);
	if (r == 0)
		collect(&s, ret, ret_n);
	select_done(&s);
	return r;
}

int logs_chunk_events(struct call *c, const struct logs_rec_group *g, struct str stream, uint64_t stream_id, int64_t first, uint64_t seq,
		      bool (*wanted)(struct str message, void *arg), void *arg, struct logs_found **ret, size_t *ret_n)
{
	struct logs_query q = { .to = INT64_MAX, .limit = LOGS_PAGE_EVENTS_MAX, .wanted = wanted, .arg = arg };
	struct select s = { .c = c, .g = g, .q = &q, .from = logs_cutoff_ms(g, c->now_ms), .to = INT64_MAX };
	struct cursor k = { .at = { first, stream_id, seq }, .name = stream };
	struct keybuf key;
	struct str value;
	int r;

	chunk_key(&key, c->account, g->id.v, &k.at);
	r = store_get(c->txn, key_view(&key), &value);
	if (r == 0)
		r = read_chunk(&s, &k);
	if (r == 0)
		collect(&s, ret, ret_n);
	select_done(&s);
	return r;
}

/* --- dropping --- */
int logs_chunks_drop(struct store_txn *t, struct str account, int64_t group, int64_t stream, int64_t before, int max, int64_t *ret_bytes)
{
	struct place *v = xmalloc((size_t)max * sizeof *v);
	struct store_range range = { 0 };
	struct str key, value, rest;
	struct keybuf prefix, k;
	int n = 0, r;

	if (stream) {
		logs_chunk_prefix(&prefix, account, group);
		key_u64(&prefix, (uint64_t)stream);
	} else
		logs_time_prefix(&prefix, account, group);
	r = store_range_open(&range, t, key_view(&prefix), STR_NONE, false);
	while (r == 0 && n < max && (r = store_range_next(&range, &key, &value)) == 1) {
		struct place p = { .stream = (uint64_t)stream };
		uint64_t first;

		rest = str_skip(key, prefix.n);
		if (key_take_u64(&rest, &first) < 0 || (!stream && key_take_u64(&rest, &p.stream) < 0) || key_take_u64(&rest, &p.seq) < 0) {
			r = -EBADMSG;
			break;
		}
		p.first = (int64_t)first;
		r = 0;
		if (p.first >= before)
			break;
		v[n++] = p;
	}
	store_range_close(&range);
	for (int i = 0; r == 0 && i < n; i++) {
		time_key(&k, account, group, &v[i]);
		r = store_get(t, key_view(&k), &value);
		if (r == 0 && value.n >= 12) {
			*ret_bytes += (int64_t)get_u(value.p + 8, 4);
			r = store_del(t, key_view(&k));
		}
		chunk_key(&k, account, group, &v[i]);
		if (r == 0)
			r = store_del(t, key_view(&k));
	}
	free(v);
	return r < 0 ? r : n;
}
