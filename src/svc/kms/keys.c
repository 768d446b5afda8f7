/* SPDX-License-Identifier: Apache-2.0 */
/* keys.c - KMS keys: their records, lookup, policies, tags and state.
 *
 * Keys are stored under their owner's account. Key material is sealed under the cloud's master key before it is stored
 * and exists in the clear only inside one call. */
#include "cloud/front.h"
#include "svc/kms/kms_int.h"
#include <errno.h>

static void key_of(struct keybuf *k, struct str account, struct str id)
{
	key_begin(k, account, "kms.key");
	key_str(k, id);
}

int kms_key_read(struct store_txn *t, struct arena *a, struct str account, struct str id, struct kms_rec_key *ret)
{
	struct keybuf k;

	key_of(&k, account, id);
	return record_get(t, &kms_records, KMS_REC_KEY, a, &k, ret);
}

int kms_key_put(struct store_txn *t, const struct kms_rec_key *rec)
{
	struct keybuf k;

	key_of(&k, rec->account, rec->id);
	return record_put(t, &kms_records, KMS_REC_KEY, &k, rec);
}

int kms_foreign(struct call *c, const char *action, struct str arn)
{
	return call_fail(c, &aws_err_access_denied_exception,
			 "User: %.*s is not authorized to perform: %s on resource: %.*s because the resource does not exist in this "
			 "Region, no resource-based policies allow "
			 "access, or a resource-based policy explicitly denies access",
			 STR(c->who->p.arn.p ? c->who->p.arn : c->who->name), action, STR(arn));
}

static int no_key(struct call *c, struct str account, struct str arn)
{
	if (!str_eq(account, c->account))
		return kms_foreign(c, str_printf(c->arena, "kms:%s", c->op->name).p, arn);
	return call_fail(c, &kms_err_not_found, "Key '%.*s' does not exist", STR(arn));
}

/* The key of an AWS service ("alias/aws/s3") is made when the service first needs it for this account. It may be used by
 * everyone in the account, but only through that service. Source: "AWS managed keys" and their key policies. */
static int make_managed(struct call *c, struct str name, struct kms_rec_key *k)
{
	struct str service = str_skip(name, 10);
	struct kms_rec_alias al = { .name = name, .created = OPT_TIME(c->now_ms), .updated = OPT_TIME(c->now_ms) };
	int r;

	*k = (struct kms_rec_key){ .aws_managed = OPT_BOOL(true) };
	k->description = str_printf(c->arena, "Default key that protects my %.*s data when no other key is defined", STR(service));
	k->policy = str_printf(c->arena,
			       "{\"Version\":\"2012-10-17\",\"Id\":\"auto-%.*s-2\",\"Statement\":[{\"Sid\":\"Allow access through the "
			       "service for all principals in the "
			       "account that are authorized to use "
			       "it\",\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"*\"},\"Action\":[\"kms:Encrypt\",\"kms:Decrypt\","
			       "\"kms:ReEncrypt*\",\"kms:GenerateDataKey*\",\"kms:CreateGrant\",\"kms:DescribeKey\"],\"Resource\":\"*\","
			       "\"Condition\":{\"StringEquals\":"
			       "{\"kms:CallerAccount\":\"%.*s\",\"kms:ViaService\":\"%.*s.%.*s.amazonaws.com\"}}},{\"Sid\":\"Allow direct "
			       "access to key metadata to the "
			       "account\",\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:%.*s:iam::%.*s:root\"},\"Action\":[\"kms:"
			       "Describe*\",\"kms:Get*\",\"kms:List*\"],"
			       "\"Resource\":\"*\"}]}",
			       STR(service), STR(c->account), STR(service), STR(call_region(c)), STR(region_partition(call_region(c))),
			       STR(c->account));
	k->rotation = OPT_BOOL(true);
	r = kms_key_make(c, k);
	if (r < 0)
		return r;
	al.target = k->id;
	return kms_alias_put(c, &al);
}

static int by_alias(struct call *c, struct str account, struct str name, struct kms_rec_key *ret)
{
	struct kms_rec_alias al;
	int r = kms_alias_read(c->txn, c->arena, account, name, &al);

	if (r == -ENOENT && str_starts(name, S("alias/aws/")) && name.n > 10 && c->facts.invoked_by.p && str_eq(account, c->account) &&
	    store_txn_writable(c->txn))
		return make_managed(c, name, ret);
	if (r == -ENOENT) {
		struct str arn = str_printf(c->arena, "arn:%.*s:kms:%.*s:%.*s:%.*s", STR(region_partition(call_region(c))),
					    STR(call_region(c)), STR(account), STR(name));

		return str_eq(account, c->account) ? call_fail(c, &kms_err_not_found, "Alias %.*s is not found.", STR(arn))
						   : no_key(c, account, arn);
	}
	return r < 0 ? r : kms_key_read(c->txn, c->arena, account, al.target, ret);
}

