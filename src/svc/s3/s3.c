/* SPDX-License-Identifier: Apache-2.0 */
/* s3.c - registration of Amazon S3, and what authorization needs to know of it. */
#include "svc/s3/s3_int.h"
#include "svc/services.h"
#include <errno.h>

const struct s3_ops s3_ops = {
	.abort_multipart_upload = s3_abort_multipart_upload,
	.complete_multipart_upload = s3_complete_multipart_upload,
	.copy_object = s3_copy_object,
	.create_bucket = s3_create_bucket,
	.create_multipart_upload = s3_create_multipart_upload,
	.delete_bucket = s3_delete_bucket,
	.delete_bucket_cors = s3_delete_bucket_cors,
	.delete_bucket_encryption = s3_delete_bucket_encryption,
	.delete_bucket_lifecycle = s3_delete_bucket_lifecycle,
	.delete_bucket_ownership_controls = s3_delete_bucket_ownership_controls,
	.delete_bucket_policy = s3_delete_bucket_policy,
	.delete_bucket_replication = s3_delete_bucket_replication,
	.delete_bucket_tagging = s3_delete_bucket_tagging,
	.delete_bucket_website = s3_delete_bucket_website,
	.delete_object = s3_delete_object,
	.delete_object_tagging = s3_delete_object_tagging,
	.delete_objects = s3_delete_objects,
	.delete_public_access_block = s3_delete_public_access_block,
	.get_bucket_accelerate_configuration = s3_get_bucket_accelerate_configuration,
	.get_bucket_acl = s3_get_bucket_acl,
	.get_bucket_cors = s3_get_bucket_cors,
	.get_bucket_encryption = s3_get_bucket_encryption,
	.get_bucket_lifecycle_configuration = s3_get_bucket_lifecycle_configuration,
	.get_bucket_location = s3_get_bucket_location,
	.get_bucket_logging = s3_get_bucket_logging,
	.get_bucket_notification_configuration = s3_get_bucket_notification_configuration,
	.get_bucket_ownership_controls = s3_get_bucket_ownership_controls,
	.get_bucket_policy = s3_get_bucket_policy,
	.get_bucket_policy_status = s3_get_bucket_policy_status,
	.get_bucket_replication = s3_get_bucket_replication,
	.get_bucket_request_payment = s3_get_bucket_request_payment,
	.get_bucket_tagging = s3_get_bucket_tagging,
	.get_bucket_versioning = s3_get_bucket_versioning,
	.get_bucket_website = s3_get_bucket_website,
	.get_object = s3_get_object,
	.get_object_acl = s3_get_object_acl,
	.get_object_attributes = s3_get_object_attributes,
	.get_object_lock_configuration = s3_get_object_lock_configuration,
	.get_object_tagging = s3_get_object_tagging,
	.get_public_access_block = s3_get_public_access_block,
	.head_bucket = s3_head_bucket,
	.head_object = s3_head_object,
	.list_buckets = s3_list_buckets,
	.list_multipart_uploads = s3_list_multipart_uploads,
	.list_object_versions = s3_list_object_versions,
	.list_objects = s3_list_objects,
	.list_objects_v2 = s3_list_objects_v2,
	.list_parts = s3_list_parts,
	.put_bucket_accelerate_configuration = s3_put_bucket_accelerate_configuration,
	.put_bucket_acl = s3_put_bucket_acl,
	.put_bucket_cors = s3_put_bucket_cors,
	.put_bucket_encryption = s3_put_bucket_encryption,
	.put_bucket_lifecycle_configuration = s3_put_bucket_lifecycle_configuration,
	.put_bucket_logging = s3_put_bucket_logging,
	.put_bucket_notification_configuration = s3_put_bucket_notification_configuration,
	.put_bucket_ownership_controls = s3_put_bucket_ownership_controls,
	.put_bucket_policy = s3_put_bucket_policy,
	.put_bucket_request_payment = s3_put_bucket_request_payment,
	.put_bucket_tagging = s3_put_bucket_tagging,
	.put_bucket_versioning = s3_put_bucket_versioning,
	.put_object = s3_put_object,
	.put_object_acl = s3_put_object_acl,
	.put_object_tagging = s3_put_object_tagging,
	.put_public_access_block = s3_put_public_access_block,
	.upload_part = s3_upload_part,
	.upload_part_copy = s3_upload_part_copy,
};

