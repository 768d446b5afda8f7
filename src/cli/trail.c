/* SPDX-License-Identifier: Apache-2.0 */
/* trail.c - `cloudkeep trail`: who did what, and what was refused and why; from the trail's files, read only, so it works
 * on a stopped cloud too. A record of a reading call reaches its file within a twentieth of a second. */
#include "cli/cli.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LAST_DEFAULT 100
#define LAST_MAX 1000000
#define FOLLOW_MS 100
#define FILES_MAX 128 /* of one region: one a day, 90 days are kept */

static bool denied, follow;
static const char *region, *last_text;

struct source { /* one region's files */
	const char *dir;
	char file[40]; /* the one being followed */
	off_t at;
	struct str part; /* of a line whose end is not written yet; malloc'd by buf */
};
struct line {
	struct str time, text;
	size_t order;
};
struct lines {
	struct line *v;
	size_t n, cap;
};

/* --- one record as a line --- */
static struct str who_of(struct arena *a, const struct json *id)
{
	struct str type = json_get_str(id, "type"), arn = json_get_str(id, "arn");

	if (str_is(type, "Root"))
		return S("root");
	if (str_is(type, "IAMUser"))
		return str_printf(a, "user/%.*s", STR(json_get_str(id, "userName")));
	if (str_is(type, "AWSService"))
		return json_get_str(id, "invokedBy");
	if (str_is(json_get_str(id, "accountId"), "anonymous"))
		return S("anonymous");
	if (arn.p && str_rfind_char(arn, ':') >= 0)
		return str_skip(arn, (size_t)str_rfind_char(arn, ':') + 1);
	return type.p ? type : S("?");
}

static struct str action_of(struct arena *a, const struct json *j)
{
	struct str source = json_get_str(j, "eventSource"), service, rest;

	(void)str_cut(source.p ? source : S("?"), '.', &service, &rest);
	return str_printf(a, "%.*s:%.*s", STR(service), STR(json_get_str(j, "eventName")));
}

static struct str resource_of(const struct json *j)
{
	struct json *list = json_getz(j, "resources");

	return list && json_is(list, JSON_ARRAY) && list->n ? json_get_str(&list->items[0], "ARN") : STR_NONE;
}

static bool is_denied(struct str code)
{
	return code.p && (str_find(code, S("AccessDenied")) >= 0 || str_find(code, S("Unauthorized")) >= 0 ||
			  str_find(code, S("NotAuthorized")) >= 0 || str_is(code, "AllAccessDisabled"));
}

/* Control characters come from clients: they must not reach a terminal. */
static struct str plain(struct arena *a, struct str s)
{
	char *p = arena_dup(a, s.p ? s.p : "-", s.p ? s.n : 1);
	size_t n = s.p ? s.n : 1;

	for (size_t i = 0; i < n; i++)
		if ((unsigned char)p[i] < 32 || p[i] == 127)
			p[i] = ' ';
	return str_of(p, n);
}

static void print_record(struct cli *c, struct str text)
{
	struct arena a = { 0 };
	struct json *j, *more;
	struct str code, resource;
	bool bad;

	if (c->json) {
		printf("%.*s\n", STR(text));
		return;
	}
	if (json_parse(&a, text, &j, NULL) == 0) {
		code = json_get_str(j, "errorCode");
		resource = resource_of(j);
		more = json_getz(j, "additionalEventData");
		bad = is_denied(code);
		printf("%.*s  %-14.*s  %-24.*s  %-32.*s  %s%s%s", STR(plain(&a, json_get_str(j, "eventTime"))),
		       STR(plain(&a, json_get_str(j, "awsRegion"))), STR(plain(&a, who_of(&a, json_getz(j, "userIdentity")))),
		       STR(plain(&a, action_of(&a, j))),
		       cli_paint(c, bad      ? PAINT_BAD
				    : code.p ? PAINT_DIM
					     : PAINT_GOOD),
		       bad      ? "DENIED"
		       : code.p ? "failed"
				: "ok",
		       cli_paint(c, PAINT_PLAIN));
		if (resource.p)
			printf("  %.*s", STR(plain(&a, resource)));
		if (code.p)
			printf("  %.*s: %.*s", STR(plain(&a, code)), STR(plain(&a, json_get_str(j, "errorMessage"))));
		if (json_get_str(more, "decidedBy").p)
			printf("  [decided by %.*s, statement %.*s]", STR(plain(&a, json_get_str(more, "decidedBy"))),
			       STR(plain(&a, json_get_str(more, "statement"))));
		putchar('\n');
	}
	arena_done(&a);
}

