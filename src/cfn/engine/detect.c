/* SPDX-License-Identifier: Apache-2.0 */
/* detect.c - the detection of drift: what each resource of a stack is, compared with what its template says.
 *
 * A detection only reads, as the stack's role or whoever asked for it, and stores all that it found in one transaction at its end.
 * So one that was interrupted begins again, and is none the worse. A few threads work them off; an idle cloud has none. */
#include "cfn/engine/run.h"
#include "cfn/actor.h"
#include "store/jobs.h"
#include <errno.h>

#define DETECTORS_MAX 4

/* --- the stack --- */
static void add_secret(struct arena *a, struct str_list *l, size_t *cap, struct str s)
{
	if (s.n)
		vec_push(a, l->v, l->n, *cap) = s;
}

static void texts_of(struct arena *a, const struct json *j, struct str_list *l, size_t *cap)
{
	add_secret(a, l, cap, json_str(j));
	for (size_t i = 0; json_is(j, JSON_ARRAY) && i < j->n; i++)
		texts_of(a, &j->items[i], l, cap);
	for (size_t i = 0; json_is(j, JSON_OBJECT) && i < j->n; i++)
		texts_of(a, &j->members[i].value, l, cap);
}

/* Values of NoEcho parameters, and attributes that are not for all to see. */
static int secrets_of(struct cloud *cl, struct arena *a, struct drift_stack *s)
{
	const struct cfn_rec_parameter_list *l = &s->stack.now->parameters;
	struct str_map texts, resolved;
	size_t cap = 0;
	int r = parameters_open(cl, a, l, &texts, &resolved);

	for (size_t i = 0; i < l->n && r == 0; i++)
		if (l->v[i].no_echo.v) {
			add_secret(a, &s->secrets, &cap, texts.v[i].value);
			add_secret(a, &s->secrets, &cap, str_map_get(&resolved, texts.v[i].value));
		}
	for (size_t i = 0; i < s->rows.n && r == 0; i++) {
		struct json *attrs = NULL;

		if (s->rows.v[i].no_echo.v)
			r = state_open_json(cl, a, s->rows.v[i].attrs, &attrs);
		texts_of(a, attrs, &s->secrets, &cap);
	}
	return r;
}

int drift_load(struct cloud *cl, struct store_txn *t, struct arena *a, struct str account, struct str id, struct drift_stack *ret)
{
	int r;

	*ret = (struct drift_stack){ 0 };
	r = stack_load(t, a, account, id, &ret->stack);
	if (r == 0)
		r = resources_load(t, a, account, "cfn.res", id, &ret->rows);
	if (r < 0)
		return r;
	ret->siblings = arena_array(a, struct cfn_sibling, ret->rows.n + 1);
	for (size_t i = 0; i < ret->rows.n && r == 0; i++) {
		struct json *props = NULL;

		r = state_open_json(cl, a, ret->rows.v[i].props, &props);
		ret->siblings[i] = (struct cfn_sibling){ ret->rows.v[i].type, ret->rows.v[i].physical,
							 props ? props : json_new(a, JSON_OBJECT) };
	}
	return r < 0 ? r : secrets_of(cl, a, ret);
}

/* --- one resource --- */
bool drift_checkable(struct cloud *cl, const struct cfn_rec_resource *row)
{
	const struct cfn_type *t = type_find(cl, row->type);

	return t && t->reader && row->physical.p && !row->absent.v && str_ends(row->status, S("_COMPLETE")) &&
	       !str_is(row->status, "DELETE_COMPLETE");
}

/* The tags without those of the stack and of CloudFormation itself. own: those that the template sets, or NULL. */
static void drop_tags(struct arena *a, struct json *props, const struct str_map *stack, const struct json *own)
{
	const struct json *tags = json_getz(props, "Tags");
	bool map = json_is(tags, JSON_OBJECT);
	struct json *left;

	if (!map && !json_is(tags, JSON_ARRAY))
		return;
	left = json_new(a, tags->type);
	for (size_t i = 0; i < tags->n; i++) {
		struct str key = map ? tags->members[i].key : json_get_str(&tags->items[i], "Key");
		struct str value = map ? json_scalar(&tags->members[i].value) : json_get_str(&tags->items[i], "Value");
		struct str of_stack = str_map_get(stack, key);
		bool ours = own && map && json_get(own, key);

		for (size_t j = 0; !ours && json_is(own, JSON_ARRAY) && j < own->n; j++)
			ours = str_eq(json_get_str(&own->items[j], "Key"), key);
		if (str_starts(key, S("aws:")) || (of_stack.p && !ours && (own || str_eq(of_stack, value))))
			continue;
		if (map)
			json_set(a, left, key, &tags->members[i].value);
		else
			json_push(a, left, &tags->items[i]);
	}
	if (!left->n && tags->n && !own)
		json_remove(props, S("Tags")); /* the template has none */
	else
		json_set(a, props, S("Tags"), left);
}

