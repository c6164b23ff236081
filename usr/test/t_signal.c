// SPDX-License-Identifier: MIT
// Signals: handlers and what they are told, masks, defaults, groups, timers, and the context that
// comes back after a handler.
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "lib/tap.h"

#ifndef SS_AUTODISARM
#define SS_AUTODISARM 0x80000000u
#endif

static volatile sig_atomic_t count, last;
static volatile int last_code;
static volatile pid_t last_pid;

static void on_signal(int signo)
{
	count++;
	last = signo;
}

static void on_siginfo(int signo, siginfo_t *info, void *context)
{
	(void)context;
	on_signal(signo);
	last_code = info->si_code;
	last_pid = info->si_pid;
}

static void handle(int signo, void (*handler)(int), int flags)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

	sigemptyset(&action.sa_mask);
	CHECK_OK(sigaction(signo, &action, NULL));
}

static void handle_info(int signo)
{
	struct sigaction action = {.sa_sigaction = on_siginfo, .sa_flags = SA_SIGINFO};

	sigemptyset(&action.sa_mask);
	CHECK_OK(sigaction(signo, &action, NULL));
}

static void block(int signo, sigset_t *old)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signo);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, old));
}

static void handler_runs(void)
{
	handle(SIGUSR1, on_signal, 0);
	CHECK_OK(kill(getpid(), SIGUSR1));
	CHECK_EQ(count, 1);
	CHECK_EQ(last, SIGUSR1);
	CHECK_OK(raise(SIGUSR1));
	CHECK_EQ(count, 2);
}

static void sender_is_told(void)
{
	handle_info(SIGUSR2);
	CHECK_OK(kill(getpid(), SIGUSR2));
	CHECK_EQ(last, SIGUSR2);
	CHECK_EQ(last_code, SI_USER);
	CHECK_EQ(last_pid, getpid());
}

static void actions_are_read_back(void)
{
	struct sigaction action;

	CHECK_OK(sigaction(SIGUSR1, NULL, &action));
	CHECK(action.sa_handler == SIG_DFL);
	handle(SIGUSR1, on_signal, SA_RESTART);
	CHECK_OK(sigaction(SIGUSR1, NULL, &action));
	CHECK(action.sa_handler == on_signal);
	CHECK(action.sa_flags & SA_RESTART);
	CHECK_ERR(sigaction(SIGKILL, &action, NULL), EINVAL);
	CHECK_ERR(sigaction(SIGSTOP, &action, NULL), EINVAL);
	CHECK_ERR(sigaction(0, NULL, &action), EINVAL);
	CHECK_ERR(sigaction(65, NULL, &action), EINVAL);
}

static void ignored_signals_do_nothing(void)
{
	handle(SIGTERM, SIG_IGN, 0);
	CHECK_OK(kill(getpid(), SIGTERM));
	CHECK_OK(kill(getpid(), SIGCHLD)); // ignored by default
	CHECK_OK(kill(getpid(), SIGURG));
}

static void send_self(void *arg)
{
	kill(getpid(), *(int *)arg);
	_exit(77);
}

static void defaults_kill(void)
{
	static const int deadly[] = {SIGHUP, SIGINT, SIGQUIT, SIGABRT, SIGKILL, SIGUSR1, SIGSEGV,
		SIGPIPE, SIGALRM, SIGTERM};

	for (size_t i = 0; i < sizeof deadly / sizeof deadly[0]; i++) {
		int signo = deadly[i], status = in_child(send_self, &signo);

		CHECK(WIFSIGNALED(status));
		CHECK_EQ(WTERMSIG(status), signo);
	}
}

static void blocked_signals_wait(void)
{
	sigset_t old, pending;

	handle(SIGUSR1, on_signal, 0);
	block(SIGUSR1, &old);
	CHECK_OK(kill(getpid(), SIGUSR1));
	CHECK_OK(kill(getpid(), SIGUSR1)); // one is one
	CHECK_EQ(count, 0);
	CHECK_OK(sigpending(&pending));
	CHECK(sigismember(&pending, SIGUSR1));
	CHECK_OK(sigprocmask(SIG_SETMASK, &old, NULL));
	CHECK_EQ(count, 1);
	CHECK_ERR(sigprocmask(99, &old, NULL), EINVAL);
}

