/* SPDX-License-Identifier: Apache-2.0 */
/* certificates.c - server certificates: uploaded with their private key, which is checked to be theirs, kept sealed, and never given
 * out again. */
#include "svc/iam/ops.h"
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

static BIO *reader(struct str pem)
{
	BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n); /* the model bounds it */

	if (!b)
		abort();
	return b;
}

/* A sealed key is refused, and nobody is asked on a terminal. Not the empty passphrase (0): trying it takes as many rounds of hashing as
 * the key says. */
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
	return -1;
}

static X509 *read_certificate(struct str pem)
{
	BIO *b = reader(pem);
	X509 *x = PEM_read_bio_X509(b, NULL, no_passphrase, NULL);

	BIO_free(b);
	ERR_clear_error();
	return x;
}

static EVP_PKEY *read_key(struct str pem)
{
	BIO *b = reader(pem);
	EVP_PKEY *k = PEM_read_bio_PrivateKey(b, NULL, no_passphrase, NULL);

	BIO_free(b);
	ERR_clear_error();
	return k;
}

static bool chain_ok(struct str pem)
{
	BIO *b;
	X509 *x;
	size_t n = 0;

	if (!pem.p)
		return true;
	b = reader(pem);
	while ((x = PEM_read_bio_X509(b, NULL, no_passphrase, NULL))) {
		X509_free(x);
		n++;
	}
	/* What ended it must be the end of the text, not a certificate that can't be read. */
	bool ended = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
	BIO_free(b);
	ERR_clear_error();
	return n > 0 && ended;
}

static int64_t asn1_ms(const ASN1_TIME *t)
{
	ASN1_TIME *zero = ASN1_TIME_set(NULL, 0);
	int days = 0, seconds = 0;

	if (!zero || ASN1_TIME_diff(&days, &seconds, zero, t) != 1)
		days = seconds = 0;
	ASN1_TIME_free(zero);
	return ((int64_t)days * 86400 + seconds) * 1000;
}

/* check_pair: a certificate that is good now, and the key that is its. *ret_expires is set. */
static int check_pair(struct call *c, struct str body, struct str key_pem, int64_t *ret_expires)
{
	X509 *x = read_certificate(body);
	EVP_PKEY *key = read_key(key_pem);
	int64_t now = c->now_ms - clock_offset_ms();
	int r = 0;

	if (!x)
		r = call_fail(c, &iam_err_malformed_certificate,
			      "Unable to parse certificate. Please ensure the certificate is in PEM format.");
	else if (!key)
		r = call_fail(c, &iam_err_malformed_certificate,
			      "Unable to parse key: the private key must be unencrypted and in PEM format.");
	else if (X509_check_private_key(x, key) != 1)
		r = call_fail(c, &iam_err_key_pair_mismatch, "Private Key and Certificate do not match.");
	else {
		*ret_expires = asn1_ms(X509_get0_notAfter(x));
		if (*ret_expires <= now || asn1_ms(X509_get0_notBefore(x)) > now)
			r = call_fail(c, &iam_err_malformed_certificate, "The certificate is not valid at present.");
	}
	X509_free(x);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return r;
}

static struct iam_server_certificate_metadata *metadata(struct call *c, const struct iam_rec_entity *e, const struct iam_rec_certificate *m)
{
	struct iam_server_certificate_metadata *d = arena_new(c->arena, struct iam_server_certificate_metadata);

	*d = (struct iam_server_certificate_metadata){
		.path = e->path,
		.server_certificate_name = e->name,
		.server_certificate_id = e->id,
		.arn = e->arn,
		.upload_date = e->created,
		.expiration = m->expires,
	};
	return d;
}

int iam_upload_server_certificate(struct call *c, const struct iam_upload_server_certificate_request *in,
				  struct iam_upload_server_certificate_response *out)
{
	struct iam_rec_certificate m = { .body = in->certificate_body, .chain = in->certificate_chain };
	struct iam_rec_entity e;
	struct str_map tags;
	int64_t expires = 0;
	int r = iam_tags_check(c, &in->tags, &tags);

