/* SPDX-License-Identifier: Apache-2.0 */
/* entities.c - users, groups, roles, instance profiles, customer managed policies and what else has a name, as records; and pages over
 * ranges. */
#include "svc/iam/iam_int.h"
#include <assert.h>
#include <errno.h>

const char *const iam_noun[IAM_KINDS] = {
	"user",         "group", "role", "instance profile", "policy", "OpenIDConnect provider", "virtual MFA device", "Server Certificate",
	"SAML provider"
};
static const char *const tables[IAM_KINDS] = { "iam.user", "iam.group", "iam.role",        "iam.profile", "iam.policy",
					       "iam.oidc", "iam.mfa",   "iam.certificate", "iam.saml" };
static const char *const arn_words[IAM_KINDS] = { "user",         "group",         "role", "instance-profile",
						  "policy",       "oidc-provider", "mfa",  "server-certificate",
						  "saml-provider" };
static const char letters[IAM_KINDS] = { 'U', 'G', 'R', 'P', 'M', 'O', 'V', 'C', 'S' };

char iam_letter(enum iam_kind kind)
{
	return letters[kind];
}

void iam_key_of(struct keybuf *k, struct str account, const char *table, struct str a, struct str b)
{
	key_begin(k, account, table);
	if (a.p)
		key_str(k, a);
	if (b.p)
		key_str(k, b);
}

static void name_key(struct keybuf *k, struct arena *a, struct str account, enum iam_kind kind, struct str name)
{
	iam_key_of(k, account, tables[kind], str_lower(a, name), STR_NONE);
}

int iam_get(struct store_txn *t, struct arena *a, struct str account, enum iam_kind kind, struct str name, struct iam_rec_entity *ret)
{
	struct keybuf k;

	name_key(&k, a, account, kind, name);
	return record_get(t, &iam_records, IAM_REC_ENTITY, a, &k, ret);
}

int iam_get_id(struct store_txn *t, struct arena *a, struct str account, struct str id, enum iam_kind *ret_kind, struct iam_rec_entity *ret)
{
	struct keybuf k;
	struct str v, name;
	int r;

	iam_key_of(&k, account, "iam.id", id, STR_NONE);
	r = store_get(t, key_view(&k), &v);
	if (r < 0)
		return r;
	for (int kind = 0; kind < IAM_KINDS; kind++) {
		if (v.n < 2 || v.p[0] != letters[kind])
			continue;
		name = str_dup(a, str_skip(v, 1));
		*ret_kind = (enum iam_kind)kind;
		return iam_get(t, a, account, *ret_kind, name, ret);
	}
	return -EBADMSG;
}

int iam_no_entity(struct call *c, const char *fmt, ...)
{
	va_list ap;
	struct str s;

	va_start(ap, fmt);
	s = str_vprintf(c->arena, fmt, ap);
	va_end(ap);
	return call_fail(c, &iam_err_no_such_entity, "%.*s", STR(s));
}

int iam_load(struct call *c, enum iam_kind kind, struct str name, struct iam_rec_entity *ret)
{
	int r = iam_get(c->txn, c->arena, c->account, kind, name, ret);

	if (r != -ENOENT)
		return r;
	if (kind == IAM_PROFILE)
		return iam_no_entity(c, "Instance Profile %.*s cannot be found.", STR(name));
	return iam_no_entity(c, "The %s with name %.*s cannot be found.", iam_noun[kind], STR(name));
}

int iam_get_arn(struct store_txn *t, struct arena *a, struct str account, enum iam_kind kind, struct str text, struct iam_rec_entity *ret)
{
	struct str word = str_c(arn_words[kind]), name;
	struct arn arn;
	int r;

	if (arn_parse(text, &arn) < 0 || !str_is(arn.service, "iam") || !str_eq(arn.account, account))
		return -ENOENT;
	if (!str_starts(arn.resource, word) || arn.resource.n <= word.n || arn.resource.p[word.n] != '/')
		return -ENOENT;
	name = str_skip(arn.resource, word.n + 1);
	if (kind != IAM_OIDC) /* whose names have slashes themselves */
		name = str_skip(name, (size_t)(str_rfind_char(name, '/') + 1));
	if (name.n > STORE_KEY_BYTES_MAX / 2)
		return -ENOENT;
	r = iam_get(t, a, account, kind, name, ret);
	return r == 0 && !str_eq(ret->arn, text) ? -ENOENT : r;
}

