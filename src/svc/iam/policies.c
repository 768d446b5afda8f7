/* SPDX-License-Identifier: Apache-2.0 */
/* policies.c - managed policies: an account's own with their versions, and AWS's. */
#include "svc/iam/ops.h"
#include <errno.h>

int iam_policy_get(struct store_txn *t, struct arena *a, struct str account, struct str text, struct iam_policy_ref *ret)
{
	struct str name;
	struct arn arn;
	int r;

	if (arn_parse(text, &arn) < 0 || !str_is(arn.service, "iam") || !str_starts(arn.resource, S("policy/")))
		return -EINVAL;
	*ret = (struct iam_policy_ref){ .aws = iam_managed_find(text), .arn = text };
	if (ret->aws) {
		ret->name = ret->aws->name;
		return 0;
	}
	if (!str_eq(arn.account, account))
		return -ENOENT;
	name = str_skip(arn.resource, (size_t)str_rfind_char(arn.resource, '/') + 1);
	r = iam_get(t, a, account, IAM_POLICY, name, &ret->own);
	if (r < 0)
		return r;
	ret->name = ret->own.name;
	return str_eq(ret->own.arn, text) ? 0 : -ENOENT;
}

int iam_policy_load(struct call *c, struct str arn, struct iam_policy_ref *ret)
{
	int r = iam_policy_get(c->txn, c->arena, c->account, arn, ret);

	if (r == -EINVAL)
		return call_fail(c, &iam_err_invalid_input, "ARN %.*s is not valid.", STR(arn));
	return r == -ENOENT ? iam_no_entity(c, "Policy %.*s was not found.", STR(arn)) : r;
}

static void version_key(struct keybuf *k, struct str account, struct str policy_id, int64_t n)
{
	iam_key_of(k, account, "iam.version", policy_id, STR_NONE);
	key_u64(k, (uint64_t)n);
}

int iam_version_get(struct call *c, const struct iam_rec_entity *p, int64_t n, struct iam_rec_version *ret)
{
	struct keybuf k;

	version_key(&k, c->account, p->id, n);
	return record_get(c->txn, &iam_records, IAM_REC_VERSION, c->arena, &k, ret);
}

int iam_policy_text(struct store_txn *global, struct arena *a, struct str account, struct str arn, struct str *ret)
{
	struct iam_policy_ref p;
	struct iam_rec_version v;
	struct keybuf k;
	int r = iam_policy_get(global, a, account, arn, &p);

	if (r < 0)
		return -ENOENT;
	if (p.aws) {
		*ret = p.aws->document;
		return 0;
	}
	version_key(&k, account, p.own.id, p.own.default_version.v);
	r = record_get(global, &iam_records, IAM_REC_VERSION, a, &k, &v);
	*ret = v.document;
	return r;
}

int iam_uses_get(struct call *c, struct str arn, struct iam_rec_uses *ret)
{
	struct keybuf k;
	int r;

	iam_key_of(&k, c->account, "iam.uses", arn, STR_NONE);
	r = record_get(c->txn, &iam_records, IAM_REC_USES, c->arena, &k, ret);
	if (r != -ENOENT)
		return r;
	*ret = (struct iam_rec_uses){ 0 };
	return 0;
}

int iam_uses_add(struct call *c, struct str arn, int attached, int bounded)
{
	struct iam_rec_uses u;
	struct keybuf k;
	int r = iam_uses_get(c, arn, &u);

	if (r < 0)
		return r;
	u.attached = OPT_INT(u.attached.v + attached);
	u.bounded = OPT_INT(u.bounded.v + bounded);
	iam_key_of(&k, c->account, "iam.uses", arn, STR_NONE);
	if (u.attached.v == 0 && u.bounded.v == 0) {
		r = store_del(c->txn, key_view(&k));
		return r == -ENOENT ? 0 : r;
	}
	return record_put(c->txn, &iam_records, IAM_REC_USES, &k, &u);
}

