/* SPDX-License-Identifier: Apache-2.0 */
/* front_log.c - the execution log of a visit: what API Gateway did with it, step by step, in AWS's words.
 *
 * Deployed stages write it to CloudWatch Logs ("API-Gateway-Execution-Logs_API/STAGE") as the account's role, at the level of the
 * method's settings; tests of methods and authorizers get it with their answer. Secrets are masked. Sources: "Set up CloudWatch
 * logging for REST APIs", and logs that users have shown. */
#include "svc/apigateway/front.h"

#define LINE_MAX_BYTES 1024 /* AWS cuts longer ones */
#define LINES_MAX 100

void visit_log_open(struct visit *v)
{
	const struct apigw_rec_method_setting *s = v->stage.method_settings.n ? visit_setting(v) : NULL;

	if (!s || !s->logging_level.n || str_is(s->logging_level, "OFF"))
		return;
	v->log.wants = str_is(s->logging_level, "INFO") ? EXEC_ERROR | EXEC_INFO : EXEC_ERROR;
	if (s->data_trace_enabled.v)
		v->log.wants |= EXEC_TRACE;
	visit_log(v, EXEC_INFO, "Extended Request Id: %.*s", STR(v->extended_id));
}

/* cut: no more than max bytes, and no half of a character at the end. */
static struct str cut(struct str s, size_t max)
{
	if (s.n > max)
		s.n = max;
	for (int i = 0; i < 3 && s.n && !utf8_valid(s); i++)
		s.n--;
	return s;
}

void visit_log(struct visit *v, int kind, const char *fmt, ...)
{
	struct str text;
	va_list ap;

	if (!(v->log.wants & kind) || v->log.n >= LINES_MAX)
		return;
	va_start(ap, fmt);
	text = str_vprintf(v->a, fmt, ap);
	va_end(ap);
	if (text.n > LINE_MAX_BYTES)
		text = str_printf(v->a, "%.*s [TRUNCATED]", STR(cut(text, LINE_MAX_BYTES)));
	vec_push(v->a, v->log.v, v->log.n, v->log.cap) = (struct exec_line){ clock_now_ms(), text };
}

struct str visit_log_masked(struct visit *v, struct str s)
{
	char *p = arena_alloc(v->a, s.n + 1);

	for (size_t i = 0; i < s.n; i++)
		p[i] = s.n > 12 && i + 6 >= s.n ? s.p[i] : '*';
	return str_of(p, s.n);
}

static bool is_secret(struct str name)
{
	static const char *const secrets[] = { "authorization", "x-api-key", "x-amz-security-token", "cookie", "set-cookie" };

	for (size_t i = 0; i < ELEMENTS(secrets); i++)
		if (str_eq_ci(name, str_c(secrets[i])))
			return true;
	return false;
}

static void put_pair(struct visit *v, struct buf *b, struct str name, struct str value)
{
	if (b->n > 1)
		buf_str(b, S(", "));
	buf_printf(b, "%.*s=%.*s", STR(name), STR(is_secret(name) ? visit_log_masked(v, value) : value));
}

struct str visit_log_pairs(struct visit *v, const struct str_pair *p, size_t n)
{
	struct str out;
	struct buf b;

	buf_init(&b, 1 << 20);
	buf_c(&b, '{');
	for (size_t i = 0; i < n && b.n < 2 * LINE_MAX_BYTES; i++)
		put_pair(v, &b, p[i].key, p[i].value);
	buf_c(&b, '}');
	out = str_dup(v->a, buf_view(&b));
	buf_done(&b);
	return out;
}

struct str visit_log_headers(struct visit *v, const struct http_header *h, size_t n)
{
	struct str_pair *p = arena_array(v->a, struct str_pair, n);

	for (size_t i = 0; i < n; i++)
		p[i] = (struct str_pair){ h[i].name, h[i].value };
	return visit_log_pairs(v, p, n);
}

/* A body as text, no longer than a line shows. */
struct str visit_log_body(struct visit *v, struct str body)
{
	body = body.n ? cut(body, 2 * LINE_MAX_BYTES) : S("");
	return utf8_valid(body) ? body : S("[Binary Data]");
}

