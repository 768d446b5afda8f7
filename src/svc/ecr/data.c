/* SPDX-License-Identifier: Apache-2.0 */
/* data.c - images, tags and layers in the store, and what hangs on what. */
#include "svc/ecr/ecr_int.h"
#include "store/files.h"
#include <errno.h>

void ecr_key(struct keybuf *k, const struct ecr_rec_repository *p, const char *table, struct str a, struct str b)
{
	key_begin(k, p->account, table);
	key_str(k, p->id);
	if (a.p)
		key_str(k, a);
	if (b.p)
		key_str(k, b);
}

/* --- ranges --- */
static int last_part(struct arena *a, struct str key, struct str *ret)
{
	struct str account, table;
	int r = key_take_begin(&key, &account, &table);

	while (r == 0 && key.n)
		r = key_take_str(&key, a, ret);
	return r;
}

int ecr_each(struct store_txn *t, const struct ecr_rec_repository *p, const char *table, struct str after,
	     int (*fn)(void *arg, struct str last, struct str value, struct str key), void *arg)
{
	struct store_range range = { 0 };
	struct arena a = { 0 };
	struct str key, value, last = STR_NONE;
	struct keybuf prefix;
	int r;

	ecr_key(&prefix, p, table, STR_NONE, STR_NONE);
	r = store_range_open(&range, t, key_view(&prefix), after, false);
	while (r == 0 && (r = store_range_next(&range, &key, &value)) == 1) {
		r = last_part(&a, key, &last);
		if (r == 0)
			r = fn(arg, last, value, key);
		arena_reset(&a);
	}
	store_range_close(&range);
	arena_done(&a);
	return r < 0 ? r : 0;
}

int ecr_any_key(struct store_txn *t, struct arena *a, const struct ecr_rec_repository *p, const char *table, struct str part,
		struct str *ret)
{
	struct store_range range = { 0 };
	struct str key, value;
	struct keybuf prefix;
	int r;

	ecr_key(&prefix, p, table, part, STR_NONE);
	r = store_range_open(&range, t, key_view(&prefix), STR_NONE, false);
	if (r == 0)
		r = store_range_next(&range, &key, &value);
	if (r == 1 && ret && last_part(a, str_dup(a, key), ret) < 0)
		r = -EBADMSG;
	store_range_close(&range);
	return r;
}

/* --- images and tags --- */
int ecr_image_read(struct store_txn *t, struct arena *a, const struct ecr_rec_repository *p, struct str digest, struct ecr_rec_image *ret)
{
	struct keybuf k;

	ecr_key(&k, p, "ecr.image", digest, STR_NONE);
	return record_get(t, &ecr_records, ECR_REC_IMAGE, a, &k, ret);
}

int ecr_image_put(struct store_txn *t, const struct ecr_rec_repository *p, const struct ecr_rec_image *i)
{
	struct keybuf k;

	ecr_key(&k, p, "ecr.image", i->digest, STR_NONE);
	return record_put(t, &ecr_records, ECR_REC_IMAGE, &k, i);
}

int ecr_tag_read(struct store_txn *t, struct arena *a, const struct ecr_rec_repository *p, struct str tag, struct str *ret_digest)
{
	struct keybuf k;
	struct str v;
	int r;

	ecr_key(&k, p, "ecr.tag", tag, STR_NONE);
	r = store_get(t, key_view(&k), &v);
	if (r == 0)
		*ret_digest = str_dup(a, v);
	return r;
}

int ecr_tag_put(struct store_txn *t, const struct ecr_rec_repository *p, struct str tag, struct str digest)
{
	struct keybuf k;

	ecr_key(&k, p, "ecr.tag", tag, STR_NONE);
	return store_put(t, key_view(&k), digest);
}

int ecr_tag_drop(struct ecr_change *ch, struct str tag)
{
	struct ecr_rec_image i;
	struct str digest;
	struct keybuf k;
	size_t n = 0;
	int r = ecr_tag_read(ch->txn, ch->arena, ch->repo, tag, &digest);

	if (r == 0)
		r = ecr_image_read(ch->txn, ch->arena, ch->repo, digest, &i);
	if (r < 0)
		return r;
	for (size_t j = 0; j < i.tags.n; j++)
		if (!str_eq(i.tags.v[j], tag))
			i.tags.v[n++] = i.tags.v[j];
	i.tags.n = n;
	ecr_key(&k, ch->repo, "ecr.tag", tag, STR_NONE);
	r = store_del(ch->txn, key_view(&k));
	return r < 0 ? r : ecr_image_put(ch->txn, ch->repo, &i);
}

