/* SPDX-License-Identifier: Apache-2.0 */
/* functions.c - the module's thread: the queue of invocations, the link to procd, and the events of all environments. */
#include "base/util.h"
#include "http/http.h"
#include "procd/private.h"
#include "procd/procd.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCD_END_MS 5000
#define ACCEPT_PAUSE_NS 5000000
#define ENVIRONMENTS_LEAST 8
#define ENVIRONMENTS_MOST 512

int64_t fn_now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void fn_watch(struct functions *f, struct watch *w, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	if (epoll_ctl(f->ep, EPOLL_CTL_ADD, w->fd, &ev) < 0 && errno == EEXIST)
		(void)epoll_ctl(f->ep, EPOLL_CTL_MOD, w->fd, &ev);
}

void fn_unwatch(struct functions *f, struct watch *w)
{
	if (w->fd >= 0) { /* a descriptor that came from procd may have twins: close alone would not take it out of the set */
		(void)epoll_ctl(f->ep, EPOLL_CTL_DEL, w->fd, NULL);
		(void)close(w->fd);
	}
	w->fd = -1;
}

void fn_deadline(struct functions *f, int64_t at_us)
{
	if (at_us < f->check_us)
		f->check_us = at_us;
}

void fn_out_of_files(struct functions *f)
{
	struct timespec moment = { .tv_nsec = ACCEPT_PAUSE_NS };

	if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
		(void)nanosleep(&moment, NULL);
}

/* --- invocations --- */
static struct str copy(struct arena *a, struct str s)
{
	return s.p ? str_dup(a, s) : s;
}

void fn_copy_spec(struct arena *a, struct fn_spec *d, const struct fn_spec *s)
{
	*d = *s;
	d->key = copy(a, s->key);
	d->runtime = copy(a, s->runtime);
	d->handler = copy(a, s->handler);
	d->code_dir = copy(a, s->code_dir);
	for (size_t i = 0; i < s->n_layers; i++)
		d->layer_dirs[i] = copy(a, s->layer_dirs[i]);
	d->region = copy(a, s->region);
	d->arn = copy(a, s->arn);
}

void fn_wake(struct functions *f)
{
	uint64_t one = 1;

	if (!f->awake)
		(void)!write(f->wake.fd, &one, sizeof one);
	f->awake = true;
}

void functions_invoke(struct functions *f, const struct fn_spec *s, const struct fn_event *e,
		      void (*done)(void *arg, const struct fn_result *r), void *arg)
{
	struct invocation *i = xzalloc(sizeof *i);
	struct arena *a = &i->arena;

	assert(s->n_layers <= ELEMENTS(s->layer_dirs));
	fn_copy_spec(a, &i->spec, s);
	i->event = (struct fn_event){ .request_id = copy(a, e->request_id),
				      .payload = copy(a, e->payload),
				      .trace = copy(a, e->trace),
				      .client_context = copy(a, e->client_context),
				      .cognito_identity = copy(a, e->cognito_identity),
				      .function_arn = copy(a, e->function_arn),
				      .timeout_ms = e->timeout_ms,
				      .sink = e->sink };
	i->done = done;
	i->arg = arg;
	pthread_mutex_lock(&f->mutex);
	*f->queue_tail = i;
	f->queue_tail = &i->next;
	fn_wake(f);
	pthread_mutex_unlock(&f->mutex);
}

void fn_finish(struct invocation *i, const struct fn_result *r)
{
	i->done(i->arg, r);
	if (!i->spec_taken && i->spec.release)
		i->spec.release(i->spec.arg);
	arena_done(&i->arena);
	free(i);
}

void fn_refuse(struct invocation *i, const char *why)
{
	struct fn_result r = { .outcome = FN_REFUSED, .exit_text = str_c(why), .environment = S("") };

	fn_finish(i, &r);
}

