// SPDX-License-Identifier: MIT
/*
 * Counts of waits for locks. Each hart has its own, so that who has just waited for one line of
 * memory does not wait for another. They are added to atomically: an interrupt handler waits for
 * locks, too.
 */
#include <kernel/cpu.h>
#include <kernel/lockstat.h>

static struct lock_waits counts[MAX_HARTS][RANK_N]; /* [a] written by the hart */

static const char *const names[RANK_N] = {
	[RANK_UNORDERED] = "unordered",
	[RANK_PROCESS_EXEC] = "process_exec",
	[RANK_FILE_OFFSET] = "file_offset",
	[RANK_PROC_TEXT] = "proc_text",
	[RANK_OOM] = "oom",
	[RANK_FS_MOUNT] = "fs_mount",
	[RANK_FS_RENAME] = "fs_rename",
	[RANK_FS_INODE] = "fs_inode",
	[RANK_FS_TRUNCATE] = "fs_truncate",
	[RANK_FS_TXN] = "fs_txn",
	[RANK_FS_EXTENT] = "fs_extent",
	[RANK_FS_ALLOC] = "fs_alloc",
	[RANK_FS_CACHE] = "fs_cache",
	[RANK_FS_LEAF] = "fs_leaf",
	[RANK_PROCESS_TREE] = "process_tree",
	[RANK_PROCESS] = "process",
	[RANK_SIGNAL] = "signal",
	[RANK_USERS] = "users",
	[RANK_FUTEX] = "futex",
	[RANK_FILE_TABLE] = "file_table",
	[RANK_PIPE] = "pipe",
	[RANK_TTY] = "tty",
	[RANK_MM_SPACE] = "mm_space",
	[RANK_MM_OBJECT] = "mm_object",
	[RANK_MM_PAGE] = "mm_page",
	[RANK_FS_SPIN] = "fs_spin",
	[RANK_CPU_CALL] = "cpu_call",
	[RANK_DRIVER] = "driver",
	[RANK_WAIT] = "wait",
	[RANK_TIMER] = "timer",
	[RANK_RUN_QUEUE] = "run_queue",
	[RANK_KMEM] = "kmem",
	[RANK_KSTACK] = "kstack",
	[RANK_FRAMES] = "frames",
	[RANK_LOG] = "log",
	[RANK_CONSOLE_DRIVER] = "console_driver",
};

void lockstat_add(unsigned rank, uint64_t ticks)
{
	struct lock_waits *c = &counts[cpu_index()][rank];

	__atomic_fetch_add(&c->waits, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&c->ticks, ticks, __ATOMIC_RELAXED);
	if (ticks > __atomic_load_n(&c->longest_ticks, __ATOMIC_RELAXED))
		__atomic_store_n(&c->longest_ticks, ticks, __ATOMIC_RELAXED);
}

struct lock_waits lockstat_sum(unsigned rank)
{
	struct lock_waits sum = {0};

	for (unsigned i = 0; i < MAX_HARTS; i++) {
		const struct lock_waits *c = &counts[i][rank];
		uint64_t longest = __atomic_load_n(&c->longest_ticks, __ATOMIC_RELAXED);

		sum.waits += __atomic_load_n(&c->waits, __ATOMIC_RELAXED);
		sum.ticks += __atomic_load_n(&c->ticks, __ATOMIC_RELAXED);
		if (longest > sum.longest_ticks)
			sum.longest_ticks = longest;
	}
	return sum;
}

const char *lockstat_name(unsigned rank)
{
	return names[rank];
}
