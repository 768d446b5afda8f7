/* SPDX-License-Identifier: Apache-2.0 */
/* front_served.c - what deployments serve: read from the store once, parsed, and shared by all visits.
 *
 * A snapshot never changes while it exists, so it is cached by region, API and deployment; whether it still exists, and which one
 * a stage serves, each visit reads from the store. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "svc/apigateway/front.h"
#include <errno.h>
#include <pcre2.h>
#include <pthread.h>

#define SERVED_MAX 128

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct served *all;
static size_t n_all;

static void free_served(struct served *s)
{
	struct arena a = s->arena; /* s itself is in it */

	arena_done(&a);
}

void served_put(struct served *s)
{
	if (s && atomic_fetch_sub(&s->refs, 1) == 1)
		free_served(s);
}

void served_forget_all(void)
{
	struct served *s;

	pthread_mutex_lock(&lock);
	while ((s = all)) {
		all = s->next;
		served_put(s);
	}
	n_all = 0;
	pthread_mutex_unlock(&lock);
}

/* --- templates --- */
static struct tmpl_list templates(struct arena *a, const struct str_map *m)
{
	struct tmpl_list l = { arena_array(a, struct tmpl, m->n), m->n };

	for (size_t i = 0; i < m->n; i++) {
		struct vtl_template *t = NULL;
		struct str error;

		l.v[i].type = m->v[i].key;
		l.v[i].context = str_find(m->v[i].value, S("context")) >= 0;
		if (vtl_parse(a, m->v[i].value.p ? m->v[i].value : S(""), &t, &error) == 0)
			l.v[i].t = t;
	}
	return l;
}

/* pattern compiles into memory of the arena. */
static void *pcre_alloc(size_t n, void *arg)
{
	return arena_alloc(arg, n);
}

static void pcre_free(void *p, void *arg)
{
}

static void *pattern(struct arena *a, struct str text)
{
	pcre2_general_context *g = pcre2_general_context_create(pcre_alloc, pcre_free, a);
	pcre2_compile_context *x = pcre2_compile_context_create(g);
	int code;
	PCRE2_SIZE at;

	return pcre2_compile((PCRE2_SPTR)text.p, text.n, PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_MATCH_INVALID_UTF | PCRE2_DOTALL, &code,
			     &at, x);
}

static void method_init(struct served *s, struct served_method *out, const struct apigw_rec_method_map_entry *e,
			const struct apigw_rec_resource *res)
{
	const struct apigw_rec_method *m = &e->value;
	const struct apigw_rec_integration *in = m->method_integration;

	*out = (struct served_method){ .name = e->key, .m = m, .resource = res };
	for (size_t i = 0; i < s->snap.authorizers.n; i++)
		if (str_eq(s->snap.authorizers.v[i].id, m->authorizer_id))
			out->authorizer = &s->snap.authorizers.v[i];
	for (size_t i = 0; i < s->snap.validators.n; i++)
		if (m->request_validator_id.p && str_eq(s->snap.validators.v[i].id, m->request_validator_id))
			out->validator = &s->snap.validators.v[i];
	if (!in)
		return;
	out->templates = templates(&s->arena, &in->request_templates);
	out->n_responses = in->integration_responses.n;
	out->responses = arena_array(&s->arena, struct served_response, out->n_responses);
	for (size_t i = 0; i < out->n_responses; i++) {
		struct served_response *r = &out->responses[i];

		r->r = &in->integration_responses.v[i].value;
		r->templates = templates(&s->arena, &r->r->response_templates);
		if (r->r->selection_pattern.n) {
			r->pattern = pattern(&s->arena, r->r->selection_pattern);
			r->broken = !r->pattern;
		}
	}
}

/* --- the tree --- */
static struct served_node *node_new(struct served *s, const struct apigw_rec_resource *res)
{
	struct served_node *n = arena_new(&s->arena, struct served_node);
	struct str part = res->path_part.p ? res->path_part : S("");

	n->resource = res;
	n->part = uri_encode(&s->arena, part, false); /* as requests are compared */
	if (part.n > 2 && part.p[0] == '{' && part.p[part.n - 1] == '}') {
		bool greedy = part.p[part.n - 2] == '+';

		n->kind = greedy ? NODE_GREEDY : NODE_PARAM;
		n->name = str_of(part.p + 1, part.n - (greedy ? 3 : 2));
	}
	n->n_methods = res->resource_methods.n;
	n->methods = arena_array(&s->arena, struct served_method, n->n_methods);
	for (size_t i = 0; i < n->n_methods; i++)
		method_init(s, &n->methods[i], &res->resource_methods.v[i], res);
	return n;
}

static void tree(struct served *s)
{
	size_t n = s->snap.resources.n;
	struct served_node **nodes = arena_array(&s->arena, struct served_node *, n);

	for (size_t i = 0; i < n; i++) {
		nodes[i] = node_new(s, &s->snap.resources.v[i]);
		if (!s->snap.resources.v[i].parent_id.n)
			s->root = nodes[i];
	}
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++)
			if (i != j && s->snap.resources.v[i].parent_id.n &&
			    str_eq(s->snap.resources.v[j].id, s->snap.resources.v[i].parent_id))
				vec_push(&s->arena, nodes[j]->children, nodes[j]->n_children, nodes[j]->cap_children) = nodes[i];
}

