/* SPDX-License-Identifier: Apache-2.0 */
/* data.c - buckets, objects and versions as records; what each versioning state keeps. See s3_int.h for the keys. */
#include "svc/s3/s3_int.h"
#include <assert.h>
#include <errno.h>

#define VERSION_BYTES 32
static const char digits62[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

struct memo { /* what authorization has loaded from this snapshot, for the handler */
	struct s3_rec_bucket b;
	struct str key; /* of latest; absent: none was loaded */
	struct s3_rec_object latest;
	struct memo *next;
};

static void bucket_key(struct keybuf *k, struct str name)
{
	key_begin(k, S(""), "s3.bucket");
	key_str(k, name);
}

int s3_bucket_read(struct store_txn *t, struct arena *a, struct str name, struct s3_rec_bucket *ret)
{
	struct keybuf k;

	bucket_key(&k, name);
	return record_get(t, &s3_records, S3_REC_BUCKET, a, &k, ret);
}

int s3_bucket_put(struct store_txn *t, const struct s3_rec_bucket *b)
{
	struct keybuf k;

	bucket_key(&k, b->name);
	return record_put(t, &s3_records, S3_REC_BUCKET, &k, b);
}

int s3_name_read(struct store_txn *global, struct arena *a, struct str name, struct s3_rec_name *ret)
{
	struct keybuf k;

	key_begin(&k, S(""), "s3.name");
	key_str(&k, name);
	return record_get(global, &s3_records, S3_REC_NAME, a, &k, ret);
}

static int elsewhere(struct call *c, struct str name)
{
	struct s3_rec_name n;
	int r = s3_name_read(c->global, c->arena, name, &n);

	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0 && !str_eq(n.region, call_region(c))) {
		call_extra(c, "Bucket", name);
		call_extra(c, "Endpoint", str_printf(c->arena, "%.*s.s3.%.*s.amazonaws.com", STR(name), STR(n.region)));
		call_header(c, "x-amz-bucket-region", n.region);
		return call_fail(c, &s3_err_permanent_redirect,
				 "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all "
				 "future requests to this endpoint.");
	}
	call_extra(c, "BucketName", name);
	return call_fail(c, &s3_err_no_such_bucket, "The specified bucket does not exist");
}

int s3_bucket_look(struct call *c, struct str name, struct s3_rec_bucket **ret)
{
	struct memo *m;
	int r;

	for (m = c->memo; m; m = m->next)
		if (str_eq(m->b.name, name)) {
			*ret = &m->b;
			return 0;
		}
	m = arena_new(c->arena, struct memo);
	r = s3_bucket_read(c->txn, c->arena, name, &m->b);
	if (r < 0)
		return r;
	m->next = c->memo;
	c->memo = m;
	*ret = &m->b;
	return 0;
}

int s3_bucket_load(struct call *c, struct str name, struct str owner, struct s3_rec_bucket **ret)
{
	int r = s3_bucket_look(c, name, ret);

	if (r == -ENOENT)
		return elsewhere(c, name);
	if (r == 0 && owner.p && !str_eq(owner, (*ret)->account))
		return call_fail(c, &s3_err_access_denied, "Access Denied");
	return r;
}

struct str s3_bucket_arn(struct call *c, struct str bucket)
{
	struct str part[] = { S("arn:"), region_partition(call_region(c)), S(":s3:::"), bucket };

	return str_join(c->arena, part, ELEMENTS(part), S(""));
}

struct str s3_object_arn(struct call *c, struct str bucket, struct str key)
{
	struct str part[] = { S("arn:"), region_partition(call_region(c)), S(":s3:::"), bucket, S("/"), key };

	return str_join(c->arena, part, ELEMENTS(part), S(""));
}

/* --- keys --- */
static void table_prefix(struct keybuf *k, const char *table, const struct s3_rec_bucket *b)
{
	key_begin(k, S(""), table);
	key_str(k, b->id);
}

void s3_obj_prefix(struct keybuf *k, const struct s3_rec_bucket *b)
{
	table_prefix(k, "s3.obj", b);
}

void s3_ver_prefix(struct keybuf *k, const struct s3_rec_bucket *b)
{
	table_prefix(k, "s3.ver", b);
}

void s3_upload_prefix(struct keybuf *k, const struct s3_rec_bucket *b)
{
	table_prefix(k, "s3.upload", b);
}

static void obj_key(struct keybuf *k, const struct s3_rec_bucket *b, struct str key)
{
	s3_obj_prefix(k, b);
	key_raw(k, key);
}

