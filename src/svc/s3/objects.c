/* SPDX-License-Identifier: Apache-2.0 */
/* objects.c - objects are written, read and deleted.
 *
 * A body is taken in before the call has its transaction: authorized on a snapshot, encrypted and made durable in a file of its
 * own (body.c). The handler then authorizes again, wraps the file's key and commits the record; without that the file goes. */
#include "svc/s3/s3_int.h"
#include <errno.h>

struct str s3_etag(struct arena *a, struct str etag)
{
	return str_printf(a, "\"%.*s\"", STR(etag));
}

int s3_key_check(struct call *c, struct str key)
{
	if (key.n > S3_KEY_BYTES_MAX) {
		call_extra(c, "Size", str_printf(c->arena, "%zu", key.n));
		call_extra(c, "MaxSizeAllowed", S("1024"));
		return call_fail(c, &s3_err_key_too_long_error, "Your key is too long");
	}
	if (!utf8_valid(key))
		return call_fail(c, &s3_err_invalid_uri, "Couldn't parse the specified URI.");
	return 0;
}

int s3_storage_class(struct call *c, struct str in, struct str *ret)
{
	static const char *const known[] = { "STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING",
					     "GLACIER",  "DEEP_ARCHIVE",       "GLACIER_IR" };

	*ret = STR_NONE;
	if (!in.p || str_is(in, "STANDARD"))
		return 0;
	*ret = in;
	for (size_t i = 0; i < ELEMENTS(known); i++)
		if (str_is(in, known[i]))
			return 0;
	return call_fail(c, &s3_err_invalid_storage_class, "The storage class you specified is not valid");
}

int s3_metadata_check(struct call *c, const struct str_map *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++)
		n += m->v[i].key.n + m->v[i].value.n;
	if (n <= S3_METADATA_BYTES_MAX)
		return 0;
	call_extra(c, "Size", str_printf(c->arena, "%zu", n));
	call_extra(c, "MaxSizeAllowed", S("2048"));
	return call_fail(c, &s3_err_metadata_too_large, "Your metadata headers exceed the maximum allowed metadata size");
}

/* --- tags --- */
static int tag_fault(struct call *c, const struct s3_rec_tag_list *l, bool object)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct s3_rec_tag *t = &l->v[i];

		if (!t->key.n || t->key.n > 512 || !utf8_valid(t->key)) {
			call_extra(c, "TagKey", t->key);
			return call_fail(c, &s3_err_invalid_tag, "The TagKey you have provided is invalid");
		}
		if (t->value.n > 1024 || !utf8_valid(t->value)) {
			call_extra(c, "TagKey", t->key);
			return call_fail(c, &s3_err_invalid_tag, "The TagValue you have provided is invalid");
		}
		/* Buckets take aws: tags only from services (a stack's own). */
		if (str_starts(t->key, S("aws:")) && (object || !c->facts.invoked_by.p))
			return call_fail(c, &s3_err_invalid_tag, "System tags cannot be added/updated by requester");
		for (size_t j = 0; j < i; j++)
			if (str_eq(l->v[j].key, t->key)) {
				call_extra(c, "TagKey", t->key);
				return call_fail(c, &s3_err_invalid_tag, "Cannot provide multiple Tags with the same key");
			}
	}
	return 0;
}

int s3_tags_check(struct call *c, const struct s3_tag_list *in, size_t max, bool object, struct s3_rec_tag_list *ret)
{
	ret->n = in->n;
	ret->v = arena_array(c->arena, struct s3_rec_tag, in->n + 1);
	for (size_t i = 0; i < in->n; i++)
		ret->v[i] = (struct s3_rec_tag){ in->v[i].key, in->v[i].value.p ? in->v[i].value : S("") };
	if (in->n > max && object)
		return call_fail(c, &s3_err_bad_request, "Object tags cannot be greater than %zu", max);
	if (in->n > max)
		return call_fail(c, &s3_err_bad_request, "Bucket tag count cannot be greater than %zu", max);
	return tag_fault(c, ret, object);
}

int s3_tags_parse(struct call *c, struct str header, struct s3_rec_tag_list *ret)
{
	struct str one, k, v;
	size_t cap = 0;

	*ret = (struct s3_rec_tag_list){ 0 };
	while (header.n && str_next(&header, '&', &one)) {
		struct s3_rec_tag t = { .value = S("") };

		if (!one.n)
			continue;
		(void)str_cut(one, '=', &k, &v);
		if (uri_decode(c->arena, k, true, &t.key) < 0 || (v.p && uri_decode(c->arena, v, true, &t.value) < 0))
			return call_fail(c, &s3_err_invalid_argument,
					 "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters "
					 "without tag name duplicates.");
		vec_push(c->arena, ret->v, ret->n, cap) = t;
	}
	if (ret->n > S3_OBJECT_TAGS_MAX)
		return call_fail(c, &s3_err_bad_request, "Object tags cannot be greater than %d", S3_OBJECT_TAGS_MAX);
	return tag_fault(c, ret, true);
}

