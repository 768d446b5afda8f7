/* SPDX-License-Identifier: Apache-2.0 */
/* ssm.c - registration of AWS Systems Manager (Parameter Store). */
#include "svc/ssm/ssm_int.h"
#include "svc/services.h"
#include <errno.h>

const struct ssm_ops ssm_ops = {
	.put_parameter = ssm_put_parameter,
	.get_parameter = ssm_get_parameter,
	.get_parameters = ssm_get_parameters,
	.get_parameters_by_path = ssm_get_parameters_by_path,
	.get_parameter_history = ssm_get_parameter_history,
	.delete_parameter = ssm_delete_parameter,
	.delete_parameters = ssm_delete_parameters,
	.describe_parameters = ssm_describe_parameters,
	.add_tags_to_resource = ssm_add_tags_to_resource,
	.remove_tags_from_resource = ssm_remove_tags_from_resource,
	.list_tags_for_resource = ssm_list_tags_for_resource,
	.label_parameter_version = ssm_label_parameter_version,
};

/* A parameter needs not exist to be asked about: the right to its name is what counts. */
static int ssm_resource(struct call *c, const char *action, struct str kind, struct str id, struct authz_resource *ret)
{
	struct ssm_rec_parameter p;
	struct ssm_ref ref;

	if (ssm_ref_parse(c, id, &ref) < 0) {
		ret->arn = ssm_arn(c, id);
		return 0;
	}
	ret->arn = ssm_arn(c, ref.name);
	if (ssm_load(c, ref.name, &p) == 0)
		ret->tags = p.tags;
	return 0;
}

const struct service ssm_service = {
	.model = &ssm_model,
	.principal = "ssm.amazonaws.com",
	.resource = ssm_resource,
	.cfn = ssm_cfn,
};
