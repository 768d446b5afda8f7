/* SPDX-License-Identifier: Apache-2.0 */
/* eventstream.c - a message: its length, its headers' length, a checksum of both, the headers, the payload, a checksum of all. */
#include "wire/eventstream.h"

#include <assert.h>

#include "base/util.h"

#define PRELUDE_BYTES 8
#define CRC_BYTES 4
#define TYPE_STRING 7

static void put_be(struct buf *b, uint32_t v, int bytes)
{
	while (bytes--)
		buf_c(b, (char)(v >> (8 * bytes)));
}

static void put_header(struct buf *b, struct str name, struct str value)
{
	assert(name.n <= UINT8_MAX && value.n <= UINT16_MAX);
	put_be(b, (uint32_t)name.n, 1);
	buf_str(b, name);
	put_be(b, TYPE_STRING, 1);
	put_be(b, (uint32_t)value.n, 2);
	buf_str(b, value);
}

void eventstream_put(struct buf *b, const struct str_pair *headers, size_t n, struct str payload)
{
	size_t start = b->n, length = 0;

	for (size_t i = 0; i < n; i++)
		length += 1 + headers[i].key.n + 1 + 2 + headers[i].value.n;
	put_be(b, (uint32_t)(PRELUDE_BYTES + CRC_BYTES + length + payload.n + CRC_BYTES), 4);
	put_be(b, (uint32_t)length, 4);
	if (buf_ok(b))
		put_be(b, crc32_ieee(0, b->p + start, PRELUDE_BYTES), 4);
	for (size_t i = 0; i < n; i++)
		put_header(b, headers[i].key, headers[i].value);
	buf_str(b, payload);
	if (buf_ok(b))
		put_be(b, crc32_ieee(0, b->p + start, b->n - start), 4);
}

void eventstream_event(struct buf *b, struct str event_type, struct str content_type, struct str payload)
{
	struct str_pair headers[] = { { S(":message-type"), S("event") },
				      { S(":event-type"), event_type },
				      { S(":content-type"), content_type } };

	eventstream_put(b, headers, ELEMENTS(headers), payload);
}