/* --- procd --- */
static int spawn_procd(struct functions *f)
{
	char *root = NULL;
	char port[16], *argv[] = { (char[]){ PROCD_WORD }, NULL, f->tag, port, NULL };
	char *env[] = { NULL };
	posix_spawn_file_actions_t fa;
	int sp[2], r;

	f->procd_tried_ms = clock_mono_ms();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sp) < 0)
		return -errno;
	if (asprintf(&root, "%s/root", f->dir) < 0)
		root = NULL;
	argv[1] = root;
	snprintf(port, sizeof port, "%d", f->endpoint_port);
	posix_spawn_file_actions_init(&fa);
	r = root ? posix_spawn_file_actions_adddup2(&fa, sp[1], PROCD_FD) : ENOMEM;
	if (r == 0 && sp[1] == PROCD_FD) /* dup2 onto itself would leave it close-on-exec; glibc clears the flag */
		r = 0;
	if (r == 0)
		r = posix_spawn(&f->procd_pid, "/proc/self/exe", &fa, NULL, argv, env);
	posix_spawn_file_actions_destroy(&fa);
	free(root);
	(void)close(sp[1]);
	if (r != 0) {
		(void)close(sp[0]);
		return -r;
	}
	f->procd.fd = sp[0];
	fn_watch(f, &f->procd, EPOLLIN);
	return 0;
}

static void set_ready(struct functions *f, int ready, struct str words)
{
	pthread_mutex_lock(&f->mutex);
	f->ready = ready;
	snprintf(f->words, sizeof f->words, "%.*s", STR(words));
	pthread_cond_broadcast(&f->hello);
	pthread_mutex_unlock(&f->mutex);
}

static void refuse_pending(struct functions *f)
{
	struct invocation *i, *list = f->pending;

	f->pending = NULL;
	f->pending_tail = &f->pending;
	while ((i = list)) {
		list = i->next;
		fn_refuse(i, f->words);
	}
}

/* end_procd closes the socket: procd then ends what it started, and itself. */
static void end_procd(struct functions *f)
{
	struct pollfd p = { -1, POLLIN, 0 };
	int status;

	fn_unwatch(f, &f->procd);
	if (f->procd_pid <= 0)
		return;
	p.fd = (int)syscall(SYS_pidfd_open, f->procd_pid, 0);
	if (p.fd < 0 || poll(&p, 1, PROCD_END_MS) != 1)
		(void)kill(f->procd_pid, SIGKILL);
	if (p.fd >= 0)
		(void)close(p.fd);
	(void)waitpid(f->procd_pid, &status, 0);
	f->procd_pid = 0;
}

static void procd_lost(struct functions *f, const char *why)
{
	end_procd(f);
	for (struct env *e = f->envs, *next; e; e = next) {
		next = e->next;
		env_lost(e, why);
	}
	if (f->ready >= 0)
		set_ready(f, -ECONNRESET, str_c(why));
	refuse_pending(f);
}

static void take_hello(struct functions *f, const struct message *m)
{
	struct str text = m->body;

	if (m->head.number < 0) {
		char why[512];

		snprintf(why, sizeof why, "functions cannot be isolated here: %.*s", STR(text));
		set_ready(f, (int)m->head.number, str_c(why));
		refuse_pending(f);
		return;
	}
	set_ready(f, 1, text);
	provision_wake(f);
}

static void procd_event(struct functions *f)
{
	struct message m;
	int r = message_receive(f->procd.fd, f->room, &m);
	size_t used = 0;

	if (r == -EAGAIN)
		return;
	if (r <= 0) {
		procd_lost(f, r < 0 ? "the process that starts functions sent nonsense" : "the process that starts functions ended");
		return;
	}
	switch (m.head.kind) {
	case MESSAGE_HELLO:
		take_hello(f, &m);
		break;
	case MESSAGE_STARTED:
		env_started(f, &m);
		used = m.n_fds;
		break;
	case MESSAGE_FAILED:
		env_failed(f, &m);
		break;
	case MESSAGE_EXITED:
		env_exited(f, &m);
		break;
	default:
		procd_lost(f, "the process that starts functions sent nonsense");
	}
	for (size_t i = used; i < m.n_fds; i++)
		(void)close(m.fds[i]);
}

