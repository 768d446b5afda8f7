/* SPDX-License-Identifier: Apache-2.0 */
/* query.c - awsQuery and ec2Query requests.
 *
 * The parameters are sorted so that all those below one name ("Filter.1.Value.") are neighbours; a node is such a range,
 * and looking a name up in it is a binary search. Work is n log n for any input. */
#include "wire/impl.h"

#include <assert.h>
#include <errno.h>

#include "base/util.h"

struct param {
	struct str key, value;
	size_t order;
};
struct node {
	const struct param *lo, *hi;
	size_t at; /* where the names of the node's children begin in its keys */
};
struct item {
	uint64_t index;
	struct node node;
};

struct str form_get(struct arena *a, struct str form, const char *name)
{
	struct str field, key, value, decoded;

	while (str_next(&form, '&', &field)) {
		str_cut(field, '=', &key, &value);
		if (uri_decode(a, key, true, &decoded) == 0 && str_is(decoded, name)) {
			if (!value.p)
				return S("");
			return uri_decode(a, value, true, &decoded) == 0 ? decoded : STR_NONE;
		}
	}
	return STR_NONE;
}

/* Ranks a key's byte: '.' ends a component and comes before everything but the key's end. */
static inline int rank(struct str s, size_t i)
{
	return i >= s.n ? -1 : s.p[i] == '.' ? 0 : (unsigned char)s.p[i] + 1;
}

