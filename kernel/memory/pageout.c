// SPDX-License-Identifier: MIT
/*
 * Write-back and reclaim in the background.
 *
 * Write-back.  Nothing is dirty most of the time, and then nothing ticks: the thread sleeps until
 * mm says that pages want to be written, be it that something was unmapped or that much is dirty.
 * While anything is dirty it also looks once a second and writes what has been so for
 * WRITEBACK_AGE_NS, until nothing is left.  What file systems changed is made durable every
 * SYNC_PERIOD_NS, by the same thread: a crash costs no more than some seconds of what nobody
 * synced.
 *
 * Reclaim.  Three marks, in reserves (frames_below(), kernel/frames.h):
 *
 *	RECLAIM_HIGH	the thread has freed enough
 *	RECLAIM_LOW	whoever takes a frame wakes the thread, and has it
 *	1		no frames for user memory and the page cache: the rest is kept for the
 *			kernel's own small allocations, which never reclaim.  Who wants a frame
 *			frees some first
 *
 * So as long as the thread keeps up nobody else reclaims.  When a round has freed nothing, nearly
 * all memory is private, or in use just now: the thread rests for a while, and those who want
 * frames look for themselves.
 */
#include <arch/pmap.h>
#include <fs/mount.h>
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
#define SYNC_PERIOD_NS     (5 * NS_PER_SEC)
#define RECLAIM_BATCH      64 /* frames a round */
#define RECLAIM_PAUSE_NS   (100 * NS_PER_MS)
#define STARVED_PAUSE_NS   (10 * NS_PER_MS)

enum wish { NOTHING, SOON, NOW };

/* What a thread is there for. */
struct errand {
	struct waitq wait;
	uint32_t wish; /* [a] enum wish */
};

static struct errand writeback = {.wait = WAITQ_INIT}, reclaim = {.wait = WAITQ_INIT};

static void wish_for(struct errand *errand, enum wish wish)
{
	uint32_t is = __atomic_load_n(&errand->wish, __ATOMIC_RELAXED);

	while (is < wish && !__atomic_compare_exchange_n(&errand->wish, &is, wish, false,
				    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		;
	if (is < wish)
		waitq_wake_all(&errand->wait);
}

/* Wait until that or more is wished, or for the deadline. */
static void wait_for(struct errand *errand, enum wish wish, uint64_t deadline_ns)
{
	(void)wait_event_how(&errand->wait,
		__atomic_load_n(&errand->wish, __ATOMIC_ACQUIRE) >= wish, SLEEP_FOREVER,
		deadline_ns);
}

/* The wish is taken back before the work: what comes during it is a wish again. */
static void take_back(struct errand *errand)
{
	__atomic_store_n(&errand->wish, NOTHING, __ATOMIC_SEQ_CST);
}

void writeback_wanted(bool now)
{
	wish_for(&writeback, now ? NOW : SOON);
}

void reclaim_wanted(void)
{
	wish_for(&reclaim, NOW);
}

static void pause_ns(uint64_t ns)
{
	(void)thread_sleep_until(time_now_ns() + ns, SLEEP_FOREVER);
}

void memory_starved(void)
{
	reclaim_wanted();
	pause_ns(STARVED_PAUSE_NS);
}

static bool anything_dirty(void)
{
	struct mvm_stats stats;

	mvm_stats(&stats);
	return stats.dirty_pages || stats.writeback_pages;
}

/* It is time to; returns when the next one is due. */
static uint64_t sync_changes(void)
{
	if (mount_sync_changed())
		pr_warning("sync: something could not be written");
	return time_now_ns() + SYNC_PERIOD_NS;
}

static void writeback_thread(void *arg)
{
	uint64_t sync_at;

	(void)arg;
	for (;;) {
		wait_for(&writeback, SOON, NO_DEADLINE);
		sync_at = time_now_ns() + SYNC_PERIOD_NS;
		do {
			wait_for(&writeback, NOW, time_now_ns() + WRITEBACK_PAUSE_NS);
			take_back(&writeback);
			/* Pages that could not be written stay dirty; fsync tells of the error. */
			if (mvm_writeback(WRITEBACK_AGE_NS, false)) {
				pr_warning("write-back: some pages could not be written");
				pause_ns(WRITEBACK_PAUSE_NS);
			}
			if (time_now_ns() >= sync_at)
				sync_at = sync_changes();
		} while (anything_dirty() || mount_any_changed());
	}
}

/* Free frames up to the mark.  False when there was nothing to be had. */
static bool reclaim_pages(void)
{
	bool some = true;

	while (some && frames_below(RECLAIM_HIGH))
		some = mvm_reclaim(RECLAIM_BATCH) > 0;
	return some;
}

static void reclaim_thread(void *arg)
{
	(void)arg;
	for (;;) {
		wait_for(&reclaim, NOW, NO_DEADLINE);
		take_back(&reclaim);
		kstack_shrink();
		pmap_shrink();
		mount_trim_all();
		if (reclaim_pages())
			continue;
		dentry_shrink(0); /* names and inodes that nobody uses */
		vnode_shrink(0);
		pause_ns(RECLAIM_PAUSE_NS);
	}
}

void pageout_init(void)
{
	if (thread_spawn("writeback", writeback_thread, NULL) ||
		thread_spawn("reclaim", reclaim_thread, NULL))
		panic("no memory for the threads of memory pressure");
}
