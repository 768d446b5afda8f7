/* SPDX-License-Identifier: Apache-2.0 */
/* buckets.c - buckets come and go.
 *
 * Names are unique across regions, and each region has a store of its own. A name is claimed in the global store, durably,
 * before the bucket is made in its region's store; all creations of this process go one at a time (naming_lock). A claim whose
 * region is up and has no such bucket is left over from a crash or a deletion: it may be taken over. A claim of a stopped
 * region holds. Deleting commits in the region first, then the claim is taken back (it is known by the bucket's id, so that
 * a new claim of the same name is never taken back by mistake). */
#include "svc/s3/lifecycle.h"
#include <errno.h>
#include <pthread.h>

static pthread_mutex_t naming_lock = PTHREAD_MUTEX_INITIALIZER;

static void own_key(struct keybuf *k, struct str account, struct str name)
{
	key_begin(k, account, "s3.own");
	if (name.p)
		key_str(k, name);
}

static void claim_key(struct keybuf *k, struct str name)
{
	key_begin(k, S(""), "s3.name");
	key_str(k, name);
}

static int put_claim(struct store_txn *t, void *arg)
{
	const struct s3_rec_name *n = arg;
	struct keybuf k;
	int r;

	claim_key(&k, n->name);
	r = record_put(t, &s3_records, S3_REC_NAME, &k, n);
	own_key(&k, n->account, n->name);
	return r < 0 ? r : record_put(t, &s3_records, S3_REC_NAME, &k, n);
}

struct making {
	struct call *call;
	struct s3_rec_bucket *bucket;
};

static int put_bucket(struct store_txn *t, void *arg)
{
	struct making *m = arg;
	int r = s3_bucket_put(t, m->bucket);

	return r < 0 ? r : call_also(m->call, t);
}

/* Does the region of a claim really have its bucket? A stopped one is believed. */
static bool claim_holds(struct call *c, const struct s3_rec_name *n)
{
	struct region *r = cloud_region(c->cloud, n->region);
	struct s3_rec_bucket b;
	struct call look;
	bool holds = true;

	if (r && cloud_internal_read(c->cloud, r, c->arena, &look) == 0) {
		int e = s3_bucket_read(look.txn, c->arena, n->name, &b);

		holds = e != -ENOENT && !(e == 0 && n->id.p && !str_eq(b.id, n->id));
		cloud_internal_end(&look);
	}
	return holds;
}

static int count_own(struct store_txn *t, struct str account, size_t max)
{
	struct store_range range = { 0 };
	struct str k, v;
	struct keybuf prefix;
	size_t n = 0;
	int r;

	own_key(&prefix, account, STR_NONE);
	r = store_range_open(&range, t, key_view(&prefix), STR_NONE, false);
	while (r == 0 && n < max && (r = store_range_next(&range, &k, &v)) == 1) {
		n++;
		r = 0;
	}
	store_range_close(&range);
	return r < 0 ? r : (int)n;
}

/* Claims the name and makes the bucket; naming_lock is held. 1: the caller has it already, in us-east-1. */
static int claim(struct call *c, struct s3_rec_bucket *b)
{
	struct s3_rec_name n = { .region = call_region(c), .account = b->account, .created = b->created, .name = b->name, .id = b->id },
			   old;
	struct store_txn *g;
	int r = store_begin_read(cloud_global(c->cloud), &g), owned = 0;

	if (r < 0)
		return r;
	r = s3_name_read(g, c->arena, b->name, &old);
	if (r == -ENOENT)
		owned = count_own(g, b->account, S3_BUCKETS_MAX);
	store_end(g);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0 && claim_holds(c, &old)) {
		call_extra(c, "BucketName", b->name);
		if (!str_eq(old.account, b->account))
			return call_fail(c, &s3_err_bucket_already_exists,
					 "The requested bucket name is not available. The bucket namespace is shared by all users of the "
					 "system. Please select a different name and try again.");
		/* us-east-1 answers its clients so since its beginning; a stack must not take over what is there. */
		if (str_eq(old.region, n.region) && str_is(n.region, "us-east-1") && !c->facts.invoked_by.p)
			return 1;
		return call_fail(c, &s3_err_bucket_already_owned_by_you,
				 "Your previous request to create the named bucket succeeded and you already own it.");
	}
	if (owned >= S3_BUCKETS_MAX)
		return call_fail(c, &s3_err_too_many_buckets, "You have attempted to create more buckets than allowed");
	r = store_write(cloud_global(c->cloud), put_claim, &n);
	return r < 0 ? r : store_write(c->region->store, put_bucket, &(struct making){ c, b });
}

