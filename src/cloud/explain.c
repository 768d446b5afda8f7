/* SPDX-License-Identifier: Apache-2.0 */
/* explain.c - answers "why may this principal (not) do this?" with the decision code of real calls.
 *
 * Which resource is meant is found through the overlay: the service's resource hook is asked with each kind of resource
 * that its operations name, until one gives back the ARN in question, with its policy, owner and tags. */
#include "cloud/explain.h"
#include "cloud/cloud_int.h"
#include <errno.h>

#define KIND_NAME_MAX 64
#define KINDS_TRIED_MAX 64

static const struct service *service_by_prefix(struct cloud *cl, struct str prefix)
{
	for (size_t i = 0; i < cl->n_services; i++) {
		const struct service_model *m = cl->services[i]->model;

		if (str_eq_ci(prefix, str_c(m->name)))
			return cl->services[i];
		for (size_t j = 0; m->signing && m->signing[j]; j++)
			if (str_eq_ci(prefix, str_c(m->signing[j])))
				return cl->services[i];
	}
	return NULL;
}

static void zero_input(struct call *c, const struct op *op)
{
	c->op = op;
	c->in = arena_zalloc(c->arena, c->svc->model->shapes[op->in].size);
	c->memo = NULL;
	c->err = NULL;
	c->n_extra = c->n_headers = 0;
}

/* "kind:{Member}" or "kind:{A}/{B}" of an overlay's entry: the kind; absent for "*" and ARN templates. */
static struct str kind_of(const char *resource)
{
	struct str kind, rest;

	if (!resource || strncmp(resource, "arn:", 4) == 0 || !str_cut(str_c(resource), ':', &kind, &rest) || kind.n >= KIND_NAME_MAX)
		return STR_NONE;
	return kind;
}

/* Does this kind, asked with this id, name the resource? Then *ret_ref is "kind:id". */
static bool try_kind(struct call *c, const char *action, struct str kind, struct str id, struct str want, struct str *ret_ref)
{
	struct authz_resource res = { 0 };
	int r;

	zero_input(c, c->op);
	r = c->svc->resource(c, action, kind, id, &res);
	if (r < 0 || !str_eq(res.arn, want))
		return false;
	*ret_ref = str_printf(c->arena, "%.*s:%.*s", STR(kind), STR(id));
	return true;
}

static bool try_op(struct call *c, const char *action, const struct op *op, const struct arn *arn, struct str want, struct str *ret_ref)
{
	struct str ids[3] = { want, arn->resource, STR_NONE }, head;

	(void)str_cut(arn->resource, '/', &head, &ids[2]);
	c->op = op;
	for (size_t i = 0; i < op->n_auth; i++) {
		struct str kind = kind_of(op->auth[i].resource);

		for (size_t j = 0; kind.p && j < ELEMENTS(ids); j++)
			if (ids[j].p && try_kind(c, action, kind, ids[j], want, ret_ref))
				return true;
	}
	return false;
}

/* Finds "kind:id" for an ARN: the kinds of the action's own operations first, then all of the service's. */
static bool find_resource(struct call *c, const char *action, struct str want, struct str *ret_ref)
{
	const struct service_model *m = c->svc->model;
	struct str seen[KINDS_TRIED_MAX];
	size_t n_seen = 0;
	struct arn arn;

	if (!c->svc->resource || arn_parse(want, &arn) < 0)
		return false;
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < m->n_ops; i++) {
			const struct op *op = &m->ops[i];
			struct str kind = op->n_auth ? kind_of(op->auth[0].resource) : STR_NONE;
			bool own = op->n_auth && str_eq_ci(str_c(op->auth[0].action), str_c(action)), old = false;

			for (size_t k = 0; k < n_seen; k++)
				old |= str_eq(seen[k], kind);
			if (own != (pass == 0) || !kind.p || old || n_seen == KINDS_TRIED_MAX)
				continue;
			seen[n_seen++] = kind;
			if (try_op(c, action, op, &arn, want, ret_ref))
				return true;
		}
	return false;
}

static int who(struct call *c, struct str text, struct principal *ret)
{
	if (str_ends(text, S(".amazonaws.com")) && str_find_char(text, ':') < 0) {
		*ret = (struct principal){ .p = { .type = PRINCIPAL_SERVICE, .service = text }, .name = text };
		return 0;
	}
	return c->cloud->identity && c->cloud->identity->named ? c->cloud->identity->named(c, text, ret) : -ENOENT;
}

