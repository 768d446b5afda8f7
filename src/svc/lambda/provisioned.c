/* SPDX-License-Identifier: Apache-2.0 */
/* provisioned.c - provisioned concurrency: how many environments of a version are kept up, configured for the version itself or
 * for an alias, which takes them along when it moves.
 *
 * The configuration is the state that is wanted. Once a second, and after every change, lambda_provisioned_tick compares it with
 * what the environments' module keeps (procd/functions.h), so that a crash, a restart or a moved alias need no steps of their own.
 * Sources: "Configuring provisioned concurrency for a function" (Developer Guide). */
#include "svc/lambda/lambda_int.h"
#include <errno.h>

#define TARGETS_MAX 2 /* versions of one alias */

struct target { /* so many of that version */
	int64_t version, n;
};

/* --- records --- */
static void prov_key(struct keybuf *k, struct str account, struct str name, struct str qualifier)
{
	lambda_key(k, S(""), "lambda.prov", account);
	if (name.p)
		key_str(k, name);
	if (qualifier.p)
		key_str(k, qualifier);
}

static int prov_get(struct call *c, const struct lambda_fn *fn, struct lambda_rec_provisioned *ret)
{
	struct keybuf k;

	prov_key(&k, fn->account, fn->name, fn->qualifier);
	return record_get(c->txn, &lambda_records, LAMBDA_REC_PROVISIONED, c->arena, &k, ret);
}

/* Calls each for all configurations below a key; an answer that is not 0 ends it. */
static int prov_each(struct store_txn *t, struct arena *a, const struct keybuf *prefix,
		     int (*each)(const struct lambda_rec_provisioned *p, void *arg), void *arg)
{
	struct store_range range = { 0 };
	struct lambda_rec_provisioned p;
	struct str key, value;
	int r = store_range_open(&range, t, key_view(prefix), STR_NONE, false);

	while (r >= 0 && (r = store_range_next(&range, &key, &value)) == 1) {
		r = record_decode(&lambda_records, LAMBDA_REC_PROVISIONED, a, value, &p);
		if (r == 0)
			r = each(&p, arg);
		if (r != 0)
			break;
	}
	store_range_close(&range);
	return r;
}

/* Which versions a configuration means, and how many of each: an alias with two versions shares them by its weights. */
static int targets_of(struct store_txn *t, struct arena *a, const struct lambda_rec_provisioned *p, struct target ret[TARGETS_MAX])
{
	struct lambda_rec_alias al;
	int64_t other = 0;
	int r;

	memset(ret, 0, TARGETS_MAX * sizeof *ret);
	ret[0].n = p->wanted.v;
	if (lambda_is_version(p->qualifier))
		return str_to_i64(p->qualifier, &ret[0].version);
	r = lambda_alias_read(t, a, p->account, p->name, p->qualifier, &al);
	if (r < 0)
		return r;
	(void)str_to_i64(al.version, &ret[0].version);
	if (al.other_version.p && str_to_i64(al.other_version, &other) == 0) {
		ret[1].version = other;
		ret[1].n = (int64_t)((double)p->wanted.v * al.other_weight.v + 0.5);
		ret[0].n -= ret[1].n;
	}
	return 0;
}

struct searching {
	struct store_txn *txn;
	struct arena *arena;
	int64_t version, n;
	struct str except; /* the qualifier that asks */
	bool alias;        /* found through one */
};

static int count_places(const struct lambda_rec_provisioned *p, void *arg)
{
	struct searching *x = arg;
	struct target t[TARGETS_MAX];

	if (str_eq(p->qualifier, x->except) || targets_of(x->txn, x->arena, p, t) < 0)
		return 0;
	for (int i = 0; i < TARGETS_MAX; i++)
		if (t[i].version == x->version && t[i].n) {
			x->n += t[i].n;
			x->alias = !lambda_is_version(p->qualifier);
		}
	return 0;
}

static int search(struct call *c, const struct lambda_fn *fn, struct searching *x)
{
	struct keybuf k;

	x->txn = c->txn;
	x->arena = c->arena;
	prov_key(&k, fn->account, fn->name, STR_NONE);
	return prov_each(c->txn, c->arena, &k, count_places, x);
}

int64_t lambda_provisioned_places(struct call *c, const struct lambda_fn *fn, int64_t version)
{
	struct searching x = { .version = version };
	int r = version && fn->f.provisioned.has && fn->f.provisioned.v ? search(c, fn, &x) : 0;

	return r < 0 ? r : x.n;
}

/* --- what may be --- */
static void look_soon(struct cloud *cl, struct region *r, void *arg)
{
	cloud_jobs_wake(cl);
}