struct s3_tag_list s3_tags_out(struct arena *a, const struct s3_rec_tag_list *tags)
{
	struct s3_tag_list l = { arena_array(a, struct s3_tag, tags->n + 1), tags->n };

	for (size_t i = 0; i < tags->n; i++)
		l.v[i] = (struct s3_tag){ tags->v[i].key, tags->v[i].value };
	return l;
}

/* --- a body comes in --- */
struct sums { /* what a request says about the body's checksum */
	const struct str *values[S3_SUMS];
	struct str other[5]; /* algorithms that are not built */
	struct str algorithm, md5;
};

static int want_sums(struct call *c, const struct sums *q, struct s3_sink *s)
{
	struct str trailer = c->http ? http_header(c->http, "x-amz-trailer") : STR_NONE, md5;
	int kind = -1;

	for (size_t i = 0; i < ELEMENTS(q->other); i++)
		if (q->other[i].p)
			return call_fail(
				c, &s3_err_not_implemented,
				"The checksum algorithm is not implemented by this cloud; CRC32, CRC32C, CRC64NVME, SHA1 and SHA256 are.");
	if (str_starts(trailer, S("x-amz-checksum-"))) {
		kind = s3_sum_kind(str_skip(trailer, 15));
		s->trailer = true;
	} else if (q->algorithm.p) {
		kind = s3_sum_kind(q->algorithm);
	}
	if (kind == -ENOTSUP)
		return call_fail(c, &s3_err_not_implemented,
				 "The checksum algorithm is not implemented by this cloud; CRC32, CRC32C, CRC64NVME, SHA1 and SHA256 are.");
	for (int i = 0; i < S3_SUMS; i++) {
		if (!q->values[i]->p)
			continue;
		if (s->want_sum[0] || (s->trailer && kind != i))
			return call_fail(c, &s3_err_invalid_request,
					 "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.");
		if (q->values[i]->n >= sizeof s->want_sum || base64_decode(c->arena, *q->values[i], &md5) < 0)
			return call_fail(c, &s3_err_invalid_request, "Value for x-amz-checksum-%s header is invalid.",
					 str_lower(c->arena, str_c(s3_sum_names[i])).p);
		memcpy(s->want_sum, q->values[i]->p, q->values[i]->n);
		kind = i;
	}
	s->kind = kind;
	if (!q->md5.p)
		return 0;
	if (base64_decode(c->arena, q->md5, &md5) < 0 || md5.n != 16)
		return call_fail(c, &s3_err_invalid_digest, "The Content-MD5 you specified was invalid.");
	memcpy(s->want_md5, q->md5.p, q->md5.n);
	return 0;
}

static struct str decoded_length(const struct call *c)
{
	return c->http ? http_header(c->http, "x-amz-decoded-content-length") : STR_NONE;
}

/* Source: "PutObject": one request takes at most 5 GB, and says how much it brings. */
static int check_length(struct call *c, struct opt_int content_length)
{
	struct str decoded = decoded_length(c);
	int64_t n = content_length.v;

	if (decoded.p && str_to_i64(decoded, &n) < 0)
		return call_fail(c, &s3_err_invalid_argument, "The value of x-amz-decoded-content-length is not valid");
	if (!decoded.p && !content_length.has && c->http && c->http->chunked)
		return call_fail(c, &s3_err_missing_content_length, "You must provide the Content-Length HTTP header.");
	if (n > S3_PUT_BYTES_MAX) {
		call_extra(c, "ProposedSize", str_printf(c->arena, "%lld", (long long)n));
		call_extra(c, "MaxSizeAllowed", S("5368709120"));
		return call_fail(c, &s3_err_entity_too_large, "Your proposed upload exceeds the maximum allowed size");
	}
	return 0;
}

#define SUMS_OF(in)                                                                                                                        \
	{                                                                                                                                  \
		{ &(in)->checksum_crc32, &(in)->checksum_crc32_c, &(in)->checksum_crc64_nvme, &(in)->checksum_sha1,                        \
		  &(in)->checksum_sha256 },                                                                                                \
			{ (in)->checksum_sha512, (in)->checksum_md5, (in)->checksum_xxhash64, (in)->checksum_xxhash3,                      \
			  (in)->checksum_xxhash128 },                                                                                      \
			(in)->checksum_algorithm, (in)->content_md5                                                                        \
	}