/* Source: CreateBucket, LocationConstraint: it must name the region of the endpoint; us-east-1 has none. */
static int check_location(struct call *c, const struct s3_create_bucket_configuration *conf, struct str *ret)
{
	struct str want = conf ? conf->location_constraint : STR_NONE, here = call_region(c);

	*ret = want;
	if (want.p && !want.n)
		want = STR_NONE;
	if (!want.p && str_is(here, "us-east-1"))
		return 0;
	if (!want.p)
		return call_fail(
			c, &s3_err_illegal_location_constraint_exception,
			"The unspecified location constraint is incompatible for the region specific endpoint this request was sent to.");
	if (str_is(want, "EU") && str_is(here, "eu-west-1"))
		return 0;
	if (str_is(want, "us-east-1"))
		return call_fail(c, &s3_err_invalid_location_constraint, "The specified location-constraint is not valid");
	if (!str_eq(want, here)) {
		if (str_is(here, "us-east-1") && !str_is(want, "EU"))
			return call_fail(
				c, &s3_err_illegal_location_constraint_exception,
				"The %.*s location constraint is incompatible for the region specific endpoint this request was sent to.",
				STR(want));
		return call_fail(c, &s3_err_illegal_location_constraint_exception,
				 "The %.*s location constraint is incompatible for the region specific endpoint this request was sent to.",
				 STR(want));
	}
	return 0;
}

static int refuse_unbuilt(struct call *c, const struct s3_create_bucket_request *in)
{
	const struct s3_create_bucket_configuration *conf = in->create_bucket_configuration;

	if (in->object_lock_enabled_for_bucket.v)
		return call_fail(c, &s3_err_not_implemented, "Object Lock is not implemented by this cloud.");
	if (conf && (conf->location || (conf->bucket && (conf->bucket->type.p || conf->bucket->data_redundancy.p))))
		return call_fail(c, &s3_err_not_implemented, "Directory buckets are not implemented by this cloud.");
	if (in->bucket_namespace.p && !str_is(in->bucket_namespace, "global"))
		return call_fail(c, &s3_err_not_implemented, "Account regional namespaces are not implemented by this cloud.");
	return 0;
}

S3_HANDLER(create_bucket, output)
{
	const struct s3_create_bucket_configuration *conf = in->create_bucket_configuration;
	struct s3_acl_request acl = { in->acl,         in->grant_full_control, in->grant_read, in->grant_read_acp,
				      in->grant_write, in->grant_write_acp,    NULL,           true };
	struct s3_rec_bucket b = { .name = in->bucket, .account = c->account, .created = OPT_TIME(c->now_ms) };
	int r = refuse_unbuilt(c, in);

	if (r < 0)
		return r;
	if (!s3_name_valid(in->bucket)) {
		call_extra(c, "BucketName", in->bucket);
		return call_fail(c, &s3_err_invalid_bucket_name, "The specified bucket is not valid.");
	}
	r = check_location(c, conf, &b.location);
	/* "private" is what every bucket has: only another ACL needs a right of its own. */
	if (r == 0 && in->acl.p && !str_is(in->acl, "private"))
		r = call_authorize(c, "s3:PutBucketAcl", s3_bucket_arn(c, in->bucket), NULL, 0);
	if (r < 0)
		return r;
	b.id = random_hex(c->arena, 16);
	b.ownership = in->object_ownership.p ? in->object_ownership : S("BucketOwnerEnforced");
	b.block_public_acls = b.ignore_public_acls = b.block_public_policy = b.restrict_public_buckets = OPT_BOOL(true);
	if (str_is(b.ownership, "BucketOwnerEnforced") && (acl.full_control.p || acl.read.p || acl.read_acp.p || acl.write.p ||
							   acl.write_acp.p || (acl.acl.p && !str_is(acl.acl, "private"))))
		return call_fail(c, &s3_err_invalid_bucket_acl_with_object_ownership,
				 "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting");
	r = s3_acl_make(c, &b, b.account, &acl, &b.acl);
	if (r == 0 && conf && conf->tags.n) {
		b.tagged = OPT_BOOL(true);
		r = s3_tags_check(c, &conf->tags, S3_TAGS_MAX, false, &b.tags);
	}
	if (r < 0)
		return r;
	if (c->parent)
		return -EROFS; /* it writes to two stores itself: never inside another call's transaction */
	pthread_mutex_lock(&naming_lock);
	r = claim(c, &b);
	pthread_mutex_unlock(&naming_lock);
	if (r < 0)
		return r;
	out->location = str_is(call_region(c), "us-east-1") ? str_printf(c->arena, "/%.*s", STR(in->bucket))
							    : str_printf(c->arena, "http://%.*s.s3.amazonaws.com/", STR(in->bucket));
	out->bucket_arn = s3_bucket_arn(c, in->bucket);
	return 0;
}

