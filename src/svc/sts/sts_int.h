/* SPDX-License-Identifier: Apache-2.0 */
/* sts_int.h - shared by the files of src/svc/sts only. */
#pragma once
#include "gen_sts.h"
#include "svc/iam/iam.h"

/* Limits: "AssumeRole", "GetSessionToken" (AWS STS API Reference). */
#define STS_ROLE_DEFAULT_S 3600
#define STS_CHAINED_MAX_S 3600
#define STS_USER_DEFAULT_S 43200
#define STS_ROOT_MAX_S 3600
#define STS_POLICY_ARNS_MAX 10
#define STS_POLICY_CHARS_MAX 2048 /* of the inline session policy as sent */
#define STS_TAGS_MAX 50
#define STS_TAG_KEY_BYTES_MAX 128
#define STS_TAG_VALUE_BYTES_MAX 256
#define STS_PACKED_BYTES_MAX 4096 /* policies and tags together; 100 percent of PackedPolicySize */

/* sts_grant makes the session and its credentials, when everything was decided: c->who becomes the role as in asks. Refuses what in
 * asks too much: duration, policies, tags. */
int sts_grant(struct call *c, const struct sts_assume_role_request *in, const struct iam_rec_entity *role,
	      struct sts_assume_role_response *out);
int sts_assume_role(struct call *c, const struct sts_assume_role_request *in, struct sts_assume_role_response *out);
int sts_get_session_token(struct call *c, const struct sts_get_session_token_request *in, struct sts_get_session_token_response *out);
int sts_assume_role_with_saml(struct call *c, const struct sts_assume_role_with_saml_request *in,
			      struct sts_assume_role_with_saml_response *out);
int sts_assume_role_with_web_identity(struct call *c, const struct sts_assume_role_with_web_identity_request *in,
				      struct sts_assume_role_with_web_identity_response *out);
/* sts_mfa_check: is the code that came with the call good? 1, 0 when none came, or refuses. sts_mfa_use, at the end of a handler that
 * has filled its answer: the code is used up; gives CALL_PARKED, or refuses, 0 when none came. */
int sts_mfa_check(struct call *c, struct str serial, struct str code);
int sts_mfa_use(struct call *c, struct str serial, struct str code);
int64_t sts_packed_percent(size_t bytes); /* rounded up */
