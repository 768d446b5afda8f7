/* SPDX-License-Identifier: Apache-2.0 */
/* summary.c - what a template says about itself before anything is decided. */
#include "cfn/template_int.h"

static int by_str(const void *x, const void *y)
{
	const struct str *a = x, *b = y;

	return str_cmp(*a, *b);
}

static size_t unique(struct str *v, size_t n)
{
	size_t k = 0;

	qsort(v, n, sizeof *v, by_str);
	for (size_t i = 0; i < n; i++)
		if (!i || !str_eq(v[i], v[i - 1]))
			v[k++] = v[i];
	return k;
}

/* named says whether an IAM resource chooses a name of its own, which other stacks may collide with. */
static bool named(const struct template_resource *res)
{
	static const char *const names[][2] = {
		{ "AWS::IAM::Role", "RoleName" },
		{ "AWS::IAM::User", "UserName" },
		{ "AWS::IAM::Group", "GroupName" },
		{ "AWS::IAM::ManagedPolicy", "ManagedPolicyName" },
		{ "AWS::IAM::InstanceProfile", "InstanceProfileName" },
	};

	for (size_t i = 0; i < ELEMENTS(names); i++)
		if (str_is(res->type, names[i][0]) && json_getz(res->properties, names[i][1]))
			return true;
	return false;
}

/* Types that CreateStack's documentation (parameter Capabilities) does not list: they give nobody a right by themselves. */
static bool harmless(struct str type)
{
	return str_is(type, "AWS::IAM::OIDCProvider") || str_is(type, "AWS::IAM::SAMLProvider") ||
	       str_is(type, "AWS::IAM::ServerCertificate") || str_is(type, "AWS::IAM::VirtualMFADevice");
}

void template_summary(struct arena *a, const struct template *t, struct template_summary *ret)
{
	struct str *types = arena_array(a, struct str, t->n_resources + 1), *iam = arena_array(a, struct str, t->n_resources + 1);
	size_t n_iam = 0, cap = 0;
	bool any_named = false;

	*ret = (struct template_summary){ 0 };
	for (size_t i = 0; i < t->n_resources; i++) {
		types[i] = t->resources[i].type;
		if (!str_starts(types[i], S("AWS::IAM::")) || harmless(types[i]))
			continue;
		iam[n_iam++] = types[i];
		any_named = any_named || named(&t->resources[i]);
	}
	ret->resource_types = (struct str_list){ types, unique(types, t->n_resources) };
	if (n_iam) {
		n_iam = unique(iam, n_iam);
		vec_push(a, ret->capabilities.v, ret->capabilities.n, cap) = any_named ? S("CAPABILITY_NAMED_IAM") : S("CAPABILITY_IAM");
		ret->capabilities_reason = str_printf(a, "The following resource(s) require capabilities: [%.*s]",
						      STR(names_text(a, iam, n_iam)));
	}
	if (t->transforms.n)
		vec_push(a, ret->capabilities.v, ret->capabilities.n, cap) = S("CAPABILITY_AUTO_EXPAND");
}
