/* SPDX-License-Identifier: Apache-2.0 */
/* cfn_read.c - what keys and aliases are, in the form of CloudFormation's properties. */
#include "cfn/reader.h"
#include "svc/kms/kms_int.h"
#include <errno.h>

static const struct cfn_member metadata[] = {
	{ "KeyMetadata.Description" },
	{ "KeyMetadata.Enabled" },
	{ "KeyMetadata.KeySpec" },
	{ "KeyMetadata.KeyUsage" },
	{ "KeyMetadata.MultiRegion" },
	{ "KeyMetadata.Origin" },
	{ NULL },
};
static const struct cfn_member tag[] = { { "TagKey", "Key" }, { "TagValue", "Value" }, { NULL } };
/* Asked for when the template sets one of the properties. */
static const struct {
	const char *properties, *op;
	const struct cfn_member parts[3];
} more[] = {
	{ "KeyPolicy", "GetKeyPolicy", { { "Policy", "KeyPolicy", NULL, cfn_as_document } } },
	{ "EnableKeyRotation RotationPeriodInDays",
	  "GetKeyRotationStatus",
	  { { "KeyRotationEnabled", "EnableKeyRotation" }, { "RotationPeriodInDays" } } },
	{ "Tags", "ListResourceTags", { { "Tags", NULL, tag } } },
};

/* A key that waits for its deletion is of no use to anybody any more. */
static int key_read(struct cfn_resource *r)
{
	struct json *p = cfn_param(r, "KeyId", r->physical_id), *out;
	int e = cfn_ask(r, "kms", "DescribeKey", p, "NotFoundException", &out);

	if (e < 0)
		return e;
	if (str_is(json_get_str(json_getz(out, "KeyMetadata"), "KeyState"), "PendingDeletion"))
		return -ENOENT;
	cfn_is(r, out, metadata);
	for (size_t i = 0; i < ELEMENTS(more) && e == 0; i++) {
		if (!cfn_wanted(r, more[i].properties))
			continue;
		e = cfn_ask(r, "kms", more[i].op, p, "", &out);
		if (e == 0)
			cfn_take(r->arena, out, more[i].parts, r->ret_props);
	}
	return e;
}

static const struct drift_rule key_rules[] = {
	{ "BypassPolicyLockoutSafetyCheck", DRIFT_UNREAD },
	{ "PendingWindowInDays", DRIFT_UNREAD },
	{ "KeyPolicy", DRIFT_POLICY },
	{ NULL },
};
const struct cfn_reader kms_key_reader = { key_read, key_rules };

static int alias_read(struct cfn_resource *r)
{
	static const struct cfn_member parts[] = { { "AliasName" }, { "TargetKeyId" }, { NULL } };
	struct json *p = json_new(r->arena, JSON_OBJECT), *out;
	const struct json *l;
	int e;

	do {
		e = cfn_ask(r, "kms", "ListAliases", p, "", &out);
		l = json_getz(out, "Aliases");
		for (size_t i = 0; e == 0 && l && i < l->n; i++)
			if (str_eq(json_get_str(&l->items[i], "AliasName"), r->physical_id)) {
				cfn_is(r, &l->items[i], parts);
				return 0;
			}
		json_set_str(r->arena, p, "Marker", json_get_str(out, "NextMarker"));
	} while (e == 0 && json_to_bool(json_getz(out, "Truncated"), false));
	return e < 0 ? e : -ENOENT;
}

static const struct drift_rule alias_rules[] = { { "TargetKeyId", .same = drift_tail }, { NULL } };
const struct cfn_reader kms_alias_reader = { alias_read, alias_rules };
