/* SPDX-License-Identifier: Apache-2.0 */
/* session.c - secrets at rest and session tokens.
 *
 * A session token is all there is of a session: nothing is stored. It is base64 of a version byte, a nonce, and the
 * record sealed with AES-256-GCM under a key of this cloud, bound to the access key id. Whoever changes a bit of it, or
 * uses it with another key id, or brings one of another cloud, is refused. */
#include "base/secret.h"
#include "svc/iam/iam_int.h"
#include <assert.h>
#include <errno.h>

#define TOKEN_VERSION 1
#define TOKEN_BYTES_MAX 16384
#define SECRET_BYTES_MAX 128

/* seal gives prefix, nonce, ciphertext and tag. */
static struct str seal(struct cloud *cl, struct arena *a, const char *purpose, struct str prefix, struct str aad, struct str plain)
{
	size_t n = prefix.n + SEAL_NONCE_BYTES + plain.n + SEAL_TAG_BYTES;
	uint8_t key[32], *out = arena_alloc(a, n);
	int r;

	memcpy(out, prefix.p, prefix.n);
	random_bytes(out + prefix.n, SEAL_NONCE_BYTES);
	cloud_master_key(cl, purpose, key);
	r = aes_gcm_seal(key, out + prefix.n, aad, plain, out + prefix.n + SEAL_NONCE_BYTES);
	mem_wipe(key, sizeof key);
	assert(r == 0);
	return str_of((const char *)out, n);
}

static int unseal(struct cloud *cl, struct arena *a, const char *purpose, size_t prefix, struct str aad, struct str sealed, struct str *ret)
{
	uint8_t key[32], *out;
	int r;

	if (sealed.n < prefix + SEAL_NONCE_BYTES + SEAL_TAG_BYTES)
		return -EBADMSG;
	out = arena_alloc(a, sealed.n);
	cloud_master_key(cl, purpose, key);
	r = aes_gcm_open_kept(key, aad, str_skip(sealed, prefix), out);
	mem_wipe(key, sizeof key);
	if (r < 0)
		return -EBADMSG;
	*ret = str_of((const char *)out, sealed.n - prefix - SEAL_NONCE_BYTES - SEAL_TAG_BYTES);
	return 0;
}

struct str iam_seal(struct cloud *cl, struct arena *a, struct str aad, struct str plain)
{
	return seal(cl, a, "iam-things", S(""), aad, plain);
}

int iam_unseal(struct cloud *cl, struct arena *a, struct str aad, struct str sealed, struct str *ret)
{
	return unseal(cl, a, "iam-things", 0, aad, sealed, ret);
}

static struct str secret_aad(struct arena *a, const struct iam_rec_access_key *k)
{
	return str_join(a, (struct str[]){ k->account, k->user_id, k->id }, 3, S("/"));
}

void iam_secret_seal(struct cloud *cl, struct arena *a, struct iam_rec_access_key *k, struct str secret)
{
	k->sealed = seal(cl, a, "iam", S(""), secret_aad(a, k), secret);
}

int iam_secret_open(struct cloud *cl, struct arena *a, const struct iam_rec_access_key *k, struct str *ret)
{
	return unseal(cl, a, "iam", 0, secret_aad(a, k), k->sealed, ret);
}

struct str iam_session_seal(struct cloud *cl, struct arena *a, const struct iam_rec_session *s)
{
	const char version = TOKEN_VERSION;
	struct str sealed;
	struct buf b;
	int r;

	buf_init(&b, TOKEN_BYTES_MAX);
	r = record_encode(&iam_records, IAM_REC_SESSION, s, &b);
	assert(r == 0 && buf_ok(&b)); /* tags, policies and names are limited by their shapes */
	sealed = seal(cl, a, "sts-token", str_of(&version, 1), s->key_id, buf_view(&b));
	mem_wipe(b.p, b.n);
	buf_done(&b);
	return base64_encode(a, sealed);
}

int iam_session_open(struct cloud *cl, struct arena *a, struct str key_id, struct str token, struct iam_rec_session *ret)
{
	struct str raw, plain;
	int r;

	if (token.n > TOKEN_BYTES_MAX * 2 || base64_decode(a, token, &raw) < 0 || raw.n < 1 || raw.p[0] != TOKEN_VERSION)
		return -EBADMSG;
	r = unseal(cl, a, "sts-token", 1, key_id, raw, &plain);
	if (r < 0)
		return r;
	r = record_decode(&iam_records, IAM_REC_SESSION, a, plain, ret);
	mem_wipe((char *)(uintptr_t)plain.p, plain.n);
	return r < 0 || !str_eq(ret->key_id, key_id) ? -EBADMSG : 0;
}
