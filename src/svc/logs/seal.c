/* SPDX-License-Identifier: Apache-2.0 */
/* seal.c - the keys that chunks of events are sealed under. A group without a KMS key: one derived from the cloud's master key.
 * With one: data keys that KMS gives to the Logs service of this region, with the group's ARN as encryption context, so that
 * the key's policy decides, at the association and again at every use that finds nothing fresh. Opened data keys are kept
 * in memory for five minutes of the cloud's clock; a key that is disabled, or no longer for this service, ends reading and
 * writing then. Source: "Encrypt log data in CloudWatch Logs using AWS KMS" (CloudWatch Logs User Guide). */
#include "gen_kms.h"
#include "svc/logs/logs_int.h"
#include <errno.h>
#include <pthread.h>

#define FRESH_MS (5 * 60000)
#define DATA_KEY_MS 3600000 /* a new data key after this */
#define SLOTS 256

struct slot {
	int64_t id, at_ms;
	uint8_t key[32];
};
static struct slot slots[SLOTS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Data key ids are random over 63 bits: no two groups, regions or clouds share one. */
static bool slot_get(int64_t id, int64_t now_ms, uint8_t key[32])
{
	struct slot *s = &slots[(uint64_t)id % SLOTS];
	bool hit;

	pthread_mutex_lock(&lock);
	hit = s->id == id && now_ms >= s->at_ms && now_ms - s->at_ms < FRESH_MS;
	if (hit)
		memcpy(key, s->key, 32);
	else if (s->id == id)
		mem_wipe(s, sizeof *s);
	pthread_mutex_unlock(&lock);
	return hit;
}

static void slot_put(int64_t id, int64_t now_ms, const uint8_t key[32])
{
	struct slot *s = &slots[(uint64_t)id % SLOTS];

	pthread_mutex_lock(&lock);
	*s = (struct slot){ .id = id, .at_ms = now_ms };
	memcpy(s->key, key, 32);
	pthread_mutex_unlock(&lock);
}

void logs_key_key(struct keybuf *k, struct str account, int64_t group, int64_t id)
{
	key_begin(k, account, "logs.key");
	key_u64(k, (uint64_t)group);
	if (id)
		key_u64(k, (uint64_t)id);
}

/* The newest data key of a group is found through this one. */
static void current_key(struct keybuf *k, struct str account, int64_t group)
{
	key_begin(k, account, "logs.curkey");
	key_u64(k, (uint64_t)group);
}

static int refused(struct call *c, const struct logs_rec_group *g)
{
	return call_fail(c, &logs_err_invalid_parameter,
			 "The specified KMS key does not exist or is not allowed to be used with Arn '%.*s'",
			 STR(logs_group_arn(c, g->name)));
}

/* A call to KMS as the Logs service of the region; key policies may name the service without its region, too. */
static int ask_kms(struct call *c, const struct logs_rec_group *g, const char *op, void *in, void *out)
{
	struct call_facts before = c->facts;
	struct call_error e = { 0 };
	int r;

	c->facts.source_arn = logs_group_arn(c, g->name);
	c->facts.source_account = c->account;
	r = call_invoke_as(c, str_z(c->arena, str_printf(c->arena, "logs.%.*s.amazonaws.com", STR(call_region(c)))), &kms_model, op, in,
			   out, &e);
	if (r < 0 && e.err && strcmp(e.err->code, "AccessDeniedException") == 0) {
		e = (struct call_error){ 0 };
		r = call_invoke_as(c, "logs.amazonaws.com", &kms_model, op, in, out, &e);
	}
	c->facts = before;
	return r < 0 && e.err && e.err->status < 500 ? refused(c, g) : r;
}

static struct str_map context(struct call *c, const struct logs_rec_group *g)
{
	struct str_pair *p = arena_new(c->arena, struct str_pair);

	*p = (struct str_pair){ S("aws:logs:arn"), logs_group_arn(c, g->name) };
	return (struct str_map){ p, 1 };
}

static int new_key(struct call *c, const struct logs_rec_group *g, struct logs_kek *ret)
{
	struct kms_generate_data_key_request in = { .key_id = g->kms_key, .key_spec = S("AES_256"), .encryption_context = context(c, g) };
	struct kms_generate_data_key_response out = { 0 };
	struct logs_rec_data_key d;
	struct keybuf k;
	int r;

	if (!str_starts(g->kms_key, S("arn:")) || str_find(g->kms_key, S(":key/")) < 0)
		return refused(c, g);
	r = ask_kms(c, g, "GenerateDataKey", &in, &out);
	if (r < 0)
		return r;
	if (out.plaintext.n != 32)
		return -EBADMSG;
	ret->id = logs_new_id();
	memcpy(ret->key, out.plaintext.p, 32);
	mem_wipe((char *)(uintptr_t)out.plaintext.p, 32);
	d = (struct logs_rec_data_key){ .key = g->kms_key, .blob = out.ciphertext_blob, .created = OPT_TIME(c->now_ms) };
	logs_key_key(&k, c->account, g->id.v, ret->id);
	r = record_put(c->txn, &logs_records, LOGS_REC_DATA_KEY, &k, &d);
	if (r < 0)
		return r;
	current_key(&k, c->account, g->id.v);
	r = store_put(c->txn, key_view(&k), str_of((const char *)&ret->id, sizeof ret->id));
	if (r == 0)
		slot_put(ret->id, c->now_ms, ret->key);
	return r;
}

int logs_kms_check(struct call *c, const struct logs_rec_group *g)
{
	struct logs_kek kek;
	int r = new_key(c, g, &kek);

	mem_wipe(&kek, sizeof kek);
	return r;
}

static void own_key(struct call *c, const struct logs_rec_group *g, struct logs_kek *ret)
{
	uint8_t master[32];

	cloud_master_key(c->cloud, "logs", master);
	hmac_sha256(master, sizeof master, &g->id.v, sizeof g->id.v, ret->key);
	mem_wipe(master, sizeof master);
	ret->id = 0;
}

static int unwrap(struct call *c, const struct logs_rec_group *g, int64_t id, const struct logs_rec_data_key *d, struct logs_kek *ret)
{
	struct kms_decrypt_request in = { .ciphertext_blob = d->blob, .encryption_context = context(c, g) };
	struct kms_decrypt_response out = { 0 };
	int r;

	ret->id = id;
	if (slot_get(id, c->now_ms, ret->key))
		return 0;
	r = ask_kms(c, g, "Decrypt", &in, &out);
	if (r < 0)
		return r;
	if (out.plaintext.n != 32)
		return -EBADMSG;
	memcpy(ret->key, out.plaintext.p, 32);
	mem_wipe((char *)(uintptr_t)out.plaintext.p, 32);
	slot_put(id, c->now_ms, ret->key);
	return 0;
}

int logs_open_key(struct call *c, const struct logs_rec_group *g, int64_t id, struct logs_kek *ret)
{
	struct logs_rec_data_key d;
	struct keybuf k;
	int r;

	if (id == 0) {
		own_key(c, g, ret);
		return 0;
	}
	logs_key_key(&k, c->account, g->id.v, id);
	r = record_get(c->txn, &logs_records, LOGS_REC_DATA_KEY, c->arena, &k, &d);
	return r == -ENOENT ? -EBADMSG : r < 0 ? r : unwrap(c, g, id, &d, ret);
}

int logs_seal_key(struct call *c, const struct logs_rec_group *g, struct logs_kek *ret)
{
	struct logs_rec_data_key d;
	struct keybuf k;
	struct str v;
	int64_t id;
	int r;

	if (!g->kms_key.p) {
		own_key(c, g, ret);
		return 0;
	}
	current_key(&k, c->account, g->id.v);
	r = store_get(c->txn, key_view(&k), &v);
	if (r == 0 && v.n == sizeof id) {
		memcpy(&id, v.p, sizeof id);
		logs_key_key(&k, c->account, g->id.v, id);
		r = record_get(c->txn, &logs_records, LOGS_REC_DATA_KEY, c->arena, &k, &d);
		if (r == 0 && str_eq(d.key, g->kms_key) && c->now_ms - d.created.ms < DATA_KEY_MS)
			return unwrap(c, g, id, &d, ret);
	}
	return r < 0 && r != -ENOENT ? r : new_key(c, g, ret);
}
