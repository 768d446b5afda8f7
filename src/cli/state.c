/* SPDX-License-Identifier: Apache-2.0 */
/* state.c - DIR/cloudkeep.json: which process serves a data directory, and where it listens.
 *
 * The file is written when the cloud is ready and removed when it stops cleanly. After a crash it stays, so it is
 * believed only when the process it names answers on the admin socket. */
#include "cli/cli.h"
#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

int state_write(const char *dir, struct arena *a, const struct state *s)
{
	struct json *j = json_new(a, JSON_OBJECT);

	json_set_int(a, j, "pid", s->pid);
	if (s->supervisor)
		json_set_int(a, j, "supervisor", s->supervisor);
	json_set_int(a, j, "port", s->port);
	json_set_str(a, j, "listen", str_c(s->listen));
	json_set_str(a, j, "endpoint", str_printf(a, "https://localhost:%d", s->port));
	json_set_str(a, j, "started", str_c(s->started));
	return cli_write_file(str_printf(a, "%s/cloudkeep.json", dir).p, json_text(a, j), 0600);
}

void state_remove(const char *dir)
{
	struct arena a = { 0 };

	(void)unlink(str_printf(&a, "%s/cloudkeep.json", dir).p);
	(void)unlink(str_printf(&a, "%s/admin.sock", dir).p);
	arena_done(&a);
}

static int number(const struct json *j, const char *name, int64_t *ret)
{
	*ret = 0;
	return json_to_i64(json_getz(j, name), ret);
}

int state_read(struct cli *c, struct state *ret)
{
	struct str text;
	struct json *j;
	int64_t pid, port, supervisor;
	struct stat st;
	pid_t peer;
	int fd, r = cli_read_file(&c->arena, cli_path(c, "cloudkeep.json"), &text);

	if (r == -ENOENT && stat(cli_path(c, "root.json"), &st) < 0)
		return -ENOTDIR;
	if (r < 0)
		return r;
	if (json_parse(&c->arena, text, &j, NULL) < 0 || number(j, "pid", &pid) < 0 || number(j, "port", &port) < 0 || pid <= 0)
		return -ENOENT; /* written in one rename, so damage means somebody else did it: nothing to trust */
	fd = admin_connect(c->data, &peer);
	if (fd < 0)
		return fd == -ECONNREFUSED ? -ENOENT : fd;
	(void)close(fd);
	if (peer != (pid_t)pid)
		return -ENOENT;
	(void)number(j, "supervisor", &supervisor);
	ret->pid = (pid_t)pid;
	ret->supervisor = (pid_t)supervisor;
	ret->port = (int)port;
	ret->listen = str_z(&c->arena, json_get_str(j, "listen"));
	ret->started = str_z(&c->arena, json_get_str(j, "started"));
	return 0;
}

int state_need(struct cli *c, struct state *ret)
{
	int r = state_read(c, ret);
	const char *start = str_printf(&c->arena, "Start it: cloudkeep up --detach --data %s", cli_shell(&c->arena, str_c(c->data))).p;

	if (r == 0)
		return 0;
	if (r == -ENOTDIR)
		return cli_error(start, "there is no cloud in %s", c->data);
	if (r == -ENOENT)
		return cli_error(start, "the cloud in %s is not running", c->data);
	if (r == -EACCES)
		return cli_error("Only its owner may use it.", "the cloud in %s belongs to somebody else", c->data);
	return cli_error(NULL, "the cloud in %s cannot be reached: %s", c->data, strerror(-r));
}

int root_key_read(struct cli *c, struct root_key *ret)
{
	struct str text;
	struct json *j;
	int r = cli_read_file(&c->arena, cli_path(c, "root.json"), &text);

	if (r < 0)
		return cli_error("Start a cloud first: cloudkeep up --detach", "there is no cloud in %s (%s)", c->data, strerror(-r));
	if (json_parse(&c->arena, text, &j, NULL) < 0 || json_get_str(j, "account").n != 12 || !json_get_str(j, "access_key_id").n)
		return cli_error("Import the last export: cloudkeep import FILE --data NEWDIR", "%s/root.json is damaged", c->data);
	ret->account = json_get_str(j, "account");
	ret->id = json_get_str(j, "access_key_id");
	ret->secret = json_get_str(j, "secret_access_key");
	return 0;
}
