/* SPDX-License-Identifier: Apache-2.0 */
/* tags.c - tags of users, roles, instance profiles, customer managed policies, identity providers, MFA devices and server
 * certificates. */
#include "svc/iam/ops.h"
#include <errno.h>

/* load finds what is tagged; name is the ARN for policies, providers and devices. AWS's own policies carry no tags. */
static int load(struct call *c, enum iam_kind kind, struct str name, struct iam_rec_entity *ret)
{
	struct iam_policy_ref p;
	int r;

	if (kind == IAM_OIDC || kind == IAM_SAML || kind == IAM_MFA)
		return iam_load_arn(c, kind, name, ret);
	if (kind != IAM_POLICY)
		return iam_load(c, kind, name, ret);
	r = iam_policy_load(c, name, &p);
	if (r < 0)
		return r;
	if (p.aws)
		return call_fail(c, &iam_err_invalid_input, "The policy %.*s is managed by AWS and cannot carry tags.", STR(name));
	*ret = p.own;
	return 0;
}

static int tag(struct call *c, enum iam_kind kind, struct str name, const struct iam_tag_list *tags)
{
	struct iam_rec_entity e;
	struct str_map add;
	int r = load(c, kind, name, &e);

	if (r < 0)
		return r;
	r = iam_tags_check(c, tags, &add);
	if (r < 0)
		return r;
	if (iam_tags_merge(c->arena, &e.tags, &add) < 0)
		return call_fail(c, &iam_err_limit_exceeded, "The number of tags has reached the maximum limit.");
	return iam_save(c, kind, &e);
}

static int untag(struct call *c, enum iam_kind kind, struct str name, const struct str_list *keys)
{
	struct iam_rec_entity e;
	int r = load(c, kind, name, &e);

	if (r < 0)
		return r;
	iam_tags_remove(&e.tags, keys);
	return iam_save(c, kind, &e);
}

/* list pages over at most 50 tags; the marker is the key of the last one given. */
static int list(struct call *c, enum iam_kind kind, struct str name, const struct iam_page *page, struct iam_tag_list *ret)
{
	struct iam_rec_entity e;
	struct str last;
	size_t from = 0, n;
	int r = load(c, kind, name, &e);

	if (r < 0)
		return r;
	if (page->marker.p) {
		if (page_parse(c, page->marker, &last) < 0)
			return call_fail(c, &iam_err_validation_error, "Invalid Marker.");
		while (from < e.tags.n && !str_eq(e.tags.v[from].key, last))
			from++;
		from += from < e.tags.n;
	}
	n = e.tags.n - from < iam_page_size(page->max) ? e.tags.n - from : iam_page_size(page->max);
	*ret = iam_tags_view(c, &(struct str_map){ e.tags.v + from, n });
	*page->ret_truncated = OPT_BOOL(from + n < e.tags.n);
	if (page->ret_truncated->v)
		*page->ret_marker = page_token(c, e.tags.v[from + n - 1].key);
	return 0;
}

int iam_tag_user(struct call *c, const struct iam_tag_user_request *in, struct iam_tag_user_response *out)
{
	return tag(c, IAM_USER, in->user_name, &in->tags);
}

int iam_untag_user(struct call *c, const struct iam_untag_user_request *in, struct iam_untag_user_response *out)
{
	return untag(c, IAM_USER, in->user_name, &in->tag_keys);
}

int iam_list_user_tags(struct call *c, const struct iam_list_user_tags_request *in, struct iam_list_user_tags_response *out)
{
	return list(c, IAM_USER, in->user_name, IAM_PAGE(in, out), &out->tags);
}

int iam_tag_role(struct call *c, const struct iam_tag_role_request *in, struct iam_tag_role_response *out)
{
	return tag(c, IAM_ROLE, in->role_name, &in->tags);
}

int iam_untag_role(struct call *c, const struct iam_untag_role_request *in, struct iam_untag_role_response *out)
{
	return untag(c, IAM_ROLE, in->role_name, &in->tag_keys);
}

int iam_list_role_tags(struct call *c, const struct iam_list_role_tags_request *in, struct iam_list_role_tags_response *out)
{
	return list(c, IAM_ROLE, in->role_name, IAM_PAGE(in, out), &out->tags);
}

int iam_tag_instance_profile(struct call *c, const struct iam_tag_instance_profile_request *in,
			     struct iam_tag_instance_profile_response *out)
{
	return tag(c, IAM_PROFILE, in->instance_profile_name, &in->tags);
}