/* How many more (or fewer) a function has: that counts against what it, or the account, may have. Refuses what is too much. */
static int change(struct call *c, struct lambda_fn *fn, int64_t more)
{
	struct lambda_rec_account use;
	int64_t all = (fn->f.provisioned.has ? fn->f.provisioned.v : 0) + more;
	int r = lambda_use_read(c->txn, c->arena, fn->account, &use);

	if (r < 0)
		return r;
	if (more > 0 && fn->f.reserved.has && all > fn->f.reserved.v)
		return lambda_fail(
			c, &lambda_err_invalid_parameter_value,
			"Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function");
	if (more > LAMBDA_CONCURRENCY_MAX && !fn->f.reserved.has)
		return lambda_fail(c, &lambda_err_invalid_parameter_value,
				   "Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [%lld].",
				   LAMBDA_CONCURRENCY_MAX - (long long)use.reserved.v);
	if (!fn->f.reserved.has)
		use.provisioned = OPT_INT(use.provisioned.v + more);
	if (more > 0 && use.reserved.v + use.provisioned.v > LAMBDA_CONCURRENCY_MAX - LAMBDA_UNRESERVED_MIN)
		return lambda_fail(
			c, &lambda_err_invalid_parameter_value,
			"Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum "
			"value of [%d].",
			LAMBDA_UNRESERVED_MIN);
	fn->f.provisioned = OPT_INT(all);
	r = lambda_use_put(c->txn, fn->account, &use);
	if (r == 0)
		r = lambda_function_put(c->txn, &fn->f);
	call_on_commit(c, look_soon, NULL);
	return r;
}

static int unpublished(struct call *c)
{
	return lambda_fail(c, &lambda_err_invalid_parameter_value,
			   "Provisioned Concurrency Configs cannot be applied to unpublished function versions.");
}

/* A version's environments are kept up by one configuration only. */
static int only_one(struct call *c, const struct lambda_fn *fn, struct str version)
{
	struct searching x = { .except = fn->qualifier };
	int r = str_to_i64(version, &x.version);

	if (r == 0)
		r = search(c, fn, &x);
	if (r < 0 || !x.n)
		return r;
	return lambda_fail(c, &lambda_err_resource_conflict,
			   x.alias ? "Version is pointed to by a Provisioned Concurrency alias"
				   : "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version");
}

static int check_target(struct call *c, const struct lambda_fn *fn)
{
	struct lambda_rec_version v;
	struct lambda_rec_alias al;
	int r;

	if (lambda_is_version(fn->qualifier)) {
		r = lambda_resolve(c, fn, &v);
		return r < 0 ? r : only_one(c, fn, fn->qualifier);
	}
	r = lambda_alias_read(c->txn, c->arena, fn->account, fn->name, fn->qualifier, &al);
	if (r < 0)
		return r == -ENOENT ? lambda_fail(c, &lambda_err_resource_not_found, "Cannot find alias arn: %.*s",
						  STR(lambda_arn(c, fn->account, fn->name, fn->qualifier)))
				    : r;
	if (str_is(al.version, LAMBDA_LATEST))
		return unpublished(c);
	if (al.other_version.p)
		return lambda_fail(c, &lambda_err_invalid_parameter_value,
				   "Alias with weights can not be used with Provisioned Concurrency");
	return only_one(c, fn, al.version);
}

int lambda_provisioned_alias(struct call *c, const struct lambda_fn *fn, const struct lambda_rec_alias *al)
{
	struct lambda_rec_provisioned p;
	struct lambda_fn at = *fn;
	int r;

	at.qualifier = al->name;
	r = prov_get(c, &at, &p);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (str_is(al->version, LAMBDA_LATEST))
		return unpublished(c);
	r = only_one(c, &at, al->version);
	if (r == 0 && al->other_version.p)
		r = only_one(c, &at, al->other_version);
	call_on_commit(c, look_soon, NULL);
	return r;
}

/* --- what is --- */
struct standing {
	int64_t wanted, ready;
	const char *status;
	struct str reason;
};

/* One version's part. False: it has failed, and x says why. */
static bool add_up(struct call *c, const struct lambda_rec_provisioned *p, const struct target *t, struct functions *f, struct standing *x)
{
	struct fn_provisioned now = { 0 };
	struct lambda_rec_version v;

	if (!t->n || lambda_version_read(c->txn, c->arena, p->account, p->name, t->version, &v) < 0 ||
	    !functions_provisioned(f, lambda_run_key(c->arena, &v), &now))
		return true;
	x->ready += now.ready < t->n ? now.ready : t->n;
	if (!now.failed)
		return true;
	x->reason = now.init ? S("FUNCTION_ERROR_INIT_FAILURE") : lambda_run_fault(c->arena, &v);
	if (!x->reason.p)
		x->reason = str_dup(c->arena, str_c(now.why));
	return false;
}

