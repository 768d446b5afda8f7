/* SPDX-License-Identifier: Apache-2.0 */
/* out.c - what the command says and how, and small files. */
#include "cli/cli.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

int cli_error(const char *todo, const char *fmt, ...)
{
	va_list ap;

	(void)fflush(stdout);
	fputs("cloudkeep: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	if (todo)
		fprintf(stderr, "  %s\n", todo);
	return 1;
}

int cli_usage(const struct cli *c, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "cloudkeep %s: ", c->cmd->name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n  usage: cloudkeep %s%s%s [options]; more: cloudkeep %s --help\n", c->cmd->name, c->cmd->args ? " " : "",
		c->cmd->args ? c->cmd->args : "", c->cmd->name);
	return 2;
}

bool cli_terminal(void)
{
	static int known = -1;

	if (known < 0)
		known = isatty(STDOUT_FILENO);
	return known;
}

const char *cli_paint(const struct cli *c, enum cli_paint p)
{
	static const char *const seq[] = { "\033[0m", "\033[32m", "\033[31m", "\033[2m", "\033[1m" };
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (c->json || !cli_terminal() || (no && *no) || (term && strcmp(term, "dumb") == 0))
		return "";
	return seq[p];
}

int cli_read_file(struct arena *a, const char *path, struct str *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	size_t n = 0, room;
	char *p;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || S_ISDIR(st.st_mode) || st.st_size > CLI_FILE_BYTES_MAX) {
		int r = S_ISDIR(st.st_mode) ? -EISDIR : -EFBIG;

		(void)close(fd);
		return r;
	}
	room = S_ISREG(st.st_mode) ? (size_t)st.st_size : CLI_FILE_BYTES_MAX; /* a pipe tells no size */
	p = arena_alloc(a, room + 1);
	while (n < room) {
		ssize_t k = read(fd, p + n, room - n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0) {
			int r = -errno;

			(void)close(fd);
			return r;
		}
		if (k == 0)
			break;
		n += (size_t)k;
	}
	(void)close(fd);
	p[n] = '\0';
	*ret = str_of(p, n);
	return 0;
}

int cli_write_file(const char *path, struct str text, mode_t mode)
{
	struct arena a = { 0 };
	const char *tmp = str_printf(&a, "%s.new", path).p;
	int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode), r = 0;

	if (fd < 0)
		r = -errno;
	else {
		if (write(fd, text.p, text.n) != (ssize_t)text.n || fsync(fd) < 0)
			r = errno ? -errno : -EIO;
		(void)close(fd);
		if (r == 0 && rename(tmp, path) < 0)
			r = -errno;
		if (r < 0)
			(void)unlink(tmp);
	}
	arena_done(&a);
	return r;
}

static void remove_below(int fd)
{
	DIR *d = fdopendir(fd);
	struct dirent *e;

	if (!d) {
		(void)close(fd);
		return;
	}
	while ((e = readdir(d))) {
		int sub;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || unlinkat(fd, e->d_name, 0) == 0)
			continue;
		sub = openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub >= 0)
			remove_below(sub);
		(void)unlinkat(fd, e->d_name, AT_REMOVEDIR);
	}
	(void)closedir(d);
}

void cli_remove_tree(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return;
	remove_below(fd);
	(void)rmdir(path);
}

const char *cli_path(struct cli *c, const char *name)
{
	return str_printf(&c->arena, "%s/%s", c->data, name).p;
}

const char *cli_shell(struct arena *a, struct str s)
{
	return str_printf(a, "'%.*s'", STR(str_replace(a, s, S("'"), S("'\\''")))).p;
}

void cli_json(struct json *j, struct arena *a)
{
	struct str s = json_text(a, j);

	printf("%.*s\n", STR(s));
}
