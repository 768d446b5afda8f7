/* SPDX-License-Identifier: Apache-2.0 */
/* opts.c - reads a subcommand's options and writes the help texts, both from its table. */
#include "cli/cli.h"
#include <errno.h>

static const struct cli_option common[] = {
	{ "data", "DIR", "where the cloud lives (default " CLI_DATA_DEFAULT ", or $CLOUDKEEP_DATA)", NULL, NULL, NULL },
	{ "json", NULL, "answer in JSON, for programs", NULL, NULL, NULL },
	{ "help", NULL, "this text", NULL, NULL, NULL },
	{ NULL, NULL, NULL, NULL, NULL, NULL },
};

void cli_help(void)
{
	puts("Cloudkeep: a secure, multi-region cloud with the AWS APIs, on this machine.\n\n"
	     "usage: cloudkeep COMMAND [options]\n");
	for (int i = 0; cli_commands[i]; i++)
		printf("  %-9s %s\n", cli_commands[i]->name, cli_commands[i]->what);
	puts("\nTo begin:\n"
	     "  cloudkeep up --detach            start a cloud; it stays until `cloudkeep down`\n"
	     "  eval \"$(cloudkeep env)\"          point the AWS CLI, SDKs, CDK and Terraform at it\n"
	     "  aws sts get-caller-identity      use it as AWS\n\n"
	     "Every command has its own page: cloudkeep COMMAND --help");
}

static void option_line(const struct cli_option *o)
{
	char left[64];

	(void)snprintf(left, sizeof left, "--%s%s%s", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
	printf("  %-28s %s%s\n", left, o->help, o->list ? " (may be repeated)" : "");
}

static void command_help(const struct cli_command *m)
{
	printf("cloudkeep %s - %s\n\nusage: cloudkeep %s%s%s [options]\n\n%s\n", m->name, m->what, m->name, m->args ? " " : "",
	       m->args ? m->args : "", m->text);
	printf("\nOptions:\n");
	for (const struct cli_option *o = m->options; o && o->name; o++)
		option_line(o);
	for (const struct cli_option *o = common; o->name; o++)
		option_line(o);
	printf("\nExamples:\n%s\n", m->examples);
}

static const struct cli_option *lookup(const struct cli_option *list, struct str name)
{
	for (; list && list->name; list++)
		if (str_is(name, list->name))
			return list;
	return NULL;
}

static void store_value(struct cli *c, const struct cli_option *o, const char *value)
{
	struct str *v;

	if (o->flag)
		*o->flag = true;
	else if (o->text)
		*o->text = value;
	else if (o->list) {
		v = arena_array(&c->arena, struct str, o->list->n + 1);
		if (o->list->n)
			memcpy(v, o->list->v, o->list->n * sizeof *v);
		v[o->list->n++] = str_c(value);
		o->list->v = v;
	} else if (strcmp(o->name, "data") == 0)
		c->data = value;
	else if (strcmp(o->name, "json") == 0)
		c->json = true;
}

/* One "--name[=value]" at argv[i]; returns how many words it took, 0 for help, or -EINVAL (said). */
static int option(struct cli *c, int argc, char **argv, int i)
{
	struct str name, value;
	bool joined = str_cut(str_c(argv[i] + 2), '=', &name, &value);
	const struct cli_option *o = lookup(c->cmd->options, name);

	if (!o)
		o = lookup(common, name);
	if (!o) {
		(void)cli_usage(c, "there is no option --%.*s", STR(name));
		return -EINVAL;
	}
	if (strcmp(o->name, "help") == 0) {
		command_help(c->cmd);
		return 0;
	}
	if (!o->arg && joined) {
		(void)cli_usage(c, "--%s takes no value", o->name);
		return -EINVAL;
	}
	if (!o->arg || joined) {
		store_value(c, o, joined ? value.p : NULL);
		return 1;
	}
	if (i + 1 >= argc) {
		(void)cli_usage(c, "--%s needs a value: --%s %s", o->name, o->name, o->arg);
		return -EINVAL;
	}
	store_value(c, o, argv[i + 1]);
	return 2;
}

int cli_parse(struct cli *c, int argc, char **argv)
{
	bool only_words = false;

	for (int i = 1; i < argc;) {
		if (only_words || argv[i][0] != '-' || strcmp(argv[i], "-") == 0) {
			if (c->n_args == CLI_ARGS_MAX || c->n_args == c->cmd->args_max)
				return cli_usage(c, "%s is one word too many", argv[i]);
			c->args[c->n_args++] = argv[i++];
		} else if (strcmp(argv[i], "--") == 0) {
			only_words = true;
			i++;
		} else if (strcmp(argv[i], "-h") == 0) {
			command_help(c->cmd);
			return 1;
		} else if (argv[i][1] != '-') {
			return cli_usage(c, "there is no option %s", argv[i]);
		} else {
			int took = option(c, argc, argv, i);

			if (took <= 0)
				return took == 0 ? 1 : 2;
			i += took;
		}
	}
	if (c->n_args < c->cmd->args_min)
		return cli_usage(c, "%s is missing", c->cmd->args);
	if (!*c->data)
		return cli_usage(c, "--data is empty: it must name a directory");
	return 0;
}
