/* SPDX-License-Identifier: Apache-2.0 */
/* front_request.c - a request's parts: path segments, query, headers, body.
 *
 * The path is made canonical before anything looks at it, so that routing, policies and backends see the same one: each segment
 * is decoded and encoded again in one way only; "." and ".." and encodings of NUL are refused; a slash at the end is not part of it. */
#include "svc/apigateway/front.h"
#include <errno.h>
#include <zlib.h>

/* Not for methods and backends; source: "Important notes for REST APIs" (API Gateway Developer Guide). */
static const char *const dropped[] = { "connection",
				       "content-length",
				       "content-md5",
				       "expect",
				       "max-forwards",
				       "proxy-authenticate",
				       "server",
				       "te",
				       "trailer",
				       "upgrade",
				       "www-authenticate",
				       "transfer-encoding",
				       "keep-alive",
				       "proxy-connection",
				       "proxy-authorization" };

static int bad_path(struct visit *v)
{
	return visit_refuse(v, GW_DEFAULT_4XX, S("Bad Request"));
}

static int segment(struct visit *v, struct str raw)
{
	struct str text;

	if (v->n_segments == VISIT_SEGMENTS_MAX || uri_decode(v->a, raw, false, &text) < 0 || !utf8_valid(text))
		return -EINVAL;
	if (str_is(text, ".") || str_is(text, "..") || memchr(text.p, 0, text.n))
		return -EINVAL;
	for (struct str rest = text, part; str_next(&rest, '/', &part);) /* "%2F..%2F" */
		if (str_is(part, "..") || str_find_char(part, '\\') >= 0)
			return -EINVAL;
	v->segments[v->n_segments++] = uri_encode(v->a, text, false);
	return 0;
}

static int parse_path(struct visit *v)
{
	struct str rest = str_skip(v->raw_path, 1), part;

	if (rest.n && rest.p[rest.n - 1] == '/')
		rest.n--;
	if (rest.n == 0) {
		v->path = S("/");
		return 0;
	}
	while (str_next(&rest, '/', &part))
		if (segment(v, part) < 0)
			return -EINVAL;
	v->path = str_printf(v->a, "/%.*s", STR(str_join(v->a, v->segments, v->n_segments, S("/"))));
	return 0;
}

static int parse_query(struct visit *v)
{
	struct str rest = v->http->query, field, name, value;
	size_t cap = 0;

	while (rest.n && str_next(&rest, '&', &field)) {
		struct str_pair p;

		if (!field.n)
			continue;
		if (!str_cut(field, '=', &name, &value))
			value = S("");
		if (uri_decode(v->a, name, true, &p.key) < 0 || uri_decode(v->a, value, true, &p.value) < 0)
			return -EINVAL;
		if (!utf8_valid(p.key) || !utf8_valid(p.value))
			return -EINVAL;
		vec_push(v->a, v->query, v->n_query, cap) = p;
	}
	return 0;
}

static bool is_dropped(struct str name)
{
	for (size_t i = 0; i < ELEMENTS(dropped); i++)
		if (str_eq_ci(name, str_c(dropped[i])))
			return true;
	return false;
}

static void add_header(struct visit *v, const char *name, struct str value)
{
	if (value.p)
		v->headers[v->n_headers++] = (struct str_pair){ str_c(name), value };
}

static struct str trace_id(struct visit *v) /* from the request's id, which is random */
{
	struct str id = v->f->facts.request_id;
	char hex[24];
	size_t n = 0;

	for (size_t i = 0; i < id.n && n < sizeof hex; i++)
		if (id.p[i] != '-')
			hex[n++] = id.p[i];
	while (n < sizeof hex)
		hex[n++] = '0';
	return str_printf(v->a, "Root=1-%08llx-%.24s", (unsigned long long)(v->now_ms / 1000), hex);
}

