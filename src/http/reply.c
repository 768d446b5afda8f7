/* SPDX-License-Identifier: Apache-2.0 */
/* reply.c - request objects, and answers: http_reply writes the head into the request's arena on the caller's thread;
 * the loop adds Date and Connection (which only it knows) when it sends it. */
#include "http/private.h"
#include <assert.h>
#include <errno.h>

static const char *reason(int status)
{
	static const struct {
		int status;
		const char *text;
	} reasons[] = {
		{ 200, "OK" },
		{ 100, "Continue" },
		{ 101, "Switching Protocols" },
		{ 201, "Created" },
		{ 202, "Accepted" },
		{ 204, "No Content" },
		{ 206, "Partial Content" },
		{ 301, "Moved Permanently" },
		{ 302, "Found" },
		{ 303, "See Other" },
		{ 304, "Not Modified" },
		{ 307, "Temporary Redirect" },
		{ 308, "Permanent Redirect" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 406, "Not Acceptable" },
		{ 408, "Request Timeout" },
		{ 409, "Conflict" },
		{ 410, "Gone" },
		{ 411, "Length Required" },
		{ 412, "Precondition Failed" },
		{ 413, "Content Too Large" },
		{ 414, "URI Too Long" },
		{ 415, "Unsupported Media Type" },
		{ 416, "Range Not Satisfiable" },
		{ 417, "Expectation Failed" },
		{ 422, "Unprocessable Content" },
		{ 424, "Failed Dependency" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ 501, "Not Implemented" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
		{ 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < ELEMENTS(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].text;
	return "Unknown";
}

/* --- request objects: pooled per loop, so that a request on a kept connection costs no malloc --- */

struct req *req_new(struct http_loop *l)
{
	struct req *q = l->pool;

	if (q) {
		struct arena kept = q->r.arena;

		l->pool = q->next;
		l->pool_n--;
		memset(q, 0, sizeof *q);
		q->r.arena = kept;
	} else {
		q = xzalloc(sizeof *q);
	}
	l->live++;
	q->r.loop = l;
	q->r.body_max = HTTP_BODY_MAX_DEFAULT;
	q->r.body_mode = HTTP_BODY_MEMORY;
	return q;
}

static atomic_size_t bodies_bytes; /* of the whole process: a request may outlive its server */

bool req_body_grow(struct req *q, size_t cap)
{
	size_t more = q->body_heap ? cap - q->body_cap : cap;

	if (atomic_fetch_add(&bodies_bytes, more) + more > HTTP_BODIES_MEMORY_MAX) {
		atomic_fetch_sub(&bodies_bytes, more);
		return false;
	}
	q->body = xrealloc(q->body_heap ? q->body : NULL, cap);
	q->body_cap = cap;
	q->body_heap = true;
	return true;
}

void req_free(struct req *q)
{
	struct http_loop *l = q->r.loop;

	assert(!q->told || q->arrived);
	if (q->has_source && q->source.close)
		q->source.close(q->source.arg);
	if (q->body_heap) {
		free(q->body);
		atomic_fetch_sub(&bodies_bytes, q->body_cap);
	}
	arena_done(&q->own);
	l->live--;
	if (l->pool_n >= HTTP_POOL_REQUESTS_MAX || l->ended) {
		arena_done(&q->r.arena);
		free(q);
		return;
	}
	arena_reset(&q->r.arena);
	q->next = l->pool;
	l->pool = q;
	l->pool_n++;
}

struct str http_header(const struct http_request *r, const char *name)
{
	struct str want = str_c(name);

	for (size_t i = 0; i < r->n_headers; i++)
		if (r->headers[i].name.n == want.n && str_eq_ci(r->headers[i].name, want))
			return r->headers[i].value;
	return STR_NONE;
}

size_t http_header_count(const struct http_request *r, const char *name)
{
	struct str want = str_c(name);
	size_t n = 0;

	for (size_t i = 0; i < r->n_headers; i++)
		n += r->headers[i].name.n == want.n && str_eq_ci(r->headers[i].name, want);
	return n;
}

/* --- heads --- */

static char *put(char *p, const void *from, size_t n)
{
	memcpy(p, from, n);
	return p + n;
}
#define PUT(p, lit) put((p), "" lit, sizeof(lit) - 1)

/* put_safe copies a field's bytes; a control character in it (a handler's mistake) must not become a second field. */
static char *put_safe(char *p, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = (uint8_t)s.p[i];

		*p++ = (c < 0x20 && c != '\t') || c == 0x7f ? ' ' : (char)c;
	}
	return p;
}

static char *put_u64(char *p, uint64_t v)
{
	char digits[20];
	size_t n = 0;

	do
		digits[n++] = (char)('0' + v % 10);
	while (v /= 10);
	while (n > 0)
		*p++ = digits[--n];
	return p;
}

/* ours says whether the front writes this field itself. */
static bool ours(struct str name)
{
	switch (name.n) {
	case 4:
		return str_eq_ci(name, S("date"));
	case 10:
		return str_eq_ci(name, S("connection")) || str_eq_ci(name, S("keep-alive"));
	case 14:
		return str_eq_ci(name, S("content-length"));
	case 17:
		return str_eq_ci(name, S("transfer-encoding"));
	default:
		return false;
	}
}

/* write_head puts status line, the handler's fields and Content-Length into the arena, with room for the rest. */
static void write_head(struct req *q, const struct http_reply *a, uint64_t length)
{
	const char *text = reason(a->status);
	size_t text_n = strlen(text), room = 64 + text_n + HTTP_TAIL_BYTES;
	char *p;

	for (size_t i = 0; i < a->n_headers; i++)
		room += a->headers[i].name.n + a->headers[i].value.n + 4;
	p = q->head = arena_alloc(&q->r.arena, room);
	p = PUT(p, "HTTP/1.1 ");
	p = put_u64(p, (uint64_t)a->status);
	*p++ = ' ';
	p = put(p, text, text_n);
	p = PUT(p, "\r\n");
	for (size_t i = 0; i < a->n_headers; i++) {
		if (ours(a->headers[i].name))
			continue;
		p = put_safe(p, a->headers[i].name);
		p = PUT(p, ": ");
		p = put_safe(p, a->headers[i].value);
		p = PUT(p, "\r\n");
	}
	if (a->chunked && a->status != 204 && a->status != 304) {
		if (!q->info.http10) /* which knows no chunks: there the connection's end is the answer's */
			p = PUT(p, "Transfer-Encoding: chunked\r\n");
	} else if (a->status != 204 && (a->status != 304 || length > 0)) {
		p = PUT(p, "Content-Length: ");
		p = put_u64(p, length);
		p = PUT(p, "\r\n");
	}
	q->head_n = (size_t)(p - q->head);
	assert(q->head_n + HTTP_TAIL_BYTES <= room);
}

struct str reply_finish(struct req *q, struct str date, bool close)
{
	char *p = q->head + q->head_n;

	assert(date.n == HTTP_DATE_BYTES);
	p = PUT(p, "Date: ");
	p = put(p, date.p, date.n);
	if (close)
		p = PUT(p, "\r\nConnection: close\r\n\r\n");
	else if (q->info.http10)
		p = PUT(p, "\r\nConnection: keep-alive\r\n\r\n");
	else
		p = PUT(p, "\r\n\r\n");
	return str_of(q->head, (size_t)(p - q->head));
}

char *reply_refusal(int status, struct str date, size_t *ret_n)
{
	size_t cap = 512;
	char *text = xmalloc(cap);
	const char *why = reason(status);
	int n = snprintf(
		text, cap,
		"HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\nDate: %.*s\r\nConnection: close\r\n\r\n%d %s\n",
		status, why, strlen(why) + 5, STR(date), status, why);

	assert(n > 0 && (size_t)n < cap);
	*ret_n = (size_t)n;
	return text;
}

/* --- replies --- */

static void arrived(void *arg)
{
	conn_replied(arg);
}

void http_reply(struct http_request *r, const struct http_reply *a)
{
	struct req *q = (struct req *)r;
	struct http_loop *l = r->loop;
	bool empty, twice = atomic_exchange(&q->replied, true);
	uint64_t length = a->source || (a->body.n == 0 && a->source_bytes) ? a->source_bytes : a->body.n;

	assert(!twice);
	assert(a->status >= 200 && a->status <= 599);
	empty = a->head || str_is(r->method, "HEAD") || a->status == 204 || a->status == 304;
	write_head(q, a, length);
	q->answer = empty || a->source ? STR_NONE : a->body;
	q->close = a->close;
	if (a->source) {
		q->source = *a->source;
		q->source_left = empty ? 0 : length;
		q->has_source = true;
		q->chunked = a->chunked && !empty;
		q->close |= a->chunked && q->info.http10;
	}
	if (!empty && !a->source && length != a->body.n)
		q->close = true; /* a length without bytes: only right for HEAD; the client must not wait on a kept connection */
	if (loop_is_current(l)) {
		conn_replied(q);
		return;
	}
	q->reply_post = (struct post){ .fn = arrived, .arg = q };
	if (!loop_post(l, &q->reply_post))
		loop_orphan(q);
}

void http_continue(struct http_request *r)
{
	assert(loop_is_current(r->loop));
	conn_continued((struct req *)r);
}

static void resumed(void *arg)
{
	conn_resumed(arg);
}

void http_resume(struct http_request *r)
{
	struct req *q = (struct req *)r;

	if (loop_is_current(r->loop)) {
		conn_resumed(q);
		return;
	}
	if (atomic_exchange(&q->resume_posted, true))
		return;
	q->resume_post = (struct post){ .fn = resumed, .arg = q };
	loop_post(r->loop, &q->resume_post);
}