/* --- deleting --- */
struct release {
	struct store_job job;
	struct s3_rec_name name; /* malloc'd strings: only what identifies the claim */
	char text[3][80];
};

static int release_run(struct store_job *j, struct store_txn *t)
{
	struct release *x = (struct release *)j;
	struct arena a = { 0 };
	struct s3_rec_name n;
	struct keybuf k;
	int r = s3_name_read(t, &a, x->name.name, &n);

	if (r == 0 && str_eq(n.id, x->name.id)) {
		claim_key(&k, n.name);
		r = store_del(t, key_view(&k));
		own_key(&k, n.account, n.name);
		if (r == 0)
			r = store_del(t, key_view(&k));
	}
	arena_done(&a);
	return r == -ENOENT ? 0 : r;
}

static void release_done(struct store_job *j, int result)
{
	if (result < 0) /* the claim is seen to be left over when somebody wants the name */
		log_line(LOG_WARN, "s3: the name of a deleted bucket is still claimed: %s", strerror(-result));
	free(j);
}

static void release_hook(struct cloud *cl, struct region *r, void *arg)
{
	const struct s3_rec_bucket *b = arg;
	struct release *x = xzalloc(sizeof *x);

	x->job.run = release_run;
	x->job.done = release_done;
	memcpy(x->text[0], b->name.p, b->name.n);
	memcpy(x->text[1], b->id.p, b->id.n);
	x->name.name = str_of(x->text[0], b->name.n);
	x->name.id = str_of(x->text[1], b->id.n);
	store_submit(cloud_global(cl), &x->job);
}

static int is_empty(struct store_txn *t, const struct keybuf *prefix)
{
	struct store_range range = { 0 };
	struct str k, v;
	int r = store_range_open(&range, t, key_view(prefix), STR_NONE, false);

	if (r == 0)
		r = store_range_next(&range, &k, &v);
	store_range_close(&range);
	return r < 0 ? r : r == 0;
}

/* Uploads in progress do not hold a bucket: they end with it. */
static int drop_uploads(struct s3_change *ch, const struct s3_rec_bucket *b)
{
	struct store_range range = { 0 };
	struct str k, v;
	struct keybuf prefix;
	struct str_list ids = { 0 };
	size_t cap = 0;
	int r;

	s3_upload_prefix(&prefix, b);
	r = store_range_open(&range, ch->txn, key_view(&prefix), STR_NONE, false);
	while (r == 0 && (r = store_range_next(&range, &k, &v)) == 1) {
		struct s3_rec_upload u;

		r = record_decode(&s3_records, S3_REC_UPLOAD, ch->arena, v, &u);
		if (r == 0)
			vec_push(ch->arena, ids.v, ids.n, cap) = u.id;
		if (r == 0)
			r = store_del(ch->txn, k);
	}
	store_range_close(&range);
	for (size_t i = 0; i < ids.n && r == 0; i++)
		r = s3_parts_drop(ch, ids.v[i]);
	return r;
}

