/* SPDX-License-Identifier: Apache-2.0 */
/* multipart.c - uploads in parts. Parts stay in the files they came in: completing an upload makes an object that refers to
 * them, whatever its size. One key from KMS, given when the upload is created, wraps the keys of all its parts. */
#include "svc/s3/s3_int.h"
#include <errno.h>

#define UPLOAD_ID_BYTES 96

static void upload_key(struct keybuf *k, const struct s3_rec_bucket *b, struct str key, struct str id)
{
	s3_upload_prefix(k, b);
	key_str(k, key);
	key_str(k, id);
}

int s3_upload_read(struct call *c, const struct s3_rec_bucket *b, struct str key, struct str id, struct s3_rec_upload *ret)
{
	struct keybuf k;
	int r;

	if (key.n > S3_KEY_BYTES_MAX || id.n != UPLOAD_ID_BYTES)
		return -ENOENT;
	upload_key(&k, b, key, id);
	r = record_get(c->txn, &s3_records, S3_REC_UPLOAD, c->arena, &k, ret);
	return r == 0 && !ret->object ? -EBADMSG : r;
}

int s3_upload_load(struct call *c, const struct s3_rec_bucket *b, struct str key, struct str id, struct s3_rec_upload *ret)
{
	int r = s3_upload_read(c, b, key, id, ret);

	if (r != -ENOENT)
		return r;
	call_extra(c, "UploadId", id);
	return call_fail(
		c, &s3_err_no_such_upload,
		"The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.");
}

int s3_part_number_check(struct call *c, int64_t number)
{
	if (number >= 1 && number <= S3_PARTS_MAX)
		return 0;
	call_extra(c, "ArgumentName", S("partNumber"));
	call_extra(c, "ArgumentValue", str_printf(c->arena, "%lld", (long long)number));
	return call_fail(c, &s3_err_invalid_argument, "Part number must be an integer between 1 and 10000, inclusive");
}

static int part_get(struct store_txn *t, struct arena *a, struct str upload, int64_t number, struct s3_rec_part *ret)
{
	struct keybuf k;

	s3_part_key(&k, upload, number);
	return record_get(t, &s3_records, S3_REC_PART, a, &k, ret);
}

static int part_unref(struct s3_change *ch, const struct s3_rec_part *p)
{
	int r = p->file.p ? s3_file_unref(ch, p->file) : 0;

	for (size_t i = 0; i < p->more.n && r == 0; i++)
		r = s3_file_unref(ch, p->more.v[i].file);
	return r;
}

int s3_part_put(struct s3_change *ch, struct str upload, const struct s3_rec_part *p)
{
	struct s3_rec_part old;
	struct keybuf k;
	int r = s3_file_ref(ch->txn, p->file);

	for (size_t i = 0; i < p->more.n && r == 0; i++)
		r = s3_file_ref(ch->txn, p->more.v[i].file);
	if (r == 0)
		r = part_get(ch->txn, ch->arena, upload, p->number.v, &old);
	if (r == 0)
		r = part_unref(ch, &old);
	if (r < 0 && r != -ENOENT)
		return r;
	s3_part_key(&k, upload, p->number.v);
	return record_put(ch->txn, &s3_records, S3_REC_PART, &k, p);
}

/* --- create and abort --- */
static int checksum_kind(struct call *c, const struct s3_create_multipart_upload_request *in, struct s3_rec_upload *u)
{
	int kind = in->checksum_algorithm.p ? s3_sum_kind(in->checksum_algorithm) : -1;
	bool full = str_is(in->checksum_type, "FULL_OBJECT");

	if (kind == -ENOTSUP)
		return call_fail(c, &s3_err_not_implemented,
				 "The checksum algorithm is not implemented by this cloud; CRC32, CRC32C, CRC64NVME, SHA1 and SHA256 are.");
	if (kind < 0 && in->checksum_type.p)
		return call_fail(c, &s3_err_invalid_request,
				 "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.");
	if (kind < 0)
		return 0;
	if ((full && kind >= S3_SUM_SHA1) || (in->checksum_type.p && !full && kind == S3_SUM_CRC64NVME))
		return call_fail(c, &s3_err_invalid_request, "The %.*s checksum type cannot be used with the %s checksum algorithm.",
				 STR(in->checksum_type), str_lower(c->arena, str_c(s3_sum_names[kind])).p);
	u->sum_alg = str_c(s3_sum_names[kind]);
	u->sum_type = full || kind == S3_SUM_CRC64NVME ? S("FULL_OBJECT") : S("COMPOSITE");
	return 0;
}

