/* SPDX-License-Identifier: Apache-2.0 */
/* templates.c - operations on template texts: the one of a stack, and what a text says about itself. */
#include "svc/cloudformation/cfn_int.h"
#include <errno.h>

CFN_HANDLER(get_template, output)
{
	struct cfn_rec_change_set cs;
	struct cfn_rec_stack s;
	struct template *t;
	int r;

	if (in->change_set_name.p)
		r = change_set_find(c, in->change_set_name, in->stack_name, &s, &cs);
	else if (in->stack_name.p)
		r = cfn_stack(c, in->stack_name, &s);
	else
		return cfn_invalid(c, "Either StackName or ChangeSetName must be specified.");
	if (r < 0)
		return r;
	r = stack_template(c->txn, c->arena, &s, in->change_set_name.p ? cs.next->template : s.now->template, &out->template_body);
	if (r == -ENOENT && !in->change_set_name.p)
		r = 0; /* a stack that only has change sets so far is in the answer without a body */
	if (r < 0)
		return r;
	if (str_is(in->template_stage, "Processed") && out->template_body.p) {
		r = input_parse(c, out->template_body, &t);
		if (r == 0 && t->transforms.n)
			out->template_body = json_text(c->arena, t->root);
	}
	out->stages_available = (struct str_list){ arena_array(c->arena, struct str, 2), 2 };
	out->stages_available.v[0] = S("Original");
	out->stages_available.v[1] = S("Processed");
	return r;
}

/* Types that nobody knows, when the caller wants to hear of them instead of being refused. */
static int unknown_types(struct call *c, const struct template_summary *sum, bool warn,
			 struct cloudformation_get_template_summary_output *out)
{
	struct str *v = arena_array(c->arena, struct str, sum->resource_types.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < sum->resource_types.n; i++)
		if (!type_find(c->cloud, sum->resource_types.v[i]))
			v[n++] = sum->resource_types.v[i];
	if (!n)
		return 0;
	if (!warn)
		return cfn_invalid(c, "Template format error: Unrecognized resource types: [%.*s]. This cloud does not implement them.",
				   STR(str_join(c->arena, v, n, S(", "))));
	out->warnings = arena_new(c->arena, struct cloudformation_warnings);
	out->warnings->unrecognized_resource_types = (struct str_list){ v, n };
	return 0;
}

CFN_HANDLER(validate_template, output)
{
	struct template_summary sum;
	struct template *t;
	struct str text;
	int r = input_text(c, in->template_body, in->template_url, &text);

	if (r == 0)
		r = input_parse(c, text, &t);
	if (r < 0)
		return r;
	template_summary(c->arena, t, &sum);
	r = unknown_types(c, &sum, false, NULL);
	if (r < 0)
		return r;
	out->parameters.v = arena_array(c->arena, struct cloudformation_template_parameter, t->n_parameters + 1);
	for (size_t i = 0; i < t->n_parameters; i++)
		out->parameters.v[out->parameters.n++] = (struct cloudformation_template_parameter){
			.parameter_key = t->parameters[i].name,
			.default_value = t->parameters[i].dflt,
			.no_echo = OPT_BOOL(t->parameters[i].no_echo),
			.description = t->parameters[i].description,
		};
	out->description = t->description;
	out->capabilities = sum.capabilities;
	out->capabilities_reason = sum.capabilities_reason;
	out->declared_transforms = t->transforms;
	return 0;
}

static int summary_text(struct call *c, const struct cloudformation_get_template_summary_input *in, struct str *ret)
{
	struct cfn_rec_stack s;
	int r;

	if (in->stack_set_name.p)
		return cfn_invalid(c, "Stack sets are not implemented by this cloud.");
	if (!in->stack_name.p)
		return input_text(c, in->template_body, in->template_url, ret);
	r = cfn_stack(c, in->stack_name, &s);
	return r < 0 ? r : stack_template(c->txn, c->arena, &s, s.now->template, ret);
}

static void parameter_out(struct call *c, const struct template_parameter *p, struct cloudformation_parameter_declaration *d)
{
	*d = (struct cloudformation_parameter_declaration){
		.parameter_key = p->name,
		.default_value = p->dflt,
		.parameter_type = p->type,
		.no_echo = OPT_BOOL(p->no_echo),
		.description = p->description,
	};
	d->parameter_constraints = arena_new(c->arena, struct cloudformation_parameter_constraints);
	if (!p->allowed)
		return;
	d->parameter_constraints->allowed_values.v = arena_array(c->arena, struct str, p->allowed->n + 1);
	for (size_t i = 0; i < p->allowed->n; i++)
		d->parameter_constraints->allowed_values.v[d->parameter_constraints->allowed_values.n++] = json_scalar(
			&p->allowed->items[i]);
}

/* Which types can be imported, and by what they are told apart. */
static void identifiers_out(struct call *c, const struct template *t, const struct str_list *types,
			    struct cloudformation_resource_identifier_summary_list *ret)
{
	ret->v = arena_array(c->arena, struct cloudformation_resource_identifier_summary, types->n + 1);
	for (size_t i = 0; i < types->n; i++) {
		const struct cfn_type *type = type_find(c->cloud, types->v[i]);
		struct cloudformation_resource_identifier_summary *x;
		size_t cap = 0, cap_ids = 0;

		if (!type || !type->find)
			continue;
		x = &ret->v[ret->n++];
		x->resource_type = types->v[i];
		for (size_t k = 0; k < t->n_resources; k++)
			if (str_eq(t->resources[k].type, types->v[i]))
				vec_push(c->arena, x->logical_resource_ids.v, x->logical_resource_ids.n, cap) = t->resources[k].id;
		for (size_t k = 0; type->identifiers && type->identifiers[k]; k++)
			vec_push(c->arena, x->resource_identifiers.v, x->resource_identifiers.n, cap_ids) = str_c(type->identifiers[k]);
		if (!type->identifiers)
			vec_push(c->arena, x->resource_identifiers.v, x->resource_identifiers.n, cap_ids) = str_c(type->name_property);
	}
}

CFN_HANDLER(get_template_summary, output)
{
	struct template_summary sum;
	struct template *t;
	struct str text;
	int r = summary_text(c, in, &text);

	if (r == 0)
		r = input_parse(c, text, &t);
	if (r < 0)
		return r;
	template_summary(c->arena, t, &sum);
	r = unknown_types(c, &sum,
			  in->template_summary_config && in->template_summary_config->treat_unrecognized_resource_types_as_warnings.v, out);
	if (r < 0)
		return r;
	out->parameters.v = arena_array(c->arena, struct cloudformation_parameter_declaration, t->n_parameters + 1);
	for (size_t i = 0; i < t->n_parameters; i++)
		parameter_out(c, &t->parameters[i], &out->parameters.v[out->parameters.n++]);
	out->description = t->description;
	out->capabilities = sum.capabilities;
	out->capabilities_reason = sum.capabilities_reason;
	out->resource_types = sum.resource_types;
	identifiers_out(c, t, &sum.resource_types, &out->resource_identifier_summaries);
	out->version = json_get_str(t->root, "AWSTemplateFormatVersion");
	if (t->metadata)
		out->metadata = json_text(c->arena, t->metadata);
	out->declared_transforms = t->transforms;
	return 0;
}