int iam_untag_instance_profile(struct call *c, const struct iam_untag_instance_profile_request *in,
			       struct iam_untag_instance_profile_response *out)
{
	return untag(c, IAM_PROFILE, in->instance_profile_name, &in->tag_keys);
}

int iam_list_instance_profile_tags(struct call *c, const struct iam_list_instance_profile_tags_request *in,
				   struct iam_list_instance_profile_tags_response *out)
{
	return list(c, IAM_PROFILE, in->instance_profile_name, IAM_PAGE(in, out), &out->tags);
}

int iam_tag_policy(struct call *c, const struct iam_tag_policy_request *in, struct iam_tag_policy_response *out)
{
	return tag(c, IAM_POLICY, in->policy_arn, &in->tags);
}

int iam_untag_policy(struct call *c, const struct iam_untag_policy_request *in, struct iam_untag_policy_response *out)
{
	return untag(c, IAM_POLICY, in->policy_arn, &in->tag_keys);
}

int iam_list_policy_tags(struct call *c, const struct iam_list_policy_tags_request *in, struct iam_list_policy_tags_response *out)
{
	return list(c, IAM_POLICY, in->policy_arn, IAM_PAGE(in, out), &out->tags);
}

int iam_tag_open_id_connect_provider(struct call *c, const struct iam_tag_open_id_connect_provider_request *in,
				     struct iam_tag_open_id_connect_provider_response *out)
{
	return tag(c, IAM_OIDC, in->open_id_connect_provider_arn, &in->tags);
}

int iam_untag_open_id_connect_provider(struct call *c, const struct iam_untag_open_id_connect_provider_request *in,
				       struct iam_untag_open_id_connect_provider_response *out)
{
	return untag(c, IAM_OIDC, in->open_id_connect_provider_arn, &in->tag_keys);
}

int iam_list_open_id_connect_provider_tags(struct call *c, const struct iam_list_open_id_connect_provider_tags_request *in,
					   struct iam_list_open_id_connect_provider_tags_response *out)
{
	return list(c, IAM_OIDC, in->open_id_connect_provider_arn, IAM_PAGE(in, out), &out->tags);
}

int iam_tag_saml_provider(struct call *c, const struct iam_tag_saml_provider_request *in, struct iam_tag_saml_provider_response *out)
{
	return tag(c, IAM_SAML, in->saml_provider_arn, &in->tags);
}

int iam_untag_saml_provider(struct call *c, const struct iam_untag_saml_provider_request *in, struct iam_untag_saml_provider_response *out)
{
	return untag(c, IAM_SAML, in->saml_provider_arn, &in->tag_keys);
}

int iam_list_saml_provider_tags(struct call *c, const struct iam_list_saml_provider_tags_request *in,
				struct iam_list_saml_provider_tags_response *out)
{
	return list(c, IAM_SAML, in->saml_provider_arn, IAM_PAGE(in, out), &out->tags);
}

int iam_tag_mfa_device(struct call *c, const struct iam_tag_mfa_device_request *in, struct iam_tag_mfa_device_response *out)
{
	return tag(c, IAM_MFA, in->serial_number, &in->tags);
}

int iam_untag_mfa_device(struct call *c, const struct iam_untag_mfa_device_request *in, struct iam_untag_mfa_device_response *out)
{
	return untag(c, IAM_MFA, in->serial_number, &in->tag_keys);
}

int iam_list_mfa_device_tags(struct call *c, const struct iam_list_mfa_device_tags_request *in,
			     struct iam_list_mfa_device_tags_response *out)
{
	return list(c, IAM_MFA, in->serial_number, IAM_PAGE(in, out), &out->tags);
}

int iam_tag_server_certificate(struct call *c, const struct iam_tag_server_certificate_request *in,
			       struct iam_tag_server_certificate_response *out)
{
	return tag(c, IAM_CERTIFICATE, in->server_certificate_name, &in->tags);
}

int iam_untag_server_certificate(struct call *c, const struct iam_untag_server_certificate_request *in,
				 struct iam_untag_server_certificate_response *out)
{
	return untag(c, IAM_CERTIFICATE, in->server_certificate_name, &in->tag_keys);
}

int iam_list_server_certificate_tags(struct call *c, const struct iam_list_server_certificate_tags_request *in,
				     struct iam_list_server_certificate_tags_response *out)
{
	return list(c, IAM_CERTIFICATE, in->server_certificate_name, IAM_PAGE(in, out), &out->tags);
}
