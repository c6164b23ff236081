// SPDX-License-Identifier: MIT
/*
 * madvise.
 *
 * Advice that this kernel has no use for is refused, not ignored: pages have one size, nothing merges
 * equal pages, nothing dumps memory.
 */
#include <abi/errno.h>
#include <abi/mman.h>
#include <kernel/process.h>
#include <kernel/syscall.h>
#include <kernel/vmspace.h>

static struct mvm_space *current_space(void)
{
	return process_current()->vm->space;
}

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
