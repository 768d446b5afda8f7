/* SPDX-License-Identifier: Apache-2.0 */
/* transfer.c - `cloudkeep export` and `cloudkeep import`: a whole cloud as one file. */
#include "cli/admin.h"
#include "cli/archive.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_BYTES 65536

/* The running cloud writes; what comes over its socket goes to the file. */
static int export_running(struct cli *c, int out)
{
	struct json *q = json_new(&c->arena, JSON_OBJECT), *ans;
	char buf[COPY_BYTES];
	int fd = admin_connect(c->data, NULL), r;
	ssize_t k;

	if (fd < 0)
		return fd;
	json_set_str(&c->arena, q, "do", S("export"));
	r = admin_request(c, fd, q);
	if (r == 0)
		r = admin_read_answer(c, fd, &ans);
	while (r == 0 && (k = read(fd, buf, sizeof buf)) != 0) {
		if (k < 0 && errno != EINTR)
			r = -errno;
		else if (k > 0 && write(out, buf, (size_t)k) != k)
			r = errno ? -errno : -EIO;
	}
	(void)close(fd);
	return r;
}

static int report(struct cli *c, const char *verb, const char *file, const struct archive_sum *sum)
{
	struct json *j;

	if (!c->json) {
		printf("%s %s: %llu records, %llu files, %llu bytes.\n", verb, file, (unsigned long long)sum->keys,
		       (unsigned long long)sum->files, (unsigned long long)sum->bytes);
		return 0;
	}
	j = json_new(&c->arena, JSON_OBJECT);
	json_set_int(&c->arena, j, "records", (int64_t)sum->keys);
	json_set_int(&c->arena, j, "files", (int64_t)sum->files);
	json_set_int(&c->arena, j, "bytes", (int64_t)sum->bytes);
	cli_json(j, &c->arena);
	return 0;
}

static int run_export(struct cli *c)
{
	const char *file = c->args[0], *tmp = str_printf(&c->arena, "%s.part", file).p, *why = NULL;
	struct archive_sum sum;
	struct state st;
	int state = state_read(c, &st), fd, r;

	if (state == -ENOTDIR)
		return cli_error(NULL, "there is no cloud in %s", c->data);
	if (access(file, F_OK) == 0)
		return cli_error("Name a new file, or remove it.", "%s is there already", file);
	fd = open(tmp, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return cli_error(NULL, "%s cannot be written: %s", tmp, strerror(errno));
	r = state == 0 ? export_running(c, fd) : archive_write_stopped(c->data, fd);
	/* Read again what was written: an export that cannot be imported is none. */
	if (r == 0 && (fsync(fd) < 0 || lseek(fd, 0, SEEK_SET) < 0))
		r = -errno;
	if (r == 0)
		r = archive_read(fd, NULL, &sum, &c->arena, &why);
	(void)close(fd);
	if (r == 0 && rename(tmp, file) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlink(tmp);
		return cli_error(r == -EBUSY ? "Wait a moment and try again." : "The cloud's log may say more.", "no export was made: %s",
				 why ? why : strerror(-r));
	}
	if (!c->json)
		puts("The file holds every secret of the cloud; only you can read it. Keep it so.");
	return report(c, "Exported to", file, &sum);
}

static bool empty_or_absent(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	bool empty = true;

	if (!d)
		return errno == ENOENT;
	while ((e = readdir(d)))
		empty &= strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
	(void)closedir(d);
	return empty;
}

static int run_import(struct cli *c)
{
	struct str dir = str_c(c->data);
	struct archive_sum sum;
	const char *why = "";
	int fd, r;

	while (dir.n > 1 && dir.p[dir.n - 1] == '/')
		dir.n--;
	c->data = str_z(&c->arena, dir);
	if (!empty_or_absent(c->data))
		return cli_error("Name a new directory: --data DIR. Nothing was changed.", "%s is not empty", c->data);
	fd = open(c->args[0], O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return cli_error(NULL, "%s cannot be read: %s", c->args[0], strerror(errno));
	r = archive_read(fd, c->data, &sum, &c->arena, &why);
	(void)close(fd);
	if (r < 0)
		return cli_error("Nothing was made.", "%s cannot be imported: %s", c->args[0], why);
	if (access(cli_path(c, "master.key"), F_OK) < 0 && !c->json)
		puts("Its master key was kept elsewhere: start it with --master-key-file FILE.");
	return report(c, "Imported", c->args[0], &sum);
}

const struct cli_command cmd_export = {
	.name = "export",
	.args = "FILE",
	.what = "write the whole cloud to a file",
	.text = "Writes everything (all regions, objects, trails, keys, certificates) into one file with a checksum: a backup, or a\n"
		"starting point for tests. A running cloud is written as it is at one instant and goes on meanwhile. The master key\n"
		"is included unless it is kept elsewhere (up --master-key-file).",
	.examples = "  cloudkeep export backup.cloudkeep\n  cloudkeep export \"$(date +%F).cloudkeep\" --data /srv/cloud",
	.args_min = 1,
	.args_max = 1,
	.run = run_export,
};

const struct cli_command cmd_import = {
	.name = "import",
	.args = "FILE",
	.what = "make a cloud from such a file",
	.text = "Makes a data directory from an export. The directory must be empty or absent; a file that is damaged or cut is refused\n"
		"and leaves nothing behind.",
	.examples = "  cloudkeep import backup.cloudkeep --data ./restored\n  cloudkeep up --data ./restored",
	.args_min = 1,
	.args_max = 1,
	.run = run_import,
};
