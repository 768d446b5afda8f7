/* SPDX-License-Identifier: Apache-2.0 */
/* cfn.c - AWS::S3::Bucket and AWS::S3::BucketPolicy. */
#include "cfn/type.h"
#include "svc/s3/s3_int.h"

static struct json *params(struct cfn_resource *r, struct str bucket)
{
	struct json *p = json_new(r->arena, JSON_OBJECT);

	json_set_str(r->arena, p, "Bucket", bucket);
	return p;
}

static bool changed(struct cfn_resource *r, const char *name)
{
	return !json_equal(json_getz(r->props, name), json_getz(r->old_props, name));
}

static void copy_text(struct cfn_resource *r, const struct json *from, const char *name, struct json *to, const char *as)
{
	json_set_str(r->arena, to, as, json_get_str(from, name));
}

static void copy_int(struct cfn_resource *r, const struct json *from, const char *name, struct json *to, const char *as)
{
	int64_t v;

	if (json_to_i64(json_getz(from, name), &v) == 0)
		json_set_int(r->arena, to, as, v);
}

static void copy_bool(struct cfn_resource *r, const struct json *from, const char *name, struct json *to, const char *as)
{
	if (json_getz(from, name))
		json_set_bool(r->arena, to, as, json_to_bool(json_getz(from, name), false));
}

static int set_versioning(struct cfn_resource *r, struct str bucket)
{
	const struct json *v = json_getz(r->props, "VersioningConfiguration");
	struct json *p = params(r, bucket), *conf = json_new(r->arena, JSON_OBJECT);

	json_set_str(r->arena, conf, "Status", v ? json_get_str(v, "Status") : S("Suspended"));
	json_set(r->arena, p, S("VersioningConfiguration"), conf);
	return cfn_call(r, "s3", "PutBucketVersioning", p, NULL, NULL);
}

static int set_encryption(struct cfn_resource *r, struct str bucket)
{
	const struct json *rules = json_getz(json_getz(r->props, "BucketEncryption"), "ServerSideEncryptionConfiguration");
	struct json *p = params(r, bucket), *conf = json_new(r->arena, JSON_OBJECT), *out = json_new(r->arena, JSON_ARRAY);

	if (!rules)
		return cfn_call(r, "s3", "DeleteBucketEncryption", p, NULL, NULL);
	for (size_t i = 0; i < rules->n; i++) {
		struct json *rule = json_new(r->arena, JSON_OBJECT);

		if (json_getz(&rules->items[i], "ServerSideEncryptionByDefault"))
			json_set(r->arena, rule, S("ApplyServerSideEncryptionByDefault"),
				 json_getz(&rules->items[i], "ServerSideEncryptionByDefault"));
		copy_bool(r, &rules->items[i], "BucketKeyEnabled", rule, "BucketKeyEnabled");
		if (json_getz(&rules->items[i], "BlockedEncryptionTypes"))
			json_set(r->arena, rule, S("BlockedEncryptionTypes"), json_getz(&rules->items[i], "BlockedEncryptionTypes"));
		json_push(r->arena, out, rule);
	}
	json_set(r->arena, conf, S("Rules"), out);
	json_set(r->arena, p, S("ServerSideEncryptionConfiguration"), conf);
	return cfn_call(r, "s3", "PutBucketEncryption", p, NULL, NULL);
}

static int set_block(struct cfn_resource *r, struct str bucket)
{
	static const char *const names[] = { "BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets" };
	const struct json *v = json_getz(r->props, "PublicAccessBlockConfiguration");
	struct json *p = params(r, bucket), *conf = json_new(r->arena, JSON_OBJECT);

	if (!v)
		return cfn_call(r, "s3", "DeletePublicAccessBlock", p, NULL, NULL);
	for (size_t i = 0; i < ELEMENTS(names); i++)
		json_set_bool(r->arena, conf, names[i], json_to_bool(json_getz(v, names[i]), false));
	json_set(r->arena, p, S("PublicAccessBlockConfiguration"), conf);
	return cfn_call(r, "s3", "PutPublicAccessBlock", p, NULL, NULL);
}

