/* SPDX-License-Identifier: Apache-2.0 */
/* federated.c - roles for whom an identity provider vouches; see federated.h.
 *
 * Source: "Passing session tags in AWS STS" (IAM User Guide). */
#include "svc/sts/federated.h"

int64_t federated_now_ms(const struct call *c)
{
	return c->now_ms - clock_offset_ms();
}

int federated_not_authorized(struct call *c)
{
	return call_fail(c, &sts_err_access_denied, "Not authorized to perform sts:%s", c->op->name);
}

bool federated_name_ok(struct str s)
{
	if (s.n < 2 || s.n > 64)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char ch = s.p[i];

		if (!(ch >= 'a' && ch <= 'z') && !(ch >= 'A' && ch <= 'Z') && !(ch >= '0' && ch <= '9') && !(ch && strchr("_+=,.@-", ch)))
			return false;
	}
	return true;
}

int federated_role_arn(struct call *c, struct str role_arn, struct arn *ret)
{
	if (arn_parse(role_arn, ret) < 0 || !str_is(ret->service, "iam"))
		return call_fail(c, &sts_err_validation_error, "%.*s is invalid", STR(role_arn));
	return 0;
}

int federated_tag(struct call *c, struct federated *f, struct str key, struct str value)
{
	struct sts_assume_role_request *q = &f->session;

	if (q->tags.n == STS_TAGS_MAX)
		return call_fail(c, &sts_err_idp_rejected_claim, "The token has too many session tags.");
	if (!key.n || key.n > STS_TAG_KEY_BYTES_MAX || !value.p || value.n > STS_TAG_VALUE_BYTES_MAX)
		return call_fail(c, &sts_err_idp_rejected_claim, "A session tag of the token is not valid.");
	if (!q->tags.v)
		q->tags.v = arena_array(c->arena, struct sts_tag, STS_TAGS_MAX);
	q->tags.v[q->tags.n++] = (struct sts_tag){ key, value };
	return 0;
}

int federated_transitive(struct call *c, struct federated *f, struct str key)
{
	struct str_list *l = &f->session.transitive_tag_keys;

	if (l->n == STS_TAGS_MAX)
		return call_fail(c, &sts_err_idp_rejected_claim, "The token has too many session tags.");
	if (!key.p)
		return call_fail(c, &sts_err_idp_rejected_claim, "A session tag of the token is not valid.");
	if (!l->v)
		l->v = arena_array(c->arena, struct str, STS_TAGS_MAX);
	l->v[l->n++] = key;
	return 0;
}

struct principal *federated_become(struct call *c, struct str provider_arn, struct str unique_id, struct str name)
{
	struct principal *p = arena_new(c->arena, struct principal);

	p->p.type = PRINCIPAL_FEDERATED;
	p->p.arn = provider_arn;
	p->p.unique_id = unique_id;
	p->name = name;
	p->federated = provider_arn;
	c->who = p;
	return p;
}

/* One request, one set of keys: a statement may ask for any of them, whichever of the actions it allows. */
static void add_keys(struct call *c, struct federated *f)
{
	const struct sts_assume_role_request *q = &f->session;
	struct str names[STS_TAGS_MAX];

	for (size_t i = 0; i < q->tags.n; i++) {
		names[i] = q->tags.v[i].key;
		key_add(c, &f->keys, str_printf(c->arena, "aws:RequestTag/%.*s", STR(names[i])), q->tags.v[i].value);
	}
	if (q->tags.n)
		key_add_list(c, &f->keys, S("aws:TagKeys"), names, q->tags.n);
	if (q->transitive_tag_keys.n)
		key_add_list(c, &f->keys, S("sts:TransitiveTagKeys"), q->transitive_tag_keys.v, q->transitive_tag_keys.n);
	key_add(c, &f->keys, S("sts:SourceIdentity"), q->source_identity);
}

int federated_grant(struct call *c, struct federated *f, struct sts_assume_role_response *ret)
{
	const struct sts_assume_role_request *q = &f->session;
	struct str resource = str_printf(c->arena, "role:%.*s", STR(q->role_arn));
	int r;

	add_keys(c, f);
	r = call_authorize(c, f->action, resource, f->keys.v, f->keys.n);
	if (r == 0 && q->tags.n)
		r = call_authorize(c, "sts:TagSession", resource, f->keys.v, f->keys.n);
	if (r == 0 && q->source_identity.p)
		r = call_authorize(c, "sts:SetSourceIdentity", resource, f->keys.v, f->keys.n);
	return r < 0 ? r : sts_grant(c, q, &f->role, ret);
}
