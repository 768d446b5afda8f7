/* SPDX-License-Identifier: Apache-2.0 */
/* ssm_int.h - shared by the files of Systems Manager's Parameter Store. */
#pragma once
#include "cloud/cloud.h"
#include "gen_kms.h"
#include "gen_ssm.h"
#include "gen_ssm_rec.h"

#define SSM_VERSIONS_MAX 100
#define SSM_STANDARD_BYTES_MAX 4096
#define SSM_ADVANCED_BYTES_MAX 8192
#define SSM_LEVELS_MAX 15
#define SSM_LABELS_MAX 10    /* of one version */
#define SSM_SCANNED_MAX 5000 /* parameters one call looks at before it hands back a token */

/* A name as clients give it: "name", "/path/name", an ARN, each with an optional ":version". */
struct ssm_ref {
	struct str name;     /* as stored: without ARN and selector */
	struct str selector; /* ":3", absent */
	int64_t version;     /* 0: the latest */
	struct str label;    /* absent */
};
int ssm_ref_parse(struct call *c, struct str s, struct ssm_ref *ret); /* -EINVAL */
struct str ssm_arn(struct call *c, struct str name);
int ssm_load(struct call *c, struct str name, struct ssm_rec_parameter *ret);                          /* -ENOENT */
int ssm_load_version(struct call *c, struct str name, int64_t version, struct ssm_rec_parameter *ret); /* -ENOENT */
int ssm_load_ref(struct call *c, const struct ssm_ref *ref, struct ssm_rec_parameter *ret); /* by name, version or label; -ENOENT */
void ssm_key(struct keybuf *k, struct str account, struct str name);
void ssm_history_key(struct keybuf *k, struct str account, struct str name, int64_t version);
int ssm_labels_drop(struct call *c, struct str name); /* with their parameter */
/* ssm_value is the parameter's value as the caller may see it: in the clear, or what KMS sealed. Refuses in KMS's words. */
int ssm_value(struct call *c, const struct ssm_rec_parameter *p, bool decrypt, struct str *ret);

#define SSM_HANDLER(op) int ssm_##op(struct call *c, const struct ssm_##op##_request *in, struct ssm_##op##_result *out)
SSM_HANDLER(put_parameter);
SSM_HANDLER(get_parameter);
SSM_HANDLER(get_parameters);
SSM_HANDLER(get_parameters_by_path);
SSM_HANDLER(get_parameter_history);
SSM_HANDLER(delete_parameter);
SSM_HANDLER(delete_parameters);
SSM_HANDLER(describe_parameters);
SSM_HANDLER(add_tags_to_resource);
SSM_HANDLER(remove_tags_from_resource);
SSM_HANDLER(list_tags_for_resource);
SSM_HANDLER(label_parameter_version);

extern const struct cfn_type *const ssm_cfn[];
extern const struct cfn_reader ssm_parameter_reader;
