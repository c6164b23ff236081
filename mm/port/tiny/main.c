// SPDX-License-Identifier: MIT
/*
 * A toy kernel with the habits of small teaching kernels, as a host of mm.
 *
 * Single pages from a free list, no heap; processes on 4 KiB stacks that give way where they
 * want; spin locks, sleep(chan, lock), sleep locks; files read and written under an inode's lock,
 * on a log that takes a few blocks at a time; no interrupts between harts.  It asserts all that,
 * runs mm's self-test and the program of user.c, and leaves QEMU with status 0 if all was well.
 *
 * Read: start.S, main.c, kalloc.c, spinlock.c, proc.c, sleeplock.c, vm.c, trap.c, log.c, fs.c: the
 * kernel.  Then mvm_config.h and glue.c: all that mm wants of it.  Then uaccess.c, syscall.c: what
 * it makes of mm.  user.c: the tests.
 */
#include "main.h"

#include "console.h"
#include "fs.h"
#include "kalloc.h"
#include "proc.h"
#include "syscall.h"
#include "trap.h"
#include "vm.h"

#include <mm/pagecache.h>
#include <mm/vm.h>

extern const char user_image[], user_image_end[];
void hart_entry(void);

static unsigned failed;

void check(bool right, const char *name)
{
	print("%s %s\n", right ? "ok" : "FAILED", name);
	failed += !right;
}

/* Map the program, the disk's first file, and a stack below the kernel. */
static int load(struct mvm_space *space)
{
	struct mvm_map program = {
		.addr = USER_BASE,
		.bytes = fs.inodes[0].d.size,
		.rights = MVM_RWX,
		.max_rights = MVM_RWX,
		.flags = MVM_MAP_FIXED,
		.object = fs.inodes[0].object,
	};
	struct mvm_map stack = {
		.addr = KERNEL_BASE - PAGE_BYTES,
		.bytes = PAGE_BYTES,
		.rights = MVM_READ | MVM_WRITE,
		.max_rights = MVM_RWX,
		.flags = MVM_MAP_FIXED,
	};
	int err = mvm_map(space, &program);

	return err ? err : mvm_map(space, &stack);
}

#define KEPT 2 /* pages for good: the kernel's root table, mm's page of zeros */

/* The first process, in the kernel. */
static void first_process(void)
{
	struct proc *p = this_proc();

	check(mvm_init() == 0, "mvm_init");
	check(mvm_host_selftest() == 0, "mvm_host_selftest");
	mkfs(user_image, (unsigned)(user_image_end - user_image));
	for (unsigned i = 0; i < N_INODES; i++) {
		struct inode *ip = &fs.inodes[i];

		if (mvm_object_new(&file_pager, ip, ip->d.size, &ip->object) != 0)
			panic("no memory for files");
	}
	if (mvm_space_new(PAGE_BYTES, KERNEL_BASE, &p->space) != 0 || load(p->space) != 0)
		panic("no memory for the first process");
	p->trapframe.x[0] = USER_BASE;
	p->trapframe.x[2] = KERNEL_BASE;
}

/* Write everything back; the disk must be right, and every page accounted for. */
void shutdown(void)
{
	struct mvm_stats stats;
	unsigned deepest;
	bool same_size = true;

	check(mvm_writeback(0, true) == 0, "the last write-back");
	fs_check();
	check(true, "the disk says what the memory says");
	for (unsigned i = 0; i < N_INODES; i++) {
		struct inode *ip = &fs.inodes[i];

		same_size = same_size && ip->d.size == mvm_object_size(ip->object);
		mvm_object_unref(ip->object);
	}
	check(same_size, "every file ends on the disk where it should");
	mvm_check();
	mvm_stats(&stats);
	check(stats.anon_pages == 0 && stats.cached_pages == 0 && stats.spaces == 0 &&
			stats.objects == 0 && kfree_count() + stats.meta_pages + KEPT == N_FRAMES,
		"no page is lost");
	deepest = check_stacks();
	print("the deepest stack had %d of %d bytes\n", (long)deepest, (long)STACK_BYTES);
	check(deepest < STACK_BYTES, "no process left its stack");
	power_off(failed ? 1 : 0);
}

static __attribute__((noreturn)) void run_hart(unsigned hart)
{
	asm volatile("mv tp, %0" : : "r"(&cpus[hart]));
	csr_write(stvec, kernel_vector);
	csr_write(sie, SIE_TIMER);
	use_table(kernel_table);
	scheduler();
}

void first_hart(unsigned hart)
{
	asm volatile("mv tp, %0" : : "r"(&cpus[hart]));
	kinit();
	kvm_init();
	proc_first(first_process);
	for (unsigned other = 0; other < MAX_HARTS; other++) {
		if (other != hart)
			sbi_call(SBI_HARTS, 0, other, (long)hart_entry, 0);
	}
	run_hart(hart);
}

void other_hart(unsigned hart)
{
	run_hart(hart);
}
