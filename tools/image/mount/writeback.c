// SPDX-License-Identifier: MIT
/*
 * Write-back in the background, by the rules of the kernel's own thread (kernel/memory/pageout.c).
 * The thread sleeps while nothing is dirty and nothing changed.  Else it looks once a second, or at
 * once when mm says that much is dirty, and writes what has been so for OLD_NS; and every
 * COMMIT_PERIOD_NS, however much there is to write, it makes durable what changed.  So a crash
 * costs no more than some seconds.
 *
 * The host's kernel has let stores age in its own pages before they come here: pages are old sooner
 * than in Mapache's.
 */
#include "mount.h"

#include <fs/host.h>
#include <fs/mount.h>
#include <mm/vm.h>

#include <fs_posix.h>
#include <posix.h>

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#define NS               UINT64_C(1000000000)
#define OLD_NS           NS
#define PAUSE_NS         NS
#define COMMIT_PERIOD_NS (5 * NS)
#define NO_DEADLINE      INT64_MAX

enum wish { NOTHING, SOON, NOW, END };

static struct {
	pthread_t thread;
	pthread_mutex_t lock; /* of wish; a leaf: wishes come with any lock held */
	pthread_cond_t wished;
	enum wish wish;
} writeback = {.lock = PTHREAD_MUTEX_INITIALIZER, .wished = PTHREAD_COND_INITIALIZER};

static void wish_for(enum wish wish)
{
	pthread_mutex_lock(&writeback.lock);
	if (writeback.wish < wish) {
		writeback.wish = wish;
		pthread_cond_signal(&writeback.wished);
	}
	pthread_mutex_unlock(&writeback.lock);
}

static void pages_wanted(bool now)
{
	wish_for(now ? NOW : SOON);
}

static void sync_wanted(void)
{
	wish_for(SOON);
}

/* Wait until that or more is wished, or for the deadline. */
static enum wish wait_for(enum wish wish, uint64_t deadline_ns)
{
	struct timespec t = {
		.tv_sec = (time_t)(deadline_ns / NS), .tv_nsec = (long)(deadline_ns % NS)};
	enum wish is;
	int err = 0;

	pthread_mutex_lock(&writeback.lock);
	while (writeback.wish < wish && !err)
		err = pthread_cond_clockwait(
			&writeback.wished, &writeback.lock, CLOCK_MONOTONIC, &t);
	is = writeback.wish;
	pthread_mutex_unlock(&writeback.lock);
	return is;
}

/* The wish is taken back before the work: what comes during it is a wish again. */
static void take_back(void)
{
	pthread_mutex_lock(&writeback.lock);
	if (writeback.wish < END)
		writeback.wish = NOTHING;
	pthread_mutex_unlock(&writeback.lock);
}

/* Who asks at fsync is told of the error, too. */
static void complain(void)
{
	fprintf(stderr, "%s: write-back: something could not be written\n", image_tool);
}

static bool anything_to_do(void)
{
	struct mvm_stats stats;

	mvm_stats(&stats);
	return stats.dirty_pages || stats.writeback_pages || mount_any_changed();
}

/* It is time to; returns when the next one is due. */
static uint64_t commit(void)
{
	if (mount_sync_changed())
		complain();
	return fsh_monotonic_ns() + COMMIT_PERIOD_NS;
}

static void *run(void *arg)
{
	uint64_t commit_at;
	enum wish wish;

	while (wait_for(SOON, NO_DEADLINE) < END) {
		commit_at = fsh_monotonic_ns() + COMMIT_PERIOD_NS;
		do {
			wish = wait_for(NOW, fsh_monotonic_ns() + PAUSE_NS);
			take_back();
			if (mvm_writeback(OLD_NS, false)) {
				complain();
				(void)wait_for(END, fsh_monotonic_ns() + PAUSE_NS);
			}
			if (fsh_monotonic_ns() >= commit_at)
				commit_at = commit();
		} while (wish < END && anything_to_do());
	}
	return arg;
}

void writeback_begin(void)
{
	writeback.wish = SOON; /* mounting may have changed something */
	posix_on_writeback_wanted(pages_wanted);
	fsh_posix_on_sync_wanted = sync_wanted;
	if (pthread_create(&writeback.thread, NULL, run, NULL))
		image_die(8, "out of memory");
}

void writeback_end(void)
{
	wish_for(END);
	pthread_join(writeback.thread, NULL);
}
