/* SPDX-License-Identifier: Apache-2.0 */
/* pages.c - listings: a range of the store read in pages of MaxItems, each with the marker that the next one begins behind. */
#include "svc/iam/ops.h"
#include <assert.h>
#include <errno.h>

size_t iam_page_size(struct opt_int max)
{
	return max.has ? (size_t)max.v : IAM_PAGE_DEFAULT;
}

int iam_pages_open(struct iam_pages *p, struct call *c, const struct keybuf *prefix, const struct iam_page *page)
{
	struct str last, after = STR_NONE;

	*p = (struct iam_pages){ .c = c, .page = page, .prefix = *prefix, .max = iam_page_size(page->max) };
	if (page->marker.p) {
		if (page_parse(c, page->marker, &last) < 0 || prefix->n + last.n > STORE_KEY_BYTES_MAX)
			return call_fail(c, &iam_err_validation_error, "Invalid Marker.");
		after = str_join(c->arena, (struct str[]){ key_view(prefix), last }, 2, S(""));
	}
	p->open = true;
	return store_range_open(&p->range, c->txn, key_view(&p->prefix), after, false);
}

int iam_pages_next(struct iam_pages *p, struct str *ret_rest, struct str *ret_value)
{
	struct str key, value;
	int r = store_range_next(&p->range, &key, &value);

	if (r <= 0)
		return r;
	if (p->taken >= p->max || p->seen >= IAM_SCAN_MAX) {
		p->more = true;
		return 0;
	}
	p->seen++;
	assert(key.n >= p->prefix.n);
	*ret_rest = p->last = str_dup(p->c->arena, str_skip(key, p->prefix.n));
	*ret_value = value;
	return 1;
}

int iam_pages_close(struct iam_pages *p, int r)
{
	if (p->open)
		store_range_close(&p->range);
	p->open = false;
	if (r < 0)
		return r;
	if (p->page->ret_truncated)
		*p->page->ret_truncated = OPT_BOOL(p->more);
	if (p->page->ret_marker && p->more)
		*p->page->ret_marker = page_token(p->c, p->last);
	return 0;
}

int iam_list_entities(struct call *c, const char *table, struct str path_prefix, const struct iam_page *page,
		      int (*add)(struct call *c, const struct iam_rec_entity *e, void *arg), void *arg)
{
	struct iam_rec_entity e;
	struct iam_pages p = { 0 };
	struct keybuf k;
	struct str rest, value;
	int r;

	iam_key_of(&k, c->account, table, STR_NONE, STR_NONE);
	r = iam_pages_open(&p, c, &k, page);
	while (r >= 0 && (r = iam_pages_next(&p, &rest, &value)) > 0) {
		r = iam_decode(c, value, &e);
		if (r < 0)
			break;
		if (path_prefix.p && !str_starts(e.path, path_prefix))
			continue;
		r = add(c, &e, arg);
		iam_pages_take(&p);
	}
	return iam_pages_close(&p, r);
}

int iam_list_linked(struct call *c, const char *table, struct str id, const struct iam_page *page,
		    int (*add)(struct call *c, const struct iam_rec_entity *e, void *arg), void *arg)
{
	struct iam_rec_entity e;
	struct iam_pages p = { 0 };
	struct keybuf k;
	struct str rest, value;
	enum iam_kind kind;
	int r;

	iam_key_of(&k, c->account, table, id, STR_NONE);
	r = iam_pages_open(&p, c, &k, page);
	while (r >= 0 && (r = iam_pages_next(&p, &rest, &value)) > 0) {
		r = iam_get_id(c->txn, c->arena, c->account, iam_rest_str(c, rest), &kind, &e);
		if (r < 0)
			break;
		r = add(c, &e, arg);
		iam_pages_take(&p);
	}
	return iam_pages_close(&p, r);
}

int iam_add_user_view(struct call *c, const struct iam_rec_entity *e, void *list)
{
	struct iam_user_list *l = list;

	iam_user_view(c, e, false, &l->v[l->n++]);
	return 0;
}

int iam_add_profile_view(struct call *c, const struct iam_rec_entity *e, void *list)
{
	struct iam_instance_profile_list *l = list;

	return iam_profile_view(c, e, false, &l->v[l->n++]);
}
