/* SPDX-License-Identifier: Apache-2.0 */
/* seal.c - the keys of bodies. Every file's key is wrapped (AES-256-GCM, bound to the file's name) under a key of the object:
 * with SSE-S3 one derived from the cloud's master key, with SSE-KMS a data key that KMS gave to the caller of the write, and
 * that KMS must open again for the caller of each read: key policies, grants, kms:ViaService and disabled keys decide. */
#include "gen_kms.h"
#include "svc/s3/s3_int.h"
#include <errno.h>

#define WRAPPED_BYTES (SEAL_NONCE_BYTES + 32 + SEAL_TAG_BYTES)

struct str s3_key_wrap(struct arena *a, const uint8_t kek[32], struct str file, const uint8_t file_key[32])
{
	uint8_t *p = arena_alloc(a, WRAPPED_BYTES);

	random_bytes(p, SEAL_NONCE_BYTES);
	if (aes_gcm_seal(kek, p, file, str_of((const char *)file_key, 32), p + SEAL_NONCE_BYTES) < 0)
		return STR_NONE;
	return str_of((char *)p, WRAPPED_BYTES);
}

int s3_key_unwrap(const uint8_t kek[32], struct str file, struct str wrapped, uint8_t file_key[32])
{
	if (wrapped.n != WRAPPED_BYTES)
		return -EBADMSG;
	return aes_gcm_open(kek, (const uint8_t *)wrapped.p, file, str_skip(wrapped, SEAL_NONCE_BYTES), file_key);
}

/* What KMS refused, in S3's words. Source: "Error responses" (KMS.*), troubleshooting of access denied with SSE-KMS. */
static int kms_refused(struct call *c, const struct call_error *e, int r)
{
	static const struct {
		const char *code;
		const struct desc_error *err;
	} t[] = {
		{ "DisabledException", &s3_err_kms_disabled_exception },
		{ "NotFoundException", &s3_err_kms_not_found_exception },
		{ "KMSInvalidStateException", &s3_err_kms_kms_invalid_state_exception },
		{ "InvalidArnException", &s3_err_kms_not_found_exception },
		{ "InvalidKeyUsageException", &s3_err_kms_invalid_key_usage_exception },
		{ "AccessDeniedException", &s3_err_access_denied },
	};

	for (size_t i = 0; e->err && i < ELEMENTS(t); i++)
		if (strcmp(e->err->code, t[i].code) == 0)
			return call_fail(c, t[i].err, "%.*s", STR(e->message));
	return e->err && e->err->status < 500 ? call_fail(c, &s3_err_access_denied, "Access Denied") : r;
}

static int context_of(struct call *c, struct str header, struct str arn, struct str_map *ret)
{
	struct str_pair *v;
	struct json *j = NULL;
	struct str text;
	size_t n = 0;

	if (header.p &&
	    (base64_decode(c->arena, header, &text) < 0 || json_parse(c->arena, text, &j, NULL) < 0 || !json_is(j, JSON_OBJECT)))
		return call_fail(c, &s3_err_invalid_argument,
				 "The header 'x-amz-server-side-encryption-context' shall be Base64-encoded UTF-8 string holding JSON "
				 "which represents a string-string map");
	v = arena_array(c->arena, struct str_pair, (j ? j->n : 0) + 1);
	for (size_t i = 0; j && i < j->n; i++) {
		if (!json_is(&j->members[i].value, JSON_STRING) || str_eq_ci(j->members[i].key, S("aws:s3:arn")))
			return call_fail(c, &s3_err_invalid_argument,
					 "The header 'x-amz-server-side-encryption-context' shall be Base64-encoded UTF-8 string holding "
					 "JSON which represents a string-string map");
		v[n++] = (struct str_pair){ json_str(&(struct json){ .type = JSON_STRING, .s = j->members[i].key }),
					    json_str(&j->members[i].value) };
	}
	v[n++] = (struct str_pair){ S("aws:s3:arn"), arn };
	*ret = (struct str_map){ v, n };
	return 0;
}

