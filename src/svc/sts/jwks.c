/* SPDX-License-Identifier: Apache-2.0 */
/* jwks.c - the keys of OpenID Connect providers; see jwks.h. */
#include "svc/sts/jwks.h"
#include "base/json.h"
#include "base/util.h"
#include "http/fetch.h"
#include "svc/sts/jwt.h"
#include <errno.h>

#define THREADS_MAX 8
#define QUEUE_MAX 256
#define ENTRIES_MAX 64
#define TIMEOUT_MS 5000 /* of each of the two requests */
#define ANSWER_BYTES_MAX (256u << 10)

struct waiter {
	struct waiter *next;
	void (*done)(void *arg);
	void *arg;
};
struct entry { /* what is known of a source */
	uint8_t id[32];
	bool used, fetching;
	char *text; /* the key set, or NULL */
	size_t n;
	int result; /* of the last fetch */
	int64_t came_ms, until_ms, seen_ms;
	struct waiter *waiters;
};
struct job { /* a fetch of both documents */
	struct fetch fetch;
	struct arena arena;
	struct entry *entry;
	struct str issuer;
	struct str_list thumbprints;
	bool keys;   /* the second request */
	bool abroad; /* the issuer is another machine: it does not send us to our own loopback */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry entries[ENTRIES_MAX];
static struct fetch_pool pool = FETCH_POOL(pool, THREADS_MAX, QUEUE_MAX);

/* Other thumbprints are another source: what was believed before they were changed is not believed any more. */
static void source_id(const struct jwks_source *s, uint8_t id[32])
{
	struct hash *h = hash_new(HASH_SHA256);

	hash_add(h, s->account.p, s->account.n);
	hash_add(h, s->issuer.p, s->issuer.n);
	for (size_t i = 0; i < s->thumbprints.n; i++) {
		hash_add(h, "\n", 1);
		hash_add(h, s->thumbprints.v[i].p, s->thumbprints.v[i].n);
	}
	(void)hash_end(h, id);
	hash_free(h);
}

static struct entry *entry_find(const uint8_t id[32])
{
	for (size_t i = 0; i < ENTRIES_MAX; i++)
		if (entries[i].used && memcmp(entries[i].id, id, 32) == 0)
			return &entries[i];
	return NULL;
}

static struct entry *entry_make(const uint8_t id[32])
{
	struct entry *oldest = NULL;

