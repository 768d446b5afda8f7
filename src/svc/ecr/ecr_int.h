/* SPDX-License-Identifier: Apache-2.0 */
/* ecr_int.h - shared by the files of Amazon ECR. Sources: Amazon ECR User Guide and API Reference, OCI Distribution
 * Specification 1.1.
 *
 * Where things are, in the region's store, under the registry's account:
 *   ecr.repo   NAME                struct ecr_rec_repository
 *   ecr.layer  REPO-ID DIGEST      struct ecr_rec_layer; its bytes are a file (store/files.h) of the region's ecr folder
 *   ecr.use    REPO-ID LAYER IMAGE which images are made of a layer
 *   ecr.image  REPO-ID DIGEST      struct ecr_rec_image
 *   ecr.text   REPO-ID DIGEST      an image's manifest, sealed
 *   ecr.tag    REPO-ID TAG         the digest a tag stands for
 *   ecr.parent REPO-ID CHILD INDEX which image indexes hold an image
 *   ecr.ref    REPO-ID SUBJECT IMG which images say they are about another one
 *   ecr.preview REPO-ID            struct ecr_rec_preview
 * and without an account:
 *   ecr.file   FILE                how many layers refer to a file
 * A repository's id is random: one that is deleted and made again has nothing of the old one. */
#pragma once
#include "cloud/cloud.h"
#include "gen_ecr.h"
#include "gen_ecr_rec.h"

#define ECR_IMAGES_MAX 100000
#define ECR_IMAGE_TAGS_MAX 1000
#define ECR_TAGS_MAX 50
#define ECR_LAYER_BYTES_MAX (52000ULL << 20)
#define ECR_PART_BYTES_MIN (5 << 20)
#define ECR_MANIFEST_BYTES_MAX (4 << 20)
#define ECR_TOKEN_MS (12LL * 3600 * 1000)
#define ECR_URL_MS (3600LL * 1000)
#define ECR_DAY_MS 86400000LL
#define ECR_UPLOAD_IDLE_MS ECR_DAY_MS

/* --- repos.c --- */
int ecr_repo_read(struct store_txn *t, struct arena *a, struct str account, struct str name, struct ecr_rec_repository *ret); /* -ENOENT */
int ecr_repo_put(struct store_txn *t, const struct ecr_rec_repository *p);
/* ecr_repo_load finds the repository of a call; refuses with RepositoryNotFoundException. registry may be absent. */
int ecr_repo_load(struct call *c, struct str registry, struct str name, struct ecr_rec_repository *ret);
struct str ecr_registry(const struct call *c, struct str registry); /* the registry's account: the caller's when absent */
struct str ecr_arn(struct call *c, struct str account, struct str name);
int ecr_arn_parse(struct call *c, struct str arn, struct str *ret_account, struct str *ret_name); /* -EINVAL */
/* ecr_host is the registry's host name as the caller of this call reaches it: ACCOUNT.dkr.ecr.REGION.SUFFIX[:PORT]. */
struct str ecr_host(struct call *c, struct str account);

/* --- policies.c --- */
struct str ecr_policy_now(struct call *c, const struct ecr_rec_repository *p);

/* --- lifecycle.c --- */
struct ecr_rule {
	int64_t priority;
	enum { ECR_TAGGED, ECR_UNTAGGED, ECR_ANY } status;
	struct str_list prefixes, patterns;
	bool by_count;
	int64_t number; /* images, or days */
};
struct ecr_rules {
	struct ecr_rule *v; /* by priority */
	size_t n;
};
/* ecr_lifecycle_parse reads a lifecycle policy. -EINVAL with a sentence (memory of a). Pure. */
int ecr_lifecycle_parse(struct arena *a, struct str text, struct ecr_rules *ret, struct str *ret_error);
/* ecr_lifecycle_apply says which images the rules expire now. images: of one repository, in any order; those that an index which
 * stays holds are to be left to the caller. ret_rule[i]: index into rules, or -1. Pure. */
void ecr_lifecycle_apply(struct arena *a, const struct ecr_rules *rules, const struct ecr_rec_image *images, size_t n, int64_t now_ms,
			 int *ret_rule);

/* --- lifejob.c --- */
#define ECR_JOB_LIFECYCLE S("ecr/lifecycle")
#define ECR_JOB_SWEEP S("ecr/sweep")
int ecr_job(struct cloud *cl, struct region *r, struct str kind, struct str id, struct str payload);
int64_t ecr_midnight(int64_t now_ms); /* the next one, UTC */
int ecr_job_put(struct store_txn *t, struct str kind, const struct ecr_rec_repository *p, int64_t due_ms);

