/* SPDX-License-Identifier: Apache-2.0 */
/* cfn_read.c - what buckets and their policies are, in the form of CloudFormation's properties. */
#include "cfn/reader.h"
#include "svc/s3/s3_int.h"
#include <errno.h>

/* --- lifecycle rules. Templates say some things in two ways: both are given. --- */
static const struct cfn_member transition[] = {
	{ "StorageClass" },           { "Days", "TransitionInDays" }, { "NoncurrentDays", "TransitionInDays" },
	{ "Date", "TransitionDate" }, { "NewerNoncurrentVersions" },  { NULL },
};
static const struct cfn_member noncurrent[] = { { "NoncurrentDays" }, { "NewerNoncurrentVersions" }, { NULL } };
static const struct cfn_member rule_parts[] = {
	{ "ID", "Id" },
	{ "Status" },
	{ "Prefix" },
	{ "Filter.Prefix" },
	{ "Filter.ObjectSizeGreaterThan" },
	{ "Filter.ObjectSizeLessThan" },
	{ "Filter.And.Prefix" },
	{ "Filter.And.ObjectSizeGreaterThan" },
	{ "Filter.And.ObjectSizeLessThan" },
	{ "Filter.And.Tags", "TagFilters" },
	{ "Expiration.Days", "ExpirationInDays" },
	{ "Expiration.Date", "ExpirationDate" },
	{ "Expiration.ExpiredObjectDeleteMarker" },
	{ "NoncurrentVersionExpiration", NULL, noncurrent },
	{ "NoncurrentVersionExpiration.NoncurrentDays", "NoncurrentVersionExpirationInDays" },
	{ "AbortIncompleteMultipartUpload" },
	{ "Transitions", NULL, transition },
	{ "NoncurrentVersionTransitions", NULL, transition },
	{ NULL },
};

static void first_as(struct arena *a, struct json *rule, const char *list, const char *one)
{
	const struct json *l = json_getz(rule, list);

	if (json_is(l, JSON_ARRAY) && l->n)
		json_set(a, rule, str_c(one), &l->items[0]);
}

static struct json *rules(struct arena *a, const struct json *v)
{
	struct json *out = json_new(a, JSON_ARRAY);

	for (size_t i = 0; json_is(v, JSON_ARRAY) && i < v->n; i++) {
		const struct json *tag = json_getz(json_getz(&v->items[i], "Filter"), "Tag");
		struct json *rule = json_new(a, JSON_OBJECT), *tags = json_new(a, JSON_ARRAY);

		cfn_take(a, &v->items[i], rule_parts, rule);
		first_as(a, rule, "Transitions", "Transition");
		first_as(a, rule, "NoncurrentVersionTransitions", "NoncurrentVersionTransition");
		if (tag) {
			json_push(a, tags, tag);
			json_set(a, rule, S("TagFilters"), tags);
		}
		json_push(a, out, rule);
	}
	return out;
}

/* --- the others --- */
static const struct cfn_member encryption_rule[] = {
	{ "ApplyServerSideEncryptionByDefault", "ServerSideEncryptionByDefault" },
	{ "BucketKeyEnabled" },
	{ "BlockedEncryptionTypes" },
	{ NULL },
};
static const struct cfn_member encryption[] = {
	{ "ServerSideEncryptionConfiguration.Rules", "ServerSideEncryptionConfiguration", encryption_rule },
	{ NULL },
};
static const struct cfn_member cors_rule[] = {
	{ "ID", "Id" },
	{ "MaxAgeSeconds", "MaxAge" },
	{ "AllowedHeaders" },
	{ "AllowedMethods" },
	{ "AllowedOrigins" },
	{ "ExposeHeaders", "ExposedHeaders" },
	{ NULL },
};
static const struct cfn_member cors[] = { { "CORSRules", "CorsRules", cors_rule }, { NULL } };
static const struct cfn_member lifecycle[] = {
	{ "Rules", NULL, NULL, rules },
	{ "TransitionDefaultMinimumObjectSize" },
	{ NULL },
};
static const struct cfn_member block[] = {
	{ "PublicAccessBlockConfiguration.BlockPublicAcls" },
	{ "PublicAccessBlockConfiguration.BlockPublicPolicy" },
	{ "PublicAccessBlockConfiguration.IgnorePublicAcls" },
	{ "PublicAccessBlockConfiguration.RestrictPublicBuckets" },
	{ NULL },
};
static const struct cfn_member ownership[] = { { "OwnershipControls.Rules" }, { NULL } };
static const struct cfn_member versioning[] = { { "Status" }, { NULL } };

