// SPDX-License-Identifier: MIT
/*
 * The kernel as mm's host: the hooks of mm/host.h that are not inline in mvm_config.h.
 */
#include "mm_host.h"

#include <kernel/boot.h>
#include <kernel/pageout.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/random.h>
#include <kernel/thread.h>
#include <mm/host.h>
#include <mm/vm.h>

#ifndef mvmh_sync_code /* no test would miss it: QEMU never fetches what is stale */
#error "mvm_config.h: nobody synchronizes code"
#endif

static bool randomize; /* [I] after mm_host_init() */

size_t mvmh_frame_count(size_t *total)
{
	*total = frames_total();
	return frames_free_count();
}

/* Many at once, of which nobody is in need: only if after that nothing has to be reclaimed. */
uint32_t mm_host_frames(unsigned order)
{
	paddr_t pa = 0;

	if (frames_stock.free >= (1UL << order) + RECLAIM_HIGH * frames_stock.reserve)
		pa = frame_alloc_side_by_side(order);
	return pa ? (uint32_t)(pa >> PAGE_SHIFT) : MVM_NO_FRAME;
}

void *mvmh_meta_alloc(void)
{
	return frame_alloc_zeroed();
}

void mvmh_meta_free(void *page)
{
	frame_free(virt_to_phys(page), 0);
}

int mvmh_pmap_create(struct mvmh_pmap *pmap)
{
	return pmap_init(&pmap->pmap);
}

void mvmh_pmap_destroy(struct mvmh_pmap *pmap)
{
	pmap_fini(&pmap->pmap);
}

/*
 * A table that lies wholly in the range goes as one entry. mm's space begins and ends inside a
 * table, a page from either end of the user's half; nothing is ever mapped there, so a range up to
 * an end of the space takes in the whole table.
 */
mvm_vaddr_t mvmh_pmap_remove(
	struct mvmh_pmap *pmap, mvm_vaddr_t start, mvm_vaddr_t end, struct mvmh_tlb *batch)
{
	vaddr_t first = start == USER_BASE ? 0 : start, stop = end == USER_END ? USER_TOP : end;
	vaddr_t at = pmap_remove(&pmap->pmap, first, stop, MVM_HOLD_PAGES, &batch->batch);

	return at < end ? at : end;
}

mvm_vaddr_t mvmh_pmap_protect(struct mvmh_pmap *pmap, mvm_vaddr_t start, mvm_vaddr_t end,
	unsigned rights, struct mvmh_tlb *batch)
{
	return pmap_protect(&pmap->pmap, start, end, rights, MVM_HOLD_PAGES, &batch->batch);
}

mvm_vaddr_t mvmh_pmap_move(struct mvmh_pmap *pmap, mvm_vaddr_t start, mvm_vaddr_t end,
	mvm_vaddr_t to, struct mvmh_tlb *batch)
{
	return pmap_move(&pmap->pmap, start, end, to, MVM_HOLD_PAGES, &batch->batch);
}

bool mvmh_pmap_test_and_clear(struct mvmh_pmap *pmap, mvm_vaddr_t va)
{
	return pmap_test_and_clear_used(&pmap->pmap, va);
}

void mvmh_tlb_sync(struct mvmh_pmap *pmap, struct mvmh_tlb *batch)
{
	if (batch->whole) {
		batch->batch.start = 0;
		batch->batch.end = USER_END;
		batch->whole = false;
	}
	tlb_flush(&pmap->pmap, &batch->batch);
}

void mvmh_lock_init(struct mvmh_lock *lock, enum mvmh_rank rank)
{
	static const struct {
		const char *name;
		enum lock_rank rank;
	} ranks[MVMH_RANK_N] = {
		[MVMH_RANK_SPACE] = {"mm space", RANK_MM_SPACE},
		[MVMH_RANK_OBJECT] = {"mm object", RANK_MM_OBJECT},
		[MVMH_RANK_PAGE] = {"mm page", RANK_MM_PAGE},
	};

	spin_init(&lock->spin, ranks[rank].name, ranks[rank].rank);
}

/*
 * Whoever has a transaction, or what comes after it, must not wait for a page:
 * its I/O may need one.
 */
int mvmh_wait(const void *chan, struct mvmh_lock *lock, bool killable)
{
	assert_mutexes_before(RANK_FS_TXN);
	return thread_sleep_on(
		chan, &lock->spin, killable ? SLEEP_KILLABLE : SLEEP_FOREVER, NO_DEADLINE);
}

void mvmh_wake(const void *chan)
{
	thread_wake_on(chan);
}

uint64_t mvmh_entropy(void)
{
	return randomize ? random_u64() : 0;
}

void mvmh_log(const char *line)
{
	pr_info("mm: %s", line);
}

void mvmh_panic(const char *why)
{
	panic("mm: %s", why);
}

void mm_host_init(void)
{
	randomize = !boot_has("norandmaps");
	if (mvm_init())
		panic("no memory for mm");
	pageout_init();
}
