// SPDX-License-Identifier: MIT
/*
 * Write-back in the background, as the kernel's own thread does it: at once when mm says that much is
 * dirty, and every few seconds all of it, with a commit, so that a crash costs no more than that.
 */
#include "mount.h"

#include <fs/mount.h>
#include <mm/vm.h>

#include <posix.h>

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#define COMMIT_EVERY_S 5
#define OLD_NS         1000000000u

static struct {
	pthread_t thread;
	sem_t wake;
	atomic_bool wanted, end;
	struct mount *mount;
} writeback;

static void wanted(void)
{
	if (!atomic_exchange(&writeback.wanted, true))
		sem_post(&writeback.wake);
}

static struct timespec next_commit(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += COMMIT_EVERY_S;
	return t;
}

/* Who asks at fsync is told of the error, too. */
static void complain(int err)
{
	if (err)
		fprintf(stderr, "%s: write-back: some pages could not be written\n", image_tool);
}

static void *run(void *arg)
{
	struct timespec deadline = next_commit();

	while (!writeback.end) {
		if (sem_timedwait(&writeback.wake, &deadline) == 0) {
			writeback.wanted = false;
			complain(mvm_writeback(OLD_NS, false));
		} else if (errno == ETIMEDOUT) {
			complain(mount_sync(writeback.mount));
			deadline = next_commit();
		}
	}
	return arg;
}

void writeback_begin(struct mount *mount)
{
	writeback.mount = mount;
	sem_init(&writeback.wake, 0, 0);
	posix_on_writeback_wanted(wanted);
	if (pthread_create(&writeback.thread, NULL, run, NULL))
		image_die(8, "out of memory");
}

void writeback_end(void)
{
	writeback.end = true;
	sem_post(&writeback.wake);
	pthread_join(writeback.thread, NULL);
}