/* otherwise: the checksum to compute where the client names none. */
static int begin(struct call *c, const struct sums *q, struct opt_int length, struct str otherwise, struct s3_sink **ret)
{
	struct s3_sink *s = s3_sink_new(c->region, S3_PUT_BYTES_MAX);
	int r = check_length(c, length);

	if (r == 0)
		r = want_sums(c, q, s);
	if (s->kind < 0 && otherwise.p)
		s->kind = s3_sum_kind(otherwise);
	if (r == 0)
		r = s3_sink_begin(s);
	if (r < 0) {
		s->b.free(&s->b);
		return r;
	}
	*ret = s;
	return 0;
}

int s3_body_begin(struct call *c, const struct wire_route *route, struct body **ret)
{
	struct s3_sink *s = NULL;
	int r;

	if ((enum s3_op)(c->op - s3_model.ops) == S3_OP_UPLOAD_PART) {
		const struct s3_upload_part_request *in = c->in;
		const struct sums q = SUMS_OF(in);

		struct s3_rec_bucket *b;
		struct s3_rec_upload u;

		r = s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b);
		if (r == 0)
			r = s3_part_number_check(c, in->part_number.v);
		if (r == 0)
			r = s3_upload_load(c, b, in->key, in->upload_id, &u);
		if (r == 0)
			r = begin(c, &q, in->content_length, u.sum_alg, &s);
	} else {
		const struct s3_put_object_request *in = c->in;
		const struct sums q = SUMS_OF(in);

		r = s3_key_check(c, in->key);
		if (r == 0)
			r = s3_metadata_check(c, &in->metadata);
		if (r == 0)
			r = begin(c, &q, in->content_length, STR_NONE, &s);
	}
	if (r == 0)
		*ret = &s->b;
	return r;
}

/* Calls from inside bring their body as a source; it is taken in here. */
static int pull(struct call *c, struct body *src, struct s3_sink *s)
{
	char buf[16384];
	ssize_t n = 0;
	int r = 0;

	while (src && r == 0 && (n = src->read(src, buf, sizeof buf)) > 0)
		r = s->b.write(&s->b, str_of(buf, (size_t)n));
	if (r == 0 && n < 0)
		r = (int)n;
	return r < 0 ? r : s->b.end(&s->b, NULL, 0);
}

static void free_hook(struct cloud *cl, struct region *r, void *arg)
{
	((struct s3_sink *)arg)->b.free(arg);
}

/* The sink that holds this call's body; *own says that it is not the dispatcher's. */
static int incoming(struct call *c, struct body *src, const struct sums *q, struct opt_int length, struct s3_sink **ret, bool *own)
{
	struct str decoded = decoded_length(c);
	int64_t n;
	int r;

	*own = !c->body;
	*ret = (struct s3_sink *)c->body;
	if (*own) {
		r = begin(c, q, length, STR_NONE, ret);
		if (r < 0)
			return r;
		r = pull(c, src, *ret);
		if (r < 0)
			(*ret)->b.free(&(*ret)->b);
		return r;
	}
	if (decoded.p && (str_to_i64(decoded, &n) < 0 || (uint64_t)n != (*ret)->total))
		return call_fail(c, &s3_err_incomplete_body,
				 "You did not provide the number of bytes specified by the Content-Length HTTP header");
	return 0;
}

int s3_write_conditions(struct call *c, const struct s3_rec_bucket *b, struct str key, struct str if_match, struct str if_none_match)
{
	struct s3_rec_object o;
	int r;

	if (!if_match.p && !if_none_match.p)
		return 0;
	if (if_match.p && !str_is(if_match, "*")) { /* who may not read it may not guess its ETag either */
		r = call_authorize(c, "s3:GetObject", str_printf(c->arena, "object:%.*s/%.*s", STR(b->name), STR(key)), NULL, 0);
		if (r < 0)
			return r;
	}
	if (if_none_match.p && !str_is(if_none_match, "*")) {
		call_extra(c, "Header", S("If-None-Match"));
		return call_fail(c, &s3_err_not_implemented, "A header you provided implies functionality that is not implemented");
	}
	r = s3_object_current(c->txn, c->arena, b, key, &o);
	if (r < 0 && r != -ENOENT)
		return r;
	if (if_match.p && r == -ENOENT) {
		call_extra(c, "Key", key);
		return call_fail(c, &s3_err_no_such_key, "The specified key does not exist.");
	}
	if ((if_none_match.p && r == 0) || (if_match.p && !s3_etag_matches(if_match, o.etag))) {
		call_extra(c, "Condition", if_match.p ? S("If-Match") : S("If-None-Match"));
		return call_fail(c, &s3_err_precondition_failed, "At least one of the pre-conditions you specified did not hold");
	}
	return 0;
}

