// SPDX-License-Identifier: MIT
// The set*id family: who may become whom.
#include <errno.h>
#include <sys/types.h>
#include <unistd.h>

#include "lib/tap.h"

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

static const struct test tests[] = {
	{"root_becomes_anybody_for_good", root_becomes_anybody_for_good},
	{"effective_comes_and_goes", effective_comes_and_goes},
	{"the_three_at_once", the_three_at_once},
	{"the_two_and_the_saved_one", the_two_and_the_saved_one},
	{"arguments", arguments},
	{"inherited", inherited},
};

BEYOND_CORE_MAIN(tests)
