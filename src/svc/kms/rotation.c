/* SPDX-License-Identifier: Apache-2.0 */
/* rotation.c - new key material by the clock or on demand, and deletion after a waiting period.
 *
 * Rotation only adds a version: what older versions encrypted still decrypts. Both are timed jobs in the region's store. */
#include "store/jobs.h"
#include "svc/kms/kms_int.h"
#include <errno.h>

#define JOB_ROTATE S("kms/rotate")
#define JOB_DELETE S("kms/delete")

static struct str job_id(struct arena *a, const struct kms_rec_key *k)
{
	return str_printf(a, "%.*s/%.*s", STR(k->account), STR(k->id));
}

static int plan(struct call *c, const struct kms_rec_key *k, struct str kind, int64_t due_ms)
{
	int r = job_put(c->txn, due_ms, kind, job_id(c->arena, k), S(""));

	return r;
}

static int unplan(struct call *c, const struct kms_rec_key *k, struct str kind)
{
	int r = job_del(c->txn, kind, job_id(c->arena, k));

	return r == -ENOENT ? 0 : r;
}

static void wake(struct cloud *cl, struct region *r, void *arg)
{
	cloud_jobs_wake(cl);
}

KMS_HANDLER(enable_key_rotation)
{
	struct kms_rec_key k;
	int r = kms_customer_key(c, in->key_id, &k);

	if (r == 0)
		r = kms_key_usable(c, &k);
	if (r < 0)
		return r;
	if (in->rotation_period_in_days.has)
		k.rotation_days = in->rotation_period_in_days;
	k.rotation = OPT_BOOL(true);
	k.next_rotation = OPT_TIME(c->now_ms + k.rotation_days.v * KMS_DAY_MS);
	r = plan(c, &k, JOB_ROTATE, k.next_rotation.ms);
	if (r < 0)
		return r;
	call_on_commit(c, wake, NULL);
	return kms_key_put(c->txn, &k);
}

KMS_HANDLER(disable_key_rotation)
{
	struct kms_rec_key k;
	int r = kms_customer_key(c, in->key_id, &k);

	if (r == 0)
		r = kms_key_usable(c, &k);
	if (r == 0)
		r = unplan(c, &k, JOB_ROTATE);
	if (r < 0)
		return r;
	k.rotation = OPT_BOOL(false);
	k.next_rotation.has = false;
	return kms_key_put(c->txn, &k);
}

KMS_HANDLER(get_key_rotation_status)
{
	struct kms_rec_key k;
	int r = kms_key_load(c, in->key_id, false, &k);

	if (r == 0)
		r = kms_key_not_pending(c, &k);
	if (r < 0)
		return r;
	out->key_id = k.arn;
	out->key_rotation_enabled = OPT_BOOL(k.rotation.v);
	if (k.rotation.v) {
		out->rotation_period_in_days = k.rotation_days;
		out->next_rotation_date = k.next_rotation;
	}
	return 0;
}

KMS_HANDLER(rotate_key_on_demand)
{
	struct kms_rec_key k;
	int r = kms_customer_key(c, in->key_id, &k);

	if (r == 0)
		r = kms_key_usable(c, &k);
	if (r < 0)
		return r;
	if (k.on_demand.v >= KMS_ON_DEMAND_ROTATIONS_MAX)
		return call_fail(c, &kms_err_limit_exceeded, "The on-demand rotation limit of %d has been reached for %.*s.",
				 KMS_ON_DEMAND_ROTATIONS_MAX, STR(k.arn));
	k.on_demand = OPT_INT(k.on_demand.v + 1);
	r = kms_version_add(c->cloud, c->arena, &k, "ON_DEMAND", c->now_ms);
	if (r < 0)
		return r;
	out->key_id = k.arn;
	return kms_key_put(c->txn, &k);
}

KMS_HANDLER(list_key_rotations)
{
	size_t limit = in->limit.has ? (size_t)in->limit.v : 100, cap = 0, i = 1;
	bool all = str_is(in->include_key_material, "ALL_KEY_MATERIAL");
	struct kms_rec_key k;
	struct str at;
	uint64_t from;
	int r = kms_key_load(c, in->key_id, false, &k);

	if (r < 0)
		return r;
	if (all)
		i = 0;
	if (in->marker.p) {
		if (page_parse(c, in->marker, &at) < 0 || str_to_u64(at, &from) < 0)
			return call_fail(c, &kms_err_invalid_marker, "Invalid marker");
		i = (size_t)from;
	}
	out->truncated = OPT_BOOL(false);
	out->rotations.v = NULL;
	for (; i < k.versions.n; i++) {
		const struct kms_rec_key_version *v = &k.versions.v[i];
		struct kms_rotations_list_entry e = { .key_id = k.arn, .key_material_id = v->material_id };

		if (out->rotations.n == limit) {
			out->truncated.v = true;
			out->next_marker = page_token(c, str_printf(c->arena, "%zu", i));
			break;
		}
		e.key_material_state = i + 1 == k.versions.n ? S("CURRENT") : S("NON_CURRENT");
		if (i > 0) {
			e.rotation_date = v->created;
			e.rotation_type = v->kind;
		}
		vec_push(c->arena, out->rotations.v, out->rotations.n, cap) = e;
	}
	if (!out->rotations.v)
		out->rotations.v = arena_alloc(c->arena, 1);
	return 0;
}