static enum s3_op op_of(const struct call *c)
{
	return (enum s3_op)(c->op - s3_model.ops);
}

/* What an ACL must grant for an action. Source: "Mapping of ACL permissions and access policy permissions". */
static const char *acl_permission(const char *action, bool object)
{
	static const struct {
		const char *action, *permission;
		bool object;
	} t[] = {
		{ "s3:ListBucket", "READ", false },
		{ "s3:ListBucketVersions", "READ", false },
		{ "s3:ListBucketMultipartUploads", "READ", false },
		{ "s3:PutObject", "WRITE", false },
		{ "s3:GetBucketAcl", "READ_ACP", false },
		{ "s3:PutBucketAcl", "WRITE_ACP", false },
		{ "s3:DeleteObject", "WRITE", false },
		{ "s3:GetObject", "READ", true },
		{ "s3:GetObjectVersion", "READ", true },
		{ "s3:GetObjectAcl", "READ_ACP", true },
		{ "s3:GetObjectVersionAcl", "READ_ACP", true },
		{ "s3:PutObjectAcl", "WRITE_ACP", true },
		{ "s3:PutObjectVersionAcl", "WRITE_ACP", true },
	};

	for (size_t i = 0; i < ELEMENTS(t); i++)
		if (t[i].object == object && strcmp(t[i].action, action) == 0)
			return t[i].permission;
	return NULL;
}

static struct str input_of(struct call *c, const char *member);

/* Which version an action is about. A copy reads the version that its source names. */
static struct str version_of(struct call *c, const char *action)
{
	struct str bucket, key, version;

	switch (op_of(c)) {
	case S3_OP_COPY_OBJECT:
	case S3_OP_UPLOAD_PART_COPY:
		return strstr(action, "GetObject") &&
				       s3_copy_source_parse(c->arena, input_of(c, "CopySource"), &bucket, &key, &version) == 0
			       ? version
			       : STR_NONE;
	case S3_OP_GET_OBJECT:
		return ((const struct s3_get_object_request *)c->in)->version_id;
	case S3_OP_HEAD_OBJECT:
		return ((const struct s3_head_object_request *)c->in)->version_id;
	case S3_OP_GET_OBJECT_TAGGING:
		return ((const struct s3_get_object_tagging_request *)c->in)->version_id;
	case S3_OP_PUT_OBJECT_TAGGING:
		return ((const struct s3_put_object_tagging_request *)c->in)->version_id;
	case S3_OP_DELETE_OBJECT_TAGGING:
		return ((const struct s3_delete_object_tagging_request *)c->in)->version_id;
	case S3_OP_GET_OBJECT_ACL:
		return ((const struct s3_get_object_acl_request *)c->in)->version_id;
	case S3_OP_PUT_OBJECT_ACL:
		return ((const struct s3_put_object_acl_request *)c->in)->version_id;
	case S3_OP_GET_OBJECT_ATTRIBUTES:
		return ((const struct s3_get_object_attributes_request *)c->in)->version_id;
	default:
		return STR_NONE;
	}
}

/* The object that an action is about, if it is there. */
static int look_at(struct call *c, const struct s3_rec_bucket *b, struct str key, struct str version, struct s3_rec_object *o)
{
	if (key.n > S3_KEY_BYTES_MAX)
		return -ENOENT;
	return version.p ? (s3_version_valid(version) ? s3_object_version(c->txn, c->arena, b, key, version, o) : -ENOENT)
			 : s3_object_look(c, b, key, o);
}

