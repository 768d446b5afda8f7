/* SPDX-License-Identifier: Apache-2.0 */
/* s3_int.h - shared by the files of Amazon S3. Sources: Amazon S3 User Guide and API Reference, Service Authorization
 * Reference.
 *
 * Where things are. In the region's store, all under the empty account (a bucket is found by its name alone):
 *   s3.bucket NAME               struct s3_rec_bucket
 *   s3.obj    BUCKET-ID KEY      the current version of each object that has one which is no delete marker: what listings
 *                                walk. KEY is last and raw, so that prefixes are ranges.
 *   s3.ver    BUCKET-ID KEY ~SEQ noncurrent versions and all delete markers, newest first
 *   s3.null   BUCKET-ID KEY      SEQ of the "null" version when it lies in s3.ver
 *   s3.upload BUCKET-ID KEY ID   multipart uploads in progress
 *   s3.part   ID NUMBER          parts, of uploads and of the objects made of them
 *   s3.file   FILE               how many objects and parts refer to a body's file (store/sealed.h)
 *   s3.body   FILE               the bytes of that file where they are few; then there is no file
 * In the global store, since names are unique across regions:
 *   s3.name   NAME               struct s3_rec_name: who owns the name, and where the bucket is
 *   ACCOUNT s3.own NAME          the same, for ListBuckets */
#pragma once
#include "cloud/cloud.h"
#include "gen_s3.h"
#include "gen_s3_rec.h"
#include "store/sealed.h"
#include "svc/s3/texts.h"

#define S3_KEY_BYTES_MAX 1024
#define S3_PAGE_MAX 1000
#define S3_PARTS_MAX 10000
#define S3_PART_BYTES_MIN (5LL << 20)
#define S3_PUT_BYTES_MAX (5LL << 30)
#define S3_METADATA_BYTES_MAX 2048
#define S3_OBJECT_TAGS_MAX 10
#define S3_TAGS_MAX 50
#define S3_BUCKETS_MAX 10000
#define S3_POLICY_BYTES_MAX 20480
#define S3_SMALL_BYTES_MAX                                                                                                                 \
	16384 /* bodies up to here are kept in the store, not in files: a read is a look-up, a write no sync of its own */
#define S3_HASH_IN_CALL_MAX (16LL << 20) /* what a copy may read to compute a digest: it does so on the region's one writer thread */
#define S3_DAY_MS 86400000LL

/* --- data.c: buckets, objects and their versions in the store --- */
int s3_bucket_read(struct store_txn *t, struct arena *a, struct str name, struct s3_rec_bucket *ret); /* -ENOENT */
int s3_bucket_put(struct store_txn *t, const struct s3_rec_bucket *b);
int s3_bucket_look(struct call *c, struct str name, struct s3_rec_bucket **ret); /* -ENOENT; reads it once in a call */
/* s3_bucket_load finds the bucket that a call names (once in a call); refuses with NoSuchBucket, or PermanentRedirect when
 * it is in another region, and AccessDenied when owner (may be absent) is not its owner. */
int s3_bucket_load(struct call *c, struct str name, struct str owner, struct s3_rec_bucket **ret);
int s3_name_read(struct store_txn *global, struct arena *a, struct str name, struct s3_rec_name *ret); /* -ENOENT */
struct str s3_bucket_arn(struct call *c, struct str bucket);
struct str s3_object_arn(struct call *c, struct str bucket, struct str key);

/* A change under way: files of bodies that nothing refers to any more are removed when it is durable. */
struct s3_change {
	struct store_txn *txn;
	struct arena *arena;
	int64_t now_ms;
	struct str_list files;
	size_t cap;
};
struct s3_change s3_change_of(struct call *c);
void s3_change_on_commit(struct call *c, const struct s3_change *ch); /* once, when all is done */
void s3_change_unlink(struct region *r, const struct s3_change *ch);

int s3_object_current(struct store_txn *t, struct arena *a, const struct s3_rec_bucket *b, struct str key,
		      struct s3_rec_object *ret); /* -ENOENT */
int s3_object_latest(struct store_txn *t, struct arena *a, const struct s3_rec_bucket *b, struct str key,
		     struct s3_rec_object *ret); /* markers too */
/* s3_object_look is s3_object_latest; a call that only reads does so once. key lives as long as the call. */
int s3_object_look(struct call *c, const struct s3_rec_bucket *b, struct str key, struct s3_rec_object *ret);
int s3_object_version(struct store_txn *t, struct arena *a, const struct s3_rec_bucket *b, struct str key, struct str version,
		      struct s3_rec_object *ret);
/* s3_object_insert makes o (an object or a delete marker) the latest version; sets its version and seq. What the bucket's
 * versioning state does not keep is removed. */