KMS_HANDLER(schedule_key_deletion)
{
	int64_t days = in->pending_window_in_days.has ? in->pending_window_in_days.v : 30;
	struct kms_rec_key k;
	int r = kms_customer_key(c, in->key_id, &k);

	if (r == 0)
		r = kms_key_not_pending(c, &k);
	if (r < 0)
		return r;
	if (days < 7 || days > 30)
		return call_fail(c, &aws_err_validation_exception, "PendingWindowInDays must be between 7 and 30 days, inclusive.");
	k.state = S("PendingDeletion");
	k.pending_days = OPT_INT(days);
	k.deletion = OPT_TIME(c->now_ms + days * KMS_DAY_MS);
	r = plan(c, &k, JOB_DELETE, k.deletion.ms);
	if (r < 0)
		return r;
	call_on_commit(c, wake, NULL);
	out->key_id = k.arn;
	out->deletion_date = k.deletion;
	out->key_state = k.state;
	out->pending_window_in_days = k.pending_days;
	return kms_key_put(c->txn, &k);
}

KMS_HANDLER(cancel_key_deletion)
{
	struct kms_rec_key k;
	int r = kms_customer_key(c, in->key_id, &k);

	if (r < 0)
		return r;
	if (!str_is(k.state, "PendingDeletion"))
		return call_fail(c, &kms_err_kms_invalid_state, "%.*s is not pending deletion.", STR(k.arn));
	r = unplan(c, &k, JOB_DELETE);
	if (r < 0)
		return r;
	k.state = S("Disabled"); /* as AWS leaves it: the user enables it again */
	k.deletion.has = false;
	out->key_id = k.arn;
	return kms_key_put(c->txn, &k);
}

/* --- the clock's part --- */
struct due {
	struct cloud *cl;
	struct str kind, id;
};

static int rotate_due(struct due *d, struct store_txn *t, struct arena *a, struct kms_rec_key *k, int64_t now)
{
	int r;

	if (!k->rotation.v)
		return job_del(t, d->kind, d->id);
	if (str_is(k->state, "Enabled")) { /* a key that may not be used is not rotated; it is looked at again next time */
		r = kms_version_add(d->cl, a, k, "AUTOMATIC", now);
		if (r < 0)
			return r;
	}
	k->next_rotation = OPT_TIME(now + k->rotation_days.v * KMS_DAY_MS);
	r = kms_key_put(t, k);
	return r < 0 ? r : job_put(t, k->next_rotation.ms, d->kind, d->id, S(""));
}

static int delete_due(struct due *d, struct store_txn *t, struct arena *a, struct kms_rec_key *k)
{
	struct keybuf kb;
	int r = job_del(t, d->kind, d->id);

	if (r < 0 || !str_is(k->state, "PendingDeletion"))
		return r;
	r = job_del(t, JOB_ROTATE, d->id);
	if (r < 0 && r != -ENOENT)
		return r;
	r = kms_aliases_drop(t, a, k);
	if (r == 0)
		r = kms_grants_drop(t, a, k);
	key_begin(&kb, k->account, "kms.key");
	key_str(&kb, k->id);
	return r < 0 ? r : store_del(t, key_view(&kb));
}

static bool not_yet(const struct due *d, const struct kms_rec_key *k, int64_t now)
{
	const struct opt_time *at = str_eq(d->kind, JOB_ROTATE) ? &k->next_rotation : &k->deletion;

	return at->has && at->ms > now;
}

static int run_due(struct store_txn *t, void *arg)
{
	struct due *d = arg;
	struct arena a = { 0 };
	struct kms_rec_key k;
	struct str account, id;
	int r;

	(void)str_cut(d->id, '/', &account, &id);
	r = kms_key_read(t, &a, account, id, &k);
	if (r == -ENOENT)
		r = job_del(t, d->kind, d->id);
	else if (r == 0 && not_yet(d, &k, clock_now_ms()))
		r = 0; /* it was put off after the runner had found it due */
	else if (r == 0)
		r = str_eq(d->kind, JOB_ROTATE) ? rotate_due(d, t, &a, &k, clock_now_ms()) : delete_due(d, t, &a, &k);
	arena_done(&a);
	return r;
}

int kms_job(struct cloud *cl, struct region *r, struct str kind, struct str id, struct str payload)
{
	return store_write(r->store, run_due, &(struct due){ cl, kind, id });
}
