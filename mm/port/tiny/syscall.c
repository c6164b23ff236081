// SPDX-License-Identifier: MIT
#include "syscall.h"

#include "console.h"
#include "fs.h"
#include "main.h"
#include "proc.h"
#include "uaccess.h"

#include <mm/pagecache.h>
#include <mm/vm.h>

static struct inode *file(uint64_t number)
{
	if (number >= N_INODES)
		panic("no such file");
	return &fs.inodes[number];
}

static long wait_for_child(struct mvm_space *space, uint64_t status_va)
{
	int status = 0, pid = wait(&status);
	int err = mvm_space_write(space, status_va, &status, sizeof status, false);

	return err ? err : pid;
}

static long map(struct mvm_space *space, size_t bytes, unsigned rights, bool shared, long number)
{
	struct mvm_map map = {
		.bytes = bytes,
		.rights = rights,
		.max_rights = MVM_RWX,
		.flags = shared ? MVM_MAP_SHARED : 0,
		.object = number < 0 ? 0 : file((uint64_t)number)->object,
	};
	int err = mvm_map(space, &map);

	return err ? err : (long)map.addr;
}

/* --- For the tests ---------------------------------------------------------------------------- */

/* A check of a test, and of mm as it stands: nobody else is at work in this space. */
static void print_check(struct mvm_space *space, bool right, uint64_t name_va)
{
	char name[80] = "";

	for (unsigned n = 0; n < sizeof name - 1; n++) {
		if (mvm_space_read(space, name_va + n, &name[n], 1) != 0 || !name[n])
			break;
	}
	check(right, name);
	mvm_check_space(space);
}

static uint8_t byte_on_disk(const struct inode *ip, uint64_t offset)
{
	unsigned b = ip->d.block[offset / BLOCK_BYTES];

	return b ? disk_block(b)[offset % BLOCK_BYTES] : 0;
}

static long evicted(void)
{
	struct mvm_stats stats;

	mvm_stats(&stats);
	return (long)stats.reclaim_freed;
}

static struct {
	struct spinlock lock;
	bool held, let_go;
} inode_test;

static void hold_inode(struct inode *ip)
{
	ilock(ip);
	acquire(&inode_test.lock);
	inode_test.held = true;
	while (!inode_test.let_go)
		sleep(&inode_test, &inode_test.lock, false);
	release(&inode_test.lock);
	iunlock(ip);
}

static bool inode_held(void)
{
	return __atomic_load_n(&inode_test.held, __ATOMIC_ACQUIRE);
}

static void let_inode_go(void)
{
	acquire(&inode_test.lock);
	inode_test.let_go = true;
	release(&inode_test.lock);
	wakeup(&inode_test);
}

long syscall(uint64_t number, const uint64_t *a)
{
	struct mvm_space *space = this_proc()->space;

	switch (number) {
	case SYS_EXIT:
		exit((int)a[0]);
	case SYS_FORK:
		return fork();
	case SYS_WAIT:
		return wait_for_child(space, a[0]);
	case SYS_KILL:
		kill((int)a[0]);
		return 0;
	case SYS_YIELD:
		yield();
		return 0;
	case SYS_MAP:
		return map(space, a[0], (unsigned)a[1], a[2], (long)a[3]);
	case SYS_UNMAP:
		return mvm_unmap(space, a[0], a[1]);
	case SYS_SYNC:
		return mvm_sync(space, a[0], a[1], MVM_SYNC_WAIT, 0);
	case SYS_READ:
	case SYS_WRITE:
		return file_io(file(a[0]), a[1], a[2], a[3], number == SYS_WRITE);
	case SYS_CHECK:
		print_check(space, a[0], a[1]);
		return 0;
	case SYS_ON_DISK:
		return byte_on_disk(file(a[0]), a[1]);
	case SYS_EVICT:
		mvm_pc_invalidate(file(a[0])->object, 0, MAX_FILE_PAGES);
		return 0;
	case SYS_EVICTED:
		return evicted();
	case SYS_HOLD_INODE:
		hold_inode(file(a[0]));
		return 0;
	case SYS_HELD:
		return inode_held();
	case SYS_LET_GO:
		let_inode_go();
		return 0;
	case SYS_STOP_DISK:
		disk_stop(a[0]);
		return 0;
	case SYS_ASLEEP:
		return asleep((int)a[0]);
	case SYS_DIE_AT_DOOR:
		this_proc()->killed_at_door = true;
		return 0;
	default:
		panic("no such system call");
	}
}
