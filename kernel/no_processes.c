// SPDX-License-Identifier: MIT
/* Upcalls of the process layer, while there is none: this file goes when it comes. */
#include <arch/trap.h>
#include <errno.h>
#include <kernel/panic.h>

const syscall_fn syscall_table[SYSCALL_SLOTS] = {0};

long syscall_unknown(long a, long b, long c, long d, long e, long f)
{
	(void)a, (void)b, (void)c, (void)d, (void)e, (void)f;
	return -ENOSYS;
}

long syscall_traced(struct trapframe *tf)
{
	(void)tf;
	return -ENOSYS;
}

void trap_user_fault(struct trapframe *tf, vaddr_t addr, enum trap_access access)
{
	(void)access;
	panic_trap(tf, "user fault at %p", (void *)addr);
}

void trap_user_exception(struct trapframe *tf, enum trap_exception what, vaddr_t addr)
{
	(void)addr;
	panic_trap(tf, "user exception %d", what);
}

bool trap_user_copy_fault(struct trapframe *tf, vaddr_t addr, enum trap_access access)
{
	(void)tf, (void)addr, (void)access;
	return false;
}

void trap_return_work(struct trapframe *tf)
{
	(void)tf;
}
