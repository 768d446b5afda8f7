/* SPDX-License-Identifier: Apache-2.0 */
/* saml.c - SAML providers: whose responses sts:AssumeRoleWithSAML believes.
 *
 * What decides (entity id, certificates, end) is taken from the metadata when they are set; the document itself is kept apart,
 * only to be given back. */
#include "saml/saml.h"
#include "svc/iam/ops.h"
#include <errno.h>

#define FOREVER_MS (100ll * 365 * 86400 * 1000) /* metadata that do not say how long are good for a hundred years, as on AWS */

static void document_key(struct keybuf *k, struct call *c, struct str id)
{
	iam_key_of(k, c->account, "iam.metadata", id, STR_NONE);
}

/* Nothing here can decrypt, so nothing may be told to be encrypted. */
static int refuse_encryption(struct call *c, struct str mode, struct str add, struct str remove)
{
	if (!mode.p && !add.p && !remove.p)
		return 0;
	return call_fail(c, &aws_err_not_implemented, "Encrypted assertions are not implemented: %s must be left out.",
			 mode.p  ? "AssertionEncryptionMode"
			 : add.p ? "AddPrivateKey"
				 : "RemovePrivateKey");
}

static int read_metadata(struct call *c, struct str document, struct iam_rec_saml *ret)
{
	int64_t now = c->now_ms - clock_offset_ms();
	struct saml_metadata m;
	int r = saml_metadata_read(c->arena, document, &m);

	if (r == -E2BIG)
		return call_fail(c, &iam_err_limit_exceeded, "Cannot exceed quota for KeysPerSAMLProvider: %d", SAML_CERTIFICATES_MAX);
	if (r == -EKEYREJECTED)
		return call_fail(c, &iam_err_invalid_input, "Could not parse metadata: a signing certificate is not valid.");
	if (r < 0)
		return call_fail(c, &iam_err_invalid_input, "Could not parse metadata");
	if (m.valid_until.has && m.valid_until.ms <= now)
		return call_fail(c, &iam_err_invalid_input, "Could not parse metadata: it has expired.");
	*ret = (struct iam_rec_saml){
		.entity_id = m.entity_id,
		.certificates = m.certificates,
		.valid_until = m.valid_until.has ? m.valid_until : OPT_TIME(c->now_ms - c->now_ms % 1000 + FOREVER_MS),
	};
	return 0;
}

static int put(struct call *c, struct str id, const struct iam_rec_saml *more, struct str document)
{
	struct keybuf k;
	int r = iam_more_put(c, IAM_REC_SAML, id, more);

	document_key(&k, c, id);
	return r < 0 ? r : store_put(c->txn, key_view(&k), document);
}

int iam_create_saml_provider(struct call *c, const struct iam_create_saml_provider_request *in,
			     struct iam_create_saml_provider_response *out)
{
	struct iam_rec_saml more;
	struct iam_rec_entity e;
	struct str_map tags;
	int r = refuse_encryption(c, in->assertion_encryption_mode, in->add_private_key, STR_NONE);

	if (r == 0)
		r = read_metadata(c, in->saml_metadata_document, &more);
	if (r == 0)
		r = iam_tags_check(c, &in->tags, &tags);
	if (r == 0)
		r = iam_new(c, IAM_SAML, in->name, STR_NONE, &e);
	if (r < 0)
		return r;
	e.tags = tags;
	r = iam_insert(c, IAM_SAML, &e);
	if (r == 0)
		r = put(c, e.id, &more, in->saml_metadata_document);
	out->saml_provider_arn = e.arn;
	if (tags.n)
		out->tags = iam_tags_view(c, &tags);
	return r;
}

int iam_saml_find(struct store_txn *global, struct arena *a, struct str account, struct str arn, struct iam_rec_entity *ret,
		  struct iam_rec_saml *ret_more)
{
	int r = iam_get_arn(global, a, account, IAM_SAML, arn, ret);

	return r < 0 ? r : iam_more_get(global, a, account, IAM_REC_SAML, ret->id, ret_more);
}

int iam_get_saml_provider(struct call *c, const struct iam_get_saml_provider_request *in, struct iam_get_saml_provider_response *out)
{
	struct iam_rec_saml more;
	struct iam_rec_entity e;
	struct str document;
	struct keybuf k;
	int r = iam_load_arn(c, IAM_SAML, in->saml_provider_arn, &e);

	if (r == 0)
		r = iam_more_get(c->txn, c->arena, c->account, IAM_REC_SAML, e.id, &more);
	if (r < 0)
		return r;
	document_key(&k, c, e.id);
	r = store_get(c->txn, key_view(&k), &document);
	if (r < 0)
		return r;
	out->saml_provider_uuid = e.id;
	out->saml_metadata_document = str_dup(c->arena, document);
	out->create_date = e.created;
	out->valid_until = more.valid_until;
	out->tags = iam_tags_view(c, &e.tags);
	return 0;
}

int iam_list_saml_providers(struct call *c, const struct iam_list_saml_providers_request *in, struct iam_list_saml_providers_response *out)
{
	struct iam_saml_provider_list_entry *v = arena_array(c->arena, struct iam_saml_provider_list_entry, IAM_SAML_MAX);
	struct store_range range = { 0 };
	struct iam_rec_saml more;
	struct iam_rec_entity e;
	struct keybuf k;
	struct str key, value;
	size_t n = 0;
	int r;

	iam_key_of(&k, c->account, "iam.saml", STR_NONE, STR_NONE);
	r = store_range_open(&range, c->txn, key_view(&k), STR_NONE, false);
	while (r >= 0 && n < IAM_SAML_MAX && (r = store_range_next(&range, &key, &value)) > 0) {
		r = iam_decode(c, value, &e);
		if (r == 0)
			r = iam_more_get(c->txn, c->arena, c->account, IAM_REC_SAML, e.id, &more);
		if (r == 0)
			v[n++] = (struct iam_saml_provider_list_entry){ e.arn, more.valid_until, e.created };
	}
	store_range_close(&range);
	out->saml_provider_list.v = v;
	out->saml_provider_list.n = n;
	return r < 0 ? r : 0;
}

int iam_update_saml_provider(struct call *c, const struct iam_update_saml_provider_request *in,
			     struct iam_update_saml_provider_response *out)
{
	struct iam_rec_saml more;
	struct iam_rec_entity e;
	int r = iam_load_arn(c, IAM_SAML, in->saml_provider_arn, &e);

	if (r == 0)
		r = refuse_encryption(c, in->assertion_encryption_mode, in->add_private_key, in->remove_private_key);
	if (r < 0)
		return r;
	if (!in->saml_metadata_document.p)
		return call_fail(c, &iam_err_invalid_input,
				 "Unable to update identity provider. No updates are defined for metadata or encryption assertion.");
	r = read_metadata(c, in->saml_metadata_document, &more);
	out->saml_provider_arn = e.arn;
	return r < 0 ? r : put(c, e.id, &more, in->saml_metadata_document);
}

int iam_delete_saml_provider(struct call *c, const struct iam_delete_saml_provider_request *in,
			     struct iam_delete_saml_provider_response *out)
{
	struct iam_rec_entity e;
	struct keybuf k;
	int r = iam_load_arn(c, IAM_SAML, in->saml_provider_arn, &e);

	if (r == 0)
		r = iam_more_del(c, e.id);
	if (r < 0)
		return r;
	document_key(&k, c, e.id);
	r = store_del(c->txn, key_view(&k));
	return r < 0 ? r : iam_remove(c, IAM_SAML, &e);
}
