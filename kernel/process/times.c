// SPDX-License-Identifier: MIT
/*
 * CPU time: measured as a whole, estimated in its parts.
 *
 * The scheduler reads the clock at each switch, so the time that a thread has run is known exactly.
 * What of it was user code is not: traps would have to read the clock, too, and there are many more
 * of them than switches. Instead each hart that runs something looks a hundred times a second which
 * of the two it is, and the measured time is divided as those looks were. A process that ran less
 * than a tick so seems to have spent all of its time in user mode.
 *
 * The estimate may change its mind, but what has been told must not go back: neither part is ever
 * less than it was.
 */
#include <kernel/process.h>
#include <kernel/process_impl.h>
#include <kernel/vmspace.h>

enum { IN_KERNEL, IN_USER };

static void split(struct cpu_times *t, struct cpu_parts *told)
{
	uint64_t ticks = t->ticks[IN_USER] + t->ticks[IN_KERNEL], system = 0;

	if (ticks)
		system = t->run_ns / ticks * t->ticks[IN_KERNEL] +
			 t->run_ns % ticks * t->ticks[IN_KERNEL] / ticks;
	if (t->run_ns > told->user_ns + told->system_ns) {
		if (system > t->run_ns - told->user_ns)
			system = t->run_ns - told->user_ns;
		if (system < told->system_ns)
			system = told->system_ns;
		told->system_ns = system;
		told->user_ns = t->run_ns - system;
	}
	t->system_ns = told->system_ns;
	t->user_ns = told->user_ns;
}

void cpu_times_add(struct cpu_times *to, const struct cpu_times *from)
{
	to->run_ns += from->run_ns;
	to->user_ns += from->user_ns;
	to->system_ns += from->system_ns;
	to->minor_faults += from->minor_faults;
	to->major_faults += from->major_faults;
	for (unsigned i = 0; i < 2; i++) {
		to->ticks[i] += from->ticks[i];
		to->switches[i] += from->switches[i];
	}
}

void cpu_times_add_thread(struct cpu_times *to, struct thread *t)
{
	to->run_ns += thread_run_ns(t);
	for (unsigned i = 0; i < 2; i++) {
		to->ticks[i] += __atomic_load_n(&t->ticks[i], __ATOMIC_RELAXED);
		to->switches[i] += __atomic_load_n(&t->switches[i], __ATOMIC_RELAXED);
	}
}

static void times_locked(struct process *p, struct cpu_times *times)
{
	*times = p->dead_threads;
	list_for_each (node, &p->threads)
		cpu_times_add_thread(times, list_entry(node, struct task, link)->thread);
	split(times, &p->told_times);
}

void process_cpu_times(struct process *p, struct cpu_times *times)
{
	spin_lock(&p->lock);
	times_locked(p, times);
	spin_unlock(&p->lock);
}

void process_times(struct process *p, struct cpu_times *times)
{
	spin_lock(&p->lock);
	times_locked(p, times);
	struct vmspace *vm = process_vm_get(p);
	spin_unlock(&p->lock);

	if (vm) {
		vmspace_count_faults(vm, p, times);
		vmspace_put(vm);
	}
}

void task_times(struct task *t, struct cpu_times *times)
{
	*times = (struct cpu_times){0};
	spin_lock(&t->process->lock);
	cpu_times_add_thread(times, t->thread);
	split(times, &t->told_times);
	spin_unlock(&t->process->lock);
}

static struct timeval timeval_of(uint64_t ns)
{
	return (struct timeval){
		.tv_sec = (int64_t)(ns / NS_PER_SEC),
		.tv_usec = (int64_t)(ns % NS_PER_SEC / NS_PER_US),
	};
}

struct rusage rusage_of(const struct cpu_times *times)
{
	return (struct rusage){
		.ru_utime = timeval_of(times->user_ns),
		.ru_stime = timeval_of(times->system_ns),
		.ru_minflt = (int64_t)times->minor_faults,
		.ru_majflt = (int64_t)times->major_faults,
		.ru_nvcsw = (int64_t)times->switches[0],
		.ru_nivcsw = (int64_t)times->switches[1],
	};
}
