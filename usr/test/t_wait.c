// SPDX-License-Identifier: MIT
// wait4: which children, what about them, and what becomes of those that nobody waits for.
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"

#ifndef __WALL
#define __WALL 0x40000000
#endif
#ifndef __WCLONE
#define __WCLONE 0x80000000
#endif

static volatile sig_atomic_t count;

static void on_signal(int signo)
{
	(void)signo;
	count++;
}

static void handle(int signo, void (*handler)(int), int flags)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

	sigemptyset(&action.sa_mask);
	CHECK_OK(sigaction(signo, &action, NULL));
}

static void exit_with(void *arg)
{
	_exit((int)(intptr_t)arg);
}

static pid_t start_exit(int value)
{
	return start_child(exit_with, (void *)(intptr_t)value);
}

static void sleep_for_ever(void *arg)
{
	(void)arg;
	for (;;)
		pause();
}

static void exit_status(void)
{
	int status;

	for (int value = 0; value < 256; value += 51) {
		pid_t pid = start_exit(value);
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK_EQ(status, value << 8);
	}
}

static void killed_status(void)
{
	static const int signals[] = {SIGHUP, SIGKILL, SIGTERM, 40};

	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
		pid_t pid = start_child(sleep_for_ever, NULL);
		CHECK_OK(kill(pid, signals[i]));
		CHECK_EQ(end_child(pid), signals[i]);
	}
}

static void without_children(void)
{
	CHECK_ERR(wait(NULL), ECHILD);
	CHECK_ERR(waitpid(-1, NULL, WNOHANG), ECHILD);
	CHECK_ERR(waitpid(getpid(), NULL, 0), ECHILD);
	CHECK_ERR(waitpid(0, NULL, 0), ECHILD);
	CHECK_ERR(waitpid(1, NULL, 0), ECHILD);
	CHECK_ERR(waitpid(-1, NULL, 0x100), EINVAL);
	CHECK_ERR(wait4(-2147483647 - 1, NULL, 0, NULL), ESRCH);
}

static void any_or_one(void)
{
	pid_t first = start_child(sleep_for_ever, NULL), second = start_exit(2),
	      third = start_exit(3);
	int status;

	CHECK_EQ(waitpid(third, &status, 0), third);
	CHECK_EQ(WEXITSTATUS(status), 3);
	CHECK_EQ(waitpid(first, &status, WNOHANG), 0);
	CHECK_EQ(waitpid(-1, &status, 0), second);
	CHECK_EQ(WEXITSTATUS(status), 2);
	CHECK_ERR(waitpid(second, NULL, 0), ECHILD);
	CHECK_OK(kill(first, SIGKILL));
	CHECK_EQ(wait(&status), first);
}

static void by_group(void)
{
	pid_t own = start_exit(1), other = start_child(sleep_for_ever, NULL);

	CHECK_OK(setpgid(other, other));
	CHECK_OK(kill(other, SIGKILL));
	CHECK_EQ(waitpid(0, NULL, 0), own);
	CHECK_ERR(waitpid(0, NULL, 0), ECHILD); // the other one is not in this group
	CHECK_EQ(waitpid(-other, NULL, 0), other);
	CHECK_ERR(waitpid(-other, NULL, 0), ECHILD);
}

static void use_time(void *arg)
{
	(void)arg;
	for (volatile int i = 0; i < 3000000; i++)
		;
}

static long used(const struct rusage *usage)
{
	return usage->ru_utime.tv_sec * 1000000 + usage->ru_utime.tv_usec +
	       usage->ru_stime.tv_sec * 1000000 + usage->ru_stime.tv_usec;
}

static void resources(void)
{
	struct rusage usage, all;
	pid_t pid = start_child(use_time, NULL);

	CHECK_EQ(wait4(pid, NULL, 0, &usage), pid);
	CHECK(used(&usage) > 0);
	CHECK_OK(getrusage(RUSAGE_CHILDREN, &all));
	CHECK(used(&all) >= used(&usage));
}

static void bad_pointers(void)
{
	int *volatile nowhere = (int *)8;
	pid_t pid = start_exit(0);

	CHECK_ERR(waitpid(pid, nowhere, 0), EFAULT);
	CHECK_ERR(waitpid(pid, NULL, 0), ECHILD); // gone all the same
}

