/* SPDX-License-Identifier: Apache-2.0 */
/* list.c - listings of objects, versions and uploads. A page costs what it shows: behind a common prefix the walk goes on by
 * seeking past all keys that begin with it. Keys are UTF-8, which has no byte 0xff: PREFIX 0xff sorts behind all of them. */
#include "svc/s3/s3_int.h"
#include <errno.h>

/* A cursor over one table of a bucket. coded: the key is a part (s3.ver, s3.upload), else raw and last (s3.obj). */
struct cursor {
	struct call *c;
	struct store_range range;
	struct keybuf table, prefix;
	bool coded, open, ended, loaded;
	struct str key, rest, value; /* of the entry it stands on; rest: what follows the key */
};

static void coded_part(struct keybuf *k, struct str s, bool coded)
{
	if (!coded) {
		key_raw(k, s);
		return;
	}
	key_str(k, s);
	k->n--; /* without the end of the part */
}

static void cursor_init(struct cursor *u, struct call *c, void (*table)(struct keybuf *, const struct s3_rec_bucket *),
			const struct s3_rec_bucket *b, struct str prefix, bool coded)
{
	*u = (struct cursor){ .c = c, .coded = coded };
	table(&u->table, b);
	u->prefix = u->table;
	coded_part(&u->prefix, prefix, coded);
}

static void cursor_close(struct cursor *u)
{
	if (u->open)
		store_range_close(&u->range);
	u->open = u->loaded = false;
}

/* Goes on behind `after` (a whole encoded key that begins with the prefix, or absent). */
static int cursor_seek(struct cursor *u, struct str after)
{
	int r;

	cursor_close(u);
	u->ended = false;
	r = store_range_open(&u->range, u->c->txn, key_view(&u->prefix), after, false);
	u->open = r == 0;
	return r;
}

/* Behind a key: exclusive of that key alone (raw), of all its entries (all), or of all keys that begin with it (tree). */
static int cursor_behind(struct cursor *u, struct str key, bool tree)
{
	struct keybuf k = u->table;
	struct str p = key_view(&u->prefix);

	coded_part(&k, key, u->coded);
	if (u->coded && !tree)
		key_raw(&k, S("\0\377\377\377\377\377\377\377\377\377"));
	if (tree)
		key_raw(&k, S("\377"));
	if (str_starts(key_view(&k), p))
		return cursor_seek(u, key_view(&k));
	if (str_cmp(key_view(&k), p) < 0)
		return cursor_seek(u, STR_NONE);
	cursor_close(u);
	u->ended = true;
	return 0;
}

/* Stands on the next entry: 1, or 0 at the end. Asked again without cursor_take it stays. */
static int cursor_peek(struct cursor *u)
{
	struct str k;
	int r;

	if (u->loaded || u->ended)
		return u->loaded;
	r = store_range_next(&u->range, &k, &u->value);
	if (r <= 0) {
		u->ended = r == 0;
		return r;
	}
	k = str_dup(u->c->arena, str_skip(k, u->table.n));
	u->rest = STR_NONE;
	u->key = k;
	if (u->coded) {
		r = key_take_str(&k, u->c->arena, &u->key);
		if (r < 0)
			return r;
		u->rest = k;
	}
	u->loaded = true;
	return 1;
}

static void cursor_take(struct cursor *u)
{
	u->loaded = false;
}

/* The common prefix that a key falls under; absent when none. */
static struct str common_of(struct str key, struct str prefix, struct str delimiter)
{
	ptrdiff_t at;

	if (!delimiter.n || key.n < prefix.n)
		return STR_NONE;
	at = str_find(str_skip(key, prefix.n), delimiter);
	return at < 0 ? STR_NONE : str_of(key.p, prefix.n + (size_t)at + delimiter.n);
}

static struct str shown(struct call *c, struct str s, bool url)
{
	return url && s.p ? uri_encode(c->arena, s, true) : s;
}