static struct str without_chunked(struct arena *a, struct str encoding)
{
	struct str one, keep[8];
	size_t n = 0;

	while (encoding.p && str_next(&encoding, ',', &one))
		if (!str_eq_ci(str_trim(one), S("aws-chunked")) && str_trim(one).n && n < ELEMENTS(keep))
			keep[n++] = str_trim(one);
	return n ? str_join(a, keep, n, S(",")) : STR_NONE;
}

static int refuse_unbuilt(struct call *c, const struct s3_put_object_request *in)
{
	if (in->object_lock_mode.p || in->object_lock_retain_until_date.has || in->object_lock_legal_hold_status.p ||
	    in->object_lock_event_hold.p)
		return call_fail(c, &s3_err_invalid_request, "Bucket is missing Object Lock Configuration");
	if (in->write_offset_bytes.has)
		return call_fail(c, &s3_err_not_implemented, "Appending to objects is not implemented by this cloud.");
	return 0;
}

static int put_record(struct call *c, const struct s3_put_object_request *in, struct s3_rec_bucket *b, struct s3_sink *s,
		      struct s3_rec_object *o)
{
	struct s3_acl_request acl = { in->acl,  in->grant_full_control, in->grant_read, in->grant_read_acp,
				      STR_NONE, in->grant_write_acp,    NULL,           false };
	struct s3_sse_request sse = { in->server_side_encryption, in->ssekms_key_id,    in->ssekms_encryption_context,
				      in->sse_customer_algorithm, in->sse_customer_key, in->bucket_key_enabled };
	struct s3_change ch = s3_change_of(c);
	uint8_t kek[32];
	int r = s3_storage_class(c, in->storage_class, &o->storage_class);

	if (r == 0)
		r = s3_tags_parse(c, in->tagging, &o->tags);
	if (r == 0)
		r = s3_acl_make(c, b, o->owner, &acl, &o->acl);
	if (r == 0)
		r = s3_write_conditions(c, b, in->key, in->if_match, in->if_none_match);
	if (r == 0)
		r = s3_seal_new(c, b, in->key, &sse, o, kek);
	if (r < 0)
		return r;
	o->file = str_c(s->file);
	o->file_key = s3_key_wrap(c->arena, kek, o->file, s->file_key);
	mem_wipe(kek, sizeof kek);
	o->etag = o->data_key.p ? random_hex(c->arena, 32) : hex_encode(c->arena, s->md5_bytes, 16);
	r = s3_object_insert(&ch, b, in->key, o);
	if (r == 0)
		r = s3_file_ref(c->txn, o->file);
	if (r == 0)
		r = s3_sink_store(c, s);
	if (r == 0)
		s3_change_on_commit(c, &ch);
	return r;
}

S3_HANDLER(upload_part, output)
{
	struct s3_change ch = s3_change_of(c);
	struct s3_sink *s = (struct s3_sink *)c->body;
	struct s3_rec_part p = { .number = in->part_number };
	struct s3_rec_bucket *b;
	struct s3_rec_upload u;
	uint8_t kek[32];
	int r = s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b), kind;

	if (r == 0)
		r = s3_upload_load(c, b, in->key, in->upload_id, &u);
	if (r == 0 && !s)
		r = call_fail(c, &s3_err_not_implemented, "Parts are not taken from inside this cloud.");
	if (r == 0)
		r = s3_sink_verify(c, s);
	if (r < 0)
		return r;
	kind = s->kind < 0 ? S3_SUM_CRC64NVME : s->kind;
	if (u.sum_alg.p && !str_is(u.sum_alg, s3_sum_names[kind]))
		return call_fail(c, &s3_err_invalid_request,
				 "Checksum Type mismatch occurred, expected checksum Type: %.*s, actual checksum Type: %s",
				 STR(str_lower(c->arena, u.sum_alg)), str_lower(c->arena, str_c(s3_sum_names[kind])).p);
	r = s3_seal_open(c, u.object, kek);
	if (r < 0)
		return r;
	p.file = str_c(s->file);
	p.file_key = s3_key_wrap(c->arena, kek, p.file, s->file_key);
	mem_wipe(kek, sizeof kek);
	p.size = p.file_size = OPT_INT((int64_t)s->total);
	p.modified = OPT_TIME(c->now_ms / 1000 * 1000);
	p.etag = u.object->data_key.p ? random_hex(c->arena, 32) : hex_encode(c->arena, s->md5_bytes, 16);
	p.sum_alg = str_c(s3_sum_names[kind]);
	p.sum = str_dup(c->arena, str_c(s->sum_text));
	p.crc64 = str_dup(c->arena, str_c(s->crc64_text));
	r = s3_part_put(&ch, u.id, &p);
	if (r == 0)
		r = s3_sink_store(c, s);
	if (r < 0)
		return r;
	s3_change_on_commit(c, &ch);
	s3_sink_keep(c, s);
	out->e_tag = s3_etag(c->arena, p.etag);
	if (s->kind >= 0)
		*S3_SUM_GET(out, kind) = p.sum;
	out->server_side_encryption = u.object->sse;
	out->ssekms_key_id = u.object->kms_key;
	out->bucket_key_enabled = u.object->bucket_key;
	s3_cors_headers(c, b);
	return 0;
}