int iam_load_arn(struct call *c, enum iam_kind kind, struct str arn, struct iam_rec_entity *ret)
{
	int r = iam_get_arn(c->txn, c->arena, c->account, kind, arn, ret);

	if (r != -ENOENT)
		return r;
	if (kind == IAM_MFA)
		return iam_no_entity(c, "VirtualMFADevice with serial number %.*s doesn't exist.", STR(arn));
	if (kind == IAM_SAML)
		return iam_no_entity(c, "Manifest not found for arn %.*s", STR(arn));
	return iam_no_entity(c, "OpenIDConnect Provider not found for arn %.*s", STR(arn));
}

/* --- what only some kinds have --- */

int iam_more_get(struct store_txn *t, struct arena *a, struct str account, uint16_t record, struct str id, void *ret)
{
	struct keybuf k;

	iam_key_of(&k, account, "iam.more", id, STR_NONE);
	return record_get(t, &iam_records, record, a, &k, ret);
}

int iam_more_put(struct call *c, uint16_t record, struct str id, const void *rec)
{
	struct keybuf k;

	iam_key_of(&k, c->account, "iam.more", id, STR_NONE);
	return record_put(c->txn, &iam_records, record, &k, rec);
}

int iam_more_del(struct call *c, struct str id)
{
	struct keybuf k;

	iam_key_of(&k, c->account, "iam.more", id, STR_NONE);
	return store_del(c->txn, key_view(&k));
}

int iam_save(struct call *c, enum iam_kind kind, const struct iam_rec_entity *e)
{
	struct keybuf k;

	name_key(&k, c->arena, c->account, kind, e->name);
	return record_put(c->txn, &iam_records, IAM_REC_ENTITY, &k, e);
}

struct str iam_arn(struct call *c, enum iam_kind kind, struct str path, struct str name)
{
	return str_printf(c->arena, "arn:%.*s:iam::%.*s:%s%.*s%.*s", STR(region_partition(call_region(c))), STR(c->account),
			  arn_words[kind], STR(path.p ? path : S("/")), STR(name));
}

/* --- how many there are --- */

int iam_count_get(struct store_txn *t, struct arena *a, struct str account, struct iam_rec_counts *ret)
{
	struct keybuf k;
	int r;

	iam_key_of(&k, account, "iam.counts", STR_NONE, STR_NONE);
	r = record_get(t, &iam_records, IAM_REC_COUNTS, a, &k, ret);
	if (r == -ENOENT) {
		*ret = (struct iam_rec_counts){ 0 };
		return 0;
	}
	return r;
}

static struct opt_int *count_slot(struct iam_rec_counts *n, enum iam_kind kind)
{
	struct opt_int *slot[IAM_KINDS] = { &n->users, &n->groups, &n->roles,        &n->profiles, &n->policies,
					    &n->oidc,  &n->mfa,    &n->certificates, &n->saml };

	return slot[kind];
}

static int counts_put(struct call *c, const struct iam_rec_counts *n)
{
	struct keybuf k;

	iam_key_of(&k, c->account, "iam.counts", STR_NONE, STR_NONE);
	return record_put(c->txn, &iam_records, IAM_REC_COUNTS, &k, n);
}

static int count_add(struct call *c, enum iam_kind kind, int delta)
{
	struct iam_rec_counts n;
	int r = iam_count_get(c->txn, c->arena, c->account, &n);

	if (r < 0)
		return r;
	*count_slot(&n, kind) = OPT_INT(count_slot(&n, kind)->v + delta);
	return counts_put(c, &n);
}

