/* SPDX-License-Identifier: Apache-2.0 */
/* routes.c - which REST operation a method and path mean.
 *
 * Each model's templates are taken apart once, at its first request, and kept for good. Of several that fit, the one
 * with more literal segments wins, then the one with more query constants ("?tagging"), then the one whose required
 * query parameters and headers are there (GET /b/k?uploadId=x is ListParts, not GetObject), then the one with more of
 * these. Operations of the model that are not built take part, so that UploadPart never becomes PutObject. */
#include "wire/impl.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/util.h"

#define SEGMENTS_MAX 20
#define CONSTANTS_MAX 4

struct segment {
	struct str text; /* literal, or the label's name */
	bool label, greedy;
};
struct template
{
	const struct op *op;
	const struct op_known *known;
	const char *method, *name, *need;
	struct segment segments[SEGMENTS_MAX];
	struct str_pair constants[CONSTANTS_MAX]; /* value absent: any */
	uint8_t n_segments, n_constants, n_literals;
	bool greedy_end;
};
struct brief { /* what most templates fail by, close together */
	uint8_t method_n, n_segments, n_constants;
	char method; /* its first letter */
	bool greedy, greedy_end;
};
struct table {
	const struct service_model *model;
	struct template *v;
	struct brief *brief;
	size_t n;
	struct table *next;
};
struct match {
	struct str labels[SEGMENTS_MAX];
};

static _Atomic(struct table *) tables;
static pthread_mutex_t tables_lock = PTHREAD_MUTEX_INITIALIZER;

/* Takes a URI template apart. False for one that is not routed (no template, or beyond our limits). */
static bool take_apart(struct template *t, const char *uri)
{
	struct str path, query, part;

	if (!uri)
		return false;
	str_cut(str_c(uri), '?', &path, &query);
	while (path.n && *path.p == '/')
		path = str_skip(path, 1);
	if (path.n && path.p[path.n - 1] == '/')
		path.n--;
	while (path.n && str_next(&path, '/', &part)) {
		struct segment *s = &t->segments[t->n_segments];

		if (++t->n_segments == SEGMENTS_MAX)
			return false;
		s->text = part;
		if (part.n > 2 && *part.p == '{' && part.p[part.n - 1] == '}') {
			s->label = true;
			s->greedy = part.p[part.n - 2] == '+';
			s->text = str_of(part.p + 1, part.n - 2 - s->greedy);
		} else {
			t->n_literals++;
		}
		t->greedy_end = s->greedy;
	}
	while (str_next(&query, '&', &part)) {
		struct str_pair *c = &t->constants[t->n_constants];

		str_cut(part, '=', &c->key, &c->value);
		if (str_is(c->key, "x-id"))
			continue;
		if (++t->n_constants == CONSTANTS_MAX)
			return false;
	}
	return true;
}

static struct table *make_table(const struct service_model *m)
{
	struct table *t = xzalloc(sizeof *t);
	size_t n = m->n_ops;

	for (const struct op_known *k = m->known; k && k->name; k++)
		n++;
	t->model = m;
	t->v = xzalloc((n + 1) * sizeof *t->v);
	for (size_t i = 0; i < m->n_ops; i++) {
		const struct op *o = &m->ops[i];
		struct template *x = &t->v[t->n];

		*x = (struct template){ .op = o, .method = o->method, .name = o->name, .need = o->need };
		t->n += take_apart(x, o->uri);
	}
	for (const struct op_known *k = m->known; k && k->name; k++) {
		struct template *x = &t->v[t->n];

		*x = (struct template){ .known = k, .method = k->method, .name = k->name, .need = k->need };
		t->n += take_apart(x, k->uri);
	}
	t->brief = xzalloc((t->n + 1) * sizeof *t->brief);
	for (size_t i = 0; i < t->n; i++) {
		const struct template *x = &t->v[i];
		struct brief *b = &t->brief[i];

		*b = (struct brief){ (uint8_t)strlen(x->method), x->n_segments, x->n_constants, x->method[0], false, x->greedy_end };
		for (size_t k = 0; k < x->n_segments; k++)
			b->greedy |= x->segments[k].greedy;
	}
	return t;
}

static size_t segments_of(struct str path)
{
	size_t n = path.n > 0;

	for (size_t i = 0; i < path.n; i++)
		n += path.p[i] == '/';
	return n;
}

/* could_fit is false for most templates that do not; the others are looked at closely. */
static bool could_fit(const struct brief *b, struct str method, size_t segments, size_t params)
{
	if (b->method_n != method.n || b->method != method.p[0] || b->n_constants > params)
		return false;
	return b->greedy ? b->n_segments <= segments : b->n_segments == segments;
}

static const struct table *table_of(const struct service_model *m)
{
	struct table *t;

	for (t = atomic_load(&tables); t; t = t->next)
		if (t->model == m)
			return t;
	pthread_mutex_lock(&tables_lock);
	for (t = atomic_load(&tables); t && t->model != m; t = t->next)
		;
	if (!t) {
		t = make_table(m);
		t->next = atomic_load(&tables);
		atomic_store(&tables, t);
	}
	pthread_mutex_unlock(&tables_lock);
	return t;
}

