/* SPDX-License-Identifier: Apache-2.0 */
/* delete.c - objects and versions are deleted: for good, or behind a delete marker. */
#include "svc/s3/s3_int.h"
#include <errno.h>

struct deleted {
	bool marker;
	struct str version; /* of the marker made, or of the version that went */
};

/* Deleting what is not there succeeds: that is what S3 answers. */
static int delete_one(struct s3_change *ch, const struct s3_rec_bucket *b, struct str key, struct str version, struct deleted *ret)
{
	struct s3_rec_object o;
	int r;

	*ret = (struct deleted){ 0 };
	if (version.p) {
		ret->version = version;
		r = s3_object_version(ch->txn, ch->arena, b, key, version, &o);
		if (r < 0)
			return r == -ENOENT ? 0 : r;
		ret->marker = o.marker.v;
		return s3_object_remove(ch, b, key, &o);
	}
	if (!b->versioning.p) {
		r = s3_object_current(ch->txn, ch->arena, b, key, &o);
		return r < 0 ? (r == -ENOENT ? 0 : r) : s3_object_remove(ch, b, key, &o);
	}
	o = (struct s3_rec_object){ .marker = OPT_BOOL(true), .modified = OPT_TIME(ch->now_ms / 1000 * 1000), .owner = b->account };
	r = s3_object_insert(ch, b, key, &o);
	ret->marker = true;
	ret->version = o.version;
	return r;
}

static int version_fault(struct call *c, struct str version)
{
	if (!version.p || s3_version_valid(version))
		return 0;
	call_extra(c, "ArgumentName", S("versionId"));
	call_extra(c, "ArgumentValue", version);
	return call_fail(c, &s3_err_invalid_argument, "Invalid version id specified");
}

S3_HANDLER(delete_object, output)
{
	struct s3_rec_bucket *b;
	struct s3_change ch = s3_change_of(c);
	struct deleted d;
	int r = s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r == 0)
		r = s3_key_check(c, in->key);
	if (r == 0)
		r = version_fault(c, in->version_id);
	if (r == 0 && (in->if_match_last_modified_time.has || in->if_match_size.has))
		r = call_fail(c, &s3_err_not_implemented, "A header you provided implies functionality that is not implemented");
	if (r == 0 && in->if_match.p)
		r = s3_write_conditions(c, b, in->key, in->if_match, STR_NONE);
	if (r == 0)
		r = delete_one(&ch, b, in->key, in->version_id, &d);
	if (r < 0)
		return r;
	s3_change_on_commit(c, &ch);
	if (d.marker)
		out->delete_marker = OPT_BOOL(true);
	out->version_id = d.version;
	c->status = 204;
	return 0;
}

/* One key of DeleteObjects, authorized by itself. 0 done, 1 refused with *ret_error, negative. */
static int delete_listed(struct call *c, struct s3_change *ch, const struct s3_rec_bucket *b, const struct s3_object_identifier *x,
			 struct deleted *d, struct s3_error *ret_error)
{
	struct str version_id = x->version_id, etag = x->e_tag, resource;
	struct policy_key extra[2];
	size_t n = 0;
	struct s3_rec_object o;
	int may;

	*ret_error =
		(struct s3_error){ .key = x->key, .version_id = x->version_id, .code = S("AccessDenied"), .message = S("Access Denied") };
	if (version_id.p)
		extra[n++] = (struct policy_key){ S("s3:VersionId"), &version_id, 1, false };
	if (etag.p)
		extra[n++] = (struct policy_key){ S("s3:if-match"), &etag, 1, false };
	resource = str_printf(c->arena, "object:%.*s/%.*s", STR(b->name), STR(x->key));
	may = call_may(c, x->version_id.p ? "s3:DeleteObjectVersion" : "s3:DeleteObject", resource, extra, n);
	if (may > 0 && x->e_tag.p && !str_is(x->e_tag, "*"))
		may = call_may(c, "s3:GetObject", resource, NULL, 0);
	if (may <= 0)
		return may < 0 ? may : 1;
	if (x->key.n > S3_KEY_BYTES_MAX || !utf8_valid(x->key)) {
		ret_error->code = S("KeyTooLongError");
		ret_error->message = S("Your key is too long");
		return 1;
	}
	if (x->version_id.p && !s3_version_valid(x->version_id)) {
		ret_error->code = S("NoSuchVersion");
		ret_error->message = S("The specified version does not exist.");
		return 1;
	}
	if (x->e_tag.p) {
		int r = s3_object_current(c->txn, c->arena, b, x->key, &o);

		if (r < 0 && r != -ENOENT)
			return r;
		if (r == -ENOENT || !s3_etag_matches(x->e_tag, o.etag)) {
			ret_error->code = S("PreconditionFailed");
			ret_error->message = S("At least one of the pre-conditions you specified did not hold");
			return 1;
		}
	}
	return delete_one(ch, b, x->key, x->version_id, d);
}

/* DeleteObjects must come with a digest of its list; the one that is given is checked. */
static int check_digest(struct call *c)
{
	struct str md5 = c->http ? http_header(c->http, "content-md5") : STR_NONE, want;
	uint8_t d[16];

	if (!md5.p)
		return 0;
	hash_md5(c->http->body.p ? c->http->body.p : "", c->http->body.n, d);
	if (base64_decode(c->arena, md5, &want) < 0 || want.n != 16)
		return call_fail(c, &s3_err_invalid_digest, "The Content-MD5 you specified was invalid.");
	if (!mem_equal_ct(want.p, d, 16))
		return call_fail(c, &s3_err_bad_digest, "The Content-MD5 you specified did not match what we received.");
	return 0;
}

S3_HANDLER(delete_objects, output)
{
	struct s3_rec_bucket *b;
	struct s3_change ch = s3_change_of(c);
	size_t cap = 0, ecap = 0;
	int r = s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r == 0)
		r = check_digest(c);
	if (r < 0)
		return r;
	if (in->delete->objects.n == 0 || in->delete->objects.n > S3_PAGE_MAX)
		return call_fail(c, &s3_err_malformed_xml,
				 "The XML you provided was not well-formed or did not validate against our published schema");
	for (size_t i = 0; i < in->delete->objects.n; i++) {
		const struct s3_object_identifier *x = &in->delete->objects.v[i];
		struct s3_deleted_object done = { .key = x->key, .version_id = x->version_id };
		struct s3_error error;
		struct deleted d = { 0 };

		if (x->last_modified_time.has || x->size.has)
			return call_fail(c, &s3_err_not_implemented, "A header you provided implies functionality that is not implemented");
		r = delete_listed(c, &ch, b, x, &d, &error);
		if (r < 0)
			return r;
		if (r == 1) {
			vec_push(c->arena, out->errors.v, out->errors.n, ecap) = error;
			continue;
		}
		if (d.marker) {
			done.delete_marker = OPT_BOOL(true);
			done.delete_marker_version_id = d.version;
		}
		if (!in->delete->quiet.v)
			vec_push(c->arena, out->deleted.v, out->deleted.n, cap) = done;
	}
	s3_change_on_commit(c, &ch);
	return 0;
}
