/* SPDX-License-Identifier: Apache-2.0 */
/* fn_tool - functions.h without the rest of the cloud, for tests and measurements.
 *
 *   fn_tool DIR isolation
 *   fn_tool DIR serve          reads orders, one JSON object a line, and writes what happens, one JSON object a line
 *   fn_tool DIR bench RUNTIME HANDLER CODE_DIR N AT_ONCE BYTES
 *
 * Orders: {"invoke": ID, "key":, "runtime":, "handler":, "code":, "payload":, "memory":, "tmp":, "timeout":, "init_timeout":,
 * "layers": [...], "env": {...}, "expires_in": ms}, {"provision": N, and the same}, {"provisioned": KEY},
 * {"invoke": ID, "stream": bytes that are taken before it holds, 0: all, and the same}, {"resume": ID}, {"forget": PREFIX}, {"isolation":
 * true}, {"runtime_of": NAME}. Answers: {"id":, "outcome":, ...}, {"log":, "environment":, "request_id":}, ... Also serves HTTP for the
 * functions: every request is answered with its path and where it came from. */
#include "base/json.h"
#include "base/util.h"
#include "http/http.h"
#include "procd/functions.h"
#include "procd/procd.h"
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define LINE_BYTES_MAX (16u << 20)

static pthread_mutex_t out_lock = PTHREAD_MUTEX_INITIALIZER;
static struct functions *fns;
static atomic_int releases, calls;

static const char *const outcomes[] = { "DONE", "FAILED", "TIMED_OUT", "EXITED", "NO_MEMORY", "REFUSED" };

static void put(struct json *j)
{
	struct buf b;

	buf_init(&b, LINE_BYTES_MAX);
	json_write(&b, j);
	buf_c(&b, '\n');
	pthread_mutex_lock(&out_lock);
	(void)!fwrite(b.p, 1, b.n, stdout);
	(void)fflush(stdout);
	pthread_mutex_unlock(&out_lock);
	buf_done(&b);
}

/* --- the cloud's door, for functions --- */
static void http_headers(void *arg, struct http_request *r)
{
}
static void http_done(void *arg, struct http_request *r)
{
	struct str text = str_printf(&r->arena, "%.*s %.*s tls=%d via=%.*s body=%zu", STR(r->method), STR(r->target), r->tls,
				     STR(r->via.p ? r->via : S("-")), r->body.n);

	http_reply(r, &(struct http_reply){ .status = 200, .body = text });
}
static void http_gone(void *arg, struct http_request *r)
{
}
static const struct http_handler handler = { .headers = http_headers, .done = http_done, .gone = http_gone };

static int start_http(const char *dir, struct http_server **ret, const char **ret_ca)
{
	static const char *const names[] = { "localhost", "127.0.0.1", NULL };
	static char path[512];
	char *ca, *ca_key, *cert, *key;
	struct http_opts o = { .listen = "127.0.0.1:0", .loops = 1, .handler = &handler };
	FILE *f;
	int r = ca_make(&ca, &ca_key);

	if (r == 0)
		r = ca_issue(ca, ca_key, names, &cert, &key);
	if (r < 0)
		return r;
	snprintf(path, sizeof path, "%s.ca.pem", dir);
	f = fopen(path, "we");
	if (!f || fputs(ca, f) < 0 || fclose(f) != 0)
		return -EIO;
	*ret_ca = path;
	o.cert_pem = cert;
	o.key_pem = key;
	r = http_start(&o, ret);
	free(ca);
	free(ca_key);
	free(cert);
	free(key);
	return r;
}

/* --- orders --- */
struct order { /* lives until the spec is released */
	struct arena a;
	struct json *j;
	int64_t id;
	bool answered;
};

/* --- answers that are streamed --- */
#define STREAMS_MAX 4096
static struct stream { /* by invocation */
	struct str request_id;
	int64_t taken, most; /* most 0: whatever comes */
} streams[STREAMS_MAX];
static pthread_mutex_t streams_lock = PTHREAD_MUTEX_INITIALIZER;

static struct stream *stream_of(int64_t id)
{
	return &streams[id % STREAMS_MAX];
}

static void stream_begin(void *arg, struct str content_type)
{
	struct arena a = { 0 };
	struct json *j = json_new(&a, JSON_OBJECT);

	json_set_str(&a, j, "log", S(""));
	json_set_int(&a, j, "begun", (int64_t)(intptr_t)arg);
	json_set_str(&a, j, "content_type", content_type);
	put(j);
	arena_done(&a);
}