/* What the template doesn't set is nobody's business. */
static struct json *only_set(struct arena *a, const struct json *expected, const struct json *actual)
{
	struct json *out = json_new(a, JSON_OBJECT);

	for (size_t i = 0; i < expected->n; i++) {
		const struct json *v = json_get(actual, expected->members[i].key);

		if (v)
			json_set(a, out, expected->members[i].key, json_copy(a, v));
	}
	return out;
}

static struct json *differences(struct arena *a, const struct drift_list *l, const struct str_list *secrets)
{
	struct json *out = json_new(a, JSON_ARRAY);

	for (size_t i = 0; i < l->n; i++) {
		const struct drift_difference *d = &l->v[i];
		bool hide = drift_secret(d->expected, secrets) || drift_secret(d->actual, secrets);
		struct json *x = json_new(a, JSON_OBJECT);

		json_set_str(a, x, "path", d->path);
		json_set_str(a, x, "expected", hide && d->expected ? S(DRIFT_HIDDEN) : drift_value(a, d->expected));
		json_set_str(a, x, "actual", hide && d->actual ? S(DRIFT_HIDDEN) : drift_value(a, d->actual));
		json_set_str(a, x, "type", !d->expected ? S("ADD") : !d->actual ? S("REMOVE") : S("NOT_EQUAL"));
		json_push(a, out, x);
	}
	return out;
}

static void judge(struct call *c, const struct drift_stack *s, const struct cfn_resource *r, const struct drift_rule *rules,
		  struct cfn_rec_drift *d)
{
	struct arena *a = c->arena;
	struct json *expected = drift_shown(a, rules, r->props), *actual;
	struct drift_list l = { 0 };

	drop_tags(a, expected, &s->stack.now->tags, NULL);
	actual = only_set(a, expected, r->ret_props);
	drop_tags(a, actual, &s->stack.now->tags, json_getz(expected, "Tags"));
	drift_compare(a, rules, expected, actual, &l);
	d->status = l.n ? S("MODIFIED") : S("IN_SYNC");
	if (l.n)
		d->differences = state_seal_json(c->cloud, a, differences(a, &l, &s->secrets));
	drift_hide(a, expected, actual, &s->secrets);
	d->expected = state_seal_json(c->cloud, a, expected);
	d->actual = state_seal_json(c->cloud, a, actual);
}

int drift_check(struct call *c, const struct principal *who, const struct drift_stack *s, size_t i, struct cfn_rec_drift *ret)
{
	const struct cfn_rec_resource *row = &s->rows.v[i];
	const struct cfn_reader *reader = type_find(c->cloud, row->type)->reader;
	struct cfn_actor actor = { .cloud = c->cloud, .region = c->region, .who = who, .facts = c->facts, .call = c };
	struct cfn_resource r = {
		.arena = c->arena,
		.logical_id = row->logical,
		.type = row->type,
		.stack_name = s->stack.name,
		.stack_id = s->stack.arn,
		.region = call_region(c),
		.account = s->stack.account,
		.partition = region_partition(call_region(c)),
		.props = s->siblings[i].props,
		.siblings = s->siblings,
		.n_siblings = s->rows.n,
		.physical_id = row->physical,
		.engine = &actor,
	};
	struct json *attrs = NULL;
	int e = state_open_json(c->cloud, c->arena, row->attrs, &attrs);

	if (e < 0)
		return e;
	r.attrs = attrs;
	*ret = (struct cfn_rec_drift){
		.logical = row->logical, .type = row->type, .physical = row->physical, .checked = OPT_TIME(c->now_ms), .op = s->stack.op
	};
	e = reader->read(&r);
	if (e == -ENOENT)
		ret->status = S("DELETED");
	else if (e < 0) {
		ret->status = S("UNKNOWN");
		ret->reason = r.error.p ? r.error : str_c(strerror(-e));
	} else
		judge(c, s, &r, reader->rules, ret);
	return 0;
}