/* --- the thread --- */
void fn_procd_again(struct functions *f)
{
	int r;

	if (f->procd.fd >= 0 || f->ready != -ECONNRESET || clock_mono_ms() - f->procd_tried_ms <= FN_PROCD_PAUSE_MS)
		return;
	r = spawn_procd(f);
	set_ready(f, r < 0 ? -ECONNRESET : 0, S("the process that starts functions cannot be started"));
}

static void take_invocation(struct functions *f, struct invocation *i)
{
	fn_procd_again(f);
	if (f->ready < 0)
		fn_refuse(i, f->words);
	else
		env_invoke(f, i);
}

/* refuse_region takes what is of that region out of a list, and returns where the list ends. */
static struct invocation **refuse_region(struct str region, struct invocation **list, const char *why)
{
	while (*list) {
		struct invocation *i = *list;

		if (!str_eq(i->spec.region, region)) {
			list = &i->next;
			continue;
		}
		*list = i->next;
		fn_refuse(i, why);
	}
	return list;
}

/* end_region ends what is of that region; arrived came with this turn. */
static void end_region(struct functions *f, struct str region, struct invocation **arrived)
{
	static const char why[] = "The region is about to stop.";

	f->pending_tail = refuse_region(region, &f->pending, why);
	(void)refuse_region(region, arrived, why);
	provision_end_region(f, region);
	env_end_region(f, region, why);
}

static void free_list(struct str_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free((void *)(uintptr_t)l->v[i].p);
	free(l->v);
	*l = (struct str_list){ 0 };
}

static bool on_wake(struct functions *f)
{
	struct invocation *list;
	struct str_list forget, ending, resume;
	struct provision *asked;
	bool stop;
	uint64_t n;

	(void)!read(f->wake.fd, &n, sizeof n);
	pthread_mutex_lock(&f->mutex);
	list = f->queue;
	f->queue = NULL;
	f->queue_tail = &f->queue;
	forget = f->forget;
	f->forget = (struct str_list){ 0 };
	ending = f->ending;
	f->ending = (struct str_list){ 0 };
	resume = f->resume;
	f->resume = (struct str_list){ 0 };
	asked = provision_take(f);
	f->awake = false;
	stop = f->stop;
	pthread_mutex_unlock(&f->mutex);
	for (size_t k = 0; k < forget.n; k++)
		env_forget(f, forget.v[k]);
	provision_apply(f, asked);
	for (size_t k = 0; k < ending.n; k++)
		end_region(f, ending.v[k], &list);
	for (size_t k = 0; k < resume.n; k++)
		env_resume(f, resume.v[k]);
	free_list(&forget);
	free_list(&ending);
	free_list(&resume);
	while (list) {
		struct invocation *i = list;

		list = i->next;
		if (stop)
			fn_refuse(i, "the cloud is stopping");
		else
			take_invocation(f, i);
	}
	return stop;
}

static void adopt(struct functions *f, struct env *e, int listener)
{
	for (int k = 0; k < FN_EVENTS_MAX; k++) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0) {
			fn_out_of_files(f);
			return;
		}
		if (!f->http || http_adopt(f->http, fd, str_c(e->name)) < 0)
			(void)close(fd);
	}
}

static void one_event(struct functions *f, struct watch *w, uint32_t events)
{
	struct env *e = w->owner;

	if (w->fd < 0)
		return; /* closed by an earlier event of this turn */
	switch (w->kind) {
	case WATCH_PROCD:
		procd_event(f);
		break;
	case WATCH_OUT:
	case WATCH_ERR:
		output_read(e, w->kind == WATCH_ERR);
		break;
	case WATCH_API:
		api_accept(e, w->fd);
		break;
	case WATCH_CLOUD:
		adopt(f, e, w->fd);
		break;
	case WATCH_NAMES:
		names_event(w->fd);
		break;
	case WATCH_CONN:
		api_event(w->owner, events);
		break;
	case WATCH_WAKE:
		break;
	}
}