static int set_ownership(struct cfn_resource *r, struct str bucket)
{
	const struct json *v = json_getz(r->props, "OwnershipControls");
	struct json *p = params(r, bucket);

	if (!v)
		return cfn_call(r, "s3", "DeleteBucketOwnershipControls", p, NULL, NULL);
	json_set(r->arena, p, S("OwnershipControls"), v);
	return cfn_call(r, "s3", "PutBucketOwnershipControls", p, NULL, NULL);
}

static int set_tags(struct cfn_resource *r, struct str bucket)
{
	struct json *p = params(r, bucket), *tagging = json_new(r->arena, JSON_OBJECT);

	json_set(r->arena, tagging, S("TagSet"), cfn_tags(r));
	json_set(r->arena, p, S("Tagging"), tagging);
	return cfn_call(r, "s3", "PutBucketTagging", p, NULL, NULL);
}

static int set_cors(struct cfn_resource *r, struct str bucket)
{
	const struct json *rules = json_getz(json_getz(r->props, "CorsConfiguration"), "CorsRules");
	struct json *p = params(r, bucket), *conf = json_new(r->arena, JSON_OBJECT), *out = json_new(r->arena, JSON_ARRAY);

	if (!rules)
		return cfn_call(r, "s3", "DeleteBucketCors", p, NULL, NULL);
	for (size_t i = 0; i < rules->n; i++) {
		static const char *const lists[][2] = { { "AllowedHeaders", "AllowedHeaders" },
							{ "AllowedMethods", "AllowedMethods" },
							{ "AllowedOrigins", "AllowedOrigins" },
							{ "ExposedHeaders", "ExposeHeaders" } };
		struct json *x = json_new(r->arena, JSON_OBJECT);

		copy_text(r, &rules->items[i], "Id", x, "ID");
		copy_int(r, &rules->items[i], "MaxAge", x, "MaxAgeSeconds");
		for (size_t j = 0; j < ELEMENTS(lists); j++)
			if (json_getz(&rules->items[i], lists[j][0]))
				json_set(r->arena, x, str_c(lists[j][1]), json_getz(&rules->items[i], lists[j][0]));
		json_push(r->arena, out, x);
	}
	json_set(r->arena, conf, S("CORSRules"), out);
	json_set(r->arena, p, S("CORSConfiguration"), conf);
	return cfn_call(r, "s3", "PutBucketCors", p, NULL, NULL);
}

/* --- lifecycle rules: the template's names to the API's --- */
static struct json *rule_filter(struct cfn_resource *r, const struct json *u)
{
	const struct json *tags = json_getz(u, "TagFilters");
	struct json *f = json_new(r->arena, JSON_OBJECT), *and = json_new(r->arena, JSON_OBJECT);
	size_t kinds = (json_getz(u, "Prefix") != NULL) + (json_getz(u, "ObjectSizeGreaterThan") != NULL) +
		       (json_getz(u, "ObjectSizeLessThan") != NULL) + (tags ? tags->n : 0);
	struct json *to = kinds > 1 ? and : f;

	copy_text(r, u, "Prefix", to, "Prefix");
	copy_int(r, u, "ObjectSizeGreaterThan", to, "ObjectSizeGreaterThan");
	copy_int(r, u, "ObjectSizeLessThan", to, "ObjectSizeLessThan");
	if (kinds == 0)
		json_set_str(r->arena, f, "Prefix", S(""));
	if (kinds > 1) {
		if (tags)
			json_set(r->arena, and, S("Tags"), tags);
		json_set(r->arena, f, S("And"), and);
	} else if (tags && tags->n) {
		json_set(r->arena, f, S("Tag"), &tags->items[0]);
	}
	return f;
}

static void add_transition(struct cfn_resource *r, const struct json *t, const char *days_as, struct json *list)
{
	struct json *x = json_new(r->arena, JSON_OBJECT);

	if (!t)
		return;
	copy_text(r, t, "StorageClass", x, "StorageClass");
	copy_int(r, t, "TransitionInDays", x, days_as);
	copy_text(r, t, "TransitionDate", x, "Date");
	copy_int(r, t, "NewerNoncurrentVersions", x, "NewerNoncurrentVersions");
	json_push(r->arena, list, x);
}

