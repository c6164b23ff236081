// SPDX-License-Identifier: MIT
// Process groups and sessions: who may put whom where.
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"

static volatile int *words; // shared with children

static void share_words(void)
{
	words = (volatile int *)map(
		PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static void await_word(int i)
{
	while (!words[i])
		sched_yield();
}

static void sleep_for_ever(void *arg)
{
	(void)arg;
	for (;;)
		pause();
}

static void finish(pid_t pid)
{
	CHECK_OK(kill(pid, SIGKILL));
	end_child(pid);
}

static void children_move(void)
{
	pid_t first = start_child(sleep_for_ever, NULL), second = start_child(sleep_for_ever, NULL);

	CHECK_EQ(getpgid(first), getpgrp()); // inherited
	CHECK_OK(setpgid(first, 0));
	CHECK_EQ(getpgid(first), first);
	CHECK_OK(setpgid(second, first));
	CHECK_EQ(getpgid(second), first);
	CHECK_OK(setpgid(second, getpgrp())); // and back
	CHECK_EQ(getpgid(second), getpgrp());
	CHECK_OK(setpgid(second, getpgrp())); // where it is
	finish(first);
	finish(second);
	CHECK_ERR(setpgid(first, first), ESRCH);
}

static void groups_live_as_long_as_members(void)
{
	pid_t leader = start_child(sleep_for_ever, NULL),
	      member = start_child(sleep_for_ever, NULL);

	CHECK_OK(setpgid(leader, leader));
	CHECK_OK(setpgid(member, leader));
	finish(leader);
	CHECK_EQ(getpgid(member), leader);
	CHECK_OK(kill(-leader, 0));
	CHECK_OK(setpgid(0, leader)); // without the one it is called after
	CHECK_EQ(getpgrp(), leader);
	finish(member);
	CHECK_OK(kill(-leader, 0));
}

static void arguments(void)
{
	CHECK_ERR(setpgid(0, -1), EINVAL);
	CHECK_ERR(setpgid(0x3ffffff, 0), ESRCH);
	CHECK_ERR(setpgid(getppid(), 0), ESRCH); // no child
	CHECK_ERR(setpgid(0, 0x3ffffff), EPERM); // no such group
	CHECK_ERR(getpgid(0x3ffffff), ESRCH);
	CHECK_ERR(getsid(0x3ffffff), ESRCH);
	CHECK_ERR(getpgid(-1), ESRCH);
	CHECK_EQ(getpgid(0), getpgrp());
	CHECK_EQ(getsid(0), getsid(getpid()));
}

static void new_session(void *arg)
{
	(void)arg;
	CHECK_EQ(setsid(), getpid());
	words[0] = 1;
	sleep_for_ever(NULL);
}

static void sessions_keep_to_themselves(void)
{
	share_words();
	pid_t pid = start_child(new_session, NULL);
	await_word(0);
	CHECK_EQ(getsid(pid), pid);
	CHECK_EQ(getpgid(pid), pid);
	CHECK_ERR(setpgid(pid, 0), EPERM);         // another session
	CHECK_ERR(setpgid(0, pid), EPERM);         // a group of another session
	CHECK_ERR(setpgid(pid, getpgrp()), EPERM); // a leader
	finish(pid);
}

static void leader_stays(void *arg)
{
	(void)arg;
	CHECK_OK(setsid());
	CHECK_ERR(setpgid(0, 0), EPERM);
	CHECK_ERR(setsid(), EPERM);
}

static void leader_of_a_group(void *arg)
{
	(void)arg;
	CHECK_OK(setpgid(0, 0));
	CHECK_ERR(setsid(), EPERM);
}

static void leaders_stay(void)
{
	must_exit_well(start_child(leader_stays, NULL));
	must_exit_well(start_child(leader_of_a_group, NULL));
}

// A child that has executed a program is its own master.
static void not_after_exec(void)
{
	int input[2], mark[2];
	char byte;

	CHECK_OK(pipe(input));
	CHECK_OK(pipe2(mark, O_CLOEXEC));
	pid_t pid = (pid_t)CHECK_OK(fork());
	if (pid == 0) {
		close(input[1]);
		dup2(input[0], STDIN_FILENO);
		execl("/bin/cat", "cat", NULL); // until its input ends
		_exit(99);
	}
	close(mark[1]);
	CHECK_EQ(read(mark[0], &byte, 1), 0); // exec has closed the other end
	CHECK_ERR(setpgid(pid, pid), EACCES);
	close(input[0]);
	close(input[1]);
	CHECK_EQ(end_child(pid), 0);
}

static void move_out(void *arg)
{
	(void)arg;
	CHECK_OK(setpgid(0, 0));
}

static void leave_the_session(void *arg)
{
	(void)arg;
	CHECK_OK(setsid());
}

// The group of a session's leader whose parent is in another one: nobody ever kept it from being an
// orphan, so that nobody's going makes it one.
static void lead_a_stopped_orphan(void *arg)
{
	int status;

	(void)arg;
	CHECK_OK(setsid());
	pid_t stopped = start_child(sleep_for_ever, NULL);
	CHECK_OK(kill(stopped, SIGSTOP));
	CHECK_EQ(waitpid(stopped, &status, WUNTRACED), stopped);
	must_exit_well(start_child(move_out, NULL));
	must_exit_well(start_child(leave_the_session, NULL));
	CHECK_EQ(waitpid(stopped, &status, WNOHANG | WCONTINUED), 0);
	finish(stopped);
}

static void only_an_end_makes_orphans(void)
{
	must_exit_well(start_child(lead_a_stopped_orphan, NULL));
}

static const struct test tests[] = {
	{"children_move", children_move},
	{"groups_live_as_long_as_members", groups_live_as_long_as_members},
	{"arguments", arguments},
	{"sessions_keep_to_themselves", sessions_keep_to_themselves},
	{"leaders_stay", leaders_stay},
	{"not_after_exec", not_after_exec},
	{"only_an_end_makes_orphans", only_an_end_makes_orphans},
};

TEST_MAIN(tests)