static int limit_of(struct call *c, struct opt_int max, const char *name, size_t *ret)
{
	if (max.has && max.v < 0) {
		call_extra(c, "ArgumentName", str_c(name));
		call_extra(c, "ArgumentValue", str_printf(c->arena, "%lld", (long long)max.v));
		return call_fail(c, &s3_err_invalid_argument, "Argument %s must be an integer between 0 and 2147483647", name);
	}
	*ret = !max.has || max.v > S3_PAGE_MAX ? S3_PAGE_MAX : (size_t)max.v;
	return 0;
}

/* --- objects --- */
struct listing { /* of ListObjects and ListObjectsV2 */
	struct str prefix, delimiter, start;
	size_t max;
	bool url, owner;
	/* results */
	struct s3_object_list objects;
	struct s3_common_prefix_list common;
	size_t cap, ccap;
	bool truncated;
	struct str last;
};

static int list_entry(struct call *c, const struct s3_rec_bucket *b, struct listing *l, struct str key, struct str value)
{
	struct s3_rec_object o;
	struct s3_object x = { 0 };
	int r = record_decode(&s3_records, S3_REC_OBJECT, c->arena, value, &o);

	if (r < 0)
		return r;
	x.key = shown(c, key, l->url);
	x.last_modified = o.modified;
	x.e_tag = s3_etag(c->arena, o.etag);
	x.size = o.size;
	x.storage_class = o.storage_class.p ? o.storage_class : S("STANDARD");
	if (o.sum_alg.p) {
		x.checksum_algorithm = (struct str_list){ arena_dup(c->arena, &o.sum_alg, sizeof o.sum_alg), 1 };
		x.checksum_type = o.sum_type;
	}
	if (l->owner)
		x.owner = s3_owner(c->arena, o.owner.p ? o.owner : b->account);
	vec_push(c->arena, l->objects.v, l->objects.n, l->cap) = x;
	return 0;
}

static int list_run(struct call *c, const struct s3_rec_bucket *b, struct listing *l)
{
	struct cursor u;
	int r;

	if (l->max == 0)
		return 0;
	cursor_init(&u, c, s3_obj_prefix, b, l->prefix, false);
	r = l->start.n ? cursor_behind(&u, l->start, false) : cursor_seek(&u, STR_NONE);
	while (r == 0 && (r = cursor_peek(&u)) == 1) {
		struct str common = common_of(u.key, l->prefix, l->delimiter);

		if (common.p && l->start.n && str_cmp(common, l->start) <= 0) { /* shown on an earlier page */
			r = cursor_behind(&u, common, true);
			continue;
		}
		if (l->objects.n + l->common.n == l->max) {
			l->truncated = true;
			r = 0;
			break;
		}
		l->last = common.p ? common : u.key;
		if (common.p) {
			vec_push(c->arena, l->common.v, l->common.n, l->ccap) = (struct s3_common_prefix){ shown(c, common, l->url) };
			r = cursor_behind(&u, common, true);
		} else {
			r = list_entry(c, b, l, u.key, u.value);
			cursor_take(&u);
		}
	}
	cursor_close(&u);
	return r;
}

S3_HANDLER(list_objects, output)
{
	struct listing l = { .prefix = in->prefix.p ? in->prefix : S(""),
			     .delimiter = in->delimiter,
			     .start = in->marker,
			     .url = in->encoding_type.p,
			     .owner = true };
	struct s3_rec_bucket *b;
	int r = s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r == 0)
		r = limit_of(c, in->max_keys, "maxKeys", &l.max);
	if (r == 0)
		r = list_run(c, b, &l);
	if (r < 0)
		return r;
	out->is_truncated = OPT_BOOL(l.truncated);
	out->marker = shown(c, in->marker.p ? in->marker : S(""), l.url);
	if (l.truncated && in->delimiter.n)
		out->next_marker = shown(c, l.last, l.url);
	out->contents = l.objects;
	out->name = in->bucket;
	out->prefix = shown(c, l.prefix, l.url);
	out->delimiter = in->delimiter.n ? shown(c, in->delimiter, l.url) : STR_NONE;
	out->max_keys = OPT_INT((int64_t)l.max);
	out->common_prefixes = l.common;
	out->encoding_type = in->encoding_type;
	call_header(c, "x-amz-bucket-region", call_region(c));
	s3_cors_headers(c, b);
	return 0;
}

