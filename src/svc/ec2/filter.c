/* SPDX-License-Identifier: Apache-2.0 */
/* filter.c - what every Describe operation does alike: filters, ids, pages.
 *
 * A listing walks ids in order: those asked for, the children of the VPCs (or groups) that a filter names exactly, or
 * all of the kind. Names of filters are checked before anything is read. */
#include "svc/ec2/ec2_int.h"
#include <errno.h>

#define FILTER_VALUES_MAX 200 /* in one call; source: "Listing and filtering using the CLI and API" */
#define PAGE_DEFAULT 1000

void ec2_value(struct ec2_values *v, struct str s)
{
	if (s.p)
		vec_push(v->c->arena, v->v, v->n, v->cap) = s;
}

static const struct ec2_field *field_named(const struct ec2_field *fields, struct str name)
{
	for (; fields->name; fields++)
		if (str_is(name, fields->name))
			return fields;
	return NULL;
}

int ec2_filters_check(struct call *c, const struct ec2_field *fields, const struct ec2_filter_list *filters, bool tags)
{
	size_t values = 0;

	for (size_t i = 0; i < filters->n; i++) {
		struct str name = filters->v[i].name;

		if (!name.p)
			return call_fail(c, &aws_err_invalid_parameter_value, "The filter 'null' is invalid");
		if (!field_named(fields, name) && !(tags && (str_is(name, "tag-key") || (str_starts(name, S("tag:")) && name.n > 4))))
			return call_fail(c, &aws_err_invalid_parameter_value, "The filter '%.*s' is invalid", STR(name));
		values += filters->v[i].values.n;
	}
	if (values > FILTER_VALUES_MAX)
		return call_fail(c, &ec2_err_filter_limit_exceeded, "The maximum number of filter values specified on a single call is %d",
				 FILTER_VALUES_MAX);
	return 0;
}

static void field_values(struct ec2_values *v, const struct ec2_field *f, const void *rec)
{
	const void *p = (const char *)rec + f->offset;

	switch (f->how) {
	case EC2_BOOL:
		ec2_value(v, ((const struct opt_bool *)p)->v ? S("true") : S("false"));
		break;
	case EC2_INT:
		if (((const struct opt_int *)p)->has)
			ec2_value(v, str_printf(v->c->arena, "%lld", (long long)((const struct opt_int *)p)->v));
		break;
	case EC2_FN:
		f->get(v, rec);
		break;
	case EC2_OWNER:
		ec2_value(v, v->c->account);
		break;
	case EC2_CONST:
		ec2_value(v, str_c(f->constant));
		break;
	case EC2_STR:
	case EC2_ID:
	case EC2_PARENT:
		ec2_value(v, *(const struct str *)p);
		break;
	}
}

static bool one_matches(struct call *c, const struct ec2_field *fields, const struct str_map *tags, const struct ec2_filter *f,
			const void *rec)
{
	const struct ec2_field *field = field_named(fields, f->name);
	struct ec2_values have = { .c = c };

	if (field)
		field_values(&have, field, rec);
	else if (tags && str_is(f->name, "tag-key"))
		for (size_t i = 0; i < tags->n; i++)
			ec2_value(&have, tags->v[i].key);
	else if (tags)
		ec2_value(&have, str_map_get(tags, str_skip(f->name, 4)));
	for (size_t i = 0; i < have.n; i++)
		for (size_t j = 0; j < f->values.n; j++)
			if (ec2_wild(f->values.v[j], have.v[i]))
				return true;
	return false;
}

bool ec2_filters_match(struct call *c, const struct ec2_field *fields, const struct str_map *tags, const struct ec2_filter_list *filters,
		       const void *rec)
{
	for (size_t i = 0; i < filters->n; i++)
		if (!one_matches(c, fields, tags, &filters->v[i], rec))
			return false;
	return true;
}

/* --- the walk --- */
struct walk {
	struct call *c;
	const struct ec2_kind *d;
	enum ec2_kinds k;
	const struct ec2_field *fields;
	const struct ec2_query *q;
	int (*emit)(struct call *c, const void *rec, void *arg);
	void *arg;
	size_t left;
	struct str last; /* where the page ends: id, or "parent/id" */
	bool more;
};

/* Values of the first filter of this sort whose values are all exact; NULL: none. */
static const struct str_list *exact(const struct walk *w, enum ec2_how how)
{
	for (size_t i = 0; i < w->q->filters->n; i++) {
		const struct ec2_filter *f = &w->q->filters->v[i];
		const struct ec2_field *field = field_named(w->fields, f->name);
		bool wild = false;

		for (size_t j = 0; j < f->values.n; j++)
			wild |= !f->values.v[j].p || str_find_char(f->values.v[j], '*') >= 0 || str_find_char(f->values.v[j], '?') >= 0 ||
				str_find_char(f->values.v[j], '\\') >= 0;
		if (field && field->how == how && !wild)
			return &f->values;
	}
	return NULL;
}

