/* SPDX-License-Identifier: Apache-2.0 */
/* custom.h - the texts of the custom resource protocol: what a provider is asked, what it answers, and where it answers.
 *
 * Nothing here does I/O. Source: "Custom resource request objects", "Custom resource response objects" (CloudFormation
 * Template Reference). */
#pragma once
#include "base/json.h"

#define CUSTOM_ANSWER_BYTES_MAX 4096
#define CUSTOM_ID_BYTES_MAX 1024
#define CUSTOM_TIMEOUT_SECONDS_MAX 3600 /* and what counts when the resource doesn't say */
#define CUSTOM_PATH "/cloudformation-custom-resource-response-"

/* --- what is asked --- */
struct custom_request {
	const char *type; /* "Create", "Update", "Delete" */
	struct str service_token, url, stack_id, request_id, logical, resource_type;
	struct str physical;                  /* absent on Create */
	const struct json *props, *old_props; /* old_props on Update only */
};
struct str custom_event(struct arena *a, const struct custom_request *q);
/* custom_strings copies j with every number and truth value as a string, as providers get them. */
struct json *custom_strings(struct arena *a, const struct json *j);
/* custom_timeout: the ServiceTimeout property in seconds, or the default; -EINVAL with a sentence. */
int custom_timeout(struct arena *a, const struct json *props, int64_t *ret_seconds, struct str *ret_err);

/* --- what is answered --- */
struct custom_answer {
	bool success, no_echo;
	struct str reason, physical; /* absent when not given */
	struct json *data;           /* always an object; scalars are strings */
};
/* custom_answer_parse reads a provider's answer to this request. -EINVAL with CloudFormation's sentence. */
int custom_answer_parse(struct arena *a, struct str body, const struct custom_request *q, struct custom_answer *ret, struct str *ret_err);

/* --- where: /cloudformation-custom-resource-response-REGION/STACK-ARN|LOGICAL|REQUEST?X-Amz-... --- */
struct custom_place {
	struct str stack_id, region, logical, request_id;
};
/* custom_target: path and query, signed with the key; valid until expires. */
struct str custom_target(struct arena *a, const uint8_t key[32], const struct custom_place *p, int64_t now_ms, int64_t expires_ms);
/* custom_target_parse: -EACCES when the key did not sign exactly this, -ETIME when it is over. */
int custom_target_parse(struct arena *a, const uint8_t key[32], struct str path, struct str query, int64_t now_ms,
			struct custom_place *ret);