S3_HANDLER(list_objects_v2, output)
{
	struct listing l = { .prefix = in->prefix.p ? in->prefix : S(""),
			     .delimiter = in->delimiter,
			     .start = in->start_after,
			     .url = in->encoding_type.p,
			     .owner = in->fetch_owner.v };
	struct s3_rec_bucket *b;
	int r = s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r == 0)
		r = limit_of(c, in->max_keys, "maxKeys", &l.max);
	if (r == 0 && in->continuation_token.p && page_parse(c, in->continuation_token, &l.start) < 0) {
		call_extra(c, "ArgumentName", S("continuation-token"));
		r = call_fail(c, &s3_err_invalid_argument, "The continuation token provided is incorrect");
	}
	if (r == 0)
		r = list_run(c, b, &l);
	if (r < 0)
		return r;
	out->is_truncated = OPT_BOOL(l.truncated);
	out->contents = l.objects;
	out->name = in->bucket;
	out->prefix = shown(c, l.prefix, l.url);
	out->delimiter = in->delimiter.n ? shown(c, in->delimiter, l.url) : STR_NONE;
	out->max_keys = OPT_INT((int64_t)l.max);
	out->common_prefixes = l.common;
	out->encoding_type = in->encoding_type;
	out->key_count = OPT_INT((int64_t)(l.objects.n + l.common.n));
	out->continuation_token = in->continuation_token;
	out->start_after = in->start_after.n ? shown(c, in->start_after, l.url) : STR_NONE;
	if (l.truncated)
		out->next_continuation_token = page_token(c, l.last);
	call_header(c, "x-amz-bucket-region", call_region(c));
	s3_cors_headers(c, b);
	return 0;
}

/* --- versions --- */
struct versions {
	struct call *c;
	const struct s3_rec_bucket *b;
	const struct s3_list_object_versions_request *in;
	struct s3_list_object_versions_output *out;
	struct cursor cur, old;
	struct str prefix, seen; /* seen: the last key of which a version came by */
	size_t max, n, vcap, mcap, ccap;
	bool url;
	struct str last_key, last_version;
};

static int versions_start(struct versions *s)
{
	struct str key = s->in->key_marker, version = s->in->version_id_marker;
	struct s3_rec_object o;
	struct keybuf k;
	int r;

	if (!key.n) {
		r = cursor_seek(&s->cur, STR_NONE);
		return r < 0 ? r : cursor_seek(&s->old, STR_NONE);
	}
	r = cursor_behind(&s->cur, key, false);
	if (r < 0)
		return r;
	if (!version.n)
		return cursor_behind(&s->old, key, false);
	s->seen = key;
	r = s3_object_version(s->c->txn, s->c->arena, s->b, key, version, &o);
	if (r == -ENOENT) /* gone since: go on with the next key */
		return cursor_behind(&s->old, key, false);
	if (r < 0)
		return r;
	k = s->old.table;
	key_str(&k, key);
	if (o.noncurrent.has || o.marker.v)
		key_u64(&k, ~(uint64_t)o.seq.v);
	if (!str_starts(key_view(&k), key_view(&s->old.prefix)))
		return cursor_behind(&s->old, key, false);
	return cursor_seek(&s->old, key_view(&k));
}

static int versions_entry(struct versions *s, struct cursor *u, bool latest)
{
	struct arena *a = s->c->arena;
	struct s3_rec_object o;
	int r = record_decode(&s3_records, S3_REC_OBJECT, a, u->value, &o);

	if (r < 0)
		return r;
	s->last_key = u->key;
	s->last_version = o.version;
	if (o.marker.v) {
		vec_push(a, s->out->delete_markers.v, s->out->delete_markers.n,
			 s->mcap) = (struct s3_delete_marker_entry){ s3_owner(a, o.owner), shown(s->c, u->key, s->url), o.version,
								     OPT_BOOL(latest), o.modified };
		return 0;
	}
	vec_push(a, s->out->versions.v, s->out->versions.n, s->vcap) = (struct s3_object_version){
		.e_tag = s3_etag(a, o.etag),
		.size = o.size,
		.storage_class = o.storage_class.p ? o.storage_class : S("STANDARD"),
		.key = shown(s->c, u->key, s->url),
		.version_id = o.version,
		.is_latest = OPT_BOOL(latest),
		.last_modified = o.modified,
		.owner = s3_owner(a, o.owner),
		.checksum_algorithm = (struct str_list){ o.sum_alg.p ? arena_dup(a, &o.sum_alg, sizeof o.sum_alg) : NULL,
							 o.sum_alg.p ? 1 : 0 },
		.checksum_type = o.sum_type,
	};
	return 0;
}