static bool granted(struct call *c, const char *action, const struct s3_rec_bucket *b, struct str key)
{
	const char *by_bucket = acl_permission(action, false), *by_object = acl_permission(action, true);
	struct s3_rec_object o;

	if (by_bucket && b->acl.n && s3_acl_grants(c, b, b->account, &b->acl, by_bucket))
		return true;
	return key.p && by_object && !str_is(b->ownership, "BucketOwnerEnforced") && look_at(c, b, key, version_of(c, action), &o) == 0 &&
	       o.acl.n && s3_acl_grants(c, b, o.owner, &o.acl, by_object);
}

/* With RestrictPublicBuckets a public policy grants nothing to anybody outside the bucket's account but AWS services. */
static bool policy_counts(const struct call *c, const struct s3_rec_bucket *b)
{
	return !b->restrict_public_buckets.v || !b->policy_public.v || c->who->p.type == PRINCIPAL_SERVICE ||
	       str_eq(c->who->p.account, b->account);
}

/* The root user of a bucket's account can always look after its policy, whatever that says. Source: DeleteBucketPolicy. */
static bool is_caretaker(const struct call *c, const struct s3_rec_bucket *b, const char *action)
{
	return c->who->p.type == PRINCIPAL_ROOT && str_eq(c->who->p.account, b->account) &&
	       (strcmp(action, "s3:DeleteBucketPolicy") == 0 || strcmp(action, "s3:PutBucketPolicy") == 0 ||
		strcmp(action, "s3:GetBucketPolicy") == 0);
}

static int s3_resource(struct call *c, const char *action, struct str kind, struct str id, struct authz_resource *ret)
{
	struct s3_rec_bucket *b;
	struct str bucket = id, key = STR_NONE;
	int r;

	if (str_is(kind, "object"))
		(void)str_cut(id, '/', &bucket, &key);
	r = s3_bucket_load(c, bucket, STR_NONE, &b);
	if (r < 0)
		return r;
	ret->arn = key.p ? s3_object_arn(c, bucket, key) : s3_bucket_arn(c, bucket);
	ret->account = b->account;
	ret->granted = granted(c, action, b, key);
	if (b->policy.p && !is_caretaker(c, b, action) && (policy_counts(c, b) || ret->granted)) {
		ret->policy = s3_policy_now(c, b);
		ret->policy_name = "bucket policy";
	}
	return 0;
}

/* --- condition keys. Source: "Actions, resources, and condition keys for Amazon S3" --- */
static void request_tags(struct call *c, struct key_set *k)
{
	struct s3_rec_tag_list tags = { 0 };
	struct str header = c->http ? http_header(c->http, "x-amz-tagging") : STR_NONE, one, name, value, *names;

	if (op_of(c) == S3_OP_PUT_OBJECT_TAGGING) {
		const struct s3_put_object_tagging_request *in = c->in;

		tags.n = in->tagging ? in->tagging->tag_set.n : 0;
		tags.v = arena_array(c->arena, struct s3_rec_tag, tags.n + 1);
		for (size_t i = 0; i < tags.n; i++)
			tags.v[i] = (struct s3_rec_tag){ in->tagging->tag_set.v[i].key, in->tagging->tag_set.v[i].value };
	} else if (op_of(c) != S3_OP_COPY_OBJECT || str_is(((const struct s3_copy_object_request *)c->in)->tagging_directive, "REPLACE")) {
		/* A copy with another directive does not take the tags of its header: they say nothing. */
		size_t cap = 0;

		while (header.n && str_next(&header, '&', &one)) {
			struct s3_rec_tag t = { .value = S("") };

			(void)str_cut(one, '=', &name, &value);
			if (uri_decode(c->arena, name, true, &t.key) == 0 && (!value.p || uri_decode(c->arena, value, true, &t.value) == 0))
				vec_push(c->arena, tags.v, tags.n, cap) = t;
		}
	}
	if (!tags.n)
		return;
	names = arena_array(c->arena, struct str, tags.n);
	for (size_t i = 0; i < tags.n; i++) {
		names[i] = tags.v[i].key;
		key_add(c, k, str_printf(c->arena, "s3:RequestObjectTag/%.*s", STR(names[i])), tags.v[i].value);
	}
	key_add_list(c, k, S("s3:RequestObjectTagKeys"), names, tags.n);
}

