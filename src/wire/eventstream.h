/* SPDX-License-Identifier: Apache-2.0 */
/* eventstream.h - messages of application/vnd.amazon.eventstream, in which some operations answer bit by bit.
 * Source: "Amazon Event Stream Specification" (Smithy). */
#pragma once
#include "base/buf.h"

#define EVENTSTREAM_TYPE "application/vnd.amazon.eventstream"
/* eventstream_put appends one message: headers are text, of at most 255 bytes in their names and 65,535 in their values. */
void eventstream_put(struct buf *b, const struct str_pair *headers, size_t n, struct str payload);
/* eventstream_event appends the message of one event of a modelled stream. */
void eventstream_event(struct buf *b, struct str event_type, struct str content_type, struct str payload);
