/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_query.c - form bodies of awsQuery and ec2Query. First byte: the service that signed. */
#include "fuzz_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const signing[] = { NULL, "ec2", "iam", "sqs" };
	struct http_header h = { S("Content-Type"), S("application/x-www-form-urlencoded") };
	struct http_request r = { .method = S("POST"), .path = S("/"), .headers = &h, .n_headers = 1, .host = S("localhost") };

	if (n < 1)
		return 0;
	r.body = str_of((const char *)data + 1, n - 1);
	fuzz_request(&r, str_c(signing[data[0] & 3]));
	arena_done(&r.arena);
	return 0;
}
