/* SPDX-License-Identifier: Apache-2.0 */
/* up.c - `cloudkeep up`: opens the cloud, its certificate and its port, and serves until it is told to stop. */
#include "cli/cli.h"
#include "cloud/cloud.h"
#include "svc/services.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define STOP_GRACE_MS 5000

struct up_opts {
	const char *data, *listen, *regions, *root_key, *master_key_file;
	bool no_sync;
};

static char *slurp(const char *path)
{
	char *p = xzalloc(65536);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, p, 65535);

	if (fd >= 0)
		(void)close(fd);
	if (n <= 0) {
		free(p);
		return NULL;
	}
	return p;
}

static int spit(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	size_t n = strlen(text);
	int r = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, n) != (ssize_t)n || fsync(fd) < 0)
		r = -EIO;
	(void)close(fd);
	return r;
}

/* The certificate authority is made once; the server's certificate is signed anew when it is missing. */
static int load_tls(struct arena *a, const char *dir, char **ret_cert, char **ret_key)
{
	static const char *const names[] = { "localhost", "*.localhost", "*.s3.localhost", "127.0.0.1", "::1", NULL };
	const char *tls = str_printf(a, "%s/tls", dir).p, *ca = str_printf(a, "%s/ca.pem", tls).p, *ca_key = str_printf(a, "%s/ca.key", tls).p;
	const char *cert = str_printf(a, "%s/server.pem", tls).p, *key = str_printf(a, "%s/server.key", tls).p;
	char *ca_pem, *ca_key_pem;
	int r = 0;

	*ret_cert = slurp(cert);
	*ret_key = slurp(key);
	if (*ret_cert && *ret_key)
		return 0;
	if (mkdir(tls, 0700) < 0 && errno != EEXIST)
		return -errno;
	r = ca_make(&ca_pem, &ca_key_pem);
	if (r == 0)
		r = ca_issue(ca_pem, ca_key_pem, names, ret_cert, ret_key);
	if (r == 0)
		r = spit(ca, ca_pem);
	if (r == 0)
		r = spit(ca_key, ca_key_pem);
	if (r == 0)
		r = spit(key, *ret_key);
	if (r == 0)
		r = spit(cert, *ret_cert);
	return r;
}

static const char *const *split_regions(struct arena *a, const char *list)
{
	struct str rest = str_c(list), one;
	const char **v = NULL;
	size_t n = 0, cap = 0;

	if (!list)
		return NULL;
	while (str_next(&rest, ',', &one))
		if (str_trim(one).n)
			vec_push(a, v, n, cap) = str_z(a, str_trim(one));
	vec_push(a, v, n, cap) = NULL;
	return v;
}

static int serve(const struct up_opts *o)
{
	static const char *const suffixes[] = { "s3.localhost", "localhost", NULL };
	struct arena a = { 0 };
	struct cloud *cl;
	struct http_server *srv;
	struct http_handler handler = cloud_http;
	struct cloud_opts co = { .data_dir = o->data, .master_key_file = o->master_key_file, .root_key = o->root_key, .host_suffixes = suffixes, .no_sync = o->no_sync };
	char *cert = NULL, *key = NULL;
	sigset_t set;
	int r, sig;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	co.regions = split_regions(&a, o->regions);
	r = cloud_open(&co, services, &cl);
	if (r < 0) {
		fprintf(stderr, "cloudkeep: the cloud in %s cannot be opened: %s\n", o->data, strerror(-r));
		return 1;
	}
	r = load_tls(&a, o->data, &cert, &key);
	handler.arg = cl;
	if (r == 0)
		r = http_start(&(struct http_opts){ .listen = o->listen, .cert_pem = cert, .key_pem = key, .handler = &handler }, &srv);
	if (r < 0) {
		fprintf(stderr, "cloudkeep: cannot listen on %s: %s\n", o->listen, strerror(-r));
		cloud_close(cl);
		return 1;
	}
	printf("ready port=%d\n", http_port(srv));
	(void)fflush(stdout);
	(void)sigwait(&set, &sig);
	http_stop(srv, STOP_GRACE_MS);
	cloud_close(cl);
	free(cert);
	free(key);
	arena_done(&a);
	return 0;
}

int cmd_up(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "data", required_argument, NULL, 'd' }, { "listen", required_argument, NULL, 'l' }, { "regions", required_argument, NULL, 'r' },
		{ "root-key", required_argument, NULL, 'k' }, { "master-key-file", required_argument, NULL, 'm' }, { NULL, 0, NULL, 0 },
	};
	struct up_opts o = { .data = "cloudkeep-data", .listen = "127.0.0.1:4566" };
	int c;

	while ((c = getopt_long(argc, argv, "", opts, NULL)) != -1)
		switch (c) {
		case 'd':
			o.data = optarg;
			break;
		case 'l':
			o.listen = optarg;
			break;
		case 'r':
			o.regions = optarg;
			break;
		case 'k':
			o.root_key = optarg;
			break;
		case 'm':
			o.master_key_file = optarg;
			break;
		default:
			return 2;
		}
	return serve(&o);
}
