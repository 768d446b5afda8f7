/* SPDX-License-Identifier: Apache-2.0 */
/* attack_sig.c - signatures: requests caught on the way and altered, kept too long, or signed with the wrong secret. Each
 * is a request that is allowed when nothing is done to it. */
#include "cli/prove/prove.h"

#define MISMATCH "SignatureDoesNotMatch|InvalidSignatureException"
#define TOO_OLD MISMATCH "|RequestTimeTooSkewed|RequestExpired|AccessDenied|ExpiredTokenException"
#define NO_KEY "InvalidClientTokenId|UnrecognizedClientException|InvalidAccessKeyId|AuthFailure|InvalidToken|" MISMATCH
#define OTHER_SCOPE MISMATCH "|AuthorizationHeaderMalformed|InvalidClientTokenId|UnrecognizedClientException"

struct signed_by {
	struct prove *p;
	struct promise m;
	struct creds session;
};

static struct hit identity(struct signed_by *s, const struct creds *who)
{
	return hit_query(s->p, "sts", s->p->stack->region, "GetCallerIdentity", who);
}

static void deny(struct signed_by *s, const char *attempt, const struct hit *h, const char *codes)
{
	struct answer a;

	(void)proof_denied(s->p, &s->m, str_c(attempt), h, codes, &a);
}

static void altered(struct signed_by *s)
{
	struct prove *p = s->p;
	const struct creds *who = actor(p, ACTOR_INSIDER);
	struct creds wrong = *who;
	struct hit h = identity(s, who);
	struct answer a;

	(void)proof_allowed(p, &s->m, S("a signed request as it was signed"), &h, &a);
	h.sent_body = str_printf(&p->arena, "%.*s&x=y", STR(h.body));
	deny(s, "the same with another body", &h, MISMATCH);
	h.sent_body = str_replace(&p->arena, h.body, S("GetCallerIdentity"), S("GetSessionToken"));
	deny(s, "the same with another action in its body", &h, MISMATCH);
	h = identity(s, who);
	h.sent_path = S("/other");
	deny(s, "the same with another path", &h, MISMATCH);
	h = identity(s, who);
	h.sent_query = S("DurationSeconds=900");
	deny(s, "the same with a query string", &h, MISMATCH);
	h = identity(s, who);
	hit_header(&h, "x-amz-meta-prove", S("as signed"));
	h.sent_header = (struct http_header){ S("x-amz-meta-prove"), S("altered") };
	deny(s, "the same with a signed header altered", &h, MISMATCH);
	h = identity(s, who);
	h.sent_header = (struct http_header){ S("x-amz-date"), time_basic(&p->arena, clock_now_ms() + p->clock_ms - 1000) };
	deny(s, "the same with another date", &h, MISMATCH);
	wrong.secret = random_from(&p->arena, S("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"), 40);
	h = identity(s, &wrong);
	deny(s, "signed with a wrong secret", &h, MISMATCH);
	wrong = (struct creds){ S("AKIAIOSFODNN7EXAMPLE"), wrong.secret, STR_NONE };
	h = identity(s, &wrong);
	deny(s, "signed with a key that does not exist", &h, NO_KEY);
	h = identity(s, who);
	h.service = "iam";
	deny(s, "signed for another service", &h, OTHER_SCOPE "|SignatureDoesNotMatch|InvalidAction|AccessDenied");
}

static void timed(struct signed_by *s)
{
	struct hit h = identity(s, actor(s->p, ACTOR_INSIDER));

	h.signed_ago_s = 20 * 60;
	deny(s, "a request signed 20 minutes ago", &h, TOO_OLD);
	h.signed_ago_s = -20 * 60;
	deny(s, "a request signed 20 minutes ahead", &h, TOO_OLD "|SignatureDoesNotMatch");
}

