// SPDX-License-Identifier: MIT
/*
 * Threads: first switch, later switches, the way to user mode; and whose state the FPU holds.
 *
 * The FS field of the user's saved status tells what to do about the FPU (Privileged Architecture
 * 1.12, section 3.1.6.6): Off, the registers are not the thread's; Clean, they are what memory
 * holds; Dirty, they are newer. A switch saves the Dirty, so that the state can follow the thread
 * to any hart, and leaves the registers alone. When the thread comes back and nobody else used the
 * FPU of this hart since (cpu->fpu_of, t->fpu_hart), it goes on with Clean, else with Off. A kernel
 * thread's frame says Off.
 */
#include <arch/context.h>
#include <arch/cpu.h>
#include <arch/layout.h>
#include <arch/trap.h>
#include <arch/user.h>
#include <errno.h>
#include <string.h>

#include "fpu.h"
#include "pmap_impl.h"
#include "user_impl.h"

void switch_stacks(
	struct arch_thread *prev, struct arch_thread *next, const struct trapframe *frame);
void thread_begin(void);
_Noreturn void arch_enter_frame(void);
void fpu_save(struct arch_fpu *fpu);
void fpu_load(const struct arch_fpu *fpu);

#define NO_HART UINT32_MAX

struct trapframe *arch_thread_frame(struct arch_thread *t)
{
	return (struct trapframe *)t->stack_top - 1;
}

struct trapframe *user_frame(void)
{
	return arch_thread_frame(arch_current());
}

void trapframe_init_user(struct trapframe *tf, vaddr_t pc, vaddr_t sp)
{
	uint64_t status = csr_read(sstatus) & ~(SSTATUS_SPP | SSTATUS_SIE | SSTATUS_FS);

	memset(tf, 0, sizeof(*tf));
	tf->x[X_PC] = pc;
	tf->x[X_SP] = sp;
	tf->status = (status & ~SSTATUS_SUM) | SSTATUS_SPIE;
	if (tf == user_frame())
		trapframe_changed();
}

void arch_thread_init(struct arch_thread *t, vaddr_t stack_top, void (*entry)(void *), void *arg)
{
	t->stack_top = stack_top;
	t->fpu_hart = NO_HART;
	arch_thread_frame(t)->status = 0;
	t->context = (struct arch_context){
		.ra = (uint64_t)thread_begin,
		.sp = stack_top - sizeof(struct trapframe),
		.s = {(uint64_t)entry, (uint64_t)arg},
	};
}

static void set_fs(struct arch_thread *t, uint64_t fs)
{
	struct trapframe *tf = arch_thread_frame(t);

	tf->status = (tf->status & ~SSTATUS_FS) | fs;
}

void fpu_save_current(struct arch_thread *self)
{
	if ((arch_thread_frame(self)->status & SSTATUS_FS) != SSTATUS_FS_DIRTY)
		return;
	csr_set(sstatus, SSTATUS_FS);
	fpu_save(self->fpu);
	set_fs(self, SSTATUS_FS_CLEAN);
}

bool fpu_turn_on(struct trapframe *tf)
{
	struct arch_thread *self = arch_current();
	uint64_t flags;

	if ((tf->status & SSTATUS_FS) != SSTATUS_FS_OFF || !self->fpu)
		return false;
	flags = irq_save();
	csr_set(sstatus, SSTATUS_FS);
	fpu_load(self->fpu);
	arch_cpu()->fpu_of = self;
	self->fpu_hart = arch_cpu()->index;
	set_fs(self, SSTATUS_FS_CLEAN);
	irq_restore(flags);
	return true;
}

static void save_dirty(void *thread)
{
	fpu_save_current(thread);
}

static inline void fpu_leave(const struct trapframe *tf, struct arch_thread *prev)
{
	if ((tf->status & SSTATUS_FS) == SSTATUS_FS_DIRTY)
		arch_call_rare(save_dirty, prev);
}

static inline void fpu_come_back(
	const struct arch_cpu *cpu, struct trapframe *tf, const struct arch_thread *next)
{
	if ((tf->status & SSTATUS_FS) && (cpu->fpu_of != next || next->fpu_hart != cpu->index))
		tf->status &= ~(uint64_t)SSTATUS_FS;
}

void arch_switch(struct arch_thread *prev, struct arch_thread *next)
{
	struct arch_cpu *cpu = arch_cpu();
	struct trapframe *frame = arch_thread_frame(next);

	fpu_leave((const struct trapframe *)cpu->user_frame, prev);
	fpu_come_back(cpu, frame, next);
	cpu->user_frame = (vaddr_t)frame;
	cpu->thread = next;
	space_enter(cpu, next->pmap);
	switch_stacks(prev, next, frame);
}

_Noreturn void arch_enter_user(void)
{
	trapframe_changed();
	irq_disable();
	arch_enter_frame();
}

/* The registers stop being self's, with or without its state in memory. */
static void drop_registers(struct arch_thread *self)
{
	uint64_t flags = irq_save();

	self->fpu_hart = NO_HART;
	set_fs(self, SSTATUS_FS_OFF);
	irq_restore(flags);
}

void arch_fpu_reset(struct arch_thread *self)
{
	drop_registers(self);
	memset(self->fpu, 0, sizeof(*self->fpu));
}

void arch_fpu_copy(struct arch_thread *to, struct arch_thread *from_self)
{
	uint64_t flags = irq_save();

	fpu_save_current(from_self);
	irq_restore(flags);
	*to->fpu = *from_self->fpu;
	to->fpu_hart = NO_HART;
	set_fs(to, SSTATUS_FS_OFF);
}

static bool is_user_context(const struct arch_sigcontext *sc)
{
	return !((vaddr_t)sc & 7) && user_range_ok((vaddr_t)sc, sizeof(*sc));
}

int arch_sigcontext_put(struct arch_sigcontext *sc)
{
	struct arch_thread *self = arch_current();
	uint64_t flags = irq_save();

	fpu_save_current(self);
	irq_restore(flags);
	if (!is_user_context(sc) || user_context_put(sc, user_frame()->x, self->fpu))
		return -EFAULT;
	return 0;
}

int arch_sigcontext_get(const struct arch_sigcontext *sc)
{
	struct arch_thread *self = arch_current();
	int extension;

	drop_registers(self);
	if (!is_user_context(sc))
		return -EFAULT;
	extension = user_context_get(user_frame()->x, sc, self->fpu);
	if (extension < 0)
		return -EFAULT;
	trapframe_changed();
	return extension ? -EINVAL : 0;
}

/* li a7, 139; ecall */
const uint8_t arch_sigreturn_code[] = {0x93, 0x08, 0xb0, 0x08, 0x73, 0x00, 0x00, 0x00};
const size_t arch_sigreturn_code_bytes = sizeof(arch_sigreturn_code);
