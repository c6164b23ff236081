// SPDX-License-Identifier: MIT
/*
 * RISC-V inlines behind arch/cpu.h. tp holds the running hart's struct arch_cpu in the kernel.
 */
#pragma once

#include <arch/cpu.h>
#include <arch_impl/csr.h>

register struct arch_cpu *arch_tp __asm__("tp");

static inline struct arch_cpu *arch_cpu(void)
{
	return arch_tp;
}

static inline uint64_t irq_save(void)
{
	return csr_read_clear(sstatus, SSTATUS_SIE) & SSTATUS_SIE;
}

static inline void irq_restore(uint64_t flags)
{
	csr_set(sstatus, flags);
}

static inline void irq_enable(void)
{
	csr_set(sstatus, SSTATUS_SIE);
}

static inline void irq_disable(void)
{
	csr_clear(sstatus, SSTATUS_SIE);
}

static inline bool irq_enabled(void)
{
	return csr_read(sstatus) & SSTATUS_SIE;
}

static inline void cpu_wait(void)
{
	__asm__ volatile("wfi" ::: "memory");
}

static inline void cpu_relax(void)
{
	/* Zihintpause's PAUSE: a fence with an empty set, valid on every hart. */
	__asm__ volatile(".4byte 0x0100000f" ::: "memory");
}

static inline void fence_full(void)
{
	__asm__ volatile("fence rw, rw" ::: "memory");
}

static inline void fence_io(void)
{
	__asm__ volatile("fence iorw, iorw" ::: "memory");
}

static inline uint64_t cpu_time(void)
{
	return csr_read(time);
}

static inline uint64_t cpu_instret(void)
{
	return csr_read(instret);
}

/*
 * The count is reached through tp in each instruction. A thread that is preempted between the load
 * and the store has loaded 0, and finds 0 on whichever hart it goes on.
 */
static inline void preempt_disable(void)
{
	uint32_t n;
	__asm__ volatile("lw %0, %1(tp)\n\taddiw %0, %0, 1\n\tsw %0, %1(tp)"
			 : "=&r"(n)
			 : "i"(__builtin_offsetof(struct arch_cpu, preempt_off))
			 : "memory");
}

static inline void preempt_enable_no_check(void)
{
	uint32_t n;
	__asm__ volatile("lw %0, %1(tp)\n\taddiw %0, %0, -1\n\tsw %0, %1(tp)"
			 : "=&r"(n)
			 : "i"(__builtin_offsetof(struct arch_cpu, preempt_off))
			 : "memory");
}

/* One load: wherever the thread is moved before or after it, the answer is the thread itself. */
static inline struct arch_thread *arch_current(void)
{
	struct arch_thread *t;
	__asm__ volatile("ld %0, %1(tp)"
			 : "=r"(t)
			 : "i"(__builtin_offsetof(struct arch_cpu, thread)));
	return t;
}

/*
 * GCC's own atomics would cost a sign extension here, and an atomic exchange
 * with a fence to release.
 */
static inline bool lock_try_word(uint32_t *word)
{
	long was = 1;
	__asm__ volatile("amoswap.w.aq %0, %0, %1" : "+r"(was), "+A"(*word)::"memory");
	return was == 0;
}

static inline void lock_give_word(uint32_t *word)
{
	__asm__ volatile("fence rw, w\n\tsw zero, %0" : "=m"(*word)::"memory");
}

/*
 * call_rare is in switch.S: its link is t0, and all other registers come back as they were, but tp
 * when the thread comes back on another hart.
 */
static inline void arch_call_rare(void (*fn)(void *), void *arg)
{
	register void *t1 __asm__("t1") = arg;
	register void (*t2)(void *) __asm__("t2") = fn;
	__asm__ volatile("call t0, call_rare" : "+r"(arch_tp) : "r"(t1), "r"(t2) : "t0", "memory");
}
