/* SPDX-License-Identifier: Apache-2.0 */
/* cloud.c - opening and closing a cloud: its directory, account, master key, and the regions that run. */
#include "cloud/cloud_int.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define DRAIN_AGAIN_MS 50

static const char *const purposes[CLOUD_N_PURPOSES] = CLOUD_PURPOSES;
static const char *const default_regions[] = { "us-east-1", "us-west-2", "eu-west-1", NULL };

/* --- small files --- */
static int read_file(struct arena *a, const char *path, struct str *ret)
{
	char *p = arena_alloc(a, 65536);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, p, 65536);
	(void)close(fd);
	if (n < 0)
		return -errno;
	*ret = str_of(p, (size_t)n);
	return 0;
}

/* Written aside, synced and renamed: a crash leaves the old file or the new one. */
static int write_file(struct arena *a, const char *path, struct str text)
{
	const char *tmp = str_printf(a, "%s.new", path).p;
	int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), r = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text.p, text.n) != (ssize_t)text.n || fsync(fd) < 0)
		r = errno ? -errno : -EIO;
	(void)close(fd);
	if (r == 0 && rename(tmp, path) < 0)
		r = -errno;
	if (r == 0) { /* the new name must last, too */
		fd = open(str_printf(a, "%.*s", (int)(strrchr(path, '/') ? strrchr(path, '/') - path : 0), path).p,
			  O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0) {
			(void)fsync(fd);
			(void)close(fd);
		}
	}
	return r;
}

static const char *in_dir(struct arena *a, const struct cloud *cl, const char *name)
{
	return str_printf(a, "%s/%s", cl->dir, name).p;
}