int kms_key_load(struct call *c, struct str id, bool aliases, struct kms_rec_key *ret)
{
	struct str account = c->account, name = id;
	struct arn arn;
	int r;

	if (str_starts(id, S("arn:"))) {
		if (arn_parse(id, &arn) < 0 || !str_is(arn.service, "kms"))
			return call_fail(c, &kms_err_invalid_arn, "Invalid arn %.*s", STR(id));
		if (!str_eq(arn.region, call_region(c)))
			return call_fail(c, &kms_err_not_found, "Invalid arn %.*s", STR(arn.region));
		account = arn.account;
		name = str_starts(arn.resource, S("key/")) ? str_skip(arn.resource, 4) : arn.resource;
	}
	if (str_starts(name, S("alias/"))) {
		if (!aliases)
			return call_fail(c, &kms_err_invalid_arn, "Invalid keyId %.*s", STR(id));
		return by_alias(c, account, name, ret);
	}
	r = kms_key_read(c->txn, c->arena, account, name, ret);
	if (r == -ENOENT)
		return no_key(c, account,
			      str_printf(c->arena, "arn:%.*s:kms:%.*s:%.*s:key/%.*s", STR(region_partition(call_region(c))),
					 STR(call_region(c)), STR(account), STR(name)));
	return r;
}

int kms_key_not_pending(struct call *c, const struct kms_rec_key *k)
{
	if (str_is(k->state, "PendingDeletion"))
		return call_fail(c, &kms_err_kms_invalid_state, "%.*s is pending deletion.", STR(k->arn));
	return 0;
}

int kms_key_usable(struct call *c, const struct kms_rec_key *k)
{
	int r = kms_key_not_pending(c, k);

	if (r < 0)
		return r;
	if (str_is(k->state, "Disabled"))
		return call_fail(c, &kms_err_disabled, "%.*s is disabled.", STR(k->arn));
	return 0;
}

int kms_customer_key(struct call *c, struct str id, struct kms_rec_key *ret)
{
	int r = kms_key_load(c, id, false, ret);

	if (r == 0 && ret->aws_managed.v)
		return call_fail(c, &aws_err_access_denied_exception, "The request is rejected because the key %.*s is managed by AWS.",
				 STR(ret->arn));
	return r;
}

/* --- making keys --- */
int kms_version_add(struct cloud *cl, struct arena *a, struct kms_rec_key *k, const char *kind, int64_t now_ms)
{
	struct kms_rec_key_version *v = arena_array(a, struct kms_rec_key_version, k->versions.n + 1), *nv = &v[k->versions.n];
	uint8_t material[KMS_KEY_BYTES], wrap[32], *sealed = arena_alloc(a, SEAL_NONCE_BYTES + KMS_KEY_BYTES + SEAL_TAG_BYTES);
	int r;

	if (k->versions.n)
		memcpy(v, k->versions.v, k->versions.n * sizeof *v);
	random_bytes(material, sizeof material);
	random_bytes(sealed, SEAL_NONCE_BYTES);
	cloud_master_key(cl, "kms", wrap);
	r = aes_gcm_seal(wrap, sealed, str_printf(a, "%.*s#%zu", STR(k->arn), k->versions.n), str_of((char *)material, sizeof material),
			 sealed + SEAL_NONCE_BYTES);
	mem_wipe(material, sizeof material);
	mem_wipe(wrap, sizeof wrap);
	if (r < 0)
		return r;
	nv->number = OPT_INT((int64_t)k->versions.n);
	nv->sealed = str_of((char *)sealed, SEAL_NONCE_BYTES + KMS_KEY_BYTES + SEAL_TAG_BYTES);
	nv->created = OPT_TIME(now_ms);
	nv->kind = str_c(kind);
	nv->material_id = random_hex(a, 64);
	k->versions.v = v;
	k->versions.n++;
	return 0;
}