int s3_object_insert(struct s3_change *ch, const struct s3_rec_bucket *b, struct str key, struct s3_rec_object *o);
int s3_object_remove(struct s3_change *ch, const struct s3_rec_bucket *b, struct str key, const struct s3_rec_object *o); /* for good */
int s3_object_update(struct store_txn *t, const struct s3_rec_bucket *b, struct str key, const struct s3_rec_object *o);  /* same version */
bool s3_version_valid(struct str version);
void s3_obj_prefix(struct keybuf *k, const struct s3_rec_bucket *b); /* of s3.obj, s3.ver, s3.upload */
void s3_ver_prefix(struct keybuf *k, const struct s3_rec_bucket *b);
void s3_upload_prefix(struct keybuf *k, const struct s3_rec_bucket *b);
int s3_file_ref(struct store_txn *t, struct str file);
int s3_file_unref(struct s3_change *ch, struct str file);
int s3_small_put(struct store_txn *t, struct str file, struct str sealed);
int s3_small_get(struct store_txn *t, struct str file, struct str *ret_view); /* -ENOENT: it is in a file */
void s3_part_prefix(struct keybuf *k, struct str upload);
void s3_part_key(struct keybuf *k, struct str upload, int64_t number);
int s3_parts_drop(struct s3_change *ch, struct str upload);   /* all parts with their files */
struct str s3_time_id(struct arena *a, int64_t ms, size_t n); /* random, sorts by time */

/* s3_find_object loads the version that a read asks for and refuses as S3 does when there is none: NoSuchKey or AccessDenied,
 * NoSuchVersion, MethodNotAllowed for a marker. */
int s3_find_object(struct call *c, const struct s3_rec_bucket *b, struct str key, struct str version, struct s3_rec_object *ret);

/* --- body.c: bodies, encrypted in their files --- */
int s3_files_open(struct region *r, struct store_txn *t); /* opens and sweeps */
struct files *s3_files(struct region *r);

enum s3_sum { S3_SUM_CRC32, S3_SUM_CRC32C, S3_SUM_CRC64NVME, S3_SUM_SHA1, S3_SUM_SHA256, S3_SUMS };
extern const char *const s3_sum_names[S3_SUMS];
int s3_sum_kind(struct str name); /* enum s3_sum, or -ENOTSUP */

struct s3_sink { /* a body that is coming in */
	struct body b;
	struct files *files;
	struct sealed_writer *writer;
	uint8_t file_key[32];
	struct str small; /* the sealed bytes of a small body, which goes into the store; absent: it is in its file. The writer's */
	uint64_t total, total_max;
	struct hash *md5, *sum, *crc64;
	int kind;                        /* enum s3_sum of sum, or -1: only CRC64NVME, which S3 computes where the client sends none */
	bool trailer;                    /* the checksum comes behind the body */
	bool finished;                   /* the file has its name */
	bool kept;                       /* a commit refers to the file */
	char want_sum[64], want_md5[32]; /* base64 as the client said; empty: nothing */
	/* results of end: */
	char file[40], sum_text[64], crc64_text[16];
	uint8_t md5_bytes[32]; /* 16 of them */
	const char *bad;       /* what did not match: "CRC32", "Content-MD5"; the handler refuses */
};
struct s3_sink *s3_sink_new(struct region *r, uint64_t total_max);
int s3_sink_begin(struct s3_sink *s);
/* s3_sink_verify refuses BadDigest etc. when the body is not what the client said it would be. */
int s3_sink_verify(struct call *c, const struct s3_sink *s);
int s3_sink_store(struct call *c, const struct s3_sink *s); /* puts a small body into the store; a large one is in its file */
void s3_sink_keep(struct call *c, struct s3_sink *s);       /* the file stays when this call commits */

/* One piece of a stored body: bytes from..to (exclusive) of the plaintext in a file. */
struct s3_piece {
	char file[40];
	uint8_t key[32];
	uint64_t size; /* plaintext bytes in the file */
	uint64_t from, to;
	struct str bytes; /* of a small body, which has no file: its sealed bytes, malloc'd; absent otherwise */
};
/* s3_source_new takes pieces (malloc'd), on failure too. -ENOENT: the body was deleted after the caller's snapshot. */
int s3_source_new(struct region *r, struct s3_piece *pieces, size_t n, struct body **ret);

/* --- pins.c --- */
void s3_pin(const struct s3_piece *pieces, size_t n);
void s3_unpin(const struct s3_piece *pieces, size_t n);
void s3_file_remove(struct files *f, struct str file); /* now, or when its last reader is done; logs failure */

