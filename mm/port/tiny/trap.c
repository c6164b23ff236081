// SPDX-License-Identifier: MIT
/*
 * Traps.  Interrupts are on in user mode only: a timer, so that a program that loops passes here
 * now and then.  A hart translates user addresses in user mode only, and forgets all of them on
 * its way there; so "it has come by here" is "it uses no stale translation", and a hart without
 * inter-processor interrupts can be waited for (mvmh_tlb_sync()).
 */
#include "trap.h"

#include "console.h"
#include "proc.h"
#include "riscv.h"
#include "syscall.h"
#include "vm.h"

#include <mm/vm.h>
#include <mvm_config.h>

#define TICKS 20000 /* 2 ms */

void user_return(struct trapframe *frame) __attribute__((noreturn));

/* Says on which side of the border this hart is: the store is seen before anything after it. */
static void pass_border(void)
{
	__atomic_fetch_add(&this_cpu()->passes, 1, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void return_to_user(void)
{
	struct proc *p = this_proc();

	if (this_cpu()->locks != 0)
		panic("return to user mode with a spin lock held");
	p->trapframe.cpu = this_cpu();
	sbi_call(SBI_TIMER, 0, (long)(time_now() + TICKS), 0, 0);
	csr_write(stvec, user_vector);
	csr_write(sstatus, SSTATUS_PIE);
	pass_border();
	use_table(mvm_space_pmap(p->space)->table);
	asm volatile("fence.i");
	user_return(&p->trapframe);
}

static unsigned access_of(uint64_t cause)
{
	return cause == CAUSE_STORE_FAULT  ? MVM_WRITE
	       : cause == CAUSE_LOAD_FAULT ? MVM_READ
					   : MVM_EXEC;
}

/* A process ends by a bad access with the fault's result, negative, as its status. */
static void page_fault(uint64_t va, uint64_t cause)
{
	enum mvm_fault_result result = mvm_fault(this_proc()->space, va, access_of(cause));

	if (result != MVM_FAULT_OK)
		exit(-(int)result);
}

void user_trap(void)
{
	uint64_t cause = csr_read(scause), va = csr_read(stval);
	struct trapframe *frame = &this_proc()->trapframe;

	csr_write(stvec, kernel_vector);
	use_table(kernel_table);
	pass_border();
	switch (cause) {
	case CAUSE_ECALL:
		frame->x[0] += 4;
		frame->x[10] = (uint64_t)syscall(frame->x[17], &frame->x[10]);
		break;
	case CAUSE_TIMER:
		yield();
		break;
	case CAUSE_FETCH_FAULT:
	case CAUSE_LOAD_FAULT:
	case CAUSE_STORE_FAULT:
		page_fault(va, cause);
		break;
	default:
		print("cause %x, address %x\n", cause, va);
		panic("a trap that no program should cause");
	}
	if (this_proc()->killed)
		exit(-MVM_FAULT_KILLED);
	return_to_user();
}

void kernel_trap(void)
{
	print("cause %x, pc %x, address %x\n", csr_read(scause), csr_read(sepc), csr_read(stval));
	panic("a trap in the kernel");
}