S3_HANDLER(delete_bucket, response)
{
	struct s3_rec_bucket *b;
	struct s3_change ch = s3_change_of(c);
	struct keybuf k;
	int r = s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b), versions;

	if (r < 0)
		return r;
	s3_obj_prefix(&k, b);
	r = is_empty(c->txn, &k);
	s3_ver_prefix(&k, b);
	versions = is_empty(c->txn, &k);
	if (r < 0 || versions < 0)
		return r < 0 ? r : versions;
	if (!r || !versions) {
		call_extra(c, "BucketName", in->bucket);
		return call_fail(c, &s3_err_bucket_not_empty,
				 versions && !b->versioning.p
					 ? "The bucket you tried to delete is not empty"
					 : "The bucket you tried to delete is not empty. You must delete all versions in the bucket.");
	}
	r = drop_uploads(&ch, b);
	key_begin(&k, S(""), "s3.bucket");
	key_str(&k, b->name);
	if (r == 0)
		r = store_del(c->txn, key_view(&k));
	if (r == 0)
		r = job_del(c->txn, S3_JOB_LIFECYCLE, b->name);
	if (r < 0 && r != -ENOENT)
		return r;
	s3_change_on_commit(c, &ch);
	call_on_commit(c, release_hook, arena_dup(c->arena, b, sizeof *b));
	c->status = 204;
	return 0;
}

/* --- reading --- */
S3_HANDLER(head_bucket, output)
{
	struct s3_rec_bucket *b;
	int r = s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r < 0)
		return r;
	out->bucket_region = call_region(c);
	out->bucket_arn = s3_bucket_arn(c, b->name);
	out->access_point_alias = OPT_BOOL(false);
	return 0;
}

S3_HANDLER(get_bucket_location, output)
{
	struct s3_rec_bucket *b;
	int r = s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r < 0)
		return r;
	if (b->location.p && b->location.n)
		out->location_constraint = b->location;
	return 0;
}

S3_HANDLER(list_buckets, output)
{
	size_t limit = in->max_buckets.has ? (size_t)in->max_buckets.v : 10000, cap = 0;
	struct str after = STR_NONE, k, v;
	struct store_range range = { 0 };
	struct keybuf prefix;
	int r;

	if (in->continuation_token.p && page_parse(c, in->continuation_token, &after) < 0)
		return call_fail(c, &s3_err_invalid_argument, "The continuation token provided is incorrect");
	out->owner = s3_owner(c->arena, c->account);
	out->prefix = in->prefix;
	out->buckets.v = arena_alloc(c->arena, 1);
	own_key(&prefix, c->account, STR_NONE);
	if (in->prefix.p)
		key_raw(&prefix, in->prefix); /* names have no bytes that keys escape */
	r = store_range_open(&range, c->global, key_view(&prefix), after, false);
	while (r == 0 && (r = store_range_next(&range, &k, &v)) == 1) {
		struct str key = str_dup(c->arena, k);
		struct s3_rec_name n;

		r = record_decode(&s3_records, S3_REC_NAME, c->arena, v, &n);
		if (r < 0)
			break;
		if ((in->bucket_region.p && !str_eq(in->bucket_region, n.region)) || !claim_holds(c, &n))
			continue;
		if (out->buckets.n == limit) {
			out->continuation_token = page_token(c, after);
			break;
		}
		after = key;
		if (out->buckets.n == 0)
			out->buckets.v = NULL;
		vec_push(c->arena, out->buckets.v, out->buckets.n, cap) = (struct s3_bucket){
			.name = n.name,
			.creation_date = n.created,
			.bucket_region = in->max_buckets.has || in->prefix.p || in->bucket_region.p || in->continuation_token.p ? n.region
																: STR_NONE,
			.bucket_arn = s3_bucket_arn(c, n.name),
		};
	}
	store_range_close(&range);
	return r < 0 ? r : 0;
}
