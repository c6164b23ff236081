// SPDX-License-Identifier: MIT
/*
 * read and write: under the inode's lock, through the pages that mappings use.
 *
 * The kernel does not use users' addresses.  It holds the page behind one (mvm_hold(): looked up,
 * faulted in, kept) and copies to or from its frame.  A page that is held cannot be taken by
 * another hart between the look and the copy, as the result of a walk could.  Holding may need
 * any page, so it happens in prefault(), when mm has nothing busy; copy() only copies.
 */
#include "uaccess.h"

#include "fs.h"
#include "proc.h"

#include <mm/host.h>
#include <mm/pagecache.h>
#include <mm/vm.h>

struct user_copy {
	struct mvm_copy copy;
	uint64_t va;
	unsigned access;
	struct mvm_hold hold; /* of the page at `held` */
	uint64_t held;        /* 0: none */
};

static struct user_copy *user_copy_of(struct mvm_copy *c)
{
	return (struct user_copy *)c;
}

static int let_go(struct user_copy *u)
{
	int err = u->held ? mvm_release(&u->hold) : 0;

	u->held = 0;
	return err;
}

static int prefault(struct mvm_copy *c, size_t done, size_t n)
{
	struct user_copy *u = user_copy_of(c);
	uint64_t va = u->va + done;
	int err = let_go(u);

	if (!err)
		err = mvm_hold(this_proc()->space, va, u->access, &u->hold);
	if (!err)
		u->held = va / PAGE_BYTES * PAGE_BYTES;
	return err;
}

static size_t copy(struct mvm_copy *c, void *kernel, size_t done, size_t n)
{
	struct user_copy *u = user_copy_of(c);
	uint64_t in_page = u->va + done - u->held;
	char *user;

	if (!u->held || in_page >= PAGE_BYTES)
		return 0;
	n = n < PAGE_BYTES - in_page ? n : PAGE_BYTES - in_page;
	user = (char *)mvmh_window_map(u->hold.frame) + in_page;
	if (u->access == MVM_WRITE)
		__builtin_memcpy(user, kernel, n);
	else
		__builtin_memcpy(kernel, user, n);
	return n;
}

long file_io(struct inode *ip, uint64_t offset, uint64_t va, size_t bytes, bool write)
{
	struct user_copy u = {
		.copy = {.copy = copy, .prefault = prefault},
		.va = va,
		.access = write ? MVM_READ : MVM_WRITE,
	};
	size_t done;
	int err, lost;

	ilock(ip);
	err = write ? mvm_pc_write(ip->object, offset, bytes, &u.copy, &done)
		    : mvm_pc_read(ip->object, offset, bytes, &u.copy, &done);
	iunlock(ip);
	lost = let_go(&u);
	if (lost)
		return lost;
	return done > 0 ? (long)done : err;
}