S3_HANDLER(create_multipart_upload, output)
{
	struct s3_acl_request acl = { in->acl,  in->grant_full_control, in->grant_read, in->grant_read_acp,
				      STR_NONE, in->grant_write_acp,    NULL,           false };
	struct s3_sse_request sse = { in->server_side_encryption, in->ssekms_key_id,    in->ssekms_encryption_context,
				      in->sse_customer_algorithm, in->sse_customer_key, in->bucket_key_enabled };
	struct s3_rec_object o = { .content_type = in->content_type,
				   .content_encoding = in->content_encoding,
				   .content_disposition = in->content_disposition,
				   .content_language = in->content_language,
				   .cache_control = in->cache_control,
				   .expires = in->expires,
				   .redirect = in->website_redirect_location,
				   .meta = in->metadata };
	struct s3_rec_upload u = { .key = in->key, .initiated = OPT_TIME(c->now_ms), .object = &o };
	struct s3_rec_bucket *b;
	struct keybuf k;
	uint8_t kek[32];
	int r = s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r == 0)
		r = s3_key_check(c, in->key);
	if (r == 0 && (in->object_lock_mode.p || in->object_lock_retain_until_date.has || in->object_lock_legal_hold_status.p ||
		       in->object_lock_event_hold.p))
		r = call_fail(c, &s3_err_invalid_request, "Bucket is missing Object Lock Configuration");
	if (r == 0)
		r = s3_metadata_check(c, &in->metadata);
	if (r == 0)
		r = s3_storage_class(c, in->storage_class, &o.storage_class);
	if (r == 0)
		r = s3_tags_parse(c, in->tagging, &o.tags);
	if (r == 0)
		r = checksum_kind(c, in, &u);
	if (r < 0)
		return r;
	o.owner = c->who->p.account.p && b->ownership.p && !str_is(b->ownership, "BucketOwnerEnforced") ? c->who->p.account : b->account;
	r = s3_acl_make(c, b, o.owner, &acl, &o.acl);
	if (r == 0)
		r = s3_seal_new(c, b, in->key, &sse, &o, kek);
	mem_wipe(kek, sizeof kek);
	if (r < 0)
		return r;
	u.id = s3_time_id(c->arena, c->now_ms, UPLOAD_ID_BYTES);
	u.bucket_id = b->id;
	u.initiator = c->who->p.arn;
	u.initiator_name = c->who->name;
	upload_key(&k, b, in->key, u.id);
	r = record_put(c->txn, &s3_records, S3_REC_UPLOAD, &k, &u);
	if (r < 0)
		return r;
	out->bucket = in->bucket;
	out->key = in->key;
	out->upload_id = u.id;
	out->server_side_encryption = o.sse;
	out->ssekms_key_id = o.kms_key;
	out->bucket_key_enabled = o.bucket_key;
	out->ssekms_encryption_context = o.user_context;
	out->checksum_algorithm = u.sum_alg;
	out->checksum_type = u.sum_type;
	s3_cors_headers(c, b);
	return 0;
}

S3_HANDLER(abort_multipart_upload, output)
{
	struct s3_change ch = s3_change_of(c);
	struct s3_rec_bucket *b;
	struct s3_rec_upload u;
	struct keybuf k;
	int r = s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r == 0 && in->if_match_initiated_time.has)
		r = call_fail(c, &s3_err_not_implemented, "A header you provided implies functionality that is not implemented");
	if (r == 0)
		r = s3_upload_load(c, b, in->key, in->upload_id, &u);
	if (r == 0)
		r = s3_parts_drop(&ch, u.id);
	upload_key(&k, b, in->key, in->upload_id);
	if (r == 0)
		r = store_del(c->txn, key_view(&k));
	if (r < 0)
		return r;
	s3_change_on_commit(c, &ch);
	c->status = 204;
	return 0;
}

