/* SPDX-License-Identifier: Apache-2.0 */
/* uploads.c - the files of layers. */
#include "svc/ecr/ecr_int.h"
#include "store/files.h"
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>

#define REGIONS_MAX 64

/* One set of files a region; kept for the life of the process, since answers may outlive a region's stop. */
static struct {
	char *dir;
	struct files *files;
} sets[REGIONS_MAX];
static pthread_mutex_t sets_lock = PTHREAD_MUTEX_INITIALIZER;

struct files *ecr_files(struct region *r)
{
	struct files *f = NULL;

	pthread_mutex_lock(&sets_lock);
	for (int i = 0; i < REGIONS_MAX && sets[i].dir && !f; i++)
		if (strcmp(sets[i].dir, r->dir) == 0)
			f = sets[i].files;
	pthread_mutex_unlock(&sets_lock);
	assert(f); /* open comes first */
	return f;
}

static int referenced(void *arg, struct str id)
{
	struct keybuf k;
	struct str v;
	int r;

	key_begin(&k, S(""), "ecr.file");
	key_str(&k, id);
	r = store_get(arg, key_view(&k), &v);
	return r == 0 ? 1 : r == -ENOENT ? 0 : r;
}

/* The set of a region, opened when it is asked for the first time. */
static int open_set(struct region *r, struct files **ret)
{
	struct arena a = { 0 };
	int i, e = 0;

	pthread_mutex_lock(&sets_lock);
	for (i = 0; i < REGIONS_MAX && sets[i].dir; i++)
		if (strcmp(sets[i].dir, r->dir) == 0)
			break;
	if (i == REGIONS_MAX)
		e = -EMFILE;
	else if (!sets[i].files) {
		e = files_open(str_printf(&a, "%s/ecr", r->dir).p, &sets[i].files);
		if (e == 0)
			sets[i].dir = xstrdup(r->dir);
	}
	if (e == 0)
		*ret = sets[i].files;
	pthread_mutex_unlock(&sets_lock);
	arena_done(&a);
	return e;
}

int ecr_files_open(struct region *r, struct store_txn *t)
{
	struct files *f = NULL;
	int e = open_set(r, &f);

	if (e < 0)
		return e;
	e = files_sweep(f, referenced, t);
	if (e > 0)
		log_line(LOG_INFO, "ecr: %.*s: %d files that no layer refers to were removed", STR(r->name), e);
	return e < 0 ? e : 0;
}