static void free_dead(struct functions *f)
{
	struct api_conn *c;
	struct env *e;

	while ((c = f->dead_conns)) {
		f->dead_conns = c->next;
		api_free(c);
	}
	while ((e = f->dead_envs)) {
		f->dead_envs = e->next;
		env_free(e);
	}
}

static void *run(void *arg)
{
	struct functions *f = arg;
	struct epoll_event ev[FN_EVENTS_MAX];
	bool stop = false;

	while (!stop) {
		int64_t left = f->check_us == INT64_MAX ? -1 : (f->check_us - fn_now_us() + 999) / 1000, now;
		int n = epoll_wait(f->ep, ev, FN_EVENTS_MAX,
				   left < 0         ? (f->check_us == INT64_MAX ? -1 : 0)
				   : left > INT_MAX ? INT_MAX
						    : (int)left);
		bool woken = false;

		for (int i = 0; i < n; i++) {
			struct watch *w = ev[i].data.ptr;

			if (w->kind == WATCH_WAKE)
				woken = true;
			else
				one_event(f, w, ev[i].events);
		}
		if (woken)
			stop = on_wake(f);
		now = fn_now_us();
		if (now >= f->check_us)
			env_checks(f, now);
		env_pending(f);
		if (f->provisions && now >= f->provision_us)
			provision_look(f, now);
		free_dead(f);
	}
	procd_lost(f, "the cloud is stopping");
	provision_end_all(f);
	free_dead(f);
	return NULL;
}

/* --- opening and closing --- */
static size_t default_max(void)
{
	struct sysinfo si;
	uint64_t n = sysinfo(&si) == 0 ? (uint64_t)si.totalram * si.mem_unit / (FN_ENVIRONMENT_MB << 20) : 0;

	return n < ENVIRONMENTS_LEAST ? ENVIRONMENTS_LEAST : n > ENVIRONMENTS_MOST ? ENVIRONMENTS_MOST : (size_t)n;
}

/* beside_program finds what set-up made: in the checkout that a build folder belongs to, or where it was installed. */
static char *beside_program(void)
{
	static const char *const places[] = { "../../../runtimes", "../../runtimes", "../runtimes", "../share/cloudkeep/runtimes",
					      "../../../../runtimes" };
	char self[PATH_MAX], path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	char *slash, *found;
	struct stat st;

	if (n <= 0)
		return NULL;
	self[n] = '\0';
	slash = strrchr(self, '/');
	if (!slash)
		return NULL;
	*slash = '\0';
	for (size_t i = 0; i < ELEMENTS(places); i++) {
		if (snprintf(path, sizeof path, "%s/%s", self, places[i]) >= (int)sizeof path)
			continue;
		found = realpath(path, NULL);
		if (found && stat(found, &st) == 0 && S_ISDIR(st.st_mode))
			return found;
		free(found);
	}
	return NULL;
}

/* make_tag names this cloud's control groups: by its directory, which no other running cloud can have. */
static char *make_tag(const char *dir)
{
	uint8_t h[32];
	char *tag = NULL;

	hash_sha256(dir, strlen(dir), h);
	return asprintf(&tag, "cloudkeep-%02x%02x%02x%02x%02x%02x", h[0], h[1], h[2], h[3], h[4], h[5]) < 0 ? NULL : tag;
}

static void free_all(struct functions *f)
{
	fn_unwatch(f, &f->procd);
	if (f->wake.fd >= 0)
		(void)close(f->wake.fd);
	if (f->ep >= 0)
		(void)close(f->ep);
	pthread_mutex_destroy(&f->mutex);
	pthread_cond_destroy(&f->hello);
	free(f->dir);
	free(f->runtimes);
	free(f->ca_pem);
	free(f->tag);
	free(f->room);
	free(f->read_room);
	free(f);
}

