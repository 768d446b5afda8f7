/* SPDX-License-Identifier: Apache-2.0 */
/* provision.c - environments that are kept up for whoever comes: started ahead, renewed before their credentials end, started
 * again when they end otherwise. What is wanted is a state: provision_look compares it with what is there, whatever happened
 * meanwhile, and starts or ends what is missing or too many. */
#include "base/util.h"
#include "procd/private.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* --- what others ask for --- */
static struct provision *provision_new(const struct fn_spec *s, uint32_t n)
{
	struct provision *p = xzalloc(sizeof *p);

	assert(s->n_layers <= ELEMENTS(s->layer_dirs));
	fn_copy_spec(&p->arena, &p->spec, s);
	p->key_hash = env_hash(p->spec.key);
	p->state.wanted = n;
	return p;
}

static void provision_free(struct provision *p)
{
	if (p->spec.release)
		p->spec.release(p->spec.arg);
	arena_done(&p->arena);
	free(p);
}

void functions_provision(struct functions *f, const struct fn_spec *s, uint32_t n)
{
	struct provision *p = provision_new(s, n);

	pthread_mutex_lock(&f->mutex);
	*f->asked_tail = p;
	f->asked_tail = &p->next;
	fn_wake(f);
	pthread_mutex_unlock(&f->mutex);
}

static struct provision **find(struct functions *f, struct str key)
{
	struct provision **p = &f->provisions;

	while (*p && !str_eq((*p)->spec.key, key))
		p = &(*p)->next;
	return p;
}

bool functions_provisioned(struct functions *f, struct str key, struct fn_provisioned *ret)
{
	struct provision *p;

	pthread_mutex_lock(&f->mutex);
	p = *find(f, key);
	if (p)
		*ret = p->state;
	pthread_mutex_unlock(&f->mutex);
	return p && ret->wanted;
}

size_t functions_provisioned_keys(struct functions *f, struct str region, struct arena *a, struct str **ret)
{
	size_t n = 0, cap = 0;

	*ret = NULL;
	pthread_mutex_lock(&f->mutex);
	for (const struct provision *p = f->provisions; p; p = p->next)
		if (p->state.wanted && str_eq(p->spec.region, region))
			vec_push(a, *ret, n, cap) = str_dup(a, p->spec.key);
	pthread_mutex_unlock(&f->mutex);
	return n;
}

struct provision *provision_take(struct functions *f)
{
	struct provision *list = f->asked;

	f->asked = NULL;
	f->asked_tail = &f->asked;
	return list;
}

static void set_wanted(struct functions *f, struct provision *p, uint32_t n)
{
	pthread_mutex_lock(&f->mutex);
	p->state.wanted = n;
	p->state.failed = false;
	pthread_mutex_unlock(&f->mutex);
	p->failures = 0;
	p->retry_us = 0;
}

void provision_apply(struct functions *f, struct provision *list)
{
	while (list) {
		struct provision *p = list, **old = find(f, p->spec.key);

		list = p->next;
		p->next = NULL;
		if (*old) {
			set_wanted(f, *old, p->state.wanted);
			provision_free(p);
		} else if (p->state.wanted) {
			pthread_mutex_lock(&f->mutex);
			*old = p;
			pthread_mutex_unlock(&f->mutex);
		} else {
			provision_free(p);
		}
		provision_wake(f);
	}
}

void provision_end_region(struct functions *f, struct str region)
{
	for (struct provision *p = f->provisions; p; p = p->next)
		if (str_eq(p->spec.region, region))
			set_wanted(f, p, 0);
	provision_wake(f);
}

void provision_end_all(struct functions *f)
{
	struct provision *p;

	while ((p = f->provisions)) {
		f->provisions = p->next;
		assert(p->n_envs == 0);
		provision_free(p);
	}
	while ((p = f->asked)) { /* came while the thread ended */
		f->asked = p->next;
		provision_free(p);
	}
	f->asked_tail = &f->asked;
}

/* --- what environments tell --- */
void provision_wake(struct functions *f)
{
	f->provision_us = 0;
	if (f->provisions)
		fn_deadline(f, fn_now_us());
}

static void failed(struct functions *f, struct provision *p, struct str why, bool init)
{
	int64_t pause = FN_PROVISION_PAUSE_US << (p->failures < 6 ? p->failures : 6);

	p->retry_us = fn_now_us() + (pause < FN_PROVISION_PAUSE_US_MAX ? pause : FN_PROVISION_PAUSE_US_MAX);
	if (++p->failures < FN_PROVISION_TRIES)
		return;
	pthread_mutex_lock(&f->mutex);
	p->state.failed = true;
	p->state.init = init;
	snprintf(p->state.why, sizeof p->state.why, "%.*s", STR(why));
	pthread_mutex_unlock(&f->mutex);
}

void provision_up(struct env *e)
{
	struct provision *p = e->pool;

	if (!p)
		return;
	if (p->spec.up)
		p->spec.up(p->spec.arg, str_c(e->name), e->init_us, STR_NONE);
	p->failures = 0;
	p->retry_us = 0;
	pthread_mutex_lock(&e->f->mutex);
	p->state.failed = false;
	pthread_mutex_unlock(&e->f->mutex);
	provision_wake(e->f);
}

