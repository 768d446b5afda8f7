/* SPDX-License-Identifier: Apache-2.0 */
/* mfa.c - virtual MFA devices: one-time passwords by time (RFC 6238: HMAC-SHA1, six digits, 30 seconds of the cloud's clock).
 *
 * The seed leaves once, in the answer to CreateVirtualMFADevice, and is kept sealed. A device remembers the last time step whose
 * code it has accepted: that code and those before it are never accepted again. Who guesses is shut out for a while, right code or
 * not. */
#include "svc/iam/guess.h"
#include "svc/iam/ops.h"
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#define SEED_BYTES 40
#define SEED_DIGITS 64 /* base32 */
#define STEP_MS 30000
#define CODE_DIGITS 6
#define SLACK_STEPS 1     /* a code of the step before or after will do */
#define ENABLE_STEPS 10   /* how far a device's clock may be off when it is enabled */
#define RESYNC_STEPS 2880 /* and when it is synchronized again: a day */

/* --- codes --- */

static struct str base32_text(struct arena *a, struct str bytes)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	char *out = arena_alloc(a, SEED_DIGITS);

	for (size_t i = 0; i < SEED_DIGITS; i++) {
		size_t bit = i * 5, at = bit / 8;
		unsigned pair = (unsigned)(uint8_t)bytes.p[at] << 8 | (at + 1 < bytes.n ? (uint8_t)bytes.p[at + 1] : 0);

		out[i] = digits[pair >> (11 - bit % 8) & 31];
	}
	return str_of(out, SEED_DIGITS);
}

