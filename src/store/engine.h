/* SPDX-License-Identifier: Apache-2.0 */
/* engine.h - what store.c (environment, transactions, writer) and kv.c (keys and values in LMDB) share. Private to
 * src/store.
 *
 * Layout of the one LMDB tree. LMDB takes keys up to 511 bytes, ours go up to 4096, and byte order must be kept. Keys
 * are cut into chunks of CHUNK_BYTES; the tree holds nodes of a trie whose edges are whole chunks:
 *
 *   'f' name                          the store's own records (format version)
 *   'k' chunk                         root node: a key of at most CHUNK_BYTES, with its value
 *   'k' chunk 0x00                    root node: a link; chunk is full, the value is the 8-byte id of a node
 *   'n' id chunk [0x00]               the same in node id (8 bytes, big-endian)
 *
 * Order: inside a node entries are compared by chunk. A key that ends with a full chunk sorts before the link with the
 * same chunk (it is its prefix), and everything behind the link sorts before the next larger chunk, since only a full
 * chunk is followed by more. By induction over the nodes, walking a node and stepping into its links in place gives all
 * keys in byte order. A node is never empty: the delete that takes its last entry takes its link too. */
#pragma once
#include "base/arena.h"
#include "store/store.h"
#include <lmdb.h>

#define CHUNK_BYTES 501 /* 'n', 8 bytes of id and a link's marker make 511 */
#define LEVELS_MAX ((STORE_KEY_BYTES_MAX + CHUNK_BYTES - 1) / CHUNK_BYTES)

struct walk {              /* the position of a range */
	struct walk *next; /* all walks of the transaction */
	struct store_txn *txn;
	MDB_cursor *c;
	uint64_t renewed; /* store_txn.renewed for which c is good */
	uint64_t mods;    /* store_txn.mods for which c stands where key says */
	bool used, ended;
	unsigned depth;
	uint64_t node[LEVELS_MAX];
	struct str view; /* the key, as handed out */
	struct str value;
	size_t key_n;
	char key[LEVELS_MAX * CHUNK_BYTES];
};
struct store_txn {
	struct store *store;
	struct store_txn *next; /* pool */
	MDB_txn *txn;
	MDB_dbi dbi;
	bool writable;
	int error; /* the first engine error of a write transaction: it must be rolled back */
	uint64_t mods, renewed;
	size_t written_bytes;
	struct walk *walks;
	struct arena arena; /* long keys handed out as views */
};

int engine_error(int rc);                            /* LMDB's code as negative errno */
void kv_txn_end(struct store_txn *t, bool for_good); /* ends all walks; before the LMDB transaction ends */
