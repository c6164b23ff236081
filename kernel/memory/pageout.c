// SPDX-License-Identifier: MIT
/*
 * Write-back and reclaim in the background.
 *
 * Write-back.  Nothing is dirty most of the time, and then nothing ticks: the thread sleeps until
 * mm says that a page became dirty.  From then on it looks once a second and writes what has been
 * dirty for WRITEBACK_AGE_NS, until nothing is left.
 *
 * Reclaim.  Frames for user memory and the page cache are handed out down to a reserve only
 * (frames_low(), kernel/frames.h), so that the kernel's own small allocations, which never
 * reclaim, rarely fail.  Who meets the reserve wakes the thread, which frees a batch beyond it;
 * mm also reclaims for itself when it gets no frame.
 */
#include <fs/path.h>
#include <fs/vnode.h>
#include <kernel/frames.h>
#include <kernel/pageout.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/thread.h>
#include <kernel/time.h>
#include <mm/vm.h>

#define WRITEBACK_AGE_NS   (5 * NS_PER_SEC)
#define WRITEBACK_PAUSE_NS NS_PER_SEC
#define RECLAIM_BATCH      64 /* frames a round */

struct wish {
	struct waitq wait;
	uint32_t wanted; /* [a] */
};

static struct wish writeback = {.wait = WAITQ_INIT}, reclaim = {.wait = WAITQ_INIT};

static void wish_for(struct wish *wish)
{
	if (__atomic_load_n(&wish->wanted, __ATOMIC_RELAXED))
		return;
	if (!__atomic_exchange_n(&wish->wanted, 1, __ATOMIC_ACQ_REL))
		waitq_wake_all(&wish->wait);
}

/* The wish is taken back before the work: what comes during it is a wish again. */
static void wait_for_wish(struct wish *wish)
{
	wait_event(&wish->wait, __atomic_load_n(&wish->wanted, __ATOMIC_ACQUIRE));
	__atomic_store_n(&wish->wanted, 0, __ATOMIC_RELEASE);
}

void writeback_wanted(void)
{
	wish_for(&writeback);
}

void reclaim_wanted(void)
{
	wish_for(&reclaim);
}

static bool anything_dirty(void)
{
	struct mvm_stats stats;

	mvm_stats(&stats);
	return stats.dirty_pages || stats.writeback_pages;
}

static void writeback_thread(void *arg)
{
	(void)arg;
	for (;;) {
		wait_for_wish(&writeback);
		do {
			(void)thread_sleep_until(time_now_ns() + WRITEBACK_PAUSE_NS, SLEEP_FOREVER);
			/* Pages that could not be written stay dirty; fsync tells of the error. */
			if (mvm_writeback(WRITEBACK_AGE_NS, false))
				pr_warning("write-back: some pages could not be written");
		} while (anything_dirty());
	}
}

static void reclaim_thread(void *arg)
{
	(void)arg;
	for (;;) {
		wait_for_wish(&reclaim);
		while (frames_low() && mvm_reclaim(RECLAIM_BATCH))
			;
		if (frames_low()) { /* pages give no more: names and inodes that nobody uses */
			dentry_shrink(0);
			vnode_shrink(0);
		}
	}
}

void pageout_init(void)
{
	if (thread_spawn("writeback", writeback_thread, NULL) ||
		thread_spawn("reclaim", reclaim_thread, NULL))
		panic("no memory for the threads of memory pressure");
}
