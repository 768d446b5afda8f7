/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_sigv4.c - reading and checking signatures of requests made of any bytes. The first byte chooses S3's rules and
 * whether region and body are given. Every refusal has its sentence; what is accepted is complete. */
#include "auth/sigv4.h"
#include "base/util.h"
#include "../unit/auth/raw_request.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const services[] = { "service", "s3", "sts", NULL };
	const struct str secret = S("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
	struct http_request r;
	struct sigv4 s;
	bool is_s3;

	if (n < 1 || n > HTTP_HEADER_BYTES_MAX)
		return 0;
	is_s3 = data[0] & 1;
	if (!raw_request(&r, str_of((const char *)data + 1, n - 1))) {
		arena_done(&r.arena);
		return 0;
	}
	if (sigv4_read(&r, is_s3, &s) == SIGV4_OK) {
		assert(s.key_id.n && s.amz_date.n == 16 && s.signature.p && s.signed_headers.n);
		if (sigv4_check(&r, &s, is_s3, secret, data[0] & 2 ? S("us-east-1") : STR_NONE, services, data[0] & 4 ? r.body : STR_NONE,
				1440938160000) == SIGV4_OK)
			assert(s.string_to_sign.n && s.signature.n == 64);
		else
			assert(s.fault_detail.n);
	}
	sigv4_wipe(&s);
	arena_done(&r.arena);
	return 0;
}