static void take_value(struct str v, void *arg)
{
	*(struct str *)arg = v;
}

static struct str input_of(struct call *c, const char *member)
{
	struct str v = STR_NONE;

	(void)wire_path(c->svc->model, c->op->in, c->in, member, c->arena, take_value, &v);
	return v;
}

static bool tells_existing_tags(const char *action)
{
	return strstr(action, "GetObject") || strstr(action, "ObjectTagging") || strstr(action, "ObjectVersionTagging") ||
	       strstr(action, "ObjectAcl") || strstr(action, "ObjectVersionAcl");
}

static void existing_tags(struct call *c, const char *action, struct key_set *k)
{
	enum s3_op op = op_of(c);
	struct str bucket = input_of(c, "Bucket"), key = STR_NONE, version = version_of(c, action);
	struct s3_rec_bucket *b;
	struct s3_rec_object o;

	if (!tells_existing_tags(action) || strstr(c->op->name, "Object") == NULL)
		return;
	if (op == S3_OP_LIST_OBJECTS || op == S3_OP_LIST_OBJECTS_V2 || op == S3_OP_LIST_OBJECT_VERSIONS || op == S3_OP_DELETE_OBJECTS ||
	    op == S3_OP_GET_OBJECT_LOCK_CONFIGURATION)
		return;
	if (strstr(action, "GetObject") && (op == S3_OP_COPY_OBJECT || op == S3_OP_UPLOAD_PART_COPY)) {
		if (s3_copy_source_parse(c->arena, input_of(c, "CopySource"), &bucket, &key, &version) < 0)
			return;
	} else {
		key = input_of(c, "Key");
	}
	if (!key.p || s3_bucket_look(c, bucket, &b) < 0 || look_at(c, b, key, version, &o) < 0)
		return;
	for (size_t i = 0; i < o.tags.n; i++)
		key_add(c, k, str_printf(c->arena, "s3:ExistingObjectTag/%.*s", STR(o.tags.v[i].key)), o.tags.v[i].value);
}

/* As "bucket/key", however the request spells it, so that no policy is passed by another spelling. */
static void copy_source(struct call *c, struct key_set *k)
{
	struct str bucket, key, version;

	if (op_of(c) != S3_OP_COPY_OBJECT && op_of(c) != S3_OP_UPLOAD_PART_COPY)
		return;
	if (s3_copy_source_parse(c->arena, input_of(c, "CopySource"), &bucket, &key, &version) == 0)
		key_add(c, k, S("s3:x-amz-copy-source"), str_printf(c->arena, "%.*s/%.*s", STR(bucket), STR(key)));
}

/* Parts say nothing of encryption: it was said when their upload was created, and policies go on to see that. */
static void upload_encryption(struct call *c, const struct s3_rec_bucket *b, struct key_set *k)
{
	enum s3_op op = op_of(c);
	struct s3_rec_upload u;

	if (op != S3_OP_UPLOAD_PART && op != S3_OP_UPLOAD_PART_COPY && op != S3_OP_COMPLETE_MULTIPART_UPLOAD)
		return;
	if (s3_upload_read(c, b, input_of(c, "Key"), input_of(c, "UploadId"), &u) < 0)
		return;
	key_add(c, k, S("s3:x-amz-server-side-encryption"), u.object->sse);
	key_add(c, k, S("s3:x-amz-server-side-encryption-aws-kms-key-id"), u.object->kms_key);
}

