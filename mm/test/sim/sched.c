// SPDX-License-Identifier: MIT
/*
 * Deterministic simulation: why, and how schedules are chosen.
 *
 * Threads on real harts meet only as often as they please, and never twice the same way.  Here one
 * thread of the host plays all harts.  mm is compiled with -fsanitize=thread and linked with the
 * functions of tsan.c instead of the sanitizer's, so every shared access of mm calls us; with the
 * hooks of host.c and tlb.c and the loads and stores of the simulated programs, these are the
 * *points* at which another fiber may go on.  Between two points nothing else happens.
 *
 *	seed --> plan --> at each point: who is next --> one outcome, always the same
 *
 * Plans.  A bug of concurrency needs few things to happen in one order, but just that one:
 *
 *	walk         after a random number of points, a random fiber.  The mean is drawn for each
 *	             schedule, from every second point to every thousandth.
 *	PCT          (Burckhardt, Kothari, Musuvathi, Nagarakatte: A Randomized Scheduler with
 *	             Probabilistic Guarantees of Finding Bugs, ASPLOS 2010, section 3.)  Fibers have
 *	             random priorities and the highest that can run does; at d - 1 points, drawn
 *	             from the expected length k, the running fiber falls below all.  A bug that n
 *	             fibers show when d events come in one order is found with a probability of at
 *	             least 1 / (n * k^(d-1)), whatever the program does.
 *	cooperative  nobody is interrupted: a fiber gives way only when it blocks, as in a kernel
 *	             without preemption.  Who then spins instead of sleeping hangs, which is a
 *	             failure.
 *
 * A plan is coarse or fine: coarse ones count locks, atomics, hooks and the programs' accesses
 * only, which makes k smaller and the mean run longer in terms of what matters, if all plain
 * accesses are under their locks; fine ones do not believe that.
 *
 * After very many points without an end some PCT fiber is taken to spin, and falls below all; so
 * loops that wait for others end.  A schedule that does not end at all is a failure, too, and so
 * is one in which all fibers are blocked: somebody's wake-up was lost, or locks form a ring.
 *
 * What is not simulated: weak memory.  Accesses take effect in the order of the program; the one
 * thing that lags behind is the TLB (tlb.c).  The order of mm's atomics is the business of the
 * test of real threads under TSan.
 *
 * Fibers get their stacks from makecontext(), once, and then change over with _setjmp() and
 * _longjmp(), which unlike swapcontext() ask the system for nothing.
 */
#include "sched.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#define STACK_BYTES (64 * 1024)
#define CALLS       48

/* So many points in one go are a fiber that spins; so many in all, a schedule that never ends. */
#define SPIN_POINTS    UINT64_C(100000)
#define ENDLESS_POINTS UINT64_C(20000000)

#define MAX_DEPTH 8

/* The fiber of sched_serve(). */
#define SERVER (FIBERS - 1)

enum state { FIBER_UNUSED, FIBER_READY, FIBER_BLOCKED };

struct fiber {
	jmp_buf context;
	void (*body)(void);
	enum state state;
	const char *why; /* blocked: for what */
	const void *what;
	int priority; /* PCT */
	bool interrupted;

	const void *calls[CALLS]; /* of mm, outermost first */
	unsigned depth;
};

static struct fiber fibers[FIBERS];
static char stacks[FIBERS][STACK_BYTES] __attribute__((aligned(64)));
static ucontext_t origin;
bool sched_concurrent, sim_tracing;
static void (*on_interrupt)(unsigned fiber);

static struct {
	struct plan plan;
	uint64_t random;
	unsigned self;     /* who runs */
	unsigned running;  /* fibers that sched_run() waits for */
	bool preempt;      /* PCT: somebody more important can run */
	uint64_t points;   /* passed */
	uint64_t steps;    /* passed, of those that the plan counts */
	uint64_t decision; /* the step at which the plan wants to be asked */
	uint64_t stretch;  /* points when this fiber began to run; PCT: when one was last demoted */
	uint64_t hash;
	uint64_t change[MAX_DEPTH]; /* PCT: steps, and the priority after each */
	int lowest;                 /* PCT: below all */
} now;

uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* --- Changing over ---------------------------------------------------------------------------- */

static void fiber_ended(struct fiber *f);

static void fiber_main(void)
{
	struct fiber *f = &fibers[now.self];

	if (!_setjmp(f->context))
		setcontext(&origin);
	for (;;) {
		f->body();
		fiber_ended(f);
	}
}

