/* SPDX-License-Identifier: Apache-2.0 */
/* run.c - one invocation in an environment: the spec of a version, its variables and credentials, and the way back.
 * On the warm path nothing is asked but the folders' presence; roles and keys are asked when an environment starts. */
#include "gen_sts.h"
#include "svc/lambda/runtime_int.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define CREDENTIALS_S 3600
#define VARIABLES_EXTRA 32

/* --- live entries: one table for the process, as callbacks bring no more than a number --- */
static struct {
	pthread_mutex_t lock;
	struct lambda_live *v[LAMBDA_LIVES_MAX]; /* id modulo the table's size */
	uint64_t next;
	struct { /* by key: open addressing over ids, written anew when a place is taken over */
		uint64_t hash, id;
	} index[LAMBDA_LIVES_MAX * 2];
} lives = { .lock = PTHREAD_MUTEX_INITIALIZER, .next = 1 };

static void live_unref(struct lambda_live *x) /* locked */
{
	if (--x->refs > 0)
		return;
	free((char *)(uintptr_t)x->fault_text.p);
	arena_done(&x->arena);
	free(x);
}

void lambda_lives_drop(const struct cloud *cl)
{
	pthread_mutex_lock(&lives.lock);
	for (size_t i = 0; i < LAMBDA_LIVES_MAX; i++)
		if (lives.v[i] && lives.v[i]->cloud == cl) {
			live_unref(lives.v[i]);
			lives.v[i] = NULL; /* what the index says of it leads nowhere */
		}
	pthread_mutex_unlock(&lives.lock);
}

static uint64_t key_hash(struct str s)
{
	uint64_t h = 1469598103934665603u;

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (uint8_t)s.p[i]) * 1099511628211u;
	return h ? h : 1;
}

static struct lambda_live *live_at(uint64_t id)
{
	struct lambda_live *x = id ? lives.v[id % LAMBDA_LIVES_MAX] : NULL;

	return x && x->id == id ? x : NULL;
}

static void index_add(uint64_t hash, uint64_t id)
{
	size_t i = hash % ELEMENTS(lives.index);

	while (lives.index[i].id)
		i = (i + 1) % ELEMENTS(lives.index);
	lives.index[i].hash = hash;
	lives.index[i].id = id;
}

static struct lambda_live *live_find(struct str key, uint64_t hash)
{
	for (size_t i = hash % ELEMENTS(lives.index); lives.index[i].id; i = (i + 1) % ELEMENTS(lives.index)) {
		struct lambda_live *x = lives.index[i].hash == hash ? live_at(lives.index[i].id) : NULL;

		if (x && str_eq(x->key, key))
			return x;
	}
	return NULL;
}

/* The oldest entry's place is taken over once the table is full; the index is written anew then. */
static void live_put(struct lambda_live *x)
{
	struct lambda_live **slot = &lives.v[lives.next % LAMBDA_LIVES_MAX];
	bool full;

	while (*slot && (*slot)->pins) /* far fewer than there are places: LAMBDA_CONCURRENCY_MAX in an account's region */
		slot = &lives.v[++lives.next % LAMBDA_LIVES_MAX];
	full = *slot != NULL;
	x->id = lives.next++;
	if (full)
		live_unref(*slot);
	*slot = x;
	x->refs++;
	if (!full) {
		index_add(key_hash(x->key), x->id);
		return;
	}
	memset(lives.index, 0, sizeof lives.index);
	for (size_t i = 0; i < LAMBDA_LIVES_MAX; i++)
		if (lives.v[i])
			index_add(key_hash(lives.v[i]->key), lives.v[i]->id);
}

int lambda_version_copy(struct arena *a, const struct lambda_rec_version *v, struct lambda_rec_version *ret)
{
	struct buf b;
	int r;

	buf_init(&b, 1 << 20);
	r = record_encode(&lambda_records, LAMBDA_REC_VERSION, v, &b);
	if (r == 0)
		r = buf_ok(&b) ? record_decode(&lambda_records, LAMBDA_REC_VERSION, a, buf_view(&b), ret) : -EFBIG;
	buf_done(&b);
	return r;
}

/* live_of: ahead is for environments that are kept up: they have an entry of their own. */
static struct lambda_live *live_of(struct cloud *cl, struct region *r, const struct lambda_run *run, struct str key, bool ahead)
{
	struct lambda_live *x;

