/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_jsonschema.c - a schema and, behind a zero byte, a value: the check ends; a value that is valid by S isn't by "not S". */
#include "svc/apigateway/schema.h"
#include <errno.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena a = { 0 };
	struct str s = str_dup(&a, str_of((const char *)data, n)), left, right, why;
	struct json *schema, *value, *not ;

	if (str_cut(s, 0, &left, &right) && json_parse(&a, left, &schema, NULL) == 0 && json_parse(&a, right, &value, NULL) == 0) {
		int r = schema_check(&a, schema, value, NULL, &why);

		if (r < 0 && !why.p)
			abort();
		not = json_new(&a, JSON_OBJECT);
		json_set(&a, not, S("not"), schema);
		if (schema->type == JSON_OBJECT && str_find(left, S("$ref")) < 0 && (r == 0 || r == -EINVAL)) {
			int other = schema_check(&a, not, value, NULL, &why);

			if (other != -E2BIG && (other == 0) == (r == 0))
				abort();
		}
	}
	arena_done(&a);
	return 0;
}
