/* SPDX-License-Identifier: Apache-2.0 */
/* certificates.c - client certificates: made here, self-signed, their keys sealed; shown to backends by stages. */
#include "svc/apigateway/apigateway_int.h"
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#define YEAR_MS (365LL * 86400000)

static struct str bio_text(struct arena *a, BIO *b)
{
	char *p;
	long n = BIO_get_mem_data(b, &p);

	return n > 0 ? str_dup(a, str_of(p, (size_t)n)) : STR_NONE;
}

static int self_sign(X509 *x, EVP_PKEY *key, int64_t now_ms)
{
	X509_NAME *name = X509_get_subject_name(x);
	uint64_t serial;

	random_bytes(&serial, sizeof serial);
	return X509_set_version(x, 2) == 1 && ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial >> 1) == 1 &&
			       ASN1_TIME_set(X509_getm_notBefore(x), (time_t)(now_ms / 1000)) &&
			       ASN1_TIME_set(X509_getm_notAfter(x), (time_t)((now_ms + YEAR_MS) / 1000)) &&
			       X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"ApiGateway", -1, -1, 0) == 1 &&
			       X509_set_issuer_name(x, name) == 1 && X509_set_pubkey(x, key) == 1 && X509_sign(x, key, EVP_sha256()) > 0
		       ? 0
		       : -EIO;
}

/* A P-256 key and a certificate for it, both PEM. The key is a secret of the caller's. */
static int make(struct arena *a, int64_t now_ms, struct str *ret_cert, struct str *ret_key)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	BIO *cert = BIO_new(BIO_s_mem()), *priv = BIO_new(BIO_s_secmem());
	int r = key && x && cert && priv ? self_sign(x, key, now_ms) : -ENOMEM;

	if (r == 0 && (PEM_write_bio_X509(cert, x) != 1 || PEM_write_bio_PrivateKey(priv, key, NULL, NULL, 0, NULL, NULL) != 1))
		r = -EIO;
	if (r == 0) {
		*ret_cert = bio_text(a, cert);
		*ret_key = bio_text(a, priv);
	}
	BIO_free(priv);
	BIO_free(cert);
	X509_free(x);
	EVP_PKEY_free(key);
	return r;
}

static int seal_key(struct call *c, struct str id, struct str pem, struct str *ret)
{
	uint8_t key[32], *out = arena_alloc(c->arena, SEAL_NONCE_BYTES + pem.n + SEAL_TAG_BYTES);
	int r;

	random_bytes(out, SEAL_NONCE_BYTES);
	cloud_master_key(c->cloud, "apigateway-certificate", key);
	r = aes_gcm_seal(key, out, id, pem, out + SEAL_NONCE_BYTES);
	mem_wipe(key, sizeof key);
	*ret = str_of((const char *)out, SEAL_NONCE_BYTES + pem.n + SEAL_TAG_BYTES);
	return r;
}

APIGW_HANDLER(generate_client_certificate, generate_client_certificate_request, client_certificate)
{
	struct apigw_rec_client_certificate cert = { .description = in->description, .tags = in->tags };
	struct str key = STR_NONE;
	int r = apigw_check_tags(c, &in->tags);

	if (r == 0)
		r = apigw_count(c, &apigw_cert_kind, STR_NONE, APIGW_CERTIFICATES_MAX);
	if (r >= APIGW_CERTIFICATES_MAX)
		return call_fail(c, &apigateway_err_limit_exceeded, "Maximum number of client certificates of this account reached: %d",
				 APIGW_CERTIFICATES_MAX);
	if (r < 0)
		return r;
	cert.client_certificate_id = apigw_id(c, APIGW_PART_ID_CHARS);
	cert.created_date = OPT_TIME(c->now_ms / 1000 * 1000);
	cert.expiration_date = OPT_TIME(cert.created_date.ms + YEAR_MS);
	r = make(c->arena, cert.created_date.ms, &cert.pem_encoded_certificate, &key);
	if (r == 0)
		r = seal_key(c, cert.client_certificate_id, key, &cert.sealed_key);
	if (key.n)
		mem_wipe((char *)(uintptr_t)key.p, key.n);
	if (r == 0)
		r = apigw_put(c, &apigw_cert_kind, cert.client_certificate_id, STR_NONE, &cert);
	if (r == 0)
		apigw_out(c, APIGW_REC_CLIENT_CERTIFICATE, &cert, out);
	return r;
}

APIGW_HANDLER(get_client_certificate, get_client_certificate_request, client_certificate)
{
	struct apigw_rec_client_certificate cert;
	int r = apigw_part(c, &apigw_cert_kind, in->client_certificate_id, STR_NONE, &cert);

	if (r == 0)
		apigw_out(c, APIGW_REC_CLIENT_CERTIFICATE, &cert, out);
	return r;
}

APIGW_HANDLER(get_client_certificates, get_client_certificates_request, client_certificates)
{
	return apigw_list(c, &apigw_cert_kind, STR_NONE, in->position, in->limit, NULL, NULL, out);
}

static const struct apigw_rule rules[] = { { "/description", APIGW_REPLACE }, { NULL } };

APIGW_HANDLER(update_client_certificate, update_client_certificate_request, client_certificate)
{
	struct apigw_rec_client_certificate cert;
	int r = apigw_part(c, &apigw_cert_kind, in->client_certificate_id, STR_NONE, &cert);

	if (r == 0)
		r = apigw_patch(c, APIGW_REC_CLIENT_CERTIFICATE, &cert, &in->patch_operations, rules);
	if (r == 0)
		r = apigw_put(c, &apigw_cert_kind, cert.client_certificate_id, STR_NONE, &cert);
	if (r == 0)
		apigw_out(c, APIGW_REC_CLIENT_CERTIFICATE, &cert, out);
	return r;
}

/* A stage that still names it keeps it. */
static int in_use(struct call *c, struct str id, struct str *ret)
{
	struct apigw_rec_api_list_ {
		struct apigw_rec_api *v;
		size_t n;
	} apis;
	int r = apigw_all(c, &apigw_api_kind, STR_NONE, &apis);

	*ret = STR_NONE;
	for (size_t i = 0; r == 0 && i < apis.n; i++) {
		struct apigw_rec_stage_list stages;

		r = apigw_all(c, &apigw_stage_kind, apis.v[i].id, &stages);
		for (size_t j = 0; r == 0 && j < stages.n; j++)
			if (str_eq(stages.v[j].client_certificate_id, id))
				*ret = str_printf(c->arena, "%.*s/%.*s", STR(apis.v[i].id), STR(stages.v[j].stage_name));
	}
	return r;
}

APIGW_HANDLER(delete_client_certificate, delete_client_certificate_request, delete_client_certificate_response)
{
	struct apigw_rec_client_certificate cert;
	struct str user;
	int r = apigw_part(c, &apigw_cert_kind, in->client_certificate_id, STR_NONE, &cert);

	if (r == 0)
		r = in_use(c, cert.client_certificate_id, &user);
	if (r == 0 && user.p)
		return call_fail(c, &apigateway_err_bad_request, "Client certificate %.*s is in use by stage %.*s",
				 STR(cert.client_certificate_id), STR(user));
	return r == 0 ? apigw_del(c, &apigw_cert_kind, cert.client_certificate_id, STR_NONE) : r;
}