/* How the file keys of an object are wrapped. s3_seal_new decides by request and bucket, fills the object's sse members and
 * gives the key-encryption key; s3_seal_open gets it again (KMS Decrypt as the caller). Both refuse as S3 does. */
struct s3_sse_request {
	struct str sse, kms_key, context, customer_algorithm, customer_key;
	struct opt_bool bucket_key;
};
int s3_seal_new(struct call *c, const struct s3_rec_bucket *b, struct str key, const struct s3_sse_request *q, struct s3_rec_object *o,
		uint8_t kek[32]);
int s3_seal_open(struct call *c, const struct s3_rec_object *o, uint8_t kek[32]);
struct str s3_key_wrap(struct arena *a, const uint8_t kek[32], struct str file, const uint8_t file_key[32]);
int s3_key_unwrap(const uint8_t kek[32], struct str file, struct str wrapped, uint8_t file_key[32]); /* -EBADMSG */
/* s3_object_slices lists the files (or parts of them) that make an object's body; s3_slices_cut makes pieces of those that hold
 * bytes from..to (malloc'd; -EBADMSG when a key does not open). */
int s3_object_slices(struct store_txn *t, struct arena *a, const struct s3_rec_object *o, struct s3_rec_part_list *ret);
int s3_slices_cut(struct store_txn *t, const uint8_t kek[32], const struct s3_rec_part_list *l, uint64_t from, uint64_t to,
		  struct s3_piece **ret, size_t *ret_n);
/* s3_object_pieces lists what to read for plaintext bytes from..to of an object; malloc'd, keys in it. */
int s3_object_pieces(struct call *c, const struct s3_rec_object *o, uint64_t from, uint64_t to, struct s3_piece **ret, size_t *ret_n);
void s3_pieces_free(struct s3_piece *p, size_t n);

/* --- objects.c --- */
int s3_body_begin(struct call *c, const struct wire_route *route, struct body **ret);
int s3_key_check(struct call *c, struct str key);
int s3_tags_parse(struct call *c, struct str header, struct s3_rec_tag_list *ret); /* x-amz-tagging */
int s3_tags_check(struct call *c, const struct s3_tag_list *in, size_t max, bool object, struct s3_rec_tag_list *ret);
struct s3_tag_list s3_tags_out(struct arena *a, const struct s3_rec_tag_list *tags);
int s3_storage_class(struct call *c, struct str in, struct str *ret);
int s3_metadata_check(struct call *c, const struct str_map *m);
int s3_write_conditions(struct call *c, const struct s3_rec_bucket *b, struct str key, struct str if_match, struct str if_none_match);
struct str s3_etag(struct arena *a, struct str etag); /* quoted */

/* --- multipart.c --- */
int s3_upload_read(struct call *c, const struct s3_rec_bucket *b, struct str key, struct str id, struct s3_rec_upload *ret); /* -ENOENT */
int s3_upload_load(struct call *c, const struct s3_rec_bucket *b, struct str key, struct str id,
		   struct s3_rec_upload *ret);                                         /* refuses NoSuchUpload */
int s3_part_put(struct s3_change *ch, struct str upload, const struct s3_rec_part *p); /* replaces; its files are referred to */
int s3_part_number_check(struct call *c, int64_t number);

/* --- policy.c --- */
/* s3_policy_now is the bucket's policy as it counts now: a user or role that was deleted appears by its old id, so that a
 * successor of the same name gets nothing. */
struct str s3_policy_now(struct call *c, const struct s3_rec_bucket *b);

/* --- acl.c --- */
struct s3_acl_request {
	struct str acl, full_control, read, read_acp, write, write_acp;
	const struct s3_access_control_policy *policy;
	bool bucket;
};
/* s3_acl_make turns what a request says into grants, refused where ACLs are off or blocked. No grants: private. */
int s3_acl_make(struct call *c, const struct s3_rec_bucket *b, struct str owner, const struct s3_acl_request *q,
		struct s3_rec_grant_list *ret);
bool s3_acl_grants(struct call *c, const struct s3_rec_bucket *b, struct str owner, const struct s3_rec_grant_list *acl,
		   const char *permission);
bool s3_acl_public(const struct s3_rec_grant_list *acl);
struct str s3_canonical(struct arena *a, struct str account);
struct s3_owner *s3_owner(struct arena *a, struct str account);

/* --- lifecycle.c --- */
int s3_job(struct cloud *cl, struct region *r, struct str kind, struct str id, struct str payload);
/* s3_expiration is the x-amz-expiration header of an object, absent when no rule expires it. */
struct str s3_expiration(struct call *c, const struct s3_rec_bucket *b, struct str key, const struct s3_rec_object *o);

