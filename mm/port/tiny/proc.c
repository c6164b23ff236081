// SPDX-License-Identifier: MIT
#include "proc.h"

#include "console.h"
#include "main.h"
#include "riscv.h"
#include "trap.h"

#include <mm/vm.h>

#define FRESH      0xa5a5a5a5a5a5a5a5ul /* what no call has touched of a stack yet */
#define IDLE_TICKS 2000

struct cpu cpus[MAX_HARTS];
/* start.S knows them. */
uint64_t hart_stacks[MAX_HARTS][STACK_BYTES / 8] __attribute__((aligned(STACK_BYTES)));

static struct proc procs[N_PROCS];
static uint64_t stacks[N_PROCS][STACK_BYTES / 8] __attribute__((aligned(STACK_BYTES)));
static struct spinlock proc_lock;
static int last_pid;

void swtch(struct context *from, struct context *to);

/* --- Stacks ----------------------------------------------------------------------------------- */

static void check_canary(const struct proc *p)
{
	if (stacks[p - procs][0] != FRESH)
		panic("a process has left its stack");
}

unsigned check_stacks(void)
{
	unsigned deepest = 0;

	for (unsigned i = 0; i < N_PROCS; i++) {
		unsigned untouched = 0;

		if (procs[i].pid == 0)
			continue;
		check_canary(&procs[i]);
		while (stacks[i][untouched] == FRESH)
			untouched++;
		if (STACK_BYTES - 8 * untouched > deepest)
			deepest = STACK_BYTES - 8 * untouched;
	}
	return deepest;
}

/* --- Switching -------------------------------------------------------------------------------- */

/*
 * A free slot, its stack ready to begin at `begin`.  What earlier processes of the slot have
 * touched of the stack stays so: check_stacks() finds the deepest of all.
 */
static struct proc *proc_new(void (*begin)(void))
{
	struct proc *p;

	acquire(&proc_lock);
	for (p = procs; p < procs + N_PROCS && p->state != UNUSED; p++)
		;
	if (p == procs + N_PROCS) {
		release(&proc_lock);
		return 0;
	}
	for (unsigned i = 0; p->pid == 0 && i < STACK_BYTES / 8; i++)
		stacks[p - procs][i] = FRESH;
	*p = (struct proc){.state = EMBRYO, .pid = ++last_pid, .parent = this_proc()};
	p->trapframe.kernel_sp = p->context.sp = (uint64_t)stacks[p - procs + 1];
	p->context.ra = (uint64_t)begin;
	release(&proc_lock);
	return p;
}

void scheduler(void)
{
	struct cpu *cpu = this_cpu();
	uint64_t *canary = hart_stacks[cpu - cpus];

	*canary = FRESH;
	for (;;) {
		bool found = false, running = false;

		acquire(&proc_lock);
		for (struct proc *p = procs; p < procs + N_PROCS; p++) {
			running |= p->state == RUNNING || p->state == EMBRYO;
			if (p->state != RUNNABLE)
				continue;
			found = true;
			p->state = RUNNING;
			cpu->proc = p;
			swtch(&cpu->scheduler, &p->context);
			cpu->proc = 0;
			check_canary(p);
			if (*canary != FRESH)
				panic("a hart has left its stack");
		}
		if (!found && !running)
			panic("everybody sleeps");
		release(&proc_lock);
		if (!found) {
			sbi_call(SBI_TIMER, 0, (long)(time_now() + IDLE_TICKS), 0, 0);
			asm volatile("wfi");
		}
	}
}

/* Give the hart to the scheduler, as the state says.  proc_lock is held, and no other. */
static void sched(void)
{
	struct proc *p = this_proc();

	if (!holding(&proc_lock) || this_cpu()->locks != 1)
		panic("a process sleeps with a spin lock held");
	check_canary(p);
	swtch(&p->context, &this_cpu()->scheduler);
}