static int data_key(struct call *c, struct s3_rec_object *o, uint8_t kek[32])
{
	struct kms_generate_data_key_request in = { .key_id = o->kms_key, .key_spec = S("AES_256"), .encryption_context = o->context };
	struct kms_generate_data_key_response out = { 0 };
	struct call_error e = { 0 };
	int r = call_invoke(c, &kms_model, "GenerateDataKey", &in, &out, "s3.amazonaws.com", &e);

	if (r < 0)
		return kms_refused(c, &e, r);
	if (out.plaintext.n != 32)
		return -EBADMSG;
	memcpy(kek, out.plaintext.p, 32);
	mem_wipe((char *)(uintptr_t)out.plaintext.p, 32);
	o->kms_key = out.key_id;
	o->data_key = out.ciphertext_blob;
	return 0;
}

int s3_seal_new(struct call *c, const struct s3_rec_bucket *b, struct str key, const struct s3_sse_request *q, struct s3_rec_object *o,
		uint8_t kek[32])
{
	struct str sse = q->sse, kms_key = q->kms_key, arn;
	bool bucket_key = q->bucket_key.v;
	int r;

	if (q->customer_algorithm.p || q->customer_key.p)
		return call_fail(c, &s3_err_not_implemented,
				 "Server-side encryption with keys that the customer provides (SSE-C) is not implemented by this cloud.");
	if (kms_key.p && !str_is(sse, "aws:kms"))
		return call_fail(
			c, &s3_err_invalid_argument,
			"Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms");
	if (sse.p && !str_is(sse, "AES256") && !str_is(sse, "aws:kms"))
		return call_fail(c, &s3_err_not_implemented, "The server-side encryption %.*s is not implemented by this cloud.", STR(sse));
	if (!sse.p) {
		sse = b->sse.p ? b->sse : S("AES256");
		kms_key = b->kms_key;
	}
	if (!q->bucket_key.has)
		bucket_key = b->bucket_key.v;
	o->sse = sse;
	o->kms_key = o->data_key = STR_NONE;
	o->bucket_key = (struct opt_bool){ 0 };
	o->context = (struct str_map){ 0 };
	o->user_context = STR_NONE;
	if (str_is(sse, "AES256")) {
		cloud_master_key(c->cloud, "s3", kek);
		return 0;
	}
	if (!kms_key.p && b->kms_key.p && str_is(b->sse, "aws:kms") && !q->sse.p)
		kms_key = b->kms_key;
	o->kms_key = kms_key.p ? kms_key : S("alias/aws/s3");
	if (bucket_key)
		o->bucket_key = OPT_BOOL(true);
	o->user_context = q->context;
	arn = bucket_key ? s3_bucket_arn(c, b->name) : s3_object_arn(c, b->name, key);
	r = context_of(c, q->context, arn, &o->context);
	return r < 0 ? r : data_key(c, o, kek);
}

int s3_seal_open(struct call *c, const struct s3_rec_object *o, uint8_t kek[32])
{
	struct kms_decrypt_request in = { .ciphertext_blob = o->data_key, .encryption_context = o->context };
	struct kms_decrypt_response out = { 0 };
	struct call_error e = { 0 };
	int r;

	if (!o->data_key.p) {
		cloud_master_key(c->cloud, "s3", kek);
		return 0;
	}
	if (c->who->p.type == PRINCIPAL_ANONYMOUS)
		return call_fail(c, &s3_err_invalid_argument,
				 "Requests specifying Server Side Encryption with AWS KMS managed keys require AWS Signature Version 4.");
	r = call_invoke(c, &kms_model, "Decrypt", &in, &out, "s3.amazonaws.com", &e);
	if (r < 0)
		return kms_refused(c, &e, r);
	if (out.plaintext.n != 32)
		return -EBADMSG;
	memcpy(kek, out.plaintext.p, 32);
	mem_wipe((char *)(uintptr_t)out.plaintext.p, 32);
	return 0;
}