static void sessions(struct signed_by *s)
{
	struct prove *p = s->p;
	struct hit h = hit_query(p, "sts", p->stack->region, "GetSessionToken", actor(p, ACTOR_INSIDER));
	struct answer a;
	struct xml_node *k;
	char *bytes;

	if (call_hit(p, &h, "STS GetSessionToken", &a) < 0) {
		(void)proof_add(p, &s->m, VERDICT_UNTRIED, S("GetSessionToken"), S("a session"), p->trouble);
		return;
	}
	k = xml_deep(a.xml, "Credentials");
	s->session = (struct creds){ xml_text(k, "AccessKeyId"), xml_text(k, "SecretAccessKey"), xml_text(k, "SessionToken") };
	h = identity(s, &s->session);
	(void)proof_allowed(p, &s->m, S("a request of a session"), &h, &a);
	h.drop_token = true;
	deny(s, "the same without its session token", &h, NO_KEY);
	h = identity(s, &s->session);
	bytes = arena_dup(&p->arena, s->session.token.p, s->session.token.n);
	bytes[s->session.token.n / 2] = bytes[s->session.token.n / 2] == 'A' ? 'B' : 'A';
	h.sent_token = str_of(bytes, s->session.token.n);
	deny(s, "the same with its session token altered on the way", &h, NO_KEY);
	s->session.token = h.sent_token;
	h = identity(s, &s->session);
	deny(s, "a session token altered and then signed", &h, NO_KEY);
	s->session.token = STR_NONE;
	h = identity(s, &s->session);
	deny(s, "a session's key without its token", &h, NO_KEY);
}

static void objects(struct signed_by *s, const struct declared *b)
{
	struct prove *p = s->p;
	const struct creds *who = actor(p, ACTOR_INSIDER);
	struct hit get = hit_s3(p, p->stack->region, "GET", b->physical, b->canary, STR_NONE, who), h = get;
	struct answer a;

	h.presign_s = 60;
	(void)proof_allowed(p, &s->m, S("GET an object by presigned URL"), &h, &a);
	h.signed_ago_s = 120;
	deny(s, "a presigned URL that has expired", &h, "AccessDenied");
	h = get;
	h.presign_s = 60;
	h.sent_method = S("DELETE");
	deny(s, "a URL presigned for GET used to DELETE", &h, MISMATCH);
	h.sent_method = S("PUT");
	h.sent_body = S("x");
	deny(s, "a URL presigned for GET used to PUT", &h, MISMATCH);
	h = get;
	h.presign_s = 60;
	h.sent_path = str_printf(&p->arena, "%.*s2", STR(get.path));
	deny(s, "a URL presigned for another object", &h, MISMATCH);
	h = get;
	h.sent_method = S("DELETE");
	deny(s, "a signed GET replayed as DELETE", &h, MISMATCH);
	h = get;
	h.sent_path = str_printf(&p->arena, "%.*s2", STR(get.path));
	deny(s, "a signed GET replayed for another object", &h, MISMATCH);
	h = hit_s3(p, p->stack->region, "PUT", b->physical, b->canary, STR_NONE, who);
	bucket_ask(b, &h);
	h.body = S("the signed body");
	h.sent_body = S("the other body.");
	deny(s, "a signed PUT replayed with another body", &h, "XAmzContentSHA256Mismatch|BadDigest|" MISMATCH);
	h = get;
	h.signed_ago_s = 20 * 60;
	deny(s, "a GET signed 20 minutes ago", &h, "RequestTimeTooSkewed");
}

void attack_signatures(struct prove *p)
{
	struct signed_by s = {
		.p = p, .m = { "signatures", S("only whole and fresh signatures count"), S("Signature Version 4, every request"), NULL }
	};

	altered(&s);
	timed(&s);
	sessions(&s);
	for (size_t i = 0; i < p->stack->n; i++)
		if (p->stack->v[i].canary.p) {
			objects(&s, &p->stack->v[i]);
			break;
		}
}
