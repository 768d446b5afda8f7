/* SPDX-License-Identifier: Apache-2.0 */
/* oidc.c - OpenID Connect providers: whose tokens sts:AssumeRoleWithWebIdentity believes, and for which audiences.
 *
 * The provider's name is its URL without "https://", which is what tokens call their issuer. */
#include "svc/iam/ops.h"
#include <errno.h>

#define CLIENT_BYTES_MAX 255

struct str iam_oidc_name(struct str url)
{
	return str_starts(url, S("https://")) ? str_skip(url, 8) : STR_NONE;
}

static bool url_ok(struct str url)
{
	struct str name = iam_oidc_name(url);

	if (!name.p || !name.n || name.p[0] == '/' || name.p[0] == ':')
		return false;
	for (size_t i = 0; i < name.n; i++) {
		char ch = name.p[i];

		if (ch <= ' ' || ch >= 127 || strchr("?#@\"<>\\^`{|}*", ch))
			return false;
	}
	return true;
}

static int check_thumbprints(struct call *c, const struct str_list *l)
{
	if (l->n > IAM_THUMBPRINTS_MAX)
		return call_fail(c, &iam_err_invalid_input, "Thumbprint list must contain fewer than %d entries.", IAM_THUMBPRINTS_MAX);
	for (size_t i = 0; i < l->n; i++) {
		struct str bytes;

		if (l->v[i].n != 40 || hex_decode(c->arena, l->v[i], &bytes) < 0)
			return call_fail(
				c, &iam_err_validation_error,
				"1 validation error detected: Value '%.*s' at 'thumbprintList' failed to satisfy constraint: Member must "
				"be a SHA-1 fingerprint of 40 hexadecimal digits",
				STR(l->v[i]));
	}
	return 0;
}

static int check_clients(struct call *c, const struct str_list *l)
{
	if (l->n > IAM_CLIENTS_MAX)
		return call_fail(c, &iam_err_limit_exceeded, "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: %d",
				 IAM_CLIENTS_MAX);
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].n == 0 || l->v[i].n > CLIENT_BYTES_MAX)
			return call_fail(
				c, &iam_err_validation_error,
				"1 validation error detected: Value at 'clientIDList' failed to satisfy constraint: Member must have "
				"length between 1 and %d",
				CLIENT_BYTES_MAX);
	return 0;
}

int iam_create_open_id_connect_provider(struct call *c, const struct iam_create_open_id_connect_provider_request *in,
					struct iam_create_open_id_connect_provider_response *out)
{
	struct iam_rec_oidc more = { in->client_id_list, in->thumbprint_list };
	struct iam_rec_entity e;
	struct str_map tags;
	int r;

	if (!url_ok(in->url))
		return call_fail(c, &iam_err_validation_error, "Invalid Open ID Connect Provider URL");
	r = check_thumbprints(c, &in->thumbprint_list);
	if (r == 0)
		r = check_clients(c, &in->client_id_list);
	if (r == 0)
		r = iam_tags_check(c, &in->tags, &tags);
	if (r == 0)
		r = iam_new(c, IAM_OIDC, iam_oidc_name(in->url), STR_NONE, &e);
	if (r < 0)
		return r;
	e.tags = tags;
	r = iam_insert(c, IAM_OIDC, &e);
	if (r == 0)
		r = iam_more_put(c, IAM_REC_OIDC, e.id, &more);
	out->open_id_connect_provider_arn = e.arn;
	if (tags.n)
		out->tags = iam_tags_view(c, &tags);
	return r;
}

static int load(struct call *c, struct str arn, struct iam_rec_entity *e, struct iam_rec_oidc *more)
{
	int r = iam_load_arn(c, IAM_OIDC, arn, e);

	return r < 0 ? r : iam_more_get(c->txn, c->arena, c->account, IAM_REC_OIDC, e->id, more);
}

int iam_oidc_find(struct store_txn *global, struct arena *a, struct str account, struct str issuer, struct iam_rec_entity *ret,
		  struct iam_rec_oidc *ret_more)
{
	struct str name = iam_oidc_name(issuer);
	int r = name.p && name.n <= STORE_KEY_BYTES_MAX / 2 ? iam_get(global, a, account, IAM_OIDC, name, ret) : -ENOENT;

	if (r == 0 && !str_eq(ret->name, name)) /* names are found whatever their case; issuers are not alike */
		r = -ENOENT;
	return r < 0 ? r : iam_more_get(global, a, account, IAM_REC_OIDC, ret->id, ret_more);
}

