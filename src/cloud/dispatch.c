/* SPDX-License-Identifier: Apache-2.0 */
/* dispatch.c - the one door. Every call, from a client over HTTP, from another service or from the stack engine, is
 * authorized and run here, in one transaction, and leaves its record in the trail. */
#include "cloud/cloud_int.h"
#include <assert.h>
#include <errno.h>

#define READ_TRIES_MAX 8

const struct service *service_of(const struct cloud *cl, const struct service_model *m)
{
	for (size_t i = 0; i < cl->n_services; i++)
		if (cl->services[i]->model == m)
			return cl->services[i];
	return NULL;
}

void call_prepare(struct call *c, struct cloud *cl, struct region *r, const struct service *svc, const struct op *op, struct arena *a,
		  const struct principal *who, const struct call_facts *facts)
{
	*c = (struct call){ .cloud = cl, .region = svc->model->global ? &cl->global : r, .svc = svc, .op = op, .arena = a, .who = who };
	c->facts = *facts;
	c->now_ms = clock_now_ms();
	c->account = who->p.account.p ? who->p.account : cl->account;
}

int call_execute(struct call *c)
{
	int r;

	/* A rolled-back call may run again: nothing of the first run may stay. */
	c->err = NULL;
	c->message = STR_NONE;
	c->n_extra = c->n_headers = 0;
	c->status = 0;
	c->hooks = NULL;
	c->trail_resources = NULL;
	c->memo = NULL;
	c->park = NULL;
	c->account = c->who->p.account.p ? c->who->p.account : c->cloud->account;
	c->decision = (struct policy_result){ .statement = -1 };
	memset(c->out, 0, c->svc->model->shapes[c->op->out].size);
	r = authorize_call(c);
	if (r == 0)
		r = c->op->run(c, c->in, c->out);
	assert(!(r >= 0 && c->err)); /* success never carries an error */
	return r > 0 ? 0 : r;
}

int call_snapshot(struct call *c)
{
	int r = store_begin_read(c->region->store, &c->txn);

	if (r < 0)
		return r;
	if (c->region->global) {
		c->global = c->txn;
		return 0;
	}
	r = store_begin_read(c->cloud->global.store, &c->global);
	if (r < 0) {
		store_end(c->txn);
		c->txn = NULL;
	}
	return r;
}

void call_snapshot_end(struct call *c)
{
	if (c->global != c->txn)
		store_end(c->global);
	store_end(c->txn);
	c->txn = c->global = NULL;
}

static int run_once(struct call *c)
{
	int r = call_snapshot(c);

	if (r < 0)
		return r;
	r = call_execute(c);
	call_snapshot_end(c);
	return r;
}

int call_run_read(struct call *c)
{
	int r = -EAGAIN;

	for (int i = 0; r == -EAGAIN && i < READ_TRIES_MAX; i++)
		r = run_once(c);
	return r;
}

int call_also(struct call *c, struct store_txn *t)
{
	struct store_txn *before = c->txn;
	int r;

	if (!c->also)
		return 0;
	c->txn = t;
	r = c->also(c, c->also_arg);
	c->txn = before;
	return r;
}

int call_run_write(struct call *c, struct store_txn *t)
{
	struct store_txn *g = NULL;
	int r = c->region->global ? 0 : store_begin_read(c->cloud->global.store, &g);

	if (r < 0)
		return r;
	c->txn = t;
	c->global = g ? g : t;
	r = call_execute(c);
	if (r == 0)
		r = call_also(c, t);
	store_end(g);
	c->txn = c->global = NULL;
	return r;
}

void call_settle(struct call *c, int r)
{
	if (r == 0 || c->err)
		return;
	if (r == -ENOSPC) {
		c->err = &aws_err_service_unavailable;
		c->message = S("There is no space left on the device that holds this region's data.");
	} else {
		c->err = &aws_err_internal_failure;
		c->message = S("We encountered an internal error. Please try again.");
	}
	log_line(LOG_ERROR, "%s.%s: request %.*s: %s", c->svc->model->name, c->op->name, STR(c->facts.request_id), strerror(-r));
}

