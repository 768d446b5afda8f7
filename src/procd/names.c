/* SPDX-License-Identifier: Apache-2.0 */
/* names.c - the name server inside of a sandbox (RFC 1035, as little as a resolver needs): localhost and all names below it
 * are 127.0.0.1, so that the cloud's host names (BUCKET.s3.localhost and the like) work; no other name exists. */
#include "procd/private.h"
#include <netinet/in.h>
#include <sys/socket.h>

#define HEAD_BYTES 12
#define LABEL_BYTES_MAX 63
#define NAME_BYTES_MAX 255
#define QUERIES_MAX 32 /* in one go */
#define TYPE_A 1
#define CLASS_IN 1
#define RCODE_NO_NAME 3

/* read_name gives the length of the name at p with its final zero, and whether it is localhost or below; 0: none. */
static size_t read_name(const uint8_t *p, size_t n, bool *ret_local)
{
	static const char local[] = "localhost";
	size_t at = 0, last = 0;

	while (at < n && at < NAME_BYTES_MAX && p[at]) {
		if (p[at] > LABEL_BYTES_MAX) /* questions are not compressed */
			return 0;
		last = at;
		at += (size_t)p[at] + 1;
	}
	if (at >= n || at >= NAME_BYTES_MAX)
		return 0;
	*ret_local = at > last && p[last] == sizeof local - 1 && str_eq_ci(str_of((const char *)p + last + 1, p[last]), S("localhost"));
	return at + 1;
}

size_t names_answer(const uint8_t *q, size_t n, uint8_t out[NAMES_BYTES_MAX])
{
	static const uint8_t record[] = { 0xc0, HEAD_BYTES, 0, TYPE_A, 0, CLASS_IN, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1 };
	bool local = false;
	size_t name, end;
	unsigned type;

	if (n < HEAD_BYTES || (q[2] & 0xf8) || q[4] || q[5] != 1) /* a standard query with one question */
		return 0;
	name = read_name(q + HEAD_BYTES, n - HEAD_BYTES, &local);
	end = HEAD_BYTES + name + 4;
	if (name == 0 || end > n || end + sizeof record > NAMES_BYTES_MAX)
		return 0;
	type = (unsigned)q[end - 4] << 8 | q[end - 3];
	memcpy(out, q, end);
	memset(out + 6, 0, 6);
	out[2] = 0x84 | (q[2] & 1); /* an answer, with authority */
	out[3] = 0x80 | (local ? 0 : RCODE_NO_NAME);
	if (!local || type != TYPE_A)
		return end;
	out[7] = 1;
	memcpy(out + end, record, sizeof record);
	return end + sizeof record;
}

void names_event(int fd)
{
	for (int i = 0; i < QUERIES_MAX; i++) {
		uint8_t q[NAMES_BYTES_MAX], out[NAMES_BYTES_MAX];
		struct sockaddr_storage from;
		socklen_t from_n = sizeof from;
		ssize_t n = recvfrom(fd, q, sizeof q, MSG_DONTWAIT, (struct sockaddr *)&from, &from_n);
		size_t k = n > 0 ? names_answer(q, (size_t)n, out) : 0;

		if (n < 0)
			return;
		if (k)
			(void)sendto(fd, out, k, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&from, from_n);
	}
}