int kms_key_make(struct call *c, struct kms_rec_key *k)
{
	int r;

	k->account = c->account;
	k->id = random_uuid(c->arena);
	k->arn = call_arn(c, "kms", "key/%.*s", STR(k->id));
	k->state = S("Enabled");
	k->created = OPT_TIME(c->now_ms);
	k->rotation_days = OPT_INT(KMS_ROTATION_DAYS);
	r = kms_version_add(c->cloud, c->arena, k, "CREATED", c->now_ms);
	return r < 0 ? r : kms_key_put(c->txn, k);
}

/* A policy must parse, and (unless bypassed) leave its maker able to change it again. Source: "Key policies in AWS KMS",
 * "PutKeyPolicy". */
int kms_policy_check(struct call *c, const struct kms_rec_key *k, struct str text, bool bypass_lockout)
{
	struct policy *p;
	struct str why;
	struct policy_request q = { .action = S("kms:PutKeyPolicy"),
				    .resource = k->arn,
				    .resource_account = c->account,
				    .principal = &c->who->p,
				    .rule = RESOURCE_POLICY_REQUIRED };
	struct key_set keys = { 0 };
	struct policy_result d;

	if (policy_parse(c->arena, text, POLICY_RESOURCE, &p, &why) < 0)
		return call_fail(c, &kms_err_malformed_policy_document, "%.*s", STR(why));
	if (bypass_lockout)
		return 0;
	q.resource_policy = (struct policy_named){ p, S("key policy") };
	if (cloud_identity(c->cloud) && c->who->p.type != PRINCIPAL_SERVICE && c->who->p.type != PRINCIPAL_ANONYMOUS) {
		int r = cloud_identity(c->cloud)->policies(c, c->who, &q);

		if (r < 0)
			return r;
	}
	call_keys(c, "kms:PutKeyPolicy", &keys);
	q.keys = keys.v;
	q.n_keys = keys.n;
	d = policy_evaluate(&q, c->arena);
	if (d.decision != DECISION_ALLOW)
		return call_fail(c, &kms_err_malformed_policy_document,
				 "The new key policy will not allow you to update the key policy in the future.");
	return 0;
}

static struct str default_policy(struct call *c)
{
	return str_printf(c->arena,
			  "{\n  \"Version\" : \"2012-10-17\",\n  \"Id\" : \"key-default-1\",\n  \"Statement\" : [ {\n    \"Sid\" : "
			  "\"Enable IAM User Permissions\",\n"
			  "    \"Effect\" : \"Allow\",\n    \"Principal\" : {\n      \"AWS\" : \"arn:%.*s:iam::%.*s:root\"\n    },\n    "
			  "\"Action\" : \"kms:*\",\n"
			  "    \"Resource\" : \"*\"\n  } ]\n}",
			  STR(region_partition(call_region(c))), STR(c->account));
}

static int unsupported(struct call *c, const struct kms_create_key_request *in)
{
	struct str spec = in->key_spec.p ? in->key_spec : in->customer_master_key_spec;

	if (in->key_spec.p && in->customer_master_key_spec.p)
		return call_fail(
			c, &aws_err_validation_exception,
			"You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.");
	if (spec.p && !str_is(spec, "SYMMETRIC_DEFAULT"))
		return call_fail(c, &kms_err_unsupported_operation, "KeySpec %.*s is not implemented by this cloud.", STR(spec));
	if (in->key_usage.p && !str_is(in->key_usage, "ENCRYPT_DECRYPT"))
		return call_fail(c, &aws_err_validation_exception, "KeyUsage %.*s is not compatible with KeySpec SYMMETRIC_DEFAULT",
				 STR(in->key_usage));
	if (in->origin.p && !str_is(in->origin, "AWS_KMS"))
		return call_fail(c, &kms_err_unsupported_operation, "Origin %.*s is not implemented by this cloud.", STR(in->origin));
	if (in->custom_key_store_id.p || in->xks_key_id.p)
		return call_fail(c, &kms_err_unsupported_operation, "Custom key stores are not implemented by this cloud.");
	if (in->multi_region.v)
		return call_fail(c, &kms_err_unsupported_operation, "Multi-Region keys are not implemented by this cloud.");
	return 0;
}

void kms_tags_set(struct arena *a, struct str_map *m, struct str key, struct str value)
{
	struct str_pair *v;

	for (size_t i = 0; i < m->n; i++)
		if (str_eq(m->v[i].key, key)) {
			m->v[i].value = value;
			return;
		}
	v = arena_array(a, struct str_pair, m->n + 1);
	if (m->n)
		memcpy(v, m->v, m->n * sizeof *v);
	v[m->n] = (struct str_pair){ key, value };
	m->v = v;
	m->n++;
}