S3_HANDLER(put_object, output)
{
	struct s3_rec_object o = { .size = OPT_INT(0),
				   .modified = OPT_TIME(c->now_ms / 1000 * 1000),
				   .content_type = in->content_type,
				   .content_disposition = in->content_disposition,
				   .content_language = in->content_language,
				   .cache_control = in->cache_control,
				   .expires = in->expires,
				   .redirect = in->website_redirect_location,
				   .meta = in->metadata };
	const struct sums q = SUMS_OF(in);
	struct s3_rec_bucket *b;
	struct s3_sink *s;
	bool own;
	int r = s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b), kind;

	if (r == 0)
		r = s3_key_check(c, in->key);
	if (r == 0)
		r = refuse_unbuilt(c, in);
	if (r == 0)
		r = incoming(c, in->body, &q, in->content_length, &s, &own);
	if (r < 0)
		return r;
	kind = s->kind < 0 ? S3_SUM_CRC64NVME : s->kind;
	r = s3_sink_verify(c, s);
	o.owner = c->who->p.account.p && (b->ownership.p && !str_is(b->ownership, "BucketOwnerEnforced")) ? c->who->p.account : b->account;
	if (str_is(b->ownership, "BucketOwnerPreferred") && str_is(in->acl, "bucket-owner-full-control"))
		o.owner = b->account;
	o.content_encoding = without_chunked(c->arena, in->content_encoding);
	o.size = OPT_INT((int64_t)s->total);
	o.sum_alg = str_c(s3_sum_names[kind]);
	o.sum = str_dup(c->arena, str_c(s->sum_text));
	o.sum_type = S("FULL_OBJECT");
	if (r == 0)
		r = s3_metadata_check(c, &in->metadata);
	if (r == 0)
		r = put_record(c, in, b, s, &o);
	if (r < 0) {
		if (own)
			s->b.free(&s->b);
		return r;
	}
	s3_sink_keep(c, s);
	out->e_tag = s3_etag(c->arena, o.etag);
	*S3_SUM_GET(out, kind) = o.sum;
	out->checksum_type = o.sum_type;
	out->server_side_encryption = o.sse;
	out->ssekms_key_id = o.kms_key;
	out->bucket_key_enabled = o.bucket_key;
	out->ssekms_encryption_context = o.user_context;
	out->expiration = s3_expiration(c, b, in->key, &o);
	if (str_is(b->versioning, "Enabled"))
		out->version_id = o.version;
	s3_cors_headers(c, b);
	if (own)
		call_on_commit(c, free_hook, s);
	return 0;
}

/* --- reading --- */
struct read_request { /* what GetObject and HeadObject ask for alike */
	struct str if_match, if_none_match, range;
	struct opt_time if_modified_since, if_unmodified_since;
	struct opt_int part;
};
struct read_plan {
	uint64_t from, to;
	bool partial;
	struct str content_range;
};

static void tell_unchanged(struct call *c, const struct s3_rec_object *o)
{
	call_header(c, "ETag", s3_etag(c->arena, o->etag));
	call_header(c, "Last-Modified", time_http(c->arena, o->modified.ms));
}

/* Source: "Conditional reads": If-Match outweighs If-Unmodified-Since, If-None-Match outweighs If-Modified-Since. */
static int read_conditions(struct call *c, const struct s3_rec_object *o, const struct read_request *q)
{
	const char *failed = NULL;

	if (q->if_match.p ? !s3_etag_matches(q->if_match, o->etag)
			  : q->if_unmodified_since.has && o->modified.ms > q->if_unmodified_since.ms)
		failed = q->if_match.p ? "If-Match" : "If-Unmodified-Since";
	if (failed) {
		call_extra(c, "Condition", str_c(failed));
		return call_fail(c, &s3_err_precondition_failed, "At least one of the pre-conditions you specified did not hold");
	}
	if (q->if_none_match.p ? s3_etag_matches(q->if_none_match, o->etag)
			       : q->if_modified_since.has && o->modified.ms <= q->if_modified_since.ms) {
		tell_unchanged(c, o);
		return call_fail(c, &s3_err_not_modified, "Not Modified");
	}
	return 0;
}