/* One step: the smaller key of both cursors, the current version first. 1 went on, 0 end or page full. */
static int versions_step(struct versions *s)
{
	int a = cursor_peek(&s->cur), b = a < 0 ? a : cursor_peek(&s->old), r, order;
	struct cursor *u;
	struct str common;
	bool latest;

	if (a < 0 || b < 0 || (!a && !b))
		return a < 0 ? a : b < 0 ? b : 0;
	order = !a ? 1 : !b ? -1 : str_cmp(s->cur.key, s->old.key);
	u = order <= 0 ? &s->cur : &s->old;
	common = common_of(u->key, s->prefix, s->in->delimiter);
	if (common.p && s->in->key_marker.n && str_cmp(common, s->in->key_marker) <= 0) {
		r = cursor_behind(&s->cur, common, true);
		r = r < 0 ? r : cursor_behind(&s->old, common, true);
		return r < 0 ? r : 1;
	}
	if (s->n == s->max) {
		s->out->is_truncated = OPT_BOOL(true);
		return 0;
	}
	s->n++;
	if (common.p) {
		vec_push(s->c->arena, s->out->common_prefixes.v, s->out->common_prefixes.n,
			 s->ccap) = (struct s3_common_prefix){ shown(s->c, common, s->url) };
		s->last_key = common;
		s->last_version = STR_NONE;
		r = cursor_behind(&s->cur, common, true);
		r = r < 0 ? r : cursor_behind(&s->old, common, true);
		return r < 0 ? r : 1;
	}
	latest = u == &s->cur || !(s->seen.p && str_eq(s->seen, u->key));
	s->seen = u->key;
	r = versions_entry(s, u, latest);
	cursor_take(u);
	return r < 0 ? r : 1;
}

S3_HANDLER(list_object_versions, output)
{
	struct versions s = { .c = c, .in = in, .out = out, .prefix = in->prefix.p ? in->prefix : S(""), .url = in->encoding_type.p };
	struct s3_rec_bucket *b;
	int r = s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r == 0)
		r = limit_of(c, in->max_keys, "maxKeys", &s.max);
	if (r == 0 && in->version_id_marker.n && !in->key_marker.n)
		r = call_fail(c, &s3_err_invalid_argument, "A version-id marker cannot be specified without a key marker.");
	if (r == 0 && in->version_id_marker.n && !s3_version_valid(in->version_id_marker))
		r = call_fail(c, &s3_err_invalid_argument, "Invalid version id specified");
	if (r < 0)
		return r;
	s.b = b;
	cursor_init(&s.cur, c, s3_obj_prefix, b, s.prefix, false);
	cursor_init(&s.old, c, s3_ver_prefix, b, s.prefix, true);
	out->is_truncated = OPT_BOOL(false);
	r = s.max ? versions_start(&s) : 0;
	while (r == 0 && s.max && (r = versions_step(&s)) == 1)
		r = 0;
	cursor_close(&s.cur);
	cursor_close(&s.old);
	if (r < 0)
		return r;
	if (out->is_truncated.v) {
		out->next_key_marker = shown(c, s.last_key, s.url);
		out->next_version_id_marker = s.last_version;
	}
	out->key_marker = shown(c, in->key_marker.p ? in->key_marker : S(""), s.url);
	out->version_id_marker = in->version_id_marker.p ? in->version_id_marker : S("");
	out->name = in->bucket;
	out->prefix = shown(c, s.prefix, s.url);
	out->delimiter = in->delimiter.n ? shown(c, in->delimiter, s.url) : STR_NONE;
	out->max_keys = OPT_INT((int64_t)s.max);
	out->encoding_type = in->encoding_type;
	return 0;
}

