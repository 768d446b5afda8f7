/* SPDX-License-Identifier: Apache-2.0 */
/* trail.c - the CloudTrail record of every call, allowed or denied.
 *
 * Records are lines of JSON in files of one day each (DIR/trail/2026-11-20.jsonl), appended with write(2) and never
 * rewritten. A record of a writing call reaches the kernel before the call is answered, so a killed process loses none;
 * records of reading calls are collected for at most FLUSH_MS. Files older than 90 days are removed, as CloudTrail's event
 * history is. Record format: "CloudTrail record contents" (AWS CloudTrail User Guide). */
#include "cloud/cloud_int.h"
#include <dirent.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FLUSH_MS 50
#define PENDING_MAX (8u << 20)
#define PENDING_FLUSH (256u << 10)
#define KEEP_DAYS 90
#define RECORD_BYTES_MAX (256u << 10)
#define RECORD_BYTES_USUAL 2048
#define RESOURCES_KEPT 10
#define ARN_BYTES_MAX 2048
#define TEXT_BYTES_MAX 1024
#define WRITTEN_LATE_MS 3600000

struct trail {
	char *dir;
	pthread_mutex_t lock;
	struct buf pending;
	int fd;
	char day[16];
	atomic_bool failing; /* the last write failed; logged once */
	uint64_t lost;       /* records that memory had no room for, since then */
	pthread_t thread;
	pthread_cond_t cond;
	bool stop, running;
};

static void day_of(int64_t ms, char out[16])
{
	time_t t = (time_t)(ms / 1000);
	struct tm tm;

	(void)gmtime_r(&t, &tm);
	(void)strftime(out, 16, "%Y-%m-%d", &tm);
}

static void remove_old(struct trail *t, int64_t now_ms)
{
	char limit[16];
	struct dirent *e;
	DIR *d = opendir(t->dir);

	if (!d)
		return;
	day_of(now_ms - (int64_t)KEEP_DAYS * 86400000, limit);
	while ((e = readdir(d)))
		if (strlen(e->d_name) == 16 && strcmp(e->d_name + 10, ".jsonl") == 0 && strncmp(e->d_name, limit, 10) < 0)
			(void)unlinkat(dirfd(d), e->d_name, 0);
	(void)closedir(d);
}

/* What a crash cut short must not swallow the record that is written behind it. */
static void end_line(int fd)
{
	off_t end = lseek(fd, 0, SEEK_END);
	char last = '\n';

	if (end > 0 && pread(fd, &last, 1, end - 1) == 1 && last != '\n')
		(void)!write(fd, "\n", 1);
}

