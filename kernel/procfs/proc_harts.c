// SPDX-License-Identifier: MIT
/*
 * /proc/harts and /proc/lockstat: what harts do to each other, and what they wait for.
 *
 * All counts begin at boot and only grow.
 */
#include "procfs.h"

#include <kernel/cpu.h>
#include <kernel/lockstat.h>
#include <kernel/time.h>

static uint64_t get(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static uint64_t microseconds(uint64_t ticks)
{
	return time_from_ticks(ticks) / NS_PER_US;
}

void proc_show_harts(struct proc_text *t, struct process *p)
{
	(void)p;
	proc_printf(t, "%4s %12s %10s %10s %10s %10s %12s %13s %13s\n", "hart", "switches",
		"steals", "interrupts", "ipis_sent", "ipis", "tlb_flushes", "remote_fences",
		"fence_wait_us");
	for (unsigned i = 0; i < cpu_count; i++) {
		const struct cpu *cpu = &cpus[i];

		proc_printf(t, "%4u %12lu %10lu %10lu %10lu %10lu %12lu %13lu %13lu\n", i,
			get(&cpu->switches), get(&cpu->steals), get(&cpu->interrupts),
			get(&cpu->arch.ipis_sent), get(&cpu->ipis), get(&cpu->arch.tlb_flushes),
			get(&cpu->arch.remote_fences), microseconds(get(&cpu->fence_ticks)));
	}
}

/* A line a rank, those too that nobody has waited for. */
void proc_show_lockstat(struct proc_text *t, struct process *p)
{
	(void)p;
	proc_printf(
		t, "%-16s %-5s %10s %12s %12s\n", "lock", "kind", "waits", "wait_us", "longest_us");
	for (unsigned rank = 0; rank < RANK_N; rank++) {
		const char *name = lockstat_name(rank);
		struct lock_waits sum = lockstat_sum(rank);

		if (name)
			proc_printf(t, "%-16s %-5s %10lu %12lu %12lu\n", name,
				rank > RANK_MUTEX_LAST   ? "spin"
				: rank == RANK_UNORDERED ? "any"
							 : "mutex",
				sum.waits, microseconds(sum.ticks),
				microseconds(sum.longest_ticks));
	}
}
