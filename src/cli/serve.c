/* SPDX-License-Identifier: Apache-2.0 */
/* serve.c - the process that serves: opens the cloud, its certificate, its port and its admin socket, and waits until it
 * is told to stop. Everything that can be said about why it does not start is said here. */
#include "cli/cli.h"
#include "cloud/cloud.h"
#include "svc/services.h"
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <malloc.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define STOP_GRACE_MS 3000
#define NAMES_MAX 256
#define BUSY_WAIT_MS 1000 /* for a process that has been killed and is still letting go of the data */
#define BUSY_STEP_MS 5

struct serving {
	struct cli *c;
	const struct up_opts *o;
	struct cloud *cloud;
	struct http_server *http;
	struct cloud_listener listener;
	struct admin *admin;
	struct state state;
	struct str host; /* of --listen, without brackets */
	bool loopback;
	int signal_fd, wake_fd;
	/* A certificate pair that was checked before is made ready by a thread of its own, while the stores open and plain requests
	 * are answered already. Its first word is whether there is such a pair; where not, one is made in line. */
	pthread_t tls_thread;
	pthread_mutex_t tls_lock; /* for tls_started and tls, once others can come for it */
	bool tls_started, tls_checked;
	sem_t tls_said; /* tls_checked is known */
	struct ssl_ctx_st *tls;
};

/* --- the address --- */
static int parse_listen(struct serving *s)
{
	struct str text = str_c(s->o->listen), host, port;
	ptrdiff_t colon = str_rfind_char(text, ':');
	uint8_t a[16];
	uint64_t n;

	if (colon <= 0)
		return -EINVAL;
	host = str_of(text.p, (size_t)colon);
	port = str_skip(text, (size_t)colon + 1);
	if (str_to_u64(port, &n) < 0 || n > 65535)
		return -EINVAL;
	if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = str_of(host.p + 1, host.n - 2);
	s->host = str_dup(&s->c->arena, host);
	if (inet_pton(AF_INET, s->host.p, a) == 1)
		s->loopback = a[0] == 127;
	else if (inet_pton(AF_INET6, s->host.p, a) == 1)
		s->loopback = IN6_IS_ADDR_LOOPBACK((struct in6_addr *)(void *)a);
	else
		s->loopback = str_is(host, "localhost");
	return 0;
}

static bool any_address(struct str host)
{
	return str_is(host, "0.0.0.0") || str_is(host, "::");
}

/* The regions that will run: those asked for, or those that ran last (cloud.c decides the same way, later). */
static struct json *regions_to_run(const struct serving *s, struct arena *a)
{
	struct str rest = s->o->regions ? str_c(s->o->regions) : STR_NONE, text, one;
	struct json *j;

	if (!rest.p && cli_read_file(a, str_printf(a, "%s/regions.json", s->o->data).p, &text) == 0 && json_parse(a, text, &j, NULL) == 0 &&
	    json_is(j, JSON_ARRAY) && j->n)
		return j;
	if (!rest.p)
		rest = S("us-east-1,us-west-2,eu-west-1");
	j = json_new(a, JSON_ARRAY);
	while (str_next(&rest, ',', &one))
		if (region_name_valid(str_trim(one)))
			json_push(a, j, json_new_str(a, str_trim(one)));
	return j;
}

/* Data planes have host names of their own (cloud/front.h), and a wildcard stands for one label only. */
static size_t plane_names(const struct serving *s, struct arena *a, const char **v, size_t n)
{
	static const char *const planes[] = { "dkr.ecr", "execute-api", "lambda-url" };
	const struct json *regions = regions_to_run(s, a);

	for (size_t i = 0; i < regions->n; i++)
		for (size_t k = 0; k < ELEMENTS(planes) && n < NAMES_MAX - 8; k++)
			v[n++] = str_printf(a, "*.%s.%.*s.localhost", planes[k], STR(json_str(&regions->items[i]))).p;
	return n;
}

