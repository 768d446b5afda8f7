/* SPDX-License-Identifier: Apache-2.0 */
/* zipwrite.c - see zipwrite.h. Without times, so that the same text always gives the same archive. */
#include "svc/lambda/zipwrite.h"
#include "base/util.h"

static void put16(struct buf *b, uint32_t v)
{
	buf_c(b, (char)v);
	buf_c(b, (char)(v >> 8));
}

static void put32(struct buf *b, uint32_t v)
{
	put16(b, v & 0xffff);
	put16(b, v >> 16);
}

/* What local header and directory have in common. */
static void put_common(struct buf *b, struct str name, struct str content)
{
	put16(b, 20); /* version needed */
	put16(b, 0);  /* flags */
	put16(b, 0);  /* stored */
	put16(b, 0);
	put16(b, 0x21); /* 1980-01-01, the first day there is */
	put32(b, crc32_ieee(0, content.p, content.n));
	put32(b, (uint32_t)content.n);
	put32(b, (uint32_t)content.n);
	put16(b, (uint32_t)name.n);
	put16(b, 0);
}

struct str zip_write_one(struct arena *a, struct str name, struct str content)
{
	struct buf b;
	struct str out;
	size_t directory;

	buf_init(&b, content.n + name.n * 2 + 256);
	buf_str(&b, S("PK\3\4"));
	put_common(&b, name, content);
	buf_str(&b, name);
	buf_str(&b, content);
	directory = b.n;
	buf_str(&b, S("PK\1\2"));
	put16(&b, 3 << 8 | 20); /* made on Unix */
	put_common(&b, name, content);
	put16(&b, 0);
	put16(&b, 0);
	put16(&b, 0);
	put32(&b, 0100644u << 16);
	put32(&b, 0);
	buf_str(&b, name);
	size_t end = b.n;
	buf_str(&b, S("PK\5\6"));
	put32(&b, 0);
	put16(&b, 1);
	put16(&b, 1);
	put32(&b, (uint32_t)(end - directory));
	put32(&b, (uint32_t)directory);
	put16(&b, 0);
	out = str_dup(a, buf_view(&b));
	buf_done(&b);
	return out;
}
