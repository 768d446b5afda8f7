/* SPDX-License-Identifier: Apache-2.0 */
/* env.c - `cloudkeep env`: the environment that points AWS clients at this cloud, as lines for a shell.
 *
 * The endpoint is an address where it can be: SDKs then put a bucket's name into the path, and no name has to resolve. Only
 * S3 Control has no such form (the account is a label of its host name): its endpoint is a name. */
#include "cli/cli.h"
#include <netdb.h>
#include <stdlib.h>

enum tool { TOOL_CDK = 1, TOOL_TERRAFORM = 2, TOOL_PULUMI = 4, TOOL_NODE = 8, TOOL_ALL = 15 };
static const struct {
	const char *name;
	enum tool tool;
} tools[] = { { "cdk", TOOL_CDK }, { "terraform", TOOL_TERRAFORM }, { "pulumi", TOOL_PULUMI }, { "node", TOOL_NODE }, { "all", TOOL_ALL } };

static const char *region, *tool_name;

struct variable {
	const char *name;
	struct str value;
	unsigned tools; /* those that read it */
};

/* The host that clients on this machine reach the cloud by. */
static struct str host_of(struct arena *a, const struct state *st)
{
	struct str listen = str_c(st->listen), host = listen;
	ptrdiff_t colon = str_rfind_char(listen, ':');

	if (colon >= 0)
		host.n = (size_t)colon;
	if (str_is(host, "[::]") || str_is(host, "[::1]"))
		return S("[::1]");
	if (host.n == 0 || str_is(host, "0.0.0.0") || str_is(host, "localhost"))
		return S("127.0.0.1");
	return str_dup(a, host);
}

static bool resolves(const char *name)
{
	struct addrinfo *all = NULL;
	int r = getaddrinfo(name, NULL, NULL, &all);

	if (r == 0)
		freeaddrinfo(all);
	return r == 0;
}

static int find_tool(struct cli *c, enum tool *ret)
{
	*ret = TOOL_ALL;
	for (size_t i = 0; tool_name && i < ELEMENTS(tools); i++)
		if (strcmp(tools[i].name, tool_name) == 0) {
			*ret = tools[i].tool;
			return 0;
		}
	return tool_name ? cli_usage(c, "--tool %s: it is one of cdk, terraform, pulumi, node, all", tool_name) : 0;
}

static void print_shell(struct cli *c, const struct variable *v, size_t n, enum tool tool, struct str account)
{
	struct arena *a = &c->arena;
	const char *control = str_printf(a, "%.*s.localhost", STR(account)).p;

	puts("unset AWS_SESSION_TOKEN AWS_PROFILE AWS_DEFAULT_PROFILE");
	for (size_t i = 0; i < n; i++)
		if (v[i].tools & tool)
			printf("export %s=%s\n", v[i].name, cli_shell(a, v[i].value));
	if ((tool & (TOOL_TERRAFORM | TOOL_PULUMI | TOOL_NODE)) && !resolves(control))
		printf("# S3 Control (bucket tags in newer providers) puts the account into the host name; for it, in /etc/hosts:\n"
		       "# 127.0.0.1 %s\n",
		       control);
	if (cli_terminal())
		puts("# To set all of this: eval \"$(cloudkeep env)\"");
}

static int run(struct cli *c)
{
	struct arena *a = &c->arena;
	struct root_key k;
	struct state st;
	enum tool tool;
	struct json *j;
	char *ca, *dir;
	int r = find_tool(c, &tool);

	if (r == 0)
		r = state_need(c, &st);
	if (r == 0)
		r = root_key_read(c, &k);
	if (r != 0)
		return r;
	ca = realpath(cli_path(c, "tls/ca.pem"), NULL);
	if (!ca)
		return cli_error("Stop and start the cloud: it makes a new one.", "%s/tls/ca.pem is missing", c->data);
	dir = realpath(c->data, NULL);
	struct str file = str_dup(a, str_c(ca)), data = str_dup(a, str_c(dir ? dir : c->data)), host = host_of(a, &st),
		   name = str_c(region ? region : "us-east-1");
	free(ca);
	free(dir);
	const struct variable v[] = {
		{ "AWS_ACCESS_KEY_ID", k.id, TOOL_ALL },
		{ "AWS_SECRET_ACCESS_KEY", k.secret, TOOL_ALL },
		{ "AWS_DEFAULT_REGION", name, TOOL_ALL },
		{ "AWS_REGION", name, TOOL_ALL },
		{ "AWS_ENDPOINT_URL", str_printf(a, "https://%.*s:%d", STR(host), st.port), TOOL_ALL },
		{ "AWS_ENDPOINT_URL_S3_CONTROL", str_printf(a, "https://localhost:%d", st.port), TOOL_TERRAFORM | TOOL_PULUMI | TOOL_NODE },
		{ "AWS_CA_BUNDLE", file, TOOL_ALL },
		{ "NODE_EXTRA_CA_CERTS", file, TOOL_CDK | TOOL_NODE | TOOL_PULUMI },
		{ "AWS_EC2_METADATA_DISABLED", S("true"), TOOL_ALL },
		{ "CLOUDKEEP_DATA", data, TOOL_ALL }, /* so that `cloudkeep` finds this cloud from every folder */
	};
	if (!c->json) {
		print_shell(c, v, ELEMENTS(v), tool, k.account);
		return 0;
	}
	j = json_new(a, JSON_OBJECT);
	for (size_t i = 0; i < ELEMENTS(v); i++)
		if (v[i].tools & tool)
			json_set_str(a, j, v[i].name, v[i].value);
	cli_json(j, a);
	return 0;
}

static const struct cli_option options[] = {
	{ "region", "NAME", "the default region of clients (default us-east-1)", &region, NULL, NULL },
	{ "tool", "NAME", "only what this tool reads: cdk, terraform, pulumi, node (default all)", &tool_name, NULL, NULL },
	{ NULL, NULL, NULL, NULL, NULL, NULL },
};

const struct cli_command cmd_env = {
	.name = "env",
	.what = "print what AWS clients need to use this cloud",
	.text = "Prints shell commands that set the endpoint, the root access key, the region and the certificate to trust. The AWS\n"
		"CLI, boto3, the SDKs, CDK, Terraform and Pulumi read them. The root key may do anything: make users and roles for your\n"
		"work. CLOUDKEEP_DATA is set too, so that cloudkeep itself finds this cloud from every folder.",
	.examples =
		"  eval \"$(cloudkeep env)\"\n  aws s3 ls\n  eval \"$(cloudkeep env --region eu-west-1)\"\n  eval \"$(cloudkeep env --tool "
		"terraform)\"\n  cloudkeep env --tool cdk --json",
	.options = options,
	.run = run,
};