static struct standing standing_of(struct call *c, const struct lambda_rec_provisioned *p)
{
	struct functions *f = lambda_environments(c->cloud);
	struct standing x = { .wanted = p->wanted.v, .status = "IN_PROGRESS" };
	struct target t[TARGETS_MAX];
	bool well = true;

	if (!f) {
		x.status = "FAILED";
		x.reason = S("Functions cannot run on this machine, or the cloud is about to stop.");
		return x;
	}
	if (targets_of(c->txn, c->arena, p, t) == 0)
		for (int i = 0; i < TARGETS_MAX; i++)
			well &= add_up(c, p, &t[i], f, &x);
	if (x.ready >= x.wanted)
		x.status = "READY";
	else if (!well)
		x.status = "FAILED";
	if (strcmp(x.status, "FAILED") != 0)
		x.reason = STR_NONE;
	return x;
}

/* --- operations --- */
static int find_target(struct call *c, struct str function, struct str qualifier, struct lambda_fn *fn)
{
	struct lambda_rec_version v;
	int r = lambda_find(c, function, qualifier, fn);

	if (r == 0 && (!fn->qualifier.n || str_is(fn->qualifier, LAMBDA_LATEST)))
		return lambda_fail(c, &lambda_err_invalid_parameter_value,
				   "The function resource provided must be an alias or a published version.");
	return r < 0 ? r : lambda_resolve(c, fn, &v);
}

LAMBDA_HANDLER(put_provisioned_concurrency_config, put_provisioned_concurrency_config_request, put_provisioned_concurrency_config_response)
{
	int64_t n = in->provisioned_concurrent_executions.v;
	struct lambda_rec_provisioned p = { 0 };
	struct standing x;
	struct keybuf k;
	struct lambda_fn fn;
	int r = lambda_find(c, in->function_name, in->qualifier, &fn);

	if (r == 0 && (!fn.qualifier.n || str_is(fn.qualifier, LAMBDA_LATEST)))
		r = unpublished(c);
	if (r == 0)
		r = check_target(c, &fn);
	if (r < 0)
		return r;
	r = prov_get(c, &fn, &p);
	if (r == 0 || r == -ENOENT)
		r = change(c, &fn, n - (r == 0 ? p.wanted.v : 0));
	if (r < 0)
		return r;
	p = (struct lambda_rec_provisioned){ fn.account, fn.name, fn.qualifier, OPT_INT(n), OPT_TIME(c->now_ms) };
	prov_key(&k, fn.account, fn.name, fn.qualifier);
	r = record_put(c->txn, &lambda_records, LAMBDA_REC_PROVISIONED, &k, &p);
	x = standing_of(c, &p);
	out->requested_provisioned_concurrent_executions = OPT_INT(n);
	out->allocated_provisioned_concurrent_executions = out->available_provisioned_concurrent_executions = OPT_INT(x.ready);
	out->status = S("IN_PROGRESS");
	out->last_modified = lambda_time(c->arena, p.modified.ms);
	return r;
}

LAMBDA_HANDLER(get_provisioned_concurrency_config, get_provisioned_concurrency_config_request, get_provisioned_concurrency_config_response)
{
	struct lambda_rec_provisioned p;
	struct standing x;
	struct lambda_fn fn;
	int r = find_target(c, in->function_name, in->qualifier, &fn);

	if (r == 0)
		r = prov_get(c, &fn, &p);
	if (r < 0)
		return r == -ENOENT ? lambda_fail(c, &lambda_err_provisioned_concurrency_config_not_found,
						  "No Provisioned Concurrency Config found for this function")
				    : r;
	x = standing_of(c, &p);
	out->requested_provisioned_concurrent_executions = p.wanted;
	out->allocated_provisioned_concurrent_executions = out->available_provisioned_concurrent_executions = OPT_INT(x.ready);
	out->status = str_c(x.status);
	out->status_reason = x.reason;
	out->last_modified = lambda_time(c->arena, p.modified.ms);
	return 0;
}

int lambda_provisioned_drop(struct call *c, struct lambda_fn *fn, struct str qualifier)
{
	struct lambda_rec_provisioned p;
	struct lambda_fn at = *fn;
	struct keybuf k;
	int r;

	if (!fn->f.provisioned.has || !fn->f.provisioned.v)
		return 0;
	at.qualifier = qualifier;
	prov_key(&k, fn->account, fn->name, qualifier);
	if (!qualifier.p) {
		r = change(c, fn, -fn->f.provisioned.v);
		return r < 0 ? r : lambda_drop_below(c->txn, c->arena, &k);
	}
	r = prov_get(c, &at, &p);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = change(c, fn, -p.wanted.v);
	return r < 0 ? r : store_del(c->txn, key_view(&k));
}

LAMBDA_HANDLER(delete_provisioned_concurrency_config, delete_provisioned_concurrency_config_request,
	       delete_provisioned_concurrency_config_response)
{
	struct lambda_fn fn;
	int r = find_target(c, in->function_name, in->qualifier, &fn);

	return r < 0 ? r : lambda_provisioned_drop(c, &fn, fn.qualifier);
}