void sched_init(void)
{
	for (unsigned i = 1; i < FIBERS; i++) {
		ucontext_t context;

		getcontext(&context);
		context.uc_stack.ss_sp = stacks[i];
		context.uc_stack.ss_size = STACK_BYTES;
		context.uc_link = NULL;
		makecontext(&context, fiber_main, 0);
		now.self = i;
		swapcontext(&origin, &context);
	}
	now.self = 0;
}

static void change_to(unsigned next)
{
	struct fiber *from = &fibers[now.self];

	if (next == now.self)
		return;
	sim_trace("-- fiber %u goes on", next);
	now.hash = (now.hash ^ (now.points << 4 | next)) * UINT64_C(0x9e3779b97f4a7c15);
	now.hash ^= now.hash >> 29;
	now.self = next;
	if (now.plan.strategy == STRATEGY_COOPERATIVE)
		now.stretch = now.points;
	if (!_setjmp(from->context))
		_longjmp(fibers[next].context, 1);
}

static void take_interrupt(void)
{
	struct fiber *f = &fibers[now.self];

	if (f->interrupted) {
		f->interrupted = false;
		on_interrupt(now.self);
	}
}

/* --- Who is next ------------------------------------------------------------------------------ */

bool sched_ready(unsigned fiber)
{
	return fibers[fiber].state == FIBER_READY;
}

static unsigned random_ready(void)
{
	unsigned n = 0, ready[FIBERS];

	for (unsigned i = 0; i < FIBERS; i++) {
		if (sched_ready(i))
			ready[n++] = i;
	}
	if (n == 0)
		sim_fail("deadlock: nobody can run");
	return n == 1 ? ready[0] : ready[random_below(&now.random, n)];
}

static unsigned most_important(void)
{
	unsigned best = FIBERS;

	for (unsigned i = 0; i < FIBERS; i++) {
		if (sched_ready(i) &&
			(best == FIBERS || fibers[i].priority > fibers[best].priority))
			best = i;
	}
	return best < FIBERS ? best : random_ready();
}

static unsigned who_is_next(void)
{
	return now.plan.strategy == STRATEGY_PCT ? most_important() : random_ready();
}

static bool spins(void)
{
	return now.points - now.stretch >= SPIN_POINTS;
}

/* The next step at which decide() is to be called. */
static void plan_decision(void)
{
	now.decision = now.steps + SPIN_POINTS;
	if (now.plan.strategy == STRATEGY_WALK)
		now.decision = now.steps + 1 + random_below(&now.random, 2 * now.plan.run);
	for (unsigned i = 0; now.plan.strategy == STRATEGY_PCT && i + 1 < now.plan.depth; i++) {
		if (now.change[i] > now.steps && now.change[i] < now.decision)
			now.decision = now.change[i];
	}
}

/* PCT: is this a point of change, or does the fiber spin? */
static void change_priority(void)
{
	struct fiber *f = &fibers[now.self];

	for (unsigned i = 0; i + 1 < now.plan.depth; i++) {
		if (now.change[i] == now.steps)
			f->priority = (int)i; /* those of the beginning are higher */
	}
	if (spins()) {
		f->priority = now.lowest--;
		now.stretch = now.points;
	}
}

static void decide(void)
{
	unsigned next = now.self;

	now.preempt = false;
	if (now.points >= ENDLESS_POINTS)
		sim_fail("the schedule does not end");
	switch (now.plan.strategy) {
	case STRATEGY_WALK:
		next = random_ready();
		break;
	case STRATEGY_PCT:
		change_priority();
		next = most_important();
		break;
	case STRATEGY_COOPERATIVE:
		if (spins() && random_ready() != now.self)
			sim_fail("fiber %u spins, and does not let others go on", now.self);
		break;
	}
	plan_decision();
	change_to(next);
}

void sched_pass(enum point kind)
{
	now.points++;
	if (now.plan.coarse && kind <= POINT_WRITE)
		return;
	if (++now.steps >= now.decision || now.preempt)
		decide();
	take_interrupt();
}

/* --- Blocking --------------------------------------------------------------------------------- */

void sched_block(const char *why, const void *what)
{
	struct fiber *f = &fibers[now.self];

	take_interrupt();
	f->why = why;
	f->what = what;
	f->state = FIBER_BLOCKED;
	change_to(who_is_next());
}

void sched_wake_fiber(unsigned fiber)
{
	struct fiber *f = &fibers[fiber];

	if (f->state != FIBER_BLOCKED)
		return;
	f->state = FIBER_READY;
	if (now.plan.strategy == STRATEGY_PCT && f->priority > fibers[now.self].priority)
		now.preempt = true;
}

