/* SPDX-License-Identifier: Apache-2.0 */
/* ca.c - a certificate authority of one's own: P-256 keys, X.509 v3, strict enough for OpenSSL's -x509_strict, Go and
 * Node. The caller keeps the authority's key where only the owner can read it. */
#include "http/http.h"
#include "base/arena.h"
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#define CA_DAYS 3650
#define CERT_DAYS 825 /* the longest that Apple's clients take */
#define CERT_NAMES_MAX 256
#define DNS_NAME_BYTES_MAX 253
#define COMMON_NAME_BYTES_MAX 64 /* ub-common-name */
#define SERIAL_BYTES 16

static void x509_done(X509 **x)
{
	X509_free(*x);
}
static void pkey_done(EVP_PKEY **k)
{
	EVP_PKEY_free(*k);
}
static void bio_done(BIO **b)
{
	BIO_free(*b);
}
static void names_done(GENERAL_NAMES **g)
{
	GENERAL_NAMES_free(*g);
}

static X509 *cert_read(const char *pem)
{
	_cleanup_(bio_done) BIO *b = BIO_new_mem_buf(pem, -1);

	return b ? PEM_read_bio_X509(b, NULL, NULL, NULL) : NULL;
}

static EVP_PKEY *key_read(const char *pem)
{
	_cleanup_(bio_done) BIO *b = BIO_new_mem_buf(pem, -1);

	return b ? PEM_read_bio_PrivateKey(b, NULL, NULL, NULL) : NULL;
}

static char *bio_text(BIO *b)
{
	char *p, *text;
	long n = BIO_get_mem_data(b, &p);

	if (n <= 0)
		return NULL;
	text = xmalloc((size_t)n + 1);
	memcpy(text, p, (size_t)n);
	text[n] = '\0';
	return text;
}

static char *cert_text(X509 *x)
{
	_cleanup_(bio_done) BIO *b = BIO_new(BIO_s_mem());

	return b && PEM_write_bio_X509(b, x) == 1 ? bio_text(b) : NULL;
}

static char *key_text(EVP_PKEY *k)
{
	_cleanup_(bio_done) BIO *b = BIO_new(BIO_s_secmem()); /* wiped when freed */

	return b && PEM_write_bio_PKCS8PrivateKey(b, k, NULL, NULL, 0, NULL, NULL) == 1 ? bio_text(b) : NULL;
}

/* set_serial: 127 random bits, so positive and unique. */
static int set_serial(X509 *x)
{
	uint8_t bytes[SERIAL_BYTES];
	BIGNUM *n;
	int ok;

	if (RAND_bytes(bytes, sizeof bytes) != 1)
		return -EIO;
	bytes[0] = (uint8_t)((bytes[0] & 0x7f) | 0x40);
	n = BN_bin2bn(bytes, sizeof bytes, NULL);
	ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x));
	BN_free(n);
	return ok ? 0 : -ENOMEM;
}

/* cert_begin makes an unsigned certificate for `key`, valid from yesterday (clocks differ) for `days`. */
static X509 *cert_begin(EVP_PKEY *key, const char *common_name, int days)
{
	X509 *x = X509_new();
	X509_NAME *name = x ? X509_get_subject_name(x) : NULL;

	if (x && X509_set_version(x, X509_VERSION_3) && set_serial(x) == 0 && X509_time_adj_ex(X509_getm_notBefore(x), -1, 0, NULL) &&
	    X509_time_adj_ex(X509_getm_notAfter(x), days, 0, NULL) && X509_set_pubkey(x, key) &&
	    X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const unsigned char *)"Cloudkeep", -1, -1, 0) &&
	    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)common_name, -1, -1, 0))
		return x;
	X509_free(x);
	return NULL;
}

static int extend(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;
	int ok;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = e && X509_add_ext(x, e, -1) == 1;
	X509_EXTENSION_free(e);
	return ok ? 0 : -EIO;
}

