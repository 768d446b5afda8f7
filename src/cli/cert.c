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
			found = str_eq_ci(
				str_of((const char *)ASN1_STRING_get0_data(g->d.dNSName), (size_t)ASN1_STRING_length(g->d.dNSName)),
				str_c(name));
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
	const char *ca, *ca_key, *cert, *key, *checked;
};

static struct str read_pem(struct arena *a, const char *path)
{
	struct str s;

	return cli_read_file(a, path, &s) == 0 ? s : STR_NONE;
}

/* --- what was checked already --- */
/* Decoding and verifying the pair takes longer than all else at a start. So it is done once: DIR/tls/checked holds a
 * digest of everything that was looked at, and the second until which it stays good. Whoever could forge that file could
 * as well write another pair. */
static void digest_add(uint8_t d[32], const void *p, size_t n)
{
	uint8_t both[64];

	memcpy(both, d, 32);
	hash_sha256(p, n, both + 32);
	hash_sha256(both, sizeof both, d);
}

static struct str digest_of(struct arena *a, struct str cert, struct str key, struct str ca, const char *const *names)
{
	const struct str parts[] = { cert, key, ca };
	uint8_t d[32] = { 0 };

	for (size_t i = 0; i < ELEMENTS(parts); i++)
		digest_add(d, parts[i].p, parts[i].n);
	for (size_t i = 0; names[i]; i++)
		digest_add(d, names[i], strlen(names[i]));
	return hex_encode(a, d, sizeof d);
}

static bool checked_before(struct arena *a, const struct files *f, struct str digest)
{
	struct str text = read_pem(a, f->checked), was, until;
	int64_t until_s;

	return text.p && str_cut(text, ' ', &was, &until) && str_eq(was, digest) && str_to_i64(until, &until_s) == 0 &&
	       time(NULL) < until_s;
}

/* A mark that can't be written costs time at the next start, nothing else. */
static void mark_checked(struct arena *a, const struct files *f, struct str digest, struct str cert)
{
	_cleanup_(x509_done) X509 *x = parse_cert(cert);
	int days = 0, s = 0;

	if (x && ASN1_TIME_diff(&days, &s, NULL, X509_get0_notAfter(x)) == 1)
		(void)cli_write_file(f->checked,
				     str_printf(a, "%.*s %lld", STR(digest), (long long)time(NULL) + days * 86400LL + s - RENEW_S), 0600);
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

static struct files files_of(struct arena *a, const char *tls)
{
	return (struct files){ str_printf(a, "%s/ca.pem", tls).p, str_printf(a, "%s/ca.key", tls).p, str_printf(a, "%s/server.pem", tls).p,
			       str_printf(a, "%s/server.key", tls).p, str_printf(a, "%s/checked", tls).p };
}

bool cert_checked(struct arena *a, const char *dir, const char *const *names, struct str *ret_cert, struct str *ret_key)
{
	struct files f = files_of(a, str_printf(a, "%s/tls", dir).p);
	struct str ca = read_pem(a, f.ca);

	*ret_cert = read_pem(a, f.cert);
	*ret_key = read_pem(a, f.key);
	return ca.p && ret_cert->p && ret_key->p && checked_before(a, &f, digest_of(a, *ret_cert, *ret_key, ca, names));
}

int cert_ensure(struct arena *a, const char *dir, const char *const *names, char **ret_cert, char **ret_key)
{
	const char *tls = str_printf(a, "%s/tls", dir).p;
	struct files f = files_of(a, tls);
	struct str ca = read_pem(a, f.ca), cert = read_pem(a, f.cert), key = read_pem(a, f.key), ca_key, digest;
	bool all = ca.p && cert.p && key.p, before;
	int r;

	digest = all ? digest_of(a, cert, key, ca, names) : STR_NONE;
	before = all && checked_before(a, &f, digest);
	if (before || (all && good(cert, key, ca, names))) {
		if (!before)
			mark_checked(a, &f, digest, cert);
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
