/* SPDX-License-Identifier: Apache-2.0 */
/* unheld.c - lists of the kinds of credentials that cannot be made here (SSH keys, signing certificates, credentials of services).
 *
 * Making one is refused, so every user has none; and whoever takes a user away with all that is its own, as Terraform's force_destroy
 * does, asks for each kind first. */
#include "svc/iam/ops.h"

int iam_list_ssh_public_keys(struct call *c, const struct iam_list_ssh_public_keys_request *in,
			     struct iam_list_ssh_public_keys_response *out)
{
	struct iam_rec_entity user;
	int r = iam_self(c, in->user_name, &user);

	out->ssh_public_keys.v = arena_alloc(c->arena, 1);
	out->is_truncated = OPT_BOOL(false);
	return r;
}

int iam_list_signing_certificates(struct call *c, const struct iam_list_signing_certificates_request *in,
				  struct iam_list_signing_certificates_response *out)
{
	struct iam_rec_entity user;
	int r = iam_self(c, in->user_name, &user);

	out->certificates.v = arena_alloc(c->arena, 1);
	out->is_truncated = OPT_BOOL(false);
	return r;
}

int iam_list_service_specific_credentials(struct call *c, const struct iam_list_service_specific_credentials_request *in,
					  struct iam_list_service_specific_credentials_response *out)
{
	struct iam_rec_entity user;
	int r = in->all_users.v ? 0 : iam_self(c, in->user_name, &user);

	out->service_specific_credentials.v = arena_alloc(c->arena, 1);
	out->is_truncated = OPT_BOOL(false);
	return r;
}