static void ver_keys(struct keybuf *k, const struct s3_rec_bucket *b, struct str key)
{
	s3_ver_prefix(k, b);
	key_str(k, key);
}

static void ver_key(struct keybuf *k, const struct s3_rec_bucket *b, struct str key, int64_t seq)
{
	ver_keys(k, b, key);
	key_u64(k, ~(uint64_t)seq);
}

static void null_key(struct keybuf *k, const struct s3_rec_bucket *b, struct str key)
{
	table_prefix(k, "s3.null", b);
	key_str(k, key);
}

void s3_part_prefix(struct keybuf *k, struct str upload)
{
	key_begin(k, S(""), "s3.part");
	key_str(k, upload);
}

void s3_part_key(struct keybuf *k, struct str upload, int64_t number)
{
	s3_part_prefix(k, upload);
	key_u64(k, (uint64_t)number);
}

/* --- ids --- */
struct str s3_time_id(struct arena *a, int64_t ms, size_t n)
{
	struct str tail = random_from(a, str_of(digits62, 62), n - 9);
	char *p = arena_alloc(a, n + 1);

	for (int i = 8; i >= 0; i--, ms /= 62)
		p[i] = digits62[ms % 62];
	memcpy(p + 9, tail.p, tail.n);
	p[n] = 0;
	return str_of(p, n);
}

/* A version id begins with its seq, so that a version is found without a search. */
static struct str version_id(struct arena *a, int64_t seq)
{
	struct str tail = random_from(a, str_of(digits62, 62), VERSION_BYTES - 11);
	char *p = arena_alloc(a, VERSION_BYTES + 1);

	for (int i = 10; i >= 0; i--, seq /= 62)
		p[i] = digits62[seq % 62];
	memcpy(p + 11, tail.p, tail.n);
	p[VERSION_BYTES] = 0;
	return str_of(p, VERSION_BYTES);
}

static int version_seq(struct str id, int64_t *ret)
{
	uint64_t v = 0;

	if (id.n != VERSION_BYTES)
		return -EINVAL;
	for (size_t i = 0; i < id.n; i++) {
		const char *at = memchr(digits62, id.p[i], 62);

		if (!at)
			return -EINVAL;
		if (i >= 11)
			continue;
		if (v > (uint64_t)INT64_MAX / 62 - 62)
			return -EINVAL;
		v = v * 62 + (uint64_t)(at - digits62);
	}
	*ret = (int64_t)v;
	return 0;
}

bool s3_version_valid(struct str version)
{
	int64_t seq;

	return str_is(version, "null") || version_seq(version, &seq) == 0;
}

/* --- reading --- */
int s3_object_current(struct store_txn *t, struct arena *a, const struct s3_rec_bucket *b, struct str key, struct s3_rec_object *ret)
{
	struct keybuf k;

	obj_key(&k, b, key);
	return record_get(t, &s3_records, S3_REC_OBJECT, a, &k, ret);
}

/* The newest entry of s3.ver for a key. */
static int newest_old(struct store_txn *t, struct arena *a, const struct s3_rec_bucket *b, struct str key, struct s3_rec_object *ret)
{
	struct store_range range = { 0 };
	struct str k, value;
	struct keybuf prefix;
	int r;

	ver_keys(&prefix, b, key);
	r = store_range_open(&range, t, key_view(&prefix), STR_NONE, false);
	if (r == 0)
		r = store_range_next(&range, &k, &value);
	if (r == 1)
		r = record_decode(&s3_records, S3_REC_OBJECT, a, value, ret);
	else if (r == 0)
		r = -ENOENT;
	store_range_close(&range);
	return r;
}

int s3_object_latest(struct store_txn *t, struct arena *a, const struct s3_rec_bucket *b, struct str key, struct s3_rec_object *ret)
{
	int r = s3_object_current(t, a, b, key, ret);

	return r == -ENOENT && b->versioning.p ? newest_old(t, a, b, key, ret) : r;
}

int s3_object_look(struct call *c, const struct s3_rec_bucket *b, struct str key, struct s3_rec_object *ret)
{
	struct memo *m = c->memo;
	int r;

	if (store_txn_writable(c->txn))
		return s3_object_latest(c->txn, c->arena, b, key, ret);
	while (m && &m->b != b)
		m = m->next;
	if (m && m->key.p && str_eq(m->key, key)) {
		*ret = m->latest;
		return 0;
	}
	r = s3_object_latest(c->txn, c->arena, b, key, ret);
	if (m && r == 0) {
		m->key = key;
		m->latest = *ret;
	}
	return r;
}

