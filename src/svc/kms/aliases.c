/* SPDX-License-Identifier: Apache-2.0 */
/* aliases.c - names of keys. kms.alias holds them by name; kms.alias-of lists the names of one key. */
#include "svc/kms/kms_int.h"
#include <errno.h>

#define ALIASES_PER_KEY_MAX 50

static void name_key(struct keybuf *k, struct str account, struct str name)
{
	key_begin(k, account, "kms.alias");
	key_str(k, name);
}

static void of_key(struct keybuf *k, struct str account, struct str key_id, struct str name)
{
	key_begin(k, account, "kms.alias-of");
	key_str(k, key_id);
	if (name.p)
		key_str(k, name);
}

int kms_alias_read(struct store_txn *t, struct arena *a, struct str account, struct str name, struct kms_rec_alias *ret)
{
	struct keybuf k;

	name_key(&k, account, name);
	return record_get(t, &kms_records, KMS_REC_ALIAS, a, &k, ret);
}

struct str kms_alias_arn(struct call *c, struct str name)
{
	return call_arn(c, "kms", "%.*s", STR(name));
}

int kms_alias_put(struct call *c, const struct kms_rec_alias *al)
{
	struct keybuf k;
	int r;

	name_key(&k, c->account, al->name);
	r = record_put(c->txn, &kms_records, KMS_REC_ALIAS, &k, al);
	if (r < 0)
		return r;
	of_key(&k, c->account, al->target, al->name);
	return store_put(c->txn, key_view(&k), S("1"));
}

static int alias_del(struct store_txn *t, struct str account, const struct kms_rec_alias *al)
{
	struct keybuf k;
	int r;

	name_key(&k, account, al->name);
	r = store_del(t, key_view(&k));
	if (r < 0)
		return r;
	of_key(&k, account, al->target, al->name);
	return store_del(t, key_view(&k));
}