/* The bytes of one part. */
static int part_range(struct call *c, const struct s3_rec_object *o, int64_t number, struct read_plan *p)
{
	struct store_range range = { 0 };
	struct keybuf prefix;
	struct str k, v;
	int64_t at = 0;
	int r = 0;

	p->from = 0;
	p->to = (uint64_t)o->size.v;
	if (number < 1 || number > (o->parts.has ? o->parts.v : 1))
		return call_fail(c, &s3_err_invalid_part_number, "The requested partnumber is not satisfiable");
	if (!o->upload.p || !o->parts.has)
		return 0;
	s3_part_prefix(&prefix, o->upload);
	r = store_range_open(&range, c->txn, key_view(&prefix), STR_NONE, false);
	p->to = 0;
	while (r == 0 && at < number && (r = store_range_next(&range, &k, &v)) == 1) {
		struct s3_rec_part x;

		r = record_decode(&s3_records, S3_REC_PART, c->arena, v, &x);
		p->from = p->to;
		p->to += (uint64_t)x.size.v;
		at++;
	}
	store_range_close(&range);
	return r;
}

static int plan(struct call *c, const struct s3_rec_object *o, const struct read_request *q, struct read_plan *p)
{
	uint64_t size = (uint64_t)o->size.v;
	int r = read_conditions(c, o, q);

	if (r < 0)
		return r;
	*p = (struct read_plan){ 0, size, false, STR_NONE };
	if (q->part.has && q->range.p)
		return call_fail(c, &s3_err_invalid_request, "Cannot specify both Range header and partNumber query parameter");
	if (q->part.has) {
		r = part_range(c, o, q->part.v, p);
		if (r < 0)
			return r;
		p->partial = size > 0;
	} else {
		r = s3_parse_range(q->range, size, &p->from, &p->to);
		if (r == -ERANGE) {
			call_extra(c, "RangeRequested", q->range);
			call_extra(c, "ActualObjectSize", str_printf(c->arena, "%llu", (unsigned long long)size));
			call_header(c, "Content-Range", str_printf(c->arena, "bytes */%llu", (unsigned long long)size));
			return call_fail(c, &s3_err_invalid_range, "The requested range is not satisfiable");
		}
		p->partial = r == 0;
	}
	if (p->partial) {
		c->status = 206;
		p->content_range = str_printf(c->arena, "bytes %llu-%llu/%llu", (unsigned long long)p->from, (unsigned long long)p->to - 1,
					      (unsigned long long)size);
	}
	return 0;
}

#define READ_REQUEST(in)                                                                                                                   \
	{                                                                                                                                  \
		(in)->if_match, (in)->if_none_match, (in)->range, (in)->if_modified_since, (in)->if_unmodified_since, (in)->part_number    \
	}
#define READ_ANSWER(out, in)                                                                                                               \
	do {                                                                                                                               \
		(out)->last_modified = o.modified;                                                                                         \
		(out)->accept_ranges = S("bytes");                                                                                         \
		(out)->e_tag = s3_etag(c->arena, o.etag);                                                                                  \
		(out)->content_range = p.content_range;                                                                                    \
		(out)->version_id = b->versioning.p ? o.version : STR_NONE;                                                                \
		(out)->cache_control = (in)->response_cache_control.p ? (in)->response_cache_control : o.cache_control;                    \
		(out)->content_disposition = (in)->response_content_disposition.p ? (in)->response_content_disposition                     \
										  : o.content_disposition;                                 \
		(out)->content_encoding = (in)->response_content_encoding.p ? (in)->response_content_encoding : o.content_encoding;        \
		(out)->content_language = (in)->response_content_language.p ? (in)->response_content_language : o.content_language;        \
		(out)->content_type = (in)->response_content_type.p ? (in)->response_content_type                                          \
				      : o.content_type.p            ? o.content_type                                                       \
								    : S("binary/octet-stream");                                                       \
		(out)->expires = (in)->response_expires.has ? time_http(c->arena, (in)->response_expires.ms) : o.expires;                  \
		(out)->website_redirect_location = o.redirect;                                                                             \
		(out)->server_side_encryption = o.sse;                                                                                     \
		(out)->ssekms_key_id = o.kms_key;                                                                                          \
		(out)->bucket_key_enabled = o.bucket_key;                                                                                  \
		(out)->metadata = o.meta;                                                                                                  \
		(out)->storage_class = o.storage_class;                                                                                    \
		(out)->expiration = s3_expiration(c, b, (in)->key, &o);                                                                    \
		if ((in)->part_number.has && o.parts.has)                                                                                  \
			(out)->parts_count = o.parts;                                                                                      \
		if (o.tags.n)                                                                                                              \
			(out)->tag_count = OPT_INT((int64_t)o.tags.n);                                                                     \
		if (str_is((in)->checksum_mode, "ENABLED") && !p.partial && o.sum.p) {                                                     \
			*S3_SUM_GET(out, s3_sum_kind(o.sum_alg)) = o.sum;                                                                  \
			(out)->checksum_type = o.sum_type;                                                                                 \
		}                                                                                                                          \
	} while (0)