static void rule_transitions(struct cfn_resource *r, const struct json *u, struct json *x, const char *many, const char *one,
			     const char *days_as, const char *as)
{
	const struct json *l = json_getz(u, many);
	struct json *out = json_new(r->arena, JSON_ARRAY);

	for (size_t i = 0; l && i < l->n; i++)
		add_transition(r, &l->items[i], days_as, out);
	add_transition(r, json_getz(u, one), days_as, out);
	if (out->n)
		json_set(r->arena, x, str_c(as), out);
}

static struct json *rule_out(struct cfn_resource *r, const struct json *u)
{
	struct json *x = json_new(r->arena, JSON_OBJECT), *exp = json_new(r->arena, JSON_OBJECT), *old = json_new(r->arena, JSON_OBJECT);
	const struct json *n = json_getz(u, "NoncurrentVersionExpiration"), *abort = json_getz(u, "AbortIncompleteMultipartUpload");

	copy_text(r, u, "Id", x, "ID");
	copy_text(r, u, "Status", x, "Status");
	json_set(r->arena, x, S("Filter"), rule_filter(r, u));
	copy_int(r, u, "ExpirationInDays", exp, "Days");
	copy_text(r, u, "ExpirationDate", exp, "Date");
	copy_bool(r, u, "ExpiredObjectDeleteMarker", exp, "ExpiredObjectDeleteMarker");
	if (exp->n)
		json_set(r->arena, x, S("Expiration"), exp);
	copy_int(r, u, "NoncurrentVersionExpirationInDays", old, "NoncurrentDays");
	if (n) {
		copy_int(r, n, "NoncurrentDays", old, "NoncurrentDays");
		copy_int(r, n, "NewerNoncurrentVersions", old, "NewerNoncurrentVersions");
	}
	if (old->n)
		json_set(r->arena, x, S("NoncurrentVersionExpiration"), old);
	if (abort) {
		struct json *a = json_new(r->arena, JSON_OBJECT);

		copy_int(r, abort, "DaysAfterInitiation", a, "DaysAfterInitiation");
		json_set(r->arena, x, S("AbortIncompleteMultipartUpload"), a);
	}
	rule_transitions(r, u, x, "Transitions", "Transition", "Days", "Transitions");
	rule_transitions(r, u, x, "NoncurrentVersionTransitions", "NoncurrentVersionTransition", "NoncurrentDays",
			 "NoncurrentVersionTransitions");
	return x;
}

static int set_lifecycle(struct cfn_resource *r, struct str bucket)
{
	const struct json *conf = json_getz(r->props, "LifecycleConfiguration"), *rules = json_getz(conf, "Rules");
	struct json *p = params(r, bucket), *to = json_new(r->arena, JSON_OBJECT), *out = json_new(r->arena, JSON_ARRAY);

	if (!rules)
		return cfn_call(r, "s3", "DeleteBucketLifecycle", p, NULL, NULL);
	for (size_t i = 0; i < rules->n; i++)
		json_push(r->arena, out, rule_out(r, &rules->items[i]));
	json_set(r->arena, to, S("Rules"), out);
	json_set(r->arena, p, S("LifecycleConfiguration"), to);
	copy_text(r, conf, "TransitionDefaultMinimumObjectSize", p, "TransitionDefaultMinimumObjectSize");
	return cfn_call(r, "s3", "PutBucketLifecycleConfiguration", p, NULL, NULL);
}

static int set_acl(struct cfn_resource *r, struct str bucket)
{
	static const char *const names[][2] = { { "Private", "private" },
						{ "PublicRead", "public-read" },
						{ "PublicReadWrite", "public-read-write" },
						{ "AuthenticatedRead", "authenticated-read" } };
	struct str acl = json_get_str(r->props, "AccessControl");
	struct json *p = params(r, bucket);

	for (size_t i = 0; i < ELEMENTS(names); i++)
		if (!acl.p || str_is(acl, names[i][0])) {
			json_set_str(r->arena, p, "ACL", str_c(names[i][1]));
			return cfn_call(r, "s3", "PutBucketAcl", p, NULL, NULL);
		}
	return cfn_fail(r, "AccessControl %.*s is not implemented by this cloud.", STR(acl));
}

