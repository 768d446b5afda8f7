/* SPDX-License-Identifier: Apache-2.0 */
/* runtime.c - what a runtime's name means on this machine: program, bootstrap, SDK, and the variables that go with them. A
 * name that nothing here can serve is refused. */
#include "base/util.h"
#include "procd/private.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#define HEAP_PERCENT 90 /* of the function's memory, for the JavaScript heap */
#define MOUNTS_MAX 16
#define PYTHON_MODULE "_lambda_bootstrap"

extern const char procd_bootstrap_node[], procd_bootstrap_python[], procd_bootstrap_python_main[], procd_bootstrap_python_pyc[],
	procd_bootstrap_python_pyc_file[]; /* the last: its name, which says for which interpreter it is */
extern const size_t procd_bootstrap_node_n, procd_bootstrap_python_n, procd_bootstrap_python_main_n, procd_bootstrap_python_pyc_n;

static int write_whole(const char *path, const char *p, size_t n)
{
	int fd, r = 0;

	(void)unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	if (fchmod(fd, 0644) < 0 || write(fd, p, n) != (ssize_t)n)
		r = errno ? -errno : -EIO;
	(void)close(fd);
	return r;
}

int runtime_write_bootstraps(const char *dir)
{
	const struct {
		const char *name, *p;
		size_t n;
	} files[] = { { "bootstrap.cjs", procd_bootstrap_node, procd_bootstrap_node_n },
		      { "bootstrap.py", procd_bootstrap_python, procd_bootstrap_python_n },
		      { PYTHON_MODULE ".py", procd_bootstrap_python_main, procd_bootstrap_python_main_n },
		      { PYTHON_MODULE ".pyc", procd_bootstrap_python_pyc, procd_bootstrap_python_pyc_n } };
	char path[PATH_MAX];
	int r = 0;

	for (size_t i = 0; r == 0 && i < ELEMENTS(files); i++) {
		if (snprintf(path, sizeof path, "%s/%s", dir, files[i].name) >= (int)sizeof path)
			return -ENAMETOOLONG;
		r = write_whole(path, files[i].p, files[i].n);
	}
	return r;
}

/* --- programs --- */
static bool there(const char *path, int mode)
{
	return access(path, mode) == 0;
}

/* engine gives the Node.js of this major version that set-up installed. */
static struct str engine(const struct functions *f, struct str major, struct arena *a)
{
	struct utsname u;
	const char *arch;
	struct str path;

	if (!f->runtimes || uname(&u) < 0)
		return STR_NONE;
	arch = strcmp(u.machine, "x86_64") == 0 ? "x64" : strcmp(u.machine, "aarch64") == 0 ? "arm64" : u.machine;
	path = str_printf(a, "%s/engines/node_modules/node%.*s-linux-%s/bin/node", f->runtimes, STR(major), arch);
	return there(path.p, X_OK) ? path : STR_NONE;
}

/* node prefers the version that is asked for, then the system's, then a newer one. */
static struct str node(const struct functions *f, struct str major, struct arena *a)
{
	static const char *const system_places[] = { "/usr/bin/node", "/usr/local/bin/node" };
	struct str p = engine(f, major, a);

	for (size_t i = 0; !p.p && i < ELEMENTS(system_places); i++)
		if (there(system_places[i], X_OK))
			p = str_c(system_places[i]);
	if (!p.p)
		p = engine(f, S("24"), a);
	return p.p ? p : engine(f, S("22"), a);
}

struct str functions_runtime(const struct functions *f, struct str runtime, struct arena *a)
{
	int64_t major;

	if (str_starts(runtime, S("nodejs")) && str_ends(runtime, S(".x")) && runtime.n > 8) {
		struct str v = str_of(runtime.p + 6, runtime.n - 8);

		return str_to_i64(v, &major) == 0 && major >= 12 ? node(f, v, a) : STR_NONE;
	}
	if (str_starts(runtime, S("python3.")))
		return there("/usr/bin/python3", X_OK) ? S("/usr/bin/python3") : STR_NONE;
	if (str_is(runtime, "provided.al2023") || str_is(runtime, "provided.al2") || str_is(runtime, "provided"))
		return S("/var/task/bootstrap"); /* the function brings its own */
	return STR_NONE;
}

