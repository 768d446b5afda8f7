/* SPDX-License-Identifier: Apache-2.0 */
/* signer.c - who sent a request: the key that has signed it, the signature itself, and how each service says that one of them
 * is wrong. A secret leaves this file only wiped. */
#include "cloud/exchange.h"
#include <errno.h>

/* By S3's rules what names S3, or no service at all: S3 is the last resort. What looks like S3's is read by them at once. */
void signer_read(struct exchange *x)
{
	if (str_find(http_header(x->http, "authorization"), S("/s3/aws4_request")) >= 0) {
		x->sig_read = sigv4_read(x->http, true, &x->sig);
		if (str_is(x->sig.service, "s3"))
			return;
	}
	x->sig_read = sigv4_read(x->http, false, &x->sig);
	if (str_is(x->sig.service, "s3") || (x->sig_read == SIGV4_MALFORMED && !x->sig.service.p))
		x->sig_read = sigv4_read(x->http, true, &x->sig);
}

/* Error codes by service family. Sources: "Common errors" of the STS, EC2 and KMS API references, "Error responses" of
 * the S3 API reference; where EC2's page and its clients differ, what its clients check for was followed. */
void signer_refuse(struct exchange *x, enum sigv4_fault f)
{
	static const struct {
		const char *code;
		int status;
	} t[][4] = {
		[SIGV4_MISSING] = { { "MissingAuthenticationToken", 403 },
				    { "MissingAuthenticationToken", 403 },
				    { "MissingAuthenticationTokenException", 400 },
				    { "AccessDenied", 403 } },
		[SIGV4_MALFORMED] = { { "IncompleteSignature", 400 },
				      { "IncompleteSignature", 400 },
				      { "IncompleteSignatureException", 400 },
				      { "AuthorizationHeaderMalformed", 400 } },
		[SIGV4_BAD_SCOPE] = { { "SignatureDoesNotMatch", 403 },
				      { "AuthFailure", 401 },
				      { "InvalidSignatureException", 400 },
				      { "AuthorizationHeaderMalformed", 400 } },
		[SIGV4_EXPIRED] = { { "SignatureDoesNotMatch", 403 },
				    { "RequestExpired", 400 },
				    { "InvalidSignatureException", 400 },
				    { "AccessDenied", 403 } },
		[SIGV4_NOT_YET] = { { "SignatureDoesNotMatch", 403 },
				    { "RequestExpired", 400 },
				    { "InvalidSignatureException", 400 },
				    { "AccessDenied", 403 } },
		[SIGV4_SKEWED] = { { "SignatureDoesNotMatch", 403 },
				   { "RequestExpired", 400 },
				   { "InvalidSignatureException", 400 },
				   { "RequestTimeTooSkewed", 403 } },
		[SIGV4_UNSIGNED_HEADER] = { { "SignatureDoesNotMatch", 403 },
					    { "AuthFailure", 401 },
					    { "InvalidSignatureException", 400 },
					    { "AccessDenied", 403 } },
		[SIGV4_MISMATCH] = { { "SignatureDoesNotMatch", 403 },
				     { "AuthFailure", 401 },
				     { "InvalidSignatureException", 400 },
				     { "SignatureDoesNotMatch", 403 } },
		[SIGV4_BAD_DIGEST] = { { "SignatureDoesNotMatch", 403 },
				       { "AuthFailure", 401 },
				       { "InvalidSignatureException", 400 },
				       { "XAmzContentSHA256Mismatch", 400 } },
	};
	enum speech sp = exchange_speech(x);
	const char *code = t[f][sp].code;
	struct str m = x->sig.fault_detail;

	if (sp == SPEAK_S3 && x->sig.s3_code)
		code = x->sig.s3_code;
	if (sp == SPEAK_EC2 && str_is(str_c(code), "AuthFailure"))
		m = S("AWS was not able to validate the provided access credentials");
	if (!m.p)
		m = f == SIGV4_MISSING ? S("Request is missing Authentication Token")
				       : S("The request signature we calculated does not match the signature you provided. Check your AWS "
					   "Secret Access Key and signing method. Consult the service documentation for details.");
	exchange_refuse(x, code, t[f][sp].status, "%.*s", STR(m));
}

void signer_refuse_key(struct exchange *x, int why)
{
	enum speech sp = exchange_speech(x);

	if (why == -ESTALE)
		exchange_refuse(x,
				sp == SPEAK_JSON  ? "ExpiredTokenException"
				: sp == SPEAK_EC2 ? "RequestExpired"
						  : "ExpiredToken",
				sp == SPEAK_QUERY ? 403 : 400,
				sp == SPEAK_S3 ? "The provided token has expired."
					       : "The security token included in the request is expired");
	else if (sp == SPEAK_S3 && why == -EBADMSG)
		exchange_refuse(x, "InvalidToken", 400, "The provided token is malformed or otherwise invalid.");
	else if (sp == SPEAK_S3)
		exchange_refuse(x, "InvalidAccessKeyId", 403, "The AWS Access Key Id you provided does not exist in our records.");
	else if (sp == SPEAK_EC2)
		exchange_refuse(x, "AuthFailure", 401, "AWS was not able to validate the provided access credentials");
	else
		exchange_refuse(x, sp == SPEAK_JSON ? "UnrecognizedClientException" : "InvalidClientTokenId", sp == SPEAK_JSON ? 400 : 403,
				"The security token included in the request is invalid.");
}

