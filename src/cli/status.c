/* SPDX-License-Identifier: Apache-2.0 */
/* status.c - `cloudkeep status`: what runs and what it holds; `cloudkeep region`: starts, stops and lists regions. */
#include "cli/cli.h"
#include <errno.h>

static void print_counts(const struct json *counts)
{
	bool any = false;

	for (size_t i = 0; counts && i < counts->n; i++) {
		struct json *group = &counts->members[i].value;

		printf("%s%.*s ", any ? "; " : "", STR(counts->members[i].key));
		for (size_t j = 0; j < group->n; j++)
			printf("%s%.*s %.*s", j ? ", " : "", STR(json_scalar(&group->members[j].value)), STR(group->members[j].key));
		any = true;
	}
	puts(any ? "" : "empty");
}

static void print_stacks(const struct json *stacks)
{
	for (size_t i = 0; stacks && i < stacks->n; i++)
		printf("  %-14s   stack %.*s: %.*s\n", "", STR(json_get_str(&stacks->items[i], "name")),
		       STR(json_get_str(&stacks->items[i], "status")));
}

static int print_status(struct cli *c, struct json *a)
{
	struct json *regions = json_getz(a, "regions");
	int64_t offset = 0;

	(void)json_to_i64(json_getz(a, "clock_offset_ms"), &offset);
	printf("%sup%s  %.*s  account %.*s  process %.*s since %.*s\n", cli_paint(c, PAINT_GOOD), cli_paint(c, PAINT_PLAIN),
	       STR(json_get_str(a, "endpoint")), STR(json_get_str(a, "account")), STR(json_get_str(a, "pid")),
	       STR(json_get_str(a, "started")));
	if (offset)
		printf("    its clock says %.*s\n", STR(json_get_str(a, "time")));
	printf("  %-14s ", "global");
	print_counts(json_getz(a, "global"));
	for (size_t i = 0; regions && i < regions->n; i++) {
		struct json *r = &regions->items[i];
		bool up = json_to_bool(json_getz(r, "up"), false);

		printf("  %-14.*s ", STR(json_get_str(r, "name")));
		if (!up) {
			printf("%sstopped%s\n", cli_paint(c, PAINT_BAD), cli_paint(c, PAINT_PLAIN));
			continue;
		}
		print_counts(json_getz(r, "resources"));
		print_stacks(json_getz(r, "stacks"));
	}
	return 0;
}

static int run_status(struct cli *c)
{
	struct json *q = json_new(&c->arena, JSON_OBJECT), *a;
	struct state st;
	int r = state_read(c, &st);

	if (c->json && (r == -ENOENT || r == -ENOTDIR)) {
		puts("{\"up\":false}");
		return 1;
	}
	json_set_str(&c->arena, q, "do", S("status"));
	r = admin_ask(c, q, &a);
	if (r != 0)
		return r;
	if (!c->json)
		return print_status(c, a);
	json_set_bool(&c->arena, a, "up", true);
	cli_json(a, &c->arena);
	return 0;
}

const struct cli_command cmd_status = {
	.name = "status",
	.what = "what runs, and what it holds",
	.text = "Shows the endpoint, the regions up and stopped, how many resources of each service they hold, and their stacks.\n"
		"Exit status 0: it runs; 1: it does not.",
	.examples = "  cloudkeep status\n  cloudkeep status --json | jq .regions",
	.run = run_status,
};

static int run_region(struct cli *c)
{
	struct json *q = json_new(&c->arena, JSON_OBJECT), *a, *regions;
	const char *verb = c->args[0], *name = c->n_args > 1 ? c->args[1] : NULL;
	bool list = strcmp(verb, "list") == 0, start = strcmp(verb, "start") == 0;
	int r;

	if (!list && !start && strcmp(verb, "stop") != 0)
		return cli_usage(c, "%s: regions are started, stopped or listed", verb);
	if (list == (name != NULL))
		return cli_usage(c, list ? "list takes no name" : "which region?");
	json_set_str(&c->arena, q, "do", list ? S("status") : start ? S("region-start") : S("region-stop"));
	json_set_str(&c->arena, q, "region", str_c(name));
	r = admin_ask(c, q, &a);
	if (r != 0)
		return r;
	regions = json_getz(a, "regions");
	if (c->json)
		cli_json(list ? regions : a, &c->arena);
	else if (!list)
		printf("%s %s.\n", name, start ? "is up" : "is stopped; calls to it get ServiceUnavailable until it starts");
	else
		for (size_t i = 0; i < regions->n; i++)
			printf("%-16.*s %s\n", STR(json_get_str(&regions->items[i], "name")),
			       json_to_bool(json_getz(&regions->items[i], "up"), false) ? "up" : "stopped");
	return 0;
}

const struct cli_command cmd_region = {
	.name = "region",
	.args = "start|stop|list [NAME]",
	.what = "start, stop and list regions",
	.text = "A region is a failure domain of its own: stop one to see what your system does without it. Stopping loses nothing.\n"
		"Any AWS region can be started; it begins empty.",
	.examples = "  cloudkeep region list\n  cloudkeep region stop us-east-1      # an outage\n  cloudkeep region start us-east-1     # "
		    "over\n"
		    "  cloudkeep region start ap-south-1    # one more",
	.args_min = 1,
	.args_max = 2,
	.run = run_region,
};