int iam_document_check(struct call *c, struct str text, enum policy_kind kind)
{
	struct policy *p;
	struct str fault;

	if (policy_parse(c->arena, text, kind, &p, &fault) < 0)
		return call_fail(c, &iam_err_malformed_policy_document, "%.*s", STR(fault));
	return 0;
}

static int document_check(struct call *c, struct str text)
{
	int r = iam_document_check(c, text, POLICY_IDENTITY);

	if (r < 0)
		return r;
	if (iam_document_bytes(text) > IAM_POLICY_BYTES_MAX)
		return call_fail(c, &iam_err_limit_exceeded, "Cannot exceed quota for PolicySize: %d", IAM_POLICY_BYTES_MAX);
	return 0;
}

void iam_policy_view(struct call *c, const struct iam_policy_ref *p, bool whole, struct iam_policy *ret)
{
	const struct iam_managed *m = p->aws;
	struct iam_rec_uses u = { 0 };

	(void)iam_uses_get(c, p->arn, &u);
	if (m) {
		*ret = (struct iam_policy){ .policy_name = m->name,
					    .policy_id = m->id,
					    .arn = p->arn,
					    .path = m->path,
					    .default_version_id = m->version,
					    .create_date = OPT_TIME(m->created_ms),
					    .update_date = OPT_TIME(m->updated_ms) };
	} else {
		*ret = (struct iam_policy){ .policy_name = p->own.name,
					    .policy_id = p->own.id,
					    .arn = p->own.arn,
					    .path = p->own.path,
					    .default_version_id = str_printf(c->arena, "v%lld", (long long)p->own.default_version.v),
					    .create_date = p->own.created,
					    .update_date = p->own.updated };
	}
	ret->attachment_count = OPT_INT(u.attached.v);
	ret->permissions_boundary_usage_count = OPT_INT(u.bounded.v);
	ret->is_attachable = OPT_BOOL(true);
	if (whole) {
		ret->description = m ? m->description : p->own.description;
		ret->tags = iam_tags_view(c, &p->own.tags);
	}
}

static int version_put(struct call *c, struct iam_rec_entity *p, struct str document)
{
	struct iam_rec_version v = { .document = document, .created = OPT_TIME(c->now_ms - c->now_ms % 1000) };
	struct keybuf k;
	int r;

	version_key(&k, c->account, p->id, p->next_version.v);
	p->next_version = OPT_INT(p->next_version.v + 1);
	p->versions = OPT_INT(p->versions.v + 1);
	p->updated = v.created;
	r = record_put(c->txn, &iam_records, IAM_REC_VERSION, &k, &v);
	return r < 0 ? r : iam_count_versions(c, 1);
}

int iam_create_policy(struct call *c, const struct iam_create_policy_request *in, struct iam_create_policy_response *out)
{
	struct iam_policy_ref p = { 0 };
	int r = iam_new(c, IAM_POLICY, in->policy_name, in->path, &p.own);

	if (r < 0)
		return r;
	r = document_check(c, in->policy_document);
	if (r < 0)
		return r;
	r = iam_tags_check(c, &in->tags, &p.own.tags);
	if (r < 0)
		return r;
	p.arn = p.own.arn;
	p.own.description = in->description;
	p.own.default_version = p.own.next_version = OPT_INT(1);
	r = version_put(c, &p.own, in->policy_document);
	if (r < 0)
		return r;
	out->policy = arena_new(c->arena, struct iam_policy);
	iam_policy_view(c, &p, true, out->policy);
	out->policy->description = STR_NONE;
	return iam_insert(c, IAM_POLICY, &p.own);
}

int iam_get_policy(struct call *c, const struct iam_get_policy_request *in, struct iam_get_policy_response *out)
{
	struct iam_policy_ref p;
	int r = iam_policy_load(c, in->policy_arn, &p);

	if (r < 0)
		return r;
	out->policy = arena_new(c->arena, struct iam_policy);
	iam_policy_view(c, &p, true, out->policy);
	return 0;
}

