/* SPDX-License-Identifier: Apache-2.0 */
/* cfn.c - AWS::ECR::Repository. Policies are given as objects or as text. */
#include "cfn/type.h"
#include "svc/ecr/ecr_int.h"

#define NAME_BYTES_MAX 200

static struct json *params(struct cfn_resource *r, struct str name)
{
	struct json *p = json_new(r->arena, JSON_OBJECT);

	json_set_str(r->arena, p, "repositoryName", name);
	return p;
}

static bool changed(struct cfn_resource *r, const char *name)
{
	return !json_equal(json_getz(r->props, name), json_getz(r->old_props, name));
}

static struct str text_of(struct cfn_resource *r, const struct json *j)
{
	return !j ? STR_NONE : json_is(j, JSON_STRING) ? json_str(j) : json_text(r->arena, j);
}

/* Members of a property object whose names begin with a small letter in the API. */
static void copy_text(struct cfn_resource *r, const struct json *from, const char *name, struct json *to, const char *as)
{
	json_set_str(r->arena, to, as, json_get_str(from, name));
}

static void set_mutability(struct cfn_resource *r, struct json *p)
{
	const struct json *filters = json_getz(r->props, "ImageTagMutabilityExclusionFilters");
	struct json *out = json_new(r->arena, JSON_ARRAY);
	struct str mode = json_get_str(r->props, "ImageTagMutability");

	json_set_str(r->arena, p, "imageTagMutability", mode.p ? mode : S("MUTABLE"));
	for (size_t i = 0; json_is(filters, JSON_ARRAY) && i < filters->n; i++) {
		struct json *f = json_new(r->arena, JSON_OBJECT);

		copy_text(r, &filters->items[i], "ImageTagMutabilityExclusionFilterType", f, "filterType");
		copy_text(r, &filters->items[i], "ImageTagMutabilityExclusionFilterValue", f, "filter");
		json_push(r->arena, out, f);
	}
	if (out->n)
		json_set(r->arena, p, S("imageTagMutabilityExclusionFilters"), out);
}

static void set_scanning(struct cfn_resource *r, struct json *p)
{
	struct json *s = json_new(r->arena, JSON_OBJECT);

	json_set_bool(r->arena, s, "scanOnPush",
		      json_to_bool(json_getz(json_getz(r->props, "ImageScanningConfiguration"), "ScanOnPush"), false));
	json_set(r->arena, p, S("imageScanningConfiguration"), s);
}

static struct json *tag_list(struct cfn_resource *r)
{
	const struct json *tags = cfn_tags(r);
	struct json *out = json_new(r->arena, JSON_ARRAY);

	for (size_t i = 0; i < tags->n; i++)
		if (!str_starts(json_get_str(&tags->items[i], "Key"), S("aws:"))) /* taken from nobody but AWS */
			json_push(r->arena, out, &tags->items[i]);
	return out;
}

static int set_policy(struct cfn_resource *r, struct str name)
{
	struct str text = text_of(r, json_getz(r->props, "RepositoryPolicyText")), code = STR_NONE;
	struct json *p = params(r, name);
	int e;

	if (!text.p) {
		e = cfn_call(r, "ecr", "DeleteRepositoryPolicy", p, NULL, &code);
		return str_is(code, "RepositoryPolicyNotFoundException") ? 0 : e;
	}
	json_set_str(r->arena, p, "policyText", text);
	return cfn_call(r, "ecr", "SetRepositoryPolicy", p, NULL, NULL);
}

static int set_lifecycle(struct cfn_resource *r, struct str name)
{
	const struct json *l = json_getz(r->props, "LifecyclePolicy");
	struct str text = text_of(r, json_getz(l, "LifecyclePolicyText")), code = STR_NONE;
	struct json *p = params(r, name);
	int e;

	copy_text(r, l, "RegistryId", p, "registryId");
	if (!text.p) {
		e = cfn_call(r, "ecr", "DeleteLifecyclePolicy", p, NULL, &code);
		return str_is(code, "LifecyclePolicyNotFoundException") ? 0 : e;
	}
	json_set_str(r->arena, p, "lifecyclePolicyText", text);
	return cfn_call(r, "ecr", "PutLifecyclePolicy", p, NULL, NULL);
}

static int attributes(struct cfn_resource *r, struct str name)
{
	struct json *p = json_new(r->arena, JSON_OBJECT), *names = json_new(r->arena, JSON_ARRAY), *out;
	const struct json *repo;
	int e;

	json_push(r->arena, names, json_new_str(r->arena, name));
	json_set(r->arena, p, S("repositoryNames"), names);
	e = cfn_call(r, "ecr", "DescribeRepositories", p, &out, NULL);
	if (e < 0)
		return e;
	repo = json_getz(out, "repositories");
	if (!json_is(repo, JSON_ARRAY) || !repo->n)
		return cfn_fail(r, "The repository %.*s was not found", STR(name));
	r->ret_attrs = json_new(r->arena, JSON_OBJECT);
	json_set_str(r->arena, r->ret_attrs, "Arn", json_get_str(&repo->items[0], "repositoryArn"));
	json_set_str(r->arena, r->ret_attrs, "RepositoryUri", json_get_str(&repo->items[0], "repositoryUri"));
	return 0;
}

