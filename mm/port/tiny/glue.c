// SPDX-License-Identifier: MIT
/* mm's hooks that are longer than a line, and the pager of this kernel's files. */
#include "fs.h"

#include <mm/host.h>
#include <mm/pager.h>

/* --- Hooks ------------------------------------------------------------------------------------ */

mvm_frame_t mvmh_frame_alloc(unsigned order)
{
	void *page = order == 0 ? kalloc() : NULL;

	return page ? (mvm_frame_t)((uintptr_t)page / PAGE_BYTES) : MVM_NO_FRAME;
}

static pte_t pte_rights(unsigned rights)
{
	return (rights ? PTE_R : 0) | (rights & MVM_WRITE ? PTE_W : 0) |
	       (rights & MVM_EXEC ? PTE_X : 0);
}

/* Nothing to flush: a hart forgets everything on its way to user mode. */
int mvmh_pmap_enter(
	struct mvmh_pmap *pmap, mvm_vaddr_t va, mvm_frame_t frame, unsigned rights, unsigned order)
{
	pte_t *entry = walk(pmap->table, va, true);

	if (!entry)
		return -MVM_ENOMEM;
	if (*entry & PTE_V && PTE_FRAME(*entry) != frame)
		return -MVM_EEXIST;
	*entry |= PTE_OF(frame) | pte_rights(rights) | PTE_U | PTE_A | PTE_D | PTE_V;
	return 0;
}

/* Take away what is not in `keep` from the entries of the range. */
static mvm_vaddr_t reduce(
	struct mvmh_pmap *pmap, mvm_vaddr_t va, mvm_vaddr_t end, pte_t keep, struct mvmh_tlb *batch)
{
	for (unsigned left = MVM_HOLD_PAGES; va < end && left > 0;) {
		pte_t *entry = walk(pmap->table, va, false);

		if (entry && *entry & ~keep) {
			*entry &= keep;
			batch->any = true;
			left--;
		}
		va = entry ? va + PAGE_BYTES : (va | (LEAF_BYTES - 1)) + 1;
	}
	return va < end ? va : end;
}

mvm_vaddr_t mvmh_pmap_remove(
	struct mvmh_pmap *pmap, mvm_vaddr_t start, mvm_vaddr_t end, struct mvmh_tlb *batch)
{
	return reduce(pmap, start, end, 0, batch);
}

mvm_vaddr_t mvmh_pmap_protect(struct mvmh_pmap *pmap, mvm_vaddr_t start, mvm_vaddr_t end,
	unsigned rights, struct mvmh_tlb *batch)
{
	return reduce(pmap, start, end, ~PTE_RIGHTS | pte_rights(rights), batch);
}

bool mvmh_pmap_test_and_clear(struct mvmh_pmap *pmap, mvm_vaddr_t va)
{
	pte_t *entry = walk(pmap->table, va, false);

	return entry && __atomic_fetch_and(entry, ~PTE_A, __ATOMIC_RELAXED) & PTE_A;
}

bool mvmh_pmap_query(struct mvmh_pmap *pmap, mvm_vaddr_t va, mvm_frame_t *frame, unsigned *rights)
{
	pte_t *entry = walk(pmap->table, va, false), e = entry ? *entry : 0;

	*frame = PTE_FRAME(e);
	*rights = (e & PTE_R ? MVM_READ : 0) | (e & PTE_W ? MVM_WRITE : 0) |
		  (e & PTE_X ? MVM_EXEC : 0);
	return e & PTE_V;
}

/* A hart that is in user mode now may use what the batch holds until it has been elsewhere. */
void mvmh_tlb_sync(struct mvmh_pmap *pmap, struct mvmh_tlb *batch)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (struct cpu *c = cpus; c < cpus + MAX_HARTS && (batch->any || batch->whole); c++) {
		uint64_t passes = __atomic_load_n(&c->passes, __ATOMIC_SEQ_CST);

		while (passes % 2 && __atomic_load_n(&c->passes, __ATOMIC_SEQ_CST) == passes)
			yield();
	}
	*batch = (struct mvmh_tlb){0};
}

int mvmh_wait(const void *chan, struct mvmh_lock *lock, bool killable)
{
	sleep(chan, &lock->spin, killable);
	return killable && this_proc()->killed ? -MVM_EINTR : 0;
}

/* --- The pager -------------------------------------------------------------------------------- */

static char *page_bytes(struct mvm_object *obj, mvm_pgoff_t index)
{
	return mvmh_window_map(mvm_object_frame(obj, index));
}

static int fill(struct mvm_object *obj, mvm_pgoff_t index, unsigned n)
{
	for (; n > 0; n--, index++)
		read_file(mvm_object_owner(obj), page_bytes(obj, index), index * PAGE_BYTES,
			PAGE_BYTES);
	return 0;
}

static int make_writable(struct mvm_object *obj, mvm_pgoff_t index)
{
	return promise_page(mvm_object_owner(obj), index) ? 0 : -MVM_ENOSPC;
}

static void unreserve(struct mvm_object *obj, mvm_pgoff_t index)
{
	break_promise(mvm_object_owner(obj), index);
}

static int write(struct mvm_object *obj, mvm_pgoff_t index, unsigned n, unsigned flags)
{
	uint64_t size = mvm_object_size(obj);

	for (; n > 0; n--, index++)
		write_file(mvm_object_owner(obj), page_bytes(obj, index), index * PAGE_BYTES,
			PAGE_BYTES, size);
	return 0;
}

const struct mvm_pager_ops file_pager = {
	.fill = fill,
	.make_writable = make_writable,
	.unreserve = unreserve,
	.write = write,
};