static void root_principal(struct exchange *x)
{
	struct cloud *cl = x->cloud;

	x->who.p = (struct policy_principal){ .type = PRINCIPAL_ROOT, .account = cl->account, .unique_id = cl->account };
	x->who.p.arn = str_printf(&x->http->arena, "arn:aws:iam::%.*s:root", STR(cl->account));
	x->who.name = S("root");
	x->who.key_id = cl->root_id;
}

int signer_key(struct exchange *x, struct key_info *ret)
{
	struct cloud *cl = x->cloud;
	struct store_txn *g = NULL;
	int e = -ENOENT;

	if (str_eq(x->sig.key_id, cl->root_id)) {
		root_principal(x);
		ret->secret = cl->root_secret;
		return x->sig.token.p ? -EBADMSG : 0;
	}
	if (cl->identity && store_begin_read(cl->global.store, &g) == 0) {
		e = cl->identity->find_key(cl, g, x->sig.key_id, x->sig.token, clock_now_ms(), &x->http->arena, ret);
		store_end(g);
		x->who = ret->who;
	}
	return e;
}

void signer_wipe(const struct exchange *x, const struct key_info *key)
{
	if (key->secret.p != x->cloud->root_secret.p)
		mem_wipe((char *)(uintptr_t)key->secret.p, key->secret.n);
}

/* The region that a signature must be for. AWS's global services take one region's only, and so do their own host names. At
 * an endpoint of the client's choice SDKs sign for the client's region: any region of this cloud is right there. */
static struct str signing_region(const struct exchange *x)
{
	struct region *all[CLOUD_REGIONS_MAX];
	size_t n = x->route.model->global ? cloud_regions(x->cloud, all, ELEMENTS(all)) : 0;

	for (size_t i = 0; i < n; i++)
		if (str_eq(all[i]->name, x->sig.region))
			return x->sig.region;
	return x->region->name;
}

/* Clients sign with their own time, which the cloud's clock, once moved forward, has left behind. */
static int64_t clients_now_ms(void)
{
	return clock_now_ms() - clock_offset_ms();
}

static void state_signature(struct call_facts *facts, const struct sigv4 *sig, int64_t checked_ms)
{
	facts->signature_version = S("AWS4-HMAC-SHA256");
	facts->auth_type = sig->presigned ? S("REST-QUERY-STRING") : S("REST-HEADER");
	facts->signature_age_ms = checked_ms - sig->signed_ms;
	facts->content_sha256 = sig->payload_hash;
}

int signer_check(struct exchange *x, struct str body)
{
	struct http_request *r = x->http;
	struct key_info key = { 0 };
	bool s3 = x->route.model && str_starts(str_c(x->route.model->name), S("s3")); /* and S3 Control */
	enum sigv4_fault f = x->sig_read;
	int64_t signed_by;
	int e;

	if (f == SIGV4_MISSING && x->route.op && (x->route.op->flags & OP_ANONYMOUS)) {
		x->who.p.type = PRINCIPAL_ANONYMOUS;
		x->who.name = S("anonymous");
		return 0;
	}
	if (f != SIGV4_OK) {
		signer_refuse(x, f);
		return -EACCES;
	}
	e = signer_key(x, &key);
	if (e < 0) {
		signer_refuse_key(x, e);
		return e;
	}
	x->who.key_id = x->sig.key_id;
	if (!s3 && x->sig.path_normalized) {
		signer_wipe(x, &key);
		/* The signature covers the path without its dots, routing would see them: two readings of one request. */
		exchange_refuse(x, "InvalidRequest", 400, "The path of the request is not in normal form.");
		return -EINVAL;
	}
	signed_by = clients_now_ms();
	f = sigv4_check(r, &x->sig, s3, key.secret, signing_region(x), x->route.model->signing, body, signed_by);
	signer_wipe(x, &key);
	if (f != SIGV4_OK) {
		signer_refuse(x, f);
		return -EACCES;
	}
	state_signature(&x->facts, &x->sig, signed_by);
	return 0;
}

static struct exchange *exchange_of(struct front_request *f)
{
	return (struct exchange *)((char *)f - offsetof(struct exchange, visit));
}

int front_authenticate(struct front_request *f, const char *signing, struct str region, struct str body, struct principal *ret_who,
		       struct str *ret_reason)
{
	struct exchange *x = exchange_of(f);
	const char *const services[] = { signing, NULL };
	struct key_info key = { 0 };
	enum sigv4_fault fault = sigv4_read(f->http, false, &x->sig);
	int64_t signed_by = clients_now_ms();
	int e;

	*ret_reason = x->sig.fault_detail;
	if (fault == SIGV4_MISSING)
		return -ENODATA;
	if (fault != SIGV4_OK)
		return -EACCES;
	e = signer_key(x, &key);
	if (e < 0) {
		*ret_reason = e == -ESTALE ? S("The security token included in the request is expired")
					   : S("The security token included in the request is invalid.");
		return -EACCES;
	}
	fault = sigv4_check(f->http, &x->sig, false, key.secret, region, services, body, signed_by);
	signer_wipe(x, &key);
	sigv4_wipe(&x->sig);
	*ret_reason = x->sig.fault_detail.p ? x->sig.fault_detail
					    : S("The request signature we calculated does not match the signature you provided.");
	if (fault != SIGV4_OK)
		return -EACCES;
	if (x->sig.path_normalized) {
		*ret_reason = S("The path of the request is not in normal form.");
		return -EACCES;
	}
	x->who.key_id = x->sig.key_id;
	*ret_who = x->who;
	state_signature(&f->facts, &x->sig, signed_by);
	return 0;
}
