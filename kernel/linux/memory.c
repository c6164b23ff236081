// SPDX-License-Identifier: MIT
/*
 * mremap, madvise, mincore, the family of mlock, and the instruction cache.
 *
 * Advice that this kernel has no use for is refused, not ignored: pages have one size, nothing
 * merges equal pages, nothing dumps memory.
 */
#include <abi/errno.h>
#include <abi/mman.h>
#include <arch/cpu.h>
#include <kernel/cpu.h>
#include <kernel/process.h>
#include <kernel/syscall.h>
#include <kernel/vmspace.h>

static struct mvm_space *current_space(void)
{
	return process_current()->vm->space;
}

/* --- mremap ----------------------------------------------------------------------------------- */

/* May the mapping go there? */
static int check_target(vaddr_t addr, size_t bytes)
{
	if (addr & PAGE_MASK || bytes > USER_END || addr > USER_END - bytes)
		return -EINVAL;
	return addr < USER_BASE ? -EPERM : 0;
}

/* MREMAP_DONTUNMAP is not there: -EINVAL like any flag that is not known. */
long sys_mremap(vaddr_t addr, size_t old_argument, size_t new_argument,
	unsigned long flags_argument, vaddr_t new_addr)
{
	size_t old_bytes = page_align_up(old_argument), new_bytes = page_align_up(new_argument);
	unsigned flags = (unsigned)flags_argument;
	bool fixed = flags & MREMAP_FIXED;
	int err;

	if (flags & ~(unsigned)(MREMAP_MAYMOVE | MREMAP_FIXED))
		return -EINVAL;
	if ((fixed && !(flags & MREMAP_MAYMOVE)) || addr & PAGE_MASK || !new_bytes)
		return -EINVAL;
	if (old_argument && !old_bytes)
		return -EINVAL; /* rounded up, it goes round the end of all addresses */
	if (addr >= USER_END)
		return -EFAULT;
	if (old_bytes > USER_END - addr)
		return old_bytes >= new_bytes ? -EINVAL : -EFAULT;
	err = fixed ? check_target(new_addr, new_bytes) : 0;
	if (!err)
		err = mvm_remap(current_space(), addr, old_bytes, new_bytes, flags, &new_addr);
	return err ? err : (long)new_addr;
}

_Static_assert(MREMAP_MAYMOVE == (int)MVM_REMAP_MAYMOVE && MREMAP_FIXED == (int)MVM_REMAP_FIXED,
	"the flags pass as they are");

/* --- madvise ---------------------------------------------------------------------------------- */

/* mm's number of an advice, or -EINVAL. */
static int mm_advice(int advice)
{
	static const struct {
		int advice;
		enum mvm_advice mm;
	} known[] = {
		{MADV_NORMAL, MVM_ADVISE_NORMAL},
		{MADV_RANDOM, MVM_ADVISE_RANDOM},
		{MADV_SEQUENTIAL, MVM_ADVISE_SEQUENTIAL},
		{MADV_WILLNEED, MVM_ADVISE_WILLNEED},
		{MADV_DONTNEED, MVM_ADVISE_DONTNEED},
		{MADV_FREE, MVM_ADVISE_FREE},
		{MADV_POPULATE_READ, MVM_ADVISE_POPULATE_READ},
		{MADV_POPULATE_WRITE, MVM_ADVISE_POPULATE_WRITE},
		{MADV_DONTFORK, MVM_ADVISE_DONTFORK},
		{MADV_DOFORK, MVM_ADVISE_DOFORK},
		{MADV_WIPEONFORK, MVM_ADVISE_WIPEONFORK},
		{MADV_KEEPONFORK, MVM_ADVISE_KEEPONFORK},
		{MADV_HUGEPAGE, MVM_ADVISE_HUGE},
		{MADV_NOHUGEPAGE, MVM_ADVISE_NOHUGE},
	};

	for (unsigned i = 0; i < sizeof known / sizeof *known; i++)
		if (known[i].advice == advice)
			return (int)known[i].mm;
	return -EINVAL;
}

long sys_madvise(vaddr_t addr, size_t bytes, long advice)
{
	int mm = mm_advice((int)advice);

	if (mm < 0 || addr & PAGE_MASK)
		return -EINVAL;
	size_t length = page_align_up(bytes);
	if ((bytes && !length) || addr + length < addr)
		return -EINVAL;
	if (!length)
		return 0;
	/* What cannot be mapped is a hole. */
	if (addr >= USER_END)
		return -ENOMEM;
	bool beyond = length > USER_END - addr;
	int err = mvm_advise(
		current_space(), addr, beyond ? USER_END - addr : length, (enum mvm_advice)mm);
	return !err && beyond ? -ENOMEM : err;
}

