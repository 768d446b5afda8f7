/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_json_wire.c - awsJson requests: the first line is X-Amz-Target, the rest the body. The body is also read as the
 * operation's output and encoded. */
#include "fuzz_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct http_header h[2] = { { S("X-Amz-Target"), { 0 } }, { S("Content-Type"), S("application/x-amz-json-1.1") } };
	struct http_request r = { .method = S("POST"), .path = S("/"), .headers = h, .n_headers = 2, .host = S("localhost") };
	struct wire_route route;
	struct json *j;

	str_cut(str_of((const char *)data, n), '\n', &h[0].value, &r.body);
	fuzz_request(&r, STR_NONE);
	if (wire_find(models, ELEMENTS(models), &r, r.body, STR_NONE, NULL, &route) == 0 && route.op &&
	    json_parse(&r.arena, r.body, &j, NULL) == 0)
		fuzz_encode(&route, j, &r.arena);
	arena_done(&r.arena);
	return 0;
}