static int make_dir(const char *path)
{
	return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

/* --- the master key and the account --- */
/* HKDF (RFC 5869) with an empty salt, and one block of output. */
static void derive(const uint8_t master[32], const char *purpose, uint8_t out[32])
{
	static const uint8_t salt[32];
	uint8_t prk[32], info[80];
	size_t n = strlen(purpose);

	assert(n < sizeof info - 1);
	hmac_sha256(salt, sizeof salt, master, 32, prk);
	memcpy(info, purpose, n);
	info[n] = 1;
	hmac_sha256(prk, sizeof prk, info, n + 1, out);
	mem_wipe(prk, sizeof prk);
}

static int load_master(struct cloud *cl, const char *path)
{
	struct arena a = { 0 };
	const char *file = path ? path : in_dir(&a, cl, "master.key");
	struct str s;
	int r = read_file(&a, file, &s);

	if (r == -ENOENT && access(in_dir(&a, cl, "root.json"), F_OK) == 0) {
		/* A new key would open nothing of what is there. Most likely the place of the key is not mounted. */
		log_line(LOG_ERROR, "the master key %s is missing; the data in %s cannot be opened without it", file, cl->dir);
		r = -EKEYREJECTED;
	} else if (r == -ENOENT) {
		random_bytes(cl->master, sizeof cl->master);
		r = write_file(&a, file, str_of((char *)cl->master, sizeof cl->master));
	} else if (r == 0 && s.n != sizeof cl->master) {
		log_line(LOG_ERROR, "%s is not a master key: it must hold exactly 32 bytes", file);
		r = -EINVAL;
	} else if (r == 0) {
		memcpy(cl->master, s.p, sizeof cl->master);
		mem_wipe((char *)(uintptr_t)s.p, s.n);
	}
	for (size_t i = 0; r == 0 && i < CLOUD_N_PURPOSES; i++)
		derive(cl->master, purposes[i], cl->derived[i]);
	arena_done(&a);
	return r;
}

/* A proof that this master key belongs to these data: a wrong file must not be used to seal anything. */
static struct str master_check(const struct cloud *cl, struct arena *a)
{
	uint8_t k[32];

	cloud_master_key(cl, "check", k);
	return hex_encode(a, k, sizeof k);
}

static int save_root(struct cloud *cl, struct arena *a)
{
	struct json *j = json_new(a, JSON_OBJECT);

	json_set_str(a, j, "account", cl->account);
	json_set_str(a, j, "access_key_id", cl->root_id);
	json_set_str(a, j, "secret_access_key", cl->root_secret);
	json_set_str(a, j, "master_key_check", master_check(cl, a));
	return write_file(a, in_dir(a, cl, "root.json"), json_text(a, j));
}

static void set_root(struct cloud *cl, struct str id, struct str secret)
{
	cl->root_id = str_dup(&cl->arena, id);
	cl->root_secret = str_dup(&cl->arena, secret);
}

/* KEYID:SECRET; 16 to 128 characters of [A-Za-z0-9_], and at least 16 of secret. */
static int parse_root_key(struct cloud *cl, const char *given)
{
	struct str id, secret;

	if (!str_cut(str_c(given), ':', &id, &secret) || id.n < 16 || id.n > 128 || secret.n < 16)
		return -EINVAL;
	for (size_t i = 0; i < id.n; i++)
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_", id.p[i]))
			return -EINVAL;
	set_root(cl, id, secret);
	return 0;
}

static int load_root(struct cloud *cl, const char *given)
{
	struct arena a = { 0 };
	struct str text;
	struct json *j;
	int r = read_file(&a, in_dir(&a, cl, "root.json"), &text);

	if (r == -ENOENT) {
		cl->account = str_dup(&cl->arena, str_printf(&a, "%.*s%.*s", STR(random_from(&a, S("123456789"), 1)),
							     STR(random_from(&a, S("0123456789"), 11))));
		set_root(cl, str_printf(&a, "AKIA%.*s", STR(random_from(&a, S("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"), 16))),
			 random_from(&a, S("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"), 40));
		r = given ? parse_root_key(cl, given) : 0;
		if (r == 0)
			r = save_root(cl, &a);
	} else if (r == 0 && json_parse(&a, text, &j, NULL) == 0 && json_get_str(j, "account").n == 12) {
		cl->account = str_dup(&cl->arena, json_get_str(j, "account"));
		set_root(cl, json_get_str(j, "access_key_id"), json_get_str(j, "secret_access_key"));
		if (!str_eq(json_get_str(j, "master_key_check"), master_check(cl, &a))) {
			log_line(LOG_ERROR, "the master key does not belong to the data in %s", cl->dir);
			r = -EKEYREJECTED;
		} else if (given) {
			r = parse_root_key(cl, given);
			if (r == 0)
				r = save_root(cl, &a);
		}
	} else if (r == 0) {
		log_line(LOG_ERROR, "%s/root.json is damaged", cl->dir);
		r = -EBADMSG;
	}
	arena_done(&a);
	return r;
}

void cloud_master_key(const struct cloud *cl, const char *purpose, uint8_t out[32])
{
	for (size_t i = 0; i < CLOUD_N_PURPOSES; i++)
		if (strcmp(purposes[i], purpose) == 0) {
			memcpy(out, cl->derived[i], 32);
			return;
		}
	derive(cl->master, purpose, out);
}

/* --- regions --- */
/* Source: "AWS Regions and Availability Zones": PARTITION-GEOGRAPHY-NUMBER, e.g. ap-southeast-4, us-gov-west-1. */
bool region_name_valid(struct str s)
{
	static const char *const areas[] = { "us", "eu", "ap", "sa", "ca", "me", "af", "il", "mx", "cn", "us-gov", NULL };
	static const char *const places[] = { "east",      "west",      "north",     "south",     "central",
					      "northeast", "northwest", "southeast", "southwest", NULL };
	ptrdiff_t last = str_rfind_char(s, '-'), mid;
	struct str head, place, number;
	bool ok = false;

	if (last < 0 || s.n > 24)
		return false;
	head = str_of(s.p, (size_t)last);
	number = str_skip(s, (size_t)last + 1);
	mid = str_rfind_char(head, '-');
	if (mid < 0 || number.n != 1 || number.p[0] < '1' || number.p[0] > '9')
		return false;
	place = str_skip(head, (size_t)mid + 1);
	head.n = (size_t)mid;
	for (int i = 0; places[i]; i++)
		ok |= str_is(place, places[i]);
	if (!ok)
		return false;
	for (int i = 0; areas[i]; i++)
		if (str_is(head, areas[i]))
			return true;
	return false;
}

bool region_use(struct region *r)
{
	/* Counted before it is looked at: region_close says "down" before it looks at the count, so one of us sees the other. */
	__atomic_add_fetch(&r->users, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&r->up, __ATOMIC_SEQ_CST))
		return true;
	region_unuse(r);
	return false;
}

