/* SPDX-License-Identifier: Apache-2.0 */
/* lifejob.c - lifecycle rules carried out: when rules are put, and then at every midnight UTC.
 *
 * A run goes through a bucket's current objects, then its old versions, then its uploads, in steps of STEP entries, each one
 * transaction. Between steps the job's payload says where to go on ("o", "v" or "u" and the last key), so a run of any length
 * never holds the writer, and a crash repeats one step at most. */
#include "svc/s3/lifecycle.h"
#include <errno.h>

#define STEP 1000
#define SMALL_BYTES (128 << 10) /* below it S3 does not change storage classes */

struct step {
	struct str bucket, payload;
	int64_t now;
	struct arena arena;
	struct s3_change ch;
	struct s3_rec_bucket b;
	struct str next; /* payload of the next step; absent: the run is over */
	bool more;       /* the table has more entries */
	struct str last; /* key behind the table's prefix, of the last entry seen */
};
struct seen { /* an entry of s3.obj or s3.ver */
	struct str key;
	struct s3_rec_object o;
};
struct page {
	struct seen *v;
	size_t n, cap;
};

/* Reads a page; coded keys (s3.ver) end only between keys, so that the versions of a key come together. */
static int read_page(struct step *s, struct store_txn *t, void (*table)(struct keybuf *, const struct s3_rec_bucket *), bool coded,
		     struct page *ret)
{
	struct store_range range = { 0 };
	struct keybuf prefix, from;
	struct str k, v, key, start = str_skip(s->payload, s->payload.n ? 1 : 0);
	int r;

	table(&prefix, &s->b);
	from = prefix;
	key_raw(&from, start);
	r = store_range_open(&range, t, key_view(&prefix), start.n ? key_view(&from) : STR_NONE, false);
	while (r == 0 && (r = store_range_next(&range, &k, &v)) == 1) {
		struct seen x = { 0 };

		k = str_dup(&s->arena, str_skip(k, prefix.n));
		key = k;
		r = coded ? key_take_str(&key, &s->arena, &x.key) : 0;
		if (!coded)
			x.key = k;
		if (r == 0 && ret->n >= STEP && !(coded && str_eq(ret->v[ret->n - 1].key, x.key))) {
			s->more = true;
			break;
		}
		if (r == 0)
			r = record_decode(&s3_records, S3_REC_OBJECT, &s->arena, v, &x.o);
		s->last = k;
		if (r == 0)
			vec_push(&s->arena, ret->v, ret->n, ret->cap) = x;
	}
	store_range_close(&range);
	return r;
}

static int class_rank(struct str class)
{
	static const char *const order[] = { "STANDARD",   "STANDARD_IA", "INTELLIGENT_TIERING", "ONEZONE_IA",
					     "GLACIER_IR", "GLACIER",     "DEEP_ARCHIVE" };

	for (int i = 0; class.p && i < (int)ELEMENTS(order); i++)
		if (str_is(class, order[i]))
			return i;
	return 0;
}

static bool large_enough(const struct step *s, const struct s3_rec_rule *u, const struct s3_rec_object *o, struct str class)
{
	if (o->size.v >= SMALL_BYTES || u->larger.has || u->smaller.has)
		return true;
	return str_is(s->b.transition_minimum, "varies_by_storage_class") && (str_is(class, "GLACIER") || str_is(class, "DEEP_ARCHIVE"));
}

/* The storage class that an object should have come to by now; only ever colder. age_ms: what days count from. */
static struct str due_class(struct step *s, struct str key, const struct s3_rec_object *o, bool noncurrent, int64_t age_ms, size_t newer)
{
	struct str best = o->storage_class;