int ca_make(char **ret_cert_pem, char **ret_key_pem)
{
	_cleanup_(pkey_done) EVP_PKEY *key = EVP_EC_gen("P-256");
	_cleanup_(x509_done) X509 *x = NULL;
	char *cert, *text, name[COMMON_NAME_BYTES_MAX];
	uint8_t tag[4];

	/* Two authorities on one machine need different names: verifiers look issuers up by name. */
	if (!key || RAND_bytes(tag, sizeof tag) != 1)
		return -EIO;
	snprintf(name, sizeof name, "Cloudkeep local CA %02x%02x%02x%02x", tag[0], tag[1], tag[2], tag[3]);
	x = cert_begin(key, name, CA_DAYS);
	if (!x || X509_set_issuer_name(x, X509_get_subject_name(x)) != 1 ||
	    extend(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") < 0 ||
	    extend(x, x, NID_key_usage, "critical,keyCertSign,cRLSign,digitalSignature") < 0 ||
	    extend(x, x, NID_subject_key_identifier, "hash") < 0 || extend(x, x, NID_authority_key_identifier, "keyid:always") < 0 ||
	    X509_sign(x, key, EVP_sha256()) <= 0) {
		ERR_clear_error();
		return -EIO;
	}
	cert = cert_text(x);
	text = key_text(key);
	if (!cert || !text) {
		free(cert);
		free(text);
		return -ENOMEM;
	}
	*ret_cert_pem = cert;
	*ret_key_pem = text;
	return 0;
}

/* dns_name_valid: letters, digits, '-', '_' and dots; "*." only in front. */
static bool dns_name_valid(const char *name)
{
	struct str s = str_c(name);
	size_t label = 0;

	if (s.n > DNS_NAME_BYTES_MAX)
		return false;
	if (s.n > 2 && s.p[0] == '*' && s.p[1] == '.')
		s = str_skip(s, 2);
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '.') {
			if (label == 0)
				return false;
			label = 0;
			continue;
		}
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_') || ++label > 63)
			return false;
	}
	return label > 0;
}

/* add_name appends one name: 0, or -EINVAL. */
static int add_name(GENERAL_NAMES *all, const char *name)
{
	uint8_t ip[16];
	int n = inet_pton(AF_INET, name, ip) == 1 ? 4 : inet_pton(AF_INET6, name, ip) == 1 ? 16 : 0;
	GENERAL_NAME *g;
	ASN1_STRING *s;

	if (n == 0 && !dns_name_valid(name))
		return -EINVAL;
	g = GENERAL_NAME_new();
	s = n ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
	if (!g || !s || ASN1_STRING_set(s, n ? (const void *)ip : name, n ? n : -1) != 1) {
		GENERAL_NAME_free(g);
		ASN1_STRING_free(s);
		return -ENOMEM;
	}
	GENERAL_NAME_set0_value(g, n ? GEN_IPADD : GEN_DNS, s);
	if (sk_GENERAL_NAME_push(all, g) > 0)
		return 0;
	GENERAL_NAME_free(g);
	return -ENOMEM;
}

/* names_read: -EINVAL for a bad name, none or too many. */
static int names_read(const char *const *names, GENERAL_NAMES **ret)
{
	_cleanup_(names_done) GENERAL_NAMES *all = sk_GENERAL_NAME_new_null();
	int r = !all ? -ENOMEM : names[0] ? 0 : -EINVAL;

	for (size_t i = 0; r == 0 && names[i]; i++)
		r = i < CERT_NAMES_MAX ? add_name(all, names[i]) : -EINVAL;
	if (r < 0)
		return r;
	*ret = all;
	all = NULL;
	return 0;
}

int ca_issue(const char *ca_cert_pem, const char *ca_key_pem, const char *const *names, char **ret_cert_pem, char **ret_key_pem)
{
	_cleanup_(x509_done) X509 *ca = cert_read(ca_cert_pem), *x = NULL;
	_cleanup_(pkey_done) EVP_PKEY *ca_key = key_read(ca_key_pem), *key = EVP_EC_gen("P-256");
	_cleanup_(names_done) GENERAL_NAMES *all = NULL;
	char *cert, *text;
	int r;

	if (!ca || !ca_key || X509_check_private_key(ca, ca_key) != 1) {
		ERR_clear_error();
		return -EINVAL;
	}
	r = names_read(names, &all);
	if (r < 0)
		return r;
	/* The common name is only for people; verifiers read the names. */
	x = key ? cert_begin(key, strlen(names[0]) < COMMON_NAME_BYTES_MAX ? names[0] : "Cloudkeep", CERT_DAYS) : NULL;
	if (!x || X509_set_issuer_name(x, X509_get_subject_name(ca)) != 1 ||
	    X509_add1_ext_i2d(x, NID_subject_alt_name, all, 0, X509V3_ADD_DEFAULT) != 1 ||
	    extend(x, ca, NID_basic_constraints, "critical,CA:FALSE") < 0 ||
	    extend(x, ca, NID_key_usage, "critical,digitalSignature") < 0 || extend(x, ca, NID_ext_key_usage, "serverAuth") < 0 ||
	    extend(x, ca, NID_subject_key_identifier, "hash") < 0 || extend(x, ca, NID_authority_key_identifier, "keyid:always") < 0 ||
	    X509_sign(x, ca_key, EVP_sha256()) <= 0) {
		ERR_clear_error();
		return -EIO;
	}
	cert = cert_text(x);
	text = key_text(key);
	if (!cert || !text) {
		free(cert);
		free(text);
		return -ENOMEM;
	}
	*ret_cert_pem = cert;
	*ret_key_pem = text;
	return 0;
}
