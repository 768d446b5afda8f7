/* SPDX-License-Identifier: Apache-2.0 */
/* actor.h - who acts for a resource: what the stack engine puts into cfn_resource.engine. */
#pragma once
#include "cfn/type.h"

struct cfn_actor {
	struct cloud *cloud;
	struct region *region;
	const struct principal *who; /* the stack's caller, or its role */
	struct call_facts facts; /* invoked_by "cloudformation.amazonaws.com" */
	/* Stores the physical id of the resource durably. */
	int (*note)(struct cfn_resource *r, struct str physical_id);
	void *step; /* the engine's */
};