static const struct {
	const char *property;
	int (*set)(struct cfn_resource *r, struct str bucket);
} settings[] = {
	{ "OwnershipControls", set_ownership },
	{ "PublicAccessBlockConfiguration", set_block },
	{ "AccessControl", set_acl },
	{ "BucketEncryption", set_encryption },
	{ "VersioningConfiguration", set_versioning },
	{ "LifecycleConfiguration", set_lifecycle },
	{ "CorsConfiguration", set_cors },
};

/* Regions that are older write the website's host with a dash. */
static struct str website_url(struct cfn_resource *r, struct str bucket)
{
	static const char *const dashed[] = { "us-east-1",      "us-west-1",      "us-west-2", "eu-west-1",    "ap-southeast-1",
					      "ap-southeast-2", "ap-northeast-1", "sa-east-1", "us-gov-west-1" };
	char mark = '.';

	for (size_t i = 0; i < ELEMENTS(dashed); i++)
		if (str_is(r->region, dashed[i]))
			mark = '-';
	return str_printf(r->arena, "http://%.*s.s3-website%c%.*s.amazonaws.com", STR(bucket), mark, STR(r->region));
}

static void attributes(struct cfn_resource *r, struct str bucket)
{
	struct json *a = json_new(r->arena, JSON_OBJECT);

	json_set_str(r->arena, a, "Arn", str_printf(r->arena, "arn:%.*s:s3:::%.*s", STR(r->partition), STR(bucket)));
	json_set_str(r->arena, a, "DomainName", str_printf(r->arena, "%.*s.s3.amazonaws.com", STR(bucket)));
	json_set_str(r->arena, a, "RegionalDomainName", str_printf(r->arena, "%.*s.s3.%.*s.amazonaws.com", STR(bucket), STR(r->region)));
	json_set_str(r->arena, a, "DualStackDomainName",
		     str_printf(r->arena, "%.*s.s3.dualstack.%.*s.amazonaws.com", STR(bucket), STR(r->region)));
	json_set_str(r->arena, a, "WebsiteURL", website_url(r, bucket));
	r->ret_attrs = a;
}

/* A name that was generated is this attempt's own: an earlier run of it has made the bucket. */
static int make(struct cfn_resource *r, struct str name, bool own_name)
{
	struct json *p = params(r, name), *conf;
	struct str code = STR_NONE;
	int e;

	if (!str_is(r->region, "us-east-1")) {
		conf = json_new(r->arena, JSON_OBJECT);
		json_set_str(r->arena, conf, "LocationConstraint", r->region);
		json_set(r->arena, p, S("CreateBucketConfiguration"), conf);
	}
	e = cfn_call(r, "s3", "CreateBucket", p, NULL, &code);
	if (e == 0 || (own_name && str_is(code, "BucketAlreadyOwnedByYou"))) {
		r->error = STR_NONE;
		return 0;
	}
	if (str_is(code, "BucketAlreadyOwnedByYou") || str_is(code, "BucketAlreadyExists"))
		return cfn_fail(r, "%.*s already exists", STR(name));
	return e;
}

static int bucket_create(struct cfn_resource *r)
{
	struct str name = json_get_str(r->props, "BucketName");
	bool own_name = !name.n;
	int e = 0;

	if (own_name)
		name = cfn_name(r, 63, true);
	if (!r->physical_id.p) {
		e = make(r, name, own_name);
		if (e == 0)
			e = cfn_note_physical(r, name);
	}
	r->ret_physical_id = name;
	if (e == 0)
		e = set_tags(r, name);
	for (size_t i = 0; i < ELEMENTS(settings) && e == 0; i++)
		if (json_getz(r->props, settings[i].property))
			e = settings[i].set(r, name);
	attributes(r, name);
	return e;
}

