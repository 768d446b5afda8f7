/* SPDX-License-Identifier: Apache-2.0 */
/* An OpenAPI text read, written in all forms, and read again: what was written must be understood, with the same resources. */
#include "svc/apigateway/openapi.h"
#include "base/util.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void again(struct arena *a, const struct openapi_import *in, const struct apigw_rec_snapshot *base, bool v3, bool yaml)
{
	struct openapi_export o = { .v3 = v3, .extensions = ~0u, .host = S("h"), .stage = S("s") };
	struct openapi_import back;
	struct buf b = { 0 };
	struct str err;

	buf_init(&b, 64u << 20);
	if (yaml)
		openapi_yaml(&b, openapi_write(a, &in->s, &o));
	else
		json_write(&b, openapi_write(a, &in->s, &o));
	if (!buf_ok(&b))
		abort();
	if (buf_view(&b).n < OPENAPI_BYTES_MAX && openapi_read(a, buf_view(&b), base, OPENAPI_BASE_IGNORE, &back, &err) == 0 &&
	    back.s.resources.n != in->s.resources.n)
		abort();
	buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct apigw_rec_resource root = { .id = S("root"), .path = S("/") };
	struct apigw_rec_api api = { .id = S("abcdefghij"), .name = S("n") };
	struct apigw_rec_snapshot base = { .api = &api, .resources = { &root, 1 } };
	struct openapi_import in;
	struct arena a = { 0 };
	struct str err, text = str_of((const char *)data, n);

	for (int how = OPENAPI_BASE_IGNORE; how <= OPENAPI_BASE_SPLIT; how++)
		if (openapi_read(&a, text, &base, (enum openapi_base)how, &in, &err) == 0) {
			for (int form = 0; form < 4; form++)
				again(&a, &in, &base, form & 1, form & 2);
		} else if (!err.p)
			abort();
	arena_done(&a);
	return 0;
}