/* --- CORS: config.c has the headers of answers, preflight.c answers what is asked before --- */
void s3_cors_headers(struct call *c, const struct s3_rec_bucket *b);
bool s3_cors_fits(struct str pattern, struct str s); /* pattern: one "*" at most */
extern const struct front s3_front;

#define S3_SUM_GET(x, kind)                                                                                                                \
	((kind) == S3_SUM_CRC32       ? &(x)->checksum_crc32                                                                               \
	 : (kind) == S3_SUM_CRC32C    ? &(x)->checksum_crc32_c                                                                             \
	 : (kind) == S3_SUM_CRC64NVME ? &(x)->checksum_crc64_nvme                                                                          \
	 : (kind) == S3_SUM_SHA1      ? &(x)->checksum_sha1                                                                                \
				      : &(x)->checksum_sha256)

#define S3_HANDLER(op, kind) int s3_##op(struct call *c, const struct s3_##op##_request *in, struct s3_##op##_##kind *out)
S3_HANDLER(abort_multipart_upload, output);
S3_HANDLER(complete_multipart_upload, output);
S3_HANDLER(copy_object, output);
S3_HANDLER(create_bucket, output);
S3_HANDLER(create_multipart_upload, output);
S3_HANDLER(delete_bucket, response);
S3_HANDLER(delete_bucket_cors, response);
S3_HANDLER(delete_bucket_encryption, response);
S3_HANDLER(delete_bucket_lifecycle, response);
S3_HANDLER(delete_bucket_ownership_controls, response);
S3_HANDLER(delete_bucket_policy, response);
S3_HANDLER(delete_bucket_replication, response);
S3_HANDLER(delete_bucket_tagging, response);
S3_HANDLER(delete_bucket_website, response);
S3_HANDLER(delete_object, output);
S3_HANDLER(delete_object_tagging, output);
S3_HANDLER(delete_objects, output);
S3_HANDLER(delete_public_access_block, response);
S3_HANDLER(get_bucket_accelerate_configuration, output);
S3_HANDLER(get_bucket_acl, output);
S3_HANDLER(get_bucket_cors, output);
S3_HANDLER(get_bucket_encryption, output);
S3_HANDLER(get_bucket_lifecycle_configuration, output);
S3_HANDLER(get_bucket_location, output);
S3_HANDLER(get_bucket_logging, output);
int s3_get_bucket_notification_configuration(struct call *c, const struct s3_get_bucket_notification_configuration_request *in,
					     struct s3_notification_configuration *out);
S3_HANDLER(get_bucket_ownership_controls, output);
S3_HANDLER(get_bucket_policy, output);
S3_HANDLER(get_bucket_policy_status, output);
S3_HANDLER(get_bucket_replication, output);
S3_HANDLER(get_bucket_request_payment, output);
S3_HANDLER(get_bucket_tagging, output);
S3_HANDLER(get_bucket_versioning, output);
S3_HANDLER(get_bucket_website, output);
S3_HANDLER(get_object, output);
S3_HANDLER(get_object_acl, output);
S3_HANDLER(get_object_attributes, output);
S3_HANDLER(get_object_lock_configuration, output);
S3_HANDLER(get_object_tagging, output);
S3_HANDLER(get_public_access_block, output);
S3_HANDLER(head_bucket, output);
S3_HANDLER(head_object, output);
S3_HANDLER(list_buckets, output);
S3_HANDLER(list_multipart_uploads, output);
S3_HANDLER(list_object_versions, output);
S3_HANDLER(list_objects, output);
S3_HANDLER(list_objects_v2, output);
S3_HANDLER(list_parts, output);
S3_HANDLER(put_bucket_accelerate_configuration, response);
S3_HANDLER(put_bucket_acl, response);
S3_HANDLER(put_bucket_cors, response);
S3_HANDLER(put_bucket_encryption, response);
S3_HANDLER(put_bucket_lifecycle_configuration, output);
S3_HANDLER(put_bucket_logging, response);
S3_HANDLER(put_bucket_notification_configuration, response);
S3_HANDLER(put_bucket_ownership_controls, response);
S3_HANDLER(put_bucket_policy, response);
S3_HANDLER(put_bucket_request_payment, response);
S3_HANDLER(put_bucket_tagging, response);
S3_HANDLER(put_bucket_versioning, response);
S3_HANDLER(put_object, output);
S3_HANDLER(put_object_acl, output);
S3_HANDLER(put_object_tagging, output);
S3_HANDLER(put_public_access_block, response);
S3_HANDLER(upload_part, output);
S3_HANDLER(upload_part_copy, output);

extern const struct cfn_type *const s3_cfn[];
extern const struct cfn_reader s3_bucket_reader, s3_policy_reader;