static int create(struct cfn_resource *r)
{
	const struct json *enc = json_getz(r->props, "EncryptionConfiguration");
	struct str name = json_get_str(r->props, "RepositoryName"), code = STR_NONE;
	bool again = r->physical_id.p;
	struct json *p, *tags = tag_list(r);
	int e;

	if (!name.p)
		name = cfn_name(r, NAME_BYTES_MAX, true);
	if (!again) {
		e = cfn_note_physical(r, name);
		if (e < 0)
			return e;
	}
	p = params(r, name);
	set_mutability(r, p);
	set_scanning(r, p);
	if (tags->n)
		json_set(r->arena, p, S("tags"), tags);
	if (enc) {
		struct json *x = json_new(r->arena, JSON_OBJECT);

		copy_text(r, enc, "EncryptionType", x, "encryptionType");
		copy_text(r, enc, "KmsKey", x, "kmsKey");
		json_set(r->arena, p, S("encryptionConfiguration"), x);
	}
	e = cfn_call(r, "ecr", "CreateRepository", p, NULL, &code);
	if (e < 0 && !(again && str_is(code, "RepositoryAlreadyExistsException")))
		return e;
	r->ret_physical_id = name;
	if (json_getz(r->props, "RepositoryPolicyText")) {
		e = set_policy(r, name);
		if (e < 0)
			return e;
	}
	if (json_getz(r->props, "LifecyclePolicy")) {
		e = set_lifecycle(r, name);
		if (e < 0)
			return e;
	}
	return attributes(r, name);
}

static int retag(struct cfn_resource *r)
{
	const struct json *old = json_getz(r->old_props, "Tags"), *now = json_getz(r->props, "Tags");
	struct json *gone = json_new(r->arena, JSON_ARRAY), *p = json_new(r->arena, JSON_OBJECT), *tags = tag_list(r);
	int e = 0;

	json_set_str(r->arena, p, "resourceArn", json_get_str(r->attrs, "Arn"));
	for (size_t i = 0; json_is(old, JSON_ARRAY) && i < old->n; i++) {
		bool kept = false;

		for (size_t j = 0; json_is(now, JSON_ARRAY) && j < now->n; j++)
			kept |= str_eq(json_get_str(&old->items[i], "Key"), json_get_str(&now->items[j], "Key"));
		if (!kept)
			json_push(r->arena, gone, json_new_str(r->arena, json_get_str(&old->items[i], "Key")));
	}
	if (gone->n) {
		json_set(r->arena, p, S("tagKeys"), gone);
		e = cfn_call(r, "ecr", "UntagResource", p, NULL, NULL);
		json_remove(p, S("tagKeys"));
	}
	if (e == 0 && tags->n) {
		json_set(r->arena, p, S("tags"), tags);
		e = cfn_call(r, "ecr", "TagResource", p, NULL, NULL);
	}
	return e;
}

static int update(struct cfn_resource *r)
{
	struct json *p;
	int e = 0;

	if (changed(r, "ImageTagMutability") || changed(r, "ImageTagMutabilityExclusionFilters")) {
		p = params(r, r->physical_id);
		set_mutability(r, p);
		e = cfn_call(r, "ecr", "PutImageTagMutability", p, NULL, NULL);
	}
	if (e == 0 && changed(r, "ImageScanningConfiguration")) {
		p = params(r, r->physical_id);
		set_scanning(r, p);
		e = cfn_call(r, "ecr", "PutImageScanningConfiguration", p, NULL, NULL);
	}
	if (e == 0 && changed(r, "RepositoryPolicyText"))
		e = set_policy(r, r->physical_id);
	if (e == 0 && changed(r, "LifecyclePolicy"))
		e = set_lifecycle(r, r->physical_id);
	if (e == 0 && changed(r, "Tags"))
		e = retag(r);
	return e;
}

static int delete (struct cfn_resource *r)
{
	struct json *p = params(r, r->physical_id);
	struct str code = STR_NONE;
	int e;

	if (json_to_bool(json_getz(r->old_props, "EmptyOnDelete"), false))
		json_set_bool(r->arena, p, "force", true);
	e = cfn_call(r, "ecr", "DeleteRepository", p, NULL, &code);
	return str_is(code, "RepositoryNotFoundException") ? 0 : e;
}

static const struct cfn_property properties[] = {
	{ "EmptyOnDelete", CFN_UPDATE, false },
	{ "EncryptionConfiguration", CFN_REPLACE, false },
	{ "ImageScanningConfiguration", CFN_UPDATE, false },
	{ "ImageTagMutability", CFN_UPDATE, false },
	{ "ImageTagMutabilityExclusionFilters", CFN_UPDATE, false },
	{ "LifecyclePolicy", CFN_UPDATE, false },
	{ "RepositoryName", CFN_REPLACE, false },
	{ "RepositoryPolicyText", CFN_UPDATE, false },
	{ "Tags", CFN_UPDATE, false },
	{ NULL, 0, false },
};
static const char *const names[] = { "Arn", "RepositoryUri", NULL };
static const struct cfn_type repository_type = {
	.name = "AWS::ECR::Repository",
	.properties = properties,
	.attributes = names,
	.name_property = "RepositoryName",
	.create = create,
	.update = update,
	.delete = delete,
	.reader = &ecr_repository_reader,
};
const struct cfn_type *const ecr_cfn[] = { &repository_type, NULL };
