/* SPDX-License-Identifier: Apache-2.0 */
/* seal.c - the keys of layers and manifests. Each has a key of its own, wrapped (AES-256-GCM, bound to what it belongs to) under
 * one derived from the cloud's master key, or, in a repository with a KMS key, under a data key that KMS must open again for
 * each read. As on AWS, who creates the repository lets ECR use the key with a grant; pushing and pulling needs no right in KMS.
 * Source: "Encryption at rest" (Amazon ECR User Guide). */
#include "gen_kms.h"
#include "svc/ecr/ecr_int.h"
#include <errno.h>

#define SERVICE "ecr.amazonaws.com"

static struct str_map context(struct call *c, const struct ecr_rec_repository *p)
{
	struct str_pair *v = arena_new(c->arena, struct str_pair);

	*v = (struct str_pair){ S("aws:ecr:arn"), ecr_arn(c, p->account, p->name) };
	return (struct str_map){ v, 1 };
}

static int refused(struct call *c, const struct ecr_rec_repository *p, const struct call_error *e, int r)
{
	if (!e->err || e->err->status >= 500)
		return r;
	return call_fail(c, &ecr_err_kms, "The operation failed because of the KMS key '%.*s': %.*s", STR(p->kms_key), STR(e->message));
}

/* ECR asks as itself, with the grant; where the key is AWS's own for ECR, the caller's account decides. */
static int kms_call(struct call *c, const struct ecr_rec_repository *p, const char *op, const void *in, void *out, struct call_error *e)
{
	return p->grant.p ? call_invoke_as(c, SERVICE, &kms_model, op, in, out, e) : call_invoke(c, &kms_model, op, in, out, SERVICE, e);
}

int ecr_key_attach(struct call *c, struct ecr_rec_repository *p)
{
	struct str operations[] = { S("DescribeKey"), S("GenerateDataKey"), S("Decrypt"), S("RetireGrant") };
	bool own = !p->kms_key.p || str_ends(p->kms_key, S("alias/aws/ecr"));
	struct kms_describe_key_request look = { .key_id = own ? S("alias/aws/ecr") : p->kms_key };
	struct kms_describe_key_response key = { 0 };
	struct kms_grant_constraints only = { .encryption_context_subset = context(c, p) };
	struct kms_create_grant_request in = { .grantee_service_principal = S(SERVICE),
					       .retiring_service_principal = S(SERVICE),
					       .constraints = &only };
	struct kms_create_grant_response out = { 0 };
	struct call_error e = { 0 };
	int r = call_invoke(c, &kms_model, "DescribeKey", &look, &key, SERVICE, &e);

	if (r < 0)
		return refused(c, p, &e, r);
	p->kms_key = key.key_metadata->arn;
	if (str_is(key.key_metadata->key_manager, "AWS"))
		return 0;
	in.key_id = p->kms_key;
	in.operations.v = arena_dup(c->arena, operations, sizeof operations);
	in.operations.n = ELEMENTS(operations);
	r = call_invoke(c, &kms_model, "CreateGrant", &in, &out, SERVICE, &e);
	if (r < 0)
		return refused(c, p, &e, r);
	p->grant = out.grant_id;
	return 0;
}

/* The grant goes with its repository. A key that is gone has taken it along. */
void ecr_key_detach(struct call *c, const struct ecr_rec_repository *p)
{
	struct kms_retire_grant_request in = { .key_id = p->kms_key, .grant_id = p->grant };
	struct kms_retire_grant_response out = { 0 };
	struct call_error e = { 0 };

	if (p->grant.p)
		(void)call_invoke_as(c, SERVICE, &kms_model, "RetireGrant", &in, &out, &e);
}

static int take_key(struct str plain, uint8_t kek[32])
{
	if (plain.n != 32)
		return -EBADMSG;
	memcpy(kek, plain.p, 32);
	mem_wipe((char *)(uintptr_t)plain.p, 32);
	return 0;
}

int ecr_seal_new(struct call *c, const struct ecr_rec_repository *p, uint8_t kek[32], struct str *ret_data_key)
{
	struct kms_generate_data_key_request in = { .key_id = p->kms_key, .key_spec = S("AES_256"), .encryption_context = context(c, p) };
	struct kms_generate_data_key_response out = { 0 };
	struct call_error e = { 0 };
	int r;

	*ret_data_key = STR_NONE;
	if (!str_is(p->encryption, "KMS")) {
		cloud_master_key(c->cloud, "ecr", kek);
		return 0;
	}
	r = kms_call(c, p, "GenerateDataKey", &in, &out, &e);
	if (r < 0)
		return refused(c, p, &e, r);
	*ret_data_key = out.ciphertext_blob;
	return take_key(out.plaintext, kek);
}

int ecr_seal_open(struct call *c, const struct ecr_rec_repository *p, struct str data_key, uint8_t kek[32], struct str *ret_why)
{
	struct kms_decrypt_request in = { .ciphertext_blob = data_key, .key_id = p->kms_key, .encryption_context = context(c, p) };
	struct kms_decrypt_response out = { 0 };
	struct call_error e = { 0 };
	int r;

	if (!data_key.p) {
		cloud_master_key(c->cloud, "ecr", kek);
		return 0;
	}
	r = kms_call(c, p, "Decrypt", &in, &out, &e);
	if (r < 0) {
		*ret_why = e.message;
		return e.err && e.err->status < 500 ? -EACCES : r;
	}
	return take_key(out.plaintext, kek);
}

struct str ecr_wrap(struct arena *a, const uint8_t kek[32], struct str name, struct str plain)
{
	size_t n = SEAL_NONCE_BYTES + plain.n + SEAL_TAG_BYTES;
	uint8_t *p = arena_alloc(a, n);

	random_bytes(p, SEAL_NONCE_BYTES);
	if (aes_gcm_seal(kek, p, name, plain, p + SEAL_NONCE_BYTES) < 0)
		return STR_NONE;
	return str_of((char *)p, n);
}

int ecr_unwrap(struct arena *a, const uint8_t kek[32], struct str name, struct str sealed, struct str *ret)
{
	uint8_t *p;

	if (sealed.n < SEAL_NONCE_BYTES + SEAL_TAG_BYTES)
		return -EBADMSG;
	p = arena_alloc(a, sealed.n);
	if (aes_gcm_open(kek, (const uint8_t *)sealed.p, name, str_skip(sealed, SEAL_NONCE_BYTES), p) < 0)
		return -EBADMSG;
	*ret = str_of((char *)p, sealed.n - SEAL_NONCE_BYTES - SEAL_TAG_BYTES);
	return 0;
}
