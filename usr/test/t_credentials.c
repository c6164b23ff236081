// SPDX-License-Identifier: MIT
// The set*id family: who may become whom; and the groups that one is in besides.
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"
#include "lib/threads.h"

static void check_users(uid_t real, uid_t effective, uid_t saved)
{
	uid_t r, e, s;

	CHECK_OK(getresuid(&r, &e, &s));
	CHECK_EQ(r, real);
	CHECK_EQ(e, effective);
	CHECK_EQ(s, saved);
	CHECK_EQ(getuid(), real);
	CHECK_EQ(geteuid(), effective);
}

static void check_groups(gid_t real, gid_t effective, gid_t saved)
{
	gid_t r, e, s;

	CHECK_OK(getresgid(&r, &e, &s));
	CHECK_EQ(r, real);
	CHECK_EQ(e, effective);
	CHECK_EQ(s, saved);
	CHECK_EQ(getgid(), real);
	CHECK_EQ(getegid(), effective);
}

static void root_becomes_anybody_for_good(void)
{
	CHECK_OK(setgid(7));
	check_groups(7, 7, 7);
	CHECK_OK(setuid(1000));
	check_users(1000, 1000, 1000);
	CHECK_ERR(setuid(0), EPERM);
	CHECK_ERR(setgid(0), EPERM);
	CHECK_ERR(setresuid(-1, 0, -1), EPERM);
	CHECK_ERR(setreuid(0, -1), EPERM);
}

static void effective_comes_and_goes(void)
{
	CHECK_OK(seteuid(1000));
	check_users(0, 1000, 0);
	CHECK_ERR(seteuid(1001), EPERM);
	CHECK_OK(seteuid(0)); // the saved one allows it
	check_users(0, 0, 0);
}

static void the_three_at_once(void)
{
	CHECK_OK(setresgid(4, 5, 6));
	check_groups(4, 5, 6);
	CHECK_OK(setresuid(1, 2, 3));
	check_users(1, 2, 3);
	CHECK_OK(setresuid(3, 1, 2)); // any of them to any place
	check_users(3, 1, 2);
	CHECK_ERR(setresuid(-1, -1, 9), EPERM);
	CHECK_OK(setresuid(-1, 2, -1));
	check_users(3, 2, 2);
	CHECK_OK(setuid(3)); // unprivileged: only the effective one
	check_users(3, 3, 2);
	CHECK_OK(setresgid(6, 6, -1));
	check_groups(6, 6, 6);
}

static void the_two_and_the_saved_one(void)
{
	CHECK_OK(setreuid(1, 2));
	check_users(1, 2, 2); // it follows
	CHECK_OK(setreuid(2, 1));
	check_users(2, 1, 1);
	CHECK_ERR(setreuid(5, -1), EPERM);
	CHECK_ERR(setreuid(-1, 5), EPERM);
	CHECK_OK(setreuid(-1, 2));
	check_users(2, 2, 1); // to the real one: it stays
	CHECK_OK(setreuid(-1, 1));
	check_users(2, 1, 1);
}

static void arguments(void)
{
	uid_t id;

	CHECK_ERR(setuid(-1), EINVAL);
	CHECK_ERR(setgid(-1), EINVAL);
	CHECK_ERR(getresuid((uid_t *)8, &id, &id), EFAULT);
	check_users(0, 0, 0);
}

#define CHANGES 30000

static void change_the_real_one(void *arg)
{
	gid_t r, e, s;

	(void)arg;
	for (gid_t i = 1; i <= CHANGES; i++) {
		CHECK(syscall(SYS_setresgid, i, -1, -1) == 0);
		CHECK(syscall(SYS_getresgid, &r, &e, &s) == 0);
		CHECK_EQ(r, i);
	}
}

// Each of two threads changes one of the three: the other's stays as the other has it.
static void two_change_at_once(void)
{
	struct thread other = {0};
	gid_t r, e, s;

	if (!on_mapache())
		tap_skip("identity is each thread's own");
	thread_begin(&other, change_the_real_one, NULL);
	for (gid_t i = 1; i <= CHANGES; i++) {
		CHECK(syscall(SYS_setresgid, -1, i, -1) == 0);
		CHECK(syscall(SYS_getresgid, &r, &e, &s) == 0);
		CHECK_EQ(e, i);
	}
	thread_join(&other);
	check_groups(CHANGES, CHANGES, 0);
}

static void child_looks(void *arg)
{
	(void)arg;
	check_users(1, 2, 3);
}

static void inherited(void)
{
	CHECK_OK(setresuid(1, 2, 3));
	must_exit_well(start_child(child_looks, NULL));
}

static void groups_besides(void)
{
	static const gid_t some[] = {30, 10, 20};
	gid_t got[4] = {0}, *volatile nowhere = (gid_t *)8; // volatile: the compiler would warn
	volatile int negative = -1;

	CHECK_OK(setgroups(3, some));
	CHECK_EQ(getgroups(0, NULL), 3);
	CHECK_EQ(getgroups(4, got), 3);
	CHECK(got[0] == 10 && got[1] == 20 && got[2] == 30);
	CHECK_ERR(getgroups(2, got), EINVAL);
	CHECK_ERR(getgroups(negative, got), EINVAL);
	CHECK_ERR(getgroups(4, nowhere), EFAULT);
	CHECK_ERR(setgroups(65537, some), EINVAL);
	CHECK_ERR(setgroups(4, nowhere), EFAULT);
	CHECK_OK(setgroups(0, NULL));
	CHECK_EQ(getgroups(4, got), 0);
	CHECK_OK(setuid(1000));
	CHECK_ERR(setgroups(3, some), EPERM);
}