	if (r == 0)
		r = iam_new(c, IAM_CERTIFICATE, in->server_certificate_name, in->path, &e);
	if (r == 0)
		r = check_pair(c, in->certificate_body, in->private_key, &expires);
	if (r == 0 && !chain_ok(in->certificate_chain))
		r = call_fail(c, &iam_err_malformed_certificate,
			      "Unable to parse certificate chain. Please ensure the chain is in PEM format.");
	if (r < 0)
		return r;
	e.tags = tags;
	m.expires = OPT_TIME(expires);
	m.sealed = iam_seal(c->cloud, c->arena, str_printf(c->arena, "certificate/%.*s/%.*s", STR(c->account), STR(e.id)), in->private_key);
	out->server_certificate_metadata = metadata(c, &e, &m);
	if (tags.n)
		out->tags = iam_tags_view(c, &tags);
	r = iam_insert(c, IAM_CERTIFICATE, &e);
	return r < 0 ? r : iam_more_put(c, IAM_REC_CERTIFICATE, e.id, &m);
}

int iam_get_server_certificate(struct call *c, const struct iam_get_server_certificate_request *in,
			       struct iam_get_server_certificate_response *out)
{
	struct iam_server_certificate *s;
	struct iam_rec_certificate m;
	struct iam_rec_entity e;
	int r = iam_load(c, IAM_CERTIFICATE, in->server_certificate_name, &e);

	if (r == 0)
		r = iam_more_get(c->txn, c->arena, c->account, IAM_REC_CERTIFICATE, e.id, &m);
	if (r < 0)
		return r;
	s = out->server_certificate = arena_new(c->arena, struct iam_server_certificate);
	s->server_certificate_metadata = metadata(c, &e, &m);
	s->certificate_body = m.body;
	s->certificate_chain = m.chain;
	if (e.tags.n)
		s->tags = iam_tags_view(c, &e.tags);
	return 0;
}

int iam_list_server_certificates(struct call *c, const struct iam_list_server_certificates_request *in,
				 struct iam_list_server_certificates_response *out)
{
	struct iam_rec_certificate m;
	struct iam_rec_entity e;
	struct iam_pages p = { 0 };
	struct keybuf k;
	struct str rest, value;
	int r;

	out->server_certificate_metadata_list.v = arena_array(c->arena, struct iam_server_certificate_metadata,
							      iam_page_size(in->max_items));
	iam_key_of(&k, c->account, "iam.certificate", STR_NONE, STR_NONE);
	r = iam_pages_open(&p, c, &k, IAM_PAGE(in, out));
	while (r >= 0 && (r = iam_pages_next(&p, &rest, &value)) > 0) {
		r = iam_decode(c, value, &e);
		if (r == 0)
			r = iam_more_get(c->txn, c->arena, c->account, IAM_REC_CERTIFICATE, e.id, &m);
		if (r < 0)
			break;
		if (in->path_prefix.p && !str_starts(e.path, in->path_prefix))
			continue;
		out->server_certificate_metadata_list.v[out->server_certificate_metadata_list.n++] = *metadata(c, &e, &m);
		iam_pages_take(&p);
	}
	return iam_pages_close(&p, r);
}

int iam_update_server_certificate(struct call *c, const struct iam_update_server_certificate_request *in,
				  struct iam_update_server_certificate_response *out)
{
	struct iam_rec_entity e;
	int r = iam_load(c, IAM_CERTIFICATE, in->server_certificate_name, &e);

	return r < 0 ? r : iam_rename(c, IAM_CERTIFICATE, &e, in->new_server_certificate_name, in->new_path);
}

int iam_delete_server_certificate(struct call *c, const struct iam_delete_server_certificate_request *in,
				  struct iam_delete_server_certificate_response *out)
{
	struct iam_rec_entity e;
	int r = iam_load(c, IAM_CERTIFICATE, in->server_certificate_name, &e);

	if (r == 0)
		r = iam_more_del(c, e.id);
	return r < 0 ? r : iam_remove(c, IAM_CERTIFICATE, &e);
}
