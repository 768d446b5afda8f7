/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_record.c - any bytes decode or give -EBADMSG; what decodes encodes again, and decodes to the same bytes. */
#include "../unit/store/record_tables.h"
#include "base/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena a = { 0 };
	struct t_rec rec, again;
	struct buf b, c;

	if (n > 4096)
		return 0;
	buf_init(&b, 1 << 22);
	buf_init(&c, 1 << 22);
	if (record_decode(&t_records, T_REC, &a, str_of((const char *)data, n), &rec) == 0) {
		if (record_encode(&t_records, T_REC, &rec, &b) < 0)
			abort();
		if (record_decode(&t_records, T_REC, &a, buf_view(&b), &again) < 0)
			abort();
		if (record_encode(&t_records, T_REC, &again, &c) < 0 || !str_eq(buf_view(&b), buf_view(&c)))
			abort();
	}
	record_decode(&t_records, T_OLD, &a, str_of((const char *)data, n), &again);
	buf_done(&b);
	buf_done(&c);
	arena_done(&a);
	return 0;
}