/* headers: those of the client, and what API Gateway tells backends about the connection. */
static int parse_headers(struct visit *v)
{
	const struct http_request *h = v->http;
	struct str forwarded = http_header(h, "x-forwarded-for"), trace = http_header(h, "x-amzn-trace-id");

	v->headers = arena_alloc(v->a, (h->n_headers + 8) * sizeof *v->headers);
	for (size_t i = 0; i < h->n_headers; i++) {
		struct str name = h->headers[i].name;

		if (is_dropped(name) || str_eq_ci(name, S("x-forwarded-for")) || str_eq_ci(name, S("x-forwarded-port")) ||
		    str_eq_ci(name, S("x-forwarded-proto")) || str_eq_ci(name, S("x-amzn-trace-id")))
			continue;
		if (!utf8_valid(h->headers[i].value) || v->n_headers >= VISIT_HEADERS_MAX)
			return -EINVAL;
		v->headers[v->n_headers++] = (struct str_pair){ name, h->headers[i].value };
	}
	if (forwarded.n && utf8_valid(forwarded))
		forwarded = str_printf(v->a, "%.*s, %.*s", STR(forwarded), STR(v->source_ip));
	else
		forwarded = v->source_ip;
	if (!trace.n || !utf8_valid(trace))
		trace = trace_id(v);
	v->trace = trace;
	if (v->test_done) /* no connection, nothing to tell of one */
		return 0;
	add_header(v, "X-Amzn-Trace-Id", trace);
	add_header(v, "X-Forwarded-For", forwarded);
	add_header(v, "X-Forwarded-Port", h->tls ? S("443") : S("80"));
	add_header(v, "X-Forwarded-Proto", h->tls ? S("https") : S("http"));
	return 0;
}

struct str visit_header(const struct visit *v, struct str name)
{
	for (size_t i = v->n_headers; i-- > 0;)
		if (str_eq_ci(v->headers[i].key, name))
			return v->headers[i].value;
	return STR_NONE;
}

struct str visit_query(const struct visit *v, struct str name)
{
	for (size_t i = v->n_query; i-- > 0;)
		if (str_eq(v->query[i].key, name))
			return v->query[i].value;
	return STR_NONE;
}

struct str media_type(struct str content_type)
{
	struct str type, rest;

	(void)str_cut(content_type, ';', &type, &rest);
	return str_trim(type);
}

bool visit_binary_type(const struct visit *v, struct str content_type)
{
	const struct str_list *l = &v->served->snap.api->binary_media_types;
	struct str type = media_type(content_type);

	for (size_t i = 0; i < l->n; i++) {
		struct str want = str_replace(v->a, l->v[i], S("~1"), S("/"));

		if (str_is(want, "*/*") || (type.n && str_eq_ci(type, want)))
			return true;
		if (type.n && str_ends(want, S("/*")) && type.n > want.n - 1 &&
		    str_eq_ci(str_of(type.p, want.n - 1), str_of(want.p, want.n - 1)))
			return true;
	}
	return false;
}

/* inflate_body: what came compressed, where the API compresses; never more than a payload may have. */
static int inflate_body(struct visit *v)
{
	struct str coding = visit_header(v, S("content-encoding"));
	z_stream z = { 0 };
	struct buf out;
	size_t n = 0;
	int r = Z_OK;

	if (!v->served->snap.api->minimum_compression_size.has || !v->body.n ||
	    !(str_eq_ci(coding, S("gzip")) || str_eq_ci(coding, S("deflate"))))
		return 0;
	if (inflateInit2(&z, 15 + 32) != Z_OK)
		return -EINVAL;
	buf_init(&out, VISIT_BODY_BYTES_MAX);
	z.next_in = (Bytef *)(uintptr_t)v->body.p;
	z.avail_in = (uInt)v->body.n;
	while (r == Z_OK) {
		char *p = buf_reserve(&out, 65536);

		if (!p)
			break;
		z.next_out = (Bytef *)p;
		z.avail_out = 65536;
		r = inflate(&z, Z_NO_FLUSH);
		out.n += 65536 - z.avail_out;
	}
	inflateEnd(&z);
	if (r == Z_STREAM_END)
		v->body = str_dup(v->a, buf_view(&out));
	buf_done(&out);
	for (size_t i = 0; i < v->n_headers; i++)
		if (!str_eq_ci(v->headers[i].key, S("content-encoding")))
			v->headers[n++] = v->headers[i];
	v->n_headers = n;
	return r == Z_STREAM_END ? 0 : -EINVAL;
}

int visit_parse(struct visit *v)
{
	if (parse_path(v) < 0 || parse_query(v) < 0 || parse_headers(v) < 0)
		return bad_path(v);
	if (inflate_body(v) < 0)
		return visit_refuse(v, GW_DEFAULT_4XX, S("Bad Request"));
	v->body_binary = visit_binary_type(v, visit_header(v, S("content-type")));
	return 0;
}
