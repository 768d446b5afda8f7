/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_xml.c - XML documents: read as a tree, and as the body of the S3 request that the first byte names. */
#include "fuzz_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const queries[] = {
		"tagging",    "acl",        "lifecycle", "cors",   "policy",  "notification",      "replication",
		"encryption", "versioning", "website",   "delete", "logging", "ownershipControls", "publicAccessBlock"
	};
	struct http_request r = { .method = S("PUT"), .path = S("/b"), .host = S("127.0.0.1") };
	struct xml_node *root;

	if (n < 1)
		return 0;
	r.query = str_c(queries[data[0] % ELEMENTS(queries)]);
	if (str_is(r.query, "delete"))
		r.method = S("POST");
	r.body = str_of((const char *)data + 1, n - 1);
	if (xml_parse(&r.arena, r.body, &root) == 0)
		assert(root->name.n && root->text.p && !root->next);
	fuzz_request(&r, STR_NONE);
	arena_done(&r.arena);
	return 0;
}