static size_t stream_write(void *arg, struct str piece)
{
	struct stream *s = stream_of((int64_t)(intptr_t)arg);
	struct arena a = { 0 };
	struct json *j = json_new(&a, JSON_OBJECT);
	size_t n = piece.n;

	pthread_mutex_lock(&streams_lock);
	if (s->most && s->taken + (int64_t)n > s->most)
		n = (size_t)(s->most - s->taken);
	s->taken += (int64_t)n;
	pthread_mutex_unlock(&streams_lock);
	json_set_str(&a, j, "log", S(""));
	json_set_int(&a, j, "wrote", (int64_t)(intptr_t)arg);
	json_set_int(&a, j, "n", (int64_t)n);
	if (n < 1000 && utf8_valid(str_of(piece.p, n)))
		json_set_str(&a, j, "text", str_of(piece.p, n));
	put(j);
	arena_done(&a);
	return n;
}
static const struct fn_sink sink = { stream_begin, stream_write };

static void stream_resume(int64_t id)
{
	struct stream *s = stream_of(id);

	pthread_mutex_lock(&streams_lock);
	s->most = 0;
	pthread_mutex_unlock(&streams_lock);
	functions_resume(fns, s->request_id);
}

static int variables(void *arg, struct arena *a, struct str_pair **ret, size_t *ret_n, int64_t *ret_expires_ms)
{
	struct order *o = arg;
	struct json *env = json_getz(o->j, "env");
	int64_t in;
	size_t cap = 0;

	*ret = NULL;
	*ret_n = 0;
	if (json_to_i64(json_getz(o->j, "expires_in"), &in) == 0)
		*ret_expires_ms = clock_now_ms() + in;
	for (size_t i = 0; env && i < env->n; i++)
		vec_push(a, *ret, *ret_n, cap) = (struct str_pair){ env->members[i].key, json_str(&env->members[i].value) };
	return json_to_bool(json_getz(o->j, "no_credentials"), false) ? -EACCES : 0;
}

static void log_lines(void *arg, struct str environment, struct str request_id, struct str lines, int64_t at_ms)
{
	struct arena a = { 0 };
	struct json *j = json_new(&a, JSON_OBJECT);

	json_set_str(&a, j, "log", utf8_valid(lines) ? lines : S("(binary)"));
	json_set_str(&a, j, "environment", environment);
	json_set_str(&a, j, "request_id", request_id);
	put(j);
	arena_done(&a);
}

static void release(void *arg)
{
	struct order *o = arg;

	atomic_fetch_add(&releases, 1);
	arena_done(&o->a);
	free(o);
}

static void done(void *arg, const struct fn_result *r)
{
	struct arena a = { 0 };
	struct json *j = json_new(&a, JSON_OBJECT);

	json_set_int(&a, j, "id", (int64_t)(intptr_t)arg);
	json_set_str(&a, j, "outcome", str_c(outcomes[r->outcome]));
	json_set_str(&a, j, "payload", r->payload.n > 65536 ? str_printf(&a, "(%zu bytes)", r->payload.n) : r->payload);
	json_set_str(&a, j, "error_type", r->error_type);
	json_set_str(&a, j, "exit_text", r->exit_text);
	json_set_str(&a, j, "environment", r->environment);
	json_set_bool(&a, j, "cold", r->cold);
	json_set_bool(&a, j, "ahead", r->ahead);
	json_set_bool(&a, j, "streamed", r->streamed);
	json_set_str(&a, j, "content_type", r->content_type);
	json_set_int(&a, j, "init_us", r->init_us);
	json_set_int(&a, j, "duration_us", r->duration_us);
	json_set_int(&a, j, "memory_mb", r->memory_used_mb);
	json_set_str(&a, j, "log_tail", utf8_valid(r->log_tail) ? r->log_tail : S("(binary)"));
	put(j);
	arena_done(&a);
}

static int64_t number(const struct json *j, const char *name, int64_t dflt)
{
	int64_t v;

	return json_to_i64(json_getz(j, name), &v) == 0 ? v : dflt;
}