static void kill_cannot_be_blocked(void)
{
	sigset_t all, now;

	sigfillset(&all);
	CHECK_OK(sigprocmask(SIG_BLOCK, &all, NULL));
	CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &now));
	CHECK(!sigismember(&now, SIGKILL) && !sigismember(&now, SIGSTOP));
	CHECK(sigismember(&now, SIGTERM));
	int signo = SIGKILL;
	CHECK_EQ(WTERMSIG(in_child(send_self, &signo)), SIGKILL);
}

static volatile sig_atomic_t depth, deepest;

static void on_nested(int signo)
{
	depth++;
	if (depth > deepest)
		deepest = depth;
	count++;
	if (count < 5)
		raise(signo);
	depth--;
}

// A signal is blocked while its handler runs, unless SA_NODEFER.
static void handlers_do_not_nest(void)
{
	handle(SIGUSR1, on_nested, 0);
	raise(SIGUSR1);
	CHECK_EQ(count, 5);
	CHECK_EQ(deepest, 1);
	count = 0;
	handle(SIGUSR1, on_nested, SA_NODEFER);
	raise(SIGUSR1);
	CHECK_EQ(deepest, 5);
}

static void reset_hand(void)
{
	struct sigaction action;

	handle(SIGUSR1, on_signal, SA_RESETHAND);
	raise(SIGUSR1);
	CHECK_EQ(count, 1);
	CHECK_OK(sigaction(SIGUSR1, NULL, &action));
	CHECK(action.sa_handler == SIG_DFL);
}

static void suspend_waits_with_another_mask(void)
{
	sigset_t old, none;

	handle(SIGALRM, on_signal, 0);
	block(SIGALRM, &old);
	sigemptyset(&none);
	alarm(1);
	CHECK_ERR(sigsuspend(&none), EINTR);
	CHECK_EQ(count, 1);
	CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &none));
	CHECK(sigismember(&none, SIGALRM)); // the mask is the old one again
}

static int ends[2];

static void interrupt_parent(void *arg)
{
	(void)arg;
	for (int i = 0; i < 100; i++)
		sched_yield();
	kill(getppid(), SIGUSR1);
	for (int i = 0; i < 100; i++)
		sched_yield();
	if (write(ends[1], "x", 1) != 1)
		_exit(1);
}

// A read that waits: EINTR, or it goes on when the handler says SA_RESTART.
static void reads_are_interrupted_or_restarted(void)
{
	char c = 0;
	pid_t pid;
	ssize_t n;

	CHECK_OK(pipe(ends));
	handle(SIGUSR1, on_signal, SA_RESTART);
	pid = start_child(interrupt_parent, NULL);
	CHECK_EQ(read(ends[0], &c, 1), 1);
	CHECK_EQ(count, 1);
	must_exit_well(pid);
	handle(SIGUSR1, on_signal, 0);
	pid = start_child(interrupt_parent, NULL);
	n = read(ends[0], &c, 1);
	CHECK_EQ(count, 2); // it came before the byte
	if (n < 0) {
		CHECK_EQ(errno, EINTR);
		CHECK_EQ(read(ends[0], &c, 1), 1);
	}
	must_exit_well(pid);
}

static void sleep_is_interrupted(void)
{
	struct timespec time = {.tv_sec = 100}, left = {0};
	struct itimerval soon = {.it_value = {.tv_usec = 20000}};

	handle(SIGALRM, on_signal, SA_RESTART); // nanosleep does not restart
	CHECK_OK(setitimer(ITIMER_REAL, &soon, NULL));
	CHECK_ERR(nanosleep(&time, &left), EINTR);
	CHECK_EQ(count, 1);
	CHECK(left.tv_sec >= 90 && left.tv_sec <= 100);
}

static void interval_timer_repeats(void)
{
	struct itimerval every = {{.tv_usec = 3000}, {.tv_usec = 3000}}, off = {{0, 0}, {0, 0}},
			 now;
	sigset_t old, none;

	handle(SIGALRM, on_signal, 0);
	block(SIGALRM, &old);
	sigemptyset(&none);
	CHECK_OK(setitimer(ITIMER_REAL, &every, NULL));
	while (count < 5)
		sigsuspend(&none);
	CHECK_OK(setitimer(ITIMER_REAL, &off, &now));
	CHECK_EQ(now.it_interval.tv_usec, 3000);
	CHECK_ERR(setitimer(99, &off, NULL), EINVAL);
	every.it_value.tv_usec = 2000000;
	CHECK_ERR(setitimer(ITIMER_REAL, &every, NULL), EINVAL);
}