/* --- the resource policy --- */
static void expand_resource(struct served *s, struct json *j)
{
	if (j->type == JSON_STRING && str_starts(j->s, S("execute-api:/")))
		j->s = str_printf(&s->arena, "arn:%.*s:execute-api:%.*s:%.*s:%.*s/%.*s", STR(region_partition(s->region)), STR(s->region),
				  STR(s->account), STR(s->api), STR(str_skip(j->s, sizeof "execute-api:/" - 1)));
	for (size_t i = 0; j->type == JSON_ARRAY && i < j->n; i++)
		expand_resource(s, &j->items[i]);
}

static void expand_statement(struct served *s, struct json *statement)
{
	static const char *const keys[] = { "Resource", "NotResource" };

	for (size_t i = 0; i < ELEMENTS(keys); i++) {
		struct json *r = json_getz(statement, keys[i]);

		if (r)
			expand_resource(s, r);
	}
}

static void load_policy(struct served *s)
{
	struct str text = s->snap.api->policy, error;
	struct json *j, *statements;

	if (!text.n)
		return;
	s->has_policy = true;
	if (json_parse(&s->arena, text, &j, NULL) < 0)
		return;
	statements = json_getz(j, "Statement");
	if (json_is(statements, JSON_OBJECT))
		expand_statement(s, statements);
	for (size_t i = 0; json_is(statements, JSON_ARRAY) && i < statements->n; i++)
		expand_statement(s, &statements->items[i]);
	s->policy_text = json_text(&s->arena, j);
	if (policy_parse(&s->arena, s->policy_text, POLICY_RESOURCE, &s->policy, &error) < 0)
		s->policy = NULL;
}

/* build makes s, which is in its own arena and has its snapshot, ready to serve. */
static void build(struct served *s)
{
	atomic_init(&s->refs, 1);
	tree(s);
	load_policy(s);
	s->models = arena_array(&s->arena, struct served_model, s->snap.models.n);
	for (size_t i = 0; i < s->snap.models.n; i++) {
		struct json *j = NULL;

		s->models[i].name = s->snap.models.v[i].name;
		if (s->snap.models.v[i].schema.p && json_parse(&s->arena, s->snap.models.v[i].schema, &j, NULL) == 0)
			s->models[i].schema = j;
	}
	s->responses = arena_array(&s->arena, struct served_gateway_response, s->snap.responses.n);
	for (size_t i = 0; i < s->snap.responses.n; i++) {
		s->responses[i].r = &s->snap.responses.v[i];
		s->responses[i].templates = templates(&s->arena, &s->snap.responses.v[i].response_templates);
	}
}

static struct served *load(struct call *c, struct str region, struct str account, struct str api, struct str deployment)
{
	struct arena a = { 0 };
	struct served *s = arena_new(&a, struct served);
	int r;

	s->region = str_dup(&a, region);
	s->api = str_dup(&a, api);
	s->account = str_dup(&a, account);
	s->deployment = deployment.p ? str_dup(&a, deployment) : STR_NONE;
	r = deployment.p ? apigw_load_snapshot(c->txn, &a, account, api, deployment, &s->snap)
			 : apigw_load_draft(c->txn, &a, account, api, &s->snap);
	if (r < 0 || !s->snap.api) {
		arena_done(&a);
		return NULL;
	}
	s->arena = a;
	build(s);
	return s;
}

struct served *served_draft(struct call *c, struct str api)
{
	return load(c, c->region->name, c->account, api, STR_NONE);
}

static struct served *find(struct visit *v, struct str deployment)
{
	for (struct served *s = all; s; s = s->next)
		if (str_eq(s->deployment, deployment) && str_eq(s->api, v->api) && str_eq(s->region, v->region->name) &&
		    str_eq(s->account, v->account)) {
			s->used_ms = clock_mono_ms();
			atomic_fetch_add(&s->refs, 1);
			return s;
		}
	return NULL;
}

static void drop_oldest(void)
{
	struct served **oldest = &all;

	for (struct served **p = &all; *p; p = &(*p)->next)
		if ((*p)->used_ms < (*oldest)->used_ms)
			oldest = p;
	struct served *s = *oldest;
	*oldest = s->next;
	n_all--;
	served_put(s);
}

struct served *served_get(struct visit *v, struct call *c, struct str deployment)
{
	struct served *s, *other;

	pthread_mutex_lock(&lock);
	s = find(v, deployment);
	pthread_mutex_unlock(&lock);
	if (s)
		return s;
	s = load(c, v->region->name, v->account, v->api, deployment);
	if (!s)
		return NULL;
	pthread_mutex_lock(&lock);
	other = find(v, deployment);
	if (!other) {
		if (n_all >= SERVED_MAX)
			drop_oldest();
		s->used_ms = clock_mono_ms();
		s->next = all;
		all = s;
		n_all++;
		atomic_fetch_add(&s->refs, 1);
	}
	pthread_mutex_unlock(&lock);
	if (other) {
		served_put(s);
		return other;
	}
	return s;
}