static void up(void *arg, struct str environment, int64_t init_us, struct str error_type)
{
	struct arena a = { 0 };
	struct json *j = json_new(&a, JSON_OBJECT);

	json_set_str(&a, j, "log", S(""));
	json_set_str(&a, j, "up", environment);
	json_set_str(&a, j, "error_type", error_type);
	json_set_int(&a, j, "init_us", init_us);
	put(j);
	arena_done(&a);
}

static void run(struct order *o)
{
	struct json *j = o->j, *layers = json_getz(j, "layers");
	struct fn_spec s = { .key = json_get_str(j, "key"),
			     .runtime = json_get_str(j, "runtime"),
			     .handler = json_get_str(j, "handler"),
			     .code_dir = json_get_str(j, "code"),
			     .region = S("us-east-1"),
			     .arn = S("arn:aws:lambda:us-east-1:123456789012:function:f"),
			     .memory_mb = (uint32_t)number(j, "memory", 256),
			     .ephemeral_mb = (uint32_t)number(j, "tmp", 512),
			     .timeout_ms = (uint32_t)number(j, "timeout", 5000),
			     .init_timeout_ms = (uint32_t)number(j, "init_timeout", 10000),
			     .variables = variables,
			     .log = log_lines,
			     .up = up,
			     .release = release,
			     .arg = o };
	struct fn_event e = { .request_id = random_uuid(&o->a),
			      .payload = json_get_str(j, "payload"),
			      .trace = json_get_str(j, "trace"),
			      .client_context = json_get_str(j, "client_context"),
			      .function_arn = s.arn,
			      .timeout_ms = s.timeout_ms };

	for (size_t i = 0; layers && i < layers->n; i++)
		s.layer_dirs[s.n_layers++] = json_str(&layers->items[i]);
	if (json_getz(j, "stream")) {
		free((char *)(uintptr_t)stream_of(o->id)->request_id.p);
		*stream_of(o->id) = (struct stream){ str_c(xstrdup(str_z(&o->a, e.request_id))), 0, number(j, "stream", 0) };
		e.sink = &sink;
	}
	if (json_getz(j, "provision"))
		functions_provision(fns, &s, (uint32_t)number(j, "provision", 0));
	else
		functions_invoke(fns, &s, &e, done, (void *)(intptr_t)o->id);
}

static void tell_provisioned(struct order *o, struct json *ans)
{
	struct fn_provisioned p = { 0 };

	json_set_bool(&o->a, ans, "kept", functions_provisioned(fns, json_get_str(o->j, "provisioned"), &p));
	json_set_int(&o->a, ans, "wanted", p.wanted);
	json_set_int(&o->a, ans, "ready", p.ready);
	json_set_bool(&o->a, ans, "failed", p.failed);
	json_set_bool(&o->a, ans, "init", p.init);
	json_set_str(&o->a, ans, "why", str_c(p.why));
	put(ans);
}

static void take(struct str line)
{
	struct order *o = xzalloc(sizeof *o);
	struct json *ans;

	line = str_dup(&o->a, line);
	if (json_parse(&o->a, line, &o->j, NULL) < 0) {
		fprintf(stderr, "fn_tool: not JSON: %.*s\n", STR(line));
		exit(2);
	}
	ans = json_new(&o->a, JSON_OBJECT);
	if (json_getz(o->j, "invoke") || json_getz(o->j, "provision")) {
		o->id = number(o->j, "invoke", 0);
		atomic_fetch_add(&calls, 1);
		run(o);
		return;
	}
	if (json_getz(o->j, "provisioned"))
		tell_provisioned(o, ans);
	if (json_getz(o->j, "resume"))
		stream_resume(number(o->j, "resume", 0));
	if (json_getz(o->j, "forget"))
		functions_forget(fns, json_get_str(o->j, "forget"));
	if (json_getz(o->j, "isolation")) {
		json_set_str(&o->a, ans, "isolation", str_c(functions_isolation(fns)));
		put(ans);
	}
	if (json_getz(o->j, "runtime_of")) {
		json_set(&o->a, ans, S("runtime_of"), json_new(&o->a, JSON_NULL));
		json_set_str(&o->a, ans, "runtime_of", functions_runtime(fns, json_get_str(o->j, "runtime_of"), &o->a));
		put(ans);
	}
	arena_done(&o->a);
	free(o);
}

static int serve(void)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	while ((n = getline(&line, &cap, stdin)) > 0)
		take(str_of(line, (size_t)n));
	free(line);
	return 0;
}

