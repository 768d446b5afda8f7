/* SPDX-License-Identifier: Apache-2.0 */
/* explain.c - `cloudkeep explain`: why a principal may, or may not, do something. */
#include "cli/cli.h"
#include <errno.h>

static const char *principal, *action, *resource, *region;
static struct str_list context;

/* A bare name is a user or role of this account. */
static struct str principal_arn(struct cli *c, const char *given, int *ret_r)
{
	struct root_key k;
	struct str s = str_c(given);

	*ret_r = 0;
	if (str_starts(s, S("arn:")) || str_ends(s, S(".amazonaws.com")))
		return s;
	*ret_r = root_key_read(c, &k);
	if (*ret_r != 0)
		return s;
	if (str_is(s, "root") || str_starts(s, S("user/")) || str_starts(s, S("role/")))
		return str_printf(&c->arena, "arn:aws:iam::%.*s:%s", STR(k.account), given);
	*ret_r = cli_usage(c, "--principal %s: give an ARN, root, user/NAME, role/NAME or a service like logs.amazonaws.com", given);
	return s;
}

static int run(struct cli *c)
{
	struct arena *a = &c->arena;
	struct json *q = json_new(a, JSON_OBJECT), *keys = json_new(a, JSON_OBJECT), *ans;
	bool allowed;
	struct str who;
	int r;

	if (!principal || !action || !resource)
		return cli_usage(c, "--principal, --action and --resource say who, what and on what");
	who = principal_arn(c, principal, &r);
	if (r != 0)
		return 2; /* 1 says "denied" */
	for (size_t i = 0; i < context.n; i++) {
		struct str k, v;

		if (!str_cut(context.v[i], '=', &k, &v) || !k.n)
			return cli_usage(c, "--context %.*s: write KEY=VALUE, for example aws:SourceIp=10.0.0.1", STR(context.v[i]));
		json_set(a, keys, k, json_new_str(a, v));
	}
	json_set_str(a, q, "do", S("explain"));
	json_set_str(a, q, "principal", who);
	json_set_str(a, q, "action", str_c(action));
	json_set_str(a, q, "resource", str_c(resource));
	json_set_str(a, q, "region", str_c(region ? region : "us-east-1"));
	json_set(a, q, S("context"), keys);
	r = admin_ask(c, q, &ans);
	if (r != 0)
		return 2;
	allowed = json_to_bool(json_getz(ans, "allowed"), false);
	if (c->json) {
		cli_json(ans, a);
		return allowed ? 0 : 1;
	}
	printf("%s%s%s: %.*s\n", cli_paint(c, allowed ? PAINT_GOOD : PAINT_BAD), allowed ? "allowed" : "denied", cli_paint(c, PAINT_PLAIN),
	       STR(json_get_str(ans, "explanation")));
	printf("  decision   %.*s\n  layer      %.*s\n", STR(json_get_str(ans, "decision")), STR(json_get_str(ans, "layer")));
	if (json_get_str(ans, "policy").p)
		printf("  policy     %.*s\n", STR(json_get_str(ans, "policy")));
	if (json_get_str(ans, "statement").p)
		printf("  statement  %.*s%s%.*s\n", STR(json_get_str(ans, "statement")), json_get_str(ans, "sid").p ? ", Sid " : "",
		       STR(json_get_str(ans, "sid").p ? json_get_str(ans, "sid") : S("")));
	if (!json_to_bool(json_getz(ans, "resource_found"), true) && strcmp(resource, "*") != 0)
		printf("  note       %s has no policy or tags that could be looked at (does it exist?)\n", resource);
	return allowed ? 0 : 1;
}

static const struct cli_option options[] = {
	{ "principal", "WHO", "an ARN, root, user/NAME, role/NAME, or a service (logs.amazonaws.com)", &principal, NULL, NULL },
	{ "action", "ACTION", "s3:GetObject, kms:Decrypt, ...", &action, NULL, NULL },
	{ "resource", "ARN", "on what; * for actions without a resource", &resource, NULL, NULL },
	{ "context", "KEY=VALUE", "a condition key of the call", NULL, NULL, &context },
	{ "region", "NAME", "where (default us-east-1)", &region, NULL, NULL },
	{ NULL, NULL, NULL, NULL, NULL, NULL },
};

const struct cli_command cmd_explain = {
	.name = "explain",
	.what = "why a principal may, or may not, do something",
	.text = "Asks the running cloud to decide as it would decide the call itself: identity policies, the resource's own policy,\n"
		"boundaries, conditions. Prints the decision, the layer that made it, and the statement. Nothing is done.\n"
		"Exit status 0: allowed; 1: denied; 2: there is no answer.",
	.examples = "  cloudkeep explain --principal user/ann --action s3:GetObject --resource arn:aws:s3:::data/report.csv\n"
		    "  cloudkeep explain --principal role/app --action kms:Decrypt --resource arn:aws:kms:us-east-1:123456789012:key/...\n"
		    "  cloudkeep explain --principal user/ann --action s3:PutObject --resource arn:aws:s3:::data/x --context "
		    "aws:SecureTransport=false",
	.options = options,
	.run = run,
};