static int open_day(struct trail *t, const char *day, int64_t now_ms)
{
	struct arena a = { 0 };

	if (t->fd >= 0)
		(void)close(t->fd);
	t->fd = open(str_printf(&a, "%s/%s.jsonl", t->dir, day).p, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	arena_done(&a);
	if (t->fd < 0)
		return -errno;
	memcpy(t->day, day, sizeof t->day);
	end_line(t->fd);
	remove_old(t, now_ms);
	return 0;
}

/* Writes what is pending; the lock is held. What cannot be written now stays pending; trail_full() stops calls well before
 * it is more than PENDING_MAX. */
static void flush_locked(struct trail *t)
{
	char day[16];
	int64_t now = clock_now_ms();
	ssize_t n;

	if (t->pending.n == 0)
		return;
	day_of(now, day);
	if ((t->fd < 0 || strcmp(day, t->day) != 0) && open_day(t, day, now) < 0)
		n = -1;
	else
		n = write(t->fd, t->pending.p, t->pending.n);
	if (n == (ssize_t)t->pending.n) {
		if (t->lost)
			log_line(LOG_ERROR, "trail in %s: %llu records are lost", t->dir, (unsigned long long)t->lost);
		else if (t->failing)
			log_line(LOG_INFO, "trail in %s is written again", t->dir);
		buf_clear(&t->pending);
		t->failing = false;
		t->lost = 0;
		return;
	}
	if (n > 0) {
		memmove(t->pending.p, t->pending.p + n, t->pending.n - (size_t)n);
		t->pending.n -= (size_t)n;
	}
	if (!t->failing)
		log_line(LOG_ERROR, "trail in %s: %s; records are kept in memory", t->dir, strerror(errno));
	t->failing = true;
}

bool trail_full(struct trail *t)
{
	bool full;

	if (!t->failing)
		return false;
	pthread_mutex_lock(&t->lock);
	flush_locked(t);
	full = t->failing && t->pending.n > PENDING_MAX / 2;
	pthread_mutex_unlock(&t->lock);
	return full;
}

void trail_flush(struct trail *t)
{
	pthread_mutex_lock(&t->lock);
	flush_locked(t);
	pthread_mutex_unlock(&t->lock);
}

static void *flusher(void *arg)
{
	struct trail *t = arg;
	struct timespec until;

	pthread_mutex_lock(&t->lock);
	while (!t->stop) {
		if (t->pending.n == 0) {
			(void)pthread_cond_wait(&t->cond, &t->lock); /* nothing to do: no wake-ups while idle */
			continue;
		}
		(void)clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += FLUSH_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		while (!t->stop && pthread_cond_timedwait(&t->cond, &t->lock, &until) == 0)
			continue;
		flush_locked(t);
	}
	flush_locked(t);
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

int trail_open(const char *dir, struct trail **ret)
{
	struct trail *t;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	t = xzalloc(sizeof *t);
	t->dir = xstrdup(dir);
	t->fd = -1;
	buf_init(&t->pending, PENDING_MAX);
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->cond, NULL);
	if (pthread_create(&t->thread, NULL, flusher, t) != 0) {
		trail_close(t);
		return -EAGAIN;
	}
	t->running = true;
	*ret = t;
	return 0;
}

void trail_close(struct trail *t)
{
	if (!t)
		return;
	if (t->running) {
		pthread_mutex_lock(&t->lock);
		t->stop = true;
		pthread_cond_signal(&t->cond);
		pthread_mutex_unlock(&t->lock);
		(void)pthread_join(t->thread, NULL);
	}
	if (t->fd >= 0)
		(void)close(t->fd);
	pthread_mutex_destroy(&t->lock);
	pthread_cond_destroy(&t->cond);
	buf_done(&t->pending);
	free(t->dir);
	free(t);
}

/* --- one record --- */
/* text appends a literal: its length is known where it is written. */
static inline __attribute__((always_inline)) void text(struct buf *b, struct str s)
{
	if (b->cap - b->n < s.n || b->overflow) {
		buf_str(b, s);
		return;
	}
	memcpy(b->p + b->n, s.p, s.n);
	b->n += s.n;
}

/* FIELD appends a member whose name is a literal, when it has a value. */
#define FIELD(b, name, v) field((b), S(",\"" name "\":"), (v))
static inline __attribute__((always_inline)) void field(struct buf *b, struct str name, struct str v)
{
	if (!v.p)
		return;
	text(b, name);
	json_write_str(b, v);
}

/* Text that clients choose is cut (CloudTrail does it, too), so that nobody makes a record too large to be kept. */
static struct str bounded(struct str s)
{
	if (s.n > TEXT_BYTES_MAX)
		s.n = TEXT_BYTES_MAX;
	return s;
}

/* A record is JSON whatever bytes were sent: a line that no reader can parse would hide the call. */
static void clean(struct buf *b)
{
	if (utf8_valid(buf_view(b)))
		return;
	for (size_t i = 0; i < b->n;) {
		size_t k = utf8_len(b->p + i, b->n - i);

		if (!k)
			b->p[i] = '?';
		i += k ? k : 1;
	}
}

static bool is_saml(struct str provider_arn)
{
	return str_find(provider_arn, S(":saml-provider/")) >= 0;
}

static void identity(struct buf *b, struct call *c)
{
	const struct principal *w = c->who;
	static const char *const types[] = {
		[PRINCIPAL_ANONYMOUS] = "AWSAccount",
		[PRINCIPAL_ROOT] = "Root",
		[PRINCIPAL_USER] = "IAMUser",
		[PRINCIPAL_ROLE_SESSION] = "AssumedRole",
		[PRINCIPAL_FEDERATED] = "FederatedUser",
		[PRINCIPAL_SERVICE] = "AWSService",
	};

	bool token = w->p.type == PRINCIPAL_FEDERATED && !w->p.account.p; /* of an identity provider, and nothing of ours */

	text(b, S(",\"userIdentity\":{\"type\":"));
	json_write_str(b, !token ? str_c(types[w->p.type]) : is_saml(w->p.arn) ? S("SAMLUser") : S("WebIdentityUser"));
	if (w->p.type == PRINCIPAL_ANONYMOUS) {
		FIELD(b, "principalId", S(""));
		FIELD(b, "accountId", S("anonymous"));
	} else if (token) {
		FIELD(b, "principalId", bounded(w->p.unique_id));
		FIELD(b, "userName", bounded(w->name));
		FIELD(b, "identityProvider", w->federated);
	} else if (w->p.type == PRINCIPAL_SERVICE)
		FIELD(b, "invokedBy", w->p.service);
	else {
		FIELD(b, "principalId", w->p.unique_id);
		FIELD(b, "arn", w->p.arn);
		FIELD(b, "accountId", w->p.account);
		FIELD(b, "accessKeyId", w->key_id);
	}
	if (w->p.type == PRINCIPAL_USER)
		FIELD(b, "userName", w->name);
	if (w->p.type == PRINCIPAL_ROLE_SESSION) {
		text(b, S(",\"sessionContext\":{\"sessionIssuer\":{\"type\":\"Role\""));
		FIELD(b, "arn", w->p.role_arn);
		FIELD(b, "accountId", w->p.account);
		if (w->federated.p && !is_saml(w->federated)) {
			text(b, S("},\"webIdFederationData\":{\"federatedProvider\":"));
			json_write_str(b, w->federated);
		}
		buf_printf(b, "},\"attributes\":{\"creationDate\":\"%.*s\",\"mfaAuthenticated\":\"%s\"}}",
			   STR(time_iso(c->arena, w->issued_ms)), w->mfa ? "true" : "false");
	}
	if (c->facts.invoked_by.p && w->p.type != PRINCIPAL_SERVICE)
		FIELD(b, "invokedBy", c->facts.invoked_by);
	buf_c(b, '}');
}

/* Object-level S3 calls and log events are data events; everything else is a management event. */
static bool data_event(const struct call *c)
{
	if (strcmp(c->svc->model->name, "logs") == 0)
		return strstr(c->op->name, "LogEvents") != NULL;
	return strcmp(c->svc->model->name, "s3") == 0 && strstr(c->op->uri, "{Key");
}

static void resources(struct buf *b, struct call *c)
{
	if (!c->trail_resources || c->trail_resources->n == 0)
		return;
	text(b, S(",\"resources\":["));
	for (size_t i = 0; i < c->trail_resources->n; i++) {
		struct arn arn;
		struct str s = json_str(&c->trail_resources->items[i]);

		if (s.n > ARN_BYTES_MAX)
			s.n = ARN_BYTES_MAX;

		buf_str(b, i ? S(",{\"ARN\":") : S("{\"ARN\":"));
		json_write_str(b, s);
		if (arn_parse(s, &arn) == 0)
			FIELD(b, "accountId", arn.account.n ? arn.account : c->account);
		buf_c(b, '}');
	}
	buf_c(b, ']');
}

static void outcome(struct buf *b, struct call *c, int result)
{
	if (result == 0 || !c->err)
		return;
	/* EC2 writes "Client.X" for its clients' errors. */
	FIELD(b, "errorCode",
	      c->svc->model->protocols[0] == WIRE_EC2 ? str_printf(c->arena, "%s%s", c->err->sender ? "Client." : "Server.", c->err->code)
						      : str_c(c->err->code));
	FIELD(b, "errorMessage", bounded(c->message));
	if (c->decision.policy_name.p) {
		/* ours: which statement decided */
		text(b, S(",\"additionalEventData\":{\"decidedBy\":"));
		json_write_str(b, c->decision.policy_name);
		buf_printf(b, ",\"statement\":%d}", c->decision.statement);
	}
}

static void build(struct buf *b, struct call *c, int result)
{
	const struct service_model *m = c->svc->model;
	bool data = data_event(c);
	struct str source = c->svc->principal ? str_c(c->svc->principal) : str_printf(c->arena, "%s.amazonaws.com", m->endpoint_prefix);

	text(b, S("{\"eventVersion\":\"1.11\""));
	identity(b, c);
	FIELD(b, "eventTime", time_iso(c->arena, c->now_ms));
	FIELD(b, "eventSource", source);
	FIELD(b, "eventName", str_c(c->op->name));
	FIELD(b, "awsRegion", c->region->name);
	FIELD(b, "sourceIPAddress", c->facts.invoked_by.p ? c->facts.invoked_by : c->facts.source_ip);
	FIELD(b, "userAgent", c->facts.invoked_by.p ? c->facts.invoked_by : bounded(c->facts.user_agent));
	outcome(b, c, result);
	text(b, S(",\"requestParameters\":"));
	if (c->in)
		json_write(b, wire_to_json(m, c->op->in, c->in, c->arena, true));
	else
		text(b, S("null"));
	text(b, S(",\"responseElements\":"));
	if (result == 0 && c->op->txn == OP_WRITE)
		json_write(b, wire_to_json(m, c->op->out, c->out, c->arena, true));
	else
		text(b, S("null"));
	FIELD(b, "requestID", c->facts.request_id);
	FIELD(b, "eventID", random_uuid(c->arena));
	buf_str(b, c->op->txn == OP_WRITE ? S(",\"readOnly\":false") : S(",\"readOnly\":true"));
	resources(b, c);
	text(b, S(",\"eventType\":\"AwsApiCall\",\"managementEvent\":"));
	buf_str(b, data ? S("false") : S("true"));
	FIELD(b, "recipientAccountId", c->account);
	FIELD(b, "eventCategory", data ? S("Data") : S("Management"));
	text(b, S(",\"tlsDetails\":{\"secureTransport\":"));
	buf_str(b, c->facts.secure_transport ? S("true}}\n") : S("false}}\n"));
}

/* Each thread keeps the memory that it builds records in, as long as they have the usual size. */
static __thread struct buf kept;
static pthread_key_t kept_key;
static pthread_once_t kept_once = PTHREAD_ONCE_INIT;

static void kept_free(void *p)
{
	buf_done(p);
}

static void kept_key_make(void)
{
	(void)pthread_key_create(&kept_key, kept_free);
}

static struct buf record_begin(void)
{
	struct buf b = kept;

	if (b.p) {
		kept.p = NULL;
		buf_clear(&b);
		return b;
	}
	(void)pthread_once(&kept_once, kept_key_make);
	(void)pthread_setspecific(kept_key, &kept);
	buf_init(&b, RECORD_BYTES_MAX);
	(void)buf_reserve(&b, RECORD_BYTES_USUAL);
	return b;
}

static void record_end(struct buf *b)
{
	if (b->cap <= 2 * RECORD_BYTES_USUAL && !kept.p)
		kept = *b;
	else
		buf_done(b);
}

void trail_call(struct call *c, int result)
{
	struct trail *t = c->region->trail;
	struct buf b;

	if (!t)
		return;
	b = record_begin();
	build(&b, c, result);
	if (!buf_ok(&b)) { /* CloudTrail leaves out what does not fit, too: parameters, answer and all but the first resources */
		const void *in = c->in;

		c->in = NULL;
		if (c->trail_resources && c->trail_resources->n > RESOURCES_KEPT)
			c->trail_resources->n = RESOURCES_KEPT;
		buf_clear(&b);
		build(&b, c, result < 0 ? result : 1);
		c->in = in;
	}
	assert(buf_ok(&b)); /* what is left is bounded */
	clean(&b);
	pthread_mutex_lock(&t->lock);
	if (t->pending.n == 0)
		pthread_cond_signal(&t->cond);
	if (b.n > PENDING_MAX - t->pending.n)
		t->lost++;
	else
		buf_str(&t->pending, buf_view(&b));
	if (c->op->txn == OP_WRITE || t->pending.n > PENDING_FLUSH)
		flush_locked(t);
	pthread_mutex_unlock(&t->lock);
	record_end(&b);
}

/* --- reading --- */
static int newest_file(struct region *r, const char *before, char ret[40])
{
	struct arena a = { 0 };
	DIR *d = opendir(str_printf(&a, "%s/trail", r->dir).p);
	struct dirent *e;

	arena_done(&a);
	ret[0] = 0;
	if (!d)
		return -errno;
	while ((e = readdir(d)))
		if (strlen(e->d_name) == 16 && strcmp(e->d_name + 10, ".jsonl") == 0 && (!*before || strcmp(e->d_name, before) < 0) &&
		    strcmp(e->d_name, ret) > 0)
			memcpy(ret, e->d_name, 17);
	(void)closedir(d);
	return *ret ? 0 : -ENOENT;
}

/* Walks the lines of one file backwards from cur->offset (UINT64_MAX: the end). 1: fn wants no more. */
static int walk_file(struct region *r, struct trail_cursor *cur, int (*fn)(struct str record, void *arg), void *arg)
{
	struct arena a = { 0 };
	int fd = open(str_printf(&a, "%s/trail/%s", r->dir, cur->file).p, O_RDONLY | O_CLOEXEC), res = 0;
	struct stat st;
	const char *p;
	size_t end, start;

	arena_done(&a);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || st.st_size == 0) {
		(void)close(fd);
		return 0;
	}
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	(void)close(fd);
	if (p == MAP_FAILED)
		return -errno;
	end = cur->offset < (uint64_t)st.st_size ? (size_t)cur->offset : (size_t)st.st_size;
	cur->offset = end; /* while fn looks at a record, the cursor names that record */
	while (end > 0 && res == 0) {
		const char *nl = end > 1 ? memrchr(p, '\n', end - 1) : NULL;

		start = nl ? (size_t)(nl - p) + 1 : 0;
		if (p[end - 1] == '\n' && end - start > 2) { /* a line cut short by a crash has no newline: skipped */
			res = fn(str_of(p + start, end - start - 1), arg);
			if (res == 1)
				break;
		}
		end = start;
		cur->offset = end;
	}
	(void)munmap((void *)(uintptr_t)p, (size_t)st.st_size);
	return res;
}

int trail_read(struct region *r, struct trail_cursor *cur, int (*fn)(struct str record, void *arg), void *arg)
{
	int e;

	if (r->trail)
		trail_flush(r->trail);
	if (!cur->file[0]) {
		char day[16], limit[40] = "";

		if (cur->before_ms) {
			/* A record is in the file of the moment it was written: calls that ended in the next day's first hours too. */
			day_of(cur->before_ms + 86400000 + WRITTEN_LATE_MS, day);
			(void)snprintf(limit, sizeof limit, "%s.jsonl", day);
		}
		e = newest_file(r, limit, cur->file);
		if (e < 0)
			return e == -ENOENT ? 0 : e;
		cur->offset = UINT64_MAX;
	}
	for (;;) {
		char next[40];

		e = walk_file(r, cur, fn, arg);
		if (e != 0)
			return e;
		e = newest_file(r, cur->file, next);
		if (e < 0)
			return e == -ENOENT ? 0 : e;
		memcpy(cur->file, next, sizeof cur->file);
		cur->offset = UINT64_MAX;
	}
}