static void kill_arguments(void)
{
	CHECK_OK(kill(getpid(), 0));
	CHECK_ERR(kill(getpid(), 65), EINVAL);
	CHECK_ERR(kill(getpid(), -1), EINVAL);
	CHECK_ERR(kill(0x3ffffff, SIGTERM), ESRCH);
}

static void wait_in_group(void *arg)
{
	volatile int *ready = arg;

	signal(SIGUSR2, SIG_DFL);
	++*ready;
	for (;;)
		pause();
}

static void groups_get_signals(void)
{
	volatile int *ready =
		(int *)map(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t leader = start_child(wait_in_group, (void *)(uintptr_t)ready), second, other;

	CHECK_OK(setpgid(leader, leader));
	while (*ready != 1)
		sched_yield();
	second = start_child(wait_in_group, (void *)(uintptr_t)ready);
	CHECK_OK(setpgid(second, leader));
	while (*ready != 2)
		sched_yield();
	other = start_child(wait_in_group, (void *)(uintptr_t)ready);
	while (*ready != 3)
		sched_yield();
	CHECK_EQ(getpgid(second), leader);
	CHECK_EQ(getpgid(other), getpgrp());
	CHECK_OK(kill(-leader, SIGUSR2));
	CHECK_EQ(WTERMSIG(end_child(leader)), SIGUSR2);
	CHECK_EQ(WTERMSIG(end_child(second)), SIGUSR2);
	CHECK_EQ(waitpid(other, NULL, WNOHANG), 0);
	CHECK_OK(kill(other, SIGKILL));
	end_child(other);
	CHECK_ERR(kill(-leader, 0), ESRCH);
	CHECK_ERR(setpgid(0x3ffffff, 0), ESRCH);
	CHECK_ERR(getpgid(0x3ffffff), ESRCH);
}

static void become_leader(void *arg)
{
	(void)arg;
	CHECK_EQ(setsid(), getpid());
	CHECK_EQ(getpgrp(), getpid());
	CHECK_EQ(getsid(0), getpid());
	CHECK_ERR(setsid(), EPERM);
}

static void sessions(void)
{
	must_exit_well(start_child(become_leader, NULL));
}

static void exit_quietly(void *arg)
{
	(void)arg;
}

static void parent_hears_of_its_child(void)
{
	sigset_t old, none;
	pid_t pid;

	handle_info(SIGCHLD);
	block(SIGCHLD, &old);
	pid = start_child(exit_quietly, NULL);
	sigemptyset(&none);
	while (!count)
		sigsuspend(&none);
	CHECK_EQ(last, SIGCHLD);
	CHECK_EQ(last_code, CLD_EXITED);
	CHECK_EQ(last_pid, pid);
	must_exit_well(pid);
}

static void stop_myself(void *arg)
{
	(void)arg;
	raise(SIGSTOP);
	_exit(9);
}

static void stop_and_continue(void)
{
	pid_t pid = start_child(stop_myself, NULL);
	int status;

	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(WSTOPSIG(status), SIGSTOP);
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_EQ(WEXITSTATUS(end_child(pid)), 9);
}

// Every register but those of the call must be what it was before the handler.
#ifdef __riscv
static void on_clobber(int signo)
{
	on_signal(signo);
	__asm__ volatile("li t0, -1\n li t1, -1\n li t2, -1\n li t3, -1\n li t4, -1\n li t5, -1\n"
			 "li t6, -1\n li a1, -1\n li a2, -1\n li a3, -1\n li a4, -1\n li a5, -1\n"
			 "li a6, -1\n fmv.d.x ft0, t0\n fmv.d.x fa0, t0\n fmv.d.x ft11, t0\n" ::
				 : "t0", "t1", "t2", "t3", "t4", "t5", "t6", "a1", "a2", "a3", "a4",
			 "a5", "a6", "ft0", "fa0", "ft11");
}

static void registers_come_back(void)
{
	unsigned long wrong;

	handle(SIGUSR1, on_clobber, 0);
	for (int round = 0; round < 50; round++) {
		// kill(getpid(), SIGUSR1) with values in the registers that a call keeps
		__asm__ volatile(
			"mv a0, %1\n li a1, 10\n li a7, 129\n"
			"li t0, 100\n li t1, 101\n li t3, 103\n li t6, 106\n li a4, 104\n"
			"li a5, 105\n fmv.d.x ft0, t0\n fmv.d.x fa0, t1\n fmv.d.x ft11, t3\n"
			"ecall\n"
			"addi t0, t0, -100\n addi t1, t1, -101\n addi t3, t3, -103\n"
			"addi t6, t6, -106\n addi a4, a4, -104\n addi a5, a5, -105\n"
			"or %0, t0, t1\n or %0, %0, t3\n or %0, %0, t6\n or %0, %0, a4\n"
			"or %0, %0, a5\n or %0, %0, a0\n"
			"fmv.x.d t0, ft0\n addi t0, t0, -100\n or %0, %0, t0\n"
			"fmv.x.d t0, fa0\n addi t0, t0, -101\n or %0, %0, t0\n"
			"fmv.x.d t0, ft11\n addi t0, t0, -103\n or %0, %0, t0\n"
			: "=&r"(wrong)
			: "r"((long)getpid())
			: "a0", "a1", "a4", "a5", "a7", "t0", "t1", "t3", "t6", "ft0", "fa0",
			"ft11", "memory");
		CHECK_EQ(wrong, 0);
		CHECK_EQ(count, round + 1);
	}
}
#endif

static char *page;

static void on_fault_repair(int signo, siginfo_t *info, void *context)
{
	(void)context;
	on_signal(signo);
	last_code = info->si_code;
	if ((char *)info->si_addr != page + 40)
		_exit(50);
	if (mprotect(page, PAGE, PROT_READ | PROT_WRITE) != 0)
		_exit(51);
}

// A handler may repair the cause and return: the access is tried again.
static void faults_can_be_repaired(void)
{
	struct sigaction action = {.sa_sigaction = on_fault_repair, .sa_flags = SA_SIGINFO};

	page = map(PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	sigemptyset(&action.sa_mask);
	CHECK_OK(sigaction(SIGSEGV, &action, NULL));
	store(page + 40, 'r');
	CHECK_EQ(load(page + 40), 'r');
	CHECK_EQ(count, 1);
	CHECK_EQ(last_code, SEGV_ACCERR);
}

static void fault_while_blocked(void *arg)
{
	sigset_t old;

	handle(SIGSEGV, on_signal, 0);
	block(SIGSEGV, &old);
	store(arg, 1);
	_exit(9);
}

static void blocked_fault_kills(void)
{
	int status = in_child(
		fault_while_blocked, map(PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGSEGV);
}

#ifdef __riscv
static void illegal_instruction(void *arg)
{
	(void)arg;
	__asm__ volatile(".word 0");
}

static void breakpoint(void *arg)
{
	(void)arg;
	__asm__ volatile("ebreak");
}

static void privileged_instruction(void *arg)
{
	(void)arg;
	__asm__ volatile("csrr zero, sstatus");
}

static void instructions_that_trap(void)
{
	CHECK_EQ(WTERMSIG(in_child(illegal_instruction, NULL)), SIGILL);
	CHECK_EQ(WTERMSIG(in_child(privileged_instruction, NULL)), SIGILL);
	CHECK_EQ(WTERMSIG(in_child(breakpoint, NULL)), SIGTRAP);
}

static unsigned long trap_address, trap_pc;

// Four bytes on, past what trapped.
static void on_trap(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	on_signal(signo);
	last_code = info->si_code;
	trap_address = (unsigned long)info->si_addr;
	trap_pc = uc->uc_mcontext.__gregs[0];
	uc->uc_mcontext.__gregs[0] += 4;
}

static void check_trap(int signo, int code, unsigned long address)
{
	CHECK_EQ(last, signo);
	CHECK_EQ(last_code, code);
	CHECK_EQ(trap_address, address);
}

// The handler is told what and where, and may let the program go on behind it.
static void traps_are_told(void)
{
	static const int signals[] = {SIGILL, SIGTRAP, SIGBUS};
	struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
	static long words[2];
	unsigned long here;

	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
		CHECK_OK(sigaction(signals[i], &action, NULL));
	__asm__ volatile(
		"la %0, 1f\n.option push\n.option norvc\n1: csrr zero, sstatus\n.option pop"
		: "=r"(here)::"memory");
	check_trap(SIGILL, ILL_ILLOPC, here);
	__asm__ volatile("la %0, 1f\n.option push\n.option norvc\n1: ebreak\n.option pop"
			 : "=r"(here)::"memory");
	check_trap(SIGTRAP, TRAP_BRKPT, here);
	__asm__ volatile("lr.d zero, (%0)" ::"r"((char *)words + 4) : "memory");
	if (last == SIGBUS) // the emulation of a single program lets it pass
		check_trap(SIGBUS, BUS_ADRALN, (unsigned long)words + 4);
	else
		CHECK(!on_mapache());
	CHECK(count >= 2);
}
#endif

static char alternate[16384];
static volatile bool on_alternate;

static void look_at_stack(int signo)
{
	char here;

	on_signal(signo);
	on_alternate = &here >= alternate && &here < alternate + sizeof alternate;
}

static void alternate_stack(void)
{
	stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate}, old;

	CHECK_OK(sigaltstack(&stack, &old));
	CHECK(old.ss_flags & SS_DISABLE);
	handle(SIGUSR1, look_at_stack, SA_ONSTACK);
	raise(SIGUSR1);
	CHECK(on_alternate);
	handle(SIGUSR1, look_at_stack, 0);
	raise(SIGUSR1);
	CHECK(!on_alternate);
	stack.ss_size = 10;
	CHECK_ERR(sigaltstack(&stack, NULL), ENOMEM);
	stack.ss_flags = 8;
	CHECK_ERR(sigaltstack(&stack, NULL), EINVAL);
	stack.ss_flags = SS_DISABLE; // whatever its size
	CHECK_OK(sigaltstack(&stack, NULL));
	CHECK_OK(sigaltstack(NULL, &old));
	CHECK(old.ss_flags & SS_DISABLE);
	CHECK_EQ(old.ss_size, 0);
}

static stack_t told;
static int change_error;

static void change_stack(int signo)
{
	stack_t other = {.ss_sp = alternate, .ss_size = sizeof alternate};

	look_at_stack(signo);
	change_error = sigaltstack(&other, NULL) == 0 ? 0 : errno;
}

static void read_stack(int signo)
{
	look_at_stack(signo);
	sigaltstack(NULL, &told);
}

static void stack_in_use(void)
{
	stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate}, now;

	CHECK_OK(sigaltstack(&stack, NULL));
	handle(SIGUSR1, change_stack, SA_ONSTACK);
	raise(SIGUSR1);
	CHECK(on_alternate);
	CHECK_EQ(change_error, EPERM);
	CHECK_OK(sigaltstack(NULL, &now));
	CHECK_EQ(now.ss_flags, 0);
	stack.ss_flags =
		(int)SS_AUTODISARM; // there is none while the handler runs, and it is back then
	CHECK_OK(sigaltstack(&stack, NULL));
	handle(SIGUSR1, read_stack, SA_ONSTACK);
	raise(SIGUSR1);
	CHECK(on_alternate);
	CHECK(told.ss_flags & SS_DISABLE);
	CHECK_OK(sigaltstack(NULL, &now));
	CHECK_EQ((unsigned)now.ss_flags, SS_AUTODISARM);
	CHECK(now.ss_sp == alternate);
}

static void fill_stack(int signo)
{
	raise(signo);
}

static void overflow_alternate(void *arg)
{
	stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};

	(void)arg;
	sigaltstack(&stack, NULL);
	handle(SIGUSR1, fill_stack, SA_ONSTACK | SA_NODEFER);
	raise(SIGUSR1);
}

