// SPDX-License-Identifier: MIT
/*
 * Waiting for other harts to forget translations (arch/pmap.h).
 *
 * Each hart counts how often it was asked, and up to which of these requests it has done what was
 * asked. Whoever asks adds one to the first and waits for the second to get there. A hart that has
 * not answered an earlier request will be interrupted for that, or is in the interrupt; then it
 * looks again before it leaves. So many requests at once cost one interrupt:
 *
 *	who asks			the hart that was asked, in the interrupt
 *	add to asked			read asked; catch up; done = what was read
 *	fence				fence
 *	read done: interrupt the hart	read asked: once more, if it is not done
 *	if all before were done
 *
 * The wait spins for about as long as a hart that runs takes to answer, and then sleeps. A hart
 * that does not answer by then does not run: it is one of more than the machine below has
 * processors, and spinning is what keeps it from one. To sleep and to be woken takes longer than
 * most answers do: how long one spins is learned from whether the hart answered the last ones in
 * time.
 */
#include <arch/firmware.h>
#include <arch/pmap.h>
#include <kernel/cpu.h>
#include <kernel/thread.h>
#include <kernel/time.h>

#include "cpu_calls.h"
#include "sched.h"

/* How long who may sleep spins first. */
#define SPIN_LEAST_NS (5 * NS_PER_US)
#define SPIN_MOST_NS  (100 * NS_PER_US)

static uint64_t done(const struct cpu *cpu)
{
	return __atomic_load_n(&cpu->fences_done, __ATOMIC_ACQUIRE);
}

/*
 * Ask the harts; tickets[i] is what hart i must have done. Not preempted:
 * others rely on our interrupt.
 */
static void ask(uint64_t harts, uint64_t *tickets)
{
	uint64_t quiet = 0;

	preempt_disable();
	for (unsigned i = 0; i < cpu_count; i++) {
		if (!(harts >> i & 1))
			continue;
		tickets[i] = __atomic_add_fetch(&cpus[i].fences_asked, 1, __ATOMIC_SEQ_CST);
		fence_full();
		if (done(&cpus[i]) + 1 == tickets[i])
			quiet |= 1UL << i;
	}
	if (quiet)
		firmware_send_ipi(quiet);
	preempt_enable();
}

/* A hint, that whoever waited last has given. */
static void set_patience(struct cpu *cpu, uint64_t ns)
{
	ns = ns < SPIN_LEAST_NS ? SPIN_LEAST_NS : ns > SPIN_MOST_NS ? SPIN_MOST_NS : ns;
	if (ns != cpu->fence_patience_ns)
		__atomic_store_n(&cpu->fence_patience_ns, ns, __ATOMIC_RELAXED);
}

/* Where one may not sleep. */
static void await_awake(const struct cpu *cpu, uint64_t ticket)
{
	unsigned turns = 0;

	while (done(cpu) < ticket)
		backoff(&turns);
}

/* Asleep, when the hart's patience is over. */
static void await(struct cpu *cpu, uint64_t ticket)
{
	uint64_t patience = __atomic_load_n(&cpu->fence_patience_ns, __ATOMIC_RELAXED);
	uint64_t began = time_now_ns();

	while (done(cpu) < ticket) {
		if (time_now_ns() - began > patience) {
			set_patience(cpu, patience / 2);
			wait_event(&cpu->fence_wait, done(cpu) >= ticket);
			return;
		}
		cpu_relax();
	}
	set_patience(cpu, patience * 2);
}

void pmap_interrupt(uint64_t harts, bool may_sleep)
{
	uint64_t tickets[MAX_HARTS], began = cpu_time();

	if (may_sleep)
		assert_may_sleep();
	__atomic_fetch_add(&arch_cpu()->remote_fences, 1, __ATOMIC_RELAXED);
	ask(harts, tickets);
	for (unsigned i = 0; i < cpu_count; i++) {
		if (!(harts >> i & 1))
			continue;
		if (may_sleep)
			await(&cpus[i], tickets[i]);
		else
			await_awake(&cpus[i], tickets[i]);
	}
	__atomic_fetch_add(&cpu_this()->fence_ticks, cpu_time() - began, __ATOMIC_RELAXED);
}

void pmap_backoff(unsigned *turns)
{
	backoff(turns);
}

void shootdown_run(void)
{
	struct cpu *cpu = cpu_this();
	uint64_t asked;

	while ((asked = __atomic_load_n(&cpu->fences_asked, __ATOMIC_ACQUIRE)) != done(cpu)) {
		pmap_catch_up();
		fence_full();
		__atomic_store_n(&cpu->fences_done, asked, __ATOMIC_RELEASE);
		waitq_wake_all(&cpu->fence_wait); /* begins with the fence */
	}
}