/* policy_to_change loads a policy of the account; AWS's own refuse. */
static int policy_to_change(struct call *c, struct str arn, struct iam_policy_ref *ret)
{
	int r = iam_policy_load(c, arn, ret);

	if (r < 0)
		return r;
	if (ret->aws) /* nobody has the right to, whatever his policies say */
		return call_fail(c, &aws_err_access_denied, "User: %.*s is not authorized to perform: iam:%s on resource: policy %.*s",
				 STR(c->who->p.arn), c->op->name, STR(arn));
	return 0;
}

int iam_delete_policy(struct call *c, const struct iam_delete_policy_request *in, struct iam_delete_policy_response *out)
{
	struct iam_policy_ref p;
	struct iam_rec_uses u;
	struct keybuf k;
	int r = policy_to_change(c, in->policy_arn, &p);

	if (r < 0)
		return r;
	r = iam_uses_get(c, p.arn, &u);
	if (r < 0)
		return r;
	if (u.attached.v || u.bounded.v)
		return call_fail(c, &iam_err_delete_conflict, "Cannot delete a policy attached to entities.");
	if (p.own.versions.v > 1)
		return call_fail(c, &iam_err_delete_conflict,
				 "This policy has more than one version. Before you delete a policy, you must delete the policy's "
				 "versions. The default "
				 "version is deleted with the policy.");
	version_key(&k, c->account, p.own.id, p.own.default_version.v);
	r = store_del(c->txn, key_view(&k));
	if (r < 0)
		return r;
	r = iam_count_versions(c, -1);
	return r < 0 ? r : iam_remove(c, IAM_POLICY, &p.own);
}

/* --- versions --- */

int iam_create_policy_version(struct call *c, const struct iam_create_policy_version_request *in,
			      struct iam_create_policy_version_response *out)
{
	struct iam_policy_ref p;
	int64_t number;
	int r = policy_to_change(c, in->policy_arn, &p);

	if (r < 0)
		return r;
	r = document_check(c, in->policy_document);
	if (r < 0)
		return r;
	if (p.own.versions.v >= IAM_VERSIONS_MAX)
		return call_fail(c, &iam_err_limit_exceeded,
				 "A managed policy can have up to %d versions. Before you create a new version, you must delete an "
				 "existing version.",
				 IAM_VERSIONS_MAX);
	number = p.own.next_version.v;
	if (in->set_as_default.v) {
		/* The same right as SetDefaultPolicyVersion gives, and AWS asks for this action alone. */
		p.own.default_version = OPT_INT(number);
	}
	r = version_put(c, &p.own, in->policy_document);
	if (r < 0)
		return r;
	out->policy_version = arena_new(c->arena, struct iam_policy_version);
	*out->policy_version = (struct iam_policy_version){ .version_id = str_printf(c->arena, "v%lld", (long long)number),
							    .is_default_version = OPT_BOOL(in->set_as_default.v),
							    .create_date = p.own.updated };
	return iam_save(c, IAM_POLICY, &p.own);
}

/* version_load finds a version of an account's policy. Refuses. */
static int version_load(struct call *c, const struct iam_policy_ref *p, struct str id, int64_t *ret_number, struct iam_rec_version *ret)
{
	int r = iam_version_parse(id, ret_number) ? iam_version_get(c, &p->own, *ret_number, ret) : -ENOENT;

	if (r == -ENOENT)
		return iam_no_entity(c, "Policy %.*s version %.*s does not exist or is not attachable.", STR(p->arn), STR(id));
	return r;
}

