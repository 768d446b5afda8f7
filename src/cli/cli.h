/* SPDX-License-Identifier: Apache-2.0 */
/* cli.h - shared by the subcommands. A subcommand gets argv from its own name on and returns the exit status. */
#pragma once

int cmd_up(int argc, char **argv);