bool region_up(struct region *r)
{
	return __atomic_load_n(&r->up, __ATOMIC_SEQ_CST);
}

void region_unuse(struct region *r)
{
	__atomic_sub_fetch(&r->users, 1, __ATOMIC_SEQ_CST);
}

static struct region *find_region(struct cloud *cl, struct str name)
{
	for (size_t i = 0; i < cl->n_regions; i++)
		if (str_eq(cl->regions[i]->name, name))
			return cl->regions[i];
	return NULL;
}

struct region *cloud_region(struct cloud *cl, struct str name)
{
	struct region *r;

	pthread_mutex_lock(&cl->lock);
	r = find_region(cl, name);
	if (r && !region_up(r))
		r = NULL;
	pthread_mutex_unlock(&cl->lock);
	return r;
}

struct open_arg {
	struct cloud *cl;
	struct region *r;
};

static int open_services(struct store_txn *t, void *arg)
{
	struct open_arg *o = arg;
	struct arena a = { 0 };
	int r = 0;

	for (size_t i = 0; i < o->cl->n_services && r == 0; i++) {
		const struct service *s = o->cl->services[i];

		if (s->open && s->model->global == o->r->global)
			r = s->open(o->cl, o->r->global ? NULL : o->r, t, &a);
		if (r < 0)
			log_line(LOG_ERROR, "%.*s: %s does not start: %s", STR(o->r->name), s->model->name, strerror(-r));
	}
	arena_done(&a);
	return r;
}

/* Opens store and trail of a region (or of the global part) and lets the services prepare it. */
static int region_open(struct cloud *cl, struct region *r)
{
	struct store_opts so = { .no_sync = cl->no_sync };
	struct arena a = { 0 };
	int e = make_dir(r->dir);

	if (e == 0)
		e = store_open(str_printf(&a, "%s/store", r->dir).p, &so, &r->store);
	if (e == 0)
		e = trail_open(str_printf(&a, "%s/trail", r->dir).p, &r->trail);
	if (e == 0)
		e = store_write(r->store, open_services, &(struct open_arg){ cl, r });
	arena_done(&a);
	if (e < 0) {
		trail_close(r->trail);
		store_close(r->store);
		r->trail = NULL;
		r->store = NULL;
		return e;
	}
	pthread_mutex_lock(&cl->lock);
	__atomic_store_n(&r->up, true, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&cl->lock);
	return 0;
}

static void drain_region(struct region *r)
{
	const struct cloud *cl = r->cloud;

	for (size_t i = 0; i < cl->n_services; i++)
		if (cl->services[i]->drain_region)
			cl->services[i]->drain_region(r->cloud, r);
}

/* drain: the services are still there, and let go what calls wait for. */
static void region_close(struct region *r, bool drain)
{
	struct timespec tick = { 0, 2000000 };
	int64_t next = 0;

	__atomic_store_n(&r->up, false, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&r->users, __ATOMIC_SEQ_CST) > 0) {
		if (drain && clock_mono_ms() >= next) {
			drain_region(r);
			next = clock_mono_ms() + DRAIN_AGAIN_MS;
		}
		(void)nanosleep(&tick, NULL);
	}
	store_close(r->store);
	trail_close(r->trail);
	r->store = NULL;
	r->trail = NULL;
}

/* Remembers which regions run, for the next start; writes nothing when that is known already. */
static int save_regions(struct cloud *cl)
{
	struct arena a = { 0 };
	struct json *j = json_new(&a, JSON_ARRAY);
	const char *path = in_dir(&a, cl, "regions.json");
	struct str old;
	int r;

	for (size_t i = 0; i < cl->n_regions; i++)
		if (region_up(cl->regions[i]))
			json_push(&a, j, json_new_str(&a, cl->regions[i]->name));
	r = read_file(&a, path, &old) == 0 && str_eq(old, json_text(&a, j)) ? 0 : write_file(&a, path, json_text(&a, j));
	arena_done(&a);
	return r;
}

static struct region *add_region(struct cloud *cl, struct str name)
{
	struct region *r = xzalloc(sizeof *r);
	struct arena a = { 0 };