static int old_version(struct store_txn *t, struct arena *a, const struct s3_rec_bucket *b, struct str key, int64_t seq,
		       struct s3_rec_object *ret)
{
	struct keybuf k;

	ver_key(&k, b, key, seq);
	return record_get(t, &s3_records, S3_REC_OBJECT, a, &k, ret);
}

static int null_seq(struct store_txn *t, const struct s3_rec_bucket *b, struct str key, int64_t *ret)
{
	struct keybuf k;
	struct str v;
	int r;

	null_key(&k, b, key);
	r = store_get(t, key_view(&k), &v);
	return r < 0 ? r : str_to_i64(v, ret);
}

int s3_object_version(struct store_txn *t, struct arena *a, const struct s3_rec_bucket *b, struct str key, struct str version,
		      struct s3_rec_object *ret)
{
	int64_t seq;
	int r = s3_object_current(t, a, b, key, ret);

	if (r == 0 && str_eq(ret->version, version))
		return 0;
	if (r < 0 && r != -ENOENT)
		return r;
	r = str_is(version, "null") ? null_seq(t, b, key, &seq) : version_seq(version, &seq);
	if (r < 0)
		return -ENOENT;
	r = old_version(t, a, b, key, seq, ret);
	return r == 0 && !str_eq(ret->version, version) ? -ENOENT : r;
}

/* --- files --- */
static void file_key(struct keybuf *k, struct str file)
{
	key_begin(k, S(""), "s3.file");
	key_str(k, file);
}

int s3_file_ref(struct store_txn *t, struct str file)
{
	struct keybuf k;
	struct str v;
	char text[24];
	int64_t n = 0;
	int r;

	file_key(&k, file);
	r = store_get(t, key_view(&k), &v);
	if (r == 0)
		r = str_to_i64(v, &n);
	if (r < 0 && r != -ENOENT)
		return r;
	r = snprintf(text, sizeof text, "%lld", (long long)n + 1);
	return store_put(t, key_view(&k), str_of(text, (size_t)r));
}

static void small_key(struct keybuf *k, struct str file)
{
	key_begin(k, S(""), "s3.body");
	key_str(k, file);
}

int s3_small_put(struct store_txn *t, struct str file, struct str sealed)
{
	struct keybuf k;

	small_key(&k, file);
	return store_put(t, key_view(&k), sealed);
}

int s3_small_get(struct store_txn *t, struct str file, struct str *ret_view)
{
	struct keybuf k;

	small_key(&k, file);
	return store_get(t, key_view(&k), ret_view);
}

int s3_file_unref(struct s3_change *ch, struct str file)
{
	struct keybuf k;
	struct str v;
	char text[24];
	int64_t n;
	int r;

	file_key(&k, file);
	r = store_get(ch->txn, key_view(&k), &v);
	if (r == 0)
		r = str_to_i64(v, &n);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (n > 1) {
		r = snprintf(text, sizeof text, "%lld", (long long)n - 1);
		return store_put(ch->txn, key_view(&k), str_of(text, (size_t)r));
	}
	r = store_del(ch->txn, key_view(&k));
	if (r < 0)
		return r;
	small_key(&k, file);
	r = store_del(ch->txn, key_view(&k));
	if (r == -ENOENT) { /* not in the store: in a file */
		vec_push(ch->arena, ch->files.v, ch->files.n, ch->cap) = str_dup(ch->arena, file);
		return 0;
	}
	return r;
}

int s3_parts_drop(struct s3_change *ch, struct str upload)
{
	struct store_range range = { 0 };
	struct str k, value;
	struct keybuf prefix;
	struct str_list files = { 0 };
	size_t cap = 0;
	int r;

	s3_part_prefix(&prefix, upload);
	r = store_range_open(&range, ch->txn, key_view(&prefix), STR_NONE, false);
	while (r == 0 && (r = store_range_next(&range, &k, &value)) == 1) {
		struct s3_rec_part p;

		r = record_decode(&s3_records, S3_REC_PART, ch->arena, value, &p);
		if (r == 0 && p.file.p)
			vec_push(ch->arena, files.v, files.n, cap) = p.file;
		for (size_t i = 0; r == 0 && i < p.more.n; i++)
			vec_push(ch->arena, files.v, files.n, cap) = p.more.v[i].file;
		if (r == 0)
			r = store_del(ch->txn, k);
	}
	store_range_close(&range);
	for (size_t i = 0; i < files.n && r == 0; i++)
		r = s3_file_unref(ch, files.v[i]);
	return r;
}

