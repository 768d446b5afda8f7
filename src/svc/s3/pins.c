/* SPDX-License-Identifier: Apache-2.0 */
/* pins.c - files of bodies that are being read stay until the last reader is done, whatever is deleted meanwhile.
 *
 * A reader pins all files of its body before it opens the first. Who removes files (after the commit, in the order of the
 * body) leaves pinned ones to their last reader. So a reader that finds its first file finds all. After a crash the sweep
 * at the next start removes what was left. File ids are random: one table serves all regions. */
#include "svc/s3/s3_int.h"
#include <errno.h>
#include <pthread.h>

#define SLOTS 1024 /* power of two */

struct pin {
	char file[40];
	size_t readers;
	struct files *doomed; /* where the last reader removes it from; NULL: it stays */
	struct pin *next;
};
static struct pin *slots[SLOTS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct pin **find(const char *file)
{
	struct pin **p = &slots[crc32_ieee(0, file, strlen(file)) & (SLOTS - 1)];

	while (*p && strcmp((*p)->file, file) != 0)
		p = &(*p)->next;
	return p;
}

void s3_pin(const struct s3_piece *pieces, size_t n)
{
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < n; i++) {
		struct pin **p;

		if (pieces[i].bytes.p) /* has no file */
			continue;
		p = find(pieces[i].file);
		if (!*p) {
			*p = xzalloc(sizeof **p);
			memcpy((*p)->file, pieces[i].file, sizeof(*p)->file);
		}
		(*p)->readers++;
	}
	pthread_mutex_unlock(&lock);
}

static void removed(int e)
{
	if (e < 0 && e != -ENOENT) /* the sweep at the next start finds it again */
		log_line(LOG_WARN, "s3: the file of a deleted body stays until the next start: %s", strerror(-e));
}

void s3_unpin(const struct s3_piece *pieces, size_t n)
{
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < n; i++) {
		struct pin **p, *gone;

		if (pieces[i].bytes.p)
			continue;
		p = find(pieces[i].file);
		gone = *p;
		if (--gone->readers)
			continue;
		if (gone->doomed)
			removed(file_unlink(gone->doomed, str_c(gone->file)));
		*p = gone->next;
		free(gone);
	}
	pthread_mutex_unlock(&lock);
}

void s3_file_remove(struct files *f, struct str file)
{
	char name[40] = "";
	struct pin **p;

	if (file.n >= sizeof name)
		return;
	memcpy(name, file.p, file.n);
	pthread_mutex_lock(&lock);
	p = find(name);
	if (*p)
		(*p)->doomed = f;
	else
		removed(file_unlink(f, file));
	pthread_mutex_unlock(&lock);
}