/* One question for each setting. none: the codes that say there is no such setting. */
static const struct {
	const char *property, *op, *none;
	const struct cfn_member *parts;
} settings[] = {
	{ "BucketEncryption", "GetBucketEncryption", "ServerSideEncryptionConfigurationNotFoundError", encryption },
	{ "CorsConfiguration", "GetBucketCors", "NoSuchCORSConfiguration", cors },
	{ "LifecycleConfiguration", "GetBucketLifecycleConfiguration", "NoSuchLifecycleConfiguration", lifecycle },
	{ "OwnershipControls", "GetBucketOwnershipControls", "OwnershipControlsNotFoundError", ownership },
	{ "PublicAccessBlockConfiguration", "GetPublicAccessBlock", "NoSuchPublicAccessBlockConfiguration", block },
	{ "VersioningConfiguration", "GetBucketVersioning", "", versioning },
};

static int bucket_read(struct cfn_resource *r)
{
	static const struct cfn_member tags[] = { { "TagSet", "Tags" }, { NULL } };
	struct json *p = cfn_param(r, "Bucket", r->physical_id), *out;
	int e = cfn_ask(r, "s3", "HeadBucket", p, "NoSuchBucket NotFound 404", &out);

	if (e < 0)
		return e;
	r->ret_props = cfn_param(r, "BucketName", r->physical_id);
	for (size_t i = 0; i < ELEMENTS(settings); i++) {
		struct json *x = json_new(r->arena, JSON_OBJECT);

		if (!cfn_wanted(r, settings[i].property))
			continue;
		e = cfn_ask(r, "s3", settings[i].op, p, settings[i].none, &out);
		if (e == -ENOENT)
			continue;
		if (e < 0)
			return e;
		cfn_take(r->arena, out, settings[i].parts, x);
		json_set(r->arena, r->ret_props, str_c(settings[i].property), x);
	}
	if (!cfn_wanted(r, "Tags"))
		return 0;
	e = cfn_ask(r, "s3", "GetBucketTagging", p, "NoSuchTagSet", &out);
	if (e == 0)
		cfn_take(r->arena, out, tags, r->ret_props);
	return e == -ENOENT ? 0 : e;
}

/* A date is a moment of that day. */
static bool same_day(struct str a, struct str b)
{
	return a.n >= 10 && b.n >= 10 && memcmp(a.p, b.p, 10) == 0;
}

static const struct drift_rule bucket_rules[] = {
	{ "AccessControl", DRIFT_UNREAD },
	{ "BucketEncryption.ServerSideEncryptionConfiguration", DRIFT_SET },
	{ "BucketEncryption.ServerSideEncryptionConfiguration.*.ServerSideEncryptionByDefault.KMSMasterKeyID", .same = drift_tail },
	{ "LifecycleConfiguration.Rules", DRIFT_SET, "Id" },
	{ "LifecycleConfiguration.Rules.*.ExpirationDate", .same = same_day },
	{ "LifecycleConfiguration.Rules.*.TagFilters", DRIFT_SET, "Key" },
	{ NULL },
};
const struct cfn_reader s3_bucket_reader = { bucket_read, bucket_rules };

static int policy_read(struct cfn_resource *r)
{
	static const struct cfn_member policy[] = { { "Policy", "PolicyDocument", NULL, cfn_as_document }, { NULL } };
	struct json *out;
	int e = cfn_ask(r, "s3", "GetBucketPolicy", cfn_param(r, "Bucket", r->physical_id), "NoSuchBucket NoSuchBucketPolicy", &out);

	if (e < 0)
		return e;
	cfn_is(r, out, policy);
	json_set_str(r->arena, r->ret_props, "Bucket", r->physical_id);
	return 0;
}

static const struct drift_rule policy_rules[] = { { "PolicyDocument", DRIFT_POLICY }, { NULL } };
const struct cfn_reader s3_policy_reader = { policy_read, policy_rules };
