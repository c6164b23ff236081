// SPDX-License-Identifier: MIT
/*
 * The memory of a process: mm's space, and what the ABI adds to it.
 *
 *	USER_END            +-----------------------+
 *	                    :                       :  random
 *	sigreturn           | sigreturn trampoline  |  one frame for all, read and execute
 *	                    :                       :  random
 *	stack_end           +-----------------------+
 *	                    | stack, grows down     |  to RLIMIT_STACK; mm keeps a gap below
 *	                    +- - - - - - - - - - - -+
 *	                    | mappings, top-down    |  from a random place on (mm's)
 *	                    +- - - - - - - - - - - -+
 *	brk_end (byte)      | heap, grows up        |
 *	brk_start           +-----------------------+
 *	                    :                       :  random
 *	                    | the program           |  at a random place if it does not care
 *	                    +-----------------------+
 *
 * With "norandmaps" on the kernel's command line all that is random is nothing, and a program finds
 * the same addresses each time.
 *
 * Counted: clone(CLONE_VM) shares it.  It dies with its last user; that may sleep.  The process for
 * which it was made, by exec or fork, is its owner: the owner's limits hold, and faults count as
 * the owner's; a vfork's child that sets its limits before it execs so leaves its parent alone.
 */
#pragma once

#include <abi/errno.h>
#include <arch/layout.h>
#include <kernel/lock.h>
#include <mm/vm.h>

struct cpu_times;
struct file;
struct pmap;
struct process;

#define VMSPACE_PROGRAM_END (USER_END - (4UL << 30)) /* the rest is the stack's */

/* How far apart places may be, each of the two at the top and those at the bottom. */
#define VMSPACE_TOP_SPREAD    (1UL << 29)
#define VMSPACE_BOTTOM_SPREAD (1UL << 30)

/* [I] once the program runs; [a] atomic; [b] brk_lock */
struct vmspace {
	uint32_t refs;               /* [a] */
	const struct process *owner; /* [a] NULL: it has gone */
	struct mvm_space *space;
	vaddr_t sigreturn; /* [I] where handlers return to */
	vaddr_t stack_end; /* [I] where the stack begins, that is */
	struct mutex brk_lock;
	vaddr_t brk_start;            /* [I] page-aligned */
	vaddr_t brk_end;              /* [b] the byte that brk() returns */
	vaddr_t stack_start;          /* [I] the stack pointer that the program began with */
	vaddr_t code_start, code_end; /* [I] of the program's segments that are executed, */
	vaddr_t data_start, data_end; /* [I] and of the last one, as /proc/PID/stat has them */
	vaddr_t args_start, args_end; /* [I] argv's strings, for /proc/PID/cmdline */
	vaddr_t env_end;              /* [I] the environment's follow, for /proc/PID/environ */
	struct file *exe;             /* [I] counted */
};

void vmspace_init(void);

/* An empty one with the trampoline mapped.  exe gets a reference.  -ENOMEM. */
int vmspace_new(const struct process *owner, struct file *exe, struct vmspace **out)
	__attribute__((warn_unused_result));
int vmspace_fork(struct vmspace *from, const struct process *owner, struct vmspace **out)
	__attribute__((warn_unused_result));

static inline struct vmspace *vmspace_get(struct vmspace *vm)
{
	__atomic_fetch_add(&vm->refs, 1, __ATOMIC_RELAXED);
	return vm;
}

/* The process leaves it: to be called before it puts it. */
void vmspace_disown(struct vmspace *vm, const struct process *p);

/* Add its faults, if they are the process's. */
void vmspace_count_faults(struct vmspace *vm, const struct process *p, struct cpu_times *times);

/* NULL is allowed.  No hart of the caller runs in it any more if it may be the last. */
void vmspace_put(struct vmspace *vm);

/* p's limits are mm's, if p is the owner; its lock is held. */
void vmspace_set_limits(struct vmspace *vm, const struct process *p);
/* How many areas a space may have, from the next time on that its limits are set. */
size_t vmspace_max_areas(void);
void vmspace_set_max_areas(size_t areas);

/*
 * The argument pair of many calls: the address stands on a page boundary (else -EINVAL), the length
 * is rounded up to pages, and what it spans can be addressed (else `overflow`).
 */
static inline int user_range(vaddr_t addr, size_t *bytes, int overflow)
{
	if (addr & PAGE_MASK)
		return -EINVAL;
	if (*bytes > USER_END || addr > USER_END - *bytes)
		return overflow;
	*bytes = page_align_up(*bytes);
	return 0;
}

/* Is anything, in a space that the running thread makes?  Not if personality() said no either. */
bool vmspace_is_random(void);
/* A random number of pages, in bytes, below `spread`; 0 if nothing is random. */
size_t vmspace_random(size_t spread);

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

/*
 * The first half of it: as mvm_fault(), but MVM_FAULT_NOMEM at once while memory is out for others
 * too.  After MVM_FAULT_NOMEM the other half is oom_fault().
 */
enum mvm_fault_result vmspace_try_fault(struct vmspace *vm, vaddr_t va, unsigned access);