static int overrides_signed(struct call *c, bool overrides)
{
	if (overrides && c->who->p.type == PRINCIPAL_ANONYMOUS)
		return call_fail(c, &s3_err_invalid_request,
				 "Request specific response headers cannot be used for anonymous GET requests.");
	return 0;
}

#define OVERRIDES(in)                                                                                                                      \
	((in)->response_cache_control.p || (in)->response_content_disposition.p || (in)->response_content_encoding.p ||                    \
	 (in)->response_content_language.p || (in)->response_content_type.p || (in)->response_expires.has)

static int no_customer_key(struct call *c, struct str algorithm)
{
	if (algorithm.p)
		return call_fail(c, &s3_err_not_implemented,
				 "Server-side encryption with keys that the customer provides (SSE-C) is not implemented by this cloud.");
	return 0;
}

S3_HANDLER(get_object, output)
{
	struct read_request q = READ_REQUEST(in);
	struct s3_rec_bucket *b;
	struct s3_rec_object o;
	struct s3_piece *pieces = NULL;
	struct read_plan p;
	size_t n = 0;
	int r = s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r == 0)
		r = no_customer_key(c, in->sse_customer_algorithm);
	if (r == 0)
		r = overrides_signed(c, OVERRIDES(in));
	if (r == 0)
		r = s3_find_object(c, b, in->key, in->version_id, &o);
	if (r == 0)
		r = plan(c, &o, &q, &p);
	if (r == 0 && (str_is(o.storage_class, "GLACIER") || str_is(o.storage_class, "DEEP_ARCHIVE"))) {
		call_extra(c, "StorageClass", o.storage_class);
		r = call_fail(c, &s3_err_invalid_object_state, "The operation is not valid for the object's storage class");
	}
	if (r == 0)
		r = s3_object_pieces(c, &o, p.from, p.to, &pieces, &n);
	if (r == 0)
		r = s3_source_new(c->region, pieces, n, &out->body);
	if (r == -ENOENT && !store_txn_writable(c->txn)) /* deleted or overwritten since the snapshot: look again */
		return -EAGAIN;
	if (r < 0)
		return r;
	READ_ANSWER(out, in);
	s3_cors_headers(c, b);
	return 0;
}

S3_HANDLER(head_object, output)
{
	struct read_request q = READ_REQUEST(in);
	struct s3_rec_bucket *b;
	struct s3_rec_object o;
	struct read_plan p;
	uint8_t kek[32];
	int r = s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r == 0)
		r = no_customer_key(c, in->sse_customer_algorithm);
	if (r == 0)
		r = overrides_signed(c, OVERRIDES(in));
	if (r == 0)
		r = s3_find_object(c, b, in->key, in->version_id, &o);
	if (r == 0)
		r = plan(c, &o, &q, &p);
	if (r == 0 && o.data_key.p && str_is(in->checksum_mode, "ENABLED")) { /* the checksum is under the key, too */
		r = s3_seal_open(c, &o, kek);
		mem_wipe(kek, sizeof kek);
	}
	if (r < 0)
		return r;
	READ_ANSWER(out, in);
	out->content_length = OPT_INT((int64_t)(p.to - p.from));
	s3_cors_headers(c, b);
	return 0;
}

static int attribute_parts(struct call *c, const struct s3_get_object_attributes_request *in, const struct s3_rec_object *o,
			   struct s3_get_object_attributes_parts *ret)
{
	int64_t max = in->max_parts.has ? in->max_parts.v : 1000, number = 0,
		after = in->part_number_marker.has ? in->part_number_marker.v : 0;
	struct store_range range = { 0 };
	struct keybuf prefix;
	struct str k, v;
	size_t cap = 0;
	int r;

