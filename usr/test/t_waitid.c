// SPDX-License-Identifier: MIT
// waitid: one kind of event at a time, looked at or taken, told by a siginfo.
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"

static void exit_with_7(void *arg)
{
	(void)arg;
	_exit(7);
}

static void sleep_for_ever(void *arg)
{
	(void)arg;
	for (;;)
		pause();
}

static void check_info(const siginfo_t *info, pid_t pid, int code, int status)
{
	CHECK_EQ(info->si_signo, SIGCHLD);
	CHECK_EQ(info->si_errno, 0);
	CHECK_EQ(info->si_code, code);
	CHECK_EQ(info->si_pid, pid);
	CHECK_EQ(info->si_uid, getuid());
	CHECK_EQ(info->si_status, status);
}

static void all_events(void)
{
	pid_t pid = start_child(sleep_for_ever, NULL);
	siginfo_t info;

	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_OK(waitid(P_PID, (id_t)pid, &info, WSTOPPED));
	check_info(&info, pid, CLD_STOPPED, SIGSTOP);
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_OK(waitid(P_ALL, 0, &info, WCONTINUED));
	check_info(&info, pid, CLD_CONTINUED, SIGCONT);
	CHECK_OK(kill(pid, SIGTERM));
	CHECK_OK(waitid(P_PID, (id_t)pid, &info, WEXITED));
	check_info(&info, pid, CLD_KILLED, SIGTERM);
	pid = start_child(exit_with_7, NULL);
	CHECK_OK(waitid(P_PID, (id_t)pid, &info, WEXITED));
	check_info(&info, pid, CLD_EXITED, 7);
	CHECK_ERR(waitid(P_PID, (id_t)pid, &info, WEXITED), ECHILD);
}

// With WNOWAIT the next one sees the same.
static void looking_only(void)
{
	pid_t pid = start_child(sleep_for_ever, NULL);
	siginfo_t info;

	CHECK_OK(kill(pid, SIGSTOP));
	for (int i = 0; i < 3; i++) {
		CHECK_OK(waitid(P_PID, (id_t)pid, &info, WSTOPPED | (i < 2 ? WNOWAIT : 0)));
		check_info(&info, pid, CLD_STOPPED, SIGSTOP);
	}
	CHECK_OK(kill(pid, SIGCONT));
	for (int i = 0; i < 3; i++) {
		CHECK_OK(waitid(P_PID, (id_t)pid, &info, WCONTINUED | (i < 2 ? WNOWAIT : 0)));
		check_info(&info, pid, CLD_CONTINUED, SIGCONT);
	}
	CHECK_OK(kill(pid, SIGKILL));
	for (int i = 0; i < 3; i++) {
		CHECK_OK(waitid(P_PID, (id_t)pid, &info, WEXITED | (i < 2 ? WNOWAIT : 0)));
		check_info(&info, pid, CLD_KILLED, SIGKILL);
	}
	CHECK_ERR(waitid(P_ALL, 0, &info, WEXITED), ECHILD);
}

static void nothing_yet(void)
{
	pid_t pid = start_child(sleep_for_ever, NULL);
	siginfo_t info;

	memset(&info, 0xff, sizeof info);
	CHECK_OK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG));
	CHECK_EQ(info.si_signo, 0);
	CHECK_EQ(info.si_pid, 0);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_OK(waitid(P_PID, (id_t)pid, NULL, WEXITED));
}

// An end is no stop: who asks for stops only is told that nobody is left to stop.
static void other_events_do_not_count(void)
{
	pid_t pid = start_child(exit_with_7, NULL);
	siginfo_t info;

	CHECK_OK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
	CHECK_ERR(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOHANG), ECHILD);
	CHECK_EQ(WEXITSTATUS(end_child(pid)), 7);
}

static void by_group(void)
{
	pid_t pid = start_child(exit_with_7, NULL), other = start_child(sleep_for_ever, NULL);
	siginfo_t info;

	CHECK_OK(setpgid(other, 0));
	CHECK_OK(waitid(P_PGID, (id_t)getpgrp(), &info, WEXITED));
	check_info(&info, pid, CLD_EXITED, 7);
	CHECK_ERR(waitid(P_PGID, (id_t)getpgrp(), &info, WEXITED), ECHILD);
	CHECK_OK(kill(other, SIGKILL));
	CHECK_OK(waitid(P_PGID, (id_t)other, &info, WEXITED));
	check_info(&info, other, CLD_KILLED, SIGKILL);
}

static void arguments(void)
{
	siginfo_t info;

	CHECK_ERR(waitid(P_ALL, 0, &info, 0), EINVAL);
	CHECK_ERR(waitid(P_ALL, 0, &info, WNOHANG), EINVAL);
	CHECK_ERR(waitid(P_ALL, 0, &info, WEXITED | 0x100), EINVAL);
	CHECK_ERR(waitid(P_PID, 0, &info, WEXITED), EINVAL);
	CHECK_ERR(waitid(9, 1, &info, WEXITED), EINVAL);
	CHECK_ERR(waitid(P_ALL, 0, &info, WEXITED), ECHILD);
}

static pid_t sleeper;
static int alarms;

// The last alarm ends what is waited for.
static void on_alarm(int number)
{
	(void)number;
	if (--alarms == 0)
		kill(sleeper, SIGKILL);
}

static void alarm_often(int how_many, int flags)
{
	struct itimerval often = {{.tv_usec = 10000}, {.tv_usec = 10000}};
	struct sigaction action = {.sa_handler = on_alarm, .sa_flags = flags};

	alarms = how_many;
	CHECK_OK(sigaction(SIGALRM, &action, NULL));
	CHECK_OK(setitimer(ITIMER_REAL, &often, NULL));
}

static void interrupted_or_restarted(void)
{
	siginfo_t info;

	sleeper = start_child(sleep_for_ever, NULL);
	alarm_often(-1, 0);
	CHECK_ERR(waitid(P_PID, (id_t)sleeper, &info, WEXITED), EINTR);
	alarm_often(5, SA_RESTART);
	CHECK_OK(waitid(P_PID, (id_t)sleeper, &info, WEXITED)); // goes on over the handlers
	CHECK(alarms <= 0);
	check_info(&info, sleeper, CLD_KILLED, SIGKILL);
}

static void resources(void)
{
	struct rusage usage = {.ru_majflt = -1};
	pid_t pid = start_child(exit_with_7, NULL);

	CHECK_OK(syscall(SYS_waitid, P_PID, pid, NULL, WEXITED, &usage));
	CHECK(usage.ru_majflt >= 0);
}

static const struct test tests[] = {
	{"all_events", all_events},
	{"looking_only", looking_only},
	{"nothing_yet", nothing_yet},
	{"other_events_do_not_count", other_events_do_not_count},
	{"by_group", by_group},
	{"arguments", arguments},
	{"interrupted_or_restarted", interrupted_or_restarted},
	{"resources", resources},
};

BEYOND_CORE_MAIN(tests)