/* Source: "CreateAlias": alias/ and characters of [a-zA-Z0-9/_-]; alias/aws/ is reserved. */
static int name_check(struct call *c, struct str name)
{
	if (!str_starts(name, S("alias/")))
		return call_fail(c, &aws_err_validation_exception,
				 "Alias must start with the prefix \"alias/\". Please see "
				 "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html");
	if (str_starts(name, S("alias/aws/")))
		return call_fail(c, &kms_err_invalid_alias_name, "Alias must not be in the AWS reserved alias namespace");
	for (size_t i = 6; i < name.n; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_-", name.p[i]))
			return call_fail(c, &kms_err_invalid_alias_name,
					 "Alias must contain only alphanumeric characters, forward slashes, underscores and dashes");
	return name.n == 6 ? call_fail(c, &kms_err_invalid_alias_name, "Alias must not be empty") : 0;
}

/* The names of one key, at most max. */
static int names_of(struct store_txn *t, struct arena *a, struct str owner, struct str key_id, size_t max, struct str_list *ret)
{
	struct store_range range = { 0 };
	struct str key, value, account, table, id, name;
	struct keybuf k;
	size_t cap = 0;
	int r;

	*ret = (struct str_list){ 0 };
	of_key(&k, owner, key_id, STR_NONE);
	r = store_range_open(&range, t, key_view(&k), STR_NONE, false);
	while (r == 0 && ret->n < max && (r = store_range_next(&range, &key, &value)) == 1) {
		r = 0;
		if (key_take_begin(&key, &account, &table) < 0 || key_take_str(&key, a, &id) < 0 || key_take_str(&key, a, &name) < 0) {
			r = -EBADMSG;
			break;
		}
		vec_push(a, ret->v, ret->n, cap) = str_dup(a, name);
	}
	store_range_close(&range);
	return r;
}

int kms_alias_names(struct store_txn *t, struct arena *a, const struct kms_rec_key *key, struct str_list *ret)
{
	return names_of(t, a, key->account, key->id, ALIASES_PER_KEY_MAX, ret);
}

int kms_aliases_drop(struct store_txn *t, struct arena *a, const struct kms_rec_key *key)
{
	struct str_list names;
	int r = names_of(t, a, key->account, key->id, SIZE_MAX, &names);

	for (size_t i = 0; i < names.n && r == 0; i++)
		r = alias_del(t, key->account, &(struct kms_rec_alias){ .name = names.v[i], .target = key->id });
	return r;
}

static int room_for_alias(struct call *c, const struct kms_rec_key *key)
{
	struct str_list names;
	int r = names_of(c->txn, c->arena, c->account, key->id, ALIASES_PER_KEY_MAX, &names);

	if (r == 0 && names.n == ALIASES_PER_KEY_MAX)
		return call_fail(c, &kms_err_limit_exceeded, "Alias limit exceeded for key %.*s", STR(key->arn));
	return r;
}

KMS_HANDLER(create_alias)
{
	struct kms_rec_alias al = { .name = in->alias_name, .created = OPT_TIME(c->now_ms), .updated = OPT_TIME(c->now_ms) }, old;
	struct kms_rec_key key;
	int r = name_check(c, in->alias_name);

	if (r < 0)
		return r;
	r = kms_key_load(c, in->target_key_id, false, &key);
	if (r == 0)
		r = kms_key_not_pending(c, &key);
	if (r < 0)
		return r;
	if (!str_eq(key.account, c->account))
		return call_fail(c, &kms_err_not_found, "Key '%.*s' does not exist", STR(in->target_key_id));
	r = kms_alias_read(c->txn, c->arena, c->account, in->alias_name, &old);
	if (r == 0)
		return call_fail(c, &kms_err_already_exists, "An alias with the name %.*s already exists",
				 STR(kms_alias_arn(c, in->alias_name)));
	if (r != -ENOENT)
		return r;
	r = room_for_alias(c, &key);
	if (r < 0)
		return r;
	al.target = key.id;
	return kms_alias_put(c, &al);
}

static int alias_load(struct call *c, struct str name, struct kms_rec_alias *ret)
{
	int r = kms_alias_read(c->txn, c->arena, c->account, name, ret);

	if (r == -ENOENT)
		return call_fail(c, &kms_err_not_found, "Alias %.*s is not found.", STR(kms_alias_arn(c, name)));
	return r;
}

KMS_HANDLER(update_alias)
{
	struct kms_rec_alias al;
	struct kms_rec_key key;
	int r = name_check(c, in->alias_name);

	if (r == 0)
		r = alias_load(c, in->alias_name, &al);
	if (r == 0)
		r = kms_key_load(c, in->target_key_id, false, &key);
	if (r == 0)
		r = kms_key_not_pending(c, &key);
	if (r == 0 && !str_eq(key.account, c->account))
		return call_fail(c, &kms_err_not_found, "Key '%.*s' does not exist", STR(in->target_key_id));
	if (r == 0 && !str_eq(key.id, al.target))
		r = room_for_alias(c, &key);
	if (r == 0)
		r = alias_del(c->txn, c->account, &al);
	if (r < 0)
		return r;
	al.target = key.id;
	al.updated = OPT_TIME(c->now_ms);
	return kms_alias_put(c, &al);
}

KMS_HANDLER(delete_alias)
{
	struct kms_rec_alias al;
	int r = name_check(c, in->alias_name);

	if (r == 0)
		r = alias_load(c, in->alias_name, &al);
	return r < 0 ? r : alias_del(c->txn, c->account, &al);
}

static struct kms_alias_list_entry entry(struct call *c, const struct kms_rec_alias *al)
{
	return (struct kms_alias_list_entry){ al->name, kms_alias_arn(c, al->name), al->target, al->created, al->updated };
}

KMS_HANDLER(list_aliases)
{
	size_t limit = in->limit.has ? (size_t)in->limit.v : 50, cap = 0;
	struct str after = STR_NONE, key, value, account, table, id, name;
	struct store_range range = { 0 };
	struct kms_rec_key k;
	struct kms_rec_alias al;
	struct keybuf prefix;
	bool of = in->key_id.p != NULL;
	int r = of ? kms_key_load(c, in->key_id, false, &k) : 0;

	if (r < 0)
		return r;
	if (of)
		of_key(&prefix, c->account, k.id, STR_NONE);
	else
		key_begin(&prefix, c->account, "kms.alias");
	if (in->marker.p && page_parse(c, in->marker, &after) < 0)
		return call_fail(c, &kms_err_invalid_marker, "Invalid marker");
	out->truncated = OPT_BOOL(false);
	r = store_range_open(&range, c->txn, key_view(&prefix), after, false);
	while (r == 0 && (r = store_range_next(&range, &key, &value)) == 1) {
		struct str rest = key;

		if (out->aliases.n == limit) {
			out->truncated.v = true;
			out->next_marker = page_token(c, after);
			r = 0;
			break;
		}
		after = str_dup(c->arena, key);
		r = key_take_begin(&rest, &account, &table);
		if (r == 0 && of)
			r = key_take_str(&rest, c->arena, &id);
		if (r == 0)
			r = key_take_str(&rest, c->arena, &name);
		if (r == 0)
			r = kms_alias_read(c->txn, c->arena, c->account, str_dup(c->arena, name), &al);
		if (r == 0)
			vec_push(c->arena, out->aliases.v, out->aliases.n, cap) = entry(c, &al);
	}
	store_range_close(&range);
	if (!out->aliases.v)
		out->aliases.v = arena_alloc(c->arena, 1);
	return r;
}