static int order(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* Sorted, without doubles. */
static struct str_list sorted(struct call *c, const struct str_list *l)
{
	struct str_list out = { arena_array(c->arena, struct str, l->n + 1), 0 };

	for (size_t i = 0; i < l->n; i++)
		out.v[i] = l->v[i];
	qsort(out.v, l->n, sizeof *out.v, order);
	for (size_t i = 0; i < l->n; i++)
		if (out.n == 0 || !str_eq(out.v[out.n - 1], out.v[i]))
			out.v[out.n++] = out.v[i];
	return out;
}

/* 0 go on, 1 the page is full. */
static int visit(struct walk *w, const void *rec, struct str where)
{
	const struct str_map *tags = (const void *)((const char *)rec + w->d->tags);
	int r;

	if (!ec2_filters_match(w->c, w->fields, tags, w->q->filters, rec))
		return 0;
	if (w->left == 0) {
		w->more = true;
		return 1;
	}
	r = w->emit(w->c, rec, w->arg);
	w->left--;
	w->last = where;
	return r;
}

static int visit_id(struct walk *w, struct str id, struct str where, bool must_be)
{
	void *rec = arena_zalloc(w->c->arena, w->d->size);
	int r = must_be ? ec2_load(w->c, w->k, id, rec) : ec2_read(w->c, w->k, id, rec);

	return r == -ENOENT ? 0 : r < 0 ? r : visit(w, rec, where);
}

static int walk_ids(struct walk *w, const struct str_list *ids, struct str after, bool must_be)
{
	struct str_list l = sorted(w->c, ids);
	int r = 0;

	for (size_t i = 0; i < l.n && r == 0; i++)
		if (!after.p || str_cmp(l.v[i], after) > 0)
			r = visit_id(w, l.v[i], l.v[i], must_be);
	return r;
}

static int walk_parents(struct walk *w, const struct str_list *parents, struct str after)
{
	struct str_list l = sorted(w->c, parents), ids;
	struct str parent = STR_NONE, id = STR_NONE;
	int r = 0;

	if (after.p)
		(void)str_cut(after, '/', &parent, &id);
	for (size_t i = 0; i < l.n && r == 0; i++) {
		int side = parent.p ? str_cmp(l.v[i], parent) : 1;

		if (side < 0)
			continue;
		r = ec2_child_ids(w->c, w->k, l.v[i], &ids);
		for (size_t j = 0; j < ids.n && r == 0; j++)
			if (side > 0 || str_cmp(ids.v[j], id) > 0)
				r = visit_id(w, ids.v[j], str_printf(w->c->arena, "%.*s/%.*s", STR(l.v[i]), STR(ids.v[j])), false);
	}
	return r;
}

static int walk_all(struct walk *w, struct str after)
{
	struct store_range range = { 0 };
	struct str key, value, id, account, table;
	struct keybuf prefix, from;
	int r;

	key_begin(&prefix, w->c->account, w->d->table);
	from = prefix;
	if (after.p)
		key_str(&from, after);
	r = store_range_open(&range, w->c->txn, key_view(&prefix), after.p ? key_view(&from) : STR_NONE, false);
	while (r == 0 && (r = store_range_next(&range, &key, &value)) == 1) {
		void *rec = arena_zalloc(w->c->arena, w->d->size);

		r = key_take_begin(&key, &account, &table);
		if (r == 0)
			r = key_take_str(&key, w->c->arena, &id);
		if (r == 0)
			r = record_decode(&ec2_records, w->d->shape, w->c->arena, value, rec);
		if (r == 0)
			r = visit(w, rec, id);
	}
	store_range_close(&range);
	return r;
}

int ec2_list(struct call *c, enum ec2_kinds k, const struct ec2_field *fields, const struct ec2_query *q,
	     int (*emit)(struct call *c, const void *rec, void *arg), void *arg, struct str *ret_next_token)
{
	struct walk w = { c, &ec2_kinds[k], k, fields, q, emit, arg, q->max.has ? (size_t)q->max.v : PAGE_DEFAULT, STR_NONE, false };
	struct str after = STR_NONE;
	const struct str_list *l;
	int r = ec2_filters_check(c, fields, q->filters, true);

	if (r < 0)
		return r;
	if (q->next_token.p && page_parse(c, q->next_token, &after) < 0)
		return call_fail(c, &ec2_err_invalid_next_token, "The token '%.*s' is invalid", STR(q->next_token));
	if (q->ids && q->ids->n)
		r = walk_ids(&w, q->ids, after, true);
	else if ((l = exact(&w, EC2_ID)) != NULL)
		r = walk_ids(&w, l, after, false);
	else if ((l = exact(&w, EC2_PARENT)) != NULL)
		r = walk_parents(&w, l, after);
	else
		r = walk_all(&w, after);
	if (r < 0)
		return r;
	if (w.more && w.last.p)
		*ret_next_token = page_token(c, w.last);
	return 0;
}