struct listed {
	struct lambda_provisioned_concurrency_config_list_item_list *l;
	size_t cap;
};

static int list_one(struct call *c, struct str key, struct str value, void *arg)
{
	struct listed *x = arg;
	struct lambda_rec_provisioned p;
	struct standing now;
	int r = record_decode(&lambda_records, LAMBDA_REC_PROVISIONED, c->arena, value, &p);

	if (r < 0)
		return r;
	now = standing_of(c, &p);
	vec_push(c->arena, x->l->v, x->l->n, x->cap) =
		(struct lambda_provisioned_concurrency_config_list_item){ .function_arn = lambda_arn(c, p.account, p.name, p.qualifier),
									  .requested_provisioned_concurrent_executions = p.wanted,
									  .available_provisioned_concurrent_executions = OPT_INT(now.ready),
									  .allocated_provisioned_concurrent_executions = OPT_INT(now.ready),
									  .status = str_c(now.status),
									  .status_reason = now.reason,
									  .last_modified = lambda_time(c->arena, p.modified.ms) };
	return 0;
}

LAMBDA_HANDLER(list_provisioned_concurrency_configs, list_provisioned_concurrency_configs_request,
	       list_provisioned_concurrency_configs_response)
{
	struct listed x = { .l = &out->provisioned_concurrency_configs };
	struct lambda_fn fn;
	struct keybuf k;
	int r = lambda_whole(c, in->function_name, &fn);

	if (r < 0)
		return r;
	x.l->v = arena_array(c->arena, struct lambda_provisioned_concurrency_config_list_item, 1);
	prov_key(&k, fn.account, fn.name, STR_NONE);
	return lambda_rows(c, &k, in->marker, in->max_items, &out->next_marker, list_one, &x);
}

/* --- making it so --- */
struct wanting {
	struct call *c;
	struct wanted {
		struct lambda_rec_version v;
		struct str key, account;
		int64_t n;
	} * v;
	size_t n, cap;
};

static int want(const struct lambda_rec_provisioned *p, void *arg)
{
	struct wanting *x = arg;
	struct call *c = x->c;
	struct target t[TARGETS_MAX];
	struct wanted *w;

	if (targets_of(c->txn, c->arena, p, t) < 0)
		return 0;
	for (int i = 0; i < TARGETS_MAX; i++) {
		struct lambda_rec_version v;

		if (!t[i].n || !t[i].version || lambda_version_read(c->txn, c->arena, p->account, p->name, t[i].version, &v) < 0)
			continue;
		w = &(vec_push(c->arena, x->v, x->n, x->cap));
		*w = (struct wanted){ v, lambda_run_key(c->arena, &v), p->account, t[i].n };
	}
	return 0;
}

static bool wanted_still(const struct wanting *x, struct str key)
{
	for (size_t i = 0; i < x->n; i++)
		if (str_eq(x->v[i].key, key))
			return true;
	return false;
}

static void make_so(struct cloud *cl, struct region *r, struct functions *f, struct wanting *x, struct arena *a)
{
	struct str *kept;
	size_t n = functions_provisioned_keys(f, r->name, a, &kept);

	for (size_t i = 0; i < n; i++)
		if (!wanted_still(x, kept[i]))
			functions_provision(f, &(struct fn_spec){ .key = kept[i], .region = r->name }, 0);
	for (size_t i = 0; i < x->n && r->up; i++) {
		const struct wanted *w = &x->v[i];
		struct lambda_run run = { .v = &w->v, .account = w->account };
		struct fn_provisioned now = { 0 };
		int e;

		if (functions_provisioned(f, w->key, &now) && now.wanted == (uint64_t)w->n)
			continue;
		e = lambda_run_provision(cl, r, &run, (uint32_t)w->n);
		if (e < 0)
			log_line(LOG_ERROR, "%.*s: provisioned concurrency of %.*s cannot be kept: %s", STR(r->name), STR(w->v.name),
				 strerror(-e));
	}
}

void lambda_provisioned_tick(struct cloud *cl, struct region *r)
{
	struct arena a = { 0 };
	struct wanting x = { 0 };
	struct functions *f;
	struct keybuf k;
	struct call c;

	if (lambda_draining(cl) || cloud_internal_read(cl, r, &a, &c) < 0)
		return;
	x.c = &c;
	lambda_key(&k, S(""), "lambda.prov", STR_NONE);
	(void)prov_each(c.txn, &a, &k, want, &x);
	cloud_internal_end(&c);
	f = x.n ? lambda_environments(cl) : lambda_environments_if(cl);
	if (f)
		make_so(cl, r, f, &x, &a);
	arena_done(&a);
}