static int open_parts(struct functions *f, const struct functions_opts *o)
{
	int r;

	if (mkdir(o->dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	f->dir = realpath(o->dir, NULL);
	f->runtimes = o->runtimes_dir ? realpath(o->runtimes_dir, NULL) : beside_program();
	f->ca_pem = o->ca_pem ? realpath(o->ca_pem, NULL) : NULL;
	f->tag = f->dir ? make_tag(f->dir) : NULL;
	if (!f->tag || (o->ca_pem && !f->ca_pem))
		return errno ? -errno : -ENOENT;
	f->ep = epoll_create1(EPOLL_CLOEXEC);
	f->wake.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (f->ep < 0 || f->wake.fd < 0)
		return -errno;
	fn_watch(f, &f->wake, EPOLLIN);
	f->room = xmalloc(MESSAGE_BYTES_MAX);
	f->read_room = xmalloc(FN_READ_BYTES);
	r = runtime_write_bootstraps(f->dir);
	return r < 0 ? r : spawn_procd(f);
}

int functions_open(const struct functions_opts *o, struct functions **ret)
{
	struct functions *f = xzalloc(sizeof *f);
	sigset_t all, old;
	int r;

	f->ep = -1;
	f->wake = (struct watch){ WATCH_WAKE, -1, NULL };
	f->procd = (struct watch){ WATCH_PROCD, -1, NULL };
	f->endpoint_port = o->endpoint_port;
	f->http = o->http;
	f->idle_ms = o->idle_ms > 0 ? o->idle_ms : FN_IDLE_DEFAULT_MS;
	f->environments_max = o->environments_max ? o->environments_max : default_max();
	f->queue_tail = &f->queue;
	f->pending_tail = &f->pending;
	f->asked_tail = &f->asked;
	f->starts_max = (size_t)get_nprocs() * FN_STARTS_A_CPU;
	f->check_us = INT64_MAX;
	pthread_mutex_init(&f->mutex, NULL);
	pthread_cond_init(&f->hello, NULL);
	r = open_parts(f, o);
	if (r == 0) {
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &old); /* signals are the main thread's */
		r = -pthread_create(&f->thread, NULL, run, f);
		pthread_sigmask(SIG_SETMASK, &old, NULL);
	}
	if (r < 0)
		free_all(f);
	else
		*ret = f;
	return r;
}

void functions_close(struct functions *f)
{
	struct invocation *i;

	if (!f)
		return;
	pthread_mutex_lock(&f->mutex);
	f->stop = true;
	f->awake = false;
	fn_wake(f);
	pthread_mutex_unlock(&f->mutex);
	(void)pthread_join(f->thread, NULL);
	while ((i = f->queue)) { /* came while the thread ended */
		f->queue = i->next;
		fn_refuse(i, "the cloud is stopping");
	}
	provision_end_all(f);
	free_list(&f->forget);
	free_list(&f->ending);
	free_list(&f->resume);
	free_all(f);
}

/* ask puts a copy of text into one of the lists that the thread looks through. */
static void ask(struct functions *f, struct str_list *list, struct str text)
{
	struct str *v;

	pthread_mutex_lock(&f->mutex);
	v = xrealloc(list->v, (list->n + 1) * sizeof *v);
	v[list->n] = str_of(xmalloc(text.n + 1), text.n);
	memcpy((char *)(uintptr_t)v[list->n].p, text.p, text.n);
	list->v = v;
	list->n++;
	fn_wake(f);
	pthread_mutex_unlock(&f->mutex);
}

void functions_forget(struct functions *f, struct str key_prefix)
{
	ask(f, &f->forget, key_prefix);
}

void functions_resume(struct functions *f, struct str request_id)
{
	ask(f, &f->resume, request_id);
}

void functions_end_region(struct functions *f, struct str region)
{
	ask(f, &f->ending, region);
}

const char *functions_isolation(const struct functions *f)
{
	struct functions *m = (struct functions *)(uintptr_t)f;

	pthread_mutex_lock(&m->mutex);
	while (m->ready == 0)
		pthread_cond_wait(&m->hello, &m->mutex);
	pthread_mutex_unlock(&m->mutex);
	return m->words;
}
