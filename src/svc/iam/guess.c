/* SPDX-License-Identifier: Apache-2.0 */
/* guess.c - see guess.h. Each device has a place of its own: were places shared, codes for one's own device could make those
 * for another's be forgotten. A try is counted before the code is looked at, so that many at once are not more than so many. */
#include "svc/iam/guess.h"
#include "base/util.h"
#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct guessed {
	uint8_t device[32]; /* a digest */
	int64_t since_ms;
	int tries; /* 0: free */
} guessed[GUESSED_MAX];

/* Calls at once may come here in another order than they began in: a little earlier is still within the while. */
static bool over(const struct guessed *g, int64_t now_ms)
{
	return g->tries == 0 || now_ms - g->since_ms >= GUESSES_MS || g->since_ms - now_ms >= GUESSES_MS;
}

static struct guessed *find(const uint8_t device[32])
{
	for (size_t i = 0; i < GUESSED_MAX; i++)
		if (guessed[i].tries > 0 && memcmp(guessed[i].device, device, 32) == 0)
			return &guessed[i];
	return NULL;
}

bool guess_try(struct str device, int64_t now_ms)
{
	struct guessed *g;
	uint8_t id[32];
	bool may;

	hash_sha256(device.p, device.n, id);
	pthread_mutex_lock(&lock);
	g = find(id);
	for (size_t i = 0; i < GUESSED_MAX && !g; i++)
		if (over(&guessed[i], now_ms))
			g = &guessed[i];
	if (g && over(g, now_ms)) {
		*g = (struct guessed){ .since_ms = now_ms };
		memcpy(g->device, id, sizeof id);
	}
	may = g && g->tries < GUESSES_MAX;
	if (may)
		g->tries++;
	pthread_mutex_unlock(&lock);
	return may;
}

void guess_right(struct str device)
{
	struct guessed *g;
	uint8_t id[32];

	hash_sha256(device.p, device.n, id);
	pthread_mutex_lock(&lock);
	g = find(id);
	if (g)
		g->tries--;
	pthread_mutex_unlock(&lock);
}