// A frame that would not fit there any more is SIGSEGV, not what lies below it.
static void alternate_stack_is_not_left(void)
{
	CHECK_EQ(WTERMSIG(in_child(overflow_alternate, NULL)), SIGSEGV);
}

static int fall(int frames)
{
	volatile char here[1000];

	here[0] = (char)frames;
	return frames < 0 ? 0 : fall(frames + 1) + here[0];
}

static void on_overflow(int signo)
{
	look_at_stack(signo);
	_exit(on_alternate ? 44 : 45);
}

static void overflow_stack(void *arg)
{
	stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};

	(void)arg;
	sigaltstack(&stack, NULL);
	handle(SIGSEGV, on_overflow, SA_ONSTACK);
	_exit(fall(0));
}

// The stack's end is met with a handler that has another one; without, the fault kills.
static void stack_overflow_is_handled(void)
{
	CHECK_EQ(WEXITSTATUS(in_child(overflow_stack, NULL)), 44);
}

// What a kernel does not know is not there when the action is read back.
static void unknown_flags_are_cleared(void)
{
	struct sigaction action;

	handle(SIGUSR1, on_signal, SA_RESTART | 0x400 | 0x2000);
	CHECK_OK(sigaction(SIGUSR1, NULL, &action));
	CHECK(!(action.sa_flags & (0x400 | 0x2000)));
}

