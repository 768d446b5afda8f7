/* SPDX-License-Identifier: Apache-2.0 */
/* principals.c - users and roles that resource policies name. A policy keeps their ids beside its text: who is deleted and made
 * again under the same name is somebody else. */
#include "svc/iam/iam.h"
#include <errno.h>

struct named {
	struct store_txn *global;
	struct arena *arena;
	struct str_map found;
	size_t cap;
};

static bool is_account(struct str s)
{
	return s.n == 12 && str_digits(s);
}

static int known(struct str principal, void *arg)
{
	struct named *w = arg;
	struct str account = principal, id;
	struct arn arn;
	int r;

	if (str_starts(principal, S("arn:"))) {
		if (arn_parse(principal, &arn) < 0 || (!str_is(arn.service, "iam") && !str_is(arn.service, "sts")))
			return 1;
		account = arn.account;
		r = iam_principal_id(w->global, w->arena, principal, &id);
		if (r == -ENOENT)
			return 1;
		if (r < 0 && r != -EINVAL)
			return r;
		if (r == 0)
			vec_push(w->arena, w->found.v, w->found.n, w->cap) = (struct str_pair){ principal, id };
	}
	return is_account(account) || str_starts(account, S("AIDA")) || str_starts(account, S("AROA")) ? 0 : 1;
}

int iam_principals_bind(struct store_txn *global, struct arena *a, const struct policy *p, struct str_map *ret)
{
	struct named w = { .global = global, .arena = a };
	int r = policy_each_principal(p, known, &w);

	*ret = w.found;
	return r;
}

struct str iam_principals_bound(struct store_txn *global, struct arena *a, struct str text, const struct str_map *bound)
{
	struct str_map gone = { 0 };
	struct str id;
	size_t cap = 0;

	for (size_t i = 0; i < bound->n; i++)
		if (iam_principal_id(global, a, bound->v[i].key, &id) != 0 || !str_eq(id, bound->v[i].value))
			vec_push(a, gone.v, gone.n, cap) = bound->v[i];
	return iam_principals_now(a, text, &gone);
}
