/* SPDX-License-Identifier: Apache-2.0 */
/* counts.c - how much a region holds, counted as ranges of its store, and its stacks. */
#include "cli/admin.h"
#include "cfn/engine/state.h"

#define STACKS_MAX 200
#define COUNT_MAX 100000 /* more is told as that many: status never scans a large store to its end */

static const struct {
	const char *service, *what, *table;
	bool no_account; /* its keys begin with no account */
} tables[] = {
	{ "apigateway", "APIs", "apigw.api", false },
	{ "apigateway", "API keys", "apigw.key", false },
	{ "apigateway", "usage plans", "apigw.plan", false },
	{ "apigateway", "client certificates", "apigw.cert", false },
	{ "cloudformation", "stacks", "cfn.name", false },
	{ "ec2", "vpcs", "ec2.vpc", false },
	{ "ec2", "subnets", "ec2.subnet", false },
	{ "ec2", "security groups", "ec2.sg", false },
	{ "ec2", "endpoints", "ec2.vpce", false },
	{ "ecr", "repositories", "ecr.repo", false },
	{ "ec2", "route tables", "ec2.rtb", false },
	{ "ec2", "internet gateways", "ec2.igw", false },
	{ "ec2", "network acls", "ec2.acl", false },
	{ "ec2", "network interfaces", "ec2.interface", false },
	{ "ec2", "vpc endpoints", "ec2.vpce", false },
	{ "ec2", "prefix lists", "ec2.pl", false },
	{ "iam", "users", "iam.user", false },
	{ "iam", "groups", "iam.group", false },
	{ "iam", "roles", "iam.role", false },
	{ "iam", "policies", "iam.policy", false },
	{ "kms", "keys", "kms.key", false },
	{ "kms", "aliases", "kms.alias", false },
	{ "lambda", "functions", "lambda.fn", false },
	{ "logs", "log groups", "logs.group", false },
	{ "s3", "buckets", "s3.bucket", true },
	{ "s3", "objects", "s3.obj", true },
	{ "ssm", "parameters", "ssm.param", false },
};

static int64_t count(struct store_txn *t, struct str account, const char *table)
{
	struct store_range *range = xzalloc(sizeof *range);
	struct keybuf *k = xzalloc(sizeof *k);
	struct str key, value;
	int64_t n = 0;

	key_begin(k, account, table);
	if (store_range_open(range, t, key_view(k), STR_NONE, false) == 0)
		while (n < COUNT_MAX && store_range_next(range, &key, &value) == 1)
			n++;
	store_range_close(range);
	free(range);
	free(k);
	return n;
}

struct json *region_counts(struct cloud *cl, struct region *r, struct arena *a)
{
	struct json *all = json_new(a, JSON_OBJECT);
	struct call c;

	if (cloud_internal_read(cl, r, a, &c) < 0)
		return all;
	for (size_t i = 0; i < ELEMENTS(tables); i++) {
		int64_t n = count(c.txn, tables[i].no_account ? S("") : cloud_account(cl), tables[i].table);
		struct json *group;

		if (n == 0)
			continue;
		group = json_getz(all, tables[i].service);
		if (!group)
			group = json_set(a, all, str_c(tables[i].service), json_new(a, JSON_OBJECT));
		json_set_int(a, group, tables[i].what, n);
	}
	cloud_internal_end(&c);
	return all;
}

struct json *region_stacks(struct cloud *cl, struct region *r, struct arena *a)
{
	struct json *all = json_new(a, JSON_ARRAY);
	struct store_range *range = xzalloc(sizeof *range);
	struct keybuf *k = xzalloc(sizeof *k);
	struct cfn_rec_stack stack;
	struct str key, id;
	struct call c;

	if (cloud_internal_read(cl, r, a, &c) == 0) {
		key_begin(k, cloud_account(cl), "cfn.live");
		if (store_range_open(range, c.txn, key_view(k), STR_NONE, false) == 0)
			while (all->n < STACKS_MAX && store_range_next(range, &key, &id) == 1) {
				struct json *one = json_new(a, JSON_OBJECT);

				if (stack_load(c.txn, a, cloud_account(cl), str_dup(a, id), &stack) < 0)
					continue;
				json_set_str(a, one, "name", stack.name);
				json_set_str(a, one, "status", stack.status);
				json_push(a, all, one);
			}
		store_range_close(range);
		cloud_internal_end(&c);
	}
	free(range);
	free(k);
	return all;
}