// Children of somebody who ignores them leave no trace, and wait() waits for the last.
static void ignored_children_vanish(void)
{
	handle(SIGCHLD, SIG_IGN, 0);
	start_exit(1);
	start_exit(2);
	CHECK_ERR(wait(NULL), ECHILD);
}

static void unwanted_zombies(void)
{
	handle(SIGCHLD, on_signal, SA_NOCLDWAIT | SA_RESTART);
	start_exit(1);
	CHECK_ERR(wait(NULL), ECHILD);
	CHECK_EQ(count, 1); // told, but not kept
}

static void tell_parent(void *arg)
{
	(void)arg;
	kill(getppid(), SIGUSR1);
}

static void interrupted_or_restarted(void)
{
	pid_t sleeper = start_child(sleep_for_ever, NULL), teller;

	handle(SIGUSR1, on_signal, 0);
	teller = start_child(tell_parent, NULL);
	while (!count)
		CHECK_ERR(waitpid(sleeper, NULL, 0), EINTR);
	must_exit_well(teller);
	handle(SIGUSR1, on_signal, SA_RESTART);
	teller = start_child(tell_parent, NULL);
	CHECK_EQ(waitpid(-1, NULL, 0), teller); // goes on over the handler
	CHECK_EQ(count, 2);
	CHECK_OK(kill(sleeper, SIGKILL));
	end_child(sleeper);
}

// The signal of a child's end interrupts no wait for that end; its handler runs all the same.
static void a_child_counts_before_its_signal(void)
{
	handle(SIGCHLD, on_signal, 0);
	for (int i = 0; i < 20; i++) {
		pid_t pid = start_exit(i);
		int status;

		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK_EQ(WEXITSTATUS(status), i);
		CHECK_EQ(count, i + 1);
	}
}

static void leave_a_child(void *arg)
{
	int *ends = arg;
	pid_t parent = getpid();

	if (fork())
		_exit(0);
	while (getppid() == parent)
		sched_yield();
	if (write(ends[1], "x", 1) != 1)
		_exit(1);
	_exit(0);
}

static void orphans_get_a_new_parent(void)
{
	int ends[2];
	char c;

	CHECK_OK(pipe(ends));
	must_exit_well(start_child(leave_a_child, ends));
	CHECK_EQ(read(ends[0], &c, 1), 1);
	CHECK_ERR(wait(NULL), ECHILD);
}

// Which signal tells of a child's end divides children in two.
static void clone_children(void)
{
	pid_t pid;

	handle(SIGUSR1, on_signal, SA_RESTART);
	pid = (pid_t)syscall(SYS_clone, SIGUSR1, 0, 0, 0, 0);
	if (pid == 0)
		_exit(8);
	CHECK(pid > 0);
	CHECK_ERR(waitpid(pid, NULL, 0), ECHILD);
	CHECK_EQ(waitpid(pid, NULL, (int)__WCLONE), pid);
	pid = (pid_t)syscall(SYS_clone, 0, 0, 0, 0, 0);
	if (pid == 0)
		_exit(8);
	CHECK_ERR(waitpid(-1, NULL, WNOHANG), ECHILD);
	CHECK_EQ(waitpid(-1, NULL, __WALL), pid);
	pid = start_exit(1);
	CHECK_ERR(waitpid(pid, NULL, (int)__WCLONE), ECHILD);
	CHECK_EQ(waitpid(pid, NULL, __WALL), pid);
}

static const struct test tests[] = {
	{"exit_status", exit_status},
	{"killed_status", killed_status},
	{"without_children", without_children},
	{"any_or_one", any_or_one},
	{"by_group", by_group},
	{"resources", resources},
	{"bad_pointers", bad_pointers},
	{"ignored_children_vanish", ignored_children_vanish},
	{"unwanted_zombies", unwanted_zombies},
	{"interrupted_or_restarted", interrupted_or_restarted},
	{"a_child_counts_before_its_signal", a_child_counts_before_its_signal},
	{"orphans_get_a_new_parent", orphans_get_a_new_parent},
	{"clone_children", clone_children},
};

TEST_MAIN(tests)
