/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_rest.c - whole REST requests: "METHOD target host" on the first line, header lines, an empty line, the body. The
 * header X-Signing names the service that signed. */
#include "fuzz_wire.h"

#define HEADERS_MAX 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str rest = str_of((const char *)data, n), line, target, signing = STR_NONE;
	struct http_header h[HEADERS_MAX];
	struct http_request r = { .headers = h };

	str_next(&rest, '\n', &line);
	str_cut(line, ' ', &r.method, &target);
	str_cut(target, ' ', &r.target, &r.host);
	str_cut(r.target, '?', &r.path, &r.query);
	if (!r.path.n || *r.path.p != '/')
		return 0;
	while (str_next(&rest, '\n', &line) && line.n && r.n_headers < HEADERS_MAX) {
		struct http_header *x = &h[r.n_headers++];

		str_cut(line, ':', &x->name, &x->value);
		x->value = str_trim(x->value.p ? x->value : S(""));
		if (str_eq_ci(x->name, S("x-signing")))
			signing = x->value;
	}
	r.body = rest.p ? rest : S("");
	fuzz_request(&r, signing);
	arena_done(&r.arena);
	return 0;
}