static int compare(const void *pa, const void *pb)
{
	const struct param *a = pa, *b = pb;
	size_t n = a->key.n < b->key.n ? a->key.n : b->key.n, i = 0;
	int x, y;

	while (i < n && a->key.p[i] == b->key.p[i])
		i++;
	x = rank(a->key, i);
	y = rank(b->key, i);
	if (x != y)
		return x < y ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

/* Compares the component of a key that begins at `at` with name. */
static int compare_component(const struct param *p, size_t at, struct str name)
{
	for (size_t i = 0;; i++) {
		int x = rank(p->key, at + i), y = i < name.n ? (unsigned char)name.p[i] + 1 : 0;

		if (x <= 0 && y == 0)
			return 0;
		if (x < 0)
			x = 0;
		if (x != y)
			return x < y ? -1 : 1;
	}
}

/* First in [lo, hi) whose component is >= name (or > name). */
static const struct param *bound(const struct param *lo, const struct param *hi, size_t at, struct str name, bool above)
{
	while (lo < hi) {
		const struct param *mid = lo + (hi - lo) / 2;
		int c = compare_component(mid, at, name);

		if (c < 0 || (above && c == 0))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool child(const struct node *n, struct str name, struct node *ret)
{
	const struct param *lo = n->lo;

	while (lo < n->hi && lo->key.n < n->at) /* the node's own value */
		lo++;
	ret->lo = bound(lo, n->hi, n->at, name, false);
	ret->hi = bound(ret->lo, n->hi, n->at, name, true);
	ret->at = n->at + name.n + 1;
	return ret->lo < ret->hi;
}

/* The value given for the node itself ("Name=x"), absent when there are only deeper parameters. */
static struct str own_value(const struct node *n)
{
	return n->lo < n->hi && n->lo->key.n + 1 == n->at ? n->lo->value : STR_NONE;
}

static int by_index(const void *pa, const void *pb)
{
	const struct item *a = pa, *b = pb;

	return a->index < b->index ? -1 : a->index > b->index;
}

/* The numbered children of a node in numerical order. */
static size_t items_of(struct arena *a, const struct node *n, struct item **ret)
{
	struct item *v = NULL;
	size_t k = 0, cap = 0;

	for (const struct param *p = n->lo; p < n->hi;) {
		struct str rest, name, tail;
		struct item it;

		if (p->key.n < n->at) {
			p++;
			continue;
		}
		rest = str_skip(p->key, n->at);
		str_cut(rest, '.', &name, &tail);
		it.node = (struct node){ p, bound(p, n->hi, n->at, name, true), n->at + name.n + 1 };
		p = it.node.hi;
		if (str_to_u64(name, &it.index) == 0)
			vec_push(a, v, k, cap) = it;
	}
	if (k)
		qsort(v, k, sizeof *v, by_index);
	*ret = v;
	return k;
}

static int decode(struct codec *c, const struct desc_shape *s, const struct desc_member *m, const struct node *n, void *v);

static int decode_struct(struct codec *c, const struct desc_shape *s, const struct node *n, void *v)
{
	for (size_t i = 0; i < s->n_members; i++) {
		const struct desc_member *m = &s->members[i];
		const struct desc_shape *ms = &c->shapes[m->shape];
		struct node sub;

		if (!child(n, str_c(c->p == WIRE_EC2 && m->ec2 ? m->ec2 : m->wire), &sub))
			continue;
		if (ms->kind == DK_BODY || ms->kind == DK_DOCUMENT)
			continue;
		if (!is_scalar(ms) || own_value(&sub).p)
			if (decode(c, ms, m, &sub, slot_make(c->a, ms, (char *)v + m->offset)) < 0)
				return -EINVAL;
	}
	return 0;
}

static bool is_flat(const struct codec *c, const struct desc_shape *s, const struct desc_member *m)
{
	return c->p == WIRE_EC2 || (s->flags & DS_FLATTENED) || (m && (m->flags & DM_FLATTENED));
}

static int decode_list(struct codec *c, const struct desc_shape *s, const struct desc_member *m, const struct node *n, void *v)
{
	const struct desc_shape *e = &c->shapes[s->element];
	struct node inner = *n;
	struct item *items;
	size_t k;

	if (own_value(n).p) /* "Tags=" is how an empty list travels */
		value_empty(c->a, v);
	if (!is_flat(c, s, m) && !child(n, str_c(s->xml_name), &inner) && !child(n, S("member"), &inner))
		return 0;
	k = items_of(c->a, &inner, &items);
	for (size_t i = 0; i < k; i++)
		if (decode(c, e, NULL, &items[i].node, list_add(c->a, e, v)) < 0)
			return -EINVAL;
	return 0;
}

static int decode_map(struct codec *c, const struct desc_shape *s, const struct desc_member *m, const struct node *n, void *v)
{
	const struct desc_shape *e = &c->shapes[s->element];
	struct node inner = *n, key, value;
	struct item *items;
	size_t k;

	if (own_value(n).p)
		value_empty(c->a, v);
	if (!is_flat(c, s, m) && !child(n, S("entry"), &inner))
		return 0;
	k = items_of(c->a, &inner, &items);
	for (size_t i = 0; i < k; i++) {
		struct str name;

		if (!child(&items[i].node, str_c(s->xml_name), &key))
			continue;
		name = own_value(&key);
		if (!name.p || !utf8_valid(name))
			return fault_bad(c, s->xml_name, name);
		if (child(&items[i].node, str_c(s->xml_value), &value) && decode(c, e, NULL, &value, map_add(c->a, e, v, name)) < 0)
			return -EINVAL;
	}
	return 0;
}

static int decode(struct codec *c, const struct desc_shape *s, const struct desc_member *m, const struct node *n, void *v)
{
	struct str text;
	int r;

	if (c->depth >= WIRE_DEPTH_MAX)
		return fault_set(c, "MalformedInput", 400, S("The request is nested too deeply"));
	c->depth++;
	switch (s->kind) {
	case DK_STRUCT:
		r = decode_struct(c, s, n, v);
		break;
	case DK_LIST:
		r = decode_list(c, s, m, n, v);
		break;
	case DK_MAP:
		r = decode_map(c, s, m, n, v);
		break;
	case DK_BODY:
	case DK_DOCUMENT:
		r = 0;
		break;
	default:
		text = own_value(n);
		r = !text.p || scalar_read(c->a, s, text, v) == 0 ? 0 : fault_bad(c, m ? m->name : s->name, text);
	}
	c->depth--;
	return r;
}

/* Appends the parameters of a form to *v. */
static int parse(struct codec *c, struct str form, struct param **v, size_t *n, size_t *cap)
{
	struct str field, key, value;

	while (str_next(&form, '&', &field)) {
		struct param p = { .order = *n };

		if (!field.n)
			continue;
		str_cut(field, '=', &key, &value);
		if (!value.p)
			value = S("");
		if (uri_decode(c->a, key, true, &p.key) < 0 || uri_decode(c->a, value, true, &p.value) < 0)
			return fault_set(c, "MalformedQueryString", 404, S("The query string contains a syntax error"));
		if (!p.value.p)
			p.value = S("");
		vec_push(c->a, *v, *n, *cap) = p;
	}
	return 0;
}

int query_decode(struct codec *c, const struct desc_shape *s, struct str query, struct str body, void *v)
{
	struct param *params = NULL;
	size_t n = 0, cap = 0;
	struct node root;

	assert(s->kind == DK_STRUCT);
	if (parse(c, query, &params, &n, &cap) < 0 || parse(c, body, &params, &n, &cap) < 0)
		return -EINVAL;
	if (n)
		qsort(params, n, sizeof *params, compare);
	root = (struct node){ params, params + n, 0 };
	return decode_struct(c, s, &root, v);
}
