/* SPDX-License-Identifier: Apache-2.0 */
/* copy.c - objects are copied inside the cloud.
 *
 * Bodies never change once written, so a copy of a whole body is one more reference to its file: the file's key is opened
 * with the source's rights and wrapped again under the target's key. Nothing is read and nothing is held in memory. */
#include "svc/s3/s3_int.h"
#include <errno.h>

struct source {
	struct str bucket, key, version;
	struct s3_rec_bucket *b;
	struct s3_rec_object o;
};
struct source_conditions {
	struct str if_match, if_none_match;
	struct opt_time if_modified_since, if_unmodified_since;
};

/* The source must be in this region: each region's bodies are its own. */
static int same_region(struct call *c, struct str bucket)
{
	struct s3_rec_name n;
	int r = s3_name_read(c->global, c->arena, bucket, &n);

	if (r == 0 && !str_eq(n.region, call_region(c)))
		return call_fail(c, &s3_err_not_implemented, "Copying between regions is not implemented by this cloud: %.*s is in %.*s.",
				 STR(bucket), STR(n.region));
	return r == -ENOENT ? 0 : r;
}

static int check_conditions(struct call *c, const struct s3_rec_object *o, const struct source_conditions *q)
{
	const char *failed = NULL;

	if (q->if_match.p ? !s3_etag_matches(q->if_match, o->etag)
			  : q->if_unmodified_since.has && o->modified.ms > q->if_unmodified_since.ms)
		failed = q->if_match.p ? "x-amz-copy-source-If-Match" : "x-amz-copy-source-If-Unmodified-Since";
	else if (q->if_none_match.p ? s3_etag_matches(q->if_none_match, o->etag)
				    : q->if_modified_since.has && o->modified.ms <= q->if_modified_since.ms)
		failed = q->if_none_match.p ? "x-amz-copy-source-If-None-Match" : "x-amz-copy-source-If-Modified-Since";
	if (!failed)
		return 0;
	call_extra(c, "Condition", str_c(failed));
	return call_fail(c, &s3_err_precondition_failed, "At least one of the pre-conditions you specified did not hold");
}

/* Finds the source and asks whether this caller may read it. */
static int load_source(struct call *c, struct str text, struct str owner, const struct source_conditions *q, struct source *ret)
{
	int r;

	if (s3_copy_source_parse(c->arena, text, &ret->bucket, &ret->key, &ret->version) < 0) {
		call_extra(c, "ArgumentName", S("x-amz-copy-source"));
		call_extra(c, "ArgumentValue", text);
		return call_fail(c, &s3_err_invalid_argument, "Copy Source must mention the source bucket and key: sourcebucket/sourcekey");
	}
	r = same_region(c, ret->bucket);
	if (r == 0)
		r = s3_bucket_load(c, ret->bucket, owner, &ret->b);
	if (r == 0)
		r = call_authorize(c, ret->version.p ? "s3:GetObjectVersion" : "s3:GetObject",
				   str_printf(c->arena, "object:%.*s/%.*s", STR(ret->bucket), STR(ret->key)), NULL, 0);
	if (r < 0)
		return r;
	r = s3_find_object(c, ret->b, ret->key, ret->version, &ret->o);
	if (r == 0 && (str_is(ret->o.storage_class, "GLACIER") || str_is(ret->o.storage_class, "DEEP_ARCHIVE")))
		r = call_fail(c, &s3_err_invalid_object_state,
			      "The source object of the COPY operation is not in the active tier and is only stored in Amazon Glacier.");
	return r < 0 ? r : check_conditions(c, &ret->o, q);
}

/* The slices that hold bytes from..to, their keys wrapped again under `to_kek`. */
static int rewrap(struct call *c, const struct s3_rec_object *o, const uint8_t from_kek[32], const uint8_t to_kek[32], uint64_t from,
		  uint64_t to, struct s3_rec_part_list *ret)
{
	struct s3_piece *pieces = NULL;
	struct s3_rec_part_list slices;
	size_t n = 0;
	int r = s3_object_slices(c->txn, c->arena, o, &slices);

	if (r == 0)
		r = s3_slices_cut(c->txn, from_kek, &slices, from, to, &pieces, &n);
	if (r < 0)
		return r;
	ret->v = arena_array(c->arena, struct s3_rec_part, n + 1);
	ret->n = n;
	for (size_t i = 0; i < n; i++) {
		const struct s3_piece *p = &pieces[i];

		ret->v[i] = (struct s3_rec_part){ .number = OPT_INT((int64_t)i + 1),
						  .size = OPT_INT((int64_t)(p->to - p->from)),
						  .file = str_dup(c->arena, str_c(p->file)),
						  .file_offset = OPT_INT((int64_t)p->from),
						  .file_size = OPT_INT((int64_t)p->size) };
		ret->v[i].file_key = s3_key_wrap(c->arena, to_kek, ret->v[i].file, p->key);
	}
	s3_pieces_free(pieces, n);
	return r;
}