static const char *const *names_of(const struct serving *s, struct arena *a, struct str account)
{
	const char **v = arena_array(a, const char *, NAMES_MAX + 1);
	static const char *const fixed[] = { "localhost", "*.localhost", "s3.localhost", "*.s3.localhost", "127.0.0.1", "::1" };
	struct ifaddrs *all = NULL;
	char text[256];
	size_t n = 0;

	for (; n < ELEMENTS(fixed); n++)
		v[n] = fixed[n];
	v[n++] = str_printf(a, "%.*s.localhost", STR(account)).p;
	n = plane_names(s, a, v, n);
	if (s->host.n && !any_address(s->host) && !str_is(s->host, "127.0.0.1") && !str_is(s->host, "::1") && !str_is(s->host, "localhost"))
		v[n++] = s->host.p;
	if (!any_address(s->host))
		return v;
	if (gethostname(text, sizeof text) == 0 && text[0] && strchr(text, '_') == NULL)
		v[n++] = str_dup(a, str_c(text)).p;
	if (getifaddrs(&all) == 0)
		for (struct ifaddrs *i = all; i && n < NAMES_MAX; i = i->ifa_next) {
			if (!i->ifa_addr || (i->ifa_addr->sa_family != AF_INET && i->ifa_addr->sa_family != AF_INET6))
				continue;
			if (inet_ntop(i->ifa_addr->sa_family,
				      i->ifa_addr->sa_family == AF_INET
					      ? (const void *)&((struct sockaddr_in *)(void *)i->ifa_addr)->sin_addr
					      : (const void *)&((struct sockaddr_in6 *)(void *)i->ifa_addr)->sin6_addr,
				      text, sizeof text))
				v[n++] = str_dup(a, str_c(text)).p;
		}
	freeifaddrs(all);
	return v;
}

/* --- TLS, ahead of everything else --- */
static void *early_tls(void *arg)
{
	struct serving *s = arg;
	struct arena a = { 0 };
	struct str text, cert, key;
	struct json *j;

	s->tls_checked = cli_read_file(&a, str_printf(&a, "%s/root.json", s->o->data).p, &text) == 0 &&
			 json_parse(&a, text, &j, NULL) == 0 && json_get_str(j, "account").n == 12 &&
			 cert_checked(&a, s->o->data, names_of(s, &a, json_get_str(j, "account")), &cert, &key);
	(void)sem_post(&s->tls_said);
	if (s->tls_checked) {
		if (http_tls_new(cert.p, key.p, &s->tls) < 0)
			s->tls = NULL;
		mem_wipe((char *)(uintptr_t)key.p, key.n);
	}
	arena_done(&a);
	return NULL;
}

static void start_tls(struct serving *s)
{
	(void)sem_init(&s->tls_said, 0, 0);
	s->tls_started = pthread_create(&s->tls_thread, NULL, early_tls, s) == 0;
}

/* Waits for the thread. Returns its context, or NULL: there is none. Any thread. */
static struct ssl_ctx_st *finish_tls(void *arg)
{
	struct serving *s = arg;
	struct ssl_ctx_st *tls;

	pthread_mutex_lock(&s->tls_lock);
	if (s->tls_started)
		(void)pthread_join(s->tls_thread, NULL);
	s->tls_started = false;
	tls = s->tls;
	pthread_mutex_unlock(&s->tls_lock);
	return tls;
}

static bool tls_checked(struct serving *s)
{
	while (s->tls_started && sem_wait(&s->tls_said) < 0)
		continue;
	return s->tls_checked;
}

/* --- opening --- */
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

static int explain_open(struct serving *s, int r)
{
	struct cli *c = s->c;
	struct state st;

	switch (r) {
	case -EBUSY:
		if (state_read(c, &st) == 0)
			return cli_error("Use that one, or stop it first (cloudkeep down), or start another with --data DIR.",
					 "the data in %s are in use by process %d, which serves them on port %d", c->data, (int)st.pid,
					 st.port);
		return cli_error("Stop that process, or start another cloud with --data DIR.",
				 "the data in %s are in use by another process", c->data);
	case -EKEYREJECTED:
		return cli_error("Give the file it was made with: --master-key-file FILE. Nothing was changed.",
				 "%s does not belong to the data in %s: what is sealed there could not be opened",
				 s->o->master_key_file ? s->o->master_key_file : "master.key", c->data);
	case -EBADMSG:
		return cli_error("Import the last export into another directory (cloudkeep import FILE --data NEWDIR); see `cloudkeep "
				 "export --help`.",
				 "the data in %s are damaged", c->data);
	case -EPROTONOSUPPORT:
		return cli_error("Use that version, or import an export of its own.",
				 "the data in %s were written by a newer version of cloudkeep", c->data);
	case -EACCES:
	case -EPERM:
		return cli_error("Give the directory to this user, or choose another with --data DIR.",
				 "the directory %s cannot be used: %s", c->data, strerror(-r));
	case -ENOSPC:
		return cli_error("Free some space, or choose another place with --data DIR.", "there is no space left for %s", c->data);
	default:
		return cli_error(NULL, "the cloud in %s cannot be opened: %s", c->data, strerror(-r));
	}
}