	r->cloud = cl;
	pthread_mutex_lock(&cl->lock);
	r->name = str_dup(&cl->arena, name);
	r->dir = xstrdup(str_printf(&a, "%s/regions/%.*s", cl->dir, STR(name)).p);
	arena_done(&a);
	cl->regions[cl->n_regions] = r;
	__atomic_store_n(&cl->n_regions, cl->n_regions + 1, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&cl->lock);
	return r;
}

/* Finds or adds it. -EINVAL: no region's name; -ENOSPC: too many. */
static int region_named(struct cloud *cl, struct str name, struct region **ret)
{
	struct region *r;
	int e;

	if (!region_name_valid(name))
		return -EINVAL;
	pthread_mutex_lock(&cl->lock);
	r = find_region(cl, name);
	e = !r && cl->n_regions == CLOUD_REGIONS_MAX ? -ENOSPC : 0;
	pthread_mutex_unlock(&cl->lock);
	if (e == 0)
		*ret = r ? r : add_region(cl, name);
	return e;
}

static int region_start(struct cloud *cl, struct str name)
{
	struct region *r;
	int e = region_named(cl, name, &r);

	return e < 0 || r->up ? e : region_open(cl, r);
}

int cloud_region_start(struct cloud *cl, struct str name)
{
	int e;

	pthread_mutex_lock(&cl->change);
	e = region_start(cl, name);
	if (e == 0)
		e = save_regions(cl);
	pthread_mutex_unlock(&cl->change);
	if (e == 0)
		cloud_jobs_wake(cl);
	return e;
}

int cloud_region_stop(struct cloud *cl, struct str name)
{
	struct region *r;
	int e = -ENOENT;

	pthread_mutex_lock(&cl->change);
	r = cloud_region(cl, name);
	if (r) {
		region_close(r, true);
		e = save_regions(cl);
	}
	pthread_mutex_unlock(&cl->change);
	return e;
}

size_t cloud_regions(struct cloud *cl, struct region **ret, size_t max)
{
	size_t n = __atomic_load_n(&cl->n_regions, __ATOMIC_ACQUIRE); /* regions are added, never taken away */

	if (n > max)
		n = max;
	memcpy(ret, cl->regions, n * sizeof *ret);
	return n;
}

struct opening {
	struct region *region;
	pthread_t thread;
	bool threaded;
	int result;
};

static void *open_one(void *arg)
{
	struct opening *o = arg;

	o->result = region_open(o->region->cloud, o->region);
	return NULL;
}

/* Opens the regions of a cloud that begins, each on a thread of its own: opening waits for the disk, and sweeps it. */
static int open_regions(struct cloud *cl)
{
	struct opening v[CLOUD_REGIONS_MAX] = { 0 };
	size_t n = cl->n_regions;
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		v[i].region = cl->regions[i];
		v[i].threaded = i + 1 < n && pthread_create(&v[i].thread, NULL, open_one, &v[i]) == 0;
	}
	for (size_t i = 0; i < n; i++)
		if (!v[i].threaded)
			(void)open_one(&v[i]);
	for (size_t i = 0; i < n; i++) {
		if (v[i].threaded)
			(void)pthread_join(v[i].thread, NULL);
		if (r == 0)
			r = v[i].result;
	}
	return r;
}

/* The regions of the command line, or those that ran last, or the default three. */
static int start_regions(struct cloud *cl, const char *const *names)
{
	struct region *region;
	struct arena a = { 0 };
	struct str text;
	struct json *j = NULL;
	int r = 0;

	if (!names && read_file(&a, in_dir(&a, cl, "regions.json"), &text) == 0 && json_parse(&a, text, &j, NULL) == 0 &&
	    json_is(j, JSON_ARRAY)) {
		for (size_t i = 0; i < j->n && r == 0; i++)
			r = region_named(cl, json_str(&j->items[i]), &region);
		arena_done(&a);
		return r < 0 ? r : open_regions(cl);
	}
	for (const char *const *n = names ? names : default_regions; *n && r == 0; n++) {
		r = region_named(cl, str_c(*n), &region);
		if (r == -EINVAL)
			log_line(LOG_ERROR, "%s is not the name of a region", *n);
	}
	arena_done(&a);
	if (r == 0)
		r = open_regions(cl);
	return r < 0 ? r : save_regions(cl);
}