	pthread_mutex_lock(&lives.lock);
	x = live_find(key, key_hash(key));
	if (!x) {
		x = xzalloc(sizeof *x);
		x->cloud = cl;
		x->region = r;
		x->ahead = ahead;
		x->key = str_dup(&x->arena, key);
		x->account = str_dup(&x->arena, run->account);
		if (lambda_version_copy(&x->arena, run->v, &x->v) < 0) {
			arena_done(&x->arena);
			free(x);
			x = NULL;
		} else {
			x->arn = str_printf(&x->arena, "arn:%.*s:lambda:%.*s:%.*s:function:%.*s", STR(region_partition(r->name)),
					    STR(r->name), STR(run->account), STR(x->v.name));
			live_put(x);
		}
	}
	if (x)
		x->refs++;
	if (x && ahead)
		x->pins++;
	pthread_mutex_unlock(&lives.lock);
	return x;
}

static void live_done(struct lambda_live *x)
{
	pthread_mutex_lock(&lives.lock);
	live_unref(x);
	pthread_mutex_unlock(&lives.lock);
}

/* What a callback of an environment brings is the entry's number, so that nothing has to be freed. */
static struct lambda_live *live_from(void *arg)
{
	struct lambda_live *x;

	pthread_mutex_lock(&lives.lock);
	x = live_at((uint64_t)(uintptr_t)arg);
	if (x)
		x->refs++;
	pthread_mutex_unlock(&lives.lock);
	return x;
}

/* --- variables of an environment --- */
static int set_fault(struct lambda_live *x, const struct desc_error *e, const char *fmt, ...) _printf_(3, 4);
static int set_fault(struct lambda_live *x, const struct desc_error *e, const char *fmt, ...)
{
	struct arena a = { 0 };
	va_list ap;
	struct str text;

	va_start(ap, fmt);
	text = str_vprintf(&a, fmt, ap);
	va_end(ap);
	pthread_mutex_lock(&lives.lock);
	free((char *)(uintptr_t)x->fault_text.p);
	x->fault = e;
	x->fault_text = str_c(xstrdup(text.p));
	pthread_mutex_unlock(&lives.lock);
	arena_done(&a);
	return -EACCES;
}

struct role {
	struct str key, secret, token;
	int64_t expires_ms;
	struct principal who;
};

static void service_principal(struct principal *p)
{
	*p = (struct principal){ .p = { .type = PRINCIPAL_SERVICE, .service = S("lambda.amazonaws.com") },
				 .name = S("lambda.amazonaws.com") };
}

/* Lambda assumes the role as any service does: its trust policy decides, and the trail has the record. */
static int assume(struct lambda_live *x, struct arena *a, struct role *ret)
{
	struct sts_assume_role_request in = { .role_arn = x->v.role,
					      .role_session_name = x->v.name,
					      .duration_seconds = OPT_INT(CREDENTIALS_S) };
	struct sts_assume_role_response out = { 0 };
	struct call_facts facts = { .request_id = random_uuid(a),
				    .invoked_by = S("lambda.amazonaws.com"),
				    .user_agent = S("lambda.amazonaws.com"),
				    .secure_transport = true,
				    .source_arn = x->arn,
				    .source_account = x->account };
	struct call_error err = { 0 };
	struct principal service;
	struct arn arn;
	struct str unique, name;
	int r;

	service_principal(&service);
	r = cloud_invoke(x->cloud, x->region, &service, &facts, &sts_model, wire_op(&sts_model, S("AssumeRole")), &in, &out, a, &err);
	if (r < 0 || !out.credentials)
		return set_fault(x, &lambda_err_invalid_parameter_value, "The role defined for the function cannot be assumed by Lambda.");
	*ret = (struct role){ out.credentials->access_key_id, out.credentials->secret_access_key, out.credentials->session_token,
			      out.credentials->expiration.ms, .who = { .temporary = true } };
	unique = out.assumed_role_user->assumed_role_id;
	name = str_printf(a, "%.*s", STR(x->v.role));
	(void)arn_parse(x->v.role, &arn);
	ret->who = (struct principal){ .p = { .type = PRINCIPAL_ROLE_SESSION,
					      .account = arn.account,
					      .arn = out.assumed_role_user->arn,
					      .role_arn = name,
					      .unique_id = unique },
				       .name = str_skip(arn.resource, (size_t)str_rfind_char(arn.resource, '/') + 1),
				       .session_name = x->v.name,
				       .key_id = ret->key,
				       .issued_ms = clock_now_ms(),
				       .expires_ms = ret->expires_ms,
				       .temporary = true };
	return 0;
}