struct digests {
	bool known;
	struct str md5, crc64, sum;
};

/* Reads what is not too large to be read inside a call; else the digests stay unknown. */
static int digest(struct call *c, const uint8_t kek[32], const struct s3_rec_object *o, uint64_t from, uint64_t to, int kind,
		  struct digests *ret)
{
	static const enum hash_kind kinds[] = { HASH_CRC32, HASH_CRC32C, HASH_CRC64NVME, HASH_SHA1, HASH_SHA256 };
	struct hash *md5, *crc, *sum;
	struct s3_rec_part_list slices;
	struct s3_piece *pieces;
	struct body *src;
	char buf[16384];
	uint8_t d[32];
	ssize_t got;
	size_t n;
	int r;

	*ret = (struct digests){ 0 };
	if (to - from > (uint64_t)S3_HASH_IN_CALL_MAX)
		return 0;
	r = s3_object_slices(c->txn, c->arena, o, &slices);
	if (r == 0)
		r = s3_slices_cut(c->txn, kek, &slices, from, to, &pieces, &n);
	if (r < 0)
		return r;
	r = s3_source_new(c->region, pieces, n, &src);
	if (r < 0)
		return r;
	md5 = hash_new(HASH_MD5);
	crc = hash_new(HASH_CRC64NVME);
	sum = hash_new(kinds[kind]);
	while ((got = src->read(src, buf, sizeof buf)) > 0) {
		hash_add(md5, buf, (size_t)got);
		hash_add(crc, buf, (size_t)got);
		hash_add(sum, buf, (size_t)got);
	}
	src->free(src);
	(void)hash_end(md5, d);
	ret->md5 = hex_encode(c->arena, d, 16);
	n = hash_end(crc, d);
	ret->crc64 = base64_encode(c->arena, str_of((char *)d, n));
	n = hash_end(sum, d);
	ret->sum = base64_encode(c->arena, str_of((char *)d, n));
	ret->known = true;
	hash_free(md5);
	hash_free(crc);
	hash_free(sum);
	return got < 0 ? (int)got : 0;
}

/* --- CopyObject --- */
static int to_itself(struct call *c, const struct s3_copy_object_request *in, const struct source *s)
{
	if (!str_eq(in->bucket, s->bucket) || !str_eq(in->key, s->key) || s->version.p || str_is(in->metadata_directive, "REPLACE") ||
	    in->storage_class.p || in->website_redirect_location.p || in->server_side_encryption.p || in->ssekms_key_id.p ||
	    in->bucket_key_enabled.has)
		return 0;
	return call_fail(c, &s3_err_invalid_request,
			 "This copy request is illegal because it is trying to copy an object to itself without changing the object's "
			 "metadata, storage class, website redirect location or encryption attributes.");
}

/* The tags that come along, as conditions see the tags of a request. */
static struct key_set tag_keys(struct call *c, const struct s3_rec_tag_list *tags)
{
	struct str *names = arena_array(c->arena, struct str, tags->n);
	struct key_set k = { 0 };

	for (size_t i = 0; i < tags->n; i++) {
		names[i] = tags->v[i].key;
		key_add(c, &k, str_printf(c->arena, "s3:RequestObjectTag/%.*s", STR(names[i])), tags->v[i].value);
	}
	key_add_list(c, &k, S("s3:RequestObjectTagKeys"), names, tags->n);
	return k;
}

static int copy_tags(struct call *c, const struct s3_copy_object_request *in, const struct source *s, struct s3_rec_object *o)
{
	struct key_set copied;
	int r;

	if (str_is(in->tagging_directive, "REPLACE"))
		return s3_tags_parse(c, in->tagging, &o->tags);
	if (!s->o.tags.n)
		return 0;
	copied = tag_keys(c, &s->o.tags);
	r = call_authorize(c, s->version.p ? "s3:GetObjectVersionTagging" : "s3:GetObjectTagging",
			   str_printf(c->arena, "object:%.*s/%.*s", STR(s->bucket), STR(s->key)), NULL, 0);
	if (r == 0)
		r = call_authorize(c, "s3:PutObjectTagging", str_printf(c->arena, "object:%.*s/%.*s", STR(in->bucket), STR(in->key)),
				   copied.v, copied.n);
	o->tags = s->o.tags;
	return r;
}

