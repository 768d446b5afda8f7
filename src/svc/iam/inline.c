/* SPDX-License-Identifier: Apache-2.0 */
/* inline.c - policies embedded in users, groups and roles. */
#include "svc/iam/ops.h"
#include <errno.h>

static int refuse_unknown(struct call *c, enum iam_kind kind, struct str policy)
{
	return iam_no_entity(c, "The %s policy with name %.*s cannot be found.", iam_noun[kind], STR(policy));
}

static int inline_get(struct call *c, const struct iam_rec_entity *e, struct str policy, struct iam_rec_inline *ret)
{
	struct keybuf k;

	iam_key_of(&k, c->account, "iam.inline", e->id, policy);
	return record_get(c->txn, &iam_records, IAM_REC_INLINE, c->arena, &k, ret);
}

static int put(struct call *c, enum iam_kind kind, struct str name, struct str policy, struct str document)
{
	static const int most[IAM_KINDS] = { IAM_INLINE_USER_BYTES_MAX, IAM_INLINE_GROUP_BYTES_MAX, IAM_INLINE_ROLE_BYTES_MAX };
	struct iam_rec_inline old = { 0 };
	struct iam_rec_entity e;
	struct keybuf k;
	int64_t bytes;
	int r = iam_load_to_change(c, kind, name, &e);

	if (r < 0)
		return r;
	r = iam_document_check(c, document, POLICY_IDENTITY);
	if (r < 0)
		return r;
	r = inline_get(c, &e, policy, &old);
	if (r < 0 && r != -ENOENT)
		return r;
	bytes = e.inline_bytes.v - (int64_t)iam_document_bytes(old.document) + (int64_t)iam_document_bytes(document);
	if (bytes > most[kind])
		return call_fail(c, &iam_err_limit_exceeded, "Maximum policy size of %d bytes exceeded for %s %.*s", most[kind],
				 iam_noun[kind], STR(e.name));
	iam_key_of(&k, c->account, "iam.inline", e.id, policy);
	r = record_put(c->txn, &iam_records, IAM_REC_INLINE, &k, &(struct iam_rec_inline){ policy, document });
	if (r < 0)
		return r;
	e.inline_bytes = OPT_INT(bytes);
	return iam_save(c, kind, &e);
}

/* get gives the entity's own spelling of its name and the document as it travels. */
static int get(struct call *c, enum iam_kind kind, struct str name, struct str policy, struct str *ret_name, struct str *ret_document)
{
	struct iam_rec_inline p;
	struct iam_rec_entity e;
	int r = iam_load(c, kind, name, &e);

	if (r < 0)
		return r;
	r = inline_get(c, &e, policy, &p);
	if (r == -ENOENT)
		return refuse_unknown(c, kind, policy);
	if (r < 0)
		return r;
	*ret_name = e.name;
	*ret_document = iam_document_encode(c->arena, p.document);
	return 0;
}

static int delete (struct call *c, enum iam_kind kind, struct str name, struct str policy)
{
	struct iam_rec_inline p;
	struct iam_rec_entity e;
	struct keybuf k;
	int r = iam_load_to_change(c, kind, name, &e);

	if (r < 0)
		return r;
	r = inline_get(c, &e, policy, &p);
	if (r == -ENOENT)
		return refuse_unknown(c, kind, policy);
	if (r < 0)
		return r;
	iam_key_of(&k, c->account, "iam.inline", e.id, policy);
	r = store_del(c->txn, key_view(&k));
	if (r < 0)
		return r;
	e.inline_bytes = OPT_INT(e.inline_bytes.v - (int64_t)iam_document_bytes(p.document));
	return iam_save(c, kind, &e);
}

static int list(struct call *c, enum iam_kind kind, struct str name, const struct iam_page *page, struct str_list *ret)
{
	struct iam_rec_entity e;
	struct iam_pages p = { 0 };
	struct keybuf k;
	struct str rest, value;
	int r = iam_load(c, kind, name, &e);

	if (r < 0)
		return r;
	ret->v = arena_array(c->arena, struct str, iam_page_size(page->max));
	iam_key_of(&k, c->account, "iam.inline", e.id, STR_NONE);
	r = iam_pages_open(&p, c, &k, page);
	while (r >= 0 && (r = iam_pages_next(&p, &rest, &value)) > 0) {
		ret->v[ret->n++] = iam_rest_str(c, rest);
		iam_pages_take(&p);
	}
	return iam_pages_close(&p, r);
}

