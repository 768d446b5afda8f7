/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_zip.c - archives that strangers upload, and the names that requests give functions and layers. First byte: which of them.
 * Nothing is written to a disk: the reader's promises are checked on what it says and on what comes out of it. */
#include "svc/lambda/names.h"
#include "svc/lambda/zip.h"
#include <assert.h>

#define BYTES_MAX (1u << 20)

static int count(void *arg, struct str piece)
{
	uint64_t *n = arg;

	assert(piece.p && piece.n);
	*n += piece.n;
	return 0;
}

static void archive(struct arena *a, struct str bytes)
{
	const char *why = NULL;
	uint64_t sum = 0;
	struct zip z;
	int r = zip_open(bytes, BYTES_MAX, a, &z, &why);

	if (r < 0) {
		assert(why);
		return;
	}
	for (size_t i = 0; i < z.n; i++) {
		const struct zip_entry *e = &z.v[i];
		uint64_t n = 0;

		assert(e->name.n && e->name.p[0] != '/' && !str_is(e->name, ".."));
		assert(str_find(e->name, S("/../")) < 0 && !str_starts(e->name, S("../")) && !str_ends(e->name, S("/..")));
		assert(e->offset + e->packed <= bytes.n);
		assert(i == 0 || str_cmp(z.v[i - 1].name, e->name) < 0);
		sum += e->size;
		if (zip_entry_read(&z, e, count, &n) == 0)
			assert(n == e->size);
		else
			assert(n <= e->size);
	}
	assert(sum == z.size && sum <= BYTES_MAX);
}

static void names(struct str text)
{
	struct lambda_ref ref;
	int64_t version;

	if (lambda_ref_parse(text, &ref) == 0)
		assert(ref.name.n > 0 && ref.name.n <= 64 && (!ref.account.p || ref.account.n == 12));
	if (lambda_layer_parse(text, &ref, &version) == 0)
		assert(ref.name.n > 0 && ref.name.n <= 140 && version >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena a = { 0 };
	struct str text = str_of(n ? (const char *)data + 1 : "", n ? n - 1 : 0);

	if (n && data[0] % 4 == 3)
		names(text);
	else
		archive(&a, text);
	arena_done(&a);
	return 0;
}