static void copy_headers(const struct s3_copy_object_request *in, const struct s3_rec_object *from, struct s3_rec_object *o)
{
	if (str_is(in->metadata_directive, "REPLACE")) {
		o->content_type = in->content_type;
		o->content_encoding = in->content_encoding;
		o->content_disposition = in->content_disposition;
		o->content_language = in->content_language;
		o->cache_control = in->cache_control;
		o->expires = in->expires;
		o->meta = in->metadata;
		return;
	}
	o->content_type = from->content_type;
	o->content_encoding = from->content_encoding;
	o->content_disposition = from->content_disposition;
	o->content_language = from->content_language;
	o->cache_control = from->cache_control;
	o->expires = from->expires;
	o->meta = from->meta;
}

/* ETag and checksum of the copy: carried over where they say the same of it, else computed where the body is small enough. */
static int copy_sums(struct call *c, const struct s3_copy_object_request *in, const struct s3_rec_object *from, const uint8_t kek[32],
		     struct s3_rec_object *o)
{
	int kind = in->checksum_algorithm.p ? s3_sum_kind(in->checksum_algorithm)
		   : from->sum_alg.p        ? s3_sum_kind(from->sum_alg)
					    : S3_SUM_CRC64NVME;
	bool same_sum = from->sum.p && str_is(from->sum_type, "FULL_OBJECT") && str_is(from->sum_alg, s3_sum_names[kind < 0 ? 0 : kind]);
	bool md5_etag = !from->data_key.p && from->etag.n == 32;
	struct digests d = { 0 };
	int r = 0;

	if (kind < 0)
		return call_fail(c, &s3_err_not_implemented,
				 "The checksum algorithm is not implemented by this cloud; CRC32, CRC32C, CRC64NVME, SHA1 and SHA256 are.");
	if (!same_sum || (!md5_etag && !o->data_key.p))
		r = digest(c, kek, from, 0, (uint64_t)from->size.v, kind, &d);
	if (r < 0)
		return r;
	if (in->checksum_algorithm.p && !same_sum && !d.known)
		return call_fail(c, &s3_err_not_implemented,
				 "Computing another checksum while copying more than 64 MiB is not implemented by this cloud.");
	o->etag = o->data_key.p ? random_hex(c->arena, 32) : md5_etag ? from->etag : d.known ? d.md5 : random_hex(c->arena, 32);
	if (same_sum || d.known) {
		o->sum = same_sum ? from->sum : d.sum;
		o->sum_alg = str_c(s3_sum_names[kind]);
		o->sum_type = S("FULL_OBJECT");
	}
	return 0;
}

/* The copy refers to the source's files. */
static int copy_body(struct call *c, struct s3_change *ch, const struct s3_rec_object *from, const uint8_t from_kek[32],
		     const uint8_t to_kek[32], struct s3_rec_object *o)
{
	struct s3_rec_part_list parts;
	uint8_t key[32];
	int r;

	if (!from->upload.p) {
		r = s3_key_unwrap(from_kek, from->file, from->file_key, key);
		o->file = from->file;
		if (r == 0)
			o->file_key = s3_key_wrap(c->arena, to_kek, o->file, key);
		mem_wipe(key, sizeof key);
		return r < 0 ? r : s3_file_ref(c->txn, o->file);
	}
	o->upload = s3_time_id(c->arena, c->now_ms, 96);
	r = rewrap(c, from, from_kek, to_kek, 0, (uint64_t)from->size.v, &parts);
	for (size_t i = 0; i < parts.n && r == 0; i++)
		r = s3_part_put(ch, o->upload, &parts.v[i]);
	return r;
}

static int copy_write(struct call *c, const struct s3_copy_object_request *in, struct s3_rec_bucket *b, const struct source *s,
		      struct s3_rec_object *o)
{
	struct s3_acl_request acl = { in->acl,  in->grant_full_control, in->grant_read, in->grant_read_acp,
				      STR_NONE, in->grant_write_acp,    NULL,           false };
	struct s3_sse_request sse = { in->server_side_encryption, in->ssekms_key_id,    in->ssekms_encryption_context,
				      in->sse_customer_algorithm, in->sse_customer_key, in->bucket_key_enabled };
	struct s3_change ch = s3_change_of(c);
	uint8_t from_kek[32], to_kek[32];
	int r = s3_acl_make(c, b, o->owner, &acl, &o->acl);

