/* SPDX-License-Identifier: Apache-2.0 */
/* federated.h - what roles by web identity and by SAML have in common: nobody signs the call, a provider vouches for the caller. */
#pragma once
#include "svc/sts/sts_int.h"

#define FEDERATED_FUTURE_S 300 /* how far a provider's clock may be ahead */

/* A call under examination. The provider's clock follows the world's, not a cloud's that was moved: federated_now_ms. */
struct federated {
	const char *action; /* "sts:AssumeRoleWithSAML" */
	struct iam_rec_entity role;
	struct sts_assume_role_request session; /* what is asked, with what the provider adds */
	struct key_set keys;                    /* condition keys that the provider's word gives */
};
int64_t federated_now_ms(const struct call *c);
int federated_not_authorized(struct call *c);                                 /* refuses, in the words of the operation */
int federated_role_arn(struct call *c, struct str role_arn, struct arn *ret); /* refuses what is not an ARN of IAM */
bool federated_name_ok(struct str s); /* may it be a session's name or a source identity? [a-zA-Z_0-9+=,.@-]{2,64} */
/* federated_tag adds a session tag, federated_transitive a key that stays when roles are chained. Both refuse: IDPRejectedClaim. */
int federated_tag(struct call *c, struct federated *f, struct str key, struct str value);
int federated_transitive(struct call *c, struct federated *f, struct str key);
/* federated_become: from here on the caller is whom the provider vouches for; the trail names him so, too. */
struct principal *federated_become(struct call *c, struct str provider_arn, struct str unique_id, struct str name);
/* federated_grant: may he, by the role's trust policy? Then the session, or refused. */
int federated_grant(struct call *c, struct federated *f, struct sts_assume_role_response *ret);
