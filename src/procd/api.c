/* SPDX-License-Identifier: Apache-2.0 */
/* api.c - the Lambda Runtime API (version 2018-06-01) that an environment's process talks to at 127.0.0.1:9001.
 *
 * Bytes come from code that is not ours: heads are read with the strict parser of src/http, everything has a limit, and a
 * connection can only reach its own environment. Requests may be pipelined: a bootstrap sends its answer and asks for the
 * next invocation in one go. */
#include "base/json.h"
#include "base/util.h"
#include "procd/private.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define PREFIX "/2018-06-01/runtime/"
#define OUT_BYTES_MAX (16u << 20)

void api_free(struct api_conn *c)
{
	buf_done(&c->in);
	buf_done(&c->body);
	buf_done(&c->out);
	arena_done(&c->arena);
	free(c);
}

void api_drop(struct api_conn *c)
{
	struct env *e = c->env;
	struct api_conn **p = &e->conns;

	if (c->dead)
		return;
	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	e->n_conns--;
	if (e->waiting == c)
		e->waiting = NULL;
	c->dead = true;
	fn_unwatch(e->f, &c->w);
	c->next = e->f->dead_conns;
	e->f->dead_conns = c;
}

void api_accept(struct env *e, int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct api_conn *c;

	if (fd < 0) {
		fn_out_of_files(e->f);
		return;
	}
	if (e->n_conns >= FN_CONNS_MAX) {
		(void)close(fd);
		return;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	c = xzalloc(sizeof *c);
	c->env = e;
	c->w = (struct watch){ WATCH_CONN, fd, c };
	c->armed = EPOLLIN;
	buf_init(&c->in, FN_HEAD_BYTES_MAX + 2 * FN_READ_BYTES);
	buf_init(&c->body, FN_PAYLOAD_BYTES_MAX);
	buf_init(&c->out, OUT_BYTES_MAX);
	c->next = e->conns;
	e->conns = c;
	e->n_conns++;
	fn_watch(e->f, &c->w, EPOLLIN);
}

/* --- writing --- */
static void arm(struct api_conn *c)
{
	struct epoll_event ev = { .events = (c->stalled ? 0 : EPOLLIN) | (c->want_write ? EPOLLOUT : 0), .data.ptr = &c->w };

	if (c->armed != ev.events && epoll_ctl(c->env->f->ep, EPOLL_CTL_MOD, c->w.fd, &ev) == 0)
		c->armed = ev.events;
}

/* empty forgets what is in a buffer, and gives back its memory when that was much. */
static void empty(struct buf *b)
{
	size_t max = b->max;

	if (b->cap > FN_KEEP_BYTES_MAX) {
		buf_done(b);
		buf_init(b, max);
	}
	buf_clear(b);
}

static void flush(struct api_conn *c)
{
	while (c->out_off < c->out.n) {
		ssize_t n = send(c->w.fd, c->out.p + c->out_off, c->out.n - c->out_off, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN) {
			c->want_write = true;
			arm(c);
			return;
		}
		if (n <= 0) {
			api_drop(c);
			return;
		}
		c->out_off += (size_t)n;
	}
	empty(&c->out);
	c->out_off = 0;
	c->want_write = false;
	arm(c);
	if (c->close)
		api_drop(c);
}

/* put_header keeps what could end a line out of a header. */
static void put_header(struct buf *b, const char *name, struct str v)
{
	if (!v.p)
		return;
	buf_printf(b, "%s: ", name);
	for (size_t i = 0; i < v.n; i++)
		buf_c(b, (unsigned char)v.p[i] < 0x20 || v.p[i] == 0x7f ? ' ' : v.p[i]);
	buf_put(b, "\r\n", 2);
}

void api_send_invocation(struct api_conn *c, const struct invocation *i, int64_t deadline_ms)
{
	struct buf *b = &c->out;

	buf_put(b, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n", 49);
	put_header(b, "Lambda-Runtime-Aws-Request-Id", i->event.request_id);
	buf_printf(b, "Lambda-Runtime-Deadline-Ms: %lld\r\n", (long long)deadline_ms);
	put_header(b, "Lambda-Runtime-Invoked-Function-Arn", i->event.function_arn);
	put_header(b, "Lambda-Runtime-Trace-Id", i->event.trace);
	put_header(b, "Lambda-Runtime-Client-Context", i->event.client_context);
	put_header(b, "Lambda-Runtime-Cognito-Identity", i->event.cognito_identity);
	buf_printf(b, "Content-Length: %zu\r\n\r\n", i->event.payload.n);
	buf_str(b, i->event.payload);
	if (!buf_ok(b))
		c->close = true;
	flush(c);
}

static void reply(struct api_conn *c, int status, const char *type, const char *message)
{
	static const char ok[] = "{\"status\":\"OK\"}\n";
	char body[320];
	int n = type ? snprintf(body, sizeof body, "{\"errorMessage\":\"%s\",\"errorType\":\"%s\"}\n", message, type) : 0;
	const char *reason = status == 202   ? "Accepted"
			     : status == 400 ? "Bad Request"
			     : status == 403 ? "Forbidden"
			     : status == 404 ? "Not Found"
			     : status == 413 ? "Request Entity Too Large"
					     : "Error";

	if (status != 202 && !c->info.keep_alive)
		c->close = true;
	buf_printf(&c->out, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s", status, reason,
		   c->close ? "Connection: close\r\n" : "", type ? n : (int)sizeof ok - 1, type ? body : ok);
}

/* --- what requests mean --- */
static struct str error_type_of(struct api_conn *c, struct str body)
{
	struct str h = http_header(&c->r, "Lambda-Runtime-Function-Error-Type");
	struct json *j;

	if (h.p && h.n)
		return h;
	return json_parse(&c->arena, body, &j, NULL) == 0 && json_get_str(j, "errorType").p ? json_get_str(j, "errorType") : S("Unhandled");
}

static void too_large(struct api_conn *c)
{
	struct str text = str_printf(&c->arena,
				     "{\"errorMessage\":\"Response payload size exceeded maximum allowed payload size (%d bytes).\","
				     "\"errorType\":\"Function.ResponseSizeTooLarge\"}",
				     FN_PAYLOAD_BYTES_MAX);

	env_answer(c->env, FN_FAILED, text, S("Function.ResponseSizeTooLarge"));
	reply(c, 413, "RequestEntityTooLarge", "Exceeded maximum allowed payload size (6291556 bytes).");
}

static struct str trailer(const struct api_conn *c, const char *name)
{
	for (size_t i = 0; i < c->r.n_trailers; i++)
		if (str_eq_ci(c->r.trailers[i].name, str_c(name)))
			return c->r.trailers[i].value;
	return STR_NONE;
}

/* Of an answer that came to its end; trailers tell of an error that came after its beginning. */
static void response(struct api_conn *c, struct str body)
{
	struct str type = trailer(c, "Lambda-Runtime-Function-Error-Type"), error = trailer(c, "Lambda-Runtime-Function-Error-Body");
	struct invocation *i = c->env->inv;

	if (!i->streamed && http_header(&c->r, "Content-Type").p)
		i->content_type = str_dup(&i->arena, http_header(&c->r, "Content-Type"));
	if (!type.n) {
		env_answer(c->env, FN_DONE, c->streaming ? S("") : body, STR_NONE);
		return;
	}
	if (base64_decode(&c->arena, error, &error) < 0)
		error = S("");
	env_answer(c->env, c->streaming ? FN_DONE : FN_FAILED, error, type);
}

/* answer: POST invocation/ID/response or /error. */
static void answer(struct api_conn *c, struct str id, struct str what)
{
	struct env *e = c->env;
	struct str body = buf_view(&c->body);
	bool busy = e->state == ENV_BUSY && e->inv;

	if (!busy && str_eq(id, e->last_id))
		reply(c, 403, "InvalidStateTransition", "This invocation was answered already.");
	else if (!busy || !str_eq(id, e->inv->event.request_id))
		reply(c, 400, "InvalidRequestID", "Invalid request ID");
	else if (c->too_large)
		too_large(c);
	else {
		/* First the reply: in the callback the environment may end. */
		reply(c, 202, NULL, NULL);
		if (str_is(what, "response"))
			response(c, body);
		else
			env_answer(e, FN_FAILED, body, error_type_of(c, body));
	}
}

static void handle(struct api_conn *c)
{
	struct str path = c->r.path, id, what;
	bool post = str_is(c->r.method, "POST");
	struct env *e = c->env;

	if (str_is(c->r.method, "GET") && str_is(path, PREFIX "invocation/next")) {
		env_ready(e, c);
		return;
	}
	if (post && str_is(path, PREFIX "init/error")) {
		if (e->state == ENV_INIT && !c->too_large) {
			reply(c, 202, NULL, NULL);
			flush(c);
			env_init_error(e, buf_view(&c->body), error_type_of(c, buf_view(&c->body)));
		} else {
			reply(c, 403, "InvalidStateTransition", "The initialization is over.");
		}
		return;
	}
	if (post && str_starts(path, S(PREFIX "invocation/")) &&
	    str_cut(str_skip(path, sizeof PREFIX "invocation/" - 1), '/', &id, &what) &&
	    (str_is(what, "response") || str_is(what, "error"))) {
		answer(c, id, what);
		return;
	}
	reply(c, 404, "NotFound", "There is no such path in the Runtime API.");
}

/* --- reading --- */

/* is_awaited: whether this is the answer that is awaited now. Only its body is kept; other requests are told no without. */
static bool is_awaited(const struct api_conn *c)
{
	const struct env *e = c->env;
	struct str id, what;

	if (e->state == ENV_INIT)
		return str_is(c->r.path, PREFIX "init/error");
	return e->state == ENV_BUSY && e->inv && str_starts(c->r.path, S(PREFIX "invocation/")) &&
	       str_cut(str_skip(c->r.path, sizeof PREFIX "invocation/" - 1), '/', &id, &what) && str_eq(id, e->inv->event.request_id);
}

/* streams: is this an answer that somebody takes while it comes? */
static bool streams(const struct api_conn *c)
{
	const struct env *e = c->env;

	return c->r.chunked && !c->unwanted && e->state == ENV_BUSY && e->inv->event.sink && !e->inv->streamed &&
	       str_ends(c->r.path, S("/response")) && str_is(c->r.method, "POST") &&
	       str_eq_ci(http_header(&c->r, "Lambda-Runtime-Function-Response-Mode"), S("streaming"));
}

static void refuse(struct api_conn *c)
{
	c->close = true;
	reply(c, 400, "InvalidRequest", "This is not a request of the Runtime API.");
	flush(c);
}

static void take(struct api_conn *c, size_t n)
{
	memmove(c->in.p, c->in.p + n, c->in.n - n);
	c->in.n -= n;
}

/* keep copies the head out of the way: what r points at must live until the request is handled. */
static int read_head(struct api_conn *c)
{
	ssize_t n = parse_scan_head(&c->scan, c->in.p, c->in.n);
	char *head;

	if (n == 0)
		return c->in.n > FN_HEAD_BYTES_MAX ? -EMSGSIZE : 0;
	if (n < 0 || n > FN_HEAD_BYTES_MAX)
		return -EBADMSG;
	arena_reset(&c->arena);
	c->r = (struct http_request){ 0 };
	head = arena_dup(&c->arena, c->in.p + c->scan.start, (size_t)n - c->scan.start);
	if (parse_head(&c->arena, head, (size_t)n - c->scan.start, c->scan.lines, &c->r, &c->info) < 0)
		return -EBADMSG;
	take(c, (size_t)n);
	c->scan = (struct parse_scan){ 0 };
	empty(&c->body);
	c->body.overflow = false;
	c->too_large = false;
	c->unwanted = !is_awaited(c);
	c->chunk = (struct parse_chunked){ 0 };
	c->left = c->r.content_length;
	if (c->info.expect_continue)
		buf_put(&c->out, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	c->streaming = streams(c);
	if (c->streaming)
		env_stream(c->env, http_header(&c->r, "Content-Type"));
	if (c->r.chunked) {
		c->step = CONN_READ_CHUNKED;
	} else if (c->left > FN_PAYLOAD_BYTES_MAX) {
		if (c->left > FN_DISCARD_BYTES_MAX)
			return -EMSGSIZE;
		c->too_large = true;
		c->step = CONN_DISCARD;
	} else {
		c->step = c->unwanted ? CONN_DISCARD : CONN_READ_BODY;
	}
	return 1;
}

/* read_body: 1 complete, 0 more is needed. */
static int read_body(struct api_conn *c)
{
	size_t n = c->in.n < c->left ? c->in.n : (size_t)c->left;

	if (c->step == CONN_READ_BODY)
		buf_put(&c->body, c->in.p, n);
	take(c, n);
	c->left -= n;
	return c->left == 0;
}

/* deliver gives the piece at the beginning of in to whoever takes the answer: 1 all of it, 0 not now, negative when it is too much. */
static int deliver(struct api_conn *c)
{
	size_t n = c->piece;

	if (c->streaming && c->left > FN_STREAM_BYTES_MAX) {
		env_broken(c->env, "Function.ResponseSizeTooLarge",
			   "Response payload size exceeded maximum allowed payload size (209715200 bytes).");
		return -EFBIG;
	}
	if (c->streaming)
		n = env_write(c->env, str_of(c->in.p, c->piece));
	take(c, n);
	c->piece -= n;
	c->stalled = c->piece > 0;
	arm(c);
	return !c->stalled;
}

/* read_data takes what of a chunked body is there: 1 it is at its end, 0 more is needed or nobody takes it now. */
static int read_data(struct api_conn *c)
{
	size_t used;
	struct str data;
	int r = 1;

	while (r > 0 && (c->piece || c->in.n)) {
		if (c->piece) {
			r = deliver(c);
			continue;
		}
		r = parse_chunked(&c->chunk, c->in.p, c->in.n, &used, &data);
		if (r < 0 || (!c->streaming && c->left > FN_DISCARD_BYTES_MAX))
			return -EBADMSG;
		if (r == PARSE_END) {
			take(c, used);
			c->step = CONN_READ_TRAILERS;
			return 1;
		}
		if (r == PARSE_DATA) {
			c->left += data.n;
			if (c->streaming) {
				used -= data.n;
				c->piece = data.n;
			} else if (!c->unwanted) {
				buf_str(&c->body, data);
			}
			c->too_large = !buf_ok(&c->body);
		}
		take(c, used);
		r = 1;
	}
	return r < 0 ? r : 0;
}

static int read_trailers(struct api_conn *c)
{
	ssize_t n = parse_scan_trailers(&c->scan, c->in.p, c->in.n);

	if (n <= 0)
		return n < 0 ? -EBADMSG : 0;
	if (c->scan.lines && parse_trailers(&c->arena, arena_dup(&c->arena, c->in.p, (size_t)n), (size_t)n, c->scan.lines, &c->r) < 0)
		return -EBADMSG;
	take(c, (size_t)n);
	c->scan = (struct parse_scan){ 0 };
	return 1;
}

static int read_chunked(struct api_conn *c)
{
	int r = c->step == CONN_READ_CHUNKED ? read_data(c) : 1;

	return r > 0 ? read_trailers(c) : r;
}

/* work_once handles what was read; true: there may be more, which waited until replies were sent. */
static bool work_once(struct api_conn *c)
{
	bool full = false;
	int r = 1;

	while (r > 0 && !c->dead && !c->close) {
		if (c->step == CONN_READ_HEAD) {
			full = c->out.n >= FN_REPLIES_BYTES_MAX;
			/* One at a time: what follows waits until the invocation it asked for was sent. */
			r = c->in.n && c->env->waiting != c && !full ? read_head(c) : 0;
			continue;
		}
		r = c->step == CONN_READ_CHUNKED || c->step == CONN_READ_TRAILERS ? read_chunked(c) : read_body(c);
		if (r > 0) {
			c->step = CONN_READ_HEAD;
			handle(c);
			c->streaming = false;
			empty(&c->body);
		}
	}
	if (c->dead)
		return false;
	if (r < 0 && c->streaming)
		env_broken(c->env, "Runtime.TruncatedResponse", "The response is not in chunks as HTTP has them.");
	if (r < 0)
		refuse(c);
	else if (c->out.n)
		flush(c);
	return full && !c->dead && c->out.n == 0;
}

static void work(struct api_conn *c)
{
	while (work_once(c))
		;
}

void api_resume(struct api_conn *c)
{
	c->stalled = false;
	arm(c);
	work(c);
}

void api_event(struct api_conn *c, uint32_t events)
{
	struct functions *f = c->env->f;
	ssize_t n;

	if (events & EPOLLOUT) {
		flush(c);
		if (!c->dead && !c->out.n)
			work(c); /* what came meanwhile */
	}
	if (c->dead || !(events & ~(uint32_t)EPOLLOUT))
		return;
	n = recv(c->w.fd, f->read_room, FN_READ_BYTES, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 || c->in.n + (size_t)n > FN_HEAD_BYTES_MAX + FN_READ_BYTES) {
		if (c->streaming)
			env_cut_off(c->env);
		api_drop(c);
		return;
	}
	buf_put(&c->in, f->read_room, (size_t)n);
	work(c);
}
