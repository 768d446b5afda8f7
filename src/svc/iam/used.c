/* SPDX-License-Identifier: Apache-2.0 */
/* used.c - when keys and roles were last used. Every call would be a write: so it is noted in memory, and written in one
 * transaction every so often. A crash loses a minute of it, as AWS's own report lags. */
#include "svc/iam/iam_int.h"
#include <errno.h>
#include <pthread.h>

#define SLOTS 4096 /* a power of two; when they are full the newest uses are not noted until the next flush */
#define PROBES 16
#define ID_BYTES 32
#define WORD_BYTES 32
#define FLUSH_MS 10000

struct slot {
	char account[16], id[ID_BYTES], service[WORD_BYTES], region[WORD_BYTES];
	int64_t at_ms;
	bool dirty;
};
static struct slot *slots;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int64_t flushed_ms;

static struct slot *slot_find(struct str id, bool make)
{
	uint32_t h = crc32c(0, id.p, id.n);

	for (uint32_t i = 0; i < PROBES; i++) {
		struct slot *s = &slots[(h + i) & (SLOTS - 1)];

		if (str_is(id, s->id))
			return s;
		if (!s->id[0])
			return make ? s : NULL;
	}
	return NULL;
}

static void put(char *to, size_t size, struct str s)
{
	size_t n = s.n < size - 1 ? s.n : size - 1;

	memcpy(to, s.p ? s.p : "", n);
	to[n] = 0;
}

void iam_used_note(struct str account, struct str id, int64_t at_ms, struct str service, struct str region)
{
	struct slot *s;

	if (id.n == 0 || id.n >= ID_BYTES)
		return;
	(void)pthread_mutex_lock(&lock);
	if (!slots)
		slots = xzalloc(SLOTS * sizeof *slots);
	s = slot_find(id, true);
	if (s) {
		put(s->account, sizeof s->account, account);
		put(s->id, sizeof s->id, id);
		put(s->service, sizeof s->service, service);
		put(s->region, sizeof s->region, region);
		s->at_ms = at_ms - at_ms % 1000;
		s->dirty = true;
	}
	(void)pthread_mutex_unlock(&lock);
}

static void record_of(struct arena *a, const struct slot *s, struct iam_rec_used *ret)
{
	*ret = (struct iam_rec_used){ OPT_TIME(s->at_ms), str_dup(a, str_c(s->service)), str_dup(a, str_c(s->region)) };
}

bool iam_used_peek(struct arena *a, struct str id, struct iam_rec_used *ret)
{
	struct slot *s;

	(void)pthread_mutex_lock(&lock);
	s = slots ? slot_find(id, false) : NULL;
	if (s)
		record_of(a, s, ret);
	(void)pthread_mutex_unlock(&lock);
	return s != NULL;
}

struct flush {
	struct slot *v;
	size_t n;
	struct arena arena;
};

static int flush_write(struct store_txn *t, void *arg)
{
	struct flush *f = arg;
	int r = 0;

	for (size_t i = 0; i < f->n && r == 0; i++) {
		struct iam_rec_used u;
		struct keybuf k;

		record_of(&f->arena, &f->v[i], &u);
		iam_key_of(&k, str_c(f->v[i].account), "iam.used", str_c(f->v[i].id), STR_NONE);
		r = record_put(t, &iam_records, IAM_REC_USED, &k, &u);
	}
	return r;
}

static void take_dirty(struct flush *f)
{
	size_t used = 0;

	(void)pthread_mutex_lock(&lock);
	for (size_t i = 0; slots && i < SLOTS; i++) {
		if (slots[i].dirty)
			f->v[f->n++] = slots[i];
		slots[i].dirty = false;
		used += slots[i].id[0] != 0;
	}
	if (used > SLOTS / 2) /* all of it is written now, or about to be */
		memset(slots, 0, SLOTS * sizeof *slots);
	(void)pthread_mutex_unlock(&lock);
}

void iam_used_flush(struct cloud *cl)
{
	struct flush f = { 0 };
	int64_t now = clock_mono_ms();
	int r;

	if (now - flushed_ms < FLUSH_MS)
		return;
	flushed_ms = now;
	f.v = xmalloc(SLOTS * sizeof *f.v);
	take_dirty(&f);
	r = f.n ? store_write(cloud_global(cl), flush_write, &f) : 0;
	if (r < 0)
		log_line(LOG_WARN, "iam: last uses of %zu keys and roles were not stored: %s", f.n, strerror(-r));
	arena_done(&f.arena);
	free(f.v);
}