/* A process that was killed a moment ago may still be in its end; one that lives keeps the data much longer than this. */
static int open_cloud(struct serving *s)
{
	static const char *const suffixes[] = { "s3.localhost", "localhost", NULL };
	struct cloud_opts co = { .data_dir = s->o->data,
				 .master_key_file = s->o->master_key_file,
				 .root_key = s->o->root_key,
				 .host_suffixes = suffixes,
				 .no_sync = s->o->no_sync,
				 .regions = split_regions(&s->c->arena, s->o->regions) };
	struct timespec step = { .tv_nsec = BUSY_STEP_MS * 1000000 };
	int64_t until = clock_mono_ms() + BUSY_WAIT_MS;
	struct state st;
	int r;

	for (;;) {
		r = cloud_open(&co, services, &s->cloud);
		if (r != -EBUSY || clock_mono_ms() > until || state_read(s->c, &st) == 0)
			return r;
		(void)nanosleep(&step, NULL);
	}
}

static int explain_listen(struct serving *s, int r)
{
	const char *l = s->o->listen;

	switch (r) {
	case -EADDRINUSE:
		return cli_error("Choose another port, for example --listen 127.0.0.1:0 for a free one. Who has it: ss -ltnp",
				 "cannot listen on %s: another program uses this port", l);
	case -EACCES:
		return cli_error("Ports below 1024 are for root: choose a higher one, for example --listen 127.0.0.1:4566.",
				 "cannot listen on %s: not allowed", l);
	case -EADDRNOTAVAIL:
	case -EINVAL:
		return cli_error("Give an address of this machine and a port: --listen 127.0.0.1:4566, --listen '[::1]:4566', --listen "
				 "0.0.0.0:4566.",
				 "cannot listen on %s: no such address here", l);
	default:
		return cli_error(NULL, "cannot listen on %s: %s", l, strerror(-r));
	}
}

static void listens(void *arg, struct http_server *http)
{
	struct serving *s = arg;

	s->listener = (struct cloud_listener){ http, http_port(http), s->loopback };
	cloud_set_listener(s->cloud, &s->listener);
}

static int start_http(struct serving *s)
{
	struct http_handler handler = cloud_http;
	char *cert = NULL, *key = NULL;
	struct http_opts ho = { .listen = s->o->listen, .handler = &handler, .tls_only = !s->loopback, .bound = listens, .bound_arg = s };
	int r = 0;

	handler.arg = s->cloud;
	if (tls_checked(s))
		ho.tls = finish_tls, ho.tls_arg = s;
	else
		r = cert_ensure(&s->c->arena, s->o->data, names_of(s, &s->c->arena, cloud_account(s->cloud)), &cert, &key);
	if (r < 0) {
		free(cert);
		free(key);
		return cli_error("Is --listen an address or a plain host name? Otherwise move DIR/tls away; it is made anew.",
				 "no certificate could be made in %s/tls: %s", s->o->data, strerror(-r));
	}
	if (s->o->port)
		ho.listen = str_printf(&s->c->arena, "%s%.*s%s:%d", strchr(s->host.p, ':') ? "[" : "", STR(s->host),
				       strchr(s->host.p, ':') ? "]" : "", s->o->port)
				    .p;
	ho.cert_pem = cert;
	ho.key_pem = key;
	r = http_start(&ho, &s->http);
	if (key)
		mem_wipe(key, strlen(key));
	free(cert);
	free(key);
	if (r < 0)
		cloud_set_listener(s->cloud, NULL);
	return r < 0 ? explain_listen(s, r) : 0;
}

/* --- ready --- */
static const char *region_list(struct serving *s)
{
	struct region *all[64];
	size_t n = cloud_regions(s->cloud, all, ELEMENTS(all));
	struct str names[64];
	size_t up = 0;

	for (size_t i = 0; i < n; i++)
		if (cloud_region(s->cloud, all[i]->name))
			names[up++] = all[i]->name;
	return str_z(&s->c->arena, str_join(&s->c->arena, names, up, S(", ")));
}