static int add_tags(struct call *c, struct kms_rec_key *k, const struct kms_tag_list *tags)
{
	for (size_t i = 0; i < tags->n; i++) {
		if (str_starts(tags->v[i].tag_key, S("aws:")))
			return call_fail(c, &kms_err_tag, "Tags beginning with aws: are reserved for AWS use");
		for (size_t j = 0; j < i; j++)
			if (str_eq(tags->v[i].tag_key, tags->v[j].tag_key))
				return call_fail(c, &kms_err_tag, "Duplicate tag keys");
		kms_tags_set(c->arena, &k->tags, tags->v[i].tag_key, tags->v[i].tag_value);
	}
	if (k->tags.n > 50)
		return call_fail(c, &kms_err_limit_exceeded, "Too many tags");
	return 0;
}

KMS_HANDLER(create_key)
{
	struct kms_rec_key k = { .description = in->description.p ? in->description : S(""), .policy = in->policy };
	int r = unsupported(c, in);

	if (r == 0)
		r = add_tags(c, &k, &in->tags);
	if (r == 0 && in->policy.p) {
		k.arn = S("*");
		r = kms_policy_check(c, &k, in->policy, in->bypass_policy_lockout_safety_check.v);
	}
	if (r < 0)
		return r;
	if (!k.policy.p)
		k.policy = default_policy(c);
	r = kms_key_make(c, &k);
	if (r == 0)
		out->key_metadata = kms_metadata(c, &k);
	return r;
}

struct kms_key_metadata *kms_metadata(struct call *c, const struct kms_rec_key *k)
{
	struct kms_key_metadata *m = arena_new(c->arena, struct kms_key_metadata);

	m->aws_account_id = k->account;
	m->key_id = k->id;
	m->arn = k->arn;
	m->creation_date = k->created;
	m->enabled = OPT_BOOL(str_is(k->state, "Enabled"));
	m->description = k->description.p ? k->description : S("");
	m->key_usage = S("ENCRYPT_DECRYPT");
	m->key_state = k->state;
	if (str_is(k->state, "PendingDeletion"))
		m->deletion_date = k->deletion;
	m->origin = S("AWS_KMS");
	m->key_manager = k->aws_managed.v ? S("AWS") : S("CUSTOMER");
	m->customer_master_key_spec = m->key_spec = S("SYMMETRIC_DEFAULT");
	m->encryption_algorithms = (struct str_list){ arena_new(c->arena, struct str), 1 };
	m->encryption_algorithms.v[0] = S("SYMMETRIC_DEFAULT");
	m->multi_region = OPT_BOOL(false);
	if (k->versions.n)
		m->current_key_material_id = k->versions.v[k->versions.n - 1].material_id;
	return m;
}

KMS_HANDLER(describe_key)
{
	struct kms_rec_key k;
	int r = kms_key_load(c, in->key_id, true, &k);

	if (r == 0)
		out->key_metadata = kms_metadata(c, &k);
	return r;
}

KMS_HANDLER(list_keys)
{
	size_t limit = in->limit.has ? (size_t)in->limit.v : 100, cap = 0;
	struct store_range range = { 0 };
	struct str after = STR_NONE, key, value, account, table, id;
	struct keybuf k;
	int r;

	key_begin(&k, c->account, "kms.key");
	if (in->marker.p && page_parse(c, in->marker, &after) < 0)
		return call_fail(c, &kms_err_invalid_marker, "Invalid marker");
	r = store_range_open(&range, c->txn, key_view(&k), after, false);
	out->truncated = OPT_BOOL(false);
	out->keys.v = arena_alloc(c->arena, 1);
	while (r == 0 && (r = store_range_next(&range, &key, &value)) == 1) {
		struct str rest = key;

		r = 0;
		if (out->keys.n == limit) {
			out->truncated.v = true;
			out->next_marker = page_token(c, after);
			break;
		}
		after = str_dup(c->arena, key);
		if (key_take_begin(&rest, &account, &table) < 0 || key_take_str(&rest, c->arena, &id) < 0) {
			r = -EBADMSG;
			break;
		}
		struct kms_key_list_entry e = { id, call_arn(c, "kms", "key/%.*s", STR(id)) };
		if (!cap)
			out->keys.v = NULL;
		vec_push(c->arena, out->keys.v, out->keys.n, cap) = e;
	}
	store_range_close(&range);
	return r;
}

