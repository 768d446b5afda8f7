/* SPDX-License-Identifier: Apache-2.0 */
/* crypt.c - encrypting and decrypting under symmetric keys.
 *
 * A ciphertext is: format (1 byte), account (12 digits), key id (36), key version (4, big-endian), salt (16), nonce (12),
 * then AES-256-GCM ciphertext and tag. The message key is HMAC-SHA256(version's material, salt), so that one KMS key may
 * encrypt without limit. The whole header and the encryption context are authenticated: a ciphertext opens only under the
 * key, and with the context, that made it. */
#include "base/secret.h"
#include "svc/kms/kms_int.h"
#include <assert.h>
#include <errno.h>

#define FORMAT 1
#define HEADER_BYTES (1 + 12 + 36 + 4 + 16 + 12)
#define SALT_AT (1 + 12 + 36 + 4)

/* The encryption context in one unambiguous order: sorted by key, every part with its length. */
static int pair_order(const void *a, const void *b)
{
	const struct str_pair *x = a, *y = b;

	return str_cmp(x->key, y->key);
}

static struct str make_aad(struct arena *a, const uint8_t *header, const struct str_map *ctx)
{
	struct str_pair *v = arena_dup(a, ctx->v, ctx->n * sizeof *v);
	size_t total = HEADER_BYTES;
	char *out, *p;

	if (ctx->n)
		qsort(v, ctx->n, sizeof *v, pair_order);
	for (size_t i = 0; i < ctx->n; i++)
		total += 8 + v[i].key.n + v[i].value.n;
	p = out = arena_alloc(a, total);
	memcpy(p, header, HEADER_BYTES);
	p += HEADER_BYTES;
	for (size_t i = 0; i < ctx->n; i++) {
		struct str part[2] = { v[i].key, v[i].value };

		for (int j = 0; j < 2; j++) {
			uint32_t n = (uint32_t)part[j].n;
			uint8_t len[4] = { (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n };

			memcpy(p, len, 4);
			memcpy(p + 4, part[j].p, part[j].n);
			p += 4 + part[j].n;
		}
	}
	return str_of(out, total);
}

/* The message key of one ciphertext. */
static int message_key(struct call *c, const struct kms_rec_key *k, uint32_t version, const uint8_t *salt, uint8_t out[32])
{
	const struct kms_rec_key_version *v;
	uint8_t wrap[32], material[KMS_KEY_BYTES];
	int r;

	if (version >= k->versions.n)
		return -EBADMSG;
	v = &k->versions.v[version];
	if (v->sealed.n != SEAL_NONCE_BYTES + KMS_KEY_BYTES + SEAL_TAG_BYTES)
		return -EBADMSG;
	cloud_master_key(c->cloud, "kms", wrap);
	r = aes_gcm_open_kept(wrap, str_printf(c->arena, "%.*s#%u", STR(k->arn), version), v->sealed, material);
	if (r == 0)
		hmac_sha256(material, sizeof material, salt, 16, out);
	mem_wipe(wrap, sizeof wrap);
	mem_wipe(material, sizeof material);
	return r;
}

static int seal(struct call *c, const struct kms_rec_key *k, struct str plain, const struct str_map *ctx, struct str *ret)
{
	uint32_t version = (uint32_t)k->versions.n - 1;
	uint8_t *p = arena_alloc(c->arena, HEADER_BYTES + plain.n + SEAL_TAG_BYTES), key[32];
	int r;

	assert(k->versions.n > 0 && k->account.n == 12 && k->id.n == 36);
	p[0] = FORMAT;
	memcpy(p + 1, k->account.p, 12);
	memcpy(p + 13, k->id.p, 36);
	p[49] = (uint8_t)(version >> 24);
	p[50] = (uint8_t)(version >> 16);
	p[51] = (uint8_t)(version >> 8);
	p[52] = (uint8_t)version;
	random_bytes(p + SALT_AT, 16 + SEAL_NONCE_BYTES);
	r = message_key(c, k, version, p + SALT_AT, key);
	if (r == 0)
		r = aes_gcm_seal(key, p + SALT_AT + 16, make_aad(c->arena, p, ctx), plain, p + HEADER_BYTES);
	mem_wipe(key, sizeof key);
	*ret = str_of((char *)p, HEADER_BYTES + plain.n + SEAL_TAG_BYTES);
	return r;
}

int kms_blob_key(struct call *c, struct str blob, struct kms_rec_key *ret)
{
	int r;

	if (blob.n < HEADER_BYTES + SEAL_TAG_BYTES || blob.p[0] != FORMAT)
		return -EBADMSG;
	r = kms_key_read(c->txn, c->arena, str_of(blob.p + 1, 12), str_of(blob.p + 13, 36), ret);
	return r == -ENOENT ? -EBADMSG : r;
}

/* Opens a ciphertext whose key is known to be the right one. */
static int unseal(struct call *c, const struct kms_rec_key *k, struct str blob, const struct str_map *ctx, struct str *ret,
		  struct str *ret_material)
{
	const uint8_t *p = (const uint8_t *)blob.p;
	uint32_t version = (uint32_t)p[49] << 24 | (uint32_t)p[50] << 16 | (uint32_t)p[51] << 8 | p[52];
	size_t n = blob.n - HEADER_BYTES - SEAL_TAG_BYTES;
	uint8_t key[32], *plain = arena_alloc(c->arena, n + 1);
	int r = message_key(c, k, version, p + SALT_AT, key);