/* --- the cloud --- */
int cloud_open(const struct cloud_opts *o, const struct service *const *services, struct cloud **ret)
{
	struct cloud *cl = xzalloc(sizeof *cl);
	struct arena a = { 0 };
	int r;

	pthread_mutex_init(&cl->lock, NULL);
	pthread_mutex_init(&cl->change, NULL);
	cl->dir = xstrdup(o->data_dir);
	cl->larges = larges_open(cl->dir);
	cl->services = services;
	cl->host_suffixes = o->host_suffixes;
	cl->no_sync = o->no_sync;
	while (services[cl->n_services]) {
		assert(cl->n_services < CLOUD_SERVICES_MAX);
		cl->models[cl->n_services] = services[cl->n_services]->model;
		cl->n_services++;
	}
	r = make_dir(cl->dir);
	if (r == 0)
		r = make_dir(in_dir(&a, cl, "regions"));
	if (r == 0)
		r = load_master(cl, o->master_key_file);
	if (r == 0)
		r = load_root(cl, o->root_key);
	if (r == 0) {
		cl->global =
			(struct region){ .name = S("us-east-1"), .cloud = cl, .global = true, .dir = xstrdup(in_dir(&a, cl, "global")) };
		r = region_open(cl, &cl->global);
	}
	arena_done(&a);
	if (r == 0)
		r = start_regions(cl, o->regions);
	if (r < 0) {
		cloud_close(cl);
		return r;
	}
	*ret = cl;
	return 0;
}

void cloud_close(struct cloud *cl)
{
	runner_stop(cl);
	larges_close(cl->larges);
	for (size_t i = 0; i < cl->n_services; i++)
		if (cl->services[i]->close)
			cl->services[i]->close(cl);
	for (size_t i = 0; i < cl->n_regions; i++) {
		if (cl->regions[i]->up)
			region_close(cl->regions[i], false);
		free(cl->regions[i]->dir);
		free(cl->regions[i]);
	}
	if (cl->global.up)
		region_close(&cl->global, false);
	free(cl->global.dir);
	mem_wipe((char *)(uintptr_t)cl->root_secret.p, cl->root_secret.n);
	mem_wipe(cl->master, sizeof cl->master);
	mem_wipe(cl->derived, sizeof cl->derived);
	arena_done(&cl->arena);
	larges_free(cl->larges);
	pthread_mutex_destroy(&cl->lock);
	pthread_mutex_destroy(&cl->change);
	free(cl->dir);
	free(cl);
}

void cloud_drain(struct cloud *cl)
{
	for (size_t i = 0; i < cl->n_services; i++)
		if (cl->services[i]->drain)
			cl->services[i]->drain(cl);
}

void cloud_set_listener(struct cloud *cl, const struct cloud_listener *l)
{
	atomic_store(&cl->listener, l);
}

const struct cloud_listener *cloud_listener(const struct cloud *cl)
{
	return atomic_load(&cl->listener);
}

int cloud_port(const struct cloud *cl)
{
	const struct cloud_listener *l = cloud_listener(cl);

	return l ? l->port : 0;
}

struct str cloud_account(const struct cloud *cl)
{
	return cl->account;
}

const char *cloud_dir(const struct cloud *cl)
{
	return cl->dir;
}

struct store *cloud_global(struct cloud *cl)
{
	return cl->global.store;
}

struct region *cloud_global_region(struct cloud *cl)
{
	return &cl->global;
}

uint64_t cloud_answered(const struct cloud *cl, uint64_t *ret_us, uint64_t *ret_put_off_us)
{
	*ret_us = cl->answer_us;
	*ret_put_off_us = cl->put_off_us;
	return cl->answers;
}

const struct service *cloud_service(const struct cloud *cl, const char *name)
{
	for (size_t i = 0; i < cl->n_services; i++)
		if (strcmp(cl->services[i]->model->name, name) == 0)
			return cl->services[i];
	return NULL;
}

void cloud_each_service(struct cloud *cl, void (*fn)(const struct service *s, void *arg), void *arg)
{
	for (size_t i = 0; i < cl->n_services; i++)
		fn(cl->services[i], arg);
}

void cloud_set_identity(struct cloud *cl, const struct identity *id)
{
	cl->identity = id;
}

const struct identity *cloud_identity(const struct cloud *cl)
{
	return cl->identity;
}
