// SPDX-License-Identifier: MIT
/*
 * Calling a function on every other hart: one call at a time.
 */
#include <arch/firmware.h>
#include <kernel/cpu.h>

#include "cpu_calls.h"

static struct spinlock call_lock = SPINLOCK_INIT("cpu calls", RANK_CPU_CALL);
static void (*call_fn)(void *arg); /* [lock], read by the harts in call_pending */
static void *call_arg;
static uint64_t call_pending; /* [a] harts that have not yet done it */

void cpu_call_others(void (*fn)(void *arg), void *arg)
{
	uint64_t others;

	spin_lock(&call_lock);
	others = cpu_online_mask & ~(1UL << arch_cpu()->index);
	call_fn = fn;
	call_arg = arg;
	__atomic_store_n(&call_pending, others, __ATOMIC_RELEASE);
	if (others)
		firmware_send_ipi(others);
	while (__atomic_load_n(&call_pending, __ATOMIC_ACQUIRE))
		cpu_relax();
	spin_unlock(&call_lock);
}

void cpu_calls_run(void)
{
	uint64_t self = 1UL << arch_cpu()->index;

	if (!(__atomic_load_n(&call_pending, __ATOMIC_ACQUIRE) & self))
		return;
	call_fn(call_arg);
	__atomic_fetch_and(&call_pending, ~self, __ATOMIC_RELEASE);
}