/*
 * From the moment on that proc_lock is held neither a wake-up nor a kill is lost: whoever brings
 * one takes it, too.  A look at `killed` before that is worth nothing.
 */
void sleep(const void *chan, struct spinlock *lock, bool killable)
{
	struct proc *p = this_proc();

	if (p->killed_at_door && killable)
		kill(p->pid);
	if (lock != &proc_lock) {
		acquire(&proc_lock);
		release(lock);
	}
	if (!killable || !p->killed) {
		p->chan = chan;
		p->state = SLEEPING;
		sched();
		p->chan = 0;
	}
	if (lock != &proc_lock) {
		release(&proc_lock);
		acquire(lock);
	}
}

static void wakeup_locked(const void *chan)
{
	for (struct proc *p = procs; p < procs + N_PROCS; p++) {
		if (p->state == SLEEPING && p->chan == chan)
			p->state = RUNNABLE;
	}
}

void wakeup(const void *chan)
{
	acquire(&proc_lock);
	wakeup_locked(chan);
	release(&proc_lock);
}

void yield(void)
{
	acquire(&proc_lock);
	this_proc()->state = RUNNABLE;
	sched();
	release(&proc_lock);
}

/* --- Life ------------------------------------------------------------------------------------- */

static void (*first_main)(void);

static void first_begin(void)
{
	release(&proc_lock);
	first_main();
	return_to_user();
}

void proc_first(void (*main)(void))
{
	first_main = main;
	proc_new(first_begin)->state = RUNNABLE;
}

static void child_begin(void)
{
	release(&proc_lock);
	return_to_user();
}

/* mm may sleep in the copy and wakes others: nothing is locked over it. */
int fork(void)
{
	struct proc *child = proc_new(child_begin), *p = this_proc();
	uint64_t sp;
	int err, pid;

	if (!child)
		return -1;
	pid = child->pid;
	err = mvm_space_fork(p->space, &child->space);
	sp = child->trapframe.kernel_sp;
	child->trapframe = p->trapframe;
	child->trapframe.kernel_sp = sp;
	child->trapframe.x[10] = 0;
	acquire(&proc_lock);
	child->state = err ? UNUSED : RUNNABLE;
	release(&proc_lock);
	return err ? err : pid;
}

/* The last reference to the space may write files back, hence sleep: nothing is locked. */
void exit(int status)
{
	struct proc *p = this_proc();

	mvm_space_unref(p->space);
	if (p == procs)
		shutdown();
	acquire(&proc_lock);
	for (struct proc *child = procs; child < procs + N_PROCS; child++) {
		if (child->parent == p)
			child->parent = procs;
	}
	p->status = status;
	p->state = ZOMBIE;
	wakeup_locked(p->parent);
	sched();
	panic("a zombie runs");
}

int wait(int *status)
{
	struct proc *p = this_proc();
	int pid = 0;

	acquire(&proc_lock);
	while (pid == 0) {
		bool children = false;

		for (struct proc *child = procs; child < procs + N_PROCS; child++) {
			if (child->state == UNUSED || child->parent != p)
				continue;
			children = true;
			if (child->state != ZOMBIE)
				continue;
			pid = child->pid;
			*status = child->status;
			child->state = UNUSED;
			break;
		}
		if (!children)
			pid = -1;
		else if (pid == 0)
			sleep(p, &proc_lock, false);
	}
	release(&proc_lock);
	return pid;
}

static struct proc *find(int pid)
{
	for (struct proc *p = procs; p < procs + N_PROCS; p++) {
		if (p->state != UNUSED && p->pid == pid)
			return p;
	}
	panic("no such process");
}

void kill(int pid)
{
	struct proc *p;

	acquire(&proc_lock);
	p = find(pid);
	p->killed = true;
	if (p->state == SLEEPING)
		p->state = RUNNABLE;
	release(&proc_lock);
}

bool asleep(int pid)
{
	bool is;

	acquire(&proc_lock);
	is = find(pid)->state == SLEEPING;
	release(&proc_lock);
	return is;
}
