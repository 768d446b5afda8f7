/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_cidr.c - blocks of addresses: what is read is canonical and reads back as itself; filters' wildcards end. */
#include "base/arena.h"
#include "svc/ec2/cidr.h"
#include <stdlib.h>

static void must(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str s = str_of((const char *)data, n), left, right;
	struct cidr4 four, again4;
	struct cidr6 six, again6;
	struct arena a = { 0 };

	if (cidr4_parse(s, &four) == 0) {
		must(cidr4_parse(cidr4_text(&a, four), &again4) == 0 && again4.addr == four.addr && again4.bits == four.bits);
		must(cidr4_contains(four, again4) && cidr4_overlaps(again4, four));
		must(four.bits == 32 || (four.addr & (uint32_t)(cidr4_size(four) - 1)) == 0);
	}
	if (cidr6_parse(s, &six) == 0)
		must(cidr6_parse(cidr6_text(&a, &six), &again6) == 0 && memcmp(again6.addr, six.addr, 16) == 0 && again6.bits == six.bits);
	if (n < 512 && str_cut(s, '\n', &left, &right)) {
		(void)ec2_wild(left, right);
		must(ec2_wild(S("*"), right));
	}
	arena_done(&a);
	return 0;
}