static void add_slices(struct arena *a, const struct s3_rec_part *p, struct s3_rec_part_list *l, size_t *cap)
{
	vec_push(a, l->v, l->n, *cap) = *p;
	if (p->more.n) /* the part's size is that of all its slices */
		for (size_t i = 0; i < p->more.n; i++)
			l->v[l->n - 1].size.v -= p->more.v[i].size.v;
	for (size_t i = 0; i < p->more.n; i++)
		vec_push(a, l->v, l->n, *cap) = p->more.v[i];
}

int s3_object_slices(struct store_txn *t, struct arena *a, const struct s3_rec_object *o, struct s3_rec_part_list *ret)
{
	struct store_range range = { 0 };
	struct str k, value;
	struct keybuf prefix;
	size_t cap = 0;
	int r;

	*ret = (struct s3_rec_part_list){ 0 };
	if (!o->upload.p) {
		struct s3_rec_part p = { .file = o->file, .file_key = o->file_key, .size = o->size, .file_size = o->size };

		add_slices(a, &p, ret, &cap);
		return 0;
	}
	s3_part_prefix(&prefix, o->upload);
	r = store_range_open(&range, t, key_view(&prefix), STR_NONE, false);
	while (r == 0 && (r = store_range_next(&range, &k, &value)) == 1) {
		struct s3_rec_part p;

		r = record_decode(&s3_records, S3_REC_PART, a, value, &p);
		if (r == 0)
			add_slices(a, &p, ret, &cap);
	}
	store_range_close(&range);
	return r;
}

/* A small body is copied: it is read when the snapshot is gone. */
static int take_small(struct store_txn *t, struct s3_piece *p)
{
	struct str view;
	int r = s3_small_get(t, str_c(p->file), &view);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	p->bytes = str_of(memcpy(xmalloc(view.n), view.p, view.n), view.n);
	return 0;
}

int s3_slices_cut(struct store_txn *t, const uint8_t kek[32], const struct s3_rec_part_list *l, uint64_t from, uint64_t to,
		  struct s3_piece **ret, size_t *ret_n)
{
	struct s3_piece *v = xzalloc((l->n + 1) * sizeof *v);
	uint64_t base = 0;
	size_t n = 0;

	for (size_t i = 0; i < l->n && base < to; i++) {
		const struct s3_rec_part *p = &l->v[i];
		uint64_t end = base + (uint64_t)p->size.v, offset = (uint64_t)p->file_offset.v;
		struct s3_piece *x = &v[n];

		if (from < end) {
			if (p->file.n >= sizeof x->file || s3_key_unwrap(kek, p->file, p->file_key, x->key) < 0)
				goto damaged;
			memcpy(x->file, p->file.p, p->file.n);
			x->size = (uint64_t)p->file_size.v;
			if (x->size <= S3_SMALL_BYTES_MAX && take_small(t, x) < 0)
				goto damaged;
			x->from = offset + (from > base ? from - base : 0);
			x->to = offset + (to < end ? to - base : (uint64_t)p->size.v);
			if (x->to > x->size)
				goto damaged;
			n++;
		}
		base = end;
	}
	*ret = v;
	*ret_n = n;
	return 0;
damaged:
	s3_pieces_free(v, l->n + 1);
	return -EBADMSG;
}

int s3_object_pieces(struct call *c, const struct s3_rec_object *o, uint64_t from, uint64_t to, struct s3_piece **ret, size_t *ret_n)
{
	struct s3_rec_part_list slices;
	uint8_t kek[32];
	int r = s3_object_slices(c->txn, c->arena, o, &slices);

	if (r == 0)
		r = s3_seal_open(c, o, kek);
	if (r < 0)
		return r;
	r = s3_slices_cut(c->txn, kek, &slices, from, to, ret, ret_n);
	mem_wipe(kek, sizeof kek);
	return r;
}
