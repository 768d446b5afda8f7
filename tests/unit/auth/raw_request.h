/* SPDX-License-Identifier: Apache-2.0 */
/* raw_request.h - a request from its text, for tests without a server. Lines end in CRLF or LF; a target may hold
 * spaces. Memory is in the request's arena. */
#pragma once
#include "base/arena.h"
#include "http/http.h"

static inline struct str raw_line(struct str *rest)
{
	struct str line, tail;

	str_cut(*rest, '\n', &line, &tail);
	*rest = tail.p ? tail : str_of(line.p + line.n, 0);
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

/* Returns false when there is no request line. */
static inline bool raw_request(struct http_request *r, struct str text)
{
	struct str rest = text, line = raw_line(&rest), name, value;
	ptrdiff_t first = str_find_char(line, ' '), last = str_rfind_char(line, ' ');

	memset(r, 0, sizeof *r);
	if (first <= 0 || last <= first)
		return false;
	r->method = str_of(line.p, (size_t)first);
	r->target = str_of(line.p + first + 1, (size_t)(last - first - 1));
	if (!str_cut(r->target, '?', &r->path, &r->query))
		r->query = STR_NONE;
	r->headers = arena_array(&r->arena, struct http_header, HTTP_HEADERS_MAX);
	while (rest.n) {
		line = raw_line(&rest);
		if (line.n == 0)
			break;
		if (r->n_headers == HTTP_HEADERS_MAX || !str_cut(line, ':', &name, &value))
			continue;
		r->headers[r->n_headers++] = (struct http_header){ name, str_trim(value) };
		if (str_eq_ci(name, S("host")))
			r->host = str_trim(value);
	}
	r->body = rest;
	r->has_body = rest.n > 0;
	return true;
}
