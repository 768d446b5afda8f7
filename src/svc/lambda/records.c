/* SPDX-License-Identifier: Apache-2.0 */
/* records.c - what is stored, and under which keys. */
#include "svc/lambda/lambda_int.h"
#include <errno.h>

void lambda_key(struct keybuf *k, struct str account, const char *table, struct str name)
{
	key_begin(k, account, table);
	if (name.p)
		key_str(k, name);
}

static void part_key(struct keybuf *k, struct str account, const char *table, struct str name, struct str part)
{
	lambda_key(k, account, table, name);
	if (part.p)
		key_str(k, part);
}

int lambda_table_put(struct store_txn *t, struct str account, const char *table, struct str name, struct str part, uint16_t shape,
		     const void *rec)
{
	struct keybuf k;

	part_key(&k, account, table, name, part);
	return record_put(t, &lambda_records, shape, &k, rec);
}

int lambda_table_get(struct store_txn *t, struct arena *a, struct str account, const char *table, struct str name, struct str part,
		     uint16_t shape, void *ret)
{
	struct keybuf k;

	part_key(&k, account, table, name, part);
	return record_get(t, &lambda_records, shape, a, &k, ret);
}

int lambda_table_del(struct store_txn *t, struct str account, const char *table, struct str name, struct str part)
{
	struct keybuf k;

	part_key(&k, account, table, name, part);
	return store_del(t, key_view(&k));
}

int lambda_function_read(struct store_txn *t, struct arena *a, struct str account, struct str name, struct lambda_rec_function *ret)
{
	return lambda_table_get(t, a, account, "lambda.fn", name, STR_NONE, LAMBDA_REC_FUNCTION, ret);
}

int lambda_function_put(struct store_txn *t, const struct lambda_rec_function *f)
{
	return lambda_table_put(t, f->account, "lambda.fn", f->name, STR_NONE, LAMBDA_REC_FUNCTION, f);
}

static void version_key(struct keybuf *k, struct str account, struct str name, int64_t number)
{
	lambda_key(k, account, "lambda.ver", name);
	key_u64(k, (uint64_t)number);
}

int lambda_version_read(struct store_txn *t, struct arena *a, struct str account, struct str name, int64_t number,
			struct lambda_rec_version *ret)
{
	struct keybuf k;

	version_key(&k, account, name, number);
	return record_get(t, &lambda_records, LAMBDA_REC_VERSION, a, &k, ret);
}

int lambda_version_put(struct store_txn *t, struct str account, const struct lambda_rec_version *v)
{
	struct keybuf k;

	version_key(&k, account, v->name, v->version.v);
	return record_put(t, &lambda_records, LAMBDA_REC_VERSION, &k, v);
}

int lambda_version_del(struct store_txn *t, struct str account, struct str name, int64_t number)
{
	struct keybuf k;

	version_key(&k, account, name, number);
	return store_del(t, key_view(&k));
}

int lambda_alias_read(struct store_txn *t, struct arena *a, struct str account, struct str name, struct str alias,
		      struct lambda_rec_alias *ret)
{
	return lambda_table_get(t, a, account, "lambda.alias", name, alias, LAMBDA_REC_ALIAS, ret);
}

int lambda_alias_put(struct store_txn *t, struct str account, struct str name, const struct lambda_rec_alias *al)
{
	return lambda_table_put(t, account, "lambda.alias", name, al->name, LAMBDA_REC_ALIAS, al);
}

int lambda_policy_read(struct store_txn *t, struct arena *a, struct str account, struct str name, struct str qualifier,
		       struct lambda_rec_policy *ret)
{
	return lambda_table_get(t, a, account, "lambda.policy", name, qualifier.p ? qualifier : S(""), LAMBDA_REC_POLICY, ret);
}

int lambda_policy_put(struct store_txn *t, struct str account, struct str name, struct str qualifier, const struct lambda_rec_policy *p)
{
	return lambda_table_put(t, account, "lambda.policy", name, qualifier.p ? qualifier : S(""), LAMBDA_REC_POLICY, p);
}

int lambda_use_read(struct store_txn *t, struct arena *a, struct str account, struct lambda_rec_account *ret)
{
	int r = lambda_table_get(t, a, account, "lambda.use", STR_NONE, STR_NONE, LAMBDA_REC_ACCOUNT, ret);

	if (r == -ENOENT)
		*ret = (struct lambda_rec_account){ OPT_INT(0), OPT_INT(0), OPT_INT(0) };
	return r == -ENOENT ? 0 : r;
}

int lambda_use_put(struct store_txn *t, struct str account, const struct lambda_rec_account *u)
{
	return lambda_table_put(t, account, "lambda.use", STR_NONE, STR_NONE, LAMBDA_REC_ACCOUNT, u);
}

int lambda_drop_below(struct store_txn *t, struct arena *a, const struct keybuf *prefix)
{
	struct store_range range = { 0 };
	struct str key, value;
	int r = store_range_open(&range, t, key_view(prefix), STR_NONE, false);

	while (r >= 0 && (r = store_range_next(&range, &key, &value)) == 1)
		r = store_del(t, str_dup(a, key));
	store_range_close(&range);
	return r;
}

int lambda_drop_all(struct store_txn *t, struct arena *a, struct str account, const char *table, struct str name)
{
	struct keybuf k;

	lambda_key(&k, account, table, name);
	return lambda_drop_below(t, a, &k);
}

int lambda_rows(struct call *c, const struct keybuf *prefix, struct str marker, struct opt_int max, struct str *ret_marker,
		int (*fn)(struct call *c, struct str key, struct str value, void *arg), void *arg)
{
	struct store_range range = { 0 };
	struct str after = STR_NONE, key, value, last = STR_NONE;
	int64_t room = max.has && max.v < LAMBDA_PAGE_MAX ? max.v : LAMBDA_PAGE_MAX;
	int r;

	if (marker.n && (page_parse(c, marker, &after) < 0 || !str_starts(after, key_view(prefix))))
		return lambda_fail(c, &lambda_err_invalid_parameter_value, "Marker is not valid");
	r = store_range_open(&range, c->txn, key_view(prefix), after, false);
	while (r >= 0 && (r = store_range_next(&range, &key, &value)) == 1) {
		if (room == 0) {
			*ret_marker = page_token(c, last);
			r = 0;
			break;
		}
		last = str_dup(c->arena, key);
		r = fn(c, last, value, arg);
		room -= r == 0;
	}
	store_range_close(&range);
	return r < 0 ? r : 0;
}