static int s3_conditions(struct call *c, const char *action, struct key_set *k)
{
	const struct call_facts *f = &c->facts;
	struct s3_rec_bucket *b;
	struct str bucket = op_of(c) == S3_OP_LIST_BUCKETS ? STR_NONE : input_of(c, "Bucket");
	enum s3_op op = op_of(c);
	bool creates[] = { op == S3_OP_PUT_OBJECT || op == S3_OP_COPY_OBJECT || op == S3_OP_COMPLETE_MULTIPART_UPLOAD,
			   op == S3_OP_CREATE_MULTIPART_UPLOAD || op == S3_OP_UPLOAD_PART || op == S3_OP_UPLOAD_PART_COPY };

	if (!f->invoked_by.p && f->auth_type.p) {
		key_add(c, k, S("s3:authType"), f->auth_type);
		key_add(c, k, S("s3:signatureversion"), f->signature_version);
		key_add(c, k, S("s3:signatureAge"),
			str_printf(c->arena, "%lld", (long long)(f->signature_age_ms < 0 ? 0 : f->signature_age_ms)));
		key_add(c, k, S("s3:x-amz-content-sha256"), f->content_sha256);
	}
	if (f->secure_transport)
		key_add(c, k, S("s3:TlsVersion"), S("1.3"));
	if (bucket.p && s3_bucket_look(c, bucket, &b) == 0) {
		key_add(c, k, S("s3:ResourceAccount"), b->account);
		upload_encryption(c, b, k);
	}
	copy_source(c, k);
	if (creates[0] || creates[1])
		key_add(c, k, S("s3:ObjectCreationOperation"), creates[0] ? S("true") : S("false"));
	request_tags(c, k);
	existing_tags(c, action, k);
	return 0;
}

/* Callers outside the bucket's account, and anonymous ones, are told no more than "Access Denied". */
static int s3_denied(struct call *c, const char *action, struct str resource, struct str sentence)
{
	struct str bucket = op_of(c) == S3_OP_LIST_BUCKETS ? STR_NONE : input_of(c, "Bucket"), from, to;
	struct s3_rec_bucket b;
	bool ours = c->who->p.type != PRINCIPAL_ANONYMOUS && c->who->p.account.p;

	if (ours && bucket.p && s3_bucket_read(c->txn, c->arena, bucket, &b) == 0)
		ours = str_eq(b.account, c->who->p.account);
	if (!ours)
		return call_fail(c, &s3_err_access_denied, "Access Denied");
	from = str_printf(c->arena, "on resource: %.*s", STR(resource)); /* S3 alone quotes the ARN */
	to = str_printf(c->arena, "on resource: \"%.*s\"", STR(resource));
	return call_fail(c, &s3_err_access_denied, "%.*s", STR(str_replace(c->arena, sentence, from, to)));
}

static int s3_open(struct cloud *cl, struct region *r, struct store_txn *t, struct arena *a)
{
	return r ? s3_files_open(r, t) : 0;
}

/* Unsigned requests name no region: they reach the bucket where it is. */
static struct str s3_home(struct cloud *cl, const struct wire_route *route, struct arena *a)
{
	struct store_txn *g;
	struct s3_rec_name n;
	struct str bucket = STR_NONE;
	int r;

	for (size_t i = 0; i < route->n_labels; i++)
		if (str_is(route->labels[i].key, "Bucket") && uri_decode(a, route->labels[i].value, false, &bucket) < 0)
			return STR_NONE;
	if (!bucket.p || store_begin_read(cloud_global(cl), &g) < 0)
		return STR_NONE;
	r = s3_name_read(g, a, bucket, &n);
	store_end(g);
	return r == 0 ? n.region : STR_NONE;
}

const struct service s3_service = {
	.model = &s3_model,
	.principal = "s3.amazonaws.com",
	.open = s3_open,
	.resource = s3_resource,
	.conditions = s3_conditions,
	.denied = s3_denied,
	.body_begin = s3_body_begin,
	.home = s3_home,
	.job = s3_job,
	.front = &s3_front,
	.cfn = s3_cfn,
};
