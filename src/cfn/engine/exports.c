/* SPDX-License-Identifier: Apache-2.0 */
/* exports.c - values that stacks give each other: names are unique in an account and region, and what is imported can
 * neither change nor go. */
#include "cfn/engine/engine.h"
#include <errno.h>

static void export_key(struct keybuf *k, struct str account, struct str name)
{
	key_begin(k, account, "cfn.export");
	key_str(k, name);
}

int export_users(struct store_txn *t, struct arena *a, struct str account, struct str name, struct str_list *ret)
{
	struct store_range range = { 0 };
	struct str key, value;
	struct keybuf k;
	size_t cap = 0;
	int r;

	*ret = (struct str_list){ 0 };
	stack_key(&k, account, "cfn.import", name);
	r = store_range_open(&range, t, key_view(&k), STR_NONE, false);
	while (r >= 0 && (r = store_range_next(&range, &key, &value)) > 0)
		vec_push(a, ret->v, ret->n, cap) = str_dup(a, value);
	store_range_close(&range);
	return r < 0 ? r : 0;
}

int import_set(struct store_txn *t, struct str account, struct str name, const struct cfn_rec_stack *s, bool on)
{
	struct keybuf k;
	int r;

	stack_key2(&k, account, "cfn.import", name, s->id);
	r = on ? store_put(t, key_view(&k), s->name) : store_del(t, key_view(&k));
	return r == -ENOENT ? 0 : r;
}

static const struct cfn_rec_output *find(const struct cfn_rec_output_list *l, struct str name)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].export.p && str_eq(l->v[i].export, name))
			return &l->v[i];
	return NULL;
}

int exports_check(struct store_txn *t, struct arena *a, const struct cfn_rec_stack *s, const struct cfn_rec_output_list *next,
		  struct str *ret_err)
{
	struct cfn_rec_export e;
	struct str_list users;
	struct keybuf k;
	int r;

	for (size_t i = 0; i < s->outputs.n; i++) {
		const struct cfn_rec_output *old = &s->outputs.v[i], *now;

		if (!old->export.p)
			continue;
		now = find(next, old->export);
		if (now && str_eq(now->value, old->value))
			continue;
		r = export_users(t, a, s->account, old->export, &users);
		if (r < 0)
			return r;
		if (users.n) {
			*ret_err = str_printf(a, "Export %.*s cannot be %s as it is in use by %.*s", STR(old->export),
					      now ? "updated" : "deleted", STR(str_join(a, users.v, users.n, S(", "))));
			return -EEXIST;
		}
	}
	for (size_t i = 0; i < next->n; i++) {
		if (!next->v[i].export.p)
			continue;
		export_key(&k, s->account, next->v[i].export);
		r = record_get(t, &cfn_records, CFN_REC_EXPORT, a, &k, &e);
		if (r == 0 && !str_eq(e.stack, s->id)) {
			*ret_err = str_printf(a, "Export with name %.*s is already exported by stack %.*s.", STR(e.name),
					      STR(e.stack_name));
			return -EEXIST;
		}
		if (r < 0 && r != -ENOENT)
			return r;
	}
	return 0;
}

int exports_set(struct store_txn *t, const struct cfn_rec_stack *s, const struct cfn_rec_output_list *next)
{
	struct keybuf k;
	int r = 0;

	for (size_t i = 0; i < s->outputs.n && r == 0; i++) {
		if (!s->outputs.v[i].export.p || find(next, s->outputs.v[i].export))
			continue;
		export_key(&k, s->account, s->outputs.v[i].export);
		r = store_del(t, key_view(&k));
		r = r == -ENOENT ? 0 : r;
	}
	for (size_t i = 0; i < next->n && r == 0; i++) {
		struct cfn_rec_export e = {
			.name = next->v[i].export, .value = next->v[i].value, .stack = s->id, .stack_arn = s->arn, .stack_name = s->name
		};

		if (!e.name.p)
			continue;
		export_key(&k, s->account, e.name);
		r = record_put(t, &cfn_records, CFN_REC_EXPORT, &k, &e);
	}
	return r;
}