/* --- parts --- */
S3_HANDLER(list_parts, output)
{
	int64_t max = in->max_parts.has ? in->max_parts.v : S3_PAGE_MAX, after = in->part_number_marker.has ? in->part_number_marker.v : 0;
	struct store_range range = { 0 };
	struct keybuf prefix, from;
	struct s3_rec_bucket *b;
	struct s3_rec_upload u;
	struct str k, v;
	size_t cap = 0;
	int r = s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r == 0 && (max < 0 || after < 0))
		r = call_fail(c, &s3_err_invalid_argument, "Argument max-parts must be an integer between 0 and 2147483647");
	if (r == 0)
		r = s3_upload_load(c, b, in->key, in->upload_id, &u);
	if (r < 0)
		return r;
	max = max > S3_PAGE_MAX ? S3_PAGE_MAX : max;
	out->is_truncated = OPT_BOOL(false);
	out->next_part_number_marker = OPT_INT(0);
	s3_part_prefix(&prefix, u.id);
	s3_part_key(&from, u.id, after);
	r = store_range_open(&range, c->txn, key_view(&prefix), after ? key_view(&from) : STR_NONE, false);
	while (r == 0 && (r = store_range_next(&range, &k, &v)) == 1) {
		struct s3_rec_part p;
		struct s3_part x = { 0 };

		if ((int64_t)out->parts.n == max) {
			out->is_truncated.v = true;
			r = 0;
			break;
		}
		r = record_decode(&s3_records, S3_REC_PART, c->arena, v, &p);
		if (r < 0)
			break;
		x = (struct s3_part){
			.part_number = p.number, .last_modified = p.modified, .e_tag = s3_etag(c->arena, p.etag), .size = p.size
		};
		if (u.sum_alg.p && p.sum.p)
			*S3_SUM_GET(&x, s3_sum_kind(p.sum_alg)) = p.sum;
		vec_push(c->arena, out->parts.v, out->parts.n, cap) = x;
		out->next_part_number_marker = p.number;
	}
	store_range_close(&range);
	out->bucket = in->bucket;
	out->key = in->key;
	out->upload_id = u.id;
	out->part_number_marker = OPT_INT(after);
	out->max_parts = OPT_INT(max);
	out->owner = s3_owner(c->arena, u.object->owner);
	out->initiator = arena_new(c->arena, struct s3_initiator);
	*out->initiator = (struct s3_initiator){ u.initiator, u.initiator_name };
	out->storage_class = u.object->storage_class.p ? u.object->storage_class : S("STANDARD");
	out->checksum_algorithm = u.sum_alg;
	out->checksum_type = u.sum_type;
	return r;
}

/* --- complete --- */
struct total { /* what is known of the object when all parts were seen */
	struct hash *md5, *sums;
	uint64_t size, crc;
	size_t n;
	int kind; /* of the whole object's checksum */
	bool composite, unknown;
	struct str sum;
};

static int add_sum(struct arena *a, struct total *t, const struct s3_rec_part *p)
{
	static const uint64_t polys[] = {
		[S3_SUM_CRC32] = 0xedb88320u, [S3_SUM_CRC32C] = 0x82f63b78u, [S3_SUM_CRC64NVME] = 0x9a6c9329ac4bc9b5u
	};
	struct str text = t->kind == S3_SUM_CRC64NVME ? p->crc64 : p->sum, raw;
	uint64_t v = 0;

	if (!text.p) {
		t->unknown = true;
		return 0;
	}
	if (base64_decode(a, text, &raw) < 0 || raw.n > 32)
		return -EBADMSG;
	if (t->composite) {
		hash_add(t->sums, raw.p, raw.n);
		return 0;
	}
	for (size_t i = 0; i < raw.n; i++)
		v = v << 8 | (uint8_t)raw.p[i];
	t->crc = s3_crc_join(t->kind == S3_SUM_CRC64NVME ? 64 : 32, polys[t->kind], t->crc, v, (uint64_t)p->size.v);
	return 0;
}

static int too_small(struct call *c, const struct s3_rec_part *p)
{
	call_extra(c, "ProposedSize", str_printf(c->arena, "%lld", (long long)p->size.v));
	call_extra(c, "MinSizeAllowed", S("5242880"));
	call_extra(c, "PartNumber", str_printf(c->arena, "%lld", (long long)p->number.v));
	call_extra(c, "ETag", p->etag);
	return call_fail(c, &s3_err_entity_too_small, "Your proposed upload is smaller than the minimum allowed size");
}

static int invalid_part(struct call *c, const struct s3_completed_part *x, struct str upload)
{
	call_extra(c, "UploadId", upload);
	call_extra(c, "PartNumber", str_printf(c->arena, "%lld", (long long)x->part_number.v));
	call_extra(c, "ETag", x->e_tag.p ? x->e_tag : S(""));
	return call_fail(c, &s3_err_invalid_part,
			 "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified "
			 "entity tag may not match the part's entity tag.");
}