int iam_inline_list(struct call *c, struct str id, struct iam_policy_detail_list *ret)
{
	struct store_range range = { 0 };
	struct iam_rec_inline p;
	struct keybuf k;
	struct str key, value;
	size_t cap = 0;
	int r;

	*ret = (struct iam_policy_detail_list){ arena_alloc(c->arena, 1), 0 };
	iam_key_of(&k, c->account, "iam.inline", id, STR_NONE);
	r = store_range_open(&range, c->txn, key_view(&k), STR_NONE, false);
	while (r >= 0 && (r = store_range_next(&range, &key, &value)) > 0) {
		r = record_decode(&iam_records, IAM_REC_INLINE, c->arena, value, &p);
		if (r == 0)
			vec_push(c->arena, ret->v, ret->n, cap) = (struct iam_policy_detail){ p.name,
											      iam_document_encode(c->arena, p.document) };
	}
	store_range_close(&range);
	return r < 0 ? r : 0;
}

int iam_put_user_policy(struct call *c, const struct iam_put_user_policy_request *in, struct iam_put_user_policy_response *out)
{
	return put(c, IAM_USER, in->user_name, in->policy_name, in->policy_document);
}

int iam_get_user_policy(struct call *c, const struct iam_get_user_policy_request *in, struct iam_get_user_policy_response *out)
{
	out->policy_name = in->policy_name;
	return get(c, IAM_USER, in->user_name, in->policy_name, &out->user_name, &out->policy_document);
}

int iam_delete_user_policy(struct call *c, const struct iam_delete_user_policy_request *in, struct iam_delete_user_policy_response *out)
{
	return delete (c, IAM_USER, in->user_name, in->policy_name);
}

int iam_list_user_policies(struct call *c, const struct iam_list_user_policies_request *in, struct iam_list_user_policies_response *out)
{
	return list(c, IAM_USER, in->user_name, IAM_PAGE(in, out), &out->policy_names);
}

int iam_put_group_policy(struct call *c, const struct iam_put_group_policy_request *in, struct iam_put_group_policy_response *out)
{
	return put(c, IAM_GROUP, in->group_name, in->policy_name, in->policy_document);
}

int iam_get_group_policy(struct call *c, const struct iam_get_group_policy_request *in, struct iam_get_group_policy_response *out)
{
	out->policy_name = in->policy_name;
	return get(c, IAM_GROUP, in->group_name, in->policy_name, &out->group_name, &out->policy_document);
}

int iam_delete_group_policy(struct call *c, const struct iam_delete_group_policy_request *in, struct iam_delete_group_policy_response *out)
{
	return delete (c, IAM_GROUP, in->group_name, in->policy_name);
}

int iam_list_group_policies(struct call *c, const struct iam_list_group_policies_request *in, struct iam_list_group_policies_response *out)
{
	return list(c, IAM_GROUP, in->group_name, IAM_PAGE(in, out), &out->policy_names);
}

int iam_put_role_policy(struct call *c, const struct iam_put_role_policy_request *in, struct iam_put_role_policy_response *out)
{
	return put(c, IAM_ROLE, in->role_name, in->policy_name, in->policy_document);
}

int iam_get_role_policy(struct call *c, const struct iam_get_role_policy_request *in, struct iam_get_role_policy_response *out)
{
	out->policy_name = in->policy_name;
	return get(c, IAM_ROLE, in->role_name, in->policy_name, &out->role_name, &out->policy_document);
}

int iam_delete_role_policy(struct call *c, const struct iam_delete_role_policy_request *in, struct iam_delete_role_policy_response *out)
{
	return delete (c, IAM_ROLE, in->role_name, in->policy_name);
}

int iam_list_role_policies(struct call *c, const struct iam_list_role_policies_request *in, struct iam_list_role_policies_response *out)
{
	return list(c, IAM_ROLE, in->role_name, IAM_PAGE(in, out), &out->policy_names);
}