/* code_at writes the code of a time step. */
static void code_at(struct str seed, int64_t step, char out[CODE_DIGITS + 1])
{
	uint8_t counter[8], mac[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	uint32_t v;

	for (int i = 0; i < 8; i++)
		counter[i] = (uint8_t)((uint64_t)step >> (8 * (7 - i)));
	if (!HMAC(EVP_sha1(), seed.p, (int)seed.n, counter, sizeof counter, mac, &n))
		abort();
	v = (uint32_t)(mac[mac[19] & 15] & 0x7f) << 24 | (uint32_t)mac[(mac[19] & 15) + 1] << 16 | (uint32_t)mac[(mac[19] & 15) + 2] << 8 |
	    mac[(mac[19] & 15) + 3];
	(void)snprintf(out, CODE_DIGITS + 1, "%06u", v % 1000000);
	mem_wipe(mac, sizeof mac);
}

static bool code_is(struct str seed, int64_t step, struct str code)
{
	char want[CODE_DIGITS + 1];

	code_at(seed, step, want);
	return code.n == CODE_DIGITS && mem_equal_ct(want, code.p, CODE_DIGITS);
}

/* --- devices --- */

static struct str seed_aad(struct arena *a, struct str account, struct str id)
{
	return str_printf(a, "mfa/%.*s/%.*s", STR(account), STR(id));
}

static int seed_open(struct cloud *cl, struct arena *a, struct str account, const struct iam_rec_entity *e, const struct iam_rec_mfa *m,
		     struct str *ret)
{
	return iam_unseal(cl, a, seed_aad(a, account, e->id), m->sealed, ret);
}

static int device_load(struct call *c, struct str serial, struct iam_rec_entity *e, struct iam_rec_mfa *m)
{
	int r = iam_load_arn(c, IAM_MFA, serial, e);

	return r < 0 ? r : iam_more_get(c->txn, c->arena, c->account, IAM_REC_MFA, e->id, m);
}

int iam_create_virtual_mfa_device(struct call *c, const struct iam_create_virtual_mfa_device_request *in,
				  struct iam_create_virtual_mfa_device_response *out)
{
	struct iam_rec_mfa more = { 0 };
	struct iam_rec_entity e;
	struct str_map tags;
	uint8_t seed[SEED_BYTES];
	int r = iam_tags_check(c, &in->tags, &tags);

	if (r == 0)
		r = iam_new(c, IAM_MFA, in->virtual_mfa_device_name, in->path, &e);
	if (r < 0)
		return r;
	random_bytes(seed, sizeof seed);
	e.tags = tags;
	more.sealed = iam_seal(c->cloud, c->arena, seed_aad(c->arena, c->account, e.id), str_of((const char *)seed, sizeof seed));
	out->virtual_mfa_device = arena_new(c->arena, struct iam_virtual_mfa_device);
	out->virtual_mfa_device->serial_number = e.arn;
	out->virtual_mfa_device->base32_string_seed = base32_text(c->arena, str_of((const char *)seed, sizeof seed));
	if (tags.n)
		out->virtual_mfa_device->tags = iam_tags_view(c, &tags);
	mem_wipe(seed, sizeof seed);
	r = iam_insert(c, IAM_MFA, &e);
	return r < 0 ? r : iam_more_put(c, IAM_REC_MFA, e.id, &more);
}

int iam_delete_virtual_mfa_device(struct call *c, const struct iam_delete_virtual_mfa_device_request *in,
				  struct iam_delete_virtual_mfa_device_response *out)
{
	struct iam_rec_entity e;
	struct iam_rec_mfa m;
	int r = device_load(c, in->serial_number, &e, &m);

	if (r < 0)
		return r;
	if (m.user_id.p)
		return call_fail(c, &iam_err_delete_conflict, "MFA VirtualDevice in use. Must deactivate first.");
	r = iam_more_del(c, e.id);
	return r < 0 ? r : iam_remove(c, IAM_MFA, &e);
}

/* matches finds two codes that follow each other, at most so many steps away, behind what was used. 1 found. */
static int find_pair(struct call *c, const struct iam_rec_entity *e, const struct iam_rec_mfa *m, struct str one, struct str two,
		     int64_t most, int64_t *ret)
{
	int64_t now = c->now_ms / STEP_MS;
	struct str seed;
	int r = seed_open(c->cloud, c->arena, c->account, e, m, &seed);

	if (r < 0)
		return r;
	r = 0;
	for (int64_t d = 0; d <= most && !r; d++) { /* the nearest first */
		for (int sign = -1; sign <= 1 && !r; sign += 2) {
			int64_t step = now + sign * d;

			if (step > m->last.v && code_is(seed, step, one) && code_is(seed, step + 1, two)) {
				*ret = step + 1;
				r = 1;
			}
		}
	}
	mem_wipe((char *)(uintptr_t)seed.p, seed.n);
	return r;
}

/* synchronize: the two codes show that the user has the device, and how far its clock is off. */
static int synchronize(struct call *c, const struct iam_rec_entity *e, struct iam_rec_mfa *m, struct str one, struct str two, int64_t most)
{
	int64_t step, drift;
	int r = guess_try(e->id, c->now_ms) ? find_pair(c, e, m, one, two, most, &step) : 0;

	if (r < 0)
		return r;
	if (r == 0)
		return call_fail(c, &iam_err_invalid_authentication_code, "Authentication code for device is not valid.");
	guess_right(e->id);
	m->last = OPT_INT(step);
	drift = step - c->now_ms / STEP_MS;
	m->drift = OPT_INT(drift >= -SLACK_STEPS && drift <= SLACK_STEPS ? 0 : drift); /* who types slowly has no slow clock */
	return iam_more_put(c, IAM_REC_MFA, e->id, m);
}

static int count_devices(struct call *c, struct str user_id)
{
	struct store_range range = { 0 };
	struct keybuf k;
	struct str key, value;
	int n = 0, r;

	iam_key_of(&k, c->account, "iam.usermfa", user_id, STR_NONE);
	r = store_range_open(&range, c->txn, key_view(&k), STR_NONE, false);
	while (r >= 0 && (r = store_range_next(&range, &key, &value)) > 0)
		n++;
	store_range_close(&range);
	return r < 0 ? r : n;
}

int iam_enable_mfa_device(struct call *c, const struct iam_enable_mfa_device_request *in, struct iam_enable_mfa_device_response *out)
{
	struct iam_rec_entity user, e;
	struct iam_rec_mfa m;
	struct keybuf k;
	int n, r = iam_load(c, IAM_USER, in->user_name, &user);

	if (r == 0)
		r = device_load(c, in->serial_number, &e, &m);
	if (r < 0)
		return r;
	if (m.user_id.p)
		return call_fail(c, &iam_err_entity_already_exists, "MFA Device is already in use.");
	n = count_devices(c, user.id);
	if (n < 0)
		return n;
	if (n >= IAM_MFA_PER_USER_MAX)
		return call_fail(c, &iam_err_limit_exceeded, "Cannot exceed quota for MFADevicesPerUser: %d", IAM_MFA_PER_USER_MAX);
	m.user_id = user.id;
	m.enabled = OPT_TIME(c->now_ms - c->now_ms % 1000);
	r = synchronize(c, &e, &m, in->authentication_code1, in->authentication_code2, ENABLE_STEPS);
	if (r < 0)
		return r;
	iam_key_of(&k, c->account, "iam.usermfa", user.id, e.id);
	r = store_put(c->txn, key_view(&k), e.name);
	return r < 0 ? r : iam_count_mfa(c, 1);
}

/* device_of loads a device that is this user's. */
static int device_of(struct call *c, struct str user_name, struct str serial, struct iam_rec_entity *e, struct iam_rec_mfa *m)
{
	struct iam_rec_entity user;
	int r = iam_self(c, user_name, &user);

	if (r == 0)
		r = device_load(c, serial, e, m);
	if (r < 0)
		return r;
	if (!m->user_id.p || !str_eq(m->user_id, user.id))
		return iam_no_entity(c, "MFA Device invalid for user.");
	return 0;
}

int iam_deactivate_mfa_device(struct call *c, const struct iam_deactivate_mfa_device_request *in,
			      struct iam_deactivate_mfa_device_response *out)
{
	struct iam_rec_entity e;
	struct iam_rec_mfa m;
	struct keybuf k;
	int r = device_of(c, in->user_name, in->serial_number, &e, &m);

	if (r < 0)
		return r;
	iam_key_of(&k, c->account, "iam.usermfa", m.user_id, e.id);
	r = store_del(c->txn, key_view(&k));
	m.user_id = STR_NONE;
	m.enabled = (struct opt_time){ 0 };
	if (r == 0)
		r = iam_more_put(c, IAM_REC_MFA, e.id, &m);
	return r < 0 ? r : iam_count_mfa(c, -1);
}

int iam_resync_mfa_device(struct call *c, const struct iam_resync_mfa_device_request *in, struct iam_resync_mfa_device_response *out)
{
	struct iam_rec_entity e;
	struct iam_rec_mfa m;
	int r = device_of(c, in->user_name, in->serial_number, &e, &m);

	return r < 0 ? r : synchronize(c, &e, &m, in->authentication_code1, in->authentication_code2, RESYNC_STEPS);
}

int iam_list_mfa_devices(struct call *c, const struct iam_list_mfa_devices_request *in, struct iam_list_mfa_devices_response *out)
{
	struct iam_rec_entity user, e;
	struct iam_pages p = { 0 };
	struct iam_rec_mfa m;
	struct keybuf k;
	struct str rest, value;
	int r = iam_self(c, in->user_name, &user);

	if (r < 0)
		return r;
	out->mfa_devices.v = arena_array(c->arena, struct iam_mfa_device, iam_page_size(in->max_items));
	iam_key_of(&k, c->account, "iam.usermfa", user.id, STR_NONE);
	r = iam_pages_open(&p, c, &k, IAM_PAGE(in, out));
	while (r >= 0 && (r = iam_pages_next(&p, &rest, &value)) > 0) {
		r = iam_get(c->txn, c->arena, c->account, IAM_MFA, str_dup(c->arena, value), &e);
		if (r == 0)
			r = iam_more_get(c->txn, c->arena, c->account, IAM_REC_MFA, e.id, &m);
		if (r < 0)
			break;
		out->mfa_devices.v[out->mfa_devices.n++] = (struct iam_mfa_device){ user.name, e.arn, m.enabled };
		iam_pages_take(&p);
	}
	return iam_pages_close(&p, r);
}

int iam_list_virtual_mfa_devices(struct call *c, const struct iam_list_virtual_mfa_devices_request *in,
				 struct iam_list_virtual_mfa_devices_response *out)
{
	struct iam_rec_entity e, user;
	struct iam_pages p = { 0 };
	struct iam_rec_mfa m;
	enum iam_kind kind;
	struct keybuf k;
	struct str rest, value;
	int r;

	out->virtual_mfa_devices.v = arena_array(c->arena, struct iam_virtual_mfa_device, iam_page_size(in->max_items));
	iam_key_of(&k, c->account, "iam.mfa", STR_NONE, STR_NONE);
	r = iam_pages_open(&p, c, &k, IAM_PAGE(in, out));
	while (r >= 0 && (r = iam_pages_next(&p, &rest, &value)) > 0) {
		struct iam_virtual_mfa_device d = { 0 };

		r = iam_decode(c, value, &e);
		if (r == 0)
			r = iam_more_get(c->txn, c->arena, c->account, IAM_REC_MFA, e.id, &m);
		if (r < 0)
			break;
		if ((str_is(in->assignment_status, "Assigned") && !m.user_id.p) ||
		    (str_is(in->assignment_status, "Unassigned") && m.user_id.p))
			continue;
		d.serial_number = e.arn;
		d.enable_date = m.enabled;
		if (m.user_id.p && iam_get_id(c->txn, c->arena, c->account, m.user_id, &kind, &user) == 0) {
			d.user = arena_new(c->arena, struct iam_user);
			iam_user_view(c, &user, false, d.user);
		}
		out->virtual_mfa_devices.v[out->virtual_mfa_devices.n++] = d;
		iam_pages_take(&p);
	}
	return iam_pages_close(&p, r);
}

/* --- a code presented with a call --- */

static int check(struct cloud *cl, struct store_txn *t, struct arena *a, const struct iam_mfa_claim *w, struct iam_rec_entity *e,
		 struct iam_rec_mfa *m, int64_t *ret_step)
{
	struct str seed;
	int64_t now = w->now_ms / STEP_MS;
	bool good = false;
	int r = iam_get_arn(t, a, w->account, IAM_MFA, w->serial, e);

	if (r == 0)
		r = iam_more_get(t, a, w->account, IAM_REC_MFA, e->id, m);
	if (r == 0 && (!m->user_id.p || !str_eq(m->user_id, w->user_id)))
		r = -ENOENT;
	if (r < 0)
		return r;
	if (!guess_try(e->id, w->now_ms))
		return -EACCES;
	r = seed_open(cl, a, w->account, e, m, &seed);
	if (r < 0)
		return r;
	for (int64_t step = now + m->drift.v - SLACK_STEPS; step <= now + m->drift.v + SLACK_STEPS && !good; step++) {
		good = step > m->last.v && code_is(seed, step, w->code);
		*ret_step = step;
	}
	mem_wipe((char *)(uintptr_t)seed.p, seed.n);
	if (good)
		guess_right(e->id);
	return good ? 0 : -EACCES;
}

int iam_mfa_check(struct cloud *cl, struct store_txn *global, struct arena *a, const struct iam_mfa_claim *w)
{
	struct iam_rec_entity e;
	struct iam_rec_mfa m;
	int64_t step;

	return check(cl, global, a, w, &e, &m, &step);
}

int iam_mfa_use(struct cloud *cl, struct store_txn *t, struct arena *a, const struct iam_mfa_claim *w)
{
	struct iam_rec_entity e;
	struct iam_rec_mfa m;
	struct keybuf k;
	int64_t step;
	int r = check(cl, t, a, w, &e, &m, &step);

	if (r < 0)
		return r;
	m.last = OPT_INT(step);
	iam_key_of(&k, w->account, "iam.more", e.id, STR_NONE);
	return record_put(t, &iam_records, IAM_REC_MFA, &k, &m);
}