	if (r == 0)
		r = s3_write_conditions(c, b, in->key, in->if_match, in->if_none_match);
	if (r == 0)
		r = s3_seal_open(c, &s->o, from_kek);
	if (r == 0)
		r = s3_seal_new(c, b, in->key, &sse, o, to_kek);
	if (r == 0)
		r = copy_sums(c, in, &s->o, from_kek, o);
	if (r == 0)
		r = copy_body(c, &ch, &s->o, from_kek, to_kek, o);
	mem_wipe(from_kek, sizeof from_kek);
	mem_wipe(to_kek, sizeof to_kek);
	if (r == 0)
		r = s3_object_insert(&ch, b, in->key, o);
	if (r == 0)
		s3_change_on_commit(c, &ch);
	return r;
}

static int copy_refuse(struct call *c, const struct s3_copy_object_request *in)
{
	if (in->object_lock_mode.p || in->object_lock_retain_until_date.has || in->object_lock_legal_hold_status.p ||
	    in->object_lock_event_hold.p)
		return call_fail(c, &s3_err_invalid_request, "Bucket is missing Object Lock Configuration");
	if (in->copy_source_sse_customer_algorithm.p)
		return call_fail(c, &s3_err_not_implemented,
				 "Server-side encryption with keys that the customer provides (SSE-C) is not implemented by this cloud.");
	return 0;
}

S3_HANDLER(copy_object, output)
{
	const struct source_conditions q = { in->copy_source_if_match, in->copy_source_if_none_match, in->copy_source_if_modified_since,
					     in->copy_source_if_unmodified_since };
	struct s3_rec_object o = { .modified = OPT_TIME(c->now_ms / 1000 * 1000), .redirect = in->website_redirect_location };
	struct source s = { 0 };
	struct s3_rec_bucket *b;
	int r = s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r == 0)
		r = s3_key_check(c, in->key);
	if (r == 0)
		r = copy_refuse(c, in);
	if (r == 0)
		r = load_source(c, in->copy_source, in->expected_source_bucket_owner, &q, &s);
	if (r == 0)
		r = to_itself(c, in, &s);
	if (r == 0 && s.o.size.v > S3_PUT_BYTES_MAX)
		r = call_fail(c, &s3_err_invalid_request,
			      "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120");
	if (r == 0)
		r = s3_storage_class(c, in->storage_class, &o.storage_class);
	if (r == 0)
		r = s3_metadata_check(c, &in->metadata);
	if (r == 0)
		r = copy_tags(c, in, &s, &o);
	if (r < 0)
		return r;
	copy_headers(in, &s.o, &o);
	o.size = s.o.size;
	o.owner = c->who->p.account.p && b->ownership.p && !str_is(b->ownership, "BucketOwnerEnforced") ? c->who->p.account : b->account;
	r = copy_write(c, in, b, &s, &o);
	if (r < 0)
		return r;
	out->copy_object_result = arena_new(c->arena, struct s3_copy_object_result);
	out->copy_object_result->e_tag = s3_etag(c->arena, o.etag);
	out->copy_object_result->last_modified = o.modified;
	if (o.sum.p) {
		*S3_SUM_GET(out->copy_object_result, s3_sum_kind(o.sum_alg)) = o.sum;
		out->copy_object_result->checksum_type = o.sum_type;
	}
	if (s.b->versioning.p)
		out->copy_source_version_id = s.o.version;
	if (str_is(b->versioning, "Enabled"))
		out->version_id = o.version;
	out->server_side_encryption = o.sse;
	out->ssekms_key_id = o.kms_key;
	out->bucket_key_enabled = o.bucket_key;
	out->ssekms_encryption_context = o.user_context;
	out->expiration = s3_expiration(c, b, in->key, &o);
	return 0;
}

/* --- UploadPartCopy --- */
static int copy_range(struct call *c, struct str header, int64_t size, uint64_t *from, uint64_t *to)
{
	struct str spec, a, b;

	*from = 0;
	*to = (uint64_t)size;
	if (!header.p)
		return 0;
	spec = str_starts(header, S("bytes=")) ? str_skip(header, 6) : STR_NONE;
	if (!spec.p || !str_cut(spec, '-', &a, &b) || str_to_u64(a, from) < 0 || str_to_u64(b, to) < 0 || *to < *from)
		return call_fail(c, &s3_err_invalid_argument,
				 "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
				 "zero-based offsets of the first and last bytes to copy");
	if (*to >= (uint64_t)size)
		return call_fail(c, &s3_err_invalid_argument, "Range specified is not valid for source object of size: %lld",
				 (long long)size);
	(*to)++;
	return 0;
}

