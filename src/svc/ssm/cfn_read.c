/* SPDX-License-Identifier: Apache-2.0 */
/* cfn_read.c - what parameters are, in the form of CloudFormation's properties. */
#include "cfn/reader.h"
#include "svc/ssm/ssm_int.h"
#include <errno.h>

/* Everything but the value is told by DescribeParameters only. */
static int described(struct cfn_resource *r, const struct json **ret)
{
	struct json *p = json_new(r->arena, JSON_OBJECT), *filters = json_new(r->arena, JSON_ARRAY),
		    *values = json_new(r->arena, JSON_ARRAY), *f = cfn_param(r, "Key", S("Name")), *out;
	const struct json *l;
	int e;

	json_push(r->arena, values, json_new_str(r->arena, r->physical_id));
	json_set(r->arena, f, S("Values"), values);
	json_push(r->arena, filters, f);
	json_set(r->arena, p, S("ParameterFilters"), filters);
	e = cfn_ask(r, "ssm", "DescribeParameters", p, "", &out);
	l = json_getz(out, "Parameters");
	if (e == 0 && (!l || !l->n))
		return -ENOENT;
	*ret = l ? &l->items[0] : NULL;
	return e;
}

static int parameter_read(struct cfn_resource *r)
{
	static const struct cfn_member value[] = {
		{ "Parameter.Name" }, { "Parameter.Type" }, { "Parameter.Value" }, { "Parameter.DataType" }, { NULL }
	};
	static const struct cfn_member rest[] = { { "Description" }, { "AllowedPattern" }, { "Tier" }, { NULL } };
	static const struct cfn_member tags[] = { { "TagList", "Tags", NULL, cfn_as_tag_map }, { NULL } };
	struct json *p = cfn_param(r, "Name", r->physical_id), *out;
	const struct json *about = NULL;
	int e = cfn_ask(r, "ssm", "GetParameter", p, "ParameterNotFound", &out);

	if (e < 0)
		return e;
	cfn_is(r, out, value);
	if (cfn_wanted(r, "Description AllowedPattern Tier")) {
		e = described(r, &about);
		if (e < 0)
			return e;
		cfn_take(r->arena, about, rest, r->ret_props);
	}
	if (!cfn_wanted(r, "Tags"))
		return 0;
	p = cfn_param(r, "ResourceType", S("Parameter"));
	json_set_str(r->arena, p, "ResourceId", r->physical_id);
	e = cfn_ask(r, "ssm", "ListTagsForResource", p, "InvalidResourceId", &out);
	if (e == 0)
		cfn_take(r->arena, out, tags, r->ret_props);
	return e;
}

static const struct drift_rule rules[] = { { "Policies", DRIFT_UNREAD }, { NULL } };
const struct cfn_reader ssm_parameter_reader = { parameter_read, rules };
