/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - the command: finds the subcommand. */
#include "cli/cli.h"
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *what;
} commands[] = {
	{ "up", cmd_up, "start a cloud" },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof *commands; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	fprintf(stderr, "usage: cloudkeep up [--data DIR] [--listen ADDRESS:PORT] [--regions a,b,c]\n");
	return 2;
}