void provision_failed(struct env *e, struct str why, struct str error_type)
{
	struct provision *p = e->pool;

	if (!p || e->state == ENV_ENDING) /* told to end while it started */
		return;
	if (p->spec.up && error_type.p)
		p->spec.up(p->spec.arg, str_c(e->name), fn_now_us() - e->started_us, error_type);
	failed(e->f, p, why, error_type.p);
}

void provision_lost(struct env *e)
{
	struct provision *p = e->pool;

	if (!p)
		return;
	if (e->state == ENV_INIT)
		provision_failed(e, S("it ended while it started"), S("Runtime.ExitError"));
	else if (e->state != ENV_ENDING)
		p->retry_us = fn_now_us() + FN_PROVISION_PAUSE_US;
	provision_wake(e->f);
}

/* --- comparing --- */
static bool stale(const struct env *e)
{
	return e->expires_ms && clock_now_ms() + e->pool->spec.timeout_ms + FN_EXPIRY_MARGIN_MS + FN_RENEW_AHEAD_MS >= e->expires_ms;
}

static bool is_up(const struct env *e)
{
	return e->state == ENV_IDLE || e->state == ENV_BUSY || e->state == ENV_SETTLING;
}

/* available_mb is what this machine could give to processes now; 0: not known. */
static uint64_t available_mb(void)
{
	char text[512];
	struct str rest, line, name, value;
	int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
	uint64_t kb;

	if (fd >= 0)
		(void)close(fd);
	rest = n > 0 ? str_of(text, (size_t)n) : STR_NONE;
	while (rest.p && str_next(&rest, '\n', &line))
		if (str_cut(line, ':', &name, &value) && str_is(name, "MemAvailable") && str_ends(value, S(" kB")) &&
		    str_to_u64(str_trim(str_of(value.p, value.n - 3)), &kb) == 0)
			return kb >> 10;
	return 0;
}

static size_t kept(const struct functions *f)
{
	size_t n = 0;

	for (const struct provision *p = f->provisions; p; p = p->next)
		n += p->n_envs;
	return n;
}

/* start_one: false when it could not be; that was noted. */
static bool start_one(struct functions *f, struct provision *p)
{
	char text[FN_WHY_BYTES];
	const char *why = text;
	uint64_t mb = available_mb();

	if (f->ready < 0) {
		failed(f, p, str_c(f->words), false);
		return false;
	}
	if (mb && mb < p->spec.memory_mb)
		snprintf(text, sizeof text, "An environment may use %u MB, and this machine has %llu MB of memory left.", p->spec.memory_mb,
			 (unsigned long long)mb);
	else if (kept(f) + FN_PROVISION_SPARE >= f->environments_max || !env_room(f))
		snprintf(text, sizeof text,
			 "This machine's memory is enough for %zu environments, of which %d are left for other invocations.",
			 f->environments_max, FN_PROVISION_SPARE);
	else if (env_start_ahead(f, p, &why) == 0)
		return true;
	failed(f, p, str_c(why), false);
	return false;
}

/* end_surplus ends what is up beyond what is wanted: those that soon may not be used any more come first. */
static void end_surplus(struct functions *f, const struct provision *p, size_t n)
{
	for (int pass = 0; pass < 2; pass++)
		for (struct env *e = f->envs, *next; e && n; e = next) {
			next = e->next;
			if (e->pool == p && e->state == ENV_IDLE && (pass || stale(e))) {
				env_end(e);
				n--;
			}
		}
}

static void look_at(struct functions *f, struct provision *p, int64_t now_us)
{
	size_t up = 0, coming = 0;

	for (const struct env *e = f->envs; e; e = e->next) {
		if (e->pool != p || e->forget || e->state == ENV_ENDING)
			continue;
		up += is_up(e);
		coming += !stale(e);
	}
	if (up > p->state.wanted)
		end_surplus(f, p, up - p->state.wanted);
	while (coming < p->state.wanted && now_us >= p->retry_us && (f->ready < 0 || env_may_start(f)) && start_one(f, p))
		coming++;
	pthread_mutex_lock(&f->mutex);
	p->state.ready = (uint32_t)(up < p->state.wanted ? up : p->state.wanted);
	pthread_mutex_unlock(&f->mutex);
}

void provision_look(struct functions *f, int64_t now_us)
{
	struct provision **at = &f->provisions, *p;

	f->provision_us = now_us + FN_PROVISION_LOOK_US;
	fn_procd_again(f);
	while ((p = *at)) {
		look_at(f, p, now_us);
		if (p->state.wanted || p->n_envs) {
			at = &p->next;
			continue;
		}
		pthread_mutex_lock(&f->mutex);
		*at = p->next;
		pthread_mutex_unlock(&f->mutex);
		provision_free(p);
	}
	fn_deadline(f, f->provision_us);
}
