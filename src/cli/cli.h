/* SPDX-License-Identifier: Apache-2.0 */
/* cli.h - what the subcommands share: their table, options, errors, the state of a cloud, its admin socket.
 *
 * A subcommand is a struct cli_command: the table in main.c lists them, opts.c reads their options and writes their help.
 * Exit statuses: 0 done, 1 it could not be done (or: denied, not running), 2 the command was not understood.
 * Errors say what happened, why, and what to do about it. */
#pragma once
#include "base/arena.h"
#include "base/json.h"
#include "base/str.h"
#include "base/util.h"
#include <sys/types.h>

#define CLI_DATA_DEFAULT "./cloudkeep-data"
#define CLI_LISTEN_DEFAULT "127.0.0.1:4566"
#define CLI_FILE_BYTES_MAX (16u << 20) /* of files read whole: templates, certificates, states */
#define CLI_ARGS_MAX 64                /* words that are no options */

struct cli_option {
	const char *name; /* without dashes */
	const char *arg;  /* what its value is called; NULL: a flag */
	const char *help;
	const char **text; /* one of these is where it goes */
	bool *flag;
	struct str_list *list; /* may be repeated */
};
struct cli {
	struct arena arena;
	const struct cli_command *cmd;
	const char *data; /* --data, CLOUDKEEP_DATA, or the default */
	bool json;
	const char *args[CLI_ARGS_MAX]; /* words that are no options */
	int n_args;
};
struct cli_command {
	const char *name, *args, *what;   /* "deploy", "STACK", "creates or updates a stack" */
	const char *text;                 /* a paragraph or two */
	const char *examples;             /* lines, each a command to type, perhaps with a comment */
	const struct cli_option *options; /* ended by a NULL name; may be NULL */
	int args_min, args_max;
	int (*run)(struct cli *c);
};
extern const struct cli_command cmd_up, cmd_down, cmd_status, cmd_env, cmd_region, cmd_clock, cmd_trail, cmd_explain, cmd_export,
	cmd_import, cmd_deploy, cmd_destroy, cmd_prove;
extern const struct cli_command *const cli_commands[]; /* ended by NULL */

/* --- opts.c --- */
/* cli_parse reads a subcommand's words (argv[0] is its name). 0; 1: help was asked for and printed; 2: not understood, said. */
int cli_parse(struct cli *c, int argc, char **argv);
void cli_help(void);

/* --- out.c --- */
/* cli_error prints "cloudkeep: MESSAGE" and what to do (NULL: nothing is known), and returns 1. */
int cli_error(const char *todo, const char *fmt, ...) _printf_(2, 3);
int cli_usage(const struct cli *c, const char *fmt, ...) _printf_(2, 3); /* the same for what was typed wrong; returns 2 */
enum cli_paint { PAINT_PLAIN, PAINT_GOOD, PAINT_BAD, PAINT_DIM, PAINT_BOLD };
/* cli_paint gives the sequence for a terminal, and "" where standard output is none, NO_COLOR is set or --json was given. */
const char *cli_paint(const struct cli *c, enum cli_paint p);
bool cli_terminal(void);                                               /* standard output is a terminal */
int cli_read_file(struct arena *a, const char *path, struct str *ret); /* NUL behind it; -EFBIG above CLI_FILE_BYTES_MAX */
int cli_write_file(const char *path, struct str text, mode_t mode);    /* aside, synced, renamed */
void cli_remove_tree(const char *path);                                /* a directory of ours and all in it; nothing when there is none */
const char *cli_path(struct cli *c, const char *name);                 /* DATA/name */
const char *cli_shell(struct arena *a, struct str s);                  /* quoted for a POSIX shell */
void cli_json(struct json *j, struct arena *a);                        /* one line on standard output */

/* --- state.c: is a cloud running on this data directory? --- */
struct state {
	pid_t pid, supervisor; /* supervisor 0: none */
	int port;
	const char *listen, *started; /* as given; ISO time */
};
/* state_read: 0 running; -ENOENT nothing runs there (a file left by a crash counts as nothing); -ENOTDIR no cloud was
 * ever made there; else negative. */
int state_read(struct cli *c, struct state *ret);
int state_need(struct cli *c, struct state *ret); /* the same, or says what to do and returns 1 */
int state_write(const char *dir, struct arena *a, const struct state *s);
void state_remove(const char *dir);

/* --- identity of the cloud, for clients --- */
struct root_key {
	struct str account, id, secret;
};
int root_key_read(struct cli *c, struct root_key *ret); /* says what is wrong and returns 1 */

/* --- admin.c: the socket in the data directory --- */
struct cloud;
struct admin;
/* admin_start listens on DIR/admin.sock. wake_fd: written to when a client asks to stop. */
int admin_start(struct cloud *cl, const char *dir, int wake_fd, const struct state *state, struct admin **ret);
int admin_fd(const struct admin *ad); /* readable: call admin_accept */
void admin_accept(struct admin *ad);
void admin_stop(struct admin *ad); /* waits for requests in work; accepts NULL */
/* admin_socket makes the address of DIR/admin.sock, whatever the length of DIR: dir_fd stays open while it is used. */
int admin_socket(const char *dir, int *ret_dir_fd, void *ret_sockaddr_un);

/* admin_ask sends one request and gives the answer. 1: said what is wrong (not running, refused by the cloud). */
int admin_ask(struct cli *c, struct json *request, struct json **ret);
int admin_connect(const char *dir, pid_t *ret_peer); /* the socket, or negative; ret_peer may be NULL */

/* --- serving --- */
struct up_opts {
	const char *data, *listen, *regions, *root_key, *master_key_file;
	bool detach, no_supervisor, no_sync;
	int port; /* what the first start was given; restarts keep it */
};
int serve(struct cli *c, const struct up_opts *o, int *shared_port, int ready_fd); /* serve.c; returns the exit status */
int supervise(struct cli *c, struct up_opts *o, int ready_fd);                     /* supervise.c; the same */
int cert_ensure(struct arena *a, const char *dir, const char *const *names, char **ret_cert, char **ret_key); /* cert.c; free() both */
/* cert_checked reads the pair (NUL behind each) and says whether an earlier start found it good for these names; writes nothing. */
bool cert_checked(struct arena *a, const char *dir, const char *const *names, struct str *ret_cert, struct str *ret_key);

/* --- clock.c --- */
int clock_load(const char *dir); /* the shift that was saved; before the cloud opens */
int clock_save(const char *dir, int64_t shift_ms);
