/* SPDX-License-Identifier: Apache-2.0 */
/* sections.h - the sections of a template, taken in three steps by template_parse. */
#pragma once
#include "cfn/template_int.h"

int sections_head(struct template *t, struct str *err); /* known sections, version, description, transforms */
int sections_take(struct template *t, struct str *err); /* every section into its array */
int sections_link(struct template *t, struct str *err); /* conditions and DependsOn, once names are indexed */
