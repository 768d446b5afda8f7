/* SPDX-License-Identifier: Apache-2.0 */
/* cidr.c - Fn::Cidr: address blocks cut into equal parts, for IPv4 and IPv6 alike as 128-bit numbers. */
#include "cfn/template_int.h"
#include <arpa/inet.h>
#include <errno.h>

#define CIDR_COUNT_MAX 256

typedef unsigned __int128 u128; /* the one arithmetic type C has no short name for */

/* block_parse: "10.0.0.0/16" as number, prefix length and address width; host bits are cleared. */
static bool block_parse(struct template_ctx *c, struct str s, u128 *ret, unsigned *ret_prefix, unsigned *ret_width)
{
	struct str ip, len;
	uint8_t b[16];
	uint64_t prefix;
	int family = str_find_char(s, ':') >= 0 ? AF_INET6 : AF_INET;
	unsigned width = family == AF_INET6 ? 128 : 32;
	u128 v = 0;

	if (!str_cut(s, '/', &ip, &len) || str_find_char(ip, 0) >= 0 || inet_pton(family, str_z(c->arena, ip), b) != 1)
		return false;
	if (str_to_u64(len, &prefix) < 0 || prefix > width)
		return false;
	for (unsigned i = 0; i < width / 8; i++)
		v = v << 8 | b[i];
	if (prefix < width)
		v &= ~((((u128)1 << (width - prefix - 1)) << 1) - 1);
	*ret = prefix ? v : 0;
	*ret_prefix = prefix;
	*ret_width = width;
	return true;
}

static struct str block_text(struct template_ctx *c, u128 v, unsigned prefix, unsigned width)
{
	char text[INET6_ADDRSTRLEN] = "";
	uint8_t b[16];

	for (unsigned i = 0; i < width / 8; i++)
		b[i] = (uint8_t)(v >> (width - 8 * (i + 1)));
	inet_ntop(width == 128 ? AF_INET6 : AF_INET, b, text, sizeof text);
	return str_printf(c->arena, "%s/%u", text, prefix);
}

static int number_of(struct template_ctx *c, const struct json *j, int64_t *ret)
{
	static const char sentence[] = "Template error: Fn::Cidr requires the count and the cidrBits to be numbers.";
	struct str s;
	int r = eval_text(c, j, &s, sentence);

	if (r == 0 && str_to_i64(s, ret) < 0)
		return template_fail(c, "%s", sentence);
	return r;
}

int eval_cidr(struct template_ctx *c, const struct json *arg, struct json *ret)
{
	struct str v[CIDR_COUNT_MAX], s;
	int64_t count, bits;
	unsigned prefix, width, part;
	u128 block;
	int r = eval_text(c, &arg->items[0], &s, "Template error: Fn::Cidr requires the ipBlock to be a string.");

	if (r == 0)
		r = number_of(c, &arg->items[1], &count);
	if (r == 0)
		r = number_of(c, &arg->items[2], &bits);
	if (r < 0)
		return r;
	if (!block_parse(c, s, &block, &prefix, &width))
		return template_fail(c, "Template error: Fn::Cidr ipBlock %.*s is not a valid CIDR block", STR(s));
	if (count < 1 || count > CIDR_COUNT_MAX)
		return template_fail(c, "Template error: Fn::Cidr count must be between 1 and %d", CIDR_COUNT_MAX);
	if (bits < 1 || bits > width)
		return template_fail(c, "Template error: Fn::Cidr cidrBits must be between 1 and %u", width);
	part = width - bits;
	if (part < prefix || (part - prefix < 9 && count > (int64_t)1 << (part - prefix)))
		return template_fail(c, "Template error: Fn::Cidr cannot fit %lld blocks with %lld CIDR bits in %.*s", (long long)count,
				     (long long)bits, STR(s));
	for (int64_t i = 0; i < count; i++)
		v[i] = block_text(c, bits < 128 ? block + ((u128)i << bits) : block, part, width);
	return eval_list_str(c, v, count, ret);
}
