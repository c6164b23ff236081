// SPDX-License-Identifier: MIT
// Signals as messages: queued with values, in order, up to a limit; waited for instead of handled.
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/tap.h"

#define FIRST  40 // real-time signals that no C library keeps for itself
#define SECOND 41

static const struct timespec at_once = {0, 0}, soon = {0, 2000000}, long_time = {100, 0};

static sigset_t set_of(int signo, int other)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signo);
	sigaddset(&set, other);
	return set;
}

static sigset_t block(int signo, int other)
{
	sigset_t set = set_of(signo, other);

	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	return set;
}

static int queue(pid_t to, int signo, int value)
{
	union sigval v = {.sival_int = value};

	return sigqueue(to, signo, v);
}

static void values_come_in_order(void)
{
	sigset_t set = block(FIRST, SECOND);
	siginfo_t info;

	for (int i = 0; i < 10; i++) {
		CHECK_OK(queue(getpid(), SECOND, 100 + i));
		CHECK_OK(queue(getpid(), FIRST, i));
	}
	for (int i = 0; i < 20; i++) { // the lower number first, whenever it was sent
		CHECK_EQ(sigwaitinfo(&set, &info), i < 10 ? FIRST : SECOND);
		CHECK_EQ(info.si_signo, i < 10 ? FIRST : SECOND);
		CHECK_EQ(info.si_code, SI_QUEUE);
		CHECK_EQ(info.si_value.sival_int, i < 10 ? i : 90 + i);
		CHECK_EQ(info.si_pid, getpid());
		CHECK_EQ(info.si_uid, getuid());
	}
	CHECK_ERR(sigtimedwait(&set, &info, &at_once), EAGAIN);
}

static volatile int values[20];
static volatile sig_atomic_t count;

static void collect(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)context;
	values[count++] = info->si_value.sival_int;
}

static void handle(int signo, int flags)
{
	struct sigaction action = {.sa_sigaction = collect, .sa_flags = SA_SIGINFO | flags};

	sigemptyset(&action.sa_mask);
	CHECK_OK(sigaction(signo, &action, NULL));
}

static void handlers_get_each(void)
{
	sigset_t set = block(FIRST, SECOND);

	handle(FIRST, 0);
	for (int i = 0; i < 10; i++)
		CHECK_OK(queue(getpid(), FIRST, 7 * i));
	CHECK_EQ(count, 0);
	CHECK_OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
	CHECK_EQ(count, 10);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(values[i], 7 * i);
}

static void standard_signals_count_once(void)
{
	sigset_t set = block(SIGUSR1, SIGUSR2);
	siginfo_t info;

	CHECK_OK(queue(getpid(), SIGUSR1, 1));
	CHECK_OK(queue(getpid(), SIGUSR1, 2));
	CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
	CHECK_EQ(info.si_value.sival_int, 1);
	CHECK_ERR(sigtimedwait(&set, &info, &at_once), EAGAIN);
}

// sigqueue says when there is no more room; kill gets through, and then has nothing to tell.
static void the_limit_holds(void)
{
	struct rlimit limit = {8, 8};
	sigset_t set = block(FIRST, SECOND);
	siginfo_t info;
	int sent = 0;

	CHECK_OK(setrlimit(RLIMIT_SIGPENDING, &limit));
	while (sent < 9 && queue(getpid(), FIRST, sent) == 0)
		sent++;
	CHECK(sent <= 8);
	CHECK_EQ(errno, EAGAIN);
	CHECK_OK(kill(getpid(), SECOND));
	for (int i = 0; i < sent; i++) {
		CHECK_EQ(sigwaitinfo(&set, &info), FIRST);
		CHECK_EQ(info.si_value.sival_int, i);
	}
	CHECK_EQ(sigwaitinfo(&set, &info), SECOND);
	CHECK_EQ(info.si_code, SI_USER);
	CHECK_EQ(info.si_pid, 0);
	CHECK_OK(queue(getpid(), FIRST, 1)); // there is room again
}

static void waiting_has_a_limit(void)
{
	sigset_t set = block(FIRST, SECOND);
	struct timespec bad = {0, -1}, *volatile nowhere = (struct timespec *)8;
	siginfo_t info;

	CHECK_ERR(sigtimedwait(&set, &info, &at_once), EAGAIN);
	CHECK_ERR(sigtimedwait(&set, &info, &soon), EAGAIN);
	CHECK_ERR(sigtimedwait(&set, &info, &bad), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigtimedwait, &set, &info, &soon, 4), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigtimedwait, nowhere, &info, &soon, 8), EFAULT);
	CHECK_ERR(syscall(SYS_rt_sigtimedwait, &set, &info, nowhere, 8), EFAULT);
	CHECK_OK(kill(getpid(), FIRST));
	CHECK_EQ(sigtimedwait(&set, NULL, &at_once), FIRST);
}

// After three ticks of its time, as SIGCHLD counts it.
static void exit_with_5(void *arg)
{
	(void)arg;
	while (clock() < CLOCKS_PER_SEC * 3 / 100)
		;
	_exit(5);
}

// SIGCHLD is ignored by default; who waits for it gets it all the same.
static void what_is_ignored_is_waited_for(void)
{
	sigset_t set = block(SIGCHLD, FIRST);
	siginfo_t info;
	pid_t pid = start_child(exit_with_5, NULL);

	CHECK_EQ(sigwaitinfo(&set, &info), SIGCHLD);
	CHECK_EQ(info.si_code, CLD_EXITED);
	CHECK_EQ(info.si_status, 5);
	CHECK_EQ(info.si_pid, pid);
	CHECK(info.si_utime + info.si_stime >= 2); // each is rounded down
	CHECK_EQ(WEXITSTATUS(end_child(pid)), 5);
}