// All bytes of the structure are written, and those between the fields say nothing of the kernel.
static void no_byte_is_left_over(void)
{
	stack_t old;
	const char *bytes = (const char *)&old;

	memset(&old, 0x55, sizeof old);
	CHECK_OK(sigaltstack(NULL, &old));
	for (size_t i = offsetof(stack_t, ss_flags) + sizeof old.ss_flags;
		i < offsetof(stack_t, ss_size); i++)
		CHECK_EQ(bytes[i], 0);
}

static void storm_sender(void *arg)
{
	(void)arg;
	for (int i = 0; i < 500; i++)
		kill(getppid(), i % 2 ? SIGUSR1 : SIGUSR2);
}

// Signals that arrive anywhere, while the process works and sleeps.
static void storm(void)
{
	pid_t pids[3];
	volatile double x = 1;

	handle(SIGUSR1, on_signal, SA_RESTART);
	handle(SIGUSR2, on_signal, SA_RESTART);
	for (int i = 0; i < 3; i++)
		pids[i] = start_child(storm_sender, NULL);
	for (int i = 0; i < 200; i++) {
		char *p = map_anon(8 * PAGE);

		memset(p, i, 8 * PAGE);
		x = x * 2 / 2;
		for (size_t k = 0; k < 8 * PAGE; k += 100)
			CHECK_EQ(p[k], (char)i);
		CHECK_OK(munmap(p, 8 * PAGE));
	}
	for (int i = 0; i < 3; i++)
		must_exit_well(pids[i]);
	CHECK(x == 1);
	CHECK(count > 0);
}