	for (size_t i = 0; i < s->b.lifecycle.n; i++) {
		const struct s3_rec_rule *u = &s->b.lifecycle.v[i];
		const struct s3_rec_transition_list *l = noncurrent ? &u->noncurrent_transitions : &u->transitions;

		if (!l->n || !s3_rule_matches(u, key, o))
			continue;
		for (size_t j = 0; j < l->n; j++) {
			const struct s3_rec_transition *t = &l->v[j];
			int64_t due = t->days.has ? s3_due_ms(age_ms, t->days.v) : t->date.ms;

			if (due <= s->now && !(t->keep.has && newer < (size_t)t->keep.v) &&
			    class_rank(t->storage_class) > class_rank(best) && large_enough(s, u, o, t->storage_class))
				best = t->storage_class;
		}
	}
	return best;
}

static int step_object(struct step *s, struct seen *x)
{
	struct str class;

	for (size_t i = 0; i < s->b.lifecycle.n; i++) {
		const struct s3_rec_rule *u = &s->b.lifecycle.v[i];
		struct s3_rec_object marker = { .marker = OPT_BOOL(true),
						.modified = OPT_TIME(s->now / 1000 * 1000),
						.owner = s->b.account };

		if (!s3_rule_matches(u, x->key, &x->o) || s3_rule_expires(u, &x->o) > s->now)
			continue;
		return s->b.versioning.p ? s3_object_insert(&s->ch, &s->b, x->key, &marker)
					 : s3_object_remove(&s->ch, &s->b, x->key, &x->o);
	}
	class = due_class(s, x->key, &x->o, false, x->o.modified.ms, 0);
	if (str_eq(class, x->o.storage_class))
		return 0;
	x->o.storage_class = class;
	return s3_object_update(s->ch.txn, &s->b, x->key, &x->o);
}

/* A delete marker that stands alone, and is the latest, hides nothing any more. */
static bool marker_expires(struct step *s, const struct seen *x)
{
	for (size_t i = 0; i < s->b.lifecycle.n; i++) {
		const struct s3_rec_rule *u = &s->b.lifecycle.v[i];

		if (s3_rule_matches(u, x->key, &x->o) && (u->expire_marker.v || s3_rule_expires(u, &x->o) <= s->now))
			return true;
	}
	return false;
}

/* newer: how many noncurrent versions of the key are newer. */
static int step_version(struct step *s, struct seen *x, size_t newer)
{
	struct str class;

	if (!x->o.noncurrent.has)
		return 0;
	for (size_t i = 0; i < s->b.lifecycle.n; i++) {
		const struct s3_rec_rule *u = &s->b.lifecycle.v[i];

		if (u->noncurrent_days.has && s3_rule_matches(u, x->key, &x->o) &&
		    s3_due_ms(x->o.noncurrent.ms, u->noncurrent_days.v) <= s->now &&
		    newer >= (size_t)(u->noncurrent_keep.has ? u->noncurrent_keep.v : 0))
			return s3_object_remove(&s->ch, &s->b, x->key, &x->o);
	}
	class = x->o.marker.v ? x->o.storage_class : due_class(s, x->key, &x->o, true, x->o.noncurrent.ms, newer);
	if (str_eq(class, x->o.storage_class))
		return 0;
	x->o.storage_class = class;
	return s3_object_update(s->ch.txn, &s->b, x->key, &x->o);
}

static int step_versions(struct step *s, struct page *p)
{
	struct s3_rec_object cur;
	int r = 0;

	for (size_t i = 0, newer = 0; i < p->n && r == 0; i++) {
		struct seen *x = &p->v[i];
		bool first = i == 0 || !str_eq(p->v[i - 1].key, x->key), last = i + 1 == p->n || !str_eq(p->v[i + 1].key, x->key);

		newer = first ? 0 : newer;
		if (first && last && x->o.marker.v && !x->o.noncurrent.has && marker_expires(s, x)) {
			r = s3_object_current(s->ch.txn, &s->arena, &s->b, x->key, &cur);
			r = r == -ENOENT ? s3_object_remove(&s->ch, &s->b, x->key, &x->o) : r;
			continue;
		}
		r = step_version(s, x, newer);
		newer += x->o.noncurrent.has;
	}
	return r;
}

