/* SPDX-License-Identifier: Apache-2.0 */
/* Requests, pipelined, through src/http/parse.c as conn.c calls it. Three promises:
 *  - memory: the sanitizers watch;
 *  - cuts: whatever the pieces a message arrives in, it is accepted or refused the same, with the same content;
 *  - no second reading: what we accept, llhttp (another implementation) either refuses or frames the same. */
#include "base/arena.h"
#include "base/buf.h"
#include "http/parse.h"
#include <llhttp.h>

#define MESSAGES_MAX 16
#define CHECK(x)                                                                                                                           \
	do {                                                                                                                               \
		if (!(x))                                                                                                                  \
			abort();                                                                                                           \
	} while (0)

struct outcome {
	int status; /* 1 accepted, 0 incomplete, negative refused */
	size_t used;
	struct buf body;
	struct http_request r;
	struct parse_info info;
};

/* pull makes one more piece of the input visible; false at its end. */
static bool pull(size_t *have, size_t n, size_t step)
{
	if (*have == n)
		return false;
	*have = n - *have > step ? *have + step : n;
	return true;
}

static int body(struct arena *a, const char *p, size_t n, size_t step, size_t *have, struct outcome *o)
{
	struct parse_chunked chunk = { 0 };
	struct parse_scan scan = { 0 };
	struct str piece;
	size_t used;
	ssize_t k;
	int r;

	if (!o->r.chunked) {
		while (*have - o->used < o->r.content_length)
			if (!pull(have, n, step))
				return 0;
		buf_put(&o->body, p + o->used, o->r.content_length);
		o->used += o->r.content_length;
		return 1;
	}
	while ((r = parse_chunked(&chunk, p + o->used, *have - o->used, &used, &piece)) != PARSE_END) {
		if (r < 0)
			return r;
		CHECK(used <= *have - o->used);
		o->used += used;
		if (r == PARSE_DATA) {
			CHECK(piece.n > 0);
			buf_str(&o->body, piece);
		} else if (!pull(have, n, step)) {
			return 0;
		}
	}
	o->used += used;
	while ((k = parse_scan_trailers(&scan, p + o->used, *have - o->used)) == 0)
		if (!pull(have, n, step))
			return 0;
	if (k < 0)
		return (int)k;
	r = scan.lines ? parse_trailers(a, arena_dup(a, p + o->used, (size_t)k), (size_t)k, scan.lines, &o->r) : 0;
	o->used += (size_t)k;
	return r < 0 ? r : 1;
}

/* message reads one message at p, of which `step` more bytes arrive at a time. */
static void message(struct arena *a, const char *p, size_t n, size_t step, struct outcome *o)
{
	struct parse_scan scan = { 0 };
	size_t have = 0;
	ssize_t k;

	buf_clear(&o->body);
	o->r = (struct http_request){ 0 };
	o->used = 0;
	o->status = 0;
	while ((k = parse_scan_head(&scan, p, have)) == 0)
		if (!pull(&have, n, step))
			return;
	if (k > 0) {
		char *copy;

		CHECK((size_t)k <= have && scan.start < (size_t)k);
		k -= scan.start;
		copy = arena_dup(a, p + scan.start, (size_t)k);
		o->used = scan.start + (size_t)k;
		k = parse_head(a, copy, (size_t)k, scan.lines, &o->r, &o->info);
	}
	o->status = k < 0 ? (int)k : body(a, p, n, step, &have, o);
	CHECK(o->status == 1 || o->status == 0 || (o->status <= -400 && o->status > -600));
}

/* --- the other reading --- */

struct other {
	struct buf body;
	unsigned fields;
	bool done;
};
static int on_body(llhttp_t *l, const char *p, size_t n)
{
	buf_put(&((struct other *)l->data)->body, p, n);
	return 0;
}
static int on_field(llhttp_t *l)
{
	((struct other *)l->data)->fields++;
	return 0;
}
static int on_complete(llhttp_t *l)
{
	((struct other *)l->data)->done = true;
	return HPE_PAUSED;
}

static void compare(const char *p, const struct outcome *o)
{
	static llhttp_settings_t settings;
	struct other other = { 0 };
	llhttp_errno_t e;
	llhttp_t l;

	llhttp_settings_init(&settings);
	settings.on_body = on_body;
	settings.on_header_value_complete = on_field;
	settings.on_message_complete = on_complete;
	buf_init(&other.body, 1 << 24);
	llhttp_init(&l, HTTP_REQUEST, &settings);
	l.data = &other;
	e = llhttp_execute(&l, p, o->used);
	if (e == HPE_PAUSED || e == HPE_OK || e == HPE_PAUSED_UPGRADE) {
		CHECK(other.done);
		CHECK(e != HPE_PAUSED || llhttp_get_error_pos(&l) == p + o->used);
		CHECK(str_eq(buf_view(&other.body), buf_view(&o->body)));
		CHECK(other.fields == o->r.n_headers + o->r.n_trailers);
	}
	buf_done(&other.body);
}

static void same(const struct outcome *x, const struct outcome *y)
{
	if (x->status <= 0 || y->status <= 0) {
		CHECK((x->status < 0) == (y->status < 0) && (x->status > 0) == (y->status > 0));
		return;
	}
	CHECK(x->used == y->used && str_eq(buf_view(&x->body), buf_view(&y->body)));
	CHECK(str_eq(x->r.method, y->r.method) && str_eq(x->r.path, y->r.path) && str_eq(x->r.query, y->r.query) &&
	      str_eq(x->r.host, y->r.host));
	CHECK(x->r.n_headers == y->r.n_headers && x->r.n_trailers == y->r.n_trailers && x->info.keep_alive == y->info.keep_alive);
	for (size_t i = 0; i < x->r.n_headers; i++)
		CHECK(str_eq(x->r.headers[i].name, y->r.headers[i].name) && str_eq(x->r.headers[i].value, y->r.headers[i].value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct arena a;
	static struct outcome whole, cut;
	const char *p = (const char *)data;
	size_t steps[] = { 1, 2 + n % 17 };

	if (!whole.body.max) {
		buf_init(&whole.body, 1 << 24);
		buf_init(&cut.body, 1 << 24);
	}
	for (int i = 0; i < MESSAGES_MAX && n > 0; i++) {
		message(&a, p, n, n, &whole);
		for (size_t k = 0; k < ELEMENTS(steps); k++) {
			message(&a, p, n, steps[k], &cut);
			same(&whole, &cut);
		}
		if (whole.status <= 0)
			break;
		CHECK(whole.used > 0 && whole.used <= n);
		compare(p, &whole);
		p += whole.used;
		n -= whole.used;
		arena_reset(&a);
	}
	arena_reset(&a);
	return 0;
}
