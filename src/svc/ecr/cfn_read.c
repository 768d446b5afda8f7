/* SPDX-License-Identifier: Apache-2.0 */
/* cfn_read.c - what repositories are, in the form of CloudFormation's properties. */
#include "cfn/reader.h"
#include "svc/ecr/ecr_int.h"
#include <errno.h>

static const struct cfn_member filter[] = { { "FilterType", "ImageTagMutabilityExclusionFilterType" },
					    { "Filter", "ImageTagMutabilityExclusionFilterValue" },
					    { NULL } };
static const struct cfn_member repository[] = {
	{ "EncryptionConfiguration" }, { "ImageScanningConfiguration" },
	{ "ImageTagMutability" },      { "ImageTagMutabilityExclusionFilters", NULL, filter },
	{ "RepositoryName" },          { NULL },
};

static int policies(struct cfn_resource *r, const struct json *p)
{
	static const struct cfn_member policy[] = { { "policyText", "RepositoryPolicyText", NULL, cfn_as_document }, { NULL } };
	static const struct cfn_member lifecycle[] = { { "lifecyclePolicyText", "LifecyclePolicyText" },
						       { "registryId", "RegistryId" },
						       { NULL } };
	struct json *x = json_new(r->arena, JSON_OBJECT), *out;
	int e = 0;

	if (cfn_wanted(r, "RepositoryPolicyText"))
		e = cfn_ask(r, "ecr", "GetRepositoryPolicy", p, "RepositoryPolicyNotFoundException", &out);
	if (e == 0 && cfn_wanted(r, "RepositoryPolicyText"))
		cfn_take(r->arena, out, policy, r->ret_props);
	if ((e < 0 && e != -ENOENT) || !cfn_wanted(r, "LifecyclePolicy"))
		return e == -ENOENT ? 0 : e;
	e = cfn_ask(r, "ecr", "GetLifecyclePolicy", p, "LifecyclePolicyNotFoundException", &out);
	if (e < 0)
		return e == -ENOENT ? 0 : e;
	cfn_take(r->arena, out, lifecycle, x);
	json_set(r->arena, r->ret_props, S("LifecyclePolicy"), x);
	return 0;
}

static int repository_read(struct cfn_resource *r)
{
	static const struct cfn_member tags[] = { { "tags", "Tags" }, { NULL } };
	struct json *p = json_new(r->arena, JSON_OBJECT), *names = json_new(r->arena, JSON_ARRAY), *out;
	const struct json *it;
	int e;

	json_push(r->arena, names, json_new_str(r->arena, r->physical_id));
	json_set(r->arena, p, S("repositoryNames"), names);
	e = cfn_ask_capitalized(r, "ecr", "DescribeRepositories", p, "RepositoryNotFoundException", &out);
	if (e < 0)
		return e;
	it = json_getz(out, "Repositories");
	if (!it || !it->n)
		return -ENOENT;
	it = &it->items[0];
	cfn_is(r, it, repository);
	e = policies(r, cfn_param(r, "repositoryName", r->physical_id));
	if (e < 0 || !cfn_wanted(r, "Tags"))
		return e;
	e = cfn_ask(r, "ecr", "ListTagsForResource", cfn_param(r, "resourceArn", json_get_str(it, "RepositoryArn")), "", &out);
	if (e == 0)
		cfn_take(r->arena, out, tags, r->ret_props);
	return e;
}

static const struct drift_rule rules[] = {
	{ "EmptyOnDelete", DRIFT_UNREAD },
	{ "LifecyclePolicy.LifecyclePolicyText", DRIFT_JSON },
	{ "RepositoryPolicyText", DRIFT_POLICY },
	{ NULL },
};
const struct cfn_reader ecr_repository_reader = { repository_read, rules };