/* --- results --- */
int drift_begin(struct store_txn *t, struct arena *a, struct cfn_rec_stack *s, int64_t now_ms)
{
	struct keybuf k;
	int r = 0;

	if (!str_eq(s->drift_op, s->op)) {
		stack_key(&k, s->account, "cfn.drift", s->id);
		r = rows_delete(t, &k);
		s->drift = STR_NONE;
		s->drift_op = s->op;
	}
	s->drift_checked = OPT_TIME(now_ms);
	return r < 0 ? r : stack_save(t, s);
}

int drift_put(struct store_txn *t, const struct cfn_rec_stack *s, const struct cfn_rec_drift *d)
{
	struct keybuf k;

	stack_key2(&k, s->account, "cfn.drift", s->id, d->logical);
	return record_put(t, &cfn_records, CFN_REC_DRIFT, &k, d);
}

int drift_get(struct store_txn *t, struct arena *a, const struct cfn_rec_stack *s, struct str logical, struct cfn_rec_drift *ret)
{
	struct keybuf k;
	int r;

	stack_key2(&k, s->account, "cfn.drift", s->id, logical);
	r = record_get(t, &cfn_records, CFN_REC_DRIFT, a, &k, ret);
	return r == 0 && !str_eq(ret->op, s->op) ? -ENOENT : r;
}

struct str drift_status(const struct cfn_rec_stack *s)
{
	return s->drift.p && str_eq(s->drift_op, s->op) ? s->drift : S("NOT_CHECKED");
}

int drift_sum(struct store_txn *t, struct arena *a, struct cfn_rec_stack *s, bool complete, int64_t *ret_drifted)
{
	struct store_range range = { 0 };
	bool unknown = false, checked = complete || str_is(s->drift, "IN_SYNC") || str_is(s->drift, "DRIFTED");
	struct str key, value;
	struct keybuf k;
	int64_t n = 0;
	int r;

	stack_key(&k, s->account, "cfn.drift", s->id);
	r = store_range_open(&range, t, key_view(&k), STR_NONE, false);
	while (r >= 0 && (r = store_range_next(&range, &key, &value)) > 0) {
		struct cfn_rec_drift d;

		r = record_decode(&cfn_records, CFN_REC_DRIFT, a, value, &d);
		if (r < 0)
			break;
		n += str_is(d.status, "MODIFIED") || str_is(d.status, "DELETED");
		unknown |= str_is(d.status, "UNKNOWN");
	}
	store_range_close(&range);
	s->drift = n ? S("DRIFTED") : unknown ? S("UNKNOWN") : checked ? S("IN_SYNC") : STR_NONE;
	*ret_drifted = n;
	return r < 0 ? r : stack_save(t, s);
}

/* --- records of detections: by id; those that run besides by their stack --- */
static void detection_key(struct keybuf *k, struct str id)
{
	stack_key(k, S(""), "cfn.detection", id);
}

static void running_key(struct keybuf *k, struct str stack)
{
	stack_key(k, S(""), "cfn.detecting", stack);
}

int detection_load(struct store_txn *t, struct arena *a, struct str id, struct cfn_rec_detection *ret)
{
	struct keybuf k;

	detection_key(&k, id);
	return record_get(t, &cfn_records, CFN_REC_DETECTION, a, &k, ret);
}

static int detection_save(struct store_txn *t, const struct cfn_rec_detection *d)
{
	struct keybuf k;

	detection_key(&k, d->id);
	return record_put(t, &cfn_records, CFN_REC_DETECTION, &k, d);
}

int detection_add(struct store_txn *t, const struct cfn_rec_detection *d)
{
	struct keybuf k;
	int r;

	running_key(&k, d->stack);
	r = store_put(t, key_view(&k), d->id);
	return r < 0 ? r : detection_save(t, d);
}

int detection_of(struct store_txn *t, struct arena *a, struct str stack, struct str *ret)
{
	struct keybuf k;
	struct str v;
	int r;

	running_key(&k, stack);
	r = store_get(t, key_view(&k), &v);
	if (r == 0)
		*ret = str_dup(a, v);
	return r;
}

int detection_forget(struct store_txn *t, struct str id)
{
	struct arena a = { 0 };
	struct cfn_rec_detection d;
	struct keybuf k;
	struct str running;
	int r = detection_load(t, &a, id, &d);

	if (r == 0 && detection_of(t, &a, d.stack, &running) == 0 && str_eq(running, id)) {
		running_key(&k, d.stack);
		r = store_del(t, key_view(&k));
	}
	detection_key(&k, id);
	if (r == 0)
		r = store_del(t, key_view(&k));
	arena_done(&a);
	return r == -ENOENT ? 0 : r;
}

