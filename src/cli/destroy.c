/* SPDX-License-Identifier: Apache-2.0 */
/* destroy.c - `cloudkeep destroy`: deletes a stack in several regions at once, and waits for the end. */
#include "cli/stack.h"

static struct target_opts target_opts;

static void destroy(struct stack_job *j)
{
	struct client_answer ans;
	struct xml_node *stack;
	int r = stack_describe(j, j->name, &stack);

	if (r < 0)
		return;
	if (r == 1 || str_is(xml_text(stack, "StackStatus"), "DELETE_COMPLETE")) {
		j->outcome = STACK_ABSENT;
		return;
	}
	/* By its id from here on: the name says nothing once the stack is gone. */
	j->id = xml_text(stack, "StackId");
	stack_skip_events(j);
	if (stack_call(j, "DeleteStack", &(struct str_pair){ S("StackName"), j->id }, 1, &ans) != 0)
		return;
	if (stack_wait(j) == 0 && str_is(j->status, "DELETE_COMPLETE"))
		j->outcome = STACK_DONE;
	j->outputs.n = 0;
}

static int run(struct cli *c)
{
	struct str regions[STACK_REGIONS_MAX];
	struct target t;
	size_t n;
	int r = target_regions(c, &target_opts, regions, &n);

	if (r == 0)
		r = target_read(c, &target_opts, &t);
	return r ? r : stack_run(c, &t, regions, n, c->args[0], "destroyed", destroy, NULL);
}

static const struct cli_option options[] = {
	{ "regions", "a,b,c", "where, all at once (default $AWS_REGION, or us-east-1)", &target_opts.regions, NULL, NULL },
	{ "endpoint-url", "URL", "another cloud; keys from the AWS environment variables", &target_opts.endpoint_url, NULL, NULL },
	{ "aws", NULL, "AWS itself; keys from the AWS environment variables", NULL, &target_opts.aws, NULL },
	{ NULL, NULL, NULL, NULL, NULL, NULL },
};

const struct cli_command cmd_destroy = {
	.name = "destroy",
	.args = "STACK",
	.what = "delete a stack in regions, all at once",
	.text = "Deletes the stack in every region in parallel and ends when it is gone, or with the reasons why something stays (a\n"
		"bucket that is not empty, termination protection). Resources that the template retains stay. No such stack is success.",
	.examples = "  cloudkeep destroy web\n  cloudkeep destroy baseline --regions us-east-1,us-west-2,eu-west-1",
	.options = options,
	.args_min = 1,
	.args_max = 1,
	.run = run,
};
