/* SPDX-License-Identifier: Apache-2.0 */
/* hit.c - one request as an attacker makes it: signed by anybody or nobody, at any time, and altered after signing. */
#include "auth/sigv4.h"
#include "cli/prove/prove.h"
#include <errno.h>

#define QUERY_BYTES_MAX 65536
#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

void hit_header(struct hit *h, const char *name, struct str value)
{
	if (h->n_headers < PROVE_HEADERS_MAX - 4) /* leaves room for what signing adds */
		h->headers[h->n_headers++] = (struct http_header){ str_c(name), value };
}

static struct str body_hash(struct arena *a, struct str body)
{
	uint8_t d[32];

	if (body.n == 0)
		return S(EMPTY_SHA256);
	hash_sha256(body.p, body.n, d);
	return hex_encode(a, d, sizeof d);
}

static void add(struct hit *h, const char *name, struct str value)
{
	if (value.p && h->n_headers < PROVE_HEADERS_MAX)
		h->headers[h->n_headers++] = (struct http_header){ str_c(name), value };
}

static struct str when(struct prove *p, const struct hit *h)
{
	return time_basic(&p->arena, clock_now_ms() + p->clock_ms - h->signed_ago_s * 1000);
}

static void sign_header(struct prove *p, struct hit *h)
{
	struct arena *a = &p->arena;
	struct str date = when(p, h), hash = body_hash(a, h->body);

	add(h, "x-amz-date", date);
	if (strcmp(h->service, "s3") == 0)
		add(h, "x-amz-content-sha256", hash);
	add(h, "x-amz-security-token", h->who->token);
	add(h, "authorization",
	    sigv4_sign(a, h->who->key_id, h->who->secret, h->region, str_c(h->service), h->method, h->path, h->query, h->headers,
		       h->n_headers, hash, date));
}

static int by_name(const void *x, const void *y)
{
	const struct str_pair *a = x, *b = y;

	return str_cmp(a->key, b->key);
}

/* The signature in the query string ("Authenticating Requests: Using Query Parameters", Amazon S3 API Reference). Only host is
 * signed. The signature is sigv4_sign's, taken out of the header value it makes. */
static void sign_query(struct prove *p, struct hit *h)
{
	struct arena *a = &p->arena;
	struct str date = when(p, h), header, rest = h->query, one;
	struct str scope = str_printf(a, "%.*s/%.8s/%.*s/%s/aws4_request", STR(h->who->key_id), date.p, STR(h->region), h->service);
	struct str_pair pairs[16];
	struct buf b;
	size_t n = 0;
	ptrdiff_t at;

	while (h->query.n && str_next(&rest, '&', &one) && n < 8) {
		(void)str_cut(one, '=', &pairs[n].key, &pairs[n].value);
		n++;
	}
	pairs[n++] = (struct str_pair){ S("X-Amz-Algorithm"), S("AWS4-HMAC-SHA256") };
	pairs[n++] = (struct str_pair){ S("X-Amz-Credential"), uri_encode(a, scope, false) };
	pairs[n++] = (struct str_pair){ S("X-Amz-Date"), date };
	pairs[n++] = (struct str_pair){ S("X-Amz-Expires"), str_printf(a, "%lld", (long long)h->presign_s) };
	pairs[n++] = (struct str_pair){ S("X-Amz-SignedHeaders"), S("host") };
	if (h->who->token.p)
		pairs[n++] = (struct str_pair){ S("X-Amz-Security-Token"), uri_encode(a, h->who->token, false) };
	qsort(pairs, n, sizeof *pairs, by_name);
	buf_init(&b, QUERY_BYTES_MAX);
	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "%s%.*s=%.*s", i ? "&" : "", STR(pairs[i].key), STR(pairs[i].value));
	h->query = str_dup(a, buf_view(&b));
	buf_done(&b);
	header = sigv4_sign(a, h->who->key_id, h->who->secret, h->region, str_c(h->service), h->method, h->path, h->query, h->headers, 1,
			    S("UNSIGNED-PAYLOAD"), date);
	at = str_find(header, S("Signature="));
	if (at >= 0)
		h->query = str_printf(a, "%.*s&X-Amz-%.*s", STR(h->query), STR(str_skip(header, (size_t)at)));
}