void sched_wake(const void *what)
{
	for (unsigned i = 0; i < FIBERS; i++) {
		if (fibers[i].state == FIBER_BLOCKED && fibers[i].what == what)
			sched_wake_fiber(i);
	}
}

void sched_interrupt(unsigned fiber)
{
	fibers[fiber].interrupted = true;
}

void sched_on_interrupt(void (*handler)(unsigned fiber))
{
	on_interrupt = handler;
}

/* --- Schedules -------------------------------------------------------------------------------- */

void sched_begin(const struct plan *plan, uint64_t seed)
{
	memset(&now, 0, sizeof now);
	now.plan = *plan;
	now.random = seed;
	now.lowest = -1;
	for (unsigned i = 0; i < FIBERS; i++) {
		fibers[i].state = i ? FIBER_UNUSED : FIBER_READY;
		fibers[i].interrupted = false;
		fibers[i].depth = 0;
		fibers[i].priority = MAX_DEPTH + (int)i;
	}
	for (unsigned i = FIBERS - 1; i > 1; i--) { /* shuffle those of 1 to FIBERS - 1 */
		unsigned j = 1 + random_below(&now.random, i);
		int priority = fibers[i].priority;

		fibers[i].priority = fibers[j].priority;
		fibers[j].priority = priority;
	}
	for (unsigned i = 0; i + 1 < plan->depth; i++)
		now.change[i] = 1 + random_next(&now.random) % (plan->length + 1);
	plan_decision();
}

/* In a fiber whose body has returned; it comes back when the fiber gets another. */
static void fiber_ended(struct fiber *f)
{
	take_interrupt();
	f->state = FIBER_UNUSED;
	if (f != &fibers[SERVER] && --now.running == 0)
		sched_wake(&now.running);
	change_to(who_is_next());
}

static void start(unsigned fiber, void (*body)(void))
{
	fibers[fiber].body = body;
	fibers[fiber].state = FIBER_READY;
	fibers[fiber].depth = 0;
}

void sched_run(void (*const *bodies)(void), unsigned n)
{
	now.running = n;
	for (unsigned i = 0; i < n; i++)
		start(i + 1, bodies[i]);
	sched_concurrent = true;
	sched_block("the threads to end", &now.running);
	sched_concurrent = false;
}

void sched_serve(void (*body)(void))
{
	start(SERVER, body);
}

/* --- Looking ---------------------------------------------------------------------------------- */

unsigned sched_self(void)
{
	return now.self;
}

bool sched_own_stack(const void *address)
{
	uintptr_t at = (uintptr_t)address - (uintptr_t)stacks[now.self];

	return at < STACK_BYTES;
}

uint64_t sched_points(void)
{
	return now.points;
}

uint64_t sched_steps(void)
{
	return now.steps;
}

uint64_t sched_hash(void)
{
	return now.hash;
}

void sched_call(const void *from)
{
	struct fiber *f = &fibers[now.self];

	if (f->depth < CALLS)
		f->calls[f->depth] = from;
	f->depth++;
}

void sched_return(void)
{
	fibers[now.self].depth--;
}

/* The functions of mm that the fiber is in, as the host's addr2line names them. */
static void dump_calls(const struct fiber *f)
{
	char command[128 + CALLS * 20], program[256];
	ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
	int n;

	if (length <= 0 || f->depth == 0 || f->depth > CALLS)
		return;
	program[length] = 0;
	n = snprintf(command, sizeof command, "addr2line -spfe '%.*s'", 64, program);
	for (unsigned i = f->depth; i-- > 0;)
		n += snprintf(command + n, sizeof command - (size_t)n, " %p", f->calls[i]);
	fflush(stdout);
	if (system(command) != 0)
		printf("(addr2line cannot say where)\n");
}

void sched_dump(void)
{
	for (unsigned i = 0; i < FIBERS; i++) {
		const struct fiber *f = &fibers[i];

		if (f->state == FIBER_UNUSED)
			continue;
		printf("fiber %u%s: ", i, i == now.self ? " (running)" : "");
		if (f->state == FIBER_BLOCKED)
			printf("waits for %s %p\n", f->why, f->what);
		else
			printf("can run\n");
		dump_calls(f);
	}
}

void sim_trace(const char *format, ...)
{
	va_list list;

	if (!sim_tracing)
		return;
	va_start(list, format);
	printf("%8lu %u: ", (unsigned long)now.points, now.self);
	vprintf(format, list);
	printf("\n");
	va_end(list);
}
