/* SPDX-License-Identifier: Apache-2.0 */
/* token.c - passwords for the registry, which clients like docker send with the user name AWS.
 *
 * A password is sealed under a key of this cloud and says who asked for it, where, and until when. Of a long-term key it holds
 * the key's id alone: it dies with the key, and what the user may do is looked up at each use. Of temporary credentials it holds
 * the session, and never outlives it. No secret of the caller is in it. Source: "Private registry authentication". */
#include "svc/ecr/ecr_int.h"
#include "svc/iam/iam.h"
#include <errno.h>

#define PASSWORD_BYTES_MAX 16384

int ecr_token_make(struct call *c, int64_t expires_ms, struct str *ret)
{
	struct json *j = json_new(c->arena, JSON_OBJECT);
	const struct principal *w = c->who;
	uint8_t key[32];

	json_set_int(c->arena, j, "until", expires_ms);
	json_set_str(c->arena, j, "region", call_region(c));
	if (w->p.type == PRINCIPAL_ROOT && !w->temporary)
		json_set_bool(c->arena, j, "root", true);
	else if (w->temporary || !w->key_id.p)
		json_set_str(c->arena, j, "session", principal_text(c->arena, w));
	if (w->key_id.p && !w->temporary) {
		json_set_str(c->arena, j, "key", w->key_id);
		json_set_str(c->arena, j, "id", w->p.unique_id);
	}
	cloud_master_key(c->cloud, "ecr-token", key);
	*ret = base64_encode(c->arena, ecr_wrap(c->arena, key, S("token"), json_text(c->arena, j)));
	mem_wipe(key, sizeof key);
	return ret->n <= PASSWORD_BYTES_MAX ? 0 : -E2BIG;
}

/* The user whose key asked for the password, as it is now. */
static int key_owner(struct cloud *cl, struct store_txn *global, const struct json *j, int64_t now_ms, struct arena *a,
		     struct principal *ret)
{
	struct key_info info;
	struct str key = json_str(json_getz(j, "key"));
	int r = cloud_identity(cl)->find_key(cl, global, key, STR_NONE, now_ms, a, &info);

	if (r < 0)
		return -EACCES;
	if (info.secret.p)
		mem_wipe((char *)(uintptr_t)info.secret.p, info.secret.n);
	*ret = info.who;
	ret->key_id = key;
	return str_eq(ret->p.unique_id, json_str(json_getz(j, "id"))) ? 0 : -EACCES;
}

/* Does who the session was made from still exist, as the one it was then? A successor of the same name inherits no session. */
static bool session_stands(struct store_txn *global, struct arena *a, const struct principal *w)
{
	struct str id;

	switch (w->p.type) {
	case PRINCIPAL_ROLE_SESSION:
		return iam_principal_id(global, a, w->p.role_arn, &id) == 0 && str_starts(w->p.unique_id, str_printf(a, "%.*s:", STR(id)));
	case PRINCIPAL_USER:
		return iam_principal_id(global, a, w->p.arn, &id) == 0 && str_eq(w->p.unique_id, id);
	case PRINCIPAL_FEDERATED:
		return !w->p.role_arn.p || iam_principal_id(global, a, w->p.role_arn, &id) == 0;
	default:
		return w->p.type == PRINCIPAL_ROOT;
	}
}

int ecr_token_open(struct cloud *cl, struct region *r, struct store_txn *global, struct str password, int64_t now_ms, struct arena *a,
		   struct principal *ret)
{
	struct str raw, plain;
	struct json *j;
	uint8_t key[32];
	int64_t until;
	int e;

	if (password.n > PASSWORD_BYTES_MAX || base64_decode(a, password, &raw) < 0)
		return -EACCES;
	cloud_master_key(cl, "ecr-token", key);
	e = ecr_unwrap(a, key, S("token"), raw, &plain);
	mem_wipe(key, sizeof key);
	if (e < 0 || json_parse(a, plain, &j, NULL) < 0 || json_to_i64(json_getz(j, "until"), &until) < 0 ||
	    !str_eq(json_str(json_getz(j, "region")), r->name) || !cloud_identity(cl))
		return -EACCES;
	if (until <= now_ms)
		return -ESTALE;
	if (json_to_bool(json_getz(j, "root"), false)) {
		*ret = (struct principal){ .name = S("root"), .key_id = json_str(json_getz(j, "key")) };
		ret->p = (struct policy_principal){ .type = PRINCIPAL_ROOT,
						    .account = cloud_account(cl),
						    .unique_id = cloud_account(cl),
						    .arn = str_printf(a, "arn:aws:iam::%.*s:root", STR(cloud_account(cl))) };
		return 0;
	}
	if (json_getz(j, "session")) {
		e = principal_parse(a, json_str(json_getz(j, "session")), ret);
		ret->temporary = true;
		return e == 0 && session_stands(global, a, ret) ? 0 : -EACCES;
	}
	return key_owner(cl, global, j, now_ms, a, ret);
}

ECR_HANDLER(get_authorization_token)
{
	int64_t until = c->now_ms + ECR_TOKEN_MS;
	size_t n = in->registry_ids.n ? in->registry_ids.n : 1;
	struct str password;
	int r;

	if (c->who->temporary && c->who->expires_ms && c->who->expires_ms < until)
		until = c->who->expires_ms;
	r = ecr_token_make(c, until, &password);
	if (r < 0)
		return r;
	out->authorization_data.v = arena_array(c->arena, struct ecr_authorization_data, n);
	for (; out->authorization_data.n < n; out->authorization_data.n++) {
		struct str account = in->registry_ids.n ? in->registry_ids.v[out->authorization_data.n] : ecr_registry(c, STR_NONE);
		struct ecr_authorization_data *d = &out->authorization_data.v[out->authorization_data.n];

		d->authorization_token = base64_encode(c->arena, str_printf(c->arena, "AWS:%.*s", STR(password)));
		d->expires_at = OPT_TIME(until);
		d->proxy_endpoint = str_printf(c->arena, "http%s://%.*s", c->facts.host.p && !c->facts.secure_transport ? "" : "s",
					       STR(ecr_host(c, account)));
	}
	return 0;
}
