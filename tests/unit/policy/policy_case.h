/* SPDX-License-Identifier: Apache-2.0 */
/* policy_case.h - a request with its policies, written as one JSON object; for unit tests, fuzzer, oracle, benchmark.
 *
 *   {"action": A, "resource": R, "resource_account": ID, "rule": "required",
 *    "principal": {"type": "user", "account", "arn", "role_arn", "service", "unique_id", "canonical_id"},
 *    "keys": {"aws:username": "x", "aws:TagKeys": ["a", "b"]},           a list makes a multivalued key
 *    "identity": [policy...], "boundary": [...], "session": [...], "scp": [[...], [...]], "rcp": [...],
 *    "resource_policy": policy, "resource_kind": "trust"}
 *
 * Policies are called identity_0, identity_1, boundary_0, ... and "resource". */
#pragma once
#include "base/arena.h"
#include "base/json.h"
#include "policy/policy.h"

static inline int case_policy(struct arena *a, const struct json *j, enum policy_kind kind, struct str name, struct policy_named *ret,
			      struct str *ret_error)
{
	struct policy *p = NULL;
	int r = policy_parse(a, json_text(a, j), kind, &p, ret_error);

	*ret = (struct policy_named){ p, name };
	return r;
}

static inline int case_set(struct arena *a, const struct json *j, enum policy_kind kind, const char *name, struct policy_set *ret,
			   struct str *ret_error)
{
	*ret = (struct policy_set){ 0 };
	if (!json_is(j, JSON_ARRAY))
		return 0;
	ret->v = arena_array(a, struct policy_named, j->n);
	ret->n = j->n;
	for (size_t i = 0; i < j->n; i++) {
		int r = case_policy(a, &j->items[i], kind, str_printf(a, "%s_%zu", name, i), &ret->v[i], ret_error);

		if (r < 0)
			return r;
	}
	return 0;
}

static inline void case_keys(struct arena *a, const struct json *j, struct policy_request *r)
{
	size_t n = json_is(j, JSON_OBJECT) ? j->n : 0;
	struct policy_key *keys = arena_array(a, struct policy_key, n);

	for (size_t i = 0; i < n; i++) {
		const struct json *v = &j->members[i].value;

		keys[i].name = j->members[i].key;
		keys[i].multi = v->type == JSON_ARRAY;
		keys[i].n = keys[i].multi ? v->n : 1;
		keys[i].values = arena_array(a, struct str, keys[i].n);
		for (size_t k = 0; k < keys[i].n; k++)
			keys[i].values[k] = json_scalar(keys[i].multi ? &v->items[k] : v);
	}
	r->keys = keys;
	r->n_keys = n;
}

static inline struct policy_principal *case_principal(struct arena *a, const struct json *j)
{
	static const char *const types[] = { "anonymous", "root", "user", "role_session", "federated", "service" };
	struct policy_principal *p = arena_new(a, struct policy_principal);
	struct str type = json_get_str(j, "type");

	for (size_t i = 0; i < ELEMENTS(types); i++) {
		if (str_is(type, types[i]))
			p->type = (enum principal_type)i;
	}
	p->account = json_get_str(j, "account");
	p->arn = json_get_str(j, "arn");
	p->role_arn = json_get_str(j, "role_arn");
	p->service = json_get_str(j, "service");
	p->unique_id = json_get_str(j, "unique_id");
	p->canonical_id = json_get_str(j, "canonical_id");
	return p;
}

static inline int case_organization(struct arena *a, const struct json *scp, struct policy_request *r, struct str *ret_error)
{
	struct policy_set *levels;

	if (!json_is(scp, JSON_ARRAY))
		return 0;
	levels = arena_array(a, struct policy_set, scp->n);
	for (size_t i = 0; i < scp->n; i++) {
		int e = case_set(a, &scp->items[i], POLICY_ORGANIZATION, "scp", &levels[i], ret_error);

		if (e < 0)
			return e;
	}
	r->organization = levels;
	r->n_organization = scp->n;
	return 0;
}

/* case_read: 0, or -EINVAL with *ret_error when a policy of the case isn't well formed. Borrows from j. */
static inline int case_read(struct arena *a, const struct json *j, struct policy_request *r, struct str *ret_error)
{
	const struct json *resource = json_getz(j, "resource_policy");
	enum policy_kind kind = str_is(json_get_str(j, "resource_kind"), "trust") ? POLICY_TRUST : POLICY_RESOURCE;
	int e;

	*r = (struct policy_request){
		.action = json_get_str(j, "action"),
		.resource = json_get_str(j, "resource"),
		.resource_account = json_get_str(j, "resource_account"),
		.principal = case_principal(a, json_getz(j, "principal")),
		.rule = str_is(json_get_str(j, "rule"), "required") ? RESOURCE_POLICY_REQUIRED : RESOURCE_POLICY_OR,
	};
	case_keys(a, json_getz(j, "keys"), r);
	e = case_set(a, json_getz(j, "identity"), POLICY_IDENTITY, "identity", &r->identity, ret_error);
	if (e == 0)
		e = case_set(a, json_getz(j, "boundary"), POLICY_IDENTITY, "boundary", &r->boundary, ret_error);
	if (e == 0)
		e = case_set(a, json_getz(j, "session"), POLICY_IDENTITY, "session", &r->session, ret_error);
	if (e == 0)
		e = case_set(a, json_getz(j, "rcp"), POLICY_RESOURCE_CONTROL, "rcp", &r->resource_control, ret_error);
	if (e == 0)
		e = case_organization(a, json_getz(j, "scp"), r, ret_error);
	if (e == 0 && json_is(resource, JSON_OBJECT))
		e = case_policy(a, resource, kind, S("resource"), &r->resource_policy, ret_error);
	return e;
}