KMS_HANDLER(get_key_policy)
{
	struct kms_rec_key k;
	int r = kms_key_load(c, in->key_id, false, &k);

	if (r < 0)
		return r;
	if (in->policy_name.p && !str_is(in->policy_name, "default"))
		return call_fail(c, &kms_err_not_found, "No such policy exists");
	out->policy = k.policy;
	out->policy_name = S("default");
	return 0;
}

KMS_HANDLER(put_key_policy)
{
	struct kms_rec_key k;
	int r = kms_customer_key(c, in->key_id, &k);

	if (r == 0 && in->policy_name.p && !str_is(in->policy_name, "default"))
		return call_fail(c, &aws_err_validation_exception, "Policy name must be default");
	if (r == 0)
		r = kms_key_not_pending(c, &k);
	if (r == 0)
		r = kms_policy_check(c, &k, in->policy, in->bypass_policy_lockout_safety_check.v);
	if (r < 0)
		return r;
	k.policy = in->policy;
	return kms_key_put(c->txn, &k);
}

KMS_HANDLER(list_key_policies)
{
	struct kms_rec_key k;
	int r = kms_key_load(c, in->key_id, false, &k);

	if (r < 0)
		return r;
	out->policy_names = (struct str_list){ arena_new(c->arena, struct str), 1 };
	out->policy_names.v[0] = S("default");
	out->truncated = OPT_BOOL(false);
	return 0;
}

KMS_HANDLER(tag_resource)
{
	struct kms_rec_key k;
	int r = kms_customer_key(c, in->key_id, &k);

	if (r == 0)
		r = kms_key_not_pending(c, &k);
	if (r == 0)
		r = add_tags(c, &k, &in->tags);
	return r < 0 ? r : kms_key_put(c->txn, &k);
}

KMS_HANDLER(untag_resource)
{
	struct kms_rec_key k;
	struct str_map left = { 0 };
	int r = kms_customer_key(c, in->key_id, &k);

	if (r == 0)
		r = kms_key_not_pending(c, &k);
	if (r < 0)
		return r;
	for (size_t i = 0; i < k.tags.n; i++)
		if (!str_list_has(&in->tag_keys, k.tags.v[i].key))
			kms_tags_set(c->arena, &left, k.tags.v[i].key, k.tags.v[i].value);
	k.tags = left;
	return kms_key_put(c->txn, &k);
}

KMS_HANDLER(list_resource_tags)
{
	struct kms_rec_key k;
	int r = kms_key_load(c, in->key_id, false, &k);
	size_t from = 0, limit = in->limit.has ? (size_t)in->limit.v : 50;
	struct str at;
	uint64_t skip;

	if (r < 0)
		return r;
	if (in->marker.p) {
		if (page_parse(c, in->marker, &at) < 0 || str_to_u64(at, &skip) < 0 || skip > k.tags.n)
			return call_fail(c, &kms_err_invalid_marker, "Invalid marker");
		from = (size_t)skip;
	}
	out->truncated = OPT_BOOL(k.tags.n - from > limit);
	out->tags.n = out->truncated.v ? limit : k.tags.n - from;
	out->tags.v = arena_array(c->arena, struct kms_tag, out->tags.n + 1);
	for (size_t i = 0; i < out->tags.n; i++)
		out->tags.v[i] = (struct kms_tag){ k.tags.v[from + i].key, k.tags.v[from + i].value };
	if (out->truncated.v)
		out->next_marker = page_token(c, str_printf(c->arena, "%zu", from + limit));
	return 0;
}

static int set_state(struct call *c, struct str id, const char *state)
{
	struct kms_rec_key k;
	int r = kms_customer_key(c, id, &k);

	if (r == 0)
		r = kms_key_not_pending(c, &k);
	if (r < 0)
		return r;
	k.state = str_c(state);
	return kms_key_put(c->txn, &k);
}

KMS_HANDLER(enable_key)
{
	return set_state(c, in->key_id, "Enabled");
}

KMS_HANDLER(disable_key)
{
	return set_state(c, in->key_id, "Disabled");
}

KMS_HANDLER(update_key_description)
{
	struct kms_rec_key k;
	int r = kms_customer_key(c, in->key_id, &k);

	if (r == 0)
		r = kms_key_not_pending(c, &k);
	if (r < 0)
		return r;
	k.description = in->description;
	return kms_key_put(c->txn, &k);
}