	if (r == 0)
		r = aes_gcm_open(key, p + SALT_AT + 16, make_aad(c->arena, p, ctx), str_skip(blob, HEADER_BYTES), plain);
	mem_wipe(key, sizeof key);
	if (r < 0)
		return call_fail(c, &kms_err_invalid_ciphertext, "%s", "");
	*ret = str_of((char *)plain, n);
	*ret_material = k->versions.v[version].material_id;
	return 0;
}

/* The key a call encrypts with: found, usable, and DryRun answered. */
static int encrypt_key(struct call *c, struct str id, bool dry_run, struct kms_rec_key *ret)
{
	int r = kms_key_authorized(c, id, ret) ? 0 : kms_key_load(c, id, true, ret);

	if (r == 0)
		r = kms_key_usable(c, ret);
	if (r == 0 && dry_run)
		return call_fail(c, &kms_err_dry_run_operation, "The request would have succeeded, but the DryRun option is set.");
	return r;
}

static int symmetric_only(struct call *c, struct str algorithm)
{
	if (algorithm.p && !str_is(algorithm, "SYMMETRIC_DEFAULT"))
		return call_fail(c, &kms_err_invalid_key_usage, "Algorithm %.*s and key spec SYMMETRIC_DEFAULT are incompatible.",
				 STR(algorithm));
	return 0;
}

static int no_recipient(struct call *c, const struct kms_recipient_info *r)
{
	return r ? call_fail(c, &kms_err_unsupported_operation, "Recipient (Nitro Enclaves) is not implemented by this cloud.") : 0;
}

KMS_HANDLER(encrypt)
{
	struct kms_rec_key k;
	int r = symmetric_only(c, in->encryption_algorithm);

	if (r == 0)
		r = encrypt_key(c, in->key_id, in->dry_run.v, &k);
	if (r == 0)
		r = seal(c, &k, in->plaintext, &in->encryption_context, &out->ciphertext_blob);
	if (r < 0)
		return r;
	out->key_id = k.arn;
	out->encryption_algorithm = S("SYMMETRIC_DEFAULT");
	return 0;
}

/* The key named by the ciphertext, which must be the one that the caller expects, where one is given. */
static int decrypt_key(struct call *c, struct str blob, struct str expected, bool dry_run, struct kms_rec_key *ret)
{
	struct kms_rec_key e;
	int r = kms_blob_key(c, blob, ret);

	if (r == -EBADMSG)
		return call_fail(c, &kms_err_invalid_ciphertext, "%s", "");
	if (r == 0 && expected.p) {
		r = kms_key_load(c, expected, true, &e);
		if (r == 0 && !str_eq(e.arn, ret->arn))
			return call_fail(c, &kms_err_incorrect_key,
					 "The key ID in the request does not identify a CMK that can perform this operation.");
	}
	if (r == 0)
		r = kms_key_usable(c, ret);
	if (r == 0 && dry_run)
		return call_fail(c, &kms_err_dry_run_operation, "The request would have succeeded, but the DryRun option is set.");
	return r;
}

KMS_HANDLER(decrypt)
{
	struct kms_rec_key k;
	int r = symmetric_only(c, in->encryption_algorithm);

	if (r == 0)
		r = no_recipient(c, in->recipient);
	if (r == 0)
		r = decrypt_key(c, in->ciphertext_blob, in->key_id, in->dry_run.v, &k);
	if (r == 0)
		r = unseal(c, &k, in->ciphertext_blob, &in->encryption_context, &out->plaintext, &out->key_material_id);
	if (r < 0)
		return r;
	out->key_id = k.arn;
	out->encryption_algorithm = S("SYMMETRIC_DEFAULT");
	return 0;
}

KMS_HANDLER(re_encrypt)
{
	struct kms_rec_key from, to;
	struct str plain = STR_NONE;
	int r = symmetric_only(c, in->source_encryption_algorithm);

	if (r == 0)
		r = symmetric_only(c, in->destination_encryption_algorithm);
	if (r == 0)
		r = decrypt_key(c, in->ciphertext_blob, in->source_key_id, false, &from);
	if (r == 0)
		r = encrypt_key(c, in->destination_key_id, in->dry_run.v, &to);
	if (r == 0)
		r = unseal(c, &from, in->ciphertext_blob, &in->source_encryption_context, &plain, &out->source_key_material_id);
	if (r == 0)
		r = seal(c, &to, plain, &in->destination_encryption_context, &out->ciphertext_blob);
	mem_wipe((char *)(uintptr_t)plain.p, plain.n);
	if (r < 0)
		return r;
	out->source_key_id = from.arn;
	out->key_id = to.arn;
	out->source_encryption_algorithm = out->destination_encryption_algorithm = S("SYMMETRIC_DEFAULT");
	out->destination_key_material_id = to.versions.v[to.versions.n - 1].material_id;
	return 0;
}

static int data_key_bytes(struct call *c, struct str spec, struct opt_int bytes, size_t *ret)
{
	if (!spec.p == !bytes.has)
		return call_fail(c, &aws_err_validation_exception, "Please specify either number of bytes or key spec.");
	*ret = bytes.has ? (size_t)bytes.v : str_is(spec, "AES_256") ? 32 : 16;
	return 0;
}

static int data_key(struct call *c, const struct kms_rec_key *k, size_t n, const struct str_map *ctx, struct str *ret_plain,
		    struct str *ret_blob)
{
	char *p = arena_alloc(c->arena, n);

