/* SPDX-License-Identifier: Apache-2.0 */
/* principal.c - an identity as text, for those who act later as who asked them (a stack's operation, a registry's password): all that
 * authorization needs to know of the caller or the role, never a key or a token. Each member of struct principal is here: a
 * condition on one that were left out would not hold for what is done later. */
#include "cloud/call.h"
#include <assert.h>
#include <errno.h>

/* Whoever adds a member finds out here that it must be in the text. */
static_assert(sizeof(struct principal) == sizeof(struct policy_principal) + 5 * sizeof(struct str) + 2 * sizeof(struct str_list) +
						  2 * sizeof(struct str_map) + 3 * sizeof(int64_t),
	      "a member of struct principal is not in its text");

static void set_list(struct arena *a, struct json *j, const char *name, const struct str_list *l)
{
	struct json *v = json_new(a, JSON_ARRAY);

	for (size_t i = 0; i < l->n; i++)
		json_push(a, v, json_new_str(a, l->v[i]));
	if (l->n)
		json_set(a, j, str_c(name), v);
}

static struct str_list get_list(struct arena *a, const struct json *j, const char *name)
{
	const struct json *v = json_getz(j, name);
	struct str_list l = { 0 };

	if (!v)
		return l;
	l.v = arena_array(a, struct str, v->n + 1);
	for (size_t i = 0; i < v->n; i++)
		l.v[l.n++] = json_str(&v->items[i]);
	return l;
}

static void set_map(struct arena *a, struct json *j, const char *name, const struct str_map *m)
{
	struct json *v = json_new(a, JSON_OBJECT);

	for (size_t i = 0; i < m->n; i++)
		json_set(a, v, m->v[i].key, json_new_str(a, m->v[i].value));
	if (m->n)
		json_set(a, j, str_c(name), v);
}

static struct str_map get_map(struct arena *a, const struct json *j, const char *name)
{
	const struct json *v = json_getz(j, name);
	struct str_map m = { 0 };

	if (!json_is(v, JSON_OBJECT))
		return m;
	m = (struct str_map){ arena_array(a, struct str_pair, v->n + 1), v->n };
	for (size_t i = 0; i < v->n; i++)
		m.v[i] = (struct str_pair){ v->members[i].key, json_str(&v->members[i].value) };
	return m;
}

struct str principal_text(struct arena *a, const struct principal *p)
{
	struct json *j = json_new(a, JSON_OBJECT);

	json_set_int(a, j, "type", p->p.type);
	json_set_str(a, j, "account", p->p.account);
	json_set_str(a, j, "arn", p->p.arn);
	json_set_str(a, j, "role_arn", p->p.role_arn);
	json_set_str(a, j, "service", p->p.service);
	json_set_str(a, j, "unique_id", p->p.unique_id);
	json_set_str(a, j, "canonical_id", p->p.canonical_id);
	json_set_str(a, j, "name", p->name);
	json_set_str(a, j, "key_id", p->key_id);
	json_set_str(a, j, "session_name", p->session_name);
	json_set_str(a, j, "source_identity", p->source_identity);
	json_set_str(a, j, "federated", p->federated);
	set_list(a, j, "session_policies", &p->session_policies);
	set_list(a, j, "transitive_tags", &p->transitive_tags);
	set_map(a, j, "tags", &p->tags);
	set_map(a, j, "said_keys", &p->said_keys);
	json_set_int(a, j, "issued_ms", p->issued_ms);
	json_set_int(a, j, "expires_ms", p->expires_ms);
	json_set_bool(a, j, "mfa", p->mfa);
	json_set_bool(a, j, "temporary", p->temporary);
	return json_text(a, j);
}

int principal_parse(struct arena *a, struct str text, struct principal *ret)
{
	struct json *j;
	int64_t type;

	*ret = (struct principal){ 0 };
	if (json_parse(a, text, &j, NULL) < 0 || json_to_i64(json_getz(j, "type"), &type) < 0 || type < PRINCIPAL_ANONYMOUS ||
	    type > PRINCIPAL_SERVICE)
		return -EBADMSG;
	ret->p = (struct policy_principal){
		.type = (enum principal_type)type,
		.account = json_get_str(j, "account"),
		.arn = json_get_str(j, "arn"),
		.role_arn = json_get_str(j, "role_arn"),
		.service = json_get_str(j, "service"),
		.unique_id = json_get_str(j, "unique_id"),
		.canonical_id = json_get_str(j, "canonical_id"),
	};
	ret->name = json_get_str(j, "name");
	ret->key_id = json_get_str(j, "key_id");
	ret->session_name = json_get_str(j, "session_name");
	ret->source_identity = json_get_str(j, "source_identity");
	ret->federated = json_get_str(j, "federated");
	ret->session_policies = get_list(a, j, "session_policies");
	ret->transitive_tags = get_list(a, j, "transitive_tags");
	ret->tags = get_map(a, j, "tags");
	ret->said_keys = get_map(a, j, "said_keys");
	(void)json_to_i64(json_getz(j, "issued_ms"), &ret->issued_ms);
	(void)json_to_i64(json_getz(j, "expires_ms"), &ret->expires_ms);
	ret->mfa = json_to_bool(json_getz(j, "mfa"), false);
	ret->temporary = json_to_bool(json_getz(j, "temporary"), false);
	return 0;
}

int principal_copy(struct arena *a, const struct principal *from, struct principal *ret)
{
	return principal_parse(a, principal_text(a, from), ret);
}