/* The segments of path after a greedy label take what they need from the end. */
static struct str greedy_part(struct str path, size_t segments_behind)
{
	size_t n = path.n;

	while (segments_behind--) {
		ptrdiff_t slash = str_rfind_char(str_of(path.p, n), '/');

		if (slash < 0)
			return STR_NONE;
		n = (size_t)slash;
	}
	return str_of(path.p, n);
}

/* path: without its first slash. */
static bool path_fits(const struct template *t, struct str path, struct match *m)
{
	if (!t->greedy_end && path.n && path.p[path.n - 1] == '/')
		path.n--;
	if (t->n_segments == 0)
		return path.n == 0;
	for (size_t i = 0; i < t->n_segments; i++) {
		const struct segment *s = &t->segments[i];
		struct str part;

		if (!path.p)
			return false;
		if (s->greedy) {
			part = greedy_part(path, t->n_segments - i - 1u);
			if (!part.n)
				return false;
			path = part.n < path.n ? str_skip(path, part.n + 1) : STR_NONE;
		} else {
			str_next(&path, '/', &part);
		}
		if (!part.n || (!s->label && !str_eq(part, s->text)))
			return false;
		m->labels[i] = part;
	}
	return !path.p;
}

static bool has_param(const struct str_pair *q, size_t n, struct str key, struct str value)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(q[i].key, key) && (!value.p || str_eq(q[i].value, value)))
			return true;
	return false;
}

/* How many of the required parameters and headers are there; -1 when one is missing. */
static int count_needs(const struct template *t, const struct http_request *r, const struct str_pair *q, size_t n)
{
	struct str rest = str_c(t->need), part;
	char name[128];
	int found = 0;

	while (str_next(&rest, ' ', &part)) {
		bool there;

		if (part.n < 2 || part.n > sizeof name)
			return -1;
		if (*part.p == '?') {
			there = has_param(q, n, str_skip(part, 1), STR_NONE);
		} else {
			*(char *)mempcpy(name, part.p + 1, part.n - 1) = 0;
			there = header_of(r, name).p != NULL;
		}
		if (!there)
			return -1;
		found++;
	}
	return found;
}

static int64_t rank(const struct template *t, int needs)
{
	int64_t rank = t->n_literals;

	rank = rank * 16 + t->n_constants;
	rank = rank * 2 + (needs >= 0);
	rank = rank * 32 + (needs > 0 ? needs : 0);
	rank = rank * 2 + !t->greedy_end;
	return rank * 2 + (t->op != NULL);
}

static struct str_pair *query_pairs(struct http_request *r, size_t *ret_n)
{
	struct str rest = r->query, field, k, v;
	struct str_pair *q = NULL;
	size_t n = 0, cap = 0;

	while (str_next(&rest, '&', &field)) {
		struct str_pair p = { .value = S("") };

		str_cut(field, '=', &k, &v);
		if (!k.n || uri_decode(&r->arena, k, true, &p.key) < 0 || (v.n && uri_decode(&r->arena, v, true, &p.value) < 0))
			continue;
		vec_push(&r->arena, q, n, cap) = p;
	}
	*ret_n = n;
	return q;
}

int route_match(const struct service_model *m, struct http_request *r, struct wire_route *route)
{
	const struct table *table = table_of(m);
	const struct template *best = NULL;
	struct match match, best_match = { 0 };
	int64_t best_rank = -1;
	struct str path = route->path;
	size_t n, segments, unslashed; /* unslashed: without a slash at the end, which only greedy labels take */
	struct str_pair *q = query_pairs(r, &n);

	path = path.n && *path.p == '/' ? str_skip(path, 1) : str_of("", 0);
	segments = segments_of(path);
	unslashed = path.n && path.p[path.n - 1] == '/' ? segments_of(str_of(path.p, path.n - 1)) : segments;
	for (size_t i = 0; i < table->n; i++) {
		const struct template *t = &table->v[i];

		if (!r->method.n || !could_fit(&table->brief[i], r->method, table->brief[i].greedy_end ? segments : unslashed, n))
			continue;
		bool ok = str_is(r->method, t->method) && path_fits(t, path, &match);
		int64_t x;

		for (size_t k = 0; ok && k < t->n_constants; k++)
			ok = has_param(q, n, t->constants[k].key, t->constants[k].value);
		if (!ok)
			continue;
		x = rank(t, count_needs(t, r, q, n));
		if (x > best_rank) {
			best = t;
			best_rank = x;
			best_match = match;
		}
	}
	if (!best)
		return -ENOENT;
	route->op = best->op;
	route->known = best->known;
	route->name = str_c(best->name);
	route->n_labels = 0;
	for (size_t i = 0; i < best->n_segments; i++)
		if (best->segments[i].label && route->n_labels < ELEMENTS(route->labels))
			route->labels[route->n_labels++] = (struct str_pair){ best->segments[i].text, best_match.labels[i] };
	return 0;
}