int iam_count_versions(struct call *c, int delta)
{
	struct iam_rec_counts n;
	int r = iam_count_get(c->txn, c->arena, c->account, &n);

	if (r < 0)
		return r;
	n.versions = OPT_INT(n.versions.v + delta);
	return counts_put(c, &n);
}

int iam_count_mfa(struct call *c, int delta)
{
	struct iam_rec_counts n;
	int r = iam_count_get(c->txn, c->arena, c->account, &n);

	if (r < 0)
		return r;
	n.mfa_used = OPT_INT(n.mfa_used.v + delta);
	return counts_put(c, &n);
}

/* --- making, taking away, renaming --- */

static int refuse_taken(struct call *c, enum iam_kind kind, struct str name)
{
	switch (kind) {
	case IAM_PROFILE:
		return call_fail(c, &iam_err_entity_already_exists, "Instance Profile %.*s already exists.", STR(name));
	case IAM_POLICY:
		return call_fail(c, &iam_err_entity_already_exists, "A policy called %.*s already exists. Duplicate names are not allowed.",
				 STR(name));
	case IAM_CERTIFICATE:
		return call_fail(c, &iam_err_entity_already_exists, "The Server Certificate with name %.*s already exists.", STR(name));
	case IAM_MFA:
		return call_fail(c, &iam_err_entity_already_exists, "MFADevice entity at the same path and name already exists.");
	case IAM_OIDC:
		return call_fail(c, &iam_err_entity_already_exists, "Provider with url https://%.*s already exists.", STR(name));
	case IAM_SAML:
		return call_fail(c, &iam_err_entity_already_exists, "SAMLProvider with name %.*s already exists.", STR(name));
	default:
		return call_fail(c, &iam_err_entity_already_exists, "%c%s with name %.*s already exists.", iam_noun[kind][0] - 32,
				 iam_noun[kind] + 1, STR(name));
	}
}

static int refuse_full(struct call *c, enum iam_kind kind)
{
	static const char *const quota[IAM_KINDS] = { "UsersPerAccount",
						      "GroupsPerAccount",
						      "RolesPerAccount",
						      "InstanceProfilesPerAccount",
						      "PoliciesPerAccount",
						      "OpenIDConnectProvidersPerAccount",
						      "VirtualMFADevicesPerAccount",
						      "ServerCertificatesPerAccount",
						      "SAMLProvidersPerAccount" };
	static const int most[IAM_KINDS] = { IAM_USERS_MAX, IAM_GROUPS_MAX, IAM_ROLES_MAX,        IAM_PROFILES_MAX, IAM_POLICIES_MAX,
					     IAM_OIDC_MAX,  IAM_MFA_MAX,    IAM_CERTIFICATES_MAX, IAM_SAML_MAX };
	struct iam_rec_counts n;
	int r = iam_count_get(c->txn, c->arena, c->account, &n);

	if (r < 0)
		return r;
	if (count_slot(&n, kind)->v < most[kind])
		return 0;
	return call_fail(c, &iam_err_limit_exceeded, "Cannot exceed quota for %s: %d", quota[kind], most[kind]);
}

/* iam_new fills a new entity; iam_insert stores it when the caller has added the rest. */
int iam_new(struct call *c, enum iam_kind kind, struct str name, struct str path, struct iam_rec_entity *ret)
{
	struct iam_rec_entity old;
	int r = iam_get(c->txn, c->arena, c->account, kind, name, &old);

	if (r == 0)
		return refuse_taken(c, kind, name);
	if (r != -ENOENT)
		return r;
	r = refuse_full(c, kind);
	if (r < 0)
		return r;
	path = path.p ? path : S("/");
	*ret = (struct iam_rec_entity){
		.name = name,
		.path = path,
		.id = iam_unique_id(c->arena, kind),
		.arn = iam_arn(c, kind, path, name),
		.created = OPT_TIME(c->now_ms - c->now_ms % 1000),
	};
	return 0;
}

