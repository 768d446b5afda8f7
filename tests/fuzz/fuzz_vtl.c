/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_vtl.c - mapping templates and JSONPath: whatever is read ends, within the limits. The template and, behind a zero byte, the
 * body it works on. */
#include "svc/apigateway/vtl.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena a = { 0 };
	struct str s = str_dup(&a, str_of((const char *)data, n)), text, body, error;
	struct vtl_run r = { .arena = &a, .work = VTL_WORK_MAX - 20000 };
	struct vtl_input in = { 0 };
	struct vtl_template *t;
	struct json *root, *found;
	struct buf out;

	(void)str_cut(s, 0, &text, &body);
	in.body = body;
	if (vtl_parse(&a, text, &t, &error) == 0) {
		buf_init(&out, 1 << 20);
		vtl_define_input(&r, &in);
		vtl_define(&r, "context", vtl_map_new(&a));
		if (vtl_render(&r, t, &out) < 0 && !r.error.p)
			abort();
		buf_done(&out);
	} else if (!error.p) {
		abort();
	}
	if (json_parse(&a, body.p ? body : S("{}"), &root, NULL) == 0)
		(void)json_path(&a, root, text, &found);
	arena_done(&a);
	return 0;
}