/* --- uploads --- */
static int uploads_start(struct cursor *u, const struct s3_list_multipart_uploads_request *in)
{
	struct keybuf k = u->table;

	if (!in->key_marker.n)
		return cursor_seek(u, STR_NONE);
	if (!in->upload_id_marker.n)
		return cursor_behind(u, in->key_marker, false);
	key_str(&k, in->key_marker);
	key_str(&k, in->upload_id_marker);
	return str_starts(key_view(&k), key_view(&u->prefix)) ? cursor_seek(u, key_view(&k)) : cursor_behind(u, in->key_marker, false);
}

static int uploads_run(struct call *c, struct cursor *u, const struct s3_list_multipart_uploads_request *in, struct str prefix, size_t max,
		       struct s3_list_multipart_uploads_output *out)
{
	size_t cap = 0, ccap = 0;
	bool url = in->encoding_type.p;
	int r;

	while ((r = cursor_peek(u)) == 1) {
		struct str common = common_of(u->key, prefix, in->delimiter);
		struct s3_rec_upload x;

		if (common.p && in->key_marker.n && str_cmp(common, in->key_marker) <= 0) {
			r = cursor_behind(u, common, true);
			if (r < 0)
				return r;
			continue;
		}
		if (out->uploads.n + out->common_prefixes.n == max) {
			out->is_truncated = OPT_BOOL(true);
			return 0;
		}
		out->next_key_marker = shown(c, common.p ? common : u->key, url);
		out->next_upload_id_marker = S("");
		if (common.p) {
			vec_push(c->arena, out->common_prefixes.v, out->common_prefixes.n,
				 ccap) = (struct s3_common_prefix){ shown(c, common, url) };
			r = cursor_behind(u, common, true);
			if (r < 0)
				return r;
			continue;
		}
		r = record_decode(&s3_records, S3_REC_UPLOAD, c->arena, u->value, &x);
		if (r < 0)
			return r;
		out->next_upload_id_marker = x.id;
		vec_push(c->arena, out->uploads.v, out->uploads.n, cap) = (struct s3_multipart_upload){
			.upload_id = x.id,
			.key = shown(c, u->key, url),
			.initiated = x.initiated,
			.storage_class = x.object && x.object->storage_class.p ? x.object->storage_class : S("STANDARD"),
			.owner = x.object ? s3_owner(c->arena, x.object->owner) : NULL,
			.initiator = arena_new(c->arena, struct s3_initiator),
			.checksum_algorithm = x.sum_alg,
			.checksum_type = x.sum_type,
		};
		*out->uploads.v[out->uploads.n - 1].initiator = (struct s3_initiator){ x.initiator, x.initiator_name };
		cursor_take(u);
	}
	return r;
}

S3_HANDLER(list_multipart_uploads, output)
{
	struct str prefix = in->prefix.p ? in->prefix : S("");
	struct s3_rec_bucket *b;
	struct cursor u;
	size_t max;
	int r = s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r == 0)
		r = limit_of(c, in->max_uploads, "max-uploads", &max);
	if (r < 0)
		return r;
	out->is_truncated = OPT_BOOL(false);
	cursor_init(&u, c, s3_upload_prefix, b, prefix, true);
	r = max ? uploads_start(&u, in) : 0;
	if (r == 0 && max)
		r = uploads_run(c, &u, in, prefix, max, out);
	cursor_close(&u);
	if (r < 0)
		return r;
	out->bucket = in->bucket;
	out->key_marker = shown(c, in->key_marker.p ? in->key_marker : S(""), in->encoding_type.p);
	out->upload_id_marker = in->upload_id_marker.p ? in->upload_id_marker : S("");
	out->prefix = shown(c, prefix, in->encoding_type.p);
	out->delimiter = in->delimiter.n ? shown(c, in->delimiter, in->encoding_type.p) : STR_NONE;
	out->max_uploads = OPT_INT((int64_t)max);
	out->encoding_type = in->encoding_type;
	return 0;
}