static int take_part(struct call *c, const struct s3_rec_upload *u, const struct s3_completed_part_list *l, size_t i, struct total *t)
{
	const struct s3_completed_part *x = &l->v[i];
	struct s3_rec_part p;
	struct str want, digest;
	int r;

	if (!x->part_number.has || !x->e_tag.p)
		return call_fail(c, &s3_err_malformed_xml,
				 "The XML you provided was not well-formed or did not validate against our published schema");
	r = x->part_number.v < 1 ? -ENOENT : part_get(c->txn, c->arena, u->id, x->part_number.v, &p);
	if (r == -ENOENT || (r == 0 && !s3_etag_matches(x->e_tag, p.etag)))
		return invalid_part(c, x, u->id);
	if (r < 0)
		return r;
	if (i + 1 < l->n && p.size.v < S3_PART_BYTES_MIN)
		return too_small(c, &p);
	if (p.sum.p && s3_sum_kind(p.sum_alg) >= 0) {
		want = *S3_SUM_GET(x, s3_sum_kind(p.sum_alg));
		if (want.p && !str_eq(want, p.sum))
			return invalid_part(c, x, u->id);
	}
	if (hex_decode(c->arena, p.etag, &digest) < 0)
		return -EBADMSG;
	hash_add(t->md5, digest.p, digest.n);
	r = add_sum(c->arena, t, &p);
	t->size += (uint64_t)p.size.v;
	t->n++;
	return r;
}

/* The whole object's checksum in base64; absent when a part's is not known. */
static void end_sum(struct call *c, struct total *t)
{
	uint8_t d[32];
	size_t n;

	if (t->unknown)
		return;
	if (t->composite) {
		n = hash_end(t->sums, d);
		t->sum = str_printf(c->arena, "%.*s-%zu", STR(base64_encode(c->arena, str_of((char *)d, n))), t->n);
		return;
	}
	n = t->kind == S3_SUM_CRC64NVME ? 8 : 4;
	for (size_t i = 0; i < n; i++)
		d[i] = (uint8_t)(t->crc >> (8 * (n - 1 - i)));
	t->sum = base64_encode(c->arena, str_of((char *)d, n));
}

static int read_parts(struct call *c, const struct s3_complete_multipart_upload_request *in, const struct s3_rec_upload *u, struct total *t,
		      struct str *ret_etag)
{
	static const enum hash_kind kinds[] = { HASH_CRC32, HASH_CRC32C, HASH_CRC64NVME, HASH_SHA1, HASH_SHA256 };
	const struct s3_completed_part_list *l = &in->multipart_upload->parts;
	uint8_t d[32];
	int r = 0;

	for (size_t i = 1; i < l->n; i++)
		if (l->v[i].part_number.v <= l->v[i - 1].part_number.v) {
			call_extra(c, "UploadId", u->id);
			return call_fail(c, &s3_err_invalid_part_order,
					 "The list of parts was not in ascending order. Parts must be ordered by part number.");
		}
	t->kind = u->sum_alg.p ? s3_sum_kind(u->sum_alg) : S3_SUM_CRC64NVME;
	t->composite = str_is(u->sum_type, "COMPOSITE");
	t->md5 = hash_new(HASH_MD5);
	t->sums = hash_new(kinds[t->kind]);
	for (size_t i = 0; i < l->n && r == 0; i++)
		r = take_part(c, u, l, i, t);
	if (r == 0) {
		(void)hash_end(t->md5, d);
		*ret_etag = str_printf(c->arena, "%.*s-%zu", STR(hex_encode(c->arena, d, 16)), t->n);
		end_sum(c, t);
	}
	t->md5 = hash_free(t->md5);
	t->sums = hash_free(t->sums);
	return r;
}

static int check_whole(struct call *c, const struct s3_complete_multipart_upload_request *in, const struct s3_rec_upload *u,
		       const struct total *t)
{
	struct str want = *S3_SUM_GET(in, t->kind);

	if (in->mpu_object_size.has && (uint64_t)in->mpu_object_size.v != t->size)
		return call_fail(c, &s3_err_invalid_request,
				 "The provided 'x-amz-mp-object-size' header value %lld does not match what was computed: %llu",
				 (long long)in->mpu_object_size.v, (unsigned long long)t->size);
	if (in->checksum_type.p && !str_eq(in->checksum_type, u->sum_type.p ? u->sum_type : S("FULL_OBJECT")))
		return call_fail(
			c, &s3_err_invalid_request,
			"The upload was created using the %.*s checksum mode. The complete request must use the same checksum mode.",
			STR(u->sum_type.p ? u->sum_type : S("FULL_OBJECT")));
	if (want.p && t->sum.p && !str_eq(want, t->sum))
		return call_fail(c, &s3_err_bad_digest, "The %s you specified did not match the calculated checksum.",
				 s3_sum_names[t->kind]);
	return 0;
}

