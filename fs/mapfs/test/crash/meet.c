// SPDX-License-Identifier: MIT
#include "meet.h"

#include <fs_posix.h>
#include <world.h>

#include <semaphore.h>
#include <stdlib.h>
#include <time.h>

/* Only against hanging. */
#define PATIENCE_SECONDS 20

static struct {
	bool runs; /* the thread */
	sem_t go, over;
	struct world *w;
	struct meeting *m;
	unsigned flushes; /* until it goes; 0: it went */
	bool waits;
} second;

static void do_second(void)
{
	struct meeting *m = second.m;

	m->called = second.w->disk->epoch;
	m->err[1] = op_run(second.w, &m->op[1], m->index[1]);
	fsh_posix_fixed_time_ns = op_time_ns(m->index[0]);
}

static void *thread(void *arg)
{
	for (;;) {
		sem_wait(&second.go);
		do_second();
		sem_post(&second.over);
	}
	return arg;
}

/* One thread for all meetings of this process. */
static void start_thread(void)
{
	pthread_t id;

	if (second.runs)
		return;
	sem_init(&second.go, 0, 0);
	sem_init(&second.over, 0, 0);
	if (pthread_create(&id, NULL, thread, NULL))
		abort();
	pthread_detach(id);
	second.runs = true;
}

static void at_flush(struct testdisk *disk)
{
	struct timespec until;

	(void)disk;
	if (second.flushes == 0 || --second.flushes > 0)
		return;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_SECONDS;
	sem_post(&second.go);
	second.waits = sem_timedwait(&second.over, &until) != 0;
}

bool meet(struct world *w, struct meeting *m)
{
	start_thread();
	second.w = w;
	second.m = m;
	second.flushes = m->op[0].meets;
	second.waits = false;
	w->disk->before_flush = at_flush;
	m->err[0] = op_run(w, &m->op[0], m->index[0]);
	w->disk->before_flush = NULL;
	if (second.flushes > 0)
		do_second();
	if (second.waits)
		sem_wait(&second.over);
	return !second.waits;
}
