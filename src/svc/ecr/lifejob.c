/* SPDX-License-Identifier: Apache-2.0 */
/* lifejob.c - timed work of a repository: lifecycle rules at every midnight UTC, and layers that were pushed but never became
 * part of an image, which go after a week. A run is one transaction; a repository has at most ECR_IMAGES_MAX images. */
#include "store/jobs.h"
#include "svc/ecr/ecr_int.h"
#include <errno.h>

#define ORPHAN_MS (7 * ECR_DAY_MS)

int64_t ecr_midnight(int64_t now_ms)
{
	return (now_ms / ECR_DAY_MS + 1) * ECR_DAY_MS;
}

int ecr_job_put(struct store_txn *t, struct str kind, const struct ecr_rec_repository *p, int64_t due_ms)
{
	struct arena a = { 0 };
	/* The id goes along, so that a job never touches a successor of the same name. */
	int r = job_put(t, due_ms, kind, str_printf(&a, "%.*s/%.*s/%.*s", STR(p->account), STR(p->id), STR(p->name)), S(""));

	arena_done(&a);
	return r;
}

struct run {
	struct str kind, id;
	int64_t now;
	struct arena arena;
	struct ecr_change ch;
};

struct gather {
	struct run *run;
	struct ecr_rec_image *v;
	size_t n, cap;
	struct ecr_rec_layer *layers;
	size_t n_layers, layers_cap;
};

static int take_image(void *arg, struct str last, struct str value, struct str key)
{
	struct gather *g = arg;

	return record_decode(&ecr_records, ECR_REC_IMAGE, &g->run->arena, value, &vec_push(&g->run->arena, g->v, g->n, g->cap));
}

static int take_layer(void *arg, struct str last, struct str value, struct str key)
{
	struct gather *g = arg;
	struct ecr_rec_layer l;
	int r = record_decode(&ecr_records, ECR_REC_LAYER, &g->run->arena, value, &l);

	if (r == 0 && l.pushed.ms + ORPHAN_MS <= g->run->now)
		vec_push(&g->run->arena, g->layers, g->n_layers, g->layers_cap) = l;
	return r;
}

/* Indexes first: what an index holds can only go after it. */
static int expire(struct run *w, struct ecr_rec_repository *p, const struct gather *g, const int *rule)
{
	int64_t gone = 0;
	int r = 0;

	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < g->n && r == 0; i++) {
			if (rule[i] < 0 || (g->v[i].children.n > 0) != (pass == 0))
				continue;
			r = ecr_any_key(w->ch.txn, &w->arena, p, "ecr.parent", g->v[i].digest, NULL);
			if (r == 0) {
				r = ecr_image_drop(&w->ch, &g->v[i]);
				gone++;
			} else if (r == 1) {
				r = 0;
			}
		}
	p->images.v -= gone;
	return r;
}

static int run_lifecycle(struct run *w, struct ecr_rec_repository *p)
{
	struct gather g = { .run = w };
	struct ecr_rules rules;
	struct str why;
	int *rule, r;

	if (!p->lifecycle.p)
		return job_del(w->ch.txn, w->kind, w->id);
	if (ecr_lifecycle_parse(&w->arena, p->lifecycle, &rules, &why) < 0)
		return -EBADMSG;
	r = ecr_each(w->ch.txn, p, "ecr.image", STR_NONE, take_image, &g);
	if (r < 0)
		return r;
	rule = arena_array(&w->arena, int, g.n + 1);
	ecr_lifecycle_apply(&w->arena, &rules, g.v, g.n, w->now, rule);
	r = expire(w, p, &g, rule);
	p->lifecycle_run = OPT_TIME(w->now);
	if (r == 0)
		r = ecr_repo_put(w->ch.txn, p);
	return r < 0 ? r : job_put(w->ch.txn, ecr_midnight(w->now), w->kind, w->id, S(""));
}

static int run_sweep(struct run *w, struct ecr_rec_repository *p)
{
	struct gather g = { .run = w };
	int r = ecr_each(w->ch.txn, p, "ecr.layer", STR_NONE, take_layer, &g);

	for (size_t i = 0; i < g.n_layers && r == 0; i++) {
		r = ecr_any_key(w->ch.txn, &w->arena, p, "ecr.use", g.layers[i].digest, NULL);
		r = r == 0 ? ecr_layer_drop(&w->ch, &g.layers[i]) : r < 0 ? r : 0;
	}
	return r < 0 ? r : job_del(w->ch.txn, w->kind, w->id); /* the next layer that is pushed puts it again */
}

static int run_job(struct store_txn *t, void *arg)
{
	struct run *w = arg;
	struct str rest = w->id, account, id;
	struct ecr_rec_repository *p;
	int r;

	arena_reset(&w->arena);
	p = arena_new(&w->arena, struct ecr_rec_repository);
	w->ch = (struct ecr_change){ .txn = t, .arena = &w->arena, .repo = p };
	if (!str_cut(w->id, '/', &account, &rest) || !str_cut(rest, '/', &id, &rest))
		return -EBADMSG;
	r = ecr_repo_read(t, &w->arena, account, rest, p);
	if (r == -ENOENT || (r == 0 && !str_eq(p->id, id)))
		return job_del(t, w->kind, w->id);
	if (r < 0)
		return r;
	return str_eq(w->kind, ECR_JOB_LIFECYCLE) ? run_lifecycle(w, p) : run_sweep(w, p);
}

int ecr_job(struct cloud *cl, struct region *r, struct str kind, struct str id, struct str payload)
{
	struct run w = { .kind = kind, .id = id, .now = clock_now_ms() };
	int e;

	if (!str_eq(kind, ECR_JOB_LIFECYCLE) && !str_eq(kind, ECR_JOB_SWEEP))
		return -ENOSYS;
	e = store_write(r->store, run_job, &w);
	if (e == 0)
		ecr_change_unlink(r, &w.ch);
	arena_done(&w.arena);
	return e == -ENOENT ? 0 : e;
}