/* --- mincore ---------------------------------------------------------------------------------- */

#define CHUNK_PAGES 256 /* looked at in one go; a byte each */

static int incore_chunk(vaddr_t addr, size_t pages, uaddr_t to)
{
	unsigned char resident[CHUNK_PAGES];
	int err = mvm_incore(current_space(), addr, pages, resident);

	return err ? err : copy_out(to, resident, pages);
}

long sys_mincore(vaddr_t addr, size_t bytes, uaddr_t to)
{
	int err = user_range(addr, &bytes, -ENOMEM);
	size_t pages = bytes / PAGE_SIZE;

	if (!err && !user_range_ok(to.addr, pages))
		return -EFAULT;
	for (size_t done = 0; !err && done < pages; done += CHUNK_PAGES) {
		size_t n = pages - done < CHUNK_PAGES ? pages - done : CHUNK_PAGES;
		err = incore_chunk(addr + done * PAGE_SIZE, n, uaddr_add(to, done));
	}
	return err;
}

/* --- mlock ------------------------------------------------------------------------------------ */

/* The pages that the range touches.  -EINVAL: it goes round the end of all addresses. */
static int touched_pages(vaddr_t *addr, size_t *bytes)
{
	size_t span = page_align_up(*bytes + (*addr & PAGE_MASK));

	*addr = page_align_down(*addr);
	if (span < *bytes || *addr + span < *addr)
		return -EINVAL;
	*bytes = span;
	return 0;
}

/* What lies beyond all that can be mapped is a hole. */
static int clip(vaddr_t addr, size_t *bytes)
{
	if (addr < USER_END && *bytes <= USER_END - addr)
		return 0;
	*bytes = addr < USER_END ? USER_END - addr : 0;
	return -ENOMEM;
}

static long lock_range(vaddr_t addr, size_t bytes, bool onfault)
{
	int err, beyond;

	if (!process_may_lock_memory(process_current()))
		return -EPERM;
	err = touched_pages(&addr, &bytes);
	if (err)
		return err;
	beyond = clip(addr, &bytes);
	if (bytes)
		err = mvm_mlock(current_space(), addr, bytes, onfault);
	return err ? err : beyond;
}

long sys_mlock(vaddr_t addr, size_t bytes)
{
	return lock_range(addr, bytes, false);
}

long sys_mlock2(vaddr_t addr, size_t bytes, unsigned long flags)
{
	if ((unsigned)flags & ~(unsigned)MLOCK_ONFAULT)
		return -EINVAL;
	return lock_range(addr, bytes, (unsigned)flags & MLOCK_ONFAULT);
}

long sys_munlock(vaddr_t addr, size_t bytes)
{
	int beyond, err = touched_pages(&addr, &bytes);

	if (err)
		return err;
	beyond = clip(addr, &bytes);
	if (bytes)
		err = mvm_munlock(current_space(), addr, bytes);
	return err ? err : beyond;
}

long sys_mlockall(unsigned long flags_argument)
{
	unsigned flags = (unsigned)flags_argument;

	if (!flags || flags == MCL_ONFAULT ||
		flags & ~(unsigned)(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT))
		return -EINVAL;
	if (!process_may_lock_memory(process_current()))
		return -EPERM;
	return mvm_mlockall(current_space(), flags);
}

long sys_munlockall(void)
{
	mvm_munlockall(current_space());
	return 0;
}

_Static_assert(MCL_CURRENT == (int)MVM_LOCK_CURRENT && MCL_FUTURE == (int)MVM_LOCK_FUTURE &&
		       MCL_ONFAULT == (int)MVM_LOCK_ONFAULT,
	"the flags pass as they are");

/* --- The instruction cache -------------------------------------------------------------------- */

#define FLUSH_ICACHE_LOCAL 1 /* the caller's threads will not run what was written elsewhere */

static void sync_icache(void *unused)
{
	(void)unused;
	arch_sync_icache();
}

/* The machine knows no ranges.  A thread may move, so the harts are synchronized all the same. */
long sys_riscv_flush_icache(vaddr_t start, vaddr_t end, unsigned long flags)
{
	(void)start, (void)end;
	if (flags & ~(unsigned long)FLUSH_ICACHE_LOCAL)
		return -EINVAL;
	preempt_disable();
	cpu_call_others(sync_icache, NULL);
	arch_sync_icache();
	preempt_enable();
	return 0;
}