static int open_variables(struct lambda_live *x, struct arena *a, const struct role *role, struct str_map *ret)
{
	struct call c = { .cloud = x->cloud, .region = x->region, .arena = a, .who = &role->who, .account = x->account };
	struct call_error err = { 0 };
	const struct desc_error *e = &lambda_err_kms_access_denied;
	int r;

	c.now_ms = clock_now_ms();
	c.facts = (struct call_facts){ .request_id = random_uuid(a), .user_agent = S("lambda.amazonaws.com"), .secure_transport = true };
	r = lambda_env_open(&c, x->account, &x->v, ret, &err);
	if (r == 0)
		return 0;
	if (err.err && strcmp(err.err->code, "DisabledException") == 0)
		e = &lambda_err_kms_disabled;
	else if (err.err && strcmp(err.err->code, "KMSInvalidStateException") == 0)
		e = &lambda_err_kms_invalid_state;
	else if (err.err && strcmp(err.err->code, "NotFoundException") == 0)
		e = &lambda_err_kms_not_found;
	return set_fault(
		x, e,
		"Lambda was unable to decrypt the environment variables because KMS access was denied. Please check the function's "
		"KMS key settings. KMS Exception: %s KMS Message: %.*s",
		err.err ? err.err->code : "none", STR(err.message));
}

static void add(struct str_pair *v, size_t *n, const char *key, struct str value)
{
	v[(*n)++] = (struct str_pair){ str_c(key), value };
}