int detections_open(struct store_txn *t, struct arena *a)
{
	struct store_range range = { 0 };
	struct str_list ids = { 0 };
	struct str key, value;
	struct keybuf k;
	size_t cap = 0;
	int r;

	key_begin(&k, S(""), "cfn.detecting");
	r = store_range_open(&range, t, key_view(&k), STR_NONE, false);
	while (r >= 0 && (r = store_range_next(&range, &key, &value)) > 0)
		vec_push(a, ids.v, ids.n, cap) = str_dup(a, value);
	store_range_close(&range);
	for (size_t i = 0; i < ids.n && r >= 0; i++)
		r = job_put(t, 0, S("cloudformation/detect"), ids.v[i], S(""));
	return r < 0 ? r : 0;
}

/* --- running --- */
struct detector {
	struct cloud *cloud;
	struct region *region;
	struct detector *next;
	bool again; /* was asked for while it ran */
	struct str id;
};
static struct {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	struct detector *waiting, *running;
	size_t threads;
} detectors = { .lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER };

struct detection {
	struct detector *by;
	struct arena arena;
	struct cfn_rec_detection rec;
	struct principal who;
	struct drift_stack stack;
	struct cfn_rec_drift *found;
	size_t n_found;
	struct str fault; /* nothing was found out */
};

static int begin(struct detection *x)
{
	struct detector *d = x->by;
	struct store_txn *t;
	int r = store_begin_read(d->region->store, &t);

	if (r < 0)
		return r;
	r = detection_load(t, &x->arena, d->id, &x->rec);
	if (r == 0 && !str_is(x->rec.status, "DETECTION_IN_PROGRESS"))
		r = -ENOENT;
	if (r == 0)
		r = principal_parse(&x->arena, x->rec.principal, &x->who);
	if (r == 0)
		r = drift_load(d->cloud, t, &x->arena, x->rec.account, x->rec.stack, &x->stack);
	store_end(t);
	x->found = arena_array(&x->arena, struct cfn_rec_drift, x->stack.rows.n + 1);
	return r;
}

static int look_at(struct detection *x, size_t row)
{
	struct detector *d = x->by;
	struct call c;
	int r;

	if (run_stopping() || !cloud_region(d->cloud, d->region->name))
		return -ESHUTDOWN;
	r = cloud_internal_read(d->cloud, d->region, &x->arena, &c);
	if (r < 0)
		return r;
	c.account = x->rec.account;
	c.who = &x->who;
	c.facts = engine_facts();
	r = drift_check(&c, &x->who, &x->stack, row, &x->found[x->n_found]);
	x->n_found += r == 0;
	cloud_internal_end(&c);
	return r;
}

/* As CloudFormation puts it. */
static struct str failures(struct detection *x)
{
	struct arena *a = &x->arena;
	struct json *out = json_new(a, JSON_OBJECT), *list = json_new(a, JSON_ARRAY);
	struct str_list names = { arena_array(a, struct str, x->n_found + 1), 0 };

	for (size_t i = 0; i < x->n_found; i++) {
		struct json *f = json_new(a, JSON_OBJECT);

		if (!str_is(x->found[i].status, "UNKNOWN"))
			continue;
		json_set_str(a, f, "Resource", x->found[i].logical);
		json_set_str(a, f, "FailureReason", x->found[i].reason);
		json_push(a, list, f);
		names.v[names.n++] = x->found[i].logical;
	}
	if (!names.n)
		return STR_NONE;
	json_set_str(a, out, "Summary",
		     str_printf(a, "Failed to detect drift on resources [%.*s]", STR(str_join(a, names.v, names.n, S(", ")))));
	json_set(a, out, S("Failures"), list);
	return json_text(a, out);
}