/* --- nested calls --- */
static int nested(struct call *c, const struct principal *who, const struct service_model *m, const char *op_name, const void *in,
		  void *out, const char *via, struct call_error *ret_err)
{
	const struct service *svc = service_of(c->cloud, m);
	const struct op *op = wire_op(m, str_c(op_name));
	struct call_facts facts = c->facts;
	struct call n;
	int depth = 0, r;

	for (struct call *p = c; p; p = p->parent)
		depth++;
	assert(svc && op);
	if (depth > CALL_NESTING_MAX)
		return -ELOOP;
	facts.invoked_by = via ? str_c(via) : c->facts.invoked_by;
	call_prepare(&n, c->cloud, c->region, svc, op, c->arena, who, &facts);
	n.parent = c;
	n.now_ms = c->now_ms;
	n.in = in;
	n.out = out;
	n.global = c->global;
	n.txn = m->global ? c->global : c->txn;
	if ((!m->global && c->region->global) || (op->txn == OP_WRITE && !store_txn_writable(n.txn)))
		return -EROFS;
	r = call_execute(&n);
	trail_call(&n, r);
	if (r < 0) {
		call_settle(&n, r);
		if (ret_err)
			*ret_err = (struct call_error){ n.err, n.message };
		return r == -ECANCELED ? -EACCES : r;
	}
	return 0;
}

int call_invoke(struct call *c, const struct service_model *m, const char *op, const void *in, void *out, const char *via,
		struct call_error *ret_err)
{
	return nested(c, c->who, m, op, in, out, via, ret_err);
}

int call_invoke_as(struct call *c, const char *service_principal, const struct service_model *m, const char *op, const void *in, void *out,
		   struct call_error *ret_err)
{
	struct principal *p = arena_new(c->arena, struct principal);

	p->p.type = PRINCIPAL_SERVICE;
	p->p.service = str_c(service_principal);
	p->name = p->p.service;
	return nested(c, p, m, op, in, out, service_principal, ret_err);
}

int call_invoke_by(struct call *c, const struct principal *who, const struct service_model *m, const char *op, const void *in, void *out,
		   const char *via, struct call_error *ret_err)
{
	return nested(c, who, m, op, in, out, via, ret_err);
}

/* --- calls from jobs and the stack engine --- */
static int inner_run(struct store_job *j, struct store_txn *t)
{
	struct inner *x = (struct inner *)j;

	return call_run_write(&x->call, t);
}

/* The call is over: record, hooks, and who waits for it. x is gone after this. */
static void inner_over(void *arg, int e)
{
	struct inner *x = arg;
	struct call *c = &x->call;

	call_settle(c, e);
	trail_call(c, e);
	if (e == 0)
		call_run_hooks(c);
	region_unuse(c->region);
	if (e < 0)
		x->error = (struct call_error){ c->err, c->message };
	x->done(x->done_arg, e == -ECANCELED ? -EACCES : e, &x->error);
}

static void inner_done(struct store_job *j, int result)
{
	inner_over(j, result);
}

static void refused(struct inner *x, struct str why)
{
	x->error = (struct call_error){ &aws_err_service_unavailable, why };
	x->done(x->done_arg, -EACCES, &x->error);
}

void inner_start(struct inner *x)
{
	struct call *c = &x->call;
	int r;

	policy_cache_trim();
	x->job.run = inner_run;
	x->job.done = inner_done;
	if (!region_use(c->region)) {
		refused(x, S("The region is stopped."));
		return;
	}
	if (trail_full(c->region->trail)) {
		region_unuse(c->region);
		refused(x, S("There is no space left on the device that holds this region's trail."));
		return;
	}
	if (c->op->txn == OP_WRITE) {
		store_submit(c->region->store, &x->job);
		return;
	}
	c->may_park = true;
	r = call_run_read(c);
	if (r == CALL_PARKED)
		park_wait(c, inner_over, x);
	else
		inner_over(x, r);
}

void cloud_invoke_start(struct cloud *cl, struct region *r, const struct principal *who, const struct call_facts *facts,
			const struct service_model *m, const struct op *op, const void *in, void *out, struct arena *a,
			void (*done)(void *arg, int result, const struct call_error *error), void *arg)
{
	struct inner *x = arena_new(a, struct inner);

	call_prepare(&x->call, cl, r, service_of(cl, m), op, a, who, facts);
	x->call.in = in;
	x->call.out = out;
	x->done = done;
	x->done_arg = arg;
	inner_start(x);
}