/* --- which records --- */
static bool wanted(struct str text, struct arena *a, struct str *ret_time)
{
	struct json *j;
	bool ok;

	if (json_parse(a, text, &j, NULL) < 0)
		return false; /* a line cut short by a crash */
	ok = !denied || is_denied(json_get_str(j, "errorCode"));
	if (ok && region)
		ok = str_is(json_get_str(j, "awsRegion"), region);
	*ret_time = json_get_str(j, "eventTime");
	return ok;
}

static int newest_first(const void *x, const void *y)
{
	return strcmp(y, x);
}

static size_t list_files(const char *dir, char names[][40])
{
	DIR *d = opendir(dir);
	struct dirent *e;
	size_t n = 0;

	while (d && n < FILES_MAX && (e = readdir(d)))
		if (strlen(e->d_name) == 16 && strcmp(e->d_name + 10, ".jsonl") == 0)
			memcpy(names[n++], e->d_name, 17);
	if (d)
		(void)closedir(d);
	qsort(names, n, sizeof names[0], newest_first);
	return n;
}

/* The last max records of one file, newest first, are added to out; *ret_size: up to where it was read. */
static void read_file(struct cli *c, const char *path, size_t max, struct lines *out, off_t *ret_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	const char *p;
	size_t end;

	*ret_size = 0;
	if (fd < 0)
		return;
	if (fstat(fd, &st) < 0 || st.st_size == 0 || (p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0)) == MAP_FAILED) {
		(void)close(fd);
		return;
	}
	(void)close(fd);
	end = (size_t)st.st_size;
	while (end > 0 && p[end - 1] != '\n')
		end--;
	*ret_size = (off_t)end;
	while (end > 0 && max > 0) {
		const char *nl = end > 1 ? memrchr(p, '\n', end - 1) : NULL;
		size_t start = nl ? (size_t)(nl - p) + 1 : 0;
		struct str text = str_of(p + start, end - 1 - start), time;
		struct arena a = { 0 };

		if (wanted(text, &a, &time)) {
			struct line l = { str_dup(&c->arena, time), str_dup(&c->arena, text), out->n };

			vec_push(&c->arena, out->v, out->n, out->cap) = l;
			max--;
		}
		arena_done(&a);
		end = start;
	}
	(void)munmap((void *)(uintptr_t)p, (size_t)st.st_size);
}

static void read_source(struct cli *c, struct source *s, size_t max, struct lines *out)
{
	char names[FILES_MAX][40];
	size_t n = list_files(s->dir, names), before = out->n;

	for (size_t i = 0; i < n && out->n - before < max; i++) {
		off_t size;

		read_file(c, str_printf(&c->arena, "%s/%s", s->dir, names[i]).p, max - (out->n - before), out, &size);
		if (i == 0) {
			memcpy(s->file, names[0], sizeof s->file);
			s->at = size;
		}
	}
}

static int by_time(const void *x, const void *y)
{
	const struct line *a = x, *b = y;
	int r = str_cmp(a->time, b->time);

	return r ? r : a->order > b->order ? -1 : 1; /* within a source later ones have the smaller order */
}