static void many_groups(void)
{
	static gid_t many[65536], got[65536];

	for (int i = 0; i < 65536; i++)
		many[i] = (gid_t)random_below(1000000);
	CHECK_OK(setgroups(65536, many));
	CHECK_EQ(getgroups(65536, got), 65536);
	for (int i = 1; i < 65536; i++)
		CHECK(got[i - 1] <= got[i]);
}

static void child_has_groups(void *arg)
{
	gid_t got[2];

	(void)arg;
	CHECK_EQ(getgroups(2, got), 2);
	CHECK(got[0] == 5 && got[1] == 6);
}

static void groups_are_inherited(void)
{
	static const gid_t some[] = {5, 6};

	CHECK_OK(setgroups(2, some));
	must_exit_well(start_child(child_has_groups, NULL));
}

// A file for its group, 20, only.
static void groups_open_files(void)
{
	static const gid_t in[] = {10, 20, 30}, out[] = {10, 30};
	int fd = (int)CHECK_OK(open("file", O_WRONLY | O_CREAT, 0600));

	CHECK_OK(chmod(".", 0755));
	CHECK_OK(fchown(fd, 0, 20));
	CHECK_OK(fchmod(fd, 0040));
	CHECK_OK(close(fd));
	CHECK_OK(setgroups(2, out));
	CHECK_OK(seteuid(1000));
	CHECK_ERR(open("file", O_RDONLY), EACCES);
	CHECK_OK(seteuid(0));
	CHECK_OK(setgroups(3, in));
	CHECK_OK(seteuid(1000));
	CHECK_OK(open("file", O_RDONLY));
	CHECK_ERR(open("file", O_WRONLY), EACCES);
}

static pid_t target;

static void sleep_as(void *arg)
{
	uid_t *ids = arg;

	if (setresuid(ids[0], ids[1], ids[2]))
		_exit(1);
	for (;;)
		pause();
}

static void become_and_send(void *arg)
{
	uid_t *ids = arg;

	if (setresuid(ids[0], ids[1], ids[1]))
		_exit(99);
	_exit(kill(target, 0) == 0 ? 0 : errno);
}

static int sends_as(uid_t real, uid_t effective)
{
	uid_t ids[] = {real, effective};

	return WEXITSTATUS(in_child(become_and_send, ids));
}

// The sender's real or effective user must be the receiver's real or saved one.
static void who_may_send_signals(void)
{
	uid_t ids[] = {10, 20, 30};

	target = start_child(sleep_as, ids);
	while (sends_as(10, 99)) // until it is who it shall be
		;
	CHECK_EQ(sends_as(30, 99), 0);
	CHECK_EQ(sends_as(99, 10), 0);
	CHECK_EQ(sends_as(99, 30), 0);
	CHECK_EQ(sends_as(20, 99), EPERM);
	CHECK_EQ(sends_as(99, 20), EPERM);
	CHECK_EQ(sends_as(0, 99), EPERM);
	CHECK_EQ(sends_as(99, 0), 0);
	CHECK_OK(kill(target, SIGKILL));
	end_child(target);
}

static void send_in_session(void *arg)
{
	int signo = *(int *)arg;

	if (setuid(99))
		_exit(99);
	_exit(kill(target, signo) == 0 ? 0 : errno);
}

// SIGCONT needs no right within a session.
static void who_may_continue(void)
{
	static const uid_t ids[] = {10, 10, 10};
	int cont = SIGCONT, term = SIGTERM;

	target = start_child(sleep_as, (void *)(uintptr_t)ids);
	while (sends_as(10, 99))
		;
	CHECK_EQ(WEXITSTATUS(in_child(send_in_session, &cont)), 0);
	CHECK_EQ(WEXITSTATUS(in_child(send_in_session, &term)), EPERM);
	CHECK_OK(kill(target, SIGKILL));
	end_child(target);
}

// The user of files goes its own way, until the effective one changes.
static void user_of_files(void)
{
	int fd = (int)CHECK_OK(open("file", O_WRONLY | O_CREAT, 0600));

	CHECK_OK(close(fd));
	CHECK_OK(chmod(".", 0755));
	CHECK_EQ(setfsuid(1000), 0);
	CHECK_EQ(setfsgid(100), 0);
	CHECK_EQ(setfsuid(-1), 1000);
	CHECK_EQ(setfsgid(-1), 100);
	CHECK_EQ(geteuid(), 0);
	CHECK_ERR(open("file", O_RDONLY), EACCES);
	CHECK_EQ(setfsuid(0), 1000);
	CHECK_OK(open("file", O_RDONLY));
	CHECK_EQ(setfsuid(1000), 0);
	CHECK_OK(seteuid(0));
	CHECK_EQ(setfsuid(-1), 0); // it follows
	CHECK_OK(setuid(1000));
	CHECK_EQ(setfsuid(0), 1000);
	CHECK_EQ(setfsuid(-1), 1000); // refused without a word
}

static const struct test tests[] = {
	{"root_becomes_anybody_for_good", root_becomes_anybody_for_good},
	{"effective_comes_and_goes", effective_comes_and_goes},
	{"the_three_at_once", the_three_at_once},
	{"the_two_and_the_saved_one", the_two_and_the_saved_one},
	{"arguments", arguments},
	{"two_change_at_once", two_change_at_once},
	{"inherited", inherited},
	{"groups_besides", groups_besides},
	{"many_groups", many_groups},
	{"groups_are_inherited", groups_are_inherited},
	{"groups_open_files", groups_open_files},
	{"who_may_send_signals", who_may_send_signals},
	{"who_may_continue", who_may_continue},
	{"user_of_files", user_of_files},
};

BEYOND_CORE_MAIN(tests)
