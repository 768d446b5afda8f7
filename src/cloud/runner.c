/* SPDX-License-Identifier: Apache-2.0 */
/* runner.c - the thread that runs timed jobs and ticks. Jobs are records in a region's store (store/jobs.h): they survive
 * a crash, and run again until their service removes or re-times them. A job's kind is "SERVICE/what". */
#include "cloud/cloud_int.h"
#include "store/jobs.h"
#include <errno.h>

#define TICK_MS 1000
#define JOBS_A_ROUND 64
#define RETRY_MS 5000 /* a job that failed is tried again after this */

static const struct service *service_of_kind(struct cloud *cl, struct str kind, struct arena *a)
{
	struct str name, rest;

	(void)str_cut(kind, '/', &name, &rest);
	return cloud_service(cl, str_z(a, name));
}

struct retime {
	const struct job *job;
	int64_t due_ms;
};

static int put_later(struct store_txn *t, void *arg)
{
	struct retime *x = arg;

	return job_put(t, x->due_ms, x->job->kind, x->job->id, x->job->payload);
}

static bool run_job(struct cloud *cl, struct region *r, const struct job *j, struct arena *a)
{
	const struct service *s = service_of_kind(cl, j->kind, a);
	int e = s && s->job ? s->job(cl, r, j->kind, j->id, j->payload) : -ENOSYS;

	if (e == 0)
		return true;
	log_line(LOG_ERROR, "%.*s: job %.*s %.*s: %s; it will be tried again", STR(r->name), STR(j->kind), STR(j->id), strerror(-e));
	(void)store_write(r->store, put_later, &(struct retime){ j, clock_now_ms() + RETRY_MS });
	return false;
}

/* Runs what is due in one region; returns when the next job is due (INT64_MAX: none known). */
static int64_t run_region(struct cloud *cl, struct region *r)
{
	struct arena a = { 0 };
	struct store_txn *t;
	struct job_list due = { 0 };
	int64_t next = INT64_MAX;
	bool failed = false;

	if (!region_use(r))
		return next;
	if (store_begin_read(r->store, &t) == 0) {
		if (job_due(t, &a, clock_now_ms(), JOBS_A_ROUND, &due, &next) < 0)
			due.n = 0;
		store_end(t);
	}
	for (size_t i = 0; i < due.n; i++)
		failed |= !run_job(cl, r, &due.v[i], &a);
	for (size_t i = 0; i < cl->n_services; i++)
		if (cl->services[i]->tick && cl->services[i]->model->global == r->global)
			cl->services[i]->tick(cl, r, clock_now_ms());
	region_unuse(r);
	arena_done(&a);
	/* A disk that is full keeps a job from being put off, too: it is not tried again and again at once. */
	return failed ? clock_now_ms() + RETRY_MS : due.n ? clock_now_ms() : next;
}

static bool has_ticks(const struct cloud *cl)
{
	for (size_t i = 0; i < cl->n_services; i++)
		if (cl->services[i]->tick)
			return true;
	return false;
}

static void *runner(void *arg)
{
	struct cloud *cl = arg;
	struct region *all[CLOUD_REGIONS_MAX];

	for (;;) {
		size_t n = cloud_regions(cl, all, ELEMENTS(all));
		int64_t next = run_region(cl, &cl->global), now;
		struct timespec until;

		for (size_t i = 0; i < n; i++) {
			int64_t due = run_region(cl, all[i]);

			next = due < next ? due : next;
		}
		now = clock_now_ms();
		if (has_ticks(cl) && next > now + TICK_MS)
			next = now + TICK_MS;
		pthread_mutex_lock(&cl->run_lock);
		if (next == INT64_MAX) {
			while (!cl->run_wake && !cl->run_stop)
				(void)pthread_cond_wait(&cl->run_cond, &cl->run_lock);
		} else if (next > now) {
			(void)clock_gettime(CLOCK_REALTIME, &until);
			until.tv_sec += (next - now) / 1000;
			until.tv_nsec += (next - now) % 1000 * 1000000L;
			if (until.tv_nsec >= 1000000000L) {
				until.tv_sec++;
				until.tv_nsec -= 1000000000L;
			}
			while (!cl->run_wake && !cl->run_stop && pthread_cond_timedwait(&cl->run_cond, &cl->run_lock, &until) == 0)
				continue;
		}
		cl->run_wake = false;
		if (cl->run_stop) {
			pthread_mutex_unlock(&cl->run_lock);
			return NULL;
		}
		pthread_mutex_unlock(&cl->run_lock);
	}
}

int cloud_run(struct cloud *cl)
{
	pthread_mutex_init(&cl->run_lock, NULL);
	pthread_cond_init(&cl->run_cond, NULL);
	if (pthread_create(&cl->runner, NULL, runner, cl) != 0)
		return -EAGAIN;
	cl->runner_on = true;
	return 0;
}

void runner_stop(struct cloud *cl)
{
	if (!cl->runner_on)
		return;
	pthread_mutex_lock(&cl->run_lock);
	cl->run_stop = true;
	pthread_cond_signal(&cl->run_cond);
	pthread_mutex_unlock(&cl->run_lock);
	(void)pthread_join(cl->runner, NULL);
	cl->runner_on = false;
	pthread_mutex_destroy(&cl->run_lock);
	pthread_cond_destroy(&cl->run_cond);
}

void cloud_jobs_wake(struct cloud *cl)
{
	if (!cl->runner_on)
		return;
	pthread_mutex_lock(&cl->run_lock);
	cl->run_wake = true;
	pthread_cond_signal(&cl->run_cond);
	pthread_mutex_unlock(&cl->run_lock);
}
