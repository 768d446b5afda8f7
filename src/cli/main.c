/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - the command: its table of subcommands. */
#include "cli/cli.h"
#include "procd/procd.h"
#include <errno.h>
#include <unistd.h>

#ifndef CLOUDKEEP_VERSION
#define CLOUDKEEP_VERSION "unknown"
#endif

const struct cli_command *const cli_commands[] = { &cmd_up,      &cmd_down,   &cmd_status,  &cmd_env,   &cmd_region,
						   &cmd_clock,   &cmd_deploy, &cmd_destroy, &cmd_prove, &cmd_trail,
						   &cmd_explain, &cmd_export, &cmd_import,  NULL };

static const struct cli_command *find(const char *name)
{
	for (int i = 0; cli_commands[i]; i++)
		if (strcmp(cli_commands[i]->name, name) == 0)
			return cli_commands[i];
	return NULL;
}

int main(int argc, char **argv)
{
	struct cli c = { .data = getenv("CLOUDKEEP_DATA") };
	int r;

	if (strcmp(argv[0], PROCD_WORD) == 0) /* started by ourselves: procd/functions.h */
		_exit(procd_main(argc, argv));
	if (!c.data || !*c.data)
		c.data = CLI_DATA_DEFAULT;
	if (argc < 2) {
		cli_help();
		return 2;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || (strcmp(argv[1], "help") == 0 && argc == 2)) {
		cli_help();
		return 0;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("cloudkeep " CLOUDKEEP_VERSION);
		return 0;
	}
	if (strcmp(argv[1], "help") == 0) {
		c.cmd = find(argv[2]);
		r = c.cmd ? cli_parse(&c, 2, (char *[]){ argv[2], (char[]){ "--help" }, NULL }) : -ENOENT;
	} else {
		c.cmd = find(argv[1]);
		r = c.cmd ? cli_parse(&c, argc - 1, argv + 1) : -ENOENT;
	}
	if (r == -ENOENT)
		r = cli_error("See what there is: cloudkeep --help", "there is no command %s",
			      argv[1][0] == '-' ? "before this option" : argv[strcmp(argv[1], "help") == 0 ? 2 : 1]) +
		    1;
	else if (r == 1)
		r = 0;
	else if (r == 0)
		r = c.cmd->run(&c);
	arena_done(&c.arena);
	if (fflush(stdout) != 0 && r == 0)
		r = 1;
	return r;
}
