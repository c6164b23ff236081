// SPDX-License-Identifier: MIT
// Signals: handlers and what they are told, masks, defaults, groups and timers. What programs do to
// themselves, and the stacks and registers of handlers, are t_signal_trap.c's.
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/signals.h"
#include "lib/tap.h"

static volatile int last_code;
static volatile pid_t last_pid;

static void on_siginfo(int signo, siginfo_t *info, void *context)
{
	(void)context;
	on_signal(signo);
	last_code = info->si_code;
	last_pid = info->si_pid;
}

static void handle_info(int signo)
{
	struct sigaction action = {.sa_sigaction = on_siginfo, .sa_flags = SA_SIGINFO};

	sigemptyset(&action.sa_mask);
	CHECK_OK(sigaction(signo, &action, NULL));
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
	// what is asked is looked at before the number
	CHECK_ERR(syscall(SYS_rt_sigaction, 99, 8L, NULL, 8), EFAULT);
	CHECK_ERR(syscall(SYS_rt_sigaction, SIGKILL, 8L, NULL, 8), EFAULT);
	CHECK_ERR(syscall(SYS_rt_sigaction, 99, &action, NULL, 8), EINVAL);
}

static bool can_be_set(int signo)
{
	return signo != SIGKILL && signo != SIGSTOP &&
	       (signo < 32 || signo > 34); // those are libc's
}

// Some of each kind, told apart by their masks.
static struct sigaction action_for(int signo)
{
	struct sigaction action = {.sa_flags = signo % 2 ? SA_RESTART : 0};

	action.sa_handler = signo % 5 == 0 ? SIG_IGN : signo % 3 ? on_signal : SIG_DFL;
	sigemptyset(&action.sa_mask);
	for (int bit = 0; bit < 7; bit++)
		if (signo >> bit & 1)
			sigaddset(&action.sa_mask, 10 + bit);
	return action;
}

// Every fourth signal was never told anything.
static void check_actions(void)
{
	for (int signo = 1; signo <= 64; signo++) {
		struct sigaction want = {.sa_handler = SIG_DFL}, got;
		if (!can_be_set(signo))
			continue;
		if (signo % 4)
			want = action_for(signo);
		CHECK_OK(sigaction(signo, NULL, &got));
		CHECK(got.sa_handler == want.sa_handler);
		CHECK_EQ(got.sa_flags, want.sa_flags);
		for (int other = 1; other <= 64; other++)
			CHECK_EQ(sigismember(&got.sa_mask, other),
				sigismember(&want.sa_mask, other));
	}
}

static void check_and_change_actions(void *arg)
{
	(void)arg;
	check_actions();
	for (int signo = 1; signo <= 64; signo++)
		if (can_be_set(signo))
			signal(signo, SIG_IGN);
}

static void children_have_actions_of_their_own(void)
{
	for (int signo = 1; signo <= 64; signo++) {
		struct sigaction action = action_for(signo);
		if (can_be_set(signo) && signo % 4)
			CHECK_OK(sigaction(signo, &action, NULL));
	}
	check_actions();
	must_exit_well(start_child(check_and_change_actions, NULL));
	check_actions();
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

// What a kernel does not know is not there when the action is read back.
static void unknown_flags_are_cleared(void)
{
	struct sigaction action;

	handle(SIGUSR1, on_signal, SA_RESTART | 0x400 | 0x2000);
	CHECK_OK(sigaction(SIGUSR1, NULL, &action));
	CHECK(!(action.sa_flags & (0x400 | 0x2000)));
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
	{"children_have_actions_of_their_own", children_have_actions_of_their_own},
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
	{"unknown_flags_are_cleared", unknown_flags_are_cleared},
	{"storm", storm},
};

TEST_MAIN(tests)