int iam_get_open_id_connect_provider(struct call *c, const struct iam_get_open_id_connect_provider_request *in,
				     struct iam_get_open_id_connect_provider_response *out)
{
	struct iam_rec_oidc more;
	struct iam_rec_entity e;
	int r = load(c, in->open_id_connect_provider_arn, &e, &more);

	if (r < 0)
		return r;
	out->url = e.name;
	out->create_date = e.created;
	out->client_id_list = more.clients;
	out->thumbprint_list = more.thumbprints;
	out->tags = iam_tags_view(c, &e.tags);
	return 0;
}

int iam_list_open_id_connect_providers(struct call *c, const struct iam_list_open_id_connect_providers_request *in,
				       struct iam_list_open_id_connect_providers_response *out)
{
	struct store_range range = { 0 };
	struct iam_rec_entity e;
	struct keybuf k;
	struct str key, value;
	int r;

	out->open_id_connect_provider_list.v = arena_array(c->arena, struct iam_open_id_connect_provider_list_entry, IAM_OIDC_MAX);
	iam_key_of(&k, c->account, "iam.oidc", STR_NONE, STR_NONE);
	r = store_range_open(&range, c->txn, key_view(&k), STR_NONE, false);
	while (r >= 0 && out->open_id_connect_provider_list.n < IAM_OIDC_MAX && (r = store_range_next(&range, &key, &value)) > 0) {
		r = iam_decode(c, value, &e);
		if (r == 0)
			out->open_id_connect_provider_list.v[out->open_id_connect_provider_list.n++].arn = e.arn;
	}
	store_range_close(&range);
	return r < 0 ? r : 0;
}

int iam_delete_open_id_connect_provider(struct call *c, const struct iam_delete_open_id_connect_provider_request *in,
					struct iam_delete_open_id_connect_provider_response *out)
{
	struct iam_rec_entity e;
	int r = iam_load_arn(c, IAM_OIDC, in->open_id_connect_provider_arn, &e);

	if (r < 0)
		return r;
	r = iam_more_del(c, e.id);
	return r < 0 ? r : iam_remove(c, IAM_OIDC, &e);
}

int iam_update_open_id_connect_provider_thumbprint(struct call *c, const struct iam_update_open_id_connect_provider_thumbprint_request *in,
						   struct iam_update_open_id_connect_provider_thumbprint_response *out)
{
	struct iam_rec_oidc more;
	struct iam_rec_entity e;
	int r = load(c, in->open_id_connect_provider_arn, &e, &more);

	if (r == 0)
		r = check_thumbprints(c, &in->thumbprint_list);
	if (r < 0)
		return r;
	more.thumbprints = in->thumbprint_list;
	return iam_more_put(c, IAM_REC_OIDC, e.id, &more);
}

static bool listed(const struct str_list *l, struct str s)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->v[i], s))
			return true;
	return false;
}

int iam_add_client_id_to_open_id_connect_provider(struct call *c, const struct iam_add_client_id_to_open_id_connect_provider_request *in,
						  struct iam_add_client_id_to_open_id_connect_provider_response *out)
{
	struct iam_rec_oidc more;
	struct iam_rec_entity e;
	struct str_list clients;
	int r = load(c, in->open_id_connect_provider_arn, &e, &more);

	if (r < 0 || listed(&more.clients, in->client_id))
		return r;
	clients.v = arena_array(c->arena, struct str, more.clients.n + 1);
	for (clients.n = 0; clients.n < more.clients.n; clients.n++)
		clients.v[clients.n] = more.clients.v[clients.n];
	clients.v[clients.n++] = in->client_id;
	r = check_clients(c, &clients);
	if (r < 0)
		return r;
	more.clients = clients;
	return iam_more_put(c, IAM_REC_OIDC, e.id, &more);
}

int iam_remove_client_id_from_open_id_connect_provider(struct call *c,
						       const struct iam_remove_client_id_from_open_id_connect_provider_request *in,
						       struct iam_remove_client_id_from_open_id_connect_provider_response *out)
{
	struct iam_rec_oidc more;
	struct iam_rec_entity e;
	size_t n = 0;
	int r = load(c, in->open_id_connect_provider_arn, &e, &more);

	if (r < 0)
		return r;
	for (size_t i = 0; i < more.clients.n; i++)
		if (!str_eq(more.clients.v[i], in->client_id))
			more.clients.v[n++] = more.clients.v[i];
	more.clients.n = n;
	return iam_more_put(c, IAM_REC_OIDC, e.id, &more);
}