static int drop_body(struct s3_change *ch, const struct s3_rec_object *o)
{
	if (o->upload.p)
		return s3_parts_drop(ch, o->upload);
	return o->file.p ? s3_file_unref(ch, o->file) : 0;
}

struct s3_change s3_change_of(struct call *c)
{
	return (struct s3_change){ .txn = c->txn, .arena = c->arena, .now_ms = c->now_ms };
}

void s3_change_unlink(struct region *r, const struct s3_change *ch)
{
	for (size_t i = 0; i < ch->files.n; i++)
		s3_file_remove(s3_files(r), ch->files.v[i]);
}

static void unlink_hook(struct cloud *cl, struct region *r, void *arg)
{
	s3_change_unlink(r, arg);
}

void s3_change_on_commit(struct call *c, const struct s3_change *ch)
{
	if (ch->files.n)
		call_on_commit(c, unlink_hook, arena_dup(c->arena, ch, sizeof *ch));
}

/* --- versions --- */
static int put_old(struct store_txn *t, const struct s3_rec_bucket *b, struct str key, const struct s3_rec_object *o)
{
	struct keybuf k;
	char text[24];
	int n, r;

	assert(o->seq.has);
	ver_key(&k, b, key, o->seq.v);
	r = record_put(t, &s3_records, S3_REC_OBJECT, &k, o);
	if (r < 0 || !str_is(o->version, "null"))
		return r;
	n = snprintf(text, sizeof text, "%lld", (long long)o->seq.v);
	null_key(&k, b, key);
	return store_put(t, key_view(&k), str_of(text, (size_t)n));
}

static int del_old(struct store_txn *t, const struct s3_rec_bucket *b, struct str key, const struct s3_rec_object *o)
{
	struct keybuf k;
	int r;

	ver_key(&k, b, key, o->seq.v);
	r = store_del(t, key_view(&k));
	if (r < 0 || !str_is(o->version, "null"))
		return r;
	null_key(&k, b, key);
	return store_del(t, key_view(&k));
}

static int put_current(struct store_txn *t, const struct s3_rec_bucket *b, struct str key, const struct s3_rec_object *o)
{
	struct keybuf k;

	obj_key(&k, b, key);
	return record_put(t, &s3_records, S3_REC_OBJECT, &k, o);
}

/* The version that was the latest steps back, or goes when it is the null version that a new one replaces. */
static int step_back(struct s3_change *ch, const struct s3_rec_bucket *b, struct str key, bool enabled)
{
	struct s3_rec_object cur, old;
	struct keybuf k;
	int64_t seq;
	int r = s3_object_current(ch->txn, ch->arena, b, key, &cur);

	if (r == 0) {
		bool replaced = !enabled && str_is(cur.version, "null");

		obj_key(&k, b, key);
		r = store_del(ch->txn, key_view(&k));
		if (r == 0 && replaced)
			return drop_body(ch, &cur);
		cur.noncurrent = OPT_TIME(ch->now_ms);
		if (r == 0)
			r = put_old(ch->txn, b, key, &cur);
	} else if (r == -ENOENT) {
		r = b->versioning.p ? newest_old(ch->txn, ch->arena, b, key, &old) : -ENOENT;
		if (r == 0 && !old.noncurrent.has) { /* a delete marker was the latest */
			old.noncurrent = OPT_TIME(ch->now_ms);
			r = put_old(ch->txn, b, key, &old);
		}
		r = r == -ENOENT ? 0 : r;
	}
	if (r < 0 || enabled || !b->versioning.p)
		return r;
	r = null_seq(ch->txn, b, key, &seq);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = old_version(ch->txn, ch->arena, b, key, seq, &old);
	if (r == 0)
		r = del_old(ch->txn, b, key, &old);
	return r < 0 ? r : drop_body(ch, &old);
}

