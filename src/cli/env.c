/* SPDX-License-Identifier: Apache-2.0 */
/* env.c - `cloudkeep env`: the environment that points AWS clients at this cloud, as lines for a shell. */
#include "cli/cli.h"
#include <stdlib.h>

static const char *region;

static int run(struct cli *c)
{
	struct arena *a = &c->arena;
	struct root_key k;
	struct state st;
	char *ca;
	struct json *j;
	int r = state_need(c, &st);

	if (r == 0)
		r = root_key_read(c, &k);
	if (r != 0)
		return r;
	ca = realpath(cli_path(c, "tls/ca.pem"), NULL);
	if (!ca)
		return cli_error("Stop and start the cloud: it makes a new one.", "%s/tls/ca.pem is missing", c->data);
	struct str file = str_dup(a, str_c(ca)), endpoint = str_printf(a, "https://localhost:%d", st.port),
		   name = str_c(region ? region : "us-east-1");
	free(ca);
	struct str_pair v[] = {
		{ S("AWS_ACCESS_KEY_ID"), k.id },   { S("AWS_SECRET_ACCESS_KEY"), k.secret },      { S("AWS_DEFAULT_REGION"), name },
		{ S("AWS_REGION"), name },          { S("AWS_ENDPOINT_URL"), endpoint },           { S("AWS_CA_BUNDLE"), file },
		{ S("NODE_EXTRA_CA_CERTS"), file }, { S("AWS_EC2_METADATA_DISABLED"), S("true") },
	};
	if (c->json) {
		j = json_new(a, JSON_OBJECT);
		for (size_t i = 0; i < ELEMENTS(v); i++)
			json_set_str(a, j, v[i].key.p, v[i].value);
		cli_json(j, a);
		return 0;
	}
	puts("unset AWS_SESSION_TOKEN AWS_PROFILE AWS_DEFAULT_PROFILE");
	for (size_t i = 0; i < ELEMENTS(v); i++)
		printf("export %s=%s\n", v[i].key.p, cli_shell(a, v[i].value));
	if (cli_terminal())
		puts("# To set all of this: eval \"$(cloudkeep env)\"");
	return 0;
}

static const struct cli_option options[] = {
	{ "region", "NAME", "the default region of clients (default us-east-1)", &region, NULL, NULL },
	{ NULL, NULL, NULL, NULL, NULL, NULL },
};

const struct cli_command cmd_env = {
	.name = "env",
	.what = "print what AWS clients need to use this cloud",
	.text = "Prints shell commands that set the endpoint, the root access key, the region and the certificate to trust. The AWS\n"
		"CLI, boto3, the SDKs, CDK and Terraform read them. The root key may do anything: make users and roles for your work.",
	.examples = "  eval \"$(cloudkeep env)\"\n  aws s3 ls\n  eval \"$(cloudkeep env --region eu-west-1)\"\n  cloudkeep env --json",
	.options = options,
	.run = run,
};