	random_bytes(p, n);
	*ret_plain = str_of(p, n);
	return seal(c, k, *ret_plain, ctx, ret_blob);
}

KMS_HANDLER(generate_data_key)
{
	struct kms_rec_key k;
	size_t n = 0;
	int r = data_key_bytes(c, in->key_spec, in->number_of_bytes, &n);

	if (r == 0)
		r = no_recipient(c, in->recipient);
	if (r == 0)
		r = encrypt_key(c, in->key_id, in->dry_run.v, &k);
	if (r == 0)
		r = data_key(c, &k, n, &in->encryption_context, &out->plaintext, &out->ciphertext_blob);
	if (r < 0)
		return r;
	out->key_id = k.arn;
	out->key_material_id = k.versions.v[k.versions.n - 1].material_id;
	return 0;
}

KMS_HANDLER(generate_data_key_without_plaintext)
{
	struct kms_rec_key k;
	struct str plain = STR_NONE;
	size_t n = 0;
	int r = data_key_bytes(c, in->key_spec, in->number_of_bytes, &n);

	if (r == 0)
		r = encrypt_key(c, in->key_id, in->dry_run.v, &k);
	if (r == 0)
		r = data_key(c, &k, n, &in->encryption_context, &plain, &out->ciphertext_blob);
	mem_wipe((char *)(uintptr_t)plain.p, plain.n);
	if (r < 0)
		return r;
	out->key_id = k.arn;
	out->key_material_id = k.versions.v[k.versions.n - 1].material_id;
	return 0;
}

KMS_HANDLER(generate_random)
{
	size_t n = (size_t)in->number_of_bytes.v;
	char *p;
	int r = no_recipient(c, in->recipient);

	if (r < 0)
		return r;
	if (in->custom_key_store_id.p)
		return call_fail(c, &kms_err_unsupported_operation, "Custom key stores are not implemented by this cloud.");
	if (!in->number_of_bytes.has)
		return call_fail(c, &aws_err_validation_exception, "Number of bytes must be specified.");
	p = arena_alloc(c->arena, n);
	random_bytes(p, n);
	out->plaintext = str_of(p, n);
	return 0;
}