/* --- following --- */
static void follow_file(struct cli *c, struct source *s, const char *name)
{
	struct arena a = { 0 };
	int fd = open(str_printf(&a, "%s/%s", s->dir, name).p, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > s->at) {
		size_t n = (size_t)(st.st_size - s->at), end;
		char *p = xmalloc(n);
		ssize_t k = pread(fd, p, n, s->at);

		for (end = k > 0 ? (size_t)k : 0; end > 0 && p[end - 1] != '\n';)
			end--;
		s->at += (off_t)end;
		for (size_t start = 0; start < end;) {
			size_t len = (size_t)((const char *)memchr(p + start, '\n', end - start) - (p + start));
			struct str text = str_of(p + start, len), time;

			if (wanted(text, &a, &time))
				print_record(c, text);
			start += len + 1;
		}
		free(p);
	}
	if (fd >= 0)
		(void)close(fd);
	arena_done(&a);
}

static void follow_source(struct cli *c, struct source *s)
{
	char names[FILES_MAX][40];
	size_t n = list_files(s->dir, names);

	for (size_t i = n; i-- > 0;) {
		int order = strcmp(names[i], s->file);

		if (order < 0)
			continue;
		if (order > 0) { /* a new day */
			memcpy(s->file, names[i], sizeof s->file);
			s->at = 0;
		}
		follow_file(c, s, names[i]);
	}
}

/* --- the command --- */
static size_t find_sources(struct cli *c, struct source *ret, size_t max)
{
	DIR *d = opendir(cli_path(c, "regions"));
	struct dirent *e;
	size_t n = 0;

	ret[n++].dir = cli_path(c, "global/trail");
	while (d && n < max && (e = readdir(d)))
		if (e->d_name[0] != '.')
			ret[n++].dir = str_printf(&c->arena, "%s/regions/%s/trail", c->data, e->d_name).p;
	if (d)
		(void)closedir(d);
	return n;
}

static int run(struct cli *c)
{
	struct source *src = arena_array(&c->arena, struct source, 65);
	struct lines all = { 0 };
	struct timespec pause = { .tv_nsec = FOLLOW_MS * 1000000 };
	uint64_t max = LAST_DEFAULT;
	struct stat st;
	size_t n;

	if (last_text && (str_to_u64(str_c(last_text), &max) < 0 || max > LAST_MAX))
		return cli_usage(c, "--last %s: a number up to %d", last_text, LAST_MAX);
	if (stat(cli_path(c, "global"), &st) < 0)
		return cli_error("Start one: cloudkeep up --detach", "there is no cloud in %s", c->data);
	n = find_sources(c, src, 65);
	for (size_t i = 0; i < n; i++)
		read_source(c, &src[i], (size_t)max, &all);
	if (all.n)
		qsort(all.v, all.n, sizeof *all.v, by_time);
	for (size_t i = all.n > max ? all.n - (size_t)max : 0; i < all.n; i++)
		print_record(c, all.v[i].text);
	while (follow) {
		if (fflush(stdout) != 0)
			return 0;
		(void)nanosleep(&pause, NULL);
		for (size_t i = 0; i < n; i++)
			follow_source(c, &src[i]);
	}
	return 0;
}

static const struct cli_option options[] = {
	{ "denied", NULL, "only what was refused", NULL, &denied, NULL },
	{ "region", "NAME", "only calls to this region", &region, NULL, NULL },
	{ "last", "N", "how many records (default 100)", &last_text, NULL, NULL },
	{ "follow", NULL, "go on with what happens from now on, until Ctrl-C", NULL, &follow, NULL },
	{ NULL, NULL, NULL, NULL, NULL, NULL },
};

const struct cli_command cmd_trail = {
	.name = "trail",
	.what = "who did what, and what was refused",
	.text = "One line a call: when, where, who, what, how it ended, on which resource; for a refusal the reason and the statement\n"
		"that decided. --json prints the CloudTrail records themselves. Works on a stopped cloud too.",
	.examples = "  cloudkeep trail\n  cloudkeep trail --denied --follow        # in a second terminal, while you work\n"
		    "  cloudkeep trail --json --last 10 | jq .userIdentity.arn",
	.options = options,
	.run = run,
};
