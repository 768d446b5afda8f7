/* SPDX-License-Identifier: Apache-2.0 */
/* cert.c - the cloud's certificates in DIR/tls: an authority made once, and a server certificate that is signed anew
 * when it is missing, damaged, close to its end, or does not cover a name it should. Clients trust ca.pem (`cloudkeep
 * env`), so it stays the same as long as it can. */
#include "cli/cli.h"
#include "http/http.h"
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <arpa/inet.h>
#include <sys/stat.h>

#define RENEW_S (30 * 86400) /* before its end */

static void x509_done(X509 **x)
{
	X509_free(*x);
}
static void pkey_done(EVP_PKEY **k)
{
	EVP_PKEY_free(*k);
}

static X509 *parse_cert(struct str pem)
{
	BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);
	X509 *x = b ? PEM_read_bio_X509(b, NULL, NULL, NULL) : NULL;

	BIO_free(b);
	ERR_clear_error();
	return x;
}

static EVP_PKEY *parse_key(struct str pem)
{
	BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);
	EVP_PKEY *k = b ? PEM_read_bio_PrivateKey(b, NULL, NULL, NULL) : NULL;

	BIO_free(b);
	ERR_clear_error();
	return k;
}

/* OpenSSL's own matching refuses "*.localhost" (one label), which other clients take: names are compared as written. */
static bool covers(X509 *x, const char *name)
{
	GENERAL_NAMES *all;
	uint8_t ip[16];
	bool found = false;

	if (inet_pton(AF_INET, name, ip) == 1 || inet_pton(AF_INET6, name, ip) == 1)
		return X509_check_ip_asc(x, name, 0) == 1;
	all = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	for (int i = 0; !found && i < sk_GENERAL_NAME_num(all); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(all, i);

		if (g->type == GEN_DNS)
			found = str_eq_ci(str_of((const char *)ASN1_STRING_get0_data(g->d.dNSName), (size_t)ASN1_STRING_length(g->d.dNSName)), str_c(name));
	}
	GENERAL_NAMES_free(all);
	return found;
}

/* good: this pair is whole and has time left; names and ca may be NULL. */
static bool good(struct str cert, struct str key, struct str ca, const char *const *names)
{
	_cleanup_(x509_done) X509 *x = parse_cert(cert), *issuer = ca.p ? parse_cert(ca) : NULL;
	_cleanup_(pkey_done) EVP_PKEY *k = parse_key(key), *ca_key = issuer ? X509_get_pubkey(issuer) : NULL;
	time_t limit = time(NULL) + RENEW_S;
	bool ok = x && k && X509_check_private_key(x, k) == 1 && X509_cmp_time(X509_get0_notAfter(x), &limit) > 0;

	if (ok && ca.p)
		ok = ca_key && X509_verify(x, ca_key) == 1;
	for (size_t i = 0; ok && names && names[i]; i++)
		ok = covers(x, names[i]);
	ERR_clear_error();
	return ok;
}

struct files {
	const char *ca, *ca_key, *cert, *key;
};

static struct str read_pem(struct arena *a, const char *path)
{
	struct str s;

	return cli_read_file(a, path, &s) == 0 ? s : STR_NONE;
}

/* Makes the authority where there is none that can be used. */
static int ensure_ca(struct arena *a, const struct files *f, struct str *ret_ca, struct str *ret_key)
{
	char *pem, *key_pem;
	int r;

	*ret_ca = read_pem(a, f->ca);
	*ret_key = read_pem(a, f->ca_key);
	if (ret_ca->p && ret_key->p && good(*ret_ca, *ret_key, STR_NONE, NULL))
		return 0;
	if (ret_ca->p)
		log_line(LOG_WARN, "%s cannot be used any more; a new authority is made, and clients need its certificate", f->ca);
	r = ca_make(&pem, &key_pem);
	if (r < 0)
		return r;
	*ret_ca = str_dup(a, str_c(pem));
	*ret_key = str_dup(a, str_c(key_pem));
	r = cli_write_file(f->ca_key, *ret_key, 0600);
	if (r == 0)
		r = cli_write_file(f->ca, *ret_ca, 0644);
	mem_wipe(key_pem, strlen(key_pem));
	free(pem);
	free(key_pem);
	return r;
}

int cert_ensure(struct arena *a, const char *dir, const char *const *names, char **ret_cert, char **ret_key)
{
	const char *tls = str_printf(a, "%s/tls", dir).p;
	struct files f = { str_printf(a, "%s/ca.pem", tls).p, str_printf(a, "%s/ca.key", tls).p, str_printf(a, "%s/server.pem", tls).p,
			   str_printf(a, "%s/server.key", tls).p };
	struct str ca = read_pem(a, f.ca), cert = read_pem(a, f.cert), key = read_pem(a, f.key), ca_key;
	int r;

	if (ca.p && cert.p && key.p && good(cert, key, ca, names)) {
		*ret_cert = xstrdup(cert.p);
		*ret_key = xstrdup(key.p);
		return 0;
	}
	if (mkdir(tls, 0700) < 0 && errno != EEXIST)
		return -errno;
	r = ensure_ca(a, &f, &ca, &ca_key);
	if (r == 0)
		r = ca_issue(ca.p, ca_key.p, names, ret_cert, ret_key);
	if (r < 0)
		return r;
	/* A crash in between leaves a pair that does not match: the next start makes another. */
	r = cli_write_file(f.key, str_c(*ret_key), 0600);
	return r < 0 ? r : cli_write_file(f.cert, str_c(*ret_cert), 0644);
}