static void say_ready(struct serving *s, int ready_fd)
{
	struct cli *c = s->c;
	struct arena *a = &c->arena;
	const char *data = strcmp(c->data, CLI_DATA_DEFAULT) == 0 ? "" : str_printf(a, " --data %s", cli_shell(a, str_c(c->data))).p;
	struct str text = str_printf(a,
				     "Cloudkeep serves account %.*s\n"
				     "  endpoint   https://localhost:%d%s\n"
				     "  regions    %s\n"
				     "  data       %s\n\n"
				     "Type next%s:\n"
				     "  eval \"$(cloudkeep env%s)\"\n"
				     "  aws sts get-caller-identity\n\n",
				     STR(cloud_account(s->cloud)), s->state.port, s->loopback ? "   (plain HTTP too)" : "   (TLS only)",
				     region_list(s), c->data, s->o->detach ? "" : " in another terminal", data);
	struct str ready = str_printf(a, "ready port=%d\n", s->state.port);

	if (cli_terminal() || s->o->detach)
		text = str_printf(a, "%.*s%.*s", STR(text), STR(ready));
	else
		text = ready;
	if (ready_fd >= 0) { /* the process that was asked to detach prints it, and ends */
		(void)!write(ready_fd, text.p, text.n);
		return;
	}
	(void)fwrite(text.p, 1, text.n, stdout);
	(void)fflush(stdout);
}

static int wait_for_end(struct serving *s)
{
	struct pollfd p[] = { { s->signal_fd, POLLIN, 0 }, { s->wake_fd, POLLIN, 0 }, { admin_fd(s->admin), POLLIN, 0 } };

	for (;;) {
		if (poll(p, ELEMENTS(p), -1) < 0 && errno != EINTR)
			return -errno;
		if ((p[0].revents | p[1].revents) & POLLIN)
			return 0;
		if (p[2].revents & POLLIN)
			admin_accept(s->admin);
	}
}

static int prepare(struct serving *s)
{
	struct arena *a = &s->c->arena;
	int r = clock_load(s->o->data);

	if (r < 0)
		return cli_error("Write {\"shift_ms\":0} into it to go back to this machine's time.", "%s/clock.json is damaged",
				 s->o->data);
	start_tls(s);
	r = open_cloud(s);
	if (r < 0)
		return explain_open(s, r);
	cli_remove_tree(str_printf(a, "%s/export.tmp", s->o->data).p); /* of an export that a crash cut short */
	r = start_http(s);
	if (r != 0)
		return r;
	r = cloud_run(s->cloud);
	if (r < 0)
		return cli_error("Try again when other programs have ended.", "no thread could be started: %s", strerror(-r));
	s->state = (struct state){ .pid = getpid(),
				   .supervisor = s->o->no_supervisor ? 0 : getppid(),
				   .port = http_port(s->http),
				   .listen = s->o->listen,
				   .started = time_iso(a, clock_now_ms() - clock_offset_ms()).p };
	r = admin_start(s->cloud, s->o->data, s->wake_fd, &s->state, &s->admin);
	if (r == 0)
		r = state_write(s->o->data, a, &s->state);
	return r < 0 ? cli_error(NULL, "cannot write into %s: %s", s->o->data, strerror(-r)) : 0;
}

int serve(struct cli *c, const struct up_opts *o, int *shared_port, int ready_fd)
{
	struct serving s = { .c = c, .o = o, .tls_lock = PTHREAD_MUTEX_INITIALIZER };
	sigset_t set;
	int r;

	/* One arena of malloc for all threads: their small blocks would otherwise cost an arena each, and arenas but the first
	 * grow page by page. Our own arenas do the work of a call. */
	(void)mallopt(M_ARENA_MAX, 1);
	(void)mallopt(M_TRIM_THRESHOLD, 256 << 10);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s.signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
	s.wake_fd = eventfd(0, EFD_CLOEXEC);
	r = parse_listen(&s);
	if (r < 0)
		r = explain_listen(&s, -EINVAL);
	else
		r = prepare(&s);
	if (r == 0) {
		*shared_port = s.state.port;
		say_ready(&s, ready_fd);
		if (ready_fd >= 0)
			(void)close(ready_fd);
		if (s.tls_checked && !finish_tls(&s))
			r = cli_error("Remove DIR/tls/checked: the pair is looked at again, and made anew.",
				      "the certificate in %s/tls cannot be used", o->data);
		else
			(void)wait_for_end(&s);
	}
	if (s.cloud)
		cloud_drain(s.cloud);
	if (s.http)
		http_stop(s.http, STOP_GRACE_MS);
	admin_stop(s.admin);
	http_tls_free(finish_tls(&s));
	if (s.cloud)
		cloud_close(s.cloud);
	if (s.state.pid)
		state_remove(o->data);
	(void)close(s.signal_fd);
	(void)close(s.wake_fd);
	return r;
}
