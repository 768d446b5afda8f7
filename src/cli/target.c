/* SPDX-License-Identifier: Apache-2.0 */
/* target.c - which cloud deploy and destroy speak to: ours, AWS, or another one at an URL. */
#include "cli/stack.h"
#include <errno.h>

static struct str env(const char *name)
{
	const char *v = getenv(name);

	return v && *v ? str_c(v) : STR_NONE;
}

static int from_environment(struct cli *c, struct target *t)
{
	t->key_id = env("AWS_ACCESS_KEY_ID");
	t->secret = env("AWS_SECRET_ACCESS_KEY");
	t->token = env("AWS_SESSION_TOKEN");
	t->ca_file = env("AWS_CA_BUNDLE");
	if (t->key_id.p && t->secret.p)
		return 0;
	return cli_error("Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN for temporary ones), for example:\n"
			 "  eval \"$(aws configure export-credentials --format env)\"",
			 "there are no credentials in the environment");
}

int target_read(struct cli *c, const struct target_opts *o, struct target *ret)
{
	struct root_key k;
	struct state st;
	int r;

	*ret = (struct target){ 0 };
	if (o->aws && o->endpoint_url)
		return cli_usage(c, "--aws and --endpoint-url name two clouds: choose one");
	if (o->endpoint_url)
		ret->endpoint = str_c(o->endpoint_url);
	if (o->aws || o->endpoint_url)
		return from_environment(c, ret);
	r = state_need(c, &st);
	if (r == 0)
		r = root_key_read(c, &k);
	if (r != 0)
		return r;
	ret->endpoint = str_printf(&c->arena, "https://localhost:%d", st.port);
	ret->ca_file = str_c(cli_path(c, "tls/ca.pem"));
	ret->key_id = k.id;
	ret->secret = k.secret;
	return 0;
}

int target_regions(struct cli *c, const struct target_opts *o, struct str *ret, size_t *ret_n)
{
	struct str rest = o->regions ? str_c(o->regions) : env("AWS_REGION"), one;
	size_t n = 0;

	if (!rest.p)
		rest = env("AWS_DEFAULT_REGION");
	if (!rest.p)
		rest = S("us-east-1");
	while (str_next(&rest, ',', &one)) {
		one = str_trim(one);
		if (one.n == 0)
			continue;
		for (size_t i = 0; i < one.n; i++)
			if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-", one.p[i]))
				return cli_usage(c, "%.*s is not the name of a region", STR(one));
		for (size_t i = 0; i < n; i++)
			if (str_eq(ret[i], one))
				return cli_usage(c, "--regions names %.*s twice", STR(one));
		if (n == STACK_REGIONS_MAX)
			return cli_usage(c, "more than %d regions at once", STACK_REGIONS_MAX);
		ret[n++] = one;
	}
	*ret_n = n;
	return n ? 0 : cli_usage(c, "--regions names no region");
}

int target_client(const struct target *t, struct arena *a, struct str region, const char *service, struct client **ret,
		  struct str *ret_problem)
{
	struct client_opts o = { .endpoint = t->endpoint,
				 .ca_file = t->ca_file,
				 .key_id = t->key_id,
				 .secret = t->secret,
				 .token = t->token,
				 .region = region,
				 .service = str_c(service) };

	if (!o.endpoint.p)
		o.endpoint = str_printf(a, "https://%s.%.*s.amazonaws.com%s", service, STR(region),
					str_starts(region, S("cn-")) ? ".cn" : "");
	return client_new(&o, a, ret, ret_problem);
}