/* --- measuring --- */
static struct {
	struct fn_spec s;
	struct str payload;
	atomic_int left, running;
	sem_t over;
	atomic_llong failed;
} bench;

static void bench_one(void);

static void bench_done(void *arg, const struct fn_result *r)
{
	if (r->outcome != FN_DONE)
		atomic_fetch_add(&bench.failed, 1);
	if (atomic_fetch_sub(&bench.left, 1) > 0)
		bench_one();
	else if (atomic_fetch_sub(&bench.running, 1) == 1)
		sem_post(&bench.over);
}

static void bench_one(void)
{
	struct fn_event e = { .request_id = S("8476a536-e9f4-11e8-9739-2dfe598c3fcd"),
			      .payload = bench.payload,
			      .function_arn = bench.s.arn,
			      .timeout_ms = 30000 };

	functions_invoke(fns, &bench.s, &e, bench_done, NULL);
}

static double bench_round(int n, int at_once)
{
	int64_t began = clock_mono_ms();

	atomic_store(&bench.left, n - at_once);
	atomic_store(&bench.running, at_once);
	for (int i = 0; i < at_once; i++)
		bench_one();
	sem_wait(&bench.over);
	return (double)(clock_mono_ms() - began) / 1000;
}

static int run_bench(char **argv)
{
	struct arena a = { 0 };
	int64_t n = 0, at_once = 0, bytes = 0;
	char *fill;
	double s;

	(void)str_to_i64(str_c(argv[3]), &n);
	(void)str_to_i64(str_c(argv[4]), &at_once);
	(void)str_to_i64(str_c(argv[5]), &bytes);
	fill = arena_alloc(&a, (size_t)bytes + 3);
	memset(fill, 'x', (size_t)bytes + 2);
	fill[0] = fill[bytes + 1] = '"';
	bench.payload = str_of(fill, (size_t)bytes + 2);
	bench.s = (struct fn_spec){ .key = S("bench"),
				    .runtime = str_c(argv[0]),
				    .handler = str_c(argv[1]),
				    .code_dir = str_c(argv[2]),
				    .arn = S("arn:aws:lambda:us-east-1:123456789012:function:f"),
				    .memory_mb = 1769,
				    .ephemeral_mb = 512,
				    .timeout_ms = 30000,
				    .init_timeout_ms = 10000 };
	sem_init(&bench.over, 0, 0);
	s = bench_round((int)at_once, (int)at_once);
	printf("cold: %d environments in %.3f s\n", (int)at_once, s);
	(void)bench_round((int)(n / 10 > at_once ? n / 10 : at_once), (int)at_once);
	s = bench_round((int)n, (int)at_once);
	printf("warm: %d invocations, %d at once, %.3f s, %.0f a second, %lld failed\n", (int)n, (int)at_once, s, (double)n / s,
	       (long long)atomic_load(&bench.failed));
	arena_done(&a);
	return 0;
}

int main(int argc, char **argv)
{
	struct functions_opts o = { 0 };
	struct http_server *http = NULL;
	const char *ca = NULL;
	int r;

	if (strcmp(argv[0], PROCD_WORD) == 0)
		_exit(procd_main(argc, argv));
	if (argc < 3)
		return 2;
	r = start_http(argv[1], &http, &ca);
	o.dir = argv[1];
	o.runtimes_dir = getenv("FN_RUNTIMES");
	o.ca_pem = ca;
	o.endpoint_port = r == 0 ? http_port(http) : 0;
	o.http = http;
	if (getenv("FN_IDLE_MS")) {
		int64_t v;

		if (str_to_i64(str_c(getenv("FN_IDLE_MS")), &v) == 0)
			o.idle_ms = (int)v;
	}
	if (r == 0)
		r = functions_open(&o, &fns);
	if (r < 0) {
		fprintf(stderr, "fn_tool: %s\n", strerror(-r));
		return 1;
	}
	if (strcmp(argv[2], "isolation") == 0)
		puts(functions_isolation(fns));
	else if (strcmp(argv[2], "bench") == 0 && argc == 9)
		r = run_bench(argv + 3);
	else
		r = serve();
	functions_close(fns);
	http_stop(http, 0);
	if (atomic_load(&releases) != atomic_load(&calls)) {
		fprintf(stderr, "fn_tool: %d orders, %d released\n", atomic_load(&calls), atomic_load(&releases));
		return 1;
	}
	return r;
}