	for (size_t i = 0; i < ENTRIES_MAX; i++) {
		struct entry *e = &entries[i];

		if (!e->fetching && (!oldest || !e->used || (oldest->used && e->seen_ms < oldest->seen_ms)))
			oldest = e;
	}
	if (!oldest)
		return NULL;
	free(oldest->text);
	*oldest = (struct entry){ .used = true };
	memcpy(oldest->id, id, 32);
	return oldest;
}

int jwks_get(struct arena *a, const struct jwks_source *s, struct str kid, struct str *ret)
{
	int64_t now = clock_mono_ms();
	bool again = true;
	uint8_t id[32];
	struct entry *e;
	int r = -EAGAIN;

	*ret = STR_NONE;
	source_id(s, id);
	pthread_mutex_lock(&lock);
	e = entry_find(id);
	if (e) {
		e->seen_ms = now;
		if (e->result < 0 && now < e->came_ms + JWKS_FAILED_MS)
			r = e->result;
		again = now >= e->came_ms + JWKS_AGAIN_MS;
		if (e->text && now < e->until_ms)
			*ret = str_dup(a, str_of(e->text, e->n));
	}
	pthread_mutex_unlock(&lock);
	/* What is kept stays good when fetching it again fails, which anybody can bring about with a key id that he makes up. */
	if (ret->p && (jwt_has_key(a, *ret, kid) || (r == -EAGAIN && !again)))
		return 0;
	return r;
}

/* --- fetching --- */

static int64_t keep_ms(struct str head)
{
	struct str rest = fetch_header(head, "cache-control"), part, name, value;
	int64_t s, ms = JWKS_KEEP_USUAL_MS;

	while (rest.p && str_next(&rest, ',', &part)) {
		part = str_trim(part);
		if (str_eq_ci(part, S("no-store")) || str_eq_ci(part, S("no-cache")))
			return JWKS_KEEP_MIN_MS;
		if (str_cut(part, '=', &name, &value) && str_eq_ci(name, S("max-age")) && str_to_i64(value, &s) == 0 && s >= 0)
			ms = s > JWKS_KEEP_MAX_MS / 1000 ? JWKS_KEEP_MAX_MS : s * 1000;
	}
	return ms < JWKS_KEEP_MIN_MS ? JWKS_KEEP_MIN_MS : ms;
}

static void finish(struct job *j, int result, struct str keys)
{
	struct entry *e = j->entry;
	struct waiter *list, *w;

	pthread_mutex_lock(&lock);
	e->came_ms = clock_mono_ms();
	e->result = result;
	if (result == 0) {
		free(e->text);
		e->text = xmalloc(keys.n + 1);
		memcpy(e->text, keys.p, keys.n);
		e->n = keys.n;
		e->until_ms = e->came_ms + keep_ms(j->fetch.head);
	}
	e->fetching = false;
	list = e->waiters;
	e->waiters = NULL;
	pthread_mutex_unlock(&lock);
	fetch_free(&j->fetch);
	arena_done(&j->arena);
	free(j);
	while ((w = list)) {
		list = w->next;
		w->done(w->arg);
		free(w);
	}
}

static void fetched(struct fetch *f, void *arg);

static int request(struct job *j, struct str url)
{
	static const struct http_header headers[] = { { S("Accept"), S("application/json") }, { S("User-Agent"), S("cloudkeep") } };

	j->fetch = (struct fetch){
		.method = S("GET"),
		.url = url,
		.headers = headers,
		.n_headers = ELEMENTS(headers),
		.timeout_ms = TIMEOUT_MS,
		.answer_max = ANSWER_BYTES_MAX,
		.abroad = j->abroad,
		.thumbprints = j->thumbprints.v,
		.n_thumbprints = j->thumbprints.n,
		.done = fetched,
		.arg = j,
	};
	return fetch_start(&pool, &j->fetch);
}

/* The configuration names its issuer, as the specification demands of it, and where the keys are. */
static int read_configuration(struct job *j, struct str *ret_url)
{
	struct json *doc;

	if (json_parse(&j->arena, str_dup(&j->arena, j->fetch.answer), &doc, NULL) < 0)
		return -EBADMSG;
	*ret_url = json_str(json_getz(doc, "jwks_uri"));
	if (!str_eq(json_str(json_getz(doc, "issuer")), j->issuer) || !str_starts(*ret_url, S("https://")))
		return -EBADMSG;
	return 0;
}

static void fetched(struct fetch *f, void *arg)
{
	struct job *j = arg;
	struct str url;
	struct json *doc;
	int r = f->result;

	if (r == 0 && f->status != 200)
		r = -EBADMSG;
	if (r == 0 && !j->keys) {
		r = read_configuration(j, &url);
		j->abroad = !f->loopback;
		fetch_free(f);
		j->keys = true;
		if (r == 0)
			r = request(j, url);
		if (r == 0)
			return;
	} else if (r == 0 && (json_parse(&j->arena, f->answer, &doc, NULL) < 0 || !json_is(json_getz(doc, "keys"), JSON_ARRAY)))
		r = -EBADMSG;
	finish(j, r, f->answer);
}

static struct job *job_new(const struct jwks_source *s, struct entry *e)
{
	struct job *j = xzalloc(sizeof *j);

	j->entry = e;
	j->issuer = str_dup(&j->arena, s->issuer);
	j->thumbprints.v = arena_array(&j->arena, struct str, s->thumbprints.n + 1);
	for (; j->thumbprints.n < s->thumbprints.n; j->thumbprints.n++)
		j->thumbprints.v[j->thumbprints.n] = str_dup(&j->arena, s->thumbprints.v[j->thumbprints.n]);
	return j;
}

int jwks_wait(const struct jwks_source *s, void (*done)(void *arg), void *arg)
{
	struct waiter *w = xzalloc(sizeof *w);
	struct job *j = NULL;
	struct entry *e;
	uint8_t id[32];
	int r = 0;

	*w = (struct waiter){ .done = done, .arg = arg };
	source_id(s, id);
	pthread_mutex_lock(&lock);
	e = entry_find(id);
	if (!e)
		e = entry_make(id);
	if (e) {
		if (!e->fetching)
			j = job_new(s, e);
		e->fetching = true;
		e->seen_ms = clock_mono_ms();
		w->next = e->waiters;
		e->waiters = w;
	}
	pthread_mutex_unlock(&lock);
	if (!e) {
		free(w);
		return -EAGAIN;
	}
	if (j)
		r = request(j, str_printf(&j->arena, "%.*s%s.well-known/openid-configuration", STR(j->issuer),
					  j->issuer.p[j->issuer.n - 1] == '/' ? "" : "/"));
	if (r < 0)
		finish(j, r, STR_NONE); /* the queue is full: all who wait are told so */
	return 0;
}

void jwks_close(void)
{
	fetch_close(&pool);
}
