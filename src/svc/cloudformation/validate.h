/* SPDX-License-Identifier: Apache-2.0 */
/* validate.h - early validation of change sets, and what they import. */
#pragma once
#include "svc/cloudformation/cfn_int.h"

/* validate_changes fills cs->faults (and then its status), and cs->imports where existing resources are to be imported; their changes
 * become imports. */
int validate_changes(struct call *c, struct input *in, struct cfn_rec_change_set *cs, struct json *changes);
/* validate_import: the changes must be exactly what is to be imported, and all of it must exist. Fills cs->imports. */
int validate_import(struct call *c, struct input *in, struct cfn_rec_change_set *cs,
		    const struct cloudformation_resource_to_import_list *want, struct json *changes);
