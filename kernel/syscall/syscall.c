// SPDX-License-Identifier: MIT
/*
 * The dispatch table, made from abi/syscalls.def.
 *
 * The trap entry of arch calls through it with the user's six argument registers as they are.
 * Handlers have typed parameters, each one register wide (kernel/syscall.h), so that no wrapper
 * stands in between: that is what the casts here rely on, and the checks below assert.
 */
#include <abi/errno.h>
#include <abi/syscall.h>
#include <arch/trap.h>
#include <kernel/strace.h>
#include <kernel/syscall.h>

_Static_assert(sizeof(uaddr_t) == sizeof(long), "a user pointer travels in one register");
_Static_assert(sizeof(vaddr_t) == sizeof(long) && sizeof(size_t) == sizeof(long) &&
		       sizeof(int64_t) == sizeof(long),
	"every parameter of a handler is one register");

#define SYSCALL(name, ...)
#define SYSCALL_FRAME(name, ...) SYSCALL_FULL_FRAME(sys_##name);
#include <abi/syscalls.def>

const syscall_fn syscall_table[SYSCALL_SLOTS] = {
#define SYSCALL(name, ...)       [SYS_##name] = (syscall_fn)(void (*)(void))sys_##name,
#define SYSCALL_FRAME(name, ...) [SYS_##name] = SYSCALL_FULL(sys_##name),
#include <abi/syscalls.def>
};

const uint8_t syscall_aside[SYSCALL_SLOTS] = {
#define SYSCALL(name, ...)
#define SYSCALL_ASIDE(name, ...) [SYS_##name] = 1,
#include <abi/syscalls.def>
};

long syscall_unknown(long a0, long a1, long a2, long a3, long a4, long a5)
{
	(void)a0, (void)a1, (void)a2, (void)a3, (void)a4, (void)a5;
	return -ENOSYS;
}

/*
 * The full frame is stored already on this way: the handler itself is called,
 * not its table entry.
 */
static syscall_fn handler_of(unsigned long nr)
{
	switch (nr) {
#define SYSCALL_FRAME(name, ...) \
	case SYS_##name:         \
		return (syscall_fn)(void (*)(void))sys_##name;
#include <abi/syscalls.def>
	}
	return nr < SYSCALL_SLOTS && syscall_table[nr] ? syscall_table[nr] : syscall_unknown;
}

long syscall_traced(struct trapframe *tf)
{
	unsigned long nr = (unsigned long)trapframe_syscall(tf);
	long a[6], result;

	for (unsigned i = 0; i < 6; i++)
		a[i] = trapframe_arg(tf, i);
	strace_enter(nr, a);
	result = handler_of(nr)(a[0], a[1], a[2], a[3], a[4], a[5]);
	strace_exit(nr, a, result);
	return result;
}
