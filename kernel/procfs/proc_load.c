// SPDX-License-Identifier: MIT
/*
 * /proc/loadavg, and sysinfo's: how many threads ran or wanted to, on average over one, five and
 * fifteen minutes.
 *
 * A timer counts them every five seconds.  An average is a binary fraction of FRACTION_BITS, and
 * each sample takes the part 1 - e^(-5 s / minutes) in it.
 */
#include "procfs.h"

#include <kernel/cpu.h>
#include <kernel/procfs.h>
#include <kernel/time.h>

#define FRACTION_BITS 11
#define ONE           (1UL << FRACTION_BITS)
#define SAMPLE_NS     (5 * NS_PER_SEC)

static const uint64_t keep[3] = {
	1884, 2014, 2037};  /* e^(-5/60), e^(-5/300), e^(-5/900) times ONE */
static uint64_t average[3]; /* [a] */

static unsigned count_runnable(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < cpu_count; i++)
		n += __atomic_load_n(&cpus[i].rq.queued, __ATOMIC_RELAXED) +
		     !__atomic_load_n(&cpus[i].rq.is_idle, __ATOMIC_RELAXED);
	return n;
}

static void sample(struct timer *timer)
{
	uint64_t n = count_runnable() * ONE;

	for (unsigned i = 0; i < 3; i++) {
		uint64_t old = __atomic_load_n(&average[i], __ATOMIC_RELAXED);
		/* Rounded the way it goes, so that it arrives. */
		uint64_t sum = old * keep[i] + n * (ONE - keep[i]) + (n >= old ? ONE - 1 : 0);
		__atomic_store_n(&average[i], sum >> FRACTION_BITS, __ATOMIC_RELAXED);
	}
	timer_set(timer, time_now_ns() + SAMPLE_NS);
}

void load_averages(uint64_t loads[3], unsigned bits)
{
	for (unsigned i = 0; i < 3; i++)
		loads[i] = __atomic_load_n(&average[i], __ATOMIC_RELAXED) << (bits - FRACTION_BITS);
}

void proc_load_start(void)
{
	static struct timer timer = {.fn = sample};

	timer_set(&timer, time_now_ns() + SAMPLE_NS);
}

static void count_threads(struct process *p, void *n)
{
	*(unsigned *)n += __atomic_load_n(&p->n_threads, __ATOMIC_RELAXED);
}

void proc_show_loadavg(struct proc_text *t, struct process *p)
{
	unsigned threads = 0;
	struct pid_counts pids;

	(void)p;
	spin_lock(&tree_lock);
	process_for_each(count_threads, &threads);
	pid_counts(&pids);
	spin_unlock(&tree_lock);
	for (unsigned i = 0; i < 3; i++) {
		uint64_t a = __atomic_load_n(&average[i], __ATOMIC_RELAXED) + ONE / 200;
		proc_printf(t, "%lu.%02lu ", a >> FRACTION_BITS,
			(a & (ONE - 1)) * 100 >> FRACTION_BITS);
	}
	proc_printf(t, "%u/%u %d\n", count_runnable(), threads, pids.last);
}