/* Parts that were not listed go. */
static int drop_others(struct s3_change *ch, const struct s3_rec_upload *u, const struct s3_completed_part_list *l)
{
	struct s3_rec_part_list gone = { 0 };
	struct store_range range = { 0 };
	struct keybuf prefix;
	struct str k, v;
	size_t cap = 0, i = 0;
	int r;

	s3_part_prefix(&prefix, u->id);
	r = store_range_open(&range, ch->txn, key_view(&prefix), STR_NONE, false);
	while (r == 0 && (r = store_range_next(&range, &k, &v)) == 1) {
		struct s3_rec_part p;

		r = record_decode(&s3_records, S3_REC_PART, ch->arena, v, &p);
		while (r == 0 && i < l->n && l->v[i].part_number.v < p.number.v)
			i++;
		if (r < 0 || (i < l->n && l->v[i].part_number.v == p.number.v))
			continue;
		vec_push(ch->arena, gone.v, gone.n, cap) = p;
		r = store_del(ch->txn, k);
	}
	store_range_close(&range);
	for (i = 0; i < gone.n && r == 0; i++)
		r = part_unref(ch, &gone.v[i]);
	return r;
}

S3_HANDLER(complete_multipart_upload, output)
{
	struct s3_change ch = s3_change_of(c);
	struct total t = { 0 };
	struct s3_rec_bucket *b;
	struct s3_rec_upload u;
	struct s3_rec_object o;
	struct str etag = STR_NONE;
	struct keybuf k;
	int r = s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r == 0)
		r = s3_upload_load(c, b, in->key, in->upload_id, &u);
	if (r == 0 && in->sse_customer_algorithm.p)
		r = call_fail(c, &s3_err_not_implemented,
			      "Server-side encryption with keys that the customer provides (SSE-C) is not implemented by this cloud.");
	if (r == 0 && (!in->multipart_upload || !in->multipart_upload->parts.n))
		r = call_fail(c, &s3_err_malformed_xml,
			      "The XML you provided was not well-formed or did not validate against our published schema");
	if (r == 0)
		r = s3_write_conditions(c, b, in->key, in->if_match, in->if_none_match);
	if (r == 0)
		r = read_parts(c, in, &u, &t, &etag);
	if (r == 0)
		r = check_whole(c, in, &u, &t);
	if (r == 0)
		r = drop_others(&ch, &u, &in->multipart_upload->parts);
	if (r < 0)
		return r;
	o = *u.object;
	o.upload = u.id;
	o.parts = OPT_INT((int64_t)t.n);
	o.size = OPT_INT((int64_t)t.size);
	o.modified = OPT_TIME(u.initiated.ms / 1000 * 1000);
	o.etag = etag;
	if (t.sum.p) {
		o.sum = t.sum;
		o.sum_alg = str_c(s3_sum_names[t.kind]);
		o.sum_type = t.composite ? S("COMPOSITE") : S("FULL_OBJECT");
	}
	r = s3_object_insert(&ch, b, in->key, &o);
	upload_key(&k, b, in->key, u.id);
	if (r == 0)
		r = store_del(c->txn, key_view(&k));
	if (r < 0)
		return r;
	s3_change_on_commit(c, &ch);
	out->location = str_printf(c->arena, "https://%.*s.s3.%.*s.amazonaws.com/%.*s", STR(b->name), STR(call_region(c)),
				   STR(uri_encode(c->arena, in->key, false)));
	out->bucket = in->bucket;
	out->key = in->key;
	out->e_tag = s3_etag(c->arena, o.etag);
	if (o.sum.p) {
		*S3_SUM_GET(out, t.kind) = o.sum;
		out->checksum_type = o.sum_type;
	}
	out->server_side_encryption = o.sse;
	out->ssekms_key_id = o.kms_key;
	out->bucket_key_enabled = o.bucket_key;
	out->expiration = s3_expiration(c, b, in->key, &o);
	if (str_is(b->versioning, "Enabled"))
		out->version_id = o.version;
	s3_cors_headers(c, b);
	return 0;
}
