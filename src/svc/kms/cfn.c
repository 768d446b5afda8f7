/* SPDX-License-Identifier: Apache-2.0 */
/* cfn.c - AWS::KMS::Key and AWS::KMS::Alias. */
#include "cfn/type.h"
#include "svc/kms/kms_int.h"

static struct json *key_params(struct cfn_resource *r, struct str id)
{
	struct json *p = json_new(r->arena, JSON_OBJECT);

	json_set_str(r->arena, p, "KeyId", id);
	return p;
}

static struct json *kms_tags(struct cfn_resource *r)
{
	const struct json *tags = cfn_tags(r);
	struct json *out = json_new(r->arena, JSON_ARRAY);

	for (size_t i = 0; i < tags->n; i++) {
		struct json *t = json_new(r->arena, JSON_OBJECT);

		if (str_starts(json_get_str(&tags->items[i], "Key"), S("aws:")))
			continue; /* KMS takes no reserved tags from callers */
		json_set_str(r->arena, t, "TagKey", json_get_str(&tags->items[i], "Key"));
		json_set_str(r->arena, t, "TagValue", json_get_str(&tags->items[i], "Value"));
		json_push(r->arena, out, t);
	}
	return out;
}

static struct str policy_text(struct cfn_resource *r)
{
	const struct json *p = json_getz(r->props, "KeyPolicy");

	return !p ? STR_NONE : json_is(p, JSON_STRING) ? json_str(p) : json_text(r->arena, p);
}

static int set_rotation(struct cfn_resource *r, struct str id)
{
	bool on = json_to_bool(json_getz(r->props, "EnableKeyRotation"), false);
	struct json *p = key_params(r, id);

	if (on && json_getz(r->props, "RotationPeriodInDays"))
		json_set(r->arena, p, S("RotationPeriodInDays"), json_getz(r->props, "RotationPeriodInDays"));
	return cfn_call(r, "kms", on ? "EnableKeyRotation" : "DisableKeyRotation", p, NULL, NULL);
}

static int key_create(struct cfn_resource *r)
{
	static const char *const same[] = {
		"Description", "KeySpec", "KeyUsage", "Origin", "MultiRegion", "BypassPolicyLockoutSafetyCheck"
	};
	struct json *p = json_new(r->arena, JSON_OBJECT), *out;
	struct str id = r->physical_id;
	int e;

	if (!id.p) {
		for (size_t i = 0; i < ELEMENTS(same); i++)
			if (json_getz(r->props, same[i]))
				json_set(r->arena, p, str_c(same[i]), json_getz(r->props, same[i]));
		json_set_str(r->arena, p, "Policy", policy_text(r));
		json_set(r->arena, p, S("Tags"), kms_tags(r));
		e = cfn_call(r, "kms", "CreateKey", p, &out, NULL);
		if (e < 0)
			return e;
		id = json_get_str(json_getz(out, "KeyMetadata"), "KeyId");
		e = cfn_note_physical(r, id);
		if (e < 0)
			return e;
	}
	if (json_to_bool(json_getz(r->props, "EnableKeyRotation"), false)) {
		e = set_rotation(r, id);
		if (e < 0)
			return e;
	}
	if (!json_to_bool(json_getz(r->props, "Enabled"), true)) {
		e = cfn_call(r, "kms", "DisableKey", key_params(r, id), NULL, NULL);
		if (e < 0)
			return e;
	}
	e = cfn_call(r, "kms", "DescribeKey", key_params(r, id), &out, NULL);
	if (e < 0)
		return e;
	r->ret_physical_id = id;
	r->ret_attrs = json_new(r->arena, JSON_OBJECT);
	json_set_str(r->arena, r->ret_attrs, "Arn", json_get_str(json_getz(out, "KeyMetadata"), "Arn"));
	json_set_str(r->arena, r->ret_attrs, "KeyId", id);
	return 0;
}

static bool changed(struct cfn_resource *r, const char *name)
{
	return !json_equal(json_getz(r->props, name), json_getz(r->old_props, name));
}

/* New tags are set, those that went are removed. */
static int key_retag(struct cfn_resource *r)
{
	const struct json *old = json_getz(r->old_props, "Tags"), *now = json_getz(r->props, "Tags");
	struct json *gone = json_new(r->arena, JSON_ARRAY), *p;
	int e = 0;

	for (size_t i = 0; old && i < old->n; i++) {
		bool kept = false;

		for (size_t j = 0; now && j < now->n; j++)
			kept |= str_eq(json_get_str(&old->items[i], "Key"), json_get_str(&now->items[j], "Key"));
		if (!kept)
			json_push(r->arena, gone, json_new_str(r->arena, json_get_str(&old->items[i], "Key")));
	}
	if (gone->n) {
		p = key_params(r, r->physical_id);
		json_set(r->arena, p, S("TagKeys"), gone);
		e = cfn_call(r, "kms", "UntagResource", p, NULL, NULL);
	}
	if (e == 0 && now && now->n) {
		p = key_params(r, r->physical_id);
		json_set(r->arena, p, S("Tags"), kms_tags(r));
		e = cfn_call(r, "kms", "TagResource", p, NULL, NULL);
	}
	return e;
}