int iam_get_policy_version(struct call *c, const struct iam_get_policy_version_request *in, struct iam_get_policy_version_response *out)
{
	struct iam_policy_version *v = out->policy_version = arena_new(c->arena, struct iam_policy_version);
	struct iam_policy_ref p;
	struct iam_rec_version rec;
	int64_t number;
	int r = iam_policy_load(c, in->policy_arn, &p);

	if (r < 0)
		return r;
	v->version_id = in->version_id;
	if (p.aws) { /* older versions of AWS's policies are not kept here */
		if (!str_eq(in->version_id, p.aws->version))
			return iam_no_entity(c, "Policy %.*s version %.*s does not exist or is not attachable.", STR(p.arn),
					     STR(in->version_id));
		v->document = iam_document_encode(c->arena, p.aws->document);
		v->is_default_version = OPT_BOOL(true);
		v->create_date = OPT_TIME(p.aws->updated_ms);
		return 0;
	}
	r = version_load(c, &p, in->version_id, &number, &rec);
	if (r < 0)
		return r;
	v->document = iam_document_encode(c->arena, rec.document);
	v->is_default_version = OPT_BOOL(number == p.own.default_version.v);
	v->create_date = rec.created;
	return 0;
}

int iam_list_policy_versions(struct call *c, const struct iam_list_policy_versions_request *in,
			     struct iam_list_policy_versions_response *out)
{
	struct iam_rec_version v;
	struct iam_policy_ref p;
	struct iam_pages pages = { 0 };
	struct keybuf k;
	struct str rest, value;
	uint64_t number;
	int r = iam_policy_load(c, in->policy_arn, &p);

	if (r < 0)
		return r;
	out->versions.v = arena_array(c->arena, struct iam_policy_version, iam_page_size(in->max_items));
	if (p.aws) {
		out->versions.v[out->versions.n++] = (struct iam_policy_version){ .version_id = p.aws->version,
										  .is_default_version = OPT_BOOL(true),
										  .create_date = OPT_TIME(p.aws->updated_ms) };
		out->is_truncated = OPT_BOOL(false);
		return 0;
	}
	iam_key_of(&k, c->account, "iam.version", p.own.id, STR_NONE);
	r = iam_pages_open(&pages, c, &k, IAM_PAGE(in, out));
	while (r >= 0 && (r = iam_pages_next(&pages, &rest, &value)) > 0) {
		r = record_decode(&iam_records, IAM_REC_VERSION, c->arena, value, &v);
		if (r < 0)
			break;
		r = key_take_u64(&rest, &number);
		if (r < 0)
			break;
		out->versions.v[out->versions.n++] = (struct iam_policy_version){
			.version_id = str_printf(c->arena, "v%llu", (unsigned long long)number),
			.is_default_version = OPT_BOOL((int64_t)number == p.own.default_version.v),
			.create_date = v.created,
		};
		iam_pages_take(&pages);
	}
	return iam_pages_close(&pages, r);
}

int iam_set_default_policy_version(struct call *c, const struct iam_set_default_policy_version_request *in,
				   struct iam_set_default_policy_version_response *out)
{
	struct iam_policy_ref p;
	struct iam_rec_version v;
	int64_t number;
	int r = policy_to_change(c, in->policy_arn, &p);

	if (r < 0)
		return r;
	r = version_load(c, &p, in->version_id, &number, &v);
	if (r < 0)
		return r;
	p.own.default_version = OPT_INT(number);
	p.own.updated = OPT_TIME(c->now_ms - c->now_ms % 1000);
	return iam_save(c, IAM_POLICY, &p.own);
}

int iam_delete_policy_version(struct call *c, const struct iam_delete_policy_version_request *in,
			      struct iam_delete_policy_version_response *out)
{
	struct iam_policy_ref p;
	struct iam_rec_version v;
	struct keybuf k;
	int64_t number;
	int r = policy_to_change(c, in->policy_arn, &p);

	if (r < 0)
		return r;
	r = version_load(c, &p, in->version_id, &number, &v);
	if (r < 0)
		return r;
	if (number == p.own.default_version.v)
		return call_fail(c, &iam_err_delete_conflict, "Cannot delete the default version of a policy.");
	version_key(&k, c->account, p.own.id, number);
	r = store_del(c->txn, key_view(&k));
	if (r < 0)
		return r;
	p.own.versions = OPT_INT(p.own.versions.v - 1);
	r = iam_count_versions(c, -1);
	return r < 0 ? r : iam_save(c, IAM_POLICY, &p.own);
}