static bool upload_due(struct step *s, const struct s3_rec_upload *u)
{
	struct s3_rec_object any = { 0 };

	for (size_t i = 0; i < s->b.lifecycle.n; i++)
		if (s->b.lifecycle.v[i].abort_days.has && s3_rule_matches(&s->b.lifecycle.v[i], u->key, &any) &&
		    s3_due_ms(u->initiated.ms, s->b.lifecycle.v[i].abort_days.v) <= s->now)
			return true;
	return false;
}

static int step_uploads(struct step *s, struct store_txn *t)
{
	struct store_range range = { 0 };
	struct keybuf prefix, from;
	struct str k, v, start = str_skip(s->payload, 1);
	struct str_list ids = { 0 };
	size_t cap = 0, n = 0;
	int r;

	s3_upload_prefix(&prefix, &s->b);
	from = prefix;
	key_raw(&from, start);
	r = store_range_open(&range, t, key_view(&prefix), start.n ? key_view(&from) : STR_NONE, false);
	while (r == 0 && (r = store_range_next(&range, &k, &v)) == 1) {
		struct s3_rec_upload u;

		if (n++ == STEP) {
			s->more = true;
			r = 0;
			break;
		}
		s->last = str_dup(&s->arena, str_skip(k, prefix.n));
		r = record_decode(&s3_records, S3_REC_UPLOAD, &s->arena, v, &u);
		if (r == 0 && upload_due(s, &u)) {
			vec_push(&s->arena, ids.v, ids.n, cap) = u.id;
			r = store_del(t, k);
		}
	}
	store_range_close(&range);
	for (size_t i = 0; i < ids.n && r == 0; i++)
		r = s3_parts_drop(&s->ch, ids.v[i]);
	return r;
}

static int64_t next_midnight(int64_t now)
{
	return (now / S3_DAY_MS + 1) * S3_DAY_MS;
}

static int run_step(struct store_txn *t, void *arg)
{
	struct step *s = arg;
	struct page p = { 0 };
	char phase = s->payload.n ? s->payload.p[0] : 'o';
	int r;

	arena_reset(&s->arena);
	s->more = false;
	s->last = STR_NONE;
	s->ch = (struct s3_change){ .txn = t, .arena = &s->arena, .now_ms = s->now };
	r = s3_bucket_read(t, &s->arena, s->bucket, &s->b);
	if (r == -ENOENT || (r == 0 && !s->b.lifecycle.n))
		return job_del(t, S3_JOB_LIFECYCLE, s->bucket);
	if (r == 0 && phase == 'o') {
		r = read_page(s, t, s3_obj_prefix, false, &p);
		for (size_t i = 0; i < p.n && r == 0; i++)
			r = step_object(s, &p.v[i]);
	} else if (r == 0 && phase == 'v') {
		r = read_page(s, t, s3_ver_prefix, true, &p);
		if (r == 0)
			r = step_versions(s, &p);
	} else if (r == 0) {
		r = step_uploads(s, t);
	}
	if (r < 0)
		return r;
	if (s->more)
		return job_put(t, s->now, S3_JOB_LIFECYCLE, s->bucket, str_printf(&s->arena, "%c%.*s", phase, STR(s->last)));
	if (phase != 'u')
		return job_put(t, s->now, S3_JOB_LIFECYCLE, s->bucket, phase == 'o' ? S("v") : S("u"));
	return job_put(t, next_midnight(s->now), S3_JOB_LIFECYCLE, s->bucket, S(""));
}

int s3_job(struct cloud *cl, struct region *r, struct str kind, struct str id, struct str payload)
{
	struct step s = { .bucket = id, .payload = payload, .now = clock_now_ms() };
	int e;

	if (!str_eq(kind, S3_JOB_LIFECYCLE))
		return -ENOSYS;
	e = store_write(r->store, run_step, &s);
	if (e == 0)
		s3_change_unlink(r, &s.ch);
	arena_done(&s.arena);
	return e == -ENOENT ? 0 : e;
}
