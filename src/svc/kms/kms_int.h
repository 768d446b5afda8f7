/* SPDX-License-Identifier: Apache-2.0 */
/* kms_int.h - shared by the files of the KMS service. Sources: AWS KMS Developer Guide and API Reference. */
#pragma once
#include "cloud/cloud.h"
#include "gen_kms.h"
#include "gen_kms_rec.h"

#define KMS_KEY_BYTES 32
#define KMS_ON_DEMAND_ROTATIONS_MAX 25
#define KMS_ROTATION_DAYS 365
#define KMS_GRANTS_PER_KEY_MAX 50000
#define KMS_DAY_MS 86400000LL

/* --- keys.c: records --- */
/* kms_key_load finds a key by id, key ARN, alias name or alias ARN. aliases: whether alias forms are taken. Refuses with
 * NotFoundException or InvalidArnException. */
int kms_key_load(struct call *c, struct str id, bool aliases, struct kms_rec_key *ret);
int kms_key_read(struct store_txn *t, struct arena *a, struct str account, struct str id, struct kms_rec_key *ret); /* -ENOENT */
int kms_key_put(struct store_txn *t, const struct kms_rec_key *k);
/* kms_key_authorized: the key that authorization has just loaded for this id, from the same snapshot. Only for calls that
 * change no key. */
bool kms_key_authorized(const struct call *c, struct str id, struct kms_rec_key *ret);
/* kms_foreign refuses what is another account's, whether it exists or not, in the same words. */
int kms_foreign(struct call *c, const char *action, struct str arn);
/* kms_customer_key loads a key that is to be changed by hand: refuses one that AWS manages. No aliases. */
int kms_customer_key(struct call *c, struct str id, struct kms_rec_key *ret);
/* kms_key_usable refuses a disabled key or one that waits for deletion. */
int kms_key_usable(struct call *c, const struct kms_rec_key *k);
int kms_key_not_pending(struct call *c, const struct kms_rec_key *k);
int kms_key_make(struct call *c, struct kms_rec_key *k); /* fills id, ARN and first key material of a new key, and stores it */
int kms_version_add(struct cloud *cl, struct arena *a, struct kms_rec_key *k, const char *kind, int64_t now_ms);
int kms_alias_read(struct store_txn *t, struct arena *a, struct str account, struct str name, struct kms_rec_alias *ret);
int kms_alias_put(struct call *c, const struct kms_rec_alias *al);
int kms_aliases_drop(struct store_txn *t, struct arena *a, const struct kms_rec_key *k);
struct str kms_alias_arn(struct call *c, struct str name);
int kms_alias_names(struct store_txn *t, struct arena *a, const struct kms_rec_key *k, struct str_list *ret);
struct kms_key_metadata *kms_metadata(struct call *c, const struct kms_rec_key *k);
int kms_policy_check(struct call *c, const struct kms_rec_key *k, struct str text, bool bypass_lockout);
void kms_tags_set(struct arena *a, struct str_map *m, struct str key, struct str value);

/* --- crypt.c --- */
/* kms_blob_key finds the key that made a ciphertext. -EBADMSG: not one of our ciphertexts. */
int kms_blob_key(struct call *c, struct str blob, struct kms_rec_key *ret);

/* --- grants.c --- */
bool kms_granted(struct call *c, const struct kms_rec_key *k, const char *operation, const struct str_map *context);
int kms_grant_by_token(struct call *c, struct str token, struct kms_rec_grant *ret);
int kms_grant_read(struct call *c, const struct kms_rec_key *k, struct str grant_id, struct kms_rec_grant *ret);
bool kms_may_retire(const struct call *c, const struct kms_rec_grant *g);
int kms_grants_drop(struct store_txn *t, struct arena *a, const struct kms_rec_key *k);

/* --- rotation.c --- */
int kms_job(struct cloud *cl, struct region *r, struct str kind, struct str id, struct str payload);

#define KMS_HANDLER(op) int kms_##op(struct call *c, const struct kms_##op##_request *in, struct kms_##op##_response *out)
KMS_HANDLER(create_key);
KMS_HANDLER(describe_key);
KMS_HANDLER(list_keys);
KMS_HANDLER(get_key_policy);
KMS_HANDLER(put_key_policy);
KMS_HANDLER(list_key_policies);
KMS_HANDLER(tag_resource);
KMS_HANDLER(untag_resource);
KMS_HANDLER(list_resource_tags);
KMS_HANDLER(enable_key);
KMS_HANDLER(disable_key);
KMS_HANDLER(update_key_description);
KMS_HANDLER(create_alias);
KMS_HANDLER(update_alias);
KMS_HANDLER(delete_alias);
KMS_HANDLER(list_aliases);
KMS_HANDLER(encrypt);
KMS_HANDLER(decrypt);
KMS_HANDLER(re_encrypt);
KMS_HANDLER(generate_data_key);
KMS_HANDLER(generate_data_key_without_plaintext);
KMS_HANDLER(generate_random);
KMS_HANDLER(create_grant);
KMS_HANDLER(list_grants);
int kms_list_retirable_grants(struct call *c, const struct kms_list_retirable_grants_request *in, struct kms_list_grants_response *out);
KMS_HANDLER(revoke_grant);
KMS_HANDLER(retire_grant);
KMS_HANDLER(enable_key_rotation);
KMS_HANDLER(disable_key_rotation);
KMS_HANDLER(get_key_rotation_status);
KMS_HANDLER(rotate_key_on_demand);
KMS_HANDLER(list_key_rotations);
KMS_HANDLER(schedule_key_deletion);
KMS_HANDLER(cancel_key_deletion);

extern const struct cfn_type *const kms_cfn[];
extern const struct cfn_reader kms_key_reader, kms_alias_reader;