static const struct test tests[] = {
	{"handler_runs", handler_runs},
	{"sender_is_told", sender_is_told},
	{"actions_are_read_back", actions_are_read_back},
	{"ignored_signals_do_nothing", ignored_signals_do_nothing},
	{"defaults_kill", defaults_kill},
	{"blocked_signals_wait", blocked_signals_wait},
	{"kill_cannot_be_blocked", kill_cannot_be_blocked},
	{"handlers_do_not_nest", handlers_do_not_nest},
	{"reset_hand", reset_hand},
	{"suspend_waits_with_another_mask", suspend_waits_with_another_mask},
	{"reads_are_interrupted_or_restarted", reads_are_interrupted_or_restarted},
	{"sleep_is_interrupted", sleep_is_interrupted},
	{"interval_timer_repeats", interval_timer_repeats},
	{"kill_arguments", kill_arguments},
	{"groups_get_signals", groups_get_signals},
	{"sessions", sessions},
	{"parent_hears_of_its_child", parent_hears_of_its_child},
	{"stop_and_continue", stop_and_continue},
#ifdef __riscv
	{"registers_come_back", registers_come_back},
	{"instructions_that_trap", instructions_that_trap},
	{"traps_are_told", traps_are_told},
#endif
	{"faults_can_be_repaired", faults_can_be_repaired},
	{"blocked_fault_kills", blocked_fault_kills},
	{"alternate_stack", alternate_stack},
	{"stack_in_use", stack_in_use},
	{"alternate_stack_is_not_left", alternate_stack_is_not_left},
	{"stack_overflow_is_handled", stack_overflow_is_handled},
	{"unknown_flags_are_cleared", unknown_flags_are_cleared},
	{"no_byte_is_left_over", no_byte_is_left_over},
	{"storm", storm},
};

TEST_MAIN(tests)
