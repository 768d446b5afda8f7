/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of S3's clients: a range lies inside the object, a copy source names a bucket and a key, a valid name is short. */
#include "svc/s3/texts.h"
#include <stdlib.h>

static void must(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct arena a;
	struct str s = str_of((const char *)data, n), bucket, key, version;
	uint64_t from, to, size = n < 8 ? n : (uint64_t)data[0] << 8 | data[1];
	int r = s3_parse_range(s, size, &from, &to);

	must(r != 0 || (from < to && to <= size));
	must(r != 1 || (from == 0 && to == size));
	if (s3_copy_source_parse(&a, s, &bucket, &key, &version) == 0)
		must(bucket.n && key.n && str_find_char(bucket, '/') < 0);
	if (s3_name_valid(s))
		must(n >= 3 && n <= 63);
	(void)s3_etag_matches(s, S("d41d8cd98f00b204e9800998ecf8427e"));
	arena_reset(&a);
	return 0;
}
