/* SPDX-License-Identifier: Apache-2.0 */
/* parse.h - HTTP/1.1 message syntax (RFC 9112) as pure functions over bytes in memory: no sockets, no state of its own.
 *
 * Only one reading of a request is accepted; whatever two parsers could read differently is refused (request
 * smuggling). Refusals are returned as a negative HTTP status (-400, -414, -417, -431, -501, -505). */
#pragma once
#include "http/http.h"
#include <sys/types.h>

#define HTTP_METHOD_BYTES_MAX 32
#define HTTP_TRAILER_BYTES_MAX 16384
#define HTTP_TRAILERS_MAX 64
#define HTTP_CHUNK_EXT_BYTES_MAX 4096 /* chunk extensions of one body, all together */

/* Looks for the empty line that ends a block of lines. Zeroed before the first byte; keeps its place between calls. */
struct parse_scan {
	size_t pos;     /* looked at so far */
	size_t line;    /* where the current line begins */
	size_t start;   /* a head begins here: one empty line before it is skipped */
	unsigned lines; /* complete lines, without the empty one */
};
/* parse_scan_head and parse_scan_trailers are called with all bytes of the block received so far (the same ones again,
 * and more). They return the length of the block with its empty line, 0 when it isn't complete, or a refusal. */
ssize_t parse_scan_head(struct parse_scan *s, const char *p, size_t n);
ssize_t parse_scan_trailers(struct parse_scan *s, const char *p, size_t n);

struct parse_info { /* what only the connection needs to know of a head */
	bool keep_alive, http10, expect_continue;
};
/* parse_head reads a complete head of `lines` lines (from parse_scan). Everything it sets in r points into p; the
 * header array is in the arena. 0 or a refusal. */
int parse_head(struct arena *a, const char *p, size_t n, unsigned lines, struct http_request *r, struct parse_info *ret);
/* parse_trailers sets r->trailers the same way. */
int parse_trailers(struct arena *a, const char *p, size_t n, unsigned lines, struct http_request *r);

struct parse_chunked { /* zeroed before the first byte of a chunked body */
	int state;
	unsigned digits, ext_bytes;
	uint64_t left; /* of the current chunk */
};
enum { PARSE_MORE, PARSE_DATA, PARSE_END };
/* parse_chunked takes *ret_used bytes of a chunked body. PARSE_DATA: *ret_data is a piece of content (inside p), call
 * again with what follows; PARSE_MORE: all was taken, no content in it; PARSE_END: the last chunk's line was taken, the
 * trailer block follows; or a refusal. */
int parse_chunked(struct parse_chunked *s, const char *p, size_t n, size_t *ret_used, struct str *ret_data);
