/* SPDX-License-Identifier: Apache-2.0 */
/* world.c - what a template asks while a stack is made: physical ids and attributes of its nodes, exports of other
 * stacks, zones and parameters through the one door, as the stack's identity. */
#include "cfn/engine/run.h"
#include <errno.h>

#define SECRET_BYTES_MIN 4 /* what is shorter stands in any text */

/* --- what no reason may tell --- */
void secret_note(struct run *u, struct str value)
{
	size_t i;

	if (value.n < SECRET_BYTES_MIN || str_list_has(&u->secrets, value))
		return;
	vec_push(&u->arena, u->secrets.v, u->secrets.n, u->cap_secrets) = value;
	for (i = u->secrets.n - 1; i > 0 && u->secrets.v[i - 1].n < value.n; i--) /* the longest first: one may begin with another */
		u->secrets.v[i] = u->secrets.v[i - 1];
	u->secrets.v[i] = str_dup(&u->arena, value);
}

struct str secrets_hidden(struct run *u, struct arena *a, struct str text)
{
	pthread_mutex_lock(&u->lock);
	for (size_t i = 0; i < u->secrets.n && text.p; i++)
		if (str_find(text, u->secrets.v[i]) >= 0)
			text = str_replace(a, text, u->secrets.v[i], S("****"));
	pthread_mutex_unlock(&u->lock);
	return text;
}

/* --- nodes --- */
static struct node *node_of(struct run *u, size_t resource)
{
	return u->by_resource[resource] < 0 ? NULL : &u->nodes[u->by_resource[resource]];
}

static int ref(void *user, size_t resource, struct str *ret)
{
	struct world *w = user;
	struct node *n = node_of(w->run, resource);

	if (!n || !n->physical.p)
		return -ENOENT;
	*ret = n->physical;
	if (n->type->ref_attribute && json_getz(n->attrs, n->type->ref_attribute))
		*ret = json_get_str(n->attrs, n->type->ref_attribute);
	return 0;
}

static int getatt(void *user, size_t resource, struct str attribute, struct json **ret)
{
	struct world *w = user;
	struct node *n = node_of(w->run, resource);

	*ret = n ? json_get(n->attrs, attribute) : NULL;
	if (*ret && w->shown && n->no_echo)
		*ret = json_new_str(w->ctx.arena, S("*****"));
	if (!*ret && n && n->type && n->type->open)
		return template_fail(&w->ctx,
				     "CustomResource attribute error: Vendor response doesn't contain %.*s attribute in object %.*s|%.*s",
				     STR(attribute), STR(w->run->stack.arn), STR(n->logical));
	if (!*ret && n && n->type == &type_stack && str_starts(attribute, S("Outputs.")))
		return template_fail(&w->ctx, "Output '%.*s' not found in stack '%.*s'", STR(str_skip(attribute, 8)), STR(n->physical));
	return *ret ? 0 : -ENOENT;
}

/* --- imports: read and marked in one transaction, so that the export can't go in between --- */
struct import {
	struct run *run;
	struct arena *arena;
	struct str name, value;
};

static int import_txn(struct store_txn *t, void *arg)
{
	struct import *x = arg;
	struct cfn_rec_stack from;
	struct cfn_rec_export e;
	struct keybuf k;
	int r;

	key_begin(&k, x->run->stack.account, "cfn.export");
	key_str(&k, x->name);
	r = record_get(t, &cfn_records, CFN_REC_EXPORT, x->arena, &k, &e);
	if (r == 0)
		r = stack_load(t, x->arena, x->run->stack.account, e.stack, &from);
	if (r == 0 && str_is(from.status, "DELETE_IN_PROGRESS"))
		r = -ENOENT; /* it goes */
	if (r < 0)
		return r;
	x->value = e.value;
	return import_set(t, x->run->stack.account, x->name, &x->run->stack, true);
}

static int import(void *user, struct str name, struct str *ret)
{
	struct world *w = user;
	struct run *u = w->run;
	struct import x = { u, w->ctx.arena, name, STR_NONE };
	int r = store_write(u->region->store, import_txn, &x);

	if (r < 0)
		return r == -ENOENT ? template_fail(&w->ctx, "No export named %.*s found.", STR(name)) : r;
	*ret = x.value;
	pthread_mutex_lock(&u->lock);
	if (!str_list_has(&u->imports, name))
		vec_push(&u->arena, u->imports.v, u->imports.n, u->cap_imports) = str_dup(&u->arena, name);
	pthread_mutex_unlock(&u->lock);
	return 0;
}