/* Source: "Defined runtime environment variables" (Developer Guide). */
static int variables(void *arg, struct arena *a, struct str_pair **ret, size_t *ret_n, int64_t *ret_expires_ms)
{
	struct lambda_live *x = live_from(arg);
	struct role role;
	struct str_map own;
	struct str_pair *v;
	size_t n = 0;
	int r;

	if (!x)
		return -ESTALE;
	r = assume(x, a, &role);
	if (r == 0)
		r = open_variables(x, a, &role, &own);
	if (r < 0) {
		live_done(x);
		return r;
	}
	v = arena_array(a, struct str_pair, own.n + VARIABLES_EXTRA);
	add(v, &n, "_HANDLER", str_dup(a, x->v.handler));
	add(v, &n, "AWS_REGION", str_dup(a, x->region->name));
	add(v, &n, "AWS_DEFAULT_REGION", v[n - 1].value);
	if (!str_starts(x->v.runtime, S("provided")))
		add(v, &n, "AWS_EXECUTION_ENV", str_printf(a, "AWS_Lambda_%.*s", STR(x->v.runtime)));
	add(v, &n, "AWS_LAMBDA_FUNCTION_NAME", str_dup(a, x->v.name));
	add(v, &n, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", str_printf(a, "%lld", (long long)x->v.memory_mb.v));
	add(v, &n, "AWS_LAMBDA_FUNCTION_VERSION", str_dup(a, lambda_version_text(a, x->v.version.v)));
	add(v, &n, "AWS_LAMBDA_INITIALIZATION_TYPE", x->ahead ? S("provisioned-concurrency") : S("on-demand"));
	add(v, &n, "AWS_LAMBDA_LOG_GROUP_NAME",
	    x->v.log_group.p ? str_dup(a, x->v.log_group) : str_printf(a, "/aws/lambda/%.*s", STR(x->v.name)));
	add(v, &n, "AWS_LAMBDA_LOG_STREAM_NAME", /* the day it starts, as in "2026/01/02/[$LATEST]0123..." */
	    str_printf(a, "%.*s/[%.*s]{environment}", STR(str_replace(a, str_of(time_iso(a, clock_now_ms()).p, 10), S("-"), S("/"))),
		       STR(lambda_version_text(a, x->v.version.v))));
	if (str_is(x->v.log_format, "JSON")) {
		add(v, &n, "AWS_LAMBDA_LOG_FORMAT", S("JSON"));
		add(v, &n, "AWS_LAMBDA_LOG_LEVEL", str_dup(a, x->v.log_application));
	}
	add(v, &n, "AWS_ACCESS_KEY_ID", role.key);
	add(v, &n, "AWS_SECRET_ACCESS_KEY", role.secret);
	add(v, &n, "AWS_SESSION_TOKEN", role.token);
	add(v, &n, "TZ", S(":UTC"));
	add(v, &n, "LANG", S("en_US.UTF-8"));
	assert(n <= VARIABLES_EXTRA);
	for (size_t i = 0; i < own.n; i++)
		v[n++] = own.v[i];
	*ret = v;
	*ret_n = n;
	*ret_expires_ms = role.expires_ms;
	live_done(x);
	return 0;
}

static void log_lines(void *arg, struct str environment, struct str request_id, struct str lines, int64_t at_ms)
{
	struct lambda_live *x = live_from(arg);

	if (!x)
		return;
	lambda_log_lines(x, environment, request_id, lines, at_ms);
	live_done(x);
}

static void release(void *arg)
{
}

/* --- environments that are kept up --- */
static void up(void *arg, struct str environment, int64_t init_us, struct str error_type)
{
	struct lambda_live *x = live_from(arg);

	if (!x)
		return;
	lambda_log_init(x, environment, init_us, error_type);
	live_done(x);
}

static void unpin(void *arg)
{
	struct lambda_live *x;

	pthread_mutex_lock(&lives.lock);
	x = live_at((uint64_t)(uintptr_t)arg);
	if (x)
		x->pins--;
	pthread_mutex_unlock(&lives.lock);
}

struct str lambda_run_key(struct arena *a, const struct lambda_rec_version *v)
{
	return str_printf(a, "%.*s/%lld/%.*s", STR(v->function_id), (long long)v->version.v, STR(v->revision));
}

static struct str ahead_key(struct arena *a, const struct lambda_rec_version *v)
{
	return str_printf(a, "+%.*s", STR(lambda_run_key(a, v)));
}

struct str lambda_run_fault(struct arena *a, const struct lambda_rec_version *v)
{
	struct str key = ahead_key(a, v), text = STR_NONE;
	struct lambda_live *x;

	pthread_mutex_lock(&lives.lock);
	x = live_find(key, key_hash(key));
	if (x && x->fault)
		text = str_dup(a, x->fault_text);
	pthread_mutex_unlock(&lives.lock);
	return text;
}

/* spec_of fills what an environment of x is made of. Blocks while an archive is unpacked that was not yet. */
static int spec_of(const struct lambda_live *x, struct str key, struct arena *a, struct fn_spec *ret)
{
	const struct lambda_rec_version *v = &x->v;
	int r;

	*ret = (struct fn_spec){ .key = key,
				 .runtime = v->runtime,
				 .handler = v->handler,
				 .region = x->region->name,
				 .arn = x->arn,
				 .memory_mb = (uint32_t)v->memory_mb.v,
				 .ephemeral_mb = (uint32_t)v->ephemeral_mb.v,
				 .timeout_ms = (uint32_t)v->timeout_s.v * 1000,
				 .init_timeout_ms = LAMBDA_INIT_TIMEOUT_MS,
				 .variables = variables,
				 .log = log_lines,
				 .release = release,
				 .arg = (void *)(uintptr_t)x->id };
	r = lambda_code_dir(x->region, v->code_file, a, &ret->code_dir);
	for (; r == 0 && ret->n_layers < v->layers.n; ret->n_layers++)
		r = lambda_code_dir(x->region, v->layers.v[ret->n_layers].code_file, a, &ret->layer_dirs[ret->n_layers]);
	return r;
}

int lambda_run_provision(struct cloud *cl, struct region *r, const struct lambda_run *run, uint32_t n)
{
	struct functions *f = lambda_environments(cl);
	struct arena a = { 0 };
	struct lambda_live *x;
	struct fn_spec s;
	int e;

	if (!f)
		return -ENOSYS;
	x = live_of(cl, r, run, ahead_key(&a, run->v), true);
	e = x ? spec_of(x, lambda_run_key(&a, run->v), &a, &s) : -EBADMSG;
	if (e == 0) {
		s.up = up;
		s.release = unpin;
		functions_provision(f, &s, n);
	} else if (x) {
		unpin((void *)(uintptr_t)x->id);
	}
	if (x)
		live_done(x);
	arena_done(&a);
	return e;
}

/* --- one invocation --- */
struct running {
	struct arena arena;
	struct cloud *cloud;
	struct region *region;
	struct lambda_live *live;
	struct fn_event event;
	const struct fn_sink *sink;
	void (*done)(void *arg, const struct fn_result *res, const struct call_error *refused);
	void *arg;
};

static void run_begin(void *arg, struct str content_type)
{
	struct running *x = arg;

	x->sink->begin(x->arg, content_type);
}

static size_t run_write(void *arg, struct str piece)
{
	struct running *x = arg;

	return x->sink->write(x->arg, piece);
}

static const struct fn_sink run_sink = { run_begin, run_write };

static void running_free(struct running *x)
{
	if (x->live)
		live_done(x->live);
	arena_done(&x->arena);
	free(x);
}

static void refuse(struct running *x, const struct desc_error *e, struct str why)
{
	x->done(x->arg, NULL, &(struct call_error){ e, why });
	running_free(x);
}

static void run_done(void *arg, const struct fn_result *res)
{
	struct running *x = arg;
	struct fn_result r = *res;
	struct call_error why = { &lambda_err_service, res->exit_text };

	if (r.outcome == FN_REFUSED) {
		pthread_mutex_lock(&lives.lock);
		if (x->live->fault)
			why = (struct call_error){ x->live->fault, str_dup(&x->arena, x->live->fault_text) };
		x->live->fault = NULL; /* it was this one's: variables() and its invocation's end are one step of one thread */
		pthread_mutex_unlock(&lives.lock);
		refuse(x, why.err, why.message);
		return;
	}
	r.log_tail = lambda_log_end(x->live, x->event.request_id, res, &x->arena);
	x->done(x->arg, &r, NULL);
	running_free(x);
}

static void start(struct running *x)
{
	struct functions *f = lambda_environments(x->cloud);
	struct fn_spec s;

	if (!f) {
		refuse(x, &lambda_err_service, S("Functions cannot run on this machine, or the cloud is about to stop."));
		return;
	}
	if (spec_of(x->live, x->live->key, &x->arena, &s) < 0) {
		refuse(x, &lambda_err_invalid_zip_file, S("Lambda could not unzip the deployment package."));
		return;
	}
	functions_invoke(f, &s, &x->event, run_done, x);
}

static void start_slowly(void *arg)
{
	start(arg);
}

static bool all_ready(struct running *x)
{
	const struct lambda_rec_version *v = &x->live->v;
	struct str dir;
	bool ready = lambda_code_ready(x->region, v->code_file, &x->arena, &dir);

	for (size_t i = 0; i < v->layers.n && ready; i++)
		ready = lambda_code_ready(x->region, v->layers.v[i].code_file, &x->arena, &dir);
	return ready;
}

void lambda_run_start(struct cloud *cl, struct region *r, const struct lambda_run *run,
		      void (*done)(void *arg, const struct fn_result *res, const struct call_error *refused), void *arg)
{
	struct running *x = xzalloc(sizeof *x);
	struct arena *a = &x->arena;

	x->cloud = cl;
	x->region = r;
	x->done = done;
	x->arg = arg;
	x->sink = run->sink;
	x->live = live_of(cl, r, run, lambda_run_key(a, run->v), false);
	if (!x->live) {
		refuse(x, &lambda_err_service, S("The function's configuration is damaged."));
		return;
	}
	x->event = (struct fn_event){ .request_id = str_dup(a, run->request_id),
				      .payload = str_dup(a, run->payload),
				      .trace = run->trace.p ? str_dup(a, run->trace) : STR_NONE,
				      .client_context = run->context.p ? str_dup(a, run->context) : STR_NONE,
				      .function_arn = str_dup(a, run->arn),
				      .timeout_ms = (uint32_t)run->v->timeout_s.v * 1000,
				      .sink = run->sink ? &run_sink : NULL };
	if (all_ready(x))
		start(x);
	else
		lambda_work(cl, start_slowly, x);
}

/* --- ending environments --- */
struct forgetting {
	char prefix[64];
};

static void forget(struct cloud *cl, struct region *r, void *arg)
{
	struct functions *f = lambda_environments_if(cl);

	if (f)
		functions_forget(f, str_c(((struct forgetting *)arg)->prefix));
}

static void forget_later(struct call *c, struct str prefix)
{
	struct forgetting *x = arena_new(c->arena, struct forgetting);

	if (prefix.n >= sizeof x->prefix)
		return;
	memcpy(x->prefix, prefix.p, prefix.n);
	call_on_commit(c, forget, x);
}

void lambda_forget(struct call *c, const struct lambda_fn *fn)
{
	forget_later(c, str_printf(c->arena, "%.*s/0/", STR(fn->f.id)));
}

void lambda_forget_version(struct call *c, const struct lambda_fn *fn, int64_t number)
{
	forget_later(c, number < 0 ? str_printf(c->arena, "%.*s/", STR(fn->f.id))
				   : str_printf(c->arena, "%.*s/%lld/", STR(fn->f.id), (long long)number));
}