struct waiter {
	sem_t sem;
	int result;
	struct call_error *error; /* where to put it, or NULL */
};

static void waiter_done(void *arg, int result, const struct call_error *error)
{
	struct waiter *w = arg;

	w->result = result;
	if (result < 0 && w->error)
		*w->error = *error;
	(void)sem_post(&w->sem);
}

static int invoke(struct cloud *cl, struct region *r, const struct principal *who, const struct call_facts *facts,
		  const struct service_model *m, const struct op *op, const void *in, void *out, struct arena *a,
		  struct call_error *ret_err, int (*also)(struct call *c, void *arg), void *arg)
{
	struct waiter w = { .error = ret_err };
	struct inner x = { .done = waiter_done, .done_arg = &w };

	(void)sem_init(&w.sem, 0, 0);
	call_prepare(&x.call, cl, r, service_of(cl, m), op, a, who, facts);
	x.call.in = in;
	x.call.out = out;
	x.call.also = also;
	x.call.also_arg = arg;
	inner_start(&x);
	while (sem_wait(&w.sem) < 0 && errno == EINTR)
		continue;
	(void)sem_destroy(&w.sem);
	return w.result;
}

int cloud_invoke(struct cloud *cl, struct region *r, const struct principal *who, const struct call_facts *facts,
		 const struct service_model *m, const struct op *op, const void *in, void *out, struct arena *a, struct call_error *ret_err)
{
	return invoke(cl, r, who, facts, m, op, in, out, a, ret_err, NULL, NULL);
}

int cloud_invoke_json_also(struct cloud *cl, struct region *r, const struct principal *who, const struct call_facts *facts,
			   const char *service, const char *op_name, const struct json *params, struct arena *a, struct json **ret_out,
			   struct call_error *ret_err, int (*also)(struct call *c, void *arg), void *arg)
{
	const struct service *svc = cloud_service(cl, service);
	const struct op *op = svc ? wire_op(svc->model, str_c(op_name)) : NULL;
	struct wire_fault fault = { 0 };
	void *in, *out;
	int e;

	if (!op) {
		if (ret_err)
			*ret_err = (struct call_error){ &aws_err_not_implemented,
							str_printf(a, "The operation %s of %s is not implemented by this cloud.", op_name,
								   service) };
		return -ENOSYS;
	}
	in = arena_zalloc(a, svc->model->shapes[op->in].size);
	out = arena_zalloc(a, svc->model->shapes[op->out].size);
	e = wire_from_json(svc->model, op->in, params, a, in, &fault);
	if (e == 0)
		e = wire_validate(svc->model, svc->model->protocols[0], op->in, in, a, &fault);
	if (e < 0) {
		struct desc_error *d = arena_new(a, struct desc_error);

		*d = (struct desc_error){ fault.code, fault.code, (uint16_t)fault.status, true };
		if (ret_err)
			*ret_err = (struct call_error){ d, fault.message };
		return e;
	}
	e = invoke(cl, r, who, facts, svc->model, op, in, out, a, ret_err, also, arg);
	if (e == 0 && ret_out)
		*ret_out = wire_to_json(svc->model, op->out, out, a, false);
	return e;
}

int cloud_invoke_json(struct cloud *cl, struct region *r, const struct principal *who, const struct call_facts *facts, const char *service,
		      const char *op, const struct json *params, struct arena *a, struct json **ret_out, struct call_error *ret_err)
{
	return cloud_invoke_json_also(cl, r, who, facts, service, op, params, a, ret_out, ret_err, NULL, NULL);
}

int cloud_internal_read(struct cloud *cl, struct region *r, struct arena *a, struct call *ret)
{
	int e;

	*ret = (struct call){ .cloud = cl, .region = r, .arena = a, .account = cl->account };
	ret->now_ms = clock_now_ms();
	if (!region_use(r))
		return -EHOSTDOWN;
	e = call_snapshot(ret);
	if (e < 0)
		region_unuse(r);
	return e;
}

void cloud_internal_end(struct call *c)
{
	call_snapshot_end(c);
	region_unuse(c->region);
}