/* Condition keys: repeated names become one key with several values. */
static struct policy_key *context_keys(struct arena *a, const struct explain_question *q, size_t *ret_n)
{
	struct policy_key *keys = arena_array(a, struct policy_key, q->n_context + 1);
	size_t n = 0;

	for (size_t i = 0; i < q->n_context; i++) {
		struct str rest = q->context[i].value, one;
		size_t cap = 0;

		keys[n] = (struct policy_key){ .name = q->context[i].key };
		while (str_next(&rest, ',', &one))
			vec_push(a, keys[n].values, keys[n].n, cap) = one;
		keys[n].multi = keys[n].n > 1;
		n++;
	}
	*ret_n = n;
	return keys;
}

static void in_words(struct arena *a, struct explain_answer *x, struct str who_name, const char *action)
{
	if (x->granted)
		x->sentence = str_printf(a, "%.*s may perform %s on %.*s because a grant allows it", STR(who_name), action,
					 STR(x->resource));
	else if (x->result.layer == LAYER_ROOT)
		x->sentence = str_printf(a, "%.*s may perform %s on %.*s because it is the root of the account", STR(who_name), action,
					 STR(x->resource));
	else
		x->sentence = str_printf(a, "%.*s may perform %s on %.*s because %.*s allows it", STR(who_name), action, STR(x->resource),
					 STR(x->result.policy_name.p ? x->result.policy_name : S("a policy")));
}

static int ask(struct call *c, const struct explain_question *q, struct explain_answer *ret)
{
	const char *action = str_z(c->arena, q->action);
	struct str prefix, name, ref = q->resource, sentence = STR_NONE;
	struct policy_key *keys;
	struct principal p;
	size_t n;
	int r;

	if (!str_cut(q->action, ':', &prefix, &name) || !name.n || str_find_char(q->action, '*') >= 0) {
		ret->problem = str_printf(c->arena, "%.*s is not an action; they look like s3:GetObject", STR(q->action));
		return -EINVAL;
	}
	if (!str_is(q->resource, "*") && !str_starts(q->resource, S("arn:"))) {
		ret->problem = str_printf(c->arena, "%.*s is not a resource: give an ARN, or *", STR(q->resource));
		return -EINVAL;
	}
	c->svc = service_by_prefix(c->cloud, prefix);
	if (!c->svc) {
		ret->problem = str_printf(c->arena, "this cloud has no service whose actions begin with %.*s:", STR(prefix));
		return -ENOENT;
	}
	r = who(c, q->principal, &p);
	if (r < 0) {
		ret->problem = str_printf(c->arena, "there is no principal %.*s", STR(q->principal));
		return r;
	}
	c->who = &p;
	c->account = p.p.account.p ? p.p.account : c->account;
	ret->resource_found = find_resource(c, action, q->resource, &ref);
	zero_input(c, c->op ? c->op : &c->svc->model->ops[0]);
	keys = context_keys(c->arena, q, &n);
	r = authorize_ask(c, action, ref, keys, n, false, &sentence, &ret->resource);
	if (r < 0) {
		ret->problem = str_printf(c->arena, "the decision failed: %s", strerror(-r));
		return r;
	}
	ret->allowed = r == 0;
	ret->result = c->decision;
	ret->granted = ret->allowed && ret->result.decision != DECISION_ALLOW;
	ret->sentence = sentence;
	if (ret->allowed)
		in_words(c->arena, ret, q->principal, action);
	return 0;
}

int cloud_explain(struct cloud *cl, struct region *r, const struct explain_question *q, struct arena *a, struct explain_answer *ret)
{
	struct str prefix, name;
	const struct service *s;
	struct call c;
	int e;

	(void)str_cut(q->action, ':', &prefix, &name);
	s = service_by_prefix(cl, prefix);
	/* A global service is asked on its own store, as its calls are. */
	e = cloud_internal_read(cl, s && s->model->global ? &cl->global : r, a, &c);
	if (e < 0)
		return e;
	policy_cache_trim();
	c.facts = (struct call_facts){ .source_ip = S("127.0.0.1"), .user_agent = S("cloudkeep explain"), .secure_transport = true };
	c.question = true;
	e = ask(&c, q, ret);
	cloud_internal_end(&c);
	return e;
}
