/* SPDX-License-Identifier: Apache-2.0 */
/* up.c - `cloudkeep up`: checks what was asked, goes to the background when told to, and starts the serving process. */
#include "cli/cli.h"
#include "cloud/cloud.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct up_opts opts = { .listen = CLI_LISTEN_DEFAULT };

static int check_regions(struct cli *c, const char *list)
{
	struct str rest = str_c(list), one;
	size_t n = 0;

	while (list && str_next(&rest, ',', &one)) {
		one = str_trim(one);
		if (one.n == 0)
			continue;
		if (!region_name_valid(one))
			return cli_usage(c, "%.*s is not the name of a region; names look like us-east-1, eu-central-1, ap-southeast-2",
					 STR(one));
		n++;
	}
	return list && n == 0 ? cli_usage(c, "--regions names no region") : 0;
}

static int check_root_key(struct cli *c, const char *given)
{
	struct str id, secret;

	if (!given)
		return 0;
	if (!str_cut(str_c(given), ':', &id, &secret) || id.n < 16 || id.n > 128 || secret.n < 16 || secret.n > 128)
		return cli_usage(c, "--root-key takes ID:SECRET, each of 16 to 128 characters (or leave it out: a random one is made)");
	for (size_t i = 0; i < id.n; i++)
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_", id.p[i]))
			return cli_usage(c, "the ID in --root-key has a character that is none of A-Z a-z 0-9 _");
	return 0;
}

static int make_data(struct cli *c)
{
	struct stat st;

	if (mkdir(c->data, 0700) == 0)
		return 0;
	if (errno != EEXIST)
		return cli_error(errno == ENOENT ? "Make the directory above it first." : NULL, "%s cannot be made: %s", c->data,
				 strerror(errno));
	if (stat(c->data, &st) == 0 && !S_ISDIR(st.st_mode))
		return cli_error("Name a directory.", "%s is not a directory", c->data);
	return 0;
}

/* The descriptors of one process decide how many clients it can have. */
static void raise_limits(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max) {
		l.rlim_cur = l.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &l);
	}
}

static int serve_here(struct cli *c, int ready_fd)
{
	static int port;

	return opts.no_supervisor ? serve(c, &opts, &port, ready_fd) : supervise(c, &opts, ready_fd);
}

/* In the background: a session of its own, output to DIR/log. The parent waits for the ready text. */
static int detached(struct cli *c)
{
	const char *log = cli_path(c, "log");
	int p[2], fd;
	char buf[4096];
	size_t n = 0;
	ssize_t k;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return cli_error(NULL, "no pipe: %s", strerror(errno));
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return cli_error(NULL, "%s cannot be written: %s", log, strerror(errno));
	pid = fork();
	if (pid < 0)
		return cli_error(NULL, "no process could be started: %s", strerror(errno));
	if (pid == 0) {
		int null = open("/dev/null", O_RDONLY | O_CLOEXEC), r;

		(void)setsid();
		(void)dup2(null, STDIN_FILENO);
		(void)dup2(fd, STDOUT_FILENO);
		/* What goes wrong before it is ready belongs on the terminal: to the log as well, but there first. */
		(void)close(p[0]);
		(void)dup2(fd, STDERR_FILENO);
		r = serve_here(c, p[1]);
		exit(r);
	}
	(void)close(p[1]);
	(void)lseek(fd, 0, SEEK_END);
	off_t before = lseek(fd, 0, SEEK_CUR);
	while (n < sizeof buf && ((k = read(p[0], buf + n, sizeof buf - n)) > 0 || (k < 0 && errno == EINTR)))
		n += k > 0 ? (size_t)k : 0;
	if (n == 0) { /* it ended without being ready: pass on what it said */
		int status = 0, in = open(log, O_RDONLY | O_CLOEXEC);

		(void)waitpid(pid, &status, 0);
		while (in >= 0 && (k = pread(in, buf, sizeof buf, before)) > 0) {
			(void)!write(STDERR_FILENO, buf, (size_t)k);
			before += k;
		}
		return WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : 1;
	}
	(void)fwrite(buf, 1, n, stdout);
	return 0;
}

static int run(struct cli *c)
{
	int r;

	opts.data = c->data;
	r = check_regions(c, opts.regions);
	if (r == 0)
		r = check_root_key(c, opts.root_key);
	if (r == 0)
		r = make_data(c);
	if (r != 0)
		return r;
	raise_limits();
	return opts.detach ? detached(c) : serve_here(c, -1);
}

static const struct cli_option options[] = {
	{ "listen", "ADDRESS:PORT", "where to listen (default " CLI_LISTEN_DEFAULT "; port 0: a free one)", &opts.listen, NULL, NULL },
	{ "regions", "a,b,c", "regions to start (default: those that ran last, at first us-east-1, us-west-2, eu-west-1)", &opts.regions,
	  NULL, NULL },
	{ "root-key", "ID:SECRET", "set the root access key (default: a random one, made at first start)", &opts.root_key, NULL, NULL },
	{ "master-key-file", "FILE", "32 bytes that seal all secrets (default DIR/master.key)", &opts.master_key_file, NULL, NULL },
	{ "detach", NULL, "go to the background once ready; log to DIR/log", NULL, &opts.detach, NULL },
	{ "no-supervisor", NULL, "serve in this very process: a crash ends it", NULL, &opts.no_supervisor, NULL },
	{ NULL, NULL, NULL, NULL, NULL, NULL },
};

const struct cli_command cmd_up = {
	.name = "up",
	.what = "start a cloud",
	.text = "Starts the cloud of a data directory, and makes it first where there is none: an account, a root access key, a\n"
		"certificate authority. It runs until Ctrl-C, `cloudkeep down`, or a signal. One port takes TLS and, on this machine\n"
		"only, plain HTTP; an address other machines can reach is served over TLS alone.",
	.examples = "  cloudkeep up                                   # in this terminal\n"
		    "  cloudkeep up --detach                          # in the background; ends with: cloudkeep down\n"
		    "  cloudkeep up --regions us-east-1,eu-central-1\n"
		    "  cloudkeep up --listen 0.0.0.0:4566             # for other machines too, TLS only\n"
		    "  cloudkeep up --data /tmp/try --listen 127.0.0.1:0",
	.options = options,
	.run = run,
};