/* A stack that has changed since then isn't what was looked at. */
static int end(struct store_txn *t, void *arg)
{
	struct detection *x = arg;
	struct cfn_rec_stack now;
	struct keybuf k;
	int64_t drifted = 0;
	int r = stack_load(t, &x->arena, x->rec.account, x->rec.stack, &now);

	x->rec.reason = x->fault.p ? x->fault : failures(x);
	if (x->fault.p)
		r = 0;
	else if (r == -ENOENT || (r == 0 && !str_eq(now.op, x->rec.op)))
		x->rec.reason = S("The stack was changed while its drift was being detected.");
	else if (r == 0) {
		for (size_t i = 0; i < x->n_found && r == 0; i++)
			r = drift_put(t, &now, &x->found[i]);
		if (r == 0)
			r = drift_sum(t, &x->arena, &now, !x->rec.only.n, &drifted);
		x->rec.drift = drift_status(&now);
		x->rec.drifted = OPT_INT(drifted);
	}
	if (r < 0 && r != -ENOENT)
		return r;
	x->rec.status = x->rec.reason.p ? S("DETECTION_FAILED") : S("DETECTION_COMPLETE");
	running_key(&k, x->rec.stack);
	r = store_del(t, key_view(&k));
	return r < 0 && r != -ENOENT ? r : detection_save(t, &x->rec);
}

static int detect(struct detector *d)
{
	struct detection x = { .by = d };
	int r;

	if (!region_use(d->region))
		return -ESHUTDOWN;
	r = begin(&x);
	for (size_t i = 0; i < x.stack.rows.n && r == 0; i++) {
		const struct cfn_rec_resource *row = &x.stack.rows.v[i];

		if (drift_checkable(d->cloud, row) && (!x.rec.only.n || str_list_has(&x.rec.only, row->logical)))
			r = look_at(&x, i);
	}
	if (r == -EBADMSG)
		x.fault = S("What is stored of the stack cannot be read.");
	if (r == 0 || ((r == -ENOENT || r == -EBADMSG) && x.who.p.account.p)) /* gone, or broken: said, too */
		r = store_write(d->region->store, end, &x);
	region_unuse(d->region);
	arena_done(&x.arena);
	return r;
}

/* Under the lock, which is given up while it detects. */
static void work(struct detector *d)
{
	int r;

	do {
		d->again = false;
		pthread_mutex_unlock(&detectors.lock);
		r = detect(d);
		pthread_mutex_lock(&detectors.lock);
		if (r == 0 || r == -ESHUTDOWN || r == -EHOSTDOWN || r == -ENOENT)
			continue;
		log_line(LOG_ERROR, "%.*s: drift detection %.*s: %s; it will be tried again", STR(d->region->name), STR(d->id),
			 strerror(-r));
		run_pause(&detectors.cond, &detectors.lock);
		d->again = true;
	} while (d->again && !run_stopping());
}

static void *worker(void *arg)
{
	struct detector *d, **p;

	pthread_mutex_lock(&detectors.lock);
	while ((d = detectors.waiting) && !run_stopping()) {
		detectors.waiting = d->next;
		d->next = detectors.running;
		detectors.running = d;
		work(d);
		for (p = &detectors.running; *p != d; p = &(*p)->next)
			continue;
		*p = d->next;
		free(d);
	}
	detectors.threads--;
	pthread_cond_broadcast(&detectors.cond);
	pthread_mutex_unlock(&detectors.lock);
	return NULL;
}

static struct detector *listed(struct detector *l, struct str id)
{
	while (l && !str_eq(l->id, id))
		l = l->next;
	return l;
}

void detection_run(struct cloud *cl, struct region *r, struct str id)
{
	struct detector *d, **p;

	pthread_mutex_lock(&detectors.lock);
	d = listed(detectors.running, id);
	if (d)
		d->again = true;
	if (!d && !listed(detectors.waiting, id) && !run_stopping()) {
		d = xzalloc(sizeof *d + id.n);
		*d = (struct detector){ .cloud = cl, .region = r, .id = str_of((char *)(d + 1), id.n) };
		memcpy(d + 1, id.p, id.n);
		for (p = &detectors.waiting; *p; p = &(*p)->next)
			continue;
		*p = d;
		if (detectors.threads < DETECTORS_MAX && run_thread(worker, NULL))
			detectors.threads++;
	}
	pthread_mutex_unlock(&detectors.lock);
}

void detections_stop(void)
{
	struct detector *d;

	pthread_mutex_lock(&detectors.lock);
	pthread_cond_broadcast(&detectors.cond);
	while (detectors.threads)
		(void)pthread_cond_wait(&detectors.cond, &detectors.lock);
	while ((d = detectors.waiting)) {
		detectors.waiting = d->next;
		free(d);
	}
	pthread_mutex_unlock(&detectors.lock);
}