	ret->total_parts_count = o->parts;
	ret->max_parts = OPT_INT(max < S3_PAGE_MAX ? max : S3_PAGE_MAX);
	ret->part_number_marker = OPT_INT(after);
	ret->is_truncated = OPT_BOOL(false);
	s3_part_prefix(&prefix, o->upload);
	r = store_range_open(&range, c->txn, key_view(&prefix), STR_NONE, false);
	while (r == 0 && (r = store_range_next(&range, &k, &v)) == 1) {
		struct s3_object_part x = { 0 };
		struct s3_rec_part part;

		r = 0;
		if (++number <= after)
			continue;
		if ((int64_t)ret->parts.n == ret->max_parts.v) {
			ret->is_truncated.v = true;
			break;
		}
		r = record_decode(&s3_records, S3_REC_PART, c->arena, v, &part);
		if (r < 0)
			break;
		x.part_number = OPT_INT(number);
		x.size = part.size;
		if (part.sum.p && s3_sum_kind(part.sum_alg) >= 0)
			*S3_SUM_GET(&x, s3_sum_kind(part.sum_alg)) = part.sum;
		if (str_is(o->sum_type, "COMPOSITE")) /* S3 lists parts only where they have checksums of their own */
			vec_push(c->arena, ret->parts.v, ret->parts.n, cap) = x;
		ret->next_part_number_marker = OPT_INT(number);
	}
	store_range_close(&range);
	return r;
}

S3_HANDLER(get_object_attributes, output)
{
	struct s3_rec_bucket *b;
	struct s3_rec_object o;
	uint8_t kek[32];
	int r = s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r == 0)
		r = no_customer_key(c, in->sse_customer_algorithm);
	if (r == 0)
		r = s3_find_object(c, b, in->key, in->version_id, &o);
	if (r == 0 && o.data_key.p &&
	    (str_list_has(&in->object_attributes, S("Checksum")) || str_list_has(&in->object_attributes, S("ObjectParts")))) {
		r = s3_seal_open(c, &o, kek); /* checksums are under the key, as with HeadObject */
		mem_wipe(kek, sizeof kek);
	}
	if (r < 0)
		return r;
	out->last_modified = o.modified;
	if (b->versioning.p)
		out->version_id = o.version;
	for (size_t i = 0; i < in->object_attributes.n; i++) {
		struct str a = in->object_attributes.v[i];

		if (str_is(a, "ETag"))
			out->e_tag = o.etag;
		else if (str_is(a, "StorageClass"))
			out->storage_class = o.storage_class.p ? o.storage_class : S("STANDARD");
		else if (str_is(a, "ObjectSize"))
			out->object_size = o.size;
		else if (str_is(a, "Checksum") && o.sum.p) {
			out->checksum = arena_new(c->arena, struct s3_checksum);
			*S3_SUM_GET(out->checksum, s3_sum_kind(o.sum_alg)) = o.sum;
			out->checksum->checksum_type = o.sum_type;
		} else if (str_is(a, "ObjectParts") && o.parts.has) {
			out->object_parts = arena_new(c->arena, struct s3_get_object_attributes_parts);
			r = attribute_parts(c, in, &o, out->object_parts);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* --- object tagging --- */
S3_HANDLER(get_object_tagging, output)
{
	struct s3_rec_bucket *b;
	struct s3_rec_object o;
	int r = s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r == 0)
		r = s3_find_object(c, b, in->key, in->version_id, &o);
	if (r < 0)
		return r;
	out->tag_set = s3_tags_out(c->arena, &o.tags);
	if (b->versioning.p)
		out->version_id = o.version;
	return 0;
}

S3_HANDLER(put_object_tagging, output)
{
	struct s3_rec_bucket *b;
	struct s3_rec_object o;
	int r = s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r == 0)
		r = s3_find_object(c, b, in->key, in->version_id, &o);
	if (r == 0)
		r = s3_tags_check(c, &in->tagging->tag_set, S3_OBJECT_TAGS_MAX, true, &o.tags);
	if (r == 0)
		r = s3_object_update(c->txn, b, in->key, &o);
	if (r == 0 && b->versioning.p)
		out->version_id = o.version;
	return r;
}

S3_HANDLER(delete_object_tagging, output)
{
	struct s3_rec_bucket *b;
	struct s3_rec_object o;
	int r = s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r == 0)
		r = s3_find_object(c, b, in->key, in->version_id, &o);
	if (r < 0)
		return r;
	o.tags = (struct s3_rec_tag_list){ 0 };
	r = s3_object_update(c->txn, b, in->key, &o);
	if (r == 0 && b->versioning.p)
		out->version_id = o.version;
	c->status = 204;
	return r;
}