/* --- listing: the account's own first, then AWS's; the marker begins with which of the two it is in --- */

struct listing {
	const struct iam_list_policies_request *in;
	struct iam_list_policies_response *out;
	size_t max;
};

static bool wanted(struct call *c, const struct listing *l, const struct iam_policy_ref *p)
{
	struct str path = p->aws ? p->aws->path : p->own.path;
	struct iam_rec_uses u;

	if (l->in->path_prefix.p && !str_starts(path, l->in->path_prefix))
		return false;
	if (!l->in->only_attached.v && !l->in->policy_usage_filter.p)
		return true;
	if (iam_uses_get(c, p->arn, &u) < 0)
		return false;
	if (str_is(l->in->policy_usage_filter, "PermissionsBoundary"))
		return u.bounded.v > 0 || !l->in->only_attached.v;
	return u.attached.v > 0 || !l->in->only_attached.v;
}

static int list_aws(struct call *c, struct listing *l, size_t from)
{
	size_t i;

	for (i = from; i < iam_managed_count(); i++) {
		struct iam_policy_ref p = { .aws = iam_managed_at(i), .arn = iam_managed_at(i)->arn };

		if (!wanted(c, l, &p))
			continue;
		if (l->out->policies.n == l->max)
			break;
		iam_policy_view(c, &p, false, &l->out->policies.v[l->out->policies.n++]);
	}
	l->out->is_truncated = OPT_BOOL(i < iam_managed_count());
	if (l->out->is_truncated.v)
		l->out->marker = page_token(c, str_printf(c->arena, "A%zu", i));
	return 0;
}

static int list_own(struct call *c, struct listing *l, struct str after)
{
	struct iam_policy_ref p = { 0 };
	struct iam_pages pages = { 0 };
	struct iam_page page = { after.p ? page_token(c, after) : STR_NONE, l->in->max_items };
	struct str rest, value;
	struct keybuf k;
	int r;

	iam_key_of(&k, c->account, "iam.policy", STR_NONE, STR_NONE);
	r = iam_pages_open(&pages, c, &k, &page);
	while (r >= 0 && (r = iam_pages_next(&pages, &rest, &value)) > 0) {
		r = iam_decode(c, value, &p.own);
		if (r < 0)
			break;
		p.arn = p.own.arn;
		if (!wanted(c, l, &p))
			continue;
		iam_policy_view(c, &p, false, &l->out->policies.v[l->out->policies.n++]);
		iam_pages_take(&pages);
	}
	r = iam_pages_close(&pages, r);
	l->out->is_truncated = OPT_BOOL(pages.more);
	if (r == 0 && pages.more)
		l->out->marker = page_token(c, str_join(c->arena, (struct str[]){ S("L"), pages.last }, 2, S("")));
	return r;
}

int iam_list_policies(struct call *c, const struct iam_list_policies_request *in, struct iam_list_policies_response *out)
{
	struct listing l = { in, out, iam_page_size(in->max_items) };
	struct str at = STR_NONE;
	uint64_t from = 0;
	int r = 0;

	out->policies.v = arena_array(c->arena, struct iam_policy, l.max);
	if (in->marker.p && (page_parse(c, in->marker, &at) < 0 || at.n < 1 || (at.p[0] == 'A' && str_to_u64(str_skip(at, 1), &from) < 0)))
		return call_fail(c, &iam_err_validation_error, "Invalid Marker.");
	if (!str_is(in->scope, "AWS") && (!at.p || at.p[0] == 'L')) {
		r = list_own(c, &l, at.p ? str_skip(at, 1) : STR_NONE);
		if (r < 0 || out->is_truncated.v)
			return r;
	}
	return str_is(in->scope, "Local") ? 0 : list_aws(c, &l, (size_t)from);
}
