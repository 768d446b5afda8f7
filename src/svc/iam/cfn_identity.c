/* SPDX-License-Identifier: Apache-2.0 */
/* cfn_identity.c - AWS::IAM::OIDCProvider, SAMLProvider, ServerCertificate and VirtualMFADevice. */
#include "svc/iam/cfn_int.h"
#include "svc/iam/iam_int.h"
#include <errno.h>

struct kind { /* how the operations of a type are called */
	const char *noun, *arn_member;
};
static const struct kind oidc = { "OpenIDConnectProvider", "OpenIDConnectProviderArn" }, saml = { "SAMLProvider", "SAMLProviderArn" },
			 mfa = { "MFADevice", "SerialNumber" }, certificate = { "ServerCertificate", "ServerCertificateName" };

static int sync_tags(struct cfn_resource *r, const struct kind *k)
{
	return iam_cfn_sync_tags(r, k->noun, k->arn_member, r->physical_id);
}

static int remove_one(struct cfn_resource *r, const char *op, const struct kind *k)
{
	struct str code = STR_NONE;
	int e;

	if (!r->physical_id.p)
		return 0;
	e = cfn_call(r, "iam", op, iam_cfn_params(r, k->arn_member, r->physical_id), NULL, &code);
	return e < 0 && iam_cfn_gone(code) ? 0 : e;
}

/* --- AWS::IAM::OIDCProvider --- */

static int oidc_read(struct cfn_resource *r)
{
	int e = cfn_call(r, "iam", "GetOpenIDConnectProvider", iam_cfn_params(r, oidc.arn_member, r->physical_id), NULL, NULL);

	if (e < 0)
		return e;
	r->ret_attrs = iam_cfn_params(r, "Arn", r->physical_id);
	return 0;
}

static int oidc_create(struct cfn_resource *r)
{
	struct json *p = json_new(r->arena, JSON_OBJECT), *out;
	const struct json *clients = json_getz(r->props, "ClientIdList"), *prints = json_getz(r->props, "ThumbprintList");
	int e;

	if (r->physical_id.p) /* an earlier run made it */
		return oidc_read(r);
	if (!iam_cfn_get(r->props, "Url").p)
		return cfn_fail(r, "Property Url is required");
	json_set_str(r->arena, p, "Url", iam_cfn_get(r->props, "Url"));
	if (clients)
		json_set(r->arena, p, S("ClientIDList"), clients);
	if (prints)
		json_set(r->arena, p, S("ThumbprintList"), prints);
	json_set(r->arena, p, S("Tags"), iam_cfn_own_tags(r));
	e = cfn_call(r, "iam", "CreateOpenIDConnectProvider", p, &out, NULL);
	if (e < 0)
		return e;
	r->ret_physical_id = r->physical_id = iam_cfn_get(out, "OpenIDConnectProviderArn");
	e = cfn_note_physical(r, r->physical_id);
	return e < 0 ? e : oidc_read(r);
}

static int change_clients(struct cfn_resource *r, const char *op, const struct json *from, const struct json *but)
{
	for (size_t i = 0; json_is(from, JSON_ARRAY) && i < from->n; i++) {
		struct json *p;
		int e;

		if (iam_cfn_lists(but, json_str(&from->items[i])))
			continue;
		p = iam_cfn_params(r, oidc.arn_member, r->physical_id);
		json_set_str(r->arena, p, "ClientID", json_str(&from->items[i]));
		e = cfn_call(r, "iam", op, p, NULL, NULL);
		if (e < 0)
			return e;
	}
	return 0;
}

static int oidc_update(struct cfn_resource *r)
{
	const struct json *want = json_getz(r->props, "ClientIdList"), *have = json_getz(r->old_props, "ClientIdList"),
			  *prints = json_getz(r->props, "ThumbprintList");
	int e = 0;

	if (iam_cfn_changed(r, "ThumbprintList")) {
		struct json *p = iam_cfn_params(r, oidc.arn_member, r->physical_id);

		json_set(r->arena, p, S("ThumbprintList"), prints ? prints : json_new(r->arena, JSON_ARRAY));
		e = cfn_call(r, "iam", "UpdateOpenIDConnectProviderThumbprint", p, NULL, NULL);
	}
	if (e == 0)
		e = change_clients(r, "AddClientIDToOpenIDConnectProvider", want, have);
	if (e == 0)
		e = change_clients(r, "RemoveClientIDFromOpenIDConnectProvider", have, want);
	if (e == 0)
		e = sync_tags(r, &oidc);
	return e < 0 ? e : oidc_read(r);
}