/* --- data.c: images and layers in the store --- */
/* A change under way: files that nothing refers to any more are removed when it is durable. */
struct ecr_change {
	struct store_txn *txn;
	struct arena *arena;
	const struct ecr_rec_repository *repo;
	struct str_list files;
	size_t cap;
};
void ecr_change_on_commit(struct call *c, const struct ecr_change *ch);
void ecr_change_unlink(struct region *r, const struct ecr_change *ch);
void ecr_key(struct keybuf *k, const struct ecr_rec_repository *p, const char *table, struct str a, struct str b); /* b, a may be absent */
int ecr_image_read(struct store_txn *t, struct arena *a, const struct ecr_rec_repository *p, struct str digest, struct ecr_rec_image *ret);
int ecr_image_put(struct store_txn *t, const struct ecr_rec_repository *p, const struct ecr_rec_image *i);
int ecr_tag_read(struct store_txn *t, struct arena *a, const struct ecr_rec_repository *p, struct str tag, struct str *ret_digest);
int ecr_tag_put(struct store_txn *t, const struct ecr_rec_repository *p, struct str tag, struct str digest);
int ecr_tag_drop(struct ecr_change *ch, struct str tag); /* the tag alone; its image stays */
/* ecr_image_drop removes an image with all its tags, and the layers that no other image of the repository is made of. */
int ecr_image_drop(struct ecr_change *ch, const struct ecr_rec_image *i);
/* ecr_any_key says whether the table has a key that begins with these parts: 1, 0; the last part of the first one in *ret (may be NULL). */
int ecr_any_key(struct store_txn *t, struct arena *a, const struct ecr_rec_repository *p, const char *table, struct str part,
		struct str *ret);
int ecr_layer_read(struct store_txn *t, struct arena *a, const struct ecr_rec_repository *p, struct str digest, struct ecr_rec_layer *ret);
int ecr_layer_put(struct store_txn *t, const struct ecr_rec_repository *p,
		  const struct ecr_rec_layer *l); /* a new one: refers to its file */
int ecr_layer_drop(struct ecr_change *ch, const struct ecr_rec_layer *l);
/* ecr_each calls fn with each value of a table of the repository. fn must not write. 1 from it stops. */
int ecr_each(struct store_txn *t, const struct ecr_rec_repository *p, const char *table, struct str after,
	     int (*fn)(void *arg, struct str last_part, struct str value, struct str key), void *arg);

/* --- seal.c: the keys of layers and manifests --- */
/* ecr_seal_new gives a key-encryption key: derived from the master key (AES256), or a data key of KMS, sealed in *ret_data_key.
 * Refuses with KmsException. ecr_seal_open gets it again: -EACCES with the reason when KMS does not (no refusal). */
int ecr_seal_new(struct call *c, const struct ecr_rec_repository *p, uint8_t kek[32], struct str *ret_data_key);
int ecr_seal_open(struct call *c, const struct ecr_rec_repository *p, struct str data_key, uint8_t kek[32], struct str *ret_why);
struct str ecr_wrap(struct arena *a, const uint8_t kek[32], struct str name, struct str plain);
int ecr_unwrap(struct arena *a, const uint8_t kek[32], struct str name, struct str sealed, struct str *ret); /* -EBADMSG */
/* ecr_key_attach makes ECR able to use the repository's KMS key: a grant by the caller. Refuses with KmsException. */
int ecr_key_attach(struct call *c, struct ecr_rec_repository *p);
void ecr_key_detach(struct call *c, const struct ecr_rec_repository *p);

/* --- uploads.c: layers on their way in; only in memory, so a restart forgets them and clients start over --- */
struct ecr_upload;
int ecr_files_open(struct region *r, struct store_txn *t);
struct files *ecr_files(struct region *r);
/* ecr_upload_begin: -EBUSY: too many are under way. */
int ecr_upload_begin(struct call *c, const struct ecr_rec_repository *p, struct str *ret_id);
/* ecr_upload_take finds the caller's upload into this repository for use by this thread alone; give it back with ecr_upload_give.
 * -ENOENT: none such, or somebody else's; -EBUSY: in use. */
int ecr_upload_take(struct region *r, const struct ecr_rec_repository *p, const struct principal *who, struct str id,
		    struct ecr_upload **ret);
