/* SPDX-License-Identifier: Apache-2.0 */
/* roles.c - roles and their trust policies.
 *
 * A trust policy that names a user or role means that very one, not whoever gets the name later: its id is noted when the
 * policy is set. A principal of this account that does not exist is refused; other accounts can't be looked into. */
#include "svc/iam/ops.h"
#include <errno.h>

#define SESSION_DEFAULT_S 3600

struct trust_walk {
	struct call *c;
	struct str_map found;
	size_t cap;
};

/* principal_kind: is it the ARN of a user or role of this account? Its name is what follows the last slash. */
static bool own_principal(struct str account, struct str text, enum iam_kind *ret_kind, struct str *ret_name)
{
	struct arn arn;

	if (arn_parse(text, &arn) < 0 || !str_is(arn.service, "iam") || !str_eq(arn.account, account))
		return false;
	if (str_starts(arn.resource, S("user/")))
		*ret_kind = IAM_USER;
	else if (str_starts(arn.resource, S("role/")))
		*ret_kind = IAM_ROLE;
	else
		return false;
	*ret_name = str_skip(arn.resource, (size_t)str_rfind_char(arn.resource, '/') + 1);
	return true;
}

static int note_principal(struct str principal, void *arg)
{
	struct trust_walk *w = arg;
	struct iam_rec_entity e;
	enum iam_kind kind;
	struct str name;
	int r;

	if (!own_principal(w->c->account, principal, &kind, &name))
		return 0;
	r = iam_get(w->c->txn, w->c->arena, w->c->account, kind, name, &e);
	if (r == -ENOENT || (r == 0 && !str_eq(e.arn, principal)))
		return call_fail(w->c, &iam_err_malformed_policy_document, "Invalid principal in policy: \"AWS\":\"%.*s\"", STR(principal));
	if (r < 0)
		return r;
	vec_push(w->c->arena, w->found.v, w->found.n, w->cap) = (struct str_pair){ principal, e.id };
	return 0;
}

int iam_trust_set(struct call *c, struct iam_rec_entity *role, struct str text)
{
	struct trust_walk w = { .c = c };
	struct policy *p;
	struct str fault;
	int r;

	if (policy_parse(c->arena, text, POLICY_TRUST, &p, &fault) < 0)
		return call_fail(c, &iam_err_malformed_policy_document, "%.*s", STR(fault));
	if (iam_document_bytes(text) > IAM_TRUST_BYTES_MAX)
		return call_fail(c, &iam_err_limit_exceeded, "Cannot exceed quota for ACLSizePerRole: %d", IAM_TRUST_BYTES_MAX);
	r = policy_each_principal(p, note_principal, &w);
	if (r < 0)
		return r;
	role->trust = text;
	role->trusted = w.found;
	return 0;
}

/* The AWS principals of one statement, by their new names. */
static void principals_rename(struct arena *a, struct json *principal, const struct str_map *gone)
{
	struct json *aws = json_getz(principal, "AWS");

	for (size_t i = 0; aws && i < (json_is(aws, JSON_ARRAY) ? aws->n : 1); i++) {
		struct json *one = json_is(aws, JSON_ARRAY) ? &aws->items[i] : aws;

		for (size_t k = 0; k < gone->n; k++)
			if (str_eq(json_str(one), gone->v[k].key))
				*one = *json_new_str(a, gone->v[k].value);
	}
}

struct str iam_principals_now(struct arena *a, struct str text, const struct str_map *gone)
{
	struct json *doc, *st;

	if (!gone->n || json_parse(a, text, &doc, NULL) < 0) /* stored text always parses */
		return text;
	st = json_getz(doc, "Statement");
	for (size_t i = 0; st && i < (json_is(st, JSON_ARRAY) ? st->n : 1); i++) {
		struct json *s = json_is(st, JSON_ARRAY) ? &st->items[i] : st;

		principals_rename(a, json_getz(s, "Principal"), gone);
		principals_rename(a, json_getz(s, "NotPrincipal"), gone);
	}
	return json_text(a, doc);
}

struct str iam_trust_document(struct store_txn *global, struct arena *a, const struct iam_rec_entity *role)
{
	struct str_map gone = { 0 };
	struct arn arn;
	size_t cap = 0;

	if (arn_parse(role->arn, &arn) < 0)
		return role->trust;
	for (size_t i = 0; i < role->trusted.n; i++) {
		struct str_pair p = role->trusted.v[i];
		struct iam_rec_entity e;
		enum iam_kind kind;
		struct str name;

		if (!own_principal(arn.account, p.key, &kind, &name))
			continue;
		if (iam_get(global, a, arn.account, kind, name, &e) == 0 && str_eq(e.id, p.value) && str_eq(e.arn, p.key))
			continue;
		vec_push(a, gone.v, gone.n, cap) = p;
	}
	return iam_principals_now(a, role->trust, &gone);
}

int iam_principal_id(struct store_txn *global, struct arena *a, struct str principal, struct str *ret)
{
	struct iam_rec_entity e;
	enum iam_kind kind;
	struct str name;
	struct arn arn;
	int r;

	if (arn_parse(principal, &arn) < 0 || !own_principal(arn.account, principal, &kind, &name))
		return -EINVAL;
	r = iam_get(global, a, arn.account, kind, name, &e);
	if (r == 0 && !str_eq(e.arn, principal))
		r = -ENOENT;
	if (r == 0)
		*ret = e.id;
	return r;
}

