/* SPDX-License-Identifier: Apache-2.0 */
/* record.h - the stored form of records described by models/records/ (see base/desc.h).
 *
 * A record is a format byte, then its present fields as (field number, length, bytes), nested structs alike. Unknown
 * field numbers are skipped, so an older program can read what a newer one wrote; numbers are never reused. Decoding
 * bytes from disk never asserts: damage gives -EBADMSG. Decoded strings are copied into the arena. */
#pragma once
#include "base/buf.h"
#include "base/desc.h"
#include "store/store.h"

struct record_model { /* generated, one per file in models/records */
	const struct desc_shape *shapes;
	uint16_t n_shapes;
};
/* shape: index of the record's struct in m->shapes. */
int record_encode(const struct record_model *m, uint16_t shape, const void *rec, struct buf *out);
int record_decode(const struct record_model *m, uint16_t shape, struct arena *a, struct str bytes, void *ret);
int record_put(struct store_txn *t, const struct record_model *m, uint16_t shape, const struct keybuf *k, const void *rec);
int record_get(struct store_txn *t, const struct record_model *m, uint16_t shape, struct arena *a, const struct keybuf *k,
	       void *ret); /* -ENOENT */
