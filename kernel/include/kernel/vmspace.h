// SPDX-License-Identifier: MIT
/*
 * The memory of a process: mm's space, and what the ABI adds to it.
 *
 *	USER_END            +-----------------------+
 *	VMSPACE_SIGRETURN   | sigreturn trampoline  |  one frame for all, read and execute
 *	VMSPACE_STACK_END   +-----------------------+
 *	                    | stack, grows down     |  to RLIMIT_STACK; mm keeps a gap below
 *	                    +- - - - - - - - - - - -+
 *	                    | mappings, top-down    |
 *	                    +- - - - - - - - - - - -+
 *	brk_end (byte)      | heap, grows up        |
 *	brk_start           +-----------------------+
 *	                    | the program           |
 *	                    +-----------------------+
 *
 * Counted: clone(CLONE_VM) shares it.  It dies with its last user; that may sleep.
 */
#pragma once

#include <arch/layout.h>
#include <kernel/lock.h>
#include <mm/vm.h>

struct file;
struct pmap;

#define VMSPACE_SIGRETURN (USER_END - PAGE_SIZE)
#define VMSPACE_STACK_END VMSPACE_SIGRETURN
#define VMSPACE_STACK_MAX (1UL << 30) /* when RLIMIT_STACK says more, or nothing */

/* [I] once the program runs; [b] brk_lock */
struct vmspace {
	uint32_t refs; /* [a] */
	struct mvm_space *space;
	struct mutex brk_lock;
	vaddr_t brk_start;            /* [I] page-aligned */
	vaddr_t brk_end;              /* [b] the byte that brk() returns */
	vaddr_t stack_start;          /* [I] the stack pointer that the program began with */
	vaddr_t args_start, args_end; /* [I] argv's strings, for /proc/PID/cmdline */
	struct file *exe;             /* [I] counted */
};

void vmspace_init(void);

/* An empty one with the trampoline mapped.  exe gets a reference.  -ENOMEM. */
int vmspace_new(struct file *exe, struct vmspace **out) __attribute__((warn_unused_result));
int vmspace_fork(struct vmspace *from, struct vmspace **out) __attribute__((warn_unused_result));

static inline struct vmspace *vmspace_get(struct vmspace *vm)
{
	__atomic_fetch_add(&vm->refs, 1, __ATOMIC_RELAXED);
	return vm;
}

/* NULL is allowed.  No hart of the caller runs in it any more if it may be the last. */
void vmspace_put(struct vmspace *vm);

/* The most that a stack may span under this RLIMIT_STACK. */
static inline size_t vmspace_stack_limit(uint64_t rlimit)
{
	return rlimit < VMSPACE_STACK_MAX ? page_align_down(rlimit) : VMSPACE_STACK_MAX;
}

/* Is there memory for one more process? */
bool vmspace_may_fork(void);

/* Its translation tables, for thread_set_pmap(). */
struct pmap *vmspace_pmap(struct vmspace *vm);

/* As mvm_prefault(). */
int vmspace_prefault(struct vmspace *vm, vaddr_t va, size_t bytes, unsigned access);

/*
 * A fault at va of the running process: as mvm_fault(), with the out-of-memory policy applied:
 * never MVM_FAULT_NOMEM.
 */
enum mvm_fault_result vmspace_fault(struct vmspace *vm, vaddr_t va, unsigned access);