static int key_update(struct cfn_resource *r)
{
	struct json *p;
	int e = 0;

	if (changed(r, "Enabled"))
		e = cfn_call(r, "kms", json_to_bool(json_getz(r->props, "Enabled"), true) ? "EnableKey" : "DisableKey",
			     key_params(r, r->physical_id), NULL, NULL);
	if (e == 0 && changed(r, "Description")) {
		p = key_params(r, r->physical_id);
		json_set_str(r->arena, p, "Description",
			     json_getz(r->props, "Description") ? json_get_str(r->props, "Description") : S(""));
		e = cfn_call(r, "kms", "UpdateKeyDescription", p, NULL, NULL);
	}
	if (e == 0 && changed(r, "KeyPolicy") && policy_text(r).p) {
		p = key_params(r, r->physical_id);
		json_set_str(r->arena, p, "PolicyName", S("default"));
		json_set_str(r->arena, p, "Policy", policy_text(r));
		e = cfn_call(r, "kms", "PutKeyPolicy", p, NULL, NULL);
	}
	if (e == 0 && (changed(r, "EnableKeyRotation") || changed(r, "RotationPeriodInDays")))
		e = set_rotation(r, r->physical_id);
	if (e == 0 && changed(r, "Tags"))
		e = key_retag(r);
	return e;
}

static int key_delete(struct cfn_resource *r)
{
	struct json *p = key_params(r, r->physical_id);
	struct str code = STR_NONE;
	int e;

	if (json_getz(r->old_props, "PendingWindowInDays"))
		json_set(r->arena, p, S("PendingWindowInDays"), json_getz(r->old_props, "PendingWindowInDays"));
	e = cfn_call(r, "kms", "ScheduleKeyDeletion", p, NULL, &code);
	return str_is(code, "NotFoundException") || str_is(code, "KMSInvalidStateException") ? 0 : e;
}

static const struct cfn_property key_properties[] = {
	{ "BypassPolicyLockoutSafetyCheck", CFN_UPDATE, false },
	{ "Description", CFN_UPDATE, false },
	{ "EnableKeyRotation", CFN_UPDATE, false },
	{ "Enabled", CFN_UPDATE, false },
	{ "KeyPolicy", CFN_UPDATE, false },
	{ "KeySpec", CFN_REPLACE, false },
	{ "KeyUsage", CFN_REPLACE, false },
	{ "MultiRegion", CFN_REPLACE, false },
	{ "Origin", CFN_REPLACE, false },
	{ "PendingWindowInDays", CFN_UPDATE, false },
	{ "RotationPeriodInDays", CFN_UPDATE, false },
	{ "Tags", CFN_UPDATE, false },
	{ NULL, 0, false },
};
static const char *const key_attributes[] = { "Arn", "KeyId", NULL };

static const struct cfn_type key_type = {
	.name = "AWS::KMS::Key",
	.properties = key_properties,
	.attributes = key_attributes,
	.create = key_create,
	.update = key_update,
	.delete = key_delete,
	.reader = &kms_key_reader,
};

static int alias_create(struct cfn_resource *r)
{
	struct json *p = json_new(r->arena, JSON_OBJECT);
	int e;

	json_set_str(r->arena, p, "AliasName", json_get_str(r->props, "AliasName"));
	json_set_str(r->arena, p, "TargetKeyId", json_get_str(r->props, "TargetKeyId"));
	e = r->physical_id.p ? 0 : cfn_call(r, "kms", "CreateAlias", p, NULL, NULL);
	r->ret_physical_id = json_get_str(r->props, "AliasName");
	return e;
}

static int alias_update(struct cfn_resource *r)
{
	struct json *p = json_new(r->arena, JSON_OBJECT);

	json_set_str(r->arena, p, "AliasName", r->physical_id);
	json_set_str(r->arena, p, "TargetKeyId", json_get_str(r->props, "TargetKeyId"));
	return cfn_call(r, "kms", "UpdateAlias", p, NULL, NULL);
}

static int alias_delete(struct cfn_resource *r)
{
	struct json *p = json_new(r->arena, JSON_OBJECT);
	struct str code = STR_NONE;
	int e;

	json_set_str(r->arena, p, "AliasName", r->physical_id);
	e = cfn_call(r, "kms", "DeleteAlias", p, NULL, &code);
	return str_is(code, "NotFoundException") ? 0 : e;
}

static const struct cfn_property alias_properties[] = { { "AliasName", CFN_REPLACE, true },
							{ "TargetKeyId", CFN_UPDATE, true },
							{ NULL, 0, false } };
static const char *const alias_attributes[] = { "AliasName", NULL };
static const struct cfn_type alias_type = {
	.name = "AWS::KMS::Alias",
	.properties = alias_properties,
	.attributes = alias_attributes,
	.name_property = "AliasName",
	.create = alias_create,
	.update = alias_update,
	.delete = alias_delete,
	.reader = &kms_alias_reader,
};

const struct cfn_type *const kms_cfn[] = { &alias_type, &key_type, NULL };