void visit_log_begin(struct visit *v)
{
	v->log.completes = true;
	visit_log(v, EXEC_INFO, "Starting execution for request: %.*s", STR(v->f->facts.request_id));
	visit_log(v, EXEC_INFO, "HTTP Method: %.*s, Resource Path: %.*s", STR(v->method), STR(v->raw_path));
	if (!(v->log.wants & EXEC_TRACE))
		return;
	visit_log(v, EXEC_TRACE, "Method request path: %.*s", STR(visit_log_pairs(v, v->path_params.v, v->path_params.n)));
	visit_log(v, EXEC_TRACE, "Method request query string: %.*s", STR(visit_log_pairs(v, v->query, v->n_query)));
	visit_log(v, EXEC_TRACE, "Method request headers: %.*s", STR(visit_log_pairs(v, v->headers, v->n_headers)));
	visit_log(v, EXEC_TRACE, "Method request body before transformations: %.*s", STR(visit_log_body(v, v->body)));
}

void visit_log_sending(struct visit *v, struct str uri, const struct http_header *h, size_t n, struct str body)
{
	if (v->log.wants & EXEC_TRACE) {
		visit_log(v, EXEC_TRACE, "Endpoint request URI: %.*s", STR(uri));
		visit_log(v, EXEC_TRACE, "Endpoint request headers: %.*s", STR(visit_log_headers(v, h, n)));
		visit_log(v, EXEC_TRACE, "Endpoint request body after transformations: %.*s", STR(visit_log_body(v, body)));
	}
	visit_log(v, EXEC_INFO, "Sending request to %.*s", STR(uri));
}

void visit_log_received(struct visit *v, int status, const struct http_header *h, size_t n, struct str body)
{
	visit_log(v, EXEC_INFO, "Received response. Status: %d, Integration latency: %lld ms", status,
		  (long long)v->integration_latency_ms);
	if (!(v->log.wants & EXEC_TRACE))
		return;
	visit_log(v, EXEC_TRACE, "Endpoint response headers: %.*s", STR(visit_log_headers(v, h, n)));
	visit_log(v, EXEC_TRACE, "Endpoint response body before transformations: %.*s", STR(visit_log_body(v, body)));
}

void visit_log_transformed(struct visit *v)
{
	if (v->log.wants & EXEC_TRACE) {
		visit_log(v, EXEC_TRACE, "Method response body after transformations: %.*s", STR(visit_log_body(v, v->out.body)));
		visit_log(v, EXEC_TRACE, "Method response headers: %.*s", STR(visit_log_headers(v, v->out.headers, v->out.n)));
	}
	visit_log(v, EXEC_INFO, "Successfully completed execution");
}

void visit_log_end(struct visit *v)
{
	if (v->log.completes)
		visit_log(v, v->log.n ? EXEC_ERROR : EXEC_INFO, "Method completed with status: %d", v->out.status);
}

/* visit_log_text: as tests of methods show it. */
struct str visit_log_text(struct visit *v)
{
	struct str out;
	struct buf b;

	buf_init(&b, 4 << 20);
	buf_printf(&b, "Execution log for request %.*s\n", STR(v->f->facts.request_id));
	for (size_t i = 0; i < v->log.n; i++) {
		struct str t = time_http(v->a, v->log.v[i].at_ms); /* Tue, 30 May 2023 01:22:45 GMT */

		buf_printf(&b, "%.3s %.3s %.2s %.8s UTC %.4s : %.*s\n", t.p, t.p + 8, t.p + 5, t.p + 17, t.p + 12, STR(v->log.v[i].text));
	}
	out = str_dup(v->a, buf_view(&b));
	buf_done(&b);
	return out;
}

void visit_log_send(struct visit *v)
{
	struct str group = str_printf(v->a, "API-Gateway-Execution-Logs_%.*s/%.*s", STR(v->api), STR(v->stage_name));

	for (size_t i = 0; i < v->log.n; i++)
		log_enqueue(v, group, v->log.v[i].at_ms,
			    str_printf(v->a, "(%.*s) %.*s", STR(v->f->facts.request_id), STR(v->log.v[i].text)), true);
}