static int oidc_delete(struct cfn_resource *r)
{
	return remove_one(r, "DeleteOpenIDConnectProvider", &oidc);
}

static const struct cfn_property oidc_properties[] = {
	{ "ClientIdList", CFN_UPDATE }, { "Tags", CFN_UPDATE }, { "ThumbprintList", CFN_UPDATE }, { "Url", CFN_REPLACE }, { NULL },
};
static const char *const oidc_attributes[] = { "Arn", NULL }, *const oidc_identifiers[] = { "Arn", NULL };
const struct cfn_type iam_cfn_oidc = {
	.name = "AWS::IAM::OIDCProvider",
	.properties = oidc_properties,
	.attributes = oidc_attributes,
	.identifiers = oidc_identifiers,
	.create = oidc_create,
	.update = oidc_update,
	.delete = oidc_delete,
	.read = oidc_read,
	.find = oidc_read,
};

/* --- AWS::IAM::SAMLProvider --- */

static int saml_read(struct cfn_resource *r)
{
	struct json *out;
	int e = cfn_call(r, "iam", "GetSAMLProvider", iam_cfn_params(r, saml.arn_member, r->physical_id), &out, NULL);

	if (e < 0)
		return e;
	r->ret_attrs = iam_cfn_params(r, "Arn", r->physical_id);
	json_set_str(r->arena, r->ret_attrs, "SamlProviderUUID", iam_cfn_get(out, "SAMLProviderUUID"));
	return 0;
}

static void saml_settings(struct cfn_resource *r, struct json *p)
{
	static const char *const same[] = { "AddPrivateKey", "AssertionEncryptionMode", "RemovePrivateKey" }; /* refused by name */

	json_set_str(r->arena, p, "SAMLMetadataDocument", iam_cfn_get(r->props, "SamlMetadataDocument"));
	iam_cfn_copy(r, p, same, ELEMENTS(same));
}

static int saml_create(struct cfn_resource *r)
{
	struct str name = iam_cfn_get(r->props, "Name");
	struct json *p, *out;
	int e;

	if (r->physical_id.p) /* an earlier run made it */
		return saml_read(r);
	p = iam_cfn_params(r, "Name", name.p ? name : cfn_name(r, 128, false));
	saml_settings(r, p);
	json_set(r->arena, p, S("Tags"), iam_cfn_own_tags(r));
	e = cfn_call(r, "iam", "CreateSAMLProvider", p, &out, NULL);
	if (e < 0)
		return e;
	r->ret_physical_id = r->physical_id = iam_cfn_get(out, "SAMLProviderArn");
	e = cfn_note_physical(r, r->physical_id);
	return e < 0 ? e : saml_read(r);
}

static int saml_update(struct cfn_resource *r)
{
	struct json *p = iam_cfn_params(r, saml.arn_member, r->physical_id);
	int e = 0;

	saml_settings(r, p);
	if (iam_cfn_changed(r, "SamlMetadataDocument") || p->n > 2)
		e = cfn_call(r, "iam", "UpdateSAMLProvider", p, NULL, NULL);
	if (e == 0)
		e = sync_tags(r, &saml);
	return e < 0 ? e : saml_read(r);
}

static int saml_delete(struct cfn_resource *r)
{
	return remove_one(r, "DeleteSAMLProvider", &saml);
}

static const struct cfn_property saml_properties[] = {
	{ "AddPrivateKey", CFN_UPDATE },
	{ "AssertionEncryptionMode", CFN_UPDATE },
	{ "Name", CFN_REPLACE },
	{ "RemovePrivateKey", CFN_UPDATE },
	{ "SamlMetadataDocument", CFN_UPDATE },
	{ "Tags", CFN_UPDATE },
	{ NULL },
};
static const char *const saml_attributes[] = { "Arn", "SamlProviderUUID", NULL };
const struct cfn_type iam_cfn_saml = {
	.name = "AWS::IAM::SAMLProvider",
	.properties = saml_properties,
	.attributes = saml_attributes,
	.identifiers = oidc_identifiers,
	.name_property = "Name",
	.create = saml_create,
	.update = saml_update,
	.delete = saml_delete,
	.read = saml_read,
	.find = saml_read,
};

/* --- AWS::IAM::VirtualMFADevice --- */