static void send_term(void *arg)
{
	(void)arg;
	kill(getppid(), SIGTERM);
}

static void what_kills_is_waited_for(void)
{
	sigset_t set = block(SIGTERM, FIRST);
	siginfo_t info;
	pid_t pid = start_child(send_term, NULL);

	CHECK_EQ(sigwaitinfo(&set, &info), SIGTERM);
	CHECK_EQ(info.si_pid, pid);
	must_exit_well(pid);
}

static void send_term_for_ever(void *arg)
{
	pid_t to = *(pid_t *)arg;

	while (kill(to, SIGTERM) == 0)
		sched_yield();
}

// Nor does it kill who is just ceasing to wait for it.
static void what_kills_never_acts(void)
{
	static const struct timespec an_instant = {0, 1000};
	sigset_t set = block(SIGTERM, FIRST);
	pid_t self = getpid(), pid = start_child(send_term_for_ever, &self);

	for (int i = 0; i < 1000; i++)
		CHECK(sigtimedwait(&set, NULL, &an_instant) == SIGTERM || errno == EAGAIN);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_EQ(end_child(pid), SIGKILL);
}

static void send_usr1(void *arg)
{
	(void)arg;
	queue(getppid(), SIGUSR1, 3);
}

// A handler ends the wait, whatever SA_RESTART says.
static void a_handler_interrupts(void)
{
	sigset_t set = block(FIRST, SECOND);
	pid_t pid;

	handle(SIGUSR1, SA_RESTART);
	pid = start_child(send_usr1, NULL);
	while (!count)
		CHECK_ERR(sigtimedwait(&set, NULL, &long_time), EINTR);
	CHECK_EQ(count, 1);
	CHECK_EQ(values[0], 3);
	must_exit_well(pid);
}

static void wait_for_end(void *arg)
{
	(void)arg;
	pause();
}

static long queue_info(pid_t to, int signo, int code)
{
	siginfo_t info;

	memset(&info, 0, sizeof info);
	info.si_code = code;
	return syscall(SYS_rt_sigqueueinfo, to, signo, &info);
}

// Nobody can pretend that another one's signal came from kill or the kernel.
static void senders_cannot_be_forged(void)
{
	pid_t pid = start_child(wait_for_end, NULL);

	block(FIRST, SECOND);
	CHECK_ERR(queue_info(pid, FIRST, SI_USER), EPERM);
	CHECK_ERR(queue_info(pid, FIRST, SI_KERNEL), EPERM);
	CHECK_ERR(queue_info(pid, FIRST, SI_TKILL), EPERM);
	CHECK_OK(queue_info(getpid(), FIRST, SI_USER));
	CHECK_OK(queue_info(pid, 0, SI_QUEUE));
	CHECK_ERR(queue_info(0x3ffffff, 0, SI_QUEUE), ESRCH);
	CHECK_ERR(queue_info(pid, 65, SI_QUEUE), EINVAL);
	CHECK_OK(kill(pid, SIGKILL));
	end_child(pid);
}

static void one_thread_is_named(void)
{
	sigset_t set = block(FIRST, SECOND);
	siginfo_t info;

	memset(&info, 0, sizeof info);
	info.si_code = SI_QUEUE;
	info.si_value.sival_int = 77;
	CHECK_OK(syscall(SYS_rt_tgsigqueueinfo, getpid(), getpid(), FIRST, &info));
	CHECK_EQ(sigwaitinfo(&set, &info), FIRST);
	CHECK_EQ(info.si_value.sival_int, 77);
	CHECK_ERR(syscall(SYS_rt_tgsigqueueinfo, getppid(), getpid(), FIRST, &info), ESRCH);
	CHECK_ERR(syscall(SYS_rt_tgsigqueueinfo, 0, getpid(), FIRST, &info), EINVAL);
	CHECK_ERR(syscall(SYS_rt_tgsigqueueinfo, getpid(), -1, FIRST, &info), EINVAL);
	memset(&info, 1, sizeof info); // of a code that nobody knows 48 bytes are kept
	info.si_code = -50;
	CHECK_ERR(syscall(SYS_rt_tgsigqueueinfo, getpid(), getpid(), FIRST, &info), E2BIG);
}

static void look_for_none(void *arg)
{
	sigset_t set = set_of(FIRST, SECOND);

	(void)arg;
	CHECK_ERR(sigtimedwait(&set, NULL, &at_once), EAGAIN);
}

static void children_have_none(void)
{
	block(FIRST, SECOND);
	CHECK_OK(queue(getpid(), FIRST, 1));
	must_exit_well(start_child(look_for_none, NULL));
}

static const struct test tests[] = {
	{"values_come_in_order", values_come_in_order},
	{"handlers_get_each", handlers_get_each},
	{"standard_signals_count_once", standard_signals_count_once},
	{"the_limit_holds", the_limit_holds},
	{"waiting_has_a_limit", waiting_has_a_limit},
	{"what_is_ignored_is_waited_for", what_is_ignored_is_waited_for},
	{"what_kills_is_waited_for", what_kills_is_waited_for},
	{"what_kills_never_acts", what_kills_never_acts},
	{"a_handler_interrupts", a_handler_interrupts},
	{"senders_cannot_be_forged", senders_cannot_be_forged},
	{"one_thread_is_named", one_thread_is_named},
	{"children_have_none", children_have_none},
};

BEYOND_CORE_MAIN(tests)