int s3_object_insert(struct s3_change *ch, const struct s3_rec_bucket *b, struct str key, struct s3_rec_object *o)
{
	bool enabled = str_is(b->versioning, "Enabled");
	struct s3_rec_object latest;
	int64_t seq = ch->now_ms << 12;
	int r = s3_object_latest(ch->txn, ch->arena, b, key, &latest);

	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0 && latest.seq.v >= seq) /* many in one millisecond, or a clock that was moved back */
		seq = latest.seq.v + 1;
	o->seq = OPT_INT(seq);
	o->version = enabled ? version_id(ch->arena, seq) : S("null");
	r = step_back(ch, b, key, enabled);
	if (r < 0)
		return r;
	return o->marker.v ? put_old(ch->txn, b, key, o) : put_current(ch->txn, b, key, o);
}

/* Without a current version the newest old one is it, unless that is a delete marker. */
static int promote(struct s3_change *ch, const struct s3_rec_bucket *b, struct str key)
{
	struct s3_rec_object o;
	int r = newest_old(ch->txn, ch->arena, b, key, &o);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (o.marker.v) {
		o.noncurrent.has = false;
		return put_old(ch->txn, b, key, &o);
	}
	r = del_old(ch->txn, b, key, &o);
	o.noncurrent.has = false;
	return r < 0 ? r : put_current(ch->txn, b, key, &o);
}

int s3_object_remove(struct s3_change *ch, const struct s3_rec_bucket *b, struct str key, const struct s3_rec_object *o)
{
	struct s3_rec_object cur;
	struct keybuf k;
	bool is_current, none;
	int r = s3_object_current(ch->txn, ch->arena, b, key, &cur);

	if (r < 0 && r != -ENOENT)
		return r;
	none = r == -ENOENT;
	is_current = !none && cur.seq.v == o->seq.v;
	if (is_current) {
		obj_key(&k, b, key);
		r = store_del(ch->txn, key_view(&k));
	} else {
		r = del_old(ch->txn, b, key, o);
	}
	if (r == 0)
		r = drop_body(ch, o);
	if (r == 0 && b->versioning.p && (is_current || none))
		r = promote(ch, b, key);
	return r;
}

int s3_object_update(struct store_txn *t, const struct s3_rec_bucket *b, struct str key, const struct s3_rec_object *o)
{
	struct keybuf k;
	struct str v;
	int r;

	ver_key(&k, b, key, o->seq.v);
	r = store_get(t, key_view(&k), &v);
	if (r == -ENOENT)
		return put_current(t, b, key, o);
	return r < 0 ? r : put_old(t, b, key, o);
}

/* --- finding for a read --- */
/* marker: the version id of the delete marker that hides the key, or absent. Only who may list hears of it. */
static int no_such_key(struct call *c, const struct s3_rec_bucket *b, struct str key, struct str marker)
{
	int may = call_may(c, "s3:ListBucket", str_printf(c->arena, "bucket:%.*s", STR(b->name)), NULL, 0);

	if (may < 0)
		return may;
	if (may == 0)
		return call_fail(c, &s3_err_access_denied, "Access Denied");
	if (marker.p) {
		call_header(c, "x-amz-delete-marker", S("true"));
		call_header(c, "x-amz-version-id", marker);
	}
	call_extra(c, "Key", key);
	return call_fail(c, &s3_err_no_such_key, "The specified key does not exist.");
}

int s3_find_object(struct call *c, const struct s3_rec_bucket *b, struct str key, struct str version, struct s3_rec_object *ret)
{
	int r;

	if (!version.p) {
		r = s3_object_look(c, b, key, ret);
		return r == -ENOENT || (r == 0 && ret->marker.v) ? no_such_key(c, b, key, r == 0 ? ret->version : STR_NONE) : r;
	}
	if (!s3_version_valid(version)) {
		call_extra(c, "ArgumentName", S("versionId"));
		call_extra(c, "ArgumentValue", version);
		return call_fail(c, &s3_err_invalid_argument, "Invalid version id specified");
	}
	r = s3_object_version(c->txn, c->arena, b, key, version, ret);
	if (r == -ENOENT) {
		call_extra(c, "Key", key);
		call_extra(c, "VersionId", version);
		return call_fail(c, &s3_err_no_such_version, "The specified version does not exist.");
	}
	if (r == 0 && ret->marker.v) {
		call_header(c, "x-amz-delete-marker", S("true"));
		call_header(c, "x-amz-version-id", ret->version);
		call_header(c, "Allow", S("DELETE"));
		call_header(c, "Last-Modified", time_http(c->arena, ret->modified.ms));
		call_extra(c, "Method", S("GET"));
		call_extra(c, "ResourceType", S("DeleteMarker"));
		return call_fail(c, &s3_err_method_not_allowed, "The specified method is not allowed against this resource.");
	}
	return r;
}