/* Users are told to be the device's, but only their own codes can enable it: nothing is done with them, as on AWS. */
static int mfa_create(struct cfn_resource *r)
{
	struct str name = iam_cfn_get(r->props, "VirtualMfaDeviceName");
	struct json *p, *out;
	int e;

	if (r->physical_id.p) /* an earlier run made it */
		return 0;
	p = iam_cfn_params(r, "VirtualMFADeviceName", name.p ? name : cfn_name(r, 128, false));
	json_set_str(r->arena, p, "Path", iam_cfn_get(r->props, "Path"));
	json_set(r->arena, p, S("Tags"), iam_cfn_own_tags(r));
	e = cfn_call(r, "iam", "CreateVirtualMFADevice", p, &out, NULL);
	if (e < 0)
		return e;
	r->ret_physical_id = iam_cfn_get(json_getz(out, "VirtualMFADevice"), "SerialNumber");
	r->ret_attrs = iam_cfn_params(r, "SerialNumber", r->ret_physical_id);
	return cfn_note_physical(r, r->ret_physical_id);
}

static int mfa_update(struct cfn_resource *r)
{
	r->ret_attrs = iam_cfn_params(r, "SerialNumber", r->physical_id);
	return sync_tags(r, &mfa);
}

static int mfa_delete(struct cfn_resource *r)
{
	return remove_one(r, "DeleteVirtualMFADevice", &mfa);
}

static const struct cfn_property mfa_properties[] = {
	{ "Path", CFN_REPLACE }, { "Tags", CFN_UPDATE }, { "Users", CFN_UPDATE, true }, { "VirtualMfaDeviceName", CFN_REPLACE }, { NULL },
};
static const char *const mfa_attributes[] = { "SerialNumber", NULL };
const struct cfn_type iam_cfn_mfa = {
	.name = "AWS::IAM::VirtualMFADevice",
	.properties = mfa_properties,
	.attributes = mfa_attributes,
	.create = mfa_create,
	.update = mfa_update,
	.delete = mfa_delete,
};

/* --- AWS::IAM::ServerCertificate --- */

static int certificate_read(struct cfn_resource *r)
{
	struct json *out;
	int e = cfn_call(r, "iam", "GetServerCertificate", iam_cfn_params(r, certificate.arn_member, r->physical_id), &out, NULL);

	if (e < 0)
		return e;
	r->ret_attrs = iam_cfn_params(r, "Arn",
				      iam_cfn_get(json_getz(json_getz(out, "ServerCertificate"), "ServerCertificateMetadata"), "Arn"));
	return 0;
}

static int certificate_create(struct cfn_resource *r)
{
	static const char *const same[] = { "CertificateBody", "CertificateChain", "Path", "PrivateKey" };
	struct str name = iam_cfn_get(r->props, "ServerCertificateName");
	struct json *p;
	int e;

	if (!r->physical_id.p) { /* else an earlier run made it */
		name = name.p ? name : cfn_name(r, 128, false);
		p = iam_cfn_params(r, certificate.arn_member, name);
		iam_cfn_copy(r, p, same, ELEMENTS(same));
		json_set(r->arena, p, S("Tags"), iam_cfn_own_tags(r));
		e = cfn_call(r, "iam", "UploadServerCertificate", p, NULL, NULL);
		if (e == 0)
			e = cfn_note_physical(r, name);
		if (e < 0)
			return e;
		r->physical_id = name;
	}
	r->ret_physical_id = r->physical_id;
	return certificate_read(r);
}

static int certificate_update(struct cfn_resource *r)
{
	struct str path = iam_cfn_get(r->props, "Path");
	int e = 0;

	if (iam_cfn_changed(r, "Path")) {
		struct json *p = iam_cfn_params(r, certificate.arn_member, r->physical_id);

		json_set_str(r->arena, p, "NewPath", path.p ? path : S("/"));
		e = cfn_call(r, "iam", "UpdateServerCertificate", p, NULL, NULL);
	}
	if (e == 0)
		e = sync_tags(r, &certificate);
	return e < 0 ? e : certificate_read(r);
}

static int certificate_delete(struct cfn_resource *r)
{
	return remove_one(r, "DeleteServerCertificate", &certificate);
}

static const struct cfn_property certificate_properties[] = {
	{ "CertificateBody", CFN_REPLACE },
	{ "CertificateChain", CFN_REPLACE },
	{ "Path", CFN_UPDATE },
	{ "PrivateKey", CFN_REPLACE },
	{ "ServerCertificateName", CFN_REPLACE },
	{ "Tags", CFN_UPDATE },
	{ NULL },
};
static const char *const certificate_attributes[] = { "Arn", NULL };
const struct cfn_type iam_cfn_certificate = {
	.name = "AWS::IAM::ServerCertificate",
	.properties = certificate_properties,
	.attributes = certificate_attributes,
	.name_property = "ServerCertificateName",
	.create = certificate_create,
	.update = certificate_update,
	.delete = certificate_delete,
	.read = certificate_read,
	.find = certificate_read,
};