void ecr_upload_give(struct ecr_upload *u);
void ecr_upload_drop(struct ecr_upload *u);                   /* taken: ends it and removes what came in */
int ecr_upload_write(struct ecr_upload *u, struct str piece); /* -EFBIG, -ENOSPC; -EINVAL: it is complete already */
uint64_t ecr_upload_bytes(const struct ecr_upload *u);
/* ecr_upload_finish makes the bytes durable as a file of *ret's name, size and digest; may be called again. */
struct ecr_uploaded {
	char file[40], digest[80];
	uint64_t bytes;
	uint8_t key[32];
};
int ecr_upload_finish(struct ecr_upload *u, const struct ecr_uploaded **ret);
void ecr_upload_keep(struct call *c,
		     struct ecr_upload *u); /* taken: ends it when the call commits, and the file stays; given back if not */
/* ecr_upload_mount makes the upload mean a layer that another repository of the registry has; absent: no more. */
void ecr_upload_mount(struct ecr_upload *u, struct str repo, struct str digest);
bool ecr_upload_mounted(const struct ecr_upload *u, struct str *ret_repo, struct str *ret_digest);
void ecr_uploads_reap(struct region *r, int64_t now_ms);

/* --- layers.c --- */
/* ecr_layer_open gives the bytes from..to of a layer. Refuses with LayerInaccessibleException. -ENOENT: deleted meanwhile. */
int ecr_layer_open(struct call *c, const struct ecr_rec_repository *p, const struct ecr_rec_layer *l, uint64_t from, uint64_t to,
		   struct body **ret);
/* ecr_url_open reads the secret part of a layer's download URL. -EACCES: forged or expired. */
int ecr_url_open(struct call *c, struct str secret, struct str *ret_account, struct str *ret_repo, struct str *ret_digest);

/* --- images.c --- */
/* ecr_image_text gives an image's manifest. -EACCES: KMS does not open it. */
int ecr_image_text(struct call *c, const struct ecr_rec_repository *p, const struct ecr_rec_image *i, struct str *ret);

/* ecr_image_find finds what a request names; else *ret_code is ECR's code of the failure, with its reason. */
int ecr_image_find(struct call *c, const struct ecr_rec_repository *p, const struct ecr_image_identifier *id, struct ecr_rec_image *ret,
		   const char **ret_code, const char **ret_reason);

/* --- manifest.c: pure --- */
struct ecr_manifest {
	struct str media_type, artifact_type, subject;
	struct ecr_rec_part_list layers; /* the config, then the layers */
	struct str_list children;        /* of an index */
	struct str_map annotations;
	int64_t size; /* of the layers, without the config */
};
int ecr_manifest_parse(struct arena *a, struct str text, struct str media_type, struct ecr_manifest *ret,
		       struct str *ret_error); /* -EINVAL */
bool ecr_tag_valid(struct str tag);
bool ecr_digest_valid(struct str digest); /* sha256:HEX */

/* --- token.c --- */
int ecr_token_make(struct call *c, int64_t expires_ms, struct str *ret_password);
/* ecr_token_open finds who a password stands for. -ESTALE: expired; -EACCES: not one of ours, of another region, or its key is gone. */
int ecr_token_open(struct cloud *cl, struct region *r, struct store_txn *global, struct str password, int64_t now_ms, struct arena *a,
		   struct principal *ret);

extern const struct front ecr_front;

#define ECR_HANDLER(op) int ecr_##op(struct call *c, const struct ecr_##op##_request *in, struct ecr_##op##_response *out)
ECR_HANDLER(batch_check_layer_availability);
ECR_HANDLER(batch_delete_image);
ECR_HANDLER(batch_get_image);
ECR_HANDLER(complete_layer_upload);
ECR_HANDLER(create_repository);
ECR_HANDLER(delete_lifecycle_policy);
ECR_HANDLER(delete_repository);
ECR_HANDLER(delete_repository_policy);
ECR_HANDLER(describe_image_scan_findings);
ECR_HANDLER(describe_images);
ECR_HANDLER(describe_repositories);
ECR_HANDLER(get_authorization_token);
ECR_HANDLER(get_download_url_for_layer);
ECR_HANDLER(get_lifecycle_policy);
ECR_HANDLER(get_lifecycle_policy_preview);
ECR_HANDLER(get_repository_policy);
ECR_HANDLER(initiate_layer_upload);
ECR_HANDLER(list_image_referrers);
ECR_HANDLER(list_images);
ECR_HANDLER(list_tags_for_resource);
ECR_HANDLER(put_image);
ECR_HANDLER(put_image_scanning_configuration);
ECR_HANDLER(put_image_tag_mutability);
ECR_HANDLER(put_lifecycle_policy);
ECR_HANDLER(set_repository_policy);
ECR_HANDLER(start_lifecycle_policy_preview);
ECR_HANDLER(tag_resource);
ECR_HANDLER(untag_resource);
ECR_HANDLER(upload_layer_part);

extern const struct cfn_type *const ecr_cfn[];
extern const struct cfn_reader ecr_repository_reader;
