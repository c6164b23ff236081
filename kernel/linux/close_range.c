// SPDX-License-Identifier: MIT
/*
 * close_range: close, or mark for closing at exec, all descriptors of a range.
 */
#include <abi/close_range.h>
#include <abi/errno.h>
#include <kernel/files.h>
#include <kernel/syscall.h>

/* Give the process a table of its own, if it shares one. */
static int unshare(struct process *p)
{
	struct files *old = p->files, *own;
	int err = files_copy_if_shared(old, &own);

	if (err || !own)
		return err;
	spin_lock(&p->lock);
	p->files = own;
	spin_unlock(&p->lock);
	files_put(old);
	return 0;
}

long sys_close_range(unsigned long first, unsigned long last, unsigned long flags_argument)
{
	unsigned flags = (unsigned)flags_argument, fd = (unsigned)first;
	struct process *p = process_current();
	int err = 0;

	if (flags & ~(unsigned)(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) || fd > (unsigned)last)
		return -EINVAL;
	if (flags & CLOSE_RANGE_UNSHARE) {
		/* Threads have one table together. */
		if (p->n_threads > 1)
			return -EINVAL;
		err = unshare(p);
	}
	if (!err)
		files_close_range(p->files, fd, (unsigned)last, flags & CLOSE_RANGE_CLOEXEC);
	return err;
}