/* --- orders --- */
struct making {
	struct arena *a;
	struct start_order *o;
	const char **env;
	size_t n_env, env_cap;
	const struct str_pair *vars;
	size_t n_vars;
};

static void mount_at(struct making *m, const char *source, const char *target)
{
	m->o->mounts[m->o->n_mounts * 2] = source;
	m->o->mounts[m->o->n_mounts * 2 + 1] = target;
	m->o->n_mounts++;
}

static bool given(const struct making *m, const char *name)
{
	for (size_t i = 0; i < m->n_vars; i++)
		if (str_is(m->vars[i].key, name))
			return true;
	return false;
}

static void set(struct making *m, const char *name, const char *value)
{
	vec_push(m->a, m->env, m->n_env, m->env_cap) = str_printf(m->a, "%s=%s", name, value).p;
}

/* offer sets a variable that the function's own configuration may set otherwise. */
static void offer(struct making *m, const char *name, const char *value)
{
	if (!given(m, name))
		set(m, name, value);
}

static const char *const ours[] = { "_HANDLER", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR", "AWS_LAMBDA_RUNTIME_API" };

static void variables(struct making *m, const struct functions *f, const struct fn_spec *s)
{
	set(m, "_HANDLER", str_z(m->a, s->handler));
	set(m, "LAMBDA_TASK_ROOT", "/var/task");
	set(m, "LAMBDA_RUNTIME_DIR", "/var/runtime");
	set(m, "AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001");
	offer(m, "PATH", "/var/lang/bin:/usr/local/bin:/usr/bin:/bin:/opt/bin");
	offer(m, "LD_LIBRARY_PATH", "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib");
	offer(m, "LANG", "en_US.UTF-8");
	offer(m, "LC_ALL", "C.UTF-8");
	offer(m, "TZ", ":UTC");
	offer(m, "HOME", "/tmp");
	offer(m, "AWS_EC2_METADATA_DISABLED", "true");
	offer(m, "NPM_CONFIG_FETCH_RETRIES", "0"); /* no network: handlers that try to install something first would wait a minute */
	if (f->endpoint_port)
		offer(m, "AWS_ENDPOINT_URL", "https://127.0.0.1");
	if (f->ca_pem) {
		offer(m, "NODE_EXTRA_CA_CERTS", "/var/runtime/ca-cert.pem");
		offer(m, "AWS_CA_BUNDLE", "/var/runtime/ca-cert.pem");
		offer(m, "SSL_CERT_FILE", "/var/runtime/ca-cert.pem");
		offer(m, "REQUESTS_CA_BUNDLE", "/var/runtime/ca-cert.pem");
		mount_at(m, f->ca_pem, "/var/runtime/ca-cert.pem");
		/* Amazon Linux's place, which CDK's BucketDeployment names in AWS_CA_BUNDLE. */
		mount_at(m, f->ca_pem, "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem");
	}
	for (size_t i = 0; i < m->n_vars; i++) {
		bool reserved = false;

		for (size_t k = 0; k < ELEMENTS(ours); k++)
			reserved |= str_is(m->vars[i].key, ours[k]);
		/* Only here is known which environment it will be. */
		if (str_is(m->vars[i].key, "AWS_LAMBDA_LOG_STREAM_NAME")) {
			set(m, "AWS_LAMBDA_LOG_STREAM_NAME", str_replace(m->a, m->vars[i].value, S("{environment}"), str_c(m->o->name)).p);
			continue;
		}
		if (!reserved && !memchr(m->vars[i].value.p ? m->vars[i].value.p : "", '\0', m->vars[i].value.n))
			vec_push(m->a, m->env, m->n_env,
				 m->env_cap) = str_printf(m->a, "%.*s=%.*s", STR(m->vars[i].key), STR(m->vars[i].value)).p;
	}
}

static void node_process(struct making *m, const struct functions *f, const struct fn_spec *s, struct str program)
{
	struct str major = str_of(s->runtime.p + 6, s->runtime.n - 8);
	const char *modules = str_printf(m->a, "%s/node/node_modules", f->runtimes ? f->runtimes : "").p;

	if (str_starts(program, S("/usr/"))) {
		m->o->argv[0] = str_z(m->a, program);
	} else {
		mount_at(m, str_z(m->a, program), "/var/lang/bin/node");
		m->o->argv[0] = "/var/lang/bin/node";
	}
	m->o->argv[1] = str_printf(m->a, "--max-old-space-size=%u", s->memory_mb * HEAP_PERCENT / 100).p;
	m->o->argv[2] = "/var/runtime/index.cjs";
	m->o->n_argv = 3;
	mount_at(m, str_printf(m->a, "%s/bootstrap.cjs", f->dir).p, "/var/runtime/index.cjs");
	if (there(modules, F_OK)) {
		mount_at(m, modules, "/var/runtime/node_modules");
		/* Modules of the new kind (import) do not look at NODE_PATH, only upwards from /var/task. */
		mount_at(m, modules, "/var/node_modules");
	}
	offer(m, "NODE_PATH",
	      str_printf(m->a,
			 "/opt/nodejs/node%.*s/node_modules:/opt/nodejs/node_modules:/var/runtime/node_modules:/var/runtime:/var/task",
			 STR(major))
		      .p);
	offer(m, "AWS_EXECUTION_ENV", str_printf(m->a, "AWS_Lambda_%.*s", STR(s->runtime)).p);
}

/* Programs in layers (CDK's AWS CLI) begin with "#!/var/lang/bin/python". */
static void python_at_its_place(struct making *m, struct str program, struct str runtime)
{
	char *file = realpath(program.p, NULL);
	const char *source = file ? str_dup(m->a, str_c(file)).p : NULL;

	free(file);
	if (!source)
		return;
	mount_at(m, source, "/var/lang/bin/python");
	mount_at(m, source, "/var/lang/bin/python3");
	mount_at(m, source, str_printf(m->a, "/var/lang/bin/%.*s", STR(runtime)).p);
}

static void python_process(struct making *m, const struct functions *f, const struct fn_spec *s, struct str program)
{
	const char *site = str_printf(m->a, "%s/python/site", f->runtimes ? f->runtimes : "").p;

	m->o->argv[0] = str_z(m->a, program);
	m->o->argv[1] = "-sB";
	m->o->argv[2] = "/var/runtime/bootstrap.py";
	m->o->n_argv = 3;
	mount_at(m, str_printf(m->a, "%s/bootstrap.py", f->dir).p, "/var/runtime/bootstrap.py");
	mount_at(m, str_printf(m->a, "%s/" PYTHON_MODULE ".py", f->dir).p, "/var/runtime/" PYTHON_MODULE ".py");
	mount_at(m, str_printf(m->a, "%s/" PYTHON_MODULE ".pyc", f->dir).p,
		 str_printf(m->a, "/var/runtime/__pycache__/%s", procd_bootstrap_python_pyc_file).p);
	python_at_its_place(m, program, s->runtime);
	if (there(site, F_OK))
		mount_at(m, site, "/var/runtime/site");
	offer(m, "PYTHONPATH", str_printf(m->a, "/opt/python/lib/%.*s/site-packages:/opt/python:/var/runtime/site", STR(s->runtime)).p);
	offer(m, "AWS_EXECUTION_ENV", str_printf(m->a, "AWS_Lambda_%.*s", STR(s->runtime)).p);
}

int runtime_order(struct functions *f, const struct fn_spec *s, struct arena *a, const struct str_pair *vars, size_t n_vars,
		  struct start_order *ret, const char **ret_why)
{
	struct making m = { .a = a, .o = ret, .vars = vars, .n_vars = n_vars };
	struct str program = functions_runtime(f, s->runtime, a);

	if (!program.p) {
		*ret_why = "no program on this machine serves its runtime";
		return -ENOENT;
	}
	ret->cwd = "/var/task";
	ret->mounts = arena_array(a, const char *, MOUNTS_MAX * 2);
	ret->layers = arena_array(a, const char *, s->n_layers + 1);
	ret->argv = arena_array(a, const char *, 4);
	for (; ret->n_layers < s->n_layers; ret->n_layers++)
		ret->layers[ret->n_layers] = str_z(a, s->layer_dirs[ret->n_layers]);
	mount_at(&m, str_z(a, s->code_dir), "/var/task");
	if (str_starts(s->runtime, S("nodejs")))
		node_process(&m, f, s, program);
	else if (str_starts(s->runtime, S("python")))
		python_process(&m, f, s, program);
	else
		ret->argv[ret->n_argv++] = str_z(a, program);
	variables(&m, f, s);
	ret->env = m.env;
	ret->n_env = m.n_env;
	return 0;
}