/* --- calls --- */
static int ask(struct world *w, const char *service, const char *op, const struct json *params, struct json **ret)
{
	struct run *u = w->run;
	struct call_facts facts = u->facts;
	struct call_error err = { 0 };
	int r;

	facts.request_id = random_uuid(w->ctx.arena);
	r = cloud_invoke_json(u->cloud, u->region, &u->who, &facts, service, op, params, w->ctx.arena, ret, &err);
	if (r < 0 && err.err && str_is(str_c(err.err->code), "ParameterNotFound"))
		return -ENOENT;
	if (r < 0 && err.err)
		return template_fail(&w->ctx, "%.*s (Service: %s, Status Code: %u, Request ID: %.*s)", STR(err.message), service,
				     err.err->status, STR(facts.request_id));
	return r;
}

static int zones(void *user, struct str region, struct str_list *ret)
{
	struct world *w = user;
	struct run *u = w->run;
	struct json *out = NULL, *list;
	int r = 0;

	if (!str_eq(region, u->region->name))
		return template_fail(&w->ctx, "Template error: Fn::GetAZs gives the zones of the stack's region only: %.*s",
				     STR(u->region->name));
	pthread_mutex_lock(&u->lock);
	*ret = u->zones;
	pthread_mutex_unlock(&u->lock);
	if (ret->n)
		return 0;
	r = ask(w, "ec2", "DescribeAvailabilityZones", json_new(w->ctx.arena, JSON_OBJECT), &out);
	if (r < 0)
		return r;
	list = json_getz(out, "AvailabilityZones");
	pthread_mutex_lock(&u->lock);
	if (list && u->zones.n == 0) {
		u->zones = (struct str_list){ arena_array(&u->arena, struct str, list->n + 1), 0 };
		for (size_t i = 0; i < list->n; i++)
			u->zones.v[u->zones.n++] = str_dup(&u->arena, json_get_str(&list->items[i], "ZoneName"));
	}
	*ret = u->zones;
	pthread_mutex_unlock(&u->lock);
	return 0;
}

static int dynamic(void *user, const struct template_dynamic *d, struct str *ret)
{
	struct world *w = user;
	struct json *p = json_new(w->ctx.arena, JSON_OBJECT), *out = NULL;
	int r;

	if (d->kind == TEMPLATE_SECRETSMANAGER)
		return template_fail(&w->ctx, "Secrets Manager is not implemented by this cloud: %.*s cannot be resolved.", STR(d->text));
	json_set_str(w->ctx.arena, p, "Name",
		     d->version.p ? str_printf(w->ctx.arena, "%.*s:%.*s", STR(d->name), STR(d->version)) : d->name);
	json_set_bool(w->ctx.arena, p, "WithDecryption", d->kind == TEMPLATE_SSM_SECURE);
	r = ask(w, "ssm", "GetParameter", p, &out);
	if (r < 0)
		return r == -ENOENT ? template_fail(&w->ctx, "Unable to retrieve ssm parameter %.*s from parameter store for this account.",
						    STR(d->name))
				    : r;
	if (d->kind == TEMPLATE_SSM && str_is(json_get_str(json_getz(out, "Parameter"), "Type"), "SecureString"))
		return template_fail(&w->ctx, "The value of parameter %.*s is a SecureString: use ssm-secure to refer to it.",
				     STR(d->name));
	*ret = json_get_str(json_getz(out, "Parameter"), "Value");
	if (d->kind != TEMPLATE_SSM_SECURE)
		return 0;
	pthread_mutex_lock(&w->run->lock);
	secret_note(w->run, *ret);
	pthread_mutex_unlock(&w->run->lock);
	return 0;
}

/* Parameters were resolved when the operation was asked for; what was found then counts. */
static int ssm(void *user, struct str name, struct str *ret)
{
	struct world *w = user;

	*ret = str_map_get(&w->run->resolved, name);
	return ret->p ? 0 : -ENOENT;
}

static const struct template_calls calls = {
	.ref = ref, .getatt = getatt, .import = import, .zones = zones, .dynamic = dynamic, .ssm = ssm
};

void world_init(struct world *w, struct run *u, struct arena *a)
{
	w->run = u;
	w->shown = false;
	w->ctx = u->ctx;
	w->ctx.arena = a;
	w->ctx.calls = &calls;
	w->ctx.user = w;
	w->ctx.used_bytes = 0;
	w->ctx.err = STR_NONE;
}
