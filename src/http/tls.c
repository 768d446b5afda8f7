/* SPDX-License-Identifier: Apache-2.0 */
/* tls.c - TLS 1.3 over non-blocking sockets. The only file of the front that calls OpenSSL's SSL functions.
 *
 * The BIO is our own: it sends with MSG_NOSIGNAL, so a client that went away never raises SIGPIPE. */
#include "http/private.h"
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/socket.h>

/* --- the socket BIO --- */

static int sock_fd(BIO *b)
{
	return (int)(intptr_t)BIO_get_data(b);
}

static int sock_write(BIO *b, const char *p, size_t n, size_t *done)
{
	ssize_t k = send(sock_fd(b), p, n, MSG_NOSIGNAL);

	BIO_clear_retry_flags(b);
	*done = k > 0 ? (size_t)k : 0;
	if (k >= 0)
		return 1;
	if (errno == EAGAIN || errno == EINTR)
		BIO_set_retry_write(b);
	return 0;
}

static int sock_read(BIO *b, char *p, size_t n, size_t *done)
{
	ssize_t k = recv(sock_fd(b), p, n, 0);

	BIO_clear_retry_flags(b);
	*done = k > 0 ? (size_t)k : 0;
	if (k > 0)
		return 1;
	if (k == 0)
		BIO_set_flags(b, BIO_FLAGS_IN_EOF);
	else if (errno == EAGAIN || errno == EINTR)
		BIO_set_retry_read(b);
	return 0;
}

static long sock_ctrl(BIO *b, int cmd, long num, void *p)
{
	switch (cmd) {
	case BIO_CTRL_FLUSH:
	case BIO_CTRL_DUP:
		return 1;
	case BIO_CTRL_EOF:
		return BIO_test_flags(b, BIO_FLAGS_IN_EOF) != 0;
	default:
		return 0;
	}
}

static BIO_METHOD *sock_method;
static pthread_once_t sock_once = PTHREAD_ONCE_INIT;

static void sock_init(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket without SIGPIPE");

	if (m && BIO_meth_set_write_ex(m, sock_write) && BIO_meth_set_read_ex(m, sock_read) && BIO_meth_set_ctrl(m, sock_ctrl))
		sock_method = m;
}

/* --- the context --- */

/* on_alpn chooses http/1.1 where the client offers it; a client that offers only others is talked to without ALPN. */
static int on_alpn(SSL *s, const unsigned char **out, unsigned char *out_n, const unsigned char *in, unsigned in_n, void *arg)
{
	static const unsigned char ours[] = "\x08http/1.1";
	unsigned char *chosen;

	if (SSL_select_next_proto(&chosen, out_n, ours, sizeof ours - 1, in, in_n) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_NOACK;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static void bio_done(BIO **b)
{
	BIO_free(*b);
}

/* use_chain takes the first certificate of pem as ours and those behind it as its chain. */
static int use_chain(SSL_CTX *ctx, const char *pem)
{
	_cleanup_(bio_done) BIO *b = BIO_new_mem_buf(pem, -1);
	X509 *x = b ? PEM_read_bio_X509(b, NULL, NULL, NULL) : NULL;
	int ok = x && SSL_CTX_use_certificate(ctx, x) == 1;

	X509_free(x);
	while (ok && (x = PEM_read_bio_X509(b, NULL, NULL, NULL)))
		if (SSL_CTX_add0_chain_cert(ctx, x) != 1) {
			X509_free(x);
			ok = 0;
		}
	ERR_clear_error(); /* the end of the PEM text is an error to OpenSSL */
	return ok ? 0 : -EINVAL;
}

static int use_key(SSL_CTX *ctx, const char *pem)
{
	_cleanup_(bio_done) BIO *b = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *k = b ? PEM_read_bio_PrivateKey(b, NULL, NULL, NULL) : NULL;
	int ok = k && SSL_CTX_use_PrivateKey(ctx, k) == 1 && SSL_CTX_check_private_key(ctx) == 1;

	EVP_PKEY_free(k);
	ERR_clear_error();
	return ok ? 0 : -EINVAL;
}

int tls_context_new(const char *cert_pem, const char *key_pem, SSL_CTX **ret)
{
	SSL_CTX *ctx;

	pthread_once(&sock_once, sock_init);
	ctx = sock_method ? SSL_CTX_new(TLS_server_method()) : NULL;
	if (!ctx)
		return -ENOMEM;
	SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ctx, 1);
	SSL_CTX_set_read_ahead(ctx, 1); /* one system call per record instead of two */
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
	if (use_chain(ctx, cert_pem) < 0 || use_key(ctx, key_pem) < 0) {
		SSL_CTX_free(ctx);
		return -EINVAL;
	}
	*ret = ctx;
	return 0;
}

/* --- connections --- */

SSL *tls_new(SSL_CTX *ctx, int fd)
{
	SSL *s = ctx ? SSL_new(ctx) : NULL;
	BIO *b = s ? BIO_new(sock_method) : NULL;

	if (!b) {
		SSL_free(s);
		return NULL;
	}
	BIO_set_data(b, (void *)(intptr_t)fd);
	BIO_set_init(b, 1);
	SSL_set_bio(s, b, b);
	SSL_set_accept_state(s);
	return s;
}

/* outcome turns a failed call's r into our terms. */
static int outcome(SSL *s, int r, bool *want_write)
{
	int e = SSL_get_error(s, r);

	*want_write = e == SSL_ERROR_WANT_WRITE;
	if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
		return -EAGAIN;
	ERR_clear_error();
	if (e == SSL_ERROR_ZERO_RETURN)
		return 0;
	SSL_set_quiet_shutdown(s, 1); /* no close_notify after a fatal error */
	return -EPIPE;
}

int tls_handshake(SSL *s, bool *want_write)
{
	int r = SSL_do_handshake(s);

	*want_write = false;
	if (r == 1)
		return 1;
	r = outcome(s, r, want_write);
	return r == 0 ? -EPIPE : r;
}

ssize_t tls_read(SSL *s, char *p, size_t n, bool *want_write)
{
	int r = SSL_read(s, p, n > INT32_MAX ? INT32_MAX : (int)n);

	*want_write = false;
	return r > 0 ? r : outcome(s, r, want_write);
}

ssize_t tls_write(SSL *s, const char *p, size_t n)
{
	bool want_write;
	int r = SSL_write(s, p, n > TLS_RECORD_BYTES ? TLS_RECORD_BYTES : (int)n);

	if (r > 0)
		return r;
	r = outcome(s, r, &want_write);
	return r == 0 ? -EPIPE : r;
}

bool tls_pending(SSL *s)
{
	return SSL_has_pending(s) == 1;
}

void tls_goodbye(SSL *s)
{
	if (SSL_is_init_finished(s))
		SSL_shutdown(s);
	ERR_clear_error();
}

void tls_free(SSL *s)
{
	SSL_free(s);
}