static int index_put(struct call *c, enum iam_kind kind, const struct iam_rec_entity *e)
{
	struct keybuf k;

	iam_key_of(&k, c->account, "iam.id", e->id, STR_NONE);
	return store_put(c->txn, key_view(&k), str_printf(c->arena, "%c%.*s", letters[kind], STR(str_lower(c->arena, e->name))));
}

int iam_insert(struct call *c, enum iam_kind kind, const struct iam_rec_entity *e)
{
	int r = index_put(c, kind, e);

	if (r < 0)
		return r;
	r = iam_save(c, kind, e);
	return r < 0 ? r : count_add(c, kind, 1);
}

int iam_remove(struct call *c, enum iam_kind kind, const struct iam_rec_entity *e)
{
	struct keybuf k;
	int r;

	iam_key_of(&k, c->account, "iam.id", e->id, STR_NONE);
	r = store_del(c->txn, key_view(&k));
	if (r < 0)
		return r;
	name_key(&k, c->arena, c->account, kind, e->name);
	r = store_del(c->txn, key_view(&k));
	return r < 0 ? r : count_add(c, kind, -1);
}

int iam_rename(struct call *c, enum iam_kind kind, struct iam_rec_entity *e, struct str name, struct str path)
{
	struct iam_rec_entity other;
	struct keybuf k;
	int r;

	if (name.p && !str_eq_ci(name, e->name)) {
		r = iam_get(c->txn, c->arena, c->account, kind, name, &other);
		if (r == 0)
			return refuse_taken(c, kind, name);
		if (r != -ENOENT)
			return r;
		name_key(&k, c->arena, c->account, kind, e->name);
		r = store_del(c->txn, key_view(&k));
		if (r < 0)
			return r;
	}
	if (name.p)
		e->name = name;
	if (path.p)
		e->path = path;
	e->arn = iam_arn(c, kind, e->path, e->name);
	r = index_put(c, kind, e);
	return r < 0 ? r : iam_save(c, kind, e);
}

int iam_any(struct call *c, const char *table, struct str part)
{
	struct store_range range = { 0 };
	struct keybuf k;
	struct str key, value;
	int r;

	iam_key_of(&k, c->account, table, part, STR_NONE);
	r = store_range_open(&range, c->txn, key_view(&k), STR_NONE, false);
	if (r == 0)
		r = store_range_next(&range, &key, &value);
	store_range_close(&range);
	return r;
}

int iam_self(struct call *c, struct str user_name, struct iam_rec_entity *ret)
{
	const struct principal *w = c->who;
	enum iam_kind kind;
	int r;

	if (user_name.p)
		return iam_load(c, IAM_USER, user_name, ret);
	if (w->p.type == PRINCIPAL_ROOT) {
		*ret = (struct iam_rec_entity){ .id = c->account, .arn = w->p.arn };
		return 0;
	}
	if (w->p.type != PRINCIPAL_USER)
		return call_fail(c, &iam_err_validation_error, "Must specify userName when calling with non-User credentials");
	r = iam_get_id(c->txn, c->arena, c->account, w->p.unique_id, &kind, ret);
	return r == -ENOENT ? iam_no_entity(c, "The user with name %.*s cannot be found.", STR(w->name)) : r;
}

int iam_read_only_role(struct call *c, const struct iam_rec_entity *role)
{
	if (!role->linked_service.p)
		return 0;
	return call_fail(c, &iam_err_unmodifiable_entity,
			 "Cannot perform the operation on the protected role '%.*s' - this role is only modifiable by AWS",
			 STR(role->name));
}

int iam_load_to_change(struct call *c, enum iam_kind kind, struct str name, struct iam_rec_entity *ret)
{
	int r = iam_load(c, kind, name, ret);

	return r < 0 || kind != IAM_ROLE ? r : iam_read_only_role(c, ret);
}

struct str iam_rest_str(struct call *c, struct str rest)
{
	struct str s;

	return key_take_str(&rest, c->arena, &s) < 0 ? S("") : s;
}

int iam_decode(struct call *c, struct str value, struct iam_rec_entity *ret)
{
	return record_decode(&iam_records, IAM_REC_ENTITY, c->arena, value, ret);
}