/* The part of an upload that holds bytes from..to of the source. */
static int make_part(struct call *c, const struct source *s, const struct s3_rec_upload *u, uint64_t from, uint64_t to,
		     struct s3_rec_part *p)
{
	int kind = u->sum_alg.p ? s3_sum_kind(u->sum_alg) : S3_SUM_CRC64NVME;
	uint8_t from_kek[32], to_kek[32];
	struct s3_rec_part_list slices = { 0 };
	struct digests d = { 0 };
	int r = s3_seal_open(c, &s->o, from_kek);

	if (r == 0)
		r = s3_seal_open(c, u->object, to_kek);
	if (r == 0)
		r = digest(c, from_kek, &s->o, from, to, kind, &d);
	if (r == 0)
		r = rewrap(c, &s->o, from_kek, to_kek, from, to, &slices);
	mem_wipe(from_kek, sizeof from_kek);
	mem_wipe(to_kek, sizeof to_kek);
	if (r < 0)
		return r;
	if (!d.known && u->sum_alg.p)
		return call_fail(c, &s3_err_not_implemented,
				 "Copying parts of more than 64 MiB into an upload with checksums is not implemented by this cloud.");
	if (!slices.n)
		return call_fail(c, &s3_err_invalid_request, "The specified copy source is not supported as a byte-range copy source");
	*p = slices.v[0];
	p->more = (struct s3_rec_part_list){ slices.v + 1, slices.n - 1 };
	p->size = OPT_INT((int64_t)(to - from));
	p->etag = u->object->data_key.p || !d.known ? random_hex(c->arena, 32) : d.md5;
	p->modified = OPT_TIME(c->now_ms / 1000 * 1000);
	if (d.known) {
		p->crc64 = d.crc64;
		p->sum = d.sum;
		p->sum_alg = str_c(s3_sum_names[kind]);
	}
	return 0;
}

S3_HANDLER(upload_part_copy, output)
{
	const struct source_conditions q = { in->copy_source_if_match, in->copy_source_if_none_match, in->copy_source_if_modified_since,
					     in->copy_source_if_unmodified_since };
	struct s3_change ch = s3_change_of(c);
	struct source s = { 0 };
	struct s3_rec_bucket *b;
	struct s3_rec_upload u;
	struct s3_rec_part p;
	uint64_t from, to;
	int r = s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r == 0)
		r = s3_part_number_check(c, in->part_number.v);
	if (r == 0)
		r = s3_upload_load(c, b, in->key, in->upload_id, &u);
	if (r == 0 && (in->sse_customer_algorithm.p || in->copy_source_sse_customer_algorithm.p))
		r = call_fail(c, &s3_err_not_implemented,
			      "Server-side encryption with keys that the customer provides (SSE-C) is not implemented by this cloud.");
	if (r == 0)
		r = load_source(c, in->copy_source, in->expected_source_bucket_owner, &q, &s);
	if (r == 0)
		r = copy_range(c, in->copy_source_range, s.o.size.v, &from, &to);
	if (r == 0 && to - from > (uint64_t)S3_PUT_BYTES_MAX)
		r = call_fail(c, &s3_err_invalid_request,
			      "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120");
	if (r == 0)
		r = make_part(c, &s, &u, from, to, &p);
	if (r < 0)
		return r;
	p.number = in->part_number;
	r = s3_part_put(&ch, u.id, &p);
	if (r < 0)
		return r;
	s3_change_on_commit(c, &ch);
	out->copy_part_result = arena_new(c->arena, struct s3_copy_part_result);
	out->copy_part_result->e_tag = s3_etag(c->arena, p.etag);
	out->copy_part_result->last_modified = p.modified;
	if (u.sum_alg.p && p.sum.p)
		*S3_SUM_GET(out->copy_part_result, s3_sum_kind(p.sum_alg)) = p.sum;
	if (s.b->versioning.p)
		out->copy_source_version_id = s.o.version;
	out->server_side_encryption = u.object->sse;
	out->ssekms_key_id = u.object->kms_key;
	out->bucket_key_enabled = u.object->bucket_key;
	return 0;
}
