/* SPDX-License-Identifier: Apache-2.0 */
/* Readers of short texts: times, numbers, and encodings, each of which has to come back from what it decoded. */
#include "base/arena.h"
#include "base/util.h"

static void must(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct arena a;
	struct str s = str_of((const char *)data, n), d, e;
	int64_t ms, again;
	uint64_t u;
	double f;

	if (time_parse_iso(s, &ms) == 0)
		must(time_parse(time_iso_ms(&a, ms), &again) == 0 && again == ms);
	if (time_parse(s, &ms) == 0 && time_iso_ms(&a, ms).n == 24 && ms >= -62167219200000)
		must(time_parse_iso(time_iso_ms(&a, ms), &again) == 0 && again == ms);
	if (str_to_i64(s, &ms) == 0)
		must(str_to_i64(str_printf(&a, "%lld", (long long)ms), &again) == 0 && again == ms);
	if (str_to_u64(s, &u) == 0)
		must(str_to_double(s, &f) == 0);
	str_to_double(s, &f);
	if (hex_decode(&a, s, &d) == 0)
		must(str_eq_ci(hex_encode(&a, d.p, d.n), s));
	if (base64_decode(&a, s, &d) == 0)
		must(str_eq(base64_encode(&a, d), s));
	if (uri_decode(&a, s, false, &d) == 0)
		must(uri_decode(&a, uri_encode(&a, d, n & 1), false, &e) == 0 && str_eq(d, e));
	arena_reset(&a);
	return 0;
}
