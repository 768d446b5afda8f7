/* SPDX-License-Identifier: Apache-2.0 */
/* Orders to start a sandbox: what is read writes back to the same bytes. Questions for names: an answer begins with the question. */
#include "base/arena.h"
#include "procd/private.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct arena a = { 0 };
	struct start_order o;
	struct buf b;

	if (start_order_read(&a, str_of((const char *)p, n), &o) == 0) {
		buf_init(&b, MESSAGE_BYTES_MAX * 2);
		start_order_write(&b, &o);
		assert(b.n == n && memcmp(b.p, p, n) == 0);
		buf_done(&b);
	}
	arena_done(&a);
	if (n <= NAMES_BYTES_MAX) {
		uint8_t out[NAMES_BYTES_MAX];
		size_t k = names_answer(p, n, out);

		assert(k <= sizeof out && (k == 0 || (memcmp(out, p, 2) == 0 && memcmp(out + 12, p + 12, 5) == 0)));
	}
	return 0;
}
