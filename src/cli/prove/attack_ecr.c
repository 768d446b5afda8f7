/* SPDX-License-Identifier: Apache-2.0 */
/* attack_ecr.c - repositories of images: who reads them, and what they declare of tags, scans and keys, read back. */
#include "cli/prove/prove.h"

#define TARGET "AmazonEC2ContainerRegistry_V20150921."

static void compare(struct prove *p, const struct promise *m, struct str what, struct str want, struct str got, const char *absent)
{
	if (!want.n || str_is(want, "MUTABLE") || str_is(want, "false"))
		promise_absent(p, m, str_c(absent));
	else if (promise_owed(p, m, true))
		(void)proof_equal(p, m, what, want, got);
}

static void settings(struct prove *p, struct declared *r, const struct json *live)
{
	struct arena *a = &p->arena;
	struct promise tags = { "recovery", str_printf(a, "tags of %.*s stay with their images", STR(r->id)),
				str_printf(a, "%.*s, ImageTagMutability", STR(r->id)), r };
	struct promise scan = { "encryption", str_printf(a, "%.*s is sealed with the declared key", STR(r->id)),
				str_printf(a, "%.*s, EncryptionConfiguration", STR(r->id)), r };

	compare(p, &tags, S("ImageTagMutability"), prop_str(r->props, "ImageTagMutability"), json_get_str(live, "imageTagMutability"),
		"ImageTagMutability is not IMMUTABLE, so a tag may come to mean another image");
	compare(p, &scan, S("the repository's key"), prop_str(r->props, "EncryptionConfiguration.KmsKey"),
		json_get_str(json_getz(live, "encryptionConfiguration"), "kmsKey"), "EncryptionConfiguration names no key");
	scan = (struct promise){ "access", str_printf(a, "%.*s scans what is pushed", STR(r->id)),
				 str_printf(a, "%.*s, ImageScanningConfiguration", STR(r->id)), r };
	compare(p, &scan, S("scanOnPush"), prop_str(r->props, "ImageScanningConfiguration.ScanOnPush"),
		json_scalar(json_getz(json_getz(live, "imageScanningConfiguration"), "scanOnPush")), "ScanOnPush is not on");
}

void attack_repository(struct prove *p, struct declared *r)
{
	static const char *const ops[] = { "DescribeImages", "ListImages", "GetRepositoryPolicy" };
	static const enum actor who[] = { ACTOR_NOBODY, ACTOR_NEIGHBOUR };
	struct arena *a = &p->arena;
	struct promise m = { "access", str_printf(a, "%.*s lets no outsider in", STR(r->id)), r->id, r };
	struct json *params = json_object(a, "repositoryName", r->physical), *names = json_new(a, JSON_ARRAY),
		    *one = json_new(a, JSON_OBJECT), *live;
	struct answer ans;
	struct hit h;

	json_push(a, names, json_new_str(a, r->physical));
	json_set(a, one, S("repositoryNames"), names);
	live = call_json(p, "ecr", TARGET "DescribeRepositories", p->stack->region, one);
	if (!live) {
		(void)proof_add(p, &m, VERDICT_BROKEN, S("DescribeRepositories"), S("the repository"), p->trouble);
		return;
	}
	settings(p, r, list_at(json_getz(live, "repositories"), 0));
	h = hit_json(p, "ecr", TARGET "ListImages", p->stack->region, params, actor(p, ACTOR_INSIDER));
	if (!promise_owed(p, &m, true) || proof_allowed(p, &m, S("ListImages, a user with all rights"), &h, &ans)->verdict != VERDICT_HELD)
		return;
	for (size_t i = 0; i < ELEMENTS(ops); i++)
		for (size_t k = 0; k < ELEMENTS(who); k++) {
			struct policy_ask ask = { .arn = p->actors[who[k]].arn,
						  .account = p->account,
						  .action = str_printf(a, "ecr:%s", ops[i]),
						  .resource = r->arn };
			bool open = policy_says(p, prop_get(r->props, "RepositoryPolicyText"), POLICY_RESOURCE_SELF, &ask, NULL) ==
				    DECISION_ALLOW;

			m.declared = open ? BASELINE : r->id;
			if (!promise_owed(p, &m, !open))
				continue;
			h = hit_json(p, "ecr", str_printf(a, TARGET "%s", ops[i]).p, p->stack->region, params, actor(p, who[k]));
			(void)proof_denied(p, &m, str_printf(a, "%s, %.*s", ops[i], STR(who_name(who[k]))), &h, DENIED, &ans);
		}
}