static int bucket_update(struct cfn_resource *r)
{
	int e = set_tags(r, r->physical_id);

	for (size_t i = 0; i < ELEMENTS(settings) && e == 0; i++)
		if (changed(r, settings[i].property))
			e = settings[i].set(r, r->physical_id);
	attributes(r, r->physical_id);
	return e;
}

static int bucket_delete(struct cfn_resource *r)
{
	struct str code = STR_NONE;
	int e = cfn_call(r, "s3", "DeleteBucket", params(r, r->physical_id), NULL, &code);

	return str_is(code, "NoSuchBucket") ? 0 : e;
}

static int bucket_find(struct cfn_resource *r)
{
	int e = cfn_call(r, "s3", "HeadBucket", params(r, r->physical_id), NULL, NULL);

	attributes(r, r->physical_id);
	return e;
}

static const struct cfn_property bucket_properties[] = {
	{ "AccessControl", CFN_UPDATE, false },
	{ "BucketEncryption", CFN_UPDATE, false },
	{ "BucketName", CFN_REPLACE, false },
	{ "CorsConfiguration", CFN_UPDATE, false },
	{ "LifecycleConfiguration", CFN_UPDATE, false },
	{ "OwnershipControls", CFN_UPDATE, false },
	{ "PublicAccessBlockConfiguration", CFN_UPDATE, false },
	{ "Tags", CFN_UPDATE, false },
	{ "VersioningConfiguration", CFN_UPDATE, false },
	{ NULL, 0, false },
};
static const char *const bucket_attributes[] = { "Arn", "DomainName", "RegionalDomainName", "DualStackDomainName", "WebsiteURL", NULL };

static const struct cfn_type bucket_type = {
	.name = "AWS::S3::Bucket",
	.properties = bucket_properties,
	.attributes = bucket_attributes,
	.name_property = "BucketName",
	.create = bucket_create,
	.update = bucket_update,
	.delete = bucket_delete,
	.find = bucket_find,
	.reader = &s3_bucket_reader,
};

/* --- bucket policy --- */
static int put_policy(struct cfn_resource *r, struct str bucket)
{
	const struct json *doc = json_getz(r->props, "PolicyDocument");
	struct json *p = params(r, bucket);

	json_set_str(r->arena, p, "Policy", json_is(doc, JSON_STRING) ? json_str(doc) : json_text(r->arena, doc));
	return cfn_call(r, "s3", "PutBucketPolicy", p, NULL, NULL);
}

static int policy_create(struct cfn_resource *r)
{
	struct str bucket = json_get_str(r->props, "Bucket"), code = STR_NONE;
	int e = 0;

	if (!r->physical_id.p) {
		if (cfn_call(r, "s3", "GetBucketPolicy", params(r, bucket), NULL, &code) == 0)
			return cfn_fail(r, "The bucket policy already exists on bucket %.*s.", STR(bucket));
		r->error = STR_NONE;
		e = cfn_note_physical(r, bucket);
	}
	r->ret_physical_id = bucket;
	return e < 0 ? e : put_policy(r, bucket);
}

static int policy_update(struct cfn_resource *r)
{
	return put_policy(r, r->physical_id);
}

static int policy_delete(struct cfn_resource *r)
{
	struct str code = STR_NONE;
	int e = cfn_call(r, "s3", "DeleteBucketPolicy", params(r, r->physical_id), NULL, &code);

	return str_is(code, "NoSuchBucket") ? 0 : e;
}

static const struct cfn_property policy_properties[] = { { "Bucket", CFN_REPLACE, true },
							 { "PolicyDocument", CFN_UPDATE, true },
							 { NULL, 0, false } };
static const char *const policy_attributes[] = { NULL };

static const struct cfn_type policy_type = {
	.name = "AWS::S3::BucketPolicy",
	.properties = policy_properties,
	.attributes = policy_attributes,
	.create = policy_create,
	.update = policy_update,
	.delete = policy_delete,
	.reader = &s3_policy_reader,
};

const struct cfn_type *const s3_cfn[] = { &bucket_type, &policy_type, NULL };
