/* SPDX-License-Identifier: Apache-2.0 */
/* cidr.c - blocks of addresses, and the wildcards of filters. Bytes from outside: nothing here asserts on them. */
#include "svc/ec2/cidr.h"
#include <arpa/inet.h>
#include <errno.h>

/* A decimal number of at most max without sign or leading zeros, up to the end of s. */
static bool number(struct str s, unsigned max, unsigned *ret)
{
	unsigned v = 0;

	if (s.n == 0 || s.n > 3 || (s.n > 1 && s.p[0] == '0'))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (unsigned)(s.p[i] - '0');
	}
	*ret = v;
	return v <= max;
}

static uint32_t mask4(uint8_t bits)
{
	return bits ? UINT32_MAX << (32 - bits) : 0;
}

int cidr4_parse(struct str s, struct cidr4 *ret)
{
	struct str ip, len, part;
	uint32_t addr = 0;
	unsigned v, bits;
	int n = 0;

	if (!s.p || !str_cut(s, '/', &ip, &len) || !number(len, 32, &bits))
		return -EINVAL;
	while (str_next(&ip, '.', &part)) {
		if (++n > 4 || !number(part, 255, &v))
			return -EINVAL;
		addr = addr << 8 | v;
	}
	if (n != 4)
		return -EINVAL;
	*ret = (struct cidr4){ addr & mask4((uint8_t)bits), (uint8_t)bits };
	return 0;
}

int cidr6_parse(struct str s, struct cidr6 *ret)
{
	char text[INET6_ADDRSTRLEN];
	struct cidr6 c = { 0 };
	struct str ip, len;
	unsigned bits;

	if (!s.p || !str_cut(s, '/', &ip, &len) || !number(len, 128, &bits) || ip.n >= sizeof text || ip.n == 0 || memchr(ip.p, 0, ip.n))
		return -EINVAL;
	memcpy(text, ip.p, ip.n);
	text[ip.n] = 0;
	if (inet_pton(AF_INET6, text, c.addr) != 1)
		return -EINVAL;
	for (unsigned i = 0; i < 16; i++) {
		unsigned keep = bits > 8 * i ? bits - 8 * i : 0;

		if (keep < 8)
			c.addr[i] &= (uint8_t)(0xff00u >> keep);
	}
	c.bits = (uint8_t)bits;
	*ret = c;
	return 0;
}

bool cidr4_contains(struct cidr4 outer, struct cidr4 inner)
{
	return outer.bits <= inner.bits && (inner.addr & mask4(outer.bits)) == outer.addr;
}

bool cidr4_overlaps(struct cidr4 a, struct cidr4 b)
{
	return cidr4_contains(a, b) || cidr4_contains(b, a);
}

uint64_t cidr4_size(struct cidr4 c)
{
	return UINT64_C(1) << (32 - c.bits);
}

struct str cidr4_text(struct arena *a, struct cidr4 c)
{
	return str_printf(a, "%u.%u.%u.%u/%u", c.addr >> 24, c.addr >> 16 & 255, c.addr >> 8 & 255, c.addr & 255, c.bits);
}

struct str cidr6_text(struct arena *a, const struct cidr6 *c)
{
	char text[INET6_ADDRSTRLEN] = "";

	inet_ntop(AF_INET6, c->addr, text, sizeof text);
	return str_printf(a, "%s/%u", text, c->bits);
}

/* Going back only to the last star keeps this O(pattern times text). */
bool ec2_wild(struct str p, struct str s)
{
	size_t i = 0, j = 0, star = SIZE_MAX, mark = 0;

	while (j < s.n) {
		bool escaped = i + 1 < p.n && p.p[i] == '\\';

		if (i < p.n && p.p[i] == '*') {
			star = i++;
			mark = j;
		} else if (escaped ? p.p[i + 1] == s.p[j] : i < p.n && (p.p[i] == '?' || p.p[i] == s.p[j])) {
			i += escaped ? 2 : 1;
			j++;
		} else if (star != SIZE_MAX) {
			i = star + 1;
			j = ++mark;
		} else
			return false;
	}
	while (i < p.n && p.p[i] == '*')
		i++;
	return i == p.n;
}