static int del2(struct ecr_change *ch, const char *table, struct str a, struct str b)
{
	struct keybuf k;
	int r;

	ecr_key(&k, ch->repo, table, a, b);
	r = store_del(ch->txn, key_view(&k));
	return r == -ENOENT ? 0 : r;
}

static int layer_unused(struct ecr_change *ch, struct str digest)
{
	struct ecr_rec_layer l;
	int r = ecr_any_key(ch->txn, ch->arena, ch->repo, "ecr.use", digest, NULL);

	if (r != 0)
		return r < 0 ? r : 0;
	r = ecr_layer_read(ch->txn, ch->arena, ch->repo, digest, &l);
	return r == -ENOENT ? 0 : r < 0 ? r : ecr_layer_drop(ch, &l);
}

int ecr_image_drop(struct ecr_change *ch, const struct ecr_rec_image *i)
{
	int r = del2(ch, "ecr.image", i->digest, STR_NONE);

	if (r == 0)
		r = del2(ch, "ecr.text", i->digest, STR_NONE);
	for (size_t j = 0; j < i->tags.n && r == 0; j++)
		r = del2(ch, "ecr.tag", i->tags.v[j], STR_NONE);
	for (size_t j = 0; j < i->children.n && r == 0; j++)
		r = del2(ch, "ecr.parent", i->children.v[j], i->digest);
	if (r == 0 && i->subject.p)
		r = del2(ch, "ecr.ref", i->subject, i->digest);
	for (size_t j = 0; j < i->layers.n && r == 0; j++)
		r = del2(ch, "ecr.use", i->layers.v[j].digest, i->digest);
	for (size_t j = 0; j < i->layers.n && r == 0; j++)
		r = layer_unused(ch, i->layers.v[j].digest);
	return r;
}

/* --- layers and their files --- */
int ecr_layer_read(struct store_txn *t, struct arena *a, const struct ecr_rec_repository *p, struct str digest, struct ecr_rec_layer *ret)
{
	struct keybuf k;

	ecr_key(&k, p, "ecr.layer", digest, STR_NONE);
	return record_get(t, &ecr_records, ECR_REC_LAYER, a, &k, ret);
}

/* Adds to the number of layers that refer to a file; 0 left: the key goes. */
static int file_count(struct store_txn *t, struct str file, int by, int64_t *ret_left)
{
	struct keybuf k;
	struct str v;
	char text[24];
	int64_t n = 0;
	int r;

	key_begin(&k, S(""), "ecr.file");
	key_str(&k, file);
	r = store_get(t, key_view(&k), &v);
	if (r == 0)
		r = str_to_i64(v, &n);
	if (r < 0 && r != -ENOENT)
		return r;
	n += by;
	*ret_left = n;
	if (n <= 0)
		return store_del(t, key_view(&k));
	return store_put(t, key_view(&k), str_of(text, (size_t)snprintf(text, sizeof text, "%lld", (long long)n)));
}

int ecr_layer_put(struct store_txn *t, const struct ecr_rec_repository *p, const struct ecr_rec_layer *l)
{
	struct keybuf k;
	int64_t left;
	int r = file_count(t, l->file, 1, &left);

	ecr_key(&k, p, "ecr.layer", l->digest, STR_NONE);
	return r < 0 ? r : record_put(t, &ecr_records, ECR_REC_LAYER, &k, l);
}

int ecr_layer_drop(struct ecr_change *ch, const struct ecr_rec_layer *l)
{
	int64_t left;
	int r = file_count(ch->txn, l->file, -1, &left);

	if (r == 0 && left <= 0)
		vec_push(ch->arena, ch->files.v, ch->files.n, ch->cap) = l->file;
	return r < 0 ? r : del2(ch, "ecr.layer", l->digest, STR_NONE);
}

void ecr_change_unlink(struct region *r, const struct ecr_change *ch)
{
	for (size_t i = 0; i < ch->files.n; i++) {
		int e = file_unlink(ecr_files(r), ch->files.v[i]);

		if (e < 0 && e != -ENOENT) /* the sweep at the next start finds it again */
			log_line(LOG_WARN, "ecr: the file of a deleted layer stays until the next start: %s", strerror(-e));
	}
}

static void unlink_hook(struct cloud *cl, struct region *r, void *arg)
{
	ecr_change_unlink(r, arg);
}

void ecr_change_on_commit(struct call *c, const struct ecr_change *ch)
{
	if (ch->files.n)
		call_on_commit(c, unlink_hook, arena_dup(c->arena, ch, sizeof *ch));
}
