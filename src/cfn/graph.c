/* SPDX-License-Identifier: Apache-2.0 */
/* graph.c - which resource needs which, and an order in which all of them can be made. No recursion: a chain may be as
 * long as the template allows. */
#include "cfn/template_int.h"
#include <errno.h>

static int by_index(const void *x, const void *y)
{
	const size_t *a = x, *b = y;

	return *a < *b ? -1 : *a > *b;
}

void nodes_link(struct arena *a, struct template_node *nodes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct template_node *x = &nodes[i];
		size_t k = 0;

		if (x->n_deps)
			qsort(x->deps, x->n_deps, sizeof *x->deps, by_index);
		for (size_t d = 0; d < x->n_deps; d++)
			if (!d || x->deps[d] != x->deps[d - 1])
				x->deps[k++] = x->deps[d];
		x->n_deps = k;
		for (size_t d = 0; d < k; d++)
			nodes[x->deps[d]].n_dependents++;
	}
	for (size_t i = 0; i < n; i++) {
		nodes[i].dependents = arena_array(a, size_t, nodes[i].n_dependents + 1);
		nodes[i].n_dependents = 0;
	}
	for (size_t i = 0; i < n; i++)
		for (size_t d = 0; d < nodes[i].n_deps; d++) {
			struct template_node *x = &nodes[nodes[i].deps[d]];

			x->dependents[x->n_dependents++] = i;
		}
}

/* peel removes, again and again, what nobody that is left depends on; what stays is on a circle. */
static void peel(struct arena *a, const struct template_node *nodes, size_t n, bool *left)
{
	size_t *count = arena_array(a, size_t, n + 1), *queue = arena_array(a, size_t, n + 1), head = 0, tail = 0;

	for (size_t i = 0; i < n; i++) {
		for (size_t d = 0; left[i] && d < nodes[i].n_dependents; d++)
			count[i] += left[nodes[i].dependents[d]];
		if (left[i] && !count[i])
			queue[tail++] = i;
	}
	while (head < tail) {
		size_t i = queue[head++];

		left[i] = false;
		for (size_t d = 0; d < nodes[i].n_deps; d++) {
			size_t to = nodes[i].deps[d];

			if (left[to] && --count[to] == 0)
				queue[tail++] = to;
		}
	}
}

size_t order_of(struct arena *a, const struct template_node *nodes, const bool *use, size_t n, size_t *order, bool *on_circle)
{
	size_t *wait = arena_array(a, size_t, n + 1), head = 0, tail = 0, all = 0;

	for (size_t i = 0; i < n; i++) {
		wait[i] = nodes[i].n_deps;
		on_circle[i] = !use || use[i];
		all += on_circle[i];
		if (on_circle[i] && !wait[i])
			order[tail++] = i;
	}
	while (head < tail) {
		size_t i = order[head++];

		on_circle[i] = false;
		for (size_t d = 0; d < nodes[i].n_dependents; d++)
			if (--wait[nodes[i].dependents[d]] == 0)
				order[tail++] = nodes[i].dependents[d];
	}
	if (tail < all)
		peel(a, nodes, n, on_circle);
	return tail;
}

struct str names_text(struct arena *a, const struct str *v, size_t n)
{
	return n ? str_join(a, v, n, S(", ")) : S("");
}

int complain_circle(const struct template *t, const bool *on_circle, struct arena *a, struct str *ret_err)
{
	struct str *names = arena_array(a, struct str, t->n_resources);
	size_t n = 0;

	for (size_t i = 0; i < t->n_resources; i++)
		if (on_circle[i])
			names[n++] = t->resources[i].id;
	return complain(a, ret_err, "Circular dependency between resources: [%.*s]", STR(names_text(a, names, n)));
}

struct graph_edges {
	struct template_ctx *c;
	struct template_node *node;
	size_t cap;
};

static void see(void *user, enum template_kind kind, size_t i, struct str attr)
{
	struct graph_edges *e = user;

	if (kind == TEMPLATE_RESOURCE && template_active(e->c, i))
		vec_push(e->c->arena, e->node->deps, e->node->n_deps, e->cap) = i;
}

int template_graph(struct template_ctx *c, struct template_graph *ret)
{
	static const char *const attributes[] = { "Properties", "Metadata", "CreationPolicy", "UpdatePolicy" };
	const struct template *t = c->tpl;
	struct template_graph g = { .n = t->n_resources };
	bool *use = arena_array(c->arena, bool, g.n), *circle = arena_array(c->arena, bool, g.n);
	size_t active = 0;

	g.nodes = arena_array(c->arena, struct template_node, g.n);
	g.order = arena_array(c->arena, size_t, g.n);
	for (size_t i = 0; i < g.n; i++) {
		struct graph_edges e = { c, &g.nodes[i], 0 };
		struct refs r = { .tpl = t, .conditions = c->conditions, .see = see, .user = &e };

		use[i] = template_active(c, i);
		if (!use[i])
			continue;
		active++;
		for (size_t k = 0; k < ELEMENTS(attributes); k++)
			refs_walk(&r, json_getz(t->resources[i].decl, attributes[k]));
		for (size_t k = 0; k < t->resources[i].n_depends_on; k++)
			see(&e, TEMPLATE_RESOURCE, t->resources[i].depends_on[k], STR_NONE);
	}
	nodes_link(c->arena, g.nodes, g.n);
	g.n_order = order_of(c->arena, g.nodes, use, g.n, g.order, circle);
	if (g.n_order < active)
		return complain_circle(t, circle, c->arena, &c->err);
	*ret = g;
	return 0;
}