/* What happens to the request on its way. */
static void tamper(struct hit *h)
{
	if (h->sent_method.p)
		h->method = h->sent_method;
	if (h->sent_path.p)
		h->path = h->sent_path;
	if (h->sent_query.p)
		h->query = h->sent_query;
	if (h->sent_body.p)
		h->body = h->sent_body;
	for (size_t i = 0; i < h->n_headers; i++) {
		if (h->sent_header.name.p && str_eq_ci(h->headers[i].name, h->sent_header.name))
			h->headers[i].value = h->sent_header.value;
		if (!str_eq_ci(h->headers[i].name, S("x-amz-security-token")))
			continue;
		if (h->sent_token.p)
			h->headers[i].value = h->sent_token;
		if (h->drop_token) {
			memmove(&h->headers[i], &h->headers[i + 1], (h->n_headers - i - 1) * sizeof *h->headers);
			h->n_headers--;
			i--;
		}
	}
}

struct str answer_header(const struct answer *a, const char *name)
{
	for (size_t i = 0; i < a->reply.n_headers; i++)
		if (str_eq_ci(a->reply.headers[i].name, str_c(name)))
			return a->reply.headers[i].value;
	return STR_NONE;
}

bool answer_ok(const struct answer *a)
{
	return a->status >= 200 && a->status < 300;
}

/* The error in whichever of the protocols' shapes it came. */
static void read_error(struct prove *p, struct answer *a)
{
	struct str code = answer_header(a, "x-amzn-errortype"), body = str_trim(a->reply.body);
	struct xml_node *x;
	ptrdiff_t at;

	if (body.n && body.p[0] == '<' && xml_parse(&p->arena, body, &a->xml) < 0)
		a->xml = NULL;
	if (body.n && (body.p[0] == '{' || body.p[0] == '[') && json_parse(&p->arena, body, &a->json, NULL) < 0)
		a->json = NULL;
	a->request_id = answer_header(a, "x-amzn-requestid");
	if (!a->request_id.p)
		a->request_id = answer_header(a, "x-amz-request-id");
	if (answer_ok(a))
		return;
	x = a->xml ? xml_deep(a->xml, "Error") : NULL;
	if (x) {
		code = xml_text(x, "Code");
		a->message = xml_text(x, "Message");
	} else if (a->json) {
		if (!code.p)
			code = json_get_str(a->json, "__type");
		a->message = json_get_str(a->json, "message");
		if (!a->message.p)
			a->message = json_get_str(a->json, "Message");
	}
	at = code.p ? str_rfind_char(code, '#') : -1;
	if (at >= 0)
		code = str_skip(code, (size_t)at + 1);
	at = code.p ? str_find_char(code, ':') : -1;
	a->code = at >= 0 ? str_of(code.p, (size_t)at) : code;
	if (!a->code.n)
		a->code = str_printf(&p->arena, "HTTP %d", a->status);
}

int hit(struct prove *p, const struct hit *in, struct answer *ret)
{
	struct hit h = *in;
	int64_t t = clock_mono_ms();
	struct str to;
	int r = -EINTR;

	*ret = (struct answer){ .error = S("interrupted") };
	if (!h.path.p)
		h.path = S("/");
	memmove(&h.headers[1], &h.headers[0], h.n_headers * sizeof *h.headers);
	h.headers[0] = (struct http_header){ S("host"), h.host.p ? h.host : p->authority };
	h.n_headers++;
	if (h.who && h.presign_s)
		sign_query(p, &h);
	else if (h.who)
		sign_header(p, &h);
	tamper(&h);
	to = h.query.n ? str_printf(&p->arena, "%.*s?%.*s", STR(h.path), STR(h.query)) : h.path;
	if (!prove_stop || p->cleaning)
		r = client_send(h.plain ? p->plain : p->tls, &p->arena, str_z(&p->arena, h.method), to, h.headers, h.n_headers,
				h.body.p ? h.body : S(""), &ret->reply, &ret->error);
	ret->took_ms = clock_mono_ms() - t;
	p->silent = r < 0 || ret->reply.status >= 500;
	if (r < 0)
		return r;
	ret->status = ret->reply.status;
	read_error(p, ret);
	return 0;
}
