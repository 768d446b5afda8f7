/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_ecr.c - what a registry's clients send: manifests, lifecycle policies, paths, ranges. First byte: which of them. */
#include "svc/ecr/registry.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena a = { 0 };
	struct str text = str_of(n ? (const char *)data + 1 : "", n ? n - 1 : 0), why = STR_NONE;
	struct ecr_manifest m;
	struct ecr_rules rules;
	struct registry_path p;
	uint64_t from, to;

	switch (n ? data[0] % 4 : 0) {
	case 0:
		if (ecr_manifest_parse(&a, text, STR_NONE, &m, &why) == 0)
			for (size_t i = 0; i < m.layers.n; i++)
				assert(ecr_digest_valid(m.layers.v[i].digest));
		break;
	case 1:
		if (ecr_lifecycle_parse(&a, text, &rules, &why) == 0) {
			struct str tags[] = { S("prod-1") };
			struct ecr_rec_image v[2] = { { .digest = S("a"), .tags = { tags, 1 } }, { .digest = S("b") } };
			int rule[2];

			assert(rules.n > 0);
			ecr_lifecycle_apply(&a, &rules, v, 2, 1LL << 40, rule);
			assert(rule[0] < (int)rules.n && rule[1] < (int)rules.n);
		}
		break;
	case 2:
		if (registry_path_parse(text, &p) == 0 && p.name.p) {
			assert(registry_name_valid(p.name));
			assert(str_find(p.name, S("..")) < 0 && str_find(p.name, S("//")) < 0);
		}
		break;
	default:
		if (registry_range_parse(text, 1000, &from, &to) >= 0)
			assert(from < to && to <= 1000);
	}
	arena_done(&a);
	return 0;
}