int iam_role_find(struct store_txn *global, struct arena *a, struct str role_arn, struct iam_rec_entity *ret)
{
	struct str name;
	struct arn arn;
	int r;

	if (arn_parse(role_arn, &arn) < 0 || !str_is(arn.service, "iam") || !str_starts(arn.resource, S("role/")))
		return -ENOENT;
	name = str_skip(arn.resource, (size_t)str_rfind_char(arn.resource, '/') + 1);
	r = iam_get(global, a, arn.account, IAM_ROLE, name, ret);
	return r == 0 && !str_eq(ret->arn, role_arn) ? -ENOENT : r;
}

int iam_create_role(struct call *c, const struct iam_create_role_request *in, struct iam_create_role_response *out)
{
	struct iam_rec_entity e;
	int r;

	if (in->path.p && (str_starts(in->path, S("/aws-service-role/")) || str_starts(in->path, S("/aws-reserved/"))))
		return call_fail(c, &iam_err_invalid_input, "Path %.*s is reserved for roles made by AWS services.", STR(in->path));
	r = iam_new(c, IAM_ROLE, in->role_name, in->path, &e);
	if (r < 0)
		return r;
	r = iam_trust_set(c, &e, in->assume_role_policy_document);
	if (r < 0)
		return r;
	r = iam_tags_check(c, &in->tags, &e.tags);
	if (r < 0)
		return r;
	if (in->permissions_boundary.p) {
		r = iam_boundary_set(c, IAM_ROLE, &e, in->permissions_boundary);
		if (r < 0)
			return r;
	}
	e.description = in->description;
	e.max_session_s = OPT_INT(in->max_session_duration.has ? in->max_session_duration.v : SESSION_DEFAULT_S);
	r = iam_insert(c, IAM_ROLE, &e);
	if (r < 0)
		return r;
	out->role = arena_new(c->arena, struct iam_role);
	iam_role_view(c, &e, true, out->role);
	out->role->role_last_used = NULL;
	return 0;
}

int iam_get_role(struct call *c, const struct iam_get_role_request *in, struct iam_get_role_response *out)
{
	struct iam_rec_entity e;
	int r = iam_load(c, IAM_ROLE, in->role_name, &e);

	if (r < 0)
		return r;
	out->role = arena_new(c->arena, struct iam_role);
	iam_role_view(c, &e, true, out->role);
	return 0;
}

static int add_role(struct call *c, const struct iam_rec_entity *e, void *arg)
{
	struct iam_role_list *l = arg;

	iam_role_view(c, e, false, &l->v[l->n++]);
	return 0;
}

int iam_list_roles(struct call *c, const struct iam_list_roles_request *in, struct iam_list_roles_response *out)
{
	out->roles.v = arena_array(c->arena, struct iam_role, iam_page_size(in->max_items));
	return iam_list_entities(c, "iam.role", in->path_prefix, IAM_PAGE(in, out), add_role, &out->roles);
}

/* role_to_change loads a role that may be changed; refuses for unknown and service-linked ones. */
static int role_to_change(struct call *c, struct str name, struct iam_rec_entity *ret)
{
	int r = iam_load(c, IAM_ROLE, name, ret);

	return r < 0 ? r : iam_read_only_role(c, ret);
}

int iam_update_role(struct call *c, const struct iam_update_role_request *in, struct iam_update_role_response *out)
{
	struct iam_rec_entity e;
	int r = role_to_change(c, in->role_name, &e);

	if (r < 0)
		return r;
	if (in->description.p)
		e.description = in->description;
	if (in->max_session_duration.has)
		e.max_session_s = in->max_session_duration;
	return iam_save(c, IAM_ROLE, &e);
}

int iam_update_role_description(struct call *c, const struct iam_update_role_description_request *in,
				struct iam_update_role_description_response *out)
{
	struct iam_rec_entity e;
	int r = iam_load(c, IAM_ROLE, in->role_name, &e);

	if (r < 0)
		return r;
	e.description = in->description;
	out->role = arena_new(c->arena, struct iam_role);
	iam_role_view(c, &e, true, out->role);
	return iam_save(c, IAM_ROLE, &e);
}

int iam_update_assume_role_policy(struct call *c, const struct iam_update_assume_role_policy_request *in,
				  struct iam_update_assume_role_policy_response *out)
{
	struct iam_rec_entity e;
	int r = role_to_change(c, in->role_name, &e);

	if (r < 0)
		return r;
	r = iam_trust_set(c, &e, in->policy_document);
	return r < 0 ? r : iam_save(c, IAM_ROLE, &e);
}

int iam_delete_role(struct call *c, const struct iam_delete_role_request *in, struct iam_delete_role_response *out)
{
	struct iam_rec_entity e;
	struct keybuf k;
	int r = role_to_change(c, in->role_name, &e);

	if (r < 0)
		return r;
	r = iam_any(c, "iam.inprofile", e.id);
	if (r < 0)
		return r;
	if (r > 0)
		return call_fail(c, &iam_err_delete_conflict, "Cannot delete entity, must remove roles from instance profile first.");
	r = iam_refuse_policies(c, &e);
	if (r < 0)
		return r;
	if (e.boundary.p) {
		r = iam_boundary_set(c, IAM_ROLE, &e, STR_NONE);
		if (r < 0)
			return r;
	}
	iam_key_of(&k, c->account, "iam.used", e.id, STR_NONE);
	r = store_del(c->txn, key_view(&k));
	return r < 0 && r != -ENOENT ? r : iam_remove(c, IAM_ROLE, &e);
}
