/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "http/http.h"
#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

static X509 *cert(const char *pem)
{
	BIO *b = BIO_new_mem_buf(pem, -1);
	X509 *x = PEM_read_bio_X509(b, NULL, NULL, NULL);

	assert_non_null(x);
	BIO_free(b);
	return x;
}

/* verify answers X509_V_OK or why leaf isn't trusted when only ca is, as strictly as OpenSSL can. */
static int verify(const char *ca_pem, const char *leaf_pem, const char *host, const char *ip)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *p;
	X509 *ca = cert(ca_pem), *leaf = cert(leaf_pem);
	int r;

	X509_STORE_add_cert(store, ca);
	X509_STORE_CTX_init(ctx, store, leaf, NULL);
	p = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_flags(p, X509_V_FLAG_X509_STRICT | X509_V_FLAG_CHECK_SS_SIGNATURE);
	X509_VERIFY_PARAM_set_purpose(p, X509_PURPOSE_SSL_SERVER);
	if (host)
		X509_VERIFY_PARAM_set1_host(p, host, 0);
	if (ip)
		X509_VERIFY_PARAM_set1_ip_asc(p, ip);
	r = X509_verify_cert(ctx) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(ctx);
	X509_free(ca);
	X509_free(leaf);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	return r;
}

static void test_issue_and_verify(void **state)
{
	static const char *const names[] = { "example.test", "*.s3.example.test", "127.0.0.1", "::1", NULL };
	char *ca, *ca_key, *leaf, *key, *other, *other_key;
	X509 *x, *y;

	assert_int_equal(ca_make(&ca, &ca_key), 0);
	assert_int_equal(ca_make(&other, &other_key), 0);
	assert_int_equal(ca_issue(ca, ca_key, names, &leaf, &key), 0);
	assert_int_equal(verify(ca, leaf, "example.test", NULL), X509_V_OK);
	assert_int_equal(verify(ca, leaf, "b.s3.example.test", NULL), X509_V_OK);
	assert_int_equal(verify(ca, leaf, NULL, "127.0.0.1"), X509_V_OK);
	assert_int_equal(verify(ca, leaf, NULL, "::1"), X509_V_OK);
	assert_int_equal(verify(ca, leaf, "other.test", NULL), X509_V_ERR_HOSTNAME_MISMATCH);
	assert_int_equal(verify(ca, leaf, "a.b.s3.example.test", NULL), X509_V_ERR_HOSTNAME_MISMATCH);
	assert_int_equal(verify(ca, leaf, NULL, "127.0.0.2"), X509_V_ERR_IP_ADDRESS_MISMATCH);
	assert_int_not_equal(verify(other, leaf, "example.test", NULL), X509_V_OK);

	x = cert(leaf);
	y = cert(ca);
	assert_int_equal(X509_check_ca(x), 0);
	assert_int_equal(X509_check_ca(y), 1);
	assert_int_not_equal(ASN1_INTEGER_cmp(X509_get0_serialNumber(x), X509_get0_serialNumber(y)), 0);
	assert_true(X509_cmp_current_time(X509_get0_notBefore(x)) < 0 && X509_cmp_current_time(X509_get0_notAfter(x)) > 0);
	X509_free(x);
	X509_free(y);
	/* A leaf can't sign: what it issues is not trusted. */
	{
		char *evil, *evil_key;

		assert_int_equal(ca_issue(leaf, key, names, &evil, &evil_key), 0);
		assert_int_not_equal(verify(ca, evil, "example.test", NULL), X509_V_OK);
		free(evil);
		free(evil_key);
	}
	free(ca);
	free(ca_key);
	free(other);
	free(other_key);
	free(leaf);
	free(key);
}

static void test_bad_input(void **state)
{
	static const char *const good[] = { "a", NULL };
	static const char *const bad[][2] = {
		{ NULL }, { "" },      { "a b" },  { "a..b" },    { ".a" },          { "a." },  { "*" },
		{ "*." }, { "a.*.b" }, { "a\nb" }, { "a,DNS:b" }, { "256.0.0.1/8" }, { "a/b" }, { "\xc3\xa4" }
	};
	char *ca, *ca_key, *other, *other_key, *leaf, *key;

	assert_int_equal(ca_make(&ca, &ca_key), 0);
	assert_int_equal(ca_make(&other, &other_key), 0);
	for (size_t i = 0; i < ELEMENTS(bad); i++)
		assert_int_equal(ca_issue(ca, ca_key, bad[i], &leaf, &key), -EINVAL);
	assert_int_equal(ca_issue(ca, other_key, good, &leaf, &key), -EINVAL);
	assert_int_equal(ca_issue("", ca_key, good, &leaf, &key), -EINVAL);
	assert_int_equal(ca_issue(ca, "nonsense", good, &leaf, &key), -EINVAL);
	free(ca);
	free(ca_key);
	free(other);
	free(other_key);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_issue_and_verify), cmocka_unit_test(test_bad_input) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
