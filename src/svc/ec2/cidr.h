/* SPDX-License-Identifier: Apache-2.0 */
/* cidr.h - blocks of addresses: read, compared, written. Pure; the host bits of what is read are cleared, as AWS does. */
#pragma once
#include "base/str.h"

struct cidr4 {
	uint32_t addr; /* host byte order, host bits zero */
	uint8_t bits;  /* 0..32 */
};
struct cidr6 {
	uint8_t addr[16];
	uint8_t bits; /* 0..128 */
};
/* Strict: four decimal numbers without leading zeros, "/", prefix length. 0 or -EINVAL. */
int cidr4_parse(struct str s, struct cidr4 *ret);
int cidr6_parse(struct str s, struct cidr6 *ret);
bool cidr4_contains(struct cidr4 outer, struct cidr4 inner); /* equal blocks contain each other */
bool cidr4_overlaps(struct cidr4 a, struct cidr4 b);
uint64_t cidr4_size(struct cidr4 c); /* addresses */
struct str cidr4_text(struct arena *a, struct cidr4 c);
struct str cidr6_text(struct arena *a, const struct cidr6 *c); /* RFC 5952 */
/* ec2_wild matches a filter's value: '*' any run, '?' one character, '\' takes the next one literally. */
bool ec2_wild(struct str pattern, struct str s);
